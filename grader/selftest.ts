/**
 * Grades the grader: the authored solution must earn everything, the untouched release nothing, and every known
 * mistake must be found, by a check that fails and not by an accident.
 */
import type { Notebook } from 'dgm/jupyter';
import { buildChapter, type BuiltChapter, type ChapterSource, type Solution } from './build';
import { scoreOf } from './checking';
import type { Compiler } from './compiler';
import type { Exercise, Mistake } from './exercise';
import type { Chapter } from './exercises';
import { gradeExercises } from './grading';
import { readSource } from './notebooks';
import type { SourceCell } from './pieces';
import type { ExerciseResult } from './result';
import type { Course } from './rooms';

export interface MistakeReport {
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
  readonly ok: boolean;
}

const MISTAKES = 3;
const SEED = 'selftest';

/** @param onChapter called as each chapter is done */
export async function selftest(
  chapters: readonly Chapter[],
  course: Course,
  compiler: Compiler,
  onChapter: (report: ChapterReport) => void = () => undefined,
): Promise<SelftestReport> {
  const reports: ChapterReport[] = [];
  for (const chapter of chapters) {
    reports.push(await testChapter(chapter, course, compiler));
    onChapter(reports.at(-1)!);
  }
  return { chapters: reports, ok: reports.every(({ breaches }) => breaches.length === 0) };
}

async function testChapter(chapter: Chapter, course: Course, compiler: Compiler): Promise<ChapterReport> {
  const exercises = await chapter.exercises();
  const source = { chapter: chapter.name, exercises, ...(await readSource(chapter.name, course)) };
  const built = buildChapter(source);
  const solution = await gradeNotebook(built.complete, exercises, compiler);
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
    ...leaks(built),
  ];
  return { chapter: chapter.name, solution: share(solution), release: share(release), mistakes, breaches };
}

async function gradeNotebook(
  notebook: Notebook,
  exercises: readonly Exercise[],
  compiler: Compiler,
): Promise<ExerciseResult[]> {
  const compilation = await compiler.compile(
    sourceCells(notebook),
    exercises.map(({ functionName }) => functionName),
  );
  return gradeExercises(exercises, compilation, { seedOf: () => SEED });
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
  return { ...about, score, killedBy: failed?.name ?? null, ...broken };
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

/** Lines of solutions that the release shows more often than the text around the solutions does. */
function leaks({ complete, released, solutions }: BuiltChapter): string[] {
  const shown = linesOf(released).map(squeeze);
  const given = solutions.flatMap((solution) => solution.given).map(squeeze);
  const authored = linesOf(complete).map(squeeze);
  const text = released.cells.filter((cell) => cell.cell_type === 'markdown').map((cell) => squeeze(cell.source));
  return solutions.flatMap(({ exercise, body }) =>
    [...new Set(body.map(squeeze).filter(isTelling))].flatMap((line) => {
      const hidden = solutions.flatMap((solution) => solution.body).map(squeeze);
      const allowed = count(authored, line) - count(hidden, line) + count(given, line);
      const leaks = count(shown, line) > allowed || text.some((paragraph) => paragraph.includes(line));
      return leaks ? [`the release shows a line of the solution of ${exercise}: ${line}`] : [];
    }),
  );
}

function linesOf(notebook: Notebook): string[] {
  return notebook.cells.flatMap((cell) => cell.source.split('\n'));
}

function count(lines: readonly string[], line: string): number {
  return lines.filter((other) => other === line).length;
}

function squeeze(line: string): string {
  return line.trim().replace(/\s+/g, ' ');
}

/** Brackets and short words occur everywhere. */
function isTelling(line: string): boolean {
  return line.length >= 16 && /\w\W+\w/.test(line);
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
