/** What a function does for inputs of some shape: a loaded program, or why it runs eagerly. */
import * as tf from '@tensorflow/tfjs';
import { loaded, sayIfSlow, type CompileOptions } from './compile';
import { specOf, type Spec } from '../graph/graph';
import { printGraph } from '../graph/print';
import { isTracing, program, type Convolutions, type Program, type Traceable } from '../trace/program';
import { DeviceMissing, type Choice } from '../devices/providers';
import type { SessionHandle } from '../runtime/session-cache';

export interface PlanOptions extends Pick<CompileOptions, 'device' | 'quiet'> {
  readonly engine?: 'auto' | 'eager';
  readonly threads: number;
  readonly convolutions: Convolutions;
}

export interface Plan {
  readonly traced: Program;
  readonly handle: SessionHandle;
  readonly choice: Choice;
  readonly threads: number;
}

export interface Plans {
  /** What ran last, for a reader. */
  engine(): string;
  /** The graph that ran last, as text. */
  graph(): string;
  /** See `CompiledFunction.together`. */
  together<T>(body: () => T): T;
  /** Runs `withPlan` with the program for these inputs, or `eagerly`. @param fn what is traced: the same at every call */
  run<T>(inputs: readonly tf.Tensor[], fn: Traceable, eagerly: () => T, withPlan: (plan: Plan) => T): T;
}

const MOST_SHAPES = 32; // of one function: each keeps its model's bytes
/** Programs of one shape, after which a function counts as one that changes all the time. */
const MOST_CHANGES = 8;
const RESTLESS =
  'what it reads besides its inputs changes from call to call; make it an input, or a tf.Variable, to have it compiled';

/** Compiles a function for each shape of its inputs, or finds out that it has to run eagerly. */
export function createPlans(options: PlanOptions): Plans {
  const plans = new Map<string, Plan>();
  const changes = new Map<string, number>();
  let settled: Set<string> | undefined; // shapes that have been looked at, within `together`
  let eager = options.engine === 'eager' ? 'as asked' : undefined;
  let last = 'not run yet';
  let ran: Plan | undefined;

  /** The plan for these inputs, if they have been compiled, and the function is still what it was. */
  function currentPlan(key: string, fn: Traceable): Plan | undefined {
    const plan = plans.get(key);
    if (!plan || settled?.has(key) || isCurrent(plan.traced, fn)) return plan;
    plans.delete(key);
    changes.set(key, 1 + (changes.get(key) ?? 0));
    return undefined;
  }

  function newPlan(key: string, fn: Traceable, specs: readonly Spec[]): Plan | string {
    if ((changes.get(key) ?? 0) >= MOST_CHANGES) return RESTLESS;
    const plan = planOf(fn, specs, options);
    if (typeof plan === 'string') return plan;
    if (plans.size >= MOST_SHAPES) plans.delete(plans.keys().next().value!);
    plans.set(key, plan);
    return plan;
  }

  return {
    engine: () => last,
    graph: () => (ran ? printGraph(ran.traced.graph, true) : ''),
    together(body) {
      const before = settled;
      settled ??= new Set();
      try {
        return body();
      } finally {
        settled = before;
      }
    },
    run(inputs, fn, eagerly, withPlan) {
      if (isTracing()) return eagerly();
      const specs = inputs.map(specOf);
      const key = JSON.stringify(specs);
      const plan = eager ?? currentPlan(key, fn) ?? newPlan(key, fn, specs);
      if (typeof plan === 'string') {
        const result = eagerly(); // when it throws as well, the function is at fault, and not the engine
        eager = plan;
        ran = undefined;
        last = `eager on ${tf.getBackend()}: ${eager}`;
        return result;
      }
      settled?.add(key);
      ran = plan;
      last = `compiled for the ${plan.choice.provider}`;
      return withPlan(plan);
    },
  };
}

function isCurrent(traced: Program, fn: Traceable): boolean {
  try {
    return traced.isCurrent(fn);
  } catch {
    return false; // whoever compiles it again meets the same error, and says so
  }
}

/** A loaded program, or why there is none. */
function planOf(fn: Traceable, specs: readonly Spec[], options: PlanOptions): Plan | string {
  const started = performance.now();
  try {
    const traced = program(fn, specs, 'read', options.convolutions);
    const { handle, choice } = loaded(traced, options);
    handle.session();
    sayIfSlow(traced, choice.provider, performance.now() - started, options);
    return { traced, handle, choice, threads: options.threads };
  } catch (error) {
    if (error instanceof DeviceMissing) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}
