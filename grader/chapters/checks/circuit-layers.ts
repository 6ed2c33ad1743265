/** Chapter 4: layers of sums, their EM step, how a sum chooses, and what two halves tell of each other. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectNumber, expectTensor } from '../../exercise/compare';
import type { Exercise } from '../../exercise/exercise';
import { expectAnswer, roundings, type KnownMistake } from './answer';
import { chapter, distribution, type Call } from './circuit-units';
import {
  logSumExp,
  matrix,
  matrixTensor,
  normal,
  smallestFirst,
  softmax,
  vector,
  type Matrix,
  type Vector,
} from './common';

const add = (values: Vector) => values.reduce((a, b) => a + b, 0);
const sizeOf = (a: tf.Tensor) => Math.max(...vector(a.flatten()).filter(Number.isFinite).map(Math.abs), 1);

// circuit.sumLayer

const layerOf = (a: Matrix, logW: Matrix) =>
  a.map((row) => logW.map((weights) => logSumExp(weights.map((w, j) => w + row[j]!))));

export const logWeights = (rng: Rng, K: number, J: number) =>
  tf.tidy(() => tf.logSoftmax(rng.fork('weights').normal([K, J]).mul(1.5)));

const wrongLayers = (a: Matrix, logW: Matrix): readonly KnownMistake[] => {
  const from = (f: (row: Vector, weights: Vector) => number) => () =>
    matrixTensor(a.map((row) => logW.map((weights) => f(row, weights))));
  const right = (row: Vector, weights: Vector) => logSumExp(weights.map((w, j) => w + row[j]!));
  return [
    { hint: 'the largest that was taken out is added back at the end', answer: from((row, w) => right(row, w) - Math.max(...row)) },
    { hint: 'this is the sum itself: its logarithm is asked for', answer: from((row, w) => Math.exp(right(row, w))) },
    { hint: 'the weights come as logarithms: exp makes them weights', answer: from((row, w) => Math.log(add(row.map((v, j) => w[j]! * Math.exp(v))))) },
    { hint: 'the weights are missing', answer: from((row) => logSumExp(row)) },
    { hint: 'the largest input is a mean of none of them: a sum unit adds up', answer: from((row, w) => Math.max(...row.map((v, j) => v + w[j]!))) },
    { hint: 'a weighted mean of logarithms is a product of powers: the sum is inside the logarithm', answer: from((row, w) => add(row.map((v, j) => Math.exp(w[j]!) * v))) },
  ]; // prettier-ignore
};

export async function checkSumLayer(call: Call, a: tf.Tensor, logW: tf.Tensor, hint?: string): Promise<void> {
  const shape = [a.shape[0]!, logW.shape[0]!] as [number, number];
  const about = { what: 'the layer', ...(hint !== undefined && { hint }) };
  const got = expectTensor(await call(a, logW), { ...about, shape, nonFinite: true });
  const expected = tf.tensor2d(layerOf(matrix(a), matrix(logW)), shape);
  expectAnswer(got, expected, { ...about, rtol: 1e-5, atol: 1e-4 }, wrongLayers(matrix(a), matrix(logW)));
}

export const sumLayer: Exercise = {
  id: 'circuit.sumLayer',
  chapter,
  functionName: 'sumLayer',
  title: 'a layer of sums, in logarithms',
  points: 2,
  hints: [
    'Without logarithms, which one operation multiplies [B, J] with the transpose of [K, J]? What goes wrong with e to the −1000?',
    'Subtract each example’s largest input before you exponentiate, and add it back after the logarithm: it is the same factor in every term of every sum of that example.',
    'a.max over axis 1, kept, is [B, 1]. exp of (a − that) times exp(logW), transposed, is [B, K]; logarithm; plus the maximum, which broadcasts.',
  ],
  checks: [
    {
      name: 'agrees with the formula, for several sizes',
      async run({ call, rng }) {
        for (const [B, J, K] of smallestFirst([[5, 3, 4], [3, 3, 3], [1, 4, 2], [4, 1, 2], [2, 5, 1]] as const)) {
          const here = rng.fork(`${B} ${J} ${K}`);
          await checkSumLayer(call, normal(here, 'a', [B, J], 2), logWeights(here, K, J), 'the weights are logarithms');
        }
      }, // prettier-ignore
    },
    {
      name: 'equal inputs come out as they went in, since weights sum to 1',
      async run({ call, rng }) {
        for (const value of [-3, 0, 7]) {
          const logW = logWeights(rng.fork(`${value}`), 3, 4);
          await checkSumLayer(call, tf.fill([2, 4], value), logW, 'Σ w e^a is e^a when all a are the same');
        }
      },
    },
    {
      name: 'works around −1,000, and when examples lie far apart',
      async run({ call, rng }) {
        const far = tf.tidy(() => normal(rng, 'a', [3, 4], 3).add(tf.tensor2d([[-1000], [0], [500]])));
        await checkSumLayer(call, far, logWeights(rng, 2, 4), 'take the maximum of each example, not of the batch');
      },
    },
    {
      name: 'one input may be hundreds of nats above the others',
      async run({ call, rng }) {
        const a = tf.tensor2d([[0, -300, -700], [-900, -200, -950]]); // prettier-ignore
        await checkSumLayer(call, a, logWeights(rng, 3, 3), 'take out the largest, not the mean');
      },
    },
  ],
};

// circuit.emSum

export interface EmSumInput {
  readonly a: tf.Tensor;
  readonly logW: tf.Tensor;
  readonly asked: tf.Tensor;
  readonly alpha: number;
}

interface EmSumParts {
  readonly r: Matrix;
  readonly f: Vector;
  readonly J: number;
  readonly alpha: number;
}

const countsOf = ({ r, f, J, alpha }: EmSumParts) =>
  Array.from({ length: J }, (_, j) => alpha / J + r.reduce((total, row, n) => total + f[n]! * row[j]!, 0));
const logShares = (counts: Vector) => counts.map((count) => Math.log(count / add(counts)));

const wrongSums = ({ a, logW }: EmSumInput, parts: EmSumParts): readonly KnownMistake[] => {
  const { f, J, alpha, r } = parts;
  const from = (changed: Partial<EmSumParts>, finish = logShares) => () => tf.tensor1d(finish(countsOf({ ...parts, ...changed }))); // prettier-ignore
  return [
    { hint: 'these are weights: their logarithms are asked for', answer: from({}, (counts) => counts.map((c) => c / add(counts))) },
    { hint: 'an example counts by how probable it is that this sum is asked at all: f_n', answer: from({ f: f.map(() => 1) }) },
    { hint: 'which input is taken depends on the weights so far as well: w_j e^a', answer: from({ r: matrix(a).map(softmax) }) },
    { hint: 'which input is taken depends on how well it explains the example: w_j e^a', answer: from({ r: r.map(() => softmax(vector(logW))) }) },
    { hint: 'the α imaginary examples are shared by the inputs: α / J each', answer: from({ alpha: alpha * J }) },
    { hint: 'the imaginary examples are missing', answer: from({ alpha: 0 }) },
    { hint: 'divide by how many examples asked, Σ f_n + α, not by all of them', answer: from({}, (counts) => counts.map((c) => Math.log(c / r.length))) },
    { hint: 'counts are no weights yet: divide by their sum', answer: from({}, (counts) => counts.map(Math.log)) },
  ]; // prettier-ignore
};

export function emSumInput(rng: Rng, N: number, J: number, alpha: number): EmSumInput {
  return {
    a: normal(rng, 'a', [N, J], 2),
    logW: tf.tidy(() => logWeights(rng, 1, J).squeeze([0])),
    asked: rng.fork('asked').uniform([N]),
    alpha,
  };
}

export async function runEmSum(call: Call, { a, logW, asked, alpha }: EmSumInput, hint?: string): Promise<tf.Tensor> {
  const got = await call(a, logW, asked, alpha);
  return expectTensor(got, {
    what: 'the new weights (ln)',
    shape: logW.shape,
    nonFinite: true,
    ...(hint !== undefined && { hint }),
  });
}

export async function checkEmSum(call: Call, input: EmSumInput, hint: string): Promise<void> {
  const got = await runEmSum(call, input, hint);
  const logW = vector(input.logW);
  const r = matrix(input.a).map((row) => softmax(row.map((v, j) => v + logW[j]!)));
  const parts = { r, f: vector(input.asked), J: logW.length, alpha: input.alpha };
  const tolerance = { what: 'the new weights (ln)', atol: 1e-4 + roundings(sizeOf(input.a)), hint };
  expectAnswer(got, tf.tensor1d(logShares(countsOf(parts))), tolerance, wrongSums(input, parts));
}

export const emSum: Exercise = {
  id: 'circuit.emSum',
  chapter,
  functionName: 'emSum',
  title: 'the EM step of a sum',
  points: 3,
  hints: [
    'Two questions for every example: was this sum asked at all, and if so, which input did it take? Which argument answers which?',
    'r is a softmax over the inputs of ln w + a. The count of an input is Σ f r over the examples, plus its share α / J; the new weights are the counts over their sum.',
    'softmax of a plus logW, times asked with a new last axis, summed over axis 0, plus α / J; divide by the sum and take the logarithm.',
  ],
  checks: [
    {
      name: 'agrees with the formula',
      async run({ call, rng }) {
        for (const [N, J, alpha] of [[1, 3, 1], [6, 1, 0.5], [4, 4, 2], [12, 3, 0.7]] as const)
          await checkEmSum(call, emSumInput(rng.fork(`${N} ${J}`), N, J, alpha), 'counts over their sum');
      }, // prettier-ignore
    },
    {
      name: 'an example that never asks does not count',
      async run({ call, rng }) {
        const input = emSumInput(rng, 6, 3, 0.2);
        const asked = tf.tensor1d([1, 0, 1, 0, 0, 1]);
        await checkEmSum(call, { ...input, asked }, 'multiply by asked, one number an example');
      },
    },
    {
      name: 'a sum that nobody asks gets even weights',
      async run({ call, rng }) {
        const input = { ...emSumInput(rng, 5, 4, 0.3), asked: tf.zeros([5]) };
        await checkEmSum(call, input, 'only the imaginary examples are left, α / J for each input');
      },
    },
    {
      name: 'works with inputs around −1,000, and with α = 0',
      async run({ call, rng }) {
        const input = emSumInput(rng, 8, 3, 0);
        const a = tf.tidy(() => input.a.sub(1000));
        await checkEmSum(call, { ...input, a }, 'softmax takes the largest out by itself');
      },
    },
  ],
};

// circuit.choose

function choicesOf(weights: Vector, a: Matrix): number[][] {
  return a.map((row) => softmax(row.map((v, j) => Math.log(weights[j]!) + v)));
}

const wrongChoices = (w: Vector, a: Matrix): readonly KnownMistake[] => {
  const from = (rows: () => Matrix) => () => matrixTensor(rows());
  const shares = a.map((row) => row.map((v, j) => Math.log(w[j]!) + v)).map((row) => row.map((v) => Math.exp(v - Math.max(...row)))); // prettier-ignore
  return [
    { hint: 'a probability times a logarithm is neither: bring both to the same scale before you multiply', answer: from(() => a.map((row) => row.map((v, j) => w[j]! * v))) },
    { hint: 'a probability times a logarithm is neither, whatever it is divided by: the input that explains the evidence worst comes out first', answer: from(() => a.map((row) => row.map((v, j) => (w[j]! * v) / add(row.map((x, i) => w[i]! * x))))) },
    { hint: 'divide each row by its sum', answer: from(() => shares) },
    { hint: 'these are logarithms: probabilities are asked for', answer: from(() => choicesOf(w, a).map((row) => row.map(Math.log))) },
    { hint: 'a row is one example: its probabilities sum to 1, not those of a column', answer: from(() => shares.map((row) => row.map((v, j) => v / add(shares.map((other) => other[j]!))))) },
    { hint: 'this is the prior: the evidence plays no part', answer: from(() => a.map(() => [...w])) },
    { hint: 'this is the likelihood alone: an input counts by its weight, too', answer: from(() => a.map(softmax)) },
    { hint: 'the weight is a probability: its logarithm is what adds to a', answer: from(() => a.map((row) => softmax(row.map((v, j) => v + w[j]!)))) },
  ]; // prettier-ignore
};

export async function checkChoices(call: Call, weights: tf.Tensor, a: tf.Tensor, hint: string): Promise<void> {
  const shape = a.shape as [number, number];
  const got = expectTensor(await call(weights, a), { what: 'the probabilities', shape, hint, nonFinite: true });
  const [w, rows] = [vector(weights), matrix(a)];
  // ln w + a is a float32 as large as a, and exp makes its rounding a relative error
  const tolerance = { what: 'the probabilities', atol: 1e-5, rtol: 1e-4 + roundings(sizeOf(a)), hint };
  expectAnswer(got, tf.tensor2d(choicesOf(w, rows), shape), tolerance, wrongChoices(w, rows));
}

export const choose: Exercise = {
  id: 'circuit.choose',
  chapter,
  functionName: 'choiceProbabilities',
  title: 'the bug to find',
  points: 2,
  allOrNothing: true,
  hints: [
    'Try evidence that is impossible under all inputs but the first. What should the answer be, and what does the given code say?',
    'Bayes: the prior is the weight, a probability, and a is the logarithm of the likelihood. Bring both to the same scale before you multiply, and divide by what they sum to.',
    'Add the logarithms of the weights to a. Subtract each row’s maximum from that, exponentiate, and divide by the row’s sum, kept as [B, 1].',
  ],
  checks: [
    {
      name: 'without evidence (a = 0) it is the weights',
      run: ({ call, rng }) =>
        checkChoices(call, tf.tensor1d(distribution(rng, 'w', 4)), tf.zeros([2, 4]), 'evidence of probability 1 changes nothing'), // prettier-ignore
    },
    {
      name: 'agrees with Bayes’ rule',
      async run({ call, rng }) {
        for (const [B, J] of smallestFirst([[5, 3], [3, 3], [1, 4], [3, 1]] as const)) {
          const here = rng.fork(`${B} ${J}`);
          const weights = tf.tensor1d(distribution(here, 'w', J));
          await checkChoices(call, weights, normal(here, 'a', [B, J], 2), 'w e^a over its sum');
        }
      }, // prettier-ignore
    },
    {
      name: 'evidence that is a thousand nats unlikely under all inputs',
      async run({ call, rng }) {
        const a = tf.tidy(() => normal(rng, 'a', [3, 4], 2).add(tf.tensor2d([[-1000], [0], [-4000]])));
        await checkChoices(call, tf.tensor1d(distribution(rng, 'w', 4)), a, 'subtract each row’s maximum first');
      },
    },
    {
      name: 'evidence that all inputs but one exclude',
      run: ({ call }) =>
        checkChoices(
          call,
          tf.tensor1d([0.2, 0.5, 0.3]),
          tf.tensor2d([[-3, -Infinity, -Infinity], [-Infinity, -40, -50]]),
          'e to the −∞ is 0',
        ), // prettier-ignore
    },
    {
      name: 'an input of weight 0 is never chosen, however well it explains the evidence',
      run: ({ call }) =>
        checkChoices(
          call,
          tf.tensor1d([0, 0.5, 0.5]),
          tf.tensor2d([[-1, -900, -901]]),
          'take out the largest of ln w + a: without its weight the first input drowns the others',
        ),
    },
  ],
};

// circuit.halvesTell

/** A small world in which two halves depend on each other, and the histogram of it, in which they do not. */
const WORLD: Matrix = [
  [0.25, 0.05, 0.02],
  [0.03, 0.2, 0.05],
  [0.05, 0.05, 0.3],
];

/** Where the mean of ln p(a, b) − ln p(a) − ln p(b) lies, measured in the small world. */
function signOf(pairs: string, model: string): number {
  const [rows, columns] = [WORLD.map(add), WORLD[0]!.map((_, b) => add(WORLD.map((row) => row[b]!)))];
  const apart = rows.map((p) => columns.map((q) => p * q));
  const [drawn, judge] = [pairs === 'of one digit' ? WORLD : apart, model === 'circuit' ? WORLD : apart];
  const mean = add(
    drawn.flatMap((row, a) => row.map((p, b) => p * Math.log(judge[a]![b]! / (rows[a]! * columns[b]!)))),
  );
  return Math.abs(mean) < 1e-9 ? 0 : Math.sign(mean);
}

export async function checkHalves(call: Call, pairs: string, model: string, hint?: string): Promise<void> {
  const what = `the sign for halves ${pairs} and the ${model}`;
  const about = { what, ...(hint !== undefined && { hint }) };
  const got = expectNumber(await call(pairs, model), about);
  const mistakes: KnownMistake[] =
    model === 'histogram'
      ? [{ hint: 'to the histogram all pixels are independent: ln p(upper, lower) is a sum', answer: () => got }]
      : [
          { hint: 'it is an average over pairs that do not come from p: −KL[p(a) p(b) ‖ p(a, b)], and which sign has that?', answer: () => (pairs === 'of one digit' ? NaN : 0) },
          { hint: 'information is an average over pairs as p makes them; these were put together from two', answer: () => (pairs === 'of one digit' ? NaN : 1) },
          { hint: 'pairs that p makes itself: the average is their mutual information', answer: () => (pairs === 'of one digit' ? got : NaN) },
        ]; // prettier-ignore
  expectAnswer(got, signOf(pairs, model), { ...about, atol: 0, rtol: 0 }, mistakes);
}

export const halvesTell: Exercise = {
  id: 'circuit.halvesTell',
  chapter,
  functionName: 'halvesTell',
  title: 'predict: what one half tells of the other',
  points: 1,
  allOrNothing: true,
  hints: [
    'Write the mean as a sum over pairs. With which probabilities do the pairs come, and which stand in the logarithm?',
    'Pairs from p: Σ p(a, b) ln [p(a, b) / (p(a) p(b))] is a KL divergence. Pairs put together from two digits come with p(a) p(b): which divergence is that, and with which sign?',
    'KL divergences are at least 0, and 0 only where both sides are the same. The histogram’s p(a, b) is p(a) p(b) for every pair.',
  ],
  checks: [
    {
      name: 'the circuit: halves of one digit, and of two, as in the table',
      async run({ call }) {
        for (const pairs of ['of one digit', 'of two digits']) await checkHalves(call, pairs, 'circuit');
      },
    },
    {
      name: 'the histogram: halves of one digit, as in the table',
      run: ({ call }) => checkHalves(call, 'of one digit', 'histogram'),
    },
  ],
};
