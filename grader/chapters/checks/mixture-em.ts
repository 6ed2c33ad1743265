/** Chapter 3: the loop around the two steps, and what becomes of a start. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectArray, expectClose, expectFields, expectNumber, expectTrue } from '../../exercise/compare';
import type { Exercise } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { integers, logSumExp, matrix, softmax, type Matrix, type Vector } from './common';
import { chapter, type Call } from './mixture-density';
import { logJointOf, mStepOf, randomResponsibilities, sum, tablesFrom, type Tables } from './mixture-m-steps';

type EStep = (joint: Matrix, tables: Tables) => number[][];
const posteriors: EStep = (joint) => joint.map(softmax);

function emOf({ x, start, values, alpha }: EmArrays, iterations: number, eStep = posteriors) {
  let r = start;
  let tables = mStepOf(x, r, values, alpha);
  const losses: number[] = [];
  for (let done = 0; done < iterations; done++) {
    if (done > 0) tables = mStepOf(x, r, values, alpha);
    const joint = logJointOf(x, tables);
    losses.push(-joint.reduce((sum, row) => sum + logSumExp(row), 0) / x.length);
    r = eStep(joint, tables);
  }
  return { ...tables, nats: losses };
}

interface EmArrays {
  readonly x: Matrix;
  readonly start: Matrix;
  readonly values: number;
  readonly alpha: number;
}

// mixture.emLoop

export interface EmInput {
  readonly x: tf.Tensor;
  readonly start: tf.Tensor;
  readonly values: number;
  readonly alpha: number;
}

/**
 * Two kinds of rows, N = 50, D = 4, V = 4, K = 2, one in four of the second kind. The start leans towards the kinds:
 * from anywhere else EM may linger at a saddle, and leave it at a time that float32's rounding decides.
 */
export function emInput(rng: Rng, alpha: number): EmInput {
  const kind = tf.tidy(() => tf.range(0, 50).mod(4).equal(3).toFloat().expandDims(1)); // [50, 1]
  const x = tf.tidy(() => rng.fork('x').uniform([50, 4]).mul(2.4).add(kind.mul(1.5)).floor()); // 0 … 3
  const logits = tf.tidy(() =>
    rng
      .fork('start')
      .normal([50, 2])
      .add(kind.mul(tf.tensor1d([-2, 0]))),
  );
  return { x, start: tf.softmax(logits.add(tf.tensor1d([1.5, 0]))), values: 4, alpha };
}

const arraysOf = ({ x, start, ...rest }: EmInput): EmArrays => ({ ...rest, x: matrix(x), start: matrix(start) });

const exactEm = (input: EmInput, iterations: number) => emOf(arraysOf(input), iterations);

export async function runEm(call: Call, input: EmInput, iterations: number) {
  const { x, start, values, alpha } = input;
  const got = await call(x, start, values, alpha, iterations);
  const fields = expectFields(got, ['logPi', 'logTheta', 'nats'], { what: 'the result' });
  const nats = expectArray(fields.nats, { what: 'nats', length: iterations, hint: 'one number after every M-step' });
  return {
    ...(await tablesFrom(got, start.shape[1]!, x.shape[1]!, values)),
    nats: nats.map((n, i) => expectNumber(n, { what: `nats[${i}]` })),
  };
}

/** Of the list `nats`. */
const wrongNats = (input: EmInput, iterations: number): readonly KnownMistake[] => {
  const arrays = arraysOf(input);
  const N = arrays.x.length;
  const longer = () => emOf(arrays, iterations + 1).nats;
  const withoutPi: EStep = (joint, { logPi }) => joint.map((row) => softmax(row.map((a, k) => a - logPi[k]!)));
  return [
    { hint: 'nats per example: the mean over the rows, not their sum', answer: () => emOf(arrays, iterations).nats.map((v) => v * N) },
    { hint: 'nats are negative log-likelihoods: mind the sign', answer: () => emOf(arrays, iterations).nats.map((v) => -v) },
    {
      hint: 'the E-step needs ln π_k + ln p(x | k): the weights of the components are missing in it',
      answer: () => emOf(arrays, iterations, withoutPi).nats,
    },
    {
      hint: 'the responsibilities stay what they were at the start: the E-step is missing',
      answer: () => emOf(arrays, iterations, () => arrays.start as number[][]).nats,
    },
    { hint: 'nats[0] is the likelihood after the first M-step, and not after the second', answer: () => longer().slice(1) },
  ]; // prettier-ignore
};

export async function checkEm(call: Call, input: EmInput, iterations: number, atol: readonly [number, number]) {
  const expected = exactEm(input, iterations);
  const { logPi, logTheta, nats } = await runEm(call, input, iterations);
  expectAnswer(nats, expected.nats, { what: 'nats', atol: atol[0] }, wrongNats(input, iterations));
  const hint = 'the parameters are those of the last M-step';
  expectClose(logPi, tf.tensor1d(expected.logPi), { what: 'logPi', atol: atol[1], hint });
  expectClose(logTheta, tf.tensor3d(expected.logTheta), { what: 'logTheta', atol: atol[1], hint });
}

export const emLoop: Exercise = {
  id: 'mixture.emLoop',
  chapter,
  functionName: 'emLoop',
  title: 'expectation maximisation',
  points: 3,
  hints: [
    'Which of the two steps can you do first, when what you are given are responsibilities? And whose likelihood is nats[i]: that of the parameters before the i-th M-step, or after it?',
    'One iteration: M gives parameters; with these, ln π_k + ln p(x | k) is a matrix [N, K]; its log-sum-exp over k is ln p(x), whose mean with a minus sign is the number to keep; and the same matrix gives the responsibilities for the next M.',
    'Loop over the iterations: call your mStep with the present responsibilities; add logPi to what logCategoricalComponents returns for logTheta; push minus the mean of tf.logSumExp over axis 1, as a number; replace the responsibilities by those of your own function. Return the last parameters with the list.',
  ],
  checks: [
    {
      name: 'one iteration is one M-step from the given responsibilities',
      async run({ call, rng }) {
        const x = integers(rng, 'x', [30, 2], 4);
        const start = randomResponsibilities(rng, 30, 3);
        await checkEm(call, { x, start, values: 4, alpha: 0.3 }, 1, [1e-4, 1e-4]);
      },
    },
    {
      name: 'three iterations, and twenty, end where exact EM ends',
      async run({ call, rng }) {
        // float32's 1e-7 grows on the way, at worst to 4e-6 in 4,000 trials
        for (const iterations of [3, 20]) await checkEm(call, emInput(rng, 0.7), iterations, [1e-3, 1e-2]);
      },
    },
    {
      name: 'the likelihood never falls when the prior is negligible, and ends as high as that of exact EM',
      async run({ call, rng }) {
        const input = emInput(rng, 1e-4);
        const { nats } = await runEm(call, input, 30);
        nats.slice(1).forEach((value, i) => {
          // What cannot fall is Σ_n ln p + α Σ ln of 34 parameters, each between ln(α / 50) = −13 and 0: the likelihood
          // itself may lose 1e-4 · 34 · 13 / 50 = 9e-4 nats an example
          expectTrue(
            value <= nats[i]! + 1e-3,
            `nats[${i + 1}] to be at most nats[${i}] = ${nats[i]!.toFixed(4)}`,
            value.toFixed(4),
          );
        });
        expectAnswer(nats, exactEm(input, 30).nats, { what: 'nats', atol: 1e-3 }, wrongNats(input, 30));
      },
    },
  ],
};

// mixture.tablesLeft

/**
 * Counted by running EM on examples of which each has a value of its own, so that nothing in the data makes two
 * components alike that the start has told apart.
 */
function tablesAfter(start: Matrix): number {
  const x = start.map((_, n) => [n]);
  const { logTheta } = emOf({ x, start, values: start.length, alpha: 0 }, 4);
  const rows = logTheta.map(([row]) => row!.map(Math.exp));
  const same = (a: Vector, b: Vector) => a.every((v, i) => Math.abs(v - b[i]!) < 1e-9);
  return rows.filter((row, k) => rows.findIndex((other) => same(row, other)) === k).length;
}

const column = (start: Matrix, k: number) => start.map((row) => row[k]!);

/** The rank, by elimination. */
function rankOf(rows: Matrix): number {
  const left = rows.map((row) => [...row]);
  let rank = 0;
  for (let c = 0; c < left[0]!.length && rank < left.length; c++) {
    const pivot = left.findIndex((row, i) => i >= rank && Math.abs(row[c]!) > 1e-9);
    if (pivot < 0) continue;
    [left[rank], left[pivot]] = [left[pivot]!, left[rank]!];
    for (let i = rank + 1; i < left.length; i++) {
      const factor = left[i]![c]! / left[rank]![c]!;
      left[i] = left[i]!.map((v, j) => v - factor * left[rank]![j]!);
    }
    rank++;
  }
  return rank;
}

export async function checkTablesLeft(call: Call, start: Matrix, hint?: string): Promise<void> {
  const K = start[0]!.length;
  const columns = Array.from({ length: K }, (_, k) => column(start, k).join());
  const mistakes: KnownMistake[] = [
    { hint: 'EM cannot tell apart what is told apart nowhere: not in the start, not in the data', answer: () => K },
    { hint: 'two components whose columns are in proportion differ in size. Does their table know of sizes?', answer: () => new Set(columns).size },
    { hint: 'columns need not be independent to be different: three of them differ in the plane already', answer: () => rankOf(start) },
    { hint: 'components that start apart stay apart', answer: () => 1 },
  ]; // prettier-ignore
  const got = expectNumber(await call(start), { what: 'the number of tables', ...(hint !== undefined && { hint }) });
  const what = `the number of different tables from ${JSON.stringify(start)}`;
  expectAnswer(got, tablesAfter(start), { what, atol: 0, rtol: 0, ...(hint !== undefined && { hint }) }, mistakes);
}

/** Columns in the given groups: those of a group are in proportion, by powers of 2, and no others are. */
export function startIn(rng: Rng, N: number, groups: readonly (readonly number[])[]): number[][] {
  const base = matrix(tf.tidy(() => rng.uniform([N, groups.length + 1]).add(0.5)));
  return base.map((row) => {
    const columns = groups.flatMap((powers, g) => powers.map((power) => row[g]! * 2 ** -power));
    const scale = 2 ** -Math.ceil(Math.log2(sum(columns) + 1)); // the last column takes what is missing to 1
    const scaled = columns.map((v) => v * scale);
    return [...scaled, 1 - sum(scaled)];
  });
}

export const tablesLeft: Exercise = {
  id: 'mixture.tablesLeft',
  chapter,
  functionName: 'tablesLeft',
  title: 'predict: how many different tables EM ends with',
  points: 1,
  allOrNothing: true,
  hints: [
    'Two components get the same responsibilities from every example. What does the M-step make of them, and then the E-step?',
    'Let one column be half the other in every row. Which of the M-step’s two formulas sees the factor, and in which does it cancel?',
    'Columns count as one when one is a multiple of the other. Compare each column, divided by its own sum, with those before it.',
  ],
  checks: [
    {
      name: 'equal columns, as in the first row of the table',
      run: ({ call }) => checkTablesLeft(call, [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]], 'look at the first row of the table'), // prettier-ignore
    },
    {
      name: 'different columns, as in its last row',
      run: ({ call, rng }) => checkTablesLeft(call, startIn(rng, 3, [[0], [0]]), 'look at the last row of the table'),
    },
    {
      name: 'two columns in proportion, and a third',
      run: ({ call }) => checkTablesLeft(call, [[0.25, 0.125, 0.625], [0.5, 0.25, 0.25], [0.125, 0.0625, 0.8125]]), // prettier-ignore
    },
  ],
};
