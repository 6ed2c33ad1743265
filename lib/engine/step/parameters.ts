/**
 * The variables of one training in flat arrays: what a compiled step reads, and what a training moves in place.
 * While training runs, these are their values; `write` brings the TensorFlow.js variables up to date.
 */
import * as tf from '@tensorflow/tfjs';

export interface Parameters {
  readonly variables: readonly tf.Variable[];
  /** The numbers of each variable, in their order. */
  readonly views: readonly Float32Array[];
  /** Copies the variables' values here. */
  read(): void;
  /** Gives the variables the values here; the first of them others, of the same sizes, where such are given. */
  write(values?: readonly Float32Array[]): void;
}

/** These views for these variables, filled with their present values. */
export function createParameters(variables: readonly tf.Variable[], views: readonly Float32Array[]): Parameters {
  const parameters: Parameters = {
    variables,
    views,
    read: () => variables.forEach((variable, i) => views[i]!.set(variable.dataSync())),
    write: (values = []) => variables.forEach((variable, i) => assign(variable, values[i] ?? views[i]!)),
  };
  parameters.read();
  return parameters;
}

/** Consecutive views onto `flat`, one as long as each variable. */
export function viewsOf(flat: Float32Array, variables: readonly tf.Variable[]): Float32Array[] {
  let offset = 0;
  return variables.map(({ size }) => flat.subarray(offset, (offset += size)));
}

/** The numbers in all variables together. */
export const sizeOfAll = (variables: readonly tf.Variable[]): number =>
  variables.reduce((sum, { size }) => sum + size, 0);

function assign(variable: tf.Variable, values: Float32Array): void {
  const value = tf.tensor(values.slice(), variable.shape, 'float32');
  variable.assign(value);
  value.dispose();
}
