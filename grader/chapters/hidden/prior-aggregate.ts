/** Chapter 9, for graders: the KL taken apart, and what a better prior gains. */
import * as tf from '@tensorflow/tfjs';
import { checkApart, checkGain, codesArgs, codesOf, partsOf } from '../checks/prior-aggregate';
import { expectClose, expectFields } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';

const MEANS = 'logMeanExp(pairs, 1)';

export const apart: Hidden = {
  checks: [
    {
      name: 'as many latents as a digit’s code has, and posteriors that hardly touch',
      sameForAll: true,
      async run({ call, rng }) {
        await checkApart(call, codesOf(rng.fork('many'), 40, 16), 'q(z) = (1/N) Σ q(z | x_m)');
        await checkApart(call, codesOf(rng.fork('far'), 6, 2, 12), 'each tells ln N, or nearly');
      },
    },
    {
      name: 'every example twice in the data set: nothing changes',
      sameForAll: true,
      async run({ call, rng }) {
        const codes = codesOf(rng, 4, 2);
        const twice = { mu: [...codes.mu, ...codes.mu], logVar: [...codes.logVar, ...codes.logVar], z: [...codes.z, ...codes.z], logPrior: [...codes.logPrior, ...codes.logPrior] }; // prettier-ignore
        const got = expectFields(await call(...codesArgs(twice)), ['information', 'mismatch']);
        const once = partsOf(codes);
        for (const field of ['information', 'mismatch'] as const)
          expectClose(got[field], tf.tensor1d([...once[field], ...once[field]]), { what: `the ${field}`, rtol: 1e-4, atol: 1e-3 }); // prettier-ignore
      },
    },
  ],
  mistakes: [
    {
      name: 'averaged in logarithms',
      source: 'common: a mean over a batch of ln q(z | x_m), which code that has log-densities takes by habit',
      replace: MEANS,
      by: 'pairs.mean(1)',
    },
    {
      name: 'a sum over the data set',
      source: 'common: log-sum-exp for log-mean-exp; then the aggregate posterior has the mass N',
      replace: MEANS,
      by: 'tf.logSumExp(pairs, 1)',
    },
    {
      name: 'the wrong axis',
      source: 'common: every z under one posterior, where one z under every posterior is meant',
      replace: MEANS,
      by: 'logMeanExp(pairs, 0)',
    },
    {
      name: 'log-sum-exp for each latent',
      source: 'intro_dgm’s mixture priors; and total correlation in β-TCVAE code, where it is meant',
      replace: MEANS,
      by: 'tf.addN(Array.from({ length: z.shape[1]! }, (_, l) => logMeanExp(logNormalComponents(z.slice([0, l], [-1, 1]), mu.slice([0, l], [-1, 1]), logVar.slice([0, l], [-1, 1])), 1)))',
    },
    {
      name: 'the deviation for the variance',
      source: 'intro_dgm’s priors take exp(logVar) for the deviation',
      replace: 'logNormalComponents(z, mu, logVar)',
      by: 'logNormalComponents(z, mu, logVar.mul(2))',
    },
    {
      name: 'the sign of the mismatch',
      source: 'common: KL[p ‖ q] written where KL[q ‖ p] is meant',
      replace: 'aggregate.sub(logPrior)',
      by: 'logPrior.sub(aggregate)',
    },
  ],
}; // prettier-ignore

export const gain: Hidden = {
  checks: [
    {
      name: 'codes of several sizes, and one in the middle of another',
      async run({ call }) {
        const codes: readonly (readonly [readonly (readonly number[])[], number])[] = [
          [[[0, 1, 2], [1], [2, 3]], 5],
          [[[4], [4], [0, 1]], 8],
          [[[0, 1, 2, 3, 4, 5]], 6],
          [[[2], [0, 2], [0], [1, 2, 3]], 4],
        ];
        for (const [each, cells] of codes) await checkGain(call, each, cells, 'the best prior is the aggregate posterior');
      },
    },
  ],
  mistakes: [
    {
      name: 'the whole KL is gained',
      source: 'the hope that a flexible prior makes codes free: Hoffman and Johnson (2016) show which part it can reach',
      replace: 'gain: Math.log(cells) - entropy',
      by: 'gain: Math.log(cells) - noise',
    },
    {
      name: 'every code tells ln N',
      source: 'common: the upper bound of the mutual information for the information',
      replace: 'left: entropy - noise',
      by: 'left: Math.log(codes.length)',
    },
    {
      name: 'a code counts by its size',
      source: 'common: places counted over all codes, where each example has the same share',
      replace: '1 / (codes.length * places.length)',
      by: '1 / codes.flat().length',
    },
    { name: 'bits', source: 'common: log2', replace: 'Math.log(places.length)', by: 'Math.log2(places.length)' },
  ],
}; // prettier-ignore
