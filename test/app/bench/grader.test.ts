import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'grade-bench-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function bench(...args: string[]) {
  const program = resolve(import.meta.dirname, '../../../app/dist/bench/main.js');
  const env = { ...process.env, TMPDIR: folder };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

test('grades both kinds, in one size or several, and leaves nothing behind', () => {
  const file = join(folder, 'bench.json');
  const rowsOf = (counts: string, kind: string) => {
    const options = ['--counts', counts, '--only', kind, '--jobs', '1', '--json', file];
    const { status, stdout } = bench('--grader', ...options);
    expect(status).toBe(0);
    const { rows, jobs } = JSON.parse(readFileSync(file, 'utf8'));
    expect(jobs).toBe(1);
    for (const { perMinute, secondsEach, startSeconds, coordinatorMb } of rows) {
      expect(perMinute * secondsEach).toBeCloseTo(60);
      for (const measured of [perMinute, startSeconds, coordinatorMb]) expect(measured).toBeGreaterThan(0);
    }
    const names = rows.map((row: { submissions: string; count: number }) => [row.submissions, row.count]);
    return [names, stdout];
  };
  // more than a block of results, of whose times the median is taken
  expect(rowsOf('2,11', 'tiny')).toEqual([
    [
      ['tiny', 2],
      ['tiny', 11],
    ],
    expect.stringMatching(/tiny +11 /),
  ]);
  expect(rowsOf('1', 'chapter-03')).toEqual([[['chapter-03', 1]], expect.stringMatching(/chapter-03 +1 /)]);
  expect(readdirSync(folder)).toEqual(['bench.json']);
}, 180_000);

test.each([
  [['--counts', '0'], '--counts must be an integer ≥ 1, got "0"'],
  [['--counts', '10,x'], '--counts must be an integer ≥ 1, got "x"'],
  [['--only', 'large'], '--only: there is no "large"; there are tiny, chapter-03, nbconvert'],
  [['--only', 'nbconvert', '--peer', '/nowhere/python'], '--peer: /nowhere/python is no Python that has nbconvert'],
])('refuses %j', (args, message) => {
  const { status, stderr } = bench('--grader', ...args);
  expect(stderr).toContain(message);
  expect(status).toBe(1);
});

test('without --grader it is the bench of the library, which knows no grader', () => {
  expect(bench('--help').stdout).toContain('Times one training step');
  expect(bench('--grader', '--help').stdout).toContain('Submissions graded per minute');
});
