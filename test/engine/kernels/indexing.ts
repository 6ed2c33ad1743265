/** Cases of kernels. Indexing and products of matrices. */
import * as tf from '@tensorflow/tfjs';
import { type Case, another, around, floats, given, inf, inside, ints, plain, smooth } from './agreement';

export const indexing: Readonly<Record<string, readonly Case[]>> = {
  GatherV2: [
    smooth((x, i) => x!.gather(i!), [around(5, 2), ints(0, 5, 7)]),
    smooth((x, i) => x!.gather(i!, 1), [around(2, 5, 3), ints(0, 5, 4)]),
    smooth((x, i) => x!.gather(i!), [around(5), ints(0, 5)]),
    plain((x, i) => x!.gather(i!), [around(5, 2), ints(0, 5, 3, 4)]),
    plain((x, i) => x!.gather(i!), [ints(0, 9, 5), ints(0, 5, 3)]),
    plain((x, i) => tf.gather(x!, i!, 1, 1), [around(4, 5), ints(0, 5, 4, 2)]),
    plain((x, i) => tf.gather(x!, i!, 1, 1), [around(4, 5, 3), ints(0, 5, 4, 2)]),
  ],
  UnsortedSegmentSum: [
    smooth((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 4), [around(7, 2), ints(0, 4, 7)]),
    smooth((x, i) => x!.gather(i!).square(), [around(5, 3), ints(0, 5, 40)], { terms: 40 }),
    plain((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 4), [ints(0, 9, 7), ints(0, 4, 7)]),
    smooth((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 300), [around(40, 3), ints(0, 300, 40)]),
    smooth((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 3), [around(7), ints(0, 3, 7)]),
    smooth((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 3), [around(7, 2, 3), ints(0, 3, 7)]),
  ],
  GatherNd: [
    plain((x, i) => tf.gatherND(x!, i!), [around(4, 5), given([0, 1, 3, 4, 2, 2], 'int32', [3, 2])]),
    plain((x, i) => tf.gatherND(x!, i!), [around(4, 5), given([0, 3], 'int32', [2, 1])]),
  ],
  ScatterNd: [
    plain((i, x) => tf.scatterND(i!, x!, [6]), [given([4, 1, 4], 'int32', [3, 1]), around(3)]),
    plain((i, x) => tf.scatterND(i!, x!, [4, 2]), [given([2, 2], 'int32', [2, 1]), ints(0, 9, 2, 2)]),
    plain((i, x) => tf.scatterND(i!, x!, [3, 4, 2]), [given([2, 1, 0, 3, 2, 1], 'int32', [3, 2]), around(3, 2)]),
    plain((i, x) => tf.scatterND(i!, x!, [3, 4]), [given([2, 1, 0, 3, 2, 1], 'int32', [3, 2]), around(3)]),
  ],
  TensorScatterUpdate: [
    plain((x, i, u) => tf.tensorScatterUpdate(x!, i!, u!), [around(6), given([4, 1], 'int32', [2, 1]), another(2)]),
  ],
  TopK: [
    plain((x) => Object.values(tf.topk(x, 3)), [around(4, 7)]),
    plain((x) => Object.values(tf.topk(x, 2)), [around(0, 3)]),
    plain((x) => Object.values(tf.topk(x, 2)), [ints(0, 9, 0, 3)]),
    plain((x) => Object.values(tf.topk(x, 2)), [given([1, 3, 3, 0, 3, -inf])]),
    plain((x) => Object.values(tf.topk(x, 2)), [ints(0, 9, 2, 5)]),
  ],
  OneHot: [
    plain((i) => tf.oneHot(i, 5), [given([0, 4, -1, 5, 2], 'int32')]),
    plain((i) => tf.oneHot(i, 3, 2, -1, 'float32'), [ints(0, 3, 2, 4)]),
    plain((i) => tf.oneHot(i, 4, 1, 0, 'float32'), [ints(0, 4)]),
    plain((i) => tf.oneHot(i, 4, 1, 0, 'bool'), [ints(0, 4, 3)]),
    smooth((x, i) => x!.mul(tf.oneHot(i!, 3).toFloat()).sum(-1), [around(5, 3), ints(0, 3, 5)]),
  ],

  BatchMatMul: [
    smooth((x, y) => tf.matMul(x!, y!), [around(3, 4), another(4, 2)]),
    smooth((x, y) => tf.matMul(x!, y!, true), [around(4, 3), another(4, 2)]),
    smooth((x, y) => tf.matMul(x!, y!, false, true), [around(3, 4), another(2, 4)]),
    smooth((x, y) => tf.matMul(x!, y!, true, true), [around(4, 3), another(2, 4)]),
    smooth((x, y) => tf.matMul(x!, y!), [around(5, 3, 4), another(5, 4, 2)]),
    smooth((x, y) => tf.matMul(x!, y!, false, true), [around(2, 5, 3, 4), another(2, 5, 2, 4)]),
    smooth((x, y) => tf.matMul(x!, y!, true), [around(2, 5, 4, 3), another(2, 5, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!), [around(5, 3, 4), another(1, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!, true), [around(5, 4, 3), another(1, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!), [around(1, 3, 4), another(5, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!), [ints(-3, 4, 3, 4), ints(-3, 4, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!), [around(0, 4), another(4, 2)]),
    smooth((x, y) => tf.dot(x!, y!), [around(4), another(4)]),
    smooth((x, y) => tf.matMul(x!, y!), [around(40, 300), floats(-2, 2, [300, 50], 'y')], { terms: 300 }),
  ],
  _FusedMatMul: [
    plain((a, b) => tf.fused.matMul({ a: a!, b: b! }), [around(3, 4), another(4, 2)]),
    ...(['relu', 'relu6', 'elu', 'sigmoid', 'linear'] as const).map((activation) =>
      plain(
        (a, b, bias) => tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation }),
        [around(3, 4), another(4, 2), around(2)],
      ),
    ),
    plain(
      (a, b, bias) =>
        tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation: 'leakyrelu', leakyreluAlpha: 0.3, transposeB: true }),
      [around(3, 4), another(2, 4), around(2)],
    ),
    plain(
      (a, b, w) => tf.fused.matMul({ a: a!, b: b!, activation: 'prelu', preluActivationWeights: w! }),
      [around(3, 4), another(4, 2), inside(2)],
    ),
  ],
};
