/** `npm start`: the workbook in the Jupyter that this machine has, or else in the front end of its own. */
import { existsSync, statSync } from 'node:fs';
import { rm, utimes } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { workbookRoot, writeAtomically } from 'dgm/host';
import { chaptersIn, chosen, readNotebook, type Chapter } from '../chapters/files';
import { failureText, runChapter } from '../chapters/run';
import { flag, integer, runCommand, text, type CommandLine } from '../command-line/command';
import { bundle } from '../desk/bundle';
import { startDesk } from '../desk/server';
import { openInBrowser } from './browser';
import { findJupyter, jupyterAt, type Jupyter } from './find-jupyter';
import { startServer, writeRedirect, type JupyterServer } from './jupyter-server';

export const COMMAND = {
  help: `npm start -- [CHAPTER] [options]

Opens the workbook in the browser, at the chapter (a number or a name), else at the beginning: in Jupyter, or where
there is none, in the workbook's own front end, the desk.

  --desk           the desk, even where there is a Jupyter
  --jupyter PATH   this Jupyter: a program such as venv/bin/jupyter-lab, or the folder it is in
  --no-browser     prints the address only
  --port N         the port of the server, which else takes the first free one from 8888 on
  --page           no server: runs the solved chapter and opens it as one page to read
`,
  options: { desk: flag, jupyter: text, 'no-browser': flag, port: integer(1, 65535), page: flag },
  positionals: { name: 'chapter', most: 1 },
};

export interface StartOptions {
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly chapter?: string;
  readonly browser: boolean;
  readonly page: boolean;
  readonly desk: boolean;
  readonly port?: number;
  readonly jupyter?: string;
}

type Line = CommandLine<typeof COMMAND.options>;

export function startOptions(
  { options: { 'no-browser': hidden = false, page = false, desk = false, ...options }, positionals: [chapter] }: Line,
  setting: Pick<StartOptions, 'root' | 'env'>,
): StartOptions {
  return { ...setting, browser: !hidden, page, desk, ...(chapter !== undefined && { chapter }), ...options };
}

/** A server that shows the workbook: a Jupyter or the desk. */
type Shown = Pick<JupyterServer, 'address' | 'ended' | 'stop'>;

/**
 * Opens the workbook and stays until its server ends; false when there is none, or when a cell of the page failed.
 * @param makeBundle of the desk's page
 */
export async function start(options: StartOptions, makeBundle = bundle): Promise<boolean> {
  if (options.page) return readOnly(options);
  if (!options.desk) {
    const { found, asked } = await jupyters(options);
    for (const jupyter of found) {
      const server = await tryServer(jupyter, options);
      if (server) return serve(server, options);
    }
    if (asked) return false; // who asks for this one is not helped by another
    console.error('No Jupyter that works was found; the workbook opens in its own front end.');
  }
  const desk = await tryDesk(options, makeBundle);
  if (desk) return serve(desk, options);
  if (options.desk || options.port !== undefined) return false; // who asks for a server is not helped by a page
  console.error('So this is the read-only view: the solved chapter as a page.');
  return readOnly(options);
}

async function jupyters({ jupyter, env }: StartOptions): Promise<{ found: readonly Jupyter[]; asked: boolean }> {
  if (jupyter !== undefined) return { found: [await jupyterAt(jupyter, env)], asked: true };
  const { found, broken } = await findJupyter(env);
  for (const reason of broken) console.error(`Skipped: ${reason}`);
  return { found, asked: false };
}

// In Jupyter

async function tryServer(jupyter: Jupyter, options: StartOptions): Promise<JupyterServer | undefined> {
  const { root, env, chapter, port } = options;
  const name = `${jupyter.kind === 'lab' ? 'JupyterLab' : 'Jupyter Notebook'} ${jupyter.version} (${jupyter.command.join(' ')})`;
  console.error(`Starting ${name}`);
  const folder = join(root, 'notebooks');
  const [first] = chosen(await chaptersIn(folder), chapter === undefined ? [] : [chapter], folder);
  try {
    const at = port === undefined ? {} : { port };
    return await startServer({ root, env, jupyter, notebook: `${first!.name}.ipynb`, ...at });
  } catch (error) {
    console.error(`${name} did not start: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function serve(server: Shown, { root, env, browser }: StartOptions): Promise<boolean> {
  const redirect = join(root, 'app', 'dist', 'opened', `open-${process.pid}.html`);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, server.stop); // before anybody knows that there is something to end
  const watch = whenOrphaned(env, server.stop);
  console.log(`Workbook: ${server.address}`);
  try {
    if (browser) await openServer(server.address, redirect, env);
    console.error('Ctrl-C ends it; save your notebooks first.');
    await server.ended;
  } finally {
    for (const signal of signals) process.off(signal, server.stop);
    clearInterval(watch);
    await rm(redirect, { force: true });
  }
  return true;
}

const PARENT_POLL_MS = 1000;

/** When npm was killed it could not tell us, and nobody is left to press Ctrl-C. */
function whenOrphaned(env: StartOptions['env'], then: () => void): NodeJS.Timeout | undefined {
  if (env['npm_lifecycle_event'] === undefined) return undefined;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    then();
  }, PARENT_POLL_MS);
  return watch;
}

async function openServer(address: string, redirect: string, env: StartOptions['env']): Promise<void> {
  await writeRedirect(redirect, address);
  if (!(await openInBrowser(pathToFileURL(redirect).href, env)))
    console.error('No browser could be started: open the address above.');
}

// In the desk

/** @throws when the port is taken, or the chapter is not there */
async function tryDesk(options: StartOptions, makeBundle: typeof bundle): Promise<Shown | undefined> {
  const { root, env, chapter, port } = options;
  const folder = join(root, 'notebooks');
  const [first] = chapter === undefined ? [] : chosen(await chaptersIn(folder), [chapter], folder);
  const files = await makeBundle({ root, onStep: (line) => console.error(line) }).catch((error: Error) => {
    console.error(
      `The front end cannot be made: ${error.message}\n` +
        'It needs the network once, for its packages: connect and start again, behind a proxy after npm config set proxy.\n' +
        'Or install Jupyter (pip install jupyterlab, or apt install jupyter-notebook), and the workbook opens in that.',
    );
  });
  if (files === undefined) return undefined;
  const desk = await startDesk({ root, bundle: files, env, ...(port !== undefined && { port }) });
  return { address: desk.address(first && `${first.name}.ipynb`), ended: desk.ended, stop: () => void desk.stop() };
}

// As a page

/** The solved chapters; what students get has only the others. */
function pagesFrom(root: string): string {
  const [solved, released] = [join(root, 'solutions'), join(root, 'notebooks')];
  return existsSync(solved) ? solved : released;
}

async function readOnly({ root, env, chapter, browser }: StartOptions): Promise<boolean> {
  const folder = pagesFrom(root);
  const [first] = chosen(await chaptersIn(folder), chapter === undefined ? [] : [chapter], folder);
  const page = join(root, 'app', 'dist', 'opened', `${first!.name}.html`);
  const ok =
    upToDate(page, [first!.path, join(root, 'lib', 'dist', '.built')]) || (await writePage(first!, page, root));
  console.log(`Page: ${browser ? relative('', page) : page}`);
  if (browser && !(await openInBrowser(pathToFileURL(page).href, env)))
    console.error(`No browser could be started: open ${page}`);
  return ok;
}

/** A chapter takes minutes to run: it is run again only when it or the library has changed. */
function upToDate(page: string, sources: readonly string[]): boolean {
  const time = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return existsSync(page) && sources.every((source) => time(source) <= time(page));
}

async function writePage(chapter: Chapter, page: string, root: string): Promise<boolean> {
  const [{ renderFigures }, { notebookPage }] = await Promise.all([
    import('../pictures/picture.js'),
    import('../pages/page.js'),
  ]);
  const notebook = await readNotebook(chapter.path);
  const result = await runChapter(notebook, { name: chapter.name, cwd: pagesFrom(root) });
  for (const failure of result.failures) console.error(failureText(chapter.name, notebook, failure));
  await writeAtomically(
    page,
    await notebookPage(await renderFigures(result.notebook, { largestJson: Infinity }), {
      folder: pagesFrom(root),
    }),
  );
  if (!result.ok) await utimes(page, 0, 0); // out of date from the start: the next call runs it again
  return result.ok;
}

runCommand(module, COMMAND, (line) => start(startOptions(line, { root: workbookRoot, env: process.env })));
