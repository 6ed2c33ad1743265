import * as tf from '@tensorflow/tfjs';
import { createRng, pixelVae, type PixelVaeConfig } from 'dgm';
import { describe, expect, test } from 'vitest';
import { lawsOf } from '../../laws/laws';
import { lively, specimenOf } from '../../laws/specimen';
import { expectClose, read } from '../../helpers';

const picture: PixelVaeConfig = { ...pixelVae.tiny.config, eventShape: [16], columns: 4, latent: 2 };

describe('the decoder', () => {
  test('of a single window is decided by near pixels and z, of more blocks by all before', () => {
    const near = tf.tidy(() => gradientReach(0));
    const far = tf.tidy(() => gradientReach(2));
    // the last pixel, (3, 3): the window is the row above, columns 2 to 3 of 4, and what is left of it
    expect(near).toEqual([10, 11, 14]);
    expect(far.length).toBeGreaterThan(near.length);
    expect(Math.max(...far)).toBeLessThan(15);
  });

  test('draws what it says: samples follow p(x | z)', async () => {
    const { config, ...rest } = pixelVae.tiny;
    const specimen = specimenOf({ ...pixelVae, tiny: { ...rest, config: { ...config, blocks: 0 } } });
    const names = ['samples follow p', 'bound ≤ importance bound ≤ log p', 'compiled training is eager training'];
    for (const law of lawsOf(specimen.create(createRng(1)), specimen).filter(({ name }) => names.includes(name)))
      await law.check(specimen);
  });

  test('takes a temperature, and refuses one that is none', () => {
    const model = lively(specimenOf(pixelVae)) as ReturnType<typeof pixelVae.create>;
    const z = tf.zeros([30, 1]);
    const cold = model.decoder.sample(z, createRng(1), { temperature: 1e-4 });
    const rows = cold.arraySync() as number[][];
    expect(new Set(rows.map((row) => row.join())).size).toBe(1);
    expect(() => model.decoder.sample(z, createRng(1), { temperature: 0 })).toThrow('temperature must be > 0, got 0');
    expectClose(cold.shape, [30, 4], {});
  });
});

/** The pixels whose code moves the logits of the last of 4 × 4 pixels. */
function gradientReach(blocks: number): number[] {
  const model = pixelVae.create({ ...picture, blocks }, createRng(1));
  const z = tf.zeros([1, 2]);
  const x = createRng('x').uniform([1, 16]).mul(3).floor();
  const lastTerm = (row: tf.Tensor, value: number) => {
    const at = row.slice([0, 0], [1, 15]).concat(tf.tensor2d([[value]]), 1);
    return read(model.decoder.logProb(at, z))[0]!;
  };
  // ln p(x_15 = 1 | before) − ln p(x_15 = 0 | before), in which all other terms drop out
  const odds = (row: tf.Tensor) => lastTerm(row, 1) - lastTerm(row, 0);
  const base = odds(x);
  return Array.from({ length: 15 }, (_, i) => i).filter((i) => {
    const changed = x.add(tf.oneHot(tf.tensor1d([i], 'int32'), 16).toFloat()).mod(3);
    return Math.abs(odds(changed) - base) > 1e-5;
  });
}
