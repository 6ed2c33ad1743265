/** Sources and notebooks on disk: which there are, writing them, and whether they are in step. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { writeAtomically } from 'dgm/host';
import { parseNotebook, serialiseNotebook, type Notebook } from 'dgm-jupyter';
import { buildChapter, inStep, keepOutputs, type BuiltChapter } from './build-chapter';
import { isCalled, type Chapter } from '../chapters/registry';
import { root, type Course } from '../base/paths';

/** Names of the chapters that have a source, in order: `03-mixtures`. */
async function chapterNames({ solutions }: Course): Promise<string[]> {
  return (await namesIn(solutions, '.ts')).filter((name) => /^\d\d-/.test(name));
}

/**
 * The chapters called so, or all of them.
 * @param wanted numbers or names
 * @throws an Error that lists the chapters when one does not exist
 */
export async function selectChapters(course: Course, wanted: readonly string[]): Promise<string[]> {
  const names = await chapterNames(course);
  const unknown = wanted.find((given) => !names.some((name) => isCalled(name, given)));
  if (unknown !== undefined)
    throw new Error(`there is no chapter '${unknown}'; there are ${names.join(', ') || 'none'}`);
  return wanted.length === 0 ? names : names.filter((name) => wanted.some((given) => isCalled(name, given)));
}

/** Reads a chapter's source and builds its notebooks. */
export async function buildFromFile(
  chapter: string,
  course: Course,
  chapters: readonly Chapter[],
): Promise<BuiltChapter> {
  const { text, where } = await readSource(chapter, course);
  return buildChapter({ chapter, text, where, exercises: await exercisesOf(chapter, chapters) });
}

/** The cells of the solutions, whole: a body alone is hard to read. */
export function solutionCells({ complete }: BuiltChapter): Map<string, string> {
  const cells = complete.cells.flatMap(({ metadata, source }) => {
    const { tags, dgm } = metadata as { tags?: readonly string[]; dgm?: { exercise?: string } };
    return tags?.includes('exercise') && dgm?.exercise !== undefined ? [[dgm.exercise, source] as const] : [];
  });
  return new Map(cells);
}

export async function readSource(chapter: string, { solutions }: Course): Promise<{ text: string; where: string }> {
  const file = join(solutions, `${chapter}.ts`);
  return { text: await readFile(file, 'utf8'), where: shown(file) };
}

/** A chapter without checks has no exercises. */
async function exercisesOf(name: string, chapters: readonly Chapter[]) {
  return (await chapters.find((chapter) => chapter.name === name)?.exercises()) ?? [];
}

/** Writes both notebooks of a chapter; outputs of unchanged cells of the complete one stay. Returns what it wrote. */
export async function writeNotebooks(chapter: string, course: Course, chapters: readonly Chapter[]): Promise<string[]> {
  const { complete, released } = await buildFromFile(chapter, course, chapters);
  const files = filesOf(chapter, course);
  await writeNotebook(files.complete, keepOutputs(complete, await readIfThere(files.complete)));
  await writeNotebook(files.released, released);
  return [files.complete, files.released].map(shown);
}

/** The notebooks that are missing or not what the sources say, and those whose source is gone. */
export async function outOfStep(
  names: readonly string[],
  course: Course,
  chapters: readonly Chapter[],
): Promise<string[]> {
  const stale = await Promise.all(names.map((name) => staleFiles(name, course, chapters)));
  return [...stale.flat(), ...(await orphans(course))];
}

async function staleFiles(chapter: string, course: Course, chapters: readonly Chapter[]): Promise<string[]> {
  const { complete, released } = await buildFromFile(chapter, course, chapters);
  const files = filesOf(chapter, course);
  const pairs = [
    { file: files.complete, wanted: complete },
    { file: files.released, wanted: released },
  ];
  const stale = await Promise.all(pairs.map(async ({ file, wanted }) => !isSame(await readIfThere(file), wanted)));
  return pairs.filter((_, i) => stale[i]).map(({ file }) => shown(file));
}

function isSame(found: Notebook | undefined, wanted: Notebook): boolean {
  return found !== undefined && inStep(found, wanted);
}

async function orphans(course: Course): Promise<string[]> {
  const names = await chapterNames(course);
  const found = await Promise.all(
    [course.solutions, course.notebooks].map(async (folder) =>
      (await namesIn(folder, '.ipynb'))
        .filter((name) => !names.includes(name))
        .map((name) => join(folder, `${name}.ipynb`)),
    ),
  );
  return found.flat().map((file) => `${shown(file)} (no source)`);
}

function filesOf(chapter: string, { solutions, notebooks }: Course) {
  return { complete: join(solutions, `${chapter}.ipynb`), released: join(notebooks, `${chapter}.ipynb`) };
}

async function readIfThere(file: string): Promise<Notebook | undefined> {
  try {
    return parseNotebook(await readFile(file, 'utf8'), shown(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeNotebook(file: string, notebook: Notebook): Promise<void> {
  await writeAtomically(file, serialiseNotebook(notebook));
}

async function namesIn(folder: string, extension: string): Promise<string[]> {
  const entries = await readdir(folder).catch(() => []);
  return entries
    .filter((name) => name.endsWith(extension) && !name.startsWith('.') && !name.endsWith('.d.ts'))
    .map((name) => name.slice(0, -extension.length))
    .sort();
}

function shown(file: string): string {
  const path = relative(root, file);
  return path.startsWith('..') ? file : path;
}
