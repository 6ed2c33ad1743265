import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chapters, hasHidden, readChapters } from '../../../grader/chapters/registry';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dgm-registry-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(...files: (readonly [path: string, text?: string])[]): void {
  for (const [path, text = ''] of files) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

describe('the chapters of a folder', () => {
  test('are the files called by number and name, sorted, and hidden where they have a second one', () => {
    write(['checks/10-late.ts'], ['checks/02-early.ts'], ['checks/common.ts'], ['checks/02-early.d.ts']);
    write(['hidden/10-late.ts'], ['checks/02-early.js.map']);
    expect(readChapters(folder).map(({ name, hidden }) => [name, hidden !== undefined])).toEqual([
      ['02-early', false],
      ['10-late', true],
    ]);
  });

  test('are none where a submission looks', () => expect(readChapters(join(folder, 'nowhere'))).toEqual([]));

  test('are loaded when somebody asks, and no sooner', async () => {
    write(['checks/01-a.ts', `(globalThis as any).loaded = true;\nexport const exercises = ['an exercise'];`]);
    write(['hidden/01-a.ts', `export const hidden = { a: 1 };`]);
    const [chapter] = readChapters(folder);
    expect(globalThis).not.toHaveProperty('loaded');
    expect(await chapter!.exercises()).toEqual(['an exercise']);
    expect(globalThis).toHaveProperty('loaded');
    expect(await chapter!.hidden!()).toEqual({ a: 1 });
  });

  test('are those of the sources, whatever an older build has left', async () => {
    write(['sources/checks/01-new.ts'], ['checks/01-old.ts'], ['hidden/01-old.ts']);
    const found = readChapters(folder, join(folder, 'sources'));
    expect(found.map(({ name }) => name)).toEqual(['01-new']);
    await expect(found[0]!.exercises()).rejects.toThrow('01-new.ts is not built; build it with: npm run build');
  });

  test.each([
    ['two of one number', ['checks/03-a.ts', 'checks/03-b.ts'], '03-a and 03-b have the same number'],
    ['hidden checks alone', ['checks/03-mixtures.ts', 'hidden/03-mixture.ts'], 'did you mean 03-mixtures?'],
    ['a number of one digit', ['checks/3-mixtures.ts'], "3-mixtures.ts: a chapter's file is called by number and name"],
  ])('are refused: %s', (_, files, message) => {
    write(...files.map((file) => [file] as const));
    expect(() => readChapters(folder)).toThrow(message);
  });

  test('say which export is missing', async () => {
    write(['checks/01-a.ts', 'export const exercise = [];']);
    await expect(readChapters(folder)[0]!.exercises()).rejects.toThrow(
      /01-a\.ts: expected an export 'exercises', got exercise$/,
    );
  });

  test('tell what went wrong within them', async () => {
    write(['checks/01-a.ts', `throw new Error('no data');\nexport const exercises = [];`]);
    await expect(readChapters(folder)[0]!.exercises()).rejects.toThrow('no data');
  });
});

test('the course has a chapter for each file of checks, and each has hidden ones', async () => {
  const root = resolve(import.meta.dirname, '../../../grader/chapters');
  const names = (kind: string) =>
    readdirSync(join(root, kind)).flatMap((file) => /^(\d\d-.*)\.ts$/.exec(file)?.[1] ?? []);
  expect(chapters.map(({ name }) => name)).toEqual(names('checks'));
  expect(chapters.filter(({ hidden }) => hidden).map(({ name }) => name)).toEqual(names('hidden'));
  expect(hasHidden).toBe(true);
  for (const { name, exercises } of chapters) for (const { chapter } of await exercises()) expect(chapter).toBe(name);
});
