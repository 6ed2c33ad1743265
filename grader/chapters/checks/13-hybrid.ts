/** Chapter 13: hybrid models. */
import type { Exercise } from '../../exercise/exercise';
import { loss, nats, power } from './hybrid-joint';
import { bound, typical } from './hybrid-latents';
import { narrow, together } from './hybrid-predictions';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [loss, power, together, narrow, typical, bound, nats];
