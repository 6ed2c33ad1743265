/** Step 6: the likelihood of new inputs, with its kind, its error, and something to compare it with. */
import * as tf from '@tensorflow/tfjs';
import { batches, consume } from '../core/batches';
import { compiled, type CompiledFunction } from '../engine';
import type { Batch, GenerativeModel, Likelihood, Rng } from '../core/model';
import { logMeanExp, sizeOf } from '../core/tensor';

/** A model's likelihood on a set of examples. */
export interface Evaluation {
  /** What the number is: exact, a bound, or an estimate. */
  readonly kind: 'exact' | 'lower-bound' | 'estimate';
  /** Mean negative log-likelihood, in nats per example: smaller is better. */
  readonly nats: number;
  /** Standard error of that mean over the examples. */
  readonly standardError: number;
  /** Negative log-likelihood of each example, in nats. */
  readonly perExample: Float32Array;
}

export interface EvaluateOptions {
  readonly batchSize?: number;
  /** 'eager' never compiles. Default: 'auto', compiled where log p(x) can be traced. */
  readonly engine?: 'auto' | 'eager';
}

/**
 * Mean of −log p(x) over the examples.
 * @throws when the model has no log-likelihood (unnormalised, implicit), or when a value is NaN
 * @example
 * const { kind, nats } = evaluate(uniformBaseline([2], 4), { x: tf.zeros([3, 2]) }, createRng(1));
 * [kind, nats] // → ['exact', 2.7726]
 */
export function evaluate(
  model: GenerativeModel,
  data: Batch,
  rng: Rng,
  { batchSize = 500, engine = 'auto' }: EvaluateOptions = {},
): Evaluation {
  const { likelihood } = model;
  if (!('logProb' in likelihood))
    throw new Error(
      `evaluate: this model's likelihood is ${likelihood.kind}, so it has no log p(x); compare samples, or estimate the likelihood first`,
    );
  const negLogProb = negLogProbOf(likelihood, engine);
  const perExample: number[] = [];
  negLogProb.together(() => {
    for (const [index, batch] of batches(data, batchSize).entries()) {
      const noise = rng.fork(`batch ${index}`);
      const values = consume(batch, ({ x }) => tf.tidy(() => negLogProb([x], noise)[0]!.dataSync()));
      for (const value of values) perExample.push(value);
    }
  });
  const bad = perExample.findIndex(Number.isNaN);
  if (bad >= 0) throw new Error(`evaluate: log p(x) of example ${bad} is NaN; look at the weights and at that example`);
  return { kind: likelihood.kind, ...meanAndError(perExample), perExample: Float32Array.from(perExample) };
}

/** −log p(x) of a likelihood: [B, ...event] → [B]. Compiled once, however often a model is evaluated. */
function negLogProbOf(likelihood: WithLogProb, engine: 'auto' | 'eager'): CompiledFunction {
  const make = () => compiled(([x], rng) => [likelihood.logProb(x!, rng).neg()], { engine });
  if (engine === 'eager') return make();
  const known = functions.get(likelihood) ?? make();
  functions.set(likelihood, known);
  return known;
}

type WithLogProb = Extract<Likelihood, { logProb: unknown }>;
const functions = new WeakMap<WithLogProb, CompiledFunction>();

function meanAndError(values: readonly number[]): { nats: number; standardError: number } {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, n - 1);
  return { nats: mean, standardError: Math.sqrt(variance / n) };
}

/**
 * The model with a tighter bound, ln (1/K) Σ_k w_k with K draws of w = exp(its own bound). Where E w = p(x), as for a
 * dequantised density or an ELBO of one draw, it is a lower bound on ln p(x) again (Jensen), in expectation never below
 * the one of fewer draws, and it tends to ln p(x) (Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders,
 * 2016, theorem 1).
 * @param model whose likelihood is a lower bound by one draw from its rng, or an estimate of such a bound, as with a
 * resampled prior: it then stays an estimate
 * @example
 * const model = dequantised(gaussianMixture.create(gaussianMixture.tiny.config, createRng(1)));
 * importanceBound(model, 16).likelihood.kind // → 'lower-bound'
 */
export function importanceBound(model: GenerativeModel, draws: number): GenerativeModel {
  const { likelihood } = model;
  const isBound = likelihood.kind === 'lower-bound' || (likelihood.kind === 'estimate' && likelihood.logWeights);
  if (!isBound) throw new Error(`importanceBound: expected a model with a lower bound, got ${likelihood.kind}`);
  if (!Number.isInteger(draws) || draws < 1)
    throw new Error(`importanceBound: draws must be an integer ≥ 1, got ${draws}`);
  return {
    ...model,
    likelihood: {
      kind: likelihood.kind,
      logProb: (x, rng) =>
        tf.tidy(() => {
          if (likelihood.logWeights) return logMeanExp(likelihood.logWeights(x, draws, rng), 0);
          const copies = tf.tile(x, [draws, ...model.eventShape.map(() => 1)]); // [K · B, ...event]
          return logMeanExp(likelihood.logProb(copies, rng).reshape([draws, -1]), 0);
        }),
    },
  };
}

/**
 * Bits per dimension: nats / (D ln 2). For printing only; everything else is in nats per example.
 * @param eventShape the shape of one example, whose size is D
 * @example bitsPerDim(64 * Math.LN2, [8, 8]) // → 1
 */
export function bitsPerDim(nats: number, eventShape: readonly number[]): number {
  return nats / (sizeOf(eventShape) * Math.LN2);
}

/** One setting of a sweep, and its likelihood on the validation set. */
export interface SweepResult<Setting, Model extends GenerativeModel = GenerativeModel> {
  readonly setting: Setting;
  readonly model: Model;
  readonly validation: Evaluation;
}

/**
 * Trains one model per setting and ranks them by validation likelihood, best first. The test set plays no part.
 * @param train makes and trains the model of one setting
 */
export async function sweep<Setting, Model extends GenerativeModel>(
  settings: readonly Setting[],
  train: (setting: Setting, rng: Rng) => Promise<Model> | Model,
  validation: Batch,
  rng: Rng,
): Promise<SweepResult<Setting, Model>[]> {
  if (settings.length === 0) throw new Error('sweep: expected at least one setting, got none');
  const results: SweepResult<Setting, Model>[] = [];
  for (const [index, setting] of settings.entries()) {
    const model = await train(setting, rng.fork(`setting ${index}`));
    results.push({ setting, model, validation: evaluate(model, validation, rng.fork('validation')) });
  }
  return results.sort((a, b) => a.validation.nats - b.validation.nats);
}
