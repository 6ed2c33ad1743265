import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { createCompiler, type Compiler } from '../compile/service';
import type { Exercise } from '../exercise/exercise';
import { chapters, findChapter } from '../chapters/registry';
import { didYouMean } from 'dgm/host';
import { course } from '../base/paths';
import { Fault } from '../exercise/status';
import { Unreadable } from '../compile/reader';
import { onEverySave, tryNotebook, type Tried } from './own-notebook';

interface Options {
  readonly only?: string;
  readonly notebook?: string;
  readonly watch?: boolean;
}

export function addCheck(program: Command): void {
  program
    .command('check')
    .summary('check your notebook, as its cells do')
    .description(
      "Runs the checks of a chapter's notebook on the file as it was saved: the same checks on the same inputs as in its " +
        'cells, without running the rest of the notebook. Errors of the compiler are told by cell and line.',
    )
    .argument('<chapter>', 'the chapter, by number or name')
    .option('--only <exercise>', 'one exercise, for example mixture.emLoop')
    .option('--notebook <file>', 'another file than notebooks/<chapter>.ipynb')
    .option('--watch', 'check again whenever the notebook is saved; Ctrl-C ends it')
    .addHelpText(
      'after',
      '\nExit status: 0 when every check passes, else 1.\n\nExample: npx grade check 03 --only mixture.emLoop --watch',
    )
    .action(run);
}

async function run(name: string, { only, notebook, watch }: Options): Promise<void> {
  const chapter = findChapter(name, chapters);
  const exercises = chosen(await chapter.exercises(), only);
  const file = notebook ?? relative('', join(course.notebooks, `${chapter.name}.ipynb`));
  const compiler = createCompiler();
  try {
    if (watch) await checkAtEverySave(file, exercises, compiler);
    else report(await tryNotebook(file, exercises, compiler));
  } finally {
    compiler.close();
  }
}

function report({ text, allPass }: Tried): void {
  console.log(text);
  process.exitCode = allPass ? 0 : 1;
}

/** What is wrong with one version of the notebook is no reason to stop: the next save may mend it. */
async function checkAtEverySave(file: string, exercises: readonly Exercise[], compiler: Compiler): Promise<void> {
  const checkOnce = async () => {
    console.log(`\n${new Date().toLocaleTimeString()}  ${file}\n`);
    try {
      report(await tryNotebook(file, exercises, compiler));
    } catch (error) {
      if (!(error instanceof Unreadable || error instanceof Fault)) throw error;
      console.error(error.message);
    }
  };
  await onEverySave(file, checkOnce, new AbortController().signal);
}

/** @throws an Error that names the closest ids */
function chosen(exercises: readonly Exercise[], only: string | undefined): readonly Exercise[] {
  if (only === undefined) return exercises;
  const found = exercises.filter(({ id }) => id === only);
  if (found.length > 0) return found;
  const ids = exercises.map(({ id }) => id);
  throw new Error(`this chapter has no exercise '${only}'${didYouMean(only, ids) || `; it has ${ids.join(', ')}`}`);
}
