/** Chapter 4, for graders: layers of sums, their EM step, how a sum chooses, and what two halves tell of each other. */
import * as tf from '@tensorflow/tfjs';
import { permutation } from 'dgm';
import {
  checkChoices,
  checkEmSum,
  checkHalves,
  checkSumLayer,
  emSumInput,
  logWeights,
  runEmSum,
} from '../checks/circuit-layers';
import { distribution } from '../checks/circuit-units';
import { normal } from '../checks/common';
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

const sumLayerChecks: readonly Check[] = [
  {
    name: 'a number added to an example is added to its sums; inputs in another order change nothing',
    async run({ call, rng }) {
      const [a, logW] = [normal(rng, 'a', [4, 5], 2), logWeights(rng, 3, 5)];
      const here = expectTensor(await call(a, logW), { what: 'the layer', shape: [4, 3] });
      const added = tf.tensor2d([[60], [-300], [0], [20]]); // e to the −300 is 0: no shift, and none for the batch, will do
      expectClose(await call(a.add(added), logW), here.add(added), { what: 'the layer', rtol: 1e-4, atol: 1e-4 });
      const order = tf.tensor1d(permutation(5, rng.fork('order')), 'int32');
      const other = await call(tf.gather(a, order, 1), tf.gather(logW, order, 1));
      expectClose(other, here, { what: 'the layer in another order', atol: 1e-4 });
    },
  },
  {
    name: 'agrees with the formula for 200 examples and 16 units',
    run: ({ call, rng }) => checkSumLayer(call, normal(rng, 'a', [200, 16], 5), logWeights(rng, 16, 16)),
  },
];

const sumLayerMistakes: readonly Mistake[] = [
  { name: 'no shift', source: 'common: underflow', replace: 'a.sub(top).exp()', by: 'a.exp().mul(top.neg().exp())' },
  {
    name: 'one maximum for the whole batch',
    source: 'common: examples far below it underflow',
    replace: 'a.max(1, true)',
    by: 'a.max()',
  },
  {
    name: 'logarithms of weights taken for weights',
    source: 'common',
    replace: 'matMul(logW.exp(),',
    by: 'matMul(logW.neg(),',
  },
  {
    name: 'the maximum is not added back',
    source: 'common',
    replace: 'sums.log().add(top)',
    by: 'sums.log()',
  },
  {
    name: 'the mean taken out in place of the maximum',
    source: 'common: overflows when inputs lie far apart',
    replace: 'a.max(1, true)',
    by: 'a.mean(1, true)',
  },
];

const emSumChecks: readonly Check[] = [
  {
    name: 'twice the examples and twice α give the same weights; a number added to an example changes nothing',
    law: true,
    async run({ call, rng }) {
      const input = emSumInput(rng, 10, 4, 0.6);
      const once = await runEmSum(call, input);
      const [a, asked] = [tf.concat([input.a, input.a]), tf.concat([input.asked, input.asked])];
      const twice = await runEmSum(call, { ...input, a, asked, alpha: 1.2 });
      expectClose(twice, once, { what: 'the weights of twice the data', atol: 1e-4 });
      const moved = await runEmSum(call, { ...input, a: input.a.add(tf.range(-300, 300, 60).expandDims(1)) });
      expectClose(moved, once, { what: 'the weights of moved inputs', atol: 1e-3 });
      expectClose(once.exp().sum(), tf.scalar(1), { what: 'Σ w', atol: 1e-5 });
    },
  },
  {
    name: 'agrees with the formula for 300 examples and 16 inputs',
    run: ({ call, rng }) => checkEmSum(call, emSumInput(rng, 300, 16, 3), 'counts over their sum'),
  },
];

const emSumMistakes: readonly Mistake[] = [
  {
    name: 'every example counts fully',
    source: 'common: the sum may not be on the example’s way at all',
    replace: 'r.mul(asked.expandDims(1))',
    by: 'r',
  },
  {
    name: 'the old weights left out',
    source: 'common: likelihood taken for posterior',
    replace: 'tf.softmax(a.add(logW))',
    by: 'tf.softmax(a)',
  },
  {
    name: 'α for every input, not shared',
    source: 'common: J times as much smoothing',
    replace: 'alpha / logW.shape[0]!',
    by: 'alpha',
  },
  {
    name: 'not normalised: divided by the number of examples',
    source: 'common: right only if every example asks, and α is 0',
    replace: 'smoothed.div(smoothed.sum())',
    by: 'smoothed.div(a.shape[0]!)',
  },
  {
    name: 'probabilities in place of logarithms',
    source: 'common',
    replace: '.div(smoothed.sum()).log()',
    by: '.div(smoothed.sum())',
  },
];

const chooseChecks: readonly Check[] = [
  {
    name: 'a number added to a row of evidence changes nothing, and rows sum to 1',
    async run({ call, rng }) {
      const weights = tf.tensor1d(distribution(rng, 'w', 5));
      const a = normal(rng, 'a', [6, 5], 3);
      const here = expectTensor(await call(weights, a), { what: 'the probabilities', shape: [6, 5] });
      const moved = await call(weights, a.add(tf.tensor2d([[0], [-200], [300], [-900], [50], [1]])));
      expectClose(moved, here, { what: 'the probabilities of moved evidence', atol: 1e-3 });
      expectClose(here.sum(1), tf.ones([6]), { what: 'row sums', atol: 1e-5 });
    },
  },
  {
    name: 'a weight of 0 is never chosen, and 100 rows of 16 agree with Bayes',
    async run({ call, rng }) {
      await checkChoices(call, tf.tensor1d([0, 1]), tf.tensor2d([[-1, -9]]), 'a prior of 0 stays 0');
      const weights = tf.tensor1d(distribution(rng, 'w', 16));
      await checkChoices(call, weights, normal(rng, 'a', [100, 16], 4), 'w e^a over its sum');
    },
  },
];

const chooseMistakes: readonly Mistake[] = [
  {
    name: 'a probability times a logarithm, normalised',
    source: 'SPFlow issue 174, half repaired',
    replace: 'joint.sub(joint.max(1, true)).exp()',
    by: 'weights.mul(a).add(tf.zerosLike(joint))',
  },
  {
    name: 'not normalised',
    source: 'SPFlow issue 174, half repaired',
    replace: 'shares.div(shares.sum(1, true))',
    by: 'shares',
  },
  {
    name: 'evidence ignored',
    source: 'common: the prior in place of the posterior',
    replace: 'a.add(weights.log())',
    by: 'tf.zerosLike(a).add(weights.log())',
  },
  {
    name: 'no maximum taken out',
    source: 'common: 0 / 0 for unlikely evidence',
    replace: 'joint.sub(joint.max(1, true))',
    by: 'joint',
  },
  {
    name: 'the largest taken out before the weights',
    source: 'common: 0 / 0 where the input that explains the evidence best has the weight 0',
    replace: 'joint.max(1, true)',
    by: 'a.max(1, true)',
  },
  {
    name: 'one maximum for the batch',
    source: 'common: 0 / 0 for the rows far below it',
    replace: 'joint.max(1, true)',
    by: 'joint.max()',
  },
  {
    name: 'normalised over the batch',
    source: 'common: wrong axis',
    replace: 'shares.sum(1, true)',
    by: 'shares.sum(0, true)',
  },
];

const halvesTellChecks: readonly Check[] = [
  {
    name: 'the histogram: halves of two digits',
    run: ({ call }) => checkHalves(call, 'of two digits', 'histogram', 'independent is independent, whoever is asked'),
  },
];

const halvesTellMistakes: readonly Mistake[] = [
  {
    name: 'never below 0',
    source: 'common: mutual information, which is at least 0, taken for its pointwise form averaged over anything',
    replace: ': -1',
    by: ': 1',
  },
  {
    name: 'nothing of each other',
    source: 'common: halves that have nothing to do with each other are thought to give 0',
    replace: ': -1',
    by: ': 0',
  },
  {
    name: 'the histogram, too',
    source: 'common: the model is forgotten',
    replace: "if (model === 'histogram') return 0;",
    by: 'void model;',
  },
];

export const sumLayer: Hidden = { checks: sumLayerChecks, mistakes: sumLayerMistakes };
export const emSum: Hidden = { checks: emSumChecks, mistakes: emSumMistakes };
export const choose: Hidden = { checks: chooseChecks, mistakes: chooseMistakes };
export const halvesTell: Hidden = { checks: halvesTellChecks, mistakes: halvesTellMistakes };
