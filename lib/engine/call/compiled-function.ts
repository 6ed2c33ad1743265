/**
 * Compiled functions for everything that is not a training step: likelihoods of new data, samplers, chains.
 *
 * `compiled(fn)` and `loop(body)` are called like what they wrap. On the first call with inputs of some shape the
 * function is traced and compiled; where it cannot be, it runs eagerly, and `engine()` says why. Called while another
 * function is being traced, they become part of that one.
 *
 * A function may read numbers, tensors and variables that are not its inputs. Each call traces it once more to see
 * whether they have become others, and compiles it again where they have. The values of the `tf.Variable`s it uses are
 * looked up at every run.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../../core/model';
import { convolutionsFor, runProgram, type CompileOptions } from './compile';
import { createPlans, type Plan, type PlanOptions } from './plans';
import type { Spec } from '../graph/graph';
import { callSite } from '../graph/site';
import { isTracing, type Traceable } from '../trace/program';
import { createResident } from '../devices/resident-program';
import type { Numbers } from '../runtime/runtime';
import { threadsFor } from '../runtime/threads';
import { TraceError } from '../trace/trace';

export interface FunctionOptions extends Pick<CompileOptions, 'device' | 'threads' | 'quiet' | 'convolutions'> {
  /** 'eager' never compiles. Default: 'auto'. */
  readonly engine?: 'auto' | 'eager';
}

/** A function of tensors that is compiled where it can be. The caller owns what it returns. */
export interface CompiledFunction {
  /** @throws RangeError when an index has no place in what it points into */
  (inputs: readonly tf.Tensor[], rng: Rng): tf.Tensor[];
  /**
   * Runs `body`, in which nothing changes that the function reads besides its inputs: calls within, such as those over
   * the batches of one data set, look for changes once for each shape, which saves a trace of the function a call.
   */
  together<T>(body: () => T): T;
  /** What ran it last: "compiled for the cpu", or "eager on cpu: " and why. */
  engine(): string;
  /** The graph that ran last, as text: operations, shapes, lines of code. Empty where there is none. */
  graph(): string;
}

const settings = (options: FunctionOptions): PlanOptions => ({
  ...options,
  threads: options.threads ?? threadsFor(),
  convolutions: convolutionsFor(options.convolutions ?? 'exact'),
});

/**
 * `fn`, compiled.
 * @param fn pure: a function of its inputs, its rng, and variables; it disposes nothing it was given
 */
export function compiled(fn: Traceable, options: FunctionOptions = {}): CompiledFunction {
  const plans = createPlans(settings(options));
  const call = (inputs: readonly tf.Tensor[], rng: Rng): tf.Tensor[] => {
    const eagerly = () => tf.tidy(() => fn(inputs, rng).map((tensor) => tensor.clone()));
    return plans.run(inputs, fn, eagerly, (plan) => {
      const { traced } = plan;
      const values = [...inputs, ...traced.variables].map(valuesOf);
      const results = runProgram(traced, plan, [...values, ...traced.draws(rng)], []);
      return results.map((result, i) => tensorOf(result, traced.graph.outputs[i]!));
    });
  };
  return Object.assign(call, { engine: plans.engine, graph: plans.graph, together: plans.together });
}

/**
 * The state after one step more.
 * @param t which step this is, from 0: int32, a scalar
 * @param given what stays the same over all steps, such as a label
 */
export type Body = (
  state: readonly tf.Tensor[],
  t: tf.Tensor,
  rng: Rng,
  given: readonly tf.Tensor[],
) => readonly tf.Tensor[];

export interface Loop {
  /** `steps` steps from this state. The caller owns the result; the state given is not touched. */
  (state: readonly tf.Tensor[], steps: number, rng: Rng, given?: readonly tf.Tensor[]): tf.Tensor[];
  engine(): string;
}

/**
 * state ← body(state, t, rng.fork(`step ${t}`), given), for t = 0, 1, …: Langevin dynamics, the steps of an ODE, the
 * pixels of an autoregressive model. The body is compiled once, whatever the number of steps, and between them the
 * state stays where it is computed.
 */
export function loop(body: Body, options: FunctionOptions = {}): Loop {
  const plans = createPlans(settings(options));
  const call = (state: readonly tf.Tensor[], steps: number, rng: Rng, given: readonly tf.Tensor[] = []) => {
    if (!Number.isInteger(steps) || steps < 0) throw new Error(`loop: steps must be an integer ≥ 0, got ${steps}`);
    if (steps === 0) return state.map((tensor) => tensor.clone());
    if (isTracing() && steps > WRITTEN_OUT)
      throw new TraceError(`a loop of ${steps} steps is compiled by itself, not written out`, callSite());
    const step: Traceable = ([t, ...rest], noise) =>
      checkedState(body(rest.slice(given.length), t!, noise, rest.slice(0, given.length)), state);
    const t = tf.scalar(0, 'int32');
    const inputs = [t, ...given, ...state];
    try {
      return plans.run(
        inputs,
        step,
        () => stepEagerly(step, state, steps, rng, given),
        (plan) => stepCompiled(plan, inputs, 1 + given.length, steps, rng),
      );
    } finally {
      t.dispose();
    }
  };
  return Object.assign(call, { engine: plans.engine });
}

/** Within another traced function a short loop is written out; a long one would make a graph of thousands of nodes. */
const WRITTEN_OUT = 8;

const streamOf = (rng: Rng, t: number): Rng => rng.fork(`step ${t}`);

function stepEagerly(
  step: Traceable,
  state: readonly tf.Tensor[],
  steps: number,
  rng: Rng,
  given: readonly tf.Tensor[],
): tf.Tensor[] {
  let now = state.map((tensor) => tensor.clone());
  for (let t = 0; t < steps; t++) {
    const before = now;
    const inputs = () => [tf.scalar(t, 'int32'), ...given, ...before];
    now = tf.tidy(() => step(inputs(), streamOf(rng, t)).map((tensor) => tensor.clone()));
    if (!isTracing()) tf.dispose(before);
  }
  return now;
}

/** @param first the place of the state among the inputs */
function stepCompiled(
  { traced, choice, threads }: Plan,
  inputs: readonly tf.Tensor[],
  first: number,
  steps: number,
  rng: Rng,
): tf.Tensor[] {
  const state = inputs.slice(first).map((_, k) => first + k);
  const resident = createResident(traced, { provider: choice.provider, threads, state, changing: [0] });
  try {
    resident.start([...inputs, ...traced.variables].map(valuesOf));
    for (let t = 0; t < steps; t++) resident.step([Int32Array.of(t)], streamOf(rng, t));
    return resident.state().map((values, k) => tensorOf(values, traced.graph.outputs[k]!));
  } finally {
    resident.dispose();
  }
}

/** @throws when the body changed the number, the shape or the type of the state */
function checkedState(next: readonly tf.Tensor[], state: readonly tf.Tensor[]): readonly tf.Tensor[] {
  const text = (list: readonly tf.Tensor[]) => list.map((tensor) => `${tensor.dtype} [${tensor.shape.join(', ')}]`);
  const [wanted, got] = [text(state).join(', '), text(next).join(', ')];
  if (wanted !== got) throw new Error(`loop: the body must return a state like the one it got, ${wanted}; got ${got}`);
  return next;
}

const valuesOf = (tensor: tf.Tensor): Numbers => tensor.dataSync() as Numbers;
const tensorOf = (values: Numbers, { shape, dtype }: Spec): tf.Tensor => tf.tensor(values, [...shape], dtype);
