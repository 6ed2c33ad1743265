/** Chapter 0: how the workbook works. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectNumber, expectTensor, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import {
  expectWithin,
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

const chapter = '00-start';

export type Call = (...args: Value[]) => Promise<Value>;

// start.standardise

function standardised(x: Matrix): number[][] {
  const columns = x[0]!.map((_, d) => x.map((row) => row[d]!));
  const moments = columns.map((column) => {
    const mean = meanOf(column);
    return { mean, deviation: Math.sqrt(meanOf(column.map((v) => (v - mean) ** 2))) };
  });
  return x.map((row) => row.map((v, d) => (v - moments[d]!.mean) / moments[d]!.deviation));
}

export async function checkStandardise(call: Call, x: tf.Tensor, hint: string): Promise<void> {
  const got = await call(x);
  expectTensor(got, { what: 'the columns', shape: x.shape, hint });
  expectClose(got, matrixTensor(standardised(matrix(x))), { what: 'the columns', rtol: 1e-3, atol: 1e-3, hint });
}

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
          await checkStandardise(call, x, 'the axis of the examples is the first');
        }
      },
    },
    {
      name: 'works in any unit, however small the numbers',
      run: ({ call, rng }) =>
        checkStandardise(
          call,
          normal(rng, 'x', [8, 3], 1e-4),
          'no constant is added to the variance: no column is constant',
        ),
    },
  ],
};

// start.twoDice

export const COUNT = 6000;

export async function throwTwo(call: Call, rng: Rng, count: number): Promise<Vector> {
  const got = await call(count, rng);
  return vector(expectTensor(got, { what: 'the sums', shape: [count], hint: 'one number a throw' }));
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
      name: 'the sums are whole numbers from 2 to 12, and all of them occur',
      async run({ call, rng }) {
        const seen = [...new Set(await throwTwo(call, rng.fork('throws'), COUNT))].sort((a, b) => a - b);
        const wanted = Array.from({ length: 11 }, (_, i) => i + 2).join(', ');
        expectTrue(seen.join(', ') === wanted, wanted, seen.slice(0, 14).join(', '), 'floor(6 u) + 1 for each die');
      },
    },
    {
      name: 'every sum has its share: 7 in a sixth of the throws, 2 in one of 36',
      async run({ call, rng }) {
        const sums = await throwTwo(call, rng.fork('throws'), COUNT);
        for (let sum = 2; sum <= 12; sum++) {
          const p = (6 - Math.abs(sum - 7)) / 36;
          const share = meanOf(sums.map((s) => (s === sum ? 1 : 0)));
          const hint = 'the two dice must not know of each other: fork with two labels';
          expectWithin(share, p, Math.sqrt((p * (1 - p)) / COUNT), `the share of ${sum}`, hint);
        }
      },
    },
    {
      name: 'the same rng gives the same throws, another one gives others',
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

export async function checkLoss(call: Call, logits: tf.Tensor, x: tf.Tensor, hint: string): Promise<void> {
  const theta = vector(logits);
  const expected = meanOf(vector(x).map((v) => logSumExp(theta) - theta[v]!));
  const got = await call(logits, x);
  expectTensor(got, { what: 'the loss', shape: [], hint: 'a scalar: the mean over the throws' });
  expectClose(got, tf.scalar(expected), { what: 'the loss', rtol: 1e-4, atol: 1e-4, hint });
}

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
        checkLoss(call, tf.zeros([6]), tf.tensor1d([0, 5, 2, 2]), 'nats per throw: the mean, not the sum'),
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
  ],
};

// start.shareRight

export async function checkShare(call: Call, right: Vector, sizes: Vector, hint?: string): Promise<void> {
  const total = (counts: Vector) => counts.reduce((a, b) => a + b, 0);
  const share = expectNumber(await call(right, sizes), { what: 'the share' });
  expectClose(share, total(right) / total(sizes), { what: 'the share', rtol: 1e-6, atol: 1e-9, ...(hint && { hint }) });
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
export const exercises: readonly Exercise[] = [standardise, twoDice, dieLoss, shareRight];
