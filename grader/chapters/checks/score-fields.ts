/** Chapter 12: the score of a mixture with noise, and the loss that learns it. References are plain sums, in double precision. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectNumber, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, meanOf, normal, softmax, type Matrix, type Vector } from './common';

const chapter = '12-score-flow';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);
const distance = (a: Vector, b: Vector) => sum(a.map((v, d) => (v - b[d]!) ** 2));

// score.mixture

export interface Hills {
  readonly x: Matrix;
  readonly mu: Matrix;
  readonly width: number;
  readonly sigma: number;
}

export const hillsOf = (rng: Rng, [B, K, D]: readonly [number, number, number], width: number, sigma: number): Hills => ({
  x: matrix(normal(rng, 'x', [B, D])),
  mu: matrix(normal(rng, 'mu', [K, D], 1.5)),
  width,
  sigma,
}); // prettier-ignore

/** Σ_k share_k (mu_k − x) / variance, with shares by densities of another variance, or by others. */
function pulled({ x, mu }: Hills, variance: number, shares: (row: Vector) => number[]): number[][] {
  return x.map((row) => {
    const r = shares(row);
    return row.map((v, d) => sum(mu.map((m, k) => (r[k]! * (m[d]! - v)) / variance)));
  });
}
const byDensity = ({ mu }: Hills, variance: number) => (row: Vector) => softmax(mu.map((m) => -distance(row, m) / (2 * variance))); // prettier-ignore

export const scoreOf = (hills: Hills): number[][] => {
  const variance = hills.width ** 2 + hills.sigma ** 2;
  return pulled(hills, variance, byDensity(hills, variance));
};

function wrongScores(hills: Hills): readonly (readonly [hint: string, score: number[][]])[] {
  const { mu, width, sigma } = hills;
  const variance = hills.width ** 2 + hills.sigma ** 2;
  const right = scoreOf(hills);
  const even = () => mu.map(() => 1 / mu.length);
  const times = (factor: number) => right.map((row) => row.map((v) => v * factor));
  return [
    ['the sign: the score points uphill, to where the density grows; minus it is the slope of the energy', times(-1)],
    ['noise makes every hill wider: variances add up, so that each is width² + σ²', pulled(hills, width ** 2, byDensity(hills, width ** 2))],
    ['the hills have a width of their own, besides the noise', pulled(hills, sigma ** 2, byDensity(hills, sigma ** 2))],
    ['the shares are those of the hills with noise, too', pulled(hills, variance, byDensity(hills, width ** 2))],
    ['every hill pulls by its share: p(k | x), which depends on x', pulled(hills, variance, even)],
    ['shares sum to 1: a mean over the hills, not a sum', pulled(hills, variance, () => mu.map(() => 1))],
    ['width and σ are deviations: their squares add up', pulled(hills, width + sigma, byDensity(hills, width + sigma))],
    ['width and σ are deviations: their squares add up', pulled(hills, (width + sigma) ** 2, byDensity(hills, (width + sigma) ** 2))],
    ['divided by the variance, not by the deviation', times(Math.sqrt(variance))],
    ['that is the best guess of x less x, σ² times the score', times(sigma ** 2)],
  ]; // prettier-ignore
}

export async function checkMixture(call: Call, hills: Hills): Promise<void> {
  const { x, mu, width, sigma } = hills;
  const hint = 'ln p is a log-sum-exp: its slope is the mean of the slopes, weighted by p(k | x)';
  const got = expectTensor(await call(matrixTensor(x), matrixTensor(mu), width, sigma), {
    what: 'the score',
    shape: [x.length, x[0]!.length],
    hint: 'a vector for each x',
  });
  const mistakes = wrongScores(hills).map(([told, score]): KnownMistake => ({ hint: told, answer: () => matrixTensor(score) })); // prettier-ignore
  const what = `the score, hills of width ${width} and σ = ${sigma},`;
  // far from all hills shares are e to the minus some hundred: float32 knows exponents to 10⁻⁵
  expectAnswer(got, matrixTensor(scoreOf(hills)), { what, rtol: 1e-3, atol: 1e-3, hint }, mistakes);
}

export const mixture: Exercise = {
  id: 'score.mixture',
  chapter,
  functionName: 'mixtureScore',
  title: 'derive: the score of a mixture with noise',
  points: 3,
  hints: [
    'What is the density of x + σ ε, when x is one of K Gaussians? And what is the slope of the logarithm of a sum?',
    'x + σ ε has K hills of variance width² + σ². ∇ ln Σ_k N_k = Σ_k p(k | x) ∇ ln N_k, with p(k | x) ∝ N_k, and ∇ ln N_k = (mu_k − x) / (width² + σ²).',
    'Differences [B, K, D]; their squares summed over D, divided by −2 (width² + σ²), through a softmax over K: [B, K]. Then the weighted sum of the differences over K.',
  ],
  checks: [
    {
      name: 'one hill: back to its middle, the less the more noise',
      async run({ call }) {
        await checkMixture(call, { x: [[1]], mu: [[0]], width: 1, sigma: 2 });
        await checkMixture(call, { x: [[3, -1]], mu: [[1, 0.5]], width: 0.6, sigma: 2 });
      },
    },
    {
      name: 'two hills: the nearer one pulls, and in the middle none',
      async run({ call }) {
        await checkMixture(call, { x: [[0.4]], mu: [[-1], [2]], width: 0.7, sigma: 0.5 });
        await checkMixture(call, { x: [[0, 0.3]], mu: [[-1, 0], [1, 0]], width: 0.5, sigma: 0.25 });
      },
    },
    {
      name: 'a batch, and more hills',
      async run({ call, rng }) {
        await checkMixture(call, hillsOf(rng.fork('few'), [3, 4, 2], 0.8, 0.6));
        await checkMixture(call, hillsOf(rng.fork('many'), [4, 8, 3], 1, 0.3));
      },
    },
  ],
}; // prettier-ignore

// score.denoising

export interface Noisy {
  readonly x: Matrix;
  readonly noise: Matrix;
  readonly sigma: Vector;
  /** s(x̃, σ) = slope · x̃ / (1 + σ) + shift */
  readonly slope: number;
  readonly shift: number;
}

export const noisyOf = (rng: Rng, D: number, sigma: Vector, [slope, shift]: readonly [number, number] = [-0.8, 0.3]): Noisy => ({
  x: matrix(normal(rng, 'x', [sigma.length, D])),
  noise: matrix(normal(rng, 'noise', [sigma.length, D])),
  sigma,
  slope,
  shift,
}); // prettier-ignore

const networkOf = ({ slope, shift }: Noisy) =>
  given(`(x, sigma) => x.mul(${slope}).div(sigma.add(1).expandDims(1)).add(${shift})`);

type PerExample = (x: Vector, noise: Vector, sigma: number, at: (row: Vector) => number[]) => number;

/** σ² ‖s(x + σ ε) + ε / σ‖² */
const rightLoss: PerExample = (x, noise, sigma, at) =>
  sum(at(x.map((v, d) => v + sigma * noise[d]!)).map((s, d) => (sigma * s + noise[d]!) ** 2));

const wrongLosses: readonly (readonly [hint: string, loss: PerExample])[] = [
  ['the sign: of x + σ ε the score is −ε / σ, towards x', (x, e, s, at) => sum(at(x.map((v, d) => v + s * e[d]!)).map((v, d) => (s * v - e[d]!) ** 2))],
  ['each level counts by σ²: unweighted, the smallest noise would be all there is', (x, e, s, at) => rightLoss(x, e, s, at) / s ** 2],
  ['σ² is the weight of the square: σ⁻¹ in the target takes one of them, and one is left', (x, e, s, at) => rightLoss(x, e, s, at) / s],
  ['the network is to see x with noise, not x', (x, e, s, at) => sum(at(x).map((v, d) => (s * v + e[d]!) ** 2))],
  ['the noise has the deviation σ, not σ²', (x, e, s, at) => sum(at(x.map((v, d) => v + s * s * e[d]!)).map((v, d) => (s * v + e[d]!) ** 2))],
  ['the score of N(x, σ²) at x + σ ε is −σ ε / σ² = −ε / σ', (x, e, s, at) => s ** 2 * sum(at(x.map((v, d) => v + s * e[d]!)).map((v, d) => (v + e[d]!) ** 2))],
  ['−ε / σ, not −ε / σ²', (x, e, s, at) => s ** 2 * sum(at(x.map((v, d) => v + s * e[d]!)).map((v, d) => (v + e[d]! / s ** 2) ** 2))],
  ['a sum over the coordinates, and a mean over the examples alone', (x, e, s, at) => rightLoss(x, e, s, at) / x.length],
  ['without the ½ here: the page says how the loss is scaled', (x, e, s, at) => rightLoss(x, e, s, at) / 2],
]; // prettier-ignore

function lossOf({ x, noise, sigma, slope, shift }: Noisy, of: PerExample): number {
  return meanOf(x.map((row, n) => of(row, noise[n]!, sigma[n]!, (at) => at.map((v) => (slope * v) / (1 + sigma[n]!) + shift)))); // prettier-ignore
}

export async function checkDenoising(call: Call, input: Noisy): Promise<void> {
  const { x, noise, sigma } = input;
  const hint = 'σ² ‖s + ε / σ‖² of each example, and the mean over the examples';
  const got = expectTensor(await call(networkOf(input), matrixTensor(x), tf.tensor1d([...sigma]), matrixTensor(noise)), { what: 'the loss', shape: [], hint: 'one number, a mean over the examples' }); // prettier-ignore
  const total = lossOf(input, rightLoss);
  const mistakes: KnownMistake[] = [
    ...wrongLosses.map(([told, of]) => ({ hint: told, answer: () => lossOf(input, of) })),
    { hint: 'a mean over the examples, not a sum', answer: () => total * x.length },
  ];
  expectAnswer(expectNumber(got.dataSync()[0]!), total, { what: `the loss at σ = [${sigma.join(', ')}]`, rtol: 1e-4, atol: 1e-5, hint }, mistakes); // prettier-ignore
}

export const denoising: Exercise = {
  id: 'score.denoising',
  chapter,
  functionName: 'denoisingLoss',
  title: 'the loss of a score at many levels of noise',
  points: 2,
  library: ['dgm.denoisingScoreMatching'],
  hints: [
    'Given x, what is the density of x̃ = x + σ ε, and what is the slope of its logarithm at x̃?',
    '∇ ln N(x̃; x, σ²) = −(x̃ − x) / σ² = −ε / σ. The network’s s(x̃, σ) is compared with it, and the square counts by σ², so that no level outweighs the others.',
    'σ as a column, sigma.expandDims(1): x̃ = x + σ ε; σ s(x̃, sigma) + ε; squared, summed over axis 1, mean.',
  ],
  checks: [
    {
      name: 'one example, one level',
      run: ({ call }) => checkDenoising(call, { x: [[2]], noise: [[1]], sigma: [0.5], slope: -0.8, shift: 0.1 }),
    },
    {
      name: 'much noise and little, side by side',
      run: ({ call }) => checkDenoising(call, { x: [[1, 0], [-1, 2]], noise: [[0.5, -1], [2, 0.25]], sigma: [0.1, 3], slope: -0.5, shift: 0.2 }),
    },
    {
      name: 'a batch',
      sameForAll: true,
      run: ({ call, rng }) => checkDenoising(call, noisyOf(rng, 3, [0.2, 0.5, 1, 2, 0.05])),
    },
  ],
}; // prettier-ignore
