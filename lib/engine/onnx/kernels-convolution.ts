/**
 * Convolutions and pooling, as products of matrices.
 *
 * TensorFlow.js keeps images as [B, H, W, C], ONNX's Conv wants [B, C, H, W]; and ONNX Runtime's own operators reach
 * for the gradients (Conv with swapped axes, ConvTranspose) a third of its Gemm's speed. So a convolution is unfolded
 * here: one Gather lists, for every output position and every tap of the kernel, the row of channels that the tap
 * reads, and one Gemm does the arithmetic. The same unfolded rows serve the forward pass and the gradient of the
 * kernel; padding, stride and dilation only change the indices, which are constants. Where the channels are many,
 * `fast-convolution` saves most of the arithmetic; an output then differs in its last digits from the direct sum, and
 * depends, in the last digits, on inputs outside of its window.
 * Reference: Chellapilla, Puri and Simard, High performance convolutional neural networks for document processing,
 * 2006.
 */
import * as tf from '@tensorflow/tfjs';
import { fastConvolution, productsOf, type FastConvolution } from './fast-convolution';
import { sizeOf, type Spec } from '../graph/graph';
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
  const most = lists.reduce((n, l) => Math.max(n, l.length), 1);
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
  const index = w.source.map((q) => (q < 0 ? w.inputs : q));
  return b.op('Gather', [rows, b.constant(index, 'int32')], { axis: 1 });
}

/** [B, inputs, C] → [B, outputs, C]: the sum of what each position's taps read. */
function fold(b: OnnxBuilder, x: string, B: number, C: number, w: Windows): string {
  const { outputs, taps, source } = w;
  if (taps === 1) return unfold(b, x, B, C, w);
  // a few long rows are added faster by themselves than by a reduction over a short axis
  if (taps <= 4 && C >= 16) {
    const tap = (k: number) => ({ ...w, taps: 1, source: source.filter((_, i) => i % taps === k) });
    const each = rangeOf(taps).map((k) => unfold(b, x, B, C, tap(k)));
    return b.op('Sum', each);
  }
  return b.op('ReduceSum', [b.reshape(unfold(b, x, B, C, w), [B, outputs, taps, C]), b.ints([2])], { keepdims: 0 });
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

/** The three products of a convolution, on rows: x [B, Q, C], dy [B, P, O], and the kernel [K, C, O]. */
interface Convolution {
  /** y_p = Σ_k x_{q(p,k)} W_k: [B, P, O] */
  forward(b: OnnxBuilder, x: string, filter: string): string;
  /** dx_q = Σ_k dy_{p(q,k)} W_kᵀ: [B, Q, C] */
  toInput(b: OnnxBuilder, dy: string, filter: string): string;
  /** dW_k = Σ_p x_{q(p,k)}ᵀ dy_p: [K, C, O] */
  toFilter(b: OnnxBuilder, x: string, dy: string): string;
}

const convolution = (info: Info): Convolution => {
  const plan = fastPlan(info);
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
  const inputs = (b: OnnxBuilder, x: string) => b.reshape(unfold(b, x, B, C, w), [B * w.outputs, K * C]);
  const gradients = (b: OnnxBuilder, dy: string) => b.reshape(unfold(b, dy, B, O, readersOf(w)), [B * w.inputs, K * O]);
  return {
    forward(b, x, filter) {
      if (unfoldsInput) return b.op('Gemm', [inputs(b, x), b.reshape(filter, [K * C, O])]);
      const products = b.op('Gemm', [b.reshape(x, [B * w.inputs, C]), turned(b, filter)]);
      return fold(b, b.reshape(products, [B, w.inputs * K, O]), B, O, perTap(w));
    },
    toInput(b, dy, filter) {
      if (unfoldsGradient) return b.op('Gemm', [gradients(b, dy), turned(b, filter)], { transB: 1 });
      const products = b.op('Gemm', [b.reshape(dy, [B * w.outputs, O]), b.reshape(filter, [K * C, O])], { transB: 1 });
      return fold(b, b.reshape(products, [B, w.outputs * K, C]), B, C, returnsOf(w));
    },
    toFilter(b, x, dy) {
      if (unfoldsInput) return b.op('Gemm', [inputs(b, x), b.reshape(dy, [B * w.outputs, O])], { transA: 1 });
      const dW = b.op('Gemm', [b.reshape(x, [B * w.inputs, C]), gradients(b, dy)], { transA: 1 });
      return transposed(b, b.reshape(dW, [C, K, O]), [1, 0, 2]);
    },
  };
}

// Convolutions with fewer multiplications

/** The outputs are made tile by tile, each from its own window of the input; a tile counts as one more image. */
interface Plan {
  readonly rows: FastConvolution;
  readonly columns: FastConvolution;
}

const TILES = [2, 3, 4, 6, 8, 12, 16, 24, 32];
/** What a core does in a nanosecond: arithmetic in a Gemm, and bytes moved. Fitted to 22 shapes, within 20 %. */
const FLOPS = 200;
const BYTES = 30;
/** The share of the direct sum's cost below which fewer products are worth their transforms. */
const WORTHWHILE = 0.9;

/** The cheapest plan; none, where the direct sum is about as fast. */
export function fastPlan(info: Info): Plan | undefined {
  const { batchSize: B, inChannels: C, outChannels: O, filterHeight, filterWidth, outHeight, outWidth } = info;
  const K = filterHeight * filterWidth;
  const regular = info.strideHeight * info.strideWidth * info.dilationHeight * info.dilationWidth === 1;
  if (!regular || K === 1 || sizeOf(info.outShape) === 0) return undefined;
  const positions = B * outHeight * outWidth;
  const direct = (2 * positions * K * C * O) / FLOPS + (10 * positions * K * Math.min(C, O)) / BYTES;
  const sizes = (outputs: number, taps: number) => (taps === 1 ? [1] : TILES.filter((m) => m < 2 * outputs));
  let best = { cost: WORTHWHILE * direct, tile: undefined as readonly [number, number] | undefined };
  for (const m of sizes(outHeight, filterHeight))
    for (const n of sizes(outWidth, filterWidth)) {
      const J = productsOf(m, filterHeight) * productsOf(n, filterWidth);
      const tiles = B * Math.ceil(outHeight / m) * Math.ceil(outWidth / n);
      const inputs = (m + filterHeight - 1) * (n + filterWidth - 1);
      const flops = 2 * J * tiles * (C * O + inputs * C + m * n * O);
      const bytes = 10 * tiles * (J * (C + O) + inputs * C + m * n * O) + 8 * J * C * O;
      const cost = flops / FLOPS + bytes / BYTES;
      if (cost < best.cost) best = { cost, tile: [m, n] };
    }
  if (!best.tile) return undefined;
  const [m, n] = best.tile;
  return { rows: fastConvolution(m, filterHeight), columns: fastConvolution(n, filterWidth) };
}

/** Row by row ⊗ column by column: a matrix for positions that are counted row by row. */
const kronecker = (a: FastConvolution['ofInput'], b: FastConvolution['ofInput']): Float32Array =>
  Float32Array.from(a.flatMap((row) => b.flatMap((other) => row.flatMap((v) => other.map((w) => v * w)))));

/**
 * Where the rows of the tiles come from, position by position and all tiles side by side, as the transforms want
 * them: [inputs, tiles] from the input's [B, Q], and [B, P] from the tiles' [outputs, tiles].
 */
function tilesOf(info: Info, { rows, columns }: Plan): { ofInput: Windows; toOutput: Windows } {
  const { batchSize: B, inHeight, inWidth, outHeight, outWidth, padInfo } = info;
  const [down, across] = [Math.ceil(outHeight / rows.outputs), Math.ceil(outWidth / columns.outputs)];
  const tiles = B * down * across;
  const ofInput = rangeOf(rows.inputs * columns.inputs * tiles).map((at) => {
    const [position, tile] = [Math.floor(at / tiles), at % tiles];
    const [image, place] = [Math.floor(tile / (down * across)), tile % (down * across)];
    const row = Math.floor(place / across) * rows.outputs + Math.floor(position / columns.inputs) - padInfo.top;
    const column = (place % across) * columns.outputs + (position % columns.inputs) - padInfo.left;
    const inside = row >= 0 && row < inHeight && column >= 0 && column < inWidth;
    return inside ? (image * inHeight + row) * inWidth + column : -1;
  });
  const toOutput = rangeOf(B * outHeight * outWidth).map((at) => {
    const [row, column] = [Math.floor(at / outWidth) % outHeight, at % outWidth];
    const place = Math.floor(row / rows.outputs) * across + Math.floor(column / columns.outputs);
    const tile = Math.floor(at / (outHeight * outWidth)) * down * across + place;
    return ((row % rows.outputs) * columns.outputs + (column % columns.outputs)) * tiles + tile;
  });
  return {
    ofInput: { inputs: B * inHeight * inWidth, outputs: ofInput.length, taps: 1, source: ofInput },
    toOutput: { inputs: rows.outputs * columns.outputs * tiles, outputs: toOutput.length, taps: 1, source: toOutput },
  };
}

/** y = A ((G w) ⊙ (D x)), tile by tile; the gradients are the transposes of the same products. */
function fast(info: Info, plan: Plan): Convolution {
  const { rows, columns } = plan;
  const [C, O] = [info.inChannels, info.outChannels];
  const J = rows.products * columns.products;
  const { ofInput, toOutput } = tilesOf(info, plan);
  const matrix = (b: OnnxBuilder, which: 'ofInput' | 'ofKernel' | 'toOutput') =>
    b.once(`${which} ${[rows, columns].map((axis) => [axis.outputs, axis.taps]).join()}`, () => {
      const size = [rows, columns].map((axis) => [axis[which].length, axis[which][0]!.length] as const);
      const dims = [size[0]![0] * size[1]![0], size[0]![1] * size[1]![1]];
      return b.tensor(kronecker(rows[which], columns[which]), dims, 'float32');
    });
  /** One of the constant matrices, or its transpose, times a matrix of many columns. */
  const times = (b: OnnxBuilder, which: Parameters<typeof matrix>[1], x: string, width: number, transA: 0 | 1 = 0) =>
    b.op('Gemm', [matrix(b, which), b.reshape(x, [-1, width])], { transA });
  const gathered = (b: OnnxBuilder, x: string, channels: number, w: Windows) =>
    fold(b, b.reshape(x, [1, w.inputs, channels]), 1, channels, w);
  const tiles = ofInput.outputs / (rows.inputs * columns.inputs);
  const ofX = (b: OnnxBuilder, x: string) =>
    b.reshape(times(b, 'ofInput', gathered(b, x, C, ofInput), tiles * C), [J, tiles, C]);
  const ofFilter = (b: OnnxBuilder, filter: string) => b.reshape(times(b, 'ofKernel', filter, C * O), [J, C, O]);
  const ofDy = (b: OnnxBuilder, dy: string) =>
    b.reshape(times(b, 'toOutput', gathered(b, dy, O, returnsOf(toOutput)), tiles * O, 1), [J, tiles, O]);
  const turned = (b: OnnxBuilder, x: string) => b.op('Transpose', [x], { perm: [0, 2, 1] });
  return {
    forward(b, x, filter) {
      const products = b.op('MatMul', [ofX(b, x), ofFilter(b, filter)]);
      return gathered(b, times(b, 'toOutput', products, tiles * O), O, toOutput);
    },
    toInput(b, dy, filter) {
      const products = b.op('MatMul', [ofDy(b, dy), turned(b, ofFilter(b, filter))]);
      return gathered(b, times(b, 'ofInput', products, tiles * C, 1), C, returnsOf(ofInput));
    },
    toFilter(b, x, dy) {
      const products = b.op('MatMul', [turned(b, ofX(b, x)), ofDy(b, dy)]);
      return times(b, 'ofKernel', products, C * O, 1);
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
