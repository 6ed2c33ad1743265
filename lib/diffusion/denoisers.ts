/** Step 2 of diffusion models: residual convolutions that are told how much noise there is, and which class. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { conv2d, positions } from '../networks/convolutions';
import { dropout, gelu, layerNorm, linear, mlp, randomWeight, sequential, type Network } from '../networks/dense';

/** A network of pictures and of what each of them is to be told. */
export interface ConditionedNetwork {
  readonly variables: readonly tf.Variable[];
  /** [B, H, W, inputs], and `told` [B, facts] → [B, H, W, outputs] */
  apply(x: tf.Tensor, told: tf.Tensor, noise?: Rng): tf.Tensor;
}

export interface ConditionedOptions {
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly channels: number;
  readonly blocks: number;
  /** Numbers that each picture is told; 0: none. */
  readonly facts: number;
  readonly dropout: number;
}

/** h ← h + conv(gelu(conv(gelu h) + told V)) for each block: as `residualStack`, with an offset made of what is told. */
export function conditionedStack(options: ConditionedOptions, rng: Rng): ConditionedNetwork {
  const { height, width, inputs, outputs, channels, blocks, facts } = options;
  const enter = sequential(
    conv2d({ inputs, outputs: channels }, rng.fork('enter')),
    positions([height, width, channels], rng.fork('positions')),
  );
  const stack = Array.from({ length: blocks }, (_, i) => conditionedBlock(options, rng.fork(`block ${i}`)));
  const leave = sequential(
    layerNorm(channels),
    gelu,
    linear(channels, outputs, rng.fork('last')),
    positions([height, width, outputs], rng.fork('pixels')),
  );
  return {
    variables: [...enter.variables, ...stack.flatMap(({ variables }) => variables), ...leave.variables],
    apply: (x, told, noise) =>
      tf.tidy(() => {
        if (facts > 0 && told.shape[1] !== facts)
          throw new Error(`conditionedStack: told must be [B, ${facts}], got [${told.shape.join(', ')}]`);
        const h = stack.reduce((h, block, i) => block.apply(h, told, noise?.fork(`block ${i}`)), enter.apply(x));
        return leave.apply(h);
      }),
  };
}

function conditionedBlock({ channels, facts, dropout: rate }: ConditionedOptions, rng: Rng): ConditionedNetwork {
  const size = { inputs: channels, outputs: channels };
  const [first, second] = [conv2d(size, rng.fork('first')), conv2d(size, rng.fork('second'))];
  const offset = facts > 0 ? linear(facts, channels, rng.fork('told')) : undefined;
  const drop = dropout(rate);
  return {
    variables: [...first.variables, ...second.variables, ...(offset?.variables ?? [])],
    apply(x, told, noise) {
      const h = first.apply(gelu(x));
      const moved = offset ? h.add(offset.apply(told).reshape([-1, 1, 1, channels])) : h;
      return x.add(second.apply(drop.apply(gelu(moved), noise)));
    },
  };
}

export interface NoiseLevelOptions {
  readonly lowest: number;
  readonly highest: number;
  readonly width: number;
  /** C: each of the classes 0 … C − 1, and C for "any", has a row of its own; 0: there are no classes. */
  readonly classes: number;
}

/** What a denoiser is told. */
export interface Told {
  readonly variables: readonly tf.Variable[];
  /** γ [B], and classes, int32 [B] of 0 … C → [B, width] */
  apply(gamma: tf.Tensor, y?: tf.Tensor): tf.Tensor;
}

/** Waves of γ, through two dense layers, to which the class's row is added. */
export function noiseLevel({ lowest, highest, width, classes }: NoiseLevelOptions, rng: Rng): Told {
  const layers: Network = mlp([2 * WAVES, width, width], rng.fork('layers'), { activation: gelu, last: gelu });
  const rows = classes > 0 ? randomWeight([classes + 1, width], rng.fork('classes'), { scale: 0.5 }) : undefined;
  return {
    variables: [...layers.variables, ...(rows ? [rows] : [])],
    apply: (gamma, y) =>
      tf.tidy(() => {
        const u = gamma.sub(lowest).div(highest - lowest); // in [0, 1]
        const angles = u.expandDims(1).mul(tf.range(1, WAVES + 1).mul(Math.PI / 2)); // [B, WAVES]
        const told = layers.apply(tf.concat([angles.sin(), angles.cos()], 1));
        if (!rows) return told;
        if (!y) throw new Error('noiseLevel: the network has classes, so y must say which, or C for any');
        return told.add(tf.gather(rows, y.toInt() as tf.Tensor1D));
      }),
  };
}

const WAVES = 6;
