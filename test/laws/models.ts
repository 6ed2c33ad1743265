/** Small right models of the kinds that laws speak of, with the truth about them; and what a mutant may change. */
import * as tf from '@tensorflow/tfjs';
import {
  constantWeight,
  detach,
  expectShape,
  type GenerativeModel,
  klNormal,
  LOG_2PI,
  logNormal,
  logSumExp,
  randomWeight,
  type Rng,
  sampler,
  type SampleOptions,
} from 'dgm';
import { loop, type Body } from '../../lib/sampling/sampler';
import type { Specimen } from './specimen';

const plane = { support: { kind: 'continuous', low: -12, high: 12 }, learningRate: 0.05, batchSize: 50 } as const;

// A bound: one latent variable, and an encoder that is not the posterior

/** What an evidence lower bound is made of, for one draw of z ~ q(z | x): [B] each. */
interface BoundTerms {
  /** ln p(x | z) */
  readonly reconstruction: tf.Tensor;
  /** KL[q(z | x) ‖ p(z)], in closed form */
  readonly kl: tf.Tensor;
  /** ln p(z) − ln q(z | x), whose mean over z is −kl */
  readonly logRatio: tf.Tensor;
}

interface FactorParts {
  /** Of one draw; its exp must be p(x) on average. Default: ln p(x | z) + ln p(z) − ln q(z | x). */
  readonly bound?: (terms: BoundTerms) => tf.Tensor;
  /** Default: −(ln p(x | z) − KL) */
  readonly loss?: (terms: BoundTerms) => tf.Tensor;
}

/** Probabilistic PCA with one factor: z ~ N(0, 1), x = w z + b + σ ε, so that p(x) = N(b, w wᵀ + σ² I). */
interface FactorModel extends GenerativeModel {
  readonly weights: { readonly w: tf.Variable; readonly b: tf.Variable; readonly logVar: tf.Variable };
}

export function factorModel({ bound, loss }: FactorParts = {}): Specimen {
  return { ...plane, create: (rng) => createFactorModel(rng, { bound, loss } as FactorParts), exact: exactFactor };
}

function createFactorModel(rng: Rng, { bound, loss }: FactorParts): FactorModel {
  const w = randomWeight([2], rng.fork('w'), { mean: 1, scale: 0.5 });
  const b = randomWeight([2], rng.fork('b'));
  const logVar = constantWeight([1], -0.5);
  const [slope, offset] = [randomWeight([2], rng.fork('slope')), constantWeight([1], 0)];
  const width = constantWeight([1], 0.2);
  const normal = (z: tf.Tensor, mu: tf.Tensor, logVarZ: tf.Tensor) => logNormal(z.expandDims(1), mu, logVarZ); // [B]
  const terms = (x: tf.Tensor, noise: Rng): BoundTerms => {
    expectShape('factor: x', x, ['B', 2]);
    // q(z | x): the posterior, but for an error in its mean, of half its width at most, and in its width; both are learnt
    const scale = w.square().sum().add(logVar.exp()); // [1]
    const posterior = logVar.sub(scale.log()); // ln of its variance
    const error = x.matMul(slope.expandDims(1)).squeeze([1]).add(offset).tanh().mul(posterior.mul(0.5).exp()).mul(0.5); // prettier-ignore
    const mu = x.sub(b).matMul(w.expandDims(1)).squeeze([1]).div(scale).add(error); // [B]
    const logWidth = posterior.add(width); // [1]
    const z = mu.add(
      logWidth
        .mul(0.5)
        .exp()
        .mul(noise.normal([x.shape[0]!])),
    );
    const centre = z.expandDims(1).mul(w).add(b); // [B, 2]
    return {
      reconstruction: logNormal(x, centre, logVar),
      kl: klNormal(mu.expandDims(1), logWidth),
      logRatio: normal(z, tf.scalar(0), tf.scalar(0)).sub(normal(z, mu.expandDims(1), logWidth)),
    };
  };
  const boundOf = bound ?? (({ reconstruction, logRatio }) => reconstruction.add(logRatio));
  const lossOf = loss ?? (({ reconstruction, kl }) => kl.sub(reconstruction));
  return {
    eventShape: [2],
    weights: { w, b, logVar },
    likelihood: { kind: 'lower-bound', logProb: (x, noise) => tf.tidy(() => boundOf(terms(x, noise))) },
    objectives: [
      {
        name: 'negative evidence lower bound',
        estimates: 'bound',
        variables: [w, b, logVar, slope, offset, width],
        loss: ({ x }, noise) => tf.tidy(() => lossOf(terms(x, noise)).mean()),
      },
    ],
    sample: sampler('factor', ({ count, rng: noise }) => {
      const z = noise.fork('z').normal([count, 1]);
      return z
        .mul(w)
        .add(b)
        .add(noise.fork('x').normal([count, 2]).mul(logVar.mul(0.5).exp()));
    }),
  };
}

/** ln N(x; b, w wᵀ + σ² I), by the matrix determinant lemma and the formula of Sherman and Morrison. */
function exactFactor({ weights: { w, b, logVar } }: FactorModel, x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const variance = logVar.exp(); // [1]
    const share = w.square().sum().div(variance); // [1]
    const d = x.sub(b); // [B, 2]
    const along = d.matMul(w.expandDims(1)).squeeze([1]).square(); // [B]
    const squares = d.square().sum(1).sub(along.div(variance.mul(share.add(1)))).div(variance); // prettier-ignore
    return squares.add(logVar.mul(2)).add(share.add(1).log()).add(2 * LOG_2PI).mul(-0.5); // prettier-ignore
  });
}

// An energy: three visible and two hidden spins

interface EnergyParts {
  /** Sweeps of a chain. Default: as many as forget where it began. */
  readonly sweeps?: number;
  /** How many times the hidden spins count in ln Z. */
  readonly logZShift?: number;
  /** What is added to the negative energy of a batch, [B]. */
  readonly extra?: (x: tf.Tensor) => tf.Tensor;
}

/** A restricted Boltzmann machine, p(x) ∝ Σ_h exp(b·x + c·h + x W h), sampled by block Gibbs sweeps. */
export function boltzmannMachine(parts: EnergyParts = {}): Specimen {
  const support = { kind: 'discrete', values: [0, 1] } as const;
  return { support, learningRate: 0.05, batchSize: 50, create: (rng) => createBoltzmann(rng, parts) };
}

function createBoltzmann(rng: Rng, { sweeps = 60, logZShift = 0, extra }: EnergyParts): GenerativeModel {
  const W = randomWeight([3, 2], rng.fork('W'), { scale: 0.7 });
  const [b, c] = [randomWeight([3], rng.fork('b')), randomWeight([2], rng.fork('c'))];
  const negEnergy = (x: tf.Tensor) =>
    tf.tidy(() => {
      expectShape('boltzmann: x', x, ['B', 3]);
      const energy = x.mul(b).sum(1).add(x.matMul(W).add(c).softplus().sum(1)); // [B]
      return extra ? energy.add(extra(x)) : energy;
    });
  const flip = (logits: tf.Tensor, noise: Rng) => noise.uniform(logits.shape).less(logits.sigmoid()).toFloat();
  const sweep = (x: tf.Tensor, noise: Rng) => {
    const h = flip(x.matMul(W).add(c), noise.fork('h'));
    return flip(h.matMul(W, false, true).add(b), noise.fork('x'));
  };
  const chain: Body = ([x], _, noise) => [sweep(x!, noise)];
  const loops = { auto: loop(chain), eager: loop(chain, { engine: 'eager' }) };
  return {
    eventShape: [3],
    likelihood: {
      kind: 'unnormalised',
      negEnergy,
      logZ: () =>
        tf.tidy(() => {
          const h = tf.tensor2d([[0, 0], [0, 1], [1, 0], [1, 1]]); // prettier-ignore
          const each = h
            .mul(c)
            .sum(1)
            .add(h.matMul(W, false, true).add(b).softplus().sum(1)); // [4]
          return logSumExp(each, 0).add(logZShift);
        }),
    },
    objectives: [
      {
        name: 'contrastive divergence',
        estimates: 'other',
        gradient: 'surrogate',
        variables: [W, b, c],
        loss: ({ x }, noise) =>
          tf.tidy(() => {
            const data = negEnergy(x).mean();
            return negEnergy(detach(sweep(x, noise)))
              .mean()
              .sub(data);
          }),
      },
    ],
    sample: sampler(
      'boltzmann',
      ({ count, rng: noise, engine }) => {
        const start = noise.fork('start').uniform([count, 3]).less(0.5).toFloat();
        return loops[engine]([start], sweeps, noise.fork('chain'))[0]!;
      },
      { loops },
    ),
  };
}

// Samples alone: a Gaussian pushed through a matrix, whose density nobody writes down

interface PushedParts {
  readonly draw?: (z: tf.Tensor, A: tf.Tensor, b: tf.Tensor) => tf.Tensor;
}

/** x = A z + b with z ~ N(0, I), trained on the energy score 2 E‖x − g‖ − E‖g − g′‖ (Gneiting and Raftery, 2007). */
interface PushedModel extends GenerativeModel {
  readonly weights: { readonly A: tf.Variable; readonly b: tf.Variable };
}

export function pushedGaussian({ draw = (z, A, b) => z.matMul(A).add(b) }: PushedParts = {}): Specimen {
  const create = (rng: Rng): PushedModel => {
    const [A, b] = [randomWeight([2, 2], rng.fork('A')), randomWeight([2], rng.fork('b'))];
    const generated = (count: number, noise: Rng) => draw(noise.normal([count, 2]), A, b);
    const distance = (u: tf.Tensor, v: tf.Tensor) => u.sub(v).square().sum(1).add(1e-3).sqrt().mean();
    return {
      eventShape: [2],
      weights: { A, b },
      likelihood: { kind: 'implicit' },
      objectives: [
        {
          name: 'energy score',
          estimates: 'other',
          variables: [A, b],
          loss: ({ x }, noise) =>
            tf.tidy(() => {
              const { B } = expectShape('pushed: x', x, ['B', 2]);
              const [g, other] = [generated(B!, noise.fork('g')), generated(B!, noise.fork('other'))];
              return distance(x, g).mul(2).sub(distance(g, other));
            }),
        },
      ],
      sample: sampler('pushed', ({ count, rng: noise }) => generated(count, noise)),
    };
  };
  return { ...plane, create, truth: truthOfPushed };
}

/** N(b, Aᵀ A) by way of its covariance: the first coordinate, then the second given the first. */
function truthOfPushed({ weights: { A, b } }: PushedModel, count: number, rng: Rng): tf.Tensor {
  return tf.tidy(() => {
    const covariance = A.matMul(A, true).arraySync() as number[][];
    const [[s11, s12], [, s22]] = covariance as [[number, number], [number, number]];
    const first = rng.fork('first').normal([count]).mul(Math.sqrt(s11));
    const rest = Math.sqrt(s22 - s12 ** 2 / s11);
    const second = first.mul(s12 / s11).add(rng.fork('second').normal([count]).mul(rest));
    return tf.stack([first, second], 1).add(b);
  });
}

// Labels: a Gaussian for each class

interface LabelledOptions extends SampleOptions {
  /** Labels to draw from, [count]: int32. Default: any, by p(y). */
  readonly y?: tf.Tensor;
}

/** p(x, y) = π_y N(x; mu_y, I), trained on pairs. */
export function labelledGaussians(): Specimen {
  const create = (rng: Rng): GenerativeModel => {
    const [logits, mu] = [constantWeight([3], 0), randomWeight([3, 2], rng.fork('mu'))];
    const joint = (x: tf.Tensor) => {
      expectShape('labelled: x', x, ['B', 2]);
      const each = Array.from({ length: 3 }, (_, k) => logNormal(x, mu.slice([k, 0], [1, -1]), tf.scalar(0)));
      return tf.stack(each, 1).add(tf.logSoftmax(logits)); // [B, 3]
    };
    return {
      eventShape: [2],
      likelihood: { kind: 'exact', logProb: (x) => tf.tidy(() => logSumExp(joint(x), 1)) },
      objectives: [
        {
          name: '−ln p(x, y)',
          estimates: 'other',
          variables: [logits, mu],
          loss: ({ x, y }) =>
            tf.tidy(() => {
              const each = joint(x);
              if (!y) throw new Error('labelled: the batch has no labels y');
              return each.mul(tf.oneHot(y as tf.Tensor1D, 3)).sum(1).mean().neg(); // prettier-ignore
            }),
        },
      ],
      sample: sampler<LabelledOptions>(
        'labelled',
        ({ count, rng: noise, y }) => {
          const gumbel = noise.fork('y').uniform([count, 3]).maximum(2 ** -25).log().neg().log().neg(); // prettier-ignore
          const k = y ?? gumbel.add(logits).argMax(1);
          return noise
            .fork('x')
            .normal([count, 2])
            .add(tf.gather(mu, k.toInt() as tf.Tensor1D));
        },
        { takes: { y: (y, { count }) => expectShape('labelled: y', y, [count]) } },
      ),
    };
  };
  return { ...plane, labels: 3, create };
}
