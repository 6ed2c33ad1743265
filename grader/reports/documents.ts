/** One student's grade in a chapter as the documents that other systems read. */
import type { GradedExercise, Grade } from '../gradebook/grades';
import { escapeHtml } from 'dgm/figures';
import { checkLines, linesAsText } from '../exercise/check-lines';

/**
 * Gradescope's `results.json` (gradescope-autograders.readthedocs.io, "Autograder specifications"). The total is given,
 * since lateness has no test to stand in. The seed is not: it would tell the inputs.
 */
export function gradescope(grade: Grade): string {
  const { result } = grade.row;
  const tests = grade.exercises.map((exercise, i) => ({
    number: String(i + 1),
    name: exercise.id,
    ...(grade.points === null ? {} : scoreOf(exercise)),
    output: outputOf(exercise),
    output_format: 'text',
    visibility: 'visible',
  }));
  const output = [...(result.message === undefined ? [] : [`${result.status}: ${result.message}`]), ...result.notes];
  const whole = {
    // null is not a score; without one, here and in the tests, Gradescope tells that the grading failed, which it did.
    // With some in the tests it would add those up
    ...(grade.points === null ? {} : { score: grade.points }),
    // in whole seconds: how long it takes to the millisecond a submission could choose, to tell what it was asked
    execution_time: Math.ceil(result.durationMs / 1000),
    output: [...output, ...lateness(grade)].join('\n'),
    output_format: 'text',
    visibility: 'visible',
    stdout_visibility: 'hidden',
    extra_data: { chapter: grade.chapter, status: result.status, attempts: grade.attempts, grader: result.grader },
    tests,
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

function scoreOf(exercise: GradedExercise) {
  const status = isFull(exercise) ? 'passed' : 'failed';
  return { score: exercise.points, max_score: exercise.maxPoints, status };
}

/** What a student reads of an exercise. */
function outputOf({ status, message, checks }: GradedExercise): string {
  const fault = message === undefined ? status : `${status}: ${message}`;
  return [...(status === 'graded' ? [] : [fault]), ...linesAsText(checkLines(checks))].join('\n');
}

/**
 * What GitHub Classroom's autograding reporter reads from a runner: JSON in base64 (classroom-resources/
 * autograding-grading-reporter). It knows no total, so that lateness is a test of its own with points below zero; and it
 * adds up what tests earned, so that one that could not be graded has none. It prints `test_code` of a failed test, and
 * `message` only of an error. GitHub has announced the end of Classroom; the format stays for who runs it.
 */
export function classroom(grade: Grade): string {
  const { result } = grade.row;
  const tests = grade.exercises.map((exercise) => toClassroomTest(exercise));
  const late = grade.penalty > 0 ? [{ ...test('late', 'fail', -grade.penalty), message: lateness(grade)[0] }] : [];
  const failed = grade.exercises.length === 0 || !grade.exercises.every(isFull);
  const whole = {
    version: 1,
    status: grade.points === null ? 'error' : failed ? 'fail' : 'pass',
    max_score: grade.maxPoints,
    ...(result.message === undefined ? {} : { message: result.message }),
    tests: grade.points === null ? [] : [...tests, ...late],
  };
  return `${Buffer.from(JSON.stringify(whole)).toString('base64')}\n`;
}

function toClassroomTest(exercise: GradedExercise) {
  const full = isFull(exercise);
  const status = exercise.status === 'infra_error' ? 'error' : full ? 'pass' : 'fail';
  return {
    ...test(exercise.id, status, exercise.points),
    ...(full ? {} : { message: outputOf(exercise), test_code: outputOf(exercise) }),
  };
}

function test(name: string, status: 'pass' | 'fail' | 'error', score: number) {
  return { name, status, score, test_code: '', filename: '', line_no: 0, execution_time: 0 };
}

/** JUnit's XML: a suite a student and chapter, a case an exercise. */
export function* junit(grades: Iterable<Grade>): Generator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="grade">\n';
  for (const grade of grades) yield suite(grade);
  yield '</testsuites>\n';
}

function suite({ student, chapter, row, exercises }: Grade): string {
  const { result } = row;
  const cases = exercises.map((exercise) => testCase(exercise, chapter ?? ''));
  const count = (wanted: string) => cases.filter(({ outcome }) => outcome === wanted).length;
  const [failures, errors] = [count('failure'), count('error')];
  const attributes = [
    ['name', `${student} ${chapter ?? result.status}`],
    ['tests', String(cases.length)],
    ['failures', String(failures)],
    ['errors', String(errors)],
    ['time', String(result.durationMs / 1000)],
    ['timestamp', new Date(row.submittedMs).toISOString().slice(0, 19)],
  ];
  const said = result.message === undefined ? '' : `    <system-err>${xml(result.message)}</system-err>\n`;
  return `  <testsuite${attributesText(attributes)}>\n${cases.map(({ text }) => text).join('')}${said}  </testsuite>\n`;
}

/** A wrong answer is a failure, an exercise that nobody could judge an error. */
function testCase(exercise: GradedExercise, chapter: string): { outcome: string; text: string } {
  const open = `    <testcase${attributesText([
    ['classname', chapter],
    ['name', exercise.id],
    // Ant's and Surefire's schemas ask for it; exercises are not timed one by one
    ['time', '0'],
  ])}`;
  if (isFull(exercise)) return { outcome: 'passed', text: `${open}/>\n` };
  const outcome = exercise.status === 'graded' ? 'failure' : 'error';
  const message = `${exercise.points} of ${exercise.maxPoints} points`;
  const attributes = attributesText([
    ['message', message],
    ['type', exercise.status === 'graded' ? 'failed checks' : exercise.status],
  ]);
  const body = xml(outputOf(exercise));
  return { outcome, text: `${open}>\n      <${outcome}${attributes}>${body}</${outcome}>\n    </testcase>\n` };
}

function attributesText(attributes: readonly (readonly string[])[]): string {
  return attributes.map(([name, value]) => ` ${name}="${xml(value!)}"`).join('');
}

/** XML 1.0 has no place for most control characters. */
function xml(text: string): string {
  return escapeHtml(
    text
      .replace(/\p{Surrogate}/gu, '\ufffd')
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd'),
  );
}

/** "2 days late: 1.5 points off", or nothing. */
export function lateness({ lateDays, penalty }: Pick<Grade, 'lateDays' | 'penalty'>): string[] {
  if (lateDays === 0) return [];
  return [`${lateDays} ${lateDays === 1 ? 'day' : 'days'} late: ${penalty} ${penalty === 1 ? 'point' : 'points'} off`];
}

function isFull({ points, maxPoints, status }: GradedExercise): boolean {
  return points >= maxPoints && (maxPoints > 0 || status === 'graded');
}
