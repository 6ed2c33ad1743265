/**
 * Values as JSON, for the line between the grader and the process that runs a submission.
 *
 * What comes back was made by code that nobody trusts, so `decode` believes nothing: every field is checked, sizes
 * and depth are bounded, and nothing is ever evaluated. A cell's `check` sends values through the same door, so
 * that what it accepts is what grading accepts.
 *
 * Arrays, strings, booleans, null and finite numbers are themselves in JSON; all else is an object whose `$` says
 * what it is. No zod here: this file is loaded by every notebook.
 */
import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { Given, type Callable, type Value } from './exercise';

/** Bounds on one value. A line longer than `bytes` is refused before it is parsed. */
export const LIMITS = { bytes: 8 * 1024 * 1024, depth: 32, nodes: 200_000, rank: 8 } as const;

/** JSON that stands for a `Value`. */
export type Wire = null | boolean | number | string | readonly Wire[] | { readonly [key: string]: Wire };

/** A value that cannot travel, or JSON that stands for none. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolError';
  }
}

const dtypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
type Dtype = keyof typeof dtypes;

const arrays = { Float32Array, Float64Array, Int32Array, Uint8Array } as const;
type ArrayName = keyof typeof arrays;

const oddNumbers: Readonly<Record<string, number>> = { NaN, Infinity, '-Infinity': -Infinity, '-0': -0 };

/** What stands for functions; whoever has neither takes no function. */
export interface Makers {
  /** Turns the source of a `Given` into a function; only the process that runs the submission has one. */
  readonly evaluate?: (source: string) => unknown;
  /** What calls the function that was kept under that number. */
  readonly callable?: (kept: number) => Callable;
}

type AnyFunction = (...args: never[]) => unknown;

/** Keeps a function for later calls, and gives it a number; only where the submission runs. */
export type Keep = (value: AnyFunction) => number;

/**
 * @param keep takes the functions in the value; without it they are refused
 * @throws ProtocolError naming where in the value something is that cannot travel
 */
export function encode(value: unknown, keep?: Keep): Wire {
  return encodeAt(value, 'the value', new Budget(), keep);
}

/**
 * The value that `wire` stands for. Tensors in it belong to the caller.
 * @param makers make functions; those that have no maker are refused
 * @throws ProtocolError when `wire` stands for no value
 */
export function decode(wire: unknown, makers: Makers = {}): Value {
  return decodeAt(wire, new Budget(), makers);
}

/** Depth and size spent so far: a cyclic or huge value ends in an error and not in a dead process. */
class Budget {
  private nodes = 0;
  private depth = 0;

  within<T>(body: () => T): T {
    if (++this.nodes > LIMITS.nodes) throw new ProtocolError(`more than ${LIMITS.nodes} parts; use a tensor`);
    if (++this.depth > LIMITS.depth) throw new ProtocolError(`nested deeper than ${LIMITS.depth} levels`);
    const result = body();
    this.depth -= 1;
    return result;
  }
}

function encodeAt(value: unknown, where: string, budget: Budget, keep: Keep | undefined): Wire {
  return budget.within(() => {
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
    if (value === undefined) return { $: 'undefined' };
    if (typeof value === 'number') return encodeNumber(value);
    if (typeof value === 'object') return encodeObject(value, where, budget, keep);
    if (typeof value === 'function' && keep) return { $: 'function', kept: keep(value as AnyFunction) };
    throw new ProtocolError(`${where} is a ${typeof value}, which cannot be handed in`);
  });
}

function encodeNumber(value: number): Wire {
  const odd = Object.is(value, -0) ? '-0' : String(value);
  return odd in oddNumbers ? { $: 'number', value: odd } : value;
}

function encodeObject(value: object, where: string, budget: Budget, keep: Keep | undefined): Wire {
  if (value instanceof tf.Tensor) return encodeTensor(value, where);
  if (ArrayBuffer.isView(value)) return encodeArray(value, where);
  if (Array.isArray(value)) return value.map((item, i) => encodeAt(item, `${where}[${i}]`, budget, keep));
  if (isKeyedRng(value)) return { $: 'rng', key: value.key };
  if (value instanceof Given) return { $: 'given', source: value.source };
  if (!isPlain(value)) throw new ProtocolError(`${where} is a ${value.constructor.name}, which cannot be handed in`);
  const fields = Object.entries(value).map(([key, item]) => [key, encodeAt(item, `${where}.${key}`, budget, keep)]);
  return { $: 'object', fields: Object.fromEntries(fields) as Record<string, Wire> };
}

function encodeTensor(tensor: tf.Tensor, where: string): Wire {
  if (tensor.isDisposed) throw new ProtocolError(`${where} is a tensor that has been disposed`);
  if (!(tensor.dtype in dtypes)) throw new ProtocolError(`${where} is a tensor of ${tensor.dtype}`);
  const size = tensor.size * dtypes[tensor.dtype as Dtype].BYTES_PER_ELEMENT;
  if (size > LIMITS.bytes / 2) throw new ProtocolError(`${where} is a tensor of ${size} bytes, which is too large`);
  const data = dtypes[tensor.dtype as Dtype].from(tensor.dataSync());
  return { $: 'tensor', dtype: tensor.dtype, shape: [...tensor.shape], data: base64(data) };
}

function encodeArray(value: ArrayBufferView, where: string): Wire {
  const name = value.constructor.name;
  if (!(name in arrays)) throw new ProtocolError(`${where} is a ${name}, which cannot be handed in`);
  if (value.byteLength > LIMITS.bytes / 2) throw new ProtocolError(`${where} has ${value.byteLength} bytes: too many`);
  return { $: name, data: base64(value) };
}

function decodeAt(wire: unknown, budget: Budget, makers: Makers): Value {
  return budget.within(() => {
    if (wire === null || typeof wire === 'boolean' || typeof wire === 'string') return wire;
    if (typeof wire === 'number') return wire;
    if (Array.isArray(wire)) return wire.map((item) => decodeAt(item, budget, makers));
    if (typeof wire !== 'object') throw new ProtocolError(`${typeof wire} is no JSON`);
    return decodeTagged(wire as Record<string, unknown>, budget, makers);
  });
}

function decodeTagged(wire: Record<string, unknown>, budget: Budget, makers: Makers): Value {
  const tag = wire['$'];
  if (tag === 'undefined') return undefined;
  if (tag === 'number') return decodeNumber(wire['value']);
  if (tag === 'tensor') return decodeTensor(wire);
  if (tag === 'object') return decodeFields(wire['fields'], budget, makers);
  if (tag === 'rng') return createRng(text(wire['key'], 'key'));
  if (tag === 'given' && makers.evaluate) return makers.evaluate(text(wire['source'], 'source')) as Value;
  if (tag === 'function' && makers.callable) return makers.callable(count(wire['kept']));
  if (isArrayName(tag)) return decodeArray(arrays[tag], wire['data']);
  throw new ProtocolError(`unknown kind of value ${JSON.stringify(tag)?.slice(0, 40)}`);
}

function decodeNumber(value: unknown): number {
  const number = typeof value === 'string' && Object.hasOwn(oddNumbers, value) ? oddNumbers[value] : undefined;
  if (number === undefined) throw new ProtocolError('not a number that needs a tag');
  return number;
}

function decodeFields(fields: unknown, budget: Budget, makers: Makers): Value {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new ProtocolError('an object without fields');
  // fromEntries defines and never assigns, so a field named __proto__ stays an ordinary field
  return Object.fromEntries(
    Object.entries(fields).map(([key, item]) => [key, decodeAt(item, budget, makers)] as const),
  );
}

function decodeTensor(wire: Record<string, unknown>): tf.Tensor {
  const dtype = wire['dtype'];
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype)) throw new ProtocolError('a tensor of unknown dtype');
  const shape = decodeShape(wire['shape']);
  const data = decodeArray(dtypes[dtype as Dtype], wire['data']);
  const size = shape.reduce((product, n) => product * n, 1);
  if (data.length !== size) throw new ProtocolError(`a tensor [${shape}] with ${data.length} values`);
  return tf.tensor(data as Float32Array, shape, dtype as Dtype);
}

function decodeShape(shape: unknown): number[] {
  const isSize = (n: unknown) => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= LIMITS.bytes;
  if (!Array.isArray(shape) || shape.length > LIMITS.rank || !shape.every(isSize))
    throw new ProtocolError('a tensor without a valid shape');
  return shape as number[];
}

function decodeArray<T extends (typeof arrays)[ArrayName]>(type: T, data: unknown): InstanceType<T> {
  // a copy of its own: a Buffer may lie at any offset of a shared block, where a Float32Array cannot start
  const bytes = Uint8Array.from(Buffer.from(text(data, 'data'), 'base64'));
  if (bytes.length % type.BYTES_PER_ELEMENT !== 0) throw new ProtocolError(`${bytes.length} bytes for a ${type.name}`);
  return new type(bytes.buffer) as InstanceType<T>;
}

function text(value: unknown, field: string): string {
  if (typeof value !== 'string') throw new ProtocolError(`${field} is no text`);
  return value;
}

function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new ProtocolError('a function without a number');
  return value as number;
}

function base64(value: ArrayBufferView): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
}

function isArrayName(tag: unknown): tag is ArrayName {
  return typeof tag === 'string' && Object.hasOwn(arrays, tag);
}

function isKeyedRng(value: object): value is { readonly key: string } {
  const { key, fork } = value as { key?: unknown; fork?: unknown };
  return typeof key === 'string' && typeof fork === 'function';
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // the object of another realm (a notebook cell runs in one) is plain too
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
