/** What cannot be compiled is refused with the line that asks for it. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { compile } from '../../lib/engine/call/compile';
import type { Spec } from '../../lib/engine/graph/graph';
import { TraceError } from '../../lib/engine/trace/trace';
import { around, bools, expectSame, ints, listOf, type Fn } from './kernels/agreement';

beforeAll(() => tf.setBackend('cpu'));

/** The number of the line that called this function. */
const line = (): number => Number(/refusals\.test\.ts:(\d+)/.exec(new Error().stack!.split('\n')[2]!)![1]);

async function refusal(f: Fn, inputs: readonly Spec[]): Promise<TraceError> {
  const error = await compile((x) => listOf(f(...x)), inputs, { device: 'cpu', quiet: true }).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(TraceError);
  return error as TraceError;
}

describe('what cannot be compiled is a TraceError that names the line', () => {
  test('reading a value', async () => {
    let at = 0;
    const error = await refusal(
      (x) => {
        at = line() + 1;
        return x.mul(x.dataSync()[0]!);
      },
      [around(3)],
    );
    expect(error.message).toMatch(/^the value of a tensor was read/);
    expect(error.site).toContain(`refusals.test.ts:${at}:`);
  });

  test('reading a value inside of a gradient', async () => {
    let at = 0;
    const error = await refusal(
      (x) =>
        tf.grad((v) => {
          at = line() + 1;
          return v.square().arraySync() as unknown as tf.Tensor;
        })(x),
      [around(3)],
    );
    expect(error.site).toContain(`refusals.test.ts:${at}:`);
  });

  test('a random draw that does not come from rng', async () => {
    let at = 0;
    const error = await refusal(
      (x) => {
        at = line() + 1;
        return x.add(tf.randomNormal([3]));
      },
      [around(3)],
    );
    expect(error.message).toMatch(/^two runs used different numbers: every random draw must come from the given rng/);
    expect(error.site).toContain(`refusals.test.ts:${at}:`);
  });

  test('code that does not do the same twice', async () => {
    let runs = 0;
    const error = await refusal((x) => (runs++ === 0 ? x.exp() : x.log()), [around(3)]);
    expect(error.message).toMatch(/^two runs called different operations/);
    expect(error.site).toContain('refusals.test.ts:');
  });

  test.each<[string, Fn, readonly Spec[]]>([
    ['Multinomial', (x) => tf.multinomial(x as tf.Tensor1D, 2, 1), [around(3)]],
    ['FFT', (x) => tf.spectral.rfft(x), [around(4)]],
    ['LRN', (x) => tf.localResponseNormalization(x as tf.Tensor4D), [around(1, 2, 2, 3)]],
  ])('the operation %s', async (_, f, inputs) => {
    const error = await refusal(f, inputs);
    expect(error.message).toMatch(/^the operation \w+ cannot be compiled \(/);
    expect(error.site).toContain('refusals.test.ts:');
  });

  test.each<[string, Fn, readonly Spec[]]>([
    [
      'GatherV2 cannot be compiled like this: batchDims = 1 with axis = 2',
      (x, i) => tf.gather(x!, i!, 2, 1),
      [around(2, 3, 4), ints(0, 2, 2, 2)],
    ],
    [
      'Add cannot be compiled like this: of bool; cast it to float32 or int32 first',
      (x, y) => x!.add(y!),
      [bools(3), bools(3)],
    ],
  ])('%s', async (message, f, inputs) => {
    const error = await refusal(f, inputs);
    expect(error.message).toContain(message);
    expect(error.site).toContain('refusals.test.ts:');
  });

  test('the next trace works', async () => {
    await refusal((x) => x.mul(x.dataSync()[0]!), [around(3)]);
    expect(tf.getBackend()).toBe('cpu');
    await expectSame((x) => x.exp(), [around(3)], true, {});
  });
});
