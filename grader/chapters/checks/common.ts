/**
 * What the checks of several chapters need: references in double precision with plain loops, another way than the
 * library's and the solutions' tensor code; seeded inputs; comparisons of random numbers.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectTrue } from '../../exercise/compare';

// Double-precision references

export const LOG_2PI = Math.log(2 * Math.PI);

export type Vector = readonly number[];
export type Matrix = readonly Vector[];

export const matrix = (x: tf.Tensor) => x.arraySync() as number[][];
export const vector = (x: tf.Tensor) => x.arraySync() as number[];
export const matrixTensor = (rows: Matrix) => tf.tensor2d(rows.map((row) => [...row]));

export function meanOf(values: Vector): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

export function logSumExp(a: Vector): number {
  const largest = Math.max(...a);
  return largest === -Infinity ? -Infinity : largest + Math.log(a.reduce((sum, v) => sum + Math.exp(v - largest), 0));
}

export function softmax(a: Vector): number[] {
  const norm = logSumExp(a);
  return a.map((v) => Math.exp(v - norm));
}

/** ln N(x; mu, diag exp logVar) of one example. */
export function logNormalOf(x: Vector, mu: Vector, logVar: Vector): number {
  return x.reduce((sum, xd, d) => sum - 0.5 * (LOG_2PI + logVar[d]! + (xd - mu[d]!) ** 2 / Math.exp(logVar[d]!)), 0);
}

// Inputs

export const normal = (rng: Rng, label: string, shape: number[], scale = 1) =>
  tf.tidy(() => rng.fork(label).normal(shape).mul(scale));

export const integers = (rng: Rng, label: string, shape: number[], values: number) =>
  tf.tidy(() => rng.fork(label).uniform(shape).mul(values).floor());

/**
 * Sizes in the order of how much they make a student read: a check ends at the first call that is wrong, and the input
 * of that call is the one that is shown.
 */
export function smallestFirst<Sizes extends readonly number[]>(all: readonly Sizes[]): Sizes[] {
  const numbers = (sizes: Sizes) => sizes.reduce((product, size) => product * size, 1);
  return [...all].sort((a, b) => numbers(a) - numbers(b));
}

// Random numbers

/**
 * Six standard errors. A right solution fails one comparison of a mean or a share once in 5 · 10⁸ times, one of a
 * variance (χ² with at least 300 degrees of freedom has a longer tail) once in 10⁷ at worst, and all of them
 * together less than once in 10⁶ gradings.
 */
const SIGMAS = 6;

export function expectWithin(got: number, wanted: number, standardError: number, what: string, hint?: string): void {
  const margin = SIGMAS * standardError;
  expectTrue(
    Math.abs(got - wanted) <= margin,
    `${what} to be ${wanted.toFixed(3)} ± ${margin.toFixed(3)}`,
    got.toFixed(3),
    hint,
  );
}
