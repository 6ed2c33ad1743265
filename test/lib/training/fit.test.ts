import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {
  adam,
  adamax,
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
  type Rng,
  saveCheckpoint,
  sgd,
  randomWeight,
  type TrainingData,
  variablesOf,
} from 'dgm';
import { installHost } from 'dgm/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { availability, PROVIDERS } from '../../../lib/engine/devices/providers';
import { mean, tensorsLeft } from '../../helpers';

/** N(mu, 1) in two dimensions, trained on noisy data, so that its loss draws from the rng at every step. */
function noisyGaussian(rng: Rng, start?: number): GenerativeModel {
  const mu = start === undefined ? randomWeight([2], rng) : constantWeight([2], start);
  const logProb = (x: tf.Tensor) => logNormal(x, mu, tf.scalar(0));
  return {
    eventShape: [2],
    likelihood: { kind: 'exact', logProb: (x) => tf.tidy(() => logProb(x)) },
    objectives: [
      {
        name: 'negative log-likelihood',
        estimates: 'other', // of noisy data
        variables: [mu],
        loss: ({ x }, noise) =>
          tf.tidy(() =>
            logProb(x.add(noise.normal(x.shape).mul(0.3)))
              .mean()
              .neg(),
          ),
      },
    ],
    sample: ({ count, rng: noise }) => tf.tidy(() => noise.normal([count, 2]).add(mu)),
  };
}

const points = (n: number, centre: number, seed: number): Batch => ({
  x: tf.tidy(() => createRng(seed).normal([n, 2]).add(centre)),
});
const data: TrainingData = { train: points(50, 3, 1), validation: points(30, 3, 2) };
const options: FitOptions = { epochs: 4, batchSize: 16, optimiser: adam(0.05), rng: createRng('fit'), quiet: true };

/** `rng`, telling the path of every fork before it is made. */
function watchedRng(rng: Rng, seen: (path: string) => void, path = ''): Rng {
  return {
    ...rng,
    fork(label) {
      seen(`${path}/${label}`);
      return watchedRng(rng.fork(label), seen, `${path}/${label}`);
    },
  };
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dgm-training-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('history', () => {
  test('has the mean loss of the epoch’s examples and the validation loss after it', async () => {
    const model = noisyGaussian(createRng(1));
    const losses: number[] = [];
    const recorded = {
      ...model,
      objectives: model.objectives.map((objective) => ({
        ...objective,
        loss: (batch: Batch, rng: Rng) => {
          const loss = objective.loss(batch, rng);
          losses.push(loss.dataSync()[0]!);
          return loss;
        },
      })),
    };
    const result = await fit(recorded, data, { ...options, epochs: 1 });
    // batches of 16, 16, 16 and 2 examples
    const expected = (16 * (losses[0]! + losses[1]! + losses[2]!) + 2 * losses[3]!) / 50;
    expect(losses.length).toBe(4);
    expect(result.history[0]!.loss).toBeCloseTo(expected, 10);
    expect(result.history[0]!.validation).toBe(evaluate(model, data.validation!, options.rng).nats);
    expect(result.best).toEqual({ epoch: 1, validation: result.history[0]!.validation });
  });

  test('numbers the epochs, and calls onEpoch after each', async () => {
    const seen: number[] = [];
    const result = await fit(noisyGaussian(createRng(1)), data, {
      ...options,
      onEpoch: ({ epoch }, checkpoint) => {
        seen.push(epoch);
        expect(checkpoint.history.length).toBe(epoch);
      },
    });
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(result.history.map(({ epoch }) => epoch)).toEqual(seen);
    expect(result.stopped).toBe('epochs');
    expect(result.milliseconds).toBeGreaterThan(0);
  });

  test('shows every example once an epoch, in another order each time', async () => {
    const train = { x: tf.tensor2d(Array.from({ length: 50 }, (_, i) => [i, i])) };
    const seen: number[] = [];
    const model = noisyGaussian(createRng(1));
    const spying: GenerativeModel = {
      ...model,
      objectives: model.objectives.map((objective) => ({
        ...objective,
        loss: (batch: Batch, rng: Rng) => {
          seen.push(...tf.tidy(() => Array.from(batch.x.slice([0, 0], [-1, 1]).dataSync())));
          return objective.loss(batch, rng);
        },
      })),
    };
    await fit(spying, { train }, { ...options, epochs: 2 });
    const [first, second] = [seen.slice(0, 50), seen.slice(50)];
    for (const order of [first, second])
      expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(first).not.toEqual(second);
  });

  test('draws new noise for every batch', async () => {
    const model = noisyGaussian(createRng(1));
    const noise = new Set<number>();
    const objectives = model.objectives.map((objective) => ({
      ...objective,
      loss: (batch: Batch, rng: Rng) => {
        noise.add(rng.uniform([1]).dataSync()[0]!);
        return objective.loss(batch, rng);
      },
    }));
    await fit({ ...model, objectives }, { train: data.train }, options);
    expect(noise.size).toBe(16); // 4 epochs of 4 batches
  });

  test('and weights of a checkpoint stay as they were at its epoch', async () => {
    const kept: Checkpoint[] = [];
    const onEpoch = (_: unknown, checkpoint: Checkpoint) => kept.push(checkpoint);
    await fit(noisyGaussian(createRng(1)), data, { ...options, onEpoch });
    expect(kept.map(({ history }) => history.length)).toEqual([1, 2, 3, 4]);
    expect(kept.map(({ optimisers }) => optimisers[0]!.steps)).toEqual([4, 8, 12, 16]);
    expect(new Set(kept.map(({ weights }) => weights[0]!.values.join())).size).toBe(4);
  });

  test('is the same for the same seed, and another for another', async () => {
    const run = async (seed: string) =>
      (await fit(noisyGaussian(createRng(1)), data, { ...options, rng: createRng(seed) })).history;
    expect(await run('a')).toEqual(await run('a'));
    expect(await run('a')).not.toEqual(await run('b'));
  });

  test('without validation data has losses only, and the model keeps its last weights', async () => {
    const model = noisyGaussian(createRng(1));
    const result = await fit(model, { train: data.train }, options);
    expect(result.best).toBeNull();
    expect(result.history.every((epoch) => !('validation' in epoch))).toBe(true);
    expect(getWeights(model)).toEqual(result.checkpoint.weights);
  });
});

describe('the best epoch', () => {
  // the training data pull mu from 0 to 3 past the validation data at 1
  const crossing: TrainingData = { train: points(50, 3, 1), validation: points(30, 1, 2) };

  test('has its weights restored', async () => {
    const model = noisyGaussian(createRng(1), 0);
    const weights = [] as ReturnType<typeof getWeights>[];
    const result = await fit(model, crossing, {
      ...options,
      epochs: 30,
      onEpoch: () => weights.push(getWeights(model)),
    });
    const validation = result.history.map((epoch) => epoch.validation!);
    const best = validation.indexOf(Math.min(...validation));
    expect(best).toBeGreaterThan(0);
    expect(best).toBeLessThan(29);
    expect(result.best).toEqual({ epoch: best + 1, validation: validation[best] });
    expect(getWeights(model)).toEqual(weights[best]);
    expect(evaluate(model, crossing.validation!, options.rng).nats).toBe(validation[best]);
  });

  test('is waited past for `patience` epochs', async () => {
    const result = await fit(noisyGaussian(createRng(1), 0), crossing, { ...options, epochs: 100, patience: 3 });
    expect(result.stopped).toBe('patience');
    expect(result.history.length).toBe(result.best!.epoch + 3);
  });

  test('says so also when patience runs out with the last epoch', async () => {
    const long = await fit(noisyGaussian(createRng(1), 0), crossing, { ...options, epochs: 100, patience: 3 });
    const epochs = long.history.length;
    const exact = await fit(noisyGaussian(createRng(1), 0), crossing, { ...options, epochs, patience: 3 });
    expect(exact.stopped).toBe('patience');
  });

  test('does not exist without validation data, so patience never ends', async () => {
    const result = await fit(noisyGaussian(createRng(1)), { train: data.train }, { ...options, patience: 1 });
    expect(result.stopped).toBe('epochs');
    expect(result.history.length).toBe(4);
  });
});

describe('resume', () => {
  const outcome = (model: GenerativeModel, { history, best, checkpoint }: Awaited<ReturnType<typeof fit>>) => ({
    history,
    best,
    checkpoint,
    weights: getWeights(model),
  });

  test.each([adam(0.05), adamax(0.05), sgd(0.05, { momentum: 0.9 })])(
    'through a file gives what training without a stop gives, bit for bit: %o',
    async (optimiser) => {
      const settings = { ...options, optimiser, epochs: 6 };
      const [whole, half, rest] = [1, 1, 2].map((seed) => noisyGaussian(createRng(seed)));
      const uninterrupted = await fit(whole!, data, settings);

      const file = join(folder, `${optimiser.name}.json`);
      saveCheckpoint((await fit(half!, data, { ...settings, epochs: 3 })).checkpoint, file);
      const resumed = await fit(rest!, data, { ...settings, resume: loadCheckpoint(file) });
      expect(outcome(rest!, resumed)).toEqual(outcome(whole!, uninterrupted));
    },
  );

  test('from the middle of an epoch starts at the epoch before', async () => {
    const uninterrupted = noisyGaussian(createRng(1));
    const whole = await fit(uninterrupted, { train: data.train }, options);
    const controller = new AbortController();
    const rng = watchedRng(options.rng, (path) => path === '/epoch 2/batch 1' && controller.abort());
    const stopped = noisyGaussian(createRng(1));
    const first = await fit(stopped, { train: data.train }, { ...options, rng, signal: controller.signal });
    expect(first.history.length).toBe(1);
    const model = noisyGaussian(createRng(9));
    const second = await fit(model, { train: data.train }, { ...options, resume: first.checkpoint });
    expect(second.history).toEqual(whole.history);
    expect(getWeights(model)).toEqual(getWeights(uninterrupted));
  });

  test('does not change the checkpoint it starts from', async () => {
    const { checkpoint } = await fit(noisyGaussian(createRng(1)), data, { ...options, epochs: 2 });
    const copy = structuredClone(checkpoint);
    await fit(noisyGaussian(createRng(1)), data, { ...options, resume: checkpoint });
    expect(checkpoint).toEqual(copy);
  });

  test('with nothing left to do gives the model its best weights', async () => {
    const trained = noisyGaussian(createRng(1));
    const { checkpoint } = await fit(trained, data, options);
    const model = noisyGaussian(createRng(2));
    const result = await fit(model, data, { ...options, resume: checkpoint });
    expect(result.history).toEqual(checkpoint.history);
    expect(getWeights(model)).toEqual(getWeights(trained));
  });

  describe('refuses', () => {
    let checkpoint: Checkpoint;
    beforeAll(async () => {
      checkpoint = (await fit(noisyGaussian(createRng(1)), data, { ...options, epochs: 1 })).checkpoint;
    });
    const resume = (model: GenerativeModel, other: Partial<FitOptions> = {}) =>
      fit(model, data, { ...options, ...other, resume: checkpoint });

    test('a checkpoint of another model', async () => {
      const variables = [randomWeight([3], createRng(1))];
      const model = noisyGaussian(createRng(1));
      const wider = { ...model, objectives: [{ ...model.objectives[0]!, variables }] };
      await expect(resume(wider)).rejects.toThrow(/^resume: .*use the same model/);
    });

    test('a checkpoint with another number of objectives', async () => {
      const model = noisyGaussian(createRng(1));
      const two = { ...model, objectives: [model.objectives[0]!, model.objectives[0]!] };
      await expect(resume(two)).rejects.toThrow('resume: the model has 2 objectives, the checkpoint 1');
    });

    test.each([sgd(0.05), adamax(0.05)])('a checkpoint of another optimiser: %o', async (optimiser) => {
      await expect(resume(noisyGaussian(createRng(1)), { optimiser })).rejects.toThrow(
        /^resume: .*use the same model and optimiser$/,
      );
    });
  });
});

describe('device', () => {
  test('is named in the summary, and the numbers are those of eager training', async () => {
    const losses = async (engine: 'auto' | 'eager') =>
      (await fit(noisyGaussian(createRng(1)), data, { ...options, engine, device: 'cpu' })).history.map((e) => e.loss);
    const [compiled, eager] = [await losses('auto'), await losses('eager')];
    // Adam turns the rounding of a gradient, 10⁻⁷ of it, into as much of a step; 16 steps
    compiled.forEach((loss, i) => expect(Math.abs(loss - eager[i]!)).toBeLessThan(1e-4));
  });

  const missing = PROVIDERS.find((provider) => !availability(provider).available);
  test.runIf(missing)('that is not there is an error that says so', async () => {
    const wanted = fit(noisyGaussian(createRng(1)), data, { ...options, device: missing! });
    await expect(wanted).rejects.toThrow(`device: '${missing}' is not available: `);
  });
});

describe('interruption', () => {
  test('before the start leaves the model as it is', async () => {
    const model = noisyGaussian(createRng(1));
    const before = getWeights(model);
    const result = await fit(model, data, { ...options, signal: AbortSignal.abort() });
    expect(result.stopped).toBe('interrupted');
    expect(result.history).toEqual([]);
    expect(getWeights(model)).toEqual(before);
  });

  test('between epochs ends training there', async () => {
    const controller = new AbortController();
    const onEpoch = ({ epoch }: { epoch: number }) => epoch === 2 && controller.abort();
    const result = await fit(noisyGaussian(createRng(1)), data, { ...options, signal: controller.signal, onEpoch });
    expect(result.stopped).toBe('interrupted');
    expect(result.history.length).toBe(2);
  });

  test('within an epoch ends after the current step, with the best weights', async () => {
    const controller = new AbortController();
    const paths: string[] = [];
    const model = noisyGaussian(createRng(1));
    const rng = watchedRng(options.rng, (path) => {
      if (/batch \d+$/.test(path) && !path.includes('validation')) paths.push(path);
      if (path === '/epoch 3/batch 1') controller.abort();
    });
    const result = await fit(model, data, { ...options, rng, signal: controller.signal });
    expect(paths.at(-1)).toBe('/epoch 3/batch 1');
    expect(result.stopped).toBe('interrupted');
    expect(result.history.length).toBe(2);
    expect(evaluate(model, data.validation!, options.rng).nats).toBe(result.best!.validation);
  });

  test('after the last epoch comes too late to matter', async () => {
    const controller = new AbortController();
    const onEpoch = ({ epoch }: { epoch: number }) => epoch === 4 && controller.abort();
    const result = await fit(noisyGaussian(createRng(1)), data, { ...options, signal: controller.signal, onEpoch });
    expect(result.stopped).toBe('epochs');
  });

  test('gets through while epochs are too short to pause within', async () => {
    const controller = new AbortController();
    const turn = (left: number): unknown => (left === 0 ? controller.abort() : setImmediate(turn, left - 1));
    turn(3);
    const many = { ...options, epochs: 2000, signal: controller.signal };
    expect((await fit(noisyGaussian(createRng(1)), { train: points(2, 3, 1) }, many)).stopped).toBe('interrupted');
  });

  test('comes from the host’s stop button too', async () => {
    const controller = new AbortController();
    const remove = installHost({ display: () => undefined, interruptSignal: () => controller.signal });
    try {
      const rng = watchedRng(options.rng, (path) => path === '/epoch 2/batch 1' && controller.abort());
      const result = await fit(noisyGaussian(createRng(1)), data, { ...options, rng });
      expect(result.stopped).toBe('interrupted');
      expect(result.history.length).toBe(1);
    } finally {
      remove();
    }
  });
});

describe('a loss that is not a number', () => {
  const breaking = (model: GenerativeModel, atCall: number): GenerativeModel => {
    let calls = 0;
    const [objective] = model.objectives;
    const loss = (batch: Batch, rng: Rng) =>
      ++calls < atCall ? objective!.loss(batch, rng) : tf.tidy(() => objective!.loss(batch, rng).mul(NaN));
    return { ...model, objectives: [{ ...objective!, loss }] };
  };

  test('ends training with an error that says where, and the best weights kept', async () => {
    const model = noisyGaussian(createRng(1));
    let best: ReturnType<typeof getWeights> = [];
    const onEpoch = (_: unknown, checkpoint: Checkpoint) => (best = [...checkpoint.best!.weights]);
    const failing = fit(breaking(model, 11), data, { ...options, onEpoch, engine: 'eager' }); // counts the calls
    await expect(failing).rejects.toThrow("fit: loss 'negative log-likelihood' is NaN in epoch 3, batch 3; lower");
    expect(getWeights(model)).toEqual(best);
  });

  test.each(['auto', 'eager'] as const)('from the data is found, too (%s)', async (engine) => {
    const model = noisyGaussian(createRng(1));
    const x = tf.tidy(() => data.train.x.mul(tf.tensor1d([NaN]).reshape(data.train.x.shape.map(() => 1))));
    const before = getWeights(model);
    const failing = fit(model, { train: { x } }, { ...options, engine });
    const cause = expect.objectContaining({ message: expect.stringContaining('is NaN in epoch 1, batch 1') });
    await expect(failing).rejects.toMatchObject({ message: expect.stringContaining('NaN in example 0'), cause });
    expect(getWeights(model)).toEqual(before);
  });

  test.each([
    ['train', 3, 1, NaN],
    ['train', 7, 0, Infinity],
    ['validation', 5, 1, NaN],
  ] as const)('names the example of %s that is to blame: %i', async (part, example, coordinate, value) => {
    const { x } = data[part]!;
    const faulty = tf.buffer(x.shape, 'float32', Float32Array.from(x.dataSync())); // a clone would share its numbers
    faulty.set(value, example, coordinate);
    const failing = fit(noisyGaussian(createRng(1)), { ...data, [part]: { x: faulty.toTensor() } }, options);
    const last = x.shape[0]! - 1;
    await expect(failing).rejects.toThrow(
      `fit: ${part}.x holds ${value} in example ${example} (of 0 … ${last}), coordinate ${coordinate}; correct or leave out`,
    );
  });

  test('does not touch the weights of the step before', async () => {
    const [model, same] = [noisyGaussian(createRng(1)), noisyGaussian(createRng(1))];
    await expect(fit(breaking(model, 1), { train: data.train }, options)).rejects.toThrow('NaN');
    expect(getWeights(model)).toEqual(getWeights(same));
  });

  test('nor does a gradient that is not a number, under a loss that is', async () => {
    const [model, same] = [noisyGaussian(createRng(1)), noisyGaussian(createRng(1))];
    const [objective] = model.objectives;
    const mu = objective!.variables[0]!;
    // |mu − mu|: value 0, but the derivative of the square root at 0 is infinite, times 0
    const loss = (batch: Batch, rng: Rng) =>
      tf.tidy(() => objective!.loss(batch, rng).add(mu.sub(mu).square().sqrt().sum()));
    const failing = fit({ ...model, objectives: [{ ...objective!, loss }] }, { train: data.train }, options);
    await expect(failing).rejects.toThrow(/^fit: .*gradient.* NaN in epoch 1, batch 1/);
    expect(getWeights(model)).toEqual(getWeights(same));
  });

  test('may be the validation loss', async () => {
    const model = noisyGaussian(createRng(1));
    const blind: GenerativeModel = {
      ...model,
      likelihood: { kind: 'exact', logProb: (x) => tf.fill([x.shape[0]!], NaN) },
    };
    await expect(fit(blind, data, options)).rejects.toThrow('log p(x) of example 0 is NaN');
  });

  test('leaves no tensors', async () => {
    const model = noisyGaussian(createRng(1));
    expect(await tensorsLeft(() => fit(breaking(model, 3), data, options).catch(() => undefined))).toBe(0);
  });
});

describe('objectives', () => {
  /** Each loss also falls when the other's weight moves, so that taking over is noticed. */
  function rivals(): GenerativeModel {
    const [a, b] = [constantWeight([], 0), constantWeight([], 0)];
    return {
      eventShape: [2],
      likelihood: { kind: 'implicit' },
      objectives: [
        {
          name: 'a',
          estimates: 'other',
          variables: [a],
          loss: () => tf.tidy(() => a.sub(1).square().add(b.sub(5).square())),
        },
        {
          name: 'b',
          estimates: 'other',
          variables: [b],
          loss: () => tf.tidy(() => b.sub(2).square().add(a.sub(5).square())),
        },
      ],
      sample: ({ count }) => tf.zeros([count, 2]),
    };
  }

  test('each move their own variables only', async () => {
    const model = rivals();
    await fit(model, { train: data.train }, { ...options, epochs: 60, optimiser: sgd(0.1) });
    // from 0 a shrinks its distance by 0.8 a step, over 240 steps
    expect(variablesOf(model).map((variable) => variable.dataSync()[0])).toEqual([
      expect.closeTo(1, 4),
      expect.closeTo(2, 4),
    ]);
  });

  test('are added up in the history, and stand in where there is no likelihood', async () => {
    const result = await fit(rivals(), data, { ...options, epochs: 1, batchSize: 50, optimiser: sgd(0.1) });
    // both losses in turn: a moves to 0.2 first, and b's loss already sees it
    expect(result.history[0]!.loss).toBeCloseTo(1 + 25 + 4 + 4.8 ** 2, 4);
    expect(result.history[0]!.validation).toBeCloseTo(0.8 ** 2 + 4.6 ** 2 + 1.6 ** 2 + 4.8 ** 2, 4);
  });

  test('that do not depend on a variable they list are named', async () => {
    const model = noisyGaussian(createRng(1));
    const [objective] = model.objectives;
    const idle = { ...objective!, variables: [...objective!.variables, randomWeight([3, 4], createRng(2))] };
    await expect(fit({ ...model, objectives: [idle] }, data, options)).rejects.toThrow(
      "fit: the loss 'negative log-likelihood' does not depend on its variable 1, of shape [3, 4]",
    );
  });
});

describe('wrong options', () => {
  test.each([
    ['epochs', 0],
    ['epochs', 1.5],
    ['batchSize', 0],
    ['batchSize', NaN],
    ['patience', 0],
    ['patience', -1],
  ])('%s = %d', async (name, value) => {
    await expect(fit(noisyGaussian(createRng(1)), data, { ...options, [name]: value })).rejects.toThrow(
      `fit: ${name} must be an integer ≥ 1, got ${value}`,
    );
  });

  test('a model without objectives', async () => {
    const model = { ...noisyGaussian(createRng(1)), objectives: [] };
    await expect(fit(model, data, options)).rejects.toThrow('fit: the model has no objective');
  });

  test.each([
    ['no examples', { x: tf.zeros([0, 2]) }, 'x must be [N, ...event] with N ≥ 1, got [0, 2]'],
    ['no batch axis', { x: tf.zeros([2]) }, 'x must be [N, ...event] with N ≥ 1, got [2]'],
    ['too few labels', { x: tf.zeros([3, 2]), y: tf.zeros([2]) }, 'y must have N = 3 labels, got [2]'],
  ])('data with %s', async (_, train, message) => {
    await expect(fit(noisyGaussian(createRng(1)), { train }, options)).rejects.toThrow(message);
  });
});

test('fit leaves no tensors', async () => {
  const model = noisyGaussian(createRng(1));
  expect(await tensorsLeft(() => fit(model, data, options))).toBe(0);
});

test('fit learns: mu goes to the mean of the data', async () => {
  const model = noisyGaussian(createRng(1), 0);
  await fit(model, { train: data.train }, { ...options, epochs: 60 });
  const target = tf.tidy(() => Array.from(data.train.x.mean(0).dataSync()));
  const mu = getWeights(model)[0]!.values;
  // the noise of the loss moves the optimum of a batch by 0.3 / √16, averaged over Adam's ten or so last steps
  expect(Math.abs(mean(mu) - mean(target))).toBeLessThan(0.15);
});

describe('progress', () => {
  /** Runs `body` under a host that writes down what it is asked to display. */
  async function displayed(body: () => Promise<unknown>) {
    const shown: { text: string; id: string | undefined; update: boolean | undefined }[] = [];
    const remove = installHost({
      display: (bundle, { id, update } = {}) => shown.push({ text: String(bundle['text/plain']), id, update }),
      interruptSignal: () => new AbortController().signal,
    });
    try {
      await body();
    } finally {
      remove();
    }
    return shown;
  }

  test('is one display that ends with the summary', async () => {
    // a step longer than the trainer's 30 ms between two looks at the stop button, so that a line is due
    const rng = watchedRng(options.rng, () => {
      const until = performance.now() + 40;
      while (performance.now() < until);
    });
    const shown = await displayed(() =>
      fit(noisyGaussian(createRng(1)), data, { ...options, rng, epochs: 1, quiet: false }),
    );
    expect(shown.length).toBeGreaterThan(1);
    expect(new Set(shown.map(({ id }) => id)).size).toBe(1);
    expect(shown.map(({ update }) => update)).toEqual(shown.map((_, i) => i > 0));
    expect(shown[0]!.text).toMatch(/^epoch 1\/1 · loss [\d.]+ · [\d.]+ ms\/step · at most [\d.]+ s left/);
    expect(shown.at(-1)!.text).toMatch(
      /^1 epoch \(all epochs done\) · loss [\d.]+ · validation [\d.]+ at epoch 1, whose weights are kept · [\d.]+ s · compiled on (cpu|webgpu|cuda)/,
    );
  });

  test('is silent when asked to be', async () => {
    expect(await displayed(() => fit(noisyGaussian(createRng(1)), data, options))).toEqual([]);
  });
});
