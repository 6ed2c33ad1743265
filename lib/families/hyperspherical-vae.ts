/**
 * Hyperspherical variational autoencoder:  z evenly from the unit sphere of ℝ^d,  x ~ Π_d p(x_d | z), with
 * q(z | x) = vMF(mu(x), κ(x)).
 *
 * A normal prior pulls every posterior to one point; on the sphere there is no such point, directions are alike, and
 * where data go round in a circle latents can, too. The KL does not depend on mu: no place is dearer than another.
 * Source: Davidson et al., Hyperspherical variational auto-encoders (2018). Left out: products of spheres, which bring
 * back what one κ for all dimensions takes.
 */
import type { Family, Rng } from '../core/model';
import { factorised } from '../latents/decoders';
import { circleGrid, exactLogProb } from '../latents/exact';
import { denseDecoderNetwork, denseEncoder, type DenseDecoderOptions } from '../latents/networks';
import { observationOf, type ObservationName } from '../latents/observations';
import { uniformSphere, vonMisesFisherPosterior } from '../latents/sphere';
import { variationalModel, type BoundOptions, type VariationalModel } from '../latents/variational';

// 1 Family: p(x) = ∫ Π_d p(x_d | z) dz / area, over the unit sphere

export interface HypersphericalVaeConfig extends BoundOptions, DenseDecoderOptions {
  /** Integers 0 … values − 1. */
  readonly values: number;
  readonly observation: Exclude<ObservationName, 'gaussian'>;
  /** d ≥ 2: z is a unit vector of d numbers, so that d − 1 are free. */
  readonly latent: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

// 2 Network h: a dense encoder from x to a direction and κ, a dense decoder from z

function createHypersphericalVae(config: HypersphericalVaeConfig, rng: Rng): VariationalModel {
  const { eventShape, latent } = config;
  const observation = observationOf('hypersphericalVae', config);
  const posterior = vonMisesFisherPosterior(latent);
  const network = denseDecoderNetwork(config, observation.parameters, rng.fork('decoder'));
  const parts = {
    encoder: denseEncoder(config, posterior.parameters, rng.fork('encoder')),
    posterior,
    prior: uniformSphere(latent),
    decoder: factorised(eventShape, network, observation, { noisy: config.dropout > 0 }),
  };

  // 3 Objective: the negative bound, whose gradient by κ goes through rejection (core/von-mises-fisher.ts)

  // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`, as for the VAE with a normal prior (vae.ts)
  // 5 Training: `fit` (training/fit.ts) with patience

  // 6 Likelihood of new inputs: a lower bound, by one draw of z; `importanceBound` tightens it

  // 7 Sampling: a direction, then every coordinate of x at once

  return variationalModel('hypersphericalVae', parts, config);
}

/** A family whose models also show their parts. */
export interface HypersphericalVaeFamily extends Family<HypersphericalVaeConfig> {
  create(config: Readonly<HypersphericalVaeConfig>, rng: Rng): VariationalModel;
}

const defaults: HypersphericalVaeConfig = {
  eventShape: [64],
  values: 17,
  observation: 'categorical',
  latent: 8, // of few dimensions the sphere is at its best (Davidson et al., table 1)
  hidden: [256, 256],
  rank: 16,
  dropout: 0.3,
  inputDropout: 0.2,
  draws: 1,
  freeBits: 0,
  warmUp: 0,
  encoderSteps: 1,
  learningRate: 0.003,
  batchSize: 50,
};

/** Dense encoder and decoder, latents on the unit sphere. */
export const hypersphericalVae: HypersphericalVaeFamily = {
  name: 'hyperspherical-vae',
  reference: 'Davidson et al., Hyperspherical variational auto-encoders (2018)',
  card: {
    title: 'Hyperspherical variational autoencoder',
    forward: 'O(B × weights), and some tens of proposals for each draw of z',
    inference: 'O(weights) for q(z | x) and a bound on p(x); O(K × weights) for a bound by K draws',
    sampling: 'O(weights of the decoder) for one example: a direction, then all coordinates at once',
    objective: 'evidence lower bound, with the KL of a von Mises–Fisher distribution from the uniform one',
    network: 'an encoder and a decoder, both free',
    representation: 'a direction, with one concentration for each example',
    row: {
      training: 'stable',
      likelihood: 'approximate',
      sampling: 'fast',
      lossyCompression: true,
      losslessCompression: false,
      representation: true,
    },
  },
  defaults,
  grid: { latent: [3, 6, 8, 12, 16], dropout: [0, 0.3] },
  tiny: {
    config: {
      ...defaults,
      eventShape: [3],
      values: 3,
      latent: 2,
      hidden: [6],
      rank: 2,
      dropout: 0,
      inputDropout: 0,
      learningRate: 0.01,
    },
    support: { kind: 'discrete', values: [0, 1, 2] },
    exact: (model, x) => exactLogProb(model as VariationalModel, x, circleGrid()),
  },
  create: createHypersphericalVae,
};
