/**
 * Step 7: sampling, with its options checked, and compiled. The families' one way to the engine: `sampler` makes a
 * model's `sample` of a pure function, `loop` and `compiled` serve those that take many steps.
 */
import * as tf from '@tensorflow/tfjs';
import { compiled, type Loop } from '../engine';
import type { SampleOptions, Sampler } from '../core/model';

export { compiled, loop, type Body, type CompiledFunction, type Loop } from '../engine';

/** How samples are drawn: see `SampleOptions`. */
export type Engine = NonNullable<SampleOptions['engine']>;

/** What a sampler's body gets: the options, checked, without those that are undefined. */
export type Asked<Options extends SampleOptions> = Options & { readonly engine: Engine };

/** The options beyond count, rng and engine, each with a check that throws when the value is none it can take. */
export type Takes<Options extends SampleOptions> = {
  readonly [Name in Exclude<keyof Options, keyof SampleOptions>]-?: (
    value: NonNullable<Options[Name]>,
    options: Options,
  ) => void;
};

export interface SamplerSettings<Options extends SampleOptions> {
  /** Default: none; any further option is then an error. */
  readonly takes?: Takes<Options>;
  /**
   * The loop that a body of many steps runs in, one for each engine: it is compiled by itself, and the body around it
   * runs as it is. Default: the body is compiled.
   */
  readonly loops?: Readonly<Record<Engine, Pick<Loop, 'engine'>>>;
}

/** A sampler that knows what ran it last. */
export interface EngineSampler<Options extends SampleOptions = SampleOptions> extends Sampler<Options> {
  engine(): string;
}

/**
 * A model's `sample`, compiled where it can be: the same seed gives the same examples, up to rounding, as without.
 *
 * Tensors among the options are inputs of the compiled body; any other is fixed in it, so that another value is
 * compiled anew. Within a trace the body becomes part of that, and within a gradient it runs eagerly, since what is
 * compiled has no slope.
 * @param name who speaks in its errors, such as 'circuit'
 * @param body [count, ...event] of the options. Pure: every draw comes from `rng`. What it makes is tidied up
 */
export function sampler<Options extends SampleOptions = SampleOptions>(
  name: string,
  body: (asked: Asked<Options>) => tf.Tensor,
  { takes, loops }: SamplerSettings<Options> = {},
): EngineSampler<Options> {
  const where = `${name}.sample`;
  const draw = body as (asked: AnyAsked) => tf.Tensor;
  const formOf = createForms(where, draw);
  let engine = () => 'not run yet';
  const sample = (options: Options, ...older: readonly unknown[]): tf.Tensor => {
    const inGradient = tf.engine().state.gradientDepth > 0;
    const checked = checkedOptions(where, options, older, (takes ?? {}) as Checks);
    const asked: AnyAsked = inGradient ? { ...checked, engine: 'eager' } : checked;
    if (loops) engine = () => loops[asked.engine].engine();
    if (loops || inGradient) return tf.tidy(() => draw(asked).clone()); // it may be one of the options
    const form = formOf(asked);
    engine = form.engine;
    return form.draw(asked);
  };
  return Object.assign(sample, { engine: () => engine() });
}

// Options

type AnyAsked = Readonly<Record<string, unknown>> & Asked<SampleOptions>;
type Checks = Readonly<Record<string, (value: unknown, options: SampleOptions) => void>>;

const BASIC = ['count', 'rng', 'engine'];

function checkedOptions(where: string, options: SampleOptions, older: readonly unknown[], checks: Checks): AnyAsked {
  if (typeof options !== 'object' || options === null) throw new Error(`${where}: ${newForm(options, older)}`);
  const known = [...BASIC, ...Object.keys(checks)];
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name] of given)
    if (!known.includes(name)) throw new Error(`${where}: there is no option '${name}'; it takes ${known.join(', ')}`);
  const { count, rng, engine = 'auto' } = options;
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`${where}: count must be an integer ≥ 1, got ${shown(count)}`);
  if (typeof (rng as Partial<typeof rng> | undefined)?.fork !== 'function')
    throw new Error(
      `${where}: rng must be a stream of random numbers, got ${shown(rng)}; give createRng(7), or a fork`,
    );
  if (engine !== 'auto' && engine !== 'eager')
    throw new Error(`${where}: engine must be 'auto' or 'eager', got ${shown(engine)}`);
  for (const [name, value] of given) checks[name]?.(value, options);
  return { ...Object.fromEntries(given), count, rng, engine };
}

/** What to write in place of arguments in a row, as they once were: count, rng, given, temperature. */
function newForm(count: unknown, older: readonly unknown[]): string {
  const rest = ['given', 'temperature'].filter((_, i) => older[i + 1] !== undefined);
  const names = [`count: ${typeof count === 'number' ? count : 16}`, 'rng', ...rest].join(', ');
  return `expected one object of options, got ${shown(count)}; write sample({ ${names} })`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  return value === null || ['number', 'boolean', 'undefined'].includes(typeof value) ? String(value) : typeof value;
}

// Forms

/** The body, compiled for one value of every option that is no tensor. */
interface Form {
  draw(asked: AnyAsked): tf.Tensor;
  engine(): string;
}

const MOST_FORMS = 32; // of one sampler: each has a graph of its own

function createForms(where: string, body: (asked: AnyAsked) => tf.Tensor): (asked: AnyAsked) => Form {
  const forms = new Map<string, Form>(); // the least recently used first
  return ({ rng: _, ...asked }) => {
    const names = Object.keys(asked).sort(); // in whatever order they were given
    const tensors = names.filter((name) => asked[name] instanceof tf.Tensor);
    const fixed = names.filter((name) => !tensors.includes(name)).map((name) => [name, asked[name]] as const);
    const key = JSON.stringify([tensors, fixed.map(([name, value]) => [name, keyOf(`${where}: ${name}`, value)])]);
    const form = forms.get(key) ?? formOf(body, tensors, Object.fromEntries(fixed));
    forms.delete(key);
    forms.set(key, form);
    if (forms.size > MOST_FORMS) forms.delete(forms.keys().next().value!);
    return form;
  };
}

function keyOf(what: string, value: unknown): string {
  if (!['number', 'string', 'boolean'].includes(typeof value))
    throw new Error(`${what} must be a tensor, a number, a text, or true or false, got ${shown(value)}`);
  return `${typeof value} ${String(value)}`;
}

function formOf(
  body: (asked: AnyAsked) => tf.Tensor,
  tensors: readonly string[],
  fixed: Readonly<Record<string, unknown>>,
): Form {
  const run = compiled(
    (inputs, rng) => {
      const traced = Object.fromEntries(tensors.map((name, i) => [name, inputs[i]]));
      return [body({ ...fixed, ...traced, rng } as unknown as AnyAsked)];
    },
    { engine: fixed['engine'] as Engine },
  );
  const inputsOf = (asked: AnyAsked) => tensors.map((name) => asked[name] as tf.Tensor);
  return { draw: (asked) => run(inputsOf(asked), asked.rng)[0]!, engine: run.engine };
}
