/** Chapter 9: priors and posteriors of variational auto-encoders. */
import type { Exercise } from '../../exercise/exercise';
import { autoregressive, reflections } from './posterior-flows';
import { apart, gain } from './prior-aggregate';
import { flow, resampled, vamp } from './prior-densities';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [vamp, resampled, reflections, autoregressive, apart, gain, flow];
