/** Chapter 1: what can be counted on paper: two predictions, and a partition function without enumeration. */
import { expectNumber, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { logSumExp, normal, vector, type Vector } from './common';

const chapter = '01-why';

type Call = (...args: Value[]) => Promise<Value>;

const listed = (pairs: readonly (readonly [hint: string, answer: number])[]): readonly KnownMistake[] =>
  pairs.map(([hint, answer]) => ({ hint, answer: () => answer }));

// why.declinedShare

/** By counting ranks: x is equally likely to come at any of N + 1 places among the others. */
function declinedOf(N: number, alpha: number): number {
  const places = Array.from({ length: N + 1 }, (_, atMost) => atMost);
  return places.filter((atMost) => atMost / N < alpha).length / places.length;
}

export async function checkDeclinedShare(call: Call, N: number, alpha: number, hint?: string): Promise<void> {
  const got = expectNumber(await call(N, alpha), { what: 'the share' });
  const mistakes = listed([
    ['about alpha, but exactly? the share is a multiple of 1 / N: count the ranks at which x is declined', alpha],
    ['x itself is one more: N + 1 places are equally likely', Math.ceil(alpha * N) / N],
    ['how many ranks have count / N < alpha? 0 is one of them', Math.floor(alpha * N) / (N + 1)],
    ['how many ranks have count / N < alpha? 0 is one of them', (Math.ceil(alpha * N) - 1) / (N + 1)],
    ['ranks are whole numbers', (alpha * N) / (N + 1)],
    ['one rank too many: a share that is equal to alpha is not declined', (Math.floor(alpha * N) + 1) / (N + 1)],
    ['a good input is declined rarely: the share of those that are not is the rest', 1 - declinedOf(N, alpha)],
    ['a share, not percent', 100 * declinedOf(N, alpha)],
  ]);
  const what = `the share of good inputs that are declined (N = ${N}, alpha = ${alpha})`;
  expectAnswer(got, declinedOf(N, alpha), { what, rtol: 1e-4, atol: 1e-6, ...(hint !== undefined && { hint }) }, mistakes); // prettier-ignore
}

export const declinedShare: Exercise = {
  id: 'why.declinedShare',
  chapter,
  functionName: 'declinedShare',
  title: 'predict: how many good inputs are declined',
  points: 1,
  allOrNothing: true,
  hints: [
    'Put x and the N held-out inputs in the order of their ln p. If x is one of their kind, at which places can it stand, and with which probabilities?',
    'All N + 1 places are equally likely. At place j (0 … N) j of the others are at most as likely as x, so r(x) = j / N. For how many j is that less than alpha?',
    'The whole numbers j with j < alpha N are 0 … ⌈alpha N⌉ − 1: there are ⌈alpha N⌉ of them, of N + 1.',
  ],
  checks: [
    {
      name: 'with 6 held-out inputs and alpha = 0.2 two of seven places are declined',
      run: ({ call }) => checkDeclinedShare(call, 6, 0.2, 'two places of seven'),
    },
    {
      name: 'with a single one, or a large alpha, it is far from alpha',
      async run({ call }) {
        for (const [N, alpha] of [[1, 0.5], [3, 0.9], [7, 0.01]] as const) await checkDeclinedShare(call, N, alpha); // prettier-ignore
      },
    },
    {
      name: 'with many it is about alpha: 175 and 1,000 of them',
      async run({ call }) {
        for (const [N, alpha] of [[175, 0.05], [1000, 0.0125], [350, 0.123]] as const) await checkDeclinedShare(call, N, alpha); // prettier-ignore
      },
    },
  ],
};

// why.chainLogPartition

/** f(x) = Σ b_d x_d + Σ J_d x_d x_{d+1} */
interface Chain {
  readonly b: Vector;
  readonly J: Vector;
}

/** ln Σ over all patterns, one by one. */
function byEnumeration({ b, J }: Chain, values: readonly [number, number] = [0, 1], last = b.length - 1): number {
  const patterns = Array.from({ length: 2 ** b.length }, (_, n) => b.map((_, d) => values[((n >> d) & 1) as 0 | 1]));
  return logSumExp(
    patterns.map((x) => x.reduce<number>((f, xd, d) => f + b[d]! * xd + (d < last ? J[d]! * xd * x[d + 1]! : 0), 0)),
  );
}

/** ln of a product of 2 × 2 matrices, from the left: for chains too long to enumerate. */
function byMatrices({ b, J }: Chain): number {
  let rows = [[0, b[0]!]]; // ln of a row vector: x_0 = 0, 1
  J.forEach((coupling, d) => {
    const [off, on] = rows[0]! as [number, number];
    rows = [[logSumExp([off, on]), logSumExp([off, on + coupling]) + b[d + 1]!]];
  });
  return logSumExp(rows[0]!);
}

export async function checkChain(call: Call, chain: Chain, hint?: string): Promise<void> {
  const { b, J } = chain;
  const short = b.length <= 12;
  const right = short ? byEnumeration(chain) : byMatrices(chain);
  const got = await call(b, J);
  expectTrue(typeof got === 'number', 'a number', typeof got, 'plain numbers in, a plain number out');
  const mistakes = short ? listed([
    ['the pairs are missing: pixels know of their neighbours', byEnumeration(chain, [0, 1], 0)],
    ['pixels are 0 or 1, not −1 or 1', byEnumeration(chain, [-1, 1])],
    ['a sum over the patterns, not their mean', right - b.length * Math.LN2],
    ['the first pixel has a weight, too', byEnumeration({ b: [0, ...b.slice(1)], J })],
    ['the last pixel has a weight, too', byEnumeration({ b: [...b.slice(0, -1), 0], J })],
    ...(b.length > 1 ? [['the last pair counts, too', byEnumeration(chain, [0, 1], b.length - 2)] as const] : []),
    ['at the end x_D may be 0 or 1: add both', byEnumeration(chain) - Math.log(1 + Math.exp(b.at(-1)!))],
    ...(right < 300 ? [['ln Z, not Z', Math.exp(right)] as const] : []),
  ]) : []; // prettier-ignore
  const what = `ln Z of ${b.length} pixels`;
  expectAnswer(got, right, { what, rtol: 1e-6, atol: 1e-6, ...(hint !== undefined && { hint }) }, mistakes);
}

export const chainLogPartition: Exercise = {
  id: 'why.chainLogPartition',
  chapter,
  functionName: 'chainLogPartition',
  title: 'derive: Z of a chain, without enumeration',
  points: 3,
  hints: [
    'Of all terms of f, in how many does x_1 occur? Then which part of Z does the sum over x_1 touch, and on what does its result depend?',
    'Sum over x_1 first: what is left is a number for x_2 = 0 and one for x_2 = 1. Sum over x_2 next, with those two numbers as weights, and so on. Two numbers travel along the chain.',
    'Keep [ln of the sum with x_d = 0, ln of that with x_d = 1], starting from [0, b_1]. One step: the first becomes ln(e^off + e^on), the second ln(e^off + e^(on + J_d)) + b_(d+1). At the end add both.',
  ],
  checks: [
    {
      name: 'one pixel: ln(1 + exp b); two: four terms',
      async run({ call }) {
        await checkChain(call, { b: [0.7], J: [] }, 'Z = 1 + exp b');
        await checkChain(call, { b: [0.5, -1], J: [2] }, '1 + exp b_1 + exp b_2 + exp(b_1 + b_2 + J_1)');
      },
    },
    {
      name: 'agrees with the sum over all patterns, for three to ten pixels',
      async run({ call, rng }) {
        for (const D of [3, 4, 7, 10]) {
          const here = rng.fork(`${D}`);
          await checkChain(call, { b: vector(normal(here, 'b', [D])), J: vector(normal(here, 'J', [D - 1], 1.5)) });
        }
      },
    },
    {
      name: 'works where exp f overflows, and where it underflows',
      async run({ call }) {
        const hint = 'log-sum-exp at every step: the two numbers lie hundreds of nats from 0';
        await checkChain(call, { b: [400, 500, -300, 450], J: [-200, 600, 100] }, hint);
        await checkChain(call, { b: [-800, -900, -700], J: [-100, 50] }, hint);
      },
    },
    {
      name: 'a thousand pixels, whose 2^1000 patterns nobody can list',
      async run({ call, rng }) {
        const [b, J] = [vector(normal(rng, 'b', [1000])), vector(normal(rng, 'J', [999]))];
        await checkChain(call, { b, J }, 'two numbers for each pixel, and D steps');
      },
    },
  ],
};

// why.oddness

type Case = 'shuffled, histogram' | 'shuffled, mixture' | 'all black, histogram';

const ODDNESS: Readonly<Record<Case, { readonly right: number; readonly hint: string }>> = {
  'shuffled, histogram': {
    right: 0,
    hint: 'the histogram adds up a number for each pixel, and each pixel of the shuffled images is a pixel of a scan: what is the mean of a sum whose terms are the same, in another order?',
  },
  'shuffled, mixture': {
    right: 1,
    hint: 'the mixture knows which pixels go together, and in the shuffled images they no longer do',
  },
  'all black, histogram': {
    right: -1,
    hint: 'black is the most frequent value of most pixels: what has a more probable value in each of them than any scan?',
  },
};

export async function checkOddness(call: Call, which: Case): Promise<void> {
  const got = await call(which);
  const { right, hint } = ODDNESS[which];
  expectTrue([-1, 0, 1].includes(got as number), '−1, 0 or 1', String(got), 'the sign of a difference');
  expectAnswer(got, right, { what: `the sign for ${which}`, hint, rtol: 0, atol: 0 });
}

export const oddness: Exercise = {
  id: 'why.oddness',
  chapter,
  functionName: 'oddness',
  title: 'predict: what a model finds odd',
  points: 1,
  allOrNothing: true,
  hints: [
    'Which of the two models can tell that two pixels do not go together? What is the most frequent grey level of a pixel?',
    'The histogram’s −ln p is a sum with one term a pixel. Moving pixels between images moves terms between sums. And each term is least at the most frequent value.',
    'Three cases, three different signs: one is exactly 0, one is above and one below.',
  ],
  checks: [
    {
      name: 'shuffled pixels, by what each model can see',
      async run({ call }) {
        for (const which of ['shuffled, histogram', 'shuffled, mixture'] as const) await checkOddness(call, which);
      },
    },
  ],
};
