/**
 * Step 2 for pictures that are seen as a whole: convolutions whose windows look in all directions. (For networks that
 * never look ahead: pixels.ts.)
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { dropout, gelu, randomWeight, sequential, uniformWeight, type Network } from './dense';

export interface ConvOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Rows and columns of a window. Default: 3. */
  readonly kernel?: number;
}

/**
 * y_ij = b + Σ_rc x_{i + r, j + c} W_rc over a window around the pixel, with zeros around the picture:
 * [B, H, W, inputs] → [B, H, W, outputs].
 */
export function conv2d({ inputs, outputs, kernel = 3 }: ConvOptions, rng: Rng): Network {
  const bound = 1 / Math.sqrt(inputs * kernel * kernel);
  const w = uniformWeight([kernel, kernel, inputs, outputs], bound, rng.fork('weight')) as tf.Variable<tf.Rank.R4>;
  const b = uniformWeight([outputs], bound, rng.fork('bias'));
  return { variables: [w, b], apply: (x) => tf.tidy(() => tf.conv2d(x as tf.Tensor4D, w, 1, 'same').add(b)) };
}

/** A number of its own for every place of an event, added: [B, ...shape] → the same. Start: N(0, 0.1²). */
export function positions(shape: readonly number[], rng: Rng): Network {
  const table = randomWeight(shape, rng, { scale: 0.1 });
  return { variables: [table], apply: (x) => tf.tidy(() => x.add(table)) };
}

export interface ResidualOptions {
  readonly channels: number;
  readonly blocks: number;
  /** Of a block's features, in training. Default: 0. */
  readonly rate?: number;
}

/**
 * h ← h + conv(gelu(conv(gelu h))) for each block, with windows of 3 × 3 (He et al., Identity mappings in deep residual
 * networks, 2016): [B, H, W, channels] → the same.
 */
export function residualStack({ channels, blocks, rate = 0 }: ResidualOptions, rng: Rng): Network {
  const size = { inputs: channels, outputs: channels };
  const stack = Array.from({ length: blocks }, (_, i) => {
    const [first, second] = [conv2d(size, rng.fork(`block ${i} first`)), conv2d(size, rng.fork(`block ${i} second`))];
    return residual(sequential(gelu, first, gelu, dropout(rate), second));
  });
  return sequential(...stack);
}

/** x + part(x) (He et al., 2016). */
export function residual(part: Network): Network {
  return {
    variables: part.variables,
    apply: (x, noise) => tf.tidy(() => x.add(part.apply(x, noise))),
  };
}
