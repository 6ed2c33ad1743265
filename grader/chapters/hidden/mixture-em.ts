/** Chapter 3, for graders: the M-steps, the loop around them, and what becomes of a start. */
import * as tf from '@tensorflow/tfjs';
import { permutation } from 'dgm';
import { checkEm, checkTablesLeft, emInput, runEm, startIn } from '../checks/mixture-em';
import { checkGaussianMStep, gaussianInput, type GaussianInput } from '../checks/mixture-gaussian-step';
import { checkMStep, logJointOf, randomResponsibilities, tablesFrom } from '../checks/mixture-m-steps';
import { integers, matrix, matrixTensor, softmax, vector } from '../checks/common';
import { expectClose, expectFields, expectTensor } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';
import { shuffled } from './mixture-density';

const mStepChecks: readonly Check[] = [
  {
    name: 'twice the data and twice α give the same parameters, in whatever order the examples come',
    law: true,
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
      await checkEm(call, input, 4, [1e-3, 1e-2]);
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

const gaussianMStepChecks: readonly Check[] = [
  {
    name: 'moved and stretched data move and stretch the parameters; twice the data change nothing',
    async run({ call, rng }) {
      const input = gaussianInput(rng, [14, 3, 4]);
      const ask = async ({ x, r, floor }: GaussianInput) => {
        const { mu, logVar } = expectFields(await call(x, r, floor), ['mu', 'logVar']);
        const shape = [r.shape[1]!, x.shape[1]!];
        return { mu: expectTensor(mu, { what: 'mu', shape }), logVar: expectTensor(logVar, { what: 'logVar', shape }) };
      };
      const { x, r, floor } = input;
      const here = await ask(input);
      const moved = await ask({ x: x.mul(3).sub(5), r, floor });
      const expected = { mu: here.mu.mul(3).sub(5), logVar: here.logVar.add(2 * Math.log(3)) };
      expectClose(moved, expected, { what: 'the parameters of the moved data', rtol: 1e-4, atol: 1e-3 });
      const twice = await ask({ x: tf.concat([x, x]), r: tf.concat([r, r]), floor });
      expectClose(twice, here, { what: 'the parameters of twice the data', rtol: 1e-4, atol: 1e-3 });
    },
  },
  {
    name: 'agrees with the definition for ten components in 64 dimensions',
    run: ({ call, rng }) => checkGaussianMStep(call, gaussianInput(rng, [90, 10, 64])),
  },
];

const gaussianMStepMistakes: readonly Mistake[] = [
  {
    name: 'squares multiplied out',
    source: 'scikit-learn issues 30382 and 29989, and an earlier version of this library: nothing is left far from 0',
    replace: 'w.mul(differences.square()).sum(0)',
    by: 'w.mul(x.expandDims(1).square()).sum(0).sub(mu.square())',
  },
  {
    name: 'weights not normalised',
    source: 'common: a sum taken for a mean',
    replace: 'r.div(r.sum(0))',
    by: 'r.div(x.shape[0]!)',
  },
  {
    name: 'the variance about the mean of all data',
    source: 'common: the old mean, or anybody’s, in place of the component’s new one',
    replace: 'x.expandDims(1).sub(mu)',
    by: 'x.expandDims(1).sub(x.mean(0))',
  },
  {
    name: 'σ in place of σ²',
    source: 'common: standard deviation against variance',
    replace: 'maximum(floor).log()',
    by: 'maximum(floor).log().mul(0.5)',
  },
  {
    name: 'no floor',
    source: 'common: a component on a single point gets ln 0',
    replace: '.maximum(floor)',
    by: '',
  },
  {
    name: 'the floor added',
    source: 'common: every variance grows by it',
    replace: '.maximum(floor)',
    by: '.add(floor)',
  },
];

const tablesLeftChecks: readonly Check[] = [
  {
    name: 'several groups of columns in proportion, in any order',
    async run({ call, rng }) {
      const groupings = [
        [[0, 1, 2], [0]],
        [
          [0, 3],
          [1, 2, 5],
          [0, 0],
        ],
        [[0], [0], [0], [0]],
      ];
      for (const [i, groups] of groupings.entries()) {
        const start = startIn(rng.fork(`start ${i}`), 5, groups);
        const order = [...permutation(start[0]!.length, rng.fork(`order ${i}`))];
        await checkTablesLeft(call, start.map((row) => order.map((k) => row[k]!))); // prettier-ignore
      }
    },
  },
  {
    name: 'two examples and four columns; and a single example',
    async run({ call, rng }) {
      await checkTablesLeft(call, startIn(rng, 2, [[0], [0], [0]]), 'four columns of two numbers can all differ');
      await checkTablesLeft(call, [[0.5, 0.25, 0.25]], 'one example: every column is a multiple of every other');
    },
  },
];

const tablesLeftMistakes: readonly Mistake[] = [
  {
    name: 'as many as there are components',
    source: 'common: EM is trusted to tell them apart',
    replace: 'return distinct.size;',
    by: 'return start[0]!.length;',
  },
  {
    name: 'columns compared as they are',
    source: 'common: the size of a component taken for its table',
    replace: '(value / total)',
    by: '(value + 0 * total)',
  },
  {
    name: 'always one',
    source: 'common: the symmetric start taken for any start',
    replace: 'return distinct.size;',
    by: 'return 1;',
  },
];

export const mStep: Hidden = { checks: mStepChecks, mistakes: mStepMistakes };
export const gaussianMStep: Hidden = { checks: gaussianMStepChecks, mistakes: gaussianMStepMistakes };
export const emLoop: Hidden = { checks: emLoopChecks, mistakes: emLoopMistakes };
export const tablesLeft: Hidden = { checks: tablesLeftChecks, mistakes: tablesLeftMistakes };
