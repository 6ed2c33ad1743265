/**
 * How a field f: ℝ^D → ℝ^D stretches space: its divergence, the trace of its Jacobian J, exactly and by an estimate.
 *
 * With e of independent coordinates ±1, E eᵀJe = tr J, at the price of one pass backwards whatever D; its variance is
 * 2 Σ_{i≠j} S_ij², with S the symmetric part of J. With normal e it is 2 Σ_ij S_ij², never less.
 * Sources: Hutchinson, A stochastic estimator of the trace (1989); Grathwohl et al., FFJORD (2019).
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { expectShape } from '../core/tensor';

/** A field that moves every row by itself: [N, D] → [N, D], whatever N. */
export type PointField = (x: tf.Tensor) => tf.Tensor;

/** Σ_d ∂f_d/∂x_d of every row, by D passes backwards, which are one on D times as many rows: x [B, D] → [B] */
export function divergence(f: PointField, x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const { B, D } = expectShape('divergence: x', x, ['B', 'D']);
    const pick = tf.tile(tf.eye(D!).expandDims(1), [1, B!, 1]).reshape([D! * B!, D!]); // e_1 for all rows, then e_2, …
    const rows = tf.grad(f)(tf.tile(x, [D!, 1]), pick); // e_dᵀ J
    return rows.mul(pick).sum(1).reshape([D!, B!]).sum(0); // prettier-ignore
  });
}

/**
 * eᵀ J e of every row: an unbiased estimate of the divergence where E e eᵀ = I. Any other vector in the place of either
 * e gives another number: with e drawn anew on one side the mean is 0.
 * @param x and e [B, D] @returns [B]
 */
export function hutchinson(f: PointField, x: tf.Tensor, e: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const { B, D } = expectShape('hutchinson: x', x, ['B', 'D']);
    expectShape('hutchinson: e', e, [B!, D!]);
    return tf.grad(f)(x, e).mul(e).sum(1);
  });
}

/** Independent −1 and 1, each with probability ½ (Rademacher). */
export function rademacher(shape: readonly number[], rng: Rng): tf.Tensor {
  return tf.tidy(() => rng.uniform(shape).less(0.5).toFloat().mul(2).sub(1));
}

/**
 * J v of every row, how f changes along v: the product of J with a column, where a pass backwards gives one with a row.
 * uᵀJ is linear in u, and its slope along v is Jv ("double backward").
 * @param x and v [B, D] @returns [B, D]
 */
export function directional(f: PointField, x: tf.Tensor, v: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.grad((u) => tf.grad(f)(x, u))(tf.zerosLike(f(x)), v));
}
