import * as tf from '@tensorflow/tfjs';
import { continuousFlow, createRng, LOG_2PI, logAbsDet, planeMixture, viewsOf } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, mean, read, standardError } from '../../helpers';

const normal = (z: tf.Tensor) => z.square().add(LOG_2PI).sum(1).mul(-0.5); // prettier-ignore
const settings = { variables: [], D: 2, spread: 1, logBase: normal, solver: 'dormand-prince', steps: 24 } as const;

/** e^A by its series, after halving A ten times. */
function matrixExponential(A: readonly (readonly number[])[]): number[][] {
  const times = (P: number[][], Q: number[][]) => P.map((row) => Q[0]!.map((_, j) => row.reduce((s, v, k) => s + v * Q[k]![j]!, 0))); // prettier-ignore
  const small = A.map((row) => row.map((v) => v / 1024));
  const one: number[][] = small.map((row, i) => row.map((_, j) => Number(i === j)));
  let [sum, term] = [one, one];
  for (let k = 1; k < 12; k++) {
    term = times(term, small).map((row) => row.map((v) => v / k));
    sum = sum.map((row, i) => row.map((v, j) => v + term[i]![j]!));
  }
  for (let i = 0; i < 10; i++) sum = times(sum, sum);
  return sum;
}

describe('a linear flow', () => {
  // dz/dt = z Aᵀ from 0 to 1: x = z e^Aᵀ, and p(x) is Gaussian
  const A = [
    [0.6, -1.1],
    [0.8, -0.3],
  ];
  const flow = continuousFlow({
    ...{ ...settings, noiseTime: 0, dataTime: 1 },
    velocity: (z) => z.matMul(tf.tensor2d(A), false, true),
  });
  const M = matrixExponential(A);
  const x = createRng('x').normal([6, 2]);
  const expected = (() => {
    const [[a, b], [c, d]] = M as [[number, number], [number, number]];
    const det = a * d - b * c;
    return (x.arraySync() as number[][]).map(([u, v]) => {
      const z = [(d * u! - b * v!) / det, (a * v! - c * u!) / det];
      return -0.5 * (z[0]! ** 2 + z[1]! ** 2) - LOG_2PI - logAbsDet(M);
    });
  })();

  test('has the log-density of the matrix exponential', () => {
    expectClose(read(flow.logProb(x, createRng(1))), expected, { absolute: 1e-4 });
    expectClose(read(flow.measuredLogProb(x, createRng(1)).value), expected, { absolute: 1e-3 });
  });

  test('an estimate of its divergence has that mean', () => {
    const draws = 4000;
    const many = tf.tile(x.slice([0, 0], [1, 2]), [draws, 1]);
    const values = read(flow.logProb(many, createRng('e'), { divergence: 'hutchinson' }));
    expectClose([mean(values)], [expected[0]!], { absolute: 4 * standardError(values) + 1e-4 });
    expect(standardError(values)).toBeGreaterThan(1e-4);
  });

  test('samples are noise through the matrix exponential', () => {
    const noise = createRng('noise').normal([5, 2]);
    const through = noise.matMul(tf.tensor2d(M), false, true);
    expectClose(read(flow.toData(noise)), read(through.clone()), { absolute: 1e-4 });
    const { value, evaluations } = flow.measuredToData(noise, { relative: 1e-6, absolute: 1e-6 });
    expectClose(read(value), read(through), { absolute: 1e-3 });
    expect(evaluations).toBeLessThan(flow.evaluations());
    expect(flow.evaluations()).toBe(24 * 6);
  });

  test('on the way it is where half of the time leads', () => {
    const noise = createRng('noise').normal([5, 2]);
    const half = matrixExponential(A.map((row) => row.map((v) => v / 2)));
    expectClose(read(flow.move(noise, { from: 0, to: 0.5 })), read(noise.matMul(tf.tensor2d(half), false, true)), { absolute: 1e-4 }); // prettier-ignore
  });
});

describe('with the true velocity of a mixture', () => {
  const ring = planeMixture('eight Gaussians');
  const straight = continuousFlow({
    ...{ ...settings, noiseTime: 0, dataTime: 1 },
    velocity: (z, t) => ring.velocity(z, t),
  });
  // the probability-flow ODE of growing noise, σ from 12 to 0.01: dz/dσ = −σ score, in t = ln σ
  const [low, high] = [Math.log(0.01), Math.log(12)];
  const spread = Math.sqrt(12 ** 2 + 0.09 + 2.6 ** 2 / 2); // that of the ring with all its noise
  const score = continuousFlow({
    ...{ ...settings, noiseTime: high, dataTime: low, spread, steps: 48 },
    velocity: (z, t) => ring.score(z, t.exp()).mul(t.mul(2).exp().expandDims(1)).neg(),
    logBase: (z) => normal(z.div(spread)).sub(2 * Math.log(spread)), // prettier-ignore
  });
  const x = ring.sample({ count: 300, rng: createRng('x') });
  const truth = read(ring.logProb(x));

  test.each([
    ['straight paths', straight],
    ['growing noise', score],
  ] as const)('the likelihood along %s is the density, within 0.05 nats, by either divergence', (_, flow) => {
    const exact = read(flow.logProb(x, createRng(1)));
    const gaps = exact.map((value, n) => value - truth[n]!);
    expect(Math.abs(mean(gaps))).toBeLessThan(0.02);
    expect(gaps.map(Math.abs).sort((a, b) => a - b)[Math.floor(0.95 * gaps.length)]).toBeLessThan(0.05);
    const runs = Array.from({ length: 6 }, (_, i) => read(flow.logProb(x, createRng(i), { divergence: 'hutchinson' })));
    const estimate = exact.map((_, n) => mean(runs.map((run) => run[n]!)) - exact[n]!);
    expectClose([mean(estimate)], [0], { absolute: 4 * standardError(estimate) });
    expect(Math.abs(mean(estimate))).toBeLessThan(0.05);
  });

  test('twice the steps change nothing, and a tolerance finds the same', () => {
    const [once, twice] = [24, 48].map((steps) => read(straight.logProb(x, createRng(1), { steps })));
    expect(Math.max(...once!.map((v, n) => Math.abs(v - twice![n]!)))).toBeLessThan(0.02);
    const { value, evaluations } = straight.measuredLogProb(x, createRng(1));
    expectClose(read(value), twice!, { absolute: 0.02 });
    expect(evaluations).toBeGreaterThan(20);
  });

  test('one velocity is three views: what it says of x, of ε and of the score', () => {
    const t = 0.6;
    const z = createRng('z').normal([8, 2]).mul(1.5);
    const times = tf.fill([8], t);
    const { data, noise, score: slope } = viewsOf(z, ring.velocity(z, times), times);
    // z = t (x + σ ε), so that ∇_z ln p_t(z) is the score of x + σ ε at z / t, over t
    expectClose(read(slope), read(ring.score(z.div(t), (1 - t) / t).div(t)), { absolute: 2e-3 });
    expectClose(read(data.clone()), read(ring.denoised(z.div(t), (1 - t) / t)), { absolute: 2e-3 });
    expectClose(read(noise.mul(1 - t).add(data.mul(t))), read(z), { absolute: 1e-4 });
  });
});
