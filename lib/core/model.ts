/**
 * The contract between families, training, evaluation and the notebooks.
 *
 * Letters used throughout the library: B batch, N examples, D dimensions of one example, K components,
 * T steps or time, V values (vocabulary), C channels, H heads or height, W width, L latent dimensions.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Optimiser } from '../optimisers/optimisers';

/** Seeded noise; `fork` gives an independent stream, so adding one draw never shifts another. */
export interface Rng {
  fork(label: string): Rng;
  /** Independent N(0, 1) draws of the given shape. */
  normal(shape: readonly number[]): tf.Tensor;
  /** Independent U[0, 1) draws of the given shape. */
  uniform(shape: readonly number[]): tf.Tensor;
}

/** x [B, ...event], y [B] */
export interface Batch {
  readonly x: tf.Tensor;
  readonly y?: tf.Tensor;
}

/** What a family can say of new data, in nats per example. The kind travels with the number. */
export type Likelihood =
  | {
      readonly kind: 'exact' | 'lower-bound' | 'estimate';
      /** [B, ...event] → [B] */
      logProb(x: tf.Tensor, rng: Rng): tf.Tensor;
      /**
       * Of a lower bound ln w by one draw, with E w = p(x), or of an estimate of such a bound: ln w of several draws at
       * once, where that costs less than as many calls: [B, ...event] → [draws, B]
       */
      logWeights?(x: tf.Tensor, draws: number, rng: Rng): tf.Tensor;
    }
  | {
      readonly kind: 'unnormalised';
      /** log p(x) + log Z: [B, ...event] → [B] */
      negEnergy(x: tf.Tensor): tf.Tensor;
      /** log Z, a scalar [], of a model that is small enough to be summed. */
      logZ?(): tf.Tensor;
    }
  | { readonly kind: 'implicit' };

/** One quantity minimised over its own weights. Most families have one, a GAN has two. */
export interface Objective {
  readonly name: string;
  readonly variables: readonly tf.Variable[];
  /**
   * What the loss is, in expectation over its draws: 'nll', the mean of −ln p(x); 'bound', a number that is never below
   * it; 'other', anything else (p(x, y), a divergence, an adversary's score).
   */
  readonly estimates: 'nll' | 'bound' | 'other';
  /**
   * 'surrogate' says that the gradient is, on purpose, not the loss' slope: straight-through rounding (Bengio et al.,
   * 2013), contrastive divergence. Default: 'exact', which a law checks against finite differences.
   */
  readonly gradient?: 'exact' | 'surrogate';
  /** What minimises it. Default: the optimiser that `fit` is given. */
  readonly optimiser?: Optimiser;
  /**
   * n: it makes a step at the steps n, 2n, 3n, … of training, which count from 1 over all epochs, after the objectives
   * before it in the list. So a WGAN's generator moves after each fifth step of its critic (Arjovsky, Chintala and
   * Bottou, 2017, algorithm 1). An integer ≥ 1. Default: 1, at every step.
   */
  readonly every?: number;
  /**
   * What the loss remembers from each of its steps to the next: persistent chains, a replay buffer, a running mean.
   * float32, of fixed shapes; the values at creation are where it starts. The loss reads it and hands over what it is
   * to be after the step; only the trainer assigns to it. No gradient flows into it, and nothing but losses reads it:
   * it is part of a training (and of its checkpoint), not of the model that training makes.
   */
  readonly memory?: readonly tf.Variable[];
  /**
   * Nats per example, a scalar []. Pure: every random draw comes from `rng`, and what changes goes through `remember`.
   * @param remember takes the memory after the step: once, at every step of an objective that has a memory. Nobody
   * listens where the loss is only looked at, as on validation data.
   */
  loss(batch: Batch, rng: Rng, remember?: Remember): tf.Tensor;
}

/** Takes a new value for each variable of an objective's memory, in their order and of their shapes. */
export type Remember = (memory: readonly tf.Tensor[]) => void;

/** What every sampler can be asked. A family that takes more (a prefix, a temperature, labels) extends it. */
export interface SampleOptions {
  /** How many examples: an integer ≥ 1. */
  readonly count: number;
  readonly rng: Rng;
  /** 'eager' never compiles. Default: 'auto', compiled where it can be. */
  readonly engine?: 'auto' | 'eager';
}

/** Draws examples, [count, ...event], which the caller owns. `sampler` (sampling/sampler.ts) makes one. */
export interface Sampler<Options extends SampleOptions = SampleOptions> {
  (options: Options): tf.Tensor;
  /** What ran it last: "compiled for the cpu", or "eager on cpu: " and why. Every family says; a plain function need not. */
  engine?(): string;
}

/** Where a batch is mapped to, z [B, D], and ln |det ∂z/∂x| of each example, logDet [B]. */
export interface Latent extends tf.TensorContainerObject {
  readonly z: tf.Tensor;
  readonly logDet: tf.Tensor;
}

/** An invertible map of D coordinates. */
export interface Bijection {
  readonly variables: readonly tf.Variable[];
  /** 'integers': it maps integers onto integers, and logDet is 0, since nothing is stretched. Default: 'reals'. */
  readonly of?: 'reals' | 'integers';
  /** x [B, D] → z [B, D], logDet [B] */
  toLatent(x: tf.Tensor): Latent;
  /** z [B, D] → x [B, D] */
  toData(z: tf.Tensor): tf.Tensor;
}

export interface GenerativeModel {
  readonly eventShape: readonly number[];
  readonly likelihood: Likelihood;
  readonly objectives: readonly Objective[];
  readonly sample: Sampler;
  /** The map between data, flattened to [B, D], and latents that p(x) is made of, where there is one. */
  readonly bijection?: Bijection;
}

/** A model whose latent variable takes K values, and whose M-step has a closed form. */
export interface LatentModel extends GenerativeModel {
  /** K */
  readonly components: number;
  /** p(k | x): [B, ...event] → [B, K], rows sum to 1 */
  responsibilities(x: tf.Tensor): tf.Tensor;
  /** Responsibilities for the first M-step, different enough to tell the components apart: [N, ...event] → [N, K] */
  start(x: tf.Tensor, rng: Rng): tf.Tensor;
  /** Sets the weights to those that maximise the expected complete log-likelihood: x [N, ...event], r [N, K] */
  mStep(x: tf.Tensor, r: tf.Tensor): void;
}

/**
 * A model with many latent variables, whose M-step needs nothing but expected counts: how often each choice is made on
 * average under p(z | x), summed over the examples. It starts from its weights, which have to differ from unit to unit.
 */
export interface CountingModel extends GenerativeModel {
  /** E_z|x of every choice's count: x [N, ...event] → one tensor for every table of probabilities. Pure. */
  expectedCounts(x: tf.Tensor): tf.Tensor[];
  /** Sets the weights to those that maximise the expected complete log-likelihood. */
  maximise(counts: readonly tf.Tensor[]): void;
}

/**
 * The lecture's overview slide as data: what one forward pass, inference and sampling cost, what is
 * minimised, by which network, with which representation; and the family's row in the comparison table of
 * deep generative models (Tomczak, Deep Generative Modeling, Table 1.1).
 */
export interface Card {
  readonly title: string;
  /** Cost of the forward and backward pass, in the letters above. */
  readonly forward: string;
  readonly inference: string;
  readonly sampling: string;
  readonly objective: string;
  readonly network: string;
  readonly representation: string;
  readonly row: {
    readonly training: 'stable' | 'unstable';
    readonly likelihood: 'exact' | 'approximate' | 'unnormalised' | 'none';
    readonly sampling: 'fast' | 'slow' | 'fast or slow';
    readonly lossyCompression: boolean;
    readonly losslessCompression: boolean;
    readonly representation: boolean;
  };
}

/** Values one coordinate of an event can take: a finite list, or an interval that holds all but a negligible mass. */
export type Support =
  | { readonly kind: 'discrete'; readonly values: readonly number[] }
  | { readonly kind: 'continuous'; readonly low: number; readonly high: number };

/** A member of a family small enough to enumerate or integrate: the laws run on it. */
export interface Tiny<Config extends object> {
  readonly config: Readonly<Config>;
  readonly support: Support;
  /** C, where a batch has labels y [B], int32 in 0 … C − 1. Default: none. */
  readonly labels?: number;
  /** ln p(x) by brute force, [B, ...event] → [B], of a member whose likelihood is a bound: what the bound is held to. */
  exact?(model: GenerativeModel, x: tf.Tensor): tf.Tensor;
  /** Samples of what an implicit member ought to draw, [count, ...event], by another way than its own. */
  truth?(model: GenerativeModel, count: number, rng: Rng): tf.Tensor;
}

/** A named constructor with its defaults: all that the trainer, the notebooks and the tests need. */
export interface Family<Config extends object> {
  readonly name: string;
  readonly reference: string;
  readonly card: Card;
  readonly defaults: Readonly<Config>;
  /** Hyperparameters worth sweeping, each with the values to try. */
  readonly grid: { readonly [Key in keyof Config]?: readonly Config[Key][] };
  readonly tiny: Tiny<Config>;
  create(config: Readonly<Config>, rng: Rng): GenerativeModel;
}
