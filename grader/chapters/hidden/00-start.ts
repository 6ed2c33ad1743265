/**
 * Chapter 0, for graders: hidden checks, which know the exercises by other inputs and other laws than the public
 * ones, and the known mistakes. None of it is released.
 */
import * as tf from '@tensorflow/tfjs';
import { checkLoss, checkShare, checkStandardise, COUNT, throwTwo } from '../checks/00-start';
import { expectWithin, integers, meanOf, normal, vector } from '../checks/common';
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

const standardiseChecks: readonly Check[] = [
  {
    name: 'another unit and another zero of the data change nothing, and standardising twice is once',
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
    run: ({ call, rng }) => checkStandardise(call, normal(rng, 'x', [200, 64], 8), 'each column by itself'),
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
      for (let n = 0; n < 200; n++) seen.push((await throwTwo(call, rng.fork(`throw ${n}`), 1))[0]!);
      expectWithin(meanOf(seen), 7, Math.sqrt(35 / 6 / seen.length), 'the mean of 200 single throws');
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
];

const dieLossChecks: readonly Check[] = [
  {
    name: 'is the mean of the losses of single throws, in whatever order',
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
    run: ({ call, rng }) =>
      checkLoss(call, normal(rng, 'logits', [100], 3), integers(rng, 'x', [500], 100), 'softmax, then ln'),
  },
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
  'start.dieLoss': { checks: dieLossChecks, mistakes: dieLossMistakes },
  'start.shareRight': { checks: shareRightChecks, mistakes: shareRightMistakes },
};
