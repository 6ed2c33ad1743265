/**
 * What models of the kind p(x) = Π_d p(x_d | x_{<d}) share: how values enter a network, and how they are drawn, one
 * after the other, each given those before it (ancestral sampling).
 */
import * as tf from '@tensorflow/tfjs';
import type { Stepped } from '../networks/causal';
import { oneHotValues } from '../core/distributions';
import type { Card, Family, GenerativeModel, Rng, SampleOptions } from '../core/model';
import { categorical, createRng } from '../core/random';
import { expectShape, sizeOf } from '../core/tensor';
import { compiled, loop, sampler, type Body, type Engine, type EngineSampler, type Loop } from './sampler';

export interface AutoregressiveModel extends GenerativeModel {
  /** Of p(x_d | x_{<d}) for every d, in one pass: [B, ...event] → [B, D, V]. */
  logits(x: tf.Tensor): tf.Tensor;
  readonly sample: EngineSampler<AncestralOptions>;
  /** As `sample`, and the same numbers, without memory: a whole pass for every value that is drawn. */
  readonly sampleByPasses: EngineSampler<AncestralOptions>;
}

export interface AutoregressiveFamily<Config extends object> extends Family<Config> {
  create(config: Readonly<Config>, rng: Rng): AutoregressiveModel;
}

export interface AncestralOptions extends SampleOptions {
  /** [count, n], the first n values of the event, in the order of its coordinates */
  readonly given?: tf.Tensor;
  /** τ > 0: each value is drawn in proportion to p(x_d | x_{<d})^(1/τ). Default: 1, the model itself */
  readonly temperature?: number;
}

/** What every member's configuration has. */
export interface AutoregressiveConfig {
  readonly eventShape: readonly number[];
  /** Each coordinate is an integer in 0 … values − 1. */
  readonly values: number;
  /** Numbers that stand for one step, or one pixel, within the network. */
  readonly width: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

/** What every member's card says. */
export const autoregressiveCard: Omit<Card, 'title' | 'forward' | 'sampling' | 'network'> = {
  inference: 'exact, one pass for all D factors; a query other than "what follows this prefix" is intractable',
  objective: 'exact log-likelihood, a cross-entropy for every position',
  representation: 'none that is made to be one: features of every prefix',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'slow',
    lossyCompression: false,
    losslessCompression: true,
    representation: false,
  },
};

/** x_{<d}'s last value at each d, 0 before the first: x [B, D] → [B, D]. */
export function previous(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const { B, D } = expectShape('previous: x', x, ['B', 'D']);
    return tf.concat([tf.zeros([B!, 1]), x.slice([0, 0], [B!, D! - 1])], 1);
  });
}

/**
 * 1 at each of 1 … V − 1 that the value reaches, else 0: [...] → [..., V − 1]. Near values get near codes, which
 * a one-hot code would leave to be learnt; a single number would make sharp distinctions hard.
 */
export function thermometer(x: tf.Tensor, values: number): tf.Tensor {
  return tf.tidy(() => x.expandDims(-1).greaterEqual(tf.range(1, values)).toFloat());
}

/** The logits y [B, V] of x_t, from the values before it in x [B, D], and the memory for the next step. */
export type StepLogits = (x: tf.Tensor, t: tf.Tensor, memory: readonly tf.Tensor[]) => Stepped;

/** What draws values in turn, for each engine. */
export type Loops = Readonly<Record<Engine, Loop>>;

export interface InTurn {
  readonly loops: Loops;
  /** @param memory before the first step @returns [count, D] */
  draw(memory: readonly tf.Tensor[], options: TurnOptions): tf.Tensor;
}

interface TurnOptions extends Pick<AncestralOptions, 'count' | 'rng' | 'given' | 'temperature'> {
  readonly engine: Engine;
}

/** Draws x_0, x_1, … x_{D−1} in turn. A value's noise belongs to its place, and is the same however many are given. */
export function inTurn(D: number, logitsAt: StepLogits): InTurn {
  const advance: Body = ([x, ...memory], t, rng, [n, temperature]) => {
    const { y, memory: next } = logitsAt(x!, t, memory);
    const drawn = categorical(y.div(temperature!), rng).toFloat().expandDims(1); // [B, 1]
    const here = tf.range(0, D, 1, 'int32').equal(t).logicalAnd(t.greaterEqual(n!)); // [D]
    return [tf.where(here, drawn, x!), ...next];
  };
  const loops = { auto: loop(advance), eager: loop(advance, { engine: 'eager' }) };
  return {
    loops,
    draw(memory, { count, rng, given, temperature = 1, engine }) {
      const n = given?.shape[1] ?? 0;
      const x = given ? given.toFloat().pad([[0, 0], [0, D - n]]) : tf.zeros([count, D]); // prettier-ignore
      return loops[engine]([x, ...memory], D, rng, [tf.scalar(n, 'int32'), tf.scalar(temperature)])[0]!;
    },
  };
}

/**
 * A sampler that draws values in turn.
 * @param start the memory before the first step, for B examples
 */
export function ancestral(
  eventShape: readonly number[],
  logitsAt: StepLogits,
  start: (B: number) => tf.Tensor[] = () => [],
): EngineSampler<AncestralOptions> {
  const D = sizeOf(eventShape);
  const { loops, draw } = inTurn(D, logitsAt);
  return sampler<AncestralOptions>(
    'autoregressive',
    (asked) => draw(start(asked.count), asked).reshape([asked.count, ...eventShape]),
    { loops, takes: { given: (given, { count }) => checkPrefix(given, count, D), temperature: checkTemperature } },
  );
}

function checkPrefix(given: tf.Tensor, count: number, D: number): void {
  const { n } = expectShape('autoregressive: given', given, [count, 'n']);
  if (n! > D) throw new Error(`autoregressive: given must be [${count}, n] with n ≤ ${D}, got n = ${n}`);
}

export function checkTemperature(temperature: number): void {
  if (!(temperature > 0)) throw new Error(`autoregressive: temperature must be > 0, got ${temperature}`);
}

/** −ln p(x_d | x_{<d}), in nats, for every d, in one compiled pass: x [B, ...event] → [B, D]. The caller owns it. */
export function natsPerValue(model: AutoregressiveModel, x: tf.Tensor): tf.Tensor {
  const pass = compiled(([batch]) => {
    const logits = model.logits(batch!); // [B, D, V]
    const [B, D, V] = logits.shape as [number, number, number];
    return [
      oneHotValues(batch!.reshape([B, D]), V)
        .mul(tf.logSoftmax(logits))
        .sum(2)
        .neg(),
    ];
  });
  return pass([x], createRng(0))[0]!;
}
