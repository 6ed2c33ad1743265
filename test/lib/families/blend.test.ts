import * as tf from '@tensorflow/tfjs';
import { adam, blend, createRng, fit, UNLABELLED, variablesOf } from 'dgm';
import { expect, test } from 'vitest';
import { enumerate, expectClose, mean, read } from '../../helpers';

const tiny = blend.tiny.config;
const world = tf.tensor2d(enumerate([0, 1, 2], 3));
const rng = createRng(1);
const batch = {
  x: tf.tensor2d([[0, 1, 2], [2, 2, 1], [0, 0, 1], [1, 2, 2]]),
  y: tf.tensor1d([0, 1, 0, UNLABELLED], 'int32'),
}; // prettier-ignore
const lossOf = (model: ReturnType<typeof blend.create>) => read(model.objectives[0]!.loss(batch, rng))[0]!;

test('both halves are distributions: p(x) over x, p(y | x) over y', () => {
  const model = blend.create(tiny, createRng(2));
  for (const [i, variable] of variablesOf(model).entries())
    tf.tidy(() => variable.assign(createRng(`${i}`).normal(variable.shape)));
  const all = [0, 1].flatMap((y) => read(model.logJoint(world, tf.fill([27], y, 'int32'), rng)));
  expectClose([all.reduce((sum, value) => sum + Math.exp(value), 0)], [1], { absolute: 1e-5 });
});

test('the halves start as one: the classes of x are those of Bayes’ rule', () => {
  for (const tie of [0, 0.001, 50]) {
    const model = blend.create({ ...tiny, tie }, createRng(2));
    model.start(batch.x, batch.y);
    expectClose(read(model.distance()), [0], { absolute: 1e-6 });
    // counts by hand: one class's table of the first coordinate, 2 labelled examples and one imaginary
    const marginal = [0, 1, 2].map((v) => read(batch.x.slice([0, 0], [4, 1])).filter((x) => x === v).length / 4);
    const count = (v: number) => (v === 0 ? 2 : 0) + (tiny.pseudoCount * (marginal[v]! + 1 / 3)) / 2;
    const total = count(0) + count(1) + count(2);
    const logits = variablesOf(model)[1]!;
    const table = read(tf.softmax(logits).slice([0, 0, 0], [1, 1, 3]));
    expectClose(table, [0, 1, 2].map((v) => count(v) / total), { absolute: 1e-5 }); // prettier-ignore
  }
});

test('the tie is what the distance costs', () => {
  const apart = (tie: number) => {
    const model = blend.create({ ...tiny, tie }, createRng(2));
    const table = variablesOf(model)[3]!; // of θ − a θ̃
    tf.tidy(() => table.assign(table.add(0.5)));
    return model;
  };
  for (const tie of [0, 0.2, 3]) {
    const model = apart(tie);
    expectClose(read(model.distance()), [0.25 * 2 * 3 * 3], { relative: 1e-4 });
    const joint = mean(read(model.logJoint(batch.x, batch.y, rng)));
    expectClose([lossOf(model)], [(tie / 2) * 4.5 - joint], { relative: 1e-4 });
  }
});

test('untied, the classes learn nothing of images without labels; tied hard, the halves stay one', async () => {
  const trained = async (tie: number, extra: readonly number[]) => {
    const model = blend.create({ ...tiny, tie }, createRng(2));
    const x = tf.concat([batch.x, tf.tensor2d([[...extra], [...extra]])]);
    const y = tf.tensor1d([0, 1, 0, UNLABELLED, UNLABELLED, UNLABELLED], 'int32');
    await fit(model, { train: { x, y } }, { epochs: 200, batchSize: 6, optimiser: adam(0.02), rng: createRng(3), quiet: true }); // prettier-ignore
    return model;
  };
  const classes = async (tie: number, extra: readonly number[]) => read((await trained(tie, extra)).logClasses(world));
  expectClose(await classes(0, [2, 0, 0]), await classes(0, [1, 1, 1]), { absolute: 1e-4 });
  const [one, other] = [await classes(20, [2, 0, 0]), await classes(20, [1, 1, 1])];
  expect(Math.max(...one.map((value, i) => Math.abs(value - other[i]!)))).toBeGreaterThan(0.05);
  expect(read((await trained(20, [1, 1, 1])).distance())[0]).toBeLessThan(0.01);
}, 60_000); // prettier-ignore

test('says what is out of range', () => {
  expect(() => blend.create({ ...tiny, tie: -1 }, rng)).toThrow('tie must be ≥ 0, got -1');
  expect(() => blend.create({ ...tiny, pseudoCount: 0 }, rng)).toThrow('pseudoCount must be > 0, got 0');
  expect(() => blend.create(tiny, rng).start(batch.x, tf.zeros([1]))).toThrow('blend: y');
  expect(() => blend.create(tiny, rng).objectives[0]!.loss({ x: batch.x }, rng)).toThrow('no labels y');
});
