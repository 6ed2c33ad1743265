/** Steps 4 and 5: minibatches, an optimiser, a held-out set to stop by, and the best weights kept. */
import * as tf from '@tensorflow/tfjs';
import { batches, consume, exampleCount, take } from '../core/batches';
import { createSteppers, requireFinite, type Device, type StepState, type Steppers } from '../engine';
import { evaluate } from '../evaluation/evaluation';
import { host } from '../host/host';
import type { Batch, GenerativeModel, Rng } from '../core/model';
import { adam, type Optimiser } from '../optimisers/optimisers';
import { progressLine } from '../host/progress';
import { permutation } from '../core/random';
import { getWeights, loadJson, saveJson, setWeights, type Weight } from '../core/weights';

export interface TrainingData {
  readonly train: Batch;
  /** Held out: chooses the best epoch and when to stop. */
  readonly validation?: Batch;
}

export interface FitOptions {
  /** Passes over the training set, at most. */
  readonly epochs: number;
  readonly batchSize: number;
  /** Default: Adam with learning rate 0.001. */
  readonly optimiser?: Optimiser;
  /**
   * Decay β in (0, 1) of a moving average of the weights, w̄ ← β w̄ + (1 − β) w after every step (Kingma and Ba, 2015,
   * section 7.2; Polyak and Juditsky, 1992). The average is what is validated, kept as the best, seen by `onEpoch`, and
   * left in the model; training goes on from the weights themselves. Default: no average.
   */
  readonly ema?: number;
  /** Stop after this many epochs without a better validation loss. Default: never. */
  readonly patience?: number;
  readonly rng: Rng;
  /** Ends training after the current step; the notebook's stop button does so by itself. */
  readonly signal?: AbortSignal;
  /** A checkpoint to go on from: the result is the same as if training had never stopped. */
  readonly resume?: Checkpoint;
  /** Called after every epoch, for a live figure or to save the checkpoint. */
  readonly onEpoch?: EpochListener;
  /** 'eager' runs every step on TensorFlow.js, for comparison. Default: 'auto', compiled where the loss can be traced. */
  readonly engine?: 'auto' | 'eager';
  /** What compiled steps run on: the fastest when measured, or a named one. Default: DGM_DEVICE, else 'auto'. */
  readonly device?: Device;
  /** No progress line. */
  readonly quiet?: boolean;
}

/** Hears of every epoch, and of the end if it wants to. */
export interface EpochListener {
  (epoch: Epoch, checkpoint: Checkpoint): void;
  /** Called once when training has ended, also by the stop button or by an error. */
  readonly done?: () => void;
}

/** One pass over the training set, in nats per example. */
export interface Epoch {
  readonly epoch: number;
  /** Mean training loss, measured while the weights moved: the sum over the objectives. */
  readonly loss: number;
  /** Loss on the validation set after the epoch. */
  readonly validation?: number;
}

/** The epoch with the lowest validation loss, and its weights (their average with `ema`). */
export interface Best {
  readonly epoch: number;
  readonly validation: number;
  readonly weights: readonly Weight[];
}

/** Where training stands after an epoch; plain data, see `saveCheckpoint`. */
export interface Checkpoint {
  readonly format: 'dgm-checkpoint';
  readonly version: 1;
  readonly history: readonly Epoch[];
  /** The weights themselves, whether or not an average is kept. */
  readonly weights: readonly Weight[];
  readonly optimisers: readonly StepState[];
  readonly best: Best | null;
}

export interface FitResult {
  readonly history: readonly Epoch[];
  /** The epoch whose weights the model has now; null without validation data. */
  readonly best: { readonly epoch: number; readonly validation: number } | null;
  readonly stopped: 'epochs' | 'patience' | 'interrupted';
  readonly milliseconds: number;
  /** Give this to `fit` to go on. */
  readonly checkpoint: Checkpoint;
}

/**
 * Minimises every objective of the model by minibatch steps, in turn. With validation data the model ends with
 * the weights of its best epoch (early stopping: Prechelt, 1998); without, with the last.
 * @throws when a loss is not finite; the model then has its best weights so far
 */
export async function fit(model: GenerativeModel, data: TrainingData, options: FitOptions): Promise<FitResult> {
  checkOptions(model, options);
  const run = startRun(model, data, options);
  const signal = anySignal(options.signal, host()?.interruptSignal());
  const line = progressLine({ quiet: options.quiet ?? false });
  const started = performance.now();
  let stopped: FitResult['stopped'] = 'epochs';
  try {
    while (run.history.length < options.epochs) {
      if (exhausted(run, options.patience)) stopped = 'patience';
      else if (!(await runEpoch(run, signal, line))) stopped = 'interrupted';
      if (stopped !== 'epochs') break;
      options.onEpoch?.(run.history.at(-1)!, run.checkpoint);
    }
    if (stopped === 'epochs' && exhausted(run, options.patience)) stopped = 'patience';
  } finally {
    await run.steppers.dispose();
    if (run.best) setWeights(model, run.best.weights);
    else run.steppers.writeAverage();
    options.onEpoch?.done?.();
  }
  const milliseconds = performance.now() - started;
  line.done(summary(run, stopped, milliseconds));
  return {
    history: run.history,
    best: run.best && { epoch: run.best.epoch, validation: run.best.validation },
    stopped,
    milliseconds,
    checkpoint: run.checkpoint,
  };
}

/** Writes a checkpoint to a file. */
export function saveCheckpoint(checkpoint: Checkpoint, file: string): void {
  saveJson(file, checkpoint);
}

/** Reads a checkpoint that `saveCheckpoint` wrote. */
export function loadCheckpoint(file: string): Checkpoint {
  const content = loadJson(file) as Partial<Checkpoint> | null;
  const complete = [content?.history, content?.weights, content?.optimisers].every(Array.isArray);
  if (content?.format !== 'dgm-checkpoint' || content.version !== 1 || !complete)
    throw new Error(
      `${file}: expected a checkpoint of format dgm-checkpoint 1, got ${String(content?.format)} ${String(content?.version)}${complete ? '' : ', incomplete'}`,
    );
  return content as Checkpoint;
}

interface Run {
  readonly model: GenerativeModel;
  readonly data: TrainingData;
  readonly options: FitOptions;
  readonly steppers: Steppers;
  history: Epoch[];
  best: Best | null;
  checkpoint: Checkpoint;
  /** When the event loop last had a turn. */
  lastYield: number;
}

function startRun(model: GenerativeModel, data: TrainingData, options: FitOptions): Run {
  const optimiser = options.optimiser ?? adam(1e-3);
  const objectives = model.objectives.length;
  if (options.resume && options.resume.optimisers.length !== objectives)
    throw new Error(
      `resume: the model has ${objectives} objectives, the checkpoint ${options.resume.optimisers.length}; use the same model`,
    );
  const steppers = createSteppers(model.objectives, optimiser, {
    engine: options.engine ?? 'auto',
    device: options.device,
    ema: options.ema,
  });
  const { resume } = options;
  if (resume) {
    steppers.each.forEach((stepper, i) => stepper.restore(resume.optimisers[i]!));
    setWeights(model, resume.weights);
    steppers.read();
  }
  const run = { model, data, options, steppers, history: [...(resume?.history ?? [])], best: resume?.best ?? null };
  return { ...run, checkpoint: checkpointOf(run, getWeights(model)), lastYield: performance.now() };
}

function checkpointOf(run: Omit<Run, 'checkpoint' | 'lastYield'>, weights: readonly Weight[]): Checkpoint {
  return {
    format: 'dgm-checkpoint',
    version: 1,
    history: [...run.history],
    weights,
    optimisers: run.steppers.each.map((stepper) => stepper.state()),
    best: run.best,
  };
}

/** False when the signal came before the epoch was complete; the checkpoint then stays at the epoch before. */
async function runEpoch(run: Run, signal: AbortSignal, line: ReturnType<typeof progressLine>): Promise<boolean> {
  const { data, options, model } = run;
  const epoch = run.history.length + 1;
  const rng = options.rng.fork(`epoch ${epoch}`);
  const n = exampleCount(data.train);
  const order = permutation(n, rng.fork('order'));
  const started = performance.now();
  let sum = 0;
  run.steppers.write(); // in place of their average
  for (let start = 0, b = 0; start < n; start += options.batchSize, b++) {
    if (signal.aborted) return false;
    const batch = take(data.train, order.slice(start, start + options.batchSize));
    const where = `epoch ${epoch}, batch ${b + 1}`;
    const loss = await stepAll(run.steppers, batch, rng.fork(`batch ${b}`), where).finally(() => batch.dispose());
    sum += loss * Math.min(options.batchSize, n - start);
    if (performance.now() - run.lastYield > YIELD_MS) {
      line.update(status(run, epoch, sum / Math.min(n, start + options.batchSize), b + 1, performance.now() - started));
      await new Promise((resolve) => setImmediate(resolve));
      run.lastYield = performance.now();
    }
  }
  run.steppers.write();
  const weights = getWeights(model);
  run.steppers.writeAverage();
  const validation = data.validation && validationLoss(model, data.validation, options.rng.fork('validation'));
  if (validation !== undefined && Number.isNaN(validation))
    requireFinite('validation loss', validation, `epoch ${epoch}`);
  run.history.push({ epoch, loss: sum / n, ...(validation === undefined ? {} : { validation }) });
  if (validation !== undefined && validation < (run.best?.validation ?? Infinity))
    run.best = { epoch, validation, weights: getWeights(model) };
  run.checkpoint = checkpointOf(run, weights);
  return true;
}

const YIELD_MS = 30; // often enough for the stop button, seldom enough to cost nothing

async function stepAll(steppers: Steppers, batch: Batch, rng: Rng, where: string): Promise<number> {
  let total = 0;
  for (const stepper of steppers.each) total += await stepper.step(batch, rng.fork(stepper.objective.name), where);
  return total;
}

/** −log p(x) where the model has one, else its objectives on held-out data. */
function validationLoss(model: GenerativeModel, data: Batch, rng: Rng): number {
  if ('logProb' in model.likelihood) return evaluate(model, data, rng).nats;
  let sum = 0;
  for (const [index, batch] of batches(data, 500).entries())
    sum += consume(batch, (b) => b.x.shape[0]! * objectiveSum(model, b, rng.fork(`batch ${index}`)));
  return sum / exampleCount(data);
}

function objectiveSum(model: GenerativeModel, batch: Batch, rng: Rng): number {
  return model.objectives.reduce(
    (sum, objective) => sum + tf.tidy(() => objective.loss(batch, rng.fork(objective.name)).dataSync()[0]!),
    0,
  );
}

function exhausted(run: Run, patience: number | undefined): boolean {
  return patience !== undefined && run.best !== null && run.history.length - run.best.epoch >= patience;
}

function checkOptions(model: GenerativeModel, { epochs, batchSize, patience, ema }: FitOptions): void {
  if (model.objectives.length === 0) throw new Error('fit: the model has no objective, so there is nothing to train');
  for (const [name, value] of Object.entries({ epochs, batchSize, patience: patience ?? 1 }))
    if (!Number.isInteger(value) || value < 1) throw new Error(`fit: ${name} must be an integer ≥ 1, got ${value}`);
  if (ema !== undefined && !(ema > 0 && ema < 1)) throw new Error(`fit: ema must be between 0 and 1, got ${ema}`);
}

function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

function status(run: Run, epoch: number, loss: number, steps: number, elapsed: number): string {
  const perStep = elapsed / steps;
  const stepsLeft =
    Math.ceil(exampleCount(run.data.train) / run.options.batchSize) * (run.options.epochs - epoch + 1) - steps;
  const best = run.best ? ` · validation ${run.best.validation.toFixed(2)} (best, epoch ${run.best.epoch})` : '';
  return (
    `epoch ${epoch}/${run.options.epochs} · loss ${loss.toFixed(2)}${best} · ${perStep.toFixed(1)} ms/step · ` +
    `at most ${seconds(perStep * stepsLeft)} left · ${run.steppers.engine()}`
  );
}

function summary(run: Run, stopped: FitResult['stopped'], milliseconds: number): string {
  const reason = { epochs: 'all epochs done', patience: 'no better for a while', interrupted: 'interrupted' }[stopped];
  const best = run.best
    ? ` · validation ${run.best.validation.toFixed(2)} at epoch ${run.best.epoch}, whose weights are kept`
    : '';
  const loss = run.history.length > 0 ? ` · loss ${run.history.at(-1)!.loss.toFixed(2)}` : '';
  return `${run.history.length} epoch${run.history.length === 1 ? '' : 's'} (${reason})${loss}${best} · ${seconds(milliseconds)} · ${run.steppers.engine()}`;
}

function seconds(milliseconds: number): string {
  const s = milliseconds / 1000;
  return s < 90 ? `${s.toFixed(s < 10 ? 1 : 0)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}
