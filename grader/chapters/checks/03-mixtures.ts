/** Chapter 3: mixtures. */
import type { Exercise } from '../../exercise/exercise';
import { chooseComponents, collapseGain } from './mixture-choice';
import { logMixture, logNormal, responsibilities } from './mixture-density';
import { emLoop, tablesLeft } from './mixture-em';
import { gaussianMStep } from './mixture-gaussian-step';
import { mStep } from './mixture-m-steps';
import { sample } from './mixture-sampling';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  logNormal,
  responsibilities,
  mStep,
  gaussianMStep,
  emLoop,
  chooseComponents,
  sample,
  logMixture,
  collapseGain,
  tablesLeft,
];
