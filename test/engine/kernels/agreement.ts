/** What is compiled equals what TensorFlow.js computes on its plain CPU backend: inputs, comparison, kinds of cases. */
import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { expect } from 'vitest';
import { compile, type Numbers } from '../../../lib/engine/call/compile';
import type { DType, Spec } from '../../../lib/engine/graph/graph';

// Inputs

export interface Input extends Spec {
  readonly values: readonly number[];
}

/** Numbers that do not depend on the order of the cases. */
const draw = (shape: readonly number[], label: string): number[] =>
  Array.from(createRng(`${label} ${shape.join()}`).uniform(shape).dataSync());
export const floats = (low: number, high: number, shape: readonly number[], label = ''): Input => ({
  shape,
  dtype: 'float32',
  values: draw(shape, `floats ${label}`).map((u) => Math.fround(low + (high - low) * u)),
});
/** In [−2, 2]. */
export const around = (...shape: number[]): Input => floats(-2, 2, shape);
export const another = (...shape: number[]): Input => floats(-2, 2, shape, 'another');
export const positive = (...shape: number[]): Input => floats(0.2, 3, shape);
export const inside = (...shape: number[]): Input => floats(-0.9, 0.9, shape);
export const ints = (low: number, high: number, ...shape: number[]): Input => ({
  shape,
  dtype: 'int32',
  values: draw(shape, 'ints').map((u) => Math.floor(low + (high - low) * u)),
});
export const bools = (...shape: number[]): Input => ({ ...ints(0, 2, ...shape), dtype: 'bool' });
export const given = (
  values: readonly number[],
  dtype: DType = 'float32',
  shape: readonly number[] = [values.length],
): Input => ({
  shape,
  dtype,
  values,
});

export const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
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
export const extremes = (within: (x: number) => boolean = () => true): Input =>
  given(EXTREMES.map(Math.fround).filter(within));

// Comparison

export type Fn = (...x: tf.Tensor[]) => tf.Tensor | readonly tf.Tensor[];
export const listOf = (y: tf.Tensor | readonly tf.Tensor[]): tf.Tensor[] => (y instanceof tf.Tensor ? [y] : [...y]);

/** A fixed direction in which a result is differentiated: no two elements weigh the same. */
export function weighted(ys: readonly tf.Tensor[]): tf.Scalar {
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
export const withGradients =
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
export interface Closeness {
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

export async function expectSame(
  f: Fn,
  inputs: readonly Input[],
  gradients: boolean,
  closeness: Closeness,
): Promise<void> {
  const both = withGradients(f, inputs, gradients);
  expectAgreement(await compiled(both, inputs), eagerly(both, inputs), closeness);
}

// Cases

export interface Case extends Closeness {
  readonly f: Fn;
  readonly inputs: readonly Input[];
  readonly gradients: boolean;
}

/** Values and gradients agree. */
export const smooth = (f: Fn, inputs: readonly Input[], closeness: Closeness = {}): Case => ({
  f,
  inputs,
  gradients: true,
  ...closeness,
});
/** Values agree; there is no gradient to compare. */
export const plain = (f: Fn, inputs: readonly Input[], closeness: Closeness = {}): Case => ({
  f,
  inputs,
  gradients: false,
  ...closeness,
});

export type Input1 = (...shape: number[]) => Input;

/** A function of one variable: scalars, matrices, nothing at all, and the extremes of its domain. */
export function unary(f: Fn, input: Input1 = around, within?: (x: number) => boolean, each = true): Case[] {
  return [
    smooth(f, [input()]),
    smooth(f, [input(2, 3)]),
    smooth(f, [input(40)]),
    plain(f, [input(0, 3)]),
    plain(f, [extremes(within)], { each }),
  ];
}

/** Here one side has e^x − 1 or a polynomial, whose small values have an absolute error only. */
export const rough = (f: Fn): Case[] => unary(f, around, undefined, false);

/** A function of two variables that broadcast. */
export function binary(f: Fn, a: Input1 = around, b: Input1 = another, wide = smooth): Case[] {
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
export const narrow = (f: Fn): Case[] => binary(f, around, another, plain);

export function comparison(f: Fn): Case[] {
  return [
    plain(f, [ints(0, 3, 4, 5), ints(0, 3, 5)]),
    plain(f, [bools(3, 1), bools(4)]),
    plain(f, [given([nan, 1, inf, -inf, 0, -0]), given([nan, nan, inf, inf, -0, 1])]),
    plain(f, [around(2, 3), another()]),
  ];
}
