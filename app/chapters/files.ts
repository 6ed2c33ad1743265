/** The chapters of the workbook as notebook files. */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseNotebook, type Notebook } from 'dgm-jupyter';

/** A chapter as a notebook file; `name` is `03-mixtures`. */
export interface Chapter {
  readonly name: string;
  readonly path: string;
}

/** The chapters whose notebooks are in a folder, by number. */
export async function chaptersIn(folder: string): Promise<readonly Chapter[]> {
  const files = existsSync(folder) ? await readdir(folder) : [];
  const notebooks = files.filter((file) => /^\d\d-.*\.ipynb$/.test(file)).sort();
  return notebooks.map((file) => ({ name: basename(file, '.ipynb'), path: join(folder, file) }));
}

/**
 * The chapters with the given numbers or names (`3`, `03`, `mixtures`, `03-mixtures`), or all.
 * @throws when one is not there
 */
export function chosen(chapters: readonly Chapter[], wanted: readonly string[], folder: string): readonly Chapter[] {
  if (chapters.length === 0) throw new Error(`no chapters in ${folder}; "npm run notebooks" makes them`);
  if (wanted.length === 0) return chapters;
  return wanted.map((word) => {
    const number = /^\d$/.test(word) ? `0${word}` : word;
    const found = chapters.find(({ name }) => [name, name.slice(0, 2), name.slice(3)].includes(number));
    if (!found) throw new Error(`no chapter "${word}"; there are ${chapters.map(({ name }) => name).join(', ')}`);
    return found;
  });
}

/** @throws when the file cannot be read or is no notebook */
export async function readNotebook(path: string): Promise<Notebook> {
  return parseNotebook(await readFile(path, 'utf8'), path);
}
