/**
 * PixelVAE:  z ~ N(0, I),  x ~ Π_ij p(x_ij | the pixels before it, z): a variational autoencoder whose decoder is a
 * PixelCNN.
 *
 * What pixels tell of each other, z need not hold. A decoder that sees all of them reaches ln p(x) without z, and then
 * the bound is best where q(z | x) = p(z); one that sees the nearest alone leaves the whole of the picture to z.
 * Sources: Gulrajani et al., PixelVAE: a latent variable model for natural images (2017); Chen et al., Variational lossy
 * autoencoder (2017), on when z is used. Left out: several levels of latents.
 */
import * as tf from '@tensorflow/tfjs';
import type { Family, Rng } from '../core/model';
import { autoregressiveDecoder, type ConditionalLogits } from '../latents/decoders';
import { exactLogProb, normalGrid } from '../latents/exact';
import { gaussianPosterior, standardNormal } from '../latents/gaussian';
import { convolutionalEncoder, pictureFeatures, pictureOf, type PictureOptions } from '../latents/networks';
import { variationalModel, type BoundOptions, type VariationalModel } from '../latents/variational';
import { layerNorm, linear, sequential } from '../networks/dense';
import { gatedPixelStack, maskedPixelStack } from '../networks/pixels';

// 1 Family: p(x) = ∫ Π_ij p(x_ij | before, z) N(z; 0, I) dz, in reading order

export interface PixelVaeConfig extends BoundOptions, Omit<PictureOptions, 'values' | 'blocks'> {
  /** Each pixel is an integer in 0 … values − 1. */
  readonly values: number;
  /** L */
  readonly latent: number;
  /** Rows and columns of the decoder's windows: odd. */
  readonly kernel: number;
  /** Of the decoder, gated and in two stacks; 0: a single window on the nearest pixels, which then is all that it sees. */
  readonly blocks: number;
  /** Residual blocks of the encoder, and of the network that spreads z over the picture. */
  readonly latentBlocks: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

// 2 Network h: a convolutional encoder; features of the pixels before, to which features of z are added, V logits a pixel

function conditionalPixels(config: PixelVaeConfig, rng: Rng): ConditionalLogits {
  const { values: V, channels, kernel, blocks, latentBlocks } = config;
  const { height, width, inputs, codes } = pictureOf(config);
  const D = height * width;
  const stack = blocks > 0 ? gatedPixelStack : maskedPixelStack;
  const before = stack({ height, width, inputs, channels, kernel, blocks }, rng.fork('stack'));
  const spread = pictureFeatures({ ...config, blocks: latentBlocks }, rng.fork('latent'));
  const leave = sequential(layerNorm(channels), linear(channels, V, rng.fork('logits')));
  const logits = (x: tf.Tensor, features: tf.Tensor) =>
    leave.apply(before.apply(codes(x)).add(features)).reshape([-1, D, V]);
  return {
    variables: [...before.variables, ...spread.variables, ...leave.variables],
    noisy: config.dropout > 0,
    all: (x, z, noise) => logits(x, spread.apply(z, noise)),
    start: (z) => [spread.apply(z)],
    step: (x, t, [features]) => ({ y: tf.gather(logits(x, features!), t, 1), memory: [features!] }),
  };
}

function createPixelVae(config: PixelVaeConfig, rng: Rng): VariationalModel {
  const { eventShape, latent, latentBlocks } = config;
  const posterior = gaussianPosterior(latent);
  const parts = {
    encoder: convolutionalEncoder({ ...config, blocks: latentBlocks }, posterior.parameters, rng.fork('encoder')),
    posterior,
    prior: standardNormal(latent),
    decoder: autoregressiveDecoder(eventShape, conditionalPixels(config, rng.fork('decoder'))),
  };

  // 3 Objective: the negative bound

  // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`, as for PixelCNN (pixelcnn.ts)
  // 5 Training: `fit` (training/fit.ts) with patience

  // 6 Likelihood of new inputs: a lower bound, by one draw of z; `importanceBound` tightens it

  // 7 Sampling: z from the prior, then a pass for every pixel

  return variationalModel('pixelVae', parts, config);
}

/** A family whose models also show their parts. */
export interface PixelVaeFamily extends Family<PixelVaeConfig> {
  create(config: Readonly<PixelVaeConfig>, rng: Rng): VariationalModel;
}

const defaults: PixelVaeConfig = {
  eventShape: [64],
  values: 17,
  columns: 8,
  latent: 8,
  channels: 32,
  kernel: 3,
  blocks: 5, // as PixelCNN's on the digits
  latentBlocks: 1,
  dropout: 0,
  inputDropout: 0.2,
  draws: 1,
  freeBits: 0,
  warmUp: 0,
  encoderSteps: 1,
  learningRate: 0.003,
  batchSize: 50,
};

/** A convolutional encoder, and PixelCNN as the decoder; `blocks` says how far it sees. */
export const pixelVae: PixelVaeFamily = {
  name: 'pixel-vae',
  reference: 'Gulrajani et al., PixelVAE: a latent variable model for natural images (2017)',
  card: {
    title: 'PixelVAE',
    forward: 'O(B D W² kernel²) a block, of the encoder and of the decoder',
    inference: 'one pass for q(z | x) and a bound on p(x); K passes for a bound by K draws',
    sampling: 'z, then D passes of the decoder in turn',
    objective: 'evidence lower bound, in which the reconstruction is an autoregressive likelihood',
    network: 'a convolutional encoder, and gated convolutions that see the pixels before and z',
    representation: 'z, of what the decoder does not see by itself',
    row: {
      training: 'stable',
      likelihood: 'approximate',
      sampling: 'slow',
      lossyCompression: true,
      losslessCompression: false,
      representation: true,
    },
  },
  defaults,
  grid: { blocks: [0, 1, 5], latent: [2, 8, 16], channels: [24, 32] },
  tiny: {
    config: {
      ...defaults,
      eventShape: [4],
      values: 3,
      columns: 2,
      latent: 1,
      channels: 4,
      blocks: 1,
      inputDropout: 0,
      learningRate: 0.01,
    },
    support: { kind: 'discrete', values: [0, 1, 2] },
    exact: (model, x) => exactLogProb(model as VariationalModel, x, normalGrid()),
  },
  create: createPixelVae,
};
