/** The chapters that have exercises. A chapter's checks are loaded when somebody asks for one of them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Exercise, GradedExercise, Hidden } from '../exercise/exercise';
import { didYouMean } from '../base/nearest';

export interface Chapter {
  /** Number and name, as its files are called: `03-mixtures`. */
  readonly name: string;
  readonly exercises: () => Promise<readonly Exercise[]>;
  /** By exercise, what students do not have; without it there are the public checks alone. */
  readonly hidden?: () => Promise<Readonly<Record<string, Hidden>>>;
}

/** A chapter whose exercises are those that graders see. */
export interface GradedChapter extends Chapter {
  readonly exercises: () => Promise<readonly GradedExercise[]>;
}

/** Whether this is the lecturer's copy: the one that is released to students has no such folder. */
export const hasHidden = existsSync(join(__dirname, 'hidden'));

/** A new chapter adds its line here; its modules export `exercises` and `hidden`. */
export const chapters: readonly Chapter[] = [
  {
    name: '00-start',
    exercises: async () => (await import('./checks/00-start.js')).exercises,
    ...(hasHidden && { hidden: async () => (await import('./hidden/00-start.js')).hidden }),
  },
  {
    name: '01-why',
    exercises: async () => (await import('./checks/01-why.js')).exercises,
    ...(hasHidden && { hidden: async () => (await import('./hidden/01-why.js')).hidden }),
  },
  {
    name: '02-probability',
    exercises: async () => (await import('./checks/02-probability.js')).exercises,
    ...(hasHidden && { hidden: async () => (await import('./hidden/02-probability.js')).hidden }),
  },
  {
    name: '03-mixtures',
    exercises: async () => (await import('./checks/03-mixtures.js')).exercises,
    ...(hasHidden && { hidden: async () => (await import('./hidden/03-mixtures.js')).hidden }),
  },
  {
    name: '04-circuits',
    exercises: async () => (await import('./checks/04-circuits.js')).exercises,
    ...(hasHidden && { hidden: async () => (await import('./hidden/04-circuits.js')).hidden }),
  },
  {
    name: '05-autoregressive',
    exercises: async () => (await import('./checks/05-autoregressive.js')).exercises,
    ...(hasHidden && { hidden: async () => (await import('./hidden/05-autoregressive.js')).hidden }),
  },
  {
    name: '06-flows',
    exercises: async () => (await import('./checks/06-flows.js')).exercises,
    ...(hasHidden && { hidden: async () => (await import('./hidden/06-flows.js')).hidden }),
  },
  {
    name: '07-integer-flows',
    exercises: async () => (await import('./checks/07-integer-flows.js')).exercises,
    ...(hasHidden && { hidden: async () => (await import('./hidden/07-integer-flows.js')).hidden }),
  },
];

/** The chapter with its hidden checks after the public ones, and with the known mistakes: what grading runs. */
export function withHidden({ name, exercises, hidden }: Chapter): GradedChapter {
  return {
    name,
    exercises: async () => {
      const parts = (await hidden?.()) ?? {};
      const known = await exercises();
      const stray = Object.keys(parts).find((id) => !known.some((exercise) => exercise.id === id));
      if (stray !== undefined)
        throw new Error(
          `${name}: hidden checks for '${stray}', which is no exercise${didYouMean(
            stray,
            known.map(({ id }) => id),
          )}`,
        );
      return known.map((exercise) => toGraded(exercise, parts[exercise.id]));
    },
  };
}

function toGraded(exercise: Exercise, { checks, mistakes }: Hidden = { checks: [], mistakes: [] }): GradedExercise {
  return { ...exercise, checks: [...exercise.checks, ...checks.map((c) => ({ ...c, hidden: true }))], mistakes };
}

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
