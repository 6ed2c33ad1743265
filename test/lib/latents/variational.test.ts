import * as tf from '@tensorflow/tfjs';
import {
  categoricalValues,
  createRng,
  factorised,
  gaussianPosterior,
  linear,
  logNormal,
  variationalModel,
  type BoundOptions,
  type Prior,
} from 'dgm';
import { expect, test } from 'vitest';
import { expectClose, mean, midpoints, numericalGradient, read, standardError } from '../../helpers';

/** N(0.7, 0.25): no prior of which the posterior knows a closed form. */
const shifted: Prior = {
  latent: 1,
  variables: [],
  standard: false,
  logProb: (z) => logNormal(z, tf.scalar(0.7), tf.scalar(Math.log(0.25))),
  sample: (count, rng) => rng.normal([count, 1]).mul(0.5).add(0.7),
};

const x = tf.tensor2d([[0, 2], [1, 1]]); // prettier-ignore

function modelOf(gradient: 'path' | 'score', options: Partial<BoundOptions>) {
  const [posterior, observation] = [gaussianPosterior(1, { gradient }), categoricalValues(3)];
  const encoder = linear(2, 2, createRng('encoder'));
  const decoder = factorised([2], linear(1, 6, createRng('decoder')), observation, { noisy: false });
  const parts = { encoder, posterior, prior: shifted, decoder };
  return variationalModel('test', parts, { draws: 1, freeBits: 0, warmUp: 0, encoderSteps: 1, ...options });
}

/** E_q [ln p(x | z)] and E_q [ln q(z) − ln p(z)], means over the examples, by quadrature. */
function expectations(model: ReturnType<typeof modelOf>): { reconstruction: number; kl: number } {
  const [count, width] = [1200, 12];
  const z = tf.tensor2d(midpoints(-width / 2, width / 2, count, 1).points);
  const rows = [0, 1].map((n) => {
    const at = (t: tf.Tensor) => t.slice([n, 0], [1, t.shape[1]!]).tile([count, 1]);
    const logQ = read(model.posterior.logProb(z, at(model.encode(x))));
    const logP = read(model.prior.logProb(z, createRng(1)));
    const logX = read(model.decoder.logProb(at(x), z));
    const q = logQ.map((value) => (Math.exp(value) * width) / count);
    const sum = (f: (i: number) => number) => q.reduce((total, weight, i) => total + weight * f(i), 0);
    return { reconstruction: sum((i) => logX[i]!), kl: sum((i) => logQ[i]! - logP[i]!) };
  });
  return { reconstruction: mean(rows.map((row) => row.reconstruction)), kl: mean(rows.map((row) => row.kl)) };
}

test.each([
  ['path', 'plain', {}, 1, 0],
  ['score', 'plain', {}, 1, 0],
  ['score', 'half way through its warm-up', { warmUp: 4 }, 0.5, 0],
  ['score', 'with more free bits than it has', { freeBits: 50 }, 0, 50],
] as const)('without a closed KL, by the %s, %s: the gradient is the slope of the expected loss', (gradient, _, options, weight, price) => {
  const model = modelOf(gradient, options);
  const [objective] = model.objectives;
  for (const steps of objective!.memory ?? []) steps.assign(tf.scalar(2));
  const bias = model.encoder.variables.at(-1)!;
  const start = Array.from(bias.dataSync());
  const expected = (values: readonly number[]) => {
    tf.tidy(() => bias.assign(tf.tensor1d([...values])));
    const { reconstruction, kl } = expectations(model);
    return weight * kl + price - reconstruction;
  };
  const want = numericalGradient(expected, start, 0.01);
  const level = expected(start);
  const draws = Array.from({ length: 1500 }, (_, i) =>
    tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => objective!.loss({ x }, createRng(i)) as tf.Scalar, [bias]);
      return [...read(value), ...read(grads[bias.name]!)];
    }),
  );
  for (const [j, value] of [level, ...want].entries()) {
    const own = draws.map((draw) => draw[j]!);
    expectClose([mean(own)], [value], { absolute: 2e-3 + 5 * standardError(own) });
  }
  expect(Math.hypot(...want)).toBeGreaterThan(0.05); // there is a slope to be found
}); // prettier-ignore
