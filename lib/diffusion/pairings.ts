/**
 * Which noise becomes which example: pairs of a batch by optimal transport, so that paths between them cross less.
 *
 * The plan P minimises Σ P_ij c_ij − entropy · H(P) over tables whose rows and columns all sum to 1/B; with little
 * entropy it is the cheapest permutation. Every row and column keeps its share, so that pairs drawn from it have the
 * marginals they are to have. Sources: Cuturi, Sinkhorn distances (2013); Peyré and Cuturi, Computational optimal
 * transport (2019), section 4.4, for the iteration in logarithms; Tong et al., Improving and generalizing flow-based
 * generative models with minibatch optimal transport (2024).
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { categorical } from '../core/random';
import { expectShape, logSumExp } from '../core/tensor';

export interface TransportOptions {
  /** In units of the mean cost. Default: 0.02 */
  readonly entropy?: number;
  /** Of Sinkhorn's iteration: each makes the rows right, then the columns. Default: 40 */
  readonly rounds?: number;
}

/** ‖a_i − b_j‖²: a and b [B, D] → [B, B] */
export function squaredDistances(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const products = a.matMul(b, false, true);
    return a.square().sum(1, true).add(b.square().sum(1)).sub(products.mul(2)).maximum(0); // prettier-ignore
  });
}

/** ln (B P), whose exponential has rows and columns that sum to 1: cost [B, B] → [B, B] */
export function transportPlan(cost: tf.Tensor, { entropy = 0.02, rounds = 40 }: TransportOptions = {}): tf.Tensor {
  return tf.tidy(() => {
    const { B } = expectShape('transportPlan: cost', cost, ['B', 'B']);
    const scaled = cost.div(cost.mean().mul(entropy).maximum(1e-12)).neg();
    let [u, v]: [tf.Tensor, tf.Tensor] = [tf.zeros([B!]), tf.zeros([B!])];
    for (let round = 0; round < rounds; round++) {
      v = logSumExp(scaled.add(u.expandDims(1)), 0).neg();
      u = logSumExp(scaled.add(v), 1).neg(); // last, so that each row is a distribution
    }
    return scaled.add(u.expandDims(1)).add(v);
  });
}

/** For every row of `noise` a row of x, drawn by the plan between them: [B, D] → [B, D], rows of x. */
export function pairByTransport(noise: tf.Tensor, x: tf.Tensor, rng: Rng, options?: TransportOptions): tf.Tensor {
  return tf.tidy(() => {
    const plan = transportPlan(squaredDistances(noise, x), options);
    return tf.gather(x, categorical(plan, rng) as tf.Tensor1D);
  });
}
