/**
 * Losses of an energy: data are pushed up, something else is pushed down.
 *
 * ∇ (−ln p(x)) = −∇ f(x) + E_p ∇ f, with ln p = f − ln Z. The second term is an expectation over the model; whoever has
 * samples of it has the gradient. Sources: Hinton, Training products of experts by minimizing contrastive divergence
 * (2002); Gutmann and Hyvärinen, Noise-contrastive estimation (2010; JMLR 2012, equation 8).
 */
import * as tf from '@tensorflow/tfjs';

/**
 * mean f(model samples) − mean f(data): [B] each → []. Its gradient is that of −ln p where the samples are of p and were
 * cut off from it; its value is not a likelihood, and says little.
 */
export function contrast(ofData: tf.Tensor, ofModel: tf.Tensor): tf.Tensor {
  return tf.tidy(() => ofModel.mean().sub(ofData.mean()));
}

/**
 * Logistic regression of data against noise of a known density q, ν = N / B draws of noise for one of data:
 * mean softplus(ln ν − G(data)) + ν mean softplus(G(noise) − ln ν), with G = ln p − ln q. Smallest where G is ln p_data −
 * ln q: the constant is learnt with the rest.
 * @param ofData G of data [B] @param ofNoise G of noise [N] @returns []
 */
export function noiseContrast(ofData: tf.Tensor, ofNoise: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const ratio = ofNoise.shape[0]! / ofData.shape[0]!;
    const shift = Math.log(ratio);
    const real = ofData.neg().add(shift).softplus().mean();
    return real.add(ofNoise.sub(shift).softplus().mean().mul(ratio));
  });
}
