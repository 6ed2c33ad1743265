/** Chapter 7, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import * as tf from '@tensorflow/tfjs';
import {
  checkCoupling,
  checkGeneral,
  checkLayer,
  checkMass,
  checkPermuted,
  checkPrior,
  checkStraight,
  eighths,
  integersAround,
  NETS,
  priorInput,
} from '../checks/07-integer-flows';
import { matrix, normal, vector } from '../checks/common';
import { exactUpTo, gather, productGap } from './integer-predictions';
import { expectClose, expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Check, type Hidden, type Mistake } from '../../exercise/exercise';

const massChecks: readonly Check[] = [
  {
    name: 'mirrored and moved together nothing changes, and each step outwards costs 1 / s in the tails',
    async run({ call, rng }) {
      const [x, mu, logScale] = [integersAround(rng, 'x', [30], 8), normal(rng, 'mu', [30]), normal(rng, 'l', [30], 0.5)]; // prettier-ignore
      const here = expectTensor(await call(x, mu, logScale), { what: 'the ln mass', shape: [30] });
      expectClose(await call(x.neg(), mu.neg(), logScale), here, { what: 'the mirrored ln mass', atol: 1e-3 });
      expectClose(await call(x.add(3), mu.add(3), logScale), here, { what: 'the moved ln mass', atol: 1e-3 });
      const far = tf.tensor1d([500, 501, -500, -501]);
      const tail = expectTensor(await call(far, tf.zeros([4]), tf.fill([4], Math.log(2))), { what: 'the ln mass' });
      const [a, b, c, d] = vector(tail) as [number, number, number, number];
      expectClose([a - b, c - d], [0.5, 0.5], { what: 'the fall a step, s = 2', atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the formula from a point mass to a scale of three million',
    async run({ call, rng }) {
      const x = integersAround(rng, 'x', [40, 1], 50);
      await checkMass(call, x, tf.zeros([1, 5]), tf.tensor2d([[-8, -2, 2, 4.6, 15]]), 'stable for every scale');
    },
  },
];

const massMistakes: readonly Mistake[] = [
  {
    name: 'the density in place of the mass',
    source: 'common: ln p(x) of the continuous logistic, which is no probability of an integer',
    replace: 'const cell = tf.expm1(tf.div(-1, s)).neg().log();',
    by: 'const cell = logScale.neg();',
  },
  {
    name: 'cells of width 2',
    source: 'common: x − 1 and x + 1 in place of x ± ½, sums to 2',
    replace: 'tf.logSigmoid(b).add(tf.logSigmoid(a.neg())).add(cell)',
    by: 'tf.sigmoid(x.add(1).sub(mu).div(s)).sub(tf.sigmoid(x.sub(1).sub(mu).div(s))).log()',
  },
  {
    name: 'the logarithm of the difference, with a floor',
    source: 'intro_dgm and others: ln(σ(b) − σ(a) + 10⁻⁸) is right near the mean and flat in the tails',
    replace: 'tf.logSigmoid(b).add(tf.logSigmoid(a.neg())).add(cell)',
    by: 'tf.sigmoid(b).sub(tf.sigmoid(a)).add(1e-8).log()',
  },
  {
    name: 'the scale taken for its logarithm',
    source: 'common',
    replace: 'const s = logScale.exp();',
    by: 'const s = logScale.abs().add(1e-3);',
  },
  {
    name: 'a one-sided tail',
    source: 'common: the sign of a forgotten, ln σ(a) for ln σ(−a)',
    replace: 'a.neg()',
    by: 'a',
  },
  {
    name: 'the cell by 1 − e^h',
    source: 'common: for a wide bell both are almost 1, and the difference has no digits left',
    replace: 'tf.expm1(tf.div(-1, s)).neg().log()',
    by: 'tf.sub(1, tf.div(-1, s).exp()).log()',
  },
  {
    name: 'a scale that is not let below e^−7',
    source: 'PixelCNN++ and its descendants, for safety: not needed here, and another distribution',
    replace: 'const s = logScale.exp();',
    by: 'const s = logScale.maximum(-7).exp();',
  },
];

const priorChecks: readonly Check[] = [
  {
    name: 'coordinates are independent: ln p of the whole is the sum of ln p of its parts',
    law: true,
    async run({ call, rng }) {
      const { z, logits, mu, logScale } = priorInput(rng, 6, 4, 3);
      const part = (x: tf.Tensor, axis: number, start: number) => tf.split(x, 2, axis)[start]!;
      const of = (start: number) =>
        call(part(z, 1, start), part(logits, 0, start), part(mu, 0, start), part(logScale, 0, start));
      const whole = expectTensor(await call(z, logits, mu, logScale), { what: 'ln p(z)', shape: [6] });
      const [first, second] = [expectTensor(await of(0), { shape: [6] }), expectTensor(await of(1), { shape: [6] })];
      expectClose(whole, first.add(second), { what: 'ln p(z)', rtol: 1e-4, atol: 1e-3 });
    },
  },
  {
    name: 'a number added to the logits of a coordinate changes nothing; agrees for as many coordinates as a digit has',
    async run({ call, rng }) {
      const input = priorInput(rng, 5, 64, 5);
      await checkPrior(call, input, 'a product over the coordinates');
      const here = expectTensor(await call(input.z, input.logits, input.mu, input.logScale), { shape: [5] });
      const moved = await call(input.z, input.logits.add(normal(rng, 'row', [64, 1], 100)), input.mu, input.logScale);
      expectClose(moved, here, { what: 'ln p(z)', rtol: 1e-4, atol: 1e-3 });
    },
  },
  {
    name: 'a component of weight e^−150 that alone explains one coordinate of two',
    async run({ call }) {
      const [logits, mu] = [tf.tensor2d([[-150, 0, 1], [0, 0, 0]]), tf.tensor2d([[500, 0, 1], [0, 2, 4]])]; // prettier-ignore
      const input = { z: tf.tensor2d([[500, 1], [0, 3]]), logits, mu, logScale: tf.zeros([2, 3]) }; // prettier-ignore
      await checkPrior(call, input, 'the logarithm of a softmax underflows: tf.logSoftmax does not');
    },
  },
];

const priorMistakes: readonly Mistake[] = [
  {
    name: 'one component for the whole vector',
    source: 'intro_dgm’s mixture priors, the other way round: another model, and not the one asked for',
    replace: 'logSumExp(joint, 2).sum(1)',
    by: 'logSumExp(joint.sum(1), 1)',
  },
  {
    name: 'weights that are not normalised',
    source: 'common: logits added as they are',
    replace: 'tf.logSoftmax(logits)',
    by: 'logits',
  },
  {
    name: 'the largest component in place of the sum',
    source: 'common: hard assignment',
    replace: 'logSumExp(joint, 2)',
    by: 'joint.max(2)',
  },
  {
    name: 'no weights',
    source: 'common: an even mixture, K times too large',
    replace: 'perComponent.add(tf.logSoftmax(logits))',
    by: 'perComponent',
  },
  {
    name: 'the mean over coordinates',
    source: 'common: nats per dimension where nats per example are meant',
    replace: '.sum(1)',
    by: '.mean(1)',
  },
  {
    name: 'the logarithm of the softmax',
    source: 'common: a weight below e^−103 is 0 in float32, and its component is gone',
    replace: 'tf.logSoftmax(logits)',
    by: 'tf.softmax(logits).log()',
  },
];

const couplingChecks: readonly Check[] = [
  {
    name: 'translations of a half: no two points meet',
    law: true,
    async run({ call }) {
      const rows = Array.from({ length: 7 }, (_, a) => Array.from({ length: 9 }, (_, b) => [a - 3, b - 4])).flat();
      const z = expectTensor(await call(tf.tensor2d(rows), given(NETS.half.source), 'toLatent'), {
        what: 'z',
        shape: [63, 2],
      });
      const distinct = new Set(matrix(z).map((row) => row.join())).size;
      expectTrue(distinct === 63, '63 latents of 63 points', String(distinct), 'round the translation, not the sum: halves go to the even neighbour'); // prettier-ignore
      await checkCoupling(call, tf.tensor2d(rows), NETS.half, 'halves are rounded to the even neighbour, by tf.round');
    },
  },
  {
    name: 'large integers, and as many as a digit has',
    run: ({ call, rng }) =>
      checkCoupling(call, integersAround(rng, 'x', [20, 64], 100), NETS.mixed, 'the same in every size'),
  },
];

const couplingMistakes: readonly Mistake[] = [
  {
    name: 'the sum is rounded',
    source: 'common: 1 + ½ and 2 + ½ both round to 2, so the map is no bijection',
    replace: "const moved = direction === 'toLatent' ? b.add(move) : b.sub(move);",
    by: "const moved = direction === 'toLatent' ? b.add(t(a)).round() : b.sub(t(a)).round();",
  },
  {
    name: 'halves rounded up',
    source: 'common: Math.round, a flow as well, and another one than that of tf.round',
    replace: 't(a).round()',
    by: 't(a).add(0.5).floor()',
  },
  {
    name: 'not rounded at all',
    source: 'common: NICE, whose latents are no integers',
    replace: 't(a).round()',
    by: 't(a)',
  },
  {
    name: 'added both ways',
    source: 'common: the sign of the way back',
    replace: 'b.sub(move)',
    by: 'b.add(move)',
  },
  {
    name: 'the moved half decides',
    source: 'common: then the way back does not know by how much',
    replace: 't(a)',
    by: 't(b)',
  },
  {
    name: 'halves exchanged at the end',
    source: 'common: a permutation in one place, undone in no other',
    replace: 'tf.concat([a, moved], 1)',
    by: 'tf.concat([moved, a], 1)',
  },
];

const generalChecks: readonly Check[] = [
  {
    name: 'as many groups as coordinates, and a network that moves far',
    async run({ call, rng }) {
      await checkGeneral(call, integersAround(rng, 'x', [3, 8], 30), 8, NETS.group, 'one coordinate a group');
      await checkGeneral(call, integersAround(rng, 'y', [4, 9], 6), 2, NETS.mixed, 'groups of unequal size');
    },
  },
  {
    name: 'one group moves by what the network says of nothing; back and there is where it began',
    async run({ call, rng }) {
      const shift = given('(h) => h.mul(5).add(2.75)');
      const x = integersAround(rng, 'x', [4, 3], 7);
      expectClose(await call(x, 1, shift, 'toLatent'), x.add(3), {
        what: 'z, one group',
        atol: 1e-6,
        hint: 'it sees only zeros',
      });
      const t = given(NETS.group.source);
      const back = expectTensor(await call(x, 3, t, 'toData'), { what: 'x', shape: [4, 3] });
      expectClose(await call(back, 3, t, 'toLatent'), x, { what: 'z', atol: 1e-6 });
    },
  },
];

const generalMistakes: readonly Mistake[] = [
  {
    name: 'the way back in the same order',
    source: 'common: the first group is undone with what it never saw',
    replace: "if (direction === 'toData') turns.reverse();",
    by: '',
  },
  {
    name: 'all groups see the input as it was',
    source: 'common: then nothing can be undone',
    replace: 'const seen = h.mul(tf.sub(1, inGroup));',
    by: 'const seen = x.mul(tf.sub(1, inGroup));',
  },
  {
    name: 'a group sees itself',
    source: 'common: the mask on the input forgotten',
    replace: 'h.mul(tf.sub(1, inGroup))',
    by: 'h',
  },
  {
    name: 'everybody moves',
    source: 'common: the mask on the translation forgotten',
    replace: '.round().mul(inGroup)',
    by: '.round()',
  },
  {
    name: 'blocks in place of d mod G',
    source: 'another partition than the one asked for',
    replace: 'd % groups === g ? 1 : 0',
    by: 'Math.floor((d * groups) / D) === g ? 1 : 0',
  },
  {
    name: 'not rounded',
    source: 'common: the latents are no integers',
    replace: 't(seen, g).round()',
    by: 't(seen, g)',
  },
];

const straightChecks: readonly Check[] = [
  {
    name: 'agrees with the chain rule on larger inputs',
    async run({ call, rng }) {
      await checkStraight(call, 'cube', 'triple', eighths(rng, 'v', [4, 5]), 'f′ at the integer, times g′');
      await checkStraight(call, 'square', 'square', eighths(rng, 'w', [30]), 'f′ at the integer, times g′');
    },
  },
  {
    name: 'a layer of a network, and a line through elementwise functions',
    async run({ call, rng }) {
      await checkLayer(call, rng, 7);
      const v = eighths(rng, 'v', [6]);
      await checkStraight(call, 'line', 'triple', v, '3 times 3 everywhere');
      await checkStraight(call, 'line', 'square', v, '3 times 2 v');
    },
  },
];

const straightMistakes: readonly Mistake[] = [
  {
    name: 'not rounded',
    source: 'common: trained on one function, used as another',
    replace: 'return f(rounded) as tf.Scalar;',
    by: 'return f(y) as tf.Scalar;',
  },
  {
    name: 'all of it detached',
    source: 'common: a gradient of 0, or none',
    replace: 'y.add(detach(y.round().sub(y)))',
    by: 'detach(y.round()).add(u.mul(0))',
  },
  {
    name: 'the difference is not detached',
    source: 'common: tf.round has the gradient 0, so this one is 0 as well',
    replace: 'detach(y.round().sub(y))',
    by: 'y.round().sub(y)',
  },
  {
    name: 'f’s slope at the real number',
    source: 'common: the value of the rounded, the gradient of the other',
    replace: 'return { value: value.dataSync()[0]!, gradient: grad };',
    by: 'return { value: value.dataSync()[0]!, gradient: tf.grad((u: tf.Tensor) => f(g(u)) as tf.Scalar)(v) };',
  },
  {
    name: 'the slopes multiplied number by number',
    source: 'common: f′(y) g′(v) is the chain rule of elementwise functions; a network has a Jacobian matrix',
    replace: 'return { value: value.dataSync()[0]!, gradient: grad };',
    by: `const slopes = tf.grad((y: tf.Tensor) => f(y) as tf.Scalar)(g(v).round());
  const inner = tf.grad((u: tf.Tensor) => g(u).sum())(v);
  return { value: value.dataSync()[0]!, gradient: slopes.mul(inner) };`,
  },
];

const permutedChecks: readonly Check[] = [
  {
    name: 'as many coordinates as a digit has, and other β',
    async run({ call, rng }) {
      for (const beta of [1.5, -0.25, 3])
        await checkPermuted(
          call,
          integersAround(rng.fork(`${beta}`), 'x', [4, 64], 9),
          NETS.mixed,
          beta,
          'reversal last, undone first; rounding last',
        );
    },
  },
  {
    name: 'two layers, there and back; the latents are integers',
    law: true,
    async run({ call, rng }) {
      const x = integersAround(rng, 'x', [15, 4], 9);
      const t = given('(a) => a.mul(tf.range(1, a.shape[1] + 1)).mul(0.37).sin().mul(9)');
      const run = async (v: tf.Tensor, direction: 'toLatent' | 'toData') =>
        expectTensor(await call(v, t, 0.4, direction), { what: direction, shape: [15, 4] });
      const z = await run(await run(x, 'toLatent'), 'toLatent');
      expectClose(z, z.round(), { what: 'z', atol: 0, rtol: 0 });
      expectClose(await run(await run(z, 'toData'), 'toData'), x, { what: 'x', atol: 1e-6 });
    },
  },
];

const permutedMistakes: readonly Mistake[] = [
  {
    name: 'a real factor on the rounded translation',
    source: 'intro_dgm, hybrid IDF: half repaired, the reversal is undone',
    replace: 't(a).mul(beta).round()',
    by: 't(a).round().mul(beta)',
  },
  {
    name: 'the reversal is never undone',
    source: 'common: half repaired, the translation is an integer',
    replace: "direction === 'toData' ? x.reverse(1) : x",
    by: 'x',
  },
  {
    name: 'undone in the reversed layout, where the network sees the kept half backwards',
    source: 'common: the reversal moved past the coupling, as if the network did not mind',
    replace: 't(a).mul(beta).round()',
    by: "(direction === 'toData' ? t(a.reverse(1)).reverse(1) : t(a)).mul(beta).round()",
  },
  {
    name: 'β rounded, too',
    source: 'common: integers at last, but a factor of ½ is none',
    replace: 't(a).mul(beta).round()',
    by: 't(a).round().mul(Math.round(beta))',
  },
  {
    name: 'the reversal given up',
    source: 'a flow again, and not the one asked for',
    replace: "return direction === 'toLatent' ? moved.reverse(1) : moved;",
    by: "return direction === 'toLatent' ? moved : moved.reverse(1);",
  },
  {
    name: 'the sum is rounded',
    source: 'common: halves meet',
    replace: "direction === 'toLatent' ? b.add(move) : b.sub(move)",
    by: "direction === 'toLatent' ? b.add(t(a).mul(beta)).round() : b.sub(t(a).mul(beta)).round()",
  },
];

export const hidden: Readonly<Record<string, Hidden>> = {
  'integerFlow.logisticMass': { checks: massChecks, mistakes: massMistakes },
  'integerFlow.prior': { checks: priorChecks, mistakes: priorMistakes },
  'integerFlow.coupling': { checks: couplingChecks, mistakes: couplingMistakes },
  'integerFlow.general': { checks: generalChecks, mistakes: generalMistakes },
  'integerFlow.straightThrough': { checks: straightChecks, mistakes: straightMistakes },
  'integerFlow.permuted': { checks: permutedChecks, mistakes: permutedMistakes },
  'integerFlow.productGap': productGap,
  'integerFlow.gather': gather,
  'integerFlow.exactUpTo': exactUpTo,
};
