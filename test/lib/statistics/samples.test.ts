import { createRng, modeCoverage, precisionRecall, twoSampleTest, wasserstein1d } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../helpers';

const points = (seed: string, count: number, shift = 0, scale = 1) =>
  createRng(seed).normal([count, 2]).mul(scale).add(shift).arraySync() as number[][];

describe('modeCoverage', () => {
  const modes = [[0, 0], [10, 0], [0, 10], [10, 10]]; // prettier-ignore

  test('counts by hand: modes, shares, quality, divergence', () => {
    const x = [[0, 0], [0.5, 0], [0, 1], [10, 0.9], [10, 1.1], [5, 5]]; // prettier-ignore
    const found = modeCoverage(x, modes, 1);
    expect(found.covered).toBe(2);
    expectClose([found.highQuality], [4 / 6], { absolute: 1e-12 });
    expectClose(found.shares, [0.75, 0.25, 0, 0], { absolute: 1e-12 });
    expectClose([found.kl], [0.75 * Math.log(3) + 0.25 * Math.log(1)], { absolute: 1e-12 });
  });

  test('one mode has ln K, all have 0, none has Infinity', () => {
    expectClose([modeCoverage([[0, 0]], modes, 1).kl], [Math.log(4)], { absolute: 1e-12 });
    expect(modeCoverage(modes, modes, 1)).toEqual({ covered: 4, highQuality: 1, kl: 0, shares: [0.25, 0.25, 0.25, 0.25] }); // prettier-ignore
    expect(modeCoverage([[5, 5]], modes, 1)).toEqual({
      covered: 0,
      highQuality: 0,
      kl: Infinity,
      shares: [0, 0, 0, 0],
    });
  });

  test('a stray sample is no covered mode', () => {
    const x = [...Array.from({ length: 999 }, () => [0, 0]), [10, 10]];
    expect(modeCoverage(x, modes, 1).covered).toBe(1);
  });

  test('true samples of the plane: 98.9 % within three deviations', () => {
    expectClose([modeCoverage(points('true', 20_000), [[0, 0]], 3).highQuality], [1 - Math.exp(-4.5)], { absolute: 0.004 }); // prettier-ignore
  });

  test('refuses what it cannot count', () => {
    expect(() => modeCoverage([], modes, 1)).toThrow('x has no points');
    expect(() => modeCoverage([[1, 2, 3]], modes, 1)).toThrow('expected 3 finite numbers');
    expect(() => modeCoverage([[NaN, 0]], modes, 1)).toThrow('point 0 is [NaN, 0]');
    expect(() => modeCoverage(modes, modes, 0)).toThrow('radius must be above 0');
  });
});

describe('precisionRecall', () => {
  test('of the same distribution both are near 1, of one far away 0', () => {
    const [a, b] = [points('a', 300), points('b', 300)];
    const same = precisionRecall(a, b);
    expect(Math.min(same.precision, same.recall)).toBeGreaterThan(0.85);
    expect(precisionRecall(a, points('far', 300, 100))).toEqual({ precision: 0, recall: 0 });
  });

  test('samples of one hill of two are precise, and reach half of the data', () => {
    const two = [...points('left', 200), ...points('right', 200, 30)];
    const { precision, recall } = precisionRecall(two, points('one', 300));
    expect(precision).toBeGreaterThan(0.85);
    expectClose([recall], [0.48], { absolute: 0.05 });
    const wide = precisionRecall(points('one', 300), two);
    expectClose([wide.precision], [0.48], { absolute: 0.05 });
    expect(wide.recall).toBeGreaterThan(0.85);
  });

  test('the balls reach to the k-th neighbour, which by hand is', () => {
    const line = (...values: number[]) => values.map((v) => [v]);
    // neighbours of 0, 1, 3 by one: radii 1, 1, 2
    expect(precisionRecall(line(0, 1, 3), line(2, 5, 5.5), 1).precision).toBeCloseTo(2 / 3, 12); // 2 and 5, not 5.5
  });

  test('refuses a k that has no neighbour', () => {
    expect(() => precisionRecall([[0], [1]], [[0], [1]], 2)).toThrow('k must be an integer from 1 to below 2');
  });
});

describe('wasserstein1d', () => {
  test('by hand, with as many and with other numbers on both sides', () => {
    expect(wasserstein1d([0, 2], [1, 1])).toBe(1);
    expect(wasserstein1d([3, 1, 2], [2, 4, 3])).toBeCloseTo(1, 12);
    expectClose([wasserstein1d([0, 1], [0, 0.5, 1])], [1 / 6], { absolute: 1e-12 });
    expectClose([wasserstein1d([0], [1, 2, 3, 6])], [3], { absolute: 1e-12 });
  });

  test('is ∫ |F − G|, with G of another size', () => {
    const [a, b] = [points('a', 37).map(([v]) => v!), points('b', 53, 0.4).map(([v]) => v!)];
    const at = (values: readonly number[], x: number) => values.filter((v) => v <= x).length / values.length;
    const all = [...a, ...b].sort((p, q) => p - q);
    const integral = all.slice(1).reduce((sum, v, i) => sum + (v - all[i]!) * Math.abs(at(a, all[i]!) - at(b, all[i]!)), 0); // prettier-ignore
    expectClose([wasserstein1d(a, b)], [integral], { absolute: 1e-9 });
    expectClose([wasserstein1d(b, a)], [integral], { absolute: 1e-9 });
  });

  test('a shift moves all as far', () => {
    const a = points('shift', 500).map(([v]) => v!);
    expectClose([wasserstein1d(a, a.map((v) => v + 1.7))], [1.7], { absolute: 1e-6 }); // prettier-ignore
    expect(() => wasserstein1d([], [1])).toThrow('expected numbers on both sides');
  });
});

describe('the two-sample test by a kernel', () => {
  const draw = (seed: string, shift = 0, scale = 1) => createRng(seed).normal([60, 2]).mul(scale).add(shift);
  const by = (a: string, b: ReturnType<typeof draw>) =>
    twoSampleTest(draw(a), b, createRng('permutations'), { permutations: 99, distance: 'kernel' });

  test('is the squared maximum mean discrepancy, by its definition', () => {
    const [a, b] = [draw('a').arraySync() as number[][], draw('b', 1).arraySync() as number[][]];
    const far = (p: readonly number[], q: readonly number[]) => Math.hypot(p[0]! - q[0]!, p[1]! - q[1]!);
    const all = [...a, ...b];
    const apart = all.flatMap((p, i) => all.slice(0, i).map((q) => far(p, q))).sort((p, q) => p - q);
    const w = apart[Math.floor(apart.length / 2)]!;
    const k = (p: readonly number[], q: readonly number[]) => Math.exp(-(far(p, q) ** 2) / (2 * w * w));
    const average = (P: number[][], Q: number[][]) => P.reduce((s, p) => s + Q.reduce((t, q) => t + k(p, q), 0), 0) / (P.length * Q.length); // prettier-ignore
    const wanted = average(a, a) + average(b, b) - 2 * average(a, b);
    expectClose([by('a', draw('b', 1)).statistic], [wanted], { relative: 1e-4 });
  });

  test('sees a shift and another width, and no difference where there is none', () => {
    expect(by('a', draw('b', 1)).pValue).toBe(0.01);
    expect(by('a', draw('b', 0, 2)).pValue).toBe(0.01);
    const pValues = Array.from({ length: 20 }, (_, i) => by(`same ${i}`, draw(`other ${i}`)).pValue);
    expect(pValues.filter((p) => p <= 0.05).length).toBeLessThanOrEqual(5);
  });

  test('refuses points that are mostly the same', () => {
    const constant = draw('a').mul(0);
    expect(() => twoSampleTest(constant, constant, createRng(1), { distance: 'kernel' })).toThrow('no median distance');
  });
});
