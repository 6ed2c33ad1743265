import * as tf from '@tensorflow/tfjs';
import {
  causalAttention,
  type CausalNetwork,
  causalSequential,
  convolutionalAutoregressive,
  createRng,
  dilatedConv1d,
  gatedPixelCnn,
  gatedPixelStack,
  maskedPixelCnn,
  maskedPixelStack,
  natsPerValue,
  type Network,
  transformerAutoregressive,
  transformerBlock,
} from 'dgm';
import { describe, expect, test } from 'vitest';
import { compiled } from '../../../lib/sampling/sampler';
import { expectClose, read, tensorsLeft } from '../../helpers';

const rng = createRng('autoregressive');
const [B, T, W] = [2, 9, 4];

const conv = (kernel: number, dilation: number): CausalNetwork =>
  dilatedConv1d({ inputs: W, outputs: W, kernel, dilation }, rng.fork(`${kernel} ${dilation}`));
const networks: Readonly<Record<string, CausalNetwork>> = {
  'a convolution': conv(3, 1),
  'a dilated convolution': conv(2, 3),
  'a convolution longer than the sequence': conv(3, 8),
  attention: causalAttention(W, 2, rng.fork('attention')),
  'a transformer block': transformerBlock(W, 2, rng.fork('block')),
  'one after the other': causalSequential(conv(2, 1), transformerBlock(W, 1, rng.fork('next')), conv(2, 2)),
};

type Step = (x: tf.Tensor, t: tf.Tensor, memory: readonly tf.Tensor[]) => tf.Tensor[];

/** Every row by `step`: [B, T, W]. */
function byMemory(network: CausalNetwork, x: tf.Tensor, step: Step): tf.Tensor {
  let memory = network.start(B, T);
  const rows = Array.from({ length: T }, (_, t) => {
    const [y, ...next] = step(x.slice([0, t, 0], [B, 1, W]).squeeze([1]), tf.scalar(t, 'int32'), memory);
    memory = next;
    return y!;
  });
  return tf.stack(rows, 1);
}

describe.each(Object.entries(networks))('%s', (_, network) => {
  const x = rng.fork('x').normal([B, T, W]);
  const step: Step = (row, t, memory) => {
    const { y, memory: next } = network.step(row, t, memory);
    return [y, ...next];
  };

  test('with memory, step by step, is the pass over all steps', () => {
    tf.tidy(() => expectClose(byMemory(network, x, step).dataSync(), network.apply(x).dataSync(), { absolute: 1e-5 }));
  });

  test('so it is compiled', () => {
    const run = compiled(([row, t, ...memory]) => step(row!, t!, memory));
    const fast: Step = (row, t, memory) => run([row, t, ...memory], rng);
    tf.tidy(() => expectClose(byMemory(network, x, fast).dataSync(), network.apply(x).dataSync(), { absolute: 1e-5 }));
    expect(run.engine()).toMatch(/^compiled/);
  });

  test('no gradient comes from later steps, and some from its own', () => {
    for (let t = 0; t < T; t++) {
      const gradient = tf.tidy(
        () => tf.grad((v: tf.Tensor) => network.apply(v).slice([0, t, 0], [B, 1, W]).square().sum())(x).abs().sum([0, 2]), // prettier-ignore
      );
      const perStep = read(gradient);
      expect(perStep.slice(t + 1)).toEqual(new Array<number>(T - 1 - t).fill(0));
      expect(perStep[t]).toBeGreaterThan(0);
    }
  });
});

// Pictures

const [H, COLUMNS] = [5, 6];
const stackOptions = { height: H, width: COLUMNS, inputs: 2, channels: 4, kernel: 3, blocks: 4 };
const stacks: Readonly<Record<string, Network>> = {
  masked: maskedPixelStack(stackOptions, rng.fork('masked')),
  gated: gatedPixelStack(stackOptions, rng.fork('gated')),
};

/** Which pixels the output at a pixel depends on, in reading order. */
function seenFrom(network: Network, pixel: number): boolean[] {
  const x = rng.fork('picture').normal([1, H, COLUMNS, 2]);
  const at = [0, Math.floor(pixel / COLUMNS), pixel % COLUMNS, 0];
  const output = (v: tf.Tensor) => network.apply(v).slice(at, [1, 1, 1, 4]).square().sum();
  const gradient = tf.tidy(() => tf.grad(output)(x).abs().sum(3));
  x.dispose();
  return read(gradient).map((value) => value > 0);
}

test.each(Object.keys(stacks))('%s: a pixel depends on pixels before it alone', (name) => {
  for (let pixel = 0; pixel < H * COLUMNS; pixel++)
    expect(seenFrom(stacks[name]!, pixel).lastIndexOf(true)).toBeLessThan(pixel);
});

test('the gated stack sees all within reach, and the masked one is blind above and to the right', () => {
  const pixel = 4 * COLUMNS + 1; // row 4, column 1
  const before = Array.from({ length: pixel }, () => true);
  expect(seenFrom(stacks['gated']!, pixel).slice(0, pixel)).toEqual(before);
  const blind = seenFrom(stacks['masked']!, pixel).slice(0, pixel).flatMap((seen, at) => (seen ? [] : [at])); // prettier-ignore
  // one column further to the right for every row up: row 3 up to column 2, row 2 up to 3, row 1 up to 4
  const beyond = (at: number) => (at % COLUMNS) - 1 > 4 - Math.floor(at / COLUMNS);
  expect(blind).toEqual(before.flatMap((_, at) => (beyond(at) ? [at] : [])));
});

test('a window has a centre', () => {
  expect(() => maskedPixelStack({ ...stackOptions, kernel: 4 }, rng)).toThrow('kernel must be odd');
  expect(() => gatedPixelStack({ ...stackOptions, kernel: 2 }, rng)).toThrow('kernel must be odd');
  expect(() => gatedPixelCnn.create({ ...gatedPixelCnn.defaults, columns: 7 }, rng)).toThrow('do not fill rows of 7');
});

// Sampling

const members = [convolutionalAutoregressive, transformerAutoregressive, maskedPixelCnn, gatedPixelCnn];

describe.each(members.map((member) => [member.name, member] as const))('%s', (_, member) => {
  const { eventShape } = member.tiny.config;
  const D = eventShape.reduce((size, n) => size * n, 1);
  const model = member.create(member.tiny.config as never, rng.fork('model'));

  test('the nats of its values add up to those of the whole', () => {
    const x = model.sample({ count: 30, rng: rng.fork('x') });
    const { likelihood } = model;
    const whole = likelihood.kind === 'exact' ? likelihood.logProb(x, rng).neg() : expect.fail('exact');
    expectClose(read(natsPerValue(model, x).sum(1)), read(whole), { absolute: 1e-4 });
  });

  test('draws the same with memory and by passes', () => {
    const [a, b] = [
      model.sample({ count: 200, rng: rng.fork('draws') }),
      model.sampleByPasses({ count: 200, rng: rng.fork('draws') }),
    ];
    expect(read(a)).toEqual(read(b));
  });

  test('goes on from what is given, with the noise that belongs to each place', () => {
    const all = model.sample({ count: 50, rng: rng.fork('draws') }).reshape([50, D]);
    const start = all.slice([0, 0], [50, 2]);
    expect(read(model.sample({ count: 50, rng: rng.fork('draws'), given: start }))).toEqual(read(all.clone()));
    const zeros = model.sample({ count: 50, rng: rng.fork('draws'), given: tf.zeros([50, 2]) }).reshape([50, D]);
    expect(read(zeros.slice([0, 0], [50, 2]))).toEqual(new Array<number>(100).fill(0));
    expect(() => model.sample({ count: 3, rng, given: tf.zeros([3, D + 1]) })).toThrow(`n ≤ ${D}, got n = ${D + 1}`);
    tf.dispose([all, start, zeros]);
  });

  test('temperature: near 0 the most probable value, and never 0 itself', async () => {
    const cold = model.sample({ count: 20, rng: rng.fork('cold'), temperature: 1e-4 });
    const best = tf.tidy(() => model.logits(cold).argMax(-1).toFloat());
    expect(read(cold.reshape([20, D]))).toEqual(read(best));
    expect(() => model.sample({ count: 2, rng, temperature: 0 })).toThrow('temperature must be > 0, got 0');
    expect(await tensorsLeft(() => model.sample({ count: 2, rng, temperature: 0.5 }).dispose())).toBe(0);
  });
});
