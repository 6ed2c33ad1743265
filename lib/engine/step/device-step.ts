/**
 * A training step that happens on the device as a whole: gradient, optimiser, moving average, memory. All that a
 * training keeps stays there between steps; a batch and some numbers go in, the loss and some lengths come out.
 *
 * The optimisers' passes are those of fused/passes.ts, here as TensorFlow.js code that the graph is traced from. They run
 * over all weights at once, because a device pays for every operation and hardly for its size.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../../core/model';
import type { Rule } from '../../optimisers/optimisers';
import { sayIfSlow } from '../call/compile';
import { specOf, type Spec } from '../graph/graph';
import { program, type Program } from '../trace/program';
import { createPlace, createResident, type Resident } from '../devices/resident-program';
import type { Numbers, Provider } from '../runtime/runtime';
import type { LossAndGradients } from './gradient';
import { sizeOfAll } from './parameters';
import type { Made } from './weights-home';

/** What trains on the device: the weights of one objective, and its memory. */
export interface DeviceObjective {
  readonly variables: readonly tf.Variable[];
  readonly memory: readonly tf.Variable[];
  readonly rule: Rule;
  /** The loss, its gradient by each variable, and the next memory, as TensorFlow.js code. */
  gradient(inputs: readonly tf.Tensor[], rng: Rng): LossAndGradients;
}

/** Everything that the training of one objective keeps. */
export interface DeviceState {
  /** Of each variable. */
  readonly weights: readonly Float32Array[];
  /** As long as all weights together. */
  readonly slots: readonly Float32Array[];
  readonly average?: Float32Array | undefined;
  /** Of each variable of the memory. */
  readonly memory: readonly Float32Array[];
}

export interface DeviceSteps {
  /**
   * One step of an objective. Where a number of what was made is not finite, the state stays as it was.
   * @param inputs the batch @param step counts from 1
   * @throws TraceError when the loss does what a graph cannot, at the first step with inputs of a shape
   */
  step(objective: number, inputs: readonly tf.Tensor[], rng: Rng, step: number): Made;
  /** Sets the state, of all objectives in order. */
  put(states: readonly DeviceState[]): void;
  get(): DeviceState[];
  dispose(): void;
}

export interface DeviceOptions {
  /** Over disjoint variables. Each may read the variables and memories of all. */
  readonly objectives: readonly DeviceObjective[];
  /** Decay of a moving average of the weights. Default: none is kept. */
  readonly ema?: number | undefined;
}

/**
 * The program of one step: a batch, the pass' numbers, and the state go in; the loss, the norm, the length of the
 * memory where there is one, and the state after it come out. The state is the flat arrays of every objective, then all
 * weights, then all memories.
 * @throws TraceError when the loss does what a graph cannot
 */
export function deviceProgram(options: DeviceOptions, objective: number, batch: readonly Spec[]): Program {
  const { flat, variables } = layoutOf(options);
  const { numbers } = passes[options.objectives[objective]!.rule.pass];
  return program(
    (tensors, rng) => {
      const [values, ...state] = tensors.slice(batch.length);
      const inputs = tensors.slice(0, batch.length);
      const { measures, ...next } = updated(options, objective, { inputs, numbers: values!, flat: state, rng });
      return [...measures, ...next.flat, ...next.variables];
    },
    [...batch, FLOATS([numbers.length + 1]), ...flat],
    variables,
  );
}

/** The places of the state among the inputs of `deviceProgram`. */
export function statePlaces(options: DeviceOptions, batch: readonly Spec[]): number[] {
  const { flat, variables } = layoutOf(options);
  return [...flat, ...variables].map((_, k) => batch.length + 1 + k);
}

/** Steps with zero state, until `put`. */
export function createDeviceSteps(options: DeviceOptions, provider: Provider, threads = 1): DeviceSteps {
  const { objectives, ema } = options;
  const { flat, variables } = layoutOf(options);
  const place = createPlace([...flat, ...variables.map(({ shape }) => FLOATS(shape))], provider);
  const residents = new Map<string, Resident>();

  function residentFor(objective: number, inputs: readonly tf.Tensor[]): Resident {
    const batch = inputs.map(specOf);
    const key = JSON.stringify([objective, batch]);
    const known = residents.get(key);
    if (known) return known;
    const started = performance.now();
    const traced = deviceProgram(options, objective, batch);
    const changing = [...batch.keys(), batch.length];
    const state = statePlaces(options, batch); // all is state or changes
    const made = createResident(traced, { provider, threads, place, state, changing });
    sayIfSlow(traced, provider, performance.now() - started);
    residents.set(key, made);
    return made;
  }

  return {
    step(objective, inputs, rng, step) {
      const { rule } = objectives[objective]!;
      const values: Readonly<Record<string, number>> = rule.numbers(step);
      const numbers = passes[rule.pass].numbers.map((name) => values[name]!);
      const given = [
        ...inputs.map((tensor) => tensor.dataSync() as Numbers),
        Float32Array.from([...numbers, 1 - (ema ?? 0)]),
      ];
      const [loss, norm, memory] = residentFor(objective, inputs).step(given, rng, (out) =>
        out.every(([value]) => Number.isFinite(value)),
      );
      return { loss: loss![0]!, norm: norm![0]!, memory: memory?.[0] ?? 0 };
    },
    put: (states) =>
      place.put([
        ...states.flatMap(({ slots, average }) => [...slots, ...(average ? [average] : [])]),
        ...states.flatMap(({ weights }) => weights),
        ...states.flatMap(({ memory }) => memory),
      ]),
    get() {
      const values = place.get() as Float32Array[];
      const next = (count: number) => values.splice(0, count);
      const kept = objectives.map(({ rule }) => ({
        slots: next(passes[rule.pass].slots),
        ...(ema !== undefined && { average: next(1)[0] }),
      }));
      const weights = objectives.map((objective) => next(objective.variables.length));
      const memories = objectives.map(({ memory }) => next(memory.length));
      return kept.map((own, i) => ({ ...own, weights: weights[i]!, memory: memories[i]! }));
    },
    dispose() {
      residents.forEach((resident) => resident.dispose());
      residents.clear();
      place.dispose();
    },
  };
}

const FLOATS = (shape: readonly number[]): Spec => ({ shape, dtype: 'float32' });

/** The flat arrays of every objective (its slots, then the average of its weights), and all variables. */
function layoutOf({ objectives, ema }: DeviceOptions) {
  const flat = objectives.flatMap(({ variables, rule }) => {
    const length = passes[rule.pass].slots + (ema === undefined ? 0 : 1);
    return Array.from({ length }, () => FLOATS([sizeOfAll(variables)]));
  });
  const weights = objectives.flatMap(({ variables }) => variables);
  return { flat, variables: [...weights, ...objectives.flatMap(({ memory }) => memory)] };
}

/** What goes into a step, besides the variables. */
interface Given {
  readonly inputs: readonly tf.Tensor[];
  readonly numbers: tf.Tensor;
  readonly flat: readonly tf.Tensor[];
  readonly rng: Rng;
}

/** From the state before a step of an objective to the state after it, and what is measured. */
function updated(options: DeviceOptions, objective: number, { inputs, numbers, flat, rng }: Given) {
  const { objectives, ema } = options;
  const { rule, variables, gradient } = objectives[objective]!;
  const { slots, numbers: names, update } = passes[rule.pass];
  const { value, grads, memory } = gradient(inputs, rng);
  const g = joined(grads);
  const norm = lengthOf(g);
  const clipped = rule.clipNorm === undefined ? g : g.mul(tf.scalar(rule.clipNorm).div(norm.maximum(rule.clipNorm)));
  const at = Object.fromEntries([...names, 'ema'].map((name, i) => [name, numbers.slice([i], [1])])); // each [1]
  const first = layoutOf({ ...options, objectives: objectives.slice(0, objective) }).flat.length;
  const own = flat.slice(first, first + slots);
  const [w, ...kept] = update(joined(variables), clipped, own, at);
  const average = ema === undefined ? [] : [averaged(flat[first + slots]!, at['ema']!, w!)];
  const next = [...flat];
  next.splice(first, slots + average.length, ...kept, ...average);
  const parts = objectives.map((other, i): readonly tf.Tensor[] =>
    i === objective ? parted(w!, variables) : other.variables,
  );
  const memories = objectives.map((other, i) => (i === objective ? memory : other.memory));
  return {
    measures: [value, norm, ...(memory.length > 0 ? [lengthOf(joined(memory))] : [])],
    flat: next,
    variables: [...parts.flat(), ...memories.flat()],
  };
}

const joined = (tensors: readonly tf.Tensor[]): tf.Tensor1D => tf.concat1d(tensors.map((tensor) => tensor.flatten()));

/** ‖v‖ = c ‖v / c‖ with c the largest |v|, so that no square overflows where ‖v‖ does not. */
function lengthOf(v: tf.Tensor): tf.Tensor {
  const largest = v.abs().max().maximum(TINY);
  return v.div(largest).square().sum().sqrt().mul(largest);
}

/** A flat tensor in parts with the shapes of the variables. */
function parted(w: tf.Tensor, variables: readonly tf.Variable[]): tf.Tensor[] {
  let start = 0;
  return variables.map(({ shape, size }) => {
    const part = w.slice([start], [size]).reshape([...shape]);
    start += size;
    return part;
  });
}

const TINY = 1e-30;

type Update = (
  w: tf.Tensor,
  g: tf.Tensor,
  slots: readonly tf.Tensor[],
  at: Readonly<Record<string, tf.Tensor>>,
) => readonly tf.Tensor[];

interface Pass {
  readonly slots: number;
  readonly numbers: readonly string[];
  /** w, then the slots */
  readonly update: Update;
}

/** (1 − α) a + α x, as in fused/passes.ts */
const averaged = (a: tf.Tensor, alpha: tf.Tensor, x: tf.Tensor) => a.sub(a.mul(alpha)).add(x.mul(alpha));

const passes = {
  sgd: {
    slots: 1,
    numbers: ['momentum', 'rate'],
    update(w, g, [v], { momentum, rate }) {
      const next = v!.mul(momentum!).add(g);
      return [w.sub(next.mul(rate!)), next];
    },
  },
  adamW: {
    slots: 2,
    numbers: ['alpha1', 'alpha2', 'rate', 'debias', 'epsilon', 'keep'],
    update(w, g, [m, v], { alpha1, alpha2, rate, debias, epsilon, keep }) {
      const mean = averaged(m!, alpha1!, g);
      const square = averaged(v!, alpha2!, g.square());
      const scale = square.mul(debias!).sqrt().add(epsilon!);
      return [w.mul(keep!).sub(mean.mul(rate!).div(scale)), mean, square];
    },
  },
  adamax: {
    slots: 2,
    numbers: ['alpha1', 'beta2', 'rate', 'epsilon'],
    update(w, g, [m, u], { alpha1, beta2, rate, epsilon }) {
      const mean = averaged(m!, alpha1!, g);
      const largest = u!.mul(beta2!).maximum(g.abs().add(epsilon!));
      return [w.sub(mean.mul(rate!).div(largest)), mean, largest];
    },
  },
} satisfies Record<string, Pass>;
