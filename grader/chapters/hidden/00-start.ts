/**
 * Chapter 0, for graders: hidden checks, which know the exercises by other inputs and other laws than the public
 * ones, and the known mistakes. None of it is released.
 */
import * as tf from '@tensorflow/tfjs';
import { checkLoss, checkShare, checkStandardise, COUNT, FIXED, throwTwo } from '../checks/00-start';
import { checkDieGradient, checkEndOfTraining, checkShareOfSum } from '../checks/start-die';
import { expectWithin, integers, matrixTensor, meanOf, normal, vector } from '../checks/common';
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

const standardiseChecks: readonly Check[] = [
  {
    name: 'another unit and another zero of the data change nothing, and standardising twice is once',
    law: true,
    async run({ call, rng }) {
      const x = normal(rng, 'x', [20, 3]);
      const once = expectTensor(await call(x), { what: 'the columns', shape: [20, 3] });
      const moved = await call(x.mul(tf.tensor1d([2, 30, 0.5])).add(tf.tensor1d([1, -20, 3])));
      expectClose(moved, once, { what: 'the columns in another unit', rtol: 1e-3, atol: 1e-3 });
      expectClose(await call(once), once, { what: 'the columns, twice', rtol: 1e-3, atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formula for 200 examples of 64 numbers',
    run: ({ call, rng }) => checkStandardise(call, normal(rng, 'x', [200, 64], 8)),
  },
  {
    name: 'works for numbers of the size of a femtometre, and of a light year',
    async run({ call }) {
      for (const unit of [1e-15, 1e15])
        await checkStandardise(call, matrixTensor(FIXED.map((row) => row.map((v) => v * unit))), 'in any unit');
    },
  },
];

const standardiseMistakes: readonly Mistake[] = [
  {
    name: 'mean of each row',
    source: 'common: wrong axis',
    replace: 'x.sub(x.mean(0))',
    by: 'x.sub(x.mean(1, true))',
  },
  {
    name: 'one variance for all columns',
    source: 'common: no axis given',
    replace: 'centred.square().mean(0)',
    by: 'centred.square().mean()',
  },
  {
    name: 'divided by the variance',
    source: 'bjlkeng/sandbox#10: standard deviation against variance',
    replace: 'variance.sqrt()',
    by: 'variance',
  },
  {
    name: 'divided by N − 1',
    source: 'common: the variance of the data themselves was asked for',
    replace: 'centred.square().mean(0)',
    by: 'centred.square().sum(0).div(x.shape[0]! - 1)',
  },
  {
    name: 'a constant added to the variance',
    source: 'common: as in batch normalisation; columns of small numbers then shrink',
    replace: 'variance.sqrt()',
    by: 'variance.add(1e-5).sqrt()',
  },
  {
    name: 'a constant added to the deviation',
    source: 'common: keras’ epsilon of 1e-7; columns of very small numbers then shrink',
    replace: 'variance.sqrt()',
    by: 'variance.sqrt().add(1e-7)',
  },
  {
    name: 'E[x²] − m²',
    source: 'common: cancellation in 32 bits, far from 0',
    replace: 'centred.square().mean(0)',
    by: 'x.square().mean(0).sub(x.mean(0).square())',
  },
];

const twoDiceChecks: readonly Check[] = [
  {
    name: 'the variance of the sum is 35/6, and throws are independent of the one before',
    async run({ call, rng }) {
      const sums = await throwTwo(call, rng.fork('many'), COUNT);
      // a fair die has variance 35/12 and fourth central moment 707/48
      const [variance, fourth] = [35 / 6, 2 * (707 / 48) + 6 * (35 / 12) ** 2];
      const centred = sums.map((s) => s - 7);
      const error = Math.sqrt((fourth - variance ** 2) / COUNT);
      expectWithin(meanOf(centred.map((c) => c ** 2)), variance, error, 'the variance', 'two independent dice');
      const product = meanOf(centred.slice(1).map((c, n) => c * centred[n]!));
      expectWithin(product, 0, variance / Math.sqrt(COUNT - 1), 'the covariance with the throw before');
    },
  },
  {
    name: 'a single throw is the sum of two dice, and odd in half of all cases',
    async run({ call, rng }) {
      const seen = [];
      for (let n = 0; n < 800; n++) seen.push((await throwTwo(call, rng.fork(`throw ${n}`), 1))[0]!);
      expectWithin(meanOf(seen), 7, Math.sqrt(35 / 6 / seen.length), 'the mean of 800 single throws');
      const odd = meanOf(seen.map((sum) => sum % 2));
      expectWithin(odd, 0.5, Math.sqrt(0.25 / seen.length), 'the share of odd ones', 'two dice, not one twice');
    },
  },
];

const twoDiceMistakes: readonly Mistake[] = [
  {
    name: 'one stream for both dice',
    source: 'common: two forks with the same label are the same stream, so only doubles come',
    replace: "throwOne('two')",
    by: "throwOne('one')",
  },
  {
    name: 'the other die is the first one read backwards',
    source: 'common: the same numbers in another order; every throw then has a twin, and a single one is a double',
    replace: "throwOne('two')",
    by: "throwOne('one').reverse()",
  },
  {
    name: 'rounded in place of rounded down',
    source: 'common: seven faces, the outer ones half as likely',
    replace: '.floor()',
    by: '.round()',
  },
  {
    name: 'faces from 0',
    source: 'common: off by one',
    replace: '.add(1)',
    by: '',
  },
  {
    name: 'own randomness',
    source: 'common: tf.randomUniform in place of the given rng',
    replace: 'rng.fork(label).uniform([count])',
    by: 'tf.randomUniform([count], 0 * label.length, 1)',
  },
  {
    name: 'a rounded bell curve',
    source: 'common: mean and variance of the sum, and not its shape',
    replace: "return throwOne('one').add(throwOne('two'));",
    by: "return rng.fork('bell').normal([count]).mul(Math.sqrt(35 / 6)).add(throwOne('one').mul(0)).add(7).round().clipByValue(2, 12);",
  },
];

const dieLossChecks: readonly Check[] = [
  {
    name: 'is the mean of the losses of single throws, in whatever order',
    law: true,
    async run({ call, rng }) {
      const [logits, x] = [normal(rng, 'logits', [7], 1.5), integers(rng, 'x', [8], 7)];
      const each = [];
      for (const face of vector(x))
        each.push(expectTensor(await call(logits, tf.tensor1d([face])), { what: 'the loss', shape: [] }));
      const expected = tf.stack(each).mean();
      expectClose(await call(logits, x), expected, { what: 'the loss of all', atol: 1e-4 });
      expectClose(await call(logits, x.reverse()), expected, { what: 'the loss in another order', atol: 1e-4 });
    },
  },
  {
    name: 'agrees with the formula for 500 throws of a die with 100 faces',
    sameForAll: true,
    run: ({ call, rng }) => checkLoss(call, normal(rng, 'logits', [100], 3), integers(rng, 'x', [500], 100)),
  },
];

const shareOfSumChecks: readonly Check[] = [
  {
    name: 'agrees with counting for every sum, and for none',
    async run({ call }) {
      for (const streams of ['one label', 'two labels'] as const)
        for (const sum of [-1, 3, 6, 8, 9, 10, 12, 13, 20]) await checkShareOfSum(call, sum, streams);
    },
  },
];

const shareOfSumMistakes: readonly Mistake[] = [
  {
    name: 'all sums equally likely',
    source: 'common: eleven sums, one in eleven each',
    replace: '(6 - Math.abs(sum - 7)) / 36',
    by: '1 / 11',
  },
  {
    name: 'the same label taken for independent',
    source: 'common: a fork of the same label gives the same numbers again',
    replace: "streams === 'one label'",
    by: "streams === ('neither' as string)",
  },
  {
    name: 'a double for every sum',
    source: 'common: odd sums cannot be doubles',
    replace: 'sum % 2 === 0 ? 1 / 6 : 0',
    by: '1 / 11',
  },
];

const dieGradientChecks: readonly Check[] = [
  {
    name: 'the entries sum to 0, and a number added to all logits changes nothing',
    async run({ call, rng }) {
      const [logits, counts] = [vector(normal(rng, 'logits', [8], 2)), vector(integers(rng, 'counts', [8], 9))];
      const some = counts.map((count) => count + 1);
      await checkDieGradient(call, logits, some, 'probabilities sum to 1, and so do shares');
      await checkDieGradient(call, logits.map((l) => l - 500), some, 'only differences of logits matter'); // prettier-ignore
    },
  },
  {
    name: 'agrees with the formula for a die with a hundred faces',
    run: ({ call, rng }) =>
      checkDieGradient(call, vector(normal(rng, 'logits', [100], 3)), vector(integers(rng, 'counts', [100], 50))),
  },
];

const dieGradientMistakes: readonly Mistake[] = [
  { name: 'uphill', source: 'common: the sign of the loss', replace: 'q - counts[v]! / total', by: 'counts[v]! / total - q' }, // prettier-ignore
  { name: 'the normaliser forgotten', source: 'common: only θ_x is differentiated', replace: 'q - counts[v]! / total', by: '0 * q - counts[v]! / total' }, // prettier-ignore
  { name: 'sum in place of mean', source: 'AppliedDataSciencePartners/WorldModels#12: sum against mean', replace: 'q - counts[v]! / total', by: 'total * q - counts[v]!' }, // prettier-ignore
  { name: 'by the probabilities', source: 'common: q taken for free parameters', replace: 'q - counts[v]! / total', by: '-counts[v]! / total / q' }, // prettier-ignore
  { name: 'exp without a shift', source: 'common: overflows', replace: 'Math.exp(l - largest)', by: 'Math.exp(l + 0 * largest)' }, // prettier-ignore
];

const endOfTrainingChecks: readonly Check[] = [
  {
    name: 'agrees with the formula for ten faces, and is infinite as soon as one of many never came',
    async run({ call, rng }) {
      const counts = vector(integers(rng, 'counts', [10], 6)).map((count) => count + 1);
      const weights = vector(rng.fork('weights').uniform([10])).map((u) => u + 0.1);
      const sum = weights.reduce((a, b) => a + b);
      const truth = weights.map((weight) => weight / sum);
      await checkEndOfTraining(call, counts, truth);
      await checkEndOfTraining(call, counts.map((count, v) => (v === 7 ? 0 : count)), truth); // prettier-ignore
    },
  },
];

const endOfTrainingMistakes: readonly Mistake[] = [
  { name: 'the training loss falls to 0', source: 'common: as if every throw had a model of its own', replace: 'training: cost(q)', by: 'training: 0 * cost(q)' }, // prettier-ignore
  { name: 'the true loss is that of the training', source: 'common: judged on what was fitted', replace: 'truth: cost(truth)', by: 'truth: cost(q)' }, // prettier-ignore
  { name: 'what never came is left out', source: 'common: the infinite price skipped', replace: 'p > 0', by: 'p > 0 && q[v]! > 0' }, // prettier-ignore
  { name: '0 ln 0 is NaN', source: 'common: the convention forgotten', replace: 'p > 0 ? sum - p * Math.log(q[v]!) : sum', by: 'sum - p * Math.log(q[v]!)' }, // prettier-ignore
];

const dieLossMistakes: readonly Mistake[] = [
  {
    name: 'sum in place of mean',
    source: 'AppliedDataSciencePartners/WorldModels#12: sum against mean',
    replace: '.mean()',
    by: '.sum()',
  },
  {
    name: 'logits taken for log-probabilities',
    source: 'common: the normaliser forgotten',
    replace: 'tf.logSoftmax(logits)',
    by: 'logits.clone()',
  },
  {
    name: 'probabilities in place of logarithms',
    source: 'common',
    replace: 'tf.logSoftmax(logits)',
    by: 'tf.softmax(logits)',
  },
  { name: 'the sign', source: 'common: a loss that should be maximised', replace: '.neg()', by: '' },
  {
    name: 'probabilities clipped',
    source: 'common: keras’ epsilon of 1e-7, so that no throw costs more than 16 nats',
    replace: 'tf.logSoftmax(logits)',
    by: 'tf.softmax(logits).clipByValue(1e-7, 1).log()',
  },
];

const shareRightChecks: readonly Check[] = [
  {
    name: 'agrees with counting for forty batches of random sizes, and for none right among one',
    async run({ call, rng }) {
      const u = rng.uniform([40, 2]).arraySync() as number[][];
      const sizes = u.map(([a]) => 1 + Math.floor(64 * a!));
      await checkShare(
        call,
        u.map(([, b], n) => Math.floor(sizes[n]! * b!)),
        sizes,
      );
      await checkShare(call, [0], [1]);
    },
  },
];

const shareRightMistakes: readonly Mistake[] = [
  {
    name: 'one success for free',
    source: 'the transformer and teenyGPT of jmtomczak/intro_dgm: rec starts at 1',
    replace: 'let sum = 0;',
    by: 'let sum = 1;',
  },
  {
    name: 'mean of the batches’ shares',
    source: 'common: the small last batch counts as much as the others',
    replace: 'return sum / total;',
    by: 'return right.reduce((s, count, b) => s + count / sizes[b]!, 0) / right.length + 0 * (sum + total);',
  },
  {
    name: 'divided by the size of the last batch',
    source: 'common: the total is overwritten, not added to',
    replace: 'total += sizes[b]!',
    by: 'total = sizes[b]!',
  },
];

export const hidden: Readonly<Record<string, Hidden>> = {
  'start.standardise': { checks: standardiseChecks, mistakes: standardiseMistakes },
  'start.twoDice': { checks: twoDiceChecks, mistakes: twoDiceMistakes },
  'start.shareOfSum': { checks: shareOfSumChecks, mistakes: shareOfSumMistakes },
  'start.dieLoss': { checks: dieLossChecks, mistakes: dieLossMistakes },
  'start.dieGradient': { checks: dieGradientChecks, mistakes: dieGradientMistakes },
  'start.endOfTraining': { checks: endOfTrainingChecks, mistakes: endOfTrainingMistakes },
  'start.shareRight': { checks: shareRightChecks, mistakes: shareRightMistakes },
};
