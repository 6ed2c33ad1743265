/**
 * What an integer flow's density is made of: integer steps, a mixture of discretised logistics for each coordinate of
 * their outcome, and gradients that go straight through the roundings. (The families on it: integer-flow.ts, hybrid.ts.)
 * Sources: Hoogeboom, Peters, van den Berg and Welling, Integer Discrete Flows (2019); Bengio, Léonard and Courville
 * (2013) for straight-through gradients; Salimans et al., PixelCNN++ (2017) for mixtures of discretised logistics.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import { logDiscretisedLogistic, logIntegers, oneHotValues } from '../core/distributions';
import type { Rng } from '../core/model';
import { categorical } from '../core/random';
import { detach, eventRows, expectShape, logSumExp, sizeOf } from '../core/tensor';
import { constantWeight, mlp } from '../networks/dense';
import { integerSteps, type IntegerBijection, type IntegerStep } from './integer';

export interface LatticeFlowOptions {
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
}

/** Integers as training sees them: their latents, and ln p(x). */
export interface IntegersInTraining extends tf.TensorContainerObject {
  /** [B, D] */
  readonly z: tf.Tensor;
  /** [B] */
  readonly logProb: tf.Tensor;
}

/** p(x) = p(z) with z = f(x), on the integers. */
export interface LatticeFlow {
  readonly steps: readonly IntegerStep[];
  readonly bijection: IntegerBijection;
  /** Of the steps, and of the prior. */
  readonly variables: readonly tf.Variable[];
  /** Integers x [B, ...event] → integers z [B, D] */
  toLatent(x: tf.Tensor): tf.Tensor;
  /** Integers z [B, D] → integers x [B, ...event] */
  toData(z: tf.Tensor): tf.Tensor;
  /** ln p(z_d) of each coordinate: [B, D] → [B, D] */
  logPrior(z: tf.Tensor): tf.Tensor;
  /** ln p(x), −∞ off the lattice: [B, ...event] → [B] */
  logProb(x: tf.Tensor): tf.Tensor;
  /** x [B, ...event] → z and ln p(x) with the gradients that training has: straight through all roundings. */
  inTraining(x: tf.Tensor): IntegersInTraining;
  /** [count, ...event] */
  draw(count: number, rng: Rng): tf.Tensor;
}

/** An MLP for every step, which sees all coordinates but those it moves; and the prior's table of weights. */
export function latticeFlow(options: LatticeFlowOptions, rng: Rng): LatticeFlow {
  const { eventShape } = options;
  const D = sizeOf(eventShape);
  const steps = masksOf(options).map((mask, i) => stepOf(options, mask, rng.fork(`step ${i}`)));
  const prior = logisticMixture(D, options);
  const bijection = integerSteps(steps);
  const flat = (x: tf.Tensor) => eventRows('integerFlow: x', x, eventShape); // [B, D]
  const toLatent = (x: tf.Tensor) => tf.tidy(() => bijection.toLatent(flat(x)).z);
  const toData = (z: tf.Tensor) => {
    expectShape('integerFlow: z', z, ['B', D]);
    return tf.tidy(() => bijection.toData(z).reshape([-1, ...eventShape]));
  };
  /** ln p(z_d), whose gradient with respect to z is a difference of neighbours: [B, D] */
  const withDifferences = (z: tf.Tensor, side: tf.Tensor) => {
    const fixed = detach(z);
    const here = prior.each(fixed);
    const slope = detach(prior.each(fixed.add(side)).sub(here).mul(side));
    return here.add(z.sub(fixed).mul(slope));
  };
  return {
    ...{ steps, bijection, toLatent, toData, logPrior: (z) => tf.tidy(() => prior.each(z)) },
    variables: [...bijection.variables, ...prior.variables],
    logProb: (x) => tf.tidy(() => prior.each(toLatent(x)).sum(1).add(logIntegers(x))),
    inTraining: (x) =>
      tf.tidy(() => {
        const { z, side } = bijection.rounded(flat(x));
        const each = options.slope === 'difference' ? withDifferences(z, side) : prior.each(z);
        return { z: z.clone(), logProb: each.sum(1).add(logIntegers(x)) };
      }),
    draw: (count, noise) => toData(prior.sample(count, noise)),
  };
}

function stepOf({ hidden, low, high }: LatticeFlowOptions, mask: readonly number[], rng: Rng): IntegerStep {
  const D = mask.length;
  const network = mlp([D, ...hidden, D], rng);
  // the last layer's weights are 0 at first, so that f is the identity (Kingma and Dhariwal, Glow, 2018)
  for (const variable of network.variables.slice(-2)) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
  const scaled = (x: tf.Tensor) => x.sub((low + high) / 2).div((high - low) / 2);
  return {
    mask,
    translation: { variables: network.variables, apply: (x) => tf.tidy(() => network.apply(scaled(x))) },
  };
}

/** Of every step the coordinates it moves, [D] of 0 and 1: in round r, row i and column j, group ((r + 1) i + j) mod groups. */
function masksOf({ eventShape, width, groups, rounds }: LatticeFlowOptions): number[][] {
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
function logisticMixture(D: number, { components: K, low, high, travel }: LatticeFlowOptions): Prior {
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
