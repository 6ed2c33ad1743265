/**
 * Chapter 1, for graders: hidden checks, which know the exercises by other inputs and other laws than the public
 * ones, and the known mistakes. None of it is released.
 */
import * as tf from '@tensorflow/tfjs';
import { matrix, matrixTensor, normal, vector } from '../checks/common';
import {
  bell,
  checkAdversarial,
  checkDecide,
  checkDecline,
  checkGridDensity,
  checkPartition,
  couplings,
  declineInput,
  logFrequencies,
  pixels,
} from '../checks/01-why';
import { checkChain, checkDeclinedShare, checkOddness } from '../checks/why-counting';
import { expectClose, expectFields, expectTensor } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

const decideChecks: readonly Check[] = [
  {
    name: 'a class split into two halves keeps its posterior, and p(x) does not change',
    law: true,
    sameForAll: true,
    async run({ call, rng }) {
      const [logGiven, logPrior] = [normal(rng, 'a', [6, 3], 3), logFrequencies(rng, 3)];
      const answer = async (a: tf.Tensor, prior: readonly number[]) => {
        const { posterior, logP } = expectFields(await call(a, tf.tensor1d([...prior])), ['posterior', 'logP']);
        return { posterior: expectTensor(posterior, { what: 'posterior' }), logP };
      };
      const here = await answer(logGiven, logPrior);
      const half = logPrior[0]! - Math.log(2);
      const split = await answer(tf.concat([logGiven, logGiven.slice([0, 0], [6, 1])], 1), [
        half,
        ...logPrior.slice(1),
        half,
      ]);
      expectClose(split.logP, here.logP, { what: 'logP', atol: 1e-3 });
      const first = matrix(split.posterior).map((row) => [row[0]! + row[3]!, row[1]!, row[2]!]);
      expectClose(matrixTensor(first), here.posterior, { what: 'posterior', atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formula for 100 inputs and 10 classes, hundreds of nats apart',
    sameForAll: true,
    run: ({ call, rng }) =>
      checkDecide(call, normal(rng, 'a', [100, 10], 200), logFrequencies(rng, 10), 'stay on the log scale'),
  },
];

const decideMistakes: readonly Mistake[] = [
  {
    name: 'the prior forgotten',
    source: 'common: right only while all classes are equally frequent',
    replace: 'logGiven.add(logPrior)',
    by: 'logGiven.add(logPrior.mul(0))',
  },
  {
    name: 'the largest term for the sum',
    source: 'common: ln p(x) taken from the most probable class alone',
    replace: 'logSumExp(joint, 1)',
    by: 'joint.max(1)',
  },
  {
    name: 'normalised over the batch',
    source: 'common: wrong axis',
    replace: 'joint.sub(logP.expandDims(1)).exp()',
    by: 'tf.softmax(joint.transpose()).transpose()',
  },
  {
    name: 'off the log scale',
    source: 'common: underflow of exp',
    replace: 'logSumExp(joint, 1)',
    by: 'joint.exp().sum(1).log()',
  },
  {
    name: 'one largest term for the whole batch',
    source: 'common: inputs far below the likeliest of the batch underflow',
    replace: 'logSumExp(joint, 1)',
    by: 'joint.sub(joint.max()).exp().sum(1).log().add(joint.max())',
  },
];

const declinedShareChecks: readonly Check[] = [
  {
    name: 'agrees with counting ranks for other sizes',
    async run({ call }) {
      for (const [N, alpha] of [
        [2, 0.75],
        [10, 0.35],
        [16, 0.5],
        [64, 0.125],
        [99, 0.07],
      ] as const)
        // prettier-ignore
        await checkDeclinedShare(call, N, alpha);
    },
  },
];

const declinedShareMistakes: readonly Mistake[] = [
  { name: 'alpha', source: 'common: the share that was asked for, as if N were infinite', replace: 'Math.ceil(alpha * N) / (N + 1)', by: 'alpha + 0 * N' }, // prettier-ignore
  { name: 'x is not counted', source: 'common: N places in place of N + 1', replace: 'Math.ceil(alpha * N) / (N + 1)', by: 'Math.ceil(alpha * N) / N' }, // prettier-ignore
  { name: 'rounded down', source: 'common: rank 0 forgotten', replace: 'Math.ceil', by: 'Math.floor' },
];

const chainChecks: readonly Check[] = [
  {
    name: 'read from its other end the chain has the same Z, and a pair of weight 0 cuts it in two',
    async run({ call, rng }) {
      const [b, J] = [vector(normal(rng, 'b', [6])), vector(normal(rng, 'J', [5], 2))];
      await checkChain(call, { b: b.toReversed(), J: J.toReversed() });
      await checkChain(call, { b, J: J.map((w, d) => (d === 2 ? 0 : w)) });
    },
  },
  {
    name: 'agrees with a product of matrices for 64 pixels with strong pairs',
    sameForAll: true,
    run: ({ call, rng }) =>
      checkChain(call, { b: vector(normal(rng, 'b', [64], 5)), J: vector(normal(rng, 'J', [63], 20)) }),
  },
];

const chainMistakes: readonly Mistake[] = [
  { name: 'off the log scale', source: 'common: overflow of exp', replace: 'largest + Math.log(Math.exp(p - largest) + Math.exp(q - largest))', by: 'Math.log(Math.exp(p) + Math.exp(q)) + 0 * largest' }, // prettier-ignore
  { name: 'spins of −1 and 1', source: 'common: another model', replace: 'add(off, on), add(off, on + J[d - 1]!) + b[d]!', by: 'add(off + J[d - 1]!, on - J[d - 1]!) - b[d]!, add(off - J[d - 1]!, on + J[d - 1]!) + b[d]!' }, // prettier-ignore
  { name: 'the largest for the sum', source: 'common: the most probable pattern, which is another question', replace: 'return largest + Math.log(Math.exp(p - largest) + Math.exp(q - largest));', by: 'return largest;' }, // prettier-ignore
  { name: 'the first weight forgotten', source: 'common: the chain starts with a pair', replace: '[0, b[0]!]', by: '[0, 0 * b[0]!]' }, // prettier-ignore
];

const oddnessChecks: readonly Check[] = [
  {
    name: 'where no digit is',
    run: ({ call }) => checkOddness(call, 'all black, histogram'),
  },
];

const oddnessMistakes: readonly Mistake[] = [
  { name: 'black is odd', source: 'common: no digit is all black, so its probability must be low', replace: "'all black, histogram': -1", by: "'all black, histogram': 1" }, // prettier-ignore
  { name: 'the histogram sees the shuffling', source: 'common: what we see, it sees', replace: "'shuffled, histogram': 0", by: "'shuffled, histogram': 1" }, // prettier-ignore
  { name: 'the mixture does not', source: 'common: given its component, pixels are independent', replace: "'shuffled, mixture': 1", by: "'shuffled, mixture': 0" }, // prettier-ignore
];

const decideOrDeclineChecks: readonly Check[] = [
  {
    name: 'another unit and zero of the log-densities changes no decision, and alpha = 0 declines nothing',
    async run({ call, rng }) {
      const { posterior, logP, heldOut, alpha } = declineInput(rng, 25, 3, 40, 0.3);
      const here = expectTensor(await call(posterior, logP, heldOut, alpha), { dtype: 'int32', shape: [25] });
      const other = await call(posterior, logP.mul(2).sub(64), heldOut.mul(2).sub(64), alpha);
      expectClose(other, here, { what: 'the decisions in another unit' });
      await checkDecline(call, { posterior, logP, heldOut, alpha: 0 }, 'nothing is less than 0');
    },
  },
  {
    name: 'agrees with counting for 200 inputs, 10 classes and 350 held-out inputs',
    run: ({ call, rng }) => checkDecline(call, declineInput(rng, 200, 10, 350, 0.05), 'the share at most as likely'),
  },
];

const decideOrDeclineMistakes: readonly Mistake[] = [
  {
    name: 'declines where the posterior is unsure',
    source: 'common: p(y | x) asked in place of p(x)',
    replace: 'share.less(alpha)',
    by: 'posterior.max(1).add(share.mul(0)).less(1 - alpha)',
  },
  {
    name: 'the share that is more likely',
    source: 'common: the comparison the wrong way round',
    replace: 'heldOut.expandDims(0).lessEqual(',
    by: 'heldOut.expandDims(0).greaterEqual(',
  },
  {
    name: 'an input as odd as the oddest is declined',
    source: 'common: less for at most',
    replace: '.lessEqual(',
    by: '.less(',
  },
  {
    name: 'the least probable class',
    source: 'common: of a loss one takes the smallest, of a probability the largest',
    replace: 'posterior.argMax(1)',
    by: 'posterior.argMin(1)',
  },
];

const adversarialChecks: readonly Check[] = [
  {
    name: 'epsilon = 0 changes nothing, and two steps of 1 up a slope are one of 2',
    async run({ call, rng }) {
      const x = pixels(rng, [5, 4], 8);
      const hint = 'x plus epsilon times the sign';
      await checkAdversarial(call, { loss: 'wave', x, epsilon: 0, largest: 9 }, hint);
      await checkAdversarial(call, { loss: 'slope', x, epsilon: 2, largest: 9 }, hint);
      await checkAdversarial(call, { loss: 'slope', x: x.sub(1).maximum(0), epsilon: 1, largest: 9 }, hint);
    },
  },
  {
    name: 'agrees with the formula for 30 images of 64 pixels',
    async run({ call, rng }) {
      for (const loss of ['wave', 'bowl'] as const)
        await checkAdversarial(
          call,
          { loss, x: pixels(rng.fork(loss), [30, 64], 16), epsilon: 1.5, largest: 16 },
          'every pixel by epsilon, within the scale',
        );
    },
  },
];

const adversarialMistakes: readonly Mistake[] = [
  {
    name: 'down the loss',
    source: 'common: the sign of training, which helps the classifier',
    replace: 'x.add(direction',
    by: 'x.sub(direction',
  },
  {
    name: 'the gradient in place of its sign',
    source: 'common: pixels then move by amounts that depend on the scale of the loss',
    replace: 'tf.grad(loss)(x).sign()',
    by: 'tf.grad(loss)(x)',
  },
  {
    name: 'the gradient divided by its size',
    source: 'common: 0 / 0 where the loss does not depend on a pixel',
    replace: 'tf.grad(loss)(x).sign()',
    by: '((g: tf.Tensor) => g.div(g.abs()))(tf.grad(loss)(x))',
  },
  {
    name: 'up or down, and never still',
    source: 'common: pixels on which nothing depends move as well',
    replace: 'tf.grad(loss)(x).sign()',
    by: 'tf.grad(loss)(x).greaterEqual(0).toFloat().mul(2).sub(1)',
  },
  {
    name: 'not clipped',
    source: 'common: pixels darker than black, for which no model of images has a probability',
    replace: '.clipByValue(0, largest)',
    by: '.add(0 * largest)',
  },
  {
    name: 'clipped before the step',
    source: 'common: the scale holds for the image before, not after',
    replace: 'x.add(direction.mul(epsilon)).clipByValue(0, largest)',
    by: 'x.clipByValue(0, largest).add(direction.mul(epsilon))',
  },
];

const logPartitionChecks: readonly Check[] = [
  {
    name: 'two groups of pixels that do not touch multiply their Z',
    law: true,
    async run({ call, rng }) {
      const lnZ = async (b: readonly number[], J: readonly (readonly number[])[]) =>
        expectTensor(await call(tf.tensor1d([...b]), matrixTensor(J)), { what: 'ln Z', shape: [] }).dataSync()[0]!;
      const [b, c] = [vector(normal(rng, 'b', [3])), vector(normal(rng, 'c', [4]))];
      const [J, L] = [couplings(rng.fork('J'), 3, 1), couplings(rng.fork('L'), 4, 1)];
      const apart = [...J.map((row) => [...row, 0, 0, 0, 0]), ...L.map((row) => [0, 0, 0, ...row])];
      const sum = (await lnZ(b, J)) + (await lnZ(c, L));
      expectClose(await lnZ([...b, ...c], apart), sum, { what: 'ln Z of both', rtol: 1e-4, atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the sum over the 1,024 patterns of ten pixels',
    sameForAll: true,
    run: ({ call, rng }) =>
      checkPartition(call, vector(normal(rng, 'b', [10])), couplings(rng, 10, 0.7), 'all 2^D patterns'),
  },
];

const logPartitionMistakes: readonly Mistake[] = [
  {
    name: 'every pair twice',
    source: 'common: the half of the quadratic form forgotten',
    replace: '.mul(0.5)',
    by: '',
  },
  {
    name: 'spins of −1 and 1',
    source: 'common: another model; both conventions are in use',
    replace: 'tf.tensor2d(bits, [2 ** D, D])',
    by: 'tf.tensor2d(bits, [2 ** D, D]).mul(2).sub(1)',
  },
  {
    name: 'exp without a shift',
    source: 'common: overflows at 89 in 32 bits',
    replace: 'logSumExp(x.mul(b).sum(1).add(pairs), 0)',
    by: 'x.mul(b).sum(1).add(pairs).exp().sum().log()',
  },
  {
    name: 'the mean over the patterns',
    source: 'common: D ln 2 is missing',
    replace: 'logSumExp(x.mul(b).sum(1).add(pairs), 0)',
    by: 'logSumExp(x.mul(b).sum(1).add(pairs), 0).sub(D * Math.LN2)',
  },
];

const gridDensityChecks: readonly Check[] = [
  {
    name: 'a number added to f changes nothing, and stretching the axis by 2 halves the density',
    async run({ call, rng }) {
      const f = normal(rng, 'f', [20], 2);
      const here = expectTensor(await call(f, 0.3), { what: 'the density', shape: [20] });
      expectClose(await call(f.add(40), 0.3), here, { what: 'the density of f + 40', rtol: 1e-3, atol: 1e-6 });
      expectClose(await call(f, 0.6), here.div(2), { what: 'the density, stretched', rtol: 1e-3, atol: 1e-6 });
    },
  },
  {
    name: 'agrees with the formula on a grid of 3,001 points',
    run: ({ call }) => checkGridDensity(call, bell(0.004), 0.004, 'exp f over Z'),
  },
];

const gridDensityMistakes: readonly Mistake[] = [
  {
    name: 'probabilities of cells',
    source: 'phlippe/uvadlc_notebooks#57: the plotted density has another area than 1',
    replace: 'tf.softmax(f).div(step)',
    by: 'tf.softmax(f)',
  },
  {
    name: 'multiplied by the width',
    source: 'common: the wrong way round',
    replace: 'tf.softmax(f).div(step)',
    by: 'tf.softmax(f).mul(step)',
  },
  {
    name: 'exp without a shift',
    source: 'common: overflow and underflow',
    replace: 'tf.softmax(f).div(step)',
    by: 'f.exp().div(f.exp().sum().mul(step))',
  },
  {
    name: 'the sign of the energy',
    source: 'phlippe/uvadlc_notebooks#60: E against −E',
    replace: 'tf.softmax(f).div(step)',
    by: 'tf.softmax(f.neg()).div(step)',
  },
];

export const hidden: Readonly<Record<string, Hidden>> = {
  'why.decide': { checks: decideChecks, mistakes: decideMistakes },
  'why.declinedShare': { checks: declinedShareChecks, mistakes: declinedShareMistakes },
  'why.decideOrDecline': { checks: decideOrDeclineChecks, mistakes: decideOrDeclineMistakes },
  'why.adversarial': { checks: adversarialChecks, mistakes: adversarialMistakes },
  'why.logPartition': { checks: logPartitionChecks, mistakes: logPartitionMistakes },
  'why.chainLogPartition': { checks: chainChecks, mistakes: chainMistakes },
  'why.gridDensity': { checks: gridDensityChecks, mistakes: gridDensityMistakes },
  'why.oddness': { checks: oddnessChecks, mistakes: oddnessMistakes },
};
