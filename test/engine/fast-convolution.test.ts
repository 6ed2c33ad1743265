/** Convolutions with fewer multiplications: the matrices, where they pay, and what exactness costs and saves. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { createRng } from 'dgm';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { compileNow } from '../../lib/engine/call/compile';
import { compiled } from '../../lib/engine/call/compiled-function';
import type { Spec } from '../../lib/engine/graph/graph';
import { fastConvolution, productsOf } from '../../lib/engine/onnx/kernels/fast-convolution';
import { fastPlan } from '../../lib/engine/onnx/kernels/fast-tiles';
import { expectSame, floats, type Fn } from './kernels/agreement';

beforeAll(() => tf.setBackend('cpu'));

describe('fast convolution', () => {
  test('is the direct sum', () => {
    const real = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 24 }),
        fc.integer({ min: 1, max: 12 }),
        fc.infiniteStream(real),
        (m, K, stream) => {
          const { ofInput, ofKernel, toOutput, inputs, products } = fastConvolution(m, K);
          expect(products).toBe(productsOf(m, K));
          expect(inputs).toBe(m + K - 1);
          const [x, w] = [[...stream.take(inputs)], [...stream.take(K)]];
          const times = (matrix: readonly (readonly number[])[], v: readonly number[]) =>
            matrix.map((row) => row.reduce((sum, a, i) => sum + a * v[i]!, 0));
          const [p, q] = [times(ofInput, x), times(ofKernel, w)];
          const y = times(toOutput, p.map((v, j) => v * q[j]!)); // prettier-ignore
          y.forEach((v, t) =>
            expect(v).toBeCloseTo(
              w.reduce((sum, wk, k) => sum + wk * x[t + k]!, 0),
              12,
            ),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  /** The sum of the absolute values of a convolution's terms is what its rounding is measured by. */
  test.each<[string, [number, number, number, number], [number, number, number, number], 'same' | 'valid']>([
    ['one axis', [8, 1, 40, 32], [1, 9, 32, 32], 'valid'],
    ['one axis, uneven tiles, other widths', [9, 1, 29, 40], [1, 11, 40, 32], 'same'],
    ['one axis of an image', [3, 5, 21, 32], [1, 9, 32, 32], 'same'],
    ['the other axis of an image', [3, 21, 5, 32], [9, 1, 32, 32], 'same'],
    ['both axes', [8, 8, 8, 32], [5, 5, 32, 32], 'same'],
    ['both axes, without padding', [8, 12, 12, 32], [5, 5, 32, 32], 'valid'],
  ])('of %s agrees with eager execution', async (_, image, kernel, pad) => {
    expect(fastPlan(tf.backend_util.computeConv2DInfo(image, kernel, 1, 1, pad))).toBeDefined();
    const conv: Fn = (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, pad);
    const weights = floats(-0.1, 0.1, kernel, 'weights');
    // a sum over taps and channels, and for the kernel's gradient over positions and images, of random signs
    const terms = Math.sqrt(kernel[0] * kernel[1] * kernel[2]) + Math.sqrt(image[0] * image[1] * image[2]);
    await expectSame(conv, [floats(-1, 1, image), weights], true, { terms });
  });

  describe('an outlier outside of an output’s window', () => {
    const [B, N, C, K, at] = [8, 40, 32, 9, 37]; // outputs 0 … at − K do not see the input `at`
    const kernel = tf.tidy(() => createRng('kernel').normal([1, K, C, C]).mul(0.1)) as tf.Tensor4D;
    const conv = ([x]: readonly tf.Tensor[]) => [tf.conv2d(x as tf.Tensor4D, kernel, 1, 'valid')];
    const before = createRng('x').normal([B, 1, N, C]);
    const isThere = tf.range(0, N).equal(at).reshape([1, 1, N, 1]); // prettier-ignore
    /** How far the outlier moves what does not see it. */
    const moved = (run: (x: tf.Tensor) => tf.Tensor, outlier: number) => {
      const unseen = (x: tf.Tensor) => run(x).slice([0, 0, 0, 0], [B, 1, at - K + 1, C]);
      const spoilt = tf.where(isThere, outlier, before);
      return unseen(spoilt).sub(unseen(before)).abs().max().dataSync()[0]!;
    };
    afterEach(() => vi.unstubAllEnvs());

    test.each([1e6, Infinity, NaN])('of %d leaves a compiled function’s alone', (outlier) => {
      const f = compiled(conv, { device: 'cpu' });
      expect(moved((x) => f([x], createRng(1))[0]!, outlier)).toBe(0);
      expect(f.engine()).toBe('compiled for the cpu');
    });

    test.each([1e6, Infinity, NaN])('of %d leaves every one alone where DGM_CONVOLUTIONS is exact', (outlier) => {
      const spec = { shape: before.shape, dtype: 'float32' } as const;
      const withSwitch = (value: string) => {
        vi.stubEnv('DGM_CONVOLUTIONS', value);
        const made = compileNow(conv, [spec], { device: 'cpu', quiet: true });
        const [{ shape }] = made.outputs as [Spec];
        const run = (x: tf.Tensor) =>
          tf.tensor(made.runNow([x.dataSync() as Float32Array], createRng(1))[0]!, [...shape]);
        return moved(run, outlier);
      };
      expect(withSwitch('exact')).toBe(0);
      expect(withSwitch('')).not.toBe(0); // the switch changes something
      expect(() => withSwitch('quick')).toThrow("DGM_CONVOLUTIONS must be fast or exact, got 'quick'");
    });
  });

  test('is not made where it would cost more', () => {
    const plan = (image: number[], kernel: number[], strides = 1, dilation = 1) =>
      fastPlan(tf.backend_util.computeConv2DInfo(image as [number, number, number, number], kernel as [number, number, number, number], strides, dilation, 'same')); // prettier-ignore
    expect(plan([64, 1, 64, 256], [1, 7, 256, 256])).toBeDefined();
    expect(plan([64, 1, 64, 256], [1, 7, 256, 256], 2)).toBeUndefined();
    expect(plan([64, 1, 64, 256], [1, 7, 256, 256], 1, 2)).toBeUndefined();
    expect(plan([64, 1, 64, 256], [1, 1, 256, 256])).toBeUndefined();
    expect(plan([64, 1, 64, 1], [1, 7, 1, 256])).toBeUndefined();
    expect(plan([1, 1, 8, 256], [1, 7, 256, 256])).toBeUndefined();
  });
});
