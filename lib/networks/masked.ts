/** Step 2 for a few numbers in a fixed order: a network of dense layers in which none sees itself or a later one. */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Rng } from '../core/model';
import { gelu, uniformWeight } from './dense';

export interface MaskedOptions {
  /** D, how many numbers there are. */
  readonly inputs: number;
  /** Further numbers, which every output sees; 0: none. */
  readonly context: number;
  /** Widths of the hidden layers, one or more. */
  readonly hidden: readonly number[];
  /** For each of the D numbers. */
  readonly outputs: number;
  /** Whether the last layer starts at 0. */
  readonly start: 'random' | 'zero';
}

export interface MaskedNetwork {
  readonly variables: readonly tf.Variable[];
  /** x [B, D] and context [B, C] → [B, D, outputs], of which row d depends on x_{<d} and the context alone. */
  apply(x: tf.Tensor, context?: tf.Tensor): tf.Tensor;
}

/**
 * Unit j of every hidden layer sees the first j mod D numbers; so weights from units that see more are masked out, and
 * the d-th outputs take from units that see no more than x_{<d} (Germain et al., MADE, 2015).
 */
export function maskedNetwork(options: MaskedOptions, rng: Rng): MaskedNetwork {
  const { inputs: D, context: C, hidden, outputs, start } = options;
  requireCounts('maskedNetwork', { inputs: D, outputs, 'number of hidden layers': hidden.length });
  const widths = hidden.map((width) => Array.from({ length: width }, (_, j) => j % D)); // how many numbers each unit sees
  const needed = [Array.from({ length: D }, (_, d) => d + 1), ...widths]; // how many one has to see to take from a unit
  const body = widths.map((seen, i) => maskedLayer(needed[i]!, seen, rng.fork(`layer ${i}`)));
  const ends = Array.from({ length: D * outputs }, (_, o) => Math.floor(o / outputs));
  const last = maskedLayer(needed.at(-1)!, ends, rng.fork('last'));
  const enter = C > 0 ? uniformWeight([C, hidden[0]!], 1 / Math.sqrt(C + D), rng.fork('context')) : undefined;
  if (start === 'zero') for (const variable of last.variables) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
  return {
    variables: [...body.flatMap(({ variables }) => variables), ...(enter ? [enter] : []), ...last.variables],
    apply: (x, context) =>
      tf.tidy(() => {
        let h = body.reduce((before, layer, i) => {
          const sum = layer.apply(before);
          return gelu(i === 0 && enter && context ? sum.add(context.matMul(enter)) : sum);
        }, x);
        h = last.apply(h);
        return h.reshape([-1, D, outputs]);
      }),
  };
}

/** x (W ⊙ mask) + b, with mask 1 where a unit sees as much as is needed. */
function maskedLayer(needed: readonly number[], seen: readonly number[], rng: Rng) {
  const bound = 1 / Math.sqrt(needed.length);
  const b = uniformWeight([seen.length], bound, rng.fork('bias'));
  const values = needed.map((need) => seen.map((sees) => Number(sees >= need)));
  if (!values.flat().includes(1))
    // nothing may be seen, as by a single number: then there is no W, which nothing could train
    return { variables: [b], apply: (x: tf.Tensor) => tf.zeros([x.shape[0]!, seen.length]).add(b) };
  const w = uniformWeight([needed.length, seen.length], bound, rng.fork('weight'));
  const mask = () => tf.tensor2d(values);
  return { variables: [w, b], apply: (x: tf.Tensor) => x.matMul(w.mul(mask())).add(b) };
}
