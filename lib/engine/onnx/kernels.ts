/**
 * One row for every TensorFlow.js kernel that can be compiled: the shape of its result, and the ONNX operators
 * that compute it (opset 18). TensorFlow.js defines what a kernel means; where ONNX differs, the row says so.
 */
import * as tf from '@tensorflow/tfjs';
import { sizeOf, type DType, type Spec } from '../graph/graph';
import {
  as,
  float,
  like,
  list,
  maybe,
  narrowed,
  numbers,
  one,
  rangeOf,
  spread,
  transposed,
  type Attributes,
  type Kernel,
  type Operand,
  type Operands,
} from './kernel';
import { convolutionKernels } from './kernels-convolution';
import { elementOf, type OnnxBuilder } from './onnx';

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

const swapLast = (rank: number): number[] => [...rangeOf(rank - 2), rank - 1, rank - 2];

// Kinds of rows

type Unary = (b: OnnxBuilder, x: string, attrs: Attributes, spec: Spec) => string;

const operator =
  (name: string): Unary =>
  (b, x) =>
    b.op(name, [x]);

/**
 * Element by element; the result is like the operand. ONNX has most functions for float32 alone: integers
 * are computed there and truncated, as TensorFlow.js does when it stores the result.
 */
function unary(lower: string | Unary, input = 'x', dtype?: DType): Kernel {
  const emit: Unary = typeof lower === 'string' ? operator(lower) : lower;
  return {
    shape: (inputs) => {
      const x = one(inputs, input);
      return [{ shape: x.shape, dtype: dtype ?? numeric(x, false).dtype }];
    },
    lower: (b, inputs, attrs) => {
      const x = one(inputs, input);
      const y = emit(b, as(b, x, 'float32'), attrs, { ...x, dtype: 'float32' });
      return [x.dtype === 'float32' || dtype !== undefined ? y : b.cast(y, elementOf(x.dtype))];
    },
  };
}

/** As `unary`, for a function that ONNX has for integers, too. */
function arithmetic(lower: string | Unary, ofBool?: string): Kernel {
  const emit: Unary = typeof lower === 'string' ? operator(lower) : lower;
  return {
    shape: (inputs) => [numeric(one(inputs, 'x'), ofBool !== undefined)],
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      return [x.dtype === 'bool' ? b.op(ofBool!, [x.name]) : emit(b, x.name, attrs, x)];
    },
  };
}

/** Of an integer it is the integer. */
const rounding = (op: string): Kernel => arithmetic((b, x, _, { dtype }) => (dtype === 'int32' ? x : b.op(op, [x])));

type Binary = (b: OnnxBuilder, x: string, y: string, spec: Spec) => string;

/** Element by element over two operands that broadcast; `ofBool` is what the operator means for booleans, if anything. */
function binary(lower: string | Binary, ofBool?: string): Kernel {
  const emit: Binary = typeof lower === 'string' ? (b, x, y) => b.op(lower, [x, y]) : lower;
  return {
    shape: (inputs) => {
      const a = numeric(one(inputs, 'a'), ofBool !== undefined);
      return [{ shape: broadcast(a.shape, one(inputs, 'b').shape), dtype: a.dtype }];
    },
    lower: (b, inputs, _, [out]) => {
      const [x, y] = [one(inputs, 'a'), one(inputs, 'b')];
      const [p, q] = narrowed(b, [x, y], out!) as [string, string];
      return [x.dtype === 'bool' ? b.op(ofBool!, [p, q]) : emit(b, p, q, x)];
    },
  };
}

function comparison(lower: Binary): Kernel {
  return {
    shape: (inputs) => [{ shape: broadcast(one(inputs, 'a').shape, one(inputs, 'b').shape), dtype: 'bool' }],
    lower: (b, inputs) => {
      const [x, y] = [one(inputs, 'a'), one(inputs, 'b')];
      return [lower(b, asNumber(b, x), asNumber(b, y), x)];
    },
  };
}

/** TensorFlow.js adds booleans as bytes, so that true + true is a boolean of value 2: no graph has such a thing. */
function numeric(x: Spec, boolMakesSense: boolean): Spec {
  if (x.dtype === 'bool' && !boolMakesSense)
    throw new Error('arithmetic on booleans; cast them to int32 or float32 first');
  return x;
}

/** ONNX has no order and no sum of booleans: they go through int32. */
const asNumber = (b: OnnxBuilder, x: Operand): string => (x.dtype === 'bool' ? b.cast(x.name, 'int32') : x.name);

function reduction(op: string, attr: string, dtype: (input: DType) => DType): Kernel {
  return {
    shape: (inputs, attrs) => {
      const { shape, dtype: from } = one(inputs, 'x');
      const over = axes(attrs[attr], shape.length);
      return [{ shape: reduced(shape, over, attrs['keepDims'] === true), dtype: dtype(from) }];
    },
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const over = axes(attrs[attr], x.shape.length);
      const within = out!.dtype === 'bool' ? 'int32' : out!.dtype;
      const from = as(b, x, within);
      const y =
        over.length === 0 ? from : b.op(op, [from, b.ints(over)], { keepdims: attrs['keepDims'] === true ? 1 : 0 });
      return [within === out!.dtype ? y : b.cast(y, 'bool')];
    },
  };
}

const same = (d: DType): DType => d;
/** Sums and products of booleans count. */
const counted = (d: DType): DType => (d === 'bool' ? 'int32' : d);

function argument(op: string): Kernel {
  return {
    shape: (inputs, attrs) => {
      const { shape } = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], shape.length);
      return [{ shape: reduced(shape, [axis!], false), dtype: 'int32' }];
    },
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], x.shape.length);
      return [b.cast(b.op(op, [asNumber(b, x)], { axis: axis!, keepdims: 0 }), 'int32')];
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

const elementwise: Record<string, Kernel> = {
  Abs: arithmetic('Abs', 'Identity'),
  Acos: unary('Acos'),
  Acosh: unary('Acosh'),
  Asin: unary('Asin'),
  Asinh: unary('Asinh'),
  Atan: unary('Atan'),
  Atanh: unary('Atanh'),
  Ceil: rounding('Ceil'),
  Cos: unary('Cos'),
  Cosh: unary('Cosh'),
  Elu: unary((b, x) => b.op('Elu', [x], { alpha: { float: 1 } })),
  Erf: unary('Erf'),
  Exp: unary('Exp'),
  Expm1: unary(expm1),
  Floor: rounding('Floor'),
  IsFinite: unary((b, x) => b.op('Not', [b.op('Or', [b.op('IsInf', [x]), b.op('IsNaN', [x])])]), 'x', 'bool'),
  IsInf: unary('IsInf', 'x', 'bool'),
  IsNan: unary('IsNaN', 'x', 'bool'),
  LeakyRelu: unary(
    (b, x, attrs) => b.op('LeakyRelu', [x], { alpha: { float: attrs['alpha'] as number } }),
    'x',
    'float32',
  ),
  Log: unary('Log'),
  Log1p: unary(log1p),
  LogicalNot: unary((b, x) => b.op('Not', [b.cast(x, 'bool')]), 'x', 'bool'),
  Neg: arithmetic('Neg'),
  Reciprocal: unary('Reciprocal'),
  Relu: arithmetic('Relu', 'Identity'),
  Relu6: unary((b, x) => b.op('Clip', [x, float(b, 0), float(b, 6)])),
  Round: rounding('Round'), // both round halves to even
  Rsqrt: unary((b, x) => b.op('Reciprocal', [b.op('Sqrt', [x])])),
  Selu: unary('Selu'),
  // the runtime's own Sigmoid is an approximation: 17 % off at −15, and constant from −18 on
  Sigmoid: unary((b, x) => b.op('Reciprocal', [b.op('Add', [b.op('Exp', [b.op('Neg', [x])]), float(b, 1)])])),
  Sign: arithmetic('Sign', 'Identity'),
  Sin: unary('Sin'),
  Sinh: unary('Sinh'),
  Softplus: unary(softplus),
  Sqrt: unary('Sqrt'),
  Square: arithmetic((b, x) => b.op('Mul', [x, x]), 'Identity'),
  Tan: unary('Tan'),
  Tanh: unary('Tanh'),
  Step: unary((b, x, attrs) => {
    const positive = b.op('Greater', [x, float(b, 0)]);
    const step = b.op('Where', [positive, float(b, 1), float(b, (attrs['alpha'] as number | undefined) ?? 0)]);
    return b.op('Where', [b.op('IsNaN', [x]), x, step]);
  }),
  ClipByValue: arithmetic((b, x, attrs, spec) =>
    b.op('Clip', [x, like(b, spec, attrs['clipValueMin'] as number), like(b, spec, attrs['clipValueMax'] as number)]),
  ),
  Softmax: unary((b, x, attrs) => b.op('Softmax', [x], { axis: attrs['dim'] as number }), 'logits'),
  // TensorFlow.js composes it; `rewrites` finds the composition
  LogSoftmax: unary((b, x, attrs) => b.op('LogSoftmax', [x], { axis: attrs['axis'] as number }), 'logits'),

  Add: binary('Add'),
  Atan2: binary((b, y, x) => {
    // atan(y / x), moved by ±π where x < 0; 0 where y = 0, whatever x is
    const slope = b.op('Where', [b.op('Equal', [y, float(b, 0)]), float(b, 0), b.op('Div', [y, x])]);
    const base = b.op('Atan', [slope]);
    const turn = b.op('Where', [b.op('Less', [y, float(b, 0)]), float(b, -Math.PI), float(b, Math.PI)]);
    return b.op('Where', [b.op('Less', [x, float(b, 0)]), b.op('Add', [base, turn]), base]);
  }),
  // by double precision, where the quotient of two float32 or int32 is on the right side of every integer
  FloorDiv: {
    shape: (inputs) => [{ shape: broadcast(one(inputs, 'a').shape, one(inputs, 'b').shape), dtype: 'int32' }],
    lower: (b, inputs) => {
      const [x, y] = ['a', 'b'].map((name) => b.cast(one(inputs, name).name, 'float64')) as [string, string];
      return [b.cast(b.op('Floor', [b.op('Div', [x, y])]), 'int32')];
    },
  },
  Maximum: binary('Max', 'Or'),
  Minimum: binary('Min', 'And'),
  // the remainder has the divisor's sign; by float, because an integer divided by 0 would end the process
  Mod: binary((b, x, y, spec) => {
    const wide = spec.dtype === 'int32';
    const [n, d] = wide ? [b.cast(x, 'float64'), b.cast(y, 'float64')] : [x, y];
    const remainder = (a: string) => b.op('Mod', [a, d], { fmod: 1 });
    const zero = wide ? b.constant(0, 'float64') : float(b, 0);
    const differ = b.op('Xor', [b.op('Less', [n, zero]), b.op('Less', [d, zero])]);
    const r = remainder(n);
    const y0 = b.op('Where', [differ, remainder(b.op('Add', [r, d])), r]);
    return wide ? b.cast(y0, 'int32') : y0;
  }),
  Multiply: binary('Mul', 'And'),
  Pow: binary('Pow'),
  RealDiv: binary('Div'),
  SquaredDifference: binary((b, x, y) => {
    const difference = b.op('Sub', [x, y]);
    return b.op('Mul', [difference, difference]);
  }),
  Sub: binary('Sub'),
  Prelu: {
    shape: (inputs) => [{ shape: one(inputs, 'x').shape, dtype: 'float32' }],
    lower: (b, inputs) => [b.op('PRelu', [as(b, one(inputs, 'x'), 'float32'), as(b, one(inputs, 'alpha'), 'float32')])],
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

  Equal: comparison((b, x, y) => b.op('Equal', [x, y])),
  Greater: comparison((b, x, y) => b.op('Greater', [x, y])),
  GreaterEqual: comparison((b, x, y) => b.op('GreaterOrEqual', [x, y])),
  Less: comparison((b, x, y) => b.op('Less', [x, y])),
  LessEqual: comparison((b, x, y) => b.op('LessOrEqual', [x, y])),
  NotEqual: comparison((b, x, y) => b.op('Not', [b.op('Equal', [x, y])])),
  LogicalAnd: binary('And', 'And'),
  LogicalOr: binary('Or', 'Or'),
  // the three have one shape: tf.where spreads them before it calls the kernel
  Select: {
    shape: (inputs) => {
      const [t, e] = [one(inputs, 't'), one(inputs, 'e')];
      return [{ shape: t.shape, dtype: tf.upcastType(t.dtype, e.dtype) as DType }];
    },
    lower: (b, inputs, _, [out]) => {
      const within = out!.dtype === 'bool' ? 'int32' : out!.dtype; // there is no Where for booleans
      const [t, e] = ['t', 'e'].map((name) => ({ ...one(inputs, name), name: as(b, one(inputs, name), within) }));
      const y = b.op('Where', narrowed(b, [one(inputs, 'condition'), t!, e!], out!));
      return [within === out!.dtype ? y : b.cast(y, 'bool')];
    },
  },
};

/** e^x − 1 = tanh(x/2) (e^x + 1), which loses nothing near 0. */
function expm1(b: OnnxBuilder, x: string): string {
  const tanh = b.op('Tanh', [b.op('Mul', [x, float(b, 0.5)])]);
  return b.op('Mul', [tanh, b.op('Add', [b.op('Exp', [x]), float(b, 1)])]);
}

/**
 * ln(1 + x) with the rounding error of 1 + x made up for: ln u + (x − (u − 1)) / u, where u is the rounded sum.
 * Where nothing was rounded it is ln u, also at −1 and ∞.
 * Reference: Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 1.14.1.
 */
function log1p(b: OnnxBuilder, x: string): string {
  const { u, mended } = sumWithOne(b, x);
  const plain = b.op('Log', [u]);
  return b.op('Where', [b.op('Equal', [b.op('Sub', [u, float(b, 1)]), x]), plain, mended]);
}

function sumWithOne(b: OnnxBuilder, x: string): { u: string; mended: string } {
  const u = b.op('Add', [x, float(b, 1)]);
  const lost = b.op('Sub', [x, b.op('Sub', [u, float(b, 1)])]);
  return { u, mended: b.op('Add', [b.op('Log', [u]), b.op('Div', [lost, u])]) };
}

/** ln(1 + e^x) = max(x, 0) + ln(1 + e^{−|x|}): three times as fast as the runtime's own operator. */
function softplus(b: OnnxBuilder, x: string): string {
  const { mended } = sumWithOne(b, b.op('Exp', [b.op('Neg', [b.op('Abs', [x])])]));
  return b.op('Add', [b.op('Max', [x, float(b, 0)]), mended]);
}

const reductions: Record<string, Kernel> = {
  All: reduction('ReduceMin', 'axis', () => 'bool'),
  Any: reduction('ReduceMax', 'axis', () => 'bool'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Max: reduction('ReduceMax', 'reductionIndices', same),
  Mean: reduction('ReduceMean', 'axis', () => 'float32'),
  Min: reduction('ReduceMin', 'axis', same),
  Prod: reduction('ReduceProd', 'axis', counted),
  Sum: reduction('ReduceSum', 'axis', counted),
  Cumsum: {
    shape: (inputs) => [{ shape: one(inputs, 'x').shape, dtype: counted(one(inputs, 'x').dtype) }],
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      const [axis] = axes(attrs['axis'], x.shape.length);
      const flags = { exclusive: attrs['exclusive'] ? 1 : 0, reverse: attrs['reverse'] ? 1 : 0 };
      return [b.op('CumSum', [asNumber(b, x), b.constant(axis!, 'int64')], flags)];
    },
  },
  // ONNX has none: products over 1, 2, 4, … neighbours, each from two of the last (Hillis and Steele, 1986)
  Cumprod: {
    shape: (inputs) => [{ shape: one(inputs, 'x').shape, dtype: counted(one(inputs, 'x').dtype) }],
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
    shape: (inputs) => [numeric(list(inputs)[0]!, false)],
    lower: (b, inputs) => {
      const names = list(inputs).map((x) => x.name);
      if (list(inputs)[0]!.dtype === 'float32') return [b.op('Sum', names)];
      return [names.reduce((sum, x) => b.op('Add', [sum, x]))];
    },
  },
};

const shapes: Record<string, Kernel> = {
  Identity: {
    shape: (inputs) => [one(inputs, 'x')],
    lower: (_, inputs) => [one(inputs, 'x').name],
  },
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
    lower: (b, inputs, attrs) => [transposed(b, one(inputs, 'x').name, numbers(attrs, 'perm'))],
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
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const reps = numbers(attrs, 'reps');
      if (reps.every((n) => n === 1)) return [x.name];
      if (reps.every((n, axis) => n === 1 || x.shape[axis] === 1)) return [b.expand(x.name, out!.shape)];
      return [b.op('Tile', [x.name, b.ints(reps)])];
    },
  },
  StridedSlice: {
    shape: (inputs, attrs) => [{ shape: stridesOf(one(inputs, 'x'), attrs).finalShape, dtype: one(inputs, 'x').dtype }],
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'x');
      const { begin, end, strides } = stridesOf(x, attrs);
      const ends = end.map((stop, axis) => (strides[axis]! < 0 && stop < 0 ? BEFORE_FIRST : stop));
      return [b.reshape(sliced(b, x.name, begin, ends, strides), out!.shape)];
    },
  },
  MirrorPad: {
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
  Range: progression((attrs) => {
    const [start, stop, step] = ['start', 'stop', 'step'].map((name) => attrs[name] as number) as [
      number,
      number,
      number,
    ];
    const empty = start === stop || (start < stop && step < 0) || (stop < start && step > 1);
    const count = empty ? 0 : Math.abs(Math.ceil((stop - start) / step));
    return { start, step: stop < start && step === 1 ? -1 : step, count }; // a step of 1 is the default: it turns round
  }),
  LinSpace: progression((attrs) => {
    const [start, stop, count] = ['start', 'stop', 'num'].map((name) => attrs[name] as number) as [
      number,
      number,
      number,
    ];
    return { start, step: (stop - start) / (count - 1), count };
  }),
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

/** start, start + step, …: a constant, rounded at every step as TensorFlow.js does. */
function progression(of: (attrs: Attributes) => { start: number; step: number; count: number }): Kernel {
  const dtypeOf = (attrs: Attributes) => (attrs['dtype'] as DType | undefined) ?? 'float32';
  return {
    shape: (_, attrs) => [{ shape: [of(attrs).count], dtype: dtypeOf(attrs) }],
    lower: (b, _, attrs) => {
      const { start, step, count } = of(attrs);
      const values = dtypeOf(attrs) === 'float32' ? new Float32Array(count) : new Int32Array(count);
      for (let i = 0; i < count; i++) values[i] = i === 0 ? start : values[i - 1]! + step;
      return [b.tensor(values, [count], elementOf(dtypeOf(attrs)))];
    },
  };
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

/**
 * Σ of the rows of x [N, width] with the same id: [count, width]. Not by ScatterND, whose threads lose some of the
 * sums when an id recurs.
 */
function addedUp(b: OnnxBuilder, x: Operand, ids: string, count: number): string {
  const [rows, width] = x.shape as [number, number];
  const flat = b.reshape(x.name, x.shape);
  const column = b.reshape(ids, [rows, 1]);
  if (x.dtype === 'float32' && count <= FEW) {
    const hit = b.op('Equal', [column, b.constant(rangeOf(count), 'int32')]);
    return b.op('Gemm', [b.cast(hit, 'float32'), flat], { transA: 1 });
  }
  const zeros = spread(b, 0, { shape: [count, width], dtype: x.dtype });
  return b.op('ScatterElements', [zeros, b.op('Expand', [column, b.ints(x.shape)]), flat], {
    axis: 0,
    reduction: 'add',
  });
}
const FEW = 256; // products with zeros are then no slower than the sequential ScatterElements

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
    shape: (inputs, attrs) => {
      const x = one(inputs, 'x');
      const rank = one(inputs, 'segmentIds').shape.length;
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
    shape: (inputs, attrs) => [{ shape: numbers(attrs, 'shape'), dtype: numeric(one(inputs, 'updates'), false).dtype }],
    lower: (b, inputs, _, [out]) => {
      const [indices, updates] = [one(inputs, 'indices'), one(inputs, 'updates')];
      const depth = indices.shape.at(-1)!;
      const rows = sizeOf(indices.shape) / depth;
      const strides = rangeOf(depth).map((i) => sizeOf(out!.shape.slice(i + 1, depth)));
      const places = b.op('Mul', [b.reshape(indices.name, [rows, depth]), b.constant(strides, 'int32')]);
      const ids = b.op('ReduceSum', [places, b.ints([1])], { keepdims: 0 });
      const x = { ...updates, shape: [rows, sizeOf(out!.shape.slice(depth))] };
      return [b.reshape(addedUp(b, x, ids, sizeOf(out!.shape.slice(0, depth))), out!.shape)];
    },
  },
  TopK: {
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
      const k = b.ints([attrs['k'] as number]);
      const [values, indices] = b.ops('TopK', [asNumber(b, x), k], 2, { axis: x.shape.length - 1 }) as [string, string];
      return [x.dtype === 'bool' ? b.cast(values, elementOf(out!.dtype)) : values, b.cast(indices, 'int32')];
    },
  },
  TensorScatterUpdate: {
    shape: (inputs) => [one(inputs, 'tensor')],
    lower: (b, inputs) => {
      const index = b.cast(one(inputs, 'indices').name, 'int64');
      return [b.op('ScatterND', [one(inputs, 'tensor').name, index, one(inputs, 'updates').name])];
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
      return [b.cast(b.op('Where', [hit, float(b, on), float(b, off)]), elementOf(out!.dtype))];
    },
  },
};

function gathered<T extends Spec>(inputs: Readonly<Record<string, T | readonly T[]>>, attrs: Attributes) {
  const [x, indices] = [one(inputs, 'x'), one(inputs, 'indices')];
  const [axis] = axes(attrs['axis'] ?? 0, x.shape.length) as [number];
  const batch = (attrs['batchDims'] as number | undefined) ?? 0;
  if (batch !== 0 && batch !== axis) throw new Error(`batchDims = ${batch} with axis = ${axis}; they must be equal`);
  return { x, indices, axis, batch };
}

const matrices: Record<string, Kernel> = {
  // [..., M, K] · [..., K, N] (+ bias); two plain matrices become Gemm, which transposes and adds for nothing
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
      const bias = maybe(inputs, 'bias');
      const batch = (x: Spec) => sizeOf(x.shape.slice(0, -2));
      const flat = (x: Operand) =>
        x.shape.length === 2 ? x.name : builder.reshape(x.name, [batch(x) * x.shape.at(-2)!, x.shape.at(-1)!]);
      // one matrix on the right takes the rows of a whole batch
      if (a.dtype === 'float32' && batch(b) === 1 && (batch(a) === 1 || !transA)) {
        const operands = [flat(a), flat(b), ...(bias ? [bias.name] : [])];
        const y = builder.op('Gemm', operands, { transA, transB });
        return [out!.shape.length === 2 ? y : builder.reshape(y, out!.shape)];
      }
      const turned = (x: Operand, turn: number) =>
        turn ? builder.op('Transpose', [x.name], { perm: swapLast(x.shape.length) }) : x.name;
      const y = builder.op('MatMul', [turned(a, transA), turned(b, transB)]);
      return [bias ? builder.op('Add', [y, bias.name]) : y];
    },
  },
};

/** Products with a bias and an activation in the same call, which TensorFlow.js makes where no gradient is asked for. */
function fused(name: string, base: Readonly<Record<string, Kernel>>): Kernel {
  const product = base[name]!;
  return {
    shape: (inputs, attrs) => product.shape(inputs, attrs),
    lower: (b, inputs, attrs, outputs) => {
      const [spec] = outputs as [Spec];
      const [y] = product.lower(b, inputs, attrs, outputs) as [string];
      const bias = name === 'BatchMatMul' ? undefined : maybe(inputs, 'bias'); // which has added its own
      const x: Operand = { ...spec, name: bias ? b.op('Add', [y, bias.name]) : y };
      const activation = attrs['activation'] as string | undefined;
      if (!activation || activation === 'linear') return [x.name];
      const alpha = one(inputs, 'preluActivationWeights');
      return elementwise[ACTIVATIONS[activation]!]!.lower(b, { x, alpha }, { alpha: attrs['leakyreluAlpha'] }, outputs);
    },
  };
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  leakyrelu: 'LeakyRelu',
  prelu: 'Prelu',
  sigmoid: 'Sigmoid',
};

/** Every kernel that can be compiled, by its TensorFlow.js name. */
export const kernels: Readonly<Record<string, Kernel>> = {
  ...elementwise,
  ...reductions,
  ...shapes,
  ...indexing,
  ...matrices,
  ...convolutionKernels,
  _FusedMatMul: fused('BatchMatMul', matrices),
  FusedConv2D: fused('Conv2D', convolutionKernels),
  FusedDepthwiseConv2D: fused('DepthwiseConv2dNative', convolutionKernels),
};
