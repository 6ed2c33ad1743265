/**
 * Hybrid models:  p(x, y) = p(y | z) p(x)  with  z = f(x),  one bijection f for both factors.
 *
 * Trained by  ln p(y | x) + λ ln p(x),  which is the joint's logarithm at λ = 1 alone; what is reported never is weighted.
 * An example without a label has the second term alone, so that many images can help few labels. Two members: over a
 * RealNVP, and over an integer flow, whose steps move integers by integers, so that p(x, y) is exact on the lattice.
 * Sources: Lasserre, Bishop and Minka, Principled hybrids of generative and discriminative models (2006); Nalisnick et
 * al., Hybrid models with deep and invertible features (2019); Tomczak, Deep Generative Modeling (2024), chapter 6.
 * Otherwise than in the book's code: nothing real multiplies a rounded translation, since z would leave the lattice.
 * Left out: class-conditional densities of z (blend.ts has a mixture's), and a batch's own balance of the two terms.
 */
import * as tf from '@tensorflow/tfjs';
import { flowDensity, prepared, type DomainOptions } from '../bijections/density';
import { dequantised } from '../bijections/dequantisation';
import { latticeFlow, type LatticeFlowOptions } from '../bijections/lattice-flow';
import { bases, chain, checkerboard, others } from '../bijections/layers';
import { affineCouplings, normalisation, type AffineCouplingsOptions } from '../bijections/stacks';
import { requireCounts } from '../core/counts';
import { logOfLabels, type LabelledModel } from '../core/labels';
import type { Bijection, Card, Family, Objective, Rng } from '../core/model';
import { sizeOf } from '../core/tensor';
import { convolutionalEncoder, denseEncoder } from '../latents/networks';
import type { Network } from '../networks/dense';
import { sampler } from '../sampling/sampler';

// 1 Family: a flow's p(x), and p(y | z) of its latents

export type HybridModel = LabelledModel;

export interface HeadConfig {
  /** C */
  readonly classes: number;
  /** Of ln p(x), ≥ 0. */
  readonly lambda: number;
  /** Of the picture that convolutions see; 0: dense layers of `headHidden` units. */
  readonly columns: number;
  readonly channels: number;
  readonly blocks: number;
  readonly headHidden: readonly number[];
  /** Of the head's features, and of z, in training. */
  readonly dropout: number;
  readonly inputDropout: number;
}

interface Training {
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface HybridFlowConfig extends HeadConfig, DomainOptions, Omit<AffineCouplingsOptions, 'D'>, Training {
  /** Data are integers 0 … values − 1, made real by uniform noise; null: they are real numbers. */
  readonly values: number | null;
}

export interface HybridIntegerFlowConfig extends HeadConfig, LatticeFlowOptions, Training {}

/** A flow, as a hybrid needs it. */
interface Body {
  readonly eventShape: readonly number[];
  readonly variables: readonly tf.Variable[];
  readonly bijection: Bijection;
  readonly gradient: 'exact' | 'surrogate';
  /** ln p(x): [B, ...event] → [B] */
  logProb(x: tf.Tensor): tf.Tensor;
  /** z as the head sees it [B, D], and ln p(x) [B] */
  both(x: tf.Tensor): { readonly z: tf.Tensor; readonly logProb: tf.Tensor };
  draw(count: number, rng: Rng): tf.Tensor;
}

// 2 Network h: the flow's, and a head on z: an MLP, or residual convolutions over the picture that z still is

function headOf(config: HeadConfig, D: number, rng: Rng): Network {
  const { classes, columns, headHidden: hidden } = config;
  requireCounts('hybrid', { classes });
  const event = { ...config, eventShape: [D], values: null };
  if (columns === 0) return denseEncoder({ ...event, hidden }, classes, rng);
  return convolutionalEncoder(event, classes, rng);
}

function hybrid(config: HeadConfig, body: Body, rng: Rng): HybridModel {
  const { lambda, classes } = config;
  if (!(lambda >= 0 && lambda < Infinity)) throw new Error(`hybrid: lambda must be ≥ 0 and finite, got ${lambda}`);
  const head = headOf(config, sizeOf(body.eventShape), rng.fork('head'));
  const logClasses = (z: tf.Tensor, noise?: Rng) => tf.logSoftmax(head.apply(z, noise));

  // 3 Objective: −[ln p(y | x) + λ ln p(x)], the mean over all examples, those without labels too

  const objective: Objective = {
    name: 'weighted joint',
    estimates: 'other',
    gradient: body.gradient,
    variables: [...body.variables, ...head.variables],
    loss: ({ x, y }, noise) =>
      tf.tidy(() => {
        if (!y) throw new Error('hybrid: the batch has no labels y; give each example one, −1 where it is not known');
        const { z, logProb } = body.both(x);
        const labels = logOfLabels(logClasses(z, noise.fork('head')), y); // [B]
        return labels.add(logProb.mul(lambda)).mean().neg();
      }),
  };

  // 4 Optimiser: AdamW (`learningRate`); the head overfits first, and is held back by dropout
  // 5 Training: `fit` (training/fit.ts) with a moving average of the weights. Validated by ln p(x) it forgets the labels

  return {
    ...{ eventShape: body.eventShape, classes, bijection: body.bijection, objectives: [objective] },
    logClasses: (x) => tf.tidy(() => logClasses(body.both(x).z)),
    logJoint: (x, y) =>
      tf.tidy(() => {
        const { z, logProb } = body.both(x);
        return logOfLabels(logClasses(z), y).add(logProb);
      }),

    // 6 Likelihood of new inputs: ln p(x), exact for real data and on the lattice, a bound for integers made real

    likelihood: { kind: 'exact', logProb: body.logProb },

    // 7 Sampling: x from the flow; its label from p(y | x)

    sample: sampler('hybrid', ({ count, rng: noise }) => body.draw(count, noise)),
  };
}

function createHybridFlow(config: HybridFlowConfig, rng: Rng): HybridModel {
  const D = sizeOf(config.eventShape);
  const couplings = affineCouplings({ ...config, D }, rng.fork('flow').fork('layers'));
  const bijection = chain(prepared(config), couplings, normalisation(D));
  const { toLatent, logProb, draw } = flowDensity(config, bijection, bases.normal);
  const both = (x: tf.Tensor) => ({ z: toLatent(x).z, logProb: logProb(x) });
  const { eventShape, values } = config;
  const body: Body = { eventShape, variables: bijection.variables, bijection, gradient: 'exact', logProb, both, draw };
  const real = hybrid(config, body, rng);
  if (values === null) return real;
  return {
    ...dequantised(real, { values }),
    classes: real.classes,
    logClasses: (x) => tf.tidy(() => real.logClasses(x.add(0.5))),
    logJoint: (x, y, noise) => tf.tidy(() => real.logJoint(x.add(noise.fork('dequantise').uniform(x.shape)), y, noise)),
  };
}

function createHybridIntegerFlow(config: HybridIntegerFlowConfig, rng: Rng): HybridModel {
  const { eventShape, low, high } = config;
  const flow = latticeFlow(config, rng.fork('flow'));
  const both = (x: tf.Tensor) => {
    const { z, logProb } = flow.inTraining(x);
    return { z: z.sub((low + high) / 2).div((high - low) / 2), logProb };
  };
  return hybrid(config, { ...flow, eventShape, gradient: 'surrogate', both }, rng);
}

const card: Card = {
  title: 'Hybrid on a flow',
  forward: 'O(B × weights): the flow once, and a head on its latents',
  inference: 'one pass gives z, p(x) and p(y | x)',
  sampling: 'as the flow: x, then y given x',
  objective: 'ln p(y | x) + λ ln p(x); the joint’s log-likelihood at λ = 1 alone',
  network: 'the flow’s, shared, and a small head',
  representation: 'z, as many numbers as x has, moved by what tells the classes apart',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'fast or slow',
    lossyCompression: false,
    losslessCompression: true,
    representation: true,
  },
};

const head: HeadConfig = { classes: 10, lambda: 1, columns: 8, channels: 16, blocks: 1, headHidden: [64], dropout: 0.3, inputDropout: 0.1 }; // prettier-ignore
const tinyHead: HeadConfig = { ...head, classes: 3, lambda: 0.7, columns: 0, headHidden: [4], dropout: 0, inputDropout: 0 }; // prettier-ignore

const chequered = checkerboard(8, 8);
const tinyTraining: Training = { learningRate: 0.02, batchSize: 50 };

/** A head on the latents of a RealNVP. */
export const hybridFlow: HybridFamily<HybridFlowConfig> = {
  name: 'hybrid-flow',
  reference: 'Nalisnick et al., Hybrid models with deep and invertible features (2019)',
  card: { ...card, title: 'Hybrid on a RealNVP' },
  defaults: {
    ...head,
    ...{ eventShape: [64], values: 17, domain: 'interval', low: -0.2, high: 17.2 }, // as in flow.ts
    ...{ steps: 4, hidden: [64, 64], masks: [chequered, others(64, chequered)], mixing: 'none' },
    learningRate: 0.003,
    batchSize: 50,
  },
  grid: { lambda: [0, 0.01, 0.1, 1], steps: [4, 8], dropout: [0.1, 0.3, 0.5] },
  tiny: {
    config: {
      ...{ ...tinyHead, ...tinyTraining, eventShape: [2], values: null, domain: 'reals', low: -2, high: 2 },
      ...{ steps: 2, hidden: [8], masks: [[1], [0]], mixing: 'none' },
    },
    support: { kind: 'continuous', low: -14, high: 14 },
    labels: 3,
  },
  create: createHybridFlow,
};

/** A head on the latents of an integer flow. */
export const hybridIntegerFlow: HybridFamily<HybridIntegerFlowConfig> = {
  name: 'hybrid-integer-flow',
  reference: 'Tomczak, Deep Generative Modeling (2024), chapter 6; Hoogeboom et al., Integer Discrete Flows (2019)',
  card: { ...card, title: 'Hybrid on an integer flow' },
  defaults: {
    ...head,
    ...{ eventShape: [64], width: 8, groups: 4, rounds: 1, hidden: [128], components: 5, low: 0, high: 16 },
    ...{ slope: 'difference', travel: 10, learningRate: 0.003, batchSize: 50 },
  },
  grid: { lambda: [0, 0.01, 0.1, 1], groups: [2, 4], dropout: [0.1, 0.3, 0.5] },
  tiny: {
    config: {
      ...{ ...tinyHead, ...tinyTraining, eventShape: [2], width: 2, groups: 2, rounds: 1, hidden: [3], components: 2 },
      ...{ low: -2, high: 2, slope: 'difference', travel: 1 },
    },
    support: { kind: 'discrete', values: Array.from({ length: 221 }, (_, i) => i - 110) },
    labels: 3,
  },
  create: createHybridIntegerFlow,
};

/** A family whose models also know labels. */
export interface HybridFamily<Config extends object> extends Family<Config> {
  create(config: Readonly<Config>, rng: Rng): HybridModel;
}
