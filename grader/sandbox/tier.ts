/** From the strongest: a tier is used only where it holds. */
export const tiers = ['bubblewrap', 'container', 'limits', 'none'] as const;

/**
 * What stands between a submission and this machine. `limits` bounds time, memory and files, which hostile code can
 * get around; `none` bounds time, memory and output, and nothing else.
 */
export type Tier = (typeof tiers)[number];
