/** Sampling by a score: the process backwards with noise, with corrections, or as an ODE without noise. */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { Rng, SampleOptions } from '../core/model';
import { loop, sampler, type Asked, type Body, type Engine, type EngineSampler } from '../sampling/sampler';
import type { ContinuousFlow } from './continuous-flow';
import { langevinStep } from './langevin';
import type { NoiseProcess } from './noise-process';
import type { SolverName } from './ode';

/**
 * 'euler-maruyama': steps of the reverse SDE; 'predictor-corrector': the same, and after each a step of Langevin
 * dynamics at the level reached, which mends what the step did wrong (Song et al., 2021, algorithms 2 and 3).
 */
export type ScoreSamplerName = 'ode' | 'euler-maruyama' | 'predictor-corrector';

export interface ScoreSampleOptions extends SampleOptions {
  /** Default: 'ode' */
  readonly method?: ScoreSamplerName;
  /** Default: the configuration's. */
  readonly steps?: number;
  /** Of the ODE. Default: the configuration's. */
  readonly solver?: SolverName;
}

export interface ScoreSamplerParts {
  readonly D: number;
  readonly process: NoiseProcess;
  readonly flow: ContinuousFlow;
  readonly spread: number;
  readonly steps: number;
  /** ∇ ln p_t: z [N, D], t [N] → [N, D] */
  score(z: tf.Tensor, t: tf.Tensor): tf.Tensor;
  /** Rows at t = 0 as data. */
  finish(rows: tf.Tensor): tf.Tensor;
}

/**
 * One step from t to t − h of the reverse SDE: z − h [f z − g² s] + g √h ξ. Forgetting that the noise grows with the root
 * of the step, h for √h, leaves samples with too little of it.
 */
export function reverseSdeStep(z: tf.Tensor, score: tf.Tensor, { drift, diffusion, h, noise }: ReverseSdeStep) {
  return tf.tidy(() =>
    z
      .sub(z.mul(drift).sub(score.mul(diffusion)).mul(h))
      .add(noise.mul(tf.sqrt(tf.mul(diffusion, h)))),
  ); // prettier-ignore
}

export interface ReverseSdeStep {
  /** f and g², scalars. */
  readonly drift: tf.Tensor | number;
  readonly diffusion: tf.Tensor | number;
  /** > 0 */
  readonly h: tf.Tensor | number;
  /** ξ, the shape of z. */
  readonly noise: tf.Tensor;
}

/** Of the noise's own variance: how far a correction goes. */
const CORRECTION = 0.03;

export function scoreSampler(parts: ScoreSamplerParts): EngineSampler<ScoreSampleOptions> {
  const { D, process, flow, spread, steps: usual, score, finish } = parts;
  const bodyOf =
    (corrected: boolean): Body =>
    ([z], i, rng, [h]) => {
      const t = tf.sub(1, h!.mul(i.toFloat()));
      const at = (time: tf.Tensor, x: tf.Tensor) => score(x, time.mul(tf.ones([x.shape[0]!])));
      const noise = rng.fork('step').normal(z!.shape);
      const step = { drift: process.drift(t), diffusion: process.diffusion(t), h: h!, noise };
      const next = reverseSdeStep(z!, at(t, z!), step);
      if (!corrected) return [next];
      const now = t.sub(h!).maximum(0);
      const eta = process.alpha(now).mul(process.sigma(now)).square().mul(CORRECTION);
      return [langevinStep(next, at(now, next), eta, rng.fork('correct').normal(z!.shape))];
    };
  const noisy = (corrected: boolean) => ({ auto: loop(bodyOf(corrected)), eager: loop(bodyOf(corrected), { engine: 'eager' }) }); // prettier-ignore
  const loops = { 'euler-maruyama': noisy(false), 'predictor-corrector': noisy(true) };
  let last: { engine(): string } = flow;
  const body = ({ count, rng, method = 'ode', steps = usual, solver, engine }: Asked<ScoreSampleOptions>) => {
    const noise: tf.Tensor = start(rng, [count, D]);
    last = method === 'ode' ? flow : loops[method][engine];
    if (method === 'ode') return finish(flow.toData(noise, { steps, engine, ...(solver && { solver }) }));
    const [z] = loops[method][engine]([noise.mul(spread)], steps, rng.fork('steps'), [tf.scalar(1 / steps)]);
    return finish(z!);
  };
  const shown = { engine: () => last.engine() };
  return sampler<ScoreSampleOptions>('scoreModel', body, {
    loops: { auto: shown, eager: shown } satisfies Record<Engine, unknown>,
    takes: {
      steps: (steps) => requireCounts('scoreModel.sample', { steps }),
      method(method) {
        if (method !== 'ode' && !Object.hasOwn(loops, method))
          throw new Error(`scoreModel.sample: method must be 'ode', 'euler-maruyama' or 'predictor-corrector', got '${String(method)}'`); // prettier-ignore
      },
      solver(_, { method = 'ode' }) {
        if (method !== 'ode') throw new Error(`scoreModel.sample: solver is of the ODE, and the method is '${method}'`);
      },
    },
  });
}

const start = (rng: Rng, shape: readonly number[]): tf.Tensor => rng.fork('start').normal(shape);
