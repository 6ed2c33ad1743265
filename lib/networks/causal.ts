/**
 * Step 2 for sequences: networks over time that never look ahead, and that can be asked for one step at a time.
 *
 * A likelihood needs all steps of a known sequence, in one pass: `apply`. A sampler knows step t only after it has
 * drawn step t − 1: `step` goes on from what the network remembers of the steps before, so that D steps cost about as
 * much as one pass, and not D of them.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { gate, gelu, layerNorm, linear, mlp, sequential, type Activation, type Network } from './dense';

/** [B, T, inputs] → [B, T, outputs], where row t depends on rows ≤ t alone. */
export interface CausalNetwork extends Network {
  /** How many tensors it remembers. */
  readonly memories: number;
  /** Its memory before the first of T steps, for B examples: `memories` tensors [B, ...]. */
  start(B: number, T: number): tf.Tensor[];
  /** Row t of `apply`, x [B, inputs] → [B, outputs], and the memory for row t + 1. @param t int32, a scalar */
  step(x: tf.Tensor, t: tf.Tensor, memory: readonly tf.Tensor[]): Stepped;
}

export interface Stepped {
  readonly y: tf.Tensor;
  readonly memory: readonly tf.Tensor[];
}

// Composition

/** Each row by itself, which needs no memory. */
export function rowwise(part: Network | Activation): CausalNetwork {
  const network = sequential(part);
  return { ...network, memories: 0, start: () => [], step: (x, _, memory) => ({ y: network.apply(x), memory }) };
}

/** One after the other. */
export function causalSequential(...parts: readonly CausalNetwork[]): CausalNetwork {
  const firsts = parts.map((_, i) => parts.slice(0, i).reduce((sum, { memories }) => sum + memories, 0));
  return {
    ...sequential(...parts),
    memories: parts.reduce((sum, { memories }) => sum + memories, 0),
    start: (B, T) => parts.flatMap((part) => part.start(B, T)),
    step: (x, t, memory) =>
      parts.reduce<Stepped>(
        (before, part, i) => {
          const own = memory.slice(firsts[i], firsts[i]! + part.memories);
          const { y, memory: next } = part.step(before.y, t, own);
          return { y, memory: [...before.memory, ...next] };
        },
        { y: x, memory: [] },
      ),
  };
}

/** x + part(x) (He et al., 2016): [..., width] → the same. */
export function causalResidual(part: CausalNetwork): CausalNetwork {
  return {
    ...part,
    apply: (x, noise) => tf.tidy(() => x.add(part.apply(x, noise))),
    step(x, t, memory) {
      const { y, memory: next } = part.step(x, t, memory);
      return { y: x.add(y), memory: next };
    },
  };
}

// Convolution

export interface DilatedConvOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Steps that one output sees, … */
  readonly kernel: number;
  /** … each so many steps before the next. */
  readonly dilation: number;
}

/**
 * y_t = b + Σ_k x_{t − k · dilation} W_k, k = 0 … kernel − 1, with zeros before the start. It remembers the last
 * (kernel − 1) · dilation rows. Reference: van den Oord et al., WaveNet (2016), section 2.1.
 *
 * The taps are laid side by side for one matrix product, since tfjs has no gradient of a dilated convolution.
 */
export function dilatedConv1d({ inputs, outputs, kernel, dilation }: DilatedConvOptions, rng: Rng): CausalNetwork {
  const combine = linear(kernel * inputs, outputs, rng);
  const span = (kernel - 1) * dilation;
  /** Rows [B, span + T, inputs] → [B, T, outputs]. */
  const convolve = (rows: tf.Tensor): tf.Tensor => {
    const [B, T] = [rows.shape[0]!, rows.shape[1]! - span];
    const taps = Array.from({ length: kernel }, (_, k) => rows.slice([0, k * dilation, 0], [B, T, inputs]));
    return combine.apply(tf.concat(taps, 2));
  };
  return {
    variables: combine.variables,
    memories: 1,
    apply: (x) => tf.tidy(() => convolve(x.pad([[0, 0], [span, 0], [0, 0]]))), // prettier-ignore
    start: (B) => [tf.zeros([B, span, inputs])],
    step(x, _, [past]) {
      const rows = tf.concat([past!, x.expandDims(1)], 1); // [B, span + 1, inputs]
      return { y: convolve(rows).squeeze([1]), memory: [rows.slice([0, 1, 0], past!.shape)] };
    },
  };
}

export interface GatedConvolutionsOptions {
  readonly width: number;
  /** Steps that one convolution sees. */
  readonly kernel: number;
  /** One gated block for each: how many steps lie between those that it sees. */
  readonly dilations: readonly number[];
}

/**
 * h ← h + W (tanh a ⊙ σ(b)), with a and b from a dilated convolution of h, for each block (van den Oord et al., WaveNet,
 * 2016): [B, T, width] → the same.
 */
export function gatedConvolutions({ width, kernel, dilations }: GatedConvolutionsOptions, rng: Rng): CausalNetwork {
  const blocks = dilations.map((dilation, i) => {
    const stream = rng.fork(`block ${i}`);
    const options = { inputs: width, outputs: 2 * width, kernel, dilation };
    return causalResidual(
      causalSequential(
        dilatedConv1d(options, stream.fork('convolution')),
        rowwise(gate),
        rowwise(linear(width, width, stream.fork('mix'))),
      ),
    );
  });
  return causalSequential(...blocks);
}

// Attention

/**
 * Masked self-attention with H heads, softmax(q kᵀ / √d + mask) v for each: [B, T, width] → [B, T, width].
 * Step t attends to steps ≤ t, whose k and v it remembers.
 * Reference: Vaswani et al., Attention is all you need (2017), section 3.2.
 */
export function causalAttention(width: number, heads: number, rng: Rng): CausalNetwork {
  if (width % heads !== 0) throw new Error(`causalAttention: width ${width} must be a multiple of heads ${heads}`);
  const d = width / heads;
  const toHeads = linear(width, 3 * width, rng.fork('heads'));
  const toOutput = linear(width, width, rng.fork('output'));
  /** x [B, T, width] → q, k, v [B, H, T, d]. */
  const split = (x: tf.Tensor): [tf.Tensor, tf.Tensor, tf.Tensor] => {
    const [B, T] = x.shape as [number, number];
    const all = toHeads.apply(x).reshape([B, T, 3, heads, d]).transpose([2, 0, 3, 1, 4]); // [3, B, H, T, d]
    return all.unstack() as [tf.Tensor, tf.Tensor, tf.Tensor];
  };
  /** q [B, H, T, d], k and v [B, H, T', d], mask [T, T'] → [B, T, width]. */
  const attend = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor): tf.Tensor => {
    const scores = q.matMul(k, false, true).mul(1 / Math.sqrt(d)); // [B, H, T, T']
    const mixed = tf.softmax(scores.add(mask)).matMul(v); // [B, H, T, d]
    return toOutput.apply(mixed.transpose([0, 2, 1, 3]).reshape([q.shape[0]!, q.shape[2]!, width]));
  };
  return {
    variables: [...toHeads.variables, ...toOutput.variables],
    memories: 2,
    apply: (x) => tf.tidy(() => attend(...split(x), causalMask(x.shape[1]!))),
    start: (B, T) => [tf.zeros([B, heads, T, d]), tf.zeros([B, heads, T, d])],
    step(x, t, [pastK, pastV]) {
      const T = pastK!.shape[2]!;
      const [q, k, v] = split(x.expandDims(1)); // [B, H, 1, d]
      const memory = [appended(pastK!, k), appended(pastV!, v)];
      const known = tf.range(0, T, 1, 'int32').greaterEqual(tf.sub(T - 1, t)); // the last t + 1 of T rows
      const mask = tf.where(known, 0, -Infinity).expandDims(0); // [1, T]
      return { y: attend(q, memory[0]!, memory[1]!, mask).squeeze([1]), memory };
    },
  };
}

/** The last T rows of both: past [B, H, T, d], the oldest first, and the next one [B, H, 1, d] → [B, H, T, d]. */
function appended(past: tf.Tensor, next: tf.Tensor): tf.Tensor {
  const [B, H, T, d] = past.shape as [number, number, number, number];
  return tf.concat([past.slice([0, 0, 1, 0], [B, H, T - 1, d]), next], 2);
}

/** [T, T]: 0 where column ≤ row, else −∞. */
function causalMask(T: number): tf.Tensor {
  const values = Float32Array.from({ length: T * T }, (_, i) => (i % T <= Math.floor(i / T) ? 0 : -Infinity));
  return tf.tensor2d(values, [T, T]);
}

/**
 * One block of a decoder: attention, then an MLP with 4 · width GELU units, each on the normalised input and added
 * to it: [B, T, width] → [B, T, width]. Normalised before rather than after (Xiong et al., 2020).
 */
export function transformerBlock(width: number, heads: number, rng: Rng): CausalNetwork {
  const attention = causalAttention(width, heads, rng.fork('attention'));
  const pointwise = mlp([width, 4 * width, width], rng.fork('mlp'), { activation: gelu });
  return causalSequential(
    causalResidual(causalSequential(rowwise(layerNorm(width)), attention)),
    causalResidual(causalSequential(rowwise(layerNorm(width)), rowwise(pointwise))),
  );
}
