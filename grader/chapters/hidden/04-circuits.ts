/** Chapter 4, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import type { Hidden } from '../../exercise/exercise';
import { choose, emSum, halvesTell, sumLayer } from './circuit-layers';
import { complete } from './circuit-sampling';
import { information, predictedKl, spanningTree } from './circuit-trees';
import { evaluate, violation } from './circuit-units';

export const hidden: Readonly<Record<string, Hidden>> = {
  'circuit.violation': violation,
  'circuit.evaluate': evaluate,
  'circuit.mutualInformation': information,
  'circuit.spanningTree': spanningTree,
  'circuit.sumLayer': sumLayer,
  'circuit.emSum': emSum,
  'circuit.halvesTell': halvesTell,
  'circuit.complete': complete,
  'circuit.choose': choose,
  'circuit.predictedKl': predictedKl,
};
