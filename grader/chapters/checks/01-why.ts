/** Chapter 1: why generative. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectFields, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
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
import { chainLogPartition, declinedShare, oddness } from './why-counting';

const chapter = '01-why';

export type Call = (...args: Value[]) => Promise<Value>;

// why.decide

/** Mistakes, in the order in which they are looked for, of an answer that is a tensor. */
const known = (...pairs: readonly (readonly [hint: string, answer: () => tf.Tensor])[]): readonly KnownMistake[] =>
  pairs.map(([hint, answer]) => ({ hint, answer }));

export async function checkDecide(call: Call, logGiven: tf.Tensor, logPrior: Vector, hint: string): Promise<void> {
  const [B, K] = logGiven.shape as [number, number];
  const got = await call(logGiven, tf.tensor1d([...logPrior]));
  const fields = expectFields(got, ['posterior', 'logP'], { what: 'the answer' });
  const given = matrix(logGiven);
  const joint = given.map((row) => row.map((a, k) => a + logPrior[k]!));
  const one = (of: (row: Vector) => number) => () => tf.tensor1d(joint.map(of));
  const logP = expectTensor(fields.logP, { what: 'logP', shape: [B], nonFinite: true });
  expectAnswer(logP, tf.tensor1d(joint.map(logSumExp)), { what: 'logP', atol: 1e-3, hint: `ln p(x) is ln Σ_k p(x | k) p(k); ${hint}` }, known(
    ['p(x) is the sum over all classes, not its largest term', one((row) => Math.max(...row))],
    ['the prior is missing: p(x) = Σ_k p(x | k) p(k)', () => tf.tensor1d(given.map(logSumExp))],
    ['a sum over the classes, weighed by p(k), not their mean', one((row) => logSumExp(row) - Math.log(K))],
    ['ln p(x), not −ln p(x)', one((row) => -logSumExp(row))],
    ['ln p(x), not p(x)', one((row) => Math.exp(logSumExp(row)))],
    ['probabilities add up, not their logarithms', one((row) => row.reduce((x, y) => x + y))],
  )); // prettier-ignore
  const rows = (of: (row: Vector, n: number) => Vector) => () => matrixTensor(joint.map(of));
  const posterior = expectTensor(fields.posterior, { what: 'posterior', shape: [B, K], nonFinite: true });
  expectAnswer(posterior, matrixTensor(joint.map(softmax)), { what: 'posterior', atol: 1e-3, hint }, known(
    ['the prior is missing: p(k | x) ∝ p(x | k) p(k)', () => matrixTensor(given.map(softmax))],
    ['normalise over the classes of each input, not over the inputs', rows((row, n) => row.map((_, k) => softmax(joint.map((other) => other[k]!))[n]!))],
    ['the posterior, not its logarithm', rows((row) => softmax(row).map(Math.log))],
    ['divide by p(x): the rows must sum to 1', rows((row) => row.map(Math.exp))],
  )); // prettier-ignore
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
        checkDecide(
          call,
          tf.tensor2d([
            [-3, -3],
            [-5, -5],
          ]),
          [Math.log(0.9), Math.log(0.1)],
          'where all p(x | k) are equal, p(k) decides',
        ),
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
      sameForAll: true,
      run: ({ call, rng }) =>
        checkDecide(
          call,
          tf.tidy(() => normal(rng, 'a', [4, 3], 5).sub(1000)),
          logFrequencies(rng, 3),
          'exp(−1000) is 0: stay on the log scale',
        ),
    },
    {
      name: 'works for a batch whose inputs lie a thousand nats apart',
      run: ({ call }) =>
        checkDecide(
          call,
          tf.tensor2d([[-1000, -1002], [0, 1], [600, 598]]), // prettier-ignore
          [Math.log(0.3), Math.log(0.7)],
          'each input has a largest term of its own: take that out, row by row',
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
  const [rows, values, held] = [matrix(posterior), vector(logP), vector(heldOut)];
  const expected = declinedOf(rows, values, held, alpha);
  const got = await call(posterior, logP, heldOut, alpha);
  const whole = "classes are whole numbers: argMax gives int32, and tf.scalar(−1, 'int32') goes with it";
  const isTensor = got instanceof tf.Tensor;
  const shaped = { what: 'the decisions', shape: [expected.length], nonFinite: true };
  if (isTensor && got.dtype !== 'int32') expectTensor(got, { ...shaped, dtype: 'int32', hint: whole });
  const decisions = expectTensor(got, { ...shaped, dtype: 'int32', hint: 'one decision an input' });
  const best = rows.map((row) => row.indexOf(Math.max(...row)));
  const where = (decline: (n: number) => boolean, other: Vector = best) => () =>
    tf.tensor1d(other.map((k, n) => (decline(n) ? -1 : k)), 'int32'); // prettier-ignore
  const shareOf = (counts: (h: number, v: number) => boolean) => (n: number) =>
    held.filter((h) => counts(h, values[n]!)).length / held.length;
  const atMost = shareOf((h, v) => h <= v);
  expectAnswer(decisions, tf.tensor1d(expected, 'int32'), { what: 'the decisions', atol: 0, rtol: 0, hint }, known(
    ['an input as odd as the oddest is not odder than all: at most counts equals', where((n) => shareOf((h, v) => h < v)(n) < alpha)],
    ['a share equal to alpha is allowed: decline where it is less', where((n) => atMost(n) <= alpha)],
    ['a sure posterior is no reason to decide: it is ln p(x) that counts', where((n) => Math.max(...rows[n]!) < 1 - alpha)],
    ['the wrong way round: r(x) is the share of held-out inputs that are at most as likely as x', where((n) => shareOf((h, v) => h >= v)(n) < alpha)],
    ['declines the others: an odd input is one of small share', where((n) => atMost(n) >= alpha)],
    ['the most probable class has the largest posterior', where((n) => atMost(n) < alpha, rows.map((row) => row.indexOf(Math.min(...row))))],
    ['nothing is ever declined: compare the share with alpha', where(() => false)],
    ['a share of the held-out inputs, not ln p(x) itself, is compared with alpha', where((n) => values[n]! < alpha)],
    ['(1 + count) / (N + 1) is the conformal form; here the share is count / N', where((n) => (1 + atMost(n) * held.length) / (held.length + 1) < alpha)],
  )); // prettier-ignore
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
            alpha: 0.3,
          },
          'the share of held-out inputs whose ln p is at most that of x',
        ),
    },
    {
      name: 'an input exactly as odd as the oddest of four is as odd as one in four, which alpha = 0.25 allows',
      run: ({ call }) =>
        checkDecline(
          call,
          {
            posterior: tf.tensor2d([[0.4, 0.6], [0.9, 0.1]]), // prettier-ignore
            logP: tf.tensor1d([-4, -3.5]),
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
  const count = x.size / (loss === 'slope' ? 1 : x.size); // `slope` is a mean over all pixels
  const each = (of: (v: number, slope: number) => number) => () =>
    matrixTensor(matrix(x).map((row) => row.map((v) => of(v, slope(v) / count)))); // prettier-ignore
  const got = await call(given(source), x, epsilon, largest);
  const changed = expectTensor(got, { what: 'the changed images', shape: x.shape, nonFinite: true });
  const right = each((v, s) => clip(v + epsilon * Math.sign(s)))();
  expectAnswer(changed, right, { what: 'the changed images', atol: 1e-4, hint }, known(
    ['not clipped: the scale is 0 … largest', each((v, s) => v + epsilon * Math.sign(s))],
    ['clip after the step, not before', each((v, s) => clip(v) + epsilon * Math.sign(s))],
    ['clipped below only: the scale ends at largest', each((v, s) => Math.max(0, v + epsilon * Math.sign(s)))],
    ['down the loss: an attack raises it', each((v, s) => clip(v - epsilon * Math.sign(s)))],
    ['every pixel by epsilon: the sign of the gradient, not the gradient itself', each((v, s) => clip(v + epsilon * s))],
    ['a pixel on which nothing depends stays: the sign of 0 is 0', each((v, s) => clip(v + epsilon * (s >= 0 ? 1 : -1)))],
    ['0 / 0 where the loss does not depend on a pixel: tf.sign', each((v, s) => clip(v + (epsilon * s) / Math.abs(s)))],
    ['that is the noise alone: add it to x', each((_, s) => epsilon * Math.sign(s))],
  )); // prettier-ignore
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

interface Reading {
  /** The two values of a pixel; 0 and 1 unless said. */
  readonly values?: readonly [number, number];
  /** How often each pair counts; once unless said. */
  readonly pairs?: number;
  readonly from?: number;
  readonly to?: number;
}

/** f of every pattern, or of those from … to of them. */
function everyPattern(b: Vector, J: Matrix, { values = [0, 1], pairs = 1, from, to }: Reading = {}): number[] {
  const patterns = Array.from({ length: 2 ** b.length }, (_, n) => b.map((_, d) => values[((n >> d) & 1) as 0 | 1]));
  return patterns.slice(from, to).map((x) =>
    x.reduce<number>((sum, xd, d) => {
      const right = x.slice(d + 1).reduce<number>((s, xe, i) => s + J[d]![d + 1 + i]! * xe, 0);
      return sum + xd * (b[d]! + pairs * right);
    }, 0),
  );
}

/** Symmetric, 0 on the diagonal. */
export function couplings(rng: Rng, D: number, scale: number): number[][] {
  const u = matrix(normal(rng, 'couplings', [D, D], scale));
  return u.map((row, d) => row.map((_, e) => (d === e ? 0 : u[Math.min(d, e)]![Math.max(d, e)]!)));
}

export async function checkPartition(call: Call, b: Vector, J: Matrix, hint: string): Promise<void> {
  const got = await call(tf.tensor1d([...b]), matrixTensor(J));
  const lnZ = expectTensor(got, { what: 'ln Z', shape: [], nonFinite: true, hint: 'a scalar' });
  const right = logSumExp(everyPattern(b, J));
  const of = (reading: Reading) => () => tf.scalar(logSumExp(everyPattern(b, J, reading)));
  expectAnswer(lnZ, tf.scalar(right), { what: 'ln Z', rtol: 1e-4, atol: 1e-3, hint }, known(
    ['every pair once: half of xᵀ J x, for each pair stands in J twice', of({ pairs: 2 })],
    ['the pairs are missing', of({ pairs: 0 })],
    ['each pair in full: J_de x_d x_e for d < e, and ½ xᵀ J x is that already', of({ pairs: 0.5 })],
    ['pixels are 0 or 1, not −1 or 1', of({ values: [-1, 1] })],
    ['a sum over all patterns, not their mean, nor the largest of them', () => tf.scalar(right - b.length * Math.LN2)],
    ['one pattern is missing: the empty one counts as well', of({ from: 1 })],
    ['one pattern is missing: the full one counts as well', of({ to: -1 })],
    ['ln Z, not −ln Z', () => tf.scalar(-right)],
    ['ln Z, not Z', () => tf.scalar(Math.exp(right))],
    ['a sum over all patterns, not the largest of them alone', () => tf.scalar(Math.max(...everyPattern(b, J)))],
  )); // prettier-ignore
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
      sameForAll: true,
      run: ({ call, rng }) =>
        checkPartition(call, vector(normal(rng, 'b', [4], 2)), noCouplings(4), 'a sum of 2^D terms, whatever b is'),
    },
    {
      name: 'agrees with the sum over all patterns, for one to seven pixels',
      async run({ call, rng }) {
        for (const D of [1, 2, 3, 7]) {
          const here = rng.fork(`D = ${D}`);
          const hint = 'f has b_d for every pixel that is 1, and J_de for every pair of them';
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
  const density = expectTensor(got, { what: 'the density', shape: [f.length], nonFinite: true });
  const each = (of: (v: number) => number) => () => tf.tensor1d(f.map(of));
  const p = (v: number) => Math.exp(v - norm);
  expectAnswer(density, each(p)(), { what: 'the density', rtol: 1e-3, atol: 1e-6, hint }, known(
    ['these are probabilities of cells, and sum to 1: a density times the width of a cell is that', each((v) => p(v) * step)],
    ['divide by the width: a finer grid must not give a lower curve', each((v) => p(v) * step ** 2)],
    ['the width once: Z is Σ exp f · step', each((v) => p(v) / step)],
    ['exp f, not exp(−f)', () => tf.tensor1d(softmax(f.map((v) => -v)).map((share) => share / step))],
    ['the density, not its logarithm', each((v) => v - norm)],
    ['divide by Z', each(Math.exp)],
    ['take the largest f out: the constant drops out of the quotient, the peak is not 1', each((v) => Math.exp(v - Math.max(...f)))],
  )); // prettier-ignore
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
        for (const step of [0.5, 0.1, 0.02]) await checkGridDensity(call, bell(step), step, 'divide by Σ exp f · step');
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
export const exercises: readonly Exercise[] = [
  decide,
  declinedShare,
  decideOrDecline,
  adversarialExercise,
  logPartition,
  chainLogPartition,
  gridDensity,
  oddness,
];
