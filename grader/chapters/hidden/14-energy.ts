/** Chapter 14, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import type { Hidden } from '../../exercise/exercise';
import { anneal, chains } from './energy-annealing';
import { free, gibbs, gradient } from './energy-boltzmann';
import { noise, refresh, temperature } from './energy-training';

export const hidden: Readonly<Record<string, Hidden>> = {
  'energy.free': free,
  'energy.gibbs': gibbs,
  'energy.gradient': gradient,
  'energy.noise': noise,
  'energy.temperature': temperature,
  'energy.chains': chains,
  'energy.anneal': anneal,
  'energy.refresh': refresh,
};
