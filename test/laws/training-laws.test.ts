import * as tf from '@tensorflow/tfjs';
import { type Batch, createRng, families, fit, type FitOptions, type GenerativeModel, getWeights, type Objective, type Remember, sgd, type Support } from 'dgm'; // prettier-ignore
import { describe, expect, test } from 'vitest';
import { createSteppers } from '../../lib/engine/step/step';
import { read } from '../helpers';
import { asked, bits, boltzmann, pair, points, remembering } from '../lib/training/specimens';

// Laws of objectives with a memory, a turn or an optimiser of their own: of every family that has one, and of three
// small models. Each law has a mutant that breaks it.

interface Specimen {
  readonly name: string;
  readonly x: tf.Tensor;
  /** How many labels examples have, where they have some. */
  readonly labels?: number;
  create(seed: number): GenerativeModel;
}

interface Law {
  readonly name: string;
  check(specimen: Specimen): Promise<void>;
  /** A model with one mistake. */
  readonly mutant: Specimen;
}

/** The examples, with labels drawn evenly where the specimen has some. */
const batchOf = ({ x, labels }: Specimen): Batch =>
  labels === undefined ? { x } : { x, y: createRng('labels').uniform([x.shape[0]!]).mul(labels).floor().toInt() };

/** Points of the tiny world, each as likely as the other. */
function pointsOf(support: Support, shape: readonly number[]): tf.Tensor {
  const u = createRng('points').uniform(shape);
  if (support.kind === 'continuous') return u.mul(support.high - support.low).add(support.low);
  return tf.gather([...support.values], u.mul(support.values.length).floor().toInt());
}

const COUNT = 50; // as many as the fewest chains of a tiny member

const special = ({ objectives }: GenerativeModel) =>
  objectives.some(({ memory, every, optimiser }) => memory ?? every ?? optimiser);

const specimens: readonly Specimen[] = [
  ...families
    .map(({ name, tiny, create }): Specimen => {
      const make = (seed: number) => create(tiny.config, createRng(seed));
      const x = pointsOf(tiny.support, [COUNT, ...make(1).eventShape]);
      return { name, create: make, x, ...(tiny.labels !== undefined && { labels: tiny.labels }) };
    })
    .filter(({ create }) => special(create(1))),
  { name: 'a Boltzmann machine', x: bits.x, create: (seed) => boltzmann(seed).model },
  { name: 'a mean', x: points.x, create: (seed) => remembering(seed) },
  { name: 'a critic and a generator', x: points.x, create: () => asked(pair()) },
];

const memoriesOf = ({ objectives }: GenerativeModel) => objectives.flatMap(({ memory = [] }) => memory);
const valuesOf = (variables: readonly tf.Variable[]) => variables.map((variable) => Array.from(variable.dataSync()));

/** A model of one objective with another loss. */
const withLoss = (change: (objective: Objective) => Objective['loss']): Specimen => ({
  name: 'a mutant',
  x: points.x,
  create(seed) {
    const model = remembering(seed);
    const [objective] = model.objectives;
    return { ...model, objectives: [{ ...objective!, loss: change(objective!) }] };
  },
});

const laws: readonly Law[] = [
  {
    name: 'what a loss remembers is fixed by the weights, the memory, the batch and the rng; that somebody listens changes nothing',
    async check(specimen) {
      const [model, batch] = [specimen.create(1), batchOf(specimen)];
      for (const { loss } of model.objectives) {
        const heard = () => {
          const memory: number[][] = [];
          const remember: Remember = (next) => next.forEach((tensor) => memory.push(Array.from(tensor.dataSync())));
          return [read(loss(batch, createRng('a'), remember)), memory];
        };
        expect(heard()).toEqual(heard());
        expect(heard()[0]).toEqual(read(loss(batch, createRng('a'))));
      }
    },
    mutant: withLoss((objective) => {
      let calls = 0;
      return (batch, rng, remember) =>
        objective.loss(batch, rng, remember && (([next]) => remember([next!.add(calls++)])));
    }),
  },
  {
    name: 'a step moves the memory of its own objective alone, and a look at a loss moves none',
    async check(specimen) {
      const [model, batch] = [specimen.create(1), batchOf(specimen)];
      const steppers = createSteppers(model.objectives, sgd(0.01));
      const memories = () => {
        steppers.write();
        return model.objectives.map(({ memory = [] }) => valuesOf(memory));
      };
      for (const [i, { step, objective }] of steppers.each.entries()) {
        const before = memories();
        read(objective.loss(batch, createRng('look')));
        expect(model.objectives.map(({ memory = [] }) => valuesOf(memory))).toEqual(before);
        await step(batch, createRng('step'), 'this law');
        memories().forEach((after, k) => {
          const moves = k === i && after.length > 0;
          if (moves) expect(after).not.toEqual(before[k]);
          else expect(after).toEqual(before[k]);
        });
      }
      await steppers.dispose();
    },
    mutant: withLoss(({ loss, memory }) => (batch, rng, remember) => {
      tf.tidy(() => memory![0]!.assign(memory![0]!.add(1)));
      return loss(batch, rng, remember);
    }),
  },
  {
    name: 'likelihood and samples read no memory',
    async check({ x, create }) {
      const model = create(1);
      const seen = () => {
        const { likelihood } = model;
        const samples = read(model.sample({ count: 5, rng: createRng('samples') }));
        if (likelihood.kind === 'implicit') return [samples];
        const scores = likelihood.kind === 'unnormalised' ? likelihood.negEnergy(x) : likelihood.logProb(x, createRng('scores')); // prettier-ignore
        return [samples, read(scores)];
      };
      const before = seen();
      for (const memory of memoriesOf(model)) tf.tidy(() => memory.assign(memory.add(1)));
      expect(seen()).toEqual(before);
    },
    mutant: {
      name: 'a sampler that shows what it remembers',
      x: points.x,
      create(seed) {
        const model = remembering(seed);
        return { ...model, sample: ({ count }) => tf.tidy(() => model.seen.tile([count]).expandDims(1)) };
      },
    },
  },
  {
    name: 'training resumed is training uninterrupted',
    async check(specimen) {
      const { create } = specimen;
      const options: FitOptions = {
        epochs: 3,
        batchSize: 25,
        optimiser: sgd(0.01),
        rng: createRng('fit'),
        quiet: true,
      };
      const run = async (model: GenerativeModel, other: Partial<FitOptions> = {}) => {
        const { checkpoint, history } = await fit(model, { train: batchOf(specimen) }, { ...options, ...other });
        return { checkpoint, history, weights: getWeights(model), memory: valuesOf(memoriesOf(model)) };
      };
      const { checkpoint: resume } = await run(create(1), { epochs: 1 });
      expect(await run(create(2), { resume })).toEqual(await run(create(1)));
    },
    mutant: withLoss(({ loss }) => {
      let calls = 0;
      return (batch, rng, remember) => tf.tidy(() => loss(batch, rng, remember).mul(1 + 0.1 * calls++));
    }),
  },
];

describe.each(laws)('$name', ({ check, mutant }) => {
  test.each(specimens)('$name', (specimen) => check(specimen));
  test('but not of a mutant', async () => {
    await expect(check(mutant)).rejects.toThrow(/expected/);
  });
});
