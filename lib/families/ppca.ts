/**
 * Probabilistic principal component analysis:  z ~ N(0, I_L),  x = W z + mu + σ ε,  so that  p(x) = N(mu, W Wᵀ + σ² I).
 *
 * The latent-variable model in which every integral has a closed form: the likelihood, the posterior, the best weights.
 * Sources: Tipping and Bishop, Probabilistic principal component analysis (1999); Bishop, Pattern Recognition and
 * Machine Learning (2006), section 12.2. Left out: a variance for each coordinate, which is factor analysis.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import { LOG_2PI } from '../core/distributions';
import { eigenSymmetric, solvePositive } from '../core/linear';
import type { CountingModel, Family, Rng } from '../core/model';
import { negativeLogLikelihood } from '../core/objective';
import { eventRows, sizeOf } from '../core/tensor';
import { constantWeight, randomWeight, weight } from '../networks/dense';
import { sampler } from '../sampling/sampler';

// 1 Family: ln N(x; mu, W Wᵀ + σ² I), by matrices of L × L alone: with M = Wᵀ W + σ² I,
//   det C = σ^(2 (D − L)) det M  and  σ² dᵀ C⁻¹ d = dᵀ d − dᵀ W M⁻¹ Wᵀ d  (Woodbury)

export interface PpcaConfig {
  readonly eventShape: readonly number[];
  /** L < D */
  readonly latent: number;
  /** σ² is at least this. */
  readonly varianceFloor: number;
  /** What mu starts from. */
  readonly mean: number;
  /** Spread of W at the start, and σ. */
  readonly scale: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface PpcaParameters extends tf.TensorContainerObject {
  /** [D, L]; any rotation of its columns, W R with R Rᵀ = I, is the same model */
  readonly w: tf.Tensor;
  /** [D] */
  readonly mu: tf.Tensor;
  /** σ², a scalar [] */
  readonly variance: tf.Tensor;
}

/** p(z | x) = N(mean, covariance), the same covariance for all x. */
export interface PpcaPosterior extends tf.TensorContainerObject {
  /** M⁻¹ Wᵀ (x − mu): [B, L] */
  readonly mean: tf.Tensor;
  /** σ² M⁻¹: [L, L] */
  readonly covariance: tf.Tensor;
}

/** Besides what `em` asks for, what is known in closed form. */
export interface PpcaModel extends CountingModel {
  posterior(x: tf.Tensor): PpcaPosterior;
  /**
   * Sets the weights to the ones of maximum likelihood on x [N, ...event]: the L largest eigenvalues λ of the covariance
   * with their eigenvectors U, W = U (Λ − σ² I)^½, and σ² the mean of the D − L others.
   */
  closedForm(x: tf.Tensor): void;
  parameters(): PpcaParameters;
}

export interface PpcaFamily extends Family<PpcaConfig> {
  create(config: Readonly<PpcaConfig>, rng: Rng): PpcaModel;
}

function createPpca(config: PpcaConfig, rng: Rng): PpcaModel {
  const { eventShape, latent: L, varianceFloor, mean, scale } = config;
  const D = sizeOf(eventShape);
  checkConfig(config, D);

  // 2 Network h: none; mu and ln (σ² − floor), and W

  const w = randomWeight([D, L], rng.fork('w'), { scale });
  const mu = constantWeight([D], mean);
  const logVariance = weight(tf.scalar(Math.log(scale * scale)));
  const variance = () => logVariance.exp().add(varianceFloor);

  const rows = (x: tf.Tensor) => eventRows('ppca: x', x, eventShape); // [B, D]
  /** M [L, L], and Wᵀ (x − mu)ᵀ [L, B] */
  const system = (d: tf.Tensor) => ({
    m: w.matMul(w, true).add(tf.eye(L).mul(variance())),
    projected: w.matMul(d, true, true),
  });
  const logProb = (x: tf.Tensor) =>
    tf.tidy(() => {
      const d = rows(x).sub(mu); // [B, D]
      const { m, projected } = system(d);
      const { logDet, x: z } = solvePositive(m, projected); // z = M⁻¹ Wᵀ d: [L, B]
      const squares = d.square().sum(1).sub(projected.mul(z).sum(0)).div(variance()); // [B]
      const logDetC = logDet.add(
        variance()
          .log()
          .mul(D - L),
      );
      return squares.add(logDetC).add(D * LOG_2PI).mul(-0.5); // prettier-ignore
    });
  const posterior = (x: tf.Tensor): PpcaPosterior =>
    tf.tidy(() => {
      const { m, projected } = system(rows(x).sub(mu));
      const { x: solved } = solvePositive(m, tf.concat([tf.eye(L), projected], 1)); // [L, L + B]
      const inverse = solved.slice([0, 0], [L, L]);
      return { mean: solved.slice([0, L], [L, -1]).transpose(), covariance: inverse.mul(variance()) };
    });
  const assign = (values: { readonly w: tf.Tensor; readonly mu: tf.Tensor; readonly variance: number }) => {
    w.assign(values.w as tf.Tensor2D);
    mu.assign(values.mu as tf.Tensor1D);
    logVariance.assign(tf.scalar(Math.log(Math.max(values.variance - varianceFloor, TINY))));
  };
  return {
    eventShape,
    posterior,
    parameters: () => tf.tidy(() => ({ w: w.clone(), mu: mu.clone(), variance: variance() })),

    // 3 Objective: the mean negative log-likelihood

    objectives: [negativeLogLikelihood([w, mu, logVariance], logProb)],

    // 4 Optimiser: none is needed; Adam (`learningRate`) gets there as well
    // 5 Training: `closedForm`, at once; `em` (training/em.ts), by expected sums; `fit` (training/fit.ts), by gradient

    closedForm: (x) => tf.tidy(() => assign(closedForm(rows(x), L, varianceFloor))),
    expectedCounts: (x) => tf.tidy(() => expectedSums(rows(x), posterior(x), mu)),
    maximise: (sums) => tf.tidy(() => assign(maximised(sums, mu))),

    // 6 Likelihood of new inputs: exact

    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: z, then x around W z + mu

    sample: sampler('ppca', ({ count, rng: noise }) => {
      const z = noise.fork('z').normal([count, L]);
      const spread = noise.fork('x').normal([count, D]).mul(variance().sqrt());
      return z.matMul(w, false, true).add(mu).add(spread).reshape([count, ...eventShape]); // prettier-ignore
    }),
  };
}

const TINY = 1e-12; // keeps ln of a variance at its floor finite

function checkConfig({ latent, varianceFloor, scale }: PpcaConfig, D: number): void {
  requireCounts('ppca', { latent });
  if (latent >= D)
    throw new Error(`ppca: latent must be less than ${D}, the coordinates of x, got ${latent}: σ² is what they leave over`); // prettier-ignore
  if (!(varianceFloor >= 0)) throw new Error(`ppca: varianceFloor must be ≥ 0, got ${varianceFloor}`);
  if (!(scale > 0)) throw new Error(`ppca: scale must be > 0, got ${scale}`);
}

/** In float64: the covariance of a thousand digits loses too much in float32. @param x [N, D] */
function closedForm(x: tf.Tensor, L: number, floor: number) {
  const N = x.shape[0]!;
  const D = x.size / N;
  const data = x.dataSync();
  const mu = Array.from({ length: D }, () => 0);
  data.forEach((value, i) => (mu[i % D]! += value / N));
  const covariance = mu.map(() => new Array<number>(D).fill(0));
  for (let n = 0; n < N; n++)
    for (let i = 0; i < D; i++) {
      const di = data[n * D + i]! - mu[i]!;
      for (let j = 0; j <= i; j++) covariance[i]![j]! += (di * (data[n * D + j]! - mu[j]!)) / N;
    }
  const { values, vectors } = eigenSymmetric(covariance.map((row, i) => row.map((value, j) => (j <= i ? value : covariance[j]![i]!)))); // prettier-ignore
  const variance = Math.max(values.slice(L).reduce((sum, value) => sum + value, 0) / (D - L), floor);
  const columns = vectors.slice(0, L).map((u, k) => u.map((value) => value * Math.sqrt(Math.max(values[k]! - variance, 0)))); // prettier-ignore
  return { w: tf.tensor2d(columns).transpose(), mu: tf.tensor1d(mu), variance };
}

/**
 * With d = x − mu and y = [z, 1]: Σ d E[y]ᵀ [D, L + 1], Σ E[y yᵀ] [L + 1, L + 1], Σ dᵀ d []. The mean is learnt together
 * with W, as the column of the latent that is always 1.
 */
function expectedSums(x: tf.Tensor, { mean, covariance }: PpcaPosterior, mu: tf.Tensor): tf.Tensor[] {
  const N = x.shape[0]!;
  const d = x.sub(mu);
  const y = tf.concat([mean, tf.ones([N, 1])], 1); // [N, L + 1]
  const spread = covariance.mul(N).pad([[0, 1], [0, 1]]); // prettier-ignore
  return [d.matMul(y, true), y.matMul(y, true).add(spread), d.square().sum()];
}

/** The maximum of the expected complete log-likelihood: W and mu by regression on y, σ² from what that leaves. */
function maximised([dy, yy, dd]: readonly tf.Tensor[], mu: tf.Tensor) {
  const [D, size] = dy!.shape as [number, number];
  const N = yy!.slice([size - 1, size - 1], [1, 1]).dataSync()[0]!;
  const { x: solved } = solvePositive(yy!, dy!.transpose()); // [L + 1, D]
  const rest = dd!.sub(solved.mul(dy!.transpose()).sum());
  return {
    w: solved.slice([0, 0], [size - 1, D]).transpose(),
    mu: mu.add(solved.slice([size - 1, 0], [1, D]).reshape([D])),
    variance: rest.dataSync()[0]! / (N * D),
  };
}

/** Weights: D L + D + 1. */
export const ppca: PpcaFamily = {
  name: 'ppca',
  reference: 'Tipping and Bishop, Probabilistic principal component analysis (1999)',
  card: {
    title: 'Probabilistic PCA',
    forward: 'O(B D L + D L² + L³)',
    inference: 'O(D L) for an example, exact: p(x), and the posterior N(M⁻¹ Wᵀ (x − mu), σ² M⁻¹)',
    sampling: 'O(D L) for one example: z, then x',
    objective: 'exact log-likelihood, in closed form, by EM or by gradient',
    network: 'none: a matrix, a mean and a variance',
    representation: 'z, L numbers with their covariance, up to a rotation',
    row: {
      training: 'stable',
      likelihood: 'exact',
      sampling: 'fast',
      lossyCompression: true,
      losslessCompression: false,
      representation: true,
    },
  },
  defaults: {
    eventShape: [64],
    latent: 16,
    varianceFloor: 1 / 12, // of U[0, 1): dequantised integers cannot be sharper
    mean: 8.5, // the middle of 0 … 17, where dequantised pixels lie
    scale: 2, // a third of the spread of the pixels
    learningRate: 0.05,
    batchSize: 100,
  },
  grid: { latent: [2, 4, 8, 16, 24, 32] },
  tiny: {
    config: { eventShape: [2], latent: 1, varianceFloor: 0.05, mean: 0, scale: 1, learningRate: 0.05, batchSize: 50 },
    support: { kind: 'continuous', low: -12, high: 12 },
  },
  create: createPpca,
};
