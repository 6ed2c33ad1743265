/** Chapter 12, for graders: the score of a mixture, and the loss that learns it. */
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';
import { matrixTensor } from '../checks/common';
import { checkDenoising, checkMixture, hillsOf, noisyOf, scoreOf } from '../checks/score-fields';

export const mixture: Hidden = {
  checks: [
    {
      name: 'other noise, other widths, and points far from every hill',
      sameForAll: true,
      async run({ call, rng }) {
        await checkMixture(call, hillsOf(rng.fork('much'), [3, 5, 2], 0.4, 3));
        await checkMixture(call, { x: [[30, -20], [0, 40]], mu: [[0, 0], [1, 1]], width: 0.5, sigma: 0.5 });
      },
    },
    {
      name: 'all moved alike, the score is the same',
      law: true,
      async run({ call, rng }) {
        const hills = hillsOf(rng, [4, 3, 2], 0.7, 0.4);
        const moved = (rows: readonly (readonly number[])[]) => matrixTensor(rows.map((row) => row.map((v) => v + 3)));
        const got = await call(moved(hills.x), moved(hills.mu), hills.width, hills.sigma);
        const there = expectTensor(got, { shape: [4, 2] });
        expectClose(there, matrixTensor(scoreOf(hills)), { what: 'the score', rtol: 1e-2, atol: 1e-2 });
      },
    },
  ],
  mistakes: [
    {
      name: 'the slope of the energy',
      source: 'phlippe/uvadlc_notebooks, issue 60: E against −E, and the sign of the score with it',
      replace: 'mu.expandDims(0).sub(x.expandDims(1))',
      by: 'x.expandDims(1).sub(mu.expandDims(0))',
    },
    {
      name: 'noise that widens nothing',
      source: 'common: the score of the data where that of the data with noise is learnt',
      replace: 'width ** 2 + sigma ** 2',
      by: 'width ** 2',
    },
    {
      name: 'deviations add up',
      source: 'common: σ for σ², since the two are one letter apart',
      replace: 'width ** 2 + sigma ** 2',
      by: '(width + sigma) ** 2',
    },
    {
      name: 'every hill pulls alike',
      source: 'common: the mean over the components without their shares',
      replace: 'tf.softmax(near)',
      by: 'tf.onesLike(way.sum(2)).div(mu.shape[0]!)',
    },
  ],
}; // prettier-ignore

export const denoising: Hidden = {
  checks: [
    {
      name: 'levels that lie far apart, and more coordinates',
      sameForAll: true,
      async run({ call, rng }) {
        await checkDenoising(call, noisyOf(rng.fork('far'), 2, [0.02, 10, 0.3, 1], [-1.2, -0.1]));
        await checkDenoising(call, noisyOf(rng.fork('digit'), 64, [0.5, 2]));
      },
    },
  ],
  mistakes: [
    {
      name: 'energy and score',
      source: 'common: the target +ε / σ, by which a model learns to walk away from the data',
      replace: 'guess.mul(column).add(noise)',
      by: 'guess.mul(column).sub(noise)',
    },
    {
      name: 'no weight',
      source: 'Song and Ermon (2019), section 4.2, say why λ(σ) = σ²; code that leaves it out learns the smallest noise alone',
      replace: 'error.square()',
      by: 'error.div(column).square()',
    },
    {
      name: 'the clean example',
      source: 'common: the network is shown x, for which there is nothing to learn',
      replace: 'x.add(noise.mul(column))',
      by: 'x',
    },
    {
      name: 'the variance for the deviation',
      source: 'common: σ² ε, as if σ were a variance',
      replace: 'x.add(noise.mul(column))',
      by: 'x.add(noise.mul(column.square()))',
    },
  ],
}; // prettier-ignore
