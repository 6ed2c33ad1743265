/**
 * The aggregate posterior of a data set, q(z) = (1/N) Σ_n q(z | x_n), and the bound taken apart by it:
 *   bound = reconstruction − I(n; z) − KL[q(z) ‖ p(z)],
 * where I is what a code tells of which example it is the code of, from 0 to ln N, and where the prior matters in the last
 * term alone (Hoffman and Johnson, ELBO surgery, 2016).
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Rng } from '../core/model';
import { categorical } from '../core/random';
import { logMeanExp } from '../core/tensor';
import { logProbOfEach } from './priors';
import type { VariationalModel } from './variational';

export interface AggregatePosterior {
  /** ln q(z): z [B, L] → [B] */
  logProb(z: tf.Tensor): tf.Tensor;
  /** An example at random, and a code of it: [count, L] */
  sample(count: number, rng: Rng): tf.Tensor;
}

/** Of all of x [N, ...event], with the encoder's weights as they are at each call. */
export function aggregatePosterior(
  model: Pick<VariationalModel, 'encode' | 'posterior'>,
  x: tf.Tensor,
): AggregatePosterior {
  const { posterior } = model;
  return {
    logProb: (z) => tf.tidy(() => logAggregate(posterior, z, model.encode(x))),
    sample: (count, rng) =>
      tf.tidy(() => {
        const n = categorical(tf.zeros([count, x.shape[0]!]), rng.fork('example')) as tf.Tensor1D;
        return posterior.draw(tf.gather(model.encode(x), n), rng.fork('z')).z;
      }),
  };
}

/** ln (1/N) Σ_n q(z_b | h_n), some rows at a time: every z meets every h. */
function logAggregate(posterior: VariationalModel['posterior'], z: tf.Tensor, h: tf.Tensor): tf.Tensor {
  const [B, N] = [z.shape[0]!, h.shape[0]!];
  const atOnce = Math.max(1, Math.floor(MOST_PAIRS / N));
  const parts = Array.from({ length: Math.ceil(B / atOnce) }, (_, i) =>
    tf.tidy(() => {
      const rows = z.slice([i * atOnce, 0], [Math.min(atOnce, B - i * atOnce), -1]);
      return logMeanExp(logProbOfEach(posterior, rows, h), 1);
    }),
  );
  return tf.concat(parts);
}

const MOST_PAIRS = 2 ** 17;

/** Parts of the bound, in nats per example. */
export interface BoundParts {
  /** E ln p(x | z) */
  readonly reconstruction: number;
  /** I(n; z) = E ln q(z | x) − E ln q(z) */
  readonly information: number;
  /** KL[q(z) ‖ p(z)] = E ln q(z) − E ln p(z) */
  readonly aggregateKl: number;
  /** information + aggregateKl = E KL[q(z | x) ‖ p(z)] */
  readonly kl: number;
  /** reconstruction − kl */
  readonly bound: number;
}

export interface TakenApart extends BoundParts {
  /** Of each, over the examples. */
  readonly standardErrors: BoundParts;
}

/**
 * The bound on all of x [N, ...event], taken apart, by so many draws of z for each example. q(z) is the whole data set's
 * mixture, its own example's term included: it is exact, and each part's estimate unbiased. O(draws N²).
 */
export function takenApart(
  model: VariationalModel,
  x: tf.Tensor,
  rng: Rng,
  { draws = 1 }: { readonly draws?: number } = {},
): TakenApart {
  requireCounts('takenApart', { draws });
  const N = x.shape[0]!;
  const sums = Array.from({ length: 5 }, () => new Float64Array(N));
  for (let k = 0; k < draws; k++) {
    const values = tf.tidy(() => {
      const noise = rng.fork(`draw ${k}`);
      const h = model.encode(x);
      const { z, logQ } = model.posterior.draw(h, noise.fork('z'));
      const reconstruction = model.decoder.logProb(x, z);
      const logAll = logAggregate(model.posterior, z, h);
      const logPrior = model.prior.logProb(z, noise.fork('prior'));
      return [reconstruction, logQ.sub(logAll), logAll.sub(logPrior)].map((value) => value.dataSync());
    });
    for (let n = 0; n < N; n++) {
      const [reconstruction, information, aggregateKl] = values.map((value) => value[n]! / draws) as [number, number, number];
      const kl = information + aggregateKl;
      [reconstruction, information, aggregateKl, kl, reconstruction - kl].forEach((value, i) => (sums[i]![n]! += value));
    }
  }
  const named = (of: (values: Float64Array) => number): BoundParts => {
    const [reconstruction, information, aggregateKl, kl, bound] = sums.map(of) as [number, number, number, number, number];
    return { reconstruction, information, aggregateKl, kl, bound };
  };
  return { ...named(mean), standardErrors: named(standardError) };
} // prettier-ignore

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

function standardError(values: Float64Array): number {
  const centre = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / Math.max(1, values.length - 1);
  return Math.sqrt(variance / values.length);
}
