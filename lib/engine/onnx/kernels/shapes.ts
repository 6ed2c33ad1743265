/** The same numbers in another type, shape or order. */
import * as tf from '@tensorflow/tfjs';
import { sizeOf, type DType } from '../../graph/graph';
import { ALL, as, numbers, one, transposed, type Kernels } from '../kernel';

export const shapes: Kernels = {
  Identity: {
    types: ALL,
    note: 'clone',
    shape: (inputs) => [one(inputs, 'x')],
    lower: (_, inputs) => [one(inputs, 'x').name],
  },
  Cast: {
    types: ALL,
    shape: (inputs, attrs) => [{ shape: one(inputs, 'x').shape, dtype: attrs['dtype'] as DType }],
    lower: (b, inputs, _, [out]) => [as(b, one(inputs, 'x'), out!.dtype)],
  },
  Reshape: {
    types: ALL,
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      return [{ shape: reshapedTo(numbers(attrs, 'shape'), shape), dtype }];
    },
    lower: (b, inputs, _, [out]) => [b.reshape(one(inputs, 'x').name, out!.shape)],
  },
  ExpandDims: {
    types: ALL,
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'input');
      const at = attrs['dim'] as number;
      const axis = at < 0 ? at + shape.length + 1 : at;
      return [{ shape: [...shape.slice(0, axis), 1, ...shape.slice(axis)], dtype }];
    },
    lower: (b, inputs, _, [out]) => [b.reshape(one(inputs, 'input').name, out!.shape)],
  },
  Transpose: {
    types: ALL,
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'x');
      return [{ shape: numbers(attrs, 'perm').map((axis) => shape[axis]!), dtype }];
    },
    lower: (b, inputs, attrs) => [transposed(b, one(inputs, 'x').name, numbers(attrs, 'perm'))],
  },
};

/** A shape in which −1 stands for whatever is left. @throws where it has another size, as TensorFlow.js does */
function reshapedTo(wanted: number[], from: readonly number[]): number[] {
  const shape = tf.util.inferFromImplicitShape(wanted, sizeOf(from));
  if (sizeOf(shape) === sizeOf(from)) return shape;
  throw new Error(`[${from.join(', ')}] has ${sizeOf(from)} elements, [${shape.join(', ')}] has ${sizeOf(shape)}`);
}
