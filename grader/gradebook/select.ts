/** Which submissions somebody means by a student, an exercise or a status. */
import { didYouMean } from 'dgm/host';
import { statuses } from '../exercise/status';
import type { Book } from './book';
import { rows, type Row } from './verdicts';
import { readPolicy, studentOf } from './policy';

/**
 * The names of the submissions that fit any of `named`; all of them when nothing is.
 * @throws an Error that names what is close, when something is the name of nothing
 */
export function select(book: Book, named: readonly string[]): string[] {
  const wanted = named.map((name) => name.normalize('NFC'));
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
  return new Set([
    name.normalize('NFC'),
    student,
    status,
    ...exercises.flatMap((exercise) => [exercise.id, exercise.status]),
  ]);
}
