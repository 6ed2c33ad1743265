/** The wasm backend of TensorFlow.js, with what it lacks or does wrongly computed by cpu. */
import * as tf from '@tensorflow/tfjs';
import { checkIndices, onCpu, wrap, type Call } from './repairs';

/** Kernels on other kinds of values than numbers: nothing in this library uses them. */
const OTHER_KINDS = /^(Complex|ComplexAbs|Draw|FFT|IFFT|Imag|Real|Ragged.*|String.*|StaticRegexReplace)$/;

/**
 * Gives a backend the kernels that only cpu has, run there on copies: wasm lacks the gradients of convolution's
 * filters and of gather, without which half of the course does not train.
 */
function fillGaps(backendName: string): void {
  const own = new Set(tf.getKernelsForBackend(backendName).map(({ kernelName }) => kernelName));
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    if (own.has(kernelName) || OTHER_KINDS.test(kernelName)) continue;
    tf.registerKernel({ kernelName, backendName, kernelFunc: onCpu(kernelFunc) });
  }
}

/** What is wrong of wasm 4.22, kernel by kernel: cpu computes it. */
const WRONG_ON_WASM: Readonly<Record<string, (call: Call) => boolean>> = {
  Cast: ({ attrs }) => attrs?.['dtype'] === 'bool', // cuts numbers off to bytes: 0.3 is false, and 2 stays 2
  GatherV2: ({ attrs }) => Boolean(attrs?.['batchDims']), // reads from wherever
  Select: ({ inputs }) => dtypeOf(inputs['t']) !== dtypeOf(inputs['e']),
  ...each('FloorDiv Sign', () => true), // of another type; 0 of anything below 10⁻⁷
  ...each('ClipByValue Relu6 Maximum Minimum Pow Prelu', () => true), // without NaN
  ...each('Acos Acosh Asin Asinh Atanh Expm1 IsFinite IsInf IsNan Log1p Mod Reciprocal Selu Sinh', ofIntegers),
  ...each('All Any ArgMax ArgMin BatchMatMul Max Min Prod', ofNothing), // what the memory held before
  ...each('Mean Sum', (call) => ofNothing(call) || ofMany(call)),
};

/** A float32 sum of so many terms loses more than four digits. */
const MANY = 10_000;

function ofMany({ inputs, attrs }: Call): boolean {
  const { shape } = inputs['x'] as tf.TensorInfo;
  const axes = tf.util.parseAxisParam((attrs?.['axis'] ?? shape.map((_, i) => i)) as number[], shape);
  return axes.reduce((terms, axis) => terms * shape[axis]!, 1) > MANY;
}

function ofIntegers({ inputs }: Call): boolean {
  return dtypeOf(inputs['x'] ?? inputs['a']) !== 'float32';
}

function ofNothing({ inputs }: Call): boolean {
  return Object.values(inputs).some((info) => info && (info as tf.TensorInfo).shape.includes(0));
}

const dtypeOf = (info: unknown): string | undefined => (info as tf.TensorInfo | undefined)?.dtype;

function each(names: string, test: (call: Call) => boolean): Record<string, (call: Call) => boolean> {
  return Object.fromEntries(names.split(' ').map((name) => [name, test]));
}

/** What the library repairs of wasm. */
export function repairWasm(): void {
  fillGaps('wasm');
  for (const [name, isWrong] of Object.entries(WRONG_ON_WASM)) {
    const right = onCpu(tf.getKernel(name, 'cpu').kernelFunc);
    wrap(name, 'wasm', (own) => (call) => (isWrong(call) ? right(call) : own(call)));
  }
  wrap('Slice', 'wasm', (own) => (call) => (requirePart(call), own(call)));
  checkIndices('wasm');
}

/** wasm slices beyond the end, into whatever lies there. @throws as cpu does */
function requirePart({ inputs, attrs }: Call): void {
  const x = inputs['x'] as tf.TensorInfo;
  const [begin, size] = tf.slice_util.parseSliceParams(x, attrs!['begin'] as number[], attrs!['size'] as number[]);
  tf.slice_util.assertParamsValid(x, begin!, size!);
}
