/** A right model with one mistake each, and the law that sees it: the laws must be able to fail. */
import * as tf from '@tensorflow/tfjs';
import {
  type Bijection,
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
  realNvp,
  type Rng,
  sampler,
  variablesOf,
} from 'dgm';
import { boltzmannMachine, factorModel, pushedGaussian } from './models';
import { specimenOf, type Specimen } from './specimen';

export type Mutation = (model: MixtureModel, rng: Rng) => GenerativeModel;

export const continuous = (mutate: Mutation): Specimen => mutated(specimenOf(gaussianMixture), mutate);
export const discrete = (mutate: Mutation): Specimen => mutated(specimenOf(categoricalMixture), mutate);

function mutated<Model extends GenerativeModel>(
  right: Specimen<Model>,
  mutate: (model: Model, rng: Rng) => GenerativeModel,
): Specimen {
  return { ...right, create: (rng) => mutate(right.create(rng), rng) };
}

const flow = (change: (bijection: Bijection) => Partial<Bijection>): Specimen =>
  mutated(specimenOf(realNvp), (model) => ({
    ...model,
    bijection: { ...model.bijection!, ...change(model.bijection!) },
  }));

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

/** The model as a bound on itself, which it is, with another bound or loss where a mutant has one. */
export function asBound(model: MixtureModel, { over = 0, lossOver = 0 } = {}): GenerativeModel {
  const { likelihood, objectives } = model as GenerativeModel;
  if (likelihood.kind !== 'exact') throw new Error('a mixture is exact');
  return {
    ...model,
    likelihood: { kind: 'lower-bound', logProb: (x, rng) => tf.tidy(() => likelihood.logProb(x, rng).add(over)) },
    objectives: objectives.map(({ loss, ...objective }) => ({
      ...objective,
      estimates: 'bound',
      loss: (batch, rng) => tf.tidy(() => loss(batch, rng).sub(lossOver)),
    })),
  };
}

/** The model's samples, changed. */
const withSamples = (model: GenerativeModel, change: (x: tf.Tensor) => tf.Tensor): GenerativeModel => ({
  ...model,
  sample: sampler('changed', ({ count, rng, engine }) => change(model.sample({ count, rng, engine }))),
});

/** What a function does where it is traced is not what it does elsewhere. */
const onlyTraced = (x: tf.Tensor, changed: tf.Tensor) => (tf.getBackend() === 'cpu' ? x : changed);

/** Its gradient is half the slope of its loss. */
export function halfCutOff(model: MixtureModel): GenerativeModel {
  return withLoss(model, (batch, rng) =>
    tf.tidy(() => {
      const loss = lossOf(model)(batch, rng);
      return loss.add(detach(loss)).mul(0.5);
    }),
  );
}

export const mutants: readonly (readonly [mistake: string, Specimen, law: string])[] = [
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
    discrete((model) => asBound(model, { over: Math.log(1.1) })),
    'exp of a bound sums to at most 1',
  ],
  [
    'a bound on a density that is none',
    continuous((model) => asBound(model, { over: Math.log(1.1) })),
    'exp of a bound sums to at most 1',
  ],
  [
    'a divergence with the wrong sign',
    factorModel({ bound: ({ reconstruction, kl }) => reconstruction.add(kl) }),
    'exp of a bound sums to at most 1',
  ],
  [
    'a bound with its divergence in closed form, taken for a weight: the mean of its exp is not p(x)',
    factorModel({ bound: ({ reconstruction, kl }) => reconstruction.sub(kl) }),
    'bound ≤ importance bound ≤ log p',
  ],
  [
    'half of the divergence, said to be a bound',
    factorModel({ loss: ({ reconstruction, kl }) => kl.mul(0.5).sub(reconstruction) }),
    'a loss that estimates a bound is not below the mean of −log p',
  ],
  [
    'a loss on integers that is too small for a bound',
    discrete((model) => asBound(model, { lossOver: Math.log(1.1) })),
    'a loss that estimates a bound is not below the mean of −log p',
  ],
  [
    'a ln Z that counts the hidden spins twice',
    boltzmannMachine({ logZShift: Math.LN2 }),
    'an energy has a partition function',
  ],
  [
    'an energy that is normalised over its batch',
    boltzmannMachine({ extra: (x) => x.sum(1).sub(x.sum(1).mean()) }),
    'an energy has a partition function',
  ],
  ['a chain that is stopped after one sweep', boltzmannMachine({ sweeps: 1 }), 'samples follow p'],
  [
    'one latent for all examples of a call',
    pushedGaussian({
      draw: (z, A, b) =>
        tf
          .tile(z.slice([0, 0], [1, 2]), [z.shape[0]!, 1])
          .matMul(A)
          .add(b),
    }),
    'an implicit model draws each example by itself, and from the truth where that is known',
  ],
  [
    'noise that is twice too wide',
    pushedGaussian({
      draw: (z, A, b) => z.mul(2).matMul(A).add(b),
    }),
    'an implicit model draws each example by itself, and from the truth where that is known',
  ],
  [
    'a log-determinant averaged over the coordinates',
    flow(({ toLatent }) => ({
      toLatent: (x) => {
        const { z, logDet } = toLatent(x);
        return { z, logDet: logDet.div(2) };
      },
    })),
    'the log-determinant is that of the numerical Jacobian',
  ],
  [
    'a way back that is the way there',
    flow(({ toLatent }) => ({ toData: (z) => toLatent(z).z })),
    'a bijection goes there and back',
  ],
  [
    'samples that are other ones when they are traced',
    continuous((model) => withSamples(model, (x) => onlyTraced(x, x.add(1)))),
    'compiled sampling is eager sampling',
  ],
  [
    'a sampler that looks at its values, and so is not compiled',
    continuous((model) => withSamples(model, (x) => (x.dataSync()[0]! > 100 ? x.neg() : x.clone()))),
    'compiled sampling is eager sampling',
  ],
  [
    'a sampler of its own, which nobody checks',
    continuous((model) => ({ ...model, sample: ({ count, rng }) => rng.normal([count, 2]) })),
    'a sampler refuses what it does not take, and says how it is asked',
  ],
  [
    'a log p(x) that is another one when it is traced',
    continuous((model) => withLogProb(model, (x) => onlyTraced(logJointSum(model, x), logJointSum(model, x).mul(1.1)))),
    'compiled log p is eager log p',
  ],
  [
    'samples with standard deviation exp(logVar)',
    continuous((model) => ({
      ...model,
      sample: sampler('wide', ({ count, rng }) => {
        const { pi, mu, logVar } = model.parameters();
        const k = categorical(pi!.log().expandDims(0).tile([count, 1]), rng) as tf.Tensor1D;
        return rng.normal([count, 2]).mul(tf.gather(logVar!.exp(), k)).add(tf.gather(mu!, k));
      }),
    })),
    'samples follow p',
  ],
  [
    'samples between the integers',
    discrete((model) => withSamples(model, (x) => x.add(0.5))),
    'the tiny world can be enumerated or integrated, and holds the samples',
  ],
  [
    'samples from a generator of its own',
    continuous((model) => ({ ...model, sample: sampler('its own', ({ count }) => tf.randomNormal([count, 2])) })),
    'all randomness comes from the rng',
  ],
  [
    'samples that ignore the rng',
    continuous((model) => ({
      ...model,
      sample: sampler('deaf', ({ count }) => model.sample({ count, rng: createRng(0) })),
    })),
    'all randomness comes from the rng',
  ],
  [
    'one sample too many',
    continuous((model) => withSamples(model, (x) => tf.concat([x, x.slice([0, 0], [1, 2])]))),
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
