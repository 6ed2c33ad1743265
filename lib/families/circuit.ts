/**
 * Probabilistic circuits: sums and products of tables, arranged so that every marginal and every conditional costs one
 * pass. What may be summed and multiplied is a `Structure` (circuits/structure.ts); this file gives it weights.
 * Sources: Choi, Vergari and Van den Broeck, Probabilistic Circuits (2020); Peharz et al., Einsum Networks (2020), for
 * layers of tensors and EM by the gradient; Liu and Van den Broeck (2021) for hidden Chow–Liu trees.
 * Left out: deterministic circuits, where MPE is exact and structure can be learnt node by node.
 */
import * as tf from '@tensorflow/tfjs';
import { byLayer, downward, layersOf, upward, valueCounts, type Layer, type UpwardOptions } from '../circuits/passes';
import { checkStructure, hiddenTree, imageHalves, type Structure, type Tables } from '../circuits/structure';
import { logLattice } from '../core/distributions';
import type { CountingModel, Card, Family, Rng, SampleOptions } from '../core/model';
import { negativeLogLikelihood } from '../core/objective';
import { categorical } from '../core/random';
import { eventRows, expectShape, sizeOf } from '../core/tensor';
import { randomWeight } from '../networks/dense';
import { sampler, type EngineSampler } from '../sampling/sampler';

// 1 Family: ln p(x), layer by layer from the leaves to the root (`upward`), with the coordinates that are not observed
// summed out on the way

export interface CircuitSampleOptions extends SampleOptions {
  /** Evidence, [count, ...event], with NaN where a coordinate is missing: draws are from p(missing | observed). */
  readonly given?: tf.Tensor;
}

export interface CircuitModel extends CountingModel {
  readonly structure: Structure;
  readonly sample: EngineSampler<CircuitSampleOptions>;
  /**
   * ln p of the coordinates where `observed` is 1, all others summed out exactly, in one pass.
   * @param x [B, ...event], anywhere not observed anything @param observed 0 and 1: [B, ...event] @returns [B]
   */
  logMarginal(x: tf.Tensor, observed: tf.Tensor): tf.Tensor;
  /** A draw of the other coordinates given the observed ones, exactly from p(missing | observed): [B, ...event]. */
  complete(x: tf.Tensor, observed: tf.Tensor, rng: Rng): tf.Tensor;
  /**
   * Most probable explanation: the observed coordinates, and the others from the single most likely choice of every
   * sum and leaf together. That is max p(x, z) over x and the latent z; max p(x) itself is NP-hard here.
   */
  mpe(x: tf.Tensor, observed: tf.Tensor): tf.Tensor;
  /** The probabilities node by node, as `evaluateCircuit` takes them. */
  tables(): Tables;
}

export interface CircuitConfig {
  readonly structure: Structure;
  readonly eventShape: readonly number[];
  /** EM: imaginary examples that every row of a sum has seen, spread evenly. */
  readonly sumCount: number;
  /** EM: imaginary examples that every leaf has seen, spread as its variable's values are over all examples. */
  readonly leafCount: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

/** A family whose models also take EM steps, and questions about some of the coordinates. */
export interface CircuitFamily extends Family<CircuitConfig> {
  create(config: Readonly<CircuitConfig>, rng: Rng): CircuitModel;
}

function createCircuit(config: CircuitConfig, rng: Rng): CircuitModel {
  const { structure, eventShape } = config;
  const { values: V } = structure;
  const layers = layersOf(structure, checkStructure(structure));
  requireConfig(config);

  // 2 Network h: none; a table of logits for every layer but the products, [G, units, inputs]

  const logits = weightsOf(layers, rng);
  const logTables = (): tf.Tensor[] => logits.map((table) => tf.logSoftmax(table));

  const flat = (x: tf.Tensor, what = 'x') => eventRows(`circuit: ${what}`, x, eventShape); // [B, D]
  /** ln p of x [B, D], and of what its `tables` make of it: [B] */
  const root = (x: tf.Tensor, tables: tf.Tensor[] = logTables(), options: UpwardOptions = {}) =>
    upward(layers, tables, x, options).at(-1)!.reshape([-1]);
  const logProb = (x: tf.Tensor) => tf.tidy(() => root(flat(x)).add(logLattice(flat(x), V)));

  /** x [B, D] with 0 for what is not observed, whatever stands there, NaN too; and the mask, [B, D]. */
  const evidence = (x: tf.Tensor, observed: tf.Tensor) => {
    const mask = flat(observed, 'observed');
    return { known: tf.where(mask.cast('bool'), flat(x), 0), mask };
  };
  /** The observed coordinates of x, and the others as `downward` chooses them. */
  const filledIn = (x: tf.Tensor, observed: tf.Tensor, choose: Choose, best = false) =>
    tf.tidy(() => {
      const { known, mask } = evidence(x, observed);
      const values = upward(layers, logTables(), known, { observed: mask, best });
      const chosen = downward(layers, logTables(), { B: known.shape[0]!, choose, values });
      return tf.where(mask.cast('bool'), known, chosen).reshape(x.shape);
    });
  return {
    eventShape,
    structure,
    logMarginal: (x, observed) =>
      tf.tidy(() => {
        const { known, mask } = evidence(x, observed);
        return root(known, logTables(), { observed: mask }).add(logLattice(known, V));
      }),
    complete: (x, observed, noise) => filledIn(x, observed, choosing(noise)),
    mpe: (x, observed) => filledIn(x, observed, (rows) => rows.argMax(2), true),
    tables: () => tablesOf(structure, layers, logits),

    // 3 Objective: the mean negative log-likelihood

    objectives: [negativeLogLikelihood(logits, logProb)],

    // 4 Optimiser: Adam (`learningRate`), or none: EM has no step size
    // 5 Training: `fit` (training/fit.ts) by gradient, `em` (training/em.ts) by expected counts. How often a weight w
    // is used, on average over p(z | x), is ∂ ln p(x) / ∂ ln w: p is a sum of products in each of which w occurs at
    // most once

    expectedCounts: (x) =>
      tf.tidy(() => tf.grads((...tables: tf.Tensor[]) => root(flat(x), tables).sum())(logTables())),
    maximise: (counts) => maximise(config, layers, logits, counts),

    // 6 Likelihood of new inputs: exact

    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: from the root down; `given` is evidence

    sample: sampler<CircuitSampleOptions>(
      'circuit',
      ({ count, rng: noise, given }) => {
        if (given) return filledIn(given, tf.isNaN(given).logicalNot().toFloat(), choosing(noise));
        const x = downward(layers, logTables(), { B: count, choose: choosing(noise) });
        return x.reshape([count, ...eventShape]);
      },
      { takes: { given: (given, { count }) => expectShape('circuit: given', given, [count, ...eventShape]) } },
    ),
  };
}

/** From logits [G, B, n] an index each, [G, B]. */
type Choose = (logits: tf.Tensor, layer: number) => tf.Tensor;

const choosing =
  (noise: Rng): Choose =>
  (rows, layer) =>
    categorical(rows, noise.fork(`layer ${layer}`));

function requireConfig({ structure, eventShape, sumCount, leafCount }: CircuitConfig): void {
  const D = structure.variables;
  if (sizeOf(eventShape) !== D)
    throw new Error(`circuit: eventShape [${eventShape.join(', ')}] must have ${D} coordinates, as the structure has`);
  for (const [name, count] of Object.entries({ sumCount, leafCount }))
    if (!(count > 0)) throw new Error(`circuit: ${name} must be > 0, got ${count}; 0 would forbid what was not seen`);
}

function weightsOf(layers: readonly Layer[], rng: Rng): tf.Variable[] {
  return layers.flatMap(({ kind, nodes, units, inputs }, l) =>
    kind === 'product' ? [] : [randomWeight([nodes.length, units, inputs], rng.fork(`layer ${l}`), { scale: START })],
  );
}

/** Spread of the first logits: units that start alike would stay alike, and at 1 EM waits long before it parts them. */
const START = 2;

function tablesOf(structure: Structure, layers: readonly Layer[], logits: readonly tf.Variable[]): Tables {
  const tables: (readonly (readonly number[])[])[] = structure.nodes.map(() => []);
  byLayer(layers, logits).forEach((table, l) => {
    if (!table) return;
    const rows = tf.tidy(() => tf.softmax(table).arraySync()) as number[][][];
    layers[l]!.nodes.forEach((node, g) => (tables[node] = rows[g]!));
  });
  return tables;
}

/** The M-step: each row of weights in proportion to its counts, the imaginary ones among them. */
function maximise(
  { structure, sumCount, leafCount }: CircuitConfig,
  layers: readonly Layer[],
  logits: readonly tf.Variable[],
  counts: readonly tf.Tensor[],
): void {
  tf.tidy(() => {
    const overall = valueCounts(layers, counts, structure.variables).add(1 / structure.values); // [D, V]
    const histogram = overall.div(overall.sum(1, true));
    const own = byLayer(layers, counts);
    byLayer(layers, logits).forEach((table, l) => {
      if (!table) return;
      const { kind, variables, inputs } = layers[l]!;
      const prior =
        kind === 'leaf'
          ? tf.gather(histogram, tf.tensor1d([...variables], 'int32')).expandDims(1).mul(leafCount) // prettier-ignore
          : tf.scalar(sumCount / inputs);
      table.assign(own[l]!.add(prior).log());
    });
  });
}

const card: Card = {
  title: 'Probabilistic circuit',
  forward: 'O(B × weights): every weight is used once an example',
  inference: 'O(weights), exact: any marginal or conditional, in one pass up (and one down)',
  sampling: 'O(nodes × K) for one example: choose from the root down',
  objective: 'exact log-likelihood, by gradient or by EM',
  network: 'a graph of weighted sums and products, sparse enough to integrate term by term',
  representation: 'the choices of the sums: posteriors of a tree of latent variables',
  row: {
    training: 'stable',
    likelihood: 'exact',
    sampling: 'fast',
    lossyCompression: false,
    losslessCompression: true,
    representation: true,
  },
};

/** Categorical leaves, over any valid structure. Weights: the sum of `inputs` over all units. */
export const circuit: CircuitFamily = {
  name: 'circuit',
  reference: 'Choi, Vergari and Van den Broeck, Probabilistic Circuits (2020)',
  card,
  defaults: {
    structure: imageHalves(8, 8, 17, 8),
    eventShape: [64],
    sumCount: 1,
    leafCount: 5, // both counts chosen on the digits' validation set
    learningRate: 0.05, // logits travel a few units, as in a mixture
    batchSize: 100,
  },
  grid: { sumCount: [0.1, 1, 10], leafCount: [1, 5, 10, 20] },
  tiny: {
    config: {
      structure: hiddenTree([1, -1, 1], 3, 2),
      eventShape: [3],
      sumCount: 0.1,
      leafCount: 0.1,
      learningRate: 0.05,
      batchSize: 50,
    },
    support: { kind: 'discrete', values: [0, 1, 2] },
  },
  create: createCircuit,
};
