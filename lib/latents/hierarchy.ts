/**
 * Latents in levels, each drawn given those above it:  p(x, z) = p(z_1) Π_l p(z_l | z_<l) · p(x | z), with the top first,
 * and two ways of guessing them from x: downwards, as they are drawn, or upwards, from the lowest to the top.
 */
import * as tf from '@tensorflow/tfjs';
import { logNormal } from '../core/distributions';
import type { GenerativeModel, Objective, Rng } from '../core/model';
import { eventRows, expectShape } from '../core/tensor';
import type { Network } from '../networks/dense';
import { sampler } from '../sampling/sampler';
import type { Decoder } from './parts';

/** N(mu, diag exp logVar): [B, L] each. */
export interface Gaussian extends tf.TensorContainerObject {
  readonly mu: tf.Tensor;
  readonly logVar: tf.Tensor;
}

/** The posterior of a level relative to its prior N(mu, σ²): N(mu + shift, σ² exp logScale). [B, L] each. */
export interface Residual extends tf.TensorContainerObject {
  readonly shift: tf.Tensor;
  readonly logScale: tf.Tensor;
}

/** One level of latents: what it is drawn from, and what it tells those below. */
export interface Level {
  /** L, the numbers of one z. */
  readonly latent: number;
  readonly variables: readonly tf.Variable[];
  /** p(z | the levels above), by what they left behind; absent at the top, where it is N(0, I). */
  prior?(state: tf.Tensor): Gaussian;
  /** What is known after z [B, L], in whatever shape. @param state of the levels above; none at the top */
  next(state: tf.Tensor | undefined, z: tf.Tensor, noise?: Rng): tf.Tensor;
}

/** What a guess of all levels says, for each the draw and what it costs, top first. */
export interface LevelDraws {
  /** [B, L] a level */
  readonly z: readonly tf.Tensor[];
  /** ln q(z_l | …) − ln p(z_l | z_<l): [B] a level */
  readonly logRatio: readonly tf.Tensor[];
  /** KL[q ‖ p] of the level given what it was drawn by, in closed form as far as there is one: [B] a level */
  readonly kl: readonly tf.Tensor[];
  /** What the decoder sees. */
  readonly state: tf.Tensor;
}

/** q(z | x) of all levels, given by h [B, P], what an encoder says of x. */
export interface Inference {
  readonly variables: readonly tf.Variable[];
  draw(h: tf.Tensor, levels: readonly Level[], rng: Rng, noise?: Rng): LevelDraws;
}

export interface HierarchyParts {
  /** x [B, ...event] → h [B, P] */
  readonly encoder: Network;
  readonly inference: Inference;
  /** The top first. */
  readonly levels: readonly Level[];
  /** p(x | z), by what the last level left behind. */
  readonly decoder: Decoder;
}

export interface HierarchyOptions {
  /**
   * λ ≥ 0 nats: each level costs at least λ, max(λ, KL_l averaged over the batch), so that nothing is gained by using it
   * less (Kingma et al., 2016, appendix C.8, with a level as the group).
   */
  readonly freeBits: number;
}

/** What the bound is made of, for one draw of all levels. */
export interface HierarchyTerms extends tf.TensorContainerObject {
  /** ln p(x | z): [B] */
  readonly reconstruction: tf.Tensor;
  /** Σ_l KL_l: [B] */
  readonly kl: tf.Tensor;
  /** The same level by level, top first: [B, levels] */
  readonly klByLevel: tf.Tensor;
  /** ln p(x, z) − ln q(z | x), whose exp is p(x) on average: [B] */
  readonly logWeight: tf.Tensor;
  /** [B, L] a level, top first */
  readonly z: tf.Tensor[];
}

export interface HierarchicalModel extends GenerativeModel, HierarchyParts {
  /** h, what the encoder says of x: [B, ...event] → [B, P] */
  encode(x: tf.Tensor): tf.Tensor;
  /** @param h in place of encode(x) */
  terms(x: tf.Tensor, rng: Rng, h?: tf.Tensor): HierarchyTerms;
  /** ln p(x | z) − Σ_l KL_l for one draw of z: [B] */
  elbo(x: tf.Tensor, rng: Rng, h?: tf.Tensor): tf.Tensor;
  /** The latents of noise [B, Σ_l L_l], standard normal: the levels in turn, each moved and scaled by its prior. */
  fromNoise(noise: tf.Tensor): tf.Tensor[];
  /**
   * The first levels as given, and those below drawn anew from the prior: [B, L] a level. Kept are the first `keep`; 0
   * makes new latents throughout.
   */
  resample(z: readonly tf.Tensor[], keep: number, rng: Rng): tf.Tensor[];
  /** E[x | z]: [B, ...event] */
  mean(z: readonly tf.Tensor[]): tf.Tensor;
  /** ln p(x | z): [B] */
  logProbGiven(x: tf.Tensor, z: readonly tf.Tensor[]): tf.Tensor;
}

/** KL[N(mu + shift, σ² exp logScale) ‖ N(mu, σ²)] = ½ Σ (shift² / σ² + exp logScale − 1 − logScale): [B] */
export function klResidual({ shift, logScale }: Residual, { logVar }: Gaussian): tf.Tensor {
  return tf.tidy(() =>
    shift.square().mul(logVar.neg().exp()).add(logScale.exp()).sub(1).sub(logScale).mul(0.5).sum(1),
  ); // prettier-ignore
}

const draw = ({ mu, logVar }: Gaussian, rng: Rng) => rng.normal(mu.shape).mul(logVar.mul(0.5).exp()).add(mu); // prettier-ignore

const standardLike = (z: tf.Tensor): Gaussian => ({ mu: tf.zerosLike(z), logVar: tf.zerosLike(z) });

/** [B, 2 L] → mu and logVar */
export function halves(h: tf.Tensor): Gaussian {
  const [mu, logVar] = tf.split(h, 2, 1) as [tf.Tensor, tf.Tensor];
  return { mu, logVar };
}

// Inference

/** What a level's guess is, relative to its prior: of h, and of what the levels above left behind (none at the top). */
export interface ResidualNetwork {
  readonly variables: readonly tf.Variable[];
  of(h: tf.Tensor, state: tf.Tensor | undefined): Residual;
}

/**
 * Downwards, in the order in which latents are drawn: q(z_l | z_<l, x) = N(mu_p + shift, σ_p² exp logScale), with mu_p and
 * σ_p of the prior given the same levels above (Sønderby et al., 2016; in this form Vahdat and Kautz, NVAE, 2020).
 */
export function topDown(residuals: readonly ResidualNetwork[]): Inference {
  return {
    variables: residuals.flatMap(({ variables }) => variables),
    draw(h, levels, rng, noise) {
      let state: tf.Tensor | undefined;
      const drawn = levels.map((level, l) => {
        const residual = residuals[l]!.of(h, state);
        const prior = state && level.prior ? level.prior(state) : standardLike(residual.shift);
        const posterior = { mu: prior.mu.add(residual.shift), logVar: prior.logVar.add(residual.logScale) };
        const z = draw(posterior, rng.fork(`level ${l}`));
        state = level.next(state, z, noise?.fork(`level ${l}`));
        const logRatio = logNormal(z, posterior.mu, posterior.logVar).sub(logNormal(z, prior.mu, prior.logVar));
        return { z, logRatio, kl: klResidual(residual, prior) };
      });
      return { ...gathered(drawn), state: state! };
    },
  };
}

/**
 * Upwards, against the order in which latents are drawn: q(z_L | x) Π q(z_l | z_{l+1}), the lowest level from x and each
 * other from the one below it (Rezende, Mohamed and Wierstra, 2014; Burda, Grosse and Salakhutdinov, 2016).
 * @param upward for each level but the lowest, z [B, L] of the level below → [B, 2 L], mean and ln variance
 */
export function bottomUp(upward: readonly Network[]): Inference {
  return {
    variables: upward.flatMap(({ variables }) => variables),
    draw(h, levels, rng, noise) {
      const posteriors: Gaussian[] = [];
      const z: tf.Tensor[] = [];
      for (let l = levels.length - 1; l >= 0; l--) {
        posteriors[l] = halves(l === levels.length - 1 ? h : upward[l]!.apply(z[l + 1]!, noise));
        z[l] = draw(posteriors[l]!, rng.fork(`level ${l}`));
      }
      let state: tf.Tensor | undefined;
      const drawn = levels.map((level, l) => {
        const { mu, logVar } = posteriors[l]!;
        const prior = state && level.prior ? level.prior(state) : standardLike(mu);
        const logPrior = logNormal(z[l]!, prior.mu, prior.logVar);
        const kl = l === 0 ? klResidual({ shift: mu, logScale: logVar }, prior) : entropy(logVar).neg().sub(logPrior);
        state = level.next(state, z[l]!, noise?.fork(`level ${l}`));
        return { z: z[l]!, logRatio: logNormal(z[l]!, mu, logVar).sub(logPrior), kl };
      });
      return { ...gathered(drawn), state: state! };
    },
  };
}

/** Of a diagonal Gaussian: [B] */
const entropy = (logVar: tf.Tensor) => logVar.add(1 + Math.log(2 * Math.PI)).sum(1).mul(0.5); // prettier-ignore

type OneDraw = Readonly<Record<'z' | 'logRatio' | 'kl', tf.Tensor>>;

const gathered = (drawn: readonly OneDraw[]): Omit<LevelDraws, 'state'> => ({
  z: drawn.map(({ z }) => z),
  logRatio: drawn.map(({ logRatio }) => logRatio),
  kl: drawn.map(({ kl }) => kl),
});

// The model

/** What the levels leave behind, one after the other, each with the z that `of` makes of its prior. */
function descend(levels: readonly Level[], of: (prior: Gaussian | undefined, l: number) => tf.Tensor) {
  let state: tf.Tensor | undefined;
  const z = levels.map((level, l) => {
    const drawn = of(state && level.prior?.(state), l);
    state = level.next(state, drawn);
    return drawn;
  });
  return { z, state: state! };
}

/**
 * A model of these parts: its likelihood is the bound by one draw, which `importanceBound` tightens.
 * @param name who speaks in errors
 */
export function hierarchicalModel(name: string, parts: HierarchyParts, options: HierarchyOptions): HierarchicalModel {
  const { encoder, inference, levels, decoder } = parts;
  const { eventShape } = decoder;
  if (!(options.freeBits >= 0)) throw new Error(`${name}: freeBits must be ≥ 0, got ${options.freeBits}`);
  const encode = (x: tf.Tensor) =>
    tf.tidy(() => {
      eventRows(`${name}: x`, x, eventShape); // for its shape
      return encoder.apply(x);
    });
  const terms = (x: tf.Tensor, rng: Rng, given?: tf.Tensor): HierarchyTerms =>
    tf.tidy(() => {
      const { z, kl, logRatio, state } = inference.draw(given ?? encode(x), levels, rng.fork('z'));
      const reconstruction = decoder.logProb(x, state);
      const klByLevel = tf.stack([...kl], 1);
      const logWeight = reconstruction.sub(tf.addN([...logRatio]));
      return { reconstruction, kl: klByLevel.sum(1), klByLevel, logWeight, z: [...z] };
    });
  return {
    ...parts,
    ...generation(name, parts),
    eventShape,
    encode,
    terms,
    elbo: (x, rng, h) =>
      tf.tidy(() => {
        const { reconstruction, kl } = terms(x, rng, h);
        return reconstruction.sub(kl);
      }),
    objectives: [objectiveOf(name, parts, options)],
    likelihood: {
      kind: 'lower-bound',
      logProb: (x, rng) => tf.tidy(() => terms(x, rng).logWeight),
      logWeights: (x, draws, rng) =>
        tf.tidy(() => terms(tiled(x, draws), rng, tiled(encode(x), draws)).logWeight.reshape([draws, -1])),
    },
  };
}

type Generation = Pick<HierarchicalModel, 'fromNoise' | 'resample' | 'mean' | 'logProbGiven' | 'sample'>;

function generation(name: string, { levels, decoder }: HierarchyParts): Generation {
  const latent = levels.reduce((sum, level) => sum + level.latent, 0);
  const fromPrior = (prior: Gaussian | undefined, noise: tf.Tensor) =>
    prior ? noise.mul(prior.logVar.mul(0.5).exp()).add(prior.mu) : noise;
  const given = (z: readonly tf.Tensor[]) => {
    if (z.length !== levels.length)
      throw new Error(`${name}: expected the latents of ${levels.length} levels, top first, got ${z.length}`);
    z.forEach((each, l) => expectShape(`${name}: z of level ${l}`, each, ['B', levels[l]!.latent]));
    return descend(levels, (_, l) => z[l]!).state;
  };
  return {
    fromNoise: (noise) =>
      tf.tidy(() => {
        expectShape(`${name}: noise`, noise, ['B', latent]);
        const each = tf.split(noise, levels.map((level) => level.latent), 1); // prettier-ignore
        return descend(levels, (prior, l) => fromPrior(prior, each[l]!)).z.map((z) => z.clone());
      }),
    resample: (z, keep, rng) => {
      if (!Number.isInteger(keep) || keep < 0 || keep > levels.length)
        throw new Error(`${name}: keep must be an integer from 0 to ${levels.length}, the levels there are, got ${keep}`);
      return tf.tidy(() => {
        given(z); // for its shapes
        const anew = (prior: Gaussian | undefined, l: number) => fromPrior(prior, rng.fork(`level ${l}`).normal(z[l]!.shape));
        return descend(levels, (prior, l) => (l < keep ? z[l]! : anew(prior, l))).z.map((each) => each.clone());
      });
    },
    mean: (z) => tf.tidy(() => decoder.mean!(given(z))),
    logProbGiven: (x, z) => tf.tidy(() => decoder.logProb(x, given(z))),
    sample: sampler(name, ({ count, rng, engine }) => {
      const { state } = descend(levels, (prior, l) => fromPrior(prior, rng.fork(`level ${l}`).normal([count, levels[l]!.latent])));
      return decoder.sample(state, rng.fork('x'), { engine });
    }, decoder.loops && { loops: decoder.loops }),
  };
} // prettier-ignore

function objectiveOf(name: string, parts: HierarchyParts, { freeBits }: HierarchyOptions): Objective {
  const { encoder, inference, levels, decoder } = parts;
  return {
    name: 'negative bound',
    estimates: decoder.noisy ? 'other' : 'bound',
    variables: [
      ...encoder.variables,
      ...inference.variables,
      ...levels.flatMap(({ variables }) => variables),
      ...decoder.variables,
    ],
    loss: ({ x }, rng) =>
      tf.tidy(() => {
        eventRows(`${name}: x`, x, decoder.eventShape);
        const h = encoder.apply(x, rng.fork('encoder'));
        const { kl, state } = inference.draw(h, levels, rng.fork('z'), rng.fork('levels'));
        const reconstruction = decoder.logProb(x, state, rng.fork('decoder'));
        const price = tf.stack([...kl], 1).mean(0).maximum(freeBits).sum(); // prettier-ignore
        return (freeBits > 0 ? price : tf.addN([...kl]).mean()).sub(reconstruction.mean());
      }),
  };
}

/** x [B, ...], K times: [K B, ...]. */
const tiled = (x: tf.Tensor, K: number) => tf.tile(x, [K, ...x.shape.slice(1).map(() => 1)]);
