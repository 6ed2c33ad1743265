/** Chapter 3: the M-step of Gaussians. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectTensor } from '../../exercise/compare';
import type { Exercise } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, normal, vector, type Vector } from './common';
import { chapter, type Call } from './mixture-density';
import { sum } from './mixture-m-steps';

// mixture.gaussianMStep

export interface GaussianInput {
  readonly x: tf.Tensor;
  readonly r: tf.Tensor;
  readonly floor: number;
}

/** By the definition of a weighted mean and variance, in double precision: [K][D] each. */
function momentsOf({ x, r }: GaussianInput): { mean: number[][]; variance: number[][]; size: number[] } {
  const [X, R] = [matrix(x), matrix(r)];
  const size = R[0]!.map((_, k) => sum(R.map((row) => row[k]!)));
  const average = (k: number, of: (row: Vector) => number) =>
    X.reduce((total, row, n) => total + R[n]![k]! * of(row), 0) / size[k]!;
  const mean = size.map((_, k) => X[0]!.map((_, d) => average(k, (row) => row[d]!)));
  const variance = mean.map((m, k) => m.map((centre, d) => average(k, (row) => (row[d]! - centre) ** 2)));
  return { mean, variance, size };
}

const map2 = (rows: number[][], f: (v: number, k: number, d: number) => number) =>
  matrixTensor(rows.map((row, k) => row.map((v, d) => f(v, k, d))));

const wrongMeans = (input: GaussianInput): readonly KnownMistake[] => {
  const { mean, size } = momentsOf(input);
  const N = input.x.shape[0]!;
  const plain = vector(input.x.mean(0));
  return [
    {
      hint: 'divide by how many examples the component has, Σ_n r_nk, and not by all of them',
      answer: () => map2(mean, (v, k) => (v * size[k]!) / N),
    },
    { hint: 'this is a sum: divide it by Σ_n r_nk', answer: () => map2(mean, (v, k) => v * size[k]!) },
    {
      hint: 'an example counts for a component by its responsibility',
      answer: () => map2(mean, (_, __, d) => plain[d]!),
    },
  ];
};

const wrongLogVariances = (input: GaussianInput): readonly KnownMistake[] => {
  const { mean, variance, size } = momentsOf(input);
  const [N, floor] = [input.x.shape[0]!, input.floor];
  const [plain, plainVariance] = tf.tidy(() => {
    const { mean: m, variance: v } = tf.moments(input.x, 0);
    return [m.arraySync(), v.arraySync()];
  }) as [number[], number[]];
  const logs = (f: (v: number, k: number, d: number) => number) => () =>
    map2(variance, (v, k, d) => Math.log(Math.max(f(v, k, d), floor)));
  return [
    {
      hint: 'the variance is about the component’s own mean: this is the mean of the squares',
      answer: logs((v, k, d) => v + mean[k]![d]! ** 2),
    },
    {
      hint: 'the variance is about the component’s own new mean, not about that of all data',
      answer: logs((v, k, d) => v + (mean[k]![d]! - plain[d]!) ** 2),
    },
    { hint: 'an example counts for a component by its responsibility', answer: logs((_, __, d) => plainVariance[d]!) },
    { hint: 'divide by Σ_n r_nk, not by all examples', answer: logs((v, k) => (v * size[k]!) / N) },
    {
      hint: 'the maximum of the likelihood divides by Σ_n r_nk; with one less it is the unbiased estimate, another thing',
      answer: logs((v, k) => (v * size[k]!) / (size[k]! - 1)),
    },
    { hint: 'logVar is ln σ², not ln σ', answer: () => map2(variance, (v) => 0.5 * Math.log(Math.max(v, floor))) },
    {
      hint: 'this is the variance: its logarithm is asked for',
      answer: () => map2(variance, (v) => Math.max(v, floor)),
    },
    {
      hint: 'the floor is a bound on the variance and no part of it: where σ² is larger already, it changes nothing',
      answer: () => map2(variance, (v) => Math.log(v + floor)),
    },
    { hint: 'no variance may fall below the floor', answer: () => map2(variance, Math.log) },
  ];
};

export async function checkGaussianMStep(call: Call, input: GaussianInput, hint?: string): Promise<void> {
  const { x, r, floor } = input;
  const shape = [r.shape[1]!, x.shape[1]!];
  const fields = expectFields(await call(x, r, floor), ['mu', 'logVar'], { what: 'the parameters' });
  const { mean, variance } = momentsOf(input);
  const about = { rtol: 1e-4, ...(hint !== undefined && { hint }) };
  const mu = expectTensor(fields.mu, { what: 'mu', shape, nonFinite: true });
  expectAnswer(mu, matrixTensor(mean), { ...about, what: 'mu', atol: 1e-4 }, wrongMeans(input));
  const logVar = expectTensor(fields.logVar, { what: 'logVar', shape, nonFinite: true });
  const expected = map2(variance, (v) => Math.log(Math.max(v, floor)));
  expectAnswer(logVar, expected, { ...about, what: 'logVar', atol: 1e-3 }, wrongLogVariances(input));
}

/** Off the middle, and each component elsewhere: example n leans to component n modulo K. */
export function gaussianInput(rng: Rng, [N, K, D]: readonly [number, number, number], unit = 1): GaussianInput {
  const kind = tf.tidy(() => tf.range(0, N).mod(K).expandDims(1)); // [N, 1]
  const leaning = tf.tidy(() => kind.equal(tf.range(0, K)).toFloat().mul(2)); // [N, K]
  return {
    x: tf.tidy(() => normal(rng, 'x', [N, D]).add(3).add(kind.mul(2)).mul(unit)),
    r: tf.tidy(() => tf.softmax(normal(rng, 'r', [N, K]).add(leaning))),
    floor: 1e-6 * unit ** 2,
  };
}

export const gaussianMStep: Exercise = {
  id: 'mixture.gaussianMStep',
  chapter,
  functionName: 'gaussianMStep',
  title: 'the M-step of Gaussians: a derivation',
  points: 3,
  hints: [
    'Fix one component and one coordinate. Which terms of the expected complete log-likelihood still have its mean in them, and what is their derivative?',
    'In μ the sum is a weighted least-squares problem: at its minimum the weighted differences x − μ cancel. Put that μ in and differentiate by the log-variance: each example says −½ + ½ (x − μ)² / σ², by its weight. Where the sum of these is 0 stands σ². If that is below the floor, on which side of the maximum is the floor?',
    'Weights are r over their sum in each component, [N, K]. Their transpose times x gives the means [K, D]. For the variances, take the differences [N, K, D] of examples and means first, square, and sum with the same weights; take the larger of that and the floor, and the logarithm last.',
  ],
  checks: [
    {
      name: 'one component that owns everything: the mean and the variance of the data',
      run: ({ call }) =>
        checkGaussianMStep(
          call,
          { x: tf.tensor2d([[1], [2], [6]]), r: tf.ones([3, 1]), floor: 1e-6 },
          'mean 3, variance 14/3',
        ),
    },
    {
      name: 'certain responsibilities: each component sees its own examples',
      run: ({ call }) =>
        checkGaussianMStep(call, {
          x: tf.tensor2d([[0, 5], [10, 1], [2, 7], [14, 9]]), // prettier-ignore
          r: tf.tensor2d([[1, 0], [0, 1], [1, 0], [0, 1]]), // prettier-ignore
          floor: 1e-6,
        }),
    },
    {
      name: 'soft responsibilities, several sizes, any unit',
      async run({ call, rng }) {
        const sizes = [
          [4, 1, 1],
          [6, 2, 3],
          [12, 3, 2],
        ] as const;
        for (const size of sizes)
          for (const unit of [1, 1e-2, 1e3])
            await checkGaussianMStep(call, gaussianInput(rng.fork(`${size} ${unit}`), size, unit));
      },
    },
    {
      name: 'no variance is below the floor, and what is above it is left alone',
      run: ({ call }) =>
        checkGaussianMStep(
          call,
          {
            x: tf.tensor2d([[0, 4], [10, 4.1], [2, 4], [14, 4.3]]), // prettier-ignore
            r: tf.tensor2d([[1, 0], [0, 1], [0, 1], [0, 1]]), // prettier-ignore
            floor: 0.5,
          },
          'a component on a single point has variance 0: there the best that the floor allows is the floor itself',
        ),
    },
    {
      name: 'data far from 0 lose nothing',
      async run({ call, rng }) {
        const { r, x, floor } = gaussianInput(rng, [20, 2, 2]);
        const far = tf.tidy(() => x.mul(0.5).add(1000));
        const hint =
          'differences first, then squares: Σ w x² − μ² is a small difference of two large numbers, and float32 has seven digits';
        await checkGaussianMStep(call, { x: far, r, floor }, hint);
      },
    },
  ],
};
