/** Where a path of the page is on disk: below the notebooks' folder, or nowhere. */
import { realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { HttpError } from './http';

/** The parts of a path in an address. @throws HttpError 400 when it is not encoded rightly */
export function decodePath(path: string): string {
  try {
    return path.split('/').map(decodePart).join('/');
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, `the path ${JSON.stringify(path)} is not encoded rightly`);
  }
}

/** Once only: what was encoded twice is a strange name and no way up. */
function decodePart(part: string): string {
  const decoded = decodeURIComponent(part);
  if (decoded.includes('/')) throw new HttpError(403, `the path part ${JSON.stringify(part)} hides a slash`);
  return decoded;
}

/**
 * The path as its parts, none of which can lead elsewhere on any system.
 * @throws HttpError 403 for `.` and `..`, 404 for hidden files, 400 for names that not every system allows
 */
export function partsOf(path: string): string[] {
  const parts = path.replace(/^\/|\/$/g, '').split('/');
  if (parts.length === 1 && parts[0] === '') return [];
  for (const part of parts) {
    const shown = JSON.stringify(path);
    if (part === '.' || part === '..') throw new HttpError(403, `${shown} leads out of the notebooks' folder`);
    if (part.startsWith('.')) throw new HttpError(404, `${shown} does not exist`);
    if (part === '' || part.length > 200 || /[\0-\x1f\x7f\\:*?"<>|]|[ .]$/.test(part))
      throw new HttpError(400, `${shown} is no path that every system allows; use other characters, or a shorter name`);
  }
  return parts;
}

/**
 * The file's path, without links if it is there.
 * @throws HttpError as `partsOf`, and 403 when a link leads out of the folder
 */
export async function fileAt(folder: string, path: string): Promise<string> {
  const file = join(folder, ...partsOf(path));
  const [root, real] = await Promise.all([realpath(folder), realAbove(file)]);
  if (real.path !== root && !real.path.startsWith(root + sep))
    throw new HttpError(403, `${JSON.stringify(path)} is a link that leads out of the notebooks' folder`);
  return real.whole ? real.path : file;
}

/** The real path of the file, or of the nearest folder above it that there is. */
async function realAbove(file: string): Promise<{ path: string; whole: boolean }> {
  for (let path = file; ; path = dirname(path)) {
    try {
      return { path: await realpath(path), whole: path === file };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
