/** What judges a submission, as a hash: when it changes, verdicts are no longer those that grading would give. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { built } from '../base/paths';
import { version } from '../base/version';

/** The modules that turn checks into points; the rest of the grader is known by its version. */
const JUDGES = [
  'exercise/checking.js',
  'exercise/compare.js',
  'exercise/exercise.js',
  'chapters/registry.js',
  'grading/grade-exercises.js',
];

/**
 * Hash of the grader's version, its judging modules and, when the chapter has any, its built checks, public and
 * hidden (`checks/<chapter>.js` and `hidden/<chapter>.js`, or files in folders of that name).
 */
export async function bundleOf(chapter: string | undefined): Promise<string> {
  const checks = chapter === undefined ? [] : await checkFiles(chapter);
  const hash = createHash('sha256').update(version);
  for (const file of [...JUDGES.map(built), ...checks]) hash.update(await readFile(file)).update('\0');
  return hash.digest('hex');
}

async function checkFiles(chapter: string): Promise<string[]> {
  const rooms = ['chapters/checks', 'chapters/hidden'].map(built).filter((room) => existsSync(room));
  const files = await Promise.all(rooms.map(async (room) => filesOf(chapter, room)));
  return files.flat();
}

async function filesOf(chapter: string, room: string): Promise<string[]> {
  const files = await readdir(room, { recursive: true });
  return files
    .filter((file) => file.endsWith('.js') && /^[^/\\.]+/.exec(file)![0] === chapter)
    .sort()
    .map((file) => join(room, file));
}
