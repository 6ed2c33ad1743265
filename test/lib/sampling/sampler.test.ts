import * as tf from '@tensorflow/tfjs';
import {
  categorical,
  circuit,
  convolutionalAutoregressive,
  createRng,
  expectShape,
  type SampleOptions,
  sampler,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { loop } from '../../../lib/sampling/sampler';
import { expectClose, mean, read, tensorsLeft } from '../../helpers';

const rng = createRng('sampler');

interface NormalOptions extends SampleOptions {
  /** Added to every example: [2] */
  readonly shift?: tf.Tensor;
  readonly scale?: number;
}

/** N(mu + shift, scale²) in two dimensions. */
function normal(mu: tf.Tensor = tf.zeros([2])) {
  let traces = 0;
  const sample = sampler<NormalOptions>(
    'normal',
    ({ count, rng: noise, shift, scale = 1 }) => {
      if (tf.getBackend() === 'dgm-trace') traces++;
      const x = noise.normal([count, 2]).mul(scale).add(mu);
      return shift ? x.add(shift) : x;
    },
    {
      takes: {
        shift: (shift) => expectShape('normal: shift', shift, [2]),
        scale: (scale) => {
          if (!(scale > 0)) throw new Error(`normal: scale must be > 0, got ${scale}`);
        },
      },
    },
  );
  /** Whether a draw with these options is compiled anew: that takes two traces, and a look for changes at most one. */
  const anew = (options: Omit<NormalOptions, 'rng'>): boolean => {
    const before = traces;
    sample({ rng, ...options }).dispose();
    return traces - before === 2;
  };
  return { sample, anew };
}

describe('options', () => {
  const { sample } = normal();
  const loosely = sample as unknown as (...args: readonly unknown[]) => tf.Tensor;

  test.each([
    [[16, rng], 'normal.sample: expected one object of options, got 16; write sample({ count: 16, rng })'],
    [[16, rng, tf.zeros([16, 1])], 'write sample({ count: 16, rng, given })'],
    [[16, rng, undefined, 0.5], 'write sample({ count: 16, rng, temperature })'],
    [[], 'normal.sample: expected one object of options, got undefined; write sample({ count: 16, rng })'],
    [[{ rng }], 'normal.sample: count must be an integer ≥ 1, got undefined'],
    [[{ count: 0, rng }], 'count must be an integer ≥ 1, got 0'],
    [[{ count: 2.5, rng }], 'count must be an integer ≥ 1, got 2.5'],
    [[{ count: '3', rng }], "count must be an integer ≥ 1, got '3'"],
    [[{ count: 3 }], 'normal.sample: rng must be a stream of random numbers, got undefined; give createRng(7), or a fork'],
    [[{ count: 3, rng: 7 }], 'rng must be a stream of random numbers, got 7'],
    [[{ count: 3, rng, engine: 'fast' }], "engine must be 'auto' or 'eager', got 'fast'"],
    [[{ count: 3, rng, temperature: 2 }], "normal.sample: there is no option 'temperature'; it takes count, rng, engine, shift, scale"],
    [[{ count: 3, rng, scale: -1 }], 'normal: scale must be > 0, got -1'],
    [[{ count: 3, rng, shift: tf.zeros([3]) }], 'normal: shift must be [2], got [3]'],
  ])('%#: %s', (args, message) => expect(() => loosely(...args)).toThrow(message)); // prettier-ignore

  test('that are undefined are not there', () => {
    const x = loosely({ count: 3, rng: rng.fork('a'), shift: undefined, scale: undefined });
    expect(read(x)).toEqual(read(sample({ count: 3, rng: rng.fork('a') })));
  });

  test('that nothing can be compiled for are an error that names them', () => {
    interface Odd extends SampleOptions {
      readonly schedule?: (t: number) => number;
    }
    const odd = sampler<Odd>('odd', ({ count }) => tf.zeros([count, 1]), { takes: { schedule: () => {} } });
    expect(() => odd({ count: 1, rng, schedule: (t) => t })).toThrow('odd.sample: schedule must be a tensor, a number');
  });

  test('of a family: evidence of another shape, and a temperature where there is none', () => {
    const model = circuit.create(circuit.tiny.config, rng);
    expect(() => model.sample({ count: 2, rng, given: tf.zeros([3, 3]) })).toThrow('circuit: given must be [2, 3], got [3, 3]'); // prettier-ignore
    const tempered = { count: 2, rng, temperature: 0.5 } as SampleOptions;
    expect(() => model.sample(tempered)).toThrow("circuit.sample: there is no option 'temperature'; it takes count, rng, engine, given"); // prettier-ignore
  });
});

describe('compiling', () => {
  test('the same seed gives the same numbers, compiled and eager, and the engine is told', () => {
    const { sample } = normal();
    expect(sample.engine()).toBe('not run yet');
    const fast = read(sample({ count: 50, rng: rng.fork('x'), scale: 2 }));
    expect(sample.engine()).toBe('compiled for the cpu');
    const slow = read(sample({ count: 50, rng: rng.fork('x'), scale: 2, engine: 'eager' }));
    expect(sample.engine()).toBe('eager on cpu: as asked');
    expectClose(fast, slow, { relative: 1e-6, absolute: 1e-6 });
  });

  test('is done once for a count, for the shapes of tensors, and for a value of what is no tensor', () => {
    const { anew } = normal();
    expect([3, 3, 4, 3].map((count) => anew({ count }))).toEqual([true, false, true, false]);
    expect([2, 3, 2].map((scale) => anew({ count: 3, scale }))).toEqual([true, true, false]);
    const shifts = [tf.zeros([2]), tf.ones([2])];
    expect(shifts.map((shift) => anew({ count: 3, shift }))).toEqual([true, false]);
  });

  test('does not depend on the order of the options', () => {
    const { anew } = normal();
    expect([anew({ count: 3, scale: 2 }), anew({ scale: 2, count: 3 })]).toEqual([true, false]);
  });

  test('what is drawn is never one of the options', () => {
    interface Echo extends SampleOptions {
      readonly given?: tf.Tensor;
    }
    const step = ([x]: readonly tf.Tensor[]) => [x!];
    const loops = { auto: loop(step), eager: loop(step) };
    const given = tf.ones([1, 1]);
    for (const settings of [{}, { loops }]) {
      const echo = sampler<Echo>('echo', (asked) => asked.given!, { ...settings, takes: { given: () => {} } });
      echo({ count: 1, rng, given }).dispose();
      expect(given.isDisposed).toBe(false);
    }
  });

  test('a tensor that was compiled for is no constant', () => {
    const { sample } = normal();
    const at = (shift: number) => read(sample({ count: 1, rng: rng.fork('x'), shift: tf.fill([2], shift) }));
    const [zero, five] = [at(0), at(5)];
    expectClose(five, zero.map((v) => v + 5), { absolute: 1e-6 }); // prettier-ignore
  });

  test('present weights count, not those of the first call', () => {
    const mu = tf.variable(tf.zeros([2]));
    const { sample } = normal(mu);
    const before = read(sample({ count: 1, rng: rng.fork('x') }));
    mu.assign(tf.ones([2]));
    expectClose(read(sample({ count: 1, rng: rng.fork('x') })), before.map((v) => v + 1), { absolute: 1e-6 }); // prettier-ignore
  });

  test('keeps as many graphs as are bounded, the latest ones', () => {
    const { anew } = normal();
    for (let count = 1; count <= 33; count++) expect(anew({ count })).toBe(true);
    expect([anew({ count: 33 }), anew({ count: 2 })]).toEqual([false, false]);
    expect(anew({ count: 1 })).toBe(true); // the one that was used least recently had to go
  });

  test('what cannot be compiled runs eagerly, and says why', () => {
    const looks = sampler('looks', ({ count, rng: noise }) => {
      const x = noise.normal([count, 1]);
      return x.dataSync()[0]! > 0 ? x : x.neg();
    });
    expect(read(looks({ count: 1, rng }))[0]).toBeGreaterThan(0);
    expect(looks.engine()).toMatch(/^eager on cpu: the value of a tensor was read/);
  });

  test('a loop is compiled by itself', () => {
    const step = ([x]: readonly tf.Tensor[]) => [x!.mul(0.5)];
    const loops = { auto: loop(step), eager: loop(step, { engine: 'eager' }) };
    const halved = sampler('halved', ({ count, rng: noise, engine }) => loops[engine]([tf.ones([count])], 20, noise)[0]!, { loops }); // prettier-ignore
    expectClose(read(halved({ count: 2, rng })), [2 ** -20, 2 ** -20], { relative: 1e-6 });
    expect(halved.engine()).toBe('compiled for the cpu');
    halved({ count: 2, rng, engine: 'eager' }).dispose();
    expect(halved.engine()).toBe('eager on cpu: as asked');
  });

  test('leaves no tensor', async () => {
    const { sample } = normal();
    for (const engine of ['auto', 'eager'] as const)
      expect(await tensorsLeft(() => sample({ count: 3, rng, engine }).dispose())).toBe(0);
  });
});

describe('within other code', () => {
  test('a trace takes the body up: a sampler of a sampler is compiled as one', () => {
    const { sample } = normal();
    const twice = sampler('twice', ({ count, rng: noise, engine }) => sample({ count, rng: noise, engine }).mul(2));
    const fast = read(twice({ count: 5, rng: rng.fork('x') }));
    expect(twice.engine()).toBe('compiled for the cpu');
    expectClose(fast, read(sample({ count: 5, rng: rng.fork('x') })).map((v) => 2 * v), { absolute: 1e-6 }); // prettier-ignore
  });

  test('a gradient goes through, also through one that was compiled before', () => {
    const mu = tf.variable(tf.zeros([2]));
    const { sample } = normal(mu);
    sample({ count: 4, rng }).dispose();
    const loss = () => sample({ count: 4, rng: rng.fork('g') }).sum() as tf.Scalar;
    expect(read(tf.variableGrads(loss, [mu]).grads[mu.name]!)).toEqual([4, 4]);
  });

  test('of an autoregressive model, a gradient of the logits at its samples is that of the eager one', () => {
    const model = convolutionalAutoregressive.create(convolutionalAutoregressive.tiny.config, rng.fork('model'));
    const { variables } = model.objectives[0]!;
    const score = (engine: 'auto' | 'eager') => () =>
      model.logits(model.sample({ count: 3, rng: rng.fork('g'), engine })).square().sum() as tf.Scalar; // prettier-ignore
    const of = (engine: 'auto' | 'eager') => read(tf.variableGrads(score(engine), [...variables]).grads[variables[0]!.name]!); // prettier-ignore
    expectClose(of('auto'), of('eager'), { relative: 1e-5, absolute: 1e-6 });
  });
});

test('draws of a compiled categorical follow its probabilities', () => {
  const p = [0.5, 0.3, 0.2];
  const die = sampler('die', ({ count, rng: noise }) => categorical(tf.tensor2d([p]).log().tile([count, 1]), noise).toFloat()); // prettier-ignore
  const draws = read(die({ count: 20_000, rng }));
  const expected = p.reduce((sum, share, v) => sum + share * v, 0);
  expect(Math.abs(mean(draws) - expected)).toBeLessThan(5 * Math.sqrt(0.61 / 20_000)); // 0.61 is its variance
});
