import { adam, adamax, adamW, createRng, type Optimiser, sgd } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, read } from './helpers';

/** The second implementation: one weight in float64, a list of gradients in, the weight after each step out. */
type Reference = (start: number, gradients: readonly number[]) => number[];

const steps = (start: number, gradients: readonly number[], step: (w: number, g: number, t: number) => number) => {
  let w = start;
  return gradients.map((g, i) => (w = step(w, g, i + 1)));
};

/** Polyak's heavy ball: w_{t+1} = w_t − η g_t + μ (w_t − w_{t−1}). */
const heavyBall =
  (rate: number, momentum: number): Reference =>
  (start, gradients) => {
    let previous = start;
    return steps(start, gradients, (w, g) => {
      const next = w - rate * g + momentum * (w - previous);
      previous = w;
      return next;
    });
  };

/** Kingma and Ba (2015), algorithm 1, line by line; weight decay as in Loshchilov and Hutter (2019), algorithm 2. */
const adamOfThePaper =
  (alpha: number, beta1: number, beta2: number, epsilon: number, decay: number): Reference =>
  (start, gradients) => {
    let [m, v] = [0, 0];
    return steps(start, gradients, (w, g, t) => {
      m = beta1 * m + (1 - beta1) * g;
      v = beta2 * v + (1 - beta2) * g ** 2;
      const mHat = m / (1 - beta1 ** t);
      const vHat = v / (1 - beta2 ** t);
      return w - alpha * (mHat / (Math.sqrt(vHat) + epsilon) + decay * w);
    });
  };

/** Kingma and Ba (2015), algorithm 2. */
const adamaxOfThePaper =
  (alpha: number, beta1: number, beta2: number): Reference =>
  (start, gradients) => {
    let [m, u] = [0, 0];
    return steps(start, gradients, (w, g, t) => {
      m = beta1 * m + (1 - beta1) * g;
      u = Math.max(beta2 * u, Math.abs(g));
      return w - ((alpha / (1 - beta1 ** t)) * m) / u;
    });
  };

/** Runs an optimiser on several weights at once: the weights after each step. */
function run(optimiser: Optimiser, start: readonly number[], gradients: readonly (readonly number[])[]): number[][] {
  const weights = Float32Array.from(start);
  const state = Array.from({ length: optimiser.slots }, () => new Float32Array(start.length));
  return gradients.map((gradient, i) => {
    optimiser.update(weights, Float32Array.from(gradient), state, i + 1);
    return Array.from(weights);
  });
}

const pairs: readonly (readonly [string, Optimiser, Reference])[] = [
  ['sgd', sgd(0.1), heavyBall(0.1, 0)],
  ['sgd with momentum', sgd(0.1, { momentum: 0.9 }), heavyBall(0.1, 0.9)],
  ['adam', adam(0.1), adamOfThePaper(0.1, 0.9, 0.999, 1e-8, 0)],
  [
    'adam with other settings',
    adam(0.02, { beta1: 0.5, beta2: 0.9, epsilon: 1e-3 }),
    adamOfThePaper(0.02, 0.5, 0.9, 1e-3, 0),
  ],
  ['adamW', adamW(0.1), adamOfThePaper(0.1, 0.9, 0.999, 1e-8, 0.01)],
  [
    'adamW with other settings',
    adamW(0.1, { weightDecay: 0.5, beta2: 0.99 }),
    adamOfThePaper(0.1, 0.9, 0.99, 1e-8, 0.5),
  ],
  ['adamax', adamax(0.1), adamaxOfThePaper(0.1, 0.9, 0.999)],
  ['adamax with other settings', adamax(0.02, { beta1: 0.5, beta2: 0.9 }), adamaxOfThePaper(0.02, 0.5, 0.9)],
];

describe.each(pairs)('%s', (_, optimiser, reference) => {
  test('follows the paper’s algorithm', () => {
    const start = [1, -2, 0.5, 0];
    const gradients = Array.from({ length: 30 }, (_, t) => read(createRng(t).normal([start.length])));
    const got = run(optimiser, start, gradients);
    // 30 steps, each with a handful of float32 roundings (6·10⁻⁸) of numbers of size up to about 10
    start.forEach((w, i) => {
      const expected = reference(
        w,
        gradients.map((g) => g[i]!),
      );
      expectClose(
        got.map((weights) => weights[i]!),
        expected,
        { absolute: 5e-5, relative: 1e-5 },
      );
    });
  });
});

test.each([sgd(0.1), sgd(0.1, { momentum: 0.9 }), adam(0.1), adamax(0.1)])(
  'finds the minimum of a quadratic: %o',
  (optimiser) => {
    // ½ Σ c (w − a)²: 2,000 steps are a hundred times what the slowest of them, 1 − 0.1 c a step, needs
    const [curvature, minimum] = [
      [1, 4],
      [3, -1],
    ];
    const weights = new Float32Array(2);
    const state = Array.from({ length: optimiser.slots }, () => new Float32Array(2));
    for (let t = 1; t <= 2000; t++)
      optimiser.update(
        weights,
        weights.map((w, i) => curvature[i]! * (w - minimum[i]!)),
        state,
        t,
      );
    expectClose(weights, minimum, { absolute: 0.01 });
  },
);

describe('the first step in closed form', () => {
  const first = (optimiser: Optimiser, w: number, g: number) => run(optimiser, [w], [[g]])[0]![0]!;

  test('sgd: −η g', () => {
    expect(first(sgd(0.5), 1, 4)).toBe(-1);
    expect(first(sgd(0.5, { momentum: 0.9 }), 1, 4)).toBe(-1);
  });

  test('adam and adamax: −η sign g, whatever the size of g', () => {
    for (const optimiser of [adam(0.25), adamax(0.25)])
      for (const g of [1e-3, 1, 1e3]) {
        expectClose([first(optimiser, 1, g)], [0.75], { absolute: 1e-5 });
        expectClose([first(optimiser, 1, -g)], [1.25], { absolute: 1e-5 });
      }
  });

  test('adamW: decay without a gradient', () => {
    expectClose([first(adamW(0.1, { weightDecay: 0.5 }), 2, 0)], [1.9], { relative: 1e-6 });
  });

  test('no gradient, no step', () => {
    for (const optimiser of [sgd(0.1, { momentum: 0.9 }), adam(0.1), adamax(0.1)])
      expect(first(optimiser, 2, 0)).toBe(2);
  });
});

test('a learning rate is a positive number', () => {
  for (const rate of [0, -1, NaN, Infinity])
    for (const [name, make] of Object.entries({ sgd, adam, adamW, adamax }))
      expect(() => make(rate)).toThrow(`${name}: learningRate must be a positive number, got ${rate}`);
});
