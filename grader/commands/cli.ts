/** `npx grade …` */
import { basename } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { Command } from 'commander';
import { addBookCommands } from './book';
import { addCheck } from './check';
import { addGrade } from './grade';
import { addHint, addSolution } from './help';
import { addPublishCommands } from './publish';
import { addRelease } from './release';
import { addSelftest } from './selftest';
import { ANY_CHAPTER, CHAPTER, withCompiler } from './shared';
import { addSimilarity } from './similarity';
import { addDoctor } from './doctor';
import { chapters } from '../chapters/registry';
import { submissionReport } from '../reports/report';
import { gradeSubmission } from '../grading/grade-submission';
import { version } from '../base/version';

interface ValidateOptions {
  readonly chapter?: string;
}

/** The inputs of the notebook's own checks come from a public seed; these are other ones, but as public. */
const PUBLIC_SEED = 'validate';

async function validate(file: string, { chapter }: ValidateOptions): Promise<void> {
  await withCompiler(async (compiler) => {
    const setting = {
      chapters,
      compiler,
      seed: PUBLIC_SEED,
      tier: 'none' as const,
      ...(chapter === undefined ? {} : { chapter }),
    };
    const result = await gradeSubmission({ student: basename(file, '.ipynb'), file }, setting);
    console.log(submissionReport(result));
    const complete = result.status === 'graded' && result.points === result.maxPoints;
    process.exitCode = complete ? 0 : 1;
  });
}

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
  addGrade(program);
  addBookCommands(program);
  addPublishCommands(program);
  addSelftest(program);
  addCheck(program);
  addHint(program);
  addSolution(program);
  addRelease(program);
  addSimilarity(program);
  addDoctor(program);
  return program;
}

/** @param args the words after `grade` */
export async function main(args: readonly string[]): Promise<void> {
  // else tfjs greets whoever grades
  tf.enableProdMode();
  // whoever reads us through `head` has seen enough
  process.stdout.once('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  // `exit` ends the processes that run submissions
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
  } catch (error) {
    console.error(`grade: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
