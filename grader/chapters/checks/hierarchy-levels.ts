/**
 * Chapter 10: what a level costs relative to its prior, and both levels in turn.
 * Networks that are passed in are tables and sines, which references repeat in double precision.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectFields, expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Exercise, type Given, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { expectWithin, integers, logSumExp, matrix, matrixTensor, meanOf, vector, type Matrix, type Vector } from './common'; // prettier-ignore

const chapter = '10-hierarchical';

export type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

/** ln σ of a prior and a posterior, and the distance of their means, of one coordinate. */
interface Pair {
  readonly apart: number;
  readonly p: number;
  readonly q: number;
}

/** KL[q ‖ p], written with the deviations: ln σ_p / σ_q + (σ_q² + apart²) / (2 σ_p²) − ½ */
export const between = ({ apart, p, q }: Pair) => p - q + (Math.exp(2 * q) + apart ** 2) / (2 * Math.exp(2 * p)) - 0.5;

// hierarchy.residualKl

/** One row an example: shift, ln of the factor of the variance, and ln of the prior's variance. */
export interface ResidualInput {
  readonly shift: Matrix;
  readonly logScale: Matrix;
  readonly logVar: Matrix;
}

const coordinates = ({ shift, logScale, logVar }: ResidualInput, of: (s: number, f: number, v: number) => number) =>
  shift.map((row, n) => row.map((s, l) => of(s, logScale[n]![l]!, logVar[n]![l]!)));

const rightOf = (s: number, f: number, v: number) => between({ apart: s, p: v / 2, q: (v + f) / 2 });

function mistakenResidual(input: ResidualInput): readonly KnownMistake[] {
  const by = (hint: string, of: (s: number, f: number, v: number) => number): KnownMistake => ({
    hint,
    answer: () => tf.tensor1d(coordinates(input, of).map(sum)),
  });
  const right = coordinates(input, rightOf);
  const whole = (hint: string, answer: () => Value): KnownMistake => ({ hint, answer });
  return [
    by('the shift is measured in the prior’s deviations: the prior’s scale is missing', (s, f) => between({ apart: s, p: 0, q: f / 2 })),
    by('a shift of one σ costs ½: the variance divides the square, and not the deviation', (s, f, v) => between({ apart: s / Math.exp(v / 4), p: 0, q: f / 2 })),
    by('logVar is the logarithm of the variance: its exponential is not to be squared again', (s, f, v) => between({ apart: s / Math.exp(v), p: 0, q: f / 2 })),
    by('the shift is relative to the prior’s mean, and the factor to its variance: the posterior is not N(shift, exp logScale)', (s, f, v) => between({ apart: s, p: v / 2, q: f / 2 })),
    by('the factor is one of the variance, and logScale its logarithm', (s, f, v) => between({ apart: s, p: v / 2, q: v / 2 + f })),
    by('KL[q ‖ p], from the posterior to the prior', (s, f, v) => between({ apart: s, p: (v + f) / 2, q: v / 2 })),
    by('the factor ½ is missing', (s, f, v) => 2 * rightOf(s, f, v)),
    by('the KL is at least 0: this is its negative', (s, f, v) => -rightOf(s, f, v)),
    by('the −1 of each coordinate: where shift and logScale are 0, nothing is to be paid', (s, f, v) => rightOf(s, f, v) + 0.5),
    by('the sign of logScale: a factor below 1 costs as well, and a factor of 1 nothing', (s, f, v) => rightOf(s, f, v) + f),
    by('the logarithm of the factor is missing', (s, f, v) => rightOf(s, f, v) + f / 2),
    whole('the −1 belongs to each latent: inside the sum over them', () => tf.tensor1d(right.map((row) => sum(row) + (row.length - 1) / 2))),
    whole('a sum over the latents, not their mean', () => tf.tensor1d(right.map(meanOf))),
    whole('the KL of each example, and not the mean over the batch', () => tf.fill([right.length], meanOf(right.map(sum)))),
    whole('the KL of each example, and not the sum over the batch', () => tf.fill([right.length], sum(right.map(sum)))),
    whole('one number an example: sum over the latents', () => matrixTensor(right)),
  ];
} // prettier-ignore

export async function checkResidual(call: Call, input: ResidualInput, hint: string): Promise<void> {
  const args = [input.shift, input.logScale, input.logVar].map(matrixTensor);
  const got = await call(...args);
  const wanted = tf.tensor1d(coordinates(input, rightOf).map(sum));
  expectAnswer(got, wanted, { what: 'the KL', rtol: 1e-4, atol: 1e-4, hint }, mistakenResidual(input));
}

export const residualInput = (rng: Rng, B: number, L: number, scale = 1): ResidualInput => {
  const draw = (label: string) => matrix(tf.tidy(() => rng.fork(label).normal([B, L]).mul(scale)));
  return { shift: draw('shift'), logScale: draw('logScale'), logVar: draw('logVar') };
};

export const residualKl: Exercise = {
  id: 'hierarchy.residualKl',
  chapter,
  functionName: 'residualKl',
  title: 'derive: what it costs to move away from the prior',
  points: 2,
  library: ['dgm.klResidual'],
  hints: [
    'The KL of two Gaussians contains the distance of the means and the ratio of the variances alone. What are these two here?',
    'In the general formula put the means’ difference, which is the shift, and σ_q² / σ_p², which is exp(logScale). Where does the prior’s variance remain?',
    'Half of: the square of the shift over the prior’s variance, plus the factor, less one, less its logarithm; and the sum over the latents.',
  ],
  checks: [
    {
      name: 'one latent, a prior of variance 1: the KL from the standard normal',
      async run({ call }) {
        await checkResidual(call, { shift: [[0.5]], logScale: [[0.4]], logVar: [[0]] }, 'chapter 2: ½ (mean² + variance − 1 − ln variance)');
        await checkResidual(call, { shift: [[-1.5], [0]], logScale: [[0], [-1]], logVar: [[0], [0]] }, 'an example each');
      },
    },
    {
      name: 'a prior that is narrow, and one that is wide',
      async run({ call }) {
        await checkResidual(call, { shift: [[0.5]], logScale: [[0.4]], logVar: [[-2]] }, 'the same shift is a longer way for a narrow prior');
        await checkResidual(call, { shift: [[0.5], [2]], logScale: [[0.4], [-0.7]], logVar: [[1.5], [0.8]] }, 'and a shorter one for a wide prior');
      },
    },
    {
      name: 'several latents: a sum for each example',
      sameForAll: true,
      run: ({ call, rng }) => checkResidual(call, residualInput(rng, 3, 4), 'sum over the latents'),
    },
  ],
}; // prettier-ignore

// hierarchy.terms

/** L of the top and of the level below, and the pixels: at least as many as a level has latents. */
export interface TwoLevels {
  readonly top: number;
  readonly low: number;
  readonly D: number;
  readonly V: number;
}

/** ln variance of the top, ln of the factor of the level below, and how far prior and decoder look at latents. */
export interface Strength {
  readonly spread: number;
  readonly factor: number;
  readonly reach: number;
}

function networks({ top, low, D, V }: TwoLevels, { spread, factor, reach }: Strength) {
  const part = (L: number) => `x.slice([0, 0], [-1, ${L}])`;
  const n = (top + low) * D * V;
  const encode = given(
    `(x) => ({ mu: ${part(top)}.mul(0.4).sub(0.6), logVar: ${part(top)}.mul(0.1).add(${spread}), shift: ${part(low)}.mul(-0.3).add(0.5), logScale: ${part(low)}.mul(0.05).add(${factor}) })`,
  );
  const prior = given(
    `(z) => { const s = z.sum(1, true).mul(${reach}); const k = tf.range(1, ${low + 1}); return { mu: s.mul(k.mul(0.3)).add(0.1), logVar: s.sub(0.7).mul(k.cos()) }; }`,
  );
  const decode = given(
    `(a, b) => tf.concat([a, b], 1).matMul(tf.range(1, ${n + 1}).sin().mul(${reach}).reshape([${top + low}, ${D * V}])).add(tf.range(0, ${D * V}).cos()).reshape([-1, ${D}, ${V}])`,
  );
  return { encode, prior, decode };
}

/** What these say in double precision, for an example whose draws are the means. */
function meansOf(x: Vector, { top, low, D, V }: TwoLevels, { spread, factor, reach }: Strength) {
  const each = (L: number, of: (v: number, l: number) => number) => Array.from({ length: L }, (_, l) => of(x[l]!, l));
  const z = each(top, (v) => 0.4 * v - 0.6);
  const s = reach * sum(z);
  const prior = Array.from({ length: low }, (_, l) => ({ mu: s * 0.3 * (l + 1) + 0.1, logVar: (s - 0.7) * Math.cos(l + 1) })); // prettier-ignore
  const shift = each(low, (v) => -0.3 * v + 0.5);
  const latents = [...z, ...prior.map(({ mu }, l) => mu + shift[l]!)];
  const logits = Array.from({ length: D }, (_, d) =>
    Array.from({ length: V }, (__, v) => {
      const at = d * V + v;
      return Math.cos(at) + sum(latents.map((value, l) => value * reach * Math.sin(l * D * V + at + 1)));
    }),
  );
  return {
    logits,
    top: each(top, (v, l) => between({ apart: z[l]!, p: 0, q: (0.1 * v + spread) / 2 })),
    low: each(low, (v, l) => rightOf(shift[l]!, 0.05 * v + factor, prior[l]!.logVar)),
    lowFromStandard: each(low, (v, l) => between({ apart: latents[top + l]!, p: 0, q: (prior[l]!.logVar + 0.05 * v + factor) / 2 })), // prettier-ignore
    lowUnscaled: each(low, (v, l) => between({ apart: shift[l]!, p: 0, q: (0.05 * v + factor) / 2 })),
  };
}

function mistakenLevels(worlds: readonly ReturnType<typeof meansOf>[]): readonly KnownMistake[] {
  const by = (hint: string, of: (w: ReturnType<typeof meansOf>) => readonly [number, number]): KnownMistake => ({
    hint,
    answer: () => matrixTensor(worlds.map(of)),
  });
  return [
    by('the columns: first the top, then the level below', (w) => [sum(w.low), sum(w.top)]),
    by('the prior’s scale is missing in the KL of the level below', (w) => [sum(w.top), sum(w.lowUnscaled)]),
    by('the level below has a prior of its own, which depends on z of the top: it is not N(0, I)', (w) => [sum(w.top), sum(w.lowFromStandard)]),
    by('the top costs, too: its KL from N(0, I) is left out', (w) => [0, sum(w.low)]),
    by('a sum over the latents of a level, not their mean', (w) => [meanOf(w.top), meanOf(w.low)]),
    by('the KL is at least 0: this is its negative', (w) => [-sum(w.top), -sum(w.low)]),
    by('level by level: the sum is for later', (w) => [sum(w.top) + sum(w.low), sum(w.top) + sum(w.low)]),
  ];
} // prettier-ignore

const reconstructionOf = (x: Vector, logits: Matrix) => sum(x.map((v, d) => logits[d]![v]! - logSumExp(logits[d]!)));

function mistakenReconstruction(x: Matrix, worlds: readonly ReturnType<typeof meansOf>[]): readonly KnownMistake[] {
  const by = (of: (row: Vector, logits: Matrix) => number) => () => tf.tensor1d(x.map((row, n) => of(row, worlds[n]!.logits))); // prettier-ignore
  const probabilities = (logits: Matrix) => logits.map((row) => row.map((v) => Math.exp(v - logSumExp(row))));
  const picked = (row: Vector, table: Matrix) => sum(row.map((v, d) => table[d]![v]!));
  return [
    { hint: 'the decoder gives logits: normalise them, as logCategorical does', answer: by(picked) },
    { hint: 'logits go through one softmax, and not through two', answer: by((row, t) => reconstructionOf(row, probabilities(t))) },
    { hint: 'ln p(x | z): the logarithms of the probabilities', answer: by((row, t) => picked(row, probabilities(t))) },
    { hint: 'a sum over the pixels, not their mean: the KLs are sums as well', answer: by((row, t) => reconstructionOf(row, t) / row.length) },
    { hint: 'ln p(x | z), and not its negative', answer: by((row, t) => -reconstructionOf(row, t)) },
  ];
} // prettier-ignore

/** With posteriors so narrow that a draw is a mean. */
export async function checkSureLevels(call: Call, rng: Rng, B: number, sizes: TwoLevels, strength: Strength): Promise<void> {
  const x = integers(rng, 'x', [B, sizes.D], sizes.V);
  const { encode, prior, decode } = networks(sizes, strength);
  const hint = strength.reach === 0 ? 'neither prior nor decoder looks at latents' : 'every draw is its mean';
  const got = expectFields(await call(x, encode, prior, decode, rng.fork('noise')), ['reconstruction', 'kl'], { hint });
  const rows = matrix(x);
  const worlds = rows.map((row) => meansOf(row, sizes, strength));
  const kl = expectTensor(got.kl, { what: 'the KL', shape: [B, 2], hint: 'one number an example and a level' });
  const reconstruction = expectTensor(got.reconstruction, { what: 'the reconstruction', shape: [B], hint: 'one number an example' });
  const wanted = tf.tensor1d(rows.map((row, n) => reconstructionOf(row, worlds[n]!.logits)));
  expectAnswer(reconstruction, wanted, { what: 'the reconstruction', rtol: 1e-4, atol: 2e-3, hint }, mistakenReconstruction(rows, worlds));
  if (strength.reach === 0) {
    const again = expectFields(await call(x, encode, prior, decode, rng.fork('other noise')), ['kl']);
    expectClose(again.kl, kl, { what: 'the KL with other noise', rtol: 1e-4, atol: 1e-3, hint: 'in closed form: ln q − ln p of a draw only estimates the KL' });
  }
  expectAnswer(kl, matrixTensor(worlds.map((w) => [sum(w.top), sum(w.low)])), { what: 'the KL', rtol: 1e-4, atol: 1e-3, hint: 'the top from N(0, I), the level below from its prior at the z that was drawn' }, mistakenLevels(worlds));
} // prettier-ignore

const COUNT = 4000;
const SLOPE = 0.5; // of the only logit

/** One latent a level: how much of both posteriors' ln variance is added, and how the prior below bends with the top. */
export interface DrawnWorld {
  readonly wider: number;
  readonly steep: number;
  readonly bend: number;
}

const encodeOne = ({ wider }: DrawnWorld) =>
  given(
    `(x) => ({ mu: x.mul(0.8).sub(0.5), logVar: x.mul(1.1).sub(1.4).add(${wider}), shift: x.mul(-0.7).add(0.3), logScale: x.mul(-0.9).add(0.2).add(${wider}) })`,
  );
const priorOne = ({ steep, bend }: DrawnWorld) =>
  given(`(z) => ({ mu: z.mul(${steep}).add(0.2), logVar: z.sin().mul(${bend}).sub(0.3) })`);
const seesOnly = (level: 0 | 1) =>
  given(`(top, low) => { const z = [top, low][${level}]; return tf.stack([z.mul(0), z.mul(${SLOPE})], 2); }`);

/** Two sorts of examples, by turns. */
const SORTS = Array.from({ length: COUNT }, (_, n) => (n % 3 === 0 ? 1 : 0));

/** One pixel that sees one level: back from its reconstruction to z of that level, and the KLs. */
const drawnLevel = (call: Call, rng: Rng, world: DrawnWorld, level: 0 | 1, x: Vector = SORTS) =>
  drawnBy(call, rng, [encodeOne(world), priorOne(world), seesOnly(level)], x);

/** @param nets encoder, prior and decoder, whose only logit is a share of what is asked for */
async function drawnBy(
  call: Call,
  rng: Rng,
  nets: readonly Given[],
  x: Vector,
): Promise<{ z: number[]; kl: number[][] }> {
  const events = tf.tensor2d([...x], [x.length, 1]);
  const got = expectFields(await call(events, ...nets, rng), ['reconstruction', 'kl']);
  const each = vector(expectTensor(got.reconstruction, { what: 'the reconstruction', shape: [x.length] }));
  const z = each.map((r, n) => ((x[n] === 1 ? -1 : 1) * Math.log(Math.expm1(Math.max(-r, 1e-9)))) / SLOPE);
  return { z, kl: matrix(expectTensor(got.kl, { what: 'the KL', shape: [x.length, 2] })) };
}

/** Of either sort: mean 0, variance 1, and nothing shared by examples one after the other. */
function expectStandard(noise: Vector, level: string, hint: string): void {
  for (const sort of [0, 1]) {
    const own = noise.filter((_, n) => SORTS[n] === sort);
    const what = `of (z − μ) / σ of ${level} where x = ${sort}`;
    expectWithin(meanOf(own), 0, 1 / Math.sqrt(own.length), `the mean ${what}`, hint);
    expectWithin(meanOf(own.map((e) => e * e)), 1, Math.sqrt(2 / own.length), `the mean square ${what}`, hint);
  }
  const lagged = meanOf(noise.slice(1).map((e, n) => e * noise[n]!));
  expectWithin(
    lagged,
    0,
    1 / Math.sqrt(COUNT - 1),
    `the mean product of two examples’ ε of ${level}`,
    'every example draws noise of its own',
  );
}

/** Two latents of one level, each with the posterior N(0, 1): as far apart as two draws are. */
async function checkOwnNoise(call: Call, rng: Rng, level: 0 | 1): Promise<void> {
  const nets = [
    '(x) => { const o = x.mul(0).tile([1, 2]); return { mu: o, logVar: o, shift: o, logScale: o }; }',
    '(z) => ({ mu: z.mul(0), logVar: z.mul(0) })',
    `(top, low) => { const [a, b] = tf.split([top, low][${level}], 2, 1); const d = a.sub(b); return tf.stack([d.mul(0), d.mul(${SLOPE})], 2); }`,
  ].map(given);
  const { z: apart } = await drawnBy(call, rng, nets, SORTS);
  const what = `the mean square of the difference of two latents of ${level === 0 ? 'the top' : 'the level below'}, each of variance 1,`;
  const hint = 'every latent draws noise of its own';
  expectWithin(meanOf(apart.map((d) => d * d)), 2, 2 * Math.sqrt(2 / COUNT), what, hint);
}

const noiseOfTop = (z: Vector, { wider }: DrawnWorld) =>
  z.map((value, n) => (value - (0.8 * SORTS[n]! - 0.5)) / Math.exp((1.1 * SORTS[n]! - 1.4 + wider) / 2));

export async function checkDrawnTop(call: Call, rng: Rng, world: DrawnWorld): Promise<void> {
  const { z } = await drawnLevel(call, rng.fork('noise'), world, 0);
  expectStandard(noiseOfTop(z, world), 'the top', 'z = μ + σ ε, with σ² = exp(logVar)');
  await checkOwnNoise(call, rng.fork('two'), 0);
}

/** z of both levels from the same noise: the one below is drawn around the prior at the z of the top that was drawn. */
export async function checkDrawnLow(call: Call, rng: Rng, world: DrawnWorld): Promise<void> {
  const top = await drawnLevel(call, rng.fork('noise'), world, 0);
  const again = await drawnLevel(call, rng.fork('noise'), world, 0);
  expectTrue(top.z.every((z, n) => z === again.z[n]), 'the same draws from the same rng', 'others', 'take all randomness from rng');
  const low = await drawnLevel(call, rng.fork('noise'), world, 1);
  const { wider, steep, bend } = world;
  const priorLogVar = top.z.map((z) => bend * Math.sin(z) - 0.3);
  const factor = SORTS.map((x) => 0.2 - 0.9 * x + wider);
  const noise = low.z.map((z, n) => (z - steep * top.z[n]! - 0.2 - (0.3 - 0.7 * SORTS[n]!)) / Math.exp((priorLogVar[n]! + factor[n]!) / 2));
  expectStandard(noise, 'the level below', 'its mean is the prior’s, at the z of the top that was drawn, plus shift; its variance the prior’s times exp(logScale)');
  const product = meanOf(noiseOfTop(top.z, world).map((e, n) => e * noise[n]!));
  expectWithin(product, 0, 1 / Math.sqrt(COUNT), 'the mean product of the two levels’ ε', 'every level draws noise of its own');
  const wanted = SORTS.map((x, n) => rightOf(0.3 - 0.7 * x, factor[n]!, priorLogVar[n]!));
  expectClose(tf.tensor1d(low.kl.map(([, k]) => k!)), tf.tensor1d(wanted), { what: 'the KL of the level below', rtol: 1e-2, atol: 1e-2, hint: 'from the prior at the z of the top that was drawn' });
  await checkOwnNoise(call, rng.fork('two'), 1);
} // prettier-ignore

const WORLD: DrawnWorld = { wider: 0, steep: 1.5, bend: 0.8 };

export const terms: Exercise = {
  id: 'hierarchy.terms',
  chapter,
  functionName: 'hierarchyTerms',
  title: 'two levels, from the top down',
  points: 3,
  library: ['dgm.topDown'],
  hints: [
    'In which order are the latents drawn? What has to be known before the level below can be drawn, and from where does that come: from the posterior’s mean, or from its draw?',
    'Draw z of the top from N(mu, exp logVar). Ask the prior network at that draw. Add shift to the mean it says, and logScale to its logarithm of the variance: draw the level below from that.',
    'The KL of the top is that from N(0, I), the other one is your residualKl with the prior’s logVar; tf.stack puts both into [B, 2].',
  ],
  checks: [
    {
      name: 'one latent a level, networks that look at none of them',
      sameForAll: true,
      run: ({ call, rng }) => checkSureLevels(call, rng, 2, { top: 1, low: 1, D: 1, V: 2 }, { spread: -0.8, factor: 0.3, reach: 0 }),
    },
    {
      name: 'posteriors so narrow that every draw is its mean',
      sameForAll: true,
      async run({ call, rng }) {
        await checkSureLevels(call, rng.fork('small'), 2, { top: 1, low: 1, D: 2, V: 2 }, { spread: -38, factor: -38, reach: 0.6 });
        await checkSureLevels(call, rng.fork('larger'), 3, { top: 2, low: 3, D: 4, V: 3 }, { spread: -38, factor: -38, reach: 0.6 });
      },
    },
    {
      name: 'draws of the top: its mean and its variance',
      sameForAll: true,
      run: ({ call, rng }) => checkDrawnTop(call, rng, WORLD),
    },
    {
      name: 'draws of the level below: around the prior at the z that was drawn',
      sameForAll: true,
      run: ({ call, rng }) => checkDrawnLow(call, rng, WORLD),
    },
    {
      name: 'the same rng gives the same draws, another one gives others',
      law: true,
      sameForAll: true,
      async run({ call, rng }) {
        const x = Array.from({ length: 8 }, (_, n) => n % 2);
        const first = await drawnLevel(call, rng.fork('one'), WORLD, 1, x);
        const again = await drawnLevel(call, rng.fork('one'), WORLD, 1, x);
        const other = await drawnLevel(call, rng.fork('two'), WORLD, 1, x);
        expectTrue(first.z.every((z, n) => z === again.z[n]), 'the same draws from the same rng', 'others', 'take all randomness from rng');
        expectTrue(first.z.some((z, n) => z !== other.z[n]), 'other draws from another rng', 'the same ones', 'take all randomness from rng');
      },
    },
  ],
}; // prettier-ignore
