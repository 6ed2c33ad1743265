/** The one file that knows the quirks of TensorFlow.js. */
import * as tf from '@tensorflow/tfjs';

/** A dimension of an expected shape: a size, or a letter that must mean the same size wherever it recurs. */
export type Dimension = number | string;

/**
 * Asserts a tensor's shape at a public door and returns the sizes its letters stand for.
 * @example
 * expectShape('flow.coupling: x', tf.ones([5, 64]), ['B', 64]) // → { B: 5 }
 * expectShape('flow.coupling: x', tf.ones([64]), ['B', 64]) // → throws got [64]; add a batch axis
 * @throws "flow.coupling: x must be [B, 64], got [64]; add a batch axis"
 */
export function expectShape(
  what: string,
  tensor: tf.Tensor,
  shape: readonly Dimension[],
  sizes: Readonly<Record<string, number>> = {},
): Record<string, number> {
  if (!(tensor instanceof tf.Tensor))
    throw new Error(`${what} must be a tensor [${shape.join(', ')}], got ${describe(tensor)}`);
  const found: Record<string, number> = { ...sizes };
  const fits =
    tensor.rank === shape.length &&
    shape.every((dimension, axis) => {
      const size = tensor.shape[axis]!;
      if (typeof dimension === 'number') return dimension === size;
      found[dimension] ??= size;
      return found[dimension] === size;
    });
  if (fits) return found;
  throw new Error(
    `${what} must be [${shape.join(', ')}]${where(shape, sizes)}, got [${tensor.shape.join(', ')}]${remedy(tensor.rank, shape.length)}`,
  );
}

function describe(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}

function where(shape: readonly Dimension[], sizes: Readonly<Record<string, number>>): string {
  const known = shape.filter((d): d is string => typeof d === 'string' && sizes[d] !== undefined);
  return known.length === 0 ? '' : ` with ${known.map((d) => `${d} = ${sizes[d]}`).join(', ')}`;
}

function remedy(rank: number, wanted: number): string {
  if (rank === wanted - 1) return '; add a batch axis';
  return rank === wanted + 1 ? '; remove an axis' : '';
}

/**
 * Examples as rows: x [B, ...event] → [B, D].
 * @throws as `expectShape`, when x has another shape
 */
export function eventRows(what: string, x: tf.Tensor, eventShape: readonly number[]): tf.Tensor {
  expectShape(what, x, ['B', ...eventShape]);
  return x.reshape([-1, sizeOf(eventShape)]);
}

/** Numbers in a tensor of this shape; of an event's shape, its dimensions D. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, n) => size * n, 1);
}

/**
 * x with its gradient cut off. tfjs has no stopGradient operation; one that takes no tensor is as good, since then
 * nothing on the tape leads from the result back to x, and no gradient is computed only to be thrown away.
 */
export function detach(x: tf.Tensor): tf.Tensor {
  return withoutGradient(x, (value) => value.clone());
}

/** f(x), of which x gets no gradient: also for an f whose operations tfjs cannot differentiate, such as a comparison. */
export function withoutGradient(x: tf.Tensor, f: (x: tf.Tensor) => tf.Tensor): tf.Tensor {
  return tf.customGrad(() => ({ value: f(x), gradFunc: () => [] }))();
}

/**
 * The nearest integer, halves to the even one; backwards the identity, since the slope of a rounding is 0 wherever it
 * has one ("straight through": Bengio, Léonard and Courville, 2013).
 */
export function roundThrough(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((v) => ({ value: (v as tf.Tensor).round(), gradFunc: (dy) => dy }))(x);
}

/**
 * Sum over every axis but the first: [B, ...event] → [B].
 * @example sumEvent(tf.ones([2, 3, 4])) // → [12, 12]
 */
export function sumEvent(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => x.reshape([x.shape[0]!, -1]).sum(1));
}

/**
 * ln Σ exp x along an axis, without overflow: the largest term is taken out before exponentiating. Where every
 * term is −∞ so is the sum; tf.logSumExp gives NaN there (−∞ minus −∞).
 * @param x [..., n, ...] → [..., ...]
 * @example logSumExp(tf.tensor1d([1000, 1000]), 0) // → 1000.693
 */
export function logSumExp(x: tf.Tensor, axis: number): tf.Tensor {
  return tf.tidy(() => {
    const top = detach(x.max(axis, true).maximum(LOWEST));
    return x
      .sub(top)
      .exp()
      .sum(axis)
      .log()
      .add(top.squeeze([axis]));
  });
}

const LOWEST = -1e38; // finite in float32

/**
 * ln ((1/n) Σ exp x) along an axis, as `logSumExp`: [..., n, ...] → [..., ...].
 * @example logMeanExp(tf.tensor1d([Math.log(2), Math.log(4)]), 0) // → 1.0986
 */
export function logMeanExp(x: tf.Tensor, axis: number): tf.Tensor {
  return tf.tidy(() => logSumExp(x, axis).sub(Math.log(x.shape.at(axis)!)));
}

/** The number in a scalar tensor, which is disposed. */
export function scalar(x: tf.Tensor): number {
  const value = x.dataSync()[0]!;
  x.dispose();
  return value;
}

/**
 * Runs `body` and disposes every tensor made meanwhile, but for those in what it returns.
 * As tf.tidy, which refuses an async function. Await one before starting the next: tfjs keeps its scopes on a
 * stack, so of two that overlap the first to end would close the other's.
 */
export async function tidyAsync<T extends tf.TensorContainer>(body: () => Promise<T>): Promise<T> {
  tf.engine().startScope();
  let result: T | undefined;
  try {
    result = await body();
    return result;
  } finally {
    tf.engine().endScope(result as tf.TensorContainer);
  }
}
