/**
 * Worlds z ~ N(0, I), x ~ p(x | z) whose ln p(x) is known: what a bound leaves of it is the posterior's fault alone, since
 * the decoder is the truth.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../../core/counts';
import { LOG_2PI, logNormal } from '../../core/distributions';
import { eigenSymmetric } from '../../core/linear';
import type { Rng } from '../../core/model';
import { createRng } from '../../core/random';
import { logSumExp } from '../../core/tensor';
import { normalCdf } from '../../statistics/oracles';
import { source, type Definition, type Source } from './source';

export interface LatentWorld extends Source {
  /** L */
  readonly latent: number;
  /** ln p(x | z): x [B, ...event], z [B, L] → [B] */
  logGiven(x: tf.Tensor, z: tf.Tensor): tf.Tensor;
  /** x ~ p(x | z): [B, ...event] */
  drawGiven(z: tf.Tensor, rng: Rng): tf.Tensor;
}

type WorldParts = Pick<LatentWorld, 'latent' | 'logGiven' | 'drawGiven'>;

function world(definition: Omit<Definition, 'sample'>, parts: WorldParts): LatentWorld {
  const sample = (count: number, rng: Rng) =>
    tf.tidy(() => parts.drawGiven(rng.fork('z').normal([count, parts.latent]), rng.fork('x')));
  return { ...source({ ...definition, sample }), ...parts };
}

// Linear

export interface LinearWorldOptions {
  /** L. Default: 8 */
  readonly latent?: number;
  /** D. Default: 4; with fewer than L, latents explain each other away */
  readonly dimensions?: number;
  /** σ. Default: 0.229 */
  readonly noise?: number;
}

export interface LinearWorld extends LatentWorld {
  /** W [D][L] */
  readonly loadings: readonly (readonly number[])[];
  readonly noise: number;
  /** Of p(z | x), the same for every x: Λ⁻¹ [L][L] with Λ = I + WᵀW / σ² */
  readonly covariance: readonly (readonly number[])[];
  /** What the best diagonal Gaussian leaves of ln p(x), for every x: ½ (Σ_i ln Λ_ii − ln det Λ) */
  readonly diagonalGap: number;
}

/**
 * x = W z + σ ε, so that x ~ N(0, W Wᵀ + σ² I). The posterior is a Gaussian whose covariance is far from diagonal where
 * there are more latents than dimensions. W is drawn once and for all, from N(0, 1).
 */
export function linearWorld({ latent: L = 8, dimensions: D = 4, noise = 0.229 }: LinearWorldOptions = {}): LinearWorld {
  requireCounts('linearWorld', { latent: L, dimensions: D });
  if (!(noise > 0)) throw new Error(`linearWorld: noise must be > 0, got ${noise}`);
  const loadings = tf.tidy(() => createRng('linear world').normal([D, L]).arraySync()) as number[][];
  const marginal = square(D, (i, j) => sum(L, (l) => loadings[i]![l]! * loadings[j]![l]!) + (i === j ? noise ** 2 : 0));
  const precision = square(
    L,
    (i, j) => sum(D, (d) => loadings[d]![i]! * loadings[d]![j]!) / noise ** 2 + Number(i === j),
  );
  const [ofX, ofZ] = [inverse(marginal), inverse(precision)];
  const mean = (z: tf.Tensor) => z.matMul(tf.tensor2d(loadings), false, true); // [B, D]
  const parts: WorldParts = {
    latent: L,
    logGiven: (x, z) => tf.tidy(() => logNormal(x, mean(z), tf.scalar(2 * Math.log(noise)))),
    drawGiven: (z, rng) => tf.tidy(() => rng.normal([z.shape[0]!, D]).mul(noise).add(mean(z))),
  };
  const widest = 8 * Math.sqrt(Math.max(...marginal.map((row, d) => row[d]!)));
  const facts = {
    name: 'linear world',
    eventShape: [D],
    support: { kind: 'continuous', low: -widest, high: widest } as const,
    entropy: 0.5 * (D * (1 + LOG_2PI) + ofX.logDet),
    logProb: (x: tf.Tensor) =>
      x.matMul(tf.tensor2d(ofX.inverse)).mul(x).sum(1).add(D * LOG_2PI + ofX.logDet).mul(-0.5),
  }; // prettier-ignore
  const diagonalGap = 0.5 * (sum(L, (i) => Math.log(precision[i]![i]!)) - ofZ.logDet);
  return { ...world(facts, parts), loadings, noise, covariance: ofZ.inverse, diagonalGap };
}

const sum = (n: number, term: (i: number) => number) => Array.from({ length: n }, (_, i) => term(i)).reduce((a, b) => a + b, 0); // prettier-ignore

const square = (n: number, entry: (i: number, j: number) => number): number[][] =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => entry(i, j)));

/** Of a symmetric positive definite matrix, and ln det of the matrix itself. */
function inverse(matrix: readonly (readonly number[])[]): { inverse: number[][]; logDet: number } {
  const { values, vectors } = eigenSymmetric(matrix);
  const n = values.length;
  return {
    inverse: square(n, (i, j) => sum(n, (k) => (vectors[k]![i]! * vectors[k]![j]!) / values[k]!)),
    logDet: sum(n, (k) => Math.log(values[k]!)),
  };
}

// Ring

/**
 * x = ‖z‖ + σ ε with two latents: the posterior is a ring of radius about x, which no Gaussian is like, turned or not.
 *   p(x) = ∫ r exp(−½ r²) N(x; r, σ²) dr,
 * by the midpoint rule; the entropy from its closed form √(2π) N(x; 0, 1 + σ²) (m Φ(m / s) + s φ(m / s)), with
 * m = x / (1 + σ²) and s² = σ² / (1 + σ²).
 * @param options.noise σ, from 0.05 on. Default: 0.1
 */
export function ringWorld({ noise = 0.1 }: { readonly noise?: number } = {}): LatentWorld {
  if (!(noise >= 0.05)) throw new Error(`ringWorld: noise must be ≥ 0.05, which the quadrature resolves, got ${noise}`);
  const logVar = 2 * Math.log(noise);
  const radius = (z: tf.Tensor) => z.square().sum(1, true).add(TINY).sqrt(); // [B, 1]
  const parts: WorldParts = {
    latent: 2,
    logGiven: (x, z) => tf.tidy(() => logNormal(x, radius(z), tf.scalar(logVar))),
    drawGiven: (z, rng) => tf.tidy(() => rng.normal([z.shape[0]!, 1]).mul(noise).add(radius(z))),
  };
  const width = LARGEST_RADIUS / RADII;
  const radii = Array.from({ length: RADII }, (_, i) => (i + 0.5) * width);
  const logWeights = radii.map((r) => Math.log(r * width) - r ** 2 / 2 - (LOG_2PI + logVar) / 2);
  const facts = {
    name: 'ring world',
    eventShape: [1],
    support: { kind: 'continuous', low: -8 * noise, high: LARGEST_RADIUS + 8 * noise } as const,
    entropy: ringEntropy(noise),
    logProb: (x: tf.Tensor) =>
      logSumExp(x.sub(tf.tensor1d(radii)).div(noise).square().mul(-0.5).add(tf.tensor1d(logWeights)), 1),
  };
  return world(facts, parts);
}

const TINY = 1e-12; // the root's slope at 0 is finite
const LARGEST_RADIUS = 8;
const RADII = 2400; // with the smallest σ the midpoint rule errs by 2·10⁻⁴ of p at x = 0, where r has a bend, and by more below only

function ringEntropy(noise: number): number {
  const [spread, s] = [1 + noise ** 2, noise / Math.sqrt(1 + noise ** 2)];
  const density = (x: number) => {
    const t = x / spread / s;
    const inner = t * normalCdf(t) + Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
    return Math.max(0, s * inner) * Math.exp((-x * x) / (2 * spread)) / Math.sqrt(spread);
  }; // prettier-ignore
  const [low, high, steps] = [-7 * noise, LARGEST_RADIUS + 7 * noise, 8000];
  const width = (high - low) / steps;
  return sum(steps, (i) => {
    const p = density(low + (i + 0.5) * width);
    return p > 0 ? -p * Math.log(p) * width : 0;
  });
}
