/** Chapter 14: energy-based models. */
import type { Exercise } from '../../exercise/exercise';
import { anneal, chains } from './energy-annealing';
import { free, gibbs, gradient } from './energy-boltzmann';
import { refresh, temperature } from './energy-langevin';
import { noise } from './energy-noise';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [free, gibbs, gradient, noise, temperature, chains, anneal, refresh];
