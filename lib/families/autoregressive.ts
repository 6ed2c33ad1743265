/**
 * Autoregressive models:  p(x) = Π_d p(x_d | x_{<d}),  d = 1 … D.
 *
 * Two members, which differ in the network that reads x_{<d}: dilated causal convolutions with gates (as in WaveNet),
 * and the decoder of a transformer. Integers 0 … V − 1, every one of them a categorical variable.
 * Sources: van den Oord et al., WaveNet (2016); Vaswani et al., Attention is all you need (2017), and its decoder alone
 * in Radford et al., Improving language understanding by generative pre-training (2018).
 * Left out: WaveNet's skip connections to the output (the residual path ends there anyway), dropout, and masked
 * convolutions in two dimensions (PixelCNN).
 */
import * as tf from '@tensorflow/tfjs';
import { logCategorical } from '../distributions';
import {
  causalResidual,
  causalSequential,
  dilatedConv1d,
  rowwise,
  transformerBlock,
  type CausalNetwork,
  type Stepped,
} from '../causal-networks';
import type { Card, Family, GenerativeModel, Rng } from '../model';
import { layerNorm, linear, randomWeight, sequential } from '../networks';
import { categorical } from '../random';
import { loop } from '../sampling';
import { expectShape } from '../tensor';

// 1 Family: the chain rule; what is known when x_d is predicted

/** x_{<d}'s last value at each d, 0 before the first: x [B, D] → [B, D]. */
export function previous(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const { B, D } = expectShape('previous: x', x, ['B', 'D']);
    return tf.concat([tf.zeros([B!, 1]), x.slice([0, 0], [B!, D! - 1])], 1);
  });
}

/**
 * 1 at each of 1 … V − 1 that the value reaches, else 0: [...] → [..., V − 1]. Near values get near codes, which
 * a one-hot code would leave to be learnt; a single number would make sharp distinctions hard.
 */
export function thermometer(x: tf.Tensor, values: number): tf.Tensor {
  return tf.tidy(() => x.expandDims(-1).greaterEqual(tf.range(1, values)).toFloat());
}

export interface AutoregressiveModel extends GenerativeModel {
  /** Of p(x_d | x_{<d}) for every d, in one pass: [B, ...event] → [B, D, V]. */
  logits(x: tf.Tensor): tf.Tensor;
  /** As `sample`, and the same numbers, without memory: a whole pass for every value that is drawn. */
  sampleByPasses: GenerativeModel['sample'];
}

// 2 Network h: x_{d−1} and the position d in, a body over time, V logits out

interface CommonConfig {
  readonly eventShape: readonly number[];
  /** Each coordinate is an integer in 0 … values − 1. */
  readonly values: number;
  /** Numbers that stand for one step within the network. */
  readonly width: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface ConvolutionalConfig extends CommonConfig {
  /** Steps that one convolution sees. */
  readonly kernel: number;
  /** One gated block for each: how many steps lie between those that it sees. */
  readonly dilations: readonly number[];
}

/** h ← h + W (tanh a ⊙ σ(b)), with a and b from a dilated convolution of h, for each block. */
function gatedConvolutions({ width, kernel, dilations }: ConvolutionalConfig, rng: Rng): CausalNetwork {
  const blocks = dilations.map((dilation, i) => {
    const stream = rng.fork(`block ${i}`);
    const options = { inputs: width, outputs: 2 * width, kernel, dilation };
    return causalResidual(
      causalSequential(
        dilatedConv1d(options, stream.fork('convolution')),
        rowwise(gate),
        rowwise(linear(width, width, stream.fork('mix'))),
      ),
    );
  });
  return causalSequential(...blocks);
}

/** [..., 2 C] → [..., C]: tanh of one half times σ of the other. */
function gate(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const [a, b] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
    return a.tanh().mul(b.sigmoid());
  });
}

export interface TransformerConfig extends CommonConfig {
  readonly heads: number;
  readonly blocks: number;
}

function decoder({ width, heads, blocks }: TransformerConfig, rng: Rng): CausalNetwork {
  const stack = Array.from({ length: blocks }, (_, i) => transformerBlock(width, heads, rng.fork(`block ${i}`)));
  return causalSequential(...stack);
}

function autoregressive(config: CommonConfig, body: CausalNetwork, rng: Rng): AutoregressiveModel {
  const { eventShape, values: V, width } = config;
  const D = sizeOf(eventShape);
  const enter = linear(V - 1, width, rng.fork('values'));
  const positions = randomWeight([D, width], rng.fork('positions'), { scale: 0.1 });
  const leave = sequential(layerNorm(width), linear(width, V, rng.fork('logits')));
  const network = causalSequential(body, rowwise(leave));

  /** The network's input for a previous value and the row of its position: [...], [..., width] → [..., width]. */
  const read = (before: tf.Tensor, position: tf.Tensor) => enter.apply(thermometer(before, V)).add(position);
  const flat = (x: tf.Tensor) => {
    expectShape('autoregressive: x', x, ['B', ...eventShape]);
    return x.reshape([-1, D]);
  };
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
    objectives: [
      {
        name: 'negative log-likelihood',
        variables: [...enter.variables, positions, ...network.variables],
        loss: ({ x }) => tf.tidy(() => logProb(x).mean().neg()),
      },
    ],

    // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`: a thousand digits are soon learnt by heart
    // 5 Training: `fit` (training.ts) with patience, since the validation loss turns up again

    // 6 Likelihood of new inputs: exact, one pass for all D factors
    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: one value after the other, each given those before it
    sample: ancestral(eventShape, withMemory, (B) => network.start(B, D)),
    sampleByPasses: ancestral(eventShape, byPass, () => []),
  };
}

/** The logits y of x_t, from the values before it in x, and the memory for the next step. */
type StepLogits = (x: tf.Tensor, t: tf.Tensor, memory: readonly tf.Tensor[]) => Stepped;

/**
 * Draws x_0, x_1, … in turn. The first n values are those of `given` [count, n], the start of an event in the order of
 * its coordinates. A value's noise belongs to its place, and is the same however many are given.
 */
function ancestral(
  eventShape: readonly number[],
  logitsAt: StepLogits,
  start: (B: number) => tf.Tensor[],
): GenerativeModel['sample'] {
  const D = sizeOf(eventShape);
  const advance = loop(([x, ...memory], t, rng, [n]) => {
    const { y, memory: next } = logitsAt(x!, t, memory);
    const drawn = categorical(y, rng).toFloat().expandDims(1); // [B, 1]
    const here = tf.range(0, D, 1, 'int32').equal(t).logicalAnd(t.greaterEqual(n!)); // [D]
    return [tf.where(here, drawn, x!), ...next];
  });
  return (count, rng, given) =>
    tf.tidy(() => {
      const { n } = given ? expectShape('autoregressive: given', given, [count, 'n']) : { n: 0 };
      if (n! > D) throw new Error(`autoregressive: given must be [${count}, n] with n ≤ ${D}, got n = ${n}`);
      const x = given ? given.toFloat().pad([[0, 0], [0, D - n!]]) : tf.zeros([count, D]); // prettier-ignore
      const [full] = advance([x, ...start(count)], D, rng, [tf.scalar(n!, 'int32')]);
      return full!.reshape([count, ...eventShape]);
    });
}

const card: Omit<Card, 'title' | 'forward' | 'sampling' | 'network'> = {
  inference: 'exact, one pass for all D factors; a query other than "what follows this prefix" is intractable',
  objective: 'exact log-likelihood, a cross-entropy for every position',
  representation: 'none that is made to be one: features of every prefix',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'slow',
    lossyCompression: false,
    losslessCompression: true,
    representation: false,
  },
};

const digits = { eventShape: [64], values: 17, width: 64, learningRate: 0.002, batchSize: 50 };
const tiny = { eventShape: [3], values: 3, width: 4, learningRate: 0.01, batchSize: 50 };
const tinySupport = { kind: 'discrete', values: [0, 1, 2] } as const;

/** Gated blocks of dilated causal convolutions. Weights: some W² (2 kernel + 1) a block. */
export const convolutionalAutoregressive: Family<ConvolutionalConfig> = {
  name: 'autoregressive-convolutional',
  reference: 'van den Oord et al., WaveNet: a generative model for raw audio (2016)',
  card: {
    title: 'Autoregressive model with dilated causal convolutions',
    forward: 'O(B D W² kernel) a block',
    sampling: 'D steps in turn, O(W² kernel) a block each, with the last rows of every block remembered',
    network: 'dilated causal convolutions with gates and residuals',
    ...card,
  },
  defaults: { ...digits, kernel: 3, dilations: [1, 2, 4, 8, 16] }, // together they see all 63 pixels before one
  grid: { width: [32, 64, 128], kernel: [2, 3] },
  tiny: { config: { ...tiny, kernel: 2, dilations: [1, 2] }, support: tinySupport },
  create: (config, rng) => autoregressive(config, gatedConvolutions(config, rng.fork('body')), rng),
};

/** Decoder blocks of a transformer. Weights: some 12 W² a block. */
export const transformerAutoregressive: Family<TransformerConfig> = {
  name: 'autoregressive-transformer',
  reference: 'Vaswani et al., Attention is all you need (2017); Radford et al. (2018)',
  card: {
    title: 'Autoregressive model with a transformer decoder',
    forward: 'O(B D W (W + D)) a block',
    sampling: 'D steps in turn, O(W (W + D)) a block each, with the keys and values of every block remembered',
    network: 'transformer decoder: masked self-attention and an MLP, by turns',
    ...card,
  },
  defaults: { ...digits, heads: 4, blocks: 3 },
  grid: { width: [32, 64, 128], blocks: [1, 2, 3, 4] },
  tiny: { config: { ...tiny, heads: 2, blocks: 1 }, support: tinySupport },
  create: (config, rng) => autoregressive(config, decoder(config, rng.fork('body')), rng),
};

function sizeOf(eventShape: readonly number[]): number {
  return eventShape.reduce((size, n) => size * n, 1);
}
