/**
 * ln p(x) = ln ∫ p(x | z) p(z) dz by brute force, where z is small enough: what a bound is held to.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { logSumExp } from '../core/tensor';
import type { Prior } from './parts';
import type { VariationalModel } from './variational';

/** Points z [S, L] and ln of their weights [S]: Σ_s weight_s f(z_s) stands for E f(z) under the prior. */
export interface LatentGrid {
  readonly z: readonly (readonly number[])[];
  readonly logWeight: readonly number[];
}

/** One standard normal latent, by the midpoint rule on [−reach, reach]. */
export function normalGrid({ steps = 1000, reach = 7 }: { readonly steps?: number; readonly reach?: number } = {}): LatentGrid {
  const width = (2 * reach) / steps;
  const z = Array.from({ length: steps }, (_, i) => -reach + (i + 0.5) * width);
  return {
    z: z.map((value) => [value]),
    logWeight: z.map((value) => Math.log(width / Math.sqrt(2 * Math.PI)) - value ** 2 / 2),
  };
} // prettier-ignore

/**
 * Any prior of up to three latents, by the midpoint rule on [−reach, reach] along each.
 * @param rng for a prior whose density is estimated
 */
export function priorGrid(
  prior: Prior,
  rng: Rng,
  { steps = STEPS[prior.latent] ?? 1, reach = 7 }: { readonly steps?: number; readonly reach?: number } = {},
): LatentGrid {
  if (!(prior.latent in STEPS)) throw new Error(`priorGrid: expected a prior of 1 to 3 latents, got ${prior.latent}; a grid grows as steps^L`); // prettier-ignore
  const width = (2 * reach) / steps;
  const axis = Array.from({ length: steps }, (_, i) => -reach + (i + 0.5) * width);
  const more = (rows: number[][]) => rows.flatMap((row) => axis.map((a) => [...row, a]));
  const z = Array.from({ length: prior.latent }).reduce((rows: number[][]) => more(rows), [[]]);
  const logProb = tf.tidy(() => prior.logProb(tf.tensor2d(z), rng).dataSync());
  const logCell = prior.latent * Math.log(width);
  return { z, logWeight: Array.from(logProb, (value) => value + logCell) };
}

/** Along each of so many latents. */
const STEPS: Readonly<Record<number, number>> = { 1: 1000, 2: 120, 3: 28 };

/** The unit circle, evenly. */
export function circleGrid(steps = 1000): LatentGrid {
  const angles = Array.from({ length: steps }, (_, i) => ((i + 0.5) * 2 * Math.PI) / steps);
  return { z: angles.map((a) => [Math.cos(a), Math.sin(a)]), logWeight: angles.map(() => -Math.log(steps)) };
}

/** ln Σ_s weight_s p(x | z_s): x [B, ...event] → [B]. Every different example meets every point, all of them at once. */
export function exactLogProb(
  { decoder }: Pick<VariationalModel, 'decoder'>,
  x: tf.Tensor,
  grid: LatentGrid,
): tf.Tensor {
  return tf.tidy(() => {
    const event = x.shape.slice(1);
    const { rows, places } = different(x);
    const [N, S] = [rows.shape[0]!, grid.z.length];
    const z = tf.tensor2d(grid.z.map((row) => [...row])).tile([N, 1]); // [N S, L]
    const each = rows.expandDims(1).tile([1, S, ...event.map(() => 1)]); // [N, S, ...event]
    const logProb = decoder.logProb(each.reshape([N * S, ...event]), z).reshape([N, S]);
    return tf.gather(logSumExp(logProb.add(tf.tensor1d([...grid.logWeight])), 1), places);
  });
}

/**
 * The same where the D coordinates of x, integers 0 … V − 1, are independent given z: each value of each coordinate meets
 * every point once, 1 + D (V − 1) times all points in place of one time for each different example.
 * @param logProb ln p(x | z) of one x [1, ...event] at every point: [S]
 */
export function exactLogProbFactorised(
  logProb: (x: tf.Tensor) => tf.Tensor,
  x: tf.Tensor,
  { logWeight }: Pick<LatentGrid, 'logWeight'>,
): tf.Tensor {
  return tf.tidy(() => {
    const { rows, places } = different(x.reshape([x.shape[0]!, -1]));
    const [D, V] = [rows.shape[1]!, rows.max().dataSync()[0]! + 1];
    const event = [1, ...x.shape.slice(1)];
    const none = logProb(tf.zeros(event)); // all coordinates 0
    const more = Array.from({ length: D * V }, (_, i) => {
      const [d, v] = [Math.floor(i / V), i % V];
      if (v === 0) return tf.zerosLike(none);
      return logProb(tf.oneHot([d], D).mul(v).reshape(event)).sub(none);
    });
    const chosen = tf.oneHot(rows.toInt(), V).reshape([-1, D * V]).toFloat(); // [N, D V]
    const all = chosen.matMul(tf.stack(more)).add(none).add(tf.tensor1d([...logWeight])); // [N, S]
    return tf.gather(logSumExp(all, 1), places);
  });
} // prettier-ignore

/** Of x [B, ...event] each different example once, and where every example of x stands among them. */
function different(x: tf.Tensor): { rows: tf.Tensor; places: tf.Tensor1D } {
  const B = x.shape[0]!;
  const values = x.dataSync();
  const size = values.length / B;
  const known = new Map<string, number>();
  const firsts: number[] = [];
  const places = Int32Array.from({ length: B }, (_, n) => {
    const key = values.slice(n * size, (n + 1) * size).join();
    if (!known.has(key)) {
      known.set(key, firsts.length);
      firsts.push(n);
    }
    return known.get(key)!;
  });
  return { rows: tf.gather(x, tf.tensor1d(firsts, 'int32')), places: tf.tensor1d(places, 'int32') };
}
