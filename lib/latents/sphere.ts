/** The pair on the unit sphere of ℝ^d: the uniform prior, and a von Mises–Fisher posterior (Davidson et al., 2018). */
import * as tf from '@tensorflow/tfjs';
import {
  drawDirections,
  drawVonMisesFisher,
  klVonMisesFisher,
  LARGEST_CONCENTRATION,
  logSphereArea,
  logVonMisesFisher,
  unit,
} from '../core/von-mises-fisher';
import type { Posterior, Prior } from './parts';

/** Every direction of ℝ^d alike: ln p(z) = −ln area. */
export function uniformSphere(d: number): Prior {
  return {
    latent: d,
    variables: [],
    standard: true,
    logProb: (z) => tf.fill([z.shape[0]!], -logSphereArea(d)),
    sample: (count, rng) => drawDirections(count, d, rng),
  };
}

/**
 * q(z | x) = vMF(mu, κ) with h = [m, k], d + 1 numbers: mu = m / ‖m‖, and κ = 1 + ln(1 + e^k), at most 1000. Its KL from
 * the uniform distribution depends on κ alone: there is one group of latents.
 */
export function vonMisesFisherPosterior(d: number): Posterior {
  if (!Number.isInteger(d) || d < 2)
    throw new Error(`vonMisesFisherPosterior: d must be an integer ≥ 2, got ${d}; on two points there is no direction`);
  const split = (h: tf.Tensor) => {
    const [m, k] = tf.split(h, [d, 1], 1) as [tf.Tensor, tf.Tensor];
    const kappa = k.squeeze([1]).softplus().add(1).minimum(LARGEST_CONCENTRATION);
    return { mu: unit(m), kappa };
  };
  return {
    latent: d,
    parameters: d + 1,
    variables: [],
    gradient: 'score',
    draw(h, rng) {
      const { mu, kappa } = split(h);
      const { z, logProb, score } = drawVonMisesFisher(mu, kappa, rng);
      return { z, logQ: logProb, score };
    },
    logProb(z, h) {
      const { mu, kappa } = split(h);
      return logVonMisesFisher(z, mu, kappa);
    },
    mean: (h) => split(h).mu,
    kl: (h) => klVonMisesFisher(split(h).kappa, d).expandDims(1), // [B, 1]
  };
}
