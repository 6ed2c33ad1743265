/** The worked solution of an exercise, when it is open. */
import { findExercise, type Chapter } from '../chapters/registry';
import { whyClosed } from './help';
import { standingOf } from './progress';
import { fromBase64, releaseHere, type Release } from '../base/release-manifest';
import { course, type Course } from '../base/paths';

export interface Solved {
  /** Why it is not open. */
  readonly closed?: string;
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
  const closed = whyClosed(id, from.release?.solutions ?? 'after-pass', standingOf(id));
  if (closed !== undefined) return { closed };
  if (from.release === undefined) return { text: await fromSource(id, chapter, chapters, from.course ?? course) };
  const found = from.release.base64[id];
  if (found === undefined)
    throw new Error(`this release has no solution of ${id}; it is of ${from.release.chapters.join(', ')}`);
  return { text: fromBase64(found, id) };
}

/** In the lecturer's copy the sources are there. Reading them needs a compiler, which is loaded only now. */
async function fromSource(id: string, chapter: string, chapters: readonly Chapter[], { solutions, notebooks }: Course) {
  const { buildFromFile, solutionCells } = await import('../authoring/notebooks.js');
  return solutionCells(await buildFromFile(chapter, { solutions, notebooks }, chapters)).get(id)!;
}
