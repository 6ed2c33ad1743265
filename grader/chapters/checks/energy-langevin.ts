/** Chapter 14: chains of Langevin dynamics: what published steps draw from, and the chains of a training to be repaired. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectNumber, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, normal, vector, type Matrix, type Vector } from './common';

const chapter = '14-energy';

type Call = (...args: Value[]) => Promise<Value>;

// energy.temperature

/** By the two-hill masses at temperature T, as a logistic function of their log ratio: nothing overflows. */
const shareAt = (ratio: number, T: number) => 1 / (1 + Math.exp(-Math.log(ratio) / T));
const right = (ratio: number, alpha: number, sigma: number) => shareAt(ratio, (sigma * sigma) / (2 * alpha));

const wrongShares: readonly (readonly [hint: string, of: (ratio: number, alpha: number, sigma: number) => number])[] = [
  ['that holds where σ² = 2α; other noise draws from another density', (r) => r / (1 + r)],
  ['less noise than √(2α) makes the chain colder: its density is p^(1/T), T = σ²/(2α)', (r, a, s) => shareAt(r, (2 * a) / (s * s))],
  ['the noise of a step has the variance σ², not σ', (r, a, s) => shareAt(r, s / (2 * a))],
  ['Langevin dynamics of p has noise of variance 2α, not α', (r, a, s) => shareAt(r, (s * s) / a)],
  ['T is a ratio of variances: σ² over 2α', (r, a, s) => shareAt(r, s / Math.sqrt(2 * a))],
  ['the share of the higher hill, not of the lower one', (r, a, s) => 1 - right(r, a, s)],
  ['of the two hills together: ratio^(1/T) to 1', (r, a, s) => r ** ((2 * a) / (s * s))],
]; // prettier-ignore

export async function checkTemperature(call: Call, ratio: number, alpha: number, sigma: number): Promise<void> {
  const said = `a ratio of ${ratio}, α = ${alpha}, σ = ${sigma}`;
  const hint = 'x ← x + α ∇ ln p + σ ξ is Langevin dynamics of p^(1/T): which step η and which T make it so?';
  const overflow = 'ratio^(1/T) may be too large a number: 1 / (1 + exp(−ln ratio / T)) is not';
  const got = expectNumber(await call(ratio, alpha, sigma), { hint: overflow });
  const mistakes = wrongShares.map(([told, of]): KnownMistake => ({ hint: told, answer: () => of(ratio, alpha, sigma) })); // prettier-ignore
  expectAnswer(got, right(ratio, alpha, sigma), { what: `the share for ${said}`, rtol: 1e-4, atol: 1e-6, hint }, mistakes); // prettier-ignore
}

export const temperature: Exercise = {
  id: 'energy.temperature',
  chapter,
  functionName: 'higherHillShare',
  title: 'predict: what published settings draw from',
  points: 2,
  allOrNothing: true,
  hints: [
    'x ← x + η ∇ ln q + √(2η) ξ draws from q. For which q, and which η, is that the given step?',
    'η = σ²/2, and η ∇ ln q = α ∇ ln p: ln q = (2α/σ²) ln p. So q is p to the power of 1/T, T = σ²/(2α). Two hills of one shape keep their widths’ ratio; their heights are ratio to 1, to that power.',
    '1 / (1 + exp(−ln(ratio) · 2α / σ²)).',
  ],
  checks: [
    {
      name: 'the right noise, more, and less',
      async run({ call }) {
        await checkTemperature(call, 3, 0.02, 0.2);
        await checkTemperature(call, 3, 0.02, 0.4);
        await checkTemperature(call, 3, 0.02, 0.15);
      },
    },
    {
      name: 'hardly any noise',
      run: ({ call }) => checkTemperature(call, 1.5, 1, 0.01),
    },
    {
      name: 'much noise, hills that differ much',
      run: ({ call }) => checkTemperature(call, 20, 0.01, 0.3),
    },
  ],
};

// energy.refresh

/** E(x) = Σ_d ½ k_d (x_d − m_d)² + a Σ_d sin x_d, with gradient k (x − m) + a cos x. */
interface Landscape {
  readonly k: Vector;
  readonly m: Vector;
  readonly a: number;
}

export interface Chains {
  readonly landscape: Landscape;
  readonly buffer: Matrix;
  readonly fresh: Matrix;
  /** [M] */
  readonly u: Vector;
  /** [K][M, D] */
  readonly noise: readonly Matrix[];
  readonly eta: number;
  readonly restart: number;
}

export function chainsOf(rng: Rng, [K, M, D]: readonly [number, number, number], eta: number, restart: number): Chains {
  const draw = (label: string) => matrix(normal(rng, label, [M, D]));
  return {
    landscape: { k: vector(rng.fork('k').uniform([D])).map((v) => 0.5 + v), m: vector(normal(rng, 'm', [D])), a: 0.8 },
    ...{ buffer: draw('buffer'), fresh: draw('fresh'), u: vector(rng.fork('u').uniform([M])) },
    noise: Array.from({ length: K }, (_, i) => draw(`noise ${i}`)),
    ...{ eta, restart },
  };
}

const energyOf = ({ k, m, a }: Landscape) =>
  given(
    `(x) => x.sub(tf.tensor1d(${JSON.stringify(m)})).square().mul(tf.tensor1d(${JSON.stringify(k)})).mul(0.5).sum(1).add(x.sin().sum(1).mul(${a}))`,
  );

interface Variant {
  readonly sign?: number;
  readonly factor?: (eta: number) => number;
  /** Which noise step k takes. */
  readonly noise?: (k: number) => number;
  readonly starts?: (u: number, restart: number) => boolean;
  /** Steps whose gradient is that of the start. */
  readonly fixed?: boolean;
}

function moved({ landscape, buffer, fresh, u, noise, eta, restart }: Chains, variant: Variant): Matrix {
  const { k, m, a } = landscape;
  const { sign = -1, factor = (e) => Math.sqrt(2 * e), noise: which = (i) => i, fixed = false } = variant;
  const { starts = (draw, share) => draw < share } = variant;
  const slope = (x: Vector) => x.map((v, d) => k[d]! * (v - m[d]!) + a * Math.cos(v));
  return buffer.map((row, n) => {
    const from = starts(u[n]!, restart) ? fresh[n]! : row;
    let x = [...from];
    noise.forEach((_, i) => {
      const g = slope(fixed ? from : x);
      x = x.map((v, d) => v + sign * eta * g[d]! + factor(eta) * noise[which(i)]![n]![d]!);
    });
    return x;
  });
}

const slips: readonly (readonly [hint: string, variant: Variant])[] = [
  ['samples go down in energy: E is −ln p up to a constant, and x moves by −η ∇E', { sign: 1 }],
  ['the noise of a step of length η has the deviation √(2η): smaller noise draws from the hills’ tops alone', { factor: (e) => e }],
  ['the noise’s deviation is √(2η), not √η: with that the chain has half the temperature', { factor: Math.sqrt }],
  ['without noise this is a descent to the nearest valley of E, not a sample', { factor: () => 0 }],
  ['the noise’s deviation is the root of 2η, its variance', { factor: (e) => 2 * e }],
  ['every step has noise of its own, noise[k]', { noise: () => 0 }],
  ['a share of the chains starts anew: where u < restart, from fresh. Never refreshed, all of them stay where they once were', { starts: () => false }],
  ['that starts all chains anew, so that none ever gets far', { starts: () => true }],
  ['anew where u < restart, not where u is above it', { starts: (u, r) => u >= r }],
  ['the slope is that of where the chain is now, anew at every step', { fixed: true }],
]; // prettier-ignore

export async function checkRefresh(call: Call, chains: Chains): Promise<void> {
  const { landscape, buffer, fresh, u, noise, eta, restart } = chains;
  const hint = 'x is fresh where u < restart, else the buffer; then K times x − η ∇E(x) + √(2η) noise[k]';
  const all = tf.stack(noise.map(matrixTensor));
  const got = expectTensor(await call(energyOf(landscape), { buffer: matrixTensor(buffer), fresh: matrixTensor(fresh), u: tf.tensor1d([...u]), noise: all }, { eta, restart }), { what: 'the chains', shape: [buffer.length, buffer[0]!.length], hint }); // prettier-ignore
  const of = (variant: Variant) => matrixTensor(moved(chains, variant));
  const mistakes = slips.map(([told, variant]): KnownMistake => ({ hint: told, answer: () => of(variant) }));
  expectAnswer(got, of({}), { what: `the chains after ${noise.length} steps`, rtol: 1e-3, atol: 1e-4, hint }, mistakes); // prettier-ignore
}

export const refresh: Exercise = {
  id: 'energy.refresh',
  chapter,
  functionName: 'refreshedChains',
  title: 'the bug to find: chains that do not sample the model',
  points: 4,
  allOrNothing: true,
  library: ['dgm.langevin', 'dgm.langevinStep'],
  hints: [
    'Try an energy you know: E = ½‖x‖². Where do many chains end, and how widely are they spread, after many steps? And which inputs has the code never looked at?',
    'Four things must hold: a share of the chains starts anew; x moves down in energy; the noise has the deviation √(2η), not η; and each step has noise of its own.',
    'x = tf.where(u.less(restart).expandDims(1), fresh, buffer), then for each k: x − η ∇E(x) + √(2η) noise_k, with tf.grad((at) => energy(at).sum())(x), and noise_k = tf.gather(noise, k).',
  ],
  checks: [
    {
      name: 'one chain, one step; then two',
      async run({ call }) {
        const landscape: Landscape = { k: [1], m: [0.5], a: 0.3 };
        await checkRefresh(call, { landscape, buffer: [[2]], fresh: [[-1]], u: [0.5], noise: [[[1]]], eta: 0.08, restart: 0.1 });
        await checkRefresh(call, { landscape, buffer: [[2]], fresh: [[-1]], u: [0.5], noise: [[[1]], [[-0.5]]], eta: 0.08, restart: 0.1 });
      },
    },
    {
      name: 'some chains start anew',
      async run({ call }) {
        const landscape: Landscape = { k: [1, 0.5], m: [0, 1], a: 0.5 };
        const [buffer, fresh] = [[[1, 2], [-1, 0.5], [0.3, -2]], [[0.1, 0.2], [0.5, -0.5], [-0.7, 0.4]]];
        await checkRefresh(call, { landscape, buffer, fresh, u: [0.05, 0.9, 0.2], noise: [[[1, -1], [0.5, 0], [-0.3, 2]]], eta: 0.05, restart: 0.3 });
      },
    },
    {
      name: 'many chains, many steps',
      sameForAll: true,
      run: ({ call, rng }) => checkRefresh(call, chainsOf(rng, [6, 12, 3], 0.03, 0.4)),
    },
  ],
}; // prettier-ignore
