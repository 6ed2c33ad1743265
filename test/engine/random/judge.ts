/**
 * Whether a compiled graph computes what eager code does. Two float32 computations of one formula differ by rounding;
 * how much that may come to is found by moving the inputs a little: what reacts to that may also react to rounding.
 */
import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { compileNow, type CompileOptions, type Numbers } from '../../../lib/engine/call/compile';
import { printGraph } from '../../../lib/engine/graph/print';
import { program } from '../../../lib/engine/trace/program';
import { TraceError } from '../../../lib/engine/trace/trace';
import { functionOf, inputsOf, moved, type Input, type Recipe } from './graphs';

export type Verdict =
  /** Eager code refuses it, and so does compiled code. */
  | 'refused'
  /** It cannot be compiled. */
  | 'eager'
  | 'same';

export interface Result {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: ArrayLike<number>;
}

const EPSILON = 2 ** -23;

/** What two computations of one formula may differ by. */
interface Precision {
  /** How far inputs and constants are moved, as part of themselves, to see what reacts. */
  readonly moved: number;
  /** In units of float32, of the largest number. */
  readonly roundings: number;
}

const OF_CPU: Precision = { moved: 2 ** -16, roundings: 128 };

/**
 * WGSL knows sin and cos to 2⁻¹¹, and what is put together from them or from an arc tangent to 4,096 units in the last
 * place. Reference: W3C, WebGPU Shading Language, 15.7.4 (floating-point accuracy).
 */
const OF_GRAPHICS: Precision = { moved: 2 ** -11, roundings: 2 ** 13 };

const isOnGraphics = ({ device = 'cpu' }: CompileOptions): boolean => device !== 'cpu';

/** As it is judged: a graphics device may make anything of the sine of 10³⁵, so that it gets no extremes as angles. */
const judged = (recipe: Recipe, options: CompileOptions): Recipe =>
  isOnGraphics(options) && recipe.steps.some(({ name }) => /^(sin|cos|tan)$/.test(name))
    ? { ...recipe, wild: false }
    : recipe;

const numbersOf = ({ values, dtype }: Input): Numbers =>
  dtype === 'float32'
    ? Float32Array.from(values)
    : dtype === 'int32'
      ? Int32Array.from(values)
      : Uint8Array.from(values);

/** @param move how far inputs and constants are moved */
function eagerly(recipe: Recipe, inputs: readonly Input[], move = 0): Result[] {
  return tf.tidy(() => {
    const tensors = inputs.map(({ values, shape, dtype }, k) =>
      moved(tf.tensor([...values], [...shape], dtype), move, k),
    );
    const results = functionOf(recipe, move)(tensors);
    return results.map((y) => ({ shape: y.shape, dtype: y.dtype, values: y.dataSync().slice() }));
  });
}

/** @throws Error with the graph and the numbers, where they differ */
export function judge(drawn: Recipe, options: CompileOptions = { device: 'cpu' }): Verdict {
  const recipe = judged(drawn, options);
  const precision = isOnGraphics(options) ? OF_GRAPHICS : OF_CPU;
  const [f, inputs] = [functionOf(recipe), inputsOf(recipe)];
  let want: Result[];
  try {
    want = eagerly(recipe, inputs);
  } catch (error) {
    return refusedToo(f, inputs, error as Error, options);
  }
  let compiled;
  try {
    compiled = compileNow((x) => f(x), inputs, { quiet: true, ...options });
  } catch (error) {
    if (error instanceof TraceError) return 'eager';
    throw error;
  }
  try {
    const got = compiled.runNow(inputs.map(numbersOf), createRng(1));
    const near = [precision.moved, -precision.moved].map((move) => eagerly(recipe, inputs, move));
    const spread = infinitiesSpread(recipe, want);
    want.forEach((result, k) => {
      if (spread && Array.from(got[k]!).some(Number.isNaN)) return;
      const made = { ...compiled!.outputs[k]!, values: got[k]! };
      const around = near.map((all) => all[k]!);
      const problem = differenceIn(made, result, around, precision.roundings);
      if (problem) throw new Error(`output ${k}: ${problem}\n${described(f, inputs)}`);
    });
    return 'same';
  } finally {
    void compiled.dispose();
  }
}

/** A convolution's padding counts as zeros, and zero times infinity is NaN: see the note of its kernels. */
function infinitiesSpread({ steps }: Recipe, results: readonly Result[]): boolean {
  return (
    steps.some(({ name }) => /^(conv|depthwise)/.test(name)) &&
    results.some(({ values }) => Array.from(values).some((value) => !Number.isFinite(value)))
  );
}

/** What eager code refuses for its shapes cannot be compiled; what it refuses for its numbers is refused when it runs. */
function refusedToo(
  f: (inputs: readonly tf.Tensor[]) => tf.Tensor[],
  inputs: readonly Input[],
  eager: Error,
  options: CompileOptions,
): Verdict {
  let compiled;
  try {
    compiled = compileNow((x) => f(x), inputs, { quiet: true, ...options });
    compiled.runNow(inputs.map(numbersOf), createRng(1));
  } catch {
    return 'refused';
  } finally {
    void compiled?.dispose();
  }
  throw new Error(`eager: ${eager.message}; compiled: no error\n${described(f, inputs)}`);
}

/**
 * Undefined where the results agree.
 * @param near the wanted result for inputs that were moved
 * @param roundings that they may be apart, of the largest number
 */
export function differenceIn(
  got: Result,
  want: Result,
  near: readonly Result[],
  roundings = OF_CPU.roundings,
): string | undefined {
  if (got.dtype !== want.dtype || String(got.shape) !== String(want.shape))
    return `eager ${want.dtype} [${want.shape.join()}], compiled ${got.dtype} [${got.shape.join()}]`;
  const scale = Math.max(1, ...Array.from(want.values).filter(Number.isFinite).map(Math.abs));
  for (let i = 0; i < want.values.length; i++) {
    const [a, b] = [want.values[i]!, got.values[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const around = near.map(({ values }) => values[i]!);
    if (around.some((value) => Number.isFinite(value) !== Number.isFinite(a))) continue; // at the edge of the range
    if (Number.isFinite(a) && want.dtype === 'float32') {
      const reaction = Math.max(...around.map((value) => Math.abs(value - a)));
      if (Math.abs(a - b) <= 2 * reaction + roundings * EPSILON * scale) continue;
    } else if (around.some((value) => value !== a && !(Number.isNaN(value) && Number.isNaN(a)))) continue; // at a step
    return `at ${i}: eager ${a}, compiled ${b}`;
  }
  return undefined;
}

function described(f: (inputs: readonly tf.Tensor[]) => tf.Tensor[], inputs: readonly Input[]): string {
  const given = inputs.map(
    ({ values }, i) => `input ${i}: [${values.map((v) => (Object.is(v, -0) ? '-0' : v)).join()}]`,
  );
  try {
    return [printGraph(program((x) => f(x), inputs, []).graph), ...given].join('\n');
  } catch (error) {
    return [`not compiled: ${(error as Error).message}`, ...given].join('\n');
  }
}
