/**
 * Grades: one a student and chapter. Of the attempts the policy names the one that counts; overrides replace points
 * of exercises; what lateness costs comes off the sum. Verdicts stay as they are, so that the policy can change.
 */
import { round } from '../grading/grade-exercises';
import type { ExerciseResult } from '../grading/result';
import { readSetting, type Book } from './book';
import { overrides, rowOf, rows, type Override, type Row } from './verdicts';
import { keptShare, lateDays, readPolicy, studentOf, type Policy } from './policy';

export interface Grade {
  readonly student: string;
  /** `null` when the notebook does not say which it is, and the book has several. */
  readonly chapter: string | null;
  /** How many were handed in. */
  readonly attempts: number;
  /** The attempt that counts. */
  readonly row: Row;
  readonly exercises: readonly GradedExercise[];
  /** Before lateness is taken off; `null` when the attempt could not be graded, through no fault of the student. */
  readonly raw: number | null;
  readonly lateDays: number;
  readonly penalty: number;
  readonly points: number | null;
  readonly maxPoints: number;
}

export interface GradedExercise extends ExerciseResult {
  readonly override?: Override;
}

interface Rules {
  readonly policy: Policy;
  readonly overrides: readonly Override[];
  /** The exercises of each chapter without points: what a notebook that cannot be read would have had to earn. */
  readonly outlines: ReadonlyMap<string, readonly ExerciseResult[]>;
  /** The chapter of notebooks that do not say. */
  readonly chapter: string | null;
}

/** All that is held of every attempt while those that count are chosen. */
interface Attempt {
  readonly name: string;
  readonly group: string;
  readonly submittedMs: number;
  /** -1 when it could not be graded. */
  readonly points: number;
}

/** Every grade, by student and chapter. One is in memory at a time. */
export function* grades(book: Book): Generator<Grade> {
  const rules = rulesOf(book);
  for (const attempts of groups(book, rules)) {
    const { name } = choose(attempts, rules.policy);
    yield { attempts: attempts.length, ...gradeOf(rowOf(book, name), rules) };
  }
}

function rulesOf(book: Book): Rules {
  const outlines = new Map<string, readonly ExerciseResult[]>();
  for (const { result } of rows(book))
    if (result.chapter !== null && !outlines.has(result.chapter))
      outlines.set(result.chapter, result.exercises.map(withoutPoints));
  const [only, second] = outlines.keys();
  const chapter = (readSetting(book, 'chapter') as string | undefined) ?? (second === undefined ? only : undefined);
  return { policy: readPolicy(book), overrides: overrides(book), outlines, chapter: chapter ?? null };
}

function withoutPoints({ id, maxPoints }: ExerciseResult): ExerciseResult {
  return { id, status: 'unreadable', points: 0, maxPoints, checks: [] };
}

/** The attempts of each student at each chapter, in order. */
function groups(book: Book, rules: Rules): Attempt[][] {
  const found = new Map<string, Attempt[]>();
  for (const row of rows(book)) {
    const { student, chapter, points } = gradeOf(row, rules);
    const group = JSON.stringify([student, chapter ?? '']);
    const attempts = found.get(group) ?? [];
    attempts.push({ name: row.name, group, submittedMs: row.submittedMs, points: points ?? -1 });
    found.set(group, attempts);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, attempts]) => attempts);
}

/** Of equally good attempts the earliest counts, of those handed in at the same time the last by name. */
function choose(attempts: readonly Attempt[], { attempts: which }: Policy): Attempt {
  const inTime = attempts.toSorted((a, b) => a.submittedMs - b.submittedMs || (a.name < b.name ? -1 : 1));
  if (which === 'last') return inTime.at(-1)!;
  return inTime.reduce((best, attempt) => (attempt.points > best.points ? attempt : best));
}

function gradeOf(row: Row, rules: Rules): Omit<Grade, 'attempts'> {
  const { result, name, submittedMs } = row;
  const student = studentOf(name, rules.policy.student);
  const chapter = result.chapter ?? rules.chapter;
  const exercises = withOverrides(row, student, chapter, rules);
  const days = lateDays(rules.policy, submittedMs);
  const graded = result.status !== 'infra_error';
  const raw = graded ? round(sum(exercises, 'points')) : null;
  const points = raw === null ? null : round(raw * keptShare(rules.policy, days));
  const penalty = raw === null ? 0 : round(raw - points!);
  return {
    student,
    chapter,
    row,
    exercises,
    raw,
    lateDays: days,
    penalty,
    points,
    maxPoints: sum(exercises, 'maxPoints'),
  };
}

function withOverrides({ result }: Row, student: string, chapter: string | null, rules: Rules): GradedExercise[] {
  const outline = chapter === null ? [] : (rules.outlines.get(chapter) ?? []);
  const mine = rules.overrides.filter((override) => override.student.normalize('NFC') === student);
  return (result.exercises.length > 0 ? result.exercises : outline).map((exercise) => {
    const override = mine.find((one) => one.exercise === exercise.id);
    return override === undefined ? exercise : { ...exercise, points: override.points, override };
  });
}

function sum(exercises: readonly ExerciseResult[], field: 'points' | 'maxPoints'): number {
  return exercises.reduce((total, exercise) => total + exercise[field], 0);
}
