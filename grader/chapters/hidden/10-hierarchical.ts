/** Chapter 10, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import type { Hidden } from '../../exercise/exercise';
import { ladder, residualKl, terms } from './hierarchy-levels';
import { levelNats, price, sharing } from './hierarchy-nats';

export const hidden: Readonly<Record<string, Hidden>> = {
  'hierarchy.residualKl': residualKl,
  'hierarchy.terms': terms,
  'hierarchy.levelNats': levelNats,
  'hierarchy.price': price,
  'hierarchy.sharing': sharing,
  'hierarchy.ladder': ladder,
};
