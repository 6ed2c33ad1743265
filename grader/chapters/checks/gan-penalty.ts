/** Chapter 15: the gradient penalty, to be repaired. The critic's slope is known, and all is done in plain loops. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { meanOf, normal, vector, type Vector } from './common';

const chapter = '15-gan';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

/** Pictures of H rows and W columns, and a critic m · x + ½ c ‖x‖², whose slope is m + c x. */
export interface Pictures {
  readonly H: number;
  readonly W: number;
  /** [B][H W], row by row */
  readonly real: readonly Vector[];
  readonly fake: readonly Vector[];
  readonly m: Vector;
  readonly c: number;
  /** What `uniform` gives, in turn: as many as all numbers of a batch. */
  readonly draws: Vector;
}

export function picturesOf(rng: Rng, [B, H, W]: readonly [number, number, number], c = 0.7): Pictures {
  const rows = (label: string) => Array.from({ length: B }, (_, n) => vector(normal(rng, `${label} ${n}`, [H * W])));
  const draws = Array.from(rng.fork('draws').uniform([B * H * W]).dataSync());
  return { H, W, real: rows('real'), fake: rows('fake'), m: vector(normal(rng, 'm', [H * W])), c, draws };
} // prettier-ignore

interface Variant {
  /** How much of number d of example n is data. */
  readonly share: (p: Pictures, n: number, d: number) => number;
  /** The slope's factor. */
  readonly factor: (p: Pictures) => number;
  /** Of all slopes, the penalty. */
  readonly penalty: (slopes: readonly Vector[], p: Pictures) => number;
}

const length = (g: Vector) => Math.sqrt(sum(g.map((v) => v * v)));
const RIGHT: Variant = {
  share: ({ draws }, n) => draws[n]!,
  factor: () => 1,
  penalty: (slopes) => meanOf(slopes.map((g) => (length(g) - 1) ** 2)),
};

function penaltyBy(p: Pictures, change: Partial<Variant> = {}): number {
  const { share, factor, penalty: of } = { ...RIGHT, ...change };
  const slopes = p.real.map((row, n) =>
    row.map((v, d) => {
      const u = share(p, n, d);
      return factor(p) * (p.m[d]! + p.c * (u * v + (1 - u) * p.fake[n]![d]!));
    }),
  );
  return of(slopes, p);
}

/** Lengths along the rows' axis alone: one for each example and column. */
const columnLengths = (g: Vector, { H, W }: Pictures) =>
  Array.from({ length: W }, (_, w) => length(Array.from({ length: H }, (_, h) => g[h * W + w]!)));
const byColumns = (slopes: readonly Vector[], p: Pictures) => meanOf(slopes.flatMap((g) => columnLengths(g, p)).map((v) => (v - 1) ** 2)); // prettier-ignore
const perNumber: Variant['share'] = ({ draws, H, W }, n, d) => draws[n * H * W + d]!;
const beyond: Variant['share'] = ({ draws }, n) => 1 + draws[n]!;
const small: Variant['factor'] = ({ real }) => 1 / real.length;
const all = (slopes: readonly Vector[]) => (length(slopes.flat()) - 1) ** 2;

const slips: readonly (readonly [hint: string, change: Partial<Variant>])[] = [
  ['the length is of all the numbers of an example’s slope: rows and columns', { penalty: byColumns }],
  ['one place on the line for each example, not for each number: else the points lie on no line', { share: perNumber }],
  ['the points are between data and samples, not beyond the data', { share: beyond }],
  ['the slope of the mean is 1 / B of each example’s own: add up, examples do not meet', { factor: small }],
  ['u is the part of the data, 1 − u that of the samples', { share: ({ draws }, n) => 1 - draws[n]! }],
  ['the penalty is between data and samples, not at the data', { share: () => 1 }],
  ['the penalty is between data and samples, not at the samples', { share: () => 0 }],
  ['one place for each example, not the same for all', { share: ({ draws }) => draws[0]! }],
  ['the length of the slope, not its square', { penalty: (slopes) => meanOf(slopes.map((g) => (length(g) ** 2 - 1) ** 2)) }],
  ['slopes below 1 are punished, too', { penalty: (slopes) => meanOf(slopes.map((g) => Math.max(0, length(g) - 1) ** 2)) }],
  ['towards 1, not towards 0: that is R1’s penalty', { penalty: (slopes) => meanOf(slopes.map((g) => length(g) ** 2)) }],
  ['one length for each example, not one of the whole batch', { penalty: all }],
  ['a mean over the examples, not a sum', { penalty: (slopes) => sum(slopes.map((g) => (length(g) - 1) ** 2)) }],
  ['first the square of each, then the mean', { penalty: (slopes) => (meanOf(slopes.map(length)) - 1) ** 2 }],
  ['the length is of all the numbers of an example’s slope, not a mean of their squares', { penalty: (slopes) => meanOf(slopes.map((g) => (length(g) / Math.sqrt(g.length) - 1) ** 2)) }],
  ['the length is Euclid’s: a root of squares', { penalty: (slopes) => meanOf(slopes.map((g) => (sum(g.map(Math.abs)) - 1) ** 2)) }],
  ['the square of the difference from 1, not its size', { penalty: (slopes) => meanOf(slopes.map((g) => Math.abs(length(g) - 1))) }],
  ['λ is for whoever calls: the penalty alone', { penalty: (slopes) => 10 * meanOf(slopes.map((g) => (length(g) - 1) ** 2)) }],
  ['a place of its own by chance for each example, not the middle for all', { share: () => 0.5 }],
]; // prettier-ignore

/** What is wrong with the code that is given, one by one. */
const givenFaults: readonly (readonly [about: string, change: Partial<Variant>])[] = [
  ['where the places on the lines come from', { share: perNumber }],
  ['on which side of the data the points are', { share: beyond }],
  ['of what the slope is taken', { factor: small }],
  ['over which axes the length is', { penalty: byColumns }],
];

/** Two of these faults or more are left: how many, and where to look first. */
const leftOver = Array.from({ length: 1 << givenFaults.length }, (_, set) => givenFaults.filter((_, i) => set & (1 << i)))
  .filter((left) => left.length > 1)
  .map((left): readonly [hint: string, change: Partial<Variant>] => [
    `of the mistakes in the given code ${left.length} are left; look at ${left[0]![0]}`,
    {
      ...Object.assign({}, ...left.map(([, change]) => change)),
      ...(left[0]![1].share && left[1]![1].share && { share: (p: Pictures, n: number, d: number) => 1 + perNumber(p, n, d) }),
    },
  ]); // prettier-ignore

export async function checkPenalty(call: Call, p: Pictures): Promise<void> {
  const { H, W, real, fake, m, c, draws } = p;
  const B = real.length;
  const hint = 'mean over the examples of (‖∇c(x̂)‖ − 1)², with x̂ = u x + (1 − u) x̃';
  const critic = given(
    `(x) => x.mul(tf.tensor(${JSON.stringify(m)}, [1, ${H}, ${W}])).sum([1, 2]).add(x.square().sum([1, 2]).mul(${c / 2}))`,
  );
  const uniform = given(
    `(shape) => { const size = shape.reduce((a, b) => a * b, 1); return tf.tensor(${JSON.stringify(draws)}.slice(0, size), shape); }`,
  );
  const pictures = (rows: readonly Vector[]) => tf.tensor(rows.flat(), [B, H, W]);
  const got = expectTensor(await call(critic, pictures(real), pictures(fake), uniform), { what: 'the penalty', shape: [], hint: 'one number, a mean over the examples' }); // prettier-ignore
  const mistakes = [...slips, ...leftOver].map(([told, change]): KnownMistake => ({
    hint: told,
    answer: () => penaltyBy(p, change),
  }));
  const what = `the penalty of ${B} pictures of ${H} × ${W}`;
  expectAnswer(got.dataSync()[0]!, penaltyBy(p), { what, rtol: 1e-3, atol: 1e-4, hint }, mistakes);
}

export const penalty: Exercise = {
  id: 'gan.penalty',
  chapter,
  functionName: 'slopePenalty',
  title: 'the bug to find: a penalty at the wrong points, of the wrong length',
  points: 4,
  allOrNothing: true,
  library: ['dgm.gradientPenalty'],
  hints: [
    'Take a critic whose slope you know, such as the sum of all numbers of a picture. How long is it, and what should the penalty be? Then print what the given code finds of 2 pictures, and of 20.',
    'Four things must hold: each example has one place on its line; the line runs from sample to data, and the place is between; each example’s slope is its own, not divided by the number of examples; and its length is over all axes but the first.',
    'u = uniform([B, 1, 1]); x̂ = u · real + (1 − u) · fake; the gradient of critic(at).sum(); squared, summed over axes 1 and 2, square root; minus 1, squared, mean.',
  ],
  checks: [
    {
      name: 'two pictures of two rows',
      run: ({ call }) =>
        checkPenalty(call, { H: 2, W: 2, real: [[1, 0, 2, -1], [0, 1, 1, 0]], fake: [[0, 0, 1, 1], [-1, 0, 2, 1]], m: [0.5, 0.2, -0.4, 0.1], c: 0.3, draws: [0.25, 0.8, 0.5, 0.1, 0.9, 0.3, 0.6, 0.7] }),
    },
    {
      name: 'pictures that are wider than high',
      sameForAll: true,
      run: ({ call, rng }) => checkPenalty(call, picturesOf(rng, [3, 2, 3])),
    },
  ],
}; // prettier-ignore
