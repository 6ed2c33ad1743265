/**
 * Convolutions and pooling, as products of matrices.
 *
 * TensorFlow.js keeps images as [B, H, W, C], ONNX's Conv wants [B, C, H, W]; and ONNX Runtime's own gradients of a
 * convolution (Conv with swapped axes, ConvTranspose) reach a third of its Gemm's speed. So a convolution is
 * unfolded here: one Gather lists, for every output position and every tap of the kernel, the row of channels that
 * the tap reads, and one Gemm does the arithmetic. The same unfolded rows serve the forward pass and the gradient
 * of the kernel; padding, stride and dilation only change the indices, which are constants.
 * Background: Chellapilla, Puri and Simard, High performance convolutional neural networks for document
 * processing, 2006.
 */
import * as tf from '@tensorflow/tfjs';
import { sizeOf, type Spec } from './graph';
import {
  as,
  float,
  maybe,
  numbers,
  one,
  rangeOf,
  transposed,
  type Attributes,
  type Kernel,
  type Operand,
} from './kernel';
import type { OnnxBuilder } from './onnx';

/** What every tap of every output position reads. */
interface Windows {
  /** Positions that can be read, that are written, and taps of each that is written. */
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  /** [outputs · taps]: the position read, or −1 for padding. */
  readonly source: readonly number[];
}

type Info = tf.backend_util.Conv2DInfo;

/** Positions are counted row by row; so are taps. */
function windowsOf(info: Info): Windows {
  const { inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth } = info;
  const source: number[] = [];
  for (const p of rangeOf(outHeight * outWidth))
    for (const k of rangeOf(filterHeight * filterWidth)) {
      const row =
        Math.floor(p / outWidth) * info.strideHeight -
        info.padInfo.top +
        Math.floor(k / filterWidth) * info.dilationHeight;
      const column = (p % outWidth) * info.strideWidth - info.padInfo.left + (k % filterWidth) * info.dilationWidth;
      const inside = row >= 0 && row < inHeight && column >= 0 && column < inWidth;
      source.push(inside ? row * inWidth + column : -1);
    }
  return { inputs: inHeight * inWidth, outputs: outHeight * outWidth, taps: filterHeight * filterWidth, source };
}

/** For every input position and tap, the output position that reads it so: at most one. */
function readersOf({ inputs, outputs, taps, source }: Windows): Windows {
  const readers = new Array<number>(inputs * taps).fill(-1);
  source.forEach((q, i) => {
    if (q >= 0) readers[q * taps + (i % taps)] = Math.floor(i / taps);
  });
  return { inputs: outputs, outputs: inputs, taps, source: readers };
}

/** From values per (output position, tap) back to the input positions that the taps read, whatever their number. */
function returnsOf({ inputs, outputs, taps, source }: Windows): Windows {
  const lists = rangeOf(inputs).map((): number[] => []);
  source.forEach((q, i) => {
    if (q >= 0) lists[q]!.push(i);
  });
  const most = Math.max(1, ...lists.map((l) => l.length));
  const padded = lists.flatMap((l) => [...l, ...rangeOf(most - l.length).map(() => -1)]);
  return { inputs: outputs * taps, outputs: inputs, taps: most, source: padded };
}

/** As `windows`, over values that are kept per (input position, tap). */
const perTap = ({ inputs, outputs, taps, source }: Windows): Windows => ({
  inputs: inputs * taps,
  outputs,
  taps,
  source: source.map((q, i) => (q < 0 ? -1 : q * taps + (i % taps))),
});

/** [B, inputs, C] → [B, outputs · taps, C]; padding reads `outside`. */
function unfold(b: OnnxBuilder, x: string, B: number, C: number, w: Windows, outside = 0): string {
  if (w.source.length === w.inputs && w.source.every((q, i) => q === i)) return x;
  const padded = w.source.includes(-1);
  const border = () => b.op('Expand', [float(b, outside), b.ints([B, 1, C])]);
  const rows = padded ? b.op('Concat', [x, border()], { axis: 1 }) : x;
  return b.op(
    'Gather',
    [
      rows,
      b.constant(
        w.source.map((q) => (q < 0 ? w.inputs : q)),
        'int32',
      ),
    ],
    { axis: 1 },
  );
}

/** [B, inputs, C] → [B, outputs, C]: the sum of what each position's taps read. */
function fold(b: OnnxBuilder, x: string, B: number, C: number, w: Windows): string {
  const read = unfold(b, x, B, C, w);
  if (w.taps === 1) return read;
  return b.op('ReduceSum', [b.reshape(read, [B, w.outputs, w.taps, C]), b.ints([2])], { keepdims: 0 });
}

// Convolutions

type Format = 'channelsLast' | 'channelsFirst';
const formatOf = (attrs: Attributes): Format => (attrs['dataFormat'] === 'NCHW' ? 'channelsFirst' : 'channelsLast');

function infoOf(
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
function toRows(b: OnnxBuilder, x: Operand, format: Format): string {
  const [B, C] = [x.shape[0]!, x.shape[format === 'channelsLast' ? 3 : 1]!];
  const last = format === 'channelsLast' ? x.name : transposed(b, x.name, [0, 2, 3, 1]);
  return b.reshape(last, [B, sizeOf(x.shape) / Math.max(1, B * C), C]);
}

function fromRows(b: OnnxBuilder, rows: string, shape: readonly number[], format: Format): string {
  if (format === 'channelsLast') return b.reshape(rows, shape);
  const [B, C, H, W] = shape as [number, number, number, number];
  return transposed(b, b.reshape(rows, [B, H, W, C]), [0, 3, 1, 2]);
}

/** What the three products of a convolution share; sizes as in the formulas, P output and Q input positions. */
function convolution(info: Info) {
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
  const unfolded = (b: OnnxBuilder, x: string) => b.reshape(unfold(b, x, B, C, w), [B * w.outputs, K * C]);
  const unfoldedGradient = (b: OnnxBuilder, dy: string) =>
    b.reshape(unfold(b, dy, B, O, readersOf(w)), [B * w.inputs, K * O]);
  return {
    /** y_p = Σ_k x_{q(p,k)} W_k */
    forward(b: OnnxBuilder, x: string, filter: string): string {
      if (unfoldsInput) return b.op('Gemm', [unfolded(b, x), b.reshape(filter, [K * C, O])]);
      const products = b.op('Gemm', [b.reshape(x, [B * w.inputs, C]), turned(b, filter)]);
      return fold(b, b.reshape(products, [B, w.inputs * K, O]), B, O, perTap(w));
    },
    /** dx_q = Σ_k dy_{p(q,k)} W_kᵀ */
    toInput(b: OnnxBuilder, dy: string, filter: string): string {
      if (unfoldsGradient) return b.op('Gemm', [unfoldedGradient(b, dy), turned(b, filter)], { transB: 1 });
      const flat = b.reshape(dy, [B * w.outputs, O]);
      const products = b.op('Gemm', [flat, b.reshape(filter, [K * C, O])], { transB: 1 });
      return fold(b, b.reshape(products, [B, w.outputs * K, C]), B, C, returnsOf(w));
    },
    /** dW_k = Σ_p x_{q(p,k)}ᵀ dy_p: [K, C, O] */
    toFilter(b: OnnxBuilder, x: string, dy: string): string {
      if (unfoldsInput) return b.op('Gemm', [unfolded(b, x), b.reshape(dy, [B * w.outputs, O])], { transA: 1 });
      const flat = b.reshape(x, [B * w.inputs, C]);
      const dW = b.op('Gemm', [flat, unfoldedGradient(b, dy)], { transA: 1 });
      return transposed(b, b.reshape(dW, [C, K, O]), [1, 0, 2]);
    },
  };
}

const convolutions: Record<string, Kernel> = {
  Conv2D: {
    shape: (inputs, attrs) => [
      {
        shape: infoOf(attrs, one(inputs, 'x').shape, one(inputs, 'filter').shape).outShape,
        dtype: one(inputs, 'x').dtype,
      },
    ],
    lower: (b, inputs, attrs, [out]) => {
      const [x, filter] = [one(inputs, 'x'), one(inputs, 'filter')];
      const y = convolution(infoOf(attrs, x.shape, filter.shape)).forward(
        b,
        toRows(b, x, formatOf(attrs)),
        filter.name,
      );
      return [fromRows(b, y, out!.shape, formatOf(attrs))];
    },
  },
  Conv2DBackpropInput: {
    shape: (_, attrs) => [{ shape: numbers(attrs, 'inputShape'), dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const [dy, filter] = [one(inputs, 'dy'), one(inputs, 'filter')];
      const dx = convolution(infoOf(attrs, out!.shape, filter.shape)).toInput(
        b,
        toRows(b, dy, formatOf(attrs)),
        filter.name,
      );
      return [fromRows(b, dx, out!.shape, formatOf(attrs))];
    },
  },
  Conv2DBackpropFilter: {
    shape: (_, attrs) => [{ shape: numbers(attrs, 'filterShape'), dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const [x, dy] = [one(inputs, 'x'), one(inputs, 'dy')];
      const format = formatOf(attrs);
      const dW = convolution(infoOf(attrs, x.shape, out!.shape)).toFilter(
        b,
        toRows(b, x, format),
        toRows(b, dy, format),
      );
      return [b.reshape(dW, out!.shape)];
    },
  },
  // One kernel per channel, M outputs each: y_{p,c,m} = Σ_k x_{q(p,k),c} W_{k,c,m}, by broadcasting
  DepthwiseConv2dNative: {
    shape: (inputs, attrs) => [
      { shape: infoOf(attrs, one(inputs, 'x').shape, one(inputs, 'filter').shape, true).outShape, dtype: 'float32' },
    ],
    lower: (b, inputs, attrs, [out]) => {
      const [x, filter] = [one(inputs, 'x'), one(inputs, 'filter')];
      const { w, B, C, M } = depthwise(infoOf(attrs, x.shape, filter.shape, true));
      const read = b.reshape(unfold(b, toRows(b, x, 'channelsLast'), B, C, w), [B, w.outputs, w.taps, C, 1]);
      const products = b.op('Mul', [read, b.reshape(filter.name, [w.taps, C, M])]);
      return [b.reshape(b.op('ReduceSum', [products, b.ints([2])], { keepdims: 0 }), out!.shape)];
    },
  },
  DepthwiseConv2dNativeBackpropInput: {
    shape: (_, attrs) => [{ shape: numbers(attrs, 'inputShape'), dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const [dy, filter] = [one(inputs, 'dy'), one(inputs, 'filter')];
      const { w, B, C, M } = depthwise(infoOf(attrs, out!.shape, filter.shape, true));
      const products = b.op('Mul', [
        b.reshape(dy.name, [B, w.outputs, 1, C, M]),
        b.reshape(filter.name, [w.taps, C, M]),
      ]);
      const dx = b.op('ReduceSum', [products, b.ints([4])], { keepdims: 0 });
      return [b.reshape(fold(b, b.reshape(dx, [B, w.outputs * w.taps, C]), B, C, returnsOf(w)), out!.shape)];
    },
  },
  DepthwiseConv2dNativeBackpropFilter: {
    shape: (_, attrs) => [{ shape: numbers(attrs, 'filterShape'), dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const [x, dy] = [one(inputs, 'x'), one(inputs, 'dy')];
      const { w, B, C, M } = depthwise(infoOf(attrs, x.shape, out!.shape, true));
      const read = b.reshape(unfold(b, toRows(b, x, 'channelsLast'), B, C, w), [B, w.outputs, w.taps, C, 1]);
      const products = b.op('Mul', [read, b.reshape(dy.name, [B, w.outputs, 1, C, M])]);
      return [b.reshape(b.op('ReduceSum', [products, b.ints([0, 1])], { keepdims: 0 }), out!.shape)];
    },
  },
};

function depthwise(info: Info): { w: Windows; B: number; C: number; M: number } {
  return { w: windowsOf(info), B: info.batchSize, C: info.inChannels, M: info.outChannels / info.inChannels };
}

// Pooling

function poolInfo(attrs: Attributes, inShape: readonly number[]): Info {
  return tf.backend_util.computePool2DInfo(
    inShape as [number, number, number, number],
    attrs['filterSize'] as [number, number],
    attrs['strides'] as [number, number],
    1,
    attrs['pad'] as 'same' | 'valid' | number,
    attrs['dimRoundingMode'] as 'floor' | undefined,
  );
}

function pool(lower: (b: OnnxBuilder, x: string, w: Windows, B: number, C: number) => string): Kernel {
  return {
    shape: (inputs, attrs) => [
      { shape: poolInfo(attrs, one(inputs, 'x').shape).outShape, dtype: one(inputs, 'x').dtype },
    ],
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const info = poolInfo(attrs, x.shape);
      const rows = b.reshape(as(b, x, 'float32'), [info.batchSize, info.inHeight * info.inWidth, info.inChannels]);
      const y = lower(b, rows, windowsOf(info), info.batchSize, info.inChannels);
      return [as(b, { name: b.reshape(y, out!.shape), shape: out!.shape, dtype: 'float32' }, out!.dtype)];
    },
  };
}

/** [B, P, K, C] */
const windowed = (b: OnnxBuilder, x: string, w: Windows, B: number, C: number, outside: number) =>
  b.reshape(unfold(b, x, B, C, w, outside), [B, w.outputs, w.taps, C]);

const pooling: Record<string, Kernel> = {
  // padding does not count
  AvgPool: pool((b, x, w, B, C) => {
    const share = rangeOf(w.outputs).map(
      (p) => 1 / w.source.slice(p * w.taps, (p + 1) * w.taps).filter((q) => q >= 0).length,
    );
    const shares = b.tensor(Float32Array.from(share), [w.outputs, 1], 'float32');
    return b.op('Mul', [b.op('ReduceSum', [windowed(b, x, w, B, C, 0), b.ints([2])], { keepdims: 0 }), shares]);
  }),
  // TensorFlow.js divides by the window's whole size here, even where part of it is padding
  AvgPoolGrad: {
    shape: (inputs) => [{ shape: one(inputs, 'input').shape, dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const info = poolInfo(attrs, out!.shape);
      const w = windowsOf(info);
      const dy = b.reshape(one(inputs, 'dy').name, [info.batchSize, w.outputs, info.inChannels]);
      const returns = returnsOf(w);
      const perPosition = {
        ...returns,
        inputs: w.outputs,
        source: returns.source.map((i) => (i < 0 ? -1 : Math.floor(i / w.taps))),
      };
      const sum = fold(b, b.op('Mul', [dy, float(b, 1 / w.taps)]), info.batchSize, info.inChannels, perPosition);
      return [b.reshape(sum, out!.shape)];
    },
  },
  MaxPool: pool((b, x, w, B, C) =>
    b.op('ReduceMax', [windowed(b, x, w, B, C, Number.NEGATIVE_INFINITY), b.ints([2])], { keepdims: 0 }),
  ),
  // each output's gradient goes to the first of its window's largest elements
  MaxPoolGrad: {
    shape: (inputs) => [{ shape: one(inputs, 'input').shape, dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const info = poolInfo(attrs, out!.shape);
      const w = windowsOf(info);
      const [B, C] = [info.batchSize, info.inChannels];
      const x = b.reshape(as(b, one(inputs, 'input'), 'float32'), [B, w.inputs, C]);
      const dy = b.reshape(one(inputs, 'dy').name, [B, w.outputs, 1, C]);
      const first = b.op('ArgMax', [windowed(b, x, w, B, C, Number.NEGATIVE_INFINITY)], { axis: 2, keepdims: 1 });
      const taps = b.reshape(b.ints(rangeOf(w.taps)), [w.taps, 1]);
      const routed = b.op('Where', [b.op('Equal', [first, taps]), dy, float(b, 0)]);
      return [b.reshape(fold(b, b.reshape(routed, [B, w.outputs * w.taps, C]), B, C, returnsOf(w)), out!.shape)];
    },
  },
};

// Normalisation and resampling

const images: Record<string, Kernel> = {
  FusedBatchNorm: {
    shape: (inputs) => [one(inputs, 'x')],
    lower: (b, inputs, attrs) => {
      const [x, mean, variance] = ['x', 'mean', 'variance'].map((name) => one(inputs, name).name) as [
        string,
        string,
        string,
      ];
      const epsilon = (attrs['varianceEpsilon'] as number | undefined) ?? 0.001;
      const deviation = b.op('Sqrt', [b.op('Add', [variance, float(b, epsilon)])]);
      const scale = maybe(inputs, 'scale');
      const offset = maybe(inputs, 'offset');
      const slope = scale ? b.op('Div', [scale.name, deviation]) : b.op('Reciprocal', [deviation]);
      const y = b.op('Mul', [b.op('Sub', [x, mean]), slope]);
      return [offset ? b.op('Add', [y, offset.name]) : y];
    },
  },
  ResizeNearestNeighbor: {
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'images');
      return [{ shape: [shape[0]!, ...numbers(attrs, 'size'), shape[3]!], dtype }];
    },
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'images');
      const rows = b.constant(nearest(x.shape[1]!, out!.shape[1]!, attrs), 'int32');
      const columns = b.constant(nearest(x.shape[2]!, out!.shape[2]!, attrs), 'int32');
      return [b.op('Gather', [b.op('Gather', [x.name, rows], { axis: 1 }), columns], { axis: 2 })];
    },
  },
  // as in TensorFlow.js, halfPixelCenters plays no part in the gradient
  ResizeNearestNeighborGrad: {
    shape: (inputs) => [{ ...one(inputs, 'images'), dtype: 'float32' } satisfies Spec],
    lower: (b, inputs, attrs, [out]) => {
      const dy = one(inputs, 'dy');
      const [B, H, W, C] = out!.shape as [number, number, number, number];
      const [rows, columns] = [
        nearest(H, dy.shape[1]!, { ...attrs, halfPixelCenters: false }),
        nearest(W, dy.shape[2]!, { ...attrs, halfPixelCenters: false }),
      ];
      const source = rows.flatMap((row) => columns.map((column) => row * W + column));
      const w = { inputs: H * W, outputs: source.length, taps: 1, source };
      return [b.reshape(fold(b, b.reshape(dy.name, [B, w.outputs, C]), B, C, returnsOf(w)), out!.shape)];
    },
  },
};

/** The old position that each new one along an axis copies. */
function nearest(from: number, to: number, attrs: Attributes): number[] {
  const corners = attrs['alignCorners'] === true;
  const ratio = corners && to > 1 ? (from - 1) / (to - 1) : from / to;
  const half = attrs['halfPixelCenters'] === true ? 0.5 : 0;
  return rangeOf(to).map((i) => {
    const at = ratio * (i + half);
    return Math.min(from - 1, corners ? Math.round(at) : Math.floor(at));
  });
}

/** Every kernel over images that can be compiled, by its TensorFlow.js name. */
export const convolutionKernels: Readonly<Record<string, Kernel>> = { ...convolutions, ...pooling, ...images };
