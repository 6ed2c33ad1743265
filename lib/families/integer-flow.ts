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
import { oneHotValues } from '../distributions';
import type { Card, Family, GenerativeModel, Rng } from '../model';
import { constantWeight, mlp, randomWeight, type Network } from '../networks';
import { categorical, permutation } from '../random';
import { expectShape, logSumExp, sumEvent, withoutGradient } from '../tensor';

// 1 Family: integers, moved by integers, and a distribution over ℤ

/** The nearest integer, halves to even; backwards the identity (straight through), since the true slope is 0. */
export function roundThrough(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((v) => ({ value: (v as tf.Tensor).round(), gradFunc: (dy) => dy }))(x);
}

/**
 * ln [σ((x + ½ − mu) / s) − σ((x − ½ − mu) / s)], elementwise, with s = exp logScale: the mass of a logistic between
 * x − ½ and x + ½. Over all integers it sums to 1; nothing is clipped.
 *
 * Computed as ln σ(b) + ln σ(−a) + ln(1 − e^(a − b)), the same number: σ(b) − σ(a) would be 0 far out in the tails.
 */
export function logDiscretisedLogistic(x: tf.Tensor, mu: tf.Tensor, logScale: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const sharpness = logScale.neg().exp(); // 1 / s
    const above = x.sub(mu).add(0.5).mul(sharpness);
    const below = x.sub(mu).sub(0.5).mul(sharpness);
    const width = sharpness.neg().expm1().neg().log(); // ln(1 − e^(−1/s))
    return width.sub(above.neg().softplus()).sub(below.softplus());
  });
}

/** 0 where every coordinate is an integer, else −∞: [B, D] → [B]. Off the lattice there is no mass. */
function logIntegers(x: tf.Tensor): tf.Tensor {
  return withoutGradient(x, (value) => {
    const all = value.equal(value.round()).all(1);
    return tf.where(all, tf.zeros([x.shape[0]!]), tf.fill([x.shape[0]!], -Infinity));
  });
}

/**
 * One bijection of ℤ^D: the coordinates where the mask is 1 are moved by what the others say.
 *   z = x + mask · round(t((1 − mask) · x)),   x = z − mask · round(t((1 − mask) · z))
 */
export interface IntegerStep {
  /** [D] of 0 and 1 */
  readonly mask: tf.Tensor;
  /** t: [B, D] → [B, D] */
  readonly translation: Network;
}

const translationOf = ({ mask, translation }: IntegerStep, x: tf.Tensor) =>
  roundThrough(translation.apply(x.mul(tf.sub(1, mask)))).mul(mask);

export interface IntegerFlowModel extends GenerativeModel {
  readonly steps: readonly IntegerStep[];
  /** Integers x [B, ...event] → integers z [B, D] */
  toLatent(x: tf.Tensor): tf.Tensor;
  /** Integers z [B, D] → integers x [B, ...event] */
  toData(z: tf.Tensor): tf.Tensor;
  /** ln p(z): [B, D] → [B] */
  logPrior(z: tf.Tensor): tf.Tensor;
}

export interface IntegerFlowConfig {
  readonly eventShape: readonly number[];
  /**
   * Into how many groups the coordinates are dealt. In a round each group in turn is moved by all others: 2 makes pairs
   * of couplings (IDF), more is the general invertible transformation.
   */
  readonly groups: number;
  readonly rounds: number;
  /** Hidden units of each layer of a translation's network. */
  readonly hidden: readonly number[];
  /** Logistics in the prior of each coordinate. */
  readonly components: number;
  /** Where data lie, roughly: networks and prior measure integers from `mean` in units of `scale`. */
  readonly mean: number;
  readonly scale: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

function createIntegerFlow(config: IntegerFlowConfig, rng: Rng): IntegerFlowModel {
  const { eventShape, mean, scale } = config;
  const D = sizeOf(eventShape);

  // 2 Network h: an MLP for every step, which sees all coordinates but those it moves; and the prior's table of weights

  const steps = masksOf(config, rng.fork('groups')).map((mask, i): IntegerStep => {
    const network = mlp([D, ...config.hidden, D], rng.fork(`step ${i}`));
    const inUnits = (x: tf.Tensor) => tf.tidy(() => network.apply(x.sub(mean).div(scale)).mul(scale));
    return { mask, translation: { variables: network.variables, apply: inUnits } };
  });
  const prior = logisticMixture(D, config, rng.fork('prior'));

  const flat = (x: tf.Tensor) => {
    expectShape('integerFlow: x', x, ['B', ...eventShape]);
    return x.reshape([-1, D]);
  };
  const toLatent = (x: tf.Tensor) =>
    tf.tidy(() => steps.reduce((z, step) => z.add(translationOf(step, z)), flat(x).clone())); // prettier-ignore
  const toData = (z: tf.Tensor) =>
    tf.tidy(() => {
      expectShape('integerFlow: z', z, ['B', D]);
      const x = steps.reduceRight((h, step) => h.sub(translationOf(step, h)), z);
      return x.reshape([-1, ...eventShape]).clone();
    });
  const logProb = (x: tf.Tensor) => tf.tidy(() => prior.logProb(toLatent(x)).add(logIntegers(flat(x))));
  return {
    eventShape,
    steps,
    toLatent,
    toData,
    logPrior: prior.logProb,

    // 3 Objective: the mean negative log-likelihood. Its gradient goes straight through the roundings, so it is not the
    // loss' slope, which is 0 almost everywhere as far as the networks are concerned

    objectives: [
      {
        name: 'negative log-likelihood',
        variables: [...steps.flatMap(({ translation }) => translation.variables), ...prior.variables],
        gradient: 'surrogate',
        loss: ({ x }) => tf.tidy(() => logProb(x).mean().neg()),
      },
    ],

    // 4 Optimiser: AdamW (`learningRate`): the networks overfit a thousand pictures at once without weight decay
    // 5 Training: `fit` (training.ts), best with a moving average of the weights (`ema`)

    // 6 Likelihood of new inputs: exact

    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: integers from the prior, then all steps undone, the last one first

    sample: (count, noise) => tf.tidy(() => toData(prior.sample(count, noise))),
  };
}

/** Of every step the coordinates it moves, [D] of 0 and 1: each round deals them anew into groups of almost equal size. */
function masksOf({ eventShape, groups, rounds }: IntegerFlowConfig, rng: Rng): tf.Tensor[] {
  const D = sizeOf(eventShape);
  if (!Number.isInteger(groups) || groups < 2 || groups > D)
    throw new Error(`integerFlow: groups must be an integer of 2 … ${D}, the number of coordinates, got ${groups}`);
  return Array.from({ length: rounds }, (_, r) => permutation(D, rng.fork(`round ${r}`))).flatMap((order) =>
    Array.from({ length: groups }, (_, g) => {
      const mask = new Float32Array(D);
      order.forEach((d, place) => (mask[d] = place % groups === g ? 1 : 0));
      return tf.tensor1d(mask);
    }),
  );
}

interface Prior {
  readonly variables: readonly tf.Variable[];
  logProb(z: tf.Tensor): tf.Tensor; // [B, D] → [B]
  sample(count: number, rng: Rng): tf.Tensor; // [count, D]
}

/** Π_d Σ_k π_dk Logistic(z_d; mu_dk, s_dk), discretised. */
function logisticMixture(D: number, { components: K, mean, scale }: IntegerFlowConfig, rng: Rng): Prior {
  const logits = constantWeight([D, K], 0);
  const centre = randomWeight([D, K], rng.fork('centre')); // in units of `scale` from `mean`
  const spread = constantWeight([D, K], K === 1 ? 0 : -1); // ln of s in the same units: narrower where several share
  const mu = () => centre.mul(scale).add(mean);
  const logScale = () => spread.add(Math.log(scale));
  return {
    variables: [logits, centre, spread],
    logProb: (z) =>
      tf.tidy(() => {
        expectShape('integerFlow: z', z, ['B', D]);
        const each = logDiscretisedLogistic(z.expandDims(2), mu(), logScale()); // [B, D, K]
        return sumEvent(logSumExp(each.add(tf.logSoftmax(logits)), 2));
      }),
    sample: (count, rng) =>
      tf.tidy(() => {
        const k = categorical(logits.expandDims(0).tile([count, 1, 1]), rng.fork('component')); // [count, D]
        const chosen = oneHotValues(k, K); // [count, D, K]
        const u = rng.fork('u').uniform([count, D]).maximum(2 ** -25); // ln 0 would be −∞
        const logistic = u.log().sub(tf.sub(1, u).log()); // [count, D]
        const own = (table: tf.Tensor) => chosen.mul(table).sum(2);
        return logistic.mul(own(logScale().exp())).add(own(mu())).round();
      }),
  };
}

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
    groups: 2,
    rounds: 2,
    hidden: [256, 256],
    components: 5,
    mean: 8,
    scale: 5, // about the spread of the digits' pixels
    learningRate: 0.001,
    batchSize: 64,
  },
  grid: { groups: [2, 4, 8], rounds: [1, 2, 4], components: [1, 3, 5] },
  tiny: {
    config: {
      eventShape: [2],
      groups: 2,
      rounds: 1,
      hidden: [3],
      components: 2,
      mean: 0,
      scale: 1,
      learningRate: 0.01,
      batchSize: 50,
    },
    // at least 1 − 10⁻⁶ of the mass
    support: { kind: 'discrete', values: Array.from({ length: 221 }, (_, i) => i - 110) },
  },
  create: createIntegerFlow,
};

/** A family whose models also map data to latents and back. */
export interface IntegerFlowFamily extends Family<IntegerFlowConfig> {
  create(config: Readonly<IntegerFlowConfig>, rng: Rng): IntegerFlowModel;
}

function sizeOf(eventShape: readonly number[]): number {
  return eventShape.reduce((size, n) => size * n, 1);
}
