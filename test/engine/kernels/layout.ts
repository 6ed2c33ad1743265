/** Cases of kernels. Types, shapes, parts, constants. */
import * as tf from '@tensorflow/tfjs';
import { detach } from 'dgm';
import { type Case, another, around, bools, floats, given, ints, nan, plain, smooth } from './agreement';

export const layout: Readonly<Record<string, readonly Case[]>> = {
  Identity: [smooth((x) => x.clone(), [around(2, 3)]), smooth((x) => detach(x).mul(x), [around(2, 3)])],
  Cast: [
    plain((x) => x.toInt(), [floats(-9, 9, [2, 10])]),
    plain((x) => x.toBool(), [given([0, -0, 1, 0.3, -2, nan])]),
    plain((x) => x.toFloat(), [ints(-5, 5, 6)]),
    plain((x) => x.toFloat(), [bools(6)]),
    plain((x) => x.toInt(), [bools(6)]),
    plain((x) => x.toBool(), [ints(-1, 2, 6)]),
    smooth((x, y) => x!.mul(y!.toFloat()), [around(2, 3), ints(0, 5, 3)]),
  ],
  Reshape: [
    smooth((x) => x.reshape([3, -1]), [around(2, 3)]),
    smooth((x) => x.reshape([]), [around(1, 1)]),
    smooth((x) => x.flatten(), [around()]),
    smooth((x) => x.squeeze(), [around(2, 1, 3)]),
    plain((x) => x.reshape([0, 5]), [around(0, 3)]),
    plain((x) => x.reshape([6]), [bools(2, 3)]),
  ],
  ExpandDims: [
    smooth((x) => x.expandDims(1), [around(2, 3)]),
    smooth((x) => x.expandDims(-1), [around(2, 3)]),
    smooth((x) => x.expandDims(), [around()]),
  ],
  Transpose: [
    smooth((x) => x.transpose(), [around(2, 3)]),
    smooth((x) => x.transpose([0, 2, 1, 3]), [around(2, 3, 4, 5)]),
    smooth((x) => x.transpose([0, 1]), [around(2, 3)]),
    plain((x) => x.transpose(), [ints(0, 5, 2, 3)]),
    plain((x) => x.transpose(), [bools(2, 3)]),
  ],
  Slice: [
    smooth((x) => x.slice([1], [2]), [around(5)]),
    smooth((x) => x.slice([0, 1, 1], [2, -1, 2]), [around(2, 3, 4)]),
    plain((x) => x.slice([1], [0]), [around(5)]),
    plain((x) => x.slice([1, 0], [1, 2]), [bools(3, 3)]),
    plain((x) => x.slice([1], [2]), [ints(0, 9, 4)]),
  ],
  StridedSlice: [
    plain((x) => tf.stridedSlice(x, [1], [6], [2]), [around(7)]),
    plain((x) => tf.stridedSlice(x, [5], [0], [-2]), [around(7)]),
    plain((x) => tf.stridedSlice(x, [-1, 0], [-10, 3], [-1, 1]), [around(4, 3)]),
    plain((x) => tf.stridedSlice(x, [0, 1], [2, 3], [1, 1], 1, 1), [around(4, 3)]),
    plain((x) => tf.stridedSlice(x, [2, 1], [3, 3], [1, 1], 0, 0, 0, 0, 1), [ints(0, 9, 4, 3)]),
  ],
  Reverse: [
    smooth((x) => x.reverse(), [around(5)]),
    smooth((x) => x.reverse(1), [around(2, 3, 4)]),
    smooth((x) => x.reverse([0, -1]), [around(2, 3)]),
    plain((x) => x.reverse(), [around()]),
    plain((x) => x.reverse(0), [bools(5)]),
  ],
  PadV2: [
    smooth((x) => x.pad([[1, 2]]), [around(3)]),
    smooth((x) => x.pad([[0, 0], [2, 0], [0, 1]], 0.5), [around(2, 3, 4)]), // prettier-ignore
    plain((x) => x.pad([[1, 0]], 7), [ints(0, 5, 3)]),
    plain((x) => x.pad([[1, 0]]), [bools(3)]),
  ],
  MirrorPad: [
    plain((x) => tf.mirrorPad(x, [[2, 1]], 'reflect'), [around(4)]),
    plain((x) => tf.mirrorPad(x, [[2, 1], [0, 3]], 'symmetric'), [around(2, 4)]), // prettier-ignore
    smooth((x) => tf.mirrorPad(x, [[1, 1], [1, 0]], 'reflect'), [around(2, 4)]), // prettier-ignore
  ],
  Concat: [
    smooth((x, y) => tf.concat([x!, y!], 1), [around(2, 3), another(2, 1)]),
    smooth((x, y) => tf.concat([x!, y!, x!], -1), [around(2, 3), another(2, 1)]),
    plain((x, y) => tf.concat([x!, y!], 0), [ints(0, 5, 3), ints(5, 9, 2)]),
    plain((x, y) => tf.concat([x!, y!], 0), [around(0, 2), another(3, 2)]),
    plain((x, y) => tf.concat([x!, y!], 0), [bools(3), bools(2)]),
  ],
  Pack: [
    smooth((x, y) => tf.stack([x!, y!]), [around(2, 3), another(2, 3)]),
    smooth((x, y) => tf.stack([x!, y!], -1), [around(2, 3), another(2, 3)]),
    smooth((x, y) => tf.stack([x!, y!]), [around(), another()]),
    plain((x) => tf.stack([x, x], 1), [ints(0, 5, 3)]),
  ],
  Unpack: [
    smooth((x) => tf.unstack(x), [around(3, 2)]),
    smooth((x) => tf.unstack(x, -1), [around(2, 3)]),
    plain((x) => tf.unstack(x), [around(1, 2)]),
    plain((x) => tf.unstack(x, 0), [ints(0, 5, 3)]),
  ],
  SplitV: [
    smooth((x) => tf.split(x, 3), [around(6, 2)]),
    smooth((x) => tf.split(x, [1, 2, 3], 1), [around(2, 6)]),
    smooth((x) => tf.split(x, [4, -1], -1), [around(2, 6)]),
    plain((x) => tf.split(x, 2), [ints(0, 5, 4)]),
    plain((x) => tf.split(x, 1), [around(4)]),
  ],
  Tile: [
    smooth((x) => x.tile([3]), [around(2)]),
    smooth((x) => x.tile([2, 1, 3]), [around(2, 3, 4)]),
    smooth((x) => x.broadcastTo([4, 3]), [around(3)]),
    smooth((x) => x.broadcastTo([2, 4, 3]), [around(4, 1)]),
    smooth((x) => x.tile([1, 1]), [around(2, 3)]),
    plain((x) => x.tile([2]), [ints(0, 5, 3)]),
    plain((x) => x.tile([2, 2]), [bools(3, 1)]),
  ],
  Fill: [
    plain((x) => tf.fill([2, 3], 1.5).mul(x), [around()]),
    plain((x) => tf.fill([2], 3, 'int32').add(x), [ints(0, 5)]),
    plain((x) => tf.fill([], 2).mul(x), [around()]),
    plain((x) => tf.fill([0], 2).mul(x), [around()]),
  ],
  ZerosLike: [plain((x) => tf.zerosLike(x), [around(2, 3)]), plain((x) => tf.zerosLike(x), [bools(2, 3)])],
  OnesLike: [plain((x) => tf.onesLike(x), [around(2, 3)]), plain((x) => tf.onesLike(x), [ints(0, 2, 2, 3)])],
  Range: [
    plain((x) => x.add(tf.range(0, 5)), [around()]),
    plain((x) => x.add(tf.range(3, -4, -2, 'int32')), [ints(0, 9)]),
    plain((x) => x.add(tf.range(3, 0)), [around()]),
    plain((x) => x.add(tf.range(0, 1, 0.1)), [around()]),
  ],
  LinSpace: [plain((x) => x.add(tf.linspace(-1, 2, 7)), [around()])],
};
