/** Chapter 14, for graders: noise contrast, temperatures, chains. */
import type { Hidden } from '../../exercise/exercise';
import { chainsOf, checkRefresh, checkTemperature } from '../checks/energy-langevin';
import { checkNoise, contrastOf } from '../checks/energy-noise';

export const noise: Hidden = {
  checks: [
    {
      name: 'ten times as much noise, and densities that are tiny',
      sameForAll: true,
      async run({ call, rng }) {
        await checkNoise(call, contrastOf(rng.fork('ten'), 4, 40, { logZ: 5 }));
        await checkNoise(call, contrastOf(rng.fork('tiny'), 5, 5, { scale: 200, logZ: 0.5 }));
        await checkNoise(call, contrastOf(rng.fork('less'), 10, 4, { logZ: -2 }));
      },
    },
  ],
  mistakes: [
    {
      name: 'ln ν forgotten',
      source: 'common: the loss for ν = 1 used with more noise, which puts ν into Z',
      replace: '.sub(Math.log(ratio))',
      by: '',
    },
    {
      name: 'ln Z added',
      source: 'Gutmann and Hyvärinen’s c is −ln Z: code and paper differ in its sign',
      replace: 'model.sub(logZ)',
      by: 'model.add(logZ)',
    },
    {
      name: 'noise counted once',
      source: 'common: two means added, whatever ν is',
      replace: '.mul(ratio)',
      by: '',
    },
    {
      name: 'no density of the noise',
      source: 'common: a plain classifier, whose logit then is ln p − ln q and no energy',
      replace: '.sub(noise)',
      by: '',
    },
  ],
}; // prettier-ignore

export const temperature: Hidden = {
  checks: [
    {
      name: 'settings of other codes, and hills that are alike',
      async run({ call }) {
        await checkTemperature(call, 1.2, 10, 0.005);
        await checkTemperature(call, 4, 0.5, 1);
        await checkTemperature(call, 1, 0.3, 0.1);
        await checkTemperature(call, 7, 0.02, 0.35);
      },
    },
  ],
  mistakes: [
    {
      name: 'T is 1',
      source: 'code that says it samples from p, with a step of 10 and noise of 0.005 (phlippe/uvadlc_notebooks, tutorial 8)',
      replace: 'sigma ** 2 / (2 * alpha)',
      by: '1',
    },
    {
      name: 'noise of variance α',
      source: 'common: √α for √(2α)',
      replace: '(2 * alpha)',
      by: 'alpha',
    },
    {
      name: 'hot for cold',
      source: 'common: p^T for p^(1/T)',
      replace: 'Math.log(ratio) / T',
      by: 'Math.log(ratio) * T',
    },
  ],
}; // prettier-ignore

export const refresh: Hidden = {
  checks: [
    {
      name: 'other shares, longer chains',
      sameForAll: true,
      async run({ call, rng }) {
        await checkRefresh(call, chainsOf(rng.fork('long'), [12, 8, 2], 0.06, 0.5));
        await checkRefresh(call, chainsOf(rng.fork('none'), [3, 10, 5], 0.02, 0));
        await checkRefresh(call, chainsOf(rng.fork('all'), [2, 4, 1], 0.1, 1));
      },
    },
  ],
  mistakes: [
    {
      name: 'never refreshed',
      source: 'the plan’s list of known bugs; Du and Mordatch (2019) restart 5 % of the chains at every step',
      replace: 'tf.where(chains.u.less(restart).expandDims(1), chains.fresh, chains.buffer)',
      by: 'chains.buffer',
    },
    {
      name: 'uphill',
      source: 'phlippe/uvadlc_notebooks#60: E against −E',
      replace: 'x.sub(slope.mul(eta))',
      by: 'x.add(slope.mul(eta))',
    },
    {
      name: 'a step without its root',
      source: 'intro_dgm’s energy-based model: a step of 1, noise of 0.01',
      replace: 'Math.sqrt(2 * eta)',
      by: 'eta',
    },
    {
      name: 'one noise for all steps',
      source: 'common: the noise drawn before the loop',
      replace: 'tf.gather(chains.noise, k)',
      by: 'tf.gather(chains.noise, 0)',
    },
  ],
}; // prettier-ignore
