/** Which help is open to a student: hints one by one, and the worked solution. */
import { saysNotWritten, type ExerciseReport } from '../exercise/checking';
import type { Exercise } from '../exercise/exercise';
import { recordTry, type Recorded, type Standing } from './progress';
import { openingHere, type Opening } from '../base/release-manifest';

export interface Help {
  /** The hints that are open. */
  readonly hints: readonly string[];
  /** How many there are. */
  readonly of: number;
  /** What to do next. */
  readonly next?: string;
  readonly note?: string;
}

/**
 * Counts a report as a try, unless something is not written yet, and says which help is open after it.
 * @param attempt the text of what was tried
 */
export function helpAfter(exercise: Exercise, report: ExerciseReport, attempt: string): Help {
  if (report.notWritten || report.checks.some(saysNotWritten)) return { hints: [], of: 0 };
  const passed = report.fault === undefined && report.checks.every(({ status }) => status === 'passed');
  return helpOf(exercise, recordTry(exercise.id, passed, attempt), passed);
}

function helpOf({ id, hints = [] }: Exercise, { standing, note }: Recorded, passed: boolean): Help {
  const open = whyClosed(id, openingHere(), standing) === undefined;
  return {
    hints: passed ? [] : hints.slice(0, standing.tries),
    of: hints.length,
    ...(open && {
      next: `A worked solution: await solution('${id}') in a cell, npx grade solution ${id} in a terminal.`,
    }),
    ...(note !== undefined && { note }),
  };
}

/** The hints that asking opens: those that the tries have opened, and always the first. */
export function askedHints({ id, hints = [] }: Exercise, { tries }: Standing): Help {
  if (hints.length === 0) return { hints: [], of: 0, next: `There are no hints for ${id}.` };
  const open = hints.slice(0, Math.max(1, tries));
  const more = open.length < hints.length ? { next: 'The next one opens when a new try fails its check.' } : {};
  return { hints: open, of: hints.length, ...more };
}

/** Why a solution is not open yet; undefined when it is. */
export function whyClosed(id: string, opening: Opening, { tries, passed }: Standing): string | undefined {
  if (opening === 'never') return `The solution of ${id} is not in this release; your lecturer publishes it later.`;
  const enough = /^after-tries:(\d+)$/.exec(opening)?.[1];
  if (passed || (enough !== undefined && tries >= Number(enough))) return undefined;
  const orTries = enough === undefined ? '' : `, or after ${enough} different tries (${tries} so far)`;
  return `The solution of ${id} opens when your function passes its checks${orTries}.`;
}
