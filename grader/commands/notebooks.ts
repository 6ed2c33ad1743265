/** `npm run notebooks`: sources → notebooks, or, with `--check`, whether they are in step. */
import { Command } from 'commander';
import { chapters } from '../chapters/registry';
import { outOfStep, selectChapters, writeNotebooks } from '../authoring/notebooks';
import { course } from '../base/paths';

async function write(names: readonly string[]): Promise<void> {
  for (const name of names) console.log((await writeNotebooks(name, course, chapters)).join('\n'));
}

async function compare(names: readonly string[]): Promise<void> {
  const stale = await outOfStep(names, course, chapters);
  if (stale.length === 0) return console.log(`${names.length} chapters: notebooks in step with their sources`);
  console.error(
    `Out of step with solutions/*.ts:\n${stale.map((file) => `  ${file}`).join('\n')}\nMend it with: npm run notebooks`,
  );
  process.exitCode = 1;
}

const program = new Command('notebooks')
  .description(
    'Builds notebooks/*.ipynb (released, without solutions) and solutions/*.ipynb (complete) from solutions/*.ts.',
  )
  .argument('[chapters...]', 'numbers or names, for example 03 or mixtures; all when none is given')
  .option('--check', 'write nothing; fail when a notebook is out of step with its source')
  .showHelpAfterError('(--help tells the options)')
  .action(async (wanted: string[], { check }: { check?: boolean }) => {
    const names = await selectChapters(course, wanted);
    await (check ? compare(names) : write(names));
  });

program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
