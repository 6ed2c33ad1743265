/** Arithmetic, comparisons and choices, element by element over operands that broadcast. */
import * as tf from '@tensorflow/tfjs';
import type { DType } from '../../graph/graph';
import { ALL, as, broadcast, float, FLOATS, narrowed, noted, NUMBERS, one, type Kernels } from '../kernel';
import type { OnnxBuilder } from '../onnx';
import { binary, binaryByDouble, binaryByFloat, comparison, logical, truncatedDouble, type Float } from './elementwise';

export const operators: Kernels = {
  Add: binary('Add'),
  Atan2: binaryByFloat(atan2, 'float32'),
  // by double precision, where the quotient of two float32 or int32 is on the right side of every integer
  FloorDiv: {
    types: NUMBERS,
    note: 'floorDiv, and div of integers',
    shape: (inputs) => [{ shape: broadcast(one(inputs, 'a').shape, one(inputs, 'b').shape), dtype: 'int32' }],
    lower: (b, inputs) => {
      const [x, y] = ['a', 'b'].map((name) => b.cast(one(inputs, name).name, 'float64')) as [string, string];
      return [truncatedDouble(b, b.op('Floor', [b.op('Div', [x, y])]))];
    },
  },
  Maximum: binary('Max', 'Or'),
  Minimum: binary('Min', 'And'),
  // the remainder has the divisor's sign; by float64 as in JavaScript, since what is rounded to the divisor is not 0
  Mod: binaryByDouble((b, n, d, type) => {
    const remainder = (a: string) => b.op('Mod', [a, d], { fmod: 1 });
    const zero = b.constant(0, type);
    const differ = b.op('Xor', [b.op('Less', [n, zero]), b.op('Less', [d, zero])]);
    const r = remainder(n);
    return b.op('Where', [differ, remainder(b.op('Add', [r, d])), r]);
  }),
  Multiply: binary('Mul', 'And'),
  Pow: binaryByFloat(pow),
  // by float64 of integers, too, because dividing one by 0 would end the process
  RealDiv: noted(
    'div',
    binaryByFloat((b, x, y) => b.op('Div', [x, y])),
  ),
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
    shape: (inputs) => [{ shape: broadcast(one(inputs, 'x').shape, one(inputs, 'alpha').shape), dtype: 'float32' }],
    lower: (b, inputs, _, [out]) => {
      const [x, alpha] = ['x', 'alpha'].map((name) => as(b, one(inputs, name), 'float32')) as [string, string];
      const isWide = String(one(inputs, 'x').shape) === String(out!.shape); // which the operator wants
      return [b.op('PRelu', [isWide ? x : b.expand(x, out!.shape), alpha])];
    },
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
  LogicalAnd: logical('And'),
  LogicalOr: logical('Or'),
  // the three have one shape: tf.where spreads them before it calls the kernel
  Select: {
    types: ALL,
    typed: 't',
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

/**
 * The angle of (x, y), in [−π, π], by the arcus tangent of |y / x| and the signs of both, those of zeros included.
 * Reference: ISO/IEC 9899, F.10.1.4 (the special cases).
 */
function atan2(b: OnnxBuilder, y: string, x: string): string {
  const number = (value: number) => float(b, value);
  const [isZero, isInfinite] = [
    (v: string) => b.op('Equal', [v, number(0)]),
    (v: string) => b.op('Equal', [b.op('Abs', [v]), number(Number.POSITIVE_INFINITY)]),
  ];
  const isNegative = (v: string) =>
    b.op('Less', [b.op('Where', [isZero(v), b.op('Div', [number(1), v]), v]), number(0)]);
  const both = (test: (v: string) => string) => b.op('And', [test(y), test(x)]);
  const ratio = b.op('Div', [b.op('Abs', [y]), b.op('Abs', [x])]);
  const defined = b.op('Where', [both(isZero), number(0), b.op('Where', [both(isInfinite), number(1), ratio])]);
  const angle = b.op('Atan', [defined]);
  const turned = b.op('Where', [isNegative(x), b.op('Sub', [number(Math.PI), angle]), angle]);
  return b.op('Where', [isNegative(y), b.op('Neg', [turned]), turned]);
}

/** As in JavaScript, 1^NaN and (±1)^±∞ are NaN; C's pow, which the runtime calls, has 1 for them. */
function pow(b: OnnxBuilder, x: string, y: string, type: Float): string {
  const power = b.op('Pow', [x, y]);
  if (type === 'float64' || b.target.guarded || Number.isFinite(b.numberIn(y))) return power;
  const isFinite = b.op('Less', [b.op('Abs', [y]), float(b, Number.POSITIVE_INFINITY)]);
  const isOne = b.op('Equal', [b.op('Abs', [x]), float(b, 1)]);
  return b.op('Where', [b.op('And', [isOne, b.op('Not', [isFinite])]), float(b, Number.NaN), power]);
}
