import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isRunning } from 'dgm/host';
import { readCommandLine, type CommandLine } from '../../../app/command-line/command';
import { opener } from '../../../app/start/browser';
import { COMMAND, start, startOptions, type StartOptions } from '../../../app/start/start';
import { bin, chapter, env, jupyter, program, root, said, useWorkbook } from './start-helpers';

// `npm start` on machines of every kind. The Jupyters are scripts that behave as the real ones do where we look; the
// last test asks a real one, if there is. The desk is the real one, with an empty page.

useWorkbook();

const DIST = join(import.meta.dirname, '../../../app/dist');
const noPage = () => Promise.reject(new Error('no network'));
const options = (...args: string[]): StartOptions =>
  startOptions(readCommandLine(COMMAND, args) as CommandLine<typeof COMMAND.options>, { root, env });

test('all options', () => {
  expect(options('03', '--no-browser', '--port', '9000', '--jupyter', 'venv/bin', '--page', '--desk')).toEqual({
    root,
    env,
    chapter: '03',
    browser: false,
    port: 9000,
    jupyter: 'venv/bin',
    page: true,
    desk: true,
  });
  expect(options()).toEqual({ root, env, browser: true, page: false, desk: false });
  expect(() => options('--port', '99999')).toThrow('--port must be an integer from 1 to 65535, got "99999"');
  expect(() => options('01', '02')).toThrow('one chapter at a time, got 01, 02');
});

describe('start', () => {
  test('opens the first chapter in the Jupyter that works, and ends when it does', async () => {
    program('jupyter-lab', 'process.exit(1)');
    program(
      'jupyter-notebook',
      `if (process.argv.includes('--version')) console.log('6.4.12'); else { console.error('http://127.0.0.1:8888/?token=...'); process.exitCode = 0 }`,
    );
    expect(await start(options('--no-browser'))).toBe(true);
    expect(said.join('\n')).toMatch(/Skipped: .*jupyter-lab/);
    expect(said.filter((line) => line.startsWith('Workbook: '))).toEqual([
      expect.stringMatching(/^Workbook: http:\/\/127\.0\.0\.1:8888\/notebooks\/01-tiny\.ipynb\?token=[0-9a-f]+$/),
    ]);
  });

  test('a Jupyter that the user named and that does not start is an error, not a reason to show a page', async () => {
    const path = program(
      'jupyter-lab',
      `if (process.argv.includes('--version')) console.log('4.0.0'); else process.exit(5)`,
    );
    expect(await start(options('--jupyter', path))).toBe(false);
    expect(said.join('\n')).toContain('exit code 5');
  });

  test('a chapter that is not there', async () => {
    jupyter('jupyter-lab', '4.0.0');
    await expect(start(options('07'))).rejects.toThrow('no chapter "07"; there are 01-tiny');
  });

  test('without Jupyter and without network: the solved chapter as a page, run once', async () => {
    const solution = chapter('solutions', '01-tiny', "console.log('answer', 6 * 7)");
    expect(await start(options('--no-browser'), noPage)).toBe(true);
    const page = join(root, 'app', 'dist', 'opened', '01-tiny.html');
    expect(said.join('\n')).toMatch(/cannot be made: no network[^]*pip install jupyterlab[^]*read-only view/);
    expect(said.at(-1)).toBe(`Page: ${page}`);
    expect(readFileSync(page, 'utf8')).toContain('answer 42');
    expect(readFileSync(solution, 'utf8')).not.toContain('answer 42'); // the notebook itself is left alone
    const { mtimeMs } = statSync(page);
    expect(await start(options('--no-browser'), noPage)).toBe(true);
    expect(statSync(page).mtimeMs).toBe(mtimeMs);
  });

  test('who asks for the desk or for a port is not helped by a page', async () => {
    expect(await start(options('--desk', '--no-browser'), noPage)).toBe(false);
    expect(await start(options('--port', '9123', '--no-browser'), noPage)).toBe(false);
    expect(said.join('\n')).not.toContain('read-only view');
  });

  test('a page whose chapter fails shows how far it came, says where, and is not kept', async () => {
    chapter('solutions', '01-tiny', "console.log('before');\nthrow new Error('wrong');");
    expect(await start(options('--page', '--no-browser'))).toBe(false);
    expect(said.join('\n')).toMatch(/01-tiny: cell 1 \(id "one", under "Tiny"\) failed:[^]*wrong/);
    expect(readFileSync(join(root, 'app', 'dist', 'opened', '01-tiny.html'), 'utf8')).toContain('before');
    expect(await start(options('--page', '--no-browser'))).toBe(false); // run again, not shown again
  });

  test('no notebooks at all', async () => {
    await expect(start(options('--page'))).rejects.toThrow(
      /no chapters in .*solutions; "npm run notebooks" makes them/,
    );
  });
});

test('addresses are opened by the desktop, and not at all without one', () => {
  expect(opener({}, 'linux')).toBeUndefined();
  expect(opener({ DISPLAY: ':0' }, 'linux')).toEqual(['xdg-open']);
  expect(opener({ WAYLAND_DISPLAY: 'wayland-0' }, 'linux')).toEqual(['xdg-open']);
  expect(opener({}, 'darwin')).toEqual(['open']);
  expect(opener({}, 'win32')![0]).toBe('rundll32');
});

describe('the desk', () => {
  /** `npm start` with arguments, in a process of its own; resolves when it tells its address. */
  async function run(...args: string[]) {
    const program = `
      const { COMMAND, start, startOptions } = require(${JSON.stringify(join(DIST, 'start', 'start.js'))});
      const { readCommandLine } = require(${JSON.stringify(join(DIST, 'command-line', 'command.js'))});
      const line = readCommandLine(COMMAND, process.argv.slice(1));
      const options = startOptions(line, { root: ${JSON.stringify(root)}, env: process.env });
      start(options, async () => ${JSON.stringify(bin)}).then(
        (ok) => process.exit(ok ? 0 : 1),
        (error) => { console.log('failed: ' + error.message); process.exit(1); },
      );
      process.on('exit', () => console.log('loaded:', Object.keys(require.cache).join()));`;
    const temporary = join(root, 'temporary');
    mkdirSync(temporary, { recursive: true });
    const child = spawn(process.execPath, ['-e', program, '--', '--no-browser', ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...env, TMPDIR: temporary },
    });
    let output = '';
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const address = await new Promise<string | undefined>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        const found = /Workbook: (\S+)\n/.exec((output += chunk.toString()));
        if (found) resolve(found[1]);
      });
      void ended.then(() => resolve(undefined));
    });
    return { child, ended, address, temporary, output: () => output };
  }

  test('opens where there is no Jupyter, at the chapter, and ends with all that it started', async () => {
    const { child, ended, address, temporary, output } = await run('tiny');
    const { host, pathname, searchParams } = new URL(address!);
    expect([host.split(':')[0], pathname]).toEqual(['127.0.0.1', '/notebooks/01-tiny.ipynb']);
    const headers = { authorization: `token ${searchParams.get('token')}` };
    const made = await fetch(`http://${host}/api/kernels`, { method: 'POST', headers });
    expect(made.status).toBe(201);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
    expect(output()).not.toMatch(/loaded:.*@tensorflow/); // which takes a second to load
    // by now its port may be another desk's, which refuses this one's token
    expect((await fetch(address!).catch(() => undefined))?.status ?? 401).toBe(401);
  });

  test('--desk opens it although there is a Jupyter; the port is the one that was asked for, or none', async () => {
    jupyter('jupyter-lab', '4.6.4');
    const first = await run('--desk');
    const { port, pathname } = new URL(first.address!);
    expect(pathname).toBe('/');
    const second = await run('--desk', '--port', port);
    expect(second.address).toBeUndefined();
    expect(second.output()).toContain(`failed: port ${port} is taken by another program; choose another with --port`);
    const third = await run('--desk');
    expect(new URL(third.address!).port).not.toBe(port);
    for (const { child } of [first, third]) child.kill('SIGTERM');
    expect(await Promise.all([first.ended, third.ended])).toEqual([0, 0]);
  });

  test('ends when npm was killed', async () => {
    const child = spawn(process.execPath, [
      '-e',
      `const child = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(
        `require(${JSON.stringify(join(DIST, 'start', 'start.js'))}).start(
          { root: ${JSON.stringify(root)}, env: process.env, browser: false, page: false, desk: true },
          async () => ${JSON.stringify(bin)},
        );`,
      )}], { stdio: ['ignore', 'inherit', 'ignore'], env: { ...process.env, npm_lifecycle_event: 'start' } });
      console.log('pid ' + child.pid);`,
    ]);
    const pid = await new Promise<number>((resolve) => {
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Workbook: ')) resolve(Number(/pid (\d+)/.exec(output)![1]));
      });
    });
    child.kill('SIGKILL');
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  });
});

const REAL = spawnSync('jupyter-notebook', ['--version'], { encoding: 'utf8' }).status === 0;
if (!REAL)
  console.warn('A start in Jupyter is not tested: no jupyter-notebook on PATH (Debian: apt install jupyter-notebook)');

test.skipIf(!REAL)('a real Jupyter serves our kernel, not one of old, and plotly, and ends with us', async () => {
  const data = join(root, 'jupyter-data');
  const old = join(data, 'kernels', 'dgm', 'kernel.json'); // as an earlier version wrote it for VS Code
  mkdirSync(dirname(old), { recursive: true });
  writeFileSync(old, OLD_KERNELSPEC);
  const program = join(DIST, 'start', 'start.js');
  const child = spawn(
    process.execPath,
    [program, '--no-browser', '--jupyter', join(whereIs('jupyter-notebook'), 'jupyter-notebook')],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, JUPYTER_DATA_DIR: data } },
  );
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  try {
    const address = await new Promise<URL>((resolve, reject) => {
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        const found = /Workbook: (\S+)/.exec((output += chunk.toString()));
        if (found) resolve(new URL(found[1]!));
      });
      void ended.then((code) => reject(new Error(`ended with ${code}: ${output}`)));
    });
    const get = (path: string) => fetch(new URL(`${path}?token=${address.searchParams.get('token')}`, address));
    const { kernelspecs } = (await (await get('/api/kernelspecs')).json()) as {
      kernelspecs: Record<string, { spec: { argv: string[] } }>;
    };
    expect(kernelspecs['dgm']!.spec.argv).toContain('{resource_dir}/kernel.mjs'); // the project's own
    const pages = [address.pathname, '/nbextensions/dgm/plotly.min.js', '/lab/extensions/dgm/plotly.min.js'];
    const statuses = await Promise.all(pages.map(async (path) => (await get(path)).status));
    expect(statuses[0]).toBe(200);
    expect(statuses.slice(1)).toContain(200); // the one or the other, by its kind
  } finally {
    child.kill('SIGINT');
  }
  expect(await ended).toBe(0);
  expect(readFileSync(old, 'utf8')).toBe(OLD_KERNELSPEC);
});

const OLD_KERNELSPEC = JSON.stringify({
  argv: [process.execPath, '/gone/lib/jupyter/share/kernels/dgm/kernel.mjs', '{connection_file}'],
  display_name: 'TypeScript (dgm)',
  language: 'typescript',
  metadata: { dgm: { workbook: '/gone' } },
});

function whereIs(name: string): string {
  return (process.env['PATH'] ?? '').split(delimiter).find((folder) => existsSync(join(folder, name)))!;
}
