import * as tf from '@tensorflow/tfjs';
import {
  alphaOf,
  boundWeight,
  createRng,
  diffuse,
  guessOf,
  importanceTimes,
  independentTimes,
  noiseSchedule,
  placesOf,
  randomOrders,
  reverseStep,
  sigmaOf,
  stepDown,
  stratifiedTimes,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { chiSquare, expectClose, mean, read, standardError } from '../../helpers';

const N = 40_000;
const column = (value: number) => tf.fill([N, 1], value);
const level = (gamma: number, count = N) => tf.fill([count], gamma);
function variance(values: readonly number[]): number {
  const centre = mean(values);
  return mean(values.map((v) => (v - centre) ** 2));
}

/** α and σ at γ, in double precision. */
const at = (gamma: number) => ({ alpha: Math.sqrt(1 / (1 + Math.exp(gamma))), sigma: Math.sqrt(1 / (1 + Math.exp(-gamma))) }); // prettier-ignore

describe('the forward process', () => {
  test('made in one step or in many has the same mean and variance', () => {
    const [x, gammas] = [0.7, [-4, -2, -1, 0.5, 2]];
    const simulated = tf.tidy(() => {
      let z = diffuse(column(x), level(gammas[0]!), createRng('first').normal([N, 1]));
      for (const [i, gamma] of gammas.slice(1).entries()) {
        const [before, after] = [at(gammas[i]!), at(gamma)];
        const kept = after.alpha / before.alpha;
        const added = Math.sqrt(after.sigma ** 2 - kept ** 2 * before.sigma ** 2);
        z = z.mul(kept).add(createRng(i).normal([N, 1]).mul(added));
      }
      return read(z);
    });
    const { alpha, sigma } = at(2);
    expectClose([mean(simulated)], [alpha * x], { absolute: (5 * sigma) / Math.sqrt(N) });
    expectClose([variance(simulated)], [sigma ** 2], { absolute: 5 * sigma ** 2 * Math.sqrt(2 / N) });
    const [shortAlpha, shortSigma] = [read(alphaOf(level(2, 1)))[0]!, read(sigmaOf(level(2, 1)))[0]!];
    expectClose([shortAlpha, shortSigma], [alpha, sigma], { absolute: 1e-6 });
  });

  test.each([
    [-1, 1],
    [-6, 6],
    [1.9, 2],
  ])("a step back from γ to γ' is Bayes' rule, by quadrature: %d from %d", (to, from) => {
    const [x, z] = [-0.4, 0.9];
    const [s, t] = [at(to), at(from)];
    const kept = t.alpha / s.alpha;
    const added = t.sigma ** 2 - kept ** 2 * s.sigma ** 2;
    const grid = Array.from({ length: 20_001 }, (_, i) => -8 + i / 1250);
    const logs = grid.map((v) => -((v - s.alpha * x) ** 2) / (2 * s.sigma ** 2) - (z - kept * v) ** 2 / (2 * added));
    const top = Math.max(...logs);
    const w = logs.map((v) => Math.exp(v - top));
    const total = w.reduce((a, b) => a + b);
    const expected = w.reduce((sum, v, i) => sum + v * grid[i]!, 0) / total;
    const spread = w.reduce((sum, v, i) => sum + v * (grid[i]! - expected) ** 2, 0) / total;
    const step = reverseStep(tf.tensor2d([[z]]), tf.tensor2d([[x]]), level(from, 1), level(to, 1));
    expectClose([read(step.mean)[0]!, read(step.variance)[0]!], [expected, spread], { relative: 1e-4, absolute: 1e-6 });
  });

  test.each([0, 0.4, 1])('a step down keeps the marginals where the guess is x, at eta %d', (eta) => {
    const [x, from, to] = [0.3, 1, -2];
    const z = tf.tidy(() => {
      const zt = diffuse(column(x), level(from), createRng('z').normal([N, 1]));
      const noise = createRng('down').normal([N, 1]);
      return read(stepDown(zt, column(x), { from: level(from), to: level(to), eta: tf.scalar(eta), noise }));
    });
    const { alpha, sigma } = at(to);
    expectClose([mean(z)], [alpha * x], { absolute: (5 * sigma) / Math.sqrt(N) });
    expectClose([variance(z)], [sigma ** 2], { absolute: 5 * sigma ** 2 * Math.sqrt(2 / N) });
  });

  test('with all its noise a step down is the reverse step; without, it draws nothing', () => {
    const [z, guess] = [createRng('z').normal([5, 3]), createRng('x').uniform([5, 3])];
    const levels = { from: level(2, 5), to: level(-1, 5) };
    const noise = createRng('noise').normal([5, 3]);
    const { mean: mu, variance: spread } = reverseStep(z, guess, levels.from, levels.to);
    expectClose(read(stepDown(z, guess, { ...levels, eta: tf.scalar(1), noise })), read(mu.add(spread.sqrt().mul(noise))), { absolute: 1e-5 }); // prettier-ignore
    const still = (seed: string) => read(stepDown(z, guess, { ...levels, eta: tf.scalar(0), noise: createRng(seed).normal([5, 3]) })); // prettier-ignore
    expect(still('a')).toEqual(still('b'));
  });
});

describe('parametrisations', () => {
  const gamma = tf.tensor1d([-5, -1, 0, 2, 5]);
  const [x, noise] = [createRng('x').uniform([5, 3]), createRng('e').normal([5, 3])];
  const z = diffuse(x, gamma, noise);
  const targets = {
    data: x,
    noise,
    velocity: alphaOf(gamma).mul(noise).sub(sigmaOf(gamma).mul(x)),
  };

  test.each(Object.entries(targets))('%s: the target stands for x', (kind, target) => {
    const guess = guessOf(kind as keyof typeof targets, target, z, gamma);
    expectClose(read(guess), read(x.clone()), { absolute: 1e-4 }); // divided by α = 0.08
  });

  test.each(Object.entries(targets))(
    '%s: its weight makes its squared error the charge of the bound',
    (kind, target) => {
      const name = kind as keyof typeof targets;
      const wrong = target.add(createRng('error').normal([5, 3]).mul(0.1));
      const error = wrong.sub(target).square().sum(1).mul(boundWeight(name, gamma));
      const charge = guessOf(name, wrong, z, gamma).sub(x).square().sum(1).mul(gamma.neg().exp()).mul(0.5);
      expectClose(read(error), read(charge), { relative: 5e-3, absolute: 1e-6 }); // x̂ − x cancels digits
    },
  );
});

describe('schedules', () => {
  test.each(['linear', 'cosine', 'learned'] as const)('%s rises from end to end, by its slope', (name) => {
    const { gamma, slope, variables } = noiseSchedule(name, { lowest: -6, highest: 5 });
    for (const variable of variables) variable.assign(createRng('heights').normal(variable.shape));
    expectClose(read(gamma(tf.tensor1d([0, 1]))), [-6, 5], { absolute: 1e-4 });
    const t = Array.from({ length: 50 }, (_, i) => (i + 0.4) / 50);
    const h = 1 / 1024;
    const rise = read(gamma(tf.tensor1d(t.map((v) => v + h))).sub(gamma(tf.tensor1d(t.map((v) => v - h)))));
    const slopes = read(slope(tf.tensor1d(t)));
    expect(Math.min(...slopes)).toBeGreaterThan(0);
    const inside = t.map((v) => Math.abs(v * 16 - Math.round(v * 16)) > 0.02 || name !== 'learned'); // no kink within h
    const pick = (values: readonly number[]) => values.filter((_, i) => inside[i]);
    expectClose(pick(rise.map((v) => v / (2 * h))), pick(slopes), { relative: 0.02, absolute: 0.01 });
    tf.dispose([...variables]);
  });

  test('noise has to grow', () => {
    expect(() => noiseSchedule('linear', { lowest: 3, highest: -3 })).toThrow('lowest must be below highest');
  });
});

describe('times', () => {
  const f = (t: tf.Tensor) => t.mul(12).sub(6).exp().add(1).log(); // most of it near the end
  const truth = mean(Array.from({ length: 100_000 }, (_, i) => Math.log(1 + Math.exp((12 * (i + 0.5)) / 100_000 - 6))));
  const estimates = (draw: (seed: number) => tf.Tensor) =>
    Array.from({ length: 300 }, (_, i) => tf.tidy(() => read(draw(i).mean())[0]!));

  test('independent, stratified or drawn by importance, a mean over them is unbiased; independent ones vary most', () => {
    const importance = importanceTimes();
    for (let i = 0; i < 60; i++) {
      const { t } = importance.draw(stratifiedTimes(64, createRng(`learn ${i}`)));
      importance.memory.assign(importance.next(t, f(t)));
    }
    const bent = (even: tf.Tensor) => {
      const { t, weight } = importance.draw(even);
      return f(t).mul(weight);
    };
    const [even, strata, drawn] = [
      estimates((i) => f(independentTimes(64, createRng(i)))),
      estimates((i) => f(stratifiedTimes(64, createRng(i)))),
      estimates((i) => bent(independentTimes(64, createRng(i)))),
    ];
    for (const values of [even, strata, drawn]) expectClose([mean(values)], [truth], { absolute: 5 * standardError(values) + 1e-4 }); // prettier-ignore
    expect(variance(drawn)).toBeLessThan(0.5 * variance(even));
    expect(variance(strata)).toBeLessThan(0.03 * variance(even));
    tf.dispose(importance.memory);
  });

  test('stratified times are uniform one by one, and one to a part', () => {
    const first = Array.from({ length: 4000 }, (_, i) => read(stratifiedTimes(8, createRng(i)))[0]!);
    const counts = Array.from({ length: 8 }, (_, k) => first.filter((t) => Math.floor(t * 8) === k).length);
    const { statistic, bound } = chiSquare(counts, counts.map(() => 500)); // prettier-ignore
    expect(statistic).toBeLessThan(bound);
    expect(read(stratifiedTimes(8, createRng(1))).map((t) => Math.floor(t * 8)).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]); // prettier-ignore
  });
});

describe('orders', () => {
  test('all are equally likely', () => {
    const orders = randomOrders(6000, 3, createRng(1)).arraySync() as number[][];
    const counts = new Map<string, number>();
    for (const order of orders) counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
    expect(counts.size).toBe(6);
    const { statistic, bound } = chiSquare(
      [...counts.values()],
      Array.from({ length: 6 }, () => 1000),
    );
    expect(statistic).toBeLessThan(bound);
  });

  test('equal draws are ordered by their index', () => {
    expect(placesOf(tf.tensor2d([[0.5, 0.1, 0.5, 0.1]])).arraySync()).toEqual([[2, 0, 3, 1]]);
  });
});
