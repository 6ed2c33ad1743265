/**
 * Mixture models:  p(x) = Σ_k π_k p(x | θ_k),  k = 1 … K.
 *
 * Two members: components that are diagonal Gaussians (for real x) or products of categorical variables (for
 * integer x). Both can be trained by gradient and by expectation maximisation.
 * Sources: McLachlan and Peel, Finite Mixture Models (2000); Dempster, Laird and Rubin (1977); Bishop, Pattern
 * Recognition and Machine Learning (2006), chapter 9.
 * Left out: full covariances (D² weights a component), and split and merge moves against poor optima.
 */
import * as tf from '@tensorflow/tfjs';
import { logCategoricalComponents, logLattice, logNormalComponents, oneHotValues } from '../core/distributions';
import { requireCounts } from '../core/counts';
import type { LatentModel, Card, Family, Rng } from '../core/model';
import { negativeLogLikelihood } from '../core/objective';
import { categorical } from '../core/random';
import { eventRows, logSumExp, sizeOf } from '../core/tensor';
import { constantWeight, randomWeight } from '../networks/dense';
import { sampler } from '../sampling/sampler';

// 1 Family: the log-density of every component (`logNormalComponents`, `logCategoricalComponents`), and of their mixture

export interface MixtureModel extends LatentModel {
  /** ln π_k + ln p(x | θ_k): [B, ...event] → [B, K] */
  logJoint(x: tf.Tensor): tf.Tensor;
  /** The weights as readers know them: pi [K], and the components' own. Copies: the caller disposes them. */
  parameters(): Readonly<Record<string, tf.Tensor>>;
}

// 2 Network h: none; the parameters are tables of weights, the same for every x

interface Components {
  readonly variables: readonly tf.Variable[];
  logProb(x: tf.Tensor): tf.Tensor; // [B, D] → [B, K]
  support(x: tf.Tensor): tf.Tensor; // [B, D] → [B], 0 or −∞
  start(x: tf.Tensor, rng: Rng): tf.Tensor; // [N, D] → [N, K]
  mStep(x: tf.Tensor, r: tf.Tensor): void; // [N, D], [N, K]
  draw(k: tf.Tensor, rng: Rng): tf.Tensor; // [B] → [B, D]
  parameters(): Record<string, tf.Tensor>;
}

export interface GaussianMixtureConfig {
  readonly components: number;
  readonly eventShape: readonly number[];
  /** Where the means start: N(mean, scale²) around the data's own. */
  readonly mean: number;
  readonly scale: number;
  /** No variance falls below this: a component on a single point would have an infinite likelihood. */
  readonly varianceFloor: number;
  /** EM: every component also sees this many imaginary examples with the mean and variance of all data. */
  readonly pseudoCount: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

function gaussianComponents(config: GaussianMixtureConfig, rng: Rng): Components {
  const { components: K, scale, varianceFloor, pseudoCount } = config;
  requireCounts('gaussianMixture', { components: K });
  const D = sizeOf(config.eventShape);
  const mu = randomWeight([K, D], rng.fork('mu'), { mean: config.mean, scale });
  const raw = constantWeight([K, D], 2 * Math.log(scale)); // variance = floor + exp raw
  const logVar = () => raw.exp().add(varianceFloor).log();
  return {
    variables: [mu, raw],
    logProb: (x) => tf.tidy(() => logNormalComponents(x, mu, logVar())),
    support: (x) => tf.zeros([x.shape[0]!]),
    start: (x, rng) => nearestSeed(x, K, rng), // soft random ones start near the saddle where all components agree
    mStep(x, r) {
      const { mean, variance } = weightedMoments(x, r, pseudoCount);
      const above = variance.map((v) => Math.log(Math.max(v - varianceFloor, TINY)));
      tf.tidy(() => {
        mu.assign(tf.tensor2d(Float32Array.from(mean), [K, D]));
        raw.assign(tf.tensor2d(Float32Array.from(above), [K, D]));
      });
    },
    draw: (k, rng) =>
      tf.tidy(() => {
        const noise = rng.normal([k.shape[0]!, D]).mul(tf.gather(logVar().mul(0.5).exp(), k as tf.Tensor1D));
        return noise.add(tf.gather(mu, k as tf.Tensor1D));
      }),
    parameters: () => ({ mu: mu.clone(), logVar: tf.tidy(logVar) }),
  };
}

interface Moments {
  readonly mean: Float64Array; // [K · D]
  readonly variance: Float64Array; // [K · D]
}

/**
 * Weighted mean and variance of each component, which also sees so many imaginary examples that have the mean and the
 * variance of all data. Sums of differences from the mean itself, in double precision: a second moment less the mean's
 * square is nothing but rounding where a cluster is narrow and far from the others.
 * @param x [N, D] @param r [N, K]
 */
function weightedMoments(x: tf.Tensor, r: tf.Tensor, pseudoCount: number): Moments {
  const [[N, D], K] = [x.shape as [number, number], r.shape[1]!];
  const all = { data: x.dataSync(), weights: new Float32Array(N).fill(1), D };
  const middle = sumsAbout(all, new Float64Array(D), 1).map((sum) => sum / N); // [D]
  const spread = sumsAbout(all, middle, 2).map((sum) => sum / N); // [D]
  const own = { ...all, weights: r.dataSync() as Float32Array };
  const sizes = new Float64Array(K);
  own.weights.forEach((weight, nk) => (sizes[nk % K]! += weight));
  const n = sizes.map((size) => Math.max(size + pseudoCount, TINY)); // a component may have nobody
  const centre = Float64Array.from({ length: K * D }, (_, kd) => middle[kd % D]!);
  const perExample = (sum: number, kd: number) => sum / n[Math.floor(kd / D)]!;
  const mean = sumsAbout(own, centre, 1).map((sum, kd) => centre[kd]! + perExample(sum, kd));
  const imaginary = mean.map((m, kd) => pseudoCount * (spread[kd % D]! + (centre[kd]! - m) ** 2));
  return { mean, variance: sumsAbout(own, mean, 2).map((sum, kd) => perExample(sum + imaginary[kd]!, kd)) };
}

interface Weighted {
  readonly data: ArrayLike<number>; // [N · D]
  readonly weights: ArrayLike<number>; // [N · K]
  readonly D: number;
}

/** Σ_n r_nk (x_nd − centre_kd)^power: [K · D] */
function sumsAbout({ data, weights, D }: Weighted, centre: Float64Array, power: 1 | 2): Float64Array {
  const sums = new Float64Array(centre.length);
  const K = centre.length / D;
  for (let nk = 0; nk < weights.length; nk++) {
    const weight = weights[nk]!;
    if (weight === 0) continue; // most examples belong to one component
    const [row, own] = [Math.floor(nk / K) * D, (nk % K) * D];
    for (let d = 0; d < D; d++) {
      const difference = data[row + d]! - centre[own + d]!;
      sums[own + d]! += weight * (power === 1 ? difference : difference * difference);
    }
  }
  return sums;
}

/**
 * Each example belongs to the nearest of K examples that lie far apart: k-means++ (Arthur and Vassilvitskii, 2007).
 * @param x [N, D] @returns [N, K] of 0 and 1
 */
function nearestSeed(x: tf.Tensor, K: number, rng: Rng): tf.Tensor {
  return tf.tidy(() => {
    let squared: tf.Tensor = tf.ones([x.shape[0]!]); // [N]: to the nearest seed so far
    const toSeed = Array.from({ length: K }, (_, k) => {
      const seed = categorical(squared.log().expandDims(0), rng.fork(`seed ${k}`)); // [1]: n with probability ∝ squared
      const distance = x
        .sub(tf.gather(x, seed as tf.Tensor1D))
        .square()
        .sum(1); // [N]
      squared = k === 0 ? distance : squared.minimum(distance);
      return distance;
    });
    const nearest = tf.stack(toSeed, 1).argMin(1).expandDims(1); // [N, 1]
    return nearest.equal(tf.range(0, K, 1, 'int32')).toFloat(); // tf.oneHot refuses K = 1
  });
}

const TINY = 1e-12; // keeps ln of a variance at its floor finite

export interface CategoricalMixtureConfig {
  readonly components: number;
  readonly eventShape: readonly number[];
  /** Each coordinate is an integer in 0 … values − 1. */
  readonly values: number;
  /** EM: imaginary examples of every value in every component; 0 would forbid what a component has not seen. */
  readonly pseudoCount: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

function categoricalComponents(config: CategoricalMixtureConfig, rng: Rng): Components {
  const { components: K, values: V, pseudoCount } = config;
  requireCounts('categoricalMixture', { components: K, values: V });
  if (!(pseudoCount > 0)) throw new Error(`categoricalMixture: pseudoCount must be > 0, got ${pseudoCount}`);
  const D = sizeOf(config.eventShape);
  const logits = randomWeight([K, D, V], rng.fork('logits'), { scale: 0.5 });
  return {
    variables: [logits],
    logProb: (x) => logCategoricalComponents(x, logits),
    support: (x) => logLattice(x, V),
    start: (x, rng) => tf.tidy(() => tf.softmax(rng.normal([x.shape[0]!, K]).mul(3))), // mostly one component each
    mStep(x, r) {
      tf.tidy(() => {
        const counts = r.matMul(oneHotValues(x, V).reshape([-1, D * V]), true); // [K, D V]
        logits.assign(counts.add(pseudoCount).log().reshape([K, D, V]) as tf.Tensor<tf.Rank.R3>);
      });
    },
    draw: (k, rng) => tf.tidy(() => categorical(tf.gather(logits, k as tf.Tensor1D), rng).toFloat()),
    parameters: () => ({ probabilities: tf.softmax(logits) }),
  };
}

function mixture(config: GaussianMixtureConfig | CategoricalMixtureConfig, parts: Components): MixtureModel {
  const { eventShape, components: K } = config;
  const logits = constantWeight([K], 0);
  const flat = (x: tf.Tensor) => eventRows('mixture: x', x, eventShape); // [B, D]
  const logJoint = (x: tf.Tensor) => tf.tidy(() => parts.logProb(flat(x)).add(tf.logSoftmax(logits))); // [B, K]
  const logProb = (x: tf.Tensor) => tf.tidy(() => logSumExp(logJoint(x), 1).add(parts.support(flat(x)))); // [B]
  return {
    eventShape,
    logJoint,
    responsibilities: (x) => tf.tidy(() => tf.softmax(logJoint(x))), // softmax subtracts the row's maximum first
    start: (x, rng) => tf.tidy(() => parts.start(flat(x), rng)),
    mStep(x, r) {
      tf.tidy(() => {
        parts.mStep(flat(x), r);
        logits.assign(r.sum(0).add(config.pseudoCount).log() as tf.Tensor1D);
      });
    },
    components: K,
    parameters: () => ({ pi: tf.softmax(logits), ...parts.parameters() }),

    // 3 Objective: the mean negative log-likelihood, by log-sum-exp over the components
    objectives: [negativeLogLikelihood([logits, ...parts.variables], logProb)],

    // 4 Optimiser: Adam (`learningRate`), or none: an EM step has no step size
    // 5 Training: `fit` (training/fit.ts) by gradient, `em` (training/em.ts) in closed form

    // 6 Likelihood of new inputs: exact
    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: a component first, then x from it
    sample: sampler('mixture', ({ count, rng }) => {
      const k = categorical(logits.expandDims(0).tile([count, 1]), rng.fork('component')); // [count]
      return parts.draw(k, rng.fork('x')).reshape([count, ...eventShape]);
    }),
  };
}

/** A family whose models also take EM steps. */
export interface MixtureFamily<Config extends object> extends Family<Config> {
  create(config: Readonly<Config>, rng: Rng): MixtureModel;
}

const card: Omit<Card, 'title'> = {
  forward: 'O(B K D): every component looks at every example',
  inference: 'O(B K D), exact: the responsibilities p(k | x)',
  sampling: 'O(K + D) for one example: draw k, then x',
  objective: 'exact log-likelihood, by gradient or by EM',
  network: 'none: tables of weights',
  representation: 'which component an example belongs to: K numbers',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'fast',
    lossyCompression: false,
    losslessCompression: true,
    representation: true,
  },
};

/** Components N(mu_k, diag exp logVar_k), for real x. Weights: K (1 + 2 D). */
export const gaussianMixture: MixtureFamily<GaussianMixtureConfig> = {
  name: 'gaussian-mixture',
  reference: 'McLachlan and Peel, Finite Mixture Models (2000), chapter 3',
  card: { title: 'Mixture of diagonal Gaussians', ...card },
  defaults: {
    components: 25, // as many as the book's mixture on digits
    eventShape: [64],
    mean: 8.5, // the middle of 0 … 17, where dequantised pixels lie
    scale: 5, // about the spread of the pixels
    varianceFloor: 1 / 12, // of U[0, 1): dequantised integers cannot be sharper
    pseudoCount: 1, // one imaginary example keeps an empty component alive and hardly moves a full one
    learningRate: 0.1, // the means have some ten units to travel: with Adam's usual 0.001 that takes thousands of steps
    batchSize: 100,
  },
  grid: { components: [1, 5, 10, 25, 50] },
  tiny: {
    config: {
      components: 3,
      eventShape: [2],
      mean: 0,
      scale: 1,
      varianceFloor: 0.1,
      pseudoCount: 0.1,
      learningRate: 0.05,
      batchSize: 50,
    },
    support: { kind: 'continuous', low: -12, high: 12 },
  },
  create: (config, rng) => mixture(config, gaussianComponents(config, rng)),
};

/** Components Π_d Cat(softmax logits_kd), for integers. Weights: K (1 + D V). */
export const categoricalMixture: MixtureFamily<CategoricalMixtureConfig> = {
  name: 'categorical-mixture',
  reference: 'McLachlan and Peel, Finite Mixture Models (2000): latent class analysis',
  card: {
    title: 'Mixture of categorical variables',
    ...card,
    forward: 'O(B K D V): every component looks at every example, as V indicators a coordinate',
    inference: 'O(B K D V), exact: the responsibilities p(k | x)',
    sampling: 'O(K + D V) for one example: draw k, then each coordinate from its table',
  },
  defaults: {
    components: 5,
    eventShape: [64],
    values: 17,
    pseudoCount: 0.2, // for five components; chapter 3 tries four of them on the validation set, and ten like 0.5 better
    learningRate: 0.05, // logits travel a few units; ten times Adam's usual rate gets there in some hundred steps
    batchSize: 100,
  },
  grid: { components: [1, 2, 5, 10, 20], pseudoCount: [0.05, 0.2, 0.5] },
  tiny: {
    config: { components: 2, eventShape: [3], values: 3, pseudoCount: 0.1, learningRate: 0.05, batchSize: 50 },
    support: { kind: 'discrete', values: [0, 1, 2] },
  },
  create: (config, rng) => mixture(config, categoricalComponents(config, rng)),
};
