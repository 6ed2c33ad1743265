/**
 * What judges a submission, as a hash: when it changes, verdicts are no longer those that grading would give. It is the
 * code that grading loads, followed from file to file: checks, what they share, the protocol, the compiler, the library.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { built, root } from '../base/paths';
import { version } from '../base/version';

/** Where the processes begin that grade, compile and run; the files of chapters they load by name. */
const STARTS = ['grading/worker.js', 'compile/service-child.js', 'sandbox/child.js'];

/**
 * Hash of the grader's version and of all that a grading of the chapter loads: built files by their content, packages
 * of others by their versions. Without a chapter, of what all chapters have in common.
 */
export async function bundleOf(chapter: string | undefined): Promise<string> {
  const ofChapter = chapter === undefined ? [] : ['checks', 'hidden'].map((kind) => `chapters/${kind}/${chapter}.js`);
  const loaded = loadedFrom([...STARTS, ...ofChapter].map(built).filter((file) => existsSync(file)));
  const hash = createHash('sha256').update(version);
  for (const [name, text] of loaded) hash.update(`${name}\0${text.length}\0`).update(text);
  return hash.digest('hex');
}

/**
 * Path within the project, or package, and what stands for its content; sorted.
 * @param base the project
 */
export function loadedFrom(starts: readonly string[], base = root): [string, string][] {
  const found = new Map<string, string>();
  const waiting = [...starts];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const name = relative(base, file).split(sep).join('/');
    if (found.has(name)) continue;
    const text = readFileSync(file, 'utf8');
    found.set(name, text);
    for (const wanted of wantedBy(text)) {
      const next = resolve(wanted, file);
      if (next === undefined) continue;
      if (isOurs(next)) waiting.push(next);
      else found.set(`package ${packageOf(wanted)}`, versionOf(next));
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** As TypeScript builds them: every import that is known beforehand is a call of require with a text. */
function wantedBy(text: string): string[] {
  const names = [...text.matchAll(/\brequire\(["']([^"']+)["']\)/g)].map(([, name]) => name!);
  return names.filter((name) => !isBuiltin(name));
}

/** `undefined` for what is not installed, such as the optional backends. */
function resolve(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch {
    return undefined;
  }
}

function isOurs(file: string): boolean {
  return file.endsWith('.js') && !file.includes(`${sep}node_modules${sep}`);
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Of the package that a file belongs to. */
function versionOf(file: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    const { version } = existsSync(manifest)
      ? (JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string })
      : {};
    if (version !== undefined) return version;
  }
  return '';
}
