/** A graph computed node by node on TensorFlow.js, so that two graphs can be compared without compiling either. */
import * as tf from '@tensorflow/tfjs';
import type { Graph, Node, Value } from '../../../lib/engine/graph/graph';

/** @param inputs in the graph's order @returns the outputs; the caller is in a tidy */
export function interpret(graph: Graph, inputs: readonly tf.Tensor[]): tf.Tensor[] {
  const tensors = new Map<number, tf.Tensor>();
  graph.inputs.forEach((value, i) => tensors.set(value.id, inputs[i]!));
  for (const { id, values, shape, dtype } of graph.constants) tensors.set(id, tf.tensor(values, [...shape], dtype));
  const of = (value: Value): tf.Tensor => tensors.get(value.id)!;
  for (const node of graph.nodes) {
    const results = [computed(node, of)].flat() as tf.Tensor[];
    node.outputs.forEach(({ id }, k) => tensors.set(id, results[k]!));
  }
  return graph.outputs.map(of);
}

function computed({ kernel, inputs, attrs }: Node, of: (value: Value) => tf.Tensor): tf.Tensor | tf.Tensor[] {
  if (kernel === 'LogSoftmax') return tf.logSoftmax(of(inputs['logits'] as Value)); // no kernel of TensorFlow.js
  const entries = Object.entries(inputs).filter(([, value]) => value !== undefined);
  const named = Object.fromEntries(entries.map(([name, value]) => [name, of(value as Value)]));
  const isList = entries.every(([name], i) => name === String(i)) && entries.length > 0;
  const operands = (isList ? Object.values(named) : named) as tf.NamedTensorMap;
  return tf.engine().runKernel(kernel, operands, attrs as tf.NamedAttrMap);
}
