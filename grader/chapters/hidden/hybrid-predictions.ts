/** Chapter 13, for graders: the predictions. */
import type { Hidden } from '../../exercise/exercise';
import { checkBlended, checkNarrow } from '../checks/hybrid-predictions';

export const together: Hidden = {
  checks: [
    {
      name: 'tight and loose ties, at other places',
      async run({ call }) {
        for (const [u, v, a, b, sigma] of [[0.5, 4, 2, 1, 0.1], [-3, -1, 0.3, 0.9, 1.3], [10, 0, 5, 0.05, 3], [7, -7, 0.2, 2, 0]] as const)
          await checkBlended(call, { u, v, a, b, sigma });
      },
    },
  ],
  mistakes: [
    {
      name: 'σ for σ²',
      source: 'common: a deviation for a variance (bjlkeng/sandbox#10)',
      replace: 'sigma ** 2',
      by: 'sigma',
    },
    {
      name: 'the 2 is derived twice',
      source: 'common: (θ − θ̃)² / (2 σ²) has the slope (θ − θ̃) / σ²',
      replace: 'sigma ** 2',
      by: '2 * sigma ** 2',
    },
    {
      name: 'the halves exchanged',
      source: 'common: θ and θ̃ differ by a tilde',
      replace: 'theta: (loose * u',
      by: 'theta: (loose * v',
    },
    {
      name: 'curvatures left out',
      source: 'common: the middle of two optima, whatever their curvature',
      replace: 'loose + a + b',
      by: 'loose + 2',
    },
  ],
}; // prettier-ignore

export const narrow: Hidden = {
  checks: [
    {
      name: 'other sizes and widths',
      async run({ call }) {
        for (const [D, s] of [[2, 0.1], [100, 0.9], [784, 0], [16, 2]] as const) await checkNarrow(call, D, s);
      },
    },
  ],
  mistakes: [
    {
      name: 's for s²',
      source: 'common: a deviation where the variance belongs',
      replace: '(1 - s ** 2)',
      by: '(1 - s)',
    },
    {
      name: 'the deviation of Σ x²',
      source: 'common: √(2 D) is that of χ², which ln p has with a factor ½',
      replace: 'Math.sqrt(D / 2)',
      by: 'Math.sqrt(2 * D)',
    },
    {
      name: 'strangers are improbable',
      source: 'Nalisnick et al. (2019) met this belief',
      replace: '(1 - s ** 2)',
      by: '(s ** 2 - 1)',
    },
  ],
}; // prettier-ignore
