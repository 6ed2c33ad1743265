/** How much time a chapter may take, by the environment variable DGM_BUDGET: a factor, or `full`. */

/**
 * A number of epochs or iterations, scaled by DGM_BUDGET (default 1) and at least 1: a chapter shortened to
 * `DGM_BUDGET=0.05` still runs every line. With `DGM_BUDGET=full` it is the second number.
 * @throws when DGM_BUDGET is neither `full` nor a positive number
 * @example budgeted(60) // → 60
 */
export function budgeted(epochs: number, full = epochs): number {
  const budget = parseBudget(asked());
  return budget === 'full' ? full : Math.max(1, Math.round(epochs * budget));
}

/** Whether trainings may take up to ten minutes each, as those of the committed solutions do. */
export function fullBudget(): boolean {
  return parseBudget(asked()) === 'full';
}

/** An empty variable is as good as none: shells and CI files set such. */
const asked = (): string => process.env['DGM_BUDGET'] || '1';

/** @throws when the text is neither `full` nor a positive number */
export function parseBudget(text: string, name = 'DGM_BUDGET'): number | 'full' {
  if (text === 'full') return text;
  const budget = Number(text);
  if (budget > 0 && Number.isFinite(budget)) return budget;
  throw new Error(`${name} must be a number > 0 or 'full', got '${text}'`);
}
