/** Normalisation and resampling of images. */
import type { Spec } from '../../graph/graph';
import { FLOATS, float, maybe, NUMBERS, numbers, one, rangeOf, type Attributes, type Kernels } from '../kernel';
import { fold, returnsOf } from './windows';

export const images: Kernels = {
  FusedBatchNorm: {
    types: FLOATS,
    note: 'batchNorm',
    shape: (inputs) => [one(inputs, 'x')],
    lower: (b, inputs, attrs) => {
      const [x, mean, variance] = ['x', 'mean', 'variance'].map((name) => one(inputs, name).name) as [
        string,
        string,
        string,
      ];
      const epsilon = (attrs['varianceEpsilon'] as number | undefined) ?? 0.001;
      const deviation = b.op('Sqrt', [b.op('Add', [variance, float(b, epsilon)])]);
      const scale = maybe(inputs, 'scale');
      const offset = maybe(inputs, 'offset');
      const slope = scale ? b.op('Div', [scale.name, deviation]) : b.op('Reciprocal', [deviation]);
      const y = b.op('Mul', [b.op('Sub', [x, mean]), slope]);
      return [offset ? b.op('Add', [y, offset.name]) : y];
    },
  },
  ResizeNearestNeighbor: {
    types: NUMBERS,
    note: 'image.resizeNearestNeighbor',
    shape: (inputs, attrs) => {
      const { shape, dtype } = one(inputs, 'images');
      return [{ shape: [shape[0]!, ...numbers(attrs, 'size'), shape[3]!], dtype }];
    },
    lower: (b, inputs, attrs, [out]) => {
      const x = one(inputs, 'images');
      const rows = b.constant(nearest(x.shape[1]!, out!.shape[1]!, attrs), 'int32');
      const columns = b.constant(nearest(x.shape[2]!, out!.shape[2]!, attrs), 'int32');
      return [b.op('Gather', [b.op('Gather', [x.name, rows], { axis: 1 }), columns], { axis: 2 })];
    },
  },
  // as in TensorFlow.js, halfPixelCenters plays no part in the gradient
  ResizeNearestNeighborGrad: {
    types: NUMBERS,
    note: 'the gradient of image.resizeNearestNeighbor',
    shape: (inputs) => [{ ...one(inputs, 'images'), dtype: 'float32' } satisfies Spec],
    lower: (b, inputs, attrs, [out]) => {
      const dy = one(inputs, 'dy');
      const [B, H, W, C] = out!.shape as [number, number, number, number];
      const [rows, columns] = [
        nearest(H, dy.shape[1]!, { ...attrs, halfPixelCenters: false }),
        nearest(W, dy.shape[2]!, { ...attrs, halfPixelCenters: false }),
      ];
      const source = rows.flatMap((row) => columns.map((column) => row * W + column));
      const w = { inputs: H * W, outputs: source.length, taps: 1, source };
      return [b.reshape(fold(b, b.reshape(dy.name, [B, w.outputs, C]), [B, C], returnsOf(w)), out!.shape)];
    },
  },
};

/** The old position that each new one along an axis copies. */
function nearest(from: number, to: number, attrs: Attributes): number[] {
  const corners = attrs['alignCorners'] === true;
  const ratio = corners && to > 1 ? (from - 1) / (to - 1) : from / to;
  const half = attrs['halfPixelCenters'] === true ? 0.5 : 0;
  return rangeOf(to).map((i) => {
    const at = ratio * (i + half);
    return Math.min(from - 1, corners ? Math.round(at) : Math.floor(at));
  });
}
