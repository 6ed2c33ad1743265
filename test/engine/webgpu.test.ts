import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { families } from 'dgm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { availability, isSoftware, type Availability, type Choice } from '../../lib/engine/devices/providers';
import { expectClose } from '../helpers';

// The webgpu provider against the cpu's, in child processes: on this machine's GPU, or on the software Vulkan driver
// that comes with Chromium. That one proves that the numbers are right, and nothing about speed.

interface Numbers {
  readonly engine?: string;
  readonly values: readonly (readonly (number | null)[])[];
}
interface Training extends Numbers {
  /** What ran the last step. */
  readonly last: string;
  readonly bad: string;
}
interface Answer {
  readonly webgpu: Availability;
  readonly choice: Choice;
  readonly kernels: Readonly<Record<string, Numbers>>;
  readonly chain: Numbers;
  readonly families: Readonly<Record<string, Numbers>>;
  readonly training: Readonly<Record<string, Training>>;
}

const CHROMIUM = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'].find((folder) =>
  ['vk_swiftshader_icd.json', 'libvulkan.so.1'].every((file) => existsSync(join(folder, file))),
);
const scratch = mkdtempSync(join(tmpdir(), 'dgm-webgpu-'));
afterAll(() => rmSync(scratch, { recursive: true }));
process.env['DGM_CACHE'] = scratch;
const native = availability('webgpu', true);
const reason =
  native.available || CHROMIUM
    ? undefined
    : `${native.reason}; no software driver either (Debian: apt install chromium)`;
if (reason !== undefined) console.warn(`webgpu is not tested: ${reason}`);

function environment(): NodeJS.ProcessEnv {
  if (native.available || !CHROMIUM) return process.env;
  const libraries = [CHROMIUM, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  const driver = join(CHROMIUM, 'vk_swiftshader_icd.json');
  return { ...process.env, VK_DRIVER_FILES: driver, LD_LIBRARY_PATH: libraries, XDG_RUNTIME_DIR: scratch };
}

function computedOn(device: string): Answer {
  const script = join(import.meta.dirname, '../fixtures', 'engine', 'device.mjs');
  const text = execFileSync(process.execPath, [script, device], {
    env: environment(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(text) as Answer;
}

describe.skipIf(reason !== undefined)('webgpu', () => {
  let cpu: Answer;
  let gpu: Answer;
  beforeAll(() => {
    cpu = computedOn('cpu');
    gpu = computedOn('webgpu');
  }, 600_000); // a software driver compiles every shader on the cores that the tests share

  /** The same shapes; numbers within what products in another order differ by; infinities and NaN (null) alike. */
  function expectSame(actual: Numbers, expected: Numbers): void {
    const list = ({ values }: Numbers) => values.map((part) => part.map((value) => value ?? NaN));
    const [got, want] = [list(actual), list(expected)];
    expect(got.length).toBe(want.length);
    want.forEach((part, i) => expectClose(got[i]!, part, { absolute: 1e-5, relative: 1e-4 }));
  }

  test('is what ran', () => {
    expect(gpu.choice.provider).toBe('webgpu');
    for (const { engine } of [...Object.values(gpu.kernels), gpu.chain]) expect(engine).toBe('compiled for the webgpu');
    expect(cpu.chain.engine).toBe('compiled for the cpu');
  });

  test('gives the cpu’s numbers for kernels and their gradients', () => {
    expect(Object.keys(gpu.kernels).length).toBeGreaterThan(10);
    for (const [name, result] of Object.entries(gpu.kernels)) expectSame(result, cpu.kernels[name]!);
  });

  test('gives the cpu’s numbers for a chain whose state stays on the device', () => {
    expectSame(gpu.chain, cpu.chain);
  });

  test('trains as the cpu does, with weights, optimiser state and memories on the device', () => {
    expect(Object.keys(gpu.training)).toEqual(['sgd', 'adamW', 'adamax', 'memory', 'hostile']);
    for (const [name, result] of Object.entries(gpu.training)) {
      expectSame(result, cpu.training[name]!);
      expect(result.bad).toMatch(/^fit: (loss 'coder'|the memory of the loss 'critic') is NaN in step 9/);
      expect(result.engine).toBe('compiled on webgpu, where the weights stay');
      expect(cpu.training[name]!.engine).toBe('compiled on cpu');
    }
  });

  test('goes on from the host with what the device has, where a loss turns out to be no graph', () => {
    const { hostile, ...others } = gpu.training;
    for (const result of Object.values(others)) expect(result.last).toBe(result.engine);
    expect(hostile!.last).toMatch(/^eager on \w+: the value of a tensor was read/);
    expect(cpu.training['hostile']!.last).toBe(hostile!.last);
  });

  test('trains every family as the cpu does', () => {
    expect(Object.keys(gpu.families)).toEqual(families.map(({ name }) => name));
    for (const [name, result] of Object.entries(gpu.families)) {
      expectSame(result, cpu.families[name]!);
      expect(result.engine).toMatch(/compiled on webgpu, where the weights stay$/);
    }
  });

  test('is never chosen by auto when its driver is software', () => {
    const { webgpu, choice } = computedOn('auto');
    expect(webgpu.available).toBe(true);
    if (!native.available)
      expect(webgpu).toMatchObject({ software: true, reason: expect.stringContaining('software') });
    if (webgpu.software) expect(choice.provider).toBe('cpu');
  });
});

describe('a software driver', () => {
  const device = (type: number) =>
    `Discovered OrtHardwareDevice {vendor_id:0x10de, device_id:0x1, type:${type}, metadata: []}`;
  test.each([
    ['no GPU was found', device(0), undefined, true],
    ['a GPU was found', `${device(0)}\n${device(1)}`, undefined, false],
    [
      'the environment names one, GPU or not',
      `${device(0)}\n${device(1)}`,
      '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json',
      true,
    ],
    ['nothing is known', '', undefined, false],
  ])('%s', (_, log, driver, expected) => {
    expect(isSoftware(log, driver)).toBe(expected);
  });
});
