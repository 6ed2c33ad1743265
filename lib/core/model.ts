/**
 * The contract between families, training, evaluation and the notebooks.
 *
 * Letters used throughout the library: B batch, N examples, D dimensions of one example, K components,
 * T steps or time, V values (vocabulary), C channels, H heads or height, W width, L latent dimensions.
 */
import type * as tf from '@tensorflow/tfjs';

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
    }
  | {
      readonly kind: 'unnormalised';
      /** log p(x) + log Z: [B, ...event] → [B] */
      negEnergy(x: tf.Tensor): tf.Tensor;
    }
  | { readonly kind: 'implicit' };

/** One quantity minimised over its own weights. Most families have one, a GAN has two. */
export interface Objective {
  readonly name: string;
  readonly variables: readonly tf.Variable[];
  /**
   * 'surrogate' says that the gradient is, on purpose, not the loss' slope: straight-through rounding (Bengio et al.,
   * 2013), contrastive divergence. Default: 'exact', which a law checks against finite differences.
   */
  readonly gradient?: 'exact' | 'surrogate';
  /** Nats per example, a scalar []. Pure: every random draw comes from `rng`. */
  loss(batch: Batch, rng: Rng): tf.Tensor;
}

export interface GenerativeModel {
  readonly eventShape: readonly number[];
  readonly likelihood: Likelihood;
  readonly objectives: readonly Objective[];
  /** [count, ...event]; `given` is a prefix or evidence where a family takes one. */
  sample(count: number, rng: Rng, given?: tf.Tensor): tf.Tensor;
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

/** A named constructor with its defaults: all that the trainer, the notebooks and the tests need. */
export interface Family<Config extends object> {
  readonly name: string;
  readonly reference: string;
  readonly card: Card;
  readonly defaults: Readonly<Config>;
  /** Hyperparameters worth sweeping, each with the values to try. */
  readonly grid: { readonly [Key in keyof Config]?: readonly Config[Key][] };
  /** A member small enough to enumerate or integrate: the laws run on it. */
  readonly tiny: { readonly config: Readonly<Config>; readonly support: Support };
  create(config: Readonly<Config>, rng: Rng): GenerativeModel;
}
