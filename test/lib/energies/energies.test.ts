import * as tf from '@tensorflow/tfjs';
import {
  adjustedLangevin,
  binaryStates,
  contrast,
  createRng,
  evaluate,
  flip,
  langevin,
  logMeanWeight,
  noiseContrast,
  normalised,
  rbm,
  uniformBaseline,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { replay } from '../../../lib/energies/replay';
import { lawsOf } from '../../laws/laws';
import { specimenOf } from '../../laws/specimen';
import { expectClose, mean, read, standardError } from '../../helpers';

const machine = (scale = 1) =>
  rbm.create({ ...rbm.defaults, eventShape: [16], hidden: 12, scale, samplerSweeps: 20 }, createRng('machine'));
const sumOf = (model: ReturnType<typeof machine>): number => {
  const { likelihood } = model;
  return likelihood.kind === 'unnormalised' && likelihood.logZ ? read(likelihood.logZ())[0]! : NaN;
};

describe('annealing', () => {
  const model = machine();
  const truth = sumOf(model);

  test('covers the sum over all states within three of its standard errors, in 20 of 20 runs', () => {
    const runs = Array.from({ length: 20 }, (_, i) =>
      model.logPartition({ chains: 100, temperatures: 150, rng: createRng(`run ${i}`) }),
    );
    const off = runs.filter(({ logZ, error }) => Math.abs(logZ - truth) > 3 * error);
    expect(off).toEqual([]);
    const errors = runs.map(({ error }) => error);
    expect(Math.max(...errors)).toBeLessThan(0.2);
    // the errors are what the runs vary by
    const deviation = standardError(runs.map(({ logZ }) => logZ)) * Math.sqrt(20);
    expect(deviation / mean(errors)).toBeGreaterThan(0.5);
    expect(deviation / mean(errors)).toBeLessThan(2);
  });

  test('may begin with the means of data; weights are of Z whatever the path', () => {
    const like = tf.tidy(() => flip(tf.fill([50, 16], 1), createRng('like')));
    const { logZ, error, effective } = model.logPartition({ chains: 200, temperatures: 150, rng: createRng(1), like });
    expect(Math.abs(logZ - truth)).toBeLessThan(4 * error);
    expect(effective).toBeGreaterThan(20);
    expect(() => model.logPartition({ chains: 0, rng: createRng(1) })).toThrow('annealing: chains must be');
  });

  test('the mean of ln w is no estimate: it is below', () => {
    const { logWeights } = model.logPartition({ chains: 200, temperatures: 15, rng: createRng(2) });
    expect(mean(logWeights) + 5 * standardError(logWeights)).toBeLessThan(truth);
  });
});

test('ln of a mean weight, where the weights overflow, with the error of a mean', () => {
  const { logZ, error, effective } = logMeanWeight([1000 + Math.log(1), 1000 + Math.log(3)]);
  expectClose([logZ, error, effective], [1000 + Math.LN2, Math.SQRT2 / Math.SQRT2 / 2, 1.6], { relative: 1e-9 });
  expect(logMeanWeight([5]).error).toBe(Infinity);
});

describe('a model with its constant', () => {
  test('is exact by its own sum, and then obeys the laws of probabilities', async () => {
    const specimen = specimenOf(rbm);
    const exact = { ...specimen, create: (rng: Parameters<typeof specimen.create>[0]) => normalised(specimen.create(rng)) };
    const wanted = ['probabilities sum to 1', 'samples follow p', 'compiled log p is eager log p'];
    const laws = lawsOf(exact.create(createRng(1)), exact).filter(({ name }) => wanted.includes(name));
    expect(laws.length).toBe(wanted.length);
    for (const law of laws) await law.check(exact);
  }); // prettier-ignore

  test('is an estimate by a number from elsewhere', () => {
    const model = normalised(machine(), 20);
    const x = tf.zeros([2, 16]);
    const { kind, perExample } = evaluate(model, { x }, createRng(1));
    expect(kind).toBe('estimate');
    expectClose(perExample, read(machine().negEnergy(x)).map((v) => 20 - v), { absolute: 1e-4 }); // prettier-ignore
  });

  test('says what it cannot do', () => {
    expect(() => normalised(uniformBaseline([2], 2))).toThrow('got a likelihood that is exact');
    const large = rbm.create({ ...rbm.defaults, eventShape: [20], hidden: 20 }, createRng(1));
    expect(() => normalised(large)).toThrow('too large to be summed; give ln Z');
  });
});

test('states of binary units, each once, and never too many', () => {
  expect(binaryStates(3).arraySync()).toEqual([[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]]); // prettier-ignore
  const all = binaryStates(16);
  expect(read(all.sum(0))).toEqual(new Array(16).fill(2 ** 15));
  expect(() => binaryStates(17)).toThrow('expected 1 to 16 units, got 17');
});

test('steps that may be refused stay at p, where steps that may not are twice as wide', () => {
  const negEnergy = (x: tf.Tensor) => x.square().sum(1).mul(-0.5);
  const start = createRng('start').normal([4000, 1]);
  const run = { steps: 60, eta: 1.2, rng: createRng('chain') };
  const { x, taken } = adjustedLangevin(negEnergy)(start, run);
  const squares = read(x.square());
  expectClose([mean(squares)], [1], { absolute: 5 * standardError(squares) });
  const accepted = mean(read(taken));
  expect(accepted).toBeGreaterThan(0.3);
  expect(accepted).toBeLessThan(0.95);
  const plain = read(langevin((at) => at.neg())(start, run).square());
  expectClose([mean(plain)], [1 / (1 - 0.6)], { relative: 0.15 });
  expect(() => adjustedLangevin(negEnergy)(start, { ...run, eta: 0 })).toThrow('eta must be above 0');
});

test('a queue of chains moves the first ones to its end, and starts a share anew', () => {
  const { memory, next, after } = replay(tf.range(0, 6).expandDims(1), 0.5, 'test');
  const fresh = tf.fill([4, 1], -1);
  const taken = read(next(4, fresh, createRng(3)));
  taken.forEach((value, i) => expect([i, -1]).toContain(value));
  expect(read(after(tf.tensor2d([[10], [11], [12], [13]])))).toEqual([4, 5, 10, 11, 12, 13]);
  expect(read(memory.clone())).toEqual([0, 1, 2, 3, 4, 5]);
  const many = replay(tf.zeros([2000, 1]), 0.3, 'test');
  const share = mean(read(many.next(2000, tf.ones([2000, 1]), createRng(1))));
  expectClose([share], [0.3], { absolute: 5 * Math.sqrt(0.21 / 2000) });
  expect(() => next(7, fresh, createRng(1))).toThrow('a batch of 7 needs as many chains, got 6');
  expect(() => replay(tf.zeros([2, 1]), 2, 'test')).toThrow('restart must be from 0 to 1');
});

describe('losses', () => {
  test('a contrast is samples less data', () => {
    expectClose(read(contrast(tf.tensor1d([1, 3]), tf.tensor1d([5, 6, 7]))), [4], { absolute: 1e-6 });
  });

  test('noise contrast is smallest at ln p − ln q, whatever ν is, and its ln Z with it', () => {
    // data N(0, 1) and noise N(0, 2²), on their quantiles, so that nothing is drawn
    const grid = tf.linspace(-8, 8, 4001);
    const weighted = (scale: number) => tf.tidy(() => {
      const p = grid.div(scale).square().mul(-0.5).exp();
      return p.div(p.sum());
    }); // prettier-ignore
    const logit = tf.tidy(() =>
      grid
        .square()
        .mul(-0.5 + 0.125)
        .add(Math.LN2),
    );
    const loss = (shift: number, ratio: number) =>
      tf.tidy(() => {
        const g = logit.add(shift);
        const real = g.neg().add(Math.log(ratio)).softplus().mul(weighted(1)).sum();
        return read(real.add(g.sub(Math.log(ratio)).softplus().mul(weighted(2)).sum().mul(ratio)))[0]!;
      });
    for (const ratio of [1, 5]) {
      expect(loss(0, ratio)).toBeLessThan(loss(0.1, ratio));
      expect(loss(0, ratio)).toBeLessThan(loss(-0.1, ratio));
    }
    const [data, draws] = [tf.tensor1d([0.5, -1]), tf.tensor1d([1, 2, -3, 0.3])];
    const softplus = (v: number) => Math.log1p(Math.exp(v));
    const byHand = (softplus(-0.5 + Math.LN2) + softplus(1 + Math.LN2)) / 2 + [1, 2, -3, 0.3].reduce((sum, v) => sum + softplus(v - Math.LN2), 0) / 2; // prettier-ignore
    expectClose(read(noiseContrast(data, draws)), [byHand], { relative: 1e-5 });
  });
});
