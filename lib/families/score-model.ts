/**
 * Score models:  a network that takes noise away, at every level of noise, and with it ∇ ln p of the data with noise.
 *
 * D(x̃; σ) ≈ E[x | x + σ ε = x̃] is learnt by least squares, and the score is (D − x̃) / σ² (Tweedie). It turns the
 * process of growing noise around: as a stochastic differential equation, or as an ordinary one of the same marginals,
 * which makes p(x) a continuous flow with a likelihood.
 * Sources: Vincent (2011); Song and Ermon (2019); Song et al., Score-based generative modeling through stochastic
 * differential equations (2021); Karras et al., Elucidating the design space of diffusion-based generative models (2022).
 * Left out: likelihood weighting, labels, networks of several resolutions.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import { LOG_2PI } from '../core/distributions';
import type { Bijection, Family, GenerativeModel, Objective, Rng } from '../core/model';
import { sizeOf } from '../core/tensor';
import { continuousFlow, type ContinuousFlow } from '../diffusion/continuous-flow';
import { dataCoordinates, flowModel, type DataCoordinates, type FlowData } from '../diffusion/flow-model';
import { noiseProcess, type NoiseProcess, type ProcessName, type SigmaRange } from '../diffusion/noise-process';
import type { SolverName } from '../diffusion/ode';
import { scoreSampler, type ScoreSampleOptions } from '../diffusion/score-sampler';
import { timedNetwork, type TimedNetwork, type TimedOptions } from '../diffusion/timed-networks';
import type { EngineSampler } from '../sampling/sampler';

// 1 Family: p(x) by the probability-flow ODE, from N(0, σ_max² + 1) down to σ_min, in units where data have variance 1

export interface ScoreModelConfig extends FlowData, Omit<TimedOptions, 'D'>, SigmaRange {
  /** How noise grows; both learn the same network. */
  readonly process: ProcessName;
  /** ln σ in training is N(noiseMean, noiseSpread²), within the range. */
  readonly noiseMean: number;
  readonly noiseSpread: number;
  readonly solver: SolverName;
  /** Of the solver, in samples and likelihoods. */
  readonly steps: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface ScoreModel extends GenerativeModel {
  /** In the coordinates (x − centre) / scale: rows [B, D], times 0 … 1. */
  readonly flow: ContinuousFlow;
  readonly process: NoiseProcess;
  readonly coordinates: DataCoordinates;
  /** E[x | x + σ ε] in data's own units: x [B, D] with noise of deviation σ [B], in these units → [B, D] */
  denoised(x: tf.Tensor, sigma: tf.Tensor): tf.Tensor;
  /** ∇ ln p of the data with noise, in data's own units: (denoised − x) / σ². [B, D] → [B, D] */
  score(x: tf.Tensor, sigma: tf.Tensor): tf.Tensor;
  readonly bijection: Bijection;
  readonly sample: EngineSampler<ScoreSampleOptions>;
}

// 2 Network h: what it gets and what it is asked for have variance 1 at every level (Karras et al., 2022, table 1)

interface Denoising {
  readonly variables: readonly tf.Variable[];
  /** x̃ [N, D], σ [N] → [N, D] */
  denoise(x: tf.Tensor, sigma: tf.Tensor): tf.Tensor;
  /** Σ_d (F − F*)²: what is left of the error when each level's is brought to variance 1. x, noise [N, D], σ [N] → [N] */
  errors(x: tf.Tensor, noise: tf.Tensor, sigma: tf.Tensor, dropout?: Rng): tf.Tensor;
}

/** D(x̃; σ) = x̃ / (1 + σ²) + σ / √(1 + σ²) · F(x̃ / √(1 + σ²), ln σ) */
function preconditioned(network: TimedNetwork, { sigmaMin, sigmaMax }: SigmaRange): Denoising {
  const [low, high] = [Math.log(sigmaMin), Math.log(sigmaMax)];
  const raw = (x: tf.Tensor, sigma: tf.Tensor, dropout?: Rng) => {
    const size = sigma.square().add(1).sqrt().expandDims(1); // [N, 1], of x̃
    const level = sigma.log().sub(low).div(high - low).expandDims(1); // prettier-ignore
    return { size, F: network.apply(x.div(size), level, dropout) };
  };
  return {
    variables: network.variables,
    denoise: (x, sigma) =>
      tf.tidy(() => {
        const { size, F } = raw(x, sigma);
        return x.div(size.square()).add(F.mul(sigma.expandDims(1).div(size)));
      }),
    errors: (x, noise, sigma, dropout) =>
      tf.tidy(() => {
        const level = sigma.expandDims(1);
        const { size, F } = raw(x.add(noise.mul(level)), sigma, dropout);
        const wanted = x.mul(level).sub(noise).div(size); // (x − x̃ / size²) size / σ
        return F.sub(wanted).square().sum(1); // prettier-ignore
      }),
  };
}

function createScoreModel(config: ScoreModelConfig, rng: Rng): ScoreModel {
  const D = sizeOf(config.eventShape);
  requireCounts('scoreModel', { steps: config.steps });
  const network = preconditioned(timedNetwork({ ...config, D }, rng.fork('network')), config);
  const process = noiseProcess(config.process, config);
  const { centre, scale, sigmaMin, sigmaMax } = config;
  const vp = config.process === 'vp';
  const spread = vp ? 1 : Math.sqrt(1 + sigmaMax ** 2);
  const score = (z: tf.Tensor, t: tf.Tensor) => tf.tidy(() => scoreAt(network, process, z, t));
  const flow = continuousFlow({
    ...{ variables: network.variables, D, noiseTime: 1, dataTime: 0, spread },
    velocity: (z, t) =>
      tf.tidy(() => {
        const half = process.diffusion(t).mul(0.5).expandDims(1);
        return z.mul(process.drift(t).expandDims(1)).sub(score(z, t).mul(half));
      }),
    logBase: (z) => tf.tidy(() => z.div(spread).square().add(LOG_2PI + 2 * Math.log(spread)).sum(1).mul(-0.5)), // prettier-ignore
    solver: config.solver,
    steps: config.steps,
  });
  // where the process begins z is α x: as if data were a little smaller
  const data = { ...config, scale: vp ? scale * Math.sqrt(1 + sigmaMin ** 2) : scale };
  const coordinates = dataCoordinates(data, 'scoreModel');
  const denoised = (x: tf.Tensor, sigma: tf.Tensor) =>
    tf.tidy(() => network.denoise(x.sub(centre).div(scale), sigma.div(scale)).mul(scale).add(centre));
  return {
    ...{ flow, process, coordinates, denoised },
    score: (x, sigma) => tf.tidy(() => denoised(x, sigma).sub(x).div(sigma.square().expandDims(1))),
    ...flowModel(
      data,
      // 3 Objective: denoising score matching, every level weighted to variance 1
      { flow, objective: objectiveOf(config, network), where: 'scoreModel' },

      // 4 Optimiser: Adam (`learningRate`), with `ema` in `fit`: the loss is of random levels
      // 5 Training: `fit` (training/fit.ts); no sampler runs in it
      // 6 Likelihood of new inputs: the ODE from data to noise, exact within the solver's error (flow-model.ts)

      // 7 Sampling: the ODE from noise to data, or the reverse SDE
      scoreSampler({ D, process, flow, spread, steps: config.steps, score, finish: coordinates.eventsOf }),
    ),
  };
}

/** Of z = α x̃ at t: ∇_z ln p_t = (D(x̃; σ) − x̃) / (α σ²). */
function scoreAt({ denoise }: Denoising, process: NoiseProcess, z: tf.Tensor, t: tf.Tensor): tf.Tensor {
  const [sigma, alpha] = [process.sigma(t), process.alpha(t).expandDims(1)];
  const x = z.div(alpha);
  return denoise(x, sigma).sub(x).div(sigma.square().expandDims(1).mul(alpha));
}

function objectiveOf(config: ScoreModelConfig, { errors, variables }: Denoising): Objective {
  const { rowsOf } = dataCoordinates({ ...config, values: null }, 'scoreModel');
  const { noiseMean, noiseSpread, sigmaMin, sigmaMax } = config;
  return {
    name: 'denoising score matching',
    estimates: 'other',
    variables,
    loss: ({ x }, rng) =>
      tf.tidy(() => {
        const rows = rowsOf(x);
        const level = rng.fork('levels').normal([rows.shape[0]!]).mul(noiseSpread).add(noiseMean).exp();
        const sigma = level.clipByValue(sigmaMin, sigmaMax);
        return errors(rows, rng.fork('noise').normal(rows.shape), sigma, rng.fork('dropout')).mean();
      }),
  };
}

export interface ScoreModelFamily extends Family<ScoreModelConfig> {
  create(config: Readonly<ScoreModelConfig>, rng: Rng): ScoreModel;
}

const defaults: ScoreModelConfig = {
  eventShape: [2],
  values: null,
  centre: 0,
  scale: 2, // of the shapes in the plane
  columns: 0,
  hidden: [128, 128, 128],
  channels: 32,
  blocks: 3,
  dropout: 0,
  divergence: 'exact',
  process: 've',
  sigmaMin: 0.01,
  sigmaMax: 20, // where data of variance 1 can no longer be told from one point
  noiseMean: -1.2,
  noiseSpread: 1.4, // levels down to 0.02 are seen, too: what a likelihood errs by sits there
  solver: 'dormand-prince',
  steps: 16,
  learningRate: 0.002,
  batchSize: 256,
};

/** A network that takes noise away, at any level. */
export const scoreModel: ScoreModelFamily = {
  name: 'score',
  reference: 'Song et al., Score-based generative modeling through stochastic differential equations (2021)',
  card: {
    title: 'Score model',
    forward: 'O(B × weights), one pass at one random level of noise an example',
    inference: 'S evaluations of the score and its divergence: D backward passes each, or one for an estimate',
    sampling: 'S evaluations, one after the other: with noise some hundred, without it some ten',
    objective: 'denoising score matching: least squares of the guess of x, weighted by the level',
    network: 'free: x with noise and its level in, x out',
    representation: 'the noise that x comes from, by the ODE: as many numbers as x has',
    row: {
      training: 'stable',
      likelihood: 'exact',
      sampling: 'slow',
      lossyCompression: false,
      losslessCompression: false,
      representation: false,
    },
  },
  defaults,
  grid: {
    noiseMean: [-1.8, -1.2, -0.6],
    hidden: [
      [64, 64],
      [128, 128, 128],
    ],
  },
  tiny: {
    // few and simple steps, since all of them are written out where a likelihood is compiled
    config: { ...defaults, scale: 1, hidden: [8], sigmaMin: 0.2, sigmaMax: 3, noiseSpread: 1, solver: 'runge-kutta', steps: 6, learningRate: 0.01, batchSize: 50 }, // prettier-ignore
    support: { kind: 'continuous', low: -14, high: 14 },
  },
  create: createScoreModel,
};
