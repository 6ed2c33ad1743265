/**
 * A training step that happens on the device as a whole: gradient, optimiser, moving average. Weights and optimiser
 * state stay there between steps; a batch and some numbers go in, the loss and the gradient's length come out.
 *
 * The optimisers' passes are those of passes.ts, here as TensorFlow.js code that the graph is traced from. They run
 * over all weights at once, because a device pays for every operation and hardly for its size.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../model';
import type { Spec } from './graph';
import { program } from './program';
import { createPlace, createResident, type Resident } from './resident';
import type { Numbers, Provider } from './runtime';

/** An optimiser's loop, by its name in passes.ts, and the numbers it takes at a step (which counts from 1). */
export interface DevicePass {
  readonly name: keyof typeof passes;
  numbers(step: number): Readonly<Record<string, number>>;
  readonly clipNorm?: number;
}

/** Everything that a training keeps. */
export interface DeviceState {
  /** Of each variable. */
  readonly weights: readonly Float32Array[];
  /** As long as all weights together. */
  readonly slots: readonly Float32Array[];
  readonly average?: Float32Array;
}

export interface DeviceStep {
  /**
   * One step. Where the loss or the norm is not finite, the state stays as it was.
   * @param inputs the batch @param step counts from 1
   */
  step(inputs: readonly tf.Tensor[], rng: Rng, step: number): { readonly loss: number; readonly norm: number };
  put(state: DeviceState): void;
  get(): DeviceState;
  dispose(): void;
}

export interface DeviceStepOptions {
  readonly variables: readonly tf.Variable[];
  /** The loss and its gradient by each variable, as TensorFlow.js code. */
  gradient(inputs: readonly tf.Tensor[], rng: Rng): { readonly value: tf.Tensor; readonly grads: readonly tf.Tensor[] };
  readonly pass: DevicePass;
  /** Decay of a moving average of the weights. Default: none is kept. */
  readonly ema?: number;
  readonly provider: Provider;
  readonly threads?: number;
}

/** @throws TraceError when the loss does what a graph cannot, at the first step with inputs of a shape */
export function createDeviceStep(options: DeviceStepOptions): DeviceStep {
  const { variables, pass, ema, provider, threads = 1 } = options;
  const { slots, numbers: names } = passes[pass.name];
  const size = variables.reduce((sum, variable) => sum + variable.size, 0);
  const flat = Array.from({ length: ema === undefined ? slots : slots + 1 }, (): Spec => FLOATS([size]));
  const specs = [...flat, ...variables.map(({ shape }) => FLOATS(shape))];
  const place = createPlace(specs, provider);
  const residents = new Map<string, Resident>();

  function residentFor(inputs: readonly tf.Tensor[]): Resident {
    const given = inputs.map(({ shape, dtype }) => ({ shape, dtype }) as Spec);
    const key = JSON.stringify(given);
    const known = residents.get(key);
    if (known) return known;
    const traced = program(
      (tensors, rng) => {
        const [numbers, ...rest] = tensors.slice(given.length);
        return updated(options, tensors.slice(0, given.length), numbers!, rest, rng);
      },
      [...given, FLOATS([names.length + 1]), ...flat],
      variables,
    );
    const changing = [...given.keys(), given.length];
    const state = specs.map((_, k) => given.length + 1 + k);
    const made = createResident(traced, { provider, threads, place, state, changing }); // all is state or changes
    residents.set(key, made);
    return made;
  }

  return {
    step(inputs, rng, step) {
      const values = pass.numbers(step);
      const numbers = Float32Array.from([...names.map((name) => values[name]!), 1 - (ema ?? 0)]);
      const given = [...inputs.map((tensor) => tensor.dataSync() as Numbers), numbers];
      const [loss, norm] = residentFor(inputs).step(given, rng, (out) =>
        out.every(([value]) => Number.isFinite(value)),
      );
      return { loss: loss![0]!, norm: norm![0]! };
    },
    put: ({ weights, slots: kept, average }) => place.put([...kept, ...(average ? [average] : []), ...weights]),
    get() {
      const values = place.get() as Float32Array[];
      const average = ema === undefined ? {} : { average: values[slots]! };
      return { slots: values.slice(0, slots), weights: values.slice(flat.length), ...average };
    },
    dispose() {
      residents.forEach((resident) => resident.dispose());
      residents.clear();
      place.dispose();
    },
  };
}

const FLOATS = (shape: readonly number[]): Spec => ({ shape, dtype: 'float32' });

/** From the state before a step to [loss, norm, ...state after it]. */
function updated(
  { variables, gradient, pass, ema }: DeviceStepOptions,
  inputs: readonly tf.Tensor[],
  numbers: tf.Tensor,
  flat: readonly tf.Tensor[],
  rng: Rng,
): tf.Tensor[] {
  const { slots, numbers: names, update } = passes[pass.name];
  const { value, grads } = gradient(inputs, rng);
  const joined = (tensors: readonly tf.Tensor[]) => tf.concat1d(tensors.map((tensor) => tensor.flatten()));
  const g = joined(grads);
  // ‖g‖ = c ‖g / c‖ with c the largest |g|, so that no square overflows where ‖g‖ does not
  const largest = g.abs().max().maximum(TINY);
  const norm = g.div(largest).square().sum().sqrt().mul(largest);
  const clipped = pass.clipNorm === undefined ? g : g.mul(tf.scalar(pass.clipNorm).div(norm.maximum(pass.clipNorm)));
  const at = Object.fromEntries([...names, 'ema'].map((name, i) => [name, numbers.slice([i], [1])])); // each [1]
  const [w, ...kept] = update(joined(variables), clipped, flat.slice(0, slots), at);
  const average = ema === undefined ? [] : [averaged(flat[slots]!, at['ema']!, w!)];
  let start = 0;
  const weights = variables.map(({ shape, size }) => {
    const own = w!.slice([start], [size]).reshape([...shape]);
    start += size;
    return own;
  });
  return [value, norm, ...kept, ...average, ...weights];
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

/** (1 − α) a + α x, as in passes.ts */
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
