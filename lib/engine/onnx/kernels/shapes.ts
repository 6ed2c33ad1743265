/** The same numbers in another type, shape or order. */
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
      return [{ shape: inferred(numbers(attrs, 'shape'), sizeOf(shape)), dtype }];
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

/** A shape in which −1 stands for whatever is left. */
function inferred(shape: readonly number[], size: number): number[] {
  const known = shape.reduce((product, n) => (n === -1 ? product : product * n), 1);
  return shape.map((n) => (n === -1 ? size / known : n));
}
