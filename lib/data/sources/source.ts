/**
 * Data whose entropy is known exactly, in nats per example.
 *
 * For data from a source p and a model q, the expected negative log-likelihood is H(p) + KL[p ‖ q]. With H known, the
 * divergence is a number one can read off, and a model that scores below H (by more than the sampling error) has a
 * wrong likelihood, however good its samples look (Cover and Thomas, Elements of Information Theory, 2006, chapter 2).
 */
import * as tf from '@tensorflow/tfjs';
import type { GenerativeModel, Rng, Support } from '../../core/model';
import { expectShape } from '../../core/tensor';
import { sampler } from '../../sampling/sampler';

/** A model that nobody has to train: `evaluate`, the laws and the ladder take it like any other. */
export interface Source extends GenerativeModel {
  readonly name: string;
  readonly likelihood: { readonly kind: 'exact'; logProb(x: tf.Tensor): tf.Tensor };
  /** [B, ...event] → [B], as the likelihood. */
  logProb(x: tf.Tensor): tf.Tensor;
  /** −E ln p(x), in nats per example. */
  readonly entropy: number;
  readonly support: Support;
}

/**
 * The same data as real numbers: x + u with u ~ U[0, 1)^D has the density p(⌊x⌋), and, cells having volume 1, the
 * same entropy. For models of densities.
 */
export function dequantisedSource(discrete: Source): Source {
  const { support } = discrete;
  if (support.kind !== 'discrete') throw new Error(`dequantisedSource: '${discrete.name}' is continuous already`);
  return source({
    name: `${discrete.name}, dequantised`,
    eventShape: discrete.eventShape,
    support: { kind: 'continuous', low: Math.min(...support.values), high: Math.max(...support.values) + 1 },
    entropy: discrete.entropy,
    logProb: (x) => discrete.logProb(x.floor()),
    sample: (count, rng) =>
      tf.tidy(() => {
        const x = discrete.sample({ count, rng: rng.fork('x') });
        return x.add(rng.fork('u').uniform(x.shape));
      }),
  });
}

// For those who make sources

/** What a source is made of; the rest follows. */
export interface Definition extends Pick<Source, 'name' | 'eventShape' | 'logProb' | 'entropy' | 'support'> {
  /** [count, ...event] */
  sample(count: number, rng: Rng): tf.Tensor;
}

/** A source of its parts: shapes are checked at its door, and its tensors tidied. */
export function source(definition: Definition): Source {
  const { name, eventShape, logProb } = definition;
  const checked = (x: tf.Tensor) => {
    expectShape(`${name}: x`, x, ['B', ...eventShape]);
    return tf.tidy(() => logProb(x));
  };
  const sample = sampler(name, ({ count, rng }) => definition.sample(count, rng));
  return { ...definition, sample, logProb: checked, likelihood: { kind: 'exact', logProb: checked }, objectives: [] };
}

/** 0 … values − 1. */
export const integersBelow = (values: number): number[] => Array.from({ length: values }, (_, v) => v);

export const integers = (values: number): Support => ({ kind: 'discrete', values: integersBelow(values) });

/** Indices 0 … p.length − 1, in proportion to these weights: the inverse of their running sums. */
export function drawIndices(p: ArrayLike<number>, count: number, rng: Rng): number[] {
  const sums = Float64Array.from(p);
  for (let i = 1; i < sums.length; i++) sums[i]! += sums[i - 1]!;
  const draws = rng.uniform([count]);
  const u = draws.dataSync();
  draws.dispose();
  return Array.from(u, (value) => firstAbove(sums, value * sums.at(-1)!));
}

/** The first index whose sum exceeds the value: by bisection. */
function firstAbove(sums: Float64Array, value: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** −Σ p ln p, in nats. */
export function entropyOf(p: ArrayLike<number>): number {
  return Array.from(p).reduce((sum, value) => (value > 0 ? sum - value * Math.log(value) : sum), 0);
}

export function requireDistribution(what: string, p: readonly number[]): void {
  const sum = p.reduce((a, b) => a + b, 0);
  if (p.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-9) return;
  throw new Error(`${what} must be probabilities that sum to 1, got [${p.join(', ')}] with sum ${sum}`);
}
