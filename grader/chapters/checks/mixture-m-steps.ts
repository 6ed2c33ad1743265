/** Chapter 3: the M-step of the categorical mixture. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectFields, expectTensor, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { integers, logSumExp, matrix, normal, vector, type Matrix, type Vector } from './common';
import { chapter, type Call } from './mixture-density';

export const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

/** Σ_n r_nk 1[x_nd = v] + α: [K][D][V] */
function weightedCounts(x: Matrix, r: Matrix, values: number, alpha: number): number[][][] {
  return r[0]!.map((_, k) =>
    x[0]!.map((_, d) =>
      Array.from({ length: values }, (_, v) => x.reduce((sum, row, n) => sum + (row[d] === v ? r[n]![k]! : 0), alpha)),
    ),
  );
}

export interface Tables {
  readonly logPi: number[];
  readonly logTheta: number[][][];
}

const logNormalised = (counts: Vector) => counts.map((c) => Math.log(c / sum(counts)));

export function mStepOf(x: Matrix, r: Matrix, values: number, alpha: number): Tables {
  return {
    logPi: logNormalised(r[0]!.map((_, k) => r.reduce((sum, row) => sum + row[k]!, alpha))),
    logTheta: weightedCounts(x, r, values, alpha).map((rows) => rows.map(logNormalised)),
  };
}

/** ln π_k + Σ_d ln ϑ_kdx: [N][K] */
export function logJointOf(x: Matrix, { logPi, logTheta }: Tables): number[][] {
  return x.map((row) => logPi.map((p, k) => row.reduce((sum, v, d) => sum + logTheta[k]![d]![v]!, p)));
}

/** Rows that sum to 1; the first component gets the most, so that the weights π matter. */
export const randomResponsibilities = (rng: Rng, n: number, K: number) =>
  tf.tidy(() => {
    const favour = tf.range(0, K).neg().mul(0.7); // [K]
    return tf.softmax(rng.fork('responsibilities').normal([n, K]).mul(2).add(favour));
  });

// mixture.mStep

export interface MStepInput {
  readonly x: tf.Tensor;
  readonly r: tf.Tensor;
  readonly values: number;
  readonly alpha: number;
}

export async function tablesFrom(
  got: Value,
  K: number,
  D: number,
  V: number,
): Promise<{ logPi: tf.Tensor; logTheta: tf.Tensor }> {
  const fields = expectFields(got, ['logPi', 'logTheta'], { what: 'the parameters' });
  return {
    logPi: expectTensor(fields.logPi, { what: 'logPi', shape: [K], nonFinite: true }),
    logTheta: expectTensor(fields.logTheta, { what: 'logTheta', shape: [K, D, V], nonFinite: true }),
  };
}

function mStepInput(rng: Rng, alpha: number): MStepInput {
  return { x: integers(rng, 'x', [40, 3], 4), r: randomResponsibilities(rng, 40, 2), values: 4, alpha };
}

/** Of π: answers to the sizes Σ_n r_nk. */
const wrongWeights = (sizes: Vector, alpha: number): readonly KnownMistake[] => {
  const smoothed = sizes.map((size) => size + alpha);
  const from = (numbers: Vector) => () => tf.tensor1d([...numbers]);
  return [
    { hint: 'the parameters are logarithms: ln π', answer: from(smoothed.map((s) => s / sum(smoothed))) },
    {
      hint: 'every component gets α imaginary examples, too: an empty one then keeps a chance',
      answer: from(logNormalised(sizes)),
    },
    {
      hint: 'the imaginary examples count in the denominator as well: it is N + K α',
      answer: from(smoothed.map((s) => Math.log(s / sum(sizes)))),
    },
    { hint: 'these are sizes: divide by their sum', answer: from(smoothed.map(Math.log)) },
  ];
};

const wrongTables = ({ x, r, values, alpha }: MStepInput): readonly KnownMistake[] => {
  const [X, R] = [matrix(x), matrix(r)];
  const counts = (a: number, weights: Matrix = R) => weightedCounts(X, weights, values, a);
  const from = (tables: () => number[][][]) => () => tf.tensor3d(tables());
  const each = (tables: number[][][], f: (row: number[]) => number[]) => tables.map((rows) => rows.map(f));
  return [
    {
      hint: 'the parameters are logarithms: ln ϑ',
      answer: from(() => each(counts(alpha), (row) => row.map((c) => c / sum(row)))),
    },
    {
      hint: 'every component counts every example here: an example counts by its responsibility r_nk',
      answer: from(() => each(counts(alpha, R.map((row) => row.map(() => 1))), logNormalised)), // prettier-ignore
    },
    {
      hint: 'α is added to the count of every value, before dividing',
      answer: from(() => each(counts(0), logNormalised)),
    },
    {
      hint: 'α goes to every value of a table; it is not shared among them',
      answer: from(() => each(counts(alpha / values), logNormalised)),
    },
    {
      hint: 'α is added to the counts, before they are divided by their sum',
      answer: from(() => each(counts(0), (row) => row.map((c) => Math.log(c / sum(row) + alpha)))),
    },
    {
      hint: 'a table is one coordinate of one component: normalise over its values, the last axis',
      answer: from(() => {
        const all = counts(alpha);
        return all.map((rows) =>
          rows.map((row) => row.map((c, v) => Math.log(c / sum(rows.map((other) => other[v]!))))),
        );
      }),
    },
    {
      hint: 'a table belongs to one component: normalise over its values, not over the components',
      answer: from(() => {
        const all = counts(alpha);
        return all.map((rows) =>
          rows.map((row, d) => row.map((c, v) => Math.log(c / sum(all.map((other) => other[d]![v]!))))),
        );
      }),
    },
  ];
};

export async function checkMStep(call: Call, input: MStepInput, hint?: string): Promise<void> {
  const { x, r, values, alpha } = input;
  const [K, D] = [r.shape[1]!, x.shape[1]!];
  const { logPi, logTheta } = await tablesFrom(await call(x, r, values, alpha), K, D, values);
  const expected = mStepOf(matrix(x), matrix(r), values, alpha);
  const tolerance = { atol: 1e-4, ...(hint !== undefined && { hint }) };
  const sizes = r.sum(0);
  expectAnswer(logPi, tf.tensor1d(expected.logPi), { what: 'logPi', ...tolerance }, wrongWeights(vector(sizes), alpha));
  const tables = tf.tensor3d(expected.logTheta, [K, D, values]);
  expectAnswer(logTheta, tables, { what: 'logTheta', ...tolerance }, wrongTables(input));
}

/** Σ_nk r (ln π_k + ln p(x | k)) + α (Σ ln π + Σ ln ϑ): what the M-step maximises. */
function expectedCompleteLogLikelihood({ x, r, alpha }: MStepInput, tables: Tables): number {
  const joint = logJointOf(matrix(x), tables);
  const weights = matrix(r);
  const fit = joint.reduce((sum, row, n) => sum + row.reduce((s, a, k) => s + weights[n]![k]! * a, 0), 0);
  const prior = [...tables.logPi, ...tables.logTheta.flat(2)].reduce((sum, v) => sum + v, 0);
  return fit + alpha * prior;
}

/** A part of the way to the maximum, and a little aside. Where there is no way left, only the aside is. */
function nearby(rng: Rng, here: Tables, maximum: Tables): Tables {
  const step = (from: Vector, to: Vector, label: string) => {
    const aside = vector(normal(rng, label, [from.length], 0.05));
    const moved = from.map((v, i) => v + 0.3 * (to[i]! - v) + aside[i]!);
    return moved.map((v) => v - logSumExp(moved));
  };
  return {
    logPi: step(here.logPi, maximum.logPi, 'pi'),
    logTheta: here.logTheta.map((rows, k) => rows.map((row, d) => step(row, maximum.logTheta[k]![d]!, `${k} ${d}`))),
  };
}

export const mStep: Exercise = {
  id: 'mixture.mStep',
  chapter,
  functionName: 'mStep',
  title: 'the M-step of the categorical mixture',
  points: 3,
  hints: [
    'If every example belonged to one component for certain, what would you count for π, and what for each table? How does the count change when an example belongs to a component by 30 %?',
    'Both are weighted counts plus α, divided by their own sum: for π the responsibilities summed over the examples, for ϑ the same summed over those examples that show the value. α is added to every entry before dividing.',
    'Make the indicator [N, D·V] with tf.oneHot and a reshape. The transpose of r times it is [K, D·V]; reshape to [K, D, V] and add α. Divide by the sum over the last axis, kept, and take the logarithm. The sizes are r summed over axis 0, plus α.',
  ],
  checks: [
    {
      name: 'with certain responsibilities it counts: one component sees the even rows, the other the odd ones',
      run: ({ call }) =>
        checkMStep(
          call,
          {
            x: tf.tensor2d([[0], [1], [0], [1], [2], [1]]),
            r: tf.tensor2d([
              [1, 0],
              [0, 1],
              [1, 0],
              [0, 1],
              [1, 0],
              [0, 1],
            ]),
            values: 3,
            alpha: 1,
          },
          'counts 2, 0, 1 and 0, 3, 0, each plus α = 1, over their sum; then the logarithm',
        ),
    },
    {
      name: 'agrees with the formulas for soft responsibilities',
      async run({ call, rng }) {
        const r = (K: number, n: number) => randomResponsibilities(rng.fork(`K = ${K}`), n, K);
        await checkMStep(call, { x: integers(rng, 'one', [6, 1], 2), r: r(1, 6), values: 2, alpha: 0.3 });
        await checkMStep(call, { x: integers(rng, 'three', [30, 3], 3), r: r(3, 30), values: 3, alpha: 2 });
        await checkMStep(call, mStepInput(rng, 0.7));
      },
    },
    {
      name: 'a value that nobody has, and a component that owns nothing, live on their imaginary examples',
      async run({ call, rng }) {
        const x = integers(rng, 'x', [20, 2], 3); // the values 3 and 4 never occur
        const r = tf.tidy(() =>
          randomResponsibilities(rng, 20, 2).pad([
            [0, 0],
            [1, 0],
          ]),
        ); // [20, 3], the first column 0
        const hint = 'the tables have one entry for each of `values`, and α goes to every one of them';
        await checkMStep(call, { x, r, values: 5, alpha: 0.4 }, hint);
      },
    },
    {
      name: 'α = 0 leaves the plain weighted frequencies',
      async run({ call, rng }) {
        const x = tf.tensor2d(Array.from({ length: 24 }, (_, n) => [n % 3, (n + 1) % 3])); // every value occurs
        await checkMStep(call, { x, r: randomResponsibilities(rng, 24, 4), values: 3, alpha: 0 });
      },
    },
    {
      name: 'the probabilities sum to 1: over components, and over the values of every coordinate',
      async run({ call, rng }) {
        const { x, r, values, alpha } = mStepInput(rng, 0.2);
        const { logPi, logTheta } = await tablesFrom(await call(x, r, values, alpha), 2, 3, 4);
        expectClose(logPi.exp().sum(), tf.scalar(1), { what: 'Σ π', atol: 1e-5 });
        expectClose(logTheta.exp().sum(2), tf.ones([2, 3]), {
          what: 'Σ_v ϑ',
          atol: 1e-5,
          hint: 'normalise over the last axis',
        });
      },
    },
    {
      name: 'no parameters nearby score higher',
      law: true,
      sameForAll: true,
      async run({ call, rng }) {
        const input = mStepInput(rng, 0.5);
        const { x, r, values, alpha } = input;
        const { logPi, logTheta } = await tablesFrom(await call(x, r, values, alpha), 2, 3, 4);
        const here = { logPi: vector(logPi), logTheta: logTheta.arraySync() as number[][][] };
        const best = expectedCompleteLogLikelihood(input, here);
        for (const direction of ['a', 'b', 'c', 'd']) {
          const there = nearby(rng.fork(direction), here, mStepOf(matrix(x), matrix(r), values, alpha));
          const score = expectedCompleteLogLikelihood(input, there);
          expectTrue(
            score < best,
            `the maximum of the expected complete log-likelihood, ${best.toFixed(4)}`,
            `${score.toFixed(4)} close by`,
          );
        }
      },
    },
  ],
};
