/** `grade export`, `grade feedback` and `grade statistics`: what leaves the gradebook. */
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { writeAtomically } from 'dgm/host';
import { folderOf } from '../gradebook/grade-folder';
import { feedbackHtml, feedbackMarkdown } from '../reports/feedback';
import { classroom, gradescope, junit } from '../reports/documents';
import { gradeTable, nbgraderTable, notOnRoster } from '../reports/tables';
import { brief } from '../exercise/checking';
import type { Book } from '../gradebook/book';
import { grades, type Grade } from '../gradebook/grades';
import { readRoster, type Roster } from '../gradebook/roster';
import { itemStatistics, statisticsTable } from '../reports/statistics';
import { bookOption, type BookOption } from './options';
import { withBook } from './shared';

/** Formats that hold the whole class in one file. */
const WHOLE: Readonly<Record<string, (book: Book, roster?: Roster) => Iterable<string>>> = {
  csv: gradeTable,
  'nbgrader-csv': nbgraderTable,
  junit: (book) => junit(grades(book)),
};

/** Formats that are a file for each student, and that file's name. */
const EACH: Readonly<Record<string, readonly [name: string, (grade: Grade) => string]>> = {
  gradescope: ['results.json', gradescope],
  'github-classroom': ['result.base64', classroom],
};

interface ExportOptions extends BookOption {
  readonly format: string;
  readonly out?: string;
  readonly roster?: string;
}

/** Formats that have a line for who handed in nothing. */
const WITH_ROSTER = ['csv', 'nbgrader-csv'];

function exportGrades({ format, out, roster: file, ...options }: ExportOptions): Promise<void> {
  return withBook(options, async (book) => {
    if (file !== undefined && !WITH_ROSTER.includes(format))
      throw new Error(
        `${format} has no line for who handed in nothing; --roster goes with ${WITH_ROSTER.join(' or ')}`,
      );
    const roster = file === undefined ? undefined : await readRoster(file);
    for (const student of roster ? notOnRoster(book, roster) : [])
      console.error(`Not on the roster: ${brief(student)}`);
    const whole = WHOLE[format];
    if (whole !== undefined)
      return out === undefined ? print(whole(book, roster)) : writeAtomically(out, whole(book, roster));
    if (out === undefined) throw new Error(`${format} is a file for each student; name a folder with --out`);
    const [name, write] = EACH[format]!;
    let count = 0;
    for (const grade of grades(book)) {
      await writeAtomically(join(out, folderFor(grade), name), write(grade));
      count++;
    }
    console.error(`${count} files in ${out}`);
  });
}

function print(pieces: Iterable<string>): void {
  for (const piece of pieces) process.stdout.write(piece);
}

function folderFor({ student, chapter }: Grade): string {
  return join(folderOf(student), chapter ?? 'unreadable');
}

interface FeedbackOptions extends BookOption {
  readonly out: string;
}

function feedback({ out, ...options }: FeedbackOptions): Promise<void> {
  return withBook(options, async (book) => {
    let count = 0;
    for (const grade of grades(book)) {
      await writeAtomically(join(out, folderFor(grade), 'feedback.html'), feedbackHtml(grade));
      await writeAtomically(join(out, folderFor(grade), 'feedback.md'), feedbackMarkdown(grade));
      count++;
    }
    console.log(`${count} times feedback.html and feedback.md in ${out}`);
  });
}

interface StatisticsOptions extends BookOption {
  readonly json?: boolean;
}

function statistics({ json, ...options }: StatisticsOptions): Promise<void> {
  return withBook(options, (book) => {
    const items = itemStatistics(grades(book));
    console.log(json ? JSON.stringify(items, null, 2) : statisticsTable(items));
  });
}

export function addPublishCommands(program: Command): void {
  program
    .command('export')
    .summary('grades for other systems')
    .description(
      'Writes the grades, after overrides, lateness and the choice of attempts: csv, nbgrader-csv and junit are one ' +
        'file; gradescope (results.json) and github-classroom (the runner’s base64) a file for each student and chapter.',
    )
    .addOption(bookOption())
    .addOption(
      new Option('--format <name>', 'what to write')
        .choices([...Object.keys(WHOLE), ...Object.keys(EACH)])
        .default('csv'),
    )
    .option(
      '--roster <file>',
      'a table with the column student and, if you like, id, last_name, first_name, email: who handed in nothing gets a ' +
        'line, too (csv, nbgrader-csv)',
    )
    .option('--out <path>', 'a file, or the folder of one file for each student; else a file goes to stdout')
    .addHelpText(
      'after',
      '\nExample:\n  npx grade export --format csv --roster class.csv --out grades.csv\n  npx grade export --format gradescope --out gradescope/',
    )
    .action(exportGrades);
  program
    .command('feedback')
    .summary('a page of feedback for each student')
    .description(
      'Writes feedback.html and feedback.md for each student and chapter: what was expected, what came, and the input ' +
        'that shows it. Of a hidden check they say only that one fails.',
    )
    .addOption(bookOption())
    .requiredOption('--out <folder>', 'where <student>/<chapter>/feedback.html and feedback.md are written')
    .addHelpText('after', '\nExample:\n  npx grade feedback --out feedback/')
    .action(feedback);
  program
    .command('statistics')
    .summary('how the exercises did')
    .description(
      'For each exercise: difficulty (mean share of the points), discrimination (correlation with the points in the ' +
        'rest of the chapter), how often which status, and the check that fails most.',
    )
    .addOption(bookOption())
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  npx grade statistics --book graded')
    .action(statistics);
}
