import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { deviceOf } from '../../lib/engine/devices/providers';
import { recipes } from './random/graphs';
import { differenceIn, judge, type Result, type Verdict } from './random/judge';

// Compiled = eager on random graphs: constants, equal sides, ones and fills, ranks that differ, extremes anywhere, empty
// axes, integers and booleans, first and second derivatives. More of them: DGM_GRAPHS=50000; others: DGM_GRAPHS_SEED=2;
// on another device: DGM_GRAPHS_DEVICE=webgpu. A software driver has to be named before the process starts, as
// `environment` in webgpu.test.ts does: VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json
// LD_LIBRARY_PATH=/usr/lib/chromium DGM_GRAPHS=300 DGM_GRAPHS_DEVICE=webgpu npx vitest run test/engine/random-graphs

const GRAPHS = Number(process.env['DGM_GRAPHS'] ?? 3000);
const seed = Number(process.env['DGM_GRAPHS_SEED'] ?? 1);
const device = deviceOf(process.env['DGM_GRAPHS_DEVICE'] ?? 'cpu');

beforeAll(() => tf.setBackend('cpu'));

describe('random graphs', () => {
  test(
    `${GRAPHS} compute the same, compiled and eager`,
    () => {
      const verdicts: Record<Verdict, number> = { same: 0, refused: 0, eager: 0 };
      fc.assert(
        fc.property(recipes(), (recipe) => {
          verdicts[judge(recipe, { device })]++;
        }),
        { numRuns: GRAPHS, seed },
      );
      // the generator is of no use when most of its graphs say nothing
      expect(verdicts.same).toBeGreaterThan(0.7 * GRAPHS);
    },
    60_000 + 200 * GRAPHS,
  );
});

describe('the judge sees', () => {
  const result = (values: number[], dtype = 'float32', shape = [values.length]): Result => ({ values, dtype, shape });
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  const want = result([1, -2, 1000]);
  const near = [result([1.0001, -2.0001, 1000.1]), result([0.9999, -1.9999, 999.9])];

  test.each([
    ['another number', result([1, -2.1, 1000])],
    ['a NaN', result([nan, -2, 1000])],
    ['an infinity', result([1, -2, inf])],
    ['another type', result([1, -2, 1000], 'int32')],
    ['another shape', result([1, -2, 1000], 'float32', [3, 1])],
  ])('%s', (_, got) => expect(differenceIn(got, want, near)).toBeDefined());

  test('a number that was to be NaN', () => {
    const lost = [result([nan]), result([nan])];
    expect(differenceIn(result([0]), result([nan]), lost)).toBeDefined();
    expect(differenceIn(result([nan]), result([nan]), lost)).toBeUndefined();
  });

  test('no fault in rounding', () => expect(differenceIn(result([1.00005, -2, 1000.05]), want, near)).toBeUndefined());
});
