/** What the course's models are made of, compiled and eager. */
import * as tf from '@tensorflow/tfjs';
import { detach, logSumExp } from 'dgm';
import { beforeAll, describe, test } from 'vitest';
import { another, around, expectSame, floats, inf, ints, smooth, type Case } from './kernels/agreement';

beforeAll(() => tf.setBackend('cpu'));

const COMPOSITIONS: Record<string, Case> = {
  'a dense layer with layer normalisation': smooth(
    (x, w, gain) => {
      const h = tf.matMul(x!, w!);
      const centred = h.sub(h.mean(-1, true));
      return centred.div(centred.square().mean(-1, true).add(1e-5).sqrt()).mul(gain!);
    },
    [around(6, 5), another(5, 8), around(8)],
    { terms: 60 },
  ),
  'attention with a causal mask': smooth(
    (q, k, v) => {
      const scores = tf.matMul(q!, k!, false, true).div(Math.sqrt(4));
      const mask = tf.linalg.bandPart(tf.ones([5, 5]), -1, 0).toBool();
      return tf.matMul(tf.where(mask, scores, -1e9).softmax(), v!);
    },
    [around(2, 3, 5, 4), another(2, 3, 5, 4), floats(-2, 2, [2, 3, 5, 4], 'v')],
    { terms: 30 },
  ),
  'an embedding': smooth((table, ids) => table!.gather(ids!).reshape([2, 6, 3]).tanh(), [around(5, 3), ints(0, 5, 12)]),
  'cross-entropy by logSoftmax and oneHot': smooth(
    (x, y) => tf.logSoftmax(x!).mul(tf.oneHot(y!, 7)).sum(-1).neg().mean(),
    [floats(-9, 9, [6, 7]), ints(0, 7, 6)],
    { terms: 20 },
  ),
  'logSumExp of tfjs': smooth((x) => tf.logSumExp(x, 1), [floats(-30, 30, [4, 5])]),
  'logSumExp of the library, with −∞': smooth(
    (x) => logSumExp(tf.concat([x, tf.fill([4, 2], -inf)], 1), 1),
    [around(4, 5)],
  ),
  GELU: smooth((x) => x.mul(tf.erf(x.div(Math.SQRT2)).add(1).div(2)), [around(4, 5)]),
  'batch normalisation with moments': smooth(
    (x) => {
      const { mean, variance } = tf.moments(x, 0);
      return x.sub(mean).div(variance.add(1e-3).sqrt());
    },
    [around(8, 3)],
    { terms: 60 },
  ),
  'an affine coupling': smooth(
    (x, w) => {
      const [a, b] = tf.split(x!, 2, 1) as [tf.Tensor, tf.Tensor];
      const s = tf.tanh(tf.matMul(a, w!));
      return tf.concat([a, b.mul(s.exp())], 1).reverse(1);
    },
    [around(5, 6), another(3, 3)],
    { terms: 60 },
  ),
  'straight-through rounding': smooth((x) => x.add(detach(x.round().sub(x))).square(), [around(4, 5)]),
  'the gradient of a gradient': smooth((x) => tf.grad((v) => v.tanh().square().sum())(x), [around(4, 5)]),
  'a mixture of logistics': smooth(
    (x, m) => {
      const z = x!.expandDims(-1).sub(m!);
      return logSumExp(z.neg().sub(tf.softplus(z.neg()).mul(2)), -1);
    },
    [around(5, 4), another(3)],
    { terms: 30 },
  ),
  'clipping the global norm': smooth(
    (x) => {
      const norm = x.square().sum().sqrt();
      return x.mul(tf.minimum(norm.reciprocal(), 1));
    },
    [around(5, 4)],
  ),
};

describe('compositions', () => {
  test.each(Object.entries(COMPOSITIONS))('%s', async (_, { f, inputs, gradients, ...closeness }) => {
    await expectSame(f, inputs, gradients, closeness);
  });
});
