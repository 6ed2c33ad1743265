import * as tf from '@tensorflow/tfjs';
import { adam, barsAndStripes, boltzmann, createRng, fit, isingSource, normalised, rbm, variablesOf, type BoltzmannModel, type GenerativeModel, type RbmConfig, type RbmModel } from 'dgm'; // prettier-ignore
import { describe, expect, test } from 'vitest';
import { lawsOf } from '../../laws/laws';
import { lively, specimenOf, type Specimen } from '../../laws/specimen';
import { dot, enumerate, expectClose, logSumExp, mean, read } from '../../helpers';

const sumOf = ({ likelihood }: GenerativeModel): number =>
  likelihood.kind === 'unnormalised' && likelihood.logZ ? read(likelihood.logZ())[0]! : NaN;
const everything = [
  'shapes and finiteness', 'all randomness comes from the rng', 'no tensor is left behind', 'an energy has a partition function',
  'samples follow p', 'a step of an objective moves every variable it lists, and no other', 'the gradient of the loss is its slope',
  'compiled training is eager training',
]; // prettier-ignore
async function obeys(specimen: Specimen): Promise<void> {
  for (const law of lawsOf(specimen.create(createRng(1)), specimen))
    if (everything.includes(law.name)) await law.check(specimen);
}

describe('restricted', () => {
  const tiny = rbm.tiny.config;
  const made = (over: Partial<RbmConfig>, seed = 1) => rbm.create({ ...tiny, ...over }, createRng(seed));

  test.each(['exact', 'contrastive'] as const)('%s training obeys the laws', (training) =>
    obeys(specimenOf({ ...rbm, tiny: { ...rbm.tiny, config: { ...tiny, training } } })),
  );

  test('its energy and its ln Z are sums over the hidden units, whichever layer is smaller', () => {
    for (const hidden of [2, 6]) {
      const model = lively(specimenOf({ ...rbm, tiny: { ...rbm.tiny, config: { ...tiny, hidden } } })) as RbmModel;
      const [w, b, c] = Object.values(model.weights).map((v) => v.arraySync()) as [number[][], number[], number[]];
      const joint = (x: readonly number[]) =>
        logSumExp(enumerate([0, 1], hidden).map((h) => dot(b, x) + dot(c, h) + x.reduce((sum, v, i) => sum + v * dot(w[i]!, h), 0))); // prettier-ignore
      const world = enumerate([0, 1], 4);
      expectClose(read(model.negEnergy(tf.tensor2d(world.map((row) => [...row])))), world.map(joint), {
        absolute: 1e-4,
      });
      expectClose([sumOf(model)], [logSumExp(world.map(joint))], { absolute: 1e-4 });
    }
  });

  test('contrastive divergence is biased, and less so with more sweeps; chains that end at p are not', () => {
    const source = barsAndStripes(2);
    const x = source.sample({ count: 20_000, rng: createRng('x') }).reshape([-1, 4]);
    const gradientOf = (over: Partial<RbmConfig>) => {
      const model = made({ hidden: 4, scale: 1.5, ...over }, 3);
      const [{ loss }] = model.objectives as [RbmModel['objectives'][number]];
      const { grads } = tf.variableGrads(() => loss({ x }, createRng('loss')).asScalar(), variablesOf(model));
      return variablesOf(model).flatMap(({ name }) => read(grads[name]!));
    };
    const exact = gradientOf({ training: 'exact' });
    const off = (over: Partial<RbmConfig>) => Math.sqrt(mean(gradientOf(over).map((g, i) => (g - exact[i]!) ** 2)));
    const [one, five, many] = [1, 5, 60].map((sweeps) => off({ training: 'contrastive', sweeps })) as [number, number, number]; // prettier-ignore
    const noise = 0.5 / Math.sqrt(20_000); // of a mean of numbers from 0 to 1
    expect(many).toBeLessThan(4 * noise);
    expect(five).toBeGreaterThan(many);
    expect(one).toBeGreaterThan(Math.max(five, 8 * noise));
  });

  test('persistent chains come as near to the source as the exact gradient does', async () => {
    const source = barsAndStripes(2);
    const train = { x: source.sample({ count: 300, rng: createRng('train') }).reshape([-1, 4]) };
    const world = tf.tensor2d(enumerate([0, 1], 4).map((row) => [...row]));
    const p = read(source.logProb(world.reshape([-1, 2, 2]))).map(Math.exp);
    const reached = async (training: RbmConfig['training']) => {
      const model = made({ hidden: 4, training, sweeps: 2, scale: 0.1, chains: 100 });
      const rate = (step: number) => 0.05 * Math.max(0.02, 1 - step / 900);
      await fit(model, { train }, { epochs: 150, batchSize: 50, optimiser: adam(rate), rng: createRng('fit'), quiet: true }); // prettier-ignore
      const q = read(model.negEnergy(world)).map((v) => v - sumOf(model));
      return p.reduce((sum, v, i) => sum + (v > 0 ? v * (Math.log(v) - q[i]!) : 0), 0);
    };
    const [exact, persistent] = [await reached('exact'), await reached('persistent')];
    expect(exact).toBeLessThan(0.15);
    expect(persistent - exact).toBeLessThan(0.1);
  });

  test('what it refuses', () => {
    expect(() => made({ training: 'CD' as never })).toThrow("got 'CD'");
    expect(() => made({ training: 'exact', eventShape: [20], hidden: 20 })).toThrow("take 'persistent'");
    expect(() => made({ training: 'persistent', chains: 10 })).toThrow('chains must be at least batchSize');
    expect(() => made({ sweeps: 0 })).toThrow('sweeps must be an integer ≥ 1');
    expect(sumOf(made({ eventShape: [20], hidden: 20 }))).toBeNaN(); // too large to be summed
  });
});

describe('without hidden units', () => {
  const tiny = boltzmann.tiny.config;

  test.each(['exact', 'contrastive'] as const)('%s training obeys the laws', (training) =>
    obeys(specimenOf({ ...boltzmann, tiny: { ...boltzmann.tiny, config: { ...tiny, training } } })),
  );

  test('its conditionals are those of its energy', () => {
    const model = lively(specimenOf(boltzmann)) as BoltzmannModel;
    const x = tf.tensor(enumerate([0, 1], 4).flat(), [16, 2, 2]);
    const energy = read(model.negEnergy(x));
    const byHand = enumerate([0, 1], 4).map((_, n) =>
      [0, 1, 2, 3].reduce((sum, i) => sum + energy[n]! - logSumExp([energy[n]!, energy[n ^ (1 << (3 - i))]!]), 0),
    );
    expectClose(read(model.pseudoLogLikelihood(x)), byHand, { absolute: 1e-4 });
    const J = model.couplings().arraySync() as number[][];
    J.forEach((row, i) => row.forEach((value, j) => expect(value).toBeCloseTo(i === j ? 0 : J[j]![i]!, 5)));
  });

  test('the 4 × 4 Ising model written as one has its probabilities', () => {
    const model = boltzmann.create({ ...boltzmann.defaults, scale: 1e-9 }, createRng(1));
    const [a, b] = variablesOf(model) as [tf.Variable, tf.Variable];
    const near = (i: number, j: number) => Math.abs((i >> 2) - (j >> 2)) + Math.abs((i % 4) - (j % 4)) === 1;
    const J = Array.from({ length: 16 }, (_, i) => Array.from({ length: 16 }, (__, j) => Number(near(i, j)) * 1.6));
    a.assign(tf.tensor2d(J));
    b.assign(tf.tensor1d(J.map((row) => -row.reduce((sum, v) => sum + v, 0) / 2))); // s = 2 x − 1
    const source = isingSource({ coupling: 0.4 });
    const x = source.sample({ count: 50, rng: createRng(1) });
    const exact = normalised(model).likelihood;
    if (exact.kind !== 'exact') return expect.fail('its ln Z is a sum');
    expectClose(read(exact.logProb(x, createRng(1))), read(source.logProb(x)), { absolute: 1e-3 });
  });

  test('what it refuses', () => {
    expect(() => boltzmann.create({ ...tiny, training: 'ml' as never }, createRng(1))).toThrow("got 'ml'");
    expect(() => boltzmann.create({ ...tiny, eventShape: [17], training: 'exact' }, createRng(1))).toThrow("take 'pseudo-likelihood'"); // prettier-ignore
  });
});
