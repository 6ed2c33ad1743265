/** Chapter 7, for graders: what a prior alone pays, everything in one coordinate, and float32's end. */
import { checkExact, checkGap, checkSquare, checkSteps, squareOf } from '../checks/integer-predictions';
import type { Hidden } from '../../exercise/exercise';

export const productGap: Hidden = {
  checks: [
    {
      name: 'three coordinates, and many points with repeated values',
      async run({ call }) {
        await checkGap(call, [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]], 'a marginal for every coordinate'); // prettier-ignore
        await checkGap(call, squareOf(5).filter(([a, b]) => a! + b! < 5), 'a triangle of fifteen points'); // prettier-ignore
      },
    },
  ],
  mistakes: [
    {
      name: 'the code length in place of the divergence',
      source: 'common: NLL and KL differ by the entropy',
      replace: ' - Math.log(points.length)',
      by: '',
    },
    {
      name: 'even coins',
      source: 'common: the best product is that of the marginals, and not the uniform one',
      replace: '(n / points.length) * Math.log(n / points.length)',
      by: '(1 / counts.size) * Math.log(1 / counts.size)',
    },
    {
      name: 'bits',
      source: 'common: log2 for ln',
      replace: 'Math.log(n / points.length)',
      by: 'Math.log2(n / points.length)',
    },
    {
      name: 'the first coordinate alone',
      source: 'common: one marginal forgotten',
      replace: 'points[0]!.keys()',
      by: '[0]',
    },
  ],
};

export const gather: Hidden = {
  checks: [
    {
      name: 'squares of six and thirty values a side; far from the square the steps are the same',
      async run({ call }) {
        for (const V of [6, 30]) await checkSquare(call, V);
        await checkSteps(call, 4, 20);
      },
    },
  ],
  mistakes: [
    {
      name: 'the numbers of a square of two',
      source: 'common: the example’s V written into the answer',
      replace: 'x1.add(x2.mul(V))',
      by: 'x1.add(x2.mul(2))',
    },
    {
      name: 'rounded up from the middle on',
      source: 'common: z₁ / V as it is; rounding goes to the nearest, and not down',
      replace: '.sub((V - 1) / (2 * V))',
      by: '',
    },
    {
      name: 'a remainder, which is no additive step',
      source: 'common: z₂ = 0 written down: not a bijection of ℤ²',
      replace: 'const z2 = x2.sub(',
      by: 'const z2 = x2.mul(0).mul(',
    },
    {
      name: 'halves',
      source:
        'common: moved down by ½, where the smallest part that is left over is a half away, and goes to the even side',
      replace: '(V - 1) / (2 * V)',
      by: '0.5',
    },
  ],
};

export const exactUpTo: Hidden = {
  checks: [
    {
      name: 'quarters in float16, and steps of 4',
      async run({ call }) {
        await checkExact(call, 11, 0.25, 'two bits behind the point');
        await checkExact(call, 24, 4, 'multiples of 4 go further');
      },
    },
  ],
  mistakes: [
    {
      name: 'one bit less',
      source: 'common: 23 bits are stored, and the leading 1 is not among them',
      replace: '2 ** bits',
      by: '2 ** (bits - 1)',
    },
    { name: 'finer steps go further', source: 'common: divided for multiplied', replace: 'step * 2', by: '(1 / step) * 2' },
    { name: 'the largest number of n bits', source: 'common: off by one', replace: '2 ** bits', by: '(2 ** bits - 1)' },
  ],
}; // prettier-ignore
