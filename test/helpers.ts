/** What the tests share besides the library's oracles. */
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import type { Rng } from 'dgm';

export { chiSquare, enumerate, ksBound, ksDistance, midpoints, normalCdf, numericalGradient } from 'dgm';

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

/** A stream that repeats one value, to reach the ends of the range that seeds hardly ever reach. */
export function constantRng(value: number): Rng {
  const fill = (shape: readonly number[]) => tf.fill([...shape], value);
  const rng: Rng = { fork: () => rng, normal: fill, uniform: fill };
  return rng;
}
