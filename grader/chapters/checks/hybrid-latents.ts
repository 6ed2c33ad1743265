/** Chapter 13: too probable is odd, too; and a bound with a latent for each thing that varies. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, meanOf, normal, vector, type Matrix, type Vector } from './common';

const chapter = '13-hybrid';

type Call = (...args: Value[]) => Promise<Value>;

// hybrid.typical

const shareOf = (heldOut: Vector, holds: (value: number) => boolean) => heldOut.filter(holds).length / heldOut.length;
const ranks = (value: number, heldOut: Vector) => [shareOf(heldOut, (v) => v <= value), shareOf(heldOut, (v) => v >= value)] as const; // prettier-ignore

type Rank = (value: number, heldOut: Vector) => number;

const twoSided: Rank = (value, heldOut) => Math.min(1, 2 * Math.min(...ranks(value, heldOut)));

const wrongRanks: readonly (readonly [hint: string, rank: Rank])[] = [
  ['one side alone: what is more probable than all held-out images is odd as well', (v, h) => ranks(v, h)[0]],
  ['the wrong side: x is odd where few held-out images are as improbable', (v, h) => ranks(v, h)[1]],
  ['two ways of being odd: twice the smaller share', (v, h) => Math.min(...ranks(v, h))],
  ['the smaller of the two shares', (v, h) => Math.min(1, 2 * Math.max(...ranks(v, h)))],
  ['a share is at most 1', (v, h) => 2 * Math.min(...ranks(v, h))],
  ['what is equal counts on both sides', (v, h) => Math.min(1, 2 * Math.min(shareOf(h, (o) => o < v), shareOf(h, (o) => o > v)))],
  ['what is equal counts on both sides', (v, h) => Math.min(1, 2 * Math.min(shareOf(h, (o) => o < v), shareOf(h, (o) => o >= v)))],
  ['what is equal counts on both sides', (v, h) => Math.min(1, 2 * Math.min(shareOf(h, (o) => o <= v), shareOf(h, (o) => o > v)))],
  ['by ranks on each side, not by the distance from the mean: what lies above it may be spread otherwise than what lies below', (v, h) => shareOf(h, (o) => Math.abs(o - meanOf(h)) >= Math.abs(v - meanOf(h)))],
  ['what is asked for is how typical x is: small where it is odd', (v, h) => 1 - Math.min(1, 2 * Math.min(...ranks(v, h)))],
]; // prettier-ignore

export async function checkTypical(call: Call, logP: Vector, heldOut: Vector): Promise<void> {
  const hint = 'twice the smaller of two shares: of held-out images at most as probable, and at least as probable';
  const got = expectTensor(await call(tf.tensor1d([...logP]), tf.tensor1d([...heldOut])), { what: 'typicality', shape: [logP.length], hint }); // prettier-ignore
  const of = (rank: Rank) => tf.tensor1d(logP.map((value) => rank(value, heldOut)));
  const mistakes = wrongRanks.map(([told, rank]): KnownMistake => ({ hint: told, answer: () => of(rank) }));
  const said = heldOut.length > 8 ? `${heldOut.length} held-out images` : `held-out ln p of ${heldOut.join(', ')}`;
  expectAnswer(got, of(twoSided), { what: `typicality, ${said}`, hint }, mistakes);
}

export const typical: Exercise = {
  id: 'hybrid.typical',
  chapter,
  functionName: 'typicality',
  title: 'typical: neither too improbable nor too probable',
  points: 2,
  hints: [
    'Of all held-out images, which share is at most as probable as x? What does a share near 0 say of x, and what one near 1?',
    'Compare every x with every held-out image, [B, N] of yes and no, once with lessEqual and once with greaterEqual; the mean over axis 1 is the share.',
    'The smaller of the two shares, times 2, and at most 1.',
  ],
  checks: [
    {
      name: 'four held-out images',
      run: ({ call }) => checkTypical(call, [-5, -1, -2.5, -3], [-4, -3, -2, -1.5]),
    },
    {
      name: 'ties, and one held-out image far off',
      run: ({ call }) => checkTypical(call, [-2, -9, -1, -3], [-2, -2, -3, -20, -1]),
    },
    {
      name: 'many',
      async run({ call, rng }) {
        const round = (x: tf.Tensor) => vector(x).map((v) => Math.round(4 * v) / 4);
        await checkTypical(call, round(normal(rng, 'x', [6], 2)), round(normal(rng, 'held', [25])));
      },
    },
  ],
}; // prettier-ignore

// diva.bound

interface Gauss {
  readonly mu: Matrix;
  readonly logVar: Matrix;
}

export interface Parts {
  readonly reconstruction: Vector;
  readonly q: readonly Gauss[];
  readonly p: readonly Gauss[];
  readonly classifiers: Vector;
  readonly weight: number;
}

export function partsOf(rng: Rng, B: number, sizes: Vector, weight: number): Parts {
  const gauss = (label: string, L: number): Gauss => ({
    mu: matrix(normal(rng, `${label} mu`, [B, L])),
    logVar: matrix(normal(rng, `${label} logVar`, [B, L], 0.7)),
  });
  return {
    reconstruction: vector(normal(rng, 'x', [B])).map((v) => v - 8),
    q: sizes.map((L, i) => gauss(`q${i}`, L)),
    p: sizes.map((L, i) => gauss(`p${i}`, L)),
    classifiers: vector(normal(rng, 'c', [B])).map((v) => -Math.abs(v) - 0.1),
    weight,
  };
} // prettier-ignore

type Kl = (mu: number, logVar: number, muP: number, logVarP: number) => number;

const kl: Kl = (mu, logVar, muP, logVarP) =>
  0.5 * (logVarP - logVar + (Math.exp(logVar) + (mu - muP) ** 2) / Math.exp(logVarP) - 1);

interface Variant {
  readonly divergence: Kl;
  /** Of the divergences of a part's coordinates, and of the parts. */
  readonly over: (values: Vector) => number;
  readonly all: (values: Vector) => number;
  readonly sign: number;
  /** How much of the classifiers is in the bound, and in the loss. */
  readonly counted: number;
  readonly trained: number;
}

const total = (values: Vector) => values.reduce((a, b) => a + b, 0);
const RIGHT: Variant = { divergence: kl, over: total, all: total, sign: -1, counted: 0, trained: 1 };

function boundBy({ reconstruction, q, p, classifiers, weight }: Parts, variant: Variant) {
  const { divergence, over, all, sign, counted, trained } = variant;
  const each = reconstruction.map((value, n) => {
    const parts = q.map(({ mu, logVar }, i) => over(mu[n]!.map((m, l) => divergence(m, logVar[n]![l]!, p[i]!.mu[n]![l]!, p[i]!.logVar[n]![l]!)))); // prettier-ignore
    return value + sign * all(parts);
  });
  return {
    bound: each.map((value, n) => value + counted * classifiers[n]!),
    loss: -meanOf(each.map((value, n) => value + trained * weight * classifiers[n]!)),
  };
}

const slips = (weight: number): readonly (readonly [hint: string, change: Partial<Variant>])[] => [
  ['KL[q ‖ p] and KL[p ‖ q] are not the same: x’s q is measured from the prior', { divergence: (m, v, mp, vp) => kl(mp, vp, m, v) }],
  ['all three were measured from N(0, I): domain and class have priors of their own', { divergence: (m, v) => kl(m, v, 0, 0) }],
  ['the prior’s variance is missing', { divergence: (m, v, mp) => kl(m, v, mp, 0) }],
  ['the prior’s mean is missing', { divergence: (m, v, _, vp) => kl(m, v, 0, vp) }],
  ['logVar is ln σ²: its exponential is the variance, not the deviation', { divergence: (m, v, mp, vp) => kl(m, 2 * v, mp, 2 * vp) }],
  ['of each dimension it is ½ (…)', { divergence: (...of) => 2 * kl(...of) }],
  ['each latent’s divergence counts in full: a sum over its dimensions, not a mean', { over: meanOf }],
  ['all three parts cost: their sum, not their mean', { all: meanOf }],
  ['one part’s divergence is missing: domain, rest and class all cost', { all: (values) => total(values.slice(1)) }],
  ['one part’s divergence is missing: domain, rest and class all cost', { all: (values) => total(values.slice(0, -1)) }],
  ['one part’s divergence is missing: domain, rest and class all cost', { all: (values) => total(values.filter((_, i) => i !== 1)) }],
  ['a divergence is taken off', { sign: 1 }],
  ['the classifiers are trained along, and are no part of the bound: with them, it bounds nothing', { counted: weight }],
  ['the classifiers are no part of the bound', { counted: 1 }],
]; // prettier-ignore

const lossSlips: readonly (readonly [hint: string, change: Partial<Variant>])[] = [
  ['the classifiers are missing: they are trained with the bound', { trained: 0 }],
  ['more of ln q makes the loss smaller: its sign', { trained: -1 }],
];

export async function checkBound(call: Call, parts: Parts): Promise<void> {
  const { reconstruction, q, p, classifiers, weight } = parts;
  const B = reconstruction.length;
  const tensors = (each: readonly Gauss[]) => each.map(({ mu, logVar }) => ({ mu: matrixTensor(mu), logVar: matrixTensor(logVar) })); // prettier-ignore
  const hint = 'bound = reconstruction − Σ KL[q_i ‖ p_i]; loss = −mean(bound + weight · classifiers)';
  const got = expectFields(await call(tf.tensor1d([...reconstruction]), tensors(q), tensors(p), tf.tensor1d([...classifiers]), weight), ['bound', 'loss'], { hint }); // prettier-ignore
  const of = (change: Partial<Variant>) => boundBy(parts, { ...RIGHT, ...change });
  const bounds = slips(weight).map(([told, change]): KnownMistake => ({ hint: told, answer: () => tf.tensor1d(of(change).bound) })); // prettier-ignore
  expectAnswer(expectTensor(got['bound'], { what: 'the bound', shape: [B], hint }), tf.tensor1d(of({}).bound), { what: 'the bound', hint }, bounds); // prettier-ignore
  const right = of({}).loss;
  const losses: KnownMistake[] = [
    ...lossSlips.map(([told, change]) => ({ hint: told, answer: () => tf.scalar(of(change).loss) })),
    { hint: 'what is minimised is minus the bound', answer: () => tf.scalar(-right) },
    { hint: 'the mean over the examples, not the sum', answer: () => tf.scalar(right * B) },
    { hint: 'the classifiers count by their weight', answer: () => tf.scalar(boundBy({ ...parts, weight: 1 }, RIGHT).loss) }, // prettier-ignore
  ];
  expectAnswer(expectTensor(got['loss'], { what: 'the loss', shape: [], hint }), tf.scalar(right), { what: 'the loss', hint }, losses); // prettier-ignore
}

const flat = (mu: number, logVar: number): Gauss => ({ mu: [[mu]], logVar: [[logVar]] });

export const bound: Exercise = {
  id: 'diva.bound',
  chapter,
  functionName: 'divaBound',
  title: 'a bound with three latents, and what does not belong to it',
  points: 3,
  library: ['dgm.klNormal'],
  hints: [
    'q(z | x) is a product of three, and so is the prior. What does that make of the KL between them?',
    'KL[N(m, e^v) ‖ N(m′, e^v′)] = ½ (v′ − v + (e^v + (m − m′)²) / e^v′ − 1) for each dimension, summed over all dimensions of all three parts. The classifiers’ ln q bounds nothing: it is in the loss alone.',
    'Take each part’s KL, summed over axis 1, off the reconstruction; that is the bound. The loss is minus the mean of the bound plus weight times the classifiers.',
  ],
  checks: [
    {
      name: 'one example, one number a part',
      run: ({ call }) => checkBound(call, { reconstruction: [-3], q: [flat(0.5, 0), flat(0, -0.5), flat(1, 0.3)], p: [flat(0, 0), flat(0, 0), flat(-0.5, 0.4)], classifiers: [-0.7], weight: 2 }),
    },
    {
      name: 'a batch, parts of different sizes',
      async run({ call, rng }) {
        await checkBound(call, partsOf(rng.fork('few'), 2, [2, 1, 3], 3));
        await checkBound(call, partsOf(rng.fork('many'), 5, [1, 4, 2], 20));
      },
    },
  ],
}; // prettier-ignore
