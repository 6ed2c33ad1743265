/** Sums, products, extremes and their places over axes, and running ones. */
import { sizeOf, type DType, type Spec } from '../../graph/graph';
import {
  ALL,
  as,
  asNumber,
  axes,
  float,
  list,
  NUMBERS,
  one,
  spread,
  type Attributes,
  type Kernel,
  type Kernels,
  type Operands,
} from '../kernel';

function reduced(shape: readonly number[], over: readonly number[], keepDims: boolean): number[] {
  return shape.flatMap((n, axis) => (over.includes(axis) ? (keepDims ? [1] : []) : [n]));
}

/** @param ofNothing what TensorFlow.js makes of an axis without elements; where it is NaN, 0 of integers */
function reduction(op: string, attr: string, dtype: (input: DType) => DType, ofNothing: number): Kernel {
  return {
    types: ALL,
    shape: (inputs, attrs) => {
      const { shape, dtype: from } = one(inputs, 'x');
      const over = axes(attrs[attr], shape.length);
      return [{ shape: reduced(shape, over, attrs['keepDims'] === true), dtype: dtype(from) }];
    },
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const over = axes(attrs[attr], x.shape.length);
      if (sizeOf(x.shape) === 0)
        return [spread(b, Number.isNaN(ofNothing) && out!.dtype !== 'float32' ? 0 : ofNothing, out!)];
      const within = out!.dtype === 'bool' ? 'int32' : out!.dtype;
      const from = as(b, x, within);
      if (over.length === 0) return [x.name];
      const all = (name: string) => b.op(name, [from, b.ints(over)], { keepdims: attrs['keepDims'] === true ? 1 : 0 });
      const y = all(op);
      if (within !== out!.dtype) return [b.cast(y, 'bool')];
      // the runtime's extremes pass over NaN; the sum of sizes is NaN where one of them is, and nowhere else
      const total = /M(ax|in)$/.test(op) && within === 'float32' ? all('ReduceL1') : undefined;
      return [total ? b.op('Where', [b.op('IsNaN', [total]), total, y]) : y];
    },
  };
}

const same = (d: DType): DType => d;
/** Sums and products of booleans count. */
const counted = (d: DType): DType => (d === 'bool' ? 'int32' : d);

/** @param least what no number is beyond on the side that is looked for */
function argument(op: string, least: number): Kernel {
  return {
    types: ALL,
    shape: (inputs, attrs) => {
      const { shape } = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], shape.length);
      return [{ shape: reduced(shape, [axis!], false), dtype: 'int32' }];
    },
    lower: (b, inputs, attrs, outputs) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], x.shape.length) as [number];
      if (sizeOf(x.shape) === 0) return [spread(b, 0, { shape: outputs[0]!.shape, dtype: 'int32' })];
      const place = (of: string) => b.cast(b.op(op, [of], { axis, keepdims: 0 }), 'int32');
      if (x.dtype !== 'float32') return [place(asNumber(b, x))];
      // TensorFlow.js passes over NaN unless it is the first number, which then stays the extreme
      const numbers = b.op('Where', [b.op('IsNaN', [x.name]), float(b, least), x.name]);
      const first = b.op('Gather', [x.name, b.constant(0, 'int32')], { axis });
      return [b.op('Where', [b.op('IsNaN', [first]), b.constant(0, 'int32'), place(numbers)])];
    },
  };
}

/** What goes along an axis and keeps the shape. */
function running(inputs: Operands, attrs: Attributes): Spec[] {
  const { shape, dtype } = one(inputs, 'x');
  axes(attrs['axis'], shape.length); // which must be there
  return [{ shape, dtype: counted(dtype) }];
}

export const reductions: Kernels = {
  All: { ...reduction('ReduceMin', 'axis', () => 'bool', 0), types: ['bool'] },
  Any: { ...reduction('ReduceMax', 'axis', () => 'bool', 0), types: ['bool'] },
  ArgMax: argument('ArgMax', Number.NEGATIVE_INFINITY),
  ArgMin: argument('ArgMin', Number.POSITIVE_INFINITY),
  Max: reduction('ReduceMax', 'reductionIndices', same, Number.NaN),
  Mean: reduction('ReduceMean', 'axis', () => 'float32', 0),
  Min: reduction('ReduceMin', 'axis', same, Number.NaN),
  Prod: reduction('ReduceProd', 'axis', counted, 1),
  Sum: reduction('ReduceSum', 'axis', counted, 0),
  Cumsum: {
    types: ALL,
    shape: running,
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], x.shape.length);
      const flags = { exclusive: attrs['exclusive'] ? 1 : 0, reverse: attrs['reverse'] ? 1 : 0 };
      return [b.op('CumSum', [asNumber(b, x), b.constant(axis!, 'int64')], flags)];
    },
  },
  // ONNX has none: products over 1, 2, 4, … neighbours, each from two of the last (Hillis and Steele, 1986)
  Cumprod: {
    types: ALL,
    shape: running,
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], x.shape.length);
      const n = x.shape[axis!]!;
      const reverse = attrs['reverse'] === true;
      /** Moved on along the axis by `by` positions, with ones behind. */
      const shifted = (y: string, by: number): string => {
        const kept = b.op('Slice', [y, b.ints([reverse ? by : 0]), b.ints([reverse ? n : n - by]), b.ints([axis!])]);
        const ones = spread(b, 1, { shape: x.shape.map((size, i) => (i === axis ? by : size)), dtype: out!.dtype });
        return b.op('Concat', reverse ? [kept, ones] : [ones, kept], { axis: axis! });
      };
      let y = asNumber(b, x);
      if (attrs['exclusive'] === true && n > 0) y = shifted(y, 1);
      for (let by = 1; by < n; by *= 2) y = b.op('Mul', [y, shifted(y, by)]);
      return [y];
    },
  },
  // the sum of any number of operands of one shape
  AddN: {
    types: NUMBERS,
    note: 'addN, and the sum of the gradients of a value that is used more than once',
    shape: (inputs) => [list(inputs)[0]!],
    lower: (b, inputs) => {
      const names = list(inputs).map((x) => x.name);
      if (list(inputs)[0]!.dtype === 'float32') return [b.op('Sum', names)];
      return [names.reduce((sum, x) => b.op('Add', [sum, x]))];
    },
  },
};
