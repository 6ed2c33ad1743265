/** Chapter 15, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import type { Hidden } from '../../exercise/exercise';
import { apart, losses, optimum, slopes } from './gan-games';
import { coverage, penalty, round } from './gan-training';

export const hidden: Readonly<Record<string, Hidden>> = {
  'gan.optimum': optimum,
  'gan.slopes': slopes,
  'gan.losses': losses,
  'gan.round': round,
  'gan.apart': apart,
  'gan.penalty': penalty,
  'gan.coverage': coverage,
};
