/** Which submissions somebody means by a student, an exercise or a status. */
import { didYouMean } from 'dgm/host';
import { statuses } from '../exercise/status';
import type { Book } from './book';
import { rows, type Row } from './verdicts';
import { readPolicy, studentOf } from './policy';

/**
 * The names of the submissions that fit any of `wanted`; all of them when nothing is wanted.
 * @throws an Error that names what is close, when something is the name of nothing
 */
export function select(book: Book, wanted: readonly string[]): string[] {
  const { student: pattern } = readPolicy(book);
  const known = new Set<string>(statuses);
  const found: string[] = [];
  for (const row of rows(book)) {
    const labels = labelsOf(row, studentOf(row.name, pattern));
    labels.forEach((label) => known.add(label));
    if (wanted.length === 0 || wanted.some((what) => labels.has(what))) found.push(row.name);
  }
  const stranger = wanted.find((what) => !known.has(what));
  if (stranger !== undefined)
    throw new Error(
      `no student, exercise or status of the gradebook is called '${stranger}'${didYouMean(stranger, [...known])}`,
    );
  return found;
}

function labelsOf({ name, result }: Row, student: string): ReadonlySet<string> {
  const { status, exercises } = result;
  return new Set([name, student, status, ...exercises.flatMap((exercise) => [exercise.id, exercise.status])]);
}
