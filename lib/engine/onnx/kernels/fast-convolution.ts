/**
 * Convolution with fewer multiplications.
 *
 * A convolution y_t = Σ_k w_k x_{t+k} of m outputs with K taps takes m·K products. Read as the transpose of a product
 * of two polynomials, it takes J ≈ 1.5 (m + K): one for every point at which the polynomials are evaluated,
 *     y = A ((G w) ⊙ (D x)),
 * with constant matrices. Here x and w stand for whole matrices of channels, so that each saved product is a saved
 * product of matrices. The points are 0, ∞ and the complex roots of unity, at which evaluation is a discrete
 * Fourier transform: it loses no more digits than the direct sum does (the usual small integers lose three).
 * References: Toom, 1963; Winograd, Arithmetic Complexity of Computations, 1980; for networks: Lavin and Gray, 2016.
 */
import { rangeOf } from '../kernel';

type Matrix = readonly (readonly number[])[];

export interface FastConvolution {
  readonly outputs: number;
  readonly taps: number;
  /** outputs + taps − 1 */
  readonly inputs: number;
  readonly products: number;
  /** D: [products, inputs] */
  readonly ofInput: Matrix;
  /** G: [products, taps] */
  readonly ofKernel: Matrix;
  /** A: [outputs, products] */
  readonly toOutput: Matrix;
}

/** J, without the matrices. */
export function productsOf(outputs: number, taps: number): number {
  if (taps === 1 || outputs === 1) return outputs * taps;
  const roots = outputs + taps - 3;
  return 3 + (roots % 2 === 0 ? 1 : 0) + 3 * Math.floor((roots - 1) / 2);
}

/** The matrices for m outputs with K taps. */
export function fastConvolution(m: number, K: number): FastConvolution {
  const n = m + K - 1;
  if (K === 1 || m === 1) return plainly(m, K);
  // The polynomials a (m coefficients) and w (K) have the product s (n coefficients). N of its values at the roots of
  // unity give r = s mod z^N − 1; as N = n − 2, two coefficients of r are sums of two of s, of which s(0) and s(∞)
  // are one each.
  const N = n - 2;
  const a: number[][] = [];
  const w: number[][] = [];
  const s: number[][] = [];
  /** One product: how its factors come from the coefficients, and what it adds to those of s. */
  const product = (factor: (i: number, length: number) => number, share: readonly number[]) => {
    a.push(rangeOf(m).map((i) => factor(i, m)));
    w.push(rangeOf(K).map((i) => factor(i, K)));
    s.push([...share]);
  };
  const sOf = (r: (i: number) => number) => rangeOf(n).map((i) => (i === N ? r(0) : i === 0 || i > N ? 0 : r(i)));
  product(
    (i) => (i === 0 ? 1 : 0),
    rangeOf(n).map((i) => (i === 0 ? 1 : 0) - (i === N ? 1 : 0)),
  );
  product(
    (i, length) => (i === length - 1 ? 1 : 0),
    rangeOf(n).map((i) => (i === n - 1 ? 1 : 0) - (i === 1 ? 1 : 0)),
  );
  for (let f = 0; 2 * f <= N; f++) {
    const angle = (i: number) => (-2 * Math.PI * ((f * i) % N)) / N;
    const real = (i: number) => Math.cos(angle(i));
    const imaginary = (i: number) => Math.sin(angle(i));
    if (f === 0 || 2 * f === N) {
      product(
        real,
        sOf((i) => real(i) / N),
      );
      continue;
    }
    // two conjugate points; their complex product by three real ones (Karatsuba)
    product(
      real,
      sOf((i) => (2 * (real(i) - imaginary(i))) / N),
    );
    product(
      imaginary,
      sOf((i) => (-2 * (real(i) + imaginary(i))) / N),
    );
    product(
      (i) => real(i) + imaginary(i),
      sOf((i) => (2 * imaginary(i)) / N),
    );
  }
  // the transpose: x takes the place of s, and y that of a
  const toOutput = rangeOf(m).map((t) => a.map((row) => row[t]!));
  return { outputs: m, taps: K, inputs: n, products: s.length, ofInput: s, ofKernel: w, toOutput };
}

/** Every product by itself, along an axis where there is nothing to save. */
function plainly(m: number, K: number): FastConvolution {
  const pairs = rangeOf(m * K).map((j): [number, number] => [Math.floor(j / K), j % K]);
  const unit = (length: number, at: number) => rangeOf(length).map((i) => (i === at ? 1 : 0));
  return {
    outputs: m,
    taps: K,
    inputs: m + K - 1,
    products: m * K,
    ofInput: pairs.map(([t, k]) => unit(m + K - 1, t + k)),
    ofKernel: pairs.map(([, k]) => unit(K, k)),
    toOutput: rangeOf(m).map((t) => pairs.map(([of]) => (of === t ? 1 : 0))),
  };
}
