/** Chapter 8: what a decoder leaves for z to say, and a price that does not push z out. */
import { expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrixTensor, meanOf, type Matrix, type Vector } from './common';

const chapter = '08-latent-variables';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

// vae.patternNats

type Sees = 'nothing' | 'all before';

/** All pictures of the pattern: each letter takes each value. */
function picturesOf(pattern: string, values: number): number[][] {
  const names = [...new Set(pattern)];
  return Array.from({ length: values ** names.length }, (_, n) => {
    const value = new Map(names.map((letter, i) => [letter, Math.floor(n / values ** i) % values]));
    return [...pattern].map((letter) => value.get(letter)!);
  });
}

/** ln of how many different parts there are: they are equally likely. */
const nats = (parts: Matrix) => Math.log(new Set(parts.map((part) => part.join())).size);

function patternOf(pattern: string, values: number, sees: Sees): { alone: number; kl: number } {
  const pictures = picturesOf(pattern, values);
  const pixels = [...pattern].map((_, d) => nats(pictures.map((x) => [x[d]!])));
  if (sees !== 'nothing') return { alone: nats(pictures), kl: 0 };
  const hasCopy = [...pattern].map((letter, d) => [...pattern].some((other, e) => e !== d && other === letter));
  return { alone: sum(pixels), kl: nats(pictures.map((x) => x.filter((_, d) => hasCopy[d]!))) };
}

function mistakenPattern(pattern: string, values: number, sees: Sees): Record<'alone' | 'kl', readonly KnownMistake[]> {
  const unit = Math.log(values);
  const [n, letters] = [pattern.length, new Set(pattern).size];
  const right = patternOf(pattern, values, sees);
  const of = (hint: string, answer: number): KnownMistake => ({ hint, answer: () => answer });
  const bits = (value: number) => of('nats: natural logarithms', value / Math.LN2);
  if (sees === 'nothing')
    return {
      alone: [
        of('that is the entropy of the pictures: a decoder that sees nothing, and has no z, pays for every pixel as if it were alone', letters * unit),
        of('without z every pixel costs ln V', letters * unit - right.kl),
        bits(right.alone),
      ],
      kl: [
        of('a letter that stands once is known to no other pixel: the decoder can draw it by itself, and z need not know it', letters * unit),
        of('z need not say every pixel: once it has said a letter, all its copies are known', n * unit),
        of('that is what the code saves; what it costs is what z has to say', (n - letters) * unit),
        of('copies have to agree, and no pixel of this decoder sees another: something has to tell them', 0),
        of('one letter’s worth for each letter that has a copy', unit),
        bits(right.kl),
      ],
    }; // prettier-ignore
  return {
    alone: [
      of('this decoder has seen the earlier copies: they cost nothing', n * unit),
      of('the first pixel of every letter has to be paid for, those of letters that stand once, too', patternOf(pattern, values, 'nothing').kl),
      bits(right.alone),
    ],
    kl: [
      of('without z this decoder is at the entropy already: every nat of KL would come on top', patternOf(pattern, values, 'nothing').kl),
      of('without z this decoder is at the entropy already: every nat of KL would come on top', letters * unit),
    ],
  }; // prettier-ignore
}

export async function checkPattern(call: Call, pattern: string, values: number, sees: Sees): Promise<void> {
  const hint = sees === 'nothing' ? 'given z, all pixels are independent' : 'the chain rule needs no z';
  const got = expectFields(await call(pattern, values, sees), ['alone', 'kl'], { what: 'the answer', hint });
  const wanted = patternOf(pattern, values, sees);
  const mistakes = mistakenPattern(pattern, values, sees);
  for (const field of ['alone', 'kl'] as const) {
    const what = `${field} of '${pattern}', V = ${values}, a decoder that sees ${sees}`;
    const tolerance = { what, rtol: 1e-6, atol: 1e-9, hint };
    expectAnswer(expectNumber(got[field], { what, hint }), wanted[field], tolerance, mistakes[field]);
  }
}

export const patternNats: Exercise = {
  id: 'vae.patternNats',
  chapter,
  functionName: 'patternNats',
  title: 'predict: what the decoder leaves for z to say',
  points: 2,
  allOrNothing: true,
  hints: [
    'How can two copies agree for sure, if their decoders see neither each other nor anything before? Who can tell them? And who needs to be told of a pixel that has no copy?',
    'The entropy of the pictures is the number of letters times ln V. A decoder that sees all before is there without z. For the other one z must determine every letter with a copy: that many times ln V of mutual information, which is the mean KL at the best.',
    'Alone: the length of the pattern times ln V, or the number of different letters times ln V. KL: the number of letters that stand twice or more, times ln V, or 0.',
  ],
  checks: [
    {
      name: 'two copies of a coin',
      async run({ call }) {
        await checkPattern(call, 'aa', 2, 'nothing');
        await checkPattern(call, 'aa', 2, 'all before');
      },
    },
    {
      name: 'two letters, twice each, and three values',
      async run({ call }) {
        await checkPattern(call, 'abab', 3, 'nothing');
        await checkPattern(call, 'abab', 3, 'all before');
      },
    },
    {
      name: 'a letter that stands alone',
      async run({ call }) {
        await checkPattern(call, 'aab', 2, 'nothing');
        await checkPattern(call, 'aab', 2, 'all before');
        await checkPattern(call, 'abc', 4, 'nothing');
      },
    },
  ],
};

// vae.freeBits

/** What the price must rise by from one batch to another, where each coordinate stays on its side of `free`. */
const riseOf = (from: Matrix, to: Matrix, free: number): number =>
  sum(from[0]!.map((_, l) => (columnMean(from, l) > free ? columnMean(to, l) - columnMean(from, l) : 0)));

const columnMean = (rows: Matrix, l: number) => meanOf(rows.map((row) => row[l]!));

type Price = (rows: Matrix, free: number) => number;

const columnsOf = (rows: Matrix) => rows[0]!.map((_, l) => columnMean(rows, l));
const wrongPrices: readonly (readonly [hint: string, price: Price])[] = [
  ['nothing is free here: this is the mean KL', (rows) => sum(columnsOf(rows))],
  ['the clamp is the wrong way round: what is above `free` counts, and what is below is free', (rows, free) => sum(columnsOf(rows).map((m) => Math.min(m, free)))],
  ['`free` holds for each coordinate: one that is expensive must not use up what the others have free', (rows, free) => Math.max(sum(columnsOf(rows)), free)],
  ['`free` nats for each coordinate, not for the sum of them all', (rows, free) => Math.max(sum(columnsOf(rows)), free * rows[0]!.length)],
  ['the mean over the batch comes first: an example may say more than `free` where others say less', (rows, free) => sum(rows[0]!.map((_, l) => meanOf(rows.map((row) => Math.max(row[l]!, free)))))],
  ['`free` holds for a coordinate, on the mean over the batch, and not for the KL of an example', (rows, free) => meanOf(rows.map((row) => Math.max(sum(row), free)))],
  ['a sum over the coordinates, not their mean', (rows, free) => meanOf(columnsOf(rows).map((m) => Math.max(m, free)))],
  ['a mean over the batch, not the sum', (rows, free) => sum(columnsOf(rows).map((m) => rows.length * Math.max(m, free)))],
  ['this pulls a coordinate up to `free`: below, there is to be no pull at all', (rows, free) => sum(columnsOf(rows).map((m) => Math.abs(m - free)))],
  ['the KL is a price: it is paid, and not earned', (rows, free) => -sum(columnsOf(rows).map((m) => Math.max(m, free)))],
]; // prettier-ignore

/** Any price of the right slopes will do, so differences are compared, between batches of one side. */
export async function checkRise(call: Call, from: Matrix, to: Matrix, free: number, hint: string): Promise<void> {
  const price = async (rows: Matrix) => {
    const got = expectTensor(await call(matrixTensor(rows), free), { what: 'the price', shape: [], hint: 'one number for the batch: a scalar tensor' }); // prettier-ignore
    return got.dataSync()[0]!;
  };
  const rise = (await price(to)) - (await price(from));
  const wanted = riseOf(from, to, free);
  const what = `the rise of the price with ${free} free, from ${said(from)} to ${said(to)},`;
  const mistakes = wrongPrices.map(([told, by]): KnownMistake => ({ hint: told, answer: () => by(to, free) - by(from, free) })); // prettier-ignore
  expectAnswer(rise, wanted, { what, rtol: 1e-4, atol: 1e-4, hint }, mistakes);
}

const said = (rows: Matrix) => `[${rows.map((row) => `[${row.join(', ')}]`).join(', ')}]`;

export const freeBits: Exercise = {
  id: 'vae.freeBits',
  chapter,
  functionName: 'freeBits',
  title: 'design: a price that leaves some nats free',
  points: 2,
  hints: [
    'Which function of one number has slope 0 below a threshold, and slope 1 above it? To which number is it applied: to the KL of an example, of a coordinate, or of the batch?',
    'First the mean over the batch, for each coordinate by itself. Then the larger of that and of `free`. Then the sum over the coordinates.',
    'The mean is along axis 0 and gives [L]; tf.maximum takes it with the number; the sum of all is a scalar.',
  ],
  checks: [
    {
      name: 'one coordinate above: the full price, shared by the batch',
      async run({ call }) {
        await checkRise(call, [[1]], [[1.75]], 0.5, 'above `free` the slope is 1');
        await checkRise(call, [[3], [0]], [[2.5], [0.25]], 0.5, 'an example counts by 1 / B');
      },
    },
    {
      name: 'one coordinate below what is free: no pull',
      async run({ call }) {
        await checkRise(call, [[0.1]], [[0.4]], 0.5, 'below `free` nothing is to be paid');
        await checkRise(call, [[0.1], [0.2]], [[0.9], [0]], 0.5, 'the mean over the batch is below `free`');
        await checkRise(call, [[0.9], [0.2]], [[1.4], [0.1]], 0.5, 'the mean over the batch is above `free`'); // no constant passes
      },
    },
    {
      name: 'each coordinate has its own',
      async run({ call }) {
        await checkRise(call, [[2, 0.1], [1, 0.3]], [[2, 0.25], [1, 0.5]], 0.5, 'the second one is still free, though the first one pays');
        await checkRise(call, [[2, 0.1], [1, 0.3]], [[2.5, 0.2], [1.25, 0.4]], 0.5, 'the first one pays, the second one does not');
        await checkRise(call, [[2, 1, 3]], [[1.5, 1.25, 4]], 0.25, 'all pay');
      },
    },
  ],
}; // prettier-ignore
