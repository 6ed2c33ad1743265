/**
 * Posteriors q(z | x) beyond the diagonal Gaussian: noise of a diagonal Gaussian, moved by a flow that the encoder
 * steers. ln q(z | x) = ln N(base) − ln |det ∂z/∂base|, the determinant once for all of z.
 */
import * as tf from '@tensorflow/tfjs';
import { LOG_2PI } from '../core/distributions';
import type { Latent } from '../core/model';
import { sumEvent } from '../core/tensor';
import type { Posterior } from './parts';

/** An invertible map of latents that differs from example to example. */
export interface LatentFlow {
  /** Numbers that it takes from the encoder, for each example. */
  readonly parameters: number;
  readonly variables: readonly tf.Variable[];
  /** What it moves: noise ε, before mu and σ, or mu + σ ε. Default: 'latents' */
  readonly on?: 'noise' | 'latents';
  /** It turns z around 0, or mirrors it, and no more: then the KL from N(0, I) stays as it is. Default: false */
  readonly rotation?: boolean;
  /** `toBase` searches, so that it has no gradient. Default: false */
  readonly searched?: boolean;
  /** base [B, L], context [B, parameters] → z [B, L], logDet = ln |det ∂z/∂base| [B] */
  toPosterior(base: tf.Tensor, context: tf.Tensor): Latent;
  /** z [B, L] → base [B, L] */
  toBase(z: tf.Tensor, context: tf.Tensor): tf.Tensor;
}

/** h = [mu, logVar, context]: z = flow(mu + σ ε), or mu + σ flow(ε). */
export function flowPosterior(latent: number, flow: LatentFlow): Posterior {
  const { parameters, on = 'latents', rotation = false, searched = false } = flow;
  const split = (h: tf.Tensor) => {
    const [mu, logVar, context] = [
      h.slice([0, 0], [-1, latent]),
      h.slice([0, latent], [-1, latent]),
      h.slice([0, 2 * latent], [-1, parameters]),
    ];
    return { mu, logVar, context };
  };
  const scaled = (x: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor) => x.mul(logVar.mul(0.5).exp()).add(mu);
  /** z of ε, and ln q(z). */
  const moved = (noise: tf.Tensor, h: tf.Tensor) => {
    const { mu, logVar, context } = split(h);
    const inner = on === 'noise' ? noise : scaled(noise, mu, logVar);
    const { z, logDet } = flow.toPosterior(inner, context);
    const logQ = sumEvent(noise.square().add(LOG_2PI).add(logVar).mul(-0.5)).sub(logDet);
    return { z: on === 'noise' ? scaled(z, mu, logVar) : z, logQ };
  };
  const unscaled = (z: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor) => z.sub(mu).mul(logVar.mul(-0.5).exp());
  const noiseOf = (z: tf.Tensor, h: tf.Tensor) => {
    const { mu, logVar, context } = split(h);
    if (on === 'noise') return flow.toBase(unscaled(z, mu, logVar), context);
    return unscaled(flow.toBase(z, context), mu, logVar);
  };
  return {
    latent,
    parameters: 2 * latent + parameters,
    variables: flow.variables,
    gradient: 'path',
    ...(searched && { searched }),
    draw: (h, rng) => moved(rng.normal([h.shape[0]!, latent]), h),
    logProb: (z, h) => tf.tidy(() => moved(noiseOf(z, h), h).logQ),
    mean: (h) => tf.tidy(() => moved(tf.zeros([h.shape[0]!, latent]), h).z),
    ...(rotation && {
      kl(h: tf.Tensor) {
        const { mu, logVar } = split(h);
        return logVar.exp().add(mu.square()).sub(1).sub(logVar).mul(0.5); // [B, L], of the axes before they are turned
      },
    }),
  };
}
