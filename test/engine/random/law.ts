/** A rule of rewriting on random graphs: with it, and without, they compute the same. */
import * as tf from '@tensorflow/tfjs';
import type { Graph, Spec } from '../../../lib/engine/graph/graph';
import { printGraph } from '../../../lib/engine/graph/print';
import { rewritten } from '../../../lib/engine/graph/simplify';
import type { Rule } from '../../../lib/engine/graph/workbench';
import { trace } from '../../../lib/engine/trace/trace';
import { numbersFrom, valuesOf } from './graphs';
import { interpret } from './interpret';
import type { Choices, Law, Sample } from './rewrite-laws';

const EPSILON = 2 ** -23;
const SMALLEST = 2 ** -126; // of the normal numbers
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const NUMBERS = [1, 2, -1, 0, 0.5, 3, -0, 1e20, 1e-20, nan, inf, 0.1, -2.5, 1e38];

function choicesFrom(seed: number): Choices {
  const next = numbersFrom(seed);
  const pick = (n: number) => Math.floor(next() * n);
  const of = <A>(list: readonly A[]): A => list[pick(list.length)]!;
  return {
    pick,
    of,
    number: () => of(NUMBERS),
    shape(rank = pick(4)) {
      const side = 1 + pick(3);
      return Array.from({ length: rank }, () => of([side, side, side, 1, 2, 3, 0]));
    },
  };
}

/**
 * @param first the seed of the first graph
 * @returns in how many of the graphs the rule did something
 * @throws Error with the graph before and after, where they differ
 */
export function holds(rule: Rule, make: Law['match'], roundings: number, count: number, first = 0): number {
  let fired = 0;
  for (let seed = first; seed < first + count; seed++) {
    const { inputs, graph } = traced(make, seed);
    const [before, after] = [rewritten(graph, []), rewritten(graph, [rule])];
    if (printGraph(before) === printGraph(after)) continue;
    fired++;
    const values = inputs.map((spec, i) => valuesOf(spec, 7 * seed + i, true));
    const problem = differenceOf(computed(before, inputs, values), computed(after, inputs, values), roundings);
    if (problem)
      throw new Error(
        [`${rule.name}, seed ${seed}: ${problem}`, printGraph(before), 'became', printGraph(after), ...values.map((v, i) => `input ${i}: ${v.map((x) => (Object.is(x, -0) ? '-0' : x)).join()}`)].join('\n'), // prettier-ignore
      );
  }
  return fired;
}

function traced(make: Law['match'], seed: number): { graph: Graph; inputs: readonly Spec[] } {
  const { inputs, f }: Sample = make(choicesFrom(seed));
  // a function that draws choices while it runs draws the same ones whenever it is traced, which happens once
  const graph = trace((tracer) => [f(...inputs.map((spec) => tracer.input(spec)))].flat() as tf.Tensor[], false);
  return { graph, inputs };
}

interface Result {
  readonly spec: string;
  readonly numbers: ArrayLike<number>;
}

const computed = (graph: Graph, inputs: readonly Spec[], values: readonly number[][]): Result[] =>
  tf.tidy(() =>
    interpret(
      graph,
      inputs.map(({ shape, dtype }, i) => tf.tensor(values[i]!, [...shape], dtype)),
    ).map((y) => ({ spec: `${y.dtype} [${y.shape.join()}]`, numbers: y.dataSync().slice() })),
  );

function differenceOf(before: readonly Result[], after: readonly Result[], roundings: number): string | undefined {
  for (const [k, { spec, numbers: want }] of before.entries()) {
    const { spec: made, numbers: got } = after[k]!;
    if (made !== spec) return `output ${k} was ${spec}, and is ${made}`;
    const scale = Math.max(SMALLEST, ...Array.from(want).filter(Number.isFinite).map(Math.abs));
    for (let i = 0; i < want.length; i++) {
      const [a, b] = [want[i]!, got[i]!];
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
      if (Math.abs(a - b) > roundings * EPSILON * scale || !Number.isFinite(a - b))
        return `output ${k} at ${i} was ${a}, and is ${b}`;
    }
  }
  return undefined;
}
