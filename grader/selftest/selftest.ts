/**
 * Grades the grader: the authored solution must earn everything, the untouched release nothing, and every known
 * mistake must be found, by a check that fails and not by an accident. Answers learnt by heart from the public checks
 * must fail the hidden ones, answers that know nothing of the question must earn nothing, and what is released must show
 * no line of a solution.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Notebook } from 'dgm-jupyter';
import { buildChapter, type BuiltChapter } from '../authoring/build-chapter';
import { CELL_SEED, runChecks, type Call, type ExerciseReport } from '../exercise/checking';
import type { Compiler } from '../compile/service';
import type { Exercise, GradedExercise } from '../exercise/exercise';
import { withHidden, type Chapter } from '../chapters/registry';
import { leaksIn, needlesOf, notebookLeaks } from '../authoring/leaks';
import { readSource } from '../authoring/notebooks';
import { decode, encode, type Wire } from '../exercise/protocol';
import { release } from '../authoring/release';
import type { ExerciseResult } from '../grading/result';
import type { Course } from '../base/paths';
import { gradeNotebook, SEED, whyNot } from './graded';
import { testMistakes, type MistakeReport } from './mistakes';
import { Answers, trivialEarnings } from './trivial';

export interface ChapterReport {
  readonly chapter: string;
  /** Shares of the chapter's points. */
  readonly solution: number;
  readonly release: number;
  readonly mistakes: readonly MistakeReport[];
  /** What is wrong, in words; empty when the chapter is sound. */
  readonly breaches: readonly string[];
}

export interface SelftestReport {
  readonly chapters: readonly ChapterReport[];
  /** What is wrong with the folder that students get. */
  readonly release: readonly string[];
  readonly ok: boolean;
}

const MISTAKES = 3;

/** Chapter by chapter in this process; at-once.ts takes several at a time. */
export async function selftest(
  chapters: readonly Chapter[],
  course: Course,
  compiler: Compiler,
): Promise<SelftestReport> {
  const reports: ChapterReport[] = [];
  for (const chapter of chapters) reports.push(await testChapter(chapter, course, compiler));
  return withRelease(reports, chapters, course);
}

/** What the chapters gave, and whether the folder that students get of them shows what it must not. */
export async function withRelease(
  reports: readonly ChapterReport[],
  chapters: readonly Chapter[],
  course: Course,
): Promise<SelftestReport> {
  const breaches = await testRelease(chapters, course);
  return { chapters: reports, release: breaches, ok: [...reports, { breaches }].every((r) => r.breaches.length === 0) };
}

/** Releases the chapters into a folder for a moment. */
async function testRelease(chapters: readonly Chapter[], course: Course): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'release-'));
  try {
    return (await release({ chapters, course, out: folder, solutions: 'after-pass' })).breaches;
  } finally {
    await rm(folder, { recursive: true });
  }
}

export async function testChapter(chapter: Chapter, course: Course, compiler: Compiler): Promise<ChapterReport> {
  const exercises = await withHidden(chapter).exercises();
  const source = { chapter: chapter.name, exercises, ...(await readSource(chapter.name, course)) };
  const built = buildChapter(source);
  const answers = new Answers();
  const solution = await gradeNotebook(built.complete, exercises, compiler, {
    seedOf: () => SEED,
    onAnswer: answers.note,
  });
  const release = await gradeNotebook(built.released, exercises, compiler);
  const mistakes = await testMistakes(exercises, source, built, compiler);
  const breaches = [
    ...solution
      .filter(({ points, maxPoints }) => points < maxPoints)
      .map((result) => `the solution of ${result.id} does not pass: ${whyNot(result)}`),
    ...release
      .filter(({ points }) => points > 0)
      .map(({ id }) => `the release earns points for ${id}; for faulty code that is given, set allOrNothing`),
    ...release
      .filter(({ status }) => status !== 'graded')
      .map((result) => `the release of ${result.id} does not run: ${whyNot(result)}`),
    ...exercises
      .filter((e) => e.mistakes.length < MISTAKES)
      .map(({ id, mistakes }) => `${id} has ${mistakes.length} mistakes; ${MISTAKES} are needed`),
    ...mistakes.flatMap(mistakeBreaches),
    ...exercises.filter((e) => !e.checks.some(isHidden)).map(({ id }) => `${id} has no hidden check`),
    ...(await learntByHeart(exercises, built.complete, compiler)).map(
      (id) => `answers to ${id} learnt by heart from the notebook's checks pass the hidden checks`,
    ),
    ...(await trivialBreaches(exercises, answers)),
    ...notebookLeaks(built),
    ...hintLeaks(exercises, built),
  ];
  return { chapter: chapter.name, solution: share(solution), release: share(release), mistakes, breaches };
}

/** The exercises whose hidden checks are content with the answers that the solution gives to a cell's checks. */
async function learntByHeart(
  exercises: readonly GradedExercise[],
  complete: Notebook,
  compiler: Compiler,
): Promise<string[]> {
  const known = exercises.filter(({ checks }) => checks.some(isHidden));
  const memories = known.map(() => new Map<string, Wire>());
  const asInCells = known.map((exercise) => ({ ...exercise, checks: exercise.checks.filter((c) => !isHidden(c)) }));
  await gradeNotebook(complete, asInCells, compiler, {
    seedOf: () => CELL_SEED,
    onAnswer: (check, args, answer) => {
      const memory = memories[known.findIndex(({ checks }) => checks.includes(check))]!;
      memory.set(JSON.stringify(encode(args)), encode(answer));
    },
  });
  const reports: ExerciseReport[] = [];
  for (const [i, exercise] of known.entries())
    reports.push(await runChecks(exercise, () => fromMemory(memories[i]!), CELL_SEED));
  const isFooled = (i: number) => reports[i]!.checks.filter(isHidden).every(({ status }) => status === 'passed');
  return known.filter((_, i) => isFooled(i)).map(({ id }) => id);
}

/** The answer that was seen for these arguments, else one that was seen for others. */
function fromMemory(seen: ReadonlyMap<string, Wire>): Call {
  return (...args) => {
    const [other = null] = seen.values();
    return Promise.resolve(decode(seen.get(JSON.stringify(encode(args))) ?? other));
  };
}

async function trivialBreaches(exercises: readonly Exercise[], answers: Answers): Promise<string[]> {
  const breaches: string[] = [];
  for (const exercise of exercises)
    for (const { name, checks } of await trivialEarnings(exercise, answers, SEED))
      breaches.push(
        `an answer that knows nothing (${name}) earns points for ${exercise.id}, by '${checks.join("', '")}': ` +
          'tighten that, or make it a law',
      );
  return breaches;
}

function isHidden({ hidden }: { readonly hidden?: boolean }): boolean {
  return hidden === true;
}

function hintLeaks(exercises: readonly Exercise[], { solutions }: BuiltChapter): string[] {
  const needles = needlesOf(solutions);
  return exercises.flatMap(({ id, hints = [] }) =>
    hints.flatMap((hint) => leaksIn(hint, needles).map((leak) => `a hint of ${id} shows ${leak}`)),
  );
}

function mistakeBreaches({ exercise, name, score, broken }: MistakeReport): string[] {
  if (broken !== undefined) return [`broken mistake '${name}' of ${exercise}: ${broken}`];
  return score === 1 ? [`no check of ${exercise} rejects the mistake '${name}'`] : [];
}

function share(results: readonly ExerciseResult[]): number {
  const sum = (field: 'points' | 'maxPoints') => results.reduce((total, result) => total + result[field], 0);
  return sum('points') / sum('maxPoints');
}
