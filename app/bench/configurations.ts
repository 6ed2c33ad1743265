/**
 * Nine small models, one of each kind that the chapters train: what the speed of a training step is measured on.
 * `peer.py` has the same nine in PyTorch: the same layers, sizes, batch, loss and random numbers a step.
 *
 * All of them see digits of 8×8 pixels, D = 64 values in 0 … 16, drawn anew for every step.
 */
import * as tf from '@tensorflow/tfjs';
import {
  type Batch,
  causalConv1d,
  constantWeight,
  dequantise,
  detach,
  embedding,
  klNormal,
  layerNorm,
  leakyRelu,
  linear,
  logCategorical,
  logNormal,
  logSumExp,
  mlp,
  type Network,
  type Objective,
  randomWeight,
  type Rng,
  sequential,
  transformerBlock,
  weight,
} from 'dgm';

/** A model ready to train, and its data. */
export interface Workload {
  readonly objectives: readonly Objective[];
  /** A batch of fresh data; the caller disposes it. */
  batch(rng: Rng): Batch;
}

export type Sizes = Readonly<Record<string, number>>;

export interface Configuration {
  readonly name: string;
  readonly title: string;
  readonly sizes: Sizes;
  /** @param sizes replaces some of the sizes */
  create(rng: Rng, sizes?: Sizes): Workload;
}

/** Pixel values: 0 … V − 1. */
const V = 17;

function configuration<S extends Sizes>(
  name: string,
  title: string,
  sizes: S,
  build: (sizes: S, rng: Rng) => Workload,
): Configuration {
  return { name, title, sizes, create: (rng, changed = {}) => build({ ...sizes, ...changed }, rng) };
}

// Data

/** Integers 0 … values − 1. */
function integers(shape: readonly number[], values: number, rng: Rng): Float32Array {
  const draws = rng.uniform(shape);
  const whole = (draws.dataSync() as Float32Array).map((u) => Math.floor(u * values));
  draws.dispose();
  return whole;
}

type Image = { readonly batch: number; readonly D: number };

/** x [B, D]: pixel values as they are. */
const pixels =
  ({ batch, D }: Image) =>
  (rng: Rng): Batch => ({ x: tf.tensor2d(integers([batch, D], V, rng), [batch, D]) });

/** x [B, D]: pixel values scaled to [−1, 1]. */
const centred =
  ({ batch, D }: Image) =>
  (rng: Rng): Batch => {
    const values = integers([batch, D], V, rng).map((v) => (2 * v) / (V - 1) - 1);
    return { x: tf.tensor2d(values, [batch, D]) };
  };

// Models

function single(
  name: string,
  estimates: Objective['estimates'],
  variables: readonly tf.Variable[],
  loss: Objective['loss'],
): readonly Objective[] {
  return [{ name, estimates, variables, loss: (batch, rng) => tf.tidy(() => loss(batch, rng)) }];
}

const variablesOf = (...networks: readonly Network[]): tf.Variable[] => networks.flatMap(({ variables }) => variables);

/** Two halves of the last axis: [B, 2 D] → [B, D] twice. */
const halves = (x: tf.Tensor): [tf.Tensor, tf.Tensor] => tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];

const mixture = configuration(
  'mixture',
  'Gaussian mixture, K = 25, by gradient',
  { batch: 64, D: 64, K: 25 },
  ({ batch, D, K }, rng) => {
    const logits = constantWeight([K], 0);
    const mu = weight(rng.uniform([K, D]));
    const logVar = constantWeight([K, D], 0);
    return {
      batch: pixels({ batch, D }),
      objectives: single('nll', 'nll', [logits, mu, logVar], ({ x }) => {
        const z = x.div(V - 1).expandDims(1); // [B, 1, D]
        const squares = z.sub(mu).square().mul(logVar.neg().exp()); // [B, K, D]
        const each = squares
          .add(logVar)
          .add(Math.log(2 * Math.PI))
          .mul(-0.5)
          .sum(2); // [B, K]
        return logSumExp(each.add(tf.logSoftmax(logits)), 1)
          .mean()
          .neg();
      }),
    };
  },
);

const armConv = configuration(
  'arm-conv',
  'autoregressive, four causal convolutions of 256 channels, kernel 7',
  { batch: 64, D: 64, channels: 256, kernel: 7 },
  ({ batch, D, channels, kernel }, rng) => {
    const net = causalConvolutions([1, channels, channels, channels, V], kernel, rng);
    return {
      batch: pixels({ batch, D }),
      objectives: single('nll', 'nll', net.variables, ({ x }) =>
        logCategorical(x, net.apply(x.expandDims(2)))
          .mean()
          .neg(),
      ),
    };
  },
);

function causalConvolutions(channels: readonly number[], kernel: number, rng: Rng): Network {
  const layers = channels.slice(1).map((outputs, i) => {
    const options = { inputs: channels[i]!, outputs, kernel, strict: i === 0 };
    return causalConv1d(options, rng.fork(`layer ${i}`));
  });
  return sequential(...layers.flatMap((layer, i) => (i === 0 ? [layer] : [leakyRelu, layer])));
}

const armTransformer = configuration(
  'arm-transformer',
  'autoregressive, four transformer blocks of width 64 with 4 heads',
  { batch: 64, D: 64, width: 64, heads: 4, blocks: 4 },
  ({ batch, D, width, heads, blocks }, rng) => {
    const values = embedding(V + 1, width, rng.fork('values')); // the last one stands for the start
    const positions = randomWeight([D, width], rng.fork('positions'));
    const stack = Array.from({ length: blocks }, (_, i) => transformerBlock(width, heads, rng.fork(`block ${i}`)));
    const body = sequential(...stack, layerNorm(width), linear(width, V, rng.fork('head')));
    return {
      batch: pixels({ batch, D }),
      objectives: single('nll', 'nll', [...values.variables, positions, ...body.variables], ({ x }) => {
        const before = tf.concat([tf.fill([batch, 1], V), x.slice([0, 0], [batch, D - 1])], 1); // [B, D]
        const h = values.apply(before.toInt()).add(positions); // [B, D, width]
        return logCategorical(x, body.apply(h)).mean().neg();
      }),
    };
  },
);

const realNvp = configuration(
  'realnvp',
  'flow, eight affine couplings with networks 32-256-256-32, dequantised',
  { batch: 64, D: 64, flows: 8, width: 256 },
  ({ batch, D, flows, width }, rng) => {
    const sizes = [D / 2, width, width, D / 2];
    const couplings = Array.from({ length: flows }, (_, i) => ({
      s: mlp(sizes, rng.fork(`s ${i}`), { last: tf.tanh }),
      t: mlp(sizes, rng.fork(`t ${i}`)),
    }));
    const variables = couplings.flatMap(({ s, t }) => variablesOf(s, t));
    return {
      batch: pixels({ batch, D }),
      objectives: single('nll', 'bound', variables, ({ x }, noise) => {
        let z = dequantise(x, noise);
        let logDet: tf.Tensor = tf.zeros([batch]);
        for (const { s, t } of couplings) {
          const [a, b] = halves(z);
          const scale = s.apply(a);
          z = tf.concat([a, b.sub(t.apply(a)).mul(scale.neg().exp())], 1).reverse(1);
          logDet = logDet.sub(scale.sum(1));
        }
        return logNormal(z, tf.scalar(0), tf.scalar(0)).add(logDet).mean().neg();
      }),
    };
  },
);

const vae = configuration(
  'vae',
  'variational autoencoder 64-256-256-32 / 16-256-256-64·17',
  { batch: 64, D: 64, L: 16, width: 256 },
  ({ batch, D, L, width }, rng) => {
    const encoder = mlp([D, width, width, 2 * L], rng.fork('encoder'));
    const decoder = mlp([L, width, width, D * V], rng.fork('decoder'));
    return {
      batch: pixels({ batch, D }),
      objectives: single('elbo', 'bound', variablesOf(encoder, decoder), ({ x }, noise) => {
        const [mu, logVar] = halves(encoder.apply(x));
        const z = mu.add(
          logVar
            .mul(0.5)
            .exp()
            .mul(noise.normal([batch, L])),
        );
        const logits = decoder.apply(z).reshape([batch, D, V]);
        return klNormal(mu, logVar).sub(logCategorical(x, logits)).mean();
      }),
    };
  },
);

const ddgm = configuration(
  'ddgm',
  'diffusion as a deep latent-variable model, T = 5, a network for each step',
  { batch: 64, D: 64, T: 5, width: 256 },
  ({ batch, D, T, width }, rng) => {
    const beta = 0.9;
    const steps = Array.from({ length: T - 1 }, (_, i) => mlp([D, width, width, width, 2 * D], rng.fork(`step ${i}`)));
    const decoder = mlp([D, 2 * width, 2 * width, 2 * width, D], rng.fork('decoder'), { last: tf.tanh });
    return {
      batch: centred({ batch, D }),
      objectives: single('elbo', 'bound', variablesOf(...steps, decoder), ({ x }, noise) => {
        const z = [x]; // z[0] is the data
        for (let t = 1; t <= T; t++)
          z.push(z[t - 1]!.mul(Math.sqrt(1 - beta)).add(noise.normal([batch, D]).mul(Math.sqrt(beta))));
        const kls = steps.map((step, i) => {
          const [mu, logVar] = halves(step.apply(z[i + 2]!)); // of z[i + 1], given z[i + 2]
          return klNormal(z[i]!.mul(Math.sqrt(1 - beta)), tf.scalar(Math.log(beta)), mu, logVar);
        });
        return tf
          .addN(kls)
          .sub(logNormal(x, decoder.apply(z[1]!), tf.scalar(0)))
          .mean();
      }),
    };
  },
);

const flowMatching = configuration(
  'flow-matching',
  'conditional flow matching, 64-512-512-512-64 with an embedding of time',
  { batch: 64, D: 64, width: 512 },
  ({ batch, D, width }, rng) => {
    const time = linear(1, D, rng.fork('time'));
    const velocity = mlp([D, width, width, width, D], rng.fork('velocity'), { activation: tf.selu });
    return {
      batch: centred({ batch, D }),
      objectives: single('matching', 'other', variablesOf(time, velocity), ({ x }, noise) => {
        const t = noise.uniform([batch, 1]);
        const start = noise.normal([batch, D]);
        const between = start.mul(tf.sub(1, t)).add(x.mul(t));
        const v = velocity.apply(between.add(time.apply(t).tanh()));
        return v.sub(x.sub(start)).square().sum(1).mean();
      }),
    };
  },
);

const jem = configuration(
  'jem',
  'joint energy-based model 64-512-512-512-10, 20 Langevin steps for every update',
  { batch: 64, D: 64, classes: 10, width: 512, steps: 20 },
  ({ batch, D, classes, width, steps }, rng) => {
    const net = mlp([D, width, width, width, classes], rng, { activation: tf.elu });
    const negEnergy = (x: tf.Tensor): tf.Tensor => logSumExp(net.apply(x), 1); // [B]
    const uphill = tf.grad((x: tf.Tensor) => negEnergy(x).sum());
    const langevin = (start: tf.Tensor, noise: Rng): tf.Tensor => {
      let x = start;
      for (let i = 0; i < steps; i++) x = detach(x.add(uphill(x)).add(noise.normal([batch, D]).mul(0.01)));
      return x;
    };
    return {
      batch: (data) => {
        const { x } = centred({ batch, D })(data);
        return { x, y: tf.tensor1d(Int32Array.from(integers([batch], classes, data)), 'int32') };
      },
      objectives: single('nll', 'other', net.variables, ({ x, y }, noise) => {
        const sampled = langevin(noise.uniform([batch, D]).mul(2).sub(1), noise);
        const logits = net.apply(x);
        const target = tf.oneHot(y as tf.Tensor1D, classes);
        const logProb = tf.logSoftmax(logits).mul(target).sum(1); // ln p(y | x)
        return negEnergy(sampled).sub(logSumExp(logits, 1)).sub(logProb).mean();
      }),
    };
  },
);

const gan = configuration(
  'gan',
  'non-saturating GAN, 16-128-64 against 64-128-1: a step of each',
  { batch: 64, D: 64, L: 16, width: 128 },
  ({ batch, D, L, width }, rng) => {
    const generator = mlp([L, width, D], rng.fork('generator'), { activation: tf.relu, last: tf.tanh });
    const critic = mlp([D, width, 1], rng.fork('critic'), { activation: tf.relu });
    const fake = (noise: Rng): tf.Tensor => generator.apply(noise.normal([batch, L]));
    return {
      batch: centred({ batch, D }),
      objectives: [
        ...single('critic', 'other', critic.variables, ({ x }, noise) => {
          const real = tf.softplus(critic.apply(x).neg()).mean();
          return real.add(tf.softplus(critic.apply(detach(fake(noise)))).mean());
        }),
        ...single('generator', 'other', generator.variables, (_, noise) =>
          tf.softplus(critic.apply(fake(noise)).neg()).mean(),
        ),
      ],
    };
  },
);

/** In the order of the table. */
export const configurations: readonly Configuration[] = [
  mixture,
  armConv,
  armTransformer,
  realNvp,
  vae,
  ddgm,
  flowMatching,
  jem,
  gan,
];
