/** How large a graph is, before it has run: for the session cache's bound and for the choice of a provider. */
import { sizeOf, type Graph, type Node, type Value } from './graph';

const BYTES = 4; // of every element but bool's, which are counted as if they had as many

/** The operands of a node, lists opened. */
export function operandsOf({ inputs }: Node): Value[] {
  return Object.values(inputs).flatMap((value) => (value === undefined ? [] : value)) as Value[];
}

/**
 * The most memory that the values between inputs and outputs need at one time, in bytes: what a session's arena
 * grows to. A value lives from its node to its last reader.
 */
export function peakBytes({ nodes, outputs }: Graph): number {
  const lastReader = new Map<number, number>();
  nodes.forEach((node, i) => operandsOf(node).forEach(({ id }) => lastReader.set(id, i)));
  const kept = new Set(outputs.map(({ id }) => id));
  const dying: number[] = new Array<number>(nodes.length).fill(0);
  let live = 0;
  let peak = 0;
  nodes.forEach((node, i) => {
    for (const { id, shape } of node.outputs) {
      const bytes = BYTES * sizeOf(shape);
      live += bytes;
      if (!kept.has(id)) dying[lastReader.get(id) ?? i]! += bytes;
    }
    peak = Math.max(peak, live);
    live -= dying[i]!;
  });
  return peak;
}

/** Multiply-adds, roughly: products count their inner dimension, everything else one for each element it makes. */
export function work({ nodes }: Graph): number {
  return nodes.reduce(
    (sum, node) => sum + node.outputs.reduce((n, { shape }) => n + sizeOf(shape) * inner(node), 0),
    0,
  );
}

function inner(node: Node): number {
  const operands = operandsOf(node);
  if (/MatMul/.test(node.kernel)) {
    const [a, b] = operands.map(({ shape }) => sizeOf(shape));
    const made = sizeOf(node.outputs[0]!.shape); // √(MK · KN / MN) = K, whichever operand is transposed
    return made === 0 ? 0 : Math.sqrt((a! * b!) / made);
  }
  if (/^(Depthwise)?Conv/.test(node.kernel)) {
    const sizes = operands.map(({ shape }) => sizeOf(shape));
    return Math.max(1, Math.min(...sizes) / 64); // a filter's weights for each of some 64 channels
  }
  return 1;
}

/** Graphs of one class are taken to be fastest on the same provider: nodes (dispatches) and work, in powers of 4. */
export function sizeClass(graph: Graph): string {
  const power = (n: number) => Math.round(Math.log2(Math.max(1, n)) / 2);
  return `nodes 4^${power(graph.nodes.length)}, work 4^${power(work(graph))}`;
}
