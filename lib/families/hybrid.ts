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
import { dequantised } from '../bijections/dequantisation';
import { requireCounts } from '../core/counts';
import { logOfLabels } from '../core/labels';
import type { Bijection, Card, Family, GenerativeModel, Likelihood, Objective, Rng, Sampler } from '../core/model';
import { sizeOf } from '../core/tensor';
import { convolutionalEncoder, denseEncoder } from '../latents/networks';
import type { Network } from '../networks/dense';
import { realNvp, type CouplingFlowConfig } from './flow';
import { integerFlow, type IntegerFlowConfig } from './integer-flow';

// 1 Family: a flow's p(x), and p(y | z) of its latents

export interface HybridModel extends GenerativeModel {
  /** C */
  readonly classes: number;
  /** ln p(y | x): [B, ...event] → [B, C]. Of integers made real by noise, that of the middle of their cell. */
  logClasses(x: tf.Tensor): tf.Tensor;
  /** ln p(x, y), or its lower bound where `likelihood` is one; ln p(x) where y is −1: x [B, ...event], y [B] → [B] */
  logJoint(x: tf.Tensor, y: tf.Tensor, rng: Rng): tf.Tensor;
}

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

export interface HybridFlowConfig extends Omit<CouplingFlowConfig, 'noise'>, HeadConfig {}

export interface HybridIntegerFlowConfig extends IntegerFlowConfig, HeadConfig {}

/** A flow, as a hybrid needs it. */
interface Body {
  readonly eventShape: readonly number[];
  readonly variables: readonly tf.Variable[];
  readonly bijection: Bijection;
  readonly likelihood: Likelihood & { readonly kind: 'exact' };
  readonly sample: Sampler;
  readonly gradient: 'exact' | 'surrogate';
  /** z as the head sees it [B, D], and ln p(x) [B] */
  both(x: tf.Tensor): { readonly z: tf.Tensor; readonly logProb: tf.Tensor };
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
  if (!(lambda >= 0)) throw new Error(`hybrid: lambda must be ≥ 0, got ${lambda}`);
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

    likelihood: body.likelihood,

    // 7 Sampling: x from the flow; its label from p(y | x)

    sample: body.sample,
  };
}

const exactly = (model: GenerativeModel): Body['likelihood'] => {
  if (model.likelihood.kind !== 'exact') throw new Error(`hybrid: a ${model.likelihood.kind} likelihood is not exact`);
  return { kind: 'exact', logProb: model.likelihood.logProb };
};

function createHybridFlow(config: HybridFlowConfig, rng: Rng): HybridModel {
  const flow = realNvp.create({ ...config, noise: 'uniform', values: null }, rng.fork('flow'));
  const likelihood = exactly(flow);
  const none = rng.fork('none'); // an exact density draws nothing
  const real = hybrid(
    config,
    {
      ...{ eventShape: flow.eventShape, variables: flow.bijection.variables, bijection: flow.bijection },
      ...{ sample: flow.sample, gradient: 'exact', likelihood },
      both: (x) => ({ z: flow.toLatent(x).z, logProb: likelihood.logProb(x, none) }),
    },
    rng,
  );
  if (config.values === null) return real;
  return {
    ...dequantised(real, { values: config.values }),
    classes: real.classes,
    logClasses: (x) => tf.tidy(() => real.logClasses(x.add(0.5))),
    logJoint: (x, y, noise) => tf.tidy(() => real.logJoint(x.add(noise.fork('dequantise').uniform(x.shape)), y, noise)),
  };
}

function createHybridIntegerFlow(config: HybridIntegerFlowConfig, rng: Rng): HybridModel {
  const flow = integerFlow.create(config, rng.fork('flow'));
  const { low, high } = config;
  return hybrid(
    config,
    {
      ...{ eventShape: flow.eventShape, bijection: flow.bijection, sample: flow.sample },
      variables: flow.objectives[0]!.variables,
      likelihood: exactly(flow),
      gradient: 'surrogate',
      both(x) {
        const { z, logProb } = flow.inTraining(x);
        return { z: z.sub((low + high) / 2).div((high - low) / 2), logProb };
      },
    },
    rng,
  );
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

/** Uniform noise is all that a hybrid takes. */
function withoutNoise(config: CouplingFlowConfig): Omit<CouplingFlowConfig, 'noise'> {
  const kept: Partial<CouplingFlowConfig> = { ...config };
  delete (kept as { noise?: string }).noise;
  return kept as Omit<CouplingFlowConfig, 'noise'>;
}

const head: HeadConfig = { classes: 10, lambda: 1, columns: 8, channels: 16, blocks: 1, headHidden: [64], dropout: 0.3, inputDropout: 0.1 }; // prettier-ignore
const tinyHead: HeadConfig = { ...head, classes: 3, lambda: 0.7, columns: 0, headHidden: [4], dropout: 0, inputDropout: 0 }; // prettier-ignore

/** A head on the latents of a RealNVP. */
export const hybridFlow: HybridFamily<HybridFlowConfig> = {
  name: 'hybrid-flow',
  reference: 'Nalisnick et al., Hybrid models with deep and invertible features (2019)',
  card: { ...card, title: 'Hybrid on a RealNVP' },
  defaults: { ...withoutNoise(realNvp.defaults), hidden: [64, 64], ...head },
  grid: { lambda: [0, 0.01, 0.1, 1], steps: [4, 8], dropout: [0.1, 0.3, 0.5] },
  tiny: { ...realNvp.tiny, config: { ...withoutNoise(realNvp.tiny.config), ...tinyHead }, labels: 3 },
  create: createHybridFlow,
};

/** A head on the latents of an integer flow. */
export const hybridIntegerFlow: HybridFamily<HybridIntegerFlowConfig> = {
  name: 'hybrid-integer-flow',
  reference: 'Tomczak, Deep Generative Modeling (2024), chapter 6; Hoogeboom et al., Integer Discrete Flows (2019)',
  card: { ...card, title: 'Hybrid on an integer flow' },
  defaults: { ...integerFlow.defaults, groups: 4, ...head },
  grid: { lambda: [0, 0.01, 0.1, 1], groups: [2, 4], dropout: [0.1, 0.3, 0.5] },
  tiny: { ...integerFlow.tiny, config: { ...integerFlow.tiny.config, ...tinyHead }, labels: 3 },
  create: createHybridIntegerFlow,
};

/** A family whose models also know labels. */
export interface HybridFamily<Config extends object> extends Family<Config> {
  create(config: Readonly<Config>, rng: Rng): HybridModel;
}
