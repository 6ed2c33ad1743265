/** Values that depend on shapes and attributes alone. */
import type { DType, Spec } from '../../graph/graph';
import {
  ALL,
  numbers,
  NUMBERS,
  one,
  spread,
  type Attributes,
  type Kernel,
  type Kernels,
  type Operands,
} from '../kernel';
import { elementOf } from '../format';

/** Filled with one value: a constant of the graph, spread by the runtime. */
function filled(value: (attrs: Attributes) => number, spec: (inputs: Operands, attrs: Attributes) => Spec): Kernel {
  return {
    types: ALL,
    shape: (inputs, attrs) => [spec(inputs, attrs)],
    lower: (b, _, attrs, [out]) => [spread(b, value(attrs), out!)],
  };
}

export const constants: Kernels = {
  Range: progression((attrs) => {
    const [start, stop, step] = ['start', 'stop', 'step'].map((name) => attrs[name] as number) as [
      number,
      number,
      number,
    ];
    const empty = start === stop || (start < stop && step < 0) || (stop < start && step > 1);
    const count = empty ? 0 : Math.abs(Math.ceil((stop - start) / step));
    return { start, step: stop < start && step === 1 ? -1 : step, count }; // a step of 1 is the default: it turns round
  }),
  LinSpace: progression((attrs) => {
    const [start, stop, count] = ['start', 'stop', 'num'].map((name) => attrs[name] as number) as [
      number,
      number,
      number,
    ];
    return { start, step: (stop - start) / (count - 1), count };
  }),
  Fill: filled(
    (attrs) => attrs['value'] as number,
    (_, attrs) => ({ shape: numbers(attrs, 'shape'), dtype: (attrs['dtype'] as DType | undefined) ?? 'float32' }),
  ),
  ZerosLike: filled(
    () => 0,
    (inputs) => one(inputs, 'x'),
  ),
  OnesLike: filled(
    () => 1,
    (inputs) => one(inputs, 'x'),
  ),
};

/** start, start + step, …: a constant, rounded at every step as TensorFlow.js does. */
function progression(of: (attrs: Attributes) => { start: number; step: number; count: number }): Kernel {
  const dtypeOf = (attrs: Attributes) => (attrs['dtype'] as DType | undefined) ?? 'float32';
  return {
    types: NUMBERS,
    shape: (_, attrs) => [{ shape: [of(attrs).count], dtype: dtypeOf(attrs) }],
    lower: (b, _, attrs) => {
      const { start, step, count } = of(attrs);
      const values = dtypeOf(attrs) === 'float32' ? new Float32Array(count) : new Int32Array(count);
      for (let i = 0; i < count; i++) values[i] = i === 0 ? start : values[i - 1]! + step;
      return [b.tensor(values, [count], elementOf(dtypeOf(attrs)))];
    },
  };
}
