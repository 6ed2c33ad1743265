/** The chains of layers that flows are made of: couplings of each kind, and maps of one kind one after the other. */
import type * as tf from '@tensorflow/tfjs';
import type { Bijection, Rng } from '../core/model';
import { sequential } from '../networks/dense';
import { chain, coupling, couplingNetwork, elementwise, others, reversal } from './layers';
import { convolutionExponential, householder } from './matrix';
import { additive, affine, linearSpline, rationalQuadraticSpline, tailedSpline } from './scalar';

export interface CouplingsOptions {
  readonly D: number;
  /** Layers, one after the other. */
  readonly steps: number;
  /** Widths of the hidden layers of a coupling's network. */
  readonly hidden: readonly number[];
}

/** Half of the coordinates given the other half, then all in reverse order, `steps` times. */
export function additiveCouplings({ D, steps, hidden }: CouplingsOptions, rng: Rng): Bijection {
  const moved = others(D, []).slice(0, Math.floor(D / 2));
  const kept = others(D, moved);
  const layers = Array.from({ length: steps }, (_, i) => {
    const network = couplingNetwork(kept.length, hidden, moved.length, rng.fork(`coupling ${i}`));
    return chain(coupling({ D, kept, moved, transform: additive, network }), reversal(D));
  });
  return chain(...layers);
}

/** How coordinates are mixed before a coupling: not, by D Householder reflections, or by exp of a convolution. */
export type Mixing = 'none' | 'householder' | 'convolution';

export interface AffineCouplingsOptions extends CouplingsOptions {
  /** The coordinates that the couplings move, in turn, given all others. */
  readonly masks: readonly (readonly number[])[];
  readonly mixing: Mixing;
  /** Of the picture that a convolution mixes. */
  readonly eventShape: readonly number[];
}

/** Activation normalisation and an affine coupling, `steps` times. */
export function affineCouplings(options: AffineCouplingsOptions, rng: Rng): Bijection {
  const { D, steps, hidden, masks } = options;
  const layers = Array.from({ length: steps }, (_, i) => {
    const here = rng.fork(`coupling ${i}`);
    const moved = masks[i % masks.length]!;
    const kept = others(D, moved);
    const network = couplingNetwork(kept.length, hidden, 2 * moved.length, here);
    const mixed = mixingOf(options, here);
    return chain(...mixed, normalisation(D), coupling({ D, kept, moved, transform: affine(2), network }));
  });
  return chain(...layers);
}

function mixingOf({ D, mixing, eventShape }: AffineCouplingsOptions, rng: Rng): Bijection[] {
  if (mixing === 'none') return [];
  if (mixing === 'householder') return [householder(D, D, rng.fork('mixing'))];
  const height = eventShape.length === 2 ? eventShape[0]! : Math.sqrt(D);
  if (!Number.isInteger(height))
    throw new Error(
      `flow: a convolution needs a picture; expected eventShape [H, W] or a square, got [${eventShape.join(', ')}]`,
    );
  return [convolutionExponential(height, D / height, 3, rng.fork('mixing'))];
}

export interface SplineCouplingsOptions {
  readonly D: number;
  /** Every coordinate once, in groups: each group is moved given the groups before it, the first given nothing. */
  readonly groups: readonly (readonly number[])[];
  readonly hidden: readonly number[];
  readonly bins: number;
  /** Straight lines, whose density is a histogram, or rational quadratics, whose density is continuous. */
  readonly spline: 'linear' | 'rational-quadratic';
  /** The interval that is mapped onto [0, 1]. */
  readonly low: number;
  readonly high: number;
}

/** From the last group to the first, each is made uniform given the data that come before it. */
export function splineCouplings(options: SplineCouplingsOptions, rng: Rng): Bijection {
  const { D, groups, hidden, bins, spline, low, high } = options;
  const transform = (spline === 'linear' ? linearSpline : rationalQuadraticSpline)(bins, low, high);
  const centred = (x: tf.Tensor) => x.sub((low + high) / 2).mul(2 / (high - low)); // [−1, 1]
  const layers = groups.map((moved, g) => {
    if (g === 0) return elementwise(D, transform, moved);
    const kept = groups.slice(0, g).flat();
    const outputs = moved.length * transform.parameters;
    const network = sequential(centred, couplingNetwork(kept.length, hidden, outputs, rng.fork(`group ${g}`)));
    return coupling({ D, kept, moved, transform, network });
  });
  return chain(...layers.reverse());
}

/** Splines on [−reach, reach] and the identity beyond, of half of the coordinates given the other half, by turns. */
export function tailedSplineCouplings(
  { D, steps, hidden, bins, reach }: CouplingsOptions & { readonly bins: number; readonly reach: number },
  rng: Rng,
): Bijection {
  const transform = tailedSpline(bins, reach);
  const first = others(D, []).slice(0, Math.floor(D / 2));
  const layers = Array.from({ length: steps }, (_, i) => {
    const moved = i % 2 === 0 ? others(D, first) : first;
    const kept = others(D, moved);
    const network = couplingNetwork(kept.length, hidden, moved.length * transform.parameters, rng.fork(`coupling ${i}`));
    return coupling({ D, kept, moved, transform, network });
  });
  return chain(normalisation(D), ...layers);
} // prettier-ignore

/**
 * `steps` maps of one kind, between two normalisations.
 * @param layer is told its number, from 0: maps that mix in one direction have to know when to turn round
 */
export function repeated(
  { D, steps }: Pick<CouplingsOptions, 'D' | 'steps'>,
  layer: (D: number, rng: Rng, index: number) => Bijection,
  rng: Rng,
): Bijection {
  const layers = Array.from({ length: steps }, (_, i) => layer(D, rng.fork(`layer ${i}`), i));
  return chain(normalisation(D), ...layers, normalisation(D));
}

/** A scale and a shift of each coordinate, with |ln scale| < 4: it sees all data at once, and needs more room than a coupling. */
export const normalisation = (D: number): Bijection => elementwise(D, affine(4));
