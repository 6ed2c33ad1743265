/** Whether the checks find the known mistakes: each is written into its exercise's solution, and graded. */
import { buildChapter, type BuiltChapter, type ChapterSource, type Solution } from '../authoring/build-chapter';
import type { Compiler } from '../compile/service';
import { scoreOf } from '../exercise/checking';
import type { GradedExercise, Mistake } from '../exercise/exercise';
import type { CheckResult, ExerciseResult } from '../grading/result';
import { gradeNotebook, sourceCells, whyNot } from './graded';

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

/** A mistake, and its exercise's solution with it. */
interface Trial {
  readonly exercise: GradedExercise;
  readonly mistake: Mistake;
  readonly edited: Edited;
}

export async function testMistakes(
  exercises: readonly GradedExercise[],
  source: ChapterSource,
  built: BuiltChapter,
  compiler: Compiler,
): Promise<MistakeReport[]> {
  const trials = exercises.flatMap((exercise) => {
    const solution = built.solutions.find(({ exercise: id }) => id === exercise.id)!;
    return exercise.mistakes.map((mistake): Trial => ({ exercise, mistake, edited: edit(solution, mistake) }));
  });
  const reports = new Map<Mistake, MistakeReport>();
  for (const round of roundsOf(trials, await entangled(exercises, built, compiler))) {
    const { complete } = buildChapter({ ...source, text: withEdits(source.text, round) });
    const tried = round.filter(({ edited }) => !('broken' in edited)).map(({ exercise }) => exercise);
    const results = await gradeNotebook(complete, tried, compiler);
    for (const trial of round)
      reports.set(trial.mistake, {
        exercise: trial.exercise.id,
        name: trial.mistake.name,
        ...outcomeOf(trial, results),
      });
  }
  return trials.map(({ mistake }) => reports.get(mistake)!);
}

/** One mistake of each exercise at a time, compiled and loaded together; those of an entangled exercise alone. */
function roundsOf(trials: readonly Trial[], alone: ReadonlySet<GradedExercise>): Trial[][] {
  const rounds = new Map<unknown, Trial[]>();
  for (const trial of trials) {
    const { exercise, mistake } = trial;
    const key = alone.has(exercise) ? mistake : exercise.mistakes.indexOf(mistake);
    rounds.set(key, [...(rounds.get(key) ?? []), trial]);
  }
  return [...rounds.values()];
}

/** The exercises whose solution uses another's, and those others: a mistake of one would be seen in both. */
async function entangled(
  exercises: readonly GradedExercise[],
  { complete }: BuiltChapter,
  compiler: Compiler,
): Promise<Set<GradedExercise>> {
  const { functions } = await compiler.compile(
    sourceCells(complete),
    exercises.map((e) => e.functionName),
  );
  const uses = (user: GradedExercise, { functionName }: GradedExercise) =>
    new RegExp(`\\b${functionName}\\b`).test(functions[user.functionName]?.alone?.code ?? '');
  const pairs = exercises.flatMap((a) => exercises.filter((b) => a !== b && uses(a, b)).map((b) => [a, b]));
  return new Set(pairs.flat());
}

function outcomeOf(
  { exercise, mistake, edited }: Trial,
  results: readonly ExerciseResult[],
): Omit<MistakeReport, 'exercise' | 'name'> {
  if ('broken' in edited) return { score: 0, killedBy: null, ...edited };
  const result = results.find(({ id }) => id === exercise.id)!;
  const failed = result.checks.find(({ status }) => status === 'failed');
  const score = scoreOf(exercise, result.checks);
  const broken = score < 1 && !failed ? { broken: `no check fails, but it does not run: ${whyNot(result)}` } : {};
  return { score, killedBy: failed?.name ?? null, ...broken, ...tooEarly(mistake, failed) };
}

function tooEarly({ passesPublic }: Mistake, failed: CheckResult | undefined): { broken?: string } {
  const early = passesPublic && failed !== undefined && !failed.hidden;
  return early ? { broken: `it is to pass the public checks, but '${failed.name}' rejects it` } : {};
}

/** A solution with a mistake, and where it stands; or why that is none. */
type Edited = { readonly solution: Solution; readonly wrong: string } | { readonly broken: string };

function edit(solution: Solution, { replace, by }: Mistake): Edited {
  const body = solution.body.join('\n');
  const count = body.split(replace).length - 1;
  if (count !== 1) return { broken: `its text occurs ${count} times in the solution, not once: ${replace}` };
  // a function, since in a text $& would mean what was found
  return { solution, wrong: body.replace(replace, () => by) };
}

/** The source with these mistakes in its solutions. */
function withEdits(text: string, trials: readonly Trial[]): string {
  const lines = text.split('\n');
  const edits = trials.flatMap(({ edited }) => ('broken' in edited ? [] : [edited]));
  const fromTheLast = edits.toSorted((a, b) => b.solution.line - a.solution.line); // so that no line before one moves
  for (const { solution, wrong } of fromTheLast)
    lines.splice(solution.line - 1, solution.body.length, ...wrong.split('\n'));
  return lines.join('\n');
}
