/** Chapter 10: the level of a ladder that is to be repaired. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields } from '../../exercise/compare';
import type { Exercise } from '../../exercise/exercise';
import { expectAnswer } from './answer';
import { matrix, matrixTensor, meanOf, type Matrix, type Vector } from './common';
import { between, type Call } from './hierarchy-levels';

const chapter = '10-hierarchical';

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

export interface LadderInput {
  readonly encoder: Readonly<Record<'mu' | 'logVar', Matrix>>;
  readonly prior: Readonly<Record<'mu' | 'logVar', Matrix>>;
}

/** What two Gaussians say of one number together, by completing the square at three points of the sum of logarithms. */
function together(e: readonly [number, number], p: readonly [number, number]): { mu: number; logVar: number } {
  const log = (z: number) => -((z - e[0]) ** 2) / (2 * Math.exp(e[1])) - (z - p[0]) ** 2 / (2 * Math.exp(p[1]));
  const curvature = 2 * log(0) - log(1) - log(-1);
  return { mu: (log(1) - log(-1)) / (2 * curvature), logVar: -Math.log(curvature) };
}

function ladderOf({ encoder, prior }: LadderInput) {
  const rows = encoder.mu.map((row, n) => row.map((_, l) => {
    const e = [encoder.mu[n]![l]!, encoder.logVar[n]![l]!] as const;
    const p = [prior.mu[n]![l]!, prior.logVar[n]![l]!] as const;
    const q = together(e, p);
    const from = (mu: number, logVar: number) => between({ apart: mu - p[0], p: p[1] / 2, q: logVar / 2 });
    const to = (mu: number, logVar: number) => between({ apart: q.mu - mu, p: logVar / 2, q: q.logVar / 2 });
    return {
      ...q,
      kl: from(q.mu, q.logVar),
      encoders: from(e[0], e[1]),
      standard: to(0, 0),
      toEncoder: to(e[0], e[1]),
      meanAlone: to(p[0], e[1]),
      varianceAlone: to(e[0], p[1]),
      reverse: between({ apart: q.mu - p[0], p: q.logVar / 2, q: p[1] / 2 }),
      byDeviations: { mu: shared(e, p, -0.5), logVar: -2 * Math.log(Math.exp(-e[1] / 2) + Math.exp(-p[1] / 2)) },
      byVariances: shared(e, p, 1),
    };
  }));
  const of = <Field extends keyof (typeof rows)[0][0]>(field: Field) => rows.map((row) => row.map((cell) => cell[field]));
  return { of, totals: (field: Exclude<keyof (typeof rows)[0][0], 'byDeviations'>, factor = 1) => tf.tensor1d(of(field).map((row) => factor * sum(row))) };
} // prettier-ignore

/** The mean of two means, each weighted by that power of its variance. */
function shared(e: readonly [number, number], p: readonly [number, number], power: number): number {
  const [a, b] = [Math.exp(power * e[1]), Math.exp(power * p[1])];
  return (a * e[0] + b * p[0]) / (a + b);
}

export async function checkLadder(call: Call, input: LadderInput, hint: string): Promise<void> {
  const { encoder, prior } = input;
  const got = expectFields(await call(...[encoder.mu, encoder.logVar, prior.mu, prior.logVar].map(matrixTensor)), ['mu', 'logVar', 'kl'], { hint });
  const { of, totals } = ladderOf(input);
  const close = { rtol: 1e-4, atol: 1e-3, hint };
  expectAnswer(got.mu, matrixTensor(of('mu')), { ...close, what: 'mu' }, [
    { hint: 'who is surer counts more: weights are precisions, and not variances', answer: () => matrixTensor(of('byVariances')) },
    { hint: 'precisions are 1 / σ², and logVar is ln σ²', answer: () => matrixTensor(of('byDeviations').map((row) => row.map(({ mu }) => mu))) },
  ]);
  expectAnswer(got.logVar, matrixTensor(of('logVar')), { ...close, what: 'logVar' }, [
    { hint: 'that is the logarithm of the precision: the variance is its inverse', answer: () => matrixTensor(of('logVar').map((row) => row.map((v) => -v))) },
    { hint: 'the logarithm of the variance, and not the variance', answer: () => matrixTensor(of('logVar').map((row) => row.map(Math.exp))) },
    { hint: 'precisions are 1 / σ², and logVar is ln σ²', answer: () => matrixTensor(of('byDeviations').map((row) => row.map(({ logVar }) => logVar))) },
  ]);
  expectAnswer(got.kl, totals('kl'), { ...close, what: 'the KL' }, [
    { hint: 'this is the KL of what the encoder says alone; z is drawn from the merged Gaussian', answer: () => totals('encoders') },
    { hint: 'the prior of this level is not N(0, I)', answer: () => totals('standard') },
    { hint: 'this is the KL to what the encoder says: the price is that of the way from the prior', answer: () => totals('toEncoder') },
    { hint: 'the mean is the prior’s now, and the variance still the encoder’s', answer: () => totals('meanAlone') },
    { hint: 'the variance is the prior’s now, and the mean still the encoder’s', answer: () => totals('varianceAlone') },
    { hint: 'KL[q ‖ p], from the posterior to the prior', answer: () => totals('reverse') },
    { hint: 'the factor ½ is missing', answer: () => totals('kl', 2) },
    { hint: 'the KL is at least 0: this is its negative', answer: () => totals('kl', -1) },
    { hint: 'a sum over the latents, not their mean', answer: () => tf.tensor1d(of('kl').map(meanOf)) },
    { hint: 'the KL of each example, and not the mean over the batch', answer: () => tf.fill([encoder.mu.length], meanOf(of('kl').map(sum))) },
  ]);
} // prettier-ignore

export const ladderInput = (rng: Rng, B: number, L: number): LadderInput => {
  const draw = (label: string) => matrix(tf.tidy(() => rng.fork(label).normal([B, L])));
  const pair = (who: string) => ({ mu: draw(`${who} mu`), logVar: draw(`${who} logVar`) });
  return { encoder: pair('encoder'), prior: pair('prior') };
};

export const ladder: Exercise = {
  id: 'hierarchy.ladder',
  chapter,
  functionName: 'ladderLevel',
  title: 'the bug to find: whose KL?',
  points: 2,
  allOrNothing: true,
  hints: [
    'Which two distributions does the KL of a level compare? Which of them does the model draw z from when there is no x?',
    'The bound compares q, from which z is drawn, with the prior given the levels above. What the encoder says is no prior: nothing knows it when the model draws.',
    'The prior’s mean and variance go into the KL in the place of the encoder’s; the merged Gaussian stays where it is.',
  ],
  checks: [
    {
      name: 'one latent, seen by an encoder that is surer than the prior',
      run: ({ call }) =>
        checkLadder(call, { encoder: { mu: [[2]], logVar: [[-0.4]] }, prior: { mu: [[0.5]], logVar: [[0.5]] } }, 'nearer to the encoder, with less variance than either'),
    },
    {
      name: 'an encoder that knows nothing costs nothing',
      run: ({ call }) =>
        checkLadder(call, { encoder: { mu: [[3, -1]], logVar: [[14, 14]] }, prior: { mu: [[0.5, 1]], logVar: [[-1, 0.3]] } }, 'q is then the prior'),
    },
    {
      name: 'several examples and latents',
      sameForAll: true,
      run: ({ call, rng }) => checkLadder(call, ladderInput(rng, 3, 2), 'the KL of what z is drawn from'),
    },
  ],
}; // prettier-ignore
