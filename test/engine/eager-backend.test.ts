import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { createRng, sgd } from 'dgm';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { eagerBackends, useEager, type EagerName } from '../../lib/engine/runtime/eager-backend';
import { createSteppers } from '../../lib/engine/step/step';
import { expectClose, numericalGradient, tensorsLeft } from '../helpers';

// The contract of every backend that eager code may run on: the numbers of TensorFlow.js' own cpu backend, within
// float32, forward and backward, and nothing left behind.

type T = tf.Tensor;
// TensorFlow.js 4.22 has no derivative, or a wrong one, for: minimum, maximum and squaredDifference of shapes that
// broadcast; cumsum over another axis than the last; stridedSlice; einsum; dilated convolutions; padded avgPool.

interface Case {
  readonly shapes: readonly (readonly number[])[];
  f(...x: T[]): T | T[];
  /** Inputs are greater than 0. */
  readonly positive?: boolean;
  /** Has no derivative. */
  readonly flat?: boolean;
}
const one = (f: (x: T) => T | T[], rest: Partial<Case> = {}): Case => ({
  shapes: [[3, 4]],
  f: f as Case['f'],
  ...rest,
});
const two = (a: number[], b: number[], f: (a: T, b: T) => T | T[], rest: Partial<Case> = {}): Case => ({
  shapes: [a, b],
  f: f as Case['f'],
  ...rest,
});
const at = () => tf.tensor1d([2, 0, 2], 'int32');

const cases: Record<string, Case> = {
  'add, broadcast': two([3, 4], [4], (a, b) => a.add(b)),
  'sub, broadcast': two([3, 1], [2, 1, 4], (a, b) => a.sub(b)),
  'mul, broadcast': two([3, 4], [3, 1], (a, b) => a.mul(b)),
  div: two([3, 4], [4], (a, b) => a.div(b), { positive: true }),
  pow: two([3, 4], [4], (a, b) => a.pow(b), { positive: true }),
  'maximum, minimum': two([3, 4], [3, 4], (a, b) => [a.maximum(b), a.minimum(b)]),
  squaredDifference: two([3, 4], [3, 4], (a, b) => a.squaredDifference(b)),
  exp: one((x) => x.exp()),
  'log, log1p': one((x) => [x.log(), x.log1p()], { positive: true }),
  'sqrt, rsqrt, reciprocal': one((x) => [x.sqrt(), x.rsqrt(), x.reciprocal()], { positive: true }),
  'square, neg, abs': one((x) => [x.square(), x.neg(), x.abs()]),
  'tanh, sigmoid, softplus': one((x) => [x.tanh(), x.sigmoid(), x.softplus()]),
  'relu, elu, leakyRelu': one((x) => [x.relu(), x.elu(), x.leakyRelu(0.1)]),
  'sin, cos, erf': one((x) => [x.sin(), x.cos(), x.erf()]),
  clipByValue: one((x) => x.clipByValue(-0.5, 0.5)),
  'floor, round, sign, step': one((x) => [x.mul(3).floor(), x.mul(3).round(), x.sign(), x.step(0.5)], { flat: true }),
  mod: two([3, 4], [4], (a, b) => a.mod(b), { positive: true, flat: true }),
  comparisons: two([3, 4], [4], (a, b) => [a.greater(b), a.lessEqual(b), a.equal(a), a.notEqual(b)], { flat: true }),
  logical: two([3, 4], [4], (a, b) => [a.greater(0).logicalAnd(b.less(0)), a.less(0).logicalNot()], { flat: true }),
  'isNaN, isFinite': one((x) => [x.log().isNaN(), x.isFinite()], { flat: true }),
  where: two([3, 4], [3, 4], (a, b) =>
    tf.where(tf.tensor2d([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0], [3, 4], 'bool'), a, b),
  ),
  'where, by a comparison': two([3, 4], [3, 4], (a, b) => [
    tf.where(a.greater(b), a, b.mul(2)),
    tf.where(a.less(0).logicalOr(b.lessEqual(0)), a.square(), b),
    tf.where(a.notEqual(b).logicalAnd(a.equal(b).logicalNot()), a, b),
  ]),
  'sum, mean, prod': one((x) => [x.sum(), x.mean(0), x.prod(1, true)]),
  'max, min': one((x) => [x.max(1), x.min(0)]),
  'argMax, argMin': one((x) => [x.argMax(1), x.argMin(0)], { flat: true }),
  cumsum: one((x) => [x.cumsum(1), x.cumsum(1, true, true)]),
  'cumsum, another axis': one((x) => x.cumsum(0), { flat: true }),
  'softmax, logSoftmax': one((x) => [x.softmax(), x.logSoftmax()]),
  logSumExp: one((x) => x.logSumExp(1)),
  moments: one((x) => Object.values(tf.moments(x, 0))),
  matMul: two([3, 4], [4, 5], (a, b) => a.matMul(b)),
  'matMul, transposed': two([4, 3], [5, 4], (a, b) => a.matMul(b, true, true)),
  'matMul, batches': two([2, 3, 4], [2, 4, 2], (a, b) => a.matMul(b)),
  'reshape, transpose, expandDims': one((x) => [x.reshape([2, 6]), x.transpose(), x.expandDims(1)]),
  slice: one((x) => x.slice([1, 1], [2, 2])),
  stridedSlice: one((x) => x.stridedSlice([0, 3], [3, 0], [2, -1], 0, 0), { flat: true }),
  'concat, stack': two([3, 4], [3, 4], (a, b) => [tf.concat([a, b], 1), tf.stack([a, b], 1)]),
  'split, unstack': one((x) => [...tf.split(x, 2, 1), ...tf.unstack(x, 0)]),
  'pad, tile, reverse': one((x) => [
    tf.pad(x, [
      [1, 0],
      [0, 2],
    ]),
    x.tile([2, 1]),
    x.reverse(1),
  ]),
  gather: one((x) => [tf.gather(x, at()), tf.gather(x, at(), 1)]),
  'oneHot, range, cast': one((x) => [tf.oneHot(at(), 4), tf.range(0, 5), x.mul(3).toInt(), x.toBool()], { flat: true }),
  topk: one((x) => Object.values(tf.topk(x, 2)), { flat: true }),
  conv2d: two([2, 5, 5, 3], [3, 3, 3, 2], (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same')),
  'conv2d, strided': two([2, 6, 6, 3], [3, 3, 3, 2], (x, w) =>
    tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 'valid'),
  ),
  conv1d: two([2, 9, 3], [2, 3, 2], (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, 'valid')),
  'conv1d, dilated': two(
    [2, 9, 3],
    [2, 3, 2],
    (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, 'valid', 'NWC', 2),
    { flat: true },
  ),
  conv2dTranspose: two([2, 3, 3, 2], [3, 3, 4, 2], (x, w) =>
    tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [2, 6, 6, 4], 2, 'same'),
  ),
  depthwiseConv2d: two([2, 5, 5, 3], [3, 3, 3, 2], (x, w) =>
    tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
  ),
  pooling: one((x) => [tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'), tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid')], {
    shapes: [[2, 5, 5, 3]],
  }),
  einsum: two([3, 4], [4, 2], (a, b) => tf.einsum('ij,jk->ik', a, b), { flat: true }),
};

/** Values forward, and the gradient of a weighted sum of all outputs by every input. */
function computed({ shapes, f, positive = false, flat = false }: Case): number[][] {
  return tf.tidy(() => {
    const inputs = shapes.map((shape, i) => {
      const x = createRng(`input ${i}`).normal(shape);
      return positive ? x.abs().add(0.1) : x;
    });
    const outputs = [f(...inputs)].flat();
    const loss = (...x: T[]) =>
      [f(...x)].flat().reduce<T>((sum, y) => sum.add(y.mul(createRng('weights').normal(y.shape)).sum()), tf.scalar(0));
    const grads = flat ? [] : tf.grads(loss)(inputs);
    return [...outputs, ...grads].map((tensor) => Array.from(tensor.dataSync()));
  });
}

const expected: Record<string, number[][]> = {};
const installed = await eagerBackends();
beforeAll(async () => {
  await tf.setBackend('cpu');
  for (const [name, item] of Object.entries(cases)) expected[name] = computed(item);
});
afterAll(() => tf.setBackend('cpu'));

const NAMES: readonly EagerName[] = ['cpu', 'wasm', 'tensorflow'];
describe.each(NAMES)('the backend %s', (backend) => {
  const tries = installed.filter(({ name }) => name === backend);
  const works = tries.some(({ available }) => available);
  if (!works)
    console.warn(`eager ${backend} is not tested: ${tries.map((t) => `${t.package}: ${t.reason}`).join('; ')}`);

  describe.skipIf(!works)('keeps the contract:', () => {
    beforeAll(async () => {
      expect(await useEager(backend)).toMatchObject({ name: backend, available: true });
      expect(tf.getBackend()).toBe(backend);
    });

    test.each(Object.keys(cases))('%s', async (name) => {
      const left = await tensorsLeft(() => {
        const actual = computed(cases[name]!);
        expect(actual.length).toBe(expected[name]!.length);
        expected[name]!.forEach((values, i) => expectClose(actual[i]!, values, { absolute: 1e-5, relative: 1e-4 }));
      });
      expect(left).toBe(0);
    });

    test('gradients are slopes', () => {
      const f = (w: T) =>
        tf
          .tensor2d([1, -2, 0.5, 3], [2, 2])
          .matMul(w.reshape([2, 1]))
          .tanh()
          .square()
          .sum();
      const x = [0.3, -0.2];
      const slopes = numericalGradient((at) => tf.tidy(() => f(tf.tensor1d([...at])).dataSync()[0]!), x, 1e-2);
      const gradient = tf.tidy(() => Array.from(tf.grad(f)(tf.tensor1d(x)).dataSync()));
      expectClose(gradient, slopes, { absolute: 5e-3 });
    });

    test('data live no longer than their tensors', () => {
      const before = tf.memory();
      for (let i = 0; i < 3; i++) for (const item of Object.values(cases)) computed(item);
      const { numDataBuffers, numTensors } = tf.memory();
      expect({ numDataBuffers, numTensors }).toEqual({
        numDataBuffers: before.numDataBuffers,
        numTensors: before.numTensors,
      });
    });
  });
});

describe('the choice of a backend', () => {
  test('lists every package with a reason, and with a remedy where one is missing', () => {
    expect(installed.map((backend) => backend.package)).toEqual([
      '@tensorflow/tfjs-node-gpu',
      '@tensorflow/tfjs-node',
      '@tensorflow/tfjs-backend-wasm',
      '@tensorflow/tfjs',
    ]);
    for (const { available, reason, remedy } of installed)
      if (!available && reason === 'not installed') expect(remedy).toContain('npm install');
  });

  test('is the first that works', async () => {
    vi.stubEnv('DGM_EAGER', '');
    expect((await useEager()).package).toBe(installed.find(({ available }) => available)!.package);
  });

  test('can be told, and says so when that does not work', async () => {
    vi.stubEnv('DGM_EAGER', 'cpu');
    expect((await useEager()).name).toBe('cpu');
    await expect(useEager('cuda')).rejects.toThrow("DGM_EAGER must be tensorflow, wasm, cpu, got 'cuda'");
    const missing = NAMES.find((name) => !installed.some((backend) => backend.name === name && backend.available));
    if (missing) await expect(useEager(missing)).rejects.toThrow(`DGM_EAGER: '${missing}' does not work here: `);
    vi.unstubAllEnvs();
  });
});

describe('eager work', () => {
  test('keeps the numbers of data that were integers or booleans on cpu', async () => {
    await useEager('cpu');
    const k = tf.tensor1d([0, 1, 5], 'int32');
    const data = [k.toFloat(), k.greater(0).toFloat(), k.toFloat().expandDims(1)];
    for (const x of data) expect(x.dataSync()).toBeInstanceOf(Float32Array);
    await useEager('wasm');
    expect(data.map((x) => [...x.add(0).dataSync()])).toEqual([[0, 1, 5], [0, 1, 1], [0, 1, 5]]); // prettier-ignore
    await useEager();
  });

  test('of a training that is not compiled runs on the best backend', async () => {
    await tf.setBackend('cpu');
    vi.stubEnv('DGM_EAGER', '');
    const w = tf.variable(tf.ones([2]));
    const objective = { name: 'square', estimates: 'other', variables: [w], loss: () => w.square().sum() } as const;
    const steppers = createSteppers([objective], sgd(0.1), { engine: 'eager' });
    await steppers.each[0]!.step({ x: tf.zeros([1, 2]) }, createRng(1), 'this test');
    const best = installed.find(({ available }) => available)!.name;
    expect(steppers.engine()).toBe(`eager on ${best}: as asked`);
    expect(tf.getBackend()).toBe('cpu'); // what comes after it runs where it ran before
    steppers.write();
    expectClose(w.dataSync(), [0.8, 0.8], { absolute: 1e-6 });
    await steppers.dispose();
    vi.unstubAllEnvs();
  });

  /** What importing the library says, from a folder with a tfjs-node of this kind, and the backend then in use. */
  function imported(version: string, code: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'dgm-eager-'));
    const own = join(folder, 'node_modules', '@tensorflow', 'tfjs-node');
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'package.json'), JSON.stringify({ name: '@tensorflow/tfjs-node', version }));
    writeFileSync(join(own, 'index.js'), code);
    const room = (path: string) => JSON.stringify(join(import.meta.dirname, '../..', path));
    const program = `require(${room('lib')}); console.log(require(${room('node_modules/@tensorflow/tfjs')}).getBackend())`;
    const env = { ...process.env, DGM_EAGER: '' };
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: folder, encoding: 'utf8', env });
    rmSync(folder, { recursive: true });
    return stderr.split('\n').filter((line) => line.includes('tfjs-node:')) + stdout;
  }

  const others = installed.some(({ name, available }) => name === 'tensorflow' && available);
  test.skipIf(others)('goes on without a tfjs-node that does not load, and says so', () => {
    const said = imported(tf.version.tfjs, "throw new Error('no libtensorflow here')");
    expect(said).toContain(
      '@tensorflow/tfjs-node: installed, but does not work: no libtensorflow here; npm run doctor',
    );
    expect(said).toMatch(/(undefined|cpu)\n$/);
  });

  test.skipIf(others)('goes on without a tfjs-node of another version, and says so', () => {
    expect(imported('3.9.0', '')).toContain(
      `@tensorflow/tfjs-node: version 3.9.0, but TensorFlow.js is ${tf.version.tfjs}`,
    );
  });
});
