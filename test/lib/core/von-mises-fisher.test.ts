import * as tf from '@tensorflow/tfjs';
import {
  createRng,
  drawDirections,
  drawVonMisesFisher,
  klVonMisesFisher,
  logSphereArea,
  logVonMisesFisher,
  meanResultantLength,
  twoSampleTest,
  uniformSphere,
  vonMisesFisherPosterior,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { compiled } from '../../../lib/sampling/sampler';
import { expectClose, mean, read, standardError } from '../../helpers';

const DIMENSIONS = [2, 3, 16];
const KAPPAS = [0.1, 1, 10, 100, 1000];

/** ln ∫ exp(κ (cos θ − 1)) sin^(d−2) θ f(θ) dθ over [0, π] by the midpoint rule, in float64. */
function integral(kappa: number, d: number, f: (theta: number) => number = () => 1): number {
  const steps = 200_000;
  let sum = 0;
  for (let i = 0; i < steps; i++) {
    const theta = ((i + 0.5) * Math.PI) / steps;
    sum += Math.exp(-2 * kappa * Math.sin(theta / 2) ** 2) * Math.sin(theta) ** (d - 2) * f(theta);
  }
  return (sum * Math.PI) / steps;
}

/** E mu·z − 1 */
const fall = (kappa: number, d: number) =>
  integral(kappa, d, (theta) => -2 * Math.sin(theta / 2) ** 2) / integral(kappa, d);

test('areas of spheres: a pair of points, circle, sphere, and their recurrence', () => {
  expectClose([1, 2, 3, 4].map(logSphereArea).map(Math.exp), [2, 2 * Math.PI, 4 * Math.PI, 2 * Math.PI ** 2], { relative: 1e-12 }); // prettier-ignore
  for (const d of [5, 10, 17]) expectClose([logSphereArea(d) - logSphereArea(d - 2)], [Math.log((2 * Math.PI) / (d - 2))], { absolute: 1e-12 }); // prettier-ignore
  expect(() => logSphereArea(2.5)).toThrow('d must be an integer ≥ 1, got 2.5');
});

describe.each(DIMENSIONS)('in ℝ^%d', (d) => {
  const kappas = () => tf.tensor1d(KAPPAS);

  test('the density has a closed form on the circle and in three dimensions, and its integral anywhere', () => {
    const z = tf.tensor2d(KAPPAS.map(() => [1, ...Array.from({ length: d - 1 }, () => 0)]));
    const atMu = KAPPAS.map((kappa) => -Math.log(integral(kappa, d)) - logSphereArea(d - 1));
    expectClose(read(logVonMisesFisher(z, z, kappas())), atMu, { absolute: 1e-4 });
    if (d === 3) {
      const closed = KAPPAS.map((kappa) => Math.log(kappa / (2 * Math.PI)) - Math.log1p(-Math.exp(-2 * kappa)));
      expectClose(atMu, closed, { absolute: 1e-6 });
    }
  });

  test('the mean length and the KL from the uniform distribution are those of quadrature', () => {
    expectClose(read(meanResultantLength(kappas(), d)), KAPPAS.map((kappa) => 1 + fall(kappa, d)), { absolute: 1e-5 }); // prettier-ignore
    const uniform = Math.log(integral(0, d));
    const kl = KAPPAS.map((kappa) => kappa * fall(kappa, d) - Math.log(integral(kappa, d)) + uniform);
    expectClose(read(klVonMisesFisher(kappas(), d)), kl, { absolute: 1e-4 });
    expectClose(read(klVonMisesFisher(tf.tensor1d([0]), d)), [0], { absolute: 1e-5 });
  });

  test('the KL is that of its draws', () => {
    for (const kappa of [2, 50]) {
      const mu = tf.tidy(() => drawDirections(1, d, createRng('mu')).tile([4000, 1]));
      const logQ = read(drawVonMisesFisher(mu, tf.fill([4000], kappa), createRng(kappa)).logProb);
      const ratios = logQ.map((value) => value + logSphereArea(d));
      const want = read(klVonMisesFisher(tf.tensor1d([kappa]), d));
      expectClose([mean(ratios)], want, { absolute: 5 * standardError(ratios) });
    }
  });

  test.each([0.5, 5, 60])('draws at κ = %d are those of Metropolis’ chains', (kappa) => {
    const count = 300;
    const mu = tf.tidy(() => drawDirections(1, d, createRng('mu')));
    const ours = drawVonMisesFisher(mu.tile([count, 1]), tf.fill([count], kappa), createRng('ours')).z;
    expectClose(read(ours.square().sum(1)), Array.from({ length: count }, () => 1), { absolute: 1e-5 }); // prettier-ignore
    const other = byChain(mu.dataSync() as Float32Array, kappa, count);
    const { pValue } = twoSampleTest(ours, other, createRng('permutations'), { permutations: 999 });
    expect(pValue).toBeGreaterThan(1 / 1000);
  });

  test('a sampler of another concentration, or of the wrong radius, is found out', () => {
    const count = 300;
    const mu = tf.tidy(() => drawDirections(1, d, createRng('mu')));
    const draw = (kappa: number, seed: string) =>
      drawVonMisesFisher(mu.tile([count, 1]), tf.fill([count], kappa), createRng(seed)).z;
    for (const wrong of [draw(1, 'other'), draw(8, 'radius').mul(1.3)])
      expect(twoSampleTest(draw(8, 'right'), wrong, createRng('permutations'), { permutations: 199 }).pValue).toBe(1 / 200); // prettier-ignore
  });

  test('draws are compiled, and the same', () => {
    const [mu, kappa] = [drawDirections(20, d, createRng('mu')), tf.fill([20], 7)];
    const draw = compiled(([m, k], rng) => Object.values(drawVonMisesFisher(m!, k!, rng)));
    const fast = draw([mu, kappa], createRng('draw')).map(read);
    const slow = Object.values(drawVonMisesFisher(mu, kappa, createRng('draw'))).map(read);
    fast.forEach((values, i) => expectClose(values, slow[i]!, { absolute: 1e-4 }));
    expect(draw.engine()).toMatch(/^compiled/);
  });

  test('the gradient of E f(z) by κ is that of its integral, path and score together', () => {
    // f(z) = (mu·z)³, whose mean is an integral over the angle
    const [count, kappa] = [d < 16 ? 8000 : 1500, 3];
    const mu = tf.tidy(() => drawDirections(1, d, createRng('mu')).tile([count, 1]));
    const perDraw = (withScore: boolean) =>
      read(
        tf.grad((k: tf.Tensor) => {
          const { z, score } = drawVonMisesFisher(mu, k, createRng('gradient'));
          const f = z.mul(mu).sum(1).pow(3);
          const held = tf.tensor1d(f.dataSync());
          return withScore ? f.add(held.mul(score)).sum() : f.sum();
        })(tf.fill([count], kappa)),
      );
    const cube = (k: number) => integral(k, d, (theta) => Math.cos(theta) ** 3) / integral(k, d);
    const want = (cube(kappa + 1e-3) - cube(kappa - 1e-3)) / 2e-3;
    const both = perDraw(true);
    expectClose([mean(both)], [want], { absolute: 5 * standardError(both) });
    const path = perDraw(false);
    if (d < 16) expect(Math.abs(mean(path) - want)).toBeGreaterThan(5 * standardError(path)); // the score is needed
  });
});

/** Metropolis' chains, one a draw, from the uniform distribution on: slow, and nothing like what they check. */
function byChain(mu: Float32Array, kappa: number, count: number): tf.Tensor {
  const d = mu.length;
  const steps = 400;
  const noise = createRng('chains');
  const start = read(drawDirections(count, d, noise.fork('start')));
  const moves = noise.fork('moves').normal([count * steps * d]).dataSync(); // prettier-ignore
  const u = noise.fork('accept').uniform([count * steps]).dataSync(); // prettier-ignore
  const width = 1.5 / Math.sqrt(kappa + 1) / Math.sqrt(Math.max(1, d / 4));
  const rows = Array.from({ length: count }, (_, n) => {
    let z = start.slice(n * d, (n + 1) * d);
    const along = (row: readonly number[]) => row.reduce((sum, value, i) => sum + value * mu[i]!, 0);
    for (let step = 0; step < steps; step++) {
      const at = (n * steps + step) * d;
      const moved = z.map((value, i) => value + width * moves[at + i]!);
      const length = Math.hypot(...moved);
      const next = moved.map((value) => value / length);
      if (Math.log(u[n * steps + step]!) < kappa * (along(next) - along(z))) z = next;
    }
    return z;
  });
  return tf.tensor2d(rows);
}

test('the posterior and its prior agree with the densities they are made of', () => {
  const posterior = vonMisesFisherPosterior(3);
  const h = tf.tensor2d([[2, 0, 0, 4], [0, -1, 1, -3]]); // prettier-ignore
  const { z, logQ } = posterior.draw(h, createRng(1));
  expectClose(read(posterior.logProb(z, h)), read(logQ), { absolute: 1e-4 });
  expectClose(read(uniformSphere(3).logProb(z, createRng(1))), [-Math.log(4 * Math.PI), -Math.log(4 * Math.PI)], { absolute: 1e-5 }); // prettier-ignore
  expectClose(read(posterior.mean(h)), [1, 0, 0, 0, -Math.SQRT1_2, Math.SQRT1_2], { absolute: 1e-5 });
  expect(() => vonMisesFisherPosterior(1)).toThrow('d must be an integer ≥ 2, got 1');
});
