/**
 * Boltzmann machine without hidden units, a Markov random field:  p(x) ∝ exp(b·x + ½ xᵀ J x), x of 0 and 1.
 *
 * J is symmetric with 0 on its diagonal: a unit given all others depends on its neighbours, those with J_ij ≠ 0, and on
 * nothing else (its Markov blanket). Sources: Hinton and Sejnowski, Optimal perceptual inference (1983); Besag,
 * Statistical analysis of non-lattice data (1975), for the pseudo-likelihood. Left out: hidden units between themselves.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Family, GenerativeModel, Objective, Rng } from '../core/model';
import { detach, eventRows, logSumExp, sizeOf } from '../core/tensor';
import { binaryStates, flip, MOST_UNITS } from '../energies/binary';
import { contrast } from '../energies/contrasts';
import { constantWeight, randomWeight } from '../networks/dense';
import { loop, sampler } from '../sampling/sampler';

// 1 Family: b·x + ½ xᵀ J x is ln p(x) but for −ln Z; p(x_i = 1 | the others) = σ(b_i + Σ_j J_ij x_j)

export interface BoltzmannConfig {
  readonly eventShape: readonly number[];
  /**
   * 'exact': −ln p(x), with ln Z summed over all states; 'pseudo-likelihood': −Σ_i ln p(x_i | the others), in which no Z
   * is left; 'contrastive': `sweeps` sweeps of Gibbs sampling from the batch (CD-k).
   */
  readonly training: 'exact' | 'pseudo-likelihood' | 'contrastive';
  /** k */
  readonly sweeps: number;
  /** Sweeps of a sample, from a coin for every unit. */
  readonly samplerSweeps: number;
  /** Spread of J at the start. */
  readonly scale: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface BoltzmannModel extends GenerativeModel {
  /** J, [D, D] */
  couplings(): tf.Tensor;
  /** ln p(x) + ln Z: [B, ...event] → [B] */
  negEnergy(x: tf.Tensor): tf.Tensor;
  /** Σ_i ln p(x_i | the others): [B, ...event] → [B] */
  pseudoLogLikelihood(x: tf.Tensor): tf.Tensor;
}

export interface BoltzmannFamily extends Family<BoltzmannConfig> {
  create(config: Readonly<BoltzmannConfig>, rng: Rng): BoltzmannModel;
}

function createBoltzmann(config: BoltzmannConfig, rng: Rng): BoltzmannModel {
  const { eventShape, samplerSweeps, scale } = config;
  const D = sizeOf(eventShape);
  checkConfig(config, D);

  // 2 Network h: none; a matrix whose symmetric part off the diagonal is J, and b

  const a = randomWeight([D, D], rng.fork('a'), { scale });
  const b = constantWeight([D], 0);
  const couplings = () => tf.tidy(() => a.add(a.transpose()).mul(0.5).mul(tf.sub(1, tf.eye(D))));
  const rowsOf = (x: tf.Tensor) => eventRows('boltzmann: x', x, eventShape);
  const ofRows = (x: tf.Tensor) => tf.tidy(() => x.matMul(couplings()).mul(0.5).add(b).mul(x).sum(1)); // prettier-ignore
  const conditionals = (x: tf.Tensor) => x.matMul(couplings()).add(b); // [B, D], logits
  const logZ = () => tf.tidy(() => logSumExp(ofRows(binaryStates(D)), 0));
  /** Unit `site` of every row drawn anew, given the others. */
  const renew = (x: tf.Tensor, site: tf.Tensor, noise: Rng) => {
    const here = tf.range(0, D, 1, 'int32').equal(site); // [D]
    const logit = conditionals(x).mul(here.toFloat()).sum(1, true); // [B, 1]
    return tf.where(here, flip(logit, noise), x);
  };
  const negEnergy = (x: tf.Tensor) => tf.tidy(() => ofRows(rowsOf(x)));
  const pseudo = (x: tf.Tensor) => tf.tidy(() => x.mul(2).sub(1).mul(conditionals(x)).neg().softplus().sum(1).neg()); // prettier-ignore
  const body = ([x]: readonly tf.Tensor[], t: tf.Tensor, noise: Rng) => [renew(x!, t.mod(tf.scalar(D, 'int32')), noise)];
  const loops = { auto: loop(body), eager: loop(body, { engine: 'eager' }) };
  return {
    ...{ eventShape, couplings, negEnergy },
    pseudoLogLikelihood: (x) => tf.tidy(() => pseudo(rowsOf(x))),

    // 3 Objective: −ln p(x), or one of two that need no Z

    objectives: [objectiveOf(config, { rowsOf, ofRows, pseudo, renew, logZ, variables: [a, b] })],

    // 4 Optimiser: Adam (`learningRate`); the exact loss and the pseudo-likelihood are convex
    // 5 Training: `fit` (training/fit.ts)

    // 6 Likelihood of new inputs: up to ln Z, a sum over 2^D states where that is possible

    likelihood: { kind: 'unnormalised', negEnergy, ...(D <= MOST_UNITS && { logZ }) },

    // 7 Sampling: Gibbs, one unit after the other

    sample: sampler(
      'boltzmann',
      ({ count, rng: noise, engine }) => {
        const start = flip(tf.zeros([count, D]), noise.fork('start'));
        return loops[engine]([start], samplerSweeps * D, noise.fork('chain'))[0]!.reshape([count, ...eventShape]);
      },
      { loops },
    ),
  };
} // prettier-ignore

const TRAININGS = ['exact', 'pseudo-likelihood', 'contrastive'];

function checkConfig({ sweeps, samplerSweeps, training }: BoltzmannConfig, D: number): void {
  requireCounts('boltzmann', { sweeps, samplerSweeps });
  if (!TRAININGS.includes(training))
    throw new Error(`boltzmann: training must be one of ${TRAININGS.join(', ')}, got '${String(training)}'`);
  if (training === 'exact' && D > MOST_UNITS)
    throw new Error(`boltzmann: exact training sums over 2^D states of at most ${MOST_UNITS} units, got ${D}; take 'pseudo-likelihood'`); // prettier-ignore
}

interface Parts {
  readonly rowsOf: (x: tf.Tensor) => tf.Tensor;
  readonly ofRows: (x: tf.Tensor) => tf.Tensor;
  readonly pseudo: (x: tf.Tensor) => tf.Tensor;
  readonly renew: (x: tf.Tensor, site: tf.Tensor, rng: Rng) => tf.Tensor;
  readonly logZ: () => tf.Tensor;
  readonly variables: readonly tf.Variable[];
}

function objectiveOf({ training, sweeps }: BoltzmannConfig, parts: Parts): Objective {
  const { rowsOf, ofRows, pseudo, renew, logZ, variables } = parts;
  if (training === 'exact')
    return {
      ...{ name: 'negative log-likelihood', estimates: 'nll', variables },
      loss: ({ x }) => tf.tidy(() => logZ().sub(ofRows(rowsOf(x)).mean())),
    };
  if (training === 'pseudo-likelihood')
    return {
      ...{ name: 'negative pseudo-log-likelihood', estimates: 'other', variables },
      loss: ({ x }) => tf.tidy(() => pseudo(rowsOf(x)).mean().neg()),
    };
  return {
    ...{ name: 'contrastive divergence', estimates: 'other', gradient: 'surrogate', variables },
    loss: ({ x }, noise) =>
      tf.tidy(() => {
        const rows = rowsOf(x);
        const D = rows.shape[1]!;
        let moved = rows;
        for (let k = 0; k < sweeps * D; k++) moved = renew(moved, tf.scalar(k % D, 'int32'), noise.fork(`unit ${k}`));
        return contrast(ofRows(rows), ofRows(detach(moved)));
      }),
  };
}

const defaults: BoltzmannConfig = {
  eventShape: [4, 4],
  training: 'pseudo-likelihood',
  sweeps: 1,
  samplerSweeps: 50,
  scale: 0.01,
  learningRate: 0.02,
  batchSize: 100,
};

/** Weights: D² + D, of which D (D + 1) / 2 say something. */
export const boltzmann: BoltzmannFamily = {
  name: 'boltzmann',
  reference: 'Hinton and Sejnowski, Optimal perceptual inference (1983)',
  card: {
    title: 'Boltzmann machine, all units visible',
    forward: 'O(B D²); with the exact loss O(2^D D²)',
    inference: 'O(D²) for an example, up to ln Z: a sum over 2^D states; one unit given the others O(D), exact',
    sampling: 'O(D²) a sweep, unit after unit, as many sweeps as the chain needs to forget where it began',
    objective: 'log-likelihood for a few units, pseudo-likelihood or contrastive divergence for more',
    network: 'none: a symmetric matrix and a bias; its zeros are the independences of the field',
    representation: 'none: J says which units depend on each other directly',
    row: {
      training: 'stable',
      likelihood: 'unnormalised',
      sampling: 'slow',
      lossyCompression: false,
      losslessCompression: false,
      representation: false,
    },
  },
  defaults,
  grid: { sweeps: [1, 5], training: ['pseudo-likelihood', 'contrastive'] },
  tiny: {
    config: { ...defaults, eventShape: [2, 2], samplerSweeps: 60, scale: 0.5, learningRate: 0.05, batchSize: 50 },
    support: { kind: 'discrete', values: [0, 1] },
  },
  create: createBoltzmann,
};
