/** The notebooks' folder as Jupyter's contents API shows it. Nothing outside of it, and nothing hidden, exists. */
import { createHash } from 'node:crypto';
import { access, constants, copyFile, mkdir, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { writeWhole } from '../chapters/files';
import { parseNotebook, serialiseNotebook, type Notebook } from 'dgm-jupyter';
import { HttpError, type Json, textIn } from './http';
import { partsOf, placeOf } from './place';

export interface ContentsModel {
  readonly name: string;
  readonly path: string;
  readonly type: 'notebook' | 'file' | 'directory';
  readonly created: string;
  readonly last_modified: string;
  readonly writable: boolean;
  readonly size: number | null;
  readonly mimetype: string | null;
  readonly format: 'json' | 'text' | 'base64' | null;
  readonly content: unknown;
  /** Of the bytes on disk, by which a page notices that somebody else has changed them. */
  readonly hash: string | null;
  readonly hash_algorithm: 'sha256' | null;
}

export interface CheckpointModel {
  readonly id: string;
  readonly last_modified: string;
}

export interface GetOptions {
  readonly content?: boolean;
  readonly hash?: boolean;
  /** What the page takes it for. */
  readonly type?: string;
  readonly format?: string;
}

/** Paths are relative to the folder. Everything throws an HttpError, or the file system's own. */
export interface Contents {
  get(path: string, options?: GetOptions): Promise<ContentsModel>;
  /** @returns whether it is new, and the notebook if it is one */
  save(path: string, body: Json): Promise<{ model: ContentsModel; isNew: boolean; notebook?: Notebook }>;
  /** A new file or folder in a folder, or a copy of `copy_from`, under a name that is free. */
  create(folder: string, body: Json): Promise<ContentsModel>;
  rename(path: string, body: Json): Promise<ContentsModel>;
  remove(path: string): Promise<void>;
  checkpoints(path: string): Promise<CheckpointModel[]>;
  checkpoint(path: string): Promise<CheckpointModel>;
  restore(path: string, id: string): Promise<void>;
  removeCheckpoint(path: string, id: string): Promise<void>;
}

/** @param kept where checkpoints are: one a file, as in Jupyter, but not among the notebooks */
export function createContents(folder: string, kept: string): Contents {
  const place = (path: string) => placeOf(folder, path);
  const keptAt = (path: string) => {
    const parts = partsOf(path);
    return join(kept, ...parts.slice(0, -1), `${parts.at(-1) ?? ''}.checkpoint`);
  };

  async function get(path: string, options: GetOptions = {}): Promise<ContentsModel> {
    const file = await place(path);
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
    const file = await place(path);
    if (partsOf(path).length === 0) throw new HttpError(400, 'a name is missing');
    const type = textIn(body, 'type');
    const before = await stat(file).catch(unlessMissing);
    if ((before?.isDirectory() ?? type === 'directory') !== (type === 'directory'))
      throw new HttpError(400, `${path} is ${before ? 'there already and ' : ''}not a ${type}`);
    await stat(dirname(file)); // writing would make the folder
    const notebook = type === 'notebook' ? notebookIn(body, path) : undefined;
    if (type === 'directory') await mkdir(file, { recursive: true });
    else await writeWhole(file, notebook ? serialiseNotebook(notebook) : fileIn(body));
    const model = await get(path, { content: false, hash: true });
    return { model, isNew: before === undefined, ...(notebook && { notebook }) };
  }

  async function create(path: string, body: Json): Promise<ContentsModel> {
    const into = await place(path);
    if (!(await stat(into)).isDirectory()) throw new HttpError(400, `${path} is not a folder`);
    const below = (name: string) => [...partsOf(path), name].join('/');
    if (body['copy_from'] !== undefined) {
      const from = await place(textIn(body, 'copy_from'));
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
    const [from, to] = await Promise.all([place(path), place(target)]);
    if (from === (await place(''))) throw new HttpError(400, "the notebooks' folder cannot be renamed");
    await stat(from);
    if (await stat(to).catch(unlessMissing)) throw new HttpError(409, `${target} is there already`);
    await stat(dirname(to));
    await rename(from, to);
    await rename(keptAt(path), keptAt(target)).catch(unlessMissing);
    return get(target, { content: false });
  }

  async function remove(path: string): Promise<void> {
    const file = await place(path);
    if (file === (await place(''))) throw new HttpError(400, "the notebooks' folder cannot be deleted");
    if ((await stat(file)).isDirectory()) return rmdir(file); // an empty one only
    await rm(file);
    await rm(keptAt(path), { force: true });
  }

  async function checkpoints(path: string): Promise<CheckpointModel[]> {
    await stat(await place(path));
    const found = await stat(keptAt(path)).catch(unlessMissing);
    return found ? [{ id: CHECKPOINT, last_modified: found.mtime.toISOString() }] : [];
  }

  async function checkpoint(path: string): Promise<CheckpointModel> {
    await writeWhole(keptAt(path), await readFile(await place(path)));
    return (await checkpoints(path))[0]!;
  }

  async function restore(path: string, id: string): Promise<void> {
    known(id);
    await writeWhole(await place(path), await readFile(keptAt(path)));
  }

  async function removeCheckpoint(path: string, id: string): Promise<void> {
    known(id);
    await place(path);
    await rm(keptAt(path));
  }

  return inTurn({ get, save, create, rename: renameTo, remove, checkpoints, checkpoint, restore, removeCheckpoint });
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
  const { get, checkpoints, save, create, rename, remove, checkpoint, restore, removeCheckpoint } = contents;
  return {
    get,
    checkpoints,
    save: after(save),
    create: after(create),
    rename: after(rename),
    remove: after(remove),
    checkpoint: after(checkpoint),
    restore: after(restore),
    removeCheckpoint: after(removeCheckpoint),
  };
}

// What is there

async function describe(file: string, path: string): Promise<ContentsModel> {
  const found = await stat(file);
  const isFolder = found.isDirectory();
  return {
    name: basename(path),
    path,
    type: isFolder ? 'directory' : path.endsWith('.ipynb') ? 'notebook' : 'file',
    created: found.birthtime.toISOString(),
    last_modified: found.mtime.toISOString(),
    writable: await access(file, constants.W_OK).then(
      () => true,
      () => false,
    ),
    size: isFolder ? null : found.size,
    mimetype: null,
    format: null,
    content: null,
    hash: null,
    hash_algorithm: null,
  };
}

async function filled(file: string, model: ContentsModel, options: GetOptions): Promise<ContentsModel> {
  if (options.content === false && !options.hash) return model;
  const bytes = await readFile(file);
  const hash = createHash('sha256').update(bytes).digest('hex');
  const hashed = { ...model, ...(options.hash && { hash, hash_algorithm: 'sha256' as const }) };
  return options.content === false ? hashed : { ...hashed, ...contentOf(bytes, model, options) };
}

function contentOf(bytes: Buffer, { type, path }: ContentsModel, options: GetOptions): Partial<ContentsModel> {
  if (type === 'notebook' && options.type !== 'file') {
    try {
      return { format: 'json', content: parseNotebook(bytes.toString(), path) };
    } catch (error) {
      throw new HttpError(400, (error as Error).message);
    }
  }
  const text = bytes.toString();
  const isText = Buffer.from(text).equals(bytes);
  if (options.format === 'text' && !isText) throw new HttpError(400, `${path} is not text`);
  if (options.format === 'base64' || !isText)
    return { format: 'base64', content: bytes.toString('base64'), mimetype: 'application/octet-stream' };
  return { format: 'text', content: text, mimetype: 'text/plain' };
}

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

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
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

const CHECKPOINT = 'checkpoint';

function known(id: string): void {
  if (id !== CHECKPOINT) throw new HttpError(404, `there is no checkpoint ${JSON.stringify(id)}`);
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
