/** Step 2 of models of a field v(z, t): networks of rows that are told a time. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { gelu, mlp } from '../networks/dense';
import { conditionedStack, noiseLevel } from './denoisers';

/** A network of points, and of how far each has come. */
export interface TimedNetwork {
  readonly variables: readonly tf.Variable[];
  /** z [N, D], and numbers told [N, times], each about 0 to 1 → [N, D] */
  apply(z: tf.Tensor, told: tf.Tensor, noise?: Rng): tf.Tensor;
}

export interface TimedOptions {
  readonly D: number;
  /** Of a picture, whose pixels the D numbers are; 0: they are no picture. */
  readonly columns: number;
  /** Widths of the dense layers, where there is no picture. */
  readonly hidden: readonly number[];
  /** Of the residual convolutions over a picture. */
  readonly channels: number;
  readonly blocks: number;
  readonly dropout: number;
}

/** How many numbers are told. Default: 1, the time. */
export function timedNetwork(options: TimedOptions, rng: Rng, times = 1): TimedNetwork {
  return options.columns === 0 ? timedDense(options, rng, times) : timedPictures(options, rng, times);
}

/** Dense layers over z and waves of what is told. */
function timedDense({ D, hidden }: TimedOptions, rng: Rng, times: number): TimedNetwork {
  const network = mlp([D + 2 * WAVES * times, ...hidden, D], rng, { activation: gelu });
  return {
    variables: network.variables,
    apply: (z, told, noise) => tf.tidy(() => network.apply(tf.concat([z, waves(told)], 1), noise)),
  };
}

/** sin and cos of k π/2 times each number, k = 1 … WAVES: [N, times] → [N, 2 · WAVES · times] */
function waves(told: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const angles = told.expandDims(2).mul(tf.range(1, WAVES + 1).mul(Math.PI / 2)); // [N, times, WAVES]
    return tf.concat([angles.sin(), angles.cos()], 2).reshape([told.shape[0]!, 2 * WAVES * told.shape[1]!]);
  });
}

const WAVES = 4;

function timedPictures(options: TimedOptions, rng: Rng, times: number): TimedNetwork {
  const { D, columns: width, channels } = options;
  if (times !== 1) throw new Error(`timedNetwork: a network of pictures is told one time, got ${times}`);
  if (D % width !== 0) throw new Error(`timedNetwork: ${D} pixels do not fill rows of ${width} columns`);
  const told = noiseLevel({ lowest: 0, highest: 1, width: channels, classes: 0 }, rng.fork('told'));
  const stack = conditionedStack(
    { ...options, height: D / width, width, inputs: 1, outputs: 1, facts: channels },
    rng.fork('network'),
  );
  return {
    variables: [...told.variables, ...stack.variables],
    apply: (z, t, noise) =>
      tf.tidy(() =>
        stack.apply(z.reshape([-1, D / width, width, 1]), told.apply(t.squeeze([1])), noise).reshape([-1, D]),
      ),
  };
}
