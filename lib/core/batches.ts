/** Slices of a data set, in order or shuffled. */
import * as tf from '@tensorflow/tfjs';
import type { Batch } from './model';

/** A batch that owns its tensors: dispose it when done. */
export interface OwnedBatch extends Batch {
  dispose(): void;
}

/**
 * The examples in order, in batches of `size`; the last may be smaller. Lazy: one batch lives at a time.
 * @example
 * const data = { x: tf.zeros([5, 2]) };
 * Array.from(batches(data, 2).entries(), ([, { x }]) => x.shape[0]) // → [2, 2, 1]
 */
export function batches(data: Batch, size: number): { entries(): Iterable<readonly [number, OwnedBatch]> } {
  requireSize(size);
  const n = exampleCount(data);
  return {
    *entries() {
      for (let start = 0, index = 0; start < n; start += size, index++) {
        const order = Int32Array.from({ length: Math.min(size, n - start) }, (_, i) => start + i);
        yield [index, take(data, order)] as const;
      }
    },
  };
}

/**
 * The examples with these indices.
 * @example take({ x: tf.tensor2d([[1], [2], [3]]) }, Int32Array.of(2, 0)).x // → [[3], [1]]
 */
export function take(data: Batch, indices: Int32Array): OwnedBatch {
  const at = tf.tensor1d(indices, 'int32');
  const x = tf.gather(data.x, at);
  const y = data.y && tf.gather(data.y, at);
  at.dispose();
  const dispose = () => {
    x.dispose();
    y?.dispose();
  };
  return y ? { x, y, dispose } : { x, dispose };
}

/** What `body` makes of a batch, which is then disposed, also when the body throws. */
export function consume<T>(batch: OwnedBatch, body: (batch: Batch) => T): T {
  try {
    return body(batch);
  } finally {
    batch.dispose();
  }
}

/** N, the same for x and y. */
export function exampleCount(data: Batch): number {
  const n = data.x.shape[0] ?? 0;
  if (data.x.rank < 2 || n === 0)
    throw new Error(`data: x must be [N, ...event] with N ≥ 1, got [${data.x.shape.join(', ')}]`);
  if (data.y && data.y.shape[0] !== n)
    throw new Error(`data: y must have N = ${n} labels, got [${data.y.shape.join(', ')}]`);
  return n;
}

function requireSize(size: number): void {
  if (!Number.isInteger(size) || size < 1) throw new Error(`batch size must be an integer ≥ 1, got ${size}`);
}
