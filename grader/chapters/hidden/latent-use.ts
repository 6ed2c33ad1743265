/** Chapter 8, for graders: what is left for z to say, and free bits. */
import { checkPattern, checkRise } from '../checks/latent-use';
import type { Hidden } from '../../exercise/exercise';

export const patternNats: Hidden = {
  checks: [
    {
      name: 'longer patterns, and letters that are not neighbours',
      async run({ call }) {
        for (const [pattern, values] of [
          ['abcabd', 2],
          ['xyzzy', 3],
          ['q', 5],
          ['aaaa', 6],
        ] as const)
          for (const sees of ['nothing', 'all before'] as const) await checkPattern(call, pattern, values, sees);
      },
    },
  ],
  mistakes: [
    {
      name: 'all letters have to be said',
      source: 'common: the entropy, where only what is shared has to go through z',
      replace: 'pattern.split(letter).length > 2',
      by: 'pattern.split(letter).length > 1',
    },
    {
      name: 'a code for a decoder that needs none',
      source: 'the hope that a stronger decoder uses the code as well (Chen et al., 2017, show why not)',
      replace: 'kl: 0',
      by: 'kl: letters.filter((letter) => pattern.split(letter).length > 2).length * each',
    },
    {
      name: 'what is saved for what is said',
      source: 'common: the total correlation, pixels less letters',
      replace: 'shared.length * each',
      by: '(pattern.length - letters.length) * each',
    },
    { name: 'bits', source: 'common: log2', replace: 'Math.log(values)', by: 'Math.log2(values)' },
  ],
};

export const freeBits: Hidden = {
  checks: [
    {
      name: 'larger batches; nothing free is the mean KL',
      async run({ call }) {
        const from = [[0.2, 3, 0.9, 0], [0.4, 1, 2.5, 0], [0.1, 2, 1.1, 0.3], [0.9, 0.5, 3, 0.1]]; // prettier-ignore
        const to = [[0.3, 3.5, 0.8, 0.2], [0.2, 1.5, 2, 0.1], [0.6, 2, 1.6, 0], [0.5, 0.25, 4, 0.4]]; // prettier-ignore
        for (const free of [1, 0.45, 0]) await checkRise(call, from, to, free, 'each coordinate has its own');
      },
    },
    {
      name: 'an example far above, while the batch is below',
      async run({ call }) {
        await checkRise(call, [[4, 2], [0, 0], [0, 0], [0, 0]], [[7, 2], [0, 1], [0, 0.5], [0, 0]], 2, 'the mean comes first'); // prettier-ignore
        await checkRise(call, [[12, 2], [0, 0], [0, 0], [0, 0]], [[14, 2], [0, 1], [0, 0.5], [0, 0]], 2, 'the mean of one is above'); // prettier-ignore
      },
    },
  ],
  mistakes: [
    {
      name: 'free bits after the mean over everything',
      source: 'weipu-zhang/STORM #12, danijar/dreamer #44, #56: one threshold for the whole mean, which one coordinate uses up',
      replace: 'kl.mean(0).maximum(free).sum()',
      by: 'kl.sum(1).mean().maximum(free)',
    },
    {
      name: 'before the mean over the batch',
      source: 'the other reading: then no example may say more where others say less',
      replace: 'kl.mean(0).maximum(free).sum()',
      by: 'kl.maximum(free).mean(0).sum()',
    },
    {
      name: 'the clamp the wrong way round',
      source: 'common: clamp(max) for clamp(min), and the KL can grow for nothing',
      replace: 'maximum(free)',
      by: 'minimum(free)',
    },
    {
      name: 'the mean over the coordinates',
      source: 'CAREamics #277: KL rescaled before it is compared with the threshold',
      replace: '.sum()',
      by: '.mean()',
    },
    { name: 'nothing is free', source: 'common: the parameter forgotten', replace: '.maximum(free)', by: '' },
  ],
}; // prettier-ignore
