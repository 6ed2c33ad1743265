/**
 * compile(fn): TensorFlow.js code, traced once and run by ONNX Runtime.
 *
 * The function is an ordinary eager one; families and chapters do not know of this file. Reading a value, or
 * calling an operation that has no row in `kernels`, is a `TraceError` that names the line; whoever compiles
 * decides whether to go on eagerly.
 */
import type { Rng } from '../../core/model';
import { progressLine } from '../../host/progress';
import type { Spec } from '../graph/graph';
import { requireWithin } from '../graph/indices';
import { program, type Convolutions, type Program, type Traceable, type Variables } from '../trace/program';
import { chooseProvider, type Choice, type Device } from '../devices/providers';
import { hostTensor, runtimeProblem, type Numbers, type Provider, type RuntimeTensor } from '../runtime/runtime';
import { sessionFor } from '../runtime/session-cache';
import { threadsFor } from '../runtime/threads';
import { TraceError } from '../trace/trace';

export type { Traceable } from '../trace/program';
export type { Numbers } from '../runtime/runtime';

export interface CompileOptions {
  /** Variables that the function reads and that change between runs. Default: none. */
  readonly variables?: Variables;
  /** Threads of one operator. Default: DGM_THREADS, else 1, which is the fastest for the course's sizes. */
  readonly threads?: number;
  /** What it runs on. Default: DGM_DEVICE, else 'auto'. */
  readonly device?: Device;
  /**
   * 'exact' computes every convolution by its direct sum. 'fast' takes fewer products where that pays: an output's
   * error is then relative to the largest number of its tile, and NaN spreads over the tile. Default: 'fast' in
   * `compile`, so in training, where the weights bound the numbers; 'exact' in `compiled` and `loop`, so in likelihoods
   * and samples. DGM_CONVOLUTIONS overrides both.
   */
  readonly convolutions?: Convolutions;
  /** Says nothing when compiling takes long. */
  readonly quiet?: boolean;
}

export interface Compiled {
  readonly outputs: readonly Spec[];
  /** What it runs on, and why. */
  readonly choice: Choice;
  /** From call to loaded session. */
  readonly milliseconds: number;
  /**
   * One run.
   * @param inputs as many numbers as their shapes say
   * @param variables in the order of `CompileOptions.variables`
   * @param into where an output is to be written; undefined makes a new array
   */
  runNow(
    inputs: readonly Numbers[],
    rng: Rng,
    variables?: readonly Numbers[],
    into?: readonly (Numbers | undefined)[],
  ): readonly Numbers[];
  /** As `runNow`, for those who await. */
  run(...args: Parameters<Compiled['runNow']>): Promise<readonly Numbers[]>;
  /**
   * Whether the function still does what it did when it was compiled: numbers, tensors and variables that it reads
   * besides its inputs may have become others. Traces it once.
   */
  isCurrent(): boolean;
  dispose(): Promise<void>;
}

/**
 * Traces `fn` on inputs of these shapes and loads the graph, which stays loaded until `dispose`.
 * @throws TraceError when the function does what a graph cannot, or when there is no runtime on this system
 * @throws DeviceMissing when the device asked for is not there
 */
export function compileNow(fn: Traceable, inputs: readonly Spec[], options: CompileOptions = {}): Compiled {
  const started = performance.now();
  const problem = runtimeProblem();
  if (problem !== undefined) throw new TraceError(problem, '');
  const traced = program(fn, inputs, options.variables ?? [], convolutionsFor(options.convolutions ?? 'fast'));
  const { handle, choice } = loaded(traced, options);
  handle.pin();
  try {
    handle.session();
  } catch (error) {
    handle.unpin();
    throw new TraceError(`the runtime does not load the graph: ${firstLine(error)}`, '');
  }
  const milliseconds = performance.now() - started;
  sayIfSlow(traced, choice.provider, milliseconds, options);
  const runNow: Compiled['runNow'] = (values, rng, variables = [], into = []) =>
    runProgram(traced, { handle, choice }, [...values, ...variables, ...traced.draws(rng)], into);
  return {
    outputs: traced.graph.outputs,
    choice,
    milliseconds,
    runNow,
    run: async (...args) => runNow(...args),
    isCurrent: () => traced.isCurrent(fn),
    dispose: async () => handle.unpin(),
  };
}

/** @throws Error when DGM_CONVOLUTIONS is neither 'fast' nor 'exact' */
export function convolutionsFor(wanted: Convolutions): Convolutions {
  const asked = process.env['DGM_CONVOLUTIONS'];
  if (asked === undefined || asked === '') return wanted;
  if (asked === 'fast' || asked === 'exact') return asked;
  throw new Error(`DGM_CONVOLUTIONS must be fast or exact, got '${asked}'`);
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

/** As `compileNow`, for those who await. */
export async function compile(fn: Traceable, inputs: readonly Spec[], options: CompileOptions = {}): Promise<Compiled> {
  return compileNow(fn, inputs, options);
}

/** The provider for a program, and a handle on its session there; not yet loaded. */
export function loaded(traced: Program, { device, threads = threadsFor() }: CompileOptions) {
  const choice = chooseProvider(device, traced, threads);
  return { choice, handle: sessionFor(traced.modelFor(choice.provider), { provider: choice.provider, threads }) };
}

/**
 * One run of a loaded program on numbers in this process' memory.
 * @throws RangeError when an index has no place in what it points into
 */
export function runProgram(
  { graph, modelFor }: Program,
  { handle, choice }: ReturnType<typeof loaded>,
  fed: readonly Numbers[],
  into: readonly (Numbers | undefined)[],
): readonly Numbers[] {
  const model = modelFor(choice.provider);
  const tensor = (values: Numbers, { shape, dtype }: Spec) => hostTensor(values, shape, dtype);
  const feeds = Object.fromEntries(model.inputs.map((name, i) => [name, tensor(fed[i]!, graph.inputs[i]!)]));
  const fetches: Record<string, RuntimeTensor | null> = Object.fromEntries(
    model.outputs.map((name, i) => [name, into[i] ? tensor(into[i], graph.outputs[i]!) : null]),
  );
  if (model.checks) fetches[model.checks.output] = null;
  const results = handle.session().run(feeds, fetches);
  if (model.checks) requireWithin(model.checks.list, results[model.checks.output]!.data);
  return model.outputs.map((name) => results[name]!.data);
}

const SLOW_MS = 1000; // a reader then wonders what the machine is doing

/** Tells a reader what the machine was doing, when that took long. */
export function sayIfSlow(
  { modelFor }: Program,
  provider: Provider,
  milliseconds: number,
  { quiet }: Pick<CompileOptions, 'quiet'> = {},
): void {
  if (milliseconds < SLOW_MS) return;
  const took = `${(milliseconds / 1000).toFixed(1)} s`;
  progressLine({ quiet: quiet ?? false }).done(
    `Compiled ${modelFor(provider).nodes} operations for the ${provider} in ${took}`,
  );
}
