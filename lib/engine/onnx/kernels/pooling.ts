/** Means and maxima over windows of an image. */
import * as tf from '@tensorflow/tfjs';
import { as, float, NUMBERS, one, rangeOf, type Attributes, type Kernel, type Kernels } from '../kernel';
import type { OnnxBuilder } from '../onnx';
import { fold, returnsOf, unfold, windowsOf, type Info, type Size, type Windows } from './windows';

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

function pool(lower: (b: OnnxBuilder, x: string, size: Size, w: Windows) => string): Kernel {
  return {
    types: NUMBERS,
    shape: (inputs, attrs) => [
      { shape: poolInfo(attrs, one(inputs, 'x').shape).outShape, dtype: one(inputs, 'x').dtype },
    ],
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const info = poolInfo(attrs, x.shape);
      const rows = b.reshape(as(b, x, 'float32'), [info.batchSize, info.inHeight * info.inWidth, info.inChannels]);
      const y = lower(b, rows, [info.batchSize, info.inChannels], windowsOf(info));
      return [as(b, { name: b.reshape(y, out!.shape), shape: out!.shape, dtype: 'float32' }, out!.dtype)];
    },
  };
}

/** [B, P, K, C] */
const windowed = (b: OnnxBuilder, x: string, [B, C]: Size, w: Windows, outside: number) =>
  b.reshape(unfold(b, x, [B, C], w, outside), [B, w.outputs, w.taps, C]);

export const pooling: Kernels = {
  // padding does not count
  AvgPool: pool((b, x, size, w) => {
    const share = rangeOf(w.outputs).map(
      (p) => 1 / w.source.slice(p * w.taps, (p + 1) * w.taps).filter((q) => q >= 0).length,
    );
    const shares = b.tensor(Float32Array.from(share), [w.outputs, 1], 'float32');
    return b.op('Mul', [b.op('ReduceSum', [windowed(b, x, size, w, 0), b.ints([2])], { keepdims: 0 }), shares]);
  }),
  // TensorFlow.js divides by the window's whole size here, even where part of it is padding
  AvgPoolGrad: {
    types: NUMBERS,
    note: 'the gradient of avgPool',
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
      const sum = fold(b, b.op('Mul', [dy, float(b, 1 / w.taps)]), [info.batchSize, info.inChannels], perPosition);
      return [b.reshape(sum, out!.shape)];
    },
  },
  // TensorFlow.js passes over NaN here, and so does its gradient
  MaxPool: pool((b, x, size, w) =>
    b.op('ReduceMax', [windowed(b, withoutNaN(b, x), size, w, Number.NEGATIVE_INFINITY), b.ints([2])], { keepdims: 0 }),
  ),
  // each output's gradient goes to the first of its window's largest elements; to none where there is but NaN and −∞
  MaxPoolGrad: {
    types: NUMBERS,
    note: 'the gradient of maxPool',
    shape: (inputs) => [{ shape: one(inputs, 'input').shape, dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const info = poolInfo(attrs, out!.shape);
      const w = windowsOf(info);
      const [B, C] = [info.batchSize, info.inChannels];
      const x = b.reshape(as(b, one(inputs, 'input'), 'float32'), [B, w.inputs, C]);
      const dy = b.reshape(one(inputs, 'dy').name, [B, w.outputs, 1, C]);
      const windows = windowed(b, withoutNaN(b, x), [B, C], w, Number.NEGATIVE_INFINITY);
      const first = b.op('ArgMax', [windows], { axis: 2, keepdims: 1 });
      const largest = b.op('ReduceMax', [windows, b.ints([2])], { keepdims: 1 });
      const isSome = b.op('Greater', [largest, float(b, Number.NEGATIVE_INFINITY)]);
      const taps = b.reshape(b.ints(rangeOf(w.taps)), [w.taps, 1]);
      const routed = b.op('Where', [b.op('And', [b.op('Equal', [first, taps]), isSome]), dy, float(b, 0)]);
      return [b.reshape(fold(b, b.reshape(routed, [B, w.outputs * w.taps, C]), [B, C], returnsOf(w)), out!.shape)];
    },
  },
};

const withoutNaN = (b: OnnxBuilder, x: string): string =>
  b.op('Where', [b.op('IsNaN', [x]), float(b, Number.NEGATIVE_INFINITY), x]);
