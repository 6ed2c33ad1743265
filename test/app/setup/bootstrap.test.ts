import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

// The bootstrap in a small project of its own, with an npm and a compiler that only note that they were called.

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bootstrap-'));
  write('app/setup/bootstrap.mjs', '');
  for (const file of ['app/setup/bootstrap.mjs', 'app/setup/npm.mjs'])
    copyFileSync(join(import.meta.dirname, '../../..', file), join(root, file));
  write('tsconfig.json', { references: [{ path: 'lib' }, { path: 'grader' }] });
  write('package-lock.json', lock({ 'node_modules/typescript': { version: '1.0.0' } }));
  write('lib/index.ts', 'export {};');
  write('grader/index.ts', 'export {};');
  write('bin/npm-cli.js', NPM);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const lock = (packages: object) => ({ packages: { '': {}, lib: { version: '0.1.0' }, ...packages } });

function write(path: string, content: string | object): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
}

/** Installs what the lock file says, and a compiler that makes both rooms' dist, or fails as it is told. */
const NPM = `
  const { appendFileSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
  appendFileSync('calls.txt', 'npm ' + process.argv.slice(2).join(' ') + '\\n');
  if (process.env.NPM_FAILS) { console.error('npm error network'); process.exit(7); }
  rmSync('node_modules', { recursive: true, force: true });
  const { packages } = JSON.parse(readFileSync('package-lock.json'));
  const installed = Object.entries(packages).filter(([path, { optional }]) => path.includes('node_modules/') && !optional);
  for (const [path] of installed) mkdirSync(path, { recursive: true });
  mkdirSync('node_modules/typescript/bin', { recursive: true });
  writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: Object.fromEntries(installed) }));
  writeFileSync('node_modules/typescript/bin/tsc', \`
    require('fs').appendFileSync('calls.txt', 'tsc ' + process.argv.slice(2).join(' ') + '\\\\n');
    if (process.env.TSC_FAILS) { console.log('index.ts(1,1): error'); process.exit(2); }
    for (const room of ['lib', 'grader']) require('fs').mkdirSync(room + '/dist', { recursive: true });
  \`);
`;

function bootstrap(more: Record<string, string> = {}, cwd = root) {
  rmSync(join(root, 'calls.txt'), { force: true });
  const env = { ...process.env, npm_execpath: join(root, 'bin/npm-cli.js'), ...more };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'app/setup/bootstrap.mjs')], {
    cwd,
    env,
    encoding: 'utf8',
  });
  const calls = existsSync(join(root, 'calls.txt'))
    ? readFileSync(join(root, 'calls.txt'), 'utf8').trim().split('\n')
    : [];
  return { status, stdout, stderr, calls };
}

const CI = 'npm ci --include=dev --prefer-offline --ignore-scripts';
const TSC = 'tsc -b';

test('a fresh clone: installs and builds, one line for each; then silence', () => {
  const first = bootstrap();
  expect(first).toMatchObject({ status: 0, calls: [CI, TSC] });
  expect(first.stderr.trim().split('\n')).toEqual([
    expect.stringContaining('Installing packages'),
    'Building the library',
  ]);
  expect(bootstrap()).toEqual({ status: 0, stdout: '', stderr: '', calls: [] });
});

test('another working folder', () => {
  expect(bootstrap({}, tmpdir())).toMatchObject({ status: 0, calls: [CI, TSC] });
});

test('what was compiled from a source that moved is deleted, and nothing else', () => {
  const current = ['lib/dist/index.js', 'lib/dist/index.d.ts', 'lib/dist/index.js.map', 'lib/dist/notes.txt'];
  const stale = ['js', 'js.map', 'd.ts', 'd.ts.map'].map((ending) => `lib/dist/data/sources.${ending}`);
  for (const path of [...current, ...stale]) write(path, '');
  bootstrap();
  expect(stale.filter((path) => existsSync(join(root, path)))).toEqual([]);
  expect(current.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

describe('installs again when', () => {
  beforeEach(() => void bootstrap());

  test('the lock file names another version', () => {
    write('package-lock.json', lock({ 'node_modules/typescript': { version: '2.0.0' } }));
    const { stderr, calls } = bootstrap();
    expect(calls[0]).toBe(CI);
    expect(stderr).toContain('node_modules/typescript is missing or old');
  });

  test('a package was added', () => {
    write(
      'package-lock.json',
      lock({ 'node_modules/typescript': { version: '1.0.0' }, 'lib/node_modules/katex': { version: '1.0.0' } }),
    );
    expect(bootstrap().calls[0]).toBe(CI);
    expect(bootstrap().calls).toEqual([]);
  });

  test('a package was deleted', () => {
    rmSync(join(root, 'node_modules/typescript'), { recursive: true });
    expect(bootstrap().calls[0]).toBe(CI);
  });

  test('but not for a package of another system', () => {
    write(
      'package-lock.json',
      lock({
        'node_modules/typescript': { version: '1.0.0' },
        'node_modules/fsevents': { version: '1.0.0', optional: true },
      }),
    );
    expect(bootstrap().calls).toEqual([TSC]); // the lock file is new, so it builds
  });
});

describe('builds again when', () => {
  beforeEach(() => void bootstrap());

  test('a source is newer, older, new, or gone', () => {
    utimesSync(join(root, 'lib/index.ts'), 2e9, 2e9);
    expect(bootstrap().calls).toEqual([TSC]);
    utimesSync(join(root, 'lib/index.ts'), 1e9, 1e9);
    expect(bootstrap().calls).toEqual([TSC]);
    write('grader/chapters/checks/new.ts', '');
    expect(bootstrap().calls).toEqual([TSC]);
    rmSync(join(root, 'grader/chapters/checks/new.ts'));
    expect(bootstrap().calls).toEqual([TSC]);
    expect(bootstrap().calls).toEqual([]);
  });

  test('a build is missing', () => {
    rmSync(join(root, 'grader/dist'), { recursive: true });
    expect(bootstrap().calls).toEqual([TSC]);
  });

  test('the last build failed', () => {
    write('lib/index.ts', 'changed');
    const failed = bootstrap({ TSC_FAILS: '1' });
    expect(failed).toMatchObject({ status: 1, calls: [TSC] });
    expect(failed.stderr).toContain('index.ts(1,1): error');
    expect(failed.stderr).toContain('does not compile');
    expect(bootstrap().calls).toEqual([TSC]);
  });

  test('but not for what builds and kernels write', () => {
    write('lib/dist/index.d.ts', '');
    write('lib/node_modules/x/index.ts', '');
    write('jupyter/share/labextensions/x.json', '');
    expect(bootstrap().calls).toEqual([]);
  });
});

test('npm fails: its reason, a remedy, and no build', () => {
  const { status, stderr, calls } = bootstrap({ NPM_FAILS: '1' });
  expect({ status, calls }).toEqual({ status: 1, calls: [CI] });
  expect(stderr).toContain('npm error network');
  expect(stderr).toContain('npm ci failed (exit code 7)');
  expect(stderr).toContain('It needs the network once');
});

test('a Node that is too old says so before anything else', () => {
  const script = join(root, 'app/setup/bootstrap.mjs');
  writeFileSync(
    script,
    readFileSync(script, 'utf8').replace('const OLDEST_NODE = [20, 19]', 'const OLDEST_NODE = [99, 0]'),
  );
  const { status, stderr, calls } = bootstrap();
  expect({ status, calls }).toEqual({ status: 1, calls: [] });
  expect(stderr).toContain(`needs Node 99.0 or newer; this is Node ${process.versions.node}`);
  expect(stderr).toContain('https://nodejs.org');
});

test('npm has nothing to say of our settings', async () => {
  const project = join(import.meta.dirname, '../../..');
  const { npmCommand } = (await import(join(project, 'app/setup/npm.mjs'))) as {
    npmCommand(): { command: string; before: string[]; shell: boolean };
  };
  const { command, before, shell } = npmCommand();
  const { status, stdout, stderr } = spawnSync(command, [...before, 'config', 'get', 'save-exact'], {
    cwd: project,
    shell,
    encoding: 'utf8',
  });
  expect([status, stdout.trim(), stderr]).toEqual([0, 'true', '']);
});
