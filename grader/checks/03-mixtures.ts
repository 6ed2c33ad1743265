/**
 * Chapter 3: mixtures. References are written out in double precision with plain loops, another way than the
 * library's and the solutions' tensor code.
 */
import * as tf from '@tensorflow/tfjs';
import { permutation, type Rng } from 'dgm';
import { describe, expectArray, expectClose, expectFields, expectNumber, expectTensor, expectTrue } from '../compare';
import type { Exercise, Value } from '../exercise';

const chapter = '03-mixtures';
const LOG_2PI = Math.log(2 * Math.PI);

// Double-precision references

type Vector = readonly number[];
type Matrix = readonly Vector[];

const matrix = (x: tf.Tensor) => x.arraySync() as number[][];
const vector = (x: tf.Tensor) => x.arraySync() as number[];

function logSumExp(a: Vector): number {
  const largest = Math.max(...a);
  return largest === -Infinity ? -Infinity : largest + Math.log(a.reduce((sum, v) => sum + Math.exp(v - largest), 0));
}

/** ln N(x; mu, diag exp logVar) of one example. */
function logNormalOf(x: Vector, mu: Vector, logVar: Vector): number {
  return x.reduce((sum, xd, d) => sum - 0.5 * (LOG_2PI + logVar[d]! + (xd - mu[d]!) ** 2 / Math.exp(logVar[d]!)), 0);
}

function softmax(a: Vector): number[] {
  const norm = logSumExp(a);
  return a.map((v) => Math.exp(v - norm));
}

/** Σ_n r_nk 1[x_nd = v] + α: [K][D][V] */
function weightedCounts(x: Matrix, r: Matrix, values: number, alpha: number): number[][][] {
  return r[0]!.map((_, k) =>
    x[0]!.map((_, d) =>
      Array.from({ length: values }, (_, v) => x.reduce((sum, row, n) => sum + (row[d] === v ? r[n]![k]! : 0), alpha)),
    ),
  );
}

interface Tables {
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
function logJointOf(x: Matrix, { logPi, logTheta }: Tables): number[][] {
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
  const nats: number[] = [];
  for (let i = 0; i < iterations; i++) {
    if (i > 0) tables = mStepOf(x, r, values, alpha);
    const joint = logJointOf(x, tables);
    nats.push(-joint.reduce((sum, row) => sum + logSumExp(row), 0) / x.length);
    r = joint.map(softmax);
  }
  return { ...tables, nats };
}

// Inputs

const normal = (rng: Rng, label: string, shape: number[], scale = 1) =>
  tf.tidy(() => rng.fork(label).normal(shape).mul(scale));

const integers = (rng: Rng, label: string, shape: number[], values: number) =>
  tf.tidy(() => rng.fork(label).uniform(shape).mul(values).floor());

const randomResponsibilities = (rng: Rng, n: number, K: number) =>
  tf.tidy(() => tf.softmax(rng.fork('responsibilities').normal([n, K]).mul(2)));

// mixture.logNormal

const logNormal: Exercise = {
  id: 'mixture.logNormal',
  chapter,
  functionName: 'logNormal',
  title: 'the log-density of each Gaussian component',
  points: 2,
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
      name: 'agrees with the formula for B = 5, K = 3, D = 4',
      async run({ call, rng }) {
        const [x, mu, logVar] = [
          normal(rng, 'x', [5, 4], 2),
          normal(rng, 'mu', [3, 4], 2),
          normal(rng, 'logVar', [3, 4]),
        ];
        const expected = matrix(x).map((row) => matrix(mu).map((m, k) => logNormalOf(row, m, matrix(logVar)[k]!)));
        const got = await call(x, mu, logVar);
        expectTensor(got, { what: 'log-densities', shape: [5, 3], hint: 'one row an example, one column a component' });
        expectClose(got, tf.tensor2d(expected), { what: 'log-densities', rtol: 1e-4, atol: 1e-3 });
      },
    },
    {
      name: 'exp of it integrates to 1, for small and for large variances',
      async run({ call }) {
        const step = 0.01;
        const x = tf.range(-40, 40, step).expandDims(1);
        const got = expectTensor(await call(x, tf.tensor2d([[0.5], [-1]]), tf.tensor2d([[-2], [3]])), {
          what: 'log-densities',
          shape: [x.shape[0]!, 2],
        });
        // the trapezoid rule on a Gaussian errs far less than the float32 sum of 8,000 terms: 1e-3 is for the latter
        const hint = 'logVar is ln σ²: the variance is exp(logVar), and it is the variance that divides the square';
        expectClose(got.exp().sum(0).mul(step), tf.tensor1d([1, 1]), { what: 'the integral', atol: 1e-3, hint });
      },
    },
  ],
  mistakes: [
    {
      name: 'constant forgotten',
      source: 'common: the gradient does not need −(D/2) ln 2π, the likelihood does',
      replace: '.add(Math.log(2 * Math.PI))',
      by: '',
    },
    {
      name: 'divides by σ in place of σ²',
      source: 'common: standard deviation against variance (see bjlkeng/sandbox#10)',
      replace: 'div(logVar.exp())',
      by: 'div(logVar.mul(0.5).exp())',
    },
    {
      name: 'mean over the coordinates in place of their sum',
      source: 'common: sum against mean (see AppliedDataSciencePartners/WorldModels#12)',
      replace: 'terms.sum(2)',
      by: 'terms.mean(2)',
    },
    { name: 'log-determinant with the wrong sign', source: 'common', replace: '.add(logVar)', by: '.sub(logVar)' },
  ],
};

// mixture.responsibilities

async function checkResponsibilities(
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
  checks: [
    {
      name: 'agrees with exp(a) / Σ exp(a) on moderate numbers',
      run: ({ call, rng }) => checkResponsibilities(call, normal(rng, 'a', [6, 4], 3)),
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
  ],
  mistakes: [
    {
      name: 'maximum not subtracted',
      source: 'common: underflow of exp gives 0/0 = NaN',
      replace: 'logJoint.sub(largest)',
      by: 'logJoint',
    },
    {
      name: 'one maximum for the whole batch',
      source: 'common: rows far below the largest underflow',
      replace: 'logJoint.max(1, true)',
      by: 'logJoint.max()',
    },
    {
      name: 'normalised over the batch',
      source: 'common: wrong axis',
      replace: 'shifted.exp().sum(1, true)',
      by: 'shifted.exp().sum(0, true)',
    },
    {
      name: 'logarithms returned',
      source: 'common: log p(k | x) taken for p(k | x)',
      replace: 'return shifted.sub(logSum).exp()',
      by: 'return shifted.sub(logSum)',
    },
  ],
};

// mixture.mStep

interface MStepInput {
  readonly x: tf.Tensor;
  readonly r: tf.Tensor;
  readonly values: number;
  readonly alpha: number;
}

async function tablesFrom(
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
        const { x, r, values, alpha } = mStepInput(rng, 0.7);
        const { logPi, logTheta } = await tablesFrom(await call(x, r, values, alpha), 2, 3, 4);
        const expected = mStepOf(matrix(x), matrix(r), values, alpha);
        expectClose(logPi, tf.tensor1d(expected.logPi), { what: 'logPi', atol: 1e-4 });
        expectClose(logTheta, tf.tensor3d(expected.logTheta), { what: 'logTheta', atol: 1e-4 });
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
  mistakes: [
    {
      name: 'responsibilities ignored: every component counts every example',
      source: 'common: the components then never differ',
      replace: 'r.matMul(indicator, true)',
      by: 'tf.onesLike(r).matMul(indicator, true)',
    },
    {
      name: 'normalised over the coordinates',
      source: 'common: wrong axis',
      replace: 'counts.sum(2, true)',
      by: 'counts.sum(1, true)',
    },
    {
      name: 'probabilities in place of logarithms',
      source: 'common',
      replace: 'sizes.div(sizes.sum()).log()',
      by: 'sizes.div(sizes.sum())',
    },
    {
      name: 'no imaginary examples for the components',
      source: 'common: an empty component gets weight 0 and never returns',
      replace: 'const sizes = r.sum(0).add(alpha)',
      by: 'const sizes = r.sum(0)',
    },
    {
      name: 'imaginary examples added after normalising',
      source: 'common: the table no longer sums to 1',
      replace: 'logTheta: counts.div(counts.sum(2, true)).log()',
      by: 'logTheta: counts.sub(alpha).div(counts.sub(alpha).sum(2, true)).add(alpha).log()',
    },
  ],
};

// mixture.emLoop

interface EmInput {
  readonly x: tf.Tensor;
  readonly start: tf.Tensor;
}

/** Two kinds of rows, so that there is something to find. */
function emInput(rng: Rng): EmInput {
  const x = tf.tidy(() => {
    const kind = rng.fork('kind').uniform([50, 1]).less(0.4).toFloat(); // [50, 1]
    return rng.fork('x').uniform([50, 4]).mul(2).add(kind).floor(); // 0 … 2
  });
  return { x, start: randomResponsibilities(rng, 50, 2) };
}

async function runEm(
  call: (...args: Value[]) => Promise<Value>,
  { x, start }: EmInput,
  alpha: number,
  iterations: number,
) {
  const got = await call(x, start, 3, alpha, iterations);
  const fields = expectFields(got, ['logPi', 'logTheta', 'nats'], { what: 'the result' });
  const nats = expectArray(fields.nats, { what: 'nats', length: iterations, hint: 'one number after every M-step' });
  return { ...(await tablesFrom(got, 2, 4, 3)), nats: nats.map((n, i) => expectNumber(n, { what: `nats[${i}]` })) };
}

const emLoop: Exercise = {
  id: 'mixture.emLoop',
  chapter,
  functionName: 'emLoop',
  title: 'expectation maximisation',
  points: 3,
  checks: [
    {
      name: 'one iteration is one M-step from the given responsibilities',
      async run({ call, rng }) {
        const input = emInput(rng);
        const expected = emOf(matrix(input.x), matrix(input.start), 3, 0.5, 1);
        const { logPi, logTheta, nats } = await runEm(call, input, 0.5, 1);
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
      name: 'seven iterations end where exact EM ends',
      async run({ call, rng }) {
        const input = emInput(rng);
        const expected = emOf(matrix(input.x), matrix(input.start), 3, 0.5, 7);
        const { logPi, logTheta, nats } = await runEm(call, input, 0.5, 7);
        expectClose(nats, expected.nats, { what: 'nats', atol: 1e-3, hint: 'the E-step needs ln π_k + ln p(x | k)' });
        expectClose(logPi, tf.tensor1d(expected.logPi), { what: 'logPi', atol: 1e-2 });
        expectClose(logTheta, tf.tensor3d(expected.logTheta), { what: 'logTheta', atol: 1e-2 });
      },
    },
    {
      name: 'the likelihood never falls when the prior is negligible, and it improves',
      async run({ call, rng }) {
        const { nats } = await runEm(call, emInput(rng), 1e-4, 15);
        nats.slice(1).forEach((value, i) => {
          // the prior moves the optimum by about α ln α per table entry: 1e-3 nats an example covers it
          expectTrue(
            value <= nats[i]! + 1e-3,
            `nats[${i + 1}] to be at most nats[${i}] = ${nats[i]!.toFixed(4)}`,
            value.toFixed(4),
          );
        });
        const gain = nats[0]! - nats.at(-1)!;
        expectTrue(
          gain > 0.01,
          'a better likelihood at the end than at the start',
          `a gain of ${gain.toFixed(4)} nats`,
        );
      },
    },
  ],
  mistakes: [
    {
      name: 'component weights left out of the E-step',
      source: 'common: right only while all components are equally large',
      replace: '.add(present.logPi)',
      by: '',
    },
    {
      name: 'sum in place of mean',
      source: 'common: nats per data set, not per example',
      replace: '.mean()',
      by: '.sum()',
    },
    {
      name: 'no E-step: the responsibilities never change',
      source: 'common: EM without E converges at once, to nothing',
      replace: 'r = tf.tidy(() => responsibilities(logJoint))',
      by: 'r = start.clone()',
    },
    {
      name: 'one iteration short',
      source: 'common',
      replace: 'i < iterations;',
      by: 'i < Math.max(1, iterations - 1);',
    },
  ],
};

// mixture.chooseComponents

interface Candidate {
  readonly [key: string]: number;
  readonly components: number;
  readonly train: number;
  readonly validation: number;
  readonly standardError: number;
}

function chosenBy(candidates: readonly Candidate[]): number {
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
  const u = rng.uniform([12, 2]).arraySync() as number[][];
  const candidates = u.map(([a, b], i) => ({
    components: i + 1,
    train: 120 - i,
    validation: 100 + 4 * a!,
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
      name: 'agrees with the rule on random lists in any order',
      async run({ call, rng }) {
        for (const label of ['a', 'b', 'c', 'd', 'e', 'f']) {
          const candidates = randomCandidates(rng.fork(label));
          const wanted = chosenBy(candidates);
          const got = await call(candidates);
          expectTrue(got === wanted, `K = ${wanted} for ${listed(candidates)}`, describe(got));
        }
      },
    },
  ],
  mistakes: [
    {
      name: 'chooses by the training likelihood',
      source: 'common: it always prefers the largest model',
      replace: 'b.validation < a.validation ? b : a',
      by: 'b.train < a.train ? b : a',
    },
    {
      name: 'takes the lowest validation loss',
      source: 'common: noise of the measurement taken for merit',
      replace: 'best.validation + best.standardError',
      by: 'best.validation',
    },
    {
      name: 'takes the largest model within the limit',
      source: 'common: the rule is there to prefer the simplest',
      replace: 'Math.min(',
      by: 'Math.max(',
    },
    {
      name: 'each model gets its own standard error',
      source: 'common: a badly measured model then looks good',
      replace: 'c.validation <= limit',
      by: 'c.validation <= best.validation + c.standardError',
    },
  ],
};

function listed(candidates: readonly Candidate[]): string {
  return candidates
    .map((c) => `${c.components}: ${c.validation.toFixed(2)} ± ${c.standardError.toFixed(2)}`)
    .join(', ');
}

// mixture.sample

const PI = [0.2, 0.5, 0.3];
const MU = [
  [-30, 30],
  [0, 0],
  [30, 30],
];
const LOG_VAR = [
  [Math.log(4), Math.log(0.25)],
  [Math.log(9), Math.log(1)],
  [Math.log(0.25), Math.log(4)],
];
const COUNT = 4000;
/** Five standard errors: a right solution fails a comparison once in 1.7 million times. */
const SIGMAS = 5;

async function drawSamples(call: (...args: Value[]) => Promise<Value>, rng: Rng, count = COUNT): Promise<tf.Tensor> {
  const got = await call(tf.tensor1d(PI), tf.tensor2d(MU), tf.tensor2d(LOG_VAR), count, rng);
  return expectTensor(got, { what: 'samples', shape: [count, 2], hint: 'one row a sample' });
}

/** The component whose mean is nearest in every coordinate; −1 for a row between components. */
function nearestComponent([a, b]: Vector): number {
  return MU.findIndex((mu) => Math.abs(a! - mu[0]!) < 15 && Math.abs(b! - mu[1]!) < 15);
}

function expectWithin(got: number, wanted: number, standardError: number, what: string, hint?: string): void {
  const margin = SIGMAS * standardError;
  expectTrue(
    Math.abs(got - wanted) <= margin,
    `${what} to be ${wanted.toFixed(3)} ± ${margin.toFixed(3)}`,
    got.toFixed(3),
    hint,
  );
}

const sample: Exercise = {
  id: 'mixture.sample',
  chapter,
  functionName: 'sampleMixture',
  title: 'ancestral sampling',
  points: 2,
  checks: [
    {
      name: 'every sample comes from one component, and each component from its share',
      async run({ call, rng }) {
        const rows = matrix(await drawSamples(call, rng.fork('samples')));
        const owners = rows.map(nearestComponent);
        const lost = owners.indexOf(-1);
        const hint = 'draw k once for a sample, and use it for all coordinates';
        expectTrue(
          lost < 0,
          'every sample near one of the means',
          `[${rows[lost]?.map((v) => v.toFixed(1)).join(', ')}]`,
          hint,
        );
        PI.forEach((p, k) => {
          const share = owners.filter((owner) => owner === k).length / COUNT;
          expectWithin(share, p, Math.sqrt((p * (1 - p)) / COUNT), `the share of component ${k}`);
        });
      },
    },
    {
      name: 'each component has its mean and its variance exp(logVar)',
      async run({ call, rng }) {
        const rows = matrix(await drawSamples(call, rng.fork('samples')));
        MU.forEach((mu, k) => {
          const own = rows.filter((row) => nearestComponent(row) === k);
          expectTrue(own.length > 100, `samples near the mean [${mu.join(', ')}]`, `${own.length} of ${COUNT}`);
          mu.forEach((m, d) => {
            const v = Math.exp(LOG_VAR[k]![d]!);
            const mean = own.reduce((sum, row) => sum + row[d]!, 0) / own.length;
            const variance = own.reduce((sum, row) => sum + (row[d]! - m) ** 2, 0) / own.length;
            expectWithin(mean, m, Math.sqrt(v / own.length), `the mean of component ${k}, coordinate ${d}`);
            const hint = 'the standard deviation is exp(logVar / 2)';
            expectWithin(
              variance,
              v,
              v * Math.sqrt(2 / own.length),
              `the variance of component ${k}, coordinate ${d}`,
              hint,
            );
          });
        });
      },
    },
    {
      name: 'the same rng gives the same samples, another one gives others',
      async run({ call, rng }) {
        const first = await drawSamples(call, rng.fork('one'), 20);
        expectClose(await drawSamples(call, rng.fork('one'), 20), first, {
          what: 'samples',
          hint: 'take all randomness from rng',
        });
        const other = await drawSamples(call, rng.fork('two'), 20);
        expectTrue(scalarOf(first.sub(other).abs().max()) > 0, 'other samples from another rng', 'the same ones');
      },
    },
  ],
  mistakes: [
    {
      name: 'scaled by the variance',
      source: 'the mixture priors of jmtomczak/intro_dgm draw with std = exp(logvar)',
      replace: '.mul(0.5).exp()',
      by: '.exp()',
    },
    {
      name: 'a component of its own for every coordinate',
      source: 'common: samples then lie on a grid between the clusters',
      replace: 'return tf.gather(mu, k).add(',
      by: 'const other = rng.fork("other").uniform([count, 1]).greaterEqual(below.expandDims(0)).sum(1).toInt() as tf.Tensor1D;\n  return tf.concat([tf.gather(mu, k).slice([0, 0], [-1, 1]), tf.gather(mu, other).slice([0, 1])], 1).add(',
    },
    {
      name: 'weights ignored',
      source: 'common: components drawn uniformly',
      replace: 'pi.cumsum()',
      by: 'tf.onesLike(pi).div(pi.shape[0]!).cumsum()',
    },
    {
      name: 'own randomness',
      source: 'common: tf.randomNormal in place of the given rng',
      replace: "rng.fork('noise').normal([count, mu.shape[1]!])",
      by: 'tf.randomNormal([count, mu.shape[1]!])',
    },
  ],
};

function scalarOf(x: tf.Tensor): number {
  return x.dataSync()[0]!;
}

// mixture.logMixture

function logMixtureOf(z: Matrix, logits: Vector, mu: Matrix, logVar: Matrix): number[] {
  const norm = logSumExp(logits);
  return z.map((row) => logSumExp(logits.map((l, k) => l - norm + logNormalOf(row, mu[k]!, logVar[k]!))));
}

async function checkLogMixture(
  call: (...args: Value[]) => Promise<Value>,
  inputs: { z: tf.Tensor; logits: tf.Tensor; mu: tf.Tensor; logVar: tf.Tensor },
  hint: string,
): Promise<void> {
  const { z, logits, mu, logVar } = inputs;
  const got = expectTensor(await call(z, logits, mu, logVar), { what: 'log-densities', shape: [z.shape[0]!], hint });
  const expected = logMixtureOf(matrix(z), vector(logits), matrix(mu), matrix(logVar));
  expectClose(got, tf.tensor1d(expected), { what: 'log-densities', rtol: 1e-4, atol: 1e-3, hint });
}

const logMixture: Exercise = {
  id: 'mixture.logMixture',
  chapter,
  functionName: 'logMixture',
  title: 'the bug to find',
  points: 2,
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
      name: 'agrees with the formula for B = 6, K = 3, D = 4',
      run: ({ call, rng }) =>
        checkLogMixture(
          call,
          {
            z: normal(rng, 'z', [6, 4], 2),
            logits: normal(rng, 'logits', [3]),
            mu: normal(rng, 'mu', [3, 4], 2),
            logVar: normal(rng, 'logVar', [3, 4]),
          },
          'sum over the coordinates before summing over the components',
        ),
    },
    {
      name: 'is finite far away from every component',
      run: ({ call, rng }) =>
        checkLogMixture(
          call,
          {
            z: tf.tidy(() => normal(rng, 'z', [3, 5]).add(60)),
            logits: normal(rng, 'logits', [2]),
            mu: normal(rng, 'mu', [2, 5], 2),
            logVar: normal(rng, 'logVar', [2, 5], 0.5),
          },
          'log-sum-exp over the components keeps it finite',
        ),
    },
  ],
  mistakes: [
    {
      name: 'a mixture for every coordinate',
      source: 'the mixture priors of jmtomczak/intro_dgm: log-sum-exp per latent dimension, then a sum',
      replace: 'tf.logSumExp(logNormal.sum(2).add(logPi), 1)',
      by: 'tf.logSumExp(logNormal.add(logPi.reshape([1, -1, 1])), 1).sum(1)',
    },
    {
      name: 'weights not normalised',
      source: 'common: logits taken for ln π',
      replace: 'tf.logSoftmax(logits)',
      by: 'logits',
    },
    {
      name: 'σ in place of σ²',
      source: 'common: standard deviation against variance',
      replace: 'div(logVar.exp())',
      by: 'div(logVar.mul(0.5).exp())',
    },
    {
      name: 'exp before the logarithm, without a shift',
      source: 'common: underflow far away',
      replace: 'tf.logSumExp(logNormal.sum(2).add(logPi), 1)',
      by: 'logNormal.sum(2).add(logPi).exp().sum(1).log()',
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
