/** Mixtures of Gaussians in the plane, with all that score and flow matching learn of them in closed form. */
import * as tf from '@tensorflow/tfjs';
import { LOG_2PI } from '../../core/distributions';
import { logSumExp } from '../../core/tensor';
import { midpoints } from '../../statistics/oracles';
import { planeShapes, type PlaneComponent, type PlaneShape } from './plane';
import { drawIndices, source, type Source } from './source';

/** Levels of noise and times are [B], or one number for all. */
export interface PlaneMixture extends Source {
  /** ln of the density of x + σ ε: z [B, 2] → [B] */
  logProbAt(z: tf.Tensor, sigma: tf.Tensor | number): tf.Tensor;
  /** ∇ of it: z [B, 2] → [B, 2] */
  score(z: tf.Tensor, sigma: tf.Tensor | number): tf.Tensor;
  /** E[x | x + σ ε = z] = z + σ² score: the best guess of x. [B, 2] → [B, 2] */
  denoised(z: tf.Tensor, sigma: tf.Tensor | number): tf.Tensor;
  /** E[x − ε | (1 − t) ε + t x = z]: what flow matching learns on straight paths. z [B, 2], t [B] → [B, 2] */
  velocity(z: tf.Tensor, t: tf.Tensor | number): tf.Tensor;
}

/**
 * p(x) = Σ_k w_k N(x; mu_k, diag s_k²). With noise added it is a mixture again, of variances s_k² + σ², and so is
 * (1 − t) ε + t x; given the component all is Gaussian, and the components' shares are by Bayes' rule.
 */
export function planeMixture(shape: PlaneShape | readonly PlaneComponent[]): PlaneMixture {
  const components: readonly PlaneComponent[] = typeof shape === 'string' ? planeShapes[shape] : shape;
  if (components.length === 0) throw new Error('planeMixture: expected one component or more, got none');
  const total = components.reduce((sum, { weight }) => sum + weight, 0);
  const table = (pick: (c: PlaneComponent) => readonly [number, number]) => tf.tensor2d(components.map((c) => [...pick(c)])).expandDims(0); // prettier-ignore
  const parts = (): Parts => ({
    logWeight: tf.tensor1d(components.map(({ weight }) => Math.log(weight / total))),
    mu: table(({ mu }) => mu),
    variance: table(({ sigma: [a, b] }) => [a ** 2, b ** 2]),
  });
  const logProbAt = (z: tf.Tensor, sigma: Level) => tf.tidy(() => logSumExp(seen(parts(), z, ALL, sigma).each, 1));
  const posterior = (z: tf.Tensor, signal: Level, noise: Level, of: (seen: Seen) => tf.Tensor) =>
    tf.tidy(() => {
      const found = seen(parts(), z, signal, noise);
      return tf.softmax(found.each).expandDims(2).mul(of(found)).sum(1); // [B, K, 2] → [B, 2]
    });
  const reach = Math.max(...components.map(({ mu, sigma }) => Math.max(...mu.map(Math.abs)) + 8 * Math.max(...sigma)));
  const logProb = (x: tf.Tensor) => logProbAt(x, 0);
  return {
    ...source({
      name: typeof shape === 'string' ? shape : 'Gaussians in the plane',
      eventShape: [2],
      support: { kind: 'continuous', low: -reach, high: reach },
      entropy: entropyBy(logProb, reach),
      logProb,
      sample: (count, rng) =>
        tf.tidy(() => {
          const k = drawIndices(components.map(({ weight }) => weight), count, rng.fork('component')); // prettier-ignore
          const rows = (pick: (c: PlaneComponent) => readonly [number, number]) => tf.tensor2d(k.map((i) => [...pick(components[i]!)])); // prettier-ignore
          return rng.fork('x').normal([count, 2]).mul(rows(({ sigma }) => sigma)).add(rows(({ mu }) => mu)); // prettier-ignore
        }),
    }),
    logProbAt,
    score: (z, sigma) => posterior(z, ALL, sigma, ({ away, spread }) => away.div(spread).neg()),
    denoised: (z, sigma) =>
      posterior(z, ALL, sigma, ({ away, spread, mu, variance }) => mu.add(away.mul(variance.div(spread)))),
    velocity: (z, t) => {
      const noise = typeof t === 'number' ? 1 - t : tf.sub(1, t);
      return posterior(z, t, noise, ({ away, spread, mu, variance, signal, noise: rest }) =>
        mu.add(away.mul(signal.mul(variance).sub(rest)).div(spread)), // Cov(x − ε, z) = t s² − (1 − t)
      ); // prettier-ignore
    },
  };
}

/** [B], or one number for all. */
type Level = tf.Tensor | number;

const ALL = 1; // of x, where noise is only added

interface Parts {
  /** [K], and [1, K, 2] each */
  readonly logWeight: tf.Tensor;
  readonly mu: tf.Tensor;
  readonly variance: tf.Tensor;
}

interface Seen extends Parts {
  /** ln of each component's weight and density at z: [B, K] */
  readonly each: tf.Tensor;
  /** z less the component's mean, and the component's variance there: [B, K, 2] */
  readonly away: tf.Tensor;
  readonly spread: tf.Tensor;
  /** [B or 1, 1, 1] */
  readonly signal: tf.Tensor;
  readonly noise: tf.Tensor;
}

/** The components of signal · x + noise · ε at z. */
function seen(parts: Parts, z: tf.Tensor, signalLevel: Level, noiseLevel: Level): Seen {
  const [signal, noise] = [signalLevel, noiseLevel].map((level) => tf.reshape(level, [-1, 1, 1])) as [tf.Tensor, tf.Tensor]; // prettier-ignore
  const away = z.expandDims(1).sub(signal.mul(parts.mu));
  const spread = signal.square().mul(parts.variance).add(noise.square());
  const each = away.square().div(spread).add(spread.log()).add(LOG_2PI).sum(2).mul(-0.5).add(parts.logWeight); // prettier-ignore
  return { ...parts, each, away, spread, signal, noise };
}

/** −∫ p ln p over the square of this reach, by the midpoint rule: exact to many digits for a smooth p. */
function entropyBy(logProb: (x: tf.Tensor) => tf.Tensor, reach: number): number {
  const { points, cell } = midpoints(-reach, reach, CELLS, 2);
  let entropy = 0;
  for (let from = 0; from < points.length; from += CELLS) {
    const values = tf.tidy(() => logProb(tf.tensor2d(points.slice(from, from + CELLS))).dataSync());
    for (const value of values) if (value > -80) entropy -= Math.exp(value) * value * cell;
  }
  return entropy;
}

const CELLS = 240;
