/**
 * The evidence lower bound, and the model around it:
 *   ln p(x) ≥ E_q [ln p(x | z)] − KL[q(z | x) ‖ p(z)],
 * with equality where q is the posterior (Jordan et al., 1999; Kingma and Welling, Auto-encoding variational Bayes,
 * 2014). With K draws, ln (1/K) Σ_k p(x, z_k) / q(z_k | x) lies between (Burda, Grosse and Salakhutdinov, 2016).
 */
import * as tf from '@tensorflow/tfjs';
import { requireCounts } from '../core/counts';
import type { GenerativeModel, Objective, Remember, Rng } from '../core/model';
import { detach, eventRows, logMeanExp } from '../core/tensor';
import { constantWeight } from '../networks/dense';
import { sampler } from '../sampling/sampler';
import type { LatentDraw, VariationalParts } from './parts';

/** How the bound is trained; nothing of it changes what the model says of new data. */
export interface BoundOptions {
  /** K ≥ 1: the loss is −ln (1/K) Σ_k w_k; at 1 the evidence lower bound, with the KL in closed form where it has one. */
  readonly draws: number;
  /**
   * λ ≥ 0 nats: each group of latents costs at least λ, max(λ, KL_j averaged over the batch), so that nothing is gained
   * by using it less (Kingma et al., Improving variational inference with inverse autoregressive flow, 2016, appendix C.8).
   */
  readonly freeBits: number;
  /** Steps over which the weight of the KL rises from 0 to 1 (Bowman et al., 2016); 0: it is 1 from the first. */
  readonly warmUp: number;
  /** n: the encoder makes n steps for each of the decoder's (He et al., Lagging inference networks, 2019); 1: both together. */
  readonly encoderSteps: number;
}

/** What the bound is made of, for one draw of z from q(z | x). */
export interface BoundTerms extends tf.TensorContainerObject {
  /** ln p(x | z): [B] */
  readonly reconstruction: tf.Tensor;
  /** KL[q(z | x) ‖ p(z)], in closed form where there is one, else by the draw: [B] */
  readonly kl: tf.Tensor;
  /** ln p(x, z) − ln q(z | x), whose exp is p(x) on average: [B] */
  readonly logWeight: tf.Tensor;
  /** [B, L] */
  readonly z: tf.Tensor;
}

export interface VariationalModel extends GenerativeModel, VariationalParts {
  /** h, what the encoder says of x: [B, ...event] → [B, parameters of the posterior] */
  encode(x: tf.Tensor): tf.Tensor;
  /** @param h in place of encode(x) */
  terms(x: tf.Tensor, rng: Rng, h?: tf.Tensor): BoundTerms;
  /** ln p(x | z) − KL for one draw of z: [B]. @param h in place of encode(x) */
  elbo(x: tf.Tensor, rng: Rng, h?: tf.Tensor): tf.Tensor;
}

/**
 * A model of these parts: its likelihood is the bound by one draw, which `importanceBound` tightens.
 * @param name who speaks in errors
 */
export function variationalModel(name: string, parts: VariationalParts, options: BoundOptions): VariationalModel {
  const { encoder, posterior, prior, decoder } = parts;
  const { eventShape } = decoder;
  checkOptions(name, parts, options);
  const encode = (x: tf.Tensor) =>
    tf.tidy(() => {
      eventRows(`${name}: x`, x, eventShape); // for its shape
      return encoder.apply(x);
    });
  const terms = (x: tf.Tensor, rng: Rng, given?: tf.Tensor): BoundTerms =>
    tf.tidy(() => {
      const h = given ?? encode(x);
      const { z, logQ } = posterior.draw(h, rng.fork('z'));
      const reconstruction = decoder.logProb(x, z);
      const logRatio = prior.logProb(z, rng.fork('prior')).sub(logQ);
      const kl = closedKl(parts, h)?.sum(1) ?? logRatio.neg();
      return { reconstruction, kl, logWeight: reconstruction.add(logRatio), z };
    });
  return {
    ...parts,
    eventShape,
    encode,
    terms,
    elbo: (x, rng, h) =>
      tf.tidy(() => {
        const { reconstruction, kl } = terms(x, rng, h);
        return reconstruction.sub(kl);
      }),
    objectives: objectivesOf(name, parts, options),
    likelihood: {
      kind: prior.estimated ? 'estimate' : 'lower-bound',
      logProb: (x, rng) => tf.tidy(() => terms(x, rng).logWeight),
      logWeights: (x, draws, rng) =>
        tf.tidy(() => terms(copies(x, draws), rng, copies(encode(x), draws)).logWeight.reshape([draws, -1])),
    },
    sample: sampler(
      name,
      ({ count, rng, engine }) => decoder.sample(prior.sample(count, rng.fork('z')), rng.fork('x'), { engine }),
      decoder.loops && { loops: decoder.loops },
    ),
  };
}

function checkOptions(name: string, { encoder, posterior, prior, decoder }: VariationalParts, options: BoundOptions): void {
  const { draws, freeBits, warmUp, encoderSteps } = options;
  requireCounts(name, { draws, encoderSteps });
  if (posterior.latent !== prior.latent)
    throw new Error(`${name}: the posterior has ${posterior.latent} latents, and the prior ${prior.latent}; give both the same`); // prettier-ignore
  if (!(freeBits >= 0)) throw new Error(`${name}: freeBits must be ≥ 0, got ${freeBits}`);
  if (!Number.isInteger(warmUp) || warmUp < 0)
    throw new Error(`${name}: warmUp must be an integer ≥ 0, a number of steps, got ${warmUp}`);
  if (freeBits > 0 && draws > 1)
    throw new Error(`${name}: freeBits needs draws = 1, got ${draws}: a bound of more draws has no KL of its own`);
  const generative = decoder.variables.length + prior.variables.length;
  if (encoderSteps > 1 && generative === 0)
    throw new Error(`${name}: encoderSteps needs weights of a decoder or a prior to wait for, and there are none; make it 1`);
  if (encoder.variables.length + posterior.variables.length + generative === 0)
    throw new Error(`${name}: none of its parts has weights, so there is nothing to train`);
} // prettier-ignore

/** [B, groups], where the prior is the one that the closed form is of. */
const closedKl = ({ posterior, prior }: VariationalParts, h: tf.Tensor): tf.Tensor | undefined =>
  prior.standard ? posterior.kl?.(h) : undefined;

// The objectives

function objectivesOf(name: string, parts: VariationalParts, options: BoundOptions): Objective[] {
  const { encoder, posterior, prior, decoder } = parts;
  const [inference, generation] = [
    [...encoder.variables, ...posterior.variables],
    [...decoder.variables, ...prior.variables],
  ];
  if (options.encoderSteps === 1)
    return [objective(parts, options, { name: 'negative bound', variables: distinct([...inference, ...generation]) })];
  return [
    objective(parts, options, { name: 'negative bound, by the encoder', variables: distinct(inference) }),
    objective(parts, options, {
      name: 'negative bound, by the decoder',
      variables: distinct(generation),
      every: options.encoderSteps,
    }),
  ];
}

/** A prior may share weights with the encoder, as a VampPrior does. */
const distinct = (variables: readonly tf.Variable[]): tf.Variable[] => [...new Set(variables)];

function objective(
  parts: VariationalParts,
  options: BoundOptions,
  facts: Pick<Objective, 'name' | 'variables' | 'every'>,
): Objective {
  const { warmUp } = options;
  const steps = warmUp > 0 ? constantWeight([], 0) : undefined;
  const loss = (x: tf.Tensor, rng: Rng, remember?: Remember) => {
    const klWeight = steps ? steps.div(warmUp).minimum(1) : tf.scalar(1);
    if (steps) remember?.([steps.add(facts.every ?? 1)]);
    return negativeBound(parts, options, { x, rng, klWeight });
  };
  return {
    ...facts,
    estimates: warmUp > 0 || parts.decoder.noisy ? 'other' : 'bound',
    gradient: parts.posterior.gradient === 'score' ? 'surrogate' : 'exact',
    ...(steps && { memory: [steps] }),
    loss: ({ x }, rng, remember) =>
      tf.tidy(() => {
        eventRows(`${facts.name}: x`, x, parts.decoder.eventShape);
        return loss(x, rng, remember);
      }),
  };
}

interface LossInputs {
  readonly x: tf.Tensor;
  readonly rng: Rng;
  /** From 0 to 1, a scalar. */
  readonly klWeight: tf.Tensor;
}

function negativeBound(parts: VariationalParts, options: BoundOptions, { x, rng, klWeight }: LossInputs): tf.Tensor {
  const { encoder, posterior, prior, decoder } = parts;
  const { draws, freeBits } = options;
  const h = encoder.apply(x, rng.fork('encoder'));
  const draw = posterior.draw(copies(h, draws), rng.fork('z'));
  const reconstruction = decoder.logProb(copies(x, draws), draw.z, rng.fork('decoder')); // [K B]
  const closed = draws === 1 ? closedKl(parts, h) : undefined;
  if (closed) {
    const divergence = closed.mean(0).maximum(freeBits).sum().mul(klWeight);
    return divergence.sub(reconstruction.mean()).sub(scoreTerm(draw, reconstruction));
  }
  const logRatio = prior.logProb(draw.z, rng.fork('prior')).sub(draw.logQ); // [K B]
  if (draws === 1) {
    const kl = logRatio.mean().neg(); // may be below 0, unlike its expectation
    const divergence = (freeBits > 0 ? kl.maximum(freeBits) : kl).mul(klWeight);
    const counted = freeBits > 0 ? klWeight.mul(kl.greater(freeBits).toFloat()) : klWeight; // 0 where the price is λ, fixed
    return divergence.sub(reconstruction.mean()).sub(scoreTerm(draw, reconstruction.add(logRatio.mul(counted))));
  }
  const logWeight = reconstruction.add(logRatio.mul(klWeight)).reshape([draws, -1]); // [K, B]
  const bound = logMeanExp(logWeight, 0); // [B]
  return bound.mean().neg().sub(scoreTerm(draw, copies(bound, draws), draws)); // prettier-ignore
}

/** x [B, ...], K times: [K B, ...]. */
function copies(x: tf.Tensor, K: number): tf.Tensor {
  return K === 1 ? x : tf.tile(x, [K, ...x.shape.slice(1).map(() => 1)]);
}

/** 0, with the gradient of the mean of f · score, f held fixed. */
function scoreTerm({ score }: LatentDraw, f: tf.Tensor, draws = 1): tf.Tensor {
  if (!score) return tf.scalar(0);
  return detach(f).mul(score.sub(detach(score))).mean().mul(draws); // prettier-ignore
}
