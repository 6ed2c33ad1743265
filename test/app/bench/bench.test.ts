import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { adam, createRng } from 'dgm';
import { afterAll, describe, expect, test } from 'vitest';
import { configurations, type Sizes } from '../../../app/bench/configurations';
import { createSteppers } from '../../../lib/engine/step/step';

const ROOT = resolve(import.meta.dirname, '../../..');
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
  const text = execFileSync(process.execPath, [join(ROOT, 'app', 'dist', 'bench', 'bench.js'), ...options], {
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
    execFileSync(process.execPath, [join(ROOT, 'app', 'dist', 'bench', 'bench.js'), '--only', 'vea'], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  expect(wrong).toThrow(/vae/);
});
