/** Chapter 10: the level of a ladder that is to be repaired. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectFields } from '../../exercise/compare';
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
    return { ...q, kl: from(q.mu, q.logVar), encoders: from(e[0], e[1]), standard: between({ apart: q.mu, p: 0, q: q.logVar / 2 }), toEncoder: between({ apart: q.mu - e[0], p: e[1] / 2, q: q.logVar / 2 }), reverse: between({ apart: q.mu - p[0], p: q.logVar / 2, q: p[1] / 2 }) };
  }));
  const of = (field: 'mu' | 'logVar' | 'kl' | 'encoders' | 'standard' | 'toEncoder' | 'reverse') => rows.map((row) => row.map((cell) => cell[field]));
  return { of, totals: (field: 'kl' | 'encoders' | 'standard' | 'toEncoder' | 'reverse') => tf.tensor1d(of(field).map(sum)) };
} // prettier-ignore

export async function checkLadder(call: Call, input: LadderInput, hint: string): Promise<void> {
  const { encoder, prior } = input;
  const got = expectFields(await call(...[encoder.mu, encoder.logVar, prior.mu, prior.logVar].map(matrixTensor)), ['mu', 'logVar', 'kl'], { hint });
  const { of, totals } = ladderOf(input);
  const close = { rtol: 1e-4, atol: 1e-3, hint };
  expectClose(got.mu, matrixTensor(of('mu')), { ...close, what: 'mu' });
  expectClose(got.logVar, matrixTensor(of('logVar')), { ...close, what: 'logVar' });
  expectAnswer(got.kl, totals('kl'), { ...close, what: 'the KL' }, [
    { hint: 'this is the KL of what the encoder says alone; z is drawn from the merged Gaussian', answer: () => totals('encoders') },
    { hint: 'the prior of this level is not N(0, I)', answer: () => totals('standard') },
    { hint: 'this is the KL to what the encoder says: the price is that of the way from the prior', answer: () => totals('toEncoder') },
    { hint: 'KL[q ‖ p], from the posterior to the prior', answer: () => totals('reverse') },
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
        checkLadder(call, { encoder: { mu: [[2]], logVar: [[0]] }, prior: { mu: [[0]], logVar: [[0.5]] } }, 'nearer to the encoder, with less variance than either'),
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
