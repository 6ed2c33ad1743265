/** Chapter 12: one network, three views; where a single step of Euler's method lands. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, normal, type Matrix, type Vector } from './common';

const chapter = '12-score-flow';

type Call = (...args: Value[]) => Promise<Value>;

// match.views

export interface Seen {
  readonly z: Matrix;
  readonly score: Matrix;
  readonly t: Vector;
}

export const seenOf = (rng: Rng, B: number, D: number, t: Vector): Seen => ({
  z: matrix(normal(rng, 'z', [B, D])),
  score: matrix(normal(rng, 'score', [B, D])),
  t,
}); // prettier-ignore

type Field = 'noise' | 'data' | 'velocity';
type View = (z: number, s: number, t: number) => number;

/** One after the other, by solving z = (1 − t) ε + t x. */
const views: Readonly<Record<Field, View>> = {
  noise: (_, s, t) => -(1 - t) * s,
  data: (z, s, t) => (z - (1 - t) * views.noise(z, s, t)) / t,
  velocity: (z, s, t) => views.data(z, s, t) - views.noise(z, s, t),
};

const wrongViews: Readonly<Record<Field, readonly (readonly [hint: string, view: View])[]>> = {
  noise: [
    ['the sign: the score points away from the noise', (_, s, t) => (1 - t) * s],
    ['the noise in z is (1 − t) ε, of deviation 1 − t: z at t = 1 has none', (_, s, t) => -t * s],
    ['given x, z is Gaussian of deviation 1 − t, and its score is −(1 − t) ε / (1 − t)²', (_, s, t) => -((1 - t) ** 2) * s],
    ['the score is −ε / (1 − t): times the deviation, not divided by it', (_, s, t) => -s / (1 - t)],
    ['the deviation of the noise is 1 − t: the score is ε over it, negative', (_, s) => -s],
  ],
  data: [
    ['z = (1 − t) ε + t x: the noise is to be taken off with its factor 1 − t', (z, s, t) => (z - views.noise(z, s, t)) / t],
    ['of what is left without the noise, x is the t-th part: divide by t', (z, s, t) => z - (1 - t) * views.noise(z, s, t)],
    ['that is the guess for x + σ ε; here x is scaled by t, too', (z, s, t) => z + (1 - t) ** 2 * s],
    ['the sign of the noise', (z, s, t) => (z - (1 - t) ** 2 * s) / t],
    ['at t = 0 there is noise, at t = 1 data', (z, s, t) => (z + t * t * s) / (1 - t)],
  ],
  velocity: [
    ['from noise to data: x − ε', (z, s, t) => views.noise(z, s, t) - views.data(z, s, t)],
    ['the path is straight: its velocity is x − ε, all the way', (z, s, t) => views.data(z, s, t) - z],
    ['the velocity is not the score: it also carries what has no noise', (_, s) => s],
    ['that is the velocity of noise that grows, without the part that scales x', (_, s, t) => (1 - t) * s],
    ['x − ε, with both in full', (z, s, t) => t * views.data(z, s, t) - (1 - t) * views.noise(z, s, t)],
  ],
}; // prettier-ignore

export async function checkViews(call: Call, { z, score, t }: Seen): Promise<void> {
  const hint = 'z = (1 − t) ε + t x, and the score of z is −ε / (1 − t) on average';
  const fields = ['noise', 'data', 'velocity'] as const;
  const got = expectFields(await call(matrixTensor(z), matrixTensor(score), tf.tensor1d([...t])), fields, { hint });
  const of = (view: View) => matrixTensor(z.map((row, n) => row.map((v, d) => view(v, score[n]![d]!, t[n]!))));
  for (const field of fields) {
    const tensor = expectTensor(got[field], { what: field, shape: [z.length, z[0]!.length], hint });
    const mistakes = wrongViews[field].map(([told, view]): KnownMistake => ({ hint: told, answer: () => of(view) }));
    expectAnswer(tensor, of(views[field]), { what: `${field} at t = [${t.join(', ')}]`, rtol: 1e-3, atol: 1e-4, hint }, mistakes); // prettier-ignore
  }
}

export const viewed: Exercise = {
  id: 'match.views',
  chapter,
  functionName: 'viewsOf',
  title: 'derive: one score, three views',
  points: 3,
  library: ['dgm.viewsOf'],
  hints: [
    'Given x, what is the density of z = (1 − t) ε + t x? How does its score depend on ε?',
    'Given x the score is −ε / (1 − t); over all x that could be there it is −E[ε | z] / (1 − t). That gives E[ε | z]; z = (1 − t) E[ε | z] + t E[x | z] gives the other, and the velocity is their difference.',
    'noise = −(1 − t) score; data = (z − (1 − t) noise) / t; velocity = data − noise. t [B] as a column: t.expandDims(1).',
  ],
  checks: [
    {
      name: 'one number, early and late',
      async run({ call }) {
        await checkViews(call, { z: [[1]], score: [[-0.5]], t: [0.25] });
        await checkViews(call, { z: [[0.4]], score: [[2]], t: [0.8] });
      },
    },
    {
      name: 'a batch, each row at its own time',
      run: ({ call, rng }) => checkViews(call, seenOf(rng, 4, 3, [0.1, 0.35, 0.6, 0.95])),
    },
  ],
}; // prettier-ignore

// match.paths

type Pairing = 'independent' | 'transport';

interface Paths {
  /** Mean and deviation of where one step of Euler's method lands. */
  readonly mu: number;
  readonly sigma: number;
  /** E (x − ε)² */
  readonly length: number;
}

/** Noise N(0, 1), data N(m, s²): by pairs on a grid of quantiles, transported in order, or all with all. */
function pathsOf(m: number, s: number, pairing: Pairing): Paths {
  if (pairing !== 'independent') return { mu: m, sigma: s, length: m * m + (s - 1) ** 2 };
  return { mu: m, sigma: 0, length: m * m + s * s + 1 };
}

export async function checkPaths(call: Call, m: number, s: number, pairing: Pairing): Promise<void> {
  const said = `data N(${m}, ${s}²), pairs ${pairing}`;
  const got = expectFields(await call(m, s, pairing), ['mu', 'sigma', 'length'], { hint: 'mu, sigma and length' });
  const right = pathsOf(m, s, pairing);
  const other = pathsOf(m, s, pairing === 'transport' ? 'independent' : 'transport');
  const known: Readonly<Record<keyof Paths, readonly (readonly [hint: string, value: number])[]>> = {
    mu: [['one step goes all the way, from t = 0 to 1', 0], ['one step goes all the way', m / 2]],
    sigma: [
      [pairing === 'independent' ? 'at t = 0 noise says nothing of x: from every place the mean velocity leads to the mean of the data' : 'in order, each place has one partner: the mean velocity is that of its own path', other.sigma],
      ['noise keeps its width only where data have it', 1],
      ['the noise is on its way, too: x − ε takes it off', Math.sqrt(1 + s * s)],
      ['the deviation, not the variance', s * s],
    ],
    length: [
      [pairing === 'independent' ? 'these are pairs without regard to each other' : 'in order, x = m + s ε', other.length],
      ['the distance of the means counts, too', right.length - m * m],
      ['independent variances add up', Math.abs(s * s - 1) + m * m],
      ['squared', Math.sqrt(right.length)],
    ],
  }; // prettier-ignore
  for (const field of ['mu', 'sigma', 'length'] as const) {
    const what = `${field} for ${said}`;
    const hint = 'v(z, 0) = E[x − ε | ε = z], and one step of Euler’s method from z leads to z + v(z, 0)';
    const mistakes = known[field].map(([told, value]): KnownMistake => ({ hint: told, answer: () => value }));
    expectAnswer(expectNumber(got[field], { what, hint }), right[field], { what, rtol: 1e-6, atol: 1e-9, hint }, mistakes); // prettier-ignore
  }
}

export const paths: Exercise = {
  id: 'match.paths',
  chapter,
  functionName: 'oneStep',
  title: 'predict: where a single step lands',
  points: 2,
  allOrNothing: true,
  hints: [
    'At t = 0, z is ε itself. What does it say about x, if x was paired with it at random? And if pairs are in order, the smallest with the smallest?',
    'v(z, 0) = E[x | ε = z] − z. At random that is m − z, wherever z is; in order x = m + s z, so that it is m + (s − 1) z. One step of length 1 adds it to z.',
    'Independent: everything lands at m (deviation 0), and E(x − ε)² = m² + s² + 1. In order: m + s z, deviation s, and E(x − ε)² = m² + (s − 1)².',
  ],
  checks: [
    {
      name: 'pairs at random',
      async run({ call }) {
        await checkPaths(call, 3, 0.5, 'independent');
        await checkPaths(call, -1, 2, 'independent');
      },
    },
    {
      name: 'pairs in order',
      async run({ call }) {
        await checkPaths(call, 3, 0.5, 'transport');
        await checkPaths(call, -1, 2, 'transport');
      },
    },
  ],
};
