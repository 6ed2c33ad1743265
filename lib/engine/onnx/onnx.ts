/**
 * ONNX graphs: a builder that the kernels' lowerings write into, and the file format.
 * Reference: ONNX, Open Neural Network Exchange IR specification, and operators of opset 18.
 */
import protobuf from 'protobufjs';
import type { DType, Spec } from '../graph/graph';

/** Element types of ONNX tensors. */
export const ELEMENT = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
export type Element = keyof typeof ELEMENT;

const OPSET = 18;
const IR_VERSION = 8;

/** The part of the ONNX schema that we write; the field numbers are its contract. */
const SCHEMA = protobuf
  .parse(
    `syntax = "proto3";
   message Attribute { string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated int64 ints = 8 [packed = false]; int32 type = 20; }
   message Tensor { repeated int64 dims = 1 [packed = false]; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
   message Node { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated Attribute attribute = 5; string domain = 7; }
   message Dim { int64 dim_value = 1; }
   message Shape { repeated Dim dim = 1; }
   message TensorType { int32 elem_type = 1; Shape shape = 2; }
   message Type { TensorType tensor_type = 1; }
   message ValueInfo { string name = 1; Type type = 2; }
   message Graph { repeated Node node = 1; string name = 2; repeated Tensor initializer = 5; repeated ValueInfo input = 11; repeated ValueInfo output = 12; }
   message OperatorSet { string domain = 1; int64 version = 2; }
   message Model { int64 ir_version = 1; string producer_name = 2; Graph graph = 7; repeated OperatorSet opset_import = 8; }`,
  )
  .root.lookupType('Model');

export type AttributeValue = number | string | readonly number[] | { readonly float: number };

interface OnnxNode {
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly attribute: readonly object[];
}

/** Collects nodes and constants; every method returns the name of a value. */
export class OnnxBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers: object[] = [];
  private readonly shared = new Map<string, string>();
  private readonly sources = new Map<string, string>();
  private readonly made = new Map<string, unknown>();
  private next = 0;

  /** One operator with one output. Attributes: integers, lists of integers, strings, or `{ float }`. */
  op(opType: string, input: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    return this.ops(opType, input, 1, attributes)[0]!;
  }

  /** One operator with several outputs. */
  ops(
    opType: string,
    input: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string[] {
    const output = Array.from({ length: outputs }, () => `v${this.next++}`);
    const attribute = Object.entries(attributes).map(([name, value]) => attributeOf(name, value));
    this.nodes.push({ opType, input, output, name: `${opType}${this.nodes.length}`, attribute });
    return output;
  }

  /** A constant scalar or list; equal ones share a name. */
  constant(values: number | readonly number[], element: Element): string {
    const list = typeof values === 'number' ? [values] : values;
    const key = `${element} ${typeof values === 'number'} ${list.map((v) => (Object.is(v, -0) ? '-0' : v)).join()}`;
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const name = this.tensor(arrayOf(list, element), typeof values === 'number' ? [] : [list.length], element);
    this.shared.set(key, name);
    return name;
  }

  /** A list of int64, as shapes, axes and indices are. */
  ints(values: readonly number[]): string {
    return this.constant(values, 'int64');
  }

  /** A constant tensor. */
  tensor(values: Raw, dims: readonly number[], element: Element): string {
    const name = `c${this.next++}`;
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializers.push({ name, dims, dataType: ELEMENT[element], rawData });
    return name;
  }

  /** What `make` returned the first time it was asked for under this key: constants that several nodes share. */
  once<T>(key: string, make: () => T): T {
    if (!this.made.has(key)) this.made.set(key, make());
    return this.made.get(key) as T;
  }

  cast(x: string, to: Element): string {
    return this.op('Cast', [x], { to: ELEMENT[to] });
  }

  /** To a shape without −1. A 0 means no elements, which ONNX must be told: its own 0 copies a dimension. */
  reshape(x: string, shape: readonly number[]): string {
    return this.op('Reshape', [x, this.ints(shape)], shape.includes(0) ? { allowzero: 1 } : {});
  }

  /** One value spread over a shape that it broadcasts to. */
  expand(x: string, shape: readonly number[]): string {
    const y = this.op('Expand', [x, this.ints(shape)]);
    this.sources.set(y, this.unexpanded(x));
    return y;
  }

  /** What `expand` was given, for an operator that broadcasts by itself: it then reads less memory. */
  unexpanded(y: string): string {
    return this.sources.get(y) ?? y;
  }

  /** The finished model as bytes. `outputs` pairs the name it is to have with the value it is. */
  model(inputs: readonly NamedSpec[], outputs: readonly (NamedSpec & { readonly value: string })[]): Uint8Array {
    const named = outputs.map(({ name, value }) => ({
      opType: 'Identity',
      input: [value],
      output: [name],
      name: `out ${name}`,
    }));
    const graph = {
      name: 'dgm',
      node: [...this.nodes, ...named],
      initializer: this.initializers,
      input: inputs.map(valueInfo),
      output: outputs.map(valueInfo),
    };
    const model = { irVersion: IR_VERSION, producerName: 'dgm', graph, opsetImport: [{ domain: '', version: OPSET }] };
    return SCHEMA.encode(SCHEMA.fromObject(model)).finish();
  }

  get size(): number {
    return this.nodes.length;
  }
}

export interface NamedSpec extends Spec {
  readonly name: string;
}

function valueInfo({ name, shape, dtype }: NamedSpec): object {
  const dims = shape.map((dimValue) => ({ dimValue }));
  return { name, type: { tensorType: { elemType: ELEMENT[dtype], shape: { dim: dims } } } };
}

/** The schema's codes for the kinds of attributes. */
const FLOAT = 1;
const INT = 2;
const STRING = 3;
const INTS = 7;

function attributeOf(name: string, value: AttributeValue): object {
  if (typeof value === 'number') return { name, type: INT, i: value };
  if (typeof value === 'string') return { name, type: STRING, s: Buffer.from(value) };
  if ('float' in value) return { name, type: FLOAT, f: value.float };
  return { name, type: INTS, ints: value };
}

type Raw = Float32Array | Float64Array | Int32Array | Uint8Array | BigInt64Array;

function arrayOf(values: ArrayLike<number>, element: Element): Raw {
  if (element === 'int64') return BigInt64Array.from(Array.from(values, (v) => BigInt(v)));
  if (element === 'float32') return Float32Array.from(values);
  if (element === 'float64') return Float64Array.from(values);
  return element === 'bool' ? Uint8Array.from(values) : Int32Array.from(values);
}

export const elementOf = (dtype: DType): Element => dtype;
