/**
 * The one file that knows onnxruntime-node: loading it, opening a session, running it.
 *
 * Sessions are opened and run through the package's native binding, which is synchronous. The package's own API
 * returns promises but computes on this thread all the same (it wraps the binding in setImmediate), so nothing is
 * lost, and `sample` and `evaluate`, which are synchronous, can be compiled. The version is pinned and a test
 * watches this door; where it does not open (no binary for this system), everything runs eagerly, and says so.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { DType } from '../graph/graph';

/** What runs a compiled graph. */
export type Provider = 'cpu' | 'webgpu' | 'cuda';

/** True where results can stay on the device between runs: onnxruntime-node 1.30 binds device memory for webgpu alone. */
export const keepsOnDevice = (provider: Provider): boolean => provider === 'webgpu';

export type Numbers = Float32Array | Int32Array | Uint8Array;

/** A value that the runtime reads or has written: in this process' memory, or on the device. */
export interface RuntimeTensor {
  readonly dims: readonly number[];
  readonly location: string;
  /** Only where `location` is 'cpu'. */
  readonly data: Numbers;
  /** Frees a tensor on the device; the others are garbage collected. */
  dispose(): void;
}

export interface Session {
  /** Computes the outputs named in `into`: into the tensor given there, or for null into a new one. */
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    into: Readonly<Record<string, RuntimeTensor | null>>,
  ): Readonly<Record<string, RuntimeTensor>>;
  release(): void;
}

export interface SessionOptions {
  readonly provider: Provider;
  /** Threads of one operator, for the cpu. */
  readonly threads: number;
  /** Outputs that stay on the device. */
  readonly onDevice?: readonly string[];
}

interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: object): void;
  run: Session['run'];
  dispose(): void;
}

interface Native {
  readonly InferenceSession: new () => NativeSession;
  listSupportedBackends(): readonly { readonly name: string; readonly bundled: boolean }[];
}

interface Runtime {
  readonly native: Native;
  readonly Tensor: new (type: DType, data: Numbers, dims: readonly number[]) => RuntimeTensor;
  readonly version: string;
  /** The folder of the native library, where CUDA's files are looked for, too. */
  readonly folder: string;
}

/** Thrown when a graph cannot be run because onnxruntime-node itself is not usable here. */
class RuntimeMissing extends Error {
  override readonly name = 'RuntimeMissing';
}

const PACKAGE = 'onnxruntime-node';
let loaded: Runtime | RuntimeMissing | undefined;

/** @throws RuntimeMissing where it cannot be loaded */
export function runtime(): Runtime {
  loaded ??= load();
  if (loaded instanceof RuntimeMissing) throw loaded;
  return loaded;
}

/** Why onnxruntime-node is not usable here; undefined where it is. */
export function runtimeProblem(): string | undefined {
  loaded ??= load();
  return loaded instanceof RuntimeMissing ? loaded.message : undefined;
}

function load(): Runtime | RuntimeMissing {
  const load = createRequire(__filename);
  try {
    const { Tensor, env } = load(PACKAGE) as { Tensor: Runtime['Tensor']; env: { versions: { node: string } } };
    const door = load(`${PACKAGE}/dist/binding.js`) as { binding: Native; initOrt(): void };
    door.initOrt();
    const root = dirname(dirname(load.resolve(PACKAGE)));
    const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch);
    return { native: door.binding, Tensor, version: env.versions.node, folder };
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0];
    return new RuntimeMissing(
      `${PACKAGE} does not load on ${process.platform}-${process.arch} with Node ${process.versions.node}: ${reason}`,
    );
  }
}

/** Wraps numbers for a run, without copying them where their array is of the right kind. */
export function hostTensor(values: Numbers, shape: readonly number[], dtype: DType): RuntimeTensor {
  // tfjs casts int32 to float32 in name only: the numbers stay in the array they were in
  const right = dtype === 'float32' && !(values instanceof Float32Array) ? Float32Array.from(values) : values;
  return new (runtime().Tensor)(dtype, right, shape);
}

/** Loads a model. @throws Error when the runtime refuses it, or the provider does not work here */
export function openSession(bytes: Uint8Array, { provider, threads, onDevice = [] }: SessionOptions): Session {
  const native = new (runtime().native.InferenceSession)();
  native.loadModel(bytes.buffer, bytes.byteOffset, bytes.byteLength, {
    executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableMemPattern: false, // a pattern is a second memory of the graph's peak beside the one of the first run, for no time
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4, // warnings tell of optimisations that were not made; errors are thrown with their text
    ...(onDevice.length > 0 && {
      preferredOutputLocation: Object.fromEntries(onDevice.map((name) => [name, 'gpu-buffer'])),
    }),
  });
  return { run: (feeds, into) => native.run(feeds, into), release: () => native.dispose() };
}
