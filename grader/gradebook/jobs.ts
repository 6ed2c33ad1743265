/**
 * The jobs of a gradebook. Each is judged at least once and counts once: its key is a hash of all that decides the
 * verdict, a second verdict of the same key is dropped, and a grader that takes a job holds it by a lease, which lapses
 * when the grader dies.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { isRunning } from 'dgm/host';
import { resultSchema, type SubmissionResult } from '../grading/result';
import { commit, type Book } from './book';

/** A submission as it was found in the folder. */
export interface Entry {
  /** Its path within the folder, without extension; what `result.json` calls the student. */
  readonly name: string;
  readonly file: string;
  /** sha256 of the file. */
  readonly content: string;
  /** Hash of what judges it. */
  readonly bundle: string;
  readonly submittedMs: number;
  /** Where that time comes from. */
  readonly submittedFrom: 'timestamps' | 'mtime';
}

export interface Job {
  readonly name: string;
  readonly file: string;
  readonly content: string;
  readonly key: string;
}

export interface Counts {
  readonly all: number;
  readonly done: number;
  /** In the hands of a grader now. */
  readonly taken: number;
  readonly waiting: number;
}

/** Long enough for a grader that is busy, short enough to wait for one that died on another machine. */
const LEASE_MS = 60_000;

/** The hash of all that decides a verdict. A round is a regrading that somebody asked for. */
function keyOf(
  { name, content, bundle }: Pick<Entry, 'name' | 'content' | 'bundle'>,
  seed: string,
  round: number,
): string {
  return createHash('sha256')
    .update(JSON.stringify([name, content, bundle, seed, round]))
    .digest('hex');
}

/**
 * Adds a submission, or brings it up to date. What was judged as it is now stays judged; what changed, or what judges
 * it, or ended in `infra_error`, waits again.
 */
export function enrol(book: Book, entry: Entry, seed: string): void {
  commit(book, () => upsert(book, entry, seed));
}

function upsert(book: Book, entry: Entry, seed: string): void {
  const { name, file, content, bundle, submittedMs } = entry;
  const before = findSubmission(book, name);
  const key = keyOf(entry, seed, before?.round ?? 0);
  const kept = before?.content === content && before.submitted_from === 'timestamps' && entry.submittedFrom === 'mtime';
  const time = kept ? [before.submitted_ms, before.submitted_from] : [submittedMs, entry.submittedFrom];
  book.db
    .prepare(
      `insert into submission (name, file, content, bundle, key, submitted_ms, submitted_from) values (?, ?, ?, ?, ?, ?, ?)
       on conflict (name) do update set file = excluded.file, content = excluded.content, bundle = excluded.bundle,
         submitted_ms = excluded.submitted_ms, submitted_from = excluded.submitted_from`,
    )
    .run(name, file, content, bundle, key, ...time);
  if (before?.key === key && before.state === 'taken') return;
  const [verdict] = book.db.prepare('select status from verdict where key = ?').all(key) as { status: string }[];
  const state = verdict !== undefined && verdict.status !== 'infra_error' ? 'done' : 'waiting';
  book.db.prepare('update submission set key = ?, state = ?, taken_by = null where name = ?').run(key, state, name);
}

/** As it is stored. */
interface SubmissionRow {
  readonly name: string;
  readonly file: string;
  readonly content: string;
  readonly bundle: string;
  readonly round: number;
  readonly key: string;
  readonly state: string;
  readonly taken_by: string | null;
  readonly submitted_ms: number;
  readonly submitted_from: Entry['submittedFrom'];
}

function findSubmission({ db }: Book, name: string): SubmissionRow | undefined {
  return (db.prepare('select * from submission where name = ?').all(name) as SubmissionRow[])[0];
}

/** Opens a submission for another round; its verdict so far stays in the file, but counts no longer. */
export function reopen(book: Book, now: Pick<Entry, 'name' | 'file' | 'content' | 'bundle'>, seed: string): void {
  const { name, file, content, bundle } = now;
  commit(book, () => {
    const round = (findSubmission(book, name)?.round ?? 0) + 1;
    book.db
      .prepare(
        `update submission set round = ?, file = ?, content = ?, bundle = ?, key = ?, state = 'waiting', taken_by = null
         where name = ?`,
      )
      .run(round, file, content, bundle, keyOf(now, seed, round), name);
  });
}

/**
 * Takes the submissions out of the book that are no longer in the folder and were not judged: nothing could judge
 * them. Those that were judged stay.
 * @returns their names
 */
export function withdraw(book: Book, present: ReadonlySet<string>): string[] {
  const open = `select name from submission left join verdict using (name, key)
    where state != 'taken' and (status is null or status = 'infra_error') order by name`;
  return commit(book, () => {
    const names = (book.db.prepare(open).all() as { name: string }[]).map(({ name }) => name);
    const gone = names.filter((name) => !present.has(name));
    for (const name of gone) book.db.prepare('delete from submission where name = ?').run(name);
    return gone;
  });
}

/** Takes the next job that waits, and holds it for a minute; `renew` prolongs that. */
export function claim(book: Book): Job | undefined {
  const { db, owner, now } = book;
  const next = `select name from submission where state = 'waiting' order by name limit 1`;
  return commit(book, () => {
    releaseLapsed(book);
    const rows = db
      .prepare(
        `update submission set state = 'taken', taken_by = ?, lease_ms = ? where name = (${next})
         returning name, file, content, key`,
      )
      .all(owner, now() + LEASE_MS) as Job[];
    return rows[0];
  });
}

/** What a grader held that is gone waits again: at once if it ran on this machine, else when its lease is over. */
function releaseLapsed({ db, now }: Book): void {
  const holders = db.prepare(
    `select taken_by, max(lease_ms) as lease_ms from submission where state = 'taken' group by 1`,
  );
  for (const { taken_by: holder, lease_ms: until } of holders.all() as { taken_by: string; lease_ms: number }[])
    if (until < now() || isDead(holder))
      db.prepare(`update submission set state = 'waiting', taken_by = null where taken_by = ?`).run(holder);
}

function isDead(owner: string): boolean {
  const [host, pid] = owner.split(' ');
  return host === hostname() && !isRunning(Number(pid));
}

/** Prolongs this grader's leases; call it more often than once a minute. */
export function renew(book: Book): void {
  const { db, owner, now } = book;
  commit(book, () => db.prepare(`update submission set lease_ms = ? where taken_by = ?`).run(now() + LEASE_MS, owner));
}

/** Gives back what this grader holds and will not judge any more. */
export function release(book: Book): void {
  const { db, owner } = book;
  commit(book, () =>
    db.prepare(`update submission set state = 'waiting', taken_by = null where taken_by = ?`).run(owner),
  );
}

/** Writes a verdict down for good. @returns whether it counts; not when the same job was judged before */
export function record(book: Book, job: Job, result: SubmissionResult): boolean {
  const { db, now } = book;
  return commit(book, () => {
    const { changes } = db
      .prepare(
        `insert into verdict (key, name, status, graded_ms, result) values (?, ?, ?, ?, ?)
         on conflict (key) do update set status = excluded.status, graded_ms = excluded.graded_ms, on_disk = 0,
           result = excluded.result where verdict.status = 'infra_error'`,
      )
      .run(job.key, job.name, result.status, now(), JSON.stringify(resultSchema.parse(result)));
    db.prepare(`update submission set state = 'done', taken_by = null where name = ? and key = ?`).run(
      job.name,
      job.key,
    );
    return changes > 0;
  });
}

/** Notes that a verdict's `result.json` is written. */
export function markOnDisk(book: Book, key: string): void {
  commit(book, () => book.db.prepare('update verdict set on_disk = 1 where key = ?').run(key));
}

/** The verdicts that count and whose `result.json` was not written before the grader ended. */
export function notOnDisk({ db }: Book): { key: string; result: SubmissionResult }[] {
  const rows = db
    .prepare(`select key, verdict.result from verdict join submission using (key) where on_disk = 0`)
    .all() as { key: string; result: string }[];
  return rows.map(({ key, result }) => ({ key, result: resultSchema.parse(JSON.parse(result)) }));
}

export function counts({ db }: Book): Counts {
  const rows = db.prepare('select state, count(*) as n from submission group by 1').all() as {
    state: string;
    n: number;
  }[];
  const of = (state: string) => rows.find((row) => row.state === state)?.n ?? 0;
  const [done, taken, waiting] = [of('done'), of('taken'), of('waiting')];
  return { all: done + taken + waiting, done, taken, waiting };
}

/** Who holds jobs now. */
export function holders({ db }: Book): string[] {
  const rows = db.prepare(`select distinct taken_by as owner from submission where state = 'taken'`).all();
  return (rows as { owner: string }[]).map(({ owner }) => owner);
}
