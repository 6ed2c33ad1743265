/** What keeps a critic smooth: penalties on its slope by x, at data, at samples, or between them. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { detach, expectShape } from '../core/tensor';

/** One number an example, of that example alone: [B, D] → [B] */
export type Critic = (x: tf.Tensor) => tf.Tensor;

/** ‖∇_x c(x)‖² of every example: x [B, D] → [B] */
export function squaredSlope(critic: Critic, x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    expectShape('squaredSlope: x', x, ['B', 'D']);
    const slope = tf.grad((at) => critic(at).sum())(x); // examples do not meet in the sum
    return slope.square().sum(1);
  });
}

/**
 * E ‖∇c‖² at the given points: with ½ γ before it R1 where they are data, R2 where they are samples, of which no slope
 * is taken (Mescheder, Geiger and Nowozin, Which training methods for GANs do actually converge?, 2018).
 */
export function zeroCentred(critic: Critic, x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => squaredSlope(critic, detach(x)).mean());
}

/**
 * E (‖∇c‖ − 1)² at points on the straight lines from samples to data, a place of its own on each, u even in [0, 1)
 * (Gulrajani et al., Improved training of Wasserstein GANs, 2017).
 * @param real and fake [B, D]
 */
export function gradientPenalty(critic: Critic, real: tf.Tensor, fake: tf.Tensor, rng: Rng): tf.Tensor {
  return tf.tidy(() => {
    const between = interpolates(real, fake, rng.uniform([real.shape[0]!, 1]));
    const length = squaredSlope(critic, between).add(LEAST).sqrt(); // prettier-ignore
    return length.sub(1).square().mean();
  });
}

const LEAST = 1e-12; // a root has no slope at 0

/** fake + u (real − fake), of which no slope is taken: u [B, 1] → [B, D] */
export function interpolates(real: tf.Tensor, fake: tf.Tensor, u: tf.Tensor): tf.Tensor {
  return tf.tidy(() => detach(fake.add(real.sub(fake).mul(u))));
}
