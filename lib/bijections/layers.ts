/**
 * Invertible maps of ℝ^D whose log-determinant has a closed form: the layers of flows.
 *
 * A bijection takes data x [B, D] to latents z [B, D] and back. Its log-determinant ln |det ∂z/∂x| is one number for
 * each example, [B]: summed over the coordinates, never averaged. No branch looks at the data, so that all of it
 * compiles. What rests on a theorem about determinants is in matrix.ts.
 * Sources: Papamakarios et al., Normalizing Flows for Probabilistic Modeling and Inference (2021); Tomczak, Deep
 * Generative Modeling (2024), chapter 4.
 */
import * as tf from '@tensorflow/tfjs';
import { logLogistic, logNormal } from '../core/distributions';
import type { Bijection, Latent, Rng } from '../core/model';
import { constantWeight, gelu, mlp, type Network } from '../networks/dense';
import { sumEvent } from '../core/tensor';
import { noChange, type Transform } from './scalar';

/** One after the other towards the latents, and back in the opposite order. */
export function chain(...parts: readonly Bijection[]): Bijection {
  return {
    variables: parts.flatMap(({ variables }) => variables),
    toLatent: (x) =>
      tf.tidy(() => {
        let latent: Latent = { z: x.clone(), logDet: noChange(x) };
        for (const part of parts) {
          const { z, logDet } = part.toLatent(latent.z);
          latent = { z, logDet: latent.logDet.add(logDet) };
        }
        return latent;
      }),
    toData: (z) => tf.tidy(() => parts.reduceRight((x, part) => part.toData(x), z.clone())),
  };
}

// Without weights

/** z = (x − centre) / scale. */
export function standardise(centre: number, scale: number): Bijection {
  return {
    variables: [],
    toLatent: (x) =>
      tf.tidy(() => {
        const z = x.sub(centre).div(scale);
        return { z, logDet: sumEvent(tf.fill(x.shape, -Math.log(scale))) };
      }),
    toData: (z) => tf.tidy(() => z.mul(scale).add(centre)),
  };
}

/** z = ln (u / (1 − u)) with u = (x − low) / (high − low): an open interval onto the line. */
export function logit(low: number, high: number): Bijection {
  const range = high - low;
  return {
    variables: [],
    toLatent: (x) =>
      tf.tidy(() => {
        const u = x
          .sub(low)
          .div(range)
          .clipByValue(EDGE, 1 - EDGE);
        const [a, b] = [u.log(), tf.sub(1, u).log()];
        return { z: a.sub(b), logDet: sumEvent(a.add(b).add(Math.log(range)).neg()) };
      }),
    toData: (z) => tf.tidy(() => z.sigmoid().mul(range).add(low)),
  };
}

const EDGE = 2 ** -20; // at the very ends of the interval the logarithms would be infinite

/**
 * z_i = x_order[i]: the coordinates in another order.
 * @param order [D], each of 0 … D − 1 once
 */
export function permutationOf(order: readonly number[]): Bijection {
  if ([...order].sort((a, b) => a - b).some((d, i) => d !== i))
    throw new Error(`permutationOf: expected each of 0 … ${order.length - 1} once, got ${order.join(', ')}`);
  return {
    variables: [],
    toLatent: (x) => tf.tidy(() => ({ z: x.matMul(columns(order.length, order)), logDet: noChange(x) })),
    toData: (z) => tf.tidy(() => z.matMul(columns(order.length, order), false, true)),
  };
}

/** The coordinates from the last to the first. */
export function reversal(D: number): Bijection {
  return permutationOf(range(D).reverse());
}

// Which coordinates

/** 0, 1, …, n − 1 */
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The coordinates of 0 … D − 1 that are not in the list. */
export function others(D: number, picked: readonly number[]): number[] {
  return range(D).filter((d) => !picked.includes(d));
}

/** The pixels of one colour when a picture is a chessboard; `others` has those of the other colour. */
export function checkerboard(height: number, width: number): number[] {
  return range(height * width).filter((d) => (Math.floor(d / width) + (d % width)) % 2 === 1);
}

/**
 * The pixels of a picture from coarse to fine, in groups: the first has a single pixel, and every scale of √2 adds
 * those that lie between the ones so far, dealt out to as many groups as `parts` says.
 * @returns lists of pixels; together they hold each of 0 … height · width − 1 once
 */
export function coarseToFine(height: number, width: number, parts = 1): number[][] {
  const groups: number[][] = [];
  let rest = range(height * width);
  for (let level = 0; rest.length > 1; level++) {
    const step = 2 ** Math.floor(level / 2); // the rows and columns that are left lie this far apart
    const at = (d: number) => [Math.floor(d / width) / step, (d % width) / step] as const;
    const fine = rest.filter((d) => (level % 2 === 0 ? at(d)[0] + at(d)[1] : at(d)[0]) % 2 === 1);
    const dealt = range(parts).map((part) => fine.filter((_, i) => i % parts === part));
    groups.unshift(...dealt.filter((group) => group.length > 0));
    rest = rest.filter((d) => !fine.includes(d));
  }
  return [rest, ...groups];
}

/** 0/1 columns [D, n]: x · columns picks coordinates, as a matrix product, whose gradient is one as well. */
function columns(D: number, picked: readonly number[]): tf.Tensor2D {
  const values = range(D).map((d) => picked.map((p) => (p === d ? 1 : 0)));
  return tf.tensor2d(values, [D, picked.length]);
}

/** x with other values at the picked coordinates: x [B, D], values [B, n] → [B, D]. */
function replaced(x: tf.Tensor, picked: readonly number[], values: tf.Tensor): tf.Tensor {
  const stays = range(x.shape[1]!).map((d) => (picked.includes(d) ? 0 : 1));
  return x.mul(tf.tensor1d(stays)).add(values.matMul(columns(stays.length, picked), false, true));
}

// With weights

/**
 * A transform of each coordinate by itself, with weights of its own. With `affine` this is activation normalisation
 * (Kingma and Dhariwal, Glow, 2018), learnt from the start rather than set by a first batch; with `linearSpline` it is
 * a histogram.
 * @param moved the coordinates it moves; default: all D
 */
export function elementwise(D: number, transform: Transform, moved: readonly number[] = range(D)): Bijection {
  const parameters = constantWeight([1, moved.length, transform.parameters], 0);
  return {
    variables: [parameters],
    toLatent: (x) =>
      tf.tidy(() => {
        const { z, logDet } = transform.toLatent(x.matMul(columns(D, moved)), parameters);
        return { z: replaced(x, moved, z), logDet };
      }),
    toData: (z) => tf.tidy(() => replaced(z, moved, transform.toData(z.matMul(columns(D, moved)), parameters))),
  };
}

export interface CouplingOptions {
  readonly D: number;
  /** What the network sees, and what stays as it is. */
  readonly kept: readonly number[];
  /** What is moved, given what is kept. Coordinates in neither list are neither seen nor moved. */
  readonly moved: readonly number[];
  readonly transform: Transform;
  /** [B, kept] → [B, moved · P] */
  readonly network: Network;
}

/**
 * z_moved = f(x_moved; h(x_kept)), and z = x elsewhere. The Jacobian is triangular up to the order of the coordinates,
 * whatever h is, and on the way back h sees the same numbers (Dinh, Krueger and Bengio, NICE, 2015).
 */
export function coupling({ D, kept, moved, transform, network }: CouplingOptions): Bijection {
  const both = moved.find((d) => kept.includes(d));
  if (both !== undefined)
    throw new Error(`coupling: coordinate ${both} is both kept and moved; what moves must not be seen`);
  const parametersOf = (x: tf.Tensor) =>
    network.apply(x.matMul(columns(D, kept))).reshape([-1, moved.length, transform.parameters]);
  return {
    variables: network.variables,
    toLatent: (x) =>
      tf.tidy(() => {
        const { z, logDet } = transform.toLatent(x.matMul(columns(D, moved)), parametersOf(x));
        return { z: replaced(x, moved, z), logDet };
      }),
    toData: (z) => tf.tidy(() => replaced(z, moved, transform.toData(z.matMul(columns(D, moved)), parametersOf(z)))),
  };
}

/** An MLP whose last layer starts at 0, so that a coupling starts as its transform's straight line. */
export function couplingNetwork(inputs: number, hidden: readonly number[], outputs: number, rng: Rng): Network {
  const network = mlp([inputs, ...hidden, outputs], rng, { activation: gelu });
  for (const variable of network.variables.slice(-2)) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
  return network;
}

// Densities of the latents

export interface Base {
  logProb(z: tf.Tensor): tf.Tensor; // [B, D] → [B]
  sample(shape: readonly number[], rng: Rng): tf.Tensor;
}

const zero = () => tf.scalar(0);

/** Densities of the latents, with independent coordinates: their ln p, z [B, D] → [B], and draws of any shape. */
export const bases = {
  normal: { logProb: (z) => logNormal(z, zero(), zero()), sample: (shape, rng) => rng.normal(shape) },
  /** Heavier tails than a Gaussian, and samples by its distribution function's inverse. */
  logistic: {
    logProb: (z) => logLogistic(z, zero(), zero()),
    sample: (shape, rng) =>
      tf.tidy(() => {
        const u = rng.uniform(shape).maximum(2 ** -25);
        return u.log().sub(tf.sub(1, u).log());
      }),
  },
  /** Of maps onto [0, 1]^D: ln 1. */
  uniform: { logProb: (z) => tf.zeros([z.shape[0]!]), sample: (shape, rng) => rng.uniform(shape) },
} satisfies Record<string, Base>;
