/** A Jupyter server as a child process, with our kernel and our plotly, and nothing registered outside the project. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { Jupyter } from './find-jupyter';
import { escapeHtml, PLOTLY_FILE } from 'dgm/figures';

export interface ServerOptions {
  readonly root: string;
  readonly jupyter: Jupyter;
  /** The notebook to open, below `notebooks/`; default: the list of notebooks. */
  readonly notebook?: string;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface JupyterServer {
  /** Of the notebook, with the token. */
  readonly address: string;
  /** Resolves when the server has ended. */
  readonly ended: Promise<void>;
  /** Asks it to end its kernels and itself; a second call does not ask. */
  stop(): void;
}

/**
 * Starts the server and waits until it tells its address.
 * @throws when it ends first, with the end of what it said
 */
export async function startServer(options: ServerOptions): Promise<JupyterServer> {
  const { jupyter, root, env = process.env } = options;
  await servePlotly(root);
  const token = env['JUPYTER_TOKEN'] || randomBytes(24).toString('hex');
  const [program, ...first] = jupyter.command;
  // stdin is no terminal: at Ctrl-C Jupyter would otherwise ask whether one is sure
  const child = spawn(program, [...first, ...serverArguments(options)], {
    cwd: root,
    env: serverEnvironment(root, env, token),
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let asked = false;
  const stop = () => {
    child.kill(asked ? 'SIGKILL' : 'SIGTERM');
    asked = true;
  };
  try {
    const base = await serverAddress(child);
    return { address: notebookAddress(base, jupyter, token, options.notebook), ended, stop };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Notebook 6 and its successors share these names. */
function serverArguments({ root, port }: ServerOptions): string[] {
  return [
    '--no-browser', // we open the browser ourselves, at the chapter
    '--ip=127.0.0.1',
    `--notebook-dir=${join(root, 'notebooks')}`,
    ...(port === undefined ? [] : [`--port=${port}`, '--port-retries=0']),
    ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
  ];
}

function serverEnvironment(
  root: string,
  env: Readonly<Record<string, string | undefined>>,
  token: string,
): NodeJS.ProcessEnv {
  const prepend = (path: string, name: string) => [path, env[name]].filter(Boolean).join(delimiter);
  const share = join(root, 'jupyter', 'share');
  const pathName = Object.keys(env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  return {
    ...env,
    JUPYTER_PATH: prepend(share, 'JUPYTER_PATH'),
    JUPYTER_CONFIG_PATH: prepend(join(share, 'config'), 'JUPYTER_CONFIG_PATH'),
    JUPYTER_TOKEN: token, // not an argument: every user of a machine sees those
    PYTHONUNBUFFERED: '1', // the address, as soon as it is known
    [pathName]: prepend(dirname(process.execPath), pathName), // the kernel runs on the Node that runs us
  };
}

/** Copies plotly to where Notebook 6 and where JupyterLab serve files of extensions from. */
async function servePlotly(root: string): Promise<void> {
  const source = require.resolve('plotly.js-dist-min/plotly.min.js');
  for (const folder of ['nbextensions', 'labextensions']) {
    const target = join(root, 'jupyter', 'share', folder, PLOTLY_FILE);
    if (await sameSize(source, target)) continue;
    await mkdir(dirname(target), { recursive: true });
    await copyFile(source, target);
  }
}

async function sameSize(a: string, b: string): Promise<boolean> {
  const size = (path: string) =>
    stat(path).then(
      (found) => found.size,
      () => -1,
    );
  return (await size(a)) === (await size(b));
}

const REMEMBERED = 8000; // characters of the log

/** The address in the server's log. Its token is not shown there, because it came from the environment. */
function serverAddress(child: ChildProcess): Promise<URL> {
  return new Promise((resolve, reject) => {
    let log = '';
    const read = (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-REMEMBERED);
      const found = /https?:\/\/[\w.[\]:-]+:\d+\/\S*(?=\s)/.exec(log);
      if (found) resolve(new URL(found[0]));
    };
    child.stdout!.on('data', read);
    child.stderr!.on('data', read);
    child.once('error', reject);
    child.once('close', (code) =>
      reject(new Error(`it ended with exit code ${code}:\n${log.trim().split('\n').slice(-12).join('\n')}`)),
    );
  });
}

function notebookAddress(base: URL, jupyter: Jupyter, token: string, notebook: string | undefined): string {
  const prefix = base.pathname.replace(/(lab|tree)?\/?$/, '');
  const one = { lab: 'lab/tree/', notebook: 'notebooks/' }[jupyter.kind];
  const all = { lab: 'lab', notebook: 'tree' }[jupyter.kind];
  const path = notebook === undefined ? all : one + encodeURIComponent(notebook);
  return new URL(`${prefix}${path}?token=${token}`, base).href;
}

/**
 * A page, readable for its owner only, that leads to an address: what a browser is started with can be read by
 * every user of the machine, and the address holds the token.
 */
export async function writeRedirect(file: string, address: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const target = escapeHtml(address);
  await writeFile(
    file,
    `<!doctype html><meta http-equiv="refresh" content="0;url=${target}"><a href="${target}">Open the workbook</a>\n`,
    { mode: 0o600 },
  );
}
