import * as tf from '@tensorflow/tfjs';
import {
  categorical,
  categoricalMixture,
  createRng,
  detach,
  gaussianMixture,
  type GenerativeModel,
  logCategoricalComponents,
  type MixtureModel,
  type Objective,
  randomWeight,
  type Rng,
  variablesOf,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { laws, type Specimen } from './laws';

// The law suite must be able to fail: each mutant is a right model with one mistake, and names the law that sees it.

type Mutation = (model: MixtureModel, rng: Rng) => GenerativeModel;

const continuous = (mutate: Mutation): Specimen => specimen(gaussianMixture, mutate);
const discrete = (mutate: Mutation): Specimen => specimen(categoricalMixture, mutate);

function specimen({ tiny, create }: typeof gaussianMixture | typeof categoricalMixture, mutate: Mutation): Specimen {
  const { learningRate, batchSize } = tiny.config;
  return {
    support: tiny.support,
    learningRate,
    batchSize,
    create: (rng) => mutate(create(tiny.config as never, rng), rng),
  };
}

/** The model with another log p(x), and the loss that belongs to it. */
function withLogProb(model: MixtureModel, logProb: (x: tf.Tensor, rng: Rng) => tf.Tensor): GenerativeModel {
  return {
    ...withLoss(model, ({ x }, rng) => tf.tidy(() => logProb(x, rng).mean().neg())),
    likelihood: { kind: 'exact', logProb: (x, rng) => tf.tidy(() => logProb(x, rng)) },
  };
}

function withLoss(model: GenerativeModel, loss: Objective['loss']): GenerativeModel {
  return { ...model, objectives: [{ ...model.objectives[0]!, loss }] };
}

const logJointSum = (model: MixtureModel, x: tf.Tensor) => tf.logSumExp(model.logJoint(x), 1);
const lossOf = (model: GenerativeModel) => model.objectives[0]!.loss;

/** Its gradient is half the slope of its loss. */
function halfCutOff(model: MixtureModel): GenerativeModel {
  return withLoss(model, (batch, rng) =>
    tf.tidy(() => {
      const loss = lossOf(model)(batch, rng);
      return loss.add(detach(loss)).mul(0.5);
    }),
  );
}

const mutants: readonly (readonly [mistake: string, Specimen, law: string])[] = [
  [
    'the components are mixed in every dimension anew',
    discrete((model) =>
      withLogProb(model, (x) => {
        const { pi, probabilities } = model.parameters();
        // Π_d Σ_k π_k p(x_d | k): sums to 1 as well, but is another distribution than the one sampled
        const marginal = pi!.reshape([-1, 1, 1]).mul(probabilities!).sum(0, true).log(); // [1, D, V]
        return logCategoricalComponents(x, marginal).squeeze([1]);
      }),
    ),
    'samples follow p',
  ],
  [
    'weights that sum to 1.1',
    discrete((model) => withLogProb(model, (x) => logJointSum(model, x).add(Math.log(1.1)))),
    'probabilities sum to 1',
  ],
  [
    'a density without its ln 2π',
    continuous((model) => withLogProb(model, (x) => logJointSum(model, x).add(Math.log(2 * Math.PI)))),
    'the density integrates to 1',
  ],
  [
    'a bound that is none',
    discrete((model) => ({
      ...model,
      likelihood: { kind: 'lower-bound', logProb: (x) => tf.tidy(() => logJointSum(model, x).add(Math.log(1.1))) },
    })),
    'a bound on probabilities sums to at most 1',
  ],
  [
    'samples with standard deviation exp(logVar)',
    continuous((model) => ({
      ...model,
      sample: (count, rng) =>
        tf.tidy(() => {
          const { pi, mu, logVar } = model.parameters();
          const k = categorical(pi!.log().expandDims(0).tile([count, 1]), rng) as tf.Tensor1D;
          return rng.normal([count, 2]).mul(tf.gather(logVar!.exp(), k)).add(tf.gather(mu!, k));
        }),
    })),
    'samples follow p',
  ],
  [
    'samples between the integers',
    discrete((model) => ({ ...model, sample: (count, rng) => tf.tidy(() => model.sample(count, rng).add(0.5)) })),
    'the tiny world can be enumerated or integrated, and holds the samples',
  ],
  [
    'samples from a generator of its own',
    continuous((model) => ({ ...model, sample: (count) => tf.randomNormal([count, 2]) })),
    'all randomness comes from the rng',
  ],
  [
    'samples that ignore the rng',
    continuous((model) => ({ ...model, sample: (count) => model.sample(count, createRng(0)) })),
    'all randomness comes from the rng',
  ],
  [
    'one sample too many',
    continuous((model) => ({ ...model, sample: (count, rng) => model.sample(count + 1, rng) })),
    'shapes and finiteness',
  ],
  [
    'a loss per example',
    continuous((model) => withLoss(model, ({ x }) => tf.tidy(() => logJointSum(model, x).neg()))),
    'shapes and finiteness',
  ],
  [
    'the logarithm of a negative number',
    continuous((model) => withLogProb(model, (x) => logJointSum(model, x).log())),
    'shapes and finiteness',
  ],
  [
    'a weight that the loss multiplies by 0',
    continuous((model, rng) => {
      const idle = randomWeight([3], rng.fork('idle'));
      const [objective] = model.objectives;
      const loss: Objective['loss'] = (batch, noise) =>
        tf.tidy(() => lossOf(model)(batch, noise).add(idle.sum().mul(0)));
      return { ...model, objectives: [{ ...objective!, variables: [...objective!.variables, idle], loss }] };
    }),
    'a step of an objective moves every variable it lists, and no other',
  ],
  [
    'an objective that also moves another’s weights',
    continuous((model) => {
      const [first, ...rest] = variablesOf(model) as [tf.Variable, ...tf.Variable[]];
      const [objective] = model.objectives;
      const meddling: Objective['loss'] = (batch, rng) => {
        tf.tidy(() => rest[0]!.assign(rest[0]!.add(0.1)));
        return lossOf(model)(batch, rng);
      };
      return {
        ...model,
        objectives: [
          { ...objective!, variables: [first], loss: meddling },
          { ...objective!, variables: rest },
        ],
      };
    }),
    'a step of an objective moves every variable it lists, and no other',
  ],
  ['a gradient that is cut off on one of two ways', continuous(halfCutOff), 'the gradient of the loss is its slope'],
  [
    'the sum over the batch for its mean',
    continuous((model) => withLoss(model, ({ x }) => tf.tidy(() => logJointSum(model, x).sum().neg()))),
    'the loss is the mean of −log p',
  ],
  [
    'a loss that is another one when it is traced',
    continuous((model) =>
      withLoss(model, (batch, rng) =>
        tf.tidy(() => lossOf(model)(batch, rng).mul(tf.getBackend() === 'cpu' ? 1 : 1.1)),
      ),
    ),
    'compiled training is eager training',
  ],
  [
    'a loss with the wrong sign',
    continuous((model) => withLoss(model, (batch, rng) => tf.tidy(() => lossOf(model)(batch, rng).neg()))),
    'a short training lowers the validation loss',
  ],
  [
    'a log p(x) without tidy',
    continuous((model) => ({
      ...model,
      likelihood: { kind: 'exact', logProb: (x) => logJointSum(model, x).neg().neg() },
    })),
    'no tensor is left behind',
  ],
  [
    'a weight that no objective lists, and no file keeps',
    continuous((model, rng) => {
      const shift = randomWeight([1, 2], rng.fork('shift'));
      return withLogProb(model, (x) => logJointSum(model, x.sub(shift)));
    }),
    'saved and loaded, the same numbers',
  ],
  [
    'any shape is flattened until it fits',
    discrete((model) => withLogProb(model, (x) => logJointSum(model, x.flatten().slice(0, 3).reshape([1, 3])))),
    'a wrong event shape is an error that names both shapes',
  ],
];

const lawOf = (name: string) => laws.find((law) => law.name === name) ?? expect.fail(`no law is named '${name}'`);

test.each(mutants)('%s breaks the law “$2”', async (_, mutant, law) => {
  await expect(lawOf(law).check(mutant)).rejects.toMatchObject({ name: 'AssertionError' });
});

test('every law has a mutant that breaks it', () => {
  const broken = new Set(mutants.map(([, , law]) => law));
  expect(laws.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
});

describe('the right models break none', () => {
  const identity: Mutation = (model) => model;
  for (const [kind, right] of [
    ['continuous', continuous(identity)],
    ['discrete', discrete(identity)],
  ] as const)
    test(kind, async () => {
      const model = right.create(createRng(1));
      for (const law of laws) if (law.appliesTo?.(model, right.support) ?? true) await law.check(right);
    });

  test('a gradient that is declared another one than the slope', async () => {
    const surrogate = continuous((model) => {
      const { objectives, ...rest } = halfCutOff(model);
      return { ...rest, objectives: objectives.map((objective) => ({ ...objective, gradient: 'surrogate' })) };
    });
    await lawOf('the gradient of the loss is its slope').check(surrogate);
  });

  test('an exact probability is a bound too', async () => {
    const bound = discrete((model) => {
      const { likelihood } = model as GenerativeModel;
      if (!('logProb' in likelihood)) return expect.fail('no logProb');
      return { ...model, likelihood: { ...likelihood, kind: 'lower-bound' } };
    });
    await lawOf('a bound on probabilities sums to at most 1').check(bound);
  });
});
