import * as tf from '@tensorflow/tfjs';
import { createRng, em, evaluate, load, ppca, type PpcaConfig, type PpcaModel } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, mean, read } from '../../helpers';

const config: PpcaConfig = { ...ppca.defaults, eventShape: [5], latent: 2, varianceFloor: 0, mean: 0, scale: 1 };

/** 400 examples of a plane in five dimensions, with noise, around a mean. */
const data = () =>
  tf.tidy(() => {
    const noise = createRng('data');
    const w = tf.tensor2d([[3, 0, 1, 0, 1], [0, 2, 1, -1, 0]]); // prettier-ignore
    const z = noise.fork('z').normal([400, 2]).matMul(w);
    return z.add(noise.fork('x').normal([400, 5]).mul(0.7)).add(tf.tensor1d([1, -2, 0, 4, 0.5]));
  });

const covarianceOf = (model: PpcaModel) => {
  const { w, variance } = model.parameters();
  return read(w.matMul(w, false, true).add(tf.eye(w.shape[0]!).mul(variance)));
};

function closed(x: tf.Tensor, other: Partial<PpcaConfig> = {}): PpcaModel {
  const model = ppca.create({ ...config, ...other }, createRng(1));
  model.closedForm(x);
  return model;
}

describe('closed form', () => {
  test('keeps the covariance along the largest axes, and the mean variance across', () => {
    const x = data();
    const model = closed(x, { latent: 4 }); // of D − 1 latents nothing is lost but how the last is divided: one direction
    const centred = x.sub(x.mean(0));
    const sample = read(centred.matMul(centred, true).div(400));
    expectClose(covarianceOf(model), sample, { absolute: 1e-4 });
    expectClose(read(model.parameters().mu), read(x.mean(0)), { absolute: 1e-5 });
  });

  test('no other weights are better: neither a change of any, nor what EM finds from another start', async () => {
    const x = data();
    const best = evaluate(closed(x), { x }, createRng(1)).nats;
    const model = ppca.create(config, createRng('another'));
    await em(model, { train: { x } }, { iterations: 400, tolerance: 1e-9, rng: createRng(1), quiet: true });
    const found = evaluate(model, { x }, createRng(1)).nats;
    expectClose([found], [best], { absolute: 1e-4 });
    // the same model, whatever the rotation of its latents
    expectClose(covarianceOf(model), covarianceOf(closed(x)), { absolute: 5e-2 });
    for (const variable of model.objectives[0]!.variables) {
      const gradient = tf.variableGrads(() => model.objectives[0]!.loss({ x }, createRng(1)) as tf.Scalar, [variable])
        .grads[variable.name]!;
      expectClose(read(gradient), new Array<number>(variable.size).fill(0), { absolute: 2e-3 });
    }
  });

  test('no iteration of EM lowers the likelihood', async () => {
    const model = ppca.create(config, createRng('another'));
    const options = { iterations: 30, tolerance: -1, rng: createRng(1), quiet: true };
    const { history } = await em(model, { train: { x: data() } }, options);
    const gains = history.slice(1).map(({ loss }, i) => history[i]!.loss - loss);
    expect(Math.min(...gains)).toBeGreaterThan(-1e-5);
    expect(history[0]!.loss - history.at(-1)!.loss).toBeGreaterThan(0.05);
  });

  test('σ² is at least the floor', () => {
    const variance = read(closed(data(), { varianceFloor: 2 }).parameters().variance)[0]!;
    expectClose([variance], [2], { relative: 1e-5 });
  });
});

test('on the digits it says what scikit-learn says', () => {
  // scikit-learn 1.9.1, 16 components of the first 1,000 rows of datasets/digits.csv:
  //   x = numpy.loadtxt('datasets/digits.csv', delimiter=',', skiprows=1)[:, :64]
  //   pca = sklearn.decomposition.PCA(16, svd_solver='full').fit(x[:1000]); -pca.score(x[:1000]), -pca.score(x[1350:])
  // It divides by N − 1 for N, which costs 10⁻⁵ nats in training and some hundredths on other data.
  const digits = load('digits');
  const model = ppca.create({ ...ppca.defaults, varianceFloor: 0 }, createRng(1));
  model.closedForm(digits.train.x);
  const [train, other] = [digits.train, digits.test].map((batch) => evaluate(model, batch, createRng(1)).nats);
  expectClose([train!], [SCIKIT.train], { absolute: 1e-3 });
  expectClose([other!], [SCIKIT.test], { absolute: 0.05 });
  digits.dispose();
});

const SCIKIT = { train: 152.0468, test: 156.4979 };

test('the posterior is that of joint Gaussians, by quadrature over z', () => {
  const x = data().slice([0, 0], [4, 5]);
  const model = closed(data(), { latent: 1 });
  const { w, mu, variance } = model.parameters();
  const [ws, mus, s2] = [read(w), read(mu), read(variance)[0]!];
  const { mean: means, covariance } = model.posterior(x);
  const rows = x.arraySync() as number[][];
  const steps = Array.from({ length: 4001 }, (_, i) => -10 + i * 0.005);
  for (const [n, row] of rows.entries()) {
    const weights = steps.map((z) => Math.exp(-z * z / 2 - row.reduce((sum, value, d) => sum + (value - mus[d]! - ws[d]! * z) ** 2, 0) / (2 * s2))); // prettier-ignore
    const total = weights.reduce((a, b) => a + b, 0);
    const expected = steps.reduce((sum, z, i) => sum + z * weights[i]!, 0) / total;
    const spread = steps.reduce((sum, z, i) => sum + (z - expected) ** 2 * weights[i]!, 0) / total;
    expectClose([means.arraySync() as number[][]].flat()[n]!, [expected], { absolute: 1e-4 });
    expectClose(read(covariance.clone()), [spread], { absolute: 1e-4 });
  }
});

test('codes of its own samples are as the prior says', () => {
  const model = closed(data());
  const x = model.sample({ count: 4000, rng: createRng('samples') });
  const { mean: z } = model.posterior(x);
  expectClose([mean(read(z))], [0], { absolute: 0.06 });
  expect(() => ppca.create({ ...config, latent: 5 }, createRng(1))).toThrow('latent must be less than 5');
});
