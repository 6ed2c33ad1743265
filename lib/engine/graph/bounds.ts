/** What is known of a value's numbers before anything has been computed: between which two they lie. */
import { operandsOf } from './graph-size';
import { sizeOf, type Constant, type Graph, type Node, type Value } from './graph';

/** The least and the largest number that a value may hold. */
export type Bounds = readonly [least: number, largest: number];

/** Operations that pass the numbers of their first operand on, or some of them. */
const PASSING = /^(Identity|Reshape|ExpandDims|Transpose|Slice|StridedSlice|Reverse|Tile|Unpack|SplitV)$/;
/** Operations that put the numbers of all their operands together. */
const JOINING = /^(Concat|Pack)$/;

/** Of integers and booleans only: a float may be NaN, which lies nowhere. */
export function boundsIn({ nodes, constants }: Graph): (value: Value) => Bounds | undefined {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map(({ id }) => [id, node] as const)));
  const known = new Map(constants.map((constant) => [constant.id, boundsOf(constant)]));
  const find = (value: Value): Bounds | undefined => {
    const maker = makers.get(value.id);
    if (maker && !known.has(value.id)) known.set(value.id, made(maker, value));
    return known.get(value.id);
  };
  const made = (node: Node, value: Value): Bounds | undefined => {
    const operands = operandsOf(node);
    if (PASSING.test(node.kernel)) return find(operands[0]!);
    if (JOINING.test(node.kernel)) return joined(operands.map(find));
    if (node.kernel === 'Cast') return operands[0]!.dtype === 'bool' ? [0, 1] : whole(find(operands[0]!));
    return value.dtype === 'int32' ? bySettings(node, value) : undefined;
  };
  return find;
}

function bySettings({ kernel, inputs, attrs }: Node, { shape }: Value): Bounds | undefined {
  const number = (name: string) => attrs[name] as number;
  switch (kernel) {
    case 'Fill':
      return [number('value'), number('value')];
    case 'ZerosLike':
      return [0, 0];
    case 'OnesLike':
      return [1, 1];
    case 'Range': {
      const last = number('start') + Math.max(0, sizeOf(shape) - 1) * signedStep(attrs);
      return [Math.min(number('start'), last), Math.max(number('start'), last)];
    }
    case 'ArgMax':
    case 'ArgMin': {
      const x = inputs['x'] as Value;
      const axis = [attrs['axis']].flat()[0] as number;
      return [0, Math.max(0, x.shape.at(axis)! - 1)];
    }
    case 'ClipByValue':
      return [number('clipValueMin'), number('clipValueMax')];
    default:
      return undefined;
  }
}

/** A step of 1 is the default, and turns round where the range falls. */
const signedStep = (attrs: Node['attrs']): number => {
  const [start, stop, step] = ['start', 'stop', 'step'].map((name) => attrs[name] as number);
  return stop! < start! && step === 1 ? -1 : step!;
};

function boundsOf({ values, dtype }: Constant): Bounds | undefined {
  if (dtype === 'float32' || values.length === 0) return undefined;
  let [least, largest] = [Infinity, -Infinity];
  for (const value of values) [least, largest] = [Math.min(least, value), Math.max(largest, value)];
  return [least, largest];
}

const joined = (all: readonly (Bounds | undefined)[]): Bounds | undefined =>
  all.reduce((a, b) => a && b && [Math.min(a[0], b[0]), Math.max(a[1], b[1])]);

const whole = (bounds: Bounds | undefined): Bounds | undefined =>
  bounds && [Math.trunc(bounds[0]), Math.trunc(bounds[1])];
