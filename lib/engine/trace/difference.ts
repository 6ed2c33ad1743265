/** Whether two traces are the same computation, and where they part. */
import type { Constant, Graph, Node, Value } from '../graph/graph';
import { operandsOf } from '../graph/graph-size';

/** Where two graphs part: by other operations or operands, or by other numbers in the same operations. */
export interface Difference {
  readonly kind: 'operations' | 'numbers';
  /** The line of the first graph's code that asked for it. */
  readonly site: string;
}

/**
 * How `again` differs from `first`; undefined where both compute the same. Ids may differ: a value is known by where
 * it comes from.
 * @param inputs pairs inputs that are the same; an input that is in no pair is equal to none
 */
export function differenceOf(
  first: Graph,
  again: Graph,
  inputs: readonly (readonly [Value, Value])[],
): Difference | undefined {
  const twins = new Map<number, number>();
  const pair = (a: Value, b: Value) => twins.set(a.id, b.id);
  inputs.forEach(([a, b]) => pair(a, b));
  first.constants.forEach((constant, i) => again.constants[i] && pair(constant, again.constants[i]));
  const isTwin = (a: Value, b: Value | undefined) => b !== undefined && twins.get(a.id) === b.id;
  const areTwins = (as: readonly Value[], bs: readonly Value[]) =>
    as.length === bs.length && as.every((a, k) => isTwin(a, bs[k]));
  for (const [i, node] of first.nodes.entries()) {
    const other = again.nodes[i];
    const isSame =
      other?.kernel === node.kernel &&
      areTwins(operandsOf(node), operandsOf(other)) &&
      String(Object.keys(node.inputs)) === String(Object.keys(other.inputs)) &&
      isEqual(node.outputs.map(spec), other.outputs.map(spec));
    if (!isSame) return { kind: 'operations', site: node.site };
    if (!isEqual(node.attrs, other.attrs)) return { kind: 'numbers', site: node.site };
    node.outputs.forEach((value, k) => pair(value, other.outputs[k]!));
  }
  const isWhole = first.nodes.length === again.nodes.length && areTwins(first.outputs, again.outputs);
  if (!isWhole) return { kind: 'operations', site: first.nodes.at(-1)?.site ?? '' };
  const changed = first.constants.find((constant, i) => !sameNumbers(constant, again.constants[i]));
  return changed && { kind: 'numbers', site: readerOf(changed, first)?.site ?? '' };
}

const spec = ({ shape, dtype }: Value) => [shape, dtype];

const readerOf = ({ id }: Value, { nodes }: Graph): Node | undefined =>
  nodes.find((node) => operandsOf(node).some((operand) => operand.id === id));

function sameNumbers({ values: a }: Constant, again: Constant | undefined): boolean {
  const b = again?.values;
  if (b?.length !== a.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** Of numbers, texts, lists and records of them. */
function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => isEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  );
}
