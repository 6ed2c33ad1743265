import * as tf from '@tensorflow/tfjs';
import { compiled } from '../../../lib/sampling/sampler';
import {
  createRng,
  directional,
  divergence,
  gelu,
  hutchinson,
  mlp,
  numericalJacobian,
  rademacher,
  type PointField,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, mean, read, standardError } from '../../helpers';

const network = mlp([3, 16, 3], createRng('network'), { activation: gelu });
const field: PointField = (x) => network.apply(x).mul(3);
const points = () => createRng('points').normal([5, 3]);
const rows = () => points().arraySync() as number[][];
const jacobians = () => rows().map((row) => numericalJacobian((at) => read(field(tf.tensor2d([[...at]]))), row, 5e-3));

describe('the divergence', () => {
  test('is the trace of the numerical Jacobian', () => {
    const traces = jacobians().map((J) => J.reduce((sum, row, d) => sum + row[d]!, 0));
    expectClose(read(divergence(field, points())), traces, { absolute: 2e-3 });
  });

  test('of a linear field is the trace of its matrix, everywhere', () => {
    const A = createRng('A').normal([4, 4]);
    const trace = (A.arraySync() as number[][]).reduce((sum, row, d) => sum + row[d]!, 0);
    const linear: PointField = (x) => x.matMul(A);
    expectClose(read(divergence(linear, createRng('x').normal([6, 4]))), Array.from({ length: 6 }, () => trace), { absolute: 1e-5 }); // prettier-ignore
  });

  test('compiled is eager', () => {
    const fast = compiled(([x]) => [divergence(field, x!), directional(field, x!, x!)]);
    const [trace, along] = fast([points()], createRng(1)) as [tf.Tensor, tf.Tensor];
    expect(fast.engine()).toMatch(/^compiled/);
    expectClose(read(trace), read(divergence(field, points())), { absolute: 1e-5 });
    expectClose(read(along), read(directional(field, points(), points())), { absolute: 1e-5 });
  });
});

describe('Hutchinson’s estimate', () => {
  const draws = 20_000;
  const one = () => points().slice([0, 0], [1, 3]);
  const drawn = (e: tf.Tensor) => read(tf.tidy(() => hutchinson(field, tf.tile(one(), [draws, 1]), e)));
  const J = () => jacobians()[0]!;
  const symmetric = () => J().map((row, i) => row.map((value, j) => (value + J()[j]![i]!) / 2));
  const squares = (keep: (i: number, j: number) => boolean) =>
    symmetric().reduce((sum, row, i) => sum + row.reduce((s, v, j) => s + (keep(i, j) ? v ** 2 : 0), 0), 0);
  const variance = (values: readonly number[]) => mean(values.map((v) => (v - mean(values)) ** 2));
  const trace = () => J().reduce((sum, row, d) => sum + row[d]!, 0);

  test('is unbiased, within 4 standard errors, and varies as its closed form says', () => {
    const values = drawn(rademacher([draws, 3], createRng('signs')));
    expectClose([mean(values)], [trace()], { absolute: 4 * standardError(values) + 1e-3 });
    const expected = 2 * squares((i, j) => i !== j);
    expectClose([variance(values)], [expected], { relative: 0.06 }); // of 20,000 draws, some 4 standard errors
  });

  test('with normal directions varies more, by twice the squares of the diagonal', () => {
    const values = drawn(createRng('normal').normal([draws, 3]));
    expectClose([mean(values)], [trace()], { absolute: 4 * standardError(values) + 1e-3 });
    expectClose([variance(values)], [2 * squares(() => true)], { relative: 0.15 });
  });

  test('of other vectors on the two sides has mean 0, whatever the field', () => {
    const [e, other] = [rademacher([draws, 3], createRng('a')), rademacher([draws, 3], createRng('b'))];
    const values = read(
      tf.tidy(() =>
        directional(field, tf.tile(one(), [draws, 1]), e)
          .mul(other)
          .sum(1),
      ),
    );
    expectClose([mean(values)], [0], { absolute: 4 * standardError(values) });
    expect(Math.abs(trace())).toBeGreaterThan(10 * standardError(values)); // so that the test tells the two apart
  });
});

test('signs are −1 and 1, as often', () => {
  const signs = read(rademacher([20_000], createRng(1)));
  expect(new Set(signs)).toEqual(new Set([-1, 1]));
  expectClose([mean(signs)], [0], { absolute: 4 / Math.sqrt(20_000) });
});

test('along a direction is the numerical Jacobian times it', () => {
  const v = createRng('v').normal([5, 3]);
  const expected = jacobians().flatMap((J, n) => J.map((row) => row.reduce((sum, value, d) => sum + value * (v.arraySync() as number[][])[n]![d]!, 0))); // prettier-ignore
  expectClose(read(directional(field, points(), v)), expected, { absolute: 3e-3 });
});

test('shapes are checked', () => {
  expect(() => divergence(field, tf.zeros([3]))).toThrow('divergence: x must be [B, D], got [3]');
  expect(() => hutchinson(field, tf.zeros([2, 3]), tf.zeros([2, 4]))).toThrow('hutchinson: e must be [2, 3]');
});
