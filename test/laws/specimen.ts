/** What the laws run on: a small model, its data, and its world. */
import * as tf from '@tensorflow/tfjs';
import {
  type Batch,
  createRng,
  type GenerativeModel,
  type Rng,
  sizeOf,
  type Support,
  type Tiny,
  variablesOf,
} from 'dgm';
import { enumerate, logSumExp, midpoints, read } from '../helpers';

/** A family's smallest member, or a model made for a test. */
export interface Specimen<Model extends GenerativeModel = GenerativeModel> extends Omit<Tiny<object>, 'config'> {
  readonly learningRate: number;
  readonly batchSize: number;
  create(rng: Rng): Model;
}

interface Small<Config, Model> {
  readonly tiny: Tiny<Config & object>;
  create(config: Config, rng: Rng): Model;
}

/** The tiny member of a family. */
export function specimenOf<
  Config extends { readonly learningRate: number; readonly batchSize: number },
  Model extends GenerativeModel,
>(family: Small<Config, Model>): Specimen<Model> {
  const { config, ...facts } = family.tiny;
  const { learningRate, batchSize } = config;
  return { ...facts, learningRate, batchSize, create: (rng) => family.create(config, rng) };
}

/**
 * Fresh weights plus noise: layers that start at 0 or at the identity would hide what is behind them, and components
 * that start alike would not show how they are mixed. Little noise over the reals, to stay within the support.
 */
export function lively(specimen: Specimen, seed = 'lively'): GenerativeModel {
  const model = specimen.create(createRng(seed));
  const scale = specimen.support.kind === 'discrete' ? 1 : 0.2;
  for (const [i, variable] of variablesOf(model).entries())
    tf.tidy(() => variable.assign(createRng(seed).fork(`noise ${i}`).normal(variable.shape).mul(scale).add(variable)));
  return model;
}

/** Examples drawn from another member of the same family, with labels where it has some. */
export function dataOf(specimen: Specimen, count: number, part = 'train'): Batch {
  const x = lively(specimen, 'world').sample({ count, rng: createRng('data').fork(part), engine: 'eager' });
  return batchOf(specimen, x, part);
}

/** These examples, with labels drawn evenly, whatever x is, where the specimen has labels. */
export function batchOf({ labels }: Specimen, x: tf.Tensor, part = 'train'): Batch {
  if (labels === undefined) return { x };
  const y = tf.tidy(() => createRng('labels').fork(part).uniform([x.shape[0]!]).mul(labels).floor().toInt()); // prettier-ignore
  return { x, y };
}

/** log p(x), or what stands in for it: the negative energy; nothing for an implicit model. */
export function scores(model: GenerativeModel, x: tf.Tensor, rng: Rng = createRng('scores')): number[] {
  const score = scoreOf(model);
  return score ? read(score(x, rng)) : [];
}

export function scoreOf({ likelihood }: GenerativeModel): ((x: tf.Tensor, rng: Rng) => tf.Tensor) | undefined {
  if (likelihood.kind === 'implicit') return undefined;
  return likelihood.kind === 'unnormalised' ? likelihood.negEnergy : likelihood.logProb;
}

/** Every point of a discrete world, or a regular grid over a continuous one (of a half, third … of its points an axis). */
export function worldOf(support: Support, { eventShape }: GenerativeModel, coarser = 1) {
  const D = sizeOf(eventShape);
  const steps = Math.round((D === 1 ? 2000 : 160) / coarser);
  const count = support.kind === 'discrete' ? support.values.length ** D : steps ** D;
  const cell = support.kind === 'discrete' ? 1 : ((support.high - support.low) / steps) ** D;
  const rows = () =>
    support.kind === 'discrete' ? enumerate(support.values, D) : midpoints(support.low, support.high, steps, D).points;
  return { count, cell, rows, points: () => tf.tensor(rows().flat(), [count, ...eventShape]) };
}

/** ln Z of a negative energy, by summing over the world or integrating over its grid. */
export function logPartition(specimen: Specimen, model: GenerativeModel, coarser = 1): number {
  const { points, cell } = worldOf(specimen.support, model, coarser);
  return logSumExp(scores(model, points())) + Math.log(cell);
}

/**
 * ln p(x) where it is known: said by the model, by brute force, or a negative energy less its ln Z.
 * @returns undefined for an implicit model, and for a bound that nothing is said of
 */
export function knownLogProb(specimen: Specimen, model: GenerativeModel): ((x: tf.Tensor) => number[]) | undefined {
  const { kind } = model.likelihood;
  const { exact } = specimen;
  if (kind === 'exact') return (x) => scores(model, x);
  if (kind === 'lower-bound' || kind === 'estimate') return exact && ((x) => read(exact(model, x)));
  if (kind === 'implicit') return undefined;
  const logZ = logPartition(specimen, model);
  return (x) => scores(model, x).map((value) => value - logZ);
}

/** The rows of a batch, flattened. */
export function rowsOf(x: tf.Tensor): number[][] {
  const values = x.dataSync();
  const width = values.length / x.shape[0]!;
  return Array.from({ length: x.shape[0]! }, (_, n) => Array.from(values.slice(n * width, (n + 1) * width)));
}

export function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
