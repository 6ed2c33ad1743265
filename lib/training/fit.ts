/** Steps 4 and 5: minibatches, an optimiser, a held-out set to stop by, and the best weights kept. */
import * as tf from '@tensorflow/tfjs';
import { batches, consume, exampleCount, take } from '../core/batches';
import { requireCounts } from '../core/counts';
import { createSteppers, type Device, type Steppers } from '../engine';
import { evaluate } from '../evaluation/evaluation';
import type { Batch, GenerativeModel, Rng } from '../core/model';
import { adam, type Optimiser } from '../optimisers/optimisers';
import { permutation } from '../core/random';
import { getWeights, setWeights, type Weight } from '../core/weights';
import { stepsOf, type Checkpoint } from './checkpoint';
import { namingFaultyData } from './data-fault';
import { seconds, train, whyNoBest } from './loop';
import type { Epoch, Outcome, Pulse, Standing, TrainingData } from './loop';

export interface FitOptions {
  /** Passes over the training set, at most. */
  readonly epochs: number;
  readonly batchSize: number;
  /** Of every objective that has none of its own. Default: Adam with learning rate 0.001. */
  readonly optimiser?: Optimiser;
  /**
   * Decay β in (0, 1) of a moving average of the weights, w̄ ← β w̄ + (1 − β) w after every step (Kingma and Ba, 2015,
   * section 7.2; Polyak and Juditsky, 1992). The average is what is validated, kept as the best, seen by `onEpoch`, and
   * left in the model; training goes on from the weights themselves. Default: no average.
   */
  readonly ema?: number;
  /**
   * Stop after this many epochs without a better validation loss, the first finite one being better than none.
   * Default: never.
   */
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

export interface FitResult {
  readonly history: readonly Epoch[];
  /** The epoch whose weights the model has now; null without validation data, or while every loss on it is infinite. */
  readonly best: { readonly epoch: number; readonly validation: number } | null;
  readonly stopped: 'epochs' | 'patience' | 'interrupted';
  readonly milliseconds: number;
  /** Give this to `fit` to go on. */
  readonly checkpoint: Checkpoint;
}

/**
 * Minimises every objective of the model by minibatch steps: at every step of training, each objective whose turn it is
 * makes a step of its own, in the order of the list. With validation data the model ends with the weights of its best
 * epoch (early stopping: Prechelt, 1998); without, with the last. Memories end as the last step left them.
 * @throws when a loss is not finite, with the example where the data are not; the model then has its best weights so far
 * @example
 * const model = gaussianMixture.create(gaussianMixture.tiny.config, createRng(1));
 * const train = { x: createRng(2).normal([100, 2]) };
 * const { history } = await fit(model, { train }, { epochs: 3, batchSize: 50, rng: createRng(3), quiet: true });
 * history.length // → 3
 */
export async function fit(model: GenerativeModel, data: TrainingData, options: FitOptions): Promise<FitResult> {
  checkOptions(model, options);
  const run = startRun(model, data, options);
  const { epochs, patience, signal, quiet, resume } = options;
  const outcome = await train(
    model,
    {
      name: 'fit',
      complete: 'epochs',
      epoch: (standing, pulse) => namingFaultyData('fit', data, () => runEpoch(run, standing, pulse)),
      recorded(standing) {
        run.checkpoint = checkpointOf(run, standing);
        options.onEpoch?.(standing.history.at(-1)!, run.checkpoint);
      },
      async close() {
        await run.steppers.dispose();
        run.steppers.writeAverage();
      },
      ended: () => options.onEpoch?.done?.(),
      summary: (ended) => `${summary(ended)} · ${run.steppers.engine()}`,
    },
    { ...{ epochs, patience, signal, quiet }, ...(resume && { from: standingOf(resume) }) },
  );
  const { history, best, stopped, milliseconds } = outcome;
  return {
    ...{ history, stopped, milliseconds, checkpoint: run.checkpoint },
    best: best && { epoch: best.epoch, validation: best.validation },
  };
}

interface Run {
  readonly model: GenerativeModel;
  readonly data: TrainingData;
  readonly options: FitOptions;
  readonly steppers: Steppers;
  /** Steps of training made. */
  steps: number;
  /** After the last complete epoch. */
  weights: readonly Weight[];
  checkpoint: Checkpoint;
}

function startRun(model: GenerativeModel, data: TrainingData, options: FitOptions): Run {
  const { resume, engine = 'auto', device, ema } = options;
  const objectives = model.objectives.length;
  if (resume && resume.optimisers.length !== objectives)
    throw new Error(
      `resume: the model has ${objectives} objectives, the checkpoint ${resume.optimisers.length}; use the same model`,
    );
  const steppers = createSteppers(model.objectives, options.optimiser ?? adam(1e-3), { engine, device, ema });
  if (resume) {
    steppers.each.forEach((stepper, i) => stepper.restore(resume.optimisers[i]!));
    steppers.write(); // the memories
    setWeights(model, resume.weights);
    steppers.read();
  }
  const run = { model, data, options, steppers, steps: resume ? stepsOf(resume) : 0, weights: getWeights(model) };
  return { ...run, checkpoint: checkpointOf(run, standingOf(resume)) };
}

const standingOf = (checkpoint?: Checkpoint): Standing => ({
  history: checkpoint?.history ?? [],
  best: checkpoint?.best ?? null,
});

function checkpointOf({ steppers, steps, weights }: Omit<Run, 'checkpoint'>, { history, best }: Standing): Checkpoint {
  return {
    format: 'dgm-checkpoint',
    version: 1,
    ...{ history: [...history], weights, steps, best },
    optimisers: steppers.each.map((stepper) => stepper.state()),
  };
}

/** Undefined when the signal came before the epoch was complete; the checkpoint then stays at the epoch before. */
async function runEpoch(run: Run, standing: Standing, pulse: Pulse): Promise<Epoch | undefined> {
  const { data, options, model, steppers } = run;
  const epoch = standing.history.length + 1;
  const rng = options.rng.fork(`epoch ${epoch}`);
  const n = exampleCount(data.train);
  const order = permutation(n, rng.fork('order'));
  const started = performance.now();
  const tally = createTally(steppers);
  steppers.write(); // in place of their average
  for (let start = 0, b = 0; start < n; start += options.batchSize, b++) {
    if (pulse.signal.aborted) return undefined;
    const batch = take(data.train, order.slice(start, start + options.batchSize));
    const where = `epoch ${epoch}, batch ${b + 1}`;
    await stepAll(run, batch, rng.fork(`batch ${b}`), { where, tally }).finally(() => batch.dispose());
    if (pulse.due()) await pulse.show(status(run, standing, { loss: tally.mean(), steps: b + 1, started }));
  }
  steppers.write();
  run.weights = getWeights(model);
  steppers.writeAverage();
  const validation = data.validation && validationLoss(model, data.validation, options.rng.fork('validation'));
  return { epoch, loss: tally.mean(), ...(validation === undefined ? {} : { validation }) };
}

/** The losses of an epoch so far. */
interface Tally {
  add(objective: number, loss: number, examples: number): void;
  /** The sum of every objective's mean over the examples of its own steps; one that made none adds nothing. */
  mean(): number;
}

function createTally({ each }: Steppers): Tally {
  const sums = each.map(() => ({ loss: 0, examples: 0 }));
  return {
    add(objective, loss, examples) {
      sums[objective]!.loss += loss * examples;
      sums[objective]!.examples += examples;
    },
    mean: () => sums.reduce((sum, { loss, examples }) => sum + (examples === 0 ? 0 : loss / examples), 0),
  };
}

/** One step of training: of every objective whose turn it is. */
async function stepAll(
  run: Run,
  batch: Batch,
  rng: Rng,
  { where, tally }: { readonly where: string; readonly tally: Tally },
): Promise<void> {
  run.steps++;
  for (const [i, { objective, step }] of run.steppers.each.entries())
    if (run.steps % (objective.every ?? 1) === 0)
      tally.add(i, await step(batch, rng.fork(objective.name), where), batch.x.shape[0]!);
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

function checkOptions({ objectives }: GenerativeModel, { epochs, batchSize, patience = 1, ema }: FitOptions): void {
  if (objectives.length === 0) throw new Error('fit: the model has no objective, so there is nothing to train');
  requireCounts('fit', { epochs, batchSize, patience });
  for (const { name, every = 1 } of objectives) requireCounts(`fit: objective '${name}'`, { every });
  if (ema !== undefined && !(ema > 0 && ema < 1)) throw new Error(`fit: ema must be between 0 and 1, got ${ema}`);
}

function status(
  { data, options, steppers }: Run,
  { history, best }: Standing,
  { loss, steps, started }: { readonly loss: number; readonly steps: number; readonly started: number },
): string {
  const perStep = (performance.now() - started) / steps;
  const left = Math.ceil(exampleCount(data.train) / options.batchSize) * (options.epochs - history.length) - steps;
  const kept = best ? ` · validation ${best.validation.toFixed(2)} (best, epoch ${best.epoch})` : '';
  return (
    `epoch ${history.length + 1}/${options.epochs} · loss ${loss.toFixed(2)}${kept} · ${perStep.toFixed(1)} ms/step · ` +
    `at most ${seconds(perStep * left)} left · ${steppers.engine()}`
  );
}

function summary(outcome: Outcome<'epochs'>): string {
  const { history, best, stopped, milliseconds } = outcome;
  const reason = { epochs: 'all epochs done', patience: 'no better for a while', interrupted: 'interrupted' }[stopped];
  const loss = history.length > 0 ? ` · loss ${history.at(-1)!.loss.toFixed(2)}` : '';
  const why = whyNoBest(outcome);
  const validation = best
    ? ` · validation ${best.validation.toFixed(2)} at epoch ${best.epoch}, whose weights are kept`
    : why && ` · validation Infinity${why}`;
  return `${history.length} epoch${history.length === 1 ? '' : 's'} (${reason})${loss}${validation} · ${seconds(milliseconds)}`;
}
