/**
 * Chapter 8: the evidence lower bound by one draw, what K draws add, and the importance-weighted bound. Networks that
 * are passed in are tables and sines, which references repeat in double precision.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectNumber, expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Exercise, type Given, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { expectWithin, integers, logNormalOf, logSumExp, matrix, meanOf, normal, vector, type Matrix, type Vector } from './common'; // prettier-ignore

const chapter = '08-latent-variables';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

// vae.elbo

interface Nets {
  readonly encode: Given;
  readonly decode: Given;
  readonly of: (x: Vector) => { readonly mu: number[]; readonly logVar: number[] };
  /** [D][V] */
  readonly logits: (z: Vector) => number[][];
}

export interface Sizes {
  readonly D: number;
  readonly V: number;
  readonly L: number;
}

/** ln σ² is that number and a little of x; the decoder looks at z by `reach` of its table. */
function nets({ D, V, L }: Sizes, logVar: number, reach: number): Nets {
  const part = `x.slice([0, 0], [-1, ${L}])`;
  return {
    encode: given(`(x) => tf.concat([${part}.mul(0.4).sub(0.6), ${part}.mul(0.1).add(${logVar})], 1)`),
    decode: given(
      `(z) => z.matMul(tf.range(1, ${L * D * V + 1}).sin().mul(${reach}).reshape([${L}, ${D * V}])).add(tf.range(0, ${D * V}).cos()).reshape([-1, ${D}, ${V}])`,
    ),
    of: (x) => ({
      mu: Array.from({ length: L }, (_, l) => 0.4 * x[l]! - 0.6),
      logVar: Array.from({ length: L }, (_, l) => 0.1 * x[l]! + logVar),
    }),
    logits: (z) =>
      Array.from({ length: D }, (_, d) =>
        Array.from({ length: V }, (__, v) => {
          const at = d * V + v;
          return Math.cos(at) + sum(z.map((value, l) => value * reach * Math.sin(l * D * V + at + 1)));
        }),
      ),
  };
}

const reconstructionOf = (x: Vector, logits: Matrix): number =>
  sum(x.map((v, d) => logits[d]![v]! - logSumExp(logits[d]!)));

const klTerms = ({ mu, logVar }: ReturnType<Nets['of']>) =>
  mu.map((m, l) => (Math.exp(logVar[l]!) + m * m - 1 - logVar[l]!) / 2);

function mistakenKl(codes: readonly ReturnType<Nets['of']>[], L: number): readonly KnownMistake[] {
  const by = (of: (code: ReturnType<Nets['of']>) => number) => () => tf.tensor1d(codes.map(of));
  const swapped = ({ mu, logVar }: ReturnType<Nets['of']>) => ({ mu: logVar, logVar: mu });
  return [
    { hint: 'the KL is at least 0: this is its negative', answer: by((c) => -sum(klTerms(c))) },
    { hint: 'a sum over the latent coordinates, not their mean', answer: by((c) => sum(klTerms(c)) / L) },
    { hint: 'the factor ½ is missing', answer: by((c) => 2 * sum(klTerms(c))) },
    { hint: 'the encoder gives ln σ²: the variance is its exponential, and not the square of that', answer: by(({ mu, logVar }) => sum(klTerms({ mu, logVar: logVar.map((v) => 2 * v) }))) },
    { hint: 'the encoder gives ln σ²: its exponential is the variance, and not its square root', answer: by(({ mu, logVar }) => sum(klTerms({ mu, logVar: logVar.map((v) => v / 2) }))) },
    { hint: 'first the means, then the logarithms of the variances', answer: by((c) => sum(klTerms(swapped(c)))) },
    { hint: 'the KL of each example, and not the mean over the batch', answer: () => tf.fill([codes.length], meanOf(codes.map((c) => sum(klTerms(c))))) },
    { hint: 'KL[q ‖ p], from the posterior to the prior', answer: by(({ mu, logVar }) => sum(mu.map((m, l) => ((1 + m * m) / Math.exp(logVar[l]!) - 1 + logVar[l]!) / 2))) },
  ]; // prettier-ignore
}

function mistakenReconstruction(x: Matrix, tables: readonly Matrix[], { D, V }: Sizes): readonly KnownMistake[] {
  const by = (of: (x: Vector, logits: Matrix) => number) => () => tf.tensor1d(x.map((row, n) => of(row, tables[n]!)));
  const softmaxed = (logits: Matrix) => logits.map((row) => row.map((v) => Math.exp(v - logSumExp(row))));
  return [
    { hint: 'ln p(x | z) is negative here: the sign', answer: by((r, t) => -reconstructionOf(r, t)) },
    { hint: 'nats per example: a sum over the pixels, not their mean', answer: by((r, t) => reconstructionOf(r, t) / D) },
    { hint: 'logits go through one softmax, and not through two', answer: by((r, t) => reconstructionOf(r, softmaxed(t))) },
    { hint: 'the decoder gives logits: normalise them, by tf.logSoftmax', answer: by((r, t) => sum(r.map((v, d) => t[d]![v]!))) },
    { hint: 'the logarithm of the probability, not the probability', answer: by((r, t) => sum(r.map((v, d) => softmaxed(t)[d]![v]!))) },
    { hint: 'the logit of the value that is there, and not that of all values', answer: by((_, t) => sum(t.map((row) => sum(row.map((v) => v - logSumExp(row)))))) },
    { hint: 'these are not squared errors: the decoder is categorical', answer: by((r, t) => -sum(r.map((v, d) => (v - sum(softmaxed(t)[d]!.map((p, k) => p * k))) ** 2))) },
    { hint: 'the reconstruction of each example, and not the mean over the batch', answer: () => tf.fill([x.length], meanOf(x.map((r, n) => reconstructionOf(r, tables[n]!)))) },
    { hint: 'the values of a pixel are its last axis', answer: by((r, t) => sum(r.map((v, d) => t[d]![v]! - Math.log(V)))) },
  ]; // prettier-ignore
}

/** With an encoder so sure of itself that a draw is its mean. */
export async function checkSure(call: Call, rng: Rng, B: number, sizes: Sizes, reach: number): Promise<void> {
  const x = integers(rng, 'x', [B, sizes.D], sizes.V);
  const { encode, decode, of, logits } = nets(sizes, reach === 0 ? -0.8 : -38, reach);
  const hint = reach === 0 ? 'the decoder does not look at z' : 'a variance of e^−38: every draw is the mean';
  const got = expectFields(await call(x, encode, decode, rng.fork('noise')), ['reconstruction', 'kl'], { hint });
  const rows = matrix(x);
  const codes = rows.map(of);
  const tables = codes.map(({ mu }) => logits(mu));
  const kl = expectTensor(got.kl, { what: 'the KL', shape: [B], hint: 'one number an example' });
  const reconstruction = expectTensor(got.reconstruction, { what: 'the reconstruction', shape: [B], hint: 'one number an example' }); // prettier-ignore
  const close = { rtol: 1e-4, atol: 1e-3, hint };
  const wanted = tf.tensor1d(rows.map((row, n) => reconstructionOf(row, tables[n]!)));
  expectAnswer(reconstruction, wanted, { ...close, what: 'the reconstruction' }, mistakenReconstruction(rows, tables, sizes)); // prettier-ignore
  const klHint = '½ Σ (σ² + μ² − 1 − ln σ²)';
  expectAnswer(kl, tf.tensor1d(codes.map((c) => sum(klTerms(c)))), { ...close, what: 'the KL', hint: klHint }, mistakenKl(codes, sizes.L)); // prettier-ignore
}

const COUNT = 4000;

interface Moments {
  readonly mean: number;
  readonly variance: number;
  /** Standard error of a variance of COUNT draws. */
  readonly ofVariance: number;
}

/** Of ln p(x | μ + σ ε) by quadrature over ε. */
function momentsOf(x: Vector, { logits }: Nets, mu: number, sigma: number): Moments {
  const grid = Array.from({ length: 1601 }, (_, i) => (i - 800) / 100);
  const weights = grid.map((e) => Math.exp(-e * e / 2) / Math.sqrt(2 * Math.PI) / 100); // prettier-ignore
  const values = grid.map((e) => reconstructionOf(x, logits([mu + sigma * e])));
  const moment = (of: (v: number) => number) => sum(values.map((v, i) => weights[i]! * of(v)));
  const mean = moment((v) => v);
  const variance = moment((v) => (v - mean) ** 2);
  return { mean, variance, ofVariance: Math.sqrt((moment((v) => (v - mean) ** 4) - variance ** 2) / COUNT) };
}

/** Whether a mean and a variance are those, within six standard errors. */
const within = (mean: number, variance: number, wanted: Moments) =>
  Math.abs(mean - wanted.mean) <= 6 * Math.sqrt(wanted.variance / COUNT) &&
  Math.abs(variance - wanted.variance) <= 6 * wanted.ofVariance;

/** Many copies of one example: their draws have the mean and the variance of z ~ q(z | x). */
export async function checkDraws(call: Call, rng: Rng, logVar: number, x: Vector, V: number): Promise<void> {
  const world = nets({ D: x.length, V, L: 1 }, logVar, 0.9);
  const copies = tf.tile(tf.tensor2d([[...x]]), [COUNT, 1]);
  const got = expectFields(await call(copies, world.encode, world.decode, rng.fork('noise')), ['reconstruction']);
  const each = vector(expectTensor(got.reconstruction, { what: 'the reconstruction', shape: [COUNT] }));
  const { mu, logVar: spread } = world.of(x);
  const of = (sigma: number) => momentsOf(x, world, mu[0]!, sigma);
  const [m, variance] = [meanOf(each), meanOf(each.map((v) => (v - meanOf(each)) ** 2))];
  const right = of(Math.exp(spread[0]! / 2));
  expectTrue(variance > 1e-6, 'another reconstruction for each of 4,000 copies of an example', 'the same for all', 'every example draws noise of its own: z = μ + σ ε, with ε [B, L] from rng.normal'); // prettier-ignore
  const mistaken = [
    ['the deviation is exp(½ logVar), and not exp(logVar): that is the variance', of(Math.exp(spread[0]!))],
    ['the deviation is exp(½ logVar), and not its square root', of(Math.exp(spread[0]! / 4))],
    ['z is μ + σ ε, and not ε alone: that would be the prior', momentsOf(x, world, 0, 1)],
    ['z is μ + σ ε: the noise is scaled by σ', of(1)],
  ] as const;
  const made = within(m, variance, right) ? undefined : mistaken.find(([, moments]) => within(m, variance, moments));
  const hint = made?.[0] ?? 'z = μ + σ ε, with σ² = exp(logVar) and ε standard normal';
  const what = (number: string) => `the ${number} of the reconstruction of 4,000 copies of an example`;
  expectWithin(m, right.mean, Math.sqrt(right.variance / COUNT), what('mean'), hint);
  expectWithin(variance, right.variance, right.ofVariance, what('variance'), hint);
}

const PIXEL = 0.5; // the slope of the only logit

/** μ and ln σ² of two latents, by x of 0 or 1. */
const oneOf = (x: number) => ({ mu: [0.8 * x - 0.5, 0.3 - 0.7 * x], logVar: [1.1 * x - 1.4, 0.2 - 0.9 * x] });
const encodeOne = given('(x) => tf.concat([x.mul(0.8).sub(0.5), x.mul(-0.7).add(0.3), x.mul(1.1).sub(1.4), x.mul(-0.9).add(0.2)], 1)'); // prettier-ignore
const decodeOne = (l: number) =>
  given(`(z) => tf.stack([z.slice([0, ${l}], [-1, 1]).mul(0), z.slice([0, ${l}], [-1, 1]).mul(${PIXEL})], 2)`);

/** One pixel that sees one coordinate: from its reconstruction back to that coordinate's ε, for each example. */
async function epsilonsOf(call: Call, rng: Rng, x: Vector, l: number): Promise<number[]> {
  const got = expectFields(await call(tf.tensor2d([...x], [x.length, 1]), encodeOne, decodeOne(l), rng), ['reconstruction']); // prettier-ignore
  const each = vector(expectTensor(got.reconstruction, { what: 'the reconstruction', shape: [x.length] }));
  return each.map((r, n) => {
    const logit = (x[n] === 1 ? -1 : 1) * Math.log(Math.expm1(Math.max(-r, 1e-9)));
    const { mu, logVar } = oneOf(x[n]!);
    return (logit / PIXEL - mu[l]!) / Math.exp(logVar[l]! / 2);
  });
}

/** Two sorts of examples in turn, and two latents: ε = (z − μ) / σ is standard normal and independent of all others. */
async function checkNoise(call: Call, rng: Rng): Promise<void> {
  const x = Array.from({ length: COUNT }, (_, n) => (n % 3 === 0 ? 1 : 0));
  const noise: number[][] = [];
  for (const l of [0, 1]) {
    const all = await epsilonsOf(call, rng.fork('noise'), x, l);
    noise.push(all);
    for (const sort of [0, 1]) {
      const own = all.filter((_, n) => x[n] === sort);
      const what = `of (z − μ) / σ for latent ${l} where x = ${sort}`;
      const hint = 'each example has its own μ and σ, and each latent its own';
      expectWithin(meanOf(own), 0, 1 / Math.sqrt(own.length), `the mean ${what}`, hint);
      expectWithin(meanOf(own.map((e) => e * e)), 1, Math.sqrt(2 / own.length), `the mean square ${what}`, hint);
    }
    const largest = Math.max(...all.map(Math.abs));
    expectTrue(largest > 2.8, `some of ${COUNT} draws more than 2.8 σ from μ`, `none beyond ${largest.toFixed(2)} σ`, 'ε is standard normal, and not cut off'); // prettier-ignore
    for (const lag of [1, COUNT / 2]) {
      const product = meanOf(all.slice(lag).map((e, n) => e * all[n]!));
      expectWithin(product, 0, 1 / Math.sqrt(COUNT - lag), `the mean product of two examples’ ε, ${lag} apart,`, 'every example draws noise of its own'); // prettier-ignore
    }
  }
  const product = meanOf(noise[0]!.map((e, n) => e * noise[1]![n]!));
  expectWithin(product, 0, 1 / Math.sqrt(COUNT), 'the mean product of an example’s two ε', 'every latent draws noise of its own: ε is [B, L]'); // prettier-ignore
}

export const elbo: Exercise = {
  id: 'vae.elbo',
  chapter,
  functionName: 'elboTerms',
  title: 'encode, draw, decode',
  points: 3,
  hints: [
    'Which half of what the encoder gives is the mean, which one the logarithm of the variance? How do you draw z so that the gradient reaches both?',
    'z = μ + σ ε with σ = exp(½ ln σ²) and ε [B, L] from rng.normal: every example has its own. The decoder’s logits, [B, D, V], give ln p(x | z) by a softmax over their last axis; the KL has a closed form.',
    'tf.split in two along axis 1. The package’s logCategorical takes x and the logits, and its klNormal the mean and the logarithm of the variance; both sum over the coordinates.',
  ],
  checks: [
    {
      name: 'one pixel, one latent, a decoder that does not look at z',
      sameForAll: true,
      run: ({ call, rng }) => checkSure(call, rng, 2, { D: 1, V: 3, L: 1 }, 0),
    },
    {
      name: 'an encoder that is sure: z is the mean',
      sameForAll: true,
      async run({ call, rng }) {
        await checkSure(call, rng.fork('small'), 2, { D: 2, V: 2, L: 1 }, 0.8);
        await checkSure(call, rng.fork('larger'), 4, { D: 5, V: 4, L: 3 }, 0.8);
      },
    },
    {
      name: 'an encoder that is not sure: the draws have its mean and its variance',
      sameForAll: true,
      run: ({ call, rng }) => checkDraws(call, rng, -1.2, [2, 0], 3),
    },
    {
      name: 'each example and each latent: its own mean, its own deviation, noise of its own',
      sameForAll: true,
      run: ({ call, rng }) => checkNoise(call, rng),
    },
    {
      name: 'the same rng gives the same draw, another one gives another',
      sameForAll: true,
      async run({ call, rng }) {
        const sizes = { D: 3, V: 3, L: 2 };
        const { encode, decode } = nets(sizes, -0.5, 0.8);
        const x = integers(rng, 'x', [4, 3], 3);
        const draw = async (label: string) => {
          const { reconstruction } = expectFields(await call(x, encode, decode, rng.fork(label)), ['reconstruction']);
          return vector(expectTensor(reconstruction, { what: 'the reconstruction', shape: [4] }));
        };
        const [first, again, other] = [await draw('one'), await draw('one'), await draw('two')];
        const same = (a: Vector, b: Vector) => a.every((v, i) => Math.abs(v - b[i]!) < 1e-5);
        expectTrue(same(first, again), 'the same reconstruction from the same rng', 'another', 'take all randomness from rng'); // prettier-ignore
        expectTrue(!same(first, other), 'another reconstruction from another rng', 'the same', 'z has to be drawn');
      },
    },
  ],
};

// vae.expectedBound

/** Draw by draw: how likely each number of a is after so many, and the expectation over these numbers at the end. */
function expectedOf(a: number, b: number, K: number): number {
  let likely = [1];
  for (let k = 0; k < K; k++) likely = [...likely, 0].map((p, n) => (p + (likely[n - 1] ?? 0)) / 2);
  return sum(likely.map((p, n) => p * Math.log((n * a + (K - n) * b) / K)));
}

export async function checkExpected(call: Call, a: number, b: number, K: number, hint: string): Promise<void> {
  const logs = (Math.log(a) + Math.log(b)) / 2;
  const even = Array.from({ length: K + 1 }, (_, k) => Math.log((k * a + (K - k) * b) / K));
  const mistakes: KnownMistake[] = [
    { hint: 'that is the limit of many draws, ln of the mean: with K draws the mean of the weights is not yet there', answer: () => Math.log((a + b) / 2) },
    { hint: 'that is the bound of one draw: the mean of K weights is inside the logarithm', answer: () => logs },
    { hint: 'not all numbers of a among K are equally likely: k of them come in K! / (k! (K − k)!) ways', answer: () => meanOf(even) },
    { hint: 'the mean of the weights, not their sum: ln K is to be taken off', answer: () => expectedOf(a, b, K) + Math.log(K) },
    { hint: 'this is K + 1 draws', answer: () => expectedOf(a, b, K + 1) },
    { hint: 'this is K − 1 draws', answer: () => (K > 1 ? expectedOf(a, b, K - 1) : NaN) },
    { hint: 'nats: natural logarithms', answer: () => expectedOf(a, b, K) / Math.LN2 },
    { hint: 'the bound, not its negative', answer: () => -expectedOf(a, b, K) },
    { hint: 'that is an approximation for small differences or many draws; the sum over k is exact', answer: () => Math.log((a + b) / 2) - ((a - b) / (a + b)) ** 2 / (2 * K) },
  ]; // prettier-ignore
  const what = `the expected bound of ${K} draws of ${a} and ${b}`;
  const got = expectNumber(await call(a, b, K), { what, hint });
  expectAnswer(got, expectedOf(a, b, K), { what, rtol: 1e-6, atol: 1e-8, hint }, mistakes);
}

export const expectedBound: Exercise = {
  id: 'vae.expectedBound',
  chapter,
  functionName: 'expectedBound',
  title: 'predict: one bound of K draws, or K bounds of one',
  points: 2,
  allOrNothing: true,
  hints: [
    'Which values can the mean of K weights take, if each is a or b? How likely is each of them?',
    'k of the K weights are a with the binomial probability of k, and the mean is then (k a + (K − k) b) / K. Take the logarithm of each, and the expectation of these.',
    'A loop over k from 0 to K. Begin with the probability of no a at all, one half to the power K; from k to k + 1 it grows by the factor (K − k) / (k + 1).',
  ],
  checks: [
    { name: 'one draw: the mean of the logarithms', run: ({ call }) => checkExpected(call, 1, 4, 1, 'ln a or ln b, evenly') },
    { name: 'two draws', run: ({ call }) => checkExpected(call, 1, 9, 2, 'both a, both b, or one of each in two ways') },
    {
      name: 'five and ten draws',
      async run({ call }) {
        await checkExpected(call, 0.2, 3, 5, 'the number of a among K is binomial');
        await checkExpected(call, 2, 0.01, 10, 'the number of a among K is binomial');
      },
    },
  ],
}; // prettier-ignore

// vae.importance

export interface ImportanceInput {
  /** [K][B] */
  readonly logLikelihood: Matrix;
  /** [K][B][L] */
  readonly z: readonly Matrix[];
  /** [B][L] */
  readonly mu: Matrix;
  readonly logVar: Matrix;
}

export function importanceInput(rng: Rng, [K, B, L]: readonly [number, number, number], level = -4): ImportanceInput {
  const [mu, logVar] = [matrix(normal(rng, 'mu', [B, L])), matrix(normal(rng, 'logVar', [B, L], 0.7))];
  const noise = tf.tidy(() => rng.fork('noise').normal([K, B, L]).arraySync() as number[][][]);
  const z = noise.map((rows) => rows.map((row, b) => row.map((e, l) => mu[b]![l]! + Math.exp(logVar[b]![l]! / 2) * e)));
  const logLikelihood = matrix(normal(rng, 'likelihood', [K, B], 1.5)).map((row) => row.map((v) => v + level));
  return { logLikelihood, z, mu, logVar };
}

export const importanceArgs = ({ logLikelihood, z, mu, logVar }: ImportanceInput): Value[] => [
  tf.tensor2d(logLikelihood.map((row) => [...row])),
  tf.tensor3d(z.map((rows) => rows.map((row) => [...row]))),
  tf.tensor2d(mu.map((row) => [...row])),
  tf.tensor2d(logVar.map((row) => [...row])),
];

interface Column {
  /** Of each draw: ln p(x | z), ln p(z), ln q(z | x). */
  readonly draws: readonly (readonly [likelihood: number, prior: number, q: number])[];
  readonly kl: number;
}

function columnsOf({ logLikelihood, z, mu, logVar }: ImportanceInput): Column[] {
  return mu.map((m, b) => ({
    draws: z.map((rows, k) => {
      const zeros = m.map(() => 0);
      const row = rows[b]!;
      return [logLikelihood[k]![b]!, logNormalOf(row, zeros, zeros), logNormalOf(row, m, logVar[b]!)] as const;
    }),
    kl: sum(klTerms({ mu: [...m], logVar: [...logVar[b]!] })),
  }));
}

const logMean = (logs: Vector) => logSumExp(logs) - Math.log(logs.length);
const weightsOf = ({ draws }: Column) => draws.map(([l, p, q]) => l + p - q);
/** Σ v ln w with v = w / Σ w */
const selfWeighted = (logs: Vector) => sum(logs.map((w) => Math.exp(w - logSumExp(logs)) * w));

const importanceOf = (input: ImportanceInput) => columnsOf(input).map((column) => logMean(weightsOf(column)));

function mistakenImportance(input: ImportanceInput): readonly KnownMistake[] {
  const columns = columnsOf(input);
  const by = (of: (column: Column) => number) => () => tf.tensor1d(columns.map(of));
  const withKl = ({ draws, kl }: Column) => draws.map(([l]) => l - kl);
  const halved = columnsOf({ ...input, logVar: input.logVar.map((row) => row.map((v) => 2 * v)) });
  return [
    { hint: 'the code as given: its KL is a mean over all z, and Σ v ln w is above ln of the mean weight', answer: by((c) => selfWeighted(withKl(c))) },
    { hint: 'the mean is taken of the logarithms: that is the ELBO, whatever K; the mean of the weights is inside the logarithm', answer: by((c) => meanOf(weightsOf(c))) },
    { hint: 'the mean is taken of the logarithms, and the KL in closed form: that is the ELBO', answer: by((c) => meanOf(withKl(c))) },
    { hint: 'the KL in closed form is a mean over all z: each draw has its own ln q(z | x) − ln p(z), and inside the logarithm the two differ', answer: by((c) => logMean(withKl(c))) },
    { hint: 'Σ v ln w with normalised weights v is above ln of the mean weight, by the KL of v from even weights', answer: by((c) => selfWeighted(weightsOf(c))) },
    { hint: 'the mean of the weights, not their sum: ln K is to be taken off', answer: by((c) => logSumExp(weightsOf(c))) },
    { hint: 'draws come from q: divide by q(z | x)', answer: by((c) => logMean(c.draws.map(([l, p]) => l + p))) },
    { hint: 'the prior p(z) is missing', answer: by((c) => logMean(c.draws.map(([l, , q]) => l - q))) },
    { hint: 'the weights are p(x, z) / q(z | x): neither prior nor q is in this', answer: by((c) => logMean(c.draws.map(([l]) => l))) },
    { hint: 'p(z) / q(z | x), and not the other way round', answer: by((c) => logMean(c.draws.map(([l, p, q]) => l - p + q))) },
    { hint: 'the largest weight is not their mean', answer: by((c) => Math.max(...weightsOf(c))) },
    { hint: 'logVar is ln σ²: the deviation is exp(½ logVar)', answer: () => tf.tensor1d(halved.map((c) => logMean(weightsOf(c)))) },
    { hint: 'the bound itself: the larger, the better', answer: by((c) => -logMean(weightsOf(c))) },
    { hint: 'the bound of each example, and not the mean over the batch', answer: () => tf.fill([columns.length], meanOf(importanceOf(input))) },
  ]; // prettier-ignore
}

export async function checkImportance(call: Call, input: ImportanceInput, hint: string): Promise<void> {
  const what = `the bound of ${input.z.length} draws`;
  const got = expectTensor(await call(...importanceArgs(input)), { what, shape: [input.mu.length], hint });
  const wanted = tf.tensor1d(importanceOf(input));
  expectAnswer(got, wanted, { what, rtol: 2e-5, atol: 1e-3, hint }, mistakenImportance(input));
}

export const importance: Exercise = {
  id: 'vae.importance',
  chapter,
  functionName: 'importanceWeighted',
  title: 'the bug to find',
  points: 3,
  allOrNothing: true,
  hints: [
    'Take K = 1: is the code that is given p(x, z) / q(z | x) at the draw? Then take K equal draws, and K very different ones: what is Σ v ln w, and what ln of the mean of w?',
    'Each draw has a weight of its own, ln w = ln p(x | z) + ln p(z) − ln q(z | x). A bound is the logarithm of the mean of the weights; nothing else has E w = p(x) inside a logarithm.',
    'logNormal of the package takes [N, L]: reshape z to K · B rows, and repeat mu and logVar K times. Back in [K, B], use logMeanExp along axis 0.',
  ],
  checks: [
    {
      name: 'one draw: its own ln p(x, z) − ln q(z | x)',
      sameForAll: true,
      run: ({ call, rng }) => checkImportance(call, importanceInput(rng, [1, 2, 1]), 'with K = 1 there is one weight'),
    },
    {
      name: 'agrees with the logarithm of the mean weight',
      sameForAll: true,
      async run({ call, rng }) {
        for (const sizes of [[2, 1, 1], [4, 3, 2], [10, 2, 5]] as const)
          await checkImportance(call, importanceInput(rng.fork(`${sizes[0]}`), sizes), 'ln (1/K) Σ w');
      },
    },
    {
      name: 'works where a picture costs a thousand nats, and the next one ten',
      sameForAll: true,
      async run({ call, rng }) {
        const input = importanceInput(rng, [5, 3, 2], -1000);
        await checkImportance(call, input, 'take the largest out before the exponential');
        const logLikelihood = input.logLikelihood.map((row) => row.map((v, b) => v + [0, 600, 990][b]!));
        await checkImportance(call, { ...input, logLikelihood }, 'take each example’s own largest out');
      },
    },
  ],
}; // prettier-ignore
