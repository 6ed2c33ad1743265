/** Data sets: found, verified by checksum, read with polars, split, and given as tensors. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import type * as polars from 'nodejs-polars';
import type { Batch } from '../core/model';

export interface Labelled extends Batch {
  readonly y: tf.Tensor;
}

export interface Dataset {
  readonly name: string;
  readonly eventShape: readonly number[];
  /** Each coordinate is an integer in 0 … values − 1. */
  readonly values: number;
  /** The table as read: one row an example. */
  readonly frame: polars.DataFrame;
  readonly train: Labelled;
  readonly validation: Labelled;
  readonly test: Labelled;
  readonly source: string;
  readonly licence: string;
  dispose(): void;
}

interface Entry {
  readonly file: string;
  readonly sha256: string;
  readonly eventShape: readonly number[];
  readonly values: number;
  readonly label: string;
  readonly split: { readonly train: number; readonly validation: number; readonly test: number };
  readonly source: string;
  readonly licence: string;
}

/**
 * Loads a data set of datasets/manifest.json, split by order.
 * @param name for example 'digits'
 * @param folder where the files lie; default: the environment variable DGM_DATA, else the workbook's datasets
 * @throws when the name is unknown, the file is missing, or its checksum is not the one in the manifest
 * @example load('digits').train.x.shape // → [1000, 64]
 */
export function load(name: string, folder: string = process.env['DGM_DATA'] || workbookFolder()): Dataset {
  const entry = entryOf(name);
  const file = join(folder, entry.file);
  const frame = readFrame(verified(name, file, entry.sha256));
  const features = frame.drop(entry.label);
  const rows = frame.height;
  const { train, validation, test } = entry.split;
  if (rows !== train + validation + test)
    throw new Error(`${file}: expected ${train + validation + test} examples, got ${rows}`);
  const x = tf.tensor(Float32Array.from(features.rows().flat() as number[]), [rows, ...entry.eventShape]);
  const y = tf.tensor1d(Int32Array.from(frame.getColumn(entry.label).toArray() as number[]), 'int32');
  const part = (start: number, size: number): Labelled => ({
    x: tf.slice(x, start, size),
    y: tf.slice(y, start, size),
  });
  const parts = [part(0, train), part(train, validation), part(train + validation, test)] as const;
  tf.dispose([x, y]);
  return {
    name,
    eventShape: entry.eventShape,
    values: entry.values,
    frame,
    train: parts[0],
    validation: parts[1],
    test: parts[2],
    source: entry.source,
    licence: entry.licence,
    dispose: () => parts.forEach((p) => tf.dispose([p.x, p.y])),
  };
}

/**
 * The names that `load` knows.
 * @example datasets() // → ['digits']
 */
export function datasets(): string[] {
  return Object.keys(manifest());
}

function entryOf(name: string): Entry {
  const entries = manifest();
  const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (!entry) throw new Error(`load: unknown data set '${name}'; the manifest has ${datasets().join(', ')}`);
  return entry;
}

function manifest(): Readonly<Record<string, Entry>> {
  return JSON.parse(readFileSync(join(workbookFolder(), 'manifest.json'), 'utf8')) as Record<string, Entry>;
}

/** The library runs from lib/ or from lib/dist/, so look upwards. */
function workbookFolder(): string {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder))
    if (existsSync(join(folder, 'datasets', 'manifest.json'))) return join(folder, 'datasets');
  throw new Error(`load: no datasets/manifest.json above ${__dirname}; ${restore(join(__dirname, 'datasets'))}`);
}

const CARRIAGE_RETURN = 13;

/** The file's bytes, with the line ends that the checksum is of: Git for Windows and some editors write others. */
function verified(name: string, file: string, sha256: string): Buffer {
  if (!existsSync(file))
    throw new Error(
      `load: the file of '${name}' is missing: ${file}; ${restore(file)}, or set DGM_DATA to the folder that has it`,
    );
  const bytes = readFileSync(file);
  const got = checksum(bytes);
  if (got === sha256) return bytes;
  const plain = bytes.filter((byte) => byte !== CARRIAGE_RETURN);
  if (checksum(plain) === sha256) return Buffer.from(plain);
  throw new Error(
    `load: ${file} is damaged or another version: expected sha256 ${sha256}, got ${got}; ${restore(file)}`,
  );
}

const checksum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What helps where the file lies: Git leaves a file alone that it takes for unchanged, so that must go first. */
function restore(file: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder))
    if (existsSync(join(folder, '.git')))
      return `delete it if it is there, then restore it in ${folder} with: git checkout datasets`;
  return 'take the folder datasets again from where you have the workbook from';
}

function readFrame(bytes: Buffer): polars.DataFrame {
  return polarsModule().readCSV(bytes);
}

/** Loaded on first use: its binary exists for common platforms only, and the rest of the library needs none. */
function polarsModule(): typeof polars {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- lazy, and synchronous like `load`
    return (require('nodejs-polars') as { default: typeof polars }).default;
  } catch (error) {
    throw new Error(
      `load: nodejs-polars has no binary for ${process.platform}-${process.arch}; install its platform package, see https://github.com/pola-rs/nodejs-polars`,
      { cause: error },
    );
  }
}
