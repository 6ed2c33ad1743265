/** An index without a place is an error, eagerly and compiled, known beforehand or fed, in a function, a loop, a training. */
import * as tf from '@tensorflow/tfjs';
import { createRng, sgd } from 'dgm';
import { beforeAll, describe, expect, test } from 'vitest';
import { compiled, loop } from '../../lib/engine/call/compiled-function';
import { createSteppers } from '../../lib/engine/step/step';

beforeAll(() => tf.setBackend('cpu'));

type Pick = (at: tf.Tensor) => tf.Tensor; // by indices [N]

const three = () => tf.tensor1d([1, 2, 3]);
const column = (at: tf.Tensor): tf.Tensor2D => at.reshape([-1, 1]);
const ones = (at: tf.Tensor): tf.Tensor1D => tf.ones([at.size]);

/** How many places each has; an index may be 0 … places − 1. */
const PICKS: Readonly<Record<string, readonly [places: number, pick: Pick]>> = {
  gather: [3, (at) => three().gather(at as tf.Tensor1D)],
  gatherND: [3, (at) => tf.gatherND(three(), column(at))],
  scatterND: [5, (at) => tf.scatterND(column(at) as tf.Tensor, ones(at), [5])],
  tensorScatterUpdate: [4, (at) => tf.tensorScatterUpdate(tf.zeros([4]), column(at), ones(at))],
  unsortedSegmentSum: [300, (at) => tf.unsortedSegmentSum(ones(at), at as tf.Tensor1D, 300)], // more than 256
};

const cases = Object.entries(PICKS).flatMap(([call, [places, pick]]) =>
  [-1, places, 2 ** 31 - 1, -(2 ** 31)].map((index) => [call, index, places, pick] as const),
);

describe.each(cases)('%s at %d of 0 … below %d', (call, index, places, pick) => {
  const indices = () => tf.tensor1d([0, index], 'int32');
  const message = `${call}: an index must be in 0 … ${places - 1}, got ${index}`;

  test('eagerly', () => expect(() => tf.tidy(() => pick(indices()))).toThrow(message));
  test('compiled, of indices that are fed', () => {
    const f = compiled(([at]) => [pick(at!)], { device: 'cpu' });
    expect(() => f([indices()], createRng(1))).toThrow(message);
    expect(f.engine()).toBe('compiled for the cpu');
    const fitting = tf.tensor1d([0, places - 1], 'int32');
    expect(Array.from(f([fitting], createRng(1))[0]!.dataSync())).toEqual(Array.from(pick(fitting).dataSync()));
  });
  test('compiled, of indices that are known beforehand', () => {
    const f = compiled(([x]) => [pick(indices()).sum().add(x!)], { device: 'cpu' });
    expect(() => f([tf.scalar(0)], createRng(1))).toThrow(message);
  });
  test('in a loop', () => {
    const walk = loop(([x, at]) => [x!.add(pick(at!).sum()), at!], { device: 'cpu' });
    expect(() => walk([tf.scalar(0), indices()], 3, createRng(1))).toThrow(message);
  });
});

test.each(['auto', 'eager'] as const)('a token out of the vocabulary ends a training (%s)', async (engine) => {
  const table = tf.variable(tf.ones([5, 2]));
  const loss = ({ x }: { x: tf.Tensor }) => table.gather(x.toInt() as tf.Tensor1D).square().sum() as tf.Scalar; // prettier-ignore
  const objective = { name: 'embedding', variables: [table], loss, estimates: 'other' } as const;
  const { each, dispose } = createSteppers([objective], sgd(0.1), { engine, device: 'cpu' });
  await each[0]!.step({ x: tf.tensor1d([0, 4]) }, createRng(1), 'this test');
  const bad = each[0]!.step({ x: tf.tensor1d([0, 5]) }, createRng(1), 'this test');
  await expect(bad).rejects.toThrow('gather: an index must be in 0 … 4, got 5');
  await dispose();
});
