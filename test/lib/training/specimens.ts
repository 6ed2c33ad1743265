/** Models whose objectives have an optimiser, a turn or a memory of their own, small enough for loops by hand. */
import * as tf from '@tensorflow/tfjs';
import {
  adam,
  type Batch,
  constantWeight,
  createRng,
  type FitOptions,
  type GenerativeModel,
  logNormal,
  type Objective,
  permutation,
  randomWeight,
  type Rng,
  sgd,
  withoutGradient,
} from 'dgm';

export const engines = ['auto', 'eager'] as const;
export const FLOAT = { absolute: 2e-5, relative: 2e-5 }; // of some ten steps in float32, of numbers of about 1

export const options: FitOptions = {
  epochs: 3,
  batchSize: 16,
  optimiser: sgd(0.05),
  rng: createRng('fit'),
  quiet: true,
};
export const points: Batch = { x: tf.tidy(() => createRng('points').normal([60, 1]).mul(0.5).add(2)) };
export const STEPS = 4; // an epoch: batches of 16, 16, 16 and 12

export const implicit = (objectives: readonly Objective[]): GenerativeModel => ({
  eventShape: [1],
  likelihood: { kind: 'implicit' },
  objectives,
  sample: ({ count, rng }) => rng.normal([count, 1]),
});

export const valuesOf = (variables: readonly tf.Variable[]) =>
  variables.flatMap((variable) => Array.from(variable.dataSync()));

/** The batches of `fit`, and their randomness, as its page says: one stream an epoch, a batch and an objective. */
export function* schedule({ x }: Batch, { epochs, batchSize, rng }: FitOptions) {
  const n = x.shape[0]!;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const stream = rng.fork(`epoch ${epoch}`);
    const order = permutation(n, stream.fork('order'));
    for (let start = 0, b = 0; start < n; start += batchSize, b++) {
      const rows = Array.from(order.slice(start, start + batchSize));
      yield { epoch, b, x: tf.gather(x, tf.tensor1d(rows, 'int32')), rng: stream.fork(`batch ${b}`) };
    }
  }
}

// A generator of normals, and a critic that is a parabola: two losses that read each other's weights.

interface Pair {
  readonly critic: Objective;
  readonly generator: Objective;
}

export function pair(): Pair {
  const [slope, bend] = [constantWeight([], 0.3), constantWeight([], -0.2)];
  const [scale, shift] = [constantWeight([1], 1), constantWeight([1], 0)];
  const score = (x: tf.Tensor) => x.mul(slope).add(x.square().mul(bend)).mean();
  const made = (x: tf.Tensor, rng: Rng) => rng.normal(x.shape).mul(scale).add(shift);
  const size = () => slope.square().add(bend.square());
  return {
    critic: {
      name: 'critic',
      estimates: 'other',
      variables: [slope, bend],
      loss: ({ x }, rng) => tf.tidy(() => score(made(x, rng)).sub(score(x)).add(size())),
    },
    generator: {
      name: 'generator',
      estimates: 'other',
      variables: [scale, shift],
      loss: ({ x }, rng) => tf.tidy(() => score(made(x, rng)).neg()),
    },
  };
}

export const EVERY = 3;
export const asked = ({ critic, generator }: Pair): GenerativeModel =>
  implicit([
    { ...critic, optimiser: sgd(0.05, { momentum: 0.9 }) },
    { ...generator, optimiser: adam(0.02), every: EVERY },
  ]);

// A restricted Boltzmann machine with persistent chains (Tieleman, 2008), and the same in plain numbers.

export const [VISIBLE, HIDDEN, RATE] = [4, 3, 0.2];
const CHAINS = 5;
export const bits: Batch = {
  x: tf.tidy(() => createRng('bits').uniform([60, VISIBLE]).less([0.9, 0.2, 0.7, 0.5]).toFloat()),
};

export function boltzmann(seed = 1): { readonly model: GenerativeModel; readonly chains: tf.Variable } {
  const rng = createRng(seed);
  const [w, b, c] = [
    randomWeight([VISIBLE, HIDDEN], rng.fork('w')),
    constantWeight([VISIBLE], 0),
    constantWeight([HIDDEN], 0),
  ];
  const chains = tf.variable(tf.tidy(() => rng.fork('chains').uniform([CHAINS, VISIBLE]).less(0.5).toFloat()));
  const freeEnergy = (v: tf.Tensor) => v.mul(b).sum(1).add(tf.softplus(tf.matMul(v as tf.Tensor2D, w as tf.Tensor2D).add(c)).sum(1)).neg(); // prettier-ignore
  const bernoulli = (p: tf.Tensor, noise: Rng) => noise.uniform(p.shape).less(p).toFloat();
  const gibbs = (v: tf.Tensor, noise: Rng) => {
    const h = bernoulli(
      tf
        .matMul(v as tf.Tensor2D, w as tf.Tensor2D)
        .add(c)
        .sigmoid(),
      noise.fork('h'),
    );
    return bernoulli(
      tf
        .matMul(h as tf.Tensor2D, w as tf.Tensor2D, false, true)
        .add(b)
        .sigmoid(),
      noise.fork('v'),
    );
  };
  const objective: Objective = {
    name: 'contrastive divergence',
    estimates: 'other',
    gradient: 'surrogate',
    variables: [w, b, c],
    memory: [chains],
    loss: ({ x }, noise, remember) =>
      tf.tidy(() => {
        const fantasies = withoutGradient(chains, (v) => gibbs(gibbs(v, noise.fork('1')), noise.fork('2')));
        remember?.([fantasies]);
        return freeEnergy(x).mean().sub(freeEnergy(fantasies).mean());
      }),
  };
  return { model: { ...implicit([objective]), eventShape: [VISIBLE] }, chains };
}

/** N(mu, 1), whose noise is scaled by what it remembers: the mean of what it has seen. */
export function remembering(
  seed = 1,
  change: Partial<Objective> = {},
): GenerativeModel & { readonly seen: tf.Variable } {
  const [mu, seen] = [randomWeight([1], createRng(seed)), tf.variable(tf.fill([1], seed))];
  const logProb = (x: tf.Tensor) => tf.tidy(() => logNormal(x, mu, tf.scalar(0)));
  const objective: Objective = {
    name: 'noisy',
    estimates: 'bound', // the noise adds half its variance
    variables: [mu],
    memory: [seen],
    loss: ({ x }, rng, remember) =>
      tf.tidy(() => {
        remember?.([seen.mul(0.9).add(x.mean(0).mul(0.1))]);
        return logProb(x.add(rng.normal(x.shape).mul(seen))).mean().neg(); // prettier-ignore
      }),
    ...change,
  };
  return { ...implicit([objective]), likelihood: { kind: 'exact', logProb }, seen };
}
