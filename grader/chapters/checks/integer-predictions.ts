/** Chapter 7: what a prior alone has to pay, a bijection that gathers everything in one coordinate, and float32's end. */
import { expectClose, expectNumber, expectTensor, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, type Matrix } from './common';

const chapter = '07-integer-flows';

type Call = (...args: Value[]) => Promise<Value>;

// integerFlow.productGap

/** H of the coordinate's values among equally likely points. */
function marginalEntropy(points: Matrix, axis: number): number {
  const coordinate = points.map((point) => point[axis]!);
  const shares = [...new Set(coordinate)].map((v) => coordinate.filter((w) => w === v).length / coordinate.length);
  return shares.reduce((sum, share) => sum - share * Math.log(share), 0);
}

const gapOf = (points: Matrix) =>
  points[0]!.reduce((sum, _, axis) => sum + marginalEntropy(points, axis), 0) - Math.log(points.length);

export async function checkGap(call: Call, points: Matrix, hint: string): Promise<void> {
  const entropies = points[0]!.map((_, axis) => marginalEntropy(points, axis));
  const sum = entropies.reduce((a, b) => a + b, 0);
  const sizes = entropies.map((_, axis) => Math.log(new Set(points.map((point) => point[axis]!)).size));
  const mistakes: KnownMistake[] = [
    { hint: 'nats: natural logarithms', answer: () => gapOf(points) / Math.LN2 },
    { hint: 'that is the code length of the product, KL + H: the entropy of the points themselves, ln of their number, has to be taken off', answer: () => sum },
    { hint: 'the KL of the points from the product, and not the other way round: it is at least 0', answer: () => -gapOf(points) },
    { hint: 'the best coins are the marginals of the points, and not even ones', answer: () => sizes.reduce((a, b) => a + b, 0) - Math.log(points.length) },
    { hint: 'that is half of it: both coordinates have a marginal', answer: () => entropies[0]! - Math.log(points.length) },
    { hint: 'that is the entropy of the points: how much longer is the product’s code?', answer: () => Math.log(points.length) },
  ]; // prettier-ignore
  const what = `the KL for the points ${points.map((point) => `(${point.join(', ')})`).join(' ')}`;
  const got = expectNumber(await call(points), { what, hint });
  expectAnswer(got, gapOf(points), { what, rtol: 1e-6, atol: 1e-9, hint }, mistakes);
}

export const productGap: Exercise = {
  id: 'integerFlow.productGap',
  chapter,
  functionName: 'productGap',
  title: 'predict: what the prior alone has to pay',
  points: 2,
  allOrNothing: true,
  hints: [
    'Which product of two distributions is nearest to a joint distribution, in the sense of KL[joint ‖ product]?',
    'The product of the marginals. KL = −Σ p ln (p₁ p₂) − H, and the first term falls apart into the entropies of the two marginals.',
    'Count how often each value stands in each coordinate, over the number of points: two entropies. Add them up, and take off ln of the number of points.',
  ],
  checks: [
    {
      name: 'the four corners of a square are a product already',
      run: ({ call }) => checkGap(call, [[0, 0], [0, 1], [1, 0], [1, 1]], 'two even coins'), // prettier-ignore
    },
    {
      name: 'three corners of it: the first row of the table',
      run: ({ call }) => checkGap(call, [[0, 0], [1, 0], [0, 1]], 'each coordinate is 0 twice and 1 once'), // prettier-ignore
    },
    {
      name: 'copies, a line along an axis, and values that are no 0 and 1',
      async run({ call }) {
        await checkGap(call, [[0, 0], [1, 1]], 'each coordinate is an even coin, and knows the other'); // prettier-ignore
        await checkGap(call, [[0, 0], [1, 0], [2, 0]], 'one coordinate is always the same: nothing to lose'); // prettier-ignore
        await checkGap(call, [[-3, 7], [0, 7], [4, 12], [4, -2], [0, 12]], 'points of ℤ², not of a square'); // prettier-ignore
      },
    },
  ],
};

// integerFlow.gather

export const squareOf = (V: number): number[][] => Array.from({ length: V * V }, (_, i) => [i % V, Math.floor(i / V)]);

async function gathered(call: Call, x: Matrix, V: number, hint: string): Promise<number[][]> {
  const got = await call(matrixTensor(x), V);
  const z = expectTensor(got, { what: `z, V = ${V}`, shape: [x.length, 2], hint });
  expectClose(z, z.round(), { what: `z, V = ${V}`, atol: 0, rtol: 0, hint: 'integers' });
  return matrix(z);
}

const said = (row: readonly number[]) => `(${row.join(', ')})`;

/** All V² points of the square: their latents differ, and end on the axis. */
export async function checkSquare(call: Call, V: number): Promise<void> {
  const points = squareOf(V);
  const z = await gathered(call, points, V, 'the second coordinate is gone, the first one tells the points apart');
  const off = z.findIndex(([, b]) => b !== 0);
  const hint = 'when z₁ is there, the second step has to find x₂ in it: how often does V go into z₁?';
  expectTrue(off < 0, `z₂ = 0 for x = ${said(points[off] ?? [])}, V = ${V}`, said(z[off] ?? []), hint);
  const seen = new Map<number, number>();
  z.forEach(([a], n) => {
    const other = seen.get(a!);
    const both = `${said(points[n]!)} and ${said(points[other ?? 0]!)}`;
    expectTrue(other === undefined, `different z₁ for ${both}, V = ${V}`, `${a} for both`, 'number the V² points');
    seen.set(a!, n);
  });
}

/** Each step moves one coordinate by what the other says: equal neighbours are moved alike, beyond the square, too. */
export async function checkSteps(call: Call, V: number, reach: number): Promise<void> {
  const side = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
  const points = side.flatMap((a) => side.map((b) => [a, b]));
  const z = await gathered(call, points, V, 'a bijection of all of ℤ², not only of the square');
  const first = new Map<number, number>(); // x₂ → z₁ − x₁
  const second = new Map<number, number>(); // z₁ → z₂ − x₂
  points.forEach(([a, b], n) => {
    const [c, d] = z[n]! as [number, number];
    for (const [known, key, move, told] of [
      [first, b!, c - a!, 'the first step moves x₁ by what x₂ alone says'],
      [second, c, d - b!, 'the second step moves x₂ by what z₁ alone says'],
    ] as const) {
      const wanted = known.get(key) ?? move;
      expectTrue(move === wanted, `a move by ${wanted} at x = (${a}, ${b}), V = ${V}, as at another point`, String(move), told); // prettier-ignore
      known.set(key, move);
    }
  });
}

export const gather: Exercise = {
  id: 'integerFlow.gather',
  chapter,
  functionName: 'gather',
  title: 'design: everything in one coordinate',
  points: 3,
  hints: [
    'How would you number the points of a V × V square, so that each has a number of its own? Is that an additive step?',
    'z₁ = x₁ + V x₂ moves x₁ by what x₂ says. Now x₂ is the whole part of z₁ / V. A step may only round to the nearest integer: by how much has z₁ / V to be moved down, so that rounding rounds down, and a half never occurs?',
    'The parts left over are 0, 1/V … (V − 1)/V. Take off half of (V − 1)/V, and they lie around 0, all within less than a half. Round that, and subtract it from x₂.',
  ],
  checks: [
    {
      name: 'the square of two values a side: z₂ is 0, z₁ numbers the points',
      run: ({ call }) => checkSquare(call, 2),
    },
    {
      name: 'squares of three, four, and seventeen values a side',
      async run({ call }) {
        for (const V of [3, 4, 17]) await checkSquare(call, V);
      },
    },
    {
      name: 'two additive steps, everywhere: x₁ moves by what x₂ says, then x₂ by what z₁ says',
      law: true,
      async run({ call }) {
        for (const V of [2, 3, 5]) await checkSteps(call, V, 7);
      },
    },
  ],
};

// integerFlow.exactUpTo

const exactOf = (bits: number, step: number) => step * 2 ** bits;

export async function checkExact(call: Call, bits: number, step: number, hint: string): Promise<void> {
  const mistakes: KnownMistake[] = [
    { hint: 'the step matters, too', answer: () => 2 ** bits },
    { hint: 'n bits count to 2ⁿ − 1, and 2ⁿ itself is a power of two, which is exact', answer: () => step * (2 ** bits - 1) },
    { hint: 'the leading 1 is one of the bits here: count it once', answer: () => step * 2 ** (bits + 1) },
    { hint: 'all the bits are there, the leading 1 among them', answer: () => step * 2 ** (bits - 1) },
    { hint: 'finer steps need bits behind the point: they end sooner', answer: () => 2 ** bits / step },
    { hint: 'the number itself, not how many bits it has', answer: () => bits + Math.log2(step) },
  ]; // prettier-ignore
  const what = `the end for ${bits} bits and steps of ${step}`;
  const got = expectNumber(await call(bits, step), { what, hint });
  expectAnswer(got, exactOf(bits, step), { what, rtol: 0, atol: 0, hint }, mistakes);
}

export const exactUpTo: Exercise = {
  id: 'integerFlow.exactUpTo',
  chapter,
  functionName: 'exactUpTo',
  title: 'predict: where floating point loses an integer',
  points: 1,
  allOrNothing: true,
  hints: [
    'Which is the first integer that needs more than n binary digits, and is not a power of two times a shorter one?',
    'With n bits, all integers up to 2ⁿ are there, and 2ⁿ + 1 is the first that is not. Multiples of ½ are integers over two.',
    'step · 2^bits.',
  ],
  checks: [
    { name: 'integers in float32, whose numbers have 24 bits', run: ({ call }) => checkExact(call, 24, 1, '2²⁴ + 1 is not there') },
    { name: 'halves in float32', run: ({ call }) => checkExact(call, 24, 0.5, 'one bit is behind the point') },
    {
      name: 'integers in float16 (11 bits), bfloat16 (8), and float64 (53)',
      async run({ call }) {
        for (const bits of [11, 8, 53]) await checkExact(call, bits, 1, 'the same question with other bits');
      },
    },
  ],
}; // prettier-ignore
