/** Rows picked and put by index. */
import { sizeOf, type DType, type Spec } from '../../graph/graph';
import {
  ALL,
  as,
  asNumber,
  axes,
  float,
  NUMBERS,
  numbers,
  one,
  rangeOf,
  requireShape,
  spread,
  type Attributes,
  type Kernels,
  type Operand,
} from '../kernel';
import { elementOf } from '../format';
import type { OnnxBuilder } from '../onnx';

export const indexing: Kernels = {
  GatherV2: {
    types: ALL,
    indices(inputs, attrs) {
      const { x, axis } = gathered(inputs, attrs);
      return { operand: 'indices', places: [x.shape[axis]!], call: 'gather' };
    },
    note: 'gather; batchDims must be 0 or equal to axis',
    shape: (inputs, attrs) => {
      const { x, indices, axis, batch } = gathered(inputs, attrs);
      return [
        {
          shape: [...x.shape.slice(0, axis), ...indices.shape.slice(batch), ...x.shape.slice(axis + 1)],
          dtype: x.dtype,
        },
      ];
    },
    lower: (b, inputs, attrs) => {
      const { x, indices, axis, batch } = gathered(inputs, attrs);
      if (batch === 0) return [b.op('Gather', [x.name, indices.name], { axis })];
      const index = b.cast(b.reshape(indices.name, [...indices.shape, 1]), 'int64');
      return [b.op('GatherND', [x.name, index], { batch_dims: batch })];
    },
  },
  // the gradient of a gather: rows added up by segment
  UnsortedSegmentSum: {
    types: ALL,
    indices: (_, attrs) => ({
      operand: 'segmentIds',
      places: [attrs['numSegments'] as number],
      call: 'unsortedSegmentSum',
    }),
    note: 'unsortedSegmentSum, and the gradient of gather',
    shape: (inputs, attrs) => {
      const x = one(inputs, 'x');
      const ids = one(inputs, 'segmentIds').shape;
      const rank = ids.length;
      requireShape('segmentIds', ids, x.shape.slice(0, rank));
      return [{ shape: [attrs['numSegments'] as number, ...x.shape.slice(rank)], dtype: 'float32' }];
    },
    lower: (b, inputs, _, [out]) => {
      const ids = one(inputs, 'segmentIds');
      const [count, rows] = [out!.shape[0]!, sizeOf(ids.shape)];
      const width = sizeOf(out!.shape.slice(1));
      const x = { name: as(b, one(inputs, 'x'), 'float32'), shape: [rows, width], dtype: 'float32' } as const;
      return [b.reshape(addedUp(b, x, ids.name, count), out!.shape)];
    },
  },
  GatherNd: {
    types: ALL,
    indices: (inputs) => ({
      operand: 'indices',
      places: placesIn(one(inputs, 'params').shape, inputs),
      call: 'gatherND',
    }),
    note: 'gatherND',
    shape: (inputs) => {
      const x = one(inputs, 'params');
      const { shape } = one(inputs, 'indices');
      if (shape.at(-1)! > x.shape.length)
        throw new Error(`an index has ${shape.at(-1)} coordinates, what it points into ${x.shape.length} axes`);
      return [{ shape: [...shape.slice(0, -1), ...x.shape.slice(shape.at(-1)!)], dtype: x.dtype }];
    },
    lower: (b, inputs) => [
      b.op('GatherND', [one(inputs, 'params').name, b.cast(one(inputs, 'indices').name, 'int64')]),
    ],
  },
  ScatterNd: {
    types: NUMBERS,
    typed: 'updates',
    indices: (inputs, attrs) => ({
      operand: 'indices',
      places: placesIn(numbers(attrs, 'shape'), inputs),
      call: 'scatterND',
    }),
    note: 'scatterND',
    shape: (inputs, attrs) => [{ shape: numbers(attrs, 'shape'), dtype: one(inputs, 'updates').dtype }],
    lower: (b, inputs, _, [out]) => {
      const [indices, updates] = [one(inputs, 'indices'), one(inputs, 'updates')];
      const depth = indices.shape.at(-1)!;
      const rows = sizeOf(indices.shape) / depth;
      const strides = rangeOf(depth).map((i) => sizeOf(out!.shape.slice(i + 1, depth)));
      const places = b.op('Mul', [b.reshape(indices.name, [rows, depth]), b.constant(strides, 'int32')]);
      const ids = b.op('ReduceSum', [places, b.ints([1])], { keepdims: 0 });
      const x = { ...updates, shape: [rows, sizeOf(out!.shape.slice(depth))] };
      return [b.reshape(scattered(b, x, ids, sizeOf(out!.shape.slice(0, depth))), out!.shape)];
    },
  },
  TopK: {
    types: ALL,
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      const top = [...shape.slice(0, -1), attrs['k'] as number];
      return [
        { shape: top, dtype },
        { shape: top, dtype: 'int32' },
      ];
    },
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const axis = x.shape.length - 1;
      const k = b.ints([attrs['k'] as number]);
      const top = (from: string) => b.ops('TopK', [from, k], 2, { axis }) as [string, string];
      if (x.dtype !== 'float32') {
        const [values, indices] = top(asNumber(b, x));
        return [x.dtype === 'bool' ? b.cast(values, elementOf(out!.dtype)) : values, b.cast(indices, 'int32')];
      }
      // the runtime's order of NaN is open; here it is the largest number
      const [, indices] = top(b.op('Where', [b.op('IsNaN', [x.name]), float(b, Number.POSITIVE_INFINITY), x.name]));
      return [b.op('GatherElements', [x.name, indices], { axis }), b.cast(indices, 'int32')];
    },
  },
  TensorScatterUpdate: {
    types: ALL,
    indices: (inputs) => ({
      operand: 'indices',
      places: placesIn(one(inputs, 'tensor').shape, inputs),
      call: 'tensorScatterUpdate',
    }),
    shape: (inputs) => [one(inputs, 'tensor')],
    lower: (b, inputs) => {
      const index = b.cast(one(inputs, 'indices').name, 'int64');
      return [b.op('ScatterND', [one(inputs, 'tensor').name, index, one(inputs, 'updates').name])];
    },
  },
  OneHot: {
    types: NUMBERS,
    note: 'an index outside of 0 … depth − 1 gives a row of offValue',
    shape: (inputs, attrs) => [
      {
        shape: [...one(inputs, 'indices').shape, attrs['depth'] as number],
        dtype: (attrs['dtype'] as DType | undefined) ?? 'int32',
      },
    ],
    // compared with 0 … depth − 1: an index outside of it gives a row of `off`, where ONNX's own OneHot counts
    // a negative one from the end
    lower: (b, inputs, attrs, [out]) => {
      const { name, shape } = one(inputs, 'indices');
      const depth = attrs['depth'] as number;
      const column = b.reshape(name, [...shape, 1]);
      const hit = b.op('Equal', [
        column,
        b.constant(
          Array.from({ length: depth }, (_, i) => i),
          'int32',
        ),
      ]);
      const [on, off] = [(attrs['onValue'] as number | undefined) ?? 1, (attrs['offValue'] as number | undefined) ?? 0];
      if (on === 1 && off === 0) return [b.cast(hit, elementOf(out!.dtype))];
      return [b.cast(b.op('Where', [hit, float(b, on), float(b, off)]), elementOf(out!.dtype))];
    },
  },
};

/** The sides of the axes that each index names a place on. */
const placesIn = (shape: readonly number[], inputs: Readonly<Record<string, Spec | readonly Spec[]>>) =>
  shape.slice(0, one(inputs, 'indices').shape.at(-1)!);

function gathered<T extends Spec>(inputs: Readonly<Record<string, T | readonly T[]>>, attrs: Attributes) {
  const [x, indices] = [one(inputs, 'x'), one(inputs, 'indices')];
  const [axis] = axes(attrs['axis'] ?? 0, x.shape.length) as [number];
  const batch = (attrs['batchDims'] as number | undefined) ?? 0;
  if (batch !== 0 && batch !== axis) throw new Error(`batchDims = ${batch} with axis = ${axis}; they must be equal`);
  requireShape(`the first ${batch} sides of the indices`, indices.shape.slice(0, batch), x.shape.slice(0, batch));
  return { x, indices, axis, batch };
}

/** Σ of the rows of x [N, width] with the same id: [count, width]. */
function addedUp(b: OnnxBuilder, x: Operand, ids: string, count: number): string {
  if (count > FEW) return scattered(b, x, ids, count);
  const column = b.reshape(ids, [x.shape[0]!, 1]);
  const hit = b.op('Equal', [column, b.constant(rangeOf(count), 'int32')]);
  return b.op('Gemm', [b.cast(hit, 'float32'), b.reshape(x.name, x.shape)], { transA: 1 });
}
const FEW = 256; // products with zeros are then no slower than the sequential ScatterElements

/** The same, in order. Not by ScatterND, whose threads lose some of the sums when an id recurs. */
function scattered(b: OnnxBuilder, x: Operand, ids: string, count: number): string {
  const [rows, width] = x.shape as [number, number];
  const zeros = spread(b, 0, { shape: [count, width], dtype: x.dtype });
  const everywhere = b.op('Expand', [b.reshape(ids, [rows, 1]), b.ints(x.shape)]);
  return b.op('ScatterElements', [zeros, everywhere, b.reshape(x.name, x.shape)], { axis: 0, reduction: 'add' });
}
