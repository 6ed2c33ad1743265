/** Chapter 13, for graders: typicality, and the bound with three latents. */
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';
import { normal, vector } from '../checks/common';
import { checkBound, checkTypical, partsOf } from '../checks/hybrid-latents';
import * as tf from '@tensorflow/tfjs';

export const typical: Hidden = {
  checks: [
    {
      name: 'held-out images with a long tail, and one alone',
      async run({ call, rng }) {
        const held = vector(normal(rng, 'held', [41])).map((v) => -Math.exp(v));
        await checkTypical(call, [-8, -1.01, -0.02, 1, -0.7], held);
        await checkTypical(call, [0, -1, 1], [0]);
      },
    },
    {
      name: 'of the held-out images themselves, about a share α has typicality α or less',
      law: true,
      async run({ call }) {
        const held = tf.range(0, 40).mul(0.5).sub(30);
        const got = vector(expectTensor(await call(held, held), { shape: [40] }));
        for (const alpha of [0.1, 0.3, 0.6])
          expectClose(got.filter((v) => v <= alpha + 1e-6).length / 40, alpha, { what: `the share at most ${alpha}`, atol: 1e-6 }); // prettier-ignore
      },
    },
  ],
  mistakes: [
    {
      name: 'one side',
      source: 'Nalisnick et al. (2019): what is more probable than the data passes such a test',
      replace: 'below.minimum(above).mul(2).minimum(1)',
      by: 'below',
    },
    {
      name: 'not twice',
      source: 'common: a p-value of two sides from one of them',
      replace: 'below.minimum(above).mul(2).minimum(1)',
      by: 'below.minimum(above)',
    },
    {
      name: 'more than 1',
      source: 'common: twice the smaller share may be above 1 where values are equal',
      replace: 'below.minimum(above).mul(2).minimum(1)',
      by: 'below.minimum(above).mul(2)',
    },
    {
      name: 'equal ones on one side',
      source: 'common: < for ≤',
      replace: 'other.lessEqual(own)',
      by: 'other.less(own)',
    },
  ],
}; // prettier-ignore

export const bound: Hidden = {
  checks: [
    {
      name: 'other sizes, a heavy classifier and none',
      async run({ call, rng }) {
        await checkBound(call, partsOf(rng.fork('a'), 3, [3, 3, 1], 100));
        await checkBound(call, partsOf(rng.fork('b'), 4, [1, 2, 5], 0));
      },
    },
    {
      name: 'where q is the prior, nothing is taken off',
      async run({ call, rng }) {
        const parts = partsOf(rng, 3, [2, 4, 1], 5);
        await checkBound(call, { ...parts, q: parts.p });
      },
    },
  ],
  mistakes: [
    {
      name: 'KL the other way round',
      source: 'mkusner/grammarVAE#2 and others: the divergence’s sides',
      replace: 'divergence(own, p[i]!)',
      by: 'divergence(p[i]!, own)',
    },
    {
      name: 'the prior’s mean left out',
      source: 'common: the KL from N(0, I), pasted where priors are learnt',
      replace: 'to.mu.sub(from.mu)',
      by: 'to.mu',
    },
    {
      name: 'the classifiers in the bound',
      source: 'common: the training loss is reported as an ELBO, as in AMLab-Amsterdam/DIVA’s printed losses',
      replace: 'return { bound,',
      by: 'return { bound: bound.add(classifiers.mul(weight)),',
    },
    {
      name: 'without ½',
      source: 'common',
      replace: '.mul(0.5)',
      by: '',
    },
  ],
}; // prettier-ignore
