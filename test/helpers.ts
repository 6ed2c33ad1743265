/** What the tests share: worlds to enumerate, quadrature, numerical gradients, and bounds for random quantities. */
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import type { Rng } from 'dgm';

/** Every vector of `size` coordinates over the given values. */
export function enumerate(values: readonly number[], size: number): number[][] {
  if (size === 0) return [[]];
  return enumerate(values, size - 1).flatMap((head) => values.map((value) => [...head, value]));
}

/** The midpoints of a regular grid over [low, high]^size, and the volume of one of its cells. */
export function grid(low: number, high: number, steps: number, size: number): { points: number[][]; cell: number } {
  const width = (high - low) / steps;
  const axis = Array.from({ length: steps }, (_, i) => low + (i + 0.5) * width);
  return { points: enumerate(axis, size), cell: width ** size };
}

/** ∂f/∂x_i by central differences: the error is O(step²) from the curvature and O(ε / step) from rounding. */
export function numericalGradient(f: (x: readonly number[]) => number, x: readonly number[], step = 1e-4): number[] {
  return x.map((_, i) => {
    const at = (shift: number) => f(x.map((value, j) => (j === i ? value + shift : value)));
    return (at(step) - at(-step)) / (2 * step);
  });
}

/**
 * Equal length; every number within `absolute + relative · |expected|`; infinities equal; NaN only where NaN is
 * expected. (A plain |a − b| > tolerance lets NaN pass.)
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { absolute = 0, relative = 0 }: { readonly absolute?: number; readonly relative?: number },
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [got, want] = [actual[i]!, expected[i]!];
    const close = Object.is(got, want) || Math.abs(got - want) <= absolute + relative * Math.abs(want);
    if (!close) expect.fail(`at ${i}: expected ${want} ± ${absolute} ± ${relative} relative, got ${got}`);
  }
}

/** The values of a tensor, which is disposed. */
export function read(x: tf.Tensor): number[] {
  const values = Array.from(x.dataSync());
  x.dispose();
  return values;
}

/** Number of tensors that `body` leaves behind. */
export async function tensorsLeft(body: () => unknown): Promise<number> {
  const before = tf.memory().numTensors;
  await body();
  return tf.memory().numTensors - before;
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Standard error of the mean of independent values. */
export function standardError(values: ArrayLike<number>): number {
  const centre = mean(values);
  return Math.sqrt(mean(Array.from(values, (value) => (value - centre) ** 2)) / (values.length - 1));
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export function logSumExp(terms: readonly number[]): number {
  const top = Math.max(...terms);
  return top === -Infinity ? top : top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0));
}

/** Φ(x), from the series with positive terms (Marsaglia, Evaluating the Normal Distribution, 2004). */
export function normalCdf(x: number): number {
  if (Math.abs(x) > 8) return x < 0 ? 0 : 1;
  let [sum, term] = [x, x];
  for (let i = 3; Math.abs(term) > 1e-17; i += 2) sum += term *= (x * x) / i;
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

/**
 * A bound on Kolmogorov's sup |F_n − F| that holds with probability 1 − falseAlarm
 * (Dvoretzky, Kiefer and Wolfowitz, with Massart's constant, 1990).
 */
export function ksBound(n: number, falseAlarm = 1e-6): number {
  return Math.sqrt(Math.log(2 / falseAlarm) / (2 * n));
}

/** sup |F_n − F| of a sample. */
export function ksDistance(sample: ArrayLike<number>, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(Array.from(sample)).sort();
  const n = sorted.length;
  return sorted.reduce((worst, x, i) => Math.max(worst, cdf(x) - i / n, (i + 1) / n - cdf(x)), 0);
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

/** A stream that repeats one value, to reach the ends of the range that seeds hardly ever reach. */
export function constantRng(value: number): Rng {
  const fill = (shape: readonly number[]) => tf.fill([...shape], value);
  const rng: Rng = { fork: () => rng, normal: fill, uniform: fill };
  return rng;
}
