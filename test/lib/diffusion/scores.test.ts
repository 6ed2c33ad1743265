import * as tf from '@tensorflow/tfjs';
import {
  annealedLangevin,
  createRng,
  denoisingScoreMatching,
  exactScoreMatching,
  integrate,
  langevin,
  noiseProcess,
  numericalGradient,
  permutation,
  planeMixture,
  planeShapes,
  rademacher,
  reverseSdeStep,
  slicedScoreMatching,
  squaredDistances,
  transportPlan,
  pairByTransport,
  type PlaneComponent,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, mean, read, standardError } from '../../helpers';

const odd: readonly PlaneComponent[] = [
  { weight: 1, mu: [-1, 0.5], sigma: [0.4, 0.9] },
  { weight: 3, mu: [1.2, -0.3], sigma: [0.7, 0.5] },
];
const world = planeMixture(odd);
const at = (row: readonly number[]) => tf.tensor2d([[...row]]);
const variance = (values: readonly number[]) => mean(values.map((v) => (v - mean(values)) ** 2));
const points = [
  [0.3, -0.2],
  [-1.1, 1.4],
  [2, 0.1],
];

describe('a mixture in the plane', () => {
  test.each([0, 0.5])('has a density with noise of %d that integrates to 1', (sigma) => {
    const total = integrate((x) => world.logProbAt(x, sigma), { low: -9, high: 9, dimensions: 2 });
    expectClose([total], [1], { absolute: 1e-4 });
  });

  test.each([0, 0.3, 2])('has the score of finite differences of ln p with noise of %d', (sigma) => {
    for (const row of points) {
      const slope = numericalGradient((x) => read(world.logProbAt(at(x), sigma))[0]!, row, 5e-3);
      expectClose(read(world.score(at(row), sigma)), slope, { absolute: 3e-3 });
    }
  });

  test('draws what it says, and its entropy is the mean of −ln p', () => {
    const x = world.sample({ count: 20_000, rng: createRng(1) });
    const nats = read(world.logProb(x)).map((v) => -v);
    expectClose([mean(nats)], [world.entropy], { absolute: 5 * standardError(nats) });
    const ring = planeMixture('eight Gaussians');
    // eight hills that hardly touch: a little less than ln 8 and the entropy of one
    const apart = Math.log(8) + 1 + Math.log(2 * Math.PI) + 2 * Math.log(0.3);
    expectClose([ring.entropy], [apart], { absolute: 5e-3 });
    expect(ring.entropy).toBeLessThan(apart);
  });

  test('its best guess is the mean of x where x with noise is seen', () => {
    const sigma = 0.6;
    const x = world.sample({ count: 200_000, rng: createRng(2) });
    const z = x.add(createRng(3).normal(x.shape).mul(sigma));
    for (const row of points.slice(0, 2)) {
      const near = z.sub(at(row)).square().sum(1).less(0.1 ** 2).dataSync(); // prettier-ignore
      const seen = (x.arraySync() as number[][]).filter((_, n) => near[n]);
      const guess = read(world.denoised(at(row), sigma));
      [0, 1].forEach((d) => {
        const values = seen.map((v) => v[d]!);
        expect(values.length).toBeGreaterThan(100);
        expectClose([mean(values)], [guess[d]!], { absolute: 5 * standardError(values) + 0.02 });
      });
    }
  });

  test('its velocity on straight paths is what the score says of it, at any time', () => {
    for (const t of [0.05, 0.4, 0.9]) {
      const sigma = (1 - t) / t;
      for (const row of points) {
        const data = read(world.denoised(at(row.map((v) => v / t)), sigma));
        const expected = data.map((v, d) => (v - row[d]!) / (1 - t));
        expectClose(read(world.velocity(at(row), tf.tensor1d([t]))), expected, { absolute: 1e-3, relative: 1e-3 });
      }
    }
    // noise alone says nothing of x: the mean of x, less z; x alone says nothing of ε
    expectClose(read(world.velocity(at([0.5, -2]), 0)), [0.65 - 0.5, -0.1 + 2], { absolute: 1e-4 });
    expectClose(read(world.velocity(at([0.5, -2]), 1)), [0.5, -2], { absolute: 1e-4 });
  });
});

describe('score matching', () => {
  const N = 20_000;
  const x = world.sample({ count: N, rng: createRng('x') });
  const score =
    (scale: number, sigma = 0) =>
    (z: tf.Tensor) =>
      world.score(z, sigma).mul(scale);
  const squares = read(tf.tidy(() => world.score(x, 0).square().sum(1)));

  test('the exact loss is the squared error less a constant: smallest at the score', () => {
    const losses = [0.7, 1, 1.3].map((scale) => read(exactScoreMatching(score(scale), x)));
    // ½ (c − 1)² E‖s‖² less ½ E‖s‖²
    [0.7, 1, 1.3].forEach((scale, i) => {
      const expected = squares.map((s) => 0.5 * ((scale - 1) ** 2 - 1) * s);
      const gap = losses[i]!.map((value, n) => value - expected[n]!);
      expectClose([mean(gap)], [0], { absolute: 5 * standardError(gap) });
    });
    expect(mean(losses[1]!)).toBeLessThan(Math.min(mean(losses[0]!), mean(losses[2]!)));
  });

  test('the sliced loss has the mean of the exact one', () => {
    const e = rademacher([N, 2], createRng('e'));
    const gap = read(tf.tidy(() => slicedScoreMatching(score(1.2), x, e).sub(exactScoreMatching(score(1.2), x))));
    expectClose([mean(gap)], [0], { absolute: 5 * standardError(gap) });
    expect(variance(gap)).toBeGreaterThan(0.01);
  });

  test('denoising finds the score of the data with noise, and not another', () => {
    const sigma = 0.5;
    const noise = createRng('noise').normal(x.shape);
    const loss = (f: (z: tf.Tensor) => tf.Tensor) => read(denoisingScoreMatching(f, x, { sigma, noise }));
    const right = loss(score(1, sigma));
    for (const other of [score(1), score(0.8, sigma), score(1.2, sigma), score(-1, sigma)]) {
      const gap = loss(other).map((value, n) => value - right[n]!);
      expect(mean(gap)).toBeGreaterThan(5 * standardError(gap));
    }
  });
});

describe('Langevin dynamics', () => {
  test.each([0.05, 0.5, 1.2])('has the variance of its step, η = %d', (eta) => {
    const sigma = 0.8;
    const chain = langevin((x) => x.div(-(sigma ** 2)));
    const x = chain(tf.zeros([20_000, 1]), { steps: 200, eta, rng: createRng('chain') });
    const expected = sigma ** 2 / (1 - eta / (2 * sigma ** 2));
    expectClose([variance(read(x))], [expected], { relative: 5 * Math.sqrt(2 / 20_000) });
  });

  test('a step too long runs away', () => {
    const chain = langevin((x) => x.neg());
    const x = read(chain(tf.ones([100, 1]), { steps: 200, eta: 2.2, rng: createRng(1) }));
    expect(variance(x)).toBeGreaterThan(1e3);
    expect(() => chain(tf.ones([1, 1]), { steps: 1, eta: 0, rng: createRng(1) })).toThrow('eta must be above 0');
  });

  test('through falling noise it reaches both of two hills far apart; without, one of them', () => {
    const far = planeMixture([-4, 4].map((mu) => ({ weight: 1, mu: [mu, 0], sigma: [0.3, 0.3] })));
    const start = tf.tidy(() => tf.fill([400, 2], -4).add(createRng('start').normal([400, 2]).mul(0.1)));
    const rng = createRng('annealed');
    const share = (x: tf.Tensor) => mean(read(x.slice([0, 0], [-1, 1])).map((v) => (v > 0 ? 1 : 0)));
    const plain = langevin((x) => far.score(x, 0))(start, { steps: 200, eta: 0.01, rng });
    expect(share(plain)).toBe(0);
    const sigmas = Array.from({ length: 12 }, (_, i) => 8 * (0.05 / 8) ** (i / 11));
    const fallen = annealedLangevin((x, sigma) => far.score(x, sigma))(start, { sigmas, steps: 40, rng });
    expect(Math.abs(share(fallen) - 0.5)).toBeLessThan(0.12);
  });
});

describe('noise that grows', () => {
  const range = { sigmaMin: 0.05, sigmaMax: 8 };
  const one = (f: (t: tf.Tensor) => tf.Tensor, t: number) => read(f(tf.tensor1d([t])))[0]!;

  test.each(['ve', 'vp'] as const)('%s: f and g² make α and σ what they are', (name) => {
    const { sigma, alpha, drift, diffusion } = noiseProcess(name, range);
    expectClose([one(sigma, 0), one(sigma, 1)], [0.05, 8], { relative: 1e-3 });
    // d(α²σ²)/dt = 2 f α²σ² + g², dα/dt = f α
    const [h, width] = [2e-3, (t: number) => (one(alpha, t) * one(sigma, t)) ** 2];
    for (const t of [0.2, 0.5, 0.8]) {
      const slope = (f: (t: number) => number) => (f(t + h) - f(t - h)) / (2 * h);
      const f = one(drift, t);
      expectClose([slope((u) => one(alpha, u))], [f * one(alpha, t)], { absolute: 2e-3, relative: 5e-3 });
      expectClose([slope(width)], [2 * f * width(t) + one(diffusion, t)], { absolute: 1e-3, relative: 5e-3 });
    }
    if (name === 'vp') expectClose([one(alpha, 1) ** 2 * (1 + 64)], [1], { relative: 1e-3 });
  });

  test.each(['ve', 'vp'] as const)('%s backwards with the true score ends at the data', (name) => {
    // data N(0, 1): the variance at t is α² (1 + σ²), and the score −z over it
    const { sigma, alpha, drift, diffusion } = noiseProcess(name, range);
    const steps = 400;
    const spread = (t: number) => one(alpha, t) ** 2 * (1 + one(sigma, t) ** 2);
    let z: tf.Tensor = createRng('z')
      .normal([20_000, 1])
      .mul(Math.sqrt(spread(1)));
    for (let i = 0; i < steps; i++) {
      const t = 1 - i / steps;
      const step = { drift: one(drift, t), diffusion: one(diffusion, t), h: 1 / steps, noise: createRng(i).normal([20_000, 1]) }; // prettier-ignore
      z = reverseSdeStep(z, z.div(-spread(t)), step);
    }
    expectClose([variance(read(z))], [spread(0)], { relative: 0.05 }); // of it 5 · √(2 / 20,000) the draws, the rest the steps
  });

  test('what it does not take', () => {
    expect(() => noiseProcess('vq' as never, range)).toThrow("expected 've' or 'vp', got 'vq'");
    expect(() => noiseProcess('ve', { sigmaMin: 2, sigmaMax: 1 })).toThrow('0 < sigmaMin < sigmaMax');
  });
});

describe('pairs by optimal transport', () => {
  const orders = (n: number): number[][] => (n === 0 ? [[]] : orders(n - 1).flatMap((o) => Array.from({ length: n }, (_, i) => [...o.slice(0, i), n - 1, ...o.slice(i)]))); // prettier-ignore

  test.each([2, 4, 6])('of %d and as many: the plan is the cheapest permutation', (B) => {
    for (let seed = 0; seed < 5; seed++) {
      const [a, b] = ['a', 'b'].map((label) => createRng(seed).fork(label).normal([B, 2])) as [tf.Tensor, tf.Tensor];
      const cost = squaredDistances(a, b);
      const c = cost.arraySync() as number[][];
      const price = (order: readonly number[]) => order.reduce((sum, j, i) => sum + c[i]![j]!, 0);
      const cheapest = Math.min(...orders(B).map(price));
      const plan = transportPlan(cost, { entropy: 0.005, rounds: 400 });
      const rows = plan.exp().arraySync() as number[][];
      expectClose(rows.map((row) => row.reduce((s, v) => s + v, 0)), rows.map(() => 1), { absolute: 1e-3 }); // prettier-ignore
      const chosen = rows.map((row) => row.indexOf(Math.max(...row)));
      expect(new Set(chosen).size).toBe(B);
      expectClose([price(chosen)], [cheapest], { absolute: 0.02 * c.flat().reduce((s, v) => s + v, 0) / B ** 2 }); // prettier-ignore
    }
  });

  test('pairs are shorter, and every example is drawn as often as another', () => {
    const B = 64;
    const [noise, x] = [createRng('n').normal([B, 2]), createRng('x').normal([B, 2]).mul(3)];
    const paired = pairByTransport(noise, x, createRng('p'));
    const length = (y: tf.Tensor) => mean(read(y.sub(noise).square().sum(1)));
    expect(length(paired)).toBeLessThan(0.6 * length(x));
    const counts = new Float64Array(B);
    const order = permutation(B, createRng('o'));
    const shuffled = tf.gather(x, tf.tensor1d(order, 'int32'));
    for (let i = 0; i < 40; i++) {
      const rows = pairByTransport(noise, shuffled, createRng(i)).arraySync() as number[][];
      const index = new Map((shuffled.arraySync() as number[][]).map((row, k) => [row.join(), k]));
      for (const row of rows) counts[index.get(row.join())!]!++;
    }
    expect(Math.min(...counts)).toBeGreaterThan(8);
    expect(Math.max(...counts)).toBeLessThan(120);
  });

  test('distances', () => {
    const d = squaredDistances(tf.tensor2d([[0, 0], [1, 2]]), tf.tensor2d([[1, 0], [3, 4]])).arraySync(); // prettier-ignore
    expect(d).toEqual([[1, 25], [4, 8]]); // prettier-ignore
  });
});

test('the ring is in the list of shapes', () => {
  expect(() => planeMixture([])).toThrow('expected one component or more');
  expect(planeMixture('rings').name).toBe('rings');
  expect(Object.keys(planeShapes)).toContain('eight Gaussians');
});
