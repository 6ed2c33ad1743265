/**
 * Step 7: sampling, compiled. The door through which samplers use the engine: `sample(model, …)` for whoever draws,
 * `loop` and `compiled` for a family whose sampler takes many steps.
 */
import type * as tf from '@tensorflow/tfjs';
import { compiled, type CompiledFunction } from '../engine';
import type { GenerativeModel, Rng } from '../core/model';

export { compiled, loop, type Body, type CompiledFunction, type FunctionOptions, type Loop } from '../engine';

/**
 * `model.sample`, compiled where it can be; the same numbers as without, up to rounding.
 * @param given a prefix or evidence, where the family takes one @returns [count, ...event]; the caller owns it
 */
export function sample(model: GenerativeModel, count: number, rng: Rng, given?: tf.Tensor): tf.Tensor {
  const known = samplers.get(model) ?? new Map<number, CompiledFunction>();
  samplers.set(model, known);
  const sampler = known.get(count) ?? compiled(([g], noise) => [model.sample(count, noise, g)]);
  if (known.size >= MOST_COUNTS) known.clear();
  known.set(count, sampler);
  return sampler(given ? [given] : [], rng)[0]!;
}

const MOST_COUNTS = 32; // of one model: each has a graph of its own
const samplers = new WeakMap<GenerativeModel, Map<number, CompiledFunction>>();
