/**
 * Noise that grows with time as a stochastic differential equation, dz = f(t) z dt + g(t) dw from t = 0, data, to 1.
 *
 * z_t = α (x + σ ε), with σ(t) = (σ_min^(1/ρ) + t (σ_max^(1/ρ) − σ_min^(1/ρ)))^ρ, ρ = 7, for both kinds: 've', the variance
 * explodes, α = 1; 'vp', the variance is preserved, α = 1/√(1 + σ²). Then f = α′/α and g² = 2 α² σ σ′.
 * Backwards: dz = [f z − g² s] dt + g dw, with s the score ∇ ln p_t; of the same marginals without noise:
 * dz/dt = f z − ½ g² s, the probability-flow ODE.
 * Sources: Song et al., Score-based generative modeling through stochastic differential equations (2021); Anderson,
 * Reverse-time diffusion equation models (1982); Karras et al., Elucidating the design space (2022), equation 5.
 */
import * as tf from '@tensorflow/tfjs';

export type ProcessName = 've' | 'vp';

export interface SigmaRange {
  /** Noise that is left where data are. */
  readonly sigmaMin: number;
  readonly sigmaMax: number;
}

export interface NoiseProcess {
  /** Noise to signal: t [...] in [0, 1] → [...] */
  sigma(t: tf.Tensor): tf.Tensor;
  /** Signal: [...] → [...] */
  alpha(t: tf.Tensor): tf.Tensor;
  /** f: [...] → [...] */
  drift(t: tf.Tensor): tf.Tensor;
  /** g², the noise's variance in a unit of time: [...] → [...] */
  diffusion(t: tf.Tensor): tf.Tensor;
}

const RHO = 7;

/**
 * σ, α, f and g² of one of the two kinds.
 * @throws where the range is none
 * @example noiseProcess('ve', { sigmaMin: 0.01, sigmaMax: 10 }).sigma(tf.tensor1d([0, 1])) // → [0.01, 10]
 */
export function noiseProcess(name: ProcessName, { sigmaMin, sigmaMax }: SigmaRange): NoiseProcess {
  if (name !== 've' && name !== 'vp') throw new Error(`noiseProcess: expected 've' or 'vp', got '${String(name)}'`);
  if (!(sigmaMin > 0 && sigmaMax > sigmaMin))
    throw new Error(`noiseProcess: expected 0 < sigmaMin < sigmaMax, got ${sigmaMin} and ${sigmaMax}`);
  const [low, high] = [sigmaMin ** (1 / RHO), sigmaMax ** (1 / RHO)];
  const root = (t: tf.Tensor) => t.mul(high - low).add(low);
  const sigma = (t: tf.Tensor) => tf.tidy(() => power(root(t), RHO));
  const growth = (t: tf.Tensor) => power(root(t), 2 * RHO - 1).mul(RHO * (high - low)); // σ σ′
  const share = (t: tf.Tensor) => sigma(t).square().add(1).reciprocal(); // α² of 'vp'
  if (name === 've')
    return {
      sigma,
      alpha: (t) => tf.onesLike(t),
      drift: (t) => tf.zerosLike(t),
      diffusion: (t) => tf.tidy(() => growth(t).mul(2)),
    };
  return {
    sigma,
    alpha: (t) => tf.tidy(() => share(t).sqrt()),
    drift: (t) => tf.tidy(() => growth(t).mul(share(t)).neg()),
    diffusion: (t) => tf.tidy(() => growth(t).mul(share(t)).mul(2)),
  };
}

/** x^n of x > 0. */
const power = (x: tf.Tensor, n: number): tf.Tensor => x.log().mul(n).exp();
