import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { adam, createRng } from 'dgm';
import { afterAll, describe, expect, test } from 'vitest';
import { configurations, type Sizes } from '../../../app/bench/configurations';
import { entryOfWait, isWithinBound, waitText, type WaitEntry } from '../../../app/bench/waits';
import { createSteppers } from '../../../lib/engine/step/step';

const ROOT = resolve(import.meta.dirname, '../../..');
const BENCH = join(ROOT, 'app', 'dist', 'bench', 'main.js');
const folder = mkdtempSync(join(tmpdir(), 'dgm-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything that is not an image's size shrunk, so that eager steps take milliseconds. */
function small(sizes: Sizes): Sizes {
  const least: Readonly<Record<string, number>> = { batch: 4 };
  const fixed = ['D', 'heads', 'blocks', 'classes', 'K'];
  return Object.fromEntries(
    Object.entries(sizes).map(([name, n]) => [name, least[name] ?? (fixed.includes(name) || n <= 16 ? n : 16)]),
  );
}

describe.each(configurations)('$name', ({ sizes, create }) => {
  test('compiles, and the loss of three steps is that of eager steps', async () => {
    const losses = async (engine: 'auto' | 'eager') => {
      const { objectives, batch } = create(createRng('weights'), small(sizes));
      const steppers = createSteppers(objectives, adam(1e-4), { engine });
      const found: number[] = [];
      for (let i = 0; i < 3; i++)
        for (const stepper of steppers.each) {
          const data = batch(createRng(`batch ${i}`));
          found.push(await stepper.step(data, createRng(`step ${i}`).fork(stepper.objective.name), 'this test'));
          data.x.dispose();
          data.y?.dispose();
        }
      const how = steppers.engine();
      await steppers.dispose();
      return { found, how };
    };
    const compiled = await losses('auto');
    expect(compiled.how).toMatch(/^compiled/);
    // some ten thousand float32 operations in another order: 10⁻⁷ √10⁴ of the loss, and Langevin chains grow it
    const eager = await losses('eager');
    compiled.found.forEach((loss, i) =>
      expect(Math.abs(loss - eager.found[i]!)).toBeLessThan(1e-3 * (1 + Math.abs(loss))),
    );
  });
});

test('npm run bench measures one configuration and writes JSON', () => {
  const file = join(folder, 'bench.json');
  const options = ['--only', 'mixture', '--seconds', '0.05', '--threads', '1', '--no-scaling', '--json', file];
  const text = execFileSync(process.execPath, [BENCH, ...options], {
    encoding: 'utf8',
  });
  expect(text).toContain('mixture');
  const { entries, geomean_vs_torch } = JSON.parse(readFileSync(file, 'utf8')) as {
    entries: Record<string, unknown>[];
    geomean_vs_torch: number | null;
  };
  expect(entries).toMatchObject([{ name: 'mixture', ours_ms: expect.any(Number), torch_ms: null, threads: 1 }]);
  expect(geomean_vs_torch).toBeNull();
});

test('an unknown configuration is an error that lists the known ones', () => {
  const wrong = () =>
    execFileSync(process.execPath, [BENCH, '--only', 'vea'], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  expect(wrong).toThrow(/there is no "vea"; .*; did you mean vae/);
});

test('what one waits for is measured beside the same without our code', () => {
  const file = join(folder, 'waits.json');
  const options = ['--only', 'types,import', '--seconds', '0.05', '--threads', '1', '--json', file];
  const { stdout } = spawnSync(process.execPath, [BENCH, ...options], { encoding: 'utf8' });
  const { entries, waits: measured } = JSON.parse(readFileSync(file, 'utf8')) as {
    entries: unknown[];
    waits: WaitEntry[];
  };
  expect(entries).toEqual([]);
  expect(measured.map(({ name }) => name)).toEqual(['import', 'types']);
  for (const { ms, reference_ms, ratio, bound } of measured) {
    expect(ratio).toBeCloseTo(ms / reference_ms, 2);
    expect(bound).toBeGreaterThan(1);
  }
  expect(stdout).toMatch(/`import dgm`: [\d.]+ s; the type check of .*: [\d.]+ s; ratio [\d.]+, /);
}, 180_000);

test('a bound that is passed is said, and the medians of the rounds decide', async () => {
  const times = [30, 10, 20];
  const wait = { name: 'x', bound: 2, measure: async () => times.shift()!, measureReference: async () => 9 };
  const entry = await entryOfWait(wait, 3);
  expect(entry).toEqual({ name: 'x', ms: 20, reference_ms: 9, ratio: 2.222, bound: 2 });
  expect(isWithinBound(entry)).toBe(false);
  expect(isWithinBound({ ratio: 2, bound: 2 })).toBe(true);
  expect(waitText({ title: 'a', beside: 'b' }, entry)).toContain('ABOVE THE BOUND of 2');
});
