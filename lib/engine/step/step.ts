/**
 * The one door through which training computes: a batch in, one optimiser step made, the loss out.
 *
 * A step is compiled when its loss can be traced, and runs eagerly on TensorFlow.js when it cannot; it says which.
 * Families and `fit` see only this.
 */
import type { Batch, Objective, Rng } from '../../core/model';
import type { Optimiser } from '../../optimisers/optimisers';
import { TraceError } from '../trace/trace';
import { deviceWeights } from './device-weights';
import { hostWeights } from './host-weights';
import { viewsOf } from './parameters';
import { createTraining, memoryOf, type Kept, type StepOptions, type Training } from './training';
import type { WeightsHome } from './weights-home';

/** All that a step leaves behind, besides the weights themselves. */
export interface StepState {
  readonly optimiser: string;
  readonly steps: number;
  readonly slots: readonly Float32Array[];
  /** The moving average of the weights, before its correction, where one is kept. */
  readonly average?: { readonly decay: number; readonly values: Float32Array };
  /** The values of each variable of the objective's memory, where it has one. */
  readonly memory?: readonly Float32Array[];
}

export interface Stepper {
  readonly objective: Objective;
  /**
   * One step of the optimiser on this batch; returns the loss before the step, in nats per example. The variables
   * themselves may lag behind until `Steppers.write`.
   * @param where for messages, such as "epoch 2, batch 3"
   * @throws when the loss, its gradient or the next memory is not finite; everything then stays as it was, for whoever
   * looks into it
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
  /** Takes weights and memories from the variables, after somebody has set them. */
  read(): void;
  /** Brings the variables up to date, memories too. */
  write(): void;
  /** As `write`, but gives the weights' variables the moving average, where one is kept, until `write`. */
  writeAverage(): void;
  dispose(): Promise<void>;
}

/**
 * Steppers with zero optimiser state for objectives over disjoint variables.
 * @param optimiser of objectives without one of their own
 * @throws when a variable is trained twice, or is a memory as well
 */
export function createSteppers(
  objectives: readonly Objective[],
  optimiser: Optimiser,
  options: StepOptions = {},
): Steppers {
  const training = createTraining(objectives, optimiser, options);
  const { parameters } = training;
  const home = createHome(training);
  const each = training.kept.map((_, i) => createStepper(training, i, home));
  return {
    each,
    engine: () => home.engine(),
    read: () => {
      parameters.read();
      home.changed();
    },
    write: () => {
      home.fetch();
      parameters.write();
    },
    writeAverage: () => {
      home.fetch();
      parameters.write(each.flatMap((stepper) => viewsOf(stepper.average(), stepper.objective.variables)));
    },
    dispose: async () => {
      home.fetch();
      await home.dispose();
    },
  };
}

/** On the device where the first step's program belongs there, else on the host. */
function createHome(training: Training): WeightsHome {
  const host = hostWeights(training);
  let home: WeightsHome | undefined;
  return {
    async step(...args) {
      try {
        home ??= deviceWeights(training, args[0], args[1]) ?? host;
        return await home.step(...args);
      } catch (error) {
        if (home === host || !(error instanceof TraceError)) throw error;
        home?.fetch();
        await home?.dispose();
        home = host; // which meets the same error, and says so
        return home.step(...args);
      }
    },
    engine: () => (home ?? host).engine(),
    fetch: () => home?.fetch(),
    changed: () => home?.changed(),
    dispose: async () => home?.dispose(),
  };
}

function createStepper({ kept, options: { ema = 0 } }: Training, at: number, home: WeightsHome): Stepper {
  const own = kept[at]!;
  const { objective, optimiser, weights, slots, average, memory } = own;
  const lossName = `loss '${objective.name}'`;
  let steps = 0;
  return {
    objective,
    async step(batch, rng, where) {
      const made = await home.step(at, batch, rng, steps + 1);
      requireFinite(lossName, made.loss, where);
      requireFinite(`a gradient of the ${lossName}`, made.norm, where);
      requireFinite(`the memory of the ${lossName}`, made.memory, where);
      steps++;
      return made.loss;
    },
    average: () => {
      home.fetch();
      return average && steps > 0 ? average.map((a) => a / (1 - ema ** steps)) : weights;
    },
    state: () => {
      home.fetch();
      const remembered = viewsOf(memory, memoryOf(objective));
      return {
        optimiser: optimiser.name,
        steps,
        slots: slots.map((slot) => slot.slice()),
        ...(average && { average: { decay: ema, values: average.slice() } }),
        ...(remembered.length > 0 && { memory: remembered.map((values) => values.slice()) }),
      };
    },
    restore(state) {
      requireSameState(own, state);
      requireSameDecay(average && ema, state.average?.decay);
      home.fetch();
      steps = state.steps;
      slots.forEach((slot, i) => slot.set(state.slots[i]!));
      average?.set(state.average!.values);
      viewsOf(memory, memoryOf(objective)).forEach((view, i) => view.set(state.memory![i]!));
      home.changed();
    },
  };
}

function requireSameState({ objective, optimiser, slots }: Kept, checkpoint: StepState): void {
  const lengths = (arrays: readonly { readonly length: number }[]) => arrays.map(({ length }) => length).join(', ');
  const [kept, found] = [lengths(slots), lengths(checkpoint.slots)];
  if (checkpoint.optimiser !== optimiser.name || found !== kept)
    throw new Error(
      `resume: ${optimiser.name} keeps [${kept}] numbers for '${objective.name}', ` +
        `the checkpoint has [${found}] of ${checkpoint.optimiser}; use the same model and optimiser`,
    );
  const sizes = memoryOf(objective).map(({ size }) => size).join(', '); // prettier-ignore
  const remembered = lengths(checkpoint.memory ?? []);
  if (remembered !== sizes)
    throw new Error(
      `resume: '${objective.name}' remembers [${sizes}] numbers, the checkpoint has a memory of [${remembered}]; ` +
        'use the same model, or train it from the start',
    );
}

function requireSameDecay(ema: number | undefined, found: number | undefined): void {
  if (ema === found) return;
  const kept = found === undefined ? 'no average of the weights' : `an average of the weights with decay ${found}`;
  throw new Error(`resume: the option ema is ${ema}, the checkpoint has ${kept}; use the same ema`);
}

/** Refuses NaN and the infinities, which no step survives. */
function requireFinite(what: string, value: number, where: string): void {
  if (!Number.isFinite(value))
    throw new Error(
      `fit: ${what} is ${value} in ${where}; lower the learning rate, or look for a logarithm or division of 0`,
    );
}
