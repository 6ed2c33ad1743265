/**
 * At which times a bound that is a mean over time is looked at: an estimate by a few of them is unbiased whichever way
 * they are drawn, and its variance is not the same.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { withoutGradient } from '../core/tensor';
import { constantWeight } from '../networks/dense';
import { within } from './noise-schedules';

/** Independent U[0, 1): [count] */
export const independentTimes = (count: number, rng: Rng): tf.Tensor => rng.uniform([count]);

/**
 * One time in each of `count` equal parts of [0, 1), at the same place of all: (u + i / count) mod 1 for one u, so that
 * each is uniform by itself, and together they leave no gap (Kingma et al., Variational diffusion models, 2021,
 * appendix I.1). [count]
 */
export function stratifiedTimes(count: number, rng: Rng): tf.Tensor {
  return tf.tidy(() => rng.uniform([1]).add(tf.range(0, count).div(count)).mod(1));
}

/** Times, and what a term at each is to be multiplied by so that the mean is one over even times. */
export interface WeightedTimes extends tf.TensorContainerObject {
  readonly t: tf.Tensor;
  /** 1 / density */
  readonly weight: tf.Tensor;
}

/** 'importance' draws evenly here, and is then bent by `importanceTimes`. */
export type TimesName = 'independent' | 'stratified' | 'importance';

/** [count] times of weight 1, of which 'independent' ones alone are so. */
export function evenTimes(kind: TimesName, count: number, rng: Rng): WeightedTimes {
  return tf.tidy(() => {
    const t = kind === 'independent' ? independentTimes(count, rng) : stratifiedTimes(count, rng);
    return { t, weight: tf.ones([count]) };
  });
}

/** Draws times more often where terms were large: the density is one number a part of [0, 1]. */
export interface ImportanceTimes {
  /** Mean squares of the terms in each part, as they were met: float32 [parts]. */
  readonly memory: tf.Variable;
  /** @param even U[0, 1), [count], stratified or not */
  draw(even: tf.Tensor): WeightedTimes;
  /** The memory after terms [count] at times t [count], which move each part's number by a tenth of the way. */
  next(t: tf.Tensor, terms: tf.Tensor): tf.Tensor;
}

/**
 * The density that has the least variance is in proportion to the root of the terms' mean squares (Rubinstein and
 * Kroese, Simulation and the Monte Carlo method, 2016, section 5.6; for diffusion: Nichol and Dhariwal, 2021, section
 * 3.3). A tenth of the times stays even, so that no part is forgotten.
 */
export function importanceTimes(parts = 16): ImportanceTimes {
  const memory = constantWeight([parts], 1);
  return {
    memory,
    draw: (even) =>
      tf.tidy(() => {
        const root = memory.sqrt();
        const share = root
          .div(root.sum())
          .mul(0.9)
          .add(0.1 / parts); // [parts]
        const from = share.cumsum(0, true);
        const t = even.expandDims(-1).sub(from).div(share).clipByValue(0, 1).sum(-1).div(parts).minimum(LAST);
        return { t, weight: within(t, parts).mul(share).sum(-1).mul(parts).reciprocal() };
      }),
    next: (t, terms) =>
      withoutGradient(terms, (value) => {
        const place = within(t, parts); // [count, parts]
        const counts = place.sum(0);
        const seen = place.mul(value.square().expandDims(-1)).sum(0).div(counts.maximum(1));
        return tf.where(counts.greater(0), memory.mul(0.9).add(seen.mul(0.1)), memory);
      }),
  };
}

const LAST = 1 - 2 ** -24; // the largest below 1
