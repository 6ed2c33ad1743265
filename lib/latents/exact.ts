/**
 * ln p(x) = ln ∫ p(x | z) p(z) dz by brute force, where z is small enough: what a bound is held to.
 */
import * as tf from '@tensorflow/tfjs';
import { logSumExp } from '../core/tensor';
import type { VariationalModel } from './variational';

/** Points z [S, L] and ln of their weights [S]: Σ_s weight_s f(z_s) stands for E f(z) under the prior. */
export interface LatentGrid {
  readonly z: readonly (readonly number[])[];
  readonly logWeight: readonly number[];
}

/** One standard normal latent, by the midpoint rule on [−reach, reach]. */
export function normalGrid({ steps = 200, reach = 7 }: { readonly steps?: number; readonly reach?: number } = {}): LatentGrid {
  const width = (2 * reach) / steps;
  const z = Array.from({ length: steps }, (_, i) => -reach + (i + 0.5) * width);
  return {
    z: z.map((value) => [value]),
    logWeight: z.map((value) => Math.log(width / Math.sqrt(2 * Math.PI)) - value ** 2 / 2),
  };
} // prettier-ignore

/** The unit circle, evenly. */
export function circleGrid(steps = 200): LatentGrid {
  const angles = Array.from({ length: steps }, (_, i) => ((i + 0.5) * 2 * Math.PI) / steps);
  return { z: angles.map((a) => [Math.cos(a), Math.sin(a)]), logWeight: angles.map(() => -Math.log(steps)) };
}

/**
 * ln Σ_s weight_s p(x | z_s): x [B, ...event] → [B]. Every example meets every point, B S of them at once.
 */
export function exactLogProb({ decoder }: Pick<VariationalModel, 'decoder'>, x: tf.Tensor, grid: LatentGrid): tf.Tensor {
  return tf.tidy(() => {
    const [B, S] = [x.shape[0]!, grid.z.length];
    const z = tf.tensor2d(grid.z.map((row) => [...row])).tile([B, 1]); // [B S, L]
    const each = x.expandDims(1).tile([1, S, ...x.shape.slice(1).map(() => 1)]); // [B, S, ...event]
    const logProb = decoder.logProb(each.reshape([B * S, ...x.shape.slice(1)]), z).reshape([B, S]);
    return logSumExp(logProb.add(tf.tensor1d([...grid.logWeight])), 1);
  });
} // prettier-ignore
