import * as tf from '@tensorflow/tfjs';
import {
  type Batch,
  categoricalMixture,
  constantWeight,
  createRng,
  em,
  fit,
  type FitOptions,
  type GenerativeModel,
  getWeights,
  type Remember,
  type Rng,
  sgd,
} from 'dgm';
import { installHost } from 'dgm/host';
import { describe, expect, test } from 'vitest';

// What `fit` and `em` share, where the held-out data cannot choose.

const points: Batch = { x: tf.ones([12, 1]) };
const options: FitOptions = { epochs: 15, batchSize: 12, optimiser: sgd(0.5), rng: createRng('fit'), quiet: true };

/** Its weight is the number of steps made; held-out data see what `validation` makes of that. */
function counting(validation: (steps: tf.Tensor) => tf.Tensor): GenerativeModel {
  const w = constantWeight([], 0);
  return {
    eventShape: [1],
    likelihood: {
      kind: 'exact',
      logProb: (x) =>
        tf.tidy(() =>
          validation(w)
            .neg()
            .mul(tf.ones([x.shape[0]!])),
        ),
    },
    objectives: [
      { name: 'count', estimates: 'other', variables: [w], loss: () => tf.tidy(() => w.mul(-2).asScalar()) },
    ],
    sample: ({ count }) => tf.zeros([count, 1]),
  };
}

const infinite = (before: number) => (steps: tf.Tensor) => tf.where(steps.less(before), Infinity, steps);
const both = { train: points, validation: points };

/** The last line of what `body` shows. */
async function lastLine(body: () => Promise<unknown>): Promise<string> {
  const shown: string[] = [];
  const display = (data: Readonly<Record<string, unknown>>) => void shown.push(String(data['text/plain']));
  const remove = installHost({ display, interruptSignal: () => new AbortController().signal });
  await body().finally(remove);
  return shown.at(-1)!;
}

describe('fit, where some of the held-out data have probability 0', () => {
  test.each([1, 3])('ends when patience %d runs out without a finite loss, with the last weights', async (patience) => {
    const model = counting(infinite(100));
    const result = await fit(model, both, { ...options, patience });
    expect(result).toMatchObject({ stopped: 'patience', best: null });
    expect(result.history.map(({ validation }) => validation)).toEqual(Array<number>(patience).fill(Infinity));
    expect(getWeights(model)[0]!.values).toEqual(Float32Array.of(patience));
  });

  test('goes on while patience lasts, and counts from the first finite loss, the best until a better', async () => {
    const model = counting(infinite(3));
    const result = await fit(model, both, { ...options, patience: 3 });
    expect(result.best).toEqual({ epoch: 3, validation: 3 });
    expect(result).toMatchObject({ stopped: 'patience' });
    expect(result.history.length).toBe(6);
    expect(getWeights(model)[0]!.values).toEqual(Float32Array.of(3));
  });

  test('without patience does all epochs, and says why none is the best', async () => {
    const line = await lastLine(() => fit(counting(infinite(100)), both, { ...options, epochs: 2, quiet: false }));
    expect(line).toMatch(
      /^2 epochs \(all epochs done\) · loss .* · validation Infinity \(some held-out examples have probability 0: no epoch is the best, the last weights are kept\)/,
    );
  });

  test('counts only epochs that were judged, before a resume and after', async () => {
    const model = counting(infinite(100));
    const { checkpoint } = await fit(model, { train: points }, { ...options, epochs: 5 });
    const judged = await fit(model, both, { ...options, patience: 2, resume: checkpoint });
    expect(judged.stopped).toBe('patience');
    expect(judged.history.length).toBe(7);
    const more = { ...options, epochs: 10, patience: 3, resume: judged.checkpoint };
    expect((await fit(model, { train: points }, more)).stopped).toBe('epochs');
  });
});

describe('a validation loss of which nothing can be the best is an error, after the best weights are restored', () => {
  async function refused(model: GenerativeModel, message: string): Promise<void> {
    let ended = 0;
    const onEpoch = Object.assign(() => undefined, { done: () => void ended++ });
    await expect(fit(model, both, { ...options, onEpoch })).rejects.toThrow(message);
    expect(getWeights(model)[0]!.values).toEqual(Float32Array.of(2));
    expect(ended).toBe(1);
  }

  test('-Infinity', async () => {
    const model = counting((steps) => tf.where(steps.less(3), steps.neg(), -Infinity));
    await refused(model, 'fit: the validation loss is -Infinity after epoch 3; look for a logarithm');
  });

  test('NaN, of a model without a likelihood', async () => {
    const model = counting((steps) => steps);
    const [objective] = model.objectives;
    // the loss is looked at, rather than trained on, without anybody to remember for
    const loss = (batch: Batch, rng: Rng, remember?: Remember) =>
      tf.tidy(() => {
        const value = objective!.loss(batch, rng);
        return remember ? value : value.mul(tf.where(objective!.variables[0]!.less(3), 1, NaN)).asScalar();
      });
    const implicit: GenerativeModel = {
      ...model,
      likelihood: { kind: 'implicit' },
      objectives: [{ ...objective!, loss }],
    };
    await refused(implicit, 'fit: the validation loss is NaN after epoch 3; look for a logarithm');
  });
});

describe('em, where some of the held-out data have probability 0', () => {
  const create = () => categoricalMixture.create(categoricalMixture.tiny.config, createRng(1));
  const train = { x: tf.tensor2d([[0, 1, 2], [1, 1, 0]]) }; // prettier-ignore
  const outside = { x: tf.tensor2d([[0, 1, 3]]) }; // values are 0, 1 and 2
  const settings = { iterations: 15, tolerance: -Infinity, rng: createRng('em'), quiet: true };

  test('ends when patience runs out, with the last weights', async () => {
    const [model, plain] = [create(), create()];
    const result = await em(model, { train, validation: outside }, { ...settings, patience: 2 });
    expect(result).toMatchObject({ stopped: 'patience', best: null });
    expect(result.history.map(({ validation }) => validation)).toEqual([Infinity, Infinity]);
    await em(plain, { train }, { ...settings, iterations: 2 });
    expect(getWeights(model)).toEqual(getWeights(plain));
  });

  test('says why no iteration is the best', async () => {
    const data = { train, validation: outside };
    const line = await lastLine(() => em(create(), data, { ...settings, iterations: 2, quiet: false }));
    expect(line).toMatch(/^EM, 2 iterations \(iterations\) · loss .* · validation Infinity \(some held-out/);
  });

  test('leaves the model as it is when the signal came before the first iteration', async () => {
    const model = create();
    const before = getWeights(model);
    const { stopped } = await em(model, { train }, { ...settings, signal: AbortSignal.abort() });
    expect(stopped).toBe('interrupted');
    expect(getWeights(model)).toEqual(before);
  });
});
