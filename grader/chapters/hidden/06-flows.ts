/** Chapter 6, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import * as tf from '@tensorflow/tfjs';
import {
  checkCoupling,
  checkDensities,
  checkExponential,
  checkHistogram,
  checkJacobian,
  checkPlanar,
  checkReflection,
  checkToData,
  checkToLatent,
  couplingOf,
  expectUniform,
  insideBins,
  networkOf,
  noiseAt,
  planarInput,
  runToLatent,
} from '../checks/06-flows';
import { matrix, matrixTensor, normal, vector } from '../checks/common';
import { blindPairs, mixChannels, narrowClaim } from './flow-predictions';
import { expectClose, expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Check, type Hidden, type Mistake } from '../../exercise/exercise';

const changeChecks: readonly Check[] = [
  {
    name: 'random points with slopes of both signs',
    async run({ call, rng }) {
      const z = vector(normal(rng, 'z', [50], 2));
      const slope = vector(normal(rng, 'slope', [50], 2)).map((s) => s + Math.sign(s) * 0.01);
      await checkDensities(call, z, slope, 'ln |slope| is added');
    },
  },
  {
    name: 'no points, and a very steep one',
    async run({ call }) {
      await checkDensities(call, [], [], 'an empty list');
      await checkDensities(call, [35, -60], [1e-180, 1e220], 'logarithms of each factor, not of their product');
    },
  },
];

const changeMistakes: readonly Mistake[] = [
  {
    name: 'no log-determinant',
    source: 'common: the Gaussian at f(x) is no density of x',
    replace: ' + Math.log(Math.abs(slope[n]!))',
    by: '',
  },
  {
    name: 'the slope of the inverse',
    source: 'common: the sign of the log-determinant',
    replace: '+ Math.log(Math.abs(slope[n]!))',
    by: '- Math.log(Math.abs(slope[n]!))',
  },
  {
    name: 'no absolute value',
    source: 'common: NaN where f decreases',
    replace: 'Math.abs(slope[n]!)',
    by: 'slope[n]!',
  },
  {
    name: 'the slope in place of its logarithm',
    source: 'common',
    replace: 'Math.log(Math.abs(slope[n]!))',
    by: 'Math.abs(slope[n]!)',
  },
  {
    name: 'ln 2π once for the sum',
    source: 'common: a term of the Gaussian left out',
    replace: 'value * value + Math.log(2 * Math.PI)',
    by: 'value * value',
  },
];

const planarChecks: readonly Check[] = [
  {
    name: 'the log-determinant of a map that almost folds, by differences',
    law: true,
    async run({ call, rng }) {
      const { x, w, u, b } = planarInput(rng, 4, 4, -3); // slopes down to 0.05, which differences of float32 can see
      await checkJacobian((points) => call(points, w, u, b), matrix(x), 'w·û is m(w·u)');
    },
  },
  {
    name: 'a hundred examples of ten coordinates',
    // 1 + m(−2) = 0.13 leaves float32 its digits, however w·û is computed
    run: ({ call, rng }) => checkPlanar(call, planarInput(rng, 100, 10, -2), 'one û for all'),
  },
  {
    name: 'w·u = 150, whose exponential is no float32',
    run: ({ call, rng }) => checkPlanar(call, planarInput(rng, 3, 5, 150), 'ln(1 + e^a) is tf.softplus'),
  },
];

const planarMistakes: readonly Mistake[] = [
  {
    name: 'u itself',
    source: 'common: nothing keeps w·u above −1, and the logarithm of a negative number is NaN',
    replace: 'const lifted = tf.softplus(along).sub(1);',
    by: 'const lifted = along;',
  },
  {
    name: 'û in z, u in the log-determinant',
    source: 'common: the determinant of another map',
    replace: 'slope.mul(lifted)',
    by: 'slope.mul(along)',
  },
  {
    name: 'w not divided by its squared length',
    source: 'common: by its length, or not at all',
    replace: '.div(w.square().sum())',
    by: '',
  },
  {
    name: 'tanh in place of its slope',
    source: 'common',
    replace: 'tf.sub(1, h.square())',
    by: 'h',
  },
  {
    name: 'no log-determinant',
    source: 'common: as if it kept volume',
    replace: 'slope.mul(lifted).add(1).log()',
    by: 'tf.zerosLike(slope)',
  },
  {
    name: 'the sign of the log-determinant',
    source: 'common: that of the inverse',
    replace: '.add(1).log()',
    by: '.add(1).log().neg()',
  },
  {
    name: 'averaged over the batch',
    source: 'common: one number for all examples',
    replace: 'tf.sub(1, h.square()).squeeze([1])',
    by: 'tf.sub(1, h.square()).squeeze([1]).mul(0).add(tf.sub(1, h.square()).mean())',
  },
  {
    name: 'the softplus as it is written',
    source: 'common: e^a overflows in float32 from a = 89 on',
    replace: 'tf.softplus(along)',
    by: 'along.exp().add(1).log()',
  },
];

const couplingChecks: readonly Check[] = [
  {
    name: 'fifty examples of ten coordinates',
    run: ({ call, rng }) => checkCoupling(call, rng, 50, 10, 'the first half is kept, the second moved'),
  },
  {
    name: 'what is kept does not depend on what is moved; the log-determinant does not either',
    law: true,
    async run({ call, rng }) {
      const network = networkOf(rng, 3);
      const x = matrix(normal(rng, 'x', [4, 6]));
      const other = x.map((row) => row.map((v, d) => (d < 3 ? v : v + 5)));
      const hint = 's and t are functions of the kept half alone';
      const here = await runToLatent(await call(matrixTensor(x), network.given), 4, 6, hint);
      const there = await runToLatent(await call(matrixTensor(other), network.given), 4, 6, hint);
      expectClose(there.logDet, here.logDet, { what: 'logDet', atol: 1e-4, hint });
      expectClose(there.z.map((row) => row.slice(0, 3)), x.map((row) => row.slice(0, 3)), { what: 'z_a', atol: 1e-5, hint }); // prettier-ignore
    },
  },
  {
    name: 'a strong coupling, s = −3 and 4, by the formula and by differences',
    async run({ call }) {
      const network = given('(a) => tf.concat([a.mul(0).add(tf.tensor1d([-3, 4])), a.square()], 1)');
      const x = [[0.3, -0.2, 0.5, 0.1], [0.1, 0.4, -0.3, 0.2]]; // prettier-ignore
      const expected = couplingOf(x, (kept) => [-3, 4, ...kept.map((v) => v * v)]);
      await checkToLatent(await call(matrixTensor(x), network), expected, 's as the network says it');
      await checkJacobian((points) => call(points, network), x, 'the sum of s');
    },
  },
];

const couplingMistakes: readonly Mistake[] = [
  {
    name: 'the scale not exponentiated',
    source: 'common: s used as the scale itself',
    replace: 'b.mul(s.exp())',
    by: 'b.mul(s)',
  },
  {
    name: 'no log-determinant',
    source: 'common: the term that keeps the likelihood honest',
    replace: 'logDet: s.sum(1)',
    by: 'logDet: tf.zerosLike(s.sum(1))',
  },
  {
    name: 'the mean of s',
    source: 'common: averaged over the coordinates, so that the loss is in other units than the base',
    replace: 's.sum(1)',
    by: 's.mean(1)',
  },
  {
    name: 'the log-determinant counted once for every dimension',
    source: 'jmtomczak/intro_dgm, vae_priors: the flow prior adds ln |det| to each of L dimensions and then sums',
    replace: 's.sum(1)',
    by: 's.sum(1).mul(s.shape[1]!)',
  },
  {
    name: 'the sign of the log-determinant',
    source: 'common: that of the way back',
    replace: 's.sum(1)',
    by: 's.sum(1).neg()',
  },
  {
    name: 'the scales in place of their logarithms',
    source: 'common: the trace of the Jacobian',
    replace: 's.sum(1)',
    by: 's.exp().sum(1)',
  },
  {
    name: 'the network sees what it moves',
    source: 'common: no triangular Jacobian, no inverse',
    replace: 'network(a)',
    by: 'network(b)',
  },
  {
    name: 's and t exchanged',
    source: 'common',
    replace: 'b.mul(s.exp()).add(t)',
    by: 'b.mul(t.exp()).add(s)',
  },
  {
    name: 'scale and shift in the other order',
    source: 'common: exp(s) (x + t)',
    replace: 'b.mul(s.exp()).add(t)',
    by: 'b.add(t).mul(s.exp())',
  },
  {
    name: 's clipped to ±2',
    source: 'common: a bound that is the network’s own affair; where it bites, s has no gradient',
    replace: 'tf.split(network(a), 2, 1) as [tf.Tensor, tf.Tensor];',
    by: 'tf.split(network(a), 2, 1).map((v, i) => (i === 0 ? v.clipByValue(-2, 2) : v)) as [tf.Tensor, tf.Tensor];',
  },
];

const toDataChecks: readonly Check[] = [
  {
    name: 'fifty examples of ten coordinates',
    run: ({ call, rng }) => checkToData(call, rng, 50, 10, 'undo the last thing first'),
  },
  {
    name: 'a network that scales the two coordinates differently',
    async run({ call }) {
      const z = matrixTensor([[Math.exp(4) * 5 - 1, Math.exp(-3) * 7 + 3, 2, 1]]); // reversed: kept 1, 2; moved 7, 5
      const got = await call(z, given('(a) => tf.tensor2d([[-3, 4, 3, -1]])'));
      expectClose(got, matrixTensor([[1, 2, 7, 5]]), { what: 'x', atol: 1e-4, hint: 'reverse before you split' });
    },
  },
];

const toDataMistakes: readonly Mistake[] = [
  {
    name: 'the permutation not undone',
    source: 'common: right for the likelihood, and samples are noise',
    replace: 'z.reverse(1)',
    by: 'z',
  },
  {
    name: 'the permutation undone last',
    source: 'common: in the order of the way there',
    replace: 'return tf.concat([a, b], 1)',
    by: 'return tf.concat([a, b], 1).reverse(1).reverse(1).reverse(1)',
  },
  {
    name: 'the batch reversed',
    source: 'common: without an axis, reverse turns every axis round',
    replace: 'z.reverse(1)',
    by: 'z.reverse()',
  },
  {
    name: 'scale undone before the shift',
    source: 'common: x e^−s − t',
    replace: 'moved.sub(t).mul(s.neg().exp())',
    by: 'moved.mul(s.neg().exp()).sub(t)',
  },
  {
    name: 'the way there once more',
    source: 'common: multiplied and added again',
    replace: 'moved.sub(t).mul(s.neg().exp())',
    by: 'moved.mul(s.exp()).add(t)',
  },
  {
    name: 'the scale not exponentiated',
    source: 'common',
    replace: 'mul(s.neg().exp())',
    by: 'div(s)',
  },
  {
    name: 'the network sees the moved half',
    source: 'common: which it did not see on the way there',
    replace: 'network(a)',
    by: 'network(moved)',
  },
];

const splineChecks: readonly Check[] = [
  {
    name: 'seventeen grey levels of sixty-four pixels',
    run: ({ call, rng }) =>
      checkHistogram(call, insideBins(rng, 20, 64, 17), normal(rng, 'logits', [64, 17], 2), 'sum over the pixels'),
  },
  {
    name: 'it increases, stays in [0, 1], and its slope is the derivative',
    async run({ call, rng }) {
      const logits = normal(rng, 'logits', [1, 6], 1.5);
      const x = Array.from({ length: 60 }, (_, i) => [(i + 0.5) / 10]);
      const { z, logDet } = await runToLatent(await call(matrixTensor(x), logits), 60, 1, 'a distribution function');
      const values = z.map(([v]) => v!);
      const rises = values.slice(1).every((v, i) => v > values[i]!);
      expectTrue(rises && values[0]! >= 0 && values[59]! <= 1 + 1e-6, 'an increasing function into [0, 1]', values.slice(0, 5).join(', ')); // prettier-ignore
      const within = x.flatMap((_, i) => (i < 59 && Math.floor(x[i]![0]!) === Math.floor(x[i + 1]![0]!) ? [i] : []));
      const slopes = within.map((i) => Math.log((values[i + 1]! - values[i]!) / 0.1));
      expectClose(within.map((i) => logDet[i]!), slopes, { what: 'logDet', atol: 5e-3 }); // prettier-ignore
    },
  },
  {
    name: 'numbers added to a row of logits change nothing',
    async run({ call, rng }) {
      const x = insideBins(rng, 5, 2, 4);
      const logits = normal(rng, 'logits', [2, 4]);
      await checkHistogram(
        call,
        x,
        tf.tidy(() => logits.add(tf.tensor2d([[100], [-100]]))),
        'softmax of each row',
      );
    },
  },
];

const splineMistakes: readonly Mistake[] = [
  {
    name: 'logits taken for logarithms of probabilities',
    source: 'common: nothing sums to 1',
    replace: 'tf.logSoftmax(logits)',
    by: 'logits',
  },
  {
    name: 'probabilities in place of their logarithms in the log-determinant',
    source: 'common',
    replace: 'bin.mul(logP).sum([1, 2])',
    by: 'bin.mul(logP.exp()).sum([1, 2])',
  },
  {
    name: 'averaged over the coordinates',
    source: 'common: mean for sum',
    replace: 'bin.mul(logP).sum([1, 2])',
    by: 'bin.mul(logP).sum(2).mean(1)',
  },
  {
    name: 'the bin counts fully',
    source: 'common: a staircase, which has no inverse',
    replace: 'x.expandDims(2).sub(tf.range(0, K))',
    by: 'x.floor().add(1).expandDims(2).sub(tf.range(0, K))',
  },
  {
    name: 'bins counted from 1',
    source: 'common: off by one',
    replace: 'tf.oneHot(x.floor().toInt()',
    by: 'tf.oneHot(x.ceil().toInt()',
  },
  {
    name: 'bins that hold their right ends',
    source: 'common: (0, 1], (1, 2] …: a point on a knot gets the slope of the bin before it, and 0 no bin',
    replace: 'tf.oneHot(x.floor().toInt()',
    by: 'tf.oneHot(x.ceil().sub(1).toInt()',
  },
  {
    name: 'normalised by the logarithm of a sum of exponentials',
    source: 'common: right until a logit exceeds 88, where e to the power of it is no float32',
    replace: 'tf.logSoftmax(logits)',
    by: 'logits.sub(logits.exp().sum(1, true).log())',
  },
  {
    name: 'the sign of the log-determinant',
    source: 'common: that of the inverse',
    replace: 'logDet: bin.mul(logP).sum([1, 2])',
    by: 'logDet: bin.mul(logP).sum([1, 2]).neg()',
  },
  {
    name: 'softmax over the coordinates',
    source: 'common: wrong axis',
    replace: 'tf.logSoftmax(logits)',
    by: 'tf.logSoftmax(logits.transpose()).transpose()',
  },
];

const householderChecks: readonly Check[] = [
  {
    name: 'twice is nothing, and the length of v does not matter',
    law: true,
    async run({ call, rng }) {
      const [x, v] = [normal(rng, 'x', [6, 5]), normal(rng, 'v', [5])];
      const once = expectTensor(await call(x, v), { what: 'z', shape: [6, 5] });
      expectClose(await call(once, v), x, { what: 'twice mirrored', atol: 1e-4 });
      for (const scale of [-7, 1e-4])
        expectClose(await call(x, v.mul(scale)), once, {
          what: `with ${scale} v`,
          atol: 1e-4,
          hint: 'v of any length',
        });
    },
  },
  {
    name: 'fifty examples of twenty coordinates',
    run: ({ call, rng }) =>
      checkReflection(call, normal(rng, 'x', [50, 20]), normal(rng, 'v', [20]), 'x − 2 (v·x) v / (v·v)'),
  },
];

const householderMistakes: readonly Mistake[] = [
  {
    name: 'v not normalised',
    source: 'jmtomczak/vae_householder_flow: its first implementation was, by its own README, buggy',
    replace: '.div(v.square().sum())',
    by: '',
  },
  {
    name: 'normalised by the length, not by its square',
    source: 'common',
    replace: 'v.square().sum()',
    by: 'v.square().sum().sqrt()',
  },
  { name: 'projected, not mirrored', source: 'common: the factor 2', replace: 'along.mul(2)', by: 'along' },
  { name: 'added', source: 'common: stretches along v threefold', replace: 'x.sub(along', by: 'x.add(along' },
  {
    name: 'something small added to v·v',
    source: 'common: a guard against a division by 0 that makes a short v no mirror',
    replace: 'v.square().sum()',
    by: 'v.square().sum().add(1e-8)',
  },
];

const exponentialChecks: readonly Check[] = [
  {
    name: 'exp(−M) exp(M) is the identity, and the log-determinants cancel',
    law: true,
    async run({ call, rng }) {
      const [x, M] = [normal(rng, 'x', [4, 5]), normal(rng, 'M', [5, 5], 0.5)];
      const there = await runToLatent(await call(x, M, 20), 4, 5, 'the series');
      const back = await runToLatent(await call(matrixTensor(there.z), M.neg(), 20), 4, 5, 'the series');
      expectClose(back.z, matrix(x), { what: 'exp(−M) exp(M) x', atol: 1e-3 });
      expectClose(back.logDet.map((v, n) => v + there.logDet[n]!), [0, 0, 0, 0], { what: 'the sum of both logDet', atol: 1e-4 }); // prettier-ignore
    },
  },
  {
    name: 'a rotation: no change of volume',
    law: true,
    async run({ call }) {
      const turn = matrixTensor([[0, -1], [1, 0]]); // prettier-ignore
      const got = await runToLatent(await call(matrixTensor([[1, 0]]), turn, 18), 1, 2, 'exp of a skew matrix rotates');
      expectClose(got.z, [[Math.cos(1), Math.sin(1)]], {
        what: 'z',
        atol: 1e-4,
        hint: 'row i of M gives coordinate i',
      });
      expectClose(got.logDet, [0], { what: 'logDet', atol: 1e-5 });
    },
  },
  {
    name: 'a stretch by e⁷, for which a dozen terms are not enough',
    run: ({ call }) =>
      checkExponential(call, matrixTensor([[0.5], [-3]]), matrixTensor([[7]]), 34, 'as many terms as asked for'),
  },
  {
    name: 'thirty examples of eight coordinates, twelve terms',
    run: ({ call, rng }) =>
      checkExponential(call, normal(rng, 'x', [30, 8]), normal(rng, 'M', [8, 8], 0.3), 12, 'term by term'),
  },
];

const exponentialMistakes: readonly Mistake[] = [
  {
    name: 'M transposed',
    source: 'common: x M in place of M x for examples in rows',
    replace: 'term.matMul(M, false, true)',
    by: 'term.matMul(M)',
  },
  {
    name: 'no factorial',
    source: 'common: the geometric series',
    replace: '.div(k)',
    by: '',
  },
  {
    name: 'x left out',
    source: 'common: the series starts with the identity',
    replace: 'let z = x;',
    by: 'let z: tf.Tensor = tf.zerosLike(x);',
  },
  {
    name: 'all entries in place of the diagonal',
    source: 'common: sum for trace',
    replace: 'M.mul(tf.eye(M.shape[0]!)).sum()',
    by: 'M.sum()',
  },
  {
    name: 'the logarithm of the trace',
    source: 'common: ln det exp M is the trace itself',
    replace: '.add(trace)',
    by: '.add(trace.abs().log())',
  },
  {
    name: 'the mean of the diagonal',
    source: 'common: counted per dimension',
    replace: '.add(trace)',
    by: '.add(trace.div(M.shape[0]!))',
  },
  {
    name: 'no log-determinant',
    source: 'common: as if it kept volume',
    replace: '.add(trace)',
    by: '.add(trace.mul(0))',
  },
];

const dequantiseChecks: readonly Check[] = [
  {
    name: 'the last of many coordinates, at the largest integer',
    async run({ call, rng }) {
      expectUniform(await noiseAt(call, rng, [1000, 64], 63, 16), 'x + u − x', 'uniform on [0, 1) for every pixel');
    },
  },
  {
    name: 'the same rng gives the same number, another one another',
    law: true,
    async run({ call, rng }) {
      const at = async (label: string) => (await noiseAt(call, rng.fork(label), [4, 2], 0)).join();
      const [one, again, other] = [await at('a'), await at('a'), await at('b')];
      expectTrue(one === again, 'all randomness to come from rng', 'other numbers from the same rng');
      expectTrue(one !== other, 'fresh noise from a fresh rng', 'the same numbers from another rng');
    },
  },
];

const dequantiseMistakes: readonly Mistake[] = [
  {
    name: 'the published bug: U(0, ½]',
    source: 'jmtomczak/intro_dgm, realnvp: (1 − rand) / 2, which makes the likelihood D ln 2 = 44.4 nats too good',
    replace: 'rng.uniform(x.shape)',
    by: 'tf.sub(1, rng.uniform(x.shape)).div(2)',
  },
  {
    name: 'U[0, ½)',
    source: 'the same, the other way round',
    replace: 'rng.uniform(x.shape)',
    by: 'rng.uniform(x.shape).div(2)',
  },
  {
    name: 'centred noise',
    source: 'common: U[−½, ½) belongs to the cells around the integers, which rounding, not floor, undoes',
    replace: 'rng.uniform(x.shape)',
    by: 'rng.uniform(x.shape).sub(0.5)',
  },
  {
    name: 'Gaussian noise',
    source: 'common: it leaves the cell',
    replace: 'rng.uniform(x.shape)',
    by: 'rng.normal(x.shape).mul(0.29).add(0.5)',
  },
  {
    name: 'no noise',
    source: 'common: the density at the corner of the cell',
    replace: 'x.add(u)',
    by: 'x.add(u.mul(0))',
  },
  {
    name: 'one noise for all examples',
    source: 'common: broadcast over the batch',
    replace: 'rng.uniform(x.shape)',
    by: 'rng.uniform([1, x.shape[1]!])',
  },
  {
    name: 'one noise for all pixels',
    source: 'common: broadcast over the pixels',
    replace: 'rng.uniform(x.shape)',
    by: 'rng.uniform([x.shape[0]!, 1])',
  },
  {
    name: 'noise kept away from the ends of the cell',
    source: 'common: u in [0.02, 0.98] against infinite logits; each pixel then claims 0.04 nats too much',
    replace: 'rng.uniform(x.shape)',
    by: 'rng.uniform(x.shape).mul(0.96).add(0.02)',
  },
  {
    name: 'the noise of half of the batch used twice',
    source: 'common: fewer draws than examples, tiled',
    replace: 'rng.uniform(x.shape)',
    by: 'rng.uniform([Math.ceil(x.shape[0]! / 2), x.shape[1]!]).tile([2, 1]).slice([0, 0], x.shape as [number, number])',
  },
  {
    name: 'mirrored noise: 1 − u for the second half of the batch',
    source: 'common: antithetic draws, whose mean is better, and which are not independent',
    replace: 'rng.uniform(x.shape)',
    by: '(([half]) => tf.concat([half!, tf.sub(1, half!)]).slice([0, 0], x.shape as [number, number]))([rng.uniform([Math.ceil(x.shape[0]! / 2), x.shape[1]!])])',
  },
  {
    name: 'the correction added for noise that needs none',
    source: 'common: D ln 2 subtracted with full noise',
    replace: 'return logDensity(x.add(u))',
    by: 'return logDensity(x.add(u)).sub(x.shape[1]! * Math.LN2)',
  },
];

export const hidden: Readonly<Record<string, Hidden>> = {
  'flow.changeOfVariables': { checks: changeChecks, mistakes: changeMistakes },
  'flow.planar': { checks: planarChecks, mistakes: planarMistakes },
  'flow.coupling': { checks: couplingChecks, mistakes: couplingMistakes },
  'flow.toData': { checks: toDataChecks, mistakes: toDataMistakes },
  'flow.spline': { checks: splineChecks, mistakes: splineMistakes },
  'flow.householder': { checks: householderChecks, mistakes: householderMistakes },
  'flow.mixChannels': mixChannels,
  'flow.blindPairs': blindPairs,
  'flow.exponential': { checks: exponentialChecks, mistakes: exponentialMistakes },
  'flow.dequantise': { checks: dequantiseChecks, mistakes: dequantiseMistakes },
  'flow.narrowClaim': narrowClaim,
};
