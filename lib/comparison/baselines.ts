/** The ladder: models without training that a trained one has to beat. Integers 0 … V − 1, exact likelihoods. */
import * as tf from '@tensorflow/tfjs';
import { chowLiuTree, integerRows, rootFirst, type Tree } from '../circuits/chow-liu';
import { logCategorical, logLattice, oneHotValues } from '../core/distributions';
import type { Batch, GenerativeModel } from '../core/model';
import { categorical } from '../core/random';
import { expectShape, logSumExp, sizeOf } from '../core/tensor';
import { sampler } from '../sampling/sampler';

/**
 * Every value of every coordinate equally likely: ln p(x) = −D ln V.
 * @example uniformBaseline([64], 17).sample({ count: 2, rng: createRng(1) }).shape // → [2, 64]
 */
export function uniformBaseline(eventShape: readonly number[], values: number): GenerativeModel {
  const size = sizeOf(eventShape);
  return {
    eventShape,
    likelihood: {
      kind: 'exact',
      logProb(x) {
        expectShape('uniformBaseline: x', x, ['B', ...eventShape]);
        return tf.tidy(() => logLattice(x, values).sub(size * Math.log(values)));
      },
    },
    objectives: [],
    sample: sampler('uniformBaseline', ({ count, rng }) => {
      const u = rng.uniform([count, ...eventShape]);
      return u.mul(values).floor();
    }),
  };
}

/**
 * Independent coordinates, each with its own smoothed histogram:
 *   p(x_d = v) = (count_dv + α) / (N + α V),
 * the posterior mean under a symmetric Dirichlet(α) prior (Murphy, Probabilistic Machine Learning, 2022, 4.6.3).
 * @param alpha pseudo-count of every value; 0 would forbid what the training set lacks
 * @example
 * const model = histogramBaseline({ x: tf.tensor2d([[0], [0], [1]]) }, 2, { alpha: 1 });
 * evaluate(model, { x: tf.tensor2d([[0]]) }, createRng(1)).nats // → 0.5108
 */
export function histogramBaseline(
  train: Batch,
  values: number,
  { alpha = 0.3 }: { readonly alpha?: number } = {},
): GenerativeModel {
  requirePositive('histogramBaseline', alpha);
  integerRows('histogramBaseline', train.x, values);
  const eventShape = train.x.shape.slice(1);
  const logits = tf.tidy(() => oneHotValues(train.x, values).sum(0).add(alpha).log()); // [...event, V]
  return {
    eventShape,
    likelihood: {
      kind: 'exact',
      logProb(x) {
        expectShape('histogramBaseline: x', x, ['B', ...eventShape]);
        return logCategorical(x, logits);
      },
    },
    objectives: [],
    sample: sampler('histogramBaseline', ({ count, rng }) =>
      categorical(logits.expandDims(0).tile([count, ...logits.shape.map(() => 1)]), rng).toFloat(),
    ),
  };
}

/**
 * A histogram for each class, and the label summed out: p(x) = Σ_c p(c) Π_d p(x_d | c), both smoothed as above. What
 * labels are worth to a model that takes the coordinates for independent ("naive Bayes").
 * @param train with labels y [N], integers 0 … C − 1
 */
export function classHistogramBaseline(
  train: Batch,
  values: number,
  { alpha = 0.3 }: { readonly alpha?: number } = {},
): GenerativeModel {
  requirePositive('classHistogramBaseline', alpha);
  integerRows('classHistogramBaseline', train.x, values);
  if (!train.y) throw new Error('classHistogramBaseline: the examples have no labels y; give them, or use a histogram');
  const eventShape = train.x.shape.slice(1);
  const D = sizeOf(eventShape);
  const labels = train.y;
  const [logPi, logits] = tf.tidy(() => {
    const C = labels.max().dataSync()[0]! + 1;
    const membership = oneHotValues(labels, C); // [N, C]
    const counts = membership.matMul(oneHotValues(train.x, values).reshape([-1, D * values]), true); // [C, D V]
    return [tf.logSoftmax(membership.sum(0).add(alpha).log()), counts.add(alpha).log().reshape([C, D, values])];
  }) as [tf.Tensor1D, tf.Tensor3D];
  const C = logPi.shape[0];
  return {
    eventShape,
    likelihood: {
      kind: 'exact',
      logProb(x) {
        expectShape('classHistogramBaseline: x', x, ['B', ...eventShape]);
        return tf.tidy(() => {
          const picked = oneHotValues(x, values).reshape([-1, D * values]); // [B, D V]
          const perClass = picked.matMul(tf.logSoftmax(logits).reshape([C, D * values]), false, true); // [B, C]
          return logSumExp(perClass.add(logPi), 1).add(logLattice(x, values));
        });
      },
    },
    objectives: [],
    sample: sampler('classHistogramBaseline', ({ count, rng }) => {
      const c = categorical(logPi.expandDims(0).tile([count, 1]), rng.fork('class')) as tf.Tensor1D; // [count]
      const x = categorical(tf.gather(logits, c), rng.fork('x')).toFloat();
      return x.reshape([count, ...eventShape]);
    }),
  };
}

/**
 * The Chow–Liu tree (see `chowLiuTree`) with smoothed tables:
 *   p(x_d = v | parent = u) = (count_uv + β p_d(v)) / (count_u + β), p_d(v) = (count_v + α) / (N + α V),
 * so that a parent's rare value falls back on what d does in general.
 * The defaults come from a coarse search on the digits' validation set, where they have 100.6 nats. There it hardly
 * matters: α = 10 has 100.2, and on the test set the two differ by less than 0.1.
 * @param alpha pseudo-count of every value @param beta weight of the coordinate's own histogram
 */
export function chowLiuBaseline(
  train: Batch,
  values: number,
  { alpha = 0.5, beta = 25, tree }: { readonly alpha?: number; readonly beta?: number; readonly tree?: Tree } = {},
): GenerativeModel {
  requirePositive('chowLiuBaseline', alpha);
  if (!(beta > 0)) throw new Error(`chowLiuBaseline: beta must be > 0, got ${beta}`);
  const rows = integerRows('chowLiuBaseline', train.x, values);
  const eventShape = train.x.shape.slice(1);
  const D = rows[0]!.length;
  const parents = tree ?? chowLiuTree(train.x, values);
  if (parents.length !== D)
    throw new Error(`chowLiuBaseline: the tree must have ${D} variables, got ${parents.length}`);
  const order = rootFirst(parents);
  const tables = tf.tensor3d(treeTables(rows, parents, values, alpha, beta), [D, values, values]); // ln p(v | u)
  const parentOf = tf.tensor1d(parents.map((parent, d) => (parent < 0 ? d : parent)), 'int32'); // prettier-ignore
  return {
    eventShape,
    likelihood: {
      kind: 'exact',
      logProb(x) {
        expectShape('chowLiuBaseline: x', x, ['B', ...eventShape]);
        return tf.tidy(() => {
          const inside = logLattice(x, values);
          const v = x
            .reshape([-1, D])
            .clipByValue(0, values - 1)
            .toInt(); // [B, D]: off the lattice, any cell will do
          const u = tf.gather(v, parentOf, 1); // [B, D]
          const cell = tf.range(0, D, 1, 'int32').mul(values).add(u).mul(values).add(v); // [B, D]
          return tf.gather(tables.flatten(), cell.toInt()).sum(1).add(inside);
        });
      },
    },
    objectives: [],
    sample: sampler('chowLiuBaseline', ({ count, rng }) => {
      const drawn = new Map<number, tf.Tensor>(); // of each variable: [count]
      for (const { variable, parent } of order) {
        const table = tables.slice([variable, 0, 0], [1, -1, -1]).squeeze([0]); // [V, V]
        const u = (drawn.get(parent) ?? tf.zeros([count], 'int32')) as tf.Tensor1D; // the root's rows are all alike
        drawn.set(variable, categorical(tf.gather(table, u), rng.fork(`variable ${variable}`)));
      }
      const columns = Array.from({ length: D }, (_, d) => drawn.get(d)!);
      const x = tf.stack(columns, 1).toFloat();
      return x.reshape([count, ...eventShape]);
    }),
  };
}

/** ln p(x_d = v | parent = u) at [d, u, v]; where d is the root, the same for every u. */
function treeTables(rows: readonly Int32Array[], tree: Tree, V: number, alpha: number, beta: number): Float32Array {
  const tables = new Float32Array(tree.length * V * V);
  tree.forEach((parent, d) => {
    const own = new Float64Array(V).fill(alpha);
    const joint = new Float64Array(V * V);
    const above = new Float64Array(V);
    for (const row of rows) {
      own[row[d]!]! += 1;
      if (parent < 0) continue;
      joint[row[parent]! * V + row[d]!]! += 1;
      above[row[parent]!]! += 1;
    }
    const total = rows.length + alpha * V;
    joint.forEach((count, uv) => {
      const [u, v] = [Math.floor(uv / V), uv % V];
      tables[d * V * V + uv] = Math.log((count + (beta * own[v]!) / total) / (above[u]! + beta));
    });
  });
  return tables;
}

function requirePositive(where: string, alpha: number): void {
  if (!(alpha > 0)) throw new Error(`${where}: alpha must be > 0, got ${alpha}`);
}
