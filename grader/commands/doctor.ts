/** `npx grade doctor`: what can shut in a submission on this machine, and what to do about what cannot. */
import type { Command } from 'commander';
import { printFindings } from './findings';
import { sandboxFindings } from './sandbox';

async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const findings = await sandboxFindings();
  const tier = findings.find(({ ok }) => ok)!.name;
  // version 2: the findings have the shape of those of `npm run doctor`
  printFindings(findings, json ? { version: 2, tier } : undefined);
  if (!json) console.log(`\nSubmissions are graded in: ${tier}`);
  if (tier === 'none') process.exitCode = 1;
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('what protects this machine from submissions')
    .description('Tries every way of shutting a submission in, and says which one grading would use.')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', '\nExit status: 0 when a submission by a stranger can be graded here, else 1.')
    .action(doctor);
}
