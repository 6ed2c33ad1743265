import * as tf from '@tensorflow/tfjs';
import {
  convolutionalVae,
  createRng,
  evaluate,
  fit,
  hypersphericalVae,
  importanceBound,
  refine,
  type Rng,
  vae,
  type VaeConfig,
  variablesOf,
  type VariationalModel,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { laws, lawsOf } from '../../laws/laws';
import { lively, specimenOf, type Specimen } from '../../laws/specimen';
import { expectClose, mean, read, standardError } from '../../helpers';

const tiny = vae.tiny.config;

/** A tiny member with another option, under the same truth. */
const specimen = (config: Partial<VaeConfig>, support: Specimen['support'] = vae.tiny.support) => ({
  ...specimenOf({ ...vae, tiny: { ...vae.tiny, config: { ...tiny, ...config } } }),
  support,
});

const modelOf = (config: Partial<VaeConfig> = {}, seed = 'lively') =>
  lively(specimen(config), seed) as VariationalModel;

const few = () => tf.tensor2d([[0, 1, 2], [2, 2, 0], [1, 0, 0], [2, 1, 1]]); // prettier-ignore

const integers = (high: number) =>
  ({ kind: 'discrete', values: Array.from({ length: high + 1 }, (_, v) => v) }) as const;

describe.each([
  ['coins', specimen({ observation: 'bernoulli', values: 2 }, integers(1))],
  ['logistics cut into integers', specimen({ observation: 'discretised-logistic', values: 4 }, integers(3))],
  ['Gaussians', specimen({ observation: 'gaussian', values: null, eventShape: [1] }, { kind: 'continuous', low: -40, high: 40 })], // prettier-ignore
  ['three draws', specimen({ draws: 3 })],
  ['free bits', specimen({ freeBits: 0.5 })],
  ['more steps of the encoder', specimen({ encoderSteps: 2 })],
  ['the score function', specimen({ gradient: 'score' })],
])('with %s', (_, own) => {
  const model = own.create(createRng(1));
  const names = ['shapes and finiteness', 'bound ≤ importance bound ≤ log p', 'compiled log p is eager log p', 'a step of an objective moves every variable it lists, and no other', 'the gradient of the loss is its slope', 'a loss that estimates a bound is not below the mean of −log p', 'compiled training is eager training']; // prettier-ignore
  const applying = lawsOf(model, own).filter(({ name }) => names.includes(name));
  test.each(applying.map((law) => [law.name, law] as const))('%s', (_, law) => law.check(own));
  test('those laws are there', () =>
    expect(names.filter((name) => !laws.some((law) => law.name === name))).toEqual([]));
});

describe('the bound', () => {
  test('is the same by its parts and by its weights, on average', () => {
    const model = modelOf();
    const x = few();
    const draws = Array.from({ length: 800 }, (_, i) => {
      const { reconstruction, kl, logWeight } = model.terms(x, createRng(i));
      return read(reconstruction.sub(kl).sub(logWeight).mean())[0]!;
    });
    expectClose([mean(draws)], [0], { absolute: 5 * standardError(draws) });
  });

  test('of more draws is tighter, and the loss of K draws estimates it', () => {
    const three = modelOf({ draws: 3 });
    const x = few();
    const losses = Array.from({ length: 300 }, (_, i) => read(three.objectives[0]!.loss({ x }, createRng(i)))[0]!);
    const bounds = Array.from({ length: 300 }, (_, i) => evaluate(importanceBound(three, 3), { x }, createRng(i)).nats);
    const error = Math.hypot(standardError(losses), standardError(bounds));
    expectClose([mean(losses)], [mean(bounds)], { absolute: 5 * error });
    expect(mean(losses)).toBeLessThan(evaluate(three, { x: tf.tile(x, [300, 1]) }, createRng(1)).nats);
  });

  test('with free bits counts each latent at λ at least, by its mean over the batch', () => {
    const x = few();
    for (const lambda of [0, 0.3, 50]) {
      const model = modelOf({ freeBits: lambda, latent: 2 });
      const kl = read(model.posterior.kl!(model.encode(x)).mean(0));
      const { reconstruction } = model.terms(x, createRng('loss'));
      const cost = kl.reduce((sum, value) => sum + Math.max(value, lambda), 0);
      const loss = read(model.objectives[0]!.loss({ x }, createRng('loss')))[0]!;
      expectClose([loss], [cost - mean(read(reconstruction))], { absolute: 1e-4, relative: 1e-5 });
    }
  });

  test('with a warm-up weighs the KL from 0 to 1 over so many steps, and is said to be no bound', () => {
    const model = modelOf({ warmUp: 4 });
    const [objective] = model.objectives;
    const x = few();
    const { reconstruction, kl } = model.terms(x, createRng('loss'));
    const [r, k] = [mean(read(reconstruction)), mean(read(kl))];
    const losses = Array.from({ length: 6 }, () => {
      const loss = objective!.loss({ x }, createRng('loss'), ([next]) => objective!.memory![0]!.assign(next!));
      return read(loss)[0]!;
    });
    expectClose(losses, [0, 0.25, 0.5, 0.75, 1, 1].map((weight) => weight * k - r), { absolute: 1e-4, relative: 1e-4 }); // prettier-ignore
    expect(objective!.estimates).toBe('other');
  });

  test('is trained by the encoder at every step, and by the decoder at each n-th', async () => {
    const model = vae.create({ ...tiny, encoderSteps: 3 }, createRng(1));
    const [byEncoder, byDecoder] = model.objectives;
    expect([byEncoder!.every ?? 1, byDecoder!.every]).toEqual([1, 3]);
    expect(byEncoder!.variables.filter((variable) => byDecoder!.variables.includes(variable))).toEqual([]);
    const valuesOf = () => byDecoder!.variables.map((variable) => Array.from(variable.dataSync()));
    const before = valuesOf();
    await fit(model, { train: { x: few() } }, { epochs: 2, batchSize: 4, rng: createRng(1), quiet: true });
    expect(valuesOf()).toEqual(before);
    await fit(model, { train: { x: few() } }, { epochs: 3, batchSize: 4, rng: createRng(1), quiet: true });
    expect(valuesOf()).not.toEqual(before);
  });
});

test('the score function’s gradient is the path’s on average, and noisier', () => {
  const x = few();
  const gradientOf = (gradient: 'path' | 'score') => {
    const model = modelOf({ gradient });
    const variable = model.encoder.variables[0]!;
    const loss = (rng: Rng) => () => model.objectives[0]!.loss({ x }, rng) as tf.Scalar;
    return Array.from({ length: 1500 }, (_, i) =>
      tf.tidy(
        () =>
          tf
            .variableGrads(loss(createRng(i)), [variable])
            .grads[variable.name]!.sum()
            .dataSync()[0]!,
      ),
    );
  };
  const [path, score] = [gradientOf('path'), gradientOf('score')];
  expectClose([mean(score)], [mean(path)], { absolute: 5 * Math.hypot(standardError(path), standardError(score)) });
  expect(standardError(score)).toBeGreaterThan(2 * standardError(path));
});

test('posteriors of each example’s own are better than the encoder’s, and stay below log p', () => {
  const model = modelOf();
  const x = few();
  const boundOf = (h?: tf.Tensor) =>
    Array.from({ length: 400 }, (_, i) => mean(read(model.elbo(x, createRng(`bound ${i}`), h))));
  const h = refine(model, x, { rng: createRng('refine'), steps: 200, draws: 4 });
  const [own, encoders] = [boundOf(h), boundOf()];
  const gains = own.map((value, i) => value - encoders[i]!);
  expect(mean(gains)).toBeGreaterThan(5 * standardError(gains));
  expect(mean(own)).toBeLessThan(mean(read(vae.tiny.exact!(model, x))) + 5 * standardError(own));
});

test('a posterior of each example’s own is not sought along a path that carries a part of the gradient', () => {
  for (const model of [modelOf({ gradient: 'score' }), hypersphericalVae.create(hypersphericalVae.tiny.config, createRng(1))]) // prettier-ignore
    expect(() => refine(model, few(), { rng: createRng(1), steps: 1 })).toThrow("whose gradient is by the path, got 'score'"); // prettier-ignore
});

test.each([{ dropout: 0.5 }, { warmUp: 4 }, { freeBits: 1 }])(
  'a Gaussian of integers is trained with %j, and says what its loss estimates',
  async (options) => {
    const config = { ...tiny, observation: 'gaussian', ...options } as const;
    const model = vae.create(config, createRng(1));
    const [estimates] = vae.create({ ...tiny, ...options }, createRng(1)).objectives.map((objective) => objective.estimates); // prettier-ignore
    expect(model.objectives[0]!.estimates).toBe(estimates);
    const before = variablesOf(model).map((variable) => Array.from(variable.dataSync()));
    await fit(model, { train: { x: few() } }, { epochs: 3, batchSize: 2, rng: createRng(1), quiet: true });
    expect(variablesOf(model).map((variable) => Array.from(variable.dataSync()))).not.toEqual(before);
  },
);

test('a Gaussian of integers gets noise: a bound on their probabilities, and samples that are integers', () => {
  const model = vae.create({ ...tiny, observation: 'gaussian' }, createRng(1));
  expect(model.likelihood.kind).toBe('lower-bound');
  const samples = read(model.sample({ count: 200, rng: createRng(1) }));
  expect(samples.filter((value) => ![0, 1, 2].includes(value))).toEqual([]);
  const world = tf.tensor2d(integersOf(3));
  const p = Array.from({ length: 40 }, (_, i) => -evaluate(model, { x: world }, createRng(i)).nats * 27);
  expect(p.every(Number.isFinite)).toBe(true);
  const sums = Array.from({ length: 40 }, (_, i) => evaluate(model, { x: world }, createRng(i)).perExample.reduce((sum, nats) => sum + Math.exp(-nats), 0)); // prettier-ignore
  expect(mean(sums)).toBeLessThan(1 + 5 * standardError(sums));
});

const integersOf = (values: number) => Array.from({ length: values ** 3 }, (_, i) => [Math.floor(i / 9), Math.floor(i / 3) % 3, i % 3]); // prettier-ignore

test('dropout is of training alone', () => {
  const model = vae.create({ ...tiny, dropout: 0.5, inputDropout: 0.5 }, createRng(1));
  const x = few();
  expect(read(model.encode(x))).toEqual(read(model.encode(x)));
  expect(read(model.encoder.apply(x, createRng(1)))).not.toEqual(read(model.encode(x)));
  expect(model.objectives[0]!.estimates).toBe('other');
  expect(vae.create({ ...tiny, inputDropout: 0.5 }, createRng(1)).objectives[0]!.estimates).toBe('bound'); // any q bounds
});

test('what does not fit together is refused', () => {
  const create = (config: Partial<VaeConfig>) => () => vae.create({ ...tiny, ...config }, createRng(1));
  expect(create({ observation: 'bernoulli' })).toThrow("'bernoulli' needs values = 2, got 3");
  expect(create({ values: null })).toThrow("'categorical' is a distribution of integers, and values is null");
  expect(create({ draws: 2, freeBits: 1 })).toThrow('freeBits needs draws = 1, got 2');
  expect(create({ draws: 0 })).toThrow('vae: draws must be an integer ≥ 1, got 0');
  expect(create({ warmUp: 0.5 })).toThrow('warmUp must be an integer ≥ 0');
  expect(create({ dropout: 1 })).toThrow('rate must be from 0 to below 1, got 1');
  const { config } = convolutionalVae.tiny;
  expect(() => convolutionalVae.create({ ...config, columns: 3 }, createRng(1))).toThrow('4 pixels do not fill rows of 3 columns'); // prettier-ignore
});

test('the defaults have as many weights as they say', () => {
  const sizes = [vae.create(vae.defaults, createRng(1)), convolutionalVae.create(convolutionalVae.defaults, createRng(1))].map((model) => variablesOf(model).reduce((sum, { size }) => sum + size, 0)); // prettier-ignore
  expect(sizes[1]!).toBeLessThan(sizes[0]!);
});
