/**
 * PixelCNN:  p(x) = Π_ij p(x_ij | the rows above, and what is left of it in its own row).
 *
 * An autoregressive model of pictures whose network keeps the picture's two dimensions. Two members, which differ in
 * that network: masked convolutions, with their blind spot; and gated ones in two stacks, without.
 * Sources: van den Oord, Kalchbrenner and Kavukcuoglu, Pixel recurrent neural networks (2016); van den Oord et al.,
 * Conditional image generation with PixelCNN decoders (2016). Otherwise than there: GELU for ReLU, whose kink no finite
 * difference gets over, and a bias for every position, since digits do not look the same everywhere.
 * Left out: colour channels, conditioning on a class, and memory for sampling, which draws by passes.
 */
import * as tf from '@tensorflow/tfjs';
import {
  ancestral,
  autoregressiveCard,
  thermometer,
  type AutoregressiveConfig,
  type AutoregressiveFamily,
  type AutoregressiveModel,
  type StepLogits,
} from '../sampling/ancestral';
import { logCategorical } from '../core/distributions';
import type { Rng } from '../core/model';
import { layerNorm, linear, sequential, type Network } from '../networks/dense';
import { gatedPixelStack, maskedPixelStack, type PixelStackOptions } from '../networks/pixels';
import { negativeLogLikelihood } from '../core/objective';
import { expectShape, sizeOf } from '../core/tensor';

// 1 Family: the chain rule in reading order; x [B, ...event] is a picture of D / columns rows

export interface PixelCnnConfig extends AutoregressiveConfig {
  /** Of the picture, whatever the event's shape. */
  readonly columns: number;
  /** Rows and columns of a window: odd. */
  readonly kernel: number;
  readonly blocks: number;
}

// 2 Network h: grey levels as thermometers, a stack of convolutions that never looks ahead, V logits a pixel

type Stack = (options: PixelStackOptions, rng: Rng) => Network;

function pixelCnn(config: PixelCnnConfig, stack: Stack, rng: Rng): AutoregressiveModel {
  const { eventShape, values: V, columns, kernel, blocks, width: channels } = config;
  const D = sizeOf(eventShape);
  if (D % columns !== 0) throw new Error(`pixelCnn: ${D} pixels do not fill rows of ${columns} columns`);
  const [height, width] = [D / columns, columns];
  const body = stack({ height, width, inputs: V - 1, channels, kernel, blocks }, rng.fork('stack'));
  const network = sequential(body, layerNorm(channels), linear(channels, V, rng.fork('logits')));

  const logits = (x: tf.Tensor) =>
    tf.tidy(() => {
      expectShape('pixelCnn: x', x, ['B', ...eventShape]);
      const codes = thermometer(x.reshape([-1, height, width]), V); // [B, H, W, V − 1]
      return network.apply(codes).reshape([-1, D, V]);
    });
  const logProb = (x: tf.Tensor) =>
    tf.tidy(() => {
      const all = logits(x); // first, since it checks the shape
      return logCategorical(x.reshape([-1, D]), all); // [B]
    });

  const byPass: StepLogits = (x, t) => ({
    y: tf.gather(logits(x.reshape([-1, ...eventShape])), t, 1), // [B, V]
    memory: [],
  });
  const sample = ancestral(eventShape, byPass);
  return {
    eventShape,
    logits,

    // 3 Objective: the mean negative log-likelihood, a cross-entropy for every pixel
    objectives: [negativeLogLikelihood(network.variables, logProb)],

    // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`, as for the models of sequences (autoregressive.ts)
    // 5 Training: `fit` (training/fit.ts) with patience

    // 6 Likelihood of new inputs: exact, one pass for all pixels
    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: a pass for every pixel
    sample,
    sampleByPasses: sample,
  };
}

const digits = {
  eventShape: [64],
  values: 17,
  columns: 8,
  width: 32,
  kernel: 3,
  blocks: 5,
  learningRate: 0.003,
  batchSize: 50,
};
const tiny = { eventShape: [6], values: 3, columns: 3, width: 4, learningRate: 0.01, batchSize: 50 };
const tinySupport = { kind: 'discrete', values: [0, 1, 2] } as const;

/** Masked convolutions. Weights: some W² kernel² / 2 a block. */
export const maskedPixelCnn: AutoregressiveFamily<PixelCnnConfig> = {
  name: 'pixelcnn-masked',
  reference: 'van den Oord, Kalchbrenner and Kavukcuoglu, Pixel recurrent neural networks (2016)',
  card: {
    title: 'PixelCNN with masked convolutions',
    forward: 'O(B D W² kernel²) a block',
    sampling: 'D passes in turn, O(D W² kernel²) a block each',
    network: 'masked convolutions in two dimensions, with residuals; blind to a wedge above and to the right',
    ...autoregressiveCard,
  },
  defaults: digits,
  grid: { width: [24, 32, 48], kernel: [3, 5], blocks: [3, 5, 7] },
  tiny: { config: { ...tiny, kernel: 3, blocks: 1 }, support: tinySupport },
  create: (config, rng) => pixelCnn(config, maskedPixelStack, rng),
};

/** Gated convolutions in two stacks. Weights: some W² (kernel² + kernel + 6) a block. */
export const gatedPixelCnn: AutoregressiveFamily<PixelCnnConfig> = {
  name: 'pixelcnn-gated',
  reference: 'van den Oord et al., Conditional image generation with PixelCNN decoders (2016)',
  card: {
    title: 'PixelCNN with gated convolutions in two stacks',
    forward: 'O(B D W² kernel²) a block',
    sampling: 'D passes in turn, O(D W² kernel²) a block each',
    network: 'a vertical and a horizontal stack of gated convolutions, with residuals',
    ...autoregressiveCard,
  },
  defaults: digits,
  grid: { width: [24, 32, 48], kernel: [3, 5], blocks: [3, 5, 7] },
  tiny: { config: { ...tiny, kernel: 3, blocks: 2 }, support: tinySupport },
  create: (config, rng) => pixelCnn(config, gatedPixelStack, rng),
};
