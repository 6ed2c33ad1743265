/** The project's pages of Markdown, and what is found in them: links, commands, names of files. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import MarkdownIt from 'markdown-it';

export const ROOT = join(import.meta.dirname, '..', '..');

/** What a clone has besides the files at its root: nothing that was installed, built or written by a run. */
const FOLDERS = [
  ...['.ci', '.devcontainer', '.github', 'app', 'datasets', 'docs', 'grader', 'jupyter', 'lib', 'notebooks'],
  ...['solutions', 'test'],
];
const MADE = /^(node_modules|dist|graded|nbextensions|labextensions|\.ipynb_checkpoints|\.git|\.built)$|\.tsbuildinfo$/;

function below(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (MADE.test(entry.name)) return [];
    const path = posix.join(folder, entry.name);
    return entry.isDirectory() ? below(path) : [path];
  });
}

/** Every file of a clone, by its path from the root. */
export const files: readonly string[] = [
  ...readdirSync(ROOT, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : [])),
  ...FOLDERS.flatMap(below),
];

/** Every folder that holds one of them. */
export const folders: ReadonlySet<string> = new Set(files.flatMap(foldersOf));

function foldersOf(file: string): string[] {
  const folder = dirname(file);
  return folder === '.' ? ['.'] : [folder, ...foldersOf(folder)];
}

export interface Page {
  /** From the root, as `docs/engine.md`. */
  readonly path: string;
  readonly text: string;
}

export const pages: readonly Page[] = files
  .filter((file) => file.endsWith('.md'))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

/** What students get has this page at its root, and the folders that it names beside it. */
const AT_THE_ROOT = 'grader/authoring/bundle/README.md';

/** The folder that a page's relative links start from. */
export function baseOf({ path }: Page): string {
  return path === AT_THE_ROOT ? '.' : dirname(path);
}

export interface Found {
  readonly links: readonly string[];
  /** Lines of shell commands: fences marked sh, and inline code that starts like one. */
  readonly commands: readonly string[];
  /** Inline code. */
  readonly codes: readonly string[];
  /** Of every heading, as GitHub writes them. */
  readonly anchors: ReadonlySet<string>;
}

const markdown = new MarkdownIt();

export function read({ text }: Page): Found {
  const tokens = markdown.parse(text, {});
  const inline = tokens.flatMap((token) => token.children ?? []);
  const codes = inline.filter(({ type }) => type === 'code_inline').map(({ content }) => content);
  const fences = tokens.filter(({ type, info }) => type === 'fence' && info === 'sh');
  return {
    links: inline.flatMap((token) =>
      [token.attrGet('href'), token.attrGet('src')].filter((url) => url !== null).map(String),
    ),
    commands: [...fences.flatMap(({ content }) => content.split('\n')), ...codes].filter(isCommand),
    codes,
    anchors: anchorsOf(tokens.flatMap((token, i) => (token.type === 'heading_open' ? [textOf(tokens[i + 1])] : []))),
  };
}

const isCommand = (line: string): boolean => /^(npm (run|start|test)\b|npx grade\b)/.test(line);

function textOf(token: ReturnType<typeof markdown.parse>[number] | undefined): string {
  const shown = (token?.children ?? []).filter(({ type }) => type === 'text' || type === 'code_inline');
  return shown.map(({ content }) => content).join('');
}

/** Lower case, no signs but - and _, a hyphen for each space; the second of its name gets -1. */
function anchorsOf(headings: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const heading of headings) {
    const plain = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = plain;
    for (let n = 1; found.has(anchor); n++) anchor = `${plain}-${n}`;
    found.add(anchor);
  }
  return found;
}
