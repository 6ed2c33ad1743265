/**
 * What students get: the released notebooks and all that they need to run and to be checked, in a folder of its own.
 * Left out are the chapters' sources, the hidden checks with the known mistakes, and what only serves to make the
 * workbook (tests, benchmarks, compiler settings). The build comes along, so that nothing is compiled at a student's.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseNotebook, serialiseNotebook } from 'dgm-jupyter';
import type { BuiltChapter } from './build-chapter';
import { withHidden, type Chapter } from '../chapters/registry';
import { leaksIn, needlesOf, notebookLeaks, type Needle } from './leaks';
import { buildFromFile, solutionCells } from './notebooks';
import { toBase64, type Opening, type Release } from '../base/release-manifest';
import { root, type Course } from '../base/paths';

export interface ReleaseOptions {
  /** The chapters to release. */
  readonly chapters: readonly Chapter[];
  readonly course: Course;
  readonly out: string;
  readonly solutions: Opening;
}

/** Files and folders that go as they are, but for what `isLeftOut` says. */
const ROOMS = [
  '.npmrc',
  'LICENSE',
  'package.json',
  'package-lock.json',
  'datasets',
  'lib',
  'jupyter',
  'grader/package.json',
  'grader/bin',
  'grader/dist',
  'app',
] as const;

const LEFT_OUT: readonly RegExp[] = [
  /(^|\/)(node_modules|bench|docs|opened|nbextensions|labextensions|\.ipynb_checkpoints)(\/|$)/,
  /(^|\/)(tsconfig\.json|\.built|[^/]*\.tsbuildinfo)$/,
  /^grader\/dist\/chapters\/hidden(\/|$)/,
  // for whoever changes the code, with links to what is not there
  /^(lib|jupyter|app)\/.*README\.md$/,
  // they name sources that are not there
  /^grader\/dist\/.*\.map$/,
];

/** The scripts of package.json that work in a release. */
const SCRIPTS = ['prestart', 'start', 'prekernel', 'kernel', 'predoctor', 'doctor'];

/**
 * Writes the release, and reads it again to see that it shows no solution and no hidden check.
 * @returns how many files it has, and what is wrong with it: then it must not be handed out
 * @throws an Error when the folder is not empty, or nothing is built
 */
export async function release(options: ReleaseOptions): Promise<{ files: number; breaches: string[] }> {
  await refuseUsed(options.out);
  const built = await buildAll(options);
  const files = [...(await copies()), ...texts(options, built)];
  for (const file of files) await write(join(options.out, file.path), file);
  return { files: files.length, breaches: await proveRelease(options) };
}

interface Entry {
  readonly path: string;
  /** What it is copied from, if that has another path; relative to the project. */
  readonly from?: string;
  /** What is in it, if it is no copy. */
  readonly text?: string;
}

async function refuseUsed(out: string): Promise<void> {
  const found = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (found.length > 0) throw new Error(`${out} is not empty; name a new folder, so that nothing old is handed out`);
}

async function buildAll({
  chapters,
  course,
}: Pick<ReleaseOptions, 'chapters' | 'course'>): Promise<Map<string, BuiltChapter>> {
  const built = chapters.map(async ({ name }) => [name, await buildFromFile(name, course, chapters)] as const);
  return new Map(await Promise.all(built));
}

async function copies(): Promise<Entry[]> {
  if (!existsSync(join(root, 'lib', 'dist', 'index.js')))
    throw new Error('the library is not built; build it with: npm run build');
  const found = await Promise.all(ROOMS.map((room) => filesBelow(root, room, isLeftOut)));
  return found
    .flat()
    .filter(hasSource)
    .map((path) => ({ path }));
}

function isLeftOut(path: string): boolean {
  return LEFT_OUT.some((pattern) => pattern.test(path));
}

/** What the build made of a source that is gone must not go out. */
function hasSource(path: string): boolean {
  const [, room, name] = /^(lib|jupyter|grader|app)\/dist\/(.*?)(?:\.d\.ts|\.js|\.js\.map)$/.exec(path) ?? [];
  return room === undefined || existsSync(join(root, room, `${name}.ts`));
}

/** Paths relative to `base`, of a file or of all files of a folder. */
async function filesBelow(base: string, path: string, isLeftOut?: (path: string) => boolean): Promise<string[]> {
  if (isLeftOut?.(path)) return [];
  const entries = await readdir(join(base, path), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (entries === undefined) return [path];
  const below = await Promise.all(
    entries.map(({ name }) => filesBelow(base, path === '' ? name : `${path}/${name}`, isLeftOut)),
  );
  return below.flat();
}

function texts({ solutions, chapters }: ReleaseOptions, built: ReadonlyMap<string, BuiltChapter>): Entry[] {
  const notebooks = [...built].map(([name, { released }]) => ({
    path: `notebooks/${name}.ipynb`,
    text: serialiseNotebook(released),
  }));
  const about: Release = {
    version: 2,
    chapters: chapters.map(({ name }) => name),
    solutions,
    base64: solutions === 'never' ? {} : Object.assign({}, ...[...built.values()].map(encodedSolutions)),
  };
  const readme = { path: 'README.md', from: 'grader/authoring/bundle/README.md' };
  return [...notebooks, readme, { path: 'grader/release.json', text: json(about) }];
}

function encodedSolutions(built: BuiltChapter): Record<string, string> {
  return Object.fromEntries([...solutionCells(built)].map(([id, source]) => [id, toBase64(source)]));
}

async function write(file: string, { path, from = path, text }: Entry): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  if (text !== undefined) return writeFile(file, text);
  const reduce = REDUCED[path];
  if (reduce === undefined) return copyFile(join(root, from), file);
  await writeFile(file, reduce(await readFile(join(root, path), 'utf8')));
}

type Fields = Record<string, unknown>;

/** Files that are in a release with less in them. */
const REDUCED: Readonly<Record<string, (text: string) => string>> = {
  'package.json': (text) => {
    const project = JSON.parse(text) as Fields & { scripts: Fields };
    const scripts = only(project.scripts, (name) => SCRIPTS.includes(name));
    return json({ ...withoutDevelopment(project), scripts });
  },
  'package-lock.json': (text) => {
    const lockFile = JSON.parse(text) as Fields & { packages: Record<string, Fields> };
    const needed = only(lockFile.packages, (path) => lockFile.packages[path]!['dev'] !== true);
    return json({ ...lockFile, packages: { ...needed, '': withoutDevelopment(needed['']!) } });
  },
};

function withoutDevelopment(project: Fields): Fields {
  return only(project, (key) => key !== 'devDependencies');
}

function only<T>(fields: Readonly<Record<string, T>>, wanted: (key: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => wanted(key)));
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

// The proof

/** What is wrong with a release on disk: lines of solutions and names of hidden checks, in any of its files. */
export async function proveRelease(options: Omit<ReleaseOptions, 'solutions'>): Promise<string[]> {
  const built = await buildAll(options);
  const needles = [...built.values()].flatMap(({ solutions }) => needlesOf(solutions));
  const secrets = (await Promise.all(options.chapters.map(hiddenNames))).flat();
  const files = await filesBelow(options.out, '');
  const breaches = await Promise.all(files.map((path) => breachesIn(options.out, path, { built, needles, secrets })));
  return [...missing(files), ...(await damagedData(options.out, files)), ...breaches.flat()];
}

/** Data that are not those of the manifest: Git on Windows may have changed their line ends. */
async function damagedData(out: string, files: readonly string[]): Promise<string[]> {
  const manifest = 'datasets/manifest.json';
  if (!files.includes(manifest)) return [];
  const entries = JSON.parse(await readFile(join(out, manifest), 'utf8')) as Record<
    string,
    { file: string; sha256: string }
  >;
  const judged = Object.values(entries).map(async ({ file, sha256 }) => {
    const bytes = await readFile(join(out, 'datasets', file)).catch(() => undefined);
    if (bytes === undefined) return [`datasets/${file} is missing`];
    const got = createHash('sha256').update(bytes).digest('hex');
    return got === sha256 ? [] : [`datasets/${file} is damaged: expected sha256 ${sha256}, got ${got}`];
  });
  return (await Promise.all(judged)).flat();
}

/** A proof over no files would prove nothing. */
function missing(files: readonly string[]): string[] {
  const wanted = ['package.json', 'README.md', 'lib/dist/index.js', 'grader/dist/index.js', 'datasets/manifest.json'];
  return wanted.filter((path) => !files.includes(path)).map((path) => `${path} is missing`);
}

/** What names a hidden check: nobody else says the same sentence. */
async function hiddenNames(chapter: Chapter): Promise<string[]> {
  const exercises = await withHidden(chapter).exercises();
  return exercises.flatMap(({ checks }) => checks.filter(({ hidden }) => hidden).map(({ name }) => name));
}

interface Secrets {
  readonly built: ReadonlyMap<string, BuiltChapter>;
  readonly needles: readonly Needle[];
  readonly secrets: readonly string[];
}

async function breachesIn(out: string, path: string, { built, needles, secrets }: Secrets): Promise<string[]> {
  const text = readable(path, await readFile(join(out, path), 'utf8'));
  const named = secrets.filter((name) => text.includes(name)).map((name) => `${path} names the hidden check '${name}'`);
  const chapter = built.get(/^notebooks\/(.*)\.ipynb$/.exec(path)?.[1] ?? '');
  if (chapter === undefined) return [...named, ...leaksIn(text, needles).map((leak) => `${path} shows ${leak}`)];
  // a notebook shows the code that is given, which may share lines with the solution
  const released = parseNotebook(await readFile(join(out, path), 'utf8'), path);
  return [...named, ...notebookLeaks({ ...chapter, released }).map((leak) => `${path}: ${leak}`)];
}

/** The texts within JSON, without its escapes. */
function readable(path: string, text: string): string {
  if (!/\.(json|map|ipynb)$/.test(path)) return text;
  const found: string[] = [];
  JSON.parse(text, (_, value: unknown) => {
    if (typeof value === 'string') found.push(value);
    return value;
  });
  return found.join('\n');
}
