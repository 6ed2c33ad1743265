import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { compiled } from 'dgm/engine';
import { describe, expect, test } from 'vitest';
import { expectClose, numericalGradient, read, tensorsLeft } from '../helpers';

// A loss that holds a slope, as penalties on a critic do, is trained by the slope of that slope. TensorFlow.js 4.22 alone
// loses a part of it where a derivative is written in terms of the result.

type F = (x: tf.Tensor) => tf.Tensor;
const functions: Readonly<Record<string, F>> = {
  sigmoid: (x) => x.sigmoid(),
  tanh: (x) => x.tanh(),
  exp: (x) => x.mul(0.3).exp(),
  softplus: (x) => x.softplus(),
  erf: (x) => x.erf(),
  'x σ(x)': (x) => x.mul(x.sigmoid()),
  softmax: (x) => tf.softmax(x).square(),
  'tanh of tanh': (x) => x.tanh().mul(2).tanh(),
  'leaky ReLU of a square': (x) => tf.leakyRelu(x.square().sub(0.5), 0.2),
};

describe.each(Object.entries(functions))('%s', (_, f) => {
  const x = createRng('x').normal([3, 4]);
  const weights = read(createRng('w').normal([16]));
  /** ‖∇_x Σ f(x w)‖² as a function of w. */
  const penalty = (w: tf.Tensor, at: tf.Tensor) => tf.tidy(() => tf.grad((v) => f(v.matMul(w.as2D(4, 4))).sum())(at).square().sum()); // prettier-ignore
  const numeric = numericalGradient((w) => read(penalty(tf.tensor1d([...w]), x))[0]!, weights, 1e-2);
  const scale = Math.max(...numeric.map(Math.abs));

  test('the slope of a slope is that of finite differences', () => {
    const analytic = read(tf.grad((w) => penalty(w, x))(tf.tensor1d(weights)));
    expectClose(analytic, numeric, { absolute: 5e-3 * (1 + scale) });
  });

  test('compiled as well', () => {
    const run = compiled(([w, at]) => [tf.grad((v) => penalty(v, at!))(w!)]);
    expectClose(read(run([tf.tensor1d(weights), x], createRng(1))[0]!), numeric, { absolute: 5e-3 * (1 + scale) });
    expect(run.engine()).toMatch(/^compiled/);
  });

  test('nothing is left behind', async () => {
    const w = tf.tensor1d(weights);
    expect(
      await tensorsLeft(() =>
        tf
          .grad((v) => penalty(v, x))(w)
          .dispose(),
      ),
    ).toBe(0);
  });
});
