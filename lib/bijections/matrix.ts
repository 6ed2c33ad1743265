/**
 * Bijections that rest on a theorem about determinants: planar and Sylvester flows (the matrix determinant lemma and
 * Sylvester's identity), Householder reflections (orthogonal), the convolution exponential (det exp M = exp tr M).
 *
 * Planar and Sylvester flows have a closed form one way only. The other way is an equation of one unknown at a time,
 * with a left side that increases: its root is narrowed down in a fixed number of rounds.
 */
import * as tf from '@tensorflow/tfjs';
import type { Bijection, Rng } from '../core/model';
import { constantWeight, randomWeight, weight } from '../networks/dense';
import { sumEvent } from '../core/tensor';
import { noChange } from './scalar';

// Planar

/**
 * û = u + (m(w·u) − w·u) w / ‖w‖² with m(a) = ln(1 + e^a) − 1, so that w·û > −1, by a thousandth at least, for
 * rounding: then, as 0 < tanh′ ≤ 1, the planar map increases along w and can be inverted (Rezende and Mohamed, 2015,
 * appendix A.1).
 * @param u [D] @param w [D], not 0 @returns [D]
 */
export function invertibleDirection(u: tf.Tensor, w: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const along = u.mul(w).sum();
    const wanted = tf.softplus(along).sub(1 - MARGIN);
    return u.add(w.mul(wanted.sub(along)).div(w.square().sum().maximum(TINY)));
  });
}

const MARGIN = 1e-3;
const TINY = 1e-12;

/**
 * z = x + û tanh(w·x + b), with ln |det| = ln(1 + w·û (1 − tanh²)) by the matrix determinant lemma
 * det(I + û vᵀ) = 1 + vᵀû (Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015, section 4.1).
 */
export function planar(D: number, rng: Rng): Bijection {
  const [w, u] = ['w', 'u'].map((name) => randomWeight([D], rng.fork(name), { scale: 1 / Math.sqrt(D) })) as [tf.Variable, tf.Variable]; // prettier-ignore
  const b = constantWeight([1], 0);
  const along = (x: tf.Tensor) => x.matMul(w.expandDims(1)).squeeze([1]); // w·x: [B]
  return {
    variables: [w, u, b],
    toLatent: (x) =>
      tf.tidy(() => {
        const direction = invertibleDirection(u, w);
        const h = along(x).add(b).tanh(); // [B]
        const z = x.add(h.expandDims(1).mul(direction));
        const slope = tf.sub(1, h.square());
        return { z, logDet: slope.mul(direction.mul(w).sum()).add(1).log() };
      }),
    // w·z = a + w·û tanh(a + b) for a = w·x: one equation, one unknown
    toData: (z) =>
      tf.tidy(() => {
        const direction = invertibleDirection(u, w);
        const strength = direction.mul(w).sum();
        const target = along(z);
        const a = rootNear(target, strength.abs(), (a) => a.add(b).tanh().mul(strength).add(a));
        return z.sub(a.add(b).tanh().expandDims(1).mul(direction));
      }),
  };
}

/**
 * The a within `reach` of the target with f(a) = target. Each round cuts the interval into PARTS, and keeps the one on
 * whose ends f lies on either side: as if halved three times at once, in a third of the operations one after the other.
 * @param target [B] @param reach a scalar, or [B, 1] @param f increasing, elementwise: [B, n] → [B, n], the b-th row with the
 * b-th example's parameters @returns [B]
 */
export function rootNear(target: tf.Tensor, reach: tf.Tensor, f: (a: tf.Tensor) => tf.Tensor): tf.Tensor {
  const wanted = target.expandDims(1); // [B, 1]
  const cuts = tf.range(1, PARTS); // [PARTS − 1]
  let low = wanted.sub(reach);
  let width = reach.mul(2);
  for (let i = 0; i < ROUNDS; i++) {
    width = width.div(PARTS);
    const below = f(low.add(cuts.mul(width)))
      .less(wanted)
      .toFloat()
      .sum(1, true); // [B, 1]
    low = low.add(below.mul(width));
  }
  return low.add(width.div(2)).squeeze([1]);
}

const PARTS = 8;
const ROUNDS = 9; // 27 halvings, three more than float32 has bits

// Orthogonal matrices

/**
 * Reflections one after the other, z ← z − 2 (v·z) v / ‖v‖², each of which keeps volume and is its own inverse. At
 * most D of them make any orthogonal matrix (Tomczak and Welling, Improving Variational Auto-Encoders using
 * Householder Flow, 2016).
 */
export function householder(D: number, reflections: number, rng: Rng): Bijection {
  const v = weight(
    tf.tidy(() => {
      const drawn = rng.normal([reflections, D]);
      return drawn.div(drawn.norm('euclidean', 1, true)).mul(2); // the shorter, the more one step of an optimiser turns it
    }),
  );
  const each = () => v.unstack(0); // [D] each
  return {
    variables: [v],
    toLatent: (x) => tf.tidy(() => ({ z: each().reduce(reflected, x.clone()), logDet: noChange(x) })),
    toData: (z) => tf.tidy(() => each().reduceRight(reflected, z.clone())),
  };
}

function reflected(x: tf.Tensor, v: tf.Tensor): tf.Tensor {
  const share = x.matMul(v.expandDims(1)).mul(2).div(v.square().sum().maximum(TINY)); // [B, 1]
  return x.sub(share.mul(v));
}

/**
 * The nearest matrix with orthonormal columns, by Björck and Bowie's iteration Q ← Q (I + ½ (I − QᵀQ)), which
 * converges when no singular value exceeds √3; dividing by the Frobenius norm leaves none above 1.
 * @param q [D, M], M ≤ D, of full rank @returns [D, M]
 */
export function orthonormal(q: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const M = q.shape[1]!;
    let Q = q.div(q.square().sum().sqrt().maximum(TINY));
    for (let i = 0; i < ORTHOGONALISATIONS; i++) {
      const error = tf.eye(M).sub(Q.matMul(Q, true));
      Q = Q.add(Q.matMul(error).mul(0.5));
    }
    return Q;
  });
}

const ORTHOGONALISATIONS = 24; // a singular value grows by half each time until it is near 1: from 1/1000 in 17

// Sylvester

/** How a Sylvester flow keeps the columns of Q orthonormal. */
export type Orthogonality = 'orthogonal' | 'householder' | 'triangular';

/**
 * z = x + Q R tanh(R̃ Qᵀx + b) with orthonormal columns Q [D, M] and upper triangular R, R̃ [M, M]: by Sylvester's
 * identity det(I_D + A B) = det(I_M + B A), ln |det| = Σ_i ln(1 + R_ii R̃_ii (1 − tanh_i²)). The diagonals are
 * hyperbolic tangents, so that R_ii R̃_ii > −1 (van den Berg et al., Sylvester Normalizing Flows, 2018).
 * @param kind of Q: M free columns made orthonormal, M = D reflections, or M = D coordinates, in reverse order and in
 * their own by turns
 * @param layer its number in a chain, from 0: what decides whose turn it is. With one order for all, the product of the
 * Jacobian matrices is triangular as each of them is, and the first coordinate sees no other one, however many layers
 */
export function sylvester(D: number, M: number, kind: Orthogonality, rng: Rng, layer = 0): Bijection {
  if (!(M >= 1 && M <= D)) throw new Error(`sylvester: expected 1 ≤ M ≤ D = ${D}, got ${M}`);
  if (kind !== 'orthogonal' && M !== D)
    throw new Error(`sylvester: a ${kind} Q is square; expected M = ${D}, got ${M}`);
  const basis = kind === 'triangular' ? permutedAxes(D, layer) : basisOf(D, M, kind, rng.fork('basis'));
  const above = M > 1 ? ['R', 'R tilde'] : []; // what lies above the diagonals
  const raw = above.map((name) => randomWeight([M, M], rng.fork(name), { scale: 1 / Math.sqrt(M) }));
  const diagonals = ['diagonal', 'diagonal tilde'].map((name) => randomWeight([M], rng.fork(name), { scale: 0.5 }));
  const b = constantWeight([M], 0);
  const pieces = () => {
    const [r, rTilde] = diagonals.map((d): tf.Tensor => d.tanh()) as [tf.Tensor, tf.Tensor];
    const [R, RTilde] = [0, 1].map((i) => raw[i]?.mul(strictlyUpper(M)) ?? tf.zeros([M, M])) as [tf.Tensor, tf.Tensor];
    return { Q: basis.matrix(), r, rTilde, R, RTilde };
  };
  return {
    variables: [...basis.variables, ...raw, ...diagonals, b],
    toLatent: (x) =>
      tf.tidy(() => {
        const { Q, r, rTilde, R, RTilde } = pieces();
        const y = x.matMul(Q); // [B, M]
        const h = y.matMul(RTilde, false, true).add(y.mul(rTilde)).add(b).tanh(); // [B, M]
        const z = x.add(h.matMul(R, false, true).add(h.mul(r)).matMul(Q, false, true));
        const slopes = tf.sub(1, h.square()).mul(r).mul(rTilde);
        return { z, logDet: sumEvent(slopes.add(1).log()) };
      }),
    // In the basis Q, y + R tanh(R̃ y + b) = Qᵀz: triangular, so the last coordinate has one unknown, then the one before
    toData: (z) =>
      tf.tidy(() => {
        const { Q, r, rTilde, R, RTilde } = pieces();
        const target = z.matMul(Q); // [B, M]
        let h: tf.Tensor = tf.zerosLike(target); // found from the last column to the first
        let y: tf.Tensor = tf.zerosLike(target);
        for (let i = M - 1; i >= 0; i--) {
          const here = unit(M, i); // [M], 1 at i
          const at = (values: tf.Tensor) => values.mul(here).sum(-1); // [B], or a scalar
          const inner = at(y.matMul(RTilde, false, true)).add(at(b)); // what the later coordinates add within tanh
          const wanted = at(target).sub(at(h.matMul(R, false, true))); // and outside
          const [own, ownTilde] = [at(r), at(rTilde)];
          const squash = (a: tf.Tensor) => a.mul(ownTilde).add(inner.expandDims(1)).tanh(); // [B, n]
          const a = rootNear(wanted, own.abs(), (value) => value.add(squash(value).mul(own))).expandDims(1);
          y = y.add(a.mul(here));
          h = h.add(squash(a).mul(here));
        }
        return z.sub(h.matMul(R, false, true).add(h.mul(r)).matMul(Q, false, true));
      }),
  };
}

function basisOf(D: number, M: number, kind: 'orthogonal' | 'householder', rng: Rng) {
  if (kind === 'orthogonal') {
    const q = randomWeight([D, M], rng);
    return { variables: [q], matrix: () => orthonormal(q) };
  }
  const reflections = householder(D, D, rng);
  return { variables: reflections.variables, matrix: () => reflections.toLatent(tf.eye(D)).z };
}

/** Van den Berg et al. (2018), of triangular Sylvester flows: reversal and identity by turns. */
function permutedAxes(D: number, layer: number) {
  const reversed = layer % 2 === 0;
  return { variables: [], matrix: (): tf.Tensor => (reversed ? tf.reverse(tf.eye(D), 0) : tf.eye(D)) };
}

const strictlyUpper = (M: number): tf.Tensor2D =>
  tf.tensor2d(Array.from({ length: M }, (_, i) => Array.from({ length: M }, (_, j) => (j > i ? 1 : 0))), [M, M]); // prettier-ignore

const unit = (M: number, i: number): tf.Tensor1D => tf.tensor1d(Array.from({ length: M }, (_, j) => (i === j ? 1 : 0)));

// Convolution exponential

/**
 * z = exp(M) x = Σ_k Mᵏ x / k!, with M the convolution of a picture [height, width] with a kernel [size, size] of its
 * own, zeros beyond the edge. ln |det| = tr M = height · width · the kernel's middle, and the way back is exp(−M)
 * (Hoogeboom et al., The Convolution Exponential and Generalized Sylvester Flows, 2020).
 */
export function convolutionExponential(height: number, width: number, size: number, rng: Rng): Bijection {
  if (size % 2 !== 1)
    throw new Error(`convolutionExponential: the kernel needs a middle; expected an odd size, got ${size}`);
  const raw = randomWeight([size, size], rng, { scale: 0.1 / size });
  /** ‖M‖ ≤ Σ |kernel| < LARGEST: the series then needs no more than `TERMS`. */
  const kernel = () => raw.div(raw.abs().sum().div(LARGEST).add(1));
  const exponential = (x: tf.Tensor, sign: 1 | -1) => {
    const K = kernel().mul(sign).reshape([size, size, 1, 1]) as tf.Tensor4D;
    let term = x.reshape([-1, height, width, 1]);
    let sum = term;
    for (let k = 1; k <= TERMS; k++) {
      term = tf.conv2d(term as tf.Tensor4D, K, 1, 'same').div(k);
      sum = sum.add(term);
    }
    return sum.reshape([-1, height * width]);
  };
  return {
    variables: [raw],
    toLatent: (x) =>
      tf.tidy(() => {
        const middle = kernel()
          .flatten()
          .slice([(size * size - 1) / 2], [1]); // [1]
        return { z: exponential(x, 1), logDet: noChange(x).add(middle.mul(height * width)) };
      }),
    toData: (z) => tf.tidy(() => exponential(z, -1)),
  };
}

const LARGEST = 2;
const TERMS = 14; // 2¹⁵ / 15! < 10⁻⁷
