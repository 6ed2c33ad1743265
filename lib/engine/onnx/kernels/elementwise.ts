/** Kinds of rows that compute element by element. */
import type { Spec } from '../../graph/graph';
import {
  ALL,
  as,
  asNumber,
  broadcast,
  lowerHalf,
  narrowed,
  NUMBERS,
  one,
  type Attributes,
  type Kernel,
  type Operand,
} from '../kernel';
import type { OnnxBuilder } from '../onnx';

export type Unary = (b: OnnxBuilder, x: string, attrs: Attributes, spec: Spec) => string;

const operator =
  (name: string): Unary =>
  (b, x) =>
    b.op(name, [x]);

/**
 * A function of one variable; the result is like the operand. ONNX has most functions for float32 alone: integers
 * are computed there and truncated, as TensorFlow.js does when it stores the result.
 */
export function unary(lower: string | Unary): Kernel {
  const emit = typeof lower === 'string' ? operator(lower) : lower;
  return {
    types: NUMBERS,
    shape: (inputs) => [one(inputs, 'x')],
    lower: (b, inputs, attrs, [out]) => {
      const x = floats(b, one(inputs, 'x'));
      return [as(b, { ...x, name: emit(b, x.name, attrs, x) }, out!.dtype)];
    },
  };
}

/** A function of one variable whose result has one type, whatever its operand's. */
export function unaryTo(dtype: 'float32' | 'bool', lower: string | Unary, input = 'x'): Kernel {
  const emit = typeof lower === 'string' ? operator(lower) : lower;
  return {
    types: ALL,
    shape: (inputs) => [{ shape: one(inputs, input).shape, dtype }],
    lower: (b, inputs, attrs) => {
      const x = floats(b, one(inputs, input));
      return [emit(b, x.name, attrs, x)];
    },
  };
}

const floats = (b: OnnxBuilder, x: Operand): Operand => ({ ...x, name: as(b, x, 'float32'), dtype: 'float32' });

/** As `unary`, for a function that ONNX has for integers, too; `ofBool` is what it means for booleans, if anything. */
export function arithmetic(lower: string | Unary, ofBool?: string): Kernel {
  const emit = typeof lower === 'string' ? operator(lower) : lower;
  return {
    types: ofBool === undefined ? NUMBERS : ALL,
    shape: (inputs) => [one(inputs, 'x')],
    lower: (b, inputs, attrs) => {
      const x = one(inputs, 'x');
      return [x.dtype === 'bool' ? b.op(ofBool!, [x.name]) : emit(b, x.name, attrs, x)];
    },
  };
}

/** Of an integer it is the integer. */
export const rounding = (op: string): Kernel =>
  arithmetic((b, x, _, { dtype }) => (dtype === 'int32' ? x : b.op(op, [x])));

type Binary = (b: OnnxBuilder, x: string, y: string, spec: Spec) => string;

/**
 * A function of two operands that broadcast; `ofBool` is what it means for booleans, if anything. TensorFlow.js adds
 * booleans as bytes, so that true + true is a boolean of value 2: no graph has such a thing.
 */
export function binary(lower: string | Binary, ofBool?: string): Kernel {
  const emit: Binary = typeof lower === 'string' ? (b, x, y) => b.op(lower, [x, y]) : lower;
  return {
    types: ofBool === undefined ? NUMBERS : ALL,
    shape: (inputs) => {
      const a = one(inputs, 'a');
      return [{ shape: broadcast(a.shape, one(inputs, 'b').shape), dtype: a.dtype }];
    },
    lower: (b, inputs, _, [out]) => {
      const [x, y] = [one(inputs, 'a'), one(inputs, 'b')];
      const [p, q] = narrowed(b, [x, y], out!) as [string, string];
      return [x.dtype === 'bool' ? b.op(ofBool!, [p, q]) : emit(b, p, q, x)];
    },
  };
}

/** A function of two numbers: of integers by way of floats, and truncated. */
export const binaryByFloat = (
  lower: (b: OnnxBuilder, x: string, y: string, float: Float) => string,
  within: Float = 'float64', // which holds every integer
): Kernel =>
  binary((b, x, y, { dtype, shape }) => {
    if (dtype === 'float32') return lower(b, x, y, dtype);
    const z = byFloat(b, lower, x, y, within);
    return within === 'float64' ? truncatedDouble(b, z) : as(b, { name: z, shape, dtype: within }, dtype);
  });

/** As `binaryByFloat`, of float32 by float64, too, as in JavaScript; not where that would leave the device. */
export const binaryByDouble = (lower: (b: OnnxBuilder, x: string, y: string, float: Float) => string): Kernel =>
  binary((b, x, y, { dtype }) => {
    if (dtype !== 'float32') return truncatedDouble(b, byFloat(b, lower, x, y, 'float64'));
    return b.target.guarded ? lower(b, x, y, dtype) : b.cast(byFloat(b, lower, x, y, 'float64'), 'float32');
  });

const byFloat = (
  b: OnnxBuilder,
  lower: (b: OnnxBuilder, x: string, y: string, float: Float) => string,
  x: string,
  y: string,
  within: Float,
): string => lower(b, b.cast(x, within), b.cast(y, within), within);

export type Float = 'float32' | 'float64';

/**
 * `truncated` of float64, which no device has: the runtime computes with it on the host. JavaScript keeps the lower half
 * of any number, however large.
 */
export function truncatedDouble(b: OnnxBuilder, x: string): string {
  const remainder = b.op('Mod', [x, b.constant(2 ** 32, 'float64')], { fmod: 1 });
  return lowerHalf(b, b.cast(remainder, 'int64'));
}

export function logical(op: string): Kernel {
  return { ...binary(op, op), types: ['bool'] };
}

export function comparison(lower: Binary): Kernel {
  return {
    types: ALL,
    shape: (inputs) => [{ shape: broadcast(one(inputs, 'a').shape, one(inputs, 'b').shape), dtype: 'bool' }],
    lower: (b, inputs) => {
      const [x, y] = [one(inputs, 'a'), one(inputs, 'b')];
      return [lower(b, asNumber(b, x), asNumber(b, y), x)];
    },
  };
}
