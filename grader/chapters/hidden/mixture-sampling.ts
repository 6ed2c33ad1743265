/** Chapter 3, for graders: ancestral sampling. */
import { drawSamples, expectMoments, ownerOf, type Mixture } from '../checks/mixture-sampling';
import { expectWithin, matrixTensor } from '../checks/common';
import { expectClose, expectTrue } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

/** As far apart as the public mixtures, with variances over three orders of magnitude. */
const CORNERS: Mixture = {
  pi: [0.1, 0.2, 0.3, 0.4],
  mu: [
    [70, 70, 70],
    [70, -70, -70],
    [-70, 70, -70],
    [-70, -70, 70],
  ],
  logVar: [
    [-4, 0, 2],
    [1, 3, -1],
    [0, -3, 1],
    [2, -1, 3],
  ],
};

const sampleChecks: readonly Check[] = [
  {
    name: 'four components in three dimensions: shares, means and variances',
    async run({ call, rng }) {
      const rows = await drawSamples(call, CORNERS, rng.fork('samples'));
      CORNERS.pi.forEach((p, k) => {
        const share = rows.filter((row) => ownerOf(row, CORNERS) === k).length / rows.length;
        expectWithin(share, p, Math.sqrt((p * (1 - p)) / rows.length), `the share of component ${k}`);
      });
      expectMoments(rows, CORNERS);
    },
  },
  {
    name: 'the same rng with means moved and deviations doubled gives the samples moved and stretched',
    async run({ call, rng }) {
      const { pi, mu, logVar } = CORNERS;
      const before = await drawSamples(call, CORNERS, rng.fork('samples'), 40);
      const changed = {
        pi,
        mu: mu.map((m) => m.map((v) => v + 7)),
        logVar: logVar.map((l) => l.map((v) => v + 2 * Math.log(2))),
      };
      const after = await drawSamples(call, changed, rng.fork('samples'), 40);
      const expected = before.map((row) => {
        const centre = mu[ownerOf(row, CORNERS)];
        expectTrue(centre !== undefined, 'every sample near one of the means', `[${row.join(', ')}]`);
        return row.map((v, d) => centre![d]! + 7 + 2 * (v - centre![d]!));
      });
      expectClose(matrixTensor(after), matrixTensor(expected), { what: 'the samples', atol: 1e-3 });
    },
  },
];

const sampleMistakes: readonly Mistake[] = [
  {
    name: 'scaled by the variance',
    source: 'the mixture priors of jmtomczak/intro_dgm draw with std = exp(logvar)',
    replace: '.mul(0.5).exp()',
    by: '.exp()',
  },
  {
    name: 'a component of its own for every coordinate',
    source: 'common: samples then lie on a grid between the clusters',
    replace: 'return tf.gather(mu, k).add(',
    by: 'const other = rng.fork("other").uniform([count, 1]).greaterEqual(below.expandDims(0)).sum(1).toInt() as tf.Tensor1D;\n  return tf.concat([tf.gather(mu, k).slice([0, 0], [-1, 1]), tf.gather(mu, other).slice([0, 1])], 1).add(',
  },
  {
    name: 'weights ignored',
    source: 'common: components drawn uniformly',
    replace: 'pi.cumsum()',
    by: 'tf.onesLike(pi).div(pi.shape[0]!).cumsum()',
  },
  {
    name: 'one stream for both draws',
    source: 'common: two forks with the same label are the same stream, so the noise knows the component',
    replace: "rng.fork('noise')",
    by: "rng.fork('component')",
  },
  {
    name: 'the same noise for every coordinate',
    source: 'common: [count, 1] broadcasts without complaint',
    replace: "rng.fork('noise').normal([count, mu.shape[1]!])",
    by: "rng.fork('noise').normal([count, 1])",
  },
  {
    name: 'own randomness',
    source: 'common: tf.randomNormal in place of the given rng',
    replace: "rng.fork('noise').normal([count, mu.shape[1]!])",
    by: 'tf.randomNormal([count, mu.shape[1]!])',
  },

  {
    name: 'noise clipped to two standard deviations',
    source:
      'the truncation trick of image generators (Brock, Donahue and Simonyan, 2019): tidier samples of another model',
    replace: "rng.fork('noise').normal([count, mu.shape[1]!])",
    by: "rng.fork('noise').normal([count, mu.shape[1]!]).clipByValue(-2, 2)",
  },
];

export const sample: Hidden = { checks: sampleChecks, mistakes: sampleMistakes };
