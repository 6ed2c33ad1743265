/**
 * Normalising flows:  p(x) = p(z) |det ∂z/∂x|  with  z = f(x), for an f that can be inverted and whose determinant has
 * a closed form.
 *
 * Members by what f is made of: additive couplings (NICE), affine couplings (RealNVP), splines over coordinates from
 * coarse to fine, planar and Sylvester maps. Integers are made real by noise (dequantisation.ts); the likelihood is
 * then a lower bound, and exact for real data.
 * Sources: Rippel and Adams (2013); Dinh, Krueger and Bengio, NICE (2015); Rezende and Mohamed (2015); Dinh,
 * Sohl-Dickstein and Bengio, RealNVP (2017); Papamakarios et al., Normalizing Flows (2021).
 * Left out: masked autoregressive flows, whose one way takes D passes, and continuous-time flows (chapter 12).
 */
import type * as tf from '@tensorflow/tfjs';
import { flowDensity, prepared, type DomainOptions } from '../bijections/density';
import { dequantised, learntNoise, uniformNoise } from '../bijections/dequantisation';
import { bases, chain, checkerboard, coarseToFine, others, type Base } from '../bijections/layers';
import { planar, sylvester, type Orthogonality } from '../bijections/matrix';
import { additiveCouplings, affineCouplings, normalisation, repeated, splineCouplings, type AffineCouplingsOptions, type SplineCouplingsOptions } from '../bijections/stacks'; // prettier-ignore
import type { Bijection, Card, Family, GenerativeModel, Latent, Rng } from '../core/model';
import { negativeLogLikelihood } from '../core/objective';
import { sizeOf } from '../core/tensor';
import { sampler } from '../sampling/sampler';

// 1 Family: a bijection, and the density of its latents

export interface FlowModel extends GenerativeModel {
  /** Of real x, also where data are integers. */
  readonly bijection: Bijection;
  /** x [B, ...event], real → z [B, D] and logDet [B] */
  toLatent(x: tf.Tensor): Latent;
  /** z [B, D] → x [B, ...event], real */
  toData(z: tf.Tensor): tf.Tensor;
}

export interface FlowConfig extends DomainOptions {
  readonly eventShape: readonly number[];
  /** Data are integers 0 … values − 1, made real by noise; null: they are real numbers. */
  readonly values: number | null;
  /** 'uniform' on [0, 1), or 'learnt': variational dequantisation. Of no effect on real data. */
  readonly noise: 'uniform' | 'learnt';
  /** Layers, or couplings; not of splines, which have one for every group. */
  readonly steps: number;
  /** Widths of the hidden layers of a coupling's network. */
  readonly hidden: readonly number[];
  readonly learningRate: number;
  readonly batchSize: number;
}

// 2 Network h: MLPs that see some coordinates and say how to move others; planar and Sylvester maps have weights alone

export interface CouplingFlowConfig extends FlowConfig, Pick<AffineCouplingsOptions, 'masks' | 'mixing'> {}

export interface SplineFlowConfig extends FlowConfig, Pick<SplineCouplingsOptions, 'groups' | 'bins' | 'spline'> {}

export interface SylvesterFlowConfig extends FlowConfig {
  /** M, the rank of the map; 'householder' and 'triangular' need M = D. */
  readonly rank: number;
  readonly orthogonality: Orthogonality;
}

/** A configuration, and the size D of its events. */
type Sized<Config extends FlowConfig> = Config & { readonly D: number };

const additiveLayers = (config: Sized<FlowConfig>, rng: Rng): Bijection =>
  chain(prepared(config), additiveCouplings(config, rng), normalisation(config.D));

const affineLayers = (config: Sized<CouplingFlowConfig>, rng: Rng): Bijection =>
  chain(prepared(config), affineCouplings(config, rng), normalisation(config.D));

function splineLayers(config: Sized<SplineFlowConfig>, rng: Rng): Bijection {
  if (config.domain === 'interval') return splineCouplings(config, rng);
  throw new Error(`flow: splines need an interval; expected domain 'interval', got '${config.domain}'`);
}

const planarLayers = (config: Sized<FlowConfig>, rng: Rng): Bijection =>
  chain(prepared(config), repeated(config, planar, rng));

function sylvesterLayers(config: Sized<SylvesterFlowConfig>, rng: Rng): Bijection {
  const layer = (D: number, here: Rng, i: number) => sylvester(D, config.rank, config.orthogonality, here, i);
  return chain(prepared(config), repeated(config, layer, rng));
}

/** ln p(x) of real x, and the contract around it. */
function createFlow(config: Sized<FlowConfig>, bijection: Bijection, base: Base, rng: Rng): FlowModel {
  const { eventShape, D, values } = config;
  const { toLatent, toData, logProb, draw } = flowDensity(config, bijection, base);
  const density: GenerativeModel = {
    eventShape,

    // 3 Objective: the mean negative log-likelihood, base and log-determinant
    objectives: [negativeLogLikelihood(bijection.variables, logProb)],

    // 4 Optimiser: AdamW (`learningRate`): weights that nothing holds back are what overfits first
    // 5 Training: `fit` (training/fit.ts), best with a moving average of the weights (`ema`)

    // 6 Likelihood of new inputs: exact for real data; for integers a lower bound, which `importanceBound` tightens
    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: latents from the base, then the bijection backwards
    sample: sampler('flow', ({ count, rng }) => draw(count, rng)),
    bijection,
  };
  if (values === null) return { ...density, bijection, toLatent, toData };
  const learnt = () => learntNoise(D, values, config.hidden[0]!, rng.fork('noise'));
  const noise = config.noise === 'uniform' ? uniformNoise : learnt();
  return { ...dequantised(density, { noise, values }), bijection, toLatent, toData };
}

const card: Card = {
  title: 'Normalising flow',
  forward: 'O(B × weights): every layer once, and its log-determinant',
  inference: 'O(weights), exact for real data: one pass gives z and p(x)',
  sampling: 'O(weights) for one example where the inverse has a closed form, else some tens of passes',
  objective: 'exact log-likelihood; of integers, a lower bound by dequantisation',
  network: 'a chain of bijections with cheap determinants; the networks inside a coupling are free',
  representation: 'z, as many numbers as x has: nothing is lost, nothing is compressed',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'fast or slow',
    lossyCompression: false,
    losslessCompression: true,
    representation: true,
  },
};

/** A family whose models also show their bijection. */
export interface FlowFamily<Config extends FlowConfig> extends Family<Config> {
  create(config: Readonly<Config>, rng: Rng): FlowModel;
}

type Parts<Config extends FlowConfig> = Pick<Family<Config>, 'name' | 'reference' | 'defaults' | 'grid' | 'tiny'> & {
  readonly title: string;
  readonly base: Base;
  layers(config: Sized<Config>, rng: Rng): Bijection;
};

function flowFamily<Config extends FlowConfig>({ title, base, layers, ...facts }: Parts<Config>): FlowFamily<Config> {
  const create = (config: Config, rng: Rng) => {
    const sized = { ...config, D: sizeOf(config.eventShape) };
    return createFlow(sized, layers(sized, rng.fork('layers')), base, rng);
  };
  return { ...facts, card: { ...card, title: `${card.title}: ${title}` }, create };
}

const digits: FlowConfig = {
  eventShape: [64],
  values: 17,
  noise: 'uniform',
  domain: 'interval',
  low: -0.2, // a margin around 0 … 17: at the ends of the interval the logit is infinite
  high: 17.2,
  steps: 8,
  hidden: [256, 256], // the book's RealNVP
  learningRate: 0.001,
  batchSize: 64,
};

const plane: FlowConfig = { ...digits, eventShape: [2], values: null, domain: 'reals', low: -2, high: 2, steps: 16, hidden: [64, 64], learningRate: 0.005, batchSize: 256 }; // prettier-ignore

const tiny: FlowConfig = { ...plane, steps: 2, hidden: [8], learningRate: 0.02, batchSize: 50 };
const support = { kind: 'continuous', low: -14, high: 14 } as const;

/** Additive couplings, which keep volume, under one scaling; logistic base. */
export const nice: FlowFamily<FlowConfig> = flowFamily({
  name: 'nice',
  reference: 'Dinh, Krueger and Bengio, NICE: non-linear independent components estimation (2015)',
  title: 'additive couplings (NICE)',
  base: bases.logistic,
  layers: additiveLayers,
  defaults: digits,
  grid: { steps: [4, 8], hidden: [[128], [256, 256]] },
  tiny: { config: tiny, support },
});

const chequered = checkerboard(8, 8);

/** Affine couplings on the two colours of a chessboard in turn; normal base. */
export const realNvp: FlowFamily<CouplingFlowConfig> = flowFamily({
  name: 'realnvp',
  reference: 'Dinh, Sohl-Dickstein and Bengio, Density estimation using RealNVP (2017)',
  title: 'affine couplings (RealNVP)',
  base: bases.normal,
  layers: affineLayers,
  defaults: { ...digits, masks: [chequered, others(64, chequered)], mixing: 'none' },
  grid: { steps: [4, 8, 12], noise: ['uniform', 'learnt'] },
  tiny: { config: { ...tiny, masks: [[1], [0]], mixing: 'none' }, support },
});

/** Splines on pixels from coarse to fine; the base is uniform. */
export const splineFlow: FlowFamily<SplineFlowConfig> = flowFamily({
  name: 'spline-flow',
  reference: 'Müller et al., Neural Importance Sampling (2019); Durkan et al., Neural Spline Flows (2019)',
  title: 'spline couplings, coarse to fine',
  base: bases.uniform,
  layers: splineLayers,
  defaults: {
    ...digits,
    low: 0,
    high: 17,
    bins: 17, // a knot at every integer: the density is constant across a cell, so uniform noise costs next to nothing
    spline: 'linear',
    groups: coarseToFine(8, 8, 2),
    steps: 1,
    hidden: [128, 128],
    learningRate: 0.002, // logits travel further than shifts
  },
  grid: { groups: [coarseToFine(8, 8, 1), coarseToFine(8, 8, 2)], hidden: [[64], [128, 128]] },
  tiny: {
    config: { ...tiny, domain: 'interval', low: 0, high: 4, bins: 4, spline: 'linear', groups: [[0], [1]] },
    support: { kind: 'continuous', low: 0, high: 4 },
  },
});

/** Rank-one maps: each folds the plane along one line. */
export const planarFlow: FlowFamily<FlowConfig> = flowFamily({
  name: 'planar-flow',
  reference: 'Rezende and Mohamed, Variational inference with normalizing flows (2015)',
  title: 'planar maps',
  base: bases.normal,
  layers: planarLayers,
  defaults: plane,
  grid: { steps: [4, 16, 32] },
  tiny: { config: tiny, support },
});

/** Maps of rank M. */
export const sylvesterFlow: FlowFamily<SylvesterFlowConfig> = flowFamily<SylvesterFlowConfig>({
  name: 'sylvester-flow',
  reference: 'Van den Berg et al., Sylvester normalizing flows for variational inference (2018)',
  title: 'Sylvester maps',
  base: bases.normal,
  layers: sylvesterLayers,
  defaults: { ...plane, rank: 2, orthogonality: 'householder' },
  grid: { steps: [4, 16], orthogonality: ['orthogonal', 'householder', 'triangular'] },
  tiny: { config: { ...tiny, rank: 2, orthogonality: 'orthogonal' }, support },
});
