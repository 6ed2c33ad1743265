/** Chapter 8, for graders: bounds by one draw and by many. */
import { linearInput, logMarginalOf, posteriorOf } from '../checks/latent-linear';
import {
  checkDraws,
  checkExpected,
  checkImportance,
  checkSure,
  importanceArgs,
  importanceInput,
  type ImportanceInput,
} from '../checks/latent-bounds';
import { logNormalOf, normal } from '../checks/common';
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Hidden } from '../../exercise/exercise';
import type { Rng } from 'dgm';

export const elbo: Hidden = {
  checks: [
    {
      name: 'as many pixels and grey levels as a digit has',
      sameForAll: true,
      run: ({ call, rng }) => checkSure(call, rng, 3, { D: 64, V: 17, L: 8 }, 0.3),
    },
    {
      name: 'wide posteriors, narrow ones, and coins for pixels',
      sameForAll: true,
      async run({ call, rng }) {
        await checkDraws(call, rng.fork('wide'), 0.9, [1, 0, 1], 2);
        await checkDraws(call, rng.fork('narrow'), -3, [0, 3], 4);
      },
    },
  ],
  mistakes: [
    {
      name: 'the variance for the deviation',
      source: 'intro_dgm’s priors, wiseodd/generative-models, bjlkeng/sandbox #10: exp(logVar) times the noise',
      replace: 'logVar.div(2).exp()',
      by: 'logVar.exp()',
    },
    {
      name: 'one draw for all of the batch',
      source: 'common: noise of the shape of one example, which broadcasts',
      replace: 'rng.normal(mu.shape)',
      by: 'rng.normal([1, mu.shape[1]!])',
    },
    {
      name: 'one draw for all latents of an example',
      source: 'common: noise of one column, which broadcasts; the bound is then that of no q',
      replace: 'rng.normal(mu.shape)',
      by: 'rng.normal([mu.shape[0]!, 1])',
    },
    {
      name: 'one deviation for all of the batch',
      source: 'common: an axis too much in a mean, unseen where all examples are alike',
      replace: 'logVar.div(2).exp()',
      by: 'logVar.mean(0).div(2).exp()',
    },
    {
      name: 'the sign of the KL',
      source: 'Keras’ VAE example carried −½ Σ (1 + …) and +½ Σ (1 + …) for years in copies',
      replace: 'kl: klNormal(mu, logVar)',
      by: 'kl: klNormal(mu, logVar).neg()',
    },
    {
      name: 'the mean over pixels against a sum over latents',
      source: 'keras-team/keras #6015, WorldModels #12: the KL is then weighed D times, and the code collapses',
      replace: 'logCategorical(x, decode(z))',
      by: 'logCategorical(x, decode(z)).div(x.shape[1]!)',
    },
    {
      name: 'logits through two softmaxes',
      source: 'common: a network that ends in a softmax, with a loss that has its own',
      replace: 'decode(z))',
      by: 'tf.softmax(decode(z)))',
    },
    {
      name: 'no draw at all',
      source: 'common: an auto-encoder with a penalty, not a bound',
      replace: 'mu.add(deviation.mul(rng.normal(mu.shape)))',
      by: 'mu.add(deviation.mul(0))',
    },
    {
      name: 'uniform noise',
      source: 'common: rand for randn',
      replace: 'rng.normal(mu.shape)',
      by: 'rng.uniform(mu.shape)',
    },
  ],
};

export const expectedBound: Hidden = {
  checks: [
    {
      name: 'equal weights, and other numbers of draws',
      async run({ call }) {
        await checkExpected(call, 0.5, 0.5, 6, 'no spread, no gap');
        await checkExpected(call, 5, 0.25, 3, 'three draws');
        await checkExpected(call, 0.001, 7, 12, 'twelve draws');
        await checkExpected(call, 0.4, 3.6, 64, 'as many as the table has: a sum over k has K + 1 terms');
      },
    },
  ],
  mistakes: [
    {
      name: 'all numbers of a equally likely',
      source: 'common: the binomial coefficient forgotten',
      replace: 'probability *= (K - k) / (k + 1);',
      by: 'probability = 1 / (K + 1);',
    },
    {
      name: 'the sum of the weights',
      source: 'common: ln K forgotten',
      replace: '/ K);',
      by: '/ 1);',
    },
    {
      name: 'the mean outside the logarithm',
      source: 'IWAE in code: arahuja/generative-tf #1 takes the mean of the logs',
      replace: 'Math.log((k * a + (K - k) * b) / K)',
      by: '((k * Math.log(a) + (K - k) * Math.log(b)) / K)',
    },
    {
      name: 'a power of two by a shift',
      source: 'JavaScript: 1 << K has 32 bits, and is 1 again at K = 32',
      replace: '2 ** -K',
      by: '1 / (1 << K)',
    },
    {
      name: 'the limit of many draws',
      source: 'common: an estimate of p(x) without bias taken for one of ln p(x)',
      replace: 'Math.log((k * a + (K - k) * b) / K)',
      by: 'Math.log((a + b) / 2)',
    },
  ],
};

/** p(z), q(z | x) and p(x | z) of a linear world, with q the exact posterior. */
function exactInput(rng: Rng, K: number): { readonly input: ImportanceInput; readonly exact: number[] } {
  const linear = linearInput(rng, 3, [1.6, 0.8], 4, -0.4);
  const { mu, logVar } = posteriorOf(linear);
  const noise = Array.from({ length: K }, (_, k) => normal(rng, `draw ${k}`, [3, 2]).arraySync() as number[][]);
  const z = noise.map((rows) => rows.map((row, b) => row.map((e, l) => mu[b]![l]! + Math.exp(logVar[b]![l]! / 2) * e)));
  const logLikelihood = z.map((rows) =>
    rows.map((row, b) => {
      const mean = linear.mu.map((c, d) => c + row.reduce((s, v, l) => s + linear.W[d]![l]! * v, 0));
      return logNormalOf(linear.x[b]!, mean, mean.map(() => linear.logVar)); // prettier-ignore
    }),
  );
  return { input: { logLikelihood, z, mu, logVar }, exact: logMarginalOf(linear) };
}

export const importance: Hidden = {
  checks: [
    {
      name: 'where q is the posterior, the bound is ln p(x), whatever K',
      sameForAll: true,
      async run({ call, rng }) {
        for (const K of [1, 7]) {
          const { input, exact } = exactInput(rng.fork(`${K}`), K);
          const got = expectTensor(await call(...importanceArgs(input)), { what: 'the bound', shape: [3] });
          expectClose([...got.dataSync()], exact, { what: 'ln p(x)', atol: 2e-3 });
        }
      },
    },
    {
      name: 'draws counted twice change nothing; a hundred of them, and as many latents as a digit’s code has',
      sameForAll: true,
      async run({ call, rng }) {
        const input = importanceInput(rng.fork('twice'), [3, 2, 2]);
        const twice = { ...input, z: [...input.z, ...input.z], logLikelihood: [...input.logLikelihood, ...input.logLikelihood] }; // prettier-ignore
        const once = expectTensor(await call(...importanceArgs(input)), { shape: [2] });
        expectClose(await call(...importanceArgs(twice)), once, { what: 'the bound', atol: 1e-3 });
        await checkImportance(call, importanceInput(rng.fork('many'), [100, 3, 16], -90), 'ln (1/K) Σ w');
      },
    },
  ],
  mistakes: [
    {
      name: 'the mean outside the logarithm',
      source: 'arahuja/generative-tf #1 asks of just this',
      replace: 'logMeanExp(logLikelihood.add(ratio.reshape([K, B])), 0)',
      by: 'logLikelihood.add(ratio.reshape([K, B])).mean(0)',
    },
    {
      name: 'the KL in closed form',
      source: 'AntixK/PyTorch-VAE #34, #53: Burda et al. say that no such trick is there for K > 1',
      replace: 'logMeanExp(logLikelihood.add(ratio.reshape([K, B])), 0)',
      by: 'logMeanExp(logLikelihood.sub(klNormal(mu, logVar).add(ratio.mul(0).reshape([K, B]))), 0)',
    },
    {
      name: 'weights times logarithms of weights',
      source: 'AntixK/PyTorch-VAE: the gradient’s weights are put on the values as well',
      replace: 'return logMeanExp(logLikelihood.add(ratio.reshape([K, B])), 0);',
      by: 'const logW = logLikelihood.add(ratio.reshape([K, B]));\n  return tf.softmax(logW.transpose()).mul(logW.transpose()).sum(1);',
    },
    {
      name: 'no ln K',
      source: 'common: log-sum-exp for log-mean-exp, as in scvi-tools #13 at first',
      replace: 'logMeanExp(logLikelihood.add(ratio.reshape([K, B])), 0)',
      by: 'tf.logSumExp(logLikelihood.add(ratio.reshape([K, B])), 0)',
    },
    {
      name: 'the largest of the batch taken out',
      source: 'common: a maximum without its axis; an example far below the largest underflows',
      replace: 'return logMeanExp(logLikelihood.add(ratio.reshape([K, B])), 0);',
      by: 'const logW = logLikelihood.add(ratio.reshape([K, B]));\n  return logW.sub(logW.max()).exp().mean(0).log().add(logW.max());',
    },
    {
      name: 'q over p',
      source: 'common: the sign of the ratio',
      replace: 'logLikelihood.add(ratio.reshape([K, B]))',
      by: 'logLikelihood.sub(ratio.reshape([K, B]))',
    },
    {
      name: 'the prior forgotten',
      source: 'common: ln p(x | z) − ln q(z | x)',
      replace: 'log(tf.zerosLike(mu), tf.zerosLike(mu)).sub(log(mu, logVar))',
      by: 'log(mu, logVar).neg()',
    },
  ],
};
