/** What the taps of a convolution or of pooling read, as lists of positions; gathering and adding by such lists. */
import type * as tf from '@tensorflow/tfjs';
import { float, rangeOf } from '../kernel';
import type { OnnxBuilder } from '../onnx';

/** What every tap of every output position reads. */
export interface Windows {
  /** Positions that can be read, that are written, and taps of each that is written. */
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  /** [outputs · taps]: the position read, or −1 for padding. */
  readonly source: readonly number[];
}

export type Info = tf.backend_util.Conv2DInfo;

/** Positions are counted row by row; so are taps. */
export function windowsOf(info: Info): Windows {
  const { inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth } = info;
  const source: number[] = [];
  for (const p of rangeOf(outHeight * outWidth))
    for (const k of rangeOf(filterHeight * filterWidth)) {
      const row =
        Math.floor(p / outWidth) * info.strideHeight -
        info.padInfo.top +
        Math.floor(k / filterWidth) * info.dilationHeight;
      const column = (p % outWidth) * info.strideWidth - info.padInfo.left + (k % filterWidth) * info.dilationWidth;
      const inside = row >= 0 && row < inHeight && column >= 0 && column < inWidth;
      source.push(inside ? row * inWidth + column : -1);
    }
  return { inputs: inHeight * inWidth, outputs: outHeight * outWidth, taps: filterHeight * filterWidth, source };
}

/** For every input position and tap, the output position that reads it so: at most one. */
export function readersOf({ inputs, outputs, taps, source }: Windows): Windows {
  const readers = new Array<number>(inputs * taps).fill(-1);
  source.forEach((q, i) => {
    if (q >= 0) readers[q * taps + (i % taps)] = Math.floor(i / taps);
  });
  return { inputs: outputs, outputs: inputs, taps, source: readers };
}

/** From values per (output position, tap) back to the input positions that the taps read, whatever their number. */
export function returnsOf({ inputs, outputs, taps, source }: Windows): Windows {
  const lists = rangeOf(inputs).map((): number[] => []);
  source.forEach((q, i) => {
    if (q >= 0) lists[q]!.push(i);
  });
  const most = lists.reduce((n, l) => Math.max(n, l.length), 1);
  const padded = lists.flatMap((l) => [...l, ...rangeOf(most - l.length).map(() => -1)]);
  return { inputs: outputs * taps, outputs: inputs, taps: most, source: padded };
}

/** As `windows`, over values that are kept per (input position, tap). */
export const perTap = ({ inputs, outputs, taps, source }: Windows): Windows => ({
  inputs: inputs * taps,
  outputs,
  taps,
  source: source.map((q, i) => (q < 0 ? -1 : q * taps + (i % taps))),
});

/** How many images, of how many channels. */
export type Size = readonly [B: number, C: number];

/** [B, inputs, C] → [B, outputs · taps, C]; padding reads `outside`. */
export function unfold(b: OnnxBuilder, x: string, [B, C]: Size, w: Windows, outside = 0): string {
  if (w.source.length === w.inputs && w.source.every((q, i) => q === i)) return x;
  const padded = w.source.includes(-1);
  const border = () => b.op('Expand', [float(b, outside), b.ints([B, 1, C])]);
  const rows = padded ? b.op('Concat', [x, border()], { axis: 1 }) : x;
  const index = w.source.map((q) => (q < 0 ? w.inputs : q));
  return b.op('Gather', [rows, b.constant(index, 'int32')], { axis: 1 });
}

/** [B, inputs, C] → [B, outputs, C]: the sum of what each position's taps read. */
export function fold(b: OnnxBuilder, x: string, [B, C]: Size, w: Windows): string {
  const { outputs, taps, source } = w;
  if (taps === 1) return unfold(b, x, [B, C], w);
  // a few long rows are added faster by themselves than by a reduction over a short axis
  if (taps <= 4 && C >= 16) {
    const tap = (k: number) => ({ ...w, taps: 1, source: source.filter((_, i) => i % taps === k) });
    const each = rangeOf(taps).map((k) => unfold(b, x, [B, C], tap(k)));
    return b.op('Sum', each);
  }
  return b.op('ReduceSum', [b.reshape(unfold(b, x, [B, C], w), [B, outputs, taps, C]), b.ints([2])], { keepdims: 0 });
}

/** The three products of a convolution, on rows: x [B, Q, C], dy [B, P, O], and the kernel [K, C, O]. */
export interface Convolution {
  /** y_p = Σ_k x_{q(p,k)} W_k: [B, P, O] */
  forward(b: OnnxBuilder, x: string, filter: string): string;
  /** dx_q = Σ_k dy_{p(q,k)} W_kᵀ: [B, Q, C] */
  toInput(b: OnnxBuilder, dy: string, filter: string): string;
  /** dW_k = Σ_p x_{q(p,k)}ᵀ dy_p: [K, C, O] */
  toFilter(b: OnnxBuilder, x: string, dy: string): string;
}
