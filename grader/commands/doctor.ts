/** `npx grade doctor`: what can shut in a submission on this machine, and what to do about what cannot. */
import { Option, type Command } from 'commander';
import { tiers, type Tier } from '../sandbox/tier';
import { examineTier, examineTiers, strongestTier, type TierFinding } from '../sandbox/tier-probe';
import { printFindings, type Finding } from './findings';

/** Adds the command to the program. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('what protects this machine from submissions')
    .description('Tries every way of shutting a submission in, and says which one grading would use.')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', '\nExit status: 0 when a submission by a stranger can be graded here, else 1.')
    .action(doctor);
}

/** The option that names a tier, for the commands that run submissions. */
export function tierOption(): Option {
  return new Option('--tier <tier>', 'what shuts a submission in; the strongest that holds here, unless said').choices([
    ...tiers,
  ]);
}

export const TRUST = '--i-trust-these';

/** What can shut in a submission here, the strongest first: grading uses the first that is ok. */
export async function sandboxFindings(): Promise<Finding[]> {
  const found = await examineTiers();
  return found.map(({ tier, available, ...why }) => ({ part: 'sandbox', name: tier, ok: available, ...why }));
}

async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const findings = await sandboxFindings();
  const tier = findings.find(({ ok }) => ok)!.name;
  // version 2: the findings have the shape of those of `npm run doctor`
  printFindings(findings, json ? { version: 2, tier } : undefined);
  if (!json) console.log(`\nSubmissions are graded in: ${tier}`);
  if (tier === 'none') process.exitCode = 1;
}

/**
 * The tier to grade in.
 * @throws Error when it does not hold, or when it protects from nothing and nobody has said that nothing is needed
 */
export async function chooseTier(wanted: Tier | undefined, trusted: boolean): Promise<TierFinding> {
  const finding = await examineTier(wanted ?? (await strongestTier()));
  if (!finding.available)
    throw new Error(`the tier ${finding.tier} does not hold here: ${finding.reason}; ${finding.remedy}`);
  if (finding.tier === 'none' && !trusted)
    throw new Error(
      `nothing here would protect you from these submissions; \`grade doctor\` tells the remedies, and ${TRUST} ` +
        'says that you have read them, or wrote them',
    );
  return finding;
}
