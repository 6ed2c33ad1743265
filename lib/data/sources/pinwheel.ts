/** A pinwheel in the plane, lifted into more dimensions: data that lie near a plane, and of known entropy. */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../../core/counts';
import { LOG_2PI } from '../../core/distributions';
import { createRng } from '../../core/random';
import { logSumExp } from '../../core/tensor';
import { drawIndices, source, type Source } from './source';

export interface PinwheelOptions {
  /** Default: 5 */
  readonly arms?: number;
  /** D ≥ 2. Default: 16 */
  readonly dimensions?: number;
  /** σ of the noise in every dimension. Default: 0.1 */
  readonly noise?: number;
}

export interface PinwheelSource extends Source {
  /** The nearest point of the plane: x [B, D] → y [B, 2] */
  plane(x: tf.Tensor): tf.Tensor;
  /** ln p(y) of such points, noise and all: y [B, 2] → [B] */
  logPlane(y: tf.Tensor): tf.Tensor;
}

/** A Gaussian of the plane: its mean, how long it is along a direction and across it, and its weight. */
interface Patch {
  readonly weight: number;
  readonly mean: readonly [number, number];
  readonly along: readonly [number, number];
  readonly lengths: readonly [number, number];
}

/**
 * x = Q y + σ ε with orthonormal columns Q [D, 2]. The arms of y are chains of Gaussians, so that Qᵀx is a mixture of
 * Gaussians whose density is known, and the other D − 2 directions are noise:
 *   ln p(x) = ln p(Qᵀx) + Σ ln N(rest; 0, σ²).
 * The entropy is that of the plane, by quadrature, and D − 2 times ½ ln 2πeσ².
 */
export function pinwheelSource({ arms = 5, dimensions: D = 16, noise = 0.1 }: PinwheelOptions = {}): PinwheelSource {
  requireCounts('pinwheelSource', { arms, dimensions: D });
  if (D < 2) throw new Error(`pinwheelSource: dimensions must be ≥ 2, got ${D}`);
  if (!(noise > 0)) throw new Error(`pinwheelSource: noise must be > 0, got ${noise}`);
  const patches = pinwheel(arms);
  const columns = frame(D);
  const Q = () => tf.tensor2d(columns); // [D, 2]
  const mixture = densityOf(patches, noise);
  const plane = (x: tf.Tensor) => tf.tidy(() => x.matMul(Q()));
  const logPlane = (y: tf.Tensor) => tf.tidy(() => mixture(y));
  const reach = Math.max(6, FARTHEST + 7 * noise);
  const restNats = 0.5 * (LOG_2PI + 2 * Math.log(noise)) * (D - 2);
  return {
    ...source({
      name: 'pinwheel',
      eventShape: [D],
      support: { kind: 'continuous', low: -reach, high: reach },
      entropy: planeEntropy(logPlane, reach) + restNats + (D - 2) / 2,
      logProb(x) {
        const y = x.matMul(Q());
        const rest = x.square().sum(1).sub(y.square().sum(1)); // what of ‖x‖² is not in the plane
        return mixture(y).sub(rest.div(2 * noise ** 2)).sub(restNats); // prettier-ignore
      },
      sample: (count, rng) =>
        tf.tidy(() => {
          const k = drawIndices(patches.map(({ weight }) => weight), count, rng.fork('patch')); // prettier-ignore
          const of = (pick: (patch: Patch) => readonly [number, number]) => tf.tensor2d(k.map((i) => [...pick(patches[i]!)])); // prettier-ignore
          const [a, b] = tf.split(rng.fork('y').normal([count, 2]).mul(of(({ lengths }) => lengths)), 2, 1) as [tf.Tensor, tf.Tensor]; // prettier-ignore
          const y = of(({ mean }) => mean)
            .add(a.mul(of(({ along }) => along)))
            .add(b.mul(of(({ along: [c, s] }) => [-s, c])));
          return rng
            .fork('noise')
            .normal([count, D])
            .mul(noise)
            .add(y.matMul(Q(), false, true));
        }),
    }),
    plane,
    logPlane,
  };
}

/** Arms that leave the middle and bend, thicker in between than at their ends. */
function pinwheel(arms: number): Patch[] {
  const at = (arm: number, r: number): [number, number] => {
    const angle = (2 * Math.PI * arm) / arms + TURN * Math.exp(r);
    return [SIZE * r * Math.cos(angle), SIZE * r * Math.sin(angle)];
  };
  return Array.from({ length: arms * LINKS }, (_, i) => {
    const [arm, link] = [Math.floor(i / LINKS), i % LINKS];
    const t = (4 * (link + 0.5)) / LINKS - 2; // −2 … 2
    const [before, after] = [-1, 1].map((side) => at(arm, 1 + SPREAD * (t + (side * 2) / LINKS))) as [[number, number], [number, number]];
    const step: [number, number] = [after[0] - before[0], after[1] - before[1]];
    const length = Math.hypot(...step);
    return {
      weight: Math.exp((-t * t) / 2),
      mean: at(arm, 1 + SPREAD * t),
      along: [step[0] / length, step[1] / length],
      lengths: [0.6 * length, THICKNESS],
    };
  });
} // prettier-ignore

const [SIZE, SPREAD, TURN, THICKNESS, LINKS] = [2, 0.3, 0.25, 0.08, 9];
const FARTHEST = 3.5; // of an arm from the middle

/** Two orthonormal columns in D dimensions, [D][2], always the same. */
function frame(D: number): number[][] {
  const drawn = tf.tidy(() => createRng('pinwheel').normal([2, D]).arraySync()) as number[][];
  const unit = (v: readonly number[]) => v.map((value) => value / Math.hypot(...v));
  const a = unit(drawn[0]!);
  const share = drawn[1]!.reduce((sum, value, d) => sum + value * a[d]!, 0);
  const b = unit(drawn[1]!.map((value, d) => value - share * a[d]!));
  return a.map((value, d) => [value, b[d]!]);
}

/** ln Σ_k weight_k N(y; mean_k, C_k + σ² I): y [B, 2] → [B] */
function densityOf(patches: readonly Patch[], noise: number): (y: tf.Tensor) => tf.Tensor {
  const total = patches.reduce((sum, { weight }) => sum + weight, 0);
  const variances = patches.map(({ lengths }) => lengths.map((length) => length ** 2 + noise ** 2));
  const logWeights = patches.map(
    ({ weight }, k) => Math.log(weight / total) - LOG_2PI - 0.5 * Math.log(variances[k]![0]! * variances[k]![1]!),
  );
  const rows = (pick: (patch: Patch, k: number) => number) => tf.tensor1d(patches.map(pick)); // [K]
  return (y) => {
    const [u, v] = tf.split(y, 2, 1) as [tf.Tensor, tf.Tensor]; // [B, 1]
    const dx = u.sub(rows(({ mean }) => mean[0])); // [B, K]
    const dy = v.sub(rows(({ mean }) => mean[1]));
    const [c, s] = [rows(({ along }) => along[0]), rows(({ along }) => along[1])];
    const [a, b] = [dx.mul(c).add(dy.mul(s)), dy.mul(c).sub(dx.mul(s))];
    const squares = a.square().div(rows((_, k) => variances[k]![0]!)).add(b.square().div(rows((_, k) => variances[k]![1]!)));
    return logSumExp(squares.mul(-0.5).add(tf.tensor1d(logWeights)), 1);
  };
} // prettier-ignore

/** −∫ p ln p over the square from −reach to reach, by the midpoint rule. */
function planeEntropy(logDensity: (y: tf.Tensor) => tf.Tensor, reach: number): number {
  const width = (2 * reach) / CELLS;
  const axis = Array.from({ length: CELLS }, (_, i) => -reach + (i + 0.5) * width);
  let entropy = 0;
  for (const u of axis) {
    const logP = tf.tidy(() => logDensity(tf.tensor2d(axis.map((v) => [u, v]))).dataSync());
    for (const value of logP) entropy -= Math.exp(value) * value * width ** 2;
  }
  return entropy;
}

const CELLS = 240; // 0.05 apart where noise is small, and the thinnest direction has a standard deviation of 0.08 and noise
