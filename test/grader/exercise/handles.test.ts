import * as tf from '@tensorflow/tfjs';
import { afterAll, expect, test } from 'vitest';
import { LIMITS } from '../../../grader/sandbox/command-line';
import { createCompiler } from '../../../grader/compile/service';
import { expectNumber, expectTensor } from '../../../grader/exercise/compare';
import type { Callable, Value } from '../../../grader/exercise/exercise';
import { decode, ProtocolError } from '../../../grader/exercise/protocol';
import { openSandbox } from '../../../grader/sandbox/sandbox';
import { strongestTier } from '../../../grader/sandbox/tier-probe';
import { cellsOf } from '../grading-helpers';

const compiler = createCompiler();
afterAll(() => compiler.close());

/** The values that `use` gets by calling the function of a cell, in the strongest sandbox that there is here. */
async function inSandbox(source: string, name: string, use: (call: Callable) => Promise<void>): Promise<void> {
  const { together } = await compiler.compile(cellsOf(source), [name]);
  const sandbox = openSandbox(LIMITS, await strongestTier());
  try {
    await sandbox.load(together);
    await use((...args) => sandbox.call(name, args, () => 5_000));
  } finally {
    await sandbox.close();
  }
}

const adder = `import * as tf from '@tensorflow/tfjs';
function adder(x: tf.Tensor) {
  let calls = 0;
  return { add: (y: tf.Tensor) => x.add(y), calls: () => ++calls };
}`;

test('functions in an answer can be called, remember what they were made from, and keep their state', async () => {
  await inSandbox(adder, 'adder', async (call) => {
    const two = (await call(tf.tensor1d([2, 3]))) as { add: Callable; calls: Callable };
    const ten = (await call(tf.tensor1d([10, 20]))) as typeof two;
    expect([...expectTensor(await two.add(tf.tensor1d([1, 1]))).dataSync()]).toEqual([3, 4]);
    expect([...expectTensor(await ten.add(tf.tensor1d([1, 1]))).dataSync()]).toEqual([11, 21]);
    expect([await two.calls(), await two.calls(), await ten.calls()].map((n) => expectNumber(n))).toEqual([1, 2, 1]);
  });
});

test('a function that loops ends the process as any call does', async () => {
  await inSandbox('function maker() { return () => { for (;;); }; }', 'maker', async (call) => {
    const loop = (await call()) as Callable;
    await expect(loop()).rejects.toMatchObject({ status: 'timeout' });
  });
});

test.each([-1, 0.5, NaN, '0', undefined, 2 ** 60])('a forged number of a function is refused: %s', (kept) => {
  const callable = () => () => Promise.resolve<Value>(undefined);
  expect(() => decode({ $: 'function', kept }, { callable })).toThrow(ProtocolError);
});
