/**
 * A density made by moving points: z at the time of noise ~ base, dz/dt = v(z, t), x is where z is at the time of data.
 *
 * Along a path d ln p_t(z_t) / dt = −div v(z_t, t), so that ln p(x) = ln base(z) + ∫ div v dt, from the time of data to
 * that of noise: the one formula of flows whose layers are steps of a solver.
 * Sources: Chen et al., Neural ordinary differential equations (2018), theorem 1; Grathwohl et al., FFJORD (2019); Song
 * et al., Score-based generative modeling through stochastic differential equations (2021), section 4.3.
 */
import * as tf from '@tensorflow/tfjs';
import type { Bijection, Rng } from '../core/model';
import type { Engine } from '../sampling/sampler';
import { divergence, hutchinson, rademacher } from './divergence';
import { adaptiveSolver, evaluationsPerStep, fixedSolver, type AdaptiveSpan, type Field, type SolverName } from './ode';

/** 'exact' takes D passes backwards an evaluation, 'hutchinson' one, along a random direction for each example. */
export type DivergenceName = 'exact' | 'hutchinson';

export interface FlowParts {
  readonly variables: readonly tf.Variable[];
  readonly D: number;
  readonly noiseTime: number;
  readonly dataTime: number;
  /** v: z [N, D], t [N] → [N, D], every row by itself. */
  velocity(z: tf.Tensor, t: tf.Tensor): tf.Tensor;
  /** Of z at the time of noise: [N, D] → [N] */
  logBase(z: tf.Tensor): tf.Tensor;
  /** Standard deviation of the base, which is N(0, spread² I). */
  readonly spread: number;
  readonly solver: SolverName;
  readonly steps: number;
}

export interface FlowRun {
  readonly solver?: SolverName;
  readonly steps?: number;
  readonly divergence?: DivergenceName;
  readonly engine?: Engine;
}

/** What a solver with a tolerance gives. */
export interface Measured extends tf.TensorContainerObject {
  /** ln p(x) [B], or x [B, D]. */
  readonly value: tf.Tensor;
  readonly evaluations: number;
}

export type Tolerance = Pick<AdaptiveSpan, 'relative' | 'absolute'> & { readonly divergence?: DivergenceName };

/** Rows are [B, D] throughout. */
export interface ContinuousFlow extends Pick<FlowParts, 'velocity' | 'noiseTime' | 'dataTime'> {
  /** Steps of one length. @returns [B] */
  logProb(x: tf.Tensor, rng: Rng, run?: FlowRun): tf.Tensor;
  /** Steps as long as a tolerance allows. @returns ln p(x) [B] and how often the velocity was evaluated */
  measuredLogProb(x: tf.Tensor, rng: Rng, tolerance?: Tolerance): Measured;
  /** From noise z of variance 1, [B, D], to data. */
  toData(noise: tf.Tensor, run?: FlowRun): tf.Tensor;
  measuredToData(noise: tf.Tensor, tolerance?: Tolerance): Measured;
  /** Where points are at the time `to` that are here at `from`. */
  move(z: tf.Tensor, span: { readonly from: number; readonly to: number }, run?: FlowRun): tf.Tensor;
  /** Of the velocity, by `run` or by what the model is made with. */
  evaluations(run?: FlowRun): number;
  /** Latents are noise of variance 1. */
  readonly bijection: Bijection;
  /** What ran samples last. */
  engine(): string;
}

type Fixed = ReturnType<typeof fixedSolver>;

/**
 * The density that a velocity makes of its base, with samples and likelihood by Runge–Kutta steps. Rows are [B, D]; the
 * density is as exact as the solver, and without bias where the divergence is estimated.
 * @throws where the solver is none that there is
 */
export function continuousFlow(parts: FlowParts): ContinuousFlow {
  const { D, noiseTime, dataTime, velocity, spread, variables } = parts;
  const fields = fieldsOf(parts);
  const solverOf = remembered(fields);
  const [back, forth] = [{ from: dataTime, to: noiseTime }, { from: noiseTime, to: dataTime }]; // prettier-ignore
  const runOf = ({ solver = parts.solver, steps = parts.steps, engine = 'auto' }: FlowRun = {}) => ({ solver, steps, engine }); // prettier-ignore
  const toLatent = (x: tf.Tensor, rng: Rng | undefined, run: FlowRun = {}) =>
    tf.tidy(() => {
      const { solver, steps, engine } = runOf(run);
      const directions = run.divergence === 'hutchinson' ? [rademacher(x.shape, rng!.fork('directions'))] : [];
      const solve = solverOf(directions.length > 0 ? 'hutchinson' : 'exact', solver, engine);
      const [z, logDet] = solve([x, tf.zeros([x.shape[0]!])], { ...back, steps }, directions);
      return { z: z!, logDet: logDet! };
    });
  let last: Fixed | undefined;
  const move: ContinuousFlow['move'] = (z, span, run) => {
    const { solver, steps, engine } = runOf(run);
    last = solverOf('path', solver, engine);
    return last([z], { ...span, steps })[0]!;
  };
  const toData = (noise: tf.Tensor, run?: FlowRun) => tf.tidy(() => move(noise.mul(spread), forth, run));
  return {
    ...{ velocity, noiseTime, dataTime, move, toData },
    logProb: (x, rng, run) =>
      tf.tidy(() => {
        const { z, logDet } = toLatent(x, rng, run);
        return parts.logBase(z).add(logDet);
      }),
    ...measured(parts, fields),
    evaluations(run) {
      const { solver, steps } = runOf(run);
      return steps * evaluationsPerStep(solver);
    },
    engine: () => last?.engine() ?? 'not run yet',
    bijection: {
      variables,
      toLatent: (x) =>
        tf.tidy(() => {
          const { z, logDet } = toLatent(x, undefined);
          return { z: z.div(spread), logDet: logDet.sub(D * Math.log(spread)) };
        }),
      toData,
    },
  };
}

type FieldName = DivergenceName | 'path';

/** The path alone, and the path with its divergence summed up beside it. */
function fieldsOf({ velocity }: FlowParts): Readonly<Record<FieldName, Field>> {
  const at = (t: tf.Tensor) => (z: tf.Tensor) => velocity(z, t.mul(tf.ones([z.shape[0]!])));
  return {
    path: ([z], t) => [at(t)(z!)],
    exact: ([z], t) => [at(t)(z!), divergence(at(t), z!)],
    hutchinson: ([z], t, [e]) => [at(t)(z!), hutchinson(at(t), z!, e!)],
  };
}

/** One solver for each field and method, so that each is compiled once. */
function remembered(fields: Readonly<Record<FieldName, Field>>) {
  const known = new Map<string, Fixed>();
  return (name: FieldName, solver: SolverName, engine: Engine): Fixed => {
    const key = `${name} ${solver} ${engine}`;
    const found = known.get(key) ?? fixedSolver(fields[name], solver, engine);
    known.set(key, found);
    return found;
  };
}

function measured(
  { noiseTime, dataTime, spread, logBase }: FlowParts,
  fields: Readonly<Record<FieldName, Field>>,
): Pick<ContinuousFlow, 'measuredLogProb' | 'measuredToData'> {
  const solvers = {
    path: adaptiveSolver(fields.path),
    exact: adaptiveSolver(fields.exact, { tensors: 2 }),
    hutchinson: adaptiveSolver(fields.hutchinson, { tensors: 2 }),
  };
  const done = (value: tf.Tensor, evaluations: number): Measured => ({ value, evaluations });
  return {
    measuredLogProb: (x, rng, { divergence: name = 'exact', ...tolerance } = {}) =>
      tf.tidy(() => {
        const directions = name === 'hutchinson' ? [rademacher(x.shape, rng.fork('directions'))] : [];
        const span = { from: dataTime, to: noiseTime, ...tolerance };
        const { state, evaluations } = solvers[name]([x, tf.zeros([x.shape[0]!])], span, directions);
        return done(logBase(state[0]!).add(state[1]!), evaluations);
      }),
    measuredToData: (noise, { relative, absolute } = {}) =>
      tf.tidy(() => {
        const span = { from: noiseTime, to: dataTime, ...(relative && { relative }), ...(absolute && { absolute }) };
        const { state, evaluations } = solvers.path([noise.mul(spread)], span);
        return done(state[0]!, evaluations);
      }),
  };
}
