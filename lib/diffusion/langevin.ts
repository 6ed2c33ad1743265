/**
 * Langevin dynamics: samples of a density of which the score is all that is known.
 *
 * x ← x + η s(x) + √(2η) ξ. With η → 0 its stationary density is p; with a step it is not: for N(0, σ²) the variance is
 * σ² / (1 − η / (2σ²)), and from η = 2σ² on there is none. Sources: Roberts and Tweedie, Exponential convergence of
 * Langevin distributions (1996); Song and Ermon, Generative modeling by estimating gradients (2019), algorithm 1.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { loop, type Engine } from '../sampling/sampler';

/** One step: x and its score [B, D], η > 0 and noise [B, D] → [B, D]. */
export function langevinStep(x: tf.Tensor, score: tf.Tensor, eta: tf.Tensor | number, noise: tf.Tensor): tf.Tensor {
  return tf.tidy(() => x.add(score.mul(eta)).add(noise.mul(tf.sqrt(tf.mul(2, eta)))));
}

export interface LangevinOptions {
  readonly steps: number;
  /** η */
  readonly eta: number;
  readonly rng: Rng;
}

/** Chains of `steps` steps from x [B, D], side by side; the step is compiled once for all lengths and η. */
export function langevin(score: (x: tf.Tensor) => tf.Tensor, engine: Engine = 'auto') {
  const run = loop(
    ([x], _, rng, [eta]) => [langevinStep(x!, score(x!), eta!, rng.normal(x!.shape))],
    { engine },
  ); // prettier-ignore
  return (x: tf.Tensor, { steps, eta, rng }: LangevinOptions): tf.Tensor => {
    if (!(eta > 0)) throw new Error(`langevin: eta must be above 0, got ${eta}`);
    return tf.tidy(() => run([x], steps, rng, [tf.scalar(eta)])[0]!);
  };
}

export interface AnnealedOptions {
  /** From the largest noise to the smallest. */
  readonly sigmas: readonly number[];
  /** At each of them. */
  readonly steps: number;
  /** η = (ratio · σ)²: a step in proportion to how wide the noise is. Default: 0.1 of its variance, ratio² */
  readonly ratio?: number;
  readonly rng: Rng;
}

/** Langevin dynamics at one noise level after the other: score (x [B, D], σ [B]) → [B, D]. */
export function annealedLangevin(score: (x: tf.Tensor, sigma: tf.Tensor) => tf.Tensor, engine: Engine = 'auto') {
  const run = loop(
    ([x], _, rng, [sigma, eta]) => {
      const level = sigma!.mul(tf.ones([x!.shape[0]!]));
      return [langevinStep(x!, score(x!, level), eta!, rng.normal(x!.shape))];
    },
    { engine },
  );
  return (x: tf.Tensor, { sigmas, steps, ratio = Math.sqrt(0.1), rng }: AnnealedOptions): tf.Tensor =>
    tf.tidy(() =>
      sigmas.reduce(
        (now, sigma, i) => run([now], steps, rng.fork(`level ${i}`), [tf.scalar(sigma), tf.scalar((ratio * sigma) ** 2)])[0]!, // prettier-ignore
        x,
      ),
    );
}
