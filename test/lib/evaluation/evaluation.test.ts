import * as tf from '@tensorflow/tfjs';
import {
  type Batch,
  bitsPerDim,
  createRng,
  dequantise,
  dequantised,
  evaluate,
  importanceBound,
  type GenerativeModel,
  LOG_2PI,
  logNormal,
  randomWeight,
  sweep,
  variablesOf,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { enumerate, expectClose, mean, normalCdf, read, standardError, tensorsLeft } from '../../helpers';

/** N(mu, 1) in every coordinate, without weights. */
function gaussian(mu: number, D = 2): GenerativeModel {
  return {
    eventShape: [D],
    likelihood: { kind: 'exact', logProb: (x) => tf.tidy(() => logNormal(x, tf.scalar(mu), tf.scalar(0))) },
    objectives: [],
    sample: ({ count, rng }) => tf.tidy(() => rng.normal([count, D]).add(mu)),
  };
}

const rng = createRng('evaluation');
const implicit: GenerativeModel = { ...gaussian(0), likelihood: { kind: 'implicit' } };

describe('evaluate', () => {
  const x = read(createRng(1).normal([40]));
  const data: Batch = { x: tf.tensor2d(x, [20, 2]) };
  const nats = Array.from({ length: 20 }, (_, n) => LOG_2PI + (x[2 * n]! ** 2 + x[2 * n + 1]! ** 2) / 2);

  test('gives the mean, its standard error, and every example’s own number', () => {
    const { kind, nats: got, standardError: error, perExample } = evaluate(gaussian(0), data, rng);
    expect(kind).toBe('exact');
    expectClose(perExample, nats, { relative: 1e-6 });
    expectClose([got, error], [mean(nats), standardError(nats)], { relative: 1e-6 });
  });

  test('does not depend on the batch size of an exact model', () => {
    const { nats: whole } = evaluate(gaussian(0), data, rng);
    for (const batchSize of [1, 7, 20, 1000])
      expectClose([evaluate(gaussian(0), data, rng, { batchSize }).nats], [whole], { relative: 1e-12 });
    for (const batchSize of [0, 2.5])
      expect(() => evaluate(gaussian(0), data, rng, { batchSize })).toThrow(
        `batch size must be an integer ≥ 1, got ${batchSize}`,
      );
  });

  test('sees numbers, tensors and variables that the likelihood reads as they are now', () => {
    let scale = 1;
    let tensor = tf.scalar(1);
    const variable = tf.variable(tf.scalar(1));
    const logProb = (batch: tf.Tensor) => tf.tidy(() => batch.sum(1).mul(scale).mul(tensor).mul(variable).neg());
    const model: GenerativeModel = { ...gaussian(0), likelihood: { kind: 'exact', logProb } };
    const natsNow = () => evaluate(model, { x: tf.ones([4, 2]) }, rng).nats;
    expect(natsNow()).toBe(2);
    scale = 3;
    expect(natsNow()).toBe(6);
    tensor.dispose();
    tensor = tf.scalar(10);
    expect(natsNow()).toBe(60);
    variable.assign(tf.scalar(0.5));
    expect(natsNow()).toBe(30);
  });

  test('gives every batch noise of its own, the same at every call', () => {
    const noisy: GenerativeModel = {
      ...gaussian(0),
      likelihood: { kind: 'estimate', logProb: (batch, noise) => noise.normal([batch.shape[0]!]) },
    };
    const first = evaluate(noisy, data, rng, { batchSize: 5 });
    expect(first.kind).toBe('estimate');
    expect(() => importanceBound(noisy, 2)).toThrow('expected a model with a lower bound, got estimate');
    expect(new Set(first.perExample).size).toBe(20);
    expect(evaluate(noisy, data, rng, { batchSize: 5 })).toEqual(first);
  });

  test('refuses NaN, and says which example', () => {
    const broken: GenerativeModel = {
      ...gaussian(0),
      likelihood: { kind: 'exact', logProb: (batch) => tf.tidy(() => batch.sum(1).log()) },
    };
    const bad = {
      x: tf.tensor2d([
        [1, 1],
        [1, 1],
        [-1, -1],
      ]),
    };
    expect(() => evaluate(broken, bad, rng, { batchSize: 2 })).toThrow('log p(x) of example 2 is NaN');
  });

  test('takes −∞ for what it is: an infinite mean', () => {
    const strict: GenerativeModel = {
      ...gaussian(0),
      likelihood: { kind: 'exact', logProb: (batch) => tf.tidy(() => batch.sum(1).log()) },
    };
    expect(
      evaluate(
        strict,
        {
          x: tf.tensor2d([
            [1, 1],
            [0, 0],
          ]),
        },
        rng,
      ).nats,
    ).toBe(Infinity);
  });

  test('refuses models without a log-likelihood', () => {
    const unnormalised: GenerativeModel = {
      ...gaussian(0),
      likelihood: { kind: 'unnormalised', negEnergy: (batch) => batch.sum(1) },
    };
    expect(() => evaluate(implicit, data, rng)).toThrow("evaluate: this model's likelihood is implicit");
    expect(() => evaluate(unnormalised, data, rng)).toThrow("evaluate: this model's likelihood is unnormalised");
  });

  test('leaves no tensors, also when it throws', async () => {
    const throwing: GenerativeModel = {
      ...gaussian(0),
      likelihood: {
        kind: 'exact',
        logProb: () => {
          throw new Error('no');
        },
      },
    };
    expect(await tensorsLeft(() => evaluate(gaussian(0), data, rng))).toBe(0);
    expect(await tensorsLeft(() => expect(() => evaluate(throwing, data, rng)).toThrow('no'))).toBe(0);
  });
});

test('bitsPerDim: a fair die of 2ᵇ faces needs b bits', () => {
  expect(bitsPerDim(64 * Math.log(16), [64])).toBeCloseTo(4, 12);
  expect(bitsPerDim(64 * Math.log(16), [8, 8, 1])).toBeCloseTo(4, 12);
});

describe('sweep', () => {
  const validation: Batch = { x: createRng(2).normal([50, 2]) };

  test('ranks by validation likelihood, best first', async () => {
    const results = await sweep([2, 0, -1], (mu) => gaussian(mu), validation, rng);
    expect(results.map(({ setting }) => setting)).toEqual([0, -1, 2]);
    for (const { setting, validation: got } of results)
      expect(got.nats).toBe(evaluate(gaussian(setting), validation, rng).nats);
  });

  test('gives every setting randomness of its own, and all the same for validation', async () => {
    const draws: number[][] = [];
    const noisy: GenerativeModel = {
      ...gaussian(0),
      likelihood: { kind: 'estimate', logProb: (batch, noise) => noise.normal([batch.shape[0]!]) },
    };
    const results = await sweep(['a', 'b'], (_, own) => (draws.push(read(own.normal([3]))), noisy), validation, rng);
    expect(draws[0]).not.toEqual(draws[1]);
    expect(results[0]!.validation).toEqual(results[1]!.validation);
  });

  test('needs a setting', async () => {
    await expect(sweep([], () => gaussian(0), validation, rng)).rejects.toThrow('expected at least one setting');
  });
});

describe('dequantised', () => {
  // A cell [x, x + 1) of N(mu, 1) weighs Φ(x + 1 − mu) − Φ(x − mu): the exact probability of the integer x.
  const mu = 0.3;
  const density = gaussian(mu);
  const model = dequantised(density);
  const world = enumerate([-2, -1, 0, 1, 2], 2);
  const exact = world.map((x) => x.reduce((sum, v) => sum + Math.log(normalCdf(v + 1 - mu) - normalCdf(v - mu)), 0));

  /** E_u ln p(x + u) for every x of the world, over many draws, with standard errors. */
  function bounds(logProb: (x: tf.Tensor, noise: ReturnType<typeof createRng>) => tf.Tensor) {
    const draws = Array.from({ length: 400 }, (_, i) => read(logProb(tf.tensor2d(world), createRng(i))));
    return world.map((_, n) => {
      const values = draws.map((draw) => draw[n]!);
      return { mean: mean(values), error: standardError(values) };
    });
  }

  test('says what its number is', () => {
    expect(model.likelihood.kind).toBe('lower-bound');
    expect(model.eventShape).toEqual([2]);
    expect(() => dequantised(implicit)).toThrow('dequantised: expected a model with an exact density, got implicit');
    expect(() => dequantised(model)).toThrow('got lower-bound');
  });

  test('bounds ln P(x) from below, by the gap of Jensen’s inequality', () => {
    const { likelihood } = model;
    if (!('logProb' in likelihood)) return expect.fail('no logProb');
    bounds(likelihood.logProb).forEach(({ mean: bound, error }, n) => {
      // the bound in closed form: E (x + u − mu)² = (x − mu)² + (x − mu) + 1/3
      const closed = world[n]!.reduce((sum, v) => sum - (LOG_2PI + (v - mu) ** 2 + (v - mu) + 1 / 3) / 2, 0);
      expect(closed).toBeLessThan(exact[n]!);
      expect(Math.abs(bound - closed)).toBeLessThan(5 * error); // false alarm 25 · 6·10⁻⁷
    });
  });

  test('would bound nothing with noise from half of the cell', () => {
    const { likelihood } = density;
    if (!('logProb' in likelihood)) return expect.fail('no logProb');
    const half = bounds((x, noise) => tf.tidy(() => likelihood.logProb(x.add(noise.uniform(x.shape).mul(0.5)), noise)));
    const broken = half.filter(({ mean: bound, error }, n) => bound > exact[n]! + 5 * error);
    expect(broken.length).toBeGreaterThan(0);
  });

  test('adds noise that fills the cell', () => {
    const x = tf.fill([1000], 3);
    const noisy = read(dequantise(x, rng));
    expect(noisy.every((value) => value >= 3 && value < 4)).toBe(true);
    expect(Math.min(...noisy)).toBeLessThan(3.02); // all 1,000 miss a given fiftieth with probability 2·10⁻⁹
    expect(Math.max(...noisy)).toBeGreaterThan(3.98);
  });

  test('draws integers, with the frequencies of the cells', () => {
    const n = 20_000;
    const draws = read(model.sample({ count: n, rng }));
    expect(draws.every(Number.isInteger)).toBe(true);
    for (const v of [-2, -1, 0, 1, 2]) {
      const p = normalCdf(v + 1 - mu) - normalCdf(v - mu);
      const got = draws.filter((draw) => draw === v).length / (2 * n);
      expect(Math.abs(got - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / (2 * n)));
    }
  });

  test('trains on noisy data, with new noise at every step', () => {
    const weights = randomWeight([2], createRng(1));
    const loss = ({ x }: Batch) => tf.tidy(() => logNormal(x, weights, tf.scalar(0)).mean().neg());
    const trained = dequantised({
      ...density,
      objectives: [{ name: 'nll', estimates: 'nll', variables: [weights], loss }],
    });
    expect(variablesOf(trained)).toEqual([weights]);
    const losses = [1, 1, 2].map((seed) =>
      read(trained.objectives[0]!.loss({ x: tf.tensor2d(world) }, createRng(seed))),
    );
    expect(losses[0]).toEqual(losses[1]);
    expect(losses[0]).not.toEqual(losses[2]);
  });

  test('leaves no tensors', async () => {
    const { likelihood } = model;
    if (!('logProb' in likelihood)) return expect.fail('no logProb');
    const x = tf.tensor2d(world);
    expect(await tensorsLeft(() => likelihood.logProb(x, rng).dispose())).toBe(0);
    expect(await tensorsLeft(() => model.sample({ count: 3, rng }).dispose())).toBe(0);
  });
});
