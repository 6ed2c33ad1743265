import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findProgram, isProgram, programIn } from 'dgm/host';

const root = mkdtempSync(join(tmpdir(), 'programs-'));
afterAll(() => rmSync(root, { recursive: true }));

const NAME = process.platform === 'win32' ? 'tool.exe' : 'tool';

function folder(name: string, mode = 0o755): string {
  const path = join(root, name);
  mkdirSync(path);
  writeFileSync(join(path, NAME), '');
  chmodSync(join(path, NAME), mode);
  return path;
}

test('the first on PATH that may be run', () => {
  const [first, second] = [folder('first'), folder('second')];
  mkdirSync(join(root, 'holds-a-folder', NAME), { recursive: true });
  const others = [join(root, 'gone'), join(root, 'holds-a-folder')];
  if (process.platform !== 'win32') others.push(folder('nobody', 0o644));
  const PATH = (...folders: string[]) => ({ PATH: folders.join(delimiter) });
  expect(findProgram('tool', PATH(...others, first, second))).toBe(join(first, NAME));
  expect(findProgram('tool', PATH(second, first))).toBe(join(second, NAME));
  expect(findProgram('tool', PATH(`"${first}"`))).toBe(join(first, NAME));
  expect(findProgram('tool', { Path: first })).toBe(join(first, NAME));
  expect(findProgram('tool', PATH(...others))).toBeUndefined();
  expect(findProgram('tool', {})).toBeUndefined();
  expect(programIn(first, 'tool')).toBe(join(first, NAME));
  expect(programIn(first, 'other')).toBeUndefined();
  expect([isProgram(join(first, NAME)), isProgram(first)]).toEqual([true, false]);
});

test('not one that lies where one stands', () => {
  const before = process.cwd();
  process.chdir(folder('here'));
  try {
    for (const PATH of ['', delimiter, `${delimiter}${join(root, 'gone')}`])
      expect(findProgram('tool', { PATH })).toBeUndefined();
  } finally {
    process.chdir(before);
  }
});
