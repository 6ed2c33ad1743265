/** Orders in which coordinates are shown, for models that take any. */
import * as tf from '@tensorflow/tfjs';
import { oneHotValues } from '../core/distributions';
import type { Rng } from '../core/model';
import { eventRows, logSumExp } from '../core/tensor';

/**
 * Each coordinate's place, 0 … D − 1, in an order drawn evenly among all D!: [count, D]. Places are those of even draws
 * among each other; of two that are equal the former comes first.
 */
export function randomOrders(count: number, D: number, rng: Rng): tf.Tensor {
  return tf.tidy(() => placesOf(rng.uniform([count, D])));
}

/** The place of each number among its row's: [B, D] → [B, D], 0 for the least. */
export function placesOf(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const D = x.shape.at(-1)!;
    const [mine, others] = [x.expandDims(2), x.expandDims(1)];
    const index = tf.range(0, D);
    const former = index.expandDims(0).less(index.expandDims(1)); // [D, D]: whether the other has the lower index
    const before = others.less(mine).logicalOr(others.equal(mine).logicalAnd(former));
    return before.toFloat().sum(2);
  });
}

/** A model that guesses each hidden coordinate by itself from those that are shown. */
export interface AnyOrder {
  readonly eventShape: readonly number[];
  /**
   * Of p(x_d | the x that are visible) for every d: x [B, D], visible [B, D] of 0 and 1 → [B, D, V]. Hidden numbers of
   * x are not looked at.
   */
  logits(x: tf.Tensor, visible: tf.Tensor): tf.Tensor;
}

/** ln p(x_d | the x that are visible) for every d: x and visible [B, D] → [B, D] */
export function logProbEach(model: AnyOrder, x: tf.Tensor, visible: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const logits = model.logits(x, visible);
    return oneHotValues(x, logits.shape[2]!).mul(tf.logSoftmax(logits)).sum(2);
  });
}

/**
 * ln p(x) where p(x) is the mean over all D! orders of Π_i p(x_{σ_i} | those before it), by a pass for each subset S of
 * the coordinates: with f(∅) = 1 and f(S) = Σ_{d in S} f(S without d) p(x_d | S without d), p(x) = f(all) / D!.
 * @param x [B, ...event] @returns [B] @throws where D > 12: 2^D passes are too many
 */
export function exactAnyOrder(model: AnyOrder, x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const rows = eventRows('exactAnyOrder: x', x, model.eventShape);
    const [B, D] = rows.shape as [number, number];
    if (D > 12)
      throw new Error(`exactAnyOrder: expected at most 12 coordinates, since there are 2^D subsets; got ${D}`);
    const sums: tf.Tensor[] = [tf.zeros([B])]; // ln f(S), S as the bits of the index
    for (let S = 0; S < 2 ** D; S++) {
      const inside = Array.from({ length: D }, (_, d) => (S >> d) & 1);
      const each = tf.tidy(() => logProbEach(model, rows, tf.tile(tf.tensor2d([inside]), [B, 1])).add(sums[S]!.expandDims(1))); // prettier-ignore
      inside.forEach((there, d) => {
        if (there) return;
        const term = each.slice([0, d], [-1, 1]).squeeze([1]);
        const next = S | (1 << d);
        sums[next] = sums[next] ? logSumExp(tf.stack([sums[next], term]), 0) : term;
      });
    }
    const orders = Array.from({ length: D }, (_, d) => Math.log(d + 1)).reduce((a, b) => a + b);
    return sums[2 ** D - 1]!.sub(orders);
  });
}
