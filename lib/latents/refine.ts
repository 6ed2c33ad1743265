/** q(z | x) of each example by itself: what the encoder leaves between its bound and the best of its kind. */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Rng } from '../core/model';
import { loop } from '../sampling/sampler';
import type { VariationalModel } from './variational';

export interface RefineOptions {
  readonly rng: Rng;
  readonly steps: number;
  /** Of Adam, on h. Default: 0.05 */
  readonly learningRate?: number;
  /** Of z, at each step. Default: 1 */
  readonly draws?: number;
}

/**
 * The parameters h of q(z | x) that maximise each example's own bound, with the decoder as it is, by Adam from the
 * encoder's: [B, ...event] → [B, parameters]. The difference of `model.elbo(x, rng, h)` is the amortisation gap (Cremer, Li
 * and Duvenaud, Inference suboptimality in variational autoencoders, 2018). The caller owns it.
 * @throws where z carries only a part of the gradient, and the score function the rest: the bound's slope would be wrong
 */
export function refine(
  model: VariationalModel,
  x: tf.Tensor,
  { rng, steps, learningRate = 0.05, draws = 1 }: RefineOptions,
): tf.Tensor {
  requireCounts('refine', { steps, draws });
  if (model.posterior.gradient === 'score')
    throw new Error(
      "refine: it climbs the bound along z, and expected a posterior whose gradient is by the path, got 'score'; a Gaussian one with gradient: 'path' is such a posterior",
    );
  const climb = loop(([h, m, v], t, noise, [events]) => {
    const bound = (at: tf.Tensor) =>
      tf.addN(Array.from({ length: draws }, (_, k) => model.elbo(events!, noise.fork(`draw ${k}`), at).sum())).div(draws);
    const slope = tf.grad(bound)(h!);
    const first = m!.mul(BETA_1).add(slope.mul(1 - BETA_1));
    const second = v!.mul(BETA_2).add(slope.square().mul(1 - BETA_2));
    const n = t.toFloat().add(1);
    const [left1, left2] = [BETA_1, BETA_2].map((beta) => tf.sub(1, n.mul(Math.log(beta)).exp())) as [tf.Tensor, tf.Tensor];
    const rate = t.toFloat().div(steps).neg().add(1).mul(learningRate); // to 0: the last steps only average out noise
    const step = first.div(left1).div(second.div(left2).sqrt().add(1e-8)).mul(rate);
    return [h!.add(step), first, second];
  }); // prettier-ignore
  return tf.tidy(() => {
    const h = model.encode(x);
    return climb([h, tf.zerosLike(h), tf.zerosLike(h)], steps, rng, [x])[0]!;
  });
}

const [BETA_1, BETA_2] = [0.9, 0.999];
