/** Chapter 12, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import type { Hidden } from '../../exercise/exercise';
import { likelihood, paths, views } from './match-flows';
import { langevin, reverse } from './score-dynamics';
import { denoising, mixture } from './score-fields';

export const hidden: Readonly<Record<string, Hidden>> = {
  'score.mixture': mixture,
  'score.denoising': denoising,
  'score.langevin': langevin,
  'score.reverse': reverse,
  'match.views': views,
  'match.paths': paths,
  'match.likelihood': likelihood,
};
