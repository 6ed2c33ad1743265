/**
 * A density of real numbers as a Gaussian tilted by a network:  p(x) ∝ N(x; centre, (spread · scale)² I) exp f((x − centre) / scale).
 *
 * However f grows, it grows more slowly than the Gaussian falls (networks of linear layers and swish grow linearly), so
 * that Z = E exp f under the Gaussian is finite. Source: Xie et al., A theory of generative ConvNet (2016). Chains of
 * training, and of samples, are here, since a single energy and a classifier's need the same.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Rng, SampleOptions } from '../core/model';
import { detach, eventRows, sizeOf } from '../core/tensor';
import { LOG_2PI } from '../core/distributions';
import { langevinStep } from '../diffusion/langevin';
import { sampler, type EngineSampler } from '../sampling/sampler';
import { adjustedLangevin, adjustedLangevinStep, energyAndScore, type NegEnergy } from './adjusted-langevin';
import { annealing, type AnnealedLogZ, type AnnealingOptions } from './annealing';
import { contrast } from './contrasts';
import { replay } from './replay';

/** Where data lie. */
export interface TiltedData {
  readonly eventShape: readonly number[];
  /** The network sees (x − centre) / scale, which is called a row. */
  readonly centre: number;
  readonly scale: number;
  /** Deviation of the Gaussian, in rows. */
  readonly spread: number;
}

/** How samples are come by in training. */
export interface ChainOptions {
  /** K: Langevin steps of a step of training. */
  readonly steps: number;
  /** η: x ← x + η ∇ ln p̃(x) + √(2 η T) ξ, in rows. */
  readonly eta: number;
  /** T: 1 are samples of p; less are samples of p^(1/T), nearer to its hills. */
  readonly temperature: number;
  /** M: chains that go on from step to step, at least a batch. */
  readonly chains: number;
  /** Share of the chains that starts anew, from the Gaussian, at every step. */
  readonly restart: number;
  /** Of the mean square of f, at data and samples (Du and Mordatch, 2019): keeps both near 0, where only their difference is learnt. */
  readonly penalty: number;
}

/** Of a sample: Metropolis-adjusted steps from the Gaussian. */
export interface SamplerChain {
  readonly samplerSteps: number;
  readonly samplerEta: number;
}

export interface Tilted {
  /** [B, ...event] → [B, D]. @throws where x has another shape */
  rowsOf(x: tf.Tensor): tf.Tensor;
  /** ln p(x) + ln Z: [B, ...event] → [B] */
  negEnergy(x: tf.Tensor): tf.Tensor;
  /** ∇ ln p(x): [B, ...event] → the same */
  score(x: tf.Tensor): tf.Tensor;
  /** The same of rows, and up to another constant: [B, D] → [B] */
  readonly ofRows: NegEnergy;
  /** Draws of the Gaussian: [count, D] */
  base(count: number, rng: Rng): tf.Tensor;
  /** ln Z by annealing from the Gaussian, whose ln Z is 0. @param eta of its steps. Default: samplerEta */
  logPartition(options: AnnealingOptions & { readonly eta?: number }): AnnealedLogZ;
  readonly sample: EngineSampler;
}

/** @param f of rows: [B, D] → [B] @param who speaks in its errors */
export function tilted(data: TiltedData & SamplerChain, f: NegEnergy, who: string): Tilted {
  const { eventShape, centre, scale, spread, samplerSteps, samplerEta } = data;
  const D = sizeOf(eventShape);
  checkData(data, who);
  const rowsOf = (x: tf.Tensor) => tf.tidy(() => eventRows(`${who}: x`, x, eventShape).sub(centre).div(scale));
  const bell = (rows: tf.Tensor) => rows.div(spread).square().sum(1).mul(-0.5); // [B]
  const ofRows: NegEnergy = (rows) => tf.tidy(() => f(rows).add(bell(rows)));
  const constant = D * (LOG_2PI / 2 + Math.log(spread * scale)); // of the Gaussian in the data's own units
  const base = (count: number, rng: Rng) => tf.tidy(() => rng.normal([count, D]).mul(spread));
  const chains = { auto: adjustedLangevin(ofRows), eager: adjustedLangevin(ofRows, 'eager') };
  const anneal = annealing({
    logZ0: () => tf.scalar(0),
    start: base,
    negEnergy: (rows, beta) => f(rows).mul(beta).add(bell(rows)).sub(D * (LOG_2PI / 2 + Math.log(spread))), // prettier-ignore
    move(rows, beta, rng, step) {
      const at: NegEnergy = (x) => f(x).mul(beta).add(bell(x));
      const { value, score } = energyAndScore(at, rows);
      return adjustedLangevinStep(at, [rows, value, score], step, rng).state[0];
    },
  });
  return {
    ...{ rowsOf, ofRows, base },
    negEnergy: (x) => tf.tidy(() => ofRows(rowsOf(x)).sub(constant)),
    score: (x) => tf.tidy(() => energyAndScore(ofRows, rowsOf(x)).score.div(scale).reshape(x.shape)),
    logPartition({ eta = samplerEta, ...options }) {
      const step = tf.scalar(eta);
      const result = anneal(options, step);
      step.dispose();
      return result;
    },
    sample: sampler<SampleOptions>(
      who,
      ({ count, rng, engine }) => {
        const run = { steps: samplerSteps, eta: samplerEta, rng: rng.fork('chain') };
        const { x } = chains[engine](base(count, rng.fork('start')), run);
        return x
          .mul(scale)
          .add(centre)
          .reshape([count, ...eventShape]);
      },
      { loops: chains },
    ),
  };
}

function checkData({ scale, spread, samplerSteps, samplerEta }: TiltedData & SamplerChain, who: string): void {
  requireCounts(who, { samplerSteps });
  for (const [name, value] of Object.entries({ scale, spread, samplerEta }))
    if (!(value > 0)) throw new Error(`${who}: ${name} must be above 0, got ${value}`);
}

/** A step of training by chains: the contrast [] of these rows with samples, and the chains' memory. */
export interface ChainTraining {
  readonly memory: readonly tf.Variable[];
  /** @param f as of `tilted` */
  contrast(rows: tf.Tensor, rng: Rng): { readonly loss: tf.Tensor; readonly memory: readonly tf.Tensor[] };
}

/** Langevin chains that go on from step to step, and the penalty. */
export function chainTraining(
  { ofRows, base }: Pick<Tilted, 'ofRows' | 'base'>,
  f: NegEnergy,
  options: ChainOptions,
  rng: Rng,
  who: string,
): ChainTraining {
  const { steps, eta, temperature, chains, restart, penalty } = options;
  requireCounts(who, { steps, chains });
  if (!(eta > 0)) throw new Error(`${who}: eta must be above 0, got ${eta}`);
  if (!(temperature >= 0)) throw new Error(`${who}: temperature must not be below 0, got ${temperature}`);
  const { memory, next, after } = replay(base(chains, rng), restart, who);
  return {
    memory: [memory],
    contrast: (rows, noise) => {
      const count = rows.shape[0]!;
      let x = next(count, base(count, noise.fork('fresh')), noise.fork('restart'));
      for (let taken = 0; taken < steps; taken++) {
        const shake = noise.fork(`step ${taken}`).normal(x.shape).mul(Math.sqrt(temperature));
        x = langevinStep(x, energyAndScore(ofRows, x).score, eta, shake);
      }
      const model = detach(x); // no gradient through how the samples came about
      const squares = penalty === 0 ? 0 : f(rows).square().mean().add(f(model).square().mean()).mul(penalty); // prettier-ignore
      return { loss: contrast(ofRows(rows), ofRows(model)).add(squares), memory: [after(model)] };
    },
  };
}
