/** Chapter 3: mixtures. */
import * as tf from '@tensorflow/tfjs';
import { permutation, type Rng } from 'dgm';
import {
  describe,
  expectArray,
  expectClose,
  expectFields,
  expectNumber,
  expectTensor,
  expectTrue,
} from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import {
  expectWithin,
  integers,
  LOG_2PI,
  logNormalOf,
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

const chapter = '03-mixtures';

/** Σ_n r_nk 1[x_nd = v] + α: [K][D][V] */
function weightedCounts(x: Matrix, r: Matrix, values: number, alpha: number): number[][][] {
  return r[0]!.map((_, k) =>
    x[0]!.map((_, d) =>
      Array.from({ length: values }, (_, v) => x.reduce((sum, row, n) => sum + (row[d] === v ? r[n]![k]! : 0), alpha)),
    ),
  );
}

export interface Tables {
  readonly logPi: number[];
  readonly logTheta: number[][][];
}

function mStepOf(x: Matrix, r: Matrix, values: number, alpha: number): Tables {
  const sizes = r[0]!.map((_, k) => r.reduce((sum, row) => sum + row[k]!, alpha));
  const total = sizes.reduce((a, b) => a + b);
  const logNormalised = (counts: Vector) => counts.map((c) => Math.log(c / counts.reduce((a, b) => a + b)));
  return {
    logPi: sizes.map((size) => Math.log(size / total)),
    logTheta: weightedCounts(x, r, values, alpha).map((rows) => rows.map(logNormalised)),
  };
}

/** ln π_k + Σ_d ln ϑ_kdx: [N][K] */
export function logJointOf(x: Matrix, { logPi, logTheta }: Tables): number[][] {
  return x.map((row) => logPi.map((p, k) => row.reduce((sum, v, d) => sum + logTheta[k]![d]![v]!, p)));
}

function emOf(
  x: Matrix,
  start: Matrix,
  values: number,
  alpha: number,
  iterations: number,
): Tables & { nats: number[] } {
  let r = start;
  let tables = mStepOf(x, r, values, alpha);
  const losses: number[] = [];
  for (let done = 0; done < iterations; done++) {
    if (done > 0) tables = mStepOf(x, r, values, alpha);
    const joint = logJointOf(x, tables);
    losses.push(-joint.reduce((sum, row) => sum + logSumExp(row), 0) / x.length);
    r = joint.map(softmax);
  }
  return { ...tables, nats: losses };
}

// Inputs

/** Rows that sum to 1; the first component gets the most, so that the weights π matter. */
export const randomResponsibilities = (rng: Rng, n: number, K: number) =>
  tf.tidy(() => {
    const favour = tf.range(0, K).neg().mul(0.7); // [K]
    return tf.softmax(rng.fork('responsibilities').normal([n, K]).mul(2).add(favour));
  });

// mixture.logNormal

/** B, K, D: all different, all equal (nothing shows which axis is which but the numbers), and 1 in every place. */
const SIZES: readonly (readonly [number, number, number])[] = [
  [5, 3, 4],
  [3, 3, 3],
  [2, 1, 3],
  [1, 4, 2],
  [4, 2, 1],
];

export async function checkLogNormal(
  call: (...args: Value[]) => Promise<Value>,
  rng: Rng,
  B: number,
  K: number,
  D: number,
): Promise<void> {
  const [x, mu] = [normal(rng, 'x', [B, D], 1.5), normal(rng, 'mu', [K, D], 1.5)];
  const logVar = normal(rng, 'logVar', [K, D], 0.7);
  const expected = matrix(x).map((row) => matrix(mu).map((m, k) => logNormalOf(row, m, matrix(logVar)[k]!)));
  const got = await call(x, mu, logVar);
  const what = `log-densities (B = ${B}, K = ${K}, D = ${D})`;
  expectTensor(got, { what, shape: [B, K], hint: 'one row an example, one column a component' });
  // (x² − 2 x μ + μ²) / σ² multiplied out has terms of some hundreds, each known to 6e-8 of itself: 1e-3 covers it
  expectClose(got, tf.tensor2d(expected, [B, K]), { what, rtol: 1e-4, atol: 1e-3 });
}

const logNormal: Exercise = {
  id: 'mixture.logNormal',
  chapter,
  functionName: 'logNormal',
  title: 'the log-density of each Gaussian component',
  points: 2,
  hints: [
    'How many numbers do you want for B examples and K components, and which shape do x and mu need so that subtracting them compares every example with every component?',
    'Each coordinate contributes three terms in the bracket of the formula: ln 2π, the log-variance, and the squared distance over the variance, which is exp of the log-variance. The sum runs over d, and the factor −½ stands before all of it.',
    'Give x a new axis in the middle and mu a new one in front, so that their difference is [B, K, D]. Square it, divide by the variance, add the other two terms, sum over the last axis, and multiply by −½.',
  ],
  checks: [
    {
      name: 'a standard normal in D dimensions has −(D/2) ln 2π at its mean',
      async run({ call }) {
        const zeros = tf.zeros([1, 3]);
        const got = await call(zeros, tf.zeros([1, 3]), tf.zeros([1, 3]));
        const hint = 'every coordinate contributes −½ ln 2π';
        expectClose(got, tf.tensor2d([[-1.5 * LOG_2PI]]), { what: 'log-density', hint });
      },
    },
    {
      name: 'agrees with the formula for B = 5, K = 3, D = 4, and for other sizes',
      async run({ call, rng }) {
        for (const sizes of smallestFirst(SIZES)) await checkLogNormal(call, rng.fork(sizes.join(' ')), ...sizes);
      },
    },
    {
      name: 'exp of it integrates to 1, for small and for large variances',
      async run({ call }) {
        const step = 1 / 64; // a power of two: the grid is exact in float32
        const x = tf.tensor2d(Array.from({ length: 80 * 64 }, (_, i) => [-40 + i * step]));
        const got = expectTensor(await call(x, tf.tensor2d([[0.5], [-1]]), tf.tensor2d([[-2], [3]])), {
          what: 'log-densities',
          shape: [x.shape[0]!, 2],
        });
        // equal steps integrate a Gaussian almost exactly: the rest is float32, where x² / σ² multiplied out leaves 1e-4
        const hint = 'logVar is ln σ²: the variance is exp(logVar), and it is the variance that divides the square';
        expectClose(got.exp().sum(0).mul(step), tf.tensor1d([1, 1]), { what: 'the integral', atol: 1e-3, hint });
      },
    },
  ],
};

// mixture.responsibilities

export async function checkResponsibilities(
  call: (x: tf.Tensor) => Promise<Value>,
  logJoint: tf.Tensor,
  hint?: string,
): Promise<void> {
  const got = await call(logJoint);
  expectTensor(got, { what: 'responsibilities', shape: logJoint.shape, ...(hint === undefined ? {} : { hint }) });
  const expected = tf.tensor2d(matrix(logJoint).map(softmax), logJoint.shape as [number, number]);
  expectClose(got, expected, { what: 'responsibilities', atol: 1e-5, ...(hint === undefined ? {} : { hint }) });
}

const responsibilities: Exercise = {
  id: 'mixture.responsibilities',
  chapter,
  functionName: 'responsibilities',
  title: 'p(k | x) by log-sum-exp',
  points: 2,
  hints: [
    'What does a 32-bit float make of e to the power −1000, and what do you get when you divide two such numbers? What may you add to all the log-joints of one example without changing the answer?',
    'p(k | x) does not change when one number is added to the whole row: it cancels. With the row’s own maximum taken off, the largest term is 1 and the sum lies between 1 and K.',
    'Take the maximum over axis 1 and keep that axis, so that it broadcasts; subtract it. The logarithm of the row’s sum of exponentials is then safe: subtract that, too, and leave the log scale only in the last step.',
  ],
  checks: [
    {
      name: 'agrees with exp(a) / Σ exp(a) on moderate numbers',
      async run({ call, rng }) {
        const shapes = [
          [6, 4],
          [3, 3],
          [1, 5],
          [4, 1],
        ];
        for (const shape of smallestFirst(shapes))
          await checkResponsibilities(call, normal(rng, `a ${shape.join(' ')}`, shape, 3));
      },
    },
    {
      name: 'each row sums to 1',
      async run({ call, rng }) {
        const got = expectTensor(await call(normal(rng, 'a', [7, 5], 20)), { what: 'responsibilities', shape: [7, 5] });
        const hint = 'a row is one example: normalise over its components (axis 1)';
        expectClose(got.sum(1), tf.ones([7]), { what: 'row sums', atol: 1e-5, hint });
      },
    },
    {
      name: 'works for log-densities around −1,000, as digits have them',
      run: ({ call, rng }) =>
        checkResponsibilities(
          call,
          tf.tidy(() => normal(rng, 'a', [6, 4], 3).sub(1000)),
          'exp(−1000) is 0 in floating point: subtract each row’s maximum first',
        ),
    },
    {
      name: 'works when one row lies at +1,000 and another at −1,000',
      run: ({ call, rng }) =>
        checkResponsibilities(
          call,
          tf.tidy(() => normal(rng, 'a', [2, 4], 3).add(tf.tensor2d([[1000], [-1000]]))),
          'subtract the maximum of each row, not of the whole batch',
        ),
    },
    {
      name: 'works when the components of one row lie hundreds of nats apart',
      run: ({ call, rng }) =>
        checkResponsibilities(
          call,
          tf.tidy(() =>
            normal(rng, 'a', [3, 4], 3).add(
              tf.tensor2d([
                [0, 0, -300, 200],
                [-900, -500, -500, -2000],
                [150, 0, 0, 0],
              ]),
            ),
          ),
          'subtract the maximum: the row’s mean, or its minimum, leaves exponents that overflow',
        ),
    },
  ],
};

// mixture.mStep

export interface MStepInput {
  readonly x: tf.Tensor;
  readonly r: tf.Tensor;
  readonly values: number;
  readonly alpha: number;
}

export async function tablesFrom(
  got: Value,
  K: number,
  D: number,
  V: number,
): Promise<{ logPi: tf.Tensor; logTheta: tf.Tensor }> {
  const fields = expectFields(got, ['logPi', 'logTheta'], { what: 'the parameters' });
  return {
    logPi: expectTensor(fields.logPi, { what: 'logPi', shape: [K] }),
    logTheta: expectTensor(fields.logTheta, { what: 'logTheta', shape: [K, D, V] }),
  };
}

function mStepInput(rng: Rng, alpha: number): MStepInput {
  return { x: integers(rng, 'x', [40, 3], 4), r: randomResponsibilities(rng, 40, 2), values: 4, alpha };
}

export async function checkMStep(
  call: (...args: Value[]) => Promise<Value>,
  { x, r, values, alpha }: MStepInput,
  hint?: string,
): Promise<void> {
  const [K, D] = [r.shape[1]!, x.shape[1]!];
  const { logPi, logTheta } = await tablesFrom(await call(x, r, values, alpha), K, D, values);
  const expected = mStepOf(matrix(x), matrix(r), values, alpha);
  const tolerance = { atol: 1e-4, ...(hint === undefined ? {} : { hint }) };
  expectClose(logPi, tf.tensor1d(expected.logPi), { what: 'logPi', ...tolerance });
  expectClose(logTheta, tf.tensor3d(expected.logTheta, [K, D, values]), { what: 'logTheta', ...tolerance });
}

/** Σ_nk r (ln π_k + ln p(x | k)) + α (Σ ln π + Σ ln ϑ): what the M-step maximises. */
function expectedCompleteLogLikelihood({ x, r, alpha }: MStepInput, tables: Tables): number {
  const joint = logJointOf(matrix(x), tables);
  const fit = joint.reduce((sum, row, n) => sum + row.reduce((s, a, k) => s + matrix(r)[n]![k]! * a, 0), 0);
  const prior = [...tables.logPi, ...tables.logTheta.flat(2)].reduce((sum, v) => sum + v, 0);
  return fit + alpha * prior;
}

const mStep: Exercise = {
  id: 'mixture.mStep',
  chapter,
  functionName: 'mStep',
  title: 'the M-step of the categorical mixture',
  points: 3,
  hints: [
    'If every example belonged to one component for certain, what would you count for π, and what for each table? How does the count change when an example belongs to a component by 30 %?',
    'Both are weighted counts plus α, divided by their own sum: for π the responsibilities summed over the examples, for ϑ the same summed over those examples that show the value. α is added to every entry before dividing.',
    'Make the indicator [N, D·V] with tf.oneHot and a reshape. The transpose of r times it is [K, D·V]; reshape to [K, D, V] and add α. Divide by the sum over the last axis, kept, and take the logarithm. The sizes are r summed over axis 0, plus α.',
  ],
  checks: [
    {
      name: 'with certain responsibilities it counts: one component sees the even rows, the other the odd ones',
      async run({ call }) {
        const x = tf.tensor2d([[0], [1], [0], [1], [2], [1]]);
        const r = tf.tensor2d([
          [1, 0],
          [0, 1],
          [1, 0],
          [0, 1],
          [1, 0],
          [0, 1],
        ]);
        const { logPi, logTheta } = await tablesFrom(await call(x, r, 3, 1), 2, 1, 3);
        expectClose(logPi.exp(), tf.tensor1d([0.5, 0.5]), { what: 'π', hint: 'the parameters are logarithms' });
        const expected = tf.tensor3d([[[3 / 6, 1 / 6, 2 / 6]], [[1 / 6, 4 / 6, 1 / 6]]]);
        expectClose(logTheta.exp(), expected, {
          what: 'ϑ',
          hint: 'counts 2, 0, 1 and 0, 3, 0, each plus α = 1, over their sum',
        });
      },
    },
    {
      name: 'agrees with the formulas for soft responsibilities',
      async run({ call, rng }) {
        await checkMStep(call, mStepInput(rng, 0.7));
        const r = (K: number, n: number) => randomResponsibilities(rng.fork(`K = ${K}`), n, K);
        await checkMStep(call, { x: integers(rng, 'three', [30, 3], 3), r: r(3, 30), values: 3, alpha: 2 });
        await checkMStep(call, { x: integers(rng, 'one', [6, 1], 2), r: r(1, 6), values: 2, alpha: 0.3 });
      },
    },
    {
      name: 'a value that nobody has, and a component that owns nothing, live on their imaginary examples',
      async run({ call, rng }) {
        const x = integers(rng, 'x', [20, 2], 3); // the values 3 and 4 never occur
        const r = tf.tidy(() =>
          randomResponsibilities(rng, 20, 2).pad([
            [0, 0],
            [1, 0],
          ]),
        ); // [20, 3], the first column 0
        const hint = 'the tables have one entry for each of `values`, and α goes to every one of them';
        await checkMStep(call, { x, r, values: 5, alpha: 0.4 }, hint);
      },
    },
    {
      name: 'α = 0 leaves the plain weighted frequencies',
      async run({ call, rng }) {
        const x = tf.tensor2d(Array.from({ length: 24 }, (_, n) => [n % 3, (n + 1) % 3])); // every value occurs
        await checkMStep(call, { x, r: randomResponsibilities(rng, 24, 4), values: 3, alpha: 0 });
      },
    },
    {
      name: 'the probabilities sum to 1: over components, and over the values of every coordinate',
      async run({ call, rng }) {
        const { x, r, values, alpha } = mStepInput(rng, 0.2);
        const { logPi, logTheta } = await tablesFrom(await call(x, r, values, alpha), 2, 3, 4);
        expectClose(logPi.exp().sum(), tf.scalar(1), { what: 'Σ π', atol: 1e-5 });
        expectClose(logTheta.exp().sum(2), tf.ones([2, 3]), {
          what: 'Σ_v ϑ',
          atol: 1e-5,
          hint: 'normalise over the last axis',
        });
      },
    },
    {
      name: 'no parameters nearby score higher',
      async run({ call, rng }) {
        const input = mStepInput(rng, 0.5);
        const { logPi, logTheta } = await tablesFrom(await call(input.x, input.r, input.values, input.alpha), 2, 3, 4);
        const here = { logPi: vector(logPi), logTheta: logTheta.arraySync() as number[][][] };
        const best = expectedCompleteLogLikelihood(input, here);
        for (const direction of ['a', 'b', 'c', 'd']) {
          const nudged = (t: tf.Tensor, label: string) =>
            tf.logSoftmax(t.add(normal(rng, direction + label, t.shape, 0.1)));
          const there = {
            logPi: vector(nudged(logPi, 'pi')),
            logTheta: nudged(logTheta, 'theta').arraySync() as number[][][],
          };
          const score = expectedCompleteLogLikelihood(input, there);
          expectTrue(
            score < best,
            `the maximum of the expected complete log-likelihood, ${best.toFixed(4)}`,
            `${score.toFixed(4)} close by`,
          );
        }
      },
    },
  ],
};

// mixture.emLoop

export interface EmInput {
  readonly x: tf.Tensor;
  readonly start: tf.Tensor;
  readonly values: number;
  readonly alpha: number;
}

/**
 * Two kinds of rows, N = 50, D = 4, V = 4, K = 2. The start leans towards the kinds: from anywhere else EM may
 * linger at a saddle, and leave it at a time that float32's rounding decides.
 */
export function emInput(rng: Rng, alpha: number): EmInput {
  const kind = tf.tidy(() => rng.fork('kind').uniform([50, 1]).less(0.4).toFloat()); // [50, 1]
  const x = tf.tidy(() => rng.fork('x').uniform([50, 4]).mul(2.4).add(kind.mul(1.5)).floor()); // 0 … 3
  const logits = tf.tidy(() =>
    rng
      .fork('start')
      .normal([50, 2])
      .add(kind.mul(tf.tensor1d([2, 0]))),
  );
  return { x, start: tf.softmax(logits.sub(tf.tensor1d([0, 0.7]))), values: 4, alpha };
}

export const exactEm = ({ x, start, values, alpha }: EmInput, iterations: number) =>
  emOf(matrix(x), matrix(start), values, alpha, iterations);

export async function runEm(call: (...args: Value[]) => Promise<Value>, input: EmInput, iterations: number) {
  const { x, start, values, alpha } = input;
  const got = await call(x, start, values, alpha, iterations);
  const fields = expectFields(got, ['logPi', 'logTheta', 'nats'], { what: 'the result' });
  const nats = expectArray(fields.nats, { what: 'nats', length: iterations, hint: 'one number after every M-step' });
  return {
    ...(await tablesFrom(got, start.shape[1]!, x.shape[1]!, values)),
    nats: nats.map((n, i) => expectNumber(n, { what: `nats[${i}]` })),
  };
}

const emLoop: Exercise = {
  id: 'mixture.emLoop',
  chapter,
  functionName: 'emLoop',
  title: 'expectation maximisation',
  points: 3,
  hints: [
    'Which of the two steps can you do first, when what you are given are responsibilities? And whose likelihood is nats[i]: that of the parameters before the i-th M-step, or after it?',
    'One iteration: M gives parameters; with these, ln π_k + ln p(x | k) is a matrix [N, K]; its log-sum-exp over k is ln p(x), whose mean with a minus sign is the number to keep; and the same matrix gives the responsibilities for the next M.',
    'Loop over the iterations: call your mStep with the present responsibilities; add logPi to what logCategoricalComponents returns for logTheta; push minus the mean of tf.logSumExp over axis 1, as a number; replace the responsibilities by those of your own function. Return the last parameters with the list.',
  ],
  checks: [
    {
      name: 'one iteration is one M-step from the given responsibilities',
      async run({ call, rng }) {
        const x = integers(rng, 'x', [30, 2], 4);
        const input = { x, start: randomResponsibilities(rng, 30, 3), values: 4, alpha: 0.3 };
        const expected = exactEm(input, 1);
        const { logPi, logTheta, nats } = await runEm(call, input, 1);
        expectClose(logPi, tf.tensor1d(expected.logPi), { what: 'logPi', atol: 1e-4 });
        expectClose(logTheta, tf.tensor3d(expected.logTheta), { what: 'logTheta', atol: 1e-4 });
        expectClose(nats[0], expected.nats[0]!, {
          what: 'nats[0]',
          atol: 1e-4,
          hint: 'nats per example: the mean over the rows',
        });
      },
    },
    {
      name: 'twenty iterations end where exact EM ends',
      async run({ call, rng }) {
        const input = emInput(rng, 0.7);
        const expected = exactEm(input, 20);
        const { logPi, logTheta, nats } = await runEm(call, input, 20);
        // float32's 1e-7 grows on the way, at worst to 4e-6 in 4,000 trials
        expectClose(nats, expected.nats, { what: 'nats', atol: 1e-3, hint: 'the E-step needs ln π_k + ln p(x | k)' });
        expectClose(logPi, tf.tensor1d(expected.logPi), { what: 'logPi', atol: 1e-2 });
        expectClose(logTheta, tf.tensor3d(expected.logTheta), { what: 'logTheta', atol: 1e-2 });
      },
    },
    {
      name: 'the likelihood never falls when the prior is negligible, and ends as high as that of exact EM',
      async run({ call, rng }) {
        const input = emInput(rng, 1e-4);
        const { nats } = await runEm(call, input, 30);
        nats.slice(1).forEach((value, i) => {
          // What cannot fall is Σ_n ln p + α Σ ln of 34 parameters, each between ln(α / 50) = −13 and 0: the likelihood
          // itself may lose 1e-4 · 34 · 13 / 50 = 9e-4 nats an example
          expectTrue(
            value <= nats[i]! + 1e-3,
            `nats[${i + 1}] to be at most nats[${i}] = ${nats[i]!.toFixed(4)}`,
            value.toFixed(4),
          );
        });
        expectClose(nats.at(-1), exactEm(input, 30).nats.at(-1)!, { what: 'nats[29]', atol: 1e-3 });
      },
    },
  ],
};

// mixture.chooseComponents

export interface Candidate {
  readonly [key: string]: number;
  readonly components: number;
  readonly train: number;
  readonly validation: number;
  readonly standardError: number;
}

export function chosenBy(candidates: readonly Candidate[]): number {
  const sorted = [...candidates].sort((a, b) => a.validation - b.validation);
  const limit = sorted[0]!.validation + sorted[0]!.standardError;
  return [...candidates].sort((a, b) => a.components - b.components).find((c) => c.validation <= limit)!.components;
}

const PLAIN: readonly Candidate[] = [
  { components: 1, train: 106.8, validation: 110.5, standardError: 1.2 },
  { components: 5, train: 97.3, validation: 105.0, standardError: 0.6 },
  { components: 10, train: 92.2, validation: 104.2, standardError: 1.0 },
  { components: 20, train: 89.7, validation: 104.5, standardError: 0.1 },
];

function randomCandidates(rng: Rng): Candidate[] {
  const u = rng.uniform([12, 3]).arraySync() as number[][];
  const candidates = u.map(([a, b, c], i) => ({
    components: 3 * i + 1 + Math.floor(3 * c!), // some numbers are left out, so that K is no index
    train: 120 - i,
    validation: 4 * a! - 2, // densities have negative nats too
    standardError: 0.2 + 2 * b!,
  }));
  return [...permutation(candidates.length, rng.fork('order'))].map((i) => candidates[i]!);
}

const chooseComponents: Exercise = {
  id: 'mixture.chooseComponents',
  chapter,
  functionName: 'chooseComponents',
  title: 'choosing K by the one-standard-error rule',
  points: 1,
  hints: [
    'Which of the candidates decides how far above the lowest loss another may lie: the candidate itself, or the best one?',
    'Two steps: find the candidate with the lowest validation loss; its loss plus its standard error is the limit. Everyone at or below the limit is as good as the best, and among these the number of components decides.',
    'Reduce the list to its best candidate, add up its two numbers, filter the list by that limit, and take the smallest `components` of what is left. The order of the list then plays no part.',
  ],
  checks: [
    {
      name: 'takes K = 5 where 10 is best by less than its standard error',
      async run({ call }) {
        expectClose(await call(PLAIN), 5, {
          what: 'K',
          hint: 'the limit is the best validation loss plus the standard error of the best',
        });
      },
    },
    {
      name: 'takes the best one when no smaller model comes close',
      async run({ call }) {
        const sharp = PLAIN.map((c) => ({ ...c, standardError: 0.05 }));
        expectClose(await call(sharp), 10, {
          what: 'K',
          hint: 'smaller loss is better, and training loss says nothing',
        });
      },
    },
    {
      name: 'a model exactly at the limit counts, and one model alone is chosen',
      async run({ call }) {
        const numbers = { train: 99, standardError: 0.5 };
        const at = [
          { ...numbers, components: 8, validation: 100 },
          { ...numbers, components: 4, validation: 100.5 },
          { ...numbers, components: 2, validation: 100.75 },
        ];
        expectClose(await call(at), 4, { what: 'K', hint: 'at most the limit: 100 + 0.5' });
        expectClose(await call(at.slice(0, 1)), 8, { what: 'K of the only candidate' });
      },
    },
    {
      name: 'agrees with the rule on random lists in any order',
      async run({ call, rng }) {
        for (let list = 1; list <= 20; list++) {
          const candidates = randomCandidates(rng.fork(`list ${list}`));
          const wanted = chosenBy(candidates);
          const got = await call(candidates);
          expectTrue(got === wanted, `K = ${wanted} for ${listed(candidates)}`, describe(got));
        }
      },
    },
  ],
};

export function listed(candidates: readonly Candidate[]): string {
  return candidates
    .map((c) => `${c.components}: ${c.validation.toFixed(2)} ± ${c.standardError.toFixed(2)}`)
    .join(', ');
}

// mixture.sample

export interface Mixture {
  readonly pi: Vector;
  readonly mu: Matrix;
  readonly logVar: Matrix;
}

/**
 * Means so far apart that every sample tells its component, even where somebody scales by the variance. Weights so
 * uneven that the Gumbel trick with a wrong sign, which favours the large ones, is ten standard errors off.
 */
const MIXTURE: Mixture = {
  pi: [0.08, 0.62, 0.3],
  mu: [
    [-60, 60],
    [0, 0],
    [60, 60],
  ],
  logVar: [
    [Math.log(4), Math.log(0.25)],
    [Math.log(3), Math.log(1)],
    [Math.log(0.25), Math.log(4)],
  ],
};

/**
 * Where one stream serves both draws, component and noise of the same sample hang together: here for whoever
 * compares one u a sample with cumulative sums, and here for whoever draws one Gumbel a component.
 */
const LINE: Mixture = { pi: [0.3, 0.4, 0.3], mu: [[-60], [0], [60]], logVar: [[0.5], [0], [1]] };
const PAIR: Mixture = {
  pi: [0.4, 0.6],
  mu: [
    [-60, 0],
    [60, 0],
  ],
  logVar: [
    [0.5, 0],
    [0, 1],
  ],
};

const COUNT = 5000;
/** How much of a normal distribution lies within one standard deviation of its mean. */
const WITHIN_ONE = 0.6827;
const NOISE_HINT = 'every sample has noise of its own';

export async function drawSamples(
  call: (...args: Value[]) => Promise<Value>,
  { pi, mu, logVar }: Mixture,
  rng: Rng,
  count = COUNT,
): Promise<Matrix> {
  const D = mu[0]!.length;
  const got = await call(tf.tensor1d([...pi]), matrixTensor(mu), matrixTensor(logVar), count, rng);
  return matrix(expectTensor(got, { what: 'samples', shape: [count, D], hint: 'one row a sample' }));
}

/** The component whose mean is nearest in every coordinate; −1 for a row between components. */
export function ownerOf(row: Vector, { mu }: Mixture): number {
  return mu.findIndex((m) => row.every((v, d) => Math.abs(v - m[d]!) < 30));
}

/** Means, variances, shape and correlations of the samples of each component. */
export function expectMoments(rows: Matrix, mixture: Mixture): void {
  const { mu, logVar } = mixture;
  mu.forEach((m, k) => {
    const sigma = logVar[k]!.map((l) => Math.exp(l / 2));
    const own = rows.filter((row) => ownerOf(row, mixture) === k);
    expectTrue(own.length > 100, `samples near the mean [${m.join(', ')}]`, `${own.length} of ${rows.length}`);
    const noise = own.map((row) => row.map((v, d) => (v - m[d]!) / sigma[d]!)); // standard normal
    m.forEach((centre, d) => {
      const where = `of component ${k}, coordinate ${d}`;
      const mean = meanOf(own.map((row) => row[d]!));
      const correlated = 'independent draws need streams of their own: fork the rng once per purpose';
      expectWithin(mean, centre, sigma[d]! / Math.sqrt(own.length), `the mean ${where}`, correlated);
      const variance = sigma[d]! ** 2 * meanOf(noise.map((e) => e[d]! ** 2));
      const hint = 'the standard deviation is exp(logVar / 2)';
      expectWithin(variance, sigma[d]! ** 2, sigma[d]! ** 2 * Math.sqrt(2 / own.length), `the variance ${where}`, hint);
      const near = meanOf(noise.map((e) => (Math.abs(e[d]!) < 1 ? 1 : 0)));
      const error = Math.sqrt((WITHIN_ONE * (1 - WITHIN_ONE)) / own.length);
      expectWithin(near, WITHIN_ONE, error, `the share within one standard deviation ${where}`, 'the noise is normal');
    });
    if (m.length < 2) return;
    const correlation = meanOf(noise.map((e) => e[0]! * e[1]!));
    const hint = 'every coordinate has noise of its own';
    expectWithin(correlation, 0, 1 / Math.sqrt(own.length), `the correlation within component ${k}`, hint);
  });
}

const sample: Exercise = {
  id: 'mixture.sample',
  chapter,
  functionName: 'sampleMixture',
  title: 'ancestral sampling',
  points: 2,
  hints: [
    'How many random numbers decide which component a sample comes from: one for the sample, or one for each coordinate? And what does the noise know of the component when both come from the same stream?',
    'With u uniform on [0, 1), the component is the number of cumulative sums π_1, π_1 + π_2, …, without the last, that are at most u. Given it, x = μ + σ ε with ε standard normal and σ the square root of the variance: exp of half the log-variance.',
    'Fork the rng under two labels. Draw u as [count, 1], compare it with the K − 1 cumulative sums as [1, K − 1], and sum the comparisons over axis 1: an integer for every sample. tf.gather with these picks rows of mu and of logVar; the noise is [count, D].',
  ],
  checks: [
    {
      name: 'every sample comes from one component, and each component from its share',
      async run({ call, rng }) {
        const rows = await drawSamples(call, MIXTURE, rng.fork('samples'));
        const owners = rows.map((row) => ownerOf(row, MIXTURE));
        const lost = owners.indexOf(-1);
        const hint = 'draw k once for a sample, and use it for all coordinates';
        expectTrue(
          lost < 0,
          'every sample near one of the means',
          `[${rows[lost]?.map((v) => v.toFixed(1)).join(', ')}]`,
          hint,
        );
        MIXTURE.pi.forEach((p, k) => {
          const share = owners.filter((owner) => owner === k).length / COUNT;
          expectWithin(share, p, Math.sqrt((p * (1 - p)) / COUNT), `the share of component ${k}`);
        });
      },
    },
    {
      name: 'each component has its mean, its variance exp(logVar), and independent coordinates',
      async run({ call, rng }) {
        for (const [i, mixture] of [MIXTURE, LINE, PAIR].entries())
          expectMoments(await drawSamples(call, mixture, rng.fork(`samples ${i}`)), mixture);
      },
    },
    {
      name: 'samples are independent of one another, and how many a component gets is left to chance',
      async run({ call, rng }) {
        const rows = await drawSamples(call, MIXTURE, rng.fork('samples'));
        const owners = rows.map((row) => ownerOf(row, MIXTURE));
        const same = meanOf(owners.slice(1).map((k, n) => (k === owners[n] ? 1 : 0)));
        const power = (e: number) => MIXTURE.pi.reduce((sum, p) => sum + p ** e, 0);
        const variance = power(2) - power(2) ** 2 + 2 * (power(3) - power(2) ** 2); // neighbouring pairs share a sample
        const what = 'the share of samples from the same component as the one before';
        expectWithin(same, power(2), Math.sqrt(variance / (COUNT - 1)), what, 'every sample draws its own k');
        const noise = rows.map((row, n) => {
          const [m, l] = [MIXTURE.mu[owners[n]!]?.[0] ?? 0, MIXTURE.logVar[owners[n]!]?.[0] ?? 0];
          return (row[0]! - m) / Math.exp(l / 2);
        });
        const product = meanOf(noise.slice(1).map((e, n) => e * noise[n]!));
        expectWithin(
          product,
          0,
          1 / Math.sqrt(COUNT - 1),
          'the correlation of noise with the noise before',
          NOISE_HINT,
        );
        const counts = [];
        for (const label of ['a', 'b', 'c', 'd', 'e']) {
          const drawn = await drawSamples(call, MIXTURE, rng.fork(label), 200);
          counts.push(MIXTURE.pi.map((_, k) => drawn.filter((row) => ownerOf(row, MIXTURE) === k).length).join(', '));
        }
        // two rngs agree with probability 1 / (4 π · 200 √(π_1 π_2 π_3)) = 0.0033, five with 10⁻¹⁰
        expectTrue(new Set(counts).size > 1, 'counts that differ from rng to rng', `${counts[0]} each time`);
      },
    },
    {
      name: 'works for a single sample, and where a component has weight 0',
      async run({ call, rng }) {
        // neither K = 1, where tf.oneHot and tf.multinomial give up, nor anything else that is tfjs' own limit
        const alone = { ...MIXTURE, pi: [0, 1, 0] };
        const rows = [
          ...(await drawSamples(call, alone, rng.fork('one sample'), 1)),
          ...(await drawSamples(call, alone, rng.fork('fifty'), 50)),
        ];
        const owners = new Set(rows.map((row) => ownerOf(row, alone)));
        expectTrue(
          owners.size === 1 && owners.has(1),
          'samples from component 1 alone when π = [0, 1, 0]',
          `samples from ${[...owners].join(' and ')}`,
        );
      },
    },
    {
      name: 'the same rng gives the same samples, another one gives others',
      async run({ call, rng }) {
        const first = await drawSamples(call, MIXTURE, rng.fork('one'), 20);
        expectClose(matrixTensor(await drawSamples(call, MIXTURE, rng.fork('one'), 20)), matrixTensor(first), {
          what: 'samples',
          hint: 'take all randomness from rng',
        });
        const other = await drawSamples(call, MIXTURE, rng.fork('two'), 20);
        const differ = other.some((row, n) => row.some((v, d) => v !== first[n]![d]));
        expectTrue(differ, 'other samples from another rng', 'the same ones');
      },
    },
  ],
};

// mixture.logMixture

function logMixtureOf(z: Matrix, logits: Vector, mu: Matrix, logVar: Matrix): number[] {
  const norm = logSumExp(logits);
  return z.map((row) => logSumExp(logits.map((l, k) => l - norm + logNormalOf(row, mu[k]!, logVar[k]!))));
}

export async function checkLogMixture(
  call: (...args: Value[]) => Promise<Value>,
  inputs: { z: tf.Tensor; logits: tf.Tensor; mu: tf.Tensor; logVar: tf.Tensor },
  hint: string,
): Promise<void> {
  const { z, logits, mu, logVar } = inputs;
  const got = expectTensor(await call(z, logits, mu, logVar), { what: 'log-densities', shape: [z.shape[0]!], hint });
  const expected = logMixtureOf(matrix(z), vector(logits), matrix(mu), matrix(logVar));
  // far away the terms are some ten thousands, each known to 6e-8 of itself: 1e-5 covers their sum
  expectClose(got, tf.tensor1d(expected), { what: 'log-densities', rtol: 1e-5, atol: 1e-3, hint });
}

const logMixture: Exercise = {
  id: 'mixture.logMixture',
  chapter,
  functionName: 'logMixture',
  title: 'the bug to find',
  points: 2,
  hints: [
    'Draw two components at opposite corners of a square and let the function colour the plane. How many hills do you see, and how many should there be? For whom is a component chosen: for the point, or for each of its coordinates?',
    'A mixture sums over k the products over d. The code given takes products over d of sums over k: another distribution, with as many hills as there are ways to choose a component for every coordinate.',
    'The log-density of a point under component k is the sum over its D coordinates. Do that sum first, so that a matrix [B, K] is left, then add ln π_k, and only then log-sum-exp over the components. Mind the shape of ln π: the axis for the coordinates is gone.',
  ],
  checks: [
    {
      name: 'the coordinates of an example share one component',
      run: ({ call }) =>
        checkLogMixture(
          call,
          {
            z: tf.tensor2d([
              [-4, -4],
              [4, 4],
              [-4, 4],
              [4, -4],
            ]),
            logits: tf.zeros([2]),
            mu: tf.tensor2d([
              [-4, -4],
              [4, 4],
            ]),
            logVar: tf.zeros([2, 2]),
          },
          'the point (−4, 4) lies between the components (−4, −4) and (4, 4): no component makes it',
        ),
    },
    {
      name: 'agrees with the formula for B = 6, K = 3, D = 4, and for other sizes',
      async run({ call, rng }) {
        const sizes = [
          [6, 3, 4],
          [3, 3, 3],
          [2, 1, 3],
          [4, 3, 1],
          [1, 2, 2],
        ] as const;
        for (const [B, K, D] of smallestFirst(sizes)) {
          const here = rng.fork(`${B} ${K} ${D}`);
          await checkLogMixture(
            call,
            {
              z: normal(here, 'z', [B, D], 1.5),
              logits: normal(here, 'logits', [K]),
              mu: normal(here, 'mu', [K, D], 1.5),
              logVar: normal(here, 'logVar', [K, D], 0.7),
            },
            'sum over the coordinates before summing over the components',
          );
        }
      },
    },
    {
      name: 'is right and finite far away from every component, next to an example that is not',
      run: ({ call, rng }) =>
        checkLogMixture(
          call,
          {
            z: tf.tidy(() => normal(rng, 'z', [3, 5]).add(tf.tensor2d([[0], [60], [-60]]))),
            logits: normal(rng, 'logits', [2]),
            // neither component is the nearer one in every coordinate
            mu: tf.tidy(() =>
              normal(rng, 'mu', [2, 5]).add(
                tf.tensor2d([
                  [0, 10, 0, 10, 0],
                  [10, 0, 10, 0, 10],
                ]),
              ),
            ),
            logVar: normal(rng, 'logVar', [2, 5], 0.5),
          },
          'log-sum-exp over the components of each example keeps it finite',
        ),
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  logNormal,
  responsibilities,
  mStep,
  emLoop,
  chooseComponents,
  sample,
  logMixture,
];
