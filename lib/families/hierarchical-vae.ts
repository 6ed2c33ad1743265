/**
 * Hierarchical variational autoencoders:  z_1 ~ N(0, I),  z_l ~ N(mu_l(z_<l), diag σ_l²(z_<l)),  x ~ Π_d p(x_d | z).
 *
 * The top is a vector, which says what the picture is of; the levels below are coarse maps, which say where its strokes
 * go. `inference` is top-down, with posteriors relative to their priors, or bottom-up, which tends to leave the top unused.
 * Sources: Rezende, Mohamed and Wierstra (2014), bottom-up; Sønderby et al., Ladder variational autoencoders (2016),
 * top-down; Vahdat and Kautz, NVAE (2020), relative to the prior; Kingma et al. (2016), free bits.
 * Left out: batch normalisation, spectral regularisation, and the hundreds of levels of Child (2021): a digit has 64 pixels.
 */
import * as tf from '@tensorflow/tfjs';
import type { Card, Family, GenerativeModel, Rng } from '../core/model';
import { factorised } from '../latents/decoders';
import { exactLogProbFactorised, normalGrid, type LatentGrid } from '../latents/exact';
import { hierarchicalModel, type HierarchicalModel, type HierarchyOptions } from '../latents/hierarchy';
import { categoricalValues } from '../latents/observations';
import { pictureLevels, pictureReader, type PictureLevelsOptions } from '../latents/picture-levels';

// 1 Family: p(x) = ∫ N(z_1; 0, I) Π_l N(z_l; mu_l(z_<l), diag exp logVar_l(z_<l)) Π_d p(x_d | z) dz

export interface HierarchicalVaeConfig extends HierarchyOptions, Omit<PictureLevelsOptions, 'values'> {
  /** Each pixel is an integer in 0 … values − 1. */
  readonly values: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

// 2 Network h: a convolutional encoder; from level to level a residual block, to finer and finer maps; logits for each pixel

function createHierarchical(config: HierarchicalVaeConfig, rng: Rng): HierarchicalModel {
  const observation = categoricalValues(config.values);
  const reader = pictureReader(config, observation.parameters, rng.fork('decoder'));
  const parts = {
    ...pictureLevels(config, rng.fork('levels')),
    decoder: factorised(config.eventShape, reader, observation, { noisy: config.dropout > 0 }),
  };

  // 3 Objective: the negative bound, −ln p(x | z) + Σ_l max(λ, KL_l)

  // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`, as for the flat one (vae.ts)
  // 5 Training: `fit` (training/fit.ts) with patience

  // 6 Likelihood of new inputs: a lower bound, by one draw of all levels; `importanceBound` tightens it

  // 7 Sampling: level by level from the top, then all pixels at once

  return hierarchicalModel('hierarchicalVae', parts, config);
}

const card: Card = {
  title: 'Hierarchical variational autoencoder',
  forward: 'O(B × weights): encoder, levels and decoder, once for each draw',
  inference: 'O(weights) for q(z | x), level after level, and a bound on p(x); O(K × weights) for a bound by K draws',
  sampling: 'O(weights of levels and decoder) for one example: the levels in turn, then all coordinates at once',
  objective: 'evidence lower bound: reconstruction less the KL of every level given those above',
  network: 'an encoder, a path down the levels that prior and posterior share, and a decoder',
  representation: 'latents by level, from what the picture is of to where its strokes are',
  row: {
    training: 'stable',
    likelihood: 'approximate',
    sampling: 'fast',
    lossyCompression: true,
    losslessCompression: false,
    representation: true,
  },
};

const defaults: HierarchicalVaeConfig = {
  eventShape: [64],
  values: 17,
  columns: 8,
  levels: [
    { side: 1, channels: 12 },
    { side: 4, channels: 2 },
  ],
  inference: 'top-down',
  skip: true,
  channels: 16,
  blocks: 2,
  dropout: 0.1,
  inputDropout: 0.2,
  freeBits: 3,
  learningRate: 0.003,
  batchSize: 50,
};

/** Points for the noise of so many levels of one number each: exact for smooth networks to many digits. */
function noiseGrid(levels: number, steps: number): LatentGrid {
  const line = normalGrid({ steps, reach: 6 });
  const points = line.z.map(([value], i) => ({ z: [value!], weight: line.logWeight[i]! }));
  const all = Array.from({ length: levels - 1 }).reduce<typeof points>(
    (grid) => grid.flatMap((a) => points.map((b) => ({ z: [...a.z, ...b.z], weight: a.weight + b.weight }))),
    points,
  );
  return { z: all.map(({ z }) => z), logWeight: all.map(({ weight }) => weight) };
}

/**
 * ln p(x) of a member whose levels have one number each, by a grid over the noise of all of them, as fine as layer norms
 * of few channels ask for: they turn from one value to another within a tenth.
 */
function exact(model: GenerativeModel, x: tf.Tensor): tf.Tensor {
  const { fromNoise, logProbGiven, levels } = model as HierarchicalModel;
  return tf.tidy(() => {
    const grid = noiseGrid(levels.length, levels.length > 2 ? 24 : 128);
    const z = fromNoise(tf.tensor2d(grid.z.map((point) => [...point])));
    const given = (one: tf.Tensor) => logProbGiven(one.tile([grid.z.length, ...one.shape.slice(1).map(() => 1)]), z);
    return exactLogProbFactorised(given, x, grid);
  });
}

/** A family whose models also show their levels. */
export interface HierarchicalVaeFamily extends Family<HierarchicalVaeConfig> {
  create(config: Readonly<HierarchicalVaeConfig>, rng: Rng): HierarchicalModel;
}

/** Latents in levels, over residual convolutions. */
export const hierarchicalVae: HierarchicalVaeFamily = {
  name: 'hierarchical-vae',
  reference:
    'Sønderby et al., Ladder variational autoencoders (2016); Vahdat and Kautz, NVAE: a deep hierarchical variational autoencoder (2020)',
  card,
  defaults,
  grid: { freeBits: [0, 1, 3], channels: [12, 16, 24], blocks: [1, 2] },
  tiny: {
    config: {
      ...defaults,
      eventShape: [4],
      values: 3,
      columns: 2,
      levels: [
        { side: 1, channels: 1 },
        { side: 1, channels: 1 },
      ],
      channels: 4,
      blocks: 1,
      dropout: 0,
      inputDropout: 0,
      freeBits: 0,
      learningRate: 0.01,
    },
    support: { kind: 'discrete', values: [0, 1, 2] },
    exact,
  },
  create: createHierarchical,
};
