/** Laws of log p(x): what it sums to, and what lies below what. */
import { createRng, type GenerativeModel, importanceBound } from 'dgm';
import { expect } from 'vitest';
import { compiled } from '../../lib/sampling/sampler';
import { expectClose, mean, read, standardError } from '../helpers';
import { isBound, isExact, type Law } from './law';
import { dataOf, knownLogProb, lively, logPartition, rowsOf, scoreOf, scores, total, worldOf, type Specimen } from './specimen'; // prettier-ignore
import * as tf from '@tensorflow/tfjs';

export const likelihoodLaws: readonly Law[] = [
  {
    name: 'probabilities sum to 1',
    appliesTo: (model, { support }) => isExact(model) && support.kind === 'discrete',
    async check(specimen) {
      for (const model of [specimen.create(createRng(1)), lively(specimen)]) {
        const p = scores(model, worldOf(specimen.support, model).points()).map(Math.exp);
        expectClose([total(p)], [1], { absolute: 1e-6 }); // each term errs by some 10⁻⁶ of itself, up or down
      }
    },
  },
  {
    name: 'the density integrates to 1',
    appliesTo: (model, { support }) => isExact(model) && support.kind === 'continuous',
    async check(specimen) {
      for (const model of [specimen.create(createRng(1)), lively(specimen)]) {
        const [fine, coarse] = [1, 2].map((coarser) => Math.exp(logPartition(specimen, model, coarser)));
        // the midpoint rule's error is below the change from the coarser grid, which must itself be small;
        // float32 log-densities of up to a thousand nats err by some 10⁻⁴
        expectClose([fine!], [coarse!], { absolute: 1e-3 });
        expectClose([fine!], [1], { absolute: 1e-3 });
      }
    },
  },
  {
    name: 'exp of a bound sums to at most 1',
    appliesTo: isBound,
    async check(specimen) {
      const model = lively(specimen);
      expectAtMostOne(specimen, model, 30);
    },
  },
  {
    name: 'bound ≤ importance bound ≤ log p',
    appliesTo: isBound,
    async check(specimen) {
      const model = lively(specimen);
      const tighter = importanceBound(model, 10);
      expectAtMostOne(specimen, tighter, 3);
      const x = model.sample({ count: 1000, rng: createRng('own') }); // where it puts its mass, and a mistake would show
      // two runs on the same examples: their difference has its own standard error, whatever the examples' spread
      const [one, many] = [scores(model, x, createRng('one')), scores(tighter, x, createRng('many'))];
      expectNotBelow(many, one);
      const logProb = knownLogProb(specimen, model);
      if (logProb) expectNotBelow(logProb(x), many);
    },
  },
  {
    name: 'an energy has a partition function',
    appliesTo: ({ likelihood }) => likelihood.kind === 'unnormalised',
    async check(specimen) {
      const model = lively(specimen);
      const { points, cell } = worldOf(specimen.support, model);
      const logZ = logPartition(specimen, model);
      // fine and coarse as for a density; a discrete world has no coarser one
      if (specimen.support.kind === 'continuous')
        expectClose([Math.exp(logPartition(specimen, model, 2) - logZ)], [1], { absolute: 1e-3 });
      // an example's energy is its own, whoever else is in the batch
      const rows = [...rowsOf(points())].reverse();
      const p = rows.flatMap((_, i) => (i % ALONE === 0 ? scoresOf(model, rows.slice(i, i + ALONE)) : []));
      expectClose([total(p.map((value) => Math.exp(value - logZ))) * cell], [1], { absolute: 1e-3 });
      const { likelihood } = model;
      if (likelihood.kind === 'unnormalised' && likelihood.logZ)
        expectClose(read(likelihood.logZ()), [logZ], { absolute: 1e-4, relative: 1e-5 });
    },
  },
  {
    name: 'compiled log p is eager log p',
    appliesTo: ({ likelihood }) => likelihood.kind !== 'implicit',
    async check(specimen) {
      const model = lively(specimen);
      const { x } = dataOf(specimen, 50);
      const score = scoreOf(model)!;
      const fast = compiled(([batch], rng) => [score(batch!, rng)]);
      // some hundred float32 operations in another order
      expectClose(read(fast([x], createRng('scores'))[0]!), scores(model, x), { absolute: 1e-4, relative: 1e-4 });
      expect(fast.engine()).toMatch(/^compiled/);
    },
  },
];

const ALONE = 500; // rows of a batch: of a grid of thousands, far fewer than all

const scoresOf = (model: GenerativeModel, rows: readonly (readonly number[])[]): number[] =>
  scores(model, tf.tensor(rows.flat(), [rows.length, ...model.eventShape]));

/**
 * Σ_x exp(E bound) ≤ 1, or its integral. The mean over draws stands for E: exp of it is at most the mean of exp
 * (Jensen), of which every draw's sum over the world is an unbiased one. A grid errs by what it changes by when it is
 * made coarser, at most.
 */
function expectAtMostOne(specimen: Specimen, model: GenerativeModel, draws: number): void {
  const sums = (coarser: number) => {
    const { points, cell } = worldOf(specimen.support, model, coarser);
    const x = points();
    const each = Array.from({ length: draws }, (_, i) => scores(model, x, createRng(i)));
    x.dispose();
    const bound = each[0]!.map((_, n) => mean(each.map((draw) => draw[n]!)));
    const error = standardError(each.map((draw) => total(draw.map(Math.exp)) * cell));
    return { sum: total(bound.map(Math.exp)) * cell, error };
  };
  const fine = sums(specimen.support.kind === 'discrete' ? 1 : 2);
  const grid = specimen.support.kind === 'discrete' ? 0 : Math.abs(fine.sum - sums(4).sum);
  expect(grid).toBeLessThan(0.02);
  expect(fine.sum).toBeLessThan(1 + 1e-5 + grid + 5 * fine.error);
}

/** On average, but for 5 standard errors of the difference, and rounding. */
function expectNotBelow(upper: readonly number[], lower: readonly number[]): void {
  const gaps = upper.map((value, n) => value - lower[n]!);
  expect(mean(gaps)).toBeGreaterThan(-1e-5 - 5 * standardError(gaps));
}
