import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WORKDIR_BYTES } from '../../grader/base/visible';
import { chapters } from '../../grader/chapters/registry';
import { LIMITS as VALUES } from '../../grader/exercise/protocol';
import { statuses } from '../../grader/exercise/status';
import { LIMITS } from '../../grader/sandbox/command-line';
import { tiers } from '../../grader/sandbox/tier';
import { files, ROOT } from './pages';

// What pages say of the code in numbers and lists is what the code has.

const textOf = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** The rows of the table that has this head, each as its cells. */
function tableIn(text: string, head: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(head));
  const rows = start < 0 ? [] : lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end < 0 ? undefined : end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const names = (rows: readonly (readonly string[])[]): string[] =>
  rows.flatMap(([first]) => first!.match(/`[^`]+`/g) ?? []).map((code) => code.replaceAll('`', ''));

test('the environment variables are those that the code reads', () => {
  const sources = files.filter((file) => /^(lib|jupyter|grader|app)\/.*\.(ts|mjs)$/.test(file));
  const read = new Set(sources.flatMap((file) => textOf(file).match(/\bDGM_[A-Z_]+\b/g) ?? []));
  const told = names(tableIn(textOf('docs/architecture.md'), '| variable |'));
  expect(told.sort()).toEqual([...read].sort());
});

describe('security', () => {
  const page = textOf('docs/security.md');

  test('the tiers are those that there are, from the strongest', () =>
    expect(tableIn(page, '| tier |').map(([name]) => name!.split(' ')[0])).toEqual([...tiers]));

  test('the limits are those that hold', () => {
    const bounds = Object.fromEntries(tableIn(page, '| what | bound |')) as Readonly<Record<string, string>>;
    expect(bounds['loading the cells that exercises need']).toBe(`${LIMITS.loadMs / 1000} s`);
    expect(bounds['one call']).toContain(`${LIMITS.callMs / 1000} s,`);
    expect(bounds['a submission as a whole']).toBe(`${LIMITS.wallMs / 1000} s`);
    expect(bounds['CPU time']).toBe(`${LIMITS.cpuMs / 1000} s`);
    expect(bounds['output']).toBe(`${LIMITS.outputBytes / 1e6} MB`);
    expect(bounds["memory beyond Node's own"]).toMatch(`${LIMITS.memoryMb} MiB, of which ${LIMITS.heapMb} MiB`);
    expect(bounds['one value']).toBe(
      `${VALUES.bytes / 2 ** 20} MiB, ${VALUES.depth} levels, ${VALUES.nodes.toLocaleString('en')} parts`,
    );
    expect(page).toContain(`an empty folder of ${WORKDIR_BYTES / 2 ** 20} MB`);
  });
});

test('every status of a grading is explained', () =>
  expect(names(tableIn(textOf('docs/lecturers.md'), '| status |')).sort()).toEqual([...statuses].sort()));

describe('the packages', () => {
  const told = names(tableIn(textOf('docs/decisions/0011-packages.md'), '| package |'));
  const manifests = files.filter((file) => file === 'package.json' || /^(?!test\/).*\/package\.json$/.test(file));
  const ours = new Set(manifests.map((file) => (JSON.parse(textOf(file)) as { name: string }).name));
  const asked = new Set(
    manifests.flatMap((file) => {
      const { dependencies, devDependencies } = JSON.parse(textOf(file)) as Readonly<Record<string, object>>;
      return Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !ours.has(name));
    }),
  );
  /** `@lumino/*` is all of them. */
  const fits = (line: string, name: string) =>
    line.endsWith('/*') ? name.startsWith(line.slice(0, -1)) : line === name;

  test('that we ask for have a line that says why', () => {
    expect(asked.size).toBeGreaterThan(30);
    expect([...asked].filter((name) => !told.some((line) => fits(line, name)))).toEqual([]);
  });

  test('that have a line are asked for', () =>
    expect(told.filter((line) => ![...asked].some((name) => fits(line, name)))).toEqual([]));
});

describe('the README', () => {
  const page = textOf('README.md');

  test('counts the exercises of each chapter that it lists', async () => {
    const rows = tableIn(page, '| chapter | in it |');
    expect(rows.length).toBeGreaterThan(7);
    for (const [chapter, , count] of rows) {
      const [, name] = /notebooks\/([\w-]+)\.ipynb/.exec(chapter!)!;
      const exercises = await chapters.find((one) => one.name === name)!.exercises();
      expect(Number(count), name).toBe(exercises.length);
    }
  });

  test('asks for the Node that package.json asks for', () => {
    const { engines } = JSON.parse(textOf('package.json')) as { engines: { node: string } };
    expect(page).toContain(`${engines.node.replace('>=', '')} or later`);
  });
});

test('a table is read by its head, up to its end', () => {
  expect(tableIn('| a | b |\n|---|---|\n| 1 | 2 |\n| `x`, `y` | 3 |\n\n| 4 | 5 |', '| a |')).toEqual([
    ['1', '2'],
    ['`x`, `y`', '3'],
  ]);
  expect(names([['`x`, `y`', '3']])).toEqual(['x', 'y']);
});
