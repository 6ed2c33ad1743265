/** Chapter 9: how many reflections turn a posterior to its axes, and inverse autoregressive steps. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Given, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, normal, smallestFirst, vector, type Matrix, type Vector } from './common';

const chapter = '09-priors-posteriors';

type Call = (...args: Value[]) => Promise<Value>;

// posterior.reflections

/** The directions that data tell about have to be turned to axes, one reflection each; the last of L comes by itself. */
function enoughFor(latents: number, observed: number): number {
  return observed < latents ? observed : latents - 1;
}

export async function checkReflections(call: Call, latents: number, observed: number, hint: string): Promise<void> {
  const of = (told: string, value: number): KnownMistake => ({ hint: told, answer: () => value });
  const mistakes = [
    of('that turns all L axes as one likes; directions of which the data say nothing all have the variance 1, and need no turning', latents - 1),
    of('where L − 1 axes point the right way, the last one does, up to its sign', Math.min(latents, observed)),
    of('where L − 1 axes point the right way, the last one does; and fewer are enough where the data say less', latents),
    of('the data tell about D directions, and all of them must become axes', observed - 1),
    of('there are L − 1 directions to turn at most, however many numbers are observed', observed),
    of('how many reflections, and not how many angles', (latents * (latents - 1)) / 2),
    of('a rotation is two reflections, but a single reflection does as well', 2 * enoughFor(latents, observed)),
  ]; // prettier-ignore
  const what = `the number of reflections for ${latents} latents and ${observed} observed numbers`;
  const got = expectNumber(await call(latents, observed), { what, hint });
  expectAnswer(got, enoughFor(latents, observed), { what, rtol: 0, atol: 0, hint }, mistakes);
}

export const reflections: Exercise = {
  id: 'posterior.reflections',
  chapter,
  functionName: 'reflectionsEnough',
  title: 'predict: how many reflections',
  points: 2,
  allOrNothing: true,
  hints: [
    'How many directions of z does x tell anything about? Which variance does the posterior have along all others, and how must these be turned?',
    'The precision is I + WᵀW / σ²: as many directions as W has independent rows are special, all others have the precision 1. One reflection takes one axis to one special direction, and leaves those that are done alone.',
    'As many as there are special directions: D where D < L. Where all are special, the last one is what is left when L − 1 are done.',
  ],
  checks: [
    {
      name: 'one latent, and two',
      async run({ call }) {
        await checkReflections(call, 1, 2, 'a single latent has no direction but its own');
        await checkReflections(call, 2, 5, 'in the plane a mirror turns an axis to any direction');
      },
    },
    {
      name: 'fewer numbers observed than latents',
      async run({ call }) {
        await checkReflections(call, 8, 4, 'the data say nothing about four of eight directions');
        await checkReflections(call, 3, 1, 'the data tell about one direction');
      },
    },
    {
      name: 'more numbers observed than latents',
      async run({ call }) {
        await checkReflections(call, 4, 10, 'all four directions are special');
        await checkReflections(call, 6, 6, 'all six directions are special');
      },
    },
  ],
}; // prettier-ignore

// posterior.autoregressive

type Said = (z: Vector) => { readonly m: number[]; readonly s: number[] };

interface Net {
  readonly given: Given;
  readonly of: Said;
}

/** A network [B, L] → [B, 2L] whose outputs l and L + l see the coordinates before l. */
function causalNet(rng: Rng, L: number): Net {
  const short = (v: number) => Math.round(v * 100) / 100; // the text is shown with the input of a check that fails
  const W = matrix(normal(rng, 'weights', [L, 2 * L])).map((row, i) => row.map((v, j) => (j % L > i ? short(v) : 0)));
  const b = vector(normal(rng, 'bias', [2 * L])).map(short);
  const source = `(z) => z.matMul(tf.tensor2d(${JSON.stringify(W)}, [${L}, ${2 * L}])).add(tf.tensor1d(${JSON.stringify(b)})).tanh().mul(2)`;
  const out = (z: Vector) => b.map((bias, j) => 2 * Math.tanh(bias + z.reduce((a, v, i) => a + v * W[i]![j]!, 0)));
  return { given: given(source), of: (z) => ({ m: out(z).slice(0, L), s: out(z).slice(L) }) };
}

export interface Steps {
  readonly z: Matrix;
  readonly logQ: Vector;
  readonly nets: readonly Net[];
}

export function stepsOf(rng: Rng, [B, L, T]: readonly [number, number, number]): Steps {
  return {
    z: matrix(normal(rng, 'z', [B, L])),
    logQ: vector(normal(rng, 'logQ', [B])),
    nets: Array.from({ length: T }, (_, t) => causalNet(rng.fork(`net ${t}`), L)),
  };
}

interface Moved {
  readonly z: number[][];
  readonly logQ: number[];
}

/** How one step may go, in the order of its line: the new coordinate, its share of ln |det|, what it is called with. */
interface Rule {
  readonly coordinate: (z: number, m: number, s: number) => number;
  readonly share: (s: number, m: number) => number;
  readonly turn?: 'after' | 'before' | 'never' | 'examples' | 'both';
  readonly exchanged?: boolean;
}

const gate = (s: number) => 1 / (1 + Math.exp(-s));
const RIGHT: Rule = {
  coordinate: (z, m, s) => gate(s) * z + gate(-s) * m,
  share: (s) => -Math.log1p(Math.exp(-s)),
};

function movedBy({ z, logQ, nets }: Steps, rule: Rule, { coordinate, share, turn = 'after' } = rule): Moved {
  let rows = z.map((row) => [...row]);
  const logs = [...logQ];
  for (const { of } of nets) {
    if (turn === 'before') rows = rows.map((row) => row.reverse());
    rows = rows.map((row, n) => {
      const said = of(row);
      const { m, s } = rule.exchanged ? { m: said.s, s: said.m } : said;
      s.forEach((v, l) => (logs[n] = logs[n]! - share(v, m[l]!)));
      return row.map((v, l) => coordinate(v, m[l]!, s[l]!));
    });
    if (turn === 'after' || turn === 'both') rows = rows.map((row) => row.reverse());
    if (turn === 'examples' || turn === 'both') rows = rows.reverse();
  }
  return { z: rows, logQ: logs };
}

const moved = (steps: Steps): Moved => movedBy(steps, RIGHT);

const wrongMoves: readonly (readonly [hint: string, rule: Rule])[] = [
  ['the network says m first, then s', { ...RIGHT, exchanged: true }],
  ['the gate is σ = sigmoid(s), and not exp(s)', { ...RIGHT, coordinate: (z, m, s) => Math.exp(s) * z + (1 - Math.exp(s)) * m }],
  ['the gate is σ = sigmoid(s), and not s itself', { ...RIGHT, coordinate: (z, m, s) => s * z + (1 - s) * m }],
  ['m comes in by 1 − σ: where the gate is open, z stays as it was', { ...RIGHT, coordinate: (z, m, s) => gate(s) * z + m }],
  ['z is multiplied by σ, and m by 1 − σ, not the other way round', { ...RIGHT, coordinate: (z, m, s) => gate(-s) * z + gate(s) * m }],
  ['this is the way back: draws go on by σ z + (1 − σ) m', { ...RIGHT, coordinate: (z, m, s) => (z - gate(-s) * m) / gate(s) }],
  ['first scaled, then shifted', { ...RIGHT, coordinate: (z, m, s) => gate(s) * (z + gate(-s) * m) }],
  ['this is an affine step, exp(s) z + m: here a gate mixes z and m', { ...RIGHT, coordinate: (z, m, s) => Math.exp(s) * z + m }],
  ['the order of the latents is reversed after each step: without it the last ones see all, and the first ones nobody, ever', { ...RIGHT, turn: 'never' }],
  ['the order is reversed after a step, and not before it', { ...RIGHT, turn: 'before' }],
  ['of the latents, axis 1, and not of the examples', { ...RIGHT, turn: 'examples' }],
  ['of the latents alone, axis 1: the examples stay where they are', { ...RIGHT, turn: 'both' }],
  ['the gate is sigmoid(s), of s as the network says it', { ...RIGHT, coordinate: (z, m, s) => gate(s + 2) * z + gate(-s - 2) * m }],
]; // prettier-ignore

const wrongLogs: readonly (readonly [hint: string, share: Rule['share']])[] = [
  [
    'a density falls where a map spreads it: ln |det| is subtracted from ln q, and the gates are below 1',
    (s) => Math.log1p(Math.exp(-s)),
  ],
  ['ln q changes with every step: the logarithms of the gates are to be subtracted', () => 0],
  ['the logarithms of the gates, σ = sigmoid(s), and not s itself', (s) => s],
  ['the logarithms of the gates, and not the gates', gate],
  ['the logarithm of σ, and not of 1 − σ', (s) => -Math.log1p(Math.exp(s))],
];

function wrongLogQ(steps: Steps): readonly KnownMistake[] {
  const right = moved(steps).logQ;
  const L = steps.z[0]!.length;
  const less = right.map((v, n) => v - steps.logQ[n]!);
  const last = { ...steps, nets: steps.nets.slice(0, -1) };
  const before = moved(last).logQ;
  const as = (values: Vector) => () => tf.tensor1d([...values]);
  return [
    { hint: 'the sum over the latents is counted L times: it is one number for an example', answer: as(less.map((v, n) => steps.logQ[n]! + L * v)) },
    { hint: 'a sum over the latents, not their mean', answer: as(less.map((v, n) => steps.logQ[n]! + v / L)) },
    { hint: 'the steps’ log-determinants add up: this has only the last one’s', answer: as(right.map((v, n) => steps.logQ[n]! + v - before[n]!)) },
    { hint: 'the ln q that was given is missing', answer: as(less) },
    { hint: 'each example has its own log-determinant: this is a sum over the batch', answer: as(steps.logQ.map((v) => v + less.reduce((a, b) => a + b, 0))) },
    ...wrongLogs.map(([hint, share]) => ({ hint, answer: as(movedBy(steps, { ...RIGHT, share }).logQ) })),
  ]; // prettier-ignore
}

export async function checkSteps(call: Call, steps: Steps, hint: string): Promise<void> {
  const { z, logQ, nets } = steps;
  const args = [matrixTensor(z), tf.tensor1d([...logQ]), nets.map((net) => net.given)];
  const got = expectFields(await call(...args), ['z', 'logQ'], { hint });
  const [B, L] = [z.length, z[0]!.length];
  const place = expectTensor(got.z, { what: 'z', shape: [B, L], hint });
  const logs = expectTensor(got.logQ, { what: 'ln q', shape: [B], hint: 'one number an example' });
  const wanted = moved(steps);
  const close = { rtol: 1e-4, atol: 1e-3, hint };
  const places = wrongMoves.map(([told, rule]): KnownMistake => ({ hint: told, answer: () => matrixTensor(movedBy(steps, rule).z) })); // prettier-ignore
  expectAnswer(place, matrixTensor(wanted.z), { ...close, what: 'z' }, places);
  expectAnswer(logs, tf.tensor1d(wanted.logQ), { ...close, what: 'ln q' }, wrongLogQ(steps));
}

export const autoregressive: Exercise = {
  id: 'posterior.autoregressive',
  chapter,
  functionName: 'inverseAutoregressive',
  title: 'an inverse autoregressive posterior',
  points: 3,
  library: ['dgm.inverseAutoregressiveFlow', 'dgm.flowPosterior'],
  hints: [
    'Of one step, which entries of the Jacobian are 0, and what stands on its diagonal? Does m, which depends on z as well, enter its determinant?',
    'm_l and s_l see only coordinates before l, so the Jacobian is triangular, with the gates σ_l on its diagonal: ln |det| is the sum of their logarithms, and ln q falls by it.',
    'A loop over the nets: tf.split in two along axis 1 gives m and s; tf.sigmoid(s) is the gate; tf.logSigmoid(s) summed over axis 1 is subtracted from ln q; reverse(1) turns the order round.',
  ],
  checks: [
    {
      name: 'one step of one latent',
      sameForAll: true,
      run: ({ call, rng }) => checkSteps(call, stepsOf(rng, [2, 1, 1]), 'σ z + (1 − σ) m, and ln q − ln σ'),
    },
    {
      name: 'one step of three latents',
      sameForAll: true,
      run: ({ call, rng }) => checkSteps(call, stepsOf(rng, [2, 3, 1]), 'then the order of the latents is reversed'),
    },
    {
      name: 'several steps',
      sameForAll: true,
      async run({ call, rng }) {
        for (const sizes of smallestFirst([[1, 2, 2], [3, 2, 3], [2, 5, 4]] as const))
          await checkSteps(call, stepsOf(rng.fork(sizes.join()), sizes), 'each step begins where the one before ended');
      },
    },
  ],
}; // prettier-ignore
