/** What a student is told about an exercise: the same words under a cell and in a terminal. */
import type { CheckReport, ExerciseReport } from '../exercise/checking';
import type { Exercise } from '../exercise/exercise';
import type { Help } from './help';

export const MARKS = { passed: '✓', failed: '✗', open: '○' } as const;

export function reportText(exercise: Exercise, report: ExerciseReport, help: Help): string {
  const [title, lead, foot] = [titleOf(exercise), leadOf(exercise, report), footOf(report)];
  const rows = report.notWritten
    ? exercise.checks.map(({ name }) => `${MARKS.open} ${name}`)
    : report.checks.flatMap(lines);
  return [title, lead, ...rows, foot, ...helpLines(help)].filter((line) => line !== undefined).join('\n');
}

export function titleOf({ id, title }: Exercise): string {
  return `${id}: ${title}`;
}

/** What is said before the checks. */
export function leadOf({ functionName }: Exercise, { notWritten }: ExerciseReport): string | undefined {
  if (!notWritten) return undefined;
  return `Not written yet. Replace the line that throws in ${functionName}, run its cell, then this one. It will be checked that`;
}

/** What is said after them. */
export function footOf({ checks, fault, notWritten }: ExerciseReport): string | undefined {
  if (notWritten) return undefined;
  const passed = checks.filter(({ status }) => status === 'passed').length;
  if (fault !== undefined) return `${passed} checks passed before it ended.`;
  return passed === checks.length
    ? `All ${passed} checks pass. Grading runs them on other inputs, and some more.`
    : `${passed} of ${checks.length} checks pass.`;
}

export function details({ expected, got, hint, message }: CheckReport): string[] {
  return [
    ...(message === undefined ? [] : [message]),
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(got === undefined ? [] : [`got ${got}`]),
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
  ];
}

export function helpLines({ hints, of, next, note }: Help): string[] {
  return [
    ...hints.map((hint, i) => `Hint ${i + 1} of ${of}: ${hint}`),
    ...[next, note].filter((line) => line !== undefined),
  ];
}

function lines(check: CheckReport): string[] {
  const mark = check.status === 'passed' ? MARKS.passed : MARKS.failed;
  return [`${mark} ${check.name}`, ...details(check).map((detail) => `    ${detail}`)];
}
