/** Chapter 10: hierarchical variational auto-encoders. */
import type { Exercise } from '../../exercise/exercise';
import { ladder } from './hierarchy-ladder';
import { residualKl, terms } from './hierarchy-levels';
import { levelNats, price, sharing } from './hierarchy-nats';

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [residualKl, terms, levelNats, price, sharing, ladder];
