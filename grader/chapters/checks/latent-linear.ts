/**
 * Chapter 8: probabilistic principal components, whose integral can be done. References build the whole covariance and
 * eliminate; the solution never forms a matrix of D × D.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { LOG_2PI, matrix, matrixTensor, normal, smallestFirst, type Matrix, type Vector } from './common';

const chapter = '08-latent-variables';

type Call = (...args: Value[]) => Promise<Value>;

export interface LinearInput {
  readonly x: Matrix;
  /** [D][L], orthogonal columns */
  readonly W: Matrix;
  readonly mu: Vector;
  readonly logVar: number;
}

const dot = (a: Vector, b: Vector) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const column = (W: Matrix, l: number) => W.map((row) => row[l]!);
const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

/** Columns of these lengths, orthogonal: each loses its parts along those before it. */
export function orthogonalColumns(rng: Rng, D: number, lengths: Vector): number[][] {
  const columns: number[][] = [];
  for (const [l, length] of lengths.entries()) {
    let v: number[] = matrix(normal(rng, `column ${l}`, [1, D]))[0]!;
    for (const other of columns) {
      const share = dot(v, other) / dot(other, other);
      v = v.map((value, d) => value - share * other[d]!);
    }
    const scale = length / Math.sqrt(dot(v, v));
    columns.push(v.map((value) => value * scale));
  }
  return Array.from({ length: D }, (_, d) => columns.map((v) => v[d]!));
}

export function linearInput(rng: Rng, B: number, lengths: Vector, D: number, logVar: number): LinearInput {
  return {
    x: matrix(normal(rng, 'x', [B, D], 1.5)),
    W: orthogonalColumns(rng, D, lengths),
    mu: matrix(normal(rng, 'mu', [1, D]))[0]!,
    logVar,
  };
}

export const tensorsOf = ({ x, W, mu, logVar }: LinearInput): Value[] => [
  matrixTensor(x),
  matrixTensor(W),
  tf.tensor1d([...mu]),
  logVar,
];

/** A⁻¹ b and ln |det A| of a symmetric positive A, by elimination. */
function solve(A: Matrix, b: Vector): { readonly solution: number[]; readonly logDet: number } {
  const rows = A.map((row, i) => [...row, b[i]!]);
  const n = rows.length;
  let logDet = 0;
  for (let i = 0; i < n; i++) {
    logDet += Math.log(rows[i]![i]!);
    for (let j = i + 1; j < n; j++) {
      const factor = rows[j]![i]! / rows[i]![i]!;
      for (let k = i; k <= n; k++) rows[j]![k]! -= factor * rows[i]![k]!;
    }
  }
  const solution = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--)
    solution[i] = (rows[i]![n]! - dot(rows[i]!.slice(i + 1, n), solution.slice(i + 1))) / rows[i]![i]!;
  return { solution, logDet };
}

// vae.marginal

/** W Wᵀ + σ² I */
const covarianceOf = (W: Matrix, noise: number): number[][] =>
  W.map((a, i) => W.map((b, j) => dot(a, b) + (i === j ? noise : 0)));

export function logMarginalOf({ x, W, mu, logVar }: LinearInput): number[] {
  const C = covarianceOf(W, Math.exp(logVar));
  return x.map((row) => {
    const r = row.map((v, d) => v - mu[d]!);
    const { solution, logDet } = solve(C, r);
    return -0.5 * (dot(r, solution) + logDet + r.length * LOG_2PI);
  });
}

interface Parts {
  readonly r: Vector;
  /** w·r of each column, and |w|² */
  readonly along: Vector;
  readonly size: Vector;
  readonly noise: number;
  readonly D: number;
}

function mistakenMarginals(input: LinearInput): readonly KnownMistake[] {
  const { x, W, mu, logVar } = input;
  const L = W[0]!.length;
  const by =
    (of: (parts: Parts) => number, noise = Math.exp(logVar)) =>
    () =>
      tf.tensor1d(
        x.map((row) => {
          const r = row.map((v, d) => v - mu[d]!);
          const columns = Array.from({ length: L }, (_, l) => column(W, l));
          return of({
            r,
            along: columns.map((w) => dot(w, r)),
            size: columns.map((w) => dot(w, w)),
            noise,
            D: r.length,
          });
        }),
      );
  const distance = ({ r, along, size, noise }: Parts) =>
    (dot(r, r) - sum(along.map((a, l) => (a * a) / (size[l]! + noise)))) / noise;
  const logDet = ({ size, noise, D }: Parts) => sum(size.map((s) => Math.log(s + noise))) + (D - L) * Math.log(noise);
  const whole = (parts: Parts, d = distance(parts), l = logDet(parts)) => -0.5 * (d + l + parts.D * LOG_2PI);
  return [
    { hint: 'logVar is the logarithm of the variance: σ² = exp(logVar), and not its square root', answer: by(whole, Math.exp(logVar / 2)) },
    { hint: 'σ² = exp(logVar), and not the square of that', answer: by(whole, Math.exp(2 * logVar)) },
    { hint: 'the D − L directions without a column have the variance σ²: they are part of the determinant', answer: by((p) => whole(p, distance(p), sum(p.size.map((s) => Math.log(s + p.noise))))) },
    { hint: 'along a column the variance is |w|² + σ²: the noise is there, too', answer: by((p) => whole(p, (dot(p.r, p.r) - sum(p.along.map((a, l) => (a * a) / p.size[l]!))) / p.noise)) },
    { hint: 'that is as if z were 0: the variance of the data is W Wᵀ + σ² I', answer: by((p) => whole(p, dot(p.r, p.r) / p.noise, p.D * Math.log(p.noise))) },
    { hint: 'that is ln p(x | z) at the best z: the sum over z widens the Gaussian along the columns', answer: by((p) => whole(p, (dot(p.r, p.r) - sum(p.along.map((a, l) => (a * a) / p.size[l]!))) / p.noise, p.D * Math.log(p.noise))) },
    { hint: 'the logarithm of the determinant is missing', answer: by((p) => whole(p, distance(p), 0)) },
    { hint: 'the determinant is that of the covariance: −½ ln |C|', answer: by((p) => whole(p, distance(p), -logDet(p))) },
    { hint: 'the constant −½ D ln 2π is missing', answer: by((p) => -0.5 * (distance(p) + logDet(p))) },
    { hint: 'a sum over the coordinates, not their mean', answer: by((p) => whole(p) / p.D) },
    { hint: 'the factor −½ is missing', answer: by((p) => -(distance(p) + logDet(p) + p.D * LOG_2PI)) },
    { hint: 'this is −ln p(x): the sign', answer: by((p) => -whole(p)) },
    { hint: 'take mu off first', answer: () => tf.tensor1d(logMarginalOf({ ...input, mu: mu.map(() => 0) })) },
  ]; // prettier-ignore
}

export async function checkMarginal(call: Call, input: LinearInput, hint: string): Promise<void> {
  const what = 'ln p(x)';
  const got = expectTensor(await call(...tensorsOf(input)), { what, shape: [input.x.length], hint });
  // the distance is a difference of two sums of squares over σ²: float32 keeps five digits of each
  const atol = 1e-3 + 2e-6 * Math.max(...input.x.map((row) => dot(row, row) / Math.exp(input.logVar)));
  const tolerance = { what, rtol: 1e-4, atol, hint };
  expectAnswer(got, tf.tensor1d(logMarginalOf(input)), tolerance, mistakenMarginals(input));
}

export const marginal: Exercise = {
  id: 'vae.marginal',
  chapter,
  functionName: 'logMarginalLinear',
  title: 'derive the density of probabilistic PCA',
  points: 3,
  hints: [
    'What is the variance of x along a column w of W? And along a direction that is orthogonal to all of them? How many of those directions are there?',
    'Along w the variance is |w|² + σ², along each of the other D − L directions σ². The determinant is the product of all of them; the distance is the sum of squares along each direction, over its variance.',
    'With r = x − mu: the square along w is (w·r)² / |w|². So rᵀ C⁻¹ r = (|r|² − Σ (w·r)² / (|w|² + σ²)) / σ². The logarithm of the determinant is Σ ln(|w|² + σ²) and D − L times ln σ².',
  ],
  checks: [
    {
      name: 'one number, one latent: the variances add',
      run: ({ call }) => checkMarginal(call, { x: [[1], [-2]], W: [[1.5]], mu: [0.5], logVar: -0.7 }, 'N(mu, w² + σ²)'),
    },
    {
      name: 'two numbers, one latent',
      run: ({ call }) =>
        checkMarginal(
          call,
          { x: [[1, 2], [0, -1], [3, 0.5]], W: [[1.2], [-0.4]], mu: [0.5, -1], logVar: 0.6 },
          'wide along w, narrow across',
        ), // prettier-ignore
    },
    {
      name: 'columns of zeros: the noise alone',
      run: ({ call }) =>
        checkMarginal(
          call,
          { x: [[1, 2, 0]], W: [[0, 0], [0, 0], [0, 0]], mu: [0, 1, 0], logVar: 0.4 },
          'N(mu, σ² I)',
        ), // prettier-ignore
    },
    {
      name: 'agrees with the Gaussian of covariance W Wᵀ + σ² I',
      async run({ call, rng }) {
        for (const [B, D, lengths, logVar] of [
          [3, 3, [1.5, 0.7], -0.5],
          [2, 4, [2, 1.3, 0.6], 0.8],
          [4, 6, [3], -1.5],
        ] as const)
          await checkMarginal(
            call,
            linearInput(rng.fork(`${D}`), B, lengths, D, logVar),
            'a Gaussian with mean mu and covariance W Wᵀ + σ² I',
          );
      },
    },
  ],
};

// vae.posterior

export interface LinearPosterior {
  readonly mu: number[][];
  readonly logVar: number[][];
}

/** By completing the square: precision I + WᵀW/σ², mean precision⁻¹ Wᵀ r / σ². */
export function posteriorOf({ x, W, mu, logVar }: LinearInput): LinearPosterior {
  const s2 = Math.exp(logVar);
  const columns = W[0]!.map((_, l) => column(W, l));
  const precision = columns.map((a, i) => columns.map((b, j) => dot(a, b) / s2 + (i === j ? 1 : 0)));
  const variances = columns.map((_, l) => solve(precision, columns.map((__, k) => (k === l ? 1 : 0))).solution[l]!); // prettier-ignore
  const means = x.map((row) => {
    const r = row.map((v, d) => v - mu[d]!);
    return solve(precision, columns.map((w) => dot(w, r) / s2)).solution; // prettier-ignore
  });
  return { mu: means, logVar: x.map(() => variances.map(Math.log)) };
}

type Entry = (along: number, size: number, noise: number) => number;

function mistakenPosteriors({ x, W, mu, logVar }: LinearInput, field: 'mu' | 'logVar'): readonly KnownMistake[] {
  const by =
    (of: Entry, noise = Math.exp(logVar), centre = mu) =>
    () =>
      matrixTensor(
        x.map((row) => {
          const r = row.map((v, d) => v - centre[d]!);
          return W[0]!.map((_, l) => of(dot(column(W, l), r), dot(column(W, l), column(W, l)), noise));
        }),
      );
  const mean: Entry = (along, size, noise) => along / (size + noise);
  const spread: Entry = (_, size, noise) => Math.log(noise / (size + noise));
  if (field === 'mu')
    return [
      { hint: 'that is the projection of PCA: the prior pulls the mean towards 0, by σ² in the denominator', answer: by((along, size) => along / size) },
      { hint: 'divide by |w|² + σ²: a longer column needs a smaller z', answer: by((along) => along) },
      { hint: 'wᵀ (x − mu) / σ² is the pull of the data; the posterior precision, 1 + |w|² / σ², divides it', answer: by((along, _, noise) => along / noise) },
      { hint: 'σ² = exp(logVar), and not its square root', answer: by(mean, Math.exp(logVar / 2)) },
      { hint: 'take mu off first', answer: by(mean, Math.exp(logVar), mu.map(() => 0)) },
      { hint: 'the denominator is |w|² + σ², and not |w| + σ²', answer: by((along, size, noise) => along / (Math.sqrt(size) + noise)) },
    ]; // prettier-ignore
  return [
    { hint: 'this is the variance: its logarithm is asked for', answer: by((_, size, noise) => noise / (size + noise)) },
    { hint: 'this is the precision: the variance is 1 over it', answer: by((_, size, noise) => Math.log((size + noise) / noise)) },
    { hint: 'the precision of the prior, 1, is missing: with no data at all the variance is 1', answer: by((_, size, noise) => Math.log(noise / size)) },
    { hint: 'the logarithm of the variance, and not of the standard deviation', answer: by((_, size, noise) => Math.log(noise / (size + noise)) / 2) },
    { hint: 'σ² is missing: with no noise the posterior is a point', answer: by((_, size, noise) => -Math.log(size + noise)) },
    { hint: 'that is the logarithm of the variance of the data along w: here it is that of z, given x', answer: by((_, size, noise) => Math.log(size + noise)) },
    { hint: 'that is the noise of x: a longer column makes z known better', answer: by((_, __, noise) => Math.log(noise)) },
    { hint: 'σ² = exp(logVar), and not its square root', answer: by(spread, Math.exp(logVar / 2)) },
  ]; // prettier-ignore
}

export async function checkPosterior(call: Call, input: LinearInput, hint: string): Promise<void> {
  const shape = [input.x.length, input.W[0]!.length];
  const got = expectFields(await call(...tensorsOf(input)), ['mu', 'logVar'], { what: 'the posterior', hint });
  const wanted = posteriorOf(input);
  for (const field of ['mu', 'logVar'] as const) {
    const what = field === 'mu' ? 'the mean' : 'ln of the variance';
    const tensor = expectTensor(got[field], { what, shape, hint: field === 'mu' ? hint : 'one row an example, though all are alike' }); // prettier-ignore
    const tolerance = { what, rtol: 1e-4, atol: 1e-4, hint };
    expectAnswer(tensor, matrixTensor(wanted[field]), tolerance, mistakenPosteriors(input, field));
  }
}

export const posterior: Exercise = {
  id: 'vae.posterior',
  chapter,
  functionName: 'posteriorLinear',
  title: 'derive the posterior of probabilistic PCA',
  points: 2,
  hints: [
    'Which terms of ln p(z) + ln p(x | z) hold z? What does a quadratic function of z say about the mean and the variance of a Gaussian?',
    'For one coordinate the terms are −½ z² (1 + |w|² / σ²) + z (w·r) / σ². The bracket is the precision, and the mean is where the slope is 0.',
    'The variance is σ² / (|w|² + σ²), and the mean (w·r) / (|w|² + σ²). All examples share the variance: repeat its logarithm for each.',
  ],
  checks: [
    {
      name: 'one number, one latent: the mean shrinks, and the variance too',
      run: ({ call }) =>
        checkPosterior(call, { x: [[3], [0]], W: [[2]], mu: [1], logVar: -0.8 }, 'between the prior and the data'),
    },
    {
      name: 'a column of zeros learns nothing: the prior',
      run: ({ call }) =>
        checkPosterior(
          call,
          { x: [[1, -2], [2, 0.5]], W: [[0, 0.9], [0, 1.1]], mu: [0.3, 0], logVar: 0.5 },
          'mean 0 and variance 1 where w = 0',
        ), // prettier-ignore
    },
    {
      name: 'agrees with the completed square',
      async run({ call, rng }) {
        for (const [B, D, L] of smallestFirst([
          [2, 3, 1],
          [3, 4, 2],
          [4, 7, 3],
        ] as const))
          for (const logVar of [-1.2, 0.9])
            await checkPosterior(
              call,
              linearInput(rng.fork(`${D} ${logVar}`), B, [2, 1.1, 0.5].slice(0, L), D, logVar),
              'the mean (w·r) / (|w|² + σ²), the variance σ² / (|w|² + σ²)',
            );
      },
    },
  ],
};
