/**
 * Randomness in a trace. A draw becomes an input of the graph, and a note of how it was made; at every run the
 * notes are followed on the real `Rng`, so a compiled step sees the numbers that eager code would have seen.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Rng } from '../../core/model';
import type { Tracer } from './trace';

type Step =
  /** Stream `stream` was forked from `from`. */
  | { readonly kind: 'fork'; readonly from: number; readonly label: string; readonly stream: number }
  | { readonly kind: 'normal' | 'uniform'; readonly from: number; readonly shape: readonly number[] };

/** Every fork and draw of a trace, in order. */
export interface Draws {
  readonly steps: readonly Step[];
}

/** An `Rng` for a trace, and what it was asked. Stream 0 is the one the traced function was given. */
export function tracingRng(tracer: Tracer): { readonly rng: Rng; readonly draws: Draws } {
  const steps: Step[] = [];
  let streams = 1;
  const stream = (id: number): Rng => {
    const draw = (kind: 'normal' | 'uniform') => (shape: readonly number[]) => {
      steps.push({ kind, from: id, shape: [...shape] });
      return tracer.input({ shape, dtype: 'float32' });
    };
    return {
      fork(label) {
        const child = streams++;
        steps.push({ kind: 'fork', from: id, label, stream: child });
        return stream(child);
      },
      normal: draw('normal'),
      uniform: draw('uniform'),
    };
  };
  return { rng: stream(0), draws: { steps } };
}

/** The numbers of every draw, in the order of the graph's inputs for them. */
export function replay({ steps }: Draws, rng: Rng): Float32Array[] {
  const streams: Rng[] = [rng];
  const values: Float32Array[] = [];
  for (const step of steps) {
    const from = streams[step.from]!;
    if (step.kind === 'fork') streams[step.stream] = from.fork(step.label);
    else values.push(taken(from[step.kind](step.shape)));
  }
  return values;
}

function taken(tensor: tf.Tensor): Float32Array {
  const values = tensor.dataSync() as Float32Array;
  tensor.dispose();
  return values;
}
