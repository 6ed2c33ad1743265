/**
 * Priors p(z) that are learnt: mixtures, the VampPrior, a resampled Gaussian, flows, and autoregressive ones. The KL to
 * them has no closed form, so that the bound takes it by draws.
 *
 * None of them has a sum over the latents inside the logarithm of a mixture, or a log-determinant for each of them: p(z)
 * is one number an example.
 */
import * as tf from '@tensorflow/tfjs';
import { bases, type Base } from '../bijections/layers';
import { requireCounts } from '../core/counts';
import { logNormal, logNormalComponents, LOG_2PI } from '../core/distributions';
import type { Bijection, Rng } from '../core/model';
import { categorical } from '../core/random';
import { logMeanExp, logSumExp, sumEvent } from '../core/tensor';
import { constantWeight, mlp, randomWeight, weight, type Network } from '../networks/dense';
import { maskedNetwork } from '../networks/masked';
import type { Posterior, Prior } from './parts';

// Mixture

/** p(z) = Σ_k π_k N(z; mu_k, diag exp logVar_k), all of it learnt. */
export function mixturePrior(latent: number, components: number, rng: Rng): Prior {
  requireCounts('mixturePrior', { latent, components });
  const logits = constantWeight([components], 0);
  const mu = randomWeight([components, latent], rng.fork('mu'));
  const logVar = constantWeight([components, latent], -1);
  return {
    latent,
    variables: [logits, mu, logVar],
    standard: false,
    logProb: (z) =>
      tf.tidy(() => logSumExp(logNormalComponents(z, mu, logVar).add(tf.logSoftmax(logits.expandDims(0))), 1)),
    sample: (count, rng) =>
      tf.tidy(() => {
        const k = categorical(logits.expandDims(0).tile([count, 1]), rng.fork('component')) as tf.Tensor1D;
        const noise = rng.fork('noise').normal([count, latent]);
        return noise.mul(tf.gather(logVar, k).mul(0.5).exp()).add(tf.gather(mu, k));
      }),
  };
}

// VampPrior

/** Inputs that no data set has, K of them, learnt. */
export interface PseudoInputs {
  /** K */
  readonly components: number;
  readonly variables: readonly tf.Variable[];
  /** [K, ...event] */
  inputs(): tf.Tensor;
}

export interface PseudoInputsOptions {
  readonly eventShape: readonly number[];
  /** Data are integers 0 … values − 1, and so far pseudo-inputs reach; null: real numbers, anywhere. */
  readonly values: number | null;
  readonly components: number;
  /** Where they start: examples of the data, [K, ...event]. Default: noise. */
  readonly start?: tf.Tensor;
}

/** u_k = (values − 1) σ(raw_k), within the data's range whatever the weights are; raw_k itself for real data. */
export function pseudoInputs({ eventShape, values, components, start }: PseudoInputsOptions, rng: Rng): PseudoInputs {
  requireCounts('pseudoInputs', { components });
  const shape = [components, ...eventShape];
  if (start && start.shape.join() !== shape.join())
    throw new Error(`pseudoInputs: start must be [${shape.join(', ')}], got [${start.shape.join(', ')}]`);
  const raw = weight(
    tf.tidy(() => {
      if (!start) return rng.normal(shape);
      if (values === null) return start.clone();
      const share = start.add(0.5).div(values); // of the way from below the first value to above the last
      return share.div(tf.sub(1, share)).log();
    }),
  );
  return {
    components,
    variables: [raw],
    inputs: () => (values === null ? raw.clone() : tf.tidy(() => raw.sigmoid().mul(values - 1))),
  };
}

/**
 * p(z) = (1/K) Σ_k q(z | u_k): the aggregate posterior of K pseudo-inputs (Tomczak and Welling, VAE with a VampPrior,
 * 2018).
 * @throws when ln q(z | x) has no slope by z
 */
export function vampPrior(encoder: Network, posterior: Posterior, pseudo: PseudoInputs): Prior {
  if (posterior.searched)
    throw new Error(
      'vampPrior: this posterior finds the noise behind z by search, which has no slope; expected one with a closed form, such as a diagonal Gaussian or inverse autoregressive flow',
    );
  const each = () => encoder.apply(pseudo.inputs()); // [K, parameters]
  return {
    latent: posterior.latent,
    variables: [...pseudo.variables, ...encoder.variables, ...posterior.variables],
    standard: false,
    logProb: (z) => tf.tidy(() => logMeanExp(logProbOfEach(posterior, z, each()), 1)),
    sample: (count, rng) =>
      tf.tidy(() => {
        const k = rng.fork('component').uniform([count]).mul(pseudo.components).floor().toInt() as tf.Tensor1D;
        return posterior.draw(tf.gather(each(), k), rng.fork('z')).z;
      }),
  };
}

/** ln q(z_b | h_n) of every z with every h: z [B, L], h [N, parameters] → [B, N]. */
export function logProbOfEach(posterior: Posterior, z: tf.Tensor, h: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const [[B, L], [N, P]] = [z.shape as [number, number], h.shape as [number, number]];
    const zs = z
      .expandDims(1)
      .tile([1, N, 1])
      .reshape([B * N, L]);
    const hs = h
      .expandDims(0)
      .tile([B, 1, 1])
      .reshape([B * N, P]);
    return posterior.logProb(zs, hs).reshape([B, N]);
  });
}

// Resampled

export interface ResampledOptions {
  /** Widths of the hidden layers of the network that accepts. */
  readonly hidden: readonly number[];
  /** T: the T-th proposal is taken whatever it is. */
  readonly truncation: number;
  /** S: proposals by which Z is estimated, anew at every call. */
  readonly draws: number;
}

export interface ResampledPrior extends Prior {
  /** a(z), the probability that a proposal is accepted: z [B, L] → [B] */
  acceptance(z: tf.Tensor): tf.Tensor;
  /** Z = E a(z) under proposals, estimated: a scalar. @param draws default: S */
  normaliser(rng: Rng, draws?: number): tf.Tensor;
}

/**
 * Proposals z ~ N(0, I) are accepted with probability a(z), and the T-th in any case, so that with Z = E a(z)
 *   p(z) = N(z; 0, I) [a(z) (1 − (1 − Z)^(T−1)) / Z + (1 − Z)^(T−1)]
 * (Bauer and Mnih, Resampled priors for variational autoencoders, 2019, equation 5). Z is the mean over S proposals; by
 * Jensen ln p is too high on average, by about Var a / (2 S Z²), and an evaluation wants S in the thousands.
 */
export function resampledPrior(latent: number, options: ResampledOptions, rng: Rng): ResampledPrior {
  const { hidden, truncation: T, draws: S } = options;
  requireCounts('resampledPrior', { latent, truncation: T, draws: S });
  const network = mlp([latent, ...hidden, 1], rng, { activation: (x) => x.tanh() });
  const acceptance = (z: tf.Tensor) => tf.tidy(() => network.apply(z).squeeze([1]).sigmoid());
  const normaliser = (rng: Rng, draws = S) => tf.tidy(() => acceptance(rng.normal([draws, latent])).mean());
  return {
    latent,
    variables: network.variables,
    standard: false,
    estimated: true, // Z is
    acceptance,
    normaliser,
    logProb: (z, rng) =>
      tf.tidy(() => {
        const Z = normaliser(rng.fork('normaliser')).clipByValue(SMALLEST, 1 - SMALLEST);
        const spent = tf.sub(1, Z).log().mul(T - 1).exp(); // (1 − Z)^(T−1)
        const share = acceptance(z).mul(tf.sub(1, spent)).div(Z).add(spent);
        return logNormal(z, tf.scalar(0), tf.scalar(0)).add(share.log());
      }),
    sample: (count, rng) =>
      tf.tidy(() => {
        const proposals = rng.fork('proposals').normal([count * T, latent]);
        const accepted = rng.fork('accept').uniform([count * T]).less(acceptance(proposals)).toFloat();
        const inTime = accepted.reshape([count, T]).slice([0, 0], [count, T - 1]);
        const taken = tf.concat([inTime, tf.ones([count, 1])], 1).argMax(1); // the first of the largest
        const rows = taken.add(tf.range(0, count, 1, 'int32').mul(tf.scalar(T, 'int32'))) as tf.Tensor1D;
        return tf.gather(proposals, rows);
      }),
  };
} // prettier-ignore

const SMALLEST = 1e-6;

// Flow

/** p(z) = p(ε) |det ∂ε/∂z| with ε = f(z): the log-determinant is one number for all of z. */
export function flowPrior(latent: number, bijection: Bijection, base: Base = bases.normal): Prior {
  return {
    latent,
    variables: bijection.variables,
    standard: false,
    logProb: (z) =>
      tf.tidy(() => {
        const { z: noise, logDet } = bijection.toLatent(z);
        return base.logProb(noise).add(logDet);
      }),
    sample: (count, rng) => tf.tidy(() => bijection.toData(base.sample([count, latent], rng))),
  };
}

// Autoregressive

export interface AutoregressivePriorOptions {
  /** Gaussians of each conditional. */
  readonly components: number;
  readonly hidden: readonly number[];
}

/** p(z) = Π_i Σ_k π_k N(z_i; mu_k, σ_k²), with π, mu and σ of z_{<i} by a masked network. */
export function autoregressivePrior(
  latent: number,
  { components: K, hidden }: AutoregressivePriorOptions,
  rng: Rng,
): Prior {
  requireCounts('autoregressivePrior', { latent, components: K });
  const network = maskedNetwork({ inputs: latent, context: 0, hidden, outputs: 3 * K, start: 'random' }, rng);
  const spread = Array.from({ length: K }, (_, k) => (K === 1 ? 0 : (3 * k) / (K - 1) - 1.5)); // apart from the start
  const conditionals = (z: tf.Tensor) => {
    const [logits, mu, logVar] = tf.split(network.apply(z), 3, 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
    return { logits, mu: mu.add(tf.tensor1d(spread)), logVar }; // [B, L, K] each
  };
  return {
    latent,
    variables: network.variables,
    standard: false,
    logProb: (z) =>
      tf.tidy(() => {
        const { logits, mu, logVar } = conditionals(z);
        const squares = z.expandDims(2).sub(mu).square().mul(logVar.neg().exp());
        const each = squares.add(logVar).add(LOG_2PI).mul(-0.5).add(tf.logSoftmax(logits)); // [B, L, K]
        return sumEvent(logSumExp(each, 2));
      }),
    sample: (count, rng) =>
      tf.tidy(() => {
        let z: tf.Tensor = tf.zeros([count, latent]);
        for (let i = 0; i < latent; i++) {
          const own = conditionals(z);
          const at = (of: tf.Tensor) => of.slice([0, i, 0], [count, 1, K]).squeeze([1]); // [count, K]
          const k = categorical(at(own.logits), rng.fork(`component ${i}`));
          const chosen = k
            .expandDims(1)
            .equal(tf.range(0, K, 1, 'int32'))
            .toFloat(); // tf.oneHot refuses K = 1
          const pick = (of: tf.Tensor) => at(of).mul(chosen).sum(1);
          const drawn = rng.fork(`noise ${i}`).normal([count]).mul(pick(own.logVar).mul(0.5).exp()).add(pick(own.mu));
          const here = tf.tensor1d(Array.from({ length: latent }, (_, j) => Number(i === j)));
          z = z.add(drawn.expandDims(1).mul(here));
        }
        return z;
      }),
  };
}
