/** A file of the notebooks' folder as Jupyter's contents API shows it. */
import { createHash } from 'node:crypto';
import { access, constants, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseNotebook } from 'dgm-jupyter';
import { HttpError } from './http';

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

export interface GetOptions {
  readonly content?: boolean;
  readonly hash?: boolean;
  /** What the page takes it for. */
  readonly type?: string;
  readonly format?: string;
}

/** The file without what is in it. @param path below the folder, as the page names it */
export async function describe(file: string, path: string): Promise<ContentsModel> {
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

/** The file with as much of what is in it as was asked for. */
export async function filled(file: string, model: ContentsModel, options: GetOptions): Promise<ContentsModel> {
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
