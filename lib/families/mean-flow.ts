/**
 * Mean flow:  noise to data in one step, by a network for the average velocity u(z, t, s) over the time from t to s.
 *
 * (s − t) u(z_t, t, s) = ∫_t^s v dτ along the path through z_t. Its derivative by t along that path gives what has to
 * hold at every place by itself, u = v + (s − t) (∂_t u + J_z u · v), with the path's velocity x − ε in place of v: no
 * solver, no teacher. A sample is ε + u(ε, 0, 1), and nobody says how likely it is.
 * Sources: Geng et al., Mean flows for one-step generative modeling (2025); Song et al., Consistency models (2023).
 * Left out: guidance, several steps in training.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Family, GenerativeModel, Objective, Rng, SampleOptions } from '../core/model';
import { detach, sizeOf } from '../core/tensor';
import { directional } from '../diffusion/divergence';
import { dataCoordinates, type DataCoordinates } from '../diffusion/flow-model';
import { timedNetwork, type TimedNetwork } from '../diffusion/timed-networks';
import { sampler, type EngineSampler } from '../sampling/sampler';

// 1 Family: x = ε + u(ε, 0, 1), or in some steps: z_s = z_t + (s − t) u(z_t, t, s)

export interface MeanFlowConfig {
  readonly eventShape: readonly number[];
  readonly centre: number;
  readonly scale: number;
  readonly hidden: readonly number[];
  /** Of the batch, how much has s > t; the rest, with s = t, learns v itself. */
  readonly share: number;
  /** A pair's loss is divided by (its square + a little)^power: above 0, few pairs of large error count less. */
  readonly power: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface MeanFlowSampleOptions extends SampleOptions {
  /** Default: 1 */
  readonly steps?: number;
}

export interface MeanFlowModel extends GenerativeModel {
  /** u, in the coordinates (x − centre) / scale: z [B, D], t ≤ s [B] → [B, D] */
  meanVelocity(z: tf.Tensor, t: tf.Tensor, s: tf.Tensor): tf.Tensor;
  readonly sample: EngineSampler<MeanFlowSampleOptions>;
}

// 2 Network h: dense layers over z, and waves of t and of s − t

const meanVelocityOf = (network: TimedNetwork) => (z: tf.Tensor, t: tf.Tensor, s: tf.Tensor) =>
  tf.tidy(() => network.apply(z, tf.stack([t, s.sub(t)], 1)));

function createMeanFlow(config: MeanFlowConfig, rng: Rng): MeanFlowModel {
  const { eventShape, share, power } = config;
  if (!(share >= 0 && share <= 1)) throw new Error(`meanFlow: share must be from 0 to 1, got ${share}`);
  if (!(power >= 0 && power <= 1)) throw new Error(`meanFlow: power must be from 0 to 1, got ${power}`);
  const D = sizeOf(eventShape);
  const dense = { D, columns: 0, hidden: config.hidden, channels: 0, blocks: 0, dropout: 0 };
  const network = timedNetwork(dense, rng.fork('network'), 2);
  const meanVelocity = meanVelocityOf(network);
  const coordinates = dataCoordinates({ ...config, values: null, divergence: 'exact' }, 'meanFlow');
  return {
    eventShape,
    meanVelocity,

    // 3 Objective: least squares to what u itself says it should be
    objectives: [objectiveOf(config, network, coordinates)],

    // 4 Optimiser: Adam (`learningRate`), with `ema` in `fit`
    // 5 Training: `fit` (training/fit.ts)

    // 6 Likelihood of new inputs: none. u is no flow that could be followed back
    likelihood: { kind: 'implicit' },

    // 7 Sampling: one evaluation, or a few
    sample: sampler<MeanFlowSampleOptions>(
      'meanFlow',
      ({ count, rng: noise, steps = 1 }) => {
        const at = (i: number) => tf.fill([count], i / steps);
        let z: tf.Tensor = noise.fork('start').normal([count, D]);
        for (let i = 0; i < steps; i++) z = z.add(meanVelocity(z, at(i), at(i + 1)).div(steps));
        return coordinates.eventsOf(z);
      },
      { takes: { steps: (steps) => requireCounts('meanFlow.sample', { steps }) } },
    ),
  };
}

function objectiveOf({ share, power }: MeanFlowConfig, network: TimedNetwork, { rowsOf }: DataCoordinates): Objective {
  const u = meanVelocityOf(network);
  return {
    name: 'mean flow',
    estimates: 'other',
    gradient: 'surrogate', // what u should be is taken as given, though u is in it
    variables: network.variables,
    loss: ({ x: data }, rng) =>
      tf.tidy(() => {
        const x = rowsOf(data);
        const [B, D] = x.shape as [number, number];
        const noise = rng.fork('noise').normal([B, D]);
        const { t, s } = drawnTimes(B, share, rng.fork('times'));
        const z = noise.mul(tf.sub(1, t.expandDims(1))).add(x.mul(t.expandDims(1)));
        const v = x.sub(noise);
        const wanted = detach(v.add(alongPath(u, { z, t, s, v }).mul(s.sub(t).expandDims(1))));
        const squares = u(z, t, s).sub(wanted).square().sum(1); // prettier-ignore
        return squares.mul(detach(squares.add(1e-3).pow(-power))).mean();
      }),
  };
}

/** t ≤ s, both even; equal for a share of the pairs. */
function drawnTimes(B: number, share: number, rng: Rng) {
  const [a, b] = [rng.fork('a').uniform([B]), rng.fork('b').uniform([B])];
  const t = tf.minimum(a, b);
  const apart = rng.fork('apart').uniform([B]).less(share);
  return { t: tf.where(apart, t, a), s: tf.where(apart, tf.maximum(a, b), a) };
}

interface OnPath {
  readonly z: tf.Tensor;
  readonly t: tf.Tensor;
  readonly s: tf.Tensor;
  readonly v: tf.Tensor;
}

/** ∂_t u + J_z u · v, where s stays: one direction of (z, t) together. [B, D] */
function alongPath(u: MeanFlowModel['meanVelocity'], { z, t, s, v }: OnPath): tf.Tensor {
  const D = z.shape[1]!;
  const joint = (w: tf.Tensor) => {
    const [place, time] = tf.split(w, [D, 1], 1) as [tf.Tensor, tf.Tensor];
    return u(place, time.squeeze([1]), s);
  };
  return directional(joint, tf.concat([z, t.expandDims(1)], 1), tf.concat([v, tf.onesLike(t).expandDims(1)], 1));
}

export interface MeanFlowFamily extends Family<MeanFlowConfig> {
  create(config: Readonly<MeanFlowConfig>, rng: Rng): MeanFlowModel;
}

const defaults: MeanFlowConfig = {
  eventShape: [2],
  centre: 0,
  scale: 1,
  hidden: [128, 128, 128],
  share: 0.5,
  power: 0, // above 0 it is no least squares any more, and what is learnt no mean: samples are too narrow
  learningRate: 0.002,
  batchSize: 256,
};

/** Flow matching that learnt where its paths end. */
export const meanFlow: MeanFlowFamily = {
  name: 'mean-flow',
  reference: 'Geng et al., Mean flows for one-step generative modeling (2025)',
  card: {
    title: 'Mean flow',
    forward: 'O(B × weights): a pass, and one along the path, which costs some three more',
    inference: 'none: no likelihood',
    sampling: 'one evaluation, or a few',
    objective: 'least squares of the average velocity to what its own derivative says it should be',
    network: 'free: z and two times in, a velocity out',
    representation: 'none',
    row: {
      training: 'stable',
      likelihood: 'none',
      sampling: 'fast',
      lossyCompression: false,
      losslessCompression: false,
      representation: false,
    },
  },
  defaults,
  grid: { share: [0.25, 0.5, 0.75], power: [0, 0.5, 1] },
  tiny: {
    config: { ...defaults, hidden: [8], learningRate: 0.01, batchSize: 50 },
    support: { kind: 'continuous', low: -14, high: 14 },
  },
  create: createMeanFlow,
};
