/** Chapter 6, for graders: one matrix for all pixels, who sees whom, and what narrow noise may claim. */
import { checkBlind, checkClaim, checkMix, triangle } from '../checks/flow-predictions';
import { matrixTensor, normal } from '../checks/common';
import type { Hidden } from '../../exercise/exercise';

export const mixChannels: Hidden = {
  checks: [
    {
      name: 'a picture of 8 × 8 pixels and four channels, and a strong stretch',
      async run({ call, rng }) {
        await checkMix(call, normal(rng, 'x', [3, 8, 8, 4]), triangle(rng, 4), 'H W blocks');
        const strong = matrixTensor([[1e-3, 0], [2, -50]]); // prettier-ignore
        await checkMix(call, normal(rng, 'y', [2, 10, 10, 2]), strong, 'sum logarithms: the determinant is no float32');
      },
    },
  ],
  mistakes: [
    { name: 'one block', source: 'common: the determinant of W alone, for a picture of many pixels', replace: 'H * width', by: '1' },
    { name: 'no absolute value', source: 'common: NaN where the diagonal is negative', replace: '.abs()', by: '' },
    { name: 'W transposed', source: 'common: x W for W x', replace: 'matMul(W, false, true)', by: 'matMul(W)' },
    {
      name: 'the logarithm of a product',
      source: 'common: (det W)^(H W) overflows, or is 0',
      replace: '.log()',
      by: '.prod().pow(H * width).log().div(H * width)',
    },
  ],
}; // prettier-ignore

export const blindPairs: Hidden = {
  checks: [
    {
      name: 'nine dimensions, and one',
      async run({ call }) {
        await checkBlind(call, 9, 5, 'never', 'half of the pairs');
        await checkBlind(call, 9, 4, 'by turns', 'none');
        await checkBlind(call, 1, 3, 'never', 'one coordinate sees itself');
      },
    },
  ],
  mistakes: [
    {
      name: 'more layers help in any case',
      source: 'common: depth taken for mixing; van den Berg et al. (2018) reverse the order every other layer',
      replace: "turns === 'by turns' && layers > 1",
      by: 'layers > 1',
    },
    {
      name: 'one layer that turns round',
      source: 'common: nobody has looked the other way yet',
      replace: " && layers > 1",
      by: '',
    },
    { name: 'all pairs', source: 'common: the whole matrix but its diagonal', replace: '/ 2', by: '/ 1' },
  ],
}; // prettier-ignore

export const narrowClaim: Hidden = {
  checks: [
    {
      name: 'three dimensions and a tenth',
      async run({ call }) {
        await checkClaim(call, 3, 0.1, 'D ln width');
        await checkClaim(call, 3072, 0.5, 'D ln width');
      },
    },
  ],
  mistakes: [
    { name: 'the sign', source: 'common: above for below', replace: 'D * Math.log(width)', by: '-D * Math.log(width)' },
    { name: 'one coordinate', source: 'common: D forgotten', replace: 'D * Math.log(width)', by: 'Math.log(width)' },
    { name: 'bits', source: 'common: log2 for ln', replace: 'Math.log(width)', by: 'Math.log2(width)' },
  ],
}; // prettier-ignore
