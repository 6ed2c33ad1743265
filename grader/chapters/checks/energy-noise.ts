/** Chapter 14: noise-contrastive estimation, by plain loops over every example. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { meanOf, normal, vector, type Vector } from './common';

const chapter = '14-energy';

type Call = (...args: Value[]) => Promise<Value>;

/** ln p̃ and ln q of some examples. */
interface Densities {
  readonly model: Vector;
  readonly noise: Vector;
}

export interface Contrast {
  readonly data: Densities;
  readonly draws: Densities;
  readonly logZ: number;
}

export function contrastOf(rng: Rng, B: number, N: number, { logZ = 1.5, scale = 2 } = {}): Contrast {
  const of = (label: string, count: number): Densities => ({
    model: vector(normal(rng, `${label} model`, [count], scale)),
    noise: vector(normal(rng, `${label} noise`, [count], scale)),
  });
  return { data: of('data', B), draws: of('draws', N), logZ };
}

interface Variant {
  /** ln p − ln q, of which the class is decided. */
  readonly logit?: (model: number, noise: number, logZ: number) => number;
  readonly shift?: (ratio: number) => number;
  readonly weight?: (ratio: number) => number;
  /** The sign of both cross-entropies. */
  readonly sign?: number;
  readonly draws?: number;
  readonly swap?: boolean;
}

const softplus = (a: number) => (a > 0 ? a + Math.log1p(Math.exp(-a)) : Math.log1p(Math.exp(a)));

function lossBy({ data, draws, logZ }: Contrast, variant: Variant): number {
  const { logit = (p, q, z) => p - z - q, shift = Math.log, weight = (r) => r, sign = 1, draws: share = 1 } = variant;
  const ratio = draws.model.length / data.model.length;
  const logits = ({ model, noise }: Densities) => model.map((p, n) => logit(p, noise[n]!, logZ) - shift(ratio));
  const [real, made] = variant.swap ? [logits(draws), logits(data)] : [logits(data), logits(draws)];
  const told = meanOf(real.map((g) => softplus(-g))) + share * weight(ratio) * meanOf(made.map(softplus));
  return sign * told;
}

const slips: readonly (readonly [hint: string, variant: Variant])[] = [
  ['of ν draws of noise for one of data, noise is ν times as likely before one looks: the logit is ln p − ln q − ln ν', { shift: () => 0 }],
  ['the sign of ln ν: more noise makes data less likely', { shift: (r) => -Math.log(r) }],
  ['ln p is ln p̃ − ln Z: the sign of ln Z', { logit: (p, q, z) => p + z - q }],
  ['ln Z is missing: p̃ is not a density', { logit: (p, q) => p - q }],
  ['the noise’s density is missing: what is told apart is p against q', { logit: (p, _, z) => p - z }],
  ['the logit is ln p − ln q, not their sum', { logit: (p, q, z) => p - z + q }],
  ['the logit is of data: ln p − ln q, not the other way', { logit: (p, q, z) => q - (p - z) }],
  ['ν draws count ν times: the mean over the noise, times ν', { weight: () => 1 }],
  ['the sign: a loss is minimised, and these are ln of probabilities', { sign: -1 }],
  ['the noise’s part is missing: all could be called data', { draws: 0 }],
  ['data are the examples to be called data', { swap: true }],
  ['half of it: data and noise have a cross-entropy each, and both are added', { sign: 0.5 }],
]; // prettier-ignore

export async function checkNoise(call: Call, contrast: Contrast): Promise<void> {
  const { data, draws, logZ } = contrast;
  const value = ({ model, noise }: Densities) => ({ model: tf.tensor1d([...model]), noise: tf.tensor1d([...noise]) });
  const hint = 'P(data | x) = p(x) / (p(x) + ν q(x)), with ln p = ln p̃ − ln Z: −ln of it for data, and ν times −ln of the rest for noise';
  const got = expectTensor(await call(value(data), value(draws), tf.scalar(logZ)), { what: 'the loss', shape: [], hint: 'a scalar' });
  const of = (variant: Variant) => tf.scalar(lossBy(contrast, variant));
  const mistakes = slips.map(([told, variant]): KnownMistake => ({ hint: told, answer: () => of(variant) }));
  expectAnswer(got, of({}), { what: `the loss with ν = ${draws.model.length / data.model.length}`, rtol: 1e-4, atol: 1e-4, hint }, mistakes);
} // prettier-ignore

export const noise: Exercise = {
  id: 'energy.noise',
  chapter,
  functionName: 'noiseLoss',
  title: 'design: a classifier that learns ln Z',
  points: 3,
  library: ['dgm.noiseContrast'],
  hints: [
    'Somebody mixes data and noise, ν draws of noise for one of data, and shows you one x. By Bayes’ rule, with what probability is it data?',
    'p / (p + ν q) = σ(ln p − ln q − ln ν), with ln p = ln p̃ − ln Z. Write the cross-entropy of telling both apart, per example of data.',
    'g = model − logZ − noise − ln ν for each; mean of softplus(−g) over data, plus ν times the mean of softplus(g) over the noise. ν = N / B.',
  ],
  checks: [
    {
      name: 'as much noise as data',
      run: ({ call }) => checkNoise(call, { data: { model: [1.5], noise: [0.25] }, draws: { model: [-0.5], noise: [0.75] }, logZ: 0.5 }),
    },
    {
      name: 'three times as much noise',
      sameForAll: true,
      run: ({ call, rng }) => checkNoise(call, contrastOf(rng, 2, 6)),
    },
    {
      name: 'less noise than data, and logits that overflow',
      sameForAll: true,
      async run({ call, rng }) {
        await checkNoise(call, contrastOf(rng.fork('few'), 6, 3));
        await checkNoise(call, contrastOf(rng.fork('large'), 3, 6, { scale: 60, logZ: -20 }));
      },
    },
  ],
}; // prettier-ignore
