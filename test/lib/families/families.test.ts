import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { createRng, families, variablesOf } from 'dgm';
import { describe, expect, test } from 'vitest';
import { lawsOf } from '../../laws/laws';
import { specimenOf } from '../../laws/specimen';

const folder = join(import.meta.dirname, '../../..', 'lib', 'families');
const sources = readdirSync(folder).filter((file) => file.endsWith('.ts') && !['index.ts', 'list.ts'].includes(file));

describe.each(families.map((family) => [family.name, family] as const))('%s', (_, family) => {
  const { config } = family.tiny;
  const specimen = specimenOf(family);
  const model = specimen.create(createRng(1));

  describe('laws', () => {
    const applying = lawsOf(model, specimen).map((law) => [law.name, law] as const);
    test.each(applying)('%s', (_, law) => law.check(specimen));
  });

  test('fills in its card and its reference', () => {
    const { row, ...texts } = family.card;
    for (const text of [family.name, family.reference, ...Object.values(texts)]) expect(text).toMatch(/\S/);
    expect(Object.keys(row).length).toBe(6);
    // the card may not promise another likelihood than the model has
    const kinds = {
      exact: ['exact'],
      approximate: ['lower-bound', 'estimate'],
      unnormalised: ['unnormalised'],
      none: ['implicit'],
    };
    expect(kinds[row.likelihood]).toContain(model.likelihood.kind);
  });

  test('its defaults make a model with the stated event shape', () => {
    const made = family.create(family.defaults, createRng(1));
    expect(made.eventShape).toEqual(family.defaults.eventShape);
    const samples = made.sample({ count: 2, rng: createRng(1) });
    expect(samples.shape).toEqual([2, ...made.eventShape]);
    tf.dispose([samples, ...variablesOf(made)]);
  });

  test('its defaults say how to train it', () => {
    expect(family.defaults.learningRate).toBeGreaterThan(0);
    expect(family.defaults.batchSize).toBeGreaterThan(0);
  });

  test('its grid and its tiny configuration vary what the defaults set', () => {
    expect(Object.keys(family.defaults)).toEqual(expect.arrayContaining(Object.keys(family.grid)));
    expect(Object.keys(family.grid).length).toBeGreaterThan(0);
    expect(Object.keys(config).sort()).toEqual(Object.keys(family.defaults).sort());
  });
});

// Table 1.1 of the lecture, in its order: training, likelihood, sampling, compression (lossy, lossless), representation
const table = [
  ['autoregressive models', /^(autoregressive|pixelcnn)/, 'stable exact slow false true false'],
  // a mean flow is none: it is not followed back
  ['flows', /(?<!^mean-)flow$|^nice$|^realnvp$/, 'stable exact (fast|slow|fast or slow) false true true'],
  // the table's row is of decoders that draw all of x at once; those that draw it in turn are as slow as that is
  ['variational autoencoders', /(^|-)vae/, 'stable approximate (fast|slow) true false true'],
] as const;

test.each(table)('the cards of %s agree with Table 1.1', (_, names, expected) => {
  const rows = families.filter(({ name }) => names.test(name)).map(({ name, card }) => [name, card.row] as const);
  expect(rows.length).toBeGreaterThan(1);
  for (const [name, row] of rows) {
    const { training, likelihood, sampling, lossyCompression, losslessCompression, representation } = row;
    const said = [training, likelihood, sampling, lossyCompression, losslessCompression, representation].join(' ');
    expect(said, name).toMatch(new RegExp(`^${expected}$`));
  }
});

test('names are unique, in order, and each is said in one source file', () => {
  const names = families.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
  const textOf = (file: string) => readFileSync(join(folder, file), 'utf8');
  for (const name of names) expect(sources.filter((file) => textOf(file).includes(`name: '${name}'`)).length).toBe(1);
});

test('the index has a line for every source file, and nothing else', () => {
  const lines = readFileSync(join(folder, 'index.ts'), 'utf8').trim().split('\n').slice(1);
  expect(lines.sort()).toEqual(sources.map((file) => `export * from './${file.replace(/\.ts$/, '')}';`).sort());
});

test.each(sources)('families/%s reads downward through the seven steps', (file) => {
  const headings = [...readFileSync(join(folder, file), 'utf8').matchAll(/^ *\/\/ (\d) (\w+)/gm)];
  expect(headings.map(([, number]) => number)).toEqual(['1', '2', '3', '4', '5', '6', '7']);
  expect(headings.map(([, , word]) => word).filter((_, i) => i !== 5)).toEqual([
    'Family',
    'Network',
    'Objective',
    'Optimiser',
    'Training',
    'Sampling',
  ]);
});
