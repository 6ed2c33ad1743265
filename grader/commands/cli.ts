/** `npx grade …` */
import * as tf from '@tensorflow/tfjs';
import { Command } from 'commander';
import { version } from '../base/version';
import { addBookCommands } from './book';
import { addCheck } from './check';
import { addDoctor } from './doctor';
import { addGrade } from './grade';
import { addHint, addSolution } from './help';
import { addPublishCommands } from './publish';
import { addRelease } from './release';
import { addSelftest } from './selftest';
import { addSimilarity } from './similarity';
import { addValidate } from './validate';

/** The commands and their options. */
export function createProgram(): Command {
  const program = new Command('grade')
    .description('Judges notebooks of the workbook by calling the functions in them. Outputs are never read.')
    .version(version)
    .showHelpAfterError('(--help tells the options)')
    .showSuggestionAfterError();
  addValidate(program);
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
