import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadedFrom } from '../../../grader/gradebook/bundle';

/** The built packages, in a place where one may change them. */
let copy = '';
const project = resolve(import.meta.dirname, '../../..');

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'bundle-'));
  for (const room of ['lib/dist', 'lib/package.json', 'grader/dist', 'grader/package.json'])
    cpSync(join(project, room), join(copy, room), { recursive: true });
  mkdirSync(join(copy, 'node_modules'));
  symlinkSync(join(copy, 'lib'), join(copy, 'node_modules', 'dgm'));
  symlinkSync(join(project, 'node_modules', '@tensorflow'), join(copy, 'node_modules', '@tensorflow'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

function loaded(chapter: string): Map<string, string> {
  const starts = ['grading/worker.js', 'compile/service-child.js', 'sandbox/child.js'];
  const all = [...starts, `chapters/checks/${chapter}.js`].map((file) => join(copy, 'grader', 'dist', file));
  return new Map(loadedFrom(all, copy));
}

test.each([
  'grader/dist/chapters/checks/common.js',
  'grader/dist/chapters/checks/00-start.js',
  'grader/dist/exercise/protocol.js',
  'grader/dist/exercise/compare.js',
  'grader/dist/compile/extract.js',
  'grader/dist/compile/pieces.js',
  'grader/dist/grading/grade-exercises.js',
  'grader/dist/sandbox/sandbox.js',
  'lib/dist/core/random.js',
  'lib/dist/core/distributions.js',
])('%s judges a submission of chapter 00: a change of it is seen', (file) => {
  const before = loaded('00-start').get(file);
  expect(before).toBeDefined();
  appendFileSync(join(copy, file), '\n// mended');
  expect(loaded('00-start').get(file)).toBe(`${before}\n// mended`);
});

test('another chapter’s checks and what only reports do not, and packages count by version', () => {
  const names = [...loaded('00-start').keys()];
  expect(names.filter((name) => /checks\/0[1-9]|reports\/|gradebook\/|commands\//.test(name))).toEqual([]);
  expect(loaded('00-start').get('package @tensorflow/tfjs')).toMatch(/^\d+\.\d+\.\d+$/);
});
