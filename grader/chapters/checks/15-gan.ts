/** Chapter 15: generative adversarial networks. */
import type { Exercise } from '../../exercise/exercise';
import { coverage } from './gan-coverage';
import { apart, losses, optimum, slopes } from './gan-games';
import { penalty } from './gan-penalty';
import { round } from './gan-round';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [optimum, slopes, losses, round, apart, penalty, coverage];
