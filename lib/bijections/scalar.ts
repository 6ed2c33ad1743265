/**
 * Increasing functions of one coordinate, for flows. Their parameters come from outside: from weights, or from a
 * network that has seen other coordinates. The log-determinant is the sum of the logarithms of the slopes.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Latent } from '../core/model';
import { sumEvent, withoutGradient } from '../core/tensor';

export interface Transform {
  /** P numbers for each coordinate; with all of them 0, a straight line. */
  readonly parameters: number;
  /** x [B, n], parameters [B, n, P] or [1, n, P] → z [B, n], logDet [B] */
  toLatent(x: tf.Tensor, parameters: tf.Tensor): Latent;
  /** z [B, n] → x [B, n] */
  toData(z: tf.Tensor, parameters: tf.Tensor): tf.Tensor;
}

/** z = x + t (Dinh, Krueger and Bengio, NICE, 2015). */
export const additive: Transform = {
  parameters: 1,
  toLatent: (x, parameters) => tf.tidy(() => ({ z: x.add(parameterAt(parameters, 0)), logDet: noChange(x) })),
  toData: (z, parameters) => tf.tidy(() => z.sub(parameterAt(parameters, 0))),
};

/**
 * z = x e^s + t with |s| < bound, s = bound · tanh(raw / bound) (Dinh, Sohl-Dickstein and Bengio, RealNVP, 2017).
 * Without the bound one large s makes e^s overflow in a single step of training.
 */
export function affine(bound: number): Transform {
  const logScale = (parameters: tf.Tensor) => parameterAt(parameters, 0).div(bound).tanh().mul(bound);
  return {
    parameters: 2,
    toLatent: (x, parameters) =>
      tf.tidy(() => {
        const s = logScale(parameters); // [B or 1, n]
        return { z: x.mul(s.exp()).add(parameterAt(parameters, 1)), logDet: sumEvent(s.add(tf.zerosLike(x))) };
      }),
    toData: (z, parameters) => tf.tidy(() => z.sub(parameterAt(parameters, 1)).mul(logScale(parameters).neg().exp())),
  };
}

/**
 * The distribution function of a histogram, [low, high] → [0, 1]: on each of K equal bins a straight line that rises
 * by p_k, with p = softmax(parameters) (Müller et al., Neural Importance Sampling, 2019, section 4.1).
 * @throws when the bins are no number of things, or the interval has no inside
 */
export function linearSpline(bins: number, low: number, high: number): Transform {
  requireDomain('linearSpline', bins, low, high);
  const width = (high - low) / bins;
  return {
    parameters: bins,
    toLatent: (x, parameters) =>
      tf.tidy(() => {
        const t = x.sub(low).div(width); // [B, n], in bins
        const logP = tf.logSoftmax(parameters); // [B or 1, n, K]
        const filled = t.expandDims(2).sub(tf.range(0, bins)).clipByValue(0, 1); // [B, n, K]: the part below x
        const bin = withoutGradient(t, (v) => oneHotBin(v.floor(), bins));
        const logSlope = bin.mul(logP).sum(2).sub(Math.log(width)); // [B, n]
        return { z: filled.mul(logP.exp()).sum(2), logDet: sumEvent(logSlope) };
      }),
    toData: (z, parameters) =>
      tf.tidy(() => {
        const p = tf.softmax(parameters).maximum(TINY);
        const filled = z.expandDims(2).sub(p.cumsum(2, true)).div(p).clipByValue(0, 1); // [B, n, K]
        return filled.sum(2).mul(width).add(low);
      }),
  };
}

/**
 * A monotone spline of quotients of parabolas, [low, high] → [0, 1], with a continuous slope (Durkan et al., Neural
 * Spline Flows, 2019, after Gregory and Delbourgo, 1982). K bins with learnt widths and heights, none below `LEAST` of
 * the whole, and the slopes at the K + 1 knots.
 * @throws when there are so many bins that the least of them do not fit, as when they are no number of things
 */
export function rationalQuadraticSpline(bins: number, low: number, high: number): Transform {
  requireDomain('rationalQuadraticSpline', bins, low, high);
  if (!(LEAST * bins < 1))
    throw new Error(
      `rationalQuadraticSpline: bins must be below ${1 / LEAST}, as each is at least ${LEAST} of the whole; got ${bins}`,
    );
  const shares = (raw: tf.Tensor) => tf.softmax(raw).mul(1 - LEAST * bins).add(LEAST); // prettier-ignore
  /** In coordinates in which the domain is [0, 1], too: [B or 1, n, K] each. */
  const knots = (parameters: tf.Tensor) => {
    const [widths, heights, raw] = tf.split(parameters, [bins, bins, bins + 1], 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const slopes = tf.softplus(raw.add(Math.log(Math.E - 1))).add(LEAST); // 1 (almost) where raw is 0
    const [w, h] = [shares(widths), shares(heights)];
    const of = (start: number) => slopes.slice([0, 0, start], [-1, -1, bins]);
    return { w, h, x: w.cumsum(2, true), y: h.cumsum(2, true), left: of(0), right: of(1) };
  };
  type Knots = ReturnType<typeof knots>;
  /** The bin's own w, h, x, y, left and right: [B, n] each. */
  const chosen = (all: Knots, bin: tf.Tensor) => {
    const pick = (of: tf.Tensor) => of.mul(bin).sum(2);
    return { w: pick(all.w), h: pick(all.h), x: pick(all.x), y: pick(all.y), left: pick(all.left), right: pick(all.right) }; // prettier-ignore
  };
  /** The bin that starts at the last of `starts` that is not above v: [B, n] and [B or 1, n, K] → [B, n, K] of 0 and 1. */
  const binOf = (v: tf.Tensor, starts: tf.Tensor) =>
    withoutGradient(v.expandDims(2).sub(starts), (gap) => oneHotBin(gap.greaterEqual(0).toFloat().sum(2).sub(1), bins));
  return {
    parameters: 3 * bins + 1,
    toLatent: (x, parameters) =>
      tf.tidy(() => {
        const v = x.sub(low).div(high - low).clipByValue(0, 1); // prettier-ignore
        const all = knots(parameters);
        const k = chosen(all, binOf(v, all.x));
        const mean = k.h.div(k.w); // the slope of the chord
        const t = v.sub(k.x).div(k.w).clipByValue(0, 1);
        const u = tf.sub(1, t);
        const bow = t.mul(u);
        const below = mean.add(k.left.add(k.right).sub(mean.mul(2)).mul(bow));
        const z = k.y.add(k.h.mul(mean.mul(t.square()).add(k.left.mul(bow))).div(below));
        const above = k.right.mul(t.square()).add(mean.mul(bow).mul(2)).add(k.left.mul(u.square()));
        const logSlope = mean.log().mul(2).add(above.log()).sub(below.log().mul(2));
        return { z, logDet: sumEvent(logSlope.sub(Math.log(high - low))) };
      }),
    toData: (z, parameters) =>
      tf.tidy(() => {
        const v = z.clipByValue(0, 1);
        const all = knots(parameters);
        const k = chosen(all, binOf(v, all.y));
        const mean = k.h.div(k.w);
        const rise = v.sub(k.y);
        const curve = k.left.add(k.right).sub(mean.mul(2));
        // the root in [0, 1] of a t² + b t + c = 0, in the form that cancels nothing
        const a = k.h.mul(mean.sub(k.left)).add(rise.mul(curve));
        const b = k.h.mul(k.left).sub(rise.mul(curve));
        const c = mean.mul(rise).neg();
        const root = b.square().sub(a.mul(c).mul(4)).maximum(0).sqrt();
        const t = c.mul(2).div(b.add(root).neg()).clipByValue(0, 1);
        return k.x
          .add(t.mul(k.w))
          .mul(high - low)
          .add(low);
      }),
  };
}

/**
 * `rationalQuadraticSpline` from −reach to reach, both ways, and the identity beyond: the slopes at both ends are 1, so
 * that the density is continuous there, too (Durkan et al., 2019, section 3.1).
 */
export function tailedSpline(bins: number, reach: number): Transform {
  const spline = rationalQuadraticSpline(bins, -reach, reach);
  const flat = (x: tf.Tensor) => x.reshape([-1, 1]); // each coordinate a row, so that each has a log-determinant of its own
  /** Of every coordinate, with the ends: [B or 1, n, P] → [B n, 1, P + 2] */
  const rows = (x: tf.Tensor, parameters: tf.Tensor) => {
    const [B, n] = x.shape as [number, number];
    const each = parameters.add(tf.zeros([B, 1, 1])); // [B, n, P]
    const [boxes, slopes] = tf.split(each, [2 * bins, bins - 1], 2) as [tf.Tensor, tf.Tensor];
    const end = tf.fill([B, n, 1], UNIT_SLOPE);
    return tf.concat(bins > 1 ? [boxes, end, slopes, end] : [each, end, end], 2).reshape([B * n, 1, 3 * bins + 1]);
  };
  const within = (x: tf.Tensor) => withoutGradient(x, (value) => value.abs().less(reach).toFloat()).cast('bool');
  return {
    parameters: 3 * bins - 1,
    toLatent: (x, parameters) =>
      tf.tidy(() => {
        const { z, logDet } = spline.toLatent(flat(x), rows(x, parameters));
        const moved = z.mul(2 * reach).sub(reach).reshape(x.shape); // prettier-ignore
        const logSlope = logDet.add(Math.log(2 * reach)).reshape(x.shape);
        return { z: tf.where(within(x), moved, x), logDet: sumEvent(tf.where(within(x), logSlope, 0)) };
      }),
    toData: (z, parameters) =>
      tf.tidy(() => {
        const u = flat(z).add(reach).div(2 * reach); // prettier-ignore
        return tf.where(within(z), spline.toData(u, rows(z, parameters)).reshape(z.shape), z);
      }),
  };
}

function requireDomain(where: string, bins: number, low: number, high: number): void {
  requireCounts(where, { bins });
  if (!(low < high)) throw new Error(`${where}: expected low < high, got ${low} and ${high}`);
}

const TINY = 1e-30; // a bin that softmax rounds to 0 can still be divided by

/** Of every width and height, as a share, and of every slope. */
const LEAST = 1e-3;

/** The number at which a spline's slope is 1: ln(1 + e^(raw + ln(e − 1))) + LEAST = 1. */
const UNIT_SLOPE = Math.log(Math.expm1(1 - LEAST)) - Math.log(Math.E - 1);

/** [B, n] → [B, n, bins]; what lies outside counts to the bin at that end. */
function oneHotBin(index: tf.Tensor, bins: number): tf.Tensor {
  return tf.oneHot(index.clipByValue(0, bins - 1).toInt() as tf.Tensor2D, bins).toFloat();
}

/** The p-th of each coordinate's parameters: [B or 1, n, P] → [B or 1, n]. */
function parameterAt(parameters: tf.Tensor, p: number): tf.Tensor {
  return parameters.slice([0, 0, p], [-1, -1, 1]).squeeze([2]);
}

/** The log-determinant of a map that keeps volume: [B] of 0. */
export function noChange(x: tf.Tensor): tf.Tensor {
  return tf.zeros([x.shape[0]!]);
}
