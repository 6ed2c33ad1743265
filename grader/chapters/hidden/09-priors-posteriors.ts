/** Chapter 9, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import type { Hidden } from '../../exercise/exercise';
import { autoregressive, reflections } from './posterior-flows';
import { apart, gain } from './prior-aggregate';
import { flow, resampled, vamp } from './prior-densities';

export const hidden: Readonly<Record<string, Hidden>> = {
  'prior.apart': apart,
  'prior.gain': gain,
  'prior.vamp': vamp,
  'prior.resampled': resampled,
  'posterior.reflections': reflections,
  'posterior.autoregressive': autoregressive,
  'prior.flow': flow,
};
