/** Tiny autoencoders with every prior and every posterior that a configuration can name. */
import * as tf from '@tensorflow/tfjs';
import {
  createRng,
  enumerate,
  exactLogProb,
  importanceBound,
  priorGrid,
  vae,
  variablesOf,
  type Likelihood,
  type PosteriorOptions,
  type PriorOptions,
  type VaeConfig,
  type VariationalModel,
} from 'dgm';
import { expect } from 'vitest';
import type { Law } from '../../laws/law';
import { laws, lawsOf } from '../../laws/laws';
import { specimenOf, type Specimen } from '../../laws/specimen';
import { expectClose, mean, read, standardError } from '../../helpers';

export const priorsByName: readonly (readonly [string, PriorOptions, Partial<VaeConfig>])[] = [
  ['mixture', { kind: 'mixture', components: 3 }, {}],
  ['VampPrior', { kind: 'vamp', components: 3 }, {}],
  ['VampPrior of reflected posteriors', { kind: 'vamp', components: 2 }, { latent: 2, posterior: { kind: 'householder', reflections: 1 } }], // prettier-ignore
  ['resampled', { kind: 'resampled', hidden: [5], truncation: 4, draws: 2000 }, {}],
  ['affine flow', { kind: 'flow', coupling: 'affine', steps: 2, hidden: [4] }, { latent: 2 }],
  ['spline flow', { kind: 'flow', coupling: 'spline', steps: 2, hidden: [4] }, { latent: 2 }],
  ['autoregressive', { kind: 'autoregressive', components: 2, hidden: [5] }, {}],
  ['autoregressive of two', { kind: 'autoregressive', components: 2, hidden: [5] }, { latent: 2 }],
];

export const posteriorsByName: readonly (readonly [string, PosteriorOptions, Partial<VaeConfig>])[] = [
  ['Householder', { kind: 'householder', reflections: 2 }, { latent: 2 }],
  ['Sylvester', { kind: 'sylvester', steps: 2 }, { latent: 2 }],
  ['Sylvester of one', { kind: 'sylvester', steps: 2 }, {}],
  ['inverse autoregressive', { kind: 'iaf', steps: 2, hidden: [5], context: 2 }, { latent: 2 }],
  ['splines', { kind: 'spline', steps: 2, hidden: [4], context: 2, bins: 4, reach: 3 }, { latent: 2 }],
  ['splines of one', { kind: 'spline', steps: 2, hidden: [4], context: 2, bins: 4, reach: 3 }, {}],
];

/**
 * A tiny dense autoencoder with other options. Of one latent it is of integers, under the truth by quadrature; of two, of
 * a real number, without it: a grid over both for every x of the laws takes minutes.
 */
export function withOptions(options: Partial<VaeConfig>): Specimen {
  const own = specimenOf({ ...vae, tiny: { ...vae.tiny, config: { ...vae.tiny.config, ...options } } });
  if ((options.latent ?? 1) === 1) return own;
  const real = { ...vae.tiny.config, ...options, observation: 'gaussian', values: null, eventShape: [1] } as const;
  const { learningRate, batchSize } = own;
  return {
    ...{ learningRate, batchSize },
    support: { kind: 'continuous', low: -16, high: 16 },
    create: (rng) => vae.create(real, rng),
  };
}

/** The bound, its importance-weighted one, and ln p(x) by quadrature, of every x of a small world: they are in this order. */
export function expectInOrder(options: Partial<VaeConfig>): void {
  const model = vae.create({ ...vae.tiny.config, eventShape: [2], ...options }, createRng('order'));
  for (const [i, variable] of variablesOf(model).entries())
    tf.tidy(() => variable.assign(createRng(`order ${i}`).normal(variable.shape).mul(0.3).add(variable)));
  widen(model);
  const x = tf.tensor2d(enumerate([0, 1, 2], 2));
  const exact = read(
    exactLogProb(
      model,
      x,
      priorGrid(model.prior, createRng('grid'), { reach: 8, ...(model.prior.latent === 2 && { steps: 64 }) }),
    ),
  );
  expectClose([exact.reduce((sum, value) => sum + Math.exp(value), 0)], [1], { absolute: 0.01 });
  const boundOf = ({ likelihood }: { likelihood: Likelihood }) =>
    likelihood as Extract<Likelihood, { logProb: unknown }>;
  const runs = (draws: number, count = 40) =>
    Array.from({ length: count }, (_, i) =>
      mean(read(boundOf(draws === 1 ? model : importanceBound(model, draws)).logProb(x, createRng(i)))),
    );
  const [one, many] = [runs(1), runs(20)];
  expect(mean(many)).toBeGreaterThan(mean(one) - 5 * Math.hypot(standardError(one), standardError(many)));
  expect(mean(exact)).toBeGreaterThan(mean(many) - 5 * standardError(many) - 0.005);
  const limit = runs(2000, 4);
  expectClose([mean(limit)], [mean(exact)], { absolute: 0.05 }); // and they meet, where q is no narrower than the posterior
}

/**
 * The posterior's noise twice as wide: where q is narrower than the posterior, importance weights have no finite
 * variance, and a thousand draws are still some hundredths of a nat below.
 */
function widen({ encoder, posterior: { latent, parameters } }: VariationalModel): void {
  const bias = encoder.variables.at(-1)!; // [mu, logVar, ...]
  expect(bias.shape).toEqual([parameters]);
  const more = Array.from({ length: parameters }, (_, i) => (i >= latent && i < 2 * latent ? Math.log(4) : 0));
  tf.tidy(() => bias.assign(bias.add(tf.tensor1d(more))));
}

/**
 * The laws in which a prior or a posterior could go wrong. The others are of the trainer and the sampler around them, to
 * which one is as good as another.
 */
const NAMES = ['shapes and finiteness', 'exp of a bound sums to at most 1', 'bound ≤ importance bound ≤ log p', 'compiled log p is eager log p', 'samples follow p', 'compiled sampling is eager sampling', 'a step of an objective moves every variable it lists, and no other', 'the gradient of the loss is its slope', 'compiled training is eager training']; // prettier-ignore

/** These need a finer grid of x than is worth its time; `expectInOrder` asks the same of a discrete world. */
const OF_A_GRID = ['exp of a bound sums to at most 1', 'bound ≤ importance bound ≤ log p'];

export function lawsOfParts(specimen: Specimen): readonly (readonly [string, Law])[] {
  expect(NAMES.filter((name) => !laws.some((law) => law.name === name))).toEqual([]);
  const applying = lawsOf(specimen.create(createRng(1)), specimen);
  const real = specimen.support.kind === 'continuous';
  const named = applying.filter(({ name }) => NAMES.includes(name) && !(real && OF_A_GRID.includes(name)));
  return named.map((law) => [law.name, law]);
}
