/** Chapter 3: densities of components and of their mixture, and who is responsible for an example. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, roundings, type KnownMistake } from './answer';
import {
  LOG_2PI,
  logNormalOf,
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

export const chapter = '03-mixtures';

export type Call = (...args: Value[]) => Promise<Value>;

// mixture.logNormal

/** B, K, D: all different, all equal (nothing shows which axis is which but the numbers), and 1 in every place. */
const SIZES: readonly (readonly [number, number, number])[] = [
  [5, 3, 4],
  [3, 3, 3],
  [2, 1, 3],
  [1, 4, 2],
  [4, 2, 1],
];

/** Wrong terms of one coordinate, from its squared difference and log-variance, and how many there are. */
const WRONG_TERMS: readonly (readonly [hint: string, term: (square: number, logVar: number, D: number) => number])[] = [
  ['the constant −½ ln 2π of every coordinate is missing', (s, l) => -0.5 * (l + s / Math.exp(l))],
  ['the square is divided by the variance exp(logVar), not by σ', (s, l) => -0.5 * (LOG_2PI + l + s / Math.exp(l / 2))],
  ['logVar is ln σ², not ln σ', (s, l) => -0.5 * (LOG_2PI + 2 * l + s / Math.exp(2 * l))],
  ['a wide component is lower: ln σ² is subtracted, too', (s, l) => -0.5 * (LOG_2PI - l + s / Math.exp(l))],
  ['the square is divided by the variance, not multiplied', (s, l) => -0.5 * (LOG_2PI + l + s * Math.exp(l))],
  ['the ½ belongs to every term', (s, l) => -(LOG_2PI + l + s / Math.exp(l))],
  ['the ½ belongs to every term', (s, l) => -0.5 * (LOG_2PI + l) - s / Math.exp(l)],
  ['independent coordinates multiply, so logarithms add: no mean', (s, l, D) => (-0.5 * (LOG_2PI + l + s / Math.exp(l))) / D],
]; // prettier-ignore

interface Gaussians {
  readonly x: tf.Tensor;
  readonly mu: tf.Tensor;
  readonly logVar: tf.Tensor;
}

/** Sums of such terms: [B, K] */
function sumsOf({ x, mu, logVar }: Gaussians, term: (square: number, logVar: number, D: number) => number): tf.Tensor {
  const [means, logs] = [matrix(mu), matrix(logVar)];
  const rows = matrix(x).map((row) =>
    means.map((m, k) => row.reduce((sum, v, d) => sum + term((v - m[d]!) ** 2, logs[k]![d]!, row.length), 0)),
  );
  return tf.tensor2d(rows, [rows.length, means.length]);
}

/** Numbers of any unit: means and deviations of the size that `unit` says. */
export function gaussians(rng: Rng, [B, K, D]: readonly [number, number, number], unit = 1): Gaussians {
  return {
    x: normal(rng, 'x', [B, D], 1.5 * unit),
    mu: normal(rng, 'mu', [K, D], 1.5 * unit),
    logVar: tf.tidy(() => normal(rng, 'logVar', [K, D], 0.7).add(2 * Math.log(unit))),
  };
}

export async function checkLogNormal(call: Call, inputs: Gaussians, hint?: string): Promise<void> {
  const { x, mu, logVar } = inputs;
  const [B, D, K] = [x.shape[0]!, x.shape[1]!, mu.shape[0]!];
  const what = `log-densities (B = ${B}, K = ${K}, D = ${D})`;
  const got = await call(x, mu, logVar);
  expectTensor(got, { what, shape: [B, K], hint: 'one row an example, one column a component', nonFinite: true });
  const expected = sumsOf(inputs, (square, l) => -0.5 * (LOG_2PI + l + square / Math.exp(l)));
  const mistakes = WRONG_TERMS.map(([told, term]) => ({ hint: told, answer: () => sumsOf(inputs, term) }));
  // (x² − 2 x μ + μ²) / σ² multiplied out has terms of some hundreds, each known to 6e-8 of itself: 1e-3 covers it
  expectAnswer(got, expected, { what, rtol: 1e-4, atol: 1e-3, ...(hint !== undefined && { hint }) }, mistakes);
}

export const logNormal: Exercise = {
  id: 'mixture.logNormal',
  chapter,
  functionName: 'logNormal',
  title: 'the log-density of each Gaussian component',
  points: 2,
  library: ['dgm.logNormalComponents'],
  hints: [
    'How many numbers do you want for B examples and K components, and which shape do x and mu need so that subtracting them compares every example with every component?',
    'Each coordinate contributes three terms in the bracket of the formula: ln 2π, the log-variance, and the squared distance over the variance, which is exp of the log-variance. The sum runs over d, and the factor −½ stands before all of it.',
    'Give x a new axis in the middle and mu a new one in front, so that their difference is [B, K, D]. Square it, divide by the variance, add the other two terms, sum over the last axis, and multiply by −½.',
  ],
  checks: [
    {
      name: 'a standard normal in D dimensions has −(D/2) ln 2π at its mean',
      async run({ call }) {
        const at = (D: number) => ({ x: tf.zeros([1, D]), mu: tf.zeros([1, D]), logVar: tf.zeros([1, D]) });
        for (const D of [1, 3]) await checkLogNormal(call, at(D), 'every coordinate contributes −½ ln 2π');
      },
    },
    {
      name: 'agrees with the formula for B = 5, K = 3, D = 4, and for other sizes',
      async run({ call, rng }) {
        for (const sizes of smallestFirst(SIZES))
          await checkLogNormal(call, gaussians(rng.fork(sizes.join(' ')), sizes));
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
    {
      name: 'holds in any unit: millimetres as well as kilometres',
      async run({ call, rng }) {
        const hint =
          'nothing is added to a variance, and nothing is clipped: 10⁻⁶ is small in one unit and large in another';
        for (const unit of [1e-3, 1e3])
          await checkLogNormal(call, gaussians(rng.fork(`${unit}`), [2, 2, 2], unit), hint);
      },
    },
  ],
};

// mixture.responsibilities

/** Mistakes that leave numbers: the rest end in NaN, of which the check itself says why. */
const wrongShares = (a: Matrix): readonly KnownMistake[] => [
  {
    hint: 'these are logarithms: p(k | x) itself is asked for',
    answer: () => matrixTensor(a.map((row) => softmax(row).map(Math.log))),
  },
  {
    hint: 'a row is one example: normalise over its components (axis 1), not over the batch',
    answer: () => {
      const columns = a[0]!.map((_, k) => softmax(a.map((row) => row[k]!)));
      return matrixTensor(a.map((_, n) => columns.map((column) => column[n]!)));
    },
  },
  {
    hint: 'divide by the sum of the row, not by its largest term',
    answer: () => matrixTensor(a.map((row) => row.map((v) => Math.exp(v - Math.max(...row))))),
  },
  {
    hint: 'all rows together sum to 1 here: normalise each of them by itself',
    answer: () => {
      const norm = logSumExp(a.flat());
      return matrixTensor(a.map((row) => row.map((v) => Math.exp(v - norm))));
    },
  },
];

export async function checkResponsibilities(
  call: (x: tf.Tensor) => Promise<Value>,
  logJoint: tf.Tensor,
  hint?: string,
): Promise<void> {
  const a = matrix(logJoint);
  const size = Math.max(...a.flat().map(Math.abs));
  const tolerance = { what: 'responsibilities', atol: 1e-5, rtol: 1e-4 + roundings(size) };
  const expected = tf.tensor2d(a.map(softmax), logJoint.shape as [number, number]);
  expectAnswer(await call(logJoint), expected, { ...tolerance, ...(hint !== undefined && { hint }) }, wrongShares(a));
}

export const responsibilities: Exercise = {
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
      law: true,
      sameForAll: true,
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
      sameForAll: true,
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

// mixture.logMixture

export interface MixtureInput extends Omit<Gaussians, 'x'> {
  readonly z: tf.Tensor;
  readonly logits: tf.Tensor;
}

/** ln N(z_d; …) of every coordinate: [B][K][D] */
function coordinatesOf({ z, mu, logVar }: MixtureInput): number[][][] {
  const [means, logs] = [matrix(mu), matrix(logVar)];
  return matrix(z).map(
    (row) =>
    means.map((m, k) => row.map((v, d) => logNormalOf([v], [m[d]!], [logs[k]![d]!]))), // prettier-ignore
  );
}

const total = (values: Vector) => values.reduce((sum, v) => sum + v, 0);

/** ln Σ_k exp(logPi_k + ln p(z | k)): [B] */
function mixed(components: readonly (readonly Vector[])[], logPi: Vector): tf.Tensor {
  return tf.tensor1d(components.map((own) => logSumExp(own.map((d, k) => logPi[k]! + total(d)))));
}

const wrongMixtures = (input: MixtureInput, components: number[][][], logPi: Vector): readonly KnownMistake[] => [
  {
    hint: 'here every coordinate chooses a component of its own: sum over the coordinates before summing over the components',
    answer: () =>
      tf.tensor1d(
        components.map((own) => total(own[0]!.map((_, d) => logSumExp(own.map((k, i) => logPi[i]! + k[d]!))))),
      ),
  },
  {
    hint: 'logits are not yet ln π: softmax makes them sum to 1',
    answer: () => mixed(components, vector(input.logits)),
  },
  {
    hint: 'the weights π are missing',
    answer: () => mixed(components, logPi.map(() => 0)), // prettier-ignore
  },
  {
    hint: 'components count by their weights π, not all alike',
    answer: () => mixed(components, logPi.map(() => -Math.log(logPi.length))), // prettier-ignore
  },
  {
    hint: 'the variance is exp(logVar): it is σ² that divides the square',
    answer: () => {
      const [means, logs] = [matrix(input.mu), matrix(input.logVar)];
      const wrong = matrix(input.z).map((row) =>
        means.map((m, k) =>
          row.map((v, d) => -0.5 * (LOG_2PI + logs[k]![d]! + (v - m[d]!) ** 2 / Math.exp(logs[k]![d]! / 2))),
        ),
      );
      return mixed(wrong, logPi);
    },
  },
];

export async function checkLogMixture(call: Call, input: MixtureInput, hint: string): Promise<void> {
  const { z, logits, mu, logVar } = input;
  const got = await call(z, logits, mu, logVar);
  expectTensor(got, { what: 'log-densities', shape: [z.shape[0]!], hint, nonFinite: true });
  const components = coordinatesOf(input);
  const norm = logSumExp(vector(logits));
  const logPi = vector(logits).map((l) => l - norm);
  // far away the terms are some ten thousands, each known to 6e-8 of itself: 1e-5 covers their sum
  const tolerance = { what: 'log-densities', rtol: 1e-5, atol: 1e-3, hint };
  expectAnswer(got, mixed(components, logPi), tolerance, wrongMixtures(input, components, logPi));
}

/** Weights that are far from ln π, and far from alike. */
const unevenLogits = (rng: Rng, K: number) =>
  tf.tidy(() => normal(rng, 'logits', [K], 0.5).add(tf.range(0, K).mul(-0.8).add(1.5)));

export function mixtureInput(rng: Rng, [B, K, D]: readonly [number, number, number]): MixtureInput {
  const { x, mu, logVar } = gaussians(rng, [B, K, D]);
  return { z: x, logits: unevenLogits(rng, K), mu, logVar };
}

export const logMixture: Exercise = {
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
        for (const size of smallestFirst(sizes))
          await checkLogMixture(
            call,
            mixtureInput(rng.fork(size.join(' ')), size),
            'sum over the coordinates before summing over the components',
          );
      },
    },
    {
      name: 'is right and finite far away from every component, next to an example that is not',
      async run({ call, rng }) {
        // neither component is the nearer one in every coordinate, and the first example is as near to one as to the other
        const mu = tf.tensor2d([
          [0, 10, 0, 10, 0],
          [10, 0, 10, 0, 10],
        ]).add(normal(rng, 'mu', [2, 5])); // prettier-ignore
        const z = tf.concat([mu.mean(0, true), normal(rng, 'z', [2, 5]).add(tf.tensor2d([[60], [-60]]))]);
        const logVar = normal(rng, 'logVar', [1, 5], 0.5).tile([2, 1]);
        await checkLogMixture(
          call,
          { z, logits: unevenLogits(rng, 2), mu, logVar },
          'log-sum-exp over the components of each example keeps it finite',
        );
      },
    },
  ],
};
