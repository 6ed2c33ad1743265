import * as tf from '@tensorflow/tfjs';
import {
  baselines,
  chowLiuBaseline,
  classHistogramBaseline,
  createRng,
  type Dataset,
  evaluate,
  type GenerativeModel,
  histogramBaseline,
  load,
  rungsOf,
  uniformBaseline,
} from 'dgm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chiSquare, enumerate, expectClose, logSumExp, read, tensorsLeft } from '../../helpers';

const rng = createRng('baselines');

function logProb(model: GenerativeModel, x: tf.Tensor): number[] {
  return 'logProb' in model.likelihood ? read(model.likelihood.logProb(x, rng)) : expect.fail('no logProb');
}

const train = {
  x: tf.tensor2d([
    [0, 2],
    [0, 1],
    [1, 2],
    [0, 2],
  ]),
  y: tf.tensor1d([0, 1, 1, 0], 'int32'),
};
const world = enumerate([0, 1, 2], 2);
const rungs: readonly (readonly [string, GenerativeModel, readonly number[]])[] = [
  ['uniform', uniformBaseline([2], 3), world.map(() => 1 / 9)],
  [
    'histogram',
    histogramBaseline(train, 3, { alpha: 0.5 }),
    // (count + α) / (N + α V), by hand
    world.map(([a, b]) => (([3, 1, 0][a!]! + 0.5) / 5.5) * (([0, 1, 3][b!]! + 0.5) / 5.5)),
  ],
  [
    'class-conditional histogram',
    classHistogramBaseline(train, 3, { alpha: 0.5 }),
    // two examples in each class, (count + α) / (2 + 3 α)
    world.map(([a, b]) =>
      [0, 1].reduce((sum, c) => {
        const [first, second] = [[[2, 0, 0], [1, 1, 0]][c]!, [[0, 0, 2], [0, 1, 1]][c]!]; // prettier-ignore
        return sum + 0.5 * ((first[a!]! + 0.5) / 3.5) * ((second[b!]! + 0.5) / 3.5);
      }, 0),
    ),
  ],
  [
    'Chow–Liu tree',
    chowLiuBaseline(train, 3, { alpha: 0.5, beta: 2, tree: [-1, 0] }),
    // p(a) = (count + β p_0(a)) / (N + β); given a, (count_ab + β p_1(b)) / (count_a + β), p_d = (count + α) / 5.5
    world.map(([a, b]) => {
      const [p0, p1] = [([3, 1, 0][a!]! + 0.5) / 5.5, ([0, 1, 3][b!]! + 0.5) / 5.5];
      const joint = [[0, 1, 2], [0, 0, 1], [0, 0, 0]][a!]![b!]!; // prettier-ignore
      return p0 * ((joint + 2 * p1) / ([3, 1, 0][a!]! + 2));
    }),
  ],
];

describe.each(rungs)('%s', (_, model, probabilities) => {
  test('has the probabilities worked out by hand, which sum to 1', () => {
    const logP = logProb(model, tf.tensor2d(world));
    expectClose(logP, probabilities.map(Math.log), { absolute: 1e-5 });
    expectClose([Math.exp(logSumExp(logP))], [1], { absolute: 1e-6 });
  });

  test('gives −∞ off the lattice', () => {
    for (const value of [0.5, 3, -1]) expect(logProb(model, tf.tensor2d([[0, value]]))).toEqual([-Infinity]);
  });

  test('refuses another event shape', () => {
    expect(() => logProb(model, tf.zeros([4, 3]))).toThrow(/must be \[B, 2\], got \[4, 3\]/);
    expect(() => logProb(model, tf.zeros([2]))).toThrow('add a batch axis');
  });

  test('draws with these frequencies', () => {
    const n = 10_000;
    const draws = read(model.sample({ count: n, rng }));
    const counts = world.map(
      ([a, b]) =>
        Array.from({ length: n }, (_, i) => i).filter((i) => draws[2 * i] === a && draws[2 * i + 1] === b).length,
    );
    const { statistic, bound } = chiSquare(
      counts,
      probabilities.map((p) => n * p),
    );
    expect(statistic).toBeLessThan(bound);
  });

  test('leaves no tensors', async () => {
    const x = tf.tensor2d(world);
    expect(await tensorsLeft(() => (logProb(model, x), model.sample({ count: 2, rng }).dispose()))).toBe(0);
  });
});

test('any event shape', () => {
  const x = tf.tensor3d([0, 1, 2, 0, 1, 1, 1, 1], [2, 2, 2]);
  const y = tf.tensor1d([0, 1], 'int32');
  for (const model of [
    uniformBaseline([2, 2], 3),
    histogramBaseline({ x }, 3),
    classHistogramBaseline({ x, y }, 3),
    chowLiuBaseline({ x }, 3),
  ]) {
    expect(logProb(model, x).length).toBe(2);
    expect(model.sample({ count: 5, rng }).shape).toEqual([5, 2, 2]);
  }
});

test('the histogram needs pseudo-counts, and values it knows', () => {
  for (const alpha of [0, -1, NaN])
    expect(() => histogramBaseline(train, 3, { alpha })).toThrow(`alpha must be > 0, got ${alpha}`);
  expect(() => histogramBaseline(train, 2)).toThrow('histogramBaseline: x must hold integers 0 … 1');
  expect(() => classHistogramBaseline(train, 3, { alpha: 0 })).toThrow('alpha must be > 0, got 0');
  expect(() => chowLiuBaseline(train, 3, { beta: 0 })).toThrow('beta must be > 0, got 0');
});

test('classes need labels, and a tree needs as many variables as the data', () => {
  expect(() => classHistogramBaseline({ x: train.x }, 3)).toThrow('the examples have no labels y');
  expect(() => chowLiuBaseline(train, 3, { tree: [-1] })).toThrow('the tree must have 2 variables, got 1');
});

describe('the ladder on digits', () => {
  let digits: Dataset;
  beforeAll(() => {
    digits = load('digits');
  });
  afterAll(() => digits.dispose());

  test('uniform: 64 ln 17 = 181.33 nats', () => {
    const { nats, standardError } = evaluate(uniformBaseline(digits.eventShape, digits.values), digits.test, rng);
    expectClose([nats, standardError], [64 * Math.log(17), 0], { absolute: 1e-4 });
    expect(nats).toBeCloseTo(181.33, 2);
  });

  test('histogram: at most 106.4 nats, and equal to a count in float64', () => {
    const { nats } = evaluate(histogramBaseline(digits.train, digits.values), digits.test, rng);
    expect(nats).toBeLessThanOrEqual(106.4);
    const [seen, unseen] = [digits.train, digits.test].map(({ x }) => x.dataSync());
    const counts = Array.from({ length: 64 }, () => Array<number>(17).fill(0.3));
    seen!.forEach((value, i) => counts[i % 64]![value]!++);
    let expected = 0;
    unseen!.forEach((value, i) => (expected -= Math.log(counts[i % 64]![value]! / (1000 + 0.3 * 17))));
    expect(nats).toBeCloseTo(expected / 447, 3);
  });

  test('class-conditional histogram: at most 99.9 nats; Chow–Liu: at most 96.3', () => {
    const nats = (model: GenerativeModel) => evaluate(model, digits.test, rng).nats;
    expect(nats(classHistogramBaseline(digits.train, digits.values))).toBeLessThanOrEqual(99.9);
    expect(nats(chowLiuBaseline(digits.train, digits.values))).toBeLessThanOrEqual(96.3);
  });

  test('the ladder is in order, with the categorical mixture (the best of three starts) at most 101.5', async () => {
    const rungs = rungsOf(await baselines(digits, rng), digits.test, rng);
    expect(rungs.map(({ kind, baseline }) => [kind, baseline])).toEqual(rungs.map(() => ['exact', true]));
    const nats = rungs.map((rung) => rung.nats);
    const [uniform, histogram, classes, mixture, tree] = nats as [number, number, number, number, number];
    expect(mixture).toBeLessThanOrEqual(101.5);
    expect(nats.toSorted((a, b) => b - a)).toEqual([uniform, histogram, mixture, classes, tree]);
  });

  test('seeds are averaged: their spread is one thing, the standard error over examples another', () => {
    const models = [uniformBaseline(digits.eventShape, 17), uniformBaseline(digits.eventShape, 18)];
    const [rung] = rungsOf([{ name: 'two', model: models }], digits.test, rng);
    const each = [17, 18].map((V) => 64 * Math.log(V)) as [number, number];
    expectClose([rung!.nats], [(each[0] + each[1]) / 2], { absolute: 1e-3 });
    expectClose([rung!.spread!], [(each[1] - each[0]) / Math.SQRT2], { absolute: 1e-3 });
    expectClose([rung!.error, rung!.behind, rung!.behindError], [0, 0, 0], { absolute: 1e-3 }); // all examples alike
    expect(() => rungsOf([{ name: 'none', model: [] }], digits.test, rng)).toThrow("'none' has no models");
  });

  test('differences are those of the same examples', () => {
    const [histogram, tree] = [histogramBaseline(digits.train, 17), chowLiuBaseline(digits.train, 17)];
    const models = [
      { name: 'histogram', model: histogram },
      { name: 'tree', model: tree },
    ];
    const [first, second] = rungsOf(models, digits.test, rng);
    const [a, b] = [histogram, tree].map((model) => evaluate(model, digits.test, rng));
    const differences = Array.from(a!.perExample, (value, n) => value - b!.perExample[n]!);
    const mean = differences.reduce((x, y) => x + y, 0) / 447;
    const variance = differences.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 446;
    expectClose([first!.behind, first!.behindError], [mean, Math.sqrt(variance / 447)], { absolute: 1e-6 });
    expect([second!.behind, second!.behindError, first!.spread]).toEqual([0, 0, undefined]);
    expectClose([first!.error, second!.error], [a!.standardError, b!.standardError], { absolute: 1e-6 });
    // as if they had seen different examples, the error would be half as large again
    expect(Math.hypot(first!.error, second!.error)).toBeGreaterThan(1.5 * first!.behindError);
  });
});
