/** Chapter 14: annealed importance sampling: ln Z from the weights of chains, and how many chains it needs. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectNumber } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { logSumExp, matrix, matrixTensor, meanOf, normal, type Matrix, type Vector } from './common';

const chapter = '14-energy';

type Call = (...args: Value[]) => Promise<Value>;

// energy.anneal

export interface Gains {
  /** [T, M] */
  readonly gains: Matrix;
  readonly logZ0: number;
}

/** Gains of M chains whose ln w vary by `spread`, and are around `level`. */
export function gainsOf(rng: Rng, T: number, M: number, { spread = 0.5, level = 1, logZ0 = 2 } = {}): Gains {
  const share = level / T;
  return { gains: matrix(tf.add(normal(rng, 'gains', [T, M], spread / Math.sqrt(T)), share)), logZ0 };
}

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);
const logWeights = ({ gains, logZ0 }: Gains) => gains[0]!.map((_, m) => logZ0 + sum(gains.map((row) => row[m]!)));

function deviation(values: Vector, less = 1): number {
  const mean = meanOf(values);
  return Math.sqrt(sum(values.map((v) => (v - mean) ** 2)) / (values.length - less));
}

/** w, as a share of the largest. */
function scaled(logW: Vector): number[] {
  const top = Math.max(...logW);
  return logW.map((v) => Math.exp(v - top));
}

const estimate = (g: Gains) => logSumExp(logWeights(g)) - Math.log(g.gains[0]!.length);
const errorBy = (g: Gains, less = 1) => {
  const w = scaled(logWeights(g));
  return deviation(w, less) / Math.sqrt(w.length) / meanOf(w);
};

type Number = readonly [hint: string, of: (g: Gains) => number];
const wrongEstimates: readonly Number[] = [
  ['the mean of ln w, not ln of the mean of w: only E w is Z. The logs average to less', (g) => meanOf(logWeights(g))],
  ['ln Z₀ is missing: the gains say how much larger Z is than that', (g) => estimate({ ...g, logZ0: 0 })],
  ['the mean over the chains: ln M is to be taken off', (g) => logSumExp(logWeights(g))],
  ['the sign of ln Z₀: Z = Z₀ E exp Σ gains', (g) => estimate({ ...g, logZ0: -g.logZ0 })],
  ['the gains of one chain are summed over the steps, [T, M] over axis 0', (g) => g.logZ0 + logSumExp(g.gains.map((row) => sum(row))) - Math.log(g.gains.length)],
  ['a chain’s gains add up: their sum, not their mean', (g) => g.logZ0 + logSumExp(g.gains[0]!.map((_, m) => meanOf(g.gains.map((row) => row[m]!)))) - Math.log(g.gains[0]!.length)],
  ['the last step alone: every step gains', (g) => g.logZ0 + logSumExp(g.gains.at(-1)!) - Math.log(g.gains[0]!.length)],
  ['that is Z; asked is ln Z', (g) => Math.exp(estimate(g))],
]; // prettier-ignore
const wrongErrors: readonly Number[] = [
  ['the deviation of the ln w over √M is the error of their mean, which is another number; of ln of a mean it is error(mean) / mean', (g) => deviation(logWeights(g)) / Math.sqrt(g.gains[0]!.length)],
  ['that is how much one weight varies; their mean varies √M times less', (g) => errorBy(g) * Math.sqrt(g.gains[0]!.length)],
  ['with M − 1 for the variance, since the mean is from the same weights', (g) => errorBy(g, 0)],
  ['the error of ln w̄ is the error of w̄ divided by w̄', (g) => deviation(logWeights(g).map(Math.exp)) / Math.sqrt(g.gains[0]!.length)],
  ['the variance: the error is its root', (g) => errorBy(g) ** 2],
  ['M weights: √M, not M', (g) => errorBy(g) / Math.sqrt(g.gains[0]!.length)],
]; // prettier-ignore

export async function checkAnneal(call: Call, input: Gains): Promise<void> {
  const { gains, logZ0 } = input;
  const hint = 'ln w of a chain is ln Z₀ and the sum of its gains; Z is the mean of w';
  const got = expectFields(await call(matrixTensor(gains), logZ0), ['logZ', 'error'], { hint });
  const told = (list: readonly Number[]) => list.map(([says, of]): KnownMistake => ({ hint: says, answer: () => of(input) })); // prettier-ignore
  const logZ = expectNumber(got.logZ, { what: 'logZ', hint: 'take the largest ln w out before exp: logMeanExp does' });
  expectAnswer(logZ, estimate(input), { what: 'logZ', rtol: 1e-5, atol: 1e-3, hint }, told(wrongEstimates));
  const error = expectNumber(got.error, { what: 'error', hint: 'take the largest ln w out before exp: shares of the mean do not change' }); // prettier-ignore
  // float32 knows a ln w of some hundreds to 3 · 10⁻⁵, and its weight to as much of itself
  expectAnswer(error, errorBy(input), { what: 'error', rtol: 3e-3, atol: 1e-5, hint: 'of ln w̄: the standard error of w̄, divided by w̄' }, told(wrongErrors)); // prettier-ignore
}

export const anneal: Exercise = {
  id: 'energy.anneal',
  chapter,
  functionName: 'annealedLogZ',
  title: 'ln Z from the weights of annealed chains, with its error',
  points: 3,
  library: ['dgm.logMeanWeight', 'dgm.annealing'],
  hints: [
    'Which of the two is Z: the mean of the weights, or exp of the mean of their logs? And what happens to exp of a ln w of 900?',
    'ln w of a chain is ln Z₀ plus the sum of its gains. ln Z is ln of the mean of w, the largest ln w taken out first. Its error is that of the mean, deviation / √M, divided by the mean.',
    'Sum the gains over axis 0 and add logZ0: that is ln w, [M]. logMeanExp(ln w, 0) is ln Z; with w = exp(ln w − max), deviation (over M − 1) of w / √M / mean of w is the error.',
  ],
  checks: [
    {
      name: 'two chains, one step',
      run: ({ call }) => checkAnneal(call, { gains: [[Math.log(2), Math.log(4)]], logZ0: 0 }),
    },
    {
      name: 'three steps, a Z₀ that is not 1',
      sameForAll: true,
      run: ({ call, rng }) => checkAnneal(call, gainsOf(rng, 3, 5)),
    },
    {
      name: 'weights that overflow',
      sameForAll: true,
      run: ({ call, rng }) => checkAnneal(call, gainsOf(rng, 10, 20, { level: 800, logZ0: 44.4, spread: 0.8 })),
    },
  ],
};

// energy.chains

/** E w² / (E w)² − 1 of w = exp N(mu, s²), by quadrature over the normal. */
function relativeVariance(s: number): number {
  let [first, second] = [0, 0];
  const step = 0.001;
  for (let z = -12; z < 16; z += step) {
    const density = Math.exp(-0.5 * z * z);
    first += density * Math.exp(s * z);
    second += density * Math.exp(2 * s * z);
  }
  const all = Math.sqrt(2 * Math.PI) / step;
  return second / all / (first / all) ** 2 - 1;
}

const needed = (s: number, error: number) => Math.ceil(relativeVariance(s) / error ** 2);

const wrongCounts: readonly (readonly [hint: string, of: (s: number, error: number) => number])[] = [
  ['s² is the variance of ln w; what counts is that of w, which its largest values make: E w² / (E w)² − 1 is exp(s²) − 1', (s, e) => Math.ceil(s ** 2 / e ** 2)],
  ['the variance is E w² − (E w)²: −1 is missing', (s, e) => Math.ceil(Math.exp(s ** 2) / e ** 2)],
  ['errors fall as 1/√M: the variance over error²', (s, e) => Math.ceil((Math.exp(s ** 2) - 1) / e)],
  ['the deviation over the error, squared: M = variance / error²', (s, e) => Math.ceil(Math.sqrt(Math.exp(s ** 2) - 1) / e)],
  ['E w² is exp(2 mu + 2 s²), and (E w)² is exp(2 mu + s²): their ratio is exp(s²)', (s, e) => Math.ceil((Math.exp(2 * s ** 2) - 1) / e ** 2)],
  ['E exp N(mu, s²) is exp(mu + s²/2), not exp(mu)', (s, e) => Math.ceil((Math.exp(s ** 2 / 2) - 1) / e ** 2)],
  ['s is squared: the exponent is s²', (s, e) => Math.ceil((Math.exp(s) - 1) / e ** 2)],
]; // prettier-ignore

export async function checkChains(call: Call, s: number, error: number): Promise<void> {
  const right = needed(s, error);
  const mistakes = wrongCounts.map(([told, of]): KnownMistake => ({ hint: told, answer: () => of(s, error) }));
  const hint = 'the error of ln w̄ is √(Var w / M) / E w, with w = exp of a normal';
  // one more or less is rounding
  expectAnswer(expectNumber(await call(s, error), { hint }), right, { what: `M for a deviation of ${s} and an error of ${error}`, rtol: 1e-3, atol: 1.01, hint }, mistakes); // prettier-ignore
}

export const chains: Exercise = {
  id: 'energy.chains',
  chapter,
  functionName: 'chainsNeeded',
  title: 'predict: how many chains an error needs',
  points: 2,
  allOrNothing: true,
  hints: [
    'What is the error of ln of a mean, as a share of the mean? And what are E w and E w² of w = exp of a normal?',
    'E w = exp(mu + s²/2), E w² = exp(2 mu + 2 s²). So Var w / (E w)² = exp(s²) − 1, whatever mu is; the error of ln w̄ is the root of that over √M.',
    'M = (exp(s²) − 1) / error², rounded up.',
  ],
  checks: [
    {
      name: 'little spread',
      async run({ call }) {
        await checkChains(call, 0.3, 0.05);
        await checkChains(call, 0.7, 0.02);
      },
    },
    {
      name: 'a spread of several nats',
      async run({ call }) {
        await checkChains(call, 1.5, 0.1);
        await checkChains(call, 2.5, 0.2);
      },
    },
  ],
};
