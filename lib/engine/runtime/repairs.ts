/** What the backends of TensorFlow.js lack or do wrongly, mended. */
import * as tf from '@tensorflow/tfjs';
import type { Spec } from '../graph/graph';
import { requireIndices } from '../graph/indices';
import { callSite } from '../graph/site';
import type { Kernel } from '../onnx/kernel';
import { kernels } from '../onnx/kernels/index';

export type Call = Parameters<tf.KernelFunc>[0];

interface Backend {
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
  readSync(dataId: object): tf.BackendValues;
  disposeData(dataId: object): unknown;
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

/** cpu 4.22 does not know axes that are counted from the last. */
function repairCpuRunning(kernelName: string): void {
  wrap(kernelName, 'cpu', (own) => (call) => own({ ...call, attrs: { ...call.attrs, axis: axisIn(call) } }));
}

/**
 * cpu 4.22 orders NaN and infinities by the places where its search meets them. Here NaN is the largest number, as it is
 * for max, so that it shows.
 */
function repairCpuTopK(): void {
  wrap('TopK', 'cpu', (own) => (call) => {
    const x = call.inputs['x'] as tf.TensorInfo;
    const cpu = call.backend as unknown as Backend;
    const values = cpu.readSync(x.dataId) as Float32Array;
    if (x.dtype !== 'float32' || values.every(Number.isFinite)) return own(call);
    const [width, k] = [x.shape.at(-1)!, call.attrs!['k'] as number];
    const shape = [...x.shape.slice(0, -1), k];
    const places = Array.from({ length: values.length / width }, (_, row) =>
      largestFirst(values.subarray(row * width, (row + 1) * width)).slice(0, k),
    );
    const top = Float32Array.from(places.flatMap((row, i) => row.map((place) => values[i * width + place]!)));
    return [
      { dataId: cpu.write(top, shape, 'float32'), shape, dtype: 'float32' },
      { dataId: cpu.write(Int32Array.from(places.flat()), shape, 'int32'), shape, dtype: 'int32' },
    ];
  });
}

/** Places in the order of their numbers; equal ones as they come. */
function largestFirst(row: Float32Array): number[] {
  const rank = (value: number) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value);
  const places = Array.from(row, (_, i) => i);
  return places.sort((i, j) => (rank(row[i]!) === rank(row[j]!) ? i - j : rank(row[j]!) - rank(row[i]!)));
}

/** Some kernels of cpu 4.22 write a tensor without elements as a list, which is no typed array: slices cannot read it. */
function repairCpuEmpties(): void {
  const cpu = tf.findBackend('cpu') as unknown as Backend;
  const own = cpu.write.bind(cpu);
  cpu.write = (values, shape, dtype) => {
    const isList = Array.isArray(values) && values.length === 0 && dtype !== 'string';
    return own(isList ? tf.util.getTypedArrayFromDType(dtype as tf.NumericDataType, 0) : values, shape, dtype);
  };
}

/** 4.22 transposes the derivative of a running sum over another axis than the last. */
function repairCumsumGradient(): void {
  tf.registerGradient({
    kernelName: 'Cumsum',
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({
      x: () =>
        tf.cumsum(
          dy as tf.Tensor,
          axisIn({ inputs: { x: x! }, attrs }),
          attrs['exclusive'] as boolean,
          !attrs['reverse'],
        ),
    }),
  });
}

/**
 * 4.22 knows of no comparison but greaterEqual that it is a step, so that no loss with tf.where(x.greater(0), …) can be
 * trained. The slope is 0 wherever there is one, and so it is of what joins truths.
 */
function repairComparisonGradients(): void {
  const flat = (x: tf.Tensor | undefined) => () => tf.zeros(x!.shape);
  for (const kernelName of ['Greater', 'Less', 'LessEqual', 'Equal', 'NotEqual', 'LogicalAnd', 'LogicalOr'])
    tf.registerGradient({
      kernelName,
      inputsToSave: ['a', 'b'],
      gradFunc: (_, [a, b]) => ({ a: flat(a), b: flat(b) }),
    });
  tf.registerGradient({ kernelName: 'LogicalNot', inputsToSave: ['x'], gradFunc: (_, [x]) => ({ x: flat(x) }) });
}

/**
 * 4.22 writes these derivatives in terms of y = f(x), which it clones before it writes down that f made y: whoever goes
 * back along the tape has passed f when the clone's share arrives, and loses it. So the second derivative of tanh is an
 * error, and that of x σ(x) a wrong number. While a tape listens to a derivative, y is made of x once more. (Not mended:
 * tf.logSoftmax, which brings its derivative along.)
 */
function repairSecondDerivatives(): void {
  const again: Readonly<Record<string, (x: tf.Tensor, attrs: tf.NamedAttrMap) => tf.Tensor>> = {
    Sigmoid: (x) => tf.sigmoid(x),
    Tanh: (x) => tf.tanh(x),
    Exp: (x) => tf.exp(x),
    Softmax: (x, { dim }) => tf.softmax(x, dim as number),
  };
  for (const [kernelName, f] of Object.entries(again)) {
    const own = tf.getGradient(kernelName);
    tf.registerGradient({
      ...own,
      inputsToSave: [kernelName === 'Softmax' ? 'logits' : 'x'],
      outputsToSave: [true],
      gradFunc: (dy, [x, y], attrs) => {
        const heard = tf.engine().state.gradientDepth > 0; // the innermost gradient has ended its own by now
        return own.gradFunc(dy, [heard ? f(x!, attrs) : y!], attrs);
      },
    });
  }
}

const axisIn = ({ inputs, attrs }: Pick<Call, 'inputs' | 'attrs'>): number =>
  tf.util.parseAxisParam(attrs!['axis'] as number, (inputs['x'] as tf.TensorInfo).shape)[0]!;

/** What the library repairs of the cpu backend, which is always there. */
export function repairCpu(): void {
  repairCpuCast();
  repairCpuRunning('Cumsum');
  repairCpuRunning('Cumprod');
  repairCpuTopK();
  repairCpuEmpties();
  repairCumsumGradient();
  repairComparisonGradients();
  repairSecondDerivatives();
  repairCpuScatter();
  checkIndices('cpu');
}

/** Puts another function in the place of a kernel's. */
export function wrap(kernelName: string, backendName: string, change: (own: tf.KernelFunc) => tf.KernelFunc): void {
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

export function onCpu(kernelFunc: tf.KernelFunc): tf.KernelFunc {
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
