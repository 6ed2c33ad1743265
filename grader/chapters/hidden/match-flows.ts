/** Chapter 12, for graders: three views, single steps, and the likelihood of a flow. */
import { expectClose, expectFields, expectTensor } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';
import * as tf from '@tensorflow/tfjs';
import { matrixTensor } from '../checks/common';
import { checkPaths, checkViews, seenOf } from '../checks/match-flows';
import { checkLikelihood, flowInput } from '../checks/match-likelihood';

export const views: Hidden = {
  checks: [
    {
      name: 'times close to both ends, and as many coordinates as a digit has',
      async run({ call, rng }) {
        await checkViews(call, seenOf(rng.fork('ends'), 3, 2, [0.05, 0.98, 0.5]));
        await checkViews(call, seenOf(rng.fork('digit'), 2, 64, [0.3, 0.7]));
      },
    },
    {
      name: 'noise and data make z again',
      law: true,
      async run({ call, rng }) {
        const { z, score, t } = seenOf(rng, 4, 3, [0.2, 0.4, 0.6, 0.8]);
        const fields = expectFields(await call(matrixTensor(z), matrixTensor(score), tf.tensor1d([...t])), ['noise', 'data']);
        const [noise, data] = [fields.noise, fields.data].map((value) => expectTensor(value, { shape: [4, 3] })) as [tf.Tensor, tf.Tensor];
        const column = tf.tensor2d(t.map((v) => [v]));
        expectClose(noise.mul(tf.sub(1, column)).add(data.mul(column)), matrixTensor(z), { what: '(1 − t) noise + t data', rtol: 1e-3, atol: 1e-3 });
      },
    },
  ],
  mistakes: [
    {
      name: 'the sign of the noise',
      source: 'common: ε = +σ s, by which guidance and samplers push the wrong way',
      replace: 'score.mul(rest).neg()',
      by: 'score.mul(rest)',
    },
    {
      name: 'time the other way',
      source: 'papers disagree: t = 1 is data in Lipman et al. (2023), noise in Liu, Gong and Liu’s code and in Geng et al. (2025)',
      replace: 'const rest = tf.sub(1, column);',
      by: 'const rest = column;',
    },
    {
      name: 'noise in full',
      source: 'common: z − ε for z − (1 − t) ε',
      replace: 'z.sub(noise.mul(rest))',
      by: 'z.sub(noise)',
    },
    {
      name: 'from data to noise',
      source: 'Geng et al. (2025) have ε − x, for time that runs the other way',
      replace: 'data.sub(noise)',
      by: 'noise.sub(data)',
    },
  ],
}; // prettier-ignore

export const paths: Hidden = {
  checks: [
    {
      name: 'narrow data, wide data, and data that are like the noise',
      async run({ call }) {
        for (const [m, s] of [[0, 1], [2, 0.1], [-4, 3], [0.5, 1.5]] as const)
          for (const pairing of ['transport', 'independent'] as const) await checkPaths(call, m, s, pairing);
      },
    },
  ],
  mistakes: [
    {
      name: 'one step is a sample',
      source: 'the hope that straight paths make straight flows: only pairs that do not cross do (Liu, Gong and Liu, 2023)',
      replace: 'sigma: 0',
      by: 'sigma: s',
    },
    {
      name: 'the noise stays',
      source: 'common: x + ε for where z + x − ε leads',
      replace: 'sigma: 0',
      by: 'sigma: 1',
    },
    {
      name: 'pairs at random are as long as in order',
      source: 'common: the distance of the distributions for the length of the paths',
      replace: 'm ** 2 + s ** 2 + 1',
      by: 'm ** 2 + (1 - s) ** 2',
    },
    {
      name: 'the mean is forgotten',
      source: 'common: variances alone',
      replace: 'm ** 2 + (1 - s) ** 2',
      by: '(1 - s) ** 2',
    },
  ],
}; // prettier-ignore

export const likelihood: Hidden = {
  checks: [
    {
      name: 'more coordinates, more steps',
      sameForAll: true,
      async run({ call, rng }) {
        await checkLikelihood(call, flowInput(rng.fork('wide'), 2, 6, 8));
        await checkLikelihood(call, flowInput(rng.fork('long'), 4, 3, 20));
      },
    },
  ],
  mistakes: [
    {
      name: 'an estimate of mean zero',
      source: 'intro_dgm’s flow matching: the gradient of the summed velocity times a random vector',
      replace: '(at) => velocity(at, t))(z, e)',
      by: '(at) => velocity(at, t))(z, tf.onesLike(e))',
    },
    {
      name: 'the last step alone',
      source: 'intro_dgm’s flow matching: the trace is overwritten in the loop, not added up',
      replace: 'total.add(stretch.mul(h))',
      by: 'stretch.mul(h)',
    },
    {
      name: 'no time',
      source: 'intro_dgm’s flow matching: the embedding of t is left out where the likelihood is evaluated',
      replace: '1 - k * h',
      by: '0',
    },
    {
      name: 'time runs backwards',
      source: 'intro_dgm’s flow matching: x moves forwards while t runs back',
      replace: 'z.sub(velocity(z, t).mul(h))',
      by: 'z.add(velocity(z, t).mul(h))',
    },
    {
      name: 'the sign of the divergence',
      source: 'facebookresearch/flow_matching, issue 49, and common: a plus where the path is followed backwards',
      replace: '.sub(total)',
      by: '.add(total)',
    },
  ],
}; // prettier-ignore
