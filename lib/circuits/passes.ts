/**
 * The two passes through a circuit, as pure functions of its tables: up from the leaves, which evaluates it, and down
 * from the root, which chooses.
 *
 * Nodes of one kind and size whose children lie deeper make a layer, and a layer is one tensor. Tables of a layer hold
 * ln of its rows of weights, [G, units, inputs]; products have none, and lists of tables leave them out.
 */
import * as tf from '@tensorflow/tfjs';
import { oneHotValues } from '../core/distributions';
import { detach } from '../core/tensor';
import type { CircuitNode, NodeFacts, Structure } from './structure';

/** Nodes of one kind and size whose children are all in earlier layers: one tensor [G, B, units] holds their values. */
export interface Layer {
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

/** The layers of a structure, from the leaves to the root, which is the last one alone. */
export function layersOf({ nodes }: Structure, facts: readonly NodeFacts[]): Layer[] {
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

/** The table of each layer, from the list that leaves out products. */
export function byLayer<Table>(layers: readonly Layer[], tables: readonly Table[]): (Table | undefined)[] {
  const rest = [...tables];
  return layers.map(({ kind }) => (kind === 'product' ? undefined : rest.shift()));
}

// Up

export interface UpwardOptions {
  /** [B, D] of 0 and 1: where it is 0 the coordinate is summed out, whatever x holds there. Default: 1 everywhere. */
  readonly observed?: tf.Tensor;
  /** Maxima where the circuit takes sums. */
  readonly best?: boolean;
}

/**
 * ln of every unit of every layer: [G, B, units] each; the last is the root's, [1, B, 1].
 * @param x [B, D], integers 0 … V − 1
 */
export function upward(
  layers: readonly Layer[],
  tables: readonly tf.Tensor[],
  x: tf.Tensor,
  { observed, best = false }: UpwardOptions = {},
): tf.Tensor[] {
  const own = byLayer(layers, tables);
  const values: tf.Tensor[] = [];
  layers.forEach((layer, l) => {
    if (layer.kind === 'leaf') values.push(leafValues(layer, own[l]!, x, { observed, best }));
    else if (layer.kind === 'product') values.push(taken(layer.parts[0]!, values));
    else values.push((best ? largest : mixed)(inputsOf(layer, values), own[l]!));
  });
  return values;
}

/** What the rows of a sum layer weigh: the units of its children, end to end, [G, B, inputs]. */
const inputsOf = ({ parts }: Layer, values: readonly tf.Tensor[]): tf.Tensor =>
  tf.concat(parts.map((part) => taken(part, values)), 2); // prettier-ignore

/** @param logTheta [G, K, V] */
function leafValues(
  { variables }: Layer,
  logTheta: tf.Tensor,
  x: tf.Tensor,
  { observed, best }: { readonly observed: tf.Tensor | undefined; readonly best: boolean },
): tf.Tensor {
  const which = tf.tensor1d([...variables], 'int32');
  const own = (z: tf.Tensor) => tf.gather(z, which, 1); // of [B, D, …] the columns of these variables
  const seen = own(oneHotValues(x, logTheta.shape[2]!)).transpose([1, 0, 2]); // [G, B, V]
  const picked = seen.matMul(logTheta, false, true); // [G, B, K]
  if (!observed) return picked;
  const mask = own(observed).transpose().expandDims(2); // [G, B, 1]
  const missing = best ? logTheta.max(2).expandDims(1) : tf.scalar(0); // a table sums to 1, and ln 1 = 0
  return picked.mul(mask).add(tf.sub(1, mask).mul(missing));
}

/** The sums of the selected nodes: [G, B, units]. */
function taken(part: Part, values: readonly tf.Tensor[]): tf.Tensor {
  const terms = part.map(({ layer, select }) => {
    const from = values[layer]!; // [G′, B, units]
    const [G, B, units] = from.shape as [number, number, number];
    if (isIdentity(select)) return from;
    return matrix(select)
      .matMul(from.reshape([G, B * units]))
      .reshape([select.length, B, units]);
  });
  return terms.reduce((sum, term) => sum.add(term));
}

const matrix = (rows: readonly (readonly number[])[]): tf.Tensor2D => tf.tensor2d(rows.map((row) => [...row]));

const isIdentity = (select: readonly (readonly number[])[]) =>
  select.length === select[0]!.length && select.every((row, g) => row.every((v, h) => v === (g === h ? 1 : 0)));

/**
 * ln Σ_j w_kj exp a_j: a [G, B, J], ln w [G, K, J] → [G, B, K]. The largest a is taken out, not the largest ln w + a, so
 * that one matrix product serves all k: exact while the weight of the largest input is above e^-80 or so, as pseudo-counts
 * see to. `evaluateCircuit` takes any weights.
 */
function mixed(a: tf.Tensor, logW: tf.Tensor): tf.Tensor {
  const top = detach(a.max(2, true).maximum(LOWEST)); // [G, B, 1]
  return a.sub(top).exp().matMul(logW.exp(), false, true).maximum(TINY).log().add(top); // prettier-ignore
}

/** max_j (ln w_kj + a_j), as `mixed`. */
function largest(a: tf.Tensor, logW: tf.Tensor): tf.Tensor {
  return a.expandDims(2).add(logW.expandDims(1)).max(3); // [G, B, K, J] → [G, B, K]
}

const LOWEST = -1e38; // finite in float32
const TINY = 1e-37; // its logarithm is finite, and so is the gradient

// Down

export interface DownwardOptions {
  /** Examples. */
  readonly B: number;
  /** From logits [G, B, n] an index each: [G, B]. */
  choose(logits: tf.Tensor, layer: number): tf.Tensor;
  /** What `upward` gave where some coordinates are observed: what is chosen then goes with them. */
  readonly values?: readonly tf.Tensor[];
}

/**
 * From the root down: every sum that is reached chooses one of its inputs, every leaf a value. As children of a product
 * share no variable, a node is reached once an example, if at all.
 * @returns [B, D]
 */
export function downward(
  layers: readonly Layer[],
  tables: readonly tf.Tensor[],
  { B, choose, values }: DownwardOptions,
): tf.Tensor {
  const own = byLayer(layers, tables);
  const D = 1 + Math.max(...layers.flatMap(({ variables }) => variables));
  // which unit of each node is asked for, counted from 1; 0 where none is: [G, B]
  const asked = layers.map(({ nodes }): tf.Tensor => tf.zeros([nodes.length, B]));
  asked[layers.length - 1] = tf.ones([1, B]);
  const ask = (part: Part, units: tf.Tensor) => {
    for (const { layer, select } of part)
      asked[layer] = asked[layer]!.add(isIdentity(select) ? units : matrix(select).matMul(units, true));
  };
  let drawn: tf.Tensor = tf.zeros([D, B]);
  for (const [l, layer] of [...layers.entries()].reverse()) {
    const units = asked[l]!;
    if (layer.kind === 'product') {
      ask(layer.parts[0]!, units);
      continue;
    }
    const rows = rowsOf(own[l]!, units); // [G, B, n]
    const reached = units.greater(0).toFloat();
    if (layer.kind === 'leaf') {
      const chosen = choose(rows, l).toFloat().mul(reached);
      drawn = drawn.add(matrix(owners(layer, D)).matMul(chosen));
      continue;
    }
    const chosen = choose(values ? rows.add(inputsOf(layer, values)) : rows, l).toFloat(); // [G, B]
    let start = 0;
    for (const part of layer.parts) {
      const end = start + layers[part[0]!.layer]!.units;
      const here = chosen.greaterEqual(start).logicalAnd(chosen.less(end)).toFloat().mul(reached);
      ask(part, chosen.sub(start).add(1).mul(here));
      start = end;
    }
  }
  return drawn.transpose();
}

/** Of every node the row of the unit that is asked for, any row where none is: table [G, K, n], units [G, B] → [G, B, n]. */
function rowsOf(table: tf.Tensor, units: tf.Tensor): tf.Tensor {
  return tf.gather(table, units.sub(1).maximum(0).toInt() as tf.Tensor2D, 1, 1);
}

/** 1 where a leaf layer's node is over the variable: [D, G]. */
const owners = ({ variables }: Layer, D: number): number[][] =>
  Array.from({ length: D }, (_, d) => variables.map((variable) => (variable === d ? 1 : 0)));

/** How often each variable has each value, from the counts of the leaves: [D, V]. */
export function valueCounts(layers: readonly Layer[], counts: readonly tf.Tensor[], D: number): tf.Tensor {
  const own = byLayer(layers, counts);
  const sums = layers.flatMap(
    (layer, l) => (layer.kind === 'leaf' ? [matrix(owners(layer, D)).matMul(own[l]!.sum(1))] : []), // [D, G] · [G, V]
  );
  return sums.reduce((sum, term) => sum.add(term));
}
