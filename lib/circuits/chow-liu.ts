/**
 * The best tree over discrete variables (Chow and Liu, Approximating discrete probability distributions with
 * dependence trees, 1968): of all p(x) = Π_d p(x_d | x_parent(d)) the one closest to the data's distribution in KL
 * divergence is a spanning tree with the largest sum of mutual informations along its edges.
 */
import type * as tf from '@tensorflow/tfjs';

/** parents[d] is the variable that d hangs from, −1 for the root: every variable leads to the root, with no cycle. */
export type Tree = readonly number[];

export interface ChowLiuOptions {
  /** Pseudo-count of every pair of values, against rare values that meet by chance. Default: 0, the paper's tree. */
  readonly alpha?: number;
}

/**
 * The Chow–Liu tree of integers, hung up at the middle, where it is least deep.
 * @param x [N, ...event] of 0 … V − 1
 */
export function chowLiuTree(x: tf.Tensor, values: number, options: ChowLiuOptions = {}): Tree {
  return shallow(maximumSpanningTree(mutualInformation(x, values, options)));
}

/**
 * I(x_i; x_j) = Σ_uv p(u, v) ln (p(u, v) / p(u) p(v)) in nats, of the smoothed frequencies
 *   p(u, v) = (count_uv + α) / (N + α V²), p(u) = Σ_v p(u, v).
 * @param x [N, ...event] of 0 … V − 1 @returns [D][D], symmetric; the diagonal is 0
 */
export function mutualInformation(x: tf.Tensor, values: number, { alpha = 0 }: ChowLiuOptions = {}): number[][] {
  if (!(alpha >= 0)) throw new Error(`mutualInformation: alpha must be ≥ 0, got ${alpha}`);
  const rows = integerRows('mutualInformation', x, values);
  const D = rows[0]!.length;
  const information = Array.from({ length: D }, () => new Array<number>(D).fill(0));
  for (let i = 0; i < D; i++)
    for (let j = 0; j < i; j++) {
      const joint = new Float64Array(values * values).fill(alpha);
      for (const row of rows) joint[row[i]! * values + row[j]!]! += 1;
      information[i]![j] = information[j]![i] = informationOf(joint, values);
    }
  return information;
}

function informationOf(joint: Float64Array, V: number): number {
  const total = joint.reduce((sum, count) => sum + count, 0);
  const [left, right] = [new Float64Array(V), new Float64Array(V)];
  joint.forEach((count, uv) => {
    left[Math.floor(uv / V)]! += count;
    right[uv % V]! += count;
  });
  return joint.reduce((sum, count, uv) => {
    if (count === 0) return sum;
    return sum + (count / total) * Math.log((count * total) / (left[Math.floor(uv / V)]! * right[uv % V]!));
  }, 0);
}

/**
 * The spanning tree with the largest sum of weights, from variable 0 as its root (Prim, 1957).
 * @param weights [D][D], symmetric; the diagonal does not matter
 * @throws when a weight is NaN, or differs from the one on the other side of the diagonal
 */
export function maximumSpanningTree(weights: readonly (readonly number[])[]): Tree {
  const D = weights.length;
  const bad = weights.findIndex((row) => row.length !== D);
  if (bad >= 0 || D === 0)
    throw new Error(`maximumSpanningTree: weights must be [D][D], got ${D} rows, row ${bad} of another length`);
  requireSymmetric(weights);
  const parents = new Array<number>(D).fill(-1);
  const heaviest = weights.map((row) => row[0]!); // of the edges that join d to the tree so far, from parents[d]
  parents.fill(0, 1);
  const outside = new Set(parents.keys());
  outside.delete(0);
  while (outside.size > 0) {
    const next = [...outside].reduce((a, b) => (heaviest[b]! > heaviest[a]! ? b : a));
    outside.delete(next);
    for (const d of outside)
      if (weights[d]![next]! > heaviest[d]!) {
        heaviest[d] = weights[d]![next]!;
        parents[d] = next;
      }
  }
  return parents;
}

/** NaN is larger than nothing, so that a tree of such edges would be no tree of largest sum; two weights are no weight. */
function requireSymmetric(weights: readonly (readonly number[])[]): void {
  for (const [i, row] of weights.entries())
    for (let j = 0; j < i; j++) {
      const [a, b] = [row[j]!, weights[j]![i]!];
      if (Math.abs(a - b) <= ROUNDING * Math.max(Math.abs(a), Math.abs(b)) || a === b) continue;
      throw new Error(
        `maximumSpanningTree: weights must be symmetric numbers, got ${a} at [${i}][${j}] and ${b} at [${j}][${i}]; ` +
          'look for a division by 0, or fill both halves',
      );
    }
}

/** Of float32 sums over some thousand examples, taken in another order. */
const ROUNDING = 1e-4;

/**
 * Each variable with its parent, parents first.
 * @throws when the tree has no root, or more than one, or a cycle
 */
export function rootFirst(tree: Tree): { readonly variable: number; readonly parent: number }[] {
  const roots = [...tree.keys()].filter((d) => tree[d] === -1);
  if (roots.length !== 1) throw new Error(`tree: expected one root (parent −1), got ${roots.length}`);
  const order = [{ variable: roots[0]!, parent: -1 }];
  for (const { variable } of order)
    tree.forEach((parent, d) => {
      if (parent === variable) order.push({ variable: d, parent });
    });
  if (order.length !== tree.length)
    throw new Error(`tree: ${tree.length - order.length} of ${tree.length} variables do not lead to the root`);
  return order;
}

/** The same edges, hung up where the longest way down is shortest: a circuit over it has fewest layers. */
function shallow(tree: Tree): Tree {
  const candidates = tree.map((_, root) => hungAt(tree, root));
  const depths = candidates.map(depthOf);
  return candidates[depths.indexOf(Math.min(...depths))]!;
}

/** The same tree with another root: the edges on the way to the old one turn round. */
function hungAt(tree: Tree, root: number): Tree {
  const parents = [...tree];
  for (let d = root, above = -1; d !== -1;) {
    const next = parents[d]!;
    parents[d] = above;
    [above, d] = [d, next];
  }
  return parents;
}

function depthOf(tree: Tree): number {
  const depths = new Map([[-1, 0]]);
  for (const { variable, parent } of rootFirst(tree)) depths.set(variable, depths.get(parent)! + 1);
  return Math.max(...depths.values());
}

/**
 * The examples as rows of integers.
 * @throws when a value is none of 0 … V − 1
 */
export function integerRows(where: string, x: tf.Tensor, values: number): Int32Array[] {
  const flat = x.dataSync();
  const N = x.shape[0] ?? 0;
  const D = flat.length / N;
  if (x.rank < 2 || N === 0) throw new Error(`${where}: x must be [N, ...event], got [${x.shape.join(', ')}]`);
  const bad = flat.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value < values));
  if (bad >= 0)
    throw new Error(
      `${where}: x must hold integers 0 … ${values - 1}, got ${flat[bad]} in example ${Math.floor(bad / D)}; look at the number of values`,
    );
  return Array.from({ length: N }, (_, n) => Int32Array.from(flat.slice(n * D, (n + 1) * D)));
}
