/**
 * One row for every TensorFlow.js kernel that can be compiled: the shape of its result, and the ONNX operators
 * that compute it (opset 18). TensorFlow.js defines what a kernel means; where ONNX differs, the row says so.
 */
import { sizeOf, type DType, type Spec, type Value } from './graph';
import { elementOf, type OnnxBuilder } from './onnx';
import { convolutionKernels } from './kernels-convolution';

export type Attributes = Readonly<Record<string, unknown>>;
export type Operands = Readonly<Record<string, Value | readonly Value[]>>;

/** An operand in a lowering: its spec, and the ONNX value that holds it. */
export interface Operand extends Spec {
  readonly name: string;
}
export type NamedOperands = Readonly<Record<string, Operand | readonly Operand[]>>;

export interface Kernel {
  shape(inputs: Operands, attrs: Attributes): readonly Spec[];
  /** Returns the names of the outputs' values. */
  lower(b: OnnxBuilder, inputs: NamedOperands, attrs: Attributes, outputs: readonly Spec[]): readonly string[];
}

// Access to operands and attributes

type Any = Readonly<Record<string, unknown>>;
const one = <T extends Spec>(inputs: Readonly<Record<string, T | readonly T[]>>, name: string): T => inputs[name] as T;
/** Kernels with lists name their operands 0, 1, 2, … */
const list = <T extends Spec>(inputs: Readonly<Record<string, T | readonly T[]>>): T[] =>
  Object.values(inputs).flat() as T[];
const numbers = (attrs: Any, name: string): number[] => [...(attrs[name] as number[])];

/** The axes an attribute names, non-negative; all of them when it names none. */
function axes(attr: unknown, rank: number): number[] {
  const given = attr === undefined || attr === null ? Array.from({ length: rank }, (_, i) => i) : [attr].flat();
  return (given as number[]).map((axis) => (axis < 0 ? axis + rank : axis));
}

function reduced(shape: readonly number[], over: readonly number[], keepDims: boolean): number[] {
  return shape.flatMap((n, axis) => (over.includes(axis) ? (keepDims ? [1] : []) : [n]));
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    return x === 1 ? y : x;
  });
}

const swapLast = (rank: number): number[] => {
  const order = Array.from({ length: rank }, (_, i) => i);
  return [...order.slice(0, -2), rank - 1, rank - 2];
};

// Kinds of rows

type Unary = (b: OnnxBuilder, x: string, attrs: Attributes, spec: Spec) => string;

/** Element by element; the result is like the operand. */
function unary(lower: string | Unary, input = 'x', dtype?: DType): Kernel {
  const emit: Unary = typeof lower === 'string' ? (b, x) => b.op(lower, [x]) : lower;
  return {
    shape: (inputs) => [{ shape: one(inputs, input).shape, dtype: dtype ?? one(inputs, input).dtype }],
    lower: (b, inputs, attrs) => [emit(b, one(inputs, input).name, attrs, one(inputs, input))],
  };
}

type Binary = (b: OnnxBuilder, x: string, y: string, spec: Spec) => string;

/** Element by element over two operands that broadcast. */
function binary(lower: string | Binary, dtype?: DType): Kernel {
  const emit: Binary = typeof lower === 'string' ? (b, x, y) => b.op(lower, [x, y]) : lower;
  return {
    shape: (inputs) => [
      { shape: broadcast(one(inputs, 'a').shape, one(inputs, 'b').shape), dtype: dtype ?? one(inputs, 'a').dtype },
    ],
    lower: (b, inputs) => [emit(b, one(inputs, 'a').name, one(inputs, 'b').name, one(inputs, 'a'))],
  };
}

/** ONNX has no comparison and no reduction of bool by arithmetic: they go through int32. */
const numeric = (b: OnnxBuilder, x: Operand): string => (x.dtype === 'bool' ? b.cast(x.name, 'int32') : x.name);

function reduction(op: string, attr: string, dtype?: (input: DType) => DType): Kernel {
  return {
    shape: (inputs, attrs) => {
      const { shape, dtype: from } = one(inputs, 'x');
      const over = axes(attrs[attr], shape.length);
      return [{ shape: reduced(shape, over, attrs['keepDims'] === true), dtype: dtype ? dtype(from) : from }];
    },
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const over = axes(attrs[attr], x.shape.length);
      const from = numeric(b, x);
      if (over.length === 0) return [from];
      const y = b.op(op, [from, b.ints(over)], { keepdims: attrs['keepDims'] === true ? 1 : 0 });
      return [x.dtype === 'bool' && out!.dtype === 'bool' ? b.cast(y, 'bool') : y];
    },
  };
}

function argument(op: string): Kernel {
  return {
    shape: (inputs, attrs) => {
      const { shape } = one(inputs, 'x');
      return [{ shape: reduced(shape, axes(attrs['axis'], shape.length), false), dtype: 'int32' }];
    },
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], x.shape.length);
      return [b.cast(b.op(op, [numeric(b, x)], { axis: axis!, keepdims: 0 }), 'int32')];
    },
  };
}

/** Filled with one value: a constant of the graph, spread by the runtime. */
function filled(value: (attrs: Attributes) => number, spec: (inputs: Operands, attrs: Attributes) => Spec): Kernel {
  return {
    shape: (inputs, attrs) => [spec(inputs, attrs)],
    lower: (b, _, attrs, [out]) => [spread(b, value(attrs), out!)],
  };
}

function spread(b: OnnxBuilder, value: number, { shape, dtype }: Spec): string {
  const scalar = b.constant(value, elementOf(dtype));
  return shape.length === 0 ? scalar : b.op('Expand', [scalar, b.ints(shape)]);
}

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

// The rows

const float = (b: OnnxBuilder, value: number) => b.constant(value, 'float32');
/** A constant of the operand's own type. */
const like = (b: OnnxBuilder, spec: Spec, value: number) => b.constant(value, elementOf(spec.dtype));

const elementwise: Record<string, Kernel> = {
  Abs: unary('Abs'),
  Acos: unary('Acos'),
  Acosh: unary('Acosh'),
  Asin: unary('Asin'),
  Asinh: unary('Asinh'),
  Atan: unary('Atan'),
  Atanh: unary('Atanh'),
  Ceil: unary('Ceil'),
  Cos: unary('Cos'),
  Cosh: unary('Cosh'),
  Elu: unary((b, x) => b.op('Elu', [x], { alpha: { float: 1 } })),
  Erf: unary('Erf'),
  Exp: unary('Exp'),
  Expm1: unary((b, x) => b.op('Sub', [b.op('Exp', [x]), float(b, 1)])),
  Floor: unary('Floor'),
  IsFinite: unary((b, x) => b.op('Not', [b.op('Or', [b.op('IsInf', [x]), b.op('IsNaN', [x])])]), 'x', 'bool'),
  IsInf: unary('IsInf', 'x', 'bool'),
  IsNan: unary('IsNaN', 'x', 'bool'),
  LeakyRelu: unary((b, x, attrs) => b.op('LeakyRelu', [x], { alpha: { float: attrs['alpha'] as number } })),
  Log: unary('Log'),
  Log1p: unary((b, x) => b.op('Log', [b.op('Add', [x, float(b, 1)])])),
  LogicalNot: unary('Not'),
  Neg: unary('Neg'),
  Reciprocal: unary('Reciprocal'),
  Relu: unary('Relu'),
  Relu6: unary((b, x) => b.op('Clip', [x, float(b, 0), float(b, 6)])),
  Round: unary('Round'), // both round halves to even
  Rsqrt: unary((b, x) => b.op('Reciprocal', [b.op('Sqrt', [x])])),
  Selu: unary('Selu'),
  Sigmoid: unary('Sigmoid'),
  Sign: unary('Sign'),
  Sin: unary('Sin'),
  Sinh: unary('Sinh'),
  Softplus: unary('Softplus'),
  Sqrt: unary('Sqrt'),
  Square: unary((b, x) => b.op('Mul', [x, x])),
  Tan: unary('Tan'),
  Tanh: unary('Tanh'),
  // alpha for x ≤ 0, 1 for x > 0, NaN for NaN (which passes through the product with 0)
  Step: unary((b, x, attrs) => {
    const positive = b.op('Greater', [x, float(b, 0)]);
    return b.op('Where', [positive, float(b, 1), float(b, (attrs['alpha'] as number | undefined) ?? 0)]);
  }),
  ClipByValue: unary((b, x, attrs, spec) =>
    b.op('Clip', [x, like(b, spec, attrs['clipValueMin'] as number), like(b, spec, attrs['clipValueMax'] as number)]),
  ),
  Softmax: unary((b, x, attrs) => b.op('Softmax', [x], { axis: attrs['dim'] as number }), 'logits'),
  LogSoftmax: unary((b, x, attrs) => b.op('LogSoftmax', [x], { axis: attrs['axis'] as number }), 'logits'),

  Add: binary('Add'),
  Atan2: binary((b, y, x) => {
    // the half-plane formula: atan(y / x), moved by ±π where x < 0
    const base = b.op('Atan', [b.op('Div', [y, x])]);
    const turn = b.op('Where', [b.op('Less', [y, float(b, 0)]), float(b, -Math.PI), float(b, Math.PI)]);
    return b.op('Where', [b.op('Less', [x, float(b, 0)]), b.op('Add', [base, turn]), base]);
  }),
  FloorDiv: binary((b, x, y, spec) => {
    if (spec.dtype === 'float32') return b.op('Floor', [b.op('Div', [x, y])]);
    const quotient = b.op('Div', [b.cast(x, 'float32'), b.cast(y, 'float32')]);
    return b.cast(b.op('Floor', [quotient]), 'int32');
  }),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Mod: binary((b, x, y, spec) => {
    if (spec.dtype !== 'float32') return b.op('Mod', [x, y]);
    return b.op('Sub', [x, b.op('Mul', [y, b.op('Floor', [b.op('Div', [x, y])])])]);
  }),
  Multiply: binary('Mul'),
  Pow: binary('Pow'),
  RealDiv: binary('Div'),
  SquaredDifference: binary((b, x, y) => {
    const difference = b.op('Sub', [x, y]);
    return b.op('Mul', [difference, difference]);
  }),
  Sub: binary('Sub'),
  Prelu: {
    shape: (inputs) => [one(inputs, 'x')],
    lower: (b, inputs) => [b.op('PRelu', [one(inputs, 'x').name, one(inputs, 'alpha').name])],
  },
  // dy where y ≥ 0, else dy (y + 1)
  EluGrad: {
    shape: (inputs) => [one(inputs, 'dy')],
    lower: (b, inputs) => {
      const y = one(inputs, 'y').name;
      const slope = b.op('Min', [b.op('Add', [y, float(b, 1)]), float(b, 1)]);
      return [b.op('Mul', [one(inputs, 'dy').name, slope])];
    },
  },

  Equal: binary('Equal', 'bool'),
  Greater: binary('Greater', 'bool'),
  GreaterEqual: binary('GreaterOrEqual', 'bool'),
  Less: binary('Less', 'bool'),
  LessEqual: binary('LessOrEqual', 'bool'),
  NotEqual: binary((b, x, y) => b.op('Not', [b.op('Equal', [x, y])]), 'bool'),
  LogicalAnd: binary('And', 'bool'),
  LogicalOr: binary('Or', 'bool'),
  Select: {
    shape: (inputs) => [one(inputs, 't')],
    lower: (b, inputs) => {
      const [condition, t, e] = ['condition', 't', 'e'].map((name) => one(inputs, name)) as [Operand, Operand, Operand];
      // a condition of rank 1 chooses whole rows
      const rows = condition.shape.length === 1 && t.shape.length > 1;
      const c = rows
        ? b.reshape(condition.name, [...condition.shape, ...t.shape.slice(1).map(() => 1)])
        : condition.name;
      return [b.op('Where', [c, t.name, e.name])];
    },
  },
};

const reductions: Record<string, Kernel> = {
  All: reduction('ReduceMin', 'axis', () => 'bool'),
  Any: reduction('ReduceMax', 'axis', () => 'bool'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Max: reduction('ReduceMax', 'reductionIndices'),
  Mean: reduction('ReduceMean', 'axis'),
  Min: reduction('ReduceMin', 'axis'),
  Prod: reduction('ReduceProd', 'axis', (d) => (d === 'bool' ? 'int32' : d)),
  Sum: reduction('ReduceSum', 'axis', (d) => (d === 'bool' ? 'int32' : d)),
  Cumsum: {
    shape: (inputs) => [one(inputs, 'x')],
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], x.shape.length);
      const flags = { exclusive: attrs['exclusive'] ? 1 : 0, reverse: attrs['reverse'] ? 1 : 0 };
      return [b.op('CumSum', [x.name, b.constant(axis!, 'int64')], flags)];
    },
  },
  // the sum of any number of operands of one shape
  AddN: {
    shape: (inputs) => [list(inputs)[0]!],
    lower: (b, inputs) => [
      b.op(
        'Sum',
        list(inputs).map((x) => x.name),
      ),
    ],
  },
};

const shapes: Record<string, Kernel> = {
  Identity: unary((_, x) => x),
  Cast: {
    shape: (inputs, attrs) => [{ shape: one(inputs, 'x').shape, dtype: attrs['dtype'] as DType }],
    lower: (b, inputs, _, [out]) => [b.cast(one(inputs, 'x').name, elementOf(out!.dtype))],
  },
  Reshape: {
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      return [{ shape: inferred(numbers(attrs, 'shape'), sizeOf(shape)), dtype }];
    },
    lower: (b, inputs, _, [out]) => [b.reshape(one(inputs, 'x').name, out!.shape)],
  },
  ExpandDims: {
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'input');
      const at = attrs['dim'] as number;
      const axis = at < 0 ? at + shape.length + 1 : at;
      return [{ shape: [...shape.slice(0, axis), 1, ...shape.slice(axis)], dtype }];
    },
    lower: (b, inputs, _, [out]) => [b.reshape(one(inputs, 'input').name, out!.shape)],
  },
  Transpose: {
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      return [{ shape: numbers(attrs, 'perm').map((axis) => shape[axis]!), dtype }];
    },
    lower: (b, inputs, attrs) => [b.op('Transpose', [one(inputs, 'x').name], { perm: numbers(attrs, 'perm') })],
  },
  Slice: {
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      const begin = numbers(attrs, 'begin');
      return [{ shape: numbers(attrs, 'size').map((n, axis) => (n < 0 ? shape[axis]! - begin[axis]! : n)), dtype }];
    },
    lower: (b, inputs, attrs, [out]) => {
      const begin = numbers(attrs, 'begin');
      return [
        sliced(
          b,
          one(inputs, 'x').name,
          begin,
          begin.map((start, axis) => start + out!.shape[axis]!),
        ),
      ];
    },
  },
  Reverse: {
    shape: (inputs) => [one(inputs, 'x')],
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const over = axes(attrs['dims'], x.shape.length);
      if (over.length === 0) return [x.name];
      const each = (n: number) => b.ints(over.map(() => n));
      return [b.op('Slice', [x.name, each(-1), each(BEFORE_FIRST), b.ints(over), each(-1)])];
    },
  },
  PadV2: {
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
    shape: (inputs, attrs) => {
      const all = list(inputs);
      const [axis] = axes(attrs['axis'], all[0]!.shape.length);
      const shape = [...all[0]!.shape];
      shape[axis!] = all.reduce((sum, x) => sum + x.shape[axis!]!, 0);
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
    shape: (inputs, attrs) => {
      const all = list(inputs);
      const [axis] = axes(attrs['axis'], all[0]!.shape.length + 1);
      const { shape, dtype } = all[0]!;
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
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], shape.length);
      return splitSizes(attrs['numOrSizeSplits'], shape[axis!]!).map((n) => ({
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
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      const reps = numbers(attrs, 'reps');
      return [{ shape: shape.map((n, axis) => n * reps[axis]!), dtype }];
    },
    lower: (b, inputs, attrs) => [b.op('Tile', [one(inputs, 'x').name, b.ints(numbers(attrs, 'reps'))])],
  },
  Fill: filled(
    (attrs) => attrs['value'] as number,
    (_, attrs) => ({ shape: numbers(attrs, 'shape'), dtype: (attrs['dtype'] as DType | undefined) ?? 'float32' }),
  ),
  ZerosLike: filled(
    () => 0,
    (inputs) => one(inputs, 'x'),
  ),
  OnesLike: filled(
    () => 1,
    (inputs) => one(inputs, 'x'),
  ),
};

/** A shape in which −1 stands for whatever is left. */
function inferred(shape: readonly number[], size: number): number[] {
  const known = shape.reduce((product, n) => (n === -1 ? product : product * n), 1);
  return shape.map((n) => (n === -1 ? size / known : n));
}

/** A number of equal parts, or their sizes, of which one may be −1. */
function splitSizes(given: unknown, total: number): number[] {
  if (typeof given === 'number') return Array.from({ length: given }, () => total / given);
  const sizes = given as number[];
  const known = sizes.reduce((sum, n) => sum + Math.max(0, n), 0);
  return sizes.map((n) => (n === -1 ? total - known : n));
}

function split(b: OnnxBuilder, x: Operand, sizes: readonly number[], axis: number): string[] {
  if (sizes.length === 1) return [x.name];
  return b.ops('Split', [x.name, b.ints(sizes)], sizes.length, { axis });
}

const indexing: Record<string, Kernel> = {
  GatherV2: {
    shape: (inputs, attrs) => {
      const x = one(inputs, 'x');
      const indices = one(inputs, 'indices');
      requireNoBatch(attrs);
      const [axis] = axes(attrs['axis'] ?? 0, x.shape.length);
      return [{ shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis! + 1)], dtype: x.dtype }];
    },
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'] ?? 0, x.shape.length);
      return [b.op('Gather', [x.name, one(inputs, 'indices').name], { axis: axis! })];
    },
  },
  // the gradient of a gather: rows added up by segment
  UnsortedSegmentSum: {
    shape: (inputs, attrs) => {
      const x = one(inputs, 'x');
      const rank = one(inputs, 'segmentIds').shape.length;
      return [{ shape: [attrs['numSegments'] as number, ...x.shape.slice(rank)], dtype: x.dtype }];
    },
    lower: (b, inputs, _, [out]) => {
      const x = one(inputs, 'x');
      const ids = one(inputs, 'segmentIds');
      const index = b.cast(b.reshape(ids.name, [...ids.shape, 1]), 'int64');
      const zeros = spread(b, 0, out!);
      return [b.op('ScatterND', [zeros, index, x.name], { reduction: 'add' })];
    },
  },
  GatherNd: {
    shape: (inputs) => {
      const x = one(inputs, 'params');
      const { shape } = one(inputs, 'indices');
      return [{ shape: [...shape.slice(0, -1), ...x.shape.slice(shape.at(-1)!)], dtype: x.dtype }];
    },
    lower: (b, inputs) => [
      b.op('GatherND', [one(inputs, 'params').name, b.cast(one(inputs, 'indices').name, 'int64')]),
    ],
  },
  ScatterNd: {
    shape: (inputs, attrs) => [{ shape: numbers(attrs, 'shape'), dtype: one(inputs, 'updates').dtype }],
    lower: (b, inputs, _, [out]) => {
      const index = b.cast(one(inputs, 'indices').name, 'int64');
      return [b.op('ScatterND', [spread(b, 0, out!), index, one(inputs, 'updates').name], { reduction: 'add' })];
    },
  },
  OneHot: {
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
      return [b.op('Where', [hit, like(b, out!, on), like(b, out!, off)])];
    },
  },
};

function requireNoBatch(attrs: Attributes): void {
  if (((attrs['batchDims'] as number | undefined) ?? 0) !== 0)
    throw new Error('gather with batchDims cannot be compiled');
}

const matrices: Record<string, Kernel> = {
  // [..., M, K] · [..., K, N]; two plain matrices become Gemm, which transposes for nothing
  BatchMatMul: {
    shape: (inputs, attrs) => {
      const [a, b] = [one(inputs, 'a'), one(inputs, 'b')];
      const rows = a.shape.at(attrs['transposeA'] ? -1 : -2)!;
      const columns = b.shape.at(attrs['transposeB'] ? -2 : -1)!;
      return [{ shape: [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns], dtype: a.dtype }];
    },
    lower: (builder, inputs, attrs, [out]) => {
      const [a, b] = [one(inputs, 'a'), one(inputs, 'b')];
      const [transA, transB] = [attrs['transposeA'] ? 1 : 0, attrs['transposeB'] ? 1 : 0];
      if (sizeOf(out!.shape.slice(0, -2)) === 1) {
        const flat = (x: Operand) => (x.shape.length === 2 ? x.name : builder.reshape(x.name, x.shape.slice(-2)));
        const y = builder.op('Gemm', [flat(a), flat(b)], { transA, transB });
        return [out!.shape.length === 2 ? y : builder.reshape(y, out!.shape)];
      }
      const turned = (x: Operand, turn: number) =>
        turn ? builder.op('Transpose', [x.name], { perm: swapLast(x.shape.length) }) : x.name;
      return [builder.op('MatMul', [turned(a, transA), turned(b, transB)])];
    },
  },
};

/** Every kernel that can be compiled, by its TensorFlow.js name. */
export const kernels: Readonly<Record<string, Kernel>> = {
  ...elementwise,
  ...reductions,
  ...shapes,
  ...indexing,
  ...matrices,
  ...convolutionKernels,
};
