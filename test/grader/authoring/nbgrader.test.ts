import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Notebook } from 'dgm-jupyter';
import { answerCell, checkCell, nbgraderChecksum, type NbgraderMetadata } from '../../../grader/authoring/nbgrader';
import { exercises } from '../../fixtures/course/chapters';
import { notebookText } from '../grading-helpers';

interface FixtureCell {
  readonly source: string;
  readonly cell_type: 'code' | 'markdown';
  readonly grade: boolean;
  readonly solution: boolean;
  readonly locked: boolean;
  readonly grade_id: string;
  readonly points?: number;
  readonly checksum: string;
}

const cells = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/nbgrader/checksums.json'), 'utf8'),
) as FixtureCell[];

test('the checksums are those of nbgrader’s rule run in Python', () => {
  expect(cells.length).toBeGreaterThan(40);
  for (const { source, cell_type: cellType, grade_id: id, checksum, ...flags } of cells)
    expect(nbgraderChecksum({ id, cellType, source }, flags), JSON.stringify(flags)).toBe(checksum);
});

test('a checksum covers source, id and points', () => {
  const cell = { id: 'a', cellType: 'code', source: 'x' } as const;
  const sums = [
    checkCell(cell, 1),
    checkCell(cell, 2),
    checkCell({ ...cell, source: 'y' }, 1),
    checkCell({ ...cell, id: 'b' }, 1),
    answerCell(cell),
  ].map(({ checksum }) => checksum);
  expect(new Set(sums).size).toBe(sums.length);
});

describe.each(['complete', 'released'] as const)('the %s notebook', (which) => {
  const notebook = JSON.parse(notebookText(which)) as Notebook;
  const marked = notebook.cells.flatMap((cell) => {
    const metadata = cell.metadata['nbgrader'] as NbgraderMetadata | undefined;
    return metadata === undefined ? [] : [{ cell, metadata }];
  });

  test('marks answers and checks, each once, with the points of the chapter', () => {
    const ids = marked.map(({ metadata }) => metadata.grade_id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(marked.filter(({ metadata }) => metadata.solution)).toHaveLength(exercises.length);
    const points = marked.map(({ metadata }) => metadata.points ?? 0).reduce((sum, n) => sum + n, 0);
    expect(points).toBe(exercises.reduce((sum, exercise) => sum + exercise.points, 0));
  });

  test('obeys version 3 of nbgrader’s schema, and its checksums fit the cells as they are', () => {
    const known = [
      'schema_version',
      'grade',
      'locked',
      'solution',
      'task',
      'grade_id',
      'points',
      'checksum',
      'cell_type',
    ];
    for (const { cell, metadata } of marked) {
      expect(known).toEqual(expect.arrayContaining(Object.keys(metadata)));
      expect(metadata).toMatchObject({ schema_version: 3, task: false, cell_type: cell.cell_type });
      expect(metadata.grade_id).toMatch(/^[a-zA-Z0-9_-]+$/);
      const about = { id: metadata.grade_id, cellType: metadata.cell_type, source: cell.source as string };
      expect(metadata.checksum).toBe(nbgraderChecksum(about, metadata));
    }
  });

  test('locks what is judged by: no answer cell can be deleted, no check cell deleted or edited', () => {
    for (const { cell, metadata } of marked) {
      expect(cell.metadata['deletable']).toBe(false);
      expect(metadata.locked).toBe(!metadata.solution);
      expect(cell.metadata['editable']).toBe(metadata.locked ? false : undefined);
    }
  });
});
