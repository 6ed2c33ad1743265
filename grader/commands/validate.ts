/** `grade validate`: one notebook before it is handed in. */
import { access } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { chapters } from '../chapters/registry';
import { gradeSubmission } from '../grading/grade-submission';
import { submissionReport } from '../reports/terminal';
import { chapterOption, tierOption, type TierOption } from './options';
import { chooseTier } from './sandbox';
import { withCompiler } from './shared';

interface Options extends TierOption {
  readonly chapter?: string;
}

/** The inputs of the notebook's own checks come from a public seed; these are other ones, but as public. */
const PUBLIC_SEED = 'validate';

async function validate(file: string, { chapter, tier: wanted }: Options): Promise<void> {
  await access(file).catch((error: unknown) => {
    throw new Error(`${file}: the notebook cannot be read: ${(error as Error).message}`);
  });
  // a notebook that came by mail is no less a stranger's than one of a folder
  const { tier } = await chooseTier(wanted, true);
  console.error(
    tier === 'none'
      ? 'Nothing shuts this notebook in: it runs with all your rights. Validate what you wrote, or see `grade doctor`.'
      : `Shut in by ${tier}`,
  );
  await withCompiler(async (compiler) => {
    const setting = { chapters, compiler, seed: PUBLIC_SEED, tier };
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
      'Checks one notebook as grading would, shut in by the strongest means of this machine: is it readable, are the ' +
        'exercises there, do they compile, what do the checks say.',
    )
    .argument('<file>', 'the notebook')
    .addOption(chapterOption())
    .addOption(tierOption())
    .addHelpText('after', '\nExit status: 0 when every exercise earns all its points, else 1.')
    .action(validate);
}
