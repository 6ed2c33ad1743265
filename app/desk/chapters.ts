/** How far a student has come: the exercises of each notebook, and how the grader says that each stands. */
import { basename } from 'node:path';
import { titleOf, type Notebook } from 'dgm-jupyter';
import { exerciseStates } from 'grader/progress';
import { chaptersIn, readNotebook, type Chapter } from '../chapters/files';
import type { ChapterProgress } from './protocol';

type StateOf = ReturnType<typeof exerciseStates>;

/** @param progressFile the grader's; where there is none, nothing was tried */
export async function chapterProgress(folder: string, progressFile: string): Promise<ChapterProgress[]> {
  const stateOf = exerciseStates(progressFile);
  return Promise.all((await chaptersIn(folder)).map((chapter) => progressOf(chapter, stateOf)));
}

async function progressOf({ name, path }: Chapter, stateOf: StateOf): Promise<ChapterProgress> {
  const file = basename(path);
  const notebook = await readNotebook(path).catch(() => undefined); // what is wrong with it, its page says
  if (!notebook) return { name, title: `${name} (damaged)`, path: file, exercises: [] };
  const exercises = exercisesIn(notebook).map((id) => ({ id, state: stateOf(id) }));
  return { name, title: titleOf(notebook), path: file, exercises };
}

/** As the cells name them, an exercise's own and its check's. */
function exercisesIn({ cells }: Notebook): string[] {
  const ids = cells.map(({ metadata }) => (metadata['dgm'] as { exercise?: unknown } | undefined)?.exercise);
  return [...new Set(ids.filter((id) => typeof id === 'string'))];
}
