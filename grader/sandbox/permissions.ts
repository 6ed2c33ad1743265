/** Node's own permission model around a submission: no other process, no thread, no file but what is granted. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../base/paths';
import { visiblePaths } from '../base/visible';

const PACKAGES = join(root, 'node_modules');

/** What may be read: what a submission sees, in which a link would lead anywhere. */
export function readablePaths(): string[] {
  return visiblePaths().flatMap((path) => (path === PACKAGES ? packagesIn(path) : [path]));
}

/** Installed packages, but not the project's own, which npm links, nor what tools keep beside them. */
function packagesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(({ name }) => (name.startsWith('@') ? packagesIn(join(folder, name)) : [join(folder, name)]));
}

/** The words for Node's command line. @param folder the submission's own, the only one it may write */
export function permissions(folder: string): string[] {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
  return [flag, ...[...readablePaths(), folder].map((path) => `--allow-fs-read=${path}`), `--allow-fs-write=${folder}`];
}
