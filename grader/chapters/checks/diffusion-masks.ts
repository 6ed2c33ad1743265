/** Chapter 11: a bound by what is hidden, and guidance towards a class. References are plain loops. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { integers, logSumExp, matrix, matrixTensor, normal, type Matrix, type Vector } from './common';

const chapter = '11-diffusion';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

// diffusion.masked

export interface MaskedInput {
  readonly x: Matrix;
  /** [B][D][V] */
  readonly logits: readonly Matrix[];
  /** 0 or 1; each row hides something. */
  readonly visible: Matrix;
}

/** Rows that show 0, 1, … D − 1 coordinates in turn. */
export function maskedInput(rng: Rng, B: number, D: number, V: number): MaskedInput {
  const x = matrix(integers(rng, 'x', [B, D], V));
  const logits = (normal(rng, 'logits', [B, D, V]).arraySync() as number[][][]).map((rows) => rows.map((row) => row.map((v) => 2 * v))); // prettier-ignore
  const visible = x.map((row, n) => row.map((_, d) => ((d + n) % D < n % D ? 1 : 0)));
  return { x, logits, visible };
}

/** ln p(x_d) as it is where logits are normalised over coordinates, which is the wrong axis. */
const acrossCoordinates = (x: Matrix, logits: readonly Matrix[]): number[][] =>
  x.map((row, n) => row.map((v, d) => logits[n]![d]![v]! - logSumExp(logits[n]!.map((one) => one[v]!))));

type Estimate = (each: Vector, visible: Vector) => number;

const hiddenOf = (visible: Vector) => visible.length - sum(visible);
const maskedSum = (each: Vector, visible: Vector) => sum(each.map((v, d) => (visible[d] === 1 ? 0 : v)));
const maskedOf: Estimate = (each, visible) => (each.length / hiddenOf(visible)) * maskedSum(each, visible);

const wrongEstimates: readonly (readonly [hint: string, estimate: Estimate])[] = [
  ['shown coordinates are given, not guessed: only hidden ones count', (e) => sum(e)],
  ['the other way round: what is shown is known, what is hidden is guessed', (e, v) => (sum(v) === 0 ? 0 : (e.length / sum(v)) * (sum(e) - maskedSum(e, v)))],
  ['that is right where everything is hidden: each hidden one stands for D / hidden of the order’s factors', (e, v) => maskedSum(e, v)],
  ['the mean over what is hidden is the mean of one factor; there are D of them', (e, v) => maskedSum(e, v) / hiddenOf(v)],
  ['divided by how many are hidden, not by how many there are', (e, v) => maskedSum(e, v) / e.length],
  ['a bound on ln p(x), which is negative: the sign', (e, v) => -maskedOf(e, v)],
  ['D − n are hidden, and each is as likely to be next: not one more', (e, v) => (e.length / (hiddenOf(v) + 1)) * maskedSum(e, v)],
  ['the mean is over the hidden ones, not over those that are shown', (e, v) => (e.length / (sum(v) + 1)) * maskedSum(e, v)],
  ['in nats: the natural logarithm, not that to base 2', (e, v) => maskedOf(e, v) / Math.LN2],
  ['shown coordinates are given, not guessed: the D factors are those of the hidden ones, on average', (e, v) => maskedOf(e, v) + sum(e) - maskedSum(e, v)],
  ['an order has D factors, the last one included', (e, v) => ((e.length - 1) / e.length) * maskedOf(e, v)],
]; // prettier-ignore

export async function checkMasked(call: Call, { x, logits, visible }: MaskedInput): Promise<void> {
  const hint = 'n coordinates are shown; each of the others is as likely to be the next of the order';
  const got = expectTensor(await call(matrixTensor(x), tf.tensor3d(logits.map((rows) => rows.map((row) => [...row]))), matrixTensor(visible)), { what: 'the estimate', shape: [x.length], hint: 'one number an example' }); // prettier-ignore
  const each = (normaliser: (row: Vector) => number) =>
    x.map((row, n) => row.map((v, d) => logits[n]![d]![v]! - normaliser(logits[n]![d]!)));
  const of = (estimate: Estimate, terms: Matrix = each(logSumExp)) =>
    tf.tensor1d(terms.map((row, n) => estimate(row, visible[n]!)));
  const mistakes: KnownMistake[] = [
    ...wrongEstimates.map(([told, by]): KnownMistake => ({ hint: told, answer: () => of(by) })),
    { hint: 'logits are to be normalised, by tf.logSoftmax', answer: () => of(maskedOf, each(() => 0)) },
    { hint: 'D is the number of coordinates, not that of values', answer: () => of((e, v) => (logits[0]![0]!.length / e.length) * maskedOf(e, v)) },
    { hint: 'a coordinate’s values share probability 1: normalised along the last axis', answer: () => of(maskedOf, acrossCoordinates(x, logits)) },
    { hint: 'the logarithm of the probability, not the probability', answer: () => of(maskedOf, each(logSumExp).map((row) => row.map(Math.exp))) },
    { hint: 'each example hides as many as it hides, whatever the others do', answer: () => of((e, v) => (e.length / (sum(visible.map(hiddenOf)) / visible.length)) * maskedSum(e, v)) },
  ]; // prettier-ignore
  expectAnswer(got, of(maskedOf), { what: `the estimate where [${visible.map(sum).join(', ')}] are shown`, rtol: 1e-4, atol: 1e-4, hint }, mistakes); // prettier-ignore
}

export const masked: Exercise = {
  id: 'diffusion.masked',
  chapter,
  functionName: 'maskedEstimate',
  title: 'derive: the bound, from one look at a picture with holes',
  points: 3,
  hints: [
    'In a random order, n coordinates have come. Which one comes next, and what does its factor cost?',
    'ln p(x | order) is a sum of D factors. Draw one of them: n shown, evenly from 0 … D − 1. Each hidden coordinate is the next with probability 1 / (D − n), so the mean over the hidden ones is the expected factor; D times that is the expected sum.',
    'tf.logSoftmax of the logits, at the values of x; times 1 − visible, summed along axis 1; times D, divided by the number of hidden ones of that row.',
  ],
  checks: [
    {
      name: 'two coins, both hidden',
      run: ({ call }) => checkMasked(call, { x: [[0, 1]], logits: [[[0.5, 1], [2, 0.25]]], visible: [[0, 0]] }),
    },
    {
      name: 'one of two is shown',
      run: ({ call }) => checkMasked(call, { x: [[0, 1]], logits: [[[0.5, 1], [2, 0.25]]], visible: [[1, 0]] }),
    },
    {
      name: 'a batch whose rows hide more and less',
      run: ({ call, rng }) => checkMasked(call, maskedInput(rng, 4, 5, 3)),
    },
  ],
}; // prettier-ignore

// diffusion.guidance

type Guide = (told: number, free: number, w: number) => number;

const guided: Guide = (told, free, w) => free + (1 + w) * (told - free);

const wrongGuides: readonly (readonly [hint: string, guide: Guide])[] = [
  // first, since at w = 0 that is what the wrong branch gives, too
  ['at w = 0 nothing is to be added: the answer is the guess that was told the class', (c, u, w) => u + w * (c - u)],
  ['guidance on the wrong branch: this goes away from the class', (c, u, w) => c + (1 + w) * (u - c)],
  ['that is the other way: further from where no class was told, not back to it', (c, u, w) => c - w * (c - u)],
  ['beyond the guess that was told, by w times the difference: not a mean of the two', (c, u, w) => (c + w * u) / (1 + w)],
  ['the guess that was told, 1 + w times: what was not told has to be taken off w times', (c, _, w) => (1 + w) * c],
  ['the two guesses are swapped in what is added', (c, u, w) => u + w * (u - c)],
  ['kept in [−1, 1] already: whoever calls this does that', (c, u, w) => Math.min(1, Math.max(-1, guided(c, u, w)))],
  ['the guess that was told is where guidance starts, so that w = 0 adds nothing', (c, u, w) => c + (1 + w) * (c - u)],
  ['what the class adds is added to a guess: it is none by itself', (c, u, w) => (1 + w) * (c - u)],
  ['in proportion to w, not to its square', (c, u, w) => c + w * w * (c - u)],
  ['without guidance, whatever w', (c) => c],
  ['without the class, whatever w', (_, u) => u],
]; // prettier-ignore

export async function checkGuidance(call: Call, told: Matrix, free: Matrix, w: number): Promise<void> {
  const hint = 'from the guess without a class, through the one with it, and on by w times their difference';
  const got = expectTensor(await call(matrixTensor(told), matrixTensor(free), w), { what: 'the guided guess', shape: [told.length, told[0]!.length], hint }); // prettier-ignore
  const of = (guide: Guide) => matrixTensor(told.map((row, n) => row.map((c, d) => guide(c, free[n]![d]!, w))));
  const mistakes = wrongGuides.map(([text, by]): KnownMistake => ({ hint: text, answer: () => of(by) }));
  expectAnswer(got, of(guided), { what: `the guided guess at w = ${w}`, rtol: 1e-4, atol: 1e-5, hint }, mistakes);
}

export const guidance: Exercise = {
  id: 'diffusion.guidance',
  chapter,
  functionName: 'guide',
  title: 'the bug: guidance on the wrong branch',
  points: 2,
  allOrNothing: true,
  hints: [
    'What should come out at w = 0? And where does the guess go as w grows: towards what the class makes of the picture, or away from it?',
    'x̂ without a class is what all classes have in common; x̂ told the class, less that, is what the class adds. Guidance takes 1 + w times of what it adds.',
    'unconditional + (1 + w) (conditional − unconditional). Compare it with the code, term by term.',
  ],
  checks: [
    {
      name: 'w = 0 is the model itself',
      run: ({ call }) => checkGuidance(call, [[0.5, -1]], [[0.25, 0.5]], 0),
    },
    {
      name: 'further than the class',
      async run({ call }) {
        await checkGuidance(call, [[0.5, -1]], [[0.25, 0.5]], 2);
        await checkGuidance(call, [[1], [0], [-2]], [[0.5], [0.75], [-1]], 0.5);
      },
    },
  ],
};
