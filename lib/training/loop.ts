/**
 * What every training shares, whatever makes an epoch of it: the record, the best epoch by held-out data, when to stop,
 * the progress line, and turns for the event loop, by which the stop button gets through.
 */
import type { Batch, GenerativeModel } from '../core/model';
import { getWeights, setWeights, type Weight } from '../core/weights';
import { host } from '../host/host';
import { progressLine } from '../host/progress';

export interface TrainingData {
  readonly train: Batch;
  /** Held out: chooses the best epoch and when to stop. */
  readonly validation?: Batch;
}

/** One pass over the training set, in nats per example. */
export interface Epoch {
  readonly epoch: number;
  /**
   * Mean training loss, measured while the weights moved: the sum over the objectives, each over the steps it made in
   * the epoch.
   */
  readonly loss: number;
  /** Loss on the validation set after the epoch: Infinity where some of it has probability 0. */
  readonly validation?: number;
}

/** The epoch with the lowest validation loss, and its weights (their average with `ema`). */
export interface Best {
  readonly epoch: number;
  readonly validation: number;
  readonly weights: readonly Weight[];
}

/** Where training stands after an epoch. */
export interface Standing {
  readonly history: readonly Epoch[];
  /** Null without validation data, and until a validation loss is finite. */
  readonly best: Best | null;
}

/** What an epoch tells whoever watches. */
export interface Pulse {
  /** Ends training after the current step: the caller's signal, or the notebook's stop button. */
  readonly signal: AbortSignal;
  /** True when the event loop has waited long enough for a turn. */
  due(): boolean;
  /** Shows this on the progress line, and gives the event loop a turn. */
  show(text: string): Promise<void>;
}

/** How one kind of training makes its epochs, and names its ends. */
export interface Course<Ending extends string> {
  readonly name: string;
  /** When all epochs are done. */
  readonly complete: Ending;
  /** The next epoch, after which the model has the weights to be judged; undefined when the signal came before its end. */
  epoch(standing: Standing, pulse: Pulse): Promise<Epoch | undefined>;
  /** Hears of every epoch that is on record. */
  recorded(standing: Standing): void;
  /** A reason of its own to end after this epoch. */
  enough?(standing: Standing): Ending | undefined;
  /** Leaves the last weights in the model; called also when an epoch threw. */
  close(): Promise<void>;
  /** All is over, and the model has its weights; called also when an epoch threw. */
  ended(): void;
  /** The last line. */
  summary(outcome: Outcome<Ending>): string;
}

export interface LoopOptions {
  /** At most. */
  readonly epochs: number;
  /** Stop after this many epochs with a validation loss, and none of them better than the best. Default: never. */
  readonly patience?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly quiet?: boolean | undefined;
  /** Where to go on from. Default: the beginning. */
  readonly from?: Standing | undefined;
}

export interface Outcome<Ending extends string> extends Standing {
  readonly stopped: Ending | 'patience' | 'interrupted';
  readonly milliseconds: number;
}

/**
 * Epoch after epoch until an ending. The model ends with the weights of its best epoch (early stopping: Prechelt, 1998),
 * also when an epoch throws; where no epoch is best, with the last.
 * @throws when a validation loss is NaN or −Infinity, of which nothing can be the best
 */
export async function train<Ending extends string>(
  model: GenerativeModel,
  course: Course<Ending>,
  { epochs, patience, signal, quiet = false, from }: LoopOptions,
): Promise<Outcome<Ending>> {
  const started = performance.now();
  const line = progressLine({ quiet });
  const pulse = createPulse(line, signal);
  let standing = from ?? { history: [], best: null };
  let stopped: Outcome<Ending>['stopped'] | undefined = exhausted(standing, patience) ? 'patience' : undefined;
  try {
    while (stopped === undefined && standing.history.length < epochs) {
      const record = pulse.signal.aborted ? undefined : await course.epoch(standing, pulse);
      if (record) {
        standing = after(standing, record, model, course.name);
        course.recorded(standing);
        stopped = course.enough?.(standing) ?? (exhausted(standing, patience) ? 'patience' : undefined);
      } else stopped = 'interrupted';
    }
  } finally {
    await course.close();
    if (standing.best) setWeights(model, standing.best.weights);
    course.ended();
  }
  const milliseconds = performance.now() - started;
  const outcome = { ...standing, stopped: stopped ?? course.complete, milliseconds };
  line.done(course.summary(outcome));
  return outcome;
}

/** The record with one epoch more. */
function after({ history, best }: Standing, record: Epoch, model: GenerativeModel, course: string): Standing {
  const { epoch, validation } = record;
  if (validation !== undefined && !(validation > -Infinity))
    throw new Error(
      `${course}: the validation loss is ${validation} after epoch ${epoch}; look for a logarithm or division of 0, ` +
        'or a density without bound',
    );
  const better = validation !== undefined && validation < (best?.validation ?? Infinity);
  return {
    history: [...history, record],
    best: better ? { epoch, validation, weights: getWeights(model) } : best,
  };
}

/**
 * True when as many epochs as patience has were judged since the best. Where none was best, because every validation
 * loss is infinite, since the beginning: the first finite one would be better.
 */
function exhausted({ history, best }: Standing, patience = Infinity): boolean {
  const since = history.slice(best?.epoch ?? 0).filter(({ validation }) => validation !== undefined);
  return since.length >= patience;
}

const YIELD_MS = 30; // often enough for the stop button, seldom enough to cost nothing

function createPulse(line: ReturnType<typeof progressLine>, asked: AbortSignal | undefined): Pulse {
  const signals = [asked, host()?.interruptSignal()].filter((signal) => signal !== undefined);
  let turned = performance.now();
  return {
    signal: AbortSignal.any(signals),
    due: () => performance.now() - turned > YIELD_MS,
    async show(text) {
      line.update(text);
      await new Promise((resolve) => setImmediate(resolve));
      turned = performance.now();
    },
  };
}

/** For the last line: why no epoch is the best, where held-out data were looked at. */
export function whyNoBest({ history, best }: Standing): string {
  return best === null && history.at(-1)?.validation === Infinity
    ? ' (some held-out examples have probability 0: no epoch is the best, the last weights are kept)'
    : '';
}

/** A duration for a reader. */
export function seconds(milliseconds: number): string {
  const s = milliseconds / 1000;
  return s < 90 ? `${s.toFixed(s < 10 ? 1 : 0)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}
