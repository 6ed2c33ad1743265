/**
 * The gradebook: one SQLite file that knows every submission, every verdict and every override, and that survives a
 * crash at any moment. Each verdict is committed as it comes (write-ahead log, flushed to the disk).
 *
 * A job is judged at least once and counts once: its key is a hash of all that decides the verdict, a second verdict
 * of the same key is dropped, and a grader that takes a job holds it by a lease which lapses when the grader dies.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type Libsql from 'libsql';
import { resultSchema, type SubmissionResult } from '../result';

export interface Book {
  readonly db: Libsql.Database;
  readonly file: string;
  /** Who holds the leases taken through this book: host, process, and a random part. */
  readonly owner: string;
  readonly now: () => number;
}

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

/** A submission and what was made of it. */
export interface Row {
  readonly name: string;
  readonly file: string;
  readonly submittedMs: number;
  readonly submittedFrom: Entry['submittedFrom'];
  readonly result: SubmissionResult;
}

export interface Counts {
  readonly all: number;
  readonly done: number;
  /** In the hands of a grader now. */
  readonly taken: number;
  readonly waiting: number;
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

/** Something is wrong with the book itself, and not with what is in it. */
export class BookError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BookError';
  }
}

/** Long enough for a grader that is busy, short enough to wait for one that died on another machine. */
const LEASE_MS = 60_000;

/** "dgmb", which tells the file from another program's. */
const APPLICATION_ID = 0x64676d62;
const VERSION = 1;

const SCHEMA = `
  create table setting (key text primary key, value text not null) strict;
  create table submission (
    name text primary key,
    file text not null,
    content text not null,
    bundle text not null,
    round integer not null default 0,
    key text not null,
    state text not null default 'waiting' check (state in ('waiting', 'taken', 'done')),
    taken_by text,
    lease_ms real,
    submitted_ms real not null,
    submitted_from text not null check (submitted_from in ('timestamps', 'mtime'))
  ) strict;
  create index by_state on submission (state, name);
  create table verdict (
    key text primary key,
    name text not null,
    status text not null,
    graded_ms real not null,
    on_disk integer not null default 0,
    result text not null
  ) strict;
  create index not_on_disk on verdict (on_disk) where on_disk = 0;
  create table override (
    student text not null,
    exercise text not null,
    chapter text not null,
    points real not null,
    max_points real not null,
    reason text not null,
    by text not null,
    at_ms real not null,
    primary key (student, exercise)
  ) strict;
  pragma application_id = ${APPLICATION_ID};
  pragma user_version = ${VERSION};
`;

export interface OpenOptions {
  /** Makes the book when there is none. */
  readonly create?: boolean;
  readonly now?: () => number;
}

/** @throws BookError when there is no book, or it cannot be opened, is damaged, or is not ours */
export function openBook(file: string, { create = false, now = Date.now }: OpenOptions = {}): Book {
  const fresh = !existsSync(file);
  if (fresh && !create)
    throw new BookError(`there is no gradebook ${file}; \`grade grade\` makes one, and --book names its folder`);
  const owner = `${hostname()} ${process.pid} ${randomBytes(4).toString('hex')}`;
  return guarded(file, () => {
    const db = new (loadLibsql())(file);
    try {
      prepare(db, file);
    } catch (error) {
      db.close();
      throw error;
    }
    return { db, file, owner, now };
  });
}

/** Puts the log back into the file, so that the file alone can be copied. */
export function closeBook({ db }: Book): void {
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
}

function prepare(db: Libsql.Database, file: string): void {
  db.pragma('busy_timeout = 10000');
  const [found] = db.pragma('application_id') as { application_id: number }[];
  const [empty] = db.prepare('select count(*) = 0 as yes from sqlite_schema').all() as { yes: number }[];
  if (!empty!.yes && found!.application_id !== APPLICATION_ID)
    throw new BookError(`${file} is the database of another program; name another folder with --out`);
  const [check] = db.pragma('quick_check(1)') as { quick_check: string }[];
  if (check!.quick_check !== 'ok') throw damaged(file, check!.quick_check);
  // only now, since it writes
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.transaction(() => migrate(db, file)).immediate();
}

function migrate(db: Libsql.Database, file: string): void {
  const [{ user_version: version }] = db.pragma('user_version') as [{ user_version: number }];
  if (version > VERSION)
    throw new BookError(`${file} was written by a newer grader (book version ${version}); update the workbook`);
  if (version === 0) db.exec(SCHEMA);
}

function damaged(file: string, what: string): BookError {
  return new BookError(
    `the gradebook ${file} is damaged (${what}); move it away, or put a backup in its place, and grade again: ` +
      'the verdicts so far are also in <student>/result.json',
  );
}

/** A database's error, told with the file and the remedy. */
function guarded<T>(file: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code = '', message } = error as Error & { code?: string };
    if (/NOTADB|CORRUPT/.test(code)) throw damaged(file, message);
    if (/READONLY|CANTOPEN|PERM/.test(code) || message.includes('Unable to open'))
      throw new BookError(`the gradebook ${file} cannot be written; is its folder writable? (${message})`);
    if (code.startsWith('SQLITE_BUSY'))
      throw new BookError(`the gradebook ${file} is locked by another program; close that and try again`);
    if (code === 'SQLITE_FULL') throw new BookError(`the disk of the gradebook ${file} is full; make room and resume`);
    throw error;
  }
}

/** All of it or nothing, and against other writers one after the other. */
function commit<T>({ db, file }: Book, act: () => T): T {
  return guarded(file, () => db.transaction(act).immediate() as T);
}

/** Loaded when first needed: its binary is an optional package, and only the gradebook wants it. */
function loadLibsql(): typeof Libsql {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- at the first use, see above
    return require('libsql') as typeof Libsql;
  } catch (error) {
    throw new BookError(
      `the gradebook needs libsql, whose binary for ${process.platform}-${process.arch} is not installed; ` +
        `run npm ci without --omit=optional (${(error as Error).message.split('\n')[0]})`,
    );
  }
}

/** A setting that was stored as JSON, or `undefined`. */
export function readSetting({ db }: Book, key: string): unknown {
  const [row] = db.prepare('select value from setting where key = ?').all(key) as { value: string }[];
  return row === undefined ? undefined : JSON.parse(row.value);
}

export function writeSetting({ db }: Book, key: string, value: unknown): void {
  db.prepare('insert or replace into setting values (?, ?)').run(key, JSON.stringify(value));
}

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
export function reopen(book: Book, name: string, now: Pick<Entry, 'content' | 'bundle'>, seed: string): void {
  commit(book, () => {
    const round = (findSubmission(book, name)?.round ?? 0) + 1;
    book.db
      .prepare(
        `update submission set round = ?, content = ?, bundle = ?, key = ?, state = 'waiting', taken_by = null
         where name = ?`,
      )
      .run(round, now.content, now.bundle, keyOf({ name, ...now }, seed, round), name);
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
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Prolongs this grader's leases; call it more often than once a minute. */
export function renew({ db, owner, now }: Book): void {
  db.prepare(`update submission set lease_ms = ? where taken_by = ?`).run(now() + LEASE_MS, owner);
}

/** Gives back what this grader holds and will not judge any more. */
export function release({ db, owner }: Book): void {
  db.prepare(`update submission set state = 'waiting', taken_by = null where taken_by = ?`).run(owner);
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
export function markOnDisk({ db }: Book, key: string): void {
  db.prepare('update verdict set on_disk = 1 where key = ?').run(key);
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

/** How many verdicts that count ended in which status, sorted. */
export function statusCounts({ db }: Book): Record<string, number> {
  const rows = db
    .prepare(`select status, count(*) as n from verdict join submission using (key) where state = 'done' group by 1`)
    .all() as { status: string; n: number }[];
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}

/** Who holds jobs now. */
export function holders({ db }: Book): string[] {
  const rows = db.prepare(`select distinct taken_by as owner from submission where state = 'taken'`).all();
  return (rows as { owner: string }[]).map(({ owner }) => owner);
}

/** Names of all submissions, in order. */
export function* names(book: Book): Generator<string> {
  for (const { name } of pages<{ name: string }>(book, 'select name from submission')) yield name;
}

const SELECT_ROWS = `select submission.name as name, file, submitted_ms, submitted_from, result
  from submission join verdict using (key)`;

type StoredRow = SubmissionRow & { readonly result: string };

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
  for (let after = ''; ;) {
    const page = query.all(after) as T[];
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.name;
  }
}

/** Sets an exercise's points by hand; they stay, whatever is graded again. */
export function setOverride({ db, now }: Book, override: Omit<Override, 'atMs'>): void {
  const { student, exercise, chapter, points, maxPoints, reason, by } = override;
  db.prepare('insert or replace into override values (?, ?, ?, ?, ?, ?, ?, ?)').run(
    ...[student, exercise, chapter, points, maxPoints, reason, by, now()],
  );
}

/** @returns whether there was one */
export function removeOverride({ db }: Book, student: string, exercise: string): boolean {
  return db.prepare('delete from override where student = ? and exercise = ?').run(student, exercise).changes > 0;
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
