import * as tf from '@tensorflow/tfjs';
import {
  categorical as draw,
  createRng,
  klCategorical,
  klNormal,
  logBernoulli,
  logCategorical,
  logInterval,
  logLattice,
  logLogistic,
  logNormal,
  oneHotValues,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import {
  enumerate,
  expectClose,
  midpoints,
  logSumExp,
  mean,
  numericalGradient,
  read,
  standardError,
  tensorsLeft,
} from '../../helpers';

// The second implementation: one example at a time, in float64, from the textbook formulas.
const normal = (x: readonly number[], mu: readonly number[], logVar: readonly number[]) =>
  x.reduce((sum, value, d) => {
    const sigma = Math.exp(logVar[d]! / 2);
    return sum + Math.log(Math.exp(-(((value - mu[d]!) / sigma) ** 2) / 2) / (sigma * Math.sqrt(2 * Math.PI)));
  }, 0);
const bernoulli = (x: readonly number[], logits: readonly number[]) =>
  x.reduce((sum, value, d) => {
    const p = 1 / (1 + Math.exp(-logits[d]!));
    return sum + Math.log(value === 1 ? p : 1 - p);
  }, 0);
const logSoftmax = (logits: readonly number[]) => logits.map((l) => l - logSumExp(logits));
const categorical = (x: readonly number[], logits: readonly (readonly number[])[]) =>
  x.reduce((sum, value, d) => sum + logSoftmax(logits[d]!)[value]!, 0);
const klOfNormals = (m: number, v: number, mP: number, vP: number) =>
  Math.log(Math.sqrt(Math.exp(vP) / Math.exp(v))) + (Math.exp(v) + (m - mP) ** 2) / (2 * Math.exp(vP)) - 0.5;
const klOfCategoricals = (a: readonly number[], b: readonly number[]) =>
  logSoftmax(a).reduce((sum, logP, v) => sum + Math.exp(logP) * (logP - logSoftmax(b)[v]!), 0);

const float32 = { absolute: 2e-6, relative: 2e-6 }; // some thirty roundings of 6·10⁻⁸, on sums of a few terms

const mu = [0.5, -1];
const logVar = [-1, 0.7];
const coins = [0.3, -2, 40];
const dice = [
  [0.1, 1, -2],
  [3, 0, 0],
];

describe('logNormal', () => {
  const xs = [
    [0, 0],
    [0.5, -1],
    [4, -7],
  ];

  test('is the density of the textbook, one number per example', () => {
    const got = logNormal(tf.tensor2d(xs), tf.tensor1d(mu), tf.tensor1d(logVar));
    expectClose(
      read(got),
      xs.map((x) => normal(x, mu, logVar)),
      float32,
    );
  });

  test('takes parameters per example, and any event shape', () => {
    const got = logNormal(tf.tensor3d(xs.flat(), [3, 1, 2]), tf.tensor3d(xs.flat(), [3, 1, 2]), tf.scalar(0));
    expectClose(
      read(got),
      [0, 0, 0].map(() => -Math.log(2 * Math.PI)),
      float32,
    );
  });

  test('integrates to 1', () => {
    // midpoint rule on ± 8 σ: what is outside weighs 10⁻¹⁵, and the rule is exact to rounding for a Gaussian
    const { points, cell } = midpoints(-12, 12, 120, 2);
    const logP = read(logNormal(tf.tensor2d(points), tf.tensor1d(mu), tf.tensor1d(logVar)));
    expect(logP.reduce((sum, value) => sum + Math.exp(value), 0) * cell).toBeCloseTo(1, 5);
  });

  test('has the gradient of the formula', () => {
    const f = (theta: readonly number[]) => normal(xs[2]!, theta.slice(0, 2), theta.slice(2));
    const gradient = tf.grad((theta: tf.Tensor) => {
      const [m, v] = tf.split(theta, 2) as [tf.Tensor, tf.Tensor];
      return logNormal(tf.tensor2d([xs[2]!]), m, v).sum();
    })(tf.tensor1d([...mu, ...logVar]));
    expectClose(read(gradient), numericalGradient(f, [...mu, ...logVar]), { absolute: 1e-5, relative: 1e-5 });
  });
});

describe('logBernoulli', () => {
  const world = enumerate([0, 1], 3);
  const logP = () => read(logBernoulli(tf.tensor2d(world), tf.tensor1d(coins)));

  test('is the probability of the textbook, also for a nearly certain coin', () => {
    world.forEach((x, i) => {
      if (x[2] === 1) expectClose([logP()[i]!], [bernoulli(x, coins)], float32);
      else expectClose([logP()[i]!], [bernoulli(x.slice(0, 2), coins) - 40], float32); // 1 − p = e⁻⁴⁰ underflows above
    });
  });

  test('sums to 1', () => {
    expect(Math.exp(logSumExp(logP()))).toBeCloseTo(1, 5);
  });

  test('gives −∞ off the lattice: a grey pixel has no probability', () => {
    for (const value of [0.5, 2, -1])
      expect(read(logBernoulli(tf.tensor2d([[0, 1, value]]), tf.tensor1d(coins)))).toEqual([-Infinity]);
  });

  test('takes an x that depends on the weights, as score-function estimators do', () => {
    const gradient = tf.grad((l: tf.Tensor) => logBernoulli(l.step(), l).sum())(tf.tensor2d([coins]));
    expectClose(
      read(gradient),
      coins.map((l) => Number(l > 0) - 1 / (1 + Math.exp(-l))),
      float32,
    );
  });

  test('has gradient x − p', () => {
    const gradient = tf.grad((l: tf.Tensor) => logBernoulli(tf.tensor2d([[0, 1, 0]]), l).sum())(tf.tensor1d(coins));
    const p = coins.map((l) => 1 / (1 + Math.exp(-l)));
    expectClose(read(gradient), [-p[0]!, 1 - p[1]!, -p[2]!], float32);
  });
});

describe('logCategorical', () => {
  const world = enumerate([0, 1, 2], 2);
  const logits = tf.tensor2d(dice);

  test('is the probability of the textbook, and sums to 1', () => {
    const logP = read(logCategorical(tf.tensor2d(world), logits));
    expectClose(
      logP,
      world.map((x) => categorical(x, dice)),
      float32,
    );
    expect(Math.exp(logSumExp(logP))).toBeCloseTo(1, 5);
  });

  test('takes logits per example', () => {
    const got = logCategorical(
      tf.tensor2d([
        [0, 1],
        [0, 1],
      ]),
      tf.tensor3d([dice, dice.toReversed()]),
    );
    expectClose(read(got), [categorical([0, 1], dice), categorical([0, 1], dice.toReversed())], float32);
  });

  test('gives −∞, never NaN, for a value that cannot be', () => {
    for (const value of [0.5, 3, -1, 1e9, Infinity])
      expect(read(logCategorical(tf.tensor2d([[0, value]]), logits))).toEqual([-Infinity]);
  });

  test('a logit of −∞ forbids its value and no other', () => {
    const forbidding = tf.tensor2d([[0, 0, -Infinity]]);
    expectClose(read(logCategorical(tf.tensor2d([[0], [2]]), forbidding)), [-Math.LN2, -Infinity], float32);
    const gradient = tf.grad((l: tf.Tensor) => logCategorical(tf.tensor2d([[0]]), l).sum())(forbidding);
    expectClose(read(gradient), [0.5, -0.5, 0], float32);
  });

  test('has the gradient of the formula', () => {
    const x = [2, 0];
    const f = (flat: readonly number[]) => categorical(x, [flat.slice(0, 3), flat.slice(3)]);
    const gradient = tf.grad((l: tf.Tensor) => logCategorical(tf.tensor2d([x]), l).sum())(logits);
    expectClose(read(gradient), numericalGradient(f, dice.flat()), { absolute: 1e-5, relative: 1e-5 });
  });
});

test('oneHotValues marks the value', () => {
  const marks = oneHotValues(
    tf.tensor2d([
      [0, 2],
      [1, 1],
    ]),
    3,
  );
  expect(marks.shape).toEqual([2, 2, 3]);
  expect(read(marks)).toEqual([1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0]);
});

test('logLattice looks at every coordinate', () => {
  const x = tf.tensor3d([0, 1, 2, 3, 0, 1, 2, 4, 0, 1, 2, 2.5, -1, 1, 2, 3], [4, 2, 2]);
  expect(read(logLattice(x, 4))).toEqual([0, -Infinity, -Infinity, -Infinity]);
});

test('logLattice leaves no tensor but its result', async () => {
  const x = tf.zeros([2, 3]);
  expect(await tensorsLeft(() => logLattice(x, 4).dispose())).toBe(0);
});

describe('klNormal', () => {
  const [m, v, mP, vP] = [
    [0.5, -1],
    [-1, 0.7],
    [0, 2],
    [0.3, -0.5],
  ] as const;
  const exact = klOfNormals(m[0], v[0], mP[0], vP[0]) + klOfNormals(m[1], v[1], mP[1], vP[1]);
  const kl = (...parts: readonly (readonly number[])[]) =>
    read(klNormal(...(parts.map((part) => tf.tensor2d([[...part]])) as [tf.Tensor2D, tf.Tensor2D])))[0]!;

  test('is the closed form, against a given Gaussian and against the standard one', () => {
    expectClose([kl(m, v, mP, vP)], [exact], float32);
    expectClose([kl(m, v)], [klOfNormals(m[0], v[0], 0, 0) + klOfNormals(m[1], v[1], 0, 0)], float32);
  });

  test('is 0 from a Gaussian to itself, and positive to any other', () => {
    expect(Math.abs(kl(m, v, m, v))).toBeLessThan(1e-6);
    for (let seed = 0; seed < 20; seed++) {
      const draws = read(createRng(seed).normal([8]));
      expect(kl(draws.slice(0, 2), draws.slice(2, 4), draws.slice(4, 6), draws.slice(6))).toBeGreaterThan(0);
    }
  });

  test('equals E_q [ln q − ln p] by Monte Carlo', () => {
    // five standard errors of 20,000 draws: false alarm 6·10⁻⁷
    const terms = tf.tidy(() => {
      const [tm, tv, tmP, tvP] = [m, v, mP, vP].map((part) => tf.tensor1d([...part])) as tf.Tensor[];
      const x = createRng(21).normal([20_000, 2]).mul(tv!.mul(0.5).exp()).add(tm!);
      return Array.from(
        logNormal(x, tm!, tv!)
          .sub(logNormal(x, tmP!, tvP!))
          .dataSync(),
      );
    });
    expect(Math.abs(mean(terms) - exact)).toBeLessThan(5 * standardError(terms));
  });

  test('leaves no tensor but its result', async () => {
    const [tm, tv] = [tf.zeros([2, 2]), tf.zeros([2, 2])];
    expect(await tensorsLeft(() => klNormal(tm, tv).dispose())).toBe(0);
  });
});

describe('klCategorical', () => {
  const [a, b] = [
    [0.1, 1, -2],
    [3, 0, 0],
  ] as const;

  test('is the closed form, summed over the other axes', () => {
    const got = klCategorical(tf.tensor3d([[[...a], [...b]]]), tf.tensor3d([[[...b], [...a]]]));
    expectClose(read(got), [klOfCategoricals(a, b) + klOfCategoricals(b, a)], float32);
  });

  test('is 0 from a distribution to itself, and positive to any other', () => {
    const same = tf.tensor2d([[...a]]);
    expect(Math.abs(read(klCategorical(same, same))[0]!)).toBeLessThan(1e-6);
    const others = tf.tidy(() => klCategorical(createRng(1).normal([50, 4]), createRng(2).normal([50, 4])));
    expect(read(others).every((kl) => kl > 0)).toBe(true);
  });

  test('equals E_q [ln q − ln p] by Monte Carlo', () => {
    // five standard errors of 20,000 draws: false alarm 6·10⁻⁷
    const [q, p] = [a, b].map((logits) => tf.logSoftmax(tf.tensor1d([...logits]))) as [tf.Tensor, tf.Tensor];
    const drawn = draw(tf.tile(q.expandDims(0), [20_000, 1]), createRng(22)) as tf.Tensor1D;
    const terms = read(tf.gather(q.sub(p), drawn));
    const [exact] = read(klCategorical(tf.tensor2d([[...a]]), tf.tensor2d([[...b]])));
    expect(Math.abs(mean(terms) - exact!)).toBeLessThan(5 * standardError(terms));
  });

  test('stays finite where a probability underflows', () => {
    expectClose(read(klCategorical(tf.tensor2d([[0, -300]]), tf.tensor2d([[0, 0]]))), [Math.LN2], float32);
  });
});

describe('logLogistic', () => {
  test('is the slope of the sigmoid, for each coordinate', () => {
    const x = [[-30, 0.5], [0, 2], [4, -90]]; // prettier-ignore
    const [mu, scale] = [[1, -0.5], [0.5, 2]] as const; // prettier-ignore
    const expected = x.map((row) =>
      row.reduce((sum, value, d) => {
        const y = Math.abs((value - mu[d]!) / scale[d]!); // the density is even
        return sum - y - 2 * Math.log1p(Math.exp(-y)) - Math.log(scale[d]!);
      }, 0),
    );
    expectClose(read(logLogistic(tf.tensor2d(x), tf.tensor1d([...mu]), tf.tensor1d(scale.map(Math.log)))), expected, float32); // prettier-ignore
  });
});

test('logInterval is 0 inside, ends included, and −∞ where any coordinate is outside', () => {
  const x = tf.tensor2d([[0, 2], [1, 1.5], [-0.1, 1], [1, 2.1]]); // prettier-ignore
  expect(read(logInterval(x, 0, 2))).toEqual([0, 0, -Infinity, -Infinity]);
});
