/**
 * Seeded, forkable randomness.
 *
 * A stream is named by a key such as `7/train/epoch 3`. Its numbers depend on that key alone, so a fork never
 * depends on how much its parent has drawn, and `createRng(rng.key)` starts the same stream anew in another
 * process. tfjs' own seeds are not used: it takes seed 0 for "no seed".
 */
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs';
import type { Rng } from './model';

/** An `Rng` that can tell which stream it is. */
export interface KeyedRng extends Rng {
  readonly key: string;
  fork(label: string): KeyedRng;
}

/**
 * The stream of a seed: same seed, same numbers, on every machine.
 * @param seed a number, or the `key` of another stream, which starts that stream from its beginning
 */
export function createRng(seed: number | string): KeyedRng {
  if (typeof seed === 'number' && !Number.isFinite(seed))
    throw new Error(`createRng: seed must be a finite number or a string, got ${seed}`);
  const key = String(seed);
  const next = sfc32(key);
  return {
    key,
    fork: (label) => createRng(`${key}/${checkedLabel(label)}`),
    normal: (shape) => tf.tensor(fillNormal(new Float32Array(sizeOf(shape)), next), [...shape], 'float32'),
    uniform: (shape) => tf.tensor(fillUniform(new Float32Array(sizeOf(shape)), next), [...shape], 'float32'),
  };
}

/** 0, 1, …, n − 1 in uniformly random order (Fisher–Yates; Knuth, The Art of Computer Programming, 3.4.2 P). */
export function permutation(n: number, rng: Rng): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const draws = rng.uniform([n]);
  const u = draws.dataSync();
  draws.dispose();
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(u[i]! * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/**
 * One draw from each row's categorical distribution by the Gumbel-max trick: argmax_k(logits_k + g_k), with
 * g_k = −ln(−ln u_k) (Gumbel, 1954).
 * @param logits [..., K], unnormalised log-probabilities
 * @returns int32 [...]
 */
export function categorical(logits: tf.Tensor, rng: Rng): tf.Tensor {
  return tf.tidy(() => {
    // u is a multiple of 2⁻²⁴ below 1, and may be 0: then half a step keeps both logarithms finite, so that −∞ never wins.
    // (Half a step on every u would round the largest of them to 1.)
    const u = rng.uniform(logits.shape).maximum(2 ** -25);
    const gumbel = u.log().neg().log().neg();
    return logits.add(gumbel).argMax(-1);
  });
}

function checkedLabel(label: string): string {
  if (label === '' || label.includes('/'))
    throw new Error(`rng.fork: label must be non-empty and without '/', got '${label}'`);
  return label;
}

function sizeOf(shape: readonly number[]): number {
  if (!shape.every((n) => Number.isInteger(n) && n >= 0))
    throw new Error(`rng: shape must hold integers ≥ 0, got [${shape.join(', ')}]`);
  return shape.reduce((size, n) => size * n, 1);
}

/** 24 random bits a number, so that every value is exact in float32 and 1 never occurs. */
function fillUniform(out: Float32Array, next: () => number): Float32Array {
  for (let i = 0; i < out.length; i++) out[i] = (next() >>> 8) * 2 ** -24;
  return out;
}

/** Box and Muller (1958): two normals from two uniforms; u ∈ (0, 1] keeps the logarithm finite. */
function fillNormal(out: Float32Array, next: () => number): Float32Array {
  for (let i = 0; i < out.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log((next() + 1) * 2 ** -32));
    const angle = 2 * Math.PI * next() * 2 ** -32;
    out[i] = radius * Math.cos(angle);
    if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

/** Small Fast Counting generator, 32 bits (Doty-Humphrey, PractRand, 2010), started from the key's SHA-256. */
function sfc32(key: string): () => number {
  const digest = createHash('sha256').update(key).digest();
  let a = digest.readInt32LE(0);
  let b = digest.readInt32LE(4);
  let c = digest.readInt32LE(8);
  let counter = 1;
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
}
