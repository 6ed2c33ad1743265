/** Chapter 3: how many components, and what a component on a single point is worth. */
import { permutation, type Rng } from 'dgm';
import { describe, expectNumber, expectTrue } from '../../exercise/compare';
import type { Exercise } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { logNormalOf } from './common';
import { chapter, type Call } from './mixture-density';

// mixture.chooseComponents

interface Candidate {
  readonly [key: string]: number;
  readonly components: number;
  readonly train: number;
  readonly validation: number;
  readonly standardError: number;
}

const lowest = (candidates: readonly Candidate[], by: (c: Candidate) => number) =>
  candidates.reduce((a, b) => (by(b) < by(a) ? b : a));
const smallest = (candidates: readonly Candidate[]) => lowest(candidates, (c) => c.components).components;

function chosenBy(candidates: readonly Candidate[]): number {
  const best = lowest(candidates, (c) => c.validation);
  return smallest(candidates.filter((c) => c.validation <= best.validation + best.standardError));
}

function wrongChoices(candidates: readonly Candidate[]): readonly KnownMistake[] {
  const best = lowest(candidates, (c) => c.validation);
  const trained = lowest(candidates, (c) => c.train);
  const within = candidates.filter((c) => c.validation <= best.validation + best.standardError);
  const atMost = (limit: (c: Candidate) => number) => () =>
    smallest(candidates.filter((c) => c.validation <= limit(c)));
  return [
    { hint: 'a model exactly at the limit counts: its loss may be at most the limit', answer: () => smallest(candidates.filter((c) => c === best || c.validation < best.validation + best.standardError)) },
    { hint: 'the lowest of several noisy numbers is partly luck: which smaller model is as good within one standard error of it?', answer: () => best.components },
    { hint: 'the training loss always prefers the largest model: it says nothing here', answer: () => trained.components },
    {
      hint: 'the training loss says nothing here: the best model is the one with the lowest validation loss',
      answer: atMost(() => trained.validation + trained.standardError),
    },
    { hint: 'the rule takes the smallest of the models within the limit', answer: () => lowest(within, (c) => -c.components).components },
    { hint: 'the limit is the same for all: the best loss plus the standard error of the best, not of each candidate', answer: atMost((c) => best.validation + c.standardError) },
    { hint: 'one standard error above the best, not two', answer: atMost(() => best.validation + 2 * best.standardError) },
    { hint: 'a smaller loss is better', answer: () => lowest(candidates, (c) => -c.validation).components },
    { hint: 'the order of the list must not matter', answer: () => within[0]!.components },
  ]; // prettier-ignore
}

async function checkChoice(call: Call, candidates: readonly Candidate[], hint?: string): Promise<void> {
  const got = await call(candidates);
  expectTrue(typeof got === 'number', 'a number of components', describe(got), hint);
  const what = `K, for ${listed(candidates)},`;
  const tolerance = { what, atol: 0, rtol: 0, ...(hint !== undefined && { hint }) };
  expectAnswer(got, chosenBy(candidates), tolerance, wrongChoices(candidates));
}

function listed(candidates: readonly Candidate[]): string {
  const shown = candidates.slice(0, 6).map(({ components, validation, standardError }) => {
    return `${components}: ${validation.toFixed(2)} ± ${standardError.toFixed(2)}`;
  });
  return [...shown, ...(candidates.length > 6 ? ['…'] : [])].join(', ');
}

const PLAIN: readonly Candidate[] = [
  { components: 1, train: 106.8, validation: 110.5, standardError: 1.2 },
  { components: 5, train: 97.3, validation: 105.0, standardError: 0.6 },
  { components: 10, train: 92.2, validation: 104.2, standardError: 1.0 },
  { components: 20, train: 89.7, validation: 104.5, standardError: 0.1 },
];

/**
 * Candidates in any unit, in which every known wrong rule chooses wrongly: one too far off, one within its own large
 * error but not within the best one's, the right one, the best, a larger one within the limit, and more that are too far
 * off. The right one comes last; the list is asked for forwards and backwards, so that no place is the right one.
 */
function trapped(rng: Rng, more: number, unit: number, zero: number): Candidate[] {
  const u = rng
    .fork('numbers')
    .uniform([5 + more, 2])
    .arraySync() as number[][];
  const scale = 0.5 + 2 * u[0]![0]!;
  const about = (value: number, i: number) => value + 0.1 * (u[i]![1]! - 0.5);
  const shapes = [
    { validation: about(4, 0), standardError: 0.1 },
    { validation: about(1.5, 1), standardError: 2 },
    { validation: about(0.8, 2), standardError: 0.2 },
    { validation: 0, standardError: 1 },
    { validation: about(0.5, 4), standardError: 0.1 },
    ...Array.from({ length: more }, (_, i) => ({ validation: 2 + 3 * u[5 + i]![0]!, standardError: 0.15 })),
  ];
  let components = 0;
  const candidates = shapes.map(({ validation, standardError }, i) => ({
    components: (components += 1 + Math.floor(3 * u[i]![0]!)), // some numbers are left out, so that K is no index
    train: 120 - i,
    validation: unit * scale * validation + zero, // densities have negative nats too
    standardError: unit * scale * standardError,
  }));
  const order = [...permutation(candidates.length, rng.fork('order'))].filter((i) => i !== 2);
  return [...order, 2].map((i) => candidates[i]!);
}

export async function checkTrapped(call: Call, rng: Rng, more: number, unit = 1, zero = 0): Promise<void> {
  const candidates = trapped(rng, more, unit, zero);
  await checkChoice(call, candidates);
  await checkChoice(call, candidates.toReversed());
}

export const chooseComponents: Exercise = {
  id: 'mixture.chooseComponents',
  chapter,
  functionName: 'chooseComponents',
  title: 'choosing K by the one-standard-error rule',
  points: 1,
  hints: [
    'Which of the candidates decides how far above the lowest loss another may lie: the candidate itself, or the best one?',
    'Two steps: find the candidate with the lowest validation loss; its loss plus its standard error is the limit. Everyone at or below the limit is as good as the best, and among these the number of components decides.',
    'Reduce the list to its best candidate, add up its two numbers, filter the list by that limit, and take the smallest `components` of what is left. The order of the list then plays no part.',
  ],
  checks: [
    {
      name: 'takes K = 5 where 10 is best by less than its standard error',
      run: ({ call }) =>
        checkChoice(call, PLAIN, 'the limit is the best validation loss plus the standard error of the best'),
    },
    {
      name: 'takes the best one when no smaller model comes close',
      async run({ call }) {
        const sharp = PLAIN.map((c) => ({ ...c, standardError: 0.05 }));
        await checkChoice(call, sharp, 'smaller loss is better, and training loss says nothing');
      },
    },
    {
      name: 'a model exactly at the limit counts, and one model alone is chosen',
      async run({ call }) {
        const numbers = { train: 99, standardError: 0.5 };
        const at = [
          { ...numbers, components: 8, validation: 100 },
          { ...numbers, components: 4, validation: 100.5 },
          { ...numbers, components: 2, validation: 100.75 },
        ];
        await checkChoice(call, at, 'at most the limit: 100 + 0.5');
        await checkChoice(call, at.slice(0, 1), 'the only candidate is the best, and the smallest');
      },
    },
    {
      name: 'agrees with the rule on lists in any order',
      async run({ call, rng }) {
        for (let list = 1; list <= 10; list++) await checkTrapped(call, rng.fork(`list ${list}`), list % 3);
      },
    },
  ],
};

// mixture.collapseGain

export interface Collapse {
  readonly points: number;
  readonly alone: number;
  readonly D: number;
  readonly factor: number;
}

/** Measured: the density at its own mean, before and after. */
function gainOf({ points, alone, D, factor }: Collapse): number {
  const at = (floor: number) => {
    const zeros = Array.from({ length: D }, () => 0);
    return logNormalOf(zeros, zeros, zeros.map(() => Math.log(floor))); // prettier-ignore
  };
  return (alone * (at(0.01 / factor) - at(0.01))) / points;
}

export async function checkCollapse(call: Call, input: Collapse, hint?: string): Promise<void> {
  const { points, alone, D, factor } = input;
  const share = alone / points;
  const mistakes: KnownMistake[] = [
    { hint: 'each point that has a component to itself gains that; how much is it on average over all points?', answer: () => gainOf({ ...input, points: 1, alone: 1 }) },
    { hint: 'that is the gain of all points together: on average, per point', answer: () => gainOf({ ...input, points: 1 }) },
    { hint: 'a density in D dimensions has a σ in the denominator for each of them', answer: () => (share * Math.log(factor)) / 2 },
    { hint: 'the floor is under the variance, not under σ', answer: () => share * D * Math.log(factor) },
    { hint: 'nats: natural logarithms', answer: () => (share * D * Math.log10(factor)) / 2 },
    { hint: 'a gain, in nats: the logarithm of how much denser it gets', answer: () => share * factor ** (D / 2) },
    { hint: 'narrower is denser: the training likelihood rises', answer: () => -gainOf(input) },
  ]; // prettier-ignore
  const got = expectNumber(await call(points, alone, D, factor), {
    what: 'the gain',
    ...(hint !== undefined && { hint }),
  });
  const what = `the gain in nats per point (points = ${points}, alone = ${alone}, D = ${D}, factor = ${factor})`;
  expectAnswer(got, gainOf(input), { what, rtol: 5e-3, atol: 1e-6, ...(hint !== undefined && { hint }) }, mistakes);
}

export const collapseGain: Exercise = {
  id: 'mixture.collapseGain',
  chapter,
  functionName: 'collapseGain',
  title: 'predict: what a component on a single point gains',
  points: 1,
  allOrNothing: true,
  hints: [
    'How high is a Gaussian at its own mean, as a function of its variance?',
    'At its mean, ln N is −½ ln(2π σ²) for each coordinate. Divide σ² by the factor: how many nats is that, in D coordinates?',
    'Half a ln of the factor, for each of the D coordinates, at each of the points that are alone; the other points gain nothing. Then the mean over all points.',
  ],
  checks: [
    {
      name: 'two components on ten points, one of them alone: the second column of the table',
      run: ({ call }) => checkCollapse(call, { points: 10, alone: 1, D: 2, factor: 10 }),
    },
    {
      name: 'ten components on ten points: the fourth column',
      run: ({ call }) => checkCollapse(call, { points: 10, alone: 10, D: 2, factor: 10 }),
    },
    {
      name: 'images: 1,000 of them, 25 alone, in 64 dimensions',
      run: ({ call }) => checkCollapse(call, { points: 1000, alone: 25, D: 64, factor: 100 }, 'it is worth more there'),
    },
  ],
};
