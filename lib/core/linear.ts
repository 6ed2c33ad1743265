/** Small dense matrices: what pPCA needs of symmetric ones, as tensors and as plain numbers. */
import * as tf from '@tensorflow/tfjs';

export interface Solved {
  /** ln det A, a scalar [] */
  readonly logDet: tf.Tensor;
  /** A⁻¹ b: [n, m] */
  readonly x: tf.Tensor;
}

/**
 * A x = b and ln det A of a symmetric positive definite A, by Gauss' and Jordan's elimination, which needs no pivoting
 * there. One step an equation, each on whole matrices, so that it can be traced and has a gradient; for n of some tens.
 * @param a [n, n] @param b [n, m]
 */
export function solvePositive(a: tf.Tensor, b: tf.Tensor): Solved {
  const n = a.shape[0]!;
  const m = b.shape[1]!;
  let rows = tf.concat([a, b], 1); // [n, n + m]
  const pivots: tf.Tensor[] = [];
  for (let i = 0; i < n; i++) {
    const row = rows.slice([i, 0], [1, n + m]);
    const pivot = row.slice([0, i], [1, 1]); // [1, 1]
    pivots.push(pivot.reshape([1]));
    const scaled = row.div(pivot); // what is to stand in row i
    const one = tf.tensor2d(
      Float32Array.from({ length: n }, (_, k) => Number(k === i)),
      [n, 1],
    ); // oneHot refuses n = 1
    const factors = rows.slice([0, i], [n, 1]).sub(one);
    rows = rows.sub(factors.matMul(scaled));
  }
  return { logDet: tf.concat(pivots).log().sum(), x: rows.slice([0, n], [n, m]) };
}

export interface Eigen {
  /** From the largest to the smallest. */
  readonly values: readonly number[];
  /** Of length 1, one for each value. */
  readonly vectors: readonly (readonly number[])[];
}

/** Of a symmetric matrix, by Jacobi's rotations (Golub and Van Loan, Matrix Computations, section 8.5), in float64. */
export function eigenSymmetric(matrix: readonly (readonly number[])[]): Eigen {
  const n = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  const vectors = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < MOST_SWEEPS && offDiagonal(a) > 0; sweep++)
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, p, q);
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j]![j]! - a[i]![i]!);
  return { values: order.map((i) => a[i]![i]!), vectors: order.map((i) => vectors.map((row) => row[i]!)) };
}

const MOST_SWEEPS = 30; // it converges quadratically, in some ten

/** Largest |a_pq| off the diagonal that is not lost beside it. */
function offDiagonal(a: readonly Float64Array[]): number {
  let largest = 0;
  for (let p = 0; p < a.length; p++)
    for (let q = p + 1; q < a.length; q++) {
      const value = Math.abs(a[p]![q]!);
      if (value > 1e-15 * (Math.abs(a[p]![p]!) + Math.abs(a[q]![q]!))) largest = Math.max(largest, value);
    }
  return largest;
}

/** One rotation of p and q, after which a_pq = 0. */
function rotate(a: readonly Float64Array[], vectors: readonly Float64Array[], p: number, q: number): void {
  const apq = a[p]![q]!;
  if (apq === 0) return;
  const tau = (a[q]![q]! - a[p]![p]!) / (2 * apq);
  const t = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  const turn = (row: Float64Array) => {
    const [x, y] = [row[p]!, row[q]!];
    row[p] = c * x - s * y;
    row[q] = s * x + c * y;
  };
  a.forEach(turn);
  const [rowP, rowQ] = [a[p]!, a[q]!];
  for (let k = 0; k < rowP.length; k++) {
    const [x, y] = [rowP[k]!, rowQ[k]!];
    rowP[k] = c * x - s * y;
    rowQ[k] = s * x + c * y;
  }
  vectors.forEach(turn);
}
