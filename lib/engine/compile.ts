/**
 * compile(fn): TensorFlow.js code, traced once and run by ONNX Runtime.
 *
 * The function is an ordinary eager one; families and chapters do not know of this file. Reading a value, or
 * calling an operation that has no row in `kernels`, is a `TraceError` that names the line; whoever compiles
 * decides whether to go on eagerly.
 */
import * as tf from '@tensorflow/tfjs';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Rng } from '../model';
import { replay, tracingRng, type Draws } from './draws';
import type { Graph, Spec } from './graph';
import { lower } from './lower';
import { trace, TraceError, type Tracer } from './trace';

/** What a traced function gets: its inputs as tensors, and the randomness of this run. */
export type Traceable = (inputs: readonly tf.Tensor[], rng: Rng) => readonly tf.Tensor[];

export interface CompileOptions {
  /** Variables that the function reads and that change between runs; their values are given at every run. */
  readonly variables?: readonly tf.Variable[];
  /** Threads of one operator. Default: 1, which is the fastest for the course's sizes. */
  readonly threads?: number;
}

export interface Compiled {
  readonly outputs: readonly Spec[];
  /** From call to loaded session. */
  readonly milliseconds: number;
  /**
   * One run.
   * @param inputs as many numbers as their shapes say @param variables in the order of `CompileOptions.variables`
   * @param into where an output is to be written; undefined makes a new array
   */
  run(
    inputs: readonly Numbers[],
    rng: Rng,
    variables?: readonly Float32Array[],
    into?: readonly (Float32Array | undefined)[],
  ): Promise<readonly Numbers[]>;
  dispose(): Promise<void>;
}

export type Numbers = Float32Array | Int32Array | Uint8Array;

/**
 * Traces `fn` on inputs of these shapes and loads the graph.
 * @throws TraceError when the function does what a graph cannot
 */
export async function compile(fn: Traceable, inputs: readonly Spec[], options: CompileOptions = {}): Promise<Compiled> {
  const started = performance.now();
  const { variables = [], threads = 1 } = options;
  const traced = traceTwice(fn, inputs, variables);
  const model = lower(traced.graph);
  const session = await InferenceSession.create(model.bytes, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3, // warnings tell of optimisations that were not made, which is nothing to a reader
  });
  const { graph, draws } = traced;
  const feedNames = model.inputs;
  return {
    outputs: graph.outputs,
    milliseconds: performance.now() - started,
    async run(values, rng, weights = [], into = []) {
      const fed = [...values, ...weights, ...replay(draws, rng)];
      const feeds = Object.fromEntries(feedNames.map((name, i) => [name, ortTensor(fed[i]!, graph.inputs[i]!)]));
      const fetches = Object.fromEntries(
        model.outputs.map((name, i) => [name, into[i] ? ortTensor(into[i], graph.outputs[i]!) : null]),
      );
      const results = await session.run(feeds, fetches);
      return model.outputs.map((name) => results[name]!.data as Numbers);
    },
    dispose: () => session.release(),
  };
}

function ortTensor(values: Numbers, { shape, dtype }: Spec): OrtTensor {
  return new OrtTensor(dtype, values as never, shape);
}

interface Traced {
  readonly graph: Graph;
  readonly draws: Draws;
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
  if (changed >= 0) {
    const { id } = first.graph.constants[changed]!;
    const reader = first.graph.nodes.find((node) =>
      Object.values(node.inputs)
        .flat()
        .some((input) => input?.id === id),
    );
    throw new TraceError(
      'two runs used different numbers: every random draw must come from the given rng',
      reader?.site ?? '',
    );
  }
  return first;
}

function traceOnce(fn: Traceable, inputs: readonly Spec[], variables: readonly tf.Variable[]): Traced {
  let draws: Draws | undefined;
  const graph = trace((tracer: Tracer) => {
    const given = inputs.map((spec) => tracer.input(spec));
    variables.forEach((variable) => tracer.adopt(variable));
    const traced = tracingRng(tracer);
    draws = traced.draws;
    return fn(given, traced.rng);
  });
  return { graph, draws: draws! };
}

function same(a: ArrayLike<number>, b: ArrayLike<number> | undefined): boolean {
  return b !== undefined && a.length === b.length && Array.prototype.every.call(a, (v, i) => Object.is(v, b[i]));
}
