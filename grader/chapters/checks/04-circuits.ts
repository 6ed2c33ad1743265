/** Chapter 4: probabilistic circuits. */
import type { Exercise } from '../../exercise/exercise';
import { choose, emSum, halvesTell, sumLayer } from './circuit-layers';
import { complete } from './circuit-sampling';
import { information, predictedKl, spanningTree } from './circuit-trees';
import { evaluate, violation } from './circuit-units';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  violation,
  evaluate,
  information,
  spanningTree,
  sumLayer,
  emSum,
  halvesTell,
  complete,
  choose,
  predictedKl,
];
