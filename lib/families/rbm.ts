/**
 * Restricted Boltzmann machine:  p(x, h) ∝ exp(b·x + c·h + x W h), x and h of 0 and 1, no edge within either layer.
 *
 * Either layer given the other is independent units, so that both can be drawn at once, and the hidden one sums out:
 * p(x) ∝ exp(b·x + Σ_j softplus(c_j + (x W)_j)). The sum over x, Z, is over the states of the smaller layer. Sources:
 * Smolensky (1986); Hinton, Training products of experts by minimizing contrastive divergence (2002); Tieleman (2008);
 * Salakhutdinov and Murray, On the quantitative analysis of deep belief networks (2008). Left out: Gaussian units.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Family, GenerativeModel, Objective, Rng } from '../core/model';
import { detach, eventRows, logSumExp, sizeOf } from '../core/tensor';
import { annealing, type AnnealedLogZ, type AnnealingOptions } from '../energies/annealing';
import { binaryStates, flip, MOST_UNITS } from '../energies/binary';
import { contrast } from '../energies/contrasts';
import { replay } from '../energies/replay';
import { constantWeight, randomWeight } from '../networks/dense';
import { loop, sampler } from '../sampling/sampler';

// 1 Family: b·x + Σ_j softplus(c_j + (x W)_j) is ln p(x) but for −ln Z

export interface RbmConfig {
  readonly eventShape: readonly number[];
  /** H, units */
  readonly hidden: number;
  /**
   * Where the samples of the gradient come from: 'exact' sums over all states; 'contrastive' takes `sweeps` sweeps from
   * the batch (CD-k); 'persistent' as many from where its chains ended last time (PCD).
   */
  readonly training: 'exact' | 'contrastive' | 'persistent';
  /** k: sweeps of a step of training. */
  readonly sweeps: number;
  /** Chains that persist, at least the batch. */
  readonly chains: number;
  /** Sweeps of a sample, from a coin for every unit. */
  readonly samplerSweeps: number;
  /** Spread of W at the start. */
  readonly scale: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface RbmWeights {
  /** [D, H] */
  readonly w: tf.Variable;
  /** Of the visible units, [D] */
  readonly b: tf.Variable;
  /** Of the hidden units, [H] */
  readonly c: tf.Variable;
}

export interface RbmAnnealing extends AnnealingOptions {
  /** Data whose pixel means the path begins with, [N, ...event]. Default: pixels that are coins. */
  readonly like?: tf.Tensor;
}

export interface RbmModel extends GenerativeModel {
  readonly weights: RbmWeights;
  /** ln p(x) + ln Z: [B, ...event] → [B] */
  negEnergy(x: tf.Tensor): tf.Tensor;
  /** p(h_j = 1 | x): [B, ...event] → [B, H] */
  hiddenMeans(x: tf.Tensor): tf.Tensor;
  /** One sweep of block Gibbs sampling, h given x and x given h: [B, D] → [B, D] */
  sweep(x: tf.Tensor, rng: Rng): tf.Tensor;
  /** `steps` sweeps from x [B, D]. */
  chain(x: tf.Tensor, steps: number, rng: Rng): tf.Tensor;
  /** ln Z by annealed importance sampling. */
  logPartition(options: RbmAnnealing): AnnealedLogZ;
}

export interface RbmFamily extends Family<RbmConfig> {
  create(config: Readonly<RbmConfig>, rng: Rng): RbmModel;
}

function createRbm(config: RbmConfig, rng: Rng): RbmModel {
  const { eventShape, hidden: H, samplerSweeps, scale } = config;
  const D = sizeOf(eventShape);
  checkConfig(config, D);

  // 2 Network h: none; W, b and c

  const w = randomWeight([D, H], rng.fork('w'), { scale });
  const [b, c] = [constantWeight([D], 0), constantWeight([H], 0)];
  const weights: RbmWeights = { w, b, c };
  const rowsOf = (x: tf.Tensor) => eventRows('rbm: x', x, eventShape);
  const ofRows = (x: tf.Tensor) => freeOf(x, weights, tf.scalar(1), b);
  const negEnergy = (x: tf.Tensor) => tf.tidy(() => ofRows(rowsOf(x)));
  const sweep = (x: tf.Tensor, noise: Rng) =>
    tf.tidy(() => {
      const h = flip(x.matMul(w).add(c), noise.fork('h'));
      return flip(h.matMul(w, false, true).add(b), noise.fork('x'));
    });
  const logZ = () => tf.tidy(() => sumOverStates(weights));
  const body = ([x]: readonly tf.Tensor[], _: tf.Tensor, noise: Rng) => [sweep(x!, noise)];
  const loops = { auto: loop(body), eager: loop(body, { engine: 'eager' }) };
  const small = Math.min(D, H) <= MOST_UNITS;
  return {
    ...{ eventShape, weights, negEnergy, sweep },
    hiddenMeans: (x) => tf.tidy(() => rowsOf(x).matMul(w).add(c).sigmoid()),
    chain: (x, steps, noise) => tf.tidy(() => loops.auto([x], steps, noise)[0]!),

    // 3 Objective: −ln p(x), its gradient exact or from samples

    objectives: [objectiveOf(config, { rowsOf, ofRows, sweep, logZ, variables: [w, b, c] }, rng.fork('chains'))],

    // 4 Optimiser: SGD or Adam (`learningRate`), falling towards the end: a gradient from samples has noise of its own
    // 5 Training: `fit` (training/fit.ts); chains that persist are the objective's memory

    // 6 Likelihood of new inputs: up to ln Z, which is a sum where one layer is small, else annealed (`logPartition`)

    likelihood: { kind: 'unnormalised', negEnergy, ...(small && { logZ }) },
    logPartition: createLogPartition(weights, rowsOf),

    // 7 Sampling: sweeps of block Gibbs sampling

    sample: sampler(
      'rbm',
      ({ count, rng: noise, engine }) => {
        const start = flip(tf.zeros([count, D]), noise.fork('start'));
        return loops[engine]([start], samplerSweeps, noise.fork('chain'))[0]!.reshape([count, ...eventShape]);
      },
      { loops },
    ),
  };
}

function checkConfig({ hidden, sweeps, chains, samplerSweeps, training, batchSize }: RbmConfig, D: number): void {
  requireCounts('rbm', { hidden, sweeps, chains, samplerSweeps });
  if (!['exact', 'contrastive', 'persistent'].includes(training))
    throw new Error(`rbm: training must be 'exact', 'contrastive' or 'persistent', got '${String(training)}'`);
  if (training === 'exact' && Math.min(D, hidden) > MOST_UNITS)
    throw new Error(`rbm: exact training sums over the smaller layer, of at most ${MOST_UNITS} units, got ${Math.min(D, hidden)}; take 'persistent'`); // prettier-ignore
  if (training === 'persistent' && chains < batchSize)
    throw new Error(`rbm: chains must be at least batchSize, ${batchSize}, got ${chains}`);
}

/** β (c + x W) in the softplus: at β = 0 the hidden units are coins, whatever x. @param bias of the visible units */
function freeOf(x: tf.Tensor, { w, c }: RbmWeights, beta: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  return x.mul(bias).sum(1).add(x.matMul(w).add(c).mul(beta).softplus().sum(1)); // prettier-ignore
}

/** ln Z over the states of the smaller layer, the other one summed out: []. */
function sumOverStates({ w, b, c }: RbmWeights): tf.Tensor {
  const [D, H] = w.shape as [number, number];
  if (D <= H) return logSumExp(freeOf(binaryStates(D), { w, b, c }, tf.scalar(1), b), 0);
  const h = binaryStates(H);
  const each = h.mul(c).sum(1).add(h.matMul(w, false, true).add(b).softplus().sum(1)); // prettier-ignore
  return logSumExp(each, 0);
}

interface Parts {
  readonly rowsOf: (x: tf.Tensor) => tf.Tensor;
  readonly ofRows: (x: tf.Tensor) => tf.Tensor;
  readonly sweep: RbmModel['sweep'];
  readonly logZ: () => tf.Tensor;
  readonly variables: readonly tf.Variable[];
}

function objectiveOf({ training, sweeps, chains }: RbmConfig, parts: Parts, rng: Rng): Objective {
  const { rowsOf, ofRows, sweep, logZ, variables } = parts;
  if (training === 'exact')
    return {
      ...{ name: 'negative log-likelihood', estimates: 'nll', variables },
      loss: ({ x }) => tf.tidy(() => logZ().sub(ofRows(rowsOf(x)).mean())),
    };
  const moved = (from: tf.Tensor, noise: Rng) => {
    let x = from;
    for (let k = 0; k < sweeps; k++) x = sweep(x, noise.fork(`sweep ${k}`));
    return detach(x);
  };
  const surrogate = { estimates: 'other', gradient: 'surrogate', variables } as const;
  if (training === 'contrastive')
    return {
      ...{ name: 'contrastive divergence', ...surrogate },
      loss: ({ x }, noise) =>
        tf.tidy(() => {
          const rows = rowsOf(x);
          return contrast(ofRows(rows), ofRows(moved(rows, noise)));
        }),
    };
  const D = variables[1]!.shape[0]!;
  const { memory, next, after } = replay(
    tf.tidy(() => flip(tf.zeros([chains, D]), rng)),
    0,
    'rbm',
  );
  return {
    ...{ name: 'persistent contrastive divergence', ...surrogate, memory: [memory] },
    loss: ({ x }, noise, remember) =>
      tf.tidy(() => {
        const rows = rowsOf(x);
        const model = moved(next(chains, rows, noise), noise); // all of them: a step of each is what keeps them near p
        remember?.([after(model)]);
        return contrast(ofRows(rows), ofRows(model));
      }),
  };
}

/** From coins of the data's means, and hidden units that are coins, to the model. */
function createLogPartition({ w, b, c }: RbmWeights, rowsOf: Parts['rowsOf']): RbmModel['logPartition'] {
  const [D, H] = w.shape as [number, number];
  const biasAt = (beta: tf.Tensor, base: tf.Tensor) => base.mul(tf.sub(1, beta)).add(b.mul(beta));
  const run = annealing({
    logZ0: (base) =>
      base
        .softplus()
        .sum()
        .add(H * Math.LN2),
    start: (count, rng, base) => flip(tf.zeros([count, D]).add(base), rng),
    negEnergy: (x, beta, base) => freeOf(x, { w, b, c }, beta, biasAt(beta, base)),
    move(x, beta, rng, base) {
      const h = flip(x.matMul(w).add(c).mul(beta), rng.fork('h'));
      return flip(h.matMul(w, false, true).mul(beta).add(biasAt(beta, base)), rng.fork('x'));
    },
  });
  return ({ like, ...options }) => {
    const base = tf.tidy(() => {
      if (!like) return tf.zeros([D]);
      const mean = rowsOf(like)
        .sum(0)
        .add(1)
        .div(like.shape[0]! + 2); // a pseudo-count of each value
      return mean.log().sub(tf.sub(1, mean).log());
    });
    const result = run(options, base);
    base.dispose();
    return result;
  };
}

const defaults: RbmConfig = {
  eventShape: [64],
  hidden: 100,
  training: 'persistent',
  sweeps: 5,
  chains: 100,
  samplerSweeps: 1000,
  scale: 0.01, // near 0 every hidden unit is a coin, and none is yet used
  learningRate: 0.01,
  batchSize: 50,
};

/** Weights: D H + D + H. */
export const rbm: RbmFamily = {
  name: 'rbm',
  reference: 'Hinton, Training products of experts by minimizing contrastive divergence (2002)',
  card: {
    title: 'Restricted Boltzmann machine',
    forward: 'O(B D H), and as much again for each sweep of a chain',
    inference: 'O(D H) for an example, up to ln Z: a sum over 2^min(D, H) states, or an estimate by annealing',
    sampling: 'O(D H) a sweep, as many sweeps as the chain needs to forget where it began',
    objective: 'log-likelihood, its gradient exact for a few units, else from samples of a chain',
    network: 'none: a matrix between two layers, and their biases',
    representation: 'p(h | x): H independent probabilities, exact',
    row: {
      training: 'stable',
      likelihood: 'unnormalised',
      sampling: 'slow',
      lossyCompression: false,
      losslessCompression: false,
      representation: true,
    },
  },
  defaults,
  grid: { hidden: [50, 100, 200], sweeps: [1, 5, 20], training: ['contrastive', 'persistent'] },
  tiny: {
    config: { ...defaults, eventShape: [4], hidden: 3, chains: 50, sweeps: 2, samplerSweeps: 100, scale: 0.5, learningRate: 0.05 }, // prettier-ignore
    support: { kind: 'discrete', values: [0, 1] },
  },
  create: createRbm,
};
