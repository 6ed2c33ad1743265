/** Parts of a value, and values put together. */
import * as tf from '@tensorflow/tfjs';
import type { Spec } from '../../graph/graph';
import {
  ALL,
  axes,
  like,
  list,
  numbers,
  one,
  rangeOf,
  requireShape,
  type Attributes,
  type Kernels,
  type Operand,
} from '../kernel';
import type { OnnxBuilder } from '../onnx';

export const parts: Kernels = {
  Slice: {
    types: ALL,
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      return [{ shape: sliceOf(shape, attrs).size, dtype }];
    },
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const { begin, size } = sliceOf(x.shape, attrs);
      const end = begin.map((start, axis) => start + size[axis]!);
      return [sliced(b, x.name, begin, end)];
    },
  },
  Reverse: {
    types: ALL,
    shape: (inputs, attrs) => {
      axes(attrs['dims'], one(inputs, 'x').shape.length); // which must be there
      return [one(inputs, 'x')];
    },
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const over = axes(attrs['dims'], x.shape.length);
      if (over.length === 0) return [x.name];
      const each = (n: number) => b.ints(over.map(() => n));
      return [b.op('Slice', [x.name, each(-1), each(BEFORE_FIRST), b.ints(over), each(-1)])];
    },
  },
  PadV2: {
    types: ALL,
    note: 'pad',
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      const paddings = attrs['paddings'] as [number, number][];
      return [{ shape: shape.map((n, axis) => n + paddings[axis]![0] + paddings[axis]![1]), dtype }];
    },
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const paddings = attrs['paddings'] as [number, number][];
      const pads = [...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)];
      return [b.op('Pad', [x.name, b.ints(pads), like(b, x, attrs['constantValue'] as number)])];
    },
  },
  Concat: {
    types: ALL,
    shape: (inputs, attrs) => {
      const all = list(inputs);
      const [axis] = axes(attrs['axis'], all[0]!.shape.length);
      const shapes = all.map((x) => [...x.shape]);
      tf.backend_util.assertParamsConsistent(shapes, axis!);
      const shape = tf.backend_util.computeOutShape(shapes, axis!);
      return [{ shape, dtype: all[0]!.dtype }];
    },
    lower: (b, inputs, attrs) => {
      const all = list(inputs);
      const [axis] = axes(attrs['axis'], all[0]!.shape.length);
      return [
        b.op(
          'Concat',
          all.map((x) => x.name),
          { axis: axis! },
        ),
      ];
    },
  },
  Pack: {
    types: ALL,
    note: 'stack',
    shape: (inputs, attrs) => {
      const all = list(inputs);
      const [axis] = axes(attrs['axis'], all[0]!.shape.length + 1);
      const { shape, dtype } = all[0]!;
      for (const x of all) requireShape('each of what is stacked', x.shape, shape);
      return [{ shape: [...shape.slice(0, axis), all.length, ...shape.slice(axis)], dtype }];
    },
    lower: (b, inputs, attrs) => {
      const all = list(inputs);
      const [axis] = axes(attrs['axis'], all[0]!.shape.length + 1);
      const widened = all.map((x) => b.op('Unsqueeze', [x.name, b.ints([axis!])]));
      return [b.op('Concat', widened, { axis: axis! })];
    },
  },
  Unpack: {
    types: ALL,
    note: 'unstack',
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'value');
      const [axis] = axes(attrs['axis'], shape.length);
      const part = shape.filter((_, i) => i !== axis);
      return Array.from({ length: shape[axis!]! }, () => ({ shape: part, dtype }));
    },
    lower: (b, inputs, attrs, outputs) => {
      const x = one(inputs, 'value');
      const [axis] = axes(attrs['axis'], x.shape.length);
      const parts = split(
        b,
        x,
        outputs.map(() => 1),
        axis!,
      );
      return parts.map((part, i) => b.reshape(part, outputs[i]!.shape));
    },
  },
  SplitV: {
    types: ALL,
    note: 'split',
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], shape.length);
      const whole = { shape: [...shape] } as tf.Tensor;
      return tf.backend_util.prepareSplitSize(whole, attrs['numOrSizeSplits'] as number[], axis).map((n) => ({
        shape: shape.map((size, i) => (i === axis ? n : size)),
        dtype,
      }));
    },
    lower: (b, inputs, attrs, outputs) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], x.shape.length);
      return split(
        b,
        x,
        outputs.map((out) => out.shape[axis!]!),
        axis!,
      );
    },
  },
  Tile: {
    types: ALL,
    note: 'tile, broadcastTo',
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      const reps = numbers(attrs, 'reps');
      return [{ shape: shape.map((n, axis) => n * reps[axis]!), dtype }];
    },
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const reps = numbers(attrs, 'reps');
      if (reps.every((n) => n === 1)) return [x.name];
      if (reps.every((n, axis) => n === 1 || x.shape[axis] === 1)) return [b.expand(x.name, out!.shape)];
      return [b.op('Tile', [x.name, b.ints(reps)])];
    },
  },
  StridedSlice: {
    types: ALL,
    shape: (inputs, attrs) => [{ shape: stridesOf(one(inputs, 'x'), attrs).finalShape, dtype: one(inputs, 'x').dtype }],
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const { begin, end, strides } = stridesOf(x, attrs);
      const ends = end.map((stop, axis) => (strides[axis]! < 0 && stop < 0 ? BEFORE_FIRST : stop));
      return [b.reshape(sliced(b, x.name, begin, ends, strides), out!.shape)];
    },
  },
  MirrorPad: {
    types: ALL,
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      const paddings = attrs['paddings'] as [number, number][];
      return [{ shape: shape.map((n, axis) => n + paddings[axis]![0] + paddings[axis]![1]), dtype }];
    },
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const paddings = attrs['paddings'] as [number, number][];
      const edge = attrs['mode'] === 'reflect' ? 0 : 1; // whether the border itself is repeated
      return [
        paddings.reduce((y, [before, after], axis) => {
          const n = x.shape[axis]!;
          const mirrored = (i: number) => (i < 0 ? -i - edge : i >= n ? 2 * (n - 1) - i + edge : i);
          const index = rangeOf(before + n + after).map((i) => mirrored(i - before));
          return before + after === 0 ? y : b.op('Gather', [y, b.constant(index, 'int32')], { axis });
        }, x.name),
      ];
    },
  },
};

function sliced(
  b: OnnxBuilder,
  x: string,
  starts: readonly number[],
  ends: readonly number[],
  steps?: readonly number[],
): string {
  const over = starts.map((_, axis) => axis);
  if (over.length === 0) return x;
  return b.op('Slice', [x, b.ints(starts), b.ints(ends), b.ints(over), ...(steps ? [b.ints(steps)] : [])]);
}

/** A negative step that walks to the first element ends before index 0, which no plain number says. */
const BEFORE_FIRST = -(2 ** 31);

/** @throws where the part lies outside of the whole, as TensorFlow.js does */
function sliceOf(shape: readonly number[], attrs: Attributes): { begin: number[]; size: number[] } {
  const x = { shape: [...shape] } as tf.TensorInfo;
  const [begin, size] = tf.slice_util.parseSliceParams(x, numbers(attrs, 'begin'), numbers(attrs, 'size'));
  tf.slice_util.assertParamsValid(x, begin!, size!);
  return { begin: begin!, size: size! };
}

function stridesOf({ shape }: Spec, attrs: Attributes) {
  const masks = ['beginMask', 'endMask', 'ellipsisMask', 'newAxisMask', 'shrinkAxisMask'].map(
    (name) => attrs[name] as number,
  );
  return tf.slice_util.sliceInfo(
    [...shape],
    numbers(attrs, 'begin'),
    numbers(attrs, 'end'),
    attrs['strides'] as number[],
    ...(masks as [number, number, number, number, number]),
  );
}

function split(b: OnnxBuilder, x: Operand, sizes: readonly number[], axis: number): string[] {
  if (sizes.length === 1) return [x.name];
  return b.ops('Split', [x.name, b.ints(sizes)], sizes.length, { axis });
}
