import * as tf from '@tensorflow/tfjs';
import { createRng, logAbsDet } from 'dgm';
import { expect, test } from 'vitest';
import { eigenSymmetric, solvePositive } from '../../../lib/core/linear';
import { compiled } from '../../../lib/sampling/sampler';
import { dot, expectClose, numericalGradient, read } from '../../helpers';

/** A Aᵀ + I/2, of which no eigenvalue is below a half. */
function positive(n: number, seed: string): number[][] {
  const a = createRng(seed).normal([n, n]);
  return tf.tidy(() => a.matMul(a, false, true).add(tf.eye(n).mul(0.5)).arraySync() as number[][]);
}

test.each([1, 2, 5, 16])('solves %d equations, and knows the determinant', (n) => {
  const a = positive(n, `matrix ${n}`);
  const b = createRng('b').normal([n, 3]);
  const { x, logDet } = solvePositive(tf.tensor2d(a), b);
  expectClose(read(tf.tensor2d(a).matMul(x)), Array.from(b.dataSync()), { absolute: 2e-3 });
  expectClose(read(logDet), [logAbsDet(a)], { absolute: 1e-4, relative: 1e-4 });
});

test('has gradients, and is compiled', () => {
  const f = (values: tf.Tensor) => {
    const { x, logDet } = solvePositive(values.reshape([2, 2]), tf.tensor2d([[1], [2]]));
    return x.square().sum().add(logDet);
  };
  const at = [2, 0.3, 0.3, 1];
  const value = (point: readonly number[]) => read(f(tf.tensor1d([...point])))[0]!;
  const gradient = read(tf.grad(f)(tf.tensor1d(at)));
  expectClose(gradient, numericalGradient(value, at, 0.01), { absolute: 2e-3, relative: 5e-3 });
  const fast = compiled(([values]) => [f(values!)]);
  expectClose(read(fast([tf.tensor1d(at)], createRng(1))[0]!), [value(at)], { relative: 1e-5 });
  expect(fast.engine()).toMatch(/^compiled/);
});

test('eigenvectors are orthonormal, and make the matrix again', () => {
  const a = positive(8, 'eigen');
  const { values, vectors } = eigenSymmetric(a);
  expect(values).toEqual([...values].sort((p, q) => q - p));
  for (const [i, u] of vectors.entries()) {
    expectClose(a.map((row) => dot(row, u)), u.map((value) => value * values[i]!), { absolute: 1e-9 }); // prettier-ignore
    expectClose(vectors.map((v) => dot(u, v)), vectors.map((_, j) => Number(i === j)), { absolute: 1e-12 }); // prettier-ignore
  }
  expect(eigenSymmetric([[3, 0], [0, 5]]).values).toEqual([5, 3]); // prettier-ignore
});
