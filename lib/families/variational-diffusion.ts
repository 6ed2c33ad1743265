/**
 * Variational diffusion:  a variational autoencoder with a latent for every time t in [0, 1], whose encoder adds noise
 * and has no weights, z_t = α_t x + σ_t ε, and whose decoder, one network for all times, guesses x from z_t.
 *
 * The bound is −ln p(x) ≤ KL[q(z_1 | x) ‖ N(0, I)] + E[−ln p(x | z_0)] + the cost of the steps between; with steps
 * without end that cost is ½ ∫ γ' SNR E‖x − x̂(z_t)‖² dt, which the ends of the schedule alone decide.
 * Sources: Sohl-Dickstein et al. (2015); Ho, Jain and Abbeel, Denoising diffusion probabilistic models (2020); Kingma et
 * al., Variational diffusion models (2021); Ho and Salimans, Classifier-free diffusion guidance (2022).
 * Otherwise than there: the network says, for every pixel, how likely each of its V values is by what the others look
 * like; what the pixel's own z says is added by Bayes' rule. x̂ is the mean, and at t = 0 the table is p(x | z_0).
 * Left out: attention, several resolutions, schedules with learnt ends.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Batch, Family, GenerativeModel, Objective, Remember, Rng } from '../core/model';
import { eventRows, sizeOf } from '../core/tensor';
import { conditionedStack, noiseLevel } from '../diffusion/denoisers';
import {
  boundTerms,
  exactPairs,
  pathWeights,
  type Denoiser,
  type DiffusionTerms,
  type Drawn,
  type GaussianDiffusion,
} from '../diffusion/gaussian-diffusion';
import { alphaOf, guessOf, sigmaOf, type Parametrisation } from '../diffusion/gaussian-noise';
import { diffusionSampler, type DiffusionSampleOptions } from '../diffusion/gaussian-sampler';
import { noiseSchedule, type NoiseRange, type NoiseScheduleName } from '../diffusion/noise-schedules';
import { evenTimes, importanceTimes, type TimesName } from '../diffusion/times';
import type { EngineSampler } from '../sampling/sampler';

// 1 Family: p(x) = ∫ p(x | z_0) Π p(z_s | z_t) p(z_1) dz, with p(z_s | z_t) = q(z_s | z_t, x̂(z_t))

export interface VariationalDiffusionConfig extends NoiseRange {
  readonly eventShape: readonly number[];
  /** Each coordinate is an integer in 0 … values − 1, which the process sees scaled to [−1, 1]. */
  readonly values: number;
  /** Of the picture, whatever the event's shape. */
  readonly columns: number;
  readonly channels: number;
  readonly blocks: number;
  readonly dropout: number;
  /** What the network's numbers are: a table of V values a pixel, or one number, x, ε or v. */
  readonly parametrisation: Parametrisation;
  readonly schedule: NoiseScheduleName;
  /** T of the bound; 0: steps without end, where the sum over them becomes an integral over t. */
  readonly steps: number;
  /** T of the sampler, and of the importance bound, which is of that sampler; where `steps` is not 0, that. */
  readonly samplerSteps: number;
  /** How times are drawn in training. */
  readonly times: TimesName;
  /** 'simple': the loss is ‖ε − ε̂‖² at even times (Ho, Jain and Abbeel, 2020), which is no bound on anything. */
  readonly loss: 'bound' | 'simple';
  /** C: labels 0 … C − 1 are told to the network; 0: it is told none. */
  readonly classes: number;
  /** How often a label is withheld in training, so that one network learns p(x) and p(x | y). */
  readonly labelDropout: number;
  /** How many times an example a bound on p(x) is estimated from. */
  readonly draws: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface DiffusionTermOptions {
  /** Times an example, spread evenly. Default: the configuration's. */
  readonly draws?: number;
  /** Labels [B], for a bound on ln p(x | y). Default: none. */
  readonly y?: tf.Tensor;
  /** T of the bound; 0: without end. Default: the configuration's. */
  readonly steps?: number;
}

export interface VariationalDiffusionModel extends GenerativeModel, GaussianDiffusion {
  /** An unbiased estimate of each term of the negative bound: [B, ...event] → [B] each */
  terms(x: tf.Tensor, rng: Rng, options?: DiffusionTermOptions): DiffusionTerms;
  /** ln w [draws, B] of paths, with E w = p(x) of the sampler in T steps. Default: the configuration's T */
  logWeights(x: tf.Tensor, draws: number, rng: Rng, steps?: number): tf.Tensor;
  readonly sample: EngineSampler<DiffusionSampleOptions>;
}

// 2 Network h: residual convolutions over z, told γ and the class

function denoiser(config: VariationalDiffusionConfig, rng: Rng): Denoiser {
  const { eventShape, values: V, columns, channels, parametrisation: kind, classes } = config;
  const D = sizeOf(eventShape);
  if (D % columns !== 0) throw new Error(`variationalDiffusion: ${D} pixels do not fill rows of ${columns} columns`);
  const tables = kind === 'values';
  const [inputs, outputs] = tables ? [1 + V, V] : [1, 1];
  const told = noiseLevel({ ...config, width: channels }, rng.fork('told'));
  const network = conditionedStack(
    { ...config, height: D / columns, width: columns, inputs, outputs, facts: channels },
    rng.fork('network'),
  );
  return {
    variables: [...told.variables, ...network.variables],
    apply(z, gamma, y, noise) {
      const label = classes > 0 ? (y ?? tf.fill([z.shape[0]!], classes, 'int32')) : undefined;
      const grid = tf.linspace(-1, 1, V);
      const evidence = logEvidence(z, gamma, grid); // [B, D, V]
      const seen = tables ? tf.concat([z.expandDims(2), tf.softmax(evidence)], 2) : z;
      const h = network.apply(seen.reshape([-1, D / columns, columns, inputs]), told.apply(gamma, label), noise);
      if (!tables) return { x: guessOf(kind, h.reshape([-1, D]), z, gamma), logits: evidence };
      const logits = h.reshape([-1, D, V]).add(evidence);
      return { x: tf.softmax(logits).mul(grid).sum(2), logits };
    },
  };
}

/** ln N(z; α v, σ²) of every value v, but for what is the same for all: z [B, D], γ [B], grid [V] → [B, D, V] */
function logEvidence(z: tf.Tensor, gamma: tf.Tensor, grid: tf.Tensor): tf.Tensor {
  const [alpha, sigma] = [alphaOf(gamma).expandDims(2), sigmaOf(gamma).expandDims(2)];
  return z.expandDims(2).sub(alpha.mul(grid)).div(sigma).square().mul(-0.5);
}

function createVariationalDiffusion(config: VariationalDiffusionConfig, rng: Rng): VariationalDiffusionModel {
  checkConfig(config);
  const { eventShape, values } = config;
  const schedule = noiseSchedule(config.schedule, config);
  const parts: GaussianDiffusion = {
    ...{ D: sizeOf(eventShape), values, schedule },
    network: denoiser(config, rng.fork('denoiser')),
  };
  const rowsOf = (x: tf.Tensor) => eventRows('variationalDiffusion: x', x, eventShape);
  const samplerSteps = config.steps || config.samplerSteps;
  const terms = (x: tf.Tensor, noise: Rng, options: DiffusionTermOptions = {}) => {
    const { draws: K = config.draws, steps = config.steps, y } = options;
    requireCounts('variationalDiffusion', { draws: K });
    return tf.tidy(() => {
      const rows = rowsOf(x);
      const times = evenTimes('stratified', K * rows.shape[0]!, noise.fork('times'));
      const drawn: Drawn = { rng: noise, times, steps, ...(y && { y: tf.tile(y, [K]) }) };
      const { reconstruction, prior, diffusion } = boundTerms(parts, tf.tile(rows, [K, 1]), drawn);
      const mean = (term: tf.Tensor) => term.reshape([K, -1]).mean(0);
      return { reconstruction: mean(reconstruction), prior: mean(prior), diffusion: mean(diffusion) };
    });
  };
  const paths = pathWeights(parts);
  const logWeights = (x: tf.Tensor, draws: number, noise: Rng, steps = samplerSteps) =>
    tf.tidy(() => paths(rowsOf(x), draws, noise, { steps }));
  return {
    ...parts,
    eventShape,
    terms,
    logWeights,

    // 3 Objective: the negative bound by one time an example; and, of a learnt schedule, that estimate's spread
    objectives: objectivesOf(config, parts, rowsOf),

    // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`: the loss is of a random time
    // 5 Training: `fit` (training/fit.ts) with patience

    // 6 Likelihood of new inputs: a lower bound. Its estimate is no ln w with E w = p(x); that of a whole path is one
    likelihood: {
      kind: 'lower-bound',
      logProb: (x, noise) =>
        tf.tidy(() => {
          const { reconstruction, prior, diffusion } = terms(x, noise);
          return reconstruction.add(prior).add(diffusion).neg();
        }),
      logWeights,
    },

    // 7 Sampling: from noise, down the times, and by the table of values at the end
    sample: diffusionSampler(parts, { eventShape, classes: config.classes, steps: samplerSteps }),
  };
}

function checkConfig({ values, steps, samplerSteps, classes, labelDropout, draws }: VariationalDiffusionConfig): void {
  requireCounts('variationalDiffusion', { samplerSteps, draws });
  for (const [name, value, least] of [
    ['values', values, 2],
    ['steps', steps, 0],
    ['classes', classes, 0],
  ] as const)
    // prettier-ignore
    if (!Number.isInteger(value) || value < least)
      throw new Error(`variationalDiffusion: ${name} must be an integer ≥ ${least}, got ${value}`);
  if (!(labelDropout >= 0 && labelDropout < 1))
    throw new Error(`variationalDiffusion: labelDropout must be from 0 to below 1, got ${labelDropout}`);
}

function objectivesOf(
  config: VariationalDiffusionConfig,
  parts: GaussianDiffusion,
  rowsOf: (x: tf.Tensor) => tf.Tensor,
): Objective[] {
  const { network, schedule } = parts;
  const importance = config.times === 'importance' ? importanceTimes() : undefined;
  const drawnFor = ({ x, y }: Batch, rng: Rng): Drawn => {
    const B = x.shape[0]!;
    const even = evenTimes(config.times, B, rng.fork('times'));
    const label = withheld(config, y, B, rng.fork('labels'));
    const times = importance ? importance.draw(even.t) : even;
    return { rng, times, steps: config.steps, dropout: rng.fork('dropout'), ...(label && { y: label }) };
  };
  const loss = (batch: Batch, rng: Rng, remember?: Remember) => {
    const rows = rowsOf(batch.x); // first, since it checks the shape
    const drawn = drawnFor(batch, rng);
    const { reconstruction, prior, diffusion, unweighted, squares } = boundTerms(parts, rows, drawn);
    if (importance) remember?.([importance.next(drawn.times.t, unweighted)]);
    if (config.loss === 'simple') return squares.mul(drawn.times.weight).mean();
    return reconstruction.add(prior).add(diffusion).mean();
  };
  const plain = config.loss === 'bound' && config.dropout === 0 && config.classes === 0;
  const first: Objective = {
    name: config.loss === 'simple' ? 'simple loss' : 'negative bound',
    estimates: plain ? 'bound' : 'other',
    variables: network.variables,
    ...(importance && { memory: [importance.memory] }),
    loss: (batch, rng, remember) => tf.tidy(() => loss(batch, rng, remember)),
  };
  if (schedule.variables.length === 0) return [first];
  const spread: Objective = {
    name: 'root mean square of the diffusion term', // its mean is the ends' alone, so that this is its spread
    estimates: 'other',
    variables: schedule.variables,
    loss: (batch, rng) =>
      tf.tidy(() => {
        const rows = rowsOf(batch.x);
        return boundTerms(parts, rows, drawnFor(batch, rng)).diffusion.square().mean().sqrt();
      }),
  };
  return [first, spread];
}

/** Labels as the network is told them in training: some withheld, C for any. */
function withheld(config: VariationalDiffusionConfig, y: tf.Tensor | undefined, B: number, rng: Rng) {
  const { classes, labelDropout } = config;
  if (classes === 0) return undefined;
  if (!y) throw new Error(`variationalDiffusion: a model of ${classes} classes is trained on labels; give { x, y }`);
  return tf.where(rng.uniform([B]).less(labelDropout), tf.fill([B], classes, 'int32'), y.toInt());
}

export interface VariationalDiffusionFamily extends Family<VariationalDiffusionConfig> {
  create(config: Readonly<VariationalDiffusionConfig>, rng: Rng): VariationalDiffusionModel;
}

const defaults: VariationalDiffusionConfig = {
  eventShape: [64],
  values: 17,
  columns: 8,
  channels: 32,
  blocks: 3,
  dropout: 0.1,
  parametrisation: 'values',
  lowest: -6,
  highest: 6,
  schedule: 'linear',
  steps: 0,
  samplerSteps: 64,
  times: 'importance',
  loss: 'bound',
  classes: 0,
  labelDropout: 0.1,
  draws: 4, // an evaluation an epoch should cost less than the epoch
  learningRate: 0.003,
  batchSize: 50,
};

/** A network that guesses every pixel's value from the noisy picture, at any level of noise. */
export const variationalDiffusion: VariationalDiffusionFamily = {
  name: 'variational-diffusion',
  reference: 'Kingma et al., Variational diffusion models (2021)',
  card: {
    title: 'Variational diffusion',
    forward: 'O(B × weights × D), one pass at one random time an example',
    inference: 'a bound from a few passes; by K paths of T passes each, a tighter one',
    sampling: 'T passes of the network, for all coordinates at once',
    objective: 'evidence lower bound: a squared error of the guess, weighted by how fast noise grows',
    network: 'one for all times, which sees z_t and γ: residual convolutions',
    representation: 'none that is learnt: the latents are x with noise',
    row: {
      training: 'stable',
      likelihood: 'approximate',
      sampling: 'slow',
      lossyCompression: true,
      losslessCompression: false,
      representation: false,
    },
  },
  defaults,
  grid: { channels: [24, 32, 48], blocks: [2, 3, 4], dropout: [0, 0.1, 0.2] },
  tiny: {
    config: {
      ...defaults,
      ...{ eventShape: [2], values: 3, columns: 2, channels: 4, blocks: 1, dropout: 0 },
      ...{ lowest: -2, highest: 2, steps: 2, times: 'stratified', learningRate: 0.01 },
    },
    support: { kind: 'discrete', values: [0, 1, 2] },
    exact: (model, x) => exactPairs(model as VariationalDiffusionModel, x, 2),
  },
  create: createVariationalDiffusion,
};
