/** Chapter 14: a restricted Boltzmann machine: what is left without its hidden units, one sweep, and the gradient. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { logSumExp, matrix, matrixTensor, normal, vector, type Matrix, type Vector } from './common';

const chapter = '14-energy';

type Call = (...args: Value[]) => Promise<Value>;

/** Weights: w [D, H], b [D] of the visible units, c [H] of the hidden ones. */
export interface Machine {
  readonly w: Matrix;
  readonly b: Vector;
  readonly c: Vector;
}

export function machineOf(rng: Rng, D: number, H: number, scale = 1): Machine {
  const [w, b, c] = [normal(rng, 'w', [D, H], scale), normal(rng, 'b', [D], scale), normal(rng, 'c', [H], scale)];
  return { w: matrix(w), b: vector(b), c: vector(c) };
}

export const machineValues = ({ w, b, c }: Machine) => ({
  w: matrixTensor(w),
  b: tf.tensor1d([...b]),
  c: tf.tensor1d([...c]),
});

export const bitsOf = (rng: Rng, label: string, B: number, D: number): Matrix =>
  matrix(rng.fork(label).uniform([B, D]).less(0.5).toFloat());

const dot = (a: Vector, b: Vector) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);
const sigmoid = (a: number) => 1 / (1 + Math.exp(-a));
const softplus = (a: number) => (a > 0 ? a + Math.log1p(Math.exp(-a)) : Math.log1p(Math.exp(a)));
const column = (w: Matrix, j: number) => w.map((row) => row[j]!);
/** c_j + Σ_i x_i w_ij */
const inputs = ({ w, c }: Machine, x: Vector) => c.map((bias, j) => bias + dot(x, column(w, j)));

// energy.free

/** By summing over all 2^H states of the hidden units. */
function summedOut({ w, b, c }: Machine, x: Vector): number {
  const H = c.length;
  const terms = Array.from({ length: 2 ** H }, (_, index) => {
    const h = c.map((_, j) => (index >> j) & 1);
    return dot(b, x) + dot(c, h) + sum(x.map((v, i) => v * dot(w[i]!, h)));
  });
  return logSumExp(terms);
}

const wrongFree: readonly (readonly [hint: string, of: (m: Machine, x: Vector) => number])[] = [
  ['the sign: that is the free energy; asked is ln of the sum, its negative', (m, x) => -summedOut(m, x)],
  ['b belongs to the visible units and c to the hidden ones: they are exchanged', ({ w, b, c }, x) => (b.length === c.length ? summedOut({ w, b: c, c: b }, x) : NaN)],
  ['the visible units have a bias, too: b · x stands before the sum over h', (m, x) => summedOut({ ...m, b: m.b.map(() => 0) }, x)],
  ['c, the bias of the hidden units, is missing within the softplus', (m, x) => summedOut({ ...m, c: m.c.map(() => 0) }, x)],
  ['that is the energy at one h, where h = 1 for all units: the sum has h = 0, too', (m, x) => dot(m.b, x) + sum(inputs(m, x))],
  ['that is the best h, not the sum over all of them', (m, x) => dot(m.b, x) + sum(inputs(m, x).map((a) => Math.max(a, 0)))],
  ['each factor is 1 + exp a, whose ln is softplus; σ(a) is its slope', (m, x) => dot(m.b, x) + sum(inputs(m, x).map(sigmoid))],
  ['the energy with mean hidden units in it is not the sum over them (it lacks their entropy)', (m, x) => dot(m.b, x) + sum(inputs(m, x).map((a) => a * sigmoid(a)))],
  ['the sum over all h factors, and ln of a product is a sum over the units, not their mean', (m, x) => dot(m.b, x) + sum(inputs(m, x).map(softplus)) / m.c.length],
]; // prettier-ignore

export async function checkFree(call: Call, machine: Machine, x: Matrix): Promise<void> {
  const hint = 'Σ_h exp(b·x + c·h + x W h) is exp(b·x) times a product over the hidden units, each 0 or 1';
  const { w, b, c } = machineValues(machine);
  const got = expectTensor(await call(matrixTensor(x), w, b, c), { what: 'ln Σ_h', shape: [x.length], hint: 'one number an example' }); // prettier-ignore
  const of = (f: (m: Machine, x: Vector) => number) => tf.tensor1d(x.map((row) => f(machine, row)));
  const mistakes = wrongFree.map(([told, f]): KnownMistake => ({ hint: told, answer: () => of(f) }));
  expectAnswer(got, of(summedOut), { what: 'ln Σ_h exp(b·x + c·h + x W h)', rtol: 1e-4, atol: 1e-4, hint }, mistakes);
}

export const free: Exercise = {
  id: 'energy.free',
  chapter,
  functionName: 'logMarginal',
  title: 'derive: the hidden units summed out',
  points: 3,
  library: ['dgm.rbm'],
  hints: [
    'Start with one hidden unit: what is the sum of exp(b·x + c h + (x·w) h) over h = 0 and h = 1? Then with two: does the sum over both factor?',
    'Given x no hidden unit sees another one, so that the sum over all h is a product over j of (1 + exp a_j), a = c + x W. What is ln of it?',
    'b·x + Σ_j ln(1 + exp a_j). tf.softplus is ln(1 + exp ·), without overflow; b·x of a batch is x.mul(b).sum(1).',
  ],
  checks: [
    {
      name: 'one hidden unit',
      run: ({ call }) => checkFree(call, { w: [[1], [-2]], b: [0.5, 0.25], c: [0.75] }, [[1, 0], [1, 1]]),
    },
    {
      name: 'as many hidden units as visible ones',
      run: ({ call, rng }) => checkFree(call, machineOf(rng, 3, 3), bitsOf(rng, 'x', 4, 3)),
    },
    {
      name: 'more hidden units than visible ones',
      run: ({ call, rng }) => checkFree(call, machineOf(rng, 2, 5), bitsOf(rng, 'x', 3, 2)),
    },
  ],
}; // prettier-ignore

// energy.gibbs

export interface Sweep {
  readonly machine: Machine;
  readonly x: Matrix;
  /** U[0, 1) for every unit. */
  readonly uh: Matrix;
  readonly ux: Matrix;
}

export function sweepOf(rng: Rng, B: number, D: number, H: number, scale = 1.5): Sweep {
  const uniform = (label: string, size: number) => matrix(rng.fork(label).uniform([B, size]));
  return { machine: machineOf(rng, D, H, scale), x: bitsOf(rng, 'x', B, D), uh: uniform('uh', H), ux: uniform('ux', D) };
} // prettier-ignore

type Draw = (p: Vector, u: Vector) => number[];
const below: Draw = (p, u) => p.map((v, i) => (u[i]! < v ? 1 : 0));
const above: Draw = (p, u) => p.map((v, i) => (u[i]! > v ? 1 : 0));
const asMeans: Draw = (p) => [...p];
const likely: Draw = (p) => p.map((v) => (v > 0.5 ? 1 : 0));

interface SweepParts {
  readonly h?: Draw;
  readonly x?: Draw;
  readonly swap?: boolean;
  readonly noC?: boolean;
  readonly noB?: boolean;
}

function swept({ machine, x, uh, ux }: Sweep, { h = below, x: visible = below, swap, noC, noB }: SweepParts): Matrix {
  const { w } = machine;
  if (swap && machine.b.length !== machine.c.length) return x.map((row) => row.map(() => NaN));
  const [b, c] = swap ? [machine.c, machine.b] : [noB ? machine.b.map(() => 0) : machine.b, noC ? machine.c.map(() => 0) : machine.c]; // prettier-ignore
  return x.map((row, n) => {
    const hidden = h(c.map((bias, j) => sigmoid(bias + dot(row, column(w, j)))), uh[n]!); // prettier-ignore
    return visible(b.map((bias, i) => sigmoid(bias + dot(w[i]!, hidden))), ux[n]!); // prettier-ignore
  });
}

const wrongSweeps: readonly (readonly [hint: string, parts: SweepParts])[] = [
  ['the hidden units are drawn, 0 or 1: with their probabilities in place of them this is no Gibbs sampling', { h: asMeans }],
  ['the visible units are drawn, too: a sweep ends with 0 and 1', { x: asMeans }],
  ['a unit is 1 where u < p: with u > p it is 1 with probability 1 − p', { h: above, x: above }],
  ['the hidden units are 1 where u < p', { h: above }],
  ['the visible units are 1 where u < p', { x: above }],
  ['drawn means by the given u; the likelier value is no draw', { h: likely, x: likely }],
  ['b belongs to the visible units and c to the hidden ones: they are exchanged', { swap: true }],
  ['the hidden units have a bias, c', { noC: true }],
  ['the visible units have a bias, b', { noB: true }],
]; // prettier-ignore

export async function checkGibbs(call: Call, sweep: Sweep): Promise<void> {
  const { machine, x, uh, ux } = sweep;
  const { w, b, c } = machineValues(machine);
  const hint = 'h = 1 where uh < σ(c + x W), then x = 1 where ux < σ(b + W h)';
  const got = expectTensor(await call(matrixTensor(x), w, b, c, { h: matrixTensor(uh), x: matrixTensor(ux) }), { what: 'the next x', shape: [x.length, x[0]!.length], hint }); // prettier-ignore
  const of = (parts: SweepParts) => matrixTensor(swept(sweep, parts));
  const mistakes = wrongSweeps.map(([told, parts]): KnownMistake => ({ hint: told, answer: () => of(parts) }));
  expectAnswer(got, of({}), { what: 'x after a sweep', rtol: 1e-4, atol: 1e-4, hint }, mistakes);
}

export const gibbs: Exercise = {
  id: 'energy.gibbs',
  chapter,
  functionName: 'gibbsSweep',
  title: 'a sweep of block Gibbs sampling',
  points: 2,
  library: ['dgm.rbm', 'dgm.flip'],
  hints: [
    'Given x, which hidden units depend on each other? And which numbers decide whether one of them is 1?',
    'p(h_j = 1 | x) = σ(c_j + (x W)_j): draw all h at once. Then p(x_i = 1 | h) = σ(b_i + (W h)_i), with the h just drawn, not their probabilities.',
    'h = uh.less(x.matMul(w).add(c).sigmoid()).toFloat(); for x the same with b, ux, and h.matMul(w, false, true).',
  ],
  checks: [
    {
      name: 'one unit in each layer',
      sameForAll: true,
      async run({ call }) {
        const machine: Machine = { w: [[2]], b: [-1], c: [-0.5] };
        await checkGibbs(call, { machine, x: [[1], [0], [1]], uh: [[0.6], [0.3], [0.9]], ux: [[0.7], [0.4], [0.5]] });
      },
    },
    {
      name: 'a batch, both layers of one size',
      sameForAll: true,
      run: ({ call, rng }) => checkGibbs(call, sweepOf(rng, 12, 3, 3)),
    },
    {
      name: 'a batch, more hidden units',
      sameForAll: true,
      run: ({ call, rng }) => checkGibbs(call, sweepOf(rng, 10, 2, 5)),
    },
  ],
}; // prettier-ignore

// energy.gradient

export interface Phases {
  readonly machine: Machine;
  readonly data: Matrix;
  readonly model: Matrix;
}

export const phasesOf = (rng: Rng, D: number, H: number, N: number, M: number): Phases => ({
  machine: machineOf(rng, D, H),
  data: bitsOf(rng, 'data', N, D),
  model: bitsOf(rng, 'model', M, D),
});

type Which = 'w' | 'b' | 'c';
type Gradient = Readonly<Record<Which, number[][]>>;

/** Means over x of what each weight multiplies; b and c as one row. */
function meansOf(machine: Machine, x: Matrix, { hidden = sigmoid, count = x.length, useC = true } = {}): Gradient {
  const h = x.map((row) => inputs(useC ? machine : { ...machine, c: machine.c.map(() => 0) }, row).map(hidden));
  return {
    w: machine.b.map((_, i) => machine.c.map((_, j) => sum(x.map((row, n) => row[i]! * h[n]![j]!)) / count)),
    b: [machine.b.map((_, i) => sum(x.map((row) => row[i]!)) / count)],
    c: [machine.c.map((_, j) => sum(h.map((row) => row[j]!)) / count)],
  };
} // prettier-ignore

type Slip = Parameters<typeof meansOf>[2];
const less = (a: Gradient, b: Gradient, which: Which) =>
  a[which].map((row, i) => row.map((v, j) => v - b[which][i]![j]!));

const gradientBy = ({ machine, data, model }: Phases, which: Which, slip: Slip = {}) =>
  less(meansOf(machine, data, slip), meansOf(machine, model, slip), which);

const wrongGradients: readonly (readonly [hint: string, of: (p: Phases, which: Which) => number[][]])[] = [
  ['the sign: data pull the energy down there, and ln p up; the model’s own samples push', (p, k) => gradientBy({ ...p, data: p.model, model: p.data }, k)],
  ['the negative phase is from the data, too, so that nothing is left: it is from the model’s samples', (p, k) => gradientBy({ ...p, model: p.data }, k)],
  ['that is the positive phase alone: ln Z has a gradient, too', (p, k) => meansOf(p.machine, p.data)[k]],
  ['means, not sums: data and samples may be of different numbers', (p, k) => gradientBy(p, k, { count: 1 })],
  ['each mean is over its own examples: samples by M, data by N', (p, k) => less(meansOf(p.machine, p.data), meansOf(p.machine, p.model, { count: p.data.length }), k)],
  ['the hidden units enter with their probability given x, σ(c + x W)', (p, k) => gradientBy(p, k, { hidden: (a) => a })],
  ['softplus is the marginal; its slope, which stands here, is σ', (p, k) => gradientBy(p, k, { hidden: softplus })],
  ['the probabilities of the hidden units have the bias c', (p, k) => gradientBy(p, k, { useC: false })],
]; // prettier-ignore

export async function checkGradient(call: Call, phases: Phases): Promise<void> {
  const { machine, data, model } = phases;
  const { w, b, c } = machineValues(machine);
  const hint = 'for each weight: the mean over data of what it multiplies, less the mean over the model’s samples';
  const got = expectFields(await call(matrixTensor(data), matrixTensor(model), w, b, c), ['w', 'b', 'c'], { hint });
  for (const which of ['b', 'c', 'w'] as const) {
    const shaped = (rows: number[][]) => (which === 'w' ? matrixTensor(rows) : tf.tensor1d(rows[0]!));
    const right = shaped(gradientBy(phases, which));
    const tensor = expectTensor(got[which], { what: `the gradient of ${which}`, shape: right.shape, hint });
    const mistakes = wrongGradients.map(([told, of]): KnownMistake => ({ hint: told, answer: () => shaped(of(phases, which)) })); // prettier-ignore
    expectAnswer(tensor, right, { what: `the gradient of ${which}`, rtol: 1e-3, atol: 1e-5, hint }, mistakes);
  }
}

export const gradient: Exercise = {
  id: 'energy.gradient',
  chapter,
  functionName: 'phaseGradient',
  title: 'the gradient of ln p from data and from the model’s samples',
  points: 3,
  library: ['dgm.rbm', 'dgm.contrast'],
  hints: [
    'ln p(x) = F(x) − ln Z, F the marginal of the first exercise. What is the gradient of ln Z, written as an expectation under p?',
    'E over data of ∇F less E over the model of ∇F. Of F = b·x + Σ_j softplus(c_j + (x W)_j): by b it is x, by c it is σ(c + x W), by W their outer product.',
    'Of a batch: x.matMul(h, true, false).div(N) is the mean of the outer products, h = σ(c + x W). Once for data, once for samples, and the difference.',
  ],
  checks: [
    {
      name: 'one unit in each layer',
      run: ({ call }) => checkGradient(call, { machine: { w: [[1]], b: [0.2], c: [-0.5] }, data: [[1], [1]], model: [[1], [0], [0]] }),
    },
    {
      name: 'more samples than data',
      sameForAll: true,
      run: ({ call, rng }) => checkGradient(call, phasesOf(rng, 3, 2, 4, 7)),
    },
    {
      name: 'more data than samples',
      sameForAll: true,
      run: ({ call, rng }) => checkGradient(call, phasesOf(rng, 2, 4, 6, 3)),
    },
  ],
}; // prettier-ignore
