/** Chapter 5: a causal network that mixes the whole past, as text for a submission and in plain loops. */
import type { Vector } from './common';

/** Row i of its answer: logits sin((v + 1) (i + 1) + Σ_{j<i} (j + 1) y_j), for each of V values, times `scale`. */
export const causalSource = (scale = 2, V = 3) => `(y) => {
  const [B, D] = y.shape;
  const past = tf.cumsum(y.mul(tf.range(1, D + 1)), 1, true).expandDims(2);
  const steps = tf.range(1, D + 1).reshape([1, D, 1]);
  return past.add(steps.mul(tf.range(1, ${V + 1}).reshape([1, 1, ${V}]))).sin().mul(${scale});
}`;

export function causalOf(y: Vector, scale = 2, V = 3): number[][] {
  return y.map((_, i) => {
    const past = y.slice(0, i).reduce((sum, value, j) => sum + (j + 1) * value, 0);
    return Array.from({ length: V }, (__, v) => scale * Math.sin(past + (v + 1) * (i + 1)));
  });
}
