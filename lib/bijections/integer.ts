/**
 * Bijections of ℤ^D onto itself: steps that move some coordinates by what the others say, rounded, and are undone by
 * saying it again. Nothing is stretched, so logDet is 0.
 * Sources: Hoogeboom et al., Integer Discrete Flows (2019); Tomczak, General Invertible Transformations for Flow-based
 * Generative Modeling (2021), for steps that let all other coordinates speak.
 */
import * as tf from '@tensorflow/tfjs';
import type { Bijection } from '../core/model';
import { roundThrough, withoutGradient } from '../core/tensor';
import type { Network } from '../networks/dense';
import { noChange } from './scalar';

/**
 * The coordinates where the mask is 1 move by what the others say,
 *   z = x + mask · round(t((1 − mask) · x)),  and back:  x = z − mask · round(t((1 − mask) · z)).
 */
export interface IntegerStep {
  /** [D] of 0 and 1 */
  readonly mask: readonly number[];
  /** t: [B, D] → [B, D] */
  readonly translation: Network;
}

export interface IntegerBijection extends Bijection {
  readonly of: 'integers';
  /**
   * z, straight through all roundings, and on which side of it each coordinate's last translation lay before rounding:
   * 1 above, −1 below; [B, D] each.
   */
  rounded(x: tf.Tensor): { readonly z: tf.Tensor; readonly side: tf.Tensor };
}

/** One step after the other. */
export function integerSteps(steps: readonly IntegerStep[]): IntegerBijection {
  const rounded = (x: tf.Tensor) => {
    let [z, rest]: [tf.Tensor, tf.Tensor] = [x, tf.zerosLike(x)];
    for (const step of steps) {
      const t = translationOf(step, z);
      const moved = roundThrough(t);
      rest = rest.mul(others(step.mask)).add(t.sub(moved));
      z = z.add(moved);
    }
    return { z, side: withoutGradient(rest, (r) => r.greaterEqual(0).toFloat().mul(2).sub(1)) };
  };
  return {
    of: 'integers',
    variables: steps.flatMap(({ translation }) => translation.variables),
    rounded,
    toLatent: (x) => tf.tidy(() => ({ z: rounded(x).z.clone(), logDet: noChange(x) })),
    toData: (z) =>
      tf.tidy(() => steps.reduceRight((h, step) => h.sub(translationOf(step, h).round()), z).clone()), // prettier-ignore
  };
}

/** mask · t, before rounding: [B, D] */
const translationOf = ({ mask, translation }: IntegerStep, x: tf.Tensor) =>
  translation.apply(x.mul(others(mask))).mul([...mask]);

const others = (mask: readonly number[]) => mask.map((m) => 1 - m);
