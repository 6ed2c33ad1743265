/**
 * Chains that go on from step to step of training, in a queue: the first of them are moved, and go to its end.
 * A share of them starts anew each time, so that they do not all stay where the model once had a hill.
 * Sources: Tieleman, Training restricted Boltzmann machines using approximations to the likelihood gradient (2008); Du
 * and Mordatch, Implicit generation and modeling with energy-based models (2019), with its replay buffer.
 */
import * as tf from '@tensorflow/tfjs';
import { detach } from '../core/tensor';
import type { Rng } from '../core/model';
import { weight } from '../networks/dense';

export interface Replay {
  /** [M, D], an objective's memory */
  readonly memory: tf.Variable;
  /** The chains whose turn it is, [count, D], a share of them replaced by fresh ones. */
  next(count: number, fresh: tf.Tensor, rng: Rng): tf.Tensor;
  /** The memory once those are moved: [count, D] → [M, D] */
  after(moved: tf.Tensor): tf.Tensor;
}

/**
 * @param start where the chains begin, [M, D], which is disposed @param restart share of chains that starts anew
 * @param who speaks in its errors
 */
export function replay(start: tf.Tensor, restart: number, who: string): Replay {
  if (!(restart >= 0 && restart <= 1)) throw new Error(`${who}: restart must be from 0 to 1, got ${restart}`);
  const memory = weight(start);
  memory.trainable = false; // it is assigned to, and never has a gradient
  const [M, D] = memory.shape as [number, number];
  return {
    memory,
    next(count, fresh, rng) {
      if (count > M)
        throw new Error(`${who}: a batch of ${count} needs as many chains, got ${M}; raise chains, or lower batchSize`);
      return tf.tidy(() => {
        const old = detach(memory).slice([0, 0], [count, D]);
        return restart === 0 ? old : tf.where(rng.uniform([count, 1]).less(restart), fresh, old);
      });
    },
    after(moved) {
      const count = moved.shape[0]!;
      return tf.tidy(() => (count === M ? moved.clone() : tf.concat([memory.slice([count, 0], [M - count, D]), moved], 0))); // prettier-ignore
    },
  };
}
