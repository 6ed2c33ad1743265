import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startKernel } from 'dgm-jupyter';
import { workbookRoot } from 'dgm/host';
import { dataFolder } from '../../../app/start/kernelspec';

// `npm run kernel` as a user calls it, in a Jupyter folder that is not the user's.

const PROGRAM = join(import.meta.dirname, '../../../app/dist/start/kernelspec.js');
let data: string;
let file: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'jupyter-data-'));
  file = join(data, 'kernels', 'dgm', 'kernel.json');
});
afterEach(() => rmSync(data, { recursive: true }));

const options = () => ({ encoding: 'utf8' as const, env: { ...process.env, JUPYTER_DATA_DIR: data } });
const kernel = (...args: string[]) => execFileSync(process.execPath, [PROGRAM, ...args], options());
const refused = (...args: string[]) => {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], options());
  expect(status).toBe(1);
  return stderr;
};

interface Spec {
  argv: string[];
  metadata: { dgm: { workbook: string } };
}
const read = () => JSON.parse(readFileSync(file, 'utf8')) as Spec;
const edit = (change: (spec: Spec) => void) => {
  const spec = read();
  change(spec);
  writeFileSync(file, JSON.stringify(spec));
};

test('is put where it was asked, starts from any folder, and is taken away', async () => {
  expect(kernel()).toMatch(/^no .*\n +→ npm run kernel -- --user$/m);
  expect(kernel('--user')).toContain(join(data, 'kernels', 'dgm'));
  expect(kernel()).toMatch(/^yes /);
  const { argv } = read();
  expect(argv.filter((part) => part !== '{connection_file}').every(isAbsolute)).toBe(true);
  const started = await startKernel({ kernel: argv, cwd: tmpdir() });
  try {
    const { outputs } = await started.execute('6 * 7');
    expect(outputs).toMatchObject([{ data: { 'text/plain': '42' } }]);
  } finally {
    await started.shutdown();
  }
  kernel('--remove');
  expect(existsSync(join(data, 'kernels', 'dgm'))).toBe(false);
  expect(kernel('--remove')).toContain('nothing to remove');
});

test('one of a workbook that was moved is stale, and is mended by installing again', () => {
  kernel('--user');
  edit((spec) => (spec.metadata.dgm.workbook = '/gone'));
  expect(kernel()).toMatch(/^no .*\/gone, which is not there\n +→ npm run kernel -- --user$/m);
  expect(kernel('--user')).toContain('(before, of /gone)');
  edit((spec) => (spec.argv[0] = '/another/node'));
  expect(kernel()).toMatch(/^no .* starts \/another\/node, which is not there: it is of .*another Node\n/);
  edit((spec) => (spec.argv[0] = '/bin/sh'));
  expect(kernel()).toMatch(/^no .*json is of an earlier version, or of another Node\n/);
  kernel('--user');
  expect(read().metadata.dgm.workbook).toBe(workbookRoot);
  expect(kernel()).toMatch(/^yes /);
});

test('one that an earlier version wrote starts a file that has moved: said, with the remedy, and mended by it', () => {
  kernel('--user');
  const moved = join(workbookRoot, 'lib', 'jupyter', 'share', 'kernels', 'dgm', 'kernel.mjs');
  edit((spec) => (spec.argv[1] = moved));
  const told =
    /^no .*kernel\.json starts (.*), which is not there: it is of an earlier version.*\n +→ npm run kernel -- --user$/m;
  expect(told.exec(kernel())?.[1]).toBe(moved);
  const doctor = execFileSync(process.execPath, [join(dirname(PROGRAM), 'doctor.js'), '--json'], options());
  const { findings } = JSON.parse(doctor) as { findings: { part: string; name: string }[] };
  expect(findings.filter(({ name }) => name === 'kernel')).toEqual([
    {
      part: 'jupyter',
      name: 'kernel',
      ok: false,
      reason: expect.stringContaining(`starts ${moved}, which is not there`),
      remedy: 'npm run kernel -- --user',
    },
  ]);
  expect(read().argv[1]).toBe(moved); // looking mends nothing
  kernel('--user');
  expect(kernel()).toMatch(/^yes /);
});

test.each([
  ['of another program', '{"argv":["other"],"display_name":"Other","metadata":{}}'],
  ['that cannot be read', '{'],
])('a kernel of this name %s is left alone', (_, text) => {
  mkdirSync(join(data, 'kernels', 'dgm'), { recursive: true });
  writeFileSync(file, text);
  expect(kernel()).toMatch(/^no .*did not write/);
  expect(refused('--user')).toContain('rename or delete that folder');
  expect(refused('--remove')).toContain('left alone');
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('what others put beside it stays', () => {
  kernel('--user');
  writeFileSync(join(data, 'kernels', 'dgm', 'logo.svg'), '<svg/>');
  kernel('--remove');
  expect(existsSync(join(data, 'kernels', 'dgm', 'logo.svg'))).toBe(true);
});

test('options that contradict each other, or are none', () => {
  expect(refused('--user', '--remove')).toContain('choose one');
  expect(refused('--system')).toMatch(/^unknown option --system; there are --user, --remove/);
  expect(existsSync(file)).toBe(false);
});

test('the folder of each system', () => {
  expect(dataFolder({ JUPYTER_DATA_DIR: '/mine', XDG_DATA_HOME: '/x' }, 'linux', '/home/a')).toBe('/mine');
  expect(dataFolder({}, 'linux', '/home/a')).toBe('/home/a/.local/share/jupyter');
  expect(dataFolder({ XDG_DATA_HOME: '/x' }, 'linux', '/home/a')).toBe('/x/jupyter');
  expect(dataFolder({ XDG_DATA_HOME: '/x' }, 'darwin', '/Users/a')).toBe('/Users/a/Library/Jupyter');
  expect(dataFolder({ APPDATA: '/Roaming' }, 'win32', '/Users/a')).toBe('/Roaming/jupyter');
});
