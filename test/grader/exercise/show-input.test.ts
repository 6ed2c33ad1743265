import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { given } from '../../../grader/exercise/exercise';
import { showInput } from '../../../grader/exercise/show-input';

const x = tf.tensor1d([1, 2]);
const source = `(a) => {
  const [B] = a.shape;
  return a.matMul(tf.tensor2d([[1, 2], [3, 4]])).add(tf.ones([B, 1]));
}`;

test('a short function stands where it is passed', () => {
  expect(showInput([x, given('(a) => a.div(2)'), 3])).toBe('tensor [2] of float32 [1, 2], (a) => a.div(2), 3');
});

test('a long function does not bury the numbers: it comes last, under a name', () => {
  const text = showInput([given(source), x, 'toData']);
  expect(text).toMatch(/^f, tensor \[2\] of float32 \[1, 2\], "toData", where f = \(a\) => \{ const/);
  expect(text).toContain('tf.tensor2d([[1, 2], [3, 4]])');
  expect(text).not.toContain('\n');
});

test('of two long functions each has a name of its own', () => {
  expect(showInput([given(source), given(source.replace('2]', '7]')), x])).toMatch(
    /^f1, f2, tensor .*, where f1 = .*; f2 = /,
  );
});
