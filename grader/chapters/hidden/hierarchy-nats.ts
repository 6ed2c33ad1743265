/** Chapter 10, for graders: nats by level. */
import { checkNats, checkRise, checkSharing } from '../checks/hierarchy-nats';
import type { Hidden } from '../../exercise/exercise';

export const levelNats: Hidden = {
  checks: [
    {
      name: 'other worlds, both ways',
      async run({ call }) {
        for (const [a, w, sigma] of [
          [0.3, 2, 0.7],
          [0.99, 0.4, 2],
          [0.75, 5, 0.2],
          [-0.5, 1.5, 1.2],
        ] as const)
          for (const order of ['top-down', 'bottom-up'] as const) await checkNats(call, a, w, sigma, order);
      },
    },
  ],
  mistakes: [
    {
      name: 'the same either way',
      source: 'common: the KL of the top taken for a property of the model alone',
      replace: "order === 'top-down'",
      by: "order === 'top-down' || order === 'bottom-up'",
    },
    {
      name: 'all that is below is the level below’s',
      source: 'common: its KL from N(0, 1), and not from the prior given the top',
      replace: 'together - top',
      by: 'together',
    },
    {
      name: 'no KL below 0',
      source: 'RuiShu/one-bit-vae #1: a negative term taken for a bug',
      replace: 'together - top',
      by: 'Math.max(0, together - top)',
    },
    { name: 'σ for σ²', source: 'common', replace: 'const noise = sigma ** 2', by: 'const noise = sigma' },
    {
      name: 'the way through z₂ forgotten',
      source: 'common: x as if z₁ were added to it',
      replace: '(1 - a ** 2) * w ** 2 + noise',
      by: 'w ** 2 + noise - a ** 2',
    },
  ],
}; // prettier-ignore

export const price: Hidden = {
  checks: [
    {
      name: 'three levels, larger batches; nothing free is the mean KL',
      async run({ call }) {
        const from = [[[2, 1], [0.5, 0.5]], [[0.1, 0.3], [0.2, 0.1]], [[1, 1.5], [1, 1]]]; // prettier-ignore
        const to = [[[2.5, 1], [0.75, 1]], [[0.2, 0.1], [0.4, 0.2]], [[1, 2], [1.5, 1.25]]]; // prettier-ignore
        for (const free of [1, 0.3, 0]) await checkRise(call, from, to, free, 'each level has its own');
      },
    },
    {
      name: 'levels of different width, and an example far above while its level is below',
      async run({ call }) {
        await checkRise(call, [[[9], [0], [0], [0]], [[1, 1, 1], [2, 0, 1], [1, 1, 0], [2, 2, 2]]], [[[11], [0], [0], [0]], [[1, 2, 1], [2, 1, 1], [1, 1, 0], [2, 2, 3]]], 3, 'the mean over the batch comes first');
        await checkRise(call, [[[1, 1, 1, 1]], [[0.5]]], [[[1, 1, 1, 1.5]], [[1.5]]], 3, 'the sum over the coordinates comes first');
      },
    },
  ],
  mistakes: [
    {
      name: 'free bits after the mean over everything',
      source: 'weipu-zhang/STORM #12, danijar/dreamer #44, #56: one threshold for the sum, which one level uses up',
      replace: 'tf.addN(kl.map((level) => level.sum(1).mean().maximum(free)))',
      by: 'tf.addN(kl.map((level) => level.sum(1).mean())).maximum(free)',
    },
    {
      name: 'example by example',
      source: 'the other reading: then no example may say more where others say less',
      replace: 'level.sum(1).mean().maximum(free)',
      by: 'level.sum(1).maximum(free).mean()',
    },
    {
      name: 'coordinate by coordinate',
      source: 'chapter 8’s price, in a place where a level is the group',
      replace: 'level.sum(1).mean().maximum(free)',
      by: 'level.mean(0).maximum(free).sum()',
    },
    {
      name: 'the KL rescaled before the threshold',
      source: 'CAREamics #277: mean over coordinates first, so that every level is below',
      replace: 'level.sum(1).mean()',
      by: 'level.mean()',
    },
    { name: 'the clamp the wrong way round', source: 'common: clamp(max) for clamp(min)', replace: 'maximum(free)', by: 'minimum(free)' },
  ],
}; // prettier-ignore

export const sharing: Hidden = {
  checks: [
    {
      name: 'other numbers of levels and nats, and just enough',
      async run({ call }) {
        for (const [total, levels, free] of [
          [7, 3, 1],
          [9, 3, 3],
          [1, 2, 2.5],
          [5, 4, 2],
          [0.5, 5, 0],
          [8, 2, 7],
        ] as const)
          await checkSharing(call, total, levels, free);
      },
    },
  ],
  mistakes: [
    {
      name: 'free means free',
      source: 'common: free nats taken off the price',
      replace: 'extra: -spare',
      by: 'extra: 0',
    },
    {
      name: 'a collapsed level is as good',
      source: 'common: nothing is gained by free bits in the bound, so nothing is thought to change',
      replace: 'least: free,',
      by: 'least: 0,',
    },
    {
      name: 'one level may have all',
      source: 'common: the others’ share forgotten',
      replace: 'most: total - others',
      by: 'most: total',
    },
    {
      name: 'less than nothing',
      source: 'common: no KL is below 0',
      replace: 'Math.max(0, total - others)',
      by: 'total - others',
    },
    {
      name: 'more than there is',
      source: 'common: λ where all that there is is less',
      replace: 'Math.min(free, total)',
      by: 'free',
    },
  ],
};
