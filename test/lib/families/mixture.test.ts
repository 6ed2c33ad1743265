import * as tf from '@tensorflow/tfjs';
import { categoricalMixture, createRng, em, gaussianMixture, LOG_2PI, logNormalComponents } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose, read, tensorsLeft } from '../../helpers';

// Real data come in any unit: clusters that are narrow and far apart, far from 0, or tiny

const rng = createRng('mixture numerics');

interface World {
  /** Distance of the clusters from 0, and their standard deviation. */
  readonly centre: number;
  readonly sigma: number;
}
const worlds: readonly World[] = [0, 1, 10, 100, 1000, 1e4].flatMap((centre) =>
  [1e-3, 0.1, 1, 30].map((sigma) => ({ centre, sigma })),
);
const [B, K, D] = [8, 4, 3];

/** Two clusters at ±centre, two components on each, and examples from both: as float32 has them. */
function inputsOf({ centre, sigma }: World) {
  const here = rng.fork(`${centre} ${sigma}`);
  const at = (rows: number) => tf.tensor2d(Array.from({ length: rows }, (_, n) => [n % 2 === 0 ? centre : -centre]));
  const x = at(B).add(here.fork('x').normal([B, D]).mul(2 * sigma)); // prettier-ignore
  const mu = at(K).add(here.fork('mu').normal([K, D]).mul(sigma)); // prettier-ignore
  const logVar = here.fork('logVar').normal([K, D]).mul(0.5).add(2 * Math.log(sigma)); // prettier-ignore
  return { x, mu, logVar };
}

type Inputs = ReturnType<typeof inputsOf>;

/** The terms of the sum in double precision: [B][K][D]. */
function termsOf({ x, mu, logVar }: Inputs): number[][][] {
  const [X, M, L] = [x, mu, logVar].map((t) => t.arraySync() as number[][]) as [number[][], number[][], number[][]];
  return X.map((row) =>
    M.map((m, k) => row.map((v, d) => -0.5 * (LOG_2PI + L[k]![d]! + (v - m[d]!) ** 2 / Math.exp(L[k]![d]!)))),
  );
}

/** How far from the truth, in units of float32's rounding of the terms: a handful for whoever squares differences. */
function worstError(inputs: Inputs, log: typeof logNormalComponents): number {
  const terms = termsOf(inputs).flat();
  const got = read(log(inputs.x, inputs.mu, inputs.logVar));
  return Math.max(
    ...terms.map((own, i) => {
      const sum = own.reduce((a, b) => a + b, 0);
      const size = own.reduce((a, b) => a + Math.abs(b), 1);
      return Math.abs(got[i]! - sum) / (size * 2 ** -24);
    }),
  );
}
const HANDFUL = 16;

/** The mutant: the squares multiplied out about the middle of the means. */
function multipliedOut(x: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  const [z, m, p] = [x.sub(mu.mean(0)), mu.sub(mu.mean(0)), logVar.neg().exp()];
  const squares = z
    .square()
    .matMul(p, false, true)
    .sub(z.matMul(m.mul(p), false, true).mul(2));
  return squares.add(m.square().mul(p).add(logVar).add(LOG_2PI).sum(1)).mul(-0.5);
}

describe('the log-density of Gaussian components', () => {
  test.each(worlds)('clusters at ± $centre, σ = $sigma: agrees with double precision', (world) => {
    expect(worstError(inputsOf(world), logNormalComponents)).toBeLessThan(HANDFUL);
  });

  test('multiplied out it would not', () => {
    expect(worstError(inputsOf({ centre: 100, sigma: 0.1 }), multipliedOut)).toBeGreaterThan(100 * HANDFUL);
    expect(worstError(inputsOf({ centre: 0, sigma: 1 }), multipliedOut)).toBeLessThan(HANDFUL); // as good where it is easy
  });

  test('is the same in groups of components, where all at once would be too large', async () => {
    const [rows, wide] = [512, 2048]; // two components fill the largest array
    const x = rng.fork('wide').uniform([rows, wide]);
    const [mu, logVar] = [rng.fork('wide mu').normal([3, wide]), rng.fork('wide logVar').normal([3, wide])];
    const each = [0, 1, 2].map((k) => logNormalComponents(x, mu.slice([k], [1]), logVar.slice([k], [1])));
    expectClose(read(logNormalComponents(x, mu, logVar)), read(tf.concat(each, 1)), { relative: 1e-6 });
    expect(await tensorsLeft(() => logNormalComponents(x, mu, logVar).dispose())).toBe(0);
  });
});

describe('EM', () => {
  const entropy = ({ sigma }: World) => Math.LN2 + 0.5 * (LOG_2PI + 1) + Math.log(sigma);

  test.each([10, 100, 1000, 1e4].flatMap((centre) => [0.01, 0.1].map((sigma) => ({ centre, sigma }))))(
    'two clusters at ± $centre, σ = $sigma',
    async (world) => {
      const { centre, sigma } = world;
      const here = rng.fork(`em ${centre} ${sigma}`);
      const cluster = (at: number) => here.fork(`${at}`).normal([200, 1]).mul(sigma).add(at);
      const x = tf.concat([cluster(-centre), cluster(centre)]);
      const config = {
        ...gaussianMixture.tiny.config,
        components: 2,
        eventShape: [1],
        varianceFloor: 1e-9,
        pseudoCount: 0,
      };
      const model = gaussianMixture.create(config, here.fork('model'));
      const { history } = await em(model, { train: { x } }, { iterations: 20, rng: here.fork('em'), quiet: true });
      const data = Array.from(x.dataSync());
      const variances = [data.slice(0, 200), data.slice(200)].map((own) => {
        const mean = own.reduce((a, b) => a + b) / 200;
        return own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 200;
      });
      const { logVar, mu } = model.parameters();
      const order = mu!.dataSync()[0]! < 0 ? [0, 1] : [1, 0];
      const got = order.map((k) => Math.exp(logVar!.dataSync()[k]!));
      // the mean is a float32, half a step beside the true one: at 10⁴ a step is 0.001
      const step = centre * 2 ** -23;
      expectClose(got, variances, { absolute: 1e-5 * sigma ** 2 + 1e-9, relative: 1e-3 });
      // the likelihood of the data under their own two Gaussians, within what that half step costs
      const truth = variances.reduce((sum, v) => sum + 0.25 * (LOG_2PI + Math.log(v) + 1), Math.LN2);
      expectClose([history.at(-1)!.loss], [truth], { absolute: 1e-4 + (step / sigma) ** 2 });
      expect(Math.abs(truth - entropy(world))).toBeLessThan(6 * Math.sqrt(0.5 / 400));
    },
  );

  test('imaginary examples have the mean and variance of all data, also far from 0', () => {
    const x = tf.tensor2d([1000, 1001, 1002, 1003], [4, 1]);
    const config = {
      ...gaussianMixture.tiny.config,
      components: 1,
      eventShape: [1],
      varianceFloor: 1e-9,
      pseudoCount: 2,
    };
    const model = gaussianMixture.create(config, rng.fork('imaginary'));
    model.mStep(x, tf.tensor2d([1, 1, 0, 0], [4, 1]));
    const { mu, logVar } = model.parameters();
    // mean (1000 + 1001 + 2 · 1001.5) / 4; variance ((0 − 1)² + 0² + 2 (1.25 + 0.5²)) / 4 about it
    expectClose([mu!.dataSync()[0]!], [1001], { absolute: 1e-4 });
    expectClose([Math.exp(logVar!.dataSync()[0]!)], [1], { absolute: 1e-5 });
  });
});

test.each([0, -1, 1.5, NaN])('a mixture of %d components is refused, by name', (components) => {
  for (const family of [gaussianMixture, categoricalMixture])
    expect(() => family.create({ ...family.tiny.config, components } as never, createRng(1))).toThrow(
      `Mixture: components must be an integer ≥ 1, got ${components}`,
    );
});
