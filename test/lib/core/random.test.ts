import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs';
import { categorical, createRng, permutation } from 'dgm';
import { describe, expect, test } from 'vitest';
import { chiSquare, constantRng, dot, expectClose, ksBound, ksDistance, mean, normalCdf, read } from '../../helpers';

// Seeds are fixed, so nothing here is flaky: a false-alarm probability says how likely it was that a right
// implementation fails under the seed that happened to be chosen.

describe('streams', () => {
  test('the same key gives the same numbers, another key others', () => {
    const draws = (seed: number | string) => read(createRng(seed).normal([100]));
    expect(draws(7)).toEqual(draws(7));
    expect(draws(7)).toEqual(draws('7'));
    expect(draws(7)).not.toEqual(draws(8));
  });

  test('seed 0 is a seed like any other', () => {
    const draws = (seed: number) => read(createRng(seed).uniform([100]));
    expect(draws(0)).toEqual(draws(0));
    expect(draws(0)).not.toEqual(draws(1));
    expect(draws(0)).not.toEqual(read(createRng(0).fork('a').uniform([100])));
  });

  test('a seed must be finite', () => {
    for (const seed of [NaN, Infinity]) expect(() => createRng(seed)).toThrow(`got ${seed}`);
  });

  test('a fork does not depend on what its parent has drawn', () => {
    const parent = createRng(1);
    const early = read(parent.fork('a').uniform([50]));
    parent.normal([33]).dispose();
    expect(read(parent.fork('a').uniform([50]))).toEqual(early);
  });

  test('a fork does not disturb its parent', () => {
    const [plain, forked] = [createRng(1), createRng(1)];
    forked.fork('a').normal([9]).dispose();
    expect(read(forked.normal([50]))).toEqual(read(plain.normal([50])));
  });

  test('createRng(rng.key) starts the stream anew', () => {
    const rng = createRng(3).fork('train').fork('epoch 2');
    const first = read(rng.normal([20]));
    expect(rng.key).toBe('3/train/epoch 2');
    expect(read(createRng(rng.key).normal([20]))).toEqual(first);
  });

  test('labels are non-empty and without a slash, so that no two paths share a key', () => {
    for (const label of ['', 'a/b']) expect(() => createRng(1).fork(label)).toThrow('rng.fork: label must be');
  });

  test('the bits are those of sfc32, started from the SHA-256 of the key', () => {
    // a second implementation, in exact arithmetic, from PractRand's `sfc32::raw32`
    const digest = createHash('sha256').update('7/a').digest();
    let [a, b, c] = [0, 4, 8].map((at) => BigInt(digest.readUInt32LE(at))) as [bigint, bigint, bigint];
    const word = (x: bigint) => BigInt.asUintN(32, x);
    const expected = Array.from({ length: 100 }, (_, i) => {
      const output = word(a + b + BigInt(i + 1));
      [a, b, c] = [b ^ (b >> 9n), word(c + (c << 3n)), word(word((c << 21n) | (c >> 11n)) + output)];
      return Number(output >> 8n) / 2 ** 24;
    });
    expect(read(createRng(7).fork('a').uniform([100]))).toEqual(expected);
  });

  test('successive draws go on instead of starting again', () => {
    const rng = createRng(1);
    expect(read(rng.uniform([10]))).not.toEqual(read(rng.uniform([10])));
  });

  test('forks are uncorrelated with each other and with their parent', () => {
    // r √n is N(0, 1) for independent streams: |r| ≤ 5 / √n fails with probability 6·10⁻⁷, over 10 pairs 6·10⁻⁶
    const n = 20_000;
    const root = createRng(5);
    const streams = [root, root.fork('a'), root.fork('b'), root.fork('a').fork('a'), createRng(6)];
    const draws = streams.map((rng) => read(rng.normal([n])));
    draws.forEach((a, i) => {
      for (const b of draws.slice(i + 1)) expect(Math.abs(dot(a, b)) / n).toBeLessThan(5 / Math.sqrt(n));
    });
  });
});

describe('shapes', () => {
  test.each([[[]], [[0]], [[1]], [[7]], [[3, 5]], [[2, 0, 4]], [[2, 3, 4]]])('%j', (shape) => {
    for (const draw of [createRng(1).normal(shape), createRng(1).uniform(shape)]) {
      expect(draw.shape).toEqual(shape);
      expect(draw.dtype).toBe('float32');
      expect(read(draw).every(Number.isFinite)).toBe(true);
    }
  });

  test('a size is an integer ≥ 0', () => {
    for (const size of [-1, 1.5, NaN]) expect(() => createRng(1).normal([size])).toThrow(`got [${size}]`);
  });
});

describe('uniform', () => {
  const n = 100_000;
  const draws = read(createRng(11).uniform([n]));

  test('lies in [0, 1), on multiples of 2⁻²⁴', () => {
    expect(draws.every((u) => u >= 0 && u < 1 && Number.isInteger(u * 2 ** 24))).toBe(true);
  });

  test('has the moments 1/(m + 1)', () => {
    // u^m has variance 1/(2m + 1) − 1/(m + 1)²; five standard errors: false alarm 6·10⁻⁷ each
    for (const m of [1, 2, 3, 4]) {
      const error = Math.sqrt((1 / (2 * m + 1) - 1 / (m + 1) ** 2) / n);
      expect(Math.abs(mean(draws.map((u) => u ** m)) - 1 / (m + 1))).toBeLessThan(5 * error);
    }
  });

  test('has the distribution function u', () => {
    expect(ksDistance(draws, (u) => u)).toBeLessThan(ksBound(n));
  });

  test('successive draws are independent', () => {
    const centred = draws.map((u) => Math.sqrt(12) * (u - 0.5));
    for (const lag of [1, 2, 3]) expect(Math.abs(dot(centred.slice(lag), centred)) / n).toBeLessThan(5 / Math.sqrt(n));
  });
});

describe('normal', () => {
  const n = 100_000;
  const draws = read(createRng(12).normal([n]));

  test('has the moments 0, 1, 0, 3', () => {
    // z^m has variance E z^2m − (E z^m)²: 1, 2, 15, 96
    const exact = [0, 1, 0, 3];
    const variance = [1, 2, 15, 96];
    exact.forEach((moment, i) => {
      const got = mean(draws.map((z) => z ** (i + 1)));
      expect(Math.abs(got - moment)).toBeLessThan(5 * Math.sqrt(variance[i]! / n));
    });
  });

  test('has the distribution function Φ', () => {
    expect(ksDistance(draws, normalCdf)).toBeLessThan(ksBound(n));
  });

  test('the two numbers of a pair, and their squares, are independent', () => {
    const even = draws.filter((_, i) => i % 2 === 0);
    const odd = draws.filter((_, i) => i % 2 === 1);
    const squares = (values: number[]) => values.map((z) => (z * z - 1) / Math.SQRT2);
    for (const [a, b] of [
      [even, odd],
      [squares(even), squares(odd)],
    ] as const)
      expect(Math.abs(dot(a, b)) / a.length).toBeLessThan(5 / Math.sqrt(a.length));
  });
});

describe('permutation', () => {
  test('holds every index once', () => {
    for (const n of [0, 1, 2, 17]) {
      const order = permutation(n, createRng(n));
      expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    }
  });

  test('all 4! orders are equally likely', () => {
    const runs = 12_000;
    const counts = new Map<string, number>();
    const rng = createRng(13);
    for (let i = 0; i < runs; i++) {
      const key = permutation(4, rng).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const { statistic, bound } = chiSquare([...counts.values()], Array<number>(24).fill(runs / 24));
    expect(statistic).toBeLessThan(bound);
  });
});

describe('categorical', () => {
  const draw = (logits: readonly number[], n: number, seed: number) =>
    read(tf.tidy(() => categorical(tf.tile(tf.tensor2d([[...logits]]), [n, 1]), createRng(seed))));

  test.each([[[0, 0, 0]], [[Math.log(0.7), Math.log(0.2), Math.log(0.1)]], [[3, -2, 0, 1]], [[100, 101, 99]]])(
    'frequencies follow softmax(%j)',
    (logits) => {
      const n = 20_000;
      const counts = logits.map(() => 0);
      for (const k of draw(logits, n, 14)) counts[k]!++;
      const top = Math.max(...logits);
      const weights = logits.map((l) => Math.exp(l - top));
      const total = weights.reduce((a, b) => a + b);
      const { statistic, bound } = chiSquare(
        counts,
        weights.map((w) => (n * w) / total),
      );
      expect(statistic).toBeLessThan(bound);
    },
  );

  test('what has probability 0 is never drawn', () => {
    for (const none of [-1e9, -Infinity]) {
      expect(new Set(draw([none, 0, none], 5000, 15))).toEqual(new Set([1]));
    }
  });

  test('not even at the ends of the uniform range', () => {
    for (const u of [0, 2 ** -24, 1 - 2 ** -23, 1 - 2 ** -24])
      for (const none of [-1e9, -Infinity]) {
        const drawn = read(
          categorical(
            tf.tensor2d([
              [none, 0],
              [0, none],
            ]),
            constantRng(u),
          ),
        );
        expect(drawn).toEqual([1, 0]);
      }
  });

  test('keeps every axis but the last, and draws integers', () => {
    const drawn = categorical(tf.zeros([2, 3, 4]), createRng(1));
    expect(drawn.shape).toEqual([2, 3]);
    expect(drawn.dtype).toBe('int32');
    expectClose(read(categorical(tf.zeros([5, 1]), createRng(1))), [0, 0, 0, 0, 0], {});
  });
});
