import * as tf from '@tensorflow/tfjs';
import {
  adam,
  createRng,
  evaluate,
  fit,
  flowMatching,
  planeMixture,
  variablesOf,
  type FlowMatchingConfig,
  type FlowMatchingModel,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { lawsOf } from '../../laws/laws';
import { lively, specimenOf, type Specimen } from '../../laws/specimen';
import { expectClose, mean, read, standardError } from '../../helpers';

const tiny = flowMatching.tiny.config;
const specimen = (
  over: Partial<FlowMatchingConfig>,
  facts: Partial<Pick<Specimen, 'support'>> = {},
): Specimen<FlowMatchingModel> => ({
  ...specimenOf({ ...flowMatching, tiny: { ...flowMatching.tiny, config: { ...tiny, ...over } } }),
  ...facts,
});
const obeys = async (s: Specimen, names: readonly string[]) => {
  const laws = lawsOf(s.create(createRng(1)), s).filter(({ name }) => names.includes(name));
  expect(laws.length).toBe(names.length);
  for (const law of laws) await law.check(s);
};

describe('two hills', () => {
  const world = planeMixture([-1.5, 1.5].map((mu) => ({ weight: 1, mu: [mu, 0], sigma: [0.5, 0.8] })));
  const config: FlowMatchingConfig = { ...tiny, hidden: [48, 48], steps: 12 };
  const trained = async (over: Partial<FlowMatchingConfig> = {}) => {
    const model = flowMatching.create({ ...config, ...over }, createRng(1));
    const train = { x: world.sample({ count: 4000, rng: createRng(2) }) };
    await fit(model, { train }, { epochs: 40, batchSize: 200, optimiser: adam(0.004), ema: 0.98, rng: createRng(3), quiet: true }); // prettier-ignore
    return model;
  };
  const x = world.sample({ count: 1000, rng: createRng('test') });

  test('are learnt, by either pairing; transport makes shorter paths', async () => {
    const lengths: number[] = [];
    for (const pairing of ['independent', 'transport'] as const) {
      const model = await trained({ pairing });
      const { nats, standardError: error } = evaluate(model, { x }, createRng(4));
      expect(nats - world.entropy).toBeLessThan(0.08 + 4 * error);
      const noise = createRng('noise').normal([1000, 2]);
      lengths.push(mean(read(model.flow.toData(noise).sub(noise).square().sum(1))));
      // one step of Euler's method loses less where paths are straight
      tf.dispose(variablesOf(model));
    }
    expect(lengths[1]!).toBeLessThan(lengths[0]! + 0.05);
  }, 120_000); // prettier-ignore

  test('an estimate of the divergence gives the same likelihood on average, for a second of the price', async () => {
    const model = await trained();
    const cheap = flowMatching.create({ ...config, divergence: 'hutchinson' }, createRng(1));
    variablesOf(cheap).forEach((variable, i) => variable.assign(variablesOf(model)[i]!));
    expect(model.likelihood.kind).toBe('exact');
    expect(cheap.likelihood.kind).toBe('estimate');
    const exact = evaluate(model, { x }, createRng(5)).perExample;
    const estimates = [0, 1, 2].map((i) => evaluate(cheap, { x }, createRng(i)).perExample);
    const gaps = Array.from(exact, (value, n) => mean(estimates.map((e) => e[n]!)) - value);
    expectClose([mean(gaps)], [0], { absolute: 4 * standardError(gaps) });
    const finer = read(tf.tidy(() => model.flow.logProb(x, createRng(1), { steps: 24 })));
    expectClose([mean(finer)], [-mean(exact)], { absolute: 2e-3 });
  }, 120_000); // prettier-ignore
});

describe('integers', () => {
  const world = { support: { kind: 'discrete', values: [0, 1, 2] } } as const;
  const integers = { values: 3, centre: 1.5, scale: 1 };

  test.each(['exact', 'hutchinson'] as const)('are a lower bound, with the %s divergence', async (divergence) => {
    const s = specimen({ ...integers, divergence }, world);
    expect(s.create(createRng(1)).likelihood.kind).toBe('lower-bound');
    await obeys(s, ['exp of a bound sums to at most 1', 'bound ≤ importance bound ≤ log p', 'shapes and finiteness']);
  }, 120_000); // prettier-ignore

  test('a picture has convolutions, and samples that are pixels', () => {
    const s = specimen({ ...integers, eventShape: [4, 4], columns: 4, channels: 4, blocks: 1, divergence: 'hutchinson' }, world); // prettier-ignore
    const model = lively(s) as FlowMatchingModel;
    const x = model.sample({ count: 3, rng: createRng(1), steps: 2, solver: 'euler' });
    expect(x.shape).toEqual([3, 4, 4]);
    expect(read(x.clone()).every((v) => [0, 1, 2].includes(v))).toBe(true);
    const loss = read(model.objectives[0]!.loss({ x }, createRng(2)));
    expect(loss.every(Number.isFinite)).toBe(true);
    expect(evaluate(model, { x }, createRng(3)).kind).toBe('lower-bound');
  });
});

test('what sampling does not take', () => {
  const model = lively(specimen({})) as FlowMatchingModel;
  const rng = createRng(1);
  expect(() => model.sample({ count: 2, rng, steps: 0 })).toThrow('steps must be an integer ≥ 1');
  expect(() => model.sample({ count: 2, rng, solver: 'rk' as never })).toThrow("got 'rk'");
  expect(() => flowMatching.create({ ...tiny, steps: 0 }, rng)).toThrow('flowMatching: steps must be');
});
