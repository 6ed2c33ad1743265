/**
 * Variational autoencoders:  z ~ p(z),  x ~ Π_d p(x_d | z), trained by a lower bound on ln p(x) that an encoder's
 * q(z | x) makes.
 *
 * Two members, which differ in their networks: dense layers, and convolutions over a picture. What p(x_d | z) is, is an
 * option of both: coins, tables, Gaussians, or logistics cut into integers. N(0, I) as the prior and diagonal Gaussians as
 * posteriors are one choice of many for the dense member.
 * Sources: Kingma and Welling, Auto-encoding variational Bayes (2014); Rezende, Mohamed and Wierstra (2014).
 * Otherwise than there: GELU, dropout, and a table of logits that the pixels share, since a thousand digits are soon
 * learnt by heart.
 * Left out: batch normalisation, which makes an example's bound depend on its batch.
 */
import { dequantised } from '../bijections/dequantisation';
import type { Card, Family, GenerativeModel, Rng } from '../core/model';
import { createRng } from '../core/random';
import type { Network } from '../networks/dense';
import { factorised } from '../latents/decoders';
import { posteriorOf, priorOf, type PosteriorOptions, type PriorOptions } from '../latents/choices';
import { exactLogProb, priorGrid } from '../latents/exact';
import {
  convolutionalDecoderNetwork,
  convolutionalEncoder,
  denseDecoderNetwork,
  denseEncoder,
  type DenseOptions,
  type NoiseRates,
  type PictureOptions,
} from '../latents/networks';
import { observationOf, type ObservationName } from '../latents/observations';
import { variationalModel, type BoundOptions, type VariationalModel } from '../latents/variational';

// 1 Family: p(x) = ∫ Π_d p(x_d | z) p(z) dz, mostly with p(z) = N(0, I) and q(z | x) = N(mu(x), diag exp logVar(x))

/** What both members have. */
export interface VaeBasics extends BoundOptions, NoiseRates {
  readonly eventShape: readonly number[];
  /** Integers 0 … values − 1; null: real numbers, which a Gaussian alone is of. Integers get noise for a Gaussian. */
  readonly values: number | null;
  readonly observation: ObservationName;
  /** L */
  readonly latent: number;
  /** How the encoder gets its gradient: through the path of z, or by the score function. */
  readonly gradient: 'path' | 'score';
  readonly learningRate: number;
  readonly batchSize: number;
}

/** What z is drawn from, and what its posterior can look like. */
interface Shapes {
  readonly prior: PriorOptions;
  readonly posterior: PosteriorOptions;
}

export interface VaeConfig extends VaeBasics, Shapes, Pick<DenseOptions, 'hidden'> {
  /** Features of a coordinate, from which one table makes its parameters; 0: no such table. */
  readonly rank: number;
}

export interface ConvolutionalVaeConfig extends VaeBasics, Pick<PictureOptions, 'columns' | 'channels' | 'blocks'> {}

/** A family whose models also show their parts. */
export interface VaeFamily<Config extends object> extends Family<Config> {
  create(config: Readonly<Config>, rng: Rng): VariationalModel;
}

// 2 Network h: an encoder from x to mu and logVar, and a decoder from z to the parameters of every p(x_d | z)

interface Networks<Config> {
  encoder(config: Config, outputs: number, rng: Rng): Network;
  decoder(config: Config, parameters: number, rng: Rng): Network;
}

const dense: Networks<VaeConfig> = { encoder: denseEncoder, decoder: denseDecoderNetwork };

const convolutional: Networks<ConvolutionalVaeConfig> = {
  encoder: convolutionalEncoder,
  decoder: convolutionalDecoderNetwork,
};

const plain: Shapes = { prior: { kind: 'standard' }, posterior: { kind: 'diagonal' } };

function createVae<Config extends VaeBasics & Partial<Shapes>>(
  config: Config,
  networks: Networks<Config>,
  rng: Rng,
): VariationalModel {
  const { eventShape, values } = config;
  const shapes = { ...plain, ...config };
  const observation = observationOf('vae', config);
  const posterior = posteriorOf(shapes.posterior, config, rng.fork('posterior'));
  const network = networks.decoder(config, observation.parameters, rng.fork('decoder'));
  const encoder = networks.encoder(config, posterior.parameters, rng.fork('encoder'));
  const parts = {
    encoder,
    posterior,
    prior: priorOf(shapes.prior, { ...config, encoder, posterior }, rng.fork('prior')),
    decoder: factorised(eventShape, network, observation, { noisy: config.dropout > 0 }),
  };

  // 3 Objective: the negative bound; `draws`, `freeBits`, `warmUp` and `encoderSteps` say of which kind

  const model = variationalModel('vae', parts, config);

  // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`: the loss is noisy, and the average of the weights is not
  // 5 Training: `fit` (training/fit.ts) with patience, since encoder and decoder overfit, each in its own way

  // 6 Likelihood of new inputs: a lower bound, by one draw of z; `importanceBound` tightens it

  // 7 Sampling: z from the prior, then every coordinate of x at once

  if (config.observation !== 'gaussian' || values === null) return model;
  return { ...model, ...dequantised(model, { values, ofBound: true }) };
}

const card: Card = {
  title: 'Variational autoencoder',
  forward: 'O(B × weights): encoder and decoder, once for each draw of z',
  inference: 'O(weights) for q(z | x) and a bound on p(x); O(K × weights) for a bound by K draws',
  sampling: 'O(weights of the decoder) for one example: z, then all coordinates at once',
  objective: 'evidence lower bound: reconstruction less KL[q(z | x) ‖ p(z)]',
  network: 'an encoder and a decoder, both free',
  representation: 'z, as few numbers as one likes, with a distribution for each example',
  row: {
    training: 'stable',
    likelihood: 'approximate',
    sampling: 'fast',
    lossyCompression: true,
    losslessCompression: false,
    representation: true,
  },
};

const training: BoundOptions = { draws: 1, freeBits: 0, warmUp: 0, encoderSteps: 1 };

const digits: VaeBasics = {
  ...training,
  eventShape: [64],
  values: 17,
  observation: 'categorical',
  latent: 16,
  gradient: 'path',
  dropout: 0.1,
  inputDropout: 0.2,
  learningRate: 0.003,
  batchSize: 50,
};

const tiny: VaeBasics = {
  ...digits,
  eventShape: [3],
  values: 3,
  latent: 1,
  dropout: 0,
  inputDropout: 0,
  learningRate: 0.01,
};

const world = {
  support: { kind: 'discrete', values: [0, 1, 2] },
  exact(model: GenerativeModel, x: Parameters<typeof exactLogProb>[1]) {
    const own = model as VariationalModel;
    return exactLogProb(own, x, priorGrid(own.prior, createRng('exact')));
  },
} as const;

/** Encoder and decoder of dense layers. */
export const vae: VaeFamily<VaeConfig> = {
  name: 'vae',
  reference: 'Kingma and Welling, Auto-encoding variational Bayes (2014)',
  card: { ...card, title: 'Variational autoencoder, dense' },
  defaults: { ...digits, ...plain, hidden: [256, 256], rank: 16, dropout: 0.3 },
  grid: {
    latent: [2, 8, 16],
    rank: [0, 8, 16],
    dropout: [0, 0.3, 0.4],
    prior: [plain.prior, { kind: 'mixture', components: 16 }, { kind: 'vamp', components: 16 }],
    posterior: [
      plain.posterior,
      { kind: 'householder', reflections: 4 },
      { kind: 'iaf', steps: 2, hidden: [64], context: 16 },
    ],
  },
  tiny: { config: { ...tiny, ...plain, hidden: [6], rank: 2 }, ...world },
  create: (config, rng) => createVae(config, dense, rng),
};

/** Encoder and decoder of residual convolutions. */
export const convolutionalVae: VaeFamily<ConvolutionalVaeConfig> = {
  name: 'vae-convolutional',
  reference: 'Kingma and Welling, Auto-encoding variational Bayes (2014); He et al., Identity mappings (2016)',
  card: { ...card, title: 'Variational autoencoder, convolutional' },
  defaults: { ...digits, columns: 8, channels: 16, blocks: 2 },
  grid: { latent: [8, 16, 32], channels: [12, 16, 24], blocks: [1, 2, 3] },
  tiny: { config: { ...tiny, eventShape: [4], columns: 2, channels: 4, blocks: 1 }, ...world },
  create: (config, rng) => createVae(config, convolutional, rng),
};
