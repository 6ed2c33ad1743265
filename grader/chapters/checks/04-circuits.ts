/**
 * Chapter 4: probabilistic circuits. References are sums over every assignment, plain loops in double precision, and
 * for trees a search over all of them.
 */
import * as tf from '@tensorflow/tfjs';
import { permutation, type Rng } from 'dgm';
import { expectArray, expectClose, expectNumber, expectTensor, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { smallestFirst } from './common';

const chapter = '04-circuits';

export type Call = (...args: Value[]) => Promise<Value>;
type Vector = readonly number[];
export type Matrix = readonly Vector[];

export const matrix = (x: tf.Tensor) => x.arraySync() as number[][];
export const vector = (x: tf.Tensor) => x.arraySync() as number[];

/** As the chapter has it: every node is one unit. */
export type Node =
  | { readonly kind: 'leaf'; readonly variable: number; readonly p: Vector }
  | { readonly kind: 'product'; readonly children: Vector }
  | { readonly kind: 'sum'; readonly children: Vector; readonly weights: Vector };

// Random circuits

export const normal = (rng: Rng, label: string, shape: number[], scale = 1) =>
  tf.tidy(() => rng.fork(label).normal(shape).mul(scale));

/** Positive numbers that sum to 1. */
export function distribution(rng: Rng, label: string, size: number): number[] {
  const weights = vector(rng.fork(label).uniform([size])).map((u) => u + 0.1);
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}

/** A valid circuit: two random ways of halving the variables at every sum. */
export function randomNodes(rng: Rng, D: number, values: number): Node[] {
  const nodes: Node[] = [];
  let draws = 0;
  const push = (node: Node) => nodes.push(node) - 1;
  const region = (scope: Vector): number => {
    const here = rng.fork(`region ${draws++}`);
    const children = [0, 1].map((way) => {
      if (scope.length === 1)
        return push({ kind: 'leaf', variable: scope[0]!, p: distribution(here, `leaf ${way}`, values) });
      const order = [...permutation(scope.length, here.fork(`way ${way}`))].map((i) => scope[i]!);
      const middle = scope.length >> 1;
      return push({ kind: 'product', children: [region(order.slice(0, middle)), region(order.slice(middle))] });
    });
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

/** ln of the sum over every assignment that agrees with x where it is not null. */
export function logMarginalOf(nodes: readonly Node[], x: readonly (number | null)[], values: number): number {
  const fits = assignments(x.length, values).filter((row) => row.every((v, d) => x[d] === null || x[d] === v));
  return Math.log(fits.reduce((sum, row) => sum + probabilityOf(nodes, row), 0));
}

// circuit.violation

const leaf = (variable: number): Node => ({ kind: 'leaf', variable, p: [0.3, 0.7] });
const product = (...children: number[]): Node => ({ kind: 'product', children });
const sum = (...children: number[]): Node => ({ kind: 'sum', children, weights: children.map(() => 1 / children.length) }); // prettier-ignore

export async function checkViolation(call: Call, nodes: readonly Node[], expected: number, hint: string) {
  const got = expectNumber(await call(nodes as unknown as Value), { what: 'the index', hint });
  expectTrue(got === expected, expected < 0 ? '−1: every node is right' : `node ${expected}`, String(got), hint);
}

const violation: Exercise = {
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
      async run({ call, rng }) {
        await checkViolation(call, [leaf(0), leaf(1), product(0, 1)], -1, 'different variables may be multiplied');
        await checkViolation(call, [leaf(0), leaf(0), sum(0, 1)], -1, 'tables of the same variable may be summed');
        await checkViolation(call, randomNodes(rng, 4, 2), -1, 'a scope is the set of all variables below a node');
        const reused = [leaf(0), leaf(1), leaf(1), product(0, 1), product(0, 2), sum(3, 4)];
        await checkViolation(call, reused, -1, 'two nodes may share a child');
      },
    },
    {
      name: 'finds a product whose children share a variable',
      async run({ call }) {
        await checkViolation(call, [leaf(0), leaf(0), product(0, 1)], 2, 'x0 · x0 is no product of independent parts');
        const deep = [leaf(0), leaf(1), leaf(2), product(0, 1), product(1, 2), product(3, 4)];
        await checkViolation(call, deep, 5, 'the children are different nodes, and share x1 further down');
        const third = [leaf(0), leaf(1), leaf(0), product(0, 1, 2)];
        await checkViolation(call, third, 3, 'compare every child with every other one');
        await checkViolation(
          call,
          [leaf(0), product(0, 0)],
          1,
          'a child that comes twice shares its variable with itself',
        );
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
      run: ({ call }) =>
        checkViolation(call, [leaf(0), leaf(0), product(0, 1), leaf(1), sum(2, 3)], 2, 'children come before parents'),
    },
  ],
};

// circuit.evaluate

export async function checkEvaluate(
  call: Call,
  nodes: readonly Node[],
  x: readonly (number | null)[],
  values: number,
  hint: string,
): Promise<void> {
  const got = await call(nodes as unknown as Value, x);
  const what = `ln p(${x.map((v) => v ?? 'any').join(', ')})`;
  expectClose(got, logMarginalOf(nodes, x, values), { what, hint }); // 32-bit floats will do
}

/** So many variables that the product of rare values is 0 even in double precision. */
const D = 40;
const variables = Array.from({ length: D }, (_, d) => d);
const zeros = variables.map(() => 0);

const evaluateExercise: Exercise = {
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
        for (const [D, values] of [[2, 3], [3, 2], [4, 2]] as const) {
          const nodes = randomNodes(rng.fork(`${D} ${values}`), D, values);
          for (const x of assignments(D, values).slice(0, 12))
            await checkEvaluate(call, nodes, x, values, 'in the order of the list');
        }
      }, // prettier-ignore
    },
    {
      name: 'sums out what is null',
      async run({ call, rng }) {
        const nodes = randomNodes(rng, 4, 2);
        for (const x of [[null, 1, 0, null], [0, null, null, null], [1, 1, null, 0]])
          await checkEvaluate(call, nodes, x, 2, 'a variable that is summed out makes its leaves 1, and ln 1 is 0');
        const all = await call(nodes as unknown as Value, [null, null, null, null]);
        expectClose(all, 0, { what: 'ln p(nothing)', hint: 'probabilities sum to 1' });
      }, // prettier-ignore
    },
    {
      name: 'works where probabilities underflow, and where they are 0',
      async run({ call }) {
        const rare = variables.map((variable): Node => ({ kind: 'leaf', variable, p: [1e-30, 1 - 1e-30] }));
        const all = product(...variables);
        const tiny = [...rare, all, all, sum(D, D + 1)];
        const got = await call(tiny as unknown as Value, zeros);
        const hint = '10⁻¹²⁰⁰ is 0 in floating point: stay in logarithms, and take out the largest';
        expectClose(got, D * Math.log(1e-30), { what: 'ln p', hint });
        const never: Node = { kind: 'leaf', variable: 0, p: [0, 1] };
        const impossible = [never, never, sum(0, 1)];
        const none = await call(impossible as unknown as Value, [0]);
        expectTrue(none === -Infinity, '−∞ for what cannot happen', String(none), '−∞ − (−∞) is NaN');
        const half = [never, leaf(0), sum(0, 1)];
        await checkEvaluate(call, half, [0], 2, 'an input of probability 0 adds nothing');
      },
    },
    {
      name: 'an input of weight 0 adds nothing, however probable it is',
      async run({ call }) {
        const certain = variables.map((variable): Node => ({ kind: 'leaf', variable, p: [1, 0] }));
        const rare = variables.map((variable): Node => ({ kind: 'leaf', variable, p: [1e-30, 1 - 1e-30] }));
        const second = product(...variables.map((variable) => variable + D));
        const root: Node = { kind: 'sum', children: [2 * D, 2 * D + 1], weights: [0, 1] };
        const got = await call([...certain, ...rare, product(...variables), second, root] as unknown as Value, zeros);
        const hint = 'the largest term is the largest ln w + a, not the largest a';
        expectClose(got, D * Math.log(1e-30), { what: 'ln p', hint });
      },
    },
  ],
};

// circuit.mutualInformation

export function mutualInformationOf(counts: Matrix): number {
  const total = counts.flat().reduce((a, b) => a + b, 0);
  const p = counts.map((row) => row.map((c) => c / total));
  const entropy = (q: Vector) => q.reduce((h, v) => (v > 0 ? h - v * Math.log(v) : h), 0);
  const rows = p.map((row) => row.reduce((a, b) => a + b, 0));
  const columns = p[0]!.map((_, v) => p.reduce((s, row) => s + row[v]!, 0));
  return entropy(rows) + entropy(columns) - entropy(p.flat());
}

export function randomCounts(rng: Rng, U: number, W: number): number[][] {
  const u = matrix(rng.uniform([U, W]));
  return u.map((row, i) => row.map((v, j) => Math.floor(20 * v) + (i === j ? 15 : 0) + (i === 0 && j === 1 ? 30 : 0)));
}

export async function checkInformation(call: Call, counts: Matrix, hint: string): Promise<void> {
  const expected = mutualInformationOf(counts);
  expectClose(await call(counts), expected, { what: 'I', hint }); // 32-bit floats will do
}

const information: Exercise = {
  id: 'circuit.mutualInformation',
  chapter,
  functionName: 'mutualInformation',
  title: 'mutual information from counts',
  points: 2,
  hints: [
    'What turns counts into frequencies? And what are p(u) and p(v) when you only have the table of both?',
    'Divide by the sum of all counts. p(u) is the sum of a row, p(v) the sum of a column. Add p(u, v) times the logarithm of p(u, v) over the product, for every pair that was seen.',
    'With total, row sums and column sums: a cell adds count / total · ln (count · total / (row sum · column sum)). Skip cells with count 0.',
  ],
  checks: [
    {
      name: 'is 0 for independent variables, and ln 2 for two copies of a coin',
      async run({ call }) {
        await checkInformation(call, [[2, 4, 6], [3, 6, 9]], 'rows in proportion: independent'); // prettier-ignore
        await checkInformation(call, [[5, 0], [0, 5]], '0 · ln 0 counts as 0'); // prettier-ignore
      },
    },
    {
      name: 'agrees with H(x) + H(y) − H(x, y), for tables of any shape',
      async run({ call, rng }) {
        for (const [U, W] of smallestFirst([[3, 3], [2, 5], [4, 2], [1, 3]] as const))
          await checkInformation(call, randomCounts(rng.fork(`${U} ${W}`), U, W), 'rows and columns have sums of their own');
      }, // prettier-ignore
    },
    {
      name: 'works where a value never occurs',
      run: ({ call }) => checkInformation(call, [[0, 0, 0], [3, 0, 1], [2, 0, 7]], 'skip what was never seen'), // prettier-ignore
    },
  ],
};

// circuit.spanningTree

/** Symmetric weights of [0, 1), and on the diagonal what mutual information has there: more than anywhere else. */
export function randomWeights(rng: Rng, D: number): number[][] {
  const u = matrix(rng.uniform([D, D]));
  return u.map((row, i) => row.map((_, j) => (i === j ? 2 : u[Math.min(i, j)]![Math.max(i, j)]!)));
}

/** The largest weight of all trees over D variables, of every list of parents that leads to variable 0. */
export function heaviest(weights: Matrix): number {
  const D = weights.length;
  const lists = assignments(D - 1, D).map((tail) => [-1, ...tail]);
  return Math.max(...lists.filter(isTree).map((parents) => weightOf(parents, weights)));
}

const weightOf = (parents: Vector, weights: Matrix) =>
  parents.reduce((total, parent, d) => (parent < 0 ? total : total + weights[d]![parent]!), 0);

function isTree(parents: Vector): boolean {
  return parents.every((_, d) => {
    let at = d;
    for (let step = 0; step < parents.length && at > 0; step++) at = parents[at] ?? -1;
    return at === 0;
  });
}

export async function checkTree(call: Call, weights: Matrix, wanted: number, hint: string): Promise<void> {
  const D = weights.length;
  const got = expectArray(await call(weights), { what: 'parents', length: D, hint: 'one parent a variable' });
  const parents = got.map((parent) => expectNumber(parent ?? null, { what: 'a parent' }));
  expectTrue(parents[0] === -1, 'variable 0 to be the root (−1)', String(parents[0]), hint);
  const valid = parents.slice(1).every((parent) => Number.isInteger(parent) && parent >= 0 && parent < D);
  const text = `parents ${parents.join(', ')}`;
  expectTrue(valid && isTree(parents), 'every variable to lead to variable 0', text, hint);
  expectClose(weightOf(parents, weights), wanted, { what: 'the sum of the weights', rtol: 1e-6, atol: 1e-9, hint });
}

const spanningTree: Exercise = {
  id: 'circuit.spanningTree',
  chapter,
  functionName: 'spanningTree',
  title: 'the maximum spanning tree',
  points: 3,
  hints: [
    'You have a tree over some of the variables. Which edges can make it larger by one variable, and which of them can you take without regret?',
    'Prim: keep a list of the variables inside, at first only 0. Look at every edge from inside to outside, take the heaviest, note the inside end as the parent of the outside end, and move that variable inside.',
    'Loop until all are inside. Start the search for the heaviest edge at −∞ and not at 0, so that an edge of weight 0 can win when there is no other.',
  ],
  checks: [
    {
      name: 'a chain, a star, and two variables, by hand',
      async run({ call }) {
        const chain = [[0, 5, 1, 1], [5, 0, 4, 1], [1, 4, 0, 3], [1, 1, 3, 0]]; // prettier-ignore
        await checkTree(call, chain, 12, 'edges 0–1, 1–2, 2–3');
        const star = [[0, 1, 9, 1], [1, 0, 8, 1], [9, 8, 0, 7], [1, 1, 7, 0]]; // prettier-ignore
        await checkTree(call, star, 24, 'everything hangs from 2');
        await checkTree(call, [[0, 2], [2, 0]], 2, 'one edge'); // prettier-ignore
        await checkTree(call, [[0]], 0, 'a single variable is the root');
      },
    },
    {
      name: 'is the heaviest of all trees',
      async run({ call, rng }) {
        for (let i = 0; i < 6; i++) {
          const weights = randomWeights(rng.fork(`weights ${i}`), 5);
          await checkTree(
            call,
            weights,
            heaviest(weights),
            'the diagonal is no edge; and two groups may have to be joined by a light edge, later',
          );
        }
      },
    },
    {
      name: 'an edge of weight 0 is an edge',
      async run({ call }) {
        const lonely = [[0, 3, 0], [3, 0, 0], [0, 0, 0]]; // prettier-ignore
        await checkTree(call, lonely, 3, 'variable 2 has no information on the others, and still hangs somewhere');
        await checkTree(call, [[0, 0, 0], [0, 0, 0], [0, 0, 0]], 0, 'start the search below 0'); // prettier-ignore
      },
    },
  ],
};

// circuit.sumLayer

export function sumLayerOf(a: Matrix, logW: Matrix): number[][] {
  return a.map((row) =>
    logW.map((weights) => {
      const terms = weights.map((w, j) => w + row[j]!);
      const top = Math.max(...terms);
      return top + Math.log(terms.reduce((total, term) => total + Math.exp(term - top), 0));
    }),
  );
}

export const logWeights = (rng: Rng, K: number, J: number) =>
  tf.tidy(() => tf.logSoftmax(rng.fork('weights').normal([K, J]).mul(1.5)));

export async function checkSumLayer(call: Call, a: tf.Tensor, logW: tf.Tensor, hint?: string): Promise<void> {
  const shape = [a.shape[0]!, logW.shape[0]!];
  const tolerance = { what: 'the layer', ...(hint === undefined ? {} : { hint }) };
  const got = expectTensor(await call(a, logW), { ...tolerance, shape });
  const expected = tf.tensor2d(sumLayerOf(matrix(a), matrix(logW)), shape as [number, number]);
  expectClose(got, expected, { ...tolerance, rtol: 1e-5, atol: 1e-4 });
}

const sumLayer: Exercise = {
  id: 'circuit.sumLayer',
  chapter,
  functionName: 'sumLayer',
  title: 'a layer of sums, in logarithms',
  points: 2,
  hints: [
    'Without logarithms, which one operation multiplies [B, J] with the transpose of [K, J]? What goes wrong with e to the −1000?',
    'Subtract each example’s largest input before you exponentiate, and add it back after the logarithm: it is the same factor in every term of every sum of that example.',
    'a.max over axis 1, kept, is [B, 1]. exp of (a − that) times exp(logW), transposed, is [B, K]; logarithm; plus the maximum, which broadcasts.',
  ],
  checks: [
    {
      name: 'agrees with the formula, for several sizes',
      async run({ call, rng }) {
        for (const [B, J, K] of smallestFirst([[5, 3, 4], [3, 3, 3], [1, 4, 2], [4, 1, 2], [2, 5, 1]] as const)) {
          const here = rng.fork(`${B} ${J} ${K}`);
          await checkSumLayer(call, normal(here, 'a', [B, J], 2), logWeights(here, K, J), 'the weights are logarithms');
        }
      }, // prettier-ignore
    },
    {
      name: 'equal inputs come out as they went in, since weights sum to 1',
      async run({ call, rng }) {
        const got = await call(tf.fill([2, 4], -3), logWeights(rng, 3, 4));
        expectClose(got, tf.fill([2, 3], -3), { what: 'the layer', atol: 1e-5 });
      },
    },
    {
      name: 'works around −1,000, and when examples lie far apart',
      async run({ call, rng }) {
        const far = tf.tidy(() => normal(rng, 'a', [3, 4], 3).add(tf.tensor2d([[-1000], [0], [500]])));
        await checkSumLayer(call, far, logWeights(rng, 2, 4), 'take the maximum of each example, not of the batch');
      },
    },
    {
      name: 'one input may be hundreds of nats above the others',
      async run({ call, rng }) {
        const a = tf.tensor2d([[0, -300, -700], [-900, -200, -950]]); // prettier-ignore
        await checkSumLayer(call, a, logWeights(rng, 3, 3), 'take out the largest, not the mean');
      },
    },
  ],
};

// circuit.emSum

export interface EmSumInput {
  readonly a: tf.Tensor;
  readonly logW: tf.Tensor;
  readonly asked: tf.Tensor;
  readonly alpha: number;
}

export function emSumOf({ a, logW, asked, alpha }: EmSumInput): number[] {
  const [w, f] = [vector(logW).map(Math.exp), vector(asked)];
  const J = w.length;
  const counts = w.map(() => alpha / J);
  matrix(a).forEach((row, n) => {
    const top = Math.max(...row);
    const joint = row.map((aj, j) => w[j]! * Math.exp(aj - top));
    const total = joint.reduce((x, y) => x + y, 0);
    joint.forEach((value, j) => (counts[j]! += (f[n]! * value) / total));
  });
  const total = counts.reduce((x, y) => x + y, 0);
  return counts.map((count) => Math.log(count / total));
}

export function emSumInput(rng: Rng, N: number, J: number, alpha: number): EmSumInput {
  return {
    a: normal(rng, 'a', [N, J], 2),
    logW: tf.tidy(() => logWeights(rng, 1, J).squeeze([0])),
    asked: rng.fork('asked').uniform([N]),
    alpha,
  };
}

export async function runEmSum(call: Call, { a, logW, asked, alpha }: EmSumInput, hint?: string): Promise<tf.Tensor> {
  const got = await call(a, logW, asked, alpha);
  return expectTensor(got, { what: 'the new weights', shape: logW.shape, ...(hint === undefined ? {} : { hint }) });
}

export async function checkEmSum(call: Call, input: EmSumInput, hint: string): Promise<void> {
  const got = await runEmSum(call, input, hint);
  expectClose(got, tf.tensor1d(emSumOf(input)), { what: 'the new weights (ln)', atol: 1e-4, hint });
}

const emSum: Exercise = {
  id: 'circuit.emSum',
  chapter,
  functionName: 'emSum',
  title: 'the EM step of a sum',
  points: 3,
  hints: [
    'Two questions for every example: was this sum asked at all, and if so, which input did it take? Which argument answers which?',
    'r is a softmax over the inputs of ln w + a. The count of an input is Σ f r over the examples, plus its share α / J; the new weights are the counts over their sum.',
    'softmax of a plus logW, times asked with a new last axis, summed over axis 0, plus α / J; divide by the sum and take the logarithm.',
  ],
  checks: [
    {
      name: 'agrees with the formula',
      async run({ call, rng }) {
        for (const [N, J, alpha] of [[1, 3, 1], [6, 1, 0.5], [4, 4, 2], [12, 3, 0.7]] as const)
          await checkEmSum(call, emSumInput(rng.fork(`${N} ${J}`), N, J, alpha), 'counts over their sum');
      }, // prettier-ignore
    },
    {
      name: 'an example that never asks does not count',
      async run({ call, rng }) {
        const input = emSumInput(rng, 6, 3, 0.2);
        const asked = tf.tensor1d([1, 0, 1, 0, 0, 1]);
        await checkEmSum(call, { ...input, asked }, 'multiply by asked, one number an example');
      },
    },
    {
      name: 'a sum that nobody asks gets even weights',
      async run({ call, rng }) {
        const input = { ...emSumInput(rng, 5, 4, 0.3), asked: tf.zeros([5]) };
        await checkEmSum(call, input, 'only the imaginary examples are left, α / J for each input');
      },
    },
    {
      name: 'works with inputs around −1,000, and with α = 0',
      async run({ call, rng }) {
        const input = emSumInput(rng, 8, 3, 0);
        const a = tf.tidy(() => input.a.sub(1000));
        await checkEmSum(call, { ...input, a }, 'softmax takes the largest out by itself');
      },
    },
  ],
};

// circuit.choose

export function choicesOf(weights: Vector, a: Matrix): number[][] {
  return a.map((row) => {
    const terms = row.map((aj, j) => Math.log(weights[j]!) + aj);
    const top = Math.max(...terms);
    const joint = terms.map((term) => Math.exp(term - top));
    const total = joint.reduce((x, y) => x + y, 0);
    return joint.map((value) => value / total);
  });
}

export async function checkChoices(call: Call, weights: tf.Tensor, a: tf.Tensor, hint: string): Promise<void> {
  const shape = a.shape as [number, number];
  const got = expectTensor(await call(weights, a), { what: 'the probabilities', shape, hint });
  const expected = tf.tensor2d(choicesOf(vector(weights), matrix(a)), shape);
  expectClose(got, expected, { what: 'the probabilities', atol: 1e-5, hint });
}

const choose: Exercise = {
  id: 'circuit.choose',
  chapter,
  functionName: 'choiceProbabilities',
  title: 'the bug to find',
  points: 2,
  allOrNothing: true,
  hints: [
    'Try evidence that is impossible under all inputs but the first. What should the answer be, and what does the given code say?',
    'Bayes: the prior is the weight, a probability, and a is the logarithm of the likelihood. Bring both to the same scale before you multiply, and divide by what they sum to.',
    'Add the logarithms of the weights to a. Subtract each row’s maximum from that, exponentiate, and divide by the row’s sum, kept as [B, 1].',
  ],
  checks: [
    {
      name: 'without evidence (a = 0) it is the weights',
      run: ({ call, rng }) =>
        checkChoices(call, tf.tensor1d(distribution(rng, 'w', 4)), tf.zeros([2, 4]), 'evidence of probability 1 changes nothing'), // prettier-ignore
    },
    {
      name: 'agrees with Bayes’ rule',
      async run({ call, rng }) {
        for (const [B, J] of smallestFirst([[5, 3], [3, 3], [1, 4], [3, 1]] as const)) {
          const here = rng.fork(`${B} ${J}`);
          const weights = tf.tensor1d(distribution(here, 'w', J));
          await checkChoices(call, weights, normal(here, 'a', [B, J], 2), 'w e^a over its sum');
        }
      }, // prettier-ignore
    },
    {
      name: 'evidence that is a thousand nats unlikely under all inputs',
      async run({ call, rng }) {
        const a = tf.tidy(() => normal(rng, 'a', [3, 4], 2).add(tf.tensor2d([[-1000], [0], [-4000]])));
        await checkChoices(call, tf.tensor1d(distribution(rng, 'w', 4)), a, 'subtract each row’s maximum first');
      },
    },
    {
      name: 'evidence that all inputs but one exclude',
      run: ({ call }) =>
        checkChoices(
          call,
          tf.tensor1d([0.2, 0.5, 0.3]),
          tf.tensor2d([[-3, -Infinity, -Infinity], [-Infinity, -40, -50]]),
          'e to the −∞ is 0',
        ), // prettier-ignore
    },
    {
      name: 'an input of weight 0 is never chosen, however well it explains the evidence',
      run: ({ call }) =>
        checkChoices(
          call,
          tf.tensor1d([0, 0.5, 0.5]),
          tf.tensor2d([[-1, -900, -901]]),
          'take out the largest of ln w + a: without its weight the first input drowns the others',
        ),
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  violation,
  evaluateExercise,
  information,
  spanningTree,
  sumLayer,
  emSum,
  choose,
];
