/**
 * Step 7 of Gaussian diffusion: from noise down the times, by as many steps as one likes, with noise or without, towards
 * a class, or around pixels that are known.
 *
 * Sources: Ho, Jain and Abbeel (2020); Song, Meng and Ermon, Denoising diffusion implicit models (2021); Ho and Salimans,
 * Classifier-free diffusion guidance (2022); for known pixels: Lugmayr et al., RePaint (2022), without its resampling,
 * which leaves an approximation.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { SampleOptions } from '../core/model';
import { categorical } from '../core/random';
import { expectShape } from '../core/tensor';
import { compiled, loop, sampler, type Asked, type Body, type Engine, type EngineSampler, type Takes } from '../sampling/sampler'; // prettier-ignore
import { scaledValues, type GaussianDiffusion, type Guess } from './gaussian-diffusion';
import { diffuse, stepDown } from './gaussian-noise';

export interface DiffusionSampleOptions extends SampleOptions {
  /** T. Default: the configuration's. */
  readonly steps?: number;
  /** 1: as the bound has it; 0: without noise (DDIM). Default: 1. */
  readonly eta?: number;
  /** [count], int32: the classes to draw; default: any. */
  readonly y?: tf.Tensor;
  /** w ≥ 0: x̂ = x̂(z) + (1 + w) (x̂(z, y) − x̂(z)), kept in [−1, 1]. Default: 0, the model itself. */
  readonly guidance?: number;
  /** [count, ...event]: examples to be completed. */
  readonly given?: tf.Tensor;
  /** [count, ...event] of 0 and 1: which coordinates of `given` are kept. */
  readonly known?: tf.Tensor;
}

export interface DiffusionSampler {
  readonly eventShape: readonly number[];
  /** C; 0: none. */
  readonly classes: number;
  /** T, unless asked otherwise. */
  readonly steps: number;
}

const WHERE = 'variationalDiffusion.sample';

export function diffusionSampler(
  model: GaussianDiffusion,
  facts: DiffusionSampler,
): EngineSampler<DiffusionSampleOptions> {
  const { D, values: V, schedule } = model;
  const { eventShape, classes } = facts;
  const guessed = guidedBy(model, classes);
  const at = (i: tf.Tensor, steps: tf.Tensor, B: number) => schedule.gamma(tf.sub(1, i.toFloat().div(steps)).maximum(0).mul(tf.ones([B]))); // prettier-ignore
  const advance: Body = ([z], i, rng, [eta, steps, kept, x, ...told]) => {
    const B = z!.shape[0]!;
    const [from, to] = [at(i, steps!, B), at(i.add(1), steps!, B)];
    const guess = guessed(z!, from, told);
    const next = stepDown(z!, guess.x, { from, to, eta: eta!, noise: rng.fork('step').normal([B, D]) });
    const known = diffuse(x!, to, rng.fork('known').normal([B, D]));
    return [tf.where(kept!.cast('bool'), known, next)];
  };
  const loops = { auto: loop(advance), eager: loop(advance, { engine: 'eager' }) };
  // the last pass, which is outside the loop: left eager, it would cost as much as a hundred compiled ones
  const valuesBy = (engine: Engine) =>
    compiled(
      ([z, ...told], rng) => {
        const { logits } = guessed(z!, schedule.gamma(tf.zeros([z!.shape[0]!])), told);
        return [categorical(logits, rng).toFloat()];
      },
      { engine },
    );
  const lasts = { auto: valuesBy('auto'), eager: valuesBy('eager') };
  const body = (asked: Asked<DiffusionSampleOptions>) => {
    const { count, rng, steps = facts.steps, eta = 1, guidance = 0, given, known, engine } = asked;
    if ((given === undefined) !== (known === undefined))
      throw new Error(`${WHERE}: given and known come together: examples, and which of their coordinates to keep`);
    const told = asked.y ? [asked.y.toInt(), ...(guidance > 0 ? [tf.scalar(guidance)] : [])] : [];
    const kept = known?.toFloat().reshape([count, D]) ?? tf.zeros([count, D]);
    const x = given?.toFloat().reshape([count, D]) ?? tf.zeros([count, D]);
    const settings = [tf.scalar(eta), tf.scalar(steps), kept, scaledValues(x, V)];
    const start = rng.fork('start').normal([count, D]);
    const [z] = loops[engine]([start], steps, rng.fork('steps'), [...settings, ...told]);
    const [drawn] = lasts[engine]([z!, ...told], rng.fork('values'));
    return tf.where(kept.cast('bool'), x, drawn!).reshape([count, ...eventShape]);
  };
  return sampler<DiffusionSampleOptions>('variationalDiffusion', body, { loops, takes: takesOf(facts) });
}

/** What is told: nothing, a class, or a class and how much further than it to go. */
function guidedBy({ network }: GaussianDiffusion, classes: number) {
  return (z: tf.Tensor, gamma: tf.Tensor, [y, guidance]: readonly tf.Tensor[]): Guess => {
    const guess = network.apply(z, gamma, y);
    if (!guidance) return guess;
    const free = network.apply(z, gamma, tf.fill([z.shape[0]!], classes, 'int32')).x;
    return { ...guess, x: free.add(guess.x.sub(free).mul(guidance.add(1))).clipByValue(-1, 1) }; // nothing lies beyond
  };
}

function takesOf({ eventShape, classes }: DiffusionSampler): Takes<DiffusionSampleOptions> {
  const needsClasses = (what: string) => {
    if (classes === 0) throw new Error(`${WHERE}: ${what} is of a model with classes, and this one has none`);
  };
  return {
    steps: (steps) => requireCounts(WHERE, { steps }),
    eta(eta) {
      if (!(eta >= 0 && eta <= 1)) throw new Error(`${WHERE}: eta must be from 0 to 1, got ${eta}`);
    },
    y(y, { count }) {
      needsClasses('y');
      expectShape(`${WHERE}: y`, y, [count]);
    },
    guidance(guidance, { y }) {
      needsClasses('guidance');
      if (!(guidance >= 0)) throw new Error(`${WHERE}: guidance must be ≥ 0, got ${guidance}`);
      if (guidance > 0 && !y) throw new Error(`${WHERE}: guidance is towards a class; give y, too`);
    },
    given: (given, { count }) => void expectShape(`${WHERE}: given`, given, [count, ...eventShape]),
    known: (known, { count }) => void expectShape(`${WHERE}: known`, known, [count, ...eventShape]),
  };
}
