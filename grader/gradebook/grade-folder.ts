/** Grades a folder of notebooks, however broken single ones are, and commits each verdict to the gradebook. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeAtomically } from 'dgm/host';
import { chapterOf, contentOf, submissionTime, type Timestamps } from './arrival';
import { closeBook, initSetting, openBook, readSetting, writeSetting, type Book } from './book';
import { claim, counts, enrol, holders, markOnDisk, notOnDisk, record, release, renew, reopen } from './jobs';
import { rowOf, statusCounts } from './verdicts';
import { writeGrades } from './table';
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
  const submissions = await findSubmissions(options.folder, options.out);
  if (submissions.length === 0) throw new Error(`no *.ipynb in ${options.folder}`);
  const book = await startBook(options);
  try {
    const { seed } = settingOf(book);
    for (const submission of submissions) await arrive(book, submission, seed, options);
    return await gradeWaiting(book, options.out, options);
  } finally {
    closeBook(book);
  }
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
  if (done > 0 && !resume)
    throw new Error(`${book.file} already holds ${done} verdicts; add --resume to go on with it, ${elsewhere}`);
  if (folderBefore !== undefined && folderBefore !== resolve(folder))
    throw new Error(`${book.file} is the book of ${String(folderBefore)}; grade that, ${elsewhere}`);
  if (done > 0 && seed !== undefined && seed !== seedBefore)
    throw new Error(`${book.file} has the seed ${String(seedBefore)}; leave --seed out, ${elsewhere}`);
}

function settingOf(book: Book): BookSetting {
  const chapter = readSetting(book, 'chapter') as string | undefined;
  return { seed: readSetting(book, 'seed') as string, ...(chapter === undefined ? {} : { chapter }) };
}

/** Enters a submission as it is now. */
async function arrive(book: Book, { student, file }: Submission, seed: string, options: BatchOptions): Promise<void> {
  const bundle = await options.bundleOf(settingOf(book).chapter ?? (await chapterOf(file)));
  const time = await submissionTime(student, file, options.timestamps);
  enrol(book, { name: student, file, content: await contentOf(file), bundle, ...time }, seed);
}

/** Judges whatever waits in the book, then writes the table. */
async function gradeWaiting(book: Book, out: string, work: Work): Promise<BatchReport> {
  // a grader that was killed may have committed what it could not write
  for (const { key, result } of notOnDisk(book)) await putOnDisk(book, out, key, result);
  const tell = progress(book, work);
  const heartbeat = setInterval(() => tryRenew(book), RENEWAL_MS);
  const setting = settingOf(book);
  const grade = (submission: Submission) => withRetries(submission, () => work.grade(submission, setting));
  try {
    await Promise.all(Array.from({ length: Math.max(1, work.jobs) }, () => drain(book, out, grade, tell)));
  } finally {
    clearInterval(heartbeat);
    release(book);
  }
  await writeGrades(book, join(out, 'grades.csv'));
  return { seed: setting.seed, all: counts(book).all, statuses: statusCounts(book), others: holders(book) };
}

/** A book that is locked for so long is told of by the next verdict; the lease outlasts two failures. */
function tryRenew(book: Book): void {
  try {
    renew(book);
  } catch (error) {
    console.error(`grade: ${(error as Error).message}`);
  }
}

/** One job after the other until none waits. */
async function drain(
  book: Book,
  out: string,
  grade: (submission: Submission) => Promise<SubmissionResult>,
  tell: (result: SubmissionResult) => void,
): Promise<void> {
  for (let job = claim(book); job !== undefined; job = claim(book)) {
    const submission = { student: job.name, file: job.file };
    const result = await grade(submission);
    // what changed meanwhile was not judged as the book has it
    const changed = (await contentOf(job.file)) !== job.content;
    const verdict = changed ? infraResult(submission, result.seed, CHANGED) : result;
    if (!record(book, job, verdict)) continue;
    await putOnDisk(book, out, job.key, verdict);
    tell(verdict);
  }
}

const CHANGED = 'the file changed while it was graded; go on with --resume';

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

/** Opens submissions for another round, as they are and with what judges them now, and grades them. */
export async function regrade(
  out: string,
  wanted: readonly string[],
  work: Work & Pick<BatchOptions, 'bundleOf'>,
): Promise<BatchReport> {
  const book = openBook(bookFile(out));
  try {
    const { seed, chapter } = settingOf(book);
    for (const name of wanted) {
      const { file } = rowOf(book, name);
      const bundle = await work.bundleOf(chapter ?? (await chapterOf(file)));
      reopen(book, name, { content: await contentOf(file), bundle }, seed);
    }
    return await gradeWaiting(book, out, work);
  } finally {
    closeBook(book);
  }
}

/** Every *.ipynb in the folder and below, sorted; also what only bears the name, since somebody handed it in. */
export async function findSubmissions(folder: string, out?: string): Promise<Submission[]> {
  const skipped = out === undefined ? undefined : resolve(out);
  const found: Submission[] = [];
  const visit = async (path: string, student: string): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      if (student === '') throw new Error(`the folder ${path} cannot be read: ${(error as Error).message}`);
      found.push({ student, file: path });
      return [];
    });
    for (const entry of entries) {
      const file = join(path, entry.name);
      const name = student === '' ? entry.name : `${student}/${entry.name}`;
      if (entry.name.endsWith('.ipynb')) found.push({ student: name.slice(0, -'.ipynb'.length), file });
      else if (entry.isDirectory() && entry.name !== '.ipynb_checkpoints' && resolve(file) !== skipped)
        await visit(file, name);
    }
  };
  await visit(folder, '');
  return found.sort((a, b) => (a.student < b.student ? -1 : 1));
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

async function putOnDisk(book: Book, out: string, key: string, result: SubmissionResult): Promise<void> {
  // parsed, so that the file is the same whether it comes from the judge or from the book
  const text = `${JSON.stringify(resultSchema.parse(result), null, 2)}\n`;
  await writeAtomically(join(out, folderOf(result.student), 'result.json'), text);
  markOnDisk(book, key);
}

/** Where a student's files go. A folder must not take the name of one of our files, nor lead elsewhere. */
export function folderOf(student: string): string {
  const ours = /^(grades\.csv|result\.json|gradebook\.sqlite(-wal|-shm)?|\.{0,2})$/i;
  return join(...student.split('/').map((name) => (ours.test(name) ? `${name}_` : name)));
}
