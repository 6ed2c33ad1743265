/** Laws of the contract itself: shapes, randomness, errors, memory, weights in files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { createRng, fit, getWeights, loadWeights, saveWeights, variablesOf } from 'dgm';
import { expect } from 'vitest';
import { read, tensorsLeft } from '../helpers';
import type { Law } from './law';
import { batchOf, dataOf, lively, scores, worldOf } from './specimen';

export const generalLaws: readonly Law[] = [
  {
    name: 'the tiny world can be enumerated or integrated, and holds the samples',
    async check(specimen) {
      const model = lively(specimen);
      expect(worldOf(specimen.support, model).count).toBeLessThanOrEqual(50_000);
      const samples = read(model.sample({ count: 1000, rng: createRng('samples') }));
      const { support } = specimen;
      if (support.kind === 'discrete') expect(samples.filter((x) => !support.values.includes(x))).toEqual([]);
      else expect(samples.filter((x) => !(x >= support.low && x <= support.high))).toEqual([]);
    },
  },
  {
    name: 'shapes and finiteness',
    async check(specimen) {
      const model = lively(specimen);
      const samples = model.sample({ count: 7, rng: createRng('samples') });
      expect(samples.shape).toEqual([7, ...model.eventShape]);
      expectFinite(samples.dataSync());
      if (model.likelihood.kind !== 'implicit') {
        const values = scores(model, samples);
        expect(values.length).toBe(7);
        expectFinite(values);
      }
      for (const objective of model.objectives) {
        const loss = objective.loss(batchOf(specimen, samples), createRng('loss'));
        expect(loss.shape).toEqual([]);
        expectFinite(loss.dataSync());
      }
    },
  },
  {
    name: 'all randomness comes from the rng',
    async check(specimen) {
      const model = lively(specimen);
      const draw = (seed: string) => read(model.sample({ count: 20, rng: createRng(seed) }));
      expect(draw('a')).toEqual(draw('a'));
      expect(draw('a')).not.toEqual(draw('b'));
      const batch = dataOf(specimen, 20);
      expect(scores(model, batch.x)).toEqual(scores(model, batch.x));
      const lossOf = (seed: string) => model.objectives.map(({ loss }) => read(loss(batch, createRng(seed)))[0]);
      expect(lossOf('a')).toEqual(lossOf('a'));
      const weights = (seed: string) => getWeights(specimen.create(createRng(seed)));
      expect(weights('a')).toEqual(weights('a'));
    },
  },
  {
    name: 'no tensor is left behind',
    async check(specimen) {
      const data = { train: dataOf(specimen, 20), validation: dataOf(specimen, 10) };
      const left = await tensorsLeft(async () => {
        const model = specimen.create(createRng(1));
        for (const engine of ['auto', 'eager'] as const)
          expect(await tensorsLeft(() => model.sample({ count: 3, rng: createRng(1), engine }).dispose())).toBe(0);
        expect(await tensorsLeft(() => scores(model, data.train.x))).toBe(0);
        for (const { loss } of model.objectives)
          expect(await tensorsLeft(() => loss(data.train, createRng(1)).dispose())).toBe(0);
        await fit(model, data, { epochs: 1, batchSize: 10, rng: createRng(1), quiet: true });
        tf.dispose([...variablesOf(model), ...model.objectives.flatMap(({ memory = [] }) => memory)]);
      });
      expect(left).toBe(0);
    },
  },
  {
    name: 'saved and loaded, the same numbers',
    async check(specimen) {
      const folder = mkdtempSync(join(tmpdir(), 'dgm-laws-'));
      try {
        const [saved, loaded] = [lively(specimen), specimen.create(createRng('another'))];
        saveWeights(saved, join(folder, 'weights.json'));
        loadWeights(loaded, join(folder, 'weights.json'));
        const { x } = dataOf(specimen, 20);
        expect(scores(loaded, x)).toEqual(scores(saved, x));
        const draw = (model: typeof saved) => read(model.sample({ count: 5, rng: createRng(1) }));
        expect(draw(loaded)).toEqual(draw(saved));
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },
  {
    name: 'a wrong event shape is an error that names both shapes',
    async check(specimen) {
      const model = lively(specimen);
      const event = model.eventShape;
      const wider = [4, ...event.slice(0, -1), event.at(-1)! + 1];
      for (const shape of [wider, event, [4, ...event, 1]]) {
        const x = tf.zeros([...shape]);
        const message = `must be [B, ${event.join(', ')}], got [${shape.join(', ')}]`;
        if (model.likelihood.kind !== 'implicit') expect(() => scores(model, x)).toThrow(message);
        for (const { loss } of model.objectives)
          expect(() => loss(batchOf(specimen, x), createRng(1))).toThrow(message);
      }
    },
  },
];

function expectFinite(values: ArrayLike<number>): void {
  expect(Array.from(values).filter((value) => !Number.isFinite(value))).toEqual([]);
}
