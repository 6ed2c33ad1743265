/** Chapter 10: how many nats a level holds: in a linear world, under a price that leaves some free, and at most or least. */
import { expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrixTensor, meanOf, type Matrix, type Vector } from './common';

const chapter = '10-hierarchical';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

// hierarchy.levelNats

type Order = 'top-down' | 'bottom-up';

/** Nats that two jointly Gaussian numbers tell of each other, by their variances and their covariance. */
const mutual = (a: number, b: number, covariance: number) =>
  0.5 * Math.log((a * b) / (a * b - covariance ** 2)); // prettier-ignore

/** Of z₁, z₂ and x: what they tell of each other, two by two. */
function told(a: number, w: number, sigma: number) {
  const x = w ** 2 + sigma ** 2;
  return { topX: mutual(1, x, a * w), lowX: mutual(1, x, w), both: mutual(1, 1, a) };
}

function natsOf(a: number, w: number, sigma: number, order: Order): { top: number; low: number } {
  const { topX, lowX, both } = told(a, w, sigma);
  const top = { 'top-down': topX, 'bottom-up': both }[order];
  return { top, low: lowX - top };
}

function mistakenNats(a: number, w: number, sigma: number, order: Order): Record<'top' | 'low', readonly KnownMistake[]> {
  const { topX, lowX, both } = told(a, w, sigma);
  const right = natsOf(a, w, sigma, order);
  const of = (hint: string, answer: number): KnownMistake => ({ hint, answer: () => answer });
  const upwards = order !== 'top-down';
  const other = natsOf(a, w, sigma, upwards ? 'top-down' : 'bottom-up');
  const swapped =
    upwards
      ? 'upwards, the top is guessed from z₂ that was drawn, and not from x: its mean KL is what z₂ tells of it'
      : 'downwards, the top is guessed from x: its mean KL is what x tells of it';
  return {
    top: [
      of(swapped, other.top),
      of('that is what both levels say together', lowX),
      of('nats: natural logarithms', right.top / Math.LN2),
      of('the factor ½ of a Gaussian’s logarithm', 2 * right.top),
      of('x is w z₂ and noise: the top shows in it only as far as it shows in z₂', mutual(1, w ** 2 + sigma ** 2, w * Math.sqrt(1 - a ** 2))),
      of('σ is a deviation: its square is the variance', natsOf(a, w, Math.sqrt(sigma), order).top),
    ],
    low: [
      of(swapped, other.low),
      of('the KL of the level below is from its prior given the top, which knows a part already', lowX),
      ...(topX > 1e-6 ? [of('that is what the top says', topX)] : []),
      ...[Math.max(0, right.low), Math.abs(right.low)].map((value) => of('it may be below 0 upwards: q(z₂ | x) is compared with a prior at a top that saw z₂', value)),
      of('nats: natural logarithms', right.low / Math.LN2),
      of('the factor ½ of a Gaussian’s logarithm', 2 * right.low),
      of('what both say together is the mutual information of x and z₂; the top’s share goes off', lowX + right.top),
      of('σ is a deviation: its square is the variance', natsOf(a, w, Math.sqrt(sigma), order).low),
      of('the two KLs add up to what x tells of the latents', both - right.top),
    ],
  };
} // prettier-ignore

export async function checkNats(call: Call, a: number, w: number, sigma: number, order: Order): Promise<void> {
  const hint = 'with exact posteriors, a mean KL from the prior is a mutual information';
  const got = expectFields(await call(a, w, sigma, order), ['top', 'low'], { what: 'the answer', hint });
  const wanted = natsOf(a, w, sigma, order);
  const mistakes = mistakenNats(a, w, sigma, order);
  for (const level of ['top', 'low'] as const) {
    const what = `${level} of a = ${a}, w = ${w}, σ = ${sigma}, ${order}`;
    const tolerance = { what, rtol: 1e-5, atol: 1e-6, hint };
    expectAnswer(expectNumber(got[level], { what, hint }), wanted[level], tolerance, mistakes[level]);
  }
} // prettier-ignore

export const levelNats: Exercise = {
  id: 'hierarchy.levelNats',
  chapter,
  functionName: 'levelNats',
  title: 'predict: what each level holds',
  points: 2,
  allOrNothing: true,
  hints: [
    'What is the mean of KL[p(z | x) ‖ p(z)] over x, in the words of chapter 2? Which of x and z₂ is the top guessed from, downwards, and which upwards?',
    'A mutual information of two Gaussians is half the logarithm of the variance of the one over its variance once the other is known. What is the variance of x once z₁ is known?',
    'Together: ½ ln (1 + w²/σ²). Downwards the top has ½ ln of w² + σ² over (1 − a²) w² + σ², upwards −½ ln (1 − a²). The level below has the rest, of whatever sign.',
  ],
  checks: [
    {
      name: 'levels that know nothing of each other',
      async run({ call }) {
        await checkNats(call, 0, 1, 1, 'top-down');
        await checkNats(call, 0, 3, 0.5, 'bottom-up');
      },
    },
    {
      name: 'downwards',
      async run({ call }) {
        await checkNats(call, 0.6, 1, 1, 'top-down');
        await checkNats(call, 0.9, 3, 0.5, 'top-down');
      },
    },
    {
      name: 'upwards',
      async run({ call }) {
        await checkNats(call, 0.6, 3, 0.5, 'bottom-up');
        await checkNats(call, 0.9, 0.5, 1, 'bottom-up');
      },
    },
  ],
};

// hierarchy.price

/** For each level, KL of its coordinates for each example. */
export type Levels = readonly Matrix[];

const levelMean = (rows: Matrix) => meanOf(rows.map(sum));

/** What the price must rise by from one batch to another, where each level stays on its side of `free`. */
const riseOf = (from: Levels, to: Levels, free: number): number =>
  sum(from.map((rows, l) => (levelMean(rows) > free ? levelMean(to[l]!) - levelMean(rows) : 0)));

type Price = (levels: Levels, free: number) => number;

const coordinateMeans = (rows: Matrix) => rows[0]!.map((_, l) => meanOf(rows.map((row) => row[l]!)));
/** In the order in which they are looked for: what one input leaves open, an earlier one has told. */
const wrongPrices: readonly (readonly [hint: string, price: Price])[] = [
  ['`free` is for a level, on the sum over its coordinates: here each coordinate has it', (levels, free) => sum(levels.map((rows) => sum(coordinateMeans(rows).map((m) => Math.max(m, free)))))],
  ['each level has its own: one that says much must not use up what the others have free', (levels, free) => Math.max(sum(levels.map(levelMean)), free)],
  ['each level has its own: this compares the sum of all levels', (levels, free) => Math.max(sum(levels.map(levelMean)), free * levels.length)],
  ['nothing is free here: this is the mean KL', (levels) => sum(levels.map(levelMean))],
  ['the mean over the batch comes first: an example may say more than `free` where others say less', (levels, free) => sum(levels.map((rows) => meanOf(rows.map((row) => Math.max(sum(row), free)))))],
  ['what is above `free` counts, and what is below is free: is the clamp the wrong way round?', (levels, free) => sum(levels.map((rows) => Math.min(levelMean(rows), free)))],
  ['a sum over a level’s coordinates, not their mean', (levels, free) => sum(levels.map((rows) => Math.max(levelMean(rows) / rows[0]!.length, free)))],
  ['a sum over the levels, not their mean', (levels, free) => meanOf(levels.map((rows) => Math.max(levelMean(rows), free)))],
  ['the top counts, too', (levels, free) => sum(levels.slice(1).map((rows) => Math.max(levelMean(rows), free)))],
  ['all levels count, the lowest one, too', (levels, free) => sum(levels.slice(0, -1).map((rows) => Math.max(levelMean(rows), free)))],
  ['this pulls a level up to `free`: below, there is to be no pull at all', (levels, free) => sum(levels.map((rows) => Math.abs(levelMean(rows) - free)))],
  ['the KL is a price: it is paid, and not earned', (levels, free) => -sum(levels.map((rows) => Math.max(levelMean(rows), free)))],
]; // prettier-ignore

/** Any price of the right slopes will do, so differences are compared, between batches of one side. */
export async function checkRise(call: Call, from: Levels, to: Levels, free: number, hint: string): Promise<void> {
  const price = async (levels: Levels) => {
    const got = expectTensor(await call(levels.map(matrixTensor), free), { what: 'the price', shape: [], hint: 'one number for the batch: a scalar tensor' });
    return got.dataSync()[0]!;
  };
  const rise = (await price(to)) - (await price(from));
  const what = `the rise of the price with ${free} free, from ${said(from)} to ${said(to)},`;
  const mistakes = wrongPrices.map(([why, by]): KnownMistake => ({ hint: why, answer: () => by(to, free) - by(from, free) }));
  expectAnswer(rise, riseOf(from, to, free), { what, rtol: 1e-4, atol: 1e-4, hint }, mistakes);
} // prettier-ignore

const said = (levels: Levels) => levels.map((rows) => `[${rows.map((row) => `[${row.join(', ')}]`).join(', ')}]`).join(' and '); // prettier-ignore

export const price: Exercise = {
  id: 'hierarchy.price',
  chapter,
  functionName: 'levelPrice',
  title: 'design: nats that are free for a level',
  points: 2,
  hints: [
    'Chapter 8 gave each coordinate its own free nats. A level has many coordinates: of which number of a level is it that some is free?',
    'For each level: the sum over its coordinates, the mean over the batch, and only then the larger of that and `free`. At last the sum over the levels.',
    'One scalar for each level, by a map over the list; tf.addN adds them up.',
  ],
  checks: [
    {
      name: 'one level above: the full price of all its coordinates',
      async run({ call }) {
        await checkRise(call, [[[2.5, 2]]], [[[3, 2.25]]], 2, 'above `free` the slope is 1');
        await checkRise(call, [[[3, 1], [0, 2]]], [[[2, 1], [0.5, 2]]], 2, 'an example counts by 1 / B');
        await checkRise(call, [[[3, 1]], [[0.5, 0.5, 2.5]]], [[[3.5, 1]], [[0.5, 0.5, 2.8]]], 2, 'two levels above: both count');
      },
    },
    {
      name: 'one level below what is free: no pull',
      async run({ call }) {
        await checkRise(call, [[[0.2, 0.1]], [[0.3, 0.2]]], [[[0.5, 0.4]], [[0.1, 0.9]]], 2, 'both levels are still free');
        await checkRise(call, [[[2, 2]], [[0.2, 0.1, 0.3]]], [[[2.5, 2]], [[0.5, 0.4, 0.9]]], 2, 'the level below is still free');
        await checkRise(call, [[[0.2, 0.1]], [[2.5, 3]]], [[[0.5, 0.4]], [[2.25, 3]]], 2, 'the top is still free');
      },
    },
    {
      name: 'one coordinate may say all that is free, and one example as well',
      async run({ call }) {
        await checkRise(call, [[[2.5, 0.1]], [[0, 1.5]]], [[[2.5, 0.4]], [[0, 1.75]]], 2, 'the sum over the coordinates of a level is compared');
        await checkRise(call, [[[4, 0], [0, 0.5]], [[3, 0], [0, 0]]], [[[5, 0], [0, 0.25]], [[3.5, 0], [0, 0]]], 2, 'the mean over the batch is compared');
      },
    },
  ],
}; // prettier-ignore

// hierarchy.sharing

interface Share {
  readonly least: number;
  readonly most: number;
  readonly extra: number;
}

/** The cheapest shares lie between corners of a price that is convex and piecewise linear: all corners are tried. */
function shareOf(total: number, levels: number, free: number): Share {
  // only two numbers matter, what one level holds and what all others hold together: the others' best price is convex
  const othersPrice = (held: number) => Math.max(held, free * (levels - 1));
  const corners = [0, total, free, total - free * (levels - 1)].filter((held) => held >= 0 && held <= total + 1e-12);
  const priceAt = (held: number) => Math.max(held, free) + (levels > 1 ? othersPrice(total - held) : 0);
  const options = levels > 1 ? corners : [total];
  const best = Math.min(...options.map(priceAt));
  const good = options.filter((held) => priceAt(held) <= best + 1e-9);
  return { least: Math.min(...good), most: Math.max(...good), extra: best - total };
}

function mistakenShare(total: number, levels: number, free: number): Record<keyof Share, readonly KnownMistake[]> {
  const of = (hint: string, answer: number): KnownMistake => ({ hint, answer: () => answer });
  const right = shareOf(total, levels, free);
  const enough = total >= levels * free;
  return {
    least: [
      of(enough ? 'a level below `free` pays for nats that it does not hold, and the others hold them and pay for them again' : 'there is not enough for all: which shares are still the cheapest?', enough ? 0 : free),
      of('even shares are one way; which others are as cheap?', total / levels),
      ...(free > 0 ? [of('what the others can hold without paying more is bounded', Math.max(0, total - levels * free))] : []),
      of('least and most are exchanged', right.most),
      of('no level can hold less than nothing', total - (levels - 1) * free),
    ],
    most: [
      of(enough ? 'the others keep `free` nats each' : 'a level above `free` pays in full, and the others pay for nats that they do not hold', total),
      of('even shares are one way; which others are as cheap?', total / levels),
      of('above `free`, a nat costs a nat, wherever it is held', right.least),
      of('no level can hold more than there is', free),
    ],
    extra: [
      of('there are not enough nats for all levels: the rest is paid without being held', 0),
      ...(free > 0 ? [of('that is what is left over; a price is never below the KL', total - levels * free)] : []),
      of('a price is never below the sum of the KLs: where there is enough for all, nothing is paid beyond it', levels * free - total),
      of('nats that are free are still counted, in max(λ, KL): what is above −ln p(x) is what nobody holds', levels * free),
      of('nats that are free are still counted, in max(λ, KL): what is above −ln p(x) is what nobody holds', right.extra + total),
    ],
  };
} // prettier-ignore

export async function checkSharing(call: Call, total: number, levels: number, free: number): Promise<void> {
  const hint = 'compare Σ max(λ, KL) of different shares';
  const got = expectFields(await call(total, levels, free), ['least', 'most', 'extra'], { what: 'the answer', hint });
  const wanted = shareOf(total, levels, free);
  const mistakes = mistakenShare(total, levels, free);
  for (const field of ['least', 'most', 'extra'] as const) {
    const what = `${field} of ${total} nats, ${levels} levels and λ = ${free}`;
    const tolerance = { what, rtol: 1e-6, atol: 1e-7, hint };
    expectAnswer(expectNumber(got[field], { what, hint }), wanted[field], tolerance, mistakes[field]);
  }
}

export const sharing: Exercise = {
  id: 'hierarchy.sharing',
  chapter,
  functionName: 'sharing',
  title: 'predict: who holds what when some is free',
  points: 2,
  allOrNothing: true,
  hints: [
    'All shares have the same likelihood. When is Σ max(λ, KL) larger than the sum of the KLs, and by how much?',
    'If there are at least λ nats for each level, the price need not be above the sum: every level must then hold λ or more. If there are not, nobody may hold more than λ: the price is then λ a level whatever the shares are.',
    'Enough for all: a level holds from λ up to what remains when the others hold λ each. Not enough: from what remains, or 0, up to λ, or to all that there is; and the rest, levels times λ less the total, is paid for nothing.',
  ],
  checks: [
    {
      name: 'nothing free: any share is as good',
      async run({ call }) {
        await checkSharing(call, 6, 2, 0);
        await checkSharing(call, 6, 3, 0);
      },
    },
    {
      name: 'enough for all levels',
      async run({ call }) {
        await checkSharing(call, 10, 2, 3);
        await checkSharing(call, 12, 3, 2.5);
      },
    },
    {
      name: 'not enough',
      async run({ call }) {
        await checkSharing(call, 4, 2, 3);
        await checkSharing(call, 2, 3, 1.5);
      },
    },
  ],
};
