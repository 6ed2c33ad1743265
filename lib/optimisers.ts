/**
 * First-order optimisers over one flat buffer of weights.
 *
 * Each is a pure description (`name`, settings) with two functions: `slots` says how many numbers of state it
 * keeps per weight, `update` makes one step in place. So a checkpoint is a few Float32Arrays, and a faster
 * implementation can replace the loop without anybody noticing.
 */

export interface Optimiser {
  readonly name: string;
  /** Numbers of state kept per weight. */
  readonly slots: number;
  /**
   * One step, in place.
   * @param step counts from 1 @param state `slots` arrays as long as `weights`, zero at the start
   */
  update(weights: Float32Array, gradient: Float32Array, state: readonly Float32Array[], step: number): void;
}

/** w ← w − η v, v ← μ v + g (Polyak, 1964); plain gradient descent for momentum 0. */
export function sgd(learningRate: number, { momentum = 0 }: { readonly momentum?: number } = {}): Optimiser {
  requirePositive('sgd: learningRate', learningRate);
  return {
    name: 'sgd',
    slots: 1,
    update(weights, gradient, state) {
      const v = state[0]!;
      for (let i = 0; i < weights.length; i++) {
        v[i] = momentum * v[i]! + gradient[i]!;
        weights[i] = weights[i]! - learningRate * v[i]!;
      }
    },
  };
}

export interface AdamOptions {
  /** Decay of the mean of gradients. */
  readonly beta1?: number;
  /** Decay of the mean of squared gradients. */
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** Adam (Kingma and Ba, 2015, algorithm 1): w ← w − η m̂ / (√v̂ + ε). */
export function adam(learningRate: number, options: AdamOptions = {}): Optimiser {
  requirePositive('adam: learningRate', learningRate);
  return { ...adamW(learningRate, { ...options, weightDecay: 0 }), name: 'adam' };
}

/**
 * AdamW (Loshchilov and Hutter, 2019, algorithm 2): Adam, and w ← w − η λ w outside of its moments.
 * As in PyTorch, λ counts relative to the learning rate η; the paper's λ is the product.
 */
export function adamW(
  learningRate: number,
  {
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay = 0.01,
  }: AdamOptions & { readonly weightDecay?: number } = {},
): Optimiser {
  requirePositive('adamW: learningRate', learningRate);
  return {
    name: 'adamW',
    slots: 2,
    update(weights, gradient, state, step) {
      const m = state[0]!;
      const v = state[1]!;
      const rate = learningRate / (1 - beta1 ** step);
      const debias = 1 / (1 - beta2 ** step);
      for (let i = 0; i < weights.length; i++) {
        const g = gradient[i]!;
        m[i] = beta1 * m[i]! + (1 - beta1) * g;
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
        const w = weights[i]! * (1 - learningRate * weightDecay);
        weights[i] = w - (rate * m[i]!) / (Math.sqrt(v[i]! * debias) + epsilon);
      }
    },
  };
}

/**
 * Adamax (Kingma and Ba, 2015, algorithm 2): Adam with the largest recent gradient in place of √v̂. As in PyTorch,
 * ε is added to |g|: the paper's form divides by 0 until the first gradient that is not 0.
 */
export function adamax(
  learningRate: number,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions = {},
): Optimiser {
  requirePositive('adamax: learningRate', learningRate);
  return {
    name: 'adamax',
    slots: 2,
    update(weights, gradient, state, step) {
      const m = state[0]!;
      const u = state[1]!;
      const rate = learningRate / (1 - beta1 ** step);
      for (let i = 0; i < weights.length; i++) {
        const g = gradient[i]!;
        m[i] = beta1 * m[i]! + (1 - beta1) * g;
        u[i] = Math.max(beta2 * u[i]!, Math.abs(g) + epsilon);
        weights[i] = weights[i]! - (rate * m[i]!) / u[i]!;
      }
    },
  };
}

function requirePositive(what: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`${what} must be a positive number, got ${value}`);
}
