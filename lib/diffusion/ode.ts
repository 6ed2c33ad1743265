/**
 * Ordinary differential equations dz/dt = f(z, t) by Runge–Kutta methods, with fixed and with adaptive steps.
 *
 * A step of order p errs by O(h^(p+1)), so that a whole path errs by O(h^p). Two methods of neighbouring orders that
 * share their evaluations of f tell how wrong a step is, and with it how long the next may be.
 * Sources: Hairer, Nørsett and Wanner, Solving ordinary differential equations I (1993), sections II.1, II.4 and II.5;
 * Dormand and Prince, A family of embedded Runge–Kutta formulae (1980); Bogacki and Shampine, A 3(2) pair (1989).
 * Left out: dense output, stiff equations.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import { createRng } from '../core/random';
import { scalar } from '../core/tensor';
import { compiled, loop, type CompiledFunction, type Engine } from '../sampling/sampler';

/** f: the slope of every tensor of the state, at a time t []. */
export type Field = (state: readonly tf.Tensor[], t: tf.Tensor, given: readonly tf.Tensor[]) => readonly tf.Tensor[];

interface Tableau {
  readonly order: number;
  /** Where in the step, and with what of the stages before, each stage is evaluated. */
  readonly stages: readonly { readonly node: number; readonly row: readonly number[] }[];
  readonly weights: readonly number[];
  /** The weights less those of the neighbouring order; the last stage is then the next step's first. */
  readonly errors?: readonly number[];
}

const stages = (...rows: readonly (readonly number[])[]) =>
  rows.map((row) => ({ node: row.reduce((a, b) => a + b, 0), row }));

const TABLEAUS = {
  euler: { order: 1, stages: stages([]), weights: [1] },
  /** The trapezoidal rule with Euler's guess of the end. */
  heun: { order: 2, stages: stages([], [1]), weights: [1 / 2, 1 / 2] },
  /** The classical method of order 4. */
  'runge-kutta': {
    order: 4,
    stages: stages([], [1 / 2], [0, 1 / 2], [0, 0, 1]),
    weights: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
  },
  'bogacki-shampine': {
    order: 3,
    stages: stages([], [1 / 2], [0, 3 / 4], [2 / 9, 1 / 3, 4 / 9]),
    weights: [2 / 9, 1 / 3, 4 / 9, 0],
    errors: [2 / 9 - 7 / 24, 1 / 3 - 1 / 4, 4 / 9 - 1 / 3, -1 / 8],
  },
  'dormand-prince': {
    order: 5,
    stages: stages(
      [],
      [1 / 5],
      [3 / 40, 9 / 40],
      [44 / 45, -56 / 15, 32 / 9],
      [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
      [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
      [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
    ),
    weights: [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0],
    errors: [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40],
  },
} as const satisfies Readonly<Record<string, Tableau>>;

export type SolverName = keyof typeof TABLEAUS;
/** Those that tell their own error. */
export type AdaptiveName = 'bogacki-shampine' | 'dormand-prince';

function tableauOf(name: SolverName): Tableau {
  if (!Object.hasOwn(TABLEAUS, name))
    throw new Error(`solver: expected ${Object.keys(TABLEAUS).join(', ')}, got '${String(name)}'`);
  return TABLEAUS[name];
}

/** Evaluations of f in a step of fixed length. */
export const evaluationsPerStep = (name: SolverName): number =>
  tableauOf(name).weights.filter((weight, i, all) => weight !== 0 || all.slice(i).some((w) => w !== 0)).length;

/** Σ_j a_j tensors_j, of the a that are not 0; undefined where there are none. */
function combined(weights: readonly number[], tensors: readonly tf.Tensor[]): tf.Tensor | undefined {
  return weights.reduce<tf.Tensor | undefined>((sum, weight, j) => {
    if (weight === 0) return sum;
    const term = weight === 1 ? tensors[j]! : tensors[j]!.mul(weight);
    return sum ? sum.add(term) : term;
  }, undefined);
}

interface Place {
  readonly t: tf.Tensor;
  readonly h: tf.Tensor;
  readonly given: readonly tf.Tensor[];
}

/** The slopes k_1, …, k_count: [stage][tensor] */
function slopesOf(
  { stages: all }: Tableau,
  field: Field,
  state: readonly tf.Tensor[],
  { t, h, given }: Place,
  { count, first }: { readonly count: number; readonly first?: readonly tf.Tensor[] },
) {
  const slopes: (readonly tf.Tensor[])[] = [];
  for (const { node, row } of all.slice(0, count)) {
    const at = state.map((z, i) => {
      const move = combined(row, slopes.map((k) => k[i]!)); // prettier-ignore
      return move ? z.add(move.mul(h)) : z;
    });
    slopes.push(first && slopes.length === 0 ? first : field(at, node === 0 ? t : t.add(h.mul(node)), given));
  }
  return slopes;
}

const moved = (state: readonly tf.Tensor[], slopes: readonly (readonly tf.Tensor[])[], weights: readonly number[], h: tf.Tensor) =>
  state.map((z, i) => z.add(combined(weights, slopes.map((k) => k[i]!))!.mul(h))); // prettier-ignore

/**
 * One step of length h from time t: state → state. t and h are scalars [], h < 0 goes back in time.
 * @example
 * const decay = solverStep('heun', ([z]) => [z!.neg()]);
 * decay([tf.tensor1d([1])], tf.scalar(0), tf.scalar(0.1), [])[0] // → [0.905]
 */
export function solverStep(name: SolverName, field: Field) {
  const tableau = tableauOf(name);
  const count = evaluationsPerStep(name);
  return (state: readonly tf.Tensor[], t: tf.Tensor, h: tf.Tensor, given: readonly tf.Tensor[] = []): tf.Tensor[] =>
    tf.tidy(() => moved(state, slopesOf(tableau, field, state, { t, h, given }, { count }), tableau.weights, h));
}

// Steps of one length

export interface FixedSpan {
  readonly from: number;
  readonly to: number;
  readonly steps: number;
}

export interface FixedSolver {
  /** The state at `to`. The caller owns it. */
  (state: readonly tf.Tensor[], span: FixedSpan, given?: readonly tf.Tensor[]): tf.Tensor[];
  engine(): string;
}

/** All of a path in steps of one length: the step is compiled once, whatever their number and the span. */
export function fixedSolver(field: Field, name: SolverName, engine: Engine = 'auto'): FixedSolver {
  const step = solverStep(name, field);
  const run = loop(
    (state, i, _, [from, h, ...given]) => step(state, from!.add(h!.mul(i.toFloat())), h!, given),
    { engine },
  ); // prettier-ignore
  const solve = (state: readonly tf.Tensor[], { from, to, steps }: FixedSpan, given: readonly tf.Tensor[] = []) => {
    requireCounts('solver', { steps });
    return tf.tidy(() => run(state, steps, NO_NOISE, [tf.scalar(from), tf.scalar((to - from) / steps), ...given]));
  };
  return Object.assign(solve, { engine: run.engine });
}

const NO_NOISE = createRng('a solver draws nothing');

// Steps as long as the error allows

export interface AdaptiveSpan {
  readonly from: number;
  readonly to: number;
  /** A step's error may be absolute + relative · |z|, of the root mean square of an example. Default: 10⁻⁵ both. */
  readonly relative?: number;
  readonly absolute?: number;
}

export interface AdaptiveResult {
  /** The caller owns it. */
  readonly state: tf.Tensor[];
  /** Of f, on the whole batch. */
  readonly evaluations: number;
  readonly rejected: number;
  /** From `from` to `to`, the ends of all steps that were accepted. */
  readonly times: readonly number[];
}

/** @throws where no step is short enough, or after 10,000 of them */
export type AdaptiveSolver = (
  state: readonly tf.Tensor[],
  span: AdaptiveSpan,
  given?: readonly tf.Tensor[],
) => AdaptiveResult;

export interface AdaptiveOptions {
  /** Default: 'dormand-prince' */
  readonly solver?: AdaptiveName;
  /** How many tensors the state has. Default: 1 */
  readonly tensors?: number;
  readonly engine?: Engine;
}

/**
 * Each step is tried, and taken where the two orders agree within the tolerance for every example of the batch; the next
 * is as long as that error asks for. One step is compiled; how long it is, is decided here.
 */
export function adaptiveSolver(
  field: Field,
  { solver = 'dormand-prince', tensors = 1, engine = 'auto' }: AdaptiveOptions = {},
): AdaptiveSolver {
  const tableau = tableauOf(solver);
  const { errors, weights, order, stages: all } = tableau;
  if (!errors) throw new Error(`adaptiveSolver: '${solver}' does not tell its error; take dormand-prince`);
  const start = compiled(([t, ...rest]) => [...field(rest.slice(0, tensors), t!, rest.slice(tensors))], { engine });
  const trial = compiled(
    ([t, h, relative, absolute, ...rest]) => {
      const [state, first, given] = [rest.slice(0, tensors), rest.slice(tensors, 2 * tensors), rest.slice(2 * tensors)];
      const slopes = slopesOf(tableau, field, state, { t: t!, h: h!, given }, { count: all.length, first });
      const next = moved(state, slopes, weights, h!);
      const apart = state.map((_, i) => combined(errors, slopes.map((k) => k[i]!))!.mul(h!)); // prettier-ignore
      const allowed = state.map((z, i) => z.abs().maximum(next[i]!.abs()).mul(relative!).add(absolute!));
      const ratios = tf.concat(apart.map((e, i) => e.div(allowed[i]!).reshape([e.shape[0]!, -1])), 1); // prettier-ignore
      return [...next, ...slopes.at(-1)!, ratios.square().mean(1).max().sqrt()];
    },
    { engine },
  );
  const path = { start, trial, exponent: 1 / order, perTry: all.length - 1 };
  return (state, span, given = []) => {
    if (state.length !== tensors)
      throw new Error(`adaptiveSolver: made for a state of ${tensors} tensors, got ${state.length}`);
    return start.together(() => trial.together(() => follow(path, state, span, given)));
  };
}

interface Path {
  readonly start: CompiledFunction;
  readonly trial: CompiledFunction;
  readonly exponent: number;
  /** Evaluations of a try: its first is the last of the step before. */
  readonly perTry: number;
}

function follow(
  { start, trial, exponent, perTry }: Path,
  first: readonly tf.Tensor[],
  { from, to, relative = 1e-5, absolute = 1e-5 }: AdaptiveSpan,
  given: readonly tf.Tensor[],
): AdaptiveResult {
  const length = Math.abs(to - from);
  let state = first.map((z) => z.clone());
  let slopes = run(start, [from], [...state, ...given]);
  let [t, h, tries] = [from, (to - from) / 20, 0];
  const times = [from];
  while (Math.abs(to - t) > 1e-9 * length) {
    if (Math.abs(h) > Math.abs(to - t)) h = to - t;
    const out = run(trial, [t, h, relative, absolute], [...state, ...slopes, ...given]);
    const error = scalar(out.pop()!);
    tries++;
    if (error <= 1) {
      tf.dispose([...state, ...slopes]);
      [state, slopes] = [out.slice(0, state.length), out.slice(state.length)];
      t += h;
      times.push(t);
    } else tf.dispose(out);
    h *= nextLength(error, exponent);
    if (Math.abs(h) > 1e-7 * length && tries < MOST_TRIES) continue;
    tf.dispose([...state, ...slopes]);
    throw new Error(`adaptiveSolver: at t = ${t} no step is short enough for a tolerance of ${relative}; allow more, or look at the field`); // prettier-ignore
  }
  tf.dispose(slopes);
  return { state, evaluations: 1 + tries * perTry, rejected: tries - times.length + 1, times };
}

const [SAFETY, SHRINK, GROW, MOST_TRIES] = [0.9, 0.2, 5, 10_000];

/** By how much the next step is longer: an error in proportion to h^(1/exponent) would then be a little below 1. */
function nextLength(error: number, exponent: number): number {
  if (!Number.isFinite(error)) return SHRINK;
  return Math.min(GROW, Math.max(SHRINK, SAFETY * Math.max(error, 1e-8) ** -exponent));
}

function run(f: CompiledFunction, numbers: readonly number[], tensors: readonly tf.Tensor[]): tf.Tensor[] {
  const scalars = numbers.map((value) => tf.scalar(value));
  try {
    return f([...scalars, ...tensors], NO_NOISE);
  } finally {
    tf.dispose(scalars);
  }
}
