/**
 * Langevin dynamics whose steps are accepted or refused, so that it stays at p for steps of any length.
 *
 * A step to y is taken with probability min(1, p(y) q(x | y) / (p(x) q(y | x))), q(y | x) = N(y; x + η ∇ ln p(x), 2η I):
 * detailed balance. p is needed up to its constant. Sources: Besag, comment on Grenander and Miller (1994); Roberts and
 * Tweedie, Exponential convergence of Langevin distributions (1996).
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { langevinStep } from '../diffusion/langevin';
import { loop, type Engine } from '../sampling/sampler';

/** ln p(x) + ln Z: [B, D] → [B] */
export type NegEnergy = (x: tf.Tensor) => tf.Tensor;

/** The negative energy [B] of every row, and its gradient in x [B, D], which is the score. */
export function energyAndScore(negEnergy: NegEnergy, x: tf.Tensor): { readonly value: tf.Tensor; readonly score: tf.Tensor } {
  const { value, grad } = tf.valueAndGrad(negEnergy)(x, tf.ones([x.shape[0]!]));
  return { value, score: grad };
} // prettier-ignore

/** Of a chain: where it is [B, D], its negative energy [B] and its score [B, D]. */
export type ChainState = readonly [x: tf.Tensor, value: tf.Tensor, score: tf.Tensor];

/** One step, and whether it was taken, [B] of 0 and 1. */
export function adjustedLangevinStep(
  negEnergy: NegEnergy,
  [x, value, score]: ChainState,
  eta: tf.Tensor | number,
  rng: Rng,
): { readonly state: ChainState; readonly taken: tf.Tensor } {
  const y = langevinStep(x, score, eta, rng.fork('noise').normal(x.shape));
  const there = energyAndScore(negEnergy, y);
  const forth = y.sub(x).sub(score.mul(eta)).square().sum(1);
  const back = x.sub(y).sub(there.score.mul(eta)).square().sum(1);
  const logRatio = there.value.sub(value).add(forth.sub(back).div(tf.mul(4, eta))); // [B]
  const u = rng.fork('accept').uniform([x.shape[0]!]).maximum(2 ** -25);
  const taken = u.log().less(logRatio); // NaN is refused
  const rows = taken.expandDims(1);
  const state = [tf.where(rows, y, x), tf.where(taken, there.value, value), tf.where(rows, there.score, score)] as const;
  return { state, taken: taken.toFloat() };
} // prettier-ignore

export interface AdjustedOptions {
  readonly steps: number;
  /** η */
  readonly eta: number;
  readonly rng: Rng;
}

/** Chains from x [B, D], side by side: where they end [B, D], and the share of steps that each took [B]. */
export function adjustedLangevin(negEnergy: NegEnergy, engine: Engine = 'auto') {
  const run = loop(
    ([x, value, score, taken], _, rng, [eta]) => {
      const step = adjustedLangevinStep(negEnergy, [x!, value!, score!], eta!, rng);
      return [...step.state, taken!.add(step.taken)];
    },
    { engine },
  );
  const start = (x: tf.Tensor) => {
    const { value, score } = energyAndScore(negEnergy, x);
    return [x, value, score, tf.zeros([x.shape[0]!])];
  };
  const chains = (x: tf.Tensor, { steps, eta, rng }: AdjustedOptions): { x: tf.Tensor; taken: tf.Tensor } => {
    if (!(eta > 0)) throw new Error(`adjustedLangevin: eta must be above 0, got ${eta}`);
    return tf.tidy(() => {
      const [end, , , taken] = run(start(x), steps, rng, [tf.scalar(eta)]);
      return { x: end!, taken: taken!.div(steps) };
    });
  };
  return Object.assign(chains, { engine: run.engine });
}
