import * as tf from '@tensorflow/tfjs';
import {
  createRng,
  integrate,
  logAbsDet,
  numericalJacobian,
  posteriorOf,
  type Posterior,
  type PosteriorOptions,
  type Rng,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, mean, read, standardError } from '../../helpers';
import { expectInOrder, lawsOfParts, posteriorsByName, withOptions } from './specimens';

const rng = createRng('posteriors');

/** With weights and an h that are none of those that it starts from. */
function moved(options: PosteriorOptions, latent: number): { posterior: Posterior; h: tf.Tensor } {
  const posterior = posteriorOf(options, { latent }, rng);
  for (const [i, variable] of posterior.variables.entries())
    tf.tidy(() => variable.assign(rng.fork(`weight ${i}`).normal(variable.shape).mul(0.4).add(variable)));
  return { posterior, h: tf.tidy(() => rng.fork('h').normal([1, posterior.parameters]).mul(0.7)) };
}

describe.each(posteriorsByName)('%s', (_, options, others) => {
  const specimen = withOptions({ posterior: options, ...others });
  const latent = others.latent ?? 1;

  describe('laws', () => {
    test.each(lawsOfParts(specimen))('%s', (_, law) => law.check(specimen));
  });

  test('bound ≤ importance bound ≤ ln p by quadrature, which they tend to', () =>
    expectInOrder({ posterior: options, ...others }));

  test('its density integrates to 1', () => {
    const { posterior, h } = moved(options, latent);
    const density = (z: tf.Tensor) => tf.tidy(() => posterior.logProb(z, h.tile([z.shape[0]!, 1])));
    const mass = integrate(density, { low: -8, high: 8, dimensions: latent as 1 | 2, steps: latent === 1 ? 2000 : 110 }); // prettier-ignore
    expectClose([mass], [1], { absolute: 5e-3 });
  });

  test('a draw’s ln q is the density there, and the noise moved by what it says', () => {
    const { posterior, h } = moved(options, latent);
    const { z, logQ } = posterior.draw(h.tile([300, 1]), rng.fork('draw'));
    expectClose(read(posterior.logProb(z, h.tile([300, 1]))), read(logQ), { absolute: 2e-3, relative: 1e-3 });
  });

  test('a KL in closed form is the mean of ln q − ln p over draws', () => {
    const { posterior, h } = moved(options, latent);
    if (!posterior.kl) return void expect(options.kind).not.toBe('householder');
    const { z, logQ } = posterior.draw(h.tile([20_000, 1]), rng.fork('kl'));
    const logP = z.square().add(Math.log(2 * Math.PI)).mul(-0.5).sum(1);
    const draws = read(logQ.sub(logP));
    expectClose([mean(draws)], [read(posterior.kl(h)).reduce((a, b) => a + b, 0)], { absolute: 5 * standardError(draws) });
  }); // prettier-ignore
});

test.each([
  ['Householder', { kind: 'householder', reflections: 3 }],
  ['Sylvester', { kind: 'sylvester', steps: 3 }],
  ['inverse autoregressive', { kind: 'iaf', steps: 2, hidden: [7, 6], context: 3 }],
  ['splines', { kind: 'spline', steps: 3, hidden: [6], context: 3, bins: 5, reach: 3 }],
] as const)('%s in four dimensions: the log-determinant is that of the Jacobian', (_, options) => {
  const { posterior, h } = moved(options, 4);
  const noise = [0.3, -0.8, 1.1, 0.2];
  const at = (e: readonly number[]) => {
    const fixed: Rng = { normal: () => tf.tensor2d([[...e]]), uniform: () => tf.zeros([1]), fork: () => fixed };
    return tf.tidy(() => {
      const { z, logQ } = posterior.draw(h, fixed);
      return { z: Array.from(z.dataSync()), logQ: logQ.dataSync()[0]! };
    });
  };
  const logBase = noise.reduce((sum, e) => sum - 0.5 * (e * e + Math.log(2 * Math.PI)), 0);
  const jacobian = numericalJacobian((e) => at(e).z, noise, 1e-2);
  expectClose([at(noise).logQ], [logBase - logAbsDet(jacobian)], { absolute: 5e-3 });
});

test('a step of inverse autoregressive flow keeps a share of z and adds a share of its mean', () => {
  const posterior = posteriorOf({ kind: 'iaf', steps: 1, hidden: [4], context: 1 }, { latent: 2 }, rng);
  const bias = posterior.variables.at(-1)!; // of m and s, for each latent: all else of the last layer is 0
  tf.tidy(() => bias.assign(tf.tensor1d([5, 0, 7, 1])));
  const z = read(posterior.mean(tf.tensor2d([[1, -1, 0, 0, 0]])));
  const kept = [2, 3].map((s) => 1 / (1 + Math.exp(-s)));
  expectClose(z, [kept[0]! * 1 + (1 - kept[0]!) * 5, kept[1]! * -1 + (1 - kept[1]!) * 7], { absolute: 1e-5 });
});
