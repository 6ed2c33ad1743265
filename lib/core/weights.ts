/** A model's weights as plain data: kept in memory, or in a file that survives the kernel. */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { writeAtomicallySync } from '../host/files';
import type { GenerativeModel } from './model';

/** One weight tensor's values. */
export interface Weight {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Every variable of a model once, in the order of its objectives. */
export function variablesOf(model: GenerativeModel): tf.Variable[] {
  return [...new Set(model.objectives.flatMap((objective) => objective.variables))];
}

/**
 * A copy of the model's weights.
 * @example
 * const model = gaussianMixture.create(gaussianMixture.tiny.config, createRng(1));
 * getWeights(model).map(({ shape }) => shape) // → [[3], [3, 2], [3, 2]]
 */
export function getWeights(model: GenerativeModel): Weight[] {
  return variablesOf(model).map((variable) => ({
    shape: variable.shape,
    values: Float32Array.from(variable.dataSync()),
  }));
}

/** Gives a model the weights of one made with the same configuration. */
export function setWeights(model: GenerativeModel, weights: readonly Weight[]): void {
  const variables = variablesOf(model);
  const shapes = (list: readonly { readonly shape: readonly number[] }[]) =>
    list.map((item) => `[${item.shape.join(', ')}]`).join(' ');
  if (shapes(variables) !== shapes(weights) || variables.some(({ size }, i) => weights[i]!.values.length !== size))
    throw new Error(
      `setWeights: the model has weights ${shapes(variables)}, got ${shapes(weights)} with ${weights.map(({ values }) => values.length).join(' ')} values; create it with the configuration it was saved with`,
    );
  variables.forEach((variable, i) => {
    const value = tf.tensor(weights[i]!.values.slice(), variable.shape, 'float32');
    variable.assign(value);
    value.dispose();
  });
}

/**
 * Writes JSON in which every Float32Array is kept bit for bit (base64), and so are NaN and the infinities, for
 * which JSON has no word. Replaces the file in one move.
 */
export function saveJson(file: string, value: unknown): void {
  writeAtomicallySync(
    file,
    JSON.stringify(value, (_, item: unknown) => packed(item)),
  );
}

/** Reads what `saveJson` wrote. */
export function loadJson(file: string): unknown {
  const text = readFileSync(file, 'utf8');
  try {
    return JSON.parse(text, (_, item: unknown) => unpacked(item));
  } catch (error) {
    throw new Error(`${file}: expected JSON written by this library, got text that does not parse; save it again`, {
      cause: error,
    });
  }
}

/** Saves a model's weights to a file. */
export function saveWeights(model: GenerativeModel, file: string): void {
  saveJson(file, { format: 'dgm-weights', version: 1, weights: getWeights(model) });
}

/** Loads weights that `saveWeights` wrote into a model of the same configuration. */
export function loadWeights(model: GenerativeModel, file: string): void {
  const content = loadJson(file) as { format?: unknown; version?: unknown; weights?: Weight[] } | null;
  if (content?.format !== 'dgm-weights' || content.version !== 1 || !Array.isArray(content.weights))
    throw new Error(
      `${file}: expected weights of format dgm-weights 1, got ${String(content?.format)} ${String(content?.version)}`,
    );
  setWeights(model, content.weights);
}

const NO_WORD = new Map([NaN, Infinity, -Infinity].map((value) => [String(value), value]));

function packed(item: unknown): unknown {
  if (item instanceof Float32Array)
    return { float32: Buffer.from(item.buffer, item.byteOffset, item.byteLength).toString('base64') };
  return typeof item === 'number' && NO_WORD.has(String(item)) ? { number: String(item) } : item;
}

function unpacked(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) return item;
  const { float32, number } = item as { float32?: unknown; number?: unknown };
  if (typeof float32 === 'string') return floats(float32);
  return (typeof number === 'string' ? NO_WORD.get(number) : undefined) ?? item;
}

function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length % 4 !== 0) throw new Error('a float32 array is cut off');
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
