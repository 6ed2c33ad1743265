/**
 * Masked diffusion:  coordinates are hidden one after the other, in an order that nobody chooses, and a network learns
 * to show them again: p(x) = (1/D!) Σ_σ Π_i p(x_{σ_i} | those shown before it).
 *
 * The encoder is fixed, and says at which time each coordinate is hidden; all that counts of the times is their order,
 * so that diffusion with an absorbing mask and autoregression in any order are one model, with one bound.
 * Sources: Austin et al., Structured denoising diffusion models in discrete state-spaces (2021); Uria, Murray and
 * Larochelle, A deep and tractable density estimator (2014); Hoogeboom et al., Autoregressive diffusion models (2022);
 * Sahoo et al., Simple and effective masked diffusion language models (2024).
 * Left out: telling the network the time, which it can count.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import { logLattice, oneHotValues } from '../core/distributions';
import type { Family, GenerativeModel, Rng, SampleOptions } from '../core/model';
import { categorical } from '../core/random';
import { eventRows, expectShape, sizeOf } from '../core/tensor';
import { exactAnyOrder, logProbEach, placesOf, randomOrders, type AnyOrder } from '../diffusion/orders';
import { stratifiedTimes } from '../diffusion/times';
import { conv2d, positions, residualStack } from '../networks/convolutions';
import { gelu, layerNorm, linear, sequential } from '../networks/dense';
import { thermometer } from '../sampling/ancestral';
import { loop, sampler, type Body, type EngineSampler } from '../sampling/sampler';

// 1 Family: p(x) is the mean over all orders of the chain rule's product, with one network for all factors

export interface MaskedDiffusionConfig {
  readonly eventShape: readonly number[];
  /** Each coordinate is an integer in 0 … values − 1. */
  readonly values: number;
  /** Of the picture, whatever the event's shape; a sequence is a picture of one row. */
  readonly columns: number;
  /** How a shown value enters: near values alike, or each by itself, as letters do. */
  readonly codes: 'thermometer' | 'one-hot';
  readonly channels: number;
  readonly blocks: number;
  readonly dropout: number;
  /** How many numbers of shown coordinates a bound on p(x) is estimated from. */
  readonly draws: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface MaskedSampleOptions extends SampleOptions {
  /** T ≤ D: passes, each of which shows D/T coordinates, drawn as if independent. Default: D, which is the model itself. */
  readonly steps?: number;
  /** [count, ...event]: examples to be completed. */
  readonly given?: tf.Tensor;
  /** [count, ...event] of 0 and 1: which coordinates of `given` are kept. */
  readonly known?: tf.Tensor;
}

export interface MaskedBoundOptions {
  /** Numbers of shown coordinates an example, spread evenly. Default: the configuration's. */
  readonly draws?: number;
  /** T: of the model that shows D/T coordinates at a time. Default: D. */
  readonly steps?: number;
}

export interface MaskedDiffusionModel extends GenerativeModel, AnyOrder {
  /** An unbiased estimate of E_σ Σ_i ln p(x_{σ_i} | before) ≤ ln p(x): [B, ...event] → [B] */
  bound(x: tf.Tensor, rng: Rng, options?: MaskedBoundOptions): tf.Tensor;
  /**
   * ln p(x | σ), in D passes, for the order in which coordinate d comes at place places[n, d]:
   * [B, ...event] and [B, D] → [B]
   */
  logProbInOrder(x: tf.Tensor, places: tf.Tensor): tf.Tensor;
  readonly sample: EngineSampler<MaskedSampleOptions>;
}

// 2 Network h: shown values and a channel that says which are shown, residual convolutions, V logits a coordinate

function anyOrder(config: MaskedDiffusionConfig, rng: Rng) {
  const { eventShape, values: V, columns, channels, blocks, dropout: rate, codes } = config;
  const D = sizeOf(eventShape);
  if (D % columns !== 0) throw new Error(`maskedDiffusion: ${D} pixels do not fill rows of ${columns} columns`);
  const [height, width] = [D / columns, columns];
  const code = codes === 'one-hot' ? oneHotValues : thermometer;
  const inputs = (codes === 'one-hot' ? V : V - 1) + 1;
  const network = sequential(
    conv2d({ inputs, outputs: channels }, rng.fork('enter')),
    positions([height, width, channels], rng.fork('positions')),
    residualStack({ channels, blocks, rate }, rng.fork('stack')),
    layerNorm(channels),
    gelu,
    linear(channels, V, rng.fork('last')),
    positions([height, width, V], rng.fork('pixels')),
  );
  const logits = (x: tf.Tensor, visible: tf.Tensor, noise?: Rng) =>
    tf.tidy(() => {
      const { B } = expectShape('maskedDiffusion: x', x, ['B', D]);
      expectShape('maskedDiffusion: visible', visible, ['B', D], { B: B! });
      const shown = visible.expandDims(2);
      const seen = tf.concat([code(x.mul(visible), V).mul(shown), shown], 2);
      return network.apply(seen.reshape([-1, height, width, inputs]), noise).reshape([-1, D, V]);
    });
  return { variables: network.variables, logits };
}

function createMaskedDiffusion(config: MaskedDiffusionConfig, rng: Rng): MaskedDiffusionModel {
  const { eventShape, draws: K } = config;
  requireCounts('maskedDiffusion', { draws: K });
  const { variables, logits } = anyOrder(config, rng);
  const D = sizeOf(eventShape);
  const rowsOf = (x: tf.Tensor) => eventRows('maskedDiffusion: x', x, eventShape);
  const parts: Parts = { eventShape, logits, D };
  const bound = (x: tf.Tensor, noise: Rng, { draws = K, steps = D }: MaskedBoundOptions = {}) =>
    tf.tidy(() => {
      checkSteps(steps, D);
      requireCounts('maskedDiffusion', { draws });
      const [rows, repeated] = [rowsOf(x), tf.tile(rowsOf(x), [draws, 1])];
      const terms = boundTerms(parts, repeated, { rng: noise, steps }).reshape([draws, -1]);
      return terms.mean(0).add(logLattice(rows, config.values)); // prettier-ignore
    });
  const inOrder = ordered(parts);

  return {
    eventShape,
    logits,
    bound,
    logProbInOrder: (x, places) => tf.tidy(() => inOrder(rowsOf(x), places).add(logLattice(rowsOf(x), config.values))),

    // 3 Objective: the negative bound. A number n of shown coordinates, which n, and the mean loss of the rest, times D
    objectives: [
      {
        name: 'negative bound',
        estimates: config.dropout > 0 ? 'other' : 'bound',
        variables,
        loss: ({ x }, noise) =>
          tf.tidy(() => boundTerms(parts, rowsOf(x), { rng: noise, steps: D, dropout: noise.fork('dropout') }).mean().neg()), // prettier-ignore
      },
    ],

    // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`: the loss is of a random n
    // 5 Training: `fit` (training/fit.ts) with patience

    // 6 Likelihood of new inputs: a lower bound. Its estimate is no ln w with E w = p(x); that of a whole order is one
    likelihood: {
      kind: 'lower-bound',
      logProb: (x, noise) => bound(x, noise),
      logWeights: (x, draws, noise) =>
        tf.tidy(() => {
          const rows = rowsOf(x);
          const places = randomOrders(draws * rows.shape[0]!, D, noise.fork('orders'));
          return inOrder(tf.tile(rows, [draws, 1]), places).reshape([draws, -1]).add(logLattice(rows, config.values)); // prettier-ignore
        }),
    },

    // 7 Sampling: coordinates are shown in a random order, one or several in a pass
    sample: maskedSampler(parts),
  };
}

interface Parts extends AnyOrder {
  readonly D: number;
  logits(x: tf.Tensor, visible: tf.Tensor, noise?: Rng): tf.Tensor;
}

interface BoundDraw {
  readonly rng: Rng;
  readonly steps: number;
  readonly dropout?: Rng;
}

/**
 * For each row j of x [B, D], a pass of the T in turn, spread evenly over the rows: n = ⌊j D / T⌋ coordinates are shown,
 * and of the others, which are as likely to be next, g = ⌊(j + 1) D / T⌋ − n are: T g / (D − n) Σ_hidden ln p. [B]
 */
function boundTerms({ D, logits }: Parts, x: tf.Tensor, { rng, steps, dropout }: BoundDraw): tf.Tensor {
  const B = x.shape[0]!;
  const step = stratifiedTimes(B, rng.fork('steps')).mul(steps).floor().minimum(steps - 1); // prettier-ignore
  const shown = shownAt(step, steps, D);
  const group = shownAt(step.add(1), steps, D).sub(shown);
  const visible = randomOrders(B, D, rng.fork('orders')).less(shown.expandDims(1)).toFloat();
  const each = logProbEach({ eventShape: [D], logits: (a, b) => logits(a, b, dropout) }, x, visible); // [B, D]
  const hidden = each.mul(tf.sub(1, visible)).sum(1);
  return hidden.mul(group).mul(steps).div(tf.sub(D, shown)); // prettier-ignore
}

/** ⌊j D / T⌋: how many are shown before step j. The fraction is at least 1/T away from the next integer, or none. */
const shownAt = (j: tf.Tensor, steps: number | tf.Tensor, D: number): tf.Tensor =>
  j.toFloat().mul(D).div(steps).add(1e-3).floor();

/** ln p(x | σ) of rows [B, D] in the orders that `places` [B, D] are of: [B]. */
function ordered(parts: Parts): (x: tf.Tensor, places: tf.Tensor) => tf.Tensor {
  const advance: Body = ([total], t, _, [x, places]) => {
    const each = logProbEach(parts, x!, places!.less(t).toFloat());
    return [total!.add(each.mul(places!.equal(t).toFloat()).sum(1))];
  };
  const run = loop(advance);
  return (x, places) => {
    const { B } = expectShape('maskedDiffusion: x', x, ['B', parts.D]);
    expectShape('maskedDiffusion: places', places, ['B', parts.D], { B: B! });
    return run([tf.zeros([B!])], parts.D, NO_NOISE, [x, places])[0]!;
  };
}

/** For a loop that draws nothing. */
const NO_NOISE: Rng = {
  fork: () => NO_NOISE,
  normal: () => { throw new Error('maskedDiffusion: an order that is given leaves nothing to draw'); }, // prettier-ignore
  uniform: () => { throw new Error('maskedDiffusion: an order that is given leaves nothing to draw'); }, // prettier-ignore
};

function maskedSampler(parts: Parts): EngineSampler<MaskedSampleOptions> {
  const { D, eventShape, logits } = parts;
  const advance: Body = ([x], t, rng, [places, known, steps]) => {
    const [from, to] = [shownAt(t, steps!, D), shownAt(t.add(1), steps!, D)];
    const shown = places!.less(from).logicalOr(known!.cast('bool'));
    const drawn = categorical(logits(x!, shown.toFloat()), rng).toFloat(); // [B, D]
    return [tf.where(places!.less(to).logicalAnd(shown.logicalNot()), drawn, x!)];
  };
  const loops = { auto: loop(advance), eager: loop(advance, { engine: 'eager' }) };
  return sampler<MaskedSampleOptions>(
    'maskedDiffusion',
    ({ count, rng, steps = D, given, known, engine }) => {
      if ((given === undefined) !== (known === undefined))
        throw new Error('maskedDiffusion.sample: given and known come together: examples, and which of their coordinates to keep'); // prettier-ignore
      const kept = known?.toFloat().reshape([count, D]) ?? tf.zeros([count, D]);
      const start = given?.toFloat().reshape([count, D]).mul(kept) ?? tf.zeros([count, D]);
      const places = placesOf(rng.fork('orders').uniform([count, D]).sub(kept.mul(2))); // what is known comes first
      return loops[engine]([start], steps, rng.fork('values'), [places, kept, tf.scalar(steps)])[0]!.reshape([count, ...eventShape]); // prettier-ignore
    },
    {
      loops,
      takes: {
        steps: (steps) => checkSteps(steps, D),
        given: (given, { count }) => void expectShape('maskedDiffusion: given', given, [count, ...eventShape]),
        known: (known, { count }) => void expectShape('maskedDiffusion: known', known, [count, ...eventShape]),
      },
    },
  );
}

function checkSteps(steps: number, D: number): void {
  if (!Number.isInteger(steps) || steps < 1 || steps > D)
    throw new Error(`maskedDiffusion: steps must be an integer from 1 to ${D}, the coordinates, got ${steps}`);
}

export interface MaskedDiffusionFamily extends Family<MaskedDiffusionConfig> {
  create(config: Readonly<MaskedDiffusionConfig>, rng: Rng): MaskedDiffusionModel;
}

const defaults: MaskedDiffusionConfig = {
  eventShape: [64],
  values: 17,
  columns: 8,
  codes: 'thermometer',
  channels: 32,
  blocks: 4,
  dropout: 0.1,
  draws: 4, // an evaluation an epoch should cost less than the epoch
  learningRate: 0.003,
  batchSize: 50,
};

/** Residual convolutions that see any part of a picture, and guess the rest. */
export const maskedDiffusion: MaskedDiffusionFamily = {
  name: 'masked-diffusion',
  reference: 'Hoogeboom et al., Autoregressive diffusion models (2022)',
  card: {
    title: 'Masked diffusion',
    forward: 'O(B × weights × D), one pass, of a random part of the picture',
    inference: 'a bound from a few passes; ln p(x | an order) in D passes; any part of x given any other',
    sampling: 'T ≤ D passes of the network, D/T coordinates each',
    objective: 'bound on the likelihood: the cross-entropy of what is hidden, weighted by 1 / the hidden share',
    network: 'any that sees a picture with holes: residual convolutions',
    representation: 'none that is made to be one: the latent is x with holes',
    row: {
      training: 'stable',
      likelihood: 'approximate',
      sampling: 'fast or slow',
      lossyCompression: false,
      losslessCompression: true,
      representation: false,
    },
  },
  defaults,
  grid: { channels: [24, 32, 48], blocks: [3, 4, 5], dropout: [0, 0.1, 0.2] },
  tiny: {
    config: { ...defaults, eventShape: [4], values: 3, columns: 2, channels: 4, blocks: 1, dropout: 0, draws: 2, learningRate: 0.01 }, // prettier-ignore
    support: { kind: 'discrete', values: [0, 1, 2] },
    exact: (model, x) => exactAnyOrder(model as MaskedDiffusionModel, x),
  },
  create: createMaskedDiffusion,
};
