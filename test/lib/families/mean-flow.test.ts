import * as tf from '@tensorflow/tfjs';
import { adam, createRng, fit, meanFlow, planeMixture, twoSampleTest } from 'dgm';
import { expect, test } from 'vitest';
import { expectClose, mean, read } from '../../helpers';

const config = { ...meanFlow.tiny.config, hidden: [48, 48], share: 0.75 };

test('of one Gaussian it is the map that is known: from any time to any other', async () => {
  // data N(2, ½²): z_t is N(2 t, s_t²) with s_t² = (1 − t)² + t²/4, and the path keeps (z − 2t) / s_t
  const model = meanFlow.create({ ...config, eventShape: [1] }, createRng(1));
  const train = { x: createRng(2).normal([6000, 1]).mul(0.5).add(2) };
  const rate = (step: number) => 0.006 * Math.max(0.02, 1 - step / 4500);
  await fit(model, { train }, { epochs: 150, batchSize: 200, optimiser: adam(rate), ema: 0.98, rng: createRng(3), quiet: true }); // prettier-ignore
  const width = (t: number) => Math.hypot(1 - t, t / 2);
  for (const [t, s] of [[0, 1], [0, 0.5], [0.3, 0.8], [0.5, 1]] as const) { // prettier-ignore
    const z = [-1, 0, 1].map((v) => 2 * t + v * width(t));
    const u = read(model.meanVelocity(tf.tensor2d(z, [3, 1]), tf.fill([3], t), tf.fill([3], s)));
    const ends = [-1, 0, 1].map((v) => 2 * s + v * width(s));
    expectClose(z.map((v, i) => v + (s - t) * u[i]!), ends, { absolute: 0.12 }); // prettier-ignore
  }
  const x = read(model.sample({ count: 4000, rng: createRng(4) }));
  expectClose([mean(x)], [2], { absolute: 0.06 });
  expectClose([Math.sqrt(mean(x.map((v) => (v - mean(x)) ** 2)))], [0.5], { absolute: 0.06 });
}, 120_000); // prettier-ignore

test('of two hills one evaluation draws both, and several are asked for by steps', async () => {
  const world = planeMixture([-1.5, 1.5].map((mu) => ({ weight: 1, mu: [mu, 0], sigma: [0.5, 0.5] })));
  const model = meanFlow.create(config, createRng(1));
  const train = { x: world.sample({ count: 8000, rng: createRng(2) }) };
  const rate = (step: number) => 0.006 * Math.max(0.02, 1 - step / 3200);
  await fit(model, { train }, { epochs: 80, batchSize: 200, optimiser: adam(rate), ema: 0.98, rng: createRng(3), quiet: true }); // prettier-ignore
  const truth = world.sample({ count: 500, rng: createRng(4) });
  const apart = (x: tf.Tensor) => twoSampleTest(x, truth, createRng(5), { permutations: 1 }).statistic;
  const untrained = meanFlow.create(config, createRng(1)).sample({ count: 500, rng: createRng(6) });
  for (const steps of [1, 4]) {
    const x = model.sample({ count: 500, rng: createRng(6), steps });
    expect(apart(x)).toBeLessThan(0.15 * apart(untrained));
  }
  expect(model.sample.engine()).toMatch(/^compiled/);
  expect(() => model.sample({ count: 2, rng: createRng(1), steps: 0.5 })).toThrow('steps must be an integer ≥ 1');
}, 120_000); // prettier-ignore

test('what it does not take', () => {
  expect(() => meanFlow.create({ ...config, share: 2 }, createRng(1))).toThrow('share must be from 0 to 1');
  expect(() => meanFlow.create({ ...config, power: -1 }, createRng(1))).toThrow('power must be from 0 to 1');
});
