import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { compileNow } from '../../lib/engine/call/compile';
import { sizeClass, work } from '../../lib/engine/graph/graph-size';
import { program } from '../../lib/engine/trace/program';
import { availability, deviceOf, pick, PROVIDERS, runProbe } from '../../lib/engine/devices/providers';
import { runtime, runtimeProblem } from '../../lib/engine/runtime/runtime';
import { cacheFolder, keep, recall } from '../../lib/host/user-cache';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dgm-providers-'));
  vi.stubEnv('DGM_CACHE', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const MATRIX = { shape: [4, 4], dtype: 'float32' } as const;

describe('the runtime', () => {
  test('opens its synchronous door, in the version that is pinned', () => {
    expect(runtimeProblem()).toBeUndefined();
    expect(runtime().version).toBe('1.30.0');
  });
});

describe('availability', () => {
  test.each(PROVIDERS)('of %s comes with a reason', (provider) => {
    const { available, reason } = availability(provider, true);
    if (provider === 'cpu') expect(available).toBe(true);
    expect(reason).not.toBe('');
  });

  test('a device that is not there is an error with the reason, when it is asked for', () => {
    const missing = PROVIDERS.find((provider) => !availability(provider).available);
    if (!missing) return; // everything is there
    expect(() => compileNow(([x]) => [x!], [MATRIX], { device: missing })).toThrow(
      `device: '${missing}' is not available: ${availability(missing).reason}`,
    );
  });

  test('a probe that fails says why', () => {
    const job = { provider: 'cpu', threads: 1, inputs: [], outputs: [] } as const;
    const result = runProbe({ ...job, model: Buffer.from('no model').toString('base64') });
    expect('failure' in result && result.failure).toMatch(/protobuf|model/i);
  });
});

describe('the choice', () => {
  test.each([
    [{ cpu: 10, webgpu: 2, cuda: 4 }, 'webgpu'],
    [{ cpu: 10, webgpu: 12 }, 'cpu'],
    [{ cpu: 10, webgpu: 9.5 }, 'cpu'], // within the noise
    [{ webgpu: 5 }, 'webgpu'], // the cpu failed
    [{}, 'cpu'],
  ] as const)('of %j is %s', (milliseconds, provider) => {
    expect(pick(milliseconds).provider).toBe(provider);
  });

  test('says what was measured', () => {
    expect(pick({ cpu: 10, webgpu: 2 }).reason).toBe('the fastest when measured: cpu 10.00 ms, webgpu 2.00 ms');
  });

  test('can be told', () => {
    expect(deviceOf(undefined)).toBe('auto');
    expect(deviceOf('cuda')).toBe('cuda');
    expect(() => deviceOf('gpu')).toThrow("DGM_DEVICE must be auto, cpu, webgpu, cuda, got 'gpu'");
    vi.stubEnv('DGM_DEVICE', 'cpu');
    expect(compileNow(([x]) => [x!], [MATRIX]).choice).toEqual({ provider: 'cpu', reason: 'as asked' });
  });
});

describe('a size class', () => {
  const graphOf = (size: number) =>
    program(([a]) => [a!.matMul(a!, true).relu()], [{ shape: [size, size], dtype: 'float32' }], []).graph;

  test('counts the multiply-adds of a product', () => {
    expect(work(graphOf(10))).toBeCloseTo(1000 + 100);
  });

  test('is the same for graphs of one size, and another for larger ones', () => {
    expect(sizeClass(graphOf(64))).toBe(sizeClass(graphOf(65)));
    expect(sizeClass(graphOf(64))).not.toBe(sizeClass(graphOf(256)));
  });
});

describe('the user’s cache', () => {
  test('keeps what it is given until it is old', () => {
    keep('a', { x: 1 });
    keep('b', 2);
    expect([recall('a'), recall('b'), recall('c')]).toEqual([{ x: 1 }, 2, undefined]);
    vi.useFakeTimers({ now: Date.now() + 8 * 24 * 3600 * 1000 });
    expect([recall('a', 7), recall('a', 9)]).toEqual([undefined, { x: 1 }]);
  });

  test('does without a folder that cannot be written, or a file that is damaged', () => {
    keep('a', 1);
    writeFileSync(join(folder, 'engine.json'), '{"a":');
    expect(recall('a')).toBeUndefined();
    keep('a', 2);
    expect(JSON.parse(readFileSync(join(folder, 'engine.json'), 'utf8'))).toMatchObject({ a: { value: 2 } });
    vi.stubEnv('DGM_CACHE', join(folder, 'engine.json', 'below a file'));
    keep('a', 3);
    expect(recall('a')).toBeUndefined();
  });

  test.each([
    ['linux', { XDG_CACHE_HOME: '/x' }, /^\/x\/dgm-workbook$/],
    ['linux', {}, /\.cache\/dgm-workbook$/],
    ['darwin', {}, /Library\/Caches\/dgm-workbook$/],
    ['win32', { LOCALAPPDATA: '/l' }, /^\/l\/dgm-workbook$/],
    ['win32', { DGM_CACHE: '/here' }, /^\/here$/],
  ])('is where %s keeps caches, with %j', (platform, env, expected) => {
    expect(cacheFolder(env, platform)).toMatch(expected);
  });
});
