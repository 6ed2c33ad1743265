/**
 * Step 2 for pictures: networks over pixels in reading order, row by row, that never look ahead.
 *
 * Pixel (i, j) comes after the rows above it and after what is left of it in its own row. A stack maps
 * [B, H, W, inputs] to [B, H, W, channels], and its output at a pixel depends on the pixels before it alone.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { gate, gelu, linear, randomWeight, uniformWeight, type Network } from './dense';

export interface PixelStackOptions {
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
  readonly channels: number;
  /** Rows and columns of a window: odd. */
  readonly kernel: number;
  readonly blocks: number;
}

/**
 * h ← h + W gelu(masked convolution of gelu h), for each block, after a first convolution whose mask hides the pixel
 * itself. As simple as it is, it has a blind spot: a window of k × k leads upwards, left and right, but at most one
 * column to the right for every row, so a wedge of pixels, above and to the right, is out of reach.
 * Reference: van den Oord, Kalchbrenner and Kavukcuoglu, Pixel recurrent neural networks (2016), section 3.4.
 */
export function maskedPixelStack(options: PixelStackOptions, rng: Rng): Network {
  const { height, width, inputs, channels, kernel } = options;
  const first = maskedConv2d({ inputs, outputs: channels, kernel, mask: 'A' }, rng.fork('first'));
  const positions = randomWeight([height, width, channels], rng.fork('positions'), { scale: 0.1 });
  const blocks = Array.from({ length: options.blocks }, (_, i) => {
    const stream = rng.fork(`block ${i}`);
    const look = maskedConv2d({ inputs: channels, outputs: channels, kernel, mask: 'B' }, stream.fork('look'));
    return { look, mix: linear(channels, channels, stream.fork('mix')) };
  });
  return {
    variables: [...first.variables, positions, ...blocks.flatMap(({ look, mix }) => [...look.variables, ...mix.variables])],
    apply: (x) =>
      tf.tidy(() => {
        const start = first.apply(x).add(positions);
        return blocks.reduce((h, { look, mix }) => h.add(mix.apply(gelu(look.apply(gelu(h))))), start);
      }),
  }; // prettier-ignore
}

/**
 * Two stacks: v sees the rows above, over all columns within reach; h sees v and what is left of the pixel.
 *   a = conv v,  v ← v + gate(a);   b = conv h + U a,  h ← h + W gate(b).
 * No window has to be masked, for v starts from the picture moved down by one row and h from the one moved right by one
 * column; and there is no blind spot, since v's windows are as wide to the right as to the left.
 * Reference: van den Oord et al., Conditional image generation with PixelCNN decoders (2016), sections 2.1 and 2.2.
 */
export function gatedPixelStack(options: PixelStackOptions, rng: Rng): Network {
  const { height, width, inputs, channels, kernel } = options;
  requireOdd('gatedPixelStack', kernel);
  const reach = (kernel - 1) / 2;
  const above = { rows: reach + 1, columns: kernel, left: reach };
  const before = { rows: 1, columns: reach + 1, left: reach };
  const firstV = windowConv2d({ ...above, inputs, outputs: channels }, rng.fork('first rows'));
  const firstH = windowConv2d({ ...before, inputs, outputs: channels }, rng.fork('first columns'));
  const positions = randomWeight([2, height, width, channels], rng.fork('positions'), { scale: 0.1 });
  const blocks = Array.from({ length: options.blocks }, (_, i) => {
    const stream = rng.fork(`block ${i}`);
    return {
      rows: windowConv2d({ ...above, inputs: channels, outputs: 2 * channels }, stream.fork('rows')),
      columns: windowConv2d({ ...before, inputs: channels, outputs: 2 * channels }, stream.fork('columns')),
      across: linear(2 * channels, 2 * channels, stream.fork('across')),
      mix: linear(channels, channels, stream.fork('mix')),
    };
  });
  const parts = [firstV, firstH, ...blocks.flatMap(({ rows, columns, across, mix }) => [rows, columns, across, mix])];
  return {
    variables: [...parts.flatMap(({ variables }) => variables), positions],
    apply: (x) =>
      tf.tidy(() => {
        const [atV, atH] = positions.unstack() as [tf.Tensor, tf.Tensor];
        let v = firstV.apply(moved(x, 1, 0)).add(atV);
        let h = firstH.apply(moved(x, 0, 1)).add(atH);
        for (const { rows, columns, across, mix } of blocks) {
          const a = rows.apply(v);
          const b = columns.apply(h).add(across.apply(a));
          v = v.add(gate(a));
          h = h.add(mix.apply(gate(b)));
        }
        return h;
      }),
  };
}

// Convolution

export interface MaskedConvOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Rows and columns of the window, odd. */
  readonly kernel: number;
  /** 'A' hides the pixel itself, as the first layer must; 'B' shows it, as later layers may, whose pixel has seen none. */
  readonly mask: 'A' | 'B';
}

/**
 * A convolution whose window sees the rows above, and of its own row what is left of the pixel (and the pixel, mask B):
 * [B, H, W, inputs] → [B, H, W, outputs]. Rows below the pixel, which a mask would hide as well, are not there at all.
 */
export function maskedConv2d({ inputs, outputs, kernel, mask }: MaskedConvOptions, rng: Rng): Network {
  requireOdd('maskedConv2d', kernel);
  const reach = (kernel - 1) / 2;
  const seen = (row: number, column: number) => row < reach || column < reach || (column === reach && mask === 'B');
  const window = Array.from({ length: (reach + 1) * kernel }, (_, i) => seen(Math.floor(i / kernel), i % kernel));
  const options = { inputs, outputs, rows: reach + 1, columns: kernel, left: reach };
  return windowConv2d({ ...options, window: window.map(Number) }, rng);
}

interface WindowOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Of the window, whose last row is the pixel's own. */
  readonly rows: number;
  readonly columns: number;
  /** Columns left of the pixel's. */
  readonly left: number;
  /** 1 for each of rows · columns that counts, 0 for one that does not. Default: all count. */
  readonly window?: readonly number[];
}

/** y_ij = b + Σ_rc x_{i − rows + 1 + r, j − left + c} W_rc, with zeros around the picture. */
function windowConv2d({ inputs, outputs, rows, columns, left, window }: WindowOptions, rng: Rng): Network {
  const counted = window ? window.reduce((sum, one) => sum + one, 0) : rows * columns;
  const bound = 1 / Math.sqrt(inputs * Math.max(1, counted));
  const w = uniformWeight([rows, columns, inputs, outputs], bound, rng.fork('weight'));
  const b = uniformWeight([outputs], bound, rng.fork('bias'));
  return {
    variables: [w, b],
    apply: (x) =>
      tf.tidy(() => {
        const padded = x.pad([[0, 0], [rows - 1, 0], [left, columns - 1 - left], [0, 0]]) as tf.Tensor4D; // prettier-ignore
        const kernel = window ? w.mul(tf.tensor4d([...window], [rows, columns, 1, 1])) : w;
        return tf.conv2d(padded, kernel as tf.Tensor4D, 1, 'valid').add(b);
      }),
  };
}

/** The picture moved down and to the right, with zeros where it came from: [B, H, W, C] → the same. */
function moved(x: tf.Tensor, down: number, right: number): tf.Tensor {
  const [B, H, W, C] = x.shape as [number, number, number, number];
  return x.slice([0, 0, 0, 0], [B, H - down, W - right, C]).pad([[0, 0], [down, 0], [right, 0], [0, 0]]); // prettier-ignore
}

function requireOdd(what: string, kernel: number): void {
  if (kernel % 2 !== 1) throw new Error(`${what}: kernel must be odd, so that it has a centre; got ${kernel}`);
}
