/** Chapter 9, for graders: densities of priors. */
import * as tf from '@tensorflow/tfjs';
import {
  checkFlow,
  checkTries,
  checkVamp,
  layersOf,
  pseudoOf,
  triesOf,
  vampArgs,
  vampOf,
} from '../checks/prior-densities';
import { LOG_2PI, vector } from '../checks/common';
import { expectClose, expectTensor, expectTrue } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';

const MIXED = 'logMeanExp(logNormalComponents(z, mu, logVar), 1)';

export const vamp: Hidden = {
  checks: [
    {
      name: 'as many latents and pixels as a digit has',
      sameForAll: true,
      async run({ call, rng }) {
        const sizes = { B: 5, L: 16, K: 16, D: 64 };
        await checkVamp(call, pseudoOf(rng, sizes, [0, 16]), 'p(z) = (1/K) Σ q(z | u_k)');
      },
    },
    {
      name: 'every pseudo-input twice: nothing changes',
      sameForAll: true,
      async run({ call, rng }) {
        const once = pseudoOf(rng, { B: 3, L: 2, K: 3, D: 3 }, [-2, 5]);
        const got = expectTensor(await call(...vampArgs({ ...once, free: [...once.free, ...once.free] })), { shape: [3] });
        expectClose(got, tf.tensor1d(vampOf(once)), { what: 'ln p(z)', rtol: 2e-4, atol: 2e-3 });
      },
    },
  ],
  mistakes: [
    {
      name: 'pseudo-inputs out of the data’s range',
      source: 'VampPrior ports leave them free, or begin them at N(0, 1) for data of 0 … 16: the encoder was never asked of such x',
      replace: 'share.mul(high - low).add(low)',
      by: 'free',
    },
    {
      name: 'pseudo-inputs between 0 and 1',
      source: 'vae_vampprior’s Hardtanh(0, 1), taken over for data that are not in [0, 1]',
      replace: 'share.mul(high - low).add(low)',
      by: 'share',
    },
    {
      name: 'log-sum-exp for each latent',
      source: 'intro_dgm: K × B × L is summed over K first, and then over L: a product of mixtures, from which its sampler does not draw',
      replace: MIXED,
      by: 'tf.addN(Array.from({ length: z.shape[1]! }, (_, l) => logMeanExp(logNormalComponents(z.slice([0, l], [-1, 1]), mu.slice([0, l], [-1, 1]), logVar.slice([0, l], [-1, 1])), 1)))',
    },
    {
      name: 'the deviation for the variance',
      source: 'intro_dgm’s priors: exp(logVar) for the deviation',
      replace: MIXED,
      by: 'logMeanExp(logNormalComponents(z, mu, logVar.mul(2)), 1)',
    },
    {
      name: 'no ln K',
      source: 'common: log-sum-exp for log-mean-exp',
      replace: MIXED,
      by: 'tf.logSumExp(logNormalComponents(z, mu, logVar), 1)',
    },
    {
      name: 'a mean of logarithms',
      source: 'common: the mean of log-densities, which is a lower bound, and no mixture',
      replace: MIXED,
      by: 'logNormalComponents(z, mu, logVar).mean(1)',
    },
  ],
}; // prettier-ignore

export const resampled: Hidden = {
  checks: [
    {
      name: 'sums to 1 over a grid, whatever is accepted',
      sameForAll: true,
      async run({ call }) {
        const grid = Array.from({ length: 1601 }, (_, i) => (i - 800) / 100);
        const logBase = grid.map((z) => -0.5 * (LOG_2PI + z * z));
        for (const [name, accept] of [['a bump', (z: number) => -2 * (z - 1) ** 2], ['a step', (z: number) => (z > 0 ? -0.1 : -3)]] as const) {
          const logAccept = grid.map(accept);
          const Z = grid.reduce((total, _, i) => total + Math.exp(logBase[i]! + logAccept[i]!) / 100, 0);
          for (const T of [2, 4, 30]) {
            await checkTries(call, { logBase, logAccept, Z, T }, 'each z is taken at one of T tries');
            const got = expectTensor(await call(tf.tensor1d(logBase), tf.tensor1d(logAccept), tf.scalar(Z), T), { shape: [grid.length] });
            const total = vector(got).reduce((sum, v) => sum + Math.exp(v) / 100, 0);
            expectTrue(Math.abs(total - 1) < 2e-3, `a density that integrates to 1, with ${name}`, total.toFixed(4));
          }
        }
      },
    },
    {
      name: 'other chances, other numbers of tries',
      sameForAll: true,
      async run({ call, rng }) {
        for (const [Z, T] of [[0.001, 20], [0.5, 3], [0.05, 7], [1, 4]] as const)
          await checkTries(call, triesOf(rng.fork(`${T}`), 5, Z, T), 'a sum over the tries');
      },
    },
  ],
  mistakes: [
    {
      name: 'without its Z',
      source: 'LARS code that trains ln π + ln a: no density; the bound it gives can be raised by accepting everything',
      replace: 'logAccept.exp().mul(chosen).add(forced)',
      by: 'logAccept.exp()',
    },
    {
      name: 'as if there were no last try',
      source: 'Bauer and Mnih (2019) truncate; π a / Z is the limit, and not what their sampler draws from',
      replace: 'logAccept.exp().mul(chosen).add(forced)',
      by: 'logAccept.exp().div(Z)',
    },
    {
      name: 'one try too many',
      source: 'common: off by one in the power, T for T − 1',
      replace: '.pow(T - 1)',
      by: '.pow(T)',
    },
    {
      name: 'the last proposal thrown away',
      source: 'common: the second part of the mixture forgotten',
      replace: '.add(forced)',
      by: '',
    },
    {
      name: 'the chance to be taken for the chance to be refused',
      source: 'common: Z for 1 − Z',
      replace: 'tf.sub(1, Z)',
      by: 'Z',
    },
  ],
}; // prettier-ignore

export const flow: Hidden = {
  checks: [
    {
      name: 'integrates to 1 in the plane',
      timeoutMs: 20_000, // 25,921 points
      sameForAll: true,
      async run({ call, rng }) {
        const steps = Array.from({ length: 161 }, (_, i) => (i - 80) / 8);
        const z = steps.flatMap((a) => steps.map((b) => [a, b]));
        const { layers } = layersOf(rng, [1, 2, 2]);
        const got = expectTensor(await call(tf.tensor2d(z), layers.map((layer) => layer.given)), { shape: [z.length] });
        const total = vector(got).reduce((sum, v) => sum + Math.exp(v) / 64, 0);
        expectTrue(Math.abs(total - 1) < 0.02, 'a density that integrates to 1', total.toFixed(3), 'ln |det| counts once');
        await checkFlow(call, { z: z.slice(7000, 7004), layers }, 'ln |det| counts once');
      },
    },
    {
      name: 'sixteen latents',
      sameForAll: true,
      run: ({ call, rng }) => checkFlow(call, layersOf(rng, [3, 16, 4]), 'each layer’s ln |det| counts once'),
    },
  ],
  mistakes: [
    {
      name: 'the log-determinant counted L times',
      source: 'intro_dgm’s flow prior: ln |det| is added to every latent, and then all are summed',
      replace: 'base.add(logDet)',
      by: 'base.add(logDet.mul(z.shape[1]!))',
    },
    {
      name: 'the sign of the log-determinant',
      source: 'common: the determinant of the way back',
      replace: 'base.add(logDet)',
      by: 'base.sub(logDet)',
    },
    {
      name: 'the last layer’s log-determinant alone',
      source: 'common: = for += in the loop',
      replace: 'logDet.add(step.logDet)',
      by: 'step.logDet',
    },
    {
      name: 'the base at z',
      source: 'common: the density of the base is asked where the flow begins, and not where it ends',
      replace: 'logNormal(place,',
      by: 'logNormal(z,',
    },
    {
      name: 'a mean over the latents',
      source: 'common: mean for sum',
      replace: 'base.add(logDet)',
      by: 'base.div(z.shape[1]!).add(logDet)',
    },
  ],
}; // prettier-ignore
