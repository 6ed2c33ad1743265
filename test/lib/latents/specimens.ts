/** Tiny autoencoders with every prior and every posterior that a configuration can name. */
import { vae, type PosteriorOptions, type PriorOptions, type VaeConfig } from 'dgm';
import { specimenOf } from '../../laws/specimen';

export const priorsByName: readonly (readonly [string, PriorOptions, Partial<VaeConfig>?])[] = [
  ['mixture', { kind: 'mixture', components: 3 }],
  ['VampPrior', { kind: 'vamp', components: 3 }],
  ['VampPrior of reflected posteriors', { kind: 'vamp', components: 2 }, { latent: 2, posterior: { kind: 'householder', reflections: 1 } }], // prettier-ignore
  ['resampled', { kind: 'resampled', hidden: [5], truncation: 4, draws: 2000 }],
  ['affine flow', { kind: 'flow', coupling: 'affine', steps: 2, hidden: [4] }, { latent: 2 }],
  ['spline flow', { kind: 'flow', coupling: 'spline', steps: 2, hidden: [4] }, { latent: 2 }],
  ['autoregressive', { kind: 'autoregressive', components: 2, hidden: [5] }],
  ['autoregressive of two', { kind: 'autoregressive', components: 2, hidden: [5] }, { latent: 2 }],
];

export const posteriorsByName: readonly (readonly [string, PosteriorOptions, Partial<VaeConfig>?])[] = [
  ['Householder', { kind: 'householder', reflections: 2 }, { latent: 2 }],
  ['Sylvester', { kind: 'sylvester', steps: 2 }, { latent: 2 }],
  ['Sylvester of one', { kind: 'sylvester', steps: 2 }],
  ['inverse autoregressive', { kind: 'iaf', steps: 2, hidden: [5], context: 2 }, { latent: 2 }],
  ['splines', { kind: 'spline', steps: 2, hidden: [4], context: 2, bins: 4, reach: 3 }, { latent: 2 }],
  ['splines of one', { kind: 'spline', steps: 2, hidden: [4], context: 2, bins: 4, reach: 3 }],
];

/** A tiny dense autoencoder with other options, under the same truth. */
export const withOptions = (config: Partial<VaeConfig>) =>
  specimenOf({ ...vae, tiny: { ...vae.tiny, config: { ...vae.tiny.config, ...config } } });
