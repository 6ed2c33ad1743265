import * as tf from '@tensorflow/tfjs';
import { createRng, type Rng } from 'dgm';
import { describe, expect, test } from 'vitest';
import { checkIn } from '../../../grader/student/cell';
import { brief, runChecks, scoreOf, Thrown } from '../../../grader/exercise/checking';
import { exercises as mixtures } from '../../../grader/chapters/checks/03-mixtures';
import { smallestFirst } from '../../../grader/chapters/checks/common';
import { expectArray, expectClose, expectFields, expectNumber, expectTensor } from '../../../grader/exercise/compare';
import { given, Mismatch, NotWritten, type Check, type Exercise, type Value } from '../../../grader/exercise/exercise';
import { didYouMean, nearest } from 'dgm/host';
import { Fault } from '../../../grader/exercise/status';
import { chapters, exercises } from '../../fixtures/course/chapters';
import { collectShown } from '../../helpers';

/** The mismatch that the comparison throws, as text; undefined if it holds. */
function mismatch(compare: () => unknown): string | undefined {
  try {
    compare();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Mismatch);
    return (error as Mismatch).message;
  }
}

describe('expectClose', () => {
  const close = (got: Value, expected: Value, tolerance = {}) => mismatch(() => expectClose(got, expected, tolerance));
  const t = (...numbers: number[]) => tf.tensor1d(numbers);

  test.each([
    [1, 1.00001],
    [NaN, NaN],
    [-Infinity, -Infinity],
    [t(1, NaN, Infinity), t(1, NaN, Infinity)],
    [new Float32Array([1]), new Float32Array([1])],
    [
      { a: [t(1)], b: 'x' },
      { a: [t(1)], b: 'x' },
    ],
    [undefined, undefined],
  ])('accepts %#', (got, expected) => {
    expect(close(got, expected)).toBeUndefined();
  });

  test.each([
    [NaN, 0, 'expected the result to be 0, got NaN'],
    [0, NaN, 'expected the result to be NaN, got 0'],
    [Infinity, -Infinity, 'expected the result to be -Infinity, got Infinity'],
    [NaN, Infinity, 'expected the result to be Infinity, got NaN'],
    [Infinity, 1e30, 'expected the result to be 1e+30, got Infinity'],
    [1.01, 1, 'expected the result to be 1, got 1.01'],
    [t(0, NaN), t(0, 1), 'expected the result[1] to be 1, got NaN'],
    [
      tf.tensor2d([
        [1, 2, 3],
        [4, 0, 0],
      ]),
      tf.tensor2d([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      'expected the result[1, 1] to be 5, got 0 (2 of 6 numbers differ)',
    ],
    [tf.scalar(1), tf.scalar(2), 'expected the result[] to be 2, got 1'],
    [t(1), tf.tensor2d([[1]]), 'expected the result to be a tensor [1, 1], got a tensor [1] of float32'],
    [tf.tensor1d([1], 'int32'), t(1), 'expected the result to be a tensor [1] of float32, got a tensor [1] of int32'],
    [[1], t(1), 'expected the result to be a tensor [1], got an array of 1'],
    [undefined, t(1), 'expected the result to be a tensor [1], got undefined'],
    [
      tf.scalar(1),
      1,
      'expected the result to be 1, got a tensor [] of float32; dataSync()[0] takes the number out of a tensor',
    ],
    [[1], [1, 2], 'expected the result to be an array of 2, got an array of 1'],
    [[1, [2]], [1, [3]], 'expected the result[1][0] to be 3, got 2'],
    [{ a: 1 }, { a: 1, b: 2 }, 'expected the result to be { a, b }, got no field b'],
    [{ a: { b: 1 } }, { a: { b: 2 } }, 'expected the result.a.b to be 2, got 1'],
    [
      new Float64Array([1]),
      new Float32Array([1]),
      'expected the result to be a Float32Array of 1, got a Float64Array of 1',
    ],
    ['a', 'b', 'expected the result to be "b", got "a"'],
    [0, false, 'expected the result to be false, got 0'],
  ])('rejects %#: %s', (got, expected, message) => {
    expect(close(got, expected)).toBe(message);
  });

  test('adds what is compared, and the hint; tolerances are the caller’s', () => {
    expect(close(t(2), t(1), { what: 'the density', hint: 'halve it' })).toBe(
      'expected the density[0] to be 1, got 2; halve it',
    );
    expect(close(t(2), t(1), { rtol: 1 })).toBeUndefined();
    expect(close(t(1.5), t(1), { atol: 0.5 })).toBeUndefined();
  });
});

describe('expectations of a kind', () => {
  test('expectTensor: shape with letters, dtype, finite numbers', () => {
    expect(expectTensor(tf.zeros([3, 2]), { shape: ['B', 2] }).shape).toEqual([3, 2]);
    expect(mismatch(() => expectTensor(tf.zeros([3]), { shape: ['B', 2], what: 'z' }))).toBe(
      'expected z to be a tensor [B, 2], got a tensor [3] of float32',
    );
    expect(mismatch(() => expectTensor(tf.zeros([1], 'bool')))).toContain('of float32, got a tensor [1] of bool');
    expect(mismatch(() => expectTensor(tf.tensor2d([[0, -Infinity]])))).toBe(
      'expected the result[0, 1] to be finite, got -Infinity',
    );
    expectTensor(tf.tensor1d([NaN]), { nonFinite: true });
  });

  test('expectNumber, expectArray, expectFields', () => {
    expect(expectNumber(2)).toBe(2);
    expect(mismatch(() => expectNumber(NaN))).toBe('expected the result to be finite, got NaN');
    expect(mismatch(() => expectNumber('2'))).toBe('expected the result to be a number, got "2"');
    expect(mismatch(() => expectNumber(tf.scalar(2), { hint: 'of the value' }))).toBe(
      'expected the result to be a number, got a tensor [] of float32; dataSync()[0] takes the number out of a tensor',
    );
    expect(expectArray([1], { length: 1 })).toEqual([1]);
    expect(mismatch(() => expectArray({ length: 1 }))).toContain('to be an array');
    expect(expectFields({ a: 1, b: 2 }, ['a']).a).toBe(1);
    expect(mismatch(() => expectFields([], ['a']))).toContain('to be { a }, got an array of 0');
    expect(mismatch(() => expectFields({}, ['toString']))).toContain('no field toString');
  });
});

describe('runChecks', () => {
  const exercise = (...checks: Check[]): Exercise => ({
    id: 'a.b',
    chapter: '90-a',
    functionName: 'b',
    title: 'b',
    points: 4,
    checks,
  });
  const holds: Check = { name: 'holds', run: async ({ call }) => void (await call()) };
  const run = (call: () => Promise<Value>, ...checks: Check[]) => runChecks(exercise(...checks), () => call, 1);

  test('reports what was expected, what came and the hint', async () => {
    const fails: Check = { name: 'fails', run: () => Promise.reject(new Mismatch('1', '2', 'subtract')) };
    const { checks } = await run(async () => 1, holds, fails);
    expect(checks).toEqual([
      { name: 'holds', status: 'passed' },
      { name: 'fails', status: 'failed', expected: '1', got: '2', hint: 'subtract' },
    ]);
    expect(scoreOf(exercise(holds, fails), checks)).toBe(0.5);
    expect(scoreOf({ ...exercise(holds, fails), allOrNothing: true }, checks)).toBe(0);
  });

  test('a law counts only when the formula does, the first check that is no law, and says so', async () => {
    const [formula, other, law]: Check[] = [
      { name: 'the formula', run: async ({ call }) => expectClose(await call(3), 9) },
      { name: 'another input', run: async ({ call }) => expectClose(await call(1), 1) },
      { name: 'of one sign', law: true, run: async ({ call }) => expectClose(await call(-2), await call(-2)) },
    ];
    const squares = exercise(law!, formula!, other!);
    const marks = async (solution: (x: number) => number) => {
      const { checks } = await runChecks(squares, () => async (x) => solution(x as number), 1);
      return { score: scoreOf(squares, checks), said: checks[0]!.message };
    };
    expect(await marks((x) => x * x)).toEqual({ score: 1, said: undefined });
    // it passes the law and another check, and earns the other check alone
    expect(await marks((x) => x)).toEqual({ score: 1 / 3, said: "counts when 'the formula' does, too" });
    expect(await marks(() => 0)).toEqual({ score: 0, said: "counts when 'the formula' does, too" });
  });

  test('reports the input that shows it: that of the last call, unless the function is not written', async () => {
    const calls: Check = {
      name: 'calls',
      async run({ call, rng }) {
        await call(1);
        await call(tf.tensor2d([[0.5, 0.25]]), [1, 'a'], { k: 2 }, given('(x) => x'), rng, new Float32Array(20));
        throw new Mismatch('1', '2');
      },
    };
    const { checks } = await run(async () => 1, calls);
    expect(checks[0]!.input).toBe(
      'tensor [1, 2] of float32 [0.5, 0.25], [1, "a"], { k: 2 }, (x) => x, rng, ' +
        'Float32Array [0, 0, 0, 0, 0, 0, 0, 0, … 12 more]',
    );
    const disposes: Check = {
      name: 'disposes',
      async run({ call }) {
        const x = tf.zeros([2]);
        await call(x);
        x.dispose();
        throw new Mismatch('1', '2');
      },
    };
    expect((await run(async () => 1, disposes)).checks[0]!.input).toBe('tensor [2] of float32');
    const unwritten = await run(() => Promise.reject(new Thrown('NotWritten', 'a.b is not written yet')), calls);
    expect(unwritten.checks[0]).not.toHaveProperty('input');
  });

  test('shows the smallest of the inputs that a check tries, where a function is wrong on all of them', async () => {
    const logNormal = mixtures.find(({ id }) => id === 'mixture.logNormal')!;
    const sizes: number[] = [];
    const wrong = async (...[x, mu]: readonly Value[]) => {
      const [B, D, K] = [...(x as tf.Tensor).shape, (mu as tf.Tensor).shape[0]] as [number, number, number];
      sizes.push(B * D * K);
      return tf.fill([B, K], 1);
    };
    const { checks } = await runChecks(logNormal, () => wrong, 1);
    const formula = checks.findIndex(({ name }) => name.includes('for other sizes'));
    expect(sizes[formula]).toBe(6); // one call a check, since the first is wrong
    expect(checks[formula]!.input).not.toContain('more'); // nothing of it is left out
    expect(smallestFirst([[3, 3], [2, 5], [1, 4]])).toEqual([[1, 4], [3, 3], [2, 5]]); // prettier-ignore
  });

  test('reports what the function threw, and goes on; a fault ends it', async () => {
    const thrown = await run(() => Promise.reject(new Thrown('TypeError', 'no\nluck', 'cell 2, line 1')), holds, holds);
    expect(thrown.checks).toHaveLength(2);
    expect(thrown.checks[0]).toEqual({
      name: 'holds',
      status: 'error',
      message: 'threw TypeError: no luck (cell 2, line 1)',
    });
    const fault = await run(() => Promise.reject(new Fault('timeout', 'too slow')), holds, holds);
    expect(fault.checks).toEqual([{ name: 'holds', status: 'error', message: 'too slow' }]);
    expect(fault.fault?.status).toBe('timeout');
  });

  test('a check that stumbles over a value is no crash', async () => {
    const stumbles: Check = { name: 's', run: async ({ call }) => void ((await call()) as tf.Tensor).shape.length };
    const { checks } = await run(async () => undefined, stumbles);
    expect(checks[0]).toMatchObject({
      status: 'error',
      message: expect.stringContaining('the result cannot be judged: TypeError'),
    });
  });

  test('knows an exercise that is not written from one that needs such a one', async () => {
    const notWritten = (id: string) => () => Promise.reject(new Thrown('NotWritten', new NotWritten(id).message));
    expect((await run(notWritten('a.b'), holds)).notWritten).toBe(true);
    const needs = await run(notWritten('a.c'), holds);
    expect(needs.notWritten).toBe(false);
    expect(needs.checks[0]!.message).toBe('a.c is not written yet');
  });

  test('draws other inputs for each check and seed, the same ones again for the same', async () => {
    const drawn: number[] = [];
    const draw: Check = { name: 'd', run: async ({ rng }) => void drawn.push(rng.uniform([1]).dataSync()[0]!) };
    await runChecks(exercise(draw, draw), () => async () => 1, 1);
    await runChecks(exercise(draw, draw), () => async () => 1, 2);
    expect(new Set(drawn).size).toBe(4);
    await runChecks(exercise(draw, draw), () => async () => 1, 1);
    expect(drawn.slice(4)).toEqual(drawn.slice(0, 2));
  });

  test('draws the same inputs for every seed where a check says so, and other ones for each check', async () => {
    const drawn: number[] = [];
    const draw: Check = { name: 'd', run: async ({ rng }) => void drawn.push(rng.uniform([1]).dataSync()[0]!) };
    const same: Check = { ...draw, sameForAll: true };
    for (const seed of [1, 'two']) await runChecks(exercise(same, draw, same), () => async () => 1, seed);
    const [first, own, last, ...again] = drawn;
    expect([again[0], again[2]]).toEqual([first, last]);
    expect(new Set([first, own, last, again[1]]).size).toBe(4);
  });

  test('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const makes: Check = {
      name: 'm',
      run: async ({ call, rng }) => void rng.normal([2]).add((await call()) as tf.Tensor),
    };
    await run(async () => tf.ones([2]), makes, { ...makes, run: () => Promise.reject(new Mismatch('a', 'b')) });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('check in a cell', () => {
  const shown = collectShown();

  const check = checkIn(chapters);
  const text = () => shown[0]!['text/plain'] as string;
  const html = () => shown[0]!['text/html'] as string;

  test('shows that all is well', async () => {
    await check('fixture.softmax', (x: tf.Tensor) => tf.softmax(x));
    expect(text()).toContain('✓ each row sums to 1\n');
    expect(text()).toContain('All 4 checks pass.');
    expect(shown).toHaveLength(1);
  });

  test('shows what was expected, what came and the hint, and throws nothing', async () => {
    await check('fixture.softmax', (x: tf.Tensor) => x.exp());
    expect(text()).toMatch(
      /✗ each row sums to 1\n {4}expected: the sum\[0\] to be 1\n {4}got: .*\n {4}called with: tensor \[5, 2\] of float32 \[.*\n {4}hint: sum over the last axis/,
    );
    expect(html()).toContain('<code>hint: sum over the last axis</code>');
    expect(html()).toContain('<code>called with: tensor [5, 2] of float32 [');
  });

  test('tells kindly that an exercise is not written yet', async () => {
    await check('fixture.softmax', () => {
      throw new NotWritten('fixture.softmax');
    });
    expect(text()).toContain('Not written yet. Replace the line that throws in softmax');
    expect(text()).toContain('○ each row sums to 1');
  });

  test('escapes what a submission says', async () => {
    await check('fixture.total', () => {
      throw new Error('<img src=x onerror=alert(1)>');
    });
    expect(html()).not.toContain('<img');
    expect(html()).toContain('&lt;img');
  });

  test('gives copies: a function that disposes or overwrites its inputs harms nobody', async () => {
    const before = tf.memory().numTensors;
    await check('fixture.softmax', (x: tf.Tensor) => {
      const result = tf.softmax(x);
      x.dispose();
      return result;
    });
    expect(text()).toContain('All 4 checks pass.');
    expect(tf.memory().numTensors).toBe(before);
  });

  test('starts a stream of noise anew, as grading does', async () => {
    await check('fixture.jitter', (x: tf.Tensor, rng: Rng) => x.add(rng.normal(x.shape)));
    expect(text()).toContain('All 2 checks pass.');
  });

  test('refuses what grading would refuse', async () => {
    await check('fixture.total', () => new Map());
    expect(text()).toContain('the value is a Map, which cannot be handed in');
  });

  test('names the closest exercise, and the function it wants', async () => {
    await expect(check('fixture.softmx', () => 1)).rejects.toThrow(
      "there is no exercise 'fixture.softmx'; did you mean fixture.softmax?",
    );
    await expect(check('fixture.softmax', 3)).rejects.toThrow('the second argument must be the function softmax');
  });
});

describe('small helpers', () => {
  test('nearest', () => {
    expect(nearest('softMax', ['softmax', 'total'])).toEqual(['softmax']);
    expect(didYouMean('xyz', ['softmax'])).toBe('');
    expect(nearest('a'.repeat(1000), ['a'])).toEqual([]);
  });

  test('brief makes one visible line of bounded length', () => {
    expect(brief('a\u001b[31m\nb\u0000')).toBe('a [31m b');
    expect(brief('x'.repeat(1000))).toHaveLength(500);
  });

  test('the fixture chapter passes its own checks in process', () => {
    expect(exercises.every(({ checks }) => checks.length > 0)).toBe(true);
    expect(createRng(1).key).toBe('1');
  });
});
