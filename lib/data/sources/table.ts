/** Sources over any world small enough to write down: a table of weights, and the Ising model. */
import * as tf from '@tensorflow/tfjs';
import { logLattice } from '../../core/distributions';
import { drawIndices, entropyOf, integers, source, type Source } from './source';

/**
 * The distribution in proportion to exp(logWeights), one for every x of the world in the order of `enumerate`: the
 * last coordinate runs fastest.
 * @param values V: each of the D coordinates is an integer in 0 … V − 1
 * @param logWeights [V^D]
 * @throws when a weight is missing, infinite or no number, or all are −∞
 */
export function tableSource(
  name: string,
  eventShape: readonly number[],
  values: number,
  logWeights: ArrayLike<number>,
): Source {
  const D = tf.util.sizeFromShape([...eventShape]);
  if (logWeights.length !== values ** D)
    throw new Error(`${name}: expected a weight for each of ${values}^${D} points, got ${logWeights.length}`);
  const top = Array.from(logWeights).reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logWeights, (weight) => Math.exp(weight - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0 && Number.isFinite(total)))
    throw new Error(`${name}: the weights must be finite, and not all −∞; their sum is ${total}`);
  const p = weights.map((weight) => weight / total);
  const logP = Float32Array.from(p, Math.log);
  const place = Array.from({ length: D }, (_, d) => values ** (D - 1 - d));
  return source({
    name,
    eventShape,
    support: integers(values),
    entropy: entropyOf(p),
    logProb(x) {
      const digits = x
        .reshape([-1, D])
        .clipByValue(0, values - 1)
        .toInt(); // [B, D]
      const index = digits.mul(tf.tensor1d(place, 'int32')).sum(1).toInt() as tf.Tensor1D; // [B]
      return tf.gather(tf.tensor1d(logP), index).add(logLattice(x, values));
    },
    sample: (count, rng) => {
      const rows = drawIndices(p, count, rng).map((index) => place.map((step) => Math.floor(index / step) % values));
      return tf.tensor(rows.flat(), [count, ...eventShape], 'float32');
    },
  });
}

export interface IsingOptions {
  /** Pixels from top to bottom. Default: 4. */
  readonly height?: number;
  /** Pixels from left to right. Default: 4. */
  readonly width?: number;
  /** J, by which neighbours agree. Default: 0.4; at 0.44 the infinite grid freezes. */
  readonly coupling?: number;
  /** h, which pulls every pixel towards 1. Default: 0. */
  readonly field?: number;
}

/**
 * The Ising model on a grid with free edges: p(x) ∝ exp(J Σ_neighbours s_i s_j + h Σ s_i), with s = 2x − 1 for the
 * pixel x ∈ {0, 1}: x [height, width]. Z by summing over all 2^(height · width) pictures (Ising, 1925).
 * @throws when there are more than 16 pixels
 */
export function isingSource({ height = 4, width = 4, coupling = 0.4, field = 0 }: IsingOptions = {}): Source {
  const D = height * width;
  if (D > 16) throw new Error(`isingSource: ${height} × ${width} pixels have 2^${D} pictures; at most 16 pixels`);
  const logWeights = Float64Array.from({ length: 2 ** D }, (_, index) => {
    const spin = (i: number) => (((index >> (D - 1 - i)) & 1) === 1 ? 1 : -1);
    let sum = 0;
    for (let i = 0; i < D; i++) {
      sum += field * spin(i);
      if (i % width < width - 1) sum += coupling * spin(i) * spin(i + 1);
      if (i + width < D) sum += coupling * spin(i) * spin(i + width);
    }
    return sum;
  });
  return tableSource('Ising', [height, width], 2, logWeights);
}

/**
 * Pictures of whole rows, or of whole columns: each of the 2^(size + 1) − 2 different ones as likely as the others. No
 * pixel by itself, nor any pair of them, says which of the two it is: x [size, size] (MacKay, Information Theory,
 * Inference, and Learning Algorithms, 2003, section 43.2, where they test a Boltzmann machine).
 * @throws when there are more than 16 pixels, or fewer than 4
 */
export function barsAndStripes(size = 4): Source {
  if (!Number.isInteger(size) || size < 2 || size > 4)
    throw new Error(`barsAndStripes: size must be 2, 3 or 4, got ${size}`);
  const same = (line: readonly number[]) => line.every((pixel) => pixel === line[0]);
  const lines = Array.from({ length: size }, (_, i) => i);
  const logWeights = Float64Array.from({ length: 2 ** (size * size) }, (_, index) => {
    const pixel = (row: number, column: number) => (index >> (size * size - 1 - row * size - column)) & 1;
    const rows = lines.every((row) => same(lines.map((column) => pixel(row, column))));
    const columns = lines.every((column) => same(lines.map((row) => pixel(row, column))));
    return rows || columns ? 0 : -Infinity;
  });
  return tableSource('bars and stripes', [size, size], 2, logWeights);
}
