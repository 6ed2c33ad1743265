/**
 * Truth by brute force: sums over every point of a small world, quadrature, differences for derivatives, and tests of
 * samples. Slow and simple on purpose: what is checked must not share its formulas with what checks it.
 *
 * Log-probabilities are functions of a batch, [N, ...event] → [N], as `model.likelihood.logProb` is.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { permutation } from '../core/random';
import { sizeOf } from '../core/tensor';

/** Log-probabilities of a batch: [N, ...event] → [N]. */
export type LogProb = (x: tf.Tensor) => tf.Tensor;

// Worlds

/**
 * Every vector of `size` coordinates over the given values, the last coordinate running fastest.
 * @example enumerate([0, 1], 2) // → [[0, 0], [0, 1], [1, 0], [1, 1]]
 */
export function enumerate(values: readonly number[], size: number): number[][] {
  if (size === 0) return [[]];
  return enumerate(values, size - 1).flatMap((head) => values.map((value) => [...head, value]));
}

/** The midpoints of a regular grid over [low, high]^size, and the volume of one of its cells. */
export function midpoints(
  low: number,
  high: number,
  steps: number,
  size: number,
): { points: number[][]; cell: number } {
  const width = (high - low) / steps;
  const axis = Array.from({ length: steps }, (_, i) => low + (i + 0.5) * width);
  return { points: enumerate(axis, size), cell: width ** size };
}

/**
 * Σ_x p(x) over every x of a discrete world: 1 for a probability, at most 1 for a bound on one.
 * @param values what one coordinate can be @param eventShape of one x; the world has values^D points
 * @throws when the world has more than a million points
 * @example totalProbability((x) => tf.fill([x.shape[0]!], Math.log(1 / 8)), [0, 1], [3]) // → 1
 */
export function totalProbability(logProb: LogProb, values: readonly number[], eventShape: readonly number[]): number {
  const D = sizeOf(eventShape);
  requireSmall('totalProbability', values.length ** D);
  return sumExp(logProb, enumerate(values, D), eventShape);
}

/**
 * ∫ p(x) dx over [low, high]^D by the midpoint rule, for D = 1 or 2. Its error is O(width²) of the second derivative,
 * and far less for a smooth p that vanishes at the edge.
 * @param steps of the grid, along each axis
 * @example
 * integrate((x) => logNormal(x, tf.zeros([1]), tf.zeros([1])), { low: -9, high: 9, dimensions: 1 }) // → 1.0000
 */
export function integrate(
  logDensity: LogProb,
  { low, high, dimensions, steps = dimensions === 1 ? 4000 : 300 }: Interval,
): number {
  if (dimensions !== 1 && dimensions !== 2)
    throw new Error(`integrate: dimensions must be 1 or 2, got ${String(dimensions)}; a grid grows as steps^D`);
  if (!(high > low)) throw new Error(`integrate: expected low < high, got ${low} and ${high}`);
  requireSmall('integrate', steps ** dimensions);
  const { points, cell } = midpoints(low, high, steps, dimensions);
  return sumExp(logDensity, points, [dimensions]) * cell;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly dimensions: 1 | 2;
  readonly steps?: number;
}

function requireSmall(where: string, points: number): void {
  if (points > 1e6) throw new Error(`${where}: ${points} points are too many, at most 10⁶; use a smaller world`);
}

/** Σ exp logProb(x) in float64, a few thousand points at a time. */
function sumExp(logProb: LogProb, points: readonly (readonly number[])[], eventShape: readonly number[]): number {
  const atOnce = 4096;
  let sum = 0;
  for (let start = 0; start < points.length; start += atOnce) {
    const part = points.slice(start, start + atOnce);
    const values = tf.tidy(() => logProb(tf.tensor(part.flat(), [part.length, ...eventShape])).dataSync());
    if (values.length !== part.length)
      throw new Error(`logProb must give one number a point, expected ${part.length}, got ${values.length}`);
    for (const value of values) sum += Math.exp(value);
  }
  return sum;
}

// Derivatives

/**
 * ∂f/∂x_i by central differences: the error is O(step²) from the curvature and O(ε / step) from rounding.
 * @example numericalGradient(([x, y]) => x! * x! * y!, [3, 2]) // → [12.000, 9.000]
 */
export function numericalGradient(f: (x: readonly number[]) => number, x: readonly number[], step = 1e-4): number[] {
  return numericalJacobian((at) => [f(at)], x, step)[0]!;
}

/** J_ij = ∂f_i/∂x_j by central differences, as `numericalGradient`: one row an output. */
export function numericalJacobian(
  f: (x: readonly number[]) => readonly number[],
  x: readonly number[],
  step = 1e-4,
): number[][] {
  const columns = x.map((_, j) => {
    const at = (shift: number) => f(x.map((value, i) => (i === j ? value + shift : value)));
    const [above, below] = [at(step), at(-step)];
    return above.map((value, i) => (value - below[i]!) / (2 * step));
  });
  return (columns[0] ?? []).map((_, i) => columns.map((column) => column[i]!));
}

/**
 * ln |det A| of a square matrix by elimination with pivots; −∞ when A is singular.
 * @example logAbsDet(numericalJacobian(([x, y]) => [2 * x!, x! + y!], [1, 1])) // → 0.6931
 */
export function logAbsDet(matrix: readonly (readonly number[])[]): number {
  const n = matrix.length;
  const bad = matrix.findIndex((row) => row.length !== n);
  if (bad >= 0)
    throw new Error(`logAbsDet: expected a square matrix, got ${n} rows and ${matrix[bad]!.length} columns`);
  const rows = matrix.map((row) => [...row]);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const rest = rows.slice(i).map((row) => Math.abs(row[i]!));
    const pivot = i + rest.indexOf(Math.max(...rest));
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    const head = rows[i]!;
    sum += Math.log(Math.abs(head[i]!));
    if (head[i] === 0) return -Infinity;
    for (const row of rows.slice(i + 1)) {
      const factor = row[i]! / head[i]!;
      for (let j = i; j < n; j++) row[j] = row[j]! - factor * head[j]!;
    }
  }
  return sum;
}

// Samples

/** A test's statistic, and an upper bound on the probability of one as large if nothing is wrong. */
export interface TestResult {
  readonly statistic: number;
  readonly pValue: number;
}

export interface TwoSampleOptions {
  /** Default: 200 */
  readonly permutations?: number;
  /** Default: 'energy' */
  readonly distance?: 'energy' | 'kernel';
}

/**
 * Do two samples come from the same distribution? The energy distance
 *   2 E‖a − b‖ − E‖a − a′‖ − E‖b − b′‖ ≥ 0, with 0 only for equal distributions (Székely and Rizzo, 2004),
 * against what it is when the labels are dealt out anew: the share of permutations at least as far, (1 + hits) /
 * (1 + permutations), is an exact p-value whatever the distribution. O((N + M)² D) and O((N + M)²) a permutation.
 *
 * By a kernel it is the squared maximum mean discrepancy, E k(a, a′) + E k(b, b′) − 2 E k(a, b), with
 * k = exp(−‖a − b‖² / 2 w²) and w the median distance (Gretton et al., A kernel two-sample test, 2012): the same formula
 * with 1 − k in place of the distance (Sejdinovic et al., 2013), blind to what lies farther than w.
 * @param a [N, ...event] @param b [M, ...event]
 */
export function twoSampleTest(
  a: tf.Tensor,
  b: tf.Tensor,
  rng: Rng,
  { permutations = 200, distance = 'energy' }: TwoSampleOptions = {},
): TestResult {
  if (a.shape.slice(1).join() !== b.shape.slice(1).join())
    throw new Error(`twoSampleTest: samples of one shape, got [${a.shape.join(', ')}] and [${b.shape.join(', ')}]`);
  const [N, M] = [a.shape[0]!, b.shape[0]!];
  if (N < 2 || M < 2) throw new Error(`twoSampleTest: two examples or more on each side, got ${N} and ${M}`);
  const euclidean = pairwiseDistances([...rowsOf(a), ...rowsOf(b)]);
  const distances = distance === 'kernel' ? byKernel(euclidean, N + M) : euclidean;
  const identity = Int32Array.from({ length: N + M }, (_, i) => i);
  const statistic = energyDistance(distances, identity, N);
  let hits = 0;
  for (let i = 0; i < permutations; i++) {
    const order = permutation(N + M, rng.fork(`permutation ${i}`));
    if (energyDistance(distances, order, N) >= statistic - 1e-12) hits++;
  }
  return { statistic, pValue: (1 + hits) / (1 + permutations) };
}

function pairwiseDistances(rows: readonly Float32Array[]): Float64Array {
  const n = rows.length;
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) {
      const [a, b] = [rows[i]!, rows[j]!];
      let squared = 0;
      for (let d = 0; d < a.length; d++) squared += (a[d]! - b[d]!) ** 2;
      out[i * n + j] = out[j * n + i] = Math.sqrt(squared);
    }
  return out;
}

/** 1 − exp(−d² / 2 w²), with w the median of the distances between two points. */
function byKernel(distances: Float64Array, n: number): Float64Array {
  const apart = distances.filter((_, at) => at % n < Math.floor(at / n)).sort();
  const width = apart[Math.floor(apart.length / 2)]!;
  if (width === 0)
    throw new Error('twoSampleTest: more than half of all points are the same; there is no median distance');
  return distances.map((d) => 1 - Math.exp(-0.5 * (d / width) ** 2));
}

/** Of the first N rows in this order against the others. */
function energyDistance(distances: Float64Array, order: Int32Array, N: number): number {
  const total = order.length;
  let [within, other, between] = [0, 0, 0];
  for (let i = 0; i < total; i++)
    for (let j = 0; j < i; j++) {
      const distance = distances[order[i]! * total + order[j]!]!;
      if (i < N) within += distance;
      else if (j >= N) other += distance;
      else between += distance;
    }
  const M = total - N;
  return (2 * between) / (N * M) - (2 * within) / (N * N) - (2 * other) / (M * M);
}

/** sup |F_n − F| of a sample, Kolmogorov's distance to a distribution function. */
export function ksDistance(sample: ArrayLike<number>, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(Array.from(sample)).sort();
  const n = sorted.length;
  return sorted.reduce((worst, x, i) => Math.max(worst, cdf(x) - i / n, (i + 1) / n - cdf(x)), 0);
}

/**
 * A bound on Kolmogorov's sup |F_n − F| that holds with probability 1 − falseAlarm
 * (Dvoretzky, Kiefer and Wolfowitz, with Massart's constant, 1990).
 */
export function ksBound(n: number, falseAlarm = 1e-6): number {
  return Math.sqrt(Math.log(2 / falseAlarm) / (2 * n));
}

/**
 * Does a sample come from the distribution function F? p ≤ 2 exp(−2 n sup |F_n − F|²), which holds for every n and F
 * (see `ksBound`).
 */
export function ksTest(sample: ArrayLike<number>, cdf: (x: number) => number): TestResult {
  if (sample.length === 0) throw new Error('ksTest: the sample is empty');
  const statistic = ksDistance(sample, cdf);
  return { statistic, pValue: Math.min(1, 2 * Math.exp(-2 * sample.length * statistic ** 2)) };
}

/**
 * Is a forecast calibrated? For x ~ F, F(x) is uniform on [0, 1]; for an integer, F(x − 1) + u p(x) with u ~ U[0, 1)
 * is (probability integral transform: Dawid, 1984; randomised: Czado, Gneiting and Held, 2009). A forecast that is too
 * narrow has too many values near 0 and 1, one that is too wide too many in the middle.
 * @param probabilities [N][V], the forecast of each outcome @param outcomes [N], integers 0 … V − 1
 */
export function calibrationTest(
  probabilities: readonly ArrayLike<number>[],
  outcomes: ArrayLike<number>,
  rng: Rng,
): TestResult {
  const N = probabilities.length;
  if (outcomes.length !== N)
    throw new Error(`calibrationTest: expected an outcome a forecast, ${N}, got ${outcomes.length}`);
  const draws = rng.uniform([N]);
  const u = draws.dataSync();
  draws.dispose();
  const transformed = probabilities.map((p, n) => {
    const outcome = outcomes[n]!;
    if (!(outcome in p)) throw new Error(`calibrationTest: outcome ${n} is ${outcome}, expected 0 … ${p.length - 1}`);
    let below = 0;
    for (let v = 0; v < outcome; v++) below += p[v]!;
    return below + u[n]! * p[outcome]!;
  });
  return ksTest(transformed, (x) => Math.min(1, Math.max(0, x)));
}

/**
 * Pearson's Σ (observed − expected)² / expected over the cells that expect at least 5 (the others pooled), and the
 * value it exceeds with probability 3·10⁻⁷ (z = 5, by the Wilson–Hilferty approximation, 1931).
 */
export function chiSquare(
  observed: readonly number[],
  expected: readonly number[],
): { readonly statistic: number; readonly bound: number } {
  const cells: [number, number][] = [];
  const rest: [number, number] = [0, 0];
  observed.forEach((count, i) => {
    if (expected[i]! >= 5) cells.push([count, expected[i]!]);
    else {
      rest[0] += count;
      rest[1] += expected[i]!;
    }
  });
  if (rest[1] >= 5) cells.push(rest);
  const statistic = cells.reduce((sum, [count, wanted]) => sum + (count - wanted) ** 2 / wanted, 0);
  const freedom = Math.max(1, cells.length - 1);
  return { statistic, bound: freedom * (1 - 2 / (9 * freedom) + 5 * Math.sqrt(2 / (9 * freedom))) ** 3 };
}

/**
 * Φ(x), from the series with positive terms (Marsaglia, Evaluating the Normal Distribution, 2004).
 * @example normalCdf(1.96) // → 0.9750
 */
export function normalCdf(x: number): number {
  if (Math.abs(x) > 8) return x < 0 ? 0 : 1;
  let [sum, term] = [x, x];
  for (let i = 3; Math.abs(term) > 1e-17; i += 2) sum += term *= (x * x) / i;
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

function rowsOf(x: tf.Tensor): Float32Array[] {
  const values = x.dataSync() as Float32Array;
  const width = values.length / x.shape[0]!;
  return Array.from({ length: x.shape[0]! }, (_, n) => values.slice(n * width, (n + 1) * width));
}
