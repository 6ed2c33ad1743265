/** Chapter 8, for graders: probabilistic principal components. */
import * as tf from '@tensorflow/tfjs';
import {
  checkMarginal,
  checkPosterior,
  linearInput,
  logMarginalOf,
  orthogonalColumns,
  tensorsOf,
  type LinearInput,
} from '../checks/latent-linear';
import { logNormalOf, matrix, matrixTensor, normal, vector } from '../checks/common';
import { expectClose, expectFields, expectTensor } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';

export const marginal: Hidden = {
  checks: [
    {
      name: 'as many latents as coordinates, as many coordinates as a digit has, and little or much noise',
      async run({ call, rng }) {
        await checkMarginal(call, linearInput(rng.fork('full'), 3, [2, 1, 0.4], 3, -0.3), 'D = L');
        await checkMarginal(call, linearInput(rng.fork('digit'), 5, [6, 4, 3, 2, 1], 64, 0.2), 'D = 64');
        await checkMarginal(call, linearInput(rng.fork('clear'), 2, [1, 2], 3, -6), 'almost no noise');
        await checkMarginal(call, linearInput(rng.fork('noise'), 2, [1, 2], 3, 5), 'almost nothing but noise');
      },
    },
    {
      name: 'integrates to 1 over the plane, and does not see the order or the signs of the columns',
      async run({ call, rng }) {
        const side = Array.from({ length: 81 }, (_, i) => (i - 40) / 5);
        const plane = side.flatMap((a) => side.map((b) => [a, b]));
        const W = orthogonalColumns(rng, 2, [1.4]);
        const got = await call(matrixTensor(plane), matrixTensor(W), tf.tensor1d([0.3, -0.2]), -0.9);
        const mass = vector(expectTensor(got, { what: 'ln p(x)', shape: [plane.length] })).reduce((s, v) => s + Math.exp(v) / 25, 0); // prettier-ignore
        expectClose(mass, 1, { what: '∫ p(x) dx', atol: 5e-3 });
        const input = linearInput(rng.fork('columns'), 4, [2, 1.2, 0.7], 5, -0.4);
        const turned = { ...input, W: input.W.map(([a, b, c]) => [-c!, a!, -b!]) };
        const here = expectTensor(await call(...tensorsOf(input)), { shape: [4] });
        expectClose(await call(...tensorsOf(turned)), here, { what: 'ln p(x)', atol: 1e-3 });
      },
    },
  ],
  mistakes: [
    {
      name: 'the determinant of the columns alone',
      source: 'common: the D − L directions that hold only noise are forgotten',
      replace: '.add((D - L) * logVar)',
      by: '',
    },
    {
      name: 'the standard deviation for the variance',
      source: 'common in VAE code: exp(logVar) taken for σ, or the other way round',
      replace: 'Math.exp(logVar)',
      by: 'Math.exp(logVar / 2)',
    },
    {
      name: 'no noise along the columns',
      source: 'common: the projection of PCA, which is the limit σ → 0',
      replace: '.square().div(variances)',
      by: '.square().div(W.square().sum(0))',
    },
    {
      name: 'the sign of the determinant',
      source: 'common: the precision and the covariance exchanged',
      replace: '.add(logDet)',
      by: '.sub(logDet)',
    },
    {
      name: 'the mean over the coordinates',
      source: 'common: nats per dimension where nats per example are meant',
      replace: '.mul(-0.5)',
      by: '.mul(-0.5 / D)',
    },
    { name: 'not centred', source: 'common: PCA without its mean', replace: 'x.sub(mu)', by: 'x' },
  ],
};

/** ln p(x | z) + ln p(z) − ln q(z | x), of one example. */
function logWeight(
  { x, W, mu, logVar }: LinearInput,
  z: readonly number[],
  m: readonly number[],
  v: readonly number[],
) {
  const mean = mu.map((c, d) => c + W[d]!.reduce((s, w, l) => s + w * z[l]!, 0));
  const zeros = z.map(() => 0);
  return logNormalOf(x[0]!, mean, mean.map(() => logVar)) + logNormalOf(z, zeros, zeros) - logNormalOf(z, m, v); // prettier-ignore
}

export const posterior: Hidden = {
  checks: [
    {
      name: 'Bayes: p(x | z) p(z) / p(z | x) is p(x), whatever z',
      async run({ call, rng }) {
        for (const logVar of [-1, 0.7]) {
          const input = linearInput(rng.fork(`${logVar}`), 1, [1.7, 0.8], 4, logVar);
          const answer = expectFields(await call(...tensorsOf(input)), ['mu', 'logVar']);
          const [m, v] = [answer.mu, answer.logVar].map((t) => matrix(expectTensor(t, { shape: [1, 2] }))[0]!) as [number[], number[]]; // prettier-ignore
          for (const z of matrix(normal(rng, `z ${logVar}`, [3, 2])))
            expectClose(logWeight(input, z, m, v), logMarginalOf(input)[0]!, { what: 'ln p(x)', atol: 2e-3 });
        }
      },
    },
    {
      name: 'as many coordinates as a digit has; almost no noise, and almost nothing but noise',
      async run({ call, rng }) {
        await checkPosterior(call, linearInput(rng.fork('digit'), 3, [6, 4, 2], 64, 0.3), 'D = 64');
        await checkPosterior(call, linearInput(rng.fork('clear'), 2, [1, 2], 3, -7), 'the data decide');
        await checkPosterior(call, linearInput(rng.fork('noise'), 2, [1, 2], 3, 7), 'the prior decides');
      },
    },
  ],
  mistakes: [
    {
      name: 'the projection of PCA',
      source: 'common: the limit of no noise, without the shrinking that the prior asks for',
      replace: '.matMul(W).div(variances)',
      by: '.matMul(W).div(W.square().sum(0))',
    },
    {
      name: 'the logarithm of the standard deviation',
      source: 'common in VAE code: logVar and ln σ mixed up',
      replace: 'tf.sub(logVar, variances.log())',
      by: 'tf.sub(logVar, variances.log()).div(2)',
    },
    {
      name: 'the precision for the variance',
      source: 'common: a sign',
      replace: 'tf.sub(logVar, variances.log())',
      by: 'variances.log().sub(logVar)',
    },
    {
      name: 'σ² is missing in the variance',
      source: 'Bishop’s M is no precision: σ² M⁻¹ is the covariance',
      replace: 'tf.sub(logVar, variances.log())',
      by: 'variances.log().neg()',
    },
    { name: 'not centred', source: 'common: PCA without its mean', replace: 'x.sub(mu)', by: 'x' },
  ],
};
