import * as tf from '@tensorflow/tfjs';
import { type Batch, fit, type GenerativeModel, type Objective, type Rng, sgd } from 'dgm';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../helpers';
import { asked, engines, EVERY, FLOAT, implicit, options, pair, points, schedule, STEPS, valuesOf } from './specimens';

describe('a critic, and a generator that moves after each third of its steps', () => {
  /** By TensorFlow.js' own optimisers. @param turn whether the generator moves at this step of the training */
  function byHand(turn: (step: number, batch: number) => boolean): number[] {
    const { critic, generator } = pair();
    const [momentum, moments] = [tf.train.momentum(0.05, 0.9), tf.train.adam(0.02, 0.9, 0.999, 1e-8)];
    let step = 0;
    for (const { b, x, rng } of schedule(points, options)) {
      const minimise = (optimiser: tf.Optimizer, { name, variables, loss }: Objective) =>
        optimiser.minimize(() => loss({ x }, rng.fork(name)) as tf.Scalar, false, [...variables]);
      minimise(momentum, critic);
      if (turn(++step, b + 1)) minimise(moments, generator);
    }
    return valuesOf([...critic.variables, ...generator.variables]);
  }

  async function byFit(model: GenerativeModel, engine: 'auto' | 'eager') {
    const { checkpoint } = await fit(model, { train: points }, { ...options, engine });
    const weights = model.objectives.flatMap(({ variables }) => valuesOf(variables));
    return { weights, steps: checkpoint.optimisers.map(({ steps }) => steps), checkpoint };
  }

  test.each(engines)('as written by hand, over the bounds of epochs (%s)', async (engine) => {
    const { weights, steps, checkpoint } = await byFit(asked(pair()), engine);
    expectClose(
      weights,
      byHand((step) => step % EVERY === 0),
      FLOAT,
    );
    expect(steps).toEqual([3 * STEPS, (3 * STEPS) / EVERY]);
    expect(checkpoint.steps).toBe(3 * STEPS);
  });

  test('and the comparison tells apart a count within epochs, a turn too early, and a shared optimiser', async () => {
    const { weights } = await byFit(asked(pair()), 'eager');
    const others = [
      byHand((_, batch) => batch % EVERY === 0),
      byHand((step) => step % EVERY === 1),
      byHand(() => true),
      (await byFit(implicit(asked(pair()).objectives.map((o) => ({ ...o, optimiser: sgd(0.05) }))), 'eager')).weights,
    ];
    for (const other of others) expect(() => expectClose(other, weights, FLOAT)).toThrow();
  });

  test('has in the history each loss over its own steps', async () => {
    const model = asked(pair());
    const seen: Record<string, number[]> = { critic: [], generator: [] };
    const objectives = model.objectives.map((objective) => ({
      ...objective,
      loss(batch: Batch, rng: Rng) {
        const loss = objective.loss(batch, rng);
        seen[objective.name]!.push(batch.x.shape[0]! * loss.dataSync()[0]!);
        return loss;
      },
    }));
    const { history } = await fit({ ...model, objectives }, { train: points }, { ...options, epochs: 2 });
    const [sizes, sum] = [[16, 16, 16, 12], (values: readonly number[]) => values.reduce((a, b) => a + b, 0)];
    // the generator moves at step 3, batch 3 of the first epoch, and step 6, batch 2 of the second
    const expected = [0, 1].map(
      (e) => sum(seen['critic']!.slice(4 * e, 4 * e + 4)) / 60 + seen['generator']![e]! / sizes[2]!,
    );
    expectClose(history.map(({ loss }) => loss), expected, { relative: 1e-6 }); // prettier-ignore
    expect(seen['generator']!.length).toBe(2);
  });

  test('an objective whose turn never came adds nothing, and stays', async () => {
    const { critic, generator } = pair();
    const before = valuesOf(generator.variables);
    const { history, checkpoint } = await fit(
      implicit([critic, { ...generator, every: 100 }]),
      { train: points },
      options,
    );
    expect(valuesOf(generator.variables)).toEqual(before);
    expect(checkpoint.optimisers.map(({ steps }) => steps)).toEqual([12, 0]);
    expect(history.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  });

  test.each([0, -1, 1.5, NaN, Infinity])('every = %d is refused', async (every) => {
    const { critic, generator } = pair();
    await expect(fit(implicit([critic, { ...generator, every }]), { train: points }, options)).rejects.toThrow(
      `fit: objective 'generator': every must be an integer ≥ 1, got ${every}`,
    );
  });
});
