import * as tf from '@tensorflow/tfjs';
import {
  additive,
  affine,
  type Bijection,
  chain,
  checkerboard,
  coarseToFine,
  convolutionExponential,
  coupling,
  couplingNetwork,
  createRng,
  dequantised,
  elementwise,
  evaluate,
  histogramBaseline,
  householder,
  importanceBound,
  invertibleDirection,
  learntNoise,
  linearSpline,
  logAbsDet,
  logit,
  nice,
  numericalJacobian,
  orthonormal,
  others,
  permutationOf,
  planar,
  planarFlow,
  rationalQuadraticSpline,
  realNvp,
  reversal,
  splineFlow,
  standardise,
  sylvester,
  sylvesterFlow,
  type Family,
  type FlowConfig,
  type FlowModel,
  type GenerativeModel,
  type Rng,
  type Transform,
  variablesOf,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, mean, read } from '../../helpers';
import { lawsOf } from '../../laws/laws';
import { type Specimen } from '../../laws/specimen';

// Every bijection, with random weights, at random points

const D = 4;
const halves = { D, kept: [2, 0], moved: [1, 3] };

function couplingWith(transform: Transform, rng: Rng): Bijection {
  return coupling({ ...halves, transform, network: couplingNetwork(2, [8], 2 * transform.parameters, rng) });
}

type Interval = readonly [low: number, high: number];

/** With the interval that points are drawn from, where it is not any. */
const bijections: readonly (readonly [name: string, make: (rng: Rng) => Bijection, interval?: Interval])[] = [
  ['standardise', () => standardise(1, 3)],
  ['logit', () => logit(-2, 3), [-1.9, 2.9]],
  ['permutation', () => permutationOf([2, 0, 3, 1])],
  ['reversal', () => reversal(D)],
  ['activation normalisation', () => elementwise(D, affine(2))],
  ['elementwise, two of four', () => elementwise(D, affine(2), [3, 0])],
  ['additive coupling', (rng) => couplingWith(additive, rng)],
  ['affine coupling', (rng) => couplingWith(affine(2), rng)],
  ['linear spline', () => elementwise(D, linearSpline(5, -2, 3)), [-2, 3]],
  ['linear spline coupling', (rng) => couplingWith(linearSpline(5, -2, 3), rng), [-2, 3]],
  ['rational quadratic spline', () => elementwise(D, rationalQuadraticSpline(5, -2, 3)), [-2, 3]],
  ['rational quadratic coupling', (rng) => couplingWith(rationalQuadraticSpline(5, -2, 3), rng), [-2, 3]],
  ['planar', (rng) => planar(D, rng)],
  ['Householder', (rng) => householder(D, 3, rng)],
  ['Sylvester, orthogonal, rank 1', (rng) => sylvester(D, 1, 'orthogonal', rng)],
  ['Sylvester, orthogonal', (rng) => sylvester(D, 3, 'orthogonal', rng)],
  ['Sylvester, householder', (rng) => sylvester(D, D, 'householder', rng)],
  ['Sylvester, triangular', (rng) => sylvester(D, D, 'triangular', rng)],
  ['convolution exponential', (rng) => convolutionExponential(2, 2, 3, rng)],
  ['chain', (rng) => chain(planar(D, rng), couplingWith(affine(2), rng), reversal(D), planar(D, rng.fork('second')))],
];

function lively(make: (rng: Rng) => Bijection, seed = 'bijection'): Bijection {
  const rng = createRng(seed);
  const bijection = make(rng);
  for (const [i, variable] of bijection.variables.entries())
    tf.tidy(() => variable.assign(rng.fork(`noise ${i}`).normal(variable.shape).mul(0.4).add(variable)));
  return bijection;
}

const points = (count: number, low: number, high: number) =>
  tf.tidy(() => createRng('points').uniform([count, D]).mul(high - low).add(low)); // prettier-ignore

describe.each(bijections.map((entry) => [entry[0], entry] as const))('%s', (_, [, make, interval = [-3, 3]]) => {
  const [low, high] = interval;
  test('there and back', () => {
    const bijection = lively(make);
    const x = points(200, low, high);
    const { z, logDet } = bijection.toLatent(x);
    expect([z.shape, logDet.shape]).toEqual([[200, D], [200]]);
    const again = bijection.toData(z);
    // float32 within some layers; where a spline is flat, its inverse is steep
    expectClose(again.dataSync(), x.dataSync(), { absolute: 2e-3 });
    expectClose(bijection.toLatent(again).z.dataSync(), z.dataSync(), { absolute: 2e-3 });
  });

  test('the log-determinant is that of the numerical Jacobian', () => {
    const bijection = lively(make);
    const f = (x: readonly number[]) => Array.from(bijection.toLatent(tf.tensor2d([[...x]])).z.dataSync());
    const x = points(8, low + 0.05, high - 0.05).arraySync() as number[][];
    const jacobians = x.map((row) => logAbsDet(numericalJacobian(f, row, 2e-3)));
    const logDet = read(bijection.toLatent(tf.tensor2d(x)).logDet);
    // a knot of a spline may lie within the difference: the slope there is between the two sides'
    const off = logDet.filter((value, n) => !(Math.abs(value - jacobians[n]!) < 5e-3));
    expect(off.length, `${logDet.join()} against ${jacobians.join()}`).toBeLessThanOrEqual(1);
  });

  test('leaves no tensor behind', () => {
    const bijection = lively(make);
    const x = points(3, low, high);
    const before = tf.memory().numTensors;
    const { z, logDet } = bijection.toLatent(x);
    tf.dispose([bijection.toData(z), z, logDet]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

// Members of the families beyond the tiny ones that every law runs on

const reals = <Config extends FlowConfig>(family: Family<Config>, change: Partial<Config>): Specimen => ({
  support: { kind: 'continuous', low: -14, high: 14 },
  learningRate: 0.02,
  batchSize: 50,
  create: (rng) => family.create({ ...family.tiny.config, ...change }, rng),
});

const integers = <Config extends FlowConfig>(family: Family<Config>, change: Partial<Config>): Specimen => ({
  support: { kind: 'discrete', values: [0, 1, 2] },
  learningRate: 0.02,
  batchSize: 50,
  create: (rng) =>
    family.create({ ...family.tiny.config, values: 3, domain: 'interval', low: -0.1, high: 3.1, ...change }, rng),
});

const onUnit = { support: { kind: 'continuous', low: 0, high: 4 } } as const;

const members: readonly (readonly [string, Specimen])[] = [
  ['RealNVP on an interval', { ...reals(realNvp, { domain: 'interval', low: 0, high: 4 }), ...onUnit }],
  ['RealNVP with reflections', reals(realNvp, { mixing: 'householder' })],
  ['RealNVP with convolutions', reals(realNvp, { mixing: 'convolution', eventShape: [1, 2] })],
  ['Sylvester, householder', reals(sylvesterFlow, { orthogonality: 'householder' })],
  ['Sylvester, triangular', reals(sylvesterFlow, { orthogonality: 'triangular' })],
  ['Sylvester, rank 1', reals(sylvesterFlow, { rank: 1 })],
  ['rational quadratic spline flow', { ...reals(splineFlow, { spline: 'rational-quadratic' }), ...onUnit }],
  ['NICE on integers', integers(nice, {})],
  ['RealNVP on integers, uniform noise', integers(realNvp, { steps: 1 })],
  ['RealNVP on integers, learnt noise', integers(realNvp, { noise: 'learnt', steps: 1 })],
  ['spline flow on integers', integers(splineFlow, { low: 0, high: 3, bins: 3 })],
];

describe.each(members)('%s', (_, specimen) => {
  const model = specimen.create(createRng(1));
  const applying = lawsOf(model, specimen).map((law) => [law.name, law] as const);
  test.each(applying)('%s', (_, law) => law.check(specimen));
});

// A chain of layers mixes: with one order for all layers, maps that look one way only never look back

const mixing: readonly (readonly [string, (config: Partial<FlowConfig>) => FlowModel])[] = [
  ['NICE', (config) => nice.create({ ...nice.tiny.config, ...config }, createRng(1))],
  ['RealNVP', (config) => realNvp.create({ ...realNvp.tiny.config, masks: [[0, 1], [2, 3]], ...config }, createRng(1))],
  ['planar', (config) => planarFlow.create({ ...planarFlow.tiny.config, ...config }, createRng(1))],
  ...(['orthogonal', 'householder', 'triangular'] as const).map(
    (orthogonality) =>
      [
        `Sylvester, ${orthogonality}`,
        (config: Partial<FlowConfig>) =>
          sylvesterFlow.create({ ...sylvesterFlow.tiny.config, orthogonality, rank: D, ...config }, createRng(1)),
      ] as const,
  ),
]; // prettier-ignore

test.each(mixing)('%s: after some layers every latent depends on every coordinate', (_, create) => {
  const model = create({ eventShape: [D], steps: 4 });
  const { toLatent } = lively(() => model.bijection);
  const f = (x: readonly number[]) => Array.from(toLatent(tf.tensor2d([[...x]])).z.dataSync());
  const jacobians = (points(20, -2, 2).arraySync() as number[][]).map((row) => numericalJacobian(f, row, 0.05));
  const largest = jacobians[0]!.map((row, i) => row.map((__, j) => Math.max(...jacobians.map((J) => Math.abs(J[i]![j]!))))); // prettier-ignore
  expect(Math.min(...largest.flat()), JSON.stringify(largest)).toBeGreaterThan(1e-4);
});

// What is particular

test('a linear spline of each coordinate with a knot at every integer is the histogram', () => {
  const x = tf.tensor2d(Array.from({ length: 60 }, (_, n) => [n % 3, (n * n) % 3, n % 2]));
  const histogram = histogramBaseline({ x }, 3, { alpha: 1 });
  const config = { ...splineFlow.defaults, eventShape: [3], values: 3, high: 3, bins: 3, groups: [[0, 1, 2]] };
  const flow = splineFlow.create(config, createRng(1));
  const counts = tf.oneHot(x.toInt() as tf.Tensor2D, 3).sum(0).add(1).log(); // prettier-ignore
  variablesOf(flow)[0]!.assign(counts.expandDims(0));
  const of = (model: GenerativeModel) => evaluate(model, { x }, createRng(2)).perExample;
  expectClose(of(flow), of(histogram), { absolute: 1e-5 });
});

test('a spline ends where its interval does: all mass inside, none outside', () => {
  const flow = splineFlow.create(splineFlow.tiny.config, createRng(1));
  const x = tf.tensor2d([[0, 0], [4, 4], [-0.01, 2], [2, 4.01]]); // prettier-ignore
  const { perExample } = evaluate(flow, { x }, createRng(2));
  expectClose(perExample, [Math.log(16), Math.log(16), Infinity, Infinity], { absolute: 1e-5 });
});

test('w·û > −1, whatever u and w are', () => {
  for (let i = 0; i < 50; i++) {
    const [u, w] = ['u', 'w'].map((name) => createRng(i).fork(name).normal([3]).mul(4)) as [tf.Tensor, tf.Tensor];
    expect(read(invertibleDirection(u, w).mul(w).sum())[0]).toBeGreaterThanOrEqual(-1);
  }
});

test('orthonormal columns', () => {
  const Q = orthonormal(createRng(3).normal([6, 4]));
  expectClose(read(Q.matMul(Q, true)), read(tf.eye(4)), { absolute: 1e-5 });
});

test('lists of coordinates', () => {
  expect(checkerboard(2, 3)).toEqual([1, 3, 5]);
  expect(others(5, [1, 3])).toEqual([0, 2, 4]);
  for (const [height, width, parts] of [
    [8, 8, 1],
    [8, 8, 2],
    [1, 2, 1],
    [3, 5, 2],
  ] as const) {
    // prettier-ignore
    const groups = coarseToFine(height, width, parts);
    expect(groups.flat().sort((a, b) => a - b)).toEqual(others(height * width, []));
    expect(groups[0]).toEqual([0]);
  }
  expect(coarseToFine(2, 2)).toEqual([[0], [3], [1, 2]]);
});

test.each([linearSpline, rationalQuadraticSpline])('a spline of no bins, or on no interval, is an error', (spline) => {
  for (const bins of [0, 2.5, NaN])
    expect(() => spline(bins, 0, 1)).toThrow(`bins must be an integer ≥ 1, got ${bins}`);
  expect(() => spline(4, 1, 1)).toThrow('expected low < high, got 1 and 1');
});

test('so many bins that the least of them do not fit are an error', () => {
  expect(() => rationalQuadraticSpline(1000, 0, 1)).toThrow('bins must be below 1000');
  const { parameters, toLatent } = rationalQuadraticSpline(999, 0, 1);
  expect(read(toLatent(tf.tensor2d([[1]]), tf.zeros([1, 1, parameters])).z)[0]).toBeCloseTo(1, 3);
});

test('splines on the whole line are an error', () => {
  const config = { ...splineFlow.tiny.config, domain: 'reals' } as const;
  expect(() => splineFlow.create(config, createRng(1))).toThrow("expected domain 'interval', got 'reals'");
});

test('what is no permutation, or seen and moved at once, is an error', () => {
  expect(() => permutationOf([0, 2, 2])).toThrow('expected each of 0 … 2 once, got 0, 2, 2');
  const network = couplingNetwork(1, [4], 1, createRng(1));
  expect(() => coupling({ D: 2, kept: [0], moved: [0], transform: additive, network })).toThrow('both kept and moved');
});

// Noise and bounds

/** p(x) of the coarse density N(1.5, 1) on the integers, by quadrature. */
const normalCells = (low: number) => {
  const steps = 2000;
  let sum = 0;
  for (let i = 0; i < steps; i++) {
    const x = low + (i + 0.5) / steps;
    sum += Math.exp(-0.5 * (x - 1.5) ** 2) / Math.sqrt(2 * Math.PI) / steps;
  }
  return Math.log(sum);
};

const density: GenerativeModel = {
  eventShape: [1],
  likelihood: {
    kind: 'exact',
    logProb: (x) => tf.tidy(() => x.sub(1.5).square().mul(-0.5).sub(0.5 * Math.log(2 * Math.PI)).sum(1)), // prettier-ignore
  },
  objectives: [],
  sample: ({ count, rng }) => tf.tidy(() => rng.normal([count, 1]).add(1.5)),
};

test('learnt noise is a distribution on [0, 1], and starts as the uniform one', () => {
  const noise = learntNoise(1, 4, 8, createRng(1));
  const draw = (seed: number) => noise.draw(tf.fill([5000, 1], 2), createRng(seed));
  expectClose(read(draw(1).logQ), new Float32Array(5000), { absolute: 1e-4 });
  noise.variables.forEach((variable, i) => variable.assign(createRng(i).normal(variable.shape).mul(0.5)));
  const { u, logQ } = draw(2);
  const [values, logs] = [read(u), read(logQ)];
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values)).toBeLessThanOrEqual(1);
  // E_q[1 / q · 1(u in a part of the cell)] is that part's length
  for (const [from, to] of [
    [0.2, 0.5],
    [0.5, 0.8],
  ] as const) {
    // prettier-ignore
    const weights = values.map((v, n) => (v >= from && v < to ? Math.exp(-logs[n]!) : 0));
    expectClose([mean(weights)], [to - from], { absolute: 0.05 });
  }
});

test.each(['uniform', 'learnt'] as const)('%s noise: bound ≤ importance bound ≤ the truth, and close to it', (kind) => {
  const noise = learntNoise(1, 4, 8, createRng(1));
  noise.variables.forEach((variable, i) => variable.assign(createRng(i).normal(variable.shape).mul(0.3)));
  const model = dequantised(density, kind === 'learnt' ? { noise } : {});
  const x = tf.tensor2d(Array.from({ length: 4000 }, (_, n) => [n % 4]));
  const nats = (draws: number) => evaluate(importanceBound(model, draws), { x }, createRng(draws)).nats;
  const truth = -mean([0, 1, 2, 3].map(normalCells));
  const [one, many] = [nats(1), nats(50)];
  expect(one).toBeGreaterThan(many);
  expect(many).toBeGreaterThan(truth - 0.01);
  expect(many).toBeLessThan(truth + 0.02);
});

test('what is no bound has no importance bound', () => {
  expect(() => importanceBound(density, 4)).toThrow('expected a model with a lower bound, got exact');
  expect(() => importanceBound(dequantised(density), 0)).toThrow('draws must be an integer ≥ 1, got 0');
});
