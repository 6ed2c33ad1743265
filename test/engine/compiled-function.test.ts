import * as tf from '@tensorflow/tfjs';
import { categorical, categoricalMixture, createRng, evaluate, getWeights, type Rng, setWeights } from 'dgm';
import { describe, expect, test } from 'vitest';
import { compiled, loop, type Body } from '../../lib/engine/call/compiled-function';
import { expectClose, mean, read, standardError, tensorsLeft } from '../helpers';

const FLOAT = { absolute: 1e-6, relative: 1e-5 }; // sums in another order differ by a few units of float32
const CPU = { device: 'cpu' } as const;

describe('a compiled function', () => {
  const w = tf.variable(tf.tensor2d([1, 2, 3, 4], [2, 2]));
  const layer = compiled(
    ([x], rng) => [
      x!
        .matMul(w)
        .add(rng.fork('noise').normal([2]))
        .tanh(),
      x!.sum(),
    ],
    CPU,
  );
  const x = tf.tensor2d([0.1, 0.2, 0.3, 0.4], [2, 2]);
  const eager = (rng: Rng) =>
    tf.tidy(() =>
      x
        .matMul(w)
        .add(rng.fork('noise').normal([2]))
        .tanh(),
    );

  test('gives the numbers of the eager one, from the same rng', () => {
    const [y, sum] = layer([x], createRng(1));
    expectClose(read(y!), read(eager(createRng(1))), FLOAT);
    expectClose(read(sum!), [1], FLOAT);
    expect(layer.engine()).toBe('compiled for the cpu');
  });

  test('reads the present values of variables', () => {
    const before = read(layer([x], createRng(1))[0]!);
    w.assign(tf.tensor2d([0, 1, 1, 0], [2, 2]));
    const after = read(layer([x], createRng(1))[0]!);
    expect(after).not.toEqual(before);
    expectClose(after, read(eager(createRng(1))), FLOAT);
  });

  test('takes any batch size', () => {
    const wide = tf.ones([5, 2]);
    expect(layer([wide], createRng(1))[0]!.shape).toEqual([5, 2]);
    expect(layer.engine()).toBe('compiled for the cpu');
  });

  test('keeps types, and inputs that are returned', () => {
    const parts = compiled(([a]) => [a!, a!.greater(0.25), a!.argMax(1)], CPU);
    const [same, large, best] = parts([x], createRng(0));
    expect([same!.dtype, large!.dtype, best!.dtype]).toEqual(['float32', 'bool', 'int32']);
    expect(same!.id).not.toBe(x.id);
    expect([read(same!), read(large!), read(best!)]).toEqual([Array.from(x.dataSync()), [0, 0, 1, 1], [1, 1]]);
  });

  test('runs eagerly where it reads a value, and says which line does', () => {
    const branching = compiled(([a]) => [a!.dataSync()[0]! > 0 ? a!.add(1) : a!.sub(1)], CPU);
    expectClose(read(branching([x], createRng(0))[0]!), [1.1, 1.2, 1.3, 1.4], FLOAT);
    expect(branching.engine()).toMatch(/^eager on cpu: the value of a tensor was read.*compiled-function\.test\.ts/);
  });

  test('runs eagerly where randomness does not come from the rng', () => {
    const noisy = compiled(([a]) => [a!.add(Math.random())], CPU);
    tf.dispose(noisy([x], createRng(0)));
    expect(noisy.engine()).toContain('every random draw must come from the given rng');
  });

  test('passes on the error of a function that is wrong', () => {
    const wrong = compiled(([a]) => [a!.matMul(tf.ones([3, 3]))], CPU);
    expect(() => wrong([x], createRng(0))).toThrow(/inner shapes/);
  });

  test('runs eagerly when asked', () => {
    const plain = compiled(([a]) => [a!.square()], { engine: 'eager' });
    tf.dispose(plain([x], createRng(0)));
    expect(plain.engine()).toBe('eager on cpu: as asked');
  });

  test('within another becomes part of it', () => {
    const inner = compiled(([a]) => [a!.mul(2)], CPU);
    const outer = compiled(([a], rng) => [inner([a!.add(1)], rng)[0]!.sum()], CPU);
    expectClose(read(outer([x], createRng(0))[0]!), [10], FLOAT);
    expect([inner.engine(), outer.engine()]).toEqual(['not run yet', 'compiled for the cpu']);
  });

  test('leaves no tensors behind', async () => {
    const left = await tensorsLeft(() => {
      for (let i = 0; i < 5; i++) tf.dispose(layer([x], createRng(i)));
      tf.dispose(compiled(([a]) => [a!.dataSync()[0]! > 0 ? a!.add(1) : a!])([x], createRng(0)));
    });
    expect(left).toBe(0);
  });
});

/** The same loop without the engine. */
function eagerly(body: Body, state: tf.Tensor[], steps: number, rng: Rng, given: tf.Tensor[] = []): tf.Tensor[] {
  return loop(body, { engine: 'eager' })(state, steps, rng, given);
}

describe('a loop', () => {
  test('Langevin dynamics on a Gaussian reaches its moments', () => {
    // dx = ∇ ln p dt + √2 dW for p = N(m, s²); the step ε adds a factor 1/(1 − ε/(2 s²)) to the variance
    const [m, s, epsilon, steps, chains] = [1.5, 0.7, 0.05, 400, 4000];
    const langevin = loop(
      ([x], _, rng) => [
        x!
          .add(
            x!
              .sub(m)
              .div(-s * s)
              .mul(epsilon),
          )
          .add(rng.normal([chains]).mul(Math.sqrt(2 * epsilon))),
      ],
      CPU,
    );
    const start = tf.fill([chains], -3);
    const x = read(langevin([start], steps, createRng('langevin'))[0]!);
    expect(langevin.engine()).toBe('compiled for the cpu');
    expect(Math.abs(mean(x) - m)).toBeLessThan(5 * standardError(x));
    const variance = (s * s) / (1 - epsilon / (2 * s * s));
    const squares = x.map((value) => (value - m) ** 2);
    expect(Math.abs(mean(squares) - variance)).toBeLessThan(5 * standardError(squares));
  });

  test('an ODE of second order integrates exp, with the error of its order', () => {
    const T = 50;
    const heun = loop(([x]) => {
      const slope = x!; // dx/dt = x
      const ahead = x!.add(slope.mul(1 / T));
      return [x!.add(slope.add(ahead).mul(0.5 / T))];
    }, CPU);
    const one = tf.ones([1]);
    const [end] = read(heun([one], T, createRng(0))[0]!);
    expect(Math.abs(end! - Math.E)).toBeLessThan(Math.E / (6 * T * T) + 1e-5); // (e/6) h²
    expect(Math.abs(end! - Math.E)).toBeGreaterThan(Math.E / (12 * T * T));
  });

  test('a Markov chain sampled step by step equals the eager one', async () => {
    const [B, T, K] = [64, 20, 3];
    const transition = tf.variable(tf.tensor2d([2, 0, -1, 0, 2, 0, -1, 0, 2], [K, K]));
    // x [B, T]: column t is drawn from the row of the transition table that column t − 1 names
    const chain: Body = ([x, previous], t, rng) => {
      const drawn = categorical(tf.gather(transition, previous!.toInt() as tf.Tensor1D), rng).toFloat(); // [B]
      const here = tf.range(0, T, 1, 'int32').equal(t).toFloat(); // [T]
      return [x!.add(drawn.expandDims(1).mul(here)), drawn];
    };
    const start = [tf.zeros([B, T]), tf.zeros([B])];
    const sampler = loop(chain, CPU);
    const left = await tensorsLeft(() => {
      const fast = sampler(start, T, createRng('chain'));
      const slow = eagerly(chain, start, T, createRng('chain'));
      expect(sampler.engine()).toBe('compiled for the cpu');
      expect(Array.from(fast[0]!.dataSync())).toEqual(Array.from(slow[0]!.dataSync()));
      expect(new Set(fast[0]!.dataSync())).toEqual(new Set([0, 1, 2]));
      tf.dispose([...fast, ...slow]);
    });
    expect(left).toBe(0);
  });

  test('sees what is given, the step, and the present variables; leaves the start as it was', () => {
    const rate = tf.variable(tf.scalar(2));
    const body: Body = ([x], t, _, [shift]) => [x!.add(t.toFloat().mul(rate)).add(shift!)];
    const sum = loop(body, CPU);
    const [start, shift] = [tf.tensor1d([0, 10]), tf.tensor1d([1, -1])];
    expect(read(sum([start], 4, createRng(0), [shift])[0]!)).toEqual([16, 18]); // 2 (0 + 1 + 2 + 3) ± 4
    rate.assign(tf.scalar(0));
    expect(read(sum([start], 4, createRng(0), [shift])[0]!)).toEqual([4, 6]);
    expect(Array.from(start.dataSync())).toEqual([0, 10]);
    expect(read(eagerly(body, [start], 4, createRng(0), [shift])[0]!)).toEqual([4, 6]);
  });

  test('of no steps gives a copy', () => {
    const x = tf.tensor1d([1, 2]);
    const [y] = loop(([a]) => [a!.add(1)])([x], 0, createRng(0));
    expect(y!.id).not.toBe(x.id);
    expect(read(y!)).toEqual([1, 2]);
  });

  test.each([
    ['another shape', ([x]: readonly tf.Tensor[]) => [x!.sum()], 'float32 [2]; got float32 []'],
    ['another type', ([x]: readonly tf.Tensor[]) => [x!.toInt()], 'float32 [2]; got int32 [2]'],
    ['another number', ([x]: readonly tf.Tensor[]) => [x!, x!], 'float32 [2]; got float32 [2], float32 [2]'],
  ])('refuses a body that returns %s', (_, body, message) => {
    expect(() => loop(body as Body)([tf.zeros([2])], 3, createRng(0))).toThrow(
      `loop: the body must return a state like the one it got, ${message}`,
    );
  });

  test('refuses half a step', () => {
    expect(() => loop(([x]) => [x!])([tf.zeros([2])], 1.5, createRng(0))).toThrow(
      'steps must be an integer ≥ 0, got 1.5',
    );
  });

  test('within a compiled function is compiled by itself when it is long', () => {
    const double = loop(([x]) => [x!.mul(1.5)], CPU);
    const outer = compiled(([x], rng) => double([x!], 20, rng), CPU);
    expectClose(read(outer([tf.tensor1d([1])], createRng(0))[0]!), [1.5 ** 20], FLOAT);
    expect(outer.engine()).toMatch(/^eager on cpu: a loop of 20 steps is compiled by itself.*compiled-function/);
    expect(double.engine()).toBe('compiled for the cpu');
  });

  test('within a compiled function is written out when it is short', () => {
    const double = loop(([x]) => [x!.mul(2)]);
    const outer = compiled(([x], rng) => double([x!], 3, rng), CPU);
    expect(read(outer([tf.tensor1d([1, 2])], createRng(0))[0]!)).toEqual([8, 16]);
    expect(outer.engine()).toBe('compiled for the cpu');
  });
});

describe('a model', () => {
  const data = { x: tf.tidy(() => createRng(1).uniform([230, 3]).mul(3).floor()) };
  const config = { components: 4, eventShape: [3], values: 3, pseudoCount: 0.1, learningRate: 0.1, batchSize: 10 };
  const model = categoricalMixture.create(config, createRng(2));

  test('is evaluated as eagerly, with the weights it has now, and leaves no tensors', async () => {
    const both = () =>
      (['eager', 'auto'] as const).map(
        (engine) => evaluate(model, data, createRng(3), { batchSize: 100, engine }).perExample,
      );
    const left = await tensorsLeft(() => {
      const [slow, fast] = both();
      expectClose(fast!, slow!, FLOAT);
      setWeights(
        model,
        getWeights(model).map(({ shape, values }) => ({ shape, values: values.map((v) => 2 * v + 0.1) })),
      );
      const [slower, faster] = both();
      expectClose(faster!, slower!, FLOAT);
      expect(faster).not.toEqual(fast);
    });
    expect(left).toBe(0);
  });

  test('is sampled as eagerly', async () => {
    const left = await tensorsLeft(() => {
      for (const count of [5, 7, 5])
        expect(read(model.sample({ count, rng: createRng(4) }))).toEqual(
          read(model.sample({ count, rng: createRng(4), engine: 'eager' })),
        );
    });
    expect(left).toBe(0);
  });
});
