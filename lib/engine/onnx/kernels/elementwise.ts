/** Kinds of rows that compute element by element. */
import type { DType, Spec } from '../../graph/graph';
import {
  ALL,
  as,
  asNumber,
  broadcast,
  narrowed,
  NUMBERS,
  one,
  type Attributes,
  type Kernel,
  type Operand,
} from '../kernel';
import { elementOf, type OnnxBuilder } from '../onnx';

export type Unary = (b: OnnxBuilder, x: string, attrs: Attributes, spec: Spec) => string;

const operator =
  (name: string): Unary =>
  (b, x) =>
    b.op(name, [x]);

/**
 * A function of one variable; the result is like the operand. ONNX has most functions for float32 alone: integers
 * are computed there and truncated, as TensorFlow.js does when it stores the result.
 */
export function unary(lower: string | Unary, input = 'x', dtype?: DType): Kernel {
  const emit: Unary = typeof lower === 'string' ? operator(lower) : lower;
  return {
    types: dtype === undefined ? NUMBERS : ALL,
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

/** As `unary`, for a function that ONNX has for integers, too; `ofBool` is what it means for booleans, if anything. */
export function arithmetic(lower: string | Unary, ofBool?: string): Kernel {
  const emit: Unary = typeof lower === 'string' ? operator(lower) : lower;
  return {
    types: ofBool === undefined ? NUMBERS : ALL,
    shape: (inputs) => [numeric(one(inputs, 'x'), ofBool !== undefined)],
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

/** A function of two operands that broadcast; `ofBool` is what it means for booleans, if anything. */
export function binary(lower: string | Binary, ofBool?: string): Kernel {
  const emit: Binary = typeof lower === 'string' ? (b, x, y) => b.op(lower, [x, y]) : lower;
  return {
    types: ofBool === undefined ? NUMBERS : ALL,
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

export function comparison(lower: Binary): Kernel {
  return {
    types: ALL,
    shape: (inputs) => [{ shape: broadcast(one(inputs, 'a').shape, one(inputs, 'b').shape), dtype: 'bool' }],
    lower: (b, inputs) => {
      const [x, y] = [one(inputs, 'a'), one(inputs, 'b')] as [Operand, Operand];
      return [lower(b, asNumber(b, x), asNumber(b, y), x)];
    },
  };
}

/** TensorFlow.js adds booleans as bytes, so that true + true is a boolean of value 2: no graph has such a thing. */
export function numeric(x: Spec, boolMakesSense: boolean): Spec {
  if (x.dtype === 'bool' && !boolMakesSense)
    throw new Error('arithmetic on booleans; cast them to int32 or float32 first');
  return x;
}
