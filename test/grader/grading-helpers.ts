/** What the grader's tests share: the fixture chapter as a notebook, and submissions made from it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { buildChapter } from '../../grader/authoring/build-chapter';
import type { SourceCell } from '../../grader/compile/pieces';
import { exercises } from '../fixtures/course/chapters';

const folder = resolve(import.meta.dirname, '../fixtures/course');

export const course = { solutions: resolve(folder, 'solutions'), notebooks: resolve(folder, 'notebooks') };

/** A module of chapters that another process can load. */
export const chaptersFile = resolve(folder, 'chapters.ts');

export const fixtureText = readFileSync(resolve(course.solutions, '90-fixture.ts'), 'utf8');

const built = buildChapter({ chapter: '90-fixture', text: fixtureText, where: 'fixture.ts', exercises });

/** Code cells from their sources alone. */
export function cellsOf(...sources: string[]): SourceCell[] {
  return sources.map((source, i) => ({ number: i + 1, id: `c${i + 1}`, source }));
}

/** The fixture notebook as text, complete or as released. */
export function notebookText(which: 'complete' | 'released'): string {
  return JSON.stringify(built[which]);
}

/** A student's notebook: the complete one, in which each text is replaced by another. */
export function submissionText(...edits: readonly (readonly [from: string, to: string])[]): string {
  const cells = edits.reduce(
    (edited, [from, to]) => {
      if (!edited.some(({ source }) => source.includes(from))) throw new Error(`the fixture has no '${from}'`);
      return edited.map((cell) => ({ ...cell, source: cell.source.replace(from, () => to) }));
    },
    built.complete.cells.map((cell) => ({ ...cell })),
  );
  return JSON.stringify({ ...built.complete, cells });
}
