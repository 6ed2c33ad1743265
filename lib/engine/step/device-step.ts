/**
 * A training step that happens on the device as a whole: gradient, optimiser, moving average. Weights and optimiser
 * state stay there between steps; a batch and some numbers go in, the loss and the gradient's length come out.
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

/** What trains on the device: the weights of one objective, and its gradient by them. */
export interface DeviceObjective {
  readonly variables: readonly tf.Variable[];
  /** The loss and its gradient by each variable, as TensorFlow.js code. */
  gradient(inputs: readonly tf.Tensor[], rng: Rng): { readonly value: tf.Tensor; readonly grads: readonly tf.Tensor[] };
}

/** Everything that the training of one objective keeps. */
export interface DeviceState {
  /** Of each variable. */
  readonly weights: readonly Float32Array[];
  /** As long as all weights together. */
  readonly slots: readonly Float32Array[];
  readonly average?: Float32Array | undefined;
}

export interface DeviceSteps {
  /**
   * One step of an objective. Where the loss or the norm is not finite, the state stays as it was.
   * @param inputs the batch @param step counts from 1
   * @throws TraceError when the loss does what a graph cannot, at the first step with inputs of a shape
   */
  step(
    objective: number,
    inputs: readonly tf.Tensor[],
    rng: Rng,
    step: number,
  ): { readonly loss: number; readonly norm: number };
  /** Sets the state, of all objectives in order. */
  put(states: readonly DeviceState[]): void;
  get(): DeviceState[];
  dispose(): void;
}

export interface DeviceOptions {
  /** Over disjoint variables. Each may read the variables of all. */
  readonly objectives: readonly DeviceObjective[];
  readonly rule: Rule;
  /** Decay of a moving average of the weights. Default: none is kept. */
  readonly ema?: number | undefined;
}

/**
 * The program of one step: a batch, the pass' numbers, and the state go in; the loss, the norm, and the state after it
 * come out. The state is the flat arrays of every objective, then all weights.
 * @throws TraceError when the loss does what a graph cannot
 */
export function deviceProgram(options: DeviceOptions, objective: number, batch: readonly Spec[]): Program {
  const { flat, variables } = layoutOf(options);
  const { numbers } = passes[options.rule.pass];
  return program(
    (tensors, rng) => {
      const [values, ...state] = tensors.slice(batch.length);
      return updated(options, objective, tensors.slice(0, batch.length), values!, state, rng);
    },
    [...batch, FLOATS([numbers.length + 1]), ...flat],
    variables,
  );
}

/** The places of the state among the inputs of `deviceProgram`. */
export function statePlaces({ graph }: Program, batch: readonly Spec[]): number[] {
  return Array.from({ length: graph.outputs.length - 2 }, (_, k) => batch.length + 1 + k);
}

/** Steps with zero state, until `put`. */
export function createDeviceSteps(options: DeviceOptions, provider: Provider, threads = 1): DeviceSteps {
  const { objectives, rule, ema } = options;
  const { slots, numbers: names } = passes[rule.pass];
  const { flat, variables } = layoutOf(options);
  const each = ema === undefined ? slots : slots + 1; // flat arrays of an objective
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
    const state = statePlaces(traced, batch); // all is state or changes
    const made = createResident(traced, { provider, threads, place, state, changing });
    sayIfSlow(traced, provider, performance.now() - started);
    residents.set(key, made);
    return made;
  }

  return {
    step(objective, inputs, rng, step) {
      const values: Readonly<Record<string, number>> = rule.numbers(step);
      const numbers = Float32Array.from([...names.map((name) => values[name]!), 1 - (ema ?? 0)]);
      const given = [...inputs.map((tensor) => tensor.dataSync() as Numbers), numbers];
      const [loss, norm] = residentFor(objective, inputs).step(given, rng, (out) =>
        out.every(([value]) => Number.isFinite(value)),
      );
      return { loss: loss![0]!, norm: norm![0]! };
    },
    put: (states) =>
      place.put([
        ...states.flatMap(({ slots: kept, average }) => [...kept, ...(average ? [average] : [])]),
        ...states.flatMap(({ weights }) => weights),
      ]),
    get() {
      const values = place.get() as Float32Array[];
      const weights = values.splice(flat.length);
      return objectives.map((objective, i) => {
        const [own, average] = [values.slice(i * each, i * each + slots), values[i * each + slots]];
        return {
          weights: weights.splice(0, objective.variables.length),
          slots: own,
          ...(ema !== undefined && { average }),
        };
      });
    },
    dispose() {
      residents.forEach((resident) => resident.dispose());
      residents.clear();
      place.dispose();
    },
  };
}

const FLOATS = (shape: readonly number[]): Spec => ({ shape, dtype: 'float32' });
const sizeOfAll = (variables: readonly tf.Variable[]): number => variables.reduce((sum, { size }) => sum + size, 0);

/** The flat arrays of every objective (its slots, then the average of its weights), and all variables. */
function layoutOf({ objectives, rule, ema }: DeviceOptions) {
  const length = ema === undefined ? passes[rule.pass].slots : passes[rule.pass].slots + 1;
  const flat = objectives.flatMap(({ variables }) => Array.from({ length }, () => FLOATS([sizeOfAll(variables)])));
  return { flat, variables: objectives.flatMap(({ variables }) => variables) };
}

/** From the state before a step of an objective to [loss, norm, ...state after it]. */
function updated(
  { objectives, rule, ema }: DeviceOptions,
  objective: number,
  inputs: readonly tf.Tensor[],
  numbers: tf.Tensor,
  flat: readonly tf.Tensor[],
  rng: Rng,
): tf.Tensor[] {
  const { slots, numbers: names, update } = passes[rule.pass];
  const { variables, gradient } = objectives[objective]!;
  const { value, grads } = gradient(inputs, rng);
  const joined = (tensors: readonly tf.Tensor[]) => tf.concat1d(tensors.map((tensor) => tensor.flatten()));
  const g = joined(grads);
  // ‖g‖ = c ‖g / c‖ with c the largest |g|, so that no square overflows where ‖g‖ does not
  const largest = g.abs().max().maximum(TINY);
  const norm = g.div(largest).square().sum().sqrt().mul(largest);
  const clipped = rule.clipNorm === undefined ? g : g.mul(tf.scalar(rule.clipNorm).div(norm.maximum(rule.clipNorm)));
  const at = Object.fromEntries([...names, 'ema'].map((name, i) => [name, numbers.slice([i], [1])])); // each [1]
  const each = flat.length / objectives.length;
  const own = flat.slice(objective * each, (objective + 1) * each);
  const [w, ...kept] = update(joined(variables), clipped, own.slice(0, slots), at);
  const average = ema === undefined ? [] : [averaged(own[slots]!, at['ema']!, w!)];
  const next = [...flat];
  next.splice(objective * each, each, ...kept, ...average);
  const weights = objectives.flatMap((other, i): readonly tf.Tensor[] =>
    i === objective ? parted(w!, variables) : other.variables,
  );
  return [value, norm, ...next, ...weights];
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
