/** Convolutions with fewer multiplications: when they pay, and how they are put together. */
import { sizeOf } from '../../graph/graph';
import { rangeOf } from '../kernel';
import type { OnnxBuilder } from '../onnx';
import { fastConvolution, productsOf, type FastConvolution } from './fast-convolution';
import { fold, returnsOf, type Convolution, type Info, type Windows } from './windows';

/** The outputs are made tile by tile, each from its own window of the input; a tile counts as one more image. */
export interface Plan {
  readonly rows: FastConvolution;
  readonly columns: FastConvolution;
}

const TILES = [2, 3, 4, 6, 8, 12, 16, 24, 32];
/** What a core does in a nanosecond: arithmetic in a Gemm, and bytes moved. Fitted to 22 shapes, within 20 %. */
const FLOPS = 200;
const BYTES = 30;
/** The share of the direct sum's cost below which fewer products are worth their transforms. */
const WORTHWHILE = 0.9;

/** The cheapest plan; none, where the direct sum is about as fast. */
export function fastPlan(info: Info): Plan | undefined {
  const { batchSize: B, inChannels: C, outChannels: O, filterHeight, filterWidth, outHeight, outWidth } = info;
  const K = filterHeight * filterWidth;
  const regular = info.strideHeight * info.strideWidth * info.dilationHeight * info.dilationWidth === 1;
  if (!regular || K === 1 || sizeOf(info.outShape) === 0) return undefined;
  const positions = B * outHeight * outWidth;
  const direct = (2 * positions * K * C * O) / FLOPS + (10 * positions * K * Math.min(C, O)) / BYTES;
  const sizes = (outputs: number, taps: number) => (taps === 1 ? [1] : TILES.filter((m) => m < 2 * outputs));
  let best = { cost: WORTHWHILE * direct, tile: undefined as readonly [number, number] | undefined };
  for (const m of sizes(outHeight, filterHeight))
    for (const n of sizes(outWidth, filterWidth)) {
      const J = productsOf(m, filterHeight) * productsOf(n, filterWidth);
      const tiles = B * Math.ceil(outHeight / m) * Math.ceil(outWidth / n);
      const inputs = (m + filterHeight - 1) * (n + filterWidth - 1);
      const flops = 2 * J * tiles * (C * O + inputs * C + m * n * O);
      const bytes = 10 * tiles * (J * (C + O) + inputs * C + m * n * O) + 8 * J * C * O;
      const cost = flops / FLOPS + bytes / BYTES;
      if (cost < best.cost) best = { cost, tile: [m, n] };
    }
  if (!best.tile) return undefined;
  const [m, n] = best.tile;
  return { rows: fastConvolution(m, filterHeight), columns: fastConvolution(n, filterWidth) };
}

/** Row by row ⊗ column by column: a matrix for positions that are counted row by row. */
const kronecker = (a: FastConvolution['ofInput'], b: FastConvolution['ofInput']): Float32Array =>
  Float32Array.from(a.flatMap((row) => b.flatMap((other) => row.flatMap((v) => other.map((w) => v * w)))));

/**
 * Where the rows of the tiles come from, position by position and all tiles side by side, as the transforms want
 * them: [inputs, tiles] from the input's [B, Q], and [B, P] from the tiles' [outputs, tiles].
 */
function tilesOf(info: Info, { rows, columns }: Plan): { ofInput: Windows; toOutput: Windows } {
  const { batchSize: B, inHeight, inWidth, outHeight, outWidth, padInfo } = info;
  const [down, across] = [Math.ceil(outHeight / rows.outputs), Math.ceil(outWidth / columns.outputs)];
  const tiles = B * down * across;
  const ofInput = rangeOf(rows.inputs * columns.inputs * tiles).map((at) => {
    const [position, tile] = [Math.floor(at / tiles), at % tiles];
    const [image, place] = [Math.floor(tile / (down * across)), tile % (down * across)];
    const row = Math.floor(place / across) * rows.outputs + Math.floor(position / columns.inputs) - padInfo.top;
    const column = (place % across) * columns.outputs + (position % columns.inputs) - padInfo.left;
    const inside = row >= 0 && row < inHeight && column >= 0 && column < inWidth;
    return inside ? (image * inHeight + row) * inWidth + column : -1;
  });
  const toOutput = rangeOf(B * outHeight * outWidth).map((at) => {
    const [row, column] = [Math.floor(at / outWidth) % outHeight, at % outWidth];
    const place = Math.floor(row / rows.outputs) * across + Math.floor(column / columns.outputs);
    const tile = Math.floor(at / (outHeight * outWidth)) * down * across + place;
    return ((row % rows.outputs) * columns.outputs + (column % columns.outputs)) * tiles + tile;
  });
  return {
    ofInput: { inputs: B * inHeight * inWidth, outputs: ofInput.length, taps: 1, source: ofInput },
    toOutput: { inputs: rows.outputs * columns.outputs * tiles, outputs: toOutput.length, taps: 1, source: toOutput },
  };
}

/** y = A ((G w) ⊙ (D x)), tile by tile; the gradients are the transposes of the same products. */
export function fast(info: Info, plan: Plan): Convolution {
  const { rows, columns } = plan;
  const [C, O] = [info.inChannels, info.outChannels];
  const J = rows.products * columns.products;
  const { ofInput, toOutput } = tilesOf(info, plan);
  const matrix = (b: OnnxBuilder, which: 'ofInput' | 'ofKernel' | 'toOutput') =>
    b.once(`${which} ${[rows, columns].map((axis) => [axis.outputs, axis.taps]).join()}`, () => {
      const size = [rows, columns].map((axis) => [axis[which].length, axis[which][0]!.length] as const);
      const dims = [size[0]![0] * size[1]![0], size[0]![1] * size[1]![1]];
      return b.tensor(kronecker(rows[which], columns[which]), dims, 'float32');
    });
  /** One of the constant matrices, or its transpose, times a matrix of many columns. */
  const times = (b: OnnxBuilder, which: Parameters<typeof matrix>[1], x: string, width: number, transA: 0 | 1 = 0) =>
    b.op('Gemm', [matrix(b, which), b.reshape(x, [-1, width])], { transA });
  const gathered = (b: OnnxBuilder, x: string, channels: number, w: Windows) =>
    fold(b, b.reshape(x, [1, w.inputs, channels]), [1, channels], w);
  const tiles = ofInput.outputs / (rows.inputs * columns.inputs);
  const ofX = (b: OnnxBuilder, x: string) =>
    b.reshape(times(b, 'ofInput', gathered(b, x, C, ofInput), tiles * C), [J, tiles, C]);
  const ofFilter = (b: OnnxBuilder, filter: string) => b.reshape(times(b, 'ofKernel', filter, C * O), [J, C, O]);
  const ofDy = (b: OnnxBuilder, dy: string) =>
    b.reshape(times(b, 'toOutput', gathered(b, dy, O, returnsOf(toOutput)), tiles * O, 1), [J, tiles, O]);
  const turned = (b: OnnxBuilder, x: string) => b.op('Transpose', [x], { perm: [0, 2, 1] });
  return {
    forward(b, x, filter) {
      const products = b.op('MatMul', [ofX(b, x), ofFilter(b, filter)]);
      return gathered(b, times(b, 'toOutput', products, tiles * O), O, toOutput);
    },
    toInput(b, dy, filter) {
      const products = b.op('MatMul', [ofDy(b, dy), turned(b, ofFilter(b, filter))]);
      return gathered(b, times(b, 'ofInput', products, tiles * C, 1), C, returnsOf(ofInput));
    },
    toFilter(b, x, dy) {
      const products = b.op('MatMul', [turned(b, ofX(b, x)), ofDy(b, dy)]);
      return times(b, 'ofKernel', products, C * O, 1);
    },
  };
}
