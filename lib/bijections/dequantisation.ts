/**
 * Integers for models of real numbers.
 *
 * An integer x stands for the cell [x, x + 1)^D. With noise u ~ q(u | x) on [0, 1)^D,
 *   ln P(x) = ln ∫ p(x + u) du ≥ E_q [ln p(x + u) − ln q(u | x)]   (Jensen),
 * so the density of x + u gives a lower bound on the probability of x: with uniform noise, where ln q = 0 (Theis, van
 * den Oord and Bethge, A note on the evaluation of generative models, 2016, section 3.1), or with noise that is learnt
 * together with the model (Ho et al., Flow++, 2019, section 3.1). The noise must fill the whole cell, and ln q must
 * count: a narrower one with ln q = 0 bounds nothing.
 */
import * as tf from '@tensorflow/tfjs';
import { logLogistic } from '../core/distributions';
import type { Batch, GenerativeModel, Objective, Remember, Rng } from '../core/model';
import { leakyRelu, mlp } from '../networks/dense';
import { sumEvent } from '../core/tensor';
import { sampler } from '../sampling/sampler';

/** Noise on the unit cell, given the integers it is added to. */
export interface Noise {
  readonly variables: readonly tf.Variable[];
  /** u in [0, 1], the shape of x [B, ...event], and ln q(u | x): [B] */
  draw(x: tf.Tensor, rng: Rng): NoiseDraw;
}

export interface NoiseDraw extends tf.TensorContainerObject {
  readonly u: tf.Tensor;
  readonly logQ: tf.Tensor;
}

/** u ~ U[0, 1)^D, whatever x is. */
export const uniformNoise: Noise = {
  variables: [],
  draw: (x, rng) => tf.tidy(() => ({ u: rng.uniform(x.shape), logQ: tf.zeros([x.shape[0]!]) })),
};

/**
 * u = sigmoid(mu(x) + e^s(x) · y) with logistic y, and a network for mu and s. It starts at 0 for both, where u is
 * uniform. ln q(u | x) = ln p(y) − Σ s − Σ ln sigmoid′.
 * @param D of one example @param values of each integer, 0 … values − 1
 */
export function learntNoise(D: number, values: number, hidden: number, rng: Rng): Noise {
  const network = mlp([D, hidden, 2 * D], rng, { activation: leakyRelu });
  for (const variable of network.variables.slice(-2)) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
  return {
    variables: network.variables,
    draw: (x, rng) =>
      tf.tidy(() => {
        const flat = x.reshape([-1, D]);
        const [mu, s] = tf.split(network.apply(flat.mul(2 / (values - 1)).sub(1)), 2, 1) as [tf.Tensor, tf.Tensor];
        const e = rng.uniform(flat.shape).clipByValue(2 ** -20, 1 - 2 ** -20);
        const y = e.log().sub(tf.sub(1, e).log()); // logistic
        const v = y.mul(s.exp()).add(mu);
        const logSlope = tf.softplus(v).add(tf.softplus(v.neg())).neg(); // of the sigmoid
        const logQ = logLogistic(y, tf.scalar(0), tf.scalar(0)).sub(sumEvent(s.add(logSlope)));
        return { u: v.sigmoid().reshape(x.shape), logQ };
      }),
  };
}

/**
 * x + u with u ~ U[0, 1), the same shape as x.
 * @example
 * const x = tf.tensor2d([[3, 0]]);
 * dequantise(x, createRng(1)).floor() // → [[3, 0]]
 */
export function dequantise(x: tf.Tensor, rng: Rng): tf.Tensor {
  return tf.tidy(() => x.add(rng.uniform(x.shape)));
}

export interface DequantisedOptions {
  /** Default: uniform. */
  readonly noise?: Noise;
  /** Samples become integers 0 … values − 1, the nearest where the model puts mass elsewhere. Default: any integer. */
  readonly values?: number;
  /** The model has a lower bound on its density, not the density. Default: false; integers made real twice would pass. */
  readonly ofBound?: boolean;
}

/**
 * A density on ℝ^D as a model of integers: likelihood and objectives on x + u, samples rounded down.
 * @param model must have an exact density (or say that it is `ofBound`: a bound on a bound is a bound). Its objectives, on
 * x + u, estimate bounds; one that estimates something else, such as a bound under dropout, still does
 */
export function dequantised(
  model: GenerativeModel,
  { noise = uniformNoise, values, ofBound = false }: DequantisedOptions = {},
): GenerativeModel {
  const { likelihood } = model;
  if (likelihood.kind !== 'exact' && !(ofBound && likelihood.kind === 'lower-bound'))
    throw new Error(`dequantised: expected a model with an exact density, got ${likelihood.kind}`);
  const noisy = (x: tf.Tensor, rng: Rng) => {
    const { u, logQ } = noise.draw(x, rng.fork('dequantise'));
    return { x: x.add(u), logQ };
  };
  return {
    eventShape: model.eventShape,
    likelihood: {
      kind: 'lower-bound',
      logProb: (integers, rng) =>
        tf.tidy(() => {
          const { x, logQ } = noisy(integers, rng);
          return likelihood.logProb(x, rng).sub(logQ);
        }),
    },
    objectives: model.objectives.map((objective): Objective => ({
      ...objective,
      estimates: objective.estimates === 'other' ? 'other' : 'bound',
      variables: [...objective.variables, ...noise.variables],
      loss: (batch: Batch, rng: Rng, remember?: Remember) =>
        tf.tidy(() => {
          const { x, logQ } = noisy(batch.x, rng);
          return objective.loss({ ...batch, x }, rng, remember).add(logQ.mean());
        }),
    })),
    sample: sampler('dequantised', ({ count, rng, engine }) => {
      const x = model.sample({ count, rng, engine }).floor();
      return values === undefined ? x : x.clipByValue(0, values - 1);
    }),
    ...(model.bijection && { bijection: model.bijection }),
  };
}
