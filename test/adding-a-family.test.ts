import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// CONTRIBUTING's "A family" and "A chapter", followed literally in a copy of the workbook: four new files and one line,
// and it builds, obeys the laws, has its headings, and passes selftest.

const ROOT = resolve(import.meta.dirname, '..');
const FIXTURES = join(import.meta.dirname, 'fixtures', 'adding');

/** What is added, and the fixture that holds it. */
const NEW: Readonly<Record<string, string>> = {
  'lib/families/toy.ts': 'family.ts.txt',
  'solutions/90-toy.ts': 'chapter.ts.txt',
  'grader/chapters/checks/90-toy.ts': 'checks.ts.txt',
  'grader/chapters/hidden/90-toy.ts': 'hidden.ts.txt',
};
/** The one file that is changed, by one line. */
const INDEX = 'lib/families/index.ts';
const LINE = `export * from './toy';\n`;
/** What the commands that CONTRIBUTING names write. */
const WRITTEN = ['notebooks/90-toy.ipynb', 'solutions/90-toy.ipynb'];

const LEFT_OUT = /^(node_modules|\.git|graded|\.ipynb_checkpoints)$/;
const BUILT = /(^|\/)(dist|[^/]*\.tsbuildinfo)(\/|$)/;

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Every file below a folder but those that a build makes or an installation brings, with a hash of its text. */
function filesOf(root: string, folder = ''): Map<string, string> {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return new Map(
    entries.flatMap((entry): [string, string][] => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (LEFT_OUT.test(entry.name) || BUILT.test(path)) return [];
      if (entry.isDirectory()) return [...filesOf(root, path)];
      return [[path, hashOf(join(root, path))]];
    }),
  );
}

/** The workbook with its build, and with its packages. */
function copyWorkbook(): string {
  const root = mkdtempSync(join(tmpdir(), 'dgm-adding-'));
  const filter = (path: string) => path === ROOT || !LEFT_OUT.test(basename(path));
  cpSync(ROOT, root, { recursive: true, preserveTimestamps: true, filter });
  for (const room of ['', 'lib', 'jupyter', 'grader', 'app']) {
    const own = join(room, 'node_modules');
    if (existsSync(join(ROOT, own))) mirror(join(ROOT, own), join(root, own));
  }
  return root;
}

/**
 * The same tree by hard links, since the packages are a gigabyte. Links to the packages of ours are relative, and so
 * lead to the copy's own. What tools keep there is left behind: they would write through the links.
 */
function mirror(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (/^\.(vite|vitest|cache)/.test(entry.name)) continue;
    if (entry.isDirectory()) mirror(source, target);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target, 'junction');
    else linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    copyFileSync(source, target); // on another file system
  }
}

describe('a toy family and its chapter', () => {
  let root: string;
  let before: Map<string, string>;
  const node = (args: readonly string[]) =>
    promisify(execFile)(process.execPath, [...args], { cwd: root, maxBuffer: 2 ** 26 }).catch(
      ({ stdout, stderr }: { stdout: string; stderr: string }) => expect.fail(`${stdout}\n${stderr}`.slice(-4000)),
    );

  beforeAll(async () => {
    root = copyWorkbook();
    before = filesOf(root);
    for (const [path, fixture] of Object.entries(NEW)) cpSync(join(FIXTURES, fixture), join(root, path));
    writeFileSync(join(root, INDEX), `${readFileSync(join(root, INDEX), 'utf8')}${LINE}`);
    await node(['node_modules/typescript/bin/tsc', '-b']);
  }, 300_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test('obeys the laws, and has the headings of a chapter', async () => {
    await node(['grader/dist/commands/notebooks.js', '90']);
    const files = ['test/lib/families/families.test.ts', 'test/chapters.test.ts'];
    const wanted = '^(toy-coins .*|.*families/toy.ts reads downward.*|90-toy.ipynb has the headings.*)$';
    const report = join(root, 'report.json');
    await node([
      'node_modules/vitest/vitest.mjs',
      'run',
      ...files,
      '-t',
      wanted,
      '--reporter=json',
      `--outputFile=${report}`,
    ]);
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    rmSync(report);
    expect(numFailedTests).toBe(0);
    expect(numPassedTests).toBeGreaterThan(10); // the laws, the card, the defaults, the seven steps, the headings
  }, 300_000);

  test('passes selftest', async () => {
    const { stdout } = await node(['grader/bin/grade.mjs', 'selftest', '--chapter', '90', '--no-hostile', '--json']);
    const { ok, chapters } = JSON.parse(stdout) as { ok: boolean; chapters: { chapter: string; solution: number }[] };
    expect([ok, chapters.map(({ chapter, solution }) => [chapter, solution])]).toEqual([true, [['90-toy', 1]]]);
  }, 300_000);

  test('touches four new files and one line, and nothing else', () => {
    const after = filesOf(root);
    const touched = [...after].filter(([path, hash]) => before.get(path) !== hash).map(([path]) => path);
    expect([...before.keys()].filter((path) => !after.has(path))).toEqual([]);
    expect(touched.sort()).toEqual([...Object.keys(NEW), INDEX, ...WRITTEN].sort());
  });
});
