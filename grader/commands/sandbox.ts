/** What can shut a submission in on this machine, as findings of a doctor; and the choice of what shall. */
import type { Tier } from '../sandbox/tier';
import { examineTier, examineTiers, strongestTier, type TierFinding } from '../sandbox/tier-probe';
import type { Finding } from './findings';
import { TRUST } from './options';

/** The strongest first: grading uses the first that is ok. */
export async function sandboxFindings(): Promise<Finding[]> {
  const found = await examineTiers();
  return found.map(({ tier, available, ...why }) => ({ part: 'sandbox', name: tier, ok: available, ...why }));
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
