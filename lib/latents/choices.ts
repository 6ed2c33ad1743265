/** Priors and posteriors by name, as a configuration says them. */
import { affineCouplings, normalisation, tailedSplineCouplings } from '../bijections/stacks';
import { chain, others } from '../bijections/layers';
import type { Rng } from '../core/model';
import type { Network } from '../networks/dense';
import { gaussianPosterior, standardNormal } from './gaussian';
import { householderFlow, inverseAutoregressiveFlow, splineFlowOfLatents, sylvesterFlowOfLatents, type AutoregressiveFlowOptions, type SplineFlowOfLatentsOptions } from './latent-flows'; // prettier-ignore
import type { Posterior, Prior } from './parts';
import { flowPosterior } from './posteriors';
import { autoregressivePrior, flowPrior, mixturePrior, pseudoInputs, resampledPrior, vampPrior, type AutoregressivePriorOptions, type ResampledOptions } from './priors'; // prettier-ignore

/** p(z): what kind, and what that kind has to be told. */
export type PriorOptions =
  | { readonly kind: 'standard' }
  | { readonly kind: 'mixture'; readonly components: number }
  | { readonly kind: 'vamp'; readonly components: number }
  | ({ readonly kind: 'resampled' } & ResampledOptions)
  | ({ readonly kind: 'flow' } & FlowPriorOptions)
  | ({ readonly kind: 'autoregressive' } & AutoregressivePriorOptions);

export interface FlowPriorOptions {
  readonly coupling: 'affine' | 'spline';
  /** Couplings. */
  readonly steps: number;
  readonly hidden: readonly number[];
}

/** q(z | x): what kind, and what that kind has to be told. */
export type PosteriorOptions =
  | { readonly kind: 'diagonal' }
  | { readonly kind: 'householder'; readonly reflections: number }
  | { readonly kind: 'sylvester'; readonly steps: number }
  | ({ readonly kind: 'iaf' } & AutoregressiveFlowOptions)
  | ({ readonly kind: 'spline' } & SplineFlowOfLatentsOptions);

export interface PriorPlace {
  readonly latent: number;
  /** What a VampPrior is made of. */
  readonly encoder: Network;
  readonly posterior: Posterior;
  readonly eventShape: readonly number[];
  readonly values: number | null;
}

/** The prior of these options. */
export function priorOf(options: PriorOptions, place: PriorPlace, rng: Rng): Prior {
  const { latent, encoder, posterior } = place;
  switch (options.kind) {
    case 'standard':
      return standardNormal(latent);
    case 'mixture':
      return mixturePrior(latent, options.components, rng);
    case 'vamp':
      return vampPrior(encoder, posterior, pseudoInputs({ ...place, components: options.components }, rng));
    case 'resampled':
      return resampledPrior(latent, options, rng);
    case 'flow':
      return flowPrior(latent, flowOf(latent, options, rng));
    case 'autoregressive':
      return autoregressivePrior(latent, options, rng);
  }
}

/** Couplings of one half of the latents given the other, by turns, and a normalisation. */
function flowOf(D: number, { coupling, ...options }: FlowPriorOptions, rng: Rng) {
  if (D < 2) throw new Error(`flowPrior: couplings need 2 latents, one to see and one to move, got ${D}`);
  if (coupling === 'spline') return tailedSplineCouplings({ D, ...options, bins: 8, reach: 4 }, rng);
  const half = others(D, []).slice(0, Math.floor(D / 2));
  const masks = [others(D, half), half];
  return chain(affineCouplings({ D, ...options, masks, mixing: 'none', eventShape: [D] }, rng), normalisation(D));
}

/**
 * The posterior of these options.
 * @throws when gradients are to be by the score function, which is here of diagonal Gaussians alone
 */
export function posteriorOf(
  options: PosteriorOptions,
  { latent, gradient = 'path' }: { readonly latent: number; readonly gradient?: 'path' | 'score' },
  rng: Rng,
): Posterior {
  if (options.kind === 'diagonal') return gaussianPosterior(latent, { gradient });
  if (gradient === 'score')
    throw new Error(
      `posterior: gradient 'score' is of the diagonal posterior, got '${options.kind}'; take gradient 'path'`,
    );
  switch (options.kind) {
    case 'householder':
      return flowPosterior(latent, householderFlow(latent, options.reflections));
    case 'sylvester':
      return flowPosterior(latent, sylvesterFlowOfLatents(latent, options.steps));
    case 'iaf':
      return flowPosterior(latent, inverseAutoregressiveFlow(latent, options, rng));
    case 'spline':
      return flowPosterior(latent, splineFlowOfLatents(latent, options, rng));
  }
}
