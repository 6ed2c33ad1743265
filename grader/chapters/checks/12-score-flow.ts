/** Chapter 12: score and flow matching. */
import type { Exercise } from '../../exercise/exercise';
import { paths, viewed } from './match-flows';
import { likelihood } from './match-likelihood';
import { langevin, reverse } from './score-dynamics';
import { denoising, mixture } from './score-fields';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [mixture, denoising, langevin, reverse, viewed, paths, likelihood];
