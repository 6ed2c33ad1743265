/** The flows of posteriors: reflections, triangular Sylvester maps, inverse autoregressive flow, and splines. */
import * as tf from '@tensorflow/tfjs';
import { couplingNetwork } from '../bijections/layers';
import { rootNear } from '../bijections/matrix';
import { noChange, tailedSpline } from '../bijections/scalar';
import { requireCounts } from '../core/counts';
import type { Latent, Rng } from '../core/model';
import { sumEvent } from '../core/tensor';
import { maskedNetwork } from '../networks/masked';
import type { LatentFlow } from './posteriors';

/** One map of a chain. */
type Step = Pick<LatentFlow, 'toPosterior' | 'toBase'>;

/** The n-th of so many numbers of the context each. */
const partOf = (context: tf.Tensor, n: number, size: number) => context.slice([0, n * size], [-1, size]);

function chained(steps: readonly Step[]): Step {
  return {
    toPosterior: (base, context) =>
      tf.tidy(() => {
        let latent: Latent = { z: base.clone(), logDet: noChange(base) };
        for (const step of steps) {
          const { z, logDet } = step.toPosterior(latent.z, context);
          latent = { z, logDet: latent.logDet.add(logDet) };
        }
        return latent;
      }),
    toBase: (z, context) => tf.tidy(() => steps.reduceRight((at, step) => step.toBase(at, context), z.clone())),
  };
}

// Householder

/**
 * T reflections z ← z − 2 (v·z) v / ‖v‖² with vectors of the example's own: a Gaussian with another orientation, and with
 * T = L − 1 any (Tomczak and Welling, Improving variational auto-encoders using Householder flow, 2016). There each v is
 * a linear map of the one before, from the encoder's last hidden layer on; here that layer makes all of them, which is
 * the same set of maps.
 */
export function householderFlow(latent: number, reflections: number): LatentFlow {
  requireCounts('householderFlow', { latent, reflections });
  const steps = Array.from({ length: reflections }, (_, i): Step => {
    const reflected = (z: tf.Tensor, context: tf.Tensor) => {
      const v = partOf(context, i, latent);
      const share = v.mul(z).sum(1, true).mul(2).div(v.square().sum(1, true).add(TINY)); // [B, 1]
      return z.sub(share.mul(v));
    };
    return { toPosterior: (z, context) => ({ z: reflected(z, context), logDet: noChange(z) }), toBase: reflected };
  });
  return { parameters: reflections * latent, variables: [], rotation: true, ...chained(steps) };
}

const TINY = 1e-12;

// Sylvester

/**
 * z ← z + R tanh(R̃ z + b) with triangular R and R̃, on the latents in reverse order and in their own by turns (van den
 * Berg et al., Sylvester normalizing flows for variational inference, 2018, section 3.2). The example's L² + 2 L numbers of
 * a step: a matrix, above whose diagonal stands R and below it R̃, and on it R's diagonal; R̃'s diagonal; b. Diagonals
 * are hyperbolic tangents, so that the map can be inverted.
 */
export function sylvesterFlowOfLatents(latent: number, steps: number): LatentFlow {
  requireCounts('sylvesterFlowOfLatents', { latent, steps });
  const parameters = latent * latent + 2 * latent;
  const chain = Array.from({ length: steps }, (_, i) => sylvesterStep(latent, i % 2 === 0, (c) => partOf(c, i, parameters)));
  return { parameters: steps * parameters, variables: [], searched: true, ...chained(chain) };
} // prettier-ignore

function sylvesterStep(L: number, turned: boolean, own: (context: tf.Tensor) => tf.Tensor): Step {
  const order = (z: tf.Tensor) => (turned ? tf.reverse(z, 1) : z);
  const pieces = (context: tf.Tensor) => {
    const [square, rTilde, b] = tf.split(own(context), [L * L, L, L], 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const matrix = square.reshape([-1, L, L]);
    const above = tf.tensor2d(Array.from({ length: L * L }, (_, n) => Number(n % L > Math.floor(n / L))), [L, L]); // prettier-ignore
    return {
      R: matrix.mul(above),
      RTilde: matrix.transpose([0, 2, 1]).mul(above),
      r: matrix.mul(tf.eye(L)).sum(2).tanh(),
      rTilde: rTilde.tanh(),
      b,
    };
  };
  const times = (matrix: tf.Tensor, y: tf.Tensor) => matrix.matMul(y.expandDims(2)).squeeze([2]); // [B, L, L], [B, L] → [B, L]
  return {
    toPosterior(z, context) {
      const { R, RTilde, r, rTilde, b } = pieces(context);
      const y = order(z);
      const h = times(RTilde, y).add(y.mul(rTilde)).add(b).tanh();
      const logDet = sumEvent(tf.sub(1, h.square()).mul(r).mul(rTilde).add(1).log());
      return { z: order(y.add(times(R, h)).add(h.mul(r))), logDet };
    },
    // the last coordinate is an equation of one unknown, then the one before it
    toBase(z, context) {
      const { R, RTilde, r, rTilde, b } = pieces(context);
      const target = order(z);
      let [y, h] = [tf.zerosLike(target), tf.zerosLike(target)];
      for (let i = L - 1; i >= 0; i--) {
        const here = tf.tensor1d(Array.from({ length: L }, (_, j) => Number(i === j)));
        const at = (values: tf.Tensor) => values.mul(here).sum(1, true); // [B, 1]
        const inner = at(times(RTilde, y)).add(at(b));
        const wanted = at(target).sub(at(times(R, h)));
        const [own, ownTilde] = [at(r), at(rTilde)];
        const squash = (a: tf.Tensor) => a.mul(ownTilde).add(inner).tanh();
        const a = rootNear(wanted.squeeze([1]), own.abs(), (value) => value.add(squash(value).mul(own))).expandDims(1);
        y = y.add(a.mul(here));
        h = h.add(squash(a).mul(here));
      }
      return order(y);
    },
  };
}

// Inverse autoregressive

export interface AutoregressiveFlowOptions {
  readonly steps: number;
  /** Widths of the hidden layers of each step's network. */
  readonly hidden: readonly number[];
  /** Numbers that the encoder tells every step. */
  readonly context: number;
}

/**
 * z_i ← σ(s_i) z_i + (1 − σ(s_i)) m_i, with m_i and s_i of z_{<i} and the context by a masked network, and the latents in
 * reverse order from step to step: ln |det| = Σ_i ln σ(s_i) (Kingma et al., Improving variational inference with inverse
 * autoregressive flow, 2016, equation 14). All coordinates at once this way, one after the other on the way back. It
 * starts near the identity, with σ(s) = σ(2).
 */
export function inverseAutoregressiveFlow(latent: number, options: AutoregressiveFlowOptions, rng: Rng): LatentFlow {
  const { steps, hidden, context } = options;
  requireCounts('inverseAutoregressiveFlow', { latent, steps, context });
  const made = { inputs: latent, context, hidden, outputs: 2, start: 'zero' } as const;
  const networks = Array.from({ length: steps }, (_, i) => maskedNetwork(made, rng.fork(`step ${i}`)));
  const chain = networks.map(({ apply }, i): Step => {
    const order = (z: tf.Tensor) => (i % 2 === 1 ? tf.reverse(z, 1) : z);
    const shape = (y: tf.Tensor, told: tf.Tensor) => {
      const [m, s] = tf.unstack(apply(y, told), 2) as [tf.Tensor, tf.Tensor]; // [B, L] each
      return { m, s: s.add(2) };
    };
    return {
      toPosterior(z, told) {
        const y = order(z);
        const { m, s } = shape(y, told);
        const kept = s.sigmoid();
        return { z: order(kept.mul(y.sub(m)).add(m)), logDet: sumEvent(s.neg().softplus().neg()) };
      },
      toBase(z, told) {
        const target = order(z);
        let y: tf.Tensor = tf.zerosLike(target);
        for (let known = 0; known < latent; known++) {
          const { m, s } = shape(y, told); // right for the coordinates whose predecessors are known
          y = target.sub(m).div(s.sigmoid()).add(m);
        }
        return order(y);
      },
    };
  });
  return { parameters: context, variables: networks.flatMap(({ variables }) => variables), ...chained(chain) };
}

// Splines

export interface SplineFlowOfLatentsOptions extends AutoregressiveFlowOptions {
  readonly bins: number;
  /** Splines from −reach to reach, the identity beyond. */
  readonly reach: number;
}

/**
 * Couplings by monotone rational-quadratic splines, which move one half of the noise given the other half and the context,
 * by turns; of a single latent, given the context (Durkan et al., Neural spline flows, 2019). Both ways are closed.
 */
export function splineFlowOfLatents(latent: number, options: SplineFlowOfLatentsOptions, rng: Rng): LatentFlow {
  const { steps, hidden, context, bins, reach } = options;
  requireCounts('splineFlowOfLatents', { latent, steps, context });
  const spline = tailedSpline(bins, reach);
  const half = Math.floor(latent / 2);
  const layers = Array.from({ length: steps }, (_, i) => {
    const firstMoves = i % 2 === 1 && half > 0;
    const [moved, kept] = firstMoves ? [half, latent - half] : [latent - half, half];
    const network = couplingNetwork(kept + context, hidden, moved * spline.parameters, rng.fork(`step ${i}`));
    const halves = (z: tf.Tensor): { moves: tf.Tensor; stays: tf.Tensor[] } => {
      if (half === 0) return { moves: z, stays: [] };
      const [a, b] = tf.split(z, [half, latent - half], 1) as [tf.Tensor, tf.Tensor];
      return firstMoves ? { moves: a, stays: [b] } : { moves: b, stays: [a] };
    };
    const joined = (moves: tf.Tensor, stays: tf.Tensor[]) =>
      tf.concat(firstMoves ? [moves, ...stays] : [...stays, moves], 1);
    const parametersOf = (stays: tf.Tensor[], told: tf.Tensor) =>
      network.apply(tf.concat([...stays, told], 1)).reshape([-1, moved, spline.parameters]);
    const step: Step = {
      toPosterior(z, told) {
        const { moves, stays } = halves(z);
        const { z: to, logDet } = spline.toLatent(moves, parametersOf(stays, told));
        return { z: joined(to, stays), logDet };
      },
      toBase(z, told) {
        const { moves, stays } = halves(z);
        return joined(spline.toData(moves, parametersOf(stays, told)), stays);
      },
    };
    return { network, step };
  });
  return {
    parameters: context,
    variables: layers.flatMap(({ network }) => network.variables),
    on: 'noise',
    ...chained(layers.map(({ step }) => step)),
  };
}
