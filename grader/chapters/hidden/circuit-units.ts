/** Chapter 4, for graders: circuits node by node. */
import {
  assignments,
  checkEvaluate,
  checkViolation,
  probabilityOf,
  randomNodes,
  type Node,
} from '../checks/circuit-units';
import { expectClose, expectNumber } from '../../exercise/compare';
import type { Check, Hidden, Mistake, Value } from '../../exercise/exercise';

const violationChecks: readonly Check[] = [
  {
    name: 'a circuit of many nodes is right until one leaf is given another variable',
    async run({ call, rng }) {
      const nodes = randomNodes(rng, 5, 2);
      await checkViolation(call, nodes, -1, 'this circuit is smooth and decomposable');
      const moved = nodes.findIndex((node) => node.kind === 'leaf');
      const spoilt = nodes.map((node, i): Node => {
        return i === moved && node.kind === 'leaf' ? { ...node, variable: (node.variable + 1) % 5 } : node;
      });
      const parent = spoilt.findIndex((node) => node.kind !== 'leaf' && node.children.includes(moved));
      await checkViolation(call, spoilt, parent, 'the sum above a leaf of another variable is not smooth');
    },
  },
  {
    name: 'only a child’s child is shared, and nodes of one child are fine',
    async run({ call }) {
      const leaf = (variable: number): Node => ({ kind: 'leaf', variable, p: [1] });
      const sum = (child: number): Node => ({ kind: 'sum', children: [child], weights: [1] });
      const nodes: Node[] = [leaf(7), sum(0), leaf(3), sum(2), { kind: 'product', children: [1, 3] }];
      await checkViolation(call, nodes, -1, 'variables need not be 0, 1, 2, …');
      const deeper: Node[] = [...nodes, sum(1), { kind: 'product', children: [4, 5] }];
      await checkViolation(call, deeper, 6, 'the shared variable is two levels down');
      const wide: Node[] = [leaf(3), leaf(35), { kind: 'product', children: [0, 1] }];
      await checkViolation(call, wide, -1, 'variables 3 and 35 are different');
      const product = (...children: number[]): Node => ({ kind: 'product', children });
      const digits = [leaf(1), leaf(1112), leaf(11), leaf(112), product(0, 1), product(2, 3)];
      const mixed: Node[] = [...digits, { kind: 'sum', children: [4, 5], weights: [0.5, 0.5] }];
      await checkViolation(call, mixed, 6, 'the scopes {1, 1112} and {11, 112} are different');
    },
  },
];

const violationMistakes: readonly Mistake[] = [
  {
    name: 'children compared instead of scopes',
    source: 'common: two different nodes may be over the same variable',
    replace: 'below.reduce((sum, scope) => sum + scope.size, 0) === all.size',
    by: 'new Set(unit.children).size === unit.children.length',
  },
  {
    name: 'smoothness by the size of the first scope only',
    source: 'common: a scope within another passes',
    replace: 'below.every((scope) => scope.size === all.size)',
    by: 'below[0]!.size === all.size',
  },
  {
    name: 'the rules exchanged',
    source: 'common: sums want equal scopes, products disjoint ones',
    replace: "unit.kind === 'product' ? !disjoint : !equal",
    by: "unit.kind === 'sum' ? !disjoint : !equal",
  },
  {
    name: 'the scope of a node is its last child’s',
    source: 'common: overlaps further down go unseen',
    replace: 'scopes.push(all)',
    by: 'scopes.push(below.at(-1)!)',
  },
  {
    name: 'two children at most',
    source: 'common: the third child of a sum is never looked at',
    replace: 'below.every((scope) => scope.size === all.size)',
    by: 'below.slice(0, 2).every((scope) => scope.size === new Set(below.slice(0, 2).flatMap((s) => [...s])).size)',
  },
  {
    name: 'a child that comes twice counts once',
    source: 'common: the children made a set before their scopes are compared',
    replace: 'unit.children.map((child) => scopes[child]!)',
    by: '[...new Set(unit.children)].map((child) => scopes[child]!)',
  },
  {
    name: 'scopes as 32-bit masks',
    source: 'common: 1 << 35 is 1 << 3',
    replace: 'new Set([unit.variable])',
    by: 'new Set([unit.variable % 32])',
  },
];

const evaluateChecks: readonly Check[] = [
  {
    name: 'the chain rule: ln p(x) = ln p(x0) + ln p(x | x0), and probabilities sum to 1',
    async run({ call, rng }) {
      const nodes = randomNodes(rng, 3, 3);
      const ask = async (x: readonly (number | null)[]) =>
        expectNumber(await call(nodes as unknown as Value, x), { what: 'ln p' });
      let total = 0;
      for (const x of assignments(3, 3)) total += Math.exp(await ask(x));
      expectClose(total, 1, { what: 'Σ p' });
      const first = await ask([1, null, null]);
      let rest = 0;
      for (const [b, c] of assignments(2, 3)) rest += Math.exp((await ask([1, b!, c!])) - first);
      expectClose(rest, 1, { what: 'Σ p(x1, x2 | x0 = 1)' });
    },
  },
  {
    name: 'five variables: full assignments and marginals',
    async run({ call, rng }) {
      const nodes = randomNodes(rng, 5, 2);
      const queries: (number | null)[][] = [
        [0, 1, 0, 1, 1],
        [null, 0, null, 1, null],
        [1, null, null, null, 0],
      ];
      for (const x of queries) await checkEvaluate(call, nodes, x, 2, 'null sums a variable out');
      const direct = Math.log(probabilityOf(nodes, [1, 1, 1, 0, 0]));
      expectClose(await call(nodes as unknown as Value, [1, 1, 1, 0, 0]), direct, { what: 'ln p' });
    },
  },
];

const evaluateMistakes: readonly Mistake[] = [
  {
    name: 'the maximum in place of the sum',
    source: 'ProbabilisticCircuits.jl issue 107: right for deterministic circuits only',
    replace: 'largest + Math.log(total)',
    by: 'largest + 0 * total',
  },
  {
    name: 'a missing value counts as value 0',
    source: 'common: imputing instead of marginalising',
    replace: 'seen === null ? 0 : Math.log(unit.p[seen]!)',
    by: 'Math.log(unit.p[seen ?? 0]!)',
  },
  {
    name: 'a missing value gets the mean of the table',
    source: 'common: the leaf’s sum is 1, its mean is 1 / V',
    replace: 'seen === null ? 0 :',
    by: 'seen === null ? -Math.log(unit.p.length) :',
  },
  {
    name: 'no weights',
    source: 'common',
    replace: 'Math.log(unit.weights[j]!) + logs[child]!',
    by: 'logs[child]! - Math.log(unit.children.length) + 0 * j',
  },
  {
    name: 'no largest term taken out',
    source: 'common: underflow',
    replace: 'largest === -Infinity ? -Infinity : largest + Math.log(total)',
    by: 'Math.log(terms.reduce((sum, term) => sum + Math.exp(term), 0) + 0 * total)',
  },
  {
    name: '−∞ − (−∞)',
    source: 'common: NaN where nothing is possible',
    replace: 'largest === -Infinity ? -Infinity : largest',
    by: 'largest',
  },
  {
    name: 'the largest input taken out, whatever its weight',
    source: 'common: an input of weight 0 far above the others leaves ln 0',
    replace: 'terms.reduce((a, b) => Math.max(a, b))',
    by: 'unit.children.reduce((a, child) => Math.max(a, logs[child]!), -Infinity)',
  },
];

export const violation: Hidden = { checks: violationChecks, mistakes: violationMistakes };
export const evaluate: Hidden = { checks: evaluateChecks, mistakes: evaluateMistakes };
