import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { Finding } from 'grader/commands';
import { tiers } from '../../../grader/sandbox/tier';

const DOCTOR = join(resolve(import.meta.dirname, '../../..'), 'app', 'dist', 'start', 'doctor.js');

test('finds what every machine has, and gives a reason for everything', () => {
  const text = execFileSync(process.execPath, [DOCTOR, '--json'], { encoding: 'utf8', stdio: 'pipe' });
  const { version, findings } = JSON.parse(text) as { version: number; findings: Finding[] };
  expect(version).toBe(1);
  for (const [part, name] of [
    ['node', 'Node'],
    ['engine', 'cpu'],
    ['eager', 'cpu'],
    ['data', 'digits'],
    ['sandbox', 'none'],
  ])
    expect(findings).toContainEqual(expect.objectContaining({ part, name, ok: true }));
  expect(findings.filter(({ reason }) => reason === '')).toEqual([]);
  expect(findings.filter(({ part }) => part === 'sandbox').map(({ name }) => name)).toEqual([...tiers]);
  expect(new Set(findings.map(({ part }) => part))).toEqual(
    new Set(['node', 'jupyter', 'engine', 'eager', 'data', 'sandbox']),
  );
});

test('without a Jupyter says that none is needed, and how to get one', () => {
  const env = { ...process.env, PATH: '' };
  const text = execFileSync(process.execPath, [DOCTOR], { encoding: 'utf8', stdio: 'pipe', env });
  expect(text).toMatch(/^no +jupyter .*none on PATH\n +→ none is needed, .*pip install jupyterlab/m);
});
