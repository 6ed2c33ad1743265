/**
 * DIVA, a domain-invariant variational autoencoder:  x ~ p(x | z_d, z_x, z_y),  with a latent for each thing that varies:
 *   z_d ~ p(z_d | d) knows the domain,  z_y ~ p(z_y | y) the class,  z_x ~ N(0, I) the rest.
 *
 * Each has an encoder of its own, q(z_d | x) q(z_x | x) q(z_y | x), and classifiers q(d | z_d) and q(y | z_y) are trained
 * along. They are no part of the bound: what is reported is a bound on ln p(x), with d and y summed out of the priors.
 * Source: Ilse, Tomczak, Louizos and Welling, DIVA: Domain invariant variational autoencoders (2020).
 * Otherwise than there: a label that is not known is summed out of p(z_y), p(y) being even, where the paper takes the
 * expectation under q(y | z_y); priors are tables, a row for each domain and class.
 * Left out: examples of unknown domain in training, and warm-up of the KL.
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import { logNormal, logNormalComponents } from '../core/distributions';
import { logOfLabels, UNLABELLED } from '../core/labels';
import type { Card, Family, Objective, Rng } from '../core/model';
import { createRng } from '../core/random';
import { eventRows, expectShape, logSumExp } from '../core/tensor';
import { factorised } from '../latents/decoders';
import { exactLogProb, priorGrid } from '../latents/exact';
import { gaussianPosterior } from '../latents/gaussian';
import { denseDecoderNetwork, denseEncoder, type DenseOptions } from '../latents/networks';
import { categoricalValues } from '../latents/observations';
import type { Prior } from '../latents/parts';
import { variationalModel, type VariationalModel } from '../latents/variational';
import { constantWeight, linear, randomWeight, sequential, type Network } from '../networks/dense';

// 1 Family: p(x) = ∫ p(x | z) p(z_d) p(z_x) p(z_y) dz, with p(z_d) = (1/N) Σ_d p(z_d | d) over N domains, and so for y

/** Which part of z: what the domain says, what is left, and what the class says. */
export type DivaPart = 'domain' | 'rest' | 'class';

const PARTS: readonly DivaPart[] = ['domain', 'rest', 'class'];

export interface DivaConfig extends DenseOptions {
  /** Integers 0 … values − 1. */
  readonly values: number;
  readonly domains: number;
  /** C */
  readonly classes: number;
  /** Numbers in each part of z. */
  readonly latents: Readonly<Record<DivaPart, number>>;
  /** Features of a coordinate, as in vae.ts. */
  readonly rank: number;
  /** How much ln q(d | z_d) and ln q(y | z_y) count in training. */
  readonly domainWeight: number;
  readonly classWeight: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

export interface DivaModel extends VariationalModel {
  /** Means of q(z | x), part by part: [B, latents] each */
  means(x: tf.Tensor): Readonly<Record<DivaPart, tf.Tensor>>;
  /** ln q(y | z_y) at the mean of q(z_y | x): [B, ...event] → [B, C] */
  logClasses(x: tf.Tensor): tf.Tensor;
  /** ln q(d | z_d) at the mean of q(z_d | x): [B, ...event] → [B, domains] */
  logDomains(x: tf.Tensor): tf.Tensor;
  /** Means of p(z_d | d) [domains, latents], or of p(z_y | y) [C, latents] */
  centres(part: 'domain' | 'class'): tf.Tensor;
}

/**
 * One number for a domain and a class, as a batch has them: d (C + 1) + y, and y = C stands for a class not known.
 * @param domain [B], 0 … domains − 1 @param y [B], 0 … C − 1, or −1
 * @throws Error for a domain below 0, a class that is none, or a number that is no integer
 * @example divaLabels([0, 1, 1], [2, 0, -1], 3) // → [2, 4, 7]
 */
export function divaLabels(domain: ArrayLike<number>, y: ArrayLike<number>, classes: number): tf.Tensor {
  if (domain.length !== y.length)
    throw new Error(`divaLabels: expected a class for each domain, ${domain.length}, got ${y.length}`);
  for (const [n, d] of Array.from(domain).entries()) {
    if (!(Number.isInteger(d) && d >= 0))
      throw new Error(`divaLabels: domains are integers from 0 on, got ${d} at ${n}`);
    if (!(Number.isInteger(y[n]) && y[n]! >= UNLABELLED && y[n]! < classes))
      throw new Error(`divaLabels: classes are integers from 0 to ${classes - 1}, or −1, got ${y[n]} at ${n}`);
  }
  const codes = Int32Array.from(domain, (d, n) => d * (classes + 1) + (y[n] === UNLABELLED ? classes : y[n]!));
  return tf.tensor1d(codes, 'int32');
}

// 2 Network h: three encoders, one decoder, a table of Gaussians for domains and one for classes, two classifiers

/** Σ_k N(z; mu_k, σ_k²) / K, whose components have names. */
interface Named {
  readonly variables: readonly tf.Variable[];
  readonly mu: tf.Variable;
  /** ln p(z | k): [B, L] → [B, K] */
  each(z: tf.Tensor): tf.Tensor;
  /** ln p(z | k) where k is one of 0 … K − 1, ln p(z) where it is not: [B] */
  given(z: tf.Tensor, k: tf.Tensor): tf.Tensor;
  sample(count: number, rng: Rng): tf.Tensor;
}

function named(K: number, L: number, rng: Rng): Named {
  const mu = randomWeight([K, L], rng);
  const logVar = constantWeight([K, L], 0);
  const each = (z: tf.Tensor) => logNormalComponents(z, mu, logVar);
  return {
    variables: [mu, logVar],
    mu,
    each,
    given(z, k) {
      const all = each(z);
      const known = k.toFloat().greaterEqual(0);
      return tf.where(known, logOfLabels(all, k), logSumExp(all, 1).sub(Math.log(K)));
    },
    sample(count, noise) {
      const k = noise.fork('k').uniform([count]).mul(K).floor().minimum(K - 1).toInt() as tf.Tensor1D; // prettier-ignore
      return noise.fork('z').normal([count, L]).mul(tf.gather(logVar, k).mul(0.5).exp()).add(tf.gather(mu, k));
    },
  };
}

/** [mu, logVar] of all parts from the encoders of each: h [B, 2 L] */
function encoderOf(config: DivaConfig, rng: Rng): Network {
  const each = PARTS.map((part) => denseEncoder(config, 2 * config.latents[part], rng.fork(part)));
  return {
    variables: each.flatMap(({ variables }) => variables),
    apply: (x, noise) =>
      tf.tidy(() => {
        const halves = each.map((network, i) => tf.split(network.apply(x, noise?.fork(PARTS[i]!)), 2, 1));
        return tf.concat([...halves.map(([mu]) => mu!), ...halves.map(([, logVar]) => logVar!)], 1);
      }),
  };
}

/** z [B, L], or its mean, part by part. */
function partsOf({ latents }: DivaConfig, z: tf.Tensor): Record<DivaPart, tf.Tensor> {
  const [domain, rest, own] = tf.split(z, PARTS.map((part) => latents[part]), 1); // prettier-ignore
  return { domain: domain!, rest: rest!, class: own! };
}

const relu = (x: tf.Tensor) => x.relu();

function createDiva(config: DivaConfig, rng: Rng): DivaModel {
  const { eventShape, domains, classes, latents, values } = config;
  requireCounts('diva', { domains, classes, ...latents });
  const [L, observation] = [latents.domain + latents.rest + latents.class, categoricalValues(values)];
  const tables = { domain: named(domains, latents.domain, rng.fork('domains')), class: named(classes, latents.class, rng.fork('classes')) }; // prettier-ignore
  const heads = {
    domain: sequential(relu, linear(latents.domain, domains, rng.fork('which domain'))),
    class: sequential(relu, linear(latents.class, classes, rng.fork('which class'))),
  };
  const decoder = factorised(eventShape, denseDecoderNetwork({ ...config, latent: L }, observation.parameters, rng.fork('decoder')), observation, { noisy: config.dropout > 0 }); // prettier-ignore
  const encoder = encoderOf(config, rng.fork('encoder'));
  const posterior = gaussianPosterior(L);
  const split = (z: tf.Tensor) => partsOf(config, z);
  /** ln p(z | d, y): −1 for what is not known. */
  const logPrior = (z: tf.Tensor, d: tf.Tensor, y: tf.Tensor) => {
    const part = split(z);
    const rest = logNormal(part.rest, tf.scalar(0), tf.scalar(0));
    return tables.domain.given(part.domain, d).add(rest).add(tables.class.given(part.class, y));
  };
  const prior: Prior = {
    latent: L,
    variables: [...tables.domain.variables, ...tables.class.variables],
    standard: false,
    logProb: (z) => tf.tidy(() => logPrior(z, tf.fill([z.shape[0]!], -1), tf.fill([z.shape[0]!], -1))),
    sample: (count, noise) =>
      tf.tidy(() => {
        const rest = noise.fork('rest').normal([count, latents.rest]);
        return tf.concat([tables.domain.sample(count, noise.fork('domain')), rest, tables.class.sample(count, noise.fork('class'))], 1); // prettier-ignore
      }),
  };
  const parts = { encoder, posterior, prior, decoder };
  const model = variationalModel('diva', parts, { draws: 1, freeBits: 0, warmUp: 0, encoderSteps: 1 });
  const logOf = (part: 'domain' | 'class', z: tf.Tensor) => tf.logSoftmax(heads[part].apply(z));

  // 3 Objective: the negative bound on ln p(x | d, y), and what the two classifiers add, which is no part of a bound

  const objective: Objective = {
    name: 'bound and classifiers',
    estimates: 'other',
    variables: [...model.objectives[0]!.variables, ...heads.domain.variables, ...heads.class.variables],
    loss: ({ x, y }, noise) =>
      tf.tidy(() => {
        eventRows('diva: x', x, eventShape); // for its shape
        if (!y) throw new Error('diva: the batch has no labels y; `divaLabels` makes them of domains and classes');
        const { d, k } = decoded(y, classes, x.shape[0]!);
        const { z, logQ } = posterior.draw(encoder.apply(x, noise.fork('encoder')), noise.fork('z'));
        const bound = decoder
          .logProb(x, z, noise.fork('decoder'))
          .add(logPrior(z, d, k))
          .sub(logQ); // [B]
        const domain = logOfLabels(logOf('domain', split(z).domain), d).mul(config.domainWeight);
        const own = logOfLabels(logOf('class', split(z).class), k).mul(config.classWeight);
        return bound.add(domain).add(own).mean().neg();
      }),
  };

  // 4 Optimiser: AdamW (`learningRate`), with `ema` in `fit`
  // 5 Training: `fit` (training/fit.ts)

  return {
    ...model,
    objectives: [objective],

    // 6 Likelihood of new inputs: a lower bound on ln p(x), whatever its domain and class

    likelihood: model.likelihood,

    // 7 Sampling: a domain, a class and the rest, then every coordinate at once

    sample: model.sample,
    means: (x) => tf.tidy(() => split(posterior.mean(model.encode(x)))),
    logClasses: (x) => tf.tidy(() => logOf('class', split(posterior.mean(model.encode(x))).class)),
    logDomains: (x) => tf.tidy(() => logOf('domain', split(posterior.mean(model.encode(x))).domain)),
    centres: (part) => tables[part].mu.clone(),
  };
}

/** d and y of `divaLabels`, y = −1 where it is not known: [B] each */
function decoded(code: tf.Tensor, classes: number, B: number): { d: tf.Tensor; k: tf.Tensor } {
  expectShape('diva: y', code, [B]);
  const c = code.toFloat();
  const d = c.add(0.5).div(classes + 1).floor(); // prettier-ignore
  const y = c.sub(d.mul(classes + 1));
  return { d, k: tf.where(y.equal(classes), -1, y) };
}

const card: Card = {
  title: 'DIVA: latents for domain, class and the rest',
  forward: 'O(B × weights): three encoders, a decoder, two small classifiers',
  inference: 'O(weights) for q(z | x) and the class; O(K × weights) for a bound by K draws',
  sampling: 'O(weights of the decoder) for one example, of a chosen domain and class if wanted',
  objective: 'evidence lower bound with a prior for each domain and class, and two cross-entropies',
  network: 'encoders and a decoder, all free',
  representation: 'three: what the domain says, what the class says, what is left',
  row: {
    training: 'stable',
    likelihood: 'approximate',
    sampling: 'fast',
    lossyCompression: true,
    losslessCompression: false,
    representation: true,
  },
};

const digits: DivaConfig = {
  eventShape: [64],
  values: 17,
  domains: 4,
  classes: 10,
  latents: { domain: 4, rest: 8, class: 8 },
  hidden: [128],
  rank: 16,
  dropout: 0.2,
  inputDropout: 0.2,
  domainWeight: 20,
  classWeight: 40,
  learningRate: 0.003,
  batchSize: 100,
};

/** Dense encoders and decoder. */
export const diva: DivaFamily = {
  name: 'diva',
  reference: 'Ilse, Tomczak, Louizos and Welling, DIVA: Domain invariant variational autoencoders (2020)',
  card,
  defaults: digits,
  grid: { classWeight: [1, 10, 40, 100], dropout: [0, 0.2, 0.4] },
  tiny: {
    config: { ...digits, eventShape: [2], values: 3, domains: 2, classes: 2, latents: { domain: 1, rest: 1, class: 1 }, hidden: [5], rank: 2, dropout: 0, inputDropout: 0, learningRate: 0.01, domainWeight: 1, classWeight: 2 },
    support: { kind: 'discrete', values: [0, 1, 2] },
    labels: 6,
    exact: (model, x) => exactLogProb(model as DivaModel, x, priorGrid((model as DivaModel).prior, createRng('exact'))),
  },
  create: createDiva,
}; // prettier-ignore

/** A family whose models also know domains and classes. */
export interface DivaFamily extends Family<DivaConfig> {
  create(config: Readonly<DivaConfig>, rng: Rng): DivaModel;
}
