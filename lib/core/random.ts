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
import { sizeOf } from './tensor';

/** An `Rng` that can tell which stream it is. */
export interface KeyedRng extends Rng {
  readonly key: string;
  fork(label: string): KeyedRng;
}

/**
 * The stream of a seed: same seed, same numbers, on every machine.
 * @param seed a number, or the `key` of another stream, which starts that stream from its beginning
 * @example
 * createRng(7).uniform([2]) // → [0.164, 0.009]
 * createRng(7).fork('noise').key // → '7/noise'
 */
export function createRng(seed: number | string): KeyedRng {
  if (typeof seed === 'number' && !Number.isFinite(seed))
    throw new Error(`createRng: seed must be a finite number or a string, got ${seed}`);
  const key = String(seed);
  const state = sfc32(key);
  return {
    key,
    fork: (label) => createRng(`${key}/${checkedLabel(label)}`),
    normal: (shape) => tf.tensor(normals(checkedSize(shape), state), [...shape], 'float32'),
    uniform: (shape) => tf.tensor(uniforms(checkedSize(shape), state), [...shape], 'float32'),
  };
}

/**
 * 0, 1, …, n − 1 in uniformly random order (Fisher–Yates; Knuth, The Art of Computer Programming, 3.4.2 P).
 * @example [...permutation(5, createRng(1))].sort() // → [0, 1, 2, 3, 4]
 */
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
 * @example categorical(tf.tensor2d([[0, -Infinity], [-Infinity, 0]]), createRng(1)) // → [0, 1]
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

function checkedSize(shape: readonly number[]): number {
  if (!shape.every((n) => Number.isInteger(n) && n >= 0))
    throw new Error(`rng: shape must hold integers ≥ 0, got [${shape.join(', ')}]`);
  return sizeOf(shape);
}

/** 24 random bits a number, so that every value is exact in float32 and 1 never occurs. */
function uniforms(count: number, state: Int32Array): Float32Array {
  const bits = randomBits(count, state);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = (bits[i]! >>> 8) * 2 ** -24;
  return out;
}

/**
 * Box and Muller (1958): two normals from two uniforms, √(−2 ln u) times the cosine and the sine of 2π v, with
 * u ∈ (0, 1], which keeps the logarithm finite.
 *
 * The first 8 bits look the functions up in tables, and Taylor's series do the rest, to float64's precision: a
 * training step of a diffusion or an energy-based model draws so much noise that Math.log, cos and sin, at four
 * times the cost, would show.
 */
function normals(count: number, state: Int32Array): Float32Array {
  const bits = randomBits(count + (count % 2), state);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    // u = (bits + 1) 2⁻³² = m 2^(−9 − zeros), with m in [256, 512]
    const zeros = Math.clz32(bits[i]!);
    const m = (bits[i]! + 1) * SCALE[zeros]!;
    const step = Math.trunc(m) - 256;
    const r = m * RECIPROCAL[step]! - 1; // in [0, 1/256)
    const tail = r * (2 - r * (1 - r * (2 / 3 - r * (1 / 2 - r * (2 / 5 - r * (1 / 3)))))); // 2 ln(1 + r)
    const radius = Math.sqrt(zeros * (2 * Math.LN2) + MINUS_2_LN[step]! - tail);

    const turn = bits[i + 1]! >>> 24;
    const t = (bits[i + 1]! & 0xffffff) * (2 * Math.PI * 2 ** -32); // in [0, 2π/256)
    const t2 = t * t;
    const sine = t * (1 - t2 * (1 / 6 - t2 * (1 / 120 - t2 * (1 / 5040))));
    const cosine = 1 - t2 * (1 / 2 - t2 * (1 / 24 - t2 * (1 / 720)));
    out[i] = radius * (COSINE[turn]! * cosine - SINE[turn]! * sine);
    if (i + 1 < count) out[i + 1] = radius * (SINE[turn]! * cosine + COSINE[turn]! * sine);
  }
  return out;
}

const table = (size: number, f: (i: number) => number): Float64Array =>
  Float64Array.from({ length: size }, (_, i) => f(i));
const SCALE = table(33, (zeros) => 2 ** (zeros - 23));
const RECIPROCAL = table(257, (i) => 1 / (256 + i));
const MINUS_2_LN = table(257, (i) => -2 * Math.log((256 + i) / 512));
const COSINE = table(256, (i) => Math.cos((2 * Math.PI * i) / 256));
const SINE = table(256, (i) => Math.sin((2 * Math.PI * i) / 256));

/** The state of sfc32, Small Fast Counting generator, 32 bits (Doty-Humphrey, PractRand, 2010), from the key's SHA-256. */
function sfc32(key: string): Int32Array {
  const digest = createHash('sha256').update(key).digest();
  return Int32Array.of(digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8), 1);
}

/** The generator's next numbers. Its state is in local variables meanwhile, where it is five times as fast. */
function randomBits(count: number, state: Int32Array): Uint32Array {
  const out = new Uint32Array(count);
  let [a, b, c, counter] = state as unknown as [number, number, number, number];
  for (let i = 0; i < count; i++) {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    out[i] = sum;
  }
  state.set([a, b, c, counter]);
  return out;
}
