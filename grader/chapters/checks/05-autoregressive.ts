/**
 * Chapter 5: autoregressive models. References are plain loops in double precision; networks given to a submission are
 * small causal functions that mix the whole past.
 */
import * as tf from '@tensorflow/tfjs';
import { permutation, type Rng } from 'dgm';
import { expectArray, expectClose, expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
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

export async function checkLogLikelihood(call: Call, logits: tf.Tensor, x: tf.Tensor, hint: string): Promise<void> {
  const got = expectTensor(await call(logits, x), { what: 'ln p', shape: [x.shape[0]!], hint });
  expectClose(got, tf.tensor1d(logLikelihoodOf(cube(logits), matrix(x))), { what: 'ln p', rtol: 1e-4, atol: 1e-3, hint }); // prettier-ignore
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

// ar.inOrder, ar.draw: a causal network that mixes the whole past

/** Row i of its answer: logits sin((v + 1) (i + 1) + Σ_{j<i} (j + 1) y_j), for V = 3 values, times `scale`. */
export const causalSource = (scale = 2) => `(y) => {
  const [B, D] = y.shape;
  const past = tf.cumsum(y.mul(tf.range(1, D + 1)), 1, true).expandDims(2);
  const steps = tf.range(1, D + 1).reshape([1, D, 1]);
  return past.add(steps.mul(tf.range(1, 4).reshape([1, 1, 3]))).sin().mul(${scale});
}`;

export function causalOf(y: Vector, scale = 2): number[][] {
  return y.map((_, i) => {
    const past = y.slice(0, i).reduce((sum, value, j) => sum + (j + 1) * value, 0);
    return [1, 2, 3].map((v) => scale * Math.sin(past + v * (i + 1)));
  });
}

export function inOrderOf(x: Matrix, order: Vector): number[][][] {
  return x.map((row) => {
    const rows = causalOf(order.map((pixel) => row[pixel]!));
    const result: number[][] = row.map(() => []);
    order.forEach((pixel, i) => (result[pixel] = rows[i]!));
    return result;
  });
}

export async function checkInOrder(call: Call, x: tf.Tensor, order: Vector, hint: string): Promise<void> {
  const [B, D] = x.shape as [number, number];
  const got = expectTensor(await call(given(causalSource()), x, order), { what: 'the logits', shape: [B, D, 3], hint });
  expectClose(got, tf.tensor3d(inOrderOf(matrix(x), order), [B, D, 3]), { what: 'the logits', atol: 1e-3, hint });
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
        for (const [B, D] of smallestFirst([[1, 3], [5, 7], [2, 12]] as const)) {
          const order = [...permutation(D, rng.fork(`order ${D}`))];
          const x = integers(rng, `x ${B} ${D}`, [B, D], 3);
          await checkInOrder(call, x, order, 'undo the order in the result, by its inverse');
        }
      }, // prettier-ignore
    },
  ],
};

// ar.causalConv

export function causalConvOf(x: Cube, w: Cube, dilation: number): number[][][] {
  return x.map((rows) =>
    rows.map((_, t) =>
      w[0]![0]!.map((__, o) =>
        w.reduce((sum, tap, k) => {
          const past = rows[t - k * dilation];
          return past ? sum + past.reduce((inner, value, c) => inner + value * tap[c]![o]!, 0) : sum;
        }, 0),
      ),
    ),
  );
}

export async function checkCausalConv(call: Call, x: tf.Tensor, w: tf.Tensor, dilation: number, hint: string) {
  const shape: [number, number, number] = [x.shape[0]!, x.shape[1]!, w.shape[2]!];
  const got = expectTensor(await call(x, w, dilation), { what: 'y', shape, hint });
  expectClose(got, tf.tensor3d(causalConvOf(cube(x), cube(w), dilation), shape), { what: 'y', atol: 1e-4, hint });
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

export async function checkMask(call: Call, size: number, kind: 'A' | 'B', hint: string): Promise<void> {
  const rows = expectArray(await call(size, kind), { what: 'the mask', length: size, hint });
  const centre = (size * size - 1) / 2; // of the window in reading order
  rows.forEach((row, r) => {
    const entries = expectArray(row, { what: `row ${r}`, length: size, hint });
    entries.forEach((entry, c) => {
      const at = r * size + c;
      const wanted = at < centre || (at === centre && kind === 'B') ? 1 : 0;
      expectTrue(
        entry === wanted,
        `mask ${kind} [${r}][${c}] of ${size} × ${size} to be ${wanted}`,
        String(entry),
        hint,
      );
    });
  });
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

export function drawOf(u: Matrix, scale: number): number[][] {
  return u.map((noise) => {
    const x: number[] = noise.map(() => 0);
    noise.forEach((value, d) => {
      const p = softmax(causalOf(x, scale)[d]!);
      let [sum, v] = [p[0]!, 0];
      while (sum <= value && v < p.length - 1) sum += p[++v]!;
      x[d] = v;
    });
    return x;
  });
}

/** Noise that stays away, by a tenth of p(x_d), from where the drawn value changes: rounding cannot change it. */
export function noiseFor(rng: Rng, B: number, D: number, scale: number): tf.Tensor {
  const u = matrix(rng.fork('u').uniform([B, D]));
  const x = drawOf(u, scale);
  const safe = u.map((row, n) =>
    row.map((value, d) => {
      const p = softmax(causalOf(x[n]!, scale)[d]!);
      const low = p.slice(0, x[n]![d]).reduce((a, b) => a + b, 0);
      const width = p[x[n]![d]!]!;
      return low + width * (0.1 + (0.8 * (value - low)) / width); // further inside, where the same value is drawn
    }),
  );
  return tf.tensor2d(safe);
}

export async function checkDraw(call: Call, u: tf.Tensor, scale: number, hint: string): Promise<void> {
  const [B, D] = u.shape as [number, number];
  const got = expectTensor(await call(given(causalSource(scale)), u), { what: 'the draws', shape: [B, D], hint });
  expectClose(got, tf.tensor2d(drawOf(matrix(u), scale), [B, D]), { what: 'the draws', hint });
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
        for (const [B, D] of smallestFirst([[6, 2], [5, 5], [1, 8]] as const))
          await checkDraw(call, noiseFor(rng.fork(`${B} ${D}`), B, D, 2), 2, 'ask the network anew after every value');
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
  const got = expectTensor(await call(logits, tau), { what: 'the probabilities', shape, hint });
  expectClose(got, tf.tensor2d(temperedOf(matrix(logits), tau), shape), {
    what: 'the probabilities',
    atol: 1e-5,
    hint,
  });
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

export function attendOf(q: Cube, k: Cube, v: Cube): number[][][] {
  return q.map((queries, n) =>
    queries.map((query, i) => {
      const last = k[n]!.length - queries.length + i; // the step that this query is
      const scores = k[n]!.slice(0, last + 1).map(
        (key) => key.reduce((sum, value, c) => sum + value * query[c]!, 0) / Math.sqrt(query.length),
      );
      const a = softmax(scores);
      return v[n]![0]!.map((_, c) => a.reduce((sum, weight, s) => sum + weight * v[n]![s]![c]!, 0));
    }),
  );
}

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
  const got = expectTensor(await call(q, k, v), { what: 'y', shape, hint });
  expectClose(got, tf.tensor3d(attendOf(cube(q), cube(k), cube(v)), shape), { what: 'y', atol: 1e-4, hint });
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
        for (const [B, S, d] of smallestFirst([[2, 5, 4], [1, 2, 2]] as const))
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
  draw,
  temperature,
  attend,
];
