/** Chapter 12, for graders: steps with noise. */
import { expectClose } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';
import { checkLangevin, checkReverse, noiseOf, reverseOf } from '../checks/score-dynamics';

export const langevin: Hidden = {
  checks: [
    {
      name: 'narrow and wide, with steps short, long and too long',
      async run({ call }) {
        for (const [sigma, eta] of [[0.1, 0.001], [0.1, 0.015], [3, 12], [3, 18.5], [2, 8], [1.5, 0.05]] as const)
          await checkLangevin(call, sigma, eta);
      },
    },
  ],
  mistakes: [
    {
      name: 'no bias',
      source: 'tutorials say that Langevin dynamics samples from p, and leave out for which steps',
      replace: '(2 * eta) / (1 - kept)',
      by: 'sigma ** 2',
    },
    {
      name: 'the noise of half the variance',
      source: 'intro_dgm’s sampler has a step of its own for the noise, so that it stays at another temperature',
      replace: '2 * eta',
      by: 'eta',
    },
    {
      name: 'always a variance',
      source: 'common: the formula beyond where it holds',
      replace: 'kept < 1 ? ',
      by: 'kept < 9 ? ',
    },
    {
      name: 'the factor without its square',
      source: 'common: a deviation’s factor for a variance’s',
      replace: '(1 - eta / sigma ** 2) ** 2',
      by: 'Math.abs(1 - eta / sigma ** 2)',
    },
  ],
}; // prettier-ignore

export const reverse: Hidden = {
  checks: [
    {
      name: 'other drifts, and steps from long to short',
      async run({ call, rng }) {
        for (const numbers of [[2, 0.3, 0.5], [-1.5, 2, 0.002], [0, 0.7, 1]] as const)
          await checkReverse(call, reverseOf(rng.fork(`${numbers[1]}`), 2, 5, numbers));
      },
    },
    {
      name: 'four steps of a quarter bring as much noise as one',
      law: true,
      async run({ call, rng }) {
        const [one, quarter] = [await noiseOf(call, rng.fork('one'), 1.5, 0.4), await noiseOf(call, rng.fork('quarter'), 1.5, 0.1)];
        expectClose(4 * quarter, one, { what: 'the variance of the noise in four steps', rtol: 1e-3 });
      },
    },
  ],
  mistakes: [
    {
      name: '√dt missing',
      source: 'common, and in intro_dgm’s samplers: h for √h, so that fine steps have no noise at all',
      replace: 'g * Math.sqrt(h)',
      by: 'g * h',
    },
    {
      name: 'time runs forwards',
      source: 'common: the reverse equation is written for dt < 0, and stepped with dt > 0',
      replace: 'z.sub(drift.mul(h))',
      by: 'z.add(drift.mul(h))',
    },
    {
      name: 'the ODE’s half',
      source: 'yang-song/score_sde has both, told apart by a flag; copies mix ½ g² and noise',
      replace: 'score.mul(g ** 2)',
      by: 'score.mul(g ** 2 / 2)',
    },
    {
      name: 'g for g²',
      source: 'common: the deviation where the variance belongs',
      replace: 'score.mul(g ** 2)',
      by: 'score.mul(g)',
    },
  ],
}; // prettier-ignore
