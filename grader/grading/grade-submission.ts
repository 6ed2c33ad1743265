/** Grades one submitted notebook, from the file to the result. Whatever is wrong with it becomes a status. */
import { createHmac } from 'node:crypto';
import { brief } from '../exercise/checking';
import type { Limits } from '../sandbox/command-line';
import type { Compiler } from '../compile/service';
import type { Exercise } from '../exercise/exercise';
import { findChapter, type Chapter } from '../chapters/registry';
import { gradeExercises, noPoints, problemText, round } from './grade-exercises';
import { readSubmission, Unreadable, type Submitted } from '../compile/reader';
import type { ExerciseResult, SubmissionResult } from './result';
import { Fault, type Status } from '../exercise/status';
import type { Tier } from '../sandbox/tier';
import { version } from '../base/version';

export interface Submission {
  readonly student: string;
  readonly file: string;
}

export interface Setting {
  readonly chapters: readonly Chapter[];
  readonly compiler: Compiler;
  /** Stands for the secret of this run: whoever knows it can foresee the inputs. */
  readonly seed: string;
  /** The chapter of every submission, whatever its metadata say. */
  readonly chapter?: string;
  readonly limits?: Partial<Limits>;
  /** What shuts the submission in; the strongest that holds here, unless said. */
  readonly tier?: Tier;
}

/** Never rejects: a fault of ours is the status `infra_error`. */
export async function gradeSubmission(submission: Submission, setting: Setting): Promise<SubmissionResult> {
  const started = performance.now();
  const outcome = await attempt(submission, setting);
  const result = toResult(submission, outcome, setting.seed, performance.now() - started);
  return setting.tier ? { ...result, tier: setting.tier } : result;
}

/** The result of a submission that we failed to grade. */
export function infraResult(submission: Submission, seed: string, message: string): SubmissionResult {
  return toResult(submission, failed('infra_error', message), seed, 0);
}

function toResult(submission: Submission, outcome: Outcome, seed: string, durationMs: number): SubmissionResult {
  return {
    version: 1,
    ...submission,
    ...outcome,
    points: round(sum(outcome.exercises, 'points')),
    maxPoints: sum(outcome.exercises, 'maxPoints'),
    seed,
    grader: version,
    durationMs: Math.round(durationMs),
  };
}

function failed(status: Status, message: string): Outcome {
  return { chapter: null, status, message: brief(message, 1000), exercises: [], notes: [] };
}

type Outcome = Pick<SubmissionResult, 'chapter' | 'status' | 'message' | 'exercises' | 'notes'>;

async function attempt({ file }: Submission, setting: Setting): Promise<Outcome> {
  try {
    const submitted = await readSubmission(file);
    const chapter = chapterOf(submitted, setting);
    return await gradeNotebook(submitted, chapter.name, await chapter.exercises(), setting);
  } catch (error) {
    if (error instanceof Unreadable) return failed('unreadable', error.message);
    return failed('infra_error', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

/** @throws Unreadable that tells how to name the chapter */
function chapterOf({ chapter: inNotebook }: Submitted, { chapter = inNotebook, chapters }: Setting): Chapter {
  if (chapter === undefined)
    throw new Unreadable(
      'the notebook does not say which chapter it is (metadata.dgm.chapter); name it with --chapter',
    );
  try {
    return findChapter(chapter, chapters);
  } catch (error) {
    throw new Unreadable((error as Error).message);
  }
}

async function gradeNotebook(
  submitted: Submitted,
  chapter: string,
  exercises: readonly Exercise[],
  setting: Setting,
): Promise<Outcome> {
  try {
    const compilation = await setting.compiler.compile(
      submitted.cells,
      exercises.map((exercise) => exercise.functionName),
    );
    const results = await gradeExercises(exercises, compilation, {
      seedOf: ({ id }) => inputSeed(setting.seed, id),
      ...(setting.limits ? { limits: setting.limits } : {}),
      ...(setting.tier ? { tier: setting.tier } : {}),
    });
    const notes = bounded([...submitted.notes, ...compilation.notes.map(problemText)]);
    return { chapter, exercises: results, notes, ...overall(results) };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const results = exercises.map((exercise) => noPoints(exercise, error.status, error.message));
    return {
      chapter,
      exercises: results,
      notes: bounded(submitted.notes),
      status: error.status,
      message: error.message,
    };
  }
}

const MOST_NOTES = 20;

/** A notebook may give cause for as many as it has cells. */
function bounded(notes: readonly string[]): string[] {
  const more = notes.length > MOST_NOTES ? [`and ${notes.length - MOST_NOTES} notes more`] : [];
  return [...notes.slice(0, MOST_NOTES).map((note) => brief(note)), ...more];
}

/** Graded if any exercise was; otherwise what befell the first one, which as a rule befell all. */
function overall(results: readonly ExerciseResult[]): { status: Status; message?: string } {
  const ours = results.find(({ status }) => status === 'infra_error');
  const first = ours ?? (results.some(({ status }) => status === 'graded') ? undefined : results[0]);
  if (first === undefined) return { status: 'graded' };
  return { status: first.status, ...(first.message === undefined ? {} : { message: first.message }) };
}

/**
 * Other inputs for every grading and exercise, that nobody can foresee without the seed; the same for all who are graded
 * with it, so that the same answer earns the same marks.
 */
function inputSeed(seed: string, exercise: string): string {
  return createHmac('sha256', seed).update(exercise).digest('hex');
}

function sum(results: readonly ExerciseResult[], field: 'points' | 'maxPoints'): number {
  return results.reduce((total, result) => total + result[field], 0);
}
