/** How near the steps come to what the machine can do: its rate on one large matrix product. */
import * as tf from '@tensorflow/tfjs';
import { compile } from 'dgm/engine';
import { createRng } from 'dgm';
import type { Sizes } from './configurations';
import { median } from './base/numbers';

const N = 1024;
const REPETITIONS = 7;

/** Billions of floating-point operations a second in a product of two 1024×1024 matrices. */
export async function matrixProductRate(threads: number): Promise<number> {
  const square = { shape: [N, N], dtype: 'float32' } as const;
  const product = await compile(([a, b]) => [tf.matMul(a!, b!)], [square, square], { threads, device: 'cpu' });
  const values = Float32Array.from({ length: N * N }, (_, i) => (i % 7) - 3);
  const into = [new Float32Array(N * N)];
  const seconds: number[] = [];
  for (let i = 0; i < REPETITIONS; i++) {
    const started = performance.now();
    await product.run([values, values], createRng(1), [], into);
    seconds.push((performance.now() - started) / 1000);
  }
  await product.dispose();
  return (2 * N ** 3) / median(seconds.slice(1)) / 1e9; // the first one finds cold caches
}

/** The sizes at which the variational autoencoder is measured, besides its own. */
export const SCALES: readonly Sizes[] = [
  { batch: 64, width: 64 },
  { batch: 64, width: 256 },
  { batch: 64, width: 512 },
  { batch: 64, width: 1024 },
  { batch: 16, width: 256 },
  { batch: 256, width: 256 },
  { batch: 1024, width: 256 },
];

/**
 * Floating-point operations in the matrix products of one step of 'vae': forwards, and backwards once for the
 * weights and once for what comes in, but for the encoder's own input, the data.
 */
export function vaeOperations({ batch, width, D = 64, L = 16, V = 17 }: Sizes): number {
  const weights = (sizes: readonly number[]) => sizes.slice(1).reduce((sum, n, i) => sum + n * sizes[i]!, 0);
  const all = weights([D, width!, width!, 2 * L]) + weights([L, width!, width!, D * V]);
  return 2 * batch! * (3 * all - D * width!);
}
