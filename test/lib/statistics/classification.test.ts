import { createRng, reliability, roc } from 'dgm';
import { describe, expect, test } from 'vitest';

// How good probabilities are, against definitions that are slower and shorter.

const uniform = (seed: number, n: number) => [...createRng(seed).uniform([n]).dataSync()];

describe('roc', () => {
  /** Over all pairs of a positive and a negative example: the share where the positive one scores higher, a tie half. */
  function areaByPairs(scores: readonly number[], positive: readonly boolean[]): number {
    const of = (kind: boolean) => scores.filter((_, n) => positive[n] === kind);
    const wins = of(true).flatMap((p) => of(false).map((q) => (p > q ? 1 : p === q ? 0.5 : 0)));
    return wins.reduce<number>((a, b) => a + b, 0) / wins.length;
  }

  test.each([1, 2, 3, 4, 5])('the area is that of all pairs, with ties (seed %i)', (seed) => {
    const scores = uniform(seed, 60).map((u) => Math.floor(u * 10));
    const positive = uniform(seed + 100, 60).map((u, n) => u < 0.2 + 0.06 * scores[n]!);
    expect(roc(scores, positive).auc).toBeCloseTo(areaByPairs(scores, positive), 12);
  });

  test('each point is the two rates at a threshold; the curve goes from nothing to all', () => {
    const scores = [0.9, 0.9, 0.4, 0.1];
    const { falsePositiveRate, truePositiveRate } = roc(scores, [1, 0, 1, 0]);
    expect(truePositiveRate).toEqual([0, 0.5, 1, 1]);
    expect(falsePositiveRate).toEqual([0, 0.5, 0.5, 1]);
  });

  test('the best order has area 1, the worst 0, no order a half; only the order counts', () => {
    expect(roc([3, 2, 1], [true, true, false]).auc).toBe(1);
    expect(roc([1, 2, 3], [true, true, false]).auc).toBe(0);
    expect(roc([5, 5, 5, 5], [true, false, false, true]).auc).toBe(0.5);
    expect(roc([-Infinity, 0, Infinity], [false, true, true]).auc).toBe(1);
  });

  test.each([
    ['one kind only', () => roc([1, 2], [true, true]), '2 positive and 0 negative'],
    ['nothing', () => roc([], []), 'at least one example'],
    ['unequal lengths', () => roc([1, 2], [true]), 'an answer for each example, 2, got 1'],
    ['NaN', () => roc([1, NaN], [true, false]), 'example 1 has the score NaN'],
  ])('refuses %s', (_, run, message) => expect(run).toThrow(message));
});

describe('reliability', () => {
  test('counts, means and shares of each bin; 1 belongs to the last', () => {
    const { bins, error } = reliability([0.05, 0.15, 0.1, 1], [0, 1, 0, 1], 10);
    expect(bins.map(({ count }) => count)).toEqual([1, 2, 1]);
    expect(bins.map(({ stated }) => stated)).toEqual([0.05, 0.125, 1]);
    expect(bins.map(({ observed }) => observed)).toEqual([0, 0.5, 1]);
    expect(error).toBeCloseTo((1 * 0.05 + 2 * 0.375) / 4, 12);
  });

  // E. B. Wilson, J. Am. Stat. Assoc. 22 (1927): the ends p are where |share − p| = 1.96 √(p (1 − p) / n)
  test.each([
    [1, 4],
    [5, 10],
    [30, 40],
  ])('the interval of %i in %i solves Wilson’s equation', (yes, n) => {
    // prettier-ignore
    const positive = Array.from({ length: n }, (_, i) => i < yes);
    const [bin] = reliability(new Float64Array(n).fill(0.5), positive, 1).bins;
    for (const end of [bin!.low, bin!.high])
      expect(Math.abs(yes / n - end)).toBeCloseTo(1.96 * Math.sqrt((end * (1 - end)) / n), 10);
    expect(bin!.low).toBeLessThan(yes / n);
    expect(bin!.high).toBeGreaterThan(yes / n);
  });

  test('an interval of all or none stays within 0 and 1', () => {
    const [none, all] = [0, 1].map((y) => reliability([0.5, 0.5], [y, y], 1).bins[0]!);
    expect([none!.low, all!.high]).toEqual([0, 1]);
    expect(none!.high).toBeCloseTo(1 - all!.low, 12);
  });

  test('who states the frequencies has nearly no error; who is sure and wrong has all of it', () => {
    const p = uniform(1, 20_000);
    const y = uniform(2, 20_000).map((u, n) => u < p[n]!);
    expect(reliability(p, y).error).toBeLessThan(0.03); // each bin's standard error is at most 0.5 / √2000 = 0.011
    expect(reliability([1, 1], [0, 0]).error).toBe(1);
  });

  test.each([
    ['a probability above 1', () => reliability([1.1], [1]), 'probabilities[0] is 1.1'],
    ['half a bin', () => reliability([0.1], [1], 0.5), 'bins must be an integer ≥ 1'],
    ['nothing', () => reliability([], []), 'at least one example'],
  ])('refuses %s', (_, run, message) => expect(run).toThrow(message));
});
