/** Where things are: the project's root, and the built files that other processes are started from. */
import { basename, join, resolve } from 'node:path';

const here = resolve(__dirname, basename(resolve(__dirname, '..')) === 'dist' ? '../..' : '..');

/** The folder of the whole project. */
export const root = resolve(here, '..');

/** Folders of the authored chapters and of what students open. */
export interface Course {
  readonly solutions: string;
  readonly notebooks: string;
}

export const course: Course = { solutions: join(root, 'solutions'), notebooks: join(root, 'notebooks') };

/** A built file of the grader: the tests run from the sources, but a process of its own needs the build. */
export function built(name: string): string {
  return join(here, 'dist', name);
}
