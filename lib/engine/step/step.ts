/**
 * The one door through which training computes: a batch in, one optimiser step made, the loss out.
 *
 * A step is compiled when its loss can be traced, and runs eagerly on TensorFlow.js when it cannot; it says which.
 * Families and `fit` see only this.
 */
import * as tf from '@tensorflow/tfjs';
import type { Batch, Objective, Rng } from '../../core/model';
import type { Optimiser } from '../../optimisers/optimisers';
import { gradientNorm, movingAverage, update } from '../fused/update';
import { gradientOf, type Gradient, type GradientOptions } from './gradient';
import { allocate } from '../fused/memory';
import { createParameters, viewsOf, type Parameters } from './parameters';
import { createResidence, type Kept, type Residence } from './weights-home';

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

/** 'eager' never compiles; the device is what compiled steps run on. Default: 'auto', and DGM_DEVICE, else 'auto'. */
export interface StepOptions extends GradientOptions {
  /** Decay of a moving average of the weights. Default: none is kept. */
  readonly ema?: number | undefined;
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
  const device = options.engine === 'eager' ? 'cpu' : options.device;
  const residence = createResidence(objectives, buffers, optimiser, options.ema, device);
  const each = objectives.map((objective, i) => {
    const onDevice: OnDevice = { ...residence, step: (...args) => residence.step(i, ...args) };
    return createStepper(objective, optimiser, buffers[i]!, gradients[i]!, onDevice, parameters, options);
  });
  return {
    each,
    engine: () => engineOf(gradients, residence),
    read: () => {
      parameters.read();
      residence.changed();
    },
    write: () => {
      residence.fetch();
      parameters.write();
    },
    writeAverage: () =>
      parameters.write(each.flatMap((stepper) => viewsOf(stepper.average(), stepper.objective.variables))),
    dispose: async () => {
      residence.fetch();
      residence.dispose();
      await Promise.all(gradients.map((gradient) => gradient.dispose()));
    },
  };
}

/** What the optimiser of one objective works on: arrays with a number for each of its weights. */
interface Buffers extends Kept {
  readonly gradient: Float32Array;
}

/** The device as one stepper sees it. */
interface OnDevice extends Omit<Residence, 'step'> {
  step(batch: Batch, rng: Rng, step: number): ReturnType<Residence['step']>;
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

function engineOf(gradients: readonly Gradient[], residence: Residence): string {
  const provider = residence.provider();
  if (provider !== undefined) return `compiled on ${provider}, where the weights stay`;
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
  device: OnDevice,
  parameters: Parameters,
  { ema = 0 }: StepOptions,
): Stepper {
  let steps = 0;
  const lossName = `loss '${objective.name}'`;
  const gradientName = `a gradient of the ${lossName}`;
  return {
    objective,
    async step(batch, rng, where) {
      const made = device.step(batch, rng, steps + 1);
      if (made) {
        requireFinite(lossName, made.loss, where);
        requireFinite(gradientName, made.norm, where);
        steps++;
        return made.loss;
      }
      const loss = await source.compute(batch, rng, gradient);
      requireFinite(lossName, loss, where);
      const norm = gradientNorm(gradient);
      if (!Number.isFinite(norm))
        requireFinite(
          gradientName,
          gradient.find((g) => !Number.isFinite(g))!,
          where,
        );
      update(optimiser, [weights, gradient, ...slots], ++steps, norm);
      if (average) movingAverage(average, weights, ema);
      if (source.eager !== undefined) parameters.write();
      return loss;
    },
    average: () => {
      device.fetch();
      return average && steps > 0 ? average.map((a) => a / (1 - ema ** steps)) : weights;
    },
    state: () => {
      device.fetch();
      return {
        optimiser: optimiser.name,
        steps,
        slots: slots.map((slot) => slot.slice()),
        ...(average && { average: { decay: ema, values: average.slice() } }),
      };
    },
    restore(state) {
      requireSameState(objective.name, optimiser.name, slots, state);
      requireSameDecay(average && ema, state.average?.decay);
      device.fetch();
      steps = state.steps;
      slots.forEach((slot, i) => slot.set(state.slots[i]!));
      average?.set(state.average!.values);
      device.changed();
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

/** Refuses NaN and the infinities, which no step survives. */
export function requireFinite(what: string, value: number, where: string): void {
  if (!Number.isFinite(value))
    throw new Error(
      `fit: ${what} is ${value} in ${where}; lower the learning rate, or look for a logarithm or division of 0`,
    );
}
