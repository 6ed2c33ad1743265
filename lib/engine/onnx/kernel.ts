/** What a row of the table of kernels is, and the small tools that its lowerings share. */
import type { DType, Spec, Value } from '../graph/graph';
import { elementOf, type OnnxBuilder } from './onnx';

export type Attributes = Readonly<Record<string, unknown>>;
export type Operands = Readonly<Record<string, Value | readonly Value[]>>;

/** An operand in a lowering: its spec, and the ONNX value that holds it. */
export interface Operand extends Spec {
  readonly name: string;
}
export type NamedOperands = Readonly<Record<string, Operand | readonly Operand[]>>;

export interface Kernel {
  /** Throws where the kernel is called in a way that cannot be compiled; the message need not name the kernel. */
  shape(inputs: Operands, attrs: Attributes): readonly Spec[];
  /** Returns the names of the outputs' values. */
  lower(b: OnnxBuilder, inputs: NamedOperands, attrs: Attributes, outputs: readonly Spec[]): readonly string[];
}

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

export const rangeOf = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

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
  return x.dtype === dtype ? x.name : b.cast(x.name, elementOf(dtype));
}

export function transposed(b: OnnxBuilder, x: string, perm: readonly number[]): string {
  return perm.every((axis, i) => axis === i) ? x : b.op('Transpose', [x], { perm });
}
