/** Step 2 of a family: the weights, and the functions h that turn inputs into parameters. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from './model';

/** A trainable variable with the given start values, which are disposed. */
export function weight(start: tf.Tensor): tf.Variable {
  const variable = tf.variable(start, true);
  start.dispose();
  return variable;
}

/** A trainable variable filled with N(mean, scale²) draws. */
export function randomWeight(
  shape: readonly number[],
  rng: Rng,
  { mean = 0, scale = 1 }: { readonly mean?: number; readonly scale?: number } = {},
): tf.Variable {
  return weight(tf.tidy(() => rng.normal(shape).mul(scale).add(mean)));
}

/** A trainable variable filled with one value. */
export function constantWeight(shape: readonly number[], value: number): tf.Variable {
  return weight(tf.fill([...shape], value));
}
