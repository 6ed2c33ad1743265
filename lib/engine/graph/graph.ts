/** A computation written down: values with known shapes, and the TensorFlow.js kernels that make them. */

import type * as tf from '@tensorflow/tfjs';

export type DType = 'float32' | 'int32' | 'bool';

/** What is known of a value before anything has been computed. */
export interface Spec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** A value of the graph: an input, a constant, or a node's output. */
export interface Value extends Spec {
  readonly id: number;
}

export interface Constant extends Value {
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** One kernel call. */
export interface Node {
  readonly kernel: string;
  readonly inputs: Readonly<Record<string, Value | readonly Value[] | undefined>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly outputs: readonly Value[];
  /** The line of the model's code that asked for it, for messages. */
  readonly site: string;
}

export interface Graph {
  /** In the order in which they are to be fed. */
  readonly inputs: readonly Value[];
  readonly constants: readonly Constant[];
  /** In an order in which they can be computed. */
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
}

export const specOf = ({ shape, dtype }: tf.Tensor): Spec => ({ shape, dtype: dtype as DType });
export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, n) => size * n, 1);
