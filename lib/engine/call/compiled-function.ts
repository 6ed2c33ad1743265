/**
 * Compiled functions for everything that is not a training step: likelihoods of new data, samplers, chains.
 *
 * `compiled(fn)` and `loop(body)` are called like what they wrap. On the first call with inputs of some shape the
 * function is traced and compiled; where it cannot be, it runs eagerly, and `engine()` says why. Called while another
 * function is being traced, they become part of that one.
 *
 * What such a function reads is fixed at its first call, but for three things: its inputs, its rng, and the values of
 * the `tf.Variable`s it uses, which are looked up at every run.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../../core/model';
import { loaded, runProgram, sayIfSlow, type CompileOptions } from './compile';
import { specOf, type Spec } from '../graph/graph';
import { isTracing, program, type Program, type Traceable } from '../trace/program';
import { DeviceMissing, type Choice } from '../devices/providers';
import { createResident } from '../devices/resident-program';
import type { Numbers } from '../runtime/runtime';
import type { SessionHandle } from '../runtime/session-cache';
import { threadsFor } from '../runtime/threads';
import { callSite, TraceError } from '../trace/trace';

export interface FunctionOptions extends Pick<CompileOptions, 'device' | 'threads' | 'quiet'> {
  /** 'eager' never compiles. Default: 'auto'. */
  readonly engine?: 'auto' | 'eager';
}

/** A function of tensors that is compiled where it can be. The caller owns what it returns. */
export interface CompiledFunction {
  (inputs: readonly tf.Tensor[], rng: Rng): tf.Tensor[];
  /** What ran it last: "compiled for the cpu", or "eager on cpu: " and why. */
  engine(): string;
}

/**
 * `fn`, compiled.
 * @param fn pure: a function of its inputs, its rng, and variables; it disposes nothing it was given
 */
export function compiled(fn: Traceable, options: FunctionOptions = {}): CompiledFunction {
  const plans = createPlans(options);
  const call = (inputs: readonly tf.Tensor[], rng: Rng): tf.Tensor[] => {
    const eagerly = () => tf.tidy(() => fn(inputs, rng).map((tensor) => tensor.clone()));
    return plans.run(inputs, fn, eagerly, ({ traced, handle }) => {
      const values = [...inputs, ...traced.variables].map(valuesOf);
      const results = runProgram(traced, handle.session(), [...values, ...traced.draws(rng)], []);
      return results.map((result, i) => tensorOf(result, traced.graph.outputs[i]!));
    });
  };
  return Object.assign(call, { engine: plans.engine });
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
  const plans = createPlans(options);
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

// Plans: what to do for inputs of some shape

interface Plan {
  readonly traced: Program;
  readonly handle: SessionHandle;
  readonly choice: Choice;
  readonly threads: number;
}

const MOST_SHAPES = 32; // of one function: each keeps its model's bytes

/** Compiles a function for each shape of its inputs, or finds out that it has to run eagerly. */
function createPlans(options: FunctionOptions) {
  const { threads = threadsFor() } = options;
  const plans = new Map<string, Plan>();
  let eager = options.engine === 'eager' ? 'as asked' : undefined;
  let last = 'not run yet';
  return {
    engine: () => last,
    run<T>(inputs: readonly tf.Tensor[], fn: Traceable, eagerly: () => T, withPlan: (plan: Plan) => T): T {
      if (isTracing()) return eagerly();
      const specs = inputs.map(specOf);
      const key = JSON.stringify(specs);
      if (eager === undefined && !plans.has(key)) {
        const plan = planOf(fn, specs, { ...options, threads });
        if (typeof plan === 'string') {
          const result = eagerly(); // when it throws as well, the function is at fault, and not the engine
          eager = plan;
          last = `eager on ${tf.getBackend()}: ${eager}`;
          return result;
        }
        if (plans.size >= MOST_SHAPES) plans.delete(plans.keys().next().value!);
        plans.set(key, plan);
      }
      const plan = plans.get(key);
      last = plan ? `compiled for the ${plan.choice.provider}` : `eager on ${tf.getBackend()}: ${eager}`;
      return plan ? withPlan(plan) : eagerly();
    },
  };
}

/** A loaded program, or why there is none. */
function planOf(fn: Traceable, specs: readonly Spec[], options: FunctionOptions & { threads: number }): Plan | string {
  const started = performance.now();
  try {
    const traced = program(fn, specs, 'read');
    const { handle, choice } = loaded(traced, options);
    handle.session();
    sayIfSlow(traced, choice.provider, performance.now() - started, options);
    return { traced, handle, choice, threads: options.threads };
  } catch (error) {
    if (error instanceof DeviceMissing) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

const valuesOf = (tensor: tf.Tensor): Numbers => tensor.dataSync() as Numbers;
const tensorOf = (values: Numbers, { shape, dtype }: Spec): tf.Tensor => tf.tensor(values, [...shape], dtype);
