/** The density of real numbers by a bijection: p(x) = p(z) |det ∂z/∂x| with z = f(x), on all of ℝ^D or on an interval. */
import * as tf from '@tensorflow/tfjs';
import { logInterval } from '../core/distributions';
import type { Bijection, Latent, Rng } from '../core/model';
import { eventRows, sizeOf } from '../core/tensor';
import { logit, standardise, type Base } from './layers';

export interface DomainOptions {
  /**
   * Where real x lie. 'interval': nowhere but in [low, high], which is mapped onto the line, or onto [0, 1].
   * 'reals': mostly there; x is only brought to mean 0 and variance 1 as if uniform on it.
   */
  readonly domain: 'interval' | 'reals';
  readonly low: number;
  readonly high: number;
}

/** Data to about mean 0 and variance 1, with or without an end. */
export function prepared({ domain, low, high }: DomainOptions): Bijection {
  if (domain === 'interval') return logit(low, high);
  return standardise((low + high) / 2, (high - low) / Math.sqrt(12));
}

export interface FlowDensity {
  /** x [B, ...event], real → z [B, D] and logDet [B] */
  toLatent(x: tf.Tensor): Latent;
  /** z [B, D] → x [B, ...event], real */
  toData(z: tf.Tensor): tf.Tensor;
  /** ln p(x): [B, ...event] → [B] */
  logProb(x: tf.Tensor): tf.Tensor;
  /** [count, ...event] */
  draw(count: number, rng: Rng): tf.Tensor;
}

export function flowDensity(
  { eventShape, domain, low, high }: DomainOptions & { readonly eventShape: readonly number[] },
  bijection: Bijection,
  base: Base,
): FlowDensity {
  const toLatent = (x: tf.Tensor) => tf.tidy(() => bijection.toLatent(eventRows('flow: x', x, eventShape)));
  const toData = (z: tf.Tensor) => tf.tidy(() => bijection.toData(z).reshape([-1, ...eventShape]));
  return {
    toLatent,
    toData,
    logProb: (x) =>
      tf.tidy(() => {
        const { z, logDet } = toLatent(x);
        const logP = base.logProb(z).add(logDet);
        return domain === 'interval' ? logP.add(logInterval(x, low, high)) : logP;
      }),
    draw: (count, rng) => toData(base.sample([count, sizeOf(eventShape)], rng)),
  };
}
