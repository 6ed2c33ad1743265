/** Convolutions with a kernel of its own for every channel, by broadcasting. */
import { FLOATS, numbers, one, type Kernels } from '../kernel';
import { infoOf, toRows } from './convolution';
import { fold, returnsOf, unfold, windowsOf, type Info, type Windows } from './windows';

export const depthwise: Kernels = {
  DepthwiseConv2dNative: {
    types: FLOATS,
    note: 'depthwiseConv2d',
    shape: (inputs, attrs) => [
      { shape: infoOf(attrs, one(inputs, 'x').shape, one(inputs, 'filter').shape, true).outShape, dtype: 'float32' },
    ],
    lower: (b, inputs, attrs, [out]) => {
      const [x, filter] = [one(inputs, 'x'), one(inputs, 'filter')];
      const { w, B, C, M } = channels(infoOf(attrs, x.shape, filter.shape, true));
      const read = b.reshape(unfold(b, toRows(b, x, 'channelsLast'), [B, C], w), [B, w.outputs, w.taps, C, 1]);
      const products = b.op('Mul', [read, b.reshape(filter.name, [w.taps, C, M])]);
      return [b.reshape(b.op('ReduceSum', [products, b.ints([2])], { keepdims: 0 }), out!.shape)];
    },
  },
  DepthwiseConv2dNativeBackpropInput: {
    types: FLOATS,
    note: 'the gradient of depthwiseConv2d by its input',
    shape: (_, attrs) => [{ shape: numbers(attrs, 'inputShape'), dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const [dy, filter] = [one(inputs, 'dy'), one(inputs, 'filter')];
      const { w, B, C, M } = channels(infoOf(attrs, out!.shape, filter.shape, true));
      const products = b.op('Mul', [
        b.reshape(dy.name, [B, w.outputs, 1, C, M]),
        b.reshape(filter.name, [w.taps, C, M]),
      ]);
      const dx = b.op('ReduceSum', [products, b.ints([4])], { keepdims: 0 });
      return [b.reshape(fold(b, b.reshape(dx, [B, w.outputs * w.taps, C]), [B, C], returnsOf(w)), out!.shape)];
    },
  },
  DepthwiseConv2dNativeBackpropFilter: {
    types: FLOATS,
    note: 'the gradient of depthwiseConv2d by its filter',
    shape: (_, attrs) => [{ shape: numbers(attrs, 'filterShape'), dtype: 'float32' }],
    lower: (b, inputs, attrs, [out]) => {
      const [x, dy] = [one(inputs, 'x'), one(inputs, 'dy')];
      const { w, B, C, M } = channels(infoOf(attrs, x.shape, out!.shape, true));
      const read = b.reshape(unfold(b, toRows(b, x, 'channelsLast'), [B, C], w), [B, w.outputs, w.taps, C, 1]);
      const products = b.op('Mul', [read, b.reshape(dy.name, [B, w.outputs, 1, C, M])]);
      return [b.reshape(b.op('ReduceSum', [products, b.ints([0, 1])], { keepdims: 0 }), out!.shape)];
    },
  },
};

function channels(info: Info): { w: Windows; B: number; C: number; M: number } {
  return { w: windowsOf(info), B: info.batchSize, C: info.inChannels, M: info.outChannels / info.inChannels };
}
