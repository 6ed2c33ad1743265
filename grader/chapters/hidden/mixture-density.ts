/** Chapter 3, for graders: densities of components and of their mixture, and who is responsible for an example. */
import * as tf from '@tensorflow/tfjs';
import { permutation, type Rng } from 'dgm';
import {
  checkLogMixture,
  checkLogNormal,
  checkResponsibilities,
  gaussians,
  mixtureInput,
} from '../checks/mixture-density';
import { logNormalOf, matrix, normal, vector } from '../checks/common';
import { expectClose, expectTensor, expectTrue } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

/** The order in which permuted components come. */
export const shuffled = (rng: Rng, K: number) => tf.tensor1d(permutation(K, rng.fork('order')), 'int32');

const logNormalChecks: readonly Check[] = [
  {
    name: 'moving data and means together changes nothing, and stretching by s costs D ln s',
    async run({ call, rng }) {
      const [x, mu] = [normal(rng, 'x', [4, 3]), normal(rng, 'mu', [2, 3])];
      const logVar = normal(rng, 'logVar', [2, 3], 0.5);
      const shape = [4, 2];
      const here = expectTensor(await call(x, mu, logVar), { what: 'log-densities', shape });
      const moved = await call(x.add(2), mu.add(2), logVar);
      expectClose(moved, here, { what: 'log-densities of the moved data', rtol: 1e-4, atol: 1e-3 });
      const stretched = await call(x.mul(2), mu.mul(2), logVar.add(2 * Math.log(2)));
      const expected = here.sub(3 * Math.log(2));
      expectClose(stretched, expected, { what: 'log-densities of the stretched data', rtol: 1e-4, atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formula in as many dimensions as a digit has',
    run: ({ call, rng }) => checkLogNormal(call, gaussians(rng, [7, 10, 64])),
  },
];

const logNormalMistakes: readonly Mistake[] = [
  {
    name: 'constant forgotten',
    source: 'common: the gradient does not need −(D/2) ln 2π, the likelihood does',
    replace: '.add(Math.log(2 * Math.PI))',
    by: '',
  },
  {
    name: 'divides by σ in place of σ²',
    source: 'common: standard deviation against variance (see bjlkeng/sandbox#10)',
    replace: 'div(logVar.exp())',
    by: 'div(logVar.mul(0.5).exp())',
  },
  {
    name: 'mean over the coordinates in place of their sum',
    source: 'common: sum against mean (see AppliedDataSciencePartners/WorldModels#12)',
    replace: 'terms.sum(2)',
    by: 'terms.mean(2)',
  },
  { name: 'log-determinant with the wrong sign', source: 'common', replace: '.add(logVar)', by: '.sub(logVar)' },
  {
    name: 'squeezed: a single component loses its axis',
    source: 'common: right until K = 1, and then the batch is broadcast against itself',
    replace: 'return terms.sum(2).mul(-0.5)',
    by: 'return terms.sum(2).mul(-0.5).squeeze()',
  },
];

const responsibilitiesChecks: readonly Check[] = [
  {
    name: 'a number added to a whole row changes nothing, and components in another order are answered in that order',
    law: true,
    async run({ call, rng }) {
      const a = normal(rng, 'a', [5, 6], 2);
      const here = expectTensor(await call(a), { what: 'responsibilities', shape: [5, 6] });
      const added = await call(a.add(normal(rng, 'rows', [5, 1], 200)));
      // a 32-bit float of some hundreds is known to 3e-5
      expectClose(added, here, { what: 'responsibilities after adding to the rows', atol: 1e-3 });
      const order = shuffled(rng, 6);
      const other = await call(tf.gather(a, order, 1));
      expectClose(other, tf.gather(here, order, 1), { what: 'responsibilities in another order', atol: 1e-5 });
    },
  },
  {
    name: 'agrees with the formula for 300 examples and 17 components',
    run: ({ call, rng }) => checkResponsibilities(call, normal(rng, 'a', [300, 17], 5)),
  },
];

const responsibilitiesMistakes: readonly Mistake[] = [
  {
    name: 'maximum not subtracted',
    source: 'common: underflow of exp gives 0/0 = NaN',
    replace: 'logJoint.sub(largest)',
    by: 'logJoint',
  },
  {
    name: 'one maximum for the whole batch',
    source: 'common: rows far below the largest underflow',
    replace: 'logJoint.max(1, true)',
    by: 'logJoint.max()',
  },
  {
    name: 'the row’s mean in place of its maximum',
    source: 'common: overflows as soon as the terms lie far apart',
    replace: 'logJoint.max(1, true)',
    by: 'logJoint.mean(1, true)',
  },
  {
    name: 'normalised over the batch',
    source: 'common: wrong axis',
    replace: 'shifted.exp().sum(1, true)',
    by: 'shifted.exp().sum(0, true)',
  },
  {
    name: 'logarithms returned',
    source: 'common: log p(k | x) taken for p(k | x)',
    replace: 'return shifted.sub(logSum).exp()',
    by: 'return shifted.sub(logSum)',
  },
];

const logMixtureChecks: readonly Check[] = [
  {
    name: 'lies between the densities of its components, and is the same when one is split into two halves',
    async run({ call, rng }) {
      const between = [4, -4, 4, -4, 4, 4, 4, 4, -4, -4, -4, 4]; // corners where no component is
      const z = normal(rng, 'z', [4, 3], 0.3).add(tf.tensor2d(between, [4, 3]));
      const ends = tf.tensor2d([4, 4, 4, -4, -4, -4], [2, 3]);
      // weights far from summing to 1 as they are, and variances below 1: no wrong answer is near the bounds
      const logits = normal(rng, 'logits', [2], 0.2).add(tf.tensor1d([2.2, 1.1]));
      const mu = ends.add(normal(rng, 'mu', [2, 3], 0.1));
      const logVar = normal(rng, 'logVar', [2, 3], 0.1).sub(0.5);
      const here = expectTensor(await call(z, logits, mu, logVar), { what: 'log-densities', shape: [4] });
      vector(here).forEach((value, n) => {
        const parts = matrix(mu).map((m, k) => logNormalOf(matrix(z)[n]!, m, matrix(logVar)[k]!));
        const [low, high] = [Math.min(...parts) - 1e-2, Math.max(...parts) + 1e-2];
        expectTrue(value >= low && value <= high, `a number from ${low.toFixed(2)} to ${high.toFixed(2)}`, `${value}`);
      });
      const again = (t: tf.Tensor) => tf.concat([t, t.slice(0, 1)]);
      const halves = logits.sub(tf.tensor1d([Math.log(2), 0]));
      const split = await call(z, again(halves), again(mu), again(logVar));
      expectClose(split, here, { what: 'log-densities with a component in two halves', rtol: 1e-4, atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formula for seven components in ten dimensions',
    run: ({ call, rng }) =>
      checkLogMixture(
        call,
        mixtureInput(rng, [8, 7, 10]),
        'sum over the coordinates before summing over the components',
      ),
  },
];

const logMixtureMistakes: readonly Mistake[] = [
  {
    name: 'a mixture for every coordinate',
    source: 'the mixture priors of jmtomczak/intro_dgm: log-sum-exp per latent dimension, then a sum',
    replace: 'tf.logSumExp(logNormal.sum(2).add(logPi), 1)',
    by: 'tf.logSumExp(logNormal.add(logPi.reshape([1, -1, 1])), 1).sum(1)',
  },
  {
    name: 'weights not normalised',
    source: 'common: logits taken for ln π',
    replace: 'tf.logSoftmax(logits)',
    by: 'logits',
  },
  {
    name: 'σ in place of σ²',
    source: 'common: standard deviation against variance',
    replace: 'div(logVar.exp())',
    by: 'div(logVar.mul(0.5).exp())',
  },
  {
    name: 'exp before the logarithm, without a shift',
    source: 'common: underflow far away',
    replace: 'tf.logSumExp(logNormal.sum(2).add(logPi), 1)',
    by: 'logNormal.sum(2).add(logPi).exp().sum(1).log()',
  },
];

export const logNormal: Hidden = { checks: logNormalChecks, mistakes: logNormalMistakes };
export const responsibilities: Hidden = { checks: responsibilitiesChecks, mistakes: responsibilitiesMistakes };
export const logMixture: Hidden = { checks: logMixtureChecks, mistakes: logMixtureMistakes };
