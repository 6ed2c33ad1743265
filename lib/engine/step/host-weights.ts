/** Weights on the host, in arrays: a gradient is computed, wherever it may be, and the optimiser moves them in place. */
import { gradientNorm, movingAverage, update } from '../fused/update';
import { eagerName } from '../runtime/eager-backend';
import { gradientOf, type Gradient } from './gradient';
import type { Training } from './training';
import { mayStand, type WeightsHome } from './weights-home';

export function hostWeights(training: Training): WeightsHome {
  const { kept, parameters, options } = training;
  const gradients = kept.map((own) => gradientOf(own, training));
  return {
    async step(objective, batch, rng, step) {
      const { optimiser, weights, gradient, slots, average, memory, next } = kept[objective]!;
      const source = gradients[objective]!;
      const loss = await source.compute(batch, rng);
      const made = { loss, norm: gradientNorm(gradient), memory: gradientNorm(next) };
      if (!mayStand(made)) return made;
      update(optimiser, [weights, gradient, ...slots], step, made.norm);
      if (average) movingAverage(average, weights, options.ema!);
      memory.set(next);
      if (source.eager !== undefined) parameters.write();
      return made;
    },
    engine: () => engineOf(gradients),
    fetch: () => undefined,
    changed: () => undefined,
    dispose: async () => void (await Promise.all(gradients.map((gradient) => gradient.dispose()))),
  };
}

function engineOf(gradients: readonly Gradient[]): string {
  const reason = gradients.map(({ eager }) => eager).find((why) => why !== undefined);
  if (reason !== undefined) return `eager on ${eagerName()}: ${reason}`;
  return `compiled on ${gradients[0]?.provider ?? 'no device yet'}`;
}
