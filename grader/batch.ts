/** Grades a folder of notebooks, however broken single ones are, and writes each result as it comes. */
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { toCsv } from './csv';
import { writeAtomically } from './files';
import { resultSchema, type SubmissionResult } from './result';
import type { Submission } from './submission';

export interface BatchOptions {
  readonly folder: string;
  readonly out: string;
  readonly jobs: number;
  readonly grade: (submission: Submission) => Promise<SubmissionResult>;
  readonly onResult?: (result: SubmissionResult, done: number, all: number) => void;
}

/** A fault of ours is tried again before it is written down. */
const ATTEMPTS = 3;

/**
 * @returns the results in the order of the submissions; in `out`, `grades.csv` and each one's `result.json`
 * @throws an Error when the folder has no notebooks
 */
export async function gradeFolder(options: BatchOptions): Promise<SubmissionResult[]> {
  const submissions = await findSubmissions(options.folder, options.out);
  if (submissions.length === 0) throw new Error(`no *.ipynb in ${options.folder}`);
  await mkdir(options.out, { recursive: true });
  const results: (SubmissionResult | undefined)[] = submissions.map(() => undefined);
  const record = serially(async (result: SubmissionResult, index: number) => {
    results[index] = result;
    const known = results.filter((entry) => entry !== undefined);
    await writeResult(options.out, result);
    await writeAtomically(join(options.out, 'grades.csv'), toGrades(known));
    options.onResult?.(result, known.length, submissions.length);
  });
  await inParallel(submissions, options.jobs, async (submission, index) => {
    await record(await withRetries(submission, options.grade), index);
  });
  return results as SubmissionResult[];
}

/** Every *.ipynb in the folder and below, sorted; also what only bears the name, since somebody handed it in. */
export async function findSubmissions(folder: string, out?: string): Promise<Submission[]> {
  const skipped = out === undefined ? undefined : resolve(out);
  const found: Submission[] = [];
  const visit = async (path: string, student: string): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      if (student === '') throw error;
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

async function withRetries(submission: Submission, grade: BatchOptions['grade']): Promise<SubmissionResult> {
  let result = await grade(submission);
  for (let attempt = 2; attempt <= ATTEMPTS && result.status === 'infra_error'; attempt++)
    result = await grade(submission);
  return result;
}

async function writeResult(out: string, result: SubmissionResult): Promise<void> {
  // a folder must not take the name of one of our files
  const folders = result.student
    .split('/')
    .map((name) => (/^(grades\.csv|result\.json)$/i.test(name) ? `${name}_` : name));
  await writeAtomically(
    join(out, ...folders, 'result.json'),
    `${JSON.stringify(resultSchema.parse(result), null, 2)}\n`,
  );
}

function toGrades(results: readonly SubmissionResult[]): string {
  const ids = [...new Set(results.flatMap(({ exercises }) => exercises.map(({ id }) => id)))];
  const header = ['student', 'chapter', 'status', 'points', 'max_points', 'percent', ...ids, 'remarks'];
  return toCsv(
    header,
    results.map((result) => toRow(result, ids)),
  );
}

function toRow(result: SubmissionResult, ids: readonly string[]): (string | number)[] {
  const { student, chapter, status, points, maxPoints, exercises, message } = result;
  // our fault is no mark: the fields stay empty
  const mark = (value: number) => (status === 'infra_error' ? '' : value);
  const percent = maxPoints === 0 ? 0 : Math.round((1000 * points) / maxPoints) / 10;
  const byId = ids.map((id) => exercises.find((exercise) => exercise.id === id)?.points ?? '');
  const remarks = exercises.filter((e) => e.status !== 'graded').map((e) => `${e.id}: ${e.status}`);
  const remark = remarks.length > 0 ? remarks.join('; ') : (message ?? '');
  return [student, chapter ?? '', status, mark(points), maxPoints, mark(percent), ...byId, remark];
}

/** Runs `work` over the items, at most `jobs` at a time. */
async function inParallel<T>(
  items: readonly T[],
  jobs: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      await work(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, worker));
}

/** One after the other, in the order of the calls. */
function serially<Args extends unknown[]>(work: (...args: Args) => Promise<void>): (...args: Args) => Promise<void> {
  let line = Promise.resolve();
  return (...args) => (line = line.then(() => work(...args)));
}
