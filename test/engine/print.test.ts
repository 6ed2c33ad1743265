import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { createRng } from 'dgm';
import { supportedOperations } from 'dgm/engine';
import { compiled } from '../../lib/engine/call/compiled-function';
import { printGraph } from '../../lib/engine/graph/print';
import { kernels } from '../../lib/engine/onnx/kernels/index';
import { trace } from '../../lib/engine/trace/trace';

const spec = { shape: [2, 3], dtype: 'float32' } as const;

describe('a graph prints', () => {
  const graph = trace((tracer) => {
    const x = tracer.input(spec);
    const [a, b] = tf.split(x.mul(-0), [1, 2], 1);
    return [tf.concat([b!, a!], 1), x.greater(tf.tensor2d([NaN, 1, 2, Infinity, 4, 5], [2, 3]))];
  });

  test('every value, with its type, shape and origin', () => {
    expect(printGraph(graph)).toBe(
      `
%0: float32 [2, 3] is an input
%1: float32 [] is -0
%6: float32 [2, 3] is [NaN, 1, 2, Infinity, 4, 5]
%2: float32 [2, 3] = Multiply(a %0, b %1)
%3: float32 [2, 1], %4: float32 [2, 2] = SplitV(x %2) { numOrSizeSplits: [1, 2], axis: 1 }
%5: float32 [2, 3] = Concat(0 %4, 1 %3) { axis: 1 }
%7: bool [2, 3] = Greater(a %0, b %6)
returns %5, %7`.trimStart(),
    );
  });

  test('the lines of the code', () => {
    const lines = printGraph(graph, true).split('\n').slice(3, -1);
    for (const line of lines) expect(line).toMatch(/ {3}at .*print\.test\.ts:\d+:\d+\)?$/);
  });

  test('what of a long constant tells it apart', () => {
    const long = trace((tracer) => [
      tracer.input({ ...spec, shape: [20] }).add(tf.tensor1d(Array.from({ length: 20 }, (_, i) => i))),
    ]);
    expect(printGraph(long)).toContain(', … 20 in all]');
  });

  test('of a compiled function, as it was simplified', () => {
    const f = compiled(([x]) => [x!.mul(2).mul(3).reshape([6]).reshape([3, 2])], { device: 'cpu' });
    expect(f.graph()).toBe('');
    tf.dispose(f([tf.ones([2, 3])], createRng(0)));
    expect(f.graph().split('\n').filter((line) => line.includes(' = '))).toHaveLength(2); // prettier-ignore
    expect(f.graph()).toContain('is 6\n');
  });
});

describe('the table of supported operations', () => {
  const table = supportedOperations();

  test('has every row of the registry once', () => {
    expect(table.map(({ name }) => name).sort()).toEqual(Object.keys(kernels).sort());
    expect(new Set(table.map(({ name }) => name)).size).toBe(table.length);
  });

  test('gives each a kind and types', () => {
    for (const { kind, types } of table) {
      expect(kind).not.toBe('');
      expect(types.length).toBeGreaterThan(0);
    }
  });
});
