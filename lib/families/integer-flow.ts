/**
 * Integer discrete flows:  p(x) = p(z)  with  z = f(x),  for a bijection f of ℤ^D onto itself.
 *
 * A bijection of a discrete set only renames its points, so no Jacobian is needed, and integers need no noise to be made
 * real. f is a chain of additive steps, x_b + round(t(x_a)); p(z) is a product of mixtures of discretised logistics.
 * Sources: Hoogeboom, Peters, van den Berg and Welling, Integer Discrete Flows (2019); Tomczak, General Invertible
 * Transformations for Flow-based Generative Modeling (2021); Bengio, Léonard and Courville (2013) for straight-through
 * gradients; Salimans et al., PixelCNN++ (2017) for mixtures of discretised logistics.
 * Left out: factoring half of the latents out after each level, with a prior that sees the rest (a multi-scale IDF).
 *
 * Integers are exact in float32 up to 2²⁴, and so are the half-integers of the prior up to 2²³ = 8,388,608. A
 * translation is rounded from a float32 sum: where the sum lies within its rounding error of a half-integer, another
 * machine, or another batch size, may round it the other way. A coder has to run both ways on the same program.
 */
import type * as tf from '@tensorflow/tfjs';
import { latticeFlow, type LatticeFlow, type LatticeFlowOptions } from '../bijections/lattice-flow';
import type { Bijection, Card, Family, GenerativeModel, Rng } from '../core/model';
import { negativeLogLikelihood } from '../core/objective';
import { sampler } from '../sampling/sampler';

// 1 Family: integers, moved by integers (`integerSteps`), and a distribution over ℤ

export interface IntegerFlowModel
  extends GenerativeModel, Pick<LatticeFlow, 'steps' | 'toLatent' | 'toData' | 'logPrior'> {
  readonly bijection: Bijection;
}

export interface IntegerFlowConfig extends LatticeFlowOptions {
  readonly learningRate: number;
  readonly batchSize: number;
}

// 2 Network h: an MLP for every step, which sees all coordinates but those it moves; and the prior's table of weights

function createIntegerFlow(config: IntegerFlowConfig, rng: Rng): IntegerFlowModel {
  const flow = latticeFlow(config, rng);
  const { steps, bijection, toLatent, toData, logPrior, logProb } = flow;
  const slopes = (x: tf.Tensor) => flow.inTraining(x).logProb;
  return {
    ...{ eventShape: config.eventShape, steps, bijection, toLatent, toData, logPrior },

    // 3 Objective: the mean negative log-likelihood. As far as the networks are concerned its slope is 0 almost
    // everywhere; what goes backwards instead goes straight through the roundings

    objectives: [{ ...negativeLogLikelihood(flow.variables, slopes), gradient: 'surrogate' }],

    // 4 Optimiser: AdamW (`learningRate`) with little weight decay: more pulls the translations back to 0
    // 5 Training: `fit` (training/fit.ts), best with a moving average of the weights (`ema`)

    // 6 Likelihood of new inputs: exact

    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: integers from the prior, then all steps undone, the last one first

    sample: sampler('integerFlow', ({ count, rng: noise }) => flow.draw(count, noise)),
  };
}

const card: Card = {
  title: 'Integer discrete flow',
  forward: 'O(B × weights): every step’s network once; no Jacobian',
  inference: 'the same: z = f(x), and x = f⁻¹(z) without loss',
  sampling: 'the same, for any number of examples at once: z from the prior, then the steps undone',
  objective: 'exact log-likelihood; gradients straight through the roundings, which are biased',
  network: 'one for every step, without restriction: it is never inverted',
  representation: 'integers z, as many as x has, without loss',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'fast',
    lossyCompression: false,
    losslessCompression: true,
    representation: true,
  },
};

/** Additive integer steps under a product of discretised logistic mixtures. */
export const integerFlow: IntegerFlowFamily = {
  name: 'integer-flow',
  reference: 'Hoogeboom et al., Integer Discrete Flows and Lossless Compression (2019)',
  card,
  defaults: {
    eventShape: [64],
    width: 8,
    groups: 2,
    rounds: 1, // more overfit the digits, and train worse: each passes its gradient through the roundings of the next
    hidden: [128],
    components: 5,
    low: 0,
    high: 16,
    slope: 'difference',
    travel: 10, // the prior's weights have some units to go, the networks' some tenths
    learningRate: 0.001,
    batchSize: 64,
  },
  grid: { groups: [2, 4, 8], rounds: [1, 2], components: [1, 3, 5], slope: ['derivative', 'difference'] },
  tiny: {
    config: {
      eventShape: [2],
      width: 2,
      groups: 2,
      rounds: 1,
      hidden: [3],
      components: 2,
      low: -2,
      high: 2,
      slope: 'difference',
      travel: 1,
      learningRate: 0.01,
      batchSize: 50,
    },
    support: { kind: 'discrete', values: Array.from({ length: 221 }, (_, i) => i - 110) },
  },
  create: createIntegerFlow,
};

/** A family whose models also map data to latents and back. */
export interface IntegerFlowFamily extends Family<IntegerFlowConfig> {
  create(config: Readonly<IntegerFlowConfig>, rng: Rng): IntegerFlowModel;
}
