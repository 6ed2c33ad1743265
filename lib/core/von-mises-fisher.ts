/**
 * Directions: the von Mises–Fisher distribution on the unit sphere of ℝ^d, p(z) = exp(κ mu·z) / (S Z(κ)), with
 *   Z(κ) = ∫₀^π exp(κ cos θ) sin^(d−2) θ dθ,
 * where θ is the angle to mu, and S the area of the unit sphere of ℝ^(d−1). Up to constants Z is κ^(1 − d/2) times the
 * Bessel function I_{d/2−1}(κ). Here it is that integral, by Gauss and Legendre's rule: a sum of exponentials, whose
 * slopes TensorFlow.js knows, in any dimension. Sources: Mardia and Jupp, Directional Statistics (2000), section 9.3;
 * Davidson et al., Hyperspherical variational auto-encoders (2018).
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from './model';
import { logSumExp } from './tensor';

/** Above it the nodes below are too few. */
export const LARGEST_CONCENTRATION = 1000;

/**
 * ln of the area of the unit sphere in ℝ^d, 2 π^(d/2) / Γ(d/2).
 * @example logSphereArea(3) // → 2.531
 */
export function logSphereArea(d: number): number {
  requireDimension(d);
  // Γ(d/2) from Γ(1) = 1 or Γ(½) = √π upwards
  let logGamma = d % 2 === 0 ? 0 : 0.5 * Math.log(Math.PI);
  for (let n = d % 2 === 0 ? 1 : 0.5; n < d / 2; n++) logGamma += Math.log(n);
  return Math.LN2 + (d / 2) * Math.log(Math.PI) - logGamma;
}

/**
 * ln p(z) of directions, with respect to area.
 * @param z and mu unit vectors [B, d] @param kappa [B], from 0 to 1000 @returns [B]
 */
export function logVonMisesFisher(z: tf.Tensor, mu: tf.Tensor, kappa: tf.Tensor): tf.Tensor {
  return tf.tidy(() => logDensityAt(z.mul(mu).sum(1), kappa, z.shape[1]!));
}

/** ln p(z) where mu·z = w: [B] */
function logDensityAt(w: tf.Tensor, kappa: tf.Tensor, d: number): tf.Tensor {
  return kappa
    .mul(w.sub(1))
    .sub(logScaledZ(kappa, d))
    .sub(logSphereArea(d - 1));
}

/**
 * A(κ) = E mu·z, the length of the mean of z: kappa [B] → [B].
 * @example meanResultantLength(tf.tensor1d([2]), 3) // → [0.5373]
 */
export function meanResultantLength(kappa: tf.Tensor, d: number): tf.Tensor {
  return tf.tidy(() => meanFall(kappa, d).add(1));
}

/** E (mu·z − 1), ≤ 0: [B] */
function meanFall(kappa: tf.Tensor, d: number): tf.Tensor {
  const { fall } = nodesFor(d);
  return tf.softmax(terms(kappa, d)).mul(tf.tensor1d(fall)).sum(1);
}

/**
 * KL[vMF(mu, κ) ‖ uniform on the sphere] = κ A(κ) − ln Z(κ) + ln Z(0), whatever mu is: kappa [B] → [B], ≥ 0.
 * @example klVonMisesFisher(tf.tensor1d([2]), 3) // → [0.4794]
 */
export function klVonMisesFisher(kappa: tf.Tensor, d: number): tf.Tensor {
  return tf.tidy(() => {
    const logZ0 = logSphereArea(d) - logSphereArea(d - 1);
    return kappa.mul(meanFall(kappa, d)).sub(logScaledZ(kappa, d)).add(logZ0); // κ − κ drops out, and its rounding
  });
}

/** ln Z(κ) − κ: [B] */
const logScaledZ = (kappa: tf.Tensor, d: number): tf.Tensor => logSumExp(terms(kappa, d), 1);

/** ln of each node's share of exp(−κ) Z(κ): [B, NODES] */
function terms(kappa: tf.Tensor, d: number): tf.Tensor {
  const { fall, logWeight } = nodesFor(d);
  return kappa.expandDims(1).mul(tf.tensor1d(fall)).add(tf.tensor1d(logWeight));
}

interface Nodes {
  /** cos θ − 1, without its rounding near θ = 0 */
  readonly fall: Float32Array;
  /** ln (weight · sin^(d−2) θ) */
  readonly logWeight: Float32Array;
}

const NODES = 160;

function nodesFor(d: number): Nodes {
  requireDimension(d);
  const known = nodes.get(d);
  if (known) return known;
  const { x, w } = gaussLegendre(NODES);
  const angles = x.map((value) => ((value + 1) * Math.PI) / 2);
  const made = {
    fall: Float32Array.from(angles, (angle) => -2 * Math.sin(angle / 2) ** 2),
    logWeight: Float32Array.from(angles, (angle, i) => Math.log((w[i]! * Math.PI) / 2) + (d - 2) * Math.log(Math.sin(angle))),
  };
  nodes.set(d, made);
  return made;
} // prettier-ignore

const nodes = new Map<number, Nodes>();

/** Nodes and weights on [−1, 1]: the roots of Legendre's polynomial P_n, by Newton's method. */
function gaussLegendre(n: number): { readonly x: number[]; readonly w: number[] } {
  const roots = Array.from({ length: n }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let round = 0; round < 20; round++) {
      let [before, value] = [1, x];
      for (let k = 2; k <= n; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
      slope = (n * (x * value - before)) / (x * x - 1);
      x -= value / slope;
    }
    return { x, w: 2 / ((1 - x * x) * slope * slope) };
  });
  return { x: roots.map(({ x }) => x), w: roots.map(({ w }) => w) };
}

function requireDimension(d: number): void {
  if (!Number.isInteger(d) || d < 1) throw new Error(`sphere: d must be an integer ≥ 1, got ${d}`);
}

// Sampling

/** Evenly from the unit sphere of ℝ^d: [count, d]. */
export function drawDirections(count: number, d: number, rng: Rng): tf.Tensor {
  return tf.tidy(() => unit(rng.normal([count, d])));
}

/** Rows of length 1: [B, d] → [B, d]. */
export function unit(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => x.mul(x.square().sum(1, true).add(SMALL).rsqrt()));
}

const SMALL = 1e-12;

export interface DirectionDraw {
  /** Unit vectors [B, d]; gradients flow to mu and kappa. */
  readonly z: tf.Tensor;
  /** ln p(z): [B] */
  readonly logProb: tf.Tensor;
  /** See `LatentDraw.score`: what rejection withholds from the path's gradient by kappa. */
  readonly score: tf.Tensor;
}

/**
 * z = w mu + √(1 − w²) v, with v even on the directions across mu, and w by rejection (Ulrich, 1984; Wood, 1994): with
 * ε ~ Beta((d − 1)/2, (d − 1)/2), which is a coordinate of an even direction, moved to [0, 1],
 *   w = (1 − (1 + b) ε) / (1 − (1 − b) ε),  b = (d − 1) / (2κ + √(4κ² + (d − 1)²)),
 * is accepted when κ w + (d − 1) ln(1 − x₀ w) − κ x₀ − (d − 1) ln(1 − x₀²) ≥ ln u, with x₀ = (1 − b) / (1 + b).
 *
 * Gradients flow through w(ε, κ). The accepted ε depends on κ, too; for that there is the score, ln of the density of w
 * over that of the proposals at w(ε, κ) (Naesseth et al., Reparameterization gradients through acceptance–rejection
 * sampling algorithms, 2017; Davidson et al., 2018, appendix D).
 *
 * All of PROPOSALS are drawn at once, and the first accepted is taken. One in 0.65 or more is accepted, whatever κ and
 * d, so that all are rejected less than once in 10¹⁴ draws; the first then stands.
 * @param mu unit vectors [B, d], d ≥ 2 @param kappa [B], from 0 to 1000
 */
export function drawVonMisesFisher(mu: tf.Tensor, kappa: tf.Tensor, rng: Rng): DirectionDraw {
  const [B, d] = mu.shape as [number, number];
  const { b, epsilon } = accepted(kappa, d, rng);
  const scale = tf.sub(1, tf.sub(1, b).mul(epsilon)); // 1 − (1 − b) ε: [B]
  const w = tf.sub(1, b.add(1).mul(epsilon)).div(scale);
  const across = b.mul(epsilon).mul(tf.sub(1, epsilon)).sqrt().mul(2).div(scale); // √(1 − w²)
  const noise = rng.fork('across').normal([B, d]);
  const v = perpendicular(perpendicular(noise, mu), mu); // once more, for what is nearly along mu loses its digits
  // ln q(w) − ln r(w), of which ε's own terms do not depend on κ
  const logZ = logScaledZ(kappa, d);
  const score = kappa.mul(w.sub(1)).sub(logZ).add(b.log().sub(scale.log().mul(2)).mul((d - 1) / 2)); // prettier-ignore
  return {
    z: mu.mul(w.expandDims(1)).add(v.mul(across.expandDims(1))),
    logProb: kappa
      .mul(w.sub(1))
      .sub(logZ)
      .sub(logSphereArea(d - 1)),
    score,
  };
}

/** The part of v across mu, at length 1: [B, d] */
const perpendicular = (v: tf.Tensor, mu: tf.Tensor): tf.Tensor => unit(v.sub(v.mul(mu).sum(1, true).mul(mu)));

const PROPOSALS = 32;

/** b, of which κ gets gradients, and the first accepted ε, of which it gets none: [B] each. */
function accepted(kappa: tf.Tensor, d: number, rng: Rng): { b: tf.Tensor; epsilon: tf.Tensor } {
  const B = kappa.shape[0]!;
  const root = kappa.square().mul(4).add((d - 1) ** 2).sqrt(); // prettier-ignore
  const b = tf.scalar(d - 1).div(kappa.mul(2).add(root));
  const coordinate = drawDirections(B * PROPOSALS, d, rng.fork('proposals')).slice([0, 0], [B * PROPOSALS, 1]);
  const epsilon = coordinate.add(1).div(2).clipByValue(1e-7, 1 - 1e-7).reshape([B, PROPOSALS]); // prettier-ignore
  const u = rng.fork('accept').uniform([B, PROPOSALS]);
  const [wide, k] = [b.expandDims(1), kappa.expandDims(1)];
  const x0 = tf.sub(1, wide).div(wide.add(1)); // [B, 1]
  const w = tf.sub(1, wide.add(1).mul(epsilon)).div(tf.sub(1, tf.sub(1, wide).mul(epsilon)));
  const excess = k.mul(w.sub(x0)).add(tf.sub(1, x0.mul(w)).log().sub(wide.mul(4).log()).add(wide.add(1).log().mul(2)).mul(d - 1)); // prettier-ignore
  const first = excess.greaterEqual(u.log()).toFloat().argMax(1); // the first of equals
  return { b, epsilon: tf.oneHot(first as tf.Tensor1D, PROPOSALS).mul(epsilon).sum(1) };
} // prettier-ignore
