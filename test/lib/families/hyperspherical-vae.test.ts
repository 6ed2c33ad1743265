import * as tf from '@tensorflow/tfjs';
import { createRng, hypersphericalVae, klVonMisesFisher } from 'dgm';
import { expect, test } from 'vitest';
import { lively, specimenOf } from '../../laws/specimen';
import { expectClose, mean, numericalGradient, read, standardError } from '../../helpers';

const { config } = hypersphericalVae.tiny;

test('the gradient of the bound by the encoder is right on average, though it goes through rejection', () => {
  const model = lively(specimenOf(hypersphericalVae)) as ReturnType<typeof hypersphericalVae.create>;
  const x = tf.tensor2d([[0, 1, 2], [2, 0, 1]]); // prettier-ignore
  const bias = model.encoder.variables.at(-1)!; // of mu's two numbers, and of κ
  const start = Array.from(bias.dataSync());
  // E ln p(x | z) on the circle, by quadrature over the angle, and the KL
  const bound = (values: readonly number[]): number => {
    tf.tidy(() => bias.assign(tf.tensor1d([...values])));
    const steps = 400;
    const angles = Array.from({ length: steps }, (_, i) => ((i + 0.5) * 2 * Math.PI) / steps);
    const z = tf.tensor2d(angles.map((a) => [Math.cos(a), Math.sin(a)]));
    const h = model.encode(x);
    const rows = [0, 1].map((n) => {
      const at = <T extends tf.Tensor>(t: T) => t.slice([n, 0], [1, t.shape[1]!]).tile([steps, 1]);
      const q = read(model.posterior.logProb(z, at(h))).map((value) => Math.exp(value) * ((2 * Math.PI) / steps));
      return read(model.decoder.logProb(at(x), z)).reduce((sum, value, i) => sum + value * q[i]!, 0);
    });
    return mean(read(model.posterior.kl!(h).sum(1))) - mean(rows);
  };
  const want = numericalGradient(bound, start, 0.01);
  tf.tidy(() => bias.assign(tf.tensor1d(start)));
  const draws = Array.from({ length: 1500 }, (_, i) =>
    tf.tidy(() => {
      const loss = () => model.objectives[0]!.loss({ x }, createRng(i)) as tf.Scalar;
      return Array.from(tf.variableGrads(loss, [bias]).grads[bias.name]!.dataSync());
    }),
  );
  for (const [j, value] of want.entries()) {
    const own = draws.map((draw) => draw[j]!);
    expectClose([mean(own)], [value], { absolute: 2e-3 + 5 * standardError(own) });
  }
});

test('the KL does not depend on where mu points', () => {
  const model = hypersphericalVae.create({ ...config, latent: 3 }, createRng(1));
  const kl = read(model.posterior.kl!(tf.tensor2d([[1, 0, 0, 2], [0, -5, 1, 2]]))); // prettier-ignore
  expect(kl[0]).toBe(kl[1]);
  const kappa = Math.log1p(Math.exp(2)) + 1;
  expectClose(kl.slice(0, 1), read(klVonMisesFisher(tf.tensor1d([kappa]), 3)), { relative: 1e-5 });
});

test('samples and codes lie on the sphere', () => {
  const model = hypersphericalVae.create({ ...config, latent: 5 }, createRng(1));
  const x = model.sample({ count: 50, rng: createRng(1) });
  const { z } = model.terms(x, createRng(2));
  for (const rows of [z, model.posterior.mean(model.encode(x)), model.prior.sample(50, createRng(3))])
    expectClose(read(rows.square().sum(1)), Array.from({ length: 50 }, () => 1), { absolute: 1e-5 }); // prettier-ignore
});
