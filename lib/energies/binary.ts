/** Binary units: how one is drawn from its logit, and all states of a few of them. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';

/** 1 with probability σ(logits), else 0: [...] → the same. */
export function flip(logits: tf.Tensor, rng: Rng): tf.Tensor {
  return tf.tidy(() => rng.uniform(logits.shape).less(logits.sigmoid()).toFloat());
}

/** More have so many states that a sum over them is no longer done in a moment. */
export const MOST_UNITS = 16;

/**
 * Every state of D units that are 0 or 1: [2^D, D], the last unit fastest.
 * @throws when there are more than 16
 * @example binaryStates(2) // → [[0, 0], [0, 1], [1, 0], [1, 1]]
 */
export function binaryStates(D: number): tf.Tensor {
  if (!Number.isInteger(D) || D < 1 || D > MOST_UNITS)
    throw new Error(`binaryStates: expected 1 to ${MOST_UNITS} units, got ${D}; estimate ln Z by annealing`);
  return tf.tidy(() => {
    const index = tf.range(0, 2 ** D).expandDims(1); // [2^D, 1]
    const place = tf.tensor1d(Array.from({ length: D }, (_, d) => 2 ** (D - 1 - d)));
    return index.div(place).floor().mod(2); // exact: integers below 2^16 in float32, divided by powers of 2
  });
}
