/**
 * Which TensorFlow.js backend runs what is not compiled. The user's own tfjs-node-gpu or tfjs-node when one is
 * installed, then wasm when that is, then the cpu backend, which is always there. Each is tried before it is trusted.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';

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
  },
  {
    name: 'tensorflow',
    package: '@tensorflow/tfjs-node',
    remedy: `with Node up to 22: npm install --no-save @tensorflow/tfjs-node@${VERSION}`,
  },
  {
    name: 'wasm',
    package: '@tensorflow/tfjs-backend-wasm',
    remedy: 'it comes with this library: npm ci',
    prepare(folder, load) {
      const { setWasmPaths } = load('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(prefix: string): void };
      setWasmPaths(join(folder, '/'));
      fillGaps('wasm');
      repairCast('wasm');
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

/** Every backend, tried in the order of preference; afterwards the one in use is what it was. */
export async function eagerBackends(): Promise<EagerBackend[]> {
  await tf.ready();
  const before = tf.getBackend();
  const results: EagerBackend[] = [];
  for (const candidate of CANDIDATES) results.push(await tried(candidate));
  await tf.setBackend(before);
  return [...results, CPU];
}

/**
 * What importing the library does: repairs the cpu backend's casts, and takes the user's tfjs-node-gpu or tfjs-node into use, where one is installed. Not
 * wasm, which takes a promise to start: a training that runs eagerly awaits `useEager`.
 */
export function startEager(wanted: string | undefined = process.env['DGM_EAGER']): void {
  repairCpuCast();
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

// Gaps

/** Kernels on other kinds of values than numbers: nothing in this library uses them. */
const OTHER_KINDS = /^(Complex|ComplexAbs|Draw|FFT|IFFT|Imag|Real|Ragged.*|String.*|StaticRegexReplace)$/;

interface Backend {
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
  readSync(dataId: object): tf.BackendValues;
  disposeData(dataId: object): unknown;
}

/**
 * Gives a backend the kernels that only cpu has, run there on copies: wasm lacks the gradients of convolution's
 * filters and of gather, without which half of the course does not train.
 */
export function fillGaps(backendName: string): void {
  const own = new Set(tf.getKernelsForBackend(backendName).map(({ kernelName }) => kernelName));
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    if (own.has(kernelName) || OTHER_KINDS.test(kernelName)) continue;
    tf.registerKernel({ kernelName, backendName, kernelFunc: onCpu(kernelFunc) });
  }
}

/** wasm 4.22 casts to bool by cutting numbers off to bytes: 0.3 is false there, and 2 stays 2. */
function repairCast(backendName: string): void {
  const own = tf.getKernel('Cast', backendName);
  const right = onCpu(tf.getKernel('Cast', 'cpu').kernelFunc);
  tf.unregisterKernel('Cast', backendName);
  tf.registerKernel({
    ...own,
    kernelFunc: (call) => (call.attrs?.['dtype'] === 'bool' ? right(call) : own.kernelFunc(call)),
  });
}

/**
 * cpu 4.22 casts integers and booleans to floats in name alone, and keeps their arrays. A backend that takes such a
 * tensor over, when an eager training moves from cpu to wasm, would read the integers' bytes as floats.
 */
function repairCpuCast(): void {
  const own = tf.getKernel('Cast', 'cpu');
  tf.unregisterKernel('Cast', 'cpu');
  tf.registerKernel({
    ...own,
    kernelFunc: (call) => {
      const x = call.inputs['x'] as tf.TensorInfo;
      if (call.attrs?.['dtype'] !== 'float32' || (x.dtype !== 'int32' && x.dtype !== 'bool'))
        return own.kernelFunc(call);
      const cpu = call.backend as Backend;
      const values = Float32Array.from(cpu.readSync(x.dataId) as ArrayLike<number>);
      return { dataId: cpu.write(values, x.shape, 'float32'), shape: x.shape, dtype: 'float32' };
    },
  });
}

function onCpu(kernelFunc: tf.KernelFunc): tf.KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const cpu = tf.engine().findBackend('cpu') as unknown as Backend;
    const here = backend as Backend;
    const copies: object[] = []; // on the cpu
    const move = (info: tf.TensorInfo, from: Backend, to: Backend): tf.TensorInfo => ({
      ...info,
      dataId: to.write(from.readSync(info.dataId), info.shape, info.dtype),
    });
    const there = mapInfos(inputs, (info) => {
      const copy = move(info, here, cpu);
      copies.push(copy.dataId);
      return copy;
    });
    const made = [kernelFunc({ inputs: there, ...(attrs && { attrs }), backend: cpu })].flat();
    const results = made.map((info) => move(info, cpu, here));
    for (const dataId of new Set([...copies, ...made.map((info) => info.dataId)])) cpu.disposeData(dataId);
    return results.length === 1 ? results[0]! : results;
  };
}

/** Inputs are named tensors or lists of tensors; of some kernels they are one list. */
function mapInfos(inputs: tf.NamedTensorInfoMap, f: (info: tf.TensorInfo) => tf.TensorInfo): tf.NamedTensorInfoMap {
  const map = (value: unknown): unknown => (Array.isArray(value) ? value.map(map) : value && f(value as tf.TensorInfo));
  if (Array.isArray(inputs)) return map(inputs) as tf.NamedTensorInfoMap;
  const entries = Object.entries(inputs).map(([name, value]) => [name, map(value)]);
  return Object.fromEntries(entries) as tf.NamedTensorInfoMap;
}
