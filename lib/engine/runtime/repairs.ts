/** What the backends of TensorFlow.js lack or do wrongly, mended. */
import * as tf from '@tensorflow/tfjs';
import type { Spec } from '../graph/graph';
import { requireIndices } from '../graph/indices';
import { callSite } from '../graph/site';
import type { Kernel } from '../onnx/kernel';
import { kernels } from '../onnx/kernels/index';

/** Kernels on other kinds of values than numbers: nothing in this library uses them. */
const OTHER_KINDS = /^(Complex|ComplexAbs|Draw|FFT|IFFT|Imag|Real|Ragged.*|String.*|StaticRegexReplace)$/;

type Call = Parameters<tf.KernelFunc>[0];

interface Backend {
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
  readSync(dataId: object): tf.BackendValues;
  disposeData(dataId: object): unknown;
}

/**
 * Gives a backend the kernels that only cpu has, run there on copies: wasm lacks the gradients of convolution's
 * filters and of gather, without which half of the course does not train.
 */
function fillGaps(backendName: string): void {
  const own = new Set(tf.getKernelsForBackend(backendName).map(({ kernelName }) => kernelName));
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    if (own.has(kernelName) || OTHER_KINDS.test(kernelName)) continue;
    tf.registerKernel({ kernelName, backendName, kernelFunc: onCpu(kernelFunc) });
  }
}

/** What is wrong of wasm 4.22, kernel by kernel: cpu computes it. */
const WRONG_ON_WASM: Readonly<Record<string, (call: Call) => boolean>> = {
  Cast: ({ attrs }) => attrs?.['dtype'] === 'bool', // cuts numbers off to bytes: 0.3 is false, and 2 stays 2
  GatherV2: ({ attrs }) => Boolean(attrs?.['batchDims']), // reads from wherever
  Select: ({ inputs }) => dtypeOf(inputs['t']) !== dtypeOf(inputs['e']),
  ...each('FloorDiv Sign', () => true), // of another type; 0 of anything below 10⁻⁷
  ...each('ClipByValue Relu6 Maximum Minimum Pow Prelu', () => true), // without NaN
  ...each('Acos Acosh Asin Asinh Atanh Expm1 IsFinite IsInf IsNan Log1p Mod Reciprocal Selu Sinh', ofIntegers),
  ...each('All Any ArgMax ArgMin BatchMatMul Max Min Prod', ofNothing), // what the memory held before
  ...each('Mean Sum', (call) => ofNothing(call) || ofMany(call)),
};

/** A float32 sum of so many terms loses more than four digits. */
const MANY = 10_000;

function ofMany({ inputs, attrs }: Call): boolean {
  const { shape } = inputs['x'] as tf.TensorInfo;
  const axes = tf.util.parseAxisParam((attrs?.['axis'] ?? shape.map((_, i) => i)) as number[], shape);
  return axes.reduce((terms, axis) => terms * shape[axis]!, 1) > MANY;
}

function ofIntegers({ inputs }: Call): boolean {
  return dtypeOf(inputs['x'] ?? inputs['a']) !== 'float32';
}

function ofNothing({ inputs }: Call): boolean {
  return Object.values(inputs).some((info) => info && (info as tf.TensorInfo).shape.includes(0));
}

const dtypeOf = (info: unknown): string | undefined => (info as tf.TensorInfo | undefined)?.dtype;

function each(names: string, test: (call: Call) => boolean): Record<string, (call: Call) => boolean> {
  return Object.fromEntries(names.split(' ').map((name) => [name, test]));
}

/** What the library repairs of wasm. */
export function repairWasm(): void {
  fillGaps('wasm');
  for (const [name, isWrong] of Object.entries(WRONG_ON_WASM)) {
    const right = onCpu(tf.getKernel(name, 'cpu').kernelFunc);
    wrap(name, 'wasm', (own) => (call) => (isWrong(call) ? right(call) : own(call)));
  }
  wrap('Slice', 'wasm', (own) => (call) => (requirePart(call), own(call)));
  checkIndices('wasm');
}

/** wasm slices beyond the end, into whatever lies there. @throws as cpu does */
function requirePart({ inputs, attrs }: Call): void {
  const x = inputs['x'] as tf.TensorInfo;
  const [begin, size] = tf.slice_util.parseSliceParams(x, attrs!['begin'] as number[], attrs!['size'] as number[]);
  tf.slice_util.assertParamsValid(x, begin!, size!);
}

/**
 * cpu 4.22 casts integers and booleans to floats in name alone, and keeps their arrays. A backend that takes such a
 * tensor over, when an eager training moves from cpu to wasm, would read the integers' bytes as floats.
 */
function repairCpuCast(): void {
  wrap('Cast', 'cpu', (own) => (call) => {
    const x = call.inputs['x'] as tf.TensorInfo;
    if (call.attrs?.['dtype'] !== 'float32' || (x.dtype !== 'int32' && x.dtype !== 'bool')) return own(call);
    const cpu = call.backend as unknown as Backend;
    const values = Float32Array.from(cpu.readSync(x.dataId) as ArrayLike<number>);
    return { dataId: cpu.write(values, x.shape, 'float32'), shape: x.shape, dtype: 'float32' };
  });
}

/** cpu 4.22 writes a scatter's updates into the tensor that was given, which others still read. */
function repairCpuScatter(): void {
  wrap('TensorScatterUpdate', 'cpu', (own) => (call) => {
    const tensor = call.inputs['tensor'] as tf.TensorInfo;
    const cpu = call.backend as unknown as Backend;
    const copy = cpu.write(cpu.readSync(tensor.dataId).slice() as tf.BackendValues, tensor.shape, tensor.dtype);
    try {
      return own({ ...call, inputs: { ...call.inputs, tensor: { ...tensor, dataId: copy } } });
    } finally {
      cpu.disposeData(copy);
    }
  });
}

/** What the library repairs of the cpu backend, which is always there. */
export function repairCpu(): void {
  repairCpuCast();
  repairCpuScatter();
  checkIndices('cpu');
}

/** Puts another function in the place of a kernel's. */
function wrap(kernelName: string, backendName: string, change: (own: tf.KernelFunc) => tf.KernelFunc): void {
  const config = tf.getKernel(kernelName, backendName);
  if (!config) return;
  tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({ ...config, kernelFunc: change(config.kernelFunc) });
}

type IndicesOf = NonNullable<Kernel['indices']>;

/** `sparseToDense` is not compiled, and has no row. */
const sparseToDense: IndicesOf = (inputs, attrs) => {
  const { shape } = inputs['sparseIndices'] as Spec;
  const places = (attrs['outputShape'] as number[]).slice(0, shape.length < 2 ? 1 : shape.at(-1));
  return { operand: 'sparseIndices', places, call: 'sparseToDense' };
};

/**
 * Makes an index without a place an error on a backend: some look at one sum of all coordinates, wasm and the sums by
 * segment at nothing.
 */
export function checkIndices(backendName: string): void {
  const rows = Object.entries(kernels).map(([name, { indices }]) => [name, indices] as const);
  for (const [name, indicesOf] of [...rows, ['SparseToDense', sparseToDense] as const])
    if (indicesOf) wrap(name, backendName, (own) => (call) => (requirePlacesOf(call, indicesOf), own(call)));
}

function requirePlacesOf({ inputs, attrs, backend }: Call, indicesOf: IndicesOf): void {
  const { operand, places, call } = indicesOf(inputs as unknown as Record<string, Spec>, attrs ?? {});
  const indices = (backend as unknown as Backend).readSync((inputs[operand] as tf.TensorInfo).dataId);
  requireIndices(() => ({ call, places, site: callSite() }), places, indices as Int32Array);
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
