/**
 * Comparing what came with what was expected. Each helper returns the value with its type known, or throws a
 * `Mismatch` that names the first difference.
 *
 * NaN equals nothing but an expected NaN, and an infinity nothing but the same infinity: tfjs' own helper takes
 * NaN, Infinity and 10⁻³ of error for equal.
 */
import * as tf from '@tensorflow/tfjs';
import { Mismatch, type NumberArray, type Value } from './exercise';

export interface Expectation {
  /** What is compared, for the message: "the responsibilities". */
  readonly what?: string;
  readonly hint?: string;
}

export interface TensorExpectation extends Expectation {
  /** A letter stands for any size, `null` for any shape. */
  readonly shape?: readonly (number | string)[] | null;
  readonly dtype?: tf.DataType;
  /** Whether NaN and ±∞ may occur; `false` unless said. */
  readonly nonFinite?: boolean;
}

export interface Tolerance extends Expectation {
  /** |got − expected| ≤ atol + rtol |expected|; both fit float32 sums of some thousand terms. */
  readonly rtol?: number;
  readonly atol?: number;
}

const RTOL = 1e-4;
const ATOL = 1e-5;

/** A tensor of that shape and type, without NaN or ±∞ unless they are allowed. */
export function expectTensor(got: Value, expected: TensorExpectation = {}): tf.Tensor {
  const { what = 'the result', hint, shape = null, dtype = 'float32', nonFinite = false } = expected;
  const wanted = `${what} to be a tensor ${shape ? `[${shape.join(', ')}]` : ''}`.trim();
  if (!(got instanceof tf.Tensor)) throw new Mismatch(wanted, describe(got), hint);
  if (shape && !fits(got.shape, shape)) throw new Mismatch(wanted, describe(got), hint);
  if (got.dtype !== dtype) throw new Mismatch(`${wanted} of ${dtype}`, describe(got), hint);
  if (!nonFinite) expectFinite(got, what, hint);
  return got;
}

/** A finite number, and not a tensor that holds one. */
export function expectNumber(got: Value, { what = 'the result', hint }: Expectation = {}): number {
  if (typeof got !== 'number') throw new Mismatch(`${what} to be a number`, describe(got), remedy(got, hint));
  if (!Number.isFinite(got)) throw new Mismatch(`${what} to be finite`, String(got), hint);
  return got;
}

/** An object that has all of these fields. */
export function expectFields<Key extends string>(
  got: Value,
  fields: readonly Key[],
  { what = 'the result', hint }: Expectation = {},
): Readonly<Record<Key, Value>> {
  const wanted = `${what} to be { ${fields.join(', ')} }`;
  if (!isRecord(got)) throw new Mismatch(wanted, describe(got), hint);
  const missing = fields.filter((field) => !Object.hasOwn(got, field));
  if (missing.length > 0) throw new Mismatch(wanted, `no field ${missing.join(', ')}`, hint);
  return got as Record<Key, Value>;
}

/** An array, of that length if one is given. */
export function expectArray(
  got: Value,
  { what = 'the result', hint, length }: Expectation & { readonly length?: number } = {},
): readonly Value[] {
  const wanted = `${what} to be an array${length === undefined ? '' : ` of ${length}`}`;
  if (!Array.isArray(got)) throw new Mismatch(wanted, describe(got), hint);
  if (length !== undefined && got.length !== length) throw new Mismatch(wanted, `an array of ${got.length}`, hint);
  return got as readonly Value[];
}

/** Something that must hold and is no comparison of numbers. */
export function expectTrue(holds: boolean, expected: string, got: string, hint?: string): void {
  if (!holds) throw new Mismatch(expected, got, hint);
}

/**
 * `got` has the kind, the shape, the dtype and, within the tolerance, the numbers of `expected`.
 * @throws Mismatch "expected the densities[2, 0] to be 0.5, got 0.25"
 */
export function expectClose(got: Value, expected: Value, tolerance: Tolerance = {}): void {
  const { what = 'the result', hint } = tolerance;
  if (expected instanceof tf.Tensor) return expectCloseTensor(got, expected, what, tolerance);
  if (typeof expected === 'number') return expectCloseNumber(got, expected, what, tolerance);
  if (isNumberArray(expected)) return expectCloseArray(got, expected, what, tolerance);
  if (Array.isArray(expected)) return expectCloseList(got, expected as readonly Value[], what, tolerance);
  if (isRecord(expected)) return expectCloseFields(got, expected, what, tolerance);
  if (got !== expected) throw new Mismatch(`${what} to be ${show(expected)}`, describe(got), hint);
}

/** A value in a few words, for a message. */
export function describe(value: Value): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return format(value);
  if (typeof value === 'string') return show(value);
  if (value instanceof tf.Tensor) return `a tensor [${value.shape.join(', ')}] of ${value.dtype}`;
  if (isNumberArray(value)) return `a ${value.constructor.name} of ${value.length}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'function') return 'a function';
  const keys = Object.keys(value);
  return keys.length === 0 ? 'an empty object' : `an object { ${keys.slice(0, 6).join(', ')} }`;
}

function expectCloseTensor(got: Value, expected: tf.Tensor, what: string, tolerance: Tolerance): void {
  const wanted = { ...tolerance, what, shape: expected.shape, dtype: expected.dtype, nonFinite: true };
  const tensor = expectTensor(got, wanted);
  const index = (at: number) => `[${coordinates(at, expected.shape).join(', ')}]`;
  expectSame(tensor.dataSync(), expected.dataSync(), (at) => what + index(at), tolerance);
}

function expectCloseNumber(got: Value, expected: number, what: string, tolerance: Tolerance): void {
  if (typeof got !== 'number')
    throw new Mismatch(`${what} to be ${format(expected)}`, describe(got), remedy(got, tolerance.hint));
  expectSame([got], [expected], () => what, tolerance);
}

function expectCloseArray(got: Value, expected: NumberArray, what: string, tolerance: Tolerance): void {
  if (!isNumberArray(got) || got.constructor !== expected.constructor || got.length !== expected.length)
    throw new Mismatch(`${what} to be ${describe(expected)}`, describe(got), tolerance.hint);
  expectSame(got, expected, (at) => `${what}[${at}]`, tolerance);
}

function expectCloseList(got: Value, expected: readonly Value[], what: string, tolerance: Tolerance): void {
  const list = expectArray(got, { ...tolerance, what, length: expected.length });
  expected.forEach((item, i) => expectClose(list[i], item, { ...tolerance, what: `${what}[${i}]` }));
}

function expectCloseFields(
  got: Value,
  expected: { readonly [key: string]: Value },
  what: string,
  tolerance: Tolerance,
): void {
  const fields = expectFields(got, Object.keys(expected), { ...tolerance, what });
  for (const [key, item] of Object.entries(expected))
    expectClose(fields[key], item, { ...tolerance, what: `${what}.${key}` });
}

type Numbers = ArrayLike<number>;

function expectSame(got: Numbers, expected: Numbers, name: (at: number) => string, tolerance: Tolerance): void {
  const { rtol = RTOL, atol = ATOL, hint } = tolerance;
  let wrong = 0;
  let first = -1;
  for (let i = 0; i < expected.length; i++) {
    if (isClose(got[i]!, expected[i]!, rtol, atol)) continue;
    if (first < 0) first = i;
    wrong += 1;
  }
  if (first < 0) return;
  const others = wrong === 1 ? '' : ` (${wrong} of ${expected.length} numbers differ)`;
  throw new Mismatch(`${name(first)} to be ${format(expected[first]!)}`, `${format(got[first]!)}${others}`, hint);
}

/** Equal within the tolerance; NaN only to NaN, an infinity only to itself. */
export function isClose(got: number, expected: number, rtol = RTOL, atol = ATOL): boolean {
  if (!Number.isFinite(expected) || !Number.isFinite(got)) return Object.is(got, expected);
  return Math.abs(got - expected) <= atol + rtol * Math.abs(expected);
}

function expectFinite(tensor: tf.Tensor, what: string, hint: string | undefined): void {
  const data = tensor.dataSync();
  const at = data.findIndex((x) => !Number.isFinite(x));
  if (at < 0) return;
  const where = `${what}[${coordinates(at, tensor.shape).join(', ')}]`;
  throw new Mismatch(`${where} to be finite`, String(data[at]), hint);
}

function fits(shape: readonly number[], wanted: readonly (number | string)[]): boolean {
  return shape.length === wanted.length && wanted.every((n, i) => typeof n === 'string' || n === shape[i]);
}

function coordinates(at: number, shape: readonly number[]): number[] {
  const result: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result.unshift(at % shape[axis]!);
    at = Math.floor(at / shape[axis]!);
  }
  return result;
}

/** Six digits say enough, unless the number is an integer. */
function format(x: number): string {
  return Number.isInteger(x) || !Number.isFinite(x) ? String(x) : String(Number(x.toPrecision(6)));
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** A number that is still in its tensor wants out before whatever the check has to say of its value. */
function remedy(got: Value, hint: string | undefined): string | undefined {
  return got instanceof tf.Tensor && got.size === 1 ? 'dataSync()[0] takes the number out of a tensor' : hint;
}

function isNumberArray(value: Value): value is NumberArray {
  return ArrayBuffer.isView(value);
}

function isRecord(value: Value): value is { readonly [key: string]: Value } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof tf.Tensor)
  );
}
