/** What the compiler sees of this machine: no more than a submission, or the text of a message could quote it. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import ts from 'typescript';
import { root } from '../base/paths';

/** Where the submission stands for the compiler: beside the packages. There is no such file. */
export const SUBMISSION = join(root, 'submission.ts');

export interface Source {
  readonly code: string;
  readonly version: number;
}

/** A host for a language service over one file, which changes from submission to submission. */
export function createHost(
  options: ts.CompilerOptions,
  visible: readonly string[],
  current: () => Source,
): ts.LanguageServiceHost {
  const { isFile, isFolder } = createGuard(visible);
  const fileExists = (path: string) => isSubmission(path) || (isFile(path) && ts.sys.fileExists(path));
  const readFile = (path: string) => {
    if (isSubmission(path)) return current().code;
    return isFile(path) ? ts.sys.readFile(path) : undefined;
  };
  return {
    getCompilationSettings: () => options,
    getScriptFileNames: () => [SUBMISSION],
    getScriptVersion: (path) => (isSubmission(path) ? String(current().version) : '1'),
    getScriptSnapshot: (path) => {
      const text = readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists,
    readFile,
    directoryExists: (path) => isFolder(path) && ts.sys.directoryExists(path),
    getDirectories: (path) => ts.sys.getDirectories(path).filter((name) => isFolder(join(path, name))),
    realpath: realPath,
  };
}

function isSubmission(path: string): boolean {
  return join(path) === SUBMISSION;
}

/**
 * Decides by where the folder of a path leads, since a link in node_modules leads to the grader, too.
 * @param visible files and folders; a visible file of JavaScript has its types beside it
 */
export function createGuard(visible: readonly string[]) {
  const real = remembering(realPath);
  const entries = visible.map(realPath);
  const all = [...entries, ...entries.map((entry) => entry.replace(/\.js$/, '.d.ts'))];
  const isWithin = (path: string) => all.some((entry) => path === entry || path.startsWith(entry + sep));
  return {
    isFile: (path: string) => isWithin(join(real(dirname(path)), basename(path))),
    /** A folder within, or one on the way to what is visible. */
    isFolder: (path: string) => {
      const folder = real(path);
      return isWithin(folder) || entries.some((entry) => entry.startsWith(folder + sep));
    },
  };
}

/** Without links, `..` and, on Windows, slashes of the other kind. What does not exist stays where it would be. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return join(path);
  }
}

/** The compiler asks for the same folders again and again. */
function remembering(of: (path: string) => string): (path: string) => string {
  const known = new Map<string, string>();
  return (path) => {
    const found = known.get(path) ?? of(path);
    known.set(path, found);
    return found;
  };
}
