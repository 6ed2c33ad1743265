/** Step 2 of variational autoencoders: encoders from events to h, and networks from latents to what p(x_d | z) needs. */
import type { Rng } from '../core/model';
import { sizeOf } from '../core/tensor';
import { conv2d, positions, residualStack } from '../networks/convolutions';
import { dropout, gelu, layerNorm, linear, sequential, type Activation, type Network } from '../networks/dense';
import { thermometer } from '../sampling/ancestral';

/** What events look like. */
export interface EventOptions {
  readonly eventShape: readonly number[];
  /** Integers 0 … values − 1; null: real numbers. */
  readonly values: number | null;
}

/** Rates of noise in training. */
export interface NoiseRates {
  /** Of hidden features. */
  readonly dropout: number;
  /** Of what the encoder sees. */
  readonly inputDropout: number;
}

// Dense

export interface DenseOptions extends EventOptions, NoiseRates {
  /** Widths of the encoder's hidden layers; the decoder has them in reverse order. */
  readonly hidden: readonly number[];
}

/** x as rows, integers scaled to [−1, 1], through hidden layers with GELUs: [B, ...event] → [B, outputs]. */
export function denseEncoder(options: DenseOptions, outputs: number, rng: Rng): Network {
  const { eventShape, values, hidden } = options;
  const D = sizeOf(eventShape);
  const rows: Activation = (x) => x.reshape([-1, D]);
  const scaled: Activation = values === null ? rows : (x) => rows(x).mul(2 / (values - 1)).sub(1); // prettier-ignore
  const body = hiddenLayers([D, ...hidden], options.dropout, rng);
  const last = linear(hidden.at(-1) ?? D, outputs, rng.fork('last'));
  return sequential(scaled, dropout(options.inputDropout), body, last);
}

export interface DenseDecoderOptions extends DenseOptions {
  readonly latent: number;
  /**
   * r ≥ 1: every coordinate gets r features, from which one table, the same for all of them, makes its parameters, and
   * each adds numbers of its own; 0: each has a row of the last layer to itself. With many values a coordinate the
   * latter is most of the weights, and overfits.
   */
  readonly rank: number;
}

/** z [B, L] → [B, D, parameters] */
export function denseDecoderNetwork(options: DenseDecoderOptions, parameters: number, rng: Rng): Network {
  const { latent, rank, eventShape } = options;
  const D = sizeOf(eventShape);
  const hidden = [...options.hidden].reverse();
  const width = hidden.at(-1) ?? latent;
  const body = hiddenLayers([latent, ...hidden], options.dropout, rng);
  const last = linear(width, D * (rank || parameters), rng.fork('last'));
  const apart: Activation = (h) => h.reshape([-1, D, rank || parameters]);
  if (rank === 0) return sequential(body, last, apart);
  const table = linear(rank, parameters, rng.fork('table'));
  return sequential(body, last, apart, gelu, table, positions([D, parameters], rng.fork('positions')));
}

function hiddenLayers(sizes: readonly number[], rate: number, rng: Rng): Network {
  const layers = sizes.slice(1).map((outputs, i) => linear(sizes[i]!, outputs, rng.fork(`layer ${i}`)));
  return sequential(...layers.flatMap((layer) => [layer, gelu, dropout(rate)]));
}

// Convolutional

export interface PictureOptions extends EventOptions, NoiseRates {
  /** Of the picture, whatever the event's shape. */
  readonly columns: number;
  readonly channels: number;
  /** Residual blocks, of two convolutions each. */
  readonly blocks: number;
}

/** Height, width and channels of the input of a network for pictures. */
export function pictureOf({ eventShape, values, columns }: EventOptions & { readonly columns: number }) {
  const D = sizeOf(eventShape);
  if (D % columns !== 0) throw new Error(`vae: ${D} pixels do not fill rows of ${columns} columns`);
  const [height, width] = [D / columns, columns];
  const codes: Activation = (x) => {
    const picture = x.reshape([-1, height, width]);
    return values === null ? picture.expandDims(3) : thermometer(picture, values);
  };
  return { height, width, inputs: values === null ? 1 : values - 1, codes };
}

/** Grey levels as thermometers, residual convolutions, and a dense layer from all of it: [B, ...event] → [B, outputs]. */
export function convolutionalEncoder(options: PictureOptions, outputs: number, rng: Rng): Network {
  const { channels, blocks } = options;
  const { height, width, inputs, codes } = pictureOf(options);
  return sequential(
    codes,
    dropout(options.inputDropout),
    conv2d({ inputs, outputs: channels }, rng.fork('enter')),
    positions([height, width, channels], rng.fork('positions')),
    residualStack({ channels, blocks, rate: options.dropout }, rng.fork('stack')),
    layerNorm(channels),
    gelu,
    (h) => h.reshape([-1, height * width * channels]),
    dropout(options.dropout),
    linear(height * width * channels, outputs, rng.fork('last')),
  );
}

/** A dense layer from z to all pixels, and residual convolutions: z [B, L] → [B, H, W, channels] */
export function pictureFeatures(options: PictureOptions & { readonly latent: number }, rng: Rng): Network {
  const { channels, blocks, latent } = options;
  const { height, width } = pictureOf(options);
  return sequential(
    linear(latent, height * width * channels, rng.fork('enter')),
    (h) => h.reshape([-1, height, width, channels]),
    positions([height, width, channels], rng.fork('positions')),
    residualStack({ channels, blocks, rate: options.dropout }, rng.fork('stack')),
    layerNorm(channels),
    gelu,
  );
}

/** z [B, L] → [B, H, W, parameters], with numbers of its own for every pixel, since digits do not look the same everywhere. */
export function convolutionalDecoderNetwork(
  options: PictureOptions & { readonly latent: number },
  parameters: number,
  rng: Rng,
): Network {
  const { height, width } = pictureOf(options);
  return sequential(
    pictureFeatures(options, rng),
    dropout(options.dropout),
    linear(options.channels, parameters, rng.fork('last')),
    positions([height, width, parameters], rng.fork('pixels')),
  );
}
