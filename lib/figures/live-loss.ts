/** A loss curve that grows while training runs. */
import { randomUUID } from 'node:crypto';
import { host } from '../host/host';
import { chartBundle } from './chart';
import { lossChart, type LossOptions, type Training } from './loss-chart';

const INTERVAL_MS = 500; // a figure is some kilobytes for every message, and its page draws it anew

/** What `fit` and `em` tell of every epoch, and of their end. */
export interface LiveFigure {
  (epoch: Training['history'][number]): void;
  /** Draws what is not drawn yet: a program may end before the next drawing is due. */
  readonly done?: () => void;
}

/**
 * For `onEpoch` of `fit` and `em`: shows the loss curve under the cell, and again in its place as epochs come in, at
 * most twice a second and once more when training has ended. Without a notebook it draws nothing and says so.
 */
export function liveLoss(options: LossOptions = {}): LiveFigure {
  const here = host();
  if (!here) {
    console.error('liveLoss: no notebook runs this, so there is no figure; the progress line tells the loss.');
    return () => undefined;
  }
  const id = randomUUID();
  const history: Training['history'][number][] = [];
  let shown = false;
  let waiting: NodeJS.Timeout | undefined;
  let last = -Infinity;
  const draw = () => {
    clearTimeout(waiting);
    waiting = undefined;
    last = performance.now();
    here.display(chartBundle(lossChart({ history, best: bestOf(history) }, options), options), { id, update: shown });
    shown = true;
  };
  const hear = (epoch: Training['history'][number]): void => {
    history.push(epoch);
    const rest = last + INTERVAL_MS - performance.now();
    if (rest <= 0) draw();
    else waiting ??= setTimeout(draw, rest);
  };
  return Object.assign(hear, { done: () => waiting && draw() });
}

function bestOf(history: Training['history']): { readonly epoch: number; readonly validation: number } | null {
  return history.reduce<{ readonly epoch: number; readonly validation: number } | null>(
    (best, { epoch, validation }) =>
      validation !== undefined && validation < (best?.validation ?? Infinity) ? { epoch, validation } : best,
    null,
  );
}
