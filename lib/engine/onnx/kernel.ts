/** What a row of the table of kernels is, and the small tools that its lowerings share. */
import * as tf from '@tensorflow/tfjs';
import type { DType, Spec, Value } from '../graph/graph';
import { elementOf } from './format';
import type { OnnxBuilder } from './onnx';

export type Attributes = Readonly<Record<string, unknown>>;
export type Operands = Readonly<Record<string, Value | readonly Value[]>>;

/** An operand in a lowering: its spec, and the ONNX value that holds it. */
export interface Operand extends Spec {
  readonly name: string;
}
export type NamedOperands = Readonly<Record<string, Operand | readonly Operand[]>>;

export interface Kernel {
  /** The types of its operand with which it can be compiled. */
  readonly types: readonly DType[];
  /** Which operand that is. Default: the first. */
  readonly typed?: string;
  /** For a reader of the table: the function of TensorFlow.js, where it has another name, and what is refused. */
  readonly note?: string;
  /** Which operand holds indices, and what they may be; the lowering gets indices within. */
  indices?(inputs: Readonly<Record<string, Spec | readonly Spec[]>>, attrs: Attributes): Indices;
  /** Throws where the kernel is called in a way that cannot be compiled; the message need not name the kernel. */
  shape(inputs: Operands, attrs: Attributes): readonly Spec[];
  /** Returns the names of the outputs' values. */
  lower(b: OnnxBuilder, inputs: NamedOperands, attrs: Attributes, outputs: readonly Spec[]): readonly string[];
}

export interface Indices {
  readonly operand: string;
  /** How many places there are along each coordinate of an index: the operand's last axis, where there are several. */
  readonly places: readonly number[];
  /** The function of TensorFlow.js, for messages. */
  readonly call: string;
}

export type Kernels = Readonly<Record<string, Kernel>>;

/** A row with a note. */
export const noted = (note: string, kernel: Kernel): Kernel => ({ ...kernel, note });

export const FLOATS: readonly DType[] = ['float32'];
export const NUMBERS: readonly DType[] = ['float32', 'int32'];
export const ALL: readonly DType[] = ['float32', 'int32', 'bool'];

// Operands and attributes

export const one = <T extends Spec>(inputs: Readonly<Record<string, T | readonly T[]>>, name: string): T =>
  inputs[name] as T;

/** An operand that a call may leave out. */
export const maybe = <T extends Spec>(
  inputs: Readonly<Record<string, T | readonly T[]>>,
  name: string,
): T | undefined => inputs[name] as T | undefined;

/** Kernels with lists name their operands 0, 1, 2, … */
export const list = <T extends Spec>(inputs: Readonly<Record<string, T | readonly T[]>>): T[] =>
  Object.values(inputs).flat() as T[];

export const numbers = (attrs: Attributes, name: string): number[] => [...(attrs[name] as number[])];

/**
 * The axes an attribute names, non-negative; all of them when it names none.
 * @throws where there is no such axis, as TensorFlow.js does
 */
export function axes(attr: unknown, rank: number): number[] {
  if (attr === undefined || attr === null) return rangeOf(rank);
  return tf.util.parseAxisParam(attr as number | number[], new Array<number>(rank).fill(1));
}

export const rangeOf = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

// Shapes

/** @throws where the shapes do not broadcast, as TensorFlow.js does */
export const broadcast = (a: readonly number[], b: readonly number[]): number[] =>
  tf.backend_util.assertAndGetBroadcastShape([...a], [...b]);

/** @throws where a shape is not the one expected. @param what of the call, for the message */
export function requireShape(what: string, got: readonly number[], expected: readonly number[]): void {
  if (String(got) !== String(expected))
    throw new Error(`${what} must have shape [${expected.join(', ')}], got [${got.join(', ')}]`);
}

// Values

/** A constant of the operand's own type; for an integer, within its range. */
export function like(b: OnnxBuilder, { dtype }: Spec, value: number): string {
  if (dtype === 'float32') return b.constant(value, 'float32');
  return b.constant(Math.trunc(Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1)), elementOf(dtype));
}

export const float = (b: OnnxBuilder, value: number): string => b.constant(value, 'float32');

/** One value, spread over a shape by the runtime. */
export function spread(b: OnnxBuilder, value: number, spec: Spec): string {
  const scalar = like(b, spec, value);
  return spec.shape.length === 0 ? scalar : b.expand(scalar, spec.shape);
}

/** Operands of an operator that broadcasts, as narrow as they were before they were spread, but for one. */
export function narrowed(b: OnnxBuilder, operands: readonly Operand[], out: Spec): string[] {
  const full = operands.filter(({ shape }) => String(shape) === String(out.shape));
  const keeper = full.find(({ name }) => b.unexpanded(name) === name) ?? full[0];
  return operands.map((x) => (keeper === undefined || x === keeper ? x.name : b.unexpanded(x.name)));
}

/** The operand in another type; no operator where it has that type already. */
export function as(b: OnnxBuilder, x: Operand, dtype: DType): string {
  if (x.dtype === dtype) return x.name;
  return x.dtype === 'float32' && dtype === 'int32' ? truncated(b, x.name) : b.cast(x.name, elementOf(dtype));
}

/** 2³¹, the first number that no int32 is. */
const BEYOND_INT32 = 2 ** 31;

/** Of int64, as int32. Without the sum the runtime makes one cast of this and the one before it. */
export const lowerHalf = (b: OnnxBuilder, x: string): string =>
  b.cast(b.op('Add', [x, b.constant(2 ** 32, 'int64')]), 'int32');

/**
 * float32 as TensorFlow.js stores it among int32: cut off towards 0, and 0 where it is NaN or
 * infinite. ONNX leaves the latter open; by way of int64 they become its least number, whose lower half is 0.
 */
function truncated(b: OnnxBuilder, x: string): string {
  if (!b.target.guarded) return lowerHalf(b, b.cast(x, 'int64'));
  const fits = b.op('Less', [b.op('Abs', [x]), float(b, BEYOND_INT32)]);
  return b.cast(b.op('Where', [fits, x, float(b, 0)]), 'int32');
}

/** ONNX has no order and no sum of booleans: they go through int32. */
export const asNumber = (b: OnnxBuilder, x: Operand): string => (x.dtype === 'bool' ? b.cast(x.name, 'int32') : x.name);

export function transposed(b: OnnxBuilder, x: string, perm: readonly number[]): string {
  return perm.every((axis, i) => axis === i) ? x : b.op('Transpose', [x], { perm });
}
