/** Where things are: the project's root, and the built files that other processes are started from. */
import { join } from 'node:path';
import { workbookRoot as root } from 'dgm/host';

export { root };

/** Folders of the authored chapters and of what students open. */
export interface Course {
  readonly solutions: string;
  readonly notebooks: string;
}

export const course: Course = { solutions: join(root, 'solutions'), notebooks: join(root, 'notebooks') };

/** A built file of the grader: the tests run from the sources, but a process of its own needs the build. */
export function built(name: string): string {
  return join(root, 'grader', 'dist', name);
}
