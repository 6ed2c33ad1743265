/**
 * The gradebook: one SQLite file that survives a crash at any moment. What is committed is flushed to the disk through
 * a write-ahead log. Here it is opened; `jobs.ts` is what graders do with it, `verdicts.ts` what they found.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type Libsql from 'libsql';

export interface Book {
  readonly db: Libsql.Database;
  readonly file: string;
  /** Who holds the leases taken through this book: host, process, and a random part. */
  readonly owner: string;
  readonly now: () => number;
}

/** Something is wrong with the book itself, and not with what is in it. */
export class BookError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BookError';
  }
}

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
  transaction(db, () => migrate(db, file));
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
    if (code === 'SQLITE_FULL' || message.includes('disk is full'))
      throw new BookError(`the disk of the gradebook ${file} is full; make room and go on with --resume`);
    if (code.startsWith('SQLITE_IOERR'))
      throw new BookError(`the disk of the gradebook ${file} fails (${message}); mend it and go on with --resume`);
    throw error;
  }
}

/** All of it or nothing, and against other writers one after the other. */
export function commit<T>({ db, file }: Book, act: () => T): T {
  return guarded(file, () => transaction(db, act));
}

/**
 * Not libsql's own: a full disk has rolled back already, and a second rollback would throw another error in place of
 * the one that says so.
 */
function transaction<T>(db: Libsql.Database, act: () => T): T {
  db.exec('begin immediate');
  try {
    const result = act();
    db.exec('commit');
    return result;
  } catch (error) {
    if (db.inTransaction) db.exec('rollback');
    throw error;
  }
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

export function writeSetting(book: Book, key: string, value: unknown): void {
  const text = JSON.stringify(value);
  commit(book, () => book.db.prepare('insert or replace into setting values (?, ?)').run(key, text));
}

/** Stores a setting unless there is one: of several graders that start together, one decides. */
export function initSetting(book: Book, key: string, value: unknown): void {
  const text = JSON.stringify(value);
  commit(book, () => book.db.prepare('insert or ignore into setting values (?, ?)').run(key, text));
}
