import * as tf from '@tensorflow/tfjs';
import { createRng, integerFlow, type IntegerFlowConfig, logDiscretisedLogistic, roundThrough, variablesOf } from 'dgm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compiled } from '../../../lib/sampling/sampler';
import { expectClose, logSumExp, mean, numericalGradient, read } from '../../helpers';

const tiny = integerFlow.tiny.config;
const picture: Partial<IntegerFlowConfig> = { eventShape: [4, 4], width: 4, low: 0, high: 3, hidden: [8] };

/** A member whose translations are some units long: fresh ones are 0. */
function lively(config: Partial<IntegerFlowConfig>, scale = 1, seed = 'lively') {
  const model = integerFlow.create({ ...tiny, ...config }, createRng(seed));
  for (const [i, variable] of variablesOf(model).entries())
    tf.tidy(() => variable.assign(createRng(seed).fork(`noise ${i}`).normal(variable.shape).mul(scale).add(variable)));
  return model;
}

/** The numbers of a tensor that lives on, −0 as 0. */
const integersIn = (x: tf.Tensor) => Array.from(x.dataSync(), (v) => v + 0);

const integersOf = (count: number, size: number, high: number, seed = 'x') =>
  tf.tidy(() => createRng(seed).uniform([count, size]).sub(0.5).mul(2 * high).round()); // prettier-ignore

describe('logDiscretisedLogistic', () => {
  const at = (x: readonly number[], mu: number, logScale: number) =>
    read(logDiscretisedLogistic(tf.tensor1d([...x]), tf.scalar(mu), tf.scalar(logScale)));
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

  test.each([
    [0.3, 0.2],
    [-1.2, -1],
    [4, 1.5],
  ])('is the difference of distribution functions: mu = %d, ln s = %d', (mu, logScale) => {
    const s = Math.exp(logScale);
    const x = [-3, -1, 0, 1, 2, 5];
    const expected = x.map((v) => Math.log(sigmoid((v + 0.5 - mu) / s) - sigmoid((v - 0.5 - mu) / s)));
    expectClose(at(x, mu, logScale), expected, { relative: 1e-4, absolute: 1e-5 });
  });

  test('sums to 1 over the integers, from a point mass to a scale of 20', () => {
    const world = Array.from({ length: 2001 }, (_, i) => i - 1000); // leaves out at most 2 e^(−1000 / 20)
    for (const [mu, logScale] of [[0, -5], [0.49, -2], [-3.3, 0], [2.5, 1], [7.1, 3]] as const) {
      const sum = Math.exp(logSumExp(at(world, mu, logScale)));
      expectClose([sum], [1], { absolute: 2e-5 });
    } // prettier-ignore
  });

  test('falls by 1 / s a step in the tails, where the difference of distribution functions is 0', () => {
    const far = at([999, 1000, -999, -1000], 0, 0);
    expectClose([far[0]! - far[1]!, far[2]! - far[3]!], [1, 1], { absolute: 1e-3 }); // 1000 in float32
    expectClose([far[0]!], [-999 + Math.log(2 * Math.sinh(0.5))], { relative: 1e-6 });
  });

  test('has the gradient of its formula, also far out', () => {
    const value = ([x, mu, logScale]: readonly number[]) => at([x!], mu!, logScale!)[0]!;
    const gradients = tf.grads((x, mu, logScale) => logDiscretisedLogistic(x!, mu!, logScale!).sum());
    for (const point of [[1, 0.3, 0.2], [-4, 0.5, 0.7], [30, 0, 1]] as const) {
      const got = gradients(point.map((v) => tf.scalar(v))).flatMap(read);
      expectClose(got, numericalGradient(value, [...point], 0.01), { relative: 0.01, absolute: 2e-3 });
    } // prettier-ignore
  });
});

test('roundThrough rounds halves to even, and its gradient is that of the identity', () => {
  const x = tf.tensor1d([-1.5, -0.5, 0.4, 0.5, 1.5, 2.6]);
  expect(integersIn(roundThrough(x))).toEqual([-2, 0, 0, 0, 2, 3]);
  const gradient = tf.grad((v: tf.Tensor) => roundThrough(v).mul(v).sum())(x);
  expectClose(read(gradient), [-3.5, -0.5, 0.4, 0.5, 3.5, 5.6], { absolute: 1e-6 });
});

describe('a bijection of the integers', () => {
  const members: readonly (readonly [string, Partial<IntegerFlowConfig>])[] = [
    ['couplings', tiny],
    ['couplings, two rounds', { ...picture, rounds: 2 }],
    ['general invertible, 3 groups', { ...picture, groups: 3 }],
    ['general invertible, 4 groups, two rounds', { ...picture, groups: 4, rounds: 2 }],
  ];

  test.each(members)('%s: there and back, and back and there', (_, config) => {
    const model = lively(config);
    const D = model.eventShape.reduce((a, b) => a * b);
    const integers = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: D, maxLength: D });
    fc.assert(
      fc.property(fc.array(integers, { minLength: 1, maxLength: 5 }), (rows) => {
        tf.tidy(() => {
          const z = tf.tensor(rows.flat(), [rows.length, D]);
          const x = z.reshape([rows.length, ...model.eventShape]);
          expect(integersIn(model.toData(model.toLatent(x)))).toEqual(rows.flat());
          expect(integersIn(model.toLatent(model.toData(z)))).toEqual(rows.flat());
          expect(integersIn(model.toLatent(x)).every(Number.isInteger)).toBe(true);
        });
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  test('no two points of a box meet: the latents of 41² points are 41² points', () => {
    const values = Array.from({ length: 41 }, (_, i) => i - 20);
    const box = values.flatMap((a) => values.map((b) => [a, b]));
    const z = lively(tiny, 2).toLatent(tf.tensor2d(box)).arraySync() as number[][];
    expect(new Set(z.map((row) => row.join())).size).toBe(box.length);
    expect(z.some(([a, b], i) => a !== box[i]![0] || b !== box[i]![1])).toBe(true); // and it is no identity
  });

  test('compiled, the latents are the same integers', () => {
    const model = lively({ ...picture, groups: 4 });
    const x = integersOf(200, 16, 20).reshape([200, 4, 4]);
    const [z] = compiled(([v]) => [model.toLatent(v!)])([x], createRng(1));
    expect(integersIn(z!)).toEqual(integersIn(model.toLatent(x)));
  });

  test('integers stay exact up to 2²³', () => {
    const model = lively({ ...tiny, high: 2 ** 23, low: -(2 ** 23) }); // so that translations stay small
    const x = tf.tensor2d([[2 ** 23 - 40, -(2 ** 23) + 40]]);
    expect(integersIn(model.toData(model.toLatent(x)))).toEqual(integersIn(x));
  });
});

test('each round moves every coordinate once, and never two neighbours in a row or column at a time', () => {
  for (const groups of [2, 3, 4]) {
    const { steps } = integerFlow.create({ ...tiny, ...picture, groups }, createRng(1));
    expect(steps.length).toBe(groups);
    for (let d = 0; d < 16; d++) {
      expect(steps.filter(({ mask }) => mask[d] === 1).length).toBe(1);
      for (const neighbour of [d % 4 < 3 ? d + 1 : d, d < 12 ? d + 4 : d])
        if (neighbour !== d) expect(steps.some(({ mask }) => mask[d] === 1 && mask[neighbour] === 1)).toBe(false);
    }
  }
});

test('starts as the identity: p(x) is the prior’s', () => {
  const model = integerFlow.create({ ...tiny, ...picture }, createRng(1));
  const x = integersOf(5, 16, 4).reshape([5, 4, 4]);
  expect(integersIn(model.toLatent(x))).toEqual(integersIn(x));
  const { likelihood } = model;
  if (likelihood.kind !== 'exact') return expect.fail('an integer flow has an exact likelihood');
  const prior = model.logPrior(x.reshape([5, 16])).sum(1);
  expectClose(read(likelihood.logProb(x, createRng(1))), read(prior), { relative: 1e-6 });
});

test('a point between the integers has no mass', () => {
  const { likelihood } = lively(tiny);
  if (likelihood.kind !== 'exact') return expect.fail('an integer flow has an exact likelihood');
  const logP = read(likelihood.logProb(tf.tensor2d([[1, 0.5], [1, 0]]), createRng(1))); // prettier-ignore
  expect(logP[0]).toBe(-Infinity);
  expect(logP[1]).toBeGreaterThan(-Infinity);
});

test('samples are integers that the flow maps to the latents they came from', () => {
  const model = lively({ ...picture, groups: 4 });
  const x = model.sample({ count: 100, rng: createRng('draw') });
  expect(integersIn(x).every(Number.isInteger)).toBe(true);
  expect(integersIn(model.toData(model.toLatent(x)))).toEqual(integersIn(x));
});

describe('the gradient of a step’s translation', () => {
  // D = 2, one step each; of the last step's offset t₀, all that matters is −mean dln p(z_d) along z_d
  const x = integersOf(40, 2, 3);
  const gradientOf = (slope: IntegerFlowConfig['slope']) => {
    const model = lively({ ...tiny, slope });
    const offset = model.steps[1]!.translation.variables.at(-1)!; // [2]
    const { grads } = tf.variableGrads(() => model.objectives[0]!.loss({ x }, createRng(1)) as tf.Scalar, [offset]);
    return { model, gradient: read(grads[offset.name]!) };
  };
  const moved = 1; // the second step moves the second coordinate

  test('by derivatives: the slope of ln p at the integer', () => {
    const { model, gradient } = gradientOf('derivative');
    const z = model.toLatent(x);
    const slope = tf
      .grad((v: tf.Tensor) => model.logPrior(v).sum())(z)
      .arraySync() as number[][];
    expectClose([gradient[moved]!], [-mean(slope.map((row) => row[moved]!))], { absolute: 1e-5 });
    expect(Math.abs(gradient[1 - moved]!)).toBe(0);
  });

  test('by differences: ln p of the neighbour that rounding all but chose, less ln p here', () => {
    const { model, gradient } = gradientOf('difference');
    const { mask, translation } = model.steps[1]!;
    const afterFirst = tf.tidy(() => {
      const first = model.steps[0]!;
      return x.add(first.translation.apply(x.mul(first.mask.map((m) => 1 - m))).round().mul([...first.mask])); // prettier-ignore
    });
    const t = read(translation.apply(afterFirst.mul(mask.map((m) => 1 - m))));
    const z = model.toLatent(x).arraySync() as number[][];
    const logP = (row: readonly number[]) => read(model.logPrior(tf.tensor2d([[...row]])))[moved]!;
    const slopes = z.map((row, n) => {
      const pre = t[2 * n + moved]!;
      const side = pre >= Math.round(pre) ? 1 : -1;
      return side * (logP([row[0]!, row[1]! + side]) - logP(row));
    });
    expectClose([gradient[moved]!], [-mean(slopes)], { absolute: 1e-5, relative: 1e-4 });
  });
});

test('says what groups it can make', () => {
  const make = (groups: number) => () => integerFlow.create({ ...tiny, ...picture, groups }, createRng(1));
  expect(make(5)).toThrow('integerFlow: groups must be an integer of 2 … 4, the width of a row, got 5');
  expect(make(1)).toThrow('got 1');
});
