import * as tf from '@tensorflow/tfjs';
import {
  adam,
  createRng,
  criticNetwork,
  games,
  gradientPenalty,
  interpolates,
  optimalCritic,
  spectralNorm,
  squaredSlope,
  wasserstein1d,
  zeroCentred,
  type Critic,
  type GameName,
  type Network,
  type Rng,
} from 'dgm';
import { compiled } from 'dgm/engine';
import { describe, expect, test } from 'vitest';
import { createSteppers } from '../../../lib/engine/step/step';
import { expectClose, mean, numericalGradient, read } from '../../helpers';

const swish = (x: tf.Tensor) => x.mul(x.sigmoid());
const small = (over: Partial<Parameters<typeof criticNetwork>[2]> = {}, sizes = [2, 7, 1]) =>
  criticNetwork(sizes, createRng('critic'), { activation: swish, spectral: false, lastBias: true, ...over });
const oneNumber = (network: Network): Critic => (x) => network.apply(x).squeeze([1]); // prettier-ignore
const softplus = (v: number) => Math.log1p(Math.exp(v));
const tensor = (values: readonly number[]) => tf.tensor1d([...values]);
const critics = (name: GameName, r: readonly number[], f: readonly number[]) =>
  read(games[name].critic(tensor(r), tensor(f)))[0]!;
const generators = (name: GameName, r: readonly number[], f: readonly number[]) =>
  read(games[name].generator(tensor(r), tensor(f)))[0]!;

describe('games', () => {
  const [r, f] = [
    [0.3, -1.2, 4],
    [1.1, -0.4, -2],
  ];

  test('are what their definitions say, by D = σ(number)', () => {
    const D = (v: number) => 1 / (1 + Math.exp(-v));
    const told = -mean(r.map((v) => Math.log(D(v)))) - mean(f.map((v) => Math.log(1 - D(v))));
    for (const name of ['saturating', 'non-saturating'] as const)
      expectClose([critics(name, r, f)], [told], { absolute: 1e-6 });
    expectClose([generators('saturating', r, f)], [mean(f.map((v) => Math.log(1 - D(v))))], { absolute: 1e-6 });
    expectClose([generators('non-saturating', r, f)], [-mean(f.map((v) => Math.log(D(v))))], { absolute: 1e-6 });
    expectClose([critics('wasserstein', r, f)], [mean(f) - mean(r)], { absolute: 1e-6 });
    expectClose([generators('wasserstein', r, f)], [-mean(f)], { absolute: 1e-6 });
    expectClose([critics('relativistic', r, f)], [mean(f.map((v, i) => softplus(v - r[i]!)))], { absolute: 1e-6 });
    expectClose([generators('relativistic', r, f)], [mean(f.map((v, i) => softplus(r[i]! - v)))], { absolute: 1e-6 });
  });

  test('those that see differences alone say so: a number added to all changes nothing in them, and something elsewhere', () => {
    for (const name of Object.keys(games) as GameName[]) {
      const shifted = critics(name, r.map((v) => v + 0.7), f.map((v) => v + 0.7)); // prettier-ignore
      expect(Math.abs(shifted - critics(name, r, f)) < 1e-5).toBe(games[name].relative);
    }
  });

  test('are finite, and have slopes, where σ rounds to 0 or 1', () => {
    for (const name of Object.keys(games) as GameName[]) {
      expect(Number.isFinite(critics(name, [-200], [200]))).toBe(true);
      const slope = read(tf.grad((v) => games[name].generator(tensor([200]), v))(tensor([-200])))[0]!;
      expectClose([slope], [name === 'saturating' ? 0 : -1], { absolute: 1e-6 });
    }
  });
});

describe('the optimum on a world of six values', () => {
  const p = [0.4, 0.25, 0.15, 0.1, 0.07, 0.03];
  const q = [0.05, 0.15, 0.3, 0.2, 0.2, 0.1];
  /** E under p of the data's part, and under q of the samples', instead of samples. */
  const objective = (name: GameName, numbers: tf.Tensor, fake: readonly number[]) => {
    const each = (weights: readonly number[], f: (v: tf.Tensor) => tf.Tensor) => f(numbers).mul(tensor(weights)).sum(); // prettier-ignore
    if (games[name].relative) throw new Error('only where data and samples count one by one');
    return each(p, (v) => v.neg().softplus()).add(each(fake, (v) => v.softplus()));
  };
  async function bestCritic(fake: readonly number[]): Promise<{ D: number[]; value: number }> {
    const numbers = tf.variable(tf.zeros([6]));
    const loss = () => tf.tidy(() => objective('saturating', numbers, fake));
    const critic = { name: 'critic', estimates: 'other' as const, variables: [numbers], loss };
    const steppers = createSteppers(
      [critic],
      adam((step) => 0.1 * 0.995 ** step),
    );
    for (let i = 0; i < 1200; i++) await steppers.each[0]!.step({ x: tf.zeros([1, 1]) }, createRng(i), 'here');
    steppers.write();
    await steppers.dispose();
    return { D: read(numbers.sigmoid()), value: -read(loss())[0]! };
  }

  test('a critic that is trained ends at p / (p + q), within 0.01, and at 2 JSD − ln 4', async () => {
    const { D, value } = await bestCritic(q);
    const best = p.map((v, i) => v / (v + q[i]!));
    expectClose(D, best, { absolute: 0.01 });
    const logs = optimalCritic(tensor(p).log(), tensor(q).log());
    expectClose(read(logs.sigmoid()), best, { absolute: 1e-6 });
    const half = (a: readonly number[], b: readonly number[]) =>
      a.reduce((sum, v, i) => sum + 0.5 * v * Math.log((2 * v) / (v + b[i]!)), 0);
    expectClose([value], [2 * (half(p, q) + half(q, p)) - Math.log(4)], { absolute: 1e-3 });
  }, 60_000);

  test('where samples are as data it is ½ everywhere, and the value −ln 4', async () => {
    const { D, value } = await bestCritic(p);
    expectClose(D, p.map(() => 0.5), { absolute: 0.01 }); // prettier-ignore
    expectClose([value], [-Math.log(4)], { absolute: 1e-4 });
  }, 60_000);
});

describe('penalties', () => {
  const network = small();
  const critic = oneNumber(network);
  const value = (x: readonly number[]) => read(critic(tf.tensor2d([...x], [1, 2])))[0]!;
  const slopeAt = (x: readonly number[]) => numericalGradient(value, x, 1e-2);
  const length = (x: readonly number[]) => Math.hypot(...slopeAt(x));
  const real = createRng('real').normal([5, 2]);
  const fake = createRng('fake').normal([5, 2]).add(1);
  const rows = (x: tf.Tensor) => x.arraySync() as number[][];

  test('the slope is that of finite differences, example by example', () => {
    expectClose(read(squaredSlope(critic, real)), rows(real).map((x) => length(x) ** 2), { relative: 0.01, absolute: 1e-4 }); // prettier-ignore
    expectClose(read(zeroCentred(critic, real)), [mean(rows(real).map((x) => length(x) ** 2))], { relative: 0.01 });
  });

  test('the penalty is at points between data and samples, one place a pair', () => {
    const u = read(createRng('places').uniform([5, 1]));
    const between = rows(real).map((x, n) => x.map((v, d) => rows(fake)[n]![d]! + u[n]! * (v - rows(fake)[n]![d]!)));
    const wanted = mean(between.map((x) => (length(x) - 1) ** 2));
    expectClose(read(gradientPenalty(critic, real, fake, createRng('places'))), [wanted], { relative: 0.01 });
    const ends = mean(rows(real).map((x) => (length(x) - 1) ** 2));
    expect(Math.abs(ends - wanted)).toBeGreaterThan(0.05 * wanted); // at data it would be another number
    expectClose(read(interpolates(real, fake, tf.ones([5, 1]))), read(real.clone()), { absolute: 1e-6 });
  });

  test('their slope by the weights is that of finite differences, compiled as well', () => {
    const [w] = network.variables as [tf.Variable];
    const penalty = () => tf.tidy(() => gradientPenalty(critic, real, fake, createRng('places')));
    const analytic = read(tf.variableGrads(penalty as () => tf.Scalar, [w]).grads[w.name]!);
    const start = read(w.clone());
    const at = (values: readonly number[]) => {
      w.assign(tf.tensor([...values], w.shape));
      return read(penalty())[0]!;
    };
    const numeric = numericalGradient(at, start, 1e-2);
    w.assign(tf.tensor(start, w.shape));
    expectClose(analytic, numeric, { relative: 0.03, absolute: 3e-3 });
    const run = compiled(([a, b]) => [gradientPenalty(critic, a!, b!, createRng('unused'))]);
    expectClose(read(run([real, fake], createRng('fixed'))[0]!), [read(penalty())[0]!], { relative: 0.5 });
    expect(run.engine()).toMatch(/^compiled/);
  });

  test('of samples the critic takes no slope back to whoever made them', () => {
    for (const penalty of [zeroCentred, (c: Critic, x: tf.Tensor) => gradientPenalty(c, x, fake, createRng('places'))])
      expect(() => tf.grad((x) => penalty(critic, x))(real)).toThrow('Cannot compute gradient'); // nothing leads back
  });
});

describe('spectral norm', () => {
  /** The largest singular value by Jacobi's rotations of W'W: another way than powers. */
  function byRotations(w: readonly (readonly number[])[]): number {
    const n = w[0]!.length;
    const a = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => w.reduce((s, row) => s + row[i]! * row[j]!, 0))); // prettier-ignore
    for (let sweep = 0; sweep < 60; sweep++)
      for (let p = 0; p < n; p++)
        for (let q = p + 1; q < n; q++) {
          if (Math.abs(a[p]![q]!) < 1e-14) continue;
          const angle = 0.5 * Math.atan2(2 * a[p]![q]!, a[q]![q]! - a[p]![p]!);
          const [c, s] = [Math.cos(angle), Math.sin(angle)];
          for (let k = 0; k < n; k++) [a[k]![p], a[k]![q]] = [c * a[k]![p]! - s * a[k]![q]!, s * a[k]![p]! + c * a[k]![q]!]; // prettier-ignore
          for (let k = 0; k < n; k++) [a[p]![k], a[q]![k]] = [c * a[p]![k]! - s * a[q]![k]!, s * a[p]![k]! + c * a[q]![k]!]; // prettier-ignore
        }
    return Math.sqrt(Math.max(...a.map((row, i) => row[i]!)));
  }

  test.each([[3, 5], [5, 3], [1, 4], [4, 1], [24, 24]])('of a %d × %d matrix is its largest singular value', (rows, columns) => {
    for (let seed = 0; seed < 4; seed++) {
      const w = createRng(seed).normal([rows, columns]);
      expectClose(read(spectralNorm(w)), [byRotations(w.arraySync() as number[][])], { relative: 2e-3 });
    }
  }); // prettier-ignore

  test('of a diagonal it is the largest entry, whatever its size, and of equal ones that', () => {
    for (const [scale, diagonal] of [
      [1e-6, [1, 3, 2]],
      [1e6, [1, 3, 2]],
      [1, [3, 3, 3]],
    ] as const)
      // prettier-ignore
      expectClose(read(spectralNorm(tf.diag(tensor(diagonal)).mul(scale))), [3 * scale], { relative: 1e-4 });
  });

  test('its slope is that of finite differences', () => {
    const w = read(createRng('slope').normal([12]));
    const of = (values: readonly number[]) => read(spectralNorm(tf.tensor2d([...values], [3, 4])))[0]!;
    const analytic = read(tf.grad((v) => spectralNorm(v.as2D(3, 4)))(tensor(w)));
    expectClose(analytic, numericalGradient(of, w, 1e-2), { absolute: 5e-3 });
  });

  test('a network of such layers brings no two points farther apart', () => {
    const activation = (x: tf.Tensor) => tf.leakyRelu(x, 0.2);
    const network = small({ spectral: true, activation }, [3, 16, 16, 1]);
    network.variables.forEach((variable) => variable.assign(variable.mul(30)));
    const [a, b] = [createRng('a').normal([400, 3]), createRng('b').normal([400, 3])];
    const apart = read(network.apply(a).sub(network.apply(b)).abs().squeeze([1]));
    const before = read(a.sub(b).square().sum(1).sqrt());
    const ratios = apart.map((v, n) => v / before[n]!);
    expect(Math.max(...ratios)).toBeLessThan(1.001);
    expect(Math.max(...ratios)).toBeGreaterThan(0.02); // and is no constant
    const loose = small({ activation }, [3, 16, 16, 1]);
    loose.variables.forEach((variable) => variable.assign(variable.mul(30)));
    expect(Math.max(...read(loose.apply(a).sub(loose.apply(b)).abs()))).toBeGreaterThan(100);
  });
});

test('a critic under the penalty finds W₁ within 5 % of sorting, in one dimension', async () => {
  const [N, from] = [512, createRng('w1')];
  const real = tf.tidy(() => from.fork('real').normal([N, 1]).mul(0.5).add(1.5));
  const fake = tf.tidy(() => from.fork('fake').normal([N, 1]));
  const exact = wasserstein1d(real.dataSync(), fake.dataSync());
  const network = small({ lastBias: false }, [1, 32, 32, 1]);
  const critic = oneNumber(network);
  const steps = async (lambda: number, count: number) => {
    const loss = (_: unknown, rng: Rng) =>
      tf.tidy(() => {
        const own = games.wasserstein.critic(critic(real), critic(fake));
        return own.add(gradientPenalty(critic, real, fake, rng).mul(lambda));
      });
    const objective = { name: 'critic', estimates: 'other' as const, variables: network.variables, loss };
    const steppers = createSteppers(
      [objective],
      adam((step) => 0.01 * (1 - step / (count + 1))),
    );
    for (let i = 0; i < count; i++) await steppers.each[0]!.step({ x: tf.zeros([1, 1]) }, createRng(i), 'here');
    steppers.write();
    await steppers.dispose();
  };
  await steps(0, 30); // which way is up: under the penalty a slope of −1 is as good as one of 1 to it
  await steps(40, 300); // the slope that pays is 1 + W₁ / 2λ
  const estimate = -read(games.wasserstein.critic(critic(real), critic(fake)))[0]!;
  expect(Math.abs(estimate / exact - 1)).toBeLessThan(0.05);
}, 120_000);
