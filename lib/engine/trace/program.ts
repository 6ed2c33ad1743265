/** From a TensorFlow.js function to an ONNX model: traced, checked, simplified, lowered; nothing is loaded yet. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../../core/model';
import { replay, tracingRng, type Draws } from './draws';
import type { Graph, Spec } from '../graph/graph';
import { operandsOf, peakBytes } from '../graph/graph-size';
import type { Target } from '../onnx/onnx';
import { lower, type OnnxModel } from './lower';
import { simplify } from '../graph/simplify';
import type { Provider } from '../runtime/runtime';
import type { Loadable } from '../runtime/session-cache';
import { differenceOf, type Difference } from './difference';
import { trace, TraceError, type Tracer } from './trace';

/** What a traced function gets: its inputs as tensors, and the randomness of this run. */
export type Traceable = (inputs: readonly tf.Tensor[], rng: Rng) => readonly tf.Tensor[];

/** Variables that the function reads and that change between runs; 'read' finds them: all that it does read. */
export type Variables = readonly tf.Variable[] | 'read';

export interface Program {
  readonly graph: Graph;
  /**
   * The model for a provider: a graphics device's functions are guarded where they lose NaN and infinities.
   * @throws TraceError when an index is known beforehand, and has no place
   */
  modelFor(provider: Provider): OnnxModel & Loadable;
  /** In the order in which their values are fed, after the inputs and before the draws. */
  readonly variables: readonly tf.Variable[];
  /** The numbers of this run's draws, in the order in which they are fed, after the variables. */
  draws(rng: Rng): Float32Array[];
  readonly drawCount: number;
  /**
   * Whether the function still does what it did when it was traced: it may read numbers, tensors or variables that
   * are not its inputs, and they may have become others. Traces it once.
   */
  isCurrent(fn: Traceable): boolean;
}

/** How convolutions are computed: by fewer products where that is faster, or always by their direct sum. */
export type Convolutions = 'fast' | 'exact';

/**
 * Traces `fn` on inputs of these shapes.
 * @throws TraceError when the function does what a graph cannot
 */
export function program(
  fn: Traceable,
  inputs: readonly Spec[],
  variables: Variables,
  convolutions: Convolutions = 'fast',
): Program {
  const traced = traceTwice(fn, inputs, variables === 'read' ? registeredVariables() : variables);
  const { graph: whole, draws, adopted } = variables === 'read' ? withoutUnread(traced, inputs.length) : traced;
  const graph = simplify(whole);
  const drawCount = graph.inputs.length - inputs.length - adopted.length;
  const isCurrent = (again: Traceable) => {
    const now = variables === 'read' ? registeredVariables() : variables;
    return tracedOtherwise(traced, traceOnce(again, inputs, now, false), inputs.length) === undefined;
  };
  return {
    graph,
    modelFor: modelsOf(graph, convolutions === 'exact'),
    variables: adopted,
    draws: (rng) => replay(draws, rng),
    drawCount,
    isCurrent,
  };
}

/** Lowers a graph once for each kind of device. */
function modelsOf(graph: Graph, exact: boolean): Program['modelFor'] {
  const models = new Map<boolean, OnnxModel & Loadable>();
  return (provider) => {
    const target: Target = { guarded: provider !== 'cpu', exact };
    const model = models.get(target.guarded) ?? { ...lower(graph, target), memory: peakBytes(graph) };
    models.set(target.guarded, model);
    return model;
  };
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

/** A second trace must give the same graph: numbers that differ betray randomness that does not come from `rng`. */
function traceTwice(fn: Traceable, inputs: readonly Spec[], variables: readonly tf.Variable[]): Traced {
  const first = traceOnce(fn, inputs, variables);
  const difference = tracedOtherwise(first, traceOnce(fn, inputs, variables, false), inputs.length);
  if (!difference) return first;
  throw new TraceError(
    difference.kind === 'operations'
      ? 'two runs called different operations'
      : 'two runs used different numbers: every random draw must come from the given rng',
    difference.site,
  );
}

/** Inputs and draws are the same by their order, variables if they are. */
function tracedOtherwise(first: Traced, again: Traced, inputs: number): Difference | undefined {
  const steps = (traced: Traced) => JSON.stringify(traced.draws);
  if (steps(first) !== steps(again)) return { kind: 'operations', site: '' };
  const at = (traced: Traced, i: number) => traced.graph.inputs[i]!;
  const given = Array.from({ length: inputs }, (_, i) => [at(first, i), at(again, i)] as const);
  const shared = first.adopted.flatMap((variable, i) => {
    const other = again.adopted.indexOf(variable);
    return other < 0 ? [] : [[at(first, inputs + i), at(again, inputs + other)] as const];
  });
  const drawn = first.graph.inputs
    .slice(inputs + first.adopted.length)
    .map((value, i) => [value, at(again, inputs + again.adopted.length + i)] as const);
  return differenceOf(first.graph, again.graph, [...given, ...shared, ...drawn]);
}

let tracing = false;

/** True while a function is being traced: what it calls then belongs to its graph. */
export const isTracing = (): boolean => tracing;

function traceOnce(fn: Traceable, inputs: readonly Spec[], variables: readonly tf.Variable[], sites = true): Traced {
  let draws: Draws | undefined;
  tracing = true;
  try {
    const graph = trace((tracer: Tracer) => {
      const given = inputs.map((spec) => tracer.input(spec));
      variables.forEach((variable) => tracer.adopt(variable));
      const traced = tracingRng(tracer);
      draws = traced.draws;
      return fn(given, traced.rng);
    }, sites);
    return { graph, draws: draws!, adopted: variables };
  } finally {
    tracing = false;
  }
}
