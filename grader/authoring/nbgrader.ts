/**
 * nbgrader's metadata of cells, version 3 of its schema (nbgrader 0.6 to 0.9, `nbgraderformat/v3.json`), so that
 * nbgrader, and front ends that honour its locks, take our notebooks for their own.
 */
import { createHash } from 'node:crypto';

export interface NbgraderMetadata {
  readonly schema_version: 3;
  /** Whether the cell earns points. */
  readonly grade: boolean;
  readonly locked: boolean;
  /** Whether students write their answer here. */
  readonly solution: boolean;
  readonly task: false;
  /** Unique in the notebook: a–z, A–Z, 0–9, - and _. */
  readonly grade_id: string;
  /** If it is graded. */
  readonly points?: number;
  readonly cell_type: 'code' | 'markdown';
  readonly checksum: string;
}

export interface NbgraderCell {
  readonly id: string;
  readonly cellType: 'code' | 'markdown';
  readonly source: string;
}

/** A cell in which students write their answer; it is judged by another one. */
export function answerCell(cell: NbgraderCell): NbgraderMetadata {
  return withChecksum(cell, { grade: false, locked: false, solution: true });
}

/** A cell that judges answers and that students leave as it is. */
export function checkCell(cell: NbgraderCell, points: number): NbgraderMetadata {
  return withChecksum(cell, { grade: true, locked: true, solution: false, points });
}

type Flags = Pick<NbgraderMetadata, 'grade' | 'locked' | 'solution' | 'points'>;

function withChecksum(cell: NbgraderCell, flags: Flags): NbgraderMetadata {
  const checksum = nbgraderChecksum(cell, flags);
  return { schema_version: 3, ...flags, task: false, grade_id: cell.id, cell_type: cell.cellType, checksum };
}

/**
 * nbgrader's checksum (`nbgrader/utils.py`, compute_checksum): the MD5 of, one after the other, source, cell type,
 * grade, solution and lock as Python prints them, grade_id and, if graded, the points as Python prints a float. An
 * answer counts as open and any other graded cell as locked, whatever the flag says.
 * @returns 32 hexadecimal digits
 */
export function nbgraderChecksum({ id, cellType, source }: NbgraderCell, flags: Flags): string {
  const { grade, solution, points } = flags;
  const locked = solution ? false : grade || flags.locked;
  const parts = [source, cellType, ...[grade, solution, locked].map(pythonBoolean), id];
  if (grade) parts.push(pythonFloat(points!));
  return createHash('md5').update(parts.join('')).digest('hex');
}

function pythonBoolean(value: boolean): string {
  return value ? 'True' : 'False';
}

/** Points are decimal numbers of everyday size, on which the two languages differ in whole numbers only: 1.0. */
function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
