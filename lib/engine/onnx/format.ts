/**
 * ONNX's file format: the part of its schema that we write.
 * Reference: ONNX, Open Neural Network Exchange IR specification.
 */
import type protobuf from 'protobufjs';
import type { DType, Spec } from '../graph/graph';

/** Element types of ONNX tensors. */
export const ELEMENT = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
export type Element = keyof typeof ELEMENT;

const OPSET = 18;
const IR_VERSION = 8;

/** The part of the ONNX schema that we write; the field numbers are its contract. */
const SCHEMA = `syntax = "proto3";
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
  message Model { int64 ir_version = 1; string producer_name = 2; Graph graph = 7; repeated OperatorSet opset_import = 8; }`;

let model: protobuf.Type | undefined;

/** Read when a graph is first written: most who import the library compile nothing, such as a submission. */
function modelType(): protobuf.Type {
  if (model) return model;
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- lazy, and synchronous like `compileNow`
  const { parse } = require('protobufjs') as typeof protobuf;
  return (model = parse(SCHEMA).root.lookupType('Model'));
}

export type AttributeValue = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** One operator, as the schema has it. */
export interface OnnxNode {
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly attribute: readonly object[];
}

/** A constant, as the schema has it. */
export interface Initializer {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData: Uint8Array;
}

/** The bytes of a model. */
export function encode(
  node: readonly OnnxNode[],
  initializer: readonly Initializer[],
  inputs: readonly NamedSpec[],
  outputs: readonly NamedSpec[],
): Uint8Array {
  const graph = { name: 'dgm', node, initializer, input: inputs.map(valueInfo), output: outputs.map(valueInfo) };
  const model = { irVersion: IR_VERSION, producerName: 'dgm', graph, opsetImport: [{ domain: '', version: OPSET }] };
  const type = modelType();
  return type.encode(type.fromObject(model)).finish();
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

export function attributeOf(name: string, value: AttributeValue): object {
  if (typeof value === 'number') return { name, type: INT, i: value };
  if (typeof value === 'string') return { name, type: STRING, s: Buffer.from(value) };
  if ('float' in value) return { name, type: FLOAT, f: value.float };
  return { name, type: INTS, ints: value };
}

export type Raw = Float32Array | Float64Array | Int32Array | Uint8Array | BigInt64Array;

export function arrayOf(values: ArrayLike<number>, element: Element): Raw {
  if (element === 'int64') return BigInt64Array.from(Array.from(values, (v) => BigInt(v)));
  if (element === 'float32') return Float32Array.from(values);
  if (element === 'float64') return Float64Array.from(values);
  return element === 'bool' ? Uint8Array.from(values) : Int32Array.from(values);
}

export const elementOf = (dtype: DType): Element => dtype;
