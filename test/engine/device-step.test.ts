import * as tf from '@tensorflow/tfjs';
import { adam, adamW, adamax, createRng, type Optimiser, type Rng, sgd } from 'dgm';
import { movingAverage } from '../../lib/optimisers/optimisers';
import { describe, expect, test } from 'vitest';
import { createDeviceSteps, type DeviceObjective } from '../../lib/engine/step/device-step';
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
  return { value, grads: variables.map((variable) => grads[variable.name]!), memory: [] };
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

const trainedBy = ({ rule }: Optimiser) => [{ variables, gradient, memory: [], rule: rule! }];
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
    const device = createDeviceSteps({ objectives: trainedBy(optimiser), ema }, 'cpu');
    const average = ema === undefined ? {} : { average: zeros() };
    device.put([{ weights: start, slots: expected.slots.map(zeros), memory: [], ...average }]);
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
    memory: [],
    rule: sgd(0.1).rule!,
    gradient: () => {
      const { value, grads } = tf.variableGrads(() => own.sub(other.mean()).square().sum().asScalar(), [own]);
      return { value, grads: [grads[own.name]!], memory: [] };
    },
  });
  const device = createDeviceSteps({ objectives: [pulled(a, b), pulled(b, a)] }, 'cpu');
  const state = [start[1]!, start[2]!].map((w) => ({ weights: [w], slots: [new Float32Array(w.length)], memory: [] }));
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

describe('objectives with an optimiser and a memory of their own', () => {
  const [w, u] = [weight(4, [6]), weight(5, [2])];
  const [mean, chains] = [weight(6, [6]), weight(7, [3, 2])];
  /** Each reads the memory of the other; the second does not touch its own at a batch of 3. */
  const pair: DeviceObjective[] = [
    {
      variables: [w],
      memory: [mean],
      rule: adam(0.05).rule!,
      gradient([x]) {
        const loss = () => tf.dot(x!.mean(0).sub(mean), w as tf.Tensor1D).add(w.square().sum()).add(chains.mean()).asScalar(); // prettier-ignore
        const { value, grads } = tf.variableGrads(loss, [w]);
        return { value, grads: [grads[w.name]!], memory: [mean.mul(0.9).add(x!.mean(0).mul(0.1))] };
      },
    },
    {
      variables: [u],
      memory: [chains],
      rule: sgd(0.1, { momentum: 0.5, clipNorm: 0.2 }).rule!,
      gradient([x], rng) {
        const next = x!.shape[0] === 3 ? chains : chains.add(rng.normal([3, 2])).add(u);
        const loss = () => next.mean(0).sub(u).square().sum().add(mean.sum().mul(u.sum())).asScalar();
        const { value, grads } = tf.variableGrads(loss, [u]);
        return { value, grads: [grads[u.name]!], memory: [next] };
      },
    },
  ];
  const optimisers = [adam(0.05), sgd(0.1, { momentum: 0.5, clipNorm: 0.2 })];
  const startOf = ({ variables, memory, rule }: DeviceObjective, ema: boolean) => {
    const arrays = (list: readonly tf.Variable[]) => list.map((variable) => variable.dataSync() as Float32Array);
    const none = () => new Float32Array(variables[0]!.size);
    const slots = Array.from({ length: rule.pass === 'sgd' ? 1 : 2 }, none);
    return { weights: arrays(variables), memory: arrays(memory), slots, ...(ema && { average: none() }) };
  };

  test.each([undefined, 0.8])('make the steps of the plain loops, in turns; average %s', (ema) => {
    const turns = batches.flatMap((x, t) => (t % 2 === 0 ? [[0, x] as const] : [[0, x] as const, [1, x] as const]));
    const states = pair.map((objective) => startOf(objective, ema !== undefined));
    const device = createDeviceSteps({ objectives: pair, ema }, 'cpu');
    device.put(states);
    const steps = [0, 0];
    const made = turns.map(([i, x], t) => device.step(i, [x], createRng(t), ++steps[i]!));
    const ended = device.get();
    device.dispose();

    const counts = [0, 0];
    const expected = states.map(({ weights, slots }) => ({ w: weights[0]!.slice(), slots, average: new Float32Array(weights[0]!.length) })); // prettier-ignore
    const losses = turns.map(([i, x], t) =>
      tf.tidy(() => {
        const { variables, memory, gradient } = pair[i]!;
        const { value, grads, memory: next } = gradient([x], createRng(t));
        const own = expected[i]!;
        optimisers[i]!.update(own.w, grads[0]!.dataSync() as Float32Array, own.slots, ++counts[i]!);
        if (ema !== undefined) movingAverage(own.average, own.w, ema);
        memory[0]!.assign(next[0]!.clone() as tf.Tensor);
        variables[0]!.assign(tf.tensor(own.w.slice(), variables[0]!.shape));
        return value.dataSync()[0]!;
      }),
    );
    expectClose(made.map(({ loss }) => loss), losses, FLOAT); // prettier-ignore
    ended.forEach((got, i) => {
      const want = expected[i]!;
      expectClose(got.weights[0]!, want.w, FLOAT);
      expectClose(got.memory[0]!, pair[i]!.memory[0]!.dataSync(), FLOAT);
      got.slots.forEach((slot, k) => expectClose(slot, want.slots[k]!, FLOAT));
      if (ema !== undefined) expectClose(got.average!, want.average, FLOAT);
    });
  });

  test.each([NaN, Infinity])('leave everything as it was where only the next memory has %d', (value) => {
    const [first, second] = pair;
    const broken = { ...first!, gradient: (inputs: readonly tf.Tensor[], rng: Rng) => ({ ...first!.gradient(inputs, rng), memory: [tf.fill([6], value)] }) }; // prettier-ignore
    const device = createDeviceSteps({ objectives: [broken, second!] }, 'cpu');
    device.put([broken, second!].map((objective) => startOf(objective, false)));
    const before = device.get();
    const made = device.step(0, [batches[0]!], createRng(1), 1);
    expect([made.loss, made.norm].every(Number.isFinite)).toBe(true);
    expect(Number.isFinite(made.memory)).toBe(false);
    expect(device.get()).toEqual(before);
    device.dispose();
  });
});

describe('a batch that breaks the loss', () => {
  test.each([NaN, Infinity, 1e30])('with %d leaves everything as it was', (value) => {
    const device = createDeviceSteps({ objectives: trainedBy(sgd(0.05, { momentum: 0.9 })) }, 'cpu');
    device.put([{ weights: start, slots: [zeros()], memory: [] }]);
    device.step(0, [batches[0]!], createRng(1), 1);
    const before = device.get();
    const { loss, norm } = device.step(0, [tf.fill([5, 6], value)], createRng(2), 2);
    expect(Number.isFinite(loss) && Number.isFinite(norm)).toBe(false);
    expect(device.get()).toEqual(before);
    device.dispose();
  });
});
