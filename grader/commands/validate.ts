/** `grade validate`: one notebook before it is handed in. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import { chapters } from '../chapters/registry';
import { gradeSubmission } from '../grading/grade-submission';
import { submissionReport } from '../reports/terminal';
import { chapterOption } from './options';
import { withCompiler } from './shared';

interface Options {
  readonly chapter?: string;
}

/** The inputs of the notebook's own checks come from a public seed; these are other ones, but as public. */
const PUBLIC_SEED = 'validate';

async function validate(file: string, { chapter }: Options): Promise<void> {
  await withCompiler(async (compiler) => {
    const setting = { chapters, compiler, seed: PUBLIC_SEED, tier: 'none' as const };
    const said = chapter === undefined ? {} : { chapter };
    const result = await gradeSubmission({ student: basename(file, '.ipynb'), file }, { ...setting, ...said });
    console.log(submissionReport(result));
    const complete = result.status === 'graded' && result.points === result.maxPoints;
    process.exitCode = complete ? 0 : 1;
  });
}

export function addValidate(program: Command): void {
  program
    .command('validate')
    .summary('check one notebook before handing it in')
    .description(
      'Checks one notebook as grading would: is it readable, are the exercises there, do they compile, what do the checks say.',
    )
    .argument('<file>', 'the notebook')
    .addOption(chapterOption())
    .addHelpText('after', '\nExit status: 0 when every exercise earns all its points, else 1.')
    .action(validate);
}
