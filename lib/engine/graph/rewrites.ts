/**
 * The detours that traced code takes, and the short ways. Each rule is exact, for every shape and every number, but
 * for the order in which numbers known beforehand are multiplied, and for the sign of a sum that is 0.
 */
import { sizeOf, type Node, type Value } from './graph';
import { alike, beforeReshapes, beforeSpreading, filled, input, output, pairs, reshaped } from './workbench';
import { sameShape, spread, times, type Rewrite, type Rule, type Workbench } from './workbench';

// Shapes

const reshape =
  (name: string): Rewrite =>
  (node, bench) => {
    const x = input(node, name);
    const { shape } = output(node);
    const isPlain = node.kernel === 'Reshape' && String(node.attrs['shape']) === String(shape);
    if (isPlain && beforeReshapes(x, bench) === x && !sameShape(x, output(node))) return undefined; // as short as can be
    return reshaped(x, shape, bench);
  };

/**
 * One number for each row, spread over the row and put in another shape: spread over that shape at once. A value of
 * lower rank is spread along the last axis, and has a number for each column.
 */
const spreadAfter: Rewrite = (node, bench) => {
  const { shape } = output(node);
  const x = input(node, 'x');
  const narrow = beforeSpreading(x, bench);
  if (!narrow || narrow.shape.length !== x.shape.length || narrow.shape[0] !== shape[0]) return undefined;
  if (sizeOf(narrow.shape) !== shape[0]) return undefined;
  return spread(reshaped(narrow, [shape[0], ...shape.slice(1).map(() => 1)], bench), shape, bench);
};

const transposeOfTranspose: Rewrite = (node, bench) => {
  const x = input(node, 'x');
  const made = bench.maker(x);
  if (made?.kernel !== 'Transpose') return undefined;
  const first = made.attrs['perm'] as readonly number[];
  const perm = (node.attrs['perm'] as readonly number[]).map((axis) => first[axis]!);
  return bench.emit('Transpose', { x: input(made, 'x') }, { perm }, output(node));
};

/** Only the order of the axes with more than one element counts. */
const transposeInPlace: Rewrite = (node, bench) => {
  const x = input(node, 'x');
  const moved = (node.attrs['perm'] as readonly number[]).filter((axis) => x.shape[axis] !== 1);
  return moved.every((axis, i) => i === 0 || axis > moved[i - 1]!) ? reshaped(x, output(node).shape, bench) : undefined;
};

// Numbers that are known

const ARITHMETIC: Readonly<Record<string, readonly [(...xs: number[]) => number, ...string[]]>> = {
  Multiply: [(a, b) => a! * b!, 'a', 'b'],
  RealDiv: [(a, b) => a! / b!, 'a', 'b'],
  Add: [(a, b) => a! + b!, 'a', 'b'],
  Sub: [(a, b) => a! - b!, 'a', 'b'],
  Neg: [(x) => -x!, 'x'],
};

/** Arithmetic with numbers that are all known, in float32. */
const folded: Rewrite = (node, bench) => {
  const [f, ...names] = ARITHMETIC[node.kernel]!;
  const xs = names.map((name) => bench.uniform(input(node, name)));
  if (output(node).dtype !== 'float32' || xs.includes(undefined)) return undefined;
  return filled(Math.fround(f(...(xs as number[]))), output(node), bench);
};

/** What the other operand must be for one to be the result already; x + 0 is not x where that is −0, but x + −0 is. */
const NEUTRAL: Readonly<Record<string, number>> = { Multiply: 1, RealDiv: 1, Add: -0, Sub: 0 };

const unchanged: Rewrite = (node, bench) => {
  const sides = /^(Multiply|Add)$/.test(node.kernel) ? pairs(node) : pairs(node).slice(0, 1);
  const isNeutral = (other: Value) => Object.is(bench.uniform(other), NEUTRAL[node.kernel]!);
  return sides.find(([x, other]) => isNeutral(other) && alike(x, output(node)))?.[0];
};

/** x · c · d = x · (c d), where no step overflows that the other way does not. */
const scaledTwice: Rewrite = (node, bench) => {
  for (const [x, by] of scalings(node, bench)) {
    const made = bench.maker(x);
    const inner = made && scalings(made, bench).find(([from]) => alike(from, x));
    if (!inner) continue;
    const both = Math.fround(inner[1] * by);
    if (keepsRange(inner[1], by, both)) return times(inner[0], both, bench);
  }
  return undefined;
};

/** x · c, where x was spread: c times what was spread. */
const scaledBeforeSpreading: Rewrite = (node, bench) => {
  for (const [x, by] of scalings(node, bench)) {
    const narrow = beforeSpreading(x, bench);
    if (narrow) return spread(times(narrow, by, bench), x.shape, bench);
  }
  return undefined;
};

/** A value of float32 that a node multiplies by a known number without changing its shape, and the number. */
function scalings(node: Node, bench: Workbench): [Value, number][] {
  if (output(node).dtype !== 'float32') return [];
  if (node.kernel === 'Neg') return [[input(node, 'x'), -1]];
  if (node.kernel !== 'Multiply') return [];
  return pairs(node).flatMap(([x, other]): [Value, number][] => {
    const by = bench.uniform(other);
    return by !== undefined && alike(x, output(node)) ? [[x, by]] : [];
  });
}

/**
 * Whether x · first · then has the range of x · both: nothing overflows on the way that does not in the end, and what
 * is lost below float32's least normal number stays below it.
 */
function keepsRange(first: number, then: number, both: number): boolean {
  const [a, b] = [Math.abs(first), Math.abs(then)];
  const isOrdinary = [a, b, Math.abs(both)].every((c) => c > 1e-30 && c < 1e30);
  return isOrdinary && (a <= 1 || b >= 1) && (a >= 1 || b <= 2 ** 20);
}

/** A division by a power of two is a product, exactly. */
const dividedByPower: Rewrite = (node, bench) => {
  const by = bench.uniform(input(node, 'b'));
  const x = input(node, 'a');
  if (by === undefined || !alike(x, output(node)) || x.dtype !== 'float32') return undefined;
  return Number.isInteger(Math.log2(Math.abs(by))) && Math.abs(by) > 1e-30 && Math.abs(by) < 1e30
    ? times(x, 1 / by, bench)
    : undefined;
};

/** The node on operands that have not been spread, where it broadcasts them by itself. */
const narrowed: Rewrite = (node, bench) => {
  for (const name of ['a', 'b']) {
    const other = input(node, name === 'a' ? 'b' : 'a');
    const narrow = beforeSpreading(input(node, name), bench);
    if (narrow && alike(other, output(node)) && bench.uniform(other) === undefined)
      return bench.emit(node.kernel, { ...node.inputs, [name]: narrow }, node.attrs, output(node));
  }
  return undefined;
};

// Sums

/** A sum over axes that have one element each. */
const sumOfOne: Rewrite = (node, bench) => {
  const x = input(node, 'x');
  const { shape, dtype } = output(node);
  return x.dtype === dtype && sizeOf(x.shape) === sizeOf(shape) ? reshaped(x, shape, bench) : undefined;
};

/** A sum of one number that is known. */
const sumOfEqual: Rewrite = (node, bench) => {
  const { shape } = output(node);
  const number = bench.uniform(input(node, 'x'));
  const terms = sizeOf(input(node, 'x').shape) / sizeOf(shape);
  if (number === undefined || output(node).dtype !== 'float32' || !(terms > 0)) return undefined;
  return filled(Math.fround(number * terms), output(node), bench);
};

// Products of matrices

/** [1, M, K] · [1, K, N] is a product of matrices, and takes transposed operands as they were before. */
const product: Rewrite = (node, bench) => {
  const { shape, dtype } = output(node);
  const [a, b] = [input(node, 'a'), input(node, 'b')];
  const isPlain = [shape, a.shape, b.shape].every((each) => sizeOf(each.slice(0, -2)) === 1);
  const direct = (x: Value, turned: boolean) => {
    const flat = isPlain ? reshaped(x, x.shape.slice(-2), bench) : x;
    const made = bench.maker(flat);
    const isTurned = made?.kernel === 'Transpose' && swapsLast(made.attrs['perm'] as readonly number[]);
    return isTurned ? { x: input(made, 'x'), turned: !turned } : { x: flat, turned };
  };
  const left = direct(a, node.attrs['transposeA'] === true);
  const right = direct(b, node.attrs['transposeB'] === true);
  if (left.x === a && right.x === b) return undefined;
  const attrs = { ...node.attrs, transposeA: left.turned, transposeB: right.turned };
  const made = { shape: isPlain ? shape.slice(-2) : shape, dtype };
  return reshaped(bench.emit('BatchMatMul', { a: left.x, b: right.x }, attrs, made), shape, bench);
};

const swapsLast = (perm: readonly number[]): boolean =>
  perm.every((axis, i) => axis === (i < perm.length - 2 ? i : 2 * perm.length - 3 - i));

// Compositions for which the runtime has one operator

/** (x − max x) − ln Σ exp(x − max x) over the last axis, where both are taken off row by row: [..., 1]. */
const logSoftmax: Rewrite = (node, bench) => {
  const [shifted, logTotal] = [input(node, 'a'), input(node, 'b')];
  const shift = bench.maker(shifted);
  const x = shift?.kernel === 'Sub' ? input(shift, 'a') : undefined;
  if (!x || !alike(x, output(node)) || x.dtype !== 'float32' || x.shape.length === 0) return undefined;
  const isPerRow = (value: Value) => sameShape(value, { ...x, shape: [...x.shape.slice(0, -1), 1] });
  if (!isPerRow(logTotal) || !isPerRow(input(shift!, 'b'))) return undefined;
  const log = makerOf('Log', logTotal, bench);
  const total = log && makerOf('Sum', input(log, 'x'), bench);
  const exp = total && bench.maker(input(total, 'x')); // itself, since a shape in between would give rows other numbers
  const max = makerOf('Max', input(shift!, 'b'), bench);
  if (exp?.kernel !== 'Exp' || input(exp, 'x') !== shifted || !max || input(max, 'x') !== x) return undefined;
  const isOfRows = (axes: unknown) => ['-1', String(x.shape.length - 1)].includes(String(axes));
  if (!isOfRows(max.attrs['reductionIndices']) || !isOfRows(total!.attrs['axis'])) return undefined;
  return bench.emit('LogSoftmax', { logits: x }, { axis: x.shape.length - 1 }, x);
};

/** The node of this kernel that makes a value, in whatever shape. */
function makerOf(kernel: string, value: Value, bench: Workbench): Node | undefined {
  const made = bench.maker(beforeReshapes(value, bench));
  return made?.kernel === kernel ? made : undefined;
}

/** a b + bias, where nothing else needs a b. */
const biased: Rewrite = (node, bench) => {
  for (const [y, bias] of pairs(node)) {
    const made = bench.maker(y);
    if (made?.kernel !== 'BatchMatMul' || y.shape.length !== 2 || y.dtype !== 'float32') continue;
    if (!bench.usedOnce(y) || bias.shape.length !== 1 || bias.shape[0] !== y.shape[1]) continue;
    const attrs = { ...made.attrs, activation: 'linear' };
    return bench.emit('_FusedMatMul', { ...made.inputs, bias }, attrs, output(node));
  }
  return undefined;
};

const FOLDED = Object.keys(ARITHMETIC);
const BINARY = Object.keys(NEUTRAL);

/** What simplifies, in the order in which it is tried on a node. */
export const rewrites: readonly Rule[] = [
  { name: 'a copy is its original', kernels: ['Identity'], rewrite: (node) => input(node, 'x') },
  {
    name: 'a cast to the type it has is nothing',
    kernels: ['Cast'],
    rewrite: (node) => (input(node, 'x').dtype === output(node).dtype ? input(node, 'x') : undefined),
  },
  { name: 'reshapes in a row are one', kernels: ['Reshape'], rewrite: reshape('x') },
  { name: 'an axis more is a reshape', kernels: ['ExpandDims'], rewrite: reshape('input') },
  { name: 'rows are spread after a reshape', kernels: ['Reshape'], rewrite: spreadAfter },
  { name: 'transposes in a row are one', kernels: ['Transpose'], rewrite: transposeOfTranspose },
  { name: 'a transpose that moves no number is a reshape', kernels: ['Transpose'], rewrite: transposeInPlace },
  { name: 'a product takes transposed matrices', kernels: ['BatchMatMul'], rewrite: product },
  { name: 'known numbers are computed', kernels: FOLDED, rewrite: folded },
  { name: 'a neutral operand falls away', kernels: BINARY, rewrite: unchanged },
  { name: 'known factors of spread values are spread', kernels: ['Multiply', 'Neg'], rewrite: scaledBeforeSpreading },
  { name: 'known factors are one', kernels: ['Multiply', 'Neg'], rewrite: scaledTwice },
  { name: 'a division by a power of two is a product', kernels: ['RealDiv'], rewrite: dividedByPower },
  { name: 'log-softmax by hand is one operation', kernels: ['Sub'], rewrite: logSoftmax },
  { name: 'what broadcasts needs no spreading', kernels: BINARY, rewrite: narrowed },
  { name: 'a sum of one term is the term', kernels: ['Sum'], rewrite: sumOfOne },
  { name: 'a sum of equal terms is a product', kernels: ['Sum'], rewrite: sumOfEqual },
];

/** What is put together at the end, when it is known who reads what. */
export const fusions: readonly Rule[] = [{ name: 'a product takes its bias', kernels: ['Add'], rewrite: biased }];
