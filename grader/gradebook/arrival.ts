/** What is known of a submission before it is graded: its content, its chapter, and when it was handed in. */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { pathOf } from '../base/file-names';
import { MAX_BYTES, readSubmission } from '../compile/reader';
import type { Entry } from './jobs';

/** The content of a file that is not there. */
export const GONE = 'gone';

/** sha256 of a file; what is no regular file, or is larger than a notebook may be, is known by what it is instead. */
export async function contentOf(file: string): Promise<string> {
  const info = await statOf(file);
  if (!info?.isFile()) return info === undefined ? GONE : 'no regular file';
  // it will be refused unread: a sparse file takes no room on the disk, and days to read
  if (info.size > MAX_BYTES) return `${info.size} bytes of ${Math.round(info.mtimeMs)}`;
  const hash = createHash('sha256');
  // nobody may read it: that is what it will be judged as
  await pipeline(createReadStream(pathOf(file), { end: MAX_BYTES }), hash).catch(() => undefined);
  return hash.digest('hex');
}

function statOf(file: string): Promise<Stats | undefined> {
  return lstat(pathOf(file)).catch(() => undefined);
}

/** The chapter that a notebook says it is; `undefined` when it does not say, or cannot be read: grading tells of that. */
export async function chapterOf(file: string): Promise<string | undefined> {
  return (await readSubmission(file).catch(() => undefined))?.chapter;
}

/** Milliseconds since 1970 by a submission's name, in the composed form of Unicode (NFC). */
export type Timestamps = ReadonlyMap<string, number>;

/**
 * `undefined` when the file went away meanwhile.
 * @throws an Error when there are timestamps, but none for this submission: a silent second source would be unjust
 */
export async function submissionTime(
  name: string,
  file: string,
  timestamps?: Timestamps,
): Promise<Pick<Entry, 'submittedMs' | 'submittedFrom'> | undefined> {
  if (timestamps === undefined) {
    const info = await statOf(file);
    return info && { submittedMs: Math.round(info.mtimeMs), submittedFrom: 'mtime' };
  }
  // one system writes é as one sign and another as two
  const submittedMs = timestamps.get(name.normalize('NFC'));
  if (submittedMs === undefined)
    throw new Error(`the timestamps have no line for '${name}'; add ${quoted(name)},2026-01-31T23:59:00Z`);
  return { submittedMs, submittedFrom: 'timestamps' };
}

function quoted(name: string): string {
  return /[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

/**
 * Reads lines `name,time`; the name is the path within the folder without .ipynb and may be quoted, the time is ISO 8601 with
 * a zone. A header `name,time`, empty lines and submissions that do not exist are passed over.
 * @throws an Error with file and line; also when a name has two times
 */
export async function readTimestamps(file: string): Promise<Timestamps> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new Error(`the timestamps cannot be read: ${(error as Error).message}`);
  });
  if (!isUtf8(bytes) || bytes.includes(0))
    throw new Error(`${file}: expected UTF-8, got another encoding; save it as "CSV UTF-8"`);
  const times = new Map<string, number>();
  for (const [i, line] of bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const [name, time] = toTime(line, `${file}:${i + 1}`) ?? [];
    if (name === undefined || time === undefined) continue;
    if ((times.get(name) ?? time) !== time)
      throw new Error(
        `${file}:${i + 1}: expected one time for '${name}', got another than above; keep the one that counts`,
      );
    times.set(name, time);
  }
  return times;
}

const LINE = /^(?:"((?:[^"]|"")*)"|([^"]*)),\s*"?([^,"]+)"?\s*$/;

function toTime(line: string, where: string): [string, number] | undefined {
  if (line.trim() === '' || /^"?(name|student)"?\s*,/i.test(line)) return undefined;
  const [, quoted, plain, time] = LINE.exec(line) ?? [];
  if (time === undefined) throw new Error(`${where}: expected name,time, got '${line}'`);
  const name = quoted?.replaceAll('""', '"') ?? plain!.trim();
  return [name.normalize('NFC'), parseTime(time.trim(), where)];
}

/**
 * A moment in ISO 8601, which must say its zone, since a deadline an hour off is a wrong mark.
 * @throws an Error with an example
 */
export function parseTime(text: string, where: string): number {
  const [, year, month, day] = ISO.exec(text) ?? [];
  const time = Date.parse(text);
  // JavaScript takes the 30th of February for the 2nd of March
  const exists = Number(day) <= new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (!exists || Number.isNaN(time))
    throw new Error(`${where}: expected a time with its zone such as 2026-01-31T23:59:00+01:00, got '${text}'`);
  return time;
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)$/;
