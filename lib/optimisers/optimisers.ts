/**
 * First-order optimisers over one flat buffer of weights.
 *
 * Each is a pure description (`name`, settings) with two functions: `slots` says how many numbers of state it
 * keeps per weight, `update` makes one step in place. So a checkpoint is a few Float32Arrays.
 *
 * The loops here are the reference, in float64 between a load and a store, and know of nothing else. `rule` says the
 * same step as data, by which whoever trains may make it by other means: in WebAssembly, or on a device.
 */
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
  /** The same step for others to make, where weights live elsewhere. */
  readonly rule?: Rule;
}

/** The numbers that each kind of step takes, besides the factor by which the gradient is clipped. */
export interface RuleNumbers {
  readonly sgd: { readonly momentum: number; readonly rate: number };
  /** α = 1 − β; rate and debias carry the corrections of the moments; keep = 1 − η λ. */
  readonly adamW: {
    readonly alpha1: number;
    readonly alpha2: number;
    readonly rate: number;
    readonly debias: number;
    readonly epsilon: number;
    readonly keep: number;
  };
  readonly adamax: {
    readonly alpha1: number;
    readonly beta2: number;
    readonly rate: number;
    readonly epsilon: number;
  };
}

/** A step as data: its kind, its numbers, and the longest gradient. */
export interface Rule<P extends keyof RuleNumbers = keyof RuleNumbers> {
  readonly pass: P;
  /** @param step counts from 1 */
  numbers(step: number): RuleNumbers[P];
  readonly clipNorm: number | undefined;
}

/** A learning rate η, or one for each step. */
export type LearningRate = number | Schedule;

export interface Clipping {
  /** The longest gradient: g ← g · min(1, clipNorm / ‖g‖), over all weights (Pascanu et al., 2013). Default: any. */
  readonly clipNorm?: number;
}

/**
 * w ← w − η v, v ← μ v + g (Polyak, 1964); plain gradient descent for momentum 0.
 * @example
 * const w = Float32Array.of(1);
 * sgd(0.5).update(w, Float32Array.of(1), [Float32Array.of(0)], 1);
 * w // → [0.5]
 */
export function sgd(
  learningRate: LearningRate,
  { momentum = 0, clipNorm }: Clipping & { readonly momentum?: number } = {},
): Optimiser {
  const rateAt = rates('sgd', learningRate);
  const rule: Rule<'sgd'> = { pass: 'sgd', numbers: (step) => ({ momentum, rate: rateAt(step) }), clipNorm };
  return createOptimiser('sgd', 1, rule, ({ clip, momentum, rate }, w, g, v) => {
    for (let i = 0; i < w.length; i++) {
      v[i] = momentum * v[i]! + clip * g[i]!;
      w[i] = w[i]! - rate * v[i]!;
    }
  });
}

export interface AdamOptions extends Clipping {
  /** Decay of the mean of gradients. */
  readonly beta1?: number;
  /** Decay of the mean of squared gradients. */
  readonly beta2?: number;
  readonly epsilon?: number;
}

/**
 * Adam (Kingma and Ba, 2015, algorithm 1): w ← w − η m̂ / (√v̂ + ε).
 * @example
 * const w = Float32Array.of(1);
 * adam(0.1).update(w, Float32Array.of(3), [Float32Array.of(0), Float32Array.of(0)], 1);
 * w // → [0.9000]
 */
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
  const rateAt = rates(name, learningRate);
  const [alpha1, alpha2] = [1 - beta1, 1 - beta2];
  const numbers = (step: number) => {
    const eta = rateAt(step);
    const [rate, keep] = [eta / (1 - beta1 ** step), 1 - eta * weightDecay];
    return { alpha1, alpha2, rate, debias: 1 / (1 - beta2 ** step), epsilon, keep };
  };
  const rule: Rule<'adamW'> = { pass: 'adamW', numbers, clipNorm };
  return createOptimiser(name, 2, rule, ({ clip, alpha1, alpha2, rate, debias, epsilon, keep }, w, g, m, v) => {
    const [beta1, beta2] = [1 - alpha1, 1 - alpha2]; // V8 is faster with variables of the function itself
    for (let i = 0; i < w.length; i++) {
      const clipped = clip * g[i]!;
      m[i] = beta1 * m[i]! + alpha1 * clipped;
      v[i] = beta2 * v[i]! + alpha2 * clipped * clipped;
      w[i] = keep * w[i]! - (rate * m[i]!) / (Math.sqrt(v[i]! * debias) + epsilon);
    }
  });
}

/**
 * Adamax (Kingma and Ba, 2015, algorithm 2): Adam with the largest recent gradient in place of √v̂. As in PyTorch,
 * ε is added to |g|: the paper's form divides by 0 until the first gradient that is not 0.
 */
export function adamax(
  learningRate: LearningRate,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, clipNorm }: AdamOptions = {},
): Optimiser {
  const rateAt = rates('adamax', learningRate);
  const alpha1 = 1 - beta1;
  const numbers = (step: number) => ({ alpha1, beta2, rate: rateAt(step) / (1 - beta1 ** step), epsilon });
  const rule: Rule<'adamax'> = { pass: 'adamax', numbers, clipNorm };
  return createOptimiser('adamax', 2, rule, ({ clip, alpha1, beta2, rate, epsilon }, w, g, m, u) => {
    const beta1 = 1 - alpha1;
    for (let i = 0; i < w.length; i++) {
      const clipped = clip * g[i]!;
      m[i] = beta1 * m[i]! + alpha1 * clipped;
      u[i] = Math.max(beta2 * u[i]!, Math.abs(clipped) + epsilon);
      w[i] = w[i]! - (rate * m[i]!) / u[i]!;
    }
  });
}

/** The factor that makes a gradient of this norm as long as the rule allows, 1 where it is not longer. */
export function clipFactor({ clipNorm }: Pick<Rule, 'clipNorm'>, norm: number): number {
  return clipNorm === undefined ? 1 : Math.min(1, clipNorm / norm);
}

function createOptimiser<P extends keyof RuleNumbers>(
  name: string,
  slots: number,
  rule: Rule<P>,
  loop: (numbers: RuleNumbers[P] & { readonly clip: number }, ...arrays: Float32Array[]) => void,
): Optimiser {
  const { clipNorm } = rule;
  if (clipNorm !== undefined) requirePositive(`${name}: clipNorm`, clipNorm);
  return {
    name,
    slots,
    rule,
    update(weights, gradient, state, step, norm) {
      const clip = clipNorm === undefined ? 1 : clipFactor(rule, norm ?? gradientNorm(gradient));
      loop({ ...rule.numbers(step), clip }, weights, gradient, ...state);
    },
  };
}

/** The learning rate at each step. */
function rates(optimiser: string, learningRate: LearningRate): Schedule {
  if (typeof learningRate === 'number') {
    requirePositive(`${optimiser}: learningRate`, learningRate);
    return () => learningRate;
  }
  return (step) => {
    const rate = learningRate(step);
    if (rate >= 0 && Number.isFinite(rate)) return rate;
    throw new Error(`${optimiser}: learningRate must be a number ≥ 0 at every step, got ${rate} at step ${step}`);
  };
}

/** ‖g‖ = √Σ g², summed in float64, where it cannot overflow: finite when every number is, and only then. */
export function gradientNorm(gradient: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  return Math.sqrt(sum);
}

/**
 * w̄ ← β w̄ + (1 − β) w, in place. From w̄ = 0, after t steps, w̄ / (1 − β^t) is a mean of the t values that were
 * given, the one k steps ago with a weight in proportion to β^k (Kingma and Ba, 2015, section 7.2).
 */
export function movingAverage(average: Float32Array, values: Float32Array, decay: number): void {
  const alpha = 1 - decay;
  for (let i = 0; i < average.length; i++) average[i] = decay * average[i]! + alpha * values[i]!;
}

function requirePositive(what: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`${what} must be a positive number, got ${value}`);
}
