/** What a student may be told of a result. Of a hidden check that fails: that there is one, and nothing more. */
import type { CheckResult, ExerciseResult } from '../grading/result';

export interface ToldCheck {
  readonly holds: boolean;
  readonly title: string;
  /** Labels such as "expected", and what belongs to them. */
  readonly details: readonly (readonly [label: string, text: string])[];
}

const HIDDEN: ToldCheck = { holds: false, title: 'a hidden check fails', details: [] };

/** The open checks of an exercise in order, then one line if any hidden one fails. */
export function toldChecks({ checks }: ExerciseResult): ToldCheck[] {
  const same = commonMessage(checks);
  if (same !== undefined) return [{ holds: false, title: same, details: [] }];
  const open = checks.filter(({ hidden }) => !hidden).map(toldCheck);
  const failing = checks.some(({ hidden, status }) => hidden && status !== 'passed');
  return failing ? [...open, HIDDEN] : open;
}

/** What every check says in the same words, to be said once: "mixture.em is not written yet". */
export function commonMessage(checks: readonly CheckResult[]): string | undefined {
  const message = checks[0]?.message;
  return checks.every((check) => check.message === message) ? message : undefined;
}

function toldCheck({ name, status, expected, got, input, hint, message }: CheckResult): ToldCheck {
  const all = { message, expected, got, 'called with': input, hint };
  const details = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return { holds: status === 'passed', title: name, details };
}

/** The same as lines of text. */
export function toldLines(exercise: ExerciseResult): string[] {
  const lines = toldChecks(exercise).flatMap(({ holds, title, details }) => [
    `${holds ? '✓' : '✗'} ${title}`,
    ...details.map(([label, text]) => (label === 'message' ? `    ${text}` : `    ${label}: ${text}`)),
  ]);
  const { status, message } = exercise;
  return [...(status === 'graded' ? [] : [message === undefined ? status : `${status}: ${message}`]), ...lines];
}
