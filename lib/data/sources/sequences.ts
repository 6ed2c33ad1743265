/** Sources of sequences: Markov strings, and tones in code. */
import * as tf from '@tensorflow/tfjs';
import { logLattice } from '../../core/distributions';
import { categorical } from '../../core/random';
import { logSumExp } from '../../core/tensor';
import { drawIndices, entropyOf, integers, requireDistribution, source, type Source } from './source';

/** A Markov chain of V symbols. */
export interface MarkovOptions {
  /** Length of a string. */
  readonly length: number;
  /** p(x_1): [V] */
  readonly start: readonly number[];
  /** p(x_t | x_{t−1}): [V][V], each row sums to 1. */
  readonly transition: readonly (readonly number[])[];
}

/**
 * Strings x_1 … x_T with p(x) = p(x_1) Π_t p(x_t | x_{t−1}); H = H(x_1) + Σ_t Σ_v p(x_{t−1} = v) H(row v).
 * Every probability of 0 is a rule that a model can be caught breaking.
 * @throws when a row is missing or is no distribution
 */
export function markovSource({ length: T, start, transition }: MarkovOptions): Source {
  const V = start.length;
  requireDistribution('markovSource: start', start);
  if (transition.length !== V) throw new Error(`markovSource: expected ${V} rows, got ${transition.length}`);
  transition.forEach((row, v) => {
    if (row.length !== V) throw new Error(`markovSource: row ${v} must have ${V} entries, got ${row.length}`);
    requireDistribution(`markovSource: row ${v}`, row);
  });
  if (!Number.isInteger(T) || T < 1) throw new Error(`markovSource: length must be an integer ≥ 1, got ${T}`);
  const [logStart, logRows] = [start.map(Math.log), transition.flat().map(Math.log)];
  return source({
    name: 'Markov strings',
    eventShape: [T],
    support: integers(V),
    entropy: markovEntropy(T, start, transition),
    logProb(x) {
      const v = x.clipByValue(0, V - 1).toInt(); // [B, T]
      const first = tf.gather(tf.tensor1d(logStart), v.slice([0, 0], [-1, 1]).squeeze([1]) as tf.Tensor1D); // [B]
      const pairs = v
        .slice([0, 0], [-1, T - 1])
        .mul(V)
        .add(v.slice([0, 1], [-1, -1]))
        .toInt(); // [B, T − 1]
      return tf.gather(tf.tensor1d(logRows), pairs).sum(1).add(first).add(logLattice(x, V));
    },
    sample: (count, rng) =>
      tf.tidy(() => {
        const rows = tf.tensor2d(logRows, [V, V]);
        let v = categorical(tf.tensor2d([logStart]).tile([count, 1]), rng.fork('step 0')) as tf.Tensor1D; // [count]
        const steps = [v];
        for (let t = 1; t < T; t++)
          steps.push((v = categorical(tf.gather(rows, v), rng.fork(`step ${t}`)) as tf.Tensor1D));
        return tf.stack(steps, 1).toFloat(); // [count, T]
      }),
  });
}

function markovEntropy(T: number, start: readonly number[], transition: readonly (readonly number[])[]): number {
  const rowEntropies = transition.map(entropyOf);
  let p = [...start];
  let entropy = entropyOf(start);
  for (let t = 1; t < T; t++) {
    entropy += p.reduce((sum, pv, v) => sum + pv * rowEntropies[v]!, 0);
    p = p.map((_, w) => p.reduce((sum, pv, v) => sum + pv * transition[v]![w]!, 0));
  }
  return entropy;
}

export interface ToneOptions {
  /** Steps of one example. Default: 64. */
  readonly length?: number;
  /** Levels of the code. Default: 32. */
  readonly values?: number;
  /** Steps of one oscillation, of each tone. Default: eight tones, a sixth of an octave apart. */
  readonly periods?: readonly number[];
  /** Where in its period a tone may start: so many places, evenly spread. Default: 8. */
  readonly phases?: number;
  /** Of the code. Default: 255. */
  readonly mu?: number;
}

/** Eight tones, a sixth of an octave apart. */
const PERIODS = Array.from({ length: 8 }, (_, i) => 8 * 2 ** (i / 6));

/**
 * Tones in µ-law code (ITU-T G.711): a sine s_t of one of some periods and phases, M in all and equally likely,
 *   f(s) = sign(s) ln(1 + µ |s|) / ln(1 + µ),
 * rounded to a level 1 … V − 2, and then one level lower or higher, each with probability ¼.
 *
 * The steps are entangled, for the tone is not told. But two tones that are more than two levels apart at some step
 * cannot both explain x, so x tells the tone, and H = ln M + T · 1.5 ln 2: that of the tone, and of every step's noise.
 * @throws when two tones are never so far apart
 */
export function toneSource({
  length: T = 64,
  values: V = 32,
  periods = PERIODS,
  phases = 8,
  mu = 255,
}: ToneOptions = {}): Source {
  const tones = tonesOf({ length: T, values: V, periods, phases, mu });
  requireApart(tones);
  const M = tones.length;
  const evenly = tones.map(() => 1);
  const table = tf.tensor2d(tones, [M, T]);
  return source({
    name: 'tones',
    eventShape: [T],
    support: integers(V),
    entropy: Math.log(M) + T * 1.5 * Math.LN2,
    logProb(x) {
      const off = x.expandDims(1).sub(table).abs(); // [B, M, T]
      const noise = tf.where(off.equal(0), Math.log(1 / 2), tf.where(off.equal(1), Math.log(1 / 4), -Infinity));
      return logSumExp(noise.sum(2), 1).sub(Math.log(M)).add(logLattice(x, V));
    },
    sample: (count, rng) =>
      tf.tidy(() => {
        const tone = drawIndices(evenly, count, rng.fork('tone'));
        const noise = drawIndices([1, 2, 1], count * T, rng.fork('noise')).map((index) => index - 1);
        return tf.gather(table, tone).add(tf.tensor2d(noise, [count, T]));
      }),
  });
}

/** The levels of every tone at every step, [M][T], without the noise. */
function tonesOf({ length: T, values: V, periods, phases, mu }: Required<ToneOptions>): number[][] {
  const shifts = Array.from({ length: phases }, (_, i) => i / phases);
  const level = (s: number) => 1 + Math.round(((muLaw(s, mu) + 1) / 2) * (V - 3));
  return periods.flatMap((period) =>
    shifts.map((shift) => Array.from({ length: T }, (_, t) => level(Math.sin(2 * Math.PI * (t / period + shift))))),
  );
}

/** Loudness as ears have it: [−1, 1] → [−1, 1], steep around 0. */
export function muLaw(s: number, mu = 255): number {
  return (Math.sign(s) * Math.log1p(mu * Math.abs(s))) / Math.log1p(mu);
}

function requireApart(tones: readonly (readonly number[])[]): void {
  for (const [m, a] of tones.entries())
    for (const [n, b] of tones.slice(0, m).entries())
      if (a.every((level, t) => Math.abs(level - b[t]!) <= 2))
        throw new Error(
          `toneSource: tones ${n} and ${m} are never more than 2 levels apart, so x does not tell which it was; choose other periods, fewer phases, or more values`,
        );
}
