/** Chapter 11: diffusion. */
import type { Exercise } from '../../exercise/exercise';
import { cost, reverse, weight } from './diffusion-gaussian';
import { guidance, masked } from './diffusion-masks';
import { shares, untrained } from './diffusion-predictions';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [reverse, cost, shares, weight, untrained, masked, guidance];
