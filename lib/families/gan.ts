/**
 * Generative adversarial network:  x = G(z), z ~ N(0, I), learnt against a critic that tells data and samples apart.
 *
 * Two players, each with weights and a loss of its own: no one quantity falls. With a critic as good as can be, the
 * generator of the minimax game minimises 2 JSD(p ‖ q) − ln 4; with one of slope 1 at most, the distance W₁. There is no
 * density: G's points lie on a surface of L dimensions, and nobody says how likely one is.
 * Sources: Goodfellow et al. (2014); Mirza and Osindero, Conditional GANs (2014); Arjovsky, Chintala and Bottou,
 * Wasserstein GAN (2017); Gulrajani et al. (2017); Mescheder, Geiger and Nowozin (2018); Miyato et al. (2018); Huang et
 * al., The GAN is dead; long live the GAN (2024).
 * Left out: convolutions, batch normalisation, augmentation.
 */
import * as tf from '@tensorflow/tfjs';
import { games, type Game, type GameName } from '../adversarial/games';
import { gradientPenalty, zeroCentred } from '../adversarial/penalties';
import { criticNetwork } from '../adversarial/spectral';
import { requireCounts } from '../core/counts';
import { oneHotValues } from '../core/distributions';
import type { Batch, Family, GenerativeModel, Objective, Rng, SampleOptions } from '../core/model';
import { eventRows, expectShape, sizeOf } from '../core/tensor';
import { mlp, type Activation } from '../networks/dense';
import { sampler, type EngineSampler } from '../sampling/sampler';

// 1 Family: x = centre + scale · G(z), or G(z, y)

export interface GanConfig {
  readonly eventShape: readonly number[];
  /** L, of z. */
  readonly latent: number;
  /** C: labels 0 … C − 1 are told to both players; 0: none. */
  readonly classes: number;
  readonly centre: number;
  readonly scale: number;
  /** G ends in tanh: x stays within centre ± scale. */
  readonly bounded: boolean;
  /** Widths of the layers between, of G and of the critic. */
  readonly hidden: readonly number[];
  readonly criticHidden: readonly number[];
  /** 'swish' is smooth, as is its slope; of 'leaky-relu' the slope jumps. */
  readonly activation: 'leaky-relu' | 'swish';
  readonly loss: GameName;
  /** The critic's matrices are divided by their largest singular value. */
  readonly spectral: boolean;
  /** γ of ½ γ E‖∇c‖², at data (R1) and at samples (R2). */
  readonly realPenalty: number;
  readonly fakePenalty: number;
  /** λ of λ E(‖∇c‖ − 1)², between samples and data. */
  readonly gradientPenalty: number;
  /** Steps of the critic for one of the generator. */
  readonly criticSteps: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface GanSampleOptions extends SampleOptions {
  /** Labels, int32 [count], of a model with classes. Default: drawn evenly. */
  readonly y?: tf.Tensor;
}

export interface GanModel extends GenerativeModel {
  /** z [B, L], labels [B] where there are classes → [B, ...event] */
  generate(z: tf.Tensor, y?: tf.Tensor): tf.Tensor;
  /** The critic's number, of a classifier ln D − ln(1 − D): x [B, ...event] → [B] */
  critic(x: tf.Tensor, y?: tf.Tensor): tf.Tensor;
  readonly sample: EngineSampler<GanSampleOptions>;
}

// 2 Network h: two multilayer perceptrons; labels are told as C further inputs

const ACTIVATIONS: Readonly<Record<GanConfig['activation'], Activation>> = {
  'leaky-relu': (x) => tf.leakyRelu(x, 0.2),
  swish: (x) => tf.tidy(() => x.mul(x.sigmoid())),
};

interface Players {
  readonly config: GanConfig;
  readonly game: Game;
  readonly generator: readonly tf.Variable[];
  readonly critic: readonly tf.Variable[];
  /** In coordinates (x − centre) / scale: [B, L] → [B, D], [B, D] → [B] */
  draw(z: tf.Tensor, y?: tf.Tensor): tf.Tensor;
  judge(rows: tf.Tensor, y?: tf.Tensor): tf.Tensor;
  /** [B, ...event] → [B, D] */
  rowsOf(x: tf.Tensor): tf.Tensor;
}

function players(config: GanConfig, rng: Rng): Players {
  const { eventShape, latent, classes, hidden, criticHidden, spectral } = config;
  const D = sizeOf(eventShape);
  const activation = ACTIVATIONS[config.activation];
  const game = games[config.loss];
  const generator = mlp([latent + classes, ...hidden, D], rng.fork('generator'), { activation });
  const settings = { activation, spectral, lastBias: !game.relative };
  const critic = criticNetwork([D + classes, ...criticHidden, 1], rng.fork('critic'), settings);
  const told = (x: tf.Tensor, y: tf.Tensor | undefined) =>
    classes === 0 ? x : tf.concat([x, oneHotValues(labelsOf(y), classes)], 1);
  return {
    config,
    game,
    generator: generator.variables,
    critic: critic.variables,
    draw(z, y) {
      const rows = generator.apply(told(z, y));
      return config.bounded ? rows.tanh() : rows;
    },
    judge: (rows, y) => critic.apply(told(rows, y)).squeeze([1]),
    rowsOf: (x) => eventRows('gan: x', x, eventShape).sub(config.centre).div(config.scale),
  };

  function labelsOf(y: tf.Tensor | undefined): tf.Tensor {
    if (!y) throw new Error(`gan: a model of ${classes} classes needs labels; give { x, y }, or y to generate`);
    return y;
  }
}

function createGan(config: GanConfig, rng: Rng): GanModel {
  checkConfig(config);
  const { eventShape, latent, classes, centre, scale } = config;
  const parts = players(config, rng);
  const generate = (z: tf.Tensor, y?: tf.Tensor) =>
    tf.tidy(() => {
      const { B } = expectShape('gan.generate: z', z, ['B', latent]);
      if (y) expectShape('gan.generate: y', y, [B!]);
      const rows = parts.draw(z, y);
      return rows.mul(scale).add(centre).reshape([-1, ...eventShape]); // prettier-ignore
    });
  return {
    eventShape,
    generate,
    critic: (x, y) => tf.tidy(() => parts.judge(parts.rowsOf(x), y)),

    // 3 Objective: two, each over the weights of its own player
    objectives: [criticObjective(parts), generatorObjective(parts)],

    // 4 Optimiser: Adam (`learningRate`) with β₁ = 0, since what the other player did last is old news
    // 5 Training: `fit` (training/fit.ts), without validation: no loss here says which epoch is best

    // 6 Likelihood of new inputs: none, not even unnormalised
    likelihood: { kind: 'implicit' },

    // 7 Sampling: one pass
    sample: sampler<GanSampleOptions>(
      'gan',
      ({ count, rng: noise, y }) => {
        const label = classes === 0 ? undefined : (y ?? evenLabels(count, classes, noise.fork('labels')));
        return generate(noise.fork('z').normal([count, latent]), label);
      },
      {
        takes: {
          y(y, { count }) {
            if (classes === 0) throw new Error('gan.sample: y is of a model with classes, and this one has none');
            expectShape('gan.sample: y', y, [count]);
          },
        },
      },
    ),
  };
}

const evenLabels = (count: number, classes: number, rng: Rng) => rng.uniform([count]).mul(classes).floor().toInt(); // prettier-ignore

/** Data, and as many samples, of which the critic takes no slope: its weights are not the generator's. */
function drawnFor({ config: { latent }, draw, rowsOf }: Players, { x, y }: Batch, rng: Rng) {
  const real = rowsOf(x);
  return { real, fake: draw(rng.fork('z').normal([real.shape[0]!, latent]), y) };
}

/** Data and samples through the critic at once, as one batch: of spectral normalisation, half the work. */
function judgeBoth({ judge }: Players, real: tf.Tensor, fake: tf.Tensor, y?: tf.Tensor): [tf.Tensor, tf.Tensor] {
  const numbers = judge(tf.concat([real, fake]), y && tf.concat([y, y]));
  return tf.split(numbers, 2) as [tf.Tensor, tf.Tensor];
}

function criticObjective(parts: Players): Objective {
  const { realPenalty, fakePenalty, gradientPenalty: lambda } = parts.config;
  return {
    name: 'critic',
    estimates: 'other',
    variables: parts.critic,
    loss: (batch, rng) =>
      tf.tidy(() => {
        const { real, fake } = drawnFor(parts, batch, rng);
        const judge = (rows: tf.Tensor) => parts.judge(rows, batch.y);
        let loss = parts.game.critic(...judgeBoth(parts, real, fake, batch.y));
        if (realPenalty > 0) loss = loss.add(zeroCentred(judge, real).mul(realPenalty / 2));
        if (fakePenalty > 0) loss = loss.add(zeroCentred(judge, fake).mul(fakePenalty / 2));
        if (lambda > 0) loss = loss.add(gradientPenalty(judge, real, fake, rng.fork('between')).mul(lambda));
        return loss;
      }),
  };
}

function generatorObjective(parts: Players): Objective {
  return {
    name: 'generator',
    estimates: 'other',
    variables: parts.generator,
    every: parts.config.criticSteps,
    loss: (batch, rng) =>
      tf.tidy(() => {
        const { real, fake } = drawnFor(parts, batch, rng);
        return parts.game.generator(parts.judge(real, batch.y), parts.judge(fake, batch.y));
      }),
  };
}

function checkConfig(config: GanConfig): void {
  const { latent, criticSteps, classes, scale } = config;
  requireCounts('gan', { latent, criticSteps });
  if (!Number.isInteger(classes) || classes < 0) throw new Error(`gan: classes must be an integer ≥ 0, got ${classes}`);
  if (!(scale > 0)) throw new Error(`gan: scale must be above 0, got ${scale}`);
  for (const name of ['realPenalty', 'fakePenalty', 'gradientPenalty'] as const)
    if (!(config[name] >= 0)) throw new Error(`gan: ${name} must be ≥ 0, got ${config[name]}`);
}

export interface GanFamily extends Family<GanConfig> {
  create(config: Readonly<GanConfig>, rng: Rng): GanModel;
}

const defaults: GanConfig = {
  eventShape: [2],
  latent: 4,
  classes: 0,
  centre: 0,
  scale: 1,
  bounded: false,
  hidden: [64, 64, 64],
  criticHidden: [64, 64, 64],
  activation: 'leaky-relu',
  loss: 'relativistic', // with both penalties it has a proof that it converges nearby (Huang et al., 2024)
  spectral: false,
  realPenalty: 0.1,
  fakePenalty: 0.1,
  gradientPenalty: 0,
  criticSteps: 1,
  learningRate: 0.003,
  batchSize: 128,
};

/** A generator, and the critic it has to get past. */
export const gan: GanFamily = {
  name: 'gan',
  reference: 'Goodfellow et al., Generative adversarial nets (2014); Huang et al. (2024)',
  card: {
    title: 'Generative adversarial network',
    forward: 'O(B × weights of both), twice: a step of the critic, and one of the generator through it',
    inference: 'none: no likelihood, and no z for a given x',
    sampling: 'one pass',
    objective: 'a game: the critic tells data from samples, the generator is told how to be taken for data',
    network: 'free: noise in, an example out; an example in, a number out',
    representation: 'none for a given x; z moves the example smoothly',
    row: {
      training: 'unstable',
      likelihood: 'none',
      sampling: 'fast',
      lossyCompression: false,
      losslessCompression: false,
      representation: false,
    },
  },
  defaults,
  grid: { realPenalty: [0.02, 0.1, 0.5], fakePenalty: [0, 0.1, 0.5], latent: [2, 4, 8] },
  tiny: {
    config: {
      ...defaults,
      ...{
        latent: 2,
        classes: 2,
        hidden: [5],
        criticHidden: [6],
        activation: 'swish',
        learningRate: 0.01,
        batchSize: 50,
      },
    },
    support: { kind: 'continuous', low: -14, high: 14 },
    labels: 2,
  },
  create: createGan,
};
