import * as tf from '@tensorflow/tfjs';
import { conv2d, createRng, dropout, gru, linear, residualStack, sequential } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, mean, read } from '../../helpers';

describe('dropout', () => {
  test('keeps the mean, leaves out so many, and without noise nothing', () => {
    const layer = dropout(0.3);
    const values = read(layer.apply(tf.ones([10_000]), createRng(1)));
    expectClose([mean(values)], [1], { absolute: 0.04 });
    expectClose([values.filter((value) => value === 0).length], [3000], { absolute: 250 });
    expect(read(layer.apply(tf.tensor1d([1, 2])))).toEqual([1, 2]);
  });

  test('gets noise of its own through other networks', () => {
    const network = sequential(dropout(0.5), linear(1, 1, createRng('one')), dropout(0.5));
    const x = tf.ones([500, 1]);
    expect(read(network.apply(x, createRng(1)))).toEqual(read(network.apply(x, createRng(1))));
    const kinds = new Set(read(network.apply(x, createRng(1))).map((value) => value.toFixed(4)));
    expect(kinds.size).toBe(3); // 0, and what comes of an input that is dropped, and of one that is not
    expect(new Set(read(network.apply(x))).size).toBe(1);
  });
});

test('a recurrent network step by step is what it is in one pass, and never looks ahead', () => {
  const network = gru(3, 4, createRng(1));
  const x = createRng('x').normal([2, 5, 3]);
  const all = network.apply(x).arraySync() as number[][][];
  let memory: readonly tf.Tensor[] = network.start(2, 5);
  for (let t = 0; t < 5; t++) {
    const stepped = network.step(tf.gather(x, t, 1), tf.scalar(t, 'int32'), memory);
    memory = stepped.memory;
    expectClose(
      read(stepped.y.clone()),
      all.flatMap((row) => row[t]!),
      { absolute: 1e-6 },
    );
  }
  const later = tf.concat([x.slice([0, 0, 0], [2, 3, 3]), tf.zeros([2, 2, 3])], 1);
  const changed = network.apply(later).arraySync() as number[][][];
  expect(changed.map((row) => row.slice(0, 3))).toEqual(all.map((row) => row.slice(0, 3)));
});

test('convolutions see all around a pixel, as far as their window', () => {
  const network = conv2d({ inputs: 1, outputs: 1 }, createRng(1));
  const dot = (i: number, j: number) =>
    tf
      .oneHot(tf.tensor1d([i * 5 + j], 'int32'), 25)
      .toFloat()
      .reshape([1, 5, 5, 1]);
  const zero = read(network.apply(tf.zeros([1, 5, 5, 1])));
  const moved = read(network.apply(dot(2, 2))).flatMap((value, i) => (Math.abs(value - zero[i]!) > 1e-7 ? [i] : []));
  expect(moved).toEqual([6, 7, 8, 11, 12, 13, 16, 17, 18]);
  const stack = residualStack({ channels: 1, blocks: 1 }, createRng(1));
  const reach = read(stack.apply(dot(2, 2)).sub(stack.apply(tf.zeros([1, 5, 5, 1])))).filter(
    (value) => Math.abs(value) > 1e-7,
  );
  expect(reach.length).toBe(25);
});
