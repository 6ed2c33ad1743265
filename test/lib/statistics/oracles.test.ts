import * as tf from '@tensorflow/tfjs';
import {
  calibrationTest,
  createRng,
  integrate,
  ksTest,
  logAbsDet,
  logNormal,
  numericalJacobian,
  totalProbability,
  twoSampleTest,
  uniformBaseline,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, normalCdf, read, tensorsLeft } from '../../helpers';

const rng = createRng('oracles');
const uniform = uniformBaseline([2, 2], 3);
const uniformLogProb = (x: tf.Tensor) =>
  'logProb' in uniform.likelihood ? uniform.likelihood.logProb(x, rng) : expect.fail('no logProb');

describe('totalProbability', () => {
  test('is 1 for a probability, and tells how far off another is', () => {
    expectClose([totalProbability(uniformLogProb, [0, 1, 2], [2, 2])], [1], { absolute: 1e-6 });
    const heavy = (x: tf.Tensor) => uniformLogProb(x).add(Math.log(1.5));
    expectClose([totalProbability(heavy, [0, 1, 2], [2, 2])], [1.5], { absolute: 1e-6 });
  });

  test('refuses a world that is too large, and a scalar', () => {
    expect(() => totalProbability(uniformLogProb, [0, 1], [64])).toThrow('too many, at most 10⁶');
    expect(() => totalProbability((x) => uniformLogProb(x).sum(), [0, 1], [2, 2])).toThrow('one number a point');
  });

  test('leaves no tensors', async () => {
    expect(await tensorsLeft(() => totalProbability(uniformLogProb, [0, 1], [2, 2]))).toBe(0);
  });
});

describe('integrate', () => {
  const gaussian = (x: tf.Tensor) => logNormal(x, tf.scalar(0.3), tf.scalar(-0.5));

  test.each([1, 2] as const)('a Gaussian in %d dimensions has mass 1', (dimensions) => {
    expectClose([integrate(gaussian, { low: -8, high: 8, dimensions })], [1], { absolute: 1e-5 });
  });

  test('sees a forgotten constant', () => {
    const wrong = (x: tf.Tensor) => gaussian(x).add(0.5 * Math.log(2 * Math.PI));
    expect(integrate(wrong, { low: -8, high: 8, dimensions: 1 })).toBeCloseTo(Math.sqrt(2 * Math.PI), 4);
  });

  test('refuses three dimensions and an empty interval', () => {
    expect(() => integrate(gaussian, { low: 0, high: 1, dimensions: 3 as 2 })).toThrow('must be 1 or 2, got 3');
    expect(() => integrate(gaussian, { low: 1, high: 1, dimensions: 1 })).toThrow('expected low < high');
  });
});

describe('derivatives', () => {
  const spiral = ([r, t]: readonly number[]) => [r! * Math.cos(t!), r! * Math.sin(t!)];

  test('the Jacobian of polar coordinates, whose determinant is r', () => {
    const at = [1.7, 0.6];
    const [r, t] = at as [number, number];
    const J = numericalJacobian(spiral, at);
    expectClose(J.flat(), [Math.cos(t), -r * Math.sin(t), Math.sin(t), r * Math.cos(t)], { absolute: 1e-7 });
    expectClose([logAbsDet(J)], [Math.log(r)], { absolute: 1e-7 });
  });

  test('more outputs than inputs: one row an output', () => {
    expectClose(numericalJacobian(([x]) => [x!, 2 * x!, x! ** 2], [3]).flat(), [1, 2, 6], { absolute: 1e-6 });
  });

  test('log-determinants: by hand, with a pivot of 0, singular, not square', () => {
    expect(logAbsDet([[0, 2], [3, 0]])).toBeCloseTo(Math.log(6), 12); // prettier-ignore
    expect(logAbsDet([[2, 1, 0], [1, 3, 1], [0, 1, 4]])).toBeCloseTo(Math.log(18), 12); // prettier-ignore
    expect(logAbsDet([[1, 2], [2, 4]])).toBe(-Infinity); // prettier-ignore
    expect(() => logAbsDet([[1, 2]])).toThrow('expected a square matrix, got 1 rows and 2 columns');
  });
});

describe('twoSampleTest', () => {
  const draw = (label: string, shift = 0, scale = 1) =>
    tf.tidy(() => rng.fork(label).normal([80, 2]).mul(scale).add(shift));

  test('does not reject two samples of one distribution: p-values are uniform', () => {
    const pValues = Array.from(
      { length: 60 },
      (_, i) => twoSampleTest(draw(`a ${i}`), draw(`b ${i}`), rng.fork(`test ${i}`), { permutations: 39 }).pValue,
    );
    // multiples of 1/40, each of probability 1/40: at most 1/40 from the uniform distribution function
    expect(ksTest(pValues, (x) => x).statistic).toBeLessThan(1 / 40 + Math.sqrt(Math.log(2e6) / 120));
  });

  test('rejects another mean, and another spread of the same mean', () => {
    for (const other of [draw('shifted', 0.8), draw('wide', 0, 2)])
      expect(twoSampleTest(draw('base'), other, rng).pValue).toBeLessThan(0.01);
  });

  test('is the energy distance, by hand', () => {
    // 2·mean(1, 3, 1, 1) − (0+2+2+0)/4 − (0+2+2+0)/4 for a = {0, 2}, b = {1, 3}
    const got = twoSampleTest(tf.tensor2d([[0], [2]]), tf.tensor2d([[1], [3]]), rng, { permutations: 3 });
    expect(got.statistic).toBeCloseTo(2 * 1.5 - 1 - 1, 10);
  });

  test('refuses samples of other shapes, or of one example', () => {
    expect(() => twoSampleTest(tf.zeros([3, 2]), tf.zeros([3, 1]), rng)).toThrow('samples of one shape');
    expect(() => twoSampleTest(tf.zeros([1, 2]), tf.zeros([3, 2]), rng)).toThrow('two examples or more');
  });
});

describe('ksTest and calibrationTest', () => {
  const sample = read(rng.fork('ks').normal([2000]));

  test('accepts the right distribution function, and rejects a wrong one', () => {
    expect(ksTest(sample, normalCdf).pValue).toBeGreaterThan(1e-6);
    expect(ksTest(sample, (x) => normalCdf(x / 1.3)).pValue).toBeLessThan(1e-6);
    expect(() => ksTest([], normalCdf)).toThrow('the sample is empty');
  });

  const truth = [0.5, 0.3, 0.2];
  const u = read(rng.fork('outcomes').uniform([3000]));
  const outcomes = u.map((v) => (v < 0.5 ? 0 : v < 0.8 ? 1 : 2));
  const pValue = (forecast: readonly number[]) => calibrationTest(outcomes.map(() => forecast), outcomes, rng).pValue; // prettier-ignore

  test('accepts a calibrated forecast, and rejects others', () => {
    expect(pValue(truth)).toBeGreaterThan(1e-6);
    expect(pValue([0.34, 0.33, 0.33])).toBeLessThan(1e-6);
    expect(pValue([0.2, 0.3, 0.5])).toBeLessThan(1e-6);
  });

  test('refuses an outcome without a forecast', () => {
    expect(() => calibrationTest([truth], [3], rng)).toThrow('outcome 0 is 3, expected 0 … 2');
    expect(() => calibrationTest([truth], [], rng)).toThrow('expected an outcome a forecast, 1, got 0');
  });
});
