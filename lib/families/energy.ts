/**
 * Energy-based model of real numbers:  p(x) ∝ N(x; centre, s² I) exp f(x), with f any network that gives one number.
 *
 * Three ways to train it without Z: samples by Langevin dynamics from chains that go on (Tieleman, 2008; Du and Mordatch,
 * Implicit generation and modeling with energy-based models, 2019), logistic regression against noise (Gutmann and
 * Hyvärinen, 2010), and score matching (Hyvärinen, 2005; Song et al., 2019). Left out: cooperative training with a
 * generator (Xie et al., 2018), and chains of Hamiltonian dynamics.
 */
import * as tf from '@tensorflow/tfjs';
import type { Family, GenerativeModel, Objective, Rng } from '../core/model';
import { sizeOf } from '../core/tensor';
import { rademacher } from '../diffusion/divergence';
import { slicedScoreMatching } from '../diffusion/score-matching';
import { energyAndScore } from '../energies/adjusted-langevin';
import { noiseContrast } from '../energies/contrasts';
import { energyNetwork, type EnergyNetworkOptions } from '../energies/networks';
import { chainTraining, tilted, type ChainOptions, type SamplerChain, type Tilted, type TiltedData } from '../energies/tilted'; // prettier-ignore
import type { Network } from '../networks/dense';

// 1 Family: f(x) + ln N(x; centre, s² I) is ln p(x) but for −ln Z (energies/tilted.ts)

export interface EnergyConfig extends TiltedData, EnergyNetworkOptions, ChainOptions, SamplerChain {
  readonly training: 'langevin' | 'noise-contrastive' | 'score-matching';
  /** ν: draws of noise, which is the Gaussian, for one of data ('noise-contrastive'). */
  readonly ratio: number;
  /** Deviation of noise that is added to data in training, in rows. */
  readonly jitter: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface EnergyModel extends GenerativeModel, Pick<Tilted, 'negEnergy' | 'score' | 'logPartition'> {}

export interface EnergyFamily extends Family<EnergyConfig> {
  create(config: Readonly<EnergyConfig>, rng: Rng): EnergyModel;
}

function createEnergy(config: EnergyConfig, rng: Rng): EnergyModel {
  // 2 Network h: f, dense or with convolutions, smooth

  const network = energyNetwork(sizeOf(config.eventShape), 1, config, rng.fork('network'));
  const f = (rows: tf.Tensor) => tf.tidy(() => network.apply(rows).squeeze([1]));
  const model = tilted(config, f, 'energyModel');
  const { negEnergy, score, logPartition, sample } = model;
  return {
    ...{ eventShape: config.eventShape, negEnergy, score, logPartition },

    // 3 Objective: one of three, none of which needs Z

    objectives: [objectiveOf(config, network, f, model, rng.fork('chains'))],

    // 4 Optimiser: Adam (`learningRate`), its gradient clipped: chains that lag behind make large ones
    // 5 Training: `fit` (training/fit.ts); the chains are the objective's memory

    // 6 Likelihood of new inputs: up to ln Z, which `logPartition` estimates

    likelihood: { kind: 'unnormalised', negEnergy },

    // 7 Sampling: Langevin dynamics from the Gaussian, its steps accepted or refused

    sample,
  };
}

const TRAININGS = ['langevin', 'noise-contrastive', 'score-matching'];

function objectiveOf(
  config: EnergyConfig,
  { variables }: Network,
  f: (rows: tf.Tensor) => tf.Tensor,
  { rowsOf, ofRows, base }: Tilted,
  rng: Rng,
): Objective {
  const { training, ratio, jitter } = config;
  if (!TRAININGS.includes(training))
    throw new Error(`energyModel: training must be one of ${TRAININGS.join(', ')}, got '${String(training)}'`);
  if (!(jitter >= 0)) throw new Error(`energyModel: jitter must not be below 0, got ${jitter}`);
  const shaken = (x: tf.Tensor, noise: Rng) => {
    const rows = rowsOf(x);
    return jitter === 0 ? rows : rows.add(noise.fork('jitter').normal(rows.shape).mul(jitter));
  };
  if (training === 'noise-contrastive') {
    if (!(ratio >= 1 && Number.isInteger(ratio))) throw new Error(`energyModel: ratio must be an integer ≥ 1, got ${ratio}`); // prettier-ignore
    return {
      ...{ name: 'noise contrast', estimates: 'other', variables },
      loss: ({ x }, noise) =>
        tf.tidy(() => {
          const rows = shaken(x, noise);
          return noiseContrast(f(rows), f(base(rows.shape[0]! * ratio, noise.fork('noise')))); // f is ln p − ln q
        }),
    };
  }
  if (training === 'score-matching') {
    const field = (rows: tf.Tensor) => energyAndScore(ofRows, rows).score;
    return {
      // the bias of the last layer is a constant of f, which no score sees
      ...{ name: 'sliced score matching', estimates: 'other', variables: variables.slice(0, -1) },
      loss: ({ x }, noise) =>
        tf.tidy(() => {
          const rows = shaken(x, noise);
          return slicedScoreMatching(field, rows, rademacher(rows.shape, noise.fork('signs'))).mean();
        }),
    };
  }
  const chains = chainTraining({ ofRows, base }, f, config, rng, 'energyModel');
  return {
    ...{ name: 'Langevin contrast', estimates: 'other', gradient: 'surrogate', variables, memory: chains.memory },
    loss: ({ x }, noise, remember) =>
      tf.tidy(() => {
        const { loss, memory } = chains.contrast(shaken(x, noise), noise);
        remember?.(memory);
        return loss;
      }),
  };
}

const defaults: EnergyConfig = {
  eventShape: [2],
  centre: 0,
  scale: 1,
  spread: 3, // of the shapes in the plane
  hidden: [64, 64],
  columns: 0,
  channels: 16,
  dropout: 0,
  training: 'langevin',
  ratio: 4,
  jitter: 0,
  steps: 10,
  eta: 0.02,
  temperature: 1,
  chains: 1000,
  restart: 0.05,
  penalty: 0.001,
  samplerSteps: 500,
  samplerEta: 0.05,
  learningRate: 0.002,
  batchSize: 200,
};

/** A network that says how likely, up to a constant. */
export const energyModel: EnergyFamily = {
  name: 'energy',
  reference: 'Du and Mordatch, Implicit generation and modeling with energy-based models (2019)',
  card: {
    title: 'Energy-based model',
    forward: 'O(B × weights); by chains, K passes forwards and backwards more',
    inference: 'one pass, up to ln Z; ln Z by annealing, some hundred passes of some hundred chains, once for all x',
    sampling: 'as many passes forwards and backwards as a chain has steps, one after the other',
    objective: 'the gradient of the log-likelihood from samples of chains; or noise contrast; or score matching',
    network: 'free: x in, one number out; smooth',
    representation: 'none that is made to be one: features of the network',
    row: {
      training: 'unstable',
      likelihood: 'unnormalised',
      sampling: 'slow',
      lossyCompression: false,
      losslessCompression: false,
      representation: true,
    },
  },
  defaults,
  grid: { steps: [5, 10, 40], eta: [0.005, 0.02, 0.05], restart: [0, 0.05, 1], penalty: [0, 0.001, 0.1] },
  tiny: {
    config: { ...defaults, spread: 1.5, hidden: [8], steps: 3, chains: 50, samplerSteps: 80, samplerEta: 0.4, learningRate: 0.01, batchSize: 50 }, // prettier-ignore
    support: { kind: 'continuous', low: -12, high: 12 },
  },
  create: createEnergy,
};
