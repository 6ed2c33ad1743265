/**
 * First-order optimisers over one flat buffer of weights.
 *
 * Each is a pure description (`name`, settings) with two functions: `slots` says how many numbers of state it
 * keeps per weight, `update` makes one step in place. So a checkpoint is a few Float32Arrays, and a faster
 * implementation can replace the loop without anybody noticing.
 *
 * The loops here are the reference, in float64 between a load and a store. On whole arrays that `allocate` made
 * (engine/memory.ts), as in `fit`, each `fused` pass does the same in WebAssembly, in float32, eight times as fast.
 */
import { fused } from './engine/memory';
import type { Schedule } from './schedules';

export interface Optimiser {
  readonly name: string;
  /** Numbers of state kept per weight. */
  readonly slots: number;
  /**
   * One step, in place. The gradient has to be finite.
   * @param step counts from 1 @param state `slots` arrays as long as `weights`, zero at the start
   * @param norm `gradientNorm(gradient)`, where it is known already
   */
  update(
    weights: Float32Array,
    gradient: Float32Array,
    state: readonly Float32Array[],
    step: number,
    norm?: number,
  ): void;
}

/** A learning rate η, or one for each step. */
export type LearningRate = number | Schedule;

export interface Clipping {
  /** The longest gradient: g ← g · min(1, clipNorm / ‖g‖), over all weights (Pascanu et al., 2013). Default: any. */
  readonly clipNorm?: number;
}

/** w ← w − η v, v ← μ v + g (Polyak, 1964); plain gradient descent for momentum 0. */
export function sgd(
  learningRate: LearningRate,
  { momentum = 0, clipNorm }: Clipping & { readonly momentum?: number } = {},
): Optimiser {
  const [rateAt, clipOf] = settings('sgd', learningRate, clipNorm);
  return {
    name: 'sgd',
    slots: 1,
    update(weights, gradient, state, step, norm) {
      const [rate, clip] = [rateAt(step), clipOf(gradient, norm)];
      const v = state[0]!;
      if (fused('sgd', { w: weights, g: gradient, v }, { clip, momentum, rate }) !== undefined) return;
      for (let i = 0; i < weights.length; i++) {
        v[i] = momentum * v[i]! + clip * gradient[i]!;
        weights[i] = weights[i]! - rate * v[i]!;
      }
    },
  };
}

export interface AdamOptions extends Clipping {
  /** Decay of the mean of gradients. */
  readonly beta1?: number;
  /** Decay of the mean of squared gradients. */
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** Adam (Kingma and Ba, 2015, algorithm 1): w ← w − η m̂ / (√v̂ + ε). */
export function adam(learningRate: LearningRate, options: AdamOptions = {}): Optimiser {
  return decayingAdam('adam', learningRate, { ...options, weightDecay: 0 });
}

/**
 * AdamW (Loshchilov and Hutter, 2019, algorithm 2): Adam, and w ← w − η λ w outside of its moments.
 * As in PyTorch, λ counts relative to the learning rate η; the paper's λ is the product.
 */
export function adamW(
  learningRate: LearningRate,
  { weightDecay = 0.01, ...options }: AdamOptions & { readonly weightDecay?: number } = {},
): Optimiser {
  return decayingAdam('adamW', learningRate, { ...options, weightDecay });
}

function decayingAdam(
  name: string,
  learningRate: LearningRate,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay, clipNorm }: AdamOptions & { readonly weightDecay: number },
): Optimiser {
  const [rateAt, clipOf] = settings(name, learningRate, clipNorm);
  return {
    name,
    slots: 2,
    update(weights, gradient, state, step, norm) {
      const [m, v] = [state[0]!, state[1]!];
      const [alpha1, alpha2] = [1 - beta1, 1 - beta2];
      const clip = clipOf(gradient, norm);
      const eta = rateAt(step);
      const rate = eta / (1 - beta1 ** step);
      const debias = 1 / (1 - beta2 ** step);
      const keep = 1 - eta * weightDecay;
      const numbers = { clip, alpha1, alpha2, rate, debias, epsilon, keep };
      if (fused('adamW', { w: weights, g: gradient, m, v }, numbers) !== undefined) return;
      for (let i = 0; i < weights.length; i++) {
        const g = clip * gradient[i]!;
        m[i] = beta1 * m[i]! + alpha1 * g;
        v[i] = beta2 * v[i]! + alpha2 * g * g;
        weights[i] = keep * weights[i]! - (rate * m[i]!) / (Math.sqrt(v[i]! * debias) + epsilon);
      }
    },
  };
}

/**
 * Adamax (Kingma and Ba, 2015, algorithm 2): Adam with the largest recent gradient in place of √v̂. As in PyTorch,
 * ε is added to |g|: the paper's form divides by 0 until the first gradient that is not 0.
 */
export function adamax(
  learningRate: LearningRate,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, clipNorm }: AdamOptions = {},
): Optimiser {
  const [rateAt, clipOf] = settings('adamax', learningRate, clipNorm);
  return {
    name: 'adamax',
    slots: 2,
    update(weights, gradient, state, step, norm) {
      const [m, u] = [state[0]!, state[1]!];
      const alpha1 = 1 - beta1;
      const clip = clipOf(gradient, norm);
      const rate = rateAt(step) / (1 - beta1 ** step);
      const numbers = { clip, alpha1, beta2, rate, epsilon };
      if (fused('adamax', { w: weights, g: gradient, m, u }, numbers) !== undefined) return;
      for (let i = 0; i < weights.length; i++) {
        const g = clip * gradient[i]!;
        m[i] = beta1 * m[i]! + alpha1 * g;
        u[i] = Math.max(beta2 * u[i]!, Math.abs(g) + epsilon);
        weights[i] = weights[i]! - (rate * m[i]!) / u[i]!;
      }
    },
  };
}

/** ‖g‖ = √Σ g², summed in float64, where it cannot overflow: finite when every number is, and only then. */
export function gradientNorm(gradient: Float32Array): number {
  let sum = fused('squares', { g: gradient }, {});
  if (sum === undefined) {
    sum = 0;
    for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  }
  return Math.sqrt(sum);
}

/**
 * w̄ ← β w̄ + (1 − β) w, in place. From w̄ = 0, after t steps, w̄ / (1 − β^t) is a mean of the t values that were
 * given, the one k steps ago with a weight in proportion to β^k (Kingma and Ba, 2015, section 7.2).
 */
export function movingAverage(average: Float32Array, values: Float32Array, decay: number): void {
  const alpha = 1 - decay;
  if (fused('movingAverage', { a: average, x: values }, { alpha }) !== undefined) return;
  for (let i = 0; i < average.length; i++) average[i] = decay * average[i]! + alpha * values[i]!;
}

/** What all optimisers have: the learning rate at a step, and the factor that shortens a gradient. */
function settings(
  name: string,
  learningRate: LearningRate,
  clipNorm: number | undefined,
): [(step: number) => number, (gradient: Float32Array, norm?: number) => number] {
  if (typeof learningRate === 'number') requirePositive(`${name}: learningRate`, learningRate);
  if (clipNorm !== undefined) requirePositive(`${name}: clipNorm`, clipNorm);
  const rateAt = (step: number): number => {
    if (typeof learningRate === 'number') return learningRate;
    const rate = learningRate(step);
    if (rate >= 0 && Number.isFinite(rate)) return rate;
    throw new Error(`${name}: learningRate must be a number ≥ 0 at every step, got ${rate} at step ${step}`);
  };
  const clipOf = (gradient: Float32Array, norm?: number): number =>
    clipNorm === undefined ? 1 : Math.min(1, clipNorm / (norm ?? gradientNorm(gradient)));
  return [rateAt, clipOf];
}

function requirePositive(what: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`${what} must be a positive number, got ${value}`);
}
