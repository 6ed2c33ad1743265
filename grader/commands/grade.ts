/** `grade grade` and `grade regrade`: a folder of submissions, and some of them once more. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { gradeFolder, regrade, type BatchReport, type Work } from '../gradebook/grade-folder';
import { chapters, findChapter, hasHidden, isCalled } from '../chapters/registry';
import { readTimestamps } from '../gradebook/arrival';
import type { Book } from '../gradebook/book';
import { rows } from '../gradebook/verdicts';
import { brief } from '../exercise/checking';
import { bundleOf } from '../gradebook/bundle';
import { select } from '../gradebook/select';
import { createPool } from '../grading/pool';
import { progressLine } from '../reports/terminal';
import {
  bookOption,
  chapterOption,
  jobsOption,
  tierOption,
  trustOption,
  type BookOption,
  type JobsOption,
  type TierOption,
  type TrustOption,
} from './options';
import { chooseTier } from './sandbox';
import { withBook, withCompiler } from './shared';

/** How submissions are graded, whichever they are. */
type WorkOptions = JobsOption & TierOption & TrustOption;

interface GradeOptions extends WorkOptions {
  readonly out: string;
  readonly chapter?: string;
  readonly seed?: string;
  readonly resume?: boolean;
  readonly timestamps?: string;
  readonly json?: boolean;
}

async function grade(folder: string, options: GradeOptions): Promise<void> {
  const { out, chapter, seed, resume, timestamps, json } = options;
  const found = chapter === undefined ? undefined : findChapter(chapter, chapters).name;
  const times = timestamps === undefined ? undefined : await readTimestamps(timestamps);
  const report = await withWork(options, (work) =>
    gradeFolder({
      ...work,
      folder,
      out,
      bundleOf: bundleOnce(),
      ...(found === undefined ? {} : { chapter: found }),
      ...(seed === undefined ? {} : { seed }),
      ...(resume === undefined ? {} : { resume }),
      ...(times === undefined ? {} : { timestamps: times }),
    }),
  );
  conclude(report);
  if (json) await printJson(out);
  else console.log(join(out, 'grades.csv'));
}

/** The bundle of the chapter that a notebook means, by whichever of its names; hashed once each. */
function bundleOnce(): (name: string | undefined) => Promise<string> {
  const known = new Map<string | undefined, Promise<string>>();
  return (name) => {
    const chapter = chapters.find((one) => name !== undefined && isCalled(one.name, name))?.name;
    const bundle = known.get(chapter) ?? bundleOf(chapter);
    known.set(chapter, bundle);
    return bundle;
  };
}

interface RegradeOptions extends BookOption, WorkOptions {
  readonly only?: string[];
}

async function again({ book: out, only = [], ...options }: RegradeOptions): Promise<void> {
  const wanted = await withBook({ book: out }, (book) => select(book, only));
  console.error(`${wanted.length} submissions to grade again`);
  conclude(await withWork(options, (work) => regrade(out, wanted, { ...work, bundleOf: bundleOnce() })));
  console.log(join(out, 'grades.csv'));
}

async function withWork(
  { jobs, tier: wanted, iTrustThese = false }: WorkOptions,
  act: (work: Work) => Promise<BatchReport>,
): Promise<BatchReport> {
  const { tier, reason } = await chooseTier(wanted, iTrustThese);
  console.error(`Shut in by ${tier}: ${reason}`);
  if (!hasHidden)
    console.error('This copy was released to students: it has no hidden checks, and grades by the public ones.');
  return withCompiler(async (compiler) => {
    const pool = createPool(compiler);
    try {
      return await act({
        jobs,
        grade: (submission, setting) => pool.grade({ submission, ...setting, tier }),
        onResult: (result, progress) => console.error(progressLine(result, progress)),
      });
    } finally {
      pool.close();
    }
  });
}

function conclude({ seed, all, statuses, others, passedOver, withdrawn, unwritten }: BatchReport): void {
  for (const { name, why } of passedOver) console.error(`Passed over: ${brief(name)}: ${why}`);
  for (const name of withdrawn) console.error(`No longer in the folder, and out of the book: ${brief(name)}`);
  for (const { name, why } of unwritten)
    console.error(`In the gradebook alone, since its result.json cannot be written (${why}): ${brief(name)}`);
  const summary = Object.entries(statuses).map(([status, n]) => `${n} ${status}`);
  console.error(`${all} submissions: ${summary.join(', ')}\nSeed: ${seed}`);
  if (others.length > 0) console.error(`Other graders are still at work on this book: ${others.join('; ')}`);
  if (others.length > 0 || unwritten.length > 0 || statuses['infra_error'] !== undefined) process.exitCode = 1;
}

/** One array, printed result by result. */
function printJson(out: string): Promise<void> {
  return withBook({ book: out }, (book) => {
    for (const text of jsonPieces(book)) process.stdout.write(text);
  });
}

function* jsonPieces(book: Book): Generator<string> {
  let before = '[\n';
  for (const { result } of rows(book)) {
    yield before + JSON.stringify(result, null, 2);
    before = ',\n';
  }
  yield '\n]\n';
}

export function addGrade(program: Command): void {
  program
    .command('grade')
    .summary('grade a folder of notebooks')
    .description(
      'Grades every *.ipynb in a folder and below. A broken notebook gets a status of its own and stops nobody. ' +
        'Every verdict is kept in a gradebook as it comes: a grading that was interrupted goes on with --resume.',
    )
    .argument('<folder>', 'the submissions; the path below it, without .ipynb, names the student')
    .option('--out <folder>', 'where gradebook.sqlite, grades.csv and <student>/result.json are written', 'graded')
    .addOption(jobsOption())
    .option('--resume', 'go on with the gradebook in --out: only what is new, changed or not yet judged is graded')
    .option(
      '--timestamps <file>',
      'lines name,time (ISO 8601 with zone): when each was handed in; else the file’s mtime',
    )
    .addOption(chapterOption())
    .option(
      '--seed <text>',
      'decides the inputs, with student and exercise; a random one for a new gradebook, which keeps it',
    )
    .addOption(tierOption())
    .addOption(trustOption())
    .option('--json', 'print all results as JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 when every submission was graded, whatever its marks; 1 when some could not be, through no fault of theirs,
or when a result.json could not be written.

Example:
  npx grade grade submissions/ --out graded --jobs 4
  npx grade grade submissions/ --out graded --jobs 4 --resume    after an interruption, or when more came in`,
    )
    .action(grade);
  program
    .command('regrade')
    .summary('grade some submissions once more')
    .description(
      'Grades submissions of the gradebook again, all or some. Overrides stay. A submission is graded as a whole, ' +
        'also when an exercise selects it.',
    )
    .addOption(bookOption())
    .addOption(jobsOption())
    .addOption(tierOption())
    .addOption(trustOption())
    .option('--only <what...>', 'students, exercises (mixture.em) or statuses (timeout); all when none is named')
    .addHelpText(
      'after',
      '\nExample:\n  npx grade regrade --only timeout died\n  npx grade regrade --only mixture.mStep',
    )
    .action(again);
}
