/** The notebooks' folder as Jupyter's contents API shows it. Nothing outside of it, and nothing hidden, exists. */
import { constants, copyFile, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { writeAtomically } from 'dgm/host';
import { parseNotebook, serialiseNotebook, type Notebook } from 'dgm-jupyter';
import { type Checkpoints, createCheckpoints } from './checkpoints';
import { type ContentsModel, describe, filled, type GetOptions } from './file-model';
import { HttpError, type Json, textIn, unlessMissing } from './http';
import { fileAt, partsOf } from './paths';

/** Paths are relative to the folder. Everything throws an HttpError, or the file system's own. */
export interface Contents {
  get(path: string, options?: GetOptions): Promise<ContentsModel>;
  /** @returns whether it is new, and the notebook if it is one */
  save(path: string, body: Json): Promise<{ model: ContentsModel; isNew: boolean; notebook?: Notebook }>;
  /** A new file or folder in a folder, or a copy of `copy_from`, under a name that is free. */
  create(folder: string, body: Json): Promise<ContentsModel>;
  rename(path: string, body: Json): Promise<ContentsModel>;
  remove(path: string): Promise<void>;
  readonly checkpoints: Checkpoints;
}

/** @param kept where checkpoints are */
export function createContents(folder: string, kept: string): Contents {
  const fileOf = (path: string) => fileAt(folder, path);
  const checkpoints = createCheckpoints(folder, kept);

  async function get(path: string, options: GetOptions = {}): Promise<ContentsModel> {
    const file = await fileOf(path);
    const model = await describe(file, partsOf(path).join('/'));
    if (options.type !== undefined && (options.type === 'directory') !== (model.type === 'directory'))
      throw new HttpError(400, `${path} is a ${model.type}, not a ${options.type}`);
    if (model.type === 'directory') return options.content === false ? model : await listed(file, model);
    return filled(file, model, options);
  }

  async function listed(file: string, model: ContentsModel): Promise<ContentsModel> {
    const names = (await readdir(file)).filter(isShown).sort();
    const children = await Promise.all(
      names.map((name) => get(`${model.path}/${name}`, { content: false }).catch(unlessStrange)),
    );
    return { ...model, format: 'json', content: children.filter((child) => child !== undefined) };
  }

  async function save(path: string, body: Json): ReturnType<Contents['save']> {
    const file = await fileOf(path);
    if (partsOf(path).length === 0) throw new HttpError(400, 'a name is missing');
    const type = textIn(body, 'type');
    const before = await stat(file).catch(unlessMissing);
    if ((before?.isDirectory() ?? type === 'directory') !== (type === 'directory'))
      throw new HttpError(400, `${path} is ${before ? 'there already and ' : ''}not a ${type}`);
    await stat(dirname(file)); // writing would make the folder
    const notebook = type === 'notebook' ? notebookIn(body, path) : undefined;
    if (type === 'directory') await mkdir(file, { recursive: true });
    else await writeAtomically(file, notebook ? serialiseNotebook(notebook) : fileIn(body));
    const model = await get(path, { content: false, hash: true });
    return { model, isNew: before === undefined, ...(notebook && { notebook }) };
  }

  async function create(path: string, body: Json): Promise<ContentsModel> {
    const into = await fileOf(path);
    if (!(await stat(into)).isDirectory()) throw new HttpError(400, `${path} is not a folder`);
    const below = (name: string) => [...partsOf(path), name].join('/');
    if (body['copy_from'] !== undefined) {
      const from = await fileOf(textIn(body, 'copy_from'));
      const name = await freeName(into, stem(from), extname(from), '-Copy');
      await copyFile(from, join(into, name), constants.COPYFILE_EXCL);
      return get(below(name), { content: false });
    }
    const { type = 'file' } = body;
    const [first, extension] = UNTITLED[String(type)] ?? [];
    if (first === undefined) throw new HttpError(400, `type: expected a type, got ${JSON.stringify(type)}`);
    const wanted = type === 'file' && typeof body['ext'] === 'string' ? body['ext'] : extension!;
    const name = below(await freeName(into, first, wanted, ''));
    return (await save(name, { type, format: 'text', content: type === 'notebook' ? EMPTY_NOTEBOOK : '' })).model;
  }

  async function renameTo(path: string, body: Json): Promise<ContentsModel> {
    const target = textIn(body, 'path');
    const [from, to] = await Promise.all([fileOf(path), fileOf(target)]);
    if (from === (await fileOf(''))) throw new HttpError(400, "the notebooks' folder cannot be renamed");
    await stat(from);
    if (await stat(to).catch(unlessMissing)) throw new HttpError(409, `${target} is there already`);
    await stat(dirname(to));
    await rename(from, to);
    await checkpoints.renamed(path, target);
    return get(target, { content: false });
  }

  async function remove(path: string): Promise<void> {
    const file = await fileOf(path);
    if (file === (await fileOf(''))) throw new HttpError(400, "the notebooks' folder cannot be deleted");
    if ((await stat(file)).isDirectory()) return rmdir(file); // an empty one only
    await rm(file);
    await checkpoints.forget(path);
  }

  return inTurn({ get, save, create, rename: renameTo, remove, checkpoints });
}

/** What changes a file waits for what changed one before. */
function inTurn(contents: Contents): Contents {
  let tail: Promise<unknown> = Promise.resolve();
  const after = <T extends unknown[], R>(work: (...args: T) => Promise<R>) => {
    return (...args: T): Promise<R> => {
      const done = tail.then(() => work(...args));
      tail = done.catch(() => undefined);
      return done;
    };
  };
  const { get, save, create, rename, remove, checkpoints } = contents;
  return {
    get,
    save: after(save),
    create: after(create),
    rename: after(rename),
    remove: after(remove),
    checkpoints: {
      ...checkpoints,
      make: after(checkpoints.make),
      restore: after(checkpoints.restore),
      remove: after(checkpoints.remove),
    },
  };
}

// What is there

function isShown(name: string): boolean {
  try {
    return partsOf(name).length === 1;
  } catch {
    return false;
  }
}

/** A link that leads out, or a file that went meanwhile. */
function unlessStrange(error: unknown): undefined {
  const { code, status } = error as { code?: string; status?: number };
  if (code !== 'ENOENT' && status !== 403) throw error;
}

// What is written

/** @throws HttpError 400 when the notebook could not be read again */
function notebookIn(body: Json, path: string): Notebook {
  try {
    return parseNotebook(JSON.stringify(body['content'] ?? null), path);
  } catch (error) {
    throw new HttpError(400, (error as Error).message);
  }
}

function fileIn(body: Json): string | Buffer {
  const text = textIn(body, 'content');
  return body['format'] === 'base64' ? Buffer.from(text, 'base64') : text;
}

const UNTITLED: Readonly<Record<string, readonly [string, string]>> = {
  notebook: ['Untitled', '.ipynb'],
  file: ['untitled', '.txt'],
  directory: ['Untitled Folder', ''],
};

const EMPTY_NOTEBOOK: Notebook = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { kernelspec: { display_name: 'TypeScript (dgm)', language: 'typescript', name: 'dgm' } },
  cells: [],
};

const stem = (file: string): string => basename(file, extname(file));

async function freeName(folder: string, first: string, extension: string, mark: string): Promise<string> {
  const taken = new Set(await readdir(folder));
  for (let n = mark === '' ? 0 : 1; ; n++) {
    const name = `${first}${mark}${n === 0 ? '' : n}${extension}`;
    if (!taken.has(name)) return name;
  }
}
