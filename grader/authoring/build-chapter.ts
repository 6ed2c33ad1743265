/**
 * A chapter's source → its two notebooks: the complete one, and the one released to students, whose solutions are
 * cut. Pure: text in, notebooks out. Reading and writing files is `notebooks.ts`.
 */
import type { Metadata, Notebook, NotebookCell } from 'dgm-jupyter';
import { cellIds, type Role } from './cell-ids';
import type { Exercise } from '../exercise/exercise';
import { answerCell, checkCell } from './nbgrader';
import { didYouMean } from 'dgm/host';
import { parsePercent, SourceError, type PercentCell } from './percent';
import { completeSource, findRegions, givenOf, releasedSource, solutionLines, type Region } from './regions';

export interface ChapterSource {
  /** `03-mixtures` */
  readonly chapter: string;
  readonly text: string;
  /** The file's name, for messages. */
  readonly where: string;
  readonly exercises: readonly Exercise[];
}

/** One exercise's place in the source. */
export interface Solution {
  readonly exercise: string;
  readonly functionName: string;
  /** Line of the source file on which the body starts, from 1. */
  readonly line: number;
  readonly body: readonly string[];
  /** What the release gives instead, if anything. */
  readonly given: readonly string[];
}

export interface BuiltChapter {
  readonly complete: Notebook;
  readonly released: Notebook;
  readonly solutions: readonly Solution[];
}

const CHECK = /^\s*await check\(\s*['"]([^'"]+)['"]/m;

/** @throws SourceError with file and line for a source that cannot become notebooks */
export function buildChapter(source: ChapterSource): BuiltChapter {
  const cells = parsePercent(source.text, source.where);
  const regions = cells.map((cell) => (cell.kind === 'code' ? findRegions(cell, source.where) : []));
  checkExercises(cells, regions, source);
  const roles = cells.map((cell, i) => roleOf(cell, regions[i]!, source));
  const ids = cellIds(cells, roles, source.where);
  const toCells = (cut: (text: string, regions: readonly Region[]) => string) =>
    cells.map((cell, i) => toCell(cell, ids[i]!, roles[i]!, cut(cell.source, regions[i]!)));
  const finish = (made: NotebookCell[]) => toNotebook(source.chapter, forNbgrader(made, roles, source.exercises));
  return {
    complete: finish(toCells(completeSource)),
    released: finish(importNotWritten(toCells(releasedSource), source)),
    solutions: cells.flatMap((cell, i) => regions[i]!.map((region) => toSolution(cell, region))),
  };
}

/** `built` with the outputs that `before` has for the cells whose source is unchanged. */
export function keepOutputs(built: Notebook, before: Notebook | undefined): Notebook {
  const old = new Map(before?.cells.map((cell) => [cell.id, cell]));
  const cells = built.cells.map((cell) => {
    const was = old.get(cell.id);
    if (cell.cell_type !== 'code' || was?.cell_type !== 'code' || was.source !== cell.source) return cell;
    return { ...cell, outputs: was.outputs, execution_count: was.execution_count };
  });
  return { ...built, cells };
}

/** Whether two notebooks are the same but for outputs, and for what front ends write about themselves. */
export function inStep(a: Notebook, b: Notebook): boolean {
  const essence = ({ metadata: { dgm, kernelspec }, cells }: Notebook) =>
    canonical([dgm, kernelspec, cells.map((cell) => [cell.id, cell.cell_type, cell.source, cell.metadata])]);
  return essence(a) === essence(b);
}

function checkExercises(cells: readonly PercentCell[], regions: readonly Region[][], source: ChapterSource): void {
  const seen = new Set<string>();
  cells.forEach((cell, i) => {
    for (const region of regions[i]!) {
      checkRegion(region, cell.line + region.begin, source);
      if (seen.has(region.exercise))
        throw new SourceError(source.where, cell.line + region.begin, `a second solution of ${region.exercise}`);
      seen.add(region.exercise);
    }
  });
  const missing = source.exercises.find(({ id }) => !seen.has(id));
  if (missing)
    throw new SourceError(
      source.where,
      1,
      `no solution for ${missing.id}; mark it with // BEGIN SOLUTION ${missing.id}`,
    );
}

function checkRegion(region: Region, line: number, source: ChapterSource): void {
  const exercise = findOrFail(region.exercise, line, source);
  if (exercise.functionName !== region.functionName)
    throw new SourceError(
      source.where,
      line,
      `${exercise.id} is the function ${exercise.functionName}, but stands in ${region.functionName}`,
    );
}

function findOrFail(id: string, line: number, { exercises, where, chapter }: ChapterSource): Exercise {
  const found = exercises.find((exercise) => exercise.id === id);
  if (found) return found;
  const hint = didYouMean(
    id,
    exercises.map((exercise) => exercise.id),
  );
  throw new SourceError(where, line, `the checks of ${chapter} have no exercise '${id}'${hint}`);
}

function roleOf(cell: PercentCell, regions: readonly Region[], source: ChapterSource): Role {
  if (cell.kind !== 'code') return { kind: 'plain' };
  const [region, second] = regions;
  if (second)
    throw new SourceError(
      source.where,
      cell.line + second.begin,
      'a second exercise in one cell; give it a cell of its own',
    );
  if (region) return { kind: 'exercise', exercise: region.exercise };
  const [, exercise] = CHECK.exec(cell.source) ?? [];
  if (exercise === undefined) return { kind: 'plain' };
  findOrFail(exercise, cell.line, source);
  return { kind: 'check', exercise };
}

function toCell(cell: PercentCell, id: string, role: Role, source: string): NotebookCell {
  const metadata = metadataOf(cell, role);
  if (cell.kind === 'markdown') return { cell_type: 'markdown', id, metadata, source };
  return { cell_type: 'code', id, metadata, source, execution_count: null, outputs: [] };
}

function metadataOf({ tags }: PercentCell, { kind, exercise }: Role): Metadata {
  if (kind === 'plain') return tags.length > 0 ? { tags: [...tags] } : {};
  const lock = { deletable: false, ...(kind === 'check' ? { editable: false } : {}) };
  return { ...lock, tags: [...new Set([kind, ...tags])], dgm: { exercise } };
}

/** With nbgrader's metadata. The last step, since its checksum covers the source; only an exercise's first check counts. */
function forNbgrader(
  cells: readonly NotebookCell[],
  roles: readonly Role[],
  exercises: readonly Exercise[],
): NotebookCell[] {
  const judged = new Set<string>();
  return cells.map((cell, i) => {
    const { kind, exercise } = roles[i]!;
    if (cell.cell_type !== 'code' || exercise === undefined) return cell;
    const about = { id: cell.id, cellType: cell.cell_type, source: cell.source };
    const points = judged.has(exercise) ? 0 : exercises.find(({ id }) => id === exercise)!.points;
    if (kind === 'check') judged.add(exercise);
    const nbgrader = kind === 'check' ? checkCell(about, points) : answerCell(about);
    return { ...cell, metadata: { ...cell.metadata, nbgrader } };
  });
}

function toNotebook(chapter: string, cells: NotebookCell[]): Notebook {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      dgm: { chapter },
      kernelspec: { display_name: 'TypeScript (dgm)', language: 'typescript', name: 'dgm' },
      language_info: {
        name: 'typescript',
        file_extension: '.ts',
        mimetype: 'text/typescript',
        codemirror_mode: { name: 'javascript', typescript: true },
      },
    },
    cells,
  };
}

const GRADER_IMPORT = /^import \{([^}]*)\} from 'grader';$/m;

/** The authored chapter never throws `NotWritten`, so it does not import it; the release does. */
function importNotWritten(cells: NotebookCell[], { where }: ChapterSource): NotebookCell[] {
  const code = cells.filter((cell) => cell.cell_type === 'code').map((cell) => cell.source);
  if (!code.some((text) => text.includes('throw new NotWritten('))) return cells;
  const at = cells.findIndex((cell) => cell.cell_type === 'code' && GRADER_IMPORT.test(cell.source));
  if (at < 0) throw new SourceError(where, 1, "exercises need import { check } from 'grader'; in a cell");
  return cells.map((cell, i) => (i === at ? { ...cell, source: withNotWritten(cell.source) } : cell));
}

function withNotWritten(source: string): string {
  return source.replace(GRADER_IMPORT, (statement, list: string) => {
    const names = list
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    return names.includes('NotWritten')
      ? statement
      : `import { ${[...names, 'NotWritten'].join(', ')} } from 'grader';`;
  });
}

function toSolution(cell: PercentCell, region: Region): Solution {
  return {
    exercise: region.exercise,
    functionName: region.functionName,
    line: cell.line + region.begin + 1,
    body: solutionLines(cell.source, region),
    given: givenOf(cell.source, region),
  };
}

/** JSON with sorted keys: editors write the same metadata in other orders. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
