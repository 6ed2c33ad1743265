/** Chapter 4, for graders: hidden checks by other inputs and other laws, and the known mistakes. */
import * as tf from '@tensorflow/tfjs';
import { permutation } from 'dgm';
import {
  assignments,
  checkChoices,
  checkEmSum,
  checkEvaluate,
  checkInformation,
  checkSumLayer,
  checkTree,
  checkViolation,
  distribution,
  emSumInput,
  logWeights,
  normal,
  probabilityOf,
  randomCounts,
  randomNodes,
  randomWeights,
  runEmSum,
  type Node,
} from '../checks/04-circuits';
import { expectClose, expectNumber, expectTensor } from '../../exercise/compare';
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

const informationChecks: readonly Check[] = [
  {
    name: 'is the same for the transposed table, and for ten times the counts',
    async run({ call, rng }) {
      const counts = randomCounts(rng, 3, 4);
      const here = expectNumber(await call(counts), { what: 'I' });
      const transposed = counts[0]!.map((_, v) => counts.map((row) => row[v]!));
      expectClose(await call(transposed), here, { what: 'I of the transposed table' });
      const more = counts.map((row) => row.map((count) => 10 * count));
      expectClose(await call(more), here, { what: 'I of ten times the counts' });
    },
  },
  {
    name: 'agrees with the entropies for seventeen values',
    run: ({ call, rng }) => checkInformation(call, randomCounts(rng, 17, 17), 'frequencies, row sums, column sums'),
  },
];

const informationMistakes: readonly Mistake[] = [
  {
    name: 'counts for frequencies in the logarithm',
    source: 'common: N is missing once',
    replace: 'Math.log((count * total) /',
    by: 'Math.log(count /',
  },
  {
    name: 'the marginals of one axis twice',
    source: 'common: no symmetric table shows it',
    replace: 'ofRow[u]! * ofColumn[v]!',
    by: 'ofRow[u]! * (ofRow[v] ?? 1)',
  },
  {
    name: '0 · ln 0',
    source: 'common: NaN',
    replace: 'if (count > 0) ',
    by: '',
  },
  {
    name: 'bits',
    source: 'common: log2 in place of ln',
    replace: 'Math.log(',
    by: 'Math.log2(',
  },
];

const treeChecks: readonly Check[] = [
  {
    name: 'variables in another order: another numbering of a tree of the same weight',
    async run({ call, rng }) {
      const weights = randomWeights(rng, 6);
      const parents = (await call(weights)) as number[];
      const total = parents.reduce((sum, parent, d) => (parent < 0 ? sum : sum + weights[d]![parent]!), 0);
      const order = [...permutation(6, rng.fork('order'))];
      await checkTree(call, order.map((i) => order.map((j) => weights[i]![j]!)), total, 'only the root depends on the numbering'); // prettier-ignore
    },
  },
  {
    name: 'two strong pairs and a weak bridge',
    run: ({ call }) =>
      checkTree(
        call,
        [
          [0, 0.1, 9, 0.2],
          [0.1, 0, 0.3, 8],
          [9, 0.3, 0, 0],
          [0.2, 8, 0, 0],
        ],
        17.3,
        'join the pairs by the heaviest bridge',
      ),
  },
];

const treeMistakes: readonly Mistake[] = [
  {
    name: 'the lightest tree',
    source: 'common: a minimum spanning tree where the weights were not negated',
    replace: 'weight > best.weight',
    by: '(best.to < 0 || weight < best.weight)',
  },
  {
    name: 'an edge of weight 0 is none',
    source: 'SPFlow issue 74: variables without information are lost',
    replace: 'weight: -Infinity, from',
    by: 'weight: 0, from',
  },
  {
    name: 'each variable joined to its best neighbour, whoever that is',
    source: 'common: two variables that prefer each other make a cycle (compare pyBN issue 21)',
    replace: 'parents[best.to] = best.from',
    by: 'parents[best.to] = weights[best.to]!.reduce((b, w, j, row) => (j !== best.to && w > (b === best.to ? -1 : row[b]!) ? j : b), best.to === 0 ? 1 : 0)',
  },
  {
    name: 'a chain: only the newest variable grows',
    source: 'common: nearest neighbour in place of Prim',
    replace: 'for (const from of inside)',
    by: 'for (const from of inside.slice(-1))',
  },
  {
    name: 'each variable hangs from the heaviest place of its row, the diagonal among them',
    source: 'common: mutual information has the entropies on its diagonal, and they are the largest',
    replace: 'return parents;',
    by: 'return parents.map((parent, d) => (parent < 0 || weights[d]![parent]! > weights[d]![d]! ? parent : d));',
  },
];

const sumLayerChecks: readonly Check[] = [
  {
    name: 'a number added to an example is added to its sums; inputs in another order change nothing',
    async run({ call, rng }) {
      const [a, logW] = [normal(rng, 'a', [4, 5], 2), logWeights(rng, 3, 5)];
      const here = expectTensor(await call(a, logW), { what: 'the layer', shape: [4, 3] });
      const added = normal(rng, 'added', [4, 1], 30);
      expectClose(await call(a.add(added), logW), here.add(added), { what: 'the layer', rtol: 1e-4, atol: 1e-4 });
      const order = tf.tensor1d(permutation(5, rng.fork('order')), 'int32');
      const other = await call(tf.gather(a, order, 1), tf.gather(logW, order, 1));
      expectClose(other, here, { what: 'the layer in another order', atol: 1e-4 });
    },
  },
  {
    name: 'agrees with the formula for 200 examples and 16 units',
    run: ({ call, rng }) => checkSumLayer(call, normal(rng, 'a', [200, 16], 5), logWeights(rng, 16, 16)),
  },
];

const sumLayerMistakes: readonly Mistake[] = [
  { name: 'no shift', source: 'common: underflow', replace: 'a.sub(top).exp()', by: 'a.exp().mul(top.neg().exp())' },
  {
    name: 'one maximum for the whole batch',
    source: 'common: examples far below it underflow',
    replace: 'a.max(1, true)',
    by: 'a.max()',
  },
  {
    name: 'logarithms of weights taken for weights',
    source: 'common',
    replace: 'matMul(logW.exp(),',
    by: 'matMul(logW.neg(),',
  },
  {
    name: 'the maximum is not added back',
    source: 'common',
    replace: 'sums.log().add(top)',
    by: 'sums.log()',
  },
  {
    name: 'the mean taken out in place of the maximum',
    source: 'common: overflows when inputs lie far apart',
    replace: 'a.max(1, true)',
    by: 'a.mean(1, true)',
  },
];

const emSumChecks: readonly Check[] = [
  {
    name: 'twice the examples and twice α give the same weights; a number added to an example changes nothing',
    async run({ call, rng }) {
      const input = emSumInput(rng, 10, 4, 0.6);
      const once = await runEmSum(call, input);
      const [a, asked] = [tf.concat([input.a, input.a]), tf.concat([input.asked, input.asked])];
      const twice = await runEmSum(call, { ...input, a, asked, alpha: 1.2 });
      expectClose(twice, once, { what: 'the weights of twice the data', atol: 1e-4 });
      const moved = await runEmSum(call, { ...input, a: input.a.add(normal(rng, 'moved', [10, 1], 50)) });
      expectClose(moved, once, { what: 'the weights of moved inputs', atol: 1e-3 });
      expectClose(once.exp().sum(), tf.scalar(1), { what: 'Σ w', atol: 1e-5 });
    },
  },
  {
    name: 'agrees with the formula for 300 examples and 16 inputs',
    run: ({ call, rng }) => checkEmSum(call, emSumInput(rng, 300, 16, 3), 'counts over their sum'),
  },
];

const emSumMistakes: readonly Mistake[] = [
  {
    name: 'every example counts fully',
    source: 'common: the sum may not be on the example’s way at all',
    replace: 'r.mul(asked.expandDims(1))',
    by: 'r',
  },
  {
    name: 'the old weights left out',
    source: 'common: likelihood taken for posterior',
    replace: 'tf.softmax(a.add(logW))',
    by: 'tf.softmax(a)',
  },
  {
    name: 'α for every input, not shared',
    source: 'common: J times as much smoothing',
    replace: 'alpha / logW.shape[0]!',
    by: 'alpha',
  },
  {
    name: 'not normalised: divided by the number of examples',
    source: 'common: right only if every example asks, and α is 0',
    replace: 'smoothed.div(smoothed.sum())',
    by: 'smoothed.div(a.shape[0]!)',
  },
  {
    name: 'probabilities in place of logarithms',
    source: 'common',
    replace: '.div(smoothed.sum()).log()',
    by: '.div(smoothed.sum())',
  },
];

const chooseChecks: readonly Check[] = [
  {
    name: 'a number added to a row of evidence changes nothing, and rows sum to 1',
    async run({ call, rng }) {
      const weights = tf.tensor1d(distribution(rng, 'w', 5));
      const a = normal(rng, 'a', [6, 5], 3);
      const here = expectTensor(await call(weights, a), { what: 'the probabilities', shape: [6, 5] });
      const moved = await call(weights, a.add(normal(rng, 'rows', [6, 1], 200)));
      expectClose(moved, here, { what: 'the probabilities of moved evidence', atol: 1e-3 });
      expectClose(here.sum(1), tf.ones([6]), { what: 'row sums', atol: 1e-5 });
    },
  },
  {
    name: 'a weight of 0 is never chosen, and 100 rows of 16 agree with Bayes',
    async run({ call, rng }) {
      await checkChoices(call, tf.tensor1d([0, 1]), tf.tensor2d([[-1, -9]]), 'a prior of 0 stays 0');
      const weights = tf.tensor1d(distribution(rng, 'w', 16));
      await checkChoices(call, weights, normal(rng, 'a', [100, 16], 4), 'w e^a over its sum');
    },
  },
];

const chooseMistakes: readonly Mistake[] = [
  {
    name: 'a probability times a logarithm, normalised',
    source: 'SPFlow issue 174, half repaired',
    replace: 'joint.sub(joint.max(1, true)).exp()',
    by: 'weights.mul(a).add(tf.zerosLike(joint))',
  },
  {
    name: 'not normalised',
    source: 'SPFlow issue 174, half repaired',
    replace: 'shares.div(shares.sum(1, true))',
    by: 'shares',
  },
  {
    name: 'evidence ignored',
    source: 'common: the prior in place of the posterior',
    replace: 'a.add(weights.log())',
    by: 'tf.zerosLike(a).add(weights.log())',
  },
  {
    name: 'no maximum taken out',
    source: 'common: 0 / 0 for unlikely evidence',
    replace: 'joint.sub(joint.max(1, true))',
    by: 'joint',
  },
  {
    name: 'the largest taken out before the weights',
    source: 'common: 0 / 0 where the input that explains the evidence best has the weight 0',
    replace: 'joint.max(1, true)',
    by: 'a.max(1, true)',
  },
  {
    name: 'one maximum for the batch',
    source: 'common: 0 / 0 for the rows far below it',
    replace: 'joint.max(1, true)',
    by: 'joint.max()',
  },
  {
    name: 'normalised over the batch',
    source: 'common: wrong axis',
    replace: 'shares.sum(1, true)',
    by: 'shares.sum(0, true)',
  },
];

export const hidden: Readonly<Record<string, Hidden>> = {
  'circuit.violation': { checks: violationChecks, mistakes: violationMistakes },
  'circuit.evaluate': { checks: evaluateChecks, mistakes: evaluateMistakes },
  'circuit.mutualInformation': { checks: informationChecks, mistakes: informationMistakes },
  'circuit.spanningTree': { checks: treeChecks, mistakes: treeMistakes },
  'circuit.sumLayer': { checks: sumLayerChecks, mistakes: sumLayerMistakes },
  'circuit.emSum': { checks: emSumChecks, mistakes: emSumMistakes },
  'circuit.choose': { checks: chooseChecks, mistakes: chooseMistakes },
};
