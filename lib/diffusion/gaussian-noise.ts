/**
 * The fixed encoder of Gaussian diffusion: z_t = α_t x + σ_t ε with ε ~ N(0, I), α² = 1/(1 + e^γ), σ² = 1 − α² and
 * γ = −ln (α²/σ²), so that the variance of z is 1 where that of x is.
 *
 * Everything here is a function of γ, [B], and of rows, [B, D]. Sources: Sohl-Dickstein et al., Deep unsupervised
 * learning using nonequilibrium thermodynamics (2015); Ho, Jain and Abbeel, Denoising diffusion probabilistic models
 * (2020); Kingma et al., Variational diffusion models (2021), appendix A; Song, Meng and Ermon, Denoising diffusion
 * implicit models (2021).
 */
import * as tf from '@tensorflow/tfjs';

/** α of every row: γ [B] → [B, 1] */
export const alphaOf = (gamma: tf.Tensor): tf.Tensor => tf.tidy(() => gamma.neg().sigmoid().sqrt().expandDims(1));

/** σ of every row: γ [B] → [B, 1] */
export const sigmaOf = (gamma: tf.Tensor): tf.Tensor => tf.tidy(() => gamma.sigmoid().sqrt().expandDims(1));

/** A draw of q(z_t | x) = N(α x, σ² I): x and noise [B, D], γ [B] → [B, D] */
export function diffuse(x: tf.Tensor, gamma: tf.Tensor, noise: tf.Tensor): tf.Tensor {
  return tf.tidy(() => alphaOf(gamma).mul(x).add(sigmaOf(gamma).mul(noise)));
}

export interface GaussianStep extends tf.TensorContainerObject {
  /** [B, D] */
  readonly mean: tf.Tensor;
  /** Of each coordinate: [B, 1] */
  readonly variance: tf.Tensor;
}

/**
 * q(z_s | z_t, x) for s before t, by Bayes' rule from q(z_s | x) and q(z_t | z_s). With c = 1 − e^(γ_s − γ_t):
 *   mean = (α_s / α_t) (1 − c) z_t + c α_s x,  variance = c σ_s².
 * @param from γ_t, [B] @param to γ_s, [B], below it
 */
export function reverseStep(z: tf.Tensor, x: tf.Tensor, from: tf.Tensor, to: tf.Tensor): GaussianStep {
  return tf.tidy(() => {
    const kept = to.sub(from).exp().expandDims(1); // 1 − c
    const c = to.sub(from).expm1().neg().expandDims(1);
    const [alphaS, alphaT] = [alphaOf(to), alphaOf(from)];
    const mean = z.mul(alphaS.div(alphaT).mul(kept)).add(x.mul(alphaS.mul(c)));
    return { mean, variance: c.mul(sigmaOf(to).square()) };
  });
}

export interface StepDown {
  /** γ at t, [B] */
  readonly from: tf.Tensor;
  /** γ at s, below it, [B] */
  readonly to: tf.Tensor;
  /** A scalar, from 0 to 1. */
  readonly eta: tf.Tensor;
  /** [B, D], N(0, 1) */
  readonly noise: tf.Tensor;
}

/**
 * A draw of z_s from z_t where x is guessed: at eta 1 from q(z_s | z_t, guess), the reverse process of the bound; at 0
 * without noise, α_s guess + σ_s ε̂ with ε̂ = (z_t − α_t guess) / σ_t; between the two, noise of variance eta² c σ_s².
 * All have the marginals q(z_s | x) where the guess is x (Song, Meng and Ermon, 2021, lemma 1).
 * @param z z_t, [B, D] @param guess of x, [B, D] @returns z_s, [B, D]
 */
export function stepDown(z: tf.Tensor, guess: tf.Tensor, { from, to, eta, noise }: StepDown): tf.Tensor {
  return tf.tidy(() => {
    const c = to.sub(from).expm1().neg().expandDims(1);
    const variance = c.mul(sigmaOf(to).square()).mul(eta.square());
    const direction = z.sub(alphaOf(from).mul(guess)).div(sigmaOf(from));
    const along = sigmaOf(to).square().sub(variance).maximum(0).sqrt();
    return alphaOf(to).mul(guess).add(along.mul(direction)).add(variance.sqrt().mul(noise));
  });
}

export type Parametrisation = 'values' | 'data' | 'noise' | 'velocity';

/**
 * The guess of x that a network's number y [B, D] stands for: x itself ('data'); ε, so that x = (z − σ y) / α
 * ('noise'); v = α ε − σ x, so that x = α z − σ y ('velocity'; Salimans and Ho, Progressive distillation, 2022).
 */
export function guessOf(kind: Exclude<Parametrisation, 'values'>, y: tf.Tensor, z: tf.Tensor, gamma: tf.Tensor) {
  return tf.tidy(() => {
    if (kind === 'data') return y.clone();
    const [alpha, sigma] = [alphaOf(gamma), sigmaOf(gamma)];
    if (kind === 'noise') return z.sub(sigma.mul(y)).div(alpha);
    return alpha.mul(z).sub(sigma.mul(y));
  });
}

/**
 * What the continuous bound charges for a squared error of each kind: w(γ) · γ'(t) · ‖error‖², with
 *   x: ½ SNR,  ε: ½,  v: ½ α²,
 * since the errors are the same one in other units, ‖ε − ε̂‖² = SNR ‖x − x̂‖² and ‖v − v̂‖² = ‖x − x̂‖² / σ². So each
 * network, trained without weights, weighs the noise levels in its own way.
 * @param gamma [...] @returns [...]
 */
export function boundWeight(kind: Exclude<Parametrisation, 'values'>, gamma: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    if (kind === 'data') return gamma.neg().exp().mul(0.5);
    return kind === 'noise' ? tf.onesLike(gamma).mul(0.5) : gamma.neg().sigmoid().mul(0.5);
  });
}
