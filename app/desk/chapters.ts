/** How far a student has come: the exercises of each notebook, and what the grader noted of the tries. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { chaptersIn, readNotebook, type Chapter } from '../chapters/files';
import { titleOf, type Notebook } from 'dgm-jupyter';
import { HttpError } from './http';
import type { ChapterProgress, ExerciseProgress } from './protocol';

type State = ExerciseProgress['state'];

/** @param progressFile the grader's `.progress.json`; where there is none, nothing was tried */
export async function chapterProgress(folder: string, progressFile: string): Promise<ChapterProgress[]> {
  const stateOf = await readProgress(progressFile);
  return Promise.all((await chaptersIn(folder)).map((chapter) => progressOf(chapter, stateOf)));
}

/** Where the grader keeps it. */
export function progressFileOf(root: string, env: Readonly<Record<string, string | undefined>>): string {
  return env['DGM_PROGRESS'] ?? join(root, '.progress.json');
}

async function readProgress(file: string): Promise<(id: string) => State> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '{"exercises":{}}';
  });
  const { exercises } = parse(text, file);
  return (id) => {
    const { tries = 0, passed = false } = Object.hasOwn(exercises, id) ? exercises[id]! : {};
    return passed ? 'passed' : tries > 0 ? 'tried' : 'open';
  };
}

interface Book {
  readonly exercises: Readonly<Record<string, { readonly tries?: number; readonly passed?: boolean }>>;
}

function parse(text: string, file: string): Book {
  try {
    const book = JSON.parse(text) as Partial<Book> | null;
    if (typeof book?.exercises === 'object') return book as Book;
  } catch {
    // said below
  }
  throw new HttpError(500, `${basename(file)} is damaged; delete it, and counting begins anew`);
}

async function progressOf({ name, path }: Chapter, stateOf: (id: string) => State): Promise<ChapterProgress> {
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
