/** The ladder: models without training that a trained one has to beat. Integers 0 … V − 1, exact likelihoods. */
import * as tf from '@tensorflow/tfjs';
import { logCategorical, logLattice, oneHotValues } from './distributions';
import type { Batch, GenerativeModel } from './model';
import { categorical } from './random';
import { expectShape } from './tensor';

/** Every value of every coordinate equally likely: ln p(x) = −D ln V. */
export function uniformBaseline(eventShape: readonly number[], values: number): GenerativeModel {
  const size = eventShape.reduce((product, n) => product * n, 1);
  return {
    eventShape,
    likelihood: {
      kind: 'exact',
      logProb(x) {
        expectShape('uniformBaseline: x', x, ['B', ...eventShape]);
        return tf.tidy(() => logLattice(x, values).sub(size * Math.log(values)));
      },
    },
    objectives: [],
    sample: (count, rng) =>
      tf.tidy(() =>
        rng
          .uniform([count, ...eventShape])
          .mul(values)
          .floor(),
      ),
  };
}

/**
 * Independent coordinates, each with its own smoothed histogram:
 *   p(x_d = v) = (count_dv + α) / (N + α V),
 * the posterior mean under a symmetric Dirichlet(α) prior (Murphy, Probabilistic Machine Learning, 2022, 4.6.3).
 * @param alpha pseudo-count of every value; 0 would forbid what the training set lacks
 */
export function histogramBaseline(
  train: Batch,
  values: number,
  { alpha = 0.3 }: { readonly alpha?: number } = {},
): GenerativeModel {
  if (!(alpha > 0)) throw new Error(`histogramBaseline: alpha must be > 0, got ${alpha}`);
  if (tf.tidy(() => logLattice(train.x, values).min().dataSync()[0]) !== 0)
    throw new Error(
      `histogramBaseline: x must hold integers 0 … ${values - 1}, got others; look at the number of values`,
    );
  const eventShape = train.x.shape.slice(1);
  const logits = tf.tidy(() => oneHotValues(train.x, values).sum(0).add(alpha).log()); // [...event, V]
  return {
    eventShape,
    likelihood: {
      kind: 'exact',
      logProb(x) {
        expectShape('histogramBaseline: x', x, ['B', ...eventShape]);
        return logCategorical(x, logits);
      },
    },
    objectives: [],
    sample: (count, rng) =>
      tf.tidy(() => categorical(logits.expandDims(0).tile([count, ...logits.shape.map(() => 1)]), rng).toFloat()),
  };
}
