/** Chapter 5, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import * as tf from '@tensorflow/tfjs';
import { permutation } from 'dgm';
import {
  attendInput,
  checkAttend,
  checkCausalConv,
  checkDraw,
  checkInOrder,
  checkLogLikelihood,
  checkMask,
  checkTempered,
  noiseFor,
} from '../checks/05-autoregressive';
import { integers, normal } from '../checks/common';
import { coldChoice, parallel, stepsBack } from './autoregressive-predictions';
import { expectClose, expectTensor } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

const logLikelihoodChecks: readonly Check[] = [
  {
    name: 'a number added to the logits of a place changes nothing, and ln p adds over places',
    law: true,
    sameForAll: true,
    async run({ call, rng }) {
      const [logits, x] = [normal(rng, 'logits', [4, 5, 3], 2), integers(rng, 'x', [4, 5], 3)];
      const here = expectTensor(await call(logits, x), { what: 'ln p', shape: [4] });
      const moved = await call(logits.add(normal(rng, 'moved', [4, 5, 1], 20)), x);
      expectClose(moved, here, { what: 'ln p of moved logits', atol: 1e-3 });
      const part = async (from: number, size: number) =>
        expectTensor(await call(logits.slice([0, from, 0], [4, size, 3]), x.slice([0, from], [4, size])), {});
      expectClose((await part(0, 2)).add(await part(2, 3)), here, { what: 'ln p of the parts', atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formula for 64 places of 17 values',
    sameForAll: true,
    run: ({ call, rng }) =>
      checkLogLikelihood(
        call,
        normal(rng, 'logits', [20, 64, 17], 2),
        integers(rng, 'x', [20, 64], 17),
        'a sum over D',
      ),
  },
];

const logLikelihoodMistakes: readonly Mistake[] = [
  {
    name: 'the mean over D in place of the sum',
    source:
      'common: a loss that a framework averages by default (compare AppliedDataSciencePartners/WorldModels issue 12)',
    replace: 'picked.sum([1, 2])',
    by: 'picked.sum(2).mean(1)',
  },
  {
    name: 'normalised over the places',
    source: 'common: the softmax of a transposed layout',
    replace: 'tf.logSoftmax(logits, -1)',
    by: 'tf.logSoftmax(logits.transpose([0, 2, 1])).transpose([0, 2, 1])',
  },
  {
    name: 'logits taken for log-probabilities',
    source: 'common: no normalisation at all',
    replace: 'tf.logSoftmax(logits, -1)',
    by: 'logits',
  },
  {
    name: 'normalised twice, the second time as probabilities',
    source: 'common: a softmax before a loss that has its own',
    replace: 'tf.logSoftmax(logits, -1)',
    by: 'tf.logSoftmax(tf.softmax(logits))',
  },
  {
    name: 'the logarithm of a softmax',
    source: 'common: the softmax underflows, and the logarithm is −∞',
    replace: 'tf.logSoftmax(logits, -1)',
    by: 'tf.softmax(logits).log()',
  },
  {
    name: 'the logarithm of a softmax, and a little',
    source: 'common: no value costs more than 16 nats, by a term that was to keep the logarithm finite',
    replace: 'tf.logSoftmax(logits, -1)',
    by: 'tf.softmax(logits).add(1e-7).log()',
  },
  {
    name: 'one largest logit taken out for all places',
    source: 'common: the exponentials of the other places underflow',
    replace: 'tf.logSoftmax(logits, -1)',
    by: 'logits.sub(logits.max()).sub(logits.sub(logits.max()).exp().sum(-1, true).log())',
  },
  { name: 'the loss', source: 'common: the sign', replace: 'return picked', by: 'return picked.neg()' },
];

const inOrderChecks: readonly Check[] = [
  {
    name: 'three random orders of nine pixels',
    async run({ call, rng }) {
      for (const label of ['a', 'b', 'c']) {
        const here = rng.fork(label);
        const order = [...permutation(9, here.fork('order'))];
        await checkInOrder(call, integers(here, 'x', [3, 9], 4), order, 'the inverse takes rows back to pixels', 4);
      }
    },
  },
];

const inOrderMistakes: readonly Mistake[] = [
  {
    name: 'the order not undone',
    source: 'common: rows of logits compared with the wrong pixels',
    replace: 'tf.gather(network(sequence), place, 1)',
    by: 'network(sequence)',
  },
  {
    name: 'undone by the order itself, not by its inverse',
    source: 'common: right for orders that are their own inverse (compare karpathy/pytorch-normalizing-flows issue 5)',
    replace: 'network(sequence), place,',
    by: 'network(sequence), [...order],',
  },
  {
    name: 'the picture read by the inverse',
    source: 'common: the two permutations exchanged',
    replace: 'tf.gather(x, [...order], 1)',
    by: 'tf.gather(x, place, 1)',
  },
  {
    name: 'the picture not put in order',
    source: 'common',
    replace: 'network(sequence)',
    by: 'network(x)',
  },
  {
    name: 'places sorted as text',
    source: 'common: JavaScript sorts 10 before 2 unless told how',
    replace: 'order.map((_, pixel) => order.indexOf(pixel))',
    by: 'order.map((pixel, i) => [pixel, i]).sort().map(([, i]) => i!)',
  },
  {
    name: 'all axes of one entry dropped',
    source: 'common: squeeze without an axis, for a batch of one',
    replace: 'network(sequence), place',
    by: 'network(sequence).squeeze(), place',
  },
];

const causalConvChecks: readonly Check[] = [
  {
    name: 'is linear, and a change of a step changes no step before it',
    law: true,
    async run({ call, rng }) {
      const [x, w] = [normal(rng, 'x', [2, 10, 3]), normal(rng, 'w', [3, 3, 2])];
      const here = expectTensor(await call(x, w, 2), { what: 'y', shape: [2, 10, 2] });
      expectClose(await call(x.mul(-3), w, 2), here.mul(-3), { what: 'y of −3 x', atol: 1e-3 });
      const late = tf.tidy(() => x.add(tf.range(0, 10).greaterEqual(6).toFloat().reshape([1, 10, 1])));
      const changed = expectTensor(await call(late, w, 2), { what: 'y', shape: [2, 10, 2] });
      const early = (y: tf.Tensor) => y.slice([0, 0, 0], [2, 6, 2]);
      expectClose(early(changed), early(here), { what: 'y before the change', atol: 1e-5 });
    },
  },
  {
    name: 'agrees with the formula for a dilation of 5 over 24 steps',
    run: ({ call, rng }) =>
      checkCausalConv(call, normal(rng, 'x', [3, 24, 4]), normal(rng, 'w', [4, 4, 3]), 5, 'one dilation for every tap'),
  },
];

const causalConvMistakes: readonly Mistake[] = [
  {
    name: 'padded on both sides',
    source: 'golbin/WaveNet issue 5, peustr/wavenet issue 1: padding "same" sees the future',
    replace: 'x.pad([[0, 0], [span, 0], [0, 0]])',
    by: 'x.pad([[0, 0], [Math.floor(span / 2), Math.ceil(span / 2)], [0, 0]])',
  },
  {
    name: 'blocks of consecutive steps in place of every n-th one',
    source: 'ibab/tensorflow-wavenet issue 29: a reshape without its transpose',
    replace: 'span - k * dilation',
    by: 'span - k',
  },
  {
    name: 'the taps in reverse',
    source: 'common: correlation and convolution exchanged',
    replace: 'w.slice([k, 0, 0]',
    by: 'w.slice([K - 1 - k, 0, 0]',
  },
  {
    name: 'padded after the end',
    source: 'common: sees the future only',
    replace: '[span, 0]',
    by: '[0, span]',
  },
  {
    name: 'the present left out',
    source: 'common: moved in every layer, and not only in the first',
    replace: '[0, span - k * dilation, 0], [B, T, C]',
    by: '[0, Math.max(0, span - k * dilation - 1), 0], [B, T, C]',
  },
];

const kernelMaskChecks: readonly Check[] = [
  {
    name: 'both of 7 × 7 and 9 × 9',
    async run({ call }) {
      for (const size of [7, 9])
        for (const kind of ['A', 'B'] as const) await checkMask(call, size, kind, 'in reading order');
    },
  },
];

const kernelMaskMistakes: readonly Mistake[] = [
  {
    name: 'mask A sees the pixel itself',
    source: 'common: the loss goes towards 0, and samples are noise',
    replace: "(itself && kind === 'B')",
    by: 'itself',
  },
  {
    name: 'mask A in every layer',
    source: 'anantzoid/Conditional-PixelCNN-decoder issue 9: nothing is passed on along a row',
    replace: "before || (itself && kind === 'B')",
    by: 'before',
  },
  {
    name: 'mask B without the centre’s row, and with the rows below it',
    source: 'j-min/PixelCNN issue 3: the row of the centre is cleared in place of the rows after it',
    replace: "before || (itself && kind === 'B')",
    by: "(kind === 'B' ? row !== centre : before)",
  },
  {
    name: 'reversed: what comes after counts',
    source: 'openai/iaf, by pclucas14/iaf-vae issue 4: a mask for convolutions that run the other way',
    replace: 'row < centre || (row === centre && column < centre)',
    by: 'row > centre || (row === centre && column > centre)',
  },
  {
    name: 'only what is above and to the left',
    source: 'common: "before" taken in both axes at once',
    replace: 'row < centre || (row === centre && column < centre)',
    by: 'row <= centre && column <= centre && !(row === centre && column === centre)',
  },
];

const drawChecks: readonly Check[] = [
  {
    name: 'twelve places and a sharper network',
    run: ({ call, rng }) => checkDraw(call, noiseFor(rng, [20, 12], 5, 6), 5, 'each value given those before it', 6),
  },
  {
    name: 'the first values do not depend on the noise of the later ones',
    async run({ call, rng }) {
      const u = noiseFor(rng, [4, 6], 1);
      const other = tf.concat(
        [u.slice([0, 0], [4, 3]), noiseFor(rng.fork('other'), [4, 6], 1).slice([0, 3], [4, 3])],
        1,
      );
      await checkDraw(call, u, 1, 'in order');
      await checkDraw(call, other, 1, 'in order');
    },
  },
];

const drawMistakes: readonly Mistake[] = [
  {
    name: 'all values from one pass',
    source: 'common: each given zeros, and not given what was drawn',
    replace: 'network(x), d, 1)',
    by: 'network(tf.zeros([B, steps])), d, 1)',
  },
  {
    name: 'the row of the value before',
    source: 'common: off by one, for networks that predict the next place and not their own',
    replace: 'network(x), d, 1)',
    by: 'network(x), Math.max(0, d - 1), 1)',
  },
  {
    name: 'the likeliest value',
    source: 'common: greedy decoding is no sampling',
    replace: 'passed.sum(1, true).minimum(p.shape[1]! - 1)',
    by: 'p.argMax(1).expandDims(1)',
  },
  {
    name: 'one draw for all places',
    source: 'common: the same noise again and again',
    replace: 'u.slice([0, d], [B, 1])',
    by: 'u.slice([0, 0], [B, 1])',
  },
  {
    name: 'the probabilities not cumulated',
    source: 'common',
    replace: 'tf.cumsum(p, 1)',
    by: 'p',
  },
  {
    name: 'sums below u in place of at most u',
    source: 'common: u = 0 draws the first value, be its probability 0',
    replace: 'lessEqual',
    by: 'less',
  },
  {
    name: 'a value that is not there, when all sums are at most u',
    source: 'common: in 32 bits probabilities add up to a little less than 1',
    replace: '.minimum(p.shape[1]! - 1)',
    by: '',
  },
  {
    name: 'the first sum above u, or 0 when there is none',
    source: 'common: argMax of nothing but false is 0',
    replace: 'passed.sum(1, true).minimum(p.shape[1]! - 1)',
    by: 'passed.logicalNot().toInt().argMax(1).expandDims(1)',
  },
];

const temperatureChecks: readonly Check[] = [
  {
    name: 'two temperatures one after the other multiply, and odds are powers of odds',
    law: true,
    async run({ call, rng }) {
      const logits = normal(rng, 'logits', [4, 5], 2);
      const once = expectTensor(await call(logits, 0.6), { what: 'the probabilities', shape: [4, 5] });
      expectClose(await call(once.log(), 1.5), await call(logits, 0.9), { what: 'τ = 0.6, then 1.5', atol: 1e-4 });
    },
  },
  {
    name: '50 rows of 17 at several temperatures',
    async run({ call, rng }) {
      for (const tau of [0.25, 0.9, 3])
        await checkTempered(call, normal(rng, `${tau}`, [50, 17], 4), tau, 'softmax(l / τ)');
    },
  },
];

const temperatureMistakes: readonly Mistake[] = [
  {
    name: 'probabilities divided, and normalised again',
    source: 'google/gemma.cpp pull request 981: the temperature cancels',
    replace: 'tf.softmax(logits.div(temperature))',
    by: 'tf.softmax(logits).div(temperature).div(tf.softmax(logits).div(temperature).sum(1, true))',
  },
  {
    name: 'applied twice',
    source: 'RL-Align/RL-Kernel issue 81, Adibvafa/CodonTransformer pull request 20',
    replace: 'logits.div(temperature)',
    by: 'logits.div(temperature * temperature)',
  },
  {
    name: 'powers that are not normalised',
    source: 'MoonshotAI/Kimi-Audio pull request 161: logarithms of probabilities divided, and used as they are',
    replace: 'tf.softmax(logits.div(temperature))',
    by: 'tf.logSoftmax(logits).div(temperature).exp()',
  },
  {
    name: 'softmax of probabilities',
    source: 'common: the temperature on probabilities in place of logits',
    replace: 'logits.div(',
    by: 'tf.softmax(logits).div(',
  },
  {
    name: 'multiplied',
    source: 'common: β for 1/β',
    replace: 'logits.div(temperature)',
    by: 'logits.mul(temperature)',
  },
  {
    name: 'one largest logit taken out for all rows',
    source: 'common: the exponentials of the other rows underflow when it is cold',
    replace: 'tf.softmax(logits.div(temperature))',
    by: '((e: tf.Tensor) => e.div(e.sum(1, true)))(logits.sub(logits.max()).div(temperature).exp())',
  },
  {
    name: 'the likeliest value when it is cold',
    source: 'common: a small temperature taken for 0',
    replace: 'tf.softmax(logits.div(temperature))',
    by: 'temperature < 0.01 ? tf.oneHot(logits.argMax(1) as tf.Tensor1D, logits.shape[1]!).toFloat() : tf.softmax(logits.div(temperature))',
  },
  {
    name: 'a temperature that is kept above 0.01',
    source: 'common: a bound that was to keep the division finite',
    replace: 'logits.div(temperature)',
    by: 'logits.div(Math.max(temperature, 0.01))',
  },
  {
    name: 'logarithms of a softmax',
    source: 'common: what underflows is lost, however hot it gets',
    replace: 'logits.div(',
    by: 'tf.softmax(logits).log().div(',
  },
];

const attendChecks: readonly Check[] = [
  {
    name: 'in pieces as in one go',
    async run({ call, rng }) {
      const { q, k, v } = attendInput(rng, 2, 0, 9, 4);
      const whole = expectTensor(await call(q, k, v), { what: 'y', shape: [2, 9, 4] });
      for (const [from, size] of [[0, 4], [4, 3], [7, 2]] as const) {
        const upTo = (x: tf.Tensor) => x.slice([0, 0, 0], [2, from + size, 4]);
        const piece = await call(q.slice([0, from, 0], [2, size, 4]), upTo(k), upTo(v));
        expectClose(piece, whole.slice([0, from, 0], [2, size, 4]), { what: `steps ${from} on`, atol: 1e-4 });
      }
    }, // prettier-ignore
  },
  {
    name: 'forty steps remembered, eight new ones',
    run: ({ call, rng }) => checkAttend(call, attendInput(rng, 3, 40, 8, 6), 'query i is step P + i'),
  },
];

const attendMistakes: readonly Mistake[] = [
  {
    name: 'as given: the triangle in the upper left corner',
    source: 'pytorch/pytorch issues 103082 and 144858',
    replace: 'tf.range(all - S, all)',
    by: 'tf.range(0, S)',
  },
  {
    name: 'no mask with memory',
    source: 'compare meta-pytorch/torchtune issue 959: right for one new step, and not for several',
    replace: 'tf.range(all - S, all)',
    by: '(all > S ? tf.fill([S], all) : tf.range(0, S))',
  },
  {
    name: 'off by one: a step does not see itself',
    source: 'common: the keys of before, without the newest',
    replace: 'tf.range(0, all).greater(now)',
    by: 'tf.range(0, all).greater(now.sub(1).maximum(0))',
  },
  {
    name: 'off by one: the next step is seen',
    source: 'common: a mask with one diagonal too many',
    replace: 'tf.range(0, all).greater(now)',
    by: 'tf.range(0, all).greater(now.add(1))',
  },
  {
    name: 'the past of the past: only steps before the new ones',
    source: 'common: new keys are appended after attending',
    replace: 'tf.range(0, all).greater(now)',
    by: 'tf.range(0, all).greater(all > S ? tf.fill([S, 1], all - S - 1) : now)',
  },
];

export const hidden: Readonly<Record<string, Hidden>> = {
  'ar.logLikelihood': { checks: logLikelihoodChecks, mistakes: logLikelihoodMistakes },
  'ar.inOrder': { checks: inOrderChecks, mistakes: inOrderMistakes },
  'ar.causalConv': { checks: causalConvChecks, mistakes: causalConvMistakes },
  'ar.kernelMask': { checks: kernelMaskChecks, mistakes: kernelMaskMistakes },
  'ar.draw': { checks: drawChecks, mistakes: drawMistakes },
  'ar.temperature': { checks: temperatureChecks, mistakes: temperatureMistakes },
  'ar.stepsBack': stepsBack,
  'ar.parallel': parallel,
  'ar.coldChoice': coldChoice,
  'ar.attend': { checks: attendChecks, mistakes: attendMistakes },
};
