import * as tf from '@tensorflow/tfjs';
import {
  constantWeight,
  createRng,
  dequantised,
  fit,
  type FitOptions,
  getWeights,
  type Objective,
  type Remember,
  type Rng,
  sgd,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { createSteppers } from '../../../lib/engine/step/step';
import { dot, expectClose, mean, read, tensorsLeft } from '../../helpers';
import {
  bits,
  boltzmann,
  engines,
  FLOAT,
  HIDDEN,
  implicit,
  options,
  points,
  RATE,
  remembering,
  schedule,
  valuesOf,
  VISIBLE,
} from './specimens';

// What losses remember from step to step, against loops written by hand.

/** The chains and weights that plain loops in float64 come to. @param kept what becomes of the chains after a step */
function boltzmannByHand(kept: (fantasies: number[][], start: number[][]) => number[][]) {
  const { model, chains } = boltzmann();
  const rows = (values: readonly number[], width: number) =>
    Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));
  const [w, b, c] = getWeights(model).map(({ values }) => Array.from(values));
  const start = rows(valuesOf([chains]), VISIBLE);
  let v = start;
  const sigmoid = (a: number) => 1 / (1 + Math.exp(-a));
  const up = (row: readonly number[]) => c!.map((bias, j) => sigmoid(bias + dot(row, row.map((_, i) => w![i * HIDDEN + j]!)))); // prettier-ignore
  const down = (row: readonly number[]) => b!.map((bias, i) => sigmoid(bias + dot(row, row.map((_, j) => w![i * HIDDEN + j]!)))); // prettier-ignore
  const bernoulli = (p: number[][], noise: Rng) => {
    const u = rows(read(noise.uniform([p.length, p[0]!.length])), p[0]!.length);
    return p.map((row, n) => row.map((q, i) => (u[n]![i]! < q ? 1 : 0)));
  };
  for (const { x, rng } of schedule(bits, options)) {
    let fantasies = v;
    for (const label of ['1', '2']) {
      const noise = rng.fork('contrastive divergence').fork(label);
      const h = bernoulli(fantasies.map(up), noise.fork('h'));
      fantasies = bernoulli(h.map(down), noise.fork('v'));
    }
    const seen = rows(read(x), VISIBLE);
    const slope = (f: (row: readonly number[]) => number) => mean(seen.map(f)) - mean(fantasies.map(f));
    const [dw, db, dc] = [
      w!.map((_, k) => slope((row) => row[Math.floor(k / HIDDEN)]! * up(row)[k % HIDDEN]!)),
      b!.map((_, i) => slope((row) => row[i]!)),
      c!.map((_, j) => slope((row) => up(row)[j]!)),
    ];
    for (const [values, d] of [[w, dw], [b, db], [c, dc]] as const) d.forEach((g, i) => (values![i]! += RATE * g)); // prettier-ignore
    v = kept(fantasies, start);
  }
  return { weights: [...w!, ...b!, ...c!], chains: v.flat() };
}

describe('persistent chains', () => {
  const settings: FitOptions = { ...options, optimiser: sgd(RATE) };
  async function trained(engine: 'auto' | 'eager', other: Partial<FitOptions> = {}) {
    const { model, chains } = boltzmann();
    const result = await fit(model, { train: bits }, { ...settings, engine, ...other });
    return {
      result,
      weights: getWeights(model).flatMap(({ values }) => Array.from(values)),
      chains: valuesOf([chains]),
    };
  }

  test.each(engines)('go on from step to step as written by hand (%s)', async (engine) => {
    const [got, expected] = [await trained(engine), boltzmannByHand((fantasies) => fantasies)];
    expect(got.chains).toEqual(expected.chains);
    expectClose(got.weights, expected.weights, FLOAT);
    expect(got.result.checkpoint.optimisers[0]!.memory).toEqual([Float32Array.from(got.chains)]);
  });

  test('and the comparison tells apart chains that start anew at every step', () => {
    const [going, anew] = [boltzmannByHand((v) => v), boltzmannByHand((_, start) => start)];
    expect(() => expectClose(anew.weights, going.weights, FLOAT)).toThrow();
  });

  test('are compiled, and change nothing about being so', async () => {
    const { model } = boltzmann();
    const steppers = createSteppers(model.objectives, sgd(RATE), { device: 'cpu' });
    await steppers.each[0]!.step(bits, createRng(1), 'this test');
    expect(steppers.engine()).toBe('compiled on cpu');
    await steppers.dispose();
  });

  test('are the same for the same seed, and others for another', async () => {
    const [a, b, c] = [
      await trained('auto'),
      await trained('auto'),
      await trained('auto', { rng: createRng('other') }),
    ];
    expect(a.chains).toEqual(b.chains);
    expect(a.weights).toEqual(b.weights);
    expect(a.weights).not.toEqual(c.weights);
  });

  test('are not moved by a look at held-out data', async () => {
    const { model, chains } = boltzmann();
    const { history } = await fit(model, { train: bits, validation: bits }, settings);
    expect(history.every(({ validation }) => Number.isFinite(validation))).toBe(true);
    expect(valuesOf([chains])).toEqual((await trained('auto')).chains);
  });

  test('leave no tensors', async () => {
    const { model } = boltzmann();
    for (const engine of engines)
      expect(await tensorsLeft(() => fit(model, { train: bits }, { ...settings, engine }))).toBe(0);
  });
});

describe('a memory', () => {
  test.each(engines)('is what the loss says, without a gradient (%s)', async (engine) => {
    const model = remembering();
    await fit(model, { train: points }, { ...options, optimiser: sgd(0.001), engine });
    let seen = 1;
    for (const { x } of schedule(points, options)) seen = 0.9 * seen + 0.1 * mean(read(x));
    expectClose(valuesOf([model.seen]), [seen], FLOAT);
  });

  test.each(engines)('ends as the last step left it, the weights as the best epoch did (%s)', async (engine) => {
    const model = remembering();
    const validation = { x: tf.zeros([10, 1]) }; // which the training leads away from
    const { best, checkpoint } = await fit(model, { train: points, validation }, { ...options, engine });
    expect(best!.epoch).toBeLessThan(3);
    expect(getWeights(model)).toEqual(checkpoint.best!.weights);
    expect(valuesOf([model.seen])).toEqual(Array.from(checkpoint.optimisers[0]!.memory![0]!));
  });

  test('may be read by another objective, and stay as it is for a step', async () => {
    const { seen, objectives } = remembering();
    const own = constantWeight([], 0);
    const reader: Objective = {
      name: 'reader',
      estimates: 'other',
      variables: [own],
      loss: () => tf.tidy(() => own.sub(seen).square().sum()),
    };
    const still: Objective['loss'] = ({ x }, rng, remember) => {
      remember?.([seen]);
      return objectives[0]!.loss({ x }, rng);
    };
    for (const engine of engines)
      await fit(
        implicit([{ ...objectives[0]!, loss: still }, reader]),
        { train: points },
        { ...options, epochs: 20, engine },
      );
    expect(valuesOf([seen])).toEqual([1]);
    expectClose(valuesOf([own]), [1], { absolute: 1e-4 }); // (1 − 2 · 0.05)^160 = 5·10⁻⁸ of the way is left
  });

  test('comes with a model that is dequantised', async () => {
    const model = remembering();
    await fit(dequantised(model), { train: { x: tf.ones([20, 1]) } }, { ...options, epochs: 1, batchSize: 20 });
    const [seen] = valuesOf([model.seen]);
    expect(seen).toBeGreaterThan(0.9 + 0.1 * 1); // the mean of 1 + u, u in [0, 1)
    expect(seen).toBeLessThan(0.9 + 0.1 * 2);
  });

  describe('that is not there is an error', () => {
    type Say = (remember: Remember) => void;
    const has = "fit: the loss 'noisy' has a memory of float32 [1], but ";
    test.each<[string, Say, string]>([
      ['never told', () => undefined, 'remembered nothing; call remember'],
      ['told twice', (say) => [0, 1].forEach(() => say([tf.zeros([1])])), 'handed one over twice; call remember once'],
      ['of another shape', (say) => say([tf.zeros([2])]), 'remembers float32 [2]; list each variable'],
      ['of another type', (say) => say([tf.zeros([1], 'int32')]), 'remembers int32 [1]; list each variable'],
    ])('%s', async (_, say, message) => {
      for (const engine of engines) {
        const model = remembering();
        const loss: Objective['loss'] = (batch, rng, remember) => {
          if (remember) tf.tidy(() => say(remember));
          return model.objectives[0]!.loss(batch, rng);
        };
        const broken = { ...model, objectives: [{ ...model.objectives[0]!, loss }] };
        const left = await tensorsLeft(async () => {
          await expect(fit(broken, { train: points }, { ...options, engine })).rejects.toThrow(has + message);
        });
        expect(left).toBe(0);
      }
    });

    test('not listed', async () => {
      const { objectives } = remembering();
      const forgetful = { ...objectives[0]!, memory: [] };
      await expect(fit(implicit([forgetful]), { train: points }, options)).rejects.toThrow(
        "fit: the loss 'noisy' has a memory of nothing, but remembers float32 [1]; list each variable",
      );
    });
  });

  test('that another objective trains or remembers in, or of another type, is refused', () => {
    const { objectives: [objective], seen } = remembering(); // prettier-ignore
    const steppers = (...objectives: Objective[]) => createSteppers(objectives, sgd(0.1));
    const other = { ...objective!, name: 'other', variables: [constantWeight([1], 0)] };
    expect(() => steppers(objective!, other)).toThrow('fit: two objectives remember in the same variable');
    expect(() => steppers(objective!, { ...other, memory: [], variables: [seen] })).toThrow(
      'fit: a variable is both trained',
    );
    const counts = tf.variable(tf.zeros([2], 'int32'));
    expect(() => steppers({ ...other, memory: [counts] })).toThrow('fit: a memory must be float32, got int32 [2]');
  });

  test.each(engines)('that is not a number ends training, with everything as it was (%s)', async (engine) => {
    const model = remembering();
    const { loss } = model.objectives[0]!;
    const breaking: Objective['loss'] = (batch, rng, remember) => {
      const late = batch.x.shape[0] === 12; // the fourth step
      return loss(batch, rng, remember && (([next]) => remember([next!.mul(late ? NaN : 1)])));
    };
    const objectives = [{ ...model.objectives[0]!, loss: breaking }];
    const steppers = createSteppers(objectives, sgd(0.1), { engine });
    const batch = (rows: number) => ({ x: points.x.slice([0, 0], [rows, 1]) });
    await steppers.each[0]!.step(batch(16), createRng(1), 'step 1');
    steppers.write();
    const before = [valuesOf(objectives[0]!.variables), valuesOf([model.seen]), steppers.each[0]!.state()];
    await expect(steppers.each[0]!.step(batch(12), createRng(2), 'step 2')).rejects.toThrow(
      "fit: the memory of the loss 'noisy' is NaN in step 2",
    );
    steppers.write();
    expect([valuesOf(objectives[0]!.variables), valuesOf([model.seen]), steppers.each[0]!.state()]).toEqual(before);
    await steppers.dispose();
  });
});
