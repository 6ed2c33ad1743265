/** What a law is. */
import type { GenerativeModel } from 'dgm';
import type { Specimen } from './specimen';

/** Random quantities are compared within 5 standard errors (false alarm 6·10⁻⁷ each), under fixed seeds. */
export interface Law {
  readonly name: string;
  /** Default: every model. */
  appliesTo?(model: GenerativeModel, specimen: Specimen): boolean;
  check(specimen: Specimen): Promise<void>;
}

export const isExact = ({ likelihood }: GenerativeModel): boolean => likelihood.kind === 'exact';
export const isBound = ({ likelihood }: GenerativeModel): boolean =>
  likelihood.kind === 'lower-bound' || (likelihood.kind === 'estimate' && likelihood.logWeights !== undefined);
export const hasLogProb = ({ likelihood }: GenerativeModel): boolean => 'logProb' in likelihood;
