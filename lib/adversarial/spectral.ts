/**
 * Spectral normalisation: each matrix of weights divided by its largest singular value, so that no layer, and with
 * activations of slope 1 at most no network, stretches any distance.
 * Source: Miyato et al., Spectral normalization for generative adversarial networks (2018).
 * Otherwise than there: they make one step of the power method a training step and remember where it is; here it is
 * made anew each time, of 2^ROUNDS steps by squaring, so that a critic's number depends on nothing but its weights.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import { detach, expectShape } from '../core/tensor';
import { sequential, uniformWeight, type Activation, type Network } from '../networks/dense';

const ROUNDS = 8; // 256 steps of the power method
const TINY = 1e-30;

/** σ₁(W), a scalar [], with its slope u v', the outer product of the singular vectors: W [I, O] */
export function spectralNorm(w: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const { I, O } = expectShape('spectralNorm: w', w, ['I', 'O']);
    const fixed = detach(w);
    const v = topVector(I! < O! ? fixed.matMul(fixed, false, true) : fixed.matMul(fixed, true, false));
    const other = unit(I! < O! ? fixed.matMul(v, true, false) : fixed.matMul(v)); // prettier-ignore
    const [left, right] = I! < O! ? [v, other] : [other, v];
    return left.matMul(w.matMul(right), true, false).reshape([]);
  });
}

/** The eigenvector of the largest eigenvalue of a symmetric matrix without negative ones: [n, n] → [n, 1] */
function topVector(matrix: tf.Tensor): tf.Tensor {
  let power: tf.Tensor = matrix;
  for (let i = 0; i < ROUNDS; i += 2) {
    const scaled = power.div(power.max().add(TINY)); // the largest entry is on the diagonal, and of the trace 1/n at least
    const square = scaled.matMul(scaled);
    power = square.matMul(square);
  }
  // all columns lie along it, each as long as its own coordinate is large: the longest errs least
  const lengths = power.square().sum(0, true);
  const longest = lengths.equal(lengths.max()).toFloat(); // [1, n], mostly one 1
  return unit(power.mul(longest).sum(1, true));
}

const unit = (v: tf.Tensor) => v.div(v.square().sum().add(TINY).sqrt());

export interface CriticNetworkOptions {
  readonly activation: Activation;
  /** Every matrix is divided by its largest singular value. */
  readonly spectral: boolean;
  /** Of the last layer; a game that sees differences alone cannot learn it. */
  readonly lastBias: boolean;
}

/** As `mlp`, [B, sizes[0]] → [B, sizes.at(-1)], with what critics need. */
export function criticNetwork(
  sizes: readonly number[],
  rng: Rng,
  { activation, spectral, lastBias }: CriticNetworkOptions,
): Network {
  const last = sizes.length - 2;
  const layers = sizes.slice(1).map((outputs, i): Network => {
    const inputs = sizes[i]!;
    const at = (part: string) => rng.fork(`layer ${i}`).fork(part);
    const w = uniformWeight([inputs, outputs], 1 / Math.sqrt(inputs), at('weight'));
    const b = i < last || lastBias ? [uniformWeight([outputs], 1 / Math.sqrt(inputs), at('bias'))] : [];
    const apply = (x: tf.Tensor) => {
      const product = x.matMul(spectral ? w.div(spectralNorm(w)) : w);
      return b.length === 0 ? product : product.add(b[0]!);
    };
    return { variables: [w, ...b], apply: (x) => tf.tidy(() => apply(x)) };
  });
  return sequential(...layers.flatMap((layer, i) => (i < last ? [layer, activation] : [layer])));
}
