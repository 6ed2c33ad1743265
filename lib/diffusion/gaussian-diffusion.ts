/**
 * Diffusion of integers by Gaussian noise, whatever the network: the bound's three terms, importance weights by paths,
 * and p(x) by quadrature where x is a pair.
 *
 * Sources: Kingma et al., Variational diffusion models (2021), equations 11 to 18.
 */
import * as tf from '@tensorflow/tfjs';
import { klNormal, logCategorical, LOG_2PI } from '../core/distributions';
import type { Rng } from '../core/model';
import { expectShape } from '../core/tensor';
import { compiled, loop, type Body } from '../sampling/sampler';
import { alphaOf, diffuse, reverseStep, sigmaOf } from './gaussian-noise';
import type { NoiseSchedule } from './noise-schedules';
import type { WeightedTimes } from './times';

/** What is said of x where z is seen. */
export interface Guess {
  /** x̂: [B, D], in [−1, 1] */
  readonly x: tf.Tensor;
  /** Of every value of x_d, at this γ: [B, D, V] */
  readonly logits: tf.Tensor;
}

export interface Denoiser {
  readonly variables: readonly tf.Variable[];
  /** @param z [B, D] @param gamma [B] @param y int32 [B] of 0 … C, where there are C classes; C is any */
  apply(z: tf.Tensor, gamma: tf.Tensor, y?: tf.Tensor, noise?: Rng): Guess;
}

/** A process and the network that turns it around. */
export interface GaussianDiffusion {
  readonly D: number;
  /** Each coordinate is an integer in 0 … values − 1, which the process sees scaled to [−1, 1]. */
  readonly values: number;
  readonly schedule: NoiseSchedule;
  readonly network: Denoiser;
}

/** Integers 0 … V − 1, evenly onto [−1, 1]. */
export const scaledValues = (x: tf.Tensor, values: number): tf.Tensor =>
  tf.tidy(() =>
    x
      .toFloat()
      .mul(2 / (values - 1))
      .sub(1),
  );

// The bound

/** What the negative bound is made of, in nats, [B] each. */
export interface DiffusionTerms extends tf.TensorContainerObject {
  /** −ln p(x | z_0) */
  readonly reconstruction: tf.Tensor;
  /** KL[q(z_1 | x) ‖ N(0, I)] */
  readonly prior: tf.Tensor;
  /** The steps between, by one of the times. */
  readonly diffusion: tf.Tensor;
}

export interface DrawnTerms extends DiffusionTerms {
  /** The diffusion term before the weight of its time. */
  readonly unweighted: tf.Tensor;
  /** ‖ε − ε̂‖² */
  readonly squares: tf.Tensor;
}

export interface Drawn {
  readonly rng: Rng;
  readonly times: WeightedTimes;
  /** T; 0: without end. */
  readonly steps: number;
  readonly y?: tf.Tensor;
  /** For what is random in training alone. */
  readonly dropout?: Rng;
}

/**
 * The terms of every row of x [B, D], integers, at one time each. Of T steps, the one from t to s = t − 1/T costs
 * ½ (SNR(s) − SNR(t)) ‖x − x̂‖², the KL between two Gaussians of one variance; T times that of a random one is the sum.
 * Without end: ½ γ'(t) SNR(t) ‖x − x̂‖².
 */
export function boundTerms(
  { D, values, schedule, network }: GaussianDiffusion,
  x: tf.Tensor,
  drawn: Drawn,
): DrawnTerms {
  const { rng, times, steps: T, y, dropout } = drawn;
  const B = x.shape[0]!;
  const rows = scaledValues(x, values);
  const t = T === 0 ? times.t : times.t.mul(T).floor().minimum(T - 1).add(1).div(T); // prettier-ignore
  const gamma = schedule.gamma(t);
  const [end, begin] = [schedule.gamma(tf.zeros([B])), schedule.gamma(tf.ones([B]))];
  // one pass for both: rows at t, then the same rows at 0
  const levels = tf.concat([gamma, end]);
  const z = diffuse(tf.tile(rows, [2, 1]), levels, rng.fork('noise').normal([2 * B, D]));
  const guess = network.apply(z, levels, y && tf.tile(y, [2]), dropout);
  const squares = rows.sub(guess.x.slice([0, 0], [B, D])).square().sum(1).mul(gamma.neg().exp()); // prettier-ignore
  const charge = T === 0 ? schedule.slope(t) : gamma.sub(schedule.gamma(t.sub(1 / T).maximum(0))).expm1().mul(T); // prettier-ignore
  const unweighted = squares.mul(charge).mul(0.5);
  const mu = alphaOf(begin).mul(rows);
  return {
    reconstruction: logCategorical(x, guess.logits.slice([B, 0, 0], [B, D, values])).neg(),
    prior: klNormal(mu, sigmaOf(begin).square().log().add(tf.zerosLike(mu))),
    diffusion: unweighted.mul(times.weight),
    unweighted,
    squares,
  };
}

// Paths

/**
 * ln w of paths z_1, …, z_0 drawn from q(· | x), with E w = p(x) of the sampler in T steps: the ratios of p to q of all
 * steps, whose mean logarithm is the bound of T steps.
 * @param x [B, D], integers @returns [draws, B]
 */
export function pathWeights(model: GaussianDiffusion) {
  const { D, values, schedule, network } = model;
  const at = (i: tf.Tensor, steps: tf.Tensor, B: number) => schedule.gamma(tf.sub(1, i.toFloat().div(steps)).maximum(0).mul(tf.ones([B]))); // prettier-ignore
  const advance: Body = ([z, logWeight], i, rng, [rows, steps, ...y]) => {
    const B = z!.shape[0]!;
    const [from, to] = [at(i, steps!, B), at(i.add(1), steps!, B)];
    const truth = reverseStep(z!, rows!, from, to);
    const guess = reverseStep(z!, network.apply(z!, from, y[0]).x, from, to);
    const noise = rng.normal([B, D]);
    const next = truth.mean.add(truth.variance.sqrt().mul(noise));
    // ln N(next; guess) − ln N(next; truth), both of one variance
    const apart = next.sub(guess.mean).square().div(truth.variance).sub(noise.square());
    return [next, logWeight!.sub(apart.sum(1).mul(0.5))];
  };
  const run = loop(advance);
  const lastDecoder = compiled(([all, z, gamma, ...y]) => [
    logCategorical(all!, network.apply(z!, gamma!, y[0]).logits),
  ]);
  return (x: tf.Tensor, draws: number, rng: Rng, { steps, y }: PathOptions): tf.Tensor =>
    tf.tidy(() => {
      const all = tf.tile(x, [draws, 1]);
      const B = all.shape[0]!;
      const rows = scaledValues(all, values);
      const [begin, end] = [schedule.gamma(tf.ones([B])), schedule.gamma(tf.zeros([B]))];
      const noise = rng.fork('start').normal([B, D]);
      const z = diffuse(rows, begin, noise);
      const start = noise.square().sub(z.square()).mul(0.5).add(sigmaOf(begin).log()).sum(1); // ln p(z_1) − ln q(z_1 | x)
      const told = y ? [tf.tile(y, [draws])] : [];
      const [last, logWeight] = run([z, start], steps, rng.fork('path'), [rows, tf.scalar(steps), ...told]);
      const [seen] = lastDecoder([all, last!, end, ...told], rng.fork('last')); // which draws nothing
      return logWeight!.add(seen!).reshape([draws, -1]);
    });
}

export interface PathOptions {
  /** T */
  readonly steps: number;
  /** Labels [B], for p(x | y). */
  readonly y?: tf.Tensor;
}

// Truth

export interface PlaneGrid {
  /** Numbers to each side, evenly from −reach to reach. */
  readonly points: number;
  readonly reach: number;
}

/**
 * ln p(x) of the sampler in T steps, for pairs: the density of (z_1, …, z_0) is carried down a grid over the plane,
 * p(z_s) = ∫ p(z_s | z_t) p(z_t) dz_t. The step between grid points must be below every step's standard deviation.
 * @param x [B, 2] @returns [B] @throws where the grid does not hold all of the mass
 */
export function exactPairs(
  { values, schedule, network }: GaussianDiffusion,
  x: tf.Tensor,
  steps: number,
  { points, reach }: PlaneGrid = { points: 61, reach: 5 },
): tf.Tensor {
  return tf.tidy(() => {
    expectShape('exactPairs: x', x, ['B', 2]);
    const cell = (2 * reach) / (points - 1);
    const line = tf.linspace(-reach, reach, points);
    const places = tf.stack([line.expandDims(1), line.expandDims(0)].map((half) => half.mul(tf.ones([points, points]))), 2); // prettier-ignore
    const z = places.reshape([-1, 2]); // [P, 2], the first coordinate changing slowest
    const all = (t: number) => schedule.gamma(tf.fill([points * points], t));
    let mass: tf.Tensor = z.square().sum(1).mul(-0.5).sub(LOG_2PI).exp().mul(cell ** 2); // prettier-ignore
    for (let i = 0; i < steps; i++) {
      const [from, to] = [all(1 - i / steps), all(1 - (i + 1) / steps)];
      const { mean, variance } = reverseStep(z, network.apply(z, from).x, from, to);
      const [first, second] = [0, 1].map((d) => {
        const away = line
          .expandDims(0)
          .sub(mean.slice([0, d], [-1, 1]))
          .square()
          .div(variance)
          .mul(-0.5); // [P, points]
        return away.exp().mul(variance.mul(2 * Math.PI).rsqrt()).mul(cell); // prettier-ignore
      });
      mass = first!.mul(mass.expandDims(1)).matMul(second!, true).reshape([-1]);
    }
    const lost = 1 - mass.sum().dataSync()[0]!;
    if (Math.abs(lost) > 1e-3)
      throw new Error(`exactPairs: the grid holds ${(1 - lost).toFixed(4)} of the mass; give it a longer reach, or more points`); // prettier-ignore
    const table = tf.softmax(network.apply(z, all(0)).logits); // [P, 2, V]
    const [first, second] = [0, 1].map((d) => table.slice([0, d, 0], [-1, 1, values]).squeeze([1]));
    const p = first!.mul(mass.expandDims(1)).matMul(second!, true).reshape([-1]); // [V²]
    return tf.gather(p, x.slice([0, 0], [-1, 1]).mul(values).add(x.slice([0, 1], [-1, 1])).squeeze([1]).toInt()).log(); // prettier-ignore
  });
}
