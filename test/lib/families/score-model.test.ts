import * as tf from '@tensorflow/tfjs';
import {
  adam,
  createRng,
  fit,
  LOG_2PI,
  planeMixture,
  scoreModel,
  twoSampleTest,
  variablesOf,
  type ScoreModel,
  type ScoreModelConfig,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { lawsOf } from '../../laws/laws';
import { lively, specimenOf } from '../../laws/specimen';
import { expectClose, mean, read } from '../../helpers';

const tiny = scoreModel.tiny.config;
const specimen = (over: Partial<ScoreModelConfig>) =>
  specimenOf({ ...scoreModel, tiny: { ...scoreModel.tiny, config: { ...tiny, ...over } } });

/** A network that says nothing: the data are N(centre, scale² I), and everything is known. */
function silent(over: Partial<ScoreModelConfig>): ScoreModel {
  const model = scoreModel.create({ ...tiny, steps: 24, centre: 1, scale: 2, ...over }, createRng(1));
  for (const variable of variablesOf(model)) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
  return model;
}

describe.each(['ve', 'vp'] as const)('%s', (process) => {
  test('a network that says nothing is a Gaussian, in score, guess and likelihood', () => {
    const model = silent({ process });
    const x = tf.tensor2d([[1, 1], [3, -2], [0.2, 4]]); // prettier-ignore
    const sigma = tf.tensor1d([0.5, 1, 3]);
    const rows = x.arraySync();
    const levels = [0.5, 1, 3];
    const expected = rows.flatMap((row, n) => row.map((v) => -(v - 1) / (4 + levels[n]! ** 2)));
    expectClose(read(model.score(x, sigma)), expected, { absolute: 1e-5 });
    const guess = rows.flatMap((row, n) => row.map((v) => 1 + (v - 1) * (4 / (4 + levels[n]! ** 2))));
    expectClose(read(model.denoised(x, sigma)), guess, { absolute: 1e-5 });
    if (model.likelihood.kind !== 'exact') expect.fail('exact');
    const width = 4 * (1 + 0.2 ** 2); // with the noise that is left
    const density = rows.map((row) => -LOG_2PI - Math.log(width) - ((row[0]! - 1) ** 2 + (row[1]! - 1) ** 2) / (2 * width)); // prettier-ignore
    expectClose(read(model.likelihood.logProb(x, createRng(1))), density, { absolute: 2e-3 });
  });

  test('all samplers draw from that Gaussian', () => {
    const model = silent({ process });
    for (const method of ['ode', 'euler-maruyama', 'predictor-corrector'] as const) {
      const x = read(model.sample({ count: 8000, rng: createRng(method), method, steps: 200 }));
      const spread = mean(x.map((v) => (v - 1) ** 2));
      expectClose([mean(x)], [1], { absolute: (5 * 2) / Math.sqrt(16_000) });
      // 5 √(2 / 16,000) of the draws, and of steps with noise some percent
      expectClose([spread], [4 * (1 + 0.2 ** 2)], { relative: 0.056 + (method === 'ode' ? 0 : 0.04) });
    }
    expect(model.sample.engine()).toMatch(/^compiled/);
  });

  test('a lively one has one distribution, whichever way it is drawn', () => {
    const model = lively(specimen({ process })) as ScoreModel;
    const draw = (method: 'ode' | 'euler-maruyama' | 'predictor-corrector') =>
      model.sample({ count: 400, rng: createRng('draw').fork(method), method, steps: 400 });
    for (const method of ['euler-maruyama', 'predictor-corrector'] as const)
      // the network is no score of anything, so that a small difference is right
      expect(twoSampleTest(draw('ode'), draw(method), createRng(1), { permutations: 199 }).statistic).toBeLessThan(0.3);
  });
});

test('a variance that is preserved obeys the laws of densities', async () => {
  const s = specimen({ process: 'vp' });
  const names = ['the density integrates to 1', 'samples follow p', 'the log-determinant is that of the numerical Jacobian']; // prettier-ignore
  const laws = lawsOf(s.create(createRng(1)), s).filter(({ name }) => names.includes(name));
  expect(laws.length).toBe(3);
  for (const law of laws) await law.check(s);
}, 120_000); // prettier-ignore

test('the loss is that of denoising, in units of each level’s error', () => {
  const model = scoreModel.create({ ...tiny, noiseSpread: 0, noiseMean: Math.log(0.5) }, createRng(1));
  for (const variable of variablesOf(model)) tf.tidy(() => variable.assign(createRng(variable.shape.join()).normal(variable.shape).mul(0.3))); // prettier-ignore
  const x = createRng('x').normal([4000, 2]);
  const loss = mean(Array.from({ length: 5 }, (_, i) => read(model.objectives[0]!.loss({ x }, createRng(i)))[0]!));
  const noise = createRng('noise').normal([4000, 2]);
  const sigma = tf.fill([4000], 0.5);
  const squares = mean(
    read(
      model
        .denoised(x.add(noise.mul(0.5)), sigma)
        .sub(x)
        .square()
        .sum(1),
    ),
  );
  const unit = 0.25 / (1 + 0.25); // c_out²
  expectClose([loss], [squares / unit], { relative: 0.04 });
});

test('training finds the score of a mixture at the level of its hills', async () => {
  const world = planeMixture([-1.5, 1.5].map((mu) => ({ weight: 1, mu: [mu, 0], sigma: [0.5, 0.5] })));
  const config: ScoreModelConfig = { ...scoreModel.defaults, scale: 1.2, hidden: [48, 48], sigmaMin: 0.05, sigmaMax: 10, noiseMean: -0.8, noiseSpread: 1 }; // prettier-ignore
  const model = scoreModel.create(config, createRng(1));
  const train = { x: world.sample({ count: 10_000, rng: createRng(2) }) };
  const rate = (step: number) => 0.006 * Math.max(0.02, 1 - step / 1200);
  await fit(model, { train }, { epochs: 30, batchSize: 250, optimiser: adam(rate), ema: 0.98, rng: createRng(3), quiet: true }); // prettier-ignore
  const z = tf.tidy(() => world.sample({ count: 2000, rng: createRng(4) }).add(createRng(5).normal([2000, 2]).mul(0.5))); // prettier-ignore
  const [guess, truth] = [model.score(z, tf.fill([2000], 0.5)), world.score(z, 0.5)];
  const relative = read(guess.sub(truth).square().sum().div(truth.square().sum()).sqrt())[0]!; // prettier-ignore
  expect(relative).toBeLessThan(0.12);
}, 120_000); // prettier-ignore

test('what it does not take', () => {
  const model = lively(specimen({})) as ScoreModel;
  const rng = createRng(1);
  expect(() => model.sample({ count: 2, rng, method: 'sde' as never })).toThrow("method must be 'ode', 'euler-maruyama'"); // prettier-ignore
  expect(() => model.sample({ count: 2, rng, method: 'euler-maruyama', solver: 'heun' })).toThrow('solver is of the ODE'); // prettier-ignore
  expect(() => scoreModel.create({ ...tiny, sigmaMin: 0 }, rng)).toThrow('0 < sigmaMin < sigmaMax');
});
