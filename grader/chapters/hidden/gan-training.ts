/** Chapter 15, for graders: a round of the game, the penalty, and what is counted. */
import * as tf from '@tensorflow/tfjs';
import { expectClose, expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import { given, type Hidden } from '../../exercise/exercise';
import { checkCoverage, sceneOf } from '../checks/gan-coverage';
import { checkPenalty, picturesOf } from '../checks/gan-penalty';
import { checkRound, roundOf } from '../checks/gan-round';

export const round: Hidden = {
  checks: [
    {
      name: 'more dimensions, and longer steps',
      sameForAll: true,
      async run({ call, rng }) {
        await checkRound(call, roundOf(rng.fork('wide'), 3, 7, 0.2));
        await checkRound(call, roundOf(rng.fork('long'), 10, 2, 1.5));
      },
    },
    {
      name: 'a critic that says the same of all does not move the generator',
      law: true,
      async run({ call }) {
        const weights = { critic: tf.tensor1d([0.4]), generator: tf.tensor1d([0.7]) };
        const batch = { x: tf.tensor2d([[1]]), z: tf.tensor2d([[0.3]]) };
        const score = given('(x, w) => x.mul(0).sum(1).add(w.sum().mul(0.5))');
        const make = given('(z, theta) => z.mul(theta)');
        const got = expectFields(await call(weights, score, make, batch, 0.5), ['generator']);
        expectClose(expectTensor(got['generator'], { shape: [1] }), tf.tensor1d([0.7]), { what: 'the generator’s weights' }); // prettier-ignore
      },
    },
  ],
  mistakes: [
    {
      name: 'the critic of before',
      source:
        'Mescheder, Geiger and Nowozin (2018): simultaneous steps, which keep the game farther from its rest than alternating ones',
      replace: 'score(make(z, theta), critic)',
      by: 'score(make(z, theta), weights.critic)',
    },
    {
      name: 'the critic moves the generator',
      source:
        'heykeetae/Self-Attention-GAN, issue 48, and many: samples of which the critic’s loss has a slope, and one optimiser over all',
      replace: 'weights.generator.sub(',
      by: 'weights.generator.sub(tf.grad((theta: tf.Tensor) => score(make(z, theta), weights.critic).softplus().mean())(weights.generator).mul(rate)).sub(',
    },
    {
      name: 'the saturated loss',
      source: 'intro_dgm’s GAN notebook: ln(1 − D)',
      replace: 'score(make(z, theta), critic).neg().softplus().mean()',
      by: 'score(make(z, theta), critic).softplus().mean().neg()',
    },
    {
      name: 'samples without a slope',
      source: 'nikhilsinghmus/image2reverb, issue 37: the samples were detached in the generator’s own step, too',
      replace: 'score(make(z, theta), critic)',
      by: 'score(make(z, theta.mul(0).add(Array.from(theta.dataSync()))), critic)',
    },
  ],
};

export const penalty: Hidden = {
  checks: [
    {
      name: 'more pictures, higher than wide',
      sameForAll: true,
      async run({ call, rng }) {
        await checkPenalty(call, picturesOf(rng.fork('high'), [4, 3, 2], 0.4));
        await checkPenalty(call, picturesOf(rng.fork('many'), [8, 2, 2], 1.3));
      },
    },
    {
      name: 'a critic of slope 1 pays nothing',
      law: true,
      async run({ call, rng }) {
        const critic = given('(x) => x.mul(0.5).sum([1, 2])');
        const [real, fake] = ['real', 'fake'].map((label) => rng.fork(label).normal([3, 2, 2])) as [
          tf.Tensor,
          tf.Tensor,
        ];
        const uniform = given('(shape) => tf.fill(shape, 0.5)');
        const got = expectTensor(await call(critic, real, fake, uniform), { shape: [] });
        expectClose(expectNumber(got.dataSync()[0]!), 0, { what: 'the penalty', atol: 1e-4 });
      },
    },
  ],
  mistakes: [
    {
      name: 'a place for each number',
      source: 'eriklindernoren/PyTorch-GAN, issue 5, and hwalsuklee/tensorflow-generative-model-collections, issue 33',
      replace: 'uniform([real.shape[0]!, 1, 1])',
      by: 'uniform(real.shape)',
    },
    {
      name: 'the length along one axis',
      source: 'caogang/wgan-gp, issues 25 and 56; Zeleni9/pytorch-wgan, issue 40: norm(2, dim=1) of pictures',
      replace: 'sum([1, 2])',
      by: 'sum(1)',
    },
    {
      name: 'the mean’s slope',
      source: 'common: the gradient of a batch’s mean, which gets smaller the larger the batch is',
      replace: 'critic(at).sum()',
      by: 'critic(at).mean()',
    },
    {
      name: 'at the data',
      source: 'common: R1’s points with the target of WGAN-GP',
      replace: 'fake.mul(tf.sub(1, u))',
      by: 'real.mul(tf.sub(1, u))',
    },
  ],
};

const CUBE = [[0, 0, 0], [5, 0, 0], [0, 5, 0], [0, 0, 5], [5, 5, 5]] as const; // prettier-ignore

export const coverage: Hidden = {
  checks: [
    {
      name: 'in three dimensions, evenly and unevenly',
      sameForAll: true,
      async run({ call, rng }) {
        await checkCoverage(call, sceneOf(rng.fork('even'), CUBE, [9, 9, 9, 9, 9], 0.7));
        await checkCoverage(call, sceneOf(rng.fork('odd'), CUBE, [80, 2, 1, 0, 40], 1.2));
      },
    },
    {
      name: 'one mode has it all: ln K',
      law: true,
      async run({ call }) {
        const got = expectFields(
          await call(
            [
              [0, 0],
              [0, 0.1],
            ],
            [
              [0, 0],
              [9, 9],
              [0, 9],
            ],
            1,
          ),
          ['kl'],
        );
        expectClose(expectNumber(got['kl']), Math.log(3), { what: 'the KL' });
      },
    },
  ],
  mistakes: [
    {
      name: 'a stray sample covers a mode',
      source: 'common: a mode with one sample among thousands is counted as found',
      replace: 'count >= (0.1 * samples.length) / modes.length',
      by: 'count > 0',
    },
    {
      name: 'everything belongs to some mode',
      source: 'common: nearest neighbours without a radius, by which noise covers all modes evenly',
      replace: 'nearest <= radius',
      by: 'nearest < Infinity',
    },
    {
      name: '0 ln 0',
      source: 'common: NaN where a mode has no sample',
      replace: 'share === 0 ? 0 : ',
      by: '',
    },
    {
      name: 'the entropy',
      source: 'common: ln K forgotten',
      replace: 'Math.log(share * modes.length)',
      by: 'Math.log(share)',
    },
  ],
};
