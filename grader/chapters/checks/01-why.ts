/** Chapter 1: why generative. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectFields, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import {
  logSumExp,
  matrix,
  matrixTensor,
  meanOf,
  normal,
  smallestFirst,
  softmax,
  vector,
  type Matrix,
  type Vector,
} from './common';

const chapter = '01-why';

export type Call = (...args: Value[]) => Promise<Value>;

// why.decide

export async function checkDecide(call: Call, logGiven: tf.Tensor, logPrior: Vector, hint: string): Promise<void> {
  const [B, K] = logGiven.shape as [number, number];
  const got = await call(logGiven, tf.tensor1d([...logPrior]));
  const fields = expectFields(got, ['posterior', 'logP'], { what: 'the answer' });
  const joint = matrix(logGiven).map((row) => row.map((a, k) => a + logPrior[k]!));
  expectTensor(fields.logP, { what: 'logP', shape: [B], hint });
  expectClose(fields.logP, tf.tensor1d(joint.map(logSumExp)), { what: 'logP', atol: 1e-3, hint });
  expectTensor(fields.posterior, { what: 'posterior', shape: [B, K], hint });
  expectClose(fields.posterior, matrixTensor(joint.map(softmax)), { what: 'posterior', atol: 1e-3, hint });
}

/** Log-frequencies of K classes, uneven. */
export const logFrequencies = (rng: Rng, K: number): number[] =>
  softmax(vector(normal(rng, 'frequencies', [K], 1.5))).map(Math.log);

const decide: Exercise = {
  id: 'why.decide',
  chapter,
  functionName: 'decide',
  title: 'Bayes’ rule for a batch',
  points: 2,
  hints: [
    'Which one quantity do both answers come from? How does it combine the two inputs on the log scale?',
    'The log-joint is the sum of both logarithms, the prior broadcast over the rows. ln p(x) is its log-sum-exp over the classes, and the posterior is exp of the log-joint minus ln p(x).',
    'Add logPrior to logGiven. Take the library’s logSumExp over axis 1 for logP. Give that a second axis, subtract it from the log-joint, and take exp.',
  ],
  checks: [
    {
      name: 'equal evidence leaves the prior, and p(x) is the evidence itself',
      run: ({ call }) =>
        checkDecide(call, tf.fill([2, 2], -3), [Math.log(0.9), Math.log(0.1)], 'p(k | x) ∝ p(x | k) p(k)'),
    },
    {
      name: 'agrees with the formula for other sizes',
      async run({ call, rng }) {
        for (const [B, K] of smallestFirst([
          [5, 3],
          [3, 3],
          [1, 4],
        ] as const)) {
          const here = rng.fork(`${B} ${K}`);
          const logGiven = normal(here, 'a', [B, K], 3);
          await checkDecide(call, logGiven, logFrequencies(here, K), 'sum over the classes, row by row');
        }
      },
    },
    {
      name: 'works for images, whose log-densities lie around −1,000',
      run: ({ call, rng }) =>
        checkDecide(
          call,
          tf.tidy(() => normal(rng, 'a', [4, 3], 5).sub(1000)),
          logFrequencies(rng, 3),
          'exp(−1000) is 0: stay on the log scale',
        ),
    },
  ],
};

// why.decideOrDecline

function declinedOf(posterior: Matrix, logP: Vector, heldOut: Vector, alpha: number): number[] {
  return posterior.map((row, n) => {
    const share = heldOut.filter((held) => held <= logP[n]!).length / heldOut.length;
    return share < alpha ? -1 : row.indexOf(Math.max(...row));
  });
}

export interface DeclineInput {
  readonly posterior: tf.Tensor;
  readonly logP: tf.Tensor;
  readonly heldOut: tf.Tensor;
  readonly alpha: number;
}

export async function checkDecline(call: Call, input: DeclineInput, hint: string): Promise<void> {
  const { posterior, logP, heldOut, alpha } = input;
  const expected = declinedOf(matrix(posterior), vector(logP), vector(heldOut), alpha);
  const got = await call(posterior, logP, heldOut, alpha);
  expectTensor(got, { what: 'the decisions', shape: [expected.length], dtype: 'int32', hint });
  expectClose(got, tf.tensor1d(expected, 'int32'), { what: 'the decisions', hint });
}

/** Inputs of which about half are odder than most held-out ones; alpha lies between two shares of N. */
export function declineInput(rng: Rng, B: number, K: number, N: number, alpha: number): DeclineInput {
  return {
    posterior: tf.softmax(normal(rng, 'posterior', [B, K], 2)),
    logP: tf.tidy(() => normal(rng, 'logP', [B], 4).sub(2)),
    heldOut: normal(rng, 'held out', [N], 2),
    alpha: (Math.floor(alpha * N) + 0.5) / N,
  };
}

const decideOrDecline: Exercise = {
  id: 'why.decideOrDecline',
  chapter,
  functionName: 'decideOrDecline',
  title: 'decide, or decline what is odd',
  points: 2,
  hints: [
    'For one input: how do you count the held-out inputs that are at least as odd? For all inputs at once, which two shapes have to meet?',
    'Comparing [1, N] with [B, 1] gives [B, N] of true and false; its mean over the second axis is the share. Where the share is below alpha the answer is −1, elsewhere the place of the largest posterior.',
    'Use lessEqual on heldOut and logP with the axes added, toFloat, and mean(1). Then tf.where with less(alpha), an int32 scalar −1, and argMax over axis 1.',
  ],
  checks: [
    {
      name: 'an input as likely as the best is decided, one odder than all is declined',
      run: ({ call }) =>
        checkDecline(
          call,
          {
            posterior: tf.tensor2d([
              [0.2, 0.8],
              [0.01, 0.99],
            ]),
            logP: tf.tensor1d([-1, -9]),
            heldOut: tf.tensor1d([-1, -2, -3, -4]),
            alpha: 0.25,
          },
          'a sure posterior is no reason to decide: it is ln p(x) that counts',
        ),
    },
    {
      name: 'an input exactly as odd as the oddest of four is as odd as one in four, which alpha = 0.25 allows',
      run: ({ call }) =>
        checkDecline(
          call,
          {
            posterior: tf.tensor2d([[0.6, 0.4]]),
            logP: tf.tensor1d([-4]),
            heldOut: tf.tensor1d([-1, -2, -3, -4]),
            alpha: 0.25,
          },
          'at most counts equals, and 0.25 is not less than 0.25',
        ),
    },
    {
      name: 'agrees with counting for other sizes',
      async run({ call, rng }) {
        for (const [B, K, N, alpha] of [
          [1, 3, 10, 0.2],
          [12, 3, 1, 0.5],
          [20, 2, 20, 0.5],
          [30, 4, 50, 0.1],
        ] as const) {
          const input = declineInput(rng.fork(`${B} ${K} ${N}`), B, K, N, alpha);
          await checkDecline(call, input, 'the share of held-out inputs whose ln p is at most that of x');
        }
      },
    },
  ],
};

// why.adversarial

/** Losses of a batch with their slopes, of which some are tiny and some large. */
export const LOSSES = {
  bowl: { source: '(x) => x.sub(5).square().sum()', slope: (x: number) => 2 * (x - 5) },
  wave: { source: '(x) => x.mul(0.7).sin().mul(1e-3).sum()', slope: (x: number) => 0.7e-3 * Math.cos(0.7 * x) },
  slope: { source: '(x) => x.mul(-40).mean()', slope: () => -40 },
} as const;

export interface Attack {
  readonly loss: keyof typeof LOSSES;
  readonly x: tf.Tensor;
  readonly epsilon: number;
  readonly largest: number;
}

export async function checkAdversarial(call: Call, { loss, x, epsilon, largest }: Attack, hint: string): Promise<void> {
  const { source, slope } = LOSSES[loss];
  const clip = (v: number) => Math.min(largest, Math.max(0, v));
  const expected = matrix(x).map((row) => row.map((v) => clip(v + epsilon * Math.sign(slope(v)))));
  const got = await call(given(source), x, epsilon, largest);
  expectTensor(got, { what: 'the changed images', shape: x.shape, hint });
  expectClose(got, matrixTensor(expected), { what: 'the changed images', atol: 1e-4, hint });
}

/** Pixels at 0.3, 1.3, …: away from where the slopes change their sign. */
export const pixels = (rng: Rng, shape: number[], largest: number) =>
  tf.tidy(() => rng.fork('pixels').uniform(shape).mul(largest).floor().add(0.3));

const adversarialExercise: Exercise = {
  id: 'why.adversarial',
  chapter,
  functionName: 'adversarial',
  title: 'the fast gradient sign',
  points: 2,
  hints: [
    'With respect to what is the gradient taken here, and what usually stays fixed that now moves? Up or down?',
    'tf.grad(loss) is a function that takes x to the gradient, of the same shape. Its sign is −1, 0 or 1 for each pixel, so that every pixel moves by the same amount, towards a larger loss.',
    'Apply tf.grad(loss) to x, take sign, multiply by epsilon, add to x, and clip between 0 and largest.',
  ],
  checks: [
    {
      name: 'moves away from the bottom of a bowl, by epsilon',
      run: ({ call }) =>
        checkAdversarial(
          call,
          { loss: 'bowl', x: tf.tensor2d([[3, 7, 9]]), epsilon: 1, largest: 16 },
          'it raises the loss, and every pixel moves by epsilon',
        ),
    },
    {
      name: 'a pixel that the loss does not depend on stays as it is',
      run: ({ call }) =>
        checkAdversarial(
          call,
          { loss: 'bowl', x: tf.tensor2d([[5, 3], [7, 5]]), epsilon: 2, largest: 16 }, // prettier-ignore
          'at the bottom of the bowl, 5, the gradient is 0, and the sign of 0 is 0',
        ),
    },
    {
      name: 'does not leave the scale',
      run: ({ call }) =>
        checkAdversarial(
          call,
          {
            loss: 'bowl',
            x: tf.tensor2d([
              [0, 1, 4],
              [6, 15, 16],
            ]),
            epsilon: 3,
            largest: 16,
          },
          'clip to 0 … largest after the step',
        ),
    },
    {
      name: 'the size of the gradient plays no part',
      async run({ call, rng }) {
        for (const loss of ['wave', 'slope'] as const) {
          const x = pixels(rng.fork(loss), [4, 6], 10);
          await checkAdversarial(call, { loss, x, epsilon: 2, largest: 10 }, 'the sign, not the gradient itself');
        }
      },
    },
  ],
};

// why.logPartition

function logPartitionOf(b: Vector, J: Matrix): number {
  const patterns = Array.from({ length: 2 ** b.length }, (_, n) => b.map((_, d) => (n >> d) & 1));
  const f = patterns.map((x) =>
    x.reduce<number>((sum, xd, d) => {
      const pairs = x.slice(d + 1).reduce<number>((s, xe, i) => s + J[d]![d + 1 + i]! * xe, 0);
      return sum + xd * (b[d]! + pairs);
    }, 0),
  );
  return logSumExp(f);
}

/** Symmetric, 0 on the diagonal. */
export function couplings(rng: Rng, D: number, scale: number): number[][] {
  const u = matrix(normal(rng, 'couplings', [D, D], scale));
  return u.map((row, d) => row.map((_, e) => (d === e ? 0 : u[Math.min(d, e)]![Math.max(d, e)]!)));
}

export async function checkPartition(call: Call, b: Vector, J: Matrix, hint: string): Promise<void> {
  const got = await call(tf.tensor1d([...b]), matrixTensor(J));
  expectTensor(got, { what: 'ln Z', shape: [], hint: 'a scalar' });
  expectClose(got, tf.scalar(logPartitionOf(b, J)), { what: 'ln Z', rtol: 1e-4, atol: 1e-3, hint });
}

const noCouplings = (D: number) => Array.from({ length: D }, () => new Array<number>(D).fill(0));

const logPartition: Exercise = {
  id: 'why.logPartition',
  chapter,
  functionName: 'logPartition',
  title: 'ln Z by enumeration',
  points: 3,
  hints: [
    'How many patterns are there for D pixels, and how do you read the pixels of pattern number n off n itself? Which pattern is number 0?',
    'The bits of n = 0 … 2^D − 1 are all patterns, one a row of [2^D, D]. The quadratic form of all rows at once is the row sums of (x J) times x, half of it; the linear part is the row sums of x times b.',
    'Fill a Float32Array of 2^D · D entries: entry i belongs to pattern floor(i / D) and pixel i mod D, and is that bit. Make the tensor, compute f for all rows, and take logSumExp over axis 0.',
  ],
  checks: [
    {
      name: 'without weights Z counts the patterns: ln Z = D ln 2',
      run: ({ call }) => checkPartition(call, [0, 0, 0, 0, 0], noCouplings(5), '0 and 1, all 2^D patterns'),
    },
    {
      name: 'without pairs it is the product of the single pixels: Σ ln(1 + exp b)',
      run: ({ call, rng }) =>
        checkPartition(call, vector(normal(rng, 'b', [4], 2)), noCouplings(4), 'pixels are 0 or 1, not −1 or 1'),
    },
    {
      name: 'agrees with the sum over all patterns, for one to seven pixels',
      async run({ call, rng }) {
        for (const D of [1, 2, 3, 7]) {
          const here = rng.fork(`D = ${D}`);
          const hint = 'every pair once: half of xᵀ J x';
          await checkPartition(call, vector(normal(here, 'b', [D])), couplings(here, D, 1), hint);
        }
      },
    },
    {
      name: 'works where exp f overflows',
      run: ({ call, rng }) =>
        checkPartition(
          call,
          vector(normal(rng, 'b', [5])).map((v) => v + 60),
          couplings(rng, 5, 2),
          'log-sum-exp: f reaches 300 here',
        ),
    },
  ],
};

// why.gridDensity

export async function checkGridDensity(call: Call, f: Vector, step: number, hint: string): Promise<void> {
  const norm = logSumExp(f) + Math.log(step);
  const got = await call(tf.tensor1d([...f]), step);
  expectTensor(got, { what: 'the density', shape: [f.length], hint });
  const expected = tf.tensor1d(f.map((v) => Math.exp(v - norm)));
  expectClose(got, expected, { what: 'the density', rtol: 1e-3, atol: 1e-6, hint });
}

/** −x² / 2 on −6 … 6. */
export const bell = (step: number): number[] =>
  Array.from({ length: Math.round(12 / step) + 1 }, (_, i) => -0.5 * (-6 + i * step) ** 2);

const gridDensity: Exercise = {
  id: 'why.gridDensity',
  chapter,
  functionName: 'gridDensity',
  title: 'the bug to find',
  points: 2,
  allOrNothing: true,
  hints: [
    'Why do the three curves of one and the same density differ in height? By which factor?',
    'The values that the code returns sum to 1: they are probabilities of cells. A density times the width of a cell is that probability.',
    'Z is the sum of all cells’ areas, height times width. The code has the heights and forgot the width.',
  ],
  checks: [
    {
      name: 'a standard normal peaks at 1/√(2π) on grids of any width',
      async run({ call }) {
        for (const step of [0.5, 0.1, 0.02]) {
          const got = expectTensor(await call(tf.tensor1d(bell(step)), step), { what: 'the density' });
          const hint = 'divide by Σ exp f · step';
          expectClose(got.max(), tf.scalar(1 / Math.sqrt(2 * Math.PI)), { what: 'the peak', rtol: 1e-3, hint });
        }
      },
    },
    {
      name: 'the area is 1 for any f, also for large ones',
      async run({ call, rng }) {
        for (const [G, step, level] of [
          [7, 3, 500],
          [30, 0.25, 0],
          [50, 0.01, -500],
        ] as const) {
          const f = vector(normal(rng, `f ${G}`, [G], 2)).map((v) => v + level);
          const got = expectTensor(await call(tf.tensor1d(f), step), { what: 'the density', shape: [G] });
          expectClose(meanOf(vector(got)) * G * step, 1, { what: 'the area', rtol: 1e-3 });
          await checkGridDensity(call, f, step, 'exp f over Z');
        }
      },
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [decide, decideOrDecline, adversarialExercise, logPartition, gridDensity];
