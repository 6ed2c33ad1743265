/** Chapter 9, for graders: reflections, and inverse autoregressive steps. */
import { checkReflections, checkSteps, stepsOf } from '../checks/posterior-flows';
import { smallestFirst } from '../checks/common';
import type { Hidden } from '../../exercise/exercise';

export const reflections: Hidden = {
  checks: [
    {
      name: 'other numbers of latents and of observed numbers',
      async run({ call }) {
        for (const [latents, observed] of [[5, 2], [3, 7], [2, 1], [1, 1], [16, 15], [16, 16], [40, 6]] as const)
          await checkReflections(call, latents, observed, 'one for each special direction, L − 1 at most');
      },
    },
  ],
  mistakes: [
    {
      name: 'always L − 1',
      source: 'Tomczak and Welling (2016): any rotation is a product of at most as many; a posterior may need fewer',
      replace: 'Math.min(observed, latents - 1)',
      by: 'latents - 1',
    },
    {
      name: 'one for each direction, the last one, too',
      source: 'common: the last axis is what is left by the others',
      replace: 'Math.min(observed, latents - 1)',
      by: 'Math.min(observed, latents)',
    },
    {
      name: 'as many as there are angles',
      source: 'common: parameters of a rotation counted, where a reflection has L − 1 of them',
      replace: 'Math.min(observed, latents - 1)',
      by: '(latents * (latents - 1)) / 2',
    },
    {
      name: 'as many as numbers observed',
      source: 'common: in a world of fewer latents than that there are not so many directions',
      replace: 'Math.min(observed, latents - 1)',
      by: 'observed',
    },
  ],
}; // prettier-ignore

export const autoregressive: Hidden = {
  checks: [
    {
      name: 'no step, many steps, many latents',
      sameForAll: true,
      async run({ call, rng }) {
        for (const sizes of smallestFirst([[2, 3, 1], [3, 8, 6], [5, 16, 2]] as const))
          await checkSteps(call, stepsOf(rng.fork(sizes.join()), sizes), 'each step begins where the one before ended');
        await checkSteps(call, stepsOf(rng.fork('none'), [2, 4, 0]), 'without steps nothing changes');
      },
    },
  ],
  mistakes: [
    {
      name: 'scale and mean exchanged',
      source: 'openai/iaf and its ports have the halves in either order; taken in the wrong one, the sampler is still smooth, and wrong',
      replace: 'const [m, s] =',
      by: 'const [s, m] =',
    },
    {
      name: 'the sign of the log-determinant',
      source: 'common: ln |dz/dε| added to ln q, where draws go on by this map: the bound then has no upper end',
      replace: 'logDensity.sub(',
      by: 'logDensity.add(',
    },
    {
      name: 'the log-determinant counted L times',
      source: 'intro_dgm’s flow prior: ln |det| is added to every latent before the sum',
      replace: 'tf.logSigmoid(s).sum(1)',
      by: 'tf.logSigmoid(s).sum(1).mul(z.shape[1]!)',
    },
    {
      name: 'the mean over the latents',
      source: 'common: mean for sum, as torch’s reductions have it by default',
      replace: 'tf.logSigmoid(s).sum(1)',
      by: 'tf.logSigmoid(s).mean(1)',
    },
    {
      name: 'a shift that is not gated',
      source: 'two parametrisations mixed: σ z + μ, and σ z + (1 − σ) m (Kingma et al., 2016, equations 13 and 14)',
      replace: 'tf.sub(1, gate).mul(m)',
      by: 'm',
    },
    {
      name: 'the order is never turned round',
      source: 'common: then the first latent stays a mixture of itself and a constant, however many steps there are',
      replace: '.reverse(1)',
      by: '',
    },
    {
      name: 'the gate for its logarithm',
      source: 'common: ln forgotten',
      replace: 'tf.logSigmoid(s).sum(1)',
      by: 'gate.sum(1)',
    },
  ],
}; // prettier-ignore
