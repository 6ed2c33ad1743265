/** Step 2 of hierarchies over pictures: levels of latents on coarse grids, and what each tells the finer ones. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { positions, residualStack } from '../networks/convolutions';
import { dropout, gelu, layerNorm, linear, mlp, sequential, type Network } from '../networks/dense';
import { bottomUp, halves, topDown, type Inference, type Level, type ResidualNetwork } from './hierarchy';
import { convolutionalEncoder, pictureOf, type PictureOptions } from './networks';

/** z of one level: a map of side × side places with so many numbers each; a side of 1 is a plain vector. */
export interface LevelSize {
  readonly side: number;
  readonly channels: number;
}

export interface PictureLevelsOptions extends PictureOptions {
  /** Top first; sides never shrink, and each divides the picture's. */
  readonly levels: readonly LevelSize[];
  /**
   * 'top-down': the guess of a level sees x, the levels above, and their prior. 'bottom-up': the lowest level sees x, each
   * other the one below it alone.
   */
  readonly inference: 'top-down' | 'bottom-up';
  /** What the levels above left behind is passed on beside z; without it, each level sees the one above alone. */
  readonly skip: boolean;
}

const sizeOfLevel = ({ side, channels }: LevelSize) => side * side * channels;

/** The levels, with an encoder and an inference that fit. */
export function pictureLevels(
  options: PictureLevelsOptions,
  rng: Rng,
): { readonly encoder: Network; readonly inference: Inference; readonly levels: readonly Level[] } {
  checkSides(options);
  const sizes = options.levels.map(sizeOfLevel);
  const levels = options.levels.map((_, l) => levelOf(options, l, rng.fork(`level ${l}`)));
  const encoder = (outputs: number) => convolutionalEncoder(options, outputs, rng.fork('encoder'));
  if (options.inference === 'bottom-up') {
    const hidden = UPWARD * options.channels;
    const upward = sizes.slice(1).map((size, l) => mlp([size, hidden, 2 * sizes[l]!], rng.fork(`upward ${l}`), { activation: gelu }));
    return { encoder: encoder(2 * sizes.at(-1)!), inference: bottomUp(upward), levels };
  }
  const ends = sizes.map((_, l) => 2 * sizes.slice(0, l + 1).reduce((sum, size) => sum + size, 0));
  const residuals = sizes.map((size, l) => residualOf(options, l, ends[l]! - 2 * size, rng.fork(`residual ${l}`)));
  return { encoder: encoder(ends.at(-1)!), inference: topDown(residuals), levels };
} // prettier-ignore

const UPWARD = 4; // hidden units of a step upwards, for each channel

function checkSides(options: PictureLevelsOptions): void {
  const { height, width } = pictureOf(options);
  if (options.levels.length === 0) throw new Error('hierarchicalVae: expected at least one level of latents, got none');
  const sides = [...options.levels.map(({ side }) => side), height];
  const fits = sides.every((side, i) => height % side === 0 && (i === 0 || side % sides[i - 1]! === 0));
  if (height !== width || !fits)
    throw new Error(
      `hierarchicalVae: levels must have sides that divide each other and the picture's, coarsest first, got ${options.levels.map(({ side }) => side).join(', ')} for ${height} × ${width} pixels`,
    );
}

/** h, split and laid out: the numbers from `start` on, as a map of the level. */
function residualOf(options: PictureLevelsOptions, l: number, start: number, rng: Rng): ResidualNetwork {
  const { side, channels: c } = options.levels[l]!;
  const n = side * side * c;
  const C = options.channels;
  const own = (h: tf.Tensor) => h.slice([0, start], [-1, 2 * n]);
  const residual = (h: tf.Tensor) => {
    const { mu, logVar } = halves(h);
    return { shift: mu, logScale: logVar };
  };
  if (l === 0) return { variables: [], of: (h) => residual(own(h)) };
  const seen = sequential(layerNorm(C), gelu, linear(C, C, rng.fork('state')));
  const said = linear(2 * c, C, rng.fork('h'));
  const leave = sequential(gelu, linear(C, 2 * c, rng.fork('last')));
  return {
    variables: [...seen.variables, ...said.variables, ...leave.variables],
    of: (h, state) => {
      const mine = own(h).reshape([-1, side, side, 2 * c]);
      const both = leave.apply(seen.apply(state!).add(said.apply(mine))).add(mine); // [B, side, side, 2 c]
      return residual(pairs(both, n));
    },
  };
}

/** [B, side, side, 2 c] → [B, 2 n], the first c of every place before the others. */
function pairs(map: tf.Tensor, n: number): tf.Tensor {
  return tf.concat(tf.split(map, 2, 3).map((half) => half.reshape([-1, n])), 1); // prettier-ignore
}

function levelOf(options: PictureLevelsOptions, l: number, rng: Rng): Level {
  const { channels: C, levels, dropout: rate, skip } = options;
  const { height } = pictureOf(options);
  const { side, channels: c } = levels[l]!;
  const below = levels[l + 1]?.side ?? height;
  const latent = sizeOfLevel(levels[l]!);
  const stack = residualStack({ channels: C, blocks: 1, rate }, rng.fork('stack'));
  if (l === 0) {
    const enter = linear(latent, below * below * C, rng.fork('enter'));
    const places = positions([below, below, C], rng.fork('positions'));
    const network = sequential(enter, (h) => h.reshape([-1, below, below, C]), places, stack);
    return { latent, variables: network.variables, next: (_, z, noise) => network.apply(z, noise) };
  }
  const prior = sequential(layerNorm(C), gelu, dropout(rate), linear(C, 2 * c, rng.fork('prior')));
  const enter = linear(c, C, rng.fork('enter'));
  return {
    latent,
    variables: [...prior.variables, ...enter.variables, ...stack.variables],
    prior: (state) => halves(pairs(prior.apply(state), latent)),
    next(state, z, noise) {
      const own = enter.apply(z.reshape([-1, side, side, c]));
      return enlarged(stack.apply(skip ? state!.add(own) : own, noise), below / side);
    },
  };
}

/** Every place factor² times: [B, H, W, C] → [B, factor H, factor W, C] */
function enlarged(map: tf.Tensor, factor: number): tf.Tensor {
  if (factor === 1) return map;
  const [, H, W, C] = map.shape as [number, number, number, number];
  const wide = tf.tile(map.reshape([-1, W, 1, C]), [1, 1, factor, 1]).reshape([-1, H, 1, W * factor * C]);
  return tf.tile(wide, [1, 1, factor, 1]).reshape([-1, H * factor, W * factor, C]);
}

/** From what the levels left behind to the parameters of every pixel: [B, H, W, channels] → [B, H, W, parameters] */
export function pictureReader(options: PictureOptions, parameters: number, rng: Rng): Network {
  const { channels, blocks, dropout: rate } = options;
  const { height, width } = pictureOf(options);
  return sequential(
    positions([height, width, channels], rng.fork('positions')),
    residualStack({ channels, blocks, rate }, rng.fork('stack')),
    layerNorm(channels),
    gelu,
    dropout(rate),
    linear(channels, parameters, rng.fork('last')),
    positions([height, width, parameters], rng.fork('pixels')),
  );
}
