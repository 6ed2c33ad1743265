/**
 * The ladder of baselines of a data set, as data: what every trained model has to beat, and by how much it does.
 * It stands above the families, since one rung is a small member of one.
 */
import type { Dataset } from '../data/datasets';
import { chowLiuBaseline, classHistogramBaseline, histogramBaseline, uniformBaseline } from './baselines';
import { em } from '../training/em';
import { evaluate, sweep } from '../evaluation/evaluation';
import { categoricalMixture } from '../families/mixture';
import type { Batch, GenerativeModel, Rng } from '../core/model';

/** A model with its name on the ladder; several models are one model trained from several seeds. */
export interface LadderModel {
  readonly name: string;
  readonly model: GenerativeModel | readonly GenerativeModel[];
  /** Whether it is there to be beaten. */
  readonly baseline?: boolean;
}

/** What `ladder` draws. */
export interface LadderRung {
  readonly name: string;
  /** Mean −ln p(x) in nats per example; over several seeds, the mean of their means. */
  readonly nats: number;
  readonly kind: string;
  /**
   * Standard error of `nats` over the examples: how far it would move with others of their kind. The noise of a bound's
   * or an estimate's own draws is in it.
   */
  readonly error: number;
  /** Standard deviation of the means over seeds: how far it would move if trained again. Only with several. */
  readonly spread?: number;
  /** How far above the best rung, in nats per example. */
  readonly behind: number;
  /**
   * Standard error of `behind`. Both models saw the same examples, so it is that of the differences, example by
   * example: most of what makes an example hard makes it hard for both, and cancels.
   */
  readonly behindError: number;
  readonly baseline: boolean;
}

/**
 * Uniform, histogram, class-conditional histogram, five categorical components by EM (of three starts the best on the
 * validation set), and the Chow–Liu tree. Trained on `data.train`, some seconds for the digits.
 */
export async function baselines(data: Dataset, rng: Rng): Promise<LadderModel[]> {
  const { train, values, eventShape } = data;
  const rungs: (readonly [string, GenerativeModel])[] = [
    ['uniform', uniformBaseline(eventShape, values)],
    ['histogram', histogramBaseline(train, values)],
    ['histogram of each class', classHistogramBaseline(train, values)],
    ['categorical mixture, K = 5', await smallMixture(data, rng.fork('mixture'))],
    ['Chow–Liu tree', chowLiuBaseline(train, values)],
  ];
  return rungs.map(([name, model]) => ({ name, model, baseline: true }));
}

async function smallMixture({ train, validation, values, eventShape }: Dataset, rng: Rng): Promise<GenerativeModel> {
  const config = { ...categoricalMixture.defaults, components: 5, values, eventShape };
  const started = async (_: number, own: Rng) => {
    const model = categoricalMixture.create(config, own.fork('weights'));
    await em(model, { train, validation }, { iterations: 30, patience: 5, rng: own.fork('em'), quiet: true });
    return model;
  };
  const [best] = await sweep([1, 2, 3], started, validation, rng);
  return best!.model;
}

/** The rungs of these models on held-out data, for `ladder` and `table`. */
export function rungsOf(models: readonly LadderModel[], data: Batch, rng: Rng): LadderRung[] {
  const scored = models.map((each) => scoreOf(each, data, rng));
  const best = scored.reduce((a, b) => (b.nats < a.nats ? b : a));
  return scored.map(({ perExample, ...rung }) => {
    const { mean, error } = meanAndError(perExample.map((value, n) => value - best.perExample[n]!));
    return { ...rung, behind: mean, behindError: error };
  });
}

type Scored = Omit<LadderRung, 'behind' | 'behindError'> & { readonly perExample: Float64Array };

function scoreOf({ name, model, baseline = false }: LadderModel, data: Batch, rng: Rng): Scored {
  const seeds: readonly GenerativeModel[] = Array.isArray(model) ? model : [model as GenerativeModel];
  if (seeds.length === 0) throw new Error(`rungsOf: '${name}' has no models; give at least one`);
  const scores = seeds.map((seed, i) => evaluate(seed, data, rng.fork(`${i}`)));
  const perExample = Float64Array.from(scores[0]!.perExample, (_, n) => meanOf(scores.map((s) => s.perExample[n]!)));
  const { mean, error } = meanAndError(perExample);
  const several = scores.length > 1 && { spread: deviationOf(scores.map(({ nats }) => nats)) };
  return { name, nats: mean, kind: scores[0]!.kind, error, ...several, baseline, perExample };
}

const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

function deviationOf(values: ArrayLike<number>): number {
  const mean = meanOf(values);
  const squares = Array.from(values).reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, values.length - 1));
}

const meanAndError = (values: Float64Array) => ({
  mean: meanOf(values),
  error: deviationOf(values) / Math.sqrt(values.length),
});
