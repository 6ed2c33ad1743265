import * as tf from '@tensorflow/tfjs';
import { createRng, grammarSource, sentenceVae, type SentenceVaeConfig } from 'dgm';
import { describe, expect, test } from 'vitest';
import { lawsOf } from '../../laws/laws';
import { specimenOf } from '../../laws/specimen';
import { expectClose, read } from '../../helpers';

const { config, ...facts } = sentenceVae.tiny;

test('its defaults are of the library’s grammar', () => {
  const { eventShape, words } = grammarSource();
  expect([sentenceVae.defaults.eventShape, sentenceVae.defaults.values]).toEqual([eventShape, words.length]);
});

describe.each(['recurrent', 'convolutional'] as const)('with a %s decoder', (decoder) => {
  const create = (other: Partial<SentenceVaeConfig> = {}) =>
    sentenceVae.create({ ...config, decoder, dilations: [1, 2], ...other }, createRng(1));

  test('what it writes word after word follows p, which it knows in one pass', async () => {
    const specimen = specimenOf({
      ...sentenceVae,
      tiny: { ...facts, config: { ...config, decoder, dilations: [1, 2] } },
    });
    const names = ['samples follow p', 'bound ≤ importance bound ≤ log p', 'compiled sampling is eager sampling'];
    for (const law of lawsOf(specimen.create(createRng(1)), specimen).filter(({ name }) => names.includes(name)))
      await law.check(specimen);
  });

  test('words are dropped in training alone, and only before the one that is written', () => {
    const model = create({ wordDropout: 1 });
    const [x, z] = [tf.tensor2d([[2, 1, 0]]), tf.zeros([1, 1])];
    const trained = (row: tf.Tensor) => read(model.decoder.logProb(row, z, createRng(1)))[0]!;
    const of = (row: tf.Tensor) => read(model.decoder.logProb(row, z))[0]!;
    expect(of(x)).not.toBe(trained(x));
    // with no word shown, a row is as likely as its words one by one: p(a b c) p(a′ b c′) = p(a′ b c) p(a b c′)
    const rows = [[2, 1, 0], [0, 1, 1], [0, 1, 0], [2, 1, 1]].map((row) => trained(tf.tensor2d([row]))); // prettier-ignore
    expectClose([rows[0]! + rows[1]!], [rows[2]! + rows[3]!], { absolute: 1e-5 });
    const shown = [[2, 1, 0], [0, 1, 1], [0, 1, 0], [2, 1, 1]].map((row) => of(tf.tensor2d([row]))); // prettier-ignore
    expect(Math.abs(shown[0]! + shown[1]! - shown[2]! - shown[3]!)).toBeGreaterThan(1e-4);
    expect(model.objectives[0]!.estimates).toBe('other');
  });
});

test('a rate of words that is none is refused', () => {
  expect(() => sentenceVae.create({ ...config, wordDropout: 2 }, createRng(1))).toThrow(
    'wordDropout must be from 0 to 1',
  );
});
