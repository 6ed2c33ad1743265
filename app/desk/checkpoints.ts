/** Checkpoints of the notebooks' folder: one a file, as in Jupyter, but not among the notebooks. */
import { readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from 'dgm/host';
import { HttpError, unlessMissing } from './http';
import { fileAt, partsOf } from './paths';

interface CheckpointModel {
  readonly id: string;
  readonly last_modified: string;
}

/** Paths are relative to the folder. Everything throws an HttpError, or the file system's own. */
export interface Checkpoints {
  list(path: string): Promise<CheckpointModel[]>;
  make(path: string): Promise<CheckpointModel>;
  restore(path: string, id: string): Promise<void>;
  remove(path: string, id: string): Promise<void>;
  /** The file has another name now. */
  renamed(path: string, target: string): Promise<void>;
  /** The file is gone. */
  forget(path: string): Promise<void>;
}

/** @param kept the folder that they are in */
export function createCheckpoints(folder: string, kept: string): Checkpoints {
  const keptAt = (path: string) => {
    const parts = partsOf(path);
    return join(kept, ...parts.slice(0, -1), `${parts.at(-1) ?? ''}.checkpoint`);
  };

  async function list(path: string): Promise<CheckpointModel[]> {
    await stat(await fileAt(folder, path));
    const found = await stat(keptAt(path)).catch(unlessMissing);
    return found ? [{ id: CHECKPOINT, last_modified: found.mtime.toISOString() }] : [];
  }

  return {
    list,
    async make(path) {
      await writeAtomically(keptAt(path), await readFile(await fileAt(folder, path)));
      return (await list(path))[0]!;
    },
    async restore(path, id) {
      checkId(id);
      await writeAtomically(await fileAt(folder, path), await readFile(keptAt(path)));
    },
    async remove(path, id) {
      checkId(id);
      await fileAt(folder, path);
      await rm(keptAt(path));
    },
    renamed: (path, target) => rename(keptAt(path), keptAt(target)).catch(unlessMissing),
    forget: (path) => rm(keptAt(path), { force: true }),
  };
}

const CHECKPOINT = 'checkpoint';

function checkId(id: string): void {
  if (id !== CHECKPOINT) throw new HttpError(404, `there is no checkpoint ${JSON.stringify(id)}`);
}
