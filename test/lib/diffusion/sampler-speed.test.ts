/** What compiling a sampler gains: a ratio of medians, since times themselves are the machine's. */
import { createRng, maskedDiffusion, variationalDiffusion, type GenerativeModel } from 'dgm';
import { expect, test } from 'vitest';

type Engine = 'auto' | 'eager';
interface Stepwise extends Pick<GenerativeModel, 'eventShape'> {
  sample(options: { count: number; rng: ReturnType<typeof createRng>; steps: number; engine: Engine }): {
    dataSync(): unknown;
    dispose(): void;
  };
}

const [COUNT, STEPS, ROUNDS] = [40, 4, 3];
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[(values.length - 1) / 2]!;

/** Milliseconds of a draw, until its numbers are there. */
function timed(model: Stepwise, engine: Engine): number {
  const started = performance.now();
  const x = model.sample({ count: COUNT, rng: createRng('speed'), steps: STEPS, engine });
  x.dataSync();
  x.dispose();
  return performance.now() - started;
}

test.each<readonly [string, () => Stepwise]>([
  ['variational diffusion', () => variationalDiffusion.create(variationalDiffusion.defaults, createRng('model'))],
  ['masked diffusion', () => maskedDiffusion.create(maskedDiffusion.defaults, createRng('model'))],
])(
  '%s: the compiled sampler takes at most a tenth of the time of the same, operation by operation',
  (name, create) => {
    const model = create();
    timed(model, 'auto'); // compiles
    const rounds = Array.from({ length: ROUNDS }, () => [timed(model, 'auto'), timed(model, 'eager')] as const); // in turn, since others use the machine
    const [compiled, eager] = [0, 1].map((k) => median(rounds.map((round) => round[k]!))) as [number, number];
    const said = `${name}, ${COUNT} digits in ${STEPS} steps: ${compiled.toFixed(0)} ms compiled, ${eager.toFixed(0)} ms eager, ${(eager / compiled).toFixed(0)} times`;
    console.log(said);
    expect(eager / compiled, said).toBeGreaterThanOrEqual(10);
  },
  300_000,
);
