/** What a submission sees of the project: in its sandbox, and through the compiler's messages. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { built, root } from './paths';

/** The submission's folder, as it sees it; no folder of ours has that name. */
export const WORKDIR = '/submission';

export const WORKDIR_BYTES = 64 * 1024 * 1024;

/**
 * Of the grader's build, what a notebook's door and the child load, and nothing else: no check, no compiler, no
 * gradebook. A test compares it with what they do load.
 */
export const VISIBLE = [
  ...['index.js', 'base', 'exercise', 'student', 'chapters/registry.js'],
  ...['sandbox/child.js', 'sandbox/own-packages.js'],
] as const;

/** Packages, data, and what is built of the library and of the grader's visible part; no source of anything. */
export function visiblePaths(): string[] {
  const packages = ['lib', 'grader'].flatMap((name) => [`${name}/package.json`, `${name}/node_modules`]);
  return [
    ...['node_modules', 'datasets', 'lib/dist', ...packages].map((name) => join(root, name)),
    ...VISIBLE.map(built),
  ].filter((path) => existsSync(path));
}
