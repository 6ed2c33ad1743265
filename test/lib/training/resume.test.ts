import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {
  adam,
  type Batch,
  createRng,
  fit,
  type FitResult,
  type GenerativeModel,
  getWeights,
  loadCheckpoint,
  logNormal,
  type Rng,
  saveCheckpoint,
} from 'dgm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../helpers';
import {
  asked,
  bits,
  boltzmann,
  engines,
  implicit,
  options,
  pair,
  points,
  remembering,
  STEPS,
  valuesOf,
} from './specimens';

// Training that stops and goes on, where objectives have turns and memories.

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dgm-objectives-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('resume', () => {
  const outcome = (model: GenerativeModel, { history, best, checkpoint }: FitResult) => ({
    ...{ history, best, checkpoint, weights: getWeights(model) },
    memory: valuesOf(model.objectives.flatMap(({ memory = [] }) => memory)),
  });

  /** A pair with turns that do not divide an epoch, of which the critic remembers. */
  function both(seed: number): GenerativeModel {
    const { critic, generator } = pair();
    const { objectives } = remembering(seed);
    const [first, second] = asked({ critic, generator }).objectives;
    return implicit([first!, { ...objectives[0]!, every: 2 }, { ...second!, every: 3 }]);
  }
  const kinds: readonly [string, (seed: number) => GenerativeModel, Batch][] = [
    ['chains', (seed) => boltzmann(seed).model, bits],
    ['a mean', remembering, points],
    ['turns, optimisers and a mean', both, points],
  ];

  for (const engine of engines)
    test.each(kinds)(
      `gives what training without a stop gives, bit for bit: %s (${engine})`,
      async (_, create, train) => {
        for (const data of [{ train }, { train, validation: train }]) {
          const settings = { ...options, epochs: 5, engine, ema: 0.8 };
          const [whole, half, rest] = [1, 1, 2].map((seed) => create(seed));
          const uninterrupted = await fit(whole!, data, settings);
          const file = join(folder, 'checkpoint.json');
          saveCheckpoint((await fit(half!, data, { ...settings, epochs: 2 })).checkpoint, file);
          const resumed = await fit(rest!, data, { ...settings, resume: loadCheckpoint(file) });
          expect(outcome(rest!, resumed)).toEqual(outcome(whole!, uninterrupted));
        }
      },
    );

  test.each(kinds)('from the middle of an epoch starts at the epoch before: %s', async (_, create, train) => {
    const [whole, half, rest] = [1, 1, 2].map((seed) => create(seed));
    const uninterrupted = await fit(whole!, { train }, options);
    const controller = new AbortController();
    const watched = (rng: Rng, path = ''): Rng => ({
      ...rng,
      fork(label) {
        if (`${path}/${label}` === '/epoch 2/batch 1') controller.abort();
        return watched(rng.fork(label), `${path}/${label}`);
      },
    });
    const settings = { ...options, rng: watched(options.rng), signal: controller.signal };
    const stopped = await fit(half!, { train }, settings);
    expect(stopped.history.length).toBe(1);
    expect(stopped.checkpoint.steps).toBe(STEPS);
    const resumed = await fit(rest!, { train }, { ...options, resume: stopped.checkpoint });
    expect(outcome(rest!, resumed)).toEqual(outcome(whole!, uninterrupted));
  });

  test('refuses a checkpoint without the memory, or with another', async () => {
    const { checkpoint } = await fit(remembering(), { train: points }, options);
    const [state] = checkpoint.optimisers;
    const resume = (...arrays: Float32Array[]) => {
      const { memory, ...before } = state!; // as a checkpoint was before there were memories
      expect(memory!.length).toBe(1);
      const optimisers = [arrays.length > 0 ? { ...before, memory: arrays } : before];
      return fit(remembering(2), { train: points }, { ...options, resume: { ...checkpoint, optimisers } });
    };
    const message = (found: string) =>
      `resume: 'noisy' remembers [1] numbers, the checkpoint has a memory of [${found}]; use the same model`;
    await expect(resume()).rejects.toThrow(message(''));
    await expect(resume(new Float32Array(2))).rejects.toThrow(message('2'));
    await expect(resume(new Float32Array(1), new Float32Array(1))).rejects.toThrow(message('1, 1'));
    const [objective] = remembering().objectives;
    const forgetful = implicit([{ ...objective!, memory: [], loss: (batch, rng) => objective!.loss(batch, rng) }]);
    await expect(fit(forgetful, { train: points }, { ...options, resume: checkpoint })).rejects.toThrow(
      "resume: 'noisy' remembers [] numbers, the checkpoint has a memory of [1]",
    );
  });

  test('takes a checkpoint that was written before there were memories and turns', async () => {
    const file = join(import.meta.dirname, '../../fixtures/training/checkpoint-1.json');
    const mu = tf.variable(tf.tensor1d([0.5, -0.5]));
    const logProb = (x: tf.Tensor) => tf.tidy(() => logNormal(x, mu, tf.scalar(0)));
    const create = (): GenerativeModel => ({
      ...implicit([
        {
          name: 'negative log-likelihood',
          estimates: 'nll',
          variables: [mu],
          loss: ({ x }, noise) => tf.tidy(() => logProb(x.add(noise.normal(x.shape).mul(0.3))).mean().neg()), // prettier-ignore
        },
      ]),
      likelihood: { kind: 'exact', logProb },
    });
    const cloud = (n: number, seed: number): Batch => ({ x: tf.tidy(() => createRng(seed).normal([n, 2]).add(3)) });
    const data = { train: cloud(50, 1), validation: cloud(30, 2) };
    const settings = { ...options, optimiser: adam(0.05), ema: 0.9, epochs: 4 };
    const whole = await fit(create(), data, settings);
    const old = loadCheckpoint(file);
    expect('steps' in old).toBe(false);
    const resumed = await fit(create(), data, { ...settings, resume: old });
    const numbers = ({ history, checkpoint }: FitResult) => [
      ...history.flatMap(({ loss, validation }) => [loss, validation!]),
      ...checkpoint.weights.flatMap(({ values }) => Array.from(values)),
    ];
    expectClose(numbers(resumed), numbers(whole), { relative: 1e-5 }); // that machine's rounding may be another
    expect(resumed.checkpoint.steps).toBe(16);
  });
});
