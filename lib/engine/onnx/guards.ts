/**
 * Operators that a graphics device computes without regard to NaN and infinities, put together so that these survive:
 * WGSL leaves the logarithm of a number ≤ 0 undefined, and lets an implementation take every number for finite. What
 * copies, compares, adds, multiplies or divides numbers can be relied on. Not promised: numbers below 2⁻¹²⁶ may count
 * as 0; sin, cos and tan of numbers beyond 10⁵ may be anything between −1 and 1; sin and cos are known to 2⁻¹¹, tan, asin,
 * acos and atan to 4,096 units in the last place.
 * Reference: W3C, WebGPU Shading Language, 15.7 (floating-point evaluation) and 17.5 (numeric built-in functions).
 */
import type { Attributes, Element } from './format';

/** What of the builder a guard writes with; `plain` is an operator as it is. */
interface Writer {
  plain(opType: string, input: readonly string[], attributes?: Attributes): string;
  constant(value: number, element: Element): string;
  ints(values: readonly number[]): string;
  numberIn(x: string): number | undefined;
}

type Guard = (w: Writer, input: readonly string[], attributes: Attributes) => string;

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
const float = (w: Writer, value: number): string => w.constant(value, 'float32');
const where = (w: Writer, condition: string, x: string, y: string): string => w.plain('Where', [condition, x, y]);
const compare = (w: Writer, op: string, x: string, y: number): string => w.plain(op, [x, float(w, y)]);
const size = (w: Writer, x: string): string => w.plain('Abs', [x]);
/** For every type: an integer is equal to itself. */
const isNaN = (w: Writer, x: string): string => w.plain('Not', [w.plain('Equal', [x, x])]);

/** A function that is NaN where its operand is, and nowhere else. */
const keepingNaN =
  (op: string): Guard =>
  (w, input, attributes) =>
    where(w, isNaN(w, input[0]!), input[0]!, w.plain(op, input, attributes));

/** A function that is NaN where |x| compares otherwise with a bound, or not at all. */
const within =
  (op: string, comparison: 'Less' | 'LessOrEqual', bound: number): Guard =>
  (w, [x], attributes) =>
    where(w, compare(w, comparison, size(w, x!), bound), w.plain(op, [x!], attributes), float(w, nan));

const log: Guard = (w, [x]) => {
  const outside = where(w, compare(w, 'Equal', x!, 0), float(w, -infinity), float(w, nan));
  return where(w, compare(w, 'Greater', x!, 0), w.plain('Log', [x!]), outside);
};

const exp = keepingNaN('Exp');

/** ln 2x, which acosh x and asinh x are within float32 from here on, where their own formulas square x. */
const LARGE = 1e8;
const logOfTwice = (w: Writer, x: string): string => w.plain('Add', [log(w, [x], {}), float(w, Math.LN2)]);

const acosh: Guard = (w, [x]) => {
  const inside = where(w, compare(w, 'Greater', x!, LARGE), logOfTwice(w, x!), w.plain('Acosh', [x!]));
  return where(w, compare(w, 'GreaterOrEqual', x!, 1), inside, float(w, nan));
};

const asinh: Guard = (w, [x]) => {
  const far = w.plain('Mul', [w.plain('Sign', [x!]), logOfTwice(w, size(w, x!))]);
  const near = where(w, compare(w, 'Greater', size(w, x!), LARGE), far, w.plain('Asinh', [x!]));
  return where(w, isNaN(w, x!), x!, near);
};

const atanh: Guard = (w, [x]) => {
  const edge = w.plain('Mul', [x!, float(w, infinity)]);
  const inside = where(w, compare(w, 'Equal', size(w, x!), 1), edge, w.plain('Atanh', [x!]));
  return where(w, compare(w, 'LessOrEqual', size(w, x!), 1), inside, float(w, nan));
};

const sqrt: Guard = (w, [x]) => where(w, compare(w, 'GreaterOrEqual', x!, 0), w.plain('Sqrt', [x!]), float(w, nan));

const relu: Guard = (w, [x]) => where(w, compare(w, 'LessOrEqual', x!, 0), float(w, 0), x!);

/** The first operand where it is the extreme or NaN, else the second: NaN if that is. Of integers, too. */
const extreme =
  (isFirst: 'Greater' | 'Less'): Guard =>
  (w, [x, y]) =>
    where(w, w.plain('Or', [w.plain(isFirst, [x!, y!]), isNaN(w, x!)]), x!, y!);

/**
 * |x|^y = exp(y ln |x|), with the sign of x where y is odd; NaN for a finite x < 0 where y is no integer. As in
 * JavaScript, x⁰ is 1 for every x, and (±1)^±∞ is NaN.
 */
const pow: Guard = (w, [x, y]) => {
  if (w.numberIn(y!) === 2) return w.plain('Mul', [x!, x!]);
  const magnitude = exp(w, [w.plain('Mul', [y!, log(w, [size(w, x!)], {})])], {});
  const isMultiple = (of: number) => {
    const parts = w.plain('Div', [y!, float(w, of)]);
    return w.plain('Equal', [w.plain('Floor', [parts]), parts]);
  };
  const isFraction = w.plain('Not', [isMultiple(1)]);
  const isOdd = w.plain('And', [isMultiple(1), w.plain('Not', [isMultiple(2)])]);
  const reciprocalOfZero = where(w, compare(w, 'Equal', x!, 0), w.plain('Div', [float(w, 1), x!]), x!);
  const isNegative = compare(w, 'Less', reciprocalOfZero, 0);
  const signed = where(w, w.plain('And', [isNegative, isOdd]), w.plain('Neg', [magnitude]), magnitude);
  const isFinite = compare(w, 'Less', size(w, x!), infinity);
  const isBelow = w.plain('And', [compare(w, 'Less', x!, 0), isFinite]);
  const defined = where(w, w.plain('And', [isBelow, isFraction]), float(w, nan), signed);
  return where(w, compare(w, 'Equal', y!, 0), float(w, 1), defined);
};

/** NaN in every row that holds NaN, or whose largest number is infinite. */
const ofRows =
  (op: string): Guard =>
  (w, [x], attributes) => {
    const axes = w.ints([attributes['axis'] as number]);
    const largest = w.plain('ReduceMax', [x!, axes], { keepdims: 1 });
    const total = w.plain('ReduceL1', [x!, axes], { keepdims: 1 }); // NaN if one is, and never otherwise
    const bad = where(w, isNaN(w, total), total, w.plain('Sub', [largest, largest]));
    return w.plain('Add', [w.plain(op, [x!], attributes), bad]);
  };

const FUNCTIONS = ['Atan', 'Clip', 'Cosh', 'Elu', 'Erf', 'Exp', 'LeakyRelu', 'Selu', 'Sinh', 'Tanh'] as const;

/** By ONNX's names. */
export const guards: Readonly<Record<string, Guard>> = {
  ...Object.fromEntries(FUNCTIONS.map((op) => [op, keepingNaN(op)])),
  Acos: within('Acos', 'LessOrEqual', 1),
  Acosh: acosh,
  Asin: within('Asin', 'LessOrEqual', 1),
  Asinh: asinh,
  Atanh: atanh,
  Cos: within('Cos', 'Less', infinity),
  Log: log,
  LogSoftmax: ofRows('LogSoftmax'),
  Max: extreme('Greater'),
  Min: extreme('Less'),
  Pow: pow,
  Relu: relu,
  Sin: within('Sin', 'Less', infinity),
  Softmax: ofRows('Softmax'),
  Sqrt: sqrt,
  Tan: within('Tan', 'Less', infinity),
};
