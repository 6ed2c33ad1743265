/**
 * The same computation with fewer operators.
 *
 * A traced gradient is full of detours: TensorFlow.js lifts matrices to rank 3 and back, multiplies by one constant
 * after the other, spreads a number over a tensor to multiply by it, and computes some things twice. Every operator
 * costs the runtime a microsecond or two, and on a large tensor a walk through memory. Which detours are known, and
 * what is done about each, is in `rewrites`.
 */
import type { Constant, Graph, Node, Spec, Value } from './graph';
import { operandsOf } from './graph-size';
import { fusions, rewrites } from './rewrites';
import { uniformOf, type Rule, type Workbench } from './workbench';

/** A graph with the same inputs and outputs, and nothing in it that no output needs. */
export function simplify(graph: Graph): Graph {
  return rewritten(rewritten(graph, rewrites), fusions);
}

/** The graph by these rules alone, with equal nodes made one. */
export const rewritten = (graph: Graph, rules: readonly Rule[]): Graph => needed(rebuild(graph, rules));

/** Every node anew, through the rules; of equal nodes only the first. */
function rebuild(graph: Graph, rules: readonly Rule[]): Graph {
  const { inputs, outputs } = graph;
  const nodes: Node[] = [];
  const constants: Constant[] = [...graph.constants];
  const makers = new Map<number, Node>();
  const known = new Map<string, Node>();
  const uniforms = new Map(constants.map((constant) => [constant.id, uniformConstant(constant)]));
  const scalars = new Map<string, Value>();
  const standIns = new Map<number, Value>();
  const current = (value: Value): Value => standIns.get(value.id) ?? value;
  const uses = usesIn(graph);
  let nextId = 1 + topId(graph);
  let source: Node;

  const scalar = (number: number): Value => {
    const key = Object.is(number, -0) ? '-0' : String(number);
    const constant = { shape: [], dtype: 'float32', id: nextId, values: Float32Array.of(number) } as const;
    if (!scalars.has(key)) {
      nextId++;
      constants.push(constant);
      uniforms.set(constant.id, constant.values[0]!);
      scalars.set(key, constant);
    }
    return scalars.get(key)!;
  };
  /** The outputs of the node, or of whatever stands in for it. */
  const place = (node: Node): readonly Value[] => {
    for (const { kernels, rewrite } of node.outputs.length === 1 ? rules : []) {
      const value = kernels.includes(node.kernel) ? rewrite(node, bench) : undefined;
      if (value) return [value];
    }
    const key = keyOf(node);
    const equal = known.get(key);
    if (equal) return equal.outputs;
    known.set(key, node);
    nodes.push(node);
    node.outputs.forEach((value) => makers.set(value.id, node));
    const uniform = node.outputs.length === 1 ? uniformOf(node) : undefined;
    if (uniform !== undefined) uniforms.set(node.outputs[0]!.id, uniform);
    return node.outputs;
  };
  const bench: Workbench = {
    maker: ({ id }) => makers.get(id),
    uniform: ({ id }) => uniforms.get(id),
    usedOnce: ({ id }) => uses.get(id) === 1,
    scalar,
    emit: (kernel, operands, attrs, { shape, dtype }) =>
      place(copyOf(source, { kernel, inputs: operands, attrs, outputs: [{ shape, dtype, id: nextId++ }] }))[0]!,
  };
  for (const constant of graph.constants)
    if (constant.shape.length === 0 && constant.dtype === 'float32')
      standIns.set(constant.id, scalar(constant.values[0]!));
  for (const node of graph.nodes) {
    source = node;
    const placed = place(copyOf(node, { inputs: mapOperands(node, current) }));
    node.outputs.forEach((value, i) => standIns.set(value.id, placed[i]!));
  }
  return { inputs, constants, nodes, outputs: outputs.map(current) };
}

/** Asking for the site of a node costs time, so that it is asked only when it is read. */
function copyOf(node: Node, changes: Partial<Omit<Node, 'site'>>): Node {
  const { kernel, inputs, attrs, outputs } = node;
  return {
    ...{ kernel, inputs, attrs, outputs, ...changes },
    get site() {
      return node.site;
    },
  };
}

function mapOperands({ inputs }: Node, f: (value: Value) => Value): Node['inputs'] {
  const mapped = (value: Value | readonly Value[] | undefined) =>
    value && ('id' in value ? f(value) : (value as readonly Value[]).map(f));
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, mapped(value)]));
}

/** How many operands and outputs each value is. */
function usesIn({ nodes, outputs }: Graph): Map<number, number> {
  const uses = new Map<number, number>();
  for (const { id } of [...nodes.flatMap(operandsOf), ...outputs]) uses.set(id, (uses.get(id) ?? 0) + 1);
  return uses;
}

function topId({ inputs, constants, nodes }: Graph): number {
  const made = nodes.flatMap(({ outputs }) => outputs);
  return [...inputs, ...constants, ...made].reduce((top, { id }) => Math.max(top, id), 0);
}

function uniformConstant({ values }: Constant): number | undefined {
  const first = values[0];
  return values.every((value) => Object.is(value, first)) ? first : undefined;
}

/** Equal for nodes that compute the same. */
function keyOf({ kernel, inputs, attrs, outputs }: Node): string {
  const operands = Object.entries(inputs).map(([name, value]) => [name, [value ?? []].flat().map(({ id }) => id)]);
  return JSON.stringify([kernel, operands, attrs, outputs.map(({ shape, dtype }: Spec) => [shape, dtype])], exactly);
}

/** JSON has neither −0 nor NaN nor infinities. */
function exactly(_: string, value: unknown): unknown {
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return Object.is(value, -0) ? 'number -0' : `number ${value}`;
}

/** Without the nodes that no output needs. */
function needed(graph: Graph): Graph {
  const wanted = new Set(graph.outputs.map(({ id }) => id));
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some(({ id }) => wanted.has(id))) continue;
    kept.push(node);
    operandsOf(node).forEach(({ id }) => wanted.add(id));
  }
  return { ...graph, constants: graph.constants.filter(({ id }) => wanted.has(id)), nodes: kept.reverse() };
}
