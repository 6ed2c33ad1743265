/**
 * The loops of optimisers/optimisers.ts in WebAssembly: one pass over memory, in float32, four weights at a time. The plain
 * loops there are the reference; those here say the same in vectors, under the same names.
 */
import { abs, add, addDoubles, div, highDoubles, loop, lowDoubles, max, mul, mulDoubles } from './assembler';
import { set, sqrt, sub, type Vector } from './assembler';

export const passes = {
  sgd: loop({ arrays: ['w', 'g', 'v'], numbers: ['clip', 'momentum', 'rate'] }, ({ w, g, v, clip, momentum, rate }) => [
    set(v, add(mul(momentum, v), mul(clip, g))),
    set(w, sub(w, mul(rate, v))),
  ]),

  adamW: loop(
    { arrays: ['w', 'g', 'm', 'v'], numbers: ['clip', 'alpha1', 'alpha2', 'rate', 'debias', 'epsilon', 'keep'] },
    ({ w, g, m, v, clip, alpha1, alpha2, rate, debias, epsilon, keep }) => {
      const clipped = mul(clip, g);
      return [
        set(m, average(m, alpha1, clipped)),
        set(v, average(v, alpha2, mul(clipped, clipped))),
        set(w, sub(mul(keep, w), div(mul(rate, m), add(sqrt(mul(v, debias)), epsilon)))),
      ];
    },
  ),

  adamax: loop(
    { arrays: ['w', 'g', 'm', 'u'], numbers: ['clip', 'alpha1', 'beta2', 'rate', 'epsilon'] },
    ({ w, g, m, u, clip, alpha1, beta2, rate, epsilon }) => {
      const clipped = mul(clip, g);
      return [
        set(m, average(m, alpha1, clipped)),
        set(u, max(mul(beta2, u), add(abs(clipped), epsilon))),
        set(w, sub(w, div(mul(rate, m), u))),
      ];
    },
  ),

  movingAverage: loop({ arrays: ['a', 'x'], numbers: ['alpha'] }, ({ a, x, alpha }) => [set(a, average(a, alpha, x))]),

  /** Σ g²: a float32 squared is exact in float64. */
  squares: loop({ arrays: ['g'], sums: ['low', 'high'] }, ({ g, low, high }) => [
    set(low, addDoubles(low, mulDoubles(lowDoubles(g), lowDoubles(g)))),
    set(high, addDoubles(high, mulDoubles(highDoubles(g), highDoubles(g)))),
  ]),
};

/**
 * (1 − α) a + α x. Not with β = 1 − α as a factor: float32's 0.9999 is 1.7·10⁻⁸ too small, which over the 10⁴
 * values that it averages takes 1.7·10⁻⁴ of the mean away.
 */
function average(a: Vector, alpha: Vector, x: Vector): Vector {
  return add(sub(a, mul(alpha, a)), mul(alpha, x));
}
