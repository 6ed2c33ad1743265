import * as tf from '@tensorflow/tfjs';
import {
  categoricalMixture,
  createRng,
  em,
  evaluate,
  gaussianMixture,
  getWeights,
  type MixtureModel,
  type Rng,
} from 'dgm';
import { installHost } from 'dgm/host';
import { describe, expect, test } from 'vitest';
import { expectClose, logSumExp, read, tensorsLeft } from '../../helpers';

// The second implementation: EM for one mixture at a time, in float64, from Bishop (2006), chapter 9.

interface Mixture<Component> {
  readonly pi: readonly number[];
  readonly parts: readonly Component[];
}
type Rows = readonly (readonly number[])[];

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const column = (x: Rows, d: number) => x.map((row) => row[d]!);

function responsibilities<C>({ pi, parts }: Mixture<C>, x: Rows, logP: (row: readonly number[], part: C) => number) {
  return x.map((row) => {
    const joint = parts.map((part, k) => Math.log(pi[k]!) + logP(row, part));
    return joint.map((value) => Math.exp(value - logSumExp(joint)));
  });
}

function logLikelihood<C>({ pi, parts }: Mixture<C>, x: Rows, logP: (row: readonly number[], part: C) => number) {
  return sum(x.map((row) => logSumExp(parts.map((part, k) => Math.log(pi[k]!) + logP(row, part)))));
}

const normalised = (counts: readonly number[]) => counts.map((count) => count / sum(counts));

interface Normal {
  readonly mu: readonly number[];
  readonly variance: readonly number[];
}
const logNormal = (row: readonly number[], { mu, variance }: Normal) =>
  sum(row.map((x, d) => -0.5 * (Math.log(2 * Math.PI * variance[d]!) + (x - mu[d]!) ** 2 / variance[d]!)));

type Dice = readonly (readonly number[])[]; // [D][V] probabilities
const logDice = (row: readonly number[], dice: Dice) => sum(row.map((x, d) => Math.log(dice[d]![x]!)));

/** Mean and variance of each coordinate: of the imaginary examples too. */
const moments = (x: Rows): Normal => {
  const mu = x[0]!.map((_, d) => sum(column(x, d)) / x.length);
  return { mu, variance: mu.map((m, d) => sum(column(x, d).map((v) => (v - m) ** 2)) / x.length) };
};

/** Maximises Σ r ln p + alpha (ln π_k + E ln p_k(imaginary example)), with the variances kept above the floor. */
function gaussianM(x: Rows, r: Rows, alpha: number, floor: number): Mixture<Normal> {
  const all = moments(x);
  const parts = r[0]!.map((_, k) => {
    const n = sum(column(r, k)) + alpha;
    const mu = all.mu.map((m, d) => (sum(x.map((row, i) => r[i]![k]! * row[d]!)) + alpha * m) / n);
    const variance = mu.map((centre, d) => {
      const real = sum(x.map((row, i) => r[i]![k]! * (row[d]! - centre) ** 2));
      const imaginary = alpha * (all.variance[d]! + (all.mu[d]! - centre) ** 2);
      return Math.max(floor, (real + imaginary) / n);
    });
    return { mu, variance };
  });
  return { pi: normalised(r[0]!.map((_, k) => sum(column(r, k)) + alpha)), parts };
}

/** Maximises Σ r ln p + alpha (Σ ln π_k + Σ ln p_kdv): the mode under Dirichlet(1 + alpha) priors. */
function categoricalM(x: Rows, r: Rows, alpha: number, values: number): Mixture<Dice> {
  const parts = r[0]!.map((_, k) =>
    x[0]!.map((_, d) => {
      const counts = Array.from({ length: values }, (_, v) => sum(x.map((row, i) => (row[d] === v ? r[i]![k]! : 0))));
      return normalised(counts.map((count) => count + alpha));
    }),
  );
  return { pi: normalised(r[0]!.map((_, k) => sum(column(r, k)) + alpha)), parts };
}

// What the library's models say of themselves, as plain numbers.

function rowsOf(values: readonly number[], width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));
}

function parametersOf(model: MixtureModel): Record<string, number[]> {
  return Object.fromEntries(Object.entries(model.parameters()).map(([name, tensor]) => [name, read(tensor)]));
}

function gaussianOf(model: MixtureModel, D: number): Mixture<Normal> {
  const { pi, mu, logVar } = parametersOf(model);
  const variances = rowsOf(logVar!.map(Math.exp), D);
  return { pi: pi!, parts: rowsOf(mu!, D).map((row, k) => ({ mu: row, variance: variances[k]! })) };
}

function categoricalOf(model: MixtureModel, D: number, V: number): Mixture<Dice> {
  const { pi, probabilities } = parametersOf(model);
  return { pi: pi!, parts: rowsOf(probabilities!, D * V).map((row) => rowsOf(row, V)) };
}

// Two clouds of points, and dice thrown by two players.

const cloudConfig = { ...gaussianMixture.tiny.config, components: 3, varianceFloor: 0.1, pseudoCount: 0.5 };
const clouds = (rng: Rng, n = 60): number[][] =>
  rowsOf(read(rng.normal([n, 2])), 2).map(([a, b], i) => (i % 3 === 0 ? [a! * 0.1 + 4, b!] : [a! - 1, b! * 2]));

const diceConfig = { ...categoricalMixture.tiny.config, components: 2, eventShape: [4], values: 3, pseudoCount: 0.3 };
const throws = (rng: Rng, n = 60): number[][] =>
  rowsOf(read(rng.uniform([n, 4])), 4).map((row, i) => row.map((u) => Math.floor(3 * u ** (i % 2 === 0 ? 3 : 0.5))));

const goOn = { start: 'weights', tolerance: -Infinity, quiet: true } as const;
const seeds = [1, 2, 3, 4];

describe('equals the textbook’s EM from the same start', () => {
  // Both start from the same weights; the library's float32 sums err by about 10⁻⁶ an iteration, and EM contracts
  const close = { absolute: 2e-4, relative: 2e-4 };

  test.each(seeds)('Gaussian components, seed %d', async (seed) => {
    const x = clouds(createRng(seed));
    const model = gaussianMixture.create(cloudConfig, createRng(seed));
    let mixture = gaussianOf(model, 2);
    for (let i = 0; i < 8; i++)
      mixture = gaussianM(
        x,
        responsibilities(mixture, x, logNormal),
        cloudConfig.pseudoCount,
        cloudConfig.varianceFloor,
      );
    const train = { x: tf.tensor2d(x) };
    const { history } = await em(model, { train }, { ...goOn, iterations: 8, rng: createRng(0) });
    const got = gaussianOf(model, 2);
    expectClose(got.pi, mixture.pi, close);
    expectClose(
      got.parts.flatMap(({ mu }) => mu),
      mixture.parts.flatMap(({ mu }) => mu),
      close,
    );
    expectClose(
      got.parts.flatMap((p) => p.variance),
      mixture.parts.flatMap((p) => p.variance),
      close,
    );
    expectClose([history.at(-1)!.loss], [-logLikelihood(mixture, x, logNormal) / x.length], close);
  });

  test.each(seeds)('categorical components, seed %d', async (seed) => {
    const x = throws(createRng(seed));
    const model = categoricalMixture.create(diceConfig, createRng(seed));
    let mixture = categoricalOf(model, 4, 3);
    for (let i = 0; i < 8; i++)
      mixture = categoricalM(x, responsibilities(mixture, x, logDice), diceConfig.pseudoCount, 3);
    const train = { x: tf.tensor2d(x) };
    const { history } = await em(model, { train }, { ...goOn, iterations: 8, rng: createRng(0) });
    const got = categoricalOf(model, 4, 3);
    expectClose(got.pi, mixture.pi, close);
    expectClose(got.parts.flat(2), mixture.parts.flat(2), close);
    expectClose([history.at(-1)!.loss], [-logLikelihood(mixture, x, logDice) / x.length], close);
  });
});

describe('never lowers the log-likelihood plus log-prior', () => {
  // float32 sums over 60 examples of some ten nats err by about 10⁻⁴
  const slack = 1e-3;

  async function objectives(model: MixtureModel, x: Rows, objective: () => number): Promise<number[]> {
    const train = { x: tf.tensor2d(x.map((row) => [...row])) };
    const values: number[] = [];
    for (let i = 0; i < 20; i++) {
      await em(model, { train }, { ...goOn, iterations: 1, start: i === 0 ? 'data' : 'weights', rng: createRng(7) });
      values.push(objective());
    }
    return values;
  }

  function expectRising(values: readonly number[]): void {
    values.slice(1).forEach((value, i) => expect(value).toBeGreaterThan(values[i]! - slack));
    expect(values.at(-1)!).toBeGreaterThan(values[0]!);
  }

  test.each(seeds)('Gaussian components, seed %d', async (seed) => {
    const x = clouds(createRng(seed));
    const all = moments(x);
    const model = gaussianMixture.create(cloudConfig, createRng(seed));
    expectRising(
      await objectives(model, x, () => {
        const mixture = gaussianOf(model, 2);
        // E ln N(imaginary): its mean at the data's mean, its spread added to the square
        const imaginary = mixture.parts.map(
          (part) => logNormal(all.mu, part) - sum(all.variance.map((v, d) => v / (2 * part.variance[d]!))),
        );
        const prior = sum(mixture.pi.map(Math.log)) + sum(imaginary);
        return logLikelihood(mixture, x, logNormal) + cloudConfig.pseudoCount * prior;
      }),
    );
  });

  test.each(seeds)('categorical components, seed %d', async (seed) => {
    const x = throws(createRng(seed));
    const model = categoricalMixture.create(diceConfig, createRng(seed));
    expectRising(
      await objectives(model, x, () => {
        const mixture = categoricalOf(model, 4, 3);
        const prior = sum(mixture.pi.map(Math.log)) + sum(mixture.parts.flat(2).map(Math.log));
        return logLikelihood(mixture, x, logDice) + diceConfig.pseudoCount * prior;
      }),
    );
  });
});

describe('em', () => {
  const create = (seed = 1) => categoricalMixture.create(diceConfig, createRng(seed));
  const data = {
    train: { x: tf.tensor2d(throws(createRng(1))) },
    validation: { x: tf.tensor2d(throws(createRng(2))) },
  };
  const options = { iterations: 10, rng: createRng('em'), quiet: true };

  test('from the data does not depend on the weights the model had', async () => {
    const [a, b] = [create(1), create(2)];
    const [first, second] = [await em(a, data, options), await em(b, data, options)];
    expect(first.history).toEqual(second.history);
    expect(getWeights(a)).toEqual(getWeights(b));
  });

  test('keeps the weights of the best iteration', async () => {
    const model = create();
    const { best, history } = await em(model, data, { ...options, iterations: 40, tolerance: -Infinity });
    const validation = history.map((epoch) => epoch.validation!);
    expect(best!.validation).toBe(Math.min(...validation));
    expect(best!.epoch).toBe(validation.indexOf(best!.validation) + 1);
    expect(best!.epoch).toBeLessThan(40);
    expect(evaluate(model, data.validation, createRng(0)).nats).toBe(best!.validation);
  });

  test('stops after the iteration that gains less than the tolerance', async () => {
    const { history, stopped } = await em(create(), data, { ...options, iterations: 200, tolerance: 0.01 });
    const gains = history.slice(1).map(({ loss }, i) => history[i]!.loss - loss);
    expect(stopped).toBe('tolerance');
    expect(gains.at(-1)!).toBeLessThan(0.01);
    expect(gains.slice(0, -1).every((gain) => gain >= 0.01)).toBe(true);
  });

  test('stops when patience runs out', async () => {
    const settings = { ...options, iterations: 200, tolerance: -Infinity, patience: 3 };
    const { best, history, stopped } = await em(create(), data, settings);
    expect(stopped).toBe('patience');
    expect(history.length).toBe(best!.epoch + 3);
  });

  test('is interrupted by a signal, also the host’s', async () => {
    const model = create();
    const before = getWeights(model);
    const settings = { ...options, start: 'weights', tolerance: -Infinity } as const;
    const result = await em(model, data, { ...settings, signal: AbortSignal.abort() });
    expect(result).toMatchObject({ stopped: 'interrupted', history: [], best: null });
    expect(getWeights(model)).toEqual(before);

    const controller = new AbortController();
    const remove = installHost({ display: () => undefined, interruptSignal: () => controller.signal });
    setImmediate(() => controller.abort());
    const button = await em(model, data, settings).finally(remove);
    expect(button.stopped).toBe('interrupted');
    expect(button.history.length).toBe(1);
  });

  test('refuses options that make no sense', async () => {
    for (const iterations of [0, 1.5, NaN])
      await expect(em(create(), data, { ...options, iterations })).rejects.toThrow(
        `em: iterations must be an integer ≥ 1, got ${iterations}`,
      );
    for (const patience of [0, 1.5])
      await expect(em(create(), data, { ...options, patience })).rejects.toThrow(
        `em: patience must be an integer ≥ 1, got ${patience}`,
      );
    await expect(em(create(), data, { ...options, tolerance: NaN })).rejects.toThrow('em: tolerance must be a number');
  });

  test('names the example whose number is none', async () => {
    const train = { x: tf.tensor2d([[0, 1], [2, NaN], [3, 4]]) }; // prettier-ignore
    const { tiny } = gaussianMixture;
    const model = gaussianMixture.create({ ...tiny.config, eventShape: [2] }, createRng(1));
    await expect(em(model, { train }, options)).rejects.toThrow(
      'em: train.x holds NaN in example 1 (of 0 … 2), coordinate 1; correct or leave out that example',
    );
  });

  test('refuses training data outside the support', async () => {
    const train = { x: tf.tensor2d([[0, 1, 2, 3]]) };
    await expect(em(create(), { train }, options)).rejects.toThrow('em: the training likelihood is Infinity');
  });

  test('leaves no tensors', async () => {
    const model = create();
    expect(await tensorsLeft(() => em(model, data, options))).toBe(0);
    const outside = { train: { x: tf.tensor2d([[0, 1, 2, 3]]) } };
    expect(await tensorsLeft(() => em(model, outside, options).catch(() => undefined))).toBe(0);
  });

  test('shows one display that ends with the summary', async () => {
    const shown: { text: string; id: string | undefined }[] = [];
    const remove = installHost({
      display: (bundle, { id } = {}) => shown.push({ text: String(bundle['text/plain']), id }),
      interruptSignal: () => new AbortController().signal,
    });
    await em(create(), data, { ...options, quiet: false }).finally(remove);
    expect(shown.length).toBeGreaterThan(1);
    expect(new Set(shown.map(({ id }) => id)).size).toBe(1);
    expect(shown.at(-1)!.text).toMatch(/^EM, \d+ iterations \(\w+\) · loss [\d.]+ · validation [\d.]+/);
  });

  test('one step, made by hand, leaves no tensors', async () => {
    const model = create();
    const r = model.responsibilities(data.train.x);
    expect(await tensorsLeft(() => model.mStep(data.train.x, r))).toBe(0);
  });
});

test('a Gaussian mixture finds two clusters that lie far apart, from every start', async () => {
  // the optimum is the entropy of the source, ½ ln 2πe + ln 2 = 2.112, up to sampling error: σ/√N of −ln p with
  // σ² = ½ for one Gaussian gives 0.05; a run that stays at one wide component has about 4.4
  const x = tf.tidy(() => {
    const side = createRng('sides').uniform([200, 1]).less(0.5).toFloat().mul(40);
    return createRng('noise').normal([200, 1]).add(side);
  });
  for (let seed = 0; seed < 6; seed++) {
    const config = {
      ...gaussianMixture.defaults,
      components: 2,
      eventShape: [1],
      pseudoCount: 0.01,
      varianceFloor: 1e-3,
    };
    const model = gaussianMixture.create(config, createRng(seed));
    const { history } = await em(model, { train: { x } }, { iterations: 50, rng: createRng(seed), quiet: true });
    expect(history.at(-1)!.loss).toBeLessThan(2.112 + 5 * 0.05);
  }
  x.dispose();
});

test('one component is the data’s mean and variance', async () => {
  const config = { ...gaussianMixture.defaults, components: 1, eventShape: [1], pseudoCount: 0, varianceFloor: 1e-3 };
  const model = gaussianMixture.create(config, createRng(1));
  const x = tf.tensor2d([[1], [2], [6]]);
  await em(model, { train: { x } }, { iterations: 3, rng: createRng(1), quiet: true });
  const { mu, logVar } = model.parameters();
  expectClose(read(mu!), [3], { absolute: 1e-5 });
  expectClose(read(logVar!), [Math.log(14 / 3)], { absolute: 1e-5 });
});

test('a component that gets no example stays finite', () => {
  const config = { ...gaussianMixture.defaults, components: 2, eventShape: [1], pseudoCount: 0, varianceFloor: 1e-3 };
  const model = gaussianMixture.create(config, createRng(1));
  const x = tf.tensor2d([[1], [2], [6]]);
  model.mStep(
    x,
    tf.tensor2d([
      [1, 0],
      [1, 0],
      [1, 0],
    ]),
  );
  const { mu, logVar } = model.parameters();
  expect([...read(mu!), ...read(logVar!)].every(Number.isFinite)).toBe(true);
});
