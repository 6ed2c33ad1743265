/** `npm run bench`: of training steps, or with --grader of grading. */
import { runCommand } from '../command-line/command';

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const others = args.filter((arg) => arg !== '--grader');
  if (others.length === args.length) {
    const { COMMAND, bench } = await import('./bench.js');
    return runCommand(module, COMMAND, bench, args);
  }
  const { COMMAND, bench } = await import('./grader/bench.js');
  runCommand(module, COMMAND, bench, others);
}

void main();
