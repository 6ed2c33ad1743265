/** Chapter 8: latent variables and variational auto-encoders. */
import type { Exercise } from '../../exercise/exercise';
import { elbo, expectedBound, importance } from './latent-bounds';
import { marginal, posterior } from './latent-linear';
import { sphere } from './latent-sphere';
import { freeBits, patternNats } from './latent-use';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  marginal,
  posterior,
  elbo,
  expectedBound,
  patternNats,
  freeBits,
  sphere,
  importance,
];
