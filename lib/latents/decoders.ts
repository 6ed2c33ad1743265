/** p(x | z) in two forms: all coordinates at once, independent given z; or one after the other, each given those before. */
import * as tf from '@tensorflow/tfjs';
import { logCategorical } from '../core/distributions';
import type { Rng } from '../core/model';
import { eventRows, expectShape, sizeOf } from '../core/tensor';
import type { Network } from '../networks/dense';
import { checkTemperature, inTurn } from '../sampling/ancestral';
import type { Stepped } from '../networks/causal';
import type { Observation } from './observations';
import type { Decoder } from './parts';

export interface FactorisedOptions {
  /** In training the network takes noise. Default: false. */
  readonly noisy?: boolean;
}

/**
 * p(x | z) = Π_d p(x_d | h_d(z)).
 * @param network z [B, L] → h, D · P numbers an example in whatever shape
 */
export function factorised(
  eventShape: readonly number[],
  network: Network,
  observation: Observation,
  { noisy = false }: FactorisedOptions = {},
): Decoder {
  const D = sizeOf(eventShape);
  const parameters = (z: tf.Tensor, noise?: Rng) => network.apply(z, noise).reshape([-1, D, observation.parameters]);
  const event = (x: tf.Tensor) => x.reshape([-1, ...eventShape]);
  return {
    eventShape,
    variables: network.variables,
    noisy,
    logProb: (x, z, noise) =>
      tf.tidy(() => observation.logProb(eventRows('decoder: x', x, eventShape), parameters(z, noise))),
    sample: (z, rng, { temperature = 1 } = {}) => {
      if (temperature !== 1)
        throw new Error(`decoder: temperature must be 1 where all of x is drawn at once, got ${temperature}`);
      return tf.tidy(() => event(observation.sample(parameters(z), rng)));
    },
    mean: (z) => tf.tidy(() => event(observation.mean(parameters(z)))),
  };
}

/** A network for p(x_d | x_{<d}, z), all d at once and one at a time. */
export interface ConditionalLogits {
  readonly variables: readonly tf.Variable[];
  readonly noisy: boolean;
  /** x [B, D], z [B, L] → logits [B, D, V], of which row d depends on x_{<d} and z alone */
  all(x: tf.Tensor, z: tf.Tensor, noise?: Rng): tf.Tensor;
  /** What `step` remembers before the first step, of which z, or what follows from it, is a part. */
  start(z: tf.Tensor): tf.Tensor[];
  /** The logits [B, V] of x_t from the values before it in x [B, D]. */
  step(x: tf.Tensor, t: tf.Tensor, memory: readonly tf.Tensor[]): Stepped;
}

/** p(x | z) = Π_d p(x_d | x_{<d}, z), for integers 0 … V − 1; samples are drawn in turn. */
export function autoregressiveDecoder(eventShape: readonly number[], network: ConditionalLogits): Decoder {
  const D = sizeOf(eventShape);
  const { loops, draw } = inTurn(D, network.step);
  return {
    eventShape,
    variables: network.variables,
    noisy: network.noisy,
    loops,
    logProb: (x, z, noise) =>
      tf.tidy(() => {
        const rows = eventRows('decoder: x', x, eventShape);
        return logCategorical(rows, network.all(rows, z, noise));
      }),
    sample(z, rng, { temperature = 1, engine = 'auto' } = {}) {
      checkTemperature(temperature);
      const { B } = expectShape('decoder: z', z, ['B', z.shape.at(-1)!]);
      return tf.tidy(() =>
        draw(network.start(z), { count: B!, rng, temperature, engine }).reshape([B!, ...eventShape]),
      );
    },
  };
}
