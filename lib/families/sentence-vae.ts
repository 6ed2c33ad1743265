/**
 * Sentence VAE:  z ~ N(0, I),  x ~ Π_t p(x_t | x_{<t}, z): a variational autoencoder of sentences, whose decoder writes
 * word after word.
 *
 * The words before say much of the next one, and early in training all that z could; so z is given up before it is of
 * use. Two cures: the KL gets its weight little by little (`warmUp`), and in training the decoder is not shown all the
 * words before (`wordDropout`).
 * Source: Bowman et al., Generating sentences from a continuous space (2016). Left out: a bidirectional encoder, and
 * beam search, in whose place a low temperature stands.
 */
import * as tf from '@tensorflow/tfjs';
import type { Family, Rng } from '../core/model';
import { sizeOf } from '../core/tensor';
import { autoregressiveDecoder, type ConditionalLogits } from '../latents/decoders';
import { exactLogProb, normalGrid } from '../latents/exact';
import { gaussianPosterior, standardNormal } from '../latents/gaussian';
import { variationalModel, type BoundOptions, type VariationalModel } from '../latents/variational';
import { causalSequential, gatedConvolutions, rowwise, type CausalNetwork } from '../networks/causal';
import { layerNorm, linear, randomWeight, sequential, type Network } from '../networks/dense';
import { gru } from '../networks/recurrent';
import { previous } from '../sampling/ancestral';

// 1 Family: p(x) = ∫ Π_t p(x_t | x_{<t}, z) N(z; 0, I) dz, for rows of T words, of which the last may be empty

export interface SentenceVaeConfig extends BoundOptions {
  /** [T] */
  readonly eventShape: readonly number[];
  /** V words, 0 … V − 1. */
  readonly values: number;
  /** Numbers that stand for a word, or a state, within the networks. */
  readonly width: number;
  /** L */
  readonly latent: number;
  readonly decoder: 'recurrent' | 'convolutional';
  /** Of a convolutional decoder: words that one convolution sees, and how far apart they lie, block by block. */
  readonly kernel: number;
  readonly dilations: readonly number[];
  /** How many of the words before the decoder is not shown, in training. */
  readonly wordDropout: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

// 2 Network h: a recurrent encoder; a recurrent or convolutional decoder, to whose every input a row made of z is added

/** A row for each word, and one more for a word that is not shown. */
function wordsIn({ values: V, width }: SentenceVaeConfig, rng: Rng) {
  const table = randomWeight([V + 1, width], rng, { scale: 0.5 });
  return { variables: [table], of: (x: tf.Tensor) => tf.gather(table, x.toInt() as tf.Tensor1D) };
}

function sentenceEncoder(config: SentenceVaeConfig, outputs: number, rng: Rng): Network {
  const { width } = config;
  const words = wordsIn(config, rng.fork('words'));
  const reader = gru(width, width, rng.fork('reader'));
  const last = linear(width, outputs, rng.fork('last'));
  const T = sizeOf(config.eventShape);
  return {
    variables: [...words.variables, ...reader.variables, ...last.variables],
    apply: (x) => tf.tidy(() => last.apply(tf.gather(reader.apply(words.of(x)), T - 1, 1))),
  };
}

function writer(config: SentenceVaeConfig, rng: Rng): CausalNetwork {
  return config.decoder === 'recurrent' ? gru(config.width, config.width, rng) : gatedConvolutions(config, rng);
}

function conditionalWords(config: SentenceVaeConfig, rng: Rng): ConditionalLogits {
  const { values: V, width, latent, wordDropout } = config;
  const T = sizeOf(config.eventShape);
  const words = wordsIn(config, rng.fork('words'));
  const fromLatent = linear(latent, width, rng.fork('latent'));
  const positions = randomWeight([T, width], rng.fork('positions'), { scale: 0.1 });
  const leave = sequential(layerNorm(width), linear(width, V, rng.fork('logits')));
  const body = causalSequential(writer(config, rng.fork('body')), rowwise(leave));
  const hidden = (x: tf.Tensor, noise: Rng) =>
    tf.where(noise.fork('words').uniform(x.shape).less(wordDropout), V, x); // prettier-ignore
  return {
    variables: [...words.variables, ...fromLatent.variables, positions, ...body.variables],
    noisy: wordDropout > 0,
    all(x, z, noise) {
      const before = noise && wordDropout > 0 ? hidden(previous(x), noise) : previous(x);
      return body.apply(words.of(before).add(positions).add(fromLatent.apply(z).expandDims(1)));
    },
    start: (z) => [fromLatent.apply(z), ...body.start(z.shape[0]!, T)],
    step(x, t, [row, ...memory]) {
      const before = words.of(tf.gather(previous(x), t, 1)); // [B, width]
      const { y, memory: next } = body.step(before.add(tf.gather(positions, t)).add(row!), t, memory);
      return { y, memory: [row!, ...next] };
    },
  };
}

function createSentenceVae(config: SentenceVaeConfig, rng: Rng): VariationalModel {
  const posterior = gaussianPosterior(config.latent);
  if (!(config.wordDropout >= 0 && config.wordDropout <= 1))
    throw new Error(`sentenceVae: wordDropout must be from 0 to 1, got ${config.wordDropout}`);
  const parts = {
    encoder: sentenceEncoder(config, posterior.parameters, rng.fork('encoder')),
    posterior,
    prior: standardNormal(config.latent),
    decoder: autoregressiveDecoder(config.eventShape, conditionalWords(config, rng.fork('decoder'))),
  };

  // 3 Objective: the negative bound, with the KL's weight rising over the first `warmUp` steps

  // 4 Optimiser: Adam (`learningRate`)
  // 5 Training: `fit` (training/fit.ts)

  // 6 Likelihood of new inputs: a lower bound, by one draw of z; `importanceBound` tightens it

  // 7 Sampling: z from the prior, then word after word; `decoder.sample` writes what any z stands for

  return variationalModel('sentenceVae', parts, config);
}

/** A family whose models also show their parts. */
export interface SentenceVaeFamily extends Family<SentenceVaeConfig> {
  create(config: Readonly<SentenceVaeConfig>, rng: Rng): VariationalModel;
}

const defaults: SentenceVaeConfig = {
  eventShape: [7], // of the library's grammar, as are its words
  values: 15,
  width: 48,
  latent: 4,
  decoder: 'recurrent',
  kernel: 2,
  dilations: [1, 2, 4],
  wordDropout: 0,
  draws: 1,
  freeBits: 0,
  warmUp: 400,
  encoderSteps: 1,
  learningRate: 0.003,
  batchSize: 100,
};

/** A recurrent encoder, and a decoder that writes word after word. */
export const sentenceVae: SentenceVaeFamily = {
  name: 'sentence-vae',
  reference: 'Bowman et al., Generating sentences from a continuous space (2016)',
  card: {
    title: 'Sentence VAE',
    forward: 'O(B T W²), word after word where the networks are recurrent',
    inference: 'one pass for q(z | x) and a bound on p(x); K passes of the decoder for a bound by K draws',
    sampling: 'z, then T words in turn, O(W²) each',
    objective: 'evidence lower bound, in which the reconstruction is a language model’s likelihood',
    network: 'a recurrent encoder; a recurrent or causal convolutional decoder that sees the words before and z',
    representation: 'z, of a whole sentence; between two of them lie sentences',
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
  grid: { latent: [2, 4, 8], wordDropout: [0, 0.25, 0.5], warmUp: [0, 400, 1000] },
  tiny: {
    config: {
      ...defaults,
      eventShape: [3],
      values: 3,
      width: 4,
      latent: 1,
      dilations: [1],
      wordDropout: 0,
      warmUp: 0,
      learningRate: 0.01,
      batchSize: 50,
    },
    support: { kind: 'discrete', values: [0, 1, 2] },
    exact: (model, x) => exactLogProb(model as VariationalModel, x, normalGrid()),
  },
  create: createSentenceVae,
};
