import * as tf from '@tensorflow/tfjs';
import { createRng, evaluate, integrate, linearWorld, logSumExp, normalCdf, pinwheelSource, ringWorld } from 'dgm';
import { expect, test } from 'vitest';
import { expectClose, mean, read } from '../../helpers';

const rng = createRng('worlds');
const tinyLinear = linearWorld({ latent: 3, dimensions: 1 });

test.each([
  ['linear', tinyLinear, 1],
  ['ring', ringWorld(), 1],
  ['ring with much noise', ringWorld({ noise: 2 }), 1],
  ['linear with much noise', linearWorld({ latent: 3, dimensions: 1, noise: 30 }), 1],
  ['pinwheel', pinwheelSource({ dimensions: 2 }), 2],
  ['pinwheel with much noise', pinwheelSource({ dimensions: 2, noise: 3 }), 2],
] as const)('%s: its density integrates to 1, and has the entropy that it says', (_, world, dimensions) => {
  const { low, high } = world.support.kind === 'continuous' ? world.support : expect.fail('continuous');
  const mass = integrate(world.logProb, { low, high, dimensions, steps: dimensions === 1 ? 2000 : 200 });
  expectClose([mass], [1], { absolute: 1e-4 });
  const { nats, standardError } = evaluate(world, { x: world.sample({ count: 4000, rng }) }, rng);
  expect(Math.abs(nats - world.entropy)).toBeLessThan(4 * standardError);
});

test.each([
  ['linear', linearWorld()],
  ['lifted pinwheel', pinwheelSource()],
] as const)('%s: samples of it have its entropy', (_, world) => {
  const { nats, standardError } = evaluate(world, { x: world.sample({ count: 4000, rng }) }, rng);
  expect(Math.abs(nats - world.entropy)).toBeLessThan(4 * standardError);
});

test('p(x) is the mean of p(x | z) over the prior', () => {
  for (const world of [tinyLinear, ringWorld()]) {
    const x = world.sample({ count: 6, rng: rng.fork('x') });
    const count = 20_000;
    const z = rng.fork('z').normal([count, world.latent]);
    const estimates = (x.arraySync() as number[][]).map((row) => {
      const given = world.logGiven(tf.tensor2d([row]).tile([count, 1]), z);
      return read(logSumExp(given, 0))[0]! - Math.log(count);
    });
    expectClose(read(world.logProb(x)), estimates, { absolute: 0.12 });
  }
});

test('the ring’s quadrature agrees with its closed form', () => {
  const noise = 0.1;
  const [spread, s] = [1 + noise ** 2, noise / Math.sqrt(1 + noise ** 2)];
  const places = [0, 0.2, 1, 2.5, 4];
  const want = places.map((x) => {
    const t = x / spread / s;
    const inner = s * (t * normalCdf(t) + Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI));
    return Math.log(inner) - (x * x) / (2 * spread) - 0.5 * Math.log(spread);
  });
  expectClose(read(ringWorld({ noise }).logProb(tf.tensor2d(places.map((x) => [x])))), want, { absolute: 1e-4 });
});

test('the linear world’s gap of diagonal posteriors is a KL, and none with one latent', () => {
  expect(linearWorld().diagonalGap).toBeCloseTo(5.82, 2);
  expect(linearWorld({ latent: 1, dimensions: 3 }).diagonalGap).toBeCloseTo(0, 8);
  const { loadings, noise, covariance } = linearWorld({ latent: 2, dimensions: 1 });
  const [a, b] = loadings[0]!.map((w) => w / noise) as [number, number];
  const det = 1 + a * a + b * b;
  expectClose(covariance.flat(), [(1 + b * b) / det, (-a * b) / det, (-a * b) / det, (1 + a * a) / det], { absolute: 1e-6 }); // prettier-ignore
});

test('the pinwheel lies in its plane but for noise', () => {
  const source = pinwheelSource({ noise: 0.1 });
  const x = source.sample({ count: 3000, rng });
  const y = source.plane(x);
  const off = mean(read(x.square().sum(1).sub(y.square().sum(1)))) / 14;
  expectClose([off], [0.01], { relative: 0.05 });
  const mass = integrate(source.logPlane, { low: -6, high: 6, dimensions: 2, steps: 200 });
  expectClose([mass], [1], { absolute: 1e-4 });
  expect(() => pinwheelSource({ dimensions: 1 })).toThrow('dimensions must be ≥ 2, got 1');
});
