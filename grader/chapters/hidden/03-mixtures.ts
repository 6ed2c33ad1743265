/**
 * Chapter 3, for graders: hidden checks, which know the exercises by other inputs and other laws than the public
 * ones, and the known mistakes. None of it is released.
 */
import type { Hidden } from '../../exercise/exercise';
import { chooseComponents, collapseGain } from './mixture-choice';
import { logMixture, logNormal, responsibilities } from './mixture-density';
import { emLoop, gaussianMStep, mStep, tablesLeft } from './mixture-em';
import { sample } from './mixture-sampling';

export const hidden: Readonly<Record<string, Hidden>> = {
  'mixture.logNormal': logNormal,
  'mixture.responsibilities': responsibilities,
  'mixture.mStep': mStep,
  'mixture.gaussianMStep': gaussianMStep,
  'mixture.emLoop': emLoop,
  'mixture.chooseComponents': chooseComponents,
  'mixture.sample': sample,
  'mixture.logMixture': logMixture,
  'mixture.collapseGain': collapseGain,
  'mixture.tablesLeft': tablesLeft,
};
