/** Chapter 5: how far a stack hears, sampling all places at once, and what cooling does to a choice of futures. */
import type * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { expectNumber, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { causalOf, causalSource } from './autoregressive-networks';
import { matrix, matrixTensor, smallestFirst, softmax, type Matrix, type Vector } from './common';

const chapter = '05-autoregressive';

type Call = (...args: Value[]) => Promise<Value>;

// ar.stepsBack

/** By following every tap back, from the last step of a long sequence. */
function reachOf(kernel: number, dilations: Vector): number {
  let at = new Set([0]); // steps before the last entry of the sequence that was moved
  for (const dilation of dilations.toReversed()) {
    const further = [...at].flatMap((step) => Array.from({ length: kernel }, (_, k) => step + k * dilation));
    at = new Set(further);
  }
  return Math.max(...at) + 1;
}

export async function checkReach(call: Call, kernel: number, dilations: Vector, hint: string): Promise<void> {
  const sum = dilations.reduce((a, b) => a + b, 0);
  const mistakes: KnownMistake[] = [
    { hint: 'the sequence was moved by one step: the last entry of it is the value before', answer: () => (kernel - 1) * sum },
    { hint: 'the present tap of each layer reaches no further back: K taps span K − 1 dilations', answer: () => kernel * sum },
    { hint: 'the present tap of each layer reaches no further back: K taps span K − 1 dilations', answer: () => kernel * sum + 1 },
    { hint: 'the taps of a layer lie one dilation apart', answer: () => 1 + (kernel - 1) * dilations.length },
    { hint: 'what the layers reach adds up: the first looks back from where the second looked', answer: () => 1 + (kernel - 1) * Math.max(...dilations) },
    { hint: 'it doubles with every layer only if the dilations do', answer: () => kernel ** dilations.length },
    { hint: 'it doubles with every layer only if the dilations do', answer: () => 2 ** dilations.length },
    { hint: 'how many values before the predicted one, itself not counted', answer: () => 2 + (kernel - 1) * sum },
  ]; // prettier-ignore
  const what = `the steps back of K = ${kernel}, dilations ${dilations.join(', ')},`;
  const got = expectNumber(await call(kernel, dilations), { what, hint });
  expectAnswer(got, reachOf(kernel, dilations), { what, rtol: 0, atol: 0, hint }, mistakes);
}

export const stepsBack: Exercise = {
  id: 'ar.stepsBack',
  chapter,
  functionName: 'stepsBack',
  title: 'predict: how far a stack hears',
  points: 1,
  allOrNothing: true,
  hints: [
    'Go backwards from the last output: which entries of the layer below does it see, and how far back is the oldest of them?',
    'A layer of K taps reaches K − 1 dilations further back than what it is asked for. The layers add up. And entry t of the sequence that was moved is the value before t.',
    '1 + (K − 1) · the sum of the dilations.',
  ],
  checks: [
    { name: 'one layer of three taps', run: ({ call }) => checkReach(call, 3, [1], 'the three values before') },
    {
      name: 'the stacks of the table: 1, 1, 1; 1, 2, 4; and five layers of both kinds',
      async run({ call }) {
        for (const dilations of [[1, 1, 1], [1, 2, 4], [1, 1, 1, 1, 1], [1, 2, 4, 8, 16]])
          await checkReach(call, 3, dilations, 'each layer reaches on from the one above it'); // prettier-ignore
      },
    },
    {
      name: 'other kernels, and dilations in any order',
      async run({ call }) {
        await checkReach(call, 2, [1, 2, 4, 8], 'two taps a layer');
        await checkReach(call, 5, [7, 1, 3], 'any dilations');
        await checkReach(call, 1, [4, 4], 'one tap sees its own step alone');
      },
    },
  ],
};

// ar.parallel

/** What a pass makes of the values before it, and the closest that a cumulative probability came to its u. */
function passOf(x: Vector, u: Vector, V: number): { next: number[]; margin: number } {
  let margin = 1;
  const next = causalOf(x, 2, V).map((logits, d) => {
    let sum = 0;
    let v = 0;
    for (const p of softmax(logits).slice(0, -1)) {
      sum += p;
      margin = Math.min(margin, Math.abs(sum - u[d]!));
      if (sum <= u[d]!) v += 1;
    }
    return v;
  });
  return { next, margin };
}

function passesOf(u: Vector, V: number, passes: number): { x: number[]; margin: number } {
  let x: number[] = u.map(() => 0);
  let margin = 1;
  for (let done = 0; done < passes; done++) {
    const made = passOf(x, u, V);
    [x, margin] = [made.next, Math.min(margin, made.margin)];
  }
  return { x, margin };
}

/**
 * Noise that no pass has within 10⁻⁴ of where a value changes, so that float32 draws what the reference draws. The same
 * for all students: after how many passes a row is right depends on it, and with that which mistakes show.
 */
export function calmNoise(B: number, D: number, V: number): tf.Tensor {
  const rng = createRng(`calm noise ${B} ${D} ${V}`);
  const rows = Array.from({ length: B }, (_, n) => {
    for (let i = 0; ; i++) {
      const u = Array.from(rng.fork(`row ${n}, try ${i}`).uniform([D]).dataSync());
      if (passesOf(u, V, D + 1).margin > 1e-4) return u;
    }
  });
  return matrixTensor(rows);
}

/** The first pass alone, the last one kept before the end, each given the noise of the place before, and so on. */
const slipsOf = (u: Matrix, V: number, passes: number): readonly KnownMistake[] => {
  const by = (of: (row: Vector) => Vector) => () => matrixTensor(u.map((row) => [...of(row)]));
  const inOrder = (row: Vector) => {
    const all = passesOf(row, V, row.length).x;
    return all.map((v, d) => (d < passes ? v : 0));
  };
  return [
    { hint: 'each pass starts from what the pass before drew, and not from zeros', answer: by((row) => passesOf(row, V, 1).x) },
    { hint: 'this is one pass too many', answer: by((row) => passesOf(row, V, passes + 1).x) },
    { hint: 'this is one pass too few', answer: by((row) => passesOf(row, V, passes - 1).x) },
    { hint: 'a pass draws all places at once, those that are not right yet as well', answer: by(inOrder) },
    { hint: 'after so few passes the later places are not right yet: only as many passes as were asked for', answer: by((row) => passesOf(row, V, row.length).x) },
  ]; // prettier-ignore
};

export async function checkPasses(call: Call, u: tf.Tensor, V: number, passes: number, hint: string): Promise<void> {
  const [B, D] = u.shape as [number, number];
  const what = `the draws after ${passes} ${passes === 1 ? 'pass' : 'passes'}`;
  const got = expectTensor(await call(given(causalSource(2, V)), u, passes), { what, shape: [B, D], hint });
  const rows = matrix(u);
  const expected = matrixTensor(rows.map((row) => passesOf(row, V, passes).x));
  expectAnswer(got, expected, { what, atol: 1e-6, hint }, slipsOf(rows, V, passes));
}

export const parallel: Exercise = {
  id: 'ar.parallel',
  chapter,
  functionName: 'drawAtOnce',
  title: 'design: the same draws, all places at once',
  points: 3,
  hints: [
    'What is the one thing that a place has to know before it can be drawn? And if you do not know it yet, what is the best guess that you have at hand?',
    'One pass: ask the network about the whole guess, and draw all D places from its rows, each by its own u. That is the next guess. The first place is right after one pass, since it depends on nothing; which ones are right after two?',
    'x starts at zeros [B, D]. A pass: softmax of network(x) over the last axis [B, D, V], tf.cumsum along axis 2, lessEqual u.expandDims(2), summed over axis 2, V − 1 at most. Repeat `passes` times.',
  ],
  checks: [
    {
      name: 'one pass: every place drawn as if all before it were 0',
      async run({ call }) {
        await checkPasses(call, calmNoise(2, 3, 3), 3, 1, 'the network is asked about zeros');
      },
    },
    {
      name: 'as many passes as places: what drawing in order gives',
      async run({ call }) {
        for (const [B, D, V] of smallestFirst([[2, 3, 3], [3, 6, 2], [1, 8, 5]] as const))
          await checkPasses(call, calmNoise(B, D, V), V, D, 'after pass k the first k places are right, and stay so'); // prettier-ignore
      },
    },
    {
      name: 'every pass starts from the draws of the one before',
      async run({ call }) {
        const u = calmNoise(6, 8, 4);
        for (const passes of [2, 3, 5]) await checkPasses(call, u, 4, passes, 'all places in every pass');
      },
    },
    {
      name: 'more passes than places change nothing, and no pass leaves zeros',
      async run({ call }) {
        const u = calmNoise(4, 5, 3);
        await checkPasses(call, u, 3, 9, 'it is a fixed point: the draws explain themselves');
        await checkPasses(call, u, 3, 0, 'nothing is drawn yet');
      },
    },
  ],
};

// ar.coldChoice

type Cooled = 'joint' | 'factors';

/** By listing all pairs of a first value and a future. */
function coldOf(p: number, futures: readonly [number, number], tau: number, cooled: Cooled): number {
  const firsts = [p, 1 - p];
  if (cooled === 'factors') return softmax(firsts.map((v) => Math.log(v) / tau))[0]!;
  const logs = firsts.map((v, i) => Math.log(v / futures[i]!) / tau + Math.log(futures[i]!));
  return softmax(logs)[0]!;
}

export async function checkCold(
  call: Call,
  [p, futures, tau]: readonly [p: number, futures: readonly [number, number], tau: number],
  cooled: Cooled,
  hint: string,
): Promise<void> {
  const other = cooled === 'joint' ? 'factors' : 'joint';
  const weights = (of: (v: number, n: number) => number) => {
    const [first, second] = [of(p, futures[0]), of(1 - p, futures[1])];
    return first / (first + second);
  };
  const mistakes: KnownMistake[] = [
    { hint: cooled === 'joint' ? 'the joint is cooled: each pair of a first value and its future is raised to 1/τ, and pairs are added up after that' : 'the first factor is cooled by itself: it does not know how many futures there are', answer: () => coldOf(p, futures, tau, other) },
    { hint: 'p to the power 1/τ, and not τ', answer: () => coldOf(p, futures, 1 / tau, cooled) },
    { hint: 'normalise: the two first values have to sum to 1', answer: () => (cooled === 'joint' ? futures[0] * (p / futures[0]) ** (1 / tau) : p ** (1 / tau)) },
    { hint: 'that is the share of one pair: there are as many as there are futures', answer: () => weights((v, n) => (v / n) ** (1 / tau)) },
    { hint: 'a first value and n futures: each pair has p / n', answer: () => weights((v, n) => n * v ** (1 / tau)) },
    { hint: 'that is the share of the other first value', answer: () => 1 - coldOf(p, futures, tau, cooled) },
    { hint: 'a temperature below 1 makes the likely likelier: this is p itself', answer: () => p },
  ]; // prettier-ignore
  const what = `p(x₁ = 0) with the ${cooled} cooled, for p = ${p}, ${futures.join(' and ')} futures, τ = ${tau},`;
  const got = expectNumber(await call(p, futures, tau, cooled), { what, hint });
  expectAnswer(got, coldOf(p, futures, tau, cooled), { what, rtol: 1e-6, atol: 1e-9, hint }, mistakes);
}

export const coldChoice: Exercise = {
  id: 'ar.coldChoice',
  chapter,
  functionName: 'coldChoice',
  title: 'predict: a choice between futures, cooled',
  points: 2,
  allOrNothing: true,
  hints: [
    'How probable is one whole sequence that begins with 0? How many of them are there, and what becomes of each when the joint is cooled?',
    'A sequence that begins with 0 has p / n₀, one that begins with 1 has (1 − p) / n₁. Cooled and summed: n₀ (p / n₀)^(1/τ) against n₁ ((1 − p) / n₁)^(1/τ). Cooling the factors leaves n out: even futures stay even.',
    'With a = n₀ (p / n₀)^(1/τ), b likewise, a / (a + b) for the joint; the same with n₀ = n₁ = 1 for the factors.',
  ],
  checks: [
    {
      name: 'τ = 1 changes nothing',
      async run({ call }) {
        for (const cooled of ['joint', 'factors'] as const) await checkCold(call, [0.6, [2, 1], 1], cooled, 'p itself');
      },
    },
    {
      name: 'the pairs of the table',
      async run({ call }) {
        for (const tau of [0.5, 0.2])
          for (const cooled of ['joint', 'factors'] as const)
            await checkCold(call, [0.6, [2, 1], tau], cooled, 'sum over the futures after cooling, not before');
      },
    },
    {
      name: 'many futures on either side, and hot',
      async run({ call }) {
        for (const [p, futures, tau] of [[0.7, [100, 3], 0.5], [0.2, [1, 16], 0.25], [0.9, [4, 4], 3]] as const)
          for (const cooled of ['joint', 'factors'] as const)
            await checkCold(call, [p, futures, tau], cooled, 'any numbers');
      }, // prettier-ignore
    },
  ],
};
