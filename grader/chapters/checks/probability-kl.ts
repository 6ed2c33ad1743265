/** Chapter 2: a divergence to derive, and two predictions. */
import * as tf from '@tensorflow/tfjs';
import { expectNumber, expectTensor, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, roundings, type KnownMistake } from './answer';
import { logNormalOf, matrix, matrixTensor, normal, smallestFirst, type Matrix } from './common';

const chapter = '02-probability';

type Call = (...args: Value[]) => Promise<Value>;

// probability.bernoulliKl

const softplus = (l: number) => Math.max(l, 0) + Math.log1p(Math.exp(-Math.abs(l)));
const sigmoid = (l: number) => 1 / (1 + Math.exp(-l));

/** By the definition: both values, each with its probability; ln p(1) = −softplus(−l), ln p(0) = −softplus(l). */
const klOf = (l: number, m: number) =>
  sigmoid(l) * (softplus(-m) - softplus(-l)) + sigmoid(-l) * (softplus(m) - softplus(l));

export async function checkBernoulliKl(call: Call, logits: Matrix, logitsP: Matrix, hint?: string): Promise<void> {
  const each = (of: (l: number, m: number) => number) =>
    logits.map((row, n) => row.reduce((sum, l, d) => sum + of(l, logitsP[n]![d]!), 0));
  const right = each(klOf);
  const D = logits[0]!.length;
  const entropy = (l: number) => sigmoid(l) * softplus(-l) + sigmoid(-l) * softplus(l);
  const mistakes: readonly (readonly [hint: string, answer: readonly number[]])[] = [
    ['that is the other direction: the first distribution weighs', each((l, m) => klOf(m, l))],
    ['a sum over the coordinates, not their mean', right.map((v) => v / D)],
    ['a coin has two sides: the 0 has a term, too', each((l, m) => sigmoid(l) * (softplus(-m) - softplus(-l)))],
    ['a coin has two sides: the 1 has a term, too', each((l, m) => sigmoid(-l) * (softplus(m) - softplus(l)))],
    ['that is the cross-entropy: the entropy of the first is to be subtracted', each((l, m) => klOf(l, m) + entropy(l))],
    ['the sign: a divergence is not negative', right.map((v) => -v)],
    ['nats: the natural logarithm, not log₂', right.map((v) => v / Math.LN2)],
    ['the mean logit is not the mean log-probability: the normalisers ln(1 + exp l) differ', each((l, m) => sigmoid(l) * (l - m))],
    ...[1e-6, 1e-7, 1e-8].map((epsilon) => {
      const clip = (p: number) => Math.min(1 - epsilon, Math.max(epsilon, p));
      const clipped = (l: number, m: number) => { const [p, q] = [clip(sigmoid(l)), clip(sigmoid(m))]; return p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q)); };
      return ['clipping makes a certain error cheap: stay with logits', each(clipped)] as const;
    }),
  ]; // prettier-ignore
  const got = await call(matrixTensor(logits), matrixTensor(logitsP));
  const shape = [logits.length];
  const answer = expectTensor(got, { what: 'divergences', shape, nonFinite: true, hint: 'one number an example' });
  const atol = 1e-4 + roundings(Math.max(...[logits, logitsP].flat(2).map(Math.abs)));
  const known: KnownMistake[] = mistakes.map(([hint, values]) => ({ hint, answer: () => tf.tensor1d([...values]) }));
  expectAnswer(answer, tf.tensor1d(right), { what: 'divergences', rtol: 1e-4, atol, ...(hint !== undefined && { hint }) }, known); // prettier-ignore
}

export const bernoulliKl: Exercise = {
  id: 'probability.bernoulliKl',
  chapter,
  functionName: 'bernoulliKl',
  title: 'derive: the KL of two coins, from logits',
  points: 3,
  hints: [
    'A coin has two values. What is the difference ln p − ln q for each of them, and with which probability does each come?',
    'With p = sigmoid(l) and q = sigmoid(m): KL = p ln(p/q) + (1 − p) ln((1 − p)/(1 − q)). Put in ln p = l − ln(1 + e^l) and ln(1 − p) = −ln(1 + e^l), and the same for q: which terms do not depend on the value?',
    'What is left is sigmoid(l) · (l − m) − softplus(l) + softplus(m), for each coordinate; tf.softplus does not overflow. Sum over axis 1.',
  ],
  checks: [
    {
      name: 'equal coins: 0; a fair one against a biased one: ½ ln(4/3) for ¼ and ¾',
      async run({ call }) {
        await checkBernoulliKl(call, [[0.3, -2, 5]], [[0.3, -2, 5]], 'nothing differs');
        await checkBernoulliKl(call, [[0], [0]], [[Math.log(3)], [-Math.log(3)]], 'p = ½; q = ¾ or ¼');
      },
    },
    {
      name: 'agrees with the definition for other logits and sizes',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([
          [3, 4],
          [3, 3],
          [1, 5],
          [6, 1],
        ] as const)) {
          // prettier-ignore
          const here = rng.fork(`${B} ${D}`);
          const [l, m] = ['l', 'm'].map((label) => matrix(normal(here, label, [B, D], 2)));
          await checkBernoulliKl(call, l!, m!, 'p ln(p/q) + (1 − p) ln((1 − p)/(1 − q)) of each coordinate');
        }
      },
    },
    {
      name: 'charges the full price for certain errors, and is finite for logits of ±1000',
      run: ({ call }) =>
        checkBernoulliKl(
          call,
          [[40], [-40], [1000], [-1000], [1000], [2]],
          [[-40], [40], [-1000], [1000], [1000], [-300]],
          'sigmoid(40) is 1 in 32 bits, and 1 − 1 is 0: write ln p and ln(1 − p) with softplus of the logits',
        ),
    },
  ],
};

// probability.unitShift

/** Measured: the density of one point, before and after. */
function shiftOf(D: number, factor: number): number {
  const x = Array.from({ length: D }, (_, d) => Math.sin(d + 1));
  const zeros = x.map(() => 0);
  const before = logNormalOf(x, zeros, zeros);
  return before - logNormalOf(x.map((v) => v / factor), zeros, x.map(() => -2 * Math.log(factor))); // prettier-ignore
}

export async function checkUnitShift(call: Call, D: number, factor: number, hint?: string): Promise<void> {
  const got = expectNumber(await call(D, factor), { what: 'the change' });
  const right = shiftOf(D, factor);
  const mistakes: readonly (readonly [hint: string, answer: number])[] = [
    ['the other way round: squeezed into less room the density rises, so −ln p falls', -right],
    ['nothing: true of a probability; a density is one per unit of x', 0],
    ['for one coordinate; there are D of them', right / D],
    ['the density grows by the factor itself in each coordinate, not by its root', right / 2],
    ['nor by its square', 2 * right],
    ['nats: natural logarithms', right / Math.LN10],
    ['nats: natural logarithms', right / Math.LN2],
    ['densities are multiplied, so their logarithms change by a number that is added', -D * factor],
    ['the logarithm of it', -(factor ** D)],
  ];
  const known: KnownMistake[] = mistakes.map(([hint, answer]) => ({ hint, answer: () => answer }));
  const what = `the change for D = ${D}, factor = ${factor}`;
  expectAnswer(got, right, { what, rtol: 1e-4, atol: 1e-9, ...(hint !== undefined && { hint }) }, known);
}

export const unitShift: Exercise = {
  id: 'probability.unitShift',
  chapter,
  functionName: 'unitShift',
  title: 'predict: what another unit does to a density',
  points: 1,
  allOrNothing: true,
  hints: [
    'A density is probability per length. If a metre is called a kilometre, what happens to the length, and so to the density?',
    'p(x) dx is a probability and stays. In each coordinate dx shrinks by the factor, so the density grows by it: by factor^D in all.',
    '−ln p changes by minus the logarithm of factor^D, which is −D ln(factor).',
  ],
  checks: [
    {
      name: 'three coordinates, in a unit ten times as large',
      run: ({ call }) => checkUnitShift(call, 3, 10),
    },
    {
      name: 'digits divided by 17, images by 255, and kilometres turned into metres',
      async run({ call }) {
        for (const [D, factor] of [[64, 17], [784, 255], [3, 0.001], [1, 1]] as const) await checkUnitShift(call, D, factor); // prettier-ignore
      },
    },
  ],
};

// probability.largerKl

type Larger = 'KL[p ‖ q]' | 'KL[q ‖ p]' | 'neither';

/** Measured, on a fine grid. */
function largerOf(sigma: number, tau: number): Larger {
  const width = 12 * Math.max(sigma, tau);
  const log = (x: number, s: number) => logNormalOf([x], [0], [2 * Math.log(s)]);
  const xs = Array.from({ length: 4001 }, (_, i) => (i / 2000 - 1) * width);
  const kl = (a: number, b: number) => xs.reduce((sum, x) => sum + Math.exp(log(x, a)) * (log(x, a) - log(x, b)), 0);
  const more = kl(sigma, tau) - kl(tau, sigma); // exactly 0 for equal ones: the two sums are the same
  return more === 0 ? 'neither' : more > 0 ? 'KL[p ‖ q]' : 'KL[q ‖ p]';
}

export async function checkLarger(call: Call, sigma: number, tau: number): Promise<void> {
  const got = await call(sigma, tau);
  const names: readonly Larger[] = ['KL[p ‖ q]', 'KL[q ‖ p]', 'neither'];
  expectTrue(names.includes(got as Larger), `one of ${names.join(', ')}`, String(got));
  const right = largerOf(sigma, tau);
  const hint =
    right === 'neither'
      ? 'of two equal distributions both are 0'
      : 'who expects the narrow one and meets the wide one is surprised again and again, and by squares; the other way round only a logarithm is lost';
  expectTrue(got === right, `${right} for σ = ${sigma} and τ = ${tau}`, String(got), hint);
}

export const largerKl: Exercise = {
  id: 'probability.largerKl',
  chapter,
  functionName: 'largerKl',
  title: 'predict: which of the two KLs is larger',
  points: 1,
  allOrNothing: true,
  hints: [
    'In KL[p ‖ q] the points come from p, and q has to explain them. When does that go worse: wide points and a narrow q, or narrow points and a wide q?',
    'With equal means KL[p ‖ q] = ½ (r − 1 − ln r), r = σ²/τ²; the other one has 1/r for r. Compare r − ln r with 1/r + ln r for an r above 1.',
    'Above r = 1 the first is larger, below it the second, and at r = 1 both are 0.',
  ],
  checks: [
    {
      name: 'a wide p and a narrow q, and the other way round',
      async run({ call }) {
        for (const [sigma, tau] of [[3, 1], [1, 3], [0.5, 0.25], [0.1, 0.9]] as const) await checkLarger(call, sigma, tau); // prettier-ignore
      },
    },
    {
      name: 'and of two equal ones',
      run: ({ call }) => checkLarger(call, 0.7, 0.7),
    },
  ],
};
