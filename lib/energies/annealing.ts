/**
 * Annealed importance sampling: ln Z of a density that cannot be summed, with a standard error.
 *
 * From a density that one can draw from, and whose ln Z is known, to the one that is asked for, in T small steps
 * 0 = β_0 < … < β_T = 1. Each chain moves by steps that leave the density of its β as it is, and collects
 * ln w = ln Z_0 + Σ_t [ln p̃_{β_t}(x_{t−1}) − ln p̃_{β_{t−1}}(x_{t−1})]. Then E w = Z, whether the chains mix or not; how
 * much w varies says how far they have been left behind. So ln of the mean of w estimates ln Z from below in expectation
 * (Jensen), and a likelihood made with it is too good rather than too bad.
 * Sources: Neal, Annealed importance sampling (2001); Salakhutdinov and Murray, On the quantitative analysis of deep
 * belief networks (2008). Left out: the reverse run from exact samples, which bounds ln Z from above.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { GenerativeModel, Rng } from '../core/model';
import { loop } from '../sampling/sampler';

/**
 * Densities from one that is known (β = 0) to the one that is asked for (β = 1).
 * Each function is told `given`, a tensor that is the same all the way: where the path begins, or how long its steps are.
 */
export interface AnnealingPath {
  /** ln Z of β = 0: [] */
  logZ0(given: tf.Tensor): tf.Tensor;
  /** Exact samples of β = 0: [count, D] */
  start(count: number, rng: Rng, given: tf.Tensor): tf.Tensor;
  /** ln p̃_β(x): x [B, D], β [] → [B] */
  negEnergy(x: tf.Tensor, beta: tf.Tensor, given: tf.Tensor): tf.Tensor;
  /** A step that leaves the density of β as it is: [B, D] → [B, D] */
  move(x: tf.Tensor, beta: tf.Tensor, rng: Rng, given: tf.Tensor): tf.Tensor;
}

export interface AnnealingOptions {
  /** M, side by side. Default: 100. */
  readonly chains?: number;
  /** T. Default: 1000. */
  readonly temperatures?: number;
  readonly rng: Rng;
}

/** ln Z, and what it was made of. */
export interface AnnealedLogZ {
  /** ln (1/M) Σ w */
  readonly logZ: number;
  /** Standard error of logZ: that of the mean of w, as a share of the mean (delta method). */
  readonly error: number;
  /** (Σ w)² / Σ w²: as many equal weights would say as much. Near 1 neither number above can be relied on. */
  readonly effective: number;
  /** ln w of each chain, [M] */
  readonly logWeights: Float32Array;
}

/** A function that anneals along this path; its step is compiled once for all numbers of temperatures. */
export function annealing(path: AnnealingPath): (options: AnnealingOptions, given?: tf.Tensor) => AnnealedLogZ {
  const run = loop(([x, logW], t, rng, [betas, given]) => {
    const [before, beta] = [betas!.gather(t), betas!.gather(t.add(tf.scalar(1, 'int32')))];
    const gain = path.negEnergy(x!, beta, given!).sub(path.negEnergy(x!, before, given!));
    return [path.move(x!, beta, rng, given!), logW!.add(gain)];
  });
  return ({ chains = 100, temperatures = 1000, rng }, told) => {
    requireCounts('annealing', { chains, temperatures });
    const logWeights = tf.tidy(() => {
      const betas = tf.range(0, temperatures + 1).div(temperatures); // [T + 1]
      const given = told ?? tf.scalar(0);
      const start = path.start(chains, rng.fork('start'), given);
      const logW = tf.zeros([chains]).add(path.logZ0(given));
      return run([start, logW], temperatures, rng.fork('chains'), [betas, given])[1]!.dataSync() as Float32Array;
    });
    return logMeanWeight(logWeights);
  };
}

/**
 * ln of the mean of w, given ln w, with its standard error.
 * @example logMeanWeight([0, 0]).logZ // → 0
 */
export function logMeanWeight(logWeights: ArrayLike<number>): AnnealedLogZ {
  const top = Array.from(logWeights).reduce((a, b) => Math.max(a, b), -Infinity);
  const w = Float64Array.from(logWeights, (value) => Math.exp(value - top));
  const M = w.length;
  const mean = w.reduce((sum, value) => sum + value, 0) / M;
  const squares = w.reduce((sum, value) => sum + value * value, 0);
  const variance = Math.max(0, squares - M * mean * mean) / Math.max(1, M - 1);
  return {
    logZ: top + Math.log(mean),
    error: M > 1 ? Math.sqrt(variance / M) / mean : Infinity,
    effective: (M * mean) ** 2 / squares,
    logWeights: Float32Array.from(logWeights),
  };
}

/**
 * A model of an energy with its constant: log p(x) = negEnergy(x) − ln Z. Exact where ln Z is the model's own sum over
 * all states; with a number from annealing it is an estimate.
 * @param logZ from `annealing`. Default: the model's own
 * @throws when the model is of another kind, or too large to be summed and no ln Z is given
 */
export function normalised(model: GenerativeModel, logZ?: number): GenerativeModel {
  const { likelihood } = model;
  if (likelihood.kind !== 'unnormalised')
    throw new Error(`normalised: expected a model with an energy, got a likelihood that is ${likelihood.kind}`);
  const { negEnergy, logZ: sum } = likelihood;
  if (logZ === undefined && !sum)
    throw new Error('normalised: this model is too large to be summed; give ln Z, as its logPartition estimates it');
  const constant = (): tf.Tensor => (logZ === undefined ? sum!() : tf.scalar(logZ));
  return {
    ...model,
    likelihood: {
      kind: logZ === undefined ? 'exact' : 'estimate',
      logProb: (x) => tf.tidy(() => negEnergy(x).sub(constant())),
    },
  };
}
