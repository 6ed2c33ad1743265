import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { beforeAll, describe, expect, test } from 'vitest';
import { compiled } from '../../lib/engine/call/compiled-function';
import { sizeOf, type Node, type Value } from '../../lib/engine/graph/graph';
import { fusions, rewrites } from '../../lib/engine/graph/rewrites';
import {
  alike,
  beforeReshapes,
  beforeSpreading,
  filled,
  input,
  output,
  pairs,
  reshaped,
  spread,
  times,
  type Rewrite,
  type Rule,
  type Workbench,
} from '../../lib/engine/graph/workbench';
import { read } from '../helpers';
import { holds } from './random/law';
import { laws, type Law } from './random/rewrite-laws';

// Every rule has a law: on random graphs that it matches, and on graphs that it all but matches, what it makes computes
// what was there before, whatever the shapes and numbers. More of them for each rule: DGM_GRAPHS_PER_RULE=10000; others:
// DGM_GRAPHS_SEED=2.

beforeAll(() => tf.setBackend('cpu'));

const rules = [...rewrites, ...fusions];
const MATCHES = 1000;
const perRule = process.env['DGM_GRAPHS_PER_RULE'];
const [matches, nearMisses] = [Number(perRule ?? MATCHES), Number(perRule ?? 400)];
const first = 10_000 * (Number(process.env['DGM_GRAPHS_SEED'] ?? 1) - 1);
const patience = 60_000 + 60 * matches;

test('every law belongs to a rule', () =>
  expect(Object.keys(laws).sort()).toEqual(rules.map(({ name }) => name).sort()));

describe.each(rules)('$name:', (rule) => {
  const { match, near, roundings = 0 } = laws[rule.name]!;
  const law = (make: Law['match'], count: number) => holds(rule, make, roundings, count, first);
  test('what matches', () => expect(law(match, matches)).toBeGreaterThan(0.8 * matches), patience);
  test('near misses', () => expect(() => law(near, nearMisses)).not.toThrow(), patience);
});

// Rules with a condition forgotten: the law of each finds it

const swapsAny = (perm: readonly number[]) => perm.length > 1 && perm.some((axis, i) => axis !== i);

/** The nodes of these kernels that make a value, backwards from it, whatever the shapes in between. */
function chain(value: Value, kernels: readonly string[], bench: Workbench): Node[] | undefined {
  const nodes: Node[] = [];
  let x = value;
  for (const kernel of kernels) {
    const made = bench.maker(beforeReshapes(x, bench));
    if (made?.kernel !== kernel) return undefined;
    nodes.push(made);
    x = input(made, 'x');
  }
  return nodes;
}

const mutants: Readonly<Record<string, Readonly<Record<string, Rewrite>>>> = {
  'a cast to the type it has is nothing': { 'from any type': (node) => input(node, 'x') },
  'reshapes in a row are one': {
    'past a transpose': (node, bench) => {
      const made = bench.maker(input(node, 'x'));
      return made?.kernel === 'Transpose' ? reshaped(input(made, 'x'), output(node).shape, bench) : undefined;
    },
  },
  'rows are spread after a reshape': {
    'of any rank, as it was': (node, bench) => {
      const { shape } = output(node);
      const narrow = beforeSpreading(input(node, 'x'), bench);
      if (!narrow || sizeOf(narrow.shape) !== shape[0] || narrow.shape[0] !== shape[0]) return undefined;
      return spread(reshaped(narrow, [shape[0], ...shape.slice(1).map(() => 1)], bench), shape, bench);
    },
  },
  'transposes in a row are one': {
    'in the other order': (node, bench) => {
      const made = bench.maker(input(node, 'x'));
      if (made?.kernel !== 'Transpose') return undefined;
      const [first, second] = [made, node].map(({ attrs }) => attrs['perm'] as readonly number[]);
      const perm = first!.map((axis) => second![axis]!);
      return bench.emit('Transpose', { x: input(made, 'x') }, { perm }, output(node));
    },
  },
  'a transpose that moves no number is a reshape': {
    'always': (node, bench) => reshaped(input(node, 'x'), output(node).shape, bench), // prettier-ignore
  },
  'a product takes transposed matrices': {
    'whatever was transposed': (node, bench) => {
      const made = bench.maker(input(node, 'a'));
      if (made?.kernel !== 'Transpose' || !swapsAny(made.attrs['perm'] as number[])) return undefined;
      const attrs = { ...node.attrs, transposeA: node.attrs['transposeA'] !== true };
      if (String(input(made, 'x').shape) !== String(input(node, 'a').shape)) return undefined;
      return bench.emit('BatchMatMul', { ...node.inputs, a: input(made, 'x') }, attrs, output(node));
    },
  },
  'known numbers are computed': {
    'of integers, too': (node, bench) => {
      const [a, b] = ['a', 'b'].map((name) => node.inputs[name] && bench.uniform(input(node, name)));
      if (a === undefined || b === undefined || node.kernel !== 'Add') return undefined;
      return filled(Math.fround(a + b), { ...output(node), dtype: 'float32' }, bench);
    },
  },
  'a neutral operand falls away': {
    'x + 0, as it was': (node, bench) =>
      node.kernel === 'Add'
        ? pairs(node).find(([x, other]) => bench.uniform(other) === 0 && alike(x, output(node)))?.[0]
        : undefined,
    '0 − x': (node, bench) =>
      node.kernel === 'Sub'
        ? pairs(node).find(([x, other]) => bench.uniform(other) === 0 && alike(x, output(node)))?.[0]
        : undefined,
    'of a smaller shape': (node, bench) =>
      node.kernel === 'Multiply' ? pairs(node).find(([, other]) => bench.uniform(other) === 1)?.[0] : undefined,
  },
  'known factors of spread values are spread': {
    'over the shape of the value': (node, bench) => {
      const [x, by] = pairs(node).find(([, other]) => bench.uniform(other) !== undefined) ?? [];
      const narrow = x && node.kernel === 'Multiply' ? beforeSpreading(x, bench) : undefined;
      return narrow ? times(narrow, bench.uniform(by!)!, bench) : undefined;
    },
  },
  'known factors are one': {
    'even where that overflows, as it was': (node, bench) => {
      if (node.kernel !== 'Multiply') return undefined;
      const [x, by] = pairs(node).find(([, other]) => bench.uniform(other) !== undefined) ?? [];
      const made = x && bench.maker(x);
      if (made?.kernel !== 'Multiply' || !alike(x!, output(node))) return undefined;
      const [from, factor] = pairs(made).find(([, other]) => bench.uniform(other) !== undefined) ?? [];
      const both = Math.fround(bench.uniform(factor ?? x!)! * bench.uniform(by!)!);
      return from && alike(from, x!) && Math.abs(both) < 1e30 ? times(from, both, bench) : undefined;
    },
  },
  'a division by a power of two is a product': {
    'by any number': (node, bench) => {
      const by = bench.uniform(input(node, 'b'));
      return by !== undefined && alike(input(node, 'a'), output(node)) && by !== 0
        ? times(input(node, 'a'), 1 / by, bench)
        : undefined;
    },
  },
  'log-softmax by hand is one operation': {
    'whatever the shapes, as it was': (node, bench) => {
      const shift = bench.maker(input(node, 'a'));
      const [, total] = chain(input(node, 'b'), ['Log', 'Sum', 'Exp'], bench) ?? [];
      const x = shift?.kernel === 'Sub' ? input(shift, 'a') : undefined;
      const [max] = (shift && x && chain(input(shift, 'b'), ['Max'], bench)) ?? [];
      if (!total || !max || !x || !alike(x, output(node))) return undefined;
      const isOfRows = (axes: unknown) => ['-1', String(x.shape.length - 1)].includes(String(axes));
      if (!isOfRows(max.attrs['reductionIndices']) || !isOfRows(total.attrs['axis'])) return undefined;
      return bench.emit('LogSoftmax', { logits: x }, { axis: x.shape.length - 1 }, x);
    },
  },
  'what broadcasts needs no spreading': {
    'even where the other does not have the shape': (node, bench) => {
      const narrow = beforeSpreading(input(node, 'a'), bench);
      return narrow ? bench.emit(node.kernel, { ...node.inputs, a: narrow }, node.attrs, output(node)) : undefined;
    },
  },
  'a sum of one term is the term': {
    'of none, too': (node, bench) => (sizeOf(input(node, 'x').shape) <= 1 ? filled(1, output(node), bench) : undefined),
  },
  'a sum of equal terms is a product': {
    'of no terms, too': (node, bench) => {
      const number = bench.uniform(input(node, 'x'));
      const terms = sizeOf(input(node, 'x').shape) / sizeOf(output(node).shape);
      return number === undefined ? undefined : filled(Math.fround(number * terms), output(node), bench);
    },
  },
  'a product takes its bias': {
    'of rows': (node, bench) => {
      for (const [y, bias] of pairs(node)) {
        const made = bench.maker(y);
        if (made?.kernel !== 'BatchMatMul' || sizeOf(bias.shape) !== y.shape[0]) continue;
        const flat = reshaped(bias, [y.shape[0]!], bench);
        if (y.shape.length === 2 && y.shape[1] === y.shape[0])
          return bench.emit('_FusedMatMul', { ...made.inputs, bias: flat }, made.attrs, output(node));
      }
      return undefined;
    },
  },
};

describe('the law of', () => {
  const cases = Object.entries(mutants).flatMap(([name, all]) => Object.entries(all).map((entry) => [name, ...entry] as const)); // prettier-ignore
  test.each(cases)("'%s' finds it applied %s", (name, _, rewrite) => {
    const { kernels } = rules.find((rule) => rule.name === name)!;
    const mutant: Rule = { name, kernels, rewrite };
    const { match, near, roundings = 0 } = laws[name]!;
    const both = () => [match, near].forEach((make) => holds(mutant, make, roundings, MATCHES));
    expect(both).toThrow();
  });
});

// What was found in programs

test('a mean for each column, spread over as many rows, stays a mean for each column', () => {
  const f = (mu: tf.Tensor) => tf.ones([3, 3]).mul(mu).reshape([3, 3, 1]);
  const picture = compiled(([mu]) => [f(mu!)], { device: 'cpu' });
  const mu = tf.tensor1d([0, 1, 2]);
  expect(read(picture([mu], createRng(0))[0]!)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
});

test('a log-softmax by hand without keepDims stays as wrong as it is', () => {
  const f = (x: tf.Tensor) => {
    const shifted = x.sub(x.max(1));
    return shifted.sub(shifted.exp().sum(1).log());
  };
  const x = tf.tensor2d([1, 2, 3, 4, 0, 1, 0, 0, 9], [3, 3]);
  const got = read(compiled(([v]) => [f(v!)], { device: 'cpu' })([x], createRng(0))[0]!);
  const want = read(f(x));
  got.forEach((value, i) => expect(value).toBeCloseTo(want[i]!, 5));
});
