/**
 * The laws every family obeys, as functions of a small model. A law asks what the model declares of itself (the kind
 * of its likelihood, its support, its objectives), never which family it is.
 *
 * Random quantities are compared within 5 standard errors (false alarm 6·10⁻⁷ each), under fixed seeds.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {
  adam,
  type Batch,
  createRng,
  evaluate,
  fit,
  type GenerativeModel,
  getWeights,
  loadWeights,
  type Rng,
  saveWeights,
  sgd,
  type Support,
  variablesOf,
} from 'dgm';
import { expect } from 'vitest';
import { createSteppers } from '../../lib/engine/step/step';
import { chiSquare, dot, enumerate, expectClose, mean, midpoints, read, standardError, tensorsLeft } from '../helpers';

/** A family's smallest member: what the laws run on. */
export interface Specimen {
  readonly support: Support;
  readonly learningRate: number;
  readonly batchSize: number;
  create(rng: Rng): GenerativeModel;
}

export interface Law {
  readonly name: string;
  /** Default: every model. */
  appliesTo?(model: GenerativeModel, support: Support): boolean;
  check(specimen: Specimen): Promise<void>;
}

type Scored = Exclude<GenerativeModel['likelihood'], { kind: 'unnormalised' | 'implicit' }>;

const isExact = ({ likelihood }: GenerativeModel) => likelihood.kind === 'exact';
const hasLogProb = ({ likelihood }: GenerativeModel) => 'logProb' in likelihood;
const isNll = ({ objectives }: GenerativeModel) =>
  objectives.length === 1 && objectives[0]!.name === 'negative log-likelihood';

export const laws: readonly Law[] = [
  {
    name: 'the tiny world can be enumerated or integrated, and holds the samples',
    async check(specimen) {
      const model = lively(specimen);
      expect(worldOf(specimen.support, model).count).toBeLessThanOrEqual(50_000);
      const samples = read(model.sample(1000, createRng('samples')));
      const { support } = specimen;
      if (support.kind === 'discrete') expect(samples.filter((x) => !support.values.includes(x))).toEqual([]);
      else expect(samples.filter((x) => !(x >= support.low && x <= support.high))).toEqual([]);
    },
  },
  {
    name: 'shapes and finiteness',
    async check(specimen) {
      const model = lively(specimen);
      const samples = model.sample(7, createRng('samples'));
      expect(samples.shape).toEqual([7, ...model.eventShape]);
      expectFinite(samples.dataSync());
      if (model.likelihood.kind !== 'implicit') {
        const values = scores(model, samples);
        expect(values.length).toBe(7);
        expectFinite(values);
      }
      for (const objective of model.objectives) {
        const loss = objective.loss({ x: samples }, createRng('loss'));
        expect(loss.shape).toEqual([]);
        expectFinite(loss.dataSync());
      }
    },
  },
  {
    name: 'all randomness comes from the rng',
    async check(specimen) {
      const model = lively(specimen);
      const draw = (seed: string) => read(model.sample(20, createRng(seed)));
      expect(draw('a')).toEqual(draw('a'));
      expect(draw('a')).not.toEqual(draw('b'));
      const x = dataOf(specimen, 20).x;
      expect(scores(model, x)).toEqual(scores(model, x));
      const lossOf = (seed: string) => model.objectives.map(({ loss }) => read(loss({ x }, createRng(seed)))[0]);
      expect(lossOf('a')).toEqual(lossOf('a'));
      const weights = (seed: string) => getWeights(specimen.create(createRng(seed)));
      expect(weights('a')).toEqual(weights('a'));
    },
  },
  {
    name: 'a step of an objective moves every variable it lists, and no other',
    async check(specimen) {
      const model = lively(specimen);
      const batch = dataOf(specimen, 50);
      for (const objective of model.objectives) {
        const before = variablesOf(model).map((variable) => Array.from(variable.dataSync()));
        const steppers = createSteppers([objective], sgd(0.1));
        await steppers.each[0]!.step(batch, createRng('step'), 'this law');
        steppers.write();
        await steppers.dispose();
        variablesOf(model).forEach((variable, i) => {
          const moved = variable.dataSync().some((value, j) => value !== before[i]![j]);
          const who = `'${objective.name}': variable ${i} of shape [${variable.shape.join(', ')}] moved`;
          expect(moved, who).toBe(objective.variables.includes(variable));
        });
      }
    },
  },
  {
    name: 'the gradient of the loss is its slope',
    async check(specimen) {
      const model = lively(specimen);
      const batch = dataOf(specimen, 20);
      for (const { loss, variables, gradient: kind } of model.objectives) {
        if (kind === 'surrogate') continue;
        const value = () => tf.tidy(() => loss(batch, createRng('loss')));
        for (const variable of variables) {
          const gradient = read(tf.variableGrads(value as () => tf.Scalar, [variable]).grads[variable.name]!);
          for (const direction of [gradient, read(createRng('direction').normal([variable.size]))]) {
            const unit = direction.map((v) => v / Math.sqrt(dot(direction, direction)));
            // h = 0.01: rounding of the loss (10⁻⁶ / h) and curvature (h² / 6) both err by some 10⁻⁴
            const slope = slopeAlong(variable, unit, () => read(value())[0]!, 0.01);
            expectClose([dot(gradient, unit)], [slope], { absolute: 2e-3, relative: 0.02 });
          }
        }
      }
    },
  },
  {
    name: 'the loss is the mean of −log p',
    appliesTo: (model) => isExact(model) && isNll(model),
    async check(specimen) {
      const model = lively(specimen);
      const batch = dataOf(specimen, 50);
      const loss = read(model.objectives[0]!.loss(batch, createRng('loss')))[0]!;
      expectClose([loss], [-mean(scores(model, batch.x))], { absolute: 1e-5, relative: 1e-5 });
    },
  },
  {
    name: 'probabilities sum to 1',
    appliesTo: (model, { kind }) => isExact(model) && kind === 'discrete',
    async check(specimen) {
      for (const model of [specimen.create(createRng(1)), lively(specimen)]) {
        const p = scores(model, worldOf(specimen.support, model).points()).map(Math.exp);
        expectClose([total(p)], [1], { absolute: 1e-6 }); // each term errs by some 10⁻⁶ of itself, up or down
      }
    },
  },
  {
    name: 'the density integrates to 1',
    appliesTo: (model, { kind }) => isExact(model) && kind === 'continuous',
    async check(specimen) {
      for (const model of [specimen.create(createRng(1)), lively(specimen)]) {
        const integral = (coarser: number) => {
          const { points, cell } = worldOf(specimen.support, model, coarser);
          return total(scores(model, points()).map(Math.exp)) * cell;
        };
        const [fine, coarse] = [integral(1), integral(2)];
        // the midpoint rule's error is below the change from the coarser grid, which must itself be small;
        // float32 log-densities of up to a thousand nats err by some 10⁻⁴
        expectClose([fine], [coarse], { absolute: 1e-3 });
        expectClose([fine], [1], { absolute: 1e-3 });
      }
    },
  },
  {
    name: 'a bound on probabilities sums to at most 1',
    appliesTo: ({ likelihood }, { kind }) => likelihood.kind === 'lower-bound' && kind === 'discrete',
    async check(specimen) {
      const model = lively(specimen);
      const x = worldOf(specimen.support, model).points();
      const draws = Array.from({ length: 30 }, (_, i) => scores(model, x, createRng(i)));
      // exp of the mean bound ≤ mean of exp, whose sum over the world is at most 1 in expectation
      const sums = draws.map((draw) => total(draw.map(Math.exp)));
      const bound = total(draws[0]!.map((_, n) => Math.exp(mean(draws.map((draw) => draw[n]!)))));
      expect(bound).toBeLessThan(1 + 1e-5 + 5 * standardError(sums));
    },
  },
  {
    name: 'samples follow p',
    appliesTo: (model) => isExact(model),
    async check(specimen) {
      const model = lively(specimen);
      const n = 20_000;
      const samples = model.sample(n, createRng('samples'));
      if (specimen.support.kind === 'discrete') expectFrequencies(specimen.support, model, samples);
      else expectMoments(specimen.support, model, samples);
    },
  },
  {
    name: 'a short training lowers the validation loss',
    appliesTo: hasLogProb,
    async check(specimen) {
      const model = specimen.create(createRng('learner'));
      const data = { train: dataOf(specimen, 200), validation: dataOf(specimen, 200, 'validation') };
      const before = evaluate(model, data.validation, createRng('before')).nats;
      const { batchSize, learningRate } = specimen;
      const epochs = Math.ceil((60 * batchSize) / 200);
      const options = { epochs, batchSize, optimiser: adam(learningRate), rng: createRng('fit'), quiet: true };
      const { history } = await fit(model, data, options);
      expect(history.at(-1)!.validation!).toBeLessThan(before);
    },
  },
  {
    name: 'compiled training is eager training',
    appliesTo: ({ objectives }) => objectives.length > 0,
    async check(specimen) {
      const losses = async (engine: 'auto' | 'eager') => {
        const model = specimen.create(createRng('learner'));
        const options = { epochs: 3, batchSize: 50, optimiser: sgd(0.01), rng: createRng('fit'), quiet: true, engine };
        return (await fit(model, { train: dataOf(specimen, 120) }, options)).history.map(({ loss }) => loss);
      };
      // nine steps, each with some thousand float32 operations in another order: 10⁻⁷ √1000, and growth by the steps
      expectClose(await losses('auto'), await losses('eager'), { relative: 1e-4, absolute: 1e-4 });
      const model = specimen.create(createRng('learner'));
      const steppers = createSteppers(model.objectives, sgd(0.01));
      for (const stepper of steppers.each) await stepper.step(dataOf(specimen, 20), createRng('step'), 'this law');
      expect(steppers.engine()).toMatch(/^compiled/);
      await steppers.dispose();
    },
  },
  {
    name: 'no tensor is left behind',
    async check(specimen) {
      const data = { train: dataOf(specimen, 20), validation: dataOf(specimen, 10) };
      const left = await tensorsLeft(async () => {
        const model = specimen.create(createRng(1));
        expect(await tensorsLeft(() => model.sample(3, createRng(1)).dispose())).toBe(0);
        expect(await tensorsLeft(() => scores(model, data.train.x))).toBe(0);
        for (const { loss } of model.objectives)
          expect(await tensorsLeft(() => loss(data.train, createRng(1)).dispose())).toBe(0);
        await fit(model, data, { epochs: 1, batchSize: 10, rng: createRng(1), quiet: true });
        tf.dispose(variablesOf(model));
      });
      expect(left).toBe(0);
    },
  },
  {
    name: 'saved and loaded, the same numbers',
    async check(specimen) {
      const folder = mkdtempSync(join(tmpdir(), 'dgm-laws-'));
      try {
        const [saved, loaded] = [lively(specimen), specimen.create(createRng('another'))];
        saveWeights(saved, join(folder, 'weights.json'));
        loadWeights(loaded, join(folder, 'weights.json'));
        const { x } = dataOf(specimen, 20);
        expect(scores(loaded, x)).toEqual(scores(saved, x));
        expect(read(loaded.sample(5, createRng(1)))).toEqual(read(saved.sample(5, createRng(1))));
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },
  {
    name: 'a wrong event shape is an error that names both shapes',
    async check(specimen) {
      const model = lively(specimen);
      const event = model.eventShape;
      const wider = [4, ...event.slice(0, -1), event.at(-1)! + 1];
      for (const shape of [wider, event, [4, ...event, 1]]) {
        const x = tf.zeros([...shape]);
        const message = `must be [B, ${event.join(', ')}], got [${shape.join(', ')}]`;
        if (model.likelihood.kind !== 'implicit') expect(() => scores(model, x)).toThrow(message);
        for (const { loss } of model.objectives) expect(() => loss({ x }, createRng(1))).toThrow(message);
      }
    },
  },
];

/**
 * Fresh weights plus noise: layers that start at 0 or at the identity would hide what is behind them, and components
 * that start alike would not show how they are mixed. Little noise over the reals, to stay within the support.
 */
function lively(specimen: Specimen, seed = 'lively'): GenerativeModel {
  const model = specimen.create(createRng(seed));
  const scale = specimen.support.kind === 'discrete' ? 1 : 0.2;
  for (const [i, variable] of variablesOf(model).entries())
    tf.tidy(() => variable.assign(createRng(seed).fork(`noise ${i}`).normal(variable.shape).mul(scale).add(variable)));
  return model;
}

/** Examples drawn from another member of the same family. */
function dataOf(specimen: Specimen, count: number, part = 'train'): Batch {
  return { x: lively(specimen, 'world').sample(count, createRng('data').fork(part)) };
}

/** log p(x), or what stands in for it: the negative energy; nothing for an implicit model. */
function scores({ likelihood }: GenerativeModel, x: tf.Tensor, rng: Rng = createRng('scores')): number[] {
  if (likelihood.kind === 'implicit') return [];
  return read(likelihood.kind === 'unnormalised' ? likelihood.negEnergy(x) : (likelihood as Scored).logProb(x, rng));
}

/** Every point of a discrete world, or a regular grid over a continuous one (of a half, third … of its points an axis). */
function worldOf(support: Support, { eventShape }: GenerativeModel, coarser = 1) {
  const D = eventShape.reduce((size, n) => size * n, 1);
  const steps = Math.round((D === 1 ? 2000 : 160) / coarser);
  const count = support.kind === 'discrete' ? support.values.length ** D : steps ** D;
  const cell = support.kind === 'discrete' ? 1 : ((support.high - support.low) / steps) ** D;
  const rows = () =>
    support.kind === 'discrete' ? enumerate(support.values, D) : midpoints(support.low, support.high, steps, D).points;
  return { count, cell, rows, points: () => tf.tensor(rows().flat(), [count, ...eventShape]) };
}

/** Pearson's chi-square test of samples against p over the enumerated world. */
function expectFrequencies(support: Support, model: GenerativeModel, samples: tf.Tensor): void {
  const { rows, points } = worldOf(support, model);
  const index = new Map(rows().map((row, i) => [row.join(), i]));
  const p = scores(model, points()).map(Math.exp);
  const n = samples.shape[0]!;
  const counts = p.map(() => 0);
  for (const row of rowsOf(samples)) counts[index.get(row.join())!]!++;
  const { statistic, bound } = chiSquare(counts, p.map((probability) => n * probability)); // prettier-ignore
  expect(statistic).toBeLessThan(bound);
}

/** E x_i, E x_i x_j and E[−log p(x)] of samples against the same by quadrature. */
function expectMoments(support: Support, model: GenerativeModel, samples: tf.Tensor): void {
  const { rows, points, cell } = worldOf(support, model);
  const world = rows();
  const logP = scores(model, points());
  const mass = logP.map((value) => Math.exp(value) * cell);
  const drawn = rowsOf(samples);
  const sampleLogP = scores(model, samples);
  const compare = (ofSamples: readonly number[], ofWorld: readonly number[]) =>
    expectClose([mean(ofSamples)], [dot(ofWorld, mass)], { absolute: 1e-3 + 5 * standardError(ofSamples) });
  compare(sampleLogP, logP.map((value) => Math.max(value, -1e6))); // prettier-ignore
  for (const [i] of world[0]!.entries()) {
    compare(drawn.map((row) => row[i]!), world.map((row) => row[i]!)); // prettier-ignore
    for (let j = 0; j <= i; j++)
      compare(drawn.map((row) => row[i]! * row[j]!), world.map((row) => row[i]! * row[j]!)); // prettier-ignore
  }
}

/** (f(v + h u) − f(v − h u)) / 2h, with the variable left as it was. */
function slopeAlong(variable: tf.Variable, unit: readonly number[], f: () => number, h: number): number {
  const start = variable.clone();
  const at = (shift: number) => {
    tf.tidy(() =>
      variable.assign(
        tf
          .tensor([...unit], variable.shape)
          .mul(shift)
          .add(start),
      ),
    );
    return f();
  };
  const slope = (at(h) - at(-h)) / (2 * h);
  variable.assign(start);
  start.dispose();
  return slope;
}

function rowsOf(x: tf.Tensor): number[][] {
  const values = x.dataSync();
  const width = values.length / x.shape[0]!;
  return Array.from({ length: x.shape[0]! }, (_, n) => Array.from(values.slice(n * width, (n + 1) * width)));
}

function expectFinite(values: ArrayLike<number>): void {
  expect(Array.from(values).filter((value) => !Number.isFinite(value))).toEqual([]);
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
