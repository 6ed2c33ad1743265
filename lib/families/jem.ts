/**
 * Joint energy-based model, a classifier as an energy:  p(x, y) ∝ N(x; centre, s² I) exp f_y(x), f_y the logits.
 *
 * p(y | x) is the classifier's softmax; p(x) ∝ exp ln Σ_y exp f_y(x): the number that a softmax divides out, and that a
 * classifier leaves free, is what a density is made of. Sources: Grathwohl et al., Your classifier is secretly an energy
 * based model and you should treat it like one (2020); Xie et al., A theory of generative ConvNet (2016). Left out:
 * batch normalisation, whose answer to x depends on the rest of the batch, so that it is no energy of x.
 */
import * as tf from '@tensorflow/tfjs';
import type { Batch, Family, GenerativeModel, Objective, Rng } from '../core/model';
import { expectShape, logSumExp, sizeOf } from '../core/tensor';
import { energyNetwork, type EnergyNetworkOptions } from '../energies/networks';
import { chainTraining, tilted, type ChainOptions, type SamplerChain, type Tilted, type TiltedData } from '../energies/tilted'; // prettier-ignore
import type { Network } from '../networks/dense';

// 1 Family: f_y(x) + ln N(x; centre, s² I) is ln p(x, y) but for −ln Z (energies/tilted.ts)

export interface JemConfig extends TiltedData, EnergyNetworkOptions, ChainOptions, SamplerChain {
  /** C */
  readonly classes: number;
  /** λ: how much −ln p(x) counts beside −ln p(y | x). 1 is −ln p(x, y); 0 is a classifier, and no chain runs. */
  readonly weight: number;
  /** Deviation of noise that is added to data in training, in rows. */
  readonly jitter: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface JemModel extends GenerativeModel, Pick<Tilted, 'negEnergy' | 'score' | 'logPartition'> {
  /** f: [B, ...event] → [B, C]; their softmax is p(y | x) */
  logits(x: tf.Tensor): tf.Tensor;
  /** ln Σ_y exp f_y(x), by which the classifier says whether it has seen such an x: [B, ...event] → [B] */
  evidence(x: tf.Tensor): tf.Tensor;
}

export interface JemFamily extends Family<JemConfig> {
  create(config: Readonly<JemConfig>, rng: Rng): JemModel;
}

function createJem(config: JemConfig, rng: Rng): JemModel {
  const { eventShape, classes, weight } = config;
  if (!(Number.isInteger(classes) && classes >= 2)) throw new Error(`jem: classes must be an integer ≥ 2, got ${classes}`);
  if (!(weight >= 0)) throw new Error(`jem: weight must not be below 0, got ${weight}`);

  // 2 Network h: a classifier's logits, smooth

  const network = energyNetwork(sizeOf(eventShape), classes, config, rng.fork('network'));
  const f = (rows: tf.Tensor) => tf.tidy(() => logSumExp(network.apply(rows), 1));
  const model = tilted(config, f, 'jem');
  const { rowsOf, negEnergy, score, logPartition, sample } = model;
  return {
    ...{ eventShape, negEnergy, score, logPartition },
    logits: (x) => tf.tidy(() => network.apply(rowsOf(x))),
    evidence: (x) => tf.tidy(() => f(rowsOf(x))),

    // 3 Objective: −ln p(y | x), and λ times −ln p(x), whose gradient is from chains

    objectives: [objectiveOf(config, network, f, model, rng.fork('chains'))],

    // 4 Optimiser: Adam (`learningRate`), its gradient clipped: chains that lag behind make large ones
    // 5 Training: `fit` (training/fit.ts); the chains are the objective's memory

    // 6 Likelihood of new inputs: p(y | x) exact; p(x) up to ln Z, which `logPartition` estimates

    likelihood: { kind: 'unnormalised', negEnergy },

    // 7 Sampling: Langevin dynamics from the Gaussian, its steps accepted or refused

    sample,
  };
} // prettier-ignore

function objectiveOf(
  config: JemConfig,
  network: Network,
  f: (rows: tf.Tensor) => tf.Tensor,
  { rowsOf, ofRows, base }: Tilted,
  rng: Rng,
): Objective {
  const { classes, weight, jitter } = config;
  const shaken = (rows: tf.Tensor, noise: Rng) => rows.add(noise.normal(rows.shape).mul(jitter));
  const conditional = ({ y }: Batch, rows: tf.Tensor, noise: Rng) => {
    if (!y) throw new Error('jem: the batch has no labels y; give { x, y }');
    expectShape('jem: y', y, [rows.shape[0]!]);
    const chosen = tf.oneHot(y.toInt() as tf.Tensor1D, classes).toFloat();
    return tf.logSoftmax(network.apply(rows, noise)).mul(chosen).sum(1).mean().neg(); // prettier-ignore
  };
  const { variables } = network;
  if (weight === 0)
    return {
      ...{ name: '−ln p(y | x)', estimates: 'other', variables },
      loss: (batch, noise) =>
        tf.tidy(() => conditional(batch, shaken(rowsOf(batch.x), noise.fork('jitter')), noise.fork('dropout'))),
    };
  const chains = chainTraining({ ofRows, base }, f, config, rng, 'jem');
  return {
    ...{ name: '−ln p(x, y)', estimates: 'other', gradient: 'surrogate', variables, memory: chains.memory },
    loss: (batch, noise, remember) =>
      tf.tidy(() => {
        const rows = shaken(rowsOf(batch.x), noise.fork('jitter'));
        const { loss, memory } = chains.contrast(rows, noise);
        remember?.(memory);
        return conditional(batch, rows, noise.fork('dropout')).add(loss.mul(weight));
      }),
  };
}

const defaults: JemConfig = {
  eventShape: [64],
  centre: 8,
  scale: 8,
  spread: 1.5,
  classes: 10,
  hidden: [256, 256],
  columns: 0,
  channels: 16,
  dropout: 0.3,
  weight: 0.1, // at 1 the chains' part is some ten nats a step, and classes are hardly learnt
  jitter: 0.3, // wide enough for steps of √(2 η)
  steps: 5,
  eta: 0.03,
  temperature: 1,
  chains: 1000,
  restart: 0.05,
  penalty: 0.001,
  samplerSteps: 2000,
  samplerEta: 0.01,
  learningRate: 0.002,
  batchSize: 50,
};

/** A classifier that is a density, too. */
export const jem: JemFamily = {
  name: 'jem',
  reference: 'Grathwohl et al., Your classifier is secretly an energy based model (2020)',
  card: {
    title: 'Joint energy-based model',
    forward: 'O(B × weights), and K passes forwards and backwards more for the chains',
    inference: 'one pass: p(y | x) exact, p(x) up to ln Z',
    sampling: 'as many passes forwards and backwards as a chain has steps, one after the other',
    objective: '−ln p(y | x) − λ ln p(x), the gradient of the second from samples of chains',
    network: 'a classifier without anything that depends on the rest of the batch; smooth',
    representation: 'p(y | x), and the features before it',
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
  grid: { weight: [0, 0.1, 1], steps: [5, 10, 20], jitter: [0, 0.15, 0.3] },
  tiny: {
    config: { ...defaults, eventShape: [2], centre: 0.5, scale: 1.5, classes: 3, hidden: [8], dropout: 0, jitter: 0, steps: 3, chains: 50, samplerSteps: 80, samplerEta: 0.4, learningRate: 0.01 }, // prettier-ignore
    support: { kind: 'continuous', low: -15, high: 16 },
    labels: 3,
  },
  create: createJem,
};
