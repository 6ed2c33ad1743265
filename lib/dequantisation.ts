/**
 * Integers for models of real numbers.
 *
 * An integer x stands for the cell [x, x + 1)^D. With noise u ~ U[0, 1)^D,
 *   ln P(x) = ln ∫ p(x + u) du ≥ E_u ln p(x + u)   (Jensen),
 * so the density of x + u gives a lower bound on the probability of x (Theis, van den Oord and Bethge, A note
 * on the evaluation of generative models, 2016, section 3.1). The noise must fill the whole cell: a narrower
 * one bounds nothing.
 */
import * as tf from '@tensorflow/tfjs';
import type { Batch, GenerativeModel, Rng } from './model';

/** x + u with u ~ U[0, 1), the same shape as x. */
export function dequantise(x: tf.Tensor, rng: Rng): tf.Tensor {
  return tf.tidy(() => x.add(rng.uniform(x.shape)));
}

/**
 * A density on ℝ^D as a model of integers: likelihood and objectives on x + u, samples rounded down.
 * @param model must have an exact density (its bound on a bound would still be a bound, but say so yourself)
 */
export function dequantised(model: GenerativeModel): GenerativeModel {
  const { likelihood } = model;
  if (likelihood.kind !== 'exact')
    throw new Error(`dequantised: expected a model with an exact density, got ${likelihood.kind}`);
  const noisy = (batch: Batch, rng: Rng): Batch => ({ ...batch, x: dequantise(batch.x, rng.fork('dequantise')) });
  return {
    eventShape: model.eventShape,
    likelihood: {
      kind: 'lower-bound',
      logProb: (x, rng) => tf.tidy(() => likelihood.logProb(dequantise(x, rng.fork('dequantise')), rng)),
    },
    objectives: model.objectives.map((objective) => ({
      ...objective,
      loss: (batch, rng) => tf.tidy(() => objective.loss(noisy(batch, rng), rng)),
    })),
    sample: (count, rng) => tf.tidy(() => model.sample(count, rng).floor()),
  };
}
