/** Chapter 15: samples counted by the modes that they should have reached. */
import type { Rng } from 'dgm';
import { expectFields, expectNumber } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, normal, type Matrix, type Vector } from './common';

const chapter = '15-gan';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);
const distance = (a: Vector, b: Vector) => Math.hypot(...a.map((v, d) => v - b[d]!));

export interface Scene {
  readonly samples: Matrix;
  readonly modes: Matrix;
  readonly radius: number;
}

/** Samples around modes, so many of each, and some far from all. */
export function sceneOf(rng: Rng, modes: Matrix, counts: Vector, radius: number, lost = 4): Scene {
  const around = modes.flatMap((mode, k) => matrix(normal(rng, `mode ${k}`, [counts[k]! + 1, mode.length], radius / 2)).slice(1).map((row) => row.map((v, d) => v + mode[d]!))); // prettier-ignore
  const far = matrix(normal(rng, 'far', [lost, modes[0]!.length], 0.1)).map((row) => row.map((v) => v + 3 * radius));
  return { samples: [...around, ...far], modes, radius };
}

const FIELDS = ['covered', 'highQuality', 'kl'] as const;
type Measures = Record<(typeof FIELDS)[number], number>;

/** How many samples have each mode as their nearest, within the radius, or anywhere. */
function counted({ samples, modes, radius }: Scene, within = radius): number[] {
  const counts = modes.map(() => 0);
  for (const sample of samples) {
    const distances = modes.map((mode) => distance(sample, mode));
    const nearest = distances.indexOf(Math.min(...distances));
    if (distances[nearest]! <= within) counts[nearest]!++;
  }
  return counts;
}

const evenness = (counts: Vector) => {
  const total = sum(counts);
  if (total === 0) return Infinity;
  return sum(counts.map((n) => (n === 0 ? 0 : (n / total) * Math.log((n / total) * counts.length))));
};

function measure(scene: Scene): Measures {
  const { samples, modes } = scene;
  const counts = counted(scene);
  const due = samples.length / modes.length;
  return {
    covered: counts.filter((n) => n >= 0.1 * due).length,
    highQuality: sum(counts) / samples.length,
    kl: evenness(counts),
  };
}

function mistaken(scene: Scene): Record<keyof Measures, readonly (readonly [hint: string, value: number])[]> {
  const { samples, modes, radius } = scene;
  const [near, every] = [counted(scene), counted(scene, Infinity)];
  const due = samples.length / modes.length;
  const right = measure(scene);
  const total = sum(near);
  const byFirst = modes.map((_, k) => samples.filter((x) => modes.findIndex((mode) => distance(x, mode) <= radius) === k).length);
  const notFirst = 'a sample belongs to the nearest mode, not to the first that is near enough';
  return {
    covered: [
      [notFirst, byFirst.filter((n) => n >= 0.1 * due).length],
      ['a stray sample is no covered mode: a tenth of what is due to it', near.filter((n) => n > 0).length],
      ['only samples within the radius count for a mode', every.filter((n) => n >= 0.1 * due).length],
      ['a tenth of N / K, what is due to a mode: not all of it, nor a tenth of all', near.filter((n) => n >= due).length],
      ['a number of modes, not a share of them', right.covered / modes.length],
      ['due to a mode is its part of all samples, N / K, also of those that reached none', near.filter((n) => n >= (0.1 * total) / modes.length).length],
    ],
    highQuality: [
      ['where modes are near each other a sample still belongs to one of them, the nearest', sum(modes.map((mode) => samples.filter((x) => distance(x, mode) <= radius).length)) / samples.length],
      ['distances as the crow flies: the root of the sum of squares', samples.filter((x) => modes.some((mode) => sum(mode.map((v, d) => Math.abs(v - x[d]!))) <= radius)).length / samples.length],
      ['a share of the samples, not their number', total],
      ['those that are of no quality, not those that are', 1 - right.highQuality],
      ['within the radius of any mode, not of the first', samples.filter((x) => distance(x, modes[0]!) <= radius).length / samples.length],
      ['a distance is to be compared with the radius, not its square', samples.filter((x) => modes.some((mode) => distance(x, mode) ** 2 <= radius)).length / samples.length],
    ],
    kl: [
      [notFirst, evenness(byFirst)],
      ['shares of those that belong to a mode, which add up to 1', sum(near.map((n) => (n === 0 ? 0 : (n / samples.length) * Math.log((n / samples.length) * modes.length))))],
      ['shares of the samples near a mode: of those that reached none nobody can say whose they are', evenness(every)],
      ['the other way round: KL(shares ‖ even)', total === 0 || near.includes(0) ? Infinity : -sum(near.map((n) => Math.log((n / total) * modes.length))) / modes.length],
      ['that is the entropy of the shares; how far they are from even is ln K less that', Math.log(modes.length) - right.kl],
      ['the even share is 1 / K: the K in the logarithm is missing', right.kl - Math.log(modes.length)],
      ['a divergence is not below 0', -right.kl],
      ['in nats, not in bits', right.kl / Math.LN2],
    ],
  };
} // prettier-ignore

export async function checkCoverage(call: Call, scene: Scene): Promise<void> {
  const { samples, modes, radius } = scene;
  const hint = 'each sample to its nearest mode, if that is within the radius; then count';
  const copied = (rows: Matrix) => rows.map((row) => [...row]);
  const got = expectFields(await call(copied(samples), copied(modes), radius), FIELDS, { hint });
  const wanted = measure(scene);
  for (const field of FIELDS) {
    const what = `${field} of ${samples.length} samples and ${modes.length} modes`;
    const value = got[field];
    const zero = 'a share of 0 adds nothing, 0 ln 0 = 0; and with no sample near any mode the KL is Infinity';
    if (value !== Infinity) expectNumber(value, { what, hint: zero });
    const mistakes = mistaken(scene)[field].map(([told, wrong]): KnownMistake => ({ hint: told, answer: () => wrong }));
    expectAnswer(value, wanted[field], { what, rtol: 1e-5, atol: 1e-7, hint }, mistakes);
  }
}

const CORNERS: Matrix = [[0, 0], [4, 0], [0, 4], [4, 4]]; // prettier-ignore

export const coverage: Exercise = {
  id: 'gan.coverage',
  chapter,
  functionName: 'coverage',
  title: 'three numbers that a collapsed generator cannot all have',
  points: 3,
  library: ['dgm.modeCoverage'],
  hints: [
    'Which samples belong to a mode, and to which? And what must not be forgotten when one mode has none?',
    'Give each sample to its nearest mode, unless that is farther than the radius. From the counts come all three: how many are at least 0.1 N / K; their sum over N; and the KL of the counts, divided by their sum, from 1 / K.',
    'kl = Σ s_k ln(K s_k) over the modes with s_k > 0, with s_k = count_k / Σ counts; Infinity where all counts are 0.',
  ],
  checks: [
    {
      name: 'by hand',
      async run({ call }) {
        await checkCoverage(call, { samples: [[0, 0], [0.5, 0], [0, 0.9], [4, 0.3], [2, 2]], modes: CORNERS, radius: 1 });
        await checkCoverage(call, { samples: [[2.5, 0], [1, 0.5], [3.2, 3], [0, 2.4], [3, 0.2]], modes: CORNERS, radius: 3 });
      },
    },
    {
      name: 'modes with many samples, with few and with none',
      sameForAll: true,
      run: ({ call, rng }) => checkCoverage(call, sceneOf(rng, CORNERS, [60, 5, 2, 0], 0.8, 30)),
    },
    {
      name: 'samples that reach no mode',
      run: ({ call }) => checkCoverage(call, { samples: [[2, 2], [1.5, 2]], modes: CORNERS, radius: 0.5 }),
    },
  ],
}; // prettier-ignore
