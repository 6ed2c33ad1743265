/**
 * What training does to whole arrays of weights at every step, by the passes in WebAssembly where the arrays lie in
 * one of their memories, as in `fit`: the same as the plain loops of the optimisers, in float32, eight times as fast.
 * Elsewhere the plain loops do it.
 */
import * as plain from '../../optimisers/optimisers';
import type { Optimiser } from '../../optimisers/optimisers';
import { fused, type PassNumbers } from './memory';

/** `optimiser.update`. @param norm `gradientNorm(gradient)` @param step counts from 1 */
export function update(
  optimiser: Optimiser,
  [weights, gradient, ...state]: readonly [Float32Array, Float32Array, ...Float32Array[]],
  step: number,
  norm = gradientNorm(gradient),
): void {
  const { rule } = optimiser;
  if (rule) {
    const numbers = { ...rule.numbers(step), clip: plain.clipFactor(rule, norm) } as PassNumbers<typeof rule.pass>;
    if (fused(rule.pass, [weights, gradient, ...state], numbers) !== undefined) return;
  }
  optimiser.update(weights, gradient, state, step, norm);
}

/** As the optimisers' `gradientNorm`. */
export function gradientNorm(gradient: Float32Array): number {
  const squares = fused('squares', [gradient], {});
  return squares === undefined ? plain.gradientNorm(gradient) : Math.sqrt(squares);
}

/** As the optimisers' `movingAverage`. */
export function movingAverage(average: Float32Array, values: Float32Array, decay: number): void {
  if (fused('movingAverage', [average, values], { alpha: 1 - decay }) !== undefined) return;
  plain.movingAverage(average, values, decay);
}
