/** Calls that TensorFlow.js refuses for their shapes: a trace refuses them, too, also where nothing needs the result. */
import * as tf from '@tensorflow/tfjs';
import 'dgm'; // which mends what the cpu backend lacks
import { beforeAll, expect, test } from 'vitest';
import { compileNow } from '../../lib/engine/call/compile';

beforeAll(() => tf.setBackend('cpu'));

type Call = (x: tf.Tensor2D) => unknown; // x [2, 3]
const index = (...values: number[]): tf.Tensor1D => tf.tensor1d(values, 'int32');

const CALLS: Readonly<Record<string, Call>> = {
  'reshape to another size': (x) => x.reshape([4, 2]),
  'reshape to what does not divide': (x) => x.reshape([4, -1]),
  'reshape of none to some': () => tf.zeros([4, 0]).reshape([4, 1]),
  'matMul of other inner sides': (x) => x.matMul(x),
  'matMul of a transposed one': (x) => x.matMul(tf.ones([3, 2]), true),
  'matMul of other batches': () => tf.matMul(tf.ones([2, 3, 4]), tf.ones([3, 4, 2])),
  'dot': (x) => x.dot(tf.ones([2])), // prettier-ignore
  'concat of other sides': (x) => tf.concat([x, tf.ones([2, 2])], 0),
  'concat of other ranks': (x) => tf.concat([x, tf.ones([2]) as unknown as tf.Tensor2D], 0),
  'concat along no axis': (x) => tf.concat([x, x], 2),
  'stack of other shapes': (x) => tf.stack([x, tf.ones([3, 2])]),
  'stack along no axis': (x) => tf.stack([x, x], 4),
  'unstack along no axis': (x) => tf.unstack(x, 2),
  'split into uneven parts': (x) => tf.split(x, 2, 1),
  'split into other sizes': (x) => tf.split(x, [1, 1], 1),
  'split with two sizes open': (x) => tf.split(x, [-1, -1, 1], 1),
  'split along no axis': (x) => tf.split(x, 1, 2),
  'slice beyond the end': (x) => x.slice([0, 2], [2, 2]),
  'sum over no axis': (x) => x.sum(2),
  'mean over no axis': (x) => x.mean(2),
  'max over no axis': (x) => x.max(-3),
  'min over no axis': (x) => x.min(2),
  'prod over no axis': (x) => x.prod(2),
  'all over no axis': (x) => x.toBool().all(2),
  'any over no axis': (x) => x.toBool().any(2),
  'argMax over no axis': (x) => x.argMax(2),
  'argMin over no axis': (x) => x.argMin(-3),
  'logSumExp over no axis': (x) => tf.logSumExp(x, 2),
  'softmax over no axis': (x) => x.softmax(2),
  'cumsum along no axis': (x) => x.cumsum(2),
  'cumprod along no axis': (x) => tf.cumprod(x, 2),
  'reverse along no axis': (x) => x.reverse(2),
  'gather along no axis': (x) => x.gather(index(0), 2),
  'gather of other batches': (x) => tf.gather(x, tf.zeros([3, 1], 'int32'), 1, 1),
  'gatherND of too many coordinates': (x) => tf.gatherND(x, tf.zeros([1, 3], 'int32')),
  'scatterND of another shape': () => tf.scatterND(tf.zeros([2, 1], 'int32'), tf.ones([3]), [4]),
  'tensorScatterUpdate of another shape': (x) => tf.tensorScatterUpdate(x, tf.zeros([2, 1], 'int32'), tf.ones([3, 3])),
  'unsortedSegmentSum of other rows': (x) => tf.unsortedSegmentSum(x, index(0, 1, 0), 2),
  'add of what does not broadcast': (x) => x.add(tf.ones([2])),
  'mod of what does not broadcast': (x) => x.mod(tf.ones([2])),
  'atan2 of what does not broadcast': (x) => tf.atan2(x, tf.ones([2])),
  'squaredDifference of what does not broadcast': (x) => tf.squaredDifference(x, tf.ones([2])),
  'where of what does not broadcast': (x) => tf.where(tf.ones([2]).toBool(), x, x),
  'prelu of what does not broadcast': (x) => tf.prelu(x, tf.ones<tf.Rank>([2]) as tf.Tensor2D),
  'addN of other shapes': (x) => tf.addN([x, tf.ones([3, 2])]),
  'transpose of other axes': (x) => x.transpose([0, 2]),
  'tile of another rank': (x) => x.tile([2] as unknown as [number, number]),
  'mirrorPad beyond what is there': (x) => tf.mirrorPad(x, [[0, 0], [5, 0]], 'reflect'), // prettier-ignore
  'topk of more than there are': (x) => tf.topk(x, 4),
  'expandDims beyond the rank': (x) => x.expandDims(4),
  'squeeze of a longer side': (x) => x.squeeze([0]),
  'broadcastTo a shorter side': (x) => x.broadcastTo([2, 1]),
  'conv2d of other channels': () =>
    tf.conv2d(tf.ones<tf.Rank.R4>([1, 4, 4, 2]), tf.ones<tf.Rank.R4>([2, 2, 3, 1]), 1, 'same'),
  'depthwiseConv2d of other channels': () =>
    tf.depthwiseConv2d(tf.ones<tf.Rank.R4>([1, 4, 4, 2]), tf.ones<tf.Rank.R4>([2, 2, 3, 1]), 1, 'same'),
  'norm along no axis': (x) => x.norm('euclidean', 2),
  'einsum of other sides': (x) => tf.einsum('ij,jk->ik', x, x),
};

test.each(Object.entries(CALLS))('%s', (_, call) => {
  expect(() => tf.tidy(() => (call(tf.ones([2, 3])), 0))).toThrow();
  const unused = ([x]: readonly tf.Tensor[]) => (call(x as tf.Tensor2D), [x!.add(1)]);
  expect(() => compileNow(unused, [{ shape: [2, 3], dtype: 'float32' }], { device: 'cpu', quiet: true })).toThrow();
});
