import * as tf from '@tensorflow/tfjs';
import {
  adam,
  createRng,
  energyModel,
  fit,
  jem,
  planeMixture,
  type EnergyConfig,
  type EnergyModel,
  type JemConfig,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { lawsOf } from '../../laws/laws';
import { lively, logPartition, specimenOf } from '../../laws/specimen';
import { expectClose, mean, read } from '../../helpers';

const tiny = energyModel.tiny.config;
const specimen = (over: Partial<EnergyConfig>) =>
  specimenOf({ ...energyModel, tiny: { ...energyModel.tiny, config: { ...tiny, ...over } } });
const LOSSES = [
  'shapes and finiteness', 'no tensor is left behind', 'a step of an objective moves every variable it lists, and no other',
  'the gradient of the loss is its slope', 'compiled training is eager training',
]; // prettier-ignore

test.each(['noise-contrastive', 'score-matching'] as const)('%s obeys the laws of losses', async (training) => {
  const own = specimen({ training });
  // the bias that no score sees is not of its objective, and the law of tensors disposes what objectives list
  const asked = LOSSES.filter((name) => training !== 'score-matching' || name !== 'no tensor is left behind');
  const laws = lawsOf(own.create(createRng(1)), own).filter(({ name }) => asked.includes(name));
  expect(laws.length).toBe(asked.length);
  for (const law of laws) await law.check(own);
});

test('annealing finds the integral of a density in the plane', () => {
  const own = specimen({});
  const model = lively(own) as EnergyModel;
  const { logZ, error } = model.logPartition({ chains: 400, temperatures: 60, rng: createRng(1), eta: 0.3 });
  expect(Math.abs(logZ - logPartition(own, model))).toBeLessThan(4 * error + 1e-3);
  expect(error).toBeLessThan(0.05);
});

test('the score is the slope of the energy, in the units of the data', () => {
  const model = lively(specimen({ centre: 1, scale: 2 })) as EnergyModel;
  const x = createRng('x').normal([5, 2]);
  const [score] = [model.score(x)];
  for (const d of [0, 1]) {
    const step = tf.tensor1d([d === 0 ? 0.01 : 0, d === 1 ? 0.01 : 0]);
    const slope = read(model.negEnergy(x.add(step)).sub(model.negEnergy(x.sub(step))).div(0.02)); // prettier-ignore
    expectClose(read(score.slice([0, d], [5, 1])), slope, { absolute: 2e-3, relative: 1e-2 });
  }
});

describe('two hills', () => {
  const world = planeMixture([-1.5, 1.5].map((mu) => ({ weight: 1, mu: [mu, 0], sigma: [0.5, 0.8] })));
  const train = { x: world.sample({ count: 2000, rng: createRng('train') }) };
  const x = world.sample({ count: 1000, rng: createRng('test') });

  test.each([
    ['noise-contrastive', 0.1],
    ['score-matching', 0.15],
    ['langevin', 0.2],
  ] as const)('are learnt by %s', async (training, bound) => {
    const own = specimen({ training, hidden: [32], spread: 2, chains: 400, steps: 5, eta: 0.05 });
    const model = own.create(createRng(1)) as EnergyModel;
    const rate = (step: number) => 0.02 * Math.max(0.02, 1 - step / 1200);
    await fit(model, { train }, { epochs: 60, batchSize: 100, optimiser: adam(rate, { clipNorm: 5 }), ema: 0.98, rng: createRng('fit'), quiet: true }); // prettier-ignore
    const logZ = logPartition(own, model);
    const gaps = tf.tidy(() => read(world.logProb(x).sub(model.negEnergy(x)).add(logZ)));
    expect(mean(gaps)).toBeLessThan(bound);
    if (training === 'noise-contrastive') expect(Math.abs(logZ)).toBeLessThan(0.2); // Z is learnt to be 1
  });
});

test('what an energy refuses', () => {
  const made = (over: Partial<EnergyConfig>) => () => energyModel.create({ ...tiny, ...over }, createRng(1));
  expect(made({ training: 'ml' as never })).toThrow("got 'ml'");
  expect(made({ training: 'noise-contrastive', ratio: 0.5 })).toThrow('ratio must be an integer ≥ 1');
  expect(made({ spread: 0 })).toThrow('spread must be above 0');
  expect(made({ eta: 0 })).toThrow('eta must be above 0');
  expect(made({ temperature: -1 })).toThrow('temperature must not be below 0');
  expect(made({ columns: 3 })).toThrow('columns must divide a picture');
});

describe('a classifier as an energy', () => {
  const made = (over: Partial<JemConfig> = {}) => jem.create({ ...jem.tiny.config, ...over }, createRng(1));

  test('its energy is its evidence, and a Gaussian', () => {
    const { centre, scale, spread } = jem.tiny.config;
    const model = made();
    const x = createRng('x').normal([6, 2]);
    const deviation = spread * scale;
    const bell = x.sub(centre).div(deviation).square().sum(1).mul(-0.5).sub(2 * Math.log(deviation * Math.sqrt(2 * Math.PI))); // prettier-ignore
    expectClose(read(model.negEnergy(x)), read(model.evidence(x).add(bell)), { absolute: 1e-4 });
    expectClose(read(model.evidence(x)), read(model.logits(x).logSumExp(1)), { absolute: 1e-5 });
  });

  test('with weight 0 it is a classifier, and no chain runs', async () => {
    const model = made({ weight: 0 });
    expect(model.objectives.flatMap(({ memory = [] }) => memory)).toEqual([]);
    const x = tf.tensor2d([[-2, 0], [2, 0], [0, 2.5]].flatMap((row) => Array.from({ length: 30 }, () => row))).add(createRng('x').normal([90, 2]).mul(0.3)); // prettier-ignore
    const y = tf.tensor1d(Array.from({ length: 90 }, (_, n) => Math.floor(n / 30)), 'int32'); // prettier-ignore
    await fit(model, { train: { x, y } }, { epochs: 40, batchSize: 30, optimiser: adam(0.03), rng: createRng(2), quiet: true }); // prettier-ignore
    expect(mean(read(model.logits(x).argMax(1).equal(y)))).toBeGreaterThan(0.95);
  });

  test('pictures are seen by convolutions', () => {
    const model = made({ eventShape: [64], columns: 8, channels: 4, hidden: [8], classes: 10 });
    const x = createRng('x').uniform([3, 64]).mul(16);
    expect(model.logits(x).shape).toEqual([3, 10]);
    const loss = model.objectives[0]!.loss({ x, y: tf.tensor1d([1, 2, 3], 'int32') }, createRng(1));
    expect(Number.isFinite(read(loss)[0])).toBe(true);
  });

  test('what it refuses', () => {
    expect(() => made({ classes: 1 })).toThrow('classes must be an integer ≥ 2');
    expect(() => made({ weight: -1 })).toThrow('weight must not be below 0');
    expect(() => made().objectives[0]!.loss({ x: tf.zeros([2, 2]) }, createRng(1))).toThrow('no labels y');
  });
});
