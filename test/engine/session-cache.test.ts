import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { afterEach, describe, expect, test } from 'vitest';
import { compileNow } from '../../lib/engine/call/compile';
import { compiled } from '../../lib/engine/call/compiled-function';
import { releaseSessions, SESSION_LIMITS, sessionCounts } from '../../lib/engine/runtime/session-cache';

const CPU = { device: 'cpu', quiet: true } as const;
const x = tf.ones([8, 8]);
const rng = createRng(1);

/** A small network with `k` in it: equal k, equal graph. */
const net = (k: number) => (inputs: readonly tf.Tensor[]) => [
  inputs[0]!.matMul(inputs[0]!).add(k).tanh().matMul(inputs[0]!).sum(),
];

afterEach(releaseSessions);

describe('sessions', () => {
  test('are shared by equal graphs, and not by different ones', () => {
    const before = sessionCounts().opened;
    for (const k of [1, 1, 2, 1]) tf.dispose(compiled(net(k), CPU)([x], rng));
    expect(sessionCounts().opened - before).toBe(2);
  });

  test('are shared by models of one architecture', () => {
    const before = sessionCounts().opened;
    for (let i = 0; i < 3; i++) {
      const w = tf.variable(tf.fill([8, 8], i));
      const [y] = compiled(([a]) => [a!.matMul(w).mean()], CPU)([x], rng);
      expect(y!.dataSync()[0]).toBe(8 * i);
      tf.dispose([w, y!]);
    }
    expect(sessionCounts().opened - before).toBe(1);
  });

  test('are not shared between thread counts', () => {
    const before = sessionCounts().opened;
    for (const threads of [1, 2]) tf.dispose(compiled(net(1), { ...CPU, threads })([x], rng));
    expect(sessionCounts().opened - before).toBe(2);
  });

  test('that are pinned outlast the bound; the others give way, and come back when they are needed', async () => {
    const pinned = compileNow(net(0.5), [{ shape: [8, 8], dtype: 'float32' }], CPU);
    const first = compiled(net(0), CPU);
    const value = first([x], rng)[0]!.dataSync()[0];
    for (let k = 1; k <= SESSION_LIMITS.sessions; k++) tf.dispose(compiled(net(k), CPU)([x], rng));
    expect(sessionCounts()).toMatchObject({ open: SESSION_LIMITS.sessions + 1, pinned: 1 });
    const before = sessionCounts().opened;
    pinned.runNow([x.dataSync() as Float32Array], rng);
    expect(sessionCounts().opened).toBe(before);
    expect(first([x], rng)[0]!.dataSync()[0]).toBe(value); // was released long ago
    expect(sessionCounts().opened).toBe(before + 1);
    await pinned.dispose();
    await pinned.dispose(); // once more does no harm
    expect(sessionCounts()).toMatchObject({ open: SESSION_LIMITS.sessions, pinned: 0 });
  });

  test('of large graphs are bounded by their memory', () => {
    const wide = tf.ones([2 ** 13, 2 ** 10]); // 32 MB
    for (let k = 0; k < 20; k++) tf.dispose(compiled(([a]) => [a!.add(k).exp().sum()], CPU)([wide], rng));
    expect(sessionCounts().open).toBeLessThan(20);
    expect(sessionCounts().open).toBeGreaterThan(SESSION_LIMITS.memory / 2 ** 20 / 100);
    wide.dispose();
  });
});

describe('a thousand compilations', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const megabytes = () => {
    collect();
    return process.memoryUsage().rss / 2 ** 20;
  };

  test('leave no tensors, no sessions beyond the bound, and flat memory', async () => {
    const again = compileNow(net(-1), [{ shape: [8, 8], dtype: 'float32' }], CPU);
    const round = async (from: number) => {
      for (let k = from; k < from + 500; k++) {
        const one = compileNow(net(k % 2 === 0 ? k : -1), [{ shape: [8, 8], dtype: 'float32' }], CPU);
        one.runNow([x.dataSync() as Float32Array], rng);
        await one.dispose();
      }
      return megabytes();
    };
    const tensors = tf.memory().numTensors;
    const warm = await round(0);
    const end = await round(500);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(sessionCounts()).toMatchObject({ pinned: 1 });
    expect(sessionCounts().open).toBeLessThanOrEqual(SESSION_LIMITS.sessions + 1);
    // 500 leaked sessions would be 500 · 0.25 MB = 125 MB. The garbage collector may keep two semi-spaces of 16 MB.
    expect(end - warm).toBeLessThan(40);
    await again.dispose();
  });
});
