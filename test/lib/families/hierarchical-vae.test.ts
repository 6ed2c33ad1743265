import * as tf from '@tensorflow/tfjs';
import {
  createRng,
  hierarchicalVae,
  type HierarchicalModel,
  type HierarchicalVaeConfig,
  klResidual,
  logNormal,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { laws, lawsOf } from '../../laws/laws';
import { lively, specimenOf } from '../../laws/specimen';
import { expectClose, mean, read, standardError } from '../../helpers';

const tiny = hierarchicalVae.tiny.config;

/** A tiny member with another option, under the same truth. */
const specimen = (config: Partial<HierarchicalVaeConfig>) =>
  specimenOf({ ...hierarchicalVae, tiny: { ...hierarchicalVae.tiny, config: { ...tiny, ...config } } });

const modelOf = (config: Partial<HierarchicalVaeConfig> = {}, seed = 'lively') =>
  lively(specimen(config), seed) as HierarchicalModel;

const few = () => tf.tensor2d([[0, 1, 2, 0], [2, 2, 0, 1], [1, 0, 0, 0], [2, 1, 1, 2]]); // prettier-ignore

const one = { side: 1, channels: 1 };

describe.each([
  ['three levels', specimen({ levels: [one, one, one], values: 2 }), [0, 1]],
  ['inference upwards', specimen({ inference: 'bottom-up' }), [0, 1, 2]],
  ['inference upwards, and a decoder that sees the lowest level alone', specimen({ inference: 'bottom-up', skip: false }), [0, 1, 2]],
  ['free bits', specimen({ freeBits: 0.5 }), [0, 1, 2]],
  ['one level', specimen({ levels: [one] }), [0, 1, 2]],
] as const)('with %s', (title, own, values) => {
  const world = { ...own, support: { kind: 'discrete', values } as const };
  const model = world.create(createRng(1));
  const names = ['shapes and finiteness', 'bound ≤ importance bound ≤ log p', 'compiled log p is eager log p', 'a step of an objective moves every variable it lists, and no other', 'the gradient of the loss is its slope', 'a loss that estimates a bound is not below the mean of −log p', 'compiled training is eager training'];
  // three levels of weights as wild as a law's bend the loss so much that its step of 0.01 finds another slope
  const [steep, bent] = ['the gradient of the loss is its slope', 'three levels'];
  const applying = lawsOf(model, world).filter(({ name }) => names.includes(name) && !(title === bent && name === steep));
  test.each(applying.map((law) => [law.name, law] as const))('%s', (__, law) => law.check(world));
  test('those laws are there', () =>
    expect(names.filter((name) => !laws.some((law) => law.name === name))).toEqual([]));
}); // prettier-ignore

describe('the bound', () => {
  test.each([
    ['downwards', {}],
    ['upwards', { inference: 'bottom-up' }],
    ['over maps', { levels: [{ side: 1, channels: 3 }, { side: 2, channels: 2 }] }],
  ] as const)('is the same by its KLs and by its weights, on average: %s', (_, config) => {
    const model = modelOf(config);
    const x = few();
    const draws = Array.from({ length: 300 }, (__, i) => {
      const { reconstruction, kl, logWeight } = model.terms(x, createRng(i));
      return read(reconstruction.sub(kl).sub(logWeight).mean())[0]!;
    });
    expectClose([mean(draws)], [0], { absolute: 5 * standardError(draws) });
  }); // prettier-ignore

  test('counts each level at λ at least, by its mean over the batch', () => {
    const x = few();
    for (const lambda of [0, 0.3, 50]) {
      const model = modelOf({ freeBits: lambda });
      const { reconstruction, klByLevel, kl } = model.terms(x, createRng('loss'));
      const cost = read(klByLevel.mean(0)).reduce((sum, value) => sum + Math.max(value, lambda), 0);
      const loss = read(model.objectives[0]!.loss({ x }, createRng('loss')))[0]!;
      expectClose([loss], [cost - mean(read(reconstruction))], { absolute: 1e-4, relative: 1e-5 });
      expectClose(read(klByLevel.sum(1)), read(kl), { absolute: 1e-5 });
    }
  });
});

test('the KL of a residual posterior is that of the two Gaussians', () => {
  const [mu, logVar, shift, logScale] = ['mu', 'logVar', 'shift', 'logScale'].map((label) => createRng(3).fork(label).normal([1, 2])) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const [m, v] = [mu.add(shift), logVar.add(logScale)];
  const z = createRng(4).normal([50_000, 2]).mul(v.mul(0.5).exp()).add(m);
  const ratio = read(logNormal(z, m, v).sub(logNormal(z, mu, logVar)));
  expectClose([mean(ratio)], read(klResidual({ shift, logScale }, { mu, logVar })), { absolute: 5 * standardError(ratio) });
}); // prettier-ignore

describe('levels', () => {
  const config = { levels: [{ side: 1, channels: 3 }, { side: 2, channels: 2 }] } as const; // prettier-ignore

  test('are drawn anew below what is kept, from the prior given it', () => {
    const model = modelOf(config);
    const z = model.fromNoise(createRng(1).normal([4, 11]));
    const [top, low] = z.map((each) => Array.from(each.dataSync())) as [number[], number[]];
    const noise = tf.concat([z[0]!, createRng(2).fork('level 1').normal([4, 8])], 1);
    const [kept, below] = model.resample(z, 1, createRng(2)).map(read);
    expect(kept).toEqual(top);
    expectClose(below!, read(model.fromNoise(noise)[1]!), { absolute: 1e-6 });
    expect(model.resample(z, 2, createRng(2)).map(read)).toEqual([top, low]);
    expect(read(model.resample(z, 0, createRng(2))[0]!)).not.toEqual(top);
  });

  test('tell the decoder of themselves: the mean moves with each', () => {
    const model = modelOf(config);
    const z = model.fromNoise(createRng(1).normal([1, 11]));
    const moved = z.map((each, l) => z.map((other, k) => (k === l ? each.add(1) : other)));
    for (const other of moved) expect(read(model.mean(other))).not.toEqual(read(model.mean(z)));
    const lowest = modelOf({ ...config, skip: false });
    expect(read(lowest.mean(moved[0]!))).toEqual(read(lowest.mean(z)));
    expect(read(lowest.mean(moved[1]!))).not.toEqual(read(lowest.mean(z)));
  });
});

test('errors say what was expected', () => {
  const rng = createRng(1);
  const model = modelOf();
  const z = model.fromNoise(rng.normal([2, 2]));
  expect(() => model.resample(z, 3, rng)).toThrow('keep must be an integer from 0 to 2');
  expect(() => model.mean([z[0]!])).toThrow('expected the latents of 2 levels, top first, got 1');
  expect(() => modelOf({ levels: [] })).toThrow('at least one level');
  expect(() => modelOf({ levels: [{ side: 2, channels: 1 }, one] })).toThrow('coarsest first, got 2, 1');
  expect(() => modelOf({ freeBits: -1 })).toThrow('freeBits must be ≥ 0, got -1');
}); // prettier-ignore
