/** ONNX graphs: a builder that the kernels' lowerings write into. Reference: ONNX, operators of opset 18. */
import { arrayOf, attributeOf, ELEMENT, encode } from './format';
import type { Attributes, Element, Initializer, NamedSpec, OnnxNode, Raw } from './format';
import { guards } from './guards';

/** What a model is written for. */
export interface Target {
  /** The device's own functions may lose NaN and infinities: they are guarded. */
  readonly guarded: boolean;
  /** No convolution by fewer products, whose error is relative to the largest number of a tile. */
  readonly exact: boolean;
}

/** A device whose arithmetic is that of IEEE 754, for a reader who wants speed. */
const PLAIN: Target = { guarded: false, exact: false };

/** Collects nodes and constants; every method returns the name of a value. */
export class OnnxBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers: Initializer[] = [];
  private readonly shared = new Map<string, string>();
  private readonly sources = new Map<string, string>();
  private readonly made = new Map<string, unknown>();
  private readonly numbers = new Map<string, number>();
  private next = 0;

  constructor(readonly target: Target = PLAIN) {}

  /**
   * One operator with one output, and whatever guards it on this target. Attributes: integers, lists of integers,
   * strings, or `{ float }`.
   */
  op(opType: string, input: readonly string[], attributes: Attributes = {}): string {
    const guard = this.target.guarded && Object.hasOwn(guards, opType) ? guards[opType] : undefined;
    return guard ? guard(this, input, attributes) : this.plain(opType, input, attributes);
  }

  /** One operator as it is. */
  plain(opType: string, input: readonly string[], attributes: Attributes = {}): string {
    return this.ops(opType, input, 1, attributes)[0]!;
  }

  /** One operator with several outputs. */
  ops(opType: string, input: readonly string[], outputs: number, attributes: Attributes = {}): string[] {
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
    if (typeof values === 'number') this.numbers.set(name, values);
    return name;
  }

  /** The number that a value consists of, where it was made from a constant. */
  numberIn(x: string): number | undefined {
    return this.numbers.get(this.unexpanded(x));
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
      attribute: [],
    }));
    return encode([...this.nodes, ...named], this.initializers, inputs, outputs);
  }

  get size(): number {
    return this.nodes.length;
  }
}
