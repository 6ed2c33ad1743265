/** What a submission sees of the project: in its sandbox, and through the compiler's messages. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { built, root } from './places';

/** The submission's folder, as it sees it; no folder of ours has that name. */
export const INSIDE = '/submission';

export const SCRATCH_BYTES = 64 * 1024 * 1024;

/**
 * Of the grader's build, what a notebook's door and the child load, and nothing else: no check, no compiler, no
 * gradebook. A test compares it with what they do load.
 */
export const VISIBLE = ['index.js', 'base', 'exercise', 'student', 'chapters/registry.js', 'sandbox/child.js'] as const;

/** Packages, data, and what is built of the library and of the grader's visible part; no source of anything. */
export function shown(): string[] {
  const packages = ['lib', 'grader'].flatMap((room) => [`${room}/package.json`, `${room}/node_modules`]);
  return [
    ...['package.json', 'node_modules', 'datasets', 'lib/dist', ...packages].map((name) => join(root, name)),
    ...VISIBLE.map(built),
  ].filter((path) => existsSync(path));
}
