import { adam, adamax, adamW, createRng, type Optimiser, type Schedule, schedules, sgd } from 'dgm';
import { describe, expect, test } from 'vitest';
import { gradientNorm, movingAverage, update } from '../../../lib/engine/fused/update';
import { allocate } from '../../../lib/engine/fused/memory';
import { expectClose, read } from '../../helpers';

/** Arrays of zeros: ordinary ones are worked on by the reference loops, those in a memory by the passes. */
type Arrays = (lengths: readonly number[]) => Float32Array[];
const ordinary: Arrays = (lengths) => lengths.map((length) => new Float32Array(length));
const kinds: readonly (readonly [string, Arrays])[] = [
  ['ordinary arrays', ordinary],
  ['arrays in a memory', allocate],
];

/** The second implementation: one weight in float64, a list of gradients in, the weight after each step out. */
type Reference = (start: number, gradients: readonly number[]) => number[];

const steps = (start: number, gradients: readonly number[], step: (w: number, g: number, t: number) => number) => {
  let w = start;
  return gradients.map((g, i) => (w = step(w, g, i + 1)));
};

/** Polyak's heavy ball: w_{t+1} = w_t − η g_t + μ (w_t − w_{t−1}). */
const heavyBall =
  (rate: number, momentum: number): Reference =>
  (start, gradients) => {
    let previous = start;
    return steps(start, gradients, (w, g) => {
      const next = w - rate * g + momentum * (w - previous);
      previous = w;
      return next;
    });
  };

/** Kingma and Ba (2015), algorithm 1, line by line; weight decay as in Loshchilov and Hutter (2019), algorithm 2. */
const adamOfThePaper =
  (alpha: number, beta1: number, beta2: number, epsilon: number, decay: number): Reference =>
  (start, gradients) => {
    let [m, v] = [0, 0];
    return steps(start, gradients, (w, g, t) => {
      m = beta1 * m + (1 - beta1) * g;
      v = beta2 * v + (1 - beta2) * g ** 2;
      const mHat = m / (1 - beta1 ** t);
      const vHat = v / (1 - beta2 ** t);
      return w - alpha * (mHat / (Math.sqrt(vHat) + epsilon) + decay * w);
    });
  };

/** Kingma and Ba (2015), algorithm 2. */
const adamaxOfThePaper =
  (alpha: number, beta1: number, beta2: number): Reference =>
  (start, gradients) => {
    let [m, u] = [0, 0];
    return steps(start, gradients, (w, g, t) => {
      m = beta1 * m + (1 - beta1) * g;
      u = Math.max(beta2 * u, Math.abs(g));
      return w - ((alpha / (1 - beta1 ** t)) * m) / u;
    });
  };

/** Runs an optimiser on several weights at once: the weights after each step. */
function run(
  optimiser: Optimiser,
  start: readonly number[],
  gradients: readonly (readonly number[])[],
  arrays: Arrays = ordinary,
): number[][] {
  const all = arrays(Array<number>(2 + optimiser.slots).fill(start.length));
  const [weights, gradient, ...state] = all as [Float32Array, Float32Array, ...Float32Array[]];
  weights.set(start);
  return gradients.map((values, i) => {
    gradient.set(values);
    update(optimiser, [weights, gradient, ...state], i + 1);
    return Array.from(weights);
  });
}

const pairs: readonly (readonly [string, Optimiser, Reference])[] = [
  ['sgd', sgd(0.1), heavyBall(0.1, 0)],
  ['sgd with momentum', sgd(0.1, { momentum: 0.9 }), heavyBall(0.1, 0.9)],
  ['adam', adam(0.1), adamOfThePaper(0.1, 0.9, 0.999, 1e-8, 0)],
  [
    'adam with other settings',
    adam(0.02, { beta1: 0.5, beta2: 0.9, epsilon: 1e-3 }),
    adamOfThePaper(0.02, 0.5, 0.9, 1e-3, 0),
  ],
  ['adamW', adamW(0.1), adamOfThePaper(0.1, 0.9, 0.999, 1e-8, 0.01)],
  [
    'adamW with other settings',
    adamW(0.1, { weightDecay: 0.5, beta2: 0.99 }),
    adamOfThePaper(0.1, 0.9, 0.99, 1e-8, 0.5),
  ],
  ['adamax', adamax(0.1), adamaxOfThePaper(0.1, 0.9, 0.999)],
  ['adamax with other settings', adamax(0.02, { beta1: 0.5, beta2: 0.9 }), adamaxOfThePaper(0.02, 0.5, 0.9)],
];

describe.each(pairs)('%s', (_, optimiser, reference) => {
  test.each(kinds)('follows the paper’s algorithm on %s', (_, arrays) => {
    const start = [1, -2, 0.5, 0, 3];
    const gradients = Array.from({ length: 30 }, (_, t) => read(createRng(t).normal([start.length])));
    const got = run(optimiser, start, gradients, arrays);
    // 30 steps, each with a handful of float32 roundings (6·10⁻⁸) of numbers of size up to about 10
    start.forEach((w, i) => {
      const expected = reference(
        w,
        gradients.map((g) => g[i]!),
      );
      expectClose(
        got.map((weights) => weights[i]!),
        expected,
        { absolute: 5e-5, relative: 1e-5 },
      );
    });
  });
});

test.each([sgd(0.1), sgd(0.1, { momentum: 0.9 }), adam(0.1), adamax(0.1)])(
  'finds the minimum of a quadratic: %o',
  (optimiser) => {
    // ½ Σ c (w − a)²: 2,000 steps are a hundred times what the slowest of them, 1 − 0.1 c a step, needs
    const [curvature, minimum] = [
      [1, 4],
      [3, -1],
    ];
    const weights = new Float32Array(2);
    const state = Array.from({ length: optimiser.slots }, () => new Float32Array(2));
    for (let t = 1; t <= 2000; t++)
      optimiser.update(
        weights,
        weights.map((w, i) => curvature[i]! * (w - minimum[i]!)),
        state,
        t,
      );
    expectClose(weights, minimum, { absolute: 0.01 });
  },
);

describe('the first step in closed form', () => {
  const first = (optimiser: Optimiser, w: number, g: number) => run(optimiser, [w], [[g]])[0]![0]!;

  test('sgd: −η g', () => {
    expect(first(sgd(0.5), 1, 4)).toBe(-1);
    expect(first(sgd(0.5, { momentum: 0.9 }), 1, 4)).toBe(-1);
  });

  test('adam and adamax: −η sign g, whatever the size of g', () => {
    for (const optimiser of [adam(0.25), adamax(0.25)])
      for (const g of [1e-3, 1, 1e3]) {
        expectClose([first(optimiser, 1, g)], [0.75], { absolute: 1e-5 });
        expectClose([first(optimiser, 1, -g)], [1.25], { absolute: 1e-5 });
      }
  });

  test('adamW: decay without a gradient', () => {
    expectClose([first(adamW(0.1, { weightDecay: 0.5 }), 2, 0)], [1.9], { relative: 1e-6 });
  });

  test('no gradient, no step', () => {
    for (const optimiser of [sgd(0.1, { momentum: 0.9 }), adam(0.1), adamax(0.1)])
      expect(first(optimiser, 2, 0)).toBe(2);
  });
});

test('a learning rate is a positive number', () => {
  for (const rate of [0, -1, NaN, Infinity])
    for (const [name, make] of Object.entries({ sgd, adam, adamW, adamax }))
      expect(() => make(rate)).toThrow(`${name}: learningRate must be a positive number, got ${rate}`);
});

describe.each(kinds)('the gradient’s norm on %s', (_, arrays) => {
  const norm = (values: readonly number[]) => {
    const gradient = arrays([values.length])[0]!;
    gradient.set(values);
    return gradientNorm(gradient);
  };

  test('is Euclid’s', () => {
    expect(norm([])).toBe(0);
    expect(norm([-2])).toBe(2);
    expect(norm([3, -4])).toBe(5);
    expect(norm([1, -2, 2, -4, 10, 0, 0, -10])).toBe(15);
    expect(norm(Array(49).fill(1))).toBe(7);
  });

  test('cannot overflow or lose small numbers', () => {
    const [huge, tiny] = [2 ** 127, 2 ** -149]; // next to the largest float32, and the smallest
    expect(norm(Array(9).fill(huge))).toBe(3 * huge);
    expect(norm(Array(9).fill(tiny))).toBe(3 * tiny);
  });

  test('is not finite when one number is not, wherever it stands', () => {
    for (const size of [1, 2, 3, 4, 5, 7, 8, 33])
      for (let at = 0; at < size; at++)
        for (const value of [NaN, Infinity, -Infinity]) {
          const values = Array.from({ length: size }, (_, i) => (i === at ? value : 1));
          expect(Number.isFinite(norm(values)), `${value} at ${at} of ${size}`).toBe(false);
        }
  });
});

describe.each(kinds)('clipping on %s', (_, arrays) => {
  const step = (optimiser: Optimiser, gradient: readonly number[]) =>
    run(optimiser, [0, 0, 1, 0, 0], [gradient], arrays)[0]!;
  const clipped = sgd(1, { clipNorm: 5 });

  test('leaves gradients up to the norm alone', () => {
    expect(step(clipped, [3, -4, 0, 0, 0])).toEqual([-3, 4, 1, 0, 0]); // ‖g‖ = 5
    expect(step(clipped, [1.5, 0, 0, 0, 2])).toEqual([-1.5, 0, 1, 0, -2]);
    expect(step(clipped, [0, 0, 0, 0, 0])).toEqual([0, 0, 1, 0, 0]);
  });

  test('shortens longer ones to it', () => {
    expect(step(clipped, [12, -16, 0, 0, 0])).toEqual([-3, 4, 1, 0, 0]);
    expectClose(step(clipped, [3.003, -4.004, 0, 0, 0]), [-3, 4, 1, 0, 0], { absolute: 1e-6 }); // two roundings of 4
  });

  test.each([
    (clipNorm?: number) => sgd(0.1, { momentum: 0.9, ...(clipNorm && { clipNorm }) }),
    (clipNorm?: number) => adam(0.1, { epsilon: 1, ...(clipNorm && { clipNorm }) }),
    (clipNorm?: number) => adamW(0.1, { epsilon: 1, ...(clipNorm && { clipNorm }) }),
    (clipNorm?: number) => adamax(0.1, { epsilon: 1, ...(clipNorm && { clipNorm }) }),
  ])('comes before everything else, in every optimiser', (make) => {
    const start = [1, 2];
    // norms 20, 5 and 40 against 5: factors ¼, 1 and ⅛, which are exact
    const long = run(
      make(5),
      start,
      [
        [12, 16],
        [3, -4],
        [-24, 32],
      ],
      arrays,
    );
    const short = run(
      make(),
      start,
      [
        [3, 4],
        [3, -4],
        [-3, 4],
      ],
      arrays,
    );
    expect(long).toEqual(short);
    expect(run(make(1e6), start, [[12, 16]], arrays)).toEqual(run(make(), start, [[12, 16]], arrays));
  });

  test('believes the norm it is given', () => {
    const [weights, gradient, v] = arrays([1, 1, 1]) as [Float32Array, Float32Array, Float32Array];
    gradient[0] = 1;
    update(clipped, [weights, gradient, v], 1, 10);
    expect(weights[0]).toBe(-0.5);
  });
});

test('clipNorm is a positive number', () => {
  for (const clipNorm of [0, -1, NaN, Infinity])
    for (const [name, make] of Object.entries({ sgd, adam, adamW, adamax }))
      expect(() => make(1, { clipNorm })).toThrow(`${name}: clipNorm must be a positive number, got ${clipNorm}`);
});

describe('schedules', () => {
  const values = (schedule: Schedule, steps: readonly number[]) => steps.map((step) => schedule(step));

  test('constant', () => {
    expect(values(schedules.constant(0.3), [1, 2, 1000])).toEqual([0.3, 0.3, 0.3]);
  });

  test('exponential: times the factor every so many steps', () => {
    const schedule = schedules.exponential(8, { factor: 0.5, every: 10 });
    expectClose(values(schedule, [1, 6, 11, 21, 101]), [8, 8 * Math.SQRT1_2, 4, 2, 8 / 1024], { relative: 1e-14 });
    expect(values(schedules.exponential(8, { factor: 1, every: 10 }), [1, 100])).toEqual([8, 8]);
  });

  test('cosine: a line up, half a wave down, then the last rate', () => {
    const schedule = schedules.cosine(4, { steps: 14, warmup: 4, last: 1 });
    expectClose(values(schedule, [1, 2, 3, 4]), [1, 2, 3, 4], { relative: 1e-14 });
    // 1 + 3/2 (1 + cos(π k / 10)): at a fifth, a half and all of the way
    const golden = (1 + Math.sqrt(5)) / 4; // cos(π / 5)
    expectClose(values(schedule, [6, 9, 14, 15, 1e6]), [2.5 + 1.5 * golden, 2.5, 1, 1, 1], { relative: 1e-14 });
  });

  test('cosine without warmup or last rate ends at 0', () => {
    const schedule = schedules.cosine(2, { steps: 3 });
    expectClose(values(schedule, [1, 2, 3, 4]), [1.5, 0.5, 0, 0], { absolute: 1e-15 });
  });

  test('never rise after the warmup, nor leave [last, rate]', () => {
    const schedule = schedules.cosine(1, { steps: 50, warmup: 7, last: 0.1 });
    const rates = values(
      schedule,
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
    expect(rates.slice(6)).toEqual(rates.slice(6).toSorted((a, b) => b - a));
    for (const rate of rates.slice(6)) expect(rate >= 0.1 && rate <= 1).toBe(true);
  });

  test('say what is wrong with their settings', () => {
    const { constant, exponential, cosine } = schedules;
    for (const rate of [0, -1, NaN, Infinity]) {
      expect(() => constant(rate)).toThrow(`schedules.constant: rate must be a positive number, got ${rate}`);
      expect(() => exponential(rate, { factor: 0.5, every: 1 })).toThrow('schedules.exponential: rate must be');
      expect(() => cosine(rate, { steps: 10 })).toThrow('schedules.cosine: rate must be');
    }
    expect(() => exponential(1, { factor: 2, every: 1 })).toThrow('factor must be in (0, 1], got 2');
    expect(() => exponential(1, { factor: 0.5, every: 0 })).toThrow('every must be at least 1 step, got 0');
    expect(() => cosine(1, { steps: 0 })).toThrow('steps must be at least 1, got 0');
    expect(() => cosine(1, { steps: 10, warmup: 10 })).toThrow('warmup must be in [0, 10), got 10');
    expect(() => cosine(1, { steps: 10, last: 2 })).toThrow('last must be in [0, 1], got 2');
  });
});

describe.each(kinds)('a schedule on %s', (_, arrays) => {
  const gradients = Array.from({ length: 5 }, (_, t) => read(createRng(t).normal([3])));

  test('gives each step its rate', () => {
    const rates = [0.5, 0.25, 0, 0.125];
    const ones = Array.from(rates, () => [1]);
    expect(
      run(
        sgd((step) => rates[step - 1]!),
        [0],
        ones,
        arrays,
      ),
    ).toEqual([[-0.5], [-0.75], [-0.75], [-0.875]]);
  });

  test('that is constant is the same as a number', () => {
    for (const make of [sgd, adam, adamW, adamax])
      expect(run(make(schedules.constant(0.1)), [1, 2, 3], gradients, arrays)).toEqual(
        run(make(0.1), [1, 2, 3], gradients, arrays),
      );
  });

  test('scales the decay of adamW too', () => {
    const [first, second] = run(
      adamW((step) => (step === 1 ? 0.1 : 0), { weightDecay: 0.5 }),
      [2],
      [[0], [0]],
      arrays,
    );
    expectClose(first!, [1.9], { relative: 1e-6 });
    expect(second).toEqual(first);
  });

  test('that gives no rate is refused, and no step is made', () => {
    for (const [name, make] of Object.entries({ sgd, adam, adamW, adamax }))
      for (const rate of [-1, NaN, Infinity]) {
        const optimiser = make((step) => (step === 2 ? rate : 0.1));
        const all = arrays(Array<number>(2 + optimiser.slots).fill(1));
        const [weights, gradient, ...state] = all as [Float32Array, Float32Array, ...Float32Array[]];
        gradient[0] = 1;
        update(optimiser, [weights, gradient, ...state], 1);
        const before = all.map((array) => array.slice());
        expect(() => update(optimiser, [weights, gradient, ...state], 2)).toThrow(
          `${name}: learningRate must be a number ≥ 0 at every step, got ${rate} at step 2`,
        );
        expect(all).toEqual(before);
      }
  });
});

describe.each(kinds)('the moving average on %s', (_, arrays) => {
  const averaged = (series: readonly (readonly number[])[], decay: number) => {
    const [average, values] = arrays(Array<number>(2).fill(series[0]!.length)) as [Float32Array, Float32Array];
    for (const now of series) {
      values.set(now);
      movingAverage(average, values, decay);
    }
    return Array.from(average, (a) => a / (1 - decay ** series.length));
  };

  test('weighs what was k steps ago by β^k', () => {
    const decay = 0.9;
    const series = Array.from({ length: 40 }, (_, t) => read(createRng(t).normal([5])));
    const shares = series.map((_, t) => decay ** (series.length - 1 - t));
    const total = shares.reduce((sum, share) => sum + share);
    const expected = series[0]!.map((_, i) => series.reduce((sum, now, t) => sum + (shares[t]! * now[i]!) / total, 0));
    // each step rounds three times, by 2⁻²⁴ of at most 4; the sum of what is left of that is below 12 · 2⁻²⁴ / (1 − β)
    expectClose(averaged(series, decay), expected, { absolute: (12 * 2 ** -24) / (1 - decay) });
  });

  test('is the value itself after one step, and for values that stay', () => {
    const value = [1, -3, 0, 1e-3, 7];
    for (const decay of [0.5, 0.99, 0.9999]) {
      expectClose(averaged([value], decay), value, { relative: 3 * 2 ** -24 });
      // a rounding of 2⁻²⁴ in each of three operations, kept for 1 / (1 − β) steps
      const relative = (3 * 2 ** -24) / (1 - decay);
      expectClose(averaged(Array<number[]>(300).fill(value), decay), value, { relative });
    }
  });
});
