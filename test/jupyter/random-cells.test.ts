import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Kernel, startKernel } from 'dgm-jupyter';
import { isRunning } from 'dgm/host';
import { errorOf, executeAnd, printed, valueOf } from './kernel-helpers';

// A long sitting: cells, stops, timers, rejections and floods in any order. Whatever a cell does, short of ending the
// process itself, the kernel goes on with all that was declared. DGM_SEQUENCES asks for more sequences than these.
const SEQUENCES = Number(process.env['DGM_SEQUENCES'] ?? 1);
const STEPS = 40;

let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dgm-sitting-')));
  writeFileSync(join(folder, 'other.ts'), `export const other = 7;\n`);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Sitting {
  readonly kernel: Kernel;
  /** An integer in 0 … n − 1. */
  below(n: number): number;
}

type Step = (sitting: Sitting) => Promise<unknown>;

const ok =
  (code: string): Step =>
  async ({ kernel }) =>
    expect((await kernel.execute(code, { timeoutMs: 30_000 })).status).toBe('ok');

const fails =
  (code: string, ename: string): Step =>
  async ({ kernel }) =>
    expect(errorOf(await kernel.execute(code)).ename).toBe(ename);

/** Says so under some cell: this one, or the next when it comes later. */
const reports =
  (code: string, text: string): Step =>
  async ({ kernel }) => {
    const { status, outputs } = await kernel.execute(`${code}\nawait new Promise((done) => setTimeout(done, 60));`);
    expect(status).toBe('ok');
    expect(printed({ status, outputs, executionCount: null })).toContain(text);
  };

const stopped =
  (code: string, presses = 1): Step =>
  async ({ kernel, below }) => {
    const press = [() => kernel.interrupt(), async () => void process.kill(kernel.pid, 'SIGINT')];
    const pressed: Promise<void>[] = [];
    const stop = () => void pressed.push(...Array.from({ length: presses }, () => press[below(2)]!()));
    expect(errorOf(await executeAnd(kernel, code, stop)).ename).toBe('KeyboardInterrupt');
    await Promise.all(pressed);
    if (presses > 1) await rest();
  };

/** A press too many is on its way for a moment, and is not to be for the next cell. */
const rest = () => new Promise<void>((done) => setTimeout(done, 100));

const never = 'new Promise(() => {})';

const STEPS_BY_NAME: Readonly<Record<string, Step>> = {
  'a value': ok('[1, 2].map((n) => n * 2)'),
  'a file': ok(`import { other } from './other'; other`),
  'an error': fails(`throw new TypeError('wrong')`, 'TypeError'),
  'a wrong type': fails(`const n: number = 'text';`, 'TypeScriptError'),
  'no end of calls': fails('const deep = (n: number): number => deep(n + 1) + 1; deep(0)', 'RangeError'),
  'a proxy thrown': fails(`throw new Proxy({}, { has() { throw 1; }, getPrototypeOf() { throw 2; } });`, 'Thrown'),
  'an error with angry getters': fails(
    `throw Object.defineProperty(new Error('x'), 'cause', { get() { throw new Error('y'); } });`,
    'Thrown',
  ),
  'a missing await': reports(`Promise.reject(new Error('left alone'));`, 'left alone'),
  'a rejection without a reason': reports('Promise.reject();', 'Unhandled rejection'),
  'a rejected proxy': reports(
    'Promise.reject(new Proxy({}, { has() { throw 1; }, getPrototypeOf() { throw 2; } }));',
    'cannot be shown',
  ),
  'a later rejection': reports(
    `setTimeout(() => void Promise.reject(new Error('later')), 5);`,
    'Unhandled rejection (an await is missing): Error: later',
  ),
  'a timer that throws': reports(`setTimeout(() => { throw new Error('timer'); }, 5);`, 'Uncaught: Error: timer'),
  'ticks that throw': reports(
    `process.nextTick(() => { throw new Error('tick'); }); queueMicrotask(() => { throw new Error('task'); });`,
    'Uncaught: Error: task',
  ),
  'a timer left to throw': ok(`setTimeout(() => { throw new Error('after its cell'); }, 20); 1`),
  'an emitter without a listener': reports(
    `import { EventEmitter } from 'node:events'; setTimeout(() => new EventEmitter().emit('error', new Error('emitted')));`,
    'Uncaught: Error: emitted',
  ),
  'a thread that throws': ok(
    `import { Worker } from 'node:worker_threads'; new Worker('throw new Error("thread")', { eval: true }); 1`,
  ),
  'a child that does not start': reports(
    `import { spawn } from 'node:child_process'; spawn('no-such-program-at-all');`,
    'ENOENT',
  ),
  'listeners that throw on': ok(
    `process.on('unhandledRejection', (reason) => { throw reason; });
     process.on('uncaughtException', (error) => { throw error; });
     process.once('uncaughtExceptionMonitor', () => { throw new Error('monitor'); });`,
  ),
  'no listeners': ok(`process.removeAllListeners('uncaughtException').removeAllListeners('unhandledRejection'); 1`),
  'TensorFlow in WebAssembly': ok(
    `import * as tf from '@tensorflow/tfjs'; import '@tensorflow/tfjs-backend-wasm';
     await tf.setBackend('wasm'); tf.ones([2, 2]).sum().dataSync()[0]`,
  ),
  'a training that nobody awaits': async ({ kernel }) => {
    const code = `import { createRng, fit, gaussianMixture } from 'dgm'; import * as tf from '@tensorflow/tfjs';
      fit(gaussianMixture.create(gaussianMixture.tiny!.config, createRng(1)), { train: { x: tf.ones([4, 2]) } },
        { epochs: 0, batchSize: 2, rng: createRng(2) });`;
    const cell = await kernel.execute(code);
    expect(printed(cell)).toContain('Unhandled rejection (an await is missing)');
  },
  'a flood': ok(`for (let i = 0; i < 3000; i++) console.log('line', i);`),
  'a flood without end': stopped(`console.log('ready'); for (;;) console.log('more');`),
  'an endless loop': stopped(`console.log('ready'); for (;;) {}`),
  'an endless loop, stopped thrice': stopped(`console.log('ready'); for (;;) {}`, 3),
  'a loop that catches all': stopped(`console.log('ready'); for (;;) { try { for (;;) {} } catch {} }`),
  'a wait': stopped(`console.log('ready'); await ${never};`),
  'a loop of promises': stopped(`console.log('ready'); for (;;) await null;`),
  'a stop that rejects': stopped(
    `const fail = async () => { try { console.log('ready'); await ${never}; } finally { throw new Error('in finally'); } };
     void Promise.reject(new Error('meanwhile')); await fail();`,
  ),
  'a stop of a loop with timers behind it': stopped(
    `setTimeout(() => { throw new Error('held up'); }, 1); void Promise.reject(new Error('held up, too'));
     console.log('ready'); for (;;) {}`,
  ),
  'a stop within an import': async (sitting) => {
    const name = `slow${sitting.below(1 << 30)}`; // a file that does not come to its end at the first time
    const loop = `if (state.${name} === 1) { console.log('ready'); for (;;) {} }`;
    const visits = `const state = globalThis as { ${name}?: number };\nstate.${name} = (state.${name} ?? 0) + 1;`;
    writeFileSync(join(folder, `${name}.ts`), `${visits}\n${loop}\nexport const whole = 'loaded to its end';\n`);
    const code = `import { whole } from './${name}'; whole`;
    await stopped(code)(sitting);
    expect(valueOf(await sitting.kernel.execute(code))).toBe('loaded to its end');
  },
  'a stop while nothing runs': async ({ kernel }) => {
    await kernel.interrupt();
    process.kill(kernel.pid, 'SIGINT');
    await rest();
  },
  'a failing cell before others': async ({ kernel }) => {
    const all = await Promise.all(['1', `throw new Error('stop')`, '2', '3'].map((code) => kernel.execute(code)));
    expect(all.map(({ status }) => status)).toEqual(['ok', 'error', 'aborted', 'aborted']);
  },
  'no setImmediate': ok(`(globalThis as { setImmediate?: unknown }).setImmediate = undefined; 1`),
};

/** Numbers that depend on the seed alone (mulberry32). */
function sequence(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

describe.each(Array.from({ length: SEQUENCES }, (_, i) => i + 1))('sequence %i', (seed) => {
  const below = sequence(seed);
  const names = Object.keys(STEPS_BY_NAME);
  // each step once, in any order, and some again
  const order = names
    .map((name) => [below(1 << 30), name] as const)
    .sort(([a], [b]) => a - b)
    .map(([, name]) => name);
  while (order.length < STEPS) order.push(names[below(names.length)]!);

  test('no cell ends the kernel, and nothing that was declared is lost', { timeout: 240_000 }, async () => {
    const kernel = await startKernel({ cwd: folder });
    const { pid } = kernel;
    try {
      await kernel.execute('let kept = 0;');
      for (const [i, name] of order.entries()) {
        const before = `after ${i} steps, ${name} (… ${order.slice(Math.max(0, i - 5), i).join(', ')})`;
        await STEPS_BY_NAME[name]!({ kernel, below }).catch((cause) => {
          throw new Error(before, { cause });
        });
        const probe = await kernel.execute('kept += 1; kept', { timeoutMs: 20_000 });
        expect(valueOf(probe), before).toBe(String(i + 1));
      }
      expect([kernel.pid, isRunning(pid)]).toEqual([pid, true]);
    } finally {
      await kernel.shutdown();
    }
  });
});
