/** Chapter 12: the likelihood of a flow, to be repaired. The field's Jacobian is known, and the path is followed in plain loops. */
import type { Rng } from 'dgm';
import { expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { LOG_2PI, matrix, matrixTensor, normal, type Matrix, type Vector } from './common';
import * as tf from '@tensorflow/tfjs';

const chapter = '12-score-flow';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

/** v_i(z, t) = (1 + grow · t) sin(Σ_j z_j M_ji) + shift · t, whose Jacobian is M_ji cos(…) (1 + grow · t). */
interface Flow {
  readonly M: Matrix;
  readonly grow: number;
  readonly shift: number;
}

export interface FlowInput {
  readonly flow: Flow;
  readonly x: Matrix;
  /** Of −1 and 1. */
  readonly e: Matrix;
  readonly steps: number;
}

export function flowInput(rng: Rng, B: number, D: number, steps: number): FlowInput {
  const M = matrix(normal(rng, 'M', [D, D], 0.7));
  const e = matrix(normal(rng, 'e', [B, D])).map((row) => row.map((v) => (v < 0 ? -1 : 1)));
  return { flow: { M, grow: 0.8, shift: 0.5 }, x: matrix(normal(rng, 'x', [B, D])), e, steps };
}

const velocityOf = ({ M, grow, shift }: Flow) =>
  given(
    `(z, t) => z.matMul(tf.tensor2d(${JSON.stringify(M)})).sin().mul(t.mul(${grow}).add(1).expandDims(1)).add(t.mul(${shift}).expandDims(1))`,
  );

const argument = (M: Matrix, z: Vector, i: number) => sum(z.map((v, j) => v * M[j]![i]!));
const velocity = ({ M, grow, shift }: Flow, z: Vector, t: number) =>
  z.map((_, i) => (1 + grow * t) * Math.sin(argument(M, z, i)) + shift * t);
/** aᵀ J b */
const bilinear = ({ M, grow }: Flow, z: Vector, t: number, a: Vector, b: Vector) =>
  sum(z.map((_, i) => a[i]! * (1 + grow * t) * Math.cos(argument(M, z, i)) * sum(b.map((v, j) => M[j]![i]! * v))));

interface Variant {
  /** The time at which step k of S is evaluated. */
  readonly time: (k: number, S: number) => number;
  /** Of the path: −1 from data to noise. */
  readonly way: number;
  readonly divergence: (flow: Flow, z: Vector, t: number, e: Vector) => number;
  /** What of the divergences counts, k = 0 … S − 1. */
  readonly counts: (k: number, S: number) => number;
  readonly sign: number;
}

const estimate: Variant['divergence'] = (flow, z, t, e) => bilinear(flow, z, t, e, e);
const ones = (z: Vector) => z.map(() => 1);
const RIGHT: Variant = { time: (k, S) => 1 - k / S, way: -1, divergence: estimate, counts: (_, S) => 1 / S, sign: -1 };

function logProbBy({ flow, x, e, steps: S }: FlowInput, { time, way, divergence, counts, sign }: Variant): number[] {
  return x.map((row, n) => {
    let z = [...row];
    let total = 0;
    for (let k = 0; k < S; k++) {
      const t = time(k, S);
      total += counts(k, S) * divergence(flow, z, t, e[n]!);
      const v = velocity(flow, z, t);
      z = z.map((value, d) => value + (way * v[d]!) / S);
    }
    return sum(z.map((v) => -0.5 * (v * v + LOG_2PI))) + sign * total;
  });
}

const slips: readonly (readonly [hint: string, change: Partial<Variant>])[] = [
  ['the divergence of the last step alone: every step stretches, and all of them count', { counts: (k, S) => (k === S - 1 ? 1 / S : 0) }],
  ['the divergence of the last step alone, and in full: every step stretches by its part, 1 / steps', { counts: (k, S) => (k === S - 1 ? 1 : 0) }],
  ['this estimate has mean 0: the slope of the sum of v is not weighted by e. The same e belongs on both sides of J', { divergence: (flow, z, t, e) => bilinear(flow, z, t, ones(z), e) }],
  ['that is the sum of all of J, not its trace: e belongs on both sides', { divergence: (flow, z, t) => bilinear(flow, z, t, ones(z), ones(z)) }],
  ['the time that the velocity sees is always that of the data: it, too, runs from 1 down', { time: () => 1 }],
  ['the velocity is told time 0, or no time, all the way: it was trained with it', { time: () => 0 }],
  ['time runs the wrong way: x is where t = 1', { time: (k, S) => k / S }],
  ['the times are off by one: the first step starts at t = 1', { time: (k, S) => 1 - (k + 1) / S }],
  ['x moves on, as if it were noise: from data to noise the path is followed backwards, z − v / steps', { way: 1 }],
  ['a divergence above 0 thins the density out: it is taken off', { sign: 1 }],
  ['each step’s divergence counts by the length of the step, 1 / steps', { counts: () => 1 }],
  ['the divergences are missing: what is left is the density of the noise, not of x', { counts: () => 0 }],
  ['x moves on, and time runs up: that is the way of sampling, from noise to data', { way: 1, time: (k, S) => k / S }],
]; // prettier-ignore

export async function checkLikelihood(call: Call, input: FlowInput): Promise<void> {
  const { flow, x, e, steps } = input;
  const hint = 'ln p(x) = ln N(z₀; 0, I) − Σ eᵀ J e / steps, along z ← z − v / steps from t = 1';
  const got = expectTensor(await call(velocityOf(flow), matrixTensor(x), matrixTensor(e), steps), { what: 'ln p(x)', shape: [x.length], hint: 'one number an example' }); // prettier-ignore
  const of = (change: Partial<Variant>) => tf.tensor1d(logProbBy(input, { ...RIGHT, ...change }));
  const mistakes = slips.map(([told, change]): KnownMistake => ({ hint: told, answer: () => of(change) }));
  expectAnswer(got, of({}), { what: `ln p(x) by ${steps} steps`, rtol: 1e-3, atol: 1e-3, hint }, mistakes);
}

export const likelihood: Exercise = {
  id: 'match.likelihood',
  chapter,
  functionName: 'flowLogProb',
  title: 'the bug to find: a likelihood that stops training at the wrong time',
  points: 4,
  allOrNothing: true,
  hints: [
    'Try a velocity whose divergence you know: z times a number. What should the likelihood be, and which parts of the code have no influence on what it gives?',
    'Four things must hold: x is at t = 1, and both z and t go back; the velocity is told the time of each step; every step’s divergence counts, by the length of the step; and the divergence is estimated by eᵀ J e, with the same e on both sides.',
    'tf.grad(f)(z, e) of f = (at) => velocity(at, time) is eᵀ J; times e, summed over axis 1, it is the estimate. Add it up over the steps, divided by their number, and take it off.',
  ],
  checks: [
    {
      name: 'two steps in the plane',
      run: ({ call }) => checkLikelihood(call, { flow: { M: [[0.3, 0.7], [-0.5, 0.9]], grow: 0.8, shift: 0.5 }, x: [[0.7, 0.2]], e: [[1, 1]], steps: 2 }),
    },
    {
      name: 'other signs, three steps',
      run: ({ call }) => checkLikelihood(call, { flow: { M: [[0.6, -0.9], [0.4, 0.8]], grow: 0.8, shift: 0.5 }, x: [[0.5, -1]], e: [[1, -1]], steps: 3 }),
    },
    {
      name: 'a batch, many steps',
      sameForAll: true,
      async run({ call, rng }) {
        await checkLikelihood(call, flowInput(rng.fork('few'), 3, 2, 5));
        await checkLikelihood(call, flowInput(rng.fork('many'), 2, 4, 12));
      },
    },
  ],
}; // prettier-ignore
