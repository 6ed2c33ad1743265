import * as tf from '@tensorflow/tfjs';
import { adam, createRng, evaluate, fit, hybridFlow, hybridIntegerFlow, logOfLabels, sizeOf, UNLABELLED, variablesOf, type HybridModel } from 'dgm'; // prettier-ignore
import { describe, expect, test } from 'vitest';
import { enumerate, expectClose, logSumExp, mean, midpoints, read } from '../../helpers';

/** Weights that say something: fresh translations are 0. */
function lively<Model extends HybridModel>(model: Model, scale: number): Model {
  for (const [i, variable] of variablesOf(model).entries())
    tf.tidy(() => variable.assign(createRng('lively').fork(`${i}`).normal(variable.shape).mul(scale).add(variable)));
  return model;
}

const rng = createRng(1);
const labels = (count: number, y: number) => tf.fill([count], y, 'int32');
const integers = (config: Partial<typeof hybridIntegerFlow.tiny.config> = {}) =>
  lively(hybridIntegerFlow.create({ ...hybridIntegerFlow.tiny.config, ...config }, createRng(3)), 0.7);
const world = tf.tensor2d(enumerate(Array.from({ length: 221 }, (_, i) => i - 110), 2)); // prettier-ignore

describe('ln p(y | x) where y is known', () => {
  const logClasses = tf.tensor2d([[0.2, 0.8], [0.5, 0.5], [0.1, 0.9]]).log(); // prettier-ignore

  test('picks the class, and is 0 without a label', () => {
    const y = tf.tensor1d([1, UNLABELLED, 0], 'int32');
    expectClose(read(logOfLabels(logClasses, y)), [Math.log(0.8), 0, Math.log(0.1)], { absolute: 1e-6 });
  });

  test('a class that there is not has probability 0', () => {
    expect(read(logOfLabels(logClasses, tf.tensor1d([2, 0, -2], 'int32')))).toEqual([-Infinity, expect.any(Number), -Infinity]); // prettier-ignore
  });

  test('names the shapes', () => {
    expect(() => logOfLabels(logClasses, tf.zeros([2]))).toThrow('y must be [B] with B = 3, got [2]');
  });
});

describe('on the lattice', () => {
  test('p(x, y) sums to 1 over all x and y, and over y to p(x)', () => {
    const model = integers();
    const each = [0, 1, 2].map((y) => read(model.logJoint(world, labels(world.shape[0]!, y), rng)));
    expectClose([each.flat().reduce((sum, value) => sum + Math.exp(value), 0)], [1], { absolute: 1e-5 });
    const few = [24_200, 24_311, 24_533]; // near the middle
    const marginal = few.map((n) => logSumExp(each.map((joint) => joint[n]!)));
    if (model.likelihood.kind !== 'exact') return expect.fail('exact on the lattice');
    const logP = read(model.likelihood.logProb(world, rng));
    expectClose(marginal, few.map((n) => logP[n]!), { absolute: 1e-4 }); // prettier-ignore
  });

  test('without a label, the joint is p(x)', () => {
    const model = integers();
    const x = tf.tensor2d([[0, 1], [-2, 1]]); // prettier-ignore
    if (model.likelihood.kind !== 'exact') return expect.fail('exact on the lattice');
    expectClose(read(model.logJoint(x, labels(2, UNLABELLED), rng)), read(model.likelihood.logProb(x, rng)), { absolute: 1e-6 }); // prettier-ignore
  });

  test('λ weights what is trained, and nothing that is reported', () => {
    const [light, heavy] = [0.1, 5].map((lambda) => integers({ lambda }));
    const batch = { x: tf.tensor2d([[0, 1], [-2, 1], [1, 1]]), y: tf.tensor1d([0, 2, UNLABELLED], 'int32') }; // prettier-ignore
    const joint = (model: HybridModel) => read(model.logJoint(batch.x, batch.y, rng));
    expect(joint(light!)).toEqual(joint(heavy!));
    expect(evaluate(light!, batch, rng).nats).toBe(evaluate(heavy!, batch, rng).nats);
    const alone = mean(joint(integers())) - mean(read(logOfLabels(light!.logClasses(batch.x), batch.y)));
    const loss = (model: HybridModel) => read(model.objectives[0]!.loss(batch, rng))[0]!;
    expectClose([loss(heavy!) - loss(light!)], [-(5 - 0.1) * alone], { relative: 1e-4 });
  });

  test('off the lattice there is no mass', () => {
    const model = integers();
    expect(read(model.logJoint(tf.tensor2d([[0.5, 1]]), labels(1, 0), rng))).toEqual([-Infinity]);
  });
});

describe('over a RealNVP', () => {
  const tiny = hybridFlow.tiny.config;

  test('the joint density integrates to 1', () => {
    const model = lively(hybridFlow.create(tiny, createRng(2)), 0.2);
    const { low, high } = hybridFlow.tiny.support as { low: number; high: number };
    const steps = 160;
    const x = tf.tensor2d(midpoints(low, high, steps, 2).points);
    const cell = ((high - low) / steps) ** 2;
    const all = [0, 1, 2].flatMap((y) => read(model.logJoint(x, labels(x.shape[0]!, y), rng)));
    expectClose([all.reduce((sum, value) => sum + Math.exp(value), 0) * cell], [1], { absolute: 2e-3 });
  });

  test('of integers, exp of the bound on the joint sums to at most 1', () => {
    const model = lively(hybridFlow.create({ ...tiny, values: 3, low: -0.2, high: 3.2, domain: 'interval' }, createRng(2)), 0.2); // prettier-ignore
    expect(model.likelihood.kind).toBe('lower-bound');
    const x = tf.tensor2d(enumerate([0, 1, 2], 2));
    const draws = Array.from({ length: 200 }, (_, i) => [0, 1, 2].flatMap((y) => read(model.logJoint(x, labels(9, y), createRng(i))))); // prettier-ignore
    const bounds = draws[0]!.map((_, n) => mean(draws.map((draw) => draw[n]!)));
    const sum = bounds.reduce((all, value) => all + Math.exp(value), 0);
    expect(sum).toBeLessThan(1);
    expect(sum).toBeGreaterThan(0.3);
  });

  test('samples of integers lie on the scale', () => {
    const model = hybridFlow.create({ ...tiny, values: 3, low: -0.2, high: 3.2, domain: 'interval' }, createRng(2));
    const values = read(model.sample({ count: 50, rng: createRng(1) }));
    expect(values.every((v) => [0, 1, 2].includes(v))).toBe(true);
  });
});

test('learns the class from few labels, and says of what it learnt', async () => {
  // two clusters of integers, whose label is the sign of the first coordinate; one in ten has it
  const x = tf.tidy(() => {
    const side = tf.range(0, 200).mod(2).mul(2).sub(1).mul(3).expandDims(1); // ±3
    return createRng('x').normal([200, 2]).add(side).round();
  });
  const y = tf.tensor1d(Int32Array.from({ length: 200 }, (_, n) => (n < 20 ? n % 2 : UNLABELLED)), 'int32'); // prettier-ignore
  const model = hybridIntegerFlow.create({ ...hybridIntegerFlow.tiny.config, classes: 2, low: -5, high: 5, lambda: 0.1 }, createRng(4)); // prettier-ignore
  await fit(model, { train: { x, y } }, { epochs: 40, batchSize: 50, optimiser: adam(0.02), rng: createRng(5), quiet: true }); // prettier-ignore
  const said = model.logClasses(x).argMax(1).dataSync();
  expect(Array.from(said).filter((c, n) => c !== n % 2).length).toBeLessThan(10);
}, 60_000); // prettier-ignore

test('says what is missing, or out of range', () => {
  const model = integers();
  expect(() => model.objectives[0]!.loss({ x: tf.zeros([2, 2]) }, rng)).toThrow('the batch has no labels y');
  expect(() => integers({ lambda: -1 })).toThrow('lambda must be ≥ 0 and finite, got -1');
  expect(() => integers({ lambda: Infinity })).toThrow('lambda must be ≥ 0 and finite, got Infinity');
  expect(() => integers({ classes: 0 })).toThrow('classes');
});

test('heads of dense layers and of convolutions have a number for every class', () => {
  for (const columns of [0, 8]) {
    const model = hybridIntegerFlow.create({ ...hybridIntegerFlow.defaults, columns }, createRng(1));
    const x = tf.zeros([3, sizeOf(model.eventShape)]);
    expect(model.logClasses(x).shape).toEqual([3, 10]);
    expectClose(read(model.logClasses(x).exp().sum(1)), [1, 1, 1], { absolute: 1e-5 });
  }
});
