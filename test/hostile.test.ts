import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from 'grader/commands';
import { LIMITS } from '../grader/sandbox/command-line';
import { createCompiler } from '../grader/compile/service';
import { attacksIn, runHostile, type HostileReport } from '../grader/selftest/hostile';
import { openSandbox } from '../grader/sandbox/sandbox';
import { seccompFilter } from '../grader/sandbox/seccomp';
import { tiers } from '../grader/sandbox/tier';
import { examineTier } from '../grader/sandbox/tier-probe';
import { cellsOf } from './grader/grading-helpers';

const folder = resolve(import.meta.dirname, 'hostile');
const findings = await Promise.all([examineTier('bubblewrap'), examineTier('limits')]);
const namesOf = { bubblewrap: await attacksIn(folder, 'bubblewrap'), limits: await attacksIn(folder, 'limits') };

describe.each(
  findings.map((finding) => ({
    ...finding,
    tier: finding.tier as keyof typeof namesOf,
    skipped: finding.available ? '' : ` (skipped: ${finding.reason}; ${finding.remedy})`,
  })),
)('hostile submissions in $tier$skipped', ({ tier, available }) => {
  let report: HostileReport;

  beforeAll(async () => {
    if (available) report = await runHostile(folder, { tier, jobs: 2 });
  }, 300_000);

  test.skipIf(!available).each(namesOf[tier])('%s', (name) => {
    expect(report.attacks.find((attack) => attack.name === name)).toMatchObject({ breaches: [] });
  });

  test.skipIf(!available)('leave the host as it was: files, processes, servers', () => {
    expect(report.breaches).toEqual([]);
    expect(report.ok).toBe(true);
  });
});

describe('without a sandbox', () => {
  // those that do no harm where nothing holds them, so that each is known to bite
  const harmless = [
    ...namesOf.limits.filter((name) => /^(reads|lists|requires|imports|overwrites)-/.test(name)),
    'network',
  ];

  test('the same attacks succeed, and are seen to', async () => {
    const { attacks, breaches, ok } = await runHostile(folder, { tier: 'none', only: harmless });
    expect(ok).toBe(false);
    for (const { name, breaches } of attacks) expect([name, breaches]).toEqual([name, ['earned 9 points, not 7']]);
    expect(breaches).toEqual([
      expect.stringMatching(/^a file of the host was changed: .*canary/),
      expect.stringMatching(/^a server of the host was reached/),
    ]);
  });
});

describe('the filter of system calls', () => {
  test('is a whole number of instructions for the machines it knows, and none for others', () => {
    for (const architecture of ['x64', 'arm64']) {
      const filter = seccompFilter(architecture)!;
      expect(filter.length % 8).toBe(0);
      expect(jumpsOf(filter).every((target) => target < filter.length / 8)).toBe(true);
    }
    expect(seccompFilter('vax')).toBeUndefined();
  });
});

/** Where the jumps of a program lead. */
function jumpsOf(filter: Buffer): number[] {
  return Array.from({ length: filter.length / 8 }, (_, i) => [filter[i * 8 + 2]!, filter[i * 8 + 3]!])
    .flatMap(([ifTrue, ifFalse], i) => [i + 1 + ifTrue!, i + 1 + ifFalse!])
    .slice(0, -2);
}

test('a message of the compiler quotes neither a hidden check nor data', async () => {
  const compiler = createCompiler();
  const source = `import { exercises } from 'grader/checks/03-mixtures';
import data from 'grader/package.json';
const f = (): string => [exercises, data];`;
  const { functions } = await compiler.compile(cellsOf(source), ['f']);
  compiler.close();
  const [first, second] = functions['f']!.problems;
  expect([first!.message, second!.message].map((message) => message.slice(0, 6))).toEqual(['TS2307', 'TS2732']);
});

describe('the container', () => {
  // stands for docker: it runs what would run in the container here, and notes how it was called
  const engine = `#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
[ "$1" = run ] || exit 0
while [ "$1" != node ]; do shift; done
exec "$@"
`;

  test('is asked on stdin, answers on stdout past what is printed, and is ended by name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'engine-'));
    const { PATH } = process.env;
    process.env['PATH'] = `${folder}:${PATH}`;
    await writeFile(join(folder, 'podman'), engine, { mode: 0o755 });
    const compiler = createCompiler();
    try {
      const source = 'function f(n: number) { console.log("noise"); for (; n < 0; ); return n + 1; }';
      const { together } = await compiler.compile(cellsOf(source), ['f']);
      const sandbox = openSandbox(LIMITS, 'container');
      await sandbox.load(together);
      expect(await sandbox.call('f', [1], () => 5_000)).toBe(2);
      await expect(sandbox.call('f', [-1], () => 500)).rejects.toMatchObject({ status: 'timeout' });
      await sandbox.close();
      const calls = () => readFile(join(folder, 'calls'), 'utf8');
      const [, name] = /--name=(\S+)/.exec(await calls())!;
      await expect.poll(calls).toContain(`kill ${name}`);
      expect(await calls()).toContain('--network=none --read-only');
      expect(await calls()).not.toMatch(/checks|solutions/);
    } finally {
      compiler.close();
      process.env['PATH'] = PATH;
      await rm(folder, { recursive: true });
    }
  });
});

const bin = resolve(import.meta.dirname, '../grader/bin/grade.mjs');
const run = (...args: string[]) => spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
const withoutPrograms = (...args: string[]) =>
  spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', env: { PATH: '/nowhere' } });

describe('the doctor', () => {
  test('prints what it finds of every tier, and names the one that grading uses', () => {
    const { stdout } = run('doctor', '--json');
    const { version, tier, findings } = JSON.parse(stdout) as {
      version: number;
      tier: string;
      findings: Finding[];
    };
    expect(version).toBe(2);
    expect(findings.map(({ name }) => name)).toEqual([...tiers]);
    expect(tier).toBe(findings.find(({ ok }) => ok)!.name);
  });

  test('finds nothing where there is no program, and grading refuses until it is told to go on', () => {
    expect(withoutPrograms('doctor')).toMatchObject({ status: 1, stdout: expect.stringContaining('graded in: none') });
    const { status, stderr } = withoutPrograms('grade', folder, '--out', resolve(folder, 'graded'));
    expect(status).toBe(1);
    expect(stderr).toContain('--i-trust-these');
    expect(withoutPrograms('grade', '/nowhere', '--out', '/nowhere/graded', '--i-trust-these').stderr).toContain(
      'ENOENT',
    );
  });

  test('a tier that does not hold is refused by name', () => {
    const { status, stderr } = withoutPrograms(
      'grade',
      folder,
      '--out',
      resolve(folder, 'graded'),
      '--tier',
      'bubblewrap',
    );
    expect(status).toBe(1);
    expect(stderr).toContain('the tier bubblewrap does not hold here: bwrap is not on PATH; apt install bubblewrap');
  });
});
