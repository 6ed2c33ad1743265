import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {
  type GenerativeModel,
  getWeights,
  loadCheckpoint,
  loadWeights,
  saveWeights,
  setWeights,
  variablesOf,
} from 'dgm';
import { loadJson, saveJson } from '../../../lib/core/weights';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tensorsLeft } from '../../helpers';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dgm-weights-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A model that is nothing but its variables. */
function holder(...shapes: number[][]): GenerativeModel & { variables: tf.Variable[] } {
  const variables = shapes.map((shape) => tf.variable(tf.zeros(shape)));
  const loss = () => tf.scalar(0);
  return {
    variables,
    eventShape: [1],
    likelihood: { kind: 'implicit' },
    objectives: [
      { name: 'first', estimates: 'other', variables, loss },
      { name: 'second', estimates: 'other', variables: variables.slice(0, 1), loss },
    ],
    sample: ({ count }) => tf.zeros([count, 1]),
  };
}

const awkward = Float32Array.of(0, -0, 1 / 3, 1e-45, 3.4e38, -Infinity, Infinity, NaN);

test('variablesOf lists a shared variable once', () => {
  const model = holder([2], [3]);
  expect(variablesOf(model)).toEqual(model.variables);
});

test('getWeights copies: later training does not change it', () => {
  const model = holder([2]);
  const weights = getWeights(model);
  model.variables[0]!.assign(tf.tensor1d([5, 5]));
  expect(Array.from(weights[0]!.values)).toEqual([0, 0]);
});

test('setWeights leaves no tensors', async () => {
  const model = holder([2], [2, 2]);
  const weights = getWeights(model);
  expect(await tensorsLeft(() => setWeights(model, weights))).toBe(0);
});

describe('files', () => {
  test('keep every weight bit for bit', () => {
    const file = join(folder, 'weights.json');
    const [saved, loaded] = [holder([8], [2, 0]), holder([8], [2, 0])];
    setWeights(saved, [
      { shape: [8], values: awkward },
      { shape: [2, 0], values: new Float32Array(0) },
    ]);
    saveWeights(saved, file);
    loadWeights(loaded, file);
    expect(bits(getWeights(loaded)[0]!.values)).toEqual(bits(awkward));
  });

  test('keep numbers that JSON has no word for', () => {
    const file = join(folder, 'numbers.json');
    const value = { validation: Infinity, loss: -Infinity, gap: NaN, list: [1.5, Infinity], name: 'Infinity' };
    saveJson(file, value);
    expect(loadJson(file)).toEqual(value);
  });

  test('hold a part of a larger buffer as that part', () => {
    const file = join(folder, 'part.json');
    saveJson(file, { values: awkward.subarray(2, 4) });
    expect(loadJson(file)).toEqual({ values: awkward.slice(2, 4) });
  });

  test('are replaced in one move, without a draft left behind', () => {
    const file = join(folder, 'again.json');
    saveJson(file, { a: 1 });
    saveJson(file, { a: 2 });
    expect(loadJson(file)).toEqual({ a: 2 });
  });

  test('that are cut off are refused, in a message that names the file', () => {
    const file = join(folder, 'cut.json');
    saveWeights(holder([8]), file);
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -20));
    expect(() => loadWeights(holder([8]), file)).toThrow(`${file}: expected JSON written by this library`);
    expect(() => loadCheckpoint(file)).toThrow(file);
  });

  test('of another format or version are refused', () => {
    const file = join(folder, 'other.json');
    for (const content of [
      null,
      3,
      {},
      { format: 'dgm-checkpoint', version: 1 },
      { format: 'dgm-weights', version: 2, weights: [] },
    ]) {
      saveJson(file, content);
      expect(() => loadWeights(holder([8]), file)).toThrow(`${file}: expected weights of format dgm-weights 1`);
    }
    for (const content of [
      null,
      3,
      {},
      { format: 'dgm-weights', version: 1 },
      { format: 'dgm-checkpoint', version: 2 },
      { format: 'dgm-checkpoint', version: 1 },
    ]) {
      saveJson(file, content);
      expect(() => loadCheckpoint(file)).toThrow(`${file}: expected a checkpoint of format dgm-checkpoint 1`);
    }
  });
});

describe('weights that do not fit', () => {
  test('by shape or by number are refused, and nothing is changed', () => {
    const model = holder([2], [3]);
    for (const other of [holder([2]), holder([2], [4]), holder([2], [3], [1]), holder([3], [2])])
      expect(() => setWeights(model, getWeights(other))).toThrow('setWeights: the model has weights [2] [3], got');
    expect(getWeights(model).map(({ values }) => Array.from(values))).toEqual([
      [0, 0],
      [0, 0, 0],
    ]);
  });

  test('because values are missing are refused before anything is changed', () => {
    const model = holder([2], [3]);
    const damaged = [
      { shape: [2], values: Float32Array.of(1, 1) },
      { shape: [3], values: Float32Array.of(1) },
    ];
    expect(() => setWeights(model, damaged)).toThrow('setWeights: ');
    expect(getWeights(model).map(({ values }) => Array.from(values))).toEqual([
      [0, 0],
      [0, 0, 0],
    ]);
  });
});

function bits(values: Float32Array): number[] {
  return Array.from(new Uint32Array(values.slice().buffer));
}
