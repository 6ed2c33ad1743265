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
import { buildChapter, type BuiltChapter, type ChapterSource, type Solution } from '../authoring/build-chapter';
import { CELL_SEED, runChecks, scoreOf, type Call, type ExerciseReport } from '../exercise/checking';
import type { Compiler } from '../compile/service';
import type { Exercise, GradedExercise, Mistake } from '../exercise/exercise';
import { withHidden, type Chapter } from '../chapters/registry';
import { gradeExercises, type GradingOptions } from '../grading/grade-exercises';
import { leaksIn, needlesOf, notebookLeaks } from '../authoring/leaks';
import { readSource } from '../authoring/notebooks';
import type { SourceCell } from '../compile/pieces';
import { decode, encode, type Wire } from '../exercise/protocol';
import { release } from '../authoring/release';
import type { CheckResult, ExerciseResult } from '../grading/result';
import type { Course } from '../base/paths';
import { Answers, trivialEarnings } from './trivial';

interface MistakeReport {
  readonly exercise: string;
  readonly name: string;
  /** Share of the exercise's points that the mistake earns. */
  readonly score: number;
  /** The first check that rejects it; null when none does. */
  readonly killedBy: string | null;
  /** Why it is no proper mistake: its text is not there once, it does not compile, it throws. */
  readonly broken?: string;
}

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
const SEED = 'selftest';

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
  const mistakes: MistakeReport[] = [];
  for (const exercise of exercises)
    for (const mistake of exercise.mistakes)
      mistakes.push(await testMistake(exercise, mistake, source, built, compiler));
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

async function gradeNotebook(
  notebook: Notebook,
  exercises: readonly Exercise[],
  compiler: Compiler,
  options: GradingOptions = { seedOf: () => SEED },
): Promise<ExerciseResult[]> {
  const compilation = await compiler.compile(
    sourceCells(notebook),
    exercises.map(({ functionName }) => functionName),
  );
  return gradeExercises(exercises, compilation, options);
}

function sourceCells({ cells }: Notebook): SourceCell[] {
  const code = cells.filter((cell) => cell.cell_type === 'code');
  return code.map(({ id, source }, i) => ({ number: i + 1, id, source }));
}

async function testMistake(
  exercise: Exercise,
  mistake: Mistake,
  source: ChapterSource,
  built: BuiltChapter,
  compiler: Compiler,
): Promise<MistakeReport> {
  const about = { exercise: exercise.id, name: mistake.name };
  const edited = edit(
    source.text,
    built.solutions.find((solution) => solution.exercise === exercise.id)!,
    mistake,
  );
  if ('broken' in edited) return { ...about, score: 0, killedBy: null, ...edited };
  const { complete } = buildChapter({ ...source, text: edited.text });
  const [result] = await gradeNotebook(complete, [exercise], compiler);
  const failed = result!.checks.find(({ status }) => status === 'failed');
  const score = scoreOf(exercise, result!.checks);
  const broken = score < 1 && !failed ? { broken: `no check fails, but it does not run: ${whyNot(result!)}` } : {};
  return { ...about, score, killedBy: failed?.name ?? null, ...broken, ...tooEarly(mistake, failed) };
}

function tooEarly({ passesPublic }: Mistake, failed: CheckResult | undefined): { broken?: string } {
  const early = passesPublic && failed !== undefined && !failed.hidden;
  return early ? { broken: `it is to pass the public checks, but '${failed.name}' rejects it` } : {};
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

/** The source with one edit in one solution. */
function edit(text: string, { line, body }: Solution, { replace, by }: Mistake): { text: string } | { broken: string } {
  const solution = body.join('\n');
  const count = solution.split(replace).length - 1;
  if (count !== 1) return { broken: `its text occurs ${count} times in the solution, not once: ${replace}` };
  const lines = text.split('\n');
  // a function, since in a text $& would mean what was found
  lines.splice(line - 1, body.length, ...solution.replace(replace, () => by).split('\n'));
  return { text: lines.join('\n') };
}

function mistakeBreaches({ exercise, name, score, broken }: MistakeReport): string[] {
  if (broken !== undefined) return [`broken mistake '${name}' of ${exercise}: ${broken}`];
  return score === 1 ? [`no check of ${exercise} rejects the mistake '${name}'`] : [];
}

function share(results: readonly ExerciseResult[]): number {
  const sum = (field: 'points' | 'maxPoints') => results.reduce((total, result) => total + result[field], 0);
  return sum('points') / sum('maxPoints');
}

function whyNot({ status, message, checks }: ExerciseResult): string {
  const check = checks.find((entry) => entry.status !== 'passed');
  const detail = check?.message ?? (check ? `expected ${check.expected}, got ${check.got}` : '');
  return [status === 'graded' ? undefined : status, message, check && `${check.name}: ${detail}`]
    .filter(Boolean)
    .join('; ');
}
