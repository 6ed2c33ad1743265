/**
 * What can be said of a model by its samples alone: which modes they reach, whether they lie where data lie and the other
 * way round, and how far in one dimension the one has to be moved to be the other. Plain loops over points [N][D].
 */

/** N points of D coordinates, [N][D]. */
export type SamplePoints = readonly (readonly number[])[];

export interface ModeCoverage {
  /** Modes with at least a tenth of the high-quality samples that are due to them, N / K. */
  readonly covered: number;
  /** Of all samples, how many lie within the radius of a mode. */
  readonly highQuality: number;
  /** KL(shares ‖ even) of the high-quality samples over the modes, in nats: 0 where all have the same, ln K where one has all; Infinity where there are none. */
  readonly kl: number;
  /** Of the high-quality samples, how many are each mode's. */
  readonly shares: readonly number[];
}

/**
 * Samples counted by modes that are known (Srivastava et al., VEEGAN, 2017, section 4): one is of high quality when it
 * lies within `radius` of a mode.
 * @param x [N][D] @param modes [K][D], of equal mass @param radius mostly three deviations
 */
export function modeCoverage(x: SamplePoints, modes: SamplePoints, radius: number): ModeCoverage {
  checkPoints('modeCoverage: x', x);
  checkPoints('modeCoverage: modes', modes, x[0]!.length);
  if (!(radius > 0)) throw new Error(`modeCoverage: radius must be above 0, got ${radius}`);
  const K = modes.length;
  const counts = modes.map(() => 0);
  for (const point of x) {
    const distances = modes.map((mode) => distance(point, mode));
    const nearest = distances.indexOf(Math.min(...distances));
    if (distances[nearest]! <= radius) counts[nearest]!++;
  }
  const good = counts.reduce((sum, count) => sum + count, 0);
  const shares = counts.map((count) => (good === 0 ? 0 : count / good));
  return {
    covered: counts.filter((count) => count >= (0.1 * x.length) / K).length,
    highQuality: good / x.length,
    kl: good === 0 ? Infinity : shares.reduce((sum, share) => sum + (share === 0 ? 0 : share * Math.log(share * K)), 0),
    shares,
  };
}

export interface PrecisionRecall {
  /** Of the samples, how many lie where data are. */
  readonly precision: number;
  /** Of the data, how many lie where samples are. */
  readonly recall: number;
}

/**
 * Where a set is, is said by its points: within a ball around each, as far as its k-th neighbour in the set
 * (Kynkäänniemi et al., Improved precision and recall metric for assessing generative models, 2019).
 * @param real [N][D] @param fake [M][D] @param k of neighbours, below N and M. Default: 3
 */
export function precisionRecall(real: SamplePoints, fake: SamplePoints, k = 3): PrecisionRecall {
  checkPoints('precisionRecall: real', real);
  checkPoints('precisionRecall: fake', fake, real[0]!.length);
  const fewest = Math.min(real.length, fake.length);
  if (!Number.isInteger(k) || k < 1 || k >= fewest)
    throw new Error(`precisionRecall: k must be an integer from 1 to below ${fewest}, the points of a set, got ${k}`);
  return { precision: shareWithin(real, fake, k), recall: shareWithin(fake, real, k) };
}

/** Of the points, how many lie in the ball of any of the others' set. */
function shareWithin(set: SamplePoints, points: SamplePoints, k: number): number {
  const radii = set.map((centre) => set.map((other) => distance(centre, other)).sort((a, b) => a - b)[k]!); // the first is its own
  const inside = points.filter((point) => set.some((centre, i) => distance(point, centre) <= radii[i]!));
  return inside.length / points.length;
}

/**
 * W₁ of two samples of numbers, exactly: in order, each is moved to the other of the same rank; ∫ |F_a − F_b| where
 * there are not as many of both.
 * @example wasserstein1d([0, 2], [1, 1]) // → 1
 */
export function wasserstein1d(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length === 0 || b.length === 0) throw new Error('wasserstein1d: expected numbers on both sides, got none');
  const [first, second] = [a, b].map((values) => Float64Array.from(Array.from(values)).sort()) as [Float64Array, Float64Array]; // prettier-ignore
  const [N, M] = [first.length, second.length];
  let [i, j, rank, sum] = [0, 0, 0, 0];
  while (i < N && j < M) {
    const next = Math.min((i + 1) / N, (j + 1) / M);
    sum += (next - rank) * Math.abs(first[i]! - second[j]!);
    const [endOfFirst, endOfSecond] = [(i + 1) * M <= (j + 1) * N, (j + 1) * N <= (i + 1) * M]; // in integers, exactly
    if (endOfFirst) i++;
    if (endOfSecond) j++;
    rank = next;
  }
  return sum;
}

const distance = (a: readonly number[], b: readonly number[]) => Math.sqrt(a.reduce((sum, v, d) => sum + (v - b[d]!) ** 2, 0)); // prettier-ignore

function checkPoints(what: string, points: SamplePoints, D = points[0]?.length): void {
  if (points.length === 0) throw new Error(`${what} has no points`);
  const bad = points.findIndex((point) => point.length !== D || !point.every(Number.isFinite));
  if (bad >= 0) throw new Error(`${what}: point ${bad} is [${points[bad]!.join(', ')}], expected ${D} finite numbers`);
}
