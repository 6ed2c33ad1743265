/** The chapters that have exercises. A chapter's checks are loaded when somebody asks for one of them. */
import type { Exercise } from './exercise';
import { didYouMean } from './nearest';

export interface Chapter {
  /** Number and name, as its files are called: `03-mixtures`. */
  readonly name: string;
  readonly exercises: () => Promise<readonly Exercise[]>;
}

/** A new chapter adds its line here; its module exports `exercises`. */
export const chapters: readonly Chapter[] = [
  { name: '03-mixtures', exercises: async () => (await import('./checks/03-mixtures.js')).exercises },
];

/** @throws an Error that names the closest ids */
export async function findExercise(id: string, among: readonly Chapter[]): Promise<Exercise> {
  const known: string[] = [];
  for (const chapter of among) {
    const exercises = await chapter.exercises();
    const found = exercises.find((exercise) => exercise.id === id);
    if (found) return found;
    known.push(...exercises.map((exercise) => exercise.id));
  }
  throw new Error(`there is no exercise '${id}'${didYouMean(id, known)}`);
}

/**
 * The chapter called `03-mixtures`, `03` or `mixtures`.
 * @throws an Error that lists the chapters
 */
export function findChapter(name: string, among: readonly Chapter[]): Chapter {
  const found = among.find((chapter) => isCalled(chapter.name, name));
  if (found) return found;
  throw new Error(`there is no chapter '${name}' with exercises; there are ${among.map((c) => c.name).join(', ')}`);
}

/** Whether `given` is that chapter's name, number, or name without its number. */
export function isCalled(chapter: string, given: string): boolean {
  const [number, ...rest] = chapter.split('-');
  return given === chapter || given === number || given === rest.join('-');
}
