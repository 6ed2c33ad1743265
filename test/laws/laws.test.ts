import * as tf from '@tensorflow/tfjs';
import { createRng, type GenerativeModel, integerFlow, realNvp } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, read } from '../helpers';
import { laws, lawsOf } from './laws';
import { boltzmannMachine, factorModel, labelledGaussians, pushedGaussian } from './models';
import { asBound, continuous, discrete, halfCutOff, mutants, type Mutation } from './mutants';
import { lively, specimenOf, worldOf, type Specimen } from './specimen';

const lawOf = (name: string) => laws.find((law) => law.name === name) ?? expect.fail(`no law is named '${name}'`);

test.each(mutants)('%s breaks the law “$2”', async (_, mutant, law) => {
  await expect(lawOf(law).check(mutant)).rejects.toMatchObject({ name: 'AssertionError' });
});

test('every law has a mutant that breaks it', () => {
  const broken = new Set(mutants.map(([, , law]) => law));
  expect(laws.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
});

test('a model of labels needs them declared', async () => {
  const specimen = labelledGaussians();
  delete (specimen as { labels?: number }).labels;
  await expect(lawOf('shapes and finiteness').check(specimen)).rejects.toThrow('the batch has no labels y');
});

// The right models

const identity: Mutation = (model) => model;

/** A mixture's density without its constant, as an energy. */
const asEnergy: Mutation = (model) => {
  const { likelihood, objectives } = model as GenerativeModel;
  if (likelihood.kind !== 'exact') return expect.fail('a mixture is exact');
  const negEnergy = (x: tf.Tensor) => tf.tidy(() => likelihood.logProb(x, createRng(0)).add(3));
  return { ...model, likelihood: { kind: 'unnormalised', negEnergy, logZ: () => tf.scalar(3) }, objectives };
};

/** Its gradient is another one than its slope, and it says so. */
const surrogate: Mutation = (model) => {
  const { objectives, ...rest } = halfCutOff(model);
  return { ...rest, objectives: objectives.map((objective) => ({ ...objective, gradient: 'surrogate' })) };
};

const right: readonly (readonly [kind: string, Specimen])[] = [
  ['a density', continuous(identity)],
  ['probabilities', discrete(identity)],
  ['a density as a bound on itself', continuous((model) => asBound(model))],
  ['probabilities as a bound on themselves', discrete((model) => asBound(model))],
  ['a gradient that is declared another one than the slope', continuous(surrogate)],
  ['an evidence lower bound', factorModel()],
  ['an energy on a discrete world', boltzmannMachine()],
  ['an energy on the plane', continuous(asEnergy)],
  ['samples alone', pushedGaussian()],
  ['labels', labelledGaussians()],
  ['a bijection of the plane', specimenOf(realNvp)],
  ['a bijection of the integers', specimenOf(integerFlow)],
];

describe.each(right)('%s breaks none', (_, specimen) => {
  const model = specimen.create(createRng(1));
  test.each(lawsOf(model, specimen).map((law) => [law.name, law] as const))('%s', (_, law) => law.check(specimen));
});

test('the laws are asked of every kind of model', () => {
  const asked = new Set(right.flatMap(([, specimen]) => lawsOf(specimen.create(createRng(1)), specimen)));
  expect(laws.filter((law) => !asked.has(law)).map(({ name }) => name)).toEqual([]);
});

test('what the bound is held to integrates to 1', () => {
  const specimen = factorModel();
  const model = lively(specimen);
  const { points, cell } = worldOf(specimen.support, model);
  expectClose([read(specimen.exact!(model, points()).exp().sum())[0]! * cell], [1], { absolute: 1e-3 });
});
