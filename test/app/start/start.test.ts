import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { serialiseNotebook, type Notebook } from 'dgm-jupyter';
import { opener } from '../../../app/start/browser';
import { chaptersIn, chosen, workbookRoot, writeWhole } from '../../../app/chapters/files';
import { findJupyter, jupyterAt } from '../../../app/start/find-jupyter';
import { startServer, writeRedirect } from '../../../app/start/jupyter-server';
import { start, startOptions, type StartOptions } from '../../../app/start/start';
import { isAlive } from '../../jupyter/kernel-helpers';

// `npm start` on machines of every kind: with this Jupyter, with that one, with a broken one, with none. The
// Jupyters are scripts that behave as the real ones do where we look; the last test asks a real one, if there is.
// The desk is the real one, with an empty page.

let root: string; // a workbook with one tiny chapter
let bin: string; // what PATH leads to
let env: Record<string, string>;
let said: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'workbook-'));
  bin = join(root, 'bin');
  for (const folder of ['bin', 'lib', 'solutions', 'notebooks']) mkdirSync(join(root, folder));
  writeFileSync(join(root, 'lib', 'package.json'), '{}');
  chapter('notebooks', '01-tiny', "console.log('student')");
  env = {
    PATH: [bin, dirname(process.execPath), '/usr/bin', '/bin']
      .filter((path) => path === bin || !hasJupyter(path))
      .join(delimiter),
  };
  said = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void said.push(text));
  vi.spyOn(console, 'error').mockImplementation((text: string) => void said.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

const hasJupyter = (folder: string) =>
  existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('jupyter'));

function chapter(folder: string, name: string, source: string): string {
  const notebook: Notebook = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      { cell_type: 'markdown', id: 'title', metadata: {}, source: '# Tiny' },
      { cell_type: 'code', id: 'one', metadata: {}, source, execution_count: null, outputs: [] },
    ],
  };
  const path = join(root, folder, `${name}.ipynb`);
  writeFileSync(path, serialiseNotebook(notebook));
  return path;
}

/** A program for PATH; the script runs in Node, whatever PATH says. */
function program(name: string, script: string, folder = bin): string {
  const path = join(folder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, `#!${process.execPath}\n${script}`);
  chmodSync(path, 0o755);
  return path;
}

/** A Jupyter that tells its version, and else notes how it was started, tells an address, and waits for its end. */
function jupyter(name: string, version: string, path = '/', folder = bin): string {
  return program(
    name,
    `if (process.argv.includes('--version')) console.log('${version}');
     else {
       const { JUPYTER_PATH, JUPYTER_CONFIG_PATH, JUPYTER_TOKEN, PATH } = process.env;
       require('fs').writeFileSync(${JSON.stringify(join(root, 'started.json'))}, JSON.stringify({ args: process.argv.slice(2), JUPYTER_PATH, JUPYTER_CONFIG_PATH, JUPYTER_TOKEN, PATH }));
       console.error('[I] Jupyter is running at:');
       console.error('[I] http://localhost:8899${path}?token=...');
       process.on('SIGTERM', () => process.exit(0));
       setInterval(() => {}, 1000);
     }`,
    folder,
  );
}

const noPage = () => Promise.reject(new Error('no network'));

const started = () =>
  JSON.parse(readFileSync(join(root, 'started.json'), 'utf8')) as { args: string[] } & Record<string, string>;
const options = (...args: string[]): StartOptions => startOptions(args, { root, env }) as StartOptions;

describe('options', () => {
  test('all of them', () => {
    expect(options('03', '--no-browser', '--port', '9000', '--jupyter', 'venv/bin', '--page', '--desk')).toMatchObject({
      chapter: '03',
      browser: false,
      port: 9000,
      jupyter: 'venv/bin',
      page: true,
      desk: true,
    });
    expect(startOptions(['--help'], { root, env })).toBe('help');
  });

  test.each([
    [['--port', '0'], '--port must be an integer from 1 to 65535, got "0"'],
    [['--port', '99999'], '--port must be'],
    [['--port', 'x'], '--port must be'],
    [['--bogus'], "Unknown option '--bogus'"],
    [['01', '02'], 'one chapter at a time, got 01, 02'],
  ])('%j', (args, message) => expect(() => options(...args)).toThrow(message));
});

describe('finding Jupyter', () => {
  test('JupyterLab before Notebook', async () => {
    jupyter('jupyter-notebook', '6.4.12');
    jupyter('jupyter-lab', '4.6.4');
    const { found, broken } = await findJupyter(env);
    expect(found.map(({ kind, version }) => [kind, version])).toEqual([
      ['lab', '4.6.4'],
      ['notebook', '6.4.12'],
    ]);
    expect(broken).toEqual([]);
  });

  test('the general program, where there is no other', async () => {
    program('jupyter', `if (process.argv[2] === 'notebook') console.log('7.6.3'); else process.exit(1)`);
    const { found } = await findJupyter(env);
    expect(found).toMatchObject([{ kind: 'notebook', version: '7.6.3', command: [join(bin, 'jupyter'), 'notebook'] }]);
  });

  test('broken ones are named with their reason, and the next is taken', async () => {
    program('jupyter-lab', `console.error("ModuleNotFoundError: No module named 'jupyterlab'"); process.exit(1)`);
    jupyter('jupyter-notebook', '6.4.12');
    const { found, broken } = await findJupyter(env);
    expect(found).toHaveLength(1);
    expect(broken).toEqual([
      expect.stringContaining("does not work: ModuleNotFoundError: No module named 'jupyterlab'"),
    ]);
  });

  test.each([
    ['a Notebook of old', '5.7.8', 'is version 5.7.8; 6 or newer is needed'],
    ['one that says nothing', '', 'does not tell its version'],
  ])('%s', async (_, version, reason) => {
    program('jupyter-notebook', `console.log('${version}')`);
    expect((await findJupyter(env)).broken).toEqual([expect.stringContaining(reason)]);
  });

  test('none, and a PATH that is not there', async () => {
    expect(await findJupyter(env)).toEqual({ found: [], broken: [] });
    expect(await findJupyter({})).toEqual({ found: [], broken: [] });
  });

  test('a file that nobody may run is no Jupyter', async () => {
    chmodSync(jupyter('jupyter-lab', '4.6.4'), 0o644);
    expect((await findJupyter(env)).found).toEqual([]);
  });

  test('one that the user names: a program or its folder', async () => {
    const venv = join(root, 'venv');
    const lab = jupyter('jupyter-lab', '4.0.0', '/lab', venv);
    expect(await jupyterAt(venv, env)).toMatchObject({ kind: 'lab', command: [lab] });
    expect(await jupyterAt(lab, env)).toMatchObject({ kind: 'lab', command: [lab] });
    const general = program('jupyter', `process.argv[2] === 'lab' ? console.log('4.0.0') : process.exit(1)`, venv);
    expect(await jupyterAt(general, env)).toMatchObject({ kind: 'lab', command: [general, 'lab'] });
    await expect(jupyterAt(join(root, 'nowhere'), env)).rejects.toThrow('there is no Jupyter at');
    await expect(jupyterAt(program('jupyter-lab', 'process.exit(3)', venv), env)).rejects.toThrow('does not work');
  });
});

describe('the server', () => {
  async function run(path: string, kind: 'lab' | 'notebook', more = {}) {
    const command = [jupyter(`jupyter-${kind}`, '4.0.0', path)] as const;
    const server = await startServer({ root, env, jupyter: { kind, version: '4.0.0', command }, ...more });
    server.stop();
    await server.ended;
    return server.address;
  }

  test.each([
    ['/lab', 'lab', '/lab/tree/01-tiny.ipynb'],
    ['/user/x/lab', 'lab', '/user/x/lab/tree/01-tiny.ipynb'],
    ['/', 'notebook', '/notebooks/01-tiny.ipynb'],
    ['/tree', 'notebook', '/notebooks/01-tiny.ipynb'],
    ['/user/x/tree', 'notebook', '/user/x/notebooks/01-tiny.ipynb'],
  ] as const)('that says %s as %s opens %s', async (path, kind, expected) => {
    const address = new URL(await run(path, kind, { notebook: '01-tiny.ipynb' }));
    expect([address.host, address.pathname]).toEqual(['localhost:8899', expected]);
    expect(address.searchParams.get('token')).toBe(started()['JUPYTER_TOKEN']);
  });

  test('is told where our kernel is, runs it on this Node, and is not told the token on its command line', async () => {
    env['JUPYTER_PATH'] = '/theirs';
    await run('/lab', 'lab');
    const { args, JUPYTER_PATH, JUPYTER_CONFIG_PATH, JUPYTER_TOKEN, PATH } = started();
    expect(JUPYTER_PATH).toBe([join(root, 'jupyter', 'share'), '/theirs'].join(delimiter));
    expect(JUPYTER_CONFIG_PATH).toBe(join(root, 'jupyter', 'share', 'config'));
    expect(PATH!.split(delimiter)[0]).toBe(dirname(process.execPath));
    expect(args).toContain(`--notebook-dir=${join(root, 'notebooks')}`);
    expect(args).toContain('--no-browser');
    expect(args.includes('--allow-root')).toBe(process.getuid?.() === 0);
    expect(JUPYTER_TOKEN).toMatch(/^[0-9a-f]{48}$/);
    expect(args.join(' ')).not.toContain(JUPYTER_TOKEN);
  });

  test('takes the port that the user wants and no other, and a token that is set already', async () => {
    env['JUPYTER_TOKEN'] = 'mine';
    expect(await run('/lab', 'lab', { port: 9123 })).toContain('token=mine');
    expect(started().args).toEqual(expect.arrayContaining(['--port=9123', '--port-retries=0']));
  });

  test('plotly is put where both kinds of server serve files', async () => {
    await run('/lab', 'lab');
    for (const folder of ['nbextensions', 'labextensions'])
      expect(statSync(join(root, 'jupyter/share', folder, 'dgm/plotly.min.js')).size).toBeGreaterThan(1e6);
  });

  test('that ends at once: its last words', async () => {
    const command = [program('jupyter-lab', `console.error('port 9123 is not available'); process.exit(1)`)] as const;
    await expect(startServer({ root, env, jupyter: { kind: 'lab', version: '4.0.0', command } })).rejects.toThrow(
      /exit code 1[^]*port 9123 is not available/,
    );
  });

  test('the page that leads the browser there is for its owner only, and nothing in the address can leave its place', async () => {
    const file = join(root, 'open.html');
    await writeRedirect(file, 'http://localhost/?a=1&token="><script>');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).not.toContain('"><script>');
  });
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

describe('files', () => {
  test('chapters by number, short number or name', async () => {
    for (const name of ['10-flows', '03-mixtures']) chapter('solutions', name, '');
    writeFileSync(join(root, 'solutions', 'notes.ipynb'), '');
    const folder = join(root, 'solutions');
    const chapters = await chaptersIn(folder);
    expect(chapters.map(({ name }) => name)).toEqual(['03-mixtures', '10-flows']);
    expect(chosen(chapters, ['3', '10', 'flows', '03-mixtures'], folder).map(({ name }) => name)).toEqual([
      '03-mixtures',
      '10-flows',
      '10-flows',
      '03-mixtures',
    ]);
    expect(chosen(chapters, [], folder)).toEqual(chapters);
    expect(() => chosen(chapters, ['1'], folder)).toThrow('no chapter "1"');
    expect(await chaptersIn(join(root, 'nowhere'))).toEqual([]);
  });

  test('the workbook is found from any folder in it', () => {
    mkdirSync(join(root, 'app', 'dist', 'start'), { recursive: true });
    expect(workbookRoot(join(root, 'app', 'dist', 'start'))).toBe(root);
    expect(() => workbookRoot(tmpdir())).toThrow('no folder above');
  });

  test('a file is written whole or not at all', async () => {
    const file = join(root, 'new', 'a.txt');
    await writeWhole(file, 'one');
    await writeWhole(file, 'two');
    expect(readFileSync(file, 'utf8')).toBe('two');
    mkdirSync(join(root, 'folder'));
    await expect(writeWhole(join(root, 'folder'), 'x')).rejects.toThrow();
    expect(readdirSync(root).filter((name) => name.endsWith('.tmp'))).toEqual([]);
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
      const { start, startOptions } = require(${JSON.stringify(join(import.meta.dirname, '../../../app/dist/start/start.js'))});
      const options = startOptions(process.argv.slice(1), { root: ${JSON.stringify(root)}, env: process.env });
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
    await expect(fetch(address!)).rejects.toThrow();
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
        `require(${JSON.stringify(join(import.meta.dirname, '../../../app/dist/start/start.js'))}).start(
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
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });
});

const REAL = spawnSync('jupyter-notebook', ['--version'], { encoding: 'utf8' }).status === 0;

test.skipIf(!REAL)('a real Jupyter serves our kernel and plotly, and ends with us', async () => {
  const program = join(import.meta.dirname, '../../../app/dist/start/start.js');
  const child = spawn(
    process.execPath,
    [program, '--no-browser', '--jupyter', join(whereIs('jupyter-notebook'), 'jupyter-notebook')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
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
    const kernels = (await (await get('/api/kernelspecs')).json()) as { kernelspecs: Record<string, unknown> };
    expect(Object.keys(kernels.kernelspecs)).toContain('dgm');
    const pages = [address.pathname, '/nbextensions/dgm/plotly.min.js', '/lab/extensions/dgm/plotly.min.js'];
    const statuses = await Promise.all(pages.map(async (path) => (await get(path)).status));
    expect(statuses[0]).toBe(200);
    expect(statuses.slice(1)).toContain(200); // the one or the other, by its kind
  } finally {
    child.kill('SIGINT');
  }
  expect(await ended).toBe(0);
});

function whereIs(name: string): string {
  return (process.env['PATH'] ?? '').split(delimiter).find((folder) => existsSync(join(folder, name)))!;
}
