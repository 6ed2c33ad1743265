/** Chapter 13, for graders: the objective, its normaliser, and the report. */
import type { Hidden } from '../../exercise/exercise';
import { checkLoss, checkNats, checkPower, flowOf, observedOf, tablesOf } from '../checks/hybrid-joint';

export const loss: Hidden = {
  checks: [
    {
      name: 'one label among many images, and none at all',
      sameForAll: true,
      async run({ call, rng }) {
        await checkLoss(call, observedOf(rng.fork('one'), 5, [-1, -1, 4, -1, -1, -1], 0.01));
        await checkLoss(call, observedOf(rng.fork('none'), 3, [-1, -1, -1], 0.5));
        await checkLoss(call, observedOf(rng.fork('all'), 2, [0, 1, 1, 0], 0));
      },
    },
  ],
  mistakes: [
    {
      name: 'no label is class 0',
      source: 'common: −1 is clipped to a class where labels are missing',
      replace: 'y.toFloat()',
      by: 'y.toFloat().maximum(0)',
    },
    {
      name: 'λ on both terms',
      source: 'common: the weight moves outside of the bracket',
      replace: 'own.add(logP.mul(lambda))',
      by: 'own.add(logP).mul(lambda)',
    },
    {
      name: 'a convex combination',
      source: 'early hybrids blend (1 − λ) ln p(y | x) and λ ln p(x) (Bouchard and Triggs, 2004), this one does not',
      replace: 'own.add(logP.mul(lambda))',
      by: 'own.mul(1 - lambda).add(logP.mul(lambda))',
    },
    {
      name: 'a sum over the batch',
      source: 'orybkin/sigma-vae-tensorflow#2 and others: sum against mean',
      replace: '.mean().neg()',
      by: '.sum().neg()',
    },
    {
      name: 'the mean over labels',
      source: 'common: a cross-entropy that ignores missing labels divides by those that are there',
      replace: '.mean().neg()',
      by: '.sum().div(known.sum().maximum(1)).neg()',
    },
  ],
}; // prettier-ignore

export const power: Hidden = {
  checks: [
    {
      name: 'an even p: (1 − λ) ln of the number of x',
      async run({ call }) {
        for (const lambda of [0.015625, 0.4, 3]) await checkPower(call, Array.from({ length: 5 }, () => [0.25, 0.25, 0.25, 0.25]), lambda); // prettier-ignore
      },
    },
    {
      name: 'more coordinates, tables of other sizes',
      async run({ call, rng }) {
        await checkPower(call, tablesOf(rng.fork('a'), 6, 4), 0.2);
        await checkPower(call, [...tablesOf(rng.fork('b'), 2, 2), ...tablesOf(rng.fork('c'), 2, 5)], 1.5);
      },
    },
  ],
  mistakes: [
    {
      name: 'λ p for p to the λ',
      source: 'common: a factor of ln p is read as one of p',
      replace: 'v ** lambda',
      by: 'lambda * v',
    },
    {
      name: 'a sum where the product is',
      source: 'common: Σ over coordinates inside the logarithm, as in the mixtures of intro_dgm the other way round',
      replace: 'each.reduce((left, right) => left + right, 0)',
      by: 'Math.log(each.reduce((left, right) => left + Math.exp(right), 0))',
    },
    {
      name: 'Rényi’s entropy',
      source: 'common: the familiar formula with this sum in it has a factor 1 / (1 − λ)',
      replace: 'each.reduce((left, right) => left + right, 0)',
      by: 'each.reduce((left, right) => left + right, 0) / (1 - lambda)',
    },
    {
      name: 'the mean over the coordinates',
      source: 'common: mean for sum',
      replace: 'each.reduce((left, right) => left + right, 0)',
      by: 'each.reduce((left, right) => left + right, 0) / each.length',
    },
  ],
}; // prettier-ignore

export const nats: Hidden = {
  checks: [
    {
      name: 'other factors, weights and sizes',
      sameForAll: true,
      async run({ call, rng }) {
        for (const [i, numbers] of ([[0.2, 0.1], [2.5, 1], [-0.6, 10]] as const).entries())
          await checkNats(call, flowOf(rng.fork(`${i}`), 3, 4 + 2 * i, numbers));
      },
    },
  ],
  mistakes: [
    {
      name: 'β outside of the rounding',
      source: 'intro_dgm’s hybrid notebook: β_i · round(t) with a real β_i, so that the pmf is asked off the lattice',
      replace: 'h.t(a).mul(h.beta).round()',
      by: 'h.t(a).round().mul(h.beta)',
    },
    {
      name: 'the report has λ in it',
      source: 'common: the training loss is printed as a negative log-likelihood',
      replace: 'label.add(logPx)',
      by: 'label.add(logPx.mul(h.lambda))',
    },
    {
      name: 'nats a pixel with nats an image',
      source: 'common: a mean over coordinates in one of two terms',
      replace: 'h.logPrior(z).sum(1)',
      by: 'h.logPrior(z).mean(1)',
    },
    {
      name: 'nothing rounded',
      source: 'common: the translation is rounded in training alone',
      replace: 'h.t(a).mul(h.beta).round()',
      by: 'h.t(a).mul(h.beta)',
    },
  ],
}; // prettier-ignore
