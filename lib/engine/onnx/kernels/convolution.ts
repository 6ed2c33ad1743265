/**
 * Convolutions, as products of matrices.
 *
 * TensorFlow.js keeps images as [B, H, W, C], ONNX's Conv wants [B, C, H, W]; and ONNX Runtime's own operators reach
 * for the gradients (Conv with swapped axes, ConvTranspose) a third of its Gemm's speed. So a convolution is unfolded
 * here: one Gather lists, for every output position and every tap of the kernel, the row of channels that the tap
 * reads, and one Gemm does the arithmetic. The same unfolded rows serve the forward pass and the gradient of the
 * kernel; padding, stride and dilation only change the indices, which are constants. Where the channels are many,
 * `fast-tiles` saves most of the arithmetic; an output then differs in its last digits from the direct sum, and
 * depends, in the last digits, on inputs outside of its window.
 * Reference: Chellapilla, Puri and Simard, High performance convolutional neural networks for document processing,
 * 2006.
 */
import * as tf from '@tensorflow/tfjs';
import { sizeOf } from '../../graph/graph';
import { FLOATS, numbers, one, transposed, type Attributes, type Kernels, type Operand } from '../kernel';
import type { OnnxBuilder, Target } from '../onnx';
import { fast, fastPlan } from './fast-tiles';
import { fold, perTap, readersOf, returnsOf, unfold, windowsOf, type Convolution, type Info } from './windows';

type Format = 'channelsLast' | 'channelsFirst';
const formatOf = (attrs: Attributes): Format => (attrs['dataFormat'] === 'NCHW' ? 'channelsFirst' : 'channelsLast');

export function infoOf(
  attrs: Attributes,
  inShape: readonly number[],
  filterShape: readonly number[],
  depthwise = false,
): Info {
  return tf.backend_util.computeConv2DInfo(
    inShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs['strides'] as [number, number],
    (attrs['dilations'] as [number, number] | undefined) ?? 1,
    attrs['pad'] as 'same' | 'valid' | number,
    attrs['dimRoundingMode'] as 'floor' | undefined,
    depthwise,
    formatOf(attrs),
  );
}

/** [B, H, W, C] or [B, C, H, W] → [B, H·W, C], as TensorFlow.js keeps it and as it is computed. */
export function toRows(b: OnnxBuilder, x: Operand, format: Format): string {
  const [B, C] = [x.shape[0]!, x.shape[format === 'channelsLast' ? 3 : 1]!];
  const last = format === 'channelsLast' ? x.name : transposed(b, x.name, [0, 2, 3, 1]);
  return b.reshape(last, [B, sizeOf(x.shape) / Math.max(1, B * C), C]);
}

function fromRows(b: OnnxBuilder, rows: string, shape: readonly number[], format: Format): string {
  if (format === 'channelsLast') return b.reshape(rows, shape);
  const [B, C, H, W] = shape as [number, number, number, number];
  return transposed(b, b.reshape(rows, [B, H, W, C]), [0, 3, 1, 2]);
}

const convolution = (info: Info, { exact }: Target): Convolution => {
  const plan = exact ? undefined : fastPlan(info);
  return plan ? fast(info, plan) : unfolded(info);
};

function unfolded(info: Info): Convolution {
  const w = windowsOf(info);
  const [B, C, O, K] = [info.batchSize, info.inChannels, info.outChannels, w.taps];
  const strided = info.strideHeight * info.strideWidth > 1;
  // Unfolding multiplies the memory by the number of taps: done on the side with fewer channels. A stride leaves
  // most of an unfolded gradient empty, so there it is always the input.
  const unfoldsInput = strided || C <= O;
  const unfoldsGradient = !strided && O <= C;
  /** [K, C, O] → [C, K·O] */
  const turned = (b: OnnxBuilder, filter: string) =>
    b.reshape(transposed(b, b.reshape(filter, [K, C, O]), [1, 0, 2]), [C, K * O]);
  const inputs = (b: OnnxBuilder, x: string) => b.reshape(unfold(b, x, [B, C], w), [B * w.outputs, K * C]);
  const gradients = (b: OnnxBuilder, dy: string) =>
    b.reshape(unfold(b, dy, [B, O], readersOf(w)), [B * w.inputs, K * O]);
  return {
    forward(b, x, filter) {
      if (unfoldsInput) return b.op('Gemm', [inputs(b, x), b.reshape(filter, [K * C, O])]);
      const products = b.op('Gemm', [b.reshape(x, [B * w.inputs, C]), turned(b, filter)]);
      return fold(b, b.reshape(products, [B, w.inputs * K, O]), [B, O], perTap(w));
    },
    toInput(b, dy, filter) {
      if (unfoldsGradient) return b.op('Gemm', [gradients(b, dy), turned(b, filter)], { transB: 1 });
      const products = b.op('Gemm', [b.reshape(dy, [B * w.outputs, O]), b.reshape(filter, [K * C, O])], { transB: 1 });
      return fold(b, b.reshape(products, [B, w.outputs * K, C]), [B, C], returnsOf(w));
    },
    toFilter(b, x, dy) {
      if (unfoldsInput) return b.op('Gemm', [inputs(b, x), b.reshape(dy, [B * w.outputs, O])], { transA: 1 });
      const dW = b.op('Gemm', [b.reshape(x, [B * w.inputs, C]), gradients(b, dy)], { transA: 1 });
      return transposed(b, b.reshape(dW, [C, K, O]), [1, 0, 2]);
    },
  };
}

export const convolutions: Kernels = {
  Conv2D: {
    types: FLOATS,
    note: 'conv1d, conv2d; padding counts as zeros, so that an infinite weight makes NaN beside it',
    shape: (inputs, attrs) => [
      {
        shape: infoOf(attrs, one(inputs, 'x').shape, one(inputs, 'filter').shape).outShape,
        dtype: one(inputs, 'x').dtype,
      },
    ],
    lower: (b, inputs, attrs, [out]) => {
      const [x, filter] = [one(inputs, 'x'), one(inputs, 'filter')];
      const y = convolution(infoOf(attrs, x.shape, filter.shape), b.target).forward(
        b,
        toRows(b, x, formatOf(attrs)),
        filter.name,
      );
      return [fromRows(b, y, out!.shape, formatOf(attrs))];
    },
  },
  Conv2DBackpropInput: {
    types: FLOATS,
    note: 'conv2dTranspose, and the gradient of conv2d by its input',
    shape: (_, attrs) => [{ shape: numbers(attrs, 'inputShape'), dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const [dy, filter] = [one(inputs, 'dy'), one(inputs, 'filter')];
      const dx = convolution(infoOf(attrs, out!.shape, filter.shape), b.target).toInput(
        b,
        toRows(b, dy, formatOf(attrs)),
        filter.name,
      );
      return [fromRows(b, dx, out!.shape, formatOf(attrs))];
    },
  },
  Conv2DBackpropFilter: {
    types: FLOATS,
    note: 'the gradient of conv2d by its filter',
    shape: (_, attrs) => [{ shape: numbers(attrs, 'filterShape'), dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const [x, dy] = [one(inputs, 'x'), one(inputs, 'dy')];
      const format = formatOf(attrs);
      const dW = convolution(infoOf(attrs, x.shape, out!.shape), b.target).toFilter(
        b,
        toRows(b, x, format),
        toRows(b, dy, format),
      );
      return [b.reshape(dW, out!.shape)];
    },
  },
  // One kernel per channel, M outputs each: y_{p,c,m} = Σ_k x_{q(p,k),c} W_{k,c,m}, by broadcasting
};
