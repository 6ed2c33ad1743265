/**
 * Float32Arrays in a WebAssembly memory, where the passes reach them without a copy. To everybody else, ONNX
 * Runtime included, they are ordinary arrays.
 */
import { passes } from './passes';
import { assemble, type Loop } from './assembler';

type Passes = typeof passes;
export type PassName = keyof Passes;
/** The numbers that a pass takes, by name. */
export type PassNumbers<P extends PassName> =
  Passes[P] extends Loop<string, infer N> ? Readonly<Record<N, number>> : never;

/** The compiled passes over one memory: bytes, addresses, numbers. */
type Home = Readonly<Record<PassName, (bytes: number, ...rest: readonly number[]) => number>>;

/** Where an array that `allocate` made lies. */
const homes = new WeakMap<Float32Array, Home>();

/**
 * Arrays of zeros, as long as asked, in one memory. It never grows, since that would detach them, and is freed with
 * the last of them. They are ordinary arrays on a machine without WebAssembly SIMD, or without 10 GB of addresses to
 * spare, which is what V8 sets aside for a memory of any size (`ulimit -v` may forbid it).
 */
export function allocate(lengths: readonly number[]): Float32Array[] {
  const starts: number[] = [];
  const bytes = lengths.reduce((end, length) => (starts.push(end), end + padded(4 * length)), 0);
  const made = createHome(bytes);
  if (!made) return lengths.map((length) => new Float32Array(length));
  return lengths.map((length, i) => {
    const array = new Float32Array(made.buffer, starts[i], length);
    homes.set(array, made.home);
    return array;
  });
}

/**
 * One pass in place over whole arrays of one `allocate`, in the order that passes.ts names them; returns the total of
 * its sums. Undefined, and nothing done, when they are other arrays, or parts of such: the plain loop is then to do it.
 */
export function fused<P extends PassName>(
  pass: P,
  arrays: readonly Float32Array[],
  numbers: PassNumbers<P>,
): number | undefined {
  const [{ length, byteLength }, home] = [arrays[0]!, homes.get(arrays[0]!)];
  if (!home || arrays.some((array) => homes.get(array) !== home || array.length !== length)) return undefined;
  const values = (passes[pass] as Loop).numbers.map((name) => (numbers as Readonly<Record<string, number>>)[name]!);
  return home[pass](padded(byteLength), ...arrays.map((array) => array.byteOffset), ...values);
}

/** Whole vectors: a pass computes on the zeros behind an array too, and nobody reads them. */
const padded = (bytes: number): number => Math.ceil(bytes / 64) * 64; // and each array starts a cache line

const PAGE = 65_536;

function createHome(bytes: number): { readonly buffer: ArrayBuffer; readonly home: Home } | undefined {
  const pages = Math.ceil(bytes / PAGE);
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { exports } = new WebAssembly.Instance(compiled(), { env: { memory } });
    return { buffer: memory.buffer, home: exports as unknown as Home };
  } catch {
    return undefined; // `allocate` says when
  }
}

let code: WebAssembly.Module | undefined;
const compiled = (): WebAssembly.Module => (code ??= new WebAssembly.Module(assemble(passes)));
