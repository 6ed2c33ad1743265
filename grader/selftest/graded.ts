/** What the self-test's parts share: a notebook graded as a submission is, and why it did not earn everything. */
import type { Notebook } from 'dgm-jupyter';
import type { SourceCell } from '../compile/pieces';
import type { Compiler } from '../compile/service';
import type { Exercise } from '../exercise/exercise';
import { gradeExercises, type GradingOptions } from '../grading/grade-exercises';
import type { ExerciseResult } from '../grading/result';

export const SEED = 'selftest';

export async function gradeNotebook(
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

export function sourceCells({ cells }: Notebook): SourceCell[] {
  const code = cells.filter((cell) => cell.cell_type === 'code');
  return code.map(({ id, source }, i) => ({ number: i + 1, id, source }));
}

export function whyNot({ status, message, checks }: ExerciseResult): string {
  const check = checks.find((entry) => entry.status !== 'passed');
  const detail = check?.message ?? (check ? `expected ${check.expected}, got ${check.got}` : '');
  return [status === 'graded' ? undefined : status, message, check && `${check.name}: ${detail}`]
    .filter(Boolean)
    .join('; ');
}
