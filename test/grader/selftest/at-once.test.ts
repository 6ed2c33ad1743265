import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { testChapters } from '../../../grader/selftest/at-once';

// The chapters' processes are played by small programs: what chapters give is another test's business.

const folder = mkdtempSync(join(tmpdir(), 'dgm-at-once-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that answers a name by this expression of `name`, asynchronously. */
function program(file: string, answer: string): string {
  const path = join(folder, file);
  writeFileSync(path, `process.on('message', async (name) => process.send(await (${answer})(name)));`);
  return path;
}

const report = `(name) => ({ report: { chapter: name, breaches: [], pid: process.pid } })`;

describe('chapters tested at the same time', () => {
  test('are reported in their order, though later ones are done before', async () => {
    const waitsForTheLast = `(name) => new Promise((resolve) => {
      const { existsSync, writeFileSync } = require('node:fs');
      const done = ${JSON.stringify(join(folder, 'c-is-done'))};
      const answer = () => resolve({ report: { chapter: name, breaches: [] } });
      if (name === 'c') { writeFileSync(done, ''); return answer(); }
      if (name !== 'a') return answer();
      const timer = setInterval(() => { if (existsSync(done)) { clearInterval(timer); answer(); } }, 5);
    })`;
    const told: string[] = [];
    const reports = await testChapters(
      ['a', 'b', 'c'],
      2,
      ({ chapter }) => told.push(chapter),
      program('late.js', waitsForTheLast),
    );
    expect(told).toEqual(['a', 'b', 'c']);
    expect(reports.map(({ chapter }) => chapter)).toEqual(['a', 'b', 'c']);
  });

  test('have as many processes as asked, and no more than chapters', async () => {
    const pids = async (jobs: number) => {
      const reports = await testChapters(['a', 'b', 'c'], jobs, undefined, program('plain.js', report));
      return new Set(reports.map((each) => (each as unknown as { pid: number }).pid)).size;
    };
    expect(await pids(1)).toBe(1);
    expect(await pids(9)).toBeLessThanOrEqual(3);
  });

  test('a process that ends, and a chapter that cannot be tested, are errors with its name', async () => {
    const ends = program('ends.js', `(name) => (name === 'b' ? process.exit(7) : (${report})(name))`);
    await expect(testChapters(['a', 'b', 'c'], 2, undefined, ends)).rejects.toThrow(
      'the self-test of b ended with exit status 7',
    );
    const fails = program('fails.js', `(name) => ({ failure: 'no source' })`);
    await expect(testChapters(['a'], 2, undefined, fails)).rejects.toThrow('a: no source');
  });
});
