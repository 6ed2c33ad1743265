import type { Command } from 'commander';
import { chapters, findExercise } from '../chapters/registry';
import { askedHints } from '../student/help';
import { standingOf } from '../student/progress';
import { solutionOf } from '../student/solution';
import { helpLines } from '../student/report';

export function addHint(program: Command): void {
  program
    .command('hint')
    .summary('show the hints of an exercise that are open')
    .description('Shows the hints of an exercise that are open: the first on asking, one more after each failed try.')
    .argument('<exercise>', 'for example mixture.emLoop')
    .addHelpText('after', '\nExample: npx grade hint mixture.emLoop')
    .action(async (id: string) => {
      const exercise = await findExercise(id, chapters);
      console.log(helpLines(askedHints(exercise, standingOf(id))).join('\n'));
    });
}

export function addSolution(program: Command): void {
  program
    .command('solution')
    .summary('show the worked solution of an exercise, when it is open')
    .description(
      'Shows the worked solution of an exercise. It opens when your function has passed its checks, in a cell or by ' +
        'grade check, or after as many failed tries as your lecturer has set.',
    )
    .argument('<exercise>', 'for example mixture.emLoop')
    .addHelpText('after', '\nExit status: 0 when it is open, else 1.\n\nExample: npx grade solution mixture.emLoop')
    .action(async (id: string) => {
      const { closed, text } = await solutionOf(id, chapters);
      console.log(closed ?? text);
      process.exitCode = closed === undefined ? 0 : 1;
    });
}
