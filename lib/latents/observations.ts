/**
 * p(x | z) of one coordinate: which distribution a decoder's numbers are the parameters of. Coordinates are independent
 * given z.
 */
import * as tf from '@tensorflow/tfjs';
import { logBernoulli, logBoundedLogistic, logCategorical, logNormal } from '../core/distributions';
import type { Rng } from '../core/model';
import { categorical } from '../core/random';
import { sumEvent } from '../core/tensor';

/** A distribution of D coordinates by parameters h [B, D, P]. */
export interface Observation {
  /** P */
  readonly parameters: number;
  /** ln p(x | h): x [B, D] → [B] */
  logProb(x: tf.Tensor, h: tf.Tensor): tf.Tensor;
  /** [B, D] */
  sample(h: tf.Tensor, rng: Rng): tf.Tensor;
  /** E[x | h]: [B, D] */
  mean(h: tf.Tensor): tf.Tensor;
}

/** Coins by their logits, for x of 0 and 1. */
export const bernoulli: Observation = {
  parameters: 1,
  logProb: (x, h) => logBernoulli(x, h.squeeze([2])),
  sample: (h, rng) =>
    rng
      .uniform(h.shape.slice(0, 2))
      .less(h.squeeze([2]).sigmoid())
      .toFloat(),
  mean: (h) => h.squeeze([2]).sigmoid(),
};

/** A table of V logits for each coordinate, for integers 0 … V − 1. */
export function categoricalValues(values: number): Observation {
  return {
    parameters: values,
    logProb: (x, h) => logCategorical(x, h),
    sample: (h, rng) => categorical(h, rng).toFloat(),
    mean: (h) => tf.softmax(h).mul(tf.range(0, values)).sum(2),
  };
}

export interface GaussianValuesOptions {
  /** σ² is at least this: without it the density of a constant pixel could be infinite. Default: 0.001 */
  readonly floor?: number;
  /** mu at h = 0. Default: 0 */
  readonly centre?: number;
  /** The unit of h. Default: 1 */
  readonly scale?: number;
}

/** N(mu, σ²) with h = [m, s], mu = centre + scale · m and σ² = floor + scale² e^s, for real x. */
export function gaussianValues({
  floor = VARIANCE_FLOOR,
  centre = 0,
  scale = 1,
}: GaussianValuesOptions = {}): Observation {
  const split = (h: tf.Tensor): [tf.Tensor, tf.Tensor] => {
    const [m, s] = tf.split(h, 2, 2) as [tf.Tensor, tf.Tensor];
    const variance = s.squeeze([2]).exp().mul(scale ** 2).add(floor); // prettier-ignore
    return [m.squeeze([2]).mul(scale).add(centre), variance.log()];
  };
  return {
    parameters: 2,
    logProb: (x, h) => logNormal(x, ...split(h)),
    sample(h, rng) {
      const [mu, logVar] = split(h);
      return rng.normal(mu.shape).mul(logVar.mul(0.5).exp()).add(mu);
    },
    mean: (h) => split(h)[0].clone(),
  };
}

const VARIANCE_FLOOR = 1e-3;

/**
 * A logistic with mean and scale, cut into the values 0 … V − 1 (see `logBoundedLogistic`): two numbers a coordinate,
 * which know that near values are alike. h = 0 is a mean in the middle, and a scale of an eighth of the range.
 */
export function discretisedLogistic(values: number): Observation {
  const half = (values - 1) / 2;
  const logWidth = Math.log(Math.max(values, 2) / 8);
  const split = (h: tf.Tensor): [tf.Tensor, tf.Tensor] => {
    const [m, s] = tf.split(h, 2, 2) as [tf.Tensor, tf.Tensor];
    return [m.squeeze([2]).mul(half).add(half), s.squeeze([2]).add(logWidth).maximum(NARROWEST)];
  };
  /** ln p of every value: [B, D, V] */
  const logTable = (h: tf.Tensor) => {
    const [mu, logScale] = split(h);
    return logBoundedLogistic(tf.range(0, values), mu.expandDims(2), logScale.expandDims(2), values);
  };
  return {
    parameters: 2,
    logProb: (x, h) => sumEvent(logBoundedLogistic(x, ...split(h), values)),
    sample: (h, rng) => categorical(logTable(h), rng).toFloat(),
    mean: (h) => logTable(h).exp().mul(tf.range(0, values)).sum(2),
  };
}

const NARROWEST = -4; // ln scale: nearly all mass on one value, and none has a probability that float32 rounds to 0

export type ObservationName = 'bernoulli' | 'categorical' | 'gaussian' | 'discretised-logistic';

/** @throws when the values are none that the distribution is of */
export function observationOf(
  where: string,
  { observation, values }: { readonly observation: ObservationName; readonly values: number | null },
): Observation {
  if (observation === 'gaussian')
    return gaussianValues(values === null ? {} : { floor: UNIT_CELL, centre: values / 2, scale: values / 4 });
  if (values === null)
    throw new Error(`${where}: '${observation}' is a distribution of integers, and values is null; give their number, or take 'gaussian'`); // prettier-ignore
  if (observation === 'bernoulli' && values !== 2)
    throw new Error(
      `${where}: 'bernoulli' needs values = 2, got ${values}; take 'categorical', or make the data 0 and 1`,
    );
  if (observation === 'bernoulli') return bernoulli;
  return observation === 'categorical' ? categoricalValues(values) : discretisedLogistic(values);
}

const UNIT_CELL = 1 / 12; // the variance of U[0, 1): integers with such noise cannot be sharper
