/** Grades a folder of notebooks, however broken single ones are, and commits each verdict to the gradebook. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { writeAtomically } from 'dgm/host';
import { chapterOf, contentOf, GONE, submissionTime, type Timestamps } from './arrival';
import { BookError, closeBook, initSetting, openBook, readSetting, writeSetting, type Book } from './book';
import { findSubmissions, type PassedOver } from './folder';
import { claim, counts, enrol, holders, markOnDisk, notOnDisk, record, release, renew, reopen, withdraw } from './jobs';
import { rowOf, statusCounts } from './verdicts';
import { writeGrades } from './table';
import { brief } from '../exercise/checking';
import { resultSchema, type SubmissionResult } from '../grading/result';
import { infraResult, type Submission } from '../grading/grade-submission';

/** What grades one submission, and who wants to hear of it. */
export interface Work {
  readonly jobs: number;
  readonly grade: (submission: Submission, setting: BookSetting) => Promise<SubmissionResult>;
  readonly onResult?: (result: SubmissionResult, progress: Progress) => void;
}

/** What is the same for the whole book. */
interface BookSetting {
  /** Decides the inputs, with student and exercise. */
  readonly seed: string;
  /** The chapter of every submission, whatever its metadata say. */
  readonly chapter?: string;
}

export interface Progress {
  /** Verdicts in the book, and submissions. */
  readonly done: number;
  readonly all: number;
  /** How long the rest takes, if it goes on like this run so far. */
  readonly leftMs: number;
}

export interface BatchOptions extends Work {
  readonly folder: string;
  readonly out: string;
  /** A random one for a new book, unless it is given. */
  readonly seed?: string;
  readonly chapter?: string;
  /** Hash of what judges a chapter's submissions. */
  readonly bundleOf: (chapter: string | undefined) => Promise<string>;
  /** Goes on with the book that is in `out`. */
  readonly resume?: boolean;
  /** When each submission was handed in; else the file's time says so. */
  readonly timestamps?: Timestamps;
}

export interface BatchReport {
  readonly seed: string;
  readonly all: number;
  /** Verdicts by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Other graders that are at work on the same book. */
  readonly others: readonly string[];
  /** What lies in the folder and is no submission, though somebody may take it for one. */
  readonly passedOver: readonly PassedOver[];
  /** Submissions that went away before they were judged, and are in the book no longer. */
  readonly withdrawn: readonly string[];
  /** Verdicts that are in the book alone, since their `result.json` cannot be written. */
  readonly unwritten: readonly PassedOver[];
}

/** A fault of ours is tried again before it is written down. */
const ATTEMPTS = 3;
const RENEWAL_MS = 20_000;

/** The gradebook in the folder of a grading. */
export function bookFile(out: string): string {
  return join(out, 'gradebook.sqlite');
}

/**
 * In `out`: the gradebook, `grades.csv` and each submission's `result.json`.
 * @throws an Error when the folder has no notebooks, or the book holds verdicts and `resume` is not set
 */
export async function gradeFolder(options: BatchOptions): Promise<BatchReport> {
  const { submissions, passedOver } = await findSubmissions(options.folder, options.out);
  if (submissions.length === 0) throw new Error(`no *.ipynb in ${options.folder}${listed(passedOver)}`);
  const book = await startBook(options);
  try {
    const { seed } = settingOf(book);
    for (const submission of submissions) await arrive(book, submission, seed, options);
    const withdrawn = withdraw(book, new Set(submissions.map(({ student }) => student)));
    return { ...(await gradeWaiting(book, options.out, options)), passedOver, withdrawn };
  } finally {
    closeBook(book);
  }
}

function listed(passedOver: readonly PassedOver[]): string {
  return passedOver.map(({ name, why }) => `; ${brief(name)}: ${why}`).join('');
}

/** The book of `out`: a new one, or that of the same folder and seed. */
async function startBook(options: BatchOptions): Promise<Book> {
  const { out, chapter } = options;
  await mkdir(out, { recursive: true }).catch((error: unknown) => {
    throw new Error(`the folder ${out} cannot be made (${(error as Error).message}); name another with --out`);
  });
  const book = openBook(bookFile(out), { create: true });
  try {
    refuseOther(book, options);
    writeSetting(book, 'folder', resolve(options.folder));
    if (options.seed !== undefined) writeSetting(book, 'seed', options.seed);
    initSetting(book, 'seed', randomBytes(8).toString('hex'));
    if (chapter !== undefined) writeSetting(book, 'chapter', chapter);
    return book;
  } catch (error) {
    closeBook(book);
    throw error;
  }
}

/** @throws an Error when going on with this book would mix two gradings */
function refuseOther(book: Book, { folder, seed, resume = false }: BatchOptions): void {
  const { done } = counts(book);
  const [folderBefore, seedBefore] = [readSetting(book, 'folder'), readSetting(book, 'seed')];
  const elsewhere = 'or name another folder with --out';
  const isMoved = resume && folderBefore !== undefined && !existsSync(folderBefore as string);
  if (done > 0 && !resume)
    throw new Error(`${book.file} already holds ${done} verdicts; add --resume to go on with it, ${elsewhere}`);
  if (folderBefore !== undefined && folderBefore !== resolve(folder) && !isMoved)
    throw new Error(`${book.file} is the book of ${String(folderBefore)}; grade that, ${elsewhere}`);
  if (done > 0 && seed !== undefined && seed !== seedBefore)
    throw new Error(`${book.file} has the seed ${String(seedBefore)}; leave --seed out, ${elsewhere}`);
}

function settingOf(book: Book): BookSetting {
  const chapter = readSetting(book, 'chapter') as string | undefined;
  return { seed: readSetting(book, 'seed') as string, ...(chapter === undefined ? {} : { chapter }) };
}

/** Enters a submission as it is now, if it still is. */
async function arrive(book: Book, { student, file }: Submission, seed: string, options: BatchOptions): Promise<void> {
  const bundle = await options.bundleOf(settingOf(book).chapter ?? (await chapterOf(file)));
  const [time, content] = [await submissionTime(student, file, options.timestamps), await contentOf(file)];
  if (time !== undefined && content !== GONE) enrol(book, { name: student, file, content, bundle, ...time }, seed);
}

/** Judges whatever waits in the book, then writes the table. */
async function gradeWaiting(book: Book, out: string, work: Work): Promise<Judged> {
  const unwritten: PassedOver[] = [];
  // a grader that was killed may have committed what it could not write
  for (const { key, result } of notOnDisk(book)) await putOnDisk(book, out, { key, result }, unwritten);
  const heartbeat = setInterval(() => tryRenew(book), RENEWAL_MS);
  const setting = settingOf(book);
  const shift: Shift = {
    book,
    out,
    unwritten,
    grade: (submission) => withRetries(submission, () => work.grade(submission, setting)),
    tell: progress(book, work),
    isOver: false,
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, work.jobs) }, () => drain(shift)));
  } finally {
    // what the others have in hand comes too late
    shift.isOver = true;
    clearInterval(heartbeat);
    release(book);
  }
  await writeGrades(book, join(out, 'grades.csv'));
  const [statuses, others] = [statusCounts(book), holders(book)];
  return { seed: setting.seed, all: counts(book).all, statuses, others, unwritten };
}

type Judged = Omit<BatchReport, 'passedOver' | 'withdrawn'>;

/** A book that is locked for so long is told of by the next verdict; the lease outlasts two failures. */
function tryRenew(book: Book): void {
  try {
    renew(book);
  } catch (error) {
    console.error(`grade: ${(error as Error).message}`);
  }
}

/** What those share who work on a book at the same time. */
interface Shift {
  readonly book: Book;
  readonly out: string;
  readonly unwritten: PassedOver[];
  readonly grade: (submission: Submission) => Promise<SubmissionResult>;
  readonly tell: (result: SubmissionResult) => void;
  /** Set when one of them failed: nothing is written any more. */
  isOver: boolean;
}

/** One job after the other until none waits. */
async function drain(shift: Shift): Promise<void> {
  const { book, out, grade, tell, unwritten } = shift;
  for (let job = claim(book); job !== undefined; job = claim(book)) {
    const submission = { student: job.name, file: job.file };
    const result = await grade(submission);
    const content = await contentOf(job.file);
    if (shift.isOver) return;
    // what changed meanwhile was not judged as the book has it
    const verdict = content === job.content ? result : infraResult(submission, result.seed, whatBefell(content));
    if (record(book, job, verdict)) {
      await putOnDisk(book, out, { key: job.key, result: verdict }, unwritten);
      tell(verdict);
    }
    if (shift.isOver) return;
  }
}

function whatBefell(content: string): string {
  const what = content === GONE ? 'went away' : 'changed';
  return `the file ${what} while it was graded; go on with --resume`;
}

function progress(book: Book, { onResult }: Work): (result: SubmissionResult) => void {
  const { all, done: before } = counts(book);
  const started = performance.now();
  let mine = 0;
  return (result) => {
    mine++;
    const done = before + mine;
    onResult?.(result, { done, all, leftMs: ((performance.now() - started) / mine) * (all - done) });
  };
}

/**
 * Opens submissions for another round, as they are and with what judges them now, and grades them.
 * @throws an Error when one of them is not where it was: that is no reason for another mark
 */
export async function regrade(
  out: string,
  wanted: readonly string[],
  work: Work & Pick<BatchOptions, 'bundleOf'>,
): Promise<BatchReport> {
  const book = openBook(bookFile(out));
  try {
    const { seed, chapter } = settingOf(book);
    const found = [];
    for (const name of wanted)
      found.push({ name, file: fileOf(book, name), content: await contentOf(fileOf(book, name)) });
    refuseGone(found, out);
    for (const each of found) {
      const bundle = await work.bundleOf(chapter ?? (await chapterOf(each.file)));
      reopen(book, { ...each, bundle }, seed);
    }
    return { ...(await gradeWaiting(book, out, work)), passedOver: [], withdrawn: [] };
  } finally {
    closeBook(book);
  }
}

/** Older books have paths that begin where the grader was started. */
function fileOf(book: Book, name: string): string {
  const { file } = rowOf(book, name);
  const isWhole = isAbsolute(file) || file.startsWith('file://');
  return isWhole ? file : join(String(readSetting(book, 'folder')), `${name}.ipynb`);
}

function refuseGone(found: readonly { readonly file: string; readonly content: string }[], out: string): void {
  const gone = found.filter(({ content }) => content === GONE);
  if (gone.length === 0) return;
  throw new BookError(
    `${gone.length} of these ${found.length} submissions are not where they were, the first of them ${gone[0]!.file}; ` +
      `put them back, or say where their folder is now: npx grade grade FOLDER --out ${out} --resume`,
  );
}

async function withRetries(
  submission: Submission,
  grade: (submission: Submission) => Promise<SubmissionResult>,
): Promise<SubmissionResult> {
  let result = await grade(submission);
  for (let attempt = 2; attempt <= ATTEMPTS && result.status === 'infra_error'; attempt++)
    result = await grade(submission);
  return result;
}

/** A file that cannot be written is told of, and costs nobody anything: the verdict is in the book. */
async function putOnDisk(
  book: Book,
  out: string,
  { key, result }: { readonly key: string; readonly result: SubmissionResult },
  unwritten: PassedOver[],
): Promise<void> {
  // parsed, so that the file is the same whether it comes from the judge or from the book
  const text = `${JSON.stringify(resultSchema.parse(result), null, 2)}\n`;
  try {
    await writeAtomically(join(out, folderOf(result.student), 'result.json'), text);
  } catch (error) {
    unwritten.push({ name: result.student, why: (error as NodeJS.ErrnoException).code ?? String(error) });
    return;
  }
  markOnDisk(book, key);
}

/** Where a student's files go. A folder must not take the name of one of our files, nor lead elsewhere. */
export function folderOf(student: string): string {
  const ours = /^(grades\.csv|result\.json|gradebook\.sqlite(-wal|-shm)?|\.{0,2})$/i;
  return join(...student.split('/').map((name) => (ours.test(name) ? `${name}_` : name)));
}
