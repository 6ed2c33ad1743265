/** From a traced graph to an ONNX model for one kind of device. */
import type { IndexCheck } from '../graph/indices';
import { sizeOf, type Constant, type Graph, type Node, type Value } from '../graph/graph';
import { spread, type NamedOperands, type Operand } from '../onnx/kernel';
import { kernels } from '../onnx/kernels/index';
import { elementOf } from '../onnx/format';
import { OnnxBuilder, type Target } from '../onnx/onnx';
import { indexGuard } from './index-guard';

/** The names of a model's inputs and outputs, in the graph's order. */
export interface OnnxModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: number;
  /** What has to be looked at after every run, where an index may have no place. */
  readonly checks?: { readonly output: string; readonly list: readonly IndexCheck[] };
}

/**
 * Writes the nodes that the outputs need; the rest of the trace is dropped.
 * @throws TraceError when an index is known beforehand, and has no place
 */
export function lower(graph: Graph, target?: Target): OnnxModel {
  const b = new OnnxBuilder(target);
  const names = new Map<number, string>();
  graph.inputs.forEach((value, i) => names.set(value.id, `in${i}`));
  const constants = new Map(graph.constants.map((constant) => [constant.id, constant]));
  const nameOf = (value: Value): string => {
    const known = names.get(value.id);
    if (known !== undefined) return known;
    const name = written(b, constants.get(value.id)!);
    names.set(value.id, name);
    return name;
  };
  const operand = (value: Value): Operand => ({ shape: value.shape, dtype: value.dtype, name: nameOf(value) });
  const needed = neededNodes(graph);
  const guard = indexGuard(b, graph, nameOf);
  for (const node of graph.nodes) {
    if (!needed.has(node)) continue;
    const inputs = Object.fromEntries(
      Object.entries(node.inputs).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.map(operand) : operand(value as Value),
      ]),
    ) as NamedOperands;
    const results = lowered(b, node, guard.within(node, inputs));
    node.outputs.forEach((value, i) => names.set(value.id, results[i]!));
  }
  const inputs = graph.inputs.map((value, i) => ({ shape: value.shape, dtype: value.dtype, name: `in${i}` }));
  const outputs = graph.outputs.map((value, i) => ({
    shape: value.shape,
    dtype: value.dtype,
    name: `out${i}`,
    value: nameOf(value),
  }));
  const checks = guard.output();
  const bytes = b.model(inputs, [...outputs, ...(checks ? [checks] : [])]);
  return {
    ...{ bytes, inputs: inputs.map((i) => i.name), outputs: outputs.map((o) => o.name), nodes: b.size },
    ...(checks && { checks: { output: checks.name, list: guard.checks } }),
  };
}

/** The runtime's own operators may end the process where there is nothing to compute. */
function lowered(b: OnnxBuilder, { kernel, attrs, outputs }: Node, inputs: NamedOperands): readonly string[] {
  if (outputs.every(({ shape }) => sizeOf(shape) === 0)) return outputs.map((value) => nothing(b, value));
  return kernels[kernel]!.lower(b, inputs, attrs, outputs);
}

const nothing = (b: OnnxBuilder, { shape, dtype }: Value): string =>
  b.once(`nothing ${dtype} ${shape.join()}`, () => b.tensor(new Uint8Array(0), shape, elementOf(dtype)));

function written(b: OnnxBuilder, constant: Constant): string {
  const [first] = constant.values;
  return first !== undefined && constant.values.every((v) => Object.is(v, first))
    ? spread(b, first, constant)
    : b.tensor(constant.values, constant.shape, elementOf(constant.dtype));
}

function neededNodes(graph: Graph): Set<Node> {
  const wanted = new Set(graph.outputs.map((value) => value.id));
  const needed = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((value) => wanted.has(value.id))) continue;
    needed.add(node);
    for (const input of Object.values(node.inputs).flat()) wanted.add((input as Value).id);
  }
  return needed;
}
