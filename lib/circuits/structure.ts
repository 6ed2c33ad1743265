/**
 * Probabilistic circuits as plain data: which units are summed, and which are multiplied.
 *
 * A circuit is a list of nodes, children before parents, the last one the root. A node is a vector of units that are
 * all over the same variables (its scope):
 *   leaf     unit k is a table p_k(x_d) of one variable;
 *   product  unit k multiplies the units k of its children, which must be over different variables (decomposable);
 *   sum      unit k is Σ_j w_kj · (unit j of its children, end to end), which must be over the same ones (smooth).
 * With those two properties and rows w_k that sum to 1 the root is a probability, and sums over any variables can be
 * taken at the leaves: every marginal costs one pass.
 * Sources: Darwiche (2003); Poon and Domingos (2011); Choi, Vergari and Van den Broeck, Probabilistic Circuits (2020).
 */
import { type Tree, rootFirst } from './chow-liu';
import type { Rng } from '../core/model';
import { permutation } from '../core/random';

export type CircuitNode =
  | { readonly kind: 'leaf'; readonly variable: number; readonly units: number }
  | { readonly kind: 'product'; readonly children: readonly number[] }
  | { readonly kind: 'sum'; readonly children: readonly number[]; readonly units: number };

export interface Structure {
  /** D */
  readonly variables: number;
  /** Every variable is an integer in 0 … values − 1. */
  readonly values: number;
  readonly nodes: readonly CircuitNode[];
}

/** What follows from a structure, node by node. */
export interface NodeFacts {
  /** The variables, ascending. */
  readonly scope: readonly number[];
  readonly units: number;
  /** Length of a row of its table: V for a leaf, the children's units for a sum, 0 for a product. */
  readonly inputs: number;
}

/**
 * Scope and sizes of every node.
 * @throws naming the node: not smooth, not decomposable, children that come later, widths that differ, nobody's child,
 * or a root that is not one unit over every variable
 */
export function checkStructure({ variables: D, values: V, nodes }: Structure): NodeFacts[] {
  if (!(Number.isInteger(V) && V >= 1)) throw new Error(`circuit: values must be an integer ≥ 1, got ${V}`);
  if (nodes.length === 0) throw new Error('circuit: expected at least one node, got none');
  const facts: NodeFacts[] = [];
  nodes.forEach((node, i) => facts.push(factsOf(node, i, facts, D, V)));
  const used = new Set(nodes.flatMap((node) => (node.kind === 'leaf' ? [] : node.children)));
  const idle = nodes.findIndex((_, i) => i < nodes.length - 1 && !used.has(i));
  if (idle >= 0) throw new Error(`circuit: node ${idle} (${nodes[idle]!.kind}) is nobody's child; remove it`);
  const root = facts.at(-1)!;
  if (root.units !== 1 || root.scope.length !== D)
    throw new Error(
      `circuit: node ${nodes.length - 1}, the root, must be one unit over all ${D} variables, got ${root.units} over ${root.scope.length}`,
    );
  return facts;
}

function factsOf(node: CircuitNode, i: number, before: readonly NodeFacts[], D: number, V: number): NodeFacts {
  const where = `circuit: node ${i} (${node.kind})`;
  if (node.kind !== 'product' && !(Number.isInteger(node.units) && node.units >= 1))
    throw new Error(`${where}: units must be an integer ≥ 1, got ${node.units}`);
  if (node.kind === 'leaf') {
    if (!(Number.isInteger(node.variable) && node.variable >= 0 && node.variable < D))
      throw new Error(`${where}: variable must be 0 … ${D - 1}, got ${node.variable}`);
    return { scope: [node.variable], units: node.units, inputs: V };
  }
  const children = node.children.map((child) => {
    if (!before[child]) throw new Error(`${where}: child ${child} must come before it; list children first`);
    return before[child];
  });
  if (children.length === 0) throw new Error(`${where} has no children; give it at least one`);
  return node.kind === 'sum' ? sumFacts(node, children, where) : productFacts(node, children, where);
}

type Parent<Kind> = Extract<CircuitNode, { kind: Kind }>;

function sumFacts(node: Parent<'sum'>, children: readonly NodeFacts[], where: string): NodeFacts {
  const { scope } = children[0]!;
  children.forEach((child, c) => {
    if (child.scope.join() !== scope.join())
      throw new Error(
        `${where} is not smooth: child ${node.children[0]} is over ${named(scope)}, child ${node.children[c]} over ${named(child.scope)}; every child of a sum must be over the same variables`,
      );
  });
  return { scope, units: node.units, inputs: children.reduce((sum, { units }) => sum + units, 0) };
}

function productFacts(node: Parent<'product'>, children: readonly NodeFacts[], where: string): NodeFacts {
  const owner = new Map<number, number>();
  children.forEach(({ scope, units }, c) => {
    if (units !== children[0]!.units)
      throw new Error(
        `${where}: unit k multiplies the units k of its children, so they need as many each, got ${children.map((child) => child.units).join(' and ')}`,
      );
    for (const variable of scope) {
      if (owner.has(variable))
        throw new Error(
          `${where} is not decomposable: children ${owner.get(variable)} and ${node.children[c]} share x${variable}; a product's children must be over different variables`,
        );
      owner.set(variable, node.children[c]!);
    }
  });
  return { scope: [...owner.keys()].sort((a, b) => a - b), units: children[0]!.units, inputs: 0 };
}

const named = (scope: readonly number[]) => `{${scope.map((d) => `x${d}`).join(', ')}}`;

// With weights

/** Rows of probabilities, node by node: [units][inputs], and nothing for a product. */
export type Tables = readonly (readonly (readonly number[])[])[];

export interface Circuit {
  readonly structure: Structure;
  readonly tables: Tables;
}

/**
 * Whether a structure and its tables are a circuit, whose probabilities sum to 1.
 * @throws as `checkStructure`, and when a table has another size or a row that does not sum to 1, naming the node
 */
export function checkCircuit({ structure, tables }: Circuit): void {
  checkStructure(structure).forEach(({ units, inputs }, i) => {
    const where = `circuit: node ${i} (${structure.nodes[i]!.kind})`;
    const rows = tables[i] ?? [];
    if (rows.length !== (inputs === 0 ? 0 : units) || rows.some((row) => row.length !== inputs))
      throw new Error(`${where} needs a table [${units}][${inputs}], got ${rows.length} rows of ${rows[0]?.length}`);
    rows.forEach((row, k) => {
      const sum = row.reduce((a, b) => a + b, 0);
      if (!(row.every((w) => w >= 0) && Math.abs(sum - 1) < 1e-4))
        throw new Error(`${where} is not normalised: the weights of unit ${k} must be ≥ 0 and sum to 1, got ${sum}`);
    });
  });
}

/**
 * ln p of the coordinates that are not null, the others summed out: one number at a time, unit by unit. The tensors of
 * families/circuit.ts do the same for a batch, and are tested against this.
 * @param x [D], integers or null for missing
 */
export function evaluateCircuit({ structure, tables }: Circuit, x: readonly (number | null)[]): number {
  const values: number[][] = []; // ln of each unit, node by node
  structure.nodes.forEach((node, i) => {
    const rows = tables[i] ?? [];
    if (node.kind === 'leaf') {
      const value = x[node.variable] ?? null;
      values.push(rows.map((row) => (value === null ? 0 : Math.log(row[value] ?? 0))));
    } else if (node.kind === 'sum') {
      const inputs = node.children.flatMap((child) => values[child]!);
      values.push(rows.map((row) => logDot(row, inputs)));
    } else {
      const [first, ...rest] = node.children.map((child) => values[child]!);
      values.push(first!.map((value, k) => rest.reduce((sum, child) => sum + child[k]!, value)));
    }
  });
  return values.at(-1)![0]!;
}

/** ln Σ_j w_j exp a_j: the largest term is taken out with its weight, lest a weight of 0 drown the others. */
function logDot(weights: readonly number[], a: readonly number[]): number {
  const terms = weights.map((w, j) => Math.log(w) + a[j]!);
  const top = Math.max(...terms);
  if (top === -Infinity) return -Infinity;
  return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0));
}

// Structures

/**
 * A hidden tree: every variable d gets a latent z_d with K states, the latents form the tree, and x_d depends on z_d
 * alone, p(x) = Σ_z Π_d p(z_d | z_parent(d)) p(x_d | z_d) (hidden Chow–Liu tree: Liu and Van den Broeck, 2021). With
 * K ≥ V it can be the tree over the x themselves, and with fewer states it needs fewer examples.
 */
export function hiddenTree(tree: Tree, values: number, states: number): Structure {
  const nodes: CircuitNode[] = [];
  const messages = new Map<number, number[]>(); // to each variable: the sums of its children
  for (const { variable, parent } of rootFirst(tree).reverse()) {
    nodes.push({ kind: 'leaf', variable, units: states });
    const children = [nodes.length - 1, ...(messages.get(variable) ?? [])];
    if (children.length > 1) nodes.push({ kind: 'product', children });
    nodes.push({ kind: 'sum', children: [nodes.length - 1], units: parent < 0 ? 1 : states });
    messages.set(parent, [...(messages.get(parent) ?? []), nodes.length - 1]);
  }
  return { variables: tree.length, values, nodes };
}

/**
 * Random halves, over and over, `repetitions` times; the root mixes them (RAT-SPN: Peharz et al., 2019).
 * @param units of every sum but the root
 */
export function randomHalves({ variables, values, units, repetitions = 2 }: RandomHalvesOptions, rng: Rng): Structure {
  const nodes: CircuitNode[] = [];
  const all = Array.from({ length: variables }, (_, d) => d);
  const roots = Array.from({ length: repetitions }, (_, r) => {
    const order = permutation(variables, rng.fork(`repetition ${r}`));
    return pushHalves(nodes, all.map((d) => order[d]!), units); // prettier-ignore
  });
  nodes.push({ kind: 'sum', children: roots, units: 1 });
  return { variables, values, nodes };
}

export interface RandomHalvesOptions {
  readonly variables: number;
  readonly values: number;
  readonly units: number;
  readonly repetitions?: number;
}

/** @returns the node over these variables; each half below it is mixed by a sum of its own */
function pushHalves(nodes: CircuitNode[], scope: readonly number[], units: number): number {
  if (scope.length === 1) return nodes.push({ kind: 'leaf', variable: scope[0]!, units }) - 1;
  const middle = scope.length >> 1;
  return pushProduct(nodes, [scope.slice(0, middle), scope.slice(middle)], units, pushHalves);
}

function pushProduct<Part>(
  nodes: CircuitNode[],
  parts: readonly Part[],
  units: number,
  push: (nodes: CircuitNode[], part: Part, units: number) => number,
): number {
  const children = parts.map((part) => {
    const child = push(nodes, part, units);
    return nodes.push({ kind: 'sum', children: [child], units }) - 1;
  });
  return nodes.push({ kind: 'product', children }) - 1;
}

/** An image cut across, and each half the other way, down to the pixels (quad graph: Mari et al., 2023). */
export function imageHalves(height: number, width: number, values: number, units: number): Structure {
  const nodes: CircuitNode[] = [];
  const root = pushRegion(nodes, { top: 0, left: 0, height, width, columns: width }, units);
  nodes.push({ kind: 'sum', children: [root], units: 1 });
  return { variables: height * width, values, nodes };
}

interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  /** Of the whole image. */
  readonly columns: number;
}

function pushRegion(nodes: CircuitNode[], region: Region, units: number): number {
  const { top, left, height, width, columns } = region;
  if (height === 1 && width === 1) return nodes.push({ kind: 'leaf', variable: top * columns + left, units }) - 1;
  const [h, w] = [height >> 1, width >> 1];
  const parts =
    height >= width
      ? [{ ...region, height: h }, { ...region, top: top + h, height: height - h }] // prettier-ignore
      : [{ ...region, width: w }, { ...region, left: left + w, width: width - w }]; // prettier-ignore
  return pushProduct(nodes, parts, units, pushRegion);
}

/** A circuit of random halves with random weights, sharp enough to be worth learning: rows ∝ exp(2 · normal). */
export function randomCircuit(options: RandomHalvesOptions, rng: Rng): Circuit {
  const structure = randomHalves(options, rng.fork('structure'));
  const tables = checkStructure(structure).map(({ units, inputs }, i) => {
    if (inputs === 0) return [];
    const draws = rng.fork(`node ${i}`).normal([units, inputs]);
    const weights = Array.from(draws.dataSync(), (z) => Math.exp(2 * z));
    draws.dispose();
    return Array.from({ length: units }, (_, k) => normalised(weights.slice(k * inputs, (k + 1) * inputs)));
  });
  return { structure, tables };
}

function normalised(weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}
