import * as tf from '@tensorflow/tfjs';
import {
  circuitSource,
  createRng,
  dequantisedSource,
  evaluate,
  grammarSource,
  histogramBaseline,
  integrate,
  isingSource,
  markovSource,
  planeShapes,
  planeSource,
  type PlaneShape,
  type Source,
  tableSource,
  totalProbability,
  toneSource,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { chiSquare, enumerate, expectClose, read, tensorsLeft } from '../../helpers';

const rng = createRng('sources');
const transition = [
  [0.1, 0.9, 0],
  [0.3, 0.3, 0.4],
  [0.5, 0, 0.5],
];
const markov = (length: number) => markovSource({ length, start: [0.2, 0.5, 0.3], transition });
const tinyGrammar = {
  S: [
    { p: 0.7, to: ['a', 'B'] },
    { p: 0.3, to: ['b'] },
  ],
  B: [
    { p: 0.25, to: [] },
    { p: 0.75, to: ['b', 'a'] },
  ],
};

const small: readonly Source[] = [
  markov(4),
  markov(1),
  isingSource({ height: 2, width: 3, coupling: 0.6, field: 0.2 }),
  planeSource('two moons', { bins: 24 }),
  circuitSource({ variables: 4, values: 3, units: 2 }, rng),
  grammarSource(tinyGrammar),
  toneSource({ length: 3, values: 6, periods: [4], phases: 2 }),
];

describe.each(small.map((source) => [source.name, source] as const))('%s', (_, source) => {
  const values = source.support.kind === 'discrete' ? source.support.values : expect.fail('discrete');
  const D = source.eventShape.reduce((size, n) => size * n, 1);
  const world = enumerate(values, D);
  const logP = () => read(source.logProb(tf.tensor(world.flat(), [world.length, ...source.eventShape])));

  test('probabilities sum to 1', () => {
    expectClose([totalProbability(source.logProb, values, source.eventShape)], [1], { absolute: 1e-6 });
  });

  test('its entropy is −Σ p ln p over the world', () => {
    const entropy = logP().reduce((sum, l) => (l === -Infinity ? sum : sum - Math.exp(l) * l), 0);
    expectClose([source.entropy], [entropy], { absolute: 1e-4 });
  });

  test('its samples have these frequencies', () => {
    const n = 20_000;
    const draws = source.sample({ count: n, rng: rng.fork('samples') });
    expect(draws.shape).toEqual([n, ...source.eventShape]);
    const index = new Map(world.map((row, i) => [row.join(), i]));
    const counts = world.map(() => 0);
    for (const row of draws.reshape([n, D]).arraySync() as number[][]) counts[index.get(row.join())!]!++;
    const p = logP().map(Math.exp);
    expect(counts.filter((count, i) => count > 0 && p[i] === 0)).toEqual([]);
    const { statistic, bound } = chiSquare(counts, p.map((value) => n * value)); // prettier-ignore
    expect(statistic).toBeLessThan(bound);
  });

  test('evaluate finds the entropy within three standard errors, and a wrong model above it', () => {
    const train = { x: source.sample({ count: 4000, rng: rng.fork('train') }) };
    const { nats, standardError } = evaluate(source, train, rng);
    expect(Math.abs(nats - source.entropy)).toBeLessThan(1e-4 + 3 * standardError);
    const histogram = evaluate(
      histogramBaseline(train, values.length),
      { x: source.sample({ count: 4000, rng }) },
      rng,
    );
    expect(histogram.nats).toBeGreaterThan(source.entropy - 5 * histogram.standardError);
  });

  test('gives −∞ off the lattice, refuses another shape, leaves no tensors', async () => {
    const half = tf.fill([1, ...source.eventShape], 0.5);
    expect(read(source.logProb(half))).toEqual([-Infinity]);
    expect(() => source.logProb(tf.zeros([2, ...source.eventShape, 1]))).toThrow(`${source.name}: x must be [B, `);
    const left = await tensorsLeft(() => {
      source.logProb(half).dispose();
      source.sample({ count: 3, rng }).dispose();
    });
    expect(left).toBe(0);
    half.dispose();
  });
});

test('the same rng, the same samples', () => {
  for (const source of small) {
    const draw = (seed: string) => read(source.sample({ count: 30, rng: createRng(seed) }));
    expect(draw('a')).toEqual(draw('a'));
    expect(draw('a')).not.toEqual(draw('b'));
  }
});

describe('Markov strings', () => {
  test('the entropy of a coin thrown ten times is 10 ln 2', () => {
    const coin = { length: 10, start: [0.5, 0.5], transition: [[0.5, 0.5], [0.5, 0.5]] }; // prettier-ignore
    expect(markovSource(coin).entropy).toBeCloseTo(10 * Math.LN2, 12);
  });

  test('a forbidden step has probability 0', () => {
    expect(read(markov(3).logProb(tf.tensor2d([[0, 2, 2]])))).toEqual([-Infinity]);
  });

  test('names the row that is no distribution', () => {
    const broken = { length: 2, start: [0.5, 0.5], transition: [[0.5, 0.5], [0.5, 0.6]] }; // prettier-ignore
    expect(() => markovSource(broken)).toThrow('markovSource: row 1 must be probabilities that sum to 1');
    expect(() => markovSource({ ...broken, transition: [[1, 0]] })).toThrow('expected 2 rows, got 1');
    expect(() => markov(0)).toThrow('length must be an integer ≥ 1, got 0');
  });
});

describe('grammar', () => {
  test('the English one: its entropy is that of its choices, each as often as it is made', () => {
    const english = grammarSource();
    const h = (...p: number[]) => p.reduce((sum, v) => sum - v * Math.log(v), 0);
    // a sentence has one subject (singular in 0.6 of all) and one object (in 0.5)
    const [ones, manies] = [0.6 + 0.5, 0.4 + 0.5];
    const phrase = h(0.5, 0.3, 0.2);
    const entropy =
      h(0.6, 0.4) + 0.6 * h(0.6, 0.4) + 0.4 * h(0.7, 0.3) + Math.LN2 +
      ones * (h(0.7, 0.3) + phrase + h(0.5, 0.3, 0.2)) + manies * (phrase + h(0.4, 0.4, 0.2)); // prettier-ignore
    expect(english.entropy).toBeCloseTo(entropy, 10);
    const x = english.sample({ count: 50, rng });
    for (const row of x.arraySync() as number[][])
      expect(english.text(row)).toMatch(/^(the|a) .*(sees?|follows?) (the|a) /);
    const wrong = ['the', 'cat', 'see', 'the', 'dog'].map((word) => english.words.indexOf(word));
    const padded = [...wrong, ...new Array<number>(english.eventShape[0]! - wrong.length).fill(0)];
    expect(read(english.logProb(tf.tensor2d([padded])))).toEqual([-Infinity]);
  });

  test('refuses ambiguity, recursion, and rules that do not sum to 1', () => {
    const same = [
      { p: 0.5, to: ['a'] },
      { p: 0.5, to: ['A'] },
    ];
    expect(() => grammarSource({ S: same, A: [{ p: 1, to: ['a'] }] })).toThrow('two derivations of "a"');
    expect(() => grammarSource({ S: [{ p: 1, to: ['a', 'S'] }] })).toThrow("'S' can contain itself (S → S)");
    expect(() => grammarSource({ S: [{ p: 0.9, to: ['a'] }] })).toThrow('the rules of S must be probabilities');
    expect(() => grammarSource(tinyGrammar, 'X')).toThrow("no symbol 'X' in the grammar");
  });
});

describe('Ising', () => {
  test('without coupling every pixel is a coin of its own', () => {
    const p = 1 / (1 + Math.exp(-2 * 0.7));
    const coin = -p * Math.log(p) - (1 - p) * Math.log(1 - p);
    expect(isingSource({ coupling: 0, field: 0.7 }).entropy).toBeCloseTo(16 * coin, 8);
  });

  test('a chain has Z = 2 (2 cosh J)^(T − 1)', () => {
    const J = 0.5;
    const chain = isingSource({ height: 1, width: 8, coupling: J });
    const logZ = Math.log(2) + 7 * Math.log(2 * Math.cosh(J));
    expectClose(read(chain.logProb(tf.ones([1, 1, 8]))), [7 * J - logZ], { absolute: 1e-5 });
  });

  test('refuses what cannot be enumerated', () => {
    expect(() => isingSource({ height: 5 })).toThrow('5 × 4 pixels have 2^20 pictures; at most 16 pixels');
  });
});

describe('plane', () => {
  test.each(Object.keys(planeShapes) as PlaneShape[])('%s lies within its window', (shape) => {
    const bins = 40;
    const source = planeSource(shape, { bins });
    const edge = read(source.logProb(tf.tensor2d(Array.from({ length: bins }, (_, i) => [0, i]))));
    expect(edge.reduce((sum, l) => sum + Math.exp(l), 0)).toBeLessThan(1e-3);
  });

  test('a cell has the mass of its Gaussian, by quadrature', () => {
    const source = planeSource([{ weight: 2, mu: [0.3, -0.2], sigma: [0.8, 0.5] }], { bins: 8, range: 4 });
    const density = (x: tf.Tensor) =>
      tf.tidy(() => {
        const z = x.sub(tf.tensor1d([0.3, -0.2])).div(tf.tensor1d([0.8, 0.5]));
        return z
          .square()
          .sum(1)
          .mul(-0.5)
          .sub(Math.log(2 * Math.PI * 0.8 * 0.5));
      });
    const mass = integrate(density, { low: 0, high: 1, dimensions: 2, steps: 200 });
    expectClose([Math.exp(read(source.logProb(tf.tensor2d([[4, 4]])))[0]!)], [mass], { relative: 1e-4 });
  });

  test('dequantised: the density of real numbers, with the same entropy', () => {
    const source = dequantisedSource(planeSource('spiral', { bins: 10 }));
    const mass = integrate(source.logProb, { low: 0, high: 10, dimensions: 2, steps: 100 });
    expectClose([mass], [1], { absolute: 1e-6 });
    const { nats, standardError } = evaluate(source, { x: source.sample({ count: 4000, rng }) }, rng);
    expect(Math.abs(nats - source.entropy)).toBeLessThan(3 * standardError);
    expect(() => dequantisedSource(source)).toThrow('is continuous already');
  });
});

test('a table needs a weight for every point, and not all of them 0', () => {
  expect(() => tableSource('t', [2], 2, [0, 0, 0])).toThrow('t: expected a weight for each of 2^2 points, got 3');
  expect(() => tableSource('t', [1], 2, [-Infinity, -Infinity])).toThrow('the weights must be finite');
});

test('tones that cannot be told apart are refused', () => {
  const close = { length: 3, values: 6, periods: [100, 101], phases: 1 };
  expect(() => toneSource(close)).toThrow('tones 0 and 1 are never more than 2 levels apart');
});
