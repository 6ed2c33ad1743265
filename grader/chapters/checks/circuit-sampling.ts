/** Chapter 4: from the root down. References are sums over every assignment. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectArray, expectNumber, expectTrue } from '../../exercise/compare';
import type { Exercise } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import {
  chapter,
  fitting,
  leaf,
  MANY,
  probabilityOf,
  product,
  randomNodes,
  rareLeaves,
  variables,
  wire,
  zeros,
  type Call,
  type Evidence,
  type Node,
} from './circuit-units';
import { vector, type Vector } from './common';

// circuit.complete

/** Which of several a number u of [0, 1) chooses, with these shares: how many cumulative sums but the last it has reached. */
function chosen(shares: Vector, u: number): number {
  const total = shares.reduce((a, b) => a + b, 0);
  let sums = 0;
  return shares.slice(0, -1).filter((share) => u >= (sums += share / total)).length;
}

type Chooser = (weights: Vector, below: Vector, u: number) => number;
const byPosterior: Chooser = (weights, below, u) => chosen(weights.map((w, j) => w * below[j]!), u); // prettier-ignore

/** What the circuit draws: every choice by the probability of the evidence below, which is a sum over all assignments. */
function drawnBy(nodes: readonly Node[], x: Evidence, u: Vector, choose = byPosterior, fixed = true): number[] {
  const values = Math.max(...nodes.map((node) => (node.kind === 'leaf' ? node.p.length : 0)));
  const below = (child: number) =>
    fitting(x, values).reduce((total, row) => total + probabilityOf(nodes.slice(0, child + 1), row), 0);
  const whole = x.slice();
  const visit = (i: number): void => {
    const node = nodes[i]!;
    if (node.kind === 'product') return node.children.forEach(visit);
    if (node.kind === 'sum') return visit(node.children[choose(node.weights, node.children.map(below), u[i]!)]!); // prettier-ignore
    if (x[node.variable] === null || !fixed)
      whole[node.variable] = choose(node.p, node.p.map(() => 1), u[i]!); // prettier-ignore
  };
  visit(nodes.length - 1);
  return whole as number[];
}

const largest = (values: Vector) => values.indexOf(Math.max(...values));

const WRONG_CHOICES: readonly (readonly [hint: string, choose: Chooser, fixed?: boolean])[] = [
  ['a sum that knows of evidence below it no longer chooses by its weights alone: which input explains the evidence counts, too', (w, _, u) => chosen(w, u)],
  ['how probable an input was beforehand counts, too: its weight', (w, a, u) => chosen(a.every((v) => v === 1) ? w : a, u)],
  ['that is the most probable way; a draw takes every way as often as it is probable', (w, a) => largest(w.map((v, j) => v * a[j]!))],
  ['what is known comes back as it is', byPosterior, false],
]; // prettier-ignore

export async function checkComplete(call: Call, nodes: readonly Node[], x: Evidence, u: Vector, hint: string) {
  const got = expectArray(await call(wire(nodes), x, u), { what: 'the draw', length: x.length, hint });
  const numbers = got.map((v, d) => expectNumber(v ?? null, { what: `the draw[${d}]`, hint }));
  const mistakes = WRONG_CHOICES.map(([told, choose, fixed]): KnownMistake => {
    return { hint: told, answer: () => drawnBy(nodes, x, u, choose, fixed) };
  });
  const what = `the draw for x = [${x.map((v) => v ?? 'null').join(', ')}] and u = [${u.map((v) => v.toFixed(2)).join(', ')}]`;
  expectAnswer(numbers, drawnBy(nodes, x, u), { what, atol: 0, rtol: 0, hint }, mistakes);
}

/** Numbers of [0, 1), one a node. */
export const uniforms = (rng: Rng, label: string, nodes: readonly Node[]) =>
  vector(tf.tidy(() => rng.fork(label).uniform([nodes.length])));

/** Two clusters of two coins: in the first both tend to be 0, in the second 1. */
const clusters: readonly Node[] = [
  { kind: 'leaf', variable: 0, p: [0.9, 0.1] },
  { kind: 'leaf', variable: 1, p: [0.8, 0.2] },
  { kind: 'leaf', variable: 0, p: [0.2, 0.8] },
  { kind: 'leaf', variable: 1, p: [0.1, 0.9] },
  product(0, 1),
  product(2, 3),
  { kind: 'sum', children: [4, 5], weights: [0.6, 0.4] },
];

export const complete: Exercise = {
  id: 'circuit.complete',
  chapter,
  functionName: 'completeCircuit',
  title: 'from the root down: draw what is missing',
  points: 3,
  hints: [
    'You stand at a sum near the root, and some variables below it are known. Which of its inputs would you bet on, and what would you have to know of each of them before you can say?',
    'Two passes. Up: for every node the log-probability of the evidence in its scope, as in your logCircuit, but kept for all nodes. Down: the root is asked; a product asks all its children; a sum asks one, with probabilities in proportion to w times e to its input’s number; a leaf that is asked draws from its table, unless its variable is known.',
    'Go through the list backwards with a mark for each node that is asked: at a sum subtract the largest ln w + a, exponentiate, divide by the sum, and count how many cumulative sums but the last are at most u[i]; mark that child. Leaves use their table in the same way. The variables that are known keep their value.',
  ],
  checks: [
    {
      name: 'a leaf and a product, by hand',
      async run({ call }) {
        const hint = 'a leaf’s table [0.3, 0.7]: value 0 for u below 0.3, else 1';
        for (const u of [0.1, 0.29, 0.31, 0.9]) await checkComplete(call, [leaf(0)], [null], [u], hint);
        await checkComplete(
          call,
          [leaf(0), leaf(1), product(0, 1)],
          [null, null],
          [0.1, 0.8, 0.5],
          'u[i] is for node i',
        );
        const three: Node[] = [{ kind: 'leaf', variable: 0, p: [0.2, 0.3, 0.5] }];
        for (const u of [0, 0.25, 0.6])
          await checkComplete(call, three, [null], [u], 'sums 0.2, 0.5: none, one, both reached');
      },
    },
    {
      name: 'without evidence a sum chooses by its weights',
      async run({ call }) {
        for (const choice of [0.3, 0.59, 0.61, 0.9])
          for (const other of [0.15, 0.5])
            await checkComplete(call, clusters, [null, null], [other, other, other, other, 0, 0, choice], 'weights 0.6 and 0.4');
      }, // prettier-ignore
    },
    {
      name: 'evidence below a sum tells which input to take',
      async run({ call }) {
        // x0 = 1: 0.6 · 0.1 against 0.4 · 0.8, so the first input has 0.158
        for (const choice of [0.1, 0.2, 0.5, 0.7])
          await checkComplete(call, clusters, [1, null], [0.5, 0.5, 0.5, 0.5, 0, 0, choice], 'w e^a over its sum: 0.158 and 0.842');
        await checkComplete(call, clusters, [1, 0], [0.5, 0.5, 0.5, 0.5, 0, 0, 0.5], 'nothing is missing here');
      }, // prettier-ignore
    },
    {
      name: 'agrees with sums over all assignments on random circuits',
      sameForAll: true,
      async run({ call, rng }) {
        const cases: readonly (readonly [number, number, Evidence])[] = [
          [2, 3, [null, 2]],
          [3, 2, [1, null, null]],
          [4, 2, [null, 0, null, 1]],
          [4, 2, [null, null, null, null]],
        ];
        for (const [i, [D, values, x]] of cases.entries()) {
          const nodes = randomNodes(rng.fork(`nodes ${i}`), D, values);
          for (let draw = 0; draw < 8; draw++)
            await checkComplete(call, nodes, x, uniforms(rng, `u ${i} ${draw}`, nodes), 'every sum on the way chooses anew');
        }
      }, // prettier-ignore
    },
    {
      name: 'works where the evidence is 10⁻¹²⁰⁰, and where an input excludes it',
      async run({ call }) {
        const rare = [...rareLeaves, product(...variables), { kind: 'leaf', variable: MANY, p: [0.3, 0.7] } as Node, product(MANY, MANY + 1)];
        const twice: Node[] = [...rare, { kind: 'leaf', variable: MANY, p: [0.9, 0.1] }, product(MANY, MANY + 3), { kind: 'sum', children: [MANY + 2, MANY + 4], weights: [0.5, 0.5] }];
        const hint = 'stay in logarithms: take out the largest ln w + a before exp';
        for (const [u, value] of [[0.25, 1], [0.75, 0]] as const) {
          const got = expectArray(await call(wire(twice), [...zeros, null], twice.map((_, i) => (i === twice.length - 1 ? u : 0.5))), { what: 'the draw', length: MANY + 1, hint });
          expectTrue(got[MANY] === value, `the draw[${MANY}] to be ${value}`, String(got[MANY]), hint);
        }
        const never: Node[] = [{ kind: 'leaf', variable: 0, p: [0, 1] }, leaf(1), product(0, 1), leaf(0), { kind: 'leaf', variable: 1, p: [1, 0] }, product(3, 4), { kind: 'sum', children: [2, 5], weights: [0.99, 0.01] }];
        for (const u of [0, 0.5, 0.98]) await checkComplete(call, never, [0, null], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, u], 'the first input cannot have made x0 = 0');
      }, // prettier-ignore
    },
  ],
};
