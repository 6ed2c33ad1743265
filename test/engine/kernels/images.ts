/** Cases of kernels. Convolutions, pooling, normalisation, resampling. */
import * as tf from '@tensorflow/tfjs';
import { type Case, type Fn, another, around, inside, plain, positive, smooth } from './agreement';

export const images: Readonly<Record<string, readonly Case[]>> = {
  Conv2D: convolutionCases(),
  Conv2DBackpropInput: [
    ...convolutionCases(),
    smooth(
      (y, w) => tf.conv2dTranspose(y as tf.Tensor4D, w as tf.Tensor4D, [2, 6, 8, 3], 2, 'same'),
      [around(2, 3, 4, 5), another(3, 3, 3, 5)],
      { terms: 100 },
    ),
  ],
  Conv2DBackpropFilter: convolutionCases(),
  FusedConv2D: [
    plain(
      (x, filter, bias) =>
        tf.fused.conv2d({
          x: x as tf.Tensor4D,
          filter: filter as tf.Tensor4D,
          strides: 1,
          pad: 'same',
          bias: bias!,
          activation: 'relu',
        }),
      [around(2, 4, 5, 3), another(3, 3, 3, 4), around(4)],
      { terms: 50 },
    ),
  ],
  DepthwiseConv2dNative: depthwiseCases(),
  DepthwiseConv2dNativeBackpropInput: depthwiseCases(),
  DepthwiseConv2dNativeBackpropFilter: depthwiseCases(),
  FusedDepthwiseConv2D: [
    plain(
      (x, filter) =>
        tf.fused.depthwiseConv2d({
          x: x as tf.Tensor4D,
          filter: filter as tf.Tensor4D,
          strides: 1,
          pad: 'same',
          activation: 'relu6',
        }),
      [around(2, 4, 5, 3), another(3, 3, 3, 2)],
      { terms: 20 },
    ),
  ],
  AvgPool: poolCases((x, size, strides, pad) => tf.avgPool(x, size, strides, pad)),
  AvgPoolGrad: poolCases((x, size, strides, pad) => tf.avgPool(x, size, strides, pad)),
  MaxPool: poolCases((x, size, strides, pad) => tf.maxPool(x, size, strides, pad)),
  MaxPoolGrad: [
    ...poolCases((x, size, strides, pad) => tf.maxPool(x, size, strides, pad)),
    // the first of equals
    smooth((x) => tf.maxPool(x.toFloat().round() as tf.Tensor4D, 2, 1, 'same').mul(x.sum()), [inside(1, 4, 4, 2)], {
      terms: 50,
    }),
  ],
  FusedBatchNorm: [
    smooth(
      (x, mean, variance, offset, scale) =>
        tf.batchNorm(
          x!,
          mean as tf.Tensor1D,
          variance as tf.Tensor1D,
          offset as tf.Tensor1D,
          scale as tf.Tensor1D,
          0.01,
        ),
      [around(2, 3, 4, 5), inside(5), positive(5), another(5), around(5)],
      { terms: 100 },
    ),
    plain(
      (x, mean, variance) => tf.batchNorm(x!, mean as tf.Tensor1D, variance as tf.Tensor1D),
      [around(6, 5), inside(5), positive(5)],
      {
        terms: 30,
      },
    ),
    plain(
      (x, mean, variance) => tf.batchNorm(x!, mean as tf.Tensor2D, variance as tf.Tensor2D),
      [around(3, 2), another(3, 2), positive(3, 2)],
    ),
  ],
  ResizeNearestNeighbor: resizeCases(),
  ResizeNearestNeighborGrad: resizeCases(),
};

function convolutionCases(): Case[] {
  const conv =
    (
      strides: number | [number, number],
      pad: Parameters<typeof tf.conv2d>[3],
      format: 'NHWC' | 'NCHW' = 'NHWC',
      dilations = 1,
    ): Fn =>
    (x, w) =>
      tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad, format, dilations);
  const terms = { terms: 150 };
  return [
    smooth(conv(1, 'same'), [around(2, 5, 4, 3), another(3, 3, 3, 6)], terms),
    smooth(conv(1, 'same'), [around(2, 5, 4, 6), another(3, 3, 6, 2)], terms),
    smooth(conv(1, 'valid'), [around(2, 5, 4, 3), another(2, 3, 3, 3)], terms),
    smooth(conv(2, 'same'), [around(2, 5, 7, 3), another(3, 3, 3, 4)], terms),
    smooth(conv([2, 1], 'valid'), [around(2, 5, 7, 4), another(3, 2, 4, 2)], terms),
    smooth(conv(1, 1), [around(2, 4, 4, 2), another(3, 3, 2, 2)], terms),
    smooth(conv(1, [[0, 0], [0, 0], [3, 0], [0, 0]]), [around(2, 1, 8, 2), another(1, 4, 2, 3)], terms), // prettier-ignore
    smooth(conv(1, 'same'), [around(2, 3, 3, 4), another(1, 1, 4, 3)], terms),
    smooth(conv(3, 'valid'), [around(2, 6, 6, 2), another(1, 1, 2, 3)], terms),
    smooth(conv(1, 'same', 'NCHW'), [around(2, 3, 5, 4), another(3, 3, 3, 2)], terms),
    smooth(
      (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, 'same'),
      [around(2, 9, 3), another(5, 3, 3)],
      terms,
    ),
    smooth((x, w) => tf.conv1d(x.pad([[0, 0], [4, 0], [0, 0]]) as tf.Tensor3D, w as tf.Tensor3D, 1, 'valid'), [around(2, 9, 1), another(5, 1, 4)], terms), // prettier-ignore
  ];
}

function depthwiseCases(): Case[] {
  const conv =
    (strides: number, pad: 'same' | 'valid'): Fn =>
    (x, w) =>
      tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad);
  return [
    smooth(conv(1, 'same'), [around(2, 5, 4, 3), another(3, 3, 3, 2)], { terms: 50 }),
    smooth(conv(2, 'same'), [around(2, 5, 4, 3), another(3, 3, 3, 1)], { terms: 50 }),
    smooth(conv(1, 'valid'), [around(2, 5, 4, 3), another(2, 2, 3, 1)], { terms: 50 }),
  ];
}

type Pool = (x: tf.Tensor4D, size: [number, number], strides: number, pad: 'same' | 'valid' | number) => tf.Tensor;

function poolCases(pool: Pool): Case[] {
  return [
    smooth((x) => pool(x as tf.Tensor4D, [2, 2], 2, 'valid'), [around(2, 4, 6, 3)]),
    smooth((x) => pool(x as tf.Tensor4D, [3, 3], 2, 'same'), [around(2, 5, 6, 3)]),
    smooth((x) => pool(x as tf.Tensor4D, [3, 2], 1, 'same'), [around(2, 4, 4, 2)]),
    smooth((x) => pool(x as tf.Tensor4D, [2, 2], 1, 1), [around(1, 3, 4, 2)]),
  ];
}

/** One image: over a batch, TensorFlow.js' own gradient on the CPU reads the images of others. */
function resizeCases(): Case[] {
  const resize =
    (size: [number, number], corners = false, centres = false): Fn =>
    (x) =>
      tf.image.resizeNearestNeighbor(x as tf.Tensor4D, size, corners, centres);
  return [
    smooth(resize([6, 8]), [around(1, 3, 4, 2)]),
    smooth(resize([2, 3]), [around(1, 5, 4, 2)]),
    smooth(resize([5, 7], true), [around(1, 3, 4, 2)]),
    plain(resize([5, 7], false, true), [around(2, 3, 4, 2)]),
  ];
}
