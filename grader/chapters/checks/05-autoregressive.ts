/**
 * Chapter 5: autoregressive models. References are plain loops in double precision; networks given to a submission are
 * small causal functions that mix the whole past.
 */
import * as tf from '@tensorflow/tfjs';
import { permutation, type Rng } from 'dgm';
import { expectArray, expectClose, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { causalOf, causalSource } from './autoregressive-networks';
import { coldChoice, parallel, stepsBack } from './autoregressive-predictions';
import {
  integers,
  logSumExp,
  matrix,
  normal,
  smallestFirst,
  softmax,
  vector,
  type Matrix,
  type Vector,
} from './common';

const chapter = '05-autoregressive';

export type Call = (...args: Value[]) => Promise<Value>;
export type Cube = readonly Matrix[];

export const cube = (x: tf.Tensor) => x.arraySync() as number[][][];

// ar.logLikelihood

export function logLikelihoodOf(logits: Cube, x: Matrix): number[] {
  return x.map((row, n) => row.reduce((sum, v, d) => sum + logits[n]![d]![v]! - logSumExp(logits[n]![d]!), 0));
}

const wrongLikelihoods = (logits: Cube, x: Matrix): readonly KnownMistake[] => {
  const D = x[0]!.length;
  const each =
    (of: (row: Vector, v: number, d: number, n: number) => number, share = 1) =>
    () =>
      tf.tensor1d(x.map((row, n) => row.reduce((sum, v, d) => sum + share * of(logits[n]![d]!, v, d, n), 0)));
  const logP = (row: Vector, v: number) => row[v]! - logSumExp(row);
  const largest = Math.max(...logits.flat(2));
  const f = Math.fround;
  const underflowing = (row: Vector, v: number) => Math.log(softmax(row)[v]! < 1e-45 ? 0 : softmax(row)[v]!);
  const oneLargest = (row: Vector, v: number) =>
    row[v]! -
    largest -
    Math.log(f(row.reduce((sum, l) => sum + (Math.exp(l - largest) < 1e-45 ? 0 : Math.exp(l - largest)), 0)));
  return [
    { hint: 'a sum over the places, not their mean', answer: each(logP, 1 / D) },
    { hint: 'this is −ln p: mind the sign', answer: each((row, v) => -logP(row, v)) },
    { hint: 'logits are not normalised: take the softmax over the values, in logarithms', answer: each((row, v) => row[v]!) },
    { hint: 'normalise over the values of a place, and not over the places', answer: each((row, v, d, n) => row[v]! - logSumExp(logits[n]!.map((place) => place[v]!))) },
    { hint: 'normalised twice: logits go into one softmax, not a softmax into another', answer: each((row, v) => logP(softmax(row), v)) },
    { hint: 'these are probabilities: the logarithm of each is asked for', answer: each((row, v) => softmax(row)[v]!) },
    { hint: 'this is p(x): its logarithm is asked for', answer: () => tf.tensor1d(logLikelihoodOf(logits, x).map(Math.exp)) },
    { hint: 'the logarithm of a softmax underflows: tf.logSoftmax does not', answer: each(underflowing) },
    { hint: 'take out the largest logit of each place, not one for all', answer: each(oneLargest) },
    ...[1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12].map((floor) => ({ hint: 'nothing is added to a probability: tf.logSoftmax never takes the logarithm of 0', answer: each((row, v) => Math.log(softmax(row)[v]! + floor)) })),
  ]; // prettier-ignore
};

export async function checkLogLikelihood(call: Call, logits: tf.Tensor, x: tf.Tensor, hint: string): Promise<void> {
  const about = { what: 'ln p', shape: [x.shape[0]!], hint, nonFinite: true };
  const got = expectTensor(await call(logits, x), about);
  const expected = tf.tensor1d(logLikelihoodOf(cube(logits), matrix(x)));
  const mistakes = wrongLikelihoods(cube(logits), matrix(x));
  expectAnswer(got, expected, { what: 'ln p', rtol: 1e-4, atol: 1e-3, hint }, mistakes);
}

const logLikelihood: Exercise = {
  id: 'ar.logLikelihood',
  chapter,
  functionName: 'logLikelihood',
  title: 'the log-likelihood from logits',
  points: 2,
  hints: [
    'What are logits before they are probabilities? Over which axis do they have to sum to 1?',
    'Normalise over the last axis, in logarithms; pick for every place the entry of its value; add up the places.',
    'tf.logSoftmax(logits), times tf.oneHot of the values as integers with V entries, summed over the last two axes.',
  ],
  checks: [
    {
      name: 'two places by hand: logits of equal size are even odds',
      async run({ call }) {
        const logits = tf.tensor3d([[[3, 3], [0, 0]]]); // prettier-ignore
        await checkLogLikelihood(call, logits, tf.tensor2d([[0, 1]]), '2 ln ½: a sum over places');
        const odds = tf.tensor3d([[[0, Math.log(3)]]]); // prettier-ignore
        await checkLogLikelihood(call, odds, tf.tensor2d([[1]]), 'odds of 3 to 1 are a probability of ¾');
      },
    },
    {
      name: 'agrees with the formula',
      sameForAll: true,
      async run({ call, rng }) {
        for (const [B, D, V] of smallestFirst([[4, 3, 5], [3, 3, 3], [1, 6, 2], [2, 1, 4]] as const)) {
          const here = rng.fork(`${B} ${D} ${V}`);
          const x = integers(here, 'x', [B, D], V);
          await checkLogLikelihood(call, normal(here, 'logits', [B, D, V], 2), x, 'normalise over the values');
        }
      }, // prettier-ignore
    },
    {
      name: 'probabilities of all sequences sum to 1',
      async run({ call, rng }) {
        const logits = tf.tidy(() => normal(rng, 'logits', [1, 2, 3], 2).tile([9, 1, 1]));
        const all = tf.tensor2d(Array.from({ length: 9 }, (_, i) => [Math.floor(i / 3), i % 3]));
        const got = expectTensor(await call(logits, all), { what: 'ln p', shape: [9] });
        const total = vector(got).reduce((sum, l) => sum + Math.exp(l), 0);
        expectClose(total, 1, { what: 'Σ p', atol: 1e-4, hint: 'with fixed logits the places are independent' });
      },
    },
    {
      name: 'works with logits around 1,000',
      async run({ call, rng }) {
        const apart = tf.tensor3d([[[0, 150], [1000, 998]]]); // prettier-ignore
        const hint = 'exp(1000) is Infinity, exp(−150) is 0: tf.logSoftmax takes out the largest logit of every place';
        await checkLogLikelihood(call, apart, tf.tensor2d([[0, 1]]), hint);
        const logits = tf.tidy(() => normal(rng, 'logits', [3, 4, 3], 2).add(1000));
        await checkLogLikelihood(call, logits, integers(rng, 'x', [3, 4], 3), hint);
      },
    },
  ],
};

// ar.inOrder

/** @param undo where row i of the network's answer goes @param read which pixel comes i-th */
function inOrderOf(x: Matrix, V: number, read: Vector, undo: Vector): number[][][] {
  return x.map((row) => {
    const rows = causalOf(read.map((pixel) => row[pixel]!), 2, V); // prettier-ignore
    const result: number[][] = row.map(() => []);
    undo.forEach((pixel, i) => (result[pixel] = rows[i]!));
    return result;
  });
}

export async function checkInOrder(call: Call, x: tf.Tensor, order: Vector, hint: string, V = 3): Promise<void> {
  const [B, D] = x.shape as [number, number];
  const what = 'the logits';
  const got = expectTensor(await call(given(causalSource(2, V)), x, order), { what, shape: [B, D, V], hint });
  const asIs = order.map((_, i) => i);
  const inverse = order.map((_, pixel) => order.indexOf(pixel));
  const sorted = [...order.keys()].sort((a, b) => (`${order[a]},${a}` < `${order[b]},${b}` ? -1 : 1));
  const by = (read: Vector, undo: Vector) => () => tf.tensor3d(inOrderOf(matrix(x), V, read, undo), [B, D, V]);
  expectAnswer(got, by(order, order)(), { what, atol: 1e-3, hint }, [
    { hint: 'row i of the answer is for the pixel that came i-th: put the rows back where they belong', answer: by(order, asIs) },
    { hint: 'the picture has to be put in order before the network reads it', answer: by(asIs, order) },
    { hint: 'the picture has to be put in order before the network reads it', answer: by(asIs, asIs) },
    { hint: 'rows are put back by the inverse of the order, not by the order itself', answer: by(order, inverse) },
    { hint: 'the two permutations are exchanged: order[i] is the pixel that comes i-th', answer: by(inverse, order) },
    { hint: 'the two permutations are exchanged: order[i] is the pixel that comes i-th', answer: by(inverse, inverse) },
    { hint: 'JavaScript sorts numbers as text, 10 before 2, unless it is told how', answer: by(order, sorted.map((_, place) => sorted.indexOf(place))) },
  ]); // prettier-ignore
}

const inOrder: Exercise = {
  id: 'ar.inOrder',
  chapter,
  functionName: 'logitsInOrder',
  title: 'another order',
  points: 2,
  hints: [
    'There are two permutations here. Which one takes a picture to a sequence, and which one takes rows of the answer back to pixels?',
    'gather with `order` gives the sequence: its i-th entry is pixel order[i]. Row d of the result must be the row of the answer that belongs to pixel d: find when pixel d comes.',
    'place[d] is the index of d in `order`; gather the sequence’s logits along axis 1 with `place`.',
  ],
  checks: [
    {
      name: 'reading order changes nothing',
      run: ({ call, rng }) => checkInOrder(call, integers(rng, 'x', [3, 4], 3), [0, 1, 2, 3], 'the network as it is'),
    },
    {
      name: 'backwards, and a shift by one',
      async run({ call, rng }) {
        const x = integers(rng, 'x', [2, 4], 3);
        await checkInOrder(call, x, [3, 2, 1, 0], 'the last pixel comes first');
        await checkInOrder(call, x, [1, 2, 3, 0], 'pixel 1 comes first, pixel 0 last');
      },
    },
    {
      name: 'a random order: row d of the result is for pixel d',
      async run({ call, rng }) {
        for (const [B, D, V] of smallestFirst([[1, 3, 3], [5, 7, 2], [2, 12, 5]] as const)) {
          const order = [...permutation(D, rng.fork(`order ${D}`))];
          const x = integers(rng, `x ${B} ${D}`, [B, D], V);
          await checkInOrder(call, x, order, 'undo the order in the result, by its inverse', V);
        }
      }, // prettier-ignore
    },
  ],
};

// ar.causalConv

/** @param when the step that tap k takes at step t */
function tapped(x: Cube, w: Cube, when: (t: number, k: number) => number): number[][][] {
  return x.map((rows) =>
    rows.map((_, t) =>
      w[0]![0]!.map((__, o) =>
        w.reduce((sum, tap, k) => {
          const step = rows[when(t, k)];
          return step ? sum + step.reduce((inner, value, c) => inner + value * tap[c]![o]!, 0) : sum;
        }, 0),
      ),
    ),
  );
}

export async function checkCausalConv(call: Call, x: tf.Tensor, w: tf.Tensor, dilation: number, hint: string) {
  const shape: [number, number, number] = [x.shape[0]!, x.shape[1]!, w.shape[2]!];
  const [T, last] = [shape[1], w.shape[0]! - 1];
  const half = Math.floor((last * dilation) / 2);
  const got = expectTensor(await call(x, w, dilation), { what: 'y', shape, hint });
  const by = (when: (t: number, k: number) => number) => () => tf.tensor3d(tapped(cube(x), cube(w), when), shape);
  expectAnswer(got, by((t, k) => t - k * dilation)(), { what: 'y', atol: 1e-4, hint }, [
    { hint: 'the taps are in reverse: w[0] is for the present', answer: by((t, k) => t - (last - k) * dilation) },
    { hint: 'nothing comes from the future: pad before the start only', answer: by((t, k) => t + k * dilation) },
    { hint: 'nothing comes from the future: pad before the start only', answer: by((t, k) => t + (last - k) * dilation) },
    { hint: 'nothing comes from the future: all of the padding goes before the start, and none after the end', answer: by((t, k) => t + half - k * dilation) },
    { hint: 'nothing comes from the future: all of the padding goes before the start, and none after the end', answer: by((t, k) => t + last * dilation - half - k * dilation) },
    { hint: 'taps lie one dilation apart, and not one step', answer: by((t, k) => t - k) },
    { hint: 'the present counts: w[0] is for x_t', answer: by((t, k) => (k === 0 ? t - 1 : t - k * dilation)) },
    { hint: 'the present counts: w[0] is for x_t', answer: by((t, k) => t - (k + 1) * dilation) },
    { hint: 'the present counts: w[0] is for x_t', answer: by((t, k) => t - 1 - k * dilation) },
    { hint: 'before the start there are zeros, and not the end of the sequence', answer: by((t, k) => (((t - k * dilation) % T) + T) % T) },
    { hint: 'before the start there are zeros, and not the first step again', answer: by((t, k) => Math.max(0, t - k * dilation)) },
  ]); // prettier-ignore
}

/** An impulse at a step: [1, T, 1]. */
export const impulse = (T: number, at: number) =>
  tf.tensor3d([Array.from({ length: T }, (_, t) => [t === at ? 1 : 0])]);

const causalConv: Exercise = {
  id: 'ar.causalConv',
  chapter,
  functionName: 'causalConv',
  title: 'a dilated causal convolution',
  points: 3,
  hints: [
    'How long must the padding be for the first output to see zeros only, apart from its own step? On which side?',
    'Pad (K − 1) · dilation zeros before the start. Tap k is the padded sequence, cut so that its entry t is x_{t − k · dilation}. Each tap is multiplied by its own matrix w[k].',
    'Slice [0, span − k · dilation, 0] with size [B, T, C], reshape to [B T, C], matMul with w[k] as [C, O], add all taps, reshape to [B, T, O].',
  ],
  checks: [
    {
      name: 'an impulse comes out at its own step and later, one dilation apart',
      async run({ call }) {
        const w = tf.tensor3d([[[5]], [[7]], [[9]]]);
        await checkCausalConv(call, impulse(7, 1), w, 1, 'w[0] is for the present: 5, 7, 9 at steps 1, 2, 3');
        await checkCausalConv(call, impulse(7, 1), w, 2, '5, 7, 9 at steps 1, 3, 5');
      },
    },
    {
      name: 'nothing comes from the future',
      run: ({ call }) =>
        checkCausalConv(call, impulse(5, 4), tf.tensor3d([[[5]], [[7]]]), 1, 'pad before the start only'),
    },
    {
      name: 'agrees with the formula, for several examples and channels',
      async run({ call, rng }) {
        for (const [B, T, C, O, K, dilation] of smallestFirst([[2, 6, 3, 2, 3, 1], [3, 9, 2, 4, 2, 3], [1, 4, 1, 1, 1, 2]] as const)) {
          const here = rng.fork(`${B} ${T} ${C} ${O} ${K}`);
          await checkCausalConv(call, normal(here, 'x', [B, T, C]), normal(here, 'w', [K, C, O]), dilation, 'y_t = Σ_k x_{t − k · dilation} w_k'); // prettier-ignore
        }
      }, // prettier-ignore
    },
    {
      name: 'works when it looks back further than the sequence is long',
      run: ({ call, rng }) =>
        checkCausalConv(call, normal(rng, 'x', [2, 3, 2]), normal(rng, 'w', [3, 2, 2]), 4, 'zeros before the start'),
    },
  ],
};

// ar.kernelMask

const maskOf = (size: number, counts: (row: number, column: number, centre: number) => boolean) =>
  Array.from({ length: size }, (_, r) =>
    Array.from({ length: size }, (__, c) => (counts(r, c, (size - 1) / 2) ? 1 : 0)),
  );

export async function checkMask(call: Call, size: number, kind: 'A' | 'B', hint: string): Promise<void> {
  const what = `mask ${kind} of ${size} × ${size}`;
  const got = expectArray(await call(size, kind), { what, length: size, hint });
  const B = kind === 'B';
  const before = (r: number, c: number, m: number) => r < m || (r === m && c < m);
  const itself = (r: number, c: number, m: number) => r === m && c === m;
  const mistakes = (
    [
      [B ? 'mask B counts the pixel itself: what later layers find at their own place has not seen it' : 'mask A hides the pixel itself', (r, c, m) => before(r, c, m) || (itself(r, c, m) && !B)],
      ['the rows above count as a whole, also to the right of the centre', (r, c, m) => r <= m && c <= m && (B || !itself(r, c, m))],
      ['what is left of the centre counts, in its own row', (r, c, m) => r < m || (itself(r, c, m) && B)],
      ['in the centre’s row, only what is left of it counts', (r, c, m) => r <= m && (B || !itself(r, c, m))],
      ['what comes before counts, not what comes after', (r, c, m) => !before(r, c, m) && (B || !itself(r, c, m))],
      ['reading order goes along rows: [row][column]', (r, c, m) => before(c, r, m) || (itself(r, c, m) && B)],
      ['the rows below the centre come later', (r, c, m) => r !== m || (c < m) || (itself(r, c, m) && B)],
    ] as readonly (readonly [string, (r: number, c: number, m: number) => boolean])[]
  ).map(([told, counts]) => ({ hint: told, answer: () => maskOf(size, counts) })); // prettier-ignore
  const expected = maskOf(size, (r, c, m) => before(r, c, m) || (itself(r, c, m) && B));
  expectAnswer(got, expected, { what, rtol: 0, atol: 0, hint }, mistakes);
}

const kernelMask: Exercise = {
  id: 'ar.kernelMask',
  chapter,
  functionName: 'kernelMask',
  title: 'masks A and B',
  points: 2,
  hints: [
    'Number the weights of the window in reading order. Which number has the centre, and what does "before" mean for numbers?',
    'All rows above the centre count, and in the centre’s row the columns left of it. The centre counts for B only. Rows below count for neither.',
    'With centre = (size − 1) / 2: 1 when row < centre, or row === centre and column < centre, or both equal centre and kind is B.',
  ],
  checks: [
    { name: 'mask A of 3 × 3', run: ({ call }) => checkMask(call, 3, 'A', '1 1 1, 1 0 0, 0 0 0') },
    { name: 'mask B of 3 × 3', run: ({ call }) => checkMask(call, 3, 'B', '1 1 1, 1 1 0, 0 0 0') },
    {
      name: 'both of 5 × 5, and of one weight',
      async run({ call }) {
        for (const size of [1, 5])
          for (const kind of ['A', 'B'] as const)
            await checkMask(call, size, kind, 'the centre is in row (size − 1) / 2');
      },
    },
  ],
};

// ar.draw

interface DrawSlip {
  /** What the network is asked about before place d is drawn. */
  readonly asked?: (x: Vector, d: number) => Vector;
  readonly row?: (d: number) => number;
  readonly value?: (p: Vector, u: number) => number;
  readonly noise?: (u: Vector, d: number) => number;
}

/** Counts the cumulative sums that are at most u: all but the last, which is 1 on paper. */
function byInverse(p: Vector, u: number): number {
  let [sum, v] = [p[0]!, 0];
  while (sum <= u && v < p.length - 1) sum += p[++v]!;
  return v;
}

export function drawOf(u: Matrix, scale: number, V = 3, slip: DrawSlip = {}): number[][] {
  const { asked = (x) => x, row = (d) => d, value = byInverse, noise = (us, d) => us[d]! } = slip;
  return u.map((us) => {
    const x: number[] = us.map(() => 0);
    us.forEach((_, d) => (x[d] = value(softmax(causalOf(asked(x, d), scale, V)[row(d)]!), noise(us, d))));
    return x;
  });
}

const DRAW_SLIPS: readonly (readonly [hint: string, slip: DrawSlip])[] = [
  ['each value is drawn given those before it: ask the network anew, about what is drawn so far', { asked: (x) => x.map(() => 0) }],
  ['row d of the answer predicts place d itself', { row: (d) => Math.max(0, d - 1) }],
  ['a draw, and not the likeliest value', { value: (p) => p.indexOf(Math.max(...p)) }],
  ['every place has noise of its own: column d of u', { noise: (u) => u[0]! }],
  ['every place has noise of its own: column d of u, in order', { noise: (u, d) => u[u.length - 1 - d]! }],
  ['count cumulative sums, and not probabilities', { value: (p, u) => Math.min(p.length - 1, p.filter((v) => v <= u).length) }],
  ['values are counted from 0: the number of sums that are at most u', { value: (p, u) => byInverse(p, u) + 1 }],
  ['small u gives small values: count the sums that are at most u', { value: (p, u) => p.length - 1 - byInverse(p, u) }],
  ['a sum that is equal to u is passed: “at most u”', { value: (p, u) => { let [sum, v] = [p[0]!, 0]; while (sum < u && v < p.length - 1) sum += p[++v]!; return v; } }],
]; // prettier-ignore

/** Noise that stays away, by a tenth of p(x_d), from where the drawn value changes: rounding cannot change it. */
export function noiseFor(rng: Rng, [B, D]: readonly [number, number], scale: number, V = 3): tf.Tensor {
  const u = matrix(rng.fork('u').uniform([B, D]));
  const x = drawOf(u, scale, V);
  const safe = u.map((row, n) =>
    row.map((value, d) => {
      const p = softmax(causalOf(x[n]!, scale, V)[d]!);
      const low = p.slice(0, x[n]![d]).reduce((a, b) => a + b, 0);
      const width = p[x[n]![d]!]!;
      return low + width * (0.1 + (0.8 * (value - low)) / width); // further inside, where the same value is drawn
    }),
  );
  return tf.tensor2d(safe);
}

export async function checkDraw(call: Call, u: tf.Tensor, scale: number, hint: string, V = 3): Promise<void> {
  const [B, D] = u.shape as [number, number];
  const what = 'the draws';
  const got = expectTensor(await call(given(causalSource(scale, V)), u), { what, shape: [B, D], hint });
  const by = (slip: DrawSlip) => tf.tensor2d(drawOf(matrix(u), scale, V, slip), [B, D]);
  const mistakes = DRAW_SLIPS.map(([told, slip]) => ({ hint: told, answer: () => by(slip) }));
  expectAnswer(got, by({}), { what, hint }, mistakes);
}

const draw: Exercise = {
  id: 'ar.draw',
  chapter,
  functionName: 'drawInOrder',
  title: 'ancestral sampling',
  points: 3,
  hints: [
    'When x_d is drawn, which of the other values has to be known already? How often must the network be asked?',
    'Loop over d: ask the network with what is drawn so far, take row d, softmax, cumulate, and count how many of the sums are at most u_d (but never draw a value beyond V − 1). Put that number in place d before the next step.',
    'tf.gather(network(x), d, 1) is [B, V]; tf.cumsum of its softmax, lessEqual u’s column d, summed over the values, and V − 1 at most; tf.where(tf.range(0, D).equal(d), drawn, x).',
  ],
  checks: [
    {
      name: 'one place: the value where the cumulative probability passes u',
      async run({ call }) {
        const [first] = causalOf([0]);
        const p = softmax(first!);
        const middles = [p[0]! / 2, p[0]! + p[1]! / 2, 1 - p[2]! / 2];
        await checkDraw(
          call,
          tf.tensor2d(middles.map((u) => [u])),
          2,
          'u below p(0) gives 0, below p(0) + p(1) gives 1',
        );
        // p = (0, 1, 0), in double precision too
        await checkDraw(call, tf.tensor2d([[0]]), 20_000, 'u = 0 and p(0) = 0: a sum that is equal to u is passed');
      },
    },
    {
      name: 'each value is drawn given those before it',
      async run({ call, rng }) {
        for (const [B, D, V] of smallestFirst([[6, 2, 3], [5, 5, 2], [1, 8, 7]] as const))
          await checkDraw(call, noiseFor(rng.fork(`${B} ${D}`), [B, D], 2, V), 2, 'ask the network anew after every value', V);
        const hint = 'u = 1 − 2⁻²⁴: in 32 bits the last sum may lie below it, and the value is V − 1 all the same';
        await checkDraw(call, tf.fill([1, 24], 1 - 2 ** -24), 2, hint);
      }, // prettier-ignore
    },
    {
      name: 'frequencies are probabilities',
      async run({ call }) {
        const n = 200;
        const u = tf.tensor2d(Array.from({ length: n }, (_, i) => [(i + 0.5) / n]));
        const got = expectTensor(await call(given(causalSource()), u), { what: 'the draws', shape: [n, 1] });
        const share = [0, 1, 2].map((v) => vector(got.flatten()).filter((x) => x === v).length / n);
        const hint = 'u over [0, 1) in equal steps gives every value its share';
        expectClose(share, softmax(causalOf([0])[0]!), { what: 'the shares of 0, 1 and 2', atol: 0.011, hint });
      },
    },
  ],
};

// ar.temperature

export function temperedOf(logits: Matrix, tau: number): number[][] {
  return logits.map((row) => softmax(row.map((l) => l / tau)));
}

export async function checkTempered(call: Call, logits: tf.Tensor, tau: number, hint: string): Promise<void> {
  const shape = logits.shape as [number, number];
  const what = 'the probabilities';
  const got = expectTensor(await call(logits, tau), { what, shape, hint, nonFinite: true });
  const by = (of: (row: Vector) => number[]) => tf.tensor2d(matrix(logits).map(of), shape);
  const scaled = (factor: number) => (row: Vector) => softmax(row.map((l) => l * factor));
  expectAnswer(got, by(scaled(1 / tau)), { what, atol: 1e-5, hint }, [
    { hint: 'divide the logits: below τ = 1 the likely becomes likelier', answer: () => by(scaled(tau)) },
    { hint: 'the temperature has no effect: a factor on probabilities cancels when they are normalised', answer: () => by(softmax) },
    { hint: 'the temperature counts once', answer: () => by(scaled(1 / tau ** 2)) },
    { hint: 'the powers have to be normalised again', answer: () => by((row) => softmax(row).map((p) => p ** (1 / tau))) },
    { hint: 'these are logarithms: probabilities are asked for', answer: () => by((row) => scaled(1 / tau)(row).map(Math.log)) },
    { hint: 'the softmax of probabilities is another thing: divide the logits', answer: () => by((row) => softmax(softmax(row).map((p) => p / tau))) },
    { hint: 'however cold it is, the second likeliest keeps its odds: take no shortcut to the likeliest value', answer: () => by((row) => row.map((l) => (l === Math.max(...row) ? 1 : 0))) },
    ...[0.01, 0.1, 1e-2].map((least) => ({ hint: 'τ as it is: no bound below it', answer: () => by(scaled(1 / Math.max(tau, least))) })),
  ]); // prettier-ignore
}

const temperature: Exercise = {
  id: 'ar.temperature',
  chapter,
  functionName: 'tempered',
  title: 'temperature',
  points: 1,
  hints: [
    'What is the logarithm of p to the power 1/τ?',
    'Powers of probabilities are multiples of logarithms; the softmax takes care of the normalisation.',
    'Divide the logits by τ, and take the softmax over the last axis.',
  ],
  checks: [
    {
      name: 'τ = 1 changes nothing',
      run: ({ call, rng }) => checkTempered(call, normal(rng, 'logits', [3, 4], 2), 1, 'softmax'),
    },
    {
      name: 'τ = ½ squares the odds, and τ = 2 takes their root',
      async run({ call }) {
        const logits = tf.tensor2d([[0, Math.log(4)]]);
        await checkTempered(call, logits, 0.5, 'odds of 4 become odds of 16');
        await checkTempered(call, logits, 2, 'odds of 4 become odds of 2');
      },
    },
    {
      name: 'agrees with the formula, rows sum to 1',
      async run({ call, rng }) {
        for (const tau of [0.3, 0.7, 1.5, 10])
          await checkTempered(call, normal(rng, `${tau}`, [5, 6], 3), tau, 'logits over τ');
        await checkTempered(
          call,
          tf.tensor2d([[0, 200]]),
          100,
          'odds of e²⁰⁰ become odds of e²: the softmax of the logits underflows, the logits do not',
        );
      },
    },
    {
      name: 'works when it is very cold',
      async run({ call }) {
        const hint = 'powers of probabilities underflow: stay in logarithms';
        await checkTempered(call, tf.tensor2d([[1, 3, 2]]), 0.001, hint);
        const rows = tf.tensor2d([[1, 3, 2], [0, 0.002, 0.001]]); // prettier-ignore
        await checkTempered(call, rows, 0.001, 'each row by itself: odds of e^0.002 become odds of e²');
      },
    },
  ],
};

// ar.attend

interface AttendSlip {
  /** The last key that query i may see, of P steps before and S new ones. */
  readonly last?: (i: number, P: number, S: number) => number;
  readonly scale?: (d: number) => number;
}

function attendOf(q: Cube, k: Cube, v: Cube, slip: AttendSlip = {}): number[][][] {
  const { last = (i, P) => P + i, scale = (d) => Math.sqrt(d) } = slip;
  return q.map((queries, n) =>
    queries.map((query, i) => {
      const P = k[n]!.length - queries.length;
      const seen = k[n]!.slice(0, last(i, P, queries.length) + 1);
      const scores = seen.map((key) => key.reduce((sum, value, c) => sum + value * query[c]!, 0) / scale(query.length));
      const a = softmax(scores);
      return v[n]![0]!.map((_, c) => a.reduce((sum, weight, s) => sum + weight * v[n]![s]![c]!, 0));
    }),
  );
}

const ATTEND_SLIPS: readonly (readonly [hint: string, slip: AttendSlip])[] = [
  ['query i of the new ones is step P + i of all: the triangle belongs in the lower right corner', { last: (i) => i }],
  ['one new step sees everything; of several, none sees those that come after it', { last: (i, P, S) => (P > 0 ? P + S - 1 : i) }],
  ['nothing is masked here: a step does not see those that come after it', { last: (_, P, S) => P + S - 1 }],
  ['a step sees itself', { last: (i, P) => Math.max(0, P + i - 1) }],
  ['the step after a query lies ahead of it', { last: (i, P, S) => Math.min(P + S - 1, P + i + 1) }],
  ['new steps see each other’s past, and not only the steps before all of them', { last: (i, P) => (P > 0 ? P - 1 : i) }],
  ['scores are divided by the root of d', { scale: () => 1 }],
  ['scores are divided by the root of d, not by d', { scale: (d) => d }],
]; // prettier-ignore

export interface AttendInput {
  readonly q: tf.Tensor;
  readonly k: tf.Tensor;
  readonly v: tf.Tensor;
}

/** P steps before, S new ones. */
export function attendInput(rng: Rng, B: number, P: number, S: number, d: number): AttendInput {
  return {
    q: normal(rng, 'q', [B, S, d]),
    k: normal(rng, 'k', [B, P + S, d]),
    v: normal(rng, 'v', [B, P + S, d]),
  };
}

export async function checkAttend(call: Call, { q, k, v }: AttendInput, hint: string): Promise<void> {
  const shape = q.shape as [number, number, number];
  const got = expectTensor(await call(q, k, v), { what: 'y', shape, hint, nonFinite: true });
  const by = (slip: AttendSlip) => tf.tensor3d(attendOf(cube(q), cube(k), cube(v), slip), shape);
  const mistakes = ATTEND_SLIPS.map(([told, slip]) => ({ hint: told, answer: () => by(slip) }));
  expectAnswer(got, by({}), { what: 'y', atol: 1e-4, hint }, mistakes);
}

async function checkLoud(call: Call, { q, k, v }: AttendInput, hint: string): Promise<void> {
  const shape = q.shape as [number, number, number];
  const got = expectTensor(await call(q, k, v), { what: 'y', shape, hint });
  expectClose(got, tf.tensor3d(attendOf(cube(q), cube(k), cube(v)), shape), { what: 'y', atol: 1e-4, hint });
}

/** What may be seen scores about −10¹⁰, and what lies ahead 0: a mask of some large number lets it through. */
function loudFuture(rng: Rng, P: number, S: number): AttendInput {
  const steps = P + S;
  const seen = tf.tensor3d([Array.from({ length: steps }, (_, s) => [s < steps - 1 ? -1e5 : 0])]);
  return { q: tf.fill([1, S, 1], 1e5), k: seen, v: normal(rng, 'v', [1, steps, 1]) };
}

const attend: Exercise = {
  id: 'ar.attend',
  chapter,
  functionName: 'attend',
  title: 'the bug to find',
  points: 3,
  allOrNothing: true,
  hints: [
    'Draw the matrix of which query sees which key for P = 3 and S = 2. Where in it is the triangle?',
    'Query i of the new ones is step P + i of the sequence. The triangle belongs in the lower right corner, and the code puts it in the upper left.',
    'The steps of the queries are all − S, …, all − 1: compare the keys’ numbers with these.',
  ],
  checks: [
    {
      name: 'a whole sequence (P = 0)',
      async run({ call, rng }) {
        await checkAttend(call, attendInput(rng, 3, 0, 1, 2), 'one step sees itself');
        for (const [B, S, d] of smallestFirst([[2, 5, 4], [1, 3, 2]] as const))
          await checkAttend(call, attendInput(rng.fork(`${B} ${S}`), B, 0, S, d), 'step t sees steps 0 … t');
      }, // prettier-ignore
    },
    {
      name: 'one new step sees everything before it, and itself',
      async run({ call, rng }) {
        for (const [B, P] of smallestFirst([[1, 1], [2, 4], [2, 9]] as const))
          await checkAttend(call, attendInput(rng.fork(`${P}`), B, P, 1, 3), 'no key lies ahead of the newest step');
      }, // prettier-ignore
    },
    {
      name: 'several new steps see all before, and not each other’s future',
      async run({ call, rng }) {
        for (const [B, P, S] of smallestFirst([[1, 3, 2], [2, 2, 5], [2, 6, 3]] as const))
          await checkAttend(call, attendInput(rng.fork(`${P} ${S}`), B, P, S, 4), 'query i is step P + i');
        const hint = 'what lies ahead has the weight 0, however low the other scores are: −Infinity, not a large number';
        await checkLoud(call, loudFuture(rng, 2, 2), hint);
      }, // prettier-ignore
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  logLikelihood,
  inOrder,
  causalConv,
  kernelMask,
  stepsBack,
  draw,
  parallel,
  temperature,
  attend,
  coldChoice,
];
