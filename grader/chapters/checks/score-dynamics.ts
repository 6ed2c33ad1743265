/** Chapter 12: what steps with noise do: where Langevin dynamics stays, and one step of the reverse process. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { describe as shown, expectTensor, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, normal, type Matrix } from './common';

const chapter = '12-score-flow';

type Call = (...args: Value[]) => Promise<Value>;

// score.langevin

/** By the fixed point of v = (1 − η/σ²)² v + 2η, found by going there: another way than its formula. */
function stationary(sigma: number, eta: number): number {
  const factor = Math.abs(1 - eta / (sigma * sigma));
  if (factor >= 1) return Infinity;
  let v = 0;
  for (let i = 0; i < 100_000; i++) v = factor ** 2 * v + 2 * eta;
  return v;
}

const wrongVariances: readonly (readonly [hint: string, of: (sigma: number, eta: number) => number])[] = [
  ['that holds for η → 0: a step of finite length leaves more than σ²', (s) => s ** 2],
  ['variances: x keeps (1 − η/σ²)² of its own, the square of the factor', (s, e) => (2 * e) / Math.abs(1 - (1 - e / s ** 2))],
  ['the noise that comes in is √(2η) ξ, of variance 2η', (s, e) => stationary(s, e) / 2],
  ['the noise that comes in is √(2η) ξ, of variance 2η, not √(2η)', (s, e) => (stationary(s, e) * Math.sqrt(2 * e)) / (2 * e)],
  ['the variance, not the deviation', (s, e) => Math.sqrt(stationary(s, e))],
  ['the score of N(0, σ²) is −x / σ²: the factor is 1 − η/σ², not 1 − η', (_, e) => stationary(1, e)],
  ['the score of N(0, σ²) is −x / σ², not −x / σ', (s, e) => stationary(Math.sqrt(s), e)],
  ['a step overshoots, so that more variance stays, not less', (s, e) => s ** 2 / (1 + e / (2 * s ** 2))],
  ['that is a negative number, or a finite one, where no variance is: from some η on each step overshoots by more than it came from', (s, e) => s ** 2 / (1 - e / (2 * s ** 2))],
]; // prettier-ignore

export async function checkLangevin(call: Call, sigma: number, eta: number): Promise<void> {
  const got = await call(sigma, eta);
  const said = `σ = ${sigma}, η = ${eta}`;
  const hint = 'the variance v for which a step changes nothing: v = (1 − η/σ²)² v + 2η';
  const right = stationary(sigma, eta);
  if (right === Infinity) {
    const overshoots = 'each step multiplies x by 1 − η/σ²; where that is beyond −1, what is |x| after many steps?';
    return expectTrue(got === Infinity, `Infinity for ${said}`, shown(got), overshoots);
  }
  const mistakes = wrongVariances.map(([told, of]): KnownMistake => ({ hint: told, answer: () => of(sigma, eta) }));
  expectAnswer(got, right, { what: `the variance for ${said}`, rtol: 1e-5, atol: 1e-9, hint }, mistakes);
}

export const langevin: Exercise = {
  id: 'score.langevin',
  chapter,
  functionName: 'langevinVariance',
  title: 'predict: the variance that Langevin dynamics has',
  points: 2,
  allOrNothing: true,
  hints: [
    'With the score of N(0, σ²) put in, one step multiplies x by something and adds noise. What does that do to the variance?',
    'x ← (1 − η/σ²) x + √(2η) ξ. The variance goes from v to (1 − η/σ²)² v + 2η, and stays where both are equal; if the factor is not below 1, it does not stay anywhere.',
    'v = 2η / (1 − (1 − η/σ²)²), which is σ² / (1 − η / (2σ²)), for η < 2σ²; else Infinity.',
  ],
  checks: [
    {
      name: 'short steps, and longer ones',
      async run({ call }) {
        await checkLangevin(call, 1, 0.5);
        await checkLangevin(call, 2, 0.1);
        await checkLangevin(call, 0.5, 0.3);
      },
    },
    {
      name: 'a step that jumps right into the middle, and one beyond',
      async run({ call }) {
        await checkLangevin(call, 1, 1);
        await checkLangevin(call, 1, 1.7);
      },
    },
    {
      name: 'steps that are too long',
      async run({ call }) {
        await checkLangevin(call, 1, 2.5);
        await checkLangevin(call, 0.5, 0.5);
      },
    },
  ],
};

// score.reverse

export interface Reverse {
  readonly z: Matrix;
  readonly score: Matrix;
  readonly noise: Matrix;
  /** f, g and the length of the step. */
  readonly f: number;
  readonly g: number;
  readonly h: number;
}

export const reverseOf = (rng: Rng, B: number, D: number, [f, g, h]: readonly [number, number, number]): Reverse => ({
  z: matrix(normal(rng, 'z', [B, D])),
  score: matrix(normal(rng, 'score', [B, D])),
  noise: matrix(normal(rng, 'noise', [B, D])),
  ...{ f, g, h },
}); // prettier-ignore

type Step = (z: number, s: number, xi: number, of: Reverse) => number;

const backwards: Step = (z, s, xi, { f, g, h }) => z + h * (g * g * s - f * z) + g * Math.sqrt(h) * xi;

const wrongSteps: readonly (readonly [hint: string, step: Step])[] = [
  ['the noise of a step grows with its root: variances add up, so that two half steps bring as much as one', (z, s, xi, { f, g, h }) => z + h * (g * g * s - f * z) + g * h * xi],
  ['the length of the step is missing in the noise', (z, s, xi, { f, g, h }) => z + h * (g * g * s - f * z) + g * xi],
  ['time runs backwards: dt is −h, which turns the sign of the whole drift', (z, s, xi, { f, g, h }) => z + h * (f * z - g * g * s) + g * Math.sqrt(h) * xi],
  ['time runs backwards for f z, too', (z, s, xi, { f, g, h }) => z + h * (g * g * s + f * z) + g * Math.sqrt(h) * xi],
  ['against the score: the way back leads uphill', (z, s, xi, { f, g, h }) => z - h * (g * g * s + f * z) + g * Math.sqrt(h) * xi],
  ['the score counts by g², the variance', (z, s, xi, { f, g, h }) => z + h * (g * s - f * z) + g * Math.sqrt(h) * xi],
  ['½ g² is of the ODE without noise; with noise it is g²', (z, s, xi, { f, g, h }) => z + h * (0.5 * g * g * s - f * z) + g * Math.sqrt(h) * xi],
  ['without noise this is no step of the SDE', (z, s, _, { f, g, h }) => z + h * (g * g * s - f * z)],
  ['that is a step forwards: the score is missing', (z, _, xi, { f, g, h }) => z + h * f * z + g * Math.sqrt(h) * xi],
  ['the noise is added: taken off it has the same distribution, but is not the step from this draw', (z, s, xi, { f, g, h }) => z + h * (g * g * s - f * z) - g * Math.sqrt(h) * xi],
  ['the noise has the deviation g √h, not g² √h', (z, s, xi, { f, g, h }) => z + h * (g * g * s - f * z) + g * g * Math.sqrt(h) * xi],
]; // prettier-ignore

export async function checkReverse(call: Call, input: Reverse): Promise<void> {
  const { z, score, noise, f, g, h } = input;
  const hint = 'dz = [f z − g² s] dt + g dw, with dt = −h';
  const of = (step: Step) => matrixTensor(z.map((row, n) => row.map((v, d) => step(v, score[n]![d]!, noise[n]![d]!, input)))); // prettier-ignore
  const got = expectTensor(await call(matrixTensor(z), matrixTensor(score), { f, g, h }, matrixTensor(noise)), { what: 'the step', shape: [z.length, z[0]!.length], hint }); // prettier-ignore
  const mistakes = wrongSteps.map(([told, step]): KnownMistake => ({ hint: told, answer: () => of(step) }));
  expectAnswer(got, of(backwards), { what: `z after a step of ${h} with f = ${f}, g = ${g}`, rtol: 1e-4, atol: 1e-5, hint }, mistakes); // prettier-ignore
}

export const reverse: Exercise = {
  id: 'score.reverse',
  chapter,
  functionName: 'reverseStep',
  title: 'one step of the reverse process',
  points: 2,
  library: ['dgm.reverseSdeStep'],
  hints: [
    'The equation is written for time that grows. What is dt, when a step of length h goes from t to t − h? And what is the variance of the noise of a step of that length?',
    'dz = [f z − g² s] dt + g dw with dt = −h. dw of a step of length h is N(0, h), whichever way time runs: √h ξ.',
    'z − h (f z − g² s) + g √h ξ, coordinate by coordinate.',
  ],
  checks: [
    {
      name: 'one number: a long step, and a short one',
      async run({ call }) {
        await checkReverse(call, { z: [[1]], score: [[0.75]], noise: [[0.5]], f: -0.5, g: 3, h: 0.16 });
        await checkReverse(call, { z: [[1]], score: [[0.5]], noise: [[-1]], f: -1, g: 0.5, h: 0.04 });
      },
    },
    {
      name: 'a batch, at several times',
      async run({ call, rng }) {
        for (const numbers of [[-0.5, 1.5, 0.1], [0, 3, 0.01], [0.3, 0.8, 0.3]] as const)
          await checkReverse(call, reverseOf(rng.fork(`${numbers[1]}`), 3, 2, numbers));
      },
    },
  ],
}; // prettier-ignore

/** The variance of the noise in a step, from the answer's own draws: z, f and the score are 0. */
export async function noiseOf(call: Call, rng: Rng, g: number, h: number): Promise<number> {
  const noise = normal(rng, 'noise', [500, 1]);
  const zero = tf.zeros([500, 1]);
  const got = expectTensor(await call(zero, zero, { f: 0, g, h }, noise), { shape: [500, 1] });
  const ratio = got.div(noise).square().mean(); // prettier-ignore
  return ratio.dataSync()[0]!;
}
