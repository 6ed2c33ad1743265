import * as tf from '@tensorflow/tfjs';
import { createRng, tailedSpline } from 'dgm';
import { expect, test } from 'vitest';

// A posterior's spline moves noise that the encoder has shifted and scaled, so that the gradient has to pass through x

test('a spline with tails has a gradient by what it moves, inside and beyond', () => {
  const spline = tailedSpline(4, 3);
  const parameters = createRng('spline').normal([1, 1, spline.parameters]);
  const slopes = tf.grad((x: tf.Tensor) => spline.toLatent(x, parameters).z.sum())(tf.tensor2d([[-5], [0.4], [7]]));
  const h = 1e-2;
  const at = (x: number) => spline.toLatent(tf.tensor2d([[x]]), parameters).z.dataSync()[0]!;
  const [below, inside, above] = slopes.dataSync();
  expect([below, above]).toEqual([1, 1]);
  expect(inside).toBeCloseTo((at(0.4 + h) - at(0.4 - h)) / (2 * h), 2);
});
