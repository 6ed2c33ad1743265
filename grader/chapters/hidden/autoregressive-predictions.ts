/** Chapter 5, for graders: how far a stack hears, all places at once, and what cooling does to a choice of futures. */
import { calmNoise, checkCold, checkPasses, checkReach } from '../checks/autoregressive-predictions';
import type { Hidden } from '../../exercise/exercise';

export const stepsBack: Hidden = {
  checks: [
    {
      name: 'no layer at all, ten of them, and seven taps',
      async run({ call }) {
        await checkReach(call, 3, [], 'the value before: the sequence was moved');
        await checkReach(call, 2, Array.from({ length: 10 }, (_, i) => 2 ** i), '1024 steps'); // prettier-ignore
        await checkReach(call, 7, [2, 2, 9], 'any kernel');
      },
    },
  ],
  mistakes: [
    { name: 'the move forgotten', source: 'common: off by one, as in ibab/tensorflow-wavenet’s receptive field', replace: '1 + ', by: '' },
    { name: 'K taps span K dilations', source: 'common: fence posts', replace: '(kernel - 1)', by: 'kernel' },
    { name: 'layers counted, dilations forgotten', source: 'common', replace: 'sum + dilation, 0', by: 'sum + 1 + 0 * dilation, 0' },
    { name: 'it doubles with every layer', source: 'common: WaveNet’s dilations taken for a law', replace: '(kernel - 1) * dilations', by: '(2 ** dilations.length - 1) + 0 * dilations' },
  ],
}; // prettier-ignore

export const parallel: Hidden = {
  checks: [
    {
      name: 'twenty places of six values, after 1, 7 and 20 passes',
      async run({ call }) {
        const u = calmNoise(3, 20, 6);
        for (const passes of [1, 7, 20]) await checkPasses(call, u, 6, passes, 'all places in every pass');
      },
    },
  ],
  mistakes: [
    { name: 'zeros in every pass', source: 'common: the guess is never used', replace: 'network(x)', by: 'network(tf.zerosLike(u))' },
    { name: 'as many passes as places', source: 'common: the number asked for is ignored', replace: 'pass < passes', by: 'pass < u.shape[1]!' },
    { name: 'one pass less', source: 'common: off by one', replace: 'pass < passes', by: 'pass < passes - 1' },
    { name: 'the likeliest value', source: 'common: greedy passes find one mode, whatever u is', replace: 'const drawn = passed', by: 'const drawn = p.argMax(2).expandDims(2)' },
    { name: 'one place a pass', source: 'common: that is drawing in order, as slow as before', replace: 'x = drawn', by: 'x = tf.where(tf.range(0, u.shape[1]!).equal(pass), drawn, x)' },
  ],
}; // prettier-ignore

export const coldChoice: Hidden = {
  checks: [
    {
      name: 'a thousand futures against one, and equal numbers of them',
      async run({ call }) {
        for (const [p, futures, tau] of [[0.99, [1000, 1], 0.5], [0.3, [7, 7], 0.1], [0.5, [2, 9], 1.7]] as const)
          for (const cooled of ['joint', 'factors'] as const) await checkCold(call, [p, futures, tau], cooled, 'any numbers');
      },
    },
  ],
  mistakes: [
    { name: 'the joint cooled as the factors are', source: 'common: temperature taken for p^(1/τ) / Z', replace: "cooled === 'joint' ? futures : [1, 1]", by: '[1, 1]' },
    { name: 'futures counted before cooling', source: 'common: the sum and the power exchanged', replace: 'n * (v / n) **', by: '(n * (v / n)) **' },
    { name: 'the power τ', source: 'common: hot for cold', replace: '** (1 / tau)', by: '** tau' },
    { name: 'not normalised', source: 'common: weights for probabilities', replace: 'a! / (a! + b!)', by: 'a!' },
  ],
}; // prettier-ignore
