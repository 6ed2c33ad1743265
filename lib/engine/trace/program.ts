/** From a TensorFlow.js function to an ONNX model: traced, checked, simplified, lowered; nothing is loaded yet. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../../core/model';
import { replay, tracingRng, type Draws } from './draws';
import type { Graph, Spec } from '../graph/graph';
import { operandsOf, peakBytes } from '../graph/graph-size';
import { lower, type OnnxModel } from '../onnx/lower';
import { simplify } from '../graph/simplify';
import type { Numbers } from '../runtime/runtime';
import type { Loadable } from '../runtime/session-cache';
import { trace, TraceError, type Tracer } from './trace';

/** What a traced function gets: its inputs as tensors, and the randomness of this run. */
export type Traceable = (inputs: readonly tf.Tensor[], rng: Rng) => readonly tf.Tensor[];

/** Variables that the function reads and that change between runs; 'read' finds them: all that it does read. */
export type Variables = readonly tf.Variable[] | 'read';

export interface Program {
  readonly graph: Graph;
  readonly model: OnnxModel & Loadable;
  /** In the order in which their values are fed, after the inputs and before the draws. */
  readonly variables: readonly tf.Variable[];
  /** The numbers of this run's draws, in the order in which they are fed, after the variables. */
  draws(rng: Rng): Float32Array[];
  readonly drawCount: number;
}

/**
 * Traces `fn` on inputs of these shapes.
 * @throws TraceError when the function does what a graph cannot
 */
export function program(fn: Traceable, inputs: readonly Spec[], variables: Variables): Program {
  const traced = traceTwice(fn, inputs, variables === 'read' ? registeredVariables() : variables);
  const { graph: whole, draws, adopted } = variables === 'read' ? withoutUnread(traced, inputs.length) : traced;
  const graph = simplify(whole);
  const model = { ...lower(graph), memory: peakBytes(graph) };
  const drawCount = graph.inputs.length - inputs.length - adopted.length;
  return { graph, model, variables: adopted, draws: (rng) => replay(draws, rng), drawCount };
}

interface Traced {
  readonly graph: Graph;
  readonly draws: Draws;
  readonly adopted: readonly tf.Variable[];
}

/** Every variable alive, whoever made it. */
function registeredVariables(): tf.Variable[] {
  return Object.values(tf.engine().state.registeredVariables);
}

/** Leaves out the variables that no node and no output reads. */
function withoutUnread({ graph, draws, adopted }: Traced, first: number): Traced {
  const read = new Set([...graph.nodes.flatMap(operandsOf), ...graph.outputs].map(({ id }) => id));
  const isRead = adopted.map((_, i) => read.has(graph.inputs[first + i]!.id));
  const inputs = graph.inputs.filter((_, i) => isRead[i - first] ?? true);
  return { graph: { ...graph, inputs }, draws, adopted: adopted.filter((_, i) => isRead[i]) };
}

/** A second trace must give the same graph: constants that differ betray randomness that does not come from `rng`. */
function traceTwice(fn: Traceable, inputs: readonly Spec[], variables: readonly tf.Variable[]): Traced {
  const first = traceOnce(fn, inputs, variables);
  const second = traceOnce(fn, inputs, variables);
  const at = first.graph.nodes.findIndex((node, i) => node.kernel !== second.graph.nodes[i]?.kernel);
  if (at >= 0 || first.graph.nodes.length !== second.graph.nodes.length)
    throw new TraceError('two runs called different operations', first.graph.nodes[Math.max(0, at)]?.site ?? '');
  const changed = first.graph.constants.findIndex(
    (constant, i) => !same(constant.values, second.graph.constants[i]?.values),
  );
  if (changed < 0) return first;
  const { id } = first.graph.constants[changed]!;
  const reader = first.graph.nodes.find((node) => operandsOf(node).some((input) => input.id === id));
  throw new TraceError(
    'two runs used different numbers: every random draw must come from the given rng',
    reader?.site ?? '',
  );
}

let tracing = false;

/** True while a function is being traced: what it calls then belongs to its graph. */
export const isTracing = (): boolean => tracing;

function traceOnce(fn: Traceable, inputs: readonly Spec[], variables: readonly tf.Variable[]): Traced {
  let draws: Draws | undefined;
  tracing = true;
  try {
    const graph = trace((tracer: Tracer) => {
      const given = inputs.map((spec) => tracer.input(spec));
      variables.forEach((variable) => tracer.adopt(variable));
      const traced = tracingRng(tracer);
      draws = traced.draws;
      return fn(given, traced.rng);
    });
    return { graph, draws: draws!, adopted: variables };
  } finally {
    tracing = false;
  }
}

function same(a: Numbers, b: Numbers | undefined): boolean {
  return b !== undefined && a.length === b.length && Array.prototype.every.call(a, (v, i) => Object.is(v, b[i]));
}
