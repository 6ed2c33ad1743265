/** The operations that random graphs are made of: one for every kernel that can be compiled, on whatever there is. */
import * as tf from '@tensorflow/tfjs';
import { detach } from 'dgm';
import type { DType } from '../../../lib/engine/graph/graph';

type T = tf.Tensor;

/** What an operation draws from: values made so far, and choices that shrink towards 0. */
export interface Sources {
  /** A number in 0 … n − 1. */
  pick(n: number): number;
  /** A value of a type: one that there is, or a constant. */
  value(dtype?: DType): T;
  /** A constant of some shape: extremes, ones and fills among them. */
  constant(dtype: DType, shape?: readonly number[]): T;
  /** A side of a tensor. */
  side(): number;
}

/** Undefined where nothing fits. */
export type Operation = (from: Sources) => T | readonly T[] | undefined;

const fits = (a: readonly number[], b: readonly number[]): boolean =>
  Array.from({ length: Math.min(a.length, b.length) }, (_, i) => [a.at(-1 - i)!, b.at(-1 - i)!]).every(
    ([m, n]) => m === n || m === 1 || n === 1,
  );

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, n) => size * n, 1);

/** The numbers of a value, over again or cut off, in another shape. */
function refilled(x: T, shape: readonly number[]): T {
  const size = sizeOf(shape);
  if (size === 0 || x.size === 0) return tf.zeros([...shape], x.dtype);
  return x
    .flatten()
    .tile([Math.ceil(size / x.size)])
    .slice([0], [size])
    .reshape([...shape]);
}

/** A second operand that broadcasts with the first: one that does, or another cut to fit. */
function partner(x: T, from: Sources): T {
  const y = from.value(x.dtype as DType);
  if (fits(x.shape, y.shape)) return y;
  const shape = x.shape.map((n) => (from.pick(3) === 0 ? 1 : n)).slice(from.pick(2) === 0 ? 0 : from.pick(x.rank + 1));
  return refilled(y, shape);
}

/** Integers in 0 … n − 1 of what there is. */
const places = (from: Sources, n: number, shape: readonly number[]): T =>
  refilled(from.value('int32'), shape).mod(tf.scalar(n, 'int32'));

const axisOf = (x: T, from: Sources): number => from.pick(x.rank) - (from.pick(4) === 0 ? x.rank : 0);
const flag = (from: Sources): boolean => from.pick(2) === 1;

// Kinds

const floats =
  (f: (x: T, from: Sources) => T | readonly T[]): Operation =>
  (from) =>
    f(from.value('float32'), from);
const anything = (f: (x: T, from: Sources) => T | readonly T[] | undefined): Operation => (from) => f(from.value(), from); // prettier-ignore
const numbers =
  (f: (x: T, from: Sources) => T | readonly T[] | undefined): Operation =>
  (from) =>
    f(from.value(from.pick(4) === 0 ? 'int32' : 'float32'), from);
/** Of values with an axis. */
const axial =
  (dtypes: readonly DType[], f: (x: T, axis: number, from: Sources) => T | readonly T[]): Operation =>
  (from) => {
    // prettier-ignore
    const x = from.value(dtypes[from.pick(dtypes.length)]);
    return x.rank === 0 ? undefined : f(x, axisOf(x, from), from);
  };
const two =
  (dtypes: readonly DType[], f: (x: T, y: T, from: Sources) => T): Operation =>
  (from) => {
    const x = from.value(dtypes[from.pick(dtypes.length)]);
    const y = partner(x, from);
    return flag(from) ? f(x, y, from) : f(y, x, from);
  };

const F: readonly DType[] = ['float32'];
const N: readonly DType[] = ['float32', 'float32', 'float32', 'int32'];
const ALL: readonly DType[] = ['float32', 'float32', 'int32', 'bool'];

// The table

/** Element by element. The first few keep values of order 1, and are drawn more often. */
const unary: Record<string, Operation> = {
  tanh: floats((x) => x.tanh()),
  sigmoid: floats((x) => x.sigmoid()),
  neg: numbers((x) => x.neg()),
  detach: floats((x) => detach(x)),
  half: floats((x) => x.mul(0.5)),
  third: floats((x) => x.div(3)),
  twice: floats((x, from) => [x.mul(2), x.mul(-2), x.mul(0.125), x.div(4), x.div(-1)][from.pick(5)]!),
  plusNothing: floats((x, from) => [x.add(0), x.sub(0), x.mul(1), x.div(1), x.add(-0)][from.pick(5)]!),
  abs: numbers((x) => x.abs()),
  acos: floats((x) => x.acos()),
  acosh: floats((x) => x.acosh()),
  asin: floats((x) => x.asin()),
  asinh: floats((x) => x.asinh()),
  atan: floats((x) => x.atan()),
  atanh: floats((x) => x.atanh()),
  ceil: floats((x) => x.ceil()),
  cos: floats((x) => x.cos()),
  cosh: floats((x) => x.cosh()),
  elu: floats((x) => tf.elu(x)),
  erf: floats((x) => tf.erf(x).add(2)), // near 0 TensorFlow.js has it to 10⁻⁹ only
  exp: numbers((x) => x.exp()),
  expm1: floats((x) => x.expm1()),
  floor: floats((x) => x.floor()),
  isFinite: floats((x) => tf.isFinite(x)),
  isInf: floats((x) => tf.isInf(x)),
  isNaN: floats((x) => tf.isNaN(x)),
  leakyRelu: numbers((x) => tf.leakyRelu(x, 0.2)),
  log: floats((x) => x.log()),
  log1p: floats((x) => x.log1p()),
  logicalNot: (from) => from.value('bool').logicalNot(),
  reciprocal: floats((x) => x.reciprocal()),
  relu: numbers((x) => x.relu()),
  relu6: floats((x) => tf.relu6(x)),
  round: floats((x) => x.round()),
  rsqrt: floats((x) => x.rsqrt()),
  selu: floats((x) => tf.selu(x)),
  sign: numbers((x) => x.sign()),
  sin: floats((x) => x.sin()),
  sinh: floats((x) => x.sinh()),
  softplus: floats((x) => tf.softplus(x)),
  sqrt: floats((x) => x.sqrt()),
  square: numbers((x) => x.square()),
  step: floats((x) => tf.step(x, 0.25)),
  tan: floats((x) => x.tan()),
  clip: numbers((x) => x.clipByValue(-1, 2)),
  toInt: anything((x) => x.toInt()),
  toFloat: anything((x) => x.toFloat()),
  toBool: anything((x) => x.toBool()),
};

const binary: Record<string, Operation> = {
  add: two(N, (x, y) => x.add(y)),
  sub: two(N, (x, y) => x.sub(y)),
  mul: two(ALL, (x, y) => x.mul(y)),
  div: two(N, (x, y) => x.div(y)),
  floorDiv: two(N, (x, y) => tf.floorDiv(x, y)),
  atan2: two(F, (x, y) => tf.atan2(x, y)),
  maximum: two(ALL, (x, y) => x.maximum(y)),
  minimum: two(ALL, (x, y) => x.minimum(y)),
  mod: two(N, (x, y) => x.mod(y)),
  pow: two(F, (x, y) => x.pow(y)),
  power: floats((x, from) => x.pow([2, 3, 0.5, -1, 0][from.pick(5)]!)),
  squaredDifference: two(N, (x, y) => tf.squaredDifference(x, y)),
  prelu: floats((x, from) => tf.prelu(x, refilled(from.value('float32'), x.shape.slice(1)))),
  equal: two(ALL, (x, y) => x.equal(y)),
  notEqual: two(ALL, (x, y) => x.notEqual(y)),
  greater: two(ALL, (x, y) => x.greater(y)),
  greaterEqual: two(ALL, (x, y) => x.greaterEqual(y)),
  less: two(ALL, (x, y) => x.less(y)),
  lessEqual: two(ALL, (x, y) => x.lessEqual(y)),
  and: two(['bool'], (x, y) => x.logicalAnd(y)),
  or: two(['bool'], (x, y) => x.logicalOr(y)),
  where: anything((x, from) => tf.where(refilled(from.value('bool'), x.shape), x, refilled(from.value(x.dtype as DType), x.shape))), // prettier-ignore
  addN: numbers((x, from) => tf.addN([x, refilled(from.value(x.dtype as DType), x.shape), x])),
};

/** Without large numbers: TensorFlow.js multiplies in float64, where no product leaves the range of float32 on its way. */
const bounded = (x: T): T => tf.where(x.abs().greater(2), tf.onesLike(x), x);

const reductions: Record<string, Operation> = {
  sum: axial(ALL, (x, axis, from) => x.sum(axis, flag(from))),
  sumOfAll: anything((x) => x.sum()),
  sumOfSome: anything((x, from) => x.sum(Array.from({ length: x.rank }, (_, i) => i).filter(() => flag(from)))),
  mean: axial(N, (x, axis, from) => x.mean(axis, flag(from))),
  max: axial(ALL, (x, axis, from) => x.max(axis, flag(from))),
  min: axial(ALL, (x, axis, from) => x.min(axis, flag(from))),
  prod: axial(F, (x, axis, from) => bounded(x).prod(axis, flag(from))),
  all: axial(['bool'], (x, axis, from) => x.all(axis, flag(from))),
  any: axial(['bool'], (x, axis, from) => x.any(axis, flag(from))),
  argMax: axial(ALL, (x, axis) => x.argMax(axis)),
  argMin: axial(ALL, (x, axis) => x.argMin(axis)),
  cumsum: axial(N, (x, axis, from) => x.cumsum(axis, flag(from), flag(from))),
  cumprod: axial(F, (x, axis, from) => bounded(x).cumprod(axis, flag(from), flag(from))),
  softmax: floats((x) => (x.rank === 0 ? x : x.softmax())),
  logSoftmax: floats((x) => (x.rank === 0 ? x : tf.logSoftmax(x))),
  logSoftmaxByHand: floats((x, from) => logSoftmaxByHand(x, flag(from), flag(from))),
  logSumExp: axial(F, (x, axis, from) => x.logSumExp(axis, flag(from))),
  topk: axial(N, (x, _, from) => {
    const k = 1 + from.pick(Math.max(1, x.shape.at(-1)!));
    return k > x.shape.at(-1)! ? x : [tf.topk(x, k).values, tf.topk(x, k).indices];
  }),
};

/** With keepDims as they should be, or forgotten, where that still broadcasts. */
function logSoftmaxByHand(x: T, keepsMax: boolean, keepsSum: boolean): T {
  if (x.rank === 0) return x;
  const shifted = fits(x.shape, x.shape.slice(0, -1)) && !keepsMax ? x.sub(x.max(-1)) : x.sub(x.max(-1, true));
  const keeps = keepsSum || !fits(x.shape, x.shape.slice(0, -1));
  return shifted.sub(shifted.exp().sum(-1, keeps).log());
}

const shapes: Record<string, Operation> = {
  clone: anything((x) => x.clone()),
  reshape: anything((x, from) => x.reshape(regrouped(x.shape, from))),
  flatten: anything((x) => x.flatten()),
  expandDims: anything((x, from) => (x.rank > 4 ? undefined : x.expandDims(from.pick(x.rank + 1)))),
  squeeze: anything((x) => x.squeeze()),
  transpose: anything((x, from) => x.transpose(shuffled(x.rank, from))),
  swapLast: anything((x) => (x.rank < 2 ? undefined : x.transpose([...Array.from({ length: x.rank - 2 }, (_, i) => i), x.rank - 1, x.rank - 2]))), // prettier-ignore
  reverse: axial(ALL, (x, axis) => x.reverse(axis)),
  slice: anything((x, from) => {
    const begin = x.shape.map((n) => from.pick(n + 1));
    return x.slice(begin, x.shape.map((n, i) => from.pick(n - begin[i]! + 1))); // prettier-ignore
  }),
  stridedSlice: axial(ALL, (x, axis, from) => {
    const at = axis < 0 ? axis + x.rank : axis;
    const [begin, end, strides] = [x.shape.map(() => 0), [...x.shape], x.shape.map(() => 1)];
    begin[at] = from.pick(x.shape[at]! + 1);
    strides[at] = 1 + from.pick(2);
    return x.stridedSlice(begin, end, strides);
  }),
  pad: numbers((x, from) =>
    x.pad(
      x.shape.map((): [number, number] => [from.pick(2), from.pick(2)]),
      from.pick(3) - 1,
    ),
  ),
  mirrorPad: axial(F, (x, axis, from) => {
    const at = axis < 0 ? axis + x.rank : axis;
    if (x.shape[at]! < 2) return x;
    const paddings = x.shape.map((_, i): [number, number] => (i === at ? [1, from.pick(2)] : [0, 0]));
    return tf.mirrorPad(x, paddings, flag(from) ? 'reflect' : 'symmetric');
  }),
  concat: axial(ALL, (x, axis, from) => {
    const y = refilled(from.value(x.dtype as DType), x.shape);
    return tf.concat(flag(from) ? [x, y] : [y, x, x], axis);
  }),
  stack: anything((x, from) => (x.rank > 4 ? undefined : tf.stack([x, refilled(from.value(x.dtype as DType), x.shape)], from.pick(x.rank + 1)))), // prettier-ignore
  unstack: axial(ALL, (x, axis) => (x.shape.at(axis)! === 0 ? x : tf.unstack(x, axis))),
  split: axial(ALL, (x, axis) => {
    const n = x.shape.at(axis)!;
    return n < 2 ? x : tf.split(x, [1, n - 1], axis);
  }),
  tile: anything((x, from) => x.tile(x.shape.map(() => 1 + from.pick(2)))),
  broadcastTo: anything((x, from) => (x.rank > 4 ? undefined : x.broadcastTo([1 + from.pick(3), ...x.shape.map((n) => (n === 1 ? 1 + from.pick(3) : n))]))), // prettier-ignore
  ones: anything((x) => tf.onesLike(x)),
  zeros: anything((x) => tf.zerosLike(x)),
  onesTimes: floats((x, from) => spreadOver(x, from)),
  fill: (from) => tf.fill([from.side(), from.side()], [1, 0.5, -2, 0][from.pick(4)]!),
  range: (from) => tf.range(0, from.side(), 1, flag(from) ? 'int32' : 'float32'),
  linspace: (from) => tf.linspace(-1, 1, 2 + from.pick(4)),
};

/** A tensor of ones that is multiplied by a narrower value, and often put in another shape: as gradients of sums are. */
function spreadOver(x: T, from: Sources): T {
  const shape = flag(from) ? [from.side(), ...x.shape] : x.shape.map((n) => (n === 1 ? from.side() : n));
  const wide = tf.ones(shape).mul(x);
  return flag(from) ? wide.reshape(regrouped(wide.shape, from)) : wide;
}

/** Another shape of the same size, more often than not with the same first side. */
function regrouped(shape: readonly number[], from: Sources): number[] {
  const size = sizeOf(shape);
  const options = [[...shape, 1], [1, ...shape], [size], [shape[0] ?? 1, ...shape.slice(1), 1]];
  for (const n of [2, 3, 4]) if (size > 0 && size % n === 0) options.push([n, size / n], [size / n, n]);
  const [first = 1] = shape;
  if (first > 0 && shape.length > 0)
    for (const n of [2, 3]) if ((size / first) % n === 0) options.push([first, n, size / first / n]);
  return options.filter((option) => option.length < 6)[from.pick(options.length)] ?? [size];
}

function shuffled(rank: number, from: Sources): number[] {
  const left = Array.from({ length: rank }, (_, i) => i);
  return Array.from({ length: rank }, () => left.splice(from.pick(left.length), 1)[0]!);
}

const indexing: Record<string, Operation> = {
  gather: axial(ALL, (x, axis, from) => {
    const n = x.shape.at(axis)!;
    return n === 0 ? x : x.gather(places(from, n, flag(from) ? [from.side()] : [from.side(), 2]), axis);
  }),
  gatherRows: anything((x, from) => {
    if (x.rank < 2 || x.shape[0] === 0 || x.shape[1] === 0) return undefined; // or TensorFlow.js divides by 0
    return tf.gather(x, places(from, x.shape[1]!, [x.shape[0]!, 2]), 1, 1);
  }),
  gatherND: anything((x, from) => {
    if (x.rank === 0 || x.size === 0) return undefined;
    return tf.gatherND(x, places(from, x.shape[0]!, [from.side(), 1]));
  }),
  scatterND: numbers((x, from) => (x.rank === 0 ? undefined : tf.scatterND(places(from, 4, [x.shape[0]!, 1]), x, [4, ...x.shape.slice(1)]))), // prettier-ignore
  tensorScatterUpdate: floats((x) => {
    if (x.rank === 0 || x.shape[0] === 0) return x;
    return tf.tensorScatterUpdate(x, tf.zeros([1, 1], 'int32'), x.slice([x.shape[0]! - 1], [1]));
  }),
  segmentSum: floats((x, from) => (x.rank === 0 ? x : tf.unsortedSegmentSum(x, places(from, 3, [x.shape[0]!]) as tf.Tensor1D, 3))), // prettier-ignore
  oneHot: (from) => tf.oneHot(from.value('int32'), 3),
};

/** Padding counts as zeros, which an infinite weight would make NaN of. */
const finite = (x: T): T => tf.where(x.isFinite(), x, tf.zerosLike(x)).clipByValue(-9, 9);

const products: Record<string, Operation> = {
  matMul: floats((x, from) => {
    if (x.rank < 2) return x;
    const y = refilled(from.value('float32'), [...x.shape.slice(0, -2), x.shape.at(-1)!, from.side()]);
    return tf.matMul(x, y);
  }),
  gram: floats((x, from) => {
    const left = flag(from);
    return x.rank < 2 ? x : tf.matMul(x, x, left, !left);
  }),
  dense: floats((x, from) => {
    const flat = refilled(x, [from.side(), 3]);
    const n = 1 + from.pick(3);
    return tf.matMul(flat, refilled(from.value('float32'), [3, n])).add(refilled(from.value('float32'), [n]));
  }),
  fusedMatMul: floats((x, from) => {
    const a = refilled(x, [from.side(), 3]);
    const [b, bias] = [refilled(from.value('float32'), [3, 2]), refilled(from.value('float32'), [2])];
    const activation = (['linear', 'relu', 'elu', 'sigmoid', 'relu6'] as const)[from.pick(5)]!;
    return tf.fused.matMul({ a: detach(a), b: detach(b), bias: detach(bias), activation });
  }),
  conv2d: floats((x, from) => {
    const [C, O, K] = [1 + from.pick(2), 1 + from.pick(2), 1 + from.pick(3)];
    const image = refilled(x, [1 + from.pick(2), 3 + from.pick(2), 4, C]) as tf.Tensor4D;
    const filter = finite(refilled(from.value('float32'), [K, 2, C, O])) as tf.Tensor4D;
    return tf.conv2d(image, filter, 1 + from.pick(2), flag(from) ? 'same' : 'valid');
  }),
  depthwise: floats((x, from) => {
    const image = refilled(x, [1, 4, 3, 2]) as tf.Tensor4D;
    const filter = finite(refilled(from.value('float32'), [2, 2, 2, 1 + from.pick(2)])) as tf.Tensor4D;
    return tf.depthwiseConv2d(image, filter, 1, flag(from) ? 'same' : 'valid');
  }),
  avgPool: floats((x, from) => tf.avgPool(refilled(x, [1, 4, 3, 2]) as tf.Tensor4D, 2, 1 + from.pick(2), 'same')),
  maxPool: floats((x, from) => tf.maxPool(refilled(x, [1, 4, 3, 2]) as tf.Tensor4D, 2, 1 + from.pick(2), 'valid')),
  batchNorm: floats((x, from) => {
    const n = 1 + from.pick(3);
    const part = (i: number) => refilled(from.value('float32'), [n]).add(i) as tf.Tensor1D;
    return tf.batchNorm(refilled(x, [2, n]), part(0), part(1).abs(), part(2), part(3));
  }),
  resize: floats((x, from) => tf.image.resizeNearestNeighbor(refilled(x, [1, 2, 3, 1]) as tf.Tensor4D, [3 + from.pick(2), 4])), // prettier-ignore
};

export const operations: Readonly<Record<string, Operation>> = {
  ...unary,
  ...binary,
  ...reductions,
  ...shapes,
  ...indexing,
  ...products,
};
