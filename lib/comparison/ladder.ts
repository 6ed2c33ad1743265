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
  /** Standard error over the examples; over several seeds, their standard deviation. */
  readonly error: number;
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
  return models.map(({ name, model, baseline = false }) => {
    const seeds: readonly GenerativeModel[] = Array.isArray(model) ? model : [model as GenerativeModel];
    if (seeds.length === 0) throw new Error(`rungsOf: '${name}' has no models; give at least one`);
    const scores = seeds.map((seed, i) => evaluate(seed, data, rng.fork(`${i}`)));
    const nats = scores.reduce((sum, score) => sum + score.nats, 0) / scores.length;
    const squares = scores.reduce((sum, score) => sum + (score.nats - nats) ** 2, 0);
    const error = seeds.length === 1 ? scores[0]!.standardError : Math.sqrt(squares / (seeds.length - 1));
    return { name, nats, kind: scores[0]!.kind, error, baseline };
  });
}
