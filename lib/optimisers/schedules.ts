/** Learning rates that change with the step: η_t for t = 1, 2, …, for every optimiser in place of a number. */

/** The learning rate η_t at step t, which counts from 1. */
export type Schedule = (step: number) => number;

/** The schedules by name: each gives the rate η_t of every step t from its first rate η and its settings. */
export const schedules = {
  /** η_t = η. */
  constant(rate: number): Schedule {
    requireRate('constant', rate);
    return () => rate;
  },

  /**
   * η_t = η γ^((t − 1) / s): times γ every s steps (Senior et al., 2013).
   * @param settings `factor` γ in (0, 1], and `every` s steps
   */
  exponential(rate: number, { factor, every }: { readonly factor: number; readonly every: number }): Schedule {
    requireRate('exponential', rate);
    check(factor > 0 && factor <= 1, `schedules.exponential: factor must be in (0, 1], got ${factor}`);
    check(every >= 1, `schedules.exponential: every must be at least 1 step, got ${every}`);
    return (step) => rate * factor ** ((step - 1) / every);
  },

  /**
   * Up from η / W to η in W steps, η_t = η t / W (Goyal et al., 2017, section 2.2); then down along a cosine to the
   * last rate, which step T reaches and later ones keep: η_t = η_T + ½ (η − η_T) (1 + cos(π (t − W) / (T − W)))
   * (Loshchilov and Hutter, 2017, equation 5).
   * @param settings `steps` T in all, `warmup` W of them (default: 0), and the `last` rate η_T (default: 0)
   */
  cosine(
    rate: number,
    { steps, warmup = 0, last = 0 }: { readonly steps: number; readonly warmup?: number; readonly last?: number },
  ): Schedule {
    requireRate('cosine', rate);
    check(steps >= 1, `schedules.cosine: steps must be at least 1, got ${steps}`);
    check(warmup >= 0 && warmup < steps, `schedules.cosine: warmup must be in [0, ${steps}), got ${warmup}`);
    check(last >= 0 && last <= rate, `schedules.cosine: last must be in [0, ${rate}], got ${last}`);
    return (step) => {
      if (step <= warmup) return (rate * step) / warmup;
      const done = Math.min(1, (step - warmup) / (steps - warmup));
      return last + 0.5 * (rate - last) * (1 + Math.cos(Math.PI * done));
    };
  },
} as const;

function requireRate(schedule: string, rate: number): void {
  check(rate > 0 && rate < Infinity, `schedules.${schedule}: rate must be a positive number, got ${rate}`);
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
