/**
 * The student's own `.ts` and `.json` files next to the notebook. tslab would poll every file of every library, all
 * the time; here only files outside of node_modules are looked at, when a cell is about to be compiled.
 */
import { statSync } from 'node:fs';
import { sep } from 'node:path';
import type * as TypeScript from 'typescript';

export interface LocalFiles {
  readonly watchFile: NonNullable<TypeScript.System['watchFile']>;
  /** Tells the compiler of every file that changed since the last time. */
  refresh(): void;
}

interface Watched {
  readonly callback: TypeScript.FileWatcherCallback;
  stamp: string | null;
}

/** Watches files below `folder`. */
export function createLocalFiles(folder: string): LocalFiles {
  const watched = new Map<string, Watched>();
  const prefix = `${folder.replaceAll(sep, '/')}/`;
  return {
    watchFile(path, callback) {
      if (path.startsWith(prefix) && !path.includes('/node_modules/'))
        watched.set(path, { callback, stamp: stampOf(path) });
      return { close: () => watched.delete(path) };
    },
    refresh() {
      for (const [path, file] of watched) {
        const stamp = stampOf(path);
        if (stamp === file.stamp) continue;
        const kind = stamp === null ? DELETED : file.stamp === null ? CREATED : CHANGED;
        file.stamp = stamp;
        file.callback(path, kind);
      }
    },
  };
}

// TypeScript.FileWatcherEventKind, which is a const of the compiler we must not load here.
const CREATED = 0;
const CHANGED = 1;
const DELETED = 2;

function stampOf(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs} ${stat.size}` : null;
}
