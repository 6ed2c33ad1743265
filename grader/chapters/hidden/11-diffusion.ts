/** Chapter 11, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import * as tf from '@tensorflow/tfjs';
import type { Hidden } from '../../exercise/exercise';
import { expectClose, expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import { matrixTensor } from '../checks/common';
import { checkCost, checkReverse, checkWeight, reverseInput } from '../checks/diffusion-gaussian';
import { checkGuidance, checkMasked, maskedInput } from '../checks/diffusion-masks';
import { shares, untrained } from './diffusion-predictions';

const reverse: Hidden = {
  checks: [
    {
      name: 'long steps and short ones, and as many coordinates as a digit has',
      async run({ call, rng }) {
        for (const [gammaT, gammaS] of [[5, -5], [0.5, 0.25], [-2, -5]] as const)
          await checkReverse(call, reverseInput(rng.fork(`${gammaS}`), 2, 5, gammaT, gammaS));
        await checkReverse(call, reverseInput(rng.fork('digit'), 2, 64, 2, -2));
      },
    },
    {
      name: 'two steps back are one: the variances add up as they must',
      law: true,
      async run({ call }) {
        const at = async (z: number, gammaT: number, gammaS: number) => {
          const got = expectFields(await call(matrixTensor([[z]]), matrixTensor([[0.3]]), gammaT, gammaS), ['mu', 'logVar'], {});
          return { mu: expectTensor(got.mu, { shape: [1, 1] }).dataSync()[0]!, variance: Math.exp(expectNumber(got.logVar)) };
        };
        const [far, near] = [await at(0.8, 3, 0), await at(0, 0, -3)];
        const slope = (await at(1, 0, -3)).mu - near.mu;
        const direct = await at(0.8, 3, -3);
        expectClose(near.mu + slope * far.mu, direct.mu, { what: 'the mean by two steps', rtol: 1e-3, atol: 1e-4 });
        expectClose(near.variance + slope ** 2 * far.variance, direct.variance, { what: 'the variance by two steps', rtol: 1e-3 });
      },
    },
  ],
  mistakes: [
    {
      name: 'the posterior of the wrong step',
      source: 'common: the indices of s and t exchanged in the coefficient of z (hojonathanho/diffusion and its ports differ by one)',
      replace: 'z.mul((kept * varS) / varT)',
      by: 'z.mul((kept * varT) / varS)',
    },
    {
      name: 'the product of all steps for one of them',
      source: 'common: ᾱ where α is meant, in ports of denoising diffusion (Ho, Jain and Abbeel, 2020)',
      replace: 'const kept = Math.sqrt(logistic(-gammaT) / logistic(-gammaS));',
      by: 'const kept = Math.sqrt(logistic(-gammaT));',
    },
    {
      name: 'the variance of the forward step',
      source: 'the paper’s other choice, β_t in place of the posterior’s variance, which the bound does not allow',
      replace: 'Math.log((added * varS) / varT)',
      by: 'Math.log(added)',
    },
    {
      name: 'x in full',
      source: 'common: α_s x̂ without the share of the new noise, which is DDIM without its direction',
      replace: '(alphaS * added) / varT',
      by: 'alphaS',
    },
  ],
}; // prettier-ignore

const cost: Hidden = {
  checks: [
    {
      name: 'uneven steps, and a step that costs nothing',
      async run({ call }) {
        await checkCost(call, [[3, 1, 0.5, 2], [1, 1, 1, 1], [0, 0, 0, 4]], [-5, -4.5, 0, 0, 3]);
        await checkCost(call, [[2, 7]], [-1, 4, 6]);
      },
    },
    {
      name: 'cutting a step in two, with the same errors, costs the same',
      law: true,
      async run({ call }) {
        const one = expectTensor(await call(matrixTensor([[1.5, 2]]), tf.tensor1d([-3, -1, 2])), { shape: [1] });
        const two = await call(matrixTensor([[1.5, 1.5, 2]]), tf.tensor1d([-3, -2, -1, 2]));
        expectClose(two, one, { what: 'the cost', rtol: 1e-4 });
      },
    },
  ],
  mistakes: [
    {
      name: 'time runs backwards',
      source: 'common: a loop from T to 1 over errors that were stored from 1 to T',
      replace: 'errors.mul(fall)',
      by: 'errors.reverse(1).mul(fall)',
    },
    {
      name: 'the schedule off by one',
      source: 'common: γ_i for γ_{i − 1}, where lists start at 0 and steps at 1',
      replace: 'snr.slice([0], [T]).sub(snr.slice([1], [T]))',
      by: 'snr.slice([1], [T]).sub(tf.concat([snr.slice([2], [T - 1]), snr.slice([T], [1])]))',
    },
    {
      name: 'the simple loss',
      source: 'Ho, Jain and Abbeel (2020) train on it; as a bound it is sold by others',
      replace: 'errors.mul(fall)',
      by: 'errors',
    },
    { name: 'no half', source: 'common: the square alone', replace: '.mul(0.5)', by: '' },
  ],
}; // prettier-ignore

const weight: Hidden = {
  checks: [
    {
      name: 'at the ends of a schedule, and in the middle',
      async run({ call }) {
        for (const gamma of [-6, -0.5, 0.9, 6])
          for (const kind of ['noise', 'velocity', 'x'] as const) await checkWeight(call, kind, gamma);
      },
    },
  ],
  mistakes: [
    {
      name: 'all targets weigh the same',
      source: 'common: one loss for all, ½ everywhere, which makes x-prediction care for noise alone',
      replace: 'x: snr / 2',
      by: 'x: 1 / 2',
    },
    {
      name: 'α for α²',
      source: 'common: the square forgotten',
      replace: 'alpha2 / 2',
      by: 'Math.sqrt(alpha2) / 2',
    },
    {
      name: 'the noise for the signal',
      source: 'common: σ² and α² exchanged, by the sign of γ',
      replace: 'const alpha2 = 1 / (1 + Math.exp(gamma));',
      by: 'const alpha2 = 1 / (1 + Math.exp(-gamma));',
    },
  ],
};

const masked: Hidden = {
  checks: [
    {
      name: 'longer rows, more values',
      async run({ call, rng }) {
        await checkMasked(call, maskedInput(rng.fork('long'), 6, 6, 5));
        await checkMasked(call, maskedInput(rng.fork('digit'), 3, 64, 17));
      },
    },
    {
      name: 'logits that grow alike change nothing',
      law: true,
      async run({ call, rng }) {
        const { x, logits, visible } = maskedInput(rng, 3, 5, 4);
        const at = (shift: number) =>
          call(matrixTensor(x), tf.tensor3d(logits.map((rows) => rows.map((row) => row.map((v) => v + shift)))), matrixTensor(visible));
        const got = expectTensor(await at(0), { shape: [3] });
        expectClose(await at(7), got, { what: 'the estimate', rtol: 1e-3, atol: 1e-3 });
      },
    },
  ],
  mistakes: [
    {
      name: 'shown ones are guessed, too',
      source: 'common: the mask forgotten in the loss, which then rewards copying',
      replace: 'tf.sub(1, visible)',
      by: 'tf.onesLike(visible)',
    },
    {
      name: 'unweighted',
      source: 'BERT’s loss (Devlin et al., 2019), a fixed share hidden and no weight, is no bound on ln p(x)',
      replace: '.mul(D).div(hidden.sum(1))',
      by: '',
    },
    {
      name: 'a mean over the hidden ones',
      source: 'common: a cross-entropy’s default reduction',
      replace: '.mul(D).div(hidden.sum(1))',
      by: '.div(hidden.sum(1))',
    },
    {
      name: 'the share of the batch',
      source: 'common: one count for all rows',
      replace: '.div(hidden.sum(1))',
      by: '.div(hidden.sum(1).mean())',
    },
  ],
}; // prettier-ignore

const guidance: Hidden = {
  checks: [
    {
      name: 'other weights, wider guesses',
      async run({ call }) {
        for (const w of [0, 1, 4, 0.25]) await checkGuidance(call, [[0.1, 0.9, -0.7, 0.3], [1, -1, 0, 0.5]], [[0.4, 0.2, -0.6, -0.3], [0.5, -0.9, 0.1, 0.25]], w);
      },
    },
  ],
  mistakes: [
    {
      name: 'the wrong branch',
      source: 'common in forks: cond and uncond concatenated in one order, and split in the other',
      replace: 'free.add(told.sub(free).mul(1 + w))',
      by: 'told.add(free.sub(told).mul(1 + w))',
    },
    {
      name: 'the other convention',
      source: 'the scale of other libraries is 1 + w: 1 is no guidance there, and 0 is none here (Ho and Salimans, 2022)',
      replace: 'mul(1 + w)',
      by: 'mul(w)',
    },
    {
      name: 'back towards no class',
      source: 'common: the sign of the difference',
      replace: 'told.sub(free)',
      by: 'free.sub(told)',
    },
  ],
}; // prettier-ignore

export const hidden: Readonly<Record<string, Hidden>> = {
  'diffusion.reverse': reverse,
  'diffusion.cost': cost,
  'diffusion.shares': shares,
  'diffusion.weight': weight,
  'diffusion.untrained': untrained,
  'diffusion.masked': masked,
  'diffusion.guidance': guidance,
};
