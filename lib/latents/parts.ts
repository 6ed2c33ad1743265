/**
 * What models with continuous latent variables are made of:  z ~ p(z),  x ~ p(x | z),  and q(z | x), which stands in for
 * p(z | x). Each part is an interface of its own, so that another prior, posterior or decoder is one object.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import type { Network } from '../networks/dense';
import type { Engine } from '../sampling/sampler';
import type { Loops } from '../sampling/ancestral';

/** p(z) */
export interface Prior {
  /** L, the numbers of one z. */
  readonly latent: number;
  readonly variables: readonly tf.Variable[];
  /** It is the distribution from which `Posterior.kl` is measured, the same at every moment of training. */
  readonly standard: boolean;
  /** ln p(z): z [B, L] → [B] */
  logProb(z: tf.Tensor, rng: Rng): tf.Tensor;
  /** `logProb` is an estimate, which may be too high on average: what is made of it is an estimate of a bound. */
  readonly estimated?: boolean;
  /** [count, L] */
  sample(count: number, rng: Rng): tf.Tensor;
}

/** A draw from q(z | x). */
export interface LatentDraw {
  /** [B, L], through which gradients flow to h. */
  readonly z: tf.Tensor;
  /** ln q(z | x): [B] */
  readonly logQ: tf.Tensor;
  /**
   * Where the path z(h, noise) does not carry the whole gradient: [B] such that the gradient by h of E f(z) is that of
   * f(z) + f(z) · score, with f held fixed in the product. Default: the path carries all of it.
   */
  readonly score?: tf.Tensor;
}

/** q(z | x), given by h [B, parameters], what an encoder says of x. */
export interface Posterior {
  readonly latent: number;
  readonly parameters: number;
  readonly variables: readonly tf.Variable[];
  /** Whether its draws have a score. */
  readonly gradient: 'path' | 'score';
  /** `logProb` finds by search what noise made z, so that it has no gradient by z. Default: false */
  readonly searched?: boolean;
  draw(h: tf.Tensor, rng: Rng): LatentDraw;
  /** ln q(z | x): z [B, L] → [B] */
  logProb(z: tf.Tensor, h: tf.Tensor): tf.Tensor;
  /** A point in its middle: [B, L] */
  mean(h: tf.Tensor): tf.Tensor;
  /** KL[q(z | x) ‖ standard prior] in closed form, for each group of latents that are independent: [B, groups], ≥ 0 */
  kl?(h: tf.Tensor): tf.Tensor;
}

/** p(x | z) */
export interface Decoder {
  readonly eventShape: readonly number[];
  readonly variables: readonly tf.Variable[];
  /** In training it is another p(x | z) at every step, by dropout or its like, so that no bound on ln p(x) is trained. */
  readonly noisy: boolean;
  /** ln p(x | z): x [B, ...event], z [B, L] → [B]. @param noise of training */
  logProb(x: tf.Tensor, z: tf.Tensor, noise?: Rng): tf.Tensor;
  /** x ~ p(x | z): [B, ...event] */
  sample(z: tf.Tensor, rng: Rng, options?: DecodeOptions): tf.Tensor;
  /** E[x | z], where it has a closed form: [B, ...event] */
  mean?(z: tf.Tensor): tf.Tensor;
  /** What `sample` runs in, where it takes many steps. */
  readonly loops?: Loops;
}

export interface DecodeOptions {
  readonly engine?: Engine;
  /** τ > 0: values in proportion to p^(1/τ), for decoders that draw them in turn. Default: 1 */
  readonly temperature?: number;
}

/** The parts of a variational autoencoder. */
export interface VariationalParts {
  /** x [B, ...event] → h [B, parameters of the posterior] */
  readonly encoder: Network;
  readonly posterior: Posterior;
  readonly prior: Prior;
  readonly decoder: Decoder;
}
