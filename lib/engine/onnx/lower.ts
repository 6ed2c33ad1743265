/** From a traced graph to an ONNX model. */
import type { Graph, Value } from '../graph/graph';
import { spread, type NamedOperands, type Operand } from './kernel';
import { kernels } from './kernels';
import { elementOf, OnnxBuilder } from './onnx';

/** The names of a model's inputs and outputs, in the graph's order. */
export interface OnnxModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: number;
}

/** Writes the nodes that the outputs need; the rest of the trace is dropped. */
export function lower(graph: Graph): OnnxModel {
  const b = new OnnxBuilder();
  const names = new Map<number, string>();
  graph.inputs.forEach((value, i) => names.set(value.id, `in${i}`));
  const constants = new Map(graph.constants.map((constant) => [constant.id, constant]));
  const nameOf = (value: Value): string => {
    const known = names.get(value.id);
    if (known !== undefined) return known;
    const constant = constants.get(value.id)!;
    const [first] = constant.values;
    const name =
      first !== undefined && constant.values.every((v) => Object.is(v, first))
        ? spread(b, first, constant)
        : b.tensor(constant.values, constant.shape, elementOf(constant.dtype));
    names.set(value.id, name);
    return name;
  };
  const operand = (value: Value): Operand => ({ shape: value.shape, dtype: value.dtype, name: nameOf(value) });
  const needed = neededNodes(graph);
  for (const node of graph.nodes) {
    if (!needed.has(node)) continue;
    const inputs = Object.fromEntries(
      Object.entries(node.inputs).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.map(operand) : operand(value as Value),
      ]),
    ) as NamedOperands;
    const results = kernels[node.kernel]!.lower(b, inputs, node.attrs, node.outputs);
    node.outputs.forEach((value, i) => names.set(value.id, results[i]!));
  }
  const inputs = graph.inputs.map((value, i) => ({ shape: value.shape, dtype: value.dtype, name: `in${i}` }));
  const outputs = graph.outputs.map((value, i) => ({
    shape: value.shape,
    dtype: value.dtype,
    name: `out${i}`,
    value: nameOf(value),
  }));
  const bytes = b.model(inputs, outputs);
  return { bytes, inputs: inputs.map((i) => i.name), outputs: outputs.map((o) => o.name), nodes: b.size };
}

function neededNodes(graph: Graph): Set<Graph['nodes'][number]> {
  const wanted = new Set(graph.outputs.map((value) => value.id));
  const needed = new Set<Graph['nodes'][number]>();
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((value) => wanted.has(value.id))) continue;
    needed.add(node);
    for (const input of Object.values(node.inputs).flat()) wanted.add((input as Value).id);
  }
  return needed;
}
