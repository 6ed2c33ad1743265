/**
 * Expectation maximisation for models with finite latent variables (Dempster, Laird and Rubin, 1977):
 *   E: r_nk = p(k | x_n) under the present weights;
 *   M: weights ← argmax Σ_n Σ_k r_nk ln p(x_n, k) (+ ln prior, where the model has pseudo-counts).
 * No step lowers the log-likelihood (plus log-prior): there is no learning rate to choose.
 */
import * as tf from '@tensorflow/tfjs';
import { exampleCount } from '../core/batches';
import { requireCounts } from '../core/counts';
import { compiled } from '../engine';
import { evaluate } from '../evaluation/evaluation';
import type { CountingModel, GenerativeModel, LatentModel, Rng } from '../core/model';
import { namingFaultyData } from './data-fault';
import type { EpochListener } from './fit';
import { seconds, train, whyNoBest, type Epoch, type Outcome, type TrainingData } from './loop';

export interface EmOptions {
  /** At most this many iterations. */
  readonly iterations: number;
  /**
   * 'data': a first M-step from the model's `start`; 'weights': go on from the model's weights. Default: 'data' for a
   * model that has a `start`.
   */
  readonly start?: 'data' | 'weights';
  /**
   * Stop when the likelihood gains less than this in an iteration, in nats per training example. Default: 0.001. With
   * pseudo-counts EM climbs likelihood + log-prior and may trade a little of the one for the other: a negative
   * tolerance never stops for that.
   */
  readonly tolerance?: number;
  /**
   * Stop after this many iterations without a better validation likelihood, the first finite one being better than none.
   * Default: never.
   */
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
 * @throws when the likelihood is not finite, with the example where the data are not; the model then has its best weights so far
 * @example
 * const model = categoricalMixture.create(categoricalMixture.tiny.config, createRng(1));
 * const train = { x: tf.tensor2d([[0, 1, 2], [0, 1, 2], [2, 1, 0]]) };
 * const { history } = await em(model, { train }, { iterations: 5, rng: createRng(2), quiet: true });
 * history.length <= 5 // → true
 */
export async function em(
  model: LatentModel | CountingModel,
  data: TrainingData,
  options: EmOptions,
): Promise<EmResult> {
  const { iterations, start, tolerance = 1e-3, patience, rng, signal, quiet } = options;
  checkOptions(options);
  const { eStep, mStep, first } = stepsOf(model);
  if (start === 'data' && !first)
    throw new Error("em: start 'data' needs a model with a `start`; this one starts from its 'weights'");
  const { x } = data.train;
  const expectations = compiled(([given]) => eStep(given!));
  const started = performance.now();
  const { history, best, stopped, milliseconds } = await train<EmResult['stopped']>(
    model,
    {
      name: 'em',
      complete: 'iterations',
      epoch: ({ history }, pulse) =>
        namingFaultyData('em', data, async () => {
          if (history.length === 0 && start !== 'weights' && first)
            tf.tidy(() => mStep(x, first(x, rng.fork('start'))));
          tf.tidy(() => mStep(x, expectations([x], rng)));
          const record = measure(model, data, history.length + 1, rng);
          await pulse.show(status(record, iterations, performance.now() - started));
          return record;
        }),
      recorded: ({ history }) => options.onEpoch?.(history.at(-1)!),
      enough: ({ history }) => (gainOf(history) < tolerance ? 'tolerance' : undefined),
      close: async () => undefined,
      ended: () => options.onEpoch?.done?.(),
      summary,
    },
    { epochs: iterations, patience, signal, quiet },
  );
  return { history, best: best && { epoch: best.epoch, validation: best.validation }, stopped, milliseconds };
}

/** What the last iteration gained, in nats per training example. */
function gainOf(history: readonly Epoch[]): number {
  return (history.at(-2)?.loss ?? Infinity) - history.at(-1)!.loss;
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
  requireCounts('em', { iterations, patience });
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

function status(record: Epoch, iterations: number, elapsed: number): string {
  const each = elapsed / record.epoch;
  const left = seconds(each * (iterations - record.epoch));
  return `iteration ${record.epoch}/${iterations} · ${describe(record)} · ${each.toFixed(1)} ms/iteration · at most ${left} left`;
}

function summary(outcome: Outcome<EmResult['stopped']>): string {
  const { history, stopped, milliseconds } = outcome;
  const last = history.length > 0 ? ` · ${describe(history.at(-1)!)}${whyNoBest(outcome)}` : '';
  return `EM, ${history.length} iterations (${stopped})${last} · ${seconds(milliseconds)}`;
}

function describe({ loss, validation }: Epoch): string {
  return `loss ${loss.toFixed(2)}${validation === undefined ? '' : ` · validation ${validation.toFixed(2)}`}`;
}
