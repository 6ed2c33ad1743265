/** Laws of samples: that they follow p, that they are asked for as all others are, that they are compiled. */
import * as tf from '@tensorflow/tfjs';
import { createRng, type GenerativeModel, type SampleOptions, twoSampleTest } from 'dgm';
import { expect } from 'vitest';
import { chiSquare, dot, expectClose, mean, standardError } from '../helpers';
import type { Law } from './law';
import { knownLogProb, lively, rowsOf, worldOf, type Specimen } from './specimen';

export const samplingLaws: readonly Law[] = [
  {
    name: 'samples follow p',
    appliesTo: ({ likelihood }, { exact }) =>
      likelihood.kind === 'exact' || likelihood.kind === 'unnormalised' || exact !== undefined,
    async check(specimen) {
      const model = lively(specimen);
      const logProb = knownLogProb(specimen, model)!;
      const samples = model.sample({ count: 20_000, rng: createRng('samples') });
      if (specimen.support.kind === 'discrete') expectFrequencies(specimen, model, logProb, samples);
      else expectMoments(specimen, model, logProb, samples);
    },
  },
  {
    name: 'an implicit model draws each example by itself, and from the truth where that is known',
    appliesTo: ({ likelihood }) => likelihood.kind === 'implicit',
    async check(specimen) {
      const model = lively(specimen);
      const draw = (count: number, label: string) => model.sample({ count, rng: createRng('samples').fork(label) });
      const [many, few] = [draw(120, 'many'), tf.concat(Array.from({ length: 24 }, (_, i) => draw(5, `few ${i}`)))];
      // as many permutations as make a p-value of 1/1000 the smallest: each test's false alarm, whatever the distribution
      const pValue = (other: tf.Tensor) =>
        twoSampleTest(many, other, createRng('permutations'), { permutations: 999 }).pValue;
      expect(pValue(few)).toBeGreaterThan(1 / 1000);
      if (specimen.truth) expect(pValue(specimen.truth(model, 120, createRng('truth')))).toBeGreaterThan(1 / 1000);
    },
  },
  {
    name: 'compiled sampling is eager sampling',
    async check(specimen) {
      const model = lively(specimen);
      const draw = (engine: 'auto' | 'eager') => {
        const samples = model.sample({ count: 200, rng: createRng('samples'), engine });
        expect(model.sample.engine?.()).toMatch(engine === 'auto' ? /^compiled/ : /^eager on \w+: as asked/);
        return rowsOf(samples);
      };
      const [fast, slow] = [draw('auto'), draw('eager')];
      // rounding may tip a choice between two values that are all but equally far: once in some 10⁵ draws
      const near = (a: number, b: number) => Math.abs(a - b) <= 1e-3 * (1 + Math.abs(b));
      const off = fast.filter((row, n) => !row.every((value, d) => near(value, slow[n]![d]!)));
      expect(off.length).toBeLessThanOrEqual(2);
    },
  },
  {
    name: 'a sampler refuses what it does not take, and says how it is asked',
    async check(specimen) {
      const { sample } = lively(specimen);
      const rng = createRng('samples');
      const asked = (options: unknown, ...more: unknown[]) => {
        const loose = sample as (options: SampleOptions, ...more: unknown[]) => tf.Tensor;
        return () => loose(options as SampleOptions, ...more);
      };
      expect(asked({ count: 0, rng })).toThrow('count must be an integer ≥ 1, got 0');
      expect(asked({ count: 3 })).toThrow('rng must be a stream of random numbers, got undefined');
      expect(asked({ count: 3, rng, tempo: 1 })).toThrow(/there is no option 'tempo'; it takes count, rng, engine/);
      expect(asked(16, rng)).toThrow('write sample({ count: 16, rng })');
    },
  },
];

type LogProb = (x: tf.Tensor) => number[];

/** Pearson's chi-square test of samples against p over the enumerated world. */
function expectFrequencies(specimen: Specimen, model: GenerativeModel, logProb: LogProb, samples: tf.Tensor): void {
  const { rows, points } = worldOf(specimen.support, model);
  const index = new Map(rows().map((row, i) => [row.join(), i]));
  const p = logProb(points()).map(Math.exp);
  const n = samples.shape[0]!;
  const counts = p.map(() => 0);
  for (const row of rowsOf(samples)) counts[index.get(row.join())!]!++;
  const { statistic, bound } = chiSquare(counts, p.map((probability) => n * probability)); // prettier-ignore
  expect(statistic).toBeLessThan(bound);
}

/** E x_i, E x_i x_j and E[−log p(x)] of samples against the same by quadrature. */
function expectMoments(specimen: Specimen, model: GenerativeModel, logProb: LogProb, samples: tf.Tensor): void {
  const { rows, points, cell } = worldOf(specimen.support, model);
  const world = rows();
  const logP = logProb(points());
  const mass = logP.map((value) => Math.exp(value) * cell);
  const drawn = rowsOf(samples);
  const sampleLogP = logProb(samples);
  const compare = (ofSamples: readonly number[], ofWorld: readonly number[]) =>
    expectClose([mean(ofSamples)], [dot(ofWorld, mass)], { absolute: 1e-3 + 5 * standardError(ofSamples) });
  compare(sampleLogP, logP.map((value) => Math.max(value, -1e6))); // prettier-ignore
  for (const [i] of world[0]!.entries()) {
    compare(drawn.map((row) => row[i]!), world.map((row) => row[i]!)); // prettier-ignore
    for (let j = 0; j <= i; j++)
      compare(drawn.map((row) => row[i]! * row[j]!), world.map((row) => row[i]! * row[j]!)); // prettier-ignore
  }
}
