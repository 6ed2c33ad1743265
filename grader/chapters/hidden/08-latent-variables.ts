/** Chapter 8, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import type { Hidden } from '../../exercise/exercise';
import { elbo, expectedBound, importance } from './latent-bounds';
import { marginal, posterior } from './latent-linear';
import { sphere } from './latent-sphere';
import { freeBits, patternNats } from './latent-use';

export const hidden: Readonly<Record<string, Hidden>> = {
  'vae.marginal': marginal,
  'vae.posterior': posterior,
  'vae.elbo': elbo,
  'vae.expectedBound': expectedBound,
  'vae.patternNats': patternNats,
  'vae.freeBits': freeBits,
  'vae.sphere': sphere,
  'vae.importance': importance,
};
