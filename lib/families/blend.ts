/**
 * A blend of a generative and a discriminative model:  the same mixture with a component for every class, twice,
 *   p(x, y) = p(y | x; θ) p(x; θ̃),  with  ln p(θ, θ̃) = −‖θ − θ̃‖² / (2 σ²) + const.
 *
 * The tie between the two is what blends them, and every σ makes a model of its own right: σ → 0 is one generative model
 * p(x, y; θ), σ → ∞ a classifier beside a mixture that has nothing to say to it. A weighted sum of ln p(y | x; θ) and
 * ln p(x, y; θ) looks alike, and is the logarithm of no joint probability.
 * Source: Lasserre, Bishop and Minka, Principled hybrids of generative and discriminative models (2006).
 * Otherwise than there: tables of grey levels for Gaussians; and the weights are θ̃ and θ − a θ̃, with a from 0 to 1 as the tie
 * grows, so that a strong one is no steep valley.
 * Left out: a prior on each by itself; weight decay has that effect.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import { logCategoricalComponents, logLattice, oneHotValues } from '../core/distributions';
import { logOfLabels, type LabelledModel } from '../core/labels';
import type { Card, Family, Objective, Rng } from '../core/model';
import { categorical } from '../core/random';
import { eventRows, expectShape, logSumExp, sizeOf } from '../core/tensor';
import { constantWeight, randomWeight, weight } from '../networks/dense';
import { sampler } from '../sampling/sampler';

// 1 Family: Σ_c π_c Π_d Cat(x_d; softmax logits_cd), once with θ for the class of x, once with θ̃ for x

export interface BlendModel extends LabelledModel {
  /** How far the two are apart: ‖θ − θ̃‖², a scalar []. */
  distance(): tf.Tensor;
  /**
   * Where training is to start, since a component that is no class at first seldom becomes one: each class's table has
   * the counts of its labelled examples, and of `pseudoCount` imaginary ones with grey levels as all examples have them.
   * @param x [N, ...event] @param y [N], −1 where it is not known
   */
  start(x: tf.Tensor, y: tf.Tensor): void;
}

export interface BlendConfig {
  readonly eventShape: readonly number[];
  /** Each coordinate is an integer in 0 … values − 1. */
  readonly values: number;
  /** C */
  readonly classes: number;
  /** 1 / (N σ²) for N examples to learn from: 0 does not tie at all, and what is large makes the two one. */
  readonly tie: number;
  /** > 0 */
  readonly pseudoCount: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

// 2 Network h: none, only tables of logits: θ̃, and v = θ − a θ̃

function createBlend({ eventShape, values: V, classes: C, tie, pseudoCount }: BlendConfig, rng: Rng): BlendModel {
  requireCounts('blend', { classes: C, values: V });
  if (!(pseudoCount > 0)) throw new Error(`blend: pseudoCount must be > 0, got ${pseudoCount}`);
  if (!(tie >= 0)) throw new Error(`blend: tie must be ≥ 0, got ${tie}`);
  const D = sizeOf(eventShape);
  const pi = constantWeight([C], 0);
  const logits = randomWeight([C, D, V], rng.fork('logits'), { scale: 0.05 });
  const a = tie / (tie + HALFWAY);
  const shifts = [pi, logits].map((own) => weight(tf.tidy(() => own.mul(1 - a)))) as [tf.Variable, tf.Variable];
  const shiftedBy = (i: 0 | 1) => [pi, logits][i]!.mul(a).add(shifts[i]);
  /** ln p(x, y) of every class, by θ̃ or by θ: [B, C] */
  const joint = (x: tf.Tensor, shifted: boolean) => {
    const [p, table] = shifted ? [shiftedBy(0), shiftedBy(1)] : [pi, logits];
    return logCategoricalComponents(eventRows('blend: x', x, eventShape), table).add(tf.logSoftmax(p.expandDims(0)));
  };
  const logClasses = (x: tf.Tensor) => tf.tidy(() => tf.logSoftmax(joint(x, true)));
  const logProb = (x: tf.Tensor) => tf.tidy(() => logSumExp(joint(x, false), 1).add(logLattice(x, V)));
  const logJoint = (x: tf.Tensor, y: tf.Tensor) => tf.tidy(() => logOfLabels(logClasses(x), y).add(logProb(x)));
  const distance = () =>
    tf.tidy(() =>
      tf.addN(
        [pi, logits].map((own, i) =>
          shifts[i]!.sub(own.mul(1 - a))
            .square()
            .sum(),
        ),
      ),
    );
  const start = (x: tf.Tensor, y: tf.Tensor) =>
    tf.tidy(() => {
      const seen = oneHotValues(eventRows('blend: x', x, eventShape), V); // [N, D, V]
      expectShape('blend: y', y, [x.shape[0]!]);
      const member = y.toFloat().expandDims(1).equal(tf.range(0, C)).toFloat(); // [N, C]
      const counts = member.matMul(seen.reshape([-1, D * V]), true).reshape([C, D, V]);
      const levels = seen
        .mean(0)
        .add(1 / V)
        .mul(pseudoCount / 2); // [D, V], none of them 0
      logits.assign(counts.add(levels).log() as tf.Tensor<tf.Rank.R3>);
      pi.assign(member.sum(0).add(pseudoCount).log() as tf.Tensor1D);
      [pi, logits].forEach((own, i) => shifts[i]!.assign(own.mul(1 - a)));
    });

  // 3 Objective: −ln p(x, y; θ, θ̃), where y is known, and −ln p(x; θ̃), where it is not; and the tie, shared out

  const objective: Objective = {
    name: 'tied joint',
    estimates: 'other',
    variables: [pi, logits, ...shifts],
    loss: ({ x, y }) =>
      tf.tidy(() => {
        if (!y) throw new Error('blend: the batch has no labels y; give each example one, −1 where it is not known');
        return distance().mul(tie / 2).sub(logJoint(x, y).mean()); // prettier-ignore
      }),
  };
  return {
    ...{ eventShape, classes: C, logClasses, logJoint, distance, start, objectives: [objective] },

    // 4 Optimiser: AdamW (`learningRate`); its weight decay is the prior that keeps tables of few examples from 0
    // 5 Training: `fit` (training/fit.ts)

    // 6 Likelihood of new inputs: exact, of x by θ̃

    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: a component of the generative half, then every coordinate from its table

    sample: sampler('blend', ({ count, rng: noise }) => {
      const c = categorical(pi.expandDims(0).tile([count, 1]), noise.fork('class')) as tf.Tensor1D;
      return categorical(tf.gather(logits, c), noise.fork('x')).toFloat().reshape([count, ...eventShape]); // prettier-ignore
    }),
  };
}

/** The tie at which a is ½: about what a table's entry weighs in the loss. */
const HALFWAY = 0.001;

const card: Card = {
  title: 'Blend of a generative and a discriminative mixture',
  forward: 'O(B C D V): every class looks at every example, twice',
  inference: 'O(B C D V), exact: p(y | x) by one half, p(x) by the other',
  sampling: 'O(C + D V) for one example',
  objective: 'ln p(y | x; θ) + ln p(x; θ̃), with a Gaussian tie between θ and θ̃',
  network: 'none: two sets of tables',
  representation: 'which class an example belongs to: C numbers',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'fast',
    lossyCompression: false,
    losslessCompression: true,
    representation: true,
  },
};

/** A mixture of tables for x, and one for its class, tied to each other. */
export const blend: BlendFamily = {
  name: 'blend',
  reference: 'Lasserre, Bishop and Minka, Principled hybrids of generative and discriminative models (2006)',
  card,
  defaults: {
    eventShape: [64],
    values: 17,
    classes: 10,
    tie: 0.01,
    pseudoCount: 5,
    learningRate: 0.05,
    batchSize: 100,
  },
  grid: { tie: [0, 0.001, 0.01, 0.1, 1, 100] },
  tiny: {
    config: { eventShape: [3], values: 3, classes: 2, tie: 0.3, pseudoCount: 1, learningRate: 0.05, batchSize: 50 },
    support: { kind: 'discrete', values: [0, 1, 2] },
    labels: 2,
  },
  create: createBlend,
};

/** A family whose models also know labels, and how far their halves are apart. */
export interface BlendFamily extends Family<BlendConfig> {
  create(config: Readonly<BlendConfig>, rng: Rng): BlendModel;
}
