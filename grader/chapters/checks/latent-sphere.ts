/**
 * Chapter 8: the von Mises–Fisher distribution. Its cosine with the mean has the density e^(κ w) (1 − w²)^((L − 3)/2),
 * which the references integrate over the angle; across, all directions are alike.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectTensor, expectTrue } from '../../exercise/compare';
import { Mismatch, type Exercise, type Value } from '../../exercise/exercise';
import { expectWithin, matrix, meanOf, normal, type Matrix, type Vector } from './common';

const chapter = '08-latent-variables';

type Call = (...args: Value[]) => Promise<Value>;

const COUNT = 4000;

interface Cosines {
  readonly mean: number;
  readonly variance: number;
  /** Standard errors of the mean and of the variance of COUNT draws. */
  readonly ofMean: number;
  readonly ofVariance: number;
}

/** Moments of cos t for t with density e^(κ cos t) sin(t)^power, by the midpoint rule. */
function cosinesOf(kappa: number, power: number): Cosines {
  const cells = 20_000;
  const cosines = Array.from({ length: cells }, (_, i) => Math.cos(((i + 0.5) * Math.PI) / cells));
  const weights = cosines.map((w) => Math.exp(kappa * (w - 1)) * (1 - w * w) ** (power / 2));
  const total = weights.reduce((a, b) => a + b, 0);
  const moment = (of: (w: number) => number) => cosines.reduce((sum, w, i) => sum + weights[i]! * of(w), 0) / total;
  const mean = moment((w) => w);
  const variance = moment((w) => (w - mean) ** 2);
  const fourth = moment((w) => (w - mean) ** 4);
  return {
    mean,
    variance,
    ofMean: Math.sqrt(variance / COUNT),
    ofVariance: Math.sqrt((fourth - variance ** 2) / COUNT),
  };
}

/** How large the mean resultant is, in L dimensions. */
const ofDimension = (kappa: number, L: number) => cosinesOf(kappa, L - 2);

export function direction(rng: Rng, L: number): number[] {
  const row = matrix(normal(rng, 'direction', [1, L]))[0]!;
  const size = Math.hypot(...row);
  return row.map((v) => v / size);
}

const dot = (a: Vector, b: Vector) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

export async function drawn(call: Call, rng: Rng, mu: Vector, kappa: number, count = COUNT): Promise<Matrix> {
  const where = `L = ${mu.length}, κ = ${kappa}`;
  const got = await call(tf.tensor1d([...mu]), kappa, count, rng);
  const rows = matrix(expectTensor(got, { what: `the draws, ${where}`, shape: [count, mu.length] }));
  const off = rows.findIndex((row) => Math.abs(dot(row, row) - 1) > 1e-3);
  const length = Math.sqrt(dot(rows[off] ?? [1], rows[off] ?? [1]));
  expectTrue(off < 0, `unit vectors, ${where}`, `one of length ${length.toFixed(3)}`, 'z = cos t · mu + sin t · v has length 1 if v is a unit vector, and orthogonal to mu'); // prettier-ignore
  return rows;
}

/** The cosine with mu has its mean and its variance. */
export function expectCosines(rows: Matrix, mu: Vector, kappa: number): void {
  const L = mu.length;
  const cosines = rows.map((row) => dot(row, mu));
  const wanted = ofDimension(kappa, L);
  const got = meanOf(cosines);
  const what = `the mean of mu·z, L = ${L}, κ = ${kappa},`;
  if (Math.abs(got - wanted.mean) > 6 * wanted.ofMean) {
    const near = ({ mean, ofMean }: Cosines) => Math.abs(got - mean) <= 6 * ofMean;
    const mistaken = [
      ['the density grows with mu·z: κ has the wrong sign', ofDimension(-kappa, L)],
      ['that is the sampler of three dimensions: in L dimensions the angle has sin(t)^(L − 2) of room', ofDimension(kappa, 3)],
      ['the room at angle t is sin(t)^(L − 2): yours is that of one dimension more', cosinesOf(kappa, L - 1)],
      ['the room at angle t is sin(t)^(L − 2): L − 3 belongs to the density of the cosine, where dw = sin t dt', cosinesOf(kappa, L - 3 || 1e-9)],
      ['the room at angle t, sin(t)^(L − 2), is missing', cosinesOf(kappa, 0)],
      ['that is uniform on the sphere: κ does nothing', ofDimension(0, L)],
      ['κ counts twice', ofDimension(2 * kappa, L)],
      ['κ counts half', ofDimension(kappa / 2, L)],
    ] as const; // prettier-ignore
    const made = mistaken.find(([, cosinesThere]) => near(cosinesThere));
    const hint = made?.[0] ?? 'the density of the angle t is exp(κ cos t) sin(t)^(L − 2), up to a constant';
    throw new Mismatch(`${what} to be ${wanted.mean.toFixed(4)} ± ${(6 * wanted.ofMean).toFixed(4)}`, got.toFixed(4), hint); // prettier-ignore
  }
  const variance = meanOf(cosines.map((w) => (w - wanted.mean) ** 2));
  expectWithin(variance, wanted.variance, wanted.ofVariance, `the variance of mu·z, L = ${L}, κ = ${kappa},`, 'the angle is drawn, one for each z'); // prettier-ignore
  const next = meanOf(cosines.slice(1).map((w, n) => (w - wanted.mean) * (cosines[n]! - wanted.mean)));
  expectWithin(next / wanted.variance, 0, 1 / Math.sqrt(COUNT - 1), `the correlation of mu·z with that of the draw before, L = ${L}, κ = ${kappa},`, 'every draw has an angle of its own, whatever the ones before are'); // prettier-ignore
}

/** Across, every direction is as likely as any other: unit vectors v have mean 0 and E v vᵀ = (I − mu muᵀ) / (L − 1). */
export function expectAcross(rows: Matrix, mu: Vector): void {
  const L = mu.length;
  const across = rows.map((row) => {
    const along = dot(row, mu);
    const rest = row.map((v, d) => v - along * mu[d]!);
    const size = Math.hypot(...rest);
    return rest.map((v) => v / size);
  });
  const hint = 'across mu all directions are alike: normal noise without its part along mu, to length 1';
  mu.forEach((m, d) => {
    const each = across.map((v) => v[d]!);
    const share = (1 - m * m) / (L - 1);
    const error = Math.sqrt(share / COUNT);
    expectWithin(meanOf(each), 0, error, `the mean of coordinate ${d} of the direction across, L = ${L},`, hint);
    const squares = each.map((v) => v * v);
    const spread = Math.sqrt(meanOf(squares.map((v) => (v - share) ** 2)) / COUNT) + 1e-4;
    expectWithin(meanOf(squares), share, spread, `the mean square of coordinate ${d} of the direction across, L = ${L},`, hint); // prettier-ignore
  });
  const next = meanOf(across.slice(1).map((v, n) => dot(v, across[n]!)));
  expectWithin(next, 0, 1 / Math.sqrt((L - 1) * (COUNT - 1)), 'the cosine of a direction across with the one before', 'every draw has a direction of its own'); // prettier-ignore
}

export const sphere: Exercise = {
  id: 'vae.sphere',
  chapter,
  functionName: 'drawAround',
  title: 'design: draws on a sphere',
  points: 3,
  hints: [
    'How large is the circle of all points at the angle t from mu, on a sphere of three dimensions? In L dimensions? How likely is then an angle?',
    'The angle has the density exp(κ cos t) sin(t)^(L − 2), up to a constant: draw it by its distribution function on a fine grid, or by rejection. Then z = cos t · mu + sin t · v, with v a unit vector across mu.',
    'Sum the density over some thousand cells of [0, π]. For a uniform u find the cell where the sum passes u times the whole, and go into it by the rest. For v take normal noise, subtract its part along mu, and divide each row by its length.',
  ],
  checks: [
    {
      name: 'unit vectors, at the right angle from mu on a sphere of three dimensions',
      sameForAll: true,
      async run({ call, rng }) {
        const mu = [0, 0.6, 0.8];
        expectCosines(await drawn(call, rng.fork('draws'), mu, 2), mu, 2);
      },
    },
    {
      name: 'on the circle, and in eight dimensions',
      sameForAll: true,
      async run({ call, rng }) {
        for (const [L, kappa] of [[2, 1.5], [8, 6]] as const) {
          const mu = direction(rng.fork(`${L}`), L);
          expectCosines(await drawn(call, rng.fork(`draws ${L}`), mu, kappa), mu, kappa);
        }
      },
    },
    {
      name: 'across mu, all directions are alike',
      sameForAll: true,
      async run({ call, rng }) {
        for (const L of [3, 5]) {
          const mu = direction(rng.fork(`${L}`), L);
          expectAcross(await drawn(call, rng.fork(`draws ${L}`), mu, 3), mu);
        }
      },
    },
    {
      name: 'κ = 0: uniform on the sphere',
      sameForAll: true,
      async run({ call, rng }) {
        const mu = [0.6, -0.8, 0, 0];
        const rows = await drawn(call, rng.fork('draws'), mu, 0);
        expectCosines(rows, mu, 0);
        expectAcross(rows, mu);
      },
    },
  ],
}; // prettier-ignore
