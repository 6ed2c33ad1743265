/** Step 2 of energies of real numbers: smooth networks, since it is their slope that samples follow. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { conv2d } from '../networks/convolutions';
import { dropout, linear, sequential, swish, type Activation, type Network } from '../networks/dense';

export interface EnergyNetworkOptions {
  /** Width of every hidden layer; after the convolutions, where there are some. */
  readonly hidden: readonly number[];
  /** Columns of a picture, seen by convolutions; 0: dense layers alone. */
  readonly columns: number;
  /** Of the first convolution; twice as many of the next. */
  readonly channels: number;
  /** Of the features of every hidden layer, in training. */
  readonly dropout: number;
}

/** Rows [B, D] → [B, outputs]. */
export function energyNetwork(D: number, outputs: number, options: EnergyNetworkOptions, rng: Rng): Network {
  const { hidden, columns, channels, dropout: rate } = options;
  if (columns > 0 && (D % columns !== 0 || columns % 4 !== 0 || (D / columns) % 4 !== 0))
    throw new Error(`energyNetwork: columns must divide a picture of ${D} pixels into sides that are multiples of 4, got ${columns}`); // prettier-ignore
  const pictures = columns > 0 ? convolutions(D / columns, columns, channels, rng.fork('pictures')) : [];
  const features = columns > 0 ? (D / 16) * 2 * channels : D;
  const sizes = [features, ...hidden, outputs];
  const layers = sizes.slice(1).map((width, i) => linear(sizes[i]!, width, rng.fork(`layer ${i}`)));
  const dense = layers.flatMap((layer, i) => (i < hidden.length ? [layer, swish, dropout(rate)] : [layer]));
  return sequential(...pictures, ...dense);
}

/** Two levels, each with half the rows and columns of the one before: [B, D] → [B, D/16 · 2 channels]. */
function convolutions(height: number, columns: number, channels: number, rng: Rng): (Network | Activation)[] {
  const half: Activation = (h) => tf.avgPool(h as tf.Tensor4D, 2, 2, 'valid');
  return [
    (x) => x.reshape([-1, height, columns, 1]),
    conv2d({ inputs: 1, outputs: channels }, rng.fork('enter')),
    swish,
    half,
    conv2d({ inputs: channels, outputs: 2 * channels }, rng.fork('second')),
    swish,
    half,
    (h) => h.reshape([h.shape[0]!, -1]),
  ];
}
