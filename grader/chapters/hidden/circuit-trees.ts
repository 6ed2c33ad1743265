/** Chapter 4, for graders: what variables know of each other, the best tree, and what no tree can see. */
import { permutation } from 'dgm';
import {
  checkInformation,
  checkPredictedKl,
  checkTree,
  heaviest,
  randomCounts,
  randomWeights,
} from '../checks/circuit-trees';
import { expectClose, expectNumber } from '../../exercise/compare';
import type { Check, Hidden, Mistake } from '../../exercise/exercise';

const informationChecks: readonly Check[] = [
  {
    name: 'is the same for the transposed table, and for ten times the counts',
    law: true,
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
      const order = [...permutation(6, rng.fork('order'))];
      const renumbered = order.map((i) => order.map((j) => weights[i]![j]!));
      for (const each of [weights, renumbered])
        await checkTree(call, each, heaviest(weights), 'only the root depends on the numbering');
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

const predictedKlChecks: readonly Check[] = [
  {
    name: 'three, five and nine coins',
    async run({ call }) {
      for (const coins of [3, 5, 9])
        for (const world of ['even parity', 'copies', 'independent'])
          for (const model of ['tree', 'histogram']) await checkPredictedKl(call, world, model, coins);
    },
  },
];

const predictedKlMistakes: readonly Mistake[] = [
  {
    name: 'a tree is trusted with everything',
    source: 'common: the tree as the right answer for any dependence',
    replace: 'coins === 2 ? Math.LN2 : 0',
    by: 'Math.LN2',
  },
  {
    name: 'two coins are as many',
    source: 'common: with two coins parity is a pair',
    replace: 'coins === 2 ? Math.LN2 : 0',
    by: '0 * coins',
  },
  {
    name: 'bits',
    source: 'common: a coin has one bit and ln 2 nats',
    replace: 'return total - (model',
    by: 'return total / Math.LN2 - (model',
  },
  {
    name: 'an edge for every coin',
    source: 'common: a tree over D variables has D − 1 edges',
    replace: '(coins - 1) * pairs',
    by: 'coins * pairs',
  },
];

export const information: Hidden = { checks: informationChecks, mistakes: informationMistakes };
export const spanningTree: Hidden = { checks: treeChecks, mistakes: treeMistakes };
export const predictedKl: Hidden = { checks: predictedKlChecks, mistakes: predictedKlMistakes };
