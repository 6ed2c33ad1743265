/** `grades.csv`: what the checks gave, a line a submission, written from the book without holding it. */
import { writeAtomically } from 'dgm/host';
import { csvLine } from '../base/csv';
import type { SubmissionResult } from '../grading/result';
import type { Book } from './book';
import { rows } from './verdicts';

export async function writeGrades(book: Book, file: string): Promise<void> {
  const ids = exerciseIds(book);
  await writeAtomically(file, lines(book, ids));
}

/** The exercises of the whole book, in the order in which they are met. */
function exerciseIds(book: Book): string[] {
  const ids = new Set<string>();
  for (const { result } of rows(book)) for (const { id } of result.exercises) ids.add(id);
  return [...ids];
}

function* lines(book: Book, ids: readonly string[]): Generator<string> {
  yield csvLine(['student', 'chapter', 'status', 'points', 'max_points', 'percent', ...ids, 'remarks']);
  for (const { result } of rows(book)) yield csvLine(toRow(result, ids));
}

function toRow(result: SubmissionResult, ids: readonly string[]): (string | number)[] {
  const { student, chapter, status, points, maxPoints, exercises, message } = result;
  // our fault is no mark: the fields stay empty
  const mark = (value: number) => (status === 'infra_error' ? '' : value);
  const byId = ids.map((id) => exercises.find((exercise) => exercise.id === id)?.points ?? '');
  const remarks = exercises.filter((e) => e.status !== 'graded').map((e) => `${e.id}: ${e.status}`);
  const remark = remarks.length > 0 ? remarks.join('; ') : (message ?? '');
  return [student, chapter ?? '', status, mark(points), maxPoints, mark(percentOf(points, maxPoints)), ...byId, remark];
}

/** With one decimal; 0 when there was nothing to earn. */
export function percentOf(points: number, maxPoints: number): number {
  return maxPoints === 0 ? 0 : Math.round((1000 * points) / maxPoints) / 10;
}
