/** Chapter 11, for graders: the predictions. */
import type { Hidden } from '../../exercise/exercise';
import { checkShares, checkUntrained } from '../checks/diffusion-predictions';

export const shares: Hidden = {
  checks: [
    {
      name: 'schedules between other ends',
      async run({ call }) {
        for (const [gamma0, gamma1] of [[-6, 6], [-4, -1], [0.5, 3], [-2, 0]] as const) await checkShares(call, gamma0, gamma1);
      },
    },
  ],
  mistakes: [
    {
      name: 'the last decoder’s term forgotten',
      source: 'common: a sum of KLs sold as the bound; with a network that rounds at the end, there is nothing to forget it by',
      replace: '0.5 * (Math.log(2 * Math.PI) + 1 + first)',
      by: '0',
    },
    {
      name: 'nothing is left at the end',
      source: 'common: the prior’s term taken for 0, whatever the schedule’s end',
      replace: '-0.5 * last',
      by: '0',
    },
    {
      name: 'no half',
      source: 'common: the square alone',
      replace: '0.5 * (last - first)',
      by: 'last - first',
    },
    {
      name: 'ends exchanged',
      source: 'common: time runs backwards',
      replace: '[logVariance(gamma0), logVariance(gamma1)]',
      by: '[logVariance(gamma1), logVariance(gamma0)]',
    },
    {
      name: 'σ for σ²',
      source: 'common',
      replace: '-Math.log1p(Math.exp(-gamma))',
      by: '-Math.log1p(Math.exp(-gamma)) / 2',
    },
  ],
}; // prettier-ignore

export const untrained: Hidden = {
  checks: [
    {
      name: 'many steps between other ends',
      async run({ call }) {
        await checkUntrained(call, { power: 40, gamma0: -6, gammaT: 6, T: 100 });
        await checkUntrained(call, { power: 1.5, gamma0: 0.5, gammaT: 2, T: 3 });
        await checkUntrained(call, { power: 2, gamma0: -3, gammaT: -1, T: 4 });
      },
    },
  ],
  mistakes: [
    {
      name: 'each step costs the whole',
      source: 'common: the price of the ends, at every step',
      replace: '(power / 2) * sums.reduce((a, b) => a + b, 0)',
      by: '(power / 2) * T * sums.reduce((a, b) => a + b, 0)',
    },
    {
      name: 'a mean over the steps',
      source: 'common: a loss that is averaged over time, sold as the sum',
      replace: 'sums.reduce((a, b) => a + b, 0)',
      by: 'sums.reduce((a, b) => a + b, 0) / T',
    },
    {
      name: 'networks that are trained after all',
      source: 'jmtomczak/intro_dgm: the reverse networks in a plain list, which the optimiser does not see; their cost is not small',
      replace: 'at(i) - at(i + 1)',
      by: '0 * at(i)',
    },
    {
      name: 'no half',
      source: 'common: the square alone',
      replace: '(power / 2)',
      by: 'power',
    },
  ],
}; // prettier-ignore
