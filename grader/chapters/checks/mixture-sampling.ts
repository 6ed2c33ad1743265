/** Chapter 3: ancestral sampling. The comparisons are of many draws, at six standard errors. */
import * as tf from '@tensorflow/tfjs';
import { type Rng } from 'dgm';
import { expectClose, expectTensor, expectTrue } from '../../exercise/compare';
import type { Exercise } from '../../exercise/exercise';
import { expectWithin, matrix, matrixTensor, meanOf, type Matrix, type Vector } from './common';
import { chapter, type Call } from './mixture-density';

export interface Mixture {
  readonly pi: Vector;
  readonly mu: Matrix;
  readonly logVar: Matrix;
}

/**
 * Means so far apart that every sample tells its component, even where somebody scales by the variance. Weights so
 * uneven that the Gumbel trick with a wrong sign, which favours the large ones, is ten standard errors off.
 */
const MIXTURE: Mixture = {
  pi: [0.08, 0.62, 0.3],
  mu: [
    [-60, 60],
    [0, 0],
    [60, 60],
  ],
  logVar: [
    [Math.log(4), Math.log(0.25)],
    [Math.log(3), Math.log(1)],
    [Math.log(0.25), Math.log(4)],
  ],
};

/**
 * Where one stream serves both draws, component and noise of the same sample hang together: here for whoever
 * compares one u a sample with cumulative sums, and here for whoever draws one Gumbel a component.
 */
const LINE: Mixture = { pi: [0.3, 0.4, 0.3], mu: [[-60], [0], [60]], logVar: [[0.5], [0], [1]] };
const PAIR: Mixture = {
  pi: [0.4, 0.6],
  mu: [
    [-60, 0],
    [60, 0],
  ],
  logVar: [
    [0.5, 0],
    [0, 1],
  ],
};

const COUNT = 5000;
/** How much of a normal distribution lies within one standard deviation of its mean. */
const WITHIN_ONE = 0.6827;
/** And how much lies farther off than 2.05 of them. */
const BEYOND_TWO = 0.0404;
const SHARE_HINT = 'component k comes with the probability π_k: count the cumulative sums of π that u has reached';
const NOISE_HINT = 'every sample has noise of its own';

export async function drawSamples(call: Call, { pi, mu, logVar }: Mixture, rng: Rng, count = COUNT): Promise<Matrix> {
  const D = mu[0]!.length;
  const got = await call(tf.tensor1d([...pi]), matrixTensor(mu), matrixTensor(logVar), count, rng);
  return matrix(expectTensor(got, { what: 'samples', shape: [count, D], hint: 'one row a sample' }));
}

/** The component whose mean is nearest in every coordinate; −1 for a row between components. */
export function ownerOf(row: Vector, { mu }: Mixture): number {
  return mu.findIndex((m) => row.every((v, d) => Math.abs(v - m[d]!) < 30));
}

/** Means, variances, shape and correlations of the samples of each component. */
export function expectMoments(rows: Matrix, mixture: Mixture): void {
  const { mu, logVar } = mixture;
  mu.forEach((m, k) => {
    const sigma = logVar[k]!.map((l) => Math.exp(l / 2));
    const own = rows.filter((row) => ownerOf(row, mixture) === k);
    expectTrue(own.length > 100, `samples near the mean [${m.join(', ')}]`, `${own.length} of ${rows.length}`);
    const noise = own.map((row) => row.map((v, d) => (v - m[d]!) / sigma[d]!)); // standard normal
    m.forEach((centre, d) => {
      const where = `of component ${k}, coordinate ${d}`;
      const mean = meanOf(own.map((row) => row[d]!));
      const correlated = 'independent draws need streams of their own: fork the rng once per purpose';
      expectWithin(mean, centre, sigma[d]! / Math.sqrt(own.length), `the mean ${where}`, correlated);
      const variance = sigma[d]! ** 2 * meanOf(noise.map((e) => e[d]! ** 2));
      const hint = 'the standard deviation is exp(logVar / 2)';
      expectWithin(variance, sigma[d]! ** 2, sigma[d]! ** 2 * Math.sqrt(2 / own.length), `the variance ${where}`, hint);
      const near = meanOf(noise.map((e) => (Math.abs(e[d]!) < 1 ? 1 : 0)));
      const error = Math.sqrt((WITHIN_ONE * (1 - WITHIN_ONE)) / own.length);
      expectWithin(near, WITHIN_ONE, error, `the share within one standard deviation ${where}`, 'the noise is normal');
    });
    if (m.length < 2) return;
    const correlation = meanOf(noise.map((e) => e[0]! * e[1]!));
    const hint = 'every coordinate has noise of its own';
    expectWithin(correlation, 0, 1 / Math.sqrt(own.length), `the correlation within component ${k}`, hint);
  });
  expectTails(rows, mixture);
}

/** What a variance that is almost right does not show: noise that was clipped, or drawn again where it was large. */
function expectTails(rows: Matrix, mixture: Mixture): void {
  const sizes = rows.flatMap((row) => {
    const k = ownerOf(row, mixture);
    return row.map((v, d) => Math.abs(v - mixture.mu[k]![d]!) / Math.exp(mixture.logVar[k]![d]! / 2));
  });
  // a little beyond the round numbers, since who clips at 2 leaves 2.00001 after float32
  const beyond = (limit: number) => sizes.filter((size) => size > limit).length / sizes.length;
  const hint = 'normal noise has tails: nothing clips it, and no large draw is replaced';
  const error = Math.sqrt((BEYOND_TWO * (1 - BEYOND_TWO)) / sizes.length);
  expectWithin(beyond(2.05), BEYOND_TWO, error, 'the share beyond 2.05 standard deviations', hint);
  // ten thousand draws without one of those come once in e^26
  if (sizes.length >= 10_000) expectTrue(beyond(3.01) > 0, 'draws beyond 3.01 standard deviations', 'none', hint);
}

export const sample: Exercise = {
  id: 'mixture.sample',
  chapter,
  functionName: 'sampleMixture',
  title: 'ancestral sampling',
  points: 2,
  hints: [
    'How many random numbers decide which component a sample comes from: one for the sample, or one for each coordinate? And what does the noise know of the component when both come from the same stream?',
    'With u uniform on [0, 1), the component is the number of cumulative sums π_1, π_1 + π_2, …, without the last, that are at most u. Given it, x = μ + σ ε with ε standard normal and σ the square root of the variance: exp of half the log-variance.',
    'Fork the rng under two labels. Draw u as [count, 1], compare it with the K − 1 cumulative sums as [1, K − 1], and sum the comparisons over axis 1: an integer for every sample. tf.gather with these picks rows of mu and of logVar; the noise is [count, D].',
  ],
  checks: [
    {
      name: 'every sample comes from one component, and each component from its share',
      async run({ call, rng }) {
        const rows = await drawSamples(call, MIXTURE, rng.fork('samples'));
        const owners = rows.map((row) => ownerOf(row, MIXTURE));
        const lost = owners.indexOf(-1);
        const hint = 'draw k once for a sample, and use it for all coordinates';
        expectTrue(
          lost < 0,
          'every sample near one of the means',
          `[${rows[lost]?.map((v) => v.toFixed(1)).join(', ')}]`,
          hint,
        );
        MIXTURE.pi.forEach((p, k) => {
          const share = owners.filter((owner) => owner === k).length / COUNT;
          expectWithin(share, p, Math.sqrt((p * (1 - p)) / COUNT), `the share of component ${k}`, SHARE_HINT);
        });
      },
    },
    {
      name: 'each component has its mean, its variance exp(logVar), and independent coordinates',
      async run({ call, rng }) {
        for (const [i, mixture] of [MIXTURE, LINE, PAIR].entries())
          expectMoments(await drawSamples(call, mixture, rng.fork(`samples ${i}`)), mixture);
      },
    },
    {
      name: 'samples are independent of one another, and how many a component gets is left to chance',
      async run({ call, rng }) {
        const rows = await drawSamples(call, MIXTURE, rng.fork('samples'));
        const owners = rows.map((row) => ownerOf(row, MIXTURE));
        const same = meanOf(owners.slice(1).map((k, n) => (k === owners[n] ? 1 : 0)));
        const power = (e: number) => MIXTURE.pi.reduce((sum, p) => sum + p ** e, 0);
        const variance = power(2) - power(2) ** 2 + 2 * (power(3) - power(2) ** 2); // neighbouring pairs share a sample
        const what = 'the share of samples from the same component as the one before';
        expectWithin(same, power(2), Math.sqrt(variance / (COUNT - 1)), what, 'every sample draws its own k');
        const noise = rows.map((row, n) => {
          const [m, l] = [MIXTURE.mu[owners[n]!]?.[0] ?? 0, MIXTURE.logVar[owners[n]!]?.[0] ?? 0];
          return (row[0]! - m) / Math.exp(l / 2);
        });
        const product = meanOf(noise.slice(1).map((e, n) => e * noise[n]!));
        expectWithin(
          product,
          0,
          1 / Math.sqrt(COUNT - 1),
          'the correlation of noise with the noise before',
          NOISE_HINT,
        );
        const counts = [];
        for (const label of ['a', 'b', 'c', 'd', 'e']) {
          const drawn = await drawSamples(call, MIXTURE, rng.fork(label), 200);
          counts.push(MIXTURE.pi.map((_, k) => drawn.filter((row) => ownerOf(row, MIXTURE) === k).length).join(', '));
        }
        // two rngs agree with probability 1 / (4 π · 200 √(π_1 π_2 π_3)) = 0.0033, five with 10⁻¹⁰
        expectTrue(new Set(counts).size > 1, 'counts that differ from rng to rng', `${counts[0]} each time`);
      },
    },
    {
      name: 'works for a single sample, and where a component has weight 0',
      async run({ call, rng }) {
        // neither K = 1, where tf.oneHot and tf.multinomial give up, nor anything else that is tfjs' own limit
        for (const pi of [
          [0, 1, 0],
          [0, 0, 1],
        ]) {
          const alone = { ...MIXTURE, pi };
          const rows = [
            ...(await drawSamples(call, alone, rng.fork(`one sample, ${pi}`), 1)),
            ...(await drawSamples(call, alone, rng.fork(`fifty, ${pi}`), 50)),
          ];
          const owners = new Set(rows.map((row) => ownerOf(row, alone)));
          expectTrue(
            owners.size === 1 && owners.has(pi.indexOf(1)),
            `samples from component ${pi.indexOf(1)} alone when π = [${pi.join(', ')}]`,
            `samples from ${[...owners].join(' and ')}`,
          );
        }
      },
    },
    {
      name: 'the same rng gives the same samples, another one gives others',
      law: true,
      async run({ call, rng }) {
        const first = await drawSamples(call, MIXTURE, rng.fork('one'), 20);
        expectClose(matrixTensor(await drawSamples(call, MIXTURE, rng.fork('one'), 20)), matrixTensor(first), {
          what: 'samples',
          hint: 'take all randomness from rng',
        });
        const other = await drawSamples(call, MIXTURE, rng.fork('two'), 20);
        const differ = other.some((row, n) => row.some((v, d) => v !== first[n]![d]));
        expectTrue(differ, 'other samples from another rng', 'the same ones');
      },
    },
  ],
};
