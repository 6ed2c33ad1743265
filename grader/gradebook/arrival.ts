/** What is known of a submission before it is graded: its content, its chapter, and when it was handed in. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { readSubmission, Unreadable } from '../compile/reader';
import type { Entry } from './jobs';

/** sha256 of a file; what is no regular file is known by what it is instead. */
export async function contentOf(file: string): Promise<string> {
  const info = await lstat(file).catch(() => undefined);
  if (!info?.isFile()) return info === undefined ? 'gone' : 'no regular file';
  const hash = createHash('sha256');
  // nobody may read it: that is what it will be judged as
  await pipeline(createReadStream(file), hash).catch(() => undefined);
  return hash.digest('hex');
}

/** The chapter that a notebook says it is; `undefined` when it cannot be read or does not say. */
export async function chapterOf(file: string): Promise<string | undefined> {
  try {
    return (await readSubmission(file)).chapter;
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** Milliseconds since 1970 by a submission's name. */
export type Timestamps = ReadonlyMap<string, number>;

/**
 * @throws an Error when there are timestamps, but none for this submission: a silent second source would be unjust
 */
export async function submissionTime(
  name: string,
  file: string,
  timestamps?: Timestamps,
): Promise<Pick<Entry, 'submittedMs' | 'submittedFrom'>> {
  if (timestamps === undefined) return { submittedMs: Math.round((await lstat(file)).mtimeMs), submittedFrom: 'mtime' };
  const submittedMs = timestamps.get(name);
  if (submittedMs === undefined)
    throw new Error(`the timestamps have no line for '${name}'; add ${name},2026-01-31T23:59:00Z`);
  return { submittedMs, submittedFrom: 'timestamps' };
}

/**
 * Reads lines `name,time`; the name is the path within the folder without .ipynb and may be quoted, the time is ISO 8601 with
 * a zone. A header `name,time`, empty lines and submissions that do not exist are passed over.
 * @throws an Error with file and line
 */
export async function readTimestamps(file: string): Promise<Timestamps> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`the timestamps cannot be read: ${(error as Error).message}`);
  });
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const times = lines.map((line, i) => toTime(line, `${file}:${i + 1}`));
  return new Map(times.filter((time) => time !== undefined));
}

const LINE = /^(?:"((?:[^"]|"")*)"|([^"]*)),\s*([^,]+)$/;

function toTime(line: string, where: string): [string, number] | undefined {
  if (line.trim() === '' || /^(name|student)\s*,/i.test(line)) return undefined;
  const [, quoted, plain, time] = LINE.exec(line) ?? [];
  if (time === undefined) throw new Error(`${where}: expected name,time, got '${line}'`);
  return [quoted?.replaceAll('""', '"') ?? plain!.trim(), parseTime(time.trim(), where)];
}

/**
 * A moment in ISO 8601, which must say its zone, since a deadline an hour off is a wrong mark.
 * @throws an Error with an example
 */
export function parseTime(text: string, where: string): number {
  const zoned = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/.test(text);
  const time = Date.parse(text);
  if (!zoned || Number.isNaN(time))
    throw new Error(`${where}: expected a time with its zone such as 2026-01-31T23:59:00+01:00, got '${text}'`);
  return time;
}
