/**
 * Flow matching:  a velocity v(z, t) that moves noise at t = 0 to data at t = 1, learnt without a solver.
 *
 * Between a draw ε of noise and an example x lies the straight path z_t = (1 − t) ε + t x, of velocity x − ε. Its mean
 * over all pairs that pass through z at t, v(z, t) = E[x − ε | z_t = z], has the same marginals as the paths together,
 * and is what the least squares E‖v(z_t, t) − (x − ε)‖² find. The likelihood is that of a continuous flow.
 * Sources: Lipman et al., Flow matching for generative modeling (2023); Liu, Gong and Liu, Rectified flow (2023);
 * Albergo and Vanden-Eijnden, Stochastic interpolants (2023); Tong et al. (2024) for pairs by optimal transport.
 * Left out: other paths than straight ones; labels.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import { LOG_2PI } from '../core/distributions';
import type { Bijection, Family, GenerativeModel, Objective, Rng, SampleOptions } from '../core/model';
import { sizeOf } from '../core/tensor';
import { continuousFlow, type ContinuousFlow } from '../diffusion/continuous-flow';
import { dataCoordinates, flowModel, type DataCoordinates, type FlowData } from '../diffusion/flow-model';
import type { SolverName } from '../diffusion/ode';
import { pairByTransport } from '../diffusion/pairings';
import { timedNetwork, type TimedNetwork, type TimedOptions } from '../diffusion/timed-networks';
import { stratifiedTimes } from '../diffusion/times';
import { sampler, type EngineSampler } from '../sampling/sampler';

// 1 Family: p(x) is where noise comes to rest, ln p(x) = ln N(z_0; 0, I) − ∫ div v dt along the path that ends at x

export interface FlowMatchingConfig extends FlowData, Omit<TimedOptions, 'D'> {
  /** Which noise goes to which example of a batch: any, or the one that makes all paths together shortest. */
  readonly pairing: 'independent' | 'transport';
  readonly solver: SolverName;
  /** Of the solver, in samples and likelihoods. */
  readonly steps: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface FlowSampleOptions extends SampleOptions {
  /** Default: the configuration's. */
  readonly steps?: number;
  readonly solver?: SolverName;
}

export interface FlowMatchingModel extends GenerativeModel {
  /** In the coordinates (x − centre) / scale: rows [B, D]. */
  readonly flow: ContinuousFlow;
  readonly coordinates: DataCoordinates;
  readonly bijection: Bijection;
  readonly sample: EngineSampler<FlowSampleOptions>;
}

/** What a velocity says at z_t = (1 − t) ε + t x, in other words: [B, D] each. */
export interface Views extends tf.TensorContainerObject {
  /** E[x | z_t] = z + (1 − t) v */
  readonly data: tf.Tensor;
  /** E[ε | z_t] = z − t v */
  readonly noise: tf.Tensor;
  /** ∇ ln p_t(z) = −E[ε | z_t] / (1 − t): of no use at t = 1, where there is no noise. */
  readonly score: tf.Tensor;
}

/** One network, three views. @param t [B] */
export function viewsOf(z: tf.Tensor, v: tf.Tensor, t: tf.Tensor): Views {
  return tf.tidy(() => {
    const [passed, left] = [t.expandDims(1), tf.sub(1, t).expandDims(1)];
    const noise = z.sub(v.mul(passed));
    return { data: z.add(v.mul(left)), noise, score: noise.div(left).neg() };
  });
}

// 2 Network h: dense layers over z and waves of t, or convolutions over a picture

const velocityOf = (network: TimedNetwork) => (z: tf.Tensor, t: tf.Tensor, noise?: Rng) =>
  tf.tidy(() => network.apply(z, t.expandDims(1), noise));

function createFlowMatching(config: FlowMatchingConfig, rng: Rng): FlowMatchingModel {
  const D = sizeOf(config.eventShape);
  requireCounts('flowMatching', { steps: config.steps });
  const network = timedNetwork({ ...config, D }, rng.fork('network'));
  const flow = continuousFlow({
    ...{ variables: network.variables, D, noiseTime: 0, dataTime: 1, spread: 1 },
    velocity: velocityOf(network),
    logBase: (z) => tf.tidy(() => z.square().add(LOG_2PI).sum(1).mul(-0.5)),
    solver: config.solver,
    steps: config.steps,
  });
  const coordinates = dataCoordinates(config, 'flowMatching');
  return {
    flow,
    coordinates,
    ...flowModel(
      config,
      // 3 Objective: least squares of the velocity at one time of one path an example
      { flow, objective: objectiveOf(config, network), where: 'flowMatching' },

      // 4 Optimiser: Adam (`learningRate`), with `ema` in `fit`: the loss is of random times and pairs
      // 5 Training: `fit` (training/fit.ts); no solver runs in it
      // 6 Likelihood of new inputs: the path backwards, exact within the solver's error (flow-model.ts)

      // 7 Sampling: the path forwards
      flowSampler(flow, coordinates, D),
    ),
  };
}

function objectiveOf(config: FlowMatchingConfig, network: TimedNetwork): Objective {
  const { rowsOf } = dataCoordinates({ ...config, values: null }, 'flowMatching');
  const velocity = velocityOf(network);
  return {
    name: 'flow matching',
    estimates: 'other',
    variables: network.variables,
    loss: ({ x: data }, rng) =>
      tf.tidy(() => {
        const rows = rowsOf(data);
        const noise = rng.fork('noise').normal(rows.shape);
        const x = config.pairing === 'transport' ? pairByTransport(noise, rows, rng.fork('pairs')) : rows;
        const t = stratifiedTimes(rows.shape[0]!, rng.fork('times'));
        const share = t.expandDims(1);
        const z = noise.mul(tf.sub(1, share)).add(x.mul(share));
        const guess = velocity(z, t, rng.fork('dropout'));
        return guess.sub(x.sub(noise)).square().sum(1).mean(); // prettier-ignore
      }),
  };
}

function flowSampler(flow: ContinuousFlow, { eventsOf }: DataCoordinates, D: number): EngineSampler<FlowSampleOptions> {
  const body = ({ count, rng, steps, solver, engine }: SampleArguments) =>
    eventsOf(
      flow.toData(rng.fork('start').normal([count, D]), { engine, ...(steps && { steps }), ...(solver && { solver }) }),
    );
  return sampler<FlowSampleOptions>('flowMatching', body, {
    loops: { auto: flow, eager: flow },
    takes: {
      steps: (steps) => requireCounts('flowMatching.sample', { steps }),
      solver: () => undefined, // the solver says which there are
    },
  });
}

type SampleArguments = FlowSampleOptions & { readonly engine: 'auto' | 'eager' };

export interface FlowMatchingFamily extends Family<FlowMatchingConfig> {
  create(config: Readonly<FlowMatchingConfig>, rng: Rng): FlowMatchingModel;
}

const defaults: FlowMatchingConfig = {
  eventShape: [2],
  values: null,
  centre: 0,
  scale: 1,
  columns: 0,
  hidden: [128, 128, 128],
  channels: 32,
  blocks: 3,
  dropout: 0,
  divergence: 'exact',
  pairing: 'independent',
  solver: 'dormand-prince',
  steps: 16, // 96 evaluations: twice as many change no likelihood of the ring by 0.01
  learningRate: 0.002,
  batchSize: 256,
};

/** A network that says, of every place and time, which way and how fast. */
export const flowMatching: FlowMatchingFamily = {
  name: 'flow-matching',
  reference: 'Lipman et al., Flow matching for generative modeling (2023)',
  card: {
    title: 'Flow matching',
    forward: 'O(B × weights), one pass at one random time an example',
    inference: 'S evaluations of the velocity and its divergence: D backward passes each, or one for an estimate',
    sampling: 'S evaluations, one after the other, for all coordinates at once',
    objective: 'least squares of the velocity of straight paths from noise to data',
    network: 'free: z and t in, a velocity out',
    representation: 'the noise that x comes from: as many numbers as x has',
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
    hidden: [
      [64, 64],
      [128, 128, 128],
    ],
    pairing: ['independent', 'transport'],
  },
  tiny: {
    // few and simple steps, since all of them are written out where a likelihood is compiled
    config: { ...defaults, hidden: [8], solver: 'runge-kutta', steps: 6, learningRate: 0.01, batchSize: 50 },
    support: { kind: 'continuous', low: -14, high: 14 },
  },
  create: createFlowMatching,
};
