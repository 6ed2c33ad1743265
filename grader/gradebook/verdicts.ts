/** What was found: the verdicts that count, and what a person set in their place. */
import { resultSchema, type SubmissionResult } from '../grading/result';
import { BookError, commit, type Book } from './book';
import type { Entry } from './jobs';

/** A submission and what was made of it. */
export interface Row {
  readonly name: string;
  readonly file: string;
  readonly submittedMs: number;
  readonly submittedFrom: Entry['submittedFrom'];
  readonly result: SubmissionResult;
}

export interface Override {
  readonly student: string;
  readonly exercise: string;
  readonly chapter: string;
  readonly points: number;
  readonly maxPoints: number;
  readonly reason: string;
  readonly by: string;
  readonly atMs: number;
}

/** How many verdicts that count ended in which status, sorted. */
export function statusCounts({ db }: Book): Record<string, number> {
  const rows = db
    .prepare(`select status, count(*) as n from verdict join submission using (key) where state = 'done' group by 1`)
    .all() as { status: string; n: number }[];
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}

const SELECT_ROWS = `select submission.name as name, file, submitted_ms, submitted_from, result
  from submission join verdict using (key)`;

interface StoredRow {
  readonly name: string;
  readonly file: string;
  readonly submitted_ms: number;
  readonly submitted_from: Row['submittedFrom'];
  readonly result: string;
}

/** Every verdict that counts, in the order of the names; a few in memory at a time. */
export function* rows(book: Book): Generator<Row> {
  for (const row of pages<StoredRow>(book, SELECT_ROWS)) yield toRow(row);
}

/** One of them. @throws BookError when there is none of that name */
export function rowOf({ db, file }: Book, name: string): Row {
  const [row] = db.prepare(`${SELECT_ROWS} where submission.name = ?`).all(name) as StoredRow[];
  if (row === undefined) throw new BookError(`there is no verdict for '${name}' in ${file}`);
  return toRow(row);
}

function toRow({ name, file, submitted_ms: submittedMs, submitted_from: submittedFrom, result }: StoredRow): Row {
  return { name, file, submittedMs, submittedFrom, result: resultSchema.parse(JSON.parse(result)) };
}

const PAGE = 50;

function* pages<T extends { readonly name: string }>({ db }: Book, select: string): Generator<T> {
  const query = db.prepare(`${select} where submission.name > ? order by submission.name limit ${PAGE}`);
  const first = db.prepare(`${select} order by submission.name limit ${PAGE}`);
  for (let page = first.all() as T[]; ; page = query.all(page.at(-1)!.name) as T[]) {
    yield* page;
    if (page.length < PAGE) return;
  }
}

/** Sets an exercise's points by hand; they stay, whatever is graded again. */
export function setOverride(book: Book, override: Omit<Override, 'atMs'>): void {
  const { student, exercise, chapter, points, maxPoints, reason, by } = override;
  const row = [student, exercise, chapter, points, maxPoints, reason, by, book.now()];
  commit(book, () => book.db.prepare('insert or replace into override values (?, ?, ?, ?, ?, ?, ?, ?)').run(...row));
}

/** @returns whether there was one */
export function removeOverride(book: Book, student: string, exercise: string): boolean {
  const sql = 'delete from override where student = ? and exercise = ?';
  return commit(book, () => book.db.prepare(sql).run(student, exercise).changes > 0);
}

export function overrides({ db }: Book): Override[] {
  const rows = db
    .prepare(
      `select student, exercise, chapter, points, max_points as maxPoints, reason, by, at_ms as atMs
       from override order by 1, 2`,
    )
    .all();
  return rows as Override[];
}
