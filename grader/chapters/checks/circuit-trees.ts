/** Chapter 4: what variables know of each other, the best tree, and what no tree can see. */
import type { Rng } from 'dgm';
import { expectArray, expectNumber, expectTrue } from '../../exercise/compare';
import type { Exercise } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { assignments, chapter, type Call } from './circuit-units';
import { matrix, smallestFirst, type Matrix, type Vector } from './common';

const add = (values: Vector) => values.reduce((a, b) => a + b, 0);

// circuit.mutualInformation

const entropy = (q: Vector) => q.reduce((h, v) => (v > 0 ? h - v * Math.log(v) : h), 0);
const rowsOf = (counts: Matrix) => counts.map(add);
const columnsOf = (counts: Matrix) => counts[0]!.map((_, v) => add(counts.map((row) => row[v]!)));

function mutualInformationOf(counts: Matrix): number {
  const total = add(counts.flat());
  const [rows, columns, all] = [rowsOf(counts), columnsOf(counts), counts.flat()].map((c) => c.map((v) => v / total));
  return Math.max(0, entropy(rows!) + entropy(columns!) - entropy(all!));
}

/** Σ count · f, over the cells that were seen. */
function overCells(counts: Matrix, f: (share: number, row: number, column: number, total: number) => number): number {
  const [rows, columns, total] = [rowsOf(counts), columnsOf(counts), add(counts.flat())];
  return add(counts.flatMap((row, u) => row.map((c, v) => (c > 0 ? f(c, rows[u]!, columns[v]!, total) : 0))));
}

const wrongInformation = (counts: Matrix): readonly KnownMistake[] => [
  { hint: 'nats: natural logarithms', answer: () => mutualInformationOf(counts) / Math.LN2 },
  { hint: 'counts are no frequencies yet: one factor N is missing in the logarithm', answer: () => overCells(counts, (c, r, k, N) => (c / N) * Math.log(c / (r * k))) },
  { hint: 'a mean over the examples: divide the count by N', answer: () => overCells(counts, (c, r, k, N) => c * Math.log((c * N) / (r * k))) },
  { hint: 'weigh each pair by how often it comes: p(u, v) stands before the logarithm, too', answer: () => overCells(counts, (c, r, k, N) => Math.log((c * N) / (r * k))) },
  { hint: 'information is at least 0: mind the sign', answer: () => -mutualInformationOf(counts) },
  { hint: 'that is the joint entropy: subtract it from the two marginal ones', answer: () => overCells(counts, (c, _, __, N) => (-c / N) * Math.log(c / N)) },
]; // prettier-ignore

/** No symmetric table, some larger than others, and one pair of values that never meets. */
export function randomCounts(rng: Rng, U: number, W: number, size = 20): number[][] {
  const u = matrix(rng.uniform([U, W]));
  const never = (i: number, j: number) => U > 1 && i === U - 1 && j === 0;
  const more = (i: number, j: number) => (i === j ? 0.75 : 0) + (i === 0 && j === 1 ? 1.5 : 0) + 0.05;
  return u.map((row, i) => row.map((v, j) => (never(i, j) ? 0 : Math.ceil(size * (v + more(i, j))))));
}

export async function checkInformation(call: Call, counts: Matrix, hint: string): Promise<void> {
  const expected = mutualInformationOf(counts);
  const what = counts.length * counts[0]!.length <= 12 ? `I of ${JSON.stringify(counts)}` : 'I';
  expectAnswer(await call(counts), expected, { what, hint }, wrongInformation(counts)); // 32-bit floats will do
}

export const information: Exercise = {
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
        const hint = 'rows and columns have sums of their own, and 0 · ln 0 counts as 0';
        for (const [U, W] of smallestFirst([
          [3, 3],
          [2, 5],
          [4, 2],
          [1, 3],
        ] as const))
          // prettier-ignore
          await checkInformation(call, randomCounts(rng.fork(`${U} ${W}`), U, W), hint);
        await checkInformation(
          call,
          randomCounts(rng.fork('many'), 3, 2, 1e6),
          'the number of examples does not matter',
        );
      },
    },
    {
      name: 'works where a value never occurs',
      run: ({ call }) => checkInformation(call, [[0, 0, 0], [3, 0, 1], [2, 0, 7]], 'skip what was never seen'), // prettier-ignore
    },
  ],
};

// circuit.spanningTree

/**
 * Symmetric weights in any unit, and on the diagonal what mutual information has there: more than anywhere else. One
 * variable is close to all others, so that no chain is the best tree; and it and variable 1 are closest to each other,
 * so that the edges from everybody to his nearest are no tree.
 */
export function randomWeights(rng: Rng, D: number, unit = 1): number[][] {
  const u = matrix(rng.uniform([D, D]));
  const hub = D - 2;
  const weight = (i: number, j: number) =>
    u[i]![j]! + (i === hub || j === hub ? 0.7 : 0) + (i === 1 && j === hub ? 1.1 : 0);
  return u.map((row, i) => row.map((_, j) => unit * (i === j ? 3 : weight(Math.min(i, j), Math.max(i, j)))));
}

/** Every list of parents of D variables that leads to variable 0. */
const treesOver = (D: number) =>
  assignments(D - 1, D)
    .map((tail) => [-1, ...tail])
    .filter(isTree);

/** The largest weight of all trees. */
export function heaviest(weights: Matrix): number {
  return Math.max(...treesOver(weights.length).map((parents) => weightOf(parents, weights)));
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

/** Weights of other trees that one may end with. */
function wrongTrees(weights: Matrix): readonly KnownMistake[] {
  const D = weights.length;
  const nearest = (taken: readonly number[], from: number) => {
    const free = Array.from({ length: D }, (_, d) => d).filter((d) => !taken.includes(d));
    return free.reduce((a, b) => (weights[from]![b]! > weights[from]![a]! ? b : a));
  };
  const chain = () => {
    const way = [0];
    while (way.length < D) way.push(nearest(way, way.at(-1)!));
    return add(way.slice(1).map((d, i) => weights[way[i]!]![d]!));
  };
  return [
    { hint: 'this is the lightest tree', answer: () => Math.min(...treesOver(D).map((p) => weightOf(p, weights))) },
    { hint: 'a chain: an edge may start at every variable inside, not only at the newest', answer: chain },
    { hint: 'not everything has to hang from variable 0: it is only where the search begins', answer: () => add(weights[0]!.slice(1)) },
  ]; // prettier-ignore
}

export async function checkTree(call: Call, weights: Matrix, wanted: number, hint: string): Promise<void> {
  const D = weights.length;
  const got = expectArray(await call(weights), { what: 'parents', length: D, hint: 'one parent a variable' });
  const parents = got.map((parent) => expectNumber(parent ?? null, { what: 'a parent' }));
  expectTrue(parents[0] === -1, 'variable 0 to be the root (−1)', String(parents[0]), hint);
  const valid = parents.slice(1).every((parent) => Number.isInteger(parent) && parent >= 0 && parent < D);
  const text = `parents ${parents.join(', ')}`;
  expectTrue(valid && isTree(parents), 'every variable to lead to variable 0', text, hint);
  const tolerance = { what: `the sum of the weights along ${text}`, rtol: 1e-6, atol: 1e-9 * wanted, hint };
  expectAnswer(weightOf(parents, weights), wanted, tolerance, D > 5 ? [] : wrongTrees(weights));
}

export const spanningTree: Exercise = {
  id: 'circuit.spanningTree',
  chapter,
  functionName: 'spanningTree',
  title: 'the maximum spanning tree',
  points: 3,
  library: ['dgm.maximumSpanningTree'],
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
        const hint = 'the diagonal is no edge; and two groups may have to be joined by a light edge, later';
        for (const [i, unit] of [1, 1, 1, 1e-4, 1e4].entries()) {
          const weights = randomWeights(rng.fork(`weights ${i}`), 4 + (i % 2), unit);
          await checkTree(call, weights, heaviest(weights), hint);
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

// circuit.predictedKl

const WORLDS: Readonly<Record<string, (x: Vector) => number>> = {
  independent: () => 1,
  copies: (x) => (x.every((v) => v === x[0]) ? 1 : 0),
  'even parity': (x) => (add(x) % 2 === 0 ? 1 : 0),
};

/** KL of a world of coins to a model of it, by summing over all of its states. */
function klOf(world: string, model: string, coins: number): number {
  const states = assignments(coins, 2);
  const weights = states.map(WORLDS[world]!);
  const p = weights.map((w) => w / add(weights));
  const marginal = (which: readonly (readonly [number, number])[]) =>
    add(states.map((x, i) => (which.every(([d, v]) => x[d] === v) ? p[i]! : 0)));
  // every pair of coins is like every other, so any tree is as good as the best: a chain
  const factor = (x: Vector, d: number) =>
    model === 'histogram' || d === 0 ? marginal([[d, x[d]!]]) : marginal([[d - 1, x[d - 1]!], [d, x[d]!]]) / marginal([[d - 1, x[d - 1]!]]); // prettier-ignore
  const log = (x: Vector) => add(x.map((_, d) => Math.log(factor(x, d))));
  return Math.max(0, add(states.map((x, i) => (p[i]! > 0 ? p[i]! * (Math.log(p[i]!) - log(x)) : 0))));
}

export async function checkPredictedKl(call: Call, world: string, model: string, coins: number, hint?: string) {
  const what = `KL of ${coins} coins ('${world}') to the ${model}`;
  const about = { what, ...(hint !== undefined && { hint }) };
  const got = expectNumber(await call(world, model, coins), about);
  const H = coins * Math.LN2;
  const expected = klOf(world, model, coins);
  const mistakes: KnownMistake[] = [
    { hint: 'in nats: a coin has ln 2 of them', answer: () => expected / Math.LN2 },
    { hint: 'that is what the other model pays', answer: () => klOf(world, model === 'tree' ? 'histogram' : 'tree', coins) },
    { hint: 'that is the entropy of so many fair coins: KL is what the model’s code is longer than the world’s own', answer: () => H },
    { hint: 'that is the entropy of the world itself: KL is what the model’s code is longer than that', answer: () => (world === 'copies' ? Math.LN2 : H - (world === 'even parity' ? Math.LN2 : 0)) },
    { hint: 'every edge of the tree joins two coins that know nothing of each other: what can it gain?', answer: () => 0 },
  ]; // prettier-ignore
  expectAnswer(got, expected, { ...about, rtol: 1e-3, atol: 1e-3 }, mistakes);
}

export const predictedKl: Exercise = {
  id: 'circuit.predictedKl',
  chapter,
  functionName: 'predictedKl',
  title: 'predict: what a model pays for a world of coins',
  points: 1,
  allOrNothing: true,
  hints: [
    'How many states has each world, all equally probable? How many nats does its own code need, and how many the histogram’s?',
    'KL = (the model’s code) − H. The histogram always needs a ln 2 for each coin. Each edge of a tree saves the mutual information of its two ends.',
    'Independent: nothing to pay. Copies: H is one ln 2, and an edge saves a whole ln 2. Even parity: H is one ln 2 less than the histogram’s code; is there a pair of coins that knows of each other? With two coins: what is even parity then?',
  ],
  checks: [
    {
      name: 'eight coins of even parity, as in the table',
      async run({ call }) {
        await checkPredictedKl(call, 'even parity', 'histogram', 8);
        await checkPredictedKl(call, 'even parity', 'tree', 8);
      },
    },
    {
      name: 'eight copies of a coin, and eight that are independent',
      async run({ call }) {
        for (const world of ['copies', 'independent'])
          for (const model of ['histogram', 'tree']) await checkPredictedKl(call, world, model, 8);
      },
    },
    {
      name: 'two coins',
      async run({ call }) {
        const hint = 'two coins of even parity are copies';
        for (const model of ['histogram', 'tree']) await checkPredictedKl(call, 'even parity', model, 2, hint);
      },
    },
  ],
};
