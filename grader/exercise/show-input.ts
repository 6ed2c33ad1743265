/** The arguments of a call as text, short enough to read and exact enough to try it oneself. */
import * as tf from '@tensorflow/tfjs';
import { Given, type Value } from './exercise';

const NUMBERS = 8;

/** A function whose text is longer stands after everything else, under a name: it would bury the numbers. */
const SHORT = 60;

/** "tensor [2, 2] of float32 [0.1, 0.2, 0.3, 0.4], 3"; of a long function "f, 3, where f = (x) => …" */
export function showInput(args: readonly Value[]): string {
  const long = args.filter((value) => value instanceof Given && value.source.length > SHORT) as Given[];
  const names = new Map(long.map((value, i) => [value, long.length === 1 ? 'f' : `f${i + 1}`]));
  const shown = args.map((value) => names.get(value as Given) ?? show(value)).join(', ');
  if (long.length === 0) return shown;
  const meanings = [...names].map(([{ source }, name]) => `${name} = ${source.replace(/\s+/g, ' ')}`);
  return `${shown}, where ${meanings.join('; ')}`;
}

function show(value: Value): string {
  if (value instanceof tf.Tensor) return showTensor(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${list(value as unknown as ArrayLike<number>)}`;
  if (value instanceof Given) return value.source;
  if (Array.isArray(value)) return `[${value.slice(0, NUMBERS).map(show).join(', ')}${more(value.length)}]`;
  if (typeof value === 'object' && value !== null) return showObject(value as Readonly<Record<string, Value>>);
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function showTensor(tensor: tf.Tensor): string {
  const kind = `tensor [${tensor.shape.join(', ')}] of ${tensor.dtype}`;
  // the check may have disposed what it passed
  return tensor.isDisposed ? kind : `${kind} ${list(tensor.dataSync())}`;
}

function showObject(value: Readonly<Record<string, Value>>): string {
  // a stream of noise has nothing to show but that it is one
  if (typeof value['fork'] === 'function') return 'rng';
  return `{ ${Object.entries(value)
    .map(([key, item]) => `${key}: ${show(item)}`)
    .join(', ')} }`;
}

function list(values: ArrayLike<number | string>): string {
  const first = Array.from({ length: Math.min(NUMBERS, values.length) }, (_, i) => values[i]!);
  const text = first.map((value) => (typeof value === 'number' ? String(Number(value.toPrecision(6))) : value));
  return `[${text.join(', ')}${more(values.length)}]`;
}

function more(length: number): string {
  return length > NUMBERS ? `, … ${length - NUMBERS} more` : '';
}
