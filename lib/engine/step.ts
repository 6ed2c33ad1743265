/**
 * The one door through which training computes: a batch in, one optimiser step made, the loss out.
 * Today the step runs eagerly on TensorFlow.js; whatever runs it, families and `fit` see only this.
 */
import * as tf from '@tensorflow/tfjs';
import type { Batch, Objective, Rng } from '../model';
import type { Optimiser } from '../optimisers';

/** All that a step leaves behind, besides the weights themselves. */
export interface StepState {
  readonly optimiser: string;
  readonly steps: number;
  readonly slots: readonly Float32Array[];
}

export interface Stepper {
  readonly objective: Objective;
  /**
   * One step of the optimiser on this batch; returns the loss before the step, in nats per example.
   * @param where for messages, such as "epoch 2, batch 3"
   * @throws when the loss or its gradient is not finite; the weights then stay as they were, for whoever looks into it
   */
  step(batch: Batch, rng: Rng, where: string): number;
  state(): StepState;
  restore(state: StepState): void;
}

/** A stepper that starts with zero optimiser state. */
export function createStepper(objective: Objective, optimiser: Optimiser): Stepper {
  const size = objective.variables.reduce((sum, variable) => sum + variable.size, 0);
  const weights = new Float32Array(size);
  const gradient = new Float32Array(size);
  let slots = Array.from({ length: optimiser.slots }, () => new Float32Array(size));
  let steps = 0;
  return {
    objective,
    step(batch, rng, where) {
      const loss = gradientOf(objective, batch, rng, gradient);
      requireFinite(`loss '${objective.name}'`, loss, where);
      requireFinite(
        `a gradient of the loss '${objective.name}'`,
        gradient.find((g) => !Number.isFinite(g)) ?? loss,
        where,
      );
      gather(objective.variables, weights);
      optimiser.update(weights, gradient, slots, ++steps);
      scatter(weights, objective.variables);
      return loss;
    },
    state: () => ({ optimiser: optimiser.name, steps, slots: slots.map((slot) => slot.slice()) }),
    restore(state) {
      const lengths = slots.map((slot) => slot.length).join(', ');
      const found = state.slots.map((slot) => slot.length).join(', ');
      if (state.optimiser !== optimiser.name || found !== lengths)
        throw new Error(
          `resume: ${optimiser.name} keeps [${lengths}] numbers for '${objective.name}', ` +
            `the checkpoint has [${found}] of ${state.optimiser}; use the same model and optimiser`,
        );
      steps = state.steps;
      slots = state.slots.map((slot) => slot.slice());
    },
  };
}

/** Writes ∇ loss into `gradient`, in the order of the objective's variables, and returns the loss. */
function gradientOf(objective: Objective, batch: Batch, rng: Rng, gradient: Float32Array): number {
  return tf.tidy(() => {
    const { value, grads } = tf.variableGrads(
      () => objective.loss(batch, rng) as tf.Scalar,
      objective.variables as tf.Variable[],
    );
    let offset = 0;
    for (const [i, variable] of objective.variables.entries()) {
      const grad = grads[variable.name];
      if (!grad)
        throw new Error(
          `fit: the loss '${objective.name}' does not depend on its variable ${i}, of shape [${variable.shape.join(', ')}]; ` +
            'use it in the loss, or take it off the list',
        );
      gradient.set(grad.dataSync(), offset);
      offset += variable.size;
    }
    return value.dataSync()[0]!;
  });
}

/** Refuses NaN and the infinities, which no step survives. */
export function requireFinite(what: string, value: number, where: string): void {
  if (!Number.isFinite(value))
    throw new Error(
      `fit: ${what} is ${value} in ${where}; lower the learning rate, or look for a logarithm or division of 0`,
    );
}

/** Copies the variables' values into one flat array. */
export function gather(variables: readonly tf.Variable[], into: Float32Array): Float32Array {
  let offset = 0;
  for (const variable of variables) {
    into.set(variable.dataSync(), offset);
    offset += variable.size;
  }
  return into;
}

/** Gives the variables the values of one flat array. */
export function scatter(from: Float32Array, variables: readonly tf.Variable[]): void {
  let offset = 0;
  for (const variable of variables) {
    const value = tf.tensor(from.slice(offset, offset + variable.size), variable.shape, 'float32');
    variable.assign(value);
    value.dispose();
    offset += variable.size;
  }
}
