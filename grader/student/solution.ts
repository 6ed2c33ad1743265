/** The worked solution of an exercise, when it is open. */
import { findExercise, type Chapter } from '../chapters/registry';
import { whyLocked } from './help';
import { unlock } from '../base/lock';
import { standingOf } from './tries';
import { releaseHere, type Release } from '../base/release-manifest';
import { course, type Course } from '../base/places';

export interface Solved {
  /** Why it is not open. */
  readonly locked?: string;
  /** The function's cell. */
  readonly text?: string;
}

/** @throws an Error that names the closest ids, when there is no such exercise */
export async function solutionOf(
  id: string,
  chapters: readonly Chapter[],
  from: { readonly release?: Release | undefined; readonly course?: Course } = { release: releaseHere() },
): Promise<Solved> {
  const { chapter } = await findExercise(id, chapters);
  const locked = whyLocked(id, from.release?.solutions ?? 'after-pass', standingOf(id));
  if (locked !== undefined) return { locked };
  if (from.release === undefined) return { text: await fromSource(id, chapter, chapters, from.course ?? course) };
  const found = from.release.locked[id];
  if (found === undefined)
    throw new Error(`this release has no solution of ${id}; it is of ${from.release.chapters.join(', ')}`);
  return { text: unlock(found, id) };
}

/** In the lecturer's copy the sources are there. Reading them needs a compiler, which is loaded only now. */
async function fromSource(id: string, chapter: string, chapters: readonly Chapter[], { solutions, notebooks }: Course) {
  const { buildFromFile, solutionCells } = await import('../authoring/notebooks.js');
  return solutionCells(await buildFromFile(chapter, { solutions, notebooks }, chapters)).get(id)!;
}
