/**
 * Integer discrete flows:  p(x) = p(z)  with  z = f(x),  for a bijection f of ℤ^D onto itself.
 *
 * A bijection of a discrete set only renames its points, so no Jacobian is needed, and integers need no noise to be made
 * real. f is a chain of additive steps, x_b + round(t(x_a)); p(z) is a product of mixtures of discretised logistics.
 * Sources: Hoogeboom, Peters, van den Berg and Welling, Integer Discrete Flows (2019); Tomczak, General Invertible
 * Transformations for Flow-based Generative Modeling (2021); Bengio, Léonard and Courville (2013) for straight-through
 * gradients; Salimans et al., PixelCNN++ (2017) for mixtures of discretised logistics.
 * Left out: factoring half of the latents out after each level, with a prior that sees the rest (a multi-scale IDF).
 *
 * Integers are exact in float32 up to 2²⁴, and so are the half-integers of the prior up to 2²³ = 8,388,608. A
 * translation is rounded from a float32 sum: where the sum lies within its rounding error of a half-integer, another
 * machine, or another batch size, may round it the other way. A coder has to run both ways on the same program.
 */
import * as tf from '@tensorflow/tfjs';
import { integerSteps, type IntegerStep } from '../bijections/integer';
import { requireCounts } from '../core/counts';
import { logDiscretisedLogistic, logIntegers, oneHotValues } from '../core/distributions';
import type { Bijection, Card, Family, GenerativeModel, Rng } from '../core/model';
import { negativeLogLikelihood } from '../core/objective';
import { categorical } from '../core/random';
import { detach, eventRows, expectShape, logSumExp, sizeOf } from '../core/tensor';
import { constantWeight, mlp } from '../networks/dense';
import { sampler } from '../sampling/sampler';

// 1 Family: integers, moved by integers (`integerSteps`), and a distribution over ℤ

export interface IntegerFlowModel extends GenerativeModel {
  readonly steps: readonly IntegerStep[];
  readonly bijection: Bijection;
  /** Integers x [B, ...event] → integers z [B, D] */
  toLatent(x: tf.Tensor): tf.Tensor;
  /** Integers z [B, D] → integers x [B, ...event] */
  toData(z: tf.Tensor): tf.Tensor;
  /** ln p(z_d) of each coordinate: [B, D] → [B, D] */
  logPrior(z: tf.Tensor): tf.Tensor;
  /** x [B, ...event] → z and ln p(x) with the gradients that training has: straight through all roundings. */
  inTraining(x: tf.Tensor): IntegersInTraining;
}

export interface IntegersInTraining extends tf.TensorContainerObject {
  /** [B, D] */
  readonly z: tf.Tensor;
  /** [B] */
  readonly logProb: tf.Tensor;
}

export interface IntegerFlowConfig {
  readonly eventShape: readonly number[];
  /** Coordinates in a row of the picture: neighbours are dealt into different groups. */
  readonly width: number;
  /**
   * In a round each group of coordinates in turn is moved by all others. 2 groups are a pair of couplings (IDF), more
   * are a general invertible transformation.
   */
  readonly groups: number;
  readonly rounds: number;
  /** Hidden units of each layer of a translation's network. */
  readonly hidden: readonly number[];
  /** Logistics in the prior of each coordinate. */
  readonly components: number;
  /** Where data lie, roughly: the prior starts spread over it, and networks measure integers by it. No bounds. */
  readonly low: number;
  readonly high: number;
  /**
   * What goes backwards from ln p(z), straight through all roundings: its derivative at the integer z, or the
   * difference to the neighbour that z would have been rounded to next.
   */
  readonly slope: 'derivative' | 'difference';
  /** How many times as far a step carries the prior's weights as the networks'. */
  readonly travel: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

function createIntegerFlow(config: IntegerFlowConfig, rng: Rng): IntegerFlowModel {
  const { eventShape, low, high } = config;
  const D = sizeOf(eventShape);

  // 2 Network h: an MLP for every step, which sees all coordinates but those it moves; and the prior's table of weights

  const steps = masksOf(config).map((mask, i): IntegerStep => {
    const network = mlp([D, ...config.hidden, D], rng.fork(`step ${i}`));
    // the last layer's weights are 0 at first, so that f is the identity (Kingma and Dhariwal, Glow, 2018)
    for (const variable of network.variables.slice(-2)) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
    const scaled = (x: tf.Tensor) => x.sub((low + high) / 2).div((high - low) / 2);
    return {
      mask,
      translation: { variables: network.variables, apply: (x) => tf.tidy(() => network.apply(scaled(x))) },
    };
  });
  const prior = logisticMixture(D, config);
  const bijection = integerSteps(steps);

  const flat = (x: tf.Tensor) => eventRows('integerFlow: x', x, eventShape); // [B, D]
  const toLatent = (x: tf.Tensor) => tf.tidy(() => bijection.toLatent(flat(x)).z);
  const toData = (z: tf.Tensor) => {
    expectShape('integerFlow: z', z, ['B', D]);
    return tf.tidy(() => bijection.toData(z).reshape([-1, ...eventShape]));
  };
  const logProb = (x: tf.Tensor) => tf.tidy(() => prior.each(toLatent(x)).sum(1).add(logIntegers(x)));

  /** ln p(z_d), whose gradient with respect to z is a difference of neighbours: [B, D] */
  const withDifferences = (z: tf.Tensor, side: tf.Tensor) => {
    const fixed = detach(z);
    const here = prior.each(fixed);
    const slope = detach(prior.each(fixed.add(side)).sub(here).mul(side));
    return here.add(z.sub(fixed).mul(slope));
  };
  const inTraining = (x: tf.Tensor): IntegersInTraining =>
    tf.tidy(() => {
      const { z, side } = bijection.rounded(flat(x));
      const each = config.slope === 'difference' ? withDifferences(z, side) : prior.each(z);
      return { z: z.clone(), logProb: each.sum(1).add(logIntegers(x)) };
    });
  const variables = [...bijection.variables, ...prior.variables];
  return {
    eventShape,
    steps,
    bijection,
    toLatent,
    toData,
    logPrior: (z) => tf.tidy(() => prior.each(z)),
    inTraining,

    // 3 Objective: the mean negative log-likelihood. As far as the networks are concerned its slope is 0 almost
    // everywhere; what goes backwards instead goes straight through the roundings

    objectives: [{ ...negativeLogLikelihood(variables, (x) => inTraining(x).logProb), gradient: 'surrogate' }],

    // 4 Optimiser: AdamW (`learningRate`) with little weight decay: more pulls the translations back to 0
    // 5 Training: `fit` (training/fit.ts), best with a moving average of the weights (`ema`)

    // 6 Likelihood of new inputs: exact

    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: integers from the prior, then all steps undone, the last one first

    sample: sampler('integerFlow', ({ count, rng: noise }) => toData(prior.sample(count, noise))),
  };
}

/** Of every step the coordinates it moves, [D] of 0 and 1: in round r, row i and column j, group ((r + 1) i + j) mod groups. */
function masksOf({ eventShape, width, groups, rounds }: IntegerFlowConfig): number[][] {
  const D = sizeOf(eventShape);
  if (!Number.isInteger(groups) || groups < 2 || groups > width)
    throw new Error(`integerFlow: groups must be an integer of 2 … ${width}, the width of a row, got ${groups}`);
  return Array.from({ length: rounds * groups }, (_, step) => {
    const [r, g] = [Math.floor(step / groups), step % groups];
    const groupOf = (d: number) => ((r + 1) * Math.floor(d / width) + (d % width)) % groups;
    return Array.from({ length: D }, (_, d) => (groupOf(d) === g ? 1 : 0));
  });
}

interface Prior {
  readonly variables: readonly tf.Variable[];
  each(z: tf.Tensor): tf.Tensor; // [B, D] → [B, D]
  sample(count: number, rng: Rng): tf.Tensor; // [count, D]
}

/** Each coordinate by itself: Σ_k π_dk Logistic(z_d; mu_dk, s_dk), discretised. */
function logisticMixture(D: number, { components: K, low, high, travel }: IntegerFlowConfig): Prior {
  requireCounts('integerFlow', { components: K });
  const starts = [
    () => 0,
    (k: number) => (K === 1 ? (low + high) / 2 : low + (k * (high - low)) / (K - 1)),
    () => Math.log((high - low) / (2 * K)), // neighbours overlap
  ].map((start) => Array.from({ length: K }, (_, k) => start(k)));
  const variables = starts.map(() => constantWeight([D, K], 0)); // how far each has moved from its start
  const [logits, mu, logScale] = variables.map((moved, i) => () => moved.mul(travel).add(starts[i]!)) as [Table, Table, Table]; // prettier-ignore
  return {
    variables,
    each: (z) =>
      tf.tidy(() => {
        expectShape('integerFlow: z', z, ['B', D]);
        const each = logDiscretisedLogistic(z.expandDims(2), mu(), logScale()); // [B, D, K]
        return logSumExp(each.add(tf.logSoftmax(logits())), 2);
      }),
    sample: (count, rng) =>
      tf.tidy(() => {
        const k = categorical(logits().expandDims(0).tile([count, 1, 1]), rng.fork('component')); // [count, D]
        const own = (table: tf.Tensor) => oneHotValues(k, K).mul(table).sum(2); // [count, D]
        const u = rng
          .fork('u')
          .uniform([count, D])
          .maximum(2 ** -25); // ln 0 would be −∞
        const logistic = u.log().sub(tf.sub(1, u).log());
        return logistic.mul(own(logScale().exp())).add(own(mu())).round();
      }),
  };
}

type Table = () => tf.Tensor; // [D, K]

const card: Card = {
  title: 'Integer discrete flow',
  forward: 'O(B × weights): every step’s network once; no Jacobian',
  inference: 'the same: z = f(x), and x = f⁻¹(z) without loss',
  sampling: 'the same, for any number of examples at once: z from the prior, then the steps undone',
  objective: 'exact log-likelihood; gradients straight through the roundings, which are biased',
  network: 'one for every step, without restriction: it is never inverted',
  representation: 'integers z, as many as x has, without loss',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'fast',
    lossyCompression: false,
    losslessCompression: true,
    representation: true,
  },
};

/** Additive integer steps under a product of discretised logistic mixtures. */
export const integerFlow: IntegerFlowFamily = {
  name: 'integer-flow',
  reference: 'Hoogeboom et al., Integer Discrete Flows and Lossless Compression (2019)',
  card,
  defaults: {
    eventShape: [64],
    width: 8,
    groups: 2,
    rounds: 1, // more overfit the digits, and train worse: each passes its gradient through the roundings of the next
    hidden: [128],
    components: 5,
    low: 0,
    high: 16,
    slope: 'difference',
    travel: 10, // the prior's weights have some units to go, the networks' some tenths
    learningRate: 0.001,
    batchSize: 64,
  },
  grid: { groups: [2, 4, 8], rounds: [1, 2], components: [1, 3, 5], slope: ['derivative', 'difference'] },
  tiny: {
    config: {
      eventShape: [2],
      width: 2,
      groups: 2,
      rounds: 1,
      hidden: [3],
      components: 2,
      low: -2,
      high: 2,
      slope: 'difference',
      travel: 1,
      learningRate: 0.01,
      batchSize: 50,
    },
    support: { kind: 'discrete', values: Array.from({ length: 221 }, (_, i) => i - 110) },
  },
  create: createIntegerFlow,
};

/** A family whose models also map data to latents and back. */
export interface IntegerFlowFamily extends Family<IntegerFlowConfig> {
  create(config: Readonly<IntegerFlowConfig>, rng: Rng): IntegerFlowModel;
}
