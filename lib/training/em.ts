/**
 * Expectation maximisation for models with finite latent variables (Dempster, Laird and Rubin, 1977):
 *   E: r_nk = p(k | x_n) under the present weights;
 *   M: weights ← argmax Σ_n Σ_k r_nk ln p(x_n, k) (+ ln prior, where the model has pseudo-counts).
 * No step lowers the log-likelihood (plus log-prior): there is no learning rate to choose.
 */
import * as tf from '@tensorflow/tfjs';
import { exampleCount } from '../core/batches';
import { compiled } from '../engine';
import { evaluate } from '../evaluation/evaluation';
import { host } from '../host/host';
import type { CountingModel, GenerativeModel, LatentModel, Rng } from '../core/model';
import { progressLine } from '../host/progress';
import type { Best, Epoch, EpochListener, TrainingData } from './fit';
import { getWeights, setWeights } from '../core/weights';

export interface EmOptions {
  /** At most this many iterations. */
  readonly iterations: number;
  /**
   * 'data': a first M-step from the model's `start`; 'weights': go on from the model's weights. Default: 'data' for a
   * model that has a `start`.
   */
  readonly start?: 'data' | 'weights';
  /** Stop when an iteration gains less than this, in nats per training example. Default: 0.001. */
  readonly tolerance?: number;
  /** Stop after this many iterations without a better validation likelihood. Default: never. */
  readonly patience?: number;
  readonly rng: Rng;
  readonly signal?: AbortSignal;
  /** Called after every iteration, for a live figure. */
  readonly onEpoch?: ((iteration: Epoch) => void) & Pick<EpochListener, 'done'>;
  readonly quiet?: boolean;
}

export interface EmResult {
  /** −log p(x) after each iteration, in nats per example: as `fit`'s history, one iteration an epoch. */
  readonly history: readonly Epoch[];
  readonly best: { readonly epoch: number; readonly validation: number } | null;
  readonly stopped: 'iterations' | 'tolerance' | 'patience' | 'interrupted';
  readonly milliseconds: number;
}

/**
 * Trains by EM. With validation data the model ends with the weights of its best iteration.
 * @throws when the likelihood is not finite; the model then has its best weights so far
 */
export async function em(
  model: LatentModel | CountingModel,
  data: TrainingData,
  options: EmOptions,
): Promise<EmResult> {
  checkOptions(options);
  const { iterations, start, tolerance = 1e-3, rng } = options;
  const started = performance.now();
  const line = progressLine({ quiet: options.quiet ?? false });
  const history: Epoch[] = [];
  let best: Best | null = null;
  let stopped: EmResult['stopped'] = 'iterations';
  const { eStep, mStep, first } = stepsOf(model);
  const expectations = compiled(([x]) => eStep(x!));
  if (start === 'data' && !first)
    throw new Error("em: start 'data' needs a model with a `start`; this one starts from its 'weights'");
  if (start !== 'weights' && first) tf.tidy(() => mStep(data.train.x, first(data.train.x, rng.fork('start'))));
  try {
    while (history.length < iterations) {
      if (interrupted(options.signal)) {
        stopped = 'interrupted';
        break;
      }
      tf.tidy(() => mStep(data.train.x, expectations([data.train.x], rng)));
      const record = measure(model, data, history.length + 1, rng);
      const gain = (history.at(-1)?.loss ?? Infinity) - record.loss;
      history.push(record);
      if (record.validation !== undefined && record.validation < (best?.validation ?? Infinity))
        best = { epoch: record.epoch, validation: record.validation, weights: getWeights(model) };
      line.update(status(record, iterations, performance.now() - started));
      options.onEpoch?.(record);
      if (gain < tolerance) stopped = 'tolerance';
      else if (options.patience !== undefined && best && record.epoch - best.epoch >= options.patience)
        stopped = 'patience';
      if (stopped !== 'iterations') break;
      await new Promise((resolve) => setImmediate(resolve)); // lets the stop button through
    }
  } finally {
    if (best) setWeights(model, best.weights);
    options.onEpoch?.done?.();
  }
  const milliseconds = performance.now() - started;
  line.done(
    `EM, ${history.length} iterations (${stopped})${history.length > 0 ? ` · ${describe(history.at(-1)!)}` : ''} · ${(milliseconds / 1000).toFixed(1)} s`,
  );
  return { history, best: best && { epoch: best.epoch, validation: best.validation }, stopped, milliseconds };
}

interface Steps {
  eStep(x: tf.Tensor): tf.Tensor[];
  mStep(x: tf.Tensor, expectations: readonly tf.Tensor[]): void;
  /** What the first M-step starts from. */
  readonly first?: (x: tf.Tensor, rng: Rng) => tf.Tensor[];
}

function stepsOf(model: LatentModel | CountingModel): Steps {
  if ('expectedCounts' in model)
    return { eStep: (x) => model.expectedCounts(x), mStep: (_, counts) => model.maximise(counts) };
  return {
    eStep: (x) => [model.responsibilities(x)],
    mStep: (x, [r]) => model.mStep(x, r!),
    first: (x, rng) => [model.start(x, rng)],
  };
}

function checkOptions({ iterations, patience = 1, tolerance = 0 }: EmOptions): void {
  for (const [name, value] of Object.entries({ iterations, patience }))
    if (!Number.isInteger(value) || value < 1) throw new Error(`em: ${name} must be an integer ≥ 1, got ${value}`);
  if (Number.isNaN(tolerance)) throw new Error('em: tolerance must be a number, got NaN');
}

function measure(model: GenerativeModel, data: TrainingData, epoch: number, rng: Rng): Epoch {
  exampleCount(data.train);
  const loss = evaluate(model, data.train, rng.fork('train')).nats;
  if (!Number.isFinite(loss))
    throw new Error(
      `em: the training likelihood is ${loss} after iteration ${epoch}; look for data outside the model's support`,
    );
  if (!data.validation) return { epoch, loss };
  return { epoch, loss, validation: evaluate(model, data.validation, rng.fork('validation')).nats };
}

function interrupted(signal: AbortSignal | undefined): boolean {
  return (signal?.aborted ?? false) || (host()?.interruptSignal().aborted ?? false);
}

function status(record: Epoch, iterations: number, elapsed: number): string {
  const each = elapsed / record.epoch;
  const left = (each * (iterations - record.epoch)) / 1000;
  return `iteration ${record.epoch}/${iterations} · ${describe(record)} · ${each.toFixed(1)} ms/iteration · at most ${left.toFixed(1)} s left`;
}

function describe({ loss, validation }: Epoch): string {
  return `loss ${loss.toFixed(2)}${validation === undefined ? '' : ` · validation ${validation.toFixed(2)}`}`;
}
