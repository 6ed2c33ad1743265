/**
 * How noise grows with time: γ(t) = −ln SNR(t) for t from 0 to 1, from `lowest` to `highest`.
 *
 * The continuous bound is an integral over γ, which knows of the schedule's two ends and nothing between; what lies
 * between decides how often each noise level is drawn, and with it the variance of an estimate of that integral.
 * Sources: Kingma et al., Variational diffusion models (2021), sections 3.2, 4.1 and 5; Nichol and Dhariwal, Improved
 * denoising diffusion probabilistic models (2021), for the cosine.
 */
import * as tf from '@tensorflow/tfjs';
import { constantWeight } from '../networks/dense';

export type NoiseScheduleName = 'linear' | 'cosine' | 'learned';

export interface NoiseSchedule {
  readonly variables: readonly tf.Variable[];
  /** γ(t): [...] in [0, 1] → [...] */
  gamma(t: tf.Tensor): tf.Tensor;
  /** dγ/dt, above 0: [...] → [...] */
  slope(t: tf.Tensor): tf.Tensor;
}

export interface NoiseRange {
  /** γ(0): below 0, where there is more signal than noise. */
  readonly lowest: number;
  /** γ(1) */
  readonly highest: number;
}

/**
 * 'linear': γ itself grows evenly. 'cosine': α(t) = cos(π u / 2) with u even, cut off at the two ends. 'learned': γ is
 * linear in each of `PIECES` pieces, whose heights are weights.
 * @example noiseSchedule('linear', { lowest: -6, highest: 6 }).gamma(tf.tensor1d([0, 0.5, 1])) // → [-6, 0, 6]
 */
export function noiseSchedule(name: NoiseScheduleName, range: NoiseRange): NoiseSchedule {
  const { lowest, highest } = range;
  if (!(lowest < highest))
    throw new Error(`noiseSchedule: lowest must be below highest, got ${lowest} and ${highest}; noise grows with time`);
  if (name === 'linear') return linearSchedule(range);
  if (name === 'cosine') return cosineSchedule(range);
  if (name === 'learned') return learnedSchedule(range);
  throw new Error(`noiseSchedule: expected 'linear', 'cosine' or 'learned', got '${String(name)}'`);
}

function linearSchedule({ lowest, highest }: NoiseRange): NoiseSchedule {
  return {
    variables: [],
    gamma: (t) => t.mul(highest - lowest).add(lowest),
    slope: (t) => tf.onesLike(t).mul(highest - lowest),
  };
}

/** γ = 2 ln tan(π u / 2), since tan² is σ²/α². */
function cosineSchedule({ lowest, highest }: NoiseRange): NoiseSchedule {
  const [first, last] = [lowest, highest].map((gamma) => (2 / Math.PI) * Math.atan(Math.exp(gamma / 2))) as [
    number,
    number,
  ];
  const u = (t: tf.Tensor) => t.mul(last - first).add(first);
  return {
    variables: [],
    gamma: (t) => tf.tidy(() => u(t).mul(Math.PI / 2).tan().log().mul(2)), // prettier-ignore
    slope: (t) => tf.tidy(() => u(t).mul(Math.PI).sin().reciprocal().mul(2 * Math.PI * (last - first))), // prettier-ignore
  };
}

const PIECES = 16;

function learnedSchedule({ lowest, highest }: NoiseRange): NoiseSchedule {
  const heights = constantWeight([PIECES], 0);
  const rise = () => tf.softmax(heights).mul(highest - lowest); // of each piece
  return {
    variables: [heights],
    gamma: (t) => tf.tidy(() => passed(t, PIECES).mul(rise()).sum(-1).add(lowest)),
    slope: (t) => tf.tidy(() => within(t, PIECES).mul(rise()).sum(-1).mul(PIECES)),
  };
}

/** How much of each of n equal pieces of [0, 1] lies before t: [...] → [..., n], in [0, 1]. */
function passed(t: tf.Tensor, n: number): tf.Tensor {
  return tf.tidy(() => t.mul(n).expandDims(-1).sub(tf.range(0, n)).clipByValue(0, 1));
}

/** 1 at the piece that t lies in, else 0: [...] → [..., n]. */
export function within(t: tf.Tensor, n: number): tf.Tensor {
  return tf.tidy(() => {
    const piece = t.mul(n).floor().minimum(n - 1); // prettier-ignore
    return piece.expandDims(-1).equal(tf.range(0, n)).toFloat();
  });
}
