/**
 * Random graphs: a recipe says what is computed, of what inputs, and whether its gradient, or the gradient of that, is
 * wanted. Recipes shrink: to fewer steps, plainer inputs, first choices.
 */
import * as tf from '@tensorflow/tfjs';
import { detach } from 'dgm';
import fc from 'fast-check';
import type { DType, Spec } from '../../../lib/engine/graph/graph';
import { weighted } from '../kernels/agreement';
import { operations, type Sources } from './operations';

export interface Input extends Spec {
  readonly values: readonly number[];
}

interface Step {
  readonly name: string;
  readonly choices: readonly number[];
}

export interface Recipe {
  readonly inputs: readonly { readonly shape: readonly number[]; readonly dtype: DType; readonly seed: number }[];
  readonly steps: readonly Step[];
  /** How often the result is differentiated by the inputs. */
  readonly order: 0 | 1 | 2;
  /** Whether numbers may be anything, or are of order 1. */
  readonly wild: boolean;
  /** The side that most tensors have, so that sides are equal by chance. */
  readonly side: number;
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const EXTREMES = [nan, inf, -inf, 0, -0, 1, -1, 1e30, -1e30, 1e-30, 65504, 2 ** 24 + 1, -1e-8, 88.8, 1e35]; // sums of which stay in range
const INTEGERS = [0, 1, -1, 2, 7, -5, 100, 4000]; // whose squares float32 holds, in which TensorFlow.js keeps them

/** Numbers in [0, 1) that depend on the seed alone. Reference: Steele and Vigna, 2021 (a multiplicative generator). */
export function numbersFrom(seed: number): () => number {
  let state = (seed * 2 + 1) >>> 0;
  const next = () => (state = Math.imul(state, 0x915f77f5) >>> 0) / 2 ** 32;
  for (let i = 0; i < 8; i++) next();
  return next;
}

export function valuesOf({ shape, dtype }: Spec, seed: number, wild: boolean): number[] {
  const next = numbersFrom(seed);
  const from = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const style = next();
  const one = (): number => {
    if (dtype === 'bool') return next() < 0.5 ? 0 : 1;
    if (dtype === 'int32') return wild && next() < 0.3 ? from(INTEGERS) : Math.floor(next() * 9) - 4;
    const extreme = wild && next() < (style < 0.3 ? 0.6 : style < 0.7 ? 0.15 : 0);
    return Math.fround(extreme ? from(EXTREMES) : style > 0.9 ? Math.floor(next() * 5) - 2 : 4 * next() - 2);
  };
  const size = shape.reduce((n, side) => n * side, 1);
  const same = style > 0.85 && style < 0.9 ? one() : undefined; // every element the same
  return Array.from({ length: size }, () => same ?? one());
}

export const inputsOf = ({ inputs, wild }: Recipe): Input[] =>
  inputs.map(({ shape, dtype, seed }) => ({ shape, dtype, values: valuesOf({ shape, dtype }, seed, wild) }));

const LARGEST = 300; // elements of a value

/** Operations without a derivative in TensorFlow.js, or a wrong one: of what is differentiated they see the numbers. */
const FLAT = new Set(
  (
    'isFinite isInf isNaN logicalNot toInt toBool equal notEqual greater greaterEqual less lessEqual and or all any ' +
    'argMax argMin topk cumprod stridedSlice scatterND gatherND tensorScatterUpdate oneHot ones zeros fusedMatMul ' +
    'maximum minimum squaredDifference mod floorDiv cumsum gatherRows resize prelu atan2 pow power avgPool mirrorPad'
  ).split(' '),
);

/** The function that a recipe describes: from its inputs to a few results, its last ones among them. */
function forward({ steps, side, order, wild }: Recipe, inputs: readonly tf.Tensor[], move: number): tf.Tensor[] {
  const stack = [...inputs];
  let constants = 0;
  for (const { name, choices } of steps) {
    let at = 0;
    const pick = (n: number) => (n < 2 ? 0 : (choices[at++ % choices.length]! + (at > choices.length ? at : 0)) % n);
    const seen = (x: tf.Tensor) => (order > 0 && FLAT.has(name) && x.dtype === 'float32' ? detach(x) : x);
    const sources: Sources = {
      pick,
      side: () => [side, side, 1, 2, 0][pick(5)]!,
      constant: (dtype, shape = [side]) => moved(constantOf({ dtype, shape }, pick(9), wild), move, constants++),
      value(dtype) {
        const there = stack.filter((x) => dtype === undefined || x.dtype === dtype);
        const chosen = pick(there.length + 1);
        if (chosen < there.length) return seen(there[there.length - 1 - chosen]!); // the latest first
        const shape = [[side], [], [side, side], [1, side], [side, 1], [0, side]][pick(6)]!;
        return sources.constant(dtype ?? 'float32', shape);
      },
    };
    const made = [operations[name]!(sources) ?? []].flat() as tf.Tensor[];
    stack.push(...made.filter((x) => x.size <= LARGEST && x.rank < 6));
  }
  return stack.slice(-3);
}

/** Numbers moved by a small part of themselves, each by another. @param part at most */
export function moved<T extends tf.Tensor>(x: T, part: number, seed: number): T {
  if (part === 0 || x.dtype !== 'float32') return x;
  const next = numbersFrom(seed);
  const near = Array.from(x.dataSync(), (value) => Math.fround(value * (1 + part * (2 * next() - 1))));
  return tf.tensor(near, x.shape, 'float32') as T;
}

/** Constants of the graph: all of one number, or different ones. */
function constantOf({ shape, dtype }: Spec, kind: number, wild: boolean): tf.Tensor {
  if (dtype === 'bool') return tf.cast(tf.tensor(valuesOf({ shape, dtype }, kind, false), [...shape], 'int32'), 'bool');
  if (kind === 0) return tf.ones([...shape], dtype);
  if (kind === 1) return tf.zeros([...shape], dtype);
  if (kind === 2 || kind === 3) return tf.fill([...shape], dtype === 'int32' ? kind : kind - 1.5, dtype);
  if (kind === 4 && wild && dtype === 'float32') return tf.fill([...shape], [nan, inf, -0, 1e30][shape.length % 4]!);
  return tf.tensor(valuesOf({ shape, dtype }, kind, wild), [...shape], dtype);
}

/**
 * What is compiled and run: the results, then their derivatives by the float32 inputs.
 * @param move how far the constants in it are moved, as part of themselves
 */
export function functionOf(recipe: Recipe, move = 0): (inputs: readonly tf.Tensor[]) => tf.Tensor[] {
  const { order } = recipe;
  const places = recipe.inputs.flatMap(({ dtype }, i) => (dtype === 'float32' ? [i] : []));
  return (inputs) => {
    const results = forward(recipe, inputs, move);
    if (order === 0 || places.length === 0) return results;
    const moving = places.map((i) => inputs[i]!);
    /** The result as a number, with x² for every x, so that it has derivatives of both orders by each. */
    const value = (...xs: tf.Tensor[]): tf.Scalar => {
      const all = [...inputs];
      places.forEach((place, i) => (all[place] = xs[i]!));
      return weighted([...forward(recipe, all, move), ...xs.map((x) => x.square())]);
    };
    const gradients = (...xs: tf.Tensor[]) => tf.grads(value)(xs);
    const first = gradients(...moving);
    return order === 1 ? [...results, ...first] : [...results, ...first, ...tf.grads((...xs) => weighted(gradients(...xs)))(moving)]; // prettier-ignore
  };
}

/** How often each operation is drawn: those that keep gradients alive more than those at the rim. */
const NAMES = Object.keys(operations);

const step: fc.Arbitrary<Step> = fc.record({
  name: fc.constantFrom(...NAMES),
  choices: fc.array(fc.nat(59), { minLength: 8, maxLength: 8 }),
});

/** @param wild whether numbers may be anything; default: now and then */
export function recipes(wild?: boolean): fc.Arbitrary<Recipe> {
  return fc.integer({ min: 2, max: 4 }).chain((side) => {
    const shape = fc.array(fc.constantFrom(side, side, side, 1, 2, 0), { maxLength: 3 });
    const ofInput = fc.record({
      shape,
      dtype: fc.constantFrom<DType>('float32', 'float32', 'float32', 'int32', 'bool'),
      seed: fc.nat(10_000),
    });
    return fc.record({
      inputs: fc.array(ofInput, { minLength: 1, maxLength: 3 }),
      steps: fc.array(step, { minLength: 1, maxLength: 9 }),
      order: fc.constantFrom<0 | 1 | 2>(0, 0, 1, 1, 2),
      wild: wild === undefined ? fc.boolean() : fc.constant(wild),
      side: fc.constant(side),
    });
  });
}
