/** `npx grade doctor`: what can shut in a submission on this machine, and what to do about what cannot. */
import { Option, type Command } from 'commander';
import { tiers, type Tier } from '../sandbox/tier';
import { examineTier, examineTiers, strongestTier, type TierFinding } from '../sandbox/tier-probe';

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

async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const findings = await examineTiers();
  const { tier } = findings.find(({ available }) => available)!;
  console.log(json ? JSON.stringify({ version: 1, tier, findings }, null, 2) : doctorReport(tier, findings));
  if (tier === 'none') process.exitCode = 1;
}

/** One line a tier, and the remedy under what does not hold. */
export function doctorReport(tier: Tier, findings: readonly TierFinding[]): string {
  const lines = findings.flatMap(({ tier: name, available, reason, remedy }) => [
    `${available ? 'yes' : 'no '}  ${name.padEnd(10)}  ${reason}`,
    ...(remedy ? [`${' '.repeat(17)}→ ${remedy}`] : []),
  ]);
  return [...lines, '', `Submissions are graded in: ${tier}`].join('\n');
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
