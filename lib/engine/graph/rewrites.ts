/**
 * The detours that traced code takes, and the short ways. Each rewrite is exact, but for the order in which numbers
 * known beforehand are multiplied, and for the sign of zeros.
 */
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

const input = (node: Node, name: string): Value => node.inputs[name] as Value;
const output = (node: Node): Value => node.outputs[0]!;
const sameShape = (a: Spec, b: Spec): boolean => String(a.shape) === String(b.shape);
const alike = (a: Spec, b: Spec): boolean => sameShape(a, b) && a.dtype === b.dtype;
/** The operands of a binary node, each with the other. */
const pairs = (node: Node): [Value, Value][] => {
  const [a, b] = [input(node, 'a'), input(node, 'b')];
  return [[a, b], [b, a]]; // prettier-ignore
};

// Shapes

/** A value in another shape, whatever shapes it had in between. */
function reshaped(x: Value, shape: readonly number[], bench: Workbench): Value {
  const from = beforeReshapes(x, bench);
  if (sameShape(from, { shape, dtype: from.dtype })) return from;
  return bench.emit('Reshape', { x: from }, { shape }, { shape, dtype: from.dtype });
}

function beforeReshapes(x: Value, bench: Workbench): Value {
  const made = bench.maker(x);
  return made?.kernel === 'Reshape' ? beforeReshapes(input(made, 'x'), bench) : x;
}

const reshape =
  (name: string): Rewrite =>
  (node, bench) => {
    const x = input(node, name);
    const { shape } = output(node);
    const isPlain = node.kernel === 'Reshape' && String(node.attrs['shape']) === String(shape);
    if (isPlain && beforeReshapes(x, bench) === x && !sameShape(x, output(node))) return spreadAfter(x, shape, bench);
    return reshaped(x, shape, bench);
  };

/** One number for each row, spread over the row and put in another shape: spread over that shape at once. */
function spreadAfter(x: Value, shape: readonly number[], bench: Workbench): Value | undefined {
  const narrow = beforeSpreading(x, bench);
  if (!narrow || sizeOf(narrow.shape) !== shape[0] || narrow.shape[0] !== shape[0]) return undefined;
  return spread(reshaped(narrow, [shape[0], ...shape.slice(1).map(() => 1)], bench), shape, bench);
}

/** Only the order of the axes with more than one element counts. */
const transpose: Rewrite = (node, bench) => {
  const x = input(node, 'x');
  const perm = node.attrs['perm'] as readonly number[];
  const made = bench.maker(x);
  if (made?.kernel === 'Transpose') {
    const first = made.attrs['perm'] as readonly number[];
    return bench.emit('Transpose', { x: input(made, 'x') }, { perm: perm.map((axis) => first[axis]!) }, output(node));
  }
  const moved = perm.filter((axis) => x.shape[axis] !== 1);
  return moved.every((axis, i) => i === 0 || axis > moved[i - 1]!) ? reshaped(x, output(node).shape, bench) : undefined;
};

// Numbers that are known

/** The number that fills the result of a node. */
export function uniformOf({ kernel, attrs }: Node, _bench: Workbench): number | undefined {
  if (kernel === 'ZerosLike') return 0;
  if (kernel === 'OnesLike') return 1;
  return kernel === 'Fill' && typeof attrs['value'] === 'number' ? attrs['value'] : undefined;
}

function filled(value: number, { shape, dtype }: Spec, bench: Workbench): Value {
  if (shape.length === 0 && dtype === 'float32') return bench.scalar(value);
  return bench.emit('Fill', {}, { shape, value, dtype }, { shape, dtype });
}

/** A function of numbers that are all known, in float32. */
function folded(node: Node, names: readonly string[], f: (...xs: number[]) => number, bench: Workbench) {
  const xs = names.map((name) => bench.uniform(input(node, name)));
  if (output(node).dtype !== 'float32' || xs.includes(undefined)) return undefined;
  return filled(Math.fround(f(...(xs as number[]))), output(node), bench);
}

/** The operand that is the result already, since the other is this number. */
function unchanged(node: Node, number: number, operands: readonly [Value, Value][], bench: Workbench) {
  return operands.find(([x, other]) => bench.uniform(other) === number && alike(x, output(node)))?.[0];
}

/** x · c, where c multiplies x already, or divides out; only with ordinary numbers, so that nothing overflows. */
function scaled(x: Value, by: number, bench: Workbench): Value | undefined {
  const made = bench.maker(x);
  if (!made || x.dtype !== 'float32') return undefined;
  const narrow = beforeSpreading(x, bench);
  if (narrow) return spread(times(narrow, by, bench), x.shape, bench);
  if (made.kernel === 'Neg') return times(input(made, 'x'), -by, bench);
  if (made.kernel !== 'Multiply') return undefined;
  const inner = pairs(made).find(([from, factor]) => bench.uniform(factor) !== undefined && alike(from, x));
  if (!inner) return undefined;
  const factor = bench.uniform(inner[1])!;
  const both = Math.fround(factor * by);
  return [factor, by, both].every(isOrdinary) ? times(inner[0], both, bench) : undefined;
}

const isOrdinary = (c: number): boolean => Math.abs(c) > 1e-30 && Math.abs(c) < 1e30;

function times(x: Value, by: number, bench: Workbench): Value {
  if (by === 1) return x;
  if (by === -1) return bench.emit('Neg', { x }, {}, x);
  return bench.emit('Multiply', { a: x, b: bench.scalar(by) }, {}, x);
}

// Spreading: TensorFlow.js multiplies by a tensor of ones to repeat a sum's gradient for every term

function spread(x: Value, shape: readonly number[], bench: Workbench): Value {
  const ones = filled(1, { shape, dtype: 'float32' }, bench);
  return bench.emit('Multiply', { a: x, b: ones }, {}, { shape, dtype: 'float32' });
}

/** The narrow value that was spread. */
function beforeSpreading(x: Value, bench: Workbench): Value | undefined {
  const made = bench.maker(x);
  if (made?.kernel !== 'Multiply') return undefined;
  return pairs(made).find(([from, ones]) => bench.uniform(ones) === 1 && sizeOf(from.shape) < sizeOf(x.shape))?.[0];
}

/** The node on operands that have not been spread, where it broadcasts them by itself. */
function narrowed(node: Node, bench: Workbench): Value | undefined {
  for (const [name, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    // prettier-ignore
    const narrow = beforeSpreading(input(node, name), bench);
    if (narrow && alike(input(node, other), output(node)) && bench.uniform(input(node, other)) === undefined)
      return bench.emit(node.kernel, { ...node.inputs, [name]: narrow }, node.attrs, output(node));
  }
  return undefined;
}

// Arithmetic

const multiply: Rewrite = (node, bench) => {
  const known = folded(node, ['a', 'b'], (a, b) => a * b, bench) ?? unchanged(node, 1, pairs(node), bench);
  if (known) return known;
  for (const [x, other] of pairs(node)) {
    const by = bench.uniform(other);
    if (by !== undefined && alike(x, output(node))) return scaled(x, by, bench);
  }
  return narrowed(node, bench);
};

const negate: Rewrite = (node, bench) => folded(node, ['x'], (x) => -x, bench) ?? scaled(input(node, 'x'), -1, bench);

const divide: Rewrite = (node, bench) =>
  folded(node, ['a', 'b'], (a, b) => a / b, bench) ??
  unchanged(node, 1, pairs(node).slice(0, 1), bench) ??
  dividedBy(node, bench) ??
  narrowed(node, bench);

/** A division by a power of two is a product, exactly. */
function dividedBy(node: Node, bench: Workbench): Value | undefined {
  const by = bench.uniform(input(node, 'b'));
  if (by === undefined || !alike(input(node, 'a'), output(node)) || output(node).dtype !== 'float32') return undefined;
  return Number.isInteger(Math.log2(Math.abs(by))) && isOrdinary(by)
    ? times(input(node, 'a'), 1 / by, bench)
    : undefined;
}

const add: Rewrite = (node, bench) =>
  folded(node, ['a', 'b'], (a, b) => a + b, bench) ?? unchanged(node, 0, pairs(node), bench) ?? narrowed(node, bench);

const subtract: Rewrite = (node, bench) =>
  folded(node, ['a', 'b'], (a, b) => a - b, bench) ??
  unchanged(node, 0, pairs(node).slice(0, 1), bench) ??
  logSoftmax(node, bench) ??
  narrowed(node, bench);

/** A sum over axes that have one element each, or of one number that is known. */
const sum: Rewrite = (node, bench) => {
  const x = input(node, 'x');
  const { shape, dtype } = output(node);
  if (x.dtype !== dtype || sizeOf(shape) === 0) return undefined;
  const terms = sizeOf(x.shape) / sizeOf(shape);
  return terms === 1 ? reshaped(x, shape, bench) : folded(node, ['x'], (number) => number * terms, bench);
};

// Products of matrices

/** [1, M, K] · [1, K, N] is a product of matrices, and takes transposed operands as they were before. */
const product: Rewrite = (node, bench) => {
  const { shape, dtype } = output(node);
  const [a, b] = [input(node, 'a'), input(node, 'b')];
  const isPlain = [shape, a.shape, b.shape].every((each) => sizeOf(each.slice(0, -2)) === 1);
  const direct = [a, b].map((x, i) => {
    const turned = node.attrs[i === 0 ? 'transposeA' : 'transposeB'] === true;
    const flat = isPlain ? reshaped(x, x.shape.slice(-2), bench) : x;
    const made = bench.maker(flat);
    const isTurned = made?.kernel === 'Transpose' && swapsLast(made.attrs['perm'] as readonly number[]);
    return isTurned ? { x: input(made, 'x'), turned: !turned } : { x: flat, turned };
  });
  const [left, right] = direct as [(typeof direct)[number], (typeof direct)[number]];
  if (left.x === a && right.x === b) return undefined;
  const attrs = { ...node.attrs, transposeA: left.turned, transposeB: right.turned };
  const made = { shape: isPlain ? shape.slice(-2) : shape, dtype };
  return reshaped(bench.emit('BatchMatMul', { a: left.x, b: right.x }, attrs, made), shape, bench);
};

const swapsLast = (perm: readonly number[]): boolean =>
  perm.every((axis, i) => axis === (i < perm.length - 2 ? i : 2 * perm.length - 3 - i));

// Compositions for which the runtime has one operator

/** (x − max x) − ln Σ exp(x − max x) over the last axis. */
function logSoftmax(node: Node, bench: Workbench): Value | undefined {
  const shifted = input(node, 'a');
  const [, total, exp] = chain(input(node, 'b'), ['Log', 'Sum', 'Exp'], bench) ?? [];
  const shift = bench.maker(shifted);
  if (!total || !exp || input(exp, 'x') !== shifted || shift?.kernel !== 'Sub') return undefined;
  const x = input(shift, 'a');
  const [max] = chain(input(shift, 'b'), ['Max'], bench) ?? [];
  if (!max || input(max, 'x') !== x || !alike(x, output(node))) return undefined;
  const isOfRows = (axes: unknown) => String(axes) === String(x.shape.length - 1);
  if (!isOfRows(max.attrs['reductionIndices']) || !isOfRows(total.attrs['axis'])) return undefined;
  return bench.emit('LogSoftmax', { logits: x }, { axis: x.shape.length - 1 }, x);
}

/** The nodes of these kernels that make a value, backwards from it, whatever the shapes in between. */
function chain(value: Value, kernels: readonly string[], bench: Workbench): Node[] | undefined {
  const nodes: Node[] = [];
  let x = value;
  for (const kernel of kernels) {
    const made = bench.maker(beforeReshapes(x, bench));
    if (made?.kernel !== kernel) return undefined;
    nodes.push(made);
    x = input(made, 'x');
  }
  return nodes;
}

/** a b + bias, where nothing else needs a b. */
const biased: Rewrite = (node, bench) => {
  for (const [y, bias] of pairs(node)) {
    const made = bench.maker(y);
    if (made?.kernel !== 'BatchMatMul' || y.shape.length !== 2 || !bench.usedOnce(y)) continue;
    if (bias.shape.length !== 1 || bias.shape[0] !== y.shape[1]) continue;
    const attrs = { ...made.attrs, activation: 'linear' };
    return bench.emit('_FusedMatMul', { ...made.inputs, bias }, attrs, output(node));
  }
  return undefined;
};

/** What simplifies, by kernel. */
export const rewrites: Readonly<Record<string, Rewrite>> = {
  Identity: (node) => input(node, 'x'),
  Cast: (node) => (input(node, 'x').dtype === output(node).dtype ? input(node, 'x') : undefined),
  Reshape: reshape('x'),
  ExpandDims: reshape('input'),
  Transpose: transpose,
  BatchMatMul: product,
  Multiply: multiply,
  Neg: negate,
  RealDiv: divide,
  Add: add,
  Sub: subtract,
  Sum: sum,
};

/** What is put together at the end, when it is known who reads what. */
export const fusions: Readonly<Record<string, Rewrite>> = { Add: biased };
