/**
 * Chapter 11: Gaussian diffusion. References weigh two Gaussians by their precisions, in double precision, which is
 * another way than the formula in γ.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, normal, type Matrix, type Vector } from './common';

const chapter = '11-diffusion';

type Call = (...args: Value[]) => Promise<Value>;

const alphaOf = (gamma: number) => Math.sqrt(1 / (1 + Math.exp(gamma)));
const sigmaOf = (gamma: number) => Math.sqrt(1 / (1 + Math.exp(-gamma)));
const snrOf = (gamma: number) => Math.exp(-gamma);

// diffusion.reverse

interface Step {
  readonly mu: (z: number, x: number) => number;
  readonly logVar: number;
}

/** q(z_s | x) times q(z_t | z_s): precisions add up. */
function reverseOf(gammaT: number, gammaS: number): Step {
  const kept = alphaOf(gammaT) / alphaOf(gammaS);
  const added = sigmaOf(gammaT) ** 2 - kept ** 2 * sigmaOf(gammaS) ** 2;
  const before = 1 / sigmaOf(gammaS) ** 2;
  const precision = before + kept ** 2 / added;
  return {
    mu: (z, x) => (before * alphaOf(gammaS) * x + (kept / added) * z) / precision,
    logVar: -Math.log(precision),
  };
}

function mistakenMeans(gammaT: number, gammaS: number): readonly (readonly [hint: string, mu: Step['mu']])[] {
  const [aT, aS, sT, sS] = [alphaOf(gammaT), alphaOf(gammaS), sigmaOf(gammaT), sigmaOf(gammaS)];
  const kept = aT / aS;
  const added = sT ** 2 - kept ** 2 * sS ** 2;
  return [
    ['that is the mean of q(z_t | x), of the step that was made: z_s was asked for', (_, x) => aT * x],
    ['that is q(z_s | x) alone: z_t says something about z_s, too', (_, x) => aS * x],
    ['s and t are exchanged: the posterior is of the time with less noise', reverseSwapped(gammaT, gammaS)],
    ['α_t is the product of all steps up to t; the one from s to t keeps α_t / α_s', (z, x) => ((aT * sS ** 2) / sT ** 2) * z + ((aS * added) / sT ** 2) * x],
    ['x counts with the share of the noise that was added between s and t, not in full', (z, x) => ((kept * sS ** 2) / sT ** 2) * z + aS * x],
    ['σ_s and σ_t are to be squared: precisions are 1 / σ²', (z, x) => ((kept * sS) / sT) * z + ((aS * added) / sT) * x],
    ['the mean of z_s is not z_t divided by what was kept: that takes all noise in z_t for signal', (z) => z / kept],
    ['both precisions add up, 1 / σ_s² + k² / v = σ_t² / (v σ_s²): the divisor is σ_t²', (z, x) => kept * z + ((aS * added) / sS ** 2) * x],
    ['α² is 1 / (1 + e^γ), and k the ratio of the α, not of their squares', (z, x) => ((kept ** 2 * sS ** 2) / sT ** 2) * z + ((aS * added) / sT ** 2) * x],
    ['α² is 1 / (1 + e^γ), and k the ratio of the α, not of their squares', (z, x) => ((kept ** 2 * sS ** 2) / sT ** 2) * z + ((aS * (sT ** 2 - kept ** 4 * sS ** 2)) / sT ** 2) * x],
    ['the noise added is σ_t² − k² σ_s²: what was there is shrunk, and its variance by k²', (z, x) => ((kept * sS ** 2) / sT ** 2) * z + ((aS * (sT ** 2 - sS ** 2)) / sT ** 2) * x],
    ['the noise added is σ_t² − k² σ_s²: what was there is shrunk, and its variance by k²', (z, x) => ((kept * sS ** 2) / sT ** 2) * z + ((aS * (sT ** 2 - kept * sS ** 2)) / sT ** 2) * x],
    ['γ is −ln SNR, so that noise grows with it: the sign', reverseOf(-gammaT, -gammaS).mu],
    ['x and z have each other’s share', (z, x) => ((kept * sS ** 2) / sT ** 2) * x + ((aS * added) / sT ** 2) * z],
    ['x at s is worth α_s x, once: its share has α_s, not α_s²', (z, x) => ((kept * sS ** 2) / sT ** 2) * z + ((aS ** 2 * added) / sT ** 2) * x],
  ]; // prettier-ignore
}

const reverseSwapped = (gammaT: number, gammaS: number): Step['mu'] => {
  const [aT, aS, sT, sS] = [alphaOf(gammaT), alphaOf(gammaS), sigmaOf(gammaT), sigmaOf(gammaS)];
  const kept = aS / aT;
  return (z, x) => ((kept * sT ** 2) / sS ** 2) * z + ((aT * (sS ** 2 - kept ** 2 * sT ** 2)) / sS ** 2) * x;
};

function mistakenSpreads(gammaT: number, gammaS: number): readonly KnownMistake[] {
  const [sT, sS] = [sigmaOf(gammaT), sigmaOf(gammaS)];
  const kept = alphaOf(gammaT) / alphaOf(gammaS);
  const added = sT ** 2 - kept ** 2 * sS ** 2;
  const right = reverseOf(gammaT, gammaS).logVar;
  const of = (hint: string, value: number): KnownMistake => ({ hint, answer: () => value });
  return [
    of('that is the noise added from s to t; of it, z_s is known better, since x is known', Math.log(added)),
    of('the logarithm of the variance, not the variance', Math.exp(right)),
    of('logVar is ln σ², not ln σ', right / 2),
    of('that is the variance of q(z_s | x): z_t says something about z_s, too', Math.log(sS ** 2)),
    of('the sign: precisions add up, and the variance is one over their sum', -right),
    of('the natural logarithm, not that to base 2', right / Math.LN2),
    of('a product of two variances is none: divide by σ_t², since precisions add up', Math.log(added * sS ** 2)),
  ];
}

export interface ReverseInput {
  readonly z: Matrix;
  readonly x: Matrix;
  readonly gammaT: number;
  readonly gammaS: number;
}

export const reverseInput = (rng: Rng, B: number, D: number, gammaT: number, gammaS: number): ReverseInput => ({
  z: matrix(normal(rng, 'z', [B, D])),
  x: matrix(normal(rng, 'x', [B, D], 0.6)),
  gammaT,
  gammaS,
});

export async function checkReverse(call: Call, { z, x, gammaT, gammaS }: ReverseInput): Promise<void> {
  const hint = 'multiply the two densities, and collect what stands with z_s² and with z_s';
  const got = expectFields(await call(matrixTensor(z), matrixTensor(x), gammaT, gammaS), ['mu', 'logVar'], { hint });
  const wanted = reverseOf(gammaT, gammaS);
  const of = (mu: Step['mu']) => matrixTensor(z.map((row, n) => row.map((v, d) => mu(v, x[n]![d]!))));
  const mu = expectTensor(got.mu, { what: 'the mean', shape: [z.length, z[0]!.length], hint });
  const said = `from γ = ${gammaT} to ${gammaS}`;
  const mistakes = mistakenMeans(gammaT, gammaS).map(([told, by]): KnownMistake => ({
    hint: told,
    answer: () => of(by),
  }));
  expectAnswer(mu, of(wanted.mu), { what: `the mean, ${said},`, rtol: 1e-3, atol: 1e-4, hint }, mistakes);
  const logVar = expectNumber(got.logVar, { what: 'logVar', hint: 'one number: it does not depend on z or x' });
  expectAnswer(logVar, wanted.logVar, { what: `logVar, ${said},`, rtol: 1e-3, atol: 1e-4, hint }, mistakenSpreads(gammaT, gammaS)); // prettier-ignore
}

export const reverse: Exercise = {
  id: 'diffusion.reverse',
  chapter,
  functionName: 'reverseStep',
  title: 'derive: one step back, where x is known',
  points: 3,
  library: ['dgm.reverseStep'],
  hints: [
    'What two things are known about z_s, and how sure is each of them?',
    'q(z_s | x) = N(α_s x, σ_s²), and z_t = (α_t / α_s) z_s + noise of variance σ_t² − (α_t / α_s)² σ_s². As a function of z_s both are Gaussian: precisions add up, and means are weighted by them.',
    'With k = α_t / α_s and v = σ_t² − k² σ_s²: the variance is v σ_s² / σ_t², and the mean (k σ_s² z_t + α_s v x) / σ_t².',
  ],
  checks: [
    {
      name: 'one number, from even parts to little noise',
      run: ({ call }) => checkReverse(call, { z: [[1]], x: [[0.25]], gammaT: 0, gammaS: -2 }),
    },
    {
      name: 'the more noise, the more x counts',
      run: ({ call }) => checkReverse(call, { z: [[0.5]], x: [[-1]], gammaT: 1, gammaS: -1 }),
    },
    {
      name: 'a batch of vectors, at several levels of noise',
      async run({ call, rng }) {
        for (const [gammaT, gammaS] of [[3, 1], [-1, -3], [2, 1.8]] as const)
          await checkReverse(call, reverseInput(rng.fork(`${gammaT}`), 3, 4, gammaT, gammaS));
      },
    },
  ],
}; // prettier-ignore

// diffusion.cost

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

const costOf = (errors: Vector, gamma: Vector) =>
  sum(errors.map((error, i) => 0.5 * (snrOf(gamma[i]!) - snrOf(gamma[i + 1]!)) * error));

type Cost = (errors: Vector, gamma: Vector) => number;

const SHORT_STEPS = 'that is the limit of short steps: these have a length, and cost the difference of two ratios';

const wrongCosts: readonly (readonly [hint: string, cost: Cost])[] = [
  ['the steps are counted one too far: step i goes from γ_i down to γ_{i − 1}, and its error was made at γ_i', (e, g) => sum(e.map((v, i) => 0.5 * (snrOf(g[Math.min(i + 1, e.length)]!) - snrOf(g[Math.min(i + 2, e.length)]!)) * v))],
  ['time runs the other way: the first error is that of the least noise', (e, g) => costOf([...e].reverse(), g)],
  ['½, from the squares in a Gaussian’s logarithm, is missing', (e, g) => 2 * costOf(e, g)],
  ['a sum over the steps, not their mean', (e, g) => costOf(e, g) / e.length],
  ['without the weights this is no bound: the errors are in units of x, and count by the signal-to-noise ratio', (e) => sum(e) / 2],
  ['the sign: SNR falls with time, and a KL is not below 0', (e, g) => -costOf(e, g)],
  ['SNR is α² / σ² = e^(−γ): the sign of γ', (e, g) => sum(e.map((v, i) => 0.5 * (Math.exp(g[i + 1]!) - Math.exp(g[i]!)) * v))],
  ['SNR is α² / σ², not its square root', (e, g) => sum(e.map((v, i) => 0.5 * (Math.exp(-g[i]! / 2) - Math.exp(-g[i + 1]! / 2)) * v))],
  ['the difference of two ratios, not of their logarithms', (e, g) => sum(e.map((v, i) => 0.5 * (g[i + 1]! - g[i]!) * v))],
  ['that is ½ SNR itself, of every time, and not by how much it falls', (e, g) => sum(e.map((v, i) => 0.5 * snrOf(g[i + 1]!) * v))],
  ['that is ½ SNR itself, of every time, and not by how much it falls', (e, g) => sum(e.map((v, i) => 0.5 * snrOf(g[i]!) * v))],
  [SHORT_STEPS, (e, g) => sum(e.map((v, i) => 0.5 * snrOf(g[i + 1]!) * (g[i + 1]! - g[i]!) * v))],
  [SHORT_STEPS, (e, g) => sum(e.map((v, i) => 0.5 * snrOf(g[i]!) * (g[i + 1]! - g[i]!) * v))],
  ['the means differ by c α_s (x − x̂), the variance is c σ_s²: SNR(s) is left, too', (e, g) => sum(e.map((v, i) => -0.5 * Math.expm1(g[i]! - g[i + 1]!) * v))],
  ['c = 1 − e^(γ_s − γ_t) stands with SNR at s, where the posterior is, not at t', (e, g) => sum(e.map((v, i) => -0.5 * Math.expm1(g[i]! - g[i + 1]!) * snrOf(g[i + 1]!) * v))],
  ['SNR is α² / σ², not α²', (e, g) => sum(e.map((v, i) => 0.5 * (alphaOf(g[i]!) ** 2 - alphaOf(g[i + 1]!) ** 2) * v))],
  ['the natural logarithm is meant: nats, not bits', (e, g) => costOf(e, g) / Math.LN2],
  ['the errors are squared already: ‖x − x̂‖²', (e, g) => costOf(e.map((v) => v * v), g)],
]; // prettier-ignore

export async function checkCost(call: Call, errors: Matrix, gamma: Vector): Promise<void> {
  const hint = 'the KL of two Gaussians of one variance: the squared difference of their means over twice the variance';
  const got = expectTensor(await call(matrixTensor(errors), tf.tensor1d([...gamma])), {
    what: 'the cost',
    shape: [errors.length],
    hint: 'one number an example: a sum over its T steps',
  });
  const of = (cost: Cost) => tf.tensor1d(errors.map((row) => cost(row, gamma)));
  const mistakes = wrongCosts.map(([told, by]): KnownMistake => ({ hint: told, answer: () => of(by) }));
  const what = `the cost of ${gamma.length - 1} steps with γ = [${gamma.join(', ')}]`;
  expectAnswer(got, of(costOf), { what, rtol: 1e-4, atol: 1e-5, hint }, mistakes);
}

export const cost: Exercise = {
  id: 'diffusion.cost',
  chapter,
  functionName: 'stepsCost',
  title: 'derive: what the steps cost, in nats',
  points: 2,
  hints: [
    'Both Gaussians of a step have the same variance. What is left of their KL?',
    '‖μ_q − μ_p‖² / (2 variance). The means differ by c α_s (x − x̂), the variance is c σ_s², with c = 1 − e^(γ_s − γ_t): so it is ½ c SNR(s) ‖x − x̂‖², and c SNR(s) = SNR(s) − SNR(t).',
    'Slice γ twice, without its last and without its first number; exp of the negatives; their difference times the errors, summed along axis 1, halved.',
  ],
  checks: [
    { name: 'a single step', run: ({ call }) => checkCost(call, [[1]], [-1, 1]) },
    { name: 'two steps, of which the noisier one costs less', run: ({ call }) => checkCost(call, [[1, 3]], [-2, 0, 1]) },
    { name: 'a batch', run: ({ call }) => checkCost(call, [[1, 2, 4], [0.5, 0, 3]], [-3, -1, 1, 2]) },
  ],
}; // prettier-ignore

// diffusion.weight

type Kind = 'x' | 'noise' | 'velocity';

/** ½ SNR per unit of ‖x − x̂‖², in the units of each target. */
function weightOf(kind: Kind, gamma: number): number {
  const [alpha, sigma] = [alphaOf(gamma), sigmaOf(gamma)];
  const unit = { x: 1, noise: alpha / sigma, velocity: alpha ** 2 / sigma + sigma }[kind]; // |error| per |x − x̂|
  return (0.5 * snrOf(gamma)) / unit ** 2;
}

export async function checkWeight(call: Call, kind: Kind, gamma: number): Promise<void> {
  const hint = 'z is the same for both: an error in x is one in ε, and one in v, by a factor';
  const got = expectNumber(await call(kind, gamma), { what: 'the weight', hint });
  const right = weightOf(kind, gamma);
  const of = (told: string, value: number): KnownMistake => ({ hint: told, answer: () => value });
  const others = (['x', 'noise', 'velocity'] as const).filter((other) => other !== kind);
  const mistakes = [
    ...others.map((other) => of(`that is the weight of ${other}`, weightOf(other, gamma))),
    of('½ is missing', 2 * right),
    of('a KL is not below 0', -right),
    of(
      'where errors are larger by a factor, the weight is smaller: divide by its square',
      (0.5 * snrOf(gamma)) ** 2 / right,
    ),
    of(
      'SNR + 1 is what an error in v weighs in x; asked is what an error in v has to be multiplied by',
      0.5 * (snrOf(gamma) + 1),
    ),
    of(
      'z is not in doubt, but both ε and x are, in v − v̂: with α (ε − ε̂) = −(α² / σ) (x − x̂) they add up',
      0.5 * (alphaOf(gamma) * sigmaOf(gamma)) ** 2,
    ),
    of('γ is −ln SNR: the sign', weightOf(kind, -gamma)),
    of('errors are squared, so that the factor between them is, too', 0.5 * Math.sqrt(2 * right)),
  ];
  expectAnswer(got, right, { what: `the weight of ${kind} at γ = ${gamma}`, rtol: 1e-5, atol: 1e-9, hint }, mistakes);
}

export const weight: Exercise = {
  id: 'diffusion.weight',
  chapter,
  functionName: 'weightOf',
  title: 'derive: what an error costs in other units',
  points: 2,
  allOrNothing: true,
  hints: [
    'The network sees z = α x + σ ε, and z is not in doubt. If its guess of x is off by δ, by how much is the guess of ε that goes with it?',
    'α (x − x̂) = −σ (ε − ε̂). And v = α ε − σ x, so that v − v̂ = α (ε − ε̂) − σ (x − x̂). Square, and use α² + σ² = 1.',
    '‖ε − ε̂‖² = SNR ‖x − x̂‖² and ‖v − v̂‖² = ‖x − x̂‖² / σ². The charge ½ SNR ‖x − x̂‖² in these units: divide.',
  ],
  checks: [
    {
      name: 'with more noise than signal',
      async run({ call }) {
        for (const kind of ['x', 'noise', 'velocity'] as const) await checkWeight(call, kind, 1);
      },
    },
    {
      name: 'little noise, and much',
      async run({ call }) {
        for (const gamma of [-4, 3]) for (const kind of ['x', 'noise', 'velocity'] as const) await checkWeight(call, kind, gamma); // prettier-ignore
      },
    },
  ],
};
