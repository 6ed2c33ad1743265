/** Chapter 2: the toolbox of probability. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectFields, expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, roundings, type KnownMistake } from './answer';
import {
  integers,
  LOG_2PI,
  logNormalOf,
  logSumExp,
  matrix,
  matrixTensor,
  meanOf,
  normal,
  smallestFirst,
  vector,
  type Matrix,
  type Vector,
} from './common';
import { bernoulliKl, largerKl, unitShift } from './probability-kl';

const chapter = '02-probability';

export type Call = (...args: Value[]) => Promise<Value>;

/** Mistakes whose answer is a vector: one number an example. */
const vectors = (...pairs: readonly (readonly [hint: string, answer: () => Vector])[]): readonly KnownMistake[] =>
  pairs.map(([hint, answer]) => ({ hint, answer: () => tf.tensor1d([...answer()]) }));

const matrices = (...pairs: readonly (readonly [hint: string, answer: () => Matrix])[]): readonly KnownMistake[] =>
  pairs.map(([hint, answer]) => ({ hint, answer: () => matrixTensor(answer()) }));

// probability.crossEntropy

function crossEntropyOf(p: Vector, q: Vector): number {
  return p.reduce((sum, pv, v) => (pv === 0 ? sum : sum - pv * Math.log(q[v]!)), 0);
}

export const distributions = (rng: Rng, label: string, B: number, V: number) =>
  tf.tidy(() => tf.softmax(normal(rng, label, [B, V], 1.5)));

export async function checkCrossEntropy(call: Call, p: Matrix, q: Matrix, hint: string): Promise<void> {
  const each = (of: (p: Vector, q: Vector) => number) => p.map((row, n) => of(row, q[n]!));
  const right = each(crossEntropyOf);
  const clipped = (epsilon: number) => () =>
    each((p, q) => -p.reduce((sum, pv, v) => sum + pv * Math.log(q[v]! + epsilon), 0)); // prettier-ignore
  const floored = (epsilon: number) => () =>
    each((p, q) => -p.reduce((sum, pv, v) => sum + pv * Math.log(Math.max(q[v]!, epsilon)), 0)); // prettier-ignore
  const got = await call(matrixTensor(p), matrixTensor(q));
  const answer = expectTensor(got, {
    what: 'cross-entropies',
    shape: [p.length],
    nonFinite: true,
    hint: 'one number a row',
  });
  expectAnswer(answer, tf.tensor1d(right), { what: 'cross-entropies', atol: 1e-5, hint }, vectors(
    ['nats: the natural logarithm, not log₂', () => right.map((v) => v / Math.LN2)],
    ['p weighs, and the logarithm is that of q', () => each((p, q) => crossEntropyOf(q, p))],
    ['a sum over the values, not their mean', () => right.map((v) => v / p[0]!.length)],
    ['the sign: a surprise is −ln q', () => right.map((v) => -v)],
    ['that is the KL: the entropy of p is not subtracted here', () => each((p, q) => crossEntropyOf(p, q) - crossEntropyOf(p, p))],
    ['that is the entropy of p: the logarithm is that of q', () => each((p) => crossEntropyOf(p, p))],
    ['that is the entropy of q: p weighs', () => each((_, q) => crossEntropyOf(q, q))],
    ['0 · ln 0 is NaN in floating point, and 0 here: choose with tf.where', () => each((p, q) => -p.reduce((sum, pv, v) => sum + pv * Math.log(q[v]!), 0))],
    ...[1e-6, 1e-7, 1e-8, 1e-10, 1e-12].flatMap((epsilon) => [
      ['no ε: an impossible event that happens is infinitely surprising', clipped(epsilon)] as const,
      ['no ε: an impossible event that happens is infinitely surprising', floored(epsilon)] as const,
    ]),
  )); // prettier-ignore
}

const crossEntropy: Exercise = {
  id: 'probability.crossEntropy',
  chapter,
  functionName: 'crossEntropy',
  title: 'cross-entropy, and with it entropy and KL',
  points: 2,
  hints: [
    'What is the product of 0 and the logarithm of 0 in floating point, and what should it be here? Does it matter whether the second 0 is in p or in q?',
    'Each row is a sum of products p times ln q, with a minus sign. A product counts only where p is positive; elsewhere it is 0 by convention, also where ln q is −∞. Where p is positive and q is 0, +∞ is the right answer.',
    'Compute all products, NaN or not. tf.where with the condition p > 0 picks the product or a zero of the same shape. Sum over the axis of the values, and change the sign.',
  ],
  checks: [
    {
      name: 'a fair coin has the entropy ln 2, and a certain one the entropy 0',
      async run({ call }) {
        const p = [
          [0.5, 0.5],
          [1, 0],
        ];
        await checkCrossEntropy(call, p, p, 'nats: the natural logarithm; and 0 ln 0 = 0');
      },
    },
    {
      name: 'agrees with the formula, each row by itself',
      async run({ call, rng }) {
        for (const [B, V] of smallestFirst([
          [5, 4],
          [3, 3],
          [1, 6],
        ] as const)) {
          const here = rng.fork(`${B} ${V}`);
          const [p, q] = [distributions(here, 'p', B, V), distributions(here, 'q', B, V)];
          await checkCrossEntropy(call, matrix(p), matrix(q), 'p weighs, and the logarithm is that of q');
        }
      },
    },
    {
      name: 'is +∞ where q forbids what p allows, and finite where both forbid it',
      run: ({ call }) =>
        checkCrossEntropy(
          call,
          [
            [0.5, 0.25, 0.25],
            [0, 0.75, 0.25],
          ],
          [
            [0.5, 0.5, 0],
            [0, 0.25, 0.75],
          ],
          'no ε: an impossible event that happens is infinitely surprising',
        ),
    },
    {
      name: 'is least when q = p: the KL is not negative',
      law: true,
      async run({ call, rng }) {
        const [p, q] = [distributions(rng, 'p', 40, 5), distributions(rng, 'q', 40, 5)];
        const cross = expectTensor(await call(p, q), { what: 'cross-entropies', shape: [40] });
        const own = expectTensor(await call(p, p), { what: 'entropies', shape: [40] });
        const kl = vector(cross).map((value, n) => value - vector(own)[n]!);
        const least = Math.min(...kl);
        expectTrue(least > -1e-5, 'CE[p ‖ q] − H[p] to be at least 0', `${least}`, 'p stands before the logarithm');
      },
    },
  ],
};

// probability.bernoulli

function bernoulliOf(x: Vector, logits: Vector): number {
  const softplus = (l: number) => Math.max(l, 0) + Math.log1p(Math.exp(-Math.abs(l)));
  return x.reduce((sum, xd, d) => sum + xd * logits[d]! - softplus(logits[d]!), 0);
}

export async function checkBernoulli(call: Call, x: tf.Tensor, logits: tf.Tensor, hint: string): Promise<void> {
  const [xs, ls] = [matrix(x), matrix(logits)];
  const right = xs.map((row, n) => bernoulliOf(row, ls[n]!));
  const sigmoid = (l: number) => 1 / (1 + Math.exp(-l));
  const clipped = (epsilon: number) => () =>
    xs.map((row, n) => row.reduce((sum, xd, d) => {
      const p = Math.min(1 - epsilon, Math.max(epsilon, sigmoid(ls[n]![d]!)));
      return sum + xd * Math.log(p) + (1 - xd) * Math.log(1 - p);
    }, 0)); // prettier-ignore
  const got = await call(x, logits);
  const answer = expectTensor(got, {
    what: 'log-likelihoods',
    shape: [x.shape[0]!],
    nonFinite: true,
    hint: 'one number an example: summed over the coordinates',
  });
  expectAnswer(answer, tf.tensor1d(right), { what: 'log-likelihoods', rtol: 1e-4, atol: 1e-6, hint }, vectors(
    ['a sum over the coordinates: probabilities of independent coins multiply', () => right.map((v) => v / xs[0]!.length)],
    ['the sign: ln p is at most 0', () => right.map((v) => -v)],
    ['x decides the wrong way round: the logit is that of a 1', () => xs.map((row, n) => bernoulliOf(row.map((v) => 1 - v), ls[n]!))],
    ['nats: the natural logarithm, not log₂', () => right.map((v) => v / Math.LN2)],
    ['the normaliser is missing: −ln(1 + exp l) for each coordinate', () => xs.map((row, n) => row.reduce((sum, xd, d) => sum + xd * ls[n]![d]!, 0))],
    ['a 0 has a probability, too: 1 − p', () => xs.map((row, n) => row.reduce((sum, xd, d) => sum + xd * Math.log(sigmoid(ls[n]![d]!)), 0))],
    ['the probability of the image, not its logarithm', () => right.map(Math.exp)],
    ...[1e-6, 1e-7, 1e-8].map((epsilon) => ['clipping makes certain errors cheap: max(l, 0) + ln(1 + exp(−|l|)) needs no clip', clipped(epsilon)] as const),
  )); // prettier-ignore
}

const bernoulli: Exercise = {
  id: 'probability.bernoulli',
  chapter,
  functionName: 'bernoulli',
  title: 'the Bernoulli log-likelihood from logits',
  points: 2,
  library: ['dgm.logBernoulli'],
  hints: [
    'What is e to the power 1000 in floating point? And how many of the digits of a probability very near 1 are left once you have subtracted it from 1?',
    'ln p = l − ln(1 + e^l) for a 1 and −ln(1 + e^l) for a 0, so the value x only decides whether l is added. The logarithm is max(l, 0) + ln(1 + e^(−|l|)), whose exponential is at most 1.',
    'Make the second term with relu for the maximum, and abs, neg, exp, log1p for the rest. Subtract it from x times the logits, and sum over the axis of the coordinates.',
  ],
  checks: [
    {
      name: 'a coin with logit 0 has −ln 2, and coordinates add up',
      run: ({ call }) =>
        checkBernoulli(
          call,
          tf.tensor2d([
            [0, 1, 1],
            [1, 1, 0],
          ]),
          tf.zeros([2, 3]),
          'ln ½ for each coordinate',
        ),
    },
    {
      name: 'agrees with the formula for moderate logits',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([
          [5, 4],
          [3, 3],
          [1, 6],
          [4, 1],
        ] as const)) {
          const here = rng.fork(`${B} ${D}`);
          const logits = normal(here, 'logits', [B, D], 2);
          await checkBernoulli(call, integers(here, 'x', [B, D], 2), logits, 'x_d l_d − ln(1 + exp l_d)');
        }
      },
    },
    {
      name: 'is right for logits of ±1000, and charges the full price for certain errors',
      run: ({ call }) =>
        checkBernoulli(
          call,
          tf.tensor2d([[1], [0], [1], [0], [0]]),
          tf.tensor2d([[1000], [-1000], [-1000], [1000], [40]]),
          'exp(1000) overflows: use max(l, 0) + ln(1 + exp(−|l|)), and clip nothing',
        ),
    },
    {
      name: 'keeps probabilities of error that are too small to see next to 1',
      async run({ call }) {
        const logits = [-15, -20];
        const got = await call(tf.zeros([2, 1]), tf.tensor2d(logits, [2, 1]));
        // a value of 0 with a logit far below 0: nothing cancels, and e⁻²⁰ is known as well as any other number
        const expected = tf.tensor1d(logits.map((l) => -Math.log1p(Math.exp(l))));
        const hint = 'ln(1 + e) of a small e: log1p keeps what adding 1 rounds away';
        expectClose(got, expected, { what: 'log-likelihoods', rtol: 1e-3, atol: 1e-12, hint });
      },
    },
    {
      name: 'exp of it sums to 1 over all patterns',
      async run({ call, rng }) {
        const patterns = tf.tensor2d(Array.from({ length: 8 }, (_, n) => [0, 1, 2].map((d) => (n >> d) & 1)));
        const logits = normal(rng, 'logits', [1, 3], 2).tile([8, 1]);
        const got = expectTensor(await call(patterns, logits), { what: 'log-likelihoods', shape: [8] });
        expectClose(got.exp().sum(), tf.scalar(1), { what: 'the sum of 8 probabilities', atol: 1e-5 });
      },
    },
  ],
};

// probability.closestNormal

interface Gaussian {
  readonly mu: Vector;
  readonly logVar: Vector;
}

function closestOf(x: Matrix, w: Vector): Gaussian {
  const mu = x[0]!.map((_, d) => x.reduce((sum, row, n) => sum + w[n]! * row[d]!, 0));
  const variance = mu.map((m, d) => x.reduce((sum, row, n) => sum + w[n]! * (row[d]! - m) ** 2, 0));
  return { mu, logVar: variance.map(Math.log) };
}

export async function gaussianFrom(call: Call, x: tf.Tensor, w: tf.Tensor) {
  const fields = expectFields(await call(x, w), ['mu', 'logVar'], { what: 'the Gaussian' });
  const shape = [x.shape[1]!];
  return {
    mu: expectTensor(fields.mu, { what: 'mu', shape, hint: 'one number a coordinate' }),
    logVar: expectTensor(fields.logVar, { what: 'logVar', shape, hint: 'one number a coordinate' }),
  };
}

export async function checkClosest(call: Call, x: tf.Tensor, w: tf.Tensor, hint: string): Promise<void> {
  const { mu, logVar } = await gaussianFrom(call, x, w);
  const [rows, weights] = [matrix(x), vector(w)];
  const expected = closestOf(rows, weights);
  const N = rows.length;
  const even = closestOf(rows, rows.map(() => 1 / N)); // prettier-ignore
  const variances = (of: (variance: number) => number) => () => expected.logVar.map((l) => of(Math.exp(l)));
  const size = Math.max(...rows.flat().map(Math.abs));
  expectAnswer(mu, tf.tensor1d([...expected.mu]), { what: 'mu', rtol: 1e-4, atol: 1e-6 * size, hint }, vectors(
    ['every point counts with its weight', () => even.mu],
    ['the weights sum to 1 already: nothing is left to divide by', () => expected.mu.map((m) => m / N)],
  )); // prettier-ignore
  expectAnswer(logVar, tf.tensor1d([...expected.logVar]), { what: 'logVar', atol: 1e-3, hint }, vectors(
    ['every point counts with its weight', () => even.logVar],
    ['ln σ², not ln σ', () => expected.logVar.map((l) => l / 2)],
    ['the logarithm of the variance', variances((v) => v)],
    ['there is no N − 1: the unbiased variance is not the most likely one', () => expected.logVar.map((l) => l + Math.log(N / (N - 1)))],
    ['the weights sum to 1 already: nothing is left to divide by', () => expected.logVar.map((l) => l - Math.log(N))],
    ['squared distances from the mean, not from 0', () => expected.logVar.map((l, d) => Math.log(Math.exp(l) + expected.mu[d]! ** 2))],
    ...[1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12].map((epsilon) => ['nothing is added to a variance: it is the variance of p, however small', variances((v) => Math.log(v + epsilon))] as const),
  )); // prettier-ignore
}

export const uniformWeights = (N: number) => tf.fill([N], 1 / N);

const closestNormal: Exercise = {
  id: 'probability.closestNormal',
  chapter,
  functionName: 'closestNormal',
  title: 'the Gaussian with the least KL',
  points: 2,
  hints: [
    'Which two numbers of each coordinate does a Gaussian have, and which two of p should they equal? What shape must the weights have to multiply the rows of x?',
    'The mean is the weighted sum of the points. The variance is the weighted sum of squared distances from that mean; the weights already sum to 1, so nothing is left to divide by.',
    'Give w a second axis of size 1. Multiply and sum over axis 0 for mu; subtract mu from x, square, multiply and sum again for the variance. Return the logarithm of the variance as it is.',
  ],
  checks: [
    {
      name: 'of three points with equal weights it takes the middle, and their mean squared distance from it',
      run: ({ call }) =>
        checkClosest(call, tf.tensor2d([[1], [5], [9]]), uniformWeights(3), 'mean 5, variance 32/3, as its logarithm'),
    },
    {
      name: 'agrees with the formulas for uneven weights',
      async run({ call, rng }) {
        for (const [N, D] of smallestFirst([
          [20, 3],
          [3, 3],
          [7, 1],
        ] as const)) {
          const here = rng.fork(`${N} ${D}`);
          const w = tf.softmax(normal(here, 'w', [N], 0.7));
          await checkClosest(call, normal(here, 'x', [N, D], 20), w, 'the weighted sum over the points');
        }
      },
    },
    {
      name: 'is right far from the origin',
      run: ({ call, rng }) =>
        checkClosest(
          call,
          tf.tidy(() => normal(rng, 'x', [50, 2]).add(3000).mul(64).round().div(64)), // exact in float32
          uniformWeights(50),
          'subtract the mean before you square: E[x²] − μ² cancels',
        ),
    },
    {
      name: 'works in any unit, however small the variance',
      async run({ call }) {
        const x = Array.from({ length: 9 }, (_, n) => [Math.sin(7 * n), Math.cos(5 * n + 1)]);
        for (const unit of [1e-3, 1e-8])
          await checkClosest(call, matrixTensor(x.map((row) => row.map((v) => v * unit))), uniformWeights(9), 'in any unit'); // prettier-ignore
      },
    },
    {
      name: 'no Gaussian nearby has a lower cross-entropy',
      sameForAll: true,
      async run({ call, rng }) {
        const [x, w] = [normal(rng, 'x', [30, 2], 1.5), tf.softmax(normal(rng, 'w', [30]))];
        const best = await gaussianFrom(call, x, w);
        const loss = (mu: Vector, logVar: Vector) =>
          -matrix(x).reduce((sum, row, n) => sum + vector(w)[n]! * logNormalOf(row, mu, logVar), 0);
        const here = loss(vector(best.mu), vector(best.logVar));
        for (const label of ['a', 'b', 'c', 'd']) {
          const nudge = vector(normal(rng, label, [4], 0.1));
          const there = loss(
            vector(best.mu).map((v, d) => v + nudge[d]!),
            vector(best.logVar).map((v, d) => v + nudge[d + 2]!),
          );
          expectTrue(there > here, `the least cross-entropy, ${here.toFixed(4)} nats`, `${there.toFixed(4)} close by`);
        }
      },
    },
  ],
};

// probability.gaussianKl

/** KL of two diagonal Gaussians as the mean of ln q − ln p, whose only random term has known moments. */
function gaussianKlOf(mu: Vector, logVar: Vector, muP: Vector, logVarP: Vector): number {
  // E_q ln q = −½ (ln 2π + λ + 1); E_q ln p has E (z − μ')² = σ² + (μ − μ')²
  return mu.reduce((sum, m, d) => {
    const own = -0.5 * (LOG_2PI + logVar[d]! + 1);
    const other = -0.5 * (LOG_2PI + logVarP[d]! + (Math.exp(logVar[d]!) + (m - muP[d]!) ** 2) / Math.exp(logVarP[d]!));
    return sum + own - other;
  }, 0);
}

export async function checkGaussianKl(call: Call, rng: Rng, B: number, D: number, hint: string): Promise<void> {
  const inputs = [normal(rng, 'mu', [B, D], 1.5), normal(rng, 'logVar', [B, D]), normal(rng, 'muP', [B, D], 1.5), normal(rng, 'logVarP', [B, D])]; // prettier-ignore
  await checkKlOf(call, inputs, hint);
}

/** mu, logVar, muP, logVarP */
async function checkKlOf(call: Call, inputs: readonly tf.Tensor[], hint: string): Promise<void> {
  const [mu, logVar, muP, logVarP] = inputs.map(matrix) as unknown as readonly [Matrix, Matrix, Matrix, Matrix];
  const D = mu[0]!.length;
  const each = (of: (m: number, l: number, mP: number, lP: number) => number) => () =>
    mu.map((row, n) => row.reduce((sum, m, d) => sum + of(m, logVar[n]![d]!, muP[n]![d]!, logVarP[n]![d]!), 0));
  const right = mu.map((row, n) => gaussianKlOf(row, logVar[n]!, muP[n]!, logVarP[n]!));
  const got = await call(...inputs);
  const answer = expectTensor(got, {
    what: 'divergences',
    shape: [mu.length],
    nonFinite: true,
    hint: 'one number an example',
  });
  expectAnswer(answer, tf.tensor1d(right), { what: 'divergences', rtol: 1e-4, atol: 1e-3, hint }, vectors(
    ['a sum over the coordinates, not their mean', () => right.map((v) => v / D)],
    ['half of the bracket', () => right.map((v) => 2 * v)],
    ['that is the other direction: the second variance divides', () => mu.map((row, n) => gaussianKlOf(muP[n]!, logVarP[n]!, row, logVar[n]!))],
    ['exp(logVar) is the variance: no half in the exponent', each((m, l, mP, lP) => 0.5 * (lP - l - 1 + (Math.exp(l / 2) + (m - mP) ** 2) / Math.exp(lP / 2)))],
    ['exp(logVar) is the variance: no half in the exponent', each((m, l, mP, lP) => 0.5 * (lP - l - 1 + (Math.exp(l / 2) + (m - mP) ** 2) / Math.exp(lP)))],
    ['exp(logVar) is the variance already: do not square it', each((m, l, mP, lP) => 0.5 * (lP - l - 1 + (Math.exp(2 * l) + (m - mP) ** 2) / Math.exp(2 * lP)))],
    ['the 1 is missing: equal Gaussians must give 0', each((m, l, mP, lP) => 0.5 * (lP - l + (Math.exp(l) + (m - mP) ** 2) / Math.exp(lP)))],
    ['the first variance is missing: E (z − μ′)² = σ² + (μ − μ′)²', each((m, l, mP, lP) => 0.5 * (lP - l - 1 + (m - mP) ** 2 / Math.exp(lP)))],
    ['the second variance divides, not the first', each((m, l, mP, lP) => 0.5 * (lP - l - 1 + (Math.exp(l) + (m - mP) ** 2) / Math.exp(l)))],
    ['the signs of the log-variances: λ′ − λ', each((m, l, mP, lP) => 0.5 * (l - lP - 1 + (Math.exp(l) + (m - mP) ** 2) / Math.exp(lP)))],
    ['the means differ: their squared distance counts', each((_, l, __, lP) => 0.5 * (lP - l - 1 + Math.exp(l) / Math.exp(lP)))],
    ['a distance squared', each((m, l, mP, lP) => 0.5 * (lP - l - 1 + (Math.exp(l) + Math.abs(m - mP)) / Math.exp(lP)))],
  )); // prettier-ignore
}

const gaussianKl: Exercise = {
  id: 'probability.gaussianKl',
  chapter,
  functionName: 'gaussianKl',
  title: 'the KL of two Gaussians',
  points: 2,
  library: ['dgm.klNormal'],
  hints: [
    'What must come out when both Gaussians are the same, and which term of the bracket takes care of it? Which of the two variances divides?',
    'Four terms in each coordinate: the second log-variance, minus the first, minus 1, plus (first variance + squared distance of the means) over the second variance. The variance is exp of the log-variance, with no half.',
    'Compute the quotient as one tensor [B, D]: exp of logVar, plus the squared difference of the means, divided by exp of logVarP. Add the three other terms, sum over axis 1, halve.',
  ],
  checks: [
    {
      name: 'is 0 for equal Gaussians, and half the squared distance for unit variances',
      async run({ call }) {
        const zeros = tf.zeros([2, 3]);
        const mu = tf.tensor2d([
          [0, 0, 0],
          [1, 2, -2],
        ]);
        await checkKlOf(call, [mu, zeros, zeros, zeros], 'summed over the coordinates');
        await checkKlOf(call, [mu, zeros.add(1.3), mu, zeros.add(1.3)], 'equal Gaussians: 0');
      },
    },
    {
      name: 'agrees with the formula for B = 4, D = 3, and for other sizes',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([
          [4, 3],
          [3, 3],
          [1, 5],
          [6, 1],
        ] as const))
          await checkGaussianKl(call, rng.fork(`${B} ${D}`), B, D, 'logVar is ln σ², and the second variance divides');
      },
    },
    {
      name: 'agrees with 20,000 draws, within six standard errors',
      async run({ call, rng }) {
        const [mu, logVar, muP, logVarP] = [
          [0.5, -2],
          [0.4, -0.6],
          [0, 0.3],
          [-0.2, 0.5],
        ] as const;
        const rows = [mu, logVar, muP, logVarP].map((row) => matrixTensor([row]));
        const got = expectTensor(await call(...rows), { what: 'divergences', shape: [1] });
        const each = matrix(normal(rng, 'eps', [20_000, 2])).map((eps) => {
          const z = eps.map((e, d) => mu[d]! + Math.exp(logVar[d]! / 2) * e);
          return logNormalOf(z, mu, logVar) - logNormalOf(z, muP, logVarP);
        });
        const mean = meanOf(each);
        const error = Math.sqrt(meanOf(each.map((v) => (v - mean) ** 2)) / each.length);
        const [value] = vector(got);
        expectTrue(
          Math.abs(value! - mean) < 6 * error,
          `the KL to be ${mean.toFixed(3)} ± ${(6 * error).toFixed(3)}`,
          value!.toFixed(3),
          'the draws come from the first Gaussian',
        );
      },
    },
  ],
};

// probability.logMarginal

export async function checkLogMarginal(call: Call, a: tf.Tensor, hint: string): Promise<void> {
  const [S, B] = a.shape as [number, number];
  const columns = Array.from({ length: B }, (_, b) => matrix(a).map((row) => row[b]!));
  const right = columns.map((column) => logSumExp(column) - Math.log(S));
  const got = await call(a);
  const answer = expectTensor(got, { what: 'estimates', shape: [B], nonFinite: true, hint: 'one number a column' });
  const atol = 1e-4 + roundings(Math.max(...columns.flat().map(Math.abs)));
  expectAnswer(answer, tf.tensor1d(right), { what: 'estimates', rtol: 1e-6, atol, hint }, vectors(
    ['an average, not a sum: −ln S', () => columns.map(logSumExp)],
    ['the mean of exp a, then ln: probabilities are averaged, not logarithms', () => columns.map(meanOf)],
    ['the largest term alone: average all of them', () => columns.map((column) => Math.max(...column))],
    ['the largest term alone, over S: average all of them', () => columns.map((column) => Math.max(...column) - Math.log(S))],
    ['the maximum was taken out: add it again', () => right.map((v, b) => v - Math.max(...columns[b]!))],
    ['ln S is subtracted', () => columns.map((column) => logSumExp(column) + Math.log(S))],
    ['divided by S outside the logarithm: ln(Σ / S) is ln Σ − ln S', () => columns.map((column) => logSumExp(column) / S)],
    ['the average runs over the S draws, not over the examples', () => columns.map((column) => logSumExp(column) - Math.log(B))],
    ['the logarithm of it, not the probability', () => right.map(Math.exp)],
  )); // prettier-ignore
}

const logMarginal: Exercise = {
  id: 'probability.logMarginal',
  chapter,
  functionName: 'logMarginal',
  title: 'the marginal likelihood by averaging over the latent variable',
  points: 2,
  hints: [
    'Which of the two axes holds the draws, and which the examples? What is averaged: probabilities, or their logarithms?',
    'The estimate is the logarithm of a mean of exponentials. With the maximum of each column subtracted the exponentials lie between 0 and 1, and one of them is 1; the maximum is added again after the logarithm.',
    'Take the maximum over axis 0 and keep that axis. Subtract it, exponentiate, take the mean over axis 0 and its logarithm. Add the maximum, whose kept axis has to go first.',
  ],
  checks: [
    {
      name: 'equal draws give their own value, however many there are',
      run: ({ call }) => checkLogMarginal(call, tf.fill([8, 2], -3), 'the average of equal numbers is each of them'),
    },
    {
      name: 'averages probabilities, not logarithms',
      async run({ call, rng }) {
        for (const shape of smallestFirst([
          [10, 4],
          [3, 3],
          [1, 5],
          [6, 1],
        ]))
          await checkLogMarginal(call, normal(rng, `a ${shape.join(' ')}`, shape, 2), 'the mean of exp a, then ln');
      },
    },
    {
      name: 'works for log-likelihoods around −1,000, and for columns far apart',
      run: ({ call, rng }) =>
        checkLogMarginal(
          call,
          tf.tidy(() => normal(rng, 'a', [6, 3], 3).add(tf.tensor2d([[-1000, 500, -80]]))),
          'subtract the maximum of each column',
        ),
    },
    {
      name: 'works when the draws of one column lie hundreds of nats apart',
      run: ({ call, rng }) =>
        checkLogMarginal(
          call,
          tf.tidy(() => normal(rng, 'a', [4, 2], 3).add(tf.tensor2d([[0, -900], [-700, -300], [-800, -950], [-900, -800]]))), // prettier-ignore
          'subtract the maximum: the column’s mean leaves exponents that overflow',
        ),
    },
  ],
};

// probability.pathwise and probability.scoreFunction

/** Functions of z with their slopes. */
export const FUNCTIONS = {
  square: { source: '(z) => z.square()', of: (z: number) => z ** 2, slope: (z: number) => 2 * z },
  sine: { source: '(z) => z.sin()', of: Math.sin, slope: Math.cos },
  line: { source: '(z) => z.mul(3).add(7)', of: (z: number) => 3 * z + 7, slope: () => 3 },
  cube: { source: '(z) => z.mul(z).mul(z)', of: (z: number) => z ** 3, slope: (z: number) => 3 * z ** 2 },
} as const;
type FunctionName = keyof typeof FUNCTIONS;

export interface Setting {
  readonly f: FunctionName;
  readonly mu: number;
  readonly logVar: number;
  readonly S: number;
}

export async function checkPathwise(call: Call, rng: Rng, { f, mu, logVar, S }: Setting): Promise<void> {
  const eps = normal(rng, 'eps', [S]);
  const deviation = Math.exp(logVar / 2);
  const { slope, source } = FUNCTIONS[f];
  const each =
    (of: (e: number, slope: number) => readonly [number, number], sigma = deviation) =>
    () =>
      vector(eps).map((e) => [...of(e, slope(mu + sigma * e))]);
  const right = each((e, s) => [s, (s * deviation * e) / 2])();
  const got = await call(given(source), eps, mu, logVar);
  const what = `gradients of ${f}`;
  const hint = 'z = μ + exp(λ/2) ε: the chain rule gives 1 for μ, and ½ exp(λ/2) ε for λ';
  const answer = expectTensor(got, { what, shape: [S, 2], hint: 'one row a draw; first ∂μ, then ∂λ' });
  const variance = deviation ** 2;
  expectAnswer(answer, matrixTensor(right), { what, rtol: 1e-3, atol: 1e-4, hint }, matrices(
    ['λ is ln σ², not ln σ: its chain rule has a ½', each((e, s) => [s, s * deviation * e])],
    ['the deviation is exp(λ/2), not exp(λ)', each((e, s) => [s, (s * variance * e) / 2], variance)],
    ['∂z/∂λ depends on the draw: ½ σ ε', each((_, s) => [s, (s * deviation) / 2])],
    ['the slope at z, not at μ', each((e, s) => [s, (s * deviation * e) / 2], 0)],
    ['the derivative of z by λ is ½ σ ε: σ is missing', each((e, s) => [s, (s * e) / 2])],
    ['that is the derivative by σ: λ is ln σ²', each((e, s) => [s, s * e])],
    ['first ∂μ, then ∂λ', each((e, s) => [(s * deviation * e) / 2, s])],
    ['the gradient of each draw, not their mean', () => right.map(() => [0, 1].map((i) => meanOf(right.map((row) => row[i]!))))],
  )); // prettier-ignore
}

const pathwise: Exercise = {
  id: 'probability.pathwise',
  chapter,
  functionName: 'pathwise',
  title: 'the reparametrised gradient',
  points: 2,
  hints: [
    'By how much does z move when μ moves a little? And when λ does? The second answer depends on the draw.',
    'The gradient of each draw is the slope of f at z times the derivative of z: 1 with respect to μ, and ½ σ ε with respect to λ, since σ = e^(λ/2).',
    'Compute σ as a number, z from eps, and the slope with tf.grad at z. Stack the slope itself and the slope times eps times σ/2 along a new last axis.',
  ],
  checks: [
    {
      name: 'a line has its slope as ∂μ for every draw',
      run: ({ call, rng }) => checkPathwise(call, rng, { f: 'line', mu: 0.5, logVar: 0, S: 6 }),
    },
    {
      name: 'agrees with the chain rule for curved f and other variances',
      async run({ call, rng }) {
        await checkPathwise(call, rng.fork('square'), { f: 'square', mu: 1, logVar: 1.4, S: 9 });
        await checkPathwise(call, rng.fork('sine'), { f: 'sine', mu: -2, logVar: -1, S: 5 });
      },
    },
    {
      name: 'on average it is the gradient of E z² = μ² + σ²',
      sameForAll: true,
      async run({ call, rng }) {
        const [S, mu, logVar] = [3000, 3, 0.6]; // few enough for a loop with a tf.grad for each
        const got = await call(given(FUNCTIONS.square.source), normal(rng, 'eps', [S]), mu, logVar);
        const rows = matrix(expectTensor(got, { what: 'gradients', shape: [S, 2] }));
        expectGradient(rows, [2 * mu, Math.exp(logVar)]);
      },
    },
  ],
};

/** The mean of each column is that number, within six standard errors. */
export function expectGradient(rows: Matrix, wanted: Vector): void {
  wanted.forEach((value, column) => {
    const each = rows.map((row) => row[column]!);
    const mean = meanOf(each);
    const error = Math.sqrt(meanOf(each.map((v) => (v - mean) ** 2)) / each.length);
    expectTrue(
      Math.abs(mean - value) <= 6 * error,
      `the mean of ${column === 0 ? '∂μ' : '∂λ'} to be ${value.toFixed(3)} ± ${(6 * error).toFixed(3)}`,
      mean.toFixed(3),
    );
  });
}

function scoresOf(f: Vector, z: Vector, mu: number, logVar: number): number[][] {
  const total = f.reduce((a, b) => a + b);
  return z.map((zs, s) => {
    const advantage = f[s]! - (total - f[s]!) / (f.length - 1);
    const squared = (zs - mu) ** 2 / Math.exp(logVar);
    return [(advantage * (zs - mu)) / Math.exp(logVar), (advantage * (squared - 1)) / 2];
  });
}

export async function checkScores(call: Call, f: Vector, z: Vector, mu: number, logVar: number): Promise<void> {
  const hint = 'f minus the mean of the other values, times the score; λ is ln σ²';
  const S = f.length;
  const total = f.reduce((a, b) => a + b);
  const [sigma, others] = [Math.exp(logVar / 2), f.map((value) => (total - value) / (S - 1))];
  const each = (advantage: (s: number) => number, scores: (u: number) => readonly [number, number] = (u) => [u / sigma, (u ** 2 - 1) / 2]) => () =>
    z.map((zs, s) => scores((zs - mu) / sigma).map((score) => advantage(s) * score)); // prettier-ignore
  const right = (s: number) => f[s]! - others[s]!;
  const got = await call(tf.tensor1d([...f]), tf.tensor1d([...z]), mu, logVar);
  const answer = expectTensor(got, { what: 'gradients', shape: [S, 2], hint: 'one row a draw; first ∂μ, then ∂λ' });
  expectAnswer(answer, matrixTensor(scoresOf(f, z, mu, logVar)), { what: 'gradients', rtol: 1e-3, atol: 1e-3, hint }, matrices(
    ['the draw itself stands in its baseline: leave it out, of S − 1 others', each((s) => f[s]! - total / S)],
    ['the sum of the others over S − 1, not over S', each((s) => f[s]! - (total - f[s]!) / S)],
    ['no baseline: subtract the mean of the other values', each((s) => f[s]!)],
    ['the baseline is subtracted', each((s) => f[s]! + others[s]!)],
    ['the sum of the others: their mean is asked for', each((s) => f[s]! - (total - f[s]!))],
    ['the score of μ is (z − μ)/σ²: divided by σ once only', each(right, (u) => [u, (u ** 2 - 1) / 2])],
    ['the score of λ has a −1: without it its mean is not 0', each(right, (u) => [u / sigma, u ** 2 / 2])],
    ['λ is ln σ², not ln σ: its score has a ½', each(right, (u) => [u / sigma, u ** 2 - 1])],
    ['first ∂μ, then ∂λ', each(right, (u) => [(u ** 2 - 1) / 2, u / sigma])],
    ['the value less the baseline, not the baseline less the value', each((s) => others[s]! - f[s]!)],
  )); // prettier-ignore
}

const scoreFunction: Exercise = {
  id: 'probability.scoreFunction',
  chapter,
  functionName: 'scoreFunction',
  title: 'the score-function gradient with a leave-one-out baseline',
  points: 3,
  hints: [
    'Why may a baseline not contain the value of the draw that it is subtracted from? How do you get the sum of the others from the sum of all?',
    'Three parts: the baseline of each draw, (total − own) / (S − 1); the two scores, (z − μ)/σ² and ½((z − μ)²/σ² − 1); and the product of each score with the value less its baseline.',
    'With u = (z − μ)/σ the scores are u/σ and ½(u² − 1). Stack them to [S, 2], and multiply by f minus the baseline, given a second axis so that it broadcasts over both columns.',
  ],
  checks: [
    {
      name: 'two draws are each other’s baseline',
      run: ({ call }) => checkScores(call, [5, 1], [1, -2], 0, 0),
    },
    {
      name: 'agrees with the formulas for other means, variances and sizes',
      async run({ call, rng }) {
        for (const [S, mu, logVar] of [
          [3, -1, -0.8],
          [7, 0.5, 1.2],
          [12, 2, 0.3],
        ] as const) {
          const here = rng.fork(`S = ${S}`);
          const z = vector(normal(here, 'z', [S], Math.exp(logVar / 2))).map((v) => v + mu);
          await checkScores(call, vector(normal(here, 'f', [S], 3)), z, mu, logVar);
        }
      },
    },
    {
      name: 'on average it is the gradient of E z² = μ² + σ², and a constant added to f changes nothing',
      async run({ call, rng }) {
        const [S, mu, logVar] = [4000, 0.8, 0.3]; // few enough for a matrix [S, S] of the other draws
        const z = tf.tidy(() => normal(rng, 'eps', [S], Math.exp(logVar / 2)).add(mu));
        const rows = matrix(expectTensor(await call(z.square(), z, mu, logVar), { what: 'gradients', shape: [S, 2] }));
        expectGradient(rows, [2 * mu, Math.exp(logVar)]);
        const few = z.slice(0, 50);
        const here = expectTensor(await call(few.square(), few, mu, logVar), { what: 'gradients', shape: [50, 2] });
        const hint = 'the baseline moves with f';
        expectClose(await call(few.square().add(8), few, mu, logVar), here, { rtol: 1e-3, atol: 1e-3, hint });
      },
    },
  ],
};

// probability.negElbo

export interface ElboInput {
  readonly x: tf.Tensor;
  readonly logits: tf.Tensor;
  readonly mu: tf.Tensor;
  readonly logVar: tf.Tensor;
}

export function elboInput(rng: Rng, B: number, D: number, L: number): ElboInput {
  return {
    x: integers(rng, 'x', [B, D], 2),
    logits: normal(rng, 'logits', [B, D], 2),
    mu: normal(rng, 'mu', [B, L]),
    logVar: normal(rng, 'logVar', [B, L], 0.7),
  };
}

export async function checkNegElbo(call: Call, input: ElboInput, hint: string): Promise<void> {
  const { x, logits, mu, logVar } = input;
  const zeros = new Array<number>(mu.shape[1]!).fill(0);
  const parts = matrix(x).map((row, n) => ({
    pixels: -bernoulliOf(row, matrix(logits)[n]!),
    kl: gaussianKlOf(matrix(mu)[n]!, matrix(logVar)[n]!, zeros, zeros),
  }));
  const each = (of: (pixels: number, kl: number) => number) => () => parts.map(({ pixels, kl }) => of(pixels, kl));
  const [D, L] = [x.shape[1]!, mu.shape[1]!];
  const got = await call(x, logits, mu, logVar);
  const answer = expectTensor(got, {
    what: 'bounds',
    shape: [x.shape[0]!],
    nonFinite: true,
    hint: 'one number an example',
  });
  expectAnswer(answer, tf.tensor1d(each((pixels, kl) => pixels + kl)()), { what: 'bounds', rtol: 1e-4, atol: 1e-3, hint }, vectors(
    ['neither mean belongs to a probability: sums over D and over L', each((pixels, kl) => pixels / D + kl / L)],
    ['the pixels’ term is still a mean: probabilities of pixels multiply', each((pixels, kl) => pixels / D + kl)],
    ['the KL is still a mean: that of independent coordinates adds up', each((pixels, kl) => pixels + kl / L)],
    ['nats per pixel bound nothing: no division at all', each((pixels, kl) => (pixels + kl) / D)],
    ['the KL is a price: added to the loss, not subtracted', each((pixels, kl) => pixels - kl)],
    ['that is the ELBO: the loss is minus it', each((pixels, kl) => -pixels - kl)],
    ['the KL is missing', each((pixels) => pixels)],
  )); // prettier-ignore
}

const negElbo: Exercise = {
  id: 'probability.negElbo',
  chapter,
  functionName: 'negElbo',
  title: 'the bug to find',
  points: 2,
  allOrNothing: true,
  hints: [
    'By how much should the loss of an image grow when a second image is put beside it, drawn independently of the first? By how much does the code let it grow?',
    'The probability of an image is a product over its pixels, and the KL of independent coordinates adds up. A mean in either place divides that term by a number that has nothing to do with it, and the two numbers differ.',
    'Two calls average over axis 1, one for the pixels and one for the latent numbers. Both have to add up instead. The rest of the two formulas is right.',
  ],
  checks: [
    {
      name: 'five fair coins cost 5 ln 2, and a q that is one unit off in both coordinates one nat more',
      run: ({ call, rng }) => {
        const [x, logits] = [integers(rng, 'x', [3, 5], 2), tf.zeros([3, 5])];
        const input = { x, logits, mu: tf.ones([3, 2]), logVar: tf.zeros([3, 2]) };
        return checkNegElbo(call, input, '5 ln 2 + 1');
      },
    },
    {
      name: 'the KL of every latent coordinate counts in full',
      run: ({ call, rng }) =>
        checkNegElbo(
          call,
          {
            x: integers(rng, 'x', [2, 2], 2),
            logits: tf.zeros([2, 2]),
            mu: tf.tensor2d([
              [1, 1, 1],
              [0, 2, 0],
            ]),
            logVar: tf.zeros([2, 3]),
          },
          'KL = ½ Σ μ² for unit variances',
        ),
    },
    {
      name: 'agrees with the formula for B = 4, D = 6, L = 3, and for other sizes',
      async run({ call, rng }) {
        for (const [B, D, L] of smallestFirst([
          [4, 6, 3],
          [3, 3, 3],
          [1, 4, 1],
          [2, 1, 5],
        ] as const))
          await checkNegElbo(call, elboInput(rng.fork(`${B} ${D} ${L}`), B, D, L), 'sums over D and over L');
      },
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  crossEntropy,
  bernoulli,
  unitShift,
  closestNormal,
  gaussianKl,
  largerKl,
  bernoulliKl,
  logMarginal,
  pathwise,
  scoreFunction,
  negElbo,
];
