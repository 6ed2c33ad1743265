import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isRunning, writeAtomically, writeAtomicallySync } from 'dgm/host';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dgm-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.each([
  ['writeAtomically', writeAtomically],
  ['writeAtomicallySync', async (file: string, text: string) => writeAtomicallySync(file, text)],
] as const)('%s', (_, write) => {
  test('makes the folder, replaces what is there, and leaves nothing else', async () => {
    const file = join(folder, 'a', 'b', 'notes.txt');
    await write(file, 'first');
    await write(file, 'second');
    expect(readFileSync(file, 'utf8')).toBe('second');
    expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['notes.txt']);
  });

  test('that cannot rename leaves no draft', async () => {
    await expect(write(folder, 'a file cannot replace a folder')).rejects.toThrow(/EISDIR|EEXIST|ENOTEMPTY|EPERM/);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`.${folder.split('/').at(-1)}`))).toEqual([]);
  });
});

describe('a text in pieces', () => {
  test('is written as one', async () => {
    await writeAtomically(join(folder, 'table'), ['a', 'b', 'c']);
    expect(readFileSync(join(folder, 'table'), 'utf8')).toBe('abc');
  });

  test('that fails on the way leaves the old file and no draft', async () => {
    writeFileSync(join(folder, 'table'), 'old');
    function* pieces() {
      yield 'new';
      throw new Error('no more');
    }
    await expect(writeAtomically(join(folder, 'table'), pieces())).rejects.toThrow('no more');
    expect(readdirSync(folder)).toEqual(['table']);
    expect(readFileSync(join(folder, 'table'), 'utf8')).toBe('old');
  });

  test('is seen whole or not at all while it is written', async () => {
    writeFileSync(join(folder, 'table'), 'old');
    const seen: string[] = [];
    function* pieces() {
      for (const piece of ['n', 'e', 'w']) {
        seen.push(readFileSync(join(folder, 'table'), 'utf8'));
        yield piece;
      }
    }
    await writeAtomically(join(folder, 'table'), pieces());
    expect(seen).toEqual(['old', 'old', 'old']);
    expect(readFileSync(join(folder, 'table'), 'utf8')).toBe('new');
  });
});

test('a process is running until it has ended', async () => {
  const child = spawn(process.execPath, ['--eval', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  expect(isRunning(child.pid!)).toBe(true);
  child.stdin.end();
  await once(child, 'exit');
  expect(isRunning(child.pid!)).toBe(false);
  expect(isRunning(process.pid)).toBe(true);
});
