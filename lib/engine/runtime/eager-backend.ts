/**
 * Which TensorFlow.js backend runs what is not compiled. The user's own tfjs-node-gpu or tfjs-node when one is
 * installed, then wasm when that is, then the cpu backend, which is always there. Each is tried before it is trusted.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { checkIndices, repairCpu } from './repairs';
import { repairWasm } from './repairs-wasm';

/** Names of TensorFlow.js backends. */
export type EagerName = 'tensorflow' | 'wasm' | 'cpu';

export interface EagerBackend {
  readonly name: EagerName;
  /** The npm package that brings it. */
  readonly package: string;
  readonly available: boolean;
  readonly reason: string;
  readonly remedy?: string;
}

interface Candidate {
  readonly name: EagerName;
  readonly package: string;
  readonly remedy: string;
  /** What is to be done after the package has been loaded. */
  prepare?(folder: string, load: NodeRequire): void;
}

const VERSION = tf.version.tfjs;

const CANDIDATES: readonly Candidate[] = [
  {
    name: 'tensorflow',
    package: '@tensorflow/tfjs-node-gpu',
    remedy: `with an NVIDIA GPU, CUDA 11 and Node up to 22: npm install --no-save @tensorflow/tfjs-node-gpu@${VERSION}`,
    prepare: () => checkIndices('tensorflow'),
  },
  {
    name: 'tensorflow',
    package: '@tensorflow/tfjs-node',
    remedy: `with Node up to 22: npm install --no-save @tensorflow/tfjs-node@${VERSION}`,
    prepare: () => checkIndices('tensorflow'),
  },
  {
    name: 'wasm',
    package: '@tensorflow/tfjs-backend-wasm',
    remedy: 'it comes with this library: npm ci',
    prepare(folder, load) {
      const { setWasmPaths } = load('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(prefix: string): void };
      setWasmPaths(join(folder, '/'));
      repairWasm();
    },
  },
];

const CPU: EagerBackend = {
  name: 'cpu',
  package: '@tensorflow/tfjs',
  available: true,
  reason: 'comes with TensorFlow.js',
};

/**
 * Makes the best backend that works the one that TensorFlow.js uses, and returns it.
 * @param wanted a backend by name, as in DGM_EAGER; default: the best
 * @throws when the one that is wanted does not work
 */
export async function useEager(wanted: string | undefined = process.env['DGM_EAGER']): Promise<EagerBackend> {
  const known: readonly string[] = ['tensorflow', 'wasm', 'cpu'];
  if (wanted && !known.includes(wanted)) throw new Error(`DGM_EAGER must be ${known.join(', ')}, got '${wanted}'`);
  await tf.ready();
  const failures: string[] = [];
  for (const candidate of CANDIDATES) {
    if (wanted && wanted !== candidate.name) continue;
    const result = await tried(candidate);
    if (result.available) return result;
    failures.push(`${result.package}: ${result.reason}`);
  }
  if (wanted && wanted !== 'cpu')
    throw new Error(
      `DGM_EAGER: '${wanted}' does not work here: ${failures.join('; ')}; leave it out for the best there is`,
    );
  await tf.setBackend('cpu');
  return CPU;
}

const best = new Map<string, Promise<EagerBackend>>();
let chosen: EagerBackend | undefined;

/**
 * The best backend that works, ready for `onBackend`; the one in use stays what it is.
 * @throws when the one that is wanted does not work
 */
export async function bestEager(wanted: string = process.env['DGM_EAGER'] ?? ''): Promise<EagerBackend> {
  if (!best.has(wanted))
    best.set(
      wanted,
      unused(() => useEager(wanted)),
    );
  chosen = await best.get(wanted)!;
  return chosen;
}

async function unused<T>(body: () => Promise<T>): Promise<T> {
  await tf.ready();
  const before = tf.getBackend();
  try {
    return await body();
  } finally {
    await tf.setBackend(before);
  }
}

/** The name of what trainings run on that are not compiled. */
export const eagerName = (): string => chosen?.name ?? tf.getBackend();

/**
 * Runs synchronous code on a backend that has been started, and returns to the one before: what a notebook computes
 * must not depend on what was trained before. TensorFlow.js moves the tensors that either needs.
 */
export function onBackend<T>({ name }: EagerBackend, body: () => T): T {
  tf.backend(); // makes TensorFlow.js choose one, if nothing has been computed yet
  const before = tf.getBackend();
  if (before === name) return body();
  void tf.setBackend(name); // at once, as it is running
  try {
    return body();
  } finally {
    void tf.setBackend(before);
  }
}

/** Every backend, tried in the order of preference; afterwards the one in use is what it was. */
export async function eagerBackends(): Promise<EagerBackend[]> {
  const results: EagerBackend[] = [];
  await unused(async () => {
    for (const candidate of CANDIDATES) results.push(await tried(candidate));
  });
  return [...results, CPU];
}

/**
 * What importing the library does: repairs the cpu backend, and takes the user's tfjs-node-gpu or tfjs-node into use,
 * where one is installed. Not wasm, which takes a promise to start: a training that runs eagerly awaits `bestEager`.
 */
export function startEager(wanted: string | undefined = process.env['DGM_EAGER']): void {
  repairCpu();
  if (wanted && wanted !== 'tensorflow') return;
  for (const candidate of CANDIDATES.filter(({ name }) => name === 'tensorflow')) {
    const load = requireFor(candidate.package);
    if (!load) continue;
    const before = tf.getBackend();
    try {
      prepared(candidate, load);
      void tf.setBackend(candidate.name); // at once, as this backend's factory returns no promise
      selfCheck();
      return;
    } catch (error) {
      void tf.setBackend(before);
      console.warn(`${candidate.package}: ${unusable(error)}; npm run doctor says what runs eager code here`);
    }
  }
}

/** Loads a package and computes something with its backend, which is the one in use when that works. */
async function tried(candidate: Candidate): Promise<EagerBackend> {
  const { name, remedy } = candidate;
  const found = { name, package: candidate.package };
  const load = requireFor(candidate.package);
  if (!load) return { ...found, available: false, reason: 'not installed', remedy };
  const before = tf.getBackend();
  try {
    prepared(candidate, load);
    if (!(await tf.setBackend(name))) throw new Error('the backend does not start');
    selfCheck();
    return { ...found, available: true, reason: 'works' };
  } catch (error) {
    await tf.setBackend(before);
    return { ...found, available: false, reason: unusable(error), ...(error instanceof WrongVersion && { remedy }) };
  }
}

class WrongVersion extends Error {
  override readonly name = 'WrongVersion';
}

const done = new Set<Candidate>();

/** Loads a candidate's package, and makes it fit for use. @throws when it is none */
function prepared(candidate: Candidate, load: NodeRequire): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1'; // TensorFlow tells at length which instructions it uses
  const { version } = load(`${candidate.package}/package.json`) as { version: string };
  if (version !== VERSION) throw new WrongVersion(`version ${version}, but TensorFlow.js is ${VERSION}`);
  load(candidate.package);
  if (!done.has(candidate)) candidate.prepare?.(join(load.resolve(candidate.package), '..'), load);
  done.add(candidate);
}

function unusable(error: unknown): string {
  const [text] = (error instanceof Error ? error.message : String(error)).split('\n');
  return error instanceof WrongVersion ? text! : `installed, but does not work: ${text}`;
}

/** A `require` that finds the package: from the library, or from the folder one works in. */
function requireFor(name: string): NodeRequire | undefined {
  return [__filename, join(process.cwd(), 'index.js')]
    .map((file) => createRequire(file))
    .find((load) => {
      try {
        load.resolve(name);
        return true;
      } catch {
        return false;
      }
    });
}

/** @throws when a product, a gradient or a gather goes wrong; on Node 23 and later tfjs-node fails here */
function selfCheck(): void {
  const [loss, slope] = tf.tidy(() => {
    const at = tf.tensor1d([1, 0], 'int32');
    const f = (w: tf.Tensor) =>
      tf
        .gather(tf.tensor2d([1, 2, 3, 4], [2, 2]).matMul(w), at)
        .square()
        .sum();
    const { value, grad } = tf.valueAndGrad(f)(tf.ones([2, 1]));
    return [value.dataSync()[0], Array.from(grad.dataSync()).join()];
  });
  if (loss !== 58 || slope !== '48,68')
    throw new Error(`it computes wrongly: expected 58 and 48,68; got ${loss} and ${slope}`);
}
