import * as tf from '@tensorflow/tfjs';
import { detach, expectShape, logMeanExp, logSumExp, scalar, sumEvent, tidyAsync, withoutGradient } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, read, tensorsLeft } from '../../helpers';

describe('expectShape', () => {
  test('returns the sizes its letters stand for', () => {
    expect(expectShape('x', tf.zeros([3, 5, 64]), ['B', 'T', 64])).toEqual({ B: 3, T: 5 });
    expect(expectShape('mu', tf.zeros([2, 5]), ['K', 'T'], { T: 5 })).toEqual({ K: 2, T: 5 });
    expect(expectShape('scalar', tf.scalar(1), [])).toEqual({});
  });

  test.each([
    [[64], ['B', 64], {}, 'flow.coupling: x must be [B, 64], got [64]; add a batch axis'],
    [[2, 3, 64], ['B', 64], {}, 'flow.coupling: x must be [B, 64], got [2, 3, 64]; remove an axis'],
    [[2, 63], ['B', 64], {}, 'flow.coupling: x must be [B, 64], got [2, 63]'],
    [[2, 3], ['D', 'D'], {}, 'flow.coupling: x must be [D, D], got [2, 3]'],
    [[2, 3], ['K', 'D'], { D: 4 }, 'flow.coupling: x must be [K, D] with D = 4, got [2, 3]'],
    [[4], ['K', 'D'], { D: 4 }, 'flow.coupling: x must be [K, D] with D = 4, got [4]; add a batch axis'],
    [[], ['B', 'T', 'C'], {}, 'flow.coupling: x must be [B, T, C], got []'],
  ])('of %j against %j with %j', (shape, wanted, sizes, message) => {
    expect(() => expectShape('flow.coupling: x', tf.zeros(shape), wanted, sizes as Record<string, number>)).toThrow(
      new Error(message),
    );
  });

  test('says what else than a tensor it got', () => {
    const message = (value: unknown) => () => expectShape('f: x', value as tf.Tensor, ['B', 2]);
    expect(message([1, 2])).toThrow(new Error('f: x must be a tensor [B, 2], got an array'));
    expect(message(undefined)).toThrow(new Error('f: x must be a tensor [B, 2], got undefined'));
    expect(message(null)).toThrow(new Error('f: x must be a tensor [B, 2], got null'));
  });
});

test('detach has the value of x, and no gradient passes it', () => {
  const x = tf.tensor1d([1, -2, 3]);
  expect(read(detach(x))).toEqual([1, -2, 3]);
  expect(read(tf.grad((v: tf.Tensor) => v.mul(detach(v)).sum())(x))).toEqual([1, -2, 3]);
  // nothing before it is differentiated: tfjs has no second derivative of elu
  const slope = tf.grad((v: tf.Tensor) => tf.elu(v).sum());
  expect(read(tf.grad((v: tf.Tensor) => v.mul(detach(slope(v))).sum())(tf.tensor1d([1, 2])))).toEqual([1, 1]);
});

test('withoutGradient lets through what tfjs cannot differentiate', async () => {
  const x = tf.tensor2d([[1, -2, 3]]);
  const loss = (v: tf.Tensor) =>
    withoutGradient(v, (w) => w.greater(0).all(1).toFloat())
      .add(v.sum())
      .sum();
  expect(read(tf.grad(loss)(x))).toEqual([1, 1, 1]);
  expect(await tensorsLeft(() => withoutGradient(x, (w) => w.greater(0).toFloat().add(1)).dispose())).toBe(0);
});

test('sumEvent sums over every axis but the first', () => {
  expect(read(sumEvent(tf.ones([2, 3, 4])))).toEqual([12, 12]);
  expect(read(sumEvent(tf.tensor1d([1, 2])))).toEqual([1, 2]);
});

test('scalar reads and disposes', async () => {
  expect(await tensorsLeft(() => expect(scalar(tf.scalar(3))).toBe(3))).toBe(0);
});

describe('logSumExp and logMeanExp', () => {
  const rows = [
    [1, 2, 3],
    [1000, 1001, 999],
    [-1000, -1001, -999],
    [0, -Infinity, 0],
    [-Infinity, -Infinity, -Infinity],
  ];
  const exact = (terms: readonly number[]) => {
    const top = Math.max(...terms);
    return top === -Infinity ? top : top + Math.log(terms.reduce((sum, t) => sum + Math.exp(t - top), 0));
  };
  const rounding = { absolute: 1e-6, relative: 2 ** -22 }; // a few float32 steps

  test('neither overflow nor underflow, and −∞ where there is nothing', () => {
    expectClose(read(logSumExp(tf.tensor2d(rows), 1)), rows.map(exact), rounding);
    expectClose(
      read(logMeanExp(tf.tensor2d(rows), 1)),
      rows.map((row) => exact(row) - Math.log(3)),
      rounding,
    );
  });

  test('along any axis', () => {
    const x = tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
    const expected = [
      [1, 5],
      [2, 6],
      [3, 7],
      [4, 8],
    ].map(exact);
    for (const axis of [0, -3]) {
      const sum = logSumExp(x, axis);
      expect(sum.shape).toEqual([2, 2]);
      expectClose(read(sum), expected, rounding);
      expectClose(
        read(logMeanExp(x, axis)),
        expected.map((v) => v - Math.log(2)),
        rounding,
      );
    }
  });

  test('the gradient is the softmax', () => {
    const x = tf.tensor2d([
      [1000, 1001, 999],
      [0, -Infinity, 0.5],
    ]);
    const gradient = tf.grad((v: tf.Tensor) => logSumExp(v, 1).sum())(x);
    expectClose(read(gradient), read(tf.softmax(x)), { absolute: 1e-6 });
  });
});

describe('tidyAsync', () => {
  const pause = () => new Promise((resolve) => setImmediate(resolve));

  test('keeps what is returned and disposes the rest, before and after an await', async () => {
    const kept: tf.Tensor[] = [];
    const left = await tensorsLeft(async () => {
      kept.push(
        await tidyAsync(async () => {
          const a = tf.ones([2]);
          await pause();
          return a.add(tf.ones([2]));
        }),
      );
    });
    expect(left).toBe(1);
    expect(read(kept[0]!)).toEqual([2, 2]);
  });

  test('leaves nothing when the body throws', async () => {
    const left = await tensorsLeft(async () => {
      const failing = tidyAsync(async () => {
        tf.ones([2]);
        await pause();
        tf.ones([2]);
        throw new Error('in the body');
      });
      await expect(failing).rejects.toThrow('in the body');
    });
    expect(left).toBe(0);
  });

  test('nests', async () => {
    const left = await tensorsLeft(() =>
      tidyAsync(async () => {
        await tidyAsync(async () => {
          await pause();
          tf.ones([1]);
        });
        tf.ones([1]);
      }),
    );
    expect(left).toBe(0);
  });
});
