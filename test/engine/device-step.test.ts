import * as tf from '@tensorflow/tfjs';
import { adam, adamW, adamax, createRng, movingAverage, type Optimiser, type Rng, sgd } from 'dgm';
import { describe, expect, test } from 'vitest';
import { createDeviceSteps } from '../../lib/engine/step/device-step';
import { expectClose, tensorsLeft } from '../helpers';

// A step that happens on the device as a whole, here on the cpu, against gradients and optimisers that everybody else uses.

const FLOAT = { absolute: 2e-6, relative: 1e-4 };
const weight = (seed: number, shape: number[]) => tf.variable(tf.tidy(() => createRng(seed).normal(shape).mul(0.3)));
const variables = [weight(1, [6, 4]), weight(2, [4]), weight(3, [4, 6])];
const start = variables.map((variable) => variable.dataSync() as Float32Array);
const batches = [5, 5, 3, 5, 3].map((rows, i) => createRng(`batch ${i}`).normal([rows, 6]));

function gradient([x]: readonly tf.Tensor[], rng: Rng) {
  const loss = () => {
    const h = x!
      .matMul(variables[0] as tf.Tensor2D)
      .add(variables[1]!)
      .tanh();
    const noisy = h.add(rng.normal(h.shape).mul(0.1));
    return noisy
      .matMul(variables[2] as tf.Tensor2D)
      .sub(x!)
      .square()
      .mean()
      .asScalar();
  };
  const { value, grads } = tf.variableGrads(loss, variables);
  return { value, grads: variables.map((variable) => grads[variable.name]!) };
}

/** Flat weights and slots after a step for each batch, by eager gradients and plain loops. */
function reference(optimiser: Optimiser, ema?: number) {
  const size = start.reduce((sum, { length }) => sum + length, 0);
  const flat = new Float32Array(size);
  let offset = 0;
  const views = start.map((values) => {
    const view = flat.subarray(offset, (offset += values.length));
    view.set(values);
    return view;
  });
  const slots = Array.from({ length: optimiser.slots }, () => new Float32Array(size));
  const average = new Float32Array(size);
  const losses = batches.map((x, t) => {
    variables.forEach((variable, i) => tf.tidy(() => variable.assign(tf.tensor(views[i]!.slice(), variable.shape))));
    return tf.tidy(() => {
      const { value, grads } = gradient([x], createRng(t));
      const g = Float32Array.from(grads.flatMap((part) => Array.from(part.dataSync())));
      optimiser.update(flat, g, slots, t + 1);
      if (ema !== undefined) movingAverage(average, flat, ema);
      return value.dataSync()[0]!;
    });
  });
  return { losses, flat, slots, average };
}

const objectives = [{ variables, gradient }];
const zeros = () => new Float32Array(start.reduce((sum, { length }) => sum + length, 0));

test.each<[string, Optimiser, number | undefined]>([
  ['sgd', sgd(0.05, { momentum: 0.9 }), undefined],
  ['sgd with a short gradient', sgd(0.05, { clipNorm: 0.1 }), undefined],
  ['adam', adam(0.01), 0.9],
  ['adamW', adamW(0.01, { weightDecay: 0.1 }), undefined],
  ['adamax', adamax(0.01), 0.99],
])('%s makes the steps of the plain loops', async (_, optimiser, ema) => {
  const expected = reference(optimiser, ema);
  const left = await tensorsLeft(() => {
    const device = createDeviceSteps({ objectives, rule: optimiser.rule!, ema }, 'cpu');
    const average = ema === undefined ? {} : { average: zeros() };
    device.put([{ weights: start, slots: expected.slots.map(zeros), ...average }]);
    const losses = batches.map((x, t) => device.step(0, [x], createRng(t), t + 1).loss);
    const [end] = device.get();
    device.dispose();
    expectClose(losses, expected.losses, FLOAT);
    expectClose(Float32Array.from(end!.weights.flatMap((w) => Array.from(w))), expected.flat, FLOAT);
    expected.slots.forEach((slot, i) => expectClose(end!.slots[i]!, slot, FLOAT));
    if (ema !== undefined) expectClose(end!.average!, expected.average, FLOAT);
  });
  expect(left).toBe(0);
});

test('an objective moves its own weights and slots, and reads those of the others', () => {
  const [a, b] = [variables[1]!, variables[2]!];
  const pulled = (own: tf.Variable, other: tf.Variable) => ({
    variables: [own],
    gradient: () => {
      const { value, grads } = tf.variableGrads(() => own.sub(other.mean()).square().sum().asScalar(), [own]);
      return { value, grads: [grads[own.name]!] };
    },
  });
  const device = createDeviceSteps({ objectives: [pulled(a, b), pulled(b, a)], rule: sgd(0.1).rule! }, 'cpu');
  const state = [start[1]!, start[2]!].map((w) => ({ weights: [w], slots: [new Float32Array(w.length)] }));
  device.put(state);
  device.step(1, [], createRng(0), 1);
  const [first, second] = device.get();
  device.dispose();
  const mean = start[1]!.reduce((sum, w) => sum + w, 0) / start[1]!.length;
  expect(first).toEqual(state[0]);
  expectClose(
    second!.weights[0]!,
    start[2]!.map((w) => w - 0.1 * 2 * (w - mean)),
    FLOAT,
  );
});

describe('a batch that breaks the loss', () => {
  test.each([NaN, Infinity, 1e30])('with %d leaves everything as it was', (value) => {
    const device = createDeviceSteps({ objectives, rule: sgd(0.05, { momentum: 0.9 }).rule! }, 'cpu');
    device.put([{ weights: start, slots: [zeros()] }]);
    device.step(0, [batches[0]!], createRng(1), 1);
    const before = device.get();
    const { loss, norm } = device.step(0, [tf.fill([5, 6], value)], createRng(2), 2);
    expect(Number.isFinite(loss) && Number.isFinite(norm)).toBe(false);
    expect(device.get()).toEqual(before);
    device.dispose();
  });
});
