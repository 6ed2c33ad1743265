/**
 * Chapter 2, for graders: hidden checks, which know the exercises by other inputs and other laws than the public
 * ones, and the known mistakes. None of it is released.
 */
import * as tf from '@tensorflow/tfjs';
import {
  checkBernoulli,
  checkClosest,
  checkCrossEntropy,
  checkGaussianKl,
  checkLogMarginal,
  checkNegElbo,
  checkPathwise,
  checkScores,
  distributions,
  elboInput,
  expectGradient,
  FUNCTIONS,
  gaussianFrom,
} from '../checks/02-probability';
import { integers, matrix, normal, vector } from '../checks/common';
import { checkBernoulliKl, checkLarger, checkUnitShift } from '../checks/probability-kl';
import { expectClose, expectTensor } from '../../exercise/compare';
import { given, type Check, type Hidden, type Mistake } from '../../exercise/exercise';

const crossEntropyChecks: readonly Check[] = [
  {
    name: 'the entropies of two independent variables add up',
    law: true,
    async run({ call, rng }) {
      const [p, q] = [distributions(rng, 'p', 3, 4), distributions(rng, 'q', 3, 5)];
      const pair = p.expandDims(2).mul(q.expandDims(1)).reshape([3, 20]); // the joint distribution
      const both = await call(pair, pair);
      const [first, second] = [await call(p, p), await call(q, q)].map((h) => expectTensor(h, { shape: [3] }));
      expectClose(both, first!.add(second!), { what: 'the entropy of the pair', atol: 1e-4 });
    },
  },
  {
    name: 'agrees with the formula for a hundred values, most of them impossible',
    async run({ call, rng }) {
      const [p, q] = [matrix(distributions(rng, 'p', 6, 3)), matrix(distributions(rng, 'q', 6, 3))];
      const padded = (row: readonly number[]) => [...row, ...new Array<number>(97).fill(0)];
      await checkCrossEntropy(call, p.map(padded), q.map(padded), 'impossible values cost nothing');
    },
  },
];

const crossEntropyMistakes: readonly Mistake[] = [
  {
    name: 'an ε inside the logarithm',
    source: 'common: ln(q + 1e-8), as in keras’ clipped cross-entropy; what is impossible gets a finite price',
    replace: 'q.log()',
    by: 'q.add(1e-8).log()',
  },
  {
    name: 'bits in place of nats',
    source: 'common: the unit of the number is not that of the text',
    replace: 'q.log()',
    by: 'q.log().div(Math.LN2)',
  },
  {
    name: '0 ln 0 is NaN',
    source: 'common: the convention forgotten',
    replace: 'tf.where(p.greater(0), terms, tf.zerosLike(terms))',
    by: 'terms',
  },
  { name: 'p and q exchanged', source: 'common: the other KL', replace: 'p.mul(q.log())', by: 'q.mul(p.log())' },
  {
    name: 'mean over the values',
    source: 'common: sum against mean',
    replace: '.sum(1)',
    by: '.mean(1)',
  },
];

const bernoulliChecks: readonly Check[] = [
  {
    name: 'black and white exchanged, with the signs of the logits, changes nothing',
    law: true,
    async run({ call, rng }) {
      const [x, logits] = [integers(rng, 'x', [6, 5], 2), normal(rng, 'logits', [6, 5], 4)];
      const here = expectTensor(await call(x, logits), { what: 'log-likelihoods', shape: [6] });
      const turned = await call(x.neg().add(1), logits.neg());
      expectClose(turned, here, { what: 'log-likelihoods of the negative', rtol: 1e-4, atol: 1e-4 });
    },
  },
  {
    name: 'agrees with the formula for images of 64 pixels, with logits from tame to extreme',
    run: ({ call, rng }) =>
      checkBernoulli(
        call,
        integers(rng, 'x', [8, 64], 2),
        normal(rng, 'logits', [8, 64], 60),
        'right for logits of any size',
      ),
  },
];

const bernoulliMistakes: readonly Mistake[] = [
  {
    name: 'mean over the pixels',
    source: 'AppliedDataSciencePartners/WorldModels#12: mean in place of sum, and the latent variables collapse',
    replace: '.sum(1)',
    by: '.mean(1)',
  },
  {
    name: 'probabilities clipped',
    source: 'common: clip(p, 1e-7, 1 − 1e-7), so that no error costs more than 16 nats',
    replace: 'x.mul(logits).sub(normaliser)',
    by: 'x.mul(tf.sigmoid(logits).clipByValue(1e-7, 1 - 1e-7).log()).add(x.neg().add(1).mul(tf.sigmoid(logits).neg().add(1).clipByValue(1e-7, 1).log())).add(normaliser.mul(0))',
  },
  {
    name: 'ln(1 + exp l) as it stands',
    source: 'common: overflows at 89 in 32 bits',
    replace: 'tf.relu(logits).add(logits.abs().neg().exp().log1p())',
    by: 'logits.exp().add(1).log()',
  },
  {
    name: 'ln of 1 + e for a small e',
    source: 'common: 32 bits round the e away',
    replace: '.exp().log1p()',
    by: '.exp().add(1).log()',
  },
  {
    name: 'logits taken for probabilities of the other outcome',
    source: 'common: the sign of the logit',
    replace: 'x.mul(logits)',
    by: 'x.neg().add(1).mul(logits)',
  },
  {
    name: 'bits in place of nats',
    source: 'common: divided by ln 2 for a table, and never multiplied again',
    replace: '.sum(1)',
    by: '.sum(1).div(Math.LN2)',
  },
];

const unitShiftChecks: readonly Check[] = [
  {
    name: 'agrees with the density of a point, for other sizes and factors',
    async run({ call }) {
      for (const [D, factor] of [[5, 2], [12, 0.5], [100, 3], [1, 1000]] as const) await checkUnitShift(call, D, factor); // prettier-ignore
    },
  },
];

const unitShiftMistakes: readonly Mistake[] = [
  { name: 'nothing changes', source: 'common: true of probabilities', replace: '-D * Math.log(factor)', by: '0 * D * Math.log(factor)' }, // prettier-ignore
  { name: 'the other way round', source: 'common: the sign of the change of variables', replace: '-D * Math.log(factor)', by: 'D * Math.log(factor)' }, // prettier-ignore
  { name: 'one coordinate', source: 'common: D forgotten', replace: '-D * Math.log(factor)', by: '-Math.log(factor) + 0 * D' }, // prettier-ignore
];

const largerKlChecks: readonly Check[] = [
  {
    name: 'agrees with the integrals for other widths',
    async run({ call }) {
      for (const [sigma, tau] of [[2, 1.5], [1.5, 2], [0.3, 0.05], [5, 5]] as const) await checkLarger(call, sigma, tau); // prettier-ignore
    },
  },
];

const largerKlMistakes: readonly Mistake[] = [
  { name: 'the other one', source: 'common: covers and settles exchanged', replace: 'sigma > tau', by: 'sigma < tau' },
  { name: 'equal widths forgotten', source: 'common: both are 0', replace: 'sigma === tau', by: 'sigma === -tau' },
  { name: 'a divergence is a distance', source: 'common: taken for symmetric', replace: 'if (sigma === tau) ', by: 'if (sigma === tau || sigma !== tau) ' }, // prettier-ignore
];

const bernoulliKlChecks: readonly Check[] = [
  {
    name: 'the negative of both has the same KL, and coordinates add up',
    async run({ call, rng }) {
      const [l, m] = ['l', 'm'].map((label) => matrix(normal(rng, label, [4, 3], 3))) as [number[][], number[][]];
      const negative = (rows: readonly (readonly number[])[]) => rows.map((row) => row.map((v) => -v));
      await checkBernoulliKl(call, negative(l), negative(m));
      await checkBernoulliKl(call, l.map((row) => [...row, ...row]), m.map((row) => [...row, ...row])); // prettier-ignore
    },
  },
  {
    name: 'agrees with the definition for images of 64 pixels, with logits from tame to extreme',
    sameForAll: true,
    async run({ call, rng }) {
      const [l, m] = ['l', 'm'].map((label) => matrix(normal(rng, label, [5, 64], 30)));
      await checkBernoulliKl(call, l!, m!, 'right for logits of any size');
    },
  },
];

const bernoulliKlMistakes: readonly Mistake[] = [
  { name: 'the other direction', source: 'common: q weighs', replace: 'tf.sigmoid(logits)', by: 'tf.sigmoid(logitsP)' },
  { name: 'the normalisers forgotten', source: 'common: logits taken for log-probabilities', replace: '.sub(tf.softplus(logits)).add(tf.softplus(logitsP))', by: '' }, // prettier-ignore
  { name: 'mean over the coordinates', source: 'keras-team/keras#6015: mean in place of sum', replace: '.sum(1)', by: '.mean(1)' }, // prettier-ignore
  { name: 'ln(1 + exp l) as it stands', source: 'common: overflows at 89 in 32 bits', replace: 'tf.softplus(logitsP)', by: 'logitsP.exp().add(1).log()' }, // prettier-ignore
];

const closestNormalChecks: readonly Check[] = [
  {
    name: 'moves and stretches with the data, and a point of double weight is two points',
    async run({ call, rng }) {
      const x = normal(rng, 'x', [12, 3], 5);
      const here = await gaussianFrom(call, x, tf.fill([12], 1 / 12));
      const moved = await gaussianFrom(call, x.mul(4).add(1), tf.fill([12], 1 / 12));
      const expected = { mu: here.mu.mul(4).add(1), logVar: here.logVar.add(2 * Math.log(4)) };
      expectClose(moved, expected, { what: 'the Gaussian of the moved data', atol: 1e-3 });
      const twice = await gaussianFrom(call, tf.concat([x, x.slice(0, 1)]), tf.fill([13], 1 / 13));
      const weights = tf.tensor1d([2, ...new Array<number>(11).fill(1)]).div(13);
      expectClose(await gaussianFrom(call, x, weights), twice, {
        what: 'the Gaussian with a double weight',
        atol: 1e-3,
      });
    },
  },
  {
    name: 'agrees with the formulas for 300 points in 20 dimensions, some of weight 0',
    async run({ call, rng }) {
      const kept = rng.fork('kept').uniform([300]).greater(0.4).toFloat();
      await checkClosest(call, normal(rng, 'x', [300, 20], 3), kept.div(kept.sum()), 'every point with its weight');
    },
  },
];

const closestNormalMistakes: readonly Mistake[] = [
  {
    name: 'log of the standard deviation',
    source: 'bjlkeng/sandbox#10: standard deviation against variance',
    replace: 'variance.log()',
    by: 'variance.sqrt().log()',
  },
  {
    name: 'weights ignored',
    source: 'common: tf.moments of the points',
    replace: 'w.expandDims(1)',
    by: 'tf.fill([x.shape[0]!, 1], 1 / x.shape[0]!)',
  },
  {
    name: 'divided by N − 1',
    source: 'common: the unbiased variance is not the most likely one',
    replace: 'variance.log()',
    by: 'variance.mul(x.shape[0]! / (x.shape[0]! - 1)).log()',
  },
  {
    name: 'E[x²] − μ²',
    source: 'common: cancellation in 32 bits',
    replace: 'x.sub(mu).square().mul(weights).sum(0)',
    by: 'x.square().mul(weights).sum(0).sub(mu.square())',
  },
  { name: 'variance returned', source: 'common: σ² taken for ln σ²', replace: 'variance.log()', by: 'variance' },
  {
    name: 'a variance that cannot be 0',
    source: 'common: a constant added to it, 1e-4 or 1e-6; small variances then are wrong',
    replace: 'variance.log()',
    by: 'variance.add(1e-6).log()',
  },
];

const gaussianKlChecks: readonly Check[] = [
  {
    name: 'another unit for both Gaussians changes nothing',
    law: true,
    async run({ call, rng }) {
      const [mu, muP] = [normal(rng, 'mu', [5, 3]), normal(rng, 'muP', [5, 3])];
      const [logVar, logVarP] = [normal(rng, 'logVar', [5, 3]), normal(rng, 'logVarP', [5, 3])];
      const here = expectTensor(await call(mu, logVar, muP, logVarP), { what: 'divergences', shape: [5] });
      const log = 2 * Math.log(3);
      const other = await call(mu.mul(3).add(1), logVar.add(log), muP.mul(3).add(1), logVarP.add(log));
      expectClose(other, here, { what: 'divergences in another unit', rtol: 1e-3, atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formula in 64 dimensions',
    run: ({ call, rng }) => checkGaussianKl(call, rng, 9, 64, 'summed over the coordinates'),
  },
];

const gaussianKlMistakes: readonly Mistake[] = [
  {
    name: 'σ in place of σ²',
    source: 'the mixture priors of jmtomczak/intro_dgm, bjlkeng/sandbox#10: exp(logVar) against exp(logVar / 2)',
    replace: 'logVar.exp()',
    by: 'logVar.mul(0.5).exp()',
  },
  {
    name: 'mean over the coordinates',
    source: 'keras-team/keras#6015: mean in place of sum',
    replace: '.sum(1)',
    by: '.mean(1)',
  },
  {
    name: 'the other direction',
    source: 'common: divided by the first variance',
    replace: 'div(logVarP.exp())',
    by: 'div(logVar.exp())',
  },
  { name: 'the 1 forgotten', source: 'common: equal Gaussians then differ', replace: '.sub(1)', by: '' },
];

const logMarginalChecks: readonly Check[] = [
  {
    name: 'a number added to a column is added to its answer, and every draw twice changes nothing',
    async run({ call, rng }) {
      const a = normal(rng, 'a', [9, 4], 2);
      const here = expectTensor(await call(a), { what: 'estimates', shape: [4] });
      const added = tf.tensor1d([150, -60, 30, -5]);
      expectClose(await call(a.add(added)), here.add(added), { what: 'estimates after adding', atol: 1e-3 });
      expectClose(await call(tf.concat([a, a])), here, { what: 'estimates with every draw twice', atol: 1e-4 });
    },
  },
  {
    name: 'agrees with the formula for 500 draws and 30 examples, thousands of nats apart',
    run: ({ call, rng }) =>
      checkLogMarginal(
        call,
        tf.tidy(() => normal(rng, 'a', [500, 30], 8).add(normal(rng, 'level', [30], 300))),
        'each column by itself',
      ),
  },
];

const logMarginalMistakes: readonly Mistake[] = [
  {
    name: 'mean of the logarithms',
    source: 'common: a bound that no number of draws improves, taken for the likelihood',
    replace: 'average.log().add(largest.squeeze([0]))',
    by: 'a.mean(0).add(average.mul(0))',
  },
  {
    name: 'sum in place of mean',
    source: 'common: ln S forgotten, so that more draws look like a better model',
    replace: '.mean(0)',
    by: '.sum(0)',
  },
  {
    name: 'maximum not subtracted',
    source: 'common: underflow of exp',
    replace: 'a.sub(largest).exp()',
    by: 'a.exp().mul(largest.neg().exp())',
  },
  {
    name: 'one maximum for all examples',
    source: 'common: columns far below the largest underflow',
    replace: 'a.max(0, true)',
    by: 'a.max().reshape([1, 1]).tile([1, a.shape[1]!])',
  },
  {
    name: 'the column’s mean in place of its maximum',
    source: 'common: overflows as soon as the draws lie far apart',
    replace: 'a.max(0, true)',
    by: 'a.mean(0, true)',
  },
];

const pathwiseChecks: readonly Check[] = [
  {
    name: 'agrees with the chain rule for a cubic, and on average with the gradient of E z³ = μ³ + 3 μ σ²',
    async run({ call, rng }) {
      await checkPathwise(call, rng, { f: 'cube', mu: -0.7, logVar: 0.9, S: 17 });
      const [S, mu, logVar] = [3000, 0.8, -0.5];
      const got = await call(given(FUNCTIONS.cube.source), normal(rng, 'many', [S]), mu, logVar);
      const rows = matrix(expectTensor(got, { what: 'gradients', shape: [S, 2] }));
      expectGradient(rows, [3 * mu ** 2 + 3 * Math.exp(logVar), 3 * mu * Math.exp(logVar)]);
    },
  },
];

const pathwiseMistakes: readonly Mistake[] = [
  {
    name: 'scaled by the variance',
    source: 'the mixture priors of jmtomczak/intro_dgm draw with std = exp(logvar)',
    replace: 'Math.exp(logVar / 2)',
    by: 'Math.exp(logVar)',
  },
  {
    name: 'derivative with respect to ln σ',
    source: 'common: the half of the chain rule forgotten',
    replace: 'mul(sigma / 2)',
    by: 'mul(sigma)',
  },
  {
    name: 'the draw forgotten',
    source: 'common: ∂z/∂λ is ½ σ ε',
    replace: 'slope.mul(eps).mul(',
    by: 'slope.mul(',
  },
  {
    name: 'slope at the mean',
    source: 'common: the noise is left out of the path',
    replace: 'tf.grad(f)(eps.mul(sigma).add(mu))',
    by: 'tf.grad(f)(eps.mul(0).add(mu))',
  },
];

const scoreFunctionChecks: readonly Check[] = [
  {
    name: 'f and the gradient scale together, and draws in another order are answered in that order',
    law: true,
    async run({ call, rng }) {
      const [f, z] = [normal(rng, 'f', [10], 2), normal(rng, 'z', [10])];
      const here = expectTensor(await call(f, z, 0.3, 0.4), { what: 'gradients', shape: [10, 2] });
      const scaled = await call(f.mul(-3), z, 0.3, 0.4);
      expectClose(scaled, here.mul(-3), { what: 'gradients of −3 f', rtol: 1e-3, atol: 1e-3 });
      const turned = await call(f.reverse(), z.reverse(), 0.3, 0.4);
      expectClose(turned, here.reverse(0), { what: 'gradients in another order', rtol: 1e-3, atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formulas for 200 draws of a narrow Gaussian',
    sameForAll: true,
    run: ({ call, rng }) =>
      checkScores(
        call,
        vector(normal(rng, 'f', [200], 5)),
        vector(normal(rng, 'z', [200], 0.2)).map((v) => v - 4),
        -4,
        2 * Math.log(0.2),
      ),
  },
];

const scoreFunctionMistakes: readonly Mistake[] = [
  {
    name: 'the draw itself in its baseline',
    source: 'common: the mean of all; the gradient is (S − 1)/S of what it should be',
    replace: 'others.div(S - 1)',
    by: 'others.add(f).div(S)',
  },
  {
    name: 'no baseline',
    source: 'common: right on average, with the variance of the plain estimator',
    replace: 'f.sub(baseline)',
    by: 'f.add(baseline.mul(0))',
  },
  {
    name: 'divided by σ once',
    source: 'common: standard deviation against variance',
    replace: 'u.div(sigma)',
    by: 'u',
  },
  {
    name: 'the 1 forgotten',
    source: 'common: the score of λ then has the mean ½, and the baseline biases it',
    replace: 'u.square().sub(1)',
    by: 'u.square()',
  },
  {
    name: 'baseline added',
    source: 'common: wrong sign',
    replace: 'f.sub(baseline)',
    by: 'f.add(baseline)',
  },
];

const negElboChecks: readonly Check[] = [
  {
    name: 'an image beside another, with its own latent numbers, costs the sum of both',
    async run({ call, rng }) {
      const [a, b] = [elboInput(rng.fork('a'), 3, 4, 2), elboInput(rng.fork('b'), 3, 5, 3)];
      const beside = (key: keyof typeof a) => tf.concat([a[key], b[key]], 1);
      const each = [];
      for (const { x, logits, mu, logVar } of [a, b])
        each.push(expectTensor(await call(x, logits, mu, logVar), { what: 'bounds', shape: [3] }));
      const both = await call(beside('x'), beside('logits'), beside('mu'), beside('logVar'));
      expectClose(both, each[0]!.add(each[1]!), { what: 'bounds of both together', rtol: 1e-4, atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formula for images of 64 pixels and 16 latent numbers',
    run: ({ call, rng }) => checkNegElbo(call, elboInput(rng, 7, 64, 16), 'sums over D and over L'),
  },
];

const negElboMistakes: readonly Mistake[] = [
  {
    name: 'mean over the pixels',
    source: 'AppliedDataSciencePartners/WorldModels#12',
    replace: '.sub(x.mul(logits)).sum(1)',
    by: '.sub(x.mul(logits)).mean(1)',
  },
  {
    name: 'mean over the latent numbers',
    source: 'keras-team/keras#6015',
    replace: '.mul(0.5).sum(1)',
    by: '.mul(0.5).mean(1)',
  },
  {
    name: 'both averaged over the pixels',
    source: 'common: nats per pixel; the right trade-off, and no bound on ln p(x)',
    replace: 'return pixels.add(kl)',
    by: 'return pixels.add(kl).div(x.shape[1]!)',
  },
  {
    name: 'KL subtracted',
    source: 'common: the sign of the ELBO’s second term',
    replace: 'pixels.add(kl)',
    by: 'pixels.sub(kl)',
  },
];

export const hidden: Readonly<Record<string, Hidden>> = {
  'probability.crossEntropy': { checks: crossEntropyChecks, mistakes: crossEntropyMistakes },
  'probability.bernoulli': { checks: bernoulliChecks, mistakes: bernoulliMistakes },
  'probability.unitShift': { checks: unitShiftChecks, mistakes: unitShiftMistakes },
  'probability.closestNormal': { checks: closestNormalChecks, mistakes: closestNormalMistakes },
  'probability.gaussianKl': { checks: gaussianKlChecks, mistakes: gaussianKlMistakes },
  'probability.largerKl': { checks: largerKlChecks, mistakes: largerKlMistakes },
  'probability.bernoulliKl': { checks: bernoulliKlChecks, mistakes: bernoulliKlMistakes },
  'probability.logMarginal': { checks: logMarginalChecks, mistakes: logMarginalMistakes },
  'probability.pathwise': { checks: pathwiseChecks, mistakes: pathwiseMistakes },
  'probability.scoreFunction': { checks: scoreFunctionChecks, mistakes: scoreFunctionMistakes },
  'probability.negElbo': { checks: negElboChecks, mistakes: negElboMistakes },
};
