import * as tf from '@tensorflow/tfjs';
import {
  bernoulli,
  categoricalValues,
  createRng,
  discretisedLogistic,
  enumerate,
  gaussianValues,
  logBoundedLogistic,
  logDiscretisedLogistic,
  type Observation,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, mean, read, standardError } from '../../helpers';

const discrete: readonly (readonly [string, Observation, number])[] = [
  ['coins', bernoulli, 2],
  ['tables', categoricalValues(4), 4],
  ['cut logistics', discretisedLogistic(5), 5],
];

describe.each(discrete)('%s', (_, observation, V) => {
  const h = createRng('h').normal([1, 2, observation.parameters]).mul(1.5);
  const world = enumerate(Array.from({ length: V }, (_, v) => v), 2); // prettier-ignore
  const p = () => read(observation.logProb(tf.tensor2d(world), h.tile([world.length, 1, 1]))).map(Math.exp);

  test('sum to 1, and off the values there is nothing', () => {
    expectClose([p().reduce((a, b) => a + b, 0)], [1], { absolute: 1e-5 });
    const off = tf.tensor2d([[0.5, 0], [0, V], [-1, 0]]); // prettier-ignore
    expect(read(observation.logProb(off, h.tile([3, 1, 1])))).toEqual([-Infinity, -Infinity, -Infinity]);
  });

  test('have the mean that they say, and the samples', () => {
    const probabilities = p();
    const expected = [0, 1].map((d) => world.reduce((sum, row, i) => sum + row[d]! * probabilities[i]!, 0));
    expectClose(read(observation.mean(h)), expected, { absolute: 1e-5 });
    const samples = observation.sample(h.tile([4000, 1, 1]), createRng('x')).arraySync() as number[][];
    for (const d of [0, 1]) {
      const own = samples.map((row) => row[d]!);
      expectClose([mean(own)], [expected[d]!], { absolute: 1e-3 + 5 * standardError(own) });
    }
  });
});

test('Gaussians: mean, variance above its floor, and samples', () => {
  const observation = gaussianValues({ floor: 0.5 });
  const h = tf.tensor3d([[[2, -20], [0, 1]]]); // prettier-ignore
  const at = read(observation.logProb(tf.tensor2d([[2, 0]]), h))[0]!;
  const variances = [0.5, 0.5 + Math.E];
  expectClose([at], [-variances.reduce((sum, v) => sum + 0.5 * Math.log(2 * Math.PI * v), 0)], { absolute: 1e-5 });
  const samples = observation.sample(h.tile([4000, 1, 1]), createRng('x')).arraySync() as number[][];
  for (const d of [0, 1]) {
    const squares = samples.map((row) => (row[d]! - [2, 0][d]!) ** 2);
    expectClose([mean(squares)], [variances[d]!], { absolute: 5 * standardError(squares) });
  }
  expectClose(read(observation.mean(h)), [2, 0], {});
});

describe('logBoundedLogistic', () => {
  test('is the logistic cut into integers, but for the ends, which get the rest', () => {
    const x = tf.tensor1d([0, 1, 2, 3, 4]);
    const [mu, logScale] = [tf.scalar(3.2), tf.scalar(0.4)];
    const bounded = read(logBoundedLogistic(x, mu, logScale, 5));
    const inner = read(logDiscretisedLogistic(x, mu, logScale));
    expectClose(bounded.slice(1, 4), inner.slice(1, 4), { absolute: 1e-6 });
    const cdf = (v: number) => 1 / (1 + Math.exp(-(v - 3.2) / Math.exp(0.4)));
    expectClose([bounded[0]!, bounded[4]!].map(Math.exp), [cdf(0.5), 1 - cdf(3.5)], { relative: 1e-4 });
  });

  test('has a gradient that is finite at the ends, and far out', () => {
    const gradient = tf.grads((mu, s) => logBoundedLogistic(tf.tensor1d([0, 16, 8]), mu!, s!, 17).sum());
    for (const [mu, s] of [
      [-30, -4],
      [8, 2],
      [60, 0],
    ] as const)
      // prettier-ignore
      expect(gradient([tf.scalar(mu), tf.scalar(s)]).flatMap(read).every(Number.isFinite)).toBe(true);
  });
});
