/**
 * Autoregressive models:  p(x) = Π_d p(x_d | x_{<d}),  d = 1 … D.
 *
 * Two members, which differ in the network that reads x_{<d}: dilated causal convolutions with gates (as in WaveNet),
 * and the decoder of a transformer. Integers 0 … V − 1, every one of them a categorical variable.
 * Sources: van den Oord et al., WaveNet (2016); Vaswani et al., Attention is all you need (2017), and its decoder alone
 * in Radford et al., Improving language understanding by generative pre-training (2018).
 * Left out: WaveNet's skip connections to the output (the residual path ends there anyway), and dropout.
 * Pictures in two dimensions: pixelcnn.ts.
 */
import * as tf from '@tensorflow/tfjs';
import {
  ancestral,
  autoregressiveCard,
  previous,
  thermometer,
  type AutoregressiveConfig,
  type AutoregressiveFamily,
  type AutoregressiveModel,
  type StepLogits,
} from '../sampling/ancestral';
import {
  causalSequential,
  gatedConvolutions,
  rowwise,
  transformerBlock,
  type CausalNetwork,
  type GatedConvolutionsOptions,
} from '../networks/causal';
import { logCategorical } from '../core/distributions';
import type { Rng } from '../core/model';
import { layerNorm, linear, randomWeight, sequential } from '../networks/dense';
import { negativeLogLikelihood } from '../core/objective';
import { eventRows, sizeOf } from '../core/tensor';

// 1 Family: the chain rule, in the order of the coordinates; x_d is predicted from its `previous` values

// 2 Network h: x_{d−1} and the position d in, a body over time, V logits out

export interface ConvolutionalConfig extends AutoregressiveConfig, GatedConvolutionsOptions {}

export interface TransformerConfig extends AutoregressiveConfig {
  readonly heads: number;
  readonly blocks: number;
}

function decoder({ width, heads, blocks }: TransformerConfig, rng: Rng): CausalNetwork {
  const stack = Array.from({ length: blocks }, (_, i) => transformerBlock(width, heads, rng.fork(`block ${i}`)));
  return causalSequential(...stack);
}

function autoregressive(config: AutoregressiveConfig, body: CausalNetwork, rng: Rng): AutoregressiveModel {
  const { eventShape, values: V, width } = config;
  const D = sizeOf(eventShape);
  const enter = linear(V - 1, width, rng.fork('values'));
  const positions = randomWeight([D, width], rng.fork('positions'), { scale: 0.1 });
  const leave = sequential(layerNorm(width), linear(width, V, rng.fork('logits')));
  const network = causalSequential(body, rowwise(leave));

  /** The network's input for a previous value and the row of its position: [...], [..., width] → [..., width]. */
  const read = (before: tf.Tensor, position: tf.Tensor) => enter.apply(thermometer(before, V)).add(position);
  const flat = (x: tf.Tensor) => eventRows('autoregressive: x', x, eventShape); // [B, D]
  const logits = (x: tf.Tensor) => tf.tidy(() => network.apply(read(previous(flat(x)), positions))); // [B, D, V]
  const logProb = (x: tf.Tensor) => tf.tidy(() => logCategorical(flat(x), logits(x))); // [B]

  /** The logits of x_t, given the values so far and the memory: x [B, D] → [B, V]. */
  const withMemory: StepLogits = (x, t, memory) => {
    const before = tf.gather(previous(x), t, 1); // [B]
    return network.step(read(before, tf.gather(positions, t)), t, memory);
  };
  const byPass: StepLogits = (x, t) => ({
    y: tf.gather(network.apply(read(previous(x), positions)), t, 1),
    memory: [],
  });
  return {
    eventShape,
    logits,

    // 3 Objective: the mean negative log-likelihood, a cross-entropy for every position
    objectives: [negativeLogLikelihood([...enter.variables, positions, ...network.variables], logProb)],

    // 4 Optimiser: AdamW (`learningRate`, decay 0.5), with `ema` in `fit`: a thousand digits are soon learnt by heart
    // 5 Training: `fit` (training/fit.ts) with patience, since the validation loss turns up again

    // 6 Likelihood of new inputs: exact, one pass for all D factors
    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: one value after the other, each given those before it
    sample: ancestral(eventShape, withMemory, (B) => network.start(B, D)),
    sampleByPasses: ancestral(eventShape, byPass),
  };
}

const digits = { eventShape: [64], values: 17, width: 48, learningRate: 0.003, batchSize: 50 };
const tiny = { eventShape: [3], values: 3, width: 4, learningRate: 0.01, batchSize: 50 };
const tinySupport = { kind: 'discrete', values: [0, 1, 2] } as const;

/** Gated blocks of dilated causal convolutions. Weights: some W² (2 kernel + 1) a block. */
export const convolutionalAutoregressive: AutoregressiveFamily<ConvolutionalConfig> = {
  name: 'autoregressive-convolutional',
  reference: 'van den Oord et al., WaveNet: a generative model for raw audio (2016)',
  card: {
    title: 'Autoregressive model with dilated causal convolutions',
    forward: 'O(B D W² kernel) a block',
    sampling: 'D steps in turn, O(W² kernel) a block each, with the last rows of every block remembered',
    network: 'dilated causal convolutions with gates and residuals',
    ...autoregressiveCard,
  },
  defaults: { ...digits, kernel: 3, dilations: [1, 2, 4, 8, 16] }, // together they see all 63 pixels before one
  grid: { width: [32, 48, 64], kernel: [2, 3] },
  tiny: { config: { ...tiny, kernel: 2, dilations: [1, 2] }, support: tinySupport },
  create: (config, rng) => autoregressive(config, gatedConvolutions(config, rng.fork('body')), rng),
};

/** Decoder blocks of a transformer. Weights: some 12 W² a block. */
export const transformerAutoregressive: AutoregressiveFamily<TransformerConfig> = {
  name: 'autoregressive-transformer',
  reference: 'Vaswani et al., Attention is all you need (2017); Radford et al. (2018)',
  card: {
    title: 'Autoregressive model with a transformer decoder',
    forward: 'O(B D W (W + D)) a block',
    sampling: 'D steps in turn, O(W (W + D)) a block each, with the keys and values of every block remembered',
    network: 'transformer decoder: masked self-attention and an MLP, by turns',
    ...autoregressiveCard,
  },
  defaults: { ...digits, heads: 4, blocks: 3 },
  grid: { width: [32, 48, 64], blocks: [2, 3, 4] },
  tiny: { config: { ...tiny, heads: 2, blocks: 1 }, support: tinySupport },
  create: (config, rng) => autoregressive(config, decoder(config, rng.fork('body')), rng),
};
