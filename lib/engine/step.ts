/**
 * The one door through which training computes: a batch in, one optimiser step made, the loss out.
 *
 * A step is compiled when its loss can be traced, and runs eagerly on TensorFlow.js when it cannot; it says which.
 * Families and `fit` see only this.
 */
import * as tf from '@tensorflow/tfjs';
import type { Batch, Objective, Rng } from '../model';
import { gradientNorm, movingAverage, type Optimiser } from '../optimisers';
import { compile, type Compiled, type Numbers } from './compile';
import type { DType, Spec } from './graph';
import { allocate } from './memory';
import { createParameters, viewsOf, type Parameters } from './parameters';
import type { Device } from './providers';
import { TraceError } from './trace';

/** All that a step leaves behind, besides the weights themselves. */
export interface StepState {
  readonly optimiser: string;
  readonly steps: number;
  readonly slots: readonly Float32Array[];
  /** The moving average of the weights, before its correction, where one is kept. */
  readonly average?: { readonly decay: number; readonly values: Float32Array };
}

export interface Stepper {
  readonly objective: Objective;
  /**
   * One step of the optimiser on this batch; returns the loss before the step, in nats per example. The variables
   * themselves may lag behind until `Steppers.write`.
   * @param where for messages, such as "epoch 2, batch 3"
   * @throws when the loss or its gradient is not finite; the weights then stay as they were, for whoever looks into it
   */
  step(batch: Batch, rng: Rng, where: string): Promise<number>;
  /** The moving average of the weights; the weights themselves where none is kept, or before the first step. */
  average(): Float32Array;
  state(): StepState;
  restore(state: StepState): void;
}

/** The steppers of one model, which share its weights. */
export interface Steppers {
  readonly each: readonly Stepper[];
  /** What runs the steps, for a progress line: "compiled", or "eager" and why. */
  engine(): string;
  /** Takes the weights from the variables, after somebody has set them. */
  read(): void;
  /** Brings the variables up to date. */
  write(): void;
  /** Gives the variables the moving average of the weights, until `write`; where none is kept, does as `write`. */
  writeAverage(): void;
  dispose(): Promise<void>;
}

export interface StepOptions {
  /** 'eager' never compiles. Default: 'auto'. */
  readonly engine?: 'auto' | 'eager';
  /** What compiled steps run on. Default: DGM_DEVICE, else 'auto'. */
  readonly device?: Device | undefined;
  /** Decay of a moving average of the weights. Default: none is kept. */
  readonly ema?: number | undefined;
}

/** Writes the gradient at the present weights into an array, and returns the loss. */
interface Gradient {
  compute(batch: Batch, rng: Rng, into: Float32Array): Promise<number>;
  /** Why it is not compiled; undefined when it is. */
  readonly eager: string | undefined;
  /** What the compiled steps run on; undefined before the first. */
  readonly provider: string | undefined;
  dispose(): Promise<void>;
}

/**
 * Steppers with zero optimiser state for objectives over disjoint variables.
 * @throws when two objectives train the same variable
 */
export function createSteppers(
  objectives: readonly Objective[],
  optimiser: Optimiser,
  options: StepOptions = {},
): Steppers {
  const variables = objectives.flatMap((objective) => objective.variables);
  if (new Set(variables).size !== variables.length)
    throw new Error('fit: two objectives train the same variable; give each variable to one of them');
  const buffers = createBuffers(objectives, optimiser, options);
  const views = buffers.flatMap(({ weights }, i) => viewsOf(weights, objectives[i]!.variables));
  const parameters = createParameters(variables, views);
  const gradients = objectives.map((objective) => gradientOf(objective, parameters, options));
  const each = objectives.map((objective, i) =>
    createStepper(objective, optimiser, buffers[i]!, gradients[i]!, parameters, options),
  );
  return {
    each,
    engine: () => engineOf(gradients),
    read: () => parameters.read(),
    write: () => parameters.write(),
    writeAverage: () =>
      parameters.write(each.flatMap((stepper) => viewsOf(stepper.average(), stepper.objective.variables))),
    dispose: async () => {
      await Promise.all(gradients.map((gradient) => gradient.dispose()));
    },
  };
}

/** What the optimiser of one objective works on: arrays with a number for each of its weights. */
interface Buffers {
  readonly weights: Float32Array;
  readonly gradient: Float32Array;
  readonly average: Float32Array | undefined;
  readonly slots: readonly Float32Array[];
}

/** Room for all of a training in one memory. */
function createBuffers(
  objectives: readonly Objective[],
  { slots }: Optimiser,
  { ema }: StepOptions,
): readonly Buffers[] {
  const arrays = ema === undefined ? 2 + slots : 3 + slots;
  const sizes = objectives.map(({ variables }) => variables.reduce((sum, { size }) => sum + size, 0));
  const all = allocate(sizes.flatMap((size) => Array<number>(arrays).fill(size)));
  return objectives.map((_, i) => {
    const own = all.slice(i * arrays, (i + 1) * arrays);
    return { weights: own[0]!, gradient: own[1]!, slots: own.slice(2, 2 + slots), average: own[2 + slots] };
  });
}

function engineOf(gradients: readonly Gradient[]): string {
  const reason = gradients.map((gradient) => gradient.eager).find((why) => why !== undefined);
  return reason === undefined
    ? `compiled on ${gradients[0]?.provider ?? 'no device yet'}`
    : `eager on ${tf.getBackend()}: ${reason}`;
}

function createStepper(
  objective: Objective,
  optimiser: Optimiser,
  { weights, gradient, slots, average }: Buffers,
  source: Gradient,
  parameters: Parameters,
  { ema = 0 }: StepOptions,
): Stepper {
  let steps = 0;
  return {
    objective,
    async step(batch, rng, where) {
      const loss = await source.compute(batch, rng, gradient);
      requireFinite(`loss '${objective.name}'`, loss, where);
      const norm = gradientNorm(gradient);
      if (!Number.isFinite(norm)) {
        const culprit = gradient.find((g) => !Number.isFinite(g))!;
        requireFinite(`a gradient of the loss '${objective.name}'`, culprit, where);
      }
      optimiser.update(weights, gradient, slots, ++steps, norm);
      if (average) movingAverage(average, weights, ema);
      if (source.eager !== undefined) parameters.write();
      return loss;
    },
    average: () => (average && steps > 0 ? average.map((a) => a / (1 - ema ** steps)) : weights),
    state: () => ({
      optimiser: optimiser.name,
      steps,
      slots: slots.map((slot) => slot.slice()),
      ...(average && { average: { decay: ema, values: average.slice() } }),
    }),
    restore(state) {
      requireSameState(objective.name, optimiser.name, slots, state);
      requireSameDecay(average && ema, state.average?.decay);
      steps = state.steps;
      slots.forEach((slot, i) => slot.set(state.slots[i]!));
      average?.set(state.average!.values);
    },
  };
}

function requireSameState(
  objective: string,
  optimiser: string,
  slots: readonly Float32Array[],
  checkpoint: StepState,
): void {
  const lengths = slots.map((slot) => slot.length).join(', ');
  const found = checkpoint.slots.map((slot) => slot.length).join(', ');
  if (checkpoint.optimiser !== optimiser || found !== lengths)
    throw new Error(
      `resume: ${optimiser} keeps [${lengths}] numbers for '${objective}', ` +
        `the checkpoint has [${found}] of ${checkpoint.optimiser}; use the same model and optimiser`,
    );
}

function requireSameDecay(ema: number | undefined, found: number | undefined): void {
  if (ema === found) return;
  const kept = found === undefined ? 'no average of the weights' : `an average of the weights with decay ${found}`;
  throw new Error(`resume: the option ema is ${ema}, the checkpoint has ${kept}; use the same ema`);
}

/** Compiled for every shape of batch that comes, until one cannot be compiled; from then on eager. */
function gradientOf(objective: Objective, parameters: Parameters, { engine = 'auto', device }: StepOptions): Gradient {
  const compiled = new Map<string, Compiled>();
  let eager = engine === 'eager' ? 'as asked' : undefined;
  return {
    get eager() {
      return eager;
    },
    get provider() {
      return [...compiled.values()].at(-1)?.choice.provider;
    },
    async compute(batch, rng, into) {
      if (eager === undefined) {
        const key = shapeOf(batch);
        try {
          if (!compiled.has(key)) compiled.set(key, await compileGradient(objective, batch, parameters, device));
        } catch (error) {
          if (!(error instanceof TraceError)) throw error;
          eager = error.message;
        }
        const step = compiled.get(key);
        if (eager === undefined && step)
          return runCompiled(step, batch, rng, parameters, viewsOf(into, objective.variables));
        parameters.write();
      }
      return runEagerly(objective, batch, rng, into);
    },
    dispose: async () => {
      await Promise.all([...compiled.values()].map((step) => step.dispose()));
      compiled.clear();
    },
  };
}

const shapeOf = ({ x, y }: Batch): string => `${x.shape.join()} ${x.dtype} ${y?.shape.join()} ${y?.dtype}`;
const specOf = (tensor: tf.Tensor): Spec => ({ shape: tensor.shape, dtype: tensor.dtype as DType });

/** The graph from a batch and the weights to the loss and its gradient by each of the objective's variables. */
function compileGradient(
  objective: Objective,
  batch: Batch,
  { variables }: Parameters,
  device: Device | undefined,
): Promise<Compiled> {
  const inputs = batch.y ? [specOf(batch.x), specOf(batch.y)] : [specOf(batch.x)];
  return compile(
    ([x, y], rng) => {
      const { value, grads } = lossAndGradients(objective, y ? { x: x!, y } : { x: x! }, rng);
      return [value, ...grads];
    },
    inputs,
    { variables, ...(device && { device }) },
  );
}

async function runCompiled(
  compiled: Compiled,
  { x, y }: Batch,
  rng: Rng,
  { views }: Parameters,
  into: readonly Float32Array[],
): Promise<number> {
  const inputs = [x, ...(y ? [y] : [])].map((tensor) => tensor.dataSync() as Numbers);
  const [loss] = await compiled.run(inputs, rng, views, [undefined, ...into]);
  return loss![0]!;
}

async function runEagerly(objective: Objective, batch: Batch, rng: Rng, into: Float32Array): Promise<number> {
  return tf.tidy(() => {
    const { value, grads } = lossAndGradients(objective, batch, rng);
    viewsOf(into, objective.variables).forEach((view, i) => view.set(grads[i]!.dataSync()));
    return value.dataSync()[0]!;
  });
}

/** The loss, and its gradient by each variable in order. */
function lossAndGradients(objective: Objective, batch: Batch, rng: Rng): { value: tf.Tensor; grads: tf.Tensor[] } {
  const variables = objective.variables as tf.Variable[];
  const { value, grads } = tf.variableGrads(() => objective.loss(batch, rng) as tf.Scalar, variables);
  return {
    value,
    grads: variables.map((variable, i) => {
      const gradient = grads[variable.name];
      if (gradient) return gradient;
      throw new Error(
        `fit: the loss '${objective.name}' does not depend on its variable ${i}, of shape [${variable.shape.join(', ')}]; ` +
          'use it in the loss, or take it off the list',
      );
    }),
  };
}

/** Refuses NaN and the infinities, which no step survives. */
export function requireFinite(what: string, value: number, where: string): void {
  if (!Number.isFinite(value))
    throw new Error(
      `fit: ${what} is ${value} in ${where}; lower the learning rate, or look for a logarithm or division of 0`,
    );
}
