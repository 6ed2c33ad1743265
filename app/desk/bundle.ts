/**
 * The desk's page, made on this machine: its packages are those of JupyterLab, 420 MB that only a workbook without
 * Jupyter needs. So they have a lock file of their own (`page/package-lock.json`), are installed on the first start
 * into the user's cache folder, and are bundled there into few files. What is made is kept under a hash of what it
 * was made from, and appears under its name only when it is whole: an interrupted start leaves nothing that a later
 * one takes for done, and of two starts at once the second to finish uses what the first has made.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheFolder, isRunning } from 'dgm/host';

export interface BundleOptions {
  /** Of the workbook. */
  readonly root: string;
  /** One line for each thing that takes long. */
  readonly onStep?: (line: string) => void;
  /** Where both are kept. Default: the folder `desk` of the user's cache folder. */
  readonly cache?: string;
}

const PAGE = 'app/desk/page';
/** What the page imports from beside its own folder. */
const SHARED = ['lib/figures/plotly-names.ts', 'lib/figures/step-keys.ts'];

/**
 * The folder with the page's `app.js`, `app.css` and fonts; makes it unless it is there.
 * @throws when the packages cannot be installed, or the page does not bundle: reason and remedy
 */
export async function bundle(options: BundleOptions): Promise<string> {
  const cache = options.cache ?? join(cacheFolder(), 'desk');
  const page = join(options.root, ...PAGE.split('/'));
  const names = (await readdir(page)).filter((name) => /\.(ts|css)$/.test(name)).sort();
  const sources = [...names.map((name) => join(page, name)), ...SHARED.map((path) => join(options.root, path))];
  const key = await hashOf([...sources, join(page, 'package-lock.json'), __filename]);
  return made(join(cache, `page-${key}`), async (folder) => {
    const packages = await pagePackages(options);
    options.onStep?.('Bundling the page');
    await build(page, packages, folder);
  });
}

/** The folder whose `node_modules` are the page's packages; installs them unless they are there. */
export async function pagePackages({ root, onStep, cache }: BundleOptions): Promise<string> {
  const page = join(root, ...PAGE.split('/'));
  const key = await hashOf([join(page, 'package-lock.json')]);
  return made(join(cache ?? join(cacheFolder(), 'desk'), `packages-${key}`), async (folder) => {
    onStep?.("Installing the page's packages (npm ci, once): about a minute and 420 MB");
    for (const name of ['package.json', 'package-lock.json']) await copyFile(join(page, name), join(folder, name));
    await npmCi(root, folder);
  });
}

// What is made is kept

async function hashOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(basename(file))
      .update('\0')
      .update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}

/** The folder, whole: as it is, or as `make` fills it. */
async function made(folder: string, make: (draft: string) => Promise<void>): Promise<string> {
  if (await exists(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  await removeAbandoned(dirname(folder));
  const draft = await mkdtemp(join(dirname(folder), `${DRAFT}${process.pid}-`));
  try {
    await make(draft);
    await rename(draft, folder).catch(async (error: Error) => {
      if (!(await exists(folder))) throw error; // else another start was quicker
    });
    return folder;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

const DRAFT = 'draft-';

/** Drafts of starts that were interrupted. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = new RegExp(`^${DRAFT}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(cache, name), { recursive: true, force: true });
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

// Packages

interface NpmModule {
  npmCommand(): { readonly command: string; readonly before: readonly string[]; readonly shell: boolean };
}

async function npmCi(root: string, folder: string): Promise<void> {
  const { npmCommand } = (await import(pathToFileURL(join(root, 'app', 'setup', 'npm.mjs')).href)) as NpmModule;
  const { command, before, shell } = npmCommand();
  const args = [...before, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  const { code, output } = await run(command, args, { cwd: folder, shell });
  if (code === 0) return;
  throw new Error(`the page's packages cannot be installed (npm ci: ${code}): ${lastLines(output)}`);
}

function run(command: string, args: readonly string[], options: { cwd: string; shell: boolean }) {
  return new Promise<{ code: number | string; output: string }>((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    child.on('error', (error) => resolve({ code: error.message, output }));
    child.on('close', (code, signal) => resolve({ code: code ?? `ended by ${signal}`, output }));
  });
}

/** What npm says of a log file helps nobody here. */
function lastLines(output: string): string {
  const lines = output
    .split('\n')
    .filter((line) => line.trim() !== '' && !/complete log of this run|\.log$/.test(line));
  return lines.slice(0, 6).join('\n').trim();
}

// The bundle

/** The part of esbuild that is used here; it is one of the page's packages, not one of ours. */
interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles?: readonly { readonly text: string }[] }>;
}
interface PluginBuild {
  onResolve(options: { filter: RegExp }, callback: (args: ResolveArgs) => unknown): void;
  onLoad(options: { filter: RegExp; namespace?: string }, callback: (args: { path: string }) => unknown): void;
  resolve(path: string, options: object): Promise<{ readonly path: string; readonly errors: readonly unknown[] }>;
}
interface ResolveArgs {
  readonly path: string;
  readonly kind: string;
  readonly importer: string;
  readonly resolveDir: string;
  readonly pluginData?: unknown;
}

async function build(page: string, packages: string, folder: string): Promise<void> {
  const modules = join(packages, 'node_modules');
  const esbuild = createRequire(join(packages, 'package.json'))('esbuild') as Esbuild;
  const settings = {
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
    nodePaths: [modules],
    tsconfigRaw: { compilerOptions: { target: 'ES2022', useDefineForClassFields: true } },
    loader: {
      '.woff': 'file',
      '.woff2': 'file',
      '.ttf': 'file',
      '.eot': 'empty',
      '.png': 'dataurl',
      '.gif': 'dataurl',
    },
    assetNames: 'fonts/[name]',
    // Packages made for Node look for these
    define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'globalThis', __dirname: '"/"' },
    banner: { js: 'globalThis.process ??= { cwd: () => "/" };' }, // relative paths of pictures are resolved with it
  };
  const pictures = { name: 'pictures', setup: setUpPictures };
  const tildes = { name: 'tildes', setup: setUpTildes };
  const themeText = async (path: string) => {
    const { outputFiles } = await esbuild.build({
      ...settings,
      plugins: [pictures, tildes],
      entryPoints: [path],
      write: false,
      outdir: folder,
    });
    return outputFiles!.find(({ text }) => text !== '')!.text;
  };
  await esbuild.build({
    ...settings,
    plugins: [themes(themeText), pictures, tildes],
    alias: {
      // One copy for its CommonJS and its ES callers, or else shared documents do not recognise each other's parts
      yjs: join(modules, 'yjs', 'dist', 'yjs.mjs'),
      'lib0/logging': join(page, 'quiet-logging.ts'),
      '@jupyter/react-components': join(page, 'plain-components.ts'),
      '@jupyter/web-components': join(page, 'plain-components.ts'),
    },
    entryPoints: { app: join(page, 'main.ts') },
    outdir: folder,
  });
}

/** Scripts take SVG as text, style sheets as an address. */
function setUpPictures(build: PluginBuild): void {
  build.onResolve({ filter: /\.svg$/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
    if (kind !== 'url-token' || pluginData === 'resolved') return undefined;
    const found = await build.resolve(path, { kind, resolveDir, importer, pluginData: 'resolved' });
    return { path: found.path, errors: found.errors, namespace: 'picture' };
  });
  build.onLoad({ filter: /./, namespace: 'picture' }, async ({ path }) => ({
    contents: await readFile(path),
    loader: 'dataurl',
  }));
  build.onLoad({ filter: /\.svg$/ }, async ({ path }) => ({ contents: await readFile(path), loader: 'text' }));
}

/** JupyterLab's style sheets write packages as webpack wants them, `~package/file`. */
function setUpTildes(build: PluginBuild): void {
  build.onResolve({ filter: /^~/ }, ({ path, kind, resolveDir, importer }) =>
    build.resolve(path.slice(1), { kind, resolveDir, importer }),
  );
}

/** Of the themes only one at a time is in force, so that they come as text and not into the page's style sheet. */
function themes(textOf: (path: string) => Promise<string>) {
  const setup = (build: PluginBuild): void => {
    build.onLoad({ filter: /theme-(light|dark)-extension[\\/]style[\\/]theme\.css$/ }, async ({ path }) => ({
      contents: await textOf(path),
      loader: 'text',
    }));
  };
  return { name: 'themes', setup };
}
