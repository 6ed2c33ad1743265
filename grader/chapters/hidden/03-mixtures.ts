/**
 * Chapter 3, for graders: hidden checks, which know the exercises by other inputs and other laws than the public
 * ones, and the known mistakes. None of it is released.
 */
import * as tf from '@tensorflow/tfjs';
import { permutation, type Rng } from 'dgm';
import {
  checkLogMixture,
  checkLogNormal,
  checkMStep,
  checkResponsibilities,
  chosenBy,
  drawSamples,
  emInput,
  exactEm,
  expectMoments,
  listed,
  logJointOf,
  ownerOf,
  randomResponsibilities,
  runEm,
  tablesFrom,
  type Candidate,
  type Mixture,
} from '../checks/03-mixtures';
import { expectWithin, integers, logNormalOf, matrix, matrixTensor, normal, softmax, vector } from '../checks/common';
import { describe, expectClose, expectTensor, expectTrue } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

/** The order in which permuted components come. */
const shuffled = (rng: Rng, K: number) => tf.tensor1d(permutation(K, rng.fork('order')), 'int32');

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
    run: ({ call, rng }) => checkLogNormal(call, rng, 7, 10, 64),
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

const mStepChecks: readonly Check[] = [
  {
    name: 'twice the data and twice α give the same parameters, in whatever order the examples come',
    async run({ call, rng }) {
      const [x, r] = [integers(rng, 'x', [15, 3], 3), randomResponsibilities(rng, 15, 4)];
      const once = await tablesFrom(await call(x, r, 3, 0.6), 4, 3, 3);
      const twice = await tablesFrom(await call(tf.concat([x, x]), tf.concat([r, r]), 3, 1.2), 4, 3, 3);
      expectClose(twice, once, { what: 'the parameters of twice the data', atol: 1e-4 });
      const order = shuffled(rng, 15);
      const mixed = await tablesFrom(await call(tf.gather(x, order), tf.gather(r, order), 3, 0.6), 4, 3, 3);
      expectClose(mixed, once, { what: 'the parameters of the data in another order', atol: 1e-4 });
    },
  },
  {
    name: 'agrees with the formulas for five components and seventeen values',
    run: ({ call, rng }) =>
      checkMStep(call, {
        x: integers(rng, 'x', [100, 6], 17),
        r: randomResponsibilities(rng, 100, 5),
        values: 17,
        alpha: 0.25,
      }),
  },
];

const mStepMistakes: readonly Mistake[] = [
  {
    name: 'responsibilities ignored: every component counts every example',
    source: 'common: the components then never differ',
    replace: 'r.matMul(indicator, true)',
    by: 'tf.onesLike(r).matMul(indicator, true)',
  },
  {
    name: 'normalised over the coordinates',
    source: 'common: wrong axis',
    replace: 'counts.sum(2, true)',
    by: 'counts.sum(1, true)',
  },
  {
    name: 'probabilities in place of logarithms',
    source: 'common',
    replace: 'sizes.div(sizes.sum()).log()',
    by: 'sizes.div(sizes.sum())',
  },
  {
    name: 'no imaginary examples for the components',
    source: 'common: an empty component gets weight 0 and never returns',
    replace: 'const sizes = r.sum(0).add(alpha)',
    by: 'const sizes = r.sum(0)',
  },
  {
    name: 'imaginary examples added after normalising',
    source: 'common: the table no longer sums to 1',
    replace: 'logTheta: counts.div(counts.sum(2, true)).log()',
    by: 'logTheta: counts.sub(alpha).div(counts.sub(alpha).sum(2, true)).add(alpha).log()',
  },
];

const emLoopChecks: readonly Check[] = [
  {
    name: 'three iterations, and two more from where they ended, are five',
    async run({ call, rng }) {
      const input = emInput(rng, 0.5);
      const three = await runEm(call, input, 3);
      const tables = { logPi: vector(three.logPi), logTheta: three.logTheta.arraySync() as number[][][] };
      const start = matrixTensor(logJointOf(matrix(input.x), tables).map(softmax));
      const more = await runEm(call, { ...input, start }, 2);
      const five = await runEm(call, input, 5);
      expectClose([...three.nats, ...more.nats], five.nats, { what: 'nats of 3 + 2 iterations', atol: 1e-3 });
      const [got, expected] = [more, five].map(({ logPi, logTheta }) => ({ logPi, logTheta }));
      expectClose(got, expected, { what: 'the parameters after 3 + 2 iterations', atol: 1e-2 });
    },
  },
  {
    name: 'agrees with exact EM for four components and seventeen values',
    async run({ call, rng }) {
      const x = integers(rng, 'x', [60, 5], 17);
      const input = { x, start: randomResponsibilities(rng, 60, 4), values: 17, alpha: 0.3 };
      const expected = exactEm(input, 4);
      const { logPi, logTheta, nats } = await runEm(call, input, 4);
      expectClose(nats, expected.nats, { what: 'nats', atol: 1e-3 });
      expectClose(logPi, tf.tensor1d(expected.logPi), { what: 'logPi', atol: 1e-2 });
      expectClose(logTheta, tf.tensor3d(expected.logTheta), { what: 'logTheta', atol: 1e-2 });
    },
  },
];

const emLoopMistakes: readonly Mistake[] = [
  {
    name: 'component weights left out of the E-step',
    source: 'common: right only while all components are equally large',
    replace: '.add(present.logPi)',
    by: '',
  },
  {
    name: 'sum in place of mean',
    source: 'common: nats per data set, not per example',
    replace: '.mean()',
    by: '.sum()',
  },
  {
    name: 'no E-step: the responsibilities never change',
    source: 'common: EM without E converges at once, to nothing',
    replace: 'r = tf.tidy(() => responsibilities(logJoint))',
    by: 'r = start.clone()',
  },
  {
    name: 'one iteration short',
    source: 'common',
    replace: 'i < iterations;',
    by: 'i < Math.max(1, iterations - 1);',
  },
];

/** A hundred models in any order; the larger ones tend to be better, and neighbours overlap. */
function hundred(rng: Rng): Candidate[] {
  const u = rng.uniform([100, 3]).arraySync() as number[][];
  const candidates = u.map(([a, b, c], i) => ({
    components: 2 * i + 3,
    train: 300 * c!,
    validation: 120 - 0.2 * i + 6 * a!,
    standardError: 0.3 + 3 * b!,
  }));
  return [...permutation(candidates.length, rng.fork('order'))].map((i) => candidates[i]!);
}

const chooseComponentsChecks: readonly Check[] = [
  {
    name: 'another unit and another zero of the losses change no choice',
    async run({ call, rng }) {
      for (let list = 1; list <= 5; list++) {
        const candidates = hundred(rng.fork(`list ${list}`)).slice(0, 8);
        const bits = candidates.map((c) => ({
          ...c,
          validation: c.validation / Math.LN2 - 200,
          standardError: c.standardError / Math.LN2,
        }));
        const [got, wanted] = [await call(bits), chosenBy(candidates)];
        expectTrue(got === wanted, `K = ${wanted} for ${listed(bits)}`, describe(got));
      }
    },
  },
  {
    name: 'agrees with the rule among a hundred models, whatever their training losses',
    async run({ call, rng }) {
      const candidates = hundred(rng);
      const [got, wanted] = [await call(candidates), chosenBy(candidates)];
      expectTrue(got === wanted, `K = ${wanted} among a hundred models`, describe(got));
    },
  },
];

const chooseComponentsMistakes: readonly Mistake[] = [
  {
    name: 'chooses by the training likelihood',
    source: 'common: it always prefers the largest model',
    replace: 'b.validation < a.validation ? b : a',
    by: 'b.train < a.train ? b : a',
  },
  {
    name: 'takes the lowest validation loss',
    source: 'common: noise of the measurement taken for merit',
    replace: 'best.validation + best.standardError',
    by: 'best.validation',
  },
  {
    name: 'takes the largest model within the limit',
    source: 'common: the rule is there to prefer the simplest',
    replace: 'Math.min(',
    by: 'Math.max(',
  },
  {
    name: 'each model gets its own standard error',
    source: 'common: a badly measured model then looks good',
    replace: 'c.validation <= limit',
    by: 'c.validation <= best.validation + c.standardError',
  },
];

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
];

const logMixtureChecks: readonly Check[] = [
  {
    name: 'lies between the densities of its components, and is the same when one is split into two halves',
    async run({ call, rng }) {
      const between = [4, -4, 4, -4, 4, 4, 4, 4, -4, -4, -4, 4]; // corners where no component is
      const z = normal(rng, 'z', [4, 3], 0.3).add(tf.tensor2d(between, [4, 3]));
      const ends = tf.tensor2d([4, 4, 4, -4, -4, -4], [2, 3]);
      const [logits, mu] = [normal(rng, 'logits', [2]), ends.add(normal(rng, 'mu', [2, 3], 0.1))];
      const logVar = normal(rng, 'logVar', [2, 3], 0.3);
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
        {
          z: normal(rng, 'z', [8, 10], 1.5),
          logits: normal(rng, 'logits', [7]),
          mu: normal(rng, 'mu', [7, 10], 1.5),
          logVar: normal(rng, 'logVar', [7, 10], 0.7),
        },
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

export const hidden: Readonly<Record<string, Hidden>> = {
  'mixture.logNormal': { checks: logNormalChecks, mistakes: logNormalMistakes },
  'mixture.responsibilities': { checks: responsibilitiesChecks, mistakes: responsibilitiesMistakes },
  'mixture.mStep': { checks: mStepChecks, mistakes: mStepMistakes },
  'mixture.emLoop': { checks: emLoopChecks, mistakes: emLoopMistakes },
  'mixture.chooseComponents': { checks: chooseComponentsChecks, mistakes: chooseComponentsMistakes },
  'mixture.sample': { checks: sampleChecks, mistakes: sampleMistakes },
  'mixture.logMixture': { checks: logMixtureChecks, mistakes: logMixtureMistakes },
};
