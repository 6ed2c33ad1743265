import * as tf from '@tensorflow/tfjs';
import { createRng, diva, divaLabels, evaluate, exactLogProb, importanceBound, priorGrid, variablesOf } from 'dgm';
import { describe, expect, test } from 'vitest';
import { enumerate, expectClose, mean, read } from '../../helpers';

const tiny = diva.tiny.config;
const rng = createRng(1);
const world = tf.tensor2d(enumerate([0, 1, 2], 2));

function lively(config: Partial<typeof tiny> = {}) {
  const model = diva.create({ ...tiny, ...config }, createRng(2));
  for (const [i, variable] of variablesOf(model).entries())
    tf.tidy(() => variable.assign(createRng('lively').fork(`${i}`).normal(variable.shape).mul(0.5).add(variable)));
  return model;
}

describe('labels of two things', () => {
  test('one number for both, and a class that is not known', () => {
    expect(read(divaLabels([0, 0, 1, 1], [0, 2, 1, -1], 3))).toEqual([0, 2, 5, 7]);
    expect(() => divaLabels([0], [1, 2], 3)).toThrow('expected a class for each domain, 1, got 2');
    expect(() => divaLabels([0, -1], [1, 2], 3)).toThrow('domains are integers from 0 on, got -1 at 1');
    expect(() => divaLabels([0.5], [1], 3)).toThrow('domains are integers from 0 on, got 0.5 at 0');
    for (const wrong of [3, -2, 1.5, NaN])
      expect(() => divaLabels([0], [wrong], 3)).toThrow(`classes are integers from 0 to 2, or −1, got ${wrong} at 0`);
  });

  test('each label is taken apart as it was put together', () => {
    // the classifiers alone: without them the loss of a batch is the bound; with them it grows by ln q(d | z_d) and ln q(y | z_y)
    const x = world.slice([0, 0], [6, 2]);
    const [domain, y] = [
      [0, 1, 0, 1, 0, 1],
      [0, 1, 1, 0, -1, -1],
    ];
    const loss = (config: Partial<typeof tiny>, n: number) =>
      read(lively(config).objectives[0]!.loss({ x: x.slice([n, 0], [1, 2]), y: divaLabels([domain[n]!], [y[n]!], 2) }, rng))[0]!; // prettier-ignore
    for (let n = 0; n < 6; n++) {
      const [both, none] = [loss({ domainWeight: 0, classWeight: 3 }, n), loss({ domainWeight: 0, classWeight: 0 }, n)];
      if (y[n]! < 0) expectClose([both], [none], { absolute: 1e-6 });
      else expect(both).toBeGreaterThan(none);
    }
  });
});

describe('what is reported', () => {
  test('is a bound on ln p(x), domains and classes summed out, that draws tighten', () => {
    const model = lively();
    const exact = read(exactLogProb(model, world, priorGrid(model.prior, rng)));
    expectClose([exact.reduce((sum, value) => sum + Math.exp(value), 0)], [1], { absolute: 2e-3 });
    const repeated = { x: world.tile([60, 1]) };
    const [one, many] = [1, 50].map((draws) => -evaluate(importanceBound(model, draws), repeated, rng).nats);
    expect(many!).toBeGreaterThan(one!);
    expect(many!).toBeLessThan(mean(exact) + 0.02);
    expect(many!).toBeGreaterThan(mean(exact) - 0.5);
  });

  test('the prior is the even mixture of what it is given domain and class', () => {
    const model = lively();
    const z = createRng('z').normal([5, 3]);
    const logP = read(model.prior.logProb(z, rng));
    const [mus, logVars] = [['domain', 'class'] as const, [1, 3]];
    const gauss = (v: number, mu: number, logVar: number) => Math.exp(-0.5 * ((v - mu) ** 2 / Math.exp(logVar) + logVar + Math.log(2 * Math.PI))); // prettier-ignore
    const tables = mus.map((part, i) => ({ mu: read(model.centres(part)), logVar: read(model.prior.variables[logVars[i]!]!) })); // prettier-ignore
    const expected = (z.arraySync() as number[][]).map(([d, r, y]) => {
      const mixture = (v: number, { mu, logVar }: (typeof tables)[number]) => mean(mu.map((m, k) => gauss(v, m, logVar[k]!))); // prettier-ignore
      return Math.log(mixture(d!, tables[0]!) * gauss(r!, 0, 0) * mixture(y!, tables[1]!));
    });
    expectClose(logP, expected, { absolute: 1e-4 });
  });

  test('the classifiers’ weights change nothing of it', () => {
    const nats = [0, 50].map((classWeight) => evaluate(lively({ classWeight }), { x: world }, createRng(3)).nats);
    expect(nats[0]).toBe(nats[1]);
  });
});

test('means, classes and domains come part by part', () => {
  const model = lively({ latents: { domain: 2, rest: 1, class: 3 } });
  const parts = model.means(world);
  expect([parts.domain.shape, parts.rest.shape, parts.class.shape]).toEqual([[9, 2], [9, 1], [9, 3]]); // prettier-ignore
  expectClose(read(model.logClasses(world).exp().sum(1)), Array(9).fill(1), { absolute: 1e-5 });
  expectClose(read(model.logDomains(world).exp().sum(1)), Array(9).fill(1), { absolute: 1e-5 });
  expect(model.centres('class').shape).toEqual([2, 3]);
});

test('says what is missing', () => {
  const model = lively();
  expect(() => model.objectives[0]!.loss({ x: world }, rng)).toThrow('the batch has no labels y');
  expect(() => diva.create({ ...tiny, domains: 0 }, rng)).toThrow('domains');
});
