/** Grades as tables: ours, and the one of nbgrader. A line a student and chapter. */
import { csvLine, type Trusted } from '../base/csv';
import type { Book } from '../gradebook/book';
import { grades, type Grade } from '../gradebook/grades';
import { readPolicy } from '../gradebook/policy';
import type { Person, Roster } from '../gradebook/roster';
import { percentOf } from '../gradebook/table';

/** A chapter that somebody on the roster has not handed in. */
interface Missing {
  readonly person: Person;
  readonly chapter: string;
  readonly maxPoints: number;
}

/** All that was decided, with the reasons: attempts, lateness, overrides. With a roster also who is who, and who is missing. */
export function* gradeTable(book: Book, roster?: Roster): Generator<string> {
  const ids = new Set<string>();
  for (const { exercises } of grades(book)) for (const { id } of exercises) ids.add(id);
  yield csvLine([
    ...['student', ...(roster ? ['id', 'last_name', 'first_name', 'email'] : []), 'chapter', 'status', 'points'],
    ...['max_points', 'percent', 'raw_points', 'late_days', 'late_penalty'],
    ...['attempts', 'attempt', 'submitted', 'submitted_from', ...ids, 'remarks'],
  ]);
  for (const grade of grades(book)) yield csvLine(gradeLine(grade, [...ids], roster));
  for (const { person, chapter, maxPoints } of missing(book, roster)) {
    const none = [...[...ids].map(() => ''), 'nothing was handed in'];
    yield csvLine([
      ...[person.student, ...namesOf(person), chapter, 'missing', 0, maxPoints, 0, 0, 0, 0, 0, '', '', ''],
      ...none,
    ]);
  }
}

function gradeLine(grade: Grade, ids: readonly string[], roster?: Roster): (string | number | Trusted)[] {
  const { student, chapter, row, exercises, raw, points, maxPoints } = grade;
  const byId = ids.map((id) => exercises.find((exercise) => exercise.id === id)?.points ?? '');
  const percent = points === null ? '' : percentOf(points, maxPoints);
  return [
    ...[student, ...(roster ? namesOf(roster.get(student)) : []), chapter ?? '', row.result.status],
    ...[points ?? '', maxPoints, percent, raw ?? '', grade.lateDays],
    ...[grade.penalty, grade.attempts, row.name, new Date(row.submittedMs).toISOString(), row.submittedFrom],
    ...byId,
    remarks(grade).join('; '),
  ];
}

function namesOf(person: Person | undefined): (string | Trusted)[] {
  return [...idOf(person), ...personal(person)];
}

/** The lecturer wrote it, and another system must find it as it is. */
function idOf(person: Person | undefined): Trusted[] {
  return [{ trusted: person?.id ?? '' }];
}

function personal(person: Person | undefined): string[] {
  return [person?.lastName ?? '', person?.firstName ?? '', person?.email ?? ''];
}

/** By chapter, whom the roster has and the book has not. */
function* missing(book: Book, roster: Roster = new Map()): Generator<Missing> {
  const chapters = new Map<string, { students: Set<string>; maxPoints: number }>();
  for (const { student, chapter, maxPoints } of grades(book)) {
    if (chapter === null) continue;
    const known = chapters.get(chapter) ?? { students: new Set(), maxPoints };
    known.students.add(student);
    chapters.set(chapter, known);
  }
  for (const [chapter, { students, maxPoints }] of [...chapters].sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const person of roster.values()) if (!students.has(person.student)) yield { person, chapter, maxPoints };
}

/** Students of the book whom the roster lacks, sorted. @throws an Error when it lacks them all */
export function notOnRoster(book: Book, roster: Roster): string[] {
  const students = new Set<string>();
  for (const { student } of grades(book)) students.add(student);
  const strangers = [...students].filter((student) => !roster.has(student)).sort();
  if (students.size > 0 && strangers.length === students.size)
    throw new Error(
      `none of the gradebook's ${students.size} students is on the roster: its column student must be as in ` +
        `grade export, such as '${strangers[0]}'`,
    );
  return strangers;
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

/**
 * The columns of `nbgrader export`. Names and addresses come from a roster, and so does the student's id where it has
 * one; without a roster they stay empty.
 */
export function* nbgraderTable(book: Book, roster?: Roster): Generator<string> {
  const { deadlineMs } = readPolicy(book);
  const due = deadlineMs === null ? '' : pythonTime(deadlineMs);
  yield csvLine([
    ...['assignment', 'duedate', 'timestamp', 'student_id', 'last_name', 'first_name', 'email'],
    ...['raw_score', 'late_submission_penalty', 'score', 'max_score'],
  ]);
  for (const { chapter, row, student, raw, penalty, points, maxPoints } of grades(book)) {
    const person = roster?.get(student);
    yield csvLine([
      ...[chapter ?? '', due, pythonTime(row.submittedMs), ...(person?.id ? idOf(person) : [student])],
      ...[...personal(person), raw ?? '', penalty, points ?? '', maxPoints],
    ]);
  }
  for (const { person, chapter, maxPoints } of missing(book, roster))
    yield csvLine([
      ...[chapter, due, '', ...(person.id ? idOf(person) : [person.student]), ...personal(person)],
      ...[0, 0, 0, maxPoints],
    ]);
}

/** As Python prints a date and time in UTC: "2026-01-31 22:59:00", and microseconds if there are any. */
function pythonTime(ms: number): string {
  const [day, time] = new Date(ms).toISOString().replace('Z', '').split('T') as [string, string];
  const [seconds, thousandths] = time.split('.') as [string, string];
  return thousandths === '000' ? `${day} ${seconds}` : `${day} ${seconds}.${thousandths}000`;
}
