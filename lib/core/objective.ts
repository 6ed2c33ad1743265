/** Step 3 where it is the same for all that can say log p(x). */
import * as tf from '@tensorflow/tfjs';
import type { Objective, Rng } from './model';

/**
 * −(1/B) Σ_n ln p(x_n), in nats per example.
 * @param variables that are to be learnt @param logProb ln p(x): [B, ...event] → [B]
 */
export function negativeLogLikelihood(
  variables: readonly tf.Variable[],
  logProb: (x: tf.Tensor, rng: Rng) => tf.Tensor,
): Objective {
  return {
    name: 'negative log-likelihood',
    estimates: 'nll',
    variables,
    loss: ({ x }, rng) => tf.tidy(() => logProb(x, rng).mean().neg()),
  };
}
