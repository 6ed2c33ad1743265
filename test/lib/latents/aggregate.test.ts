import * as tf from '@tensorflow/tfjs';
import {
  aggregatePosterior,
  createRng,
  gaussianPosterior,
  inferenceModel,
  integrate,
  linearWorld,
  standardNormal,
  takenApart,
  type VariationalModel,
} from 'dgm';
import { expect, test } from 'vitest';
import { expectClose, mean, read } from '../../helpers';

const rng = createRng('aggregate');

/** q(z | x) = N(x, exp logVar), x itself being the code's middle; p(x | z) plays no part. */
function codeModel(logVar: number): VariationalModel {
  const posterior = gaussianPosterior(1);
  const encode = (x: tf.Tensor) => tf.concat([x, tf.fill(x.shape, logVar)], 1);
  const decoder = { logProb: (x: tf.Tensor) => tf.fill([x.shape[0]!], -2) };
  return { posterior, encode, decoder, prior: standardNormal(1) } as unknown as VariationalModel;
}

test('codes far apart tell which example it was: ln N nats; codes all alike tell nothing', () => {
  const far = takenApart(codeModel(0), tf.tensor2d([[-40], [0], [40], [80]]), rng);
  expectClose([far.information], [Math.log(4)], { absolute: 1e-4 });
  const alike = takenApart(codeModel(Math.log(0.25)), tf.fill([50, 1], 0.5), rng, { draws: 200 });
  expectClose([alike.information], [0], { absolute: 1e-5 });
  const kl = 0.5 * (0.25 + 0.25 - 1 - Math.log(0.25)); // KL[N(0.5, 0.25) ‖ N(0, 1)]
  expectClose([alike.aggregateKl], [kl], { absolute: 5 * alike.standardErrors.aggregateKl + 0.01 });
  expectClose([alike.bound], [-2 - alike.kl], { absolute: 1e-6 });
});

test('both parts of the KL by quadrature, and their sum in closed form', () => {
  const [x, logVar] = [[-1, 0.2, 1.4], Math.log(0.3)];
  const rows = tf.tensor2d(x.map((value) => [value]));
  const model = codeModel(logVar);
  const apart = takenApart(model, rows, rng, { draws: 4000 });
  const kl = mean(x.map((value) => 0.5 * (0.3 + value ** 2 - 1 - logVar)));
  const q = (z: number) => mean(x.map((value) => Math.exp(-((z - value) ** 2) / 0.6) / Math.sqrt(0.6 * Math.PI)));
  let aggregateKl = 0;
  for (let i = 0; i < 4000; i++) {
    const z = -8 + (i + 0.5) * 0.004;
    const p = q(z);
    if (p > 0) aggregateKl += 0.004 * p * (Math.log(p) + z ** 2 / 2 + 0.5 * Math.log(2 * Math.PI));
  }
  expectClose([apart.kl, apart.aggregateKl, apart.information], [kl, aggregateKl, kl - aggregateKl], { absolute: 0.05 });
  const aggregate = aggregatePosterior(model, rows);
  expectClose(read(aggregate.logProb(tf.tensor2d([[0.3]]))), [Math.log(q(0.3))], { absolute: 1e-5 });
  expectClose([integrate((z) => aggregate.logProb(z), { low: -8, high: 8, dimensions: 1, steps: 1000 })], [1], { absolute: 1e-4 });
  expectClose([mean(read(aggregate.sample(20_000, rng)))], [mean(x)], { absolute: 0.05 });
}); // prettier-ignore

test('a world’s own decoder is left as it is: only the encoder is trained', () => {
  const model = inferenceModel(linearWorld(), { posterior: { kind: 'householder', reflections: 2 }, hidden: [8] }, rng);
  expect(model.objectives[0]!.variables).toEqual(model.encoder.variables);
  expect(() => inferenceModel(linearWorld(), { posterior: { kind: 'diagonal' }, hidden: [8], encoderSteps: 2 }, rng)).toThrow('there are none; make it 1'); // prettier-ignore
});
