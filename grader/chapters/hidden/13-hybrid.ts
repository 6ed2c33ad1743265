/** Chapter 13, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import type { Hidden } from '../../exercise/exercise';
import { loss, nats, power } from './hybrid-joint';
import { bound, typical } from './hybrid-latents';
import { narrow, together } from './hybrid-predictions';

export const hidden: Readonly<Record<string, Hidden>> = {
  'hybrid.loss': loss,
  'hybrid.power': power,
  'hybrid.blended': together,
  'hybrid.narrow': narrow,
  'hybrid.typical': typical,
  'diva.bound': bound,
  'hybrid.nats': nats,
};
