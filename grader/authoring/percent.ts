/**
 * Reads the percent format of Jupytext: `// %%` starts a code cell, `// %% [markdown]` a cell whose lines are
 * comments; either may be followed by `id="…"` and `tags=["…"]`.
 */

export interface PercentCell {
  readonly kind: 'code' | 'markdown';
  readonly source: string;
  /** Line of the source file on which `source` starts, from 1. */
  readonly line: number;
  readonly id?: string;
  readonly tags: readonly string[];
}

/** Something wrong in a chapter's source; the message starts with file and line. */
export class SourceError extends Error {
  constructor(where: string, line: number, message: string) {
    super(`${where}:${line}: ${message}`);
    this.name = 'SourceError';
  }
}

const MARKER = /^\/\/ %%(?!%)(.*)$/;
const OPTION = /\s(\w+)=("(?:[^"\\]|\\.)*"|\[[^\]]*\])/g;

/**
 * The cells of a source file. Comments before the first marker are notes to whoever edits the file, and no cell.
 * @param where the file's name, for messages
 * @throws SourceError
 */
export function parsePercent(text: string, where: string): PercentCell[] {
  // an editor on Windows may have put a mark before the first sign
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const starts = lines.flatMap((line, i) => (MARKER.test(line) ? [i] : []));
  refuseCodeBefore(lines.slice(0, starts[0] ?? lines.length), where);
  return starts.map((start, n) => parseCell(lines.slice(start, starts[n + 1] ?? lines.length), start + 1, where));
}

function refuseCodeBefore(lines: readonly string[], where: string): void {
  const code = lines.findIndex((line) => !/^\s*(\/\/.*|\/?\*.*)?$/.test(line));
  if (code >= 0) throw new SourceError(where, code + 1, 'code before the first cell; start the cell with // %%');
}

function parseCell([marker, ...body]: readonly string[], line: number, where: string): PercentCell {
  const { kind, ...options } = parseMarker(MARKER.exec(marker!)![1]!, line, where);
  const blank = body.findIndex((text) => text.trim() !== '');
  const skipped = blank < 0 ? body.length : blank;
  const source = body.slice(skipped).join('\n').trimEnd();
  const first = line + 1 + skipped;
  return { kind, ...options, line: first, source: kind === 'code' ? source : uncomment(source, first, where) };
}

function parseMarker(rest: string, line: number, where: string) {
  const kind = /^\s+\[(markdown|md)\]/.test(rest) ? ('markdown' as const) : ('code' as const);
  const options = rest.replace(/^\s+\[(markdown|md)\]/, '');
  const left = options.replace(OPTION, '').trim();
  if (left !== '')
    throw new SourceError(
      where,
      line,
      `'${left}' after // %% is not understood; known are [markdown], id="…" and tags=["…"]`,
    );
  const values = Object.fromEntries([...options.matchAll(OPTION)].map(([, key, json]) => [key!, json!]));
  return { kind, ...parseOptions(values, line, where) };
}

function parseOptions(values: Readonly<Record<string, string>>, line: number, where: string) {
  const { id: idText, tags: tagsText = '[]', ...others } = values;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new SourceError(where, line, `unknown cell option '${unknown}'; known are id and tags`);
  const id: unknown = idText === undefined ? undefined : parseJson(idText, line, where);
  const tags: unknown = parseJson(tagsText, line, where);
  if (id !== undefined && !isCellId(id))
    throw new SourceError(where, line, `id must be 1 to 64 of a–z, A–Z, 0–9, - and _`);
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string' && !tag.includes(',')))
    throw new SourceError(where, line, 'tags must be a list of texts without commas');
  return { tags: tags as string[], ...(id === undefined ? {} : { id }) };
}

function parseJson(text: string, line: number, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SourceError(where, line, `${text} is not JSON`);
  }
}

/** What nbformat 4.5 allows as a cell's id. */
function isCellId(id: unknown): id is string {
  return typeof id === 'string' && /^[a-zA-Z0-9_-]{1,64}$/.test(id);
}

function uncomment(source: string, line: number, where: string): string {
  const lines = source === '' ? [] : source.split('\n');
  return lines
    .map((text, i) => uncommentLine(text, line + i, where))
    .join('\n')
    .trimEnd();
}

function uncommentLine(text: string, line: number, where: string): string {
  if (text.trim() === '') return '';
  if (!/^\/\/( |$)/.test(text)) throw new SourceError(where, line, 'a line of a markdown cell must start with "// "');
  return text.slice(3);
}
