/** How good probabilities of a yes-or-no question are: do they rank, and do they mean what they say? */

/** A receiver operating characteristic: one point for every threshold, from (0, 0) to (1, 1). */
export interface Roc {
  readonly falsePositiveRate: readonly number[];
  readonly truePositiveRate: readonly number[];
  /** Area under the curve: the probability that a positive example scores higher than a negative one (a tie is half). */
  readonly auc: number;
}

/**
 * The curve of "score ≥ threshold means yes", over all thresholds; examples of equal score move together.
 * Source: T. Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006), sections 5 and 7.
 * @param scores [N], higher means yes @param positive [N], what is true
 * @example roc([0.9, 0.8, 0.3, 0.1], [true, false, true, false]).auc // → 0.75
 */
export function roc(scores: ArrayLike<number>, positive: ArrayLike<boolean | number>): Roc {
  checkPairs('roc', scores, positive);
  const order = Array.from(scores, (_, n) => n).sort((a, b) => scores[b]! - scores[a]!);
  const P = order.filter((n) => positive[n]).length;
  const N = order.length - P;
  if (P === 0 || N === 0) throw new Error(`roc: expected examples of both kinds, got ${P} positive and ${N} negative`);
  const [falsePositiveRate, truePositiveRate] = [[0], [0]];
  let [yes, no, auc] = [0, 0, 0];
  for (const [place, n] of order.entries()) {
    if (positive[n]) yes++;
    else no++;
    if (scores[order[place + 1]!] === scores[n]) continue;
    auc += ((no / N - falsePositiveRate.at(-1)!) * (yes / P + truePositiveRate.at(-1)!)) / 2;
    falsePositiveRate.push(no / N);
    truePositiveRate.push(yes / P);
  }
  return { falsePositiveRate, truePositiveRate, auc };
}

/** The examples whose stated probability lies in one bin. */
export interface ReliabilityBin {
  /** Mean stated probability. */
  readonly stated: number;
  /** How often it was so. */
  readonly observed: number;
  /** A 95 % interval of `observed` (Wilson, 1927). */
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

export interface Reliability {
  /** From low to high probabilities; empty bins are left out. */
  readonly bins: readonly ReliabilityBin[];
  /** Expected calibration error: the mean of |stated − observed| over the bins, weighted by their examples. */
  readonly error: number;
}

/**
 * A reliability diagram's numbers, with bins of equal width.
 * Source: C. Guo and others, On calibration of modern neural networks, ICML 2017, section 2.
 * @param probabilities [N], the stated p(yes) @param positive [N], what is true
 * @example reliability([0.9, 0.9, 0.1], [1, 0, 0]).error // → 0.3
 */
export function reliability(
  probabilities: ArrayLike<number>,
  positive: ArrayLike<boolean | number>,
  bins = 10,
): Reliability {
  checkPairs('reliability', probabilities, positive);
  if (!Number.isInteger(bins) || bins < 1) throw new Error(`reliability: bins must be an integer ≥ 1, got ${bins}`);
  const members: number[][] = Array.from({ length: bins }, () => []);
  Array.from(probabilities).forEach((p, n) => {
    if (!(p >= 0 && p <= 1)) throw new Error(`reliability: probabilities[${n}] is ${p}, expected 0 to 1`);
    members[Math.min(bins - 1, Math.floor(p * bins))]!.push(n);
  });
  const filled = members.filter((own) => own.length > 0).map((own) => summary(own, probabilities, positive));
  const error = filled.reduce((sum, bin) => sum + bin.count * Math.abs(bin.stated - bin.observed), 0);
  return { bins: filled, error: error / probabilities.length };
}

function summary(
  members: readonly number[],
  probabilities: ArrayLike<number>,
  positive: ArrayLike<boolean | number>,
): ReliabilityBin {
  const count = members.length;
  const stated = members.reduce((sum, n) => sum + probabilities[n]!, 0) / count;
  const observed = members.filter((n) => positive[n]).length / count;
  return { stated, observed, ...wilson(observed, count), count };
}

const Z = 1.96; // of a 95 % interval

function wilson(share: number, count: number): { low: number; high: number } {
  const centre = (share + Z ** 2 / (2 * count)) / (1 + Z ** 2 / count);
  const half = (Z * Math.sqrt((share * (1 - share)) / count + Z ** 2 / (4 * count ** 2))) / (1 + Z ** 2 / count);
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

function checkPairs(where: string, scores: ArrayLike<number>, positive: ArrayLike<boolean | number>): void {
  if (scores.length === 0) throw new Error(`${where}: expected at least one example, got none`);
  if (scores.length !== positive.length)
    throw new Error(`${where}: expected an answer for each example, ${scores.length}, got ${positive.length}`);
  const bad = Array.from(scores).findIndex((score) => Number.isNaN(score));
  if (bad >= 0) throw new Error(`${where}: example ${bad} has the score NaN; look where it comes from`);
}
