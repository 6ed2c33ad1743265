/** The Gaussian pair: the standard normal prior, and a diagonal normal posterior. */
import * as tf from '@tensorflow/tfjs';
import { logNormal } from '../core/distributions';
import { detach } from '../core/tensor';
import type { Posterior, Prior } from './parts';

/**
 * p(z) = N(0, I) in L dimensions.
 * @example standardNormal(2).logProb(tf.zeros([1, 2]), createRng(1)) // → [-1.8379]
 */
export function standardNormal(latent: number): Prior {
  return {
    latent,
    variables: [],
    standard: true,
    logProb: (z) => logNormal(z, tf.scalar(0), tf.scalar(0)),
    sample: (count, rng) => rng.normal([count, latent]),
  };
}

export interface GaussianPosteriorOptions {
  /**
   * 'path': z = mu + σ ε (Kingma and Welling, 2014), through which gradients flow. 'score': z is held fixed, and the
   * gradient is that of f(z) ln q(z) (Williams, 1992), unbiased as well and far noisier. Default: 'path'.
   */
  readonly gradient?: 'path' | 'score';
}

/**
 * q(z | x) = N(mu, diag exp logVar) with h = [mu, logVar], 2 L numbers. Its KL from N(0, I) is, for each dimension,
 *   ½ (exp logVar + mu² − 1 − logVar).
 */
export function gaussianPosterior(latent: number, { gradient = 'path' }: GaussianPosteriorOptions = {}): Posterior {
  const split = (h: tf.Tensor) => tf.split(h, 2, 1) as [tf.Tensor, tf.Tensor];
  return {
    latent,
    parameters: 2 * latent,
    variables: [],
    gradient,
    draw(h, rng) {
      const [mu, logVar] = split(h);
      const path = rng.normal(mu.shape).mul(logVar.mul(0.5).exp()).add(mu); // [B, L]
      if (gradient === 'path') return { z: path, logQ: logNormal(path, mu, logVar) };
      const z = detach(path);
      const logQ = logNormal(z, mu, logVar);
      return { z, logQ, score: logQ };
    },
    logProb(z, h) {
      const [mu, logVar] = split(h);
      return logNormal(z, mu, logVar);
    },
    mean: (h) => split(h)[0].clone(),
    kl(h) {
      const [mu, logVar] = split(h);
      return logVar.exp().add(mu.square()).sub(1).sub(logVar).mul(0.5); // [B, L]
    },
  };
}
