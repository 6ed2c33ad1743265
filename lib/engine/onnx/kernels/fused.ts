/** Products with a bias and an activation in the same call, which TensorFlow.js makes where no gradient is asked for. */
import type { Spec } from '../../graph/graph';
import { FLOATS, maybe, noted, one, type Kernel, type Kernels, type Operand } from '../kernel';
import { convolutions } from './convolution';
import { depthwise } from './depthwise';
import { functions } from './functions';
import { matrices } from './matrices';
import { operators } from './operators';

function fused(name: string, product: Kernel): Kernel {
  return {
    types: FLOATS,
    shape: (inputs, attrs) => product.shape(inputs, attrs),
    lower: (b, inputs, attrs, outputs) => {
      const [spec] = outputs as [Spec];
      const [y] = product.lower(b, inputs, attrs, outputs) as [string];
      const bias = name === 'BatchMatMul' ? undefined : maybe(inputs, 'bias'); // which has added its own
      const x: Operand = { ...spec, name: bias ? b.op('Add', [y, bias.name]) : y };
      const activation = attrs['activation'] as string | undefined;
      if (!activation || activation === 'linear') return [x.name];
      const alpha = one(inputs, 'preluActivationWeights');
      return activations[ACTIVATIONS[activation]!]!.lower(b, { x, alpha }, { alpha: attrs['leakyreluAlpha'] }, outputs);
    },
  };
}

const activations: Kernels = { ...functions, ...operators };
const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  leakyrelu: 'LeakyRelu',
  prelu: 'Prelu',
  sigmoid: 'Sigmoid',
};

export const fusedProducts: Kernels = {
  _FusedMatMul: noted('fused.matMul', fused('BatchMatMul', matrices['BatchMatMul']!)),
  FusedConv2D: noted('fused.conv2d', fused('Conv2D', convolutions['Conv2D']!)),
  FusedDepthwiseConv2D: noted(
    'fused.depthwiseConv2d',
    fused('DepthwiseConv2dNative', depthwise['DepthwiseConv2dNative']!),
  ),
};
