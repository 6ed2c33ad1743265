/**
 * Letters, drawn as the digits of the data set were made: strokes on 32 × 32 pixels, counted in blocks of 4 × 4.
 *
 * They are no data to learn from, but what a model of digits should not take for one. Letters that look like a digit
 * (B, G, I, O, Q, S, Z and some others) are left out. How the digits were made: Alpaydin and Kaynak, Optical
 * recognition of handwritten digits (UCI, 1998).
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Rng } from '../core/model';

type Point = readonly [x: number, y: number];
type Stroke = readonly Point[];

const P: Stroke = [[0, 1], [0, 0], [0.8, 0.05], [1, 0.27], [0.8, 0.5], [0, 0.55]]; // prettier-ignore

/** From left (0) to right (1), from top (0) to bottom (1). */
const LETTERS: readonly (readonly Stroke[])[] = [
  [[[0, 1], [0.5, 0], [1, 1]], [[0.2, 0.65], [0.8, 0.65]]], // A
  [[[0.95, 0.2], [0.6, 0], [0.2, 0.1], [0, 0.5], [0.2, 0.9], [0.6, 1], [0.95, 0.8]]], // C
  [[[1, 0], [0, 0], [0, 1], [1, 1]], [[0, 0.5], [0.8, 0.5]]], // E
  [[[1, 0], [0, 0], [0, 1]], [[0, 0.5], [0.8, 0.5]]], // F
  [[[0, 0], [0, 1]], [[1, 0], [1, 1]], [[0, 0.5], [1, 0.5]]], // H
  [[[0, 0], [0, 1]], [[1, 0], [0, 0.55], [1, 1]]], // K
  [[[0, 0], [0, 1], [1, 1]]], // L
  [[[0, 1], [0, 0], [0.5, 0.6], [1, 0], [1, 1]]], // M
  [[[0, 1], [0, 0], [1, 1], [1, 0]]], // N
  [P], // P
  [P, [[0.4, 0.55], [1, 1]]], // R
  [[[0, 0], [1, 0]], [[0.5, 0], [0.5, 1]]], // T
  [[[0, 0], [0, 0.8], [0.3, 1], [0.7, 1], [1, 0.8], [1, 0]]], // U
  [[[0, 0], [0.5, 1], [1, 0]]], // V
  [[[0, 0], [0.25, 1], [0.5, 0.3], [0.75, 1], [1, 0]]], // W
  [[[0, 0], [1, 1]], [[1, 0], [0, 1]]], // X
  [[[0, 0], [0.5, 0.5], [1, 0]], [[0.5, 0.5], [0.5, 1]]], // Y
]; // prettier-ignore

const SIDE = 32;
const BLOCK = 4;

/**
 * Letters in turn, each with a slant, a size, a place and a width of stroke of its own, as integers 0 … 16: [count, 64]
 * @example letterPictures(3, createRng(1)).shape // → [3, 64]
 */
export function letterPictures(count: number, rng: Rng): tf.Tensor {
  requireCounts('letterPictures', { count });
  return tf.tidy(() => {
    const u = rng.uniform([count, 6]).arraySync() as number[][];
    const pictures = u.map((draws, n) => picture(LETTERS[n % LETTERS.length]!, draws));
    return tf.tensor2d(pictures, [count, (SIDE / BLOCK) ** 2]);
  });
}

/** @param u six draws of U[0, 1) */
function picture(strokes: readonly Stroke[], u: readonly number[]): number[] {
  const between = (i: number, low: number, high: number) => low + (high - low) * u[i]!;
  const [width, height] = [between(0, 13, 20), between(1, 22, 27)];
  const [slant, radius] = [between(2, -4, 4), between(3, 1.7, 2.6)];
  const [left, top] = [(SIDE - width) / 2 + between(4, -2, 2), (SIDE - height) / 2 + between(5, -2, 2)];
  const place = ([x, y]: Point): Point => [left + x * width + slant * (0.5 - y), top + y * height];
  const segments = strokes.flatMap((stroke) => stroke.slice(1).map((end, i) => [place(stroke[i]!), place(end)] as const));
  const counts = new Array<number>((SIDE / BLOCK) ** 2).fill(0);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      if (segments.some(([a, b]) => distance([x + 0.5, y + 0.5], a, b) < radius))
        counts[Math.floor(y / BLOCK) * (SIDE / BLOCK) + Math.floor(x / BLOCK)]!++;
  return counts;
} // prettier-ignore

/** From p to the segment from a to b. */
function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)));
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}
