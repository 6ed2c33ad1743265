/** What a rule of rewriting sees of the graph, and the small tools that rules share. */
import { sizeOf, type Node, type Spec, type Value } from './graph';

/** The graph as far as it has been rewritten. */
export interface Workbench {
  /** The node that makes a value; undefined for inputs and constants. */
  maker(value: Value): Node | undefined;
  /** The number that every element of a value is, if it is known. */
  uniform(value: Value): number | undefined;
  /** Whether one node alone reads this value of the graph before. */
  usedOnce(value: Value): boolean;
  /** A constant []. */
  scalar(value: number): Value;
  /** The output of a new node, or what has its value already. */
  emit(kernel: string, inputs: Node['inputs'], attrs: Node['attrs'], spec: Spec): Value;
}

/** What has the value of a node with one output; undefined to keep the node. Its operands have been rewritten. */
export type Rewrite = (node: Node, bench: Workbench) => Value | undefined;

/** A rewrite, and the kernels of the nodes that it is tried on. */
export interface Rule {
  readonly name: string;
  readonly kernels: readonly string[];
  readonly rewrite: Rewrite;
}

export const input = (node: Node, name: string): Value => node.inputs[name] as Value;
export const output = (node: Node): Value => node.outputs[0]!;
export const sameShape = (a: Spec, b: Spec): boolean => String(a.shape) === String(b.shape);
export const alike = (a: Spec, b: Spec): boolean => sameShape(a, b) && a.dtype === b.dtype;

/** The operands of a binary node, each with the other. */
export function pairs(node: Node): [Value, Value][] {
  const [a, b] = [input(node, 'a'), input(node, 'b')];
  return [
    [a, b],
    [b, a],
  ];
}

/** A value in another shape, whatever shapes it had in between. */
export function reshaped(x: Value, shape: readonly number[], bench: Workbench): Value {
  const from = beforeReshapes(x, bench);
  if (sameShape(from, { shape, dtype: from.dtype })) return from;
  return bench.emit('Reshape', { x: from }, { shape }, { shape, dtype: from.dtype });
}

export function beforeReshapes(x: Value, bench: Workbench): Value {
  const made = bench.maker(x);
  return made?.kernel === 'Reshape' ? beforeReshapes(input(made, 'x'), bench) : x;
}

/** The number that fills the result of a node, as its type holds it. */
export function uniformOf({ kernel, attrs, outputs }: Node): number | undefined {
  if (kernel === 'ZerosLike') return 0;
  if (kernel === 'OnesLike') return 1;
  if (kernel !== 'Fill' || typeof attrs['value'] !== 'number') return undefined;
  return outputs[0]!.dtype === 'float32' ? Math.fround(attrs['value']) : Int32Array.of(attrs['value'])[0];
}

export function filled(value: number, { shape, dtype }: Spec, bench: Workbench): Value {
  if (shape.length === 0 && dtype === 'float32') return bench.scalar(value);
  return bench.emit('Fill', {}, { shape, value, dtype }, { shape, dtype });
}

/** x · c */
export function times(x: Value, by: number, bench: Workbench): Value {
  if (by === 1) return x;
  if (by === -1) return bench.emit('Neg', { x }, {}, x);
  return bench.emit('Multiply', { a: x, b: bench.scalar(by) }, {}, x);
}

// Spreading: TensorFlow.js multiplies by a tensor of ones to repeat a sum's gradient for every term

export function spread(x: Value, shape: readonly number[], bench: Workbench): Value {
  const ones = filled(1, { shape, dtype: 'float32' }, bench);
  return bench.emit('Multiply', { a: x, b: ones }, {}, { shape, dtype: 'float32' });
}

/** The narrow value, of float32, that was spread. */
export function beforeSpreading(x: Value, bench: Workbench): Value | undefined {
  const made = bench.maker(x);
  if (made?.kernel !== 'Multiply' || x.dtype !== 'float32') return undefined;
  return pairs(made).find(([from, ones]) => bench.uniform(ones) === 1 && sizeOf(from.shape) < sizeOf(x.shape))?.[0];
}
