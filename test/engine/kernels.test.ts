/**
 * Every row of the table of kernels: what is compiled equals what TensorFlow.js computes on its plain CPU backend,
 * values and gradients, over shapes, ranks and types, and where numbers leave their range.
 */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { createRng, detach, logSumExp } from 'dgm';
import { beforeAll, describe, expect, test } from 'vitest';
import { compile, type Numbers } from '../../lib/engine/call/compile';
import { fastConvolution, productsOf } from '../../lib/engine/onnx/kernels/fast-convolution';
import type { DType, Spec } from '../../lib/engine/graph/graph';
import { kernels } from '../../lib/engine/onnx/kernels/index';
import { fastPlan } from '../../lib/engine/onnx/kernels/fast-tiles';
import { program } from '../../lib/engine/trace/program';
import { trace, TraceError } from '../../lib/engine/trace/trace';

beforeAll(() => tf.setBackend('cpu'));

// Inputs

interface Input extends Spec {
  readonly values: readonly number[];
}

/** Numbers that do not depend on the order of the cases. */
const draw = (shape: readonly number[], label: string): number[] =>
  Array.from(createRng(`${label} ${shape.join()}`).uniform(shape).dataSync());
const floats = (low: number, high: number, shape: readonly number[], label = ''): Input => ({
  shape,
  dtype: 'float32',
  values: draw(shape, `floats ${label}`).map((u) => Math.fround(low + (high - low) * u)),
});
/** In [−2, 2]. */
const around = (...shape: number[]): Input => floats(-2, 2, shape);
const another = (...shape: number[]): Input => floats(-2, 2, shape, 'another');
const positive = (...shape: number[]): Input => floats(0.2, 3, shape);
const inside = (...shape: number[]): Input => floats(-0.9, 0.9, shape);
const ints = (low: number, high: number, ...shape: number[]): Input => ({
  shape,
  dtype: 'int32',
  values: draw(shape, 'ints').map((u) => Math.floor(low + (high - low) * u)),
});
const bools = (...shape: number[]): Input => ({ ...ints(0, 2, ...shape), dtype: 'bool' });
const given = (
  values: readonly number[],
  dtype: DType = 'float32',
  shape: readonly number[] = [values.length],
): Input => ({
  shape,
  dtype,
  values,
});

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
/** Where the functions of one variable are told apart from their approximations. */
const EXTREMES = [
  nan,
  inf,
  -inf,
  0,
  -0,
  1e-30,
  -1e-8,
  1e-4,
  0.5,
  -0.5,
  1,
  -1,
  2.5,
  -2.5,
  15,
  -15,
  60,
  -60,
  88,
  -88,
  200,
  -200,
  1e30,
];
const extremes = (within: (x: number) => boolean = () => true): Input =>
  given(EXTREMES.map(Math.fround).filter(within));

// Comparison

type Fn = (...x: tf.Tensor[]) => tf.Tensor | readonly tf.Tensor[];
const listOf = (y: tf.Tensor | readonly tf.Tensor[]): tf.Tensor[] => (y instanceof tf.Tensor ? [y] : [...y]);

/** A fixed direction in which a result is differentiated: no two elements weigh the same. */
function weighted(ys: readonly tf.Tensor[]): tf.Scalar {
  const sums = ys.map((y) => {
    const weights = Array.from({ length: y.size }, (_, i) => 0.5 + ((i * 7) % 11) / 11);
    return y
      .toFloat()
      .mul(tf.tensor(weights, y.shape, 'float32'))
      .sum();
  });
  return sums.reduce((a, b) => a.add(b)) as tf.Scalar;
}

/** The results of `f`, then its gradients with respect to its float32 inputs, where they are asked for. */
const withGradients =
  (f: Fn, inputs: readonly Spec[], gradients: boolean) =>
  (x: readonly tf.Tensor[]): tf.Tensor[] => {
    const ys = listOf(f(...x));
    const places = gradients ? inputs.flatMap((input, i) => (input.dtype === 'float32' ? [i] : [])) : [];
    if (places.length === 0) return ys;
    const ofFloats = (...moving: tf.Tensor[]) => {
      const all = [...x];
      places.forEach((place, i) => (all[place] = moving[i]!));
      return weighted(listOf(f(...all)));
    };
    return [...ys, ...tf.grads(ofFloats)(places.map((place) => x[place]!))];
  };

interface Result {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: readonly number[];
}

function eagerly(f: (x: readonly tf.Tensor[]) => tf.Tensor[], inputs: readonly Input[]): Result[] {
  const results = tf.tidy(() =>
    f(inputs.map(({ values, shape, dtype }) => tf.tensor([...values], [...shape], dtype))).map((y) => y.clone()),
  );
  return results.map((y) => ({ shape: y.shape, dtype: y.dtype, values: Array.from(y.dataSync()) }));
}

async function compiled(f: (x: readonly tf.Tensor[]) => tf.Tensor[], inputs: readonly Input[]): Promise<Result[]> {
  const program = await compile(f, inputs, { device: 'cpu', quiet: true });
  const results = await program.run(inputs.map(numbersOf), createRng(1));
  await program.dispose();
  return results.map((values, i) => ({ ...program.outputs[i]!, values: Array.from(values) }));
}

function numbersOf({ values, dtype }: Input): Numbers {
  if (dtype === 'float32') return Float32Array.from(values);
  return dtype === 'int32' ? Int32Array.from(values) : Uint8Array.from(values);
}

const EPSILON = 2 ** -23;
const SMALLEST = 2 ** -126; // of the normal numbers: below it the runtime may round to 0

/**
 * Two float32 computations of one formula differ by a few roundings of its largest term: `terms` bounds that term
 * (default: the largest number in the result), `roundings` their number.
 */
interface Closeness {
  readonly terms?: number;
  readonly roundings?: number;
  /** Every number stands for itself: small ones are compared with small bounds. */
  readonly each?: boolean;
}

function expectAgreement(
  actual: readonly Result[],
  expected: readonly Result[],
  { terms = 0, roundings = 32, each = false }: Closeness,
) {
  expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
    expected.map(({ shape, dtype }) => ({ shape, dtype })),
  );
  expected.forEach(({ values }, output) => {
    const finite = values.filter(Number.isFinite).map(Math.abs);
    const largest = each ? SMALLEST : Math.max(terms, ...finite);
    values.forEach((want, i) => {
      const got = actual[output]!.values[i]!;
      const bound = roundings * EPSILON * Math.max(largest, Math.abs(want));
      if (!(Object.is(got, want) || Math.abs(got - want) <= bound || (Number.isNaN(got) && Number.isNaN(want))))
        expect.fail(`output ${output} at ${i}: eager ${want}, compiled ${got}, bound ${bound.toExponential(1)}`);
    });
  });
}

async function expectSame(f: Fn, inputs: readonly Input[], gradients: boolean, closeness: Closeness): Promise<void> {
  const both = withGradients(f, inputs, gradients);
  expectAgreement(await compiled(both, inputs), eagerly(both, inputs), closeness);
}

// Cases

interface Case extends Closeness {
  readonly f: Fn;
  readonly inputs: readonly Input[];
  readonly gradients: boolean;
}

/** Values and gradients agree. */
const smooth = (f: Fn, inputs: readonly Input[], closeness: Closeness = {}): Case => ({
  f,
  inputs,
  gradients: true,
  ...closeness,
});
/** Values agree; there is no gradient to compare. */
const plain = (f: Fn, inputs: readonly Input[], closeness: Closeness = {}): Case => ({
  f,
  inputs,
  gradients: false,
  ...closeness,
});

type Input1 = (...shape: number[]) => Input;

/** A function of one variable: scalars, matrices, nothing at all, and the extremes of its domain. */
function unary(f: Fn, input: Input1 = around, within?: (x: number) => boolean, each = true): Case[] {
  return [
    smooth(f, [input()]),
    smooth(f, [input(2, 3)]),
    smooth(f, [input(40)]),
    plain(f, [input(0, 3)]),
    plain(f, [extremes(within)], { each }),
  ];
}

/** Here one side has e^x − 1 or a polynomial, whose small values have an absolute error only. */
const rough = (f: Fn): Case[] => unary(f, around, undefined, false);

/** A function of two variables that broadcast. */
function binary(f: Fn, a: Input1 = around, b: Input1 = another, wide = smooth): Case[] {
  return [
    smooth(f, [a(), b()]),
    smooth(f, [a(2, 3), b(2, 3)]),
    wide(f, [a(2, 3), b()]),
    wide(f, [a(3), b(2, 3)]),
    wide(f, [a(2, 1, 3), b(4, 1)]),
    plain(f, [a(0, 3), b(3)]),
  ];
}
/** The gradients of some operations do not broadcast in TensorFlow.js. */
const narrow = (f: Fn): Case[] => binary(f, around, another, plain);

function comparison(f: Fn): Case[] {
  return [
    plain(f, [ints(0, 3, 4, 5), ints(0, 3, 5)]),
    plain(f, [bools(3, 1), bools(4)]),
    plain(f, [given([nan, 1, inf, -inf, 0, -0]), given([nan, nan, inf, inf, -0, 1])]),
    plain(f, [around(2, 3), another()]),
  ];
}

const pairs = (f: (x: tf.Tensor, y: tf.Tensor) => tf.Tensor): Fn => f as Fn;
/** One list of cases for every row of the table. */
const CASES: Record<string, readonly Case[]> = {
  Abs: [...unary((x) => x.abs()), plain((x) => x.abs(), [ints(-5, 5, 6)])],
  Acos: unary(
    (x) => x.acos(),
    inside,
    (x) => !(Math.abs(x) > 1),
  ),
  Acosh: unary(
    (x) => x.acosh(),
    (...s) => floats(1.1, 4, s),
    (x) => !(x < 1),
  ),
  Asin: unary(
    (x) => x.asin(),
    inside,
    (x) => !(Math.abs(x) > 1),
  ),
  Asinh: unary((x) => x.asinh()),
  Atan: unary((x) => x.atan()),
  Atanh: unary(
    (x) => x.atanh(),
    inside,
    (x) => !(Math.abs(x) > 1),
  ),
  Ceil: [...unary((x) => x.ceil()), plain((x) => tf.ceil(x), [floats(-9, 9, [20])])],
  Cos: unary(
    (x) => x.cos(),
    around,
    (x) => !(Math.abs(x) >= 1e4),
  ),
  Cosh: unary((x) => x.cosh()),
  Elu: rough((x) => tf.elu(x)),
  EluGrad: rough((x) => tf.elu(x.mul(3))),
  Erf: rough((x) => tf.erf(x)),
  Exp: unary((x) => x.exp()),
  Expm1: [...unary((x) => x.expm1()), smooth((x) => x.expm1(), [floats(-1e-4, 1e-4, [30])])],
  Floor: [...unary((x) => x.floor()), plain((x) => tf.floor(x), [floats(-9, 9, [20])])],
  IsFinite: [plain((x) => tf.isFinite(x), [extremes()])],
  IsInf: [plain((x) => tf.isInf(x), [extremes()])],
  IsNan: [plain((x) => tf.isNaN(x), [extremes()])],
  LeakyRelu: [...unary((x) => tf.leakyRelu(x, 0.1)), plain((x) => tf.leakyRelu(x), [ints(-5, 5, 6)])],
  Log: unary((x) => x.log(), positive),
  Log1p: [...unary((x) => x.log1p(), inside), smooth((x) => x.log1p(), [floats(-1e-4, 1e-4, [30])])],
  LogicalNot: [plain((x) => tf.logicalNot(x), [bools(2, 3)]), plain((x) => tf.logicalNot(x), [bools()])],
  Neg: [...unary((x) => x.neg()), plain((x) => x.neg(), [ints(-5, 5, 6)])],
  Reciprocal: unary((x) => x.reciprocal(), positive),
  Relu: [...unary((x) => x.relu()), plain((x) => x.relu(), [ints(-5, 5, 6)])],
  Relu6: unary((x) => tf.relu6(x.mul(4))),
  Round: [
    plain((x) => x.round(), [given([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997, 1e9, nan, inf])]),
    plain((x) => x.round(), [around(2, 3)]),
    // straight through: rounded forwards, the identity backwards
    smooth(
      (x) => tf.customGrad((v: unknown) => ({ value: (v as tf.Tensor).round(), gradFunc: (dy) => dy }))(x.mul(3)),
      [around(4, 5)],
    ),
  ],
  Rsqrt: unary((x) => x.rsqrt(), positive),
  Selu: rough((x) => tf.selu(x)),
  Sigmoid: unary((x) => x.sigmoid()),
  Sign: [
    ...unary(
      (x) => x.sign(),
      around,
      (x) => !Number.isNaN(x),
    ),
    plain((x) => x.sign(), [ints(-5, 5, 6)]),
  ],
  Sin: unary(
    (x) => x.sin(),
    around,
    (x) => !(Math.abs(x) >= 1e4),
  ),
  Sinh: unary((x) => x.sinh()),
  Softplus: unary((x) => tf.softplus(x)),
  Sqrt: unary((x) => x.sqrt(), positive),
  Square: [...unary((x) => x.square()), plain((x) => x.square(), [ints(-5, 5, 6)])],
  Tan: unary(
    (x) => x.tan(),
    inside,
    (x) => !(Math.abs(x) >= 1e4),
  ),
  Tanh: unary((x) => x.tanh()),
  Step: [...unary((x) => tf.step(x)), plain((x) => tf.step(x, 0.3), [around(2, 3)])],
  ClipByValue: [
    ...unary((x) => x.clipByValue(-1, 0.5)),
    plain((x) => x.clipByValue(0, inf), [extremes()]),
    plain((x) => x.clipByValue(-inf, 2), [ints(-5, 5, 6)]),
    plain((x) => x.clipByValue(-1, 2), [ints(-5, 5, 6)]),
  ],
  Softmax: [
    smooth((x) => x.softmax(), [around(5)]),
    smooth((x) => x.softmax(), [around(2, 3, 7)]),
    smooth((x) => x.mul(40).softmax(), [around(4, 9)], { terms: 40 }),
    plain((x) => x.softmax(), [given([0, -inf, 1, -inf, -inf, 2], 'float32', [2, 3])]),
    plain((x) => x.softmax(), [given([nan, 0, 1, 0, 100, 2], 'float32', [2, 3])]),
  ],

  LogSoftmax: [
    smooth((x) => tf.logSoftmax(x), [around(5)]),
    smooth((x) => tf.logSoftmax(x.mul(40)), [around(2, 3, 7)], { terms: 160 }),
  ],

  Add: [...binary((x, y) => x!.add(y!)), plain((x, y) => x!.add(y!), [ints(-5, 5, 2, 3), ints(0, 9, 3)])],
  Atan2: [
    ...binary((x, y) => tf.atan2(x!, y!)),
    plain((y, x) => tf.atan2(y!, x!), [given([0, 0, 1, -1, 1, -1, inf, 0]), given([1, 0, 0, 0, -1, -1, 1, -1])]),
  ],
  FloorDiv: [
    plain((x, y) => tf.floorDiv(x!, y!), [ints(-9, 9, 20), given([3], 'int32')]),
    plain((x, y) => tf.floorDiv(x!, y!), [around(20), given([0.3])]),
    plain((x, y) => x!.div(y!), [ints(-9, 9, 2, 3), ints(1, 4, 3)]),
  ],
  Maximum: [
    ...narrow((x, y) => x!.maximum(y!)),
    plain((x, y) => x!.maximum(y!), [ints(-5, 5, 6), ints(-5, 5)]),
    plain((x, y) => x!.maximum(y!), [bools(3, 1), bools(4)]),
    plain((x, y) => x!.maximum(y!), [given([nan, 1, inf]), given([0, nan, 1])]),
  ],
  Minimum: [
    ...narrow((x, y) => x!.minimum(y!)),
    plain((x, y) => x!.minimum(y!), [ints(-5, 5, 6), ints(-5, 5)]),
    plain((x, y) => x!.minimum(y!), [bools(3, 1), bools(4)]),
    plain((x, y) => x!.minimum(y!), [given([nan, 1, inf]), given([0, nan, 1])]),
  ],
  Mod: [
    ...binary((x, y) => x!.mod(y!), around, positive),
    plain((x, y) => x!.mod(y!), [given([5, -5, 5, -5, 0, 6, -6]), given([3, 3, -3, -3, 3, -3, 3])]),
    plain((x, y) => x!.mod(y!), [given([5, -5, 5, -5, 0, 6], 'int32'), given([3, 3, -3, -3, 3, -3], 'int32')]),
  ],
  Multiply: [
    ...binary((x, y) => x!.mul(y!)),
    plain((x, y) => x!.mul(y!), [ints(-5, 5, 2, 3), ints(0, 9, 3)]),
    plain((x, y) => x!.mul(y!), [bools(2, 3), bools(3)]),
  ],
  Pow: [
    ...binary((x, y) => x!.pow(y!), positive, around),
    smooth((x) => x.pow(tf.scalar(2)), [around(7)]),
    smooth((x) => x.pow(tf.scalar(3, 'int32')), [around(7)]),
    plain((x, y) => x!.pow(y!), [ints(-3, 4, 6), ints(0, 4, 6)]),
    plain((x, y) => x!.pow(y!), [given([-1, 0, 0, inf, -2, 2, nan]), given([0.5, 0, -1, -1, 3, -inf, 0])]),
  ],
  Prelu: [
    smooth((x, a) => tf.prelu(x!, a!), [around(4, 3), inside(3)]),
    smooth((x, a) => tf.prelu(x!, a!), [around(3), inside(3)]),
  ],
  RealDiv: [
    ...binary((x, y) => x!.div(y!), around, positive),
    plain((x, y) => x!.div(y!), [given([1, -1, 0, inf]), given([0])]),
  ],
  SquaredDifference: [
    ...narrow((x, y) => tf.squaredDifference(x!, y!)),
    plain((x, y) => tf.squaredDifference(x!, y!), [ints(-5, 5, 6), ints(-5, 5)]),
  ],
  Sub: [...binary((x, y) => x!.sub(y!)), plain((x, y) => x!.sub(y!), [ints(-5, 5, 2, 3), ints(0, 9, 3)])],
  Equal: comparison(pairs((x, y) => x.equal(y))),
  Greater: comparison(pairs((x, y) => x.greater(y))),
  GreaterEqual: comparison(pairs((x, y) => x.greaterEqual(y))),
  Less: comparison(pairs((x, y) => x.less(y))),
  LessEqual: comparison(pairs((x, y) => x.lessEqual(y))),
  NotEqual: comparison(pairs((x, y) => x.notEqual(y))),
  LogicalAnd: [plain((x, y) => x!.logicalAnd(y!), [bools(3, 4), bools(4)])],
  LogicalOr: [
    plain((x, y) => x!.logicalOr(y!), [bools(3, 4), bools(4)]),
    plain((x, y) => x!.logicalXor(y!), [bools(3, 4), bools(4)]),
  ],
  Select: [
    smooth((c, x, y) => tf.where(c!, x!, y!), [bools(3, 4), around(3, 4), another(3, 4)]),
    smooth((c, x, y) => tf.where(c!, x!, y!), [bools(4), around(3, 4), another()]),
    smooth((c, x) => tf.where(c!, x!, -inf), [bools(3, 4), around(3, 4)]),
    smooth((c, x) => tf.where(c!, tf.zerosLike(x!), x!), [bools(3, 1), around(3, 4)]),
    smooth((c, x) => tf.where(c!, x!, 1), [bools(), around()]),
    plain((c, x, y) => tf.where(c!, x!, y!), [bools(3), ints(0, 5, 3), ints(5, 9, 3)]),
    plain((c, x, y) => tf.where(c!, x!, y!), [bools(3), bools(3), bools()]),
    plain((c, x, y) => tf.where(c!, x!, y!), [bools(3), ints(0, 5, 3), around(3)]),
    plain((c) => tf.where(c!, tf.scalar(1), tf.scalar(2)), [bools(2, 3)]),
  ],

  All: [
    plain((x) => x.all(), [bools(2, 3)]),
    plain((x) => x.all(1, true), [bools(4, 3)]),
    plain((x) => x.all(), [bools()]),
  ],
  Any: [plain((x) => x.any(), [bools(2, 3)]), plain((x) => x.any(0), [bools(4, 3)]), plain((x) => x.any(), [bools()])],
  ArgMax: [
    plain((x) => x.argMax(-1), [around(4, 7)]),
    plain((x) => x.argMax(0), [ints(0, 3, 4, 7)]),
    plain((x) => x.argMax(0), [bools(7)]),
    plain((x) => x.argMax(1), [given([1, 3, 3, -inf, -inf, -inf], 'float32', [2, 3])]),
  ],
  ArgMin: [plain((x) => x.argMin(-1), [around(4, 7)]), plain((x) => x.argMin(1), [ints(0, 3, 2, 4, 7)])],
  Max: [
    smooth((x) => x.max(), [around(2, 3)]),
    smooth((x) => x.max(1, true), [around(4, 5)]),
    smooth((x) => x.max([0, 2]), [around(2, 3, 4)]),
    smooth((x) => x.max(), [around()]),
    plain((x) => x.max(0), [ints(-5, 5, 3, 4)]),
    plain((x) => x.max(1), [given([nan, 1, -inf, -inf, 2, inf], 'float32', [3, 2])]),
  ],
  Min: [
    smooth((x) => x.min(), [around(2, 3)]),
    smooth((x) => x.min(-1), [around(4, 5)]),
    plain((x) => x.min(0), [ints(-5, 5, 3, 4)]),
    plain((x) => x.min(1), [given([nan, 1, -inf, -inf, 2, inf], 'float32', [3, 2])]),
  ],
  Mean: [
    smooth((x) => x.mean(), [around(2, 3)]),
    smooth((x) => x.mean(1), [around(4, 5)]),
    smooth((x) => x.mean([0, 1], true), [around(2, 3, 4)]),
    smooth((x) => x.mean(), [around()]),
    plain((x) => x.mean(0), [ints(-5, 5, 3, 4)]),
    plain((x) => x.mean(), [bools(7)]),
  ],
  Prod: [
    smooth((x) => x.prod(), [around(5)]),
    smooth((x) => x.prod(1), [around(4, 5)]),
    smooth((x) => tf.prod(x, [0, 1]), [around(2, 3)]),
    plain((x) => x.prod(), [ints(1, 4, 5)]),
    plain((x) => x.prod(), [bools(5)]),
  ],
  Sum: [
    smooth((x) => x.sum(), [around(2, 3)]),
    smooth((x) => x.sum(-1), [around(4, 5)]),
    smooth((x) => x.sum([0, 2], true), [around(2, 3, 4)]),
    smooth((x) => x.sum(1), [around(2, 300)]),
    smooth((x) => x.sum(), [around()]),
    smooth((x) => x.sum([]), [around(3)]),
    plain((x) => x.sum(0), [ints(-5, 5, 3, 4)]),
    plain((x) => x.sum(), [bools(7)]),
    plain((x) => x.sum(), [bools()]),
    plain((x) => x.sum(0), [around(0, 3)]),
  ],
  Cumsum: [
    smooth((x) => x.cumsum(0), [around(6)]),
    smooth((x) => x.cumsum(1, true), [around(2, 6)]),
    smooth((x) => x.cumsum(1, false, true), [around(2, 6)]),
    plain((x) => x.cumsum(0, true, true), [around(5, 2)]),
    plain((x) => x.cumsum(0), [ints(0, 5, 6)]),
    plain((x) => x.cumsum(0), [bools(6)]),
  ],
  Cumprod: [
    plain((x) => x.cumprod(0), [around(1)]),
    plain((x) => x.cumprod(0), [around(7)]),
    plain((x) => x.cumprod(1, true), [around(2, 6)]),
    plain((x) => x.cumprod(1, false, true), [around(2, 5)]),
    plain((x) => x.cumprod(0, true, true), [ints(1, 4, 5, 2)]),
  ],
  AddN: [
    smooth((x, y) => tf.addN([x!, y!, x!]), [around(2, 3), another(2, 3)]),
    plain((x, y) => tf.addN([x!, y!, x!]), [ints(0, 5, 3), ints(0, 9, 3)]),
    smooth((x) => tf.addN([x]), [around(2, 3)]),
  ],

  Identity: [smooth((x) => x.clone(), [around(2, 3)]), smooth((x) => detach(x).mul(x), [around(2, 3)])],
  Cast: [
    plain((x) => x.toInt(), [floats(-9, 9, [2, 10])]),
    plain((x) => x.toBool(), [given([0, -0, 1, 0.3, -2, nan])]),
    plain((x) => x.toFloat(), [ints(-5, 5, 6)]),
    plain((x) => x.toFloat(), [bools(6)]),
    plain((x) => x.toInt(), [bools(6)]),
    plain((x) => x.toBool(), [ints(-1, 2, 6)]),
    smooth((x, y) => x!.mul(y!.toFloat()), [around(2, 3), ints(0, 5, 3)]),
  ],
  Reshape: [
    smooth((x) => x.reshape([3, -1]), [around(2, 3)]),
    smooth((x) => x.reshape([]), [around(1, 1)]),
    smooth((x) => x.flatten(), [around()]),
    smooth((x) => x.squeeze(), [around(2, 1, 3)]),
    plain((x) => x.reshape([0, 5]), [around(0, 3)]),
    plain((x) => x.reshape([6]), [bools(2, 3)]),
  ],
  ExpandDims: [
    smooth((x) => x.expandDims(1), [around(2, 3)]),
    smooth((x) => x.expandDims(-1), [around(2, 3)]),
    smooth((x) => x.expandDims(), [around()]),
  ],
  Transpose: [
    smooth((x) => x.transpose(), [around(2, 3)]),
    smooth((x) => x.transpose([0, 2, 1, 3]), [around(2, 3, 4, 5)]),
    smooth((x) => x.transpose([0, 1]), [around(2, 3)]),
    plain((x) => x.transpose(), [ints(0, 5, 2, 3)]),
    plain((x) => x.transpose(), [bools(2, 3)]),
  ],
  Slice: [
    smooth((x) => x.slice([1], [2]), [around(5)]),
    smooth((x) => x.slice([0, 1, 1], [2, -1, 2]), [around(2, 3, 4)]),
    plain((x) => x.slice([1], [0]), [around(5)]),
    plain((x) => x.slice([1, 0], [1, 2]), [bools(3, 3)]),
    plain((x) => x.slice([1], [2]), [ints(0, 9, 4)]),
  ],
  StridedSlice: [
    plain((x) => tf.stridedSlice(x, [1], [6], [2]), [around(7)]),
    plain((x) => tf.stridedSlice(x, [5], [0], [-2]), [around(7)]),
    plain((x) => tf.stridedSlice(x, [-1, 0], [-10, 3], [-1, 1]), [around(4, 3)]),
    plain((x) => tf.stridedSlice(x, [0, 1], [2, 3], [1, 1], 1, 1), [around(4, 3)]),
    plain((x) => tf.stridedSlice(x, [2, 1], [3, 3], [1, 1], 0, 0, 0, 0, 1), [ints(0, 9, 4, 3)]),
  ],
  Reverse: [
    smooth((x) => x.reverse(), [around(5)]),
    smooth((x) => x.reverse(1), [around(2, 3, 4)]),
    smooth((x) => x.reverse([0, -1]), [around(2, 3)]),
    plain((x) => x.reverse(), [around()]),
    plain((x) => x.reverse(0), [bools(5)]),
  ],
  PadV2: [
    smooth((x) => x.pad([[1, 2]]), [around(3)]),
    smooth((x) => x.pad([[0, 0], [2, 0], [0, 1]], 0.5), [around(2, 3, 4)]), // prettier-ignore
    plain((x) => x.pad([[1, 0]], 7), [ints(0, 5, 3)]),
    plain((x) => x.pad([[1, 0]]), [bools(3)]),
  ],
  MirrorPad: [
    plain((x) => tf.mirrorPad(x, [[2, 1]], 'reflect'), [around(4)]),
    plain((x) => tf.mirrorPad(x, [[2, 1], [0, 3]], 'symmetric'), [around(2, 4)]), // prettier-ignore
    smooth((x) => tf.mirrorPad(x, [[1, 1], [1, 0]], 'reflect'), [around(2, 4)]), // prettier-ignore
  ],
  Concat: [
    smooth((x, y) => tf.concat([x!, y!], 1), [around(2, 3), another(2, 1)]),
    smooth((x, y) => tf.concat([x!, y!, x!], -1), [around(2, 3), another(2, 1)]),
    plain((x, y) => tf.concat([x!, y!], 0), [ints(0, 5, 3), ints(5, 9, 2)]),
    plain((x, y) => tf.concat([x!, y!], 0), [around(0, 2), another(3, 2)]),
    plain((x, y) => tf.concat([x!, y!], 0), [bools(3), bools(2)]),
  ],
  Pack: [
    smooth((x, y) => tf.stack([x!, y!]), [around(2, 3), another(2, 3)]),
    smooth((x, y) => tf.stack([x!, y!], -1), [around(2, 3), another(2, 3)]),
    smooth((x, y) => tf.stack([x!, y!]), [around(), another()]),
    plain((x) => tf.stack([x, x], 1), [ints(0, 5, 3)]),
  ],
  Unpack: [
    smooth((x) => tf.unstack(x), [around(3, 2)]),
    smooth((x) => tf.unstack(x, -1), [around(2, 3)]),
    plain((x) => tf.unstack(x), [around(1, 2)]),
    plain((x) => tf.unstack(x, 0), [ints(0, 5, 3)]),
  ],
  SplitV: [
    smooth((x) => tf.split(x, 3), [around(6, 2)]),
    smooth((x) => tf.split(x, [1, 2, 3], 1), [around(2, 6)]),
    smooth((x) => tf.split(x, [4, -1], -1), [around(2, 6)]),
    plain((x) => tf.split(x, 2), [ints(0, 5, 4)]),
    plain((x) => tf.split(x, 1), [around(4)]),
  ],
  Tile: [
    smooth((x) => x.tile([3]), [around(2)]),
    smooth((x) => x.tile([2, 1, 3]), [around(2, 3, 4)]),
    smooth((x) => x.broadcastTo([4, 3]), [around(3)]),
    smooth((x) => x.broadcastTo([2, 4, 3]), [around(4, 1)]),
    smooth((x) => x.tile([1, 1]), [around(2, 3)]),
    plain((x) => x.tile([2]), [ints(0, 5, 3)]),
    plain((x) => x.tile([2, 2]), [bools(3, 1)]),
  ],
  Fill: [
    plain((x) => tf.fill([2, 3], 1.5).mul(x), [around()]),
    plain((x) => tf.fill([2], 3, 'int32').add(x), [ints(0, 5)]),
    plain((x) => tf.fill([], 2).mul(x), [around()]),
    plain((x) => tf.fill([0], 2).mul(x), [around()]),
  ],
  ZerosLike: [plain((x) => tf.zerosLike(x), [around(2, 3)]), plain((x) => tf.zerosLike(x), [bools(2, 3)])],
  OnesLike: [plain((x) => tf.onesLike(x), [around(2, 3)]), plain((x) => tf.onesLike(x), [ints(0, 2, 2, 3)])],
  Range: [
    plain((x) => x.add(tf.range(0, 5)), [around()]),
    plain((x) => x.add(tf.range(3, -4, -2, 'int32')), [ints(0, 9)]),
    plain((x) => x.add(tf.range(3, 0)), [around()]),
    plain((x) => x.add(tf.range(0, 1, 0.1)), [around()]),
  ],
  LinSpace: [plain((x) => x.add(tf.linspace(-1, 2, 7)), [around()])],

  GatherV2: [
    smooth((x, i) => x!.gather(i!), [around(5, 2), ints(0, 5, 7)]),
    smooth((x, i) => x!.gather(i!, 1), [around(2, 5, 3), ints(0, 5, 4)]),
    smooth((x, i) => x!.gather(i!), [around(5), ints(0, 5)]),
    plain((x, i) => x!.gather(i!), [around(5, 2), ints(0, 5, 3, 4)]),
    plain((x, i) => x!.gather(i!), [ints(0, 9, 5), ints(0, 5, 3)]),
    plain((x, i) => tf.gather(x!, i!, 1, 1), [around(4, 5), ints(0, 5, 4, 2)]),
    plain((x, i) => tf.gather(x!, i!, 1, 1), [around(4, 5, 3), ints(0, 5, 4, 2)]),
  ],
  UnsortedSegmentSum: [
    smooth((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 4), [around(7, 2), ints(0, 4, 7)]),
    smooth((x, i) => x!.gather(i!).square(), [around(5, 3), ints(0, 5, 40)], { terms: 40 }),
    plain((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 4), [ints(0, 9, 7), ints(0, 4, 7)]),
    smooth((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 300), [around(40, 3), ints(0, 300, 40)]),
    smooth((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 3), [around(7), ints(0, 3, 7)]),
    smooth((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 3), [around(7, 2, 3), ints(0, 3, 7)]),
    plain((x, i) => tf.unsortedSegmentSum(x!, i! as tf.Tensor1D, 3), [around(4, 2), given([2, 1, 0, 0], 'int32')]),
  ],
  GatherNd: [
    plain((x, i) => tf.gatherND(x!, i!), [around(4, 5), given([0, 1, 3, 4, 2, 2], 'int32', [3, 2])]),
    plain((x, i) => tf.gatherND(x!, i!), [around(4, 5), given([0, 3], 'int32', [2, 1])]),
  ],
  ScatterNd: [
    plain((i, x) => tf.scatterND(i!, x!, [6]), [given([4, 1, 4], 'int32', [3, 1]), around(3)]),
    plain((i, x) => tf.scatterND(i!, x!, [4, 2]), [given([2, 2], 'int32', [2, 1]), ints(0, 9, 2, 2)]),
    plain((i, x) => tf.scatterND(i!, x!, [3, 4, 2]), [given([2, 1, 0, 3, 2, 1], 'int32', [3, 2]), around(3, 2)]),
    plain((i, x) => tf.scatterND(i!, x!, [3, 4]), [given([2, 1, 0, 3, 2, 1], 'int32', [3, 2]), around(3)]),
  ],
  TensorScatterUpdate: [
    plain((x, i, u) => tf.tensorScatterUpdate(x!, i!, u!), [around(6), given([4, 1], 'int32', [2, 1]), another(2)]),
  ],
  TopK: [
    plain((x) => Object.values(tf.topk(x, 3)), [around(4, 7)]),
    plain((x) => Object.values(tf.topk(x, 2)), [given([1, 3, 3, 0, 3, -inf])]),
    plain((x) => Object.values(tf.topk(x, 2)), [ints(0, 9, 2, 5)]),
  ],
  OneHot: [
    plain((i) => tf.oneHot(i, 5), [given([0, 4, -1, 5, 2], 'int32')]),
    plain((i) => tf.oneHot(i, 3, 2, -1, 'float32'), [ints(0, 3, 2, 4)]),
    plain((i) => tf.oneHot(i, 4, 1, 0, 'float32'), [ints(0, 4)]),
    plain((i) => tf.oneHot(i, 4, 1, 0, 'bool'), [ints(0, 4, 3)]),
    smooth((x, i) => x!.mul(tf.oneHot(i!, 3).toFloat()).sum(-1), [around(5, 3), ints(0, 3, 5)]),
  ],

  BatchMatMul: [
    smooth((x, y) => tf.matMul(x!, y!), [around(3, 4), another(4, 2)]),
    smooth((x, y) => tf.matMul(x!, y!, true), [around(4, 3), another(4, 2)]),
    smooth((x, y) => tf.matMul(x!, y!, false, true), [around(3, 4), another(2, 4)]),
    smooth((x, y) => tf.matMul(x!, y!, true, true), [around(4, 3), another(2, 4)]),
    smooth((x, y) => tf.matMul(x!, y!), [around(5, 3, 4), another(5, 4, 2)]),
    smooth((x, y) => tf.matMul(x!, y!, false, true), [around(2, 5, 3, 4), another(2, 5, 2, 4)]),
    smooth((x, y) => tf.matMul(x!, y!, true), [around(2, 5, 4, 3), another(2, 5, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!), [around(5, 3, 4), another(1, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!, true), [around(5, 4, 3), another(1, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!), [around(1, 3, 4), another(5, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!), [ints(-3, 4, 3, 4), ints(-3, 4, 4, 2)]),
    plain((x, y) => tf.matMul(x!, y!), [around(0, 4), another(4, 2)]),
    smooth((x, y) => tf.dot(x!, y!), [around(4), another(4)]),
    smooth((x, y) => tf.matMul(x!, y!), [around(40, 300), floats(-2, 2, [300, 50], 'y')], { terms: 300 }),
  ],
  _FusedMatMul: [
    plain((a, b) => tf.fused.matMul({ a: a!, b: b! }), [around(3, 4), another(4, 2)]),
    ...(['relu', 'relu6', 'elu', 'sigmoid', 'linear'] as const).map((activation) =>
      plain(
        (a, b, bias) => tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation }),
        [around(3, 4), another(4, 2), around(2)],
      ),
    ),
    plain(
      (a, b, bias) =>
        tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation: 'leakyrelu', leakyreluAlpha: 0.3, transposeB: true }),
      [around(3, 4), another(2, 4), around(2)],
    ),
    plain(
      (a, b, w) => tf.fused.matMul({ a: a!, b: b!, activation: 'prelu', preluActivationWeights: w! }),
      [around(3, 4), another(4, 2), inside(2)],
    ),
  ],

  Conv2D: convolutionCases(),
  Conv2DBackpropInput: [
    ...convolutionCases(),
    smooth(
      (y, w) => tf.conv2dTranspose(y as tf.Tensor4D, w as tf.Tensor4D, [2, 6, 8, 3], 2, 'same'),
      [around(2, 3, 4, 5), another(3, 3, 3, 5)],
      { terms: 100 },
    ),
  ],
  Conv2DBackpropFilter: convolutionCases(),
  FusedConv2D: [
    plain(
      (x, filter, bias) =>
        tf.fused.conv2d({
          x: x as tf.Tensor4D,
          filter: filter as tf.Tensor4D,
          strides: 1,
          pad: 'same',
          bias: bias!,
          activation: 'relu',
        }),
      [around(2, 4, 5, 3), another(3, 3, 3, 4), around(4)],
      { terms: 50 },
    ),
  ],
  DepthwiseConv2dNative: depthwiseCases(),
  DepthwiseConv2dNativeBackpropInput: depthwiseCases(),
  DepthwiseConv2dNativeBackpropFilter: depthwiseCases(),
  FusedDepthwiseConv2D: [
    plain(
      (x, filter) =>
        tf.fused.depthwiseConv2d({
          x: x as tf.Tensor4D,
          filter: filter as tf.Tensor4D,
          strides: 1,
          pad: 'same',
          activation: 'relu6',
        }),
      [around(2, 4, 5, 3), another(3, 3, 3, 2)],
      { terms: 20 },
    ),
  ],
  AvgPool: poolCases((x, size, strides, pad) => tf.avgPool(x, size, strides, pad)),
  AvgPoolGrad: poolCases((x, size, strides, pad) => tf.avgPool(x, size, strides, pad)),
  MaxPool: poolCases((x, size, strides, pad) => tf.maxPool(x, size, strides, pad)),
  MaxPoolGrad: [
    ...poolCases((x, size, strides, pad) => tf.maxPool(x, size, strides, pad)),
    // the first of equals
    smooth((x) => tf.maxPool(x.toFloat().round() as tf.Tensor4D, 2, 1, 'same').mul(x.sum()), [inside(1, 4, 4, 2)], {
      terms: 50,
    }),
  ],
  FusedBatchNorm: [
    smooth(
      (x, mean, variance, offset, scale) =>
        tf.batchNorm(
          x!,
          mean as tf.Tensor1D,
          variance as tf.Tensor1D,
          offset as tf.Tensor1D,
          scale as tf.Tensor1D,
          0.01,
        ),
      [around(2, 3, 4, 5), inside(5), positive(5), another(5), around(5)],
      { terms: 100 },
    ),
    plain(
      (x, mean, variance) => tf.batchNorm(x!, mean as tf.Tensor1D, variance as tf.Tensor1D),
      [around(6, 5), inside(5), positive(5)],
      {
        terms: 30,
      },
    ),
    plain(
      (x, mean, variance) => tf.batchNorm(x!, mean as tf.Tensor2D, variance as tf.Tensor2D),
      [around(3, 2), another(3, 2), positive(3, 2)],
    ),
  ],
  ResizeNearestNeighbor: resizeCases(),
  ResizeNearestNeighborGrad: resizeCases(),
};

function convolutionCases(): Case[] {
  const conv =
    (
      strides: number | [number, number],
      pad: Parameters<typeof tf.conv2d>[3],
      format: 'NHWC' | 'NCHW' = 'NHWC',
      dilations = 1,
    ): Fn =>
    (x, w) =>
      tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad, format, dilations);
  const terms = { terms: 150 };
  return [
    smooth(conv(1, 'same'), [around(2, 5, 4, 3), another(3, 3, 3, 6)], terms),
    smooth(conv(1, 'same'), [around(2, 5, 4, 6), another(3, 3, 6, 2)], terms),
    smooth(conv(1, 'valid'), [around(2, 5, 4, 3), another(2, 3, 3, 3)], terms),
    smooth(conv(2, 'same'), [around(2, 5, 7, 3), another(3, 3, 3, 4)], terms),
    smooth(conv([2, 1], 'valid'), [around(2, 5, 7, 4), another(3, 2, 4, 2)], terms),
    smooth(conv(1, 1), [around(2, 4, 4, 2), another(3, 3, 2, 2)], terms),
    smooth(conv(1, [[0, 0], [0, 0], [3, 0], [0, 0]]), [around(2, 1, 8, 2), another(1, 4, 2, 3)], terms), // prettier-ignore
    smooth(conv(1, 'same'), [around(2, 3, 3, 4), another(1, 1, 4, 3)], terms),
    smooth(conv(3, 'valid'), [around(2, 6, 6, 2), another(1, 1, 2, 3)], terms),
    smooth(conv(1, 'same', 'NCHW'), [around(2, 3, 5, 4), another(3, 3, 3, 2)], terms),
    smooth(
      (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, 'same'),
      [around(2, 9, 3), another(5, 3, 3)],
      terms,
    ),
    smooth((x, w) => tf.conv1d(x.pad([[0, 0], [4, 0], [0, 0]]) as tf.Tensor3D, w as tf.Tensor3D, 1, 'valid'), [around(2, 9, 1), another(5, 1, 4)], terms), // prettier-ignore
  ];
}

function depthwiseCases(): Case[] {
  const conv =
    (strides: number, pad: 'same' | 'valid'): Fn =>
    (x, w) =>
      tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad);
  return [
    smooth(conv(1, 'same'), [around(2, 5, 4, 3), another(3, 3, 3, 2)], { terms: 50 }),
    smooth(conv(2, 'same'), [around(2, 5, 4, 3), another(3, 3, 3, 1)], { terms: 50 }),
    smooth(conv(1, 'valid'), [around(2, 5, 4, 3), another(2, 2, 3, 1)], { terms: 50 }),
  ];
}

type Pool = (x: tf.Tensor4D, size: [number, number], strides: number, pad: 'same' | 'valid' | number) => tf.Tensor;

function poolCases(pool: Pool): Case[] {
  return [
    smooth((x) => pool(x as tf.Tensor4D, [2, 2], 2, 'valid'), [around(2, 4, 6, 3)]),
    smooth((x) => pool(x as tf.Tensor4D, [3, 3], 2, 'same'), [around(2, 5, 6, 3)]),
    smooth((x) => pool(x as tf.Tensor4D, [3, 2], 1, 'same'), [around(2, 4, 4, 2)]),
    smooth((x) => pool(x as tf.Tensor4D, [2, 2], 1, 1), [around(1, 3, 4, 2)]),
  ];
}

/** One image: over a batch, TensorFlow.js' own gradient on the CPU reads the images of others. */
function resizeCases(): Case[] {
  const resize =
    (size: [number, number], corners = false, centres = false): Fn =>
    (x) =>
      tf.image.resizeNearestNeighbor(x as tf.Tensor4D, size, corners, centres);
  return [
    smooth(resize([6, 8]), [around(1, 3, 4, 2)]),
    smooth(resize([2, 3]), [around(1, 5, 4, 2)]),
    smooth(resize([5, 7], true), [around(1, 3, 4, 2)]),
    plain(resize([5, 7], false, true), [around(2, 3, 4, 2)]),
  ];
}

describe.each(Object.keys(kernels))('%s', (kernel) => {
  test('has cases', () => expect(CASES[kernel] ?? []).not.toHaveLength(0));

  (CASES[kernel] ?? []).forEach(({ f, inputs, gradients, ...closeness }, i) => {
    const shapes = inputs.map(({ shape, dtype }) => `${dtype}[${shape.join()}]`).join(' ');
    test(`${i}: ${shapes}`, async () => {
      await expectSame(f, inputs, gradients, closeness);
    });
  });

  test('is what the cases call, or what is made of them', () => {
    const called = new Set<string>();
    for (const { f, inputs, gradients } of CASES[kernel] ?? []) {
      const step = withGradients(f, inputs, gradients);
      const traced = trace((tracer) => step(inputs.map((input) => tracer.input(input))));
      const simplified = program(step, inputs, []).graph;
      [...traced.nodes, ...simplified.nodes].forEach((node) => called.add(node.kernel));
    }
    expect([...called]).toContain(kernel);
  });
});

test('every case belongs to a row', () => expect(Object.keys(CASES).filter((name) => !(name in kernels))).toEqual([]));

// Convolutions with fewer multiplications

describe('fast convolution', () => {
  test('is the direct sum', () => {
    const real = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 24 }),
        fc.integer({ min: 1, max: 12 }),
        fc.infiniteStream(real),
        (m, K, stream) => {
          const { ofInput, ofKernel, toOutput, inputs, products } = fastConvolution(m, K);
          expect(products).toBe(productsOf(m, K));
          expect(inputs).toBe(m + K - 1);
          const [x, w] = [[...stream.take(inputs)], [...stream.take(K)]];
          const times = (matrix: readonly (readonly number[])[], v: readonly number[]) =>
            matrix.map((row) => row.reduce((sum, a, i) => sum + a * v[i]!, 0));
          const [p, q] = [times(ofInput, x), times(ofKernel, w)];
          const y = times(toOutput, p.map((v, j) => v * q[j]!)); // prettier-ignore
          y.forEach((v, t) =>
            expect(v).toBeCloseTo(
              w.reduce((sum, wk, k) => sum + wk * x[t + k]!, 0),
              12,
            ),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  /** The sum of the absolute values of a convolution's terms is what its rounding is measured by. */
  test.each<[string, [number, number, number, number], [number, number, number, number], 'same' | 'valid']>([
    ['one axis', [8, 1, 40, 32], [1, 9, 32, 32], 'valid'],
    ['one axis, uneven tiles, other widths', [9, 1, 29, 40], [1, 11, 40, 32], 'same'],
    ['one axis of an image', [3, 5, 21, 32], [1, 9, 32, 32], 'same'],
    ['the other axis of an image', [3, 21, 5, 32], [9, 1, 32, 32], 'same'],
    ['both axes', [8, 8, 8, 32], [5, 5, 32, 32], 'same'],
    ['both axes, without padding', [8, 12, 12, 32], [5, 5, 32, 32], 'valid'],
  ])('of %s agrees with eager execution', async (_, image, kernel, pad) => {
    expect(fastPlan(tf.backend_util.computeConv2DInfo(image, kernel, 1, 1, pad))).toBeDefined();
    const conv: Fn = (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, pad);
    const weights = floats(-0.1, 0.1, kernel, 'weights');
    // a sum over taps and channels, and for the kernel's gradient over positions and images, of random signs
    const terms = Math.sqrt(kernel[0] * kernel[1] * kernel[2]) + Math.sqrt(image[0] * image[1] * image[2]);
    await expectSame(conv, [floats(-1, 1, image), weights], true, { terms });
  });

  test('is not made where it would cost more', () => {
    const plan = (image: number[], kernel: number[], strides = 1, dilation = 1) =>
      fastPlan(tf.backend_util.computeConv2DInfo(image as [number, number, number, number], kernel as [number, number, number, number], strides, dilation, 'same')); // prettier-ignore
    expect(plan([64, 1, 64, 256], [1, 7, 256, 256])).toBeDefined();
    expect(plan([64, 1, 64, 256], [1, 7, 256, 256], 2)).toBeUndefined();
    expect(plan([64, 1, 64, 256], [1, 7, 256, 256], 1, 2)).toBeUndefined();
    expect(plan([64, 1, 64, 256], [1, 1, 256, 256])).toBeUndefined();
    expect(plan([64, 1, 64, 1], [1, 7, 1, 256])).toBeUndefined();
    expect(plan([1, 1, 8, 256], [1, 7, 256, 256])).toBeUndefined();
  });
});

// What the course's models are made of

const COMPOSITIONS: Record<string, Case> = {
  'a dense layer with layer normalisation': smooth(
    (x, w, gain) => {
      const h = tf.matMul(x!, w!);
      const centred = h.sub(h.mean(-1, true));
      return centred.div(centred.square().mean(-1, true).add(1e-5).sqrt()).mul(gain!);
    },
    [around(6, 5), another(5, 8), around(8)],
    { terms: 60 },
  ),
  'attention with a causal mask': smooth(
    (q, k, v) => {
      const scores = tf.matMul(q!, k!, false, true).div(Math.sqrt(4));
      const mask = tf.linalg.bandPart(tf.ones([5, 5]), -1, 0).toBool();
      return tf.matMul(tf.where(mask, scores, -1e9).softmax(), v!);
    },
    [around(2, 3, 5, 4), another(2, 3, 5, 4), floats(-2, 2, [2, 3, 5, 4], 'v')],
    { terms: 30 },
  ),
  'an embedding': smooth((table, ids) => table!.gather(ids!).reshape([2, 6, 3]).tanh(), [around(5, 3), ints(0, 5, 12)]),
  'cross-entropy by logSoftmax and oneHot': smooth(
    (x, y) => tf.logSoftmax(x!).mul(tf.oneHot(y!, 7)).sum(-1).neg().mean(),
    [floats(-9, 9, [6, 7]), ints(0, 7, 6)],
    { terms: 20 },
  ),
  'logSumExp of tfjs': smooth((x) => tf.logSumExp(x, 1), [floats(-30, 30, [4, 5])]),
  'logSumExp of the library, with −∞': smooth(
    (x) => logSumExp(tf.concat([x, tf.fill([4, 2], -inf)], 1), 1),
    [around(4, 5)],
  ),
  GELU: smooth((x) => x.mul(tf.erf(x.div(Math.SQRT2)).add(1).div(2)), [around(4, 5)]),
  'batch normalisation with moments': smooth(
    (x) => {
      const { mean, variance } = tf.moments(x, 0);
      return x.sub(mean).div(variance.add(1e-3).sqrt());
    },
    [around(8, 3)],
    { terms: 60 },
  ),
  'an affine coupling': smooth(
    (x, w) => {
      const [a, b] = tf.split(x!, 2, 1) as [tf.Tensor, tf.Tensor];
      const s = tf.tanh(tf.matMul(a, w!));
      return tf.concat([a, b.mul(s.exp())], 1).reverse(1);
    },
    [around(5, 6), another(3, 3)],
    { terms: 60 },
  ),
  'straight-through rounding': smooth((x) => x.add(detach(x.round().sub(x))).square(), [around(4, 5)]),
  'the gradient of a gradient': smooth((x) => tf.grad((v) => v.tanh().square().sum())(x), [around(4, 5)]),
  'a mixture of logistics': smooth(
    (x, m) => {
      const z = x!.expandDims(-1).sub(m!);
      return logSumExp(z.neg().sub(tf.softplus(z.neg()).mul(2)), -1);
    },
    [around(5, 4), another(3)],
    { terms: 30 },
  ),
  'clipping the global norm': smooth(
    (x) => {
      const norm = x.square().sum().sqrt();
      return x.mul(tf.minimum(norm.reciprocal(), 1));
    },
    [around(5, 4)],
  ),
};

describe('compositions', () => {
  test.each(Object.entries(COMPOSITIONS))('%s', async (_, { f, inputs, gradients, ...closeness }) => {
    await expectSame(f, inputs, gradients, closeness);
  });
});

// Random graphs

type Step = (stack: tf.Tensor[], pick: (n: number) => number) => tf.Tensor;
const SIDES = [2, 3] as const;

/** Operations that keep values of order 1, so that no chain of them leaves the range in which float32 compares well. */
const STEPS: readonly Step[] = [
  ...[
    (x: tf.Tensor) => x.tanh(),
    (x: tf.Tensor) => x.sigmoid(),
    (x: tf.Tensor) => x.mul(x).add(1).log(),
    (x: tf.Tensor) => tf.softplus(x).div(2),
    (x: tf.Tensor) => tf.leakyRelu(x, 0.2),
    (x: tf.Tensor) => tf.elu(x),
    (x: tf.Tensor) => x.cos(),
    (x: tf.Tensor) => x.neg(),
    (x: tf.Tensor) => x.square().add(0.5).sqrt(),
    (x: tf.Tensor) => (x.rank === 0 ? x : x.softmax()),
    (x: tf.Tensor) => (x.rank === 0 ? x : tf.logSoftmax(x).div(4)),
    (x: tf.Tensor) => x.reverse(),
    (x: tf.Tensor) => x.transpose(),
    (x: tf.Tensor) => x.expandDims(0).squeeze([0]),
    (x: tf.Tensor) => ((x.shape[0] ?? 0) < 2 ? x : tf.concat(tf.split(x, x.shape[0]!).reverse())),
    (x: tf.Tensor) => (x.rank === 0 ? x : x.cumsum(x.rank - 1).div(4)),
    (x: tf.Tensor) => (x.rank === 0 ? x : x.gather(tf.range(0, x.shape[0]!, 1, 'int32').reverse())),
    (x: tf.Tensor) => detach(x).mul(x).div(2),
  ].map(
    (f): Step =>
      (stack, pick) =>
        f(stack[pick(stack.length)]!),
  ),
  ...[
    (x: tf.Tensor, y: tf.Tensor) => x.add(y).div(2),
    (x: tf.Tensor, y: tf.Tensor) => x.sub(y).div(2),
    (x: tf.Tensor, y: tf.Tensor) => x.mul(y).div(2),
    (x: tf.Tensor, y: tf.Tensor) => x.div(y.square().add(1)),
    (x: tf.Tensor, y: tf.Tensor) => tf.where(detach(x).less(0.1), x, y),
    (x: tf.Tensor, y: tf.Tensor) => x.sub(y).square().div(8),
    (x: tf.Tensor, y: tf.Tensor) => tf.where(x.greaterEqual(y), x, y),
  ].map((f): Step => (stack, pick) => {
    const [x, y] = [stack[pick(stack.length)]!, stack[pick(stack.length)]!];
    return fits(x.shape, y.shape) ? f(x, y) : f(x, y.sum());
  }),
  (stack, pick) => {
    const x = stack[pick(stack.length)]!;
    return x.rank === 0 ? x : x.mean(pick(x.rank), pick(2) === 0);
  },
  (stack, pick) => {
    const x = stack[pick(stack.length)]!;
    const left = pick(2) === 0;
    return x.rank < 2 ? x : tf.matMul(x, x, left, !left).div(4);
  },
];

const fits = (a: readonly number[], b: readonly number[]): boolean =>
  Array.from({ length: Math.min(a.length, b.length) }, (_, i) => [a.at(-1 - i)!, b.at(-1 - i)!]).every(
    ([m, n]) => m === n || m === 1 || n === 1,
  );

describe('random graphs', () => {
  test('agree with eager execution, gradients included', async () => {
    const shape = fc.array(fc.constantFrom(...SIDES), { maxLength: 3 });
    const recipe = fc.record({
      shapes: fc.array(shape, { minLength: 1, maxLength: 3 }),
      steps: fc.array(fc.tuple(fc.nat(STEPS.length - 1), fc.array(fc.nat(59), { minLength: 4, maxLength: 4 })), {
        minLength: 3,
        maxLength: 12,
      }),
    });
    await fc.assert(
      fc.asyncProperty(recipe, async ({ shapes, steps }) => {
        const f: Fn = (...inputs) => {
          const stack = [...inputs];
          for (const [which, choices] of steps) {
            let at = 0;
            stack.push(STEPS[which]!(stack, (n) => choices[at++]! % n));
          }
          return [stack.at(-1)!, ...inputs.map((x, i) => x.mul(0.5 + i))]; // every input has a gradient
        };
        const inputs = shapes.map((s, i) => floats(-1, 1, s, `random ${i}`));
        await expectSame(f, inputs, true, { terms: 8, roundings: 64 });
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});

// What cannot be compiled

/** The number of the line that called this function. */
const line = (): number => Number(/kernels\.test\.ts:(\d+)/.exec(new Error().stack!.split('\n')[2]!)![1]);

async function refusal(f: Fn, inputs: readonly Spec[]): Promise<TraceError> {
  const error = await compile((x) => listOf(f(...x)), inputs, { device: 'cpu', quiet: true }).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(TraceError);
  return error as TraceError;
}

describe('what cannot be compiled is a TraceError that names the line', () => {
  test('reading a value', async () => {
    let at = 0;
    const error = await refusal(
      (x) => {
        at = line() + 1;
        return x.mul(x.dataSync()[0]!);
      },
      [around(3)],
    );
    expect(error.message).toMatch(/^the value of a tensor was read/);
    expect(error.site).toContain(`kernels.test.ts:${at}:`);
  });

  test('reading a value inside of a gradient', async () => {
    let at = 0;
    const error = await refusal(
      (x) =>
        tf.grad((v) => {
          at = line() + 1;
          return v.square().arraySync() as unknown as tf.Tensor;
        })(x),
      [around(3)],
    );
    expect(error.site).toContain(`kernels.test.ts:${at}:`);
  });

  test('a random draw that does not come from rng', async () => {
    let at = 0;
    const error = await refusal(
      (x) => {
        at = line() + 1;
        return x.add(tf.randomNormal([3]));
      },
      [around(3)],
    );
    expect(error.message).toMatch(/^two runs used different numbers: every random draw must come from the given rng/);
    expect(error.site).toContain(`kernels.test.ts:${at}:`);
  });

  test('code that does not do the same twice', async () => {
    let runs = 0;
    const error = await refusal((x) => (runs++ === 0 ? x.exp() : x.log()), [around(3)]);
    expect(error.message).toMatch(/^two runs called different operations/);
    expect(error.site).toContain('kernels.test.ts:');
  });

  test.each<[string, Fn, readonly Spec[]]>([
    ['Multinomial', (x) => tf.multinomial(x as tf.Tensor1D, 2, 1), [around(3)]],
    ['FFT', (x) => tf.spectral.rfft(x), [around(4)]],
    ['LRN', (x) => tf.localResponseNormalization(x as tf.Tensor4D), [around(1, 2, 2, 3)]],
  ])('the operation %s', async (_, f, inputs) => {
    const error = await refusal(f, inputs);
    expect(error.message).toMatch(/^the operation \w+ cannot be compiled \(/);
    expect(error.site).toContain('kernels.test.ts:');
  });

  test.each<[string, Fn, readonly Spec[]]>([
    [
      'GatherV2 cannot be compiled like this: batchDims = 1 with axis = 2',
      (x, i) => tf.gather(x!, i!, 2, 1),
      [around(2, 3, 4), ints(0, 2, 2, 2)],
    ],
    [
      'Add cannot be compiled like this: of bool; cast it to float32 or int32 first',
      (x, y) => x!.add(y!),
      [bools(3), bools(3)],
    ],
  ])('%s', async (message, f, inputs) => {
    const error = await refusal(f, inputs);
    expect(error.message).toContain(message);
    expect(error.site).toContain('kernels.test.ts:');
  });

  test('the next trace works', async () => {
    await refusal((x) => x.mul(x.dataSync()[0]!), [around(3)]);
    expect(tf.getBackend()).toBe('cpu');
    await expectSame((x) => x.exp(), [around(3)], true, {});
  });
});
