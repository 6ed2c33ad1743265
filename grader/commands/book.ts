/** `grade status`, `grade policy` and `grade override`: what the gradebook knows, and the lecturer's say in it. */
import { Option, type Command } from 'commander';
import { chapters, findExercise } from '../chapters/registry';
import { readSetting, type Book } from '../gradebook/book';
import { counts, holders } from '../gradebook/jobs';
import {
  overrides,
  removeOverride,
  rows,
  setOverride,
  statusCounts,
  type Override,
  type Row,
} from '../gradebook/verdicts';
import { localTime } from '../gradebook/days';
import { readPolicy, studentOf, writePolicy, type Policy } from '../gradebook/policy';
import { didYouMean } from 'dgm/host';
import { duration } from '../reports/terminal';
import {
  bookOption,
  orNone,
  toDeadline,
  toDuration,
  toLateness,
  toNumber,
  toPattern,
  toZone,
  type BookOption,
  type Deadline,
} from './options';
import { withBook } from './shared';

function status(options: BookOption): Promise<void> {
  return withBook(options, (book) => console.log(statusText(book)));
}

function statusText(book: Book): string {
  const { all, done, taken, waiting } = counts(book);
  const verdicts = Object.entries(statusCounts(book)).map(([name, n]) => `  ${String(n).padStart(6)}  ${name}`);
  const graders = holders(book).map((holder) => `  at work: ${holder}`);
  const times = new Set<Row['submittedFrom']>();
  for (const { submittedFrom } of rows(book)) times.add(submittedFrom);
  const changed = overrides(book);
  return [
    `${book.file}: ${all} submissions of ${String(readSetting(book, 'folder'))}`,
    `${done} judged, ${taken} in a grader's hands, ${waiting} waiting`,
    ...verdicts,
    ...graders,
    `Seed: ${String(readSetting(book, 'seed'))}`,
    policyText(readPolicy(book)),
    ...(times.size === 0 ? [] : [`Times of submission: ${[...times].map((from) => SOURCES[from]).join(' and ')}`]),
    ...changed.map(overrideText),
  ].join('\n');
}

const SOURCES = { mtime: 'when the file was last changed', timestamps: 'the timestamps file' };

function policyText({ deadlineMs, zone, graceMs, late, attempts, student }: Policy): string {
  const cost = late === 'zero' ? 'late earns nothing' : `${late}% off for each day begun`;
  const deadline =
    deadlineMs === null
      ? 'no deadline'
      : `deadline ${localTime(deadlineMs, zone)}, grace ${duration(graceMs)}, ${cost}`;
  const who = student === null ? 'every file is a student’s' : `student: ${student}`;
  return `Policy: ${deadline}; the ${attempts} attempt counts; ${who}`;
}

function overrideText({ student, exercise, points, maxPoints, by, reason, atMs }: Override): string {
  const day = new Date(atMs).toISOString().slice(0, 10);
  return `Override: ${student}, ${exercise}: ${points}/${maxPoints} by ${by} on ${day}: ${reason}`;
}

/** `null` takes back, `undefined` leaves as it is. */
interface PolicyOptions extends BookOption {
  readonly deadline?: Deadline | null;
  readonly zone?: string | null;
  readonly grace?: number;
  readonly late?: Policy['late'];
  readonly attempts?: Policy['attempts'];
  readonly student?: string | null;
}

function policy({ book: folder, ...changes }: PolicyOptions): Promise<void> {
  return withBook({ book: folder }, (book) => {
    writePolicy(book, changed(readPolicy(book), changes));
    console.log(policyText(readPolicy(book)));
  });
}

function changed(before: Policy, changes: Omit<PolicyOptions, 'book'>): Policy {
  const { deadline, grace, late, attempts, student } = changes;
  return {
    deadlineMs: deadline === undefined ? before.deadlineMs : (deadline?.ms ?? null),
    zone: zoneAfter(before.zone, changes),
    graceMs: grace ?? before.graceMs,
    late: late ?? before.late,
    attempts: attempts ?? before.attempts,
    student: student === undefined ? before.student : student,
  };
}

/** A zone that was named stays; else the offset of the deadline is all that is known of its place. */
function zoneAfter(before: string | null, { deadline, zone }: Pick<PolicyOptions, 'deadline' | 'zone'>): string | null {
  const named = zone === undefined && !/^[+-]/.test(before ?? '+') ? before : zone;
  return named ?? (deadline === undefined ? before : (deadline?.offset ?? null));
}

interface OverrideOptions extends BookOption {
  readonly points?: number;
  readonly reason?: string;
  readonly by?: string;
  readonly remove?: boolean;
}

function override(named: string, exercise: string, options: OverrideOptions): Promise<void> {
  const student = named.normalize('NFC');
  return withBook(options, async (book) => {
    if (options.remove) return remove(book, student, exercise);
    const { points, reason, by } = options;
    if (points === undefined || reason === undefined || by === undefined)
      throw new Error('an override needs --points, --reason and --by; or --remove takes one back');
    const { chapter, points: maxPoints } = await findExercise(exercise, chapters);
    if (points > maxPoints) throw new Error(`${exercise} is worth ${maxPoints} points, got --points ${points}`);
    requireStudent(book, student);
    setOverride(book, { student, exercise, chapter, points, maxPoints, reason, by });
    console.log(
      overrides(book)
        .filter((one) => one.student === student)
        .map(overrideText)
        .join('\n'),
    );
  });
}

function remove(book: Book, student: string, exercise: string): void {
  // older books may have it as the name was typed
  const mine = overrides(book).filter((one) => one.exercise === exercise && one.student.normalize('NFC') === student);
  if (!mine.map((one) => removeOverride(book, one.student, exercise)).some(Boolean))
    throw new Error(`there is no override of ${exercise} for '${student}'; \`grade status\` lists them`);
  console.log(`${student}, ${exercise}: as the checks say`);
}

function requireStudent(book: Book, student: string): void {
  const { student: pattern } = readPolicy(book);
  const known = new Set<string>();
  for (const { name } of rows(book)) known.add(studentOf(name, pattern));
  if (!known.has(student))
    throw new Error(`there is no student '${student}' in the gradebook${didYouMean(student, [...known])}`);
}

export function addBookCommands(program: Command): void {
  program
    .command('status')
    .summary('what the gradebook knows')
    .description('How many submissions are judged and how, the policy, and the overrides.')
    .addOption(bookOption())
    .addHelpText('after', '\nExample:\n  npx grade status --book graded')
    .action(status);
  program
    .command('policy')
    .summary('deadline, lateness, attempts')
    .description(
      'Shows the policy of the gradebook, or changes what is named. Verdicts do not change: grades are made from them ' +
        'whenever they are exported.',
    )
    .addOption(bookOption())
    .option('--deadline <time>', 'ISO 8601 with its zone, or none', orNone(toDeadline))
    .option(
      '--zone <name>',
      'where days of lateness are counted, as Europe/Amsterdam, or none; else the place of that offset with the fewest',
      orNone(toZone),
    )
    .option('--grace <duration>', 'lateness up to this is forgiven: 30m, 2h, 1d', toDuration)
    .option('--late <cost>', 'percent of the points for each day begun after the deadline, or zero', toLateness)
    .addOption(new Option('--attempts <which>', 'which of several attempts counts').choices(['last', 'best']))
    .option(
      '--student <pattern>',
      'regular expression on a path, whose first group names the student, or none',
      orNone(toPattern),
    )
    .addHelpText(
      'after',
      `
Example: alice/1.ipynb and alice/2.ipynb are two attempts of alice, the better one counts, a day late costs a tenth
  npx grade policy --deadline 2026-01-31T23:59:00+01:00 --grace 15m --late 10 --attempts best --student '^([^/]+)/'`,
    )
    .action(policy);
  program
    .command('override')
    .summary('set an exercise’s points by hand')
    .description(
      'Replaces the points of one exercise of one student, before lateness is taken off. It outlives regrading.',
    )
    .argument('<student>', 'as in grade export')
    .argument('<exercise>', 'for example mixture.em')
    .addOption(bookOption())
    .option('--points <n>', 'the points it shall count', toNumber({ min: 0 }))
    .option('--reason <text>', 'why')
    .option('--by <name>', 'who decided it')
    .option('--remove', 'take the override back')
    .addHelpText(
      'after',
      '\nExample:\n  npx grade override alice mixture.mStep --points 2 --reason "right, but named otherwise" --by "J. Doe"',
    )
    .action(override);
}
