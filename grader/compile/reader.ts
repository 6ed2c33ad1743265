/**
 * Reads a submitted notebook. Forgiving where it costs nothing (older versions of the format, missing or repeated
 * ids): what counts is the code. Nothing is compiled here.
 */
import { lstat, readFile } from 'node:fs/promises';
import { pathOf } from '../base/file-names';
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
export const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Lists, objects and texts in a notebook. Each costs a hundred bytes once it is read, whatever it costs in the file: two
 * bytes for `{}`. A chapter with all its figures has some ten thousand.
 */
const MAX_PARTS = 2_000_000;

/**
 * @throws Unreadable for what is no notebook, and an Error when the file is gone or the disk fails, which is not its
 *   author's fault
 */
export async function readSubmission(file: string): Promise<Submitted> {
  const path = pathOf(file);
  const info = await lstat(path).catch(refuseOrThrow);
  if (info.isSymbolicLink()) refuse('a symbolic link is not followed');
  if (!info.isFile()) refuse(info.isDirectory() ? 'this is a folder' : 'this is no regular file');
  if (info.size > MAX_BYTES) refuse(`larger than ${MAX_BYTES / 1024 / 1024} MiB`);
  return parseSubmission(await readFile(path).catch(refuseOrThrow));
}

/** What its author, or who packed it, made so that nobody can open it. */
const CLOSED: readonly (string | undefined)[] = ['EACCES', 'EPERM', 'ENAMETOOLONG', 'ELOOP', 'ENOTDIR'];

function refuseOrThrow(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  if (CLOSED.includes(code)) refuse(`the file cannot be read (${code})`);
  if (code === 'ENOENT') throw new Error('there is no such file');
  throw error;
}

/** @throws Unreadable */
function parseSubmission(bytes: Buffer): Submitted {
  if (hasMoreParts(bytes, MAX_PARTS)) refuse(`more than ${MAX_PARTS} lists, objects and texts`);
  const notebook = parseJson(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  if (!isRecord(notebook)) return refuse('no notebook: a JSON object is expected');
  if (notebook['nbformat'] !== 4)
    refuse(`nbformat must be 4, got ${brief(notebook['nbformat'])}; save it with a current Jupyter`);
  if (!Array.isArray(notebook['cells'])) return refuse('no notebook: it has no list of cells');
  const cells = notebook['cells'].filter((cell) => isRecord(cell) && cell['cell_type'] === 'code').map(toCell);
  const chapter = chapterIn(notebook['metadata']);
  return { cells, notes: repeatedIds(cells), ...(chapter === undefined ? {} : { chapter }) };
}

const [QUOTE, BACKSLASH, LIST, OBJECT] = [0x22, 0x5c, 0x5b, 0x7b];

/** Counted in the bytes, before anything is made of them. */
function hasMoreParts(bytes: Buffer, most: number): boolean {
  let parts = 0;
  for (let i = 0; i < bytes.length && parts <= most; i++) {
    const byte = bytes[i];
    if (byte === LIST || byte === OBJECT) parts++;
    if (byte !== QUOTE) continue;
    parts++;
    for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
  }
  return parts > most;
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
