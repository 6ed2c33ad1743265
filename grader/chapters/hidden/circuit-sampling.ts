/** Chapter 4, for graders: from the root down. */
import { checkComplete, uniforms } from '../checks/circuit-sampling';
import { assignments, probabilityOf, randomNodes, type Evidence } from '../checks/circuit-units';
import { expectWithin } from '../checks/common';
import { expectTrue } from '../../exercise/compare';
import type { Check, Hidden, Mistake, Value } from '../../exercise/exercise';

const completeChecks: readonly Check[] = [
  {
    name: 'five variables, three values, other evidence',
    async run({ call, rng }) {
      const cases: readonly (readonly [number, number, Evidence])[] = [
        [5, 2, [null, 1, null, null, 0]],
        [3, 3, [null, 2, null]],
        [1, 4, [null]],
      ];
      for (const [i, [D, values, x]] of cases.entries()) {
        const nodes = randomNodes(rng.fork(`nodes ${i}`), D, values);
        for (let draw = 0; draw < 12; draw++)
          await checkComplete(
            call,
            nodes,
            x,
            uniforms(rng, `u ${i} ${draw}`, nodes),
            'every sum on the way chooses anew',
          );
      }
    },
  },
  {
    name: 'completions come as often as they are probable',
    sameForAll: true,
    async run({ call, rng }) {
      const nodes = randomNodes(rng, 3, 2);
      const draws = 400;
      const counts = new Map<string, number>();
      for (let i = 0; i < draws; i++) {
        const got = (await call(
          nodes as unknown as Value,
          [1, null, null],
          uniforms(rng, `draw ${i}`, nodes),
        )) as number[];
        expectTrue(got[0] === 1, 'x0 = 1, as it is known', String(got[0]), 'what is known comes back as it is');
        counts.set(got.join(), (counts.get(got.join()) ?? 0) + 1);
      }
      const rest = assignments(2, 2).map((tail) => [1, ...tail]);
      const total = rest.reduce((sum, row) => sum + probabilityOf(nodes, row), 0);
      for (const row of rest) {
        const p = probabilityOf(nodes, row) / total;
        const share = (counts.get(row.join()) ?? 0) / draws;
        expectWithin(share, p, Math.sqrt((p * (1 - p)) / draws), `the share of ${row.join(', ')} given x0 = 1`);
      }
    },
  },
];

const completeMistakes: readonly Mistake[] = [
  {
    name: 'evidence ignored on the way down',
    source: 'common: an unconditional sample in which what is known is written over at the end',
    replace: ' + below(child)',
    by: ' + 0 * below(child)',
  },
  {
    name: 'weights ignored',
    source: 'common: likelihood taken for posterior',
    replace: 'Math.log(unit.weights[j]!) + below(child)',
    by: 'below(child) + 0 * unit.weights[j]!',
  },
  {
    name: 'a probability times a logarithm',
    source: 'SPFlow issue 174',
    replace: 'Math.log(unit.weights[j]!) + below(child)',
    by: 'Math.log(Math.max(1e-9, -unit.weights[j]! * below(child)))',
  },
  {
    name: 'what is known is drawn again',
    source: 'common: the leaf asks its table and not the evidence',
    replace: 'else if (x[unit.variable] === null) drawn',
    by: 'else drawn',
  },
  {
    name: 'one number for all choices',
    source: 'common: choices that should be independent hang together',
    replace: 'choose(logs, u[i]!)',
    by: 'choose(logs, u[0]!)',
  },
  {
    name: 'a product asks its first child only',
    source: 'common: the other variables are never drawn',
    replace: 'unit.children.forEach(',
    by: 'unit.children.slice(0, 1).forEach(',
  },
];

export const complete: Hidden = { checks: completeChecks, mistakes: completeMistakes };
