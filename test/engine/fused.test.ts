import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {
  adam,
  adamax,
  adamW,
  type Batch,
  type Checkpoint,
  constantWeight,
  createRng,
  evaluate,
  fit,
  type FitOptions,
  type GenerativeModel,
  getWeights,
  loadCheckpoint,
  logNormal,
  type Objective,
  type Optimiser,
  randomWeight,
  type Rng,
  saveCheckpoint,
  schedules,
  setWeights,
  sgd,
} from 'dgm';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { gradientNorm, movingAverage, update } from '../../lib/engine/fused/update';
import { allocate, fused } from '../../lib/engine/fused/memory';
import { createSteppers } from '../../lib/engine/step/step';
import { expectClose, read } from '../helpers';

const ULP = 2 ** -24; // a rounding to float32, relative

describe('a memory', () => {
  test('has arrays of zeros, as long as asked', () => {
    const lengths = [5, 0, 1, 100_003, 16];
    const arrays = allocate(lengths);
    expect(arrays.map(({ length }) => length)).toEqual(lengths);
    for (const array of arrays) expect(array.every((value) => value === 0)).toBe(true);
    expect(allocate([])).toEqual([]);
    expect(allocate([0])).toEqual([new Float32Array(0)]);
  });

  test('is one for all of them, and they do not overlap, nor do two memories', () => {
    const arrays = allocate([5, 7, 4, 33]);
    const others = allocate([5, 7, 4, 33]);
    expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(1);
    arrays.forEach((array, i) => array.fill(i + 1));
    arrays.forEach((array, i) => expect(array.every((value) => value === i + 1)).toBe(true));
    for (const array of others) expect(array.every((value) => value === 0)).toBe(true);
  });

  test('starts each array at a multiple of 64 bytes, and does not grow', () => {
    const arrays = allocate([1, 3, 17, 2]);
    for (const { byteOffset } of arrays) expect(byteOffset % 64).toBe(0);
    expect(arrays[0]!.buffer.byteLength).toBe(65_536);
  });
});

describe('a pass', () => {
  const [a, x, short] = allocate([4, 4, 3]) as [Float32Array, Float32Array, Float32Array];

  test('works on whole arrays of one memory, and only on those', () => {
    x.fill(1);
    expect(fused('movingAverage', [a, x], { alpha: 0.5 })).toBe(0);
    expect(Array.from(a)).toEqual([0.5, 0.5, 0.5, 0.5]);

    const elsewhere = allocate([4])[0]!;
    const strangers = [new Float32Array(4), elsewhere, x.subarray(), x.subarray(0, 3), short];
    for (const stranger of strangers) {
      expect(fused('movingAverage', [a, stranger], { alpha: 0.5 })).toBeUndefined();
      expect(fused('movingAverage', [stranger, x], { alpha: 0.5 })).toBeUndefined();
    }
    expect(Array.from(a)).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  test('leaves the arrays beside its own alone', () => {
    for (const length of [1, 4, 5, 16, 17]) {
      const arrays = allocate([length, length, length, length, length, length]);
      arrays.forEach((array, i) => array.fill(i + 1));
      const [left, w, g, m, v, right] = arrays;
      update(adam(0.1), [w!, g!, m!, v!], 1);
      expect(w!.every((value) => value !== 2)).toBe(true);
      for (const [array, value] of [
        [left!, 1],
        [g!, 3],
        [right!, 6],
      ] as const)
        // prettier-ignore
        expect(array.every((found) => found === value)).toBe(true);
    }
  });
});

describe('without WebAssembly', () => {
  afterEach(() => vi.unstubAllGlobals());
  const refusing = class {
    constructor() {
      throw new RangeError('WebAssembly.Memory(): could not allocate memory');
    }
  };

  test.each([
    ['at all', undefined],
    ['memory to spare', { ...WebAssembly, Memory: refusing }],
  ])('%s, arrays are ordinary ones, and the reference loops run', (_, global) => {
    vi.stubGlobal('WebAssembly', global);
    const [weights, gradient, v] = allocate([5, 5, 5]) as [Float32Array, Float32Array, Float32Array];
    expect(new Set([weights, gradient, v].map(({ buffer }) => buffer)).size).toBe(3);
    gradient.fill(2);
    expect(fused('squares', [gradient], {})).toBeUndefined();
    update(sgd(0.5), [weights, gradient, v], 1);
    expect(Array.from(weights)).toEqual([-1, -1, -1, -1, -1]);
  });
});

/** Random numbers over eight orders of magnitude. */
function wide(length: number, rng: Rng): Float32Array {
  const [normal, power] = [read(rng.normal([length])), read(rng.uniform([length]))];
  return Float32Array.from(normal, (z, i) => z * 10 ** (8 * power[i]! - 6));
}

/**
 * The sizes of a step and of the new slots when nothing in them cancels, from |g| and the old slots: roundings are in
 * proportion to these.
 */
type Sizes = (g: number, first: number, second: number) => readonly number[];
const [STEP, RATE] = [3, 0.01];

const sgdSizes =
  (momentum: number): Sizes =>
  (g, v) => [RATE * (momentum * v + g), momentum * v + g];

const adamSizes =
  (beta1: number, beta2: number, epsilon: number): Sizes =>
  (g, m, v) => {
    const [mean, square] = [beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g ** 2];
    const root = Math.sqrt(square / (1 - beta2 ** STEP)) + epsilon;
    return [(RATE * mean) / (1 - beta1 ** STEP) / root, mean, square];
  };

const adamaxSizes =
  (beta1: number, beta2: number): Sizes =>
  (g, m, u) => {
    const [mean, largest] = [beta1 * m + (1 - beta1) * g, Math.max(beta2 * u, g + 1e-8)];
    return [(RATE * mean) / (1 - beta1 ** STEP) / largest, mean, largest];
  };

const cases: readonly (readonly [string, Optimiser, Sizes, number])[] = [
  ['sgd', sgd(RATE), sgdSizes(0), Infinity],
  ['sgd with momentum', sgd(RATE, { momentum: 0.9 }), sgdSizes(0.9), Infinity],
  ['sgd, clipped', sgd(RATE, { momentum: 0.9, clipNorm: 0.01 }), sgdSizes(0.9), 0.01],
  ['adam', adam(RATE), adamSizes(0.9, 0.999, 1e-8), Infinity],
  ['adam, clipped', adam(RATE, { clipNorm: 0.01 }), adamSizes(0.9, 0.999, 1e-8), 0.01],
  ['adam without memory', adam(RATE, { beta1: 0, beta2: 0, epsilon: 1e-3 }), adamSizes(0, 0, 1e-3), Infinity],
  ['adamW', adamW(RATE, { weightDecay: 0.5 }), adamSizes(0.9, 0.999, 1e-8), Infinity],
  ['adamax', adamax(RATE), adamaxSizes(0.9, 0.999), Infinity],
  ['adamax, clipped', adamax(RATE, { beta1: 0.5, clipNorm: 0.01 }), adamaxSizes(0.5, 0.999), 0.01],
];

describe.each(cases)('the pass of %s', (_, optimiser, sizes, clipNorm) => {
  test.each([0, 1, 2, 3, 4, 5, 7, 16, 17, 1000])('does what the loop does, on %i weights', (length) => {
    const rng = createRng(length);
    const [w, g, first] = ['w', 'g', 'first'].map((name) => wide(length, rng.fork(name)));
    const second = wide(length, rng.fork('second')).map((value) => value ** 2);
    const start = [w!, g!, ...[first!, second].slice(0, optimiser.slots)];
    const loop = start.map((array) => array.slice());
    const pass = allocate(start.map(() => length));
    start.forEach((array, i) => pass[i]!.set(array));
    for (const [weights, gradient, ...state] of [loop, pass]) update(optimiser, [weights!, gradient!, ...state], STEP);

    expect(pass[1]).toEqual(g); // the gradient is only read
    const clip = Math.min(1, clipNorm / gradientNorm(g!));
    for (let i = 0; i < length; i++) {
      const [step, ...slots] = sizes(clip * Math.abs(g![i]!), Math.abs(start[2]![i]!), start[3]?.[i] ?? 0);
      // fewer than 16 roundings between the inputs and a result; 2⁻¹⁴⁹ is the smallest float32
      const absolute = [Math.abs(w![i]!) + step!, 0, ...slots].map((size) => 16 * ULP * size + 2 ** -149);
      for (const j of pass.keys()) if (j !== 1) expectClose([pass[j]![i]!], [loop[j]![i]!], { absolute: absolute[j]! });
    }
  });
});

describe('the pass of the moving average', () => {
  test.each([0, 1, 3, 4, 5, 1000])('does what the loop does, on %i weights', (length) => {
    const [a, x] = [wide(length, createRng('a')), wide(length, createRng('x'))];
    for (const decay of [0.5, 0.999, 0.9999]) {
      const [average, values] = allocate([length, length]) as [Float32Array, Float32Array];
      const expected = a.slice();
      average.set(a);
      values.set(x);
      movingAverage(average, values, decay);
      movingAverage(expected, x, decay);
      // five roundings of the pass, one of the loop
      average.forEach((got, i) =>
        expectClose([got], [expected[i]!], { absolute: 6 * ULP * (Math.abs(a[i]!) + (1 - decay) * Math.abs(x[i]!)) }),
      );
    }
  });
});

test('the pass of the norm adds in float64, like the loop', () => {
  const values = wide(10_007, createRng('norm'));
  const [gradient] = allocate([values.length]) as [Float32Array];
  gradient.set(values);
  // additions of positive numbers: at most 2⁻⁵³ each
  expectClose([gradientNorm(gradient)], [gradientNorm(values)], { relative: values.length * 2 ** -53 });
});

/** Σ c · w over two variables: the gradient is c whatever w is. */
function linear(name: string, coefficients: readonly (readonly number[])[]): Objective {
  const variables = coefficients.map(({ length }) => constantWeight([length], 1));
  const loss = () =>
    tf.tidy(() => variables.reduce((sum, w, i) => sum.add(w.mul(coefficients[i]!).sum()) as tf.Scalar, tf.scalar(0)));
  return { name, estimates: 'other', variables, loss };
}

const batch: Batch = { x: tf.zeros([1, 1]) };

describe.each(['auto', 'eager'] as const)('steps in a memory, engine %s', (engine) => {
  test('move each objective’s variables, whatever their sizes', async () => {
    const objectives = [linear('a', [[1, 2, 3], [4]]), linear('b', [[5, 6, 7, 8, 9]])];
    const steppers = createSteppers(objectives, sgd(0.5), { engine });
    try {
      for (const stepper of steppers.each)
        expect(await stepper.step(batch, createRng(1), 'here')).toBe(stepper.objective.name === 'a' ? 10 : 35);
      expect(steppers.engine().startsWith(engine === 'auto' ? 'compiled' : 'eager')).toBe(true);
      steppers.write();
      const weights = objectives.flatMap(({ variables }) => variables.map((w) => Array.from(w.dataSync())));
      expect(weights).toEqual([[0.5, 0, -0.5], [-1], [-1.5, -2, -2.5, -3, -3.5]]);
      expect(steppers.each.map((stepper) => Array.from(stepper.state().slots[0]!))).toEqual([
        [1, 2, 3, 4],
        [5, 6, 7, 8, 9],
      ]);
    } finally {
      await steppers.dispose();
    }
  });

  test('clip by the norm over all variables of the objective', async () => {
    const objectives = [linear('a', [[3, 0], [4]]), linear('b', [[8, 6, 0]])];
    const steppers = createSteppers(objectives, sgd(1, { clipNorm: 5 }), { engine });
    try {
      for (const stepper of steppers.each) await stepper.step(batch, createRng(1), 'here');
      steppers.write();
      const weights = objectives.flatMap(({ variables }) => variables.map((w) => Array.from(w.dataSync())));
      expect(weights).toEqual([[-2, 1], [-3], [-3, -2, 1]]);
    } finally {
      await steppers.dispose();
    }
  });
});

/** N(mu, 1) in three dimensions, on data with noise added. */
function noisyGaussian(seed: number): GenerativeModel {
  const mu = randomWeight([3], createRng(seed));
  const logProb = (x: tf.Tensor) => tf.tidy(() => logNormal(x, mu, tf.scalar(0)));
  const loss = ({ x }: Batch, rng: Rng) =>
    tf.tidy(() =>
      logProb(x.add(rng.normal(x.shape)))
        .mean()
        .neg(),
    );
  return {
    eventShape: [3],
    likelihood: { kind: 'exact', logProb },
    objectives: [
      { name: 'negative log-likelihood', estimates: 'nll', variables: [mu], loss: loss as Objective['loss'] },
    ],
    sample: ({ count, rng }) => tf.tidy(() => rng.normal([count, 3]).add(mu)),
  };
}

const points = (seed: number): Batch => ({ x: tf.tidy(() => createRng(seed).normal([40, 3]).add(3)) });
const data = { train: points(1), validation: points(2) };
const DECAY = 0.8;
const options: FitOptions = {
  epochs: 6,
  batchSize: 40, // one step an epoch
  optimiser: adam(0.05),
  rng: createRng('fit'),
  quiet: true,
};

describe.each(['auto', 'eager'] as const)('fit with ema, engine %s', (engine) => {
  const settings: FitOptions = { ...options, engine, ema: DECAY };

  test('validates, shows, keeps and leaves the average; training does not notice', async () => {
    const [model, plain] = [noisyGaussian(1), noisyGaussian(1)];
    const seen: number[][] = [];
    const weights: Float32Array[] = [];
    const states: Float32Array[] = [];
    const result = await fit(model, data, {
      ...settings,
      onEpoch: (_, checkpoint) => {
        seen.push(Array.from(getWeights(model)[0]!.values));
        weights.push(checkpoint.weights[0]!.values);
        states.push(...checkpoint.optimisers.flatMap(({ slots, average }) => [...slots, average!.values]));
      },
    });
    const without = await fit(plain, data, { ...options, engine });
    expect(result.history.map(({ loss }) => loss)).toEqual(without.history.map(({ loss }) => loss));
    expect(result.checkpoint.weights).toEqual(without.checkpoint.weights);
    // each checkpoint has its own copies: the weights, m, v and the average of every epoch
    expect(new Set([...weights, ...states].map((values) => values.join())).size).toBe(4 * settings.epochs);

    seen.forEach((values, t) => {
      const expected = weights[0]!.map(
        (_, i) =>
          weights.slice(0, t + 1).reduce((sum, now, k) => sum + (1 - DECAY) * DECAY ** (t - k) * now[i]!, 0) /
          (1 - DECAY ** (t + 1)),
      );
      expectClose(values, expected, { relative: 1e-5, absolute: 1e-6 }); // some ten roundings of numbers below 4
      setWeights(model, [{ shape: [3], values: Float32Array.from(values) }]);
      expect(evaluate(model, data.validation, options.rng).nats).toBe(result.history[t]!.validation);
    });
    const best = result.best!.epoch - 1;
    expect(result.checkpoint.best!.weights[0]!.values).toEqual(Float32Array.from(seen[best]!));
  });

  test('ends with the best average, and without validation data with the last', async () => {
    for (const { validation, train } of [data, { ...data, validation: undefined }]) {
      const model = noisyGaussian(1);
      let last: unknown;
      const onEpoch = () => (last = getWeights(model));
      const result = await fit(model, { train, ...(validation && { validation }) }, { ...settings, onEpoch });
      expect(getWeights(model)).toEqual(validation ? result.checkpoint.best!.weights : last);
      expect(getWeights(model)).not.toEqual(result.checkpoint.weights);
    }
  });

  test('that has made no step leaves the weights', async () => {
    const model = noisyGaussian(1);
    const before = getWeights(model);
    await fit(model, data, { ...settings, signal: AbortSignal.abort() });
    expect(getWeights(model)).toEqual(before);
  });
});

describe('resume', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dgm-optimisers-'));
    return () => rmSync(folder, { recursive: true });
  });

  const outcome = (model: GenerativeModel, { history, best, checkpoint }: Awaited<ReturnType<typeof fit>>) => ({
    history,
    best,
    checkpoint,
    weights: getWeights(model),
  });

  test.each(['auto', 'eager'] as const)(
    'with average, schedule and clipping gives what training without a stop gives, bit for bit; engine %s',
    async (engine) => {
      const rate = schedules.cosine(0.1, { steps: 24, warmup: 5 });
      for (const make of [sgd, adam, adamW, adamax])
        for (const train of [data, { train: data.train }]) {
          const optimiser = make(rate, { clipNorm: 2 });
          const settings = { ...options, batchSize: 16, optimiser, engine, ema: DECAY };
          const [whole, half, rest] = [1, 1, 2].map(noisyGaussian);
          const uninterrupted = await fit(whole!, train, settings);
          const file = join(folder, `${optimiser.name}.json`);
          saveCheckpoint((await fit(half!, train, { ...settings, epochs: 3 })).checkpoint, file);
          const resumed = await fit(rest!, train, { ...settings, resume: loadCheckpoint(file) });
          expect(outcome(rest!, resumed)).toEqual(outcome(whole!, uninterrupted));
        }
    },
  );

  test('with nothing left to do gives the model its average', async () => {
    const [trained, model] = [noisyGaussian(1), noisyGaussian(2)];
    const settings = { ...options, ema: DECAY };
    const { checkpoint } = await fit(trained, { train: data.train }, settings);
    await fit(model, { train: data.train }, { ...settings, resume: checkpoint });
    expect(getWeights(model)).toEqual(getWeights(trained));
  });

  test('refuses a checkpoint with another average, or none', async () => {
    const checkpoints = new Map<number | undefined, Checkpoint>();
    for (const ema of [undefined, 0.5, 0.9])
      checkpoints.set(ema, (await fit(noisyGaussian(1), data, { ...options, ...(ema && { ema }) })).checkpoint);
    for (const [kept, resume] of checkpoints)
      for (const ema of checkpoints.keys()) {
        if (ema === kept) continue;
        const what = kept === undefined ? 'no average of the weights' : `an average of the weights with decay ${kept}`;
        await expect(fit(noisyGaussian(1), data, { ...options, resume, ...(ema && { ema }) })).rejects.toThrow(
          `resume: the option ema is ${ema}, the checkpoint has ${what}; use the same ema`,
        );
      }
  });
});

test('ema is between 0 and 1', async () => {
  for (const ema of [0, 1, -1, NaN, Infinity])
    await expect(fit(noisyGaussian(1), data, { ...options, ema })).rejects.toThrow(
      `fit: ema must be between 0 and 1, got ${ema}`,
    );
});
