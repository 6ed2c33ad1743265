/**
 * Reads a submitted notebook. Forgiving where it costs nothing (older versions of the format, missing or repeated
 * ids): what counts is the code. Nothing is compiled here.
 */
import { lstat, readFile } from 'node:fs/promises';
import type { SourceCell } from './pieces';

export interface Submitted {
  readonly cells: readonly SourceCell[];
  /** As the notebook's metadata say; a student may have lost them. */
  readonly chapter?: string;
  readonly notes: readonly string[];
}

/** A file that is no notebook; the message says why. */
export class Unreadable extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Unreadable';
  }
}

/** Figures make notebooks large; nothing honest is larger than this. */
const MAX_BYTES = 64 * 1024 * 1024;

/** @throws Unreadable */
export async function readSubmission(file: string): Promise<Submitted> {
  const info = await lstat(file).catch(() => refuse('the file cannot be opened'));
  if (info.isSymbolicLink()) refuse('a symbolic link is not followed');
  if (!info.isFile()) refuse(info.isDirectory() ? 'this is a folder' : 'this is no regular file');
  if (info.size > MAX_BYTES) refuse(`larger than ${MAX_BYTES / 1024 / 1024} MiB`);
  return parseSubmission(await readFile(file, 'utf8').catch(() => refuse('the file cannot be read')));
}

/** @throws Unreadable */
function parseSubmission(text: string): Submitted {
  const notebook = parseJson(text.replace(/^\uFEFF/, ''));
  if (!isRecord(notebook)) return refuse('no notebook: a JSON object is expected');
  if (notebook['nbformat'] !== 4)
    refuse(`nbformat must be 4, got ${brief(notebook['nbformat'])}; save it with a current Jupyter`);
  if (!Array.isArray(notebook['cells'])) return refuse('no notebook: it has no list of cells');
  const cells = notebook['cells'].filter((cell) => isRecord(cell) && cell['cell_type'] === 'code').map(toCell);
  const chapter = chapterIn(notebook['metadata']);
  return { cells, notes: repeatedIds(cells), ...(chapter === undefined ? {} : { chapter }) };
}

function parseJson(text: string): unknown {
  if (text.trim() === '') refuse('the file is empty');
  try {
    return JSON.parse(text);
  } catch {
    return refuse('not JSON: the file is damaged, or no notebook');
  }
}

function toCell(cell: Record<string, unknown>, index: number): SourceCell {
  const id = typeof cell['id'] === 'string' ? cell['id'].slice(0, 64) : `code-${index + 1}`;
  return { number: index + 1, id, source: toSource(cell['source'], index + 1) };
}

function toSource(source: unknown, number: number): string {
  if (typeof source === 'string') return source;
  if (Array.isArray(source) && source.every((line) => typeof line === 'string')) return source.join('');
  return refuse(`code cell ${number} has no source text`);
}

function chapterIn(metadata: unknown): string | undefined {
  const dgm = isRecord(metadata) ? metadata['dgm'] : undefined;
  const chapter = isRecord(dgm) ? dgm['chapter'] : undefined;
  return typeof chapter === 'string' ? chapter : undefined;
}

function repeatedIds(cells: readonly SourceCell[]): string[] {
  const first = new Map<string, number>();
  return cells.flatMap(({ id, number }) => {
    const before = first.get(id);
    if (before === undefined) first.set(id, number);
    return before === undefined ? [] : [`code cells ${before} and ${number} have the same id`];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 40);
}

function refuse(message: string): never {
  throw new Unreadable(message);
}
