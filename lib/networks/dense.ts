/**
 * Step 2 of a family: the weights, and the networks h that turn inputs into parameters.
 *
 * A network is a function with weights of its own. Every layer starts as PyTorch's layer of that name does, so that
 * published settings carry over: weights and biases U(−1/√n, 1/√n), with n the inputs of one unit.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';

export interface Network {
  readonly variables: readonly tf.Variable[];
  /**
   * Mostly [..., inputs] → [..., outputs]; each network says its own.
   * @param noise for what is random in training alone, as dropout; without it there is no such noise
   */
  apply(x: tf.Tensor, noise?: Rng): tf.Tensor;
}

/** Element by element, without weights. */
export type Activation = (x: tf.Tensor) => tf.Tensor;

// Weights

/** A trainable variable with the given start values, which are disposed. */
export function weight(start: tf.Tensor): tf.Variable {
  const variable = tf.variable(start, true);
  start.dispose();
  return variable;
}

/** A trainable variable filled with N(mean, scale²) draws. */
export function randomWeight(
  shape: readonly number[],
  rng: Rng,
  { mean = 0, scale = 1 }: { readonly mean?: number; readonly scale?: number } = {},
): tf.Variable {
  return weight(tf.tidy(() => rng.normal(shape).mul(scale).add(mean)));
}

/** A trainable variable filled with U[−bound, bound) draws. */
export function uniformWeight(shape: readonly number[], bound: number, rng: Rng): tf.Variable {
  return weight(tf.tidy(() => rng.uniform(shape).mul(2).sub(1).mul(bound)));
}

/**
 * A trainable variable filled with one value.
 * @example constantWeight([2], 0.5) // → [0.5, 0.5]
 */
export function constantWeight(shape: readonly number[], value: number): tf.Variable {
  return weight(tf.fill([...shape], value));
}

// Activations

/** x for x > 0, else 0.01 x (Maas, Hannun and Ng, 2013); tfjs' own default slope is 0.2. */
export const leakyRelu: Activation = (x) => tf.leakyRelu(x, 0.01);

/** x Φ(x), with Φ the distribution function of N(0, 1) (Hendrycks and Gimpel, 2016), without approximation. */
export const gelu: Activation = (x) =>
  tf.tidy(() => {
    const cdf = x.mul(Math.SQRT1_2).erf().add(1).mul(0.5);
    return x.mul(cdf);
  });

/** x σ(x), smooth everywhere (Hendrycks and Gimpel, 2016; Ramachandran, Zoph and Le, 2017). */
export const swish: Activation = (x) => tf.tidy(() => x.mul(x.sigmoid()));

/** [..., 2 C] → [..., C]: tanh of one half times σ of the other (van den Oord et al., 2016). */
export const gate: Activation = (x) =>
  tf.tidy(() => {
    const [a, b] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
    return a.tanh().mul(b.sigmoid());
  });

// Composition

/** One after the other. */
export function sequential(...parts: readonly (Network | Activation)[]): Network {
  return {
    variables: parts.flatMap((part) => (typeof part === 'function' ? [] : part.variables)),
    apply: (x, noise) =>
      tf.tidy(() =>
        parts.reduce(
          (h, part, i) => (typeof part === 'function' ? part(h) : part.apply(h, noise?.fork(`part ${i}`))),
          x,
        ),
      ),
  };
}

/**
 * In training, each number is set to 0 with probability `rate`, and else divided by 1 − rate, which keeps its mean
 * (Srivastava et al., 2014); without noise, the identity.
 */
export function dropout(rate: number): Network {
  if (!(rate >= 0 && rate < 1)) throw new Error(`dropout: rate must be from 0 to below 1, got ${rate}`);
  return {
    variables: [],
    apply(x, noise) {
      if (rate === 0 || !noise) return x.clone();
      return tf.tidy(() => x.mul(noise.uniform(x.shape).greaterEqual(rate).toFloat()).div(1 - rate));
    },
  };
}

/** The rows of x [..., I], as a matrix [N, I], through f: [N, I] → [N, O], and back to [..., O]. */
function overRows(x: tf.Tensor, f: (rows: tf.Tensor) => tf.Tensor): tf.Tensor {
  if (x.rank === 2) return f(x);
  const y = f(x.reshape([-1, x.shape.at(-1)!]));
  return y.reshape([...x.shape.slice(0, -1), y.shape[1]!]);
}

// Dense layers

/**
 * x W + b: [..., inputs] → [..., outputs].
 * @example linear(3, 2, createRng(1)).apply(tf.zeros([4, 3])).shape // → [4, 2]
 */
export function linear(inputs: number, outputs: number, rng: Rng): Network {
  const bound = 1 / Math.sqrt(inputs);
  const w = uniformWeight([inputs, outputs], bound, rng.fork('weight'));
  const b = uniformWeight([outputs], bound, rng.fork('bias'));
  return { variables: [w, b], apply: (x) => tf.tidy(() => overRows(x, (rows) => rows.matMul(w).add(b))) };
}

export interface MlpOptions {
  /** After every layer but the last. Default: leaky ReLU. */
  readonly activation?: Activation;
  /** After the last layer. Default: none. */
  readonly last?: Activation;
}

/**
 * A multilayer perceptron: [..., sizes[0]] → [..., sizes.at(-1)].
 * @example
 * const { variables } = mlp([2, 16, 1], createRng(1));
 * variables.map(({ shape }) => shape) // → [[2, 16], [16], [16, 1], [1]]
 */
export function mlp(sizes: readonly number[], rng: Rng, { activation = leakyRelu, last }: MlpOptions = {}): Network {
  const layers = sizes.slice(1).map((outputs, i) => linear(sizes[i]!, outputs, rng.fork(`layer ${i}`)));
  const parts = layers.flatMap((layer, i) => (i < layers.length - 1 ? [layer, activation] : [layer]));
  return sequential(...parts, ...(last ? [last] : []));
}

// Sequences

export interface CausalConvOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Steps that one output sees. */
  readonly kernel: number;
  /** Output t sees x_{<t} rather than x_{≤t}: for the first layer of an autoregressive model. Default: false. */
  readonly strict?: boolean;
}

/**
 * Convolution over time that never looks ahead: [B, T, inputs] → [B, T, outputs].
 * Reference: van den Oord et al., WaveNet (2016), section 2.1.
 */
export function causalConv1d({ inputs, outputs, kernel, strict = false }: CausalConvOptions, rng: Rng): Network {
  const bound = 1 / Math.sqrt(inputs * kernel);
  const w = uniformWeight([kernel, inputs, outputs], bound, rng.fork('weight')) as tf.Variable<tf.Rank.R3>;
  const b = uniformWeight([outputs], bound, rng.fork('bias'));
  return {
    variables: [w, b],
    apply: (x) =>
      tf.tidy(() => {
        const [B, T] = x.shape as [number, number];
        const seen = strict ? x.slice([0, 0, 0], [B, T - 1, inputs]) : x;
        const padded = seen.pad([[0, 0], [strict ? kernel : kernel - 1, 0], [0, 0]]) as tf.Tensor3D; // prettier-ignore
        return tf.conv1d(padded, w, 1, 'valid').add(b);
      }),
  };
}

/** A row of the table for every index: int32 [...] → [..., width]. Start: N(0, 1). */
export function embedding(values: number, width: number, rng: Rng): Network {
  const table = randomWeight([values, width], rng);
  return { variables: [table], apply: (x) => tf.gather(table, x as tf.Tensor1D) };
}

/** Each row to mean 0 and variance 1, then gain and offset: [..., width] → the same (Ba, Kiros and Hinton, 2016). */
export function layerNorm(width: number, { epsilon = 1e-5 }: { readonly epsilon?: number } = {}): Network {
  const gain = constantWeight([width], 1);
  const offset = constantWeight([width], 0);
  return {
    variables: [gain, offset],
    apply: (x) =>
      tf.tidy(() => {
        const centred = x.sub(x.mean(-1, true));
        const variance = centred.square().mean(-1, true);
        return centred.mul(variance.add(epsilon).rsqrt()).mul(gain).add(offset);
      }),
  };
}
