/** What models with latents say of data by the terms of their bound, whether latents are flat or come in levels. */
import * as tf from '@tensorflow/tfjs';
import type { Likelihood, Rng } from '../core/model';
import { eventRows } from '../core/tensor';
import type { Network } from '../networks/dense';

/** What the bound of one draw is made of: [B] each. */
export interface Terms {
  readonly reconstruction: tf.Tensor;
  readonly kl: tf.Tensor;
  /** ln p(x, z) − ln q(z | x), whose exponential has the mean p(x). */
  readonly logWeight: tf.Tensor;
}

/** What the encoder says, h, of x [B, ...event]. @param name who speaks in errors */
export function encodingOf(name: string, encoder: Network, eventShape: readonly number[]) {
  return (x: tf.Tensor): tf.Tensor =>
    tf.tidy(() => {
      eventRows(`${name}: x`, x, eventShape); // for its shape
      return encoder.apply(x);
    });
}

/** The bound with the KL in closed form where there is one, and the likelihood by one draw and by several. */
export function boundOf(
  encode: (x: tf.Tensor) => tf.Tensor,
  terms: (x: tf.Tensor, rng: Rng, h?: tf.Tensor) => Terms,
  kind: 'lower-bound' | 'estimate',
) {
  return {
    elbo: (x: tf.Tensor, rng: Rng, h?: tf.Tensor): tf.Tensor =>
      tf.tidy(() => {
        const { reconstruction, kl } = terms(x, rng, h);
        return reconstruction.sub(kl);
      }),
    likelihood: {
      kind,
      logProb: (x, rng) => tf.tidy(() => terms(x, rng).logWeight),
      logWeights: (x, draws, rng) =>
        tf.tidy(() => terms(copies(x, draws), rng, copies(encode(x), draws)).logWeight.reshape([draws, -1])),
    } satisfies Likelihood,
  };
}

/** x [B, ...], K times: [K B, ...]. */
export function copies(x: tf.Tensor, K: number): tf.Tensor {
  return K === 1 ? x : tf.tile(x, [K, ...x.shape.slice(1).map(() => 1)]);
}
