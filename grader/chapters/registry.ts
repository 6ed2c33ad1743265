/**
 * The chapters that have exercises: each file `NN-name` in `checks`, with what `hidden` has of that name. What is in
 * the files is loaded when somebody asks for it.
 */
import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { didYouMean } from 'dgm/host';
import { root } from '../base/paths';
import type { Exercise, GradedExercise, Hidden } from '../exercise/exercise';

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

/**
 * The chapters of a folder, sorted.
 * @param folder what holds the modules `checks/NN-name` and `hidden/NN-name`
 * @param sources what they were built from: where that is there, it says which they are, since a build keeps what its
 *   sources have lost
 * @throws an Error when two chapters have one number, or hidden checks have no chapter
 */
export function readChapters(folder: string, sources = folder): Chapter[] {
  const listed = namesIn(join(sources, 'checks')).length > 0 ? sources : folder;
  const [checks, hidden] = [namesIn(join(listed, 'checks')), namesIn(join(listed, 'hidden'))];
  refuseTwice(checks, join(listed, 'checks'));
  const stray = hidden.find((name) => !checks.includes(name));
  if (stray !== undefined)
    throw new Error(`${join(listed, 'hidden', stray)}: there are no checks of that name${didYouMean(stray, checks)}`);
  const load = <T>(kind: string, name: string, what: string) => loadExport<T>(join(folder, kind, name), what);
  return checks.map((name) => ({
    name,
    exercises: () => load<readonly Exercise[]>('checks', name, 'exercises'),
    ...(hidden.includes(name) && { hidden: () => load<Record<string, Hidden>>('hidden', name, 'hidden') }),
  }));
}

function refuseTwice(names: readonly string[], folder: string): void {
  const number = (name: string) => name.slice(0, 2);
  const second = names.find((name, i) => i > 0 && number(name) === number(names[i - 1]!));
  if (second === undefined) return;
  const both = names.filter((name) => number(name) === number(second));
  throw new Error(`${folder}: ${both.join(' and ')} have the same number; give one of them another`);
}

/** The modules called as chapters are, sorted; none where a submission looks, which sees neither folder. */
function namesIn(folder: string): string[] {
  const files = entriesOf(folder).filter((name) => /^\d.*(?<!\.d)\.[jt]s$/.test(name));
  const odd = files.find((name) => !/^\d\d-[a-z0-9-]+\.[jt]s$/.test(name));
  if (odd !== undefined)
    throw new Error(`${join(folder, odd)}: a chapter's file is called by number and name, as 03-mixtures.ts`);
  return files.map((name) => name.replace(/\.[jt]s$/, '')).sort();
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ERR_ACCESS_DENIED'].includes((error as NodeJS.ErrnoException).code!)) return [];
    throw error;
  }
}

/** What a module of a chapter exports; it is what this file is, source or build. */
async function loadExport<T>(module: string, name: string): Promise<T> {
  const file = module + extname(__filename);
  const exported = (await import(/* @vite-ignore */ pathToFileURL(file).href).catch((error: NodeJS.ErrnoException) => {
    const isMissing = error.code === 'ERR_MODULE_NOT_FOUND' && error.message.includes(file);
    throw isMissing ? new Error(`${file} is not built; build it with: npm run build`) : error;
  })) as Readonly<Record<string, unknown>>;
  if (exported[name] === undefined) throw new Error(`${file}: expected an export '${name}', got ${namesOf(exported)}`);
  return exported[name] as T;
}

function namesOf(exported: Readonly<Record<string, unknown>>): string {
  return Object.keys(exported).join(', ') || 'none';
}

/** All of the course; in what was released to students, without anything hidden. */
export const chapters: readonly Chapter[] = readChapters(__dirname, join(root, 'grader', 'chapters'));

/** Whether this is the lecturer's copy. */
export const hasHidden = chapters.some(({ hidden }) => hidden !== undefined);

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
