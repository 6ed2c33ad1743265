/** Grades as tables: ours, and the one of nbgrader. A line a student and chapter. */
import { csvLine } from '../base/csv';
import type { Book } from '../gradebook/book';
import { grades, type Grade } from '../gradebook/grades';
import { readPolicy } from '../gradebook/policy';
import { percentOf } from '../gradebook/table';

/** All that was decided, with the reasons: attempts, lateness, overrides. */
export function* gradeTable(book: Book): Generator<string> {
  const ids = new Set<string>();
  for (const { exercises } of grades(book)) for (const { id } of exercises) ids.add(id);
  yield csvLine([
    ...['student', 'chapter', 'status', 'points', 'max_points', 'percent', 'raw_points', 'late_days', 'late_penalty'],
    ...['attempts', 'attempt', 'submitted', 'submitted_from', ...ids, 'remarks'],
  ]);
  for (const grade of grades(book)) yield csvLine(gradeLine(grade, [...ids]));
}

function gradeLine(grade: Grade, ids: readonly string[]): (string | number)[] {
  const { student, chapter, row, exercises, raw, points, maxPoints } = grade;
  const byId = ids.map((id) => exercises.find((exercise) => exercise.id === id)?.points ?? '');
  const percent = points === null ? '' : percentOf(points, maxPoints);
  return [
    ...[student, chapter ?? '', row.result.status, points ?? '', maxPoints, percent, raw ?? '', grade.lateDays],
    ...[grade.penalty, grade.attempts, row.name, new Date(row.submittedMs).toISOString(), row.submittedFrom],
    ...byId,
    remarks(grade).join('; '),
  ];
}

/** What a mark cannot say of itself. */
function remarks({ row, exercises }: Grade): string[] {
  const faults = row.result.exercises.filter(({ status }) => status !== 'graded');
  return [
    ...(row.result.status === 'graded' ? [] : [row.result.message ?? row.result.status]),
    ...faults.map(({ id, status }) => `${id}: ${status}`),
    ...exercises.flatMap(({ id, override }) =>
      override === undefined ? [] : [`${id}: set to ${override.points} by ${override.by}: ${override.reason}`],
    ),
  ];
}

/** The columns of `nbgrader export`; names and addresses stay empty, since the grader does not know them. */
export function* nbgraderTable(book: Book): Generator<string> {
  const { deadlineMs } = readPolicy(book);
  const due = deadlineMs === null ? '' : pythonTime(deadlineMs);
  yield csvLine([
    ...['assignment', 'duedate', 'timestamp', 'student_id', 'last_name', 'first_name', 'email'],
    ...['raw_score', 'late_submission_penalty', 'score', 'max_score'],
  ]);
  for (const { chapter, row, student, raw, penalty, points, maxPoints } of grades(book))
    yield csvLine([
      ...[chapter ?? '', due, pythonTime(row.submittedMs), student, '', '', ''],
      ...[raw ?? '', penalty, points ?? '', maxPoints],
    ]);
}

/** As Python prints a date and time in UTC: "2026-01-31 22:59:00", and microseconds if there are any. */
function pythonTime(ms: number): string {
  const [day, time] = new Date(ms).toISOString().replace('Z', '').split('T') as [string, string];
  const [seconds, thousandths] = time.split('.') as [string, string];
  return thousandths === '000' ? `${day} ${seconds}` : `${day} ${seconds}.${thousandths}000`;
}
