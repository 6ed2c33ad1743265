/** What the tests share besides the library's oracles. */
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, expect } from 'vitest';
import { type MimeBundle, type Rng } from 'dgm';
import { installHost } from 'dgm/host';

export { chiSquare, enumerate, normalCdf, numericalGradient } from 'dgm';
export { ksBound, ksDistance, midpoints } from '../lib/statistics/oracles';

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

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const linear = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r!) + 0.7152 * linear(g!) + 0.0722 * linear(b!);
}

/** Of two colours "#rrggbb", 1 to 21 (WCAG 2.2, contrast ratio). */
export function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light! + 0.05) / (dark! + 0.05);
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

/** What the code of a test shows, as a cell would; empty again before each test. */
export function collectShown(): readonly MimeBundle[] {
  const shown: MimeBundle[] = [];
  let uninstall = () => {};
  beforeEach(() => {
    shown.length = 0;
    uninstall = installHost({
      display: (data) => void shown.push(data),
      interruptSignal: () => new AbortController().signal,
    });
  });
  afterEach(() => uninstall());
  return shown;
}
