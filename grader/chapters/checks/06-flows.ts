/**
 * Chapter 6: normalising flows. References are plain loops in double precision; log-determinants are those of the
 * numerical Jacobian of the submission itself, by differences and elimination.
 */
import * as tf from '@tensorflow/tfjs';
import { ksTest, logAbsDet, type Rng } from 'dgm';
import { expectArray, expectClose, expectFields, expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Exercise, type Given, type Value } from '../../exercise/exercise';
import { expectAnswer } from './answer';
import { blindPairs, mixChannels, narrowClaim } from './flow-predictions';
import {
  LOG_2PI,
  matrix,
  matrixTensor,
  meanOf,
  normal,
  smallestFirst,
  softmax,
  vector,
  type Matrix,
  type Vector,
} from './common';

const chapter = '06-flows';

export type Call = (...args: Value[]) => Promise<Value>;

/** z [B, D] and logDet [B], with their kinds and shapes checked. */
export async function runToLatent(
  got: Value,
  B: number,
  D: number,
  hint: string,
): Promise<{ z: number[][]; logDet: number[] }> {
  const { z, logDet } = expectFields(got, ['z', 'logDet'], { hint });
  const perExample = 'one number for each example: sum over the coordinates';
  // NaN and infinities are compared as any other number is, z before logDet: what went wrong first is told first
  const logDets = expectTensor(logDet, { what: 'logDet', shape: [B], nonFinite: true, hint: perExample });
  const latents = expectTensor(z, { what: 'z', shape: [B, D], nonFinite: true, hint });
  return { z: matrix(latents), logDet: vector(logDets) };
}

interface Latents {
  readonly z: Matrix;
  readonly logDet: Vector;
}

/** A known mistake, by what it makes of z or of logDet. */
interface LatentSlip {
  readonly hint: string;
  readonly z?: () => Matrix;
  readonly logDet?: () => Vector;
}

/** z and logDet against a reference example by example. */
export async function checkToLatent(
  got: Value,
  expected: Latents,
  hint: string,
  slips: readonly LatentSlip[] = [],
): Promise<void> {
  const { z, logDet } = await runToLatent(got, expected.z.length, expected.z[0]!.length, hint);
  const ofZ = slips.flatMap(({ hint: told, z: of }) => (of ? [{ hint: told, answer: () => matrixTensor(of()) }] : []));
  expectAnswer(matrixTensor(z), matrixTensor(expected.z), { what: 'z', atol: 1e-4, hint }, ofZ);
  const list = (values: Vector) => tf.tensor1d([...values]);
  const ofDet = slips.flatMap(({ hint: told, logDet: of }) => (of ? [{ hint: told, answer: () => list(of()) }] : []));
  expectAnswer(list(logDet), list(expected.logDet), { what: 'logDet', atol: 1e-4, hint }, [
    ...ofDet,
    ...detSlips(expected),
  ]);
}

/** What is done to log-determinants whatever the map. */
const detSlips = ({ z, logDet }: Latents) => {
  const D = z[0]!.length;
  const of = (f: (v: number) => number) => () => tf.tensor1d(logDet.map(f));
  return [
    { hint: 'this is the log-determinant of the way back: mind the sign', answer: of((v) => -v) },
    { hint: 'the log-determinant is missing: this is 0', answer: of(() => 0) },
    { hint: 'log-determinants add up over the coordinates: a sum, not a mean', answer: of((v) => v / D) },
    { hint: 'log-determinants add up over the coordinates: a sum, not a mean', answer: of((v) => (2 * v) / D) },
    { hint: 'the log-determinant counts once, not once for every coordinate', answer: of((v) => v * D) },
    { hint: 'the log-determinant counts once, not once for every coordinate', answer: of((v) => (v * D) / 2) },
    { hint: 'this is the determinant: its logarithm is asked for', answer: of(Math.exp) },
    { hint: 'one number for each example: here all have the mean', answer: of(() => meanOf(logDet)) },
  ];
};

/** logDet against ln |det| of the Jacobian of z, by differences of the submission's own z. */
export async function checkJacobian(
  toLatent: (x: tf.Tensor) => Promise<Value>,
  x: Matrix,
  hint: string,
): Promise<void> {
  const [B, D, step] = [x.length, x[0]!.length, 5e-3];
  const shifted = x.flatMap((row) =>
    row.flatMap((_, j) => [step, -step].map((by) => row.map((v, i) => (i === j ? v + by : v)))),
  );
  const { z } = await runToLatent(await toLatent(matrixTensor(shifted)), shifted.length, D, hint);
  const { logDet } = await runToLatent(await toLatent(matrixTensor(x)), B, D, hint);
  const byDifferences = x.map((_, n) => {
    const columns = x[0]!.map((_, j) => {
      const [above, below] = [z[2 * (n * D + j)]!, z[2 * (n * D + j) + 1]!];
      return above.map((value, i) => (value - below[i]!) / (2 * step));
    });
    return logAbsDet(columns); // the transpose has the same determinant
  });
  expectClose(logDet, byDifferences, { what: 'logDet', rtol: 5e-3, atol: 5e-3, hint });
}

// flow.changeOfVariables

export const logDensities = (z: Vector, slope: Vector): number[] =>
  z.map((value, n) => -0.5 * value * value - 0.5 * LOG_2PI + Math.log(Math.abs(slope[n]!)));

export async function checkDensities(call: Call, z: Vector, slope: Vector, hint: string): Promise<void> {
  const got = expectArray(await call(z, slope), { what: 'ln p', length: z.length, hint });
  const by = (of: (z: number, slope: number) => number) => () => z.map((value, n) => of(value, slope[n]!));
  const bell = (v: number) => -0.5 * v * v - 0.5 * LOG_2PI;
  expectAnswer(got, logDensities(z, slope), { what: 'ln p', rtol: 1e-9, atol: 1e-9, hint }, [
    { hint: 'where f is steep, x is dense: ln |slope| is added, and not taken off', answer: by((v, s) => bell(v) - Math.log(Math.abs(s))) },
    { hint: 'this is ln p(z): the logarithm of the slope’s length is missing', answer: by(bell) },
    { hint: 'a slope may be negative: its length counts', answer: by((v, s) => bell(v) + Math.log(s)) },
    { hint: 'the logarithm of |slope|, and not |slope|', answer: by((v, s) => bell(v) + Math.abs(s)) },
    { hint: 'the Gaussian’s constant, ½ ln 2π, is missing', answer: by((v, s) => -0.5 * v * v + Math.log(Math.abs(s))) },
    { hint: 'the Gaussian’s constant is ½ ln 2π for each point', answer: by((v, s) => -0.5 * v * v - LOG_2PI + Math.log(Math.abs(s))) },
    { hint: 'the Gaussian has ½ z², not z²', answer: by((v, s) => -v * v - 0.5 * LOG_2PI + Math.log(Math.abs(s))) },
    { hint: 'these are densities: their logarithms are asked for', answer: by((v, s) => Math.exp(bell(v)) * Math.abs(s)) },
    { hint: 'a product underflows where its logarithm is a number still: add the logarithms of the factors', answer: by((v, s) => Math.log(Math.exp(-0.5 * v * v) * Math.abs(s)) - 0.5 * LOG_2PI) },
    { hint: 'a product underflows where its logarithm is a number still: add the logarithms of the factors', answer: by((v, s) => Math.log(Math.exp(bell(v)) * Math.abs(s))) },
  ]); // prettier-ignore
}

const changeOfVariables: Exercise = {
  id: 'flow.changeOfVariables',
  chapter,
  functionName: 'logDensity1d',
  title: 'change of variables in one dimension',
  points: 1,
  hints: [
    'If f stretches a short interval to twice its length, and z has density p(z) there, what is the density of x?',
    'Two terms for each point: the log-density of the standard normal at z, and the logarithm of the length of the slope.',
    '−½ (z² + ln 2π) + ln |slope|, with Math.abs inside Math.log.',
  ],
  checks: [
    {
      name: 'the identity gives the Gaussian itself',
      run: ({ call }) => checkDensities(call, [0, 1, -2], [1, 1, 1], 'a slope of 1 changes nothing'),
    },
    {
      name: 'where f is steep, x is dense',
      async run({ call }) {
        await checkDensities(call, [0, 0, 0], [2, 4, 0.5], 'ln of the slope is added');
        await checkDensities(
          call,
          [0.3, -1.2],
          [-2, -0.1],
          'a decreasing f has a negative slope, and lengths are positive',
        );
      },
    },
    {
      name: 'z = sinh x: agrees with the formula, and integrates to 1',
      async run({ call }) {
        const x = Array.from({ length: 1200 }, (_, i) => -3 + (i + 0.5) / 200);
        const few = [-1, 0.5, 2];
        await checkDensities(call, few.map(Math.sinh), few.map(Math.cosh), 'the density at z, not at x');
        const [z, slope] = [x.map(Math.sinh), x.map(Math.cosh)];
        await checkDensities(call, z, slope, 'the density at z, not at x');
        const logP = (await call(z, slope)) as number[];
        const integral = logP.reduce((sum, value) => sum + Math.exp(value) / 200, 0);
        expectClose(integral, 1, { what: '∫ p(x) dx', atol: 1e-4 });
      },
    },
    {
      name: 'far out, and where f is almost flat: logarithms of each factor, not of their product',
      async run({ call }) {
        await checkDensities(call, [30], [1e-150], 'exp(−450) · 10⁻¹⁵⁰ is 0, its logarithm is −796');
        await checkDensities(call, [-40, 0.1], [1e-200, -1e200], 'any size');
      },
    },
  ],
};

// flow.planar

export interface PlanarInput {
  readonly x: tf.Tensor;
  readonly w: tf.Tensor;
  readonly u: tf.Tensor;
  readonly b: number;
}

const dot = (a: Vector, b: Vector) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

export function planarOf({ x, w, u, b }: PlanarInput): { z: number[][]; logDet: number[]; strength: number } {
  const [W, U] = [vector(w), vector(u)];
  const along = dot(W, U);
  const strength = Math.log1p(Math.exp(-Math.abs(along))) + Math.max(along, 0) - 1; // m(w·u)
  const direction = U.map((v, d) => v + ((strength - along) * W[d]!) / dot(W, W));
  const inner = matrix(x).map((row) => dot(row, W) + b);
  return {
    z: matrix(x).map((row, n) => row.map((v, d) => v + direction[d]! * Math.tanh(inner[n]!))),
    logDet: inner.map((a) => Math.log(1 + strength * (1 - Math.tanh(a) ** 2))),
    strength,
  };
}

export function planarInput(rng: Rng, B: number, D: number, along?: number): PlanarInput {
  const w = normal(rng, 'w', [D]);
  const free = normal(rng, 'u', [D]);
  // u with w·u as asked: move it along w
  const u = along === undefined ? free : tf.tidy(() => free.add(w.mul(tf.scalar(along).sub(free.mul(w).sum()).div(w.square().sum())))); // prettier-ignore
  return { x: normal(rng, 'x', [B, D]), w, u, b: vector(normal(rng, 'b', [1]))[0]! };
}

export async function checkPlanar(call: Call, input: PlanarInput, hint: string): Promise<void> {
  const { x, w, u, b } = input;
  const [X, W, U] = [matrix(x), vector(w), vector(u)];
  const { strength } = planarOf(input);
  const [along, square] = [dot(W, U), dot(W, W)];
  const inner = X.map((row) => dot(row, W) + b);
  const pushed = (direction: Vector, by = Math.tanh) => () => X.map((row, n) => row.map((v, d) => v + direction[d]! * by(inner[n]!))); // prettier-ignore
  const lifted = (over: number) => U.map((v, d) => v + ((strength - along) * W[d]!) / over);
  const det = (of: (t: number) => number) => () => inner.map((a) => Math.log(of(Math.tanh(a))));
  const slips: LatentSlip[] = [
    { hint: 'û, and not u: without the condition the map may fold', z: pushed(U) },
    { hint: 'û moves u along w over the squared length of w', z: pushed(lifted(1)) },
    { hint: 'û moves u along w over the squared length of w, not over its length', z: pushed(lifted(Math.sqrt(square))) },
    { hint: 'the push is û tanh(w·x + b): tanh is missing', z: pushed(lifted(square), (a) => a) },
    { hint: 'b is inside tanh', z: () => X.map((row, n) => row.map((v, d) => v + lifted(square)[d]! * Math.tanh(inner[n]! - b))) },
    { hint: 'x itself is missing: z = x + …', z: () => X.map((row, n) => row.map((_, d) => lifted(square)[d]! * Math.tanh(inner[n]!))) },
    { hint: 'û is in the log-determinant, too: w·û = m(w·u)', logDet: det((t) => 1 + along * (1 - t * t)) },
    { hint: 'the slope of tanh is 1 − tanh²', logDet: det((t) => 1 + strength * t) },
    { hint: 'the slope of tanh is 1 − tanh²', logDet: det((t) => 1 + strength * (1 - t)) },
    { hint: 'ln(1 + …): the 1 of the identity is missing', logDet: det((t) => Math.abs(strength * (1 - t * t))) },
    { hint: 'the slope of tanh is missing', logDet: det(() => 1 + strength) },
  ]; // prettier-ignore
  await checkToLatent(await call(x, w, u, b), planarOf(input), hint, slips);
}

const planar: Exercise = {
  id: 'flow.planar',
  chapter,
  functionName: 'planarToLatent',
  title: 'a planar map that can be inverted',
  points: 3,
  hints: [
    'Which three numbers does each example need: the feature w·x + b, its tanh, and what is the slope of tanh in terms of tanh itself? And what is w·û, once û is built?',
    'Build û first: m(a) = softplus(a) − 1. By construction w·û = m(w·u), so the log-determinant is ln(1 + m(w·u) (1 − tanh²)), one number an example.',
    'x.matMul(w as a column) + b, tanh, gives h [B, 1]; z = x + h · û broadcasts to [B, D]; 1 − h², squeezed to [B], times m, plus 1, log.',
  ],
  checks: [
    {
      name: 'agrees with the formula where w·u is large',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[5, 3], [3, 3], [1, 4], [4, 1]] as const)) {
          const hint = 'z = x + û tanh(w·x + b); a single û for all examples';
          await checkPlanar(call, planarInput(rng.fork(`${B} ${D}`), B, D, 2), hint);
        }
      }, // prettier-ignore
    },
    {
      name: 'stays invertible where w·u is far below −1',
      law: true,
      async run({ call, rng }) {
        for (const along of [-1, -3, -5])
          await checkPlanar(
            call,
            planarInput(rng.fork(`${along}`), 2, 3, along),
            'û in place of u, in z and in the log-determinant',
          );
      },
    },
    {
      name: 'the log-determinant is that of the numerical Jacobian',
      law: true,
      async run({ call, rng }) {
        const { x, w, u, b } = planarInput(rng, 2, 3, -1);
        await checkJacobian((points) => call(points, w, u, b), matrix(x), 'slope of tanh: 1 − tanh²');
      },
    },
    {
      name: 'works where w·u = 120, whose exponential is no float32',
      run: ({ call, rng }) => checkPlanar(call, planarInput(rng, 2, 3, 120), 'ln(1 + e^a) is tf.softplus'),
    },
  ],
};

// flow.coupling and flow.toData

/** A network [B, n] → [B, 2 n], as text: linear, then tanh, so that its numbers stay moderate, though above 2. */
export function networkOf(rng: Rng, n: number): { given: Given; of: (kept: Vector) => number[] } {
  const short = (v: number) => Math.round(v * 100) / 100; // the text is shown with the input of a check that fails
  const W = matrix(normal(rng, 'network', [n, 2 * n])).map((row) => row.map(short));
  const b = vector(normal(rng, 'bias', [2 * n])).map(short);
  const source = `(a) => a.matMul(tf.tensor2d(${JSON.stringify(W)}, [${n}, ${2 * n}])).add(tf.tensor1d(${JSON.stringify(b)})).tanh().mul(2.5)`;
  return {
    given: given(source),
    of: (kept) => b.map((bias, j) => 2.5 * Math.tanh(bias + kept.reduce((sum, v, i) => sum + v * W[i]![j]!, 0))),
  };
}

type NetworkOf = (kept: Vector) => number[];

export function couplingOf(x: Matrix, network: NetworkOf): { z: number[][]; logDet: number[] } {
  const half = x[0]!.length / 2;
  const outputs = x.map((row) => network(row.slice(0, half)));
  const s = outputs.map((row) => row.slice(0, half));
  return {
    z: x.map((row, n) => row.map((v, d) => (d < half ? v : v * Math.exp(s[n]![d - half]!) + outputs[n]![d]!))),
    logDet: s.map((row) => row.reduce((a, b) => a + b, 0)),
  };
}

/** @param by what becomes of a moved coordinate */
function coupledBy(
  x: Matrix,
  network: NetworkOf,
  by: (v: number, s: number, t: number) => number,
  seen: 'a' | 'b' = 'a',
) {
  const half = x[0]!.length / 2;
  return () =>
    x.map((row) => {
      const [a, b] = [row.slice(0, half), row.slice(half)];
      const said = network(seen === 'a' ? a : b);
      return [...a, ...b.map((v, i) => by(v, said[i]!, said[half + i]!))];
    });
}

export function couplingSlips(x: Matrix, network: NetworkOf): LatentSlip[] {
  const half = x[0]!.length / 2;
  const s = x.map((row) => network(row.slice(0, half)).slice(0, half));
  const right = (v: number, scale: number, t: number) => v * Math.exp(scale) + t;
  const sums = (of: (v: number) => number) => () => s.map((row) => row.reduce((sum, v) => sum + of(v), 0));
  return [
    { hint: 's is a logarithm: the scale is exp(s)', z: coupledBy(x, network, (v, a, t) => v * a + t) },
    { hint: 'the first half of what the network says is s, the second is t', z: coupledBy(x, network, (v, a, t) => v * Math.exp(t) + a) },
    { hint: 'first scaled, then shifted', z: coupledBy(x, network, (v, a, t) => (v + t) * Math.exp(a)) },
    { hint: 'this is the way back', z: coupledBy(x, network, (v, a, t) => (v - t) * Math.exp(-a)) },
    { hint: 'exp(s), and not exp(−s)', z: coupledBy(x, network, (v, a, t) => v * Math.exp(-a) + t) },
    { hint: 'the shift is missing', z: coupledBy(x, network, (v, a) => v * Math.exp(a)) },
    { hint: 'the network sees the half that is kept', z: coupledBy(x, network, right, 'b') },
    { hint: 'take s as the network says it: a bound is the network’s own affair', z: coupledBy(x, network, (v, a, t) => right(v, Math.max(-2, Math.min(2, a)), t)) },
    { hint: 'take s as the network says it: a bound is the network’s own affair', z: coupledBy(x, network, (v, a, t) => right(v, Math.tanh(a), t)) },
    { hint: 'take s as the network says it: a bound is the network’s own affair', z: coupledBy(x, network, (v, a, t) => right(v, 2 * Math.tanh(a / 2), t)) },
    { hint: 'the halves keep their places: first the one that is kept', z: () => coupledBy(x, network, right)().map((row) => [...row.slice(half), ...row.slice(0, half)]) },
    { hint: 'ln |det| is the sum of s: the logarithms of the scales', logDet: sums(Math.exp) },
    { hint: 'ln |det| is the sum of s alone', logDet: () => x.map((row) => network(row.slice(0, half)).reduce((sum, v) => sum + v, 0)) },
    { hint: 'the scales are exp(s), so their logarithms are s, also where s is negative', logDet: sums(Math.abs) },
  ]; // prettier-ignore
}

export async function checkCoupling(call: Call, rng: Rng, B: number, D: number, hint: string): Promise<void> {
  const network = networkOf(rng, D / 2);
  const x = normal(rng, 'x', [B, D]);
  const expected = couplingOf(matrix(x), network.of);
  await checkToLatent(await call(x, network.given), expected, hint, couplingSlips(matrix(x), network.of));
}

const couplingExercise: Exercise = {
  id: 'flow.coupling',
  chapter,
  functionName: 'affineCoupling',
  title: 'an affine coupling',
  points: 3,
  hints: [
    'Which half does the network see? How many numbers does it return for one example, and which of them are s?',
    'tf.split(x, 2, 1) gives both halves, and the same call splits what the network says into s and t. The Jacobian is triangular with ones and e to the s on its diagonal: what is the logarithm of its determinant?',
    'z is the concat along axis 1 of the kept half and of (moved half · exp(s) + t); logDet is s summed over axis 1.',
  ],
  checks: [
    {
      name: 'a network that says 0 changes nothing',
      law: true,
      async run({ call, rng }) {
        const x = normal(rng, 'x', [2, 4]);
        const expected = { z: matrix(x), logDet: [0, 0] };
        const slips = couplingSlips(matrix(x), () => [0, 0, 0, 0]);
        await checkToLatent(await call(x, given('(a) => tf.zeros([a.shape[0], 4])')), expected, 'exp(0) = 1', slips);
      },
    },
    {
      name: 'a network that says 1 for s and 10 for t',
      async run({ call }) {
        const x = matrixTensor([[1, 2, 3, 4]]);
        const constant = given('(a) => tf.tensor2d([[1, 1, 10, 10]])');
        const expected = { z: [[1, 2, 3 * Math.E + 10, 4 * Math.E + 10]], logDet: [2] };
        const hint = 's scales as exp(s), and each moved coordinate adds its s';
        const slips = couplingSlips(matrix(x), () => [1, 1, 10, 10]);
        await checkToLatent(await call(x, constant), expected, hint, slips);
      },
    },
    {
      name: 'agrees with the formula, for several sizes',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[5, 4], [4, 4], [1, 6], [6, 2]] as const))
          await checkCoupling(call, rng.fork(`${B} ${D}`), B, D, 'the network sees the first half as it is, and its s is not bounded again');
      }, // prettier-ignore
    },
    {
      name: 'the log-determinant is that of the numerical Jacobian',
      law: true,
      async run({ call, rng }) {
        const network = networkOf(rng, 2);
        const x = matrix(normal(rng, 'x', [2, 4]));
        await checkJacobian((points) => call(points, network.given), x, 'the sum of s, over the moved coordinates');
      },
    },
  ],
};

/** The way back from z with something done otherwise. */
function backSlips(z: Matrix, network: NetworkOf) {
  const half = z[0]!.length / 2;
  const reversed = (row: Vector) => [...row].reverse();
  const undone = (
    row: Vector,
    by: (v: number, s: number, t: number) => number,
    asked = (a: Vector, _: Vector) => a,
  ) => {
    const [a, b] = [row.slice(0, half), row.slice(half)];
    const said = network(asked(a, b));
    return [...a, ...b.map((v, i) => by(v, said[i]!, said[half + i]!))];
  };
  const right = (v: number, s: number, t: number) => (v - t) * Math.exp(-s);
  const of = (back: (row: Vector) => Vector) => () => matrixTensor(z.map(back));
  const with0 = (by: typeof right) => of((row) => undone(reversed(row), by));
  return [
    { hint: 'the reversal is never undone: it was done last, so it is undone first', answer: of((row) => undone(row, right)) },
    { hint: 'undo the reversal before the coupling, not after it', answer: of((row) => reversed(undone(row, right))) },
    { hint: 'undo the reversal before the coupling: the network sees the kept half as it was, and not backwards', answer: of((row) => undone(reversed(row), right, (a) => reversed(a))) },
    { hint: 'first − t, then / exp(s)', answer: with0((v, s, t) => v * Math.exp(-s) - t) },
    { hint: 'this is the way there once more: subtract and divide', answer: with0((v, s, t) => v * Math.exp(s) + t) },
    { hint: 'divide by exp(s)', answer: with0((v, s, t) => (v - t) * Math.exp(s)) },
    { hint: 's is a logarithm: divide by exp(s)', answer: with0((v, s, t) => (v - t) / s) },
    { hint: 'the first half of what the network says is s, the second is t', answer: with0((v, s, t) => (v - s) * Math.exp(-t)) },
    { hint: 'the network sees the half that was kept', answer: of((row) => undone(reversed(row), right, (_, b) => b)) },
    { hint: 'reverse the coordinates of each example, and not the order of the examples', answer: () => matrixTensor(z.map((row) => undone(reversed(row), right)).reverse()) },
    { hint: 'the coordinates are back in their order, and the coupling is still to be undone', answer: of(reversed) },
  ]; // prettier-ignore
}

export async function checkToData(call: Call, rng: Rng, B: number, D: number, hint: string): Promise<void> {
  const network = networkOf(rng, D / 2);
  const x = matrix(normal(rng, 'x', [B, D]));
  const z = couplingOf(x, network.of).z.map((row) => [...row].reverse());
  const got = expectTensor(await call(matrixTensor(z), network.given), {
    what: 'x',
    shape: [B, D],
    hint,
    nonFinite: true,
  });
  expectAnswer(got, matrixTensor(x), { what: 'x', atol: 1e-3, hint }, backSlips(z, network.of));
}

const toData: Exercise = {
  id: 'flow.toData',
  chapter,
  functionName: 'stepToData',
  title: 'the way back through a coupling and a reversal',
  points: 2,
  hints: [
    'In which order were the two things done, and in which order are they undone? What did the network see, and where is that now?',
    'Reverse first. Then the first half is what the network saw, so ask it the same question; take t away from the second half, and only then divide by e to the s.',
    'z.reverse(1), split in two, network of the first part, split in s and t; (second − t) · exp(−s); concat with the first part.',
  ],
  checks: [
    {
      name: 'a network that says 0: only the order is undone',
      async run({ call }) {
        const got = await call(matrixTensor([[1, 2, 3, 4]]), given('(a) => tf.zeros([1, 4])'));
        const hint = 'the last coordinate becomes the first again';
        expectAnswer(
          got,
          matrixTensor([[4, 3, 2, 1]]),
          { what: 'x', hint },
          backSlips([[1, 2, 3, 4]], () => [0, 0, 0, 0]),
        );
      },
    },
    {
      name: 'a network that says 1 for s and 10 for t',
      async run({ call }) {
        const z = matrixTensor([[4 * Math.E + 10, 3 * Math.E + 10, 2, 1]]);
        const got = await call(z, given('(a) => tf.tensor2d([[1, 1, 10, 10]])'));
        const about = { what: 'x', atol: 1e-4, hint: 'first − t, then / exp(s)' };
        expectAnswer(
          got,
          matrixTensor([[1, 2, 3, 4]]),
          about,
          backSlips(matrix(z), () => [1, 1, 10, 10]),
        );
      },
    },
    {
      name: 'undoes the step, for several sizes',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[5, 4], [4, 4], [1, 6], [6, 2]] as const))
          await checkToData(call, rng.fork(`${B} ${D}`), B, D, 'the network sees the kept half, in the coupling’s order');
      }, // prettier-ignore
    },
  ],
};

// flow.spline

export function histogramOf(x: Matrix, logits: Matrix): { z: number[][]; logDet: number[] } {
  const p = logits.map((row) => softmax(row));
  const before = (row: Vector, k: number) => row.slice(0, k).reduce((a, b) => a + b, 0);
  return {
    z: x.map((row) => row.map((v, d) => before(p[d]!, Math.floor(v)) + (v - Math.floor(v)) * p[d]![Math.floor(v)]!)),
    logDet: x.map((row) => row.reduce((sum, v, d) => sum + Math.log(p[d]![Math.floor(v)]!), 0)),
  };
}

/** Away from the knots, where rounding could choose either bin. */
export const insideBins = (rng: Rng, B: number, D: number, K: number) =>
  tf.tidy(() =>
    rng
      .fork('bin')
      .uniform([B, D])
      .mul(K)
      .floor()
      .add(rng.fork('within').uniform([B, D]).mul(0.9).add(0.05)),
  );

export async function checkHistogram(call: Call, x: tf.Tensor, logits: tf.Tensor, hint: string): Promise<void> {
  const [X, L] = [matrix(x), matrix(logits)];
  const K = L[0]!.length;
  const p = L.map((row) => softmax(row));
  const binOf = (v: number) => Math.min(K - 1, Math.floor(v));
  const det = (of: (d: number, v: number) => number) => () =>
    X.map((row) => row.reduce((sum, v, d) => sum + of(d, v), 0)); // prettier-ignore
  const points = (of: (d: number, v: number) => number) => () => X.map((row) => row.map((v, d) => of(d, v)));
  const below = (d: number, k: number) => p[d]!.slice(0, k).reduce((a, b) => a + b, 0);
  const across = L[0]!.map((_, k) => softmax(L.map((row) => row[k]!)));
  const slips: LatentSlip[] = [
    { hint: 'the bin that x is in counts up to x, and not as a whole', z: points((d, v) => below(d, binOf(v) + 1)) },
    { hint: 'the bin that x is in counts, too: up to x', z: points((d, v) => below(d, binOf(v))) },
    { hint: 'this is the slope: z is the part of the histogram that lies below x', z: points((d, v) => p[d]![binOf(v)]!) },
    { hint: 'the part of the bin that lies below x, and not the one above it', z: points((d, v) => below(d, binOf(v)) + p[d]![binOf(v)]! * (1 - (v - binOf(v)))) },
    { hint: 'each coordinate’s histogram is the softmax of its own row of logits', z: points((d, v) => across.slice(0, binOf(v)).reduce((sum, q) => sum + q[d]!, 0) + (across[binOf(v)]![d] ?? 0) * (v - binOf(v))) },
    { hint: 'logits are not normalised: the softmax of each row is the histogram', logDet: det((d, v) => L[d]![binOf(v)]!) },
    { hint: 'the logarithms of the slopes are added, not the slopes', logDet: det((d, v) => p[d]![binOf(v)]!) },
    { hint: 'bins are [0, 1), [1, 2) …: floor(x) is the number of the bin, from 0', logDet: det((d, v) => Math.log(p[d]![Math.min(K - 1, Math.ceil(v))]!)) },
    { hint: 'bins are [0, 1), [1, 2) …: a point on a knot belongs to the bin that begins there', logDet: det((d, v) => (v === 0 ? 0 : Math.log(p[d]![Math.ceil(v) - 1]!))) },
    { hint: 'bins are [0, 1), [1, 2) …: a point on a knot belongs to the bin that begins there', logDet: det((d, v) => Math.log(p[d]![Math.max(0, Math.ceil(v) - 1)]!)) },
    { hint: 'the bin is chosen by floor, not by rounding to the nearest', logDet: det((d, v) => Math.log(p[d]![Math.min(K - 1, Math.round(v))]!)) },
  ]; // prettier-ignore
  await checkToLatent(await call(x, logits), histogramOf(X, L), hint, slips);
}

const spline: Exercise = {
  id: 'flow.spline',
  chapter,
  functionName: 'histogramToLatent',
  title: 'a histogram as a flow',
  points: 3,
  hints: [
    'For a single x: how much of each bin lies below it? And on which of the lines is it, with which slope?',
    'The parts of the K bins that lie below x are clip(x − j, 0, 1) for j = 0 … K − 1. z is their sum weighted by p; the slope is p of the bin that x is in, and logarithms of slopes are added over the coordinates.',
    'x.expandDims(2) minus tf.range(0, K), clipped to [0, 1], times softmax(logits), summed over the last axis. For logDet: the one-hot of floor(x), times logSoftmax(logits), summed over the last two axes.',
  ],
  checks: [
    {
      name: 'two bins of ¼ and ¾, by hand',
      async run({ call }) {
        const logits = matrixTensor([[0, Math.log(3)]]);
        const x = matrixTensor([[0.5], [1.5], [0.2], [1.9]]);
        await checkHistogram(call, x, logits, 'half of the first bin is z = ⅛; half of the second ¼ + ⅜');
        const leftEnds = matrixTensor([[0], [1]]);
        await checkHistogram(
          call,
          leftEnds,
          logits,
          'bins are [0, 1) and [1, 2): 1 is in the second, whose slope is ¾',
        );
      },
    },
    {
      name: 'equal bins: a straight line, and ln p is −ln K for each coordinate',
      async run({ call }) {
        const x = matrixTensor([[0.5, 2.5, 4.5], [1.2, 3.7, 4.1]]); // prettier-ignore
        const expected = {
          z: matrix(x).map((row) => row.map((v) => v / 5)),
          logDet: [0, 0].map(() => -3 * Math.log(5)),
        };
        await checkToLatent(await call(x, tf.zeros([3, 5])), expected, 'softmax of zeros is 1 / K');
      },
    },
    {
      name: 'agrees with the formula, for several sizes',
      async run({ call, rng }) {
        for (const [B, D, K] of smallestFirst([[5, 3, 4], [3, 3, 3], [4, 4, 4], [1, 2, 17], [6, 1, 2]] as const)) {
          const here = rng.fork(`${B} ${D} ${K}`);
          await checkHistogram(call, insideBins(here, B, D, K), normal(here, 'logits', [D, K], 1.5), 'each coordinate has a table of its own');
        }
      }, // prettier-ignore
    },
    {
      name: 'logits of ±60 stay finite',
      async run({ call }) {
        const logits = matrixTensor([[60, -60, 0]]);
        const { logDet } = await runToLatent(
          await call(matrixTensor([[1.5], [0.5]]), logits),
          2,
          1,
          'use tf.logSoftmax',
        );
        const hint = 'the logarithm of a softmax underflows: tf.logSoftmax does not';
        expectClose(logDet, [-120, 0], { what: 'logDet', rtol: 1e-4, atol: 1e-3, hint });
      },
    },
    {
      name: 'logits around 100, whose exponentials are no float32',
      async run({ call, rng }) {
        const logits = tf.tidy(() => normal(rng, 'logits', [2, 4]).add(tf.tensor2d([[100], [-100]])));
        await checkHistogram(call, insideBins(rng, 5, 2, 4), logits, 'tf.logSoftmax takes out the largest logit');
      },
    },
  ],
};

// flow.householder

export async function checkReflection(call: Call, x: tf.Tensor, v: tf.Tensor, hint: string): Promise<void> {
  const V = vector(v);
  const square = dot(V, V);
  const by = (factor: number) => () =>
    matrixTensor(matrix(x).map((row) => row.map((value, d) => value - factor * dot(row, V) * V[d]!)));
  const got = expectTensor(await call(x, v), { what: 'z', shape: x.shape, hint });
  expectAnswer(got, by(2 / square)(), { what: 'z', atol: 1e-4, hint }, [
    { hint: 'this is the foot of the perpendicular: the mirror image is twice as far', answer: by(1 / square) },
    { hint: 'taken away, not added: the image is on the other side', answer: by(-2 / square) },
    { hint: 'v of any length: divide by v·v', answer: by(2) },
    { hint: 'v of any length: divide by v·v, the squared length', answer: by(2 / Math.sqrt(square)) },
    { hint: 'the part along v changes its sign, and not the rest', answer: () => matrixTensor(matrix(x).map((row) => row.map((value, d) => (2 * dot(row, V) * V[d]!) / square - value))) },
    { hint: 'this is the part along v: take it away from x twice', answer: () => matrixTensor(matrix(x).map((row) => row.map((_, d) => (dot(row, V) * V[d]!) / square))) },
    ...[1e-3, 1e-6, 1e-7, 1e-8, 1e-10].map((small) => ({ hint: 'nothing is added to v·v: for a short v that is no mirror', answer: by(2 / (square + small)) })),
  ]); // prettier-ignore
}

const householder: Exercise = {
  id: 'flow.householder',
  chapter,
  functionName: 'reflect',
  title: 'a Householder reflection',
  points: 1,
  hints: [
    'Which part of a point lies along v? What has to be taken away to get to the plane, and what to get as far behind it?',
    'The part along v is (v·x / v·v) v. Once takes x into the plane; twice takes it to the other side.',
    'x.matMul(v as a column) is [B, 1]; times 2, over v.square().sum(), times v broadcasts to [B, D]; subtract it from x.',
  ],
  checks: [
    {
      name: 'mirrors v itself, and leaves what is orthogonal to it',
      async run({ call }) {
        const v = tf.tensor1d([0, 2]);
        await checkReflection(call, matrixTensor([[0, 2], [3, 0], [1, 1]]), v, 'v of any length: divide by v·v'); // prettier-ignore
      },
    },
    {
      name: 'agrees with the formula, and keeps lengths',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[4, 3], [3, 3], [1, 5], [5, 1]] as const)) {
          const here = rng.fork(`${B} ${D}`);
          const x = normal(here, 'x', [B, D]);
          const v = normal(here, 'v', [D], 3);
          await checkReflection(call, x, v, 'x − 2 (v·x) v / (v·v)');
          const z = expectTensor(await call(x, v), { what: 'z', shape: [B, D] });
          expectClose(z.square().sum(1), x.square().sum(1), { what: 'the squared lengths', atol: 1e-4 });
        }
      }, // prettier-ignore
    },
    {
      name: 'a mirror for v of any length, from 10⁻⁴ to a million',
      async run({ call, rng }) {
        const [x, v] = [normal(rng, 'x', [2, 3]), normal(rng, 'v', [3])];
        for (const scale of [1e-4, -7, 1e6])
          await checkReflection(call, x, v.mul(scale), 'v of any length: divide by v·v');
      },
    },
  ],
};

// flow.exponential

export function exponentialOf(x: Matrix, M: Matrix, terms: number): { z: number[][]; logDet: number[] } {
  const trace = M.reduce((sum, row, i) => sum + row[i]!, 0);
  const z = x.map((row) => {
    let term = [...row];
    const sum = [...row];
    for (let order = 1; order <= terms; order++) {
      term = M.map((m) => dot(m, term) / order);
      term.forEach((v, d) => (sum[d]! += v));
    }
    return sum;
  });
  return { z, logDet: x.map(() => trace) };
}

export async function checkExponential(
  call: Call,
  x: tf.Tensor,
  M: tf.Tensor,
  terms: number,
  hint: string,
): Promise<void> {
  const [X, W] = [matrix(x), matrix(M)];
  const trace = W.reduce((sum, row, i) => sum + row[i]!, 0);
  const columns = W.map((_, i) => W.map((row) => row[i]!));
  const series = (matrixOf: Matrix, last: number, over: (k: number) => number) => () =>
    X.map((row) => {
      let term = [...row];
      const sum = [...row];
      for (let k = 1; k <= last; k++) {
        term = matrixOf.map((m) => dot(m, term) / over(k));
        term.forEach((v, d) => (sum[d]! += v));
      }
      return sum;
    });
  const all = (value: number) => () => X.map(() => value);
  const slips: LatentSlip[] = [
    { hint: 'row i of M gives coordinate i: examples are rows, so M x is x times M transposed', z: series(columns, terms, (k) => k) },
    { hint: 'each term is divided by k: the factorial is missing', z: series(W, terms, () => 1) },
    { hint: 'the last k is `terms`: this is one term too few', z: series(W, terms - 1, (k) => k) },
    { hint: 'the last k is `terms`: this is one term too many', z: series(W, terms + 1, (k) => k) },
    { hint: 'as many terms as asked for', z: series(W, 12, (k) => k) },
    { hint: 'the series begins with x itself, for k = 0', z: () => series(W, terms, (k) => k)().map((row, n) => row.map((v, d) => v - X[n]![d]!)) },
    { hint: 'the trace is the sum of the diagonal, not of all entries', logDet: all(W.flat().reduce((a, b) => a + b, 0)) },
    { hint: 'ln det exp(M) is the trace itself, and not its logarithm', logDet: all(Math.log(Math.abs(trace))) },
    { hint: 'ln det exp(M) is the trace of M, and not ln |det M|', logDet: all(logAbsDet(W)) },
  ]; // prettier-ignore
  await checkToLatent(await call(x, M, terms), exponentialOf(X, W, terms), hint, slips);
}

const exponential: Exercise = {
  id: 'flow.exponential',
  chapter,
  functionName: 'exponentialToLatent',
  title: 'the exponential of a matrix',
  points: 2,
  hints: [
    'How do you get the term of k from the one of k − 1, without a factorial and without a power of M? Where are the eigenvalues of M in its trace?',
    'term ← M term / k, starting with x, and add up. Examples are rows, so M x for each of them is x times M transposed. The trace is the sum of the diagonal of M, the same for every example.',
    'term.matMul(M, false, true).div(k) in a loop from 1 to terms; M.mul(tf.eye(D)).sum() added to zeros [B].',
  ],
  checks: [
    {
      name: 'diagonal matrices: e to the entries',
      async run({ call }) {
        const M = matrixTensor([[1, 0], [0, -0.5]]); // prettier-ignore
        await checkExponential(call, matrixTensor([[1, 3]]), M, 15, 'e and 3 e^(−½); ln det is the trace, 1 − 0.5');
        const hint = 'as many terms as asked for: a stretch by e⁶ takes thirty';
        await checkExponential(call, matrixTensor([[1], [-2]]), matrixTensor([[6]]), 30, hint);
      },
    },
    {
      name: 'the first terms: x, then x + M x, then half of M M x more',
      async run({ call }) {
        const M = matrixTensor([[0, 1], [0, 0.5]]); // prettier-ignore
        for (const terms of [0, 1, 2, 3])
          await checkExponential(call, matrixTensor([[1, 4], [2, -2]]), M, terms, 'row i of M gives coordinate i; divide by k!'); // prettier-ignore
      },
    },
    {
      name: 'agrees with the series, for several sizes',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[4, 3], [3, 3], [1, 4], [5, 1]] as const)) {
          const here = rng.fork(`${B} ${D}`);
          await checkExponential(call, normal(here, 'x', [B, D]), normal(here, 'M', [D, D], 0.6), 16, 'for every example the same trace');
        }
      }, // prettier-ignore
    },
    {
      name: 'the log-determinant is that of the numerical Jacobian',
      law: true,
      async run({ call, rng }) {
        const M = normal(rng, 'M', [2, 2], 0.6);
        await checkJacobian((points) => call(points, M, 16), matrix(normal(rng, 'x', [3, 2])), 'the trace of M');
      },
    },
  ],
};

// flow.dequantise

/** Reads off one coordinate: p(x + u) = x_d + u_d, as if it were a log-density. */
const coordinate = (d: number) => given(`(x) => x.slice([0, ${d}], [-1, 1]).squeeze([1])`);

/** The noise at coordinate d of each of B examples that are all the integer `at`: [B] */
export async function noiseAt(call: Call, rng: Rng, [B, D]: [number, number], d: number, at = 0): Promise<number[]> {
  const got = await call(tf.fill([B, D], at), coordinate(d), rng);
  const values = vector(expectTensor(got, { what: 'the bound', shape: [B], hint: 'one number for each example' }));
  return values.map((value) => value - at);
}

export function expectUniform(u: Vector, what: string, hint: string): void {
  const [low, high] = [u.reduce((a, b) => Math.min(a, b)), u.reduce((a, b) => Math.max(a, b))];
  const range = `values from ${low.toFixed(3)} to ${high.toFixed(3)}`;
  expectTrue(low >= -1e-5 && high <= 1 + 1e-5, `${what} to lie in [0, 1]`, range, hint);
  // none of n draws falls within 20 / n of an end: once in e^20 = 5 · 10⁸ times
  const end = 20 / u.length;
  expectTrue(low < end && high > 1 - end, `${what} to reach both ends of [0, 1)`, range, hint);
  // x + u keeps 19 bits behind the point or more: of a thousand draws, two agree about once
  const distinct = new Set(u).size;
  expectTrue(distinct > 0.985 * u.length, `${what} to be drawn afresh for each example`, `${distinct} different numbers in ${u.length} examples`, hint); // prettier-ignore
  const { pValue } = ksTest(u, (v) => Math.min(1, Math.max(0, v)));
  expectTrue(pValue > 1e-7, `${what} to be uniform on [0, 1)`, `values from ${low.toFixed(3)} to ${high.toFixed(3)} (p = ${pValue.toExponential(1)})`, hint); // prettier-ignore
}

/**
 * The noise of all coordinates, uniform each; and of any two of them, at the same example, at the next one, and half of
 * the batch further on, uncorrelated: noise that is tiled, mirrored or shared shows in one of these.
 */
export async function checkIndependence(call: Call, rng: Rng, B: number, D: number, hint: string): Promise<void> {
  const columns: number[][] = [];
  for (let d = 0; d < D; d++) columns.push(await noiseAt(call, rng.fork('u'), [B, D], d)); // prettier-ignore
  columns.forEach((u, d) => expectUniform(u, `the noise of coordinate ${d}`, hint));
  const pairs = columns.flatMap((_, i) => columns.flatMap((__, j) => [0, 1, B / 2].map((lag) => [i, j, lag] as const)));
  for (const [i, j, lag] of pairs) {
    if (lag === 0 && i >= j) continue;
    const n = B - lag;
    const products = columns[i]!.slice(0, n).map((u, at) => (u - 0.5) * (columns[j]![at + lag]! - 0.5));
    const where = lag === 0 ? 'of the same example' : `of examples ${lag} apart`;
    expectTrue(
      Math.abs(meanOf(products)) < 6 / (12 * Math.sqrt(n)),
      `independent noise in coordinates ${i} and ${j} ${where}`,
      `a correlation of ${(12 * meanOf(products)).toFixed(2)}`,
      hint,
    );
  }
}

const dequantise: Exercise = {
  id: 'flow.dequantise',
  chapter,
  functionName: 'lowerBound',
  title: 'the bug to find',
  points: 2,
  allOrNothing: true,
  hints: [
    'Which part of the cell from x to x + 1 does the given noise reach? What would a flow do that knows it?',
    'ln P(x) is an integral over the whole cell. With u uniform on [0, 1) in every coordinate its density q is 1, ln q is 0, and nothing has to be subtracted.',
    'rng.uniform(x.shape) is the noise, as it comes; add it to x, and return logDensity of the sum.',
  ],
  checks: [
    {
      name: 'the noise fills the cell',
      async run({ call, rng }) {
        const u = await noiseAt(call, rng, [2000, 2], 0, 3);
        expectUniform(u, 'x + u − x', 'half of a cell has half of its volume');
      },
    },
    {
      name: 'every coordinate of every example has noise of its own',
      run: ({ call, rng }) =>
        checkIndependence(call, rng, 600, 4, 'one draw for each pixel of each example: rng.uniform(x.shape)'),
    },
    {
      name: 'a density that is constant in each cell comes out exactly',
      async run({ call, rng }) {
        const x = matrixTensor([[0, 3], [2, 1], [5, 5]]); // prettier-ignore
        const got = await call(x, given('(x) => x.floor().mul(tf.tensor1d([1, 10])).sum(1)'), rng);
        expectClose(got, tf.tensor1d([30, 12, 55]), {
          what: 'the bound',
          atol: 1e-3,
          hint: 'x + u lies in the cell of x, and ln q is 0',
        });
      },
    },
    {
      name: 'its mean is below ln P(x)',
      async run({ call, rng }) {
        // p(x) = 2 x on [0, 1): P(0) = 1, and E ln(2 u) = ln 2 − 1; all mass in the upper half would claim more
        const got = await call(tf.zeros([4000, 1]), given('(x) => x.mul(2).maximum(1e-30).log().sum(1)'), rng);
        const values = vector(expectTensor(got, { what: 'the bound', shape: [4000] }));
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        expectTrue(
          Math.abs(mean - (Math.LN2 - 1)) < 0.1,
          `a mean of ${(Math.LN2 - 1).toFixed(3)} ± 0.1`,
          mean.toFixed(3),
          'E ln(2 u) for u ~ U[0, 1)',
        );
      },
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  changeOfVariables,
  planar,
  couplingExercise,
  toData,
  spline,
  householder,
  mixChannels,
  blindPairs,
  exponential,
  dequantise,
  narrowClaim,
];
