/** Arithmetic, comparisons and choices, element by element over operands that broadcast. */
import * as tf from '@tensorflow/tfjs';
import type { DType } from '../../graph/graph';
import { ALL, as, broadcast, float, FLOATS, narrowed, noted, NUMBERS, one, type Kernels } from '../kernel';
import { binary, comparison } from './elementwise';

export const operators: Kernels = {
  Add: binary('Add'),
  Atan2: binary((b, y, x) => {
    // atan(y / x), moved by ±π where x < 0; 0 where y = 0, whatever x is
    const slope = b.op('Where', [b.op('Equal', [y, float(b, 0)]), float(b, 0), b.op('Div', [y, x])]);
    const base = b.op('Atan', [slope]);
    const turn = b.op('Where', [b.op('Less', [y, float(b, 0)]), float(b, -Math.PI), float(b, Math.PI)]);
    return b.op('Where', [b.op('Less', [x, float(b, 0)]), b.op('Add', [base, turn]), base]);
  }),
  // by double precision, where the quotient of two float32 or int32 is on the right side of every integer
  FloorDiv: {
    types: NUMBERS,
    note: 'floorDiv, and div of integers',
    shape: (inputs) => [{ shape: broadcast(one(inputs, 'a').shape, one(inputs, 'b').shape), dtype: 'int32' }],
    lower: (b, inputs) => {
      const [x, y] = ['a', 'b'].map((name) => b.cast(one(inputs, name).name, 'float64')) as [string, string];
      return [b.cast(b.op('Floor', [b.op('Div', [x, y])]), 'int32')];
    },
  },
  Maximum: binary('Max', 'Or'),
  Minimum: binary('Min', 'And'),
  // the remainder has the divisor's sign; by float, because an integer divided by 0 would end the process
  Mod: binary((b, x, y, spec) => {
    const wide = spec.dtype === 'int32';
    const [n, d] = wide ? [b.cast(x, 'float64'), b.cast(y, 'float64')] : [x, y];
    const remainder = (a: string) => b.op('Mod', [a, d], { fmod: 1 });
    const zero = wide ? b.constant(0, 'float64') : float(b, 0);
    const differ = b.op('Xor', [b.op('Less', [n, zero]), b.op('Less', [d, zero])]);
    const r = remainder(n);
    const y0 = b.op('Where', [differ, remainder(b.op('Add', [r, d])), r]);
    return wide ? b.cast(y0, 'int32') : y0;
  }),
  Multiply: binary('Mul', 'And'),
  Pow: binary('Pow'),
  RealDiv: noted('div', binary('Div')),
  SquaredDifference: noted(
    'its gradient does not broadcast in TensorFlow.js',
    binary((b, x, y) => {
      const difference = b.op('Sub', [x, y]);
      return b.op('Mul', [difference, difference]);
    }),
  ),
  Sub: binary('Sub'),
  Prelu: {
    types: NUMBERS,
    shape: (inputs) => [{ shape: one(inputs, 'x').shape, dtype: 'float32' }],
    lower: (b, inputs) => [b.op('PRelu', [as(b, one(inputs, 'x'), 'float32'), as(b, one(inputs, 'alpha'), 'float32')])],
  },
  // dy where y ≥ 0, else dy (y + 1)
  EluGrad: {
    types: FLOATS,
    note: 'the gradient of elu',
    shape: (inputs) => [one(inputs, 'dy')],
    lower: (b, inputs) => {
      const y = one(inputs, 'y').name;
      const slope = b.op('Min', [b.op('Add', [y, float(b, 1)]), float(b, 1)]);
      return [b.op('Mul', [one(inputs, 'dy').name, slope])];
    },
  },

  Equal: comparison((b, x, y) => b.op('Equal', [x, y])),
  Greater: comparison((b, x, y) => b.op('Greater', [x, y])),
  GreaterEqual: comparison((b, x, y) => b.op('GreaterOrEqual', [x, y])),
  Less: comparison((b, x, y) => b.op('Less', [x, y])),
  LessEqual: comparison((b, x, y) => b.op('LessOrEqual', [x, y])),
  NotEqual: comparison((b, x, y) => b.op('Not', [b.op('Equal', [x, y])])),
  LogicalAnd: binary('And', 'And'),
  LogicalOr: binary('Or', 'Or'),
  // the three have one shape: tf.where spreads them before it calls the kernel
  Select: {
    types: ALL,
    note: 'where',
    shape: (inputs) => {
      const [t, e] = [one(inputs, 't'), one(inputs, 'e')];
      return [{ shape: t.shape, dtype: tf.upcastType(t.dtype, e.dtype) as DType }];
    },
    lower: (b, inputs, _, [out]) => {
      const within = out!.dtype === 'bool' ? 'int32' : out!.dtype; // there is no Where for booleans
      const [t, e] = ['t', 'e'].map((name) => ({ ...one(inputs, name), name: as(b, one(inputs, name), within) }));
      const y = b.op('Where', narrowed(b, [one(inputs, 'condition'), t!, e!], out!));
      return [within === out!.dtype ? y : b.cast(y, 'bool')];
    },
  },
};
