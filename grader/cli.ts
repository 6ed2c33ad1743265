/** `npx grade …` */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { gradeFolder } from './batch';
import { isolation } from './command';
import { addCheck } from './commands/check';
import { addHint, addSolution } from './commands/help';
import { addRelease } from './commands/release';
import { addSimilarity } from './commands/similarity';
import { createCompiler, type Compiler } from './compiler';
import { chapters, findChapter, hasHidden } from './exercises';
import { createPool } from './pool';
import { chapterTable, progressLine, releaseTable, selftestJson, submissionReport, summary } from './report';
import { course } from './rooms';
import { selftest } from './selftest';
import { gradeSubmission } from './submission';
import { version } from './version';

interface ValidateOptions {
  readonly chapter?: string;
}

/** The inputs of the notebook's own checks come from a public seed; these are other ones, but as public. */
const PUBLIC_SEED = 'validate';

async function validate(file: string, { chapter }: ValidateOptions): Promise<void> {
  await withCompiler(async (compiler) => {
    const setting = { chapters, compiler, seed: PUBLIC_SEED, ...(chapter === undefined ? {} : { chapter }) };
    const result = await gradeSubmission({ student: basename(file, '.ipynb'), file }, setting);
    console.log(submissionReport(result));
    const complete = result.status === 'graded' && result.points === result.maxPoints;
    process.exitCode = complete ? 0 : 1;
  });
}

interface GradeOptions {
  readonly out: string;
  readonly jobs: number;
  readonly chapter?: string;
  readonly seed: string;
  readonly json?: boolean;
}

async function grade(folder: string, { out, jobs, chapter, seed, json }: GradeOptions): Promise<void> {
  if (chapter !== undefined) findChapter(chapter, chapters);
  console.error(`${isolation()}\nSeed: ${seed}`);
  if (!hasHidden)
    console.error('This copy was released to students: it has no hidden checks, and grades by the public ones.');
  await withCompiler(async (compiler) => {
    const pool = createPool(compiler);
    try {
      const results = await gradeFolder({
        folder,
        out,
        jobs,
        grade: (submission) => pool.grade({ submission, seed, ...(chapter === undefined ? {} : { chapter }) }),
        onResult: (result, done, all) => console.error(progressLine(result, done, all)),
      });
      console.error(`${results.length} submissions: ${summary(results)}`);
      console.log(json ? JSON.stringify(results, null, 2) : `${out}/grades.csv`);
      if (results.some(({ status }) => status === 'infra_error')) process.exitCode = 1;
    } finally {
      pool.close();
    }
  });
}

interface SelftestOptions {
  readonly json?: boolean;
  readonly chapter?: string;
}

async function test({ json, chapter }: SelftestOptions): Promise<void> {
  const wanted = chapter === undefined ? chapters : [findChapter(chapter, chapters)];
  await withCompiler(async (compiler) => {
    const report = await selftest(wanted, course, compiler, (done) => json || console.log(chapterTable(done)));
    const verdict = report.ok ? 'Everything holds.' : 'Some of it does not hold: see ✗ above.';
    console.log(json ? selftestJson(report) : `${releaseTable(report)}\n${verdict}`);
    process.exitCode = report.ok ? 0 : 1;
  });
}

async function withCompiler(work: (compiler: Compiler) => Promise<void>): Promise<void> {
  const compiler = createCompiler();
  try {
    await work(compiler);
  } finally {
    compiler.close();
  }
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return number;
}

const CHAPTER = '--chapter <name>';
const ANY_CHAPTER = 'the chapter, by number or name, whatever the notebooks say of themselves';

function createProgram(): Command {
  const program = new Command('grade')
    .description('Judges notebooks of the workbook by calling the functions in them. Outputs are never read.')
    .version(version)
    .showHelpAfterError('(--help tells the options)')
    .showSuggestionAfterError();
  program
    .command('validate')
    .summary('check one notebook before handing it in')
    .description(
      'Checks one notebook as grading would: is it readable, are the exercises there, do they compile, what do the checks say.',
    )
    .argument('<file>', 'the notebook')
    .option(CHAPTER, ANY_CHAPTER)
    .addHelpText('after', '\nExit status: 0 when every exercise earns all its points, else 1.')
    .action(validate);
  program
    .command('grade')
    .summary('grade a folder of notebooks')
    .description(
      'Grades every *.ipynb in a folder and below. A broken notebook gets a status of its own and stops nobody.',
    )
    .argument('<folder>', 'the submissions; the path below it, without .ipynb, names the student')
    .requiredOption('--out <folder>', 'where grades.csv and <student>/result.json are written, as the results come')
    .option('--jobs <n>', 'how many to grade at the same time', positive, availableParallelism())
    .option(CHAPTER, ANY_CHAPTER)
    .addOption(
      new Option('--seed <text>', 'decides the inputs, with student and exercise; repeats a grading').default(
        randomBytes(8).toString('hex'),
        'a random one',
      ),
    )
    .option('--json', 'print all results as JSON')
    .addHelpText(
      'after',
      '\nExit status: 0 when every submission was graded, whatever its marks; 1 when some could not be, through no fault of theirs.',
    )
    .action(grade);
  program
    .command('selftest')
    .summary('grade the grader')
    .description(
      'For every chapter: the solution earns everything, the untouched release nothing, the checks reject every ' +
        'known mistake, the hidden checks reject answers learnt by heart from the public ones, and what students get shows ' +
        'no line of a solution and no hidden check.',
    )
    .option(CHAPTER, 'one chapter only, by number or name')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', '\nExit status: 0 when all of that holds, else 1.')
    .action(test);
  addCheck(program);
  addHint(program);
  addSolution(program);
  addRelease(program);
  addSimilarity(program);
  return program;
}

/** @param args the words after `grade` */
export async function main(args: readonly string[]): Promise<void> {
  // else tfjs greets whoever grades
  tf.enableProdMode();
  // `exit` ends the processes that run submissions
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
  } catch (error) {
    console.error(`grade: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
