/** Which submissions somebody means by a student, an exercise or a status. */
import { didYouMean } from '../nearest';
import { statuses, type Status } from '../status';
import { rows, type Book, type Row } from './book';
import { readPolicy, studentOf } from './policy';

/**
 * The names of the submissions that fit all of `wanted`; all of them when nothing is wanted.
 * @throws an Error that names what is close, when something fits no submission
 */
export function select(book: Book, wanted: readonly string[]): string[] {
  const { student: pattern } = readPolicy(book);
  const known = new Set<string>();
  const fitting = new Map(wanted.map((what) => [what, 0]));
  const found: string[] = [];
  for (const row of rows(book)) {
    const labels = labelsOf(row, studentOf(row.name, pattern));
    labels.forEach((label) => known.add(label));
    const fits = wanted.filter((what) => labels.has(what));
    fits.forEach((what) => fitting.set(what, fitting.get(what)! + 1));
    if (fits.length === wanted.length) found.push(row.name);
  }
  for (const [what, n] of fitting) if (n === 0 && !isStatus(what)) throw unknown(what, [...known]);
  return found;
}

function labelsOf({ name, result }: Row, student: string): ReadonlySet<string> {
  const { status, exercises } = result;
  return new Set([name, student, status, ...exercises.flatMap((exercise) => [exercise.id, exercise.status])]);
}

function isStatus(what: string): what is Status {
  return (statuses as readonly string[]).includes(what);
}

function unknown(what: string, known: readonly string[]): Error {
  return new Error(`no student, exercise or status of the gradebook is called '${what}'${didYouMean(what, known)}`);
}
