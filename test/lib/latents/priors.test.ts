import * as tf from '@tensorflow/tfjs';
import {
  autoregressivePrior,
  createRng,
  flowPrior,
  gaussianPosterior,
  importanceBound,
  integrate,
  linear,
  logNormal,
  mixturePrior,
  posteriorOf,
  priorGrid,
  pseudoInputs,
  resampledPrior,
  tailedSplineCouplings,
  vae,
  vampPrior,
  type Prior,
  type VariationalModel,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { lively } from '../../laws/specimen';
import { expectClose, ksBound, ksDistance, logSumExp, mean, read } from '../../helpers';
import { expectInOrder, lawsOfParts, priorsByName, withOptions } from './specimens';

const rng = createRng('priors');

describe.each(priorsByName)('%s', (_, prior, options) => {
  const specimen = withOptions({ prior, ...options });

  describe('laws', () => {
    test.each(lawsOfParts(specimen))('%s', (_, law) => law.check(specimen));
  });

  test('its density integrates to 1', () => {
    const own = (lively(specimen) as VariationalModel).prior;
    const { logWeight } = priorGrid(own, rng, gridOf(own));
    expectClose([logWeight.reduce((sum, value) => sum + Math.exp(value), 0)], [1], {
      absolute: prior.kind === 'resampled' ? 0.03 : 2e-3,
    });
  });

  test('bound ≤ importance bound ≤ ln p by quadrature, which they tend to', () => expectInOrder({ prior, ...options }));

  test('its samples are of its density', () => expectSamplesOf((lively(specimen) as VariationalModel).prior));
});

/** Fine enough for a mass to 10⁻³, and as few points of a plane as that takes. */
const gridOf = ({ latent }: Prior) => (latent === 1 ? { reach: 14, steps: 4000 } : { reach: 10, steps: 160 });

/** Each coordinate's samples against the distribution function that the density's grid has. */
function expectSamplesOf(prior: Prior): void {
  const count = 20_000;
  const z = prior.sample(count, rng.fork('samples'));
  expect(z.shape).toEqual([count, prior.latent]);
  const grid = priorGrid(prior, rng, gridOf(prior));
  for (let axis = 0; axis < prior.latent; axis++) {
    const order = grid.z.map((row, i) => [row[axis]!, Math.exp(grid.logWeight[i]!)] as const).sort((a, b) => a[0] - b[0]); // prettier-ignore
    const total = order.reduce((sum, [, p]) => sum + p, 0);
    const places: number[] = [];
    const sums: number[] = [];
    let sum = 0;
    for (const [place, p] of order) {
      sum += p / total;
      if (places.at(-1) === place) sums[sums.length - 1] = sum;
      else {
        places.push(place);
        sums.push(sum);
      }
    }
    const half = (places[1]! - places[0]!) / 2;
    const cdf = (x: number) => {
      const at = (x - places[0]! + half) / (2 * half); // in cells
      const whole = Math.min(places.length - 1, Math.max(0, Math.floor(at)));
      const before = whole === 0 ? 0 : sums[whole - 1]!;
      return before + (sums[whole]! - before) * Math.min(1, Math.max(0, at - whole));
    };
    const own = read(z.slice([0, axis], [count, 1]));
    expect(ksDistance(own, cdf)).toBeLessThan(ksBound(count) + 0.002);
  }
  z.dispose();
}

test('a mixture is one of all coordinates together, not one for each of them', () => {
  const prior = mixturePrior(2, 2, rng);
  const [, mu, logVar] = prior.variables;
  tf.tidy(() => {
    mu!.assign(tf.tensor2d([[-5, -5], [5, 5]])); // prettier-ignore
    logVar!.assign(tf.zeros([2, 2]));
  });
  const [on, off] = read(prior.logProb(tf.tensor2d([[5, 5], [5, -5]]), rng)); // prettier-ignore
  expectClose([on!], [Math.log(0.5) - Math.log(2 * Math.PI)], { absolute: 1e-4 });
  expect(off!).toBeLessThan(-40);
});

describe('VampPrior', () => {
  test('is the mixture of what the encoder says of its pseudo-inputs', () => {
    const [encoder, posterior] = [linear(3, 4, rng.fork('encoder')), gaussianPosterior(2)];
    const pseudo = pseudoInputs({ eventShape: [3], values: null, components: 5 }, rng);
    const prior = vampPrior(encoder, posterior, pseudo);
    const z = rng.fork('z').normal([4, 2]);
    const h = encoder.apply(pseudo.inputs()).arraySync() as number[][];
    const want = (z.arraySync() as number[][]).map((row) =>
      logSumExp(
        h.map(([a, b, s, t]) =>
          read(logNormal(tf.tensor2d([row]), tf.tensor1d([a!, b!]), tf.tensor1d([s!, t!])))[0]! - Math.log(5)),
      ),
    ); // prettier-ignore
    expectClose(read(prior.logProb(z, rng)), want, { absolute: 1e-5 });
  });

  test('pseudo-inputs of integers stay within the data’s range, and start where they are told', () => {
    const start = tf.tensor2d([[0, 16, 5], [3, 1, 8]]); // prettier-ignore
    const pseudo = pseudoInputs({ eventShape: [3], values: 17, components: 2, start }, rng);
    const inputs = read(pseudo.inputs());
    expectClose(inputs, read(start), { absolute: 0.6 });
    tf.tidy(() => pseudo.variables[0]!.assign(tf.tensor2d([[900, -900, 0], [0, 50, -50]]))); // prettier-ignore
    expectClose(read(pseudo.inputs()), [16, 0, 8, 8, 16, 0], { absolute: 1e-3 });
    expect(() => pseudoInputs({ eventShape: [2], values: 17, components: 2, start: tf.zeros([2, 3]) }, rng)).toThrow(
      'start must be [2, 2], got [2, 3]',
    );
  });

  test('refuses a posterior whose density it could not climb', () => {
    const posterior = posteriorOf({ kind: 'sylvester', steps: 1 }, { latent: 2 }, rng);
    const pseudo = pseudoInputs({ eventShape: [3], values: null, components: 2 }, rng);
    expect(() => vampPrior(linear(3, posterior.parameters, rng), posterior, pseudo)).toThrow('by search');
  });
});

describe('resampled', () => {
  const options = { hidden: [8], truncation: 3, draws: 4000 };

  test('with an acceptance that is the same everywhere it is N(0, I)', () => {
    const prior = resampledPrior(2, options, rng);
    for (const variable of prior.variables) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
    const z = rng.fork('z').normal([5, 2]);
    expectClose(read(prior.logProb(z, rng)), read(logNormal(z, tf.scalar(0), tf.scalar(0))), { absolute: 1e-5 });
    expectClose(read(prior.normaliser(rng)), [0.5], { absolute: 1e-6 });
  });

  test('one proposal is taken whatever it is; of many, as rejection sampling without an end', () => {
    const once = resampledPrior(1, { ...options, truncation: 1 }, rng);
    const z = tf.tensor2d([[-1], [0.5], [2]]);
    expectClose(read(once.logProb(z, rng)), read(logNormal(z, tf.scalar(0), tf.scalar(0))), { absolute: 1e-5 });
    const [many, Z] = tf.tidy(() => {
      const prior = resampledPrior(1, { ...options, truncation: 500, draws: 200_000 }, rng);
      for (const variable of prior.variables) variable.assign(variable.mul(3));
      const ratio = prior
        .acceptance(z)
        .div(prior.normaliser(rng.fork('Z'), 200_000))
        .log();
      return [read(prior.logProb(z, rng)), read(logNormal(z, tf.scalar(0), tf.scalar(0)).add(ratio))];
    });
    expectClose(many, Z, { absolute: 0.02 });
  });

  test('what it makes of a bound is an estimate, by many draws, too', () => {
    const kindOf = (kind: 'resampled' | 'standard') => {
      const model = vae.create(
        { ...vae.tiny.config, prior: kind === 'standard' ? { kind } : { kind, ...options } },
        rng,
      );
      return [model.likelihood.kind, importanceBound(model, 3).likelihood.kind];
    };
    expect(kindOf('standard')).toEqual(['lower-bound', 'lower-bound']);
    expect(kindOf('resampled')).toEqual(['estimate', 'estimate']);
  });

  test('Z is the mean acceptance, as quadrature has it', () => {
    const prior = resampledPrior(1, options, rng);
    const exact = integrate(
      (z) => tf.tidy(() => logNormal(z, tf.scalar(0), tf.scalar(0)).add(prior.acceptance(z).log())),
      { low: -9, high: 9, dimensions: 1 },
    );
    const spread = Array.from({ length: 30 }, (_, i) => read(prior.normaliser(createRng(i)))[0]!);
    expectClose([mean(spread)], [exact], { relative: 0.005 });
  });
});

test('an autoregressive prior’s conditional sees what comes before alone', () => {
  const prior = autoregressivePrior(3, { components: 2, hidden: [7, 6] }, rng);
  const marginal = (z: number[]) => {
    const { logWeight } = priorGrid({ ...prior, latent: 1, logProb: (t) => prior.logProb(tf.concat([tf.tensor2d([z]).tile([t.shape[0]!, 1]), t], 1), rng) }, rng, { reach: 12 }); // prettier-ignore
    return logSumExp(logWeight); // ln p(z_1, z_2), by integrating z_3 out
  };
  const two = autoregressivePrior(3, { components: 2, hidden: [7, 6] }, rng); // the same weights
  const [a, b] = [marginal([0.3, -1]), marginal([0.3, 1.5])];
  const all = (z2: number) => read(two.logProb(tf.tensor2d([[0.3, z2, 0], [0.3, z2, 2]]), rng)); // prettier-ignore
  expect(a).not.toBeCloseTo(b, 3);
  expect(all(-1)[0]).not.toBeCloseTo(all(-1)[1]!, 3);
});

test('a flow’s log-determinant is counted once', () => {
  const bijection = tailedSplineCouplings({ D: 2, steps: 2, hidden: [4], bins: 4, reach: 3 }, rng);
  for (const [i, variable] of bijection.variables.entries())
    tf.tidy(() => variable.assign(rng.fork(`${i}`).normal(variable.shape).mul(0.4).add(variable)));
  const prior = flowPrior(2, bijection);
  const mass = integrate((z) => prior.logProb(z, rng), { low: -9, high: 9, dimensions: 2, steps: 500 });
  expectClose([mass], [1], { absolute: 2e-3 });
});

test('options that do not fit are refused, and the defaults are as they were', () => {
  expect(() => vae.create({ ...vae.tiny.config, prior: { kind: 'flow', coupling: 'affine', steps: 1, hidden: [4] } }, rng)).toThrow('couplings need 2 latents'); // prettier-ignore
  expect(() => vae.create({ ...vae.tiny.config, gradient: 'score', posterior: { kind: 'sylvester', steps: 1 } }, rng)).toThrow("gradient 'score' is of the diagonal posterior"); // prettier-ignore
  expect(() => priorGrid(mixturePrior(4, 2, rng), rng)).toThrow('expected a prior of 1 to 3 latents, got 4');
  expect(() => mixturePrior(2, 0, rng)).toThrow('components must be an integer ≥ 1');
  expect(vae.create(vae.tiny.config, rng).prior.standard).toBe(true);
});
