import * as tf from '@tensorflow/tfjs';
import { createRng, exactAnyOrder, maskedDiffusion, type MaskedDiffusionModel } from 'dgm';
import { describe, expect, test } from 'vitest';
import { lively, specimenOf } from '../../laws/specimen';
import { enumerate, expectClose, logSumExp, mean, read, standardError } from '../../helpers';

const model = () => lively(specimenOf(maskedDiffusion)) as MaskedDiffusionModel;
const D = 4;
const world = () => tf.tensor2d(enumerate([0, 1, 2], D).map((row) => [...row]));

const orders = (rest: readonly number[]): number[][] =>
  rest.length === 0 ? [[]] : rest.flatMap((first) => orders(rest.filter((d) => d !== first)).map((o) => [first, ...o]));
/** ln p(x | σ) of all 24 orders, by the chain rule: [24][x] */
function logProbOfOrders(m: MaskedDiffusionModel, x: tf.Tensor): number[][] {
  return orders([0, 1, 2, 3]).map((places) => read(m.logProbInOrder(x, tf.tile(tf.tensor2d([places]), [x.shape[0]!, 1])))); // prettier-ignore
}

describe('likelihood', () => {
  test('in each order is the chain rule by hand, and sums to 1', () => {
    const [m, x] = [model(), world()];
    const places = [2, 0, 3, 1]; // coordinate 1 first, then 3, 0, 2
    const rows = x.arraySync() as number[][];
    const byHand = rows.map((row) =>
      places.reduce((total, place, d) => {
        const visible = tf.tensor2d([places.map((other) => (other < place ? 1 : 0))]);
        const logits = tf.logSoftmax(m.logits(tf.tensor2d([row]), visible)).arraySync() as number[][][];
        return total + logits[0]![d]![row[d]!]!;
      }, 0),
    );
    const got = read(m.logProbInOrder(x, tf.tile(tf.tensor2d([places]), [rows.length, 1])));
    expectClose(got, byHand, { absolute: 1e-4 });
    expectClose([logSumExp(got)], [0], { absolute: 1e-5 });
  });

  test('by subsets is the mean over all orders', () => {
    const [m, x] = [model(), world()];
    const each = logProbOfOrders(m, x);
    const expected = each[0]!.map((_, n) => logSumExp(each.map((row) => row[n]!)) - Math.log(24));
    expectClose(read(exactAnyOrder(m, x)), expected, { absolute: 1e-4 });
  });

  test('the bound is the mean over all orders of ln p(x | order), without bias', () => {
    const m = model();
    const x = tf.tensor2d([[0, 1, 2, 1], [2, 2, 0, 0]]); // prettier-ignore
    const each = logProbOfOrders(m, x);
    for (const n of [0, 1]) {
      const exact = mean(each.map((row) => row[n]!));
      const drawn = Array.from({ length: 400 }, (_, i) => read(m.bound(x, createRng(i)))[n]!);
      expectClose([mean(drawn)], [exact], { absolute: 5 * standardError(drawn) });
      const paths = Array.from({ length: 100 }, (_, i) => read(weights(m, x, i))[n]!); // prettier-ignore
      expectClose([mean(paths)], [exact], { absolute: 5 * standardError(paths) });
    }
  });

  test('hiding each coordinate with probability t, and dividing by t, is the same bound', () => {
    const m = model();
    const x = tf.tensor2d([[0, 1, 2, 1]]);
    // ∫ dt Σ_S t^(hidden − 1) (1 − t)^shown Σ_hidden ln p: the integral is a Beta function, (h − 1)! s! / D!
    const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1));
    let total = 0;
    for (const visible of enumerate([0, 1], D)) {
      const shown = visible.reduce((a, b) => a + b, 0);
      if (shown === D) continue;
      const logits = tf.logSoftmax(m.logits(x, tf.tensor2d([[...visible]]))).arraySync() as number[][][];
      const hidden = [0, 1, 2, 1].reduce((sum, v, d) => sum + (visible[d] ? 0 : logits[0]![d]![v]!), 0);
      total += ((factorial(D - shown - 1) * factorial(shown)) / factorial(D)) * hidden;
    }
    expectClose([mean(logProbOfOrders(m, x).map((row) => row[0]!))], [total], { absolute: 1e-4 });
  });

  test('fewer passes are another model, with a bound of its own', () => {
    const [m, x] = [model(), world()];
    const draws = (steps: number) =>
      mean(Array.from({ length: 40 }, (_, i) => logSumExp(read(m.bound(x, createRng(i), { steps, draws: 6 })))));
    expect(draws(2)).toBeLessThan(0.02); // Σ exp(bound) ≤ 1
    // in one pass all coordinates are independent, and the bound is exact
    const independent = tf.logSoftmax(m.logits(x, tf.zerosLike(x))).arraySync() as number[][][];
    const expected = (x.arraySync() as number[][]).map((row, n) => row.reduce((sum, v, d) => sum + independent[n]![d]![v]!, 0)); // prettier-ignore
    expectClose(read(m.bound(x, createRng(1), { steps: 1 })), expected, { absolute: 1e-4 });
  });
});

/** ln w of one whole order: [B] */
function weights(m: MaskedDiffusionModel, x: tf.Tensor, seed: number): tf.Tensor {
  const { likelihood } = m;
  if (likelihood.kind !== 'lower-bound') throw new Error('expected a bound');
  return likelihood.logWeights!(x, 1, createRng(`order ${seed}`)).squeeze([0]);
}

describe('sampling', () => {
  test('keeps what is known, and completes the rest by its conditional', () => {
    const m = model();
    const count = 3000;
    const given = tf.tile(tf.tensor2d([[2, 0, 1, 0]]), [count, 1]);
    const known = tf.tile(tf.tensor2d([[1, 0, 1, 1]]), [count, 1]); // one coordinate is left
    const x = m.sample({ count, rng: createRng(1), given, known }).arraySync() as number[][];
    expect(x.every((row) => row[0] === 2 && row[2] === 1 && row[3] === 0)).toBe(true);
    const p = (tf.softmax(m.logits(tf.tensor2d([[2, 0, 1, 0]]), tf.tensor2d([[1, 0, 1, 1]]))).arraySync() as number[][][])[0]![1]!; // prettier-ignore
    for (const v of [0, 1, 2]) {
      const share = x.filter((row) => row[1] === v).length / count;
      expectClose([share], [p[v]!], { absolute: 5 * Math.sqrt(p[v]! / count) });
    }
  });

  test('says what it does not take', () => {
    const m = model();
    const rng = createRng(1);
    expect(() => m.sample({ count: 2, rng, steps: 5 })).toThrow('steps must be an integer from 1 to 4');
    expect(() => m.sample({ count: 2, rng, given: tf.zeros([2, 4]) })).toThrow('given and known come together');
    expect(() => m.sample({ count: 2, rng, given: tf.zeros([2, 3]), known: tf.zeros([2, 4]) })).toThrow('must be [2, 4]'); // prettier-ignore
  });
});
