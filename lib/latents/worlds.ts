/** Posteriors alone: models of a world whose decoder is known, so that what they lack is the posterior's fault. */
import type * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { posteriorOf, type PosteriorOptions } from './choices';
import { standardNormal } from './gaussian';
import { denseEncoder } from './networks';
import type { Decoder } from './parts';
import { variationalModel, type BoundOptions, type VariationalModel } from './variational';

/** z ~ N(0, I), x ~ p(x | z), of which both are known. */
export interface KnownWorld {
  readonly name: string;
  readonly eventShape: readonly number[];
  readonly latent: number;
  logGiven(x: tf.Tensor, z: tf.Tensor): tf.Tensor;
  drawGiven(z: tf.Tensor, rng: Rng): tf.Tensor;
}

/** p(x | z) as it is: nothing to train. */
export function decoderOf({ eventShape, logGiven, drawGiven }: KnownWorld): Decoder {
  return { eventShape, variables: [], noisy: false, logProb: logGiven, sample: drawGiven };
}

export interface InferenceOptions extends Partial<BoundOptions> {
  readonly posterior: PosteriorOptions;
  /** Widths of the encoder's hidden layers. */
  readonly hidden: readonly number[];
}

/** An encoder and a posterior, to be trained, around the world's own prior and decoder. */
export function inferenceModel(world: KnownWorld, { posterior, hidden, ...bound }: InferenceOptions, rng: Rng): VariationalModel {
  const { name, eventShape, latent } = world;
  const own = posteriorOf(posterior, { latent }, rng.fork('posterior'));
  const options = { eventShape, values: null, hidden, dropout: 0, inputDropout: 0 };
  const encoder = denseEncoder(options, own.parameters, rng.fork('encoder'));
  const parts = { encoder, posterior: own, prior: standardNormal(latent), decoder: decoderOf(world) };
  return variationalModel(name, parts, { draws: 1, freeBits: 0, warmUp: 0, encoderSteps: 1, ...bound });
} // prettier-ignore
