import { barsAndStripes, createRng, letterPictures, load } from 'dgm';
import { expect, test } from 'vitest';
import { enumerate, expectClose, mean, read } from '../../helpers';
import * as tf from '@tensorflow/tfjs';

test('letters are made as the digits are: integers 0 … 16, about as much ink, other pictures by another seed', () => {
  const letters = letterPictures(200, createRng(1));
  const values = read(letters.clone());
  expect(values.every((v) => Number.isInteger(v) && v >= 0 && v <= 16)).toBe(true);
  const digits = read(load('digits').train.x.slice([0, 0], [200, 64]));
  expect(mean(values) / mean(digits)).toBeGreaterThan(0.7);
  expect(mean(values) / mean(digits)).toBeLessThan(1.4);
  expect(read(letterPictures(5, createRng(1)))).toEqual(values.slice(0, 5 * 64));
  expect(read(letterPictures(5, createRng(2)))).not.toEqual(values.slice(0, 5 * 64));
  expect(() => letterPictures(0, createRng(1))).toThrow('count must be an integer ≥ 1');
});

test.each([2, 3, 4])('bars and stripes of %i rows: each picture once, and nothing else', (size) => {
  const source = barsAndStripes(size);
  const count = 2 ** (size + 1) - 2;
  expectClose([source.entropy], [Math.log(count)], { absolute: 1e-6 });
  const world = enumerate([0, 1], size * size);
  const p = read(source.logProb(tf.tensor(world.flat(), [world.length, size, size]))).map(Math.exp);
  const likely = world.filter((_, i) => p[i]! > 0);
  expect(likely.length).toBe(count);
  const isUniform = (lines: number[][]) => lines.every((line) => new Set(line).size === 1);
  for (const x of likely) {
    const rows = Array.from({ length: size }, (_, r) => x.slice(r * size, (r + 1) * size));
    const columns = rows.map((_, column) => rows.map((row) => row[column]!));
    expect(isUniform(rows) || isUniform(columns)).toBe(true);
  }
  expect(() => barsAndStripes(5)).toThrow('size must be 2, 3 or 4, got 5');
});
