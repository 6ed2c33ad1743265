/**
 * The laws every family obeys, as functions of a small model. A law asks what the model declares of itself (the kind
 * of its likelihood, its support, its objectives, a bijection), never which family it is.
 */
import type { GenerativeModel } from 'dgm';
import { generalLaws } from './general';
import type { Law } from './law';
import { likelihoodLaws } from './likelihood';
import { bijectionLaws } from './bijection';
import { samplingLaws } from './sampling';
import type { Specimen } from './specimen';
import { trainingLaws } from './training';

export const laws: readonly Law[] = [
  ...generalLaws,
  ...likelihoodLaws,
  ...bijectionLaws,
  ...samplingLaws,
  ...trainingLaws,
];

/** The laws that hold for a model like this one. */
export const lawsOf = (model: GenerativeModel, specimen: Specimen): readonly Law[] =>
  laws.filter((law) => law.appliesTo?.(model, specimen) ?? true);
