/** Chapter 15, for graders: the best critic, losses, slopes, distances. */
import * as tf from '@tensorflow/tfjs';
import { expectClose, expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';
import { checkApart, checkLosses, checkOptimum, checkSlopes, numbersOf } from '../checks/gan-games';

export const optimum: Hidden = {
  checks: [
    {
      name: 'more values, and none in common',
      async run({ call }) {
        await checkOptimum(call, [0.1, 0.2, 0.3, 0.15, 0.25], [0.3, 0.05, 0.25, 0.3, 0.1]);
        await checkOptimum(call, [0.2, 0.8, 0, 0], [0, 0, 0.4, 0.6]);
      },
    },
    {
      name: 'data and samples changed about: the same value',
      law: true,
      async run({ call }) {
        const [p, q] = [[0.55, 0.15, 0.3], [0.1, 0.7, 0.2]] as const; // prettier-ignore
        const valueOf = async (a: readonly number[], b: readonly number[]) => expectNumber(expectFields(await call([...a], [...b]), ['value'])['value']); // prettier-ignore
        expectClose(await valueOf(p, q), await valueOf(q, p), { what: 'the value', rtol: 1e-5 });
      },
    },
  ],
  mistakes: [
    {
      name: 'the ratio',
      source: 'common: the density ratio p / q, which a classifier’s odds estimate, for its probability',
      replace: 'v / (v + q[i]!)',
      by: 'v / q[i]!',
    },
    {
      name: 'labels the wrong way round',
      source: 'ganhacks (Chintala et al., 2016) advises flipped labels in training; formulas are then copied without',
      replace: 'v / (v + q[i]!)',
      by: 'q[i]! / (v + q[i]!)',
    },
    {
      name: '0 ln 0',
      source: 'common: NaN where a value never occurs',
      replace: 'weight === 0 ? 0 : ',
      by: '',
    },
    {
      name: 'the divergence without its constant',
      source: 'common: “the generator minimises the JSD”, with ln 4 left out',
      replace: 'part(v, D[i]!) + part(q[i]!, 1 - D[i]!)',
      by: 'part(v, 2 * D[i]!) + part(q[i]!, 2 - 2 * D[i]!)',
    },
  ],
};

export const slopes: Hidden = {
  checks: [
    {
      name: 'critics of every degree of certainty',
      async run({ call }) {
        for (const f of [-25, -5, -1, 0.5, 2, 12]) await checkSlopes(call, f);
      },
    },
  ],
  mistakes: [
    {
      name: 'changed about',
      source: 'common: which of the two is called saturating',
      replace: '{ saturating: -sure, nonSaturating: sure - 1 }',
      by: '{ saturating: sure - 1, nonSaturating: -sure }',
    },
    {
      name: 'the sign',
      source: 'common: the slope of what is maximised',
      replace: '-sure, nonSaturating: sure - 1',
      by: 'sure, nonSaturating: 1 - sure',
    },
    {
      name: 'the slope of D',
      source: 'common: σ′ without the logarithm’s 1 / σ',
      replace: 'saturating: -sure,',
      by: 'saturating: -sure * (1 - sure),',
    },
  ],
};

export const losses: Hidden = {
  checks: [
    {
      name: 'a larger batch, and numbers of every size',
      sameForAll: true,
      async run({ call, rng }) {
        await checkLosses(call, numbersOf(rng.fork('small'), 9, 0.3));
        await checkLosses(call, numbersOf(rng.fork('large'), 16, 60));
      },
    },
    {
      name: 'a critic that cannot tell costs ln 4, and a generator that it meets ln 2',
      law: true,
      async run({ call }) {
        const got = expectFields(await call(tf.zeros([4]), tf.zeros([4])), ['critic', 'generator']);
        expectClose(expectTensor(got['critic'], { shape: [] }).dataSync()[0]!, Math.log(4), {
          what: 'the critic’s loss',
        });
        expectClose(expectTensor(got['generator'], { shape: [] }).dataSync()[0]!, Math.LN2, { what: 'the generator’s loss' }); // prettier-ignore
      },
    },
  ],
  mistakes: [
    {
      name: 'the saturated loss',
      source: 'intro_dgm’s GAN notebook trains with ln(1 − D); Goodfellow et al. (2014) advise against it',
      replace: 'fake.neg().softplus().mean()',
      by: 'fake.softplus().mean().neg()',
    },
    {
      name: 'σ before logits',
      source: 'torchgan/torchgan, issue 116: a loss that takes logits invites a sigmoid at the network’s end',
      replace: 'real.neg().softplus().mean()',
      by: 'real.sigmoid().neg().softplus().mean()',
    },
    {
      name: 'the logarithm of what has rounded to 0',
      source: 'soumith/ganhacks, issue 36: a sigmoid and the logarithm of it, and the critic’s loss is 0',
      replace: 'fake.softplus().mean())',
      by: 'tf.sub(1, fake.sigmoid()).log().neg().mean())',
    },
    {
      name: 'labels the wrong way round',
      source: 'common: data 0 and samples 1 in one loss, and the other way round in the other',
      replace: 'real.neg().softplus().mean().add(fake.softplus().mean())',
      by: 'real.softplus().mean().add(fake.neg().softplus().mean())',
    },
  ],
};

export const apart: Hidden = {
  checks: [
    {
      name: 'far, near, and just touching',
      async run({ call }) {
        for (const theta of [0.1, 0.9, 1, -1, 10, -0.75]) await checkApart(call, theta);
      },
    },
  ],
  mistakes: [
    {
      name: 'ln 2 from the start',
      source: 'Arjovsky, Chintala and Bottou (2017), example 1, whose lines have no width: there it jumps',
      replace: 'Math.min(1, way) * Math.LN2',
      by: '(way > 0 ? 1 : 0) * Math.LN2',
    },
    {
      name: 'it grows on',
      source: 'common: a divergence taken for a distance',
      replace: 'Math.min(1, way) * Math.LN2',
      by: 'way * Math.LN2',
    },
    {
      name: 'the sign',
      source: 'common: θ for |θ|',
      replace: 'Math.abs(theta)',
      by: 'theta',
    },
    {
      name: 'W₂²',
      source: 'common: the mean square of the way',
      replace: 'w1: way',
      by: 'w1: way ** 2',
    },
  ],
};
