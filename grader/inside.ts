/** What a submission sees in its sandbox. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './rooms';

/** The submission's folder, as it sees it; no folder of ours has that name. */
export const INSIDE = '/submission';

export const SCRATCH_BYTES = 64 * 1024 * 1024;

/** Packages, data, and what is built of the library and the grader; of the grader no check, and no source of anything. */
export function shown(): string[] {
  const built = join(root, 'grader', 'dist');
  const grader = readdirSync(built).filter((name) => name.endsWith('.js'));
  const packages = ['lib', 'grader'].flatMap((room) => [`${room}/package.json`, `${room}/node_modules`]);
  return [
    ...['package.json', 'node_modules', 'datasets', 'lib/dist', ...packages].map((name) => join(root, name)),
    ...grader.map((name) => join(built, name)),
  ].filter((path) => existsSync(path));
}
