/** Chapter 0: how the workbook works. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectNumber, expectTensor, expectTrue } from '../../exercise/compare';
import { Mismatch, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import {
  integers,
  logSumExp,
  matrix,
  matrixTensor,
  meanOf,
  normal,
  smallestFirst,
  vector,
  type Matrix,
  type Vector,
} from './common';
import { dieGradient, endOfTraining, shareOfSum } from './start-die';

const chapter = '00-start';

export type Call = (...args: Value[]) => Promise<Value>;

// start.standardise

const transposed = (rows: Matrix) => rows[0]!.map((_, d) => rows.map((row) => row[d]!));
const squares = (values: Vector) => values.reduce((sum, v) => sum + v ** 2, 0);
function shifted(values: Vector): number[] {
  const mean = meanOf(values);
  return values.map((v) => v - mean);
}
const divided = (values: Vector, by: number) => values.map((v) => v / by);
/** The root of the mean square. */
const sizeOf = (values: Vector) => Math.sqrt(squares(values) / values.length);

/** Each column less its mean, over that scale of it. */
function standardised(x: Matrix, scale: (centred: Vector) => number = sizeOf): number[][] {
  return transposed(
    transposed(x).map((column) => {
      const centred = shifted(column);
      return divided(centred, scale(centred));
    }),
  );
}

function wrongColumns(x: Matrix): readonly KnownMistake[] {
  const columns = transposed(x);
  const overall = sizeOf(columns.flatMap(shifted));
  const lessRowMeans = transposed(x.map(shifted));
  const constant = 'no constant is added to the variance, nor to its root: no column is constant';
  const answers: readonly (readonly [hint: string, answer: () => Matrix])[] = [
    ['that is each row by itself: the axis of the examples is the first, mean(0)', () => transposed(standardised(columns))],
    ['the mean of each row was subtracted: mean(0) averages over the examples', () => transposed(lessRowMeans.map((column) => divided(column, sizeOf(column))))],
    ['one scale for all columns: each column has a variance of its own', () => standardised(x, () => overall)],
    ['divided by the variance: it has the unit squared, so take its square root', () => standardised(x, (c) => sizeOf(c) ** 2)],
    ['the variance of the data themselves is divided by N, not by N − 1', () => standardised(x, (c) => Math.sqrt(squares(c) / (c.length - 1)))],
    ['shifted, but not scaled', () => standardised(x, () => 1)],
    ['multiplied by the deviation: divide by it', () => standardised(x, (c) => 1 / sizeOf(c))],
    ['scaled, but not shifted', () => transposed(columns.map((column) => divided(column, sizeOf(shifted(column)))))],
    ...[1e-5, 1e-6, 1e-7, 1e-8].flatMap((epsilon) => [
      [constant, () => standardised(x, (c) => Math.sqrt(squares(c) / c.length + epsilon))] as const,
      [constant, () => standardised(x, (c) => sizeOf(c) + epsilon)] as const,
    ]),
  ]; // prettier-ignore
  return answers.map(([hint, answer]) => ({ hint, answer: () => matrixTensor(answer()) }));
}

export async function checkStandardise(call: Call, x: tf.Tensor, hint?: string): Promise<void> {
  const got = expectTensor(await call(x), { what: 'the columns', shape: x.shape });
  const tolerance = { what: 'the columns', rtol: 1e-3, atol: 1e-3, ...(hint !== undefined && { hint }) };
  expectAnswer(got, matrixTensor(standardised(matrix(x))), tolerance, wrongColumns(matrix(x)));
}

/** Three columns of eight numbers between −1 and 1, the same for everybody: what decides must not hang on a seed. */
export const FIXED: Matrix = Array.from({ length: 8 }, (_, n) => [1, 2, 3].map((d) => Math.sin(7 * n + d * (n + 1))));

const standardise: Exercise = {
  id: 'start.standardise',
  chapter,
  functionName: 'standardise',
  title: 'every column to mean 0 and variance 1',
  points: 1,
  hints: [
    'Along which axis do you average to get one number for each column? Which axis has gone afterwards?',
    'Two steps: subtract the mean of each column, then divide by the square root of the mean of the squares of what is left. Both are of shape [D] and broadcast over the rows.',
    'Call mean(0) on x and subtract it. Square the difference, take mean(0) of that and its square root, and divide the difference by it.',
  ],
  checks: [
    {
      name: 'a column 1, 3 becomes −1, 1',
      run: ({ call }) => {
        const x = tf.tensor2d([
          [1, 10],
          [3, 50],
        ]);
        return checkStandardise(call, x, 'each column by itself, with the variance divided by N');
      },
    },
    {
      name: 'agrees with the formula, also for as many rows as columns',
      async run({ call, rng }) {
        for (const shape of smallestFirst([
          [6, 4],
          [4, 4],
          [30, 1],
        ])) {
          const x = tf.tidy(() => normal(rng, `x ${shape.join(' ')}`, shape, 3).add(5));
          await checkStandardise(call, x);
        }
      },
    },
    {
      name: 'works in any unit, however small the numbers',
      async run({ call }) {
        for (const unit of [1e-4, 1e-9])
          await checkStandardise(call, matrixTensor(FIXED.map((row) => row.map((v) => v * unit))), 'any unit will do');
      },
    },
    {
      name: 'and anywhere: shifted first, then squared',
      run: ({ call }) =>
        checkStandardise(
          call,
          matrixTensor(FIXED.map((row) => row.map((v) => 1000 + Math.round(256 * v) / 256))), // exact in float32
          'a mean of squares less a square of the mean is a small difference of large numbers, and float32 has seven digits: subtract the mean first, then square',
        ),
    },
  ],
};

// start.twoDice

/** So many that a bell curve, rounded to the sums, is twelve standard errors off. */
export const COUNT = 60_000;

export async function throwTwo(call: Call, rng: Rng, count: number): Promise<Vector> {
  const got = await call(count, rng);
  return vector(expectTensor(got, { what: 'the sums', shape: [count], hint: 'one number a throw' }));
}

/** The shares of the sums 0 … 16 of two independent dice whose faces 0 … 8 have these probabilities. */
function sumsOf(die: Vector): number[] {
  const shares = new Array<number>(17).fill(0);
  die.forEach((p, a) => die.forEach((q, b) => (shares[a + b]! += p * q)));
  return shares;
}
const FAIR = sumsOf([0, 1, 1, 1, 1, 1, 1].map((v) => v / 6));
const DOUBLES = FAIR.map((_, sum) => (sum >= 2 && sum <= 12 && sum % 2 === 0 ? 1 / 6 : 0));

/** Shares of the sums that known mistakes have. */
const WRONG_DICE: readonly (readonly [hint: string, shares: Vector])[] = [
  ['the two dice must not know of each other: fork with two labels', DOUBLES],
  ['rounded, the outer faces are half as likely as the others: floor(6 u) + 1', sumsOf([0, 1, 2, 2, 2, 2, 1].map((v) => v / 10))],
  ['rounded, there are seven faces: floor(6 u) + 1', sumsOf([0, 1, 2, 2, 2, 2, 2, 1].map((v) => v / 12))],
  ['the faces are 1 … 6: floor(6 u) is 0 … 5', sumsOf([1, 1, 1, 1, 1, 1].map((v) => v / 6))],
  ['six faces: the floor of 5 u has five, and the floor of 7 u seven', sumsOf([0, 1, 1, 1, 1, 1].map((v) => v / 5))],
  ['the sums are not equally likely: throw two dice and add up', FAIR.map((p) => (p > 0 ? 1 / 11 : 0))],
  ['one die alone: throw two and add up', FAIR.map((_, sum) => (sum >= 1 && sum <= 6 ? 1 / 6 : 0))],
]; // prettier-ignore

/** Six standard errors of a share, and the rounding of none. */
const margin = (p: number) => 6 * Math.sqrt((p * (1 - p)) / COUNT) + 1e-9;

function expectShares(sums: Vector): void {
  const shares = FAIR.map((_, sum) => sums.reduce((count, s) => count + (s === sum ? 1 : 0), 0) / COUNT);
  const isLike = (wanted: Vector) => wanted.every((p, sum) => Math.abs(shares[sum]! - p) <= margin(p));
  const wrong = FAIR.findIndex((p, sum) => Math.abs(shares[sum]! - p) > margin(p));
  if (wrong < 0) return;
  const [hint = 'floor(6 u) + 1 for each of two dice, and their sum'] = WRONG_DICE.find(([, p]) => isLike(p)) ?? [];
  const wanted = `the share of ${wrong} to be ${FAIR[wrong]!.toFixed(3)} ± ${margin(FAIR[wrong]!).toFixed(3)}`;
  throw new Mismatch(wanted, shares[wrong]!.toFixed(3), hint);
}

const twoDice: Exercise = {
  id: 'start.twoDice',
  chapter,
  functionName: 'twoDice',
  title: 'the sum of two dice',
  points: 2,
  hints: [
    'Why is 7 more frequent than 2? And what would you see if both dice always showed the same face?',
    'Two streams with different labels, one uniform number a throw from each. Six times u lies in [0, 6), and its floor is 0 … 5, each equally likely.',
    'For each die: fork, draw uniform numbers of shape [count], multiply by 6, floor, add 1. Then add the two tensors.',
  ],
  checks: [
    {
      name: 'the sums are whole numbers',
      law: true,
      async run({ call, rng }) {
        const sums = await throwTwo(call, rng.fork('throws'), 500);
        const broken = sums.find((sum) => !Number.isInteger(sum));
        expectTrue(broken === undefined, 'whole numbers', `${broken}`, 'floor(6 u) + 1 for each die');
      },
    },
    {
      name: 'every sum from 2 to 12 has its share: 7 in a sixth of the throws, 2 in one of 36',
      async run({ call, rng }) {
        expectShares(await throwTwo(call, rng.fork('throws'), COUNT));
      },
    },
    {
      name: 'the same rng gives the same throws, another one gives others',
      law: true,
      async run({ call, rng }) {
        const first = await throwTwo(call, rng.fork('one'), 50);
        const hint = 'take all randomness from rng';
        const again = await throwTwo(call, rng.fork('one'), 50);
        expectClose(tf.tensor1d([...again]), tf.tensor1d([...first]), { what: 'the sums', hint });
        const other = await throwTwo(call, rng.fork('two'), 50);
        const differ = other.some((sum, n) => sum !== first[n]);
        expectTrue(differ, 'other throws from another rng', 'the same ones', hint);
      },
    },
  ],
};

// start.dieLoss

export async function checkLoss(call: Call, logits: tf.Tensor, x: tf.Tensor, hint?: string): Promise<void> {
  const theta = vector(logits);
  const each = (cost: (v: number) => number) => vector(x).map(cost);
  const logP = (v: number) => theta[v]! - logSumExp(theta);
  const mistakes: readonly (readonly [hint: string, answer: number])[] = [
    ['nats per throw: the mean, not the sum', -each(logP).reduce((a, b) => a + b, 0)],
    ['the sign: a likely throw costs little, an impossible one much', meanOf(each(logP))],
    ['logits are no log-probabilities yet: tf.logSoftmax', -meanOf(each((v) => theta[v]!))],
    ['the logarithm of the probability, not the probability', -meanOf(each((v) => Math.exp(logP(v))))],
    ['nats: the natural logarithm, not log₂', -meanOf(each(logP)) / Math.LN2],
    ['the mean over all faces: a throw picks the one face that came', -meanOf(theta.map((_, v) => logP(v)))],
    ['the logarithm of the mean probability: the mean of the logarithms is asked for', -Math.log(meanOf(each((v) => Math.exp(logP(v)))))],
    ...[1e-6, 1e-7, 1e-8].map((floor) => ['clipping a probability makes a certain error cheap: tf.logSoftmax needs no clip', -meanOf(each((v) => Math.max(Math.log(floor), logP(v))))] as const),
  ]; // prettier-ignore
  const got = await call(logits, x);
  expectTensor(got, { what: 'the loss', shape: [], nonFinite: true, hint: 'a scalar: the mean over the throws' });
  const tolerance = { what: 'the loss', rtol: 1e-4, atol: 1e-4, ...(hint !== undefined && { hint }) };
  const known = mistakes.map(([hint, answer]) => ({ hint, answer: () => tf.scalar(answer) }));
  expectAnswer(got, tf.scalar(-meanOf(each(logP))), tolerance, known);
}

/** What throws cost of a face that nearly always comes, and of three that hardly ever do: from 0 to 150 nats. */
const RARE = { logits: [60, 20, -40, -90], throws: [0, 1, 2, 3, 1] } as const;

const dieLoss: Exercise = {
  id: 'start.dieLoss',
  chapter,
  functionName: 'dieLoss',
  title: 'the negative log-likelihood of a loaded die',
  points: 1,
  hints: [
    'Which six numbers does the model give, and which of them does a throw pick? Should a likely throw cost more or less than an unlikely one?',
    'The log-probabilities are the log-softmax of the logits. Every throw picks one of them by its face; the loss is minus their mean.',
    'Take tf.logSoftmax of the logits. tf.gather picks its entries by the throws, which have to be integers for that (toInt). Mean, then neg.',
  ],
  checks: [
    {
      name: 'equal logits cost ln V a throw',
      run: ({ call }) =>
        checkLoss(call, tf.zeros([6]), tf.tensor1d([0, 5, 2, 2]), 'softmax of equal logits is 1 / V for each face'),
    },
    {
      name: 'agrees with the formula for other logits and other numbers of faces',
      async run({ call, rng }) {
        for (const [V, N] of smallestFirst([
          [6, 40],
          [3, 3],
          [20, 1],
        ] as const)) {
          const here = rng.fork(`${V} ${N}`);
          await checkLoss(call, normal(here, 'logits', [V], 2), integers(here, 'x', [N], V), 'softmax, then ln');
        }
      },
    },
    {
      name: 'a number added to all logits changes nothing, even a thousand',
      async run({ call, rng }) {
        const [logits, x] = [normal(rng, 'logits', [5]), integers(rng, 'x', [12], 5)];
        const hint = 'tf.logSoftmax takes the largest logit out first';
        await checkLoss(call, logits.add(1000), x, hint);
      },
    },
    {
      name: 'a throw that the model calls impossible costs its full price',
      async run({ call }) {
        const hint = 'e to the −150 is 0 in 32 bits: stay on the log scale, with tf.logSoftmax';
        for (const face of RARE.throws) await checkLoss(call, tf.tensor1d([...RARE.logits]), tf.tensor1d([face]), hint);
        await checkLoss(call, tf.tensor1d([...RARE.logits]), tf.tensor1d([...RARE.throws]), hint);
      },
    },
  ],
};

// start.shareRight

export async function checkShare(call: Call, right: Vector, sizes: Vector, hint?: string): Promise<void> {
  const total = (counts: Vector) => counts.reduce((a, b) => a + b, 0);
  const mistakes: readonly (readonly [hint: string, answer: number])[] = [
    ['one success too many: before the first batch, how many have come?', (total(right) + 1) / total(sizes)],
    ['an example too many in both counts: before the first batch, how many have come?', (total(right) + 1) / (total(sizes) + 1)],
    ['the total starts at 0 as well', total(right) / (total(sizes) + 1)],
    ['the mean of the batches’ shares: a small batch then counts as much as a large one', meanOf(right.map((count, b) => count / sizes[b]!))],
    ['divided by the size of the last batch: the total of all is asked for', total(right) / sizes.at(-1)!],
    ['divided by the number of batches', total(right) / sizes.length],
    ['in percent: a share lies between 0 and 1', (100 * total(right)) / total(sizes)],
  ]; // prettier-ignore
  const share = expectNumber(await call(right, sizes), { what: 'the share' });
  const tolerance = { what: 'the share', rtol: 1e-6, atol: 1e-9, ...(hint !== undefined && { hint }) };
  const known = mistakes.map(([hint, answer]) => ({ hint, answer: () => answer }));
  expectAnswer(share, total(right) / total(sizes), tolerance, known);
}

const shareRight: Exercise = {
  id: 'start.shareRight',
  chapter,
  functionName: 'shareRight',
  title: 'the bug to find',
  points: 1,
  allOrNothing: true,
  hints: [
    'What share should a model get that guesses nothing right? What does the code answer?',
    'A running sum is the sum of what came so far. Before the first batch, how much has come?',
    'Only the starting value of one of the two variables is wrong.',
  ],
  checks: [
    {
      name: 'nothing right is 0, all right is 1',
      async run({ call }) {
        await checkShare(call, [0, 0], [5, 5], 'a share lies between 0 and 1');
        await checkShare(call, [5, 5], [5, 5], 'a share lies between 0 and 1');
      },
    },
    {
      name: 'batches of different sizes count by their examples',
      run: ({ call }) => checkShare(call, [30, 1], [32, 2], '31 of 34, not the mean of two shares'),
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  standardise,
  twoDice,
  shareOfSum,
  dieLoss,
  dieGradient,
  endOfTraining,
  shareRight,
];
