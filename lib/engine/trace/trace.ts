/**
 * Tracing: running TensorFlow.js code on shapes alone, and writing down which kernels it calls.
 *
 * A backend of our own stands in for the real one. Its kernels compute nothing but the shape of their result, so
 * tracing a step with its gradients (which TensorFlow.js makes of kernels, too) takes milliseconds whatever the
 * model's size. A value that code tries to read does not exist yet: that is an error which names the line.
 */
import * as tf from '@tensorflow/tfjs';
import { type Constant, type DType, type Graph, type Node, type Spec, type Value } from '../graph/graph';
import { callSite, siteLater } from '../graph/site';
import type { Attributes, Kernel, Operands } from '../onnx/kernel';
import { kernels } from '../onnx/kernels/index';

const BACKEND = 'dgm-trace';

/** Something the code did that a compiled graph cannot do. */
export class TraceError extends Error {
  constructor(
    message: string,
    readonly site: string,
  ) {
    super(site === '' ? message : `${message} (${site})`);
    this.name = 'TraceError';
  }
}

/** What is known to the trace that runs now. */
interface Tape {
  readonly values: WeakMap<object, Value>;
  readonly inputs: Value[];
  readonly constants: Constant[];
  readonly nodes: Node[];
  /** Whether each node notes its line. */
  readonly sites: boolean;
  nextId: number;
}

let tape: Tape | undefined;

/** Tools for the function that is being traced. */
export interface Tracer {
  /** A tensor without values, fed at every run. */
  input(spec: Spec): tf.Tensor;
  /** From now on this tensor, which has values already, counts as an input: a variable. */
  adopt(tensor: tf.Tensor): void;
}

/**
 * Runs `body` on shapes alone.
 * @param sites whether each node notes which line asked for it, which takes longer than the rest of tracing
 * @returns the graph from its inputs, in the order in which they were declared, to the tensors it returned
 * @throws TraceError naming the line, when the code reads a value or calls a kernel without a rule
 */
export function trace(body: (tracer: Tracer) => readonly tf.Tensor[], sites = true): Graph {
  registerOnce();
  if (tape) throw new Error('trace: a trace is already running');
  const own: Tape = { values: new WeakMap(), inputs: [], constants: [], nodes: [], sites, nextId: 0 };
  tf.backend(); // makes tfjs choose one, if nothing has been computed yet: there must be one to return to
  const before = tf.getBackend();
  tape = own;
  tf.engine().startScope('trace');
  try {
    void tf.setBackend(BACKEND); // its factory is synchronous, and so is the switch
    const tracer = { input: (spec: Spec) => placeholder(own, spec), adopt: (tensor: tf.Tensor) => adopt(own, tensor) };
    const outputs = withoutAssignment(() => body(tracer));
    return {
      inputs: own.inputs,
      constants: own.constants,
      nodes: own.nodes,
      outputs: outputs.map((tensor) => valueOf(own, tensor)),
    };
  } finally {
    tf.engine().endScope();
    tape = undefined;
    void tf.setBackend(before);
  }
}

/** Assigning to a variable while there are only shapes would lose its values. */
function withoutAssignment<T>(body: () => T): T {
  const { assign } = tf.Variable.prototype;
  tf.Variable.prototype.assign = () => {
    throw new TraceError('a variable is assigned to, which a graph cannot do', callSite());
  };
  try {
    return body();
  } finally {
    tf.Variable.prototype.assign = assign;
  }
}

function placeholder(own: Tape, spec: Spec): tf.Tensor {
  const dataId = {};
  const value = { shape: spec.shape, dtype: spec.dtype, id: own.nextId++ };
  own.values.set(dataId, value);
  own.inputs.push(value);
  return tf.engine().makeTensorFromDataId(dataId, [...spec.shape], spec.dtype);
}

function adopt(own: Tape, tensor: tf.Tensor): void {
  const value = { shape: tensor.shape, dtype: tensor.dtype as DType, id: own.nextId++ };
  own.values.set(tensor.dataId, value);
  own.inputs.push(value);
}

/** The value behind a tensor; one that the trace has not seen holds numbers from outside, which become a constant. */
function valueOf(own: Tape, tensor: tf.TensorInfo): Value {
  const known = own.values.get(tensor.dataId);
  if (known) return known;
  const shape = tensor.shape;
  const dtype = tensor.dtype as DType;
  const values = outsideValues(tensor);
  const constant = { shape, dtype, id: own.nextId++, values };
  own.values.set(tensor.dataId, constant);
  own.constants.push(constant);
  return constant;
}

function outsideValues(tensor: tf.TensorInfo): Float32Array | Int32Array | Uint8Array {
  return typed(tf.engine().readSync(tensor.dataId), tensor.dtype);
}

function record(kernelName: string, { inputs, attrs }: { inputs: tf.NamedTensorInfoMap; attrs?: tf.NamedAttrMap }) {
  const own = tape!;
  const operands: Record<string, Value | readonly Value[]> = {};
  for (const [name, input] of Object.entries(inputs as Record<string, tf.TensorInfo | readonly tf.TensorInfo[]>))
    if (input !== undefined && input !== null)
      operands[name] = Array.isArray(input)
        ? input.map((i: tf.TensorInfo) => valueOf(own, i))
        : valueOf(own, input as tf.TensorInfo);
  const site = own.sites ? siteLater() : callSite;
  const attributes = (attrs ?? {}) as Attributes;
  const specs = shapesOf(kernelName, operands, attributes, site);
  const outputs = specs.map((spec) => ({ ...spec, id: own.nextId++ }));
  own.nodes.push({
    kernel: kernelName,
    inputs: operands,
    attrs: attributes,
    outputs,
    get site() {
      return site();
    },
  });
  const infos = outputs.map((value) => {
    const dataId = {};
    own.values.set(dataId, value);
    return { dataId, shape: [...value.shape], dtype: value.dtype };
  });
  return MANY.has(kernelName) ? infos : infos[0]!;
}

function shapesOf(kernelName: string, operands: Operands, attrs: Attributes, site: () => string): readonly Spec[] {
  try {
    const kernel = kernels[kernelName]!;
    requireType(kernel, operands);
    return kernel.shape(operands, attrs);
  } catch (error) {
    throw new TraceError(`${kernelName} cannot be compiled like this: ${(error as Error).message}`, site());
  }
}

function requireType({ types, typed }: Kernel, operands: Operands): void {
  const operand = typed === undefined ? Object.values(operands)[0] : operands[typed];
  const dtype = ([operand ?? []].flat()[0] as Value | undefined)?.dtype;
  if (dtype !== undefined && !types.includes(dtype))
    throw new Error(`of ${dtype}; cast it to ${types.join(' or ')} first`);
}

/** Kernels whose result is a list even when it has one element. */
const MANY = new Set(['SplitV', 'TopK', 'Unpack']);

/** The part of a backend that the engine of TensorFlow.js calls. */
class TraceBackend extends tf.KernelBackend {
  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    if (!tape) throw new Error('trace: a tensor was made outside of a trace');
    const constant = { shape, dtype: dtype as DType, id: tape.nextId++, values: typed(values, dtype) };
    tape.values.set(dataId, constant);
    tape.constants.push(constant);
    return dataId;
  }
  override readSync(dataId: object): tf.BackendValues {
    const value = tape?.values.get(dataId);
    if (value && 'values' in value) return (value as Constant).values;
    throw new TraceError(
      'the value of a tensor was read, but a compiled step is traced before there are values',
      callSite(),
    );
  }
  override read(dataId: object): Promise<tf.BackendValues> {
    return Promise.resolve(this.readSync(dataId));
  }
  override numDataIds(): number {
    return 0;
  }
  override disposeData(): boolean {
    return true;
  }
  override refCount(): number {
    return 1;
  }
  override incRef(): void {}
  decRef(): void {}
  override move(): void {}
  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }
  override floatPrecision(): 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override dispose(): void {}
}

function typed(values: tf.BackendValues, dtype: tf.DataType): Float32Array | Int32Array | Uint8Array {
  const numbers = values as ArrayLike<number>;
  if (dtype === 'float32') return Float32Array.from(numbers);
  return dtype === 'bool' ? Uint8Array.from(numbers) : Int32Array.from(numbers);
}

let registered = false;

/** Every kernel that any backend has gets an entry, so that one without a rule can be named. */
function registerOnce(): void {
  if (registered) return;
  registered = true;
  tf.registerBackend(BACKEND, () => new TraceBackend() as unknown as tf.KernelBackend, 0);
  for (const kernelName of kernelNames())
    tf.registerKernel({
      kernelName,
      backendName: BACKEND,
      kernelFunc: (call) => {
        if (!Object.hasOwn(kernels, kernelName))
          throw new TraceError(`the operation ${kernelName} cannot be compiled`, callSite());
        return record(kernelName, call as never) as tf.TensorInfo;
      },
    });
}

/** TensorFlow.js exports every kernel's name as a constant; no backend need have them all. */
function kernelNames(): Set<string> {
  const constants = Object.values(tf as Readonly<Record<string, unknown>>);
  const named = constants.filter((value): value is string => typeof value === 'string' && /^_?[A-Z]/.test(value));
  return new Set([
    ...named,
    ...tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName),
    ...Object.keys(kernels),
  ]);
}
