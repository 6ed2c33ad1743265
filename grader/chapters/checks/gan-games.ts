/** Chapter 15: the best critic, what each player minimises, and what a generator is told by it. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectArray, expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, roundings, type KnownMistake } from './answer';
import { meanOf, normal, vector, type Vector } from './common';

const chapter = '15-gan';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);
const sigma = (v: number) => 1 / (1 + Math.exp(-v));
const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));

// gan.optimum

/** 0 ln 0 = 0 */
const weighted = (weight: number, v: number) => (weight === 0 ? 0 : weight * Math.log(v));
const best = (p: Vector, q: Vector) => p.map((v, i) => v / (v + q[i]!));
const gameOf = (p: Vector, q: Vector, D: Vector) =>
  sum(p.map((v, i) => weighted(v, D[i]!) + weighted(q[i]!, 1 - D[i]!)));
/** Σ p ln (p / q), where q is 0 nowhere that p is not */
const divergence = (p: Vector, q: Vector) => sum(p.map((v, i) => weighted(v, v / q[i]!)));
const middle = (p: Vector, q: Vector) => p.map((v, i) => (v + q[i]!) / 2);
const jensenShannon = (p: Vector, q: Vector) => (divergence(p, middle(p, q)) + divergence(q, middle(p, q))) / 2;

const wrongCritics: readonly (readonly [hint: string, D: (p: Vector, q: Vector) => number[]])[] = [
  ['D is the probability of “data”: near 1 where p is large beside q', (p, q) => best(q, p)],
  ['a ratio of densities is above 1 at times; D is a probability', (p, q) => p.map((v, i) => v / q[i]!)],
  ['how likely x is says nothing of where it came from: Bayes’ rule', (p) => [...p]],
  ['that is the critic where samples are as data', (p) => p.map(() => 0.5)],
  ['how sure it is, not on which side: also between 0 and 1', (p, q) => p.map((v, i) => (v > q[i]! ? 1 : 0))],
  ['the difference of the densities is no probability', (p, q) => p.map((v, i) => v - q[i]!)],
  ['logits, or their exp? ln p − ln q is the number whose σ is asked for', (p, q) => p.map((v, i) => Math.log(v / q[i]!))],
]; // prettier-ignore

const wrongValues: readonly (readonly [hint: string, value: (p: Vector, q: Vector) => number])[] = [
  ['a critic maximises it, and it is below 0: a mean of logarithms of probabilities', (p, q) => -gameOf(p, q, best(p, q))],
  ['at p = q the value is ln ½ twice, not 0: − ln 4 is missing', (p, q) => 2 * jensenShannon(p, q)],
  ['each of the two expectations brings a KL to the middle: 2 JSD', (p, q) => jensenShannon(p, q) - Math.log(4)],
  ['ln ½ of data, and ln ½ of samples: −ln 4, not −ln 2', (p, q) => 2 * jensenShannon(p, q) - Math.log(2)],
  ['in nats: the natural logarithm', (p, q) => gameOf(p, q, best(p, q)) / Math.LN2],
  ['that is the divergence JSD; the game is worth 2 JSD − ln 4', (p, q) => jensenShannon(p, q)],
  ['− ln 4, not + ln 4', (p, q) => 2 * jensenShannon(p, q) + Math.log(4)],
  ['data count by p with ln D, samples by q with ln(1 − D), not the other way round', (p, q) => gameOf(q, p, best(p, q))],
  ['that is KL(p ‖ q); the best critic compares each with the middle of both', (p, q) => divergence(p, q)],
  ['that is the value where nothing can be told apart', () => -Math.log(4)],
  ['the second expectation is of ln(1 − D)', (p, q) => gameOf(p, q, best(p, q)) - sum(q.map((v, i) => weighted(v, 1 - best(p, q)[i]!))) + sum(q.map((v, i) => weighted(v, best(p, q)[i]!)))],
  ['both expectations: over the data, and over the samples', (p, q) => sum(p.map((v, i) => weighted(v, best(p, q)[i]!)))],
  ['data count by p, samples by q', (p, q) => meanOf(p.map((_, i) => Math.log(best(p, q)[i]!) + Math.log(1 - best(p, q)[i]!)))],
  ['expectations are sums with weights p and q, not divided by the number of values', (p, q) => gameOf(p, q, best(p, q)) / p.length],
]; // prettier-ignore

export async function checkOptimum(call: Call, p: Vector, q: Vector): Promise<void> {
  const hint = 'for each x by itself: maximise p ln D + q ln(1 − D)';
  const got = expectFields(await call([...p], [...q]), ['D', 'value'], { hint });
  const D = expectArray(got['D'], { what: 'D', length: p.length, hint }).map((v, i) => expectNumber(v, { what: `D[${i}]`, hint })); // prettier-ignore
  const said = `p = [${p.join(', ')}], q = [${q.join(', ')}]`;
  const critics = wrongCritics.map(([told, of]): KnownMistake => ({ hint: told, answer: () => of(p, q) }));
  expectAnswer(D, best(p, q), { what: `D for ${said}`, rtol: 1e-5, atol: 1e-6, hint }, critics);
  const values = wrongValues.map(([told, of]): KnownMistake => ({ hint: told, answer: () => of(p, q) }));
  const zeros = 'where p or q is 0, it adds nothing: 0 ln 0 = 0, which a computer takes for NaN';
  const value = expectNumber(got['value'], { what: `the value for ${said}`, hint: zeros });
  expectAnswer(value, gameOf(p, q, best(p, q)), { what: `the value for ${said}`, rtol: 1e-5, atol: 1e-6, hint }, values); // prettier-ignore
}

export const optimum: Exercise = {
  id: 'gan.optimum',
  chapter,
  functionName: 'bestCritic',
  title: 'derive: the best critic, and what the game is worth',
  points: 3,
  library: ['dgm.optimalCritic'],
  hints: [
    'The critic may answer each x as it likes. What does one x add to the value, and at which D is that largest?',
    'd/dD [p ln D + q ln(1 − D)] = p/D − q/(1 − D) = 0. Put that D in again, and write p/(p + q) as ½ · p / ((p + q)/2).',
    'D = p / (p + q), and the value is the sum of p ln D + q ln(1 − D), where a weight of 0 adds 0.',
  ],
  checks: [
    {
      name: 'two values',
      run: ({ call }) => checkOptimum(call, [0.75, 0.25], [0.4, 0.6]),
    },
    {
      name: 'samples that are as data, and others',
      async run({ call }) {
        await checkOptimum(call, [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]);
        await checkOptimum(call, [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]);
      },
    },
    {
      name: 'values that one of them never has',
      run: ({ call }) => checkOptimum(call, [0.5, 0.5, 0], [0, 0.25, 0.75]),
    },
  ],
};

// gan.slopes

const SLOPES = ['saturating', 'nonSaturating'] as const;
type Slope = (typeof SLOPES)[number];

const rightSlopes: Readonly<Record<Slope, (f: number) => number>> = {
  saturating: (f) => -sigma(f),
  nonSaturating: (f) => -sigma(-f),
};

const wrongSlopes: Readonly<Record<Slope, readonly (readonly [hint: string, slope: (f: number) => number])[]>> = {
  saturating: [
    ['the sign: the loss falls as the number grows, which is what the generator wants', sigma],
    ['that is the slope of −ln D, the other of the two', (f) => -sigma(-f)],
    ['the slope by the number, not by D: σ′ = σ (1 − σ) takes one factor away', (f) => -1 / sigma(-f)],
    ['ln(1 − D), not D: its slope is σ′ / (1 − D)', (f) => -sigma(f) * sigma(-f)],
    ['that is the loss itself, not its slope', (f) => -softplus(f)],
  ],
  nonSaturating: [
    ['the sign: the loss falls as the number grows, which is what the generator wants', (f) => sigma(-f)],
    ['that is the slope of ln(1 − D), the other of the two', (f) => -sigma(f)],
    ['the slope by the number, not by D: σ′ = σ (1 − σ) takes one factor away', (f) => -1 / sigma(f)],
    ['ln D, not D: its slope is σ′ / D', (f) => -sigma(f) * sigma(-f)],
    ['that is the loss itself, not its slope', (f) => softplus(-f)],
  ],
};

export async function checkSlopes(call: Call, f: number): Promise<void> {
  const hint = 'D = σ(f): ln(1 − D) = −ln(1 + e^f), and −ln D = ln(1 + e^(−f))';
  const got = expectFields(await call(f), SLOPES, { hint });
  for (const name of SLOPES) {
    const what = `the slope of the ${name === 'saturating' ? 'saturating' : 'non-saturating'} loss where the critic says ${f}`;
    const mistakes = wrongSlopes[name].map(([told, slope]): KnownMistake => ({ hint: told, answer: () => slope(f) }));
    const value = expectNumber(got[name], { what, hint: 'e^f may overflow: 1 / (1 + e^(−f)) does not' });
    expectAnswer(value, rightSlopes[name](f), { what, rtol: 1e-4, atol: 1e-9, hint }, mistakes);
  }
}

export const slopes: Exercise = {
  id: 'gan.slopes',
  chapter,
  functionName: 'generatorSlopes',
  title: 'predict: what a generator is told by a critic that is sure',
  points: 2,
  allOrNothing: true,
  hints: [
    'Write both losses in the critic’s number f, without D. What are their derivatives at f = −10, where the critic is sure of a fake?',
    'ln(1 − σ(f)) = −ln(1 + e^f), whose derivative is −σ(f); and −ln σ(f) = ln(1 + e^(−f)).',
    'saturating −σ(f), nonSaturating −σ(−f), with σ(v) = 1 / (1 + e^(−v)).',
  ],
  checks: [
    { name: 'a critic that cannot tell, and one that is nearly sure', run: async ({ call }) => { await checkSlopes(call, -2); await checkSlopes(call, 0); } },
    { name: 'a critic that is sure, and one that is fooled', run: async ({ call }) => { await checkSlopes(call, -8); await checkSlopes(call, 3); } },
  ],
}; // prettier-ignore

// gan.losses

export interface Numbers {
  readonly real: Vector;
  readonly fake: Vector;
}

export const numbersOf = (rng: Rng, B: number, spread: number): Numbers => ({
  real: vector(normal(rng, 'real', [B], spread)),
  fake: vector(normal(rng, 'fake', [B], spread)),
});

const PLAYERS = ['critic', 'generator'] as const;
type Player = (typeof PLAYERS)[number];

const rightLosses: Readonly<Record<Player, (numbers: Numbers) => number>> = {
  critic: ({ real, fake }) => meanOf(real.map((v) => softplus(-v))) + meanOf(fake.map(softplus)),
  generator: ({ fake }) => meanOf(fake.map((v) => softplus(-v))),
};

const twice = ({ real, fake }: Numbers): Numbers => ({ real: real.map(sigma), fake: fake.map(sigma) });
const wrongLosses: Readonly<Record<Player, readonly (readonly [hint: string, loss: (numbers: Numbers) => number])[]>> = {
  critic: [
    ['σ twice: the numbers are logits, and are not to be squashed before', (n) => rightLosses.critic(twice(n))],
    ['labels the wrong way round: data are 1, samples 0', ({ real, fake }) => rightLosses.critic({ real: fake, fake: real })],
    ['a mean over the examples, not a sum', ({ real, fake }) => real.length * rightLosses.critic({ real, fake })],
    ['the critic minimises: a minus before both logarithms', (n) => -rightLosses.critic(n)],
    ['half of it: the two means are added, not averaged', (n) => rightLosses.critic(n) / 2],
    ['samples count, too: − ln(1 − D) of each', ({ real }) => meanOf(real.map((v) => softplus(-v)))],
    ['data count, too: − ln D of each', ({ fake }) => meanOf(fake.map(softplus))],
    ['that is Wasserstein’s critic, which knows no D', ({ real, fake }) => meanOf(fake) - meanOf(real)],
    ['that is the hinge loss, of another game', ({ real, fake }) => meanOf(real.map((v) => Math.max(0, 1 - v))) + meanOf(fake.map((v) => Math.max(0, 1 + v)))],
    ['that is least squares, of another game: here D = σ(logit) and logarithms', ({ real, fake }) => meanOf(real.map((v) => (v - 1) ** 2)) + meanOf(fake.map((v) => v * v))],
    ['that is the critic of a relativistic game, of differences', ({ real, fake }) => meanOf(real.map((v, i) => softplus(fake[i]! - v)))],
  ],
  generator: [
    ['σ twice: the numbers are logits, and are not to be squashed before', (n) => rightLosses.generator(twice(n))],
    ['that is the saturating loss: it has no slope where the critic is sure', ({ fake }) => -meanOf(fake.map(softplus))],
    ['that is what the critic minimises of samples: the generator wants the opposite', ({ fake }) => meanOf(fake.map(softplus))],
    ['of the samples, not of the data', ({ real }) => meanOf(real.map((v) => softplus(-v)))],
    ['a mean over the examples, not a sum', ({ fake }) => sum(fake.map((v) => softplus(-v)))],
    ['minimised, not maximised: −ln D', ({ fake }) => -meanOf(fake.map((v) => softplus(-v)))],
    ['minus all of what the critic minimises is minimax; the non-saturating loss is −ln D of the samples', (n) => -rightLosses.critic(n)],
    ['that is Wasserstein’s generator, which knows no D', ({ fake }) => -meanOf(fake)],
    ['not the probability but its logarithm: −ln D', ({ fake }) => -meanOf(fake.map(sigma))],
  ],
}; // prettier-ignore

export async function checkLosses(call: Call, numbers: Numbers): Promise<void> {
  const { real, fake } = numbers;
  const hint = '−ln σ(v) = ln(1 + e^(−v)) = softplus(−v)';
  const got = expectFields(await call(tf.tensor1d([...real]), tf.tensor1d([...fake])), PLAYERS, { hint });
  for (const player of PLAYERS) {
    const what = `the ${player}’s loss`;
    const overflow = 'σ rounds to 0 or 1 where the critic is sure, and ln 0 is no number: use softplus of the logits';
    expectTensor(got[player], { what, shape: [], hint: 'one number: a mean over the examples', nonFinite: true });
    const value = expectTensor(got[player], { what, shape: [], hint: overflow }).dataSync()[0]!;
    const mistakes = wrongLosses[player].map(([told, loss]): KnownMistake => ({ hint: told, answer: () => loss(numbers) })); // prettier-ignore
    const wanted = rightLosses[player](numbers);
    expectAnswer(value, wanted, { what, rtol: 1e-4, atol: 1e-6 + roundings(Math.abs(wanted)), hint: Math.max(...real.map(Math.abs), ...fake.map(Math.abs)) > 30 ? overflow : hint }, mistakes); // prettier-ignore
  }
}

export const losses: Exercise = {
  id: 'gan.losses',
  chapter,
  functionName: 'adversarialLosses',
  title: 'what each player minimises, by logits',
  points: 2,
  library: ['dgm.games', 'tf.losses.sigmoidCrossEntropy'],
  hints: [
    'The critic is a classifier with logits. What is its cross-entropy, with data labelled 1 and samples 0? And which of the two losses of the generator has a slope where the critic is sure?',
    '−ln D = softplus(−number), −ln(1 − D) = softplus(number). The generator minimises −ln D of its samples.',
    'critic: mean of softplus(−real), plus mean of softplus(fake). generator: mean of softplus(−fake).',
  ],
  checks: [
    {
      name: 'one example of each',
      run: ({ call }) => checkLosses(call, { real: [0.5], fake: [-1] }),
    },
    {
      name: 'a critic that is sure',
      run: ({ call }) => checkLosses(call, { real: [120, -110], fake: [-130, 150] }),
    },
    {
      name: 'a batch',
      sameForAll: true,
      run: ({ call, rng }) => checkLosses(call, numbersOf(rng, 5, 2)),
    },
  ],
};

// gan.apart

const FIELDS = ['jsd', 'w1'] as const;
type Field = (typeof FIELDS)[number];

const rightDistances: Readonly<Record<Field, (theta: number) => number>> = {
  jsd: (theta) => Math.min(1, Math.abs(theta)) * Math.LN2,
  w1: (theta) => Math.abs(theta),
};

const wrongDistances: Readonly<Record<Field, readonly (readonly [hint: string, of: (theta: number) => number])[]>> = {
  jsd: [
    ['what does not overlap counts already before nothing does', (t) => (Math.abs(t) >= 1 ? Math.LN2 : 0)],
    ['half of it: data and samples, each has a share |θ| of its own', (t) => (Math.min(1, Math.abs(t)) * Math.LN2) / 2],
    ['the divergence, not its root', (t) => Math.sqrt(Math.min(1, Math.abs(t)) * Math.LN2)],
    ['where both have the same density the critic says ½, and nothing is added: only what does not overlap counts', () => Math.LN2],
    ['once nothing overlaps the critic knows all there is to know, however far apart they are', (t) => Math.abs(t) * Math.LN2],
    ['that is the value of the game, 2 JSD − ln 4', (t) => 2 * Math.min(1, Math.abs(t)) * Math.LN2 - Math.log(4)],
    ['that is 2 JSD: each KL to the middle counts half', (t) => 2 * Math.min(1, Math.abs(t)) * Math.LN2],
    ['in nats: ln 2 where nothing overlaps', (t) => Math.min(1, Math.abs(t))],
    ['a divergence is not below 0: the sign of θ does not matter', (t) => Math.min(1, t) * Math.LN2],
    ['that counts what overlaps; what does not is what can be told', (t) => (1 - Math.min(1, Math.abs(t))) * Math.LN2],
    ['KL is Infinity here; JSD compares with the middle of both, which is 0 nowhere', () => Infinity],
  ],
  w1: [
    ['all of the mass is moved, and by |θ|: not half of it', (t) => Math.abs(t) / 2],
    ['as far as the whole interval is shifted, whatever its width', (t) => Math.abs(t) + 1],
    ['a distance is not below 0', (t) => t],
    ['mass is moved all the way, also when nothing overlaps any more', (t) => Math.min(1, Math.abs(t))],
    ['that is the mean square of the way, W₂²: W₁ is the mean way', (t) => t * t],
    ['all of the mass is moved by θ; the part that overlaps may stay, but then the rest goes farther', (t) => Math.min(1, Math.abs(t)) * Math.abs(t)],
    ['each point is moved once', (t) => 2 * Math.abs(t)],
    ['the gap between them is not the way: each point moves by θ', (t) => Math.max(0, Math.abs(t) - 1)],
  ],
}; // prettier-ignore

export async function checkApart(call: Call, theta: number): Promise<void> {
  const hint = 'JSD: ln 2 of what only one of them has; W₁: how far mass is moved on average';
  const got = expectFields(await call(theta), FIELDS, { hint });
  for (const field of FIELDS) {
    const what = `${field} at θ = ${theta}`;
    const mistakes = wrongDistances[field].map(([told, of]): KnownMistake => ({ hint: told, answer: () => of(theta) }));
    const value = got[field];
    if (value !== Infinity) expectNumber(value, { what, hint });
    expectAnswer(value, rightDistances[field](theta), { what, rtol: 1e-6, atol: 1e-9, hint }, mistakes);
  }
}

export const apart: Exercise = {
  id: 'gan.apart',
  chapter,
  functionName: 'howFarApart',
  title: 'predict: two distances between two intervals',
  points: 2,
  allOrNothing: true,
  hints: [
    'Draw both densities for θ = 0.25. Where is the best critic sure, and where can it not tell? Then for θ = 3: what has changed for the critic, and what for somebody who has to carry the mass?',
    'Where both are 1 the middle is 1, too, and nothing is added. Where only one is, its density is twice the middle’s: ln 2 each. That is a share |θ| of each, at most 1.',
    'jsd = min(1, |θ|) ln 2, w1 = |θ|.',
  ],
  checks: [
    { name: 'intervals that overlap', run: async ({ call }) => { await checkApart(call, 0.25); await checkApart(call, -0.5); } },
    { name: 'intervals that do not', run: async ({ call }) => { await checkApart(call, 3); await checkApart(call, -2); } },
    { name: 'no difference', run: ({ call }) => checkApart(call, 0) },
  ],
}; // prettier-ignore
