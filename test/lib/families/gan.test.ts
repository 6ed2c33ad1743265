import * as tf from '@tensorflow/tfjs';
import {
  adam,
  createRng,
  fit,
  gan,
  getWeights,
  modeCoverage,
  planeMixture,
  variablesOf,
  type GanConfig,
  type GanModel,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { createSteppers } from '../../../lib/engine/step/step';
import { lawsOf } from '../../laws/laws';
import { specimenOf, type Specimen } from '../../laws/specimen';
import { expectClose, read } from '../../helpers';

const tiny = gan.tiny.config;
const specimen = (over: Partial<GanConfig>): Specimen<GanModel> =>
  specimenOf({ ...gan, tiny: { ...gan.tiny, config: { ...tiny, ...over } } });

describe('every game obeys the laws of training', () => {
  const variants: readonly (readonly [string, Partial<GanConfig>])[] = [
    ['saturating', { loss: 'saturating', realPenalty: 0, fakePenalty: 0 }],
    ['non-saturating with R1', { loss: 'non-saturating', fakePenalty: 0 }],
    ['Wasserstein with the penalty, three steps of the critic', { loss: 'wasserstein', realPenalty: 0, fakePenalty: 0, gradientPenalty: 10, criticSteps: 3 }],
    ['non-saturating with spectral normalisation', { loss: 'non-saturating', realPenalty: 0, fakePenalty: 0, spectral: true }],
    ['relativistic, bounded, two hidden layers', { bounded: true, hidden: [4, 4], criticHidden: [5, 5] }],
  ]; // prettier-ignore
  test.each(variants)('%s', async (_, over) => {
    const own = specimen(over);
    const names = ['a step of an objective moves every variable it lists, and no other', 'the gradient of the loss is its slope', 'compiled training is eager training', 'no tensor is left behind']; // prettier-ignore
    const laws = lawsOf(own.create(createRng(1)), own).filter(({ name }) => names.includes(name));
    expect(laws.length).toBe(names.length);
    for (const law of laws) await law.check(own);
  }, 60_000); // prettier-ignore
});

describe('two players', () => {
  const config = { ...tiny, classes: 0 };
  const batch = { x: createRng('x').normal([30, 2]) };

  test('a step of one leaves every weight of the other where it was', async () => {
    const model = gan.create(config, createRng(1));
    const [critic, generator] = model.objectives as [(typeof model.objectives)[0], (typeof model.objectives)[0]];
    for (const [moving, resting] of [
      [critic, generator],
      [generator, critic],
    ] as const) {
      // prettier-ignore
      const before = resting.variables.map((v) => Array.from(v.dataSync()));
      const moved = moving.variables.map((v) => Array.from(v.dataSync()));
      const steppers = createSteppers([moving], adam(0.01));
      for (let i = 0; i < 3; i++) await steppers.each[0]!.step(batch, createRng(i), 'here');
      steppers.write();
      await steppers.dispose();
      expect(resting.variables.map((v) => Array.from(v.dataSync()))).toEqual(before);
      expect(moving.variables.map((v) => Array.from(v.dataSync()))).not.toEqual(moved);
    }
    const shared = critic.variables.filter((v) => generator.variables.includes(v));
    expect(shared).toEqual([]);
    expect(variablesOf(model).length).toBe(critic.variables.length + generator.variables.length);
  });

  test('the generator moves after each n-th step of the critic', async () => {
    const model = gan.create({ ...config, criticSteps: 4 }, createRng(1));
    expect(model.objectives.map(({ name, every = 1 }) => [name, every])).toEqual([['critic', 1], ['generator', 4]]); // prettier-ignore
    const before = getWeights(model);
    await fit(model, { train: batch }, { epochs: 1, batchSize: 10, rng: createRng(1), quiet: true }); // three steps
    const generator = model.objectives[1]!.variables.length;
    const after = getWeights(model);
    expect(after.slice(-generator)).toEqual(before.slice(-generator));
    expect(after[0]).not.toEqual(before[0]);
  });
});

test('samples are the generator’s, in the data’s units, and within its range where it is bounded', () => {
  const model = gan.create({ ...tiny, classes: 0, centre: 8, scale: 4, bounded: true }, createRng(1));
  const [w1, b1, w2, b2] = getWeights(model).slice(-4).map(({ values }) => values) as [Float32Array, Float32Array, Float32Array, Float32Array]; // prettier-ignore
  const z = [0.7, -1.1];
  const hidden = Array.from(b1, (b, j) => b + z[0]! * w1[j]! + z[1]! * w1[5 + j]!).map((v) => v / (1 + Math.exp(-v)));
  const wanted = Array.from(b2, (b, d) => 8 + 4 * Math.tanh(b + hidden.reduce((sum, h, j) => sum + h * w2[2 * j + d]!, 0))); // prettier-ignore
  expectClose(read(model.generate(tf.tensor2d([z]))), wanted, { absolute: 1e-5 });
  const x = read(model.sample({ count: 200, rng: createRng(2) }));
  expect(Math.min(...x)).toBeGreaterThanOrEqual(4);
  expect(Math.max(...x)).toBeLessThanOrEqual(12);
});

test('labels lead: of two classes each gets its own hill, and without any both are drawn', async () => {
  const model = gan.create(
    { ...gan.defaults, latent: 2, classes: 2, hidden: [32], criticHidden: [32], batchSize: 128 },
    createRng(1),
  );
  const y = tf.tidy(() => createRng('y').uniform([1280]).less(0.5).toInt()); // prettier-ignore
  const x = tf.tidy(() => createRng('x').normal([1280, 2]).mul(0.3).add(y.mul(4).sub(2).expandDims(1)));
  const rate = (step: number) => 0.005 * Math.max(0.02, 1 - step / 400);
  await fit(model, { train: { x, y } }, { epochs: 40, batchSize: 128, optimiser: adam(rate, { beta1: 0, beta2: 0.99 }), rng: createRng(3), quiet: true }); // prettier-ignore
  for (const label of [0, 1]) {
    const own = model.sample({ count: 300, rng: createRng(4), y: tf.fill([300], label, 'int32') });
    expectClose(read(own.mean(0)), [4 * label - 2, 4 * label - 2], { absolute: 0.4 });
  }
  const { covered, highQuality } = modeCoverage(model.sample({ count: 600, rng: createRng(5) }).arraySync() as number[][], [[-2, -2], [2, 2]], 1.2); // prettier-ignore
  expect(covered).toBe(2);
  expect(highQuality).toBeGreaterThan(0.8);
}, 60_000); // prettier-ignore

test('three hills in the plane are found by the default loss', async () => {
  const hills = [[-1.5, 0], [1.5, 0], [0, 1.8]] as const; // prettier-ignore
  const world = planeMixture(hills.map((mu) => ({ weight: 1, mu, sigma: [0.2, 0.2] })));
  const model = gan.create({ ...gan.defaults, hidden: [48, 48], criticHidden: [48, 48] }, createRng(1));
  const train = { x: world.sample({ count: 5120, rng: createRng(2) }) };
  const rate = (step: number) => 0.003 * Math.max(0.02, 1 - step / 800);
  await fit(model, { train }, { epochs: 40, batchSize: 256, optimiser: adam(rate, { beta1: 0, beta2: 0.99 }), ema: 0.98, rng: createRng(3), quiet: true }); // prettier-ignore
  const { covered, kl, highQuality } = modeCoverage(model.sample({ count: 2000, rng: createRng(4) }).arraySync() as number[][], hills, 0.6); // prettier-ignore
  expect(covered).toBe(3);
  expect(kl).toBeLessThan(0.05);
  expect(highQuality).toBeGreaterThan(0.75);
}, 120_000); // prettier-ignore

test('there is no ln p(x) to ask for', () => {
  const model = gan.create(tiny, createRng(1));
  expect(model.likelihood).toEqual({ kind: 'implicit' });
  // @ts-expect-error -- only likelihoods of other kinds have a logProb
  expect(model.likelihood.logProb).toBeUndefined();
});

test('what it does not take', () => {
  const create = (over: Partial<GanConfig>) => () => gan.create({ ...tiny, ...over }, createRng(1));
  expect(create({ latent: 0 })).toThrow('latent must be an integer ≥ 1');
  expect(create({ criticSteps: 0.5 })).toThrow('criticSteps must be an integer ≥ 1');
  expect(create({ classes: -1 })).toThrow('classes must be an integer ≥ 0');
  expect(create({ scale: 0 })).toThrow('scale must be above 0');
  expect(create({ realPenalty: -1 })).toThrow('realPenalty must be ≥ 0');
  const model = create({ classes: 0 })();
  expect(() => model.sample({ count: 2, rng: createRng(1), y: tf.zeros([2], 'int32') })).toThrow('this one has none');
  const labelled = create({})();
  expect(() => labelled.objectives[0]!.loss({ x: tf.zeros([3, 2]) }, createRng(1))).toThrow('give { x, y }');
  expect(() => labelled.sample({ count: 2, rng: createRng(1), y: tf.zeros([3], 'int32') })).toThrow('must be [2]');
});
