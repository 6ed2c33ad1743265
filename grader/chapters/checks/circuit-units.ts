/** Chapter 4: circuits node by node. References are sums over every assignment. */
import { permutation, type Rng } from 'dgm';
import { expectNumber, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { smallestFirst, vector, type Vector } from './common';

export const chapter = '04-circuits';

export type Call = (...args: Value[]) => Promise<Value>;

/** As the chapter has it: every node is one unit. */
export type Node =
  | { readonly kind: 'leaf'; readonly variable: number; readonly p: Vector }
  | { readonly kind: 'product'; readonly children: Vector }
  | { readonly kind: 'sum'; readonly children: Vector; readonly weights: Vector };

/** One entry a variable: its value, or null where it is missing. */
export type Evidence = readonly (number | null)[];

export const wire = (nodes: readonly Node[]) => nodes as unknown as Value;

// Random circuits

/** Positive numbers that sum to 1. */
export function distribution(rng: Rng, label: string, size: number): number[] {
  const weights = vector(rng.fork(label).uniform([size])).map((u) => u + 0.1);
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}

/**
 * A valid circuit: every sum mixes random ways of cutting its variables in two, and the root has one more that cuts them
 * in three, so that no number of children is the only one.
 */
export function randomNodes(rng: Rng, D: number, values: number): Node[] {
  const nodes: Node[] = [];
  let draws = 0;
  const push = (node: Node) => nodes.push(node) - 1;
  const way = (scope: Vector, here: Rng, parts: number): number => {
    if (scope.length === 1)
      return push({ kind: 'leaf', variable: scope[0]!, p: distribution(here, `leaf ${parts}`, values) });
    const order = [...permutation(scope.length, here.fork(`way ${parts} ${draws++}`))].map((i) => scope[i]!);
    const cuts = Array.from({ length: parts + 1 }, (_, i) => Math.floor((i * scope.length) / parts));
    return push({ kind: 'product', children: cuts.slice(1).map((end, i) => region(order.slice(cuts[i], end))) });
  };
  const region = (scope: Vector): number => {
    const here = rng.fork(`region ${draws++}`);
    const parts = scope.length >= 3 && scope.length === D ? [2, 2, 3] : [2, 2];
    const children = parts.map((count, i) => way(scope, here.fork(`${i}`), count));
    return push({ kind: 'sum', children, weights: distribution(here, 'weights', children.length) });
  };
  region(Array.from({ length: D }, (_, d) => d));
  return nodes;
}

/** p of a full assignment, by multiplying and adding plain numbers. */
export function probabilityOf(nodes: readonly Node[], x: Vector): number {
  const values: number[] = [];
  for (const node of nodes) {
    if (node.kind === 'leaf') values.push(node.p[x[node.variable]!]!);
    else if (node.kind === 'product') values.push(node.children.reduce((product, c) => product * values[c]!, 1));
    else values.push(node.children.reduce((sum, c, j) => sum + node.weights[j]! * values[c]!, 0));
  }
  return values.at(-1)!;
}

export function assignments(D: number, values: number): number[][] {
  if (D === 0) return [[]];
  return assignments(D - 1, values).flatMap((head) => Array.from({ length: values }, (_, v) => [...head, v]));
}

export const fitting = (x: Evidence, values: number) =>
  assignments(x.length, values).filter((row) => row.every((v, d) => x[d] === null || x[d] === v));

/** ln of the sum over every assignment that agrees with x where it is not null. */
function logMarginalOf(nodes: readonly Node[], x: Evidence, values: number): number {
  return Math.log(fitting(x, values).reduce((sum, row) => sum + probabilityOf(nodes, row), 0));
}

// circuit.violation

export const leaf = (variable: number): Node => ({ kind: 'leaf', variable, p: [0.3, 0.7] });
export const product = (...children: number[]): Node => ({ kind: 'product', children });
const sum = (...children: number[]): Node => ({ kind: 'sum', children, weights: children.map(() => 1 / children.length) }); // prettier-ignore

export async function checkViolation(call: Call, nodes: readonly Node[], expected: number, hint: string) {
  const got = expectNumber(await call(wire(nodes)), { what: 'the index', hint });
  expectTrue(got === expected, expected < 0 ? '−1: every node is right' : `node ${expected}`, String(got), hint);
}

export const violation: Exercise = {
  id: 'circuit.violation',
  chapter,
  functionName: 'violation',
  title: 'smooth and decomposable',
  points: 2,
  hints: [
    'What would you have to know of each child to decide? Can you know it before you come to the parent?',
    'Walk through the list once and keep the scope of every node: one variable for a leaf, the union of the children’s scopes for the others. A product wants its children’s scopes to have nothing in common, a sum wants them all equal.',
    'With sets: the scopes of a product’s children are disjoint when their sizes add up to the size of their union; those of a sum’s children are equal when each is as large as the union. Return the index at the first failure, −1 after the loop.',
  ],
  checks: [
    {
      name: 'finds nothing in circuits that are right',
      law: true,
      async run({ call, rng }) {
        await checkViolation(call, [leaf(0), leaf(1), product(0, 1)], -1, 'different variables may be multiplied');
        await checkViolation(call, [leaf(0), leaf(0), sum(0, 1)], -1, 'tables of the same variable may be summed');
        for (const D of [4, 3]) await checkViolation(call, randomNodes(rng.fork(`${D}`), D, 2), -1, 'a scope is the set of all variables below a node');
        const reused = [leaf(0), leaf(1), leaf(1), product(0, 1), product(0, 2), sum(3, 4)];
        await checkViolation(call, reused, -1, 'two nodes may share a child');
      }, // prettier-ignore
    },
    {
      name: 'finds a product whose children share a variable',
      async run({ call }) {
        await checkViolation(call, [leaf(0), leaf(0), product(0, 1)], 2, 'x0 · x0 is no product of independent parts');
        const deep = [leaf(0), leaf(1), leaf(2), product(0, 1), product(1, 2), product(3, 4)];
        await checkViolation(call, deep, 5, 'the children are different nodes, and share x1 further down');
        const third = [leaf(0), leaf(1), leaf(0), product(0, 1, 2)];
        await checkViolation(call, third, 3, 'compare every child with every other one');
        const twice = 'a child that comes twice shares its variable with itself';
        await checkViolation(call, [leaf(0), product(0, 0)], 1, twice);
      },
    },
    {
      name: 'finds a sum whose children have different scopes',
      async run({ call }) {
        await checkViolation(call, [leaf(0), leaf(1), sum(0, 1)], 2, 'x0 + x1 is not smooth');
        const subset = [leaf(0), leaf(1), product(0, 1), leaf(0), sum(2, 3)];
        await checkViolation(call, subset, 4, 'one scope within the other is not enough');
        const subset2 = [leaf(0), leaf(1), product(0, 1), leaf(0), sum(3, 2)];
        await checkViolation(call, subset2, 4, 'in either order');
        await checkViolation(call, [leaf(0), leaf(0), leaf(1), sum(0, 1, 2)], 3, 'compare every child');
        const order = [leaf(0), leaf(1), product(0, 1), product(1, 0), sum(2, 3)];
        await checkViolation(call, order, -1, 'a scope is a set: the order of the children does not matter');
      },
    },
    {
      name: 'names the first of several',
      async run({ call }) {
        const told = 'children come before parents';
        await checkViolation(call, [leaf(0), leaf(0), product(0, 1), leaf(1), sum(2, 3)], 2, told);
        await checkViolation(call, [leaf(0), leaf(1), leaf(1), sum(0, 1), product(1, 2)], 3, told);
      },
    },
  ],
};

// circuit.evaluate

interface Units {
  leaf(p: Vector, seen: number | null): number;
  sum(weights: Vector, inputs: Vector): number;
}

const RIGHT: Units = {
  leaf: (p, seen) => (seen === null ? 1 : p[seen]!),
  sum: (weights, inputs) => inputs.reduce((total, v, j) => total + weights[j]! * v, 0),
};

function evaluatedBy(nodes: readonly Node[], x: Evidence, units: Units): number {
  const values: number[] = [];
  for (const node of nodes)
    if (node.kind === 'leaf') values.push(units.leaf(node.p, x[node.variable] ?? null));
    else if (node.kind === 'product') values.push(node.children.reduce((total, c) => total * values[c]!, 1));
    else values.push(units.sum(node.weights, node.children.map((c) => values[c]!))); // prettier-ignore
  return values.at(-1)!;
}

const WRONG_UNITS: readonly (readonly [hint: string, units: Partial<Units>])[] = [
  ['a missing value is not the value 0: its leaf is summed over all values, and becomes 1', { leaf: (p, seen) => p[seen ?? 0]! }],
  ['a missing value sums its table, to 1; this is the table’s mean', { leaf: (p, seen) => (seen === null ? 1 / p.length : p[seen]!) }],
  ['that is the single most probable way through the circuit: a sum unit adds up its inputs', { sum: (w, a) => Math.max(...a.map((v, j) => w[j]! * v)) }],
  ['a sum unit has weights', { sum: (_, a) => a.reduce((total, v) => total + v, 0) }],
  ['a sum unit has weights: it is no plain mean', { sum: (_, a) => a.reduce((total, v) => total + v / a.length, 0) }],
]; // prettier-ignore

export async function checkEvaluate(
  call: Call,
  nodes: readonly Node[],
  x: Evidence,
  values: number,
  hint: string,
): Promise<void> {
  const got = await call(wire(nodes), x);
  const expected = logMarginalOf(nodes, x, values);
  const mistakes = WRONG_UNITS.map(([told, units]): KnownMistake => {
    return { hint: told, answer: () => Math.log(evaluatedBy(nodes, x, { ...RIGHT, ...units })) };
  });
  const linear = { hint: 'this is p itself: its logarithm is asked for', answer: () => Math.exp(expected) };
  const what = `ln p(${x.map((v) => v ?? 'any').join(', ')})`;
  expectAnswer(got, expected, { what, hint }, [...mistakes, linear]); // 32-bit floats will do
}

/** So many variables that the product of rare values is 0 even in double precision. */
export const MANY = 40;
export const variables = Array.from({ length: MANY }, (_, d) => d);
export const zeros = variables.map(() => 0);
export const rareLeaves = variables.map((variable): Node => ({ kind: 'leaf', variable, p: [1e-30, 1 - 1e-30] }));

async function checkRare(call: Call, nodes: readonly Node[], hint: string): Promise<void> {
  expectAnswer(await call(wire(nodes), zeros), MANY * Math.log(1e-30), { what: 'ln p', hint });
}

export const evaluate: Exercise = {
  id: 'circuit.evaluate',
  chapter,
  functionName: 'logCircuit',
  title: 'one pass from the leaves to the root',
  points: 3,
  hints: [
    'Which numbers do you need when you come to a node, and in which order does the list give them? What is the logarithm of 1?',
    'One number for every node, in logarithms: the leaf’s entry, or 0 where x is null; the sum of the children for a product; ln Σ w exp a for a sum. The answer is the last one.',
    'For a sum: each term is the logarithm of a weight plus the child’s value. Take the largest term; when it is −∞ the sum is −∞; else add up exp of (term − largest), take the logarithm, and add the largest again.',
  ],
  checks: [
    {
      name: 'a leaf, a product, a sum, by hand',
      async run({ call }) {
        const nodes = [leaf(0), leaf(1), product(0, 1)];
        await checkEvaluate(call, nodes.slice(0, 1), [1], 2, 'a leaf is its table’s entry');
        await checkEvaluate(call, nodes, [0, 1], 2, 'ln 0.3 + ln 0.7');
        const other: Node = { kind: 'leaf', variable: 0, p: [0.9, 0.1] };
        const mixture: Node[] = [leaf(0), other, { kind: 'sum', children: [0, 1], weights: [0.25, 0.75] }];
        await checkEvaluate(call, mixture, [0], 2, 'ln (0.25 · 0.3 + 0.75 · 0.9)');
      },
    },
    {
      name: 'agrees with plain sums and products on random circuits',
      async run({ call, rng }) {
        const sizes = [
          [2, 3],
          [3, 2],
          [4, 2],
        ] as const;
        for (const [D, values] of smallestFirst(sizes)) {
          const nodes = randomNodes(rng.fork(`${D} ${values}`), D, values);
          for (const x of assignments(D, values).slice(0, 12))
            await checkEvaluate(call, nodes, x, values, 'in the order of the list');
        }
      },
    },
    {
      name: 'sums out what is null',
      async run({ call, rng }) {
        const nodes = randomNodes(rng, 4, 2);
        const queries = [
          [null, 1, 0, null],
          [0, null, null, null],
          [1, 1, null, 0],
          [null, null, null, null],
        ];
        for (const x of queries)
          await checkEvaluate(call, nodes, x, 2, 'a variable that is summed out makes its leaves 1, and ln 1 is 0');
      },
    },
    {
      name: 'works where probabilities underflow, and where they are 0',
      async run({ call }) {
        const all = product(...variables);
        const hint = '10⁻¹²⁰⁰ is 0 in floating point: stay in logarithms, and take out the largest';
        await checkRare(call, [...rareLeaves, all, all, sum(MANY, MANY + 1)], hint);
        const never: Node = { kind: 'leaf', variable: 0, p: [0, 1] };
        const none = await call(wire([never, never, sum(0, 1)]), [0]);
        expectTrue(none === -Infinity, '−∞ for what cannot happen', String(none), '−∞ − (−∞) is NaN');
        await checkEvaluate(call, [never, leaf(0), sum(0, 1)], [0], 2, 'an input of probability 0 adds nothing');
      },
    },
    {
      name: 'an input of weight 0 adds nothing, however probable it is',
      async run({ call }) {
        const certain = variables.map((variable): Node => ({ kind: 'leaf', variable, p: [1, 0] }));
        const second = product(...variables.map((variable) => variable + MANY));
        const root: Node = { kind: 'sum', children: [2 * MANY, 2 * MANY + 1], weights: [0, 1] };
        const nodes = [...certain, ...rareLeaves, product(...variables), second, root];
        await checkRare(call, nodes, 'the largest term is the largest ln w + a, not the largest a');
      },
    },
  ],
};
