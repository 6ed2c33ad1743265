/**
 * Losses of a score model s(x) that learns ∇ ln p(x) from samples of p: none of them needs p.
 *
 * E ½‖s − ∇ ln p‖² = E [½‖s‖² + tr ∇s] + constant, by parts, where p vanishes far out. The trace is exact, or estimated
 * by random directions; or it is avoided, by learning the score of data with noise, which is known pair by pair:
 * ∇ ln N(x̃; x, σ²) = −ε / σ for x̃ = x + σ ε.
 * Sources: Hyvärinen, Estimation of non-normalized statistical models by score matching (2005), theorem 1; Vincent, A
 * connection between score matching and denoising autoencoders (2011); Song et al., Sliced score matching (2019).
 */
import * as tf from '@tensorflow/tfjs';
import { divergence, hutchinson, type PointField } from './divergence';

/** ½‖s(x)‖² + tr ∇s(x): x [B, D] → [B]. D passes backwards. */
export function exactScoreMatching(score: PointField, x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => score(x).square().sum(1).mul(0.5).add(divergence(score, x)));
}

/** ½‖s(x)‖² + eᵀ ∇s(x) e: x and e [B, D] → [B], whose mean over e is `exactScoreMatching`. */
export function slicedScoreMatching(score: PointField, x: tf.Tensor, e: tf.Tensor): tf.Tensor {
  return tf.tidy(() =>
    score(x)
      .square()
      .sum(1)
      .mul(0.5)
      .add(hutchinson(score, x, e)),
  );
}

/**
 * ½‖s(x + σ ε) + ε / σ‖²: x and noise [B, D] → [B]. Smallest for the score of the data with noise, not of the data.
 * @param sigma > 0: a number, or [B, 1]
 */
export function denoisingScoreMatching(
  score: PointField,
  x: tf.Tensor,
  { sigma, noise }: { readonly sigma: number | tf.Tensor; readonly noise: tf.Tensor },
): tf.Tensor {
  return tf.tidy(() => score(x.add(noise.mul(sigma))).add(noise.div(sigma)).square().sum(1).mul(0.5)); // prettier-ignore
}
