/** Labels y of which some are not known. */
import * as tf from '@tensorflow/tfjs';
import type { GenerativeModel, Rng } from './model';
import { expectShape } from './tensor';

/** y of an example without a label. */
export const UNLABELLED = -1;

/**
 * ln p(y_n | x_n) where the label is known, and 0 where it is not, so that a sum over examples counts what was observed.
 * A label that is no class has probability 0.
 * @param logClasses ln p(y | x), [B, C] @param y 0 … C − 1, or `UNLABELLED`; [B] @returns [B]
 * @example
 * const coin = tf.tensor2d([[0.2, 0.8], [0.5, 0.5]]).log();
 * logOfLabels(coin, tf.tensor1d([1, UNLABELLED], 'int32')) // → [-0.2231, 0]
 */
export function logOfLabels(logClasses: tf.Tensor, y: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const { B, C } = expectShape('logOfLabels: logClasses', logClasses, ['B', 'C']);
    expectShape('logOfLabels: y', y, ['B'], { B: B! });
    const column = y.toFloat().expandDims(1); // [B, 1]
    const chosen = column.equal(tf.range(0, C!).expandDims(0)); // [B, C], without a 1 where there is no label
    const none = y.toFloat().equal(UNLABELLED).logicalOr(chosen.any(1)); // [B], all that is allowed
    const picked = tf.where(chosen, logClasses, 0).sum(1);
    return tf.where(none, picked, -Infinity);
  });
}

/** A model of examples and their labels. */
export interface LabelledModel extends GenerativeModel {
  /** C */
  readonly classes: number;
  /** ln p(y | x): [B, ...event] → [B, C]. Of integers made real by noise, that of the middle of their cell. */
  logClasses(x: tf.Tensor): tf.Tensor;
  /** ln p(x, y), or its lower bound where `likelihood` is one; ln p(x) where y is −1: x [B, ...event], y [B] → [B] */
  logJoint(x: tf.Tensor, y: tf.Tensor, rng: Rng): tf.Tensor;
}
