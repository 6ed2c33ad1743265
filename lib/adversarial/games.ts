/**
 * Step 3 of adversarial models: what the critic and the generator minimise, as functions of the critic's numbers.
 *
 * The critic gives one number an example, r for data and f for samples, [B] each. Where it is a classifier, D = σ(number)
 * is its probability of "data", and ln D = −softplus(−number) is computed without D, which rounds to 0 and to 1.
 */
import * as tf from '@tensorflow/tfjs';

/** Scalars [] of r and f. Each player minimises its own over its own weights. */
export interface Game {
  critic(real: tf.Tensor, fake: tf.Tensor): tf.Tensor;
  generator(real: tf.Tensor, fake: tf.Tensor): tf.Tensor;
  /** A number added to all that the critic says changes neither. */
  readonly relative: boolean;
}

export type GameName = 'saturating' | 'non-saturating' | 'wasserstein' | 'relativistic';

/** −E ln D(x) − E ln(1 − D(G(z))) */
const crossEntropy = (real: tf.Tensor, fake: tf.Tensor) => real.neg().softplus().mean().add(fake.softplus().mean());

/** The games by name. */
export const games: Readonly<Record<GameName, Game>> = {
  /** Minimax: the generator minimises E ln(1 − D(G(z))) (Goodfellow et al., Generative adversarial nets, 2014). */
  saturating: {
    critic: (real, fake) => tf.tidy(() => crossEntropy(real, fake)),
    generator: (_, fake) => tf.tidy(() => fake.softplus().mean().neg()),
    relative: false,
  },
  /** The same critic; the generator minimises −E ln D(G(z)), which has a slope where the critic is sure (same paper). */
  'non-saturating': {
    critic: (real, fake) => tf.tidy(() => crossEntropy(real, fake)),
    generator: (_, fake) => tf.tidy(() => fake.neg().softplus().mean()),
    relative: false,
  },
  /** E f − E r: minus the critic's side of W₁, if its slope is 1 at most (Arjovsky, Chintala and Bottou, 2017). */
  wasserstein: {
    critic: (real, fake) => tf.tidy(() => fake.mean().sub(real.mean())),
    generator: (_, fake) => tf.tidy(() => fake.mean().neg()),
    relative: true,
  },
  /**
   * Data against samples in pairs: −ln σ(r − f), and for the generator the other way round (Jolicoeur-Martineau, The
   * relativistic discriminator, 2019; Huang et al., The GAN is dead; long live the GAN, 2024).
   */
  relativistic: {
    critic: (real, fake) => tf.tidy(() => fake.sub(real).softplus().mean()),
    generator: (real, fake) => tf.tidy(() => real.sub(fake).softplus().mean()),
    relative: true,
  },
};

/**
 * The critic that no other is better than, by the density of data p and of samples q: D = p / (p + q), here as the
 * number ln p − ln q whose σ it is.
 */
export function optimalCritic(logP: tf.Tensor, logQ: tf.Tensor): tf.Tensor {
  return logP.sub(logQ);
}
