/**
 * Probabilistic circuits: sums and products of tables, arranged so that every marginal and every conditional costs one
 * pass. What may be summed and multiplied is a `Structure` (circuits/structure.ts); this file gives it weights.
 * Sources: Choi, Vergari and Van den Broeck, Probabilistic Circuits (2020); Peharz et al., Einsum Networks (2020), for
 * layers of tensors and EM by the gradient; Liu and Van den Broeck (2021) for hidden Chow–Liu trees.
 * Left out: deterministic circuits, where MPE is exact and structure can be learnt node by node.
 */
import * as tf from '@tensorflow/tfjs';
import { checkStructure, hiddenTree, imageHalves, type CircuitNode, type NodeFacts, type Structure, type Tables } from '../circuits/structure'; // prettier-ignore
import { logLattice, oneHotValues } from '../core/distributions';
import type { CountingModel, Card, Family, Rng } from '../core/model';
import { randomWeight } from '../networks/dense';
import { categorical } from '../core/random';
import { detach, expectShape } from '../core/tensor';

// 1 Family: ln p(x), layer by layer from the leaves to the root

/** Nodes of one kind and size whose children are all in earlier layers: one tensor [G, B, units] holds their values. */
interface Layer {
  readonly kind: CircuitNode['kind'];
  /** Their places in the structure: [G] */
  readonly nodes: readonly number[];
  readonly units: number;
  readonly inputs: number;
  /** For a leaf layer the variable of each node. */
  readonly variables: readonly number[];
  /** A product layer has one part, whose nodes are summed (in logarithms); a sum layer one for each place of a child. */
  readonly parts: readonly Part[];
}

/** For each node of a layer which nodes of earlier layers it takes: 0/1 matrices [G, G of that layer]. */
type Part = readonly { readonly layer: number; readonly select: readonly (readonly number[])[] }[];

function layersOf(structure: Structure, facts: readonly NodeFacts[]): Layer[] {
  const { nodes } = structure;
  const heights: number[] = [];
  const groups = new Map<string, number[]>();
  nodes.forEach((node, i) => {
    const children = node.kind === 'leaf' ? [] : node.children;
    heights.push(1 + Math.max(-1, ...children.map((child) => heights[child]!)));
    const widths = node.kind === 'sum' ? children.map((child) => facts[child]!.units) : [];
    const key = [String(heights[i]).padStart(6, '0'), node.kind, facts[i]!.units, ...widths].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  const members = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  return members.map((group) => {
    const { units, inputs } = facts[group[0]!]!;
    const { kind } = nodes[group[0]!]!;
    const own = group.map((i) => nodes[i]!);
    const variables = own.flatMap((node) => (node.kind === 'leaf' ? [node.variable] : []));
    const children = own.map((node) => (node.kind === 'leaf' ? [] : node.children));
    const parts =
      kind === 'product'
        ? [partOf(children, members)]
        : children[0]!.map((_, place) => partOf(children.map((list) => [list[place]!]), members)); // prettier-ignore
    return { kind, nodes: group, units, inputs, variables, parts };
  });
}

function partOf(children: readonly (readonly number[])[], members: readonly (readonly number[])[]): Part {
  const wanted = new Set(children.flat());
  return members.flatMap((group, layer) =>
    group.some((node) => wanted.has(node))
      ? [{ layer, select: children.map((list) => group.map((node) => (list.includes(node) ? 1 : 0))) }]
      : [],
  );
}

/** The sums of the selected nodes: [G, B, units]. */
function taken(part: Part, values: readonly tf.Tensor[]): tf.Tensor {
  const terms = part.map(({ layer, select }) => {
    const from = values[layer]!; // [G′, B, units]
    const [G, B, units] = from.shape as [number, number, number];
    if (isIdentity(select)) return from;
    const matrix = tf.tensor2d(select.map((row) => [...row])); // [G, G′]
    return matrix.matMul(from.reshape([G, B * units])).reshape([select.length, B, units]);
  });
  return terms.reduce((sum, term) => sum.add(term));
}

const isIdentity = (select: readonly (readonly number[])[]) =>
  select.length === select[0]!.length && select.every((row, g) => row.every((v, h) => v === (g === h ? 1 : 0)));

/** ln Σ_j w_kj exp a_j: a [G, B, J], ln w [G, K, J] → [G, B, K]. */
function mixed(a: tf.Tensor, logW: tf.Tensor): tf.Tensor {
  const top = detach(a.max(2, true).maximum(LOWEST)); // [G, B, 1]
  return a.sub(top).exp().matMul(logW.exp(), false, true).maximum(TINY).log().add(top); // prettier-ignore
}

/** max_j (ln w_kj + a_j), as `mixed`. */
function largest(a: tf.Tensor, logW: tf.Tensor): tf.Tensor {
  return a.expandDims(2).add(logW.expandDims(1)).max(3); // [G, B, K, J] → [G, B, K]
}

/** Spread of the first logits: units that start alike would stay alike, and at 1 EM waits long before it parts them. */
const START = 2;
const LOWEST = -1e38; // finite in float32
const TINY = 1e-37; // its logarithm is finite, and so is the gradient

export interface CircuitModel extends CountingModel {
  readonly structure: Structure;
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
  const { structure, eventShape, sumCount, leafCount } = config;
  const { variables: D, values: V } = structure;
  const facts = checkStructure(structure);
  if (sizeOf(eventShape) !== D)
    throw new Error(`circuit: eventShape [${eventShape.join(', ')}] must have ${D} coordinates, as the structure has`);
  for (const [name, count] of Object.entries({ sumCount, leafCount }))
    if (!(count > 0)) throw new Error(`circuit: ${name} must be > 0, got ${count}; 0 would forbid what was not seen`);
  const layers = layersOf(structure, facts);
  const place = new Map(layers.flatMap(({ nodes }, l) => nodes.map((node, g) => [node, { l, g }] as const)));

  // 2 Network h: none; a table of logits for every layer but the products, [G, units, inputs]

  const logits = layers.map(({ nodes, units, inputs }, l) =>
    inputs === 0 ? undefined : randomWeight([nodes.length, units, inputs], rng.fork(`layer ${l}`), { scale: START }),
  );
  const weights = logits.filter((table) => table !== undefined);
  const logTables = () => weights.map((table) => tf.logSoftmax(table));

  const flat = (x: tf.Tensor, what = 'x') => {
    expectShape(`circuit: ${what}`, x, ['B', ...eventShape]);
    return x.reshape([-1, D]);
  };

  /** Values of every layer: ln of each unit, [G, B, units]; `best` takes maxima where the circuit takes sums. */
  function upward(x: tf.Tensor, tables: readonly tf.Tensor[], observed?: tf.Tensor, best = false): tf.Tensor[] {
    const oneHot = oneHotValues(x, V); // [B, D, V]
    const rest = [...tables];
    const values: tf.Tensor[] = [];
    for (const { kind, variables, parts } of layers) {
      if (kind === 'product') values.push(taken(parts[0]!, values));
      else if (kind === 'sum') {
        const inputs = tf.concat(parts.map((part) => taken(part, values)), 2); // prettier-ignore
        values.push(best ? largest(inputs, rest.shift()!) : mixed(inputs, rest.shift()!));
      } else values.push(leaves(oneHot, variables, rest.shift()!, observed, best));
    }
    return values;
  }

  function leaves(
    oneHot: tf.Tensor,
    variables: readonly number[],
    logTheta: tf.Tensor, // [G, K, V]
    observed: tf.Tensor | undefined,
    best: boolean,
  ): tf.Tensor {
    const which = tf.tensor1d([...variables], 'int32');
    const own = (z: tf.Tensor) => tf.gather(z, which, 1); // of [B, D, …] the columns of these variables
    const seen = own(oneHot).transpose([1, 0, 2]); // [G, B, V]
    const picked = seen.matMul(logTheta, false, true); // [G, B, K]
    if (!observed) return picked;
    const mask = own(observed).transpose().expandDims(2); // [G, B, 1]
    const missing = best ? logTheta.max(2).expandDims(1) : tf.scalar(0); // a table sums to 1, and ln 1 = 0
    return picked.mul(mask).add(tf.sub(1, mask).mul(missing));
  }

  const root = (values: readonly tf.Tensor[]) => valueOf(structure.nodes.length - 1, values).squeeze([1]); // [B]
  const logProb = (x: tf.Tensor) =>
    tf.tidy(() => root(upward(flat(x), logTables())).add(logLattice(flat(x), V))); // prettier-ignore

  /**
   * From the root down: every sum chooses one of its inputs, and the leaves that were reached choose a value.
   * @param choose from logits [B, n] an index [B] @param values of the layers, where some coordinates are observed
   */
  function downward(
    B: number,
    choose: (logits: tf.Tensor, node: number) => tf.Tensor,
    values?: readonly tf.Tensor[],
  ): tf.Tensor {
    const nobody = tf.fill([B], -1, 'int32');
    const unit = structure.nodes.map((): tf.Tensor => nobody); // which unit of each node is asked for: [B], or −1
    unit[unit.length - 1] = tf.zeros([B], 'int32');
    const drawn = Array.from({ length: D }, (): tf.Tensor => tf.zeros([B], 'int32'));
    for (const [i, node] of [...structure.nodes.entries()].reverse()) {
      const asked = unit[i]!;
      if (node.kind === 'product') {
        for (const child of node.children) unit[child] = unit[child]!.maximum(asked);
        continue;
      }
      const { l, g } = place.get(i)!;
      const table = tf.logSoftmax(logits[l]!.slice([g, 0, 0], [1, -1, -1]).squeeze([0])); // [K, n]
      const rows = tf.gather(table, asked.maximum(0).toInt() as tf.Tensor1D); // [B, n]
      if (node.kind === 'leaf') {
        const value = choose(rows, i).toInt();
        drawn[node.variable] = tf.where(asked.greaterEqual(0), value, drawn[node.variable]!);
        continue;
      }
      const inputs = values && tf.concat(node.children.map((child) => valueOf(child, values)), 1); // prettier-ignore
      const chosen = choose(inputs ? rows.add(inputs) : rows, i).toInt(); // [B]
      let start = 0;
      for (const child of node.children) {
        const end = start + facts[child]!.units;
        const here = asked.greaterEqual(0).logicalAnd(chosen.greaterEqual(start)).logicalAnd(chosen.less(end));
        unit[child] = unit[child]!.maximum(tf.where(here, chosen.sub(start), nobody));
        start = end;
      }
    }
    return tf.stack(drawn, 1).toFloat(); // [B, D]
  }

  const valueOf = (node: number, values: readonly tf.Tensor[]) => {
    const { l, g } = place.get(node)!;
    return values[l]!.slice([g, 0, 0], [1, -1, -1]).squeeze([0]); // [B, units]
  };

  /** The observed coordinates of x, and the others as `downward` chooses them. */
  function filledIn(
    x: tf.Tensor,
    observed: tf.Tensor,
    choose: (logits: tf.Tensor, node: number) => tf.Tensor,
    best: boolean,
  ): tf.Tensor {
    return tf.tidy(() => {
      const mask = flat(observed, 'observed');
      const known = tf.where(mask.cast('bool'), flat(x), 0); // whatever stands elsewhere, NaN too
      const values = upward(known, logTables(), mask, best);
      return tf.where(mask.cast('bool'), known, downward(known.shape[0]!, choose, values)).reshape(x.shape);
    });
  }

  const choosing = (noise: Rng) => (rows: tf.Tensor, node: number) => categorical(rows, noise.fork(`node ${node}`));

  return {
    eventShape,
    structure,
    logMarginal: (x, observed) =>
      tf.tidy(() => {
        const mask = flat(observed, 'observed');
        const known = tf.where(mask.cast('bool'), flat(x), 0);
        return root(upward(known, logTables(), mask)).add(logLattice(known, V));
      }),
    complete: (x, observed, noise) => filledIn(x, observed, choosing(noise), false),
    mpe: (x, observed) => filledIn(x, observed, (rows) => rows.argMax(1), true),
    tables: () => {
      const byLayer = layers.map((_, l) => {
        const table = logits[l];
        return table && (tf.tidy(() => tf.softmax(table).arraySync()) as number[][][]);
      });
      return structure.nodes.map((_, i) => byLayer[place.get(i)!.l]?.[place.get(i)!.g] ?? []);
    },

    // 3 Objective: the mean negative log-likelihood

    objectives: [
      {
        name: 'negative log-likelihood',
        variables: weights,
        loss: ({ x }) => tf.tidy(() => logProb(x).mean().neg()),
      },
    ],

    // 4 Optimiser: Adam (`learningRate`), or none: EM has no step size
    // 5 Training: `fit` (training/fit.ts) by gradient, `em` (training/em.ts) by expected counts. How often a weight w is used, on
    // average over p(z | x), is ∂ ln p(x) / ∂ ln w: p is a sum of products in each of which w occurs at most once

    expectedCounts: (x) =>
      tf.tidy(() => {
        const logP = (...tables: tf.Tensor[]) => root(upward(flat(x), tables)).sum();
        return tf.grads(logP)(logTables());
      }),
    maximise(counts) {
      tf.tidy(() => {
        const overall = valueCounts(layers, counts, D).add(1 / V); // [D, V]
        const histogram = overall.div(overall.sum(1, true));
        const rest = [...counts];
        layers.forEach(({ kind, variables, inputs }, l) => {
          if (kind === 'product') return;
          const count = rest.shift()!; // [G, K, n]
          const prior =
            kind === 'leaf'
              ? tf.gather(histogram, tf.tensor1d([...variables], 'int32')).expandDims(1).mul(leafCount) // prettier-ignore
              : tf.scalar(sumCount / inputs);
          logits[l]!.assign(count.add(prior).log());
        });
      });
    },

    // 6 Likelihood of new inputs: exact

    likelihood: { kind: 'exact', logProb },

    // 7 Sampling: from the root down; `given` is evidence, NaN where a coordinate is missing

    sample: (count, noise, given) =>
      tf.tidy(() => {
        if (given) {
          expectShape('circuit: given', given, [count, ...eventShape]);
          return filledIn(given, tf.isNaN(given).logicalNot().toFloat(), choosing(noise), false);
        }
        return downward(count, choosing(noise)).reshape([count, ...eventShape]);
      }),
  };
}

/** How often each variable has each value, from the counts of the leaves: [D, V]. */
function valueCounts(layers: readonly Layer[], counts: readonly tf.Tensor[], D: number): tf.Tensor {
  const tables = layers.filter(({ kind }) => kind !== 'product');
  const sums = tables.flatMap(({ kind, variables }, i) => {
    if (kind !== 'leaf') return [];
    const owner = Array.from({ length: D }, (_, d) => variables.map((variable) => (variable === d ? 1 : 0)));
    return [tf.tensor2d(owner).matMul(counts[i]!.sum(1))]; // [D, G] · [G, V]
  });
  return sums.reduce((sum, term) => sum.add(term));
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

function sizeOf(eventShape: readonly number[]): number {
  return eventShape.reduce((size, n) => size * n, 1);
}
